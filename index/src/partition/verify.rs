//! Whole events: read from the journal, parsed again, enriched again. What the index cannot know is verified on them,
//! newest first, so that where time runs out everything newer is complete.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use monban_event::query::Query;
use monban_event::store::StoreError;
use monban_event::{Event, EventId, Field, Format, Record, RecordId, RecordParser, TimeRange};
use tantivy::query::Query as Search;

use super::collect::{Key, PageRequest, page};
use super::search::{Enrich, RecordSource, engine};
use super::set::PartitionSet;
use crate::query::Matcher;

/// Records kept parsed. The events of one EVTX chunk come near one another, but not next to one another.
const RECORDS_KEPT: usize = 32;

/// Candidates asked of the index at once: few at first, for the page may soon be full.
const CANDIDATES_FIRST: usize = 256;
const CANDIDATES_MAX: usize = 8_192;

/// Reads whole events and keeps the last records parsed.
pub(crate) struct EventReader<'a> {
    records: &'a dyn RecordSource,
    parser: &'a dyn RecordParser,
    enrich: &'a Enrich,
    kept: VecDeque<Parsed>,
}

struct Parsed {
    id: RecordId,
    events: Vec<Event>,
    raw: Option<String>,
}

impl<'a> EventReader<'a> {
    pub(crate) fn new(records: &'a dyn RecordSource, parser: &'a dyn RecordParser, enrich: &'a Enrich) -> Self {
        Self { records, parser, enrich, kept: VecDeque::new() }
    }

    /// The event and its record's text; `None` when the record is gone.
    pub(crate) fn read(&mut self, id: EventId) -> Result<Option<(Event, Option<&str>)>, StoreError> {
        if !self.kept.iter().any(|parsed| parsed.id == id.record) {
            let record = self.records.read(id.record).map_err(|source| engine("read record", source))?;
            let Some(record) = record else { return Ok(None) };
            self.kept.truncate(RECORDS_KEPT - 1);
            self.kept.push_front(self.parse(id.record, &record));
        }
        let parsed = self.kept.iter().find(|parsed| parsed.id == id.record);
        Ok(parsed.and_then(|parsed| {
            let mut event = parsed.events.iter().find(|event| event.id == id)?.clone();
            (self.enrich)(&mut event);
            Some((event, parsed.raw.as_deref()))
        }))
    }

    fn parse(&self, id: RecordId, record: &Record) -> Parsed {
        let mut events = Vec::new();
        self.parser.parse(id, record, &mut events);
        let raw = match record.format {
            Format::Syslog | Format::Json | Format::Csv => std::str::from_utf8(&record.bytes).ok().map(str::to_owned),
            Format::EvtxChunk => None,
        };
        Parsed { id, events, raw }
    }
}

/// The whole event, with what was known when it was indexed: its context, and what lines before it said of it.
pub(crate) fn overlay(whole: &mut Event, columns: &Event) {
    for &field in Field::ALL {
        let was_known = field.name().starts_with("monban.") || whole.get(field).is_none();
        if let Some(value) = columns.get(field).filter(|_| was_known) {
            whole.set_text(field, &value.to_text());
        }
    }
}

/// A search whose matches must be verified.
pub(crate) struct Verification<'a> {
    pub(crate) set: &'a PartitionSet,
    pub(crate) search: &'a dyn Search,
    pub(crate) query: &'a Query,
    pub(crate) range: TimeRange,
    pub(crate) after: Option<Key>,
    pub(crate) started: Instant,
    pub(crate) budget: Duration,
}

/// Where time ran out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    /// Matches before this, in microseconds, are unknown.
    pub(crate) before: i64,
    /// Where to go on.
    pub(crate) after: Key,
}

impl Stop {
    fn at(before: i64, verified: Option<Key>) -> Self {
        let start = Key { micros: before, id: EventId::default() };
        Self { before, after: verified.unwrap_or(start) }
    }
}

impl Verification<'_> {
    /// Gives every match newest first until told to stop. `Some` when time ran out.
    pub(crate) fn run(
        &self,
        reader: &mut EventReader<'_>,
        mut give: impl FnMut(Key, Event) -> ControlFlow<()>,
    ) -> Result<Option<Stop>, StoreError> {
        let matcher = Matcher::new(self.query);
        let mut after = self.after;
        let mut limit = CANDIDATES_FIRST;
        loop {
            let request = PageRequest {
                range: self.range,
                after,
                limit,
                count: false,
                started: self.started,
                budget: self.budget,
            };
            let candidates = page(self.set, self.search, &request).map_err(|source| engine("candidates", source))?;
            for (key, hit) in &candidates.hits {
                if self.started.elapsed() > self.budget {
                    return Ok(Some(Stop::at(key.micros.saturating_add(1), after)));
                }
                after = Some(*key);
                let Some((mut event, raw)) = reader.read(key.id)? else { continue };
                overlay(&mut event, &hit.event().map_err(|source| engine("columns", source))?);
                if matcher.matches(&event, raw) && give(*key, event).is_break() {
                    return Ok(None);
                }
            }
            if let Some(before) = candidates.incomplete_before {
                return Ok(Some(Stop::at(before, after)));
            }
            if !candidates.more {
                return Ok(None);
            }
            limit = (limit * 2).min(CANDIDATES_MAX);
        }
    }
}
