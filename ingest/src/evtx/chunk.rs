//! Reads the events of one chunk record. A chunk is padded and repaired in a copy; the record itself is never touched.
//! Never fails and never panics: the reader underneath is guarded, and what could not be read is counted and told.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use evtx::{EvtxChunkData, EvtxRecord, ParserSettings};
use monban_event::{Event, EventId, Record, RecordId};

use super::{CHUNK_BYTES, CHUNK_MAGIC};
use crate::windows::{self, Described};

/// Bytes in front of a record's binary XML: magic, size, number, time. The event's offset is where its record starts.
const RECORD_HEADER_BYTES: u64 = 24;

/// First record of a chunk, behind the chunk header.
const FIRST_RECORD_OFFSET: u32 = 512;

/// The table of shared names in the chunk header. It only saves time: without it every name is read where it stands,
/// so a chunk whose table is damaged is read again with an empty one.
const STRING_TABLE: std::ops::Range<usize> = 128..384;

/// Notes kept of one chunk; a chunk has some hundred records, and after ten the rest say nothing new.
const NOTES_MAX: usize = 10;

/// What reading a chunk came to. The notes are Japanese, for the list of what an import could not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkReport {
    /// Events read.
    pub read: u64,
    /// Records that stood there and could not be read.
    pub damaged: u64,
    pub notes: Vec<String>,
}

impl ChunkReport {
    fn note(&mut self, note: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(note);
        }
    }

    fn damaged(&mut self, note: String) {
        self.damaged += 1;
        self.note(note);
    }
}

/// Appends the events of a chunk record, in the order of their offsets.
pub fn parse_chunk(id: RecordId, record: &Record, events: &mut Vec<Event>) -> ChunkReport {
    let mut report = ChunkReport::default();
    let before = events.len();
    let outcome = catch_unwind(AssertUnwindSafe(|| read_chunk(id, record, events, &mut report)));
    report.read = (events.len() - before) as u64;
    if outcome.is_err() {
        report.damaged("読み取りを中断しました（内部エラー）".to_owned());
    }
    report
}

fn read_chunk(id: RecordId, record: &Record, events: &mut Vec<Event>, report: &mut ChunkReport) {
    let opened = repaired(&record.bytes, report).and_then(|bytes| open(bytes, report));
    let Some(mut data) = opened else {
        report.damaged("チャンクのヘッダがありません".to_owned());
        return;
    };
    let Ok(mut chunk) = data.parse(settings()) else {
        report.damaged("チャンクを読み取れません".to_owned());
        return;
    };
    for item in chunk.iter() {
        match item.map_err(|error| error.to_string()).and_then(|item| read_record(id, record, item)) {
            Ok(event) => events.push(event),
            Err(error) => report.damaged(format!("記録を読み取れません: {error}")),
        }
    }
}

/// Opens a chunk whose name table can be read, emptying the table where it cannot.
fn open(bytes: Vec<u8>, report: &mut ChunkReport) -> Option<EvtxChunkData> {
    let mut data = EvtxChunkData::new(bytes, false).ok()?;
    if data.parse(settings()).is_ok() {
        return Some(data);
    }
    report.note("名前表が壊れているため使わずに読み取りました".to_owned());
    let mut bytes = data.data;
    bytes.get_mut(STRING_TABLE)?.fill(0);
    EvtxChunkData::new(bytes, false).ok()
}

/// Shift_JIS because the ANSI strings of a Japanese Windows are in its code page.
fn settings() -> Arc<ParserSettings> {
    Arc::new(ParserSettings::new().ansi_codec(encoding_rs::SHIFT_JIS).num_threads(1).indent(false))
}

fn read_record(id: RecordId, record: &Record, item: EvtxRecord<'_>) -> Result<Event, String> {
    let offset = u32::try_from(item.binxml_offset.saturating_sub(RECORD_HEADER_BYTES)).unwrap_or(u32::MAX);
    let written = to_chrono(item.timestamp);
    let json = item.into_json_bytes().map_err(|error| error.to_string())?;
    let fields = windows::flatten::read_json(&json.data).map_err(|error| error.to_string())?;
    let described = Described { id: EventId::new(id, offset), record, written, parse_rule: "windows.evtx" };
    Ok(windows::to_event(&described, fields))
}

/// The one place where the reader's time type becomes ours.
fn to_chrono(time: evtx::Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.as_second(), u32::try_from(time.subsec_nanosecond()).ok()?)
}

/// A whole chunk with its mark and a believable end of its records. `None` where not even the chunk header is there.
fn repaired(bytes: &[u8], report: &mut ChunkReport) -> Option<Vec<u8>> {
    let mut whole = bytes.get(..bytes.len().min(CHUNK_BYTES))?.to_vec();
    if whole.len() <= FIRST_RECORD_OFFSET as usize {
        return None;
    }
    whole.resize(CHUNK_BYTES, 0);
    if !whole.starts_with(CHUNK_MAGIC) {
        report.note("先頭の印を補って読み取りました".to_owned());
        write(&mut whole, 0, CHUNK_MAGIC);
    }
    let free_space = read_u32(&whole, 48);
    if !(FIRST_RECORD_OFFSET..=CHUNK_BYTES as u32).contains(&free_space) {
        report.note("記録の終わりの位置を補って読み取りました".to_owned());
        write(&mut whole, 48, &(CHUNK_BYTES as u32).to_le_bytes());
    }
    Some(whole)
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn write(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(target) = bytes.get_mut(at..at + value.len()) {
        target.copy_from_slice(value);
    }
}
