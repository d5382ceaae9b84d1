//! A journal of some days, of which somebody changes a byte.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use monban_event::act::Kept;
use monban_event::{Clock, EventId, Format, Lane, Origin, Record, RecordSink, Severity, SimulatedClock, Transport};
use monban_index::journal::Family;
use monban_index::ledger::{FindingDetail, FindingFilter};

use super::*;
use crate::node::{INDEX, JOURNAL, LEDGER, Opening};

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-{text}+09:00").parse().expect("a time")
}

fn open(dir: &Path, clock: &SimulatedClock) -> Arc<Node> {
    Node::open(&Opening { dir, create: true, config: None, clock: Arc::new(clock.clone()), stays: false }).unwrap()
}

/// Some lines each day; each day is a segment, and all but the last are sealed.
fn days(node: &Node, clock: &SimulatedClock, days: std::ops::RangeInclusive<u32>) {
    for day in days {
        clock.set(at(&format!("10-{day:02}T10:00:00")));
        for line in 0..20 {
            let text = format!("<13>Oct {day:2} 10:00:00 gw01 app: {line} {}", "x".repeat(line * 7));
            let record = Record {
                received_at: clock.now(),
                origin: Origin::Live,
                transport: Transport::Udp,
                peer: None,
                identity: None,
                format: Format::Syslog,
                file: None,
                bytes: text.into_bytes(),
                cut: false,
            };
            let (tell, told) = mpsc::channel();
            node.journal.submit(Lane::Live, vec![record], Box::new(move |result| tell.send(result).unwrap()));
            told.recv().unwrap().unwrap();
        }
    }
    assert_eq!(node.journal.wait_sealed(), None);
}

fn sealed(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir.join(JOURNAL).join("records")).unwrap().map(|entry| entry.unwrap().path());
    let mut sealed: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "seal")).collect();
    sealed.sort();
    sealed
}

fn flip_the_middle(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

fn told(node: &Node) -> Vec<FindingDetail> {
    node.progress.wait_applied(node.journal.durable()).unwrap();
    let ledger = node.ledger.read().unwrap();
    let filter = FindingFilter { rule: Some("LG-07".to_owned()), ..FindingFilter::default() };
    let rows = ledger.findings(&filter).unwrap();
    rows.iter().map(|row| ledger.finding(&row.id).unwrap().unwrap()).collect()
}

#[test]
fn an_undamaged_journal_leaves_the_act_alone_once_a_night() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SimulatedClock::at(at("10-05T09:00:00"));
    let node = open(dir.path(), &clock);
    days(&node, &clock, 5..=8);
    clock.set(at("10-09T02:10:00"));
    assert!(check_if_due(&node).unwrap());
    assert!(!check_if_due(&node).unwrap(), "once a night");
    clock.set(at("10-10T02:10:00"));
    assert!(check_if_due(&node).unwrap());
    let health = node.checks.health();
    assert_eq!((health.at, health.damaged_at, health.damage), (Some(clock.now()), None, Vec::new()));
    assert!(health.segments >= 5, "all of it is read by turns: {}", health.segments);
    assert!(told(&node).is_empty());
    node.close();
    drop(node);
    let node = open(dir.path(), &clock);
    node.progress.wait_applied(node.journal.durable()).unwrap();
    assert!(!check_if_due(&node).unwrap(), "a start in the same night knows of it");
    assert_eq!(node.checks.health().at, Some(clock.now()));
}

#[test]
fn what_retention_took_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SimulatedClock::at(at("10-05T09:00:00"));
    let node = open(dir.path(), &clock);
    days(&node, &clock, 5..=9);
    let expired = node.journal.expired(Family::Records, at("10-07T12:00:00")).unwrap().expect("two days");
    let deed = Deed::Removed {
        what: Kept::Records,
        parts: expired.names(),
        count: expired.last.0 + 1 - expired.first.0,
        period: TimeRange::between(expired.from, expired.to),
    };
    node.record("monban", deed).unwrap();
    node.journal.remove(&expired).unwrap();
    for day in 10..=12 {
        clock.set(at(&format!("10-{day}T02:10:00")));
        assert!(check_if_due(&node).unwrap());
        assert_eq!(node.checks.health().damage, []);
    }
    let told =
        verify_while(node.journal.dir(), &Wanted { to: Some(at("10-08T12:00:00")), ..Wanted::default() }, &|| true);
    assert_eq!(told.unwrap().unwrap().faults, [], "a period before the act that tells of it");
}

#[test]
fn a_changed_byte_is_told_by_the_next_night_with_its_place_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SimulatedClock::at(at("10-05T09:00:00"));
    let node = open(dir.path(), &clock);
    days(&node, &clock, 5..=8);
    clock.set(at("10-09T02:10:00"));
    assert!(check_if_due(&node).unwrap());
    let segments = sealed(dir.path());
    flip_the_middle(&segments[1]);
    let first: u64 = segments[1].file_stem().unwrap().to_str().unwrap().parse().unwrap();
    clock.set(at("10-10T02:10:00"));
    assert!(check_if_due(&node).unwrap());
    let health = node.checks.health();
    let place = health.damage.first().expect("a place");
    assert!((first..first + 20).contains(&place.first.0), "{place:?} {first}");
    assert!(place.what.contains(".seal"), "{place:?}");
    let findings = told(&node);
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!(finding.finding.severity, Severity::Critical);
    assert!(finding.finding.summary.contains(&place.first.to_string()), "{}", finding.finding.summary);
    let act = node.ledger.read().unwrap().act(finding.evidence[0].record).unwrap().expect("its evidence is the act");
    assert!(act.deed.contains("verified"), "{}", act.deed);
    clock.set(at("10-12T02:10:00"));
    assert!(check_if_due(&node).unwrap());
    assert_eq!(told(&node).len(), 1, "one place is told once");
    assert_eq!(node.checks.health().damaged_at, Some(clock.now()), "and stays on the page");
}

#[test]
fn what_the_pipeline_cannot_read_any_more_is_told_with_the_first_missing_number() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SimulatedClock::at(at("10-05T09:00:00"));
    let node = open(dir.path(), &clock);
    days(&node, &clock, 5..=8);
    node.close();
    drop(node);
    let lost = sealed(dir.path()).remove(1);
    let first: u64 = lost.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    fs::remove_file(lost).unwrap();
    fs::remove_file(dir.path().join(LEDGER)).unwrap();
    fs::remove_dir_all(dir.path().join(INDEX)).unwrap();
    let node = open(dir.path(), &clock);
    node.catch_up().unwrap();
    let findings = told(&node);
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!(finding.evidence, [EventId::new(RecordId(first), 0)]);
    assert_eq!(finding.finding.severity, Severity::Critical);
    assert!(finding.finding.summary.contains("読み出せません"), "{}", finding.finding.summary);
}

#[test]
fn a_stop_ends_a_check_without_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SimulatedClock::at(at("10-05T09:00:00"));
    let node = open(dir.path(), &clock);
    days(&node, &clock, 5..=6);
    node.progress.stop();
    assert!(!check(&node, None).unwrap());
    assert_eq!(node.checks.health().at, None);
}
