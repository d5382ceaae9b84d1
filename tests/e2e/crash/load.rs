//! What a hospital sends at once, in small: lines over TCP and UDP, lines and `_bulk` documents and event log files over
//! HTTP, and an import of a history. Every piece goes on until the server is gone, at the pace at which it answers, and
//! what was acknowledged is written down.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::evtx::logons;
use crate::support::lines::line;
use crate::support::wait::DEADLINE;
use crate::support::{Server, Site, journal};

/// Lines of one request or one burst.
const PIECE: u64 = 20;
/// Lines of a file that is imported.
const FILE_LINES: u64 = 300;
/// Between two looks at what the journal has taken.
const LOOK: Duration = Duration::from_millis(20);

/// Where a load goes.
#[derive(Clone)]
pub(super) struct To {
    tcp: SocketAddr,
    udp: SocketAddr,
    pages: SocketAddr,
    token: String,
    data: PathBuf,
}

impl To {
    pub(super) fn of(server: &Server, token: &str, site: &Site) -> Self {
        let (tcp, udp, pages) = (server.tcp(), server.udp(), server.pages());
        Self { tcp, udp, pages, token: token.to_owned(), data: site.data() }
    }
}

/// What was sent and acknowledged: the words that tell lines apart, and event log files by their first number.
#[derive(Default)]
pub(super) struct Books {
    pub(super) acknowledged: Mutex<Vec<String>>,
    pub(super) files: Mutex<Vec<u64>>,
    /// Files whose import did not end well; it is to be done again.
    pub(super) unfinished: Mutex<Vec<(PathBuf, String)>>,
}

pub(super) fn word(mark: &str, number: u64) -> String {
    format!("{mark}n{number:07}")
}

impl Books {
    fn acknowledge(&self, mark: &str, numbers: std::ops::Range<u64>) {
        self.acknowledged.lock().unwrap().extend(numbers.map(|number| word(mark, number)));
    }
}

/// Loads the server until `is_over`, or until it is gone.
pub(super) fn run(site: &Site, to: &To, round: u64, books: &Books, is_over: &AtomicBool) {
    let going = || !is_over.load(Ordering::Acquire);
    std::thread::scope(|scope| {
        scope.spawn(|| tcp_and_udp(to, round, &going));
        scope.spawn(|| lines(to, round, books, &going));
        scope.spawn(|| bulk(to, round, books, &going));
        scope.spawn(|| event_logs(to, round, books, &going));
        scope.spawn(|| page(to, &going));
        import(site, round, books, &going);
    });
}

/// One connection, and datagrams beside it. After each burst something more has to be durable before the next.
fn tcp_and_udp(to: &To, round: u64, going: &dyn Fn() -> bool) {
    let Ok(mut stream) = TcpStream::connect(to.tcp) else { return };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (tcp, udp) = (format!("r{round}tcp"), format!("r{round}udp"));
    for piece in 0.. {
        let before = journal::published(&to.data);
        let numbers = piece * PIECE..(piece + 1) * PIECE;
        let text: String = numbers.clone().map(|number| line(&tcp, number) + "\n").collect();
        if stream.write_all(text.as_bytes()).is_err() {
            return;
        }
        for number in numbers {
            // A socket that is gone answers the datagram before; that is UDP.
            drop(socket.send_to(line(&udp, number).as_bytes(), to.udp));
        }
        while journal::published(&to.data) == before {
            if !going() || is_closed(&stream) {
                return;
            }
            std::thread::park_timeout(LOOK);
        }
    }
}

fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let state = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    !matches!(state, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn lines(to: &To, round: u64, books: &Books, going: &dyn Fn() -> bool) {
    let mark = format!("r{round}web");
    for piece in 0.. {
        let numbers = piece * PIECE..(piece + 1) * PIECE;
        let text: String = numbers.clone().map(|number| line(&mark, number) + "\n").collect();
        match post(to, "/api/v1/ingest/syslog", "text/plain", text.as_bytes()) {
            Some(202) => books.acknowledge(&mark, numbers),
            None => return,
            Some(_) => {}
        }
        if !going() {
            return;
        }
    }
}

fn bulk(to: &To, round: u64, books: &Books, going: &dyn Fn() -> bool) {
    let mark = format!("r{round}bulk");
    for piece in 0.. {
        let numbers = piece * PIECE..(piece + 1) * PIECE;
        let mut text = String::new();
        for number in numbers.clone() {
            let document = json!({ "message": line(&mark, number), "host": { "name": "app02" } });
            writeln!(text, "{{\"create\":{{}}}}\n{document}").unwrap();
        }
        match post(to, "/es/logs/_bulk", "application/x-ndjson", text.as_bytes()) {
            Some(200) => books.acknowledge(&mark, numbers),
            None => return,
            Some(_) => {}
        }
        if !going() {
            return;
        }
    }
}

/// Each upload is answered when it is searchable, so the index is committed in the middle of everything else.
fn event_logs(to: &To, round: u64, books: &Books, going: &dyn Fn() -> bool) {
    for file in 0.. {
        let first = (round * 1000 + file) * 10 + 1;
        match post(to, "/api/v1/ingest/evtx", "application/octet-stream", &logons(first, &["yamada", "sato"])) {
            Some(200 | 202) => books.files.lock().unwrap().push(first),
            None => return,
            Some(_) => {}
        }
        if !going() {
            return;
        }
    }
}

/// Somebody who looks at the pages meanwhile.
fn page(to: &To, going: &dyn Fn() -> bool) {
    let request =
        format!("GET /health HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncookie: monban=x\r\n\r\n", to.pages);
    while going() && exchange(to.pages, request.as_bytes()).is_some() {
        std::thread::park_timeout(LOOK * 10);
    }
}

/// The status of the answer; `None` where the server is gone.
fn post(to: &To, path: &str, kind: &str, body: &[u8]) -> Option<u16> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\n\r\n",
        to.pages,
        to.token,
        body.len()
    );
    exchange(to.pages, &[head.as_bytes(), body].concat())
}

fn exchange(to: SocketAddr, request: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(to).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(request).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let text = String::from_utf8_lossy(&answer);
    // Half an answer says nothing.
    let (head, _) = text.split_once("\r\n\r\n")?;
    head.split(' ').nth(1)?.parse().ok()
}

/// Imports what earlier rounds left unfinished, and then one file after the other.
fn import(site: &Site, round: u64, books: &Books, going: &dyn Fn() -> bool) {
    let mut files = std::mem::take(&mut *books.unfinished.lock().unwrap());
    for file in 0.. {
        let mark = format!("r{round}file{file}");
        files.push((site.write(&format!("in/{mark}.log"), history(&mark, round)), mark));
        for (path, mark) in files.drain(..) {
            if going() && start_import(site, &path).wait().unwrap().code() == Some(0) {
                books.acknowledge(&mark, 0..FILE_LINES);
            } else {
                books.unfinished.lock().unwrap().push((path, mark));
            }
        }
        if !going() {
            return;
        }
    }
}

/// Lines of a month back and of today, so that several partitions are written.
fn history(mark: &str, round: u64) -> String {
    let month = 1 + round % 3;
    let old = (0..FILE_LINES / 2).map(|number| {
        let (minute, second) = (number / 60 % 60, number % 60);
        let word = word(mark, number);
        format!(
            "<14>1 2026-{month:02}-05T09:{minute:02}:{second:02}+09:00 app03 reception 77 - - {word} 受付しました\n"
        )
    });
    old.chain((FILE_LINES / 2..FILE_LINES).map(|number| line(mark, number) + "\n")).collect()
}

fn start_import(site: &Site, path: &Path) -> Child {
    let data = site.data();
    let arguments = ["import", "--data-dir", data.to_str().unwrap(), path.to_str().unwrap()];
    site.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Finishes what is left with nobody disturbing it.
pub(super) fn finish_imports(site: &Site, books: &Books) {
    for (path, mark) in books.unfinished.lock().unwrap().drain(..) {
        site.import(&[&path]).ok();
        books.acknowledged.lock().unwrap().extend((0..FILE_LINES).map(|number| word(&mark, number)));
    }
}
