//! Files into the journal. A log is known by the SHA-256 of its content, unpacked: handed in again, under another name or
//! packed, it changes nothing; one that has grown brings only what is new; an import that was broken off goes on where it
//! stopped. The caller hears how much was new only when all of it is searchable.

mod content;
pub(crate) mod follow;
mod send;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use monban_event::act::Deed;
use monban_event::{ActSink, FileHints, RecordId, SinkRefused};
use monban_index::fail;
use monban_index::ledger::{ImportRow, LedgerError};
use monban_ingest::file::{self, FileRecords, Found, InputError, InputFile, Receipt, Start};
use serde::{Deserialize, Serialize};

use crate::node::Node;
use crate::progress::PipelineStopped;
use content::Content;

/// Earlier imports of the same folder that a log is compared with: the generations that rotation keeps, several times.
const EARLIER_MAX: usize = 500;

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
    /// The server is being stopped; the next start goes on.
    #[error("stopped before the end of the file")]
    Stopped,
}

/// What an import came to, in events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImportTotals {
    pub(crate) accepted: u64,
    pub(crate) duplicate: u64,
    /// What could not be read, a line each: file and reason.
    pub(crate) damaged: Vec<String>,
    /// Files that could not be read at all, a line each.
    pub(crate) failed: Vec<String>,
    /// What is worth knowing and no damage, a line each.
    pub(crate) notes: Vec<String>,
    /// Files that are no logs.
    pub(crate) passed_over: Vec<PathBuf>,
}

/// Who hands files in, and what was said about them.
#[derive(Clone, Debug)]
pub(crate) struct Handed<'a> {
    /// The account in whose name the import stands in the trail.
    pub(crate) by: &'a str,
    pub(crate) hints: &'a FileHints,
}

/// What an import says while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A log is done.
    File(String),
    /// Bytes read of the bytes on disk.
    Moved { done: u64, total: u64 },
}

/// Where the counts of one file will stand when everything is applied.
enum Outcome {
    Imported(RecordId),
    /// The same content came in before.
    Known(RecordId),
    /// Not taken, and why.
    Refused(String),
}

/// Imports every log below `paths`.
pub(crate) fn import(
    node: &Node,
    paths: &[PathBuf],
    handed: &Handed<'_>,
    said: &mut dyn FnMut(Said),
) -> Result<ImportTotals, ImportError> {
    import_found(node, file::find(paths)?, handed, said)
}

/// Imports the logs in one file that stands on disk under another name than people know it by, as an upload does.
pub(crate) fn import_as(
    node: &Node,
    path: &Path,
    shown: &str,
    handed: &Handed<'_>,
) -> Result<ImportTotals, ImportError> {
    import_found(node, file::find_in(path, shown, true)?, handed, &mut |_| ())
}

fn import_found(
    node: &Node,
    found: Found,
    handed: &Handed<'_>,
    said: &mut dyn FnMut(Said),
) -> Result<ImportTotals, ImportError> {
    // What an import that was broken off a moment ago brought must be known, or it would come in twice.
    node.progress.wait_applied(node.journal.durable())?;
    let refused = found.refused.iter().map(|(shown, reason)| format!("{shown}: {reason}"));
    let mut totals =
        ImportTotals { damaged: refused.collect(), passed_over: found.passed_over, ..ImportTotals::default() };
    let total = found.files.iter().map(|input| input.disk_bytes).sum();
    let (mut outcomes, mut done) = (Vec::new(), 0);
    for input in &found.files {
        let moved = &mut |bytes: u64| {
            said(Said::Moved { done: done + bytes.min(input.disk_bytes), total });
            true
        };
        match import_file(node, input, handed, &mut totals.notes, moved) {
            Ok(outcome) => outcomes.push((input, outcome)),
            // A file that went away or cannot be read leaves the others to be read.
            Err(ImportError::Read { path, source }) => totals.failed.push(format!("{}: {source}", path.display())),
            Err(ImportError::Input(InputError::Read { path, source })) => {
                totals.failed.push(format!("{}: {source}", path.display()));
            }
            Err(error) => return Err(error),
        }
        done += input.disk_bytes;
        said(Said::Moved { done, total });
        said(Said::File(input.shown.clone()));
    }
    let last = node.journal.durable();
    node.progress.wait_applied(last)?;
    node.progress.wait_searchable(last)?;
    for (input, outcome) in &outcomes {
        add(node, &mut totals, &input.shown, outcome)?;
    }
    Ok(totals)
}

fn add(node: &Node, totals: &mut ImportTotals, shown: &str, outcome: &Outcome) -> Result<(), ImportError> {
    let id = match outcome {
        Outcome::Imported(id) | Outcome::Known(id) => *id,
        Outcome::Refused(reason) => {
            totals.damaged.push(format!("{shown}: {reason}"));
            return Ok(());
        }
    };
    let Some(row) = node.ledger.read()?.import(id)? else { return Ok(()) };
    if matches!(outcome, Outcome::Imported(_)) {
        totals.accepted += row.accepted;
        totals.duplicate += row.duplicate;
    } else {
        totals.duplicate += row.accepted + row.duplicate;
    }
    totals.damaged.extend(row.damaged.iter().map(|note| format!("{shown}: {note}")));
    Ok(())
}

fn import_file(
    node: &Node,
    input: &InputFile,
    handed: &Handed<'_>,
    notes: &mut Vec<String>,
    moved: &mut dyn FnMut(u64) -> bool,
) -> Result<Outcome, ImportError> {
    let earlier = node.ledger.read()?.imports_below(folder(&input.shown), EARLIER_MAX)?;
    let content = content::read(input, &earlier)
        .map_err(|source| ImportError::Read { path: PathBuf::from(&input.shown), source })?;
    if content.is_bomb {
        return Ok(Outcome::Refused(content.damage.join("、")));
    }
    let same = node.ledger.read()?.imports_of(&content.sha256)?;
    if let Some(done) = same.iter().find(|row| row.closed) {
        return Ok(Outcome::Known(done.id));
    }
    let failed = |source| ImportError::Journal { path: PathBuf::from(&input.shown), source };
    let (id, skip) = match same.first() {
        Some(ImportRow { id, next_index, .. }) => (*id, *next_index),
        None => open_import(node, input, &content, handed).map_err(failed)?,
    };
    fail::pass("import.opened");
    let receipt = receipt(node, id, handed.hints);
    let mut records = FileRecords::open_at(input, receipt, Start::default())?;
    let unread = send::send_all(node, &mut records, skip, moved).map_err(failed)?;
    if !moved(records.read_bytes()) {
        return Err(ImportError::Stopped);
    }
    let mut damaged: Vec<String> = unread.iter().map(|error| format!("途中までしか読めません（{error}）")).collect();
    damaged.extend(records.damage());
    notes.extend(records.notes().into_iter().map(|note| format!("{}: {note}", input.shown)));
    fail::pass("import.before_closed");
    node.record(handed.by, Deed::ImportClosed { import: id, damaged }).map_err(failed)?;
    Ok(Outcome::Imported(id))
}

/// Journals that the import begins; gives its number and how many records of it are there already.
fn open_import(
    node: &Node,
    input: &InputFile,
    content: &Content,
    handed: &Handed<'_>,
) -> Result<(RecordId, u64), SinkRefused> {
    let known = content.beginning.map_or(0, |beginning| beginning.records);
    let opened = Deed::ImportOpened {
        path: input.shown.clone(),
        sha256: content.sha256.clone(),
        bytes: content.bytes,
        original_sha256: content.original_sha256.clone(),
        known,
        hints: handed.hints.clone(),
    };
    Ok((node.record(handed.by, opened)?, known))
}

fn receipt(node: &Node, import: RecordId, hints: &FileHints) -> Receipt {
    let hints = (!hints.is_empty()).then(|| Arc::new(hints.clone()));
    Receipt { received_at: node.clock.now(), import, hints }
}

/// The folder of a path, its slash included.
fn folder(shown: &str) -> &str {
    shown.rfind('/').and_then(|at| shown.get(..=at)).unwrap_or("")
}
