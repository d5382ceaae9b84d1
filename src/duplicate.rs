//! When an event has been here before. A Windows event is the same when computer, channel, record id, time *and* bytes
//! are: record ids begin anew after a log was cleared, and repeat in damaged files. A syslog line is never a duplicate:
//! a device that says the same twice in a second has said it twice.

use monban_event::{Event, Format, Record};
use sha2::{Digest, Sha256};

/// Bytes of an EVTX record before its binary XML: magic, size, record id, time.
const EVTX_RECORD_HEADER_BYTES: usize = 24;

/// The identity of an event that may be delivered more than once; `None` for one that may not.
pub(crate) fn key(record: &Record, event: &Event) -> Option<[u8; 16]> {
    let bytes = match record.format {
        Format::Syslog | Format::Csv => return None,
        Format::Json => record.bytes.as_slice(),
        Format::EvtxChunk => evtx_record_bytes(&record.bytes, event.id.offset as usize)?,
    };
    let computer = event.winlog_computer.as_deref()?;
    let mut hash = Sha256::new();
    for part in [computer, event.winlog_channel.as_deref().unwrap_or("")] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.to_lowercase().as_bytes());
    }
    hash.update(event.winlog_record_id.unwrap_or(0).to_le_bytes());
    hash.update(event.time().timestamp_micros().to_le_bytes());
    hash.update(bytes);
    hash.finalize().get(..16)?.try_into().ok()
}

/// The bytes of the EVTX record at `offset` of its chunk, by the size it names.
fn evtx_record_bytes(chunk: &[u8], offset: usize) -> Option<&[u8]> {
    let size = chunk.get(offset + 4..offset + 8)?;
    let size = u32::from_le_bytes(size.try_into().ok()?) as usize;
    chunk.get(offset..offset + size.max(EVTX_RECORD_HEADER_BYTES)).or_else(|| chunk.get(offset..))
}
