//! A disk that takes nothing for a while: full, or read-only. Nothing is acknowledged then, the server stays up and says
//! so, and when the disk takes records again it goes on by itself, with everything that was acknowledged there once.

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::support::disk::SmallDisk;
use crate::support::evtx::logons;
use crate::support::http::{Answer, As, exchange, get, post_form};
use crate::support::lines::{assert_each_once, line, number, numbers, send_tcp};
use crate::support::wait::wait_for;
use crate::support::{Server, Site, journal, wait_until};

const DISK_MIB: u32 = 192;
const PASSWORD: &str = "門番のながい合言葉-2026";
const SYSLOG: &str = "/api/v1/ingest/syslog";
/// Said while a disk takes nothing, and meant so.
const MEANT: [&str; 7] = [
    "the disk takes nothing",
    "a view cannot be written",
    "records were lost before the journal",
    "the loss could not be journaled",
    "request failed",
    "no room could be kept back",
    "FAIL POINT",
];
/// Long lines fill what kernels and programs hold between sender and journal; these are more than all of it.
const LONG_LINES: u64 = 3_000;
const LONG_BYTES: usize = 8_000;

/// A server, somebody who is logged in, and a program that sends.
struct Visit {
    server: Server,
    session: String,
    token: String,
}

impl Visit {
    fn of(site: &Site, mut server: Server) -> Self {
        for text in MEANT {
            server.tolerate(text);
        }
        let secret = server.setup_secret().unwrap();
        let fields =
            [("secret", secret.as_str()), ("name", "yamada"), ("display_name", "山田 花子"), ("password", PASSWORD)];
        let session = post_form(server.pages(), As::Nobody, "/setup", &fields).cookie();
        let token = site.verb("token create", &["--name", "収集", "--scope", "ingest"]).ok();
        Self { server, session, token: token.out.trim_end().to_owned() }
    }

    fn post(&self, path: &str, kind: &str, body: &str) -> Answer {
        let kind = ("content-type", kind);
        exchange(self.server.pages(), "POST", As::Token(&self.token), path, &[kind], body)
    }

    /// Hands in lines, and gives the answer's status.
    fn lines(&self, mark: &str, numbers: std::ops::Range<u64>) -> u16 {
        let text: String = numbers.map(|number| line(mark, number) + "\n").collect();
        self.post(SYSLOG, "text/plain", &text).status
    }

    fn page(&self, path: &str) -> Answer {
        get(self.server.pages(), As::Session(&self.session), path)
    }

    fn log_in(&self) -> u16 {
        let fields = [("name", "yamada"), ("password", PASSWORD)];
        post_form(self.server.pages(), As::Nobody, "/login", &fields).status
    }

    fn health(&self) -> Value {
        self.page("/api/v1/health").json()
    }

    /// Of the datagrams: received, stored and refused.
    fn datagrams(&self) -> (u64, u64, u64) {
        let health = self.health();
        let udp = health["listeners"].as_array().unwrap().iter().find(|listener| listener["transport"] == "udp");
        let count = |what: &str| udp.unwrap()[what].as_u64().unwrap();
        (count("received"), count("stored"), count("refused"))
    }

    /// Nothing is acknowledged, and it is said what to do.
    fn assert_held_back(&self) {
        let refused = self.post(SYSLOG, "text/plain", "<14>x\n");
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("60")), "{refused:#?}");
        assert!(refused.body.contains("ディスク") && refused.body.contains("送り直して"), "{refused:#?}");
        let bulk = self.post("/es/logs/_bulk", "application/x-ndjson", "{\"create\":{}}\n{\"message\":\"x\"}\n");
        assert_eq!(bulk.status, 503, "{bulk:#?}");
        let health = self.page("/health");
        assert_eq!(health.status, 200);
        assert!(health.body.contains("書き込めません（"), "{}", health.body);
    }

    /// Lines are taken again, and the health page is content.
    fn wait_until_taken(&self, mark: &str) {
        wait_until("lines are taken again", || self.lines(mark, 0..20) == 202);
        wait_until("the views are written", || {
            let health = self.health();
            health["waiting"].is_null() && health["stopped"].is_null()
        });
    }
}

/// Makes room when it is dropped, also where the test fails: a sender that is held back would never end.
struct Cleared<'a>(&'a SmallDisk);

impl Drop for Cleared<'_> {
    fn drop(&mut self) {
        self.0.clear();
    }
}

fn long_line(number: u64) -> String {
    format!("{} {}\n", line("long", number), "x".repeat(LONG_BYTES))
}

fn send_long(to: SocketAddr, written: &AtomicU64) -> io::Result<()> {
    let mut stream = TcpStream::connect(to)?;
    for number in 0..LONG_LINES {
        stream.write_all(long_line(number).as_bytes())?;
        written.store(number + 1, Ordering::Release);
    }
    Ok(())
}

fn start_import(site: &Site, path: &Path) -> Child {
    let data = site.data();
    let arguments = ["import", "--data-dir", data.to_str().unwrap(), path.to_str().unwrap()];
    site.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn assert_imported(import: Child, count: u64) {
    let output = import.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("accepted: {count}, duplicate: 0, damaged: 0\n"));
}

/// The views of this directory and those that a new one makes of its journal.
fn assert_as_undisturbed(site: &Site) {
    let fresh = site.path("fresh");
    journal::copy_folder(&site.data().join("journal"), &fresh.join("journal"));
    assert_eq!(site.search("*"), site.search_on(&fresh, "*"));
    assert_eq!(journal::ledger_view(&site.data()), journal::ledger_view(&fresh));
}

#[test]
fn a_full_disk_holds_senders_back_and_goes_on_by_itself() {
    let site = Site::new();
    let disk = SmallDisk::mount(&site.data(), DISK_MIB);
    let visit = Visit::of(&site, site.serve());
    assert_eq!(visit.lines("before", 0..100), 202);
    let history: String = (0..2_000).map(|number| line("history", number) + "\n").collect();
    let history = site.write("in/history.log", history);
    disk.fill();
    wait_until("nothing is taken any more", || visit.lines("filling", 0..1) == 503);
    visit.assert_held_back();
    let import = start_import(&site, &history);
    let (to, written) = (visit.server.tcp(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| send_long(to, &written));
        let cleared = Cleared(&disk);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for number in 0..200 {
            socket.send_to(line("datagram", number).as_bytes(), visit.server.udp()).unwrap();
        }
        wait_for("the datagrams to be counted as lost", &(200, 0, 200), || visit.datagrams());
        for page in ["/", "/search?q=*", "/findings", "/sources", "/trail"] {
            assert_eq!(visit.page(page).status, 200, "{page}");
        }
        assert_eq!(visit.log_in(), 303, "room is kept back for acts");
        visit.assert_held_back();
        assert!(written.load(Ordering::Acquire) < LONG_LINES, "the TCP sender is held back");
        drop(cleared);
        visit.wait_until_taken("after");
        sender.join().unwrap().unwrap();
    });
    assert_imported(import, 2_000);
    let last = format!("longn{:07}", LONG_LINES - 1);
    wait_for("the last long line", &1, || site.count(&last));
    assert_eq!(visit.datagrams(), (200, 0, 200));
    visit.server.stop();
    let found = site.search("*");
    assert_each_once(&numbers("before", &found), 100);
    assert_each_once(&numbers("history", &found), 2_000);
    assert_each_once(&numbers("after", &found), 20);
    assert_in_order_once(&site);
    assert_as_undisturbed(&site);
}

/// The lines of the one connection, as the journal has them.
fn assert_in_order_once(site: &Site) {
    let (records, _) = journal::records(&site.data().join("journal"));
    let texts = records.values().map(|record| String::from_utf8_lossy(&record.bytes));
    let found: Vec<u64> = texts.filter_map(|text| number("long", &text)).collect();
    assert!(found.iter().copied().eq(0..LONG_LINES), "{} of {LONG_LINES} long lines, or out of order", found.len());
}

#[test]
fn a_server_begins_on_a_full_disk_and_ends_in_order_on_one() {
    let site = Site::new();
    let disk = SmallDisk::mount(&site.data(), DISK_MIB);
    let visit = Visit::of(&site, site.serve());
    assert_eq!(visit.lines("before", 0..50), 202);
    wait_for("the lines", &50, || site.count("*"));
    disk.fill();
    wait_until("nothing is taken any more", || visit.lines("filling", 0..1) == 503);
    visit.server.stop();
    let mut server = site.serve();
    for text in MEANT {
        server.tolerate(text);
    }
    let visit = Visit { server, ..visit };
    wait_until("nothing is taken", || visit.lines("filling", 0..1) == 503);
    assert_eq!(visit.page("/search?q=*").status, 200);
    disk.clear();
    visit.wait_until_taken("after");
    visit.server.stop();
    let found = site.search("*");
    assert_each_once(&numbers("before", &found), 50);
    assert_each_once(&numbers("after", &found), 20);
    assert_as_undisturbed(&site);
}

/// Every place at which a file is written.
const WRITES: [&str; 12] = [
    "staging.create",
    "journal.before_write",
    "journal.before_sync",
    "journal.durable_file",
    "journal.probe",
    "ledger.before_commit",
    "ledger.session",
    "index.file.create",
    "index.merge.file.create",
    "index.meta.replace",
    "index.before_commit",
    "index.manifest.written",
];

#[test]
fn a_disk_that_turns_read_only_is_told_and_used_again_when_it_can_be_written() {
    let site = Site::new();
    let flag = site.path("read-only");
    let arms = WRITES.map(|name| format!("{name}:EROFS")).join(",");
    let disturbed = [("MONBAN_FAIL_ERR", arms.as_str()), ("MONBAN_FAIL_WHILE", flag.to_str().unwrap())];
    let visit = Visit::of(&site, site.serve_disturbed(&site.data(), &disturbed).unwrap());
    let (mut logs, rounds) = (0, 3);
    for round in 0..rounds {
        assert_eq!(visit.lines("written", round * 50..(round + 1) * 50), 202);
        // What is durable and not yet searchable when the disk fails must be, afterwards.
        fs::write(&flag, "").unwrap();
        visit.assert_held_back();
        assert!(visit.page("/health").body.contains("Read-only file system"));
        assert_eq!(visit.log_in(), 503, "a log-in that cannot be on record is refused");
        let import = start_import(&site, &site.write(&format!("in/{round}.evtx"), logons(round * 10 + 1, &["yamada"])));
        fs::remove_file(&flag).unwrap();
        visit.wait_until_taken(&format!("again{round}"));
        // Begun on a disk that takes nothing it may have ended with a message; then it is begun again.
        let said = import.wait_with_output().unwrap();
        if said.status.code() != Some(0) {
            assert!(!said.stderr.is_empty());
            site.import(&[&site.path(&format!("in/{round}.evtx"))]).ok();
        }
        logs += 1;
    }
    wait_for("everything", &(rounds * 70 + logs), || site.count("*"));
    visit.server.stop();
    let found = site.search("*");
    assert_each_once(&numbers("written", &found), rounds * 50);
    assert_as_undisturbed(&site);
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_a_merge_costs_nothing() {
    let site = Site::new();
    let disturbed = [("MONBAN_FAIL_ERR", "index.merge.file.create:1:ENOSPC,index.meta.replace:30:ENOSPC")];
    let mut server = site.serve_disturbed(&site.data(), &disturbed).unwrap();
    for text in MEANT {
        server.tolerate(text);
    }
    let mut files = 0;
    let is_over = |server: &mut Server| {
        ["index.merge.file.create", "index.meta.replace"]
            .iter()
            .all(|name| server.has_said(&format!("FAIL POINT REACHED name=\"{name}\"")))
    };
    while !is_over(&mut server) {
        assert!(files < 60, "sixty commits and no merge");
        let path = site.write(&format!("in/{files}.evtx"), logons(files * 10 + 1, &["yamada", "sato"]));
        // While the views wait, the import ends with that message, and is to be begun again.
        wait_until("the import ends well", || {
            let said = site.import(&[&path]);
            assert!(said.status == 0 || said.err.contains("待っています"), "{said:#?}");
            said.status == 0
        });
        files += 1;
    }
    send_tcp(server.tcp(), "later", 0..100).unwrap();
    wait_for("everything", &(files * 2 + 100), || site.count("*"));
    server.stop();
    assert_as_undisturbed(&site);
}

#[test]
fn a_read_only_disk_at_the_start_is_told_and_left_as_it_is() {
    let site = Site::new();
    let disk = SmallDisk::mount(&site.data(), DISK_MIB);
    let server = site.serve();
    send_tcp(server.tcp(), "kept", 0..100).unwrap();
    wait_for("the lines", &100, || site.count("*"));
    server.stop();
    disk.remount("ro");
    let config = site.path("monban.toml");
    let said = site.run(["serve", "--config", config.to_str().unwrap(), "--data-dir", site.data().to_str().unwrap()]);
    assert_eq!(said.status, 2, "{said:#?}");
    assert!(said.err.contains("読み取り専用") && said.err.contains(site.data().to_str().unwrap()), "{said:#?}");
    disk.remount("rw");
    assert_each_once(&numbers("kept", &site.search("*")), 100);
}
