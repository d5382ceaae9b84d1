//! The journal: the truth. Every record and every act, in the order of admission, appended and never changed.
//!
//! On disk, version 2 (`records/` and `acts/` under the journal's folder, one sequence of numbers over both):
//!
//! ```text
//! segment  := header frame*                       named by its first number: 00000000000000000001.seg
//! header   := "MONBANSG" version:u16 family:u8 0:u8 first:u64 created_us:i64 chain:[u8;32] crc32c:u32
//! frame    := length:u32 crc32c:u32 kind:u8 body  length and crc32c cover kind and body
//! body     := (number:u64 length:u32 entry)*      kind 1: entries
//!           | head:[u8;32]                        kind 2: a link, the head of the chain before it
//!           | JSON                                kind 3: a checkpoint, in the acts alone
//! ```
//!
//! All integers are little endian. `chain` is the head of the hash chain before the segment (see `chain.rs`; version 1
//! has zeros there). Acts are written and synced before the records of the same commit, and acts come first in its
//! numbers, so a torn commit never leaves a hole in the sequence: what is cut off at the end was never acknowledged.
//! A segment that is complete is sealed (see `sealed.rs`) under the same name ending in `.seal`. `durable` names the last
//! number on disk and the heads there, and `keys/` holds what signs the next checkpoint.

mod chain;
mod codec;
mod copy;
mod keys;
mod lookup;
mod prover;
mod retain;
mod sealed;
mod sealer;
mod segment;
mod tail;
mod trouble;
pub mod verify;
mod writer;

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use monban_event::sink::Done;
use monban_event::{Act, Clock, Lane, Record, RecordId, RecordSink, SinkRefused};

pub use chain::{Begun, Checkpoint, Head, Heads, Receipt};
pub use codec::Entry;
pub use copy::Copied;
pub use retain::{Expired, retired_by};
pub use sealer::seal_folder;
pub use segment::Family;
pub use tail::{Tail, TailItem};

use crate::partition::{ReadRecordError, RecordSource};
use crate::reserve::Reserve;
use lookup::Lookup;
use sealer::Sealer;
use segment::Segments;
use writer::{Job, Queues, Writer};

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("open journal folder {path}")]
    Folder { path: PathBuf, source: io::Error },
    #[error("read segment {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("append to segment {path}")]
    Append { path: PathBuf, source: io::Error },
    #[error("segment {path} is damaged at byte {offset}: {reason}")]
    Damaged { path: PathBuf, offset: u64, reason: String },
    #[error("keep the signing keys of journal {path}")]
    Keys { path: PathBuf, source: io::Error },
    #[error("seal segment {path}")]
    Seal { path: PathBuf, source: io::Error },
    #[error("remove segment {path}")]
    Remove { path: PathBuf, source: io::Error },
    #[error("copy to {path}")]
    Copy { path: PathBuf, source: io::Error },
    #[error("start the journal thread")]
    Thread { source: io::Error },
}

/// What opening found, to be told to the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The last number in the journal.
    pub last: RecordId,
    /// Segment and bytes of an unfinished write that were cut off its end; never acknowledged.
    pub torn: Vec<(PathBuf, u64)>,
    /// Files in the folder that are not ours; left alone.
    pub foreign: Vec<PathBuf>,
    /// First and last of the numbers that had been published as durable and are not at the journal's end: it was
    /// damaged or cut off. They are not given again.
    pub missing: Option<(RecordId, RecordId)>,
}

/// How far the journal and its readers are.
#[derive(Debug, Default)]
struct Progress {
    durable: u64,
    processed: u64,
    /// Last number and instant of the commits that the pipeline has not processed.
    commits: std::collections::VecDeque<(u64, Instant)>,
    /// Of everything durable.
    heads: Heads,
    checkpoint: Option<Checkpoint>,
    closed: bool,
    /// Why the disk takes nothing just now.
    trouble: Option<String>,
}

impl Progress {
    /// How long the oldest unprocessed commit has been waiting.
    fn lag(&self) -> Duration {
        self.commits.front().map_or(Duration::ZERO, |(_, since)| since.elapsed())
    }
}

struct Shared {
    dir: PathBuf,
    queues: Mutex<Queues>,
    work: Condvar,
    progress: Mutex<Progress>,
    moved: Condvar,
    lookup: Lookup,
    sealer: Sealer,
    /// Room for acts on a full disk, where any is kept.
    reserve: Option<Reserve>,
}

impl Shared {
    /// A segment is complete: it can be sealed, and readers look at the folders again.
    fn segment_complete(&self) {
        self.lookup.forget();
        self.sealer.wake();
    }

    fn queues(&self) -> std::sync::MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The journal of a data directory. Whoever opens it must hold the directory's lock.
pub struct Journal {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Journal {
    /// Opens the journal in `dir`, cutting off an unfinished last write, and starts its writing thread.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<(Self, Recovery), JournalError> {
        Self::open_with(dir, clock, None)
    }

    /// The same with room kept back on the disk: before it is full, records wait and acts go on.
    pub fn open_with(
        dir: &Path,
        clock: Arc<dyn Clock>,
        reserve: Option<Reserve>,
    ) -> Result<(Self, Recovery), JournalError> {
        for family in Family::ALL {
            let path = dir.join(family.folder());
            fs::create_dir_all(&path).map_err(|source| JournalError::Folder { path, source })?;
        }
        let (segments, recovery) = Segments::recover(dir, writer::published(dir).last())?;
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            queues: Mutex::default(),
            work: Condvar::new(),
            progress: Mutex::new(Progress {
                durable: recovery.last.0,
                processed: recovery.last.0,
                heads: segments.heads(),
                checkpoint: segments.checkpoint.clone(),
                ..Progress::default()
            }),
            moved: Condvar::new(),
            lookup: Lookup::new(dir),
            sealer: Sealer::new(dir),
            reserve,
        });
        let writer = Writer::new(Arc::clone(&shared), segments, recovery.last, Arc::clone(&clock))?;
        let sealing = Arc::clone(&shared);
        let threads =
            vec![spawn("journal", move || writer.run())?, spawn("seal", move || sealing.sealer.run(&sealing))?];
        Ok((Self { shared, clock, threads: Mutex::new(threads) }, recovery))
    }

    /// The last number that is on disk.
    pub fn durable(&self) -> RecordId {
        RecordId(self.shared.progress().durable)
    }

    /// Waits until something after `position` is durable, the journal closes, or the time is over.
    pub fn wait_beyond(&self, position: RecordId, timeout: Duration) -> RecordId {
        let guard = self.shared.progress();
        let (guard, _) = self
            .shared
            .moved
            .wait_timeout_while(guard, timeout, |progress| progress.durable <= position.0 && !progress.closed)
            .unwrap_or_else(PoisonError::into_inner);
        RecordId(guard.durable)
    }

    /// The pipeline says how far it is; imports are admitted by it.
    pub fn processed(&self, position: RecordId) {
        let mut progress = self.shared.progress();
        progress.processed = position.0;
        while progress.commits.front().is_some_and(|&(last, _)| last <= position.0) {
            progress.commits.pop_front();
        }
        drop(progress);
        self.shared.work.notify_one();
    }

    /// How long the oldest unprocessed commit has been waiting for the pipeline.
    pub fn lag(&self) -> Duration {
        self.shared.progress().lag()
    }

    /// Why the disk takes nothing just now, where that is so.
    pub fn trouble(&self) -> Option<String> {
        self.shared.progress().trouble.clone()
    }

    /// Reads everything after `position` in order, as far as it is durable.
    pub fn tail(&self, position: RecordId) -> Result<Tail, JournalError> {
        Tail::after(&self.shared.dir, position)
    }

    /// One entry; `None` when the number was not given yet or its frame is damaged.
    pub fn read(&self, id: RecordId) -> Result<Option<Entry>, JournalError> {
        let durable = self.durable();
        if id.0 == 0 || id > durable {
            return Ok(None);
        }
        self.shared.lookup.read(id, durable)
    }

    /// The heads of everything durable, to be kept elsewhere.
    pub fn receipt(&self) -> Receipt {
        let progress = self.shared.progress();
        Receipt::new(RecordId(progress.durable), progress.heads, self.clock.now())
    }

    /// The folder, for who checks its files beside us.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// Waits until every segment that is complete has been sealed, or sealing has failed; gives the failure.
    pub fn wait_sealed(&self) -> Option<String> {
        self.shared.sealer.wait_idle()
    }

    /// Queues acts ahead of everything else.
    pub fn submit_acts(&self, acts: Vec<Act>, done: Done) {
        self.queue(Job::acts(acts, done));
    }

    fn queue(&self, job: Job) {
        let refused = self.shared.queues().push(job);
        match refused {
            None => self.shared.work.notify_one(),
            Some((job, reason)) => job.finish(Err(reason)),
        }
    }

    /// Writes what is queued, refuses what comes later, and stops the thread.
    pub fn close(&self) {
        self.shared.queues().closed = true;
        self.shared.work.notify_one();
        self.shared.sealer.stop();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the journal ended with a panic");
            }
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

impl RecordSink for Journal {
    fn submit(&self, lane: Lane, records: Vec<Record>, done: Done) {
        if records.is_empty() {
            return done(Ok(self.durable()));
        }
        self.queue(Job::records(lane, records, done));
    }
}

/// What proves the journal, for those who show it or put it on paper.
pub trait Proofs: Send + Sync {
    /// The heads of everything durable.
    fn receipt(&self) -> Receipt;

    /// The last checkpoint.
    fn checkpoint(&self) -> Option<Checkpoint>;

    /// The public key with which the first chain began, as hex: what the hospital keeps on paper since then.
    fn first_key(&self) -> Result<Option<String>, JournalError>;

    /// What the last checkpoint before a moment vouches for.
    fn receipt_before(&self, time: DateTime<Utc>) -> Result<Option<Receipt>, JournalError>;

    /// Reads the journal through, beside the program that writes it.
    fn verify(&self, wanted: &verify::Wanted) -> Result<verify::Verification, JournalError>;
}

impl Proofs for Journal {
    fn receipt(&self) -> Receipt {
        self.receipt()
    }

    fn checkpoint(&self) -> Option<Checkpoint> {
        self.shared.progress().checkpoint.clone()
    }

    fn first_key(&self) -> Result<Option<String>, JournalError> {
        Ok(copy::first_checkpoint(&self.shared.dir)?.map(|checkpoint| checkpoint.public_key))
    }

    fn receipt_before(&self, time: DateTime<Utc>) -> Result<Option<Receipt>, JournalError> {
        Ok(copy::checkpoint_before(&self.shared.dir, time)?.map(|checkpoint| checkpoint.receipt()))
    }

    fn verify(&self, wanted: &verify::Wanted) -> Result<verify::Verification, JournalError> {
        verify::verify(&self.shared.dir, wanted)
    }
}

/// The journal as searches read it: records only.
impl RecordSource for Journal {
    fn read(&self, id: RecordId) -> Result<Option<Record>, ReadRecordError> {
        match self.read(id) {
            Ok(Some(Entry::Record(record))) => Ok(Some(record)),
            Ok(_) => Ok(None),
            Err(error) => Err(ReadRecordError { id, source: Box::new(error) }),
        }
    }

    fn scan(
        &self,
        first: RecordId,
        last: RecordId,
        give: &mut dyn FnMut(RecordId, Record) -> ControlFlow<()>,
    ) -> Result<(), ReadRecordError> {
        let failed = |source: JournalError| ReadRecordError { id: first, source: Box::new(source) };
        let mut tail = self.tail(RecordId(first.0.saturating_sub(1))).map_err(failed)?;
        while let Some(item) = tail.next(last.min(self.durable())).map_err(failed)? {
            if let TailItem::Entry(id, Entry::Record(record)) = item
                && give(id, record).is_break()
            {
                break;
            }
        }
        Ok(())
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, JournalError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|source| JournalError::Thread { source })
}

/// The refusal of a closed journal.
fn closed() -> SinkRefused {
    SinkRefused::Closed
}

#[cfg(test)]
mod tampering;
#[cfg(test)]
mod tests;
