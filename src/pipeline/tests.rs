//! What a replay makes of a journal is what the live run made of it, wherever its steps begin.

use std::fs;
use std::sync::mpsc;

use monban_event::act::Deed;
use monban_event::{ActSink, FindingStatus, Format, Lane, Origin, RecordSink, RuleId, Scope, SystemClock, Transport};
use monban_index::ledger::{FindingDetail, FindingFilter, SourceRow};

use super::*;
use crate::node::{INDEX, LEDGER, Node, Opening};

fn open(dir: &std::path::Path) -> Arc<Node> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Node::open(&Opening { dir, create: true, config: None, clock, stays: false }).unwrap()
}

/// A device's log was cleared: one finding at once.
fn cleared(node: &Node, minute: u32) {
    let line = format!(
        "<166>1 2026-10-25T03:{minute:02}:00+09:00 idrac1 - - - - Severity: Informational, Category: Audit, MessageID: LOG203, Message: The log was cleared."
    );
    receive(node, line, "2026-10-25T03:59:00+09:00");
}

/// Somebody dials in at night.
fn dialled(node: &Node, user: &str, time: &str) {
    dialled_from(node, user, "198.51.100.31", time);
}

fn dialled_from(node: &Node, user: &str, from: &str, time: &str) {
    let (date, clock) = time.split_once('T').unwrap();
    let line = format!(
        "<190>date={date} time={clock} devname=\"FGT-HONKAN\" devid=\"FGT60FTK00000001\" tz=\"+0900\" logid=\"0101039947\" type=\"event\" subtype=\"vpn\" level=\"information\" vd=\"root\" action=\"tunnel-up\" tunneltype=\"ssl-tunnel\" tunnelid=307687117 remip={from} user=\"{user}\" msg=\"SSL tunnel established\""
    );
    receive(node, line, &format!("{time}+09:00"));
}

fn receive(node: &Node, line: String, time: &str) {
    let record = Record {
        received_at: time.parse().unwrap(),
        origin: Origin::Live,
        transport: Transport::Tcp,
        peer: Some("192.0.2.7:514".parse().unwrap()),
        identity: None,
        format: Format::Syslog,
        file: None,
        bytes: line.into_bytes(),
        cut: false,
    };
    let (sender, receiver) = mpsc::channel();
    node.journal.submit(Lane::Live, vec![record], Box::new(move |result| drop(sender.send(result))));
    let id = receiver.recv().unwrap().unwrap();
    node.progress.wait_searchable(id).unwrap();
}

/// Findings by when they were first found, with their reviews, and the sources.
fn views(node: &Node) -> (Vec<FindingDetail>, Vec<SourceRow>) {
    let reader = node.ledger.read().unwrap();
    let rows = reader.findings(&FindingFilter::default()).unwrap();
    (rows.iter().map(|row| reader.finding(&row.id).unwrap().unwrap()).collect(), reader.sources().unwrap())
}

#[test]
fn verdicts_and_names_are_where_they_were_when_all_is_read_in_one_step() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path());
    cleared(&node, 1);
    let (findings, sources) = views(&node);
    let finding = findings[0].finding.id.clone();
    let closed = Deed::Review {
        finding,
        status: FindingStatus::Confirmed,
        reason: "保守作業（連絡済）".to_owned(),
        note: String::new(),
    };
    node.record("佐藤", closed).unwrap();
    node.record("佐藤", Deed::SourceNamed { source: sources[0].id.clone(), name: "管理ボード".to_owned() }).unwrap();
    cleared(&node, 2);
    let live = views(&node);
    let statuses: Vec<(FindingStatus, u32, u64)> =
        live.0.iter().map(|detail| (detail.finding.status, detail.finding.recurrence, detail.finding.count)).collect();
    assert_eq!(statuses.len(), 2, "{live:?}");
    assert!(statuses.contains(&(FindingStatus::Confirmed, 0, 1)), "{statuses:?}");
    assert!(statuses.contains(&(FindingStatus::Open, 1, 1)), "{statuses:?}");
    assert_eq!((live.1[0].name.as_str(), live.1[0].listed), ("管理ボード", true));
    node.close();
    drop(node);

    fs::remove_file(dir.path().join(LEDGER)).unwrap();
    fs::remove_dir_all(dir.path().join(INDEX)).unwrap();
    let node = open(dir.path());
    node.catch_up().unwrap();
    assert_eq!(views(&node), live);
}

/// Everything again from the journal alone.
fn replayed(dir: &std::path::Path) -> (Vec<FindingDetail>, Vec<SourceRow>) {
    fs::remove_file(dir.join(LEDGER)).unwrap();
    fs::remove_dir_all(dir.join(INDEX)).unwrap();
    let node = open(dir);
    node.catch_up().unwrap();
    views(&node)
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn granted(id: &str, subject: &str) -> Deed {
    Deed::ExceptionGranted {
        id: id.to_owned(),
        scope: Box::new(Scope {
            rule: RuleId::new("VP-09"),
            subject: subject.to_owned(),
            object: String::new(),
            network: "198.51.100.0/24".to_owned(),
        }),
        reason: "夜間の監視の当番".to_owned(),
        owner: "山田".to_owned(),
        from: at("2026-10-20T00:00:00+09:00"),
        until: at("2026-10-24T00:00:00+09:00"),
    }
}

/// Subject, count, which exception covers it and how often it recurred, of what was found of nights, by time.
fn nights(details: &[FindingDetail]) -> Vec<(String, u64, Option<String>, u32)> {
    let mut rows: Vec<_> = details.iter().map(|detail| &detail.finding).collect();
    rows.retain(|row| row.rule_id.as_str() == "VP-09");
    rows.sort_by_key(|row| (row.first, row.recurrence));
    rows.iter().map(|row| (row.subject.clone(), row.count, row.classified.clone(), row.recurrence)).collect()
}

#[test]
fn exceptions_and_disasters_are_the_same_in_a_replay() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path());
    dialled(&node, "tanaka", "2026-10-20T02:00:00");
    node.record("佐藤", granted("EX-1", "tan*")).unwrap();
    dialled(&node, "tanaka", "2026-10-20T02:10:00");
    dialled(&node, "tanaka", "2026-10-21T02:00:00");
    dialled_from(&node, "tanabe", "203.0.113.9", "2026-10-21T02:00:30");
    dialled(&node, "suzuki", "2026-10-21T02:01:00");
    node.record("佐藤", Deed::ExceptionEnded { id: "EX-1".to_owned(), reason: "当番の終わり".to_owned() }).unwrap();
    dialled(&node, "tanaka", "2026-10-22T02:00:00");
    node.record("佐藤", granted("EX-2", "tanaka")).unwrap();
    dialled(&node, "tanaka", "2026-10-25T02:00:00");
    let disaster = Deed::DisasterDeclared {
        id: "DM-1".to_owned(),
        reason: "停電".to_owned(),
        from: at("2026-10-26T00:00:00+09:00"),
        until: None,
    };
    node.record("佐藤", disaster).unwrap();
    dialled(&node, "tanaka", "2026-10-26T02:00:00");
    dialled(&node, "suzuki", "2026-10-27T02:00:00");
    let until = at("2026-10-28T00:00:00+09:00");
    node.record("佐藤", Deed::DisasterEnded { id: "DM-1".to_owned(), until, reason: "復電".to_owned() }).unwrap();
    dialled(&node, "suzuki", "2026-10-28T02:00:00");
    let live = views(&node);
    let row =
        |subject: &str, count, exception: Option<&str>| (subject.to_owned(), count, exception.map(str::to_owned), 0);
    assert_eq!(
        nights(&live.0),
        [
            row("tanaka", 2, None),
            row("tanaka", 1, Some("EX-1")),
            row("tanabe", 1, None),
            row("suzuki", 1, None),
            row("tanaka", 1, None),
            row("tanaka", 1, None),
            row("災害モード 停電（10/26 00:00〜）", 2, None),
            row("suzuki", 1, None),
        ]
    );
    node.close();
    drop(node);
    // Within a disaster as well, a start knows what was declared.
    let node = open(dir.path());
    node.catch_up().unwrap();
    assert_eq!(views(&node), live);
    dialled(&node, "tanaka", "2026-10-27T23:00:00");
    let live = views(&node);
    assert_eq!(nights(&live.0)[6].1, 3);
    node.close();
    drop(node);
    assert_eq!(replayed(dir.path()), live);
}

#[test]
fn what_recurs_after_closing_names_the_verdict_and_counts_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path());
    dialled(&node, "tanaka", "2026-10-20T23:00:00");
    dialled(&node, "tanaka", "2026-10-20T23:10:00");
    let finding = views(&node).0[0].finding.id.clone();
    let closed = Deed::Review {
        finding: finding.clone(),
        status: FindingStatus::Resolved,
        reason: "業務による正当な利用".to_owned(),
        note: "本人に確認".to_owned(),
    };
    node.record("佐藤", closed).unwrap();
    dialled(&node, "tanaka", "2026-10-20T23:20:00");
    let live = views(&node);
    assert_eq!(nights(&live.0), [("tanaka".to_owned(), 2, None, 0), ("tanaka".to_owned(), 1, None, 1)]);
    let again = live.0.iter().find(|detail| detail.finding.recurrence == 1).unwrap();
    let previous = again.previous.as_ref().unwrap();
    assert_eq!((&previous.finding, previous.review.status), (&finding, FindingStatus::Resolved));
    assert!(again.finding.summary.contains("1 件、10/20 23:20"), "{}", again.finding.summary);
    node.close();
    drop(node);
    assert_eq!(replayed(dir.path()), live);
}
