//! Closed partitions become one segment beside everything else, and go when their time is over.

use std::path::Path;

use std::fs;

use monban_event::time::jst_date;

use super::*;

/// Four days and a month of imports, a commit for every record.
fn busy() -> Vec<Event> {
    let start = at("2026-10-05T00:00:00+09:00");
    let received = |record: u64| start + TimeDelta::minutes(i64::try_from(record).unwrap() * 50);
    (1..=110).map(|record| event(record, received(record), if record % 10 == 0 { 40 * 86_400 } else { 0 })).collect()
}

fn keep(dir: &Path, journal: &[Event]) -> Partitions {
    let mut partitions = Partitions::open(dir).unwrap();
    for event in journal {
        partitions.add(event).unwrap();
        partitions.commit(event.id.record).unwrap();
    }
    partitions
}

fn compact_all(partitions: &mut Partitions) {
    while partitions.compact() {
        std::thread::yield_now();
    }
}

fn assert_once(partitions: &Partitions, journal: &[Event]) {
    let mut ids = all_ids(&store(partitions.reader(), journal), &Query::All, 1_000);
    ids.sort();
    assert_eq!(ids, journal.iter().map(|event| event.id).collect::<Vec<_>>());
}

/// Segments that searches see and segments whose files are there, of each partition.
fn segments(partitions: &Partitions, dir: &Path) -> BTreeMap<String, (usize, usize)> {
    let within = partitions.reader().within(TimeRange::default());
    let of = |partition: &Arc<crate::partition::set::Partition>| {
        let name = partition.name.to_string();
        let files = fs::read_dir(dir.join(&name)).unwrap().map(|entry| entry.unwrap().path());
        let stored = files.filter(|path| path.extension().is_some_and(|extension| extension == "idx")).count();
        (name, (partition.searcher().unwrap().segment_readers().len(), stored))
    };
    within.iter().map(of).collect()
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_directory(&path, &target);
        } else if let Err(error) = fs::copy(&path, &target) {
            // The merge that runs meanwhile may have cleared it away.
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{}", path.display());
        }
    }
}

#[test]
fn closed_days_become_one_segment_and_today_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let journal = busy();
    let mut partitions = keep(dir.path(), &journal);
    let today = jst_date(journal.last().unwrap().ingested.unwrap());
    partitions.queue_closed(today);
    compact_all(&mut partitions);
    let segments = segments(&partitions, dir.path());
    for day in ["2026-10-05", "2026-10-06", "2026-10-07"] {
        assert_eq!(segments[day], (1, 1), "{segments:?}");
    }
    assert!(segments[&today.to_string()].0 > 1, "{segments:?}");
    // It took events since the last look, and may take more.
    assert!(segments["odd-2026-08"].0 > 1, "{segments:?}");
    partitions.queue_closed(today);
    compact_all(&mut partitions);
    assert_eq!(self::segments(&partitions, dir.path())["odd-2026-08"], (1, 1));
    assert_once(&partitions, &journal);
}

#[test]
fn a_day_that_gives_its_place_to_others_is_merged_without_waiting_for_the_night() {
    let dir = tempfile::tempdir().unwrap();
    let journal = busy();
    let mut partitions = keep(dir.path(), &journal);
    compact_all(&mut partitions);
    assert_eq!(segments(&partitions, dir.path())["2026-10-05"], (1, 1));
    assert_once(&partitions, &journal);
}

#[test]
fn late_events_are_committed_beside_the_merge() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = busy();
    let mut partitions = keep(dir.path(), &journal);
    partitions.queue_closed(jst_date(journal.last().unwrap().ingested.unwrap()));
    assert!(partitions.compact(), "the first day is being merged");
    let late = event(111, at("2026-10-05T12:00:00+09:00"), 0);
    partitions.add(&late).unwrap();
    partitions.commit(RecordId(111)).unwrap();
    journal.push(late);
    assert_once(&partitions, &journal);
    compact_all(&mut partitions);
    assert_once(&partitions, &journal);
    drop(partitions);
    let partitions = Partitions::open(dir.path()).unwrap();
    assert_eq!(partitions.position(), RecordId(111));
    assert_once(&partitions, &journal);
}

/// A copy takes a while, and the merge may exchange the list of segments meanwhile, which a power cut would not see halfway.
fn copy_at_one_moment(from: &Path, to: &Path) {
    let lists = || -> Vec<Vec<u8>> {
        let mut folders: Vec<_> = std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        folders.iter().filter_map(|folder| std::fs::read(folder.join("meta.json")).ok()).collect()
    };
    loop {
        let before = lists();
        copy_directory(from, to);
        if lists() == before {
            return;
        }
        std::fs::remove_dir_all(to).unwrap();
    }
}

#[test]
fn a_power_cut_in_a_merge_loses_nothing_and_the_next_merge_clears_up() {
    let dir = tempfile::tempdir().unwrap();
    let journal = busy();
    let mut partitions = keep(&dir.path().join("index"), &journal);
    let today = jst_date(journal.last().unwrap().ingested.unwrap());
    partitions.queue_closed(today);
    let mut cuts = 0;
    while partitions.compact() {
        // What a disk holds just now.
        let cut = dir.path().join(format!("cut{cuts}"));
        copy_at_one_moment(&dir.path().join("index"), &cut);
        cuts += 1;
        let mut restarted = Partitions::open(&cut).unwrap();
        assert_eq!(restarted.position(), RecordId(110));
        assert_once(&restarted, &journal);
        restarted.queue_closed(today);
        compact_all(&mut restarted);
        assert_eq!(segments(&restarted, &cut)["2026-10-06"], (1, 1));
        assert_once(&restarted, &journal);
    }
    assert!(cuts > 0);
}

#[test]
fn what_is_held_or_came_late_does_not_expire() {
    let dir = tempfile::tempdir().unwrap();
    let journal = busy();
    let mut partitions = keep(dir.path(), &journal);
    let arrived = |id: RecordId| journal.iter().find(|event| event.id.record == id).and_then(|event| event.ingested);
    let names = |partitions: &Partitions, before: &str, held: &[TimeRange]| -> Vec<String> {
        partitions.expired(at(before), held, &arrived).unwrap().iter().map(super::super::Expired::name).collect()
    };
    // Two hours of slack on both sides belong to a day.
    assert_eq!(names(&partitions, "2026-10-07T02:00:00+09:00", &[]), ["2026-10-05"]);
    let all = ["2026-10-05", "2026-10-06", "odd-2026-08"];
    assert_eq!(names(&partitions, "2026-10-10T00:00:00+09:00", &[])[..2], all[..2]);
    assert!(!names(&partitions, "2026-10-08T00:00:00+09:00", &[]).contains(&"odd-2026-08".to_owned()));
    assert!(names(&partitions, "2026-10-10T00:00:00+09:00", &[]).contains(&"odd-2026-08".to_owned()));
    let held = [TimeRange::between(at("2026-10-06T09:00:00+09:00"), at("2026-10-06T10:00:00+09:00"))];
    assert_eq!(names(&partitions, "2026-10-08T02:00:01+09:00", &held), ["2026-10-05", "2026-10-07"]);
    let expired = partitions.expired(at("2026-10-08T02:00:01+09:00"), &held, &arrived).unwrap();
    partitions.remove(&expired).unwrap();
    drop(partitions);
    let partitions = Partitions::open(dir.path()).unwrap();
    let is_kept = |event: &&Event| {
        let day = jst_date(event.ingested.unwrap()).to_string();
        event.id.record.0.is_multiple_of(10) || !["2026-10-05", "2026-10-07"].contains(&day.as_str())
    };
    let kept: Vec<Event> = journal.iter().filter(is_kept).cloned().collect();
    assert_once(&partitions, &kept);
}

#[test]
fn a_stop_within_a_removal_leaves_no_half_partition() {
    let dir = tempfile::tempdir().unwrap();
    let journal = busy();
    drop(keep(dir.path(), &journal));
    // As if the machine had stopped after the first file was deleted.
    let aside = dir.path().join("removed-2026-10-05");
    copy_directory(&dir.path().join("2026-10-05"), &aside);
    fs::remove_file(aside.join("meta.json")).unwrap();
    let partitions = Partitions::open(dir.path()).unwrap();
    assert!(!aside.is_dir());
    assert!(partitions.foreign().is_empty(), "{:?}", partitions.foreign());
    assert_once(&partitions, &journal);
}
