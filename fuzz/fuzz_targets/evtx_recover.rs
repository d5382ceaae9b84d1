//! EVTX files and chunks of any bytes. The reader underneath may panic, and is guarded; our own code may not, guarded or
//! not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monban_event::{Format, RecordId};
use monban_ingest::evtx::{file, parse_chunk};

/// Lets panics of the reader underneath unwind to the guard, quietly; every other panic ends the run.
fn guard() {
    let ends_the_run = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_readers = panic.location().is_some_and(|place| place.file().contains("/evtx-"));
        if !is_readers {
            ends_the_run(panic);
        }
    }));
}

fuzz_target!(init: guard(), |bytes: &[u8]| {
    let mut read = 0;
    let mut chunks = file::chunks(bytes);
    for chunk in chunks.by_ref() {
        read += chunk.expect("memory reads").bytes.len();
    }
    assert!(read <= bytes.len());
    chunks.damage();
    let (record, mut events) = (monban_fuzz::record(Format::EvtxChunk, bytes), Vec::new());
    let report = parse_chunk(RecordId(1), &record, &mut events);
    assert_eq!(report.read, events.len() as u64);
    events.iter().for_each(monban_fuzz::check);
});
