//! Walking through the matches of a search: in either order of time with a keyset; counts, most frequent values,
//! histograms. Partitions and segments outside the period are never opened, and those that cannot reach the page are
//! only counted. A page is found by one thread, which stops early; what every match has to be seen for is shared out
//! by partition.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use monban_event::store::Order;
use monban_event::{Event, EventId, RecordId, TimeRange};
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

/// Most threads of one search. They share the machine with the pipeline, which must keep up.
const THREADS_MAX: usize = 4;

/// How many threads a search may use.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(THREADS_MAX)
}

/// The matches of a segment that may come to the page are weeded out when there are so many times as many as are wanted:
/// then each is looked at a few times, and little memory is taken.
const WEED_FACTOR: usize = 8;

/// Most bars of a histogram; the trait promises it.
pub(crate) const BARS_MAX: usize = 10_000;

/// Place of an event in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) micros: i64,
    pub(crate) id: EventId,
}

impl Key {
    pub(crate) fn time(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.micros).unwrap_or_default()
    }

    /// A key that is lower the higher this one is; twice, and it is this one again.
    fn flipped(self) -> Self {
        let id = EventId::new(RecordId(!self.id.record.0), !self.id.offset);
        Self { micros: !self.micros, id }
    }
}

/// A key as seen from the end a search begins at: what comes earlier on the page is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(Key);

impl Rank {
    pub(crate) fn of(key: Key, order: Order) -> Self {
        match order {
            Order::NewestFirst => Self(key),
            Order::OldestFirst => Self(key.flipped()),
        }
    }

    pub(crate) fn key(self, order: Order) -> Key {
        Self::of(self.0, order).0
    }

    /// Behind everything of that moment that comes earlier in `order`, before everything of the moment itself.
    pub(crate) fn before(micros: i64, order: Order) -> Self {
        let micros = Self::micros(micros, order);
        Self(Key { micros, id: EventId::new(RecordId(u64::MAX), u32::MAX) })
    }

    fn micros(micros: i64, order: Order) -> i64 {
        match order {
            Order::NewestFirst => micros,
            Order::OldestFirst => !micros,
        }
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

    fn intersect(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }

    /// The end where a search in `order` begins, and the other: the first and the last moment inside, as ranks.
    fn ends(self, order: Order) -> (i64, i64) {
        let last = self.to.saturating_sub(1);
        match order {
            Order::NewestFirst => (last, self.from),
            Order::OldestFirst => (!self.from, !last),
        }
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

    /// From its first event to just behind its last.
    fn times(&self) -> Micros {
        Micros { from: self.min, to: self.max.saturating_add(1) }
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

impl Opened {
    fn each(&self) -> impl Iterator<Item = (&Self, &Segment)> {
        self.segments.iter().map(move |segment| (self, segment))
    }
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
    Ok(Opened { segments, weight })
}

/// The page of a search.
#[derive(Default)]
pub(crate) struct Page {
    /// In the order asked for.
    pub(crate) hits: Vec<(Key, Hit)>,
    /// There are further matches behind the last hit.
    pub(crate) more: bool,
    pub(crate) total: u64,
    pub(crate) total_exact: bool,
    /// Matches behind this were not looked for, because the time was spent.
    pub(crate) stopped_at: Option<Rank>,
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
    pub(crate) order: Order,
    pub(crate) after: Option<Rank>,
    pub(crate) limit: usize,
    pub(crate) count: bool,
    pub(crate) started: Instant,
    /// Without one, until all is found.
    pub(crate) budget: Option<Duration>,
}

impl PageRequest {
    fn is_spent(&self) -> bool {
        self.budget.is_some_and(|budget| self.started.elapsed() > budget)
    }
}

/// The matches in the order asked for, at most `limit`, behind `after`.
pub(crate) fn page(set: &PartitionSet, search: &dyn Search, request: &PageRequest) -> tantivy::Result<Page> {
    let range = Micros::of(request.range);
    let mut pager = Pager {
        request,
        range,
        best: BinaryHeap::new(),
        segments: Vec::new(),
        page: Page { total_exact: request.count, ..Page::default() },
    };
    for partition in in_order(set, request) {
        let (near, _) = Micros::of(partition.name.range()).intersect(range).ends(request.order);
        if pager.is_decided(near) && !pager.counts() {
            pager.page.total_exact = false;
            break;
        }
        let mut opened = open(&partition, search, range)?;
        opened.segments.sort_by_key(|segment| Reverse(segment.times().ends(request.order).0));
        for segment in &opened.segments {
            if request.is_spent() {
                let micros = Rank::micros(near, request.order);
                pager.page.stopped_at = Some(Rank::before(micros, request.order));
                return Ok(pager.finish());
            }
            pager.take(segment, opened.weight.as_ref())?;
        }
    }
    Ok(pager.finish())
}

/// The partitions that may hold what is asked for; those first that reach furthest to where the search begins.
fn in_order(set: &PartitionSet, request: &PageRequest) -> Vec<Arc<Partition>> {
    let mut partitions = set.within(request.range);
    partitions.sort_by_key(|partition| Reverse(Micros::of(partition.name.range()).ends(request.order).0));
    partitions
}

struct Pager<'a> {
    request: &'a PageRequest,
    range: Micros,
    /// The best so far and one more, the last of them on top; with segment and document.
    best: BinaryHeap<Reverse<(Rank, usize, DocId)>>,
    segments: Vec<Arc<EventColumns>>,
    page: Page,
}

impl Pager<'_> {
    /// Nothing that begins here can change the page.
    fn is_decided(&self, near: i64) -> bool {
        self.best.len() > self.request.limit && self.best.peek().is_some_and(|Reverse((rank, ..))| near < rank.0.micros)
    }

    /// Everything up to here was on earlier pages.
    fn is_passed(&self, far: i64) -> bool {
        self.request.after.is_some_and(|after| far > after.0.micros)
    }

    fn counts(&self) -> bool {
        self.request.count && self.request.started.elapsed() < COUNT_TIME
    }

    fn take(&mut self, segment: &Segment, weight: &dyn Weight) -> tantivy::Result<()> {
        let (near, far) = segment.times().intersect(self.range).ends(self.request.order);
        if self.is_decided(near) || self.is_passed(far) {
            if self.counts() {
                self.page.total += segment.count(weight, self.range)?;
            } else {
                self.page.total_exact = false;
            }
            return Ok(());
        }
        self.page.total += self.choose(segment, weight)?;
        Ok(())
    }

    /// Keeps what belongs on the page, and says how many matches there were.
    fn choose(&mut self, segment: &Segment, weight: &dyn Weight) -> tantivy::Result<u64> {
        let columns = Arc::new(EventColumns::open(&segment.reader)?);
        let index = self.segments.len();
        self.segments.push(Arc::clone(&columns));
        let (wanted, order) = (self.request.limit + 1, self.request.order);
        let worst = self.best.peek().filter(|_| self.best.len() >= wanted).map(|Reverse((rank, ..))| rank.0.micros);
        let mut nearest = Nearest { wanted, order, after: self.request.after, floor: worst, found: Vec::new() };
        let mut total = 0;
        segment.each(weight, self.range, |document, micros| {
            total += 1;
            nearest.offer(document, micros, &columns);
        })?;
        for (rank, document) in nearest.ranked(&columns) {
            self.best.push(Reverse((rank, index, document)));
            if self.best.len() > wanted {
                self.best.pop();
            }
        }
        Ok(total)
    }

    fn finish(mut self) -> Page {
        let best = self.best.into_sorted_vec();
        self.page.more = best.len() > self.request.limit;
        for Reverse((rank, segment, document)) in best.into_iter().take(self.request.limit) {
            // Behind where time ran out there may be gaps between what was found.
            if self.page.stopped_at.is_some_and(|stop| rank <= stop) {
                break;
            }
            if let Some(columns) = self.segments.get(segment) {
                let hit = Hit { columns: Arc::clone(columns), document };
                self.page.hits.push((rank.key(self.request.order), hit));
            }
        }
        self.page.total_exact &= self.page.stopped_at.is_none();
        self.page
    }
}

/// The matches of one segment that may come to the page. Most segments rise in time, so that each match is better than
/// all before it: they are gathered and weeded out in bulk, by their time alone, for the id costs two columns more.
struct Nearest {
    wanted: usize,
    order: Order,
    after: Option<Rank>,
    /// What lies behind this, as a rank's time, is not wanted.
    floor: Option<i64>,
    found: Vec<(i64, DocId)>,
}

impl Nearest {
    fn offer(&mut self, document: DocId, micros: i64, columns: &EventColumns) {
        let near = Rank::micros(micros, self.order);
        if self.floor.is_some_and(|floor| near < floor) || self.is_on_earlier_page(near, document, columns) {
            return;
        }
        self.found.push((near, document));
        if self.found.len() >= WEED_FACTOR * self.wanted.max(COLLECT_BLOCK_BUFFER_LEN) {
            self.weed_out(columns);
        }
    }

    fn is_on_earlier_page(&self, near: i64, document: DocId, columns: &EventColumns) -> bool {
        self.after.is_some_and(|after| {
            near > after.0.micros || near == after.0.micros && self.rank((near, document), columns) >= after
        })
    }

    fn rank(&self, (near, document): (i64, DocId), columns: &EventColumns) -> Rank {
        Rank::of(Key { micros: Rank::micros(near, self.order), id: columns.id(document) }, self.order)
    }

    /// Leaves what is wanted, and with it as much of the last moment as there is room for.
    fn weed_out(&mut self, columns: &EventColumns) {
        let room = self.found.len() / 2;
        let Some(last) = self.wanted.checked_sub(1).filter(|&last| last < self.found.len()) else { return };
        let (_, &mut (floor, _), _) = self.found.select_nth_unstable_by_key(last, |&(near, _)| Reverse(near));
        self.found.retain(|&(near, _)| near >= floor);
        self.floor = Some(floor);
        if self.found.len() > room {
            let mut ranked = self.ranked(columns);
            ranked.sort_unstable_by_key(|&(rank, _)| Reverse(rank));
            ranked.truncate(self.wanted);
            self.found = ranked.into_iter().map(|(rank, document)| (rank.0.micros, document)).collect();
        }
    }

    fn ranked(&self, columns: &EventColumns) -> Vec<(Rank, DocId)> {
        self.found.iter().map(|&found| (self.rank(found, columns), found.1)).collect()
    }
}

/// What is counted over all matches, and over how many of them it could be.
pub(crate) struct Gathered<T> {
    pub(crate) parts: Vec<T>,
    /// Not everything before this was seen, because the time was spent.
    pub(crate) incomplete_before: Option<i64>,
}

/// All matches of all segments that touch the period, shared out by partition: each thread adds up into a part of its
/// own. Past the deadline no further segment is begun.
fn gather<T: Default + Send>(
    set: &PartitionSet,
    search: &dyn Search,
    range: TimeRange,
    deadline: Option<Instant>,
    add: impl Fn(&mut T, &Segment, &dyn Weight, Micros) -> tantivy::Result<()> + Sync,
) -> tantivy::Result<Gathered<T>> {
    let micros = Micros::of(range);
    let partitions = set.within(range);
    let next = AtomicUsize::new(0);
    let incomplete: Mutex<Option<i64>> = Mutex::new(None);
    let is_late = || deadline.is_some_and(|deadline| Instant::now() > deadline);
    let work = || -> tantivy::Result<T> {
        let mut part = T::default();
        while let Some(partition) = partitions.get(next.fetch_add(1, Ordering::Relaxed)) {
            let opened = if is_late() { None } else { Some(open(partition, search, micros)?) };
            let mut seen = 0;
            for (opened, segment) in opened.iter().flat_map(Opened::each).take_while(|_| !is_late()) {
                add(&mut part, segment, opened.weight.as_ref(), micros)?;
                seen += 1;
            }
            if opened.is_none_or(|opened| seen < opened.segments.len()) {
                let bound = Micros::of(partition.name.range()).to.min(micros.to);
                let mut incomplete = incomplete.lock().unwrap_or_else(PoisonError::into_inner);
                *incomplete = Some(incomplete.map_or(bound, |known| known.max(bound)));
            }
        }
        Ok(part)
    };
    let parts = in_threads(threads().min(partitions.len()), work)?;
    let incomplete_before = incomplete.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Gathered { parts, incomplete_before })
}

/// The same work in so many threads; in this one where one is enough.
fn in_threads<T: Send>(count: usize, work: impl Fn() -> tantivy::Result<T> + Sync) -> tantivy::Result<Vec<T>> {
    if count <= 1 {
        return Ok(vec![work()?]);
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(&work)).collect();
        let ended = || tantivy::TantivyError::SystemError("a search thread ended with a panic".to_owned());
        threads.into_iter().map(|thread| thread.join().map_err(|_| ended())?).collect()
    })
}

/// What is asked of all matches.
pub(crate) struct Question<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) range: TimeRange,
    /// The columns whose values are counted.
    pub(crate) columns: &'a [Column],
    pub(crate) grid: Option<Grid>,
    pub(crate) deadline: Option<Instant>,
}

/// Numbers over the matches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    /// For each column asked for, how often each value occurs.
    pub(crate) values: Vec<BTreeMap<String, u64>>,
    /// Bars of the grid, as many as were needed.
    pub(crate) bars: Vec<u64>,
}

impl Counts {
    pub(crate) fn merge(&mut self, other: Self) {
        self.total += other.total;
        self.values.resize_with(self.values.len().max(other.values.len()), BTreeMap::new);
        for (mine, theirs) in self.values.iter_mut().zip(other.values) {
            for (value, count) in theirs {
                *mine.entry(value).or_default() += count;
            }
        }
        for (bar, count) in other.bars.into_iter().enumerate() {
            self.add_to_bar(bar, count);
        }
    }

    pub(crate) fn add_to_bar(&mut self, bar: usize, count: u64) {
        if bar >= self.bars.len() && bar < BARS_MAX {
            self.bars.resize(bar + 1, 0);
        }
        if let Some(sum) = self.bars.get_mut(bar) {
            *sum += count;
        }
    }
}

/// Counts over all matches.
pub(crate) fn counts(set: &PartitionSet, question: &Question<'_>) -> tantivy::Result<Gathered<Counts>> {
    gather(
        set,
        question.plan.search.as_ref(),
        question.range,
        question.deadline,
        |counts: &mut Counts, segment, weight, range| {
            counts.values.resize_with(question.columns.len(), BTreeMap::new);
            match question.grid {
                None => counts.total += segment.count(weight, range)?,
                Some(grid) => segment.each(weight, range, |_, micros| {
                    counts.total += 1;
                    counts.add_to_bar(grid.index(micros), 1);
                })?,
            }
            let all = question.plan.all && segment.lies_in(range);
            let matches = Matches { segment, weight, range, all };
            question.columns.iter().zip(&mut counts.values).try_for_each(|(&column, into)| matches.values(column, into))
        },
    )
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
    /// How often each value of a column occurs. Where every event matches, the dictionaries know it already.
    fn values(&self, column: Column, into: &mut BTreeMap<String, u64>) -> tantivy::Result<()> {
        let mut add = |value: &str, count: u64| {
            if !value.is_empty() {
                *into.entry(value.to_owned()).or_default() += count;
            }
        };
        match column {
            Column::Grouped { index, slot, .. } => {
                self.texts(slot, |text, count| add(text.split(GROUP_SEPARATOR).nth(index).unwrap_or(""), count))
            }
            Column::Text(slot) => self.texts(slot, add),
            Column::Address(slot) => {
                self.addresses(slot, |ip, count| add(&IpAddr::V6(ip).to_canonical().to_string(), count))
            }
            Column::Number(slot) => self.numbers(slot, |number, count| add(&number.to_string(), count)),
            Column::Time => Ok(()),
        }
    }

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
