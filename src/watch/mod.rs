//! Watched folders: logs that are put there are taken in by themselves, and those that grow are followed. The files are
//! only read, never changed or removed. Folders are looked at again and again rather than listened to, because a network
//! share tells nobody that it has changed.
//!
//! Their records are imports, shown as 取込: no device sent them to us, and when they were written is only what they say.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use monban_event::FileHints;
use monban_ingest::file::{self, InputError, InputFile, Listing};

use crate::config::WatchFolder;
use crate::error_chain;
use crate::import::follow::{self, Followed, Taken};
use crate::import::{Handed, ImportError};
use crate::node::Node;

/// Between two looks at the folders: what grows is searchable within seconds, and an idle share is not worn out.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Files looked at in one folder: each is asked for its size every few seconds.
const FILES_MAX: usize = 20_000;
/// New files taken in one look, so that every folder has its turn.
const TAKEN_PER_LOOK_MAX: usize = 100;
/// A file that could not be read is tried again after this, also when it has not changed: its rights may have.
const RETRY_AFTER: Duration = Duration::from_mins(1);
/// Troubles told on the health page; the log has all.
const TROUBLES_SHOWN_MAX: usize = 20;

/// In whose name watched files are taken in.
const BY: &str = "monban";

/// What hinders just now, by the place it concerns. Each is told in the log once, when it begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Troubles(Arc<Mutex<BTreeMap<String, String>>>);

impl Troubles {
    /// A line each, for the health page.
    pub(crate) fn lines(&self) -> Vec<String> {
        let troubles = self.lock();
        let mut lines: Vec<String> =
            troubles.iter().take(TROUBLES_SHOWN_MAX).map(|(place, reason)| format!("{place}: {reason}")).collect();
        if troubles.len() > TROUBLES_SHOWN_MAX {
            lines.push(format!("ほか {} 件", troubles.len() - TROUBLES_SHOWN_MAX));
        }
        lines
    }

    fn tell(&self, place: &Path, reason: &str) {
        let known = self.lock().insert(place.to_string_lossy().into_owned(), reason.to_owned());
        if known.as_deref() != Some(reason) {
            tracing::warn!(place = %place.display(), reason, "a watched place cannot be read");
        }
    }

    fn settle(&self, place: &Path) {
        if self.lock().remove(place.to_string_lossy().as_ref()).is_some() {
            tracing::info!(place = %place.display(), "a watched place can be read again");
        }
    }

    /// Forgets about a file that is gone.
    fn forget(&self, place: &Path) {
        self.lock().remove(place.to_string_lossy().as_ref());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that looks.
pub(crate) struct Watch {
    stop: Option<mpsc::Sender<()>>,
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    pub(crate) troubles: Troubles,
}

impl Watch {
    pub(crate) fn start(node: &Arc<Node>, folders: &[WatchFolder]) -> std::io::Result<Self> {
        let troubles = Troubles::default();
        let is_stopping = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = mpsc::channel();
        let mut watched: Vec<Folder> = folders.iter().map(|folder| Folder::new(folder, &troubles)).collect();
        let (node, flag) = (Arc::clone(node), Arc::clone(&is_stopping));
        let work = move || {
            // What an earlier run took in must be known before anything is compared with it.
            if let Err(stopped) = node.catch_up() {
                tracing::error!(error = %stopped, "the watched folders are not looked at");
                return;
            }
            let go_on = || !flag.load(Ordering::Acquire);
            while go_on() {
                for folder in &mut watched {
                    folder.look(&node, Instant::now(), &go_on);
                }
                if stopped.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            for folder in &mut watched {
                folder.close(&node);
            }
        };
        // Without a folder there is nothing to look at.
        let thread = match folders {
            [] => None,
            _ => Some(std::thread::Builder::new().name("watch".to_owned()).spawn(work)?),
        };
        Ok(Self { stop: Some(stop), is_stopping, thread, troubles })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::Release);
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the watch thread ended with a panic");
        }
    }
}

/// Size and time of a file, which change when somebody writes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts {
    size: u64,
    modified: (i64, i64),
}

impl Facts {
    fn of(facts: &Metadata) -> Self {
        Self { size: facts.size(), modified: (facts.mtime(), facts.mtime_nsec()) }
    }
}

/// What is known of a file.
struct Known {
    facts: Facts,
    /// When the file was first seen, and seen with these facts.
    seen: Instant,
    since: Instant,
    state: State,
}

enum State {
    /// Not taken as it is now.
    Waiting,
    /// Nothing to do until it changes.
    Done,
    Followed(InputFile, Box<Followed>),
    /// Could not be read; tried again later.
    Failed(Instant),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// Nobody has written to it for the settle time.
    Complete,
    /// It is being written to.
    Growing,
}

/// One watched folder.
struct Folder {
    path: PathBuf,
    settle: Duration,
    hints: FileHints,
    known: BTreeMap<PathBuf, Known>,
    troubles: Troubles,
}

impl Folder {
    fn new(config: &WatchFolder, troubles: &Troubles) -> Self {
        Self {
            path: config.folder.clone(),
            settle: config.settle,
            hints: FileHints { host: config.host.clone(), ..FileHints::default() },
            known: BTreeMap::new(),
            troubles: troubles.clone(),
        }
    }

    /// Looks at every file once and takes in what is new and complete.
    fn look(&mut self, node: &Node, now: Instant, go_on: &dyn Fn() -> bool) {
        let Some(listing) = self.list() else { return };
        let mut taken = 0;
        for path in &listing.files {
            if !go_on() {
                return;
            }
            if taken < TAKEN_PER_LOOK_MAX {
                taken += usize::from(self.look_at(node, path, now, go_on));
            }
        }
        if !listing.are_more {
            self.forget_those_gone(&listing.files);
        }
    }

    fn list(&self) -> Option<Listing> {
        match file::list(&self.path, FILES_MAX) {
            Ok(listing) => {
                self.troubles.settle(&self.path);
                for (place, reason) in &listing.refused {
                    self.troubles.tell(Path::new(place), reason);
                }
                if listing.are_more {
                    let reason = format!("ファイルが {FILES_MAX} 個を超えています。古いものを移してください");
                    self.troubles.tell(&self.path.join("*"), &reason);
                }
                Some(listing)
            }
            Err(error) => {
                let reason = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
                self.troubles.tell(&self.path, &format!("フォルダが見えません。戻るのを待っています（{reason}）"));
                None
            }
        }
    }

    fn forget_those_gone(&mut self, files: &[PathBuf]) {
        let troubles = &self.troubles;
        self.known.retain(|path, _| {
            let is_there = files.binary_search(path).is_ok();
            if !is_there {
                troubles.forget(path);
            }
            is_there
        });
    }

    /// `true` where a file was read that is not followed: those that are have their turn in every look.
    fn look_at(&mut self, node: &Node, path: &Path, now: Instant, go_on: &dyn Fn() -> bool) -> bool {
        // A file that went away since the folder was listed is forgotten with the next list.
        let Ok(facts) = fs::metadata(path).map(|facts| Facts::of(&facts)) else { return false };
        let handed = Handed { by: BY, hints: &self.hints };
        let known = self.known.entry(path.to_owned()).or_insert_with(|| Known::new(facts, now));
        let Some(due) = known.due(facts, now, self.settle) else { return false };
        let was_followed = matches!(known.state, State::Followed(..));
        let result = known.take_in(node, path, due, &handed, go_on);
        match result {
            Ok(None) => self.troubles.settle(path),
            Ok(Some(reason)) => self.troubles.tell(path, &reason),
            Err(ImportError::Stopped) => {}
            Err(error) if is_gone(&error) => known.state = State::Waiting,
            Err(error) => {
                known.state = State::Failed(now);
                self.troubles.tell(path, &error_chain(&error));
            }
        }
        !was_followed
    }

    /// Journals how far the followed logs are.
    fn close(&mut self, node: &Node) {
        let handed = Handed { by: BY, hints: &self.hints };
        for known in self.known.values_mut() {
            if let State::Followed(_, followed) = &mut known.state
                && let Err(error) = followed.mark(node, &handed)
            {
                tracing::warn!(error = %error, "the place in a watched log could not be kept; it is found again by its content");
            }
        }
    }
}

impl Known {
    fn new(facts: Facts, now: Instant) -> Self {
        Self { facts, seen: now, since: now, state: State::Waiting }
    }

    /// Takes note of how the file is now; `None` while it is not to be read.
    fn due(&mut self, facts: Facts, now: Instant, settle: Duration) -> Option<Due> {
        let has_changed = self.facts != facts;
        if has_changed {
            self.facts = facts;
            self.since = now;
        }
        let is_settled = now.duration_since(self.since) >= settle;
        let is_due = match &self.state {
            State::Followed(..) => has_changed,
            State::Failed(at) => has_changed || now.duration_since(*at) >= RETRY_AFTER,
            State::Done if has_changed => {
                (self.state, self.seen) = (State::Waiting, now);
                false
            }
            State::Done => false,
            // A log that is written to all the time never settles, and is followed once it has been there long enough.
            State::Waiting => is_settled || now.duration_since(self.seen) >= settle,
        };
        is_due.then_some(if is_settled { Due::Complete } else { Due::Growing })
    }

    /// Reads the file, or what has come to it. Gives what hinders, in Japanese.
    fn take_in(
        &mut self,
        node: &Node,
        path: &Path,
        due: Due,
        handed: &Handed<'_>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<String>, ImportError> {
        if let State::Followed(input, followed) = &mut self.state {
            if followed.follow(node, input, handed, go_on)? {
                return Ok(None);
            }
            // Rotated away or cut off: another log stands there now.
            followed.mark(node, handed).map_err(|source| ImportError::Journal { path: path.to_owned(), source })?;
        }
        let found = file::find_in(path, &path.to_string_lossy(), false)?;
        let mut troubles: Vec<String> = found.refused.into_iter().map(|(_, reason)| reason).collect();
        if due == Due::Growing && !found.files.iter().all(InputFile::can_be_followed) {
            self.state = State::Waiting;
            return Ok(None);
        }
        let mut state = State::Done;
        for input in found.files {
            match follow::take(node, &input, handed, go_on)? {
                Taken::Followed(followed) => state = State::Followed(input, followed),
                Taken::Refused(reason) => troubles.push(reason),
                Taken::Whole { import } => troubles.extend(damage(node, import)?),
            }
        }
        self.state = state;
        troubles.dedup();
        Ok((!troubles.is_empty()).then(|| troubles.join("、")))
    }
}

fn is_gone(error: &ImportError) -> bool {
    let (ImportError::Read { source, .. } | ImportError::Input(InputError::Read { source, .. })) = error else {
        return false;
    };
    source.kind() == std::io::ErrorKind::NotFound
}

/// What of an import could not be read.
fn damage(node: &Node, import: monban_event::RecordId) -> Result<Vec<String>, ImportError> {
    Ok(node.ledger.read()?.import(import)?.map(|row| row.damaged).unwrap_or_default())
}
