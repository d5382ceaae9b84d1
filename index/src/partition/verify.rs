//! Whole events: read from the journal, parsed again, enriched again. A query that the index cannot answer alone is
//! answered by a scan of them: what the index gives as candidates, batch by batch from the end where the search begins,
//! so that where time runs out everything before is complete. Their records are read in the journal's own order and
//! in runs, and those whose bytes cannot hold what is looked for are not parsed.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use encoding_rs::Encoding;
use monban_event::query::Query;
use monban_event::store::{Order, StoreError};
use monban_event::{Event, EventId, Field, Format, Record, RecordId, RecordParser, TimeRange};
use tantivy::query::Query as Search;

use super::collect::{Hit, Key, Page, PageRequest, Rank, page, threads};
use super::search::{Enrich, ReadRecordError, RecordSource, columns, engine};
use super::set::PartitionSet;
use crate::query::{Matcher, Needles};

/// Records kept parsed. The events of one EVTX chunk come near one another, but not next to one another.
const RECORDS_KEPT: usize = 32;

/// Candidates asked of the index at once: few at first, for the page may soon be full; then so many that a run through
/// the journal is worth its beginning.
const CANDIDATES_FIRST: usize = 256;
const CANDIDATES_MAX: usize = 32_768;

/// Wanted records this near one another are read in one run, with all between them.
const RUN_GAP_MAX: u64 = 1_024;

/// A run with fewer wanted records than this is read one by one: finding the beginning of a run costs as much.
const RUN_RECORDS_MIN: usize = 16;

/// Records read before they are parsed, in bytes: a batch of EVTX chunks would fill the memory.
const PARSED_BYTES_MAX: usize = 16 << 20;

/// Fewer records than this are parsed in the asking thread.
const SHARED_RECORDS_MIN: usize = 64;

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
        let encoding = events.iter().find_map(|event| event.original_encoding.as_deref());
        let raw = text_of(record, encoding).map(Cow::into_owned);
        Parsed { id, events, raw }
    }
}

/// A record's text, in the encoding its parser found; `None` where it has none.
fn text_of<'a>(record: &'a Record, encoding: Option<&str>) -> Option<Cow<'a, str>> {
    if record.format == Format::EvtxChunk {
        return None;
    }
    match encoding.and_then(|name| Encoding::for_label(name.as_bytes())) {
        Some(encoding) => Some(encoding.decode(&record.bytes).0),
        None => Some(String::from_utf8_lossy(&record.bytes)),
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

/// A search whose matches are whole events.
pub(crate) struct Scan<'a> {
    pub(crate) set: &'a PartitionSet,
    /// Finds at least all matches.
    pub(crate) search: &'a dyn Search,
    pub(crate) query: &'a Query,
    pub(crate) range: TimeRange,
    pub(crate) order: Order,
    pub(crate) after: Option<Rank>,
    pub(crate) started: Instant,
    /// Without one, until all is found.
    pub(crate) budget: Option<Duration>,
    pub(crate) records: &'a dyn RecordSource,
    pub(crate) parser: &'a dyn RecordParser,
    pub(crate) enrich: &'a Enrich,
}

/// What is asked of each whole event.
struct Sieve {
    matcher: Matcher,
    needles: Needles,
}

/// Candidates by the record they are in, with their places in the batch.
type Wanted = BTreeMap<RecordId, Vec<usize>>;

/// A record read, and the places of its candidates.
type Read = (RecordId, Record, Vec<usize>);

impl Scan<'_> {
    /// Gives every match in order until told to stop. `Some` when time ran out: matches behind that place are unknown.
    pub(crate) fn run(&self, give: &mut dyn FnMut(Key, Event) -> ControlFlow<()>) -> Result<Option<Rank>, StoreError> {
        let sieve = Sieve { matcher: Matcher::new(self.query), needles: Needles::of(self.query) };
        let mut after = self.after;
        let mut limit = CANDIDATES_FIRST;
        loop {
            let candidates = self.candidates(after, limit)?;
            let found = self.sift(&sieve, &candidates.hits)?;
            for ((key, _), event) in candidates.hits.iter().zip(found) {
                if event.is_some_and(|event| give(*key, event).is_break()) {
                    return Ok(None);
                }
            }
            after = candidates.hits.last().map(|(key, _)| Rank::of(*key, self.order)).or(after);
            if candidates.stopped_at.is_some() {
                return Ok(candidates.stopped_at);
            }
            if !candidates.more {
                return Ok(None);
            }
            if self.budget.is_some_and(|budget| self.started.elapsed() > budget) {
                return Ok(after);
            }
            limit = (limit * 4).min(CANDIDATES_MAX);
        }
    }

    /// The whole event of each hit, in their order; what the columns know of it where its record is gone.
    pub(crate) fn whole(&self, hits: &[(Key, Hit)]) -> Result<Vec<Event>, StoreError> {
        let sieve = Sieve { matcher: Matcher::new(&Query::All), needles: Needles::of(&Query::All) };
        let found = self.sift(&sieve, hits)?;
        hits.iter().zip(found).map(|((_, hit), event)| event.map_or_else(|| columns(hit), Ok)).collect()
    }

    fn candidates(&self, after: Option<Rank>, limit: usize) -> Result<Page, StoreError> {
        let request = PageRequest {
            range: self.range,
            order: self.order,
            after,
            limit,
            count: false,
            started: self.started,
            budget: self.budget,
        };
        page(self.set, self.search, &request).map_err(|source| engine("candidates", source))
    }

    /// The whole event of each candidate that matches.
    fn sift(&self, sieve: &Sieve, hits: &[(Key, Hit)]) -> Result<Vec<Option<Event>>, StoreError> {
        let mut found: Vec<Option<Event>> = Vec::new();
        found.resize_with(hits.len(), || None);
        let mut wanted = Wanted::new();
        for (place, (key, _)) in hits.iter().enumerate() {
            wanted.entry(key.id.record).or_default().push(place);
        }
        while let Some(run) = next_run(&mut wanted) {
            self.sift_run(sieve, hits, run, &mut found)?;
        }
        Ok(found)
    }

    fn sift_run(
        &self,
        sieve: &Sieve,
        hits: &[(Key, Hit)],
        mut run: Wanted,
        found: &mut [Option<Event>],
    ) -> Result<(), StoreError> {
        let ids: Vec<RecordId> = run.keys().copied().collect();
        let (mut read, mut bytes, mut failed): (Vec<Read>, usize, Option<StoreError>) = (Vec::new(), 0, None);
        let mut give = |id: RecordId, record: Record| {
            if let Some(places) = run.remove(&id)
                && sieve.needles.may_be_in(&record)
            {
                bytes += record.bytes.len();
                read.push((id, record, places));
            }
            if bytes > PARSED_BYTES_MAX {
                bytes = 0;
                failed = self.parse(sieve, hits, &std::mem::take(&mut read), found).err();
            }
            if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        read_run(self.records, &ids, &mut give).map_err(|source| engine("read records", source))?;
        match failed {
            Some(error) => Err(error),
            None => self.parse(sieve, hits, &read, found),
        }
    }

    /// Parses records, in several threads where there are many, and puts the matches into their places.
    fn parse(
        &self,
        sieve: &Sieve,
        hits: &[(Key, Hit)],
        read: &[Read],
        found: &mut [Option<Event>],
    ) -> Result<(), StoreError> {
        let share = read.len().div_ceil(threads()).max(SHARED_RECORDS_MIN);
        let parse = |part: &[Read]| -> Result<Vec<(usize, Event)>, StoreError> {
            let mut matches = Vec::new();
            for (id, record, places) in part {
                self.match_record(sieve, hits, (*id, record, places), &mut matches)?;
            }
            Ok(matches)
        };
        let parts: Vec<Vec<(usize, Event)>> = if read.len() <= share {
            vec![parse(read)?]
        } else {
            std::thread::scope(|scope| {
                let threads: Vec<_> = read.chunks(share).map(|part| scope.spawn(move || parse(part))).collect();
                threads.into_iter().map(|thread| thread.join().map_err(|_| panicked())?).collect::<Result<_, _>>()
            })?
        };
        for (place, event) in parts.into_iter().flatten() {
            if let Some(slot) = found.get_mut(place) {
                *slot = Some(event);
            }
        }
        Ok(())
    }

    fn match_record(
        &self,
        sieve: &Sieve,
        hits: &[(Key, Hit)],
        (id, record, places): (RecordId, &Record, &[usize]),
        matches: &mut Vec<(usize, Event)>,
    ) -> Result<(), StoreError> {
        let parsed = EventReader::new(self.records, self.parser, self.enrich).parse(id, record);
        for &place in places {
            let Some((key, hit)) = hits.get(place) else { continue };
            let Some(event) = parsed.events.iter().find(|event| event.id == key.id) else { continue };
            let mut event = event.clone();
            (self.enrich)(&mut event);
            overlay(&mut event, &columns(hit)?);
            if sieve.matcher.matches(&event, parsed.raw.as_deref()) {
                matches.push((place, event));
            }
        }
        Ok(())
    }
}

fn panicked() -> StoreError {
    engine("parse records", std::io::Error::other("a parsing thread ended with a panic"))
}

/// Takes out the first records that lie near one another.
fn next_run(wanted: &mut Wanted) -> Option<Wanted> {
    let mut last = wanted.first_key_value()?.0.0;
    for id in wanted.keys() {
        if id.0 - last > RUN_GAP_MAX {
            break;
        }
        last = id.0;
    }
    let rest = wanted.split_off(&RecordId(last.saturating_add(1)));
    Some(std::mem::replace(wanted, rest))
}

fn read_run(
    records: &dyn RecordSource,
    ids: &[RecordId],
    give: &mut dyn FnMut(RecordId, Record) -> ControlFlow<()>,
) -> Result<(), ReadRecordError> {
    match ids {
        [first, .., last] if ids.len() >= RUN_RECORDS_MIN => records.scan(*first, *last, give),
        few => {
            for &id in few {
                if let Some(record) = records.read(id)?
                    && give(id, record).is_break()
                {
                    break;
                }
            }
            Ok(())
        }
    }
}
