use std::sync::mpsc;

use chrono::{DateTime, Utc};
use monban_event::act::Deed;
use monban_event::{Format, Origin, SystemClock, TimeRange, Transport};

use super::segment::KIND_ENTRIES;
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
    drop(journal);
    let path = segment::segment_path(dir.path(), Family::Records, 1);
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, &[200, 0, 0, 0, 1, 2, 3, 4, 1]).unwrap();
    let (journal, recovery) = open(dir.path());
    assert_eq!(recovery, Recovery { last: RecordId(1), torn: vec![(path, 9)], ..Recovery::default() });
    assert_eq!(submit(&journal, Lane::Live, &["c"]), Ok(RecordId(2)));
    assert_eq!(contents(&journal, 0), ["1:a", "2:c"]);
}

#[test]
fn what_was_published_and_is_cut_off_is_told_and_its_numbers_are_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    submit(&journal, Lane::Live, &["a"]).unwrap();
    submit(&journal, Lane::Live, &["b"]).unwrap();
    drop(journal);
    let path = segment::segment_path(dir.path(), Family::Records, 1);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    let (journal, recovery) = open(dir.path());
    assert_eq!(recovery.last, RecordId(2));
    assert_eq!(recovery.missing, Some((RecordId(2), RecordId(2))));
    assert_eq!(submit(&journal, Lane::Live, &["c"]), Ok(RecordId(3)));
    assert_eq!(contents(&journal, 0), ["1:a", "2..2", "3:c"]);
    assert_eq!(fs::read(&path).unwrap().len(), whole.len() - 3, "what is left of it stays as evidence");
}

#[test]
fn a_flipped_length_loses_its_frame_alone_and_nothing_behind_it_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    for text in ["first", "second", "third"] {
        submit(&journal, Lane::Live, &[text]).unwrap();
    }
    drop(journal);
    let path = segment::segment_path(dir.path(), Family::Records, 1);
    let bytes = fs::read(&path).unwrap();
    let second = bytes.windows(6).position(|window| window == b"second").unwrap();
    let length_at = (0..second).rev().find(|&at| bytes[at + 8] == KIND_ENTRIES && bytes[at + 9] == 2).unwrap();
    for (at, flip) in [(length_at, 1), (length_at + 1, 0x40), (length_at + 3, 0x80), (length_at + 2, 0x10)] {
        let mut damaged = bytes.clone();
        damaged[at] ^= flip;
        fs::write(&path, damaged).unwrap();
        let (journal, recovery) = open(dir.path());
        assert_eq!((recovery.last, recovery.torn.len()), (RecordId(3), 0), "{at}");
        assert_eq!(contents(&journal, 0), ["1:first", "2..2", "3:third"], "{at}");
        assert_eq!(journal.read(RecordId(3)).unwrap(), Some(Entry::Record(record("third"))));
    }
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
    let check = || {
        assert_eq!(contents(&journal, 0).len(), 140);
        assert_eq!(contents(&journal, 139).len(), 1);
        for number in [1, 2, 70, 139, 140] {
            let expected = if number % 2 == 1 { "small" } else { large.as_str() };
            assert_eq!(journal.read(RecordId(number)).unwrap(), Some(Entry::Record(record(expected))), "{number}");
        }
    };
    check();
    assert_eq!(journal.wait_sealed(), None);
    let (segments, _) = segment::list(dir.path(), Family::Records).unwrap();
    let (active, complete) = segments.split_last().unwrap();
    assert!(!active.is_sealed() && complete.iter().all(segment::SegmentPath::is_sealed));
    check();
}

/// A journal of 3,000 records, one commit for each hundred, closed and sealed as a whole.
fn sealed(dir: &Path) -> PathBuf {
    let (journal, _) = open(dir);
    for commit in 0..30 {
        let texts: Vec<String> = (0..100).map(|line| format!("{commit}-{line} {}", "logon ".repeat(20))).collect();
        submit(&journal, Lane::Live, &texts.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    }
    drop(journal);
    seal_folder(dir).unwrap();
    segment::sealed_path(&segment::segment_path(dir, Family::Records, 1))
}

#[test]
fn a_sealed_segment_is_smaller_and_gives_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    drop(journal);
    let path = sealed(dir.path());
    assert!(fs::metadata(&path).unwrap().len() * 5 < 3000 * 120);
    let (journal, recovery) = open(dir.path());
    assert_eq!(recovery, Recovery { last: RecordId(3000), ..Recovery::default() });
    assert_eq!(contents(&journal, 0).len(), 3000);
    assert_eq!(submit(&journal, Lane::Live, &["on"]), Ok(RecordId(3001)));
    assert_eq!(contents(&journal, 2999).last().map(String::as_str), Some("3001:on"));
}

#[test]
fn damage_to_a_sealed_segment_costs_its_block_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = sealed(dir.path());
    let whole = fs::read(&path).unwrap();
    let readable = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let (journal, _) = open(dir.path());
        let read = contents(&journal, 0).iter().filter(|item| !item.contains("..")).count();
        let single = (1..=3000).filter(|&number| journal.read(RecordId(number)).unwrap().is_some()).count();
        assert_eq!(read, single);
        read
    };
    for at in (64..whole.len()).step_by(whole.len() / 40) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        let read = readable(&damaged);
        assert!((2700..=3000).contains(&read), "{at} of {}: {read}", whole.len());
    }
    for end in [1, 20, 60] {
        assert_eq!(readable(&whole[..whole.len() - end]), 3000, "the footer only helps");
    }
    assert_eq!(readable(&whole), 3000);
}

#[test]
fn a_seal_that_was_interrupted_is_finished_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let sealed_at = sealed(dir.path());
    let raw = sealed_at.with_extension("seg");
    let seal = fs::read(&sealed_at).unwrap();
    let (journal, _) = open(dir.path());
    submit(&journal, Lane::Live, &["on"]).unwrap();
    drop(journal);
    // Both forms are there: the raw one was not removed, and the sealed one is whole, torn, or only begun.
    let mut file = segment::SegmentFile::open(&segment::SegmentPath { first: 1, path: sealed_at.clone() }).unwrap();
    let mut bytes = file.header().unwrap().unwrap().to_vec();
    let mut offset = segment::HEADER_BYTES;
    while let segment::FrameRead::Frame { payload, next } = file.read_frame(offset).unwrap() {
        let (kind, body) = segment::kind_and_body(&payload);
        bytes.extend(segment::frame(kind, body));
        offset = next;
    }
    for left in [&seal[..], &seal[..seal.len() / 2], &[]] {
        fs::write(&raw, &bytes).unwrap();
        fs::write(&sealed_at, left).unwrap();
        fs::write(segment::sealing_path(&raw), &seal[..100]).unwrap();
        let (journal, recovery) = open(dir.path());
        assert_eq!(recovery.foreign, Vec::<PathBuf>::new());
        assert_eq!(contents(&journal, 0).len(), 3001);
        assert_eq!(journal.wait_sealed(), None);
        assert!(!raw.try_exists().unwrap());
        assert_eq!(fs::read(&sealed_at).unwrap(), seal);
        assert_eq!(contents(&journal, 0).len(), 3001);
    }
}

#[test]
fn retention_takes_whole_segments_oldest_first_and_the_check_knows_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(monban_event::SimulatedClock::at(noon()));
    let (journal, _) = Journal::open(dir.path(), clock.clone()).unwrap();
    for day in 1..=5 {
        submit(&journal, Lane::Live, &["a", "b"]).unwrap();
        clock.set(noon() + chrono::TimeDelta::days(day));
    }
    let day = |day: i64| noon() + chrono::TimeDelta::days(day);
    let expired = journal.expired(Family::Records, day(3)).unwrap().unwrap();
    assert_eq!((expired.first, expired.last), (RecordId(1), RecordId(6)));
    assert_eq!((expired.from, expired.to, expired.names().len()), (noon(), day(3), 3));
    let period = TimeRange::between(expired.from, expired.to);
    let (parts, count) = (expired.names(), expired.last.0 + 1 - expired.first.0);
    let deed = Deed::Removed { what: monban_event::act::Kept::Records, parts, count, period };
    let told = |journal: &Journal| {
        let (sender, receiver) = mpsc::channel();
        let act = Act { at: noon(), by: "monban".to_owned(), deed: deed.clone() };
        journal.submit_acts(vec![act], Box::new(move |result| sender.send(result).unwrap()));
        receiver.recv().unwrap().unwrap()
    };
    journal.remove(&expired).unwrap();
    let missing = verify::verify(dir.path(), &verify::Wanted::default()).unwrap().faults;
    assert_eq!(missing.len(), 1, "nobody said so: {missing:?}");
    assert_eq!((missing[0].first, missing[0].last), (1, 6));
    assert_eq!(told(&journal), RecordId(11));
    assert_eq!(verify::verify(dir.path(), &verify::Wanted::default()).unwrap().faults, []);
    assert_eq!(journal.expired(Family::Records, day(3)).unwrap(), None);
    assert_eq!(
        contents(&journal, 0),
        ["7:a", "8:b", "9:a", "10:b", "11:act"],
        "what was taken away on record is no damage"
    );
    assert_eq!(journal.read(RecordId(1)).unwrap(), None);
}
