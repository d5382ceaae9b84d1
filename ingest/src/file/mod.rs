//! Files to records: which files below the named paths are logs, what kind each is, and its records one at a time.
//! Import, `detect`, `parse` and watched folders all read files here, so a file means the same to each of them.
//!
//! A file may be packed (gzip, xz, zstd) or stand in a zip archive; it is unpacked as a stream, and no more of it is held
//! than one record. Nothing is written to disk.

mod charset;
mod find;
mod gaps;
mod lines;
mod objects;
pub(crate) mod rows;
#[cfg(test)]
mod tests;
mod unpack;
mod zip;

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use monban_event::{FileHints, FilePosition, Format, Origin, Record, RecordId, Transport};

use crate::evtx::{self, Chunks};
use charset::Charset;
pub use find::{Found, Listing, find, find_in, list};
use gaps::Numbers;
use lines::Lines;
use objects::Objects;
use rows::Rows;
use unpack::{Account, Disk, Packing, Unpacked};

/// Largest zip archive inside another packing that is read: it has to be held whole, because its directory stands at its
/// end.
const INNER_ARCHIVE_BYTES_MAX: u64 = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    EventLog,
    /// Text, a record a line; a line that is a JSON object is one of a forwarder.
    Lines,
    /// CSV with a header line, a record a row.
    Rows,
    /// JSON that is not one object a line, a record an object.
    Objects,
}

/// One log: a file on disk, or what is packed in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// On disk.
    pub path: PathBuf,
    /// As people see it, with the way inside an archive: `a.zip/Security.evtx`.
    pub shown: String,
    pub kind: FileKind,
    /// What it takes on disk; what a progress bar counts to.
    pub disk_bytes: u64,
    layers: Vec<Layer>,
    charset: Charset,
}

/// What has to be taken off to come to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Layer {
    Unpack(Packing),
    Member(zip::Member),
}

#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("read {path}")]
    Read { path: PathBuf, source: io::Error },
}

impl InputFile {
    /// A file of lines, without a look into it.
    pub fn lines(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            shown: path.to_string_lossy().into_owned(),
            kind: FileKind::Lines,
            disk_bytes: 0,
            layers: Vec::new(),
            charset: Charset::Bytes,
        }
    }

    /// Whether the bytes on disk are the log's own, so that it can be read on from a place in it.
    pub fn is_plain(&self) -> bool {
        self.layers.is_empty()
    }

    /// Whether the log grows at its end as it is written, a record at a time.
    pub fn can_be_followed(&self) -> bool {
        self.is_plain() && matches!(self.kind, FileKind::Lines | FileKind::Rows)
    }

    /// The log's own bytes, unpacked.
    pub fn content(&self) -> io::Result<Content> {
        let account = Account::default();
        let reader = self.open(&self.layers, &account)?;
        Ok(Content { reader, account })
    }

    fn open(&self, layers: &[Layer], account: &Account) -> io::Result<Box<dyn Read + Send>> {
        let disk = Disk { inner: File::open(&self.path)?, account: account.clone() };
        match layers {
            [] => Ok(Box::new(disk)),
            [Layer::Member(member)] => member.open(disk, account),
            [above @ .., Layer::Member(member)] => match self.hold(above, account)? {
                Some(bytes) => member.open(Cursor::new(bytes), account),
                None => Ok(Box::new(io::empty())),
            },
            [above @ .., Layer::Unpack(packing)] => {
                let packed = self.open(above, account)?;
                Ok(Box::new(Unpacked::new(*packing, packed, self.disk_bytes, account)))
            }
        }
    }

    /// A plain file from a place in it on.
    fn open_on(&self, account: &Account, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(Disk { inner: file, account: account.clone() }))
    }

    /// What stands inside the layers, whole; `None` where it is too much to hold.
    fn hold(&self, layers: &[Layer], account: &Account) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        self.open(layers, account)?.take(INNER_ARCHIVE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= INNER_ARCHIVE_BYTES_MAX).then_some(bytes))
    }

    fn held(&self) -> io::Result<Option<Vec<u8>>> {
        self.hold(&self.layers, &Account::default())
    }
}

/// See [`InputFile::content`].
pub struct Content {
    reader: Box<dyn Read + Send>,
    account: Account,
}

impl Content {
    /// What is wrong with the packing, in Japanese; complete at the end.
    pub fn damage(&self) -> Vec<String> {
        self.account.notes()
    }

    /// Whether it unpacks to more than any log does; what was read of it is to be thrown away.
    pub fn is_bomb(&self) -> bool {
        self.account.is_bomb()
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl Seek for Disk<File> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// Where in a log to begin: a place between two records and the index of the record behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    pub offset: u64,
    pub index: u64,
}

/// What every record of a file has in common.
#[derive(Clone, Debug, Default)]
pub struct Receipt {
    pub received_at: DateTime<Utc>,
    /// The act that opened the import, 0 outside a journal.
    pub import: RecordId,
    /// What whoever handed the file in said about it.
    pub hints: Option<Arc<FileHints>>,
}

/// The records of one file, in its order, holding one at a time.
pub struct FileRecords {
    source: Source,
    shown: Arc<str>,
    receipt: Receipt,
    account: Account,
    next_index: u64,
    numbers: Numbers,
    /// A last line that no line feed ends is still being written.
    holds_back: bool,
    /// Bytes of the log in front of the next record.
    position: u64,
}

enum Source {
    Chunks(Box<Chunks<BufReader<Content>>>),
    Lines(Lines<Content>),
    Rows(Rows<Content>),
    Objects(Objects<Content>),
}

/// A record's bytes and what is known of them.
struct Piece {
    index: u64,
    bytes: Vec<u8>,
    cut: bool,
    format: Format,
    ended: bool,
}

impl FileRecords {
    pub fn open(file: &InputFile, receipt: Receipt) -> Result<Self, InputError> {
        Self::open_at(file, receipt, Start::default())
    }

    /// Reads on from a place in a log that can be followed; any other is read from its beginning.
    pub fn open_at(file: &InputFile, receipt: Receipt, start: Start) -> Result<Self, InputError> {
        let start = if file.can_be_followed() { start } else { Start::default() };
        let account = Account::default();
        let source = Self::source(file, &account, start.offset)
            .map_err(|source| InputError::Read { path: file.path.clone(), source })?;
        let (shown, numbers) = (Arc::from(file.shown.as_str()), Numbers::default());
        let (next_index, position) = (start.index, start.offset);
        Ok(Self { source, shown, receipt, account, next_index, numbers, holds_back: false, position })
    }

    fn source(file: &InputFile, account: &Account, offset: u64) -> io::Result<Source> {
        let content = |offset: u64| -> io::Result<Content> {
            let reader = if offset == 0 { file.open(&file.layers, account)? } else { file.open_on(account, offset)? };
            Ok(Content { reader, account: account.clone() })
        };
        Ok(match file.kind {
            FileKind::EventLog => {
                let reader = BufReader::with_capacity(evtx::CHUNK_BYTES, content(0)?);
                Source::Chunks(Box::new(evtx::file::chunks(reader)))
            }
            FileKind::Objects => Source::Objects(Objects::new(content(0)?, file.charset)),
            FileKind::Lines => Source::Lines(Lines::new(content(offset)?, file.charset, offset)),
            FileKind::Rows if offset > 0 => {
                let header = Rows::new(content(0)?, file.charset).header()?;
                Source::Rows(Rows::behind(header, content(offset)?, file.charset, offset))
            }
            FileKind::Rows => Source::Rows(Rows::new(content(0)?, file.charset)),
        })
    }

    /// Leaves a last line or row that nothing ends for later: the file is still being written.
    #[must_use]
    pub fn holding_back(mut self) -> Self {
        self.holds_back = true;
        self
    }

    /// Where the next record begins; what a later [`FileRecords::open_at`] wants.
    pub fn place(&self) -> Start {
        Start { offset: self.position, index: self.next_index }
    }

    /// Bytes of the file on disk read so far.
    pub fn read_bytes(&self) -> u64 {
        self.account.read_bytes()
    }

    /// What is wrong with the file as a container; complete once the iterator has ended.
    pub fn damage(&self) -> Vec<String> {
        let mut damage = self.account.notes();
        match &self.source {
            Source::Chunks(chunks) => damage.extend(chunks.damage().iter().map(ToString::to_string)),
            Source::Objects(objects) => damage.extend(objects.damage()),
            Source::Lines(_) | Source::Rows(_) => {}
        }
        damage
    }

    /// What is worth knowing and no damage, in Japanese; complete once the iterator has ended.
    pub fn notes(&self) -> Vec<String> {
        self.numbers.holes().iter().map(ToString::to_string).collect()
    }

    fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        let index = self.next_index;
        let piece = match &mut self.source {
            Source::Chunks(chunks) => {
                let Some(chunk) = chunks.next().transpose()? else { return Ok(None) };
                self.numbers.chunk(&chunk.bytes);
                let (index, bytes) = (chunk.index, chunk.bytes);
                Some(Piece { index, bytes, cut: false, format: Format::EvtxChunk, ended: true })
            }
            Source::Lines(lines) => lines.next_line()?.map(|line| {
                let format =
                    if is_object(&line.bytes) || is_wide_object(&line.bytes) { Format::Json } else { Format::Syslog };
                Piece { index, bytes: line.bytes, cut: line.cut, format, ended: line.ended }
            }),
            Source::Rows(rows) => rows.next_row()?.map(|row| Piece {
                index,
                bytes: row.bytes,
                cut: row.cut,
                format: Format::Csv,
                ended: row.ended,
            }),
            Source::Objects(objects) => objects.next_object()?.map(|(bytes, cut)| Piece {
                index,
                bytes,
                cut,
                format: Format::Json,
                ended: true,
            }),
        };
        Ok(piece.filter(|piece| piece.ended || !self.holds_back))
    }

    fn record(&mut self, piece: Piece) -> Record {
        self.next_index = piece.index + 1;
        self.position = match &self.source {
            Source::Lines(lines) => lines.position(),
            Source::Rows(rows) => rows.position(),
            Source::Chunks(_) | Source::Objects(_) => 0,
        };
        let file = FilePosition {
            import: self.receipt.import,
            path: Arc::clone(&self.shown),
            index: piece.index,
            hints: self.receipt.hints.clone(),
        };
        Record {
            received_at: self.receipt.received_at,
            origin: Origin::Import,
            transport: Transport::File,
            peer: None,
            identity: None,
            format: piece.format,
            file: Some(file),
            bytes: piece.bytes,
            cut: piece.cut,
        }
    }
}

/// Whether a line is one JSON object, as forwarders write them, and not a header with JSON behind it.
fn is_object(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii();
    line.starts_with(b"{\"") && line.ends_with(b"}")
}

/// The same in UTF-16, which has a mark in front.
fn is_wide_object(line: &[u8]) -> bool {
    let charset = Charset::of(line);
    charset.is_wide() && is_object(crate::text::decode(line, None).text.as_bytes())
}

impl Iterator for FileRecords {
    /// An error ends the file: reading itself failed.
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_piece() {
            Ok(found) => found.map(|piece| Ok(self.record(piece))),
            Err(error) => Some(Err(error)),
        }
    }
}
