//! Files to records: which files below the named paths are logs, what kind each is, and its records one at a time.
//! Import, `detect` and `parse` all read files here, so a file means the same to each of them.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use monban_event::{FilePosition, Format, Origin, Record, RecordId, Transport, limits};

use crate::evtx::{self, Chunks};

/// Folders below a named folder that are followed; deeper is a loop of links.
const FOLDER_DEPTH_MAX: usize = 64;
/// Enough of a file's beginning to know what it is.
const START_BYTES: u64 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    EventLog,
    /// Syslog text, a record a line.
    Lines,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    pub path: PathBuf,
    pub kind: FileKind,
}

#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}: more than {FOLDER_DEPTH_MAX} folders deep")]
    TooDeep { path: PathBuf },
}

/// The log files below the paths, and those passed over because neither name nor content says they are logs. What is
/// below one folder is sorted; the order of the arguments is kept. A file that is named itself is always read.
pub fn find(paths: &[PathBuf]) -> Result<(Vec<InputFile>, Vec<PathBuf>), InputError> {
    let (mut found, mut passed_over) = (Vec::new(), Vec::new());
    for named in paths {
        let mut below = Vec::new();
        walk(named, FOLDER_DEPTH_MAX, &mut below)?;
        below.sort();
        for path in below {
            let kind = kind_of(&path)?.or((path == *named).then_some(FileKind::Lines));
            match kind {
                Some(kind) => found.push(InputFile { path, kind }),
                None => passed_over.push(path),
            }
        }
    }
    Ok((found, passed_over))
}

fn walk(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), InputError> {
    let reading = |source| InputError::Read { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(reading)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    if depth == 0 {
        return Err(InputError::TooDeep { path: path.to_owned() });
    }
    for entry in fs::read_dir(path).map_err(reading)? {
        walk(&entry.map_err(reading)?.path(), depth - 1, files)?;
    }
    Ok(())
}

fn kind_of(path: &Path) -> Result<Option<FileKind>, InputError> {
    let reading = |source| InputError::Read { path: path.to_owned(), source };
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(START_BYTES).read_to_end(&mut start)).map_err(reading)?;
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    Ok(match extension.as_deref() {
        Some("evtx") => Some(FileKind::EventLog),
        _ if evtx::looks_like_evtx(&start) => Some(FileKind::EventLog),
        Some("log" | "txt" | "syslog") => Some(FileKind::Lines),
        _ => None,
    })
}

/// The records of one file, in its order, holding one at a time.
pub struct FileRecords {
    source: Source,
    path: Arc<str>,
    received_at: DateTime<Utc>,
    import: RecordId,
}

enum Source {
    Chunks(Chunks<BufReader<File>>),
    Lines { reader: BufReader<File>, index: u64 },
}

impl FileRecords {
    /// `import` is the act that opened the import, 0 outside a journal.
    pub fn open(file: &InputFile, received_at: DateTime<Utc>, import: RecordId) -> Result<Self, InputError> {
        let opened = File::open(&file.path).map_err(|source| InputError::Read { path: file.path.clone(), source })?;
        let reader = BufReader::with_capacity(evtx::CHUNK_BYTES, opened);
        let source = match file.kind {
            FileKind::EventLog => Source::Chunks(evtx::file::chunks(reader)),
            FileKind::Lines => Source::Lines { reader, index: 0 },
        };
        Ok(Self { source, path: Arc::from(file.path.to_string_lossy()), received_at, import })
    }

    /// Records then say that they come from a file of this name: an upload lies under one that means nothing.
    #[must_use]
    pub fn named(self, path: &Path) -> Self {
        Self { path: Arc::from(path.to_string_lossy()), ..self }
    }

    /// What is wrong with the file as a container; complete once the iterator has ended.
    pub fn damage(&self) -> Vec<String> {
        match &self.source {
            Source::Chunks(chunks) => chunks.damage().iter().map(ToString::to_string).collect(),
            Source::Lines { .. } => Vec::new(),
        }
    }

    fn next_bytes(&mut self) -> io::Result<Option<(u64, Vec<u8>, bool)>> {
        match &mut self.source {
            Source::Chunks(chunks) => Ok(chunks.next().transpose()?.map(|chunk| (chunk.index, chunk.bytes, false))),
            Source::Lines { reader, index } => {
                let line = next_line(reader)?.map(|(line, cut)| (*index, line, cut));
                *index += 1;
                Ok(line)
            }
        }
    }

    fn record(&self, index: u64, bytes: Vec<u8>, cut: bool) -> Record {
        let format = match self.source {
            Source::Chunks(_) => Format::EvtxChunk,
            Source::Lines { .. } => Format::Syslog,
        };
        Record {
            received_at: self.received_at,
            origin: Origin::Import,
            transport: Transport::File,
            peer: None,
            identity: None,
            format,
            file: Some(FilePosition { import: self.import, path: Arc::clone(&self.path), index }),
            bytes,
            cut,
        }
    }
}

impl Iterator for FileRecords {
    /// An error ends the file: reading itself failed.
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_bytes() {
            Ok(found) => found.map(|(index, bytes, cut)| Ok(self.record(index, bytes, cut))),
            Err(error) => Some(Err(error)),
        }
    }
}

/// The next line without its end, and whether its rest was thrown away; `None` behind the last. An empty piece behind
/// the last line end is no line, and no line is held beyond [`limits::RECORD_BYTES_MAX`].
fn next_line(reader: &mut impl BufRead) -> io::Result<Option<(Vec<u8>, bool)>> {
    let mut line = Vec::new();
    let (mut cut, mut any) = (false, false);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(any.then_some((line, cut)));
        }
        any = true;
        let end = memchr::memchr(b'\n', buffer);
        let piece = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        let room = limits::RECORD_BYTES_MAX - line.len();
        cut |= piece.len() > room;
        line.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(Some((line, cut)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(bytes: &[u8]) -> Vec<(u64, usize, bool)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sample.log");
        fs::write(&path, bytes).unwrap();
        let file = InputFile { path, kind: FileKind::Lines };
        FileRecords::open(&file, DateTime::default(), RecordId(0))
            .unwrap()
            .map(|record| record.unwrap())
            .map(|record| (record.file.unwrap().index, record.bytes.len(), record.cut))
            .collect()
    }

    #[test]
    fn every_line_is_one_record() {
        assert_eq!(records(b""), []);
        assert_eq!(records(b"a\n\nbb"), [(0, 1, false), (1, 0, false), (2, 2, false)]);
        assert_eq!(records(b"a\r\nb\n"), [(0, 2, false), (1, 1, false)]);
    }

    #[test]
    fn a_line_beyond_the_bound_is_cut_and_the_next_is_whole() {
        let mut bytes = vec![b'x'; limits::RECORD_BYTES_MAX + 9];
        bytes.extend(b"\nnext\n");
        assert_eq!(records(&bytes), [(0, limits::RECORD_BYTES_MAX, true), (1, 4, false)]);
    }

    #[test]
    fn folders_give_their_logs_sorted_and_name_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.log", "a.evtx", "note.md", "c.TXT"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let (found, passed_over) = find(&[dir.path().to_owned()]).unwrap();
        let names: Vec<_> =
            found.iter().map(|file| (file.path.file_name().unwrap().to_str().unwrap(), file.kind)).collect();
        assert_eq!(names, [("a.evtx", FileKind::EventLog), ("b.log", FileKind::Lines), ("c.TXT", FileKind::Lines)]);
        assert_eq!(passed_over, [dir.path().join("note.md")]);
        let (named, _) = find(&[dir.path().join("note.md")]).unwrap();
        assert_eq!(named[0].kind, FileKind::Lines, "a file that is named is read");
    }
}
