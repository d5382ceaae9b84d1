//! The members of a zip archive. Owns the archive's directory and where a member's bytes stand; unpacking them is
//! [`super::unpack`]'s. Nothing is ever written to the names that an archive gives. Format: PKWARE APPNOTE 6.3.
//!
//! Quirks: the directory stands at the end and its place is counted from an unknown start when something was put in
//! front; files above 4 GiB keep their sizes in an extra field; the explorer of a Japanese Windows writes names in CP932.

use std::io::{self, Read, Seek, SeekFrom};

use flate2::Crc;

use super::unpack::{Account, Packing, Unpacked};
use crate::text;

/// Most members read of one archive: a hospital's month of rotated logs has some hundreds. One with more is refused.
const MEMBERS_MAX: u64 = 10_000;

/// The end record and the longest comment behind it.
const END_BYTES_MAX: u64 = 22 + 65_535;

/// Longest name kept, in characters.
const NAME_CHARACTERS_MAX: usize = 512;

const END: [u8; 4] = *b"PK\x05\x06";
const END64_LOCATOR: [u8; 4] = *b"PK\x06\x07";
const END64: [u8; 4] = *b"PK\x06\x06";
const DIRECTORY_ENTRY: [u8; 4] = *b"PK\x01\x02";
const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";

/// Stands in the old fields where the extra field has the number.
const IN_EXTRA: u32 = u32::MAX;
const EXTRA_ZIP64: u16 = 1;

const FLAG_ENCRYPTED: u16 = 1;
const FLAG_UTF8: u16 = 1 << 11;

/// Why an archive cannot be read, in Japanese.
#[derive(Debug, thiserror::Error)]
pub(super) enum ZipError {
    #[error("zip の目録が見つかりません（途中で切れているか、zip ではありません）")]
    NoDirectory,
    #[error("zip の目録が壊れています")]
    BadDirectory,
    #[error("zip の中のファイルが多すぎます（{0} 個、上限 {MEMBERS_MAX} 個）。分けて渡してください")]
    TooMany(u64),
    #[error("zip の中のファイルが重なり合っています（圧縮爆弾の疑い）")]
    Overlap,
    #[error("読み取りに失敗しました（{0}）")]
    Read(#[from] io::Error),
}

/// Whether a file begins like a zip archive.
pub(super) fn looks_like_zip(start: &[u8]) -> bool {
    start.starts_with(&LOCAL_HEADER) || start.starts_with(&END)
}

/// One file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Made harmless: no drive, no root, no way up.
    pub(super) name: String,
    pub(super) packed_bytes: u64,
    /// Where its local header stands in the file.
    header_offset: u64,
    method: u16,
    crc: u32,
    is_encrypted: bool,
}

/// The files of an archive in the order of its directory.
pub(super) fn members<R: Read + Seek>(reader: &mut R) -> Result<Vec<Member>, ZipError> {
    let end = find_end(reader)?;
    if end.members > MEMBERS_MAX {
        return Err(ZipError::TooMany(end.members));
    }
    reader.seek(SeekFrom::Start(end.directory_offset))?;
    let mut directory = io::BufReader::new(reader.take(end.directory_bytes));
    let (mut found, mut seen, mut packed_bytes) = (Vec::new(), 0, 0_u64);
    while let Some(member) = next_member(&mut directory, end.shift)? {
        seen += 1;
        if seen > MEMBERS_MAX {
            return Err(ZipError::TooMany(seen));
        }
        // What one member may swell to is bounded by its size; members that share their bytes would each have that much.
        packed_bytes = packed_bytes.saturating_add(member.packed_bytes);
        if packed_bytes > end.directory_offset {
            return Err(ZipError::Overlap);
        }
        if !member.name.ends_with('/') {
            found.push(Member { name: harmless(&member.name), ..member });
        }
    }
    Ok(found)
}

struct End {
    members: u64,
    directory_offset: u64,
    directory_bytes: u64,
    /// Bytes that were put in front of the archive.
    shift: u64,
}

fn find_end<R: Read + Seek>(reader: &mut R) -> Result<End, ZipError> {
    let length = reader.seek(SeekFrom::End(0))?;
    let tail_start = length.saturating_sub(END_BYTES_MAX);
    reader.seek(SeekFrom::Start(tail_start))?;
    let mut tail = Vec::new();
    reader.take(END_BYTES_MAX).read_to_end(&mut tail)?;
    let at = memchr::memmem::rfind_iter(&tail, &END).find(|&at| ends_here(&tail, at)).ok_or(ZipError::NoDirectory)?;
    let end_offset = tail_start + at as u64;
    let record = tail.get(at..).unwrap_or_default();
    let short = (number::<2>(record, 10), number::<4>(record, 12), number::<4>(record, 16));
    let (Some(members), Some(bytes), Some(offset)) = short else { return Err(ZipError::NoDirectory) };
    let (members, bytes, offset, behind) = match at.checked_sub(20).and_then(|at| tail.get(at..at + 20)) {
        Some(locator) if locator.starts_with(&END64_LOCATOR) => long_end(reader, locator)?,
        _ => (members, bytes, offset, end_offset),
    };
    let directory_offset = behind.checked_sub(bytes).ok_or(ZipError::BadDirectory)?;
    let shift = directory_offset.checked_sub(offset).ok_or(ZipError::BadDirectory)?;
    Ok(End { members, directory_offset, directory_bytes: bytes, shift })
}

/// The record's comment runs to the end of the file.
fn ends_here(tail: &[u8], at: usize) -> bool {
    let comment = number::<2>(tail.get(at..).unwrap_or_default(), 20);
    comment.is_some_and(|comment| at as u64 + 22 + comment <= tail.len() as u64)
}

/// Members, directory bytes, directory offset and where the long end record stands.
fn long_end<R: Read + Seek>(reader: &mut R, locator: &[u8]) -> Result<(u64, u64, u64, u64), ZipError> {
    let offset = number::<8>(locator, 8).ok_or(ZipError::BadDirectory)?;
    reader.seek(SeekFrom::Start(offset))?;
    let mut record = [0; 56];
    reader.read_exact(&mut record).map_err(|_| ZipError::BadDirectory)?;
    let numbers = (number::<8>(&record, 32), number::<8>(&record, 40), number::<8>(&record, 48));
    match numbers {
        (Some(members), Some(bytes), Some(start)) if record.starts_with(&END64) => Ok((members, bytes, start, offset)),
        _ => Err(ZipError::BadDirectory),
    }
}

fn next_member(directory: &mut impl Read, shift: u64) -> Result<Option<Member>, ZipError> {
    let mut fixed = [0; 46];
    let mut start = Vec::new();
    directory.by_ref().take(46).read_to_end(&mut start)?;
    if start.is_empty() {
        return Ok(None);
    }
    if start.len() < fixed.len() || !start.starts_with(&DIRECTORY_ENTRY) {
        return Err(ZipError::BadDirectory);
    }
    fixed.copy_from_slice(&start);
    let small = |at| number::<2>(&fixed, at).unwrap_or_default();
    let word = |at| number::<4>(&fixed, at).unwrap_or_default();
    let mut rest = |bytes: u64| -> Result<Vec<u8>, ZipError> {
        let mut read = Vec::new();
        directory.by_ref().take(bytes).read_to_end(&mut read)?;
        if read.len() as u64 == bytes { Ok(read) } else { Err(ZipError::BadDirectory) }
    };
    let (name, extra, _) = (rest(small(28))?, rest(small(30))?, rest(small(32))?);
    let (packed_bytes, offset) = long_numbers(&extra, word(24), word(20), word(42));
    let flags = u16::try_from(small(8)).unwrap_or_default();
    Ok(Some(Member {
        name: decode_name(&name, flags & FLAG_UTF8 != 0),
        packed_bytes,
        header_offset: offset.checked_add(shift).ok_or(ZipError::BadDirectory)?,
        method: u16::try_from(small(10)).unwrap_or_default(),
        crc: u32::try_from(word(16)).unwrap_or_default(),
        is_encrypted: flags & FLAG_ENCRYPTED != 0,
    }))
}

/// Packed size and offset, from the zip64 field where the old ones refer to it. It holds only those that overflowed, in
/// this order: size, packed size, offset.
fn long_numbers(extra: &[u8], size: u64, packed: u64, offset: u64) -> (u64, u64) {
    let is_long = |short: u64| short == u64::from(IN_EXTRA);
    let mut field = zip64_field(extra).unwrap_or_default();
    let mut next = |short: u64| {
        if !is_long(short) {
            return short;
        }
        let value = number::<8>(field, 0).unwrap_or(short);
        field = field.get(8..).unwrap_or_default();
        value
    };
    next(size);
    (next(packed), next(offset))
}

fn zip64_field(mut extra: &[u8]) -> Option<&[u8]> {
    loop {
        let (kind, bytes) = (number::<2>(extra, 0)?, usize::try_from(number::<2>(extra, 2)?).ok()?);
        if kind == u64::from(EXTRA_ZIP64) {
            return extra.get(4..4 + bytes);
        }
        extra = extra.get(4 + bytes..)?;
    }
}

/// A little-endian number of `N` bytes.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + N)?;
    Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

fn decode_name(name: &[u8], is_utf8: bool) -> String {
    let name = if is_utf8 { String::from_utf8_lossy(name) } else { text::decode(name, None).text };
    name.chars().take(NAME_CHARACTERS_MAX).collect::<String>().replace('\\', "/")
}

/// A name is only shown, never opened; even so it shall not look like a place outside the archive.
fn harmless(name: &str) -> String {
    let parts = name.split('/').filter(|part| !matches!(*part, "" | "." | ".."));
    let clean = |part: &str| part.chars().map(|c| if c.is_control() || c == ':' { '_' } else { c }).collect::<String>();
    parts.map(clean).collect::<Vec<_>>().join("/")
}

impl Member {
    /// The member's bytes, unpacked, out of the archive they stand in. What hinders is told to `account`.
    pub(super) fn open<R: Read + Seek + Send + 'static>(
        &self,
        mut archive: R,
        account: &Account,
    ) -> io::Result<Box<dyn Read + Send>> {
        if self.is_encrypted {
            account.note("パスワード付きのため読めません。パスワードを外して渡してください".to_owned());
            return Ok(Box::new(io::empty()));
        }
        let Some(start) = self.data_offset(&mut archive)? else {
            account.note("zip の中の見出しが壊れています".to_owned());
            return Ok(Box::new(io::empty()));
        };
        archive.seek(SeekFrom::Start(start))?;
        let packed = archive.take(self.packed_bytes);
        let packing = match self.method {
            0 => None,
            8 => Some(Packing::Deflate),
            9 => Some(Packing::Deflate64),
            93 => Some(Packing::Zstd),
            95 => Some(Packing::Xz),
            other => {
                account.note(format!("対応していない圧縮方式です（zip の方式 {other}）"));
                return Ok(Box::new(io::empty()));
            }
        };
        let account = account.clone();
        let checked = |inner| Checked { inner, crc: Crc::new(), wanted: self.crc, account: account.clone() };
        Ok(match packing {
            None => Box::new(checked(Box::new(packed) as Box<dyn Read + Send>)),
            Some(packing) => Box::new(checked(Box::new(Unpacked::new(packing, packed, self.packed_bytes, &account)))),
        })
    }

    fn data_offset<R: Read + Seek>(&self, archive: &mut R) -> io::Result<Option<u64>> {
        archive.seek(SeekFrom::Start(self.header_offset))?;
        let mut header = Vec::new();
        archive.take(30).read_to_end(&mut header)?;
        let lengths = (number::<2>(&header, 26), number::<2>(&header, 28));
        Ok(match lengths {
            (Some(name), Some(extra)) if header.starts_with(&LOCAL_HEADER) => {
                self.header_offset.checked_add(30 + name + extra)
            }
            _ => None,
        })
    }
}

/// Compares what was read with the archive's check sum, at the end.
struct Checked {
    inner: Box<dyn Read + Send>,
    crc: Crc,
    wanted: u32,
    account: Account,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.crc.update(buffer.get(..read).unwrap_or_default());
        // What is known to be damaged is not told twice.
        if read == 0 && !buffer.is_empty() && self.crc.sum() != self.wanted && self.account.notes().is_empty() {
            self.account.note("zip の検査値が合いません（中身が壊れています）".to_owned());
        }
        Ok(read)
    }
}

#[cfg(test)]
pub(crate) mod sample {
    //! Archives made by hand.

    use std::io::Write;

    /// Names, contents; every second one packed.
    pub(crate) fn archive(files: &[(&[u8], &[u8])]) -> Vec<u8> {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for (index, (name, content)) in files.iter().enumerate() {
            let offset = u32::try_from(bytes.len()).expect("small");
            let packed = index % 2 == 1;
            let data = if packed { deflate(content) } else { content.to_vec() };
            let mut crc = flate2::Crc::new();
            crc.update(content);
            let mut common = vec![20, 0, 0, 0, if packed { 8 } else { 0 }, 0, 0, 0, 0, 0];
            common.extend(crc.sum().to_le_bytes());
            common.extend(u32::try_from(data.len()).expect("small").to_le_bytes());
            common.extend(u32::try_from(content.len()).expect("small").to_le_bytes());
            common.extend(u16::try_from(name.len()).expect("small").to_le_bytes());
            common.extend([0, 0]);
            bytes.extend([super::LOCAL_HEADER.as_slice(), &common, name, &data].concat());
            directory.extend([super::DIRECTORY_ENTRY.as_slice(), &[20, 0], &common, &[0; 10]].concat());
            directory.extend(offset.to_le_bytes());
            directory.extend_from_slice(name);
        }
        end(bytes, &directory, files.len())
    }

    pub(crate) fn end(mut bytes: Vec<u8>, directory: &[u8], count: usize) -> Vec<u8> {
        let start = u32::try_from(bytes.len()).expect("small");
        let count = u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes();
        bytes.extend_from_slice(directory);
        bytes.extend([super::END.as_slice(), &[0; 4], &count, &count].concat());
        bytes.extend(u32::try_from(directory.len()).expect("small").to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    }

    fn deflate(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(content).expect("memory writes");
        encoder.finish().expect("memory writes")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn read(bytes: &[u8]) -> (Vec<(String, String)>, Vec<String>) {
        let account = Account::default();
        let mut found = Vec::new();
        for member in members(&mut Cursor::new(bytes)).expect("a directory") {
            let mut content = String::new();
            let mut reader = member.open(Cursor::new(bytes.to_vec()), &account).expect("memory reads");
            reader.read_to_string(&mut content).expect("text");
            found.push((member.name, content));
        }
        (found, account.notes())
    }

    fn pair(name: &str, content: &str) -> (String, String) {
        (name.to_owned(), content.to_owned())
    }

    #[test]
    fn members_are_read_wherever_the_archive_begins() {
        let packed = "line\n".repeat(1000);
        let bytes = sample::archive(&[(b"a.log", b"stored\n"), (b"dir/b.log", packed.as_bytes()), (b"dir/", b"")]);
        let expected = vec![pair("a.log", "stored\n"), pair("dir/b.log", &packed)];
        assert_eq!(read(&bytes), (expected.clone(), vec![]));
        assert_eq!(read(&[b"#!/bin/sh\n".as_slice(), &bytes].concat()), (expected, vec![]));
        assert_eq!(read(&sample::archive(&[])).0, vec![]);
    }

    #[test]
    fn names_in_cp932_and_names_that_lead_outside() {
        let bytes = sample::archive(&[
            (b"\x8e\xf3\x95t.log", b"x"),
            (b"../../etc/passwd", b"y"),
            (b"C:\\Windows\\a.evtx", b"z"),
        ]);
        let names: Vec<_> = read(&bytes).0.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["受付.log", "etc/passwd", "C_/Windows/a.evtx"]);
    }

    #[test]
    fn damage_is_told() {
        let mut bytes = sample::archive(&[(b"a.log", b"stored\n")]);
        bytes[35] ^= 1;
        assert_eq!(read(&bytes).1, ["zip の検査値が合いません（中身が壊れています）"]);
        bytes[0] = 0;
        assert_eq!(read(&bytes).1, ["zip の中の見出しが壊れています"]);
        for cut in [0, 10, 40, bytes.len() - 5] {
            assert!(members(&mut Cursor::new(&bytes[..cut])).is_err(), "{cut}");
        }
    }

    #[test]
    fn no_byte_of_an_archive_can_do_harm() {
        let whole = sample::archive(&[(b"a.log", b"stored\n"), (b"b.log", &b"packed\n".repeat(50))]);
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let Ok(found) = members(&mut Cursor::new(&bytes)) else { continue };
                for member in found {
                    let mut reader =
                        member.open(Cursor::new(bytes.clone()), &Account::default()).expect("memory reads");
                    io::copy(&mut reader, &mut io::sink()).expect("damage is no failure");
                }
            }
        }
    }

    #[test]
    fn members_that_share_their_bytes_are_refused() {
        let bytes = sample::archive(&[(b"a.log", &[b'x'; 400])]);
        let at = memchr::memmem::rfind(&bytes, &DIRECTORY_ENTRY).expect("a directory");
        let entry = &bytes[at..bytes.len() - 22];
        let shared = sample::end(bytes[..at].to_vec(), &entry.repeat(2), 2);
        assert!(matches!(members(&mut Cursor::new(shared)), Err(ZipError::Overlap)));
    }

    #[test]
    fn too_many_members_are_refused_whatever_the_end_says() {
        let mut entry = [DIRECTORY_ENTRY.as_slice(), &[0; 42]].concat();
        entry[28] = 1;
        entry.push(b'x');
        let directory = entry.repeat(20_000);
        for told in [20_000, 1] {
            let bytes = sample::end(Vec::new(), &directory, told);
            assert!(matches!(members(&mut Cursor::new(bytes)), Err(ZipError::TooMany(_))), "{told}");
        }
    }
}
