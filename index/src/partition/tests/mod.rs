//! What the parts promise together: exactly once, pages that neither repeat nor skip, and the planner against a
//! brute-force reading of every event.
#![allow(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it should be")]

mod differential;
mod exactly_once;
mod store;
mod upkeep;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::query::Query;
use monban_event::store::SearchRequest;
use monban_event::{Event, EventId, EventStore, Format, Origin, Record, RecordId, RecordParser, TimeRange, Transport};

use super::{PartitionSet, Partitions, ReadRecordError, RecordSource, TantivyStore};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// An event of a record, told `late` seconds before its receipt.
fn event(record: u64, received: DateTime<Utc>, late: i64) -> Event {
    Event {
        id: EventId::new(RecordId(record), 0),
        event_time: Some(received - TimeDelta::seconds(late)),
        ingested: Some(received),
        user_name: Some(format!("user{}", record % 7)),
        ..Event::default()
    }
}

/// A journal that holds events; its records name them by number.
#[derive(Clone, Default)]
struct Kept(Arc<BTreeMap<EventId, Event>>);

impl Kept {
    fn new(events: &[Event]) -> Self {
        Self(Arc::new(events.iter().map(|event| (event.id, event.clone())).collect()))
    }
}

impl RecordSource for Kept {
    fn read(&self, id: RecordId) -> Result<Option<Record>, ReadRecordError> {
        let known = self.0.keys().any(|event| event.record == id);
        Ok(known.then(|| Record {
            received_at: at("2026-10-05T00:00:00Z"),
            origin: Origin::Live,
            transport: Transport::Udp,
            peer: None,
            identity: None,
            format: Format::EvtxChunk,
            file: None,
            bytes: Vec::new(),
            cut: false,
        }))
    }
}

impl RecordParser for Kept {
    fn parse(&self, id: RecordId, _: &Record, events: &mut Vec<Event>) -> Vec<String> {
        events.extend(self.0.values().filter(|event| event.id.record == id).cloned());
        Vec::new()
    }
}

fn store(set: Arc<PartitionSet>, events: &[Event]) -> TantivyStore {
    let kept = Kept::new(events);
    TantivyStore::new(set, Arc::new(kept.clone()), Arc::new(kept), Arc::new(|_| {}))
}

fn indexed(dir: &Path, events: &[Event]) -> TantivyStore {
    let mut partitions = Partitions::open(dir).unwrap();
    for event in events {
        partitions.add(event).unwrap();
    }
    partitions.commit(events.last().map_or(RecordId(0), |event| event.id.record)).unwrap();
    store(partitions.reader(), events)
}

/// Every event id in the index, page by page.
fn all_ids(store: &TantivyStore, query: &Query, limit: usize) -> Vec<EventId> {
    let mut request =
        SearchRequest { query: query.clone(), range: TimeRange::default(), limit, after: None, whole: false };
    let mut ids = Vec::new();
    loop {
        let page = store.search(&request).unwrap();
        ids.extend(page.events.iter().map(|event| event.id));
        match page.next {
            Some(next) => request.after = Some(next),
            None => return ids,
        }
    }
}
