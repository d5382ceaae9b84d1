//! Verbs on a data directory, whether or not a server holds it. A request goes to the server over `control.sock`, a
//! line of JSON there and lines of JSON back; where no server runs, the same code answers it in this process. The
//! socket is for the owner of the directory alone.

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use chrono::{DateTime, Utc};
use monban_event::{EventId, FileHints, SystemClock, TimeRange};
use serde::{Deserialize, Serialize};

use crate::node::{CONTROL_SOCKET, Node, NodeError, Opening};
use crate::redetect::{self, RedetectError};
use crate::verbs;

/// Longest request taken, in bytes: an import of a thousand named files.
const REQUEST_BYTES_MAX: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    Import {
        paths: Vec<PathBuf>,
        #[serde(default)]
        hints: FileHints,
    },
    Search {
        query: String,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        oldest_first: bool,
        show: Show,
    },
    Report {
        period: String,
        html: bool,
    },
    CreateToken {
        name: String,
        scopes: Vec<String>,
    },
    Backup {
        to: PathBuf,
    },
    Export {
        to: PathBuf,
        from: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
    },
    HoldAdd {
        name: String,
        reason: String,
        period: TimeRange,
    },
    HoldList {},
    HoldRelease {
        name: String,
        reason: String,
    },
    /// What a rule looks at, and which of it holds for an event.
    ExplainRule {
        id: String,
        event: Option<EventId>,
    },
    /// What was planted in the demo hospital, and what was found of it.
    DemoList {},
    /// Ends the server that holds the directory, after everything durable is searchable.
    Stop,
}

/// What of a search is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Show {
    Count,
    /// The values of a field, by name, with how often each occurs.
    By {
        field: String,
        limit: usize,
        form: Form,
    },
    /// Counts per so many seconds.
    Bars {
        seconds: u32,
        form: Form,
    },
    /// Columns are named as in queries; none are the usual ones.
    Events {
        limit: usize,
        columns: String,
        form: Form,
    },
    /// The records' text as it came.
    Raw {
        limit: usize,
    },
}

/// How lists are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    Table,
    Csv,
    Jsonl,
}

/// What the asking process does with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// For standard output, without its line end.
    Out(String),
    /// For standard error.
    Note(String),
    /// How far the work is, in bytes; for a person who watches.
    Moved { done: u64, total: u64 },
    /// The last: the exit status.
    Exit(u8),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    #[error("listen on {path}")]
    Listen { path: PathBuf, source: io::Error },
    #[error("talk to the server on {path}")]
    Talk { path: PathBuf, source: io::Error },
    #[error("サーバが途中で応答を止めました。サーバの画面かログを確かめてください（{path}）。")]
    CutOff { path: PathBuf },
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("judge days again after an import")]
    Redetect(#[from] RedetectError),
}

/// Carries out `request` on the directory and gives its exit status. `create`: make the directory where it is missing.
pub(crate) fn ask(
    dir: &Path,
    create: bool,
    request: &Request,
    hear: &mut dyn FnMut(Reply),
) -> Result<u8, ControlError> {
    let path = dir.join(CONTROL_SOCKET);
    if let Ok(stream) = UnixStream::connect(&path) {
        return ask_server(stream, &path, request, hear);
    }
    let clock = Arc::new(SystemClock);
    let node = Node::open(&Opening { dir, create, config: None, clock, stays: false })?;
    let status = verbs::handle(&node, request, hear);
    if matches!(request, Request::Import { .. }) {
        // Whoever imports without a server asks right after it what was found.
        redetect::settle(&node)?;
    }
    node.close();
    Ok(status)
}

fn ask_server(
    mut stream: UnixStream,
    path: &Path,
    request: &Request,
    hear: &mut dyn FnMut(Reply),
) -> Result<u8, ControlError> {
    let talking = |source| ControlError::Talk { path: path.to_owned(), source };
    let mut line = serde_json::to_string(request).map_err(|error| talking(error.into()))?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(talking)?;
    for line in BufReader::new(stream).lines() {
        let reply = serde_json::from_str(&line.map_err(talking)?).map_err(|error| talking(error.into()))?;
        match reply {
            Reply::Exit(status) => return Ok(status),
            reply => hear(reply),
        }
    }
    Err(ControlError::CutOff { path: path.to_owned() })
}

/// The server's side: a thread that takes requests, each answered in a thread of its own.
pub(crate) struct ControlServer {
    path: PathBuf,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ControlServer {
    /// `stop` is called when a request asks the server to end.
    pub(crate) fn start(node: &Arc<Node>, stop: impl Fn() + Send + Sync + 'static) -> Result<Self, ControlError> {
        let path = node.dir.join(CONTROL_SOCKET);
        let listening = |source| ControlError::Listen { path: path.clone(), source };
        // We hold the lock, so a socket that is there belonged to a server that was killed.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(listening(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(listening)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(listening)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let (flag, node) = (Arc::clone(&stopping), Arc::clone(node));
        let stop: Arc<dyn Fn() + Send + Sync> = Arc::new(stop);
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || accept(&listener, &flag, &node, &stop))
            .map_err(listening)?;
        Ok(Self { path, stopping, thread: Some(thread) })
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        // Wakes the accepting thread; a failure means that it has ended already.
        drop(UnixStream::connect(&self.path));
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the control thread ended with a panic");
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(error = %error, "cannot remove the control socket");
        }
    }
}

fn accept(listener: &UnixListener, stopping: &AtomicBool, node: &Arc<Node>, stop: &Arc<dyn Fn() + Send + Sync>) {
    for stream in listener.incoming() {
        if stopping.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let (node, stop) = (Arc::clone(node), Arc::clone(stop));
        let answering = std::thread::Builder::new().name("request".to_owned()).spawn(move || {
            if let Err(error) = answer(stream, &node, stop.as_ref()) {
                tracing::debug!(error = %error, "a control request was broken off");
            }
        });
        if let Err(error) = answering {
            tracing::warn!(error = %error, "cannot answer a control request");
        }
    }
}

fn answer(stream: UnixStream, node: &Node, stop: &(dyn Fn() + Send + Sync)) -> io::Result<()> {
    let mut line = String::new();
    let mut reader = io::Read::take(BufReader::new(stream.try_clone()?), REQUEST_BYTES_MAX);
    reader.read_line(&mut line)?;
    let mut writer = io::BufWriter::new(stream);
    if line.is_empty() {
        return Ok(());
    }
    let status = match serde_json::from_str(&line) {
        Ok(Request::Stop) => {
            stop();
            0
        }
        Ok(request) => verbs::handle(node, &request, &mut |reply| {
            // The asking process may be gone; what was asked is carried out all the same.
            drop(send(&mut writer, &reply));
        }),
        Err(error) => {
            send(&mut writer, &Reply::Note(format!("この要求は読めません: {error}")))?;
            verbs::EXIT_FAILED
        }
    };
    send(&mut writer, &Reply::Exit(status))
}

fn send(writer: &mut impl Write, reply: &Reply) -> io::Result<()> {
    serde_json::to_writer(&mut *writer, reply)?;
    writer.write_all(b"\n")?;
    writer.flush()
}
