//! Finding one entry by its number. A sealed segment says where; of a raw one a sparse index is built by reading frame
//! headers once, kept and continued as the segment grows.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use monban_event::RecordId;

use super::JournalError;
use super::codec::{Entry, decode};
use super::segment::{self, Family, FrameRead, HEADER_BYTES, SegmentFile, SegmentPath, payload_entries};

/// Segments kept open. A sealed one takes some 300 KiB for its table and what unpacks it.
const OPEN_MAX: usize = 64;

struct Opened {
    file: SegmentFile,
    path: PathBuf,
    /// First number and offset of each frame scanned so far, of a raw segment.
    frames: Vec<(u64, u64)>,
    scanned_to: u64,
    /// The frame read last: neighbours in a list of events are neighbours here too.
    last: Option<(u64, Vec<u8>)>,
}

/// By family and first number.
type OpenSegments = BTreeMap<(Family, u64), Arc<Mutex<Opened>>>;

#[derive(Default)]
struct Known {
    /// Rises when segments change: what was looked up before that is not kept.
    generation: u64,
    /// What the folders hold; empty where that has to be looked up again.
    segments: BTreeMap<Family, Arc<Vec<SegmentPath>>>,
    open: OpenSegments,
}

pub(super) struct Lookup {
    dir: PathBuf,
    known: Mutex<Known>,
}

impl Lookup {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), known: Mutex::default() }
    }

    /// Segments were begun, sealed or removed: the folders are looked at again.
    pub(super) fn forget(&self) {
        let mut known = self.known();
        *known = Known { generation: known.generation + 1, ..Known::default() };
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry of that number, which must not be behind `durable`.
    pub(super) fn read(&self, id: RecordId, durable: RecordId) -> Result<Option<Entry>, JournalError> {
        for family in Family::ALL {
            if let Some(entry) = self.read_family(family, id.0, durable.0)? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn read_family(&self, family: Family, number: u64, durable: u64) -> Result<Option<Entry>, JournalError> {
        let segments = self.segments(family)?;
        let after = segments.partition_point(|segment| segment.first <= number);
        let Some(segment) = after.checked_sub(1).and_then(|at| segments.get(at)) else { return Ok(None) };
        let Some(opened) = self.open(family, segment)? else { return Ok(None) };
        let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(opened.entry(number, durable)?.and_then(|entry| decode(family, &entry)))
    }

    fn segments(&self, family: Family) -> Result<Arc<Vec<SegmentPath>>, JournalError> {
        let generation = {
            let known = self.known();
            if let Some(segments) = known.segments.get(&family) {
                return Ok(Arc::clone(segments));
            }
            known.generation
        };
        let segments = Arc::new(segment::list(&self.dir, family)?.0);
        let mut known = self.known();
        if known.generation == generation {
            known.segments.insert(family, Arc::clone(&segments));
        }
        Ok(segments)
    }

    /// `None` where the segment is damaged as a whole.
    fn open(&self, family: Family, segment: &SegmentPath) -> Result<Option<Arc<Mutex<Opened>>>, JournalError> {
        let key = (family, segment.first);
        let generation = {
            let known = self.known();
            if let Some(opened) = known.open.get(&key) {
                return Ok(Some(Arc::clone(opened)));
            }
            known.generation
        };
        let opened = match SegmentFile::open(segment) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(None),
            opened => opened.map_err(|source| JournalError::Read { path: segment.path.clone(), source })?,
        };
        let opened = Arc::new(Mutex::new(Opened::new(opened, &segment.path)));
        let mut known = self.known();
        if known.generation == generation {
            if known.open.len() >= OPEN_MAX {
                known.open.pop_first();
            }
            known.open.insert(key, Arc::clone(&opened));
        }
        Ok(Some(opened))
    }
}

impl Opened {
    fn new(file: SegmentFile, path: &Path) -> Self {
        Self { file, path: path.to_owned(), frames: Vec::new(), scanned_to: HEADER_BYTES, last: None }
    }

    /// The bytes of the entry; `None` where it is not there or its frame is damaged.
    fn entry(&mut self, number: u64, durable: u64) -> Result<Option<Vec<u8>>, JournalError> {
        let Some(mut offset) = self.offset_of(number, durable)? else { return Ok(None) };
        // The frames of a sealed block follow one another; of a raw segment the frame is known.
        loop {
            match self.frame(offset)? {
                FrameRead::Frame { payload, next } => {
                    let found = payload_entries(&payload).find(|&(found, _)| found >= number);
                    if let Some((found, entry)) = found {
                        let entry = (found == number).then(|| entry.to_vec());
                        self.last = Some((offset, payload));
                        return Ok(entry);
                    }
                    offset = next;
                }
                FrameRead::Damaged { next: Some(next) } => offset = next,
                FrameRead::End | FrameRead::Damaged { next: None } => return Ok(None),
            }
        }
    }

    fn offset_of(&mut self, number: u64, durable: u64) -> Result<Option<u64>, JournalError> {
        if let SegmentFile::Sealed(sealed) = &self.file {
            return Ok(sealed.offset_of(number));
        }
        self.scan(durable)?;
        let after = self.frames.partition_point(|&(first, _)| first <= number);
        Ok(after.checked_sub(1).and_then(|at| self.frames.get(at)).map(|&(_, offset)| offset))
    }

    /// Goes on from where the last scan ended, as far as frames are durable: those behind may still be taken back, and
    /// with them a link in front of them.
    fn scan(&mut self, durable: u64) -> Result<(), JournalError> {
        let reading = |source| JournalError::Read { path: self.path.clone(), source };
        let mut offset = self.scanned_to;
        loop {
            match self.file.read_frame(offset).map_err(reading)? {
                FrameRead::Frame { payload, next } => {
                    let number = segment::first_number(&payload);
                    if number > Some(durable) {
                        return Ok(());
                    }
                    if let Some(number) = number {
                        self.frames.push((number, offset));
                        self.scanned_to = next;
                    }
                    offset = next;
                }
                FrameRead::Damaged { next: Some(next) } => offset = next,
                FrameRead::End | FrameRead::Damaged { next: None } => return Ok(()),
            }
        }
    }

    fn frame(&mut self, offset: u64) -> Result<FrameRead, JournalError> {
        if let Some((_, payload)) = self.last.take_if(|(known, _)| *known == offset) {
            let next = offset + 8 + payload.len() as u64;
            return Ok(FrameRead::Frame { payload, next });
        }
        let read = self.file.read_frame(offset);
        read.map_err(|source| JournalError::Read { path: self.path.clone(), source })
    }
}
