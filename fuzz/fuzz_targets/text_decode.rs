//! The decoder on any bytes: nothing is dropped unsaid, and nothing grows beyond what an encoding can mean.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monban_ingest::text;

/// A byte becomes at most one character, and no character of the encodings we read needs more bytes than this.
const GROWTH_MAX: usize = 4;

fuzz_target!(|bytes: &[u8]| {
    let decoded = text::decode(bytes);
    assert!(decoded.text.len() <= bytes.len() * GROWTH_MAX);
    let (start, end) = (!bytes.is_ascii(), decoded.encoding.is_some());
    assert!(start || !end || bytes.contains(&0x1b), "plain ASCII needs no encoding");
});
