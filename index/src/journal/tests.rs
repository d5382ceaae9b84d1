use std::sync::mpsc;

use chrono::{DateTime, Utc};
use monban_event::act::Deed;
use monban_event::{Format, Origin, SystemClock, Transport};

use super::*;

fn open(dir: &Path) -> (Journal, Recovery) {
    Journal::open(dir, Arc::new(SystemClock)).unwrap()
}

fn noon() -> DateTime<Utc> {
    "2026-10-25T03:00:00Z".parse().unwrap()
}

fn record(text: &str) -> Record {
    Record {
        received_at: noon(),
        origin: Origin::Live,
        transport: Transport::Udp,
        peer: None,
        identity: None,
        format: Format::Syslog,
        file: None,
        bytes: text.as_bytes().to_vec(),
        cut: false,
    }
}

fn act() -> Act {
    Act { at: noon(), by: "山田".to_owned(), deed: Deed::LoggedOut {} }
}

fn submit(journal: &Journal, lane: Lane, texts: &[&str]) -> Result<RecordId, SinkRefused> {
    let (sender, receiver) = mpsc::channel();
    let records = texts.iter().map(|text| record(text)).collect();
    journal.submit(lane, records, Box::new(move |result| sender.send(result).unwrap()));
    receiver.recv().unwrap()
}

fn submit_act(journal: &Journal) -> RecordId {
    let (sender, receiver) = mpsc::channel();
    journal.submit_acts(vec![act()], Box::new(move |result| sender.send(result).unwrap()));
    receiver.recv().unwrap().unwrap()
}

/// Texts of the records, `act` for acts, `from..to` for gaps.
fn contents(journal: &Journal, after: u64) -> Vec<String> {
    let mut tail = journal.tail(RecordId(after)).unwrap();
    let durable = journal.durable();
    std::iter::from_fn(|| tail.next(durable).unwrap())
        .map(|item| match item {
            TailItem::Entry(id, Entry::Record(record)) => format!("{id}:{}", String::from_utf8(record.bytes).unwrap()),
            TailItem::Entry(id, Entry::Act(_)) => format!("{id}:act"),
            TailItem::Gap(from, to) => format!("{from}..{to}"),
        })
        .collect()
}

#[test]
fn numbers_run_over_records_and_acts_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    assert_eq!(submit(&journal, Lane::Live, &["a", "b"]), Ok(RecordId(2)));
    assert_eq!(submit_act(&journal), RecordId(3));
    drop(journal);
    let (journal, recovery) = open(dir.path());
    assert_eq!(recovery, Recovery { last: RecordId(3), ..Recovery::default() });
    assert_eq!(submit(&journal, Lane::Imports, &["c"]), Ok(RecordId(4)));
    assert_eq!(contents(&journal, 0), ["1:a", "2:b", "3:act", "4:c"]);
    assert_eq!(contents(&journal, 2), ["3:act", "4:c"]);
    assert_eq!(journal.read(RecordId(2)).unwrap(), Some(Entry::Record(record("b"))));
    assert_eq!(journal.read(RecordId(3)).unwrap(), Some(Entry::Act(act())));
    assert_eq!(journal.read(RecordId(5)).unwrap(), None);
}

#[test]
fn a_torn_last_write_is_cut_off_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    submit(&journal, Lane::Live, &["a"]).unwrap();
    submit(&journal, Lane::Live, &["b"]).unwrap();
    drop(journal);
    let path = segment::segment_path(dir.path(), Family::Records, 1);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    let (journal, recovery) = open(dir.path());
    assert_eq!(recovery.last, RecordId(1));
    assert_eq!(recovery.torn.len(), 1);
    assert_eq!(recovery.missing_up_to, Some(RecordId(2)), "it had been published");
    assert_eq!(submit(&journal, Lane::Live, &["c"]), Ok(RecordId(2)));
    assert_eq!(contents(&journal, 0), ["1:a", "2:c"]);
}

#[test]
fn a_flipped_byte_loses_its_frame_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    for text in ["first", "second", "third"] {
        submit(&journal, Lane::Live, &[text]).unwrap();
    }
    drop(journal);
    let path = segment::segment_path(dir.path(), Family::Records, 1);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(6).position(|window| window == b"second").unwrap();
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (journal, recovery) = open(dir.path());
    assert_eq!(recovery.last, RecordId(3));
    assert_eq!(contents(&journal, 0), ["1:first", "2..2", "3:third"]);
    assert_eq!(journal.read(RecordId(2)).unwrap(), None);
    assert_eq!(journal.read(RecordId(3)).unwrap(), Some(Entry::Record(record("third"))));
}

#[test]
fn foreign_files_are_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let foreign = dir.path().join("records").join("メモ.txt");
    fs::write(&foreign, "x").unwrap();
    let (_journal, recovery) = open(dir.path());
    assert_eq!(recovery.foreign, [foreign]);
}

#[test]
fn large_records_and_many_segments_are_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let large = "x".repeat(monban_event::limits::RECORD_BYTES_MAX);
    for _ in 0..70 {
        submit(&journal, Lane::Live, &["small", &large]).unwrap();
    }
    let (segments, _) = segment::list(dir.path(), Family::Records).unwrap();
    assert!(segments.len() > 1);
    assert_eq!(contents(&journal, 0).len(), 140);
    assert_eq!(contents(&journal, 139).len(), 1);
    for number in [1, 2, 70, 139, 140] {
        let expected = if number % 2 == 1 { "small" } else { large.as_str() };
        assert_eq!(journal.read(RecordId(number)).unwrap(), Some(Entry::Record(record(expected))), "{number}");
    }
}

/// A commit that is written and not yet synced may be taken back, as a full disk does. Readers must not have seen it.
#[test]
fn what_is_not_durable_is_not_read_and_other_records_take_its_place() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let begin = |dir: &Path| {
        let (journal, _) = open(dir);
        submit(&journal, Lane::Live, &["a"]).unwrap();
        submit_act(&journal);
        journal
    };
    let (journal, ahead) = (begin(dir.path()), begin(other.path()));
    let path = segment::segment_path(dir.path(), Family::Records, 1);
    let whole = fs::read(&path).unwrap();
    submit(&ahead, Lane::Live, &["taken back, and longer than what comes instead"]).unwrap();
    let written = fs::read(segment::segment_path(other.path(), Family::Records, 1)).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &written[whole.len()..], whole.len() as u64).unwrap();
    let mut tail = journal.tail(RecordId(0)).unwrap();
    for _ in 0..2 {
        assert!(matches!(tail.next(journal.durable()).unwrap(), Some(TailItem::Entry(..))));
    }
    assert_eq!(journal.read(RecordId(1)).unwrap(), Some(Entry::Record(record("a"))));
    file.set_len(whole.len() as u64).unwrap();
    submit(&journal, Lane::Live, &["b"]).unwrap();
    submit(&journal, Lane::Live, &["c"]).unwrap();
    assert_eq!(tail.next(journal.durable()).unwrap(), Some(TailItem::Entry(RecordId(3), Entry::Record(record("b")))));
    assert_eq!(tail.next(journal.durable()).unwrap(), Some(TailItem::Entry(RecordId(4), Entry::Record(record("c")))));
    assert_eq!(journal.read(RecordId(4)).unwrap(), Some(Entry::Record(record("c"))));
}

#[test]
fn a_closed_journal_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    journal.close();
    assert_eq!(submit(&journal, Lane::Live, &["late"]), Err(SinkRefused::Closed));
}

#[test]
fn acts_and_live_records_overtake_imports() {
    let mut queues = Queues::default();
    let job = |lane, text: &str| Job::records(lane, vec![record(text)], Box::new(|_| {}));
    for _ in 0..3000 {
        assert!(queues.push(job(Lane::Imports, "old")).is_none());
    }
    assert!(queues.push(job(Lane::Live, "now")).is_none());
    assert!(queues.push(Job::acts(vec![act()], Box::new(|_| {}))).is_none());
    assert_eq!(queues.take(false).len(), 2, "a pipeline that is behind gets no imports");
    assert_eq!(queues.take(true).len(), 1000);
}
