//! A segment that is complete, in its sealed form: the same bytes, packed in blocks that can be unpacked one by one.
//!
//! ```text
//! sealed     := header dictionary block* dictionary table footer
//! header     := the 64 bytes of the raw segment
//! dictionary := "MDIC" length:u32 crc32c:u32 bytes       twice, for without it nothing can be unpacked
//! block      := head data                                whole frames of the raw segment, zstd with the dictionary
//! head       := raw_offset:u64 first:u64 raw:u32 packed:u32 crc32c:u32     crc32c covers the head before it and data
//! table      := (head offset:u64)*                       where the blocks are
//! footer     := blocks:u32 table_crc32c:u32 table:u64 dictionary:u64 "MONBANSL" crc32c:u32
//! ```
//!
//! Nothing is lost by sealing: checksums, links and numbers are those of the raw frames, and whatever reads a raw
//! segment reads a sealed one by the same offsets. A damaged block costs its own frames; a damaged table or footer costs
//! nothing, for the heads of the blocks say the same.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use zstd::bulk::{Compressor, Decompressor};

use crate::fail;

use super::segment::{
    FRAME_BYTES_MAX, FrameRead, HEADER_BYTES, HEADER_LENGTH, SEGMENT_BYTES, payload_entries, read_whole, sealed_path,
    sealing_path, sync_folder, take,
};

const MAGIC: &[u8; 8] = b"MONBANSL";
const DICTIONARY_MAGIC: &[u8; 4] = b"MDIC";
/// Frames are gathered to at least this before they are packed: smaller blocks pack badly, larger ones make a single
/// record slow to read.
const BLOCK_BYTES: usize = 16 << 10;
/// Unpacked, a block is one gathering, one largest frame, and proofs behind it that belong to no other.
const BLOCK_BYTES_MAX: u64 = SEGMENT_BYTES + FRAME_BYTES_MAX as u64;
/// What the dictionary holds, and of how many pieces from all over the segment.
const DICTIONARY_BYTES: usize = 32 << 10;
const DICTIONARY_PIECES: u64 = 16;
const PIECE_BYTES: usize = DICTIONARY_BYTES / 16;
/// Segments smaller than this have none: it would be larger than what it saves.
const DICTIONARY_FROM_BYTES: u64 = 512 << 10;
/// zstd's own default: packs a firewall's lines to a seventh at some 200 MB a second.
const LEVEL: i32 = 3;
const BLOCK_HEAD_BYTES: usize = 28;
const TABLE_ENTRY_BYTES: usize = BLOCK_HEAD_BYTES + 8;
const FOOTER_BYTES: usize = 36;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    raw_offset: u64,
    /// Of its first entry; of the segment where it has none.
    first: u64,
    raw: u32,
    packed: u32,
    crc: u32,
    /// Of its head in the file.
    offset: u64,
}

impl Block {
    fn head(&self) -> [u8; BLOCK_HEAD_BYTES - 4] {
        let parts = [
            &self.raw_offset.to_le_bytes()[..],
            &self.first.to_le_bytes(),
            &self.raw.to_le_bytes(),
            &self.packed.to_le_bytes(),
        ];
        parts.concat().try_into().expect("the parts above are 24 bytes")
    }

    fn read(mut bytes: &[u8], offset: u64) -> Self {
        let rest = &mut bytes;
        Self {
            raw_offset: u64::from_le_bytes(take(rest)),
            first: u64::from_le_bytes(take(rest)),
            raw: u32::from_le_bytes(take(rest)),
            packed: u32::from_le_bytes(take(rest)),
            crc: u32::from_le_bytes(take(rest)),
            offset,
        }
    }

    fn raw_end(&self) -> u64 {
        self.raw_offset + u64::from(self.raw)
    }
}

/// A sealed segment that is read.
pub(super) struct Sealed {
    file: File,
    blocks: Vec<Block>,
    unpacker: Decompressor<'static>,
    /// The block unpacked last; `None` inside where it is damaged.
    last: Option<(usize, Option<Vec<u8>>)>,
    /// What of the file is not as it was written although everything can be read.
    faults: Vec<&'static str>,
}

impl Sealed {
    /// Fails with `InvalidData` where not even the dictionary and the first block can be made out.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut faults = Vec::new();
        let footer = Footer::read(&file, length)?;
        if footer.is_none() {
            faults.push("footer");
        }
        let first = dictionary(&file, HEADER_BYTES)?;
        let second = match &footer {
            Some(footer) => dictionary(&file, footer.dictionary)?,
            None => None,
        };
        if first.is_none() || (second.is_none() && footer.is_some()) {
            faults.push("dictionary");
        }
        let (words, begin) = match (first, second) {
            (Some((words, end)), _) => (words, end),
            (None, Some((words, end))) => (words, HEADER_BYTES + end - footer.as_ref().map_or(0, |f| f.dictionary)),
            (None, None) => return Err(damaged("its dictionary is damaged")),
        };
        let table = match &footer {
            Some(footer) => footer.table(&file, length)?,
            None => None,
        };
        if table.is_none() && footer.is_some() {
            faults.push("table");
        }
        let blocks = match table {
            Some(blocks) => blocks,
            None => walk_blocks(&file, begin)?,
        };
        let unpacker = Decompressor::with_dictionary(&words)?;
        Ok(Self { file, blocks, unpacker, last: None, faults })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Parts of the file that are damaged and were done without.
    pub(super) fn faults(&self) -> &[&'static str] {
        &self.faults
    }

    pub(super) fn read_frame(&mut self, offset: u64) -> io::Result<FrameRead> {
        let after = self.blocks.partition_point(|block| block.raw_offset <= offset);
        let Some(at) = after.checked_sub(1) else { return Ok(FrameRead::Damaged { next: self.next_block(0) }) };
        let Some(block) = self.blocks.get(at).copied() else { return Ok(FrameRead::End) };
        if offset >= block.raw_end() {
            // Behind the last block is the end; between two, blocks are missing.
            let next = self.next_block(after);
            return Ok(next.map_or(FrameRead::End, |next| FrameRead::Damaged { next: Some(next) }));
        }
        let Some(bytes) = self.unpacked(at)? else { return Ok(FrameRead::Damaged { next: Some(block.raw_end()) }) };
        let inside = usize::try_from(offset - block.raw_offset).unwrap_or(usize::MAX);
        Ok(frame_in(bytes.get(inside..).unwrap_or_default(), offset, block.raw_end()))
    }

    fn next_block(&self, at: usize) -> Option<u64> {
        self.blocks.get(at).map(|block| block.raw_offset)
    }

    /// Where the frame with an entry may begin: the offset of the block that would hold it.
    pub(super) fn offset_of(&self, number: u64) -> Option<u64> {
        let after = self.blocks.partition_point(|block| block.first <= number);
        self.blocks.get(after.checked_sub(1)?).map(|block| block.raw_offset)
    }

    fn unpacked(&mut self, at: usize) -> io::Result<Option<&[u8]>> {
        if self.last.as_ref().is_none_or(|(known, _)| *known != at) {
            let bytes = match self.blocks.get(at).copied() {
                Some(block) => self.unpack(&block)?,
                None => None,
            };
            self.last = Some((at, bytes));
        }
        Ok(self.last.as_ref().and_then(|(_, bytes)| bytes.as_deref()))
    }

    fn unpack(&mut self, block: &Block) -> io::Result<Option<Vec<u8>>> {
        let mut stored = vec![0; BLOCK_HEAD_BYTES + block.packed as usize];
        if !read_whole(&self.file, &mut stored, block.offset)? {
            return Ok(None);
        }
        let (head, data) = stored.split_at_checked(BLOCK_HEAD_BYTES).unwrap_or_default();
        if Block::read(head, block.offset) != *block
            || crc32c::crc32c_append(crc32c::crc32c(&block.head()), data) != block.crc
        {
            return Ok(None);
        }
        let bytes = self.unpacker.decompress(data, block.raw as usize);
        Ok(bytes.ok().filter(|bytes| bytes.len() == block.raw as usize))
    }
}

fn damaged(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_owned())
}

/// The frame at the beginning of what is left of a block.
fn frame_in(bytes: &[u8], offset: u64, block_end: u64) -> FrameRead {
    let torn = FrameRead::Damaged { next: Some(block_end) };
    let Some((head, rest)) = bytes.split_first_chunk::<8>() else { return torn };
    let mut head = head.as_slice();
    let (length, crc) = (u32::from_le_bytes(take(&mut head)) as usize, u32::from_le_bytes(take(&mut head)));
    match rest.get(..length) {
        Some(payload) if length > 0 && crc32c::crc32c(payload) == crc => {
            FrameRead::Frame { payload: payload.to_vec(), next: offset + 8 + length as u64 }
        }
        // The block's own checksum holds, so the frame was damaged when it was sealed.
        Some(_) if length > 0 => FrameRead::Damaged { next: Some(offset + 8 + length as u64) },
        _ => torn,
    }
}

struct Footer {
    blocks: u32,
    table_crc: u32,
    table: u64,
    dictionary: u64,
}

impl Footer {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FOOTER_BYTES);
        bytes.extend(self.blocks.to_le_bytes());
        bytes.extend(self.table_crc.to_le_bytes());
        bytes.extend(self.table.to_le_bytes());
        bytes.extend(self.dictionary.to_le_bytes());
        bytes.extend(MAGIC);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// `None` where the file does not end in one.
    fn read(file: &File, length: u64) -> io::Result<Option<Self>> {
        let mut bytes = [0; FOOTER_BYTES];
        let Some(offset) = length.checked_sub(FOOTER_BYTES as u64) else { return Ok(None) };
        if !read_whole(file, &mut bytes, offset)? {
            return Ok(None);
        }
        let rest = &mut bytes.as_slice();
        let footer = Self {
            blocks: u32::from_le_bytes(take(rest)),
            table_crc: u32::from_le_bytes(take(rest)),
            table: u64::from_le_bytes(take(rest)),
            dictionary: u64::from_le_bytes(take(rest)),
        };
        Ok((footer.bytes() == bytes).then_some(footer))
    }

    fn table(&self, file: &File, length: u64) -> io::Result<Option<Vec<Block>>> {
        let bytes = u64::from(self.blocks) * TABLE_ENTRY_BYTES as u64;
        if self.table.checked_add(bytes).and_then(|end| end.checked_add(FOOTER_BYTES as u64)) != Some(length) {
            return Ok(None);
        }
        let mut table = vec![0; usize::try_from(bytes).unwrap_or_default()];
        if !read_whole(file, &mut table, self.table)? || crc32c::crc32c(&table) != self.table_crc {
            return Ok(None);
        }
        let (entries, _) = table.as_chunks::<TABLE_ENTRY_BYTES>();
        let block = |entry: &[u8; TABLE_ENTRY_BYTES]| {
            let mut offset = entry.split_at(BLOCK_HEAD_BYTES).1;
            Block::read(entry, u64::from_le_bytes(take(&mut offset)))
        };
        Ok(Some(entries.iter().map(block).collect()))
    }
}

/// The dictionary at an offset and where it ends; `None` where it is damaged.
fn dictionary(file: &File, offset: u64) -> io::Result<Option<(Vec<u8>, u64)>> {
    let mut head = [0; 12];
    if !read_whole(file, &mut head, offset)? {
        return Ok(None);
    }
    let rest = &mut head.as_slice();
    let magic: [u8; 4] = take(rest);
    let (length, crc) = (u32::from_le_bytes(take(rest)) as usize, u32::from_le_bytes(take(rest)));
    if &magic != DICTIONARY_MAGIC || length > DICTIONARY_BYTES {
        return Ok(None);
    }
    let mut words = vec![0; length];
    let is_whole = read_whole(file, &mut words, offset + 12)? && crc32c::crc32c(&words) == crc;
    Ok(is_whole.then(|| (words, offset + 12 + length as u64)))
}

fn dictionary_section(words: &[u8]) -> Vec<u8> {
    let length = u32::try_from(words.len()).expect("a dictionary is 32 KiB");
    [DICTIONARY_MAGIC, &length.to_le_bytes()[..], &crc32c::crc32c(words).to_le_bytes(), words].concat()
}

/// The blocks by their own heads, as far as they can be followed.
fn walk_blocks(file: &File, mut offset: u64) -> io::Result<Vec<Block>> {
    let (mut blocks, mut raw_offset) = (Vec::new(), HEADER_BYTES);
    let mut head = [0; BLOCK_HEAD_BYTES];
    while read_whole(file, &mut head, offset)? {
        let block = Block::read(&head, offset);
        // What is not the continuation is the dictionary behind the blocks, or damage that hides the rest.
        if block.raw_offset != raw_offset || u64::from(block.raw) > BLOCK_BYTES_MAX || block.raw == 0 {
            break;
        }
        raw_offset = block.raw_end();
        offset += BLOCK_HEAD_BYTES as u64 + u64::from(block.packed);
        blocks.push(block);
    }
    Ok(blocks)
}

/// Seals a raw segment that is complete, and removes it once the sealed one has been read back the same. What a crash
/// left of an earlier attempt is made anew. Nothing is held in memory but a block. Returns the bytes before and after.
pub(super) fn seal(raw: &Path, first: u64) -> io::Result<(u64, u64)> {
    let (sealed, sealing) = (sealed_path(raw), sealing_path(raw));
    let source = File::open(raw)?;
    if !reads_back(&sealed, &source)? {
        write_sealed(&source, first, &sealing)?;
        if !reads_back(&sealing, &source)? {
            return Err(damaged("what was sealed does not read back"));
        }
        fail::point("journal.seal.written")?;
        fs::rename(&sealing, &sealed)?;
        sync_folder(&sealed)?;
    }
    fail::point("journal.seal.renamed")?;
    fs::remove_file(raw)?;
    fail::point("journal.seal.removed")?;
    sync_folder(&sealed)?;
    Ok((source.metadata()?.len(), fs::metadata(&sealed)?.len()))
}

/// Whether a sealed file is whole and holds exactly the bytes of the raw one.
fn reads_back(sealed: &Path, source: &File) -> io::Result<bool> {
    let Ok(mut sealed) = Sealed::open(sealed) else { return Ok(false) };
    let (mut head, mut expected) = ([0; HEADER_LENGTH], [0; HEADER_LENGTH]);
    let is_headed =
        read_whole(&sealed.file, &mut head, 0)? && read_whole(source, &mut expected, 0)? && head == expected;
    if !is_headed || !sealed.faults.is_empty() {
        return Ok(false);
    }
    let (mut at, mut expected) = (HEADER_BYTES, Vec::new());
    for block in 0..sealed.blocks.len() {
        let Some(bytes) = sealed.unpacked(block)? else { return Ok(false) };
        expected.resize(bytes.len(), 0);
        if !read_whole(source, &mut expected, at)? || bytes != expected {
            return Ok(false);
        }
        at += expected.len() as u64;
    }
    Ok(at == source.metadata()?.len())
}

fn write_sealed(source: &File, first: u64, path: &Path) -> io::Result<()> {
    let length = source.metadata()?.len();
    let words = sample(source, length)?;
    let section = dictionary_section(&words);
    let mut header = [0; HEADER_LENGTH];
    if !read_whole(source, &mut header, 0)? {
        return Err(damaged("it has no header"));
    }
    fail::point("journal.seal.create")?;
    let mut out = BufWriter::new(File::create(path)?);
    out.write_all(&header)?;
    out.write_all(&section)?;
    let offset = (HEADER_LENGTH + section.len()) as u64;
    let packer = Compressor::with_dictionary(LEVEL, &words)?;
    let mut writer = Packing { out, packer, table: Vec::new(), blocks: 0, raw_offset: HEADER_BYTES, offset };
    each_run(source, first, |run, number| writer.put(run, number))?;
    let Packing { mut out, table, blocks, offset, .. } = writer;
    out.write_all(&section)?;
    out.write_all(&table)?;
    let footer =
        Footer { blocks, table_crc: crc32c::crc32c(&table), table: offset + section.len() as u64, dictionary: offset };
    out.write_all(&footer.bytes())?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    fail::point("journal.seal.before_sync")?;
    file.sync_all()
}

/// Blocks on their way into a file.
struct Packing {
    out: BufWriter<File>,
    packer: Compressor<'static>,
    table: Vec<u8>,
    blocks: u32,
    raw_offset: u64,
    offset: u64,
}

impl Packing {
    fn put(&mut self, run: &[u8], first: u64) -> io::Result<()> {
        let data = self.packer.compress(run)?;
        let length = |length: usize| u32::try_from(length).map_err(|_| damaged("a block is too long"));
        let (raw, packed) = (length(run.len())?, length(data.len())?);
        let mut block = Block { raw_offset: self.raw_offset, first, raw, packed, crc: 0, offset: self.offset };
        block.crc = crc32c::crc32c_append(crc32c::crc32c(&block.head()), &data);
        let head = [&block.head()[..], &block.crc.to_le_bytes()].concat();
        fail::point("journal.seal.block")?;
        self.out.write_all(&head)?;
        self.out.write_all(&data)?;
        self.table.extend(head);
        self.table.extend(self.offset.to_le_bytes());
        self.blocks += 1;
        self.raw_offset = block.raw_end();
        self.offset += (BLOCK_HEAD_BYTES + data.len()) as u64;
        Ok(())
    }
}

/// Pieces from all over the segment: the words of all its senders.
fn sample(source: &File, length: u64) -> io::Result<Vec<u8>> {
    let mut words = Vec::new();
    if length < DICTIONARY_FROM_BYTES {
        return Ok(words);
    }
    let mut piece = [0; PIECE_BYTES];
    for at in (0..DICTIONARY_PIECES).map(|at| length / DICTIONARY_PIECES * at) {
        if read_whole(source, &mut piece, at)? {
            words.extend(piece);
        }
    }
    Ok(words)
}

/// Gives runs of whole frames, each at least [`BLOCK_BYTES`] long and with an entry in it, and the number of that entry.
/// Bytes that are no frame, and frames without an entry at the end, stay with the run before them.
fn each_run(source: &File, first: u64, mut give: impl FnMut(&[u8], u64) -> io::Result<()>) -> io::Result<()> {
    let (mut offset, mut run, mut number) = (HEADER_BYTES, Vec::new(), None);
    let mut complete: Option<(Vec<u8>, u64)> = None;
    loop {
        let begin = run.len();
        let frame = next_bytes(source, offset, &mut run)?;
        if run.len() == begin {
            break;
        }
        offset += (run.len() - begin) as u64;
        let payload = run.get(begin + 8..).filter(|_| frame).unwrap_or_default();
        number = number.or_else(|| payload_entries(payload).next().map(|(number, _)| number));
        if let Some(found) = number.filter(|_| run.len() >= BLOCK_BYTES) {
            if let Some((run, number)) = complete.replace((std::mem::take(&mut run), found)) {
                give(&run, number)?;
            }
            number = None;
        }
    }
    match (complete, number) {
        (Some((mut before, own)), None) => {
            before.extend(run);
            give(&before, own)
        }
        (before, number) => {
            before.map_or(Ok(()), |(run, number)| give(&run, number))?;
            if run.is_empty() { Ok(()) } else { give(&run, number.unwrap_or(first)) }
        }
    }
}

/// Appends the frame at an offset; `false` where it is none, and then all that is left. Appends nothing at the end.
fn next_bytes(source: &File, offset: u64, run: &mut Vec<u8>) -> io::Result<bool> {
    let left = usize::try_from(source.metadata()?.len().saturating_sub(offset)).unwrap_or(usize::MAX);
    let mut head = [0; 8];
    let length = if read_whole(source, &mut head, offset)? { frame_length(head, left) } else { None };
    let begin = run.len();
    run.resize(begin + length.unwrap_or(left), 0);
    if !read_whole(source, run.get_mut(begin..).unwrap_or_default(), offset)? {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(length.is_some())
}

/// Length of a frame with its own head; `None` where these bytes begin none that fits.
fn frame_length(head: [u8; 8], left: usize) -> Option<usize> {
    let length = u32::from_le_bytes(take(&mut head.as_slice())) as usize;
    (length > 0 && length <= FRAME_BYTES_MAX && left >= 8 + length).then_some(8 + length)
}
