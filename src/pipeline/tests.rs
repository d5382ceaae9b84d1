//! What a replay makes of a journal is what the live run made of it, wherever its steps begin.

use std::fs;
use std::sync::mpsc;

use monban_event::act::Deed;
use monban_event::{ActSink, FindingStatus, Format, Lane, Origin, RecordSink, SystemClock, Transport};
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
    let record = Record {
        received_at: "2026-10-25T03:59:00+09:00".parse().unwrap(),
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
