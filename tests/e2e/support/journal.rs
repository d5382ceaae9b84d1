//! The journal and the ledger as files: what is true, to compare with what the program shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use monban_event::{Record, RecordId, SystemClock, TimeRange};
use monban_index::journal::{Entry, Journal, TailItem};
use monban_index::ledger::{FindingFilter, Ledger};
use serde_json::{Value, json};

/// The position that the server has published as durable; 0 before the first time.
pub(crate) fn published(data: &Path) -> u64 {
    let text = fs::read_to_string(data.join("journal/durable")).unwrap_or_default();
    // The file is made a moment before the number is written into it; behind the number stand the heads.
    text.lines().next().map_or(0, |line| line.parse().expect("a number"))
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every record of a journal that nobody has open, by number, and the last number. Fails on a number that is neither
/// a record nor an act. Reads a copy: opening mends the end of a journal.
pub(crate) fn records(journal: &Path) -> (BTreeMap<u64, Record>, u64) {
    let scratch = tempfile::tempdir().unwrap();
    copy_folder(journal, scratch.path());
    let (journal, recovery) = Journal::open(scratch.path(), Arc::new(SystemClock)).unwrap();
    let mut tail = journal.tail(RecordId(0)).unwrap();
    let mut records = BTreeMap::new();
    while let Some(item) = tail.next(recovery.last).unwrap() {
        match item {
            TailItem::Entry(id, Entry::Record(record)) => drop(records.insert(id.0, record)),
            TailItem::Entry(_, Entry::Act(_)) => {}
            TailItem::Gap(from, to) => panic!("the journal lacks {from} to {to}"),
        }
    }
    (records, recovery.last.0)
}

/// The last number of a journal that nobody has open. Reads a copy: opening mends the end of a journal.
pub(crate) fn last(journal: &Path) -> u64 {
    let scratch = tempfile::tempdir().unwrap();
    copy_folder(journal, scratch.path());
    let (_, recovery) = Journal::open(scratch.path(), Arc::new(SystemClock)).unwrap();
    recovery.last.0
}

/// What the ledger of a directory that nobody serves makes of the journal: findings whole, and the counts of sources.
pub(crate) fn ledger_view(data: &Path) -> Value {
    let ledger = Ledger::open(&data.join("ledger.sqlite")).unwrap();
    let reader = ledger.read().unwrap();
    let findings = reader.findings(&FindingFilter::default()).unwrap();
    let findings: Vec<_> = findings.iter().map(|row| reader.finding(&row.id).unwrap().expect("it is listed")).collect();
    json!({"findings": findings, "sources": reader.sources().unwrap(), "accounts": reader.accounts().unwrap()})
}

/// The findings of a directory that nobody serves: rule and subject.
pub(crate) fn findings(data: &Path) -> Vec<(String, String)> {
    let ledger = Ledger::open(&data.join("ledger.sqlite")).unwrap();
    let rows = ledger.read().unwrap().findings(&FindingFilter::default()).unwrap();
    rows.into_iter().map(|row| (row.rule_id.0, row.subject)).collect()
}

/// The deeds on the trail of a directory that nobody serves, newest first.
pub(crate) fn trail(data: &Path) -> Vec<Value> {
    let ledger = Ledger::open(&data.join("ledger.sqlite")).unwrap();
    let rows = ledger.read().unwrap().trail(TimeRange::default(), usize::MAX).unwrap();
    rows.iter().map(|row| serde_json::from_str(&row.deed).unwrap()).collect()
}

/// What was searched for in a directory that nobody serves, oldest first, by its trail.
pub(crate) fn searches(data: &Path) -> Vec<String> {
    let deeds = trail(data).into_iter().rev();
    deeds.filter(|deed| deed["kind"] == "searched").map(|deed| deed["query"].as_str().unwrap().to_owned()).collect()
}
