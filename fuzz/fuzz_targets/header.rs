//! The header reader on any text: every part it names stands in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monban_ingest::header;

fuzz_target!(|text: &str| {
    let header = header::read(text);
    let parts = [header.host, header.relay, header.app, header.pid, header.message_id, header.structured];
    assert!(parts.into_iter().flatten().all(|part| text.contains(part)));
    assert!(text.ends_with(header.body) && header.body.ends_with(header.message));
    if let Some(structured) = header.structured {
        assert!(header::structured_parameters(structured).count() <= structured.len());
    }
});
