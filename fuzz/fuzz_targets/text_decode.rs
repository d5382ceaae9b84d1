//! The decoder on any bytes: nothing is dropped unsaid, and nothing grows beyond what an encoding can mean.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monban_ingest::text::{self, Charset};

/// A byte becomes at most one character, and no character of the encodings we read needs more bytes than this.
const GROWTH_MAX: usize = 4;

fuzz_target!(|bytes: &[u8]| {
    for charset in Charset::ALL {
        let decoded = text::decode(bytes, Some(charset));
        assert!(decoded.text.len() <= bytes.len() * GROWTH_MAX);
    }
    let decoded = text::decode(bytes, None);
    assert!(decoded.text.len() <= bytes.len() * GROWTH_MAX);
    let may_be_marked = bytes.iter().any(|byte| !byte.is_ascii() || *byte == 0x1b);
    assert!(may_be_marked || decoded.encoding.is_none(), "plain ASCII needs no encoding");
});
