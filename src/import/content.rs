//! What a log is: its length and SHA-256, unpacked, and whether its beginning was imported before. One pass over the
//! bytes tells all of it.

use std::io::{self, Read};

use monban_event::RecordId;
use monban_event::id::hex;
use monban_index::ledger::ImportRow;
use monban_ingest::file::{FileKind, InputFile};
use sha2::{Digest, Sha256};

const BUFFER_BYTES: usize = 128 * 1024;

/// Beginnings shorter than this are believed only of a file under the same name: two devices may well write the same
/// first line.
const MOVED_BYTES_MIN: u64 = 4096;

/// What one pass over a log told.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) sha256: String,
    pub(super) bytes: u64,
    /// Of the file as it was handed in, where that is another.
    pub(super) original_sha256: Option<String>,
    pub(super) damage: Vec<String>,
    pub(super) is_bomb: bool,
    /// The longest earlier import that is the beginning of this log.
    pub(super) beginning: Option<Beginning>,
}

/// An earlier import whose log this one begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) import: RecordId,
    /// Records of it that stand in the journal and need not come again.
    pub(super) records: u64,
}

/// Reads the log once. `earlier` are imports that it may be the continuation of.
pub(super) fn read(input: &InputFile, earlier: &[ImportRow]) -> io::Result<Content> {
    let mut marks = marks(input, earlier);
    let mut reader = input.content()?;
    let mut pass = Pass::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut beginning = None;
    loop {
        let read = reader.read(&mut buffer)?;
        let mut piece = buffer.get(..read).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        while let Some(mark) = marks.last().filter(|mark| mark.bytes <= pass.bytes + piece.len() as u64) {
            let (before, behind) = piece.split_at(usize::try_from(mark.bytes - pass.bytes).unwrap_or(0));
            pass.take(before);
            piece = behind;
            // What has just grown by nothing is the same log, which its sum tells.
            beginning = pass.is(input, mark).or(beginning);
            marks.pop();
        }
        pass.take(piece);
    }
    let original_sha256 = if input.is_plain() { None } else { Some(original(input)?) };
    Ok(Content {
        sha256: hex(&pass.hash.finalize()),
        bytes: pass.bytes,
        original_sha256,
        damage: reader.damage(),
        is_bomb: reader.is_bomb(),
        beginning,
    })
}

/// Imports whose end is to be looked at, the longest first, so that the next is the last. Only logs that are written a
/// record at a time grow at their end.
fn marks<'a>(input: &InputFile, earlier: &'a [ImportRow]) -> Vec<&'a ImportRow> {
    let grows = matches!(input.kind, FileKind::Lines | FileKind::Rows);
    let may_begin = |row: &&ImportRow| {
        grows && row.closed && row.bytes > 0 && (row.path == input.shown || row.bytes >= MOVED_BYTES_MIN)
    };
    let mut marks: Vec<&ImportRow> = earlier.iter().filter(may_begin).collect();
    marks.sort_by_key(|row| std::cmp::Reverse(row.bytes));
    marks
}

#[derive(Default)]
struct Pass {
    hash: Sha256,
    bytes: u64,
    quote_is_open: bool,
    has_lines: bool,
    /// The last two bytes: a line feed of UTF-16 has a zero behind or before it.
    tail: [u8; 2],
}

impl Pass {
    fn take(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        self.bytes += piece.len() as u64;
        self.quote_is_open ^= piece.iter().fold(false, |odd, &byte| odd ^ (byte == b'"'));
        self.has_lines |= piece.contains(&b'\n');
        for &byte in piece.get(piece.len().saturating_sub(2)..).unwrap_or_default() {
            self.tail = [self.tail[1], byte];
        }
    }

    /// Whether what was read so far is that import's log.
    fn is(&self, input: &InputFile, row: &ImportRow) -> Option<Beginning> {
        if !self.has_lines || hex(&self.hash.clone().finalize()) != row.sha256 {
            return None;
        }
        // A row that was cut inside quotes was read as other rows than it is now.
        if input.kind == FileKind::Rows && self.quote_is_open {
            return None;
        }
        let ended = self.tail[1] == b'\n' || self.tail == *b"\n\0";
        // A last line that nothing had ended was not the whole line: it comes again.
        let records = if ended { row.next_index } else { row.next_index.saturating_sub(1) };
        Some(Beginning { import: row.id, records })
    }
}

/// SHA-256 of the file on disk.
fn original(input: &InputFile) -> io::Result<String> {
    let mut file = std::fs::File::open(&input.path)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; BUFFER_BYTES]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
}
