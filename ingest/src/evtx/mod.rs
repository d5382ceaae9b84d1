//! Windows event log files: splitting a file into chunk records and reading a chunk's events.
//!
//! Owns the container: 4 KiB file header, 64 KiB chunks, what is damaged about them. What an event means is the
//! business of [`crate::windows`]. Never refuses a file: whatever the bytes, it yields what can be read and says what
//! could not. Format: the "Windows XML Event Log (EVTX)" description of libevtx and MS-EVEN6 for its binary XML.

pub mod chunk;
pub mod file;
#[cfg(test)]
pub(crate) mod sample;

pub use chunk::{ChunkReport, first_written, parse_chunk};
pub use file::{Chunk, Chunks, FileDamage, looks_like_evtx};

/// Bytes of the file header; the first chunk starts behind it.
pub const FILE_HEADER_BYTES: usize = 4096;

/// Bytes of a chunk: its header of 512 bytes, then records that name each other's templates by offset, so a chunk is
/// the smallest part that can be read alone.
pub const CHUNK_BYTES: usize = 64 * 1024;

const FILE_MAGIC: &[u8; 8] = b"ElfFile\0";
const CHUNK_MAGIC: &[u8; 8] = b"ElfChnk\0";
