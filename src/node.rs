//! A data directory at work: its lock, journal, ledger, index and pipeline. `serve` runs on one for months; the other
//! verbs open one for a moment when no server has it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use monban_detect::RuleSet;
use monban_event::act::{ContextName, Deed};
use monban_event::id::hex;
use monban_event::{Act, ActSink, Clock, Event, RecordId, SinkRefused};
use monban_index::journal::{Journal, JournalError, Recovery};
use monban_index::ledger::{Ledger, LedgerError};
use monban_index::partition::{PartitionError, Partitions, TantivyStore};
use monban_index::reserve::Reserve;
use monban_ingest::Parsers;
use sha2::{Digest, Sha256};

use crate::config::{Config, Source};
use crate::context::{self, ContextError, SharedContext};
use crate::night::Night;
use crate::pipeline::{Parts, Pipeline, PipelineError};
use crate::progress::{PipelineStopped, Progress};
use crate::rebuild::{self, RebuildError};
use crate::selfcheck::Checks;

pub(crate) const CONTROL_SOCKET: &str = "control.sock";
const LOCK: &str = "lock";
pub(crate) const JOURNAL: &str = "journal";
pub(crate) const INDEX: &str = "index";
pub(crate) const LEDGER: &str = "ledger.sqlite";

#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    #[error("create data directory {path}")]
    Directory { path: PathBuf, source: io::Error },
    #[error("データフォルダ {path} がありません。場所が正しいか確かめてください。")]
    Missing { path: PathBuf },
    #[error(
        "データフォルダ {path} は別の monban（プロセス番号 {pid}）が使用中です。そちらを終了してからもう一度実行してください。"
    )]
    Locked { path: PathBuf, pid: String },
    #[error(
        "データフォルダ {path} のあるディスクは読み取り専用で、書き込めません。何も変更していません。書き込める状態に戻してから、もう一度実行してください。"
    )]
    ReadOnly { path: PathBuf },
    #[error("lock {path}")]
    Lock { path: PathBuf, source: io::Error },
    #[error("open journal")]
    Journal(#[from] JournalError),
    #[error("open ledger")]
    Ledger(#[from] LedgerError),
    #[error("open search index")]
    Index(#[from] PartitionError),
    #[error("start pipeline")]
    Pipeline(#[from] PipelineError),
    #[error("read context")]
    Context(#[from] ContextError),
    #[error("load rules: {0}")]
    Rules(String),
    #[error("start thread")]
    Thread(#[source] io::Error),
    #[error("journal what changed since the last start")]
    Acts(#[from] SinkRefused),
    #[error("end a rebuild that was begun")]
    Rebuild(#[from] Box<RebuildError>),
}

/// How to open a data directory.
pub(crate) struct Opening<'a> {
    pub(crate) dir: &'a Path,
    /// Make the directory where it is missing; reading verbs say so instead.
    pub(crate) create: bool,
    /// The configuration as meant and as written, where one was named.
    pub(crate) config: Option<(&'a Config, &'a str)>,
    pub(crate) clock: Arc<dyn Clock>,
    /// It stays open for days, and keeps house at night.
    pub(crate) stays: bool,
}

pub(crate) struct Node {
    pub(crate) dir: PathBuf,
    pub(crate) config: Config,
    pub(crate) journal: Arc<Journal>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) store: Arc<TantivyStore>,
    /// The same events as they were parsed, whatever is known of them by now, and without a bound of time.
    pub(crate) history: TantivyStore,
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) recovery: Recovery,
    /// What its own checks of the journal found.
    pub(crate) checks: Checks,
    pipeline: Mutex<Option<JoinHandle<()>>>,
    /// Held until the process ends: whoever has it is the only writer.
    _lock: File,
}

impl Node {
    pub(crate) fn open(opening: &Opening<'_>) -> Result<Arc<Self>, NodeError> {
        let dir = opening.dir.to_owned();
        prepare_directory(&dir, opening.create)?;
        let lock = lock(&dir)?;
        rebuild::settle(&dir).map_err(Box::new)?;
        let reserve = Reserve::open(&dir).map_err(|source| NodeError::Directory { path: dir.clone(), source })?;
        let (journal, recovery) = Journal::open_with(&dir.join(JOURNAL), Arc::clone(&opening.clock), Some(reserve))?;
        let journal = Arc::new(journal);
        let ledger = Arc::new(open_ledger(&dir.join(LEDGER), recovery.last)?);
        let config = match opening.config {
            Some((config, _)) => config.clone(),
            None => remembered_config(&ledger)?,
        };
        let partitions = open_partitions(&dir.join(INDEX), recovery.last)?;
        let night = opening.stays.then(|| Night::new(&dir, config.retention));
        let views = Views { journal: Arc::clone(&journal), ledger: Arc::clone(&ledger), partitions };
        let Running { store, history, rules, progress, thread } =
            start_pipeline(views, &config, &opening.clock, night)?;
        let node = Arc::new(Self {
            dir,
            config,
            journal,
            ledger,
            store,
            history,
            rules,
            clock: Arc::clone(&opening.clock),
            progress,
            recovery,
            checks: Checks::default(),
            pipeline: Mutex::new(Some(thread)),
            _lock: lock,
        });
        node.begin(opening)?;
        Ok(node)
    }

    /// Journals what is new about this start. The views may still be behind: receiving must not wait for them.
    fn begin(&self, opening: &Opening<'_>) -> Result<(), NodeError> {
        let epoch = Deed::Epoch {
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            parsers: env!("CARGO_PKG_VERSION").to_owned(),
            rules: rules_version(&self.rules),
        };
        self.record("monban", epoch)?;
        if let Some((config, text)) = opening.config {
            for deed in context::changes(&self.ledger, &config.context)? {
                self.record("monban", deed)?;
            }
            if let Some(deed) = context::change(&self.ledger, ContextName::Config, text.as_bytes())? {
                self.record("monban", deed)?;
            }
        }
        Ok(())
    }

    /// Waits until what an earlier run left in the journal is in every view.
    pub(crate) fn catch_up(&self) -> Result<(), PipelineStopped> {
        self.progress.wait_searchable(self.recovery.last)
    }

    /// Everything durable becomes searchable, then journal and pipeline stop.
    pub(crate) fn close(&self) {
        self.journal.close();
        self.progress.stop();
        let thread = self.pipeline.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the pipeline ended with a panic; the next start reads on from its last commit");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.close();
    }
}

impl ActSink for Node {
    fn record(&self, by: &str, deed: Deed) -> Result<RecordId, SinkRefused> {
        let (sender, receiver) = mpsc::channel();
        let is_shown_at_once = !is_read_back_later(&deed);
        let act = Act { at: self.clock.now(), by: by.to_owned(), deed };
        let tell = move |result| drop(sender.send(result));
        self.journal.submit_acts(vec![act], Box::new(tell));
        let id = receiver.recv().unwrap_or(Err(SinkRefused::Closed))?;
        if is_shown_at_once && let Err(stopped) = self.progress.wait_applied(id) {
            // It is on record and will be shown; to say that it was not done would be wrong.
            tracing::debug!(%id, error = %stopped, "an act is journaled and not yet in the ledger");
        }
        Ok(id)
    }
}

/// What a pipeline reads and what it writes.
pub(crate) struct Views {
    pub(crate) journal: Arc<Journal>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) partitions: Partitions,
}

/// A pipeline at work.
pub(crate) struct Running {
    store: Arc<TantivyStore>,
    history: TantivyStore,
    rules: Arc<RuleSet>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) thread: JoinHandle<()>,
}

pub(crate) fn start_pipeline(
    views: Views,
    config: &Config,
    clock: &Arc<dyn Clock>,
    night: Option<Night>,
) -> Result<Running, NodeError> {
    let Views { journal, ledger, partitions } = views;
    let rules = Arc::new(rules(config)?);
    let parser = Arc::new(Parsers { settings: config.text_settings() });
    let context = SharedContext::default();
    let enrich = enrichment(&context);
    let store = |enrich| TantivyStore::new(partitions.reader(), journal.clone(), parser.clone(), enrich);
    let (store, history) = (Arc::new(store(enrich)), store(Arc::new(|_: &mut Event| {})).with_budget(Duration::MAX));
    let progress = Arc::new(Progress::default());
    let pipeline = Pipeline::new(Parts {
        journal,
        ledger,
        parser,
        rules: Arc::clone(&rules),
        partitions,
        context,
        clock: Arc::clone(clock),
        progress: Arc::clone(&progress),
        names: Arc::new(config.sources.iter().filter_map(Source::named_id).collect()),
        night,
    })?;
    let thread = std::thread::Builder::new()
        .name("pipeline".to_owned())
        .spawn(move || pipeline.run())
        .map_err(NodeError::Thread)?;
    Ok(Running { store, history, rules, progress, thread })
}

/// Acts that nobody reads back at once: those that change nothing but the trail, bookmarks, and what a start brings. They are on
/// record once they are durable; whoever searches during a storm of events, or starts after one, must not wait until
/// the pipeline has worked through it.
fn is_read_back_later(deed: &Deed) -> bool {
    matches!(
        deed,
        Deed::Epoch { .. }
            | Deed::Context { .. }
            | Deed::Searched { .. }
            | Deed::Viewed { .. }
            | Deed::Exported { .. }
            | Deed::Verified { .. }
            | Deed::LoggedIn { .. }
            | Deed::LoginRefused { .. }
            | Deed::LoggedOut {}
            | Deed::Lost { .. }
            | Deed::ImportGrew { .. }
    )
}

pub(crate) fn prepare_directory(dir: &Path, create: bool) -> Result<(), NodeError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::ReadOnlyFilesystem => NodeError::ReadOnly { path: dir.to_owned() },
        _ => NodeError::Directory { path: dir.to_owned(), source },
    };
    if !create && !dir.join(JOURNAL).try_exists().map_err(failed)? {
        return Err(NodeError::Missing { path: dir.to_owned() });
    }
    for folder in [JOURNAL, INDEX] {
        fs::create_dir_all(dir.join(folder)).map_err(failed)?;
    }
    Ok(())
}

/// Takes the lock and leaves our process number in it; a taken lock tells whose.
pub(crate) fn lock(dir: &Path) -> Result<File, NodeError> {
    let path = dir.join(LOCK);
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::ReadOnlyFilesystem => NodeError::ReadOnly { path: dir.to_owned() },
        _ => NodeError::Lock { path: path.clone(), source },
    };
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(source)) => return Err(failed(source)),
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            file.read_to_string(&mut pid).map_err(failed)?;
            return Err(NodeError::Locked { path: dir.to_owned(), pid: pid.trim().to_owned() });
        }
    }
    // Written over what stands there: on a full disk a file that was cut to nothing could not be written again.
    let pid = format!("{}\n", std::process::id());
    file.rewind().and_then(|()| file.write_all(pid.as_bytes())).map_err(failed)?;
    file.set_len(pid.len() as u64).map_err(failed)?;
    Ok(file)
}

/// The configuration of the last `serve`, so that an import beside it reads times the same way.
pub(crate) fn remembered_config(ledger: &Ledger) -> Result<Config, NodeError> {
    let stored = ledger.read()?.context(ContextName::Config)?;
    // It was accepted once; a newer program that no longer understands it falls back to the defaults.
    let config = stored.and_then(|(_, text, _)| Config::read("", &text, Path::new("")).ok());
    Ok(config.unwrap_or_default())
}

fn rules(config: &Config) -> Result<RuleSet, NodeError> {
    let (rules, report) =
        RuleSet::hospital_with(&config.sigma).map_err(|error| NodeError::Rules(crate::error_chain(&error)))?;
    for failure in &report.failed {
        tracing::warn!(file = failure.file, rule = failure.rule, reason = failure.reason, "a rule cannot be used");
    }
    Ok(rules)
}

/// Which rules ran, as 16 hex digits over their ids and versions.
fn rules_version(rules: &RuleSet) -> String {
    let mut hash = Sha256::new();
    for rule in rules.rules() {
        hash.update(rule.id.as_str());
        hash.update([0]);
        hash.update(&rule.version);
        hash.update([0]);
    }
    hex(hash.finalize().get(..8).unwrap_or_default())
}

/// The same for the ledger: it would skip what the journal gives other records and acts from now on.
fn open_ledger(path: &Path, last: RecordId) -> Result<Ledger, NodeError> {
    let ledger = Ledger::open(path)?;
    let position = ledger.position()?;
    if position <= last {
        return Ok(ledger);
    }
    tracing::warn!(%position, journal = %last, "the ledger is ahead of the journal and is rebuilt");
    drop(ledger);
    Ledger::discard(path)?;
    Ok(Ledger::open(path)?)
}

/// A view that is ahead of the journal belongs to another journal: it is made anew.
fn open_partitions(dir: &Path, last: RecordId) -> Result<Partitions, NodeError> {
    let partitions = Partitions::open(dir)?;
    if partitions.furthest() <= last {
        return Ok(partitions);
    }
    tracing::warn!("the search index is ahead of the journal and is rebuilt");
    drop(partitions);
    Partitions::discard(dir)?;
    Ok(Partitions::open(dir)?)
}

fn enrichment(context: &SharedContext) -> Arc<dyn Fn(&mut Event) + Send + Sync> {
    let context = context.clone();
    Arc::new(move |event| monban_detect::enrich(&context.get(), event))
}

#[cfg(test)]
mod tests;
