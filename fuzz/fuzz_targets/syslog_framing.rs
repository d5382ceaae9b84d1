//! The framer on any stream, cut anywhere: what comes out does not depend on the cuts, and no byte appears from nowhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monban_ingest::syslog::framing::{Frame, Framer};

/// The frames of a stream handed over in pieces of these lengths, again and again.
fn frames(stream: &[u8], lengths: &[usize]) -> Vec<Frame> {
    let (mut framer, mut found, mut rest) = (Framer::default(), Vec::new(), stream);
    for length in lengths.iter().cycle() {
        let (piece, behind) = rest.split_at((*length).min(rest.len()));
        framer.push(piece, &mut found);
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    framer.finish(&mut found);
    found
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (first, second, stream) = input;
    let whole = frames(stream, &[stream.len().max(1)]);
    let pieces = frames(stream, &[usize::from(first) + 1, usize::from(second) + 1]);
    assert_eq!(whole, pieces);
    assert!(whole.iter().map(|frame| frame.bytes.len()).sum::<usize>() <= stream.len());
    assert!(whole.iter().all(|frame| !frame.bytes.is_empty()));
});
