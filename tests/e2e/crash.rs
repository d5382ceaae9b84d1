//! SIGKILL at random moments: nothing below the durable position is lost, nothing is there twice, and what the rules
//! found is what they find on an undisturbed run over the same journal. `MONBAN_CRASHES` raises the number of kills.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

use monban_event::Record;
use serde_json::Value;

use crate::support::evtx::{chunk, sample};
use crate::support::lines::{assert_each_once, line, number, numbers, send_tcp};
use crate::support::random::Random;
use crate::support::wait::wait_for;
use crate::support::{Site, journal, wait_until};

const SEED: u64 = 41_923;
const CRASHES: u64 = 5;
/// Records that have become durable when, at the latest, the kill comes.
const DURABLE_MAX: u64 = 12_000;
/// Said by a start after a kill, and meant so.
const TORN: &str = "an unfinished last write was cut off";

fn crashes() -> u64 {
    std::env::var("MONBAN_CRASHES").ok().map_or(CRASHES, |text| text.parse().expect("a number"))
}

#[test]
fn kill_in_the_middle_of_a_stream_loses_and_doubles_nothing() {
    let site = Site::new();
    let mut random = Random::seeded(SEED);
    let (mut sent, mut stored_before) = (0, 0);
    for round in 0..crashes() {
        let mut server = site.serve();
        server.tolerate(TORN);
        let moment = journal::published(&site.data()) + 1 + random.below(DURABLE_MAX);
        let (to, mark) = (server.tcp(), format!("round{round}"));
        let written = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| send_until_it_breaks(to, &mark, &written));
            wait_until("the moment of the kill", || journal::published(&site.data()) >= moment);
            server.kill();
        });
        let published = journal::published(&site.data());
        let (records, last) = journal::records(&site.data().join("journal"));
        assert!(last >= published, "{published} was published as durable, the journal ends at {last}");
        let stored = stored_of(&mark, &records);
        assert_each_once(&stored, stored.len() as u64);
        let written = written.load(Ordering::Acquire);
        println!("kill {round}: sent {written}, stored {}, on the way {}", stored.len(), written - stored.len() as u64);
        (sent, stored_before) = (sent + written, check_views(&site, &records, stored_before));
    }
    println!("sent {sent}, stored {stored_before}, on the way {}", sent - stored_before);
    compare_with_undisturbed(&site);
}

/// Writes lines until the server is gone; counts those that the connection took.
fn send_until_it_breaks(to: SocketAddr, mark: &str, written: &AtomicU64) {
    let mut stream = TcpStream::connect(to).unwrap();
    for number in 0.. {
        if stream.write_all((line(mark, number) + "\n").as_bytes()).is_err() {
            return;
        }
        written.store(number + 1, Ordering::Release);
    }
}

/// The numbers of the run among the records; its last line may have been cut by the end of the connection.
fn stored_of(mark: &str, records: &BTreeMap<u64, Record>) -> Vec<u64> {
    let texts = records.values().filter(|record| !record.cut).map(|record| String::from_utf8_lossy(&record.bytes));
    texts.filter_map(|text| number(mark, &text)).collect()
}

/// What is searchable after a start is what the journal holds, each record once. Gives how much that is.
fn check_views(site: &Site, records: &BTreeMap<u64, Record>, before: u64) -> u64 {
    let held = records.len() as u64;
    assert!(held >= before, "what was stored before the last kill is gone");
    let mut server = site.serve();
    server.tolerate(TORN);
    wait_for("everything durable to be searchable", &held, || site.count("*"));
    let found = site.search("*");
    let mut ids: Vec<u64> = found.iter().map(|event| event["record.id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert!(ids.iter().eq(records.keys()), "searchable are other records than those of the journal");
    server.kill();
    held
}

/// The views of this directory, grown through kills and starts, and those that a new directory makes of its journal.
fn compare_with_undisturbed(site: &Site) {
    let grown = (site.search("*"), journal::ledger_view(&site.data()));
    let fresh = site.path("fresh");
    journal::copy_folder(&site.data().join("journal"), &fresh.join("journal"));
    let remade = (site.search_on(&fresh, "*"), journal::ledger_view(&fresh));
    assert!(grown.0 == remade.0, "the searches differ");
    for view in ["findings", "sources", "accounts"] {
        assert_eq!(grown.1[view], remade.1[view], "{view}");
    }
    assert!(!grown.1["findings"].as_array().unwrap().is_empty(), "the failed logons were found");
}

#[test]
fn without_a_server_a_search_after_a_kill_finds_everything_durable() {
    let site = Site::new();
    let server = site.serve();
    let before = journal::published(&site.data());
    send_tcp(server.tcp(), "kept", 0..1000).unwrap();
    wait_for("the lines in the journal", &(before + 1000), || journal::published(&site.data()));
    server.kill();
    assert_each_once(&numbers("kept", &site.search("*")), 1000);
}

#[test]
fn an_import_that_was_killed_is_finished_by_the_next() {
    let undisturbed = Site::new();
    let text: String = (0..30_000).map(|number| line("history", number) + "\n").collect();
    let accounts: Vec<String> = (0..120).map(|number| format!("shokuin{number:03}")).collect();
    let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let chunks: Vec<Vec<u8>> =
        (1..).step_by(40).zip(names.chunks(40)).map(|(first, names)| chunk(first, names)).collect();
    let evtx = sample::file(&chunks);
    let files = |site: &Site| {
        site.write("in/gw.log", &text);
        site.write("in/dc.evtx", &evtx);
        site.path("in")
    };
    let whole = undisturbed.import(&[&files(&undisturbed)]).ok();
    assert_eq!(whole.out, "accepted: 30120, duplicate: 0, damaged: 0\n");
    let mut random = Random::seeded(SEED + 1);
    for _ in 0..crashes().div_ceil(2) {
        let site = Site::new();
        let folder = files(&site);
        let moment = 1 + random.below(29_000);
        kill_import(&site, &folder, moment);
        let again = site.import(&[&folder]).ok();
        // The first run may have finished one of the two files; the other is counted whole by whoever finished it.
        let finished = ["accepted: 30120, duplicate: 0, damaged: 0\n", "accepted: 30000, duplicate: 120, damaged: 0\n"];
        assert!(finished.contains(&again.out.as_str()), "killed after {moment} records: {again:#?}");
        assert_eq!(facts(&site.search("*")), facts(&undisturbed.search("*")));
        assert_eq!(journal::findings(&site.data()), journal::findings(&undisturbed.data()));
        let third = site.import(&[&folder]).ok();
        assert_eq!(third.out, "accepted: 0, duplicate: 30120, damaged: 0\n");
    }
}

fn kill_import(site: &Site, folder: &std::path::Path, moment: u64) {
    let data = site.data();
    let arguments = ["import", "--data-dir", data.to_str().unwrap(), folder.to_str().unwrap()];
    let mut child = site.command(arguments).stderr(std::process::Stdio::null()).spawn().unwrap();
    wait_until("the moment of the kill", || journal::published(&data) >= moment || child.try_wait().unwrap().is_some());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What does not depend on when and in which order files were read.
fn facts(events: &[Value]) -> Vec<String> {
    let fact = |event: &Value| format!("{} {} {}", event["@timestamp"], event["user.name"], event["message"]);
    let mut facts: Vec<String> = events.iter().map(fact).collect();
    facts.sort_unstable();
    facts
}
