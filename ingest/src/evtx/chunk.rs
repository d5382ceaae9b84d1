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
const FIRST_RECORD_OFFSET: usize = 512;

/// Begins every record.
const RECORD_MAGIC: &[u8] = b"**\0\0";

/// Where the first record says when it was written: a FILETIME, in tenths of a microsecond since 1601.
const WRITTEN_FIELD: usize = FIRST_RECORD_OFFSET + 16;
const FILETIME_OF_1970: i64 = 116_444_736_000_000_000;

/// Where the chunk header says that its records end.
const FREE_SPACE_FIELD: usize = 48;

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

/// `Shift_JIS` because the ANSI strings of a Japanese Windows are in its code page.
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

/// When the first record of a chunk was written, as its header says; nothing else of the chunk is read.
pub fn first_written(chunk: &[u8]) -> Option<DateTime<Utc>> {
    if chunk.get(FIRST_RECORD_OFFSET..)?.get(..RECORD_MAGIC.len())? != RECORD_MAGIC {
        return None;
    }
    let [low, high] = [WRITTEN_FIELD, WRITTEN_FIELD + 4].map(|at| read_u32(chunk, at).map(u64::from));
    let ticks = i64::try_from((high? << 32) | low?).ok()?;
    DateTime::from_timestamp_micros((ticks - FILETIME_OF_1970) / 10)
}

/// The one place where the reader's time type becomes ours.
fn to_chrono(time: evtx::Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.as_second(), u32::try_from(time.subsec_nanosecond()).ok()?)
}

/// A whole chunk with its mark and a believable end of its records. `None` where not even the chunk header is there.
fn repaired(bytes: &[u8], report: &mut ChunkReport) -> Option<Vec<u8>> {
    let mut whole = bytes.get(..bytes.len().min(CHUNK_BYTES))?.to_vec();
    if whole.len() <= FIRST_RECORD_OFFSET {
        return None;
    }
    whole.resize(CHUNK_BYTES, 0);
    if !whole.starts_with(CHUNK_MAGIC) {
        report.note("先頭の印を補って読み取りました".to_owned());
        write(&mut whole, 0, CHUNK_MAGIC);
    }
    let end = read_u32(&whole, FREE_SPACE_FIELD).and_then(|end| usize::try_from(end).ok());
    if !end.is_some_and(|end| (FIRST_RECORD_OFFSET..=CHUNK_BYTES).contains(&end)) {
        report.note("記録の終わりの位置を補って読み取りました".to_owned());
        write(&mut whole, FREE_SPACE_FIELD, &u32::try_from(CHUNK_BYTES).unwrap_or(u32::MAX).to_le_bytes());
    }
    Some(whole)
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn write(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(target) = bytes.get_mut(at..at + value.len()) {
        target.copy_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use monban_event::time::rfc3339;
    use monban_event::{Action, Format, Origin, Transport};
    use proptest::prelude::*;

    use super::*;
    use crate::evtx::sample::{self, logon};

    fn record(bytes: Vec<u8>) -> Record {
        Record {
            received_at: DateTime::UNIX_EPOCH,
            origin: Origin::Import,
            transport: Transport::File,
            peer: None,
            identity: None,
            format: Format::EvtxChunk,
            file: None,
            bytes,
            cut: false,
        }
    }

    fn parse(bytes: Vec<u8>) -> (Vec<Event>, ChunkReport) {
        let mut events = Vec::new();
        let report = parse_chunk(RecordId(9), &record(bytes), &mut events);
        (events, report)
    }

    fn users(events: &[Event]) -> Vec<&str> {
        events.iter().filter_map(|event| event.user_name.as_deref()).collect()
    }

    fn three_logons() -> Vec<u8> {
        sample::chunk(5, &[logon("yamada", "192.0.2.1"), logon("佐藤", "192.0.2.2"), logon("suzuki", "192.0.2.3")])
    }

    #[test]
    fn every_record_of_a_chunk_becomes_an_event() {
        let (events, report) = parse(three_logons());
        assert_eq!(users(&events), ["yamada", "佐藤", "suzuki"]);
        assert_eq!(report, ChunkReport { read: 3, ..ChunkReport::default() });
        let first = &events[0];
        assert_eq!((first.id, first.action), (EventId::new(RecordId(9), 512), Some(Action::Login)));
        assert_eq!(first.event_time.map(rfc3339).as_deref(), Some("2026-10-25T03:00:00.123456Z"));
        assert_eq!(first.source_id.as_deref(), Some("host:dc01"));
        assert!(events.is_sorted_by_key(|event| event.id));
    }

    #[test]
    fn the_time_in_the_record_header_serves_where_the_event_has_none() {
        let event = sample::Xml::Element("Event", vec![], vec![sample::Xml::Text("EventData", "x")]);
        let (events, _) = parse(sample::chunk(1, &[event]));
        assert_eq!(events[0].event_time.map(rfc3339).as_deref(), Some("2026-10-25T03:00:00.000000Z"));
    }

    #[test]
    fn the_first_record_tells_its_time_without_being_read() {
        assert_eq!(first_written(&three_logons()).map(rfc3339).as_deref(), Some("2026-10-25T03:00:00.000000Z"));
        assert_eq!(first_written(&vec![0; CHUNK_BYTES]), None);
        assert_eq!(first_written(&three_logons()[..530]), None);
    }

    #[test]
    fn a_cut_chunk_gives_the_records_in_front_of_the_cut() {
        let mut bytes = three_logons();
        let third = parse(bytes.clone()).0[2].id.offset as usize;
        bytes.truncate(third + 10);
        assert_eq!(users(&parse(bytes).0), ["yamada", "佐藤"]);
    }

    #[test]
    fn a_damaged_mark_costs_nothing() {
        let mut bytes = three_logons();
        bytes[..8].fill(0xff);
        let (events, report) = parse(bytes);
        assert_eq!((events.len(), report.damaged, report.notes.len()), (3, 0, 1));
    }

    #[test]
    fn a_damaged_name_table_or_end_costs_nothing() {
        let mut bytes = three_logons();
        bytes[128..132].copy_from_slice(&60_000u32.to_le_bytes());
        bytes[59_000..].fill(0xee);
        bytes[48..52].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(users(&parse(bytes).0), ["yamada", "佐藤", "suzuki"]);
    }

    #[test]
    fn a_damaged_record_costs_itself_alone_and_is_counted() {
        let mut bytes = three_logons();
        let second = parse(bytes.clone()).0[1].id.offset as usize;
        bytes[second + 28..second + 40].fill(0xff);
        let (events, report) = parse(bytes);
        assert_eq!(users(&events), ["yamada", "suzuki"]);
        assert_eq!((report.read, report.damaged, report.notes.len()), (2, 1, 1));
    }

    #[test]
    fn what_is_no_chunk_is_damage() {
        for bytes in [vec![], vec![1; 100], vec![0; 512]] {
            let (events, report) = parse(bytes);
            assert_eq!((events.len(), report.damaged), (0, 1));
        }
    }

    #[test]
    fn a_file_reads_back_chunk_by_chunk() {
        let file = sample::file(&[three_logons(), three_logons()]);
        let mut chunks = crate::evtx::file::chunks(&file[..]);
        let read: u64 = chunks.by_ref().map(|chunk| parse(chunk.expect("memory reads").bytes).1.read).sum();
        assert_eq!((read, chunks.damage()), (6, vec![]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
            let (events, report) = parse(bytes);
            prop_assert_eq!(events.len() as u64, report.read);
        }

        #[test]
        fn no_damage_to_a_chunk_panics(damage in prop::collection::vec((0..2048usize, any::<u8>()), 1..40)) {
            let mut bytes = three_logons();
            for (at, value) in damage {
                bytes[at] = value;
            }
            let (events, report) = parse(bytes);
            prop_assert!(events.len() <= 3 && events.len() as u64 == report.read);
            prop_assert!(report.notes.len() <= NOTES_MAX);
        }
    }
}
