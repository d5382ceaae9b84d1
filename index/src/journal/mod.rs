//! The journal: the truth. Every record and every act, in the order of admission, appended and never changed.
//!
//! On disk, version 1 (`records/` and `acts/` under the journal's folder, one sequence of numbers over both):
//!
//! ```text
//! segment  := header frame*                       named by its first number: 00000000000000000001.seg
//! header   := "MONBANSG" version:u16 family:u8 0:u8 first:u64 created_us:i64 chain:[u8;32] crc32c:u32
//! frame    := length:u32 crc32c:u32 kind:u8 body  length and crc32c cover kind and body
//! body     := (number:u64 length:u32 entry)*      for kind 1; other kinds are left for proofs
//! ```
//!
//! All integers are little endian. `chain` is the head of the hash chain before the segment and zero until chaining
//! begins. Acts are written and synced before the records of the same commit, and acts come first in its numbers, so a
//! torn commit never leaves a hole in the sequence: what is cut off at the end was never acknowledged.

mod codec;
mod lookup;
mod segment;
mod tail;
mod writer;

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use monban_event::sink::Done;
use monban_event::{Act, Clock, Lane, Record, RecordId, RecordSink, SinkRefused};

pub use codec::Entry;
pub use tail::{Tail, TailItem};

use crate::partition::{ReadRecordError, RecordSource};
use lookup::Lookup;
use segment::{Family, Segments};
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
    #[error("write to journal {dir}: an earlier sync failed: {reason}")]
    Broken { dir: PathBuf, reason: String },
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
    /// The position that had been published as durable, where it is beyond `last`: records were lost.
    pub missing_up_to: Option<RecordId>,
}

/// How far the journal and its readers are.
#[derive(Debug, Default)]
struct Progress {
    durable: u64,
    processed: u64,
    /// Last number and instant of the commits that the pipeline has not processed.
    commits: std::collections::VecDeque<(u64, Instant)>,
    closed: bool,
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
}

impl Shared {
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
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    /// Opens the journal in `dir`, cutting off an unfinished last write, and starts its writing thread.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<(Self, Recovery), JournalError> {
        for family in Family::ALL {
            let path = dir.join(family.folder());
            fs::create_dir_all(&path).map_err(|source| JournalError::Folder { path, source })?;
        }
        let (segments, mut recovery) = Segments::recover(dir)?;
        recovery.missing_up_to = writer::published(dir).filter(|&published| published > recovery.last);
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            queues: Mutex::default(),
            work: Condvar::new(),
            progress: Mutex::new(Progress {
                durable: recovery.last.0,
                processed: recovery.last.0,
                ..Progress::default()
            }),
            moved: Condvar::new(),
            lookup: Lookup::new(dir),
        });
        let writer = Writer::new(Arc::clone(&shared), segments, recovery.last, clock)?;
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| JournalError::Thread { source })?;
        Ok((Self { shared, writer: Mutex::new(Some(thread)) }, recovery))
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

    /// Reads everything after `position` in order, as far as it is durable.
    pub fn tail(&self, position: RecordId) -> Result<Tail, JournalError> {
        Tail::after(&self.shared.dir, position)
    }

    /// One entry; `None` when the number was not given yet or its frame is damaged.
    pub fn read(&self, id: RecordId) -> Result<Option<Entry>, JournalError> {
        if id.0 == 0 || id > self.durable() {
            return Ok(None);
        }
        self.shared.lookup.read(id)
    }

    /// Queues acts ahead of everything else.
    pub fn submit_acts(&self, acts: Vec<Act>, done: Done) {
        self.queue(Lane::Acts, Job::acts(acts, done));
    }

    fn queue(&self, lane: Lane, job: Job) {
        let refused = self.shared.queues().push(lane, job);
        match refused {
            None => self.shared.work.notify_one(),
            Some((job, reason)) => job.finish(Err(reason)),
        }
    }

    /// Writes what is queued, refuses what comes later, and stops the thread.
    pub fn close(&self) {
        self.shared.queues().closed = true;
        self.shared.work.notify_one();
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the journal thread ended with a panic");
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
        self.queue(lane, Job::records(records, done));
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

/// The refusal of a closed journal.
fn closed() -> SinkRefused {
    SinkRefused::Closed
}

#[cfg(test)]
mod tests;
