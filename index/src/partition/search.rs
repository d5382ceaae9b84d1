//! The store that pages, API and reports ask, answered from the partitions and, for whole events, from the journal.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::query::Query;
use monban_event::store::{
    AggregateRequest, Aggregates, Bucket, Cursor, Order, SearchPage, SearchRequest, StoreError, TopValues, Total,
};
use monban_event::time::JST;
use monban_event::{Event, EventId, EventStore, Field, Record, RecordId, RecordParser, TimeRange, Value};

use super::collect::{self, BARS_MAX, Counts, Grid, Hit, Key, PageRequest, Question, Rank};
use super::schema::{Column, column_of, cut_value};
use super::set::PartitionSet;
use super::verify::{EventReader, Scan};
use crate::query::plan::{Plan, plan};

/// How long one search may take. A person waits this long before trying again; what was not searched is said.
const TIME_BUDGET: Duration = Duration::from_secs(5);

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

    /// Gives the records from `first` to `last`, both included, in order, until told to stop. Numbers that
    /// [`RecordSource::read`] has nothing for are passed over.
    fn scan(
        &self,
        first: RecordId,
        last: RecordId,
        give: &mut dyn FnMut(RecordId, Record) -> ControlFlow<()>,
    ) -> Result<(), ReadRecordError> {
        for id in (first.0..=last.0).map(RecordId) {
            if let Some(record) = self.read(id)?
                && give(id, record).is_break()
            {
                break;
            }
        }
        Ok(())
    }
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

    fn scan<'a>(&'a self, plan: &'a Plan, query: &'a Query, range: TimeRange) -> Scan<'a> {
        Scan {
            set: &self.set,
            search: plan.search.as_ref(),
            query,
            range,
            order: Order::NewestFirst,
            after: None,
            started: Instant::now(),
            budget: Some(self.budget),
            records: self.records.as_ref(),
            parser: self.parser.as_ref(),
            enrich: &self.enrich,
        }
    }

    fn search_index(&self, plan: &Plan, request: &SearchRequest) -> Result<SearchPage, StoreError> {
        let asked = PageRequest {
            range: request.range,
            order: request.order,
            after: rank_of(request),
            limit: request.limit.min(LIMIT_MAX),
            count: request.total,
            started: Instant::now(),
            budget: Some(self.budget),
        };
        let page = collect::page(&self.set, plan.search.as_ref(), &asked).map_err(|source| engine("page", source))?;
        let events = if request.whole {
            self.scan(plan, &Query::All, request.range).whole(&page.hits)?
        } else {
            page.hits.iter().map(|(_, hit)| columns(hit)).collect::<Result<_, _>>()?
        };
        let last = page.hits.last().filter(|_| page.more).map(|(key, _)| cursor_of(*key));
        Ok(SearchPage {
            events,
            total: Total { value: page.total, exact: page.total_exact },
            next: page.stopped_at.map(|stop| cursor_of(stop.key(request.order))).or(last),
            unsearched: page.stopped_at.map(|stop| behind(stop, request)),
        })
    }

    /// A search that only whole events can answer.
    fn search_journal(&self, plan: &Plan, request: &SearchRequest) -> Result<SearchPage, StoreError> {
        let limit = request.limit.min(LIMIT_MAX);
        let scan = self.scan(plan, &request.query, request.range);
        let scan = Scan { order: request.order, after: rank_of(request), ..scan };
        let mut found: Vec<(Key, Event)> = Vec::new();
        let stopped = scan.run(&mut |key, event| {
            found.push((key, event));
            if found.len() > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let more = found.len() > limit;
        let value = found.len() as u64;
        found.truncate(limit);
        let last = found.last().filter(|_| more).map(|(key, _)| cursor_of(*key));
        Ok(SearchPage {
            events: found.into_iter().map(|(_, event)| event).collect(),
            total: Total { value, exact: !more && stopped.is_none() && request.after.is_none() },
            next: stopped.map(|stop| cursor_of(stop.key(request.order))).or(last),
            unsearched: stopped.map(|stop| behind(stop, request)),
        })
    }

    fn count_index(&self, question: &Question<'_>) -> Result<(Counts, Option<i64>), StoreError> {
        let gathered = collect::counts(&self.set, question).map_err(|source| engine("counts", source))?;
        let mut counts = Counts::default();
        counts.values.resize_with(question.columns.len(), BTreeMap::new);
        gathered.parts.into_iter().for_each(|part| counts.merge(part));
        Ok((counts, gathered.incomplete_before))
    }

    fn count_journal(
        &self,
        plan: &Plan,
        request: &AggregateRequest,
        grid: Option<Grid>,
    ) -> Result<(Counts, Option<i64>), StoreError> {
        let mut counts = Counts::default();
        counts.values.resize_with(request.fields.len(), BTreeMap::new);
        let scan = self.scan(plan, &request.query, request.range);
        let scan = Scan { budget: scan.budget.filter(|_| !request.patient), ..scan };
        let stopped = scan.run(&mut |key, event| {
            counts.total += 1;
            if let Some(grid) = grid {
                counts.add_to_bar(grid.index(key.micros), 1);
            }
            for (&field, values) in request.fields.iter().zip(&mut counts.values) {
                if let Some(value) = event.get(field) {
                    *values.entry(as_column(&value)).or_default() += 1;
                }
            }
            ControlFlow::Continue(())
        })?;
        let incomplete_before = stopped.map(|stop| stop.key(Order::NewestFirst).micros.saturating_add(1));
        Ok((counts, incomplete_before))
    }
}

impl EventStore for TantivyStore {
    fn search(&self, request: &SearchRequest) -> Result<SearchPage, StoreError> {
        let plan = plan(&request.query);
        if plan.exact { self.search_index(&plan, request) } else { self.search_journal(&plan, request) }
    }

    fn aggregate(&self, request: &AggregateRequest) -> Result<Aggregates, StoreError> {
        let started = Instant::now();
        if request.fields.contains(&Field::EventTime) {
            return Err(StoreError::CannotAnswer(
                "日時の内訳は棒グラフ（histogram、--hist）で求めてください。".to_owned(),
            ));
        }
        let bars = request.interval_seconds.map(|seconds| grid(request.range, seconds)).transpose()?;
        let grid = bars.map(|(grid, _)| grid);
        let plan = plan(&request.query);
        let columns: Vec<Column> = request.fields.iter().filter_map(|&field| column_of(field)).collect();
        let (counts, incomplete_before) = if plan.exact && columns.len() == request.fields.len() {
            let deadline = Some(started + self.budget).filter(|_| !request.patient);
            let range = request.range;
            self.count_index(&Question { plan: &plan, range, columns: &columns, grid, deadline })?
        } else {
            self.count_journal(&plan, request, grid)?
        };
        Ok(Aggregates {
            total: Total { value: counts.total, exact: incomplete_before.is_none() },
            tops: counts.values.into_iter().map(|values| most_frequent(values, request.top)).collect(),
            bars: bars.map(|(grid, length)| drawn(grid, length, &counts.bars)).unwrap_or_default(),
            unsearched: incomplete_before
                .map(|before| TimeRange { from: request.range.from, to: bound_of(before).or(request.range.to) }),
        })
    }

    fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        Ok(self.reader().read(id)?.map(|(event, _)| event))
    }
}

fn rank_of(request: &SearchRequest) -> Option<Rank> {
    let key = |cursor: Cursor| Key { micros: cursor.time.timestamp_micros(), id: cursor.id };
    request.after.map(|cursor| Rank::of(key(cursor), request.order))
}

fn cursor_of(key: Key) -> Cursor {
    Cursor { time: key.time(), id: key.id }
}

fn time_of(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

/// A bound where there is one: what no calendar holds is no bound.
fn bound_of(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}

/// What of the period lies behind the place where time ran out, the moment of that place included.
fn behind(stop: Rank, request: &SearchRequest) -> TimeRange {
    let micros = stop.key(request.order).micros;
    match request.order {
        Order::NewestFirst => {
            TimeRange { from: request.range.from, to: bound_of(micros.saturating_add(1)).or(request.range.to) }
        }
        Order::OldestFirst => TimeRange { from: bound_of(micros).or(request.range.from), to: request.range.to },
    }
}

fn drawn(grid: Grid, length: usize, counts: &[u64]) -> Vec<Bucket> {
    let starts = (0..).map(|index| time_of(grid.start + index * grid.interval));
    let counts = counts.iter().copied().chain(std::iter::repeat(0));
    starts.zip(counts).take(length).map(|(start, count)| Bucket { start, count }).collect()
}

pub(crate) fn columns(hit: &Hit) -> Result<Event, StoreError> {
    hit.event().map_err(|source| engine("columns", source))
}

/// A value as a column would have kept it, so that both ways of counting agree.
fn as_column(value: &Value<'_>) -> String {
    match value {
        Value::Ip(ip) => ip.to_canonical().to_string(),
        other => cut_value(&other.to_text()).to_owned(),
    }
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
    // Columns keep microseconds: an end between two of them lies behind the earlier one.
    let ceil = to.timestamp_micros() + i64::from(!to.timestamp_subsec_nanos().is_multiple_of(1_000));
    let (from, to) = (from.timestamp_micros(), ceil);
    let start = (from + zone).div_euclid(interval) * interval - zone;
    let length = (to - start + interval - 1).div_euclid(interval).max(0);
    match usize::try_from(length) {
        Ok(buckets) if buckets <= BARS_MAX => Ok((Grid { start, interval }, buckets)),
        _ => refuse("棒が1万本を超えます。期間を狭めるか、間隔を広げてください。"),
    }
}
