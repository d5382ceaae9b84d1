//! Finding one entry by its number: a sparse index per segment, built by reading frame headers once, kept and
//! continued as the segment grows.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use monban_event::RecordId;

use super::JournalError;
use super::codec::{Entry, decode};
use super::segment::{
    self, ENTRY_HEADER_BYTES, FRAME_BYTES_MAX, FRAME_HEADER_BYTES, Family, FrameRead, HEADER_BYTES, SegmentPath,
    read_frame, read_whole,
};

/// Segments whose index is kept. At some 1,000 frames of 16 bytes a segment, this is below 10 MiB.
const INDEXES_MAX: usize = 512;

struct SegmentIndex {
    file: File,
    path: PathBuf,
    /// First number and offset of each frame scanned so far.
    frames: Vec<(u64, u64)>,
    scanned_to: u64,
    /// The frame read last: neighbours in a list of events are neighbours here too.
    last: Option<(u64, Vec<u8>)>,
}

/// By family folder and first number.
type Indexes = BTreeMap<(&'static str, u64), Arc<Mutex<SegmentIndex>>>;

pub(super) struct Lookup {
    dir: PathBuf,
    indexes: Mutex<Indexes>,
}

impl Lookup {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), indexes: Mutex::default() }
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
        let (segments, _) = segment::list(&self.dir, family)?;
        let after = segments.partition_point(|segment| segment.first <= number);
        let Some(segment) = after.checked_sub(1).and_then(|at| segments.get(at)) else { return Ok(None) };
        let index = self.index(family, segment)?;
        let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
        index.scan(durable)?;
        let Some(offset) = index.frame_of(number) else { return Ok(None) };
        let Some(body) = index.frame(offset)? else { return Ok(None) };
        let found = segment::entries(body).find(|&(candidate, _)| candidate == number);
        Ok(found.and_then(|(_, entry)| decode(family, entry)))
    }

    fn index(&self, family: Family, segment: &SegmentPath) -> Result<Arc<Mutex<SegmentIndex>>, JournalError> {
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (family.folder(), segment.first);
        if let Some(index) = indexes.get(&key) {
            return Ok(Arc::clone(index));
        }
        if indexes.len() >= INDEXES_MAX {
            indexes.pop_first();
        }
        let index = Arc::new(Mutex::new(SegmentIndex::open(segment)?));
        indexes.insert(key, Arc::clone(&index));
        Ok(index)
    }
}

impl SegmentIndex {
    fn open(segment: &SegmentPath) -> Result<Self, JournalError> {
        let path = segment.path.clone();
        let file = File::open(&path).map_err(|source| JournalError::Read { path: path.clone(), source })?;
        Ok(Self { file, path, frames: Vec::new(), scanned_to: HEADER_BYTES, last: None })
    }

    /// Goes on from where the last scan ended, as far as frames are durable: those behind may still be taken back.
    fn scan(&mut self, durable: u64) -> Result<(), JournalError> {
        let mut head = [0; FRAME_HEADER_BYTES + ENTRY_HEADER_BYTES];
        loop {
            let read = read_whole(&self.file, &mut head, self.scanned_to);
            if !read.map_err(|source| JournalError::Read { path: self.path.clone(), source })? {
                return Ok(());
            }
            let Some((length, number)) = frame_facts(&head).filter(|&(_, number)| number <= durable) else {
                return Ok(());
            };
            self.frames.push((number, self.scanned_to));
            self.scanned_to += 8 + length;
        }
    }

    /// The body of the frame at `offset`; `None` where it is damaged.
    fn frame(&mut self, offset: u64) -> Result<Option<&[u8]>, JournalError> {
        if self.last.as_ref().is_none_or(|(known, _)| *known != offset) {
            let read = read_frame(&self.file, offset);
            let read = read.map_err(|source| JournalError::Read { path: self.path.clone(), source })?;
            let FrameRead::Frame { body, .. } = read else { return Ok(None) };
            self.last = Some((offset, body));
        }
        Ok(self.last.as_ref().map(|(_, body)| body.as_slice()))
    }

    fn frame_of(&self, number: u64) -> Option<u64> {
        let after = self.frames.partition_point(|&(first, _)| first <= number);
        self.frames.get(after.checked_sub(1)?).map(|&(_, offset)| offset)
    }
}

/// Length of a frame and the number of its first entry, from its first bytes.
fn frame_facts(head: &[u8]) -> Option<(u64, u64)> {
    let length = u32::from_le_bytes(head.get(..4)?.try_into().ok()?);
    let number = u64::from_le_bytes(head.get(FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + 8)?.try_into().ok()?);
    (length > 0 && length as usize <= FRAME_BYTES_MAX).then_some((u64::from(length), number))
}
