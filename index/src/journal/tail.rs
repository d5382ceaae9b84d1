//! Reading on from a position, both families merged by number. Reads files only, so it also serves a copied folder.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use monban_event::RecordId;

use super::JournalError;
use super::codec::{Entry, decode};
use super::retain::retired_up_to;
use super::segment::{self, Family, FrameRead, HEADER_BYTES, SegmentFile, SegmentPath, payload_entries};

/// What comes next.
#[derive(Debug, PartialEq)]
pub enum TailItem {
    Entry(RecordId, Entry),
    /// These numbers cannot be read: a frame is damaged or a segment is gone. Inclusive.
    Gap(RecordId, RecordId),
}

/// A place in the journal. It only ever looks at what the caller says is durable.
pub struct Tail {
    records: Cursor,
    acts: Cursor,
    position: RecordId,
    /// Numbers up to here may be gone: retention took them, and that is on record.
    retired: u64,
}

impl Tail {
    pub(super) fn after(dir: &Path, position: RecordId) -> Result<Self, JournalError> {
        let cursor = |family| Cursor::after(dir, family, position.0);
        let (records, acts) = (cursor(Family::Records)?, cursor(Family::Acts)?);
        Ok(Self { records, acts, position, retired: retired_up_to(dir) })
    }

    /// The number that was given last.
    pub fn position(&self) -> RecordId {
        self.position
    }

    /// The next entry up to `durable`; `None` when there is none yet.
    pub fn next(&mut self, durable: RecordId) -> Result<Option<TailItem>, JournalError> {
        while self.position < durable {
            if let Some(item) = self.entry(durable)? {
                return Ok(Some(item));
            }
            let (first, last) = self.skip(durable);
            if last.0 > self.retired {
                return Ok(Some(TailItem::Gap(first.max(RecordId(self.retired + 1)), last)));
            }
        }
        Ok(None)
    }

    /// The entry at the next number, where one of the families has it.
    fn entry(&mut self, durable: RecordId) -> Result<Option<TailItem>, JournalError> {
        let wanted = self.position.0 + 1;
        for cursor in [&mut self.records, &mut self.acts] {
            cursor.fill(durable.0)?;
            if let Some(body) = cursor.take(wanted) {
                self.position = RecordId(wanted);
                let entry = decode(cursor.family, &body);
                let gap = TailItem::Gap(self.position, self.position);
                return Ok(Some(entry.map_or(gap, |entry| TailItem::Entry(self.position, entry))));
            }
        }
        Ok(None)
    }

    /// Neither family has the number: goes to the next that one of them has.
    fn skip(&mut self, durable: RecordId) -> (RecordId, RecordId) {
        let next = [&self.records, &self.acts].into_iter().filter_map(Cursor::first).min();
        let last = next.map_or(durable.0, |next| (next - 1).min(durable.0));
        let passed = (self.position.next(), RecordId(last));
        self.position = RecordId(last);
        passed
    }
}

/// The reading place in one family.
struct Cursor {
    family: Family,
    dir: PathBuf,
    open: Option<(SegmentPath, SegmentFile)>,
    /// First number of the segment entered last, also where it could not be opened.
    entered: u64,
    offset: u64,
    pending: VecDeque<(u64, Vec<u8>)>,
    after: u64,
}

impl Cursor {
    fn after(dir: &Path, family: Family, position: u64) -> Result<Self, JournalError> {
        let mut cursor = Self {
            family,
            dir: dir.to_owned(),
            open: None,
            entered: 0,
            offset: 0,
            pending: VecDeque::new(),
            after: position,
        };
        let (segments, _) = segment::list(dir, family)?;
        let place = segments.partition_point(|segment| segment.first <= position + 1).saturating_sub(1);
        if let Some(segment) = segments.into_iter().nth(place) {
            cursor.enter(segment)?;
        }
        Ok(cursor)
    }

    /// A segment that is damaged as a whole is passed over: its numbers become a gap.
    fn enter(&mut self, segment: SegmentPath) -> Result<(), JournalError> {
        self.entered = segment.first;
        self.offset = HEADER_BYTES;
        self.open = match SegmentFile::open(&segment) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::error!(segment = %segment.path.display(), %error, "a segment of the journal cannot be read");
                None
            }
            opened => {
                let file = opened.map_err(|source| JournalError::Read { path: segment.path.clone(), source })?;
                Some((segment, file))
            }
        };
        Ok(())
    }

    fn first(&self) -> Option<u64> {
        self.pending.front().map(|&(number, _)| number)
    }

    fn take(&mut self, wanted: u64) -> Option<Vec<u8>> {
        // What stands behind damage may be older than what was read before it.
        while self.first().is_some_and(|first| first < wanted) {
            self.pending.pop_front();
        }
        (self.first() == Some(wanted)).then(|| self.pending.pop_front())?.map(|(_, body)| body)
    }

    /// Reads frames until entries wait, or nothing more is there that is durable: what stands behind that may still be
    /// taken back, and something else then stands in its place. So the place moves only behind entries that are durable;
    /// a frame is of one commit, and durable whole.
    fn fill(&mut self, durable: u64) -> Result<(), JournalError> {
        let mut offset = self.offset;
        while self.pending.is_empty() {
            let Some((segment, file)) = &mut self.open else {
                if !self.enter_next()? {
                    return Ok(());
                }
                offset = self.offset;
                continue;
            };
            let read = file.read_frame(offset);
            match read.map_err(|source| JournalError::Read { path: segment.path.clone(), source })? {
                FrameRead::Frame { payload, .. } if segment::first_number(&payload) > Some(durable) => return Ok(()),
                FrameRead::Frame { payload, next } => {
                    offset = next;
                    if segment::first_number(&payload).is_some() {
                        self.offset = next;
                        self.keep(&payload);
                    }
                }
                FrameRead::Damaged { next: Some(next) } => offset = next,
                FrameRead::End | FrameRead::Damaged { next: None } => {
                    if !self.enter_next()? {
                        return Ok(());
                    }
                    offset = self.offset;
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, payload: &[u8]) {
        let fresh = payload_entries(payload).filter(|&(number, _)| number > self.after);
        self.pending.extend(fresh.map(|(number, entry)| (number, entry.to_vec())));
    }

    /// Moves to the segment after the one being read; `false` when there is none.
    fn enter_next(&mut self) -> Result<bool, JournalError> {
        let (segments, _) = segment::list(&self.dir, self.family)?;
        match segments.into_iter().find(|segment| segment.first > self.entered) {
            Some(segment) => self.enter(segment).map(|()| true),
            None => Ok(false),
        }
    }
}
