//! Every device parser: any bytes become exactly one event. Run once a format, beginning with its own lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monban_event::{Format, RecordId};
use monban_ingest::{TextSettings, parse_syslog};

fuzz_target!(|bytes: &[u8]| {
    let event = parse_syslog(RecordId(1), &monban_fuzz::record(Format::Syslog, bytes), &TextSettings::default());
    monban_fuzz::check(&event);
});
