//! Files into the journal. A file is known by the SHA-256 of its content: handed in again it changes nothing, and an
//! import that was broken off goes on where it stopped. The caller hears how much was new only when all of it is
//! searchable.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use monban_event::act::Deed;
use monban_event::id::hex;
use monban_event::{ActSink, Lane, Record, RecordId, RecordSink, SinkRefused};
use monban_index::ledger::{ImportRow, LedgerError};
use monban_ingest::file::{self, FileKind, FileRecords, InputError, InputFile};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::node::Node;
use crate::progress::PipelineStopped;

/// Records handed to the journal at once.
const SLICE_RECORDS: usize = 500;
/// … or bytes, where records are EVTX chunks.
const SLICE_BYTES: usize = 4 << 20;
/// Slices that may wait for the journal: enough to keep it busy, little enough to stay small in memory.
const SLICES_IN_FLIGHT: usize = 4;

/// Who imports on the command line: whoever may read the directory.
const CONSOLE: &str = "console";

#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("journal {path}")]
    Journal { path: PathBuf, source: SinkRefused },
    #[error("look up earlier imports")]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Pipeline(#[from] PipelineStopped),
}

/// What an import came to, in events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImportTotals {
    pub(crate) accepted: u64,
    pub(crate) duplicate: u64,
    /// What could not be read, a line each: file and reason.
    pub(crate) damaged: Vec<String>,
    /// Files that are no logs.
    pub(crate) passed_over: Vec<PathBuf>,
}

/// What a file is known by: SHA-256 in hex, and length.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
}

/// How one file comes in.
struct Handing<'a> {
    /// What it is called in the trail and as the place of its records.
    name: &'a Path,
    by: &'a str,
    /// Where it was hashed already.
    known: Option<Known>,
}

/// Where the counts of one file will stand when everything is applied.
enum Outcome {
    Imported(RecordId),
    /// The same content came in before.
    Known(RecordId),
}

/// Imports every log below `paths`. `said` hears one line a file.
pub(crate) fn import(
    node: &Node,
    paths: &[PathBuf],
    said: &mut dyn FnMut(String),
) -> Result<ImportTotals, ImportError> {
    let (files, passed_over) = file::find(paths)?;
    let mut outcomes = Vec::new();
    for input in &files {
        let outcome = import_file(node, input, &Handing { name: &input.path, by: CONSOLE, known: None })?;
        said(input.path.display().to_string());
        outcomes.push((input, outcome));
    }
    wait(node)?;
    let mut totals = ImportTotals { passed_over, ..ImportTotals::default() };
    for (input, outcome) in &outcomes {
        add(node, &mut totals, &input.path, outcome)?;
    }
    Ok(totals)
}

/// Imports one event log that came over the network. It lies at `path`; for everybody else it is called `name`.
pub(crate) fn import_handed_in(
    node: &Node,
    path: &Path,
    name: &Path,
    known: Known,
    by: &str,
) -> Result<ImportTotals, ImportError> {
    // Whether the file was here before is asked of the ledger, which must know what an earlier run imported.
    node.catch_up()?;
    let input = InputFile { path: path.to_owned(), kind: FileKind::EventLog };
    let outcome = import_file(node, &input, &Handing { name, by, known: Some(known) })?;
    wait(node)?;
    let mut totals = ImportTotals::default();
    add(node, &mut totals, name, &outcome)?;
    Ok(totals)
}

/// Waits until everything that is durable is counted and can be searched.
fn wait(node: &Node) -> Result<(), PipelineStopped> {
    let last = node.journal.durable();
    node.progress.wait_applied(last)?;
    node.progress.wait_searchable(last)
}

fn add(node: &Node, totals: &mut ImportTotals, path: &Path, outcome: &Outcome) -> Result<(), ImportError> {
    let (Outcome::Imported(id) | Outcome::Known(id)) = outcome;
    let Some(row) = node.ledger.read()?.import(*id)? else { return Ok(()) };
    if matches!(outcome, Outcome::Imported(_)) {
        totals.accepted += row.accepted;
        totals.duplicate += row.duplicate;
    } else {
        totals.duplicate += row.accepted + row.duplicate;
    }
    totals.damaged.extend(row.damaged.iter().map(|note| format!("{}: {note}", path.display())));
    Ok(())
}

fn import_file(node: &Node, input: &InputFile, handing: &Handing<'_>) -> Result<Outcome, ImportError> {
    let Known { sha256, bytes } = match &handing.known {
        Some(known) => known.clone(),
        None => digest(&input.path)?,
    };
    let earlier = node.ledger.read()?.imports_of(&sha256)?;
    if let Some(done) = earlier.iter().find(|row| row.closed) {
        return Ok(Outcome::Known(done.id));
    }
    let failed = |source| ImportError::Journal { path: input.path.clone(), source };
    let (id, skip) = if let Some(ImportRow { id, next_index, .. }) = earlier.first() {
        (*id, *next_index)
    } else {
        let path = handing.name.to_string_lossy().into_owned();
        (node.record(handing.by, Deed::ImportOpened { path, sha256, bytes }).map_err(failed)?, 0)
    };
    let mut records = FileRecords::open(input, node.clock.now(), id)?.named(handing.name);
    let unread = send_all(node, &mut records, skip).map_err(failed)?;
    let mut damaged: Vec<String> = unread.iter().map(|error| format!("途中までしか読めません（{error}）")).collect();
    damaged.extend(records.damage());
    node.record(handing.by, Deed::ImportClosed { import: id, damaged }).map_err(failed)?;
    Ok(Outcome::Imported(id))
}

/// Sends every record from index `skip` on, and returns when all are durable. Gives the error that ended the file
/// early, if one did: what came before it is journaled.
fn send_all(node: &Node, records: &mut FileRecords, skip: u64) -> Result<Option<io::Error>, SinkRefused> {
    let (done, acknowledged) = mpsc::channel();
    let (mut slice, mut bytes, mut in_flight, mut unread) = (Vec::new(), 0, 0, None);
    for record in records {
        match record {
            Ok(record) if record.file.as_ref().is_some_and(|file| file.index < skip) => {}
            Ok(record) => {
                bytes += record.bytes.len();
                slice.push(record);
            }
            Err(error) => {
                unread = Some(error);
                break;
            }
        }
        if slice.len() >= SLICE_RECORDS || bytes >= SLICE_BYTES {
            send(node, std::mem::take(&mut slice), &done);
            (bytes, in_flight) = (0, in_flight + 1);
        }
        while in_flight >= SLICES_IN_FLIGHT {
            acknowledge(&acknowledged)?;
            in_flight -= 1;
        }
    }
    send(node, slice, &done);
    for _ in 0..=in_flight {
        acknowledge(&acknowledged)?;
    }
    Ok(unread)
}

type Acknowledgement = Result<RecordId, SinkRefused>;

fn send(node: &Node, records: Vec<Record>, done: &mpsc::Sender<Acknowledgement>) {
    let done = done.clone();
    let tell = move |result| {
        // Nobody listens any more when the import gave up; the records are safe all the same.
        drop(done.send(result));
    };
    node.journal.submit(Lane::Imports, records, Box::new(tell));
}

fn acknowledge(acknowledged: &mpsc::Receiver<Acknowledgement>) -> Result<(), SinkRefused> {
    acknowledged.recv().unwrap_or(Err(SinkRefused::Closed)).map(|_| ())
}

fn digest(path: &Path) -> Result<Known, ImportError> {
    let reading = |source| ImportError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(reading)?;
    let (mut hash, mut buffer, mut bytes) = (Sha256::new(), vec![0; 1 << 16], 0);
    loop {
        let read = file.read(&mut buffer).map_err(reading)?;
        if read == 0 {
            return Ok(Known { sha256: hex(&hash.finalize()), bytes });
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
}
