//! A row of a CSV file behind its header line: any bytes become exactly one event.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monban_event::{Format, RecordId, RecordParser};
use monban_ingest::{Parsers, TextSettings};

fuzz_target!(|bytes: &[u8]| {
    let mut events = Vec::new();
    let parsers = Parsers { settings: TextSettings::default() };
    parsers.parse(RecordId(1), &monban_fuzz::record(Format::Csv, bytes), &mut events);
    assert_eq!(events.len(), 1);
    monban_fuzz::check(&events[0]);
});
