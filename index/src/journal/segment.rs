//! Segment files: their header, their frames, and what a folder of them holds after a crash.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use monban_event::RecordId;

use super::chain::{Checkpoint, Head, Heads};
use super::sealed::Sealed;
use super::trouble::Marks;
use super::{JournalError, Recovery};
use crate::fail;

const MAGIC: &[u8; 8] = b"MONBANSG";
/// Version 1 had no chain: its header says zeros for it. Everything else is the same.
const VERSION: u16 = 2;
const VERSION_UNCHAINED: u16 = 1;
pub(super) const HEADER_LENGTH: usize = 64;
pub(super) const HEADER_BYTES: u64 = HEADER_LENGTH as u64;
pub(super) const FRAME_HEADER_BYTES: usize = 9;
pub(super) const ENTRY_HEADER_BYTES: usize = 12;
pub(super) const KIND_ENTRIES: u8 = 1;
pub(super) const KIND_LINK: u8 = 2;
pub(super) const KIND_CHECKPOINT: u8 = 3;
/// A new segment begins above this: small enough to copy, seal and verify one at a time on a small machine.
pub(super) const SEGMENT_BYTES: u64 = 64 << 20;
/// … or after this long, so that what comes slowly is sealed too, and retention has days to take away.
const SEGMENT_AGE_US: i64 = 24 * 60 * 60 * 1_000_000;
/// Frames are closed at this size: a single record is found by unpacking one block of them.
pub(super) const FRAME_BYTES: usize = 16 << 10;
/// No frame is longer: one largest record and one frame's worth before it. A larger length is damage.
pub(super) const FRAME_BYTES_MAX: usize = 2 << 20;
/// Links stand at most this far apart, in time and in bytes while anything is written: a break in the chain is placed
/// within one of these, for 41 bytes a second at the most.
const LINK_EVERY: Duration = Duration::from_secs(1);
const LINK_BYTES: u64 = 256 << 10;

/// The two kinds of segments. Acts are kept longer than the records they speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
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

impl SegmentPath {
    pub(super) fn is_sealed(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == SEALED)
    }
}

const RAW: &str = "seg";
const SEALED: &str = "seal";
/// A seal that is being written.
const SEALING: &str = "sealing";

pub(super) fn segment_path(dir: &Path, family: Family, first: u64) -> PathBuf {
    dir.join(family.folder()).join(format!("{first:020}.{RAW}"))
}

pub(super) fn sealed_path(raw: &Path) -> PathBuf {
    raw.with_extension(SEALED)
}

pub(super) fn sealing_path(raw: &Path) -> PathBuf {
    raw.with_extension(SEALING)
}

/// The segments of a family by first number, and files that are none. Where a segment is there raw and sealed, its
/// sealing was interrupted, and the raw one counts until that has been finished.
pub(super) fn list(dir: &Path, family: Family) -> Result<(Vec<SegmentPath>, Vec<PathBuf>), JournalError> {
    let folder = dir.join(family.folder());
    let failed = |source| JournalError::Folder { path: folder.clone(), source };
    let (mut segments, mut foreign) = (BTreeMap::new(), Vec::new());
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        match segment_number(&path) {
            Some((first, RAW)) => drop(segments.insert(first, path)),
            Some((first, SEALED)) => drop(segments.entry(first).or_insert(path)),
            Some(_) => {}
            None => foreign.push(path),
        }
    }
    foreign.sort();
    Ok((segments.into_iter().map(|(first, path)| SegmentPath { first, path }).collect(), foreign))
}

/// The number in a segment's name, and which kind of file it is.
fn segment_number(path: &Path) -> Option<(u64, &'static str)> {
    let (stem, extension) = path.file_name()?.to_str()?.split_once('.')?;
    let kind = [RAW, SEALED, SEALING].into_iter().find(|&known| known == extension)?;
    (stem.len() == 20).then_some(())?;
    Some((stem.parse().ok()?, kind))
}

fn header(family: Family, first: u64, created_us: i64, chain: Head) -> [u8; HEADER_LENGTH] {
    let mut bytes = Vec::with_capacity(HEADER_LENGTH);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([family.code(), 0]);
    bytes.extend(first.to_le_bytes());
    bytes.extend(created_us.to_le_bytes());
    bytes.extend(chain.bytes());
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes.try_into().expect("the parts above are 64 bytes")
}

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) created_us: i64,
    /// The head before its first frame; absent in version 1.
    pub(super) chain: Option<Head>,
}

/// Reads a header, or says why it is not one of this segment.
pub(super) fn read_header(bytes: &[u8; HEADER_LENGTH], family: Family, first: u64) -> Result<Header, HeaderFault> {
    let mut rest = bytes.as_slice();
    let magic: [u8; 8] = take(&mut rest);
    let version = u16::from_le_bytes(take(&mut rest));
    let [code, _] = take(&mut rest);
    let number = u64::from_le_bytes(take(&mut rest));
    let created_us = i64::from_le_bytes(take(&mut rest));
    let chain = Head::of(take(&mut rest));
    let crc = u32::from_le_bytes(take(&mut rest));
    if &magic != MAGIC {
        return Err(HeaderFault::Foreign);
    }
    if crc32c::crc32c(bytes.split_last_chunk::<4>().map_or(&[][..], |(body, _)| body)) != crc {
        return Err(HeaderFault::Damaged);
    }
    if version != VERSION && version != VERSION_UNCHAINED {
        return Err(HeaderFault::Newer);
    }
    if code != family.code() || number != first {
        return Err(HeaderFault::Misplaced);
    }
    Ok(Header { created_us, chain: (version != VERSION_UNCHAINED).then_some(chain) })
}

/// The next bytes of something whose length is known to suffice.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let Some((head, tail)) = rest.split_first_chunk() else { return [0; N] };
    *rest = tail;
    *head
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    #[error("it does not begin as a segment")]
    Foreign,
    #[error("its header is damaged")]
    Damaged,
    #[error("it was written by a newer program")]
    Newer,
    #[error("it is not the segment its name says")]
    Misplaced,
}

/// What stands at an offset of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FrameRead {
    /// Kind and body, and the offset after it.
    Frame { payload: Vec<u8>, next: u64 },
    /// Nothing, or the beginning of a frame only.
    End,
    /// Bytes that are no frame; `next` where it can be told where the next one begins.
    Damaged { next: Option<u64> },
}

/// Kind and body of a frame's payload.
pub(super) fn kind_and_body(payload: &[u8]) -> (u8, &[u8]) {
    payload.split_first().map_or((0, &[]), |(&kind, body)| (kind, body))
}

/// A segment that is read, whichever form it has on disk. Offsets are those of the raw form.
pub(super) enum SegmentFile {
    Raw(File),
    Sealed(Box<Sealed>),
}

impl SegmentFile {
    /// Opens a segment. One that was sealed since it was listed is found in its new form.
    pub(super) fn open(segment: &SegmentPath) -> io::Result<Self> {
        if segment.is_sealed() {
            return Ok(Self::Sealed(Box::new(Sealed::open(&segment.path)?)));
        }
        match File::open(&segment.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::Sealed(Box::new(Sealed::open(&sealed_path(&segment.path))?)))
            }
            opened => opened.map(Self::Raw),
        }
    }

    /// `None` when the file is shorter than a header.
    pub(super) fn header(&self) -> io::Result<Option<[u8; HEADER_LENGTH]>> {
        let file = match self {
            Self::Raw(file) => file,
            Self::Sealed(sealed) => sealed.file(),
        };
        let mut bytes = [0; HEADER_LENGTH];
        Ok(read_whole(file, &mut bytes, 0)?.then_some(bytes))
    }

    pub(super) fn read_frame(&mut self, offset: u64) -> io::Result<FrameRead> {
        match self {
            Self::Raw(file) => read_frame(file, offset),
            Self::Sealed(sealed) => sealed.read_frame(offset),
        }
    }
}

/// The frame at an offset of a raw segment. Where there is none although more follows, the next one is looked for: a
/// flipped bit costs its own frame, also when it stands in a length.
pub(super) fn read_frame(file: &File, offset: u64) -> io::Result<FrameRead> {
    let mut head = [0; 8];
    if !read_whole(file, &mut head, offset)? {
        return Ok(FrameRead::End);
    }
    if let Some(payload) = whole_payload(file, offset)? {
        let next = offset + 8 + payload.len() as u64;
        return Ok(FrameRead::Frame { payload, next });
    }
    let (length, _) = frame_head(head);
    let end = offset + 8 + length as u64;
    let is_whole = || Ok::<_, io::Error>(is_plausible(length) && file.metadata()?.len() >= end);
    let next = match next_frame(file, offset + 1)? {
        Some(next) => next,
        None if is_whole()? => end,
        None => return Ok(FrameRead::End),
    };
    // Who writes meanwhile may have been in the middle of it: what is damaged is so once more follows it.
    Ok(match whole_payload(file, offset)? {
        Some(payload) => FrameRead::Frame { next: offset + 8 + payload.len() as u64, payload },
        None => FrameRead::Damaged { next: Some(next) },
    })
}

fn is_plausible(length: usize) -> bool {
    length > 0 && length <= FRAME_BYTES_MAX
}

/// The payload of the frame at an offset; `None` where the bytes are no whole frame.
fn whole_payload(file: &File, offset: u64) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; 8];
    if !read_whole(file, &mut head, offset)? {
        return Ok(None);
    }
    let (length, crc) = frame_head(head);
    if !is_plausible(length) {
        return Ok(None);
    }
    let mut payload = vec![0; length];
    Ok((read_whole(file, &mut payload, offset + 8)? && crc32c::crc32c(&payload) == crc).then_some(payload))
}

/// Where the next whole frame begins: a damaged one is no longer than the largest.
fn next_frame(file: &File, from: u64) -> io::Result<Option<u64>> {
    let left = file.metadata()?.len().saturating_sub(from);
    let length = left.min(FRAME_BYTES_MAX as u64 + FRAME_HEADER_BYTES as u64);
    let mut window = vec![0; usize::try_from(length).unwrap_or_default()];
    if !read_whole(file, &mut window, from)? {
        return Ok(None);
    }
    for (at, bytes) in window.windows(FRAME_HEADER_BYTES).enumerate() {
        let mut rest = bytes;
        let (length, _) = frame_head(take(&mut rest));
        let [kind] = take(&mut rest);
        let offset = from + at as u64;
        let is_candidate = is_plausible(length) && (KIND_ENTRIES..=KIND_CHECKPOINT).contains(&kind);
        if is_candidate && whole_payload(file, offset)?.is_some() {
            return Ok(Some(offset));
        }
    }
    Ok(None)
}

/// Length of the payload and its checksum.
fn frame_head(head: [u8; 8]) -> (usize, u32) {
    let mut rest = head.as_slice();
    (u32::from_le_bytes(take(&mut rest)) as usize, u32::from_le_bytes(take(&mut rest)))
}

/// The payloads of whole frames that stand one behind the other in memory.
pub(super) fn payloads(mut frames: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (head, rest) = frames.split_first_chunk::<8>()?;
        let (payload, rest) = rest.split_at_checked(frame_head(*head).0)?;
        frames = rest;
        Some(payload)
    })
}

/// A frame around a body.
pub(super) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).expect("frames are bounded far below 4 GiB");
    let crc = crc32c::crc32c_append(crc32c::crc32c(&[kind]), body);
    [&length.to_le_bytes(), &crc.to_le_bytes(), &[kind][..], body].concat()
}

/// Fills `buffer` from `offset`; `false` when the file ends before.
pub(super) fn read_whole(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, offset) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Number and body of each entry of a frame of entries.
pub(super) fn entries(mut body: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        let (number, rest) = body.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (entry, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        body = rest;
        Some((u64::from_le_bytes(*number), entry))
    })
}

/// The entries of any frame's payload: none where it is of another kind.
pub(super) fn payload_entries(payload: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let (kind, body) = kind_and_body(payload);
    entries(if kind == KIND_ENTRIES { body } else { &[] })
}

/// The first number in a frame of entries.
pub(super) fn first_number(payload: &[u8]) -> Option<u64> {
    payload_entries(payload).next().map(|(number, _)| number)
}

/// The head that a link says was reached before it.
pub(super) fn link(payload: &[u8]) -> Option<Head> {
    let (kind, body) = kind_and_body(payload);
    (kind == KIND_LINK).then(|| body.try_into().ok().map(Head::of)).flatten()
}

pub(super) fn checkpoint(payload: &[u8]) -> Option<Checkpoint> {
    let (kind, body) = kind_and_body(payload);
    (kind == KIND_CHECKPOINT).then(|| serde_json::from_slice(body).ok()).flatten()
}

/// The segment being written of one family.
pub(super) struct Active {
    family: Family,
    file: Option<(File, PathBuf)>,
    first: u64,
    created_us: i64,
    bytes: u64,
    pub(super) head: Head,
    /// When the last link was written, and how long the segment was then.
    linked: Option<(Instant, u64)>,
}

/// A place to which an append can be taken back.
pub(super) struct Mark {
    path: Option<PathBuf>,
    bytes: u64,
    head: Head,
}

impl Active {
    fn new(family: Family, head: Head) -> Self {
        Self { family, file: None, first: 0, created_us: 0, bytes: 0, head, linked: None }
    }

    /// Makes sure there is a segment with room, for an entry of number `first`. `true` where the one before is
    /// complete now and can be sealed.
    pub(super) fn ensure(&mut self, dir: &Path, first: u64, created_us: i64) -> io::Result<bool> {
        let is_full = self.bytes >= SEGMENT_BYTES || created_us - self.created_us >= SEGMENT_AGE_US;
        // A segment that holds proofs alone has no number yet that the next one could not be named by.
        if self.file.is_some() && (!is_full || self.first == first) {
            return Ok(false);
        }
        let path = segment_path(dir, self.family, first);
        // A file of that name can only be one whose creation was not finished: its first number was never durable.
        let begun = begin(&path, &header(self.family, first, created_us, self.head));
        // Half a segment must not stay: what comes later may begin at another number.
        let file = begun.inspect_err(|_| drop(fs::remove_file(&path)))?;
        let before = self.file.replace((file, path));
        (self.first, self.created_us, self.bytes, self.linked) = (first, created_us, HEADER_BYTES, None);
        Ok(before.is_some())
    }

    /// Appends whole frames, behind a link where one is due. Where this fails, part of it may stand in the file until
    /// [`Self::restore`].
    pub(super) fn append(&mut self, frames: &[u8], now: Instant) -> io::Result<()> {
        let Some((file, _)) = &self.file else { return Err(io::Error::other("no segment is open")) };
        // A checkpoint says the head itself.
        let is_due = frames.get(8) == Some(&KIND_ENTRIES) && self.is_link_due(now);
        let link = if is_due { frame(KIND_LINK, self.head.bytes()) } else { Vec::new() };
        let behind = self.bytes + link.len() as u64;
        fail::point("journal.append")?;
        file.write_all_at(&link, self.bytes)?;
        file.write_all_at(frames, behind)?;
        self.head = payloads(&link).chain(payloads(frames)).fold(self.head, |head, payload| head.after(payload));
        self.bytes = behind + frames.len() as u64;
        if !link.is_empty() {
            self.linked = Some((now, self.bytes));
        }
        Ok(())
    }

    fn is_link_due(&self, now: Instant) -> bool {
        self.linked.is_none_or(|(at, bytes)| {
            now.saturating_duration_since(at) >= LINK_EVERY || self.bytes - bytes >= LINK_BYTES
        })
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        fail::point("journal.before_sync")?;
        self.file.as_ref().map_or(Ok(()), |(file, _)| file.sync_data())?;
        fail::point("journal.after_sync")
    }

    /// Where the next append goes.
    pub(super) fn mark(&self) -> Mark {
        Mark { path: self.file.as_ref().map(|(_, path)| path.clone()), bytes: self.bytes, head: self.head }
    }

    /// Takes back what was appended since `mark`, and makes sure of it: the segment is opened anew, cut, synced and read
    /// to its end. One that was begun since then keeps its header.
    pub(super) fn restore(&mut self, mark: &Mark) -> io::Result<()> {
        let Some((_, path)) = &self.file else { return Ok(()) };
        let bytes = if mark.path.as_ref() == Some(path) { mark.bytes } else { HEADER_BYTES };
        self.file = Some((reopen_cut(path, bytes)?, path.clone()));
        (self.bytes, self.head, self.linked) = (bytes, mark.head, None);
        Ok(())
    }
}

/// Makes sure that a file's name is on disk too.
pub(super) fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Makes the file of a new segment.
fn begin(path: &Path, header: &[u8]) -> io::Result<File> {
    fail::point("journal.segment.create")?;
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
    fail::point("journal.segment.header")?;
    file.write_all_at(header, 0)?;
    file.sync_all()?;
    fail::point("journal.segment.dir_sync")?;
    sync_folder(path)?;
    Ok(file)
}

/// Opens a segment, cuts off what stands behind `bytes`, and checks that whole frames end there.
fn reopen_cut(path: &Path, bytes: u64) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    file.set_len(bytes)?;
    file.sync_all()?;
    let mut end = HEADER_BYTES;
    while let FrameRead::Frame { next, .. } | FrameRead::Damaged { next: Some(next) } = read_frame(&file, end)? {
        end = next;
    }
    if end != bytes {
        return Err(io::Error::other(format!("the last whole frame ends at {end}, not at {bytes}")));
    }
    Ok(file)
}

/// The two active segments.
pub(super) struct Segments {
    pub(super) records: Active,
    pub(super) acts: Active,
    /// The last checkpoint of the journal.
    pub(super) checkpoint: Option<Checkpoint>,
}

impl Segments {
    pub(super) fn heads(&self) -> Heads {
        Heads { records: self.records.head, acts: self.acts.head }
    }

    /// Takes back what was appended to both families since then.
    pub(super) fn restore(&mut self, marks: &Marks) -> io::Result<()> {
        self.acts.restore(&marks.acts).and_then(|()| self.records.restore(&marks.records))
    }

    /// Opens the last segment of each family and cuts off what was not written whole, unless something up to
    /// `published` is missing: then the end is damaged rather than unfinished, and stays as it is.
    pub(super) fn recover(dir: &Path, published: RecordId) -> Result<(Self, Recovery), JournalError> {
        let mut recovery = Recovery::default();
        let mut records = recover_family(dir, Family::Records, &mut recovery)?;
        let mut acts = recover_family(dir, Family::Acts, &mut recovery)?;
        let checkpoint = last_checkpoint(dir)?;
        if published > recovery.last {
            // Numbers are never given twice, also not those of lost records.
            recovery.missing = Some((recovery.last.next(), published));
            recovery.last = published;
            (records.active.file, acts.active.file) = (None, None);
        } else {
            records.cut(&mut recovery)?;
            acts.cut(&mut recovery)?;
        }
        Ok((Self { records: records.active, acts: acts.active, checkpoint }, recovery))
    }
}

/// A family after a start, before what is unfinished at its end is cut off.
struct Recovered {
    active: Active,
    unfinished_bytes: u64,
}

impl Recovered {
    fn cut(&self, recovery: &mut Recovery) -> Result<(), JournalError> {
        let Some((file, path)) = self.active.file.as_ref().filter(|_| self.unfinished_bytes > 0) else { return Ok(()) };
        recovery.torn.push((path.clone(), self.unfinished_bytes));
        let cut = file.set_len(self.active.bytes).and_then(|()| file.sync_all());
        cut.map_err(|source| JournalError::Read { path: path.clone(), source })
    }
}

fn recover_family(dir: &Path, family: Family, recovery: &mut Recovery) -> Result<Recovered, JournalError> {
    let (mut segments, foreign) = list(dir, family)?;
    recovery.foreign.extend(foreign);
    while let Some(last) = segments.last().cloned() {
        let reading = |source| JournalError::Read { path: last.path.clone(), source };
        let whole = fs::metadata(&last.path).map_err(reading)?.len();
        if !last.is_sealed() && whole < HEADER_BYTES {
            // Its creation was interrupted; nothing in it was ever durable.
            recovery.torn.push((last.path.clone(), whole));
            fs::remove_file(&last.path).map_err(reading)?;
            segments.pop();
            continue;
        }
        let end = walk(&last, family, &segments)?;
        recovery.last = recovery.last.max(RecordId(end.number));
        let mut active = Active::new(family, end.head);
        // What is sealed, and what is of version 1, is not written on.
        if !last.is_sealed() && end.header.chain.is_some() {
            let file = OpenOptions::new().read(true).write(true).open(&last.path).map_err(reading)?;
            active.file = Some((file, last.path));
            (active.first, active.created_us, active.bytes) = (last.first, end.header.created_us, end.bytes);
        }
        return Ok(Recovered { unfinished_bytes: whole.saturating_sub(end.bytes), active });
    }
    Ok(Recovered { active: Active::new(family, Head::default()), unfinished_bytes: 0 })
}

/// What reading a segment to its end shows.
struct End {
    header: Header,
    /// After the last whole frame.
    bytes: u64,
    /// The last number in it.
    number: u64,
    head: Head,
}

/// Reads a segment through. A damaged frame with whole frames behind it is not the end: it is reported when it is read.
/// The head goes on from what is there, and where a link says another, from that.
fn walk(segment: &SegmentPath, family: Family, all: &[SegmentPath]) -> Result<End, JournalError> {
    let reading = |source| JournalError::Read { path: segment.path.clone(), source };
    let mut file = SegmentFile::open(segment).map_err(reading)?;
    let header = file.header().map_err(reading)?.unwrap_or([0; HEADER_LENGTH]);
    let header = read_header(&header, family, segment.first).map_err(|fault| JournalError::Damaged {
        path: segment.path.clone(),
        offset: 0,
        reason: fault.to_string(),
    })?;
    let head = match header.chain {
        Some(head) => head,
        None => head_before(segment, family, all)?,
    };
    let mut end = End { header, bytes: HEADER_BYTES, number: segment.first.saturating_sub(1), head };
    let mut offset = HEADER_BYTES;
    loop {
        match file.read_frame(offset).map_err(reading)? {
            FrameRead::Frame { payload, next } => {
                end.number = payload_entries(&payload).map(|(number, _)| number).last().unwrap_or(end.number);
                end.head = link(&payload).unwrap_or(end.head).after(&payload);
                (offset, end.bytes) = (next, next);
            }
            FrameRead::Damaged { next: Some(next) } => offset = next,
            FrameRead::End | FrameRead::Damaged { next: None } => return Ok(end),
        }
    }
}

/// The head at the end of what came before a segment of version 1, which does not say it: all before it are read.
fn head_before(segment: &SegmentPath, family: Family, all: &[SegmentPath]) -> Result<Head, JournalError> {
    let at = all.partition_point(|other| other.first < segment.first);
    match all.get(..at).and_then(|before| before.split_last()) {
        Some((previous, _)) => walk(previous, family, all).map(|end| end.head),
        None => Ok(Head::default()),
    }
}

fn last_checkpoint(dir: &Path) -> Result<Option<Checkpoint>, JournalError> {
    let (segments, _) = list(dir, Family::Acts)?;
    for segment in segments.iter().rev() {
        let reading = |source| JournalError::Read { path: segment.path.clone(), source };
        let (mut found, mut offset) = (None, HEADER_BYTES);
        let mut file = match SegmentFile::open(segment) {
            // What cannot be read is told by the readers of its entries.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => continue,
            opened => opened.map_err(reading)?,
        };
        loop {
            match file.read_frame(offset).map_err(reading)? {
                FrameRead::Frame { payload, next } => {
                    found = checkpoint(&payload).or(found);
                    offset = next;
                }
                FrameRead::Damaged { next: Some(next) } => offset = next,
                FrameRead::End | FrameRead::Damaged { next: None } => break,
            }
        }
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
