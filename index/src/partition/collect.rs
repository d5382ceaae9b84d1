//! Walking through the matches of a search: newest first with a keyset, counts, most frequent values, histograms.
//! Partitions and segments outside the period are never opened, and those that cannot reach the page are only counted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use monban_event::{Event, EventId, TimeRange};
use tantivy::columnar::Column as FastColumn;
use tantivy::query::{EnableScoring, Query as Search, Weight};
use tantivy::schema::Field as Slot;
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocId, SegmentReader};

use super::document::EventColumns;
use super::schema::{Column, GROUP_SEPARATOR, columns};
use super::set::{Partition, PartitionSet};
use crate::query::plan::Plan;

/// A page is answered before the exact number of all matches is known; counting goes on for at most this long after
/// the start of the search, then the number is a lower bound and says so.
const COUNT_TIME: Duration = Duration::from_millis(100);

/// Place in the newest-first order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) micros: i64,
    pub(crate) id: EventId,
}

impl Key {
    pub(crate) fn time(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.micros).unwrap_or_default()
    }
}

/// A half-open period in microseconds.
#[derive(Clone, Copy, Debug)]
struct Micros {
    from: i64,
    to: i64,
}

impl Micros {
    fn of(range: TimeRange) -> Self {
        // Columns keep microseconds; a bound between two of them lies before the later one.
        let ceil = |time: DateTime<Utc>| {
            time.timestamp_micros() + i64::from(!time.timestamp_subsec_nanos().is_multiple_of(1_000))
        };
        Self { from: range.from.map_or(i64::MIN, ceil), to: range.to.map_or(i64::MAX, ceil) }
    }

    fn contains(self, micros: i64) -> bool {
        self.from <= micros && micros < self.to
    }
}

/// One segment of a partition, with its columns of time.
pub(crate) struct Segment {
    reader: SegmentReader,
    time: FastColumn<i64>,
    min: i64,
    max: i64,
}

impl Segment {
    fn open(reader: &SegmentReader) -> tantivy::Result<Self> {
        let time = reader.fast_fields().i64("time")?;
        let (min, max) = (time.min_value(), time.max_value());
        Ok(Self { reader: reader.clone(), time, min, max })
    }

    fn touches(&self, range: Micros) -> bool {
        self.min < range.to && range.from <= self.max
    }

    fn lies_in(&self, range: Micros) -> bool {
        range.contains(self.min) && range.contains(self.max)
    }

    /// Gives every match in the period, in blocks, with its time.
    fn each(&self, weight: &dyn Weight, range: Micros, mut give: impl FnMut(DocId, i64)) -> tantivy::Result<()> {
        let whole = self.lies_in(range);
        let mut scorer = weight.scorer(&self.reader, 1.0)?;
        let mut documents = [0; COLLECT_BLOCK_BUFFER_LEN];
        let mut times = [0; COLLECT_BLOCK_BUFFER_LEN];
        loop {
            let found = scorer.fill_buffer(&mut documents);
            let (Some(documents), Some(times)) = (documents.get(..found), times.get_mut(..found)) else { break };
            self.time.values.get_vals(documents, times);
            for (&document, &mut time) in documents.iter().zip(times) {
                if whole || range.contains(time) {
                    give(document, time);
                }
            }
            if found < COLLECT_BLOCK_BUFFER_LEN {
                break;
            }
        }
        Ok(())
    }

    fn count(&self, weight: &dyn Weight, range: Micros) -> tantivy::Result<u64> {
        if self.lies_in(range) {
            return weight.count(&self.reader).map(u64::from);
        }
        let mut count = 0;
        self.each(weight, range, |_, _| count += 1)?;
        Ok(count)
    }
}

/// A search ready to be run over one partition.
struct Opened {
    segments: Vec<Segment>,
    weight: Box<dyn Weight>,
}

fn open(partition: &Partition, search: &dyn Search, range: Micros) -> tantivy::Result<Opened> {
    let searcher = partition.searcher()?;
    let weight = search.weight(EnableScoring::disabled_from_searcher(&searcher))?;
    let mut segments = Vec::new();
    for reader in searcher.segment_readers() {
        let segment = Segment::open(reader)?;
        if reader.max_doc() > 0 && segment.touches(range) {
            segments.push(segment);
        }
    }
    segments.sort_by_key(|segment| Reverse(segment.max));
    Ok(Opened { segments, weight })
}

/// The page of a search.
#[derive(Default)]
pub(crate) struct Page {
    /// Newest first.
    pub(crate) hits: Vec<(Key, Hit)>,
    /// There are further matches behind the last hit.
    pub(crate) more: bool,
    pub(crate) total: u64,
    pub(crate) total_exact: bool,
    /// Matches before this were not looked for.
    pub(crate) incomplete_before: Option<i64>,
}

/// Where a match stands.
#[derive(Clone)]
pub(crate) struct Hit {
    columns: Arc<EventColumns>,
    document: DocId,
}

impl Hit {
    pub(crate) fn event(&self) -> tantivy::Result<Event> {
        self.columns.event(self.document)
    }
}

/// What a page is asked for.
pub(crate) struct PageRequest {
    pub(crate) range: TimeRange,
    pub(crate) after: Option<Key>,
    pub(crate) limit: usize,
    pub(crate) count: bool,
    pub(crate) started: Instant,
    pub(crate) budget: Duration,
}

/// The matches newest first, at most `limit`, behind `after`.
pub(crate) fn page(set: &PartitionSet, search: &dyn Search, request: &PageRequest) -> tantivy::Result<Page> {
    let range = Micros::of(request.range);
    let mut pager = Pager {
        request,
        range,
        best: BinaryHeap::new(),
        segments: Vec::new(),
        page: Page { total_exact: request.count, ..Page::default() },
    };
    for partition in set.within(request.range) {
        let bound = Micros::of(partition.name.range()).to;
        if pager.is_decided(bound.saturating_sub(1)) && !pager.counts() {
            pager.page.total_exact = false;
            break;
        }
        let opened = open(&partition, search, range)?;
        for segment in &opened.segments {
            if request.started.elapsed() > request.budget {
                pager.page.incomplete_before = Some(bound.min(range.to).max(segment.max));
                return Ok(pager.finish());
            }
            pager.take(segment, opened.weight.as_ref())?;
        }
    }
    Ok(pager.finish())
}

struct Pager<'a> {
    request: &'a PageRequest,
    range: Micros,
    /// The newest so far and one more, the oldest of them on top; with segment and document.
    best: BinaryHeap<Reverse<(Key, usize, DocId)>>,
    segments: Vec<Arc<EventColumns>>,
    page: Page,
}

impl Pager<'_> {
    /// Nothing as old as this can change the page.
    fn is_decided(&self, newest: i64) -> bool {
        self.best.len() > self.request.limit && self.best.peek().is_some_and(|Reverse((key, ..))| newest < key.micros)
    }

    fn counts(&self) -> bool {
        self.request.count && self.request.started.elapsed() < COUNT_TIME
    }

    fn take(&mut self, segment: &Segment, weight: &dyn Weight) -> tantivy::Result<()> {
        if self.is_decided(segment.max) {
            if self.counts() {
                self.page.total += segment.count(weight, self.range)?;
            } else {
                self.page.total_exact = false;
            }
            return Ok(());
        }
        let columns = Arc::new(EventColumns::open(&segment.reader)?);
        let index = self.segments.len();
        self.segments.push(Arc::clone(&columns));
        let wanted = self.request.limit + 1;
        let (best, after) = (&mut self.best, self.request.after);
        let mut total = 0;
        segment.each(weight, self.range, |document, micros| {
            total += 1;
            let worst = best.peek().filter(|_| best.len() >= wanted).map(|Reverse((key, ..))| *key);
            if worst.is_some_and(|worst| micros < worst.micros) || after.is_some_and(|after| micros > after.micros) {
                return;
            }
            let key = Key { micros, id: columns.id(document) };
            if after.is_none_or(|after| key < after) && worst.is_none_or(|worst| key > worst) {
                best.push(Reverse((key, index, document)));
                if best.len() > wanted {
                    best.pop();
                }
            }
        })?;
        self.page.total += total;
        Ok(())
    }

    fn finish(mut self) -> Page {
        let best = self.best.into_sorted_vec();
        self.page.more = best.len() > self.request.limit;
        for Reverse((key, segment, document)) in best.into_iter().take(self.request.limit) {
            if let Some(columns) = self.segments.get(segment) {
                self.page.hits.push((key, Hit { columns: Arc::clone(columns), document }));
            }
        }
        if let Some(before) = self.page.incomplete_before {
            // Older ones may have gaps between them.
            self.page.hits.retain(|(key, _)| key.micros >= before);
            self.page.total_exact = false;
        }
        self.page
    }
}

/// All matches of all segments that touch the period.
fn every(
    set: &PartitionSet,
    search: &dyn Search,
    range: TimeRange,
    mut take: impl FnMut(&Segment, &dyn Weight, Micros) -> tantivy::Result<()>,
) -> tantivy::Result<()> {
    let micros = Micros::of(range);
    for partition in set.within(range) {
        let opened = open(&partition, search, micros)?;
        for segment in &opened.segments {
            take(segment, opened.weight.as_ref(), micros)?;
        }
    }
    Ok(())
}

pub(crate) fn count(set: &PartitionSet, search: &dyn Search, range: TimeRange) -> tantivy::Result<u64> {
    let mut count = 0;
    every(set, search, range, |segment, weight, range| {
        count += segment.count(weight, range)?;
        Ok(())
    })?;
    Ok(count)
}

/// How often each value of a column occurs. Where every event matches, the dictionaries know it already.
pub(crate) fn values(
    set: &PartitionSet,
    plan: &Plan,
    range: TimeRange,
    column: Column,
) -> tantivy::Result<BTreeMap<String, u64>> {
    let mut values = BTreeMap::new();
    // Written out at the end: most addresses occur in every partition.
    let mut addresses: BTreeMap<Ipv6Addr, u64> = BTreeMap::new();
    every(set, plan.search.as_ref(), range, |segment, weight, range| {
        let matches = Matches { segment, weight, range, all: plan.all && segment.lies_in(range) };
        let mut add = |value: &str, count: u64| {
            if !value.is_empty() {
                *values.entry(value.to_owned()).or_default() += count;
            }
        };
        match column {
            Column::Grouped { index, slot, .. } => {
                matches.texts(slot, |text, count| add(text.split(GROUP_SEPARATOR).nth(index).unwrap_or(""), count))
            }
            Column::Text(slot) => matches.texts(slot, add),
            Column::Address(slot) => matches.addresses(slot, |ip, count| *addresses.entry(ip).or_default() += count),
            Column::Number(slot) => matches.numbers(slot, |number, count| add(&number.to_string(), count)),
            Column::Time => Ok(()),
        }
    })?;
    values.extend(addresses.into_iter().map(|(ip, count)| (IpAddr::V6(ip).to_canonical().to_string(), count)));
    Ok(values)
}

/// The matches of one segment, to be counted by value.
struct Matches<'a> {
    segment: &'a Segment,
    weight: &'a dyn Weight,
    range: Micros,
    /// Every event of the segment matches.
    all: bool,
}

impl Matches<'_> {
    fn texts(&self, slot: Slot, mut add: impl FnMut(&str, u64)) -> tantivy::Result<()> {
        if self.all {
            return self.terms(slot, |term, count| add(std::str::from_utf8(term).unwrap_or(""), count));
        }
        let fast = self.segment.reader.fast_fields();
        let Some(column) = fast.str(columns().schema.get_field_name(slot))? else { return Ok(()) };
        let mut counts = vec![0_u64; column.num_terms()];
        self.segment.each(self.weight, self.range, |document, _| {
            let place = column.ords().first(document).and_then(|ord| usize::try_from(ord).ok());
            if let Some(count) = place.and_then(|ord| counts.get_mut(ord)) {
                *count += 1;
            }
        })?;
        let found: Vec<(u64, u64)> = (0..).zip(counts).filter(|(_, count)| *count > 0).collect();
        // In order of the dictionary: one by one, each would unpack a block of it.
        let mut next = found.iter();
        let ords: Vec<u64> = found.iter().map(|(ord, _)| *ord).collect();
        column.dictionary().sorted_ords_to_term_cb(&ords, |term| {
            let count = next.next().map_or(0, |(_, count)| *count);
            add(std::str::from_utf8(term).unwrap_or(""), count);
        })?;
        Ok(())
    }

    fn addresses(&self, slot: Slot, mut add: impl FnMut(Ipv6Addr, u64)) -> tantivy::Result<()> {
        if self.all {
            let address = |term: &[u8]| <[u8; 16]>::try_from(term).map_or(Ipv6Addr::UNSPECIFIED, Ipv6Addr::from);
            return self.terms(slot, |term, count| add(address(term), count));
        }
        let fast = self.segment.reader.fast_fields();
        let column = fast.column_opt::<Ipv6Addr>(columns().schema.get_field_name(slot))?;
        column.map_or(Ok(()), |column| self.scalars(&column, add))
    }

    fn numbers(&self, slot: Slot, add: impl FnMut(i64, u64)) -> tantivy::Result<()> {
        let fast = self.segment.reader.fast_fields();
        let column = fast.column_opt::<i64>(columns().schema.get_field_name(slot))?;
        column.map_or(Ok(()), |column| self.scalars(&column, add))
    }

    fn terms(&self, slot: Slot, mut add: impl FnMut(&[u8], u64)) -> tantivy::Result<()> {
        let index = self.segment.reader.inverted_index(slot)?;
        let mut stream = index.terms().stream()?;
        while stream.advance() {
            add(stream.key(), stream.value().doc_freq.into());
        }
        Ok(())
    }

    fn scalars<T: Ord + Copy + std::fmt::Debug + Send + Sync + 'static>(
        &self,
        column: &FastColumn<T>,
        mut add: impl FnMut(T, u64),
    ) -> tantivy::Result<()> {
        let mut found = Vec::new();
        self.segment.each(self.weight, self.range, |document, _| found.extend(column.first(document)))?;
        found.sort_unstable();
        for same in found.chunk_by(|a, b| a == b) {
            if let Some(&value) = same.first() {
                add(value, same.len() as u64);
            }
        }
        Ok(())
    }
}

/// Adds one to `buckets[(time - start) / interval]` for each match in the period.
pub(crate) fn histogram(
    set: &PartitionSet,
    search: &dyn Search,
    range: TimeRange,
    grid: Grid,
    buckets: &mut [u64],
) -> tantivy::Result<()> {
    every(set, search, range, |segment, weight, range| {
        segment.each(weight, range, |_, micros| {
            if let Some(count) = buckets.get_mut(grid.index(micros)) {
                *count += 1;
            }
        })
    })
}

/// Where the bars of a histogram stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub(crate) start: i64,
    pub(crate) interval: i64,
}

impl Grid {
    pub(crate) fn index(self, micros: i64) -> usize {
        usize::try_from((micros - self.start).div_euclid(self.interval.max(1))).unwrap_or(usize::MAX)
    }
}
