//! Dropping [`Partitions`] without a commit is what a kill leaves: what tantivy had not committed is gone.

use std::fs;

use super::*;
use crate::partition::Expired;

/// A day and a journal of records: most are live, every fifth is an import of some month back.
fn journal(count: u64) -> Vec<Event> {
    let start = at("2026-10-05T09:00:00+09:00");
    let received = |record: u64| start + TimeDelta::minutes(i64::try_from(record).unwrap() * 20);
    let months_back =
        |record: u64| if record.is_multiple_of(5) { i64::try_from(record % 9).unwrap() * 31 * 86_400 } else { 0 };
    (1..=count).map(|record| event(record, received(record), months_back(record))).collect()
}

fn replay(partitions: &mut Partitions, journal: &[Event], to: u64) {
    let from = partitions.position();
    for event in journal.iter().filter(|event| event.id.record > from && event.id.record.0 <= to) {
        partitions.add(event).unwrap();
    }
}

fn assert_once(partitions: &Partitions, journal: &[Event], to: u64) {
    let mut ids = all_ids(&store(partitions.reader(), journal), &Query::All, 1_000);
    ids.sort();
    let expected: Vec<EventId> = journal.iter().map(|event| event.id).filter(|id| id.record.0 <= to).collect();
    assert_eq!(ids, expected);
}

#[test]
fn killed_between_commits() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(60);
    let mut partitions = Partitions::open(dir.path()).unwrap();
    replay(&mut partitions, &journal, 30);
    partitions.commit(RecordId(30)).unwrap();
    replay(&mut partitions, &journal, 45);
    assert_eq!(partitions.uncommitted(), 15);
    drop(partitions);
    let mut partitions = Partitions::open(dir.path()).unwrap();
    assert_eq!(partitions.position(), RecordId(30));
    replay(&mut partitions, &journal, 60);
    partitions.commit(RecordId(60)).unwrap();
    assert_once(&partitions, &journal, 60);
}

#[test]
fn killed_between_the_commits_of_two_partitions() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(60);
    let mut partitions = Partitions::open(dir.path()).unwrap();
    replay(&mut partitions, &journal, 30);
    partitions.commit(RecordId(30)).unwrap();
    let before = fs::read(dir.path().join("manifest.json")).unwrap();
    replay(&mut partitions, &journal, 50);
    partitions.commit(RecordId(50)).unwrap();
    drop(partitions);
    // As if the machine had stopped after the partitions' commits and before the manifest's.
    fs::write(dir.path().join("manifest.json"), before).unwrap();
    let mut partitions = Partitions::open(dir.path()).unwrap();
    assert_eq!((partitions.position(), partitions.furthest()), (RecordId(30), RecordId(50)));
    replay(&mut partitions, &journal, 60);
    partitions.commit(RecordId(60)).unwrap();
    assert_once(&partitions, &journal, 60);
}

#[test]
fn a_partition_closed_within_a_batch_keeps_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut partitions = Partitions::open(dir.path()).unwrap();
    // One record with events of eight months: four partitions open, the others wait and take turns at the commit,
    // and the same record goes on for the ones that were closed.
    let received = at("2026-10-05T09:00:00+09:00");
    let mut journal = Vec::new();
    for offset in 0..40_u32 {
        let mut event = event(1, received, i64::from(offset % 8 + 1) * 31 * 86_400);
        event.id.offset = offset;
        journal.push(event);
    }
    for event in journal.iter().take(20) {
        partitions.add(event).unwrap();
    }
    partitions.add_waiting().unwrap();
    for event in journal.iter().skip(20).take(10) {
        partitions.add(event).unwrap();
    }
    partitions.add_waiting().unwrap();
    drop(partitions);
    let mut partitions = Partitions::open(dir.path()).unwrap();
    assert_eq!(partitions.position(), RecordId(0));
    for event in &journal {
        partitions.add(event).unwrap();
    }
    partitions.commit(RecordId(1)).unwrap();
    assert_once(&partitions, &journal, 1);
    assert_eq!(all_ids(&store(partitions.reader(), &journal), &Query::All, 7).len(), 40);
}

#[test]
fn a_closed_partition_takes_a_late_event() {
    let dir = tempfile::tempdir().unwrap();
    let received = at("2026-10-05T09:00:00+09:00");
    let months = |record: u64, back: i64| event(record, received, back * 31 * 86_400);
    let mut journal = vec![months(1, 1)];
    journal.extend((2..10).map(|record| months(record, 2 + i64::try_from(record % 8).unwrap())));
    let mut partitions = Partitions::open(dir.path()).unwrap();
    replay(&mut partitions, &journal, 9);
    partitions.commit(RecordId(9)).unwrap();
    assert!(partitions.open_writers(false) <= 4);
    drop(partitions);
    let mut partitions = Partitions::open(dir.path()).unwrap();
    journal.push(months(10, 1));
    journal.push(months(11, 9));
    replay(&mut partitions, &journal, 11);
    drop(partitions);
    let mut partitions = Partitions::open(dir.path()).unwrap();
    replay(&mut partitions, &journal, 11);
    partitions.commit(RecordId(11)).unwrap();
    assert_once(&partitions, &journal, 11);
}

#[test]
fn a_lost_partition_is_rebuilt_and_the_others_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(60);
    let mut partitions = Partitions::open(dir.path()).unwrap();
    replay(&mut partitions, &journal, 60);
    partitions.commit(RecordId(60)).unwrap();
    drop(partitions);
    fs::remove_dir_all(dir.path().join("2026-10-05")).unwrap();
    let odd = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let odd = odd.filter(|name| name.starts_with("odd-")).min().unwrap();
    fs::write(dir.path().join(&odd).join("meta.json"), b"{").unwrap();
    fs::write(dir.path().join("読んでください.txt"), b"x").unwrap();
    let mut partitions = Partitions::open(dir.path()).unwrap();
    assert_eq!(partitions.position(), RecordId(0));
    assert_eq!(partitions.foreign(), [format!("damaged-{odd}"), "読んでください.txt".to_owned()]);
    // Killed half way through the rebuild.
    replay(&mut partitions, &journal, 20);
    partitions.commit(RecordId(20)).unwrap();
    replay(&mut partitions, &journal, 33);
    drop(partitions);
    let mut partitions = Partitions::open(dir.path()).unwrap();
    assert_eq!(partitions.position(), RecordId(20));
    replay(&mut partitions, &journal, 60);
    partitions.commit(RecordId(60)).unwrap();
    assert_eq!(partitions.position(), RecordId(60));
    assert_once(&partitions, &journal, 60);
}

#[test]
fn without_a_manifest_each_partition_knows_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(60);
    let mut partitions = Partitions::open(dir.path()).unwrap();
    replay(&mut partitions, &journal, 40);
    partitions.commit(RecordId(40)).unwrap();
    drop(partitions);
    fs::remove_file(dir.path().join("manifest.json")).unwrap();
    let mut partitions = Partitions::open(dir.path()).unwrap();
    assert_eq!(partitions.position(), RecordId(0));
    replay(&mut partitions, &journal, 60);
    partitions.commit(RecordId(60)).unwrap();
    assert_once(&partitions, &journal, 60);
}

#[test]
fn a_discarded_index_is_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(30);
    let mut partitions = Partitions::open(dir.path()).unwrap();
    replay(&mut partitions, &journal, 30);
    partitions.commit(RecordId(30)).unwrap();
    drop(partitions);
    Partitions::discard(dir.path()).unwrap();
    let mut partitions = Partitions::open(dir.path()).unwrap();
    assert_eq!((partitions.position(), partitions.furthest()), (RecordId(0), RecordId(0)));
    replay(&mut partitions, &journal, 30);
    partitions.commit(RecordId(30)).unwrap();
    assert_once(&partitions, &journal, 30);
}

#[test]
fn what_is_past_its_retention_stays_away() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(60);
    let mut partitions = Partitions::open(dir.path()).unwrap();
    replay(&mut partitions, &journal, 60);
    partitions.commit(RecordId(60)).unwrap();
    let limit = at("2026-10-01T00:00:00+09:00");
    let expired = partitions.expired(limit, &[], &|_| None).unwrap();
    partitions.remove(&expired).unwrap();
    let removed: Vec<String> = expired.iter().map(Expired::name).collect();
    assert!(
        removed.len() > 4 && removed.iter().all(|name| name.starts_with("odd-") && !dir.path().join(name).is_dir())
    );
    let gone = journal.iter().filter(|event| event.time() < limit).count();
    assert_eq!(expired.iter().map(|expired| expired.events).sum::<u64>(), gone as u64);
    drop(partitions);
    let mut partitions = Partitions::open(dir.path()).unwrap();
    assert_eq!(partitions.position(), RecordId(60));
    for event in &journal {
        partitions.add(event).unwrap();
    }
    partitions.commit(RecordId(60)).unwrap();
    let mut ids = all_ids(&store(partitions.reader(), &journal), &Query::All, 1_000);
    ids.sort();
    let kept: Vec<EventId> = journal.iter().filter(|event| event.time() >= limit).map(|event| event.id).collect();
    assert_eq!(ids, kept);
}

#[test]
fn a_merge_keeps_the_position() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(60);
    let mut partitions = Partitions::open(dir.path()).unwrap();
    for to in (3..=60).step_by(3) {
        let from = to - 2;
        for event in journal.iter().filter(|event| (from..=to).contains(&event.id.record.0)) {
            partitions.add(event).unwrap();
        }
        partitions.commit(RecordId(to)).unwrap();
    }
    drop(partitions);
    let mut partitions = Partitions::open(dir.path()).unwrap();
    assert_eq!(partitions.furthest(), RecordId(60));
    for event in &journal {
        partitions.add(event).unwrap();
    }
    partitions.commit(RecordId(60)).unwrap();
    assert_once(&partitions, &journal, 60);
}
