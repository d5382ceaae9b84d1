//! Files handed in: once, twice, damaged, growing, with and without a server.

use crate::support::Site;
use crate::support::evtx::{chunk, chunk_start, logons, sample};
use crate::support::lines::{assert_each_once, line, numbers};

fn text(mark: &str, numbers: std::ops::Range<u64>) -> String {
    numbers.map(|number| line(mark, number) + "\n").collect()
}

fn totals(accepted: u64, duplicate: u64, damaged: u64) -> String {
    format!("accepted: {accepted}, duplicate: {duplicate}, damaged: {damaged}\n")
}

const ACCOUNTS: [&str; 5] = ["yamada", "sato", "suzuki", "takahashi", "tanaka"];

#[test]
fn a_file_handed_in_twice_counts_once() {
    let site = Site::new();
    let evtx = site.write("Security.evtx", logons(1, &ACCOUNTS));
    let syslog = site.write("gw.log", text("twice", 0..300));
    assert_eq!(site.import(&[&evtx, &syslog]).ok().out, totals(305, 0, 0));
    assert_eq!(site.import(&[&evtx, &syslog]).ok().out, totals(0, 305, 0));
    let elsewhere = site.write("copy/Archive-Security.evtx", logons(1, &ACCOUNTS));
    assert_eq!(site.import(&[&elsewhere]).ok().out, totals(0, 5, 0), "a file is its content, not its name");
    assert_eq!(site.count("*"), 305);
    assert_each_once(&numbers("twice", &site.search("*")), 300);
    let found = site.search("event.code:4624");
    let mut users: Vec<&str> = found.iter().map(|event| event["user.name"].as_str().unwrap()).collect();
    users.sort_unstable();
    assert_eq!(users, ["sato", "suzuki", "takahashi", "tanaka", "yamada"]);
    assert!(
        found.iter().all(|event| event["source.ip"] == "192.0.2.44" && event["host.name"] == "DC01.hospital.example")
    );
}

#[test]
fn an_import_beside_a_server_is_the_same_import() {
    let site = Site::new();
    let (evtx, syslog) = (site.write("a.evtx", logons(1, &ACCOUNTS)), site.write("b.log", text("beside", 0..100)));
    let server = site.serve();
    assert_eq!(site.import(&[&evtx]).ok().out, totals(5, 0, 0));
    assert_eq!(site.count("event.code:4624"), 5, "what was imported is found at once");
    server.stop();
    assert_eq!(site.import(&[&evtx, &syslog]).ok().out, totals(100, 5, 0));
    let server = site.serve();
    assert_eq!(site.import(&[&evtx, &syslog]).ok().out, totals(0, 105, 0));
    assert_eq!(site.count("*"), 105);
    server.stop();
}

#[test]
fn damaged_files_give_what_can_be_read_and_are_listed() {
    let site = Site::new();
    let whole = sample::file(&[chunk(1, &ACCOUNTS), chunk(6, &["watanabe", "ito"])]);
    let mut torn = whole.clone();
    let second = chunk_start(1);
    torn[second..second + 512].fill(0xAA);
    let torn = site.write("torn.evtx", torn);
    let cut = site.write("cut.evtx", &whole[..chunk_start(1) + 700]);
    let empty = site.write("empty.evtx", b"");
    let fine = site.write("fine.log", text("fine", 0..10));
    let said = site.import(&[&torn, &cut, &empty, &fine]).quiet();
    assert_eq!(said.status, 3, "{said:#?}");
    for name in ["torn.evtx", "cut.evtx", "empty.evtx"] {
        let listed = said.err.lines().any(|line| line.starts_with("破損 ") && line.contains(name));
        assert!(listed, "{name}: {said:#?}");
    }
    assert!(!said.err.lines().any(|line| line.starts_with("破損 ") && line.contains("fine.log")), "{said:#?}");
    let users: Vec<_> = ACCOUNTS.iter().map(|user| site.count(&format!("user:{user}"))).collect();
    assert_eq!(users, [1; 5], "the chunk that both files have whole counts once");
    assert_eq!(
        site.count("fine*"),
        site.search("*").len() as u64 - 5 - site.count("user:watanabe") - site.count("user:ito")
    );
    let again = site.import(&[&torn, &cut, &empty, &fine]).quiet();
    assert_eq!(again.status, 3, "damage is told each time");
    assert!(again.out.starts_with("accepted: 0, "), "{again:#?}");
}

#[test]
fn a_folder_gives_its_logs_and_names_what_it_passes_over() {
    let site = Site::new();
    site.write("logs/dc/Security.evtx", logons(1, &ACCOUNTS));
    site.write("logs/gw/2026-10.log", text("folder", 0..50));
    site.write("logs/gw/note.md", "not a log");
    site.write("logs/gw/no-extension", logons(11, &["kobayashi"]));
    let said = site.import(&[&site.path("logs")]).ok();
    assert_eq!(said.out, totals(56, 0, 0));
    assert!(said.err.lines().any(|line| line.starts_with("対象外 ") && line.contains("note.md")), "{said:#?}");
    assert_eq!(site.count("user:kobayashi"), 1, "an event log is known by its content");
}

#[test]
fn a_missing_file_is_a_failure_with_its_name() {
    let site = Site::new();
    let said = site.import(&[&site.path("nowhere.evtx")]).quiet();
    assert_eq!(said.status, 2, "{said:#?}");
    assert!(said.err.contains("nowhere.evtx"), "{said:#?}");
}

#[test]
fn an_event_log_that_grew_gives_only_what_is_new() {
    let site = Site::new();
    let path = site.write("Security.evtx", logons(1, &ACCOUNTS[..3]));
    assert_eq!(site.import(&[&path]).ok().out, totals(3, 0, 0));
    let path = site.write("Security.evtx", logons(1, &ACCOUNTS));
    assert_eq!(site.import(&[&path]).ok().out, totals(2, 3, 0));
    let grown = sample::file(&[chunk(1, &ACCOUNTS), chunk(6, &["watanabe"])]);
    let path = site.write("Security.evtx", grown);
    assert_eq!(site.import(&[&path]).ok().out, totals(1, 5, 0));
    assert_eq!(site.count("event.code:4624"), 6);
}
