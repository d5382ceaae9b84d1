//! What pages, API and reports may ask of stored events, whichever engine holds them.

use chrono::{DateTime, Utc};

use crate::event::{Event, Field};
use crate::id::EventId;
use crate::query::Query;
use crate::time::TimeRange;

#[derive(Clone, Debug)]
pub struct SearchRequest {
    pub query: Query,
    pub range: TimeRange,
    /// Most events returned.
    pub limit: usize,
    /// Go on after this event of an earlier page.
    pub after: Option<Cursor>,
    /// Read each record from the journal and give whole events; else only the columns of the index are filled.
    pub whole: bool,
}

/// Place in the newest-first order: (event time, event id), both descending. A keyset, so pages neither repeat nor
/// skip while data arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub time: DateTime<Utc>,
    pub id: EventId,
}

/// Events newest first.
#[derive(Clone, Debug, Default)]
pub struct SearchPage {
    pub events: Vec<Event>,
    pub total: Total,
    /// Where the next page starts; `None` on the last.
    pub next: Option<Cursor>,
    /// Events before this were not searched, because the time budget was spent.
    pub incomplete_before: Option<DateTime<Utc>>,
}

/// How many events match, and whether that is the exact number or a lower bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    pub value: u64,
    pub exact: bool,
}

impl Default for Total {
    fn default() -> Self {
        Self { value: 0, exact: true }
    }
}

/// The most frequent values of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopValues {
    /// Value and count, most frequent first, equal counts by value.
    pub values: Vec<(String, u64)>,
    /// How many further values there are.
    pub others: u64,
    /// Distinct values in all.
    pub distinct: u64,
}

/// One bar of a histogram: events in `[start, start + interval)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub start: DateTime<Utc>,
    pub count: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine failed; nothing the asker can change.
    #[error("search {part}")]
    Engine {
        part: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The question itself cannot be answered, and why, in Japanese for the asker.
    #[error("{0}")]
    CannotAnswer(String),
}

pub trait EventStore: Send + Sync {
    /// Newest first. An empty page is an answer, not an error.
    fn search(&self, request: &SearchRequest) -> Result<SearchPage, StoreError>;

    /// Exact number of events.
    fn count(&self, query: &Query, range: TimeRange) -> Result<u64, StoreError>;

    /// The `n` most frequent values of `field`.
    fn top(&self, query: &Query, range: TimeRange, field: Field, n: usize) -> Result<TopValues, StoreError>;

    /// Counts per `interval_seconds`, aligned to JST midnight; buckets without events are given too, oldest first.
    /// The range must be bounded on both sides; at most 10,000 buckets.
    fn histogram(&self, query: &Query, range: TimeRange, interval_seconds: u32) -> Result<Vec<Bucket>, StoreError>;

    /// One whole event, parsed from its record; `None` when there is no such record or offset.
    fn event(&self, id: EventId) -> Result<Option<Event>, StoreError>;
}
