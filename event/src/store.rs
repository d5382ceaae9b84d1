//! What pages, API and reports may ask of stored events, whichever engine holds them.

use chrono::{DateTime, Utc};

use crate::event::{Event, Field};
use crate::id::EventId;
use crate::query::Query;
use crate::time::TimeRange;

/// Which end of the period a search begins at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    NewestFirst,
    OldestFirst,
}

#[derive(Clone, Debug)]
pub struct SearchRequest {
    pub query: Query,
    pub range: TimeRange,
    pub order: Order,
    /// Most events returned.
    pub limit: usize,
    /// Go on after this event of an earlier page.
    pub after: Option<Cursor>,
    /// Read each record from the journal and give whole events; else only the columns of the index are filled.
    pub whole: bool,
    /// Say how many match in all. An export, which counts as it goes, does without.
    pub total: bool,
}

impl SearchRequest {
    /// The first page, newest first, of columns, with its total.
    pub fn new(query: Query, range: TimeRange, limit: usize) -> Self {
        Self { query, range, order: Order::NewestFirst, limit, after: None, whole: false, total: true }
    }
}

/// Place in the order of event time and, where that is equal, event id. A keyset, so pages neither repeat nor skip
/// while data arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub time: DateTime<Utc>,
    pub id: EventId,
}

/// Events in the order asked for.
#[derive(Clone, Debug, Default)]
pub struct SearchPage {
    pub events: Vec<Event>,
    pub total: Total,
    /// Where the next page starts; `None` on the last. It is given too where the search was broken off.
    pub next: Option<Cursor>,
    /// This part of the period was not searched, because the time budget was spent.
    pub unsearched: Option<TimeRange>,
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

/// What is counted over all matches of a query.
#[derive(Clone, Debug)]
pub struct AggregateRequest {
    pub query: Query,
    pub range: TimeRange,
    /// Fields whose most frequent values are asked for.
    pub fields: Vec<Field>,
    /// How many values of each.
    pub top: usize,
    /// Counts per so many seconds, aligned to JST midnight; buckets without events are given too, oldest first. The
    /// range must be bounded on both sides; at most 10,000 buckets.
    pub interval_seconds: Option<u32>,
    /// Take as long as it takes, for figures that must be whole; else the store's time budget holds.
    pub patient: bool,
}

impl AggregateRequest {
    /// Only how many there are, within the time budget.
    pub fn count(query: Query, range: TimeRange) -> Self {
        Self { query, range, fields: Vec::new(), top: 0, interval_seconds: None, patient: false }
    }
}

/// Exact where `unsearched` is `None`; else every number is a lower bound, of what was searched.
#[derive(Clone, Debug, Default)]
pub struct Aggregates {
    pub total: Total,
    /// One for each field asked for, in that order.
    pub tops: Vec<TopValues>,
    pub bars: Vec<Bucket>,
    /// Not all events of this part of the period were counted, because the time budget was spent.
    pub unsearched: Option<TimeRange>,
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
    /// In the order asked for. An empty page is an answer, not an error.
    fn search(&self, request: &SearchRequest) -> Result<SearchPage, StoreError>;

    /// Numbers over all matches, found in one pass.
    fn aggregate(&self, request: &AggregateRequest) -> Result<Aggregates, StoreError>;

    /// One whole event, parsed from its record; `None` when there is no such record or offset.
    fn event(&self, id: EventId) -> Result<Option<Event>, StoreError>;

    /// Exact number of events, however long that takes.
    fn count(&self, query: &Query, range: TimeRange) -> Result<u64, StoreError> {
        let request = AggregateRequest { patient: true, ..AggregateRequest::count(query.clone(), range) };
        Ok(self.aggregate(&request)?.total.value)
    }

    /// The `n` most frequent values of `field`, exact, however long that takes.
    fn top(&self, query: &Query, range: TimeRange, field: Field, n: usize) -> Result<TopValues, StoreError> {
        let count = AggregateRequest::count(query.clone(), range);
        let request = AggregateRequest { fields: vec![field], top: n, patient: true, ..count };
        Ok(self.aggregate(&request)?.tops.pop().unwrap_or_default())
    }

    /// Exact counts per interval, however long that takes.
    fn histogram(&self, query: &Query, range: TimeRange, interval_seconds: u32) -> Result<Vec<Bucket>, StoreError> {
        let count = AggregateRequest::count(query.clone(), range);
        let request = AggregateRequest { interval_seconds: Some(interval_seconds), patient: true, ..count };
        Ok(self.aggregate(&request)?.bars)
    }
}
