//! The door of the journal as receivers see it.

use crate::act::Deed;
use crate::id::RecordId;
use crate::record::Record;

/// Admission order: acts first, then what devices send now, then history, so that an import never delays an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    Acts,
    Live,
    Imports,
}

/// Why records were not taken. None of them counts as received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkRefused {
    #[error("journal queue is full")]
    QueueFull,
    /// The disk takes nothing just now, because it is full or read-only. The journal goes on by itself when it does:
    /// who can hold its records back does so and hands them in again.
    #[error("journal waits for its disk: {0}")]
    Waiting(String),
    #[error("journal cannot write: {0}")]
    CannotWrite(String),
    #[error("journal is closed")]
    Closed,
}

/// Called once: with the last record's number when all of them are on disk, or with the refusal.
pub type Done = Box<dyn FnOnce(Result<RecordId, SinkRefused>) + Send>;

/// Takes records and says when they are durable. Never blocks.
pub trait RecordSink: Send + Sync {
    /// Queues `records` behind what the lane already holds, keeping their order. `done` runs on the journal's thread
    /// and must return at once.
    fn submit(&self, lane: Lane, records: Vec<Record>, done: Done);
}

/// Journals what people and the program decide.
pub trait ActSink: Send + Sync {
    /// Returns the act's number once it is on disk and, where it changes more than the trail, the ledger shows it, so
    /// that a page read next already knows. Blocks for some milliseconds: call it from a thread that may wait.
    fn record(&self, by: &str, deed: Deed) -> Result<RecordId, SinkRefused>;
}
