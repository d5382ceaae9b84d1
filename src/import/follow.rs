//! A log that is taken in while it is written: its whole lines as they come, all under one import. What of it is in the
//! journal is known by the records' own indexes; the length and sum that tell the log again after a restart are
//! journaled now and then.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use monban_event::act::Deed;
use monban_event::id::hex;
use monban_event::{ActSink, RecordId};
use monban_ingest::file::{FileRecords, InputFile, Start};
use sha2::{Digest, Sha256};

use super::{EARLIER_MAX, Handed, ImportError, Outcome, content, folder, import_file, open_import, receipt, send};
use crate::node::Node;

/// The bookmark of a growing log is journaled this often: a restart reads again what came after it, and finds it there.
const MARK_EVERY: Duration = Duration::from_mins(1);

/// The bytes in front of the place that is read on from, which tell whether the file is still the same log.
const TAIL_BYTES: u64 = 4096;

/// A log and how far it is in the journal.
pub(crate) struct Followed {
    import: RecordId,
    place: Start,
    /// Over the bytes in front of `place`.
    hash: Sha256,
    hashed: u64,
    tail: Vec<u8>,
    marked_at: Instant,
    is_marked: bool,
}

/// What a file of a watched folder turned out to be.
pub(crate) enum Taken {
    /// Its end may grow.
    Followed(Box<Followed>),
    /// Taken whole; with what is wrong with it.
    Whole { import: RecordId },
    /// Not taken, and why.
    Refused(String),
}

/// Takes a log in, and stays at its end where it may grow.
pub(crate) fn take(
    node: &Node,
    input: &InputFile,
    handed: &Handed<'_>,
    go_on: &dyn Fn() -> bool,
) -> Result<Taken, ImportError> {
    if !input.can_be_followed() {
        let outcome = import_file(node, input, handed, &mut Vec::new(), &mut |_| go_on())?;
        return Ok(match outcome {
            Outcome::Imported(import) | Outcome::Known(import) => Taken::Whole { import },
            Outcome::Refused(reason) => Taken::Refused(reason),
        });
    }
    let (import, skip, is_open) = begin(node, input, handed)?;
    let mut followed = Followed {
        import,
        place: Start::default(),
        hash: Sha256::new(),
        hashed: 0,
        tail: Vec::new(),
        marked_at: Instant::now(),
        is_marked: false,
    };
    followed.read_on(node, input, handed, skip, go_on)?;
    if is_open {
        let closed = Deed::ImportClosed { import, damaged: Vec::new() };
        node.record(handed.by, closed).map_err(|source| journaling(input, source))?;
    }
    followed.mark(node, handed).map_err(|source| journaling(input, source))?;
    Ok(Taken::Followed(Box::new(followed)))
}

/// The import that the log belongs to, the records of it that are there, and whether it is still to be closed.
fn begin(node: &Node, input: &InputFile, handed: &Handed<'_>) -> Result<(RecordId, u64, bool), ImportError> {
    // Tails that were sent a moment ago count too.
    node.progress.wait_applied(node.journal.durable())?;
    let earlier = node.ledger.read()?.imports_below(folder(&input.shown), EARLIER_MAX)?;
    let content = content::read(input, &earlier).map_err(|source| reading(input, source))?;
    let same = node.ledger.read()?.imports_of(&content.sha256)?;
    if let Some(row) = same.iter().find(|row| row.closed).or(same.first()) {
        return Ok((row.id, row.next_index, !row.closed));
    }
    if let Some(beginning) = content.beginning {
        return Ok((beginning.import, beginning.records, false));
    }
    let (import, known) = open_import(node, input, &content, handed).map_err(|source| journaling(input, source))?;
    Ok((import, known, true))
}

impl Followed {
    /// Takes in what came since. `false`: the file is no longer that log, it was rotated away or cut off.
    pub(crate) fn follow(
        &mut self,
        node: &Node,
        input: &InputFile,
        handed: &Handed<'_>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<bool, ImportError> {
        if tail_of(input, self.place.offset).map_err(|source| reading(input, source))? != self.tail {
            return Ok(false);
        }
        self.read_on(node, input, handed, self.place.index, go_on)?;
        if self.marked_at.elapsed() >= MARK_EVERY {
            self.mark(node, handed).map_err(|source| journaling(input, source))?;
        }
        Ok(true)
    }

    /// Journals how far the log is there, where that has changed.
    pub(crate) fn mark(&mut self, node: &Node, handed: &Handed<'_>) -> Result<(), monban_event::SinkRefused> {
        self.marked_at = Instant::now();
        if self.is_marked {
            return Ok(());
        }
        let sha256 = hex(&self.hash.clone().finalize());
        node.record(handed.by, Deed::ImportGrew { import: self.import, sha256, bytes: self.hashed })?;
        self.is_marked = true;
        Ok(())
    }

    fn read_on(
        &mut self,
        node: &Node,
        input: &InputFile,
        handed: &Handed<'_>,
        skip: u64,
        go_on: &dyn Fn() -> bool,
    ) -> Result<(), ImportError> {
        let receipt = receipt(node, self.import, handed.hints);
        let mut records = FileRecords::open_at(input, receipt, self.place)?.holding_back();
        let unread =
            send::send_all(node, &mut records, skip, &mut |_| go_on()).map_err(|source| journaling(input, source))?;
        if !go_on() {
            return Err(ImportError::Stopped);
        }
        let before = self.place;
        self.place = records.place();
        self.is_marked &= self.place == before;
        self.hash_up_to_place(input).map_err(|source| reading(input, source))?;
        self.tail = tail_of(input, self.place.offset).map_err(|source| reading(input, source))?;
        unread.map_or(Ok(()), |source| Err(reading(input, source)))
    }

    fn hash_up_to_place(&mut self, input: &InputFile) -> io::Result<()> {
        let mut file = File::open(&input.path)?;
        file.seek(SeekFrom::Start(self.hashed))?;
        let mut rest = file.take(self.place.offset.saturating_sub(self.hashed));
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = rest.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            self.hash.update(buffer.get(..read).unwrap_or_default());
            self.hashed += read as u64;
        }
    }
}

/// The last bytes in front of a place of the file.
fn tail_of(input: &InputFile, offset: u64) -> io::Result<Vec<u8>> {
    let start = offset.saturating_sub(TAIL_BYTES);
    let mut file = File::open(&input.path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(offset - start).read_to_end(&mut tail)?;
    Ok(tail)
}

fn reading(input: &InputFile, source: io::Error) -> ImportError {
    ImportError::Read { path: PathBuf::from(&input.shown), source }
}

fn journaling(input: &InputFile, source: monban_event::SinkRefused) -> ImportError {
    ImportError::Journal { path: PathBuf::from(&input.shown), source }
}
