//! `monban reindex`: index and tables made anew from the journal, beside those that are there, and put in their place in
//! one step. Nobody serves meanwhile: whoever rebuilds holds the directory's lock.
//!
//! `rebuild/` in the data directory holds what is being made. The file `ready` in it says that it is whole: from then on
//! whoever opens the directory ends the exchange; before, whoever opens it throws the unfinished work away.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use monban_event::{FindingId, RecordId, TimeRange};
use monban_index::journal::{Journal, JournalError};
use monban_index::ledger::{FindingFilter, FindingRow, Ledger, LedgerError, Totals};
use monban_index::partition::{PartitionError, Partitions};

use crate::config::Config;
use crate::night::{self, Due};
use crate::node::{self, INDEX, JOURNAL, LEDGER, NodeError, Opening};
use crate::progress::PipelineStopped;

const FOLDER: &str = "rebuild";
const READY: &str = "ready";
/// What `SQLite` leaves beside a ledger that was not closed. It belongs to that ledger and to no other.
const LEDGER_COMPANIONS: [&str; 2] = ["ledger.sqlite-wal", "ledger.sqlite-shm"];
/// How often the progress is told: in tenths.
const PARTS: u64 = 10;

#[derive(Debug, thiserror::Error)]
pub(crate) enum RebuildError {
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("open journal")]
    Journal(#[from] JournalError),
    #[error("write the new tables")]
    Ledger(#[from] LedgerError),
    #[error("write the new index")]
    Index(#[from] PartitionError),
    #[error("rebuild the views")]
    Stopped(#[from] PipelineStopped),
    #[error("put the new views in place in {path}")]
    Exchange { path: PathBuf, source: io::Error },
}

/// What the directory's views say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) searchable: u64,
    pub(crate) totals: Totals,
    findings: BTreeMap<FindingId, (String, u64)>,
}

impl Said {
    fn of(ledger: &Ledger, index: &Path) -> Result<Self, RebuildError> {
        let reader = ledger.read()?;
        let one = |row: FindingRow| {
            let shown = format!("{} {} {}", row.rule_id, row.subject, row.rule_title);
            (row.id, (shown, row.count))
        };
        Ok(Self {
            searchable: Partitions::open(index)?.reader().events()?,
            totals: reader.totals()?,
            findings: reader.findings(&FindingFilter::default())?.into_iter().map(one).collect(),
        })
    }

    /// Findings that `other` lacks or counts differently, in words.
    pub(crate) fn beyond(&self, other: &Self) -> Vec<String> {
        let differs = |(id, (shown, count)): (&FindingId, &(String, u64))| match other.findings.get(id) {
            None => Some(format!("{id}  {shown}（{count} 件）")),
            Some((_, known)) if known != count => Some(format!("{id}  {shown}（{count} 件、他方は {known} 件）")),
            Some(_) => None,
        };
        self.findings.iter().filter_map(differs).collect()
    }

    /// How many findings `other` does not have at all.
    pub(crate) fn findings_beyond(&self, other: &Self) -> u64 {
        self.findings.keys().filter(|id| !other.findings.contains_key(id)).count() as u64
    }
}

/// What the views said before and what they say now.
pub(crate) struct Rebuilt {
    pub(crate) records: RecordId,
    pub(crate) before: Said,
    pub(crate) after: Said,
}

/// Rebuilds the views of a directory that nobody holds. `tell` hears how far it is, in percent.
pub(crate) fn rebuild(opening: &Opening<'_>, tell: &mut dyn FnMut(u64)) -> Result<(Rebuilt, File), RebuildError> {
    let dir = opening.dir;
    node::prepare_directory(dir, false)?;
    let lock = node::lock(dir)?;
    settle(dir)?;
    let old = open_old(dir);
    let config = match (&opening.config, &old) {
        (Some((config, _)), _) => (*config).clone(),
        (None, Some(old)) => node::remembered_config(old)?,
        (None, None) => Config::default(),
    };
    let folder = dir.join(FOLDER);
    let exchanging = |source| RebuildError::Exchange { path: folder.clone(), source };
    fs::create_dir_all(folder.join(INDEX)).map_err(exchanging)?;
    let records = build(dir, &folder, &config, opening, tell)?;
    let before = old.as_ref().map_or_else(|| Ok(Said::default()), |old| Said::of(old, &dir.join(INDEX)))?;
    let new = Ledger::open(&folder.join(LEDGER))?;
    if old.is_some() {
        new.adopt(&dir.join(LEDGER))?;
    }
    let after = Said::of(&new, &folder.join(INDEX))?;
    drop((old, new));
    make_ready(&folder).map_err(exchanging)?;
    settle(dir)?;
    Ok((Rebuilt { records, before, after }, lock))
}

/// The tables that are there; one that cannot be read is a reason to rebuild, not to refuse.
fn open_old(dir: &Path) -> Option<Ledger> {
    match Ledger::open(&dir.join(LEDGER)) {
        Ok(ledger) => Some(ledger),
        Err(error) => {
            tracing::warn!(
                error = crate::error_chain(&error),
                "the tables that are there cannot be read; who is logged in is lost with them"
            );
            None
        }
    }
}

/// Runs the whole journal through a pipeline into the new place, and takes out again what is past its time.
fn build(
    dir: &Path,
    folder: &Path,
    config: &Config,
    opening: &Opening<'_>,
    tell: &mut dyn FnMut(u64),
) -> Result<RecordId, RebuildError> {
    let (journal, recovery) = Journal::open(&dir.join(JOURNAL), Arc::clone(&opening.clock))?;
    let journal = Arc::new(journal);
    let ledger = Arc::new(Ledger::open(&folder.join(LEDGER))?);
    let partitions = Partitions::open(&folder.join(INDEX))?;
    let views = node::Views { journal: Arc::clone(&journal), ledger: Arc::clone(&ledger), partitions };
    let running = node::start_pipeline(views, config, &opening.clock, None)?;
    for part in 1..=PARTS {
        running.progress.wait_applied(RecordId(recovery.last.0 * part / PARTS))?;
        tell(part * 100 / PARTS);
    }
    running.progress.wait_searchable(recovery.last)?;
    running.progress.stop();
    if running.thread.join().is_err() {
        return Err(PipelineStopped("a panic".to_owned()).into());
    }
    remove_expired(folder, config, opening, &journal, &ledger)?;
    journal.close();
    Ok(recovery.last)
}

/// It was told when it was deleted the first time.
fn remove_expired(
    folder: &Path,
    config: &Config,
    opening: &Opening<'_>,
    journal: &Journal,
    ledger: &Ledger,
) -> Result<(), RebuildError> {
    let mut partitions = Partitions::open(&folder.join(INDEX))?;
    let held: Vec<TimeRange> = ledger.read()?.holds()?.into_iter().map(|hold| hold.period).collect();
    let due = Due::at(opening.clock.now(), &config.retention, &held);
    let expired = partitions.expired(due.searchable, &held, &|id| night::arrival(journal, id))?;
    Ok(partitions.remove(&expired)?)
}

fn make_ready(folder: &Path) -> io::Result<()> {
    File::open(folder.join(LEDGER))?.sync_all()?;
    File::create(folder.join(READY))?.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Ends an exchange that was begun, or throws away what never became whole. For the holder of the lock, before it opens
/// anything.
pub(crate) fn settle(dir: &Path) -> Result<(), RebuildError> {
    let folder = dir.join(FOLDER);
    let failed = |source| RebuildError::Exchange { path: folder.clone(), source };
    if !folder.try_exists().map_err(failed)? {
        return Ok(());
    }
    if folder.join(READY).try_exists().map_err(failed)? {
        exchange(dir, &folder).map_err(failed)?;
    }
    fs::remove_dir_all(&folder).map_err(failed)
}

/// Each step may be the last of an earlier try.
fn exchange(dir: &Path, folder: &Path) -> io::Result<()> {
    for name in [INDEX, LEDGER] {
        let (new, place, aside) = (folder.join(name), dir.join(name), folder.join(format!("old-{name}")));
        if !new.try_exists()? {
            continue;
        }
        if place.try_exists()? {
            fs::rename(&place, &aside)?;
        }
        if name == LEDGER {
            LEDGER_COMPANIONS.iter().try_for_each(|companion| remove_file(&dir.join(companion)))?;
        }
        fs::rename(&new, &place)?;
        File::open(dir)?.sync_all()?;
    }
    // Without it what is left is thrown away, however far that comes.
    remove_file(&folder.join(READY))
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(path: &Path) -> Option<String> {
        fs::read_to_string(path).ok()
    }

    /// A directory with old views, the log of a ledger that was not closed, and new views beside them.
    fn directory() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        put(&dir.path().join("index/manifest.json"), "old");
        put(&dir.path().join("ledger.sqlite"), "old");
        put(&dir.path().join("ledger.sqlite-wal"), "old");
        put(&dir.path().join("rebuild/index/manifest.json"), "new");
        put(&dir.path().join("rebuild/ledger.sqlite"), "new");
        dir
    }

    fn assert_views(dir: &Path, text: &str, log: Option<&str>) {
        assert_eq!(read(&dir.join("index/manifest.json")).as_deref(), Some(text));
        assert_eq!(read(&dir.join("ledger.sqlite")).as_deref(), Some(text));
        assert_eq!(read(&dir.join("ledger.sqlite-wal")).as_deref(), log);
        assert!(!dir.join(FOLDER).is_dir());
    }

    #[test]
    fn unfinished_work_is_thrown_away() {
        let dir = directory();
        settle(dir.path()).unwrap();
        assert_views(dir.path(), "old", Some("old"));
        settle(dir.path()).unwrap();
    }

    #[test]
    fn what_is_ready_takes_its_place() {
        let dir = directory();
        make_ready(&dir.path().join(FOLDER)).unwrap();
        settle(dir.path()).unwrap();
        assert_views(dir.path(), "new", None);
    }

    #[test]
    fn an_exchange_is_ended_wherever_it_was_interrupted() {
        type Step = fn(&Path);
        let steps: [Step; 6] = [
            |dir| fs::rename(dir.join("index"), dir.join("rebuild/old-index")).unwrap(),
            |dir| fs::rename(dir.join("rebuild/index"), dir.join("index")).unwrap(),
            |dir| fs::rename(dir.join("ledger.sqlite"), dir.join("rebuild/old-ledger.sqlite")).unwrap(),
            |dir| fs::remove_file(dir.join("ledger.sqlite-wal")).unwrap(),
            |dir| fs::rename(dir.join("rebuild/ledger.sqlite"), dir.join("ledger.sqlite")).unwrap(),
            |dir| fs::remove_dir_all(dir.join("rebuild/old-index")).unwrap(),
        ];
        for done in 0..=steps.len() {
            let dir = directory();
            make_ready(&dir.path().join(FOLDER)).unwrap();
            steps.iter().take(done).for_each(|step| step(dir.path()));
            settle(dir.path()).unwrap();
            assert_views(dir.path(), "new", None);
        }
    }
}
