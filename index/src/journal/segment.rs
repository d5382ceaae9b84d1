//! Segment files: their header, their frames, and what a folder of them holds after a crash.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use monban_event::RecordId;

use super::{JournalError, Recovery};
use crate::fail;

const MAGIC: &[u8; 8] = b"MONBANSG";
const VERSION: u16 = 1;
const HEADER_LENGTH: usize = 64;
pub(super) const HEADER_BYTES: u64 = HEADER_LENGTH as u64;
pub(super) const FRAME_HEADER_BYTES: usize = 9;
pub(super) const ENTRY_HEADER_BYTES: usize = 12;
pub(super) const KIND_ENTRIES: u8 = 1;
/// A new segment begins above this: small enough to copy, seal and verify one at a time on a small machine.
pub(super) const SEGMENT_BYTES: u64 = 64 << 20;
/// Frames are closed at this size: a single record is found by reading one frame.
pub(super) const FRAME_BYTES: usize = 64 << 10;
/// No frame is longer: one largest record and one frame's worth before it. A larger length is damage.
pub(super) const FRAME_BYTES_MAX: usize = 2 << 20;

/// The two kinds of segments. Acts are kept longer than the records they speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Records,
    Acts,
}

impl Family {
    pub(super) const ALL: [Self; 2] = [Self::Records, Self::Acts];

    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Acts => "acts",
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Records => 1,
            Self::Acts => 2,
        }
    }
}

/// A segment's place: its first number and its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentPath {
    pub(super) first: u64,
    pub(super) path: PathBuf,
}

pub(super) fn segment_path(dir: &Path, family: Family, first: u64) -> PathBuf {
    dir.join(family.folder()).join(format!("{first:020}.seg"))
}

/// The segments of a family by first number, and files that are none.
pub(super) fn list(dir: &Path, family: Family) -> Result<(Vec<SegmentPath>, Vec<PathBuf>), JournalError> {
    let folder = dir.join(family.folder());
    let failed = |source| JournalError::Folder { path: folder.clone(), source };
    let (mut segments, mut foreign) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        match segment_number(&path) {
            Some(first) => segments.push(SegmentPath { first, path }),
            None => foreign.push(path),
        }
    }
    segments.sort_by_key(|segment| segment.first);
    foreign.sort();
    Ok((segments, foreign))
}

fn segment_number(path: &Path) -> Option<u64> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".seg")?;
    (stem.len() == 20).then_some(())?;
    stem.parse().ok()
}

fn header(family: Family, first: u64, created_us: i64) -> [u8; HEADER_LENGTH] {
    let mut bytes = Vec::with_capacity(HEADER_LENGTH);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([family.code(), 0]);
    bytes.extend(first.to_le_bytes());
    bytes.extend(created_us.to_le_bytes());
    bytes.extend([0; 32]);
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes.try_into().expect("the parts above are 64 bytes")
}

/// Why a header is not one, or nothing.
fn header_fault(bytes: &[u8], family: Family, first: u64) -> Option<String> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    if body.get(..8) != Some(MAGIC) {
        return Some("it does not begin as a segment".to_owned());
    }
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return Some("its header is damaged".to_owned());
    }
    if body.get(8..10) != Some(&VERSION.to_le_bytes()) {
        return Some("it was written by a newer program".to_owned());
    }
    if body.get(10) != Some(&family.code()) || body.get(12..20) != Some(&first.to_le_bytes()) {
        return Some("it is not the segment its name says".to_owned());
    }
    None
}

/// What stands at an offset of a segment.
pub(super) enum FrameRead {
    /// Body and the offset after it.
    Frame { kind: u8, body: Vec<u8>, next: u64 },
    /// Nothing, or the beginning of a frame only.
    End,
    /// Bytes that are no frame; `next` where its length can be believed.
    Damaged { next: Option<u64> },
}

pub(super) fn read_frame(file: &File, offset: u64) -> io::Result<FrameRead> {
    let mut head = [0; 8];
    if !read_whole(file, &mut head, offset)? {
        return Ok(FrameRead::End);
    }
    let [l0, l1, l2, l3, c0, c1, c2, c3] = head;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length == 0 || length > FRAME_BYTES_MAX {
        return Ok(FrameRead::Damaged { next: None });
    }
    let mut body = vec![0; length];
    if !read_whole(file, &mut body, offset + 8)? {
        return Ok(FrameRead::End);
    }
    let next = offset + 8 + length as u64;
    if crc32c::crc32c(&body) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Ok(FrameRead::Damaged { next: Some(next) });
    }
    let kind = body.remove(0);
    Ok(FrameRead::Frame { kind, body, next })
}

/// Fills `buffer` from `offset`; `false` when the file ends before.
pub(super) fn read_whole(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, offset) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Number and body of each entry of a frame.
pub(super) fn entries(mut body: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        let (number, rest) = body.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (entry, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        body = rest;
        Some((u64::from_le_bytes(*number), entry))
    })
}

/// The first number in a frame of entries.
pub(super) fn first_entry(body: &[u8]) -> Option<u64> {
    entries(body).next().map(|(number, _)| number)
}

/// The segment being written of one family.
pub(super) struct Active {
    family: Family,
    file: Option<(File, PathBuf)>,
    pub(super) bytes: u64,
}

impl Active {
    /// Makes sure there is a segment with room, for an entry of number `first`.
    pub(super) fn ensure(&mut self, dir: &Path, first: u64, created_us: i64) -> io::Result<()> {
        if self.file.is_some() && self.bytes < SEGMENT_BYTES {
            return Ok(());
        }
        let path = segment_path(dir, self.family, first);
        // A file of that name can only be one whose creation was not finished: its first number was never durable.
        fail::point("journal.segment.create")?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        fail::point("journal.segment.header")?;
        file.write_all_at(&header(self.family, first, created_us), 0)?;
        file.sync_all()?;
        fail::point("journal.segment.dir_sync")?;
        File::open(dir.join(self.family.folder()))?.sync_all()?;
        self.file = Some((file, path));
        self.bytes = HEADER_BYTES;
        Ok(())
    }

    /// Appends. Where this fails, part of it may stand in the file until [`Self::restore`].
    pub(super) fn append(&mut self, frames: &[u8]) -> io::Result<()> {
        let Some((file, _)) = &self.file else { return Err(io::Error::other("no segment is open")) };
        fail::point("journal.append")?;
        file.write_all_at(frames, self.bytes)?;
        self.bytes += frames.len() as u64;
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        fail::point("journal.before_sync")?;
        self.file.as_ref().map_or(Ok(()), |(file, _)| file.sync_data())?;
        fail::point("journal.after_sync")
    }

    /// Where the next append goes: the segment and its length.
    pub(super) fn mark(&self) -> Mark {
        (self.file.as_ref().map(|(_, path)| path.clone()), self.bytes)
    }

    /// Takes back whatever was begun since `mark`, and makes sure of it: the segment is opened anew, cut to its length
    /// then, synced and read to its end. Segments begun since then go away.
    pub(super) fn restore(&mut self, dir: &Path, mark: &Mark) -> io::Result<()> {
        self.file = None;
        let (path, bytes) = mark;
        for segment in list(dir, self.family).map_err(io::Error::other)?.0 {
            if path.as_ref().is_none_or(|path| segment.path > *path) {
                fs::remove_file(&segment.path)?;
            }
        }
        self.bytes = *bytes;
        let Some(path) = path else { return Ok(()) };
        self.file = Some((reopen_cut(path, *bytes)?, path.clone()));
        Ok(())
    }
}

/// A segment and its length.
pub(super) type Mark = (Option<PathBuf>, u64);

/// Opens a segment, cuts off what stands behind `bytes`, and checks that whole frames end there.
fn reopen_cut(path: &Path, bytes: u64) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    file.set_len(bytes)?;
    file.sync_all()?;
    let (end, _) = scan(&file, 0)?;
    if end != bytes {
        return Err(io::Error::other(format!("the last whole frame ends at {end}, not at {bytes}")));
    }
    Ok(file)
}

/// The two active segments.
pub(super) struct Segments {
    pub(super) records: Active,
    pub(super) acts: Active,
}

impl Segments {
    /// Opens the last segment of each family and cuts off what was not written whole.
    pub(super) fn recover(dir: &Path) -> Result<(Self, Recovery), JournalError> {
        let mut recovery = Recovery::default();
        let records = recover_family(dir, Family::Records, &mut recovery)?;
        let acts = recover_family(dir, Family::Acts, &mut recovery)?;
        Ok((Self { records, acts }, recovery))
    }
}

fn recover_family(dir: &Path, family: Family, recovery: &mut Recovery) -> Result<Active, JournalError> {
    let (mut segments, foreign) = list(dir, family)?;
    recovery.foreign.extend(foreign);
    while let Some(last) = segments.pop() {
        let reading = |source| JournalError::Read { path: last.path.clone(), source };
        let file = OpenOptions::new().read(true).write(true).open(&last.path).map_err(reading)?;
        let whole = file.metadata().map_err(reading)?.len();
        let mut head = [0; HEADER_LENGTH];
        let headed = read_whole(&file, &mut head, 0).map_err(reading)?;
        if !headed {
            // Its creation was interrupted; nothing in it was ever durable.
            recovery.torn.push((last.path.clone(), whole));
            fs::remove_file(&last.path).map_err(reading)?;
            continue;
        }
        if let Some(reason) = header_fault(&head, family, last.first) {
            return Err(JournalError::Damaged { path: last.path, offset: 0, reason });
        }
        let (end, number) = scan(&file, last.first).map_err(reading)?;
        recovery.last = recovery.last.max(RecordId(number));
        if end < whole {
            recovery.torn.push((last.path.clone(), whole - end));
            file.set_len(end).and_then(|()| file.sync_all()).map_err(reading)?;
        }
        return Ok(Active { family, file: Some((file, last.path)), bytes: end });
    }
    Ok(Active { family, file: None, bytes: 0 })
}

/// The end of the last whole frame and the last number in it. A damaged frame with whole frames behind it is not the
/// end: it is reported when it is read.
fn scan(file: &File, first: u64) -> io::Result<(u64, u64)> {
    let (mut offset, mut end, mut number) = (HEADER_BYTES, HEADER_BYTES, first.saturating_sub(1));
    loop {
        match read_frame(file, offset)? {
            FrameRead::Frame { body, next, .. } => {
                number = entries(&body).map(|(number, _)| number).last().unwrap_or(number);
                (offset, end) = (next, next);
            }
            FrameRead::Damaged { next: Some(next) } => offset = next,
            FrameRead::End | FrameRead::Damaged { next: None } => return Ok((end, number)),
        }
    }
}
