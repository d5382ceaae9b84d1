//! A scan of the journal passes over records whose bytes cannot hold what is looked for. That must never be a record
//! which has it: what the parsers make of our own lines of every format is looked for in the lines they came from.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs;
use std::path::Path;

use monban_event::query::{Query, QueryField, Test};
use monban_event::{Event, Format, Origin, Record, RecordId, RecordParser, Transport};
use monban_index::query::{Matcher, Needles};
use monban_ingest::{Parsers, TextSettings};

fn record(format: Format, bytes: &[u8]) -> Record {
    Record {
        received_at: "2026-03-03T02:14:08+09:00".parse().unwrap(),
        origin: Origin::Live,
        transport: Transport::Udp,
        peer: "192.0.2.200:514".parse().ok(),
        identity: None,
        format,
        file: None,
        bytes: bytes.to_vec(),
        cut: false,
    }
}

/// What an event and its record hold that only the record knows.
fn questions(event: &Event, text: &str) -> Vec<Query> {
    let native = event
        .native
        .iter()
        .map(|(name, value)| Query::Field(QueryField::Native(name.to_owned()), Test::Equals(value.to_owned())));
    let words = text.split_whitespace();
    native.chain(words.map(|word| Query::Field(QueryField::Raw, Test::Contains(word.to_owned())))).collect()
}

fn check(format: Format, bytes: &[u8]) -> usize {
    let record = record(format, bytes);
    let text = String::from_utf8_lossy(bytes);
    let mut events = Vec::new();
    Parsers { settings: TextSettings::in_zone(chrono_tz::Asia::Tokyo) }.parse(RecordId(1), &record, &mut events);
    let mut asked = 0;
    for event in &events {
        for question in questions(event, &text) {
            assert!(Matcher::new(&question).matches(event, Some(&text)), "{question:?} is what the event says");
            assert!(Needles::of(&question).may_be_in(&record), "{question:?} is not looked for in {text}");
            asked += 1;
        }
    }
    asked
}

fn seeds(folder: &str, take: &mut dyn FnMut(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        take(&fs::read(path).unwrap());
    }
}

#[test]
fn what_a_parser_finds_in_a_record_is_looked_for_there() {
    let mut asked = 0;
    seeds("parser", &mut |bytes| {
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            asked += check(Format::Syslog, line);
        }
    });
    seeds("windows_json", &mut |bytes| asked += check(Format::Json, bytes));
    seeds("csv_row", &mut |bytes| asked += check(Format::Csv, bytes));
    assert!(asked > 1_000, "{asked}");
}
