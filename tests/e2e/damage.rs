//! A data directory that was damaged while nobody served it: told exactly, never mended in silence, and everything that is
//! whole stays searchable.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use monban_event::{Clock, Format, Lane, Origin, Record, RecordSink, SystemClock, Transport};
use monban_index::journal::Journal;
use monban_index::ledger::Ledger;

use crate::support::journal::{copy_folder, ledger_view};
use crate::support::lines::{assert_each_once, line, numbers, send_tcp};
use crate::support::wait::wait_for;
use crate::support::{Server, Site};

/// Enough for several frames of the journal, of 64 KiB each.
const LINES: u64 = 2_000;

/// A directory with so many lines, and nobody who serves it.
fn served(site: &Site) {
    let server = site.serve();
    send_tcp(server.tcp(), "kept", 0..LINES).unwrap();
    wait_for("the lines", &LINES, || site.count("*"));
    server.stop();
}

fn segments(site: &Site) -> Vec<PathBuf> {
    let folder = site.data().join("journal/records");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The views are made anew from what the journal still holds.
fn discard_views(site: &Site) {
    fs::remove_dir_all(site.data().join("index")).unwrap();
    Ledger::discard(&site.data().join("ledger.sqlite")).unwrap();
}

/// Starts, expects exactly these complaints, and ends.
fn serve_telling(site: &Site, complaints: &[&str], meanwhile: impl FnOnce(&Server)) {
    let mut server = site.serve();
    for text in complaints {
        server.tolerate(text);
    }
    meanwhile(&server);
    let said = server.stop();
    for text in complaints {
        assert_eq!(said.iter().filter(|line| line.contains(text)).count(), 1, "{text}: {said:#?}");
    }
}

fn losses(site: &Site) -> Vec<(String, String, u64)> {
    Ledger::open(&site.data().join("ledger.sqlite")).unwrap().read().unwrap().losses().unwrap()
}

#[test]
fn a_write_that_was_torn_is_cut_off_and_told() {
    let site = Site::new();
    served(&site);
    let last = segments(&site).pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    // The beginning of a frame that says it is longer.
    bytes.extend([200, 0, 0, 0, 1, 2, 3, 4, 1, 9, 9]);
    fs::write(&last, bytes).unwrap();
    serve_telling(&site, &["an unfinished last write was cut off"], |server| {
        send_tcp(server.tcp(), "later", 0..50).unwrap();
        wait_for("the lines", &(LINES + 50), || site.count("*"));
    });
    assert_each_once(&numbers("kept", &site.search("*")), LINES);
}

#[test]
fn a_byte_that_flipped_costs_its_frame_and_is_told() {
    let site = Site::new();
    served(&site);
    let last = segments(&site).pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    let mark = b"keptn0000150";
    let at = bytes.windows(mark.len()).position(|window| window == mark).unwrap();
    bytes[at] ^= 1;
    fs::write(&last, bytes).unwrap();
    discard_views(&site);
    let told = "these records cannot be read from the journal: it is damaged there";
    let mut held = 0;
    serve_telling(&site, &[told], |_| {
        held = site.count("*");
        assert!(held > 0 && held < LINES, "{held} of {LINES}");
    });
    let lost: u64 = losses(&site).iter().filter(|(receiver, ..)| receiver == "journal").map(|(.., count)| count).sum();
    assert_eq!(held + lost, LINES, "what is missing is counted");
}

/// A journal of two segments, without a server: records of a mebibyte each.
fn two_segments(site: &Site) -> u64 {
    let (journal, _) = Journal::open(&site.data().join("journal"), Arc::new(SystemClock)).unwrap();
    let count = 66;
    for number in 0..count {
        let mut bytes = line("kept", number).into_bytes();
        bytes.resize(monban_event::limits::RECORD_BYTES_MAX, b'x');
        let record = Record {
            received_at: SystemClock.now(),
            origin: Origin::Live,
            transport: Transport::Tcp,
            peer: Some("192.0.2.1:514".parse().unwrap()),
            identity: None,
            format: Format::Syslog,
            file: None,
            bytes,
            cut: false,
        };
        let (tell, told) = mpsc::channel();
        journal.submit(Lane::Live, vec![record], Box::new(move |result| tell.send(result).unwrap()));
        told.recv().unwrap().unwrap();
    }
    // The first is complete, and is packed beside what goes on.
    assert_eq!(journal.wait_sealed(), None);
    assert_eq!(segments(site).len(), 2);
    count
}

#[test]
fn a_segment_that_is_gone_is_told_and_the_others_are_searchable() {
    let site = Site::new();
    let count = two_segments(&site);
    fs::remove_file(&segments(&site)[0]).unwrap();
    let mut held = 0;
    serve_telling(&site, &["these records cannot be read from the journal"], |_| held = site.count("*"));
    assert!(held > 0 && held < count, "{held} of {count}");
    let lost: u64 = losses(&site).iter().filter(|(receiver, ..)| receiver == "journal").map(|(.., count)| count).sum();
    assert_eq!(held + lost, count, "what is missing is counted");
}

#[test]
fn files_of_others_in_the_journal_are_told_and_left_alone() {
    let site = Site::new();
    served(&site);
    let foreign = site.write("data/journal/records/メモ.txt", "触らないこと");
    serve_telling(&site, &["this file in the journal folder is not ours and is left alone"], |_| {
        assert_eq!(site.count("*"), LINES);
    });
    assert_eq!(fs::read(foreign).unwrap(), "触らないこと".as_bytes());
}

#[test]
fn views_that_are_ahead_of_a_restored_journal_are_told_and_made_anew() {
    let site = Site::new();
    served(&site);
    let (journal, backup) = (site.data().join("journal"), site.path("backup"));
    copy_folder(&journal, &backup);
    let server = site.serve();
    send_tcp(server.tcp(), "gone", 0..LINES).unwrap();
    wait_for("the lines", &(2 * LINES), || site.count("*"));
    server.stop();
    fs::remove_dir_all(&journal).unwrap();
    copy_folder(&backup, &journal);
    // Other records get the numbers that the views knew others by.
    let told = ["the search index is ahead of the journal and is rebuilt", "the ledger is ahead of the journal"];
    serve_telling(&site, &told, |server| {
        send_tcp(server.tcp(), "later", 0..LINES).unwrap();
        wait_for("the lines", &(2 * LINES), || site.count("*"));
    });
    let found = site.search("*");
    assert_each_once(&numbers("kept", &found), LINES);
    assert_each_once(&numbers("later", &found), LINES);
    assert_eq!(numbers("gone", &found).len(), 0);
    assert_as_undisturbed(&site, &journal);
}

fn assert_as_undisturbed(site: &Site, journal: &Path) {
    let fresh = site.path("fresh");
    copy_folder(journal, &fresh.join("journal"));
    assert_eq!(site.search("*"), site.search_on(&fresh, "*"));
    assert_eq!(ledger_view(&site.data()), ledger_view(&fresh));
}
