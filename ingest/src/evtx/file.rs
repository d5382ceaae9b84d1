//! Splits an EVTX file into its chunks, one at a time, so that a file of any size needs the memory of one chunk.
//! The bytes of a chunk are kept exactly as in the file; padding and repair happen when it is parsed.

use std::fmt;
use std::io::{self, Read};

use super::{CHUNK_BYTES, CHUNK_MAGIC, FILE_HEADER_BYTES, FILE_MAGIC};

/// Most pieces of damage told of one file. A file of garbage has one per chunk; an auditor needs the first hundred and
/// the number of the rest.
const DAMAGE_LISTED_MAX: usize = 100;

/// One chunk as it stands in the file; the last one may be shorter than [`CHUNK_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// From 0, counting places in the file, so that zeroed chunks leave a gap.
    pub index: u64,
    pub bytes: Vec<u8>,
}

/// What is wrong with a file as a container. Written in Japanese, for the list of what an import could not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileDamage {
    Empty,
    /// The file header does not carry its mark; the chunks behind it are read all the same.
    HeaderMagic,
    /// The file ends inside its header.
    HeaderCut {
        bytes: usize,
    },
    /// A chunk without its mark; it is read as if it had one.
    ChunkMagic {
        index: u64,
    },
    /// A chunk of nothing but zeros where events had been.
    ChunkZeroed {
        index: u64,
    },
    ChunkCut {
        index: u64,
        bytes: usize,
    },
    /// The header counts chunks that the file does not hold.
    ChunksMissing {
        counted: u64,
        held: u64,
    },
    /// Further damage, only counted.
    Further {
        count: u64,
    },
}

impl fmt::Display for FileDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "空のファイルです"),
            Self::HeaderMagic => write!(f, "ファイルヘッダが壊れています（中の記録は読み取りました）"),
            Self::HeaderCut { bytes } => write!(f, "ファイルが {bytes} バイトで途切れています"),
            Self::ChunkMagic { index } => write!(f, "チャンク {index}: 先頭の印が壊れています"),
            Self::ChunkZeroed { index } => write!(f, "チャンク {index}: 内容が失われています（すべて 0）"),
            Self::ChunkCut { index, bytes } => write!(f, "チャンク {index}: {bytes} バイトで途切れています"),
            Self::ChunksMissing { counted, held } => {
                write!(f, "チャンクが {counted} 個あるはずですが {held} 個しかありません")
            }
            Self::Further { count } => write!(f, "ほかに {count} 件の破損があります"),
        }
    }
}

/// Whether a file that begins with these bytes is an event log. A damaged header is not recognised; go by name then.
pub fn looks_like_evtx(start: &[u8]) -> bool {
    start.starts_with(FILE_MAGIC) || start.starts_with(CHUNK_MAGIC)
}

/// Reads `reader` chunk by chunk. An item is an error only when reading itself fails; nothing follows it.
/// Ask [`Chunks::damage`] after the last chunk.
pub fn chunks<R: Read>(reader: R) -> Chunks<R> {
    Chunks { reader, header: None, next_index: 0, blank: 0, finished: false, damage: Vec::new(), unlisted: 0 }
}

/// See [`chunks`].
#[derive(Debug)]
pub struct Chunks<R> {
    reader: R,
    header: Option<FileHeader>,
    next_index: u64,
    /// All-zero chunks since the last one with content: unused room at the end of a healthy file, damage anywhere else.
    blank: u64,
    finished: bool,
    damage: Vec<FileDamage>,
    unlisted: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct FileHeader {
    /// Chunks in use; 0 where the header cannot be trusted.
    chunk_count: u64,
}

/// A file that was open when it was copied says so in its flags, and its counts are old.
const FLAG_DIRTY: u32 = 1;

impl FileHeader {
    fn parse(bytes: &[u8]) -> Self {
        let flags = bytes.get(120..124).and_then(|flags| flags.try_into().ok()).map_or(0, u32::from_le_bytes);
        let count = bytes.get(42..44).and_then(|count| count.try_into().ok()).map_or(0, u16::from_le_bytes);
        Self { chunk_count: if flags & FLAG_DIRTY == 0 { u64::from(count) } else { 0 } }
    }
}

impl<R: Read> Chunks<R> {
    /// What was found damaged so far; complete once the iterator has ended.
    pub fn damage(&self) -> Vec<FileDamage> {
        let further = (self.unlisted > 0).then_some(FileDamage::Further { count: self.unlisted });
        self.damage.iter().cloned().chain(further).collect()
    }

    /// How many pieces of damage there are, those not listed included.
    pub fn damage_count(&self) -> u64 {
        self.damage.len() as u64 + self.unlisted
    }

    fn note(&mut self, damage: FileDamage) {
        if self.damage.len() < DAMAGE_LISTED_MAX {
            self.damage.push(damage);
        } else {
            self.unlisted += 1;
        }
    }

    /// Reads the file header. A file that begins with a chunk has lost its header; those bytes are the chunk's start.
    fn read_header(&mut self) -> io::Result<Vec<u8>> {
        let bytes = read_up_to(&mut self.reader, FILE_HEADER_BYTES)?;
        self.header = Some(FileHeader::default());
        if bytes.is_empty() {
            self.note(FileDamage::Empty);
        } else if bytes.starts_with(CHUNK_MAGIC) {
            self.note(FileDamage::HeaderMagic);
            return Ok(bytes);
        } else if bytes.len() < FILE_HEADER_BYTES {
            self.note(FileDamage::HeaderCut { bytes: bytes.len() });
        } else if bytes.starts_with(FILE_MAGIC) {
            self.header = Some(FileHeader::parse(&bytes));
        } else {
            self.note(FileDamage::HeaderMagic);
        }
        Ok(Vec::new())
    }

    fn read_chunk(&mut self) -> io::Result<Option<Chunk>> {
        let mut start = if self.header.is_none() { self.read_header()? } else { Vec::new() };
        loop {
            let rest = read_up_to(&mut self.reader, CHUNK_BYTES - start.len())?;
            let bytes = [std::mem::take(&mut start), rest].concat();
            if bytes.is_empty() {
                self.finish();
                return Ok(None);
            }
            let index = self.next_index;
            self.next_index += 1;
            if bytes.iter().all(|&byte| byte == 0) {
                self.blank += 1;
                continue;
            }
            self.note_chunk(index, &bytes);
            return Ok(Some(Chunk { index, bytes }));
        }
    }

    fn note_chunk(&mut self, index: u64, bytes: &[u8]) {
        for zeroed in index - self.blank..index {
            self.note(FileDamage::ChunkZeroed { index: zeroed });
        }
        self.blank = 0;
        if !bytes.starts_with(CHUNK_MAGIC) {
            self.note(FileDamage::ChunkMagic { index });
        }
        if bytes.len() < CHUNK_BYTES {
            self.note(FileDamage::ChunkCut { index, bytes: bytes.len() });
        }
    }

    fn finish(&mut self) {
        let counted = self.header.unwrap_or_default().chunk_count;
        let used = self.next_index - self.blank;
        for zeroed in used..counted.min(self.next_index) {
            self.note(FileDamage::ChunkZeroed { index: zeroed });
        }
        if counted > self.next_index {
            self.note(FileDamage::ChunksMissing { counted, held: self.next_index });
        }
    }
}

impl<R: Read> Iterator for Chunks<R> {
    type Item = io::Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let item = self.read_chunk().transpose();
        self.finished = !matches!(item, Some(Ok(_)));
        item
    }
}

/// Reads until `limit` bytes are there or the source ends.
fn read_up_to(reader: &mut impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(limit);
    reader.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(chunk_count: u16, flags: u32) -> Vec<u8> {
        let mut bytes = vec![0; FILE_HEADER_BYTES];
        bytes[..8].copy_from_slice(FILE_MAGIC);
        bytes[42..44].copy_from_slice(&chunk_count.to_le_bytes());
        bytes[120..124].copy_from_slice(&flags.to_le_bytes());
        bytes
    }

    fn chunk() -> Vec<u8> {
        let mut bytes = vec![7; CHUNK_BYTES];
        bytes[..8].copy_from_slice(CHUNK_MAGIC);
        bytes
    }

    fn check(parts: &[Vec<u8>], indexes: &[u64], damage: &[FileDamage]) {
        let file = parts.concat();
        let mut chunks = chunks(&file[..]);
        let found: Vec<u64> = chunks.by_ref().map(|chunk| chunk.expect("memory reads").index).collect();
        assert_eq!((found.as_slice(), chunks.damage().as_slice()), (indexes, damage));
    }

    #[test]
    fn unused_room_at_the_end_is_no_damage() {
        check(&[header(2, 0), chunk(), chunk(), vec![0; 3 * CHUNK_BYTES]], &[0, 1], &[]);
    }

    #[test]
    fn zeroed_chunks_are_damage_where_events_had_been() {
        let zeroed = |index| FileDamage::ChunkZeroed { index };
        check(&[header(3, 0), chunk(), vec![0; CHUNK_BYTES], chunk()], &[0, 2], &[zeroed(1)]);
        check(&[header(2, 0), chunk(), vec![0; 2 * CHUNK_BYTES]], &[0], &[zeroed(1)]);
    }

    #[test]
    fn a_lost_header_does_not_lose_the_chunks() {
        check(&[vec![0; FILE_HEADER_BYTES], chunk()], &[0], &[FileDamage::HeaderMagic]);
        check(&[chunk(), chunk()], &[0, 1], &[FileDamage::HeaderMagic]);
    }

    #[test]
    fn a_cut_file_keeps_its_partial_chunk() {
        let cut = FileDamage::ChunkCut { index: 1, bytes: 1000 };
        let missing = FileDamage::ChunksMissing { counted: 9, held: 2 };
        check(&[header(9, 0), chunk(), chunk()[..1000].to_vec()], &[0, 1], &[cut.clone(), missing]);
        check(&[header(9, FLAG_DIRTY), chunk(), chunk()[..1000].to_vec()], &[0, 1], &[cut]);
    }

    #[test]
    fn what_is_no_event_log_is_told() {
        check(&[], &[], &[FileDamage::Empty]);
        check(&[b"ElfFile".to_vec()], &[], &[FileDamage::HeaderCut { bytes: 7 }]);
    }

    #[test]
    fn damage_is_counted_beyond_what_is_listed() {
        let file = vec![1; FILE_HEADER_BYTES + 150 * CHUNK_BYTES];
        let mut chunks = chunks(&file[..]);
        assert_eq!(chunks.by_ref().count(), 150);
        assert_eq!(chunks.damage().len(), DAMAGE_LISTED_MAX + 1);
        assert_eq!(chunks.damage_count(), 151);
    }
}
