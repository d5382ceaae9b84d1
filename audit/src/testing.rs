//! A store in memory, for tests: every question is answered by asking every event, so it cannot be wrong in the way an
//! index can. The tests of `api` use this file too.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::query::Query;
use monban_event::store::{
    AggregateRequest, Aggregates, Bucket, Cursor, EventStore, Order, SearchPage, SearchRequest, StoreError, TopValues,
    Total,
};
use monban_event::{Event, EventId, Field, TimeRange};
use monban_index::query::Matcher;

#[derive(Default)]
pub(crate) struct MemoryStore {
    pub(crate) events: Vec<Event>,
}

impl MemoryStore {
    fn matching(&self, query: &Query, range: TimeRange) -> Vec<&Event> {
        let matcher = Matcher::new(query);
        let fits = |event: &&Event| range.contains(event.time()) && matcher.matches(event, None);
        self.events.iter().filter(fits).collect()
    }

    fn top_of(&self, request: &AggregateRequest, field: Field) -> TopValues {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for event in self.matching(&request.query, request.range) {
            if let Some(value) = event.get(field) {
                *counts.entry(value.to_text().into_owned()).or_default() += 1;
            }
        }
        let distinct = counts.len() as u64;
        let mut values: Vec<(String, u64)> = counts.into_iter().collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        values.truncate(request.top);
        TopValues { others: distinct - values.len() as u64, distinct, values }
    }

    fn bars_of(&self, request: &AggregateRequest, interval_seconds: u32) -> Result<Vec<Bucket>, StoreError> {
        let range = request.range;
        let (Some(from), Some(to)) = (range.from, range.to) else {
            return Err(StoreError::CannotAnswer("期間の両端が必要です。".to_owned()));
        };
        let step = i64::from(interval_seconds);
        let start_of = |time: DateTime<Utc>| (time.timestamp() + 32_400).div_euclid(step) * step - 32_400;
        let mut buckets = Vec::new();
        let mut start = start_of(from);
        while start < to.timestamp() {
            let time = DateTime::from_timestamp(start, 0).unwrap_or_default();
            let part = TimeRange::between(time, time + TimeDelta::seconds(step)).intersect(&range);
            buckets.push(Bucket { start: time, count: self.matching(&request.query, part).len() as u64 });
            start += step;
        }
        Ok(buckets)
    }
}

impl EventStore for MemoryStore {
    fn search(&self, request: &SearchRequest) -> Result<SearchPage, StoreError> {
        let mut found = self.matching(&request.query, request.range);
        let place = |event: &Event| Cursor { time: event.time(), id: event.id };
        found.sort_by_key(|event| place(event));
        let total = Total { value: found.len() as u64, exact: true };
        match request.order {
            Order::OldestFirst => found.retain(|event| request.after.is_none_or(|after| place(event) > after)),
            Order::NewestFirst => {
                found.reverse();
                found.retain(|event| request.after.is_none_or(|after| place(event) < after));
            }
        }
        let more = found.len() > request.limit;
        found.truncate(request.limit);
        let next = found.last().filter(|_| more).map(|event| place(event));
        Ok(SearchPage { events: found.into_iter().cloned().collect(), total, next, unsearched: None })
    }

    fn aggregate(&self, request: &AggregateRequest) -> Result<Aggregates, StoreError> {
        let bars = request.interval_seconds.map(|seconds| self.bars_of(request, seconds)).transpose()?;
        Ok(Aggregates {
            total: Total { value: self.matching(&request.query, request.range).len() as u64, exact: true },
            tops: request.fields.iter().map(|&field| self.top_of(request, field)).collect(),
            bars: bars.unwrap_or_default(),
            unsearched: None,
        })
    }

    fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        Ok(self.events.iter().find(|event| event.id == id).cloned())
    }
}
