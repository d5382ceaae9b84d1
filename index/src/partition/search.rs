//! The store that pages, API and reports ask, answered from the partitions and, for whole events, from the journal.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::query::Query;
use monban_event::store::{Bucket, Cursor, SearchPage, SearchRequest, StoreError, TopValues, Total};
use monban_event::time::JST;
use monban_event::{Event, EventId, EventStore, Field, Record, RecordId, RecordParser, TimeRange};

use super::collect::{self, Grid, Hit, Key, PageRequest};
use super::schema::column_of;
use super::set::PartitionSet;
use super::verify::{EventReader, Verification, overlay};
use crate::query::plan::{Plan, plan};

/// How long one search may take. A person waits this long before trying again; what was not searched is said.
const TIME_BUDGET: Duration = Duration::from_secs(5);

/// Most bars of a histogram; the trait promises it.
const BUCKETS_MAX: i64 = 10_000;

/// Most events of one page, whatever was asked: exports go page by page.
const LIMIT_MAX: usize = 10_000;

/// A record could not be read although the journal should hold it.
#[derive(Debug, thiserror::Error)]
#[error("read record {id}")]
pub struct ReadRecordError {
    pub id: RecordId,
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Where records are read from: the journal.
pub trait RecordSource: Send + Sync {
    /// `None` when there is no such record, or it is past its retention, or it is an act.
    fn read(&self, id: RecordId) -> Result<Option<Record>, ReadRecordError>;
}

/// Fills in the context of an event that was parsed again.
pub(crate) type Enrich = Arc<dyn Fn(&mut Event) + Send + Sync>;

/// [`EventStore`] over the partitions.
pub struct TantivyStore {
    set: Arc<PartitionSet>,
    records: Arc<dyn RecordSource>,
    parser: Arc<dyn RecordParser>,
    enrich: Enrich,
    budget: Duration,
}

pub(crate) fn engine(part: &str, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Engine { part: part.to_owned(), source: Box::new(source) }
}

impl TantivyStore {
    pub fn new(
        set: Arc<PartitionSet>,
        records: Arc<dyn RecordSource>,
        parser: Arc<dyn RecordParser>,
        enrich: Arc<dyn Fn(&mut Event) + Send + Sync>,
    ) -> Self {
        Self { set, records, parser, enrich, budget: TIME_BUDGET }
    }

    /// With another time budget than five seconds; a budget of nothing answers nothing, and says so.
    #[must_use]
    pub fn with_budget(self, budget: Duration) -> Self {
        Self { budget, ..self }
    }

    fn reader(&self) -> EventReader<'_> {
        EventReader::new(self.records.as_ref(), self.parser.as_ref(), &self.enrich)
    }

    fn verification<'a>(&'a self, plan: &'a Plan, query: &'a Query, range: TimeRange) -> Verification<'a> {
        Verification {
            set: &self.set,
            search: plan.search.as_ref(),
            query,
            range,
            after: None,
            started: Instant::now(),
            budget: self.budget,
        }
    }

    /// Gives every match of a query that the index cannot answer alone; an error when time ran out, because half a
    /// number is not a number.
    fn each_verified(
        &self,
        plan: &Plan,
        query: &Query,
        range: TimeRange,
        mut give: impl FnMut(Key, &Event),
    ) -> Result<(), StoreError> {
        let stopped = self.verification(plan, query, range).run(&mut self.reader(), |key, event| {
            give(key, &event);
            ControlFlow::Continue(())
        })?;
        match stopped {
            None => Ok(()),
            Some(stop) => Err(StoreError::CannotAnswer(format!(
                "{}秒で打ち切りました。{} より前は走査できていません。期間を狭めるか、索引のある項目で絞ってください。",
                self.budget.as_secs(),
                jst(stop.before),
            ))),
        }
    }

    fn search_index(&self, plan: &Plan, request: &SearchRequest) -> Result<SearchPage, StoreError> {
        let asked = PageRequest {
            range: request.range,
            after: request.after.map(key_of),
            limit: request.limit.min(LIMIT_MAX),
            count: true,
            started: Instant::now(),
            budget: self.budget,
        };
        let page = collect::page(&self.set, plan.search.as_ref(), &asked).map_err(|source| engine("page", source))?;
        let last = page.hits.last().map(|(key, _)| *key);
        let mut reader = self.reader();
        let mut events = Vec::with_capacity(page.hits.len());
        for (key, hit) in &page.hits {
            events.push(if request.whole { whole(&mut reader, *key, hit)? } else { columns(hit)? });
        }
        let incomplete_before = page.incomplete_before.map(time_of);
        let next = match (incomplete_before, last) {
            (Some(time), _) => Some(Cursor { time, id: EventId::new(RecordId(u64::MAX), u32::MAX) }),
            (None, Some(last)) if page.more => Some(Cursor { time: last.time(), id: last.id }),
            (None, _) => None,
        };
        let total = Total { value: page.total, exact: page.total_exact };
        Ok(SearchPage { events, total, next, incomplete_before })
    }

    fn search_verified(&self, plan: &Plan, request: &SearchRequest) -> Result<SearchPage, StoreError> {
        let limit = request.limit.min(LIMIT_MAX);
        let mut verification = self.verification(plan, &request.query, request.range);
        verification.after = request.after.map(key_of);
        let mut found: Vec<(Key, Event)> = Vec::new();
        let stopped = verification.run(&mut self.reader(), |key, event| {
            found.push((key, event));
            if found.len() > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let more = found.len() > limit;
        let value = found.len() as u64;
        found.truncate(limit);
        let next = match stopped {
            Some(stop) => Some(Cursor { time: stop.after.time(), id: stop.after.id }),
            None => found.last().filter(|_| more).map(|(key, _)| Cursor { time: key.time(), id: key.id }),
        };
        let exact = !more && stopped.is_none() && request.after.is_none();
        Ok(SearchPage {
            events: found.into_iter().map(|(_, event)| event).collect(),
            total: Total { value, exact },
            next,
            incomplete_before: stopped.map(|stop| time_of(stop.before)),
        })
    }
}

impl EventStore for TantivyStore {
    fn search(&self, request: &SearchRequest) -> Result<SearchPage, StoreError> {
        let plan = plan(&request.query);
        if plan.exact { self.search_index(&plan, request) } else { self.search_verified(&plan, request) }
    }

    fn count(&self, query: &Query, range: TimeRange) -> Result<u64, StoreError> {
        let plan = plan(query);
        if plan.exact {
            return collect::count(&self.set, plan.search.as_ref(), range).map_err(|source| engine("count", source));
        }
        let mut count = 0;
        self.each_verified(&plan, query, range, |_, _| count += 1)?;
        Ok(count)
    }

    fn top(&self, query: &Query, range: TimeRange, field: Field, n: usize) -> Result<TopValues, StoreError> {
        let plan = plan(query);
        let values = match column_of(field) {
            Some(column) if plan.exact => {
                collect::values(&self.set, &plan, range, column).map_err(|source| engine("values", source))?
            }
            _ => {
                let mut values = BTreeMap::new();
                self.each_verified(&plan, query, range, |_, event| {
                    if let Some(value) = event.get(field) {
                        *values.entry(value.to_text().into_owned()).or_default() += 1;
                    }
                })?;
                values
            }
        };
        Ok(most_frequent(values, n))
    }

    fn histogram(&self, query: &Query, range: TimeRange, interval_seconds: u32) -> Result<Vec<Bucket>, StoreError> {
        let (grid, length) = grid(range, interval_seconds)?;
        let plan = plan(query);
        let mut counts = vec![0; length];
        if plan.exact {
            collect::histogram(&self.set, plan.search.as_ref(), range, grid, &mut counts)
                .map_err(|source| engine("histogram", source))?;
        } else {
            self.each_verified(&plan, query, range, |key, _| {
                if let Some(count) = counts.get_mut(grid.index(key.micros)) {
                    *count += 1;
                }
            })?;
        }
        let starts = (0..).map(|index| time_of(grid.start + index * grid.interval));
        Ok(starts.zip(counts).map(|(start, count)| Bucket { start, count }).collect())
    }

    fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        Ok(self.reader().read(id)?.map(|(event, _)| event))
    }
}

fn key_of(cursor: Cursor) -> Key {
    Key { micros: cursor.time.timestamp_micros(), id: cursor.id }
}

fn time_of(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

fn jst(micros: i64) -> String {
    time_of(micros).with_timezone(&JST).format("%Y/%m/%d %H:%M:%S").to_string()
}

fn columns(hit: &Hit) -> Result<Event, StoreError> {
    hit.event().map_err(|source| engine("columns", source))
}

/// The whole event; what the columns know of it where its record is gone.
fn whole(reader: &mut EventReader<'_>, key: Key, hit: &Hit) -> Result<Event, StoreError> {
    let known = columns(hit)?;
    Ok(match reader.read(key.id)? {
        Some((mut event, _)) => {
            overlay(&mut event, &known);
            event
        }
        None => known,
    })
}

fn most_frequent(values: BTreeMap<String, u64>, n: usize) -> TopValues {
    let distinct = values.len() as u64;
    let mut values: Vec<(String, u64)> = values.into_iter().collect();
    // The map gave them by value, and the sort is stable.
    values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    values.truncate(n);
    let others = distinct - values.len() as u64;
    TopValues { values, others, distinct }
}

/// The grid aligned to JST midnight that covers a bounded period, and how many bars it has.
fn grid(range: TimeRange, interval_seconds: u32) -> Result<(Grid, usize), StoreError> {
    let refuse = |text: &str| Err(StoreError::CannotAnswer(text.to_owned()));
    let (Some(from), Some(to)) = (range.from, range.to) else {
        return refuse("棒グラフには期間の始まりと終わりの両方が必要です。");
    };
    let interval = TimeDelta::seconds(interval_seconds.into());
    let Some(interval) = interval.num_microseconds().filter(|&micros| micros > 0) else {
        return refuse("棒グラフの間隔は1秒以上にしてください。");
    };
    let zone = i64::from(JST.local_minus_utc()) * 1_000_000;
    let (from, to) = (from.timestamp_micros(), to.timestamp_micros());
    let start = (from + zone).div_euclid(interval) * interval - zone;
    let length = (to - start + interval - 1).div_euclid(interval).max(0);
    match usize::try_from(length) {
        Ok(buckets) if length <= BUCKETS_MAX => Ok((Grid { start, interval }, buckets)),
        _ => refuse("棒が1万本を超えます。期間を狭めるか、間隔を広げてください。"),
    }
}
