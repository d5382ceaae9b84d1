//! Event log files made by hand: the builder is the one that the reader's own tests use.

use monban_ingest::evtx::{CHUNK_BYTES, FILE_HEADER_BYTES};

const FILE_MAGIC: &[u8; 8] = b"ElfFile\0";
const CHUNK_MAGIC: &[u8; 8] = b"ElfChnk\0";

#[path = "../../../ingest/src/evtx/sample.rs"]
pub(crate) mod sample;

/// A file of one chunk with a logon of each of these accounts.
pub(crate) fn logons(first: u64, accounts: &[&str]) -> Vec<u8> {
    sample::file(&[chunk(first, accounts)])
}

pub(crate) fn chunk(first: u64, accounts: &[&str]) -> Vec<u8> {
    let events: Vec<_> = accounts.iter().map(|account| sample::logon(account, "192.0.2.44")).collect();
    sample::chunk(first, &events)
}

/// The place of a chunk in a file.
pub(crate) fn chunk_start(index: usize) -> usize {
    FILE_HEADER_BYTES + index * CHUNK_BYTES
}
