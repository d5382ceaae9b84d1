//! A history is imported while devices go on sending: what they send is found and judged in time all along.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use monban_event::time::rfc3339;
use monban_event::{Clock, SystemClock};

use crate::support::http::{As, get};
use crate::support::wait::wait_until;
use crate::support::{Server, Site};

/// Lines of the history, over two years: some for each of more partitions than are open at once.
const HISTORY: i64 = 20_000;
const HISTORY_MINUTES: i64 = 2 * 365 * 24 * 60;
/// What is promised of a record that comes in: an alarm within two seconds, found by a search within five. The program
/// as the tests build it is some ten times slower and shares the machine with other tests.
const SLOWER: u32 = if cfg!(debug_assertions) { 4 } else { 1 };
const ALARM: Duration = Duration::from_secs(2);
const FOUND: Duration = Duration::from_secs(5);

fn history() -> String {
    let now = SystemClock.now();
    let line = |number: i64| {
        let time = rfc3339(now - TimeDelta::minutes(HISTORY_MINUTES * (HISTORY - number) / HISTORY));
        format!("<14>1 {time} app01 reception 77 - - history{number:06} 受付しました\n")
    };
    (0..HISTORY).map(line).collect()
}

/// One record that a rule speaks of, on a connection that stays open; how long until it was told and until it was found.
fn probe(site: &Site, server: &Server, token: &str, device: &mut TcpStream, number: usize) -> (Duration, Duration) {
    let host = format!("idrac{number}");
    let line = format!(
        "<166>1 {} {host} - - - - Severity: Informational, Category: Audit, MessageID: LOG203, Message: The log was cleared.\n",
        rfc3339(SystemClock.now())
    );
    let sent = Instant::now();
    device.write_all(line.as_bytes()).unwrap();
    let is_told = || get(server.pages(), As::Token(token), "/api/v1/findings").body.contains(&format!("\"{host}\""));
    wait_until("the finding is told", is_told);
    let told = sent.elapsed();
    wait_until("the record is found", || site.count(&format!("host:{host}")) == 1);
    (told, sent.elapsed())
}

#[test]
fn live_records_are_judged_and_found_in_time_beside_an_import() {
    let site = Site::new();
    let file = site.write("history.log", history());
    let server = site.serve();
    let said = site.verb("token create", &["--name", "script", "--scope", "findings:read"]).ok();
    let token = said.out.trim_end();
    let mut device = TcpStream::connect(server.tcp()).unwrap();
    let importing = AtomicBool::new(true);
    let (probes, imported) = std::thread::scope(|scope| {
        let import = scope.spawn(|| {
            let said = site.import(&[&file]).ok();
            importing.store(false, Ordering::Release);
            said
        });
        let mut probes = Vec::new();
        while importing.load(Ordering::Acquire) {
            probes.push(probe(&site, &server, token, &mut device, probes.len()));
        }
        (probes, import.join().unwrap())
    });
    println!("alarm and search after, beside the import: {probes:?}");
    assert_eq!(imported.out, format!("accepted: {HISTORY}, duplicate: 0, damaged: 0\n"));
    assert!(!probes.is_empty());
    for (told, found) in probes {
        assert!(told < ALARM * SLOWER, "an alarm took {told:?}");
        assert!(found < FOUND * SLOWER, "a search found it after {found:?}");
    }
    assert_eq!(site.count("受付"), u64::try_from(HISTORY).unwrap());
    server.stop();
}
