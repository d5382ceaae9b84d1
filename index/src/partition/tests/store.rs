use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use monban_event::store::{AggregateRequest, Bucket, Order};
use monban_event::{Action, Field, Outcome};

use super::*;
use crate::query::parse;

fn query(text: &str) -> Query {
    parse(text, at("2026-10-06T00:00:00Z")).unwrap()
}

fn request(text: &str, limit: usize) -> SearchRequest {
    SearchRequest::new(query(text), TimeRange::default(), limit)
}

/// Many events share a time, some are late, records hold several.
fn crowd() -> Vec<Event> {
    let start = at("2026-10-05T23:50:00+09:00");
    let mut events = Vec::new();
    for record in 1..=60_u64 {
        for offset in 0..3 {
            let minute = i64::try_from(record / 4).unwrap();
            let late = if record % 11 == 0 { 40 * 86_400 } else { i64::from(offset) * 60 };
            let mut event = event(record, start + TimeDelta::minutes(minute), late);
            event.id.offset = offset * 100;
            event.message = Some(format!("ログオン失敗 {record}"));
            event.native = [("TargetUserName", format!("U{}", record % 5))].into_iter().collect();
            events.push(event);
        }
    }
    events
}

#[test]
fn pages_neither_repeat_nor_skip() {
    let dir = tempfile::tempdir().unwrap();
    let events = crowd();
    let store = indexed(dir.path(), &events);
    let mut expected: Vec<_> = events.iter().map(|event| (event.time(), event.id)).collect();
    expected.sort_by(|a, b| b.cmp(a));
    let expected: Vec<EventId> = expected.into_iter().map(|(_, id)| id).collect();
    for limit in [1, 7, 50, 180, 1_000] {
        assert_eq!(all_ids(&store, &Query::All, limit), expected, "{limit}");
    }
    let verified: Vec<EventId> = expected.iter().copied().filter(|id| id.record.0 % 5 == 2).collect();
    for limit in [1, 4, 100] {
        assert_eq!(all_ids(&store, &query("TargetUserName:u2"), limit), verified, "{limit}");
    }
}

#[test]
fn pages_stay_while_data_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let events = crowd();
    let mut partitions = Partitions::open(dir.path()).unwrap();
    let store = store(partitions.reader(), &events);
    let (first, later) = events.split_at(90);
    for event in first {
        partitions.add(event).unwrap();
    }
    partitions.commit(RecordId(30)).unwrap();
    let page = store.search(&request("*", 10)).unwrap();
    assert_eq!(page.total.value, 90);
    for event in later {
        partitions.add(event).unwrap();
    }
    partitions.commit(RecordId(60)).unwrap();
    let next = store.search(&SearchRequest { after: page.next, ..request("*", 1_000) }).unwrap();
    let older = |event: &&Event| page.next.is_some_and(|cursor| (event.time(), event.id) < (cursor.time, cursor.id));
    assert_eq!(next.events.len(), events.iter().filter(older).count());
    assert_eq!(next.total.value, 180);
}

#[test]
fn an_event_comes_whole_from_its_record() {
    let dir = tempfile::tempdir().unwrap();
    let events = crowd();
    let store = indexed(dir.path(), &events);
    let page = store.search(&SearchRequest { whole: true, ..request("ログオン 17", 10) }).unwrap();
    assert_eq!(page.events.len(), 3);
    assert!(page.events.iter().all(|event| event.message.as_deref() == Some("ログオン失敗 17")));
    let listed = store.search(&request("ログオン 17", 10)).unwrap();
    assert!(listed.events.iter().all(|event| event.message.is_none() && event.user_name.as_deref() == Some("user3")));
    let id = EventId::new(RecordId(17), 200);
    assert_eq!(store.event(id).unwrap().as_ref().map(|event| event.id), Some(id));
    assert_eq!(store.event(EventId::new(RecordId(17), 5)).unwrap(), None);
    assert_eq!(store.event(EventId::new(RecordId(99), 0)).unwrap(), None);
}

#[test]
fn what_was_not_searched_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let events = crowd();
    let store = indexed(dir.path(), &events).with_budget(Duration::ZERO);
    let page = store.search(&request("TargetUserName:u2", 10)).unwrap();
    assert!(page.events.is_empty() && page.unsearched.is_some() && !page.total.exact);
    for text in ["TargetUserName:u2", "user:user2"] {
        let range = TimeRange::between(at("2026-08-01T00:00:00+09:00"), at("2026-10-07T00:00:00+09:00"));
        let request =
            AggregateRequest { interval_seconds: Some(86_400), ..AggregateRequest::count(query(text), range) };
        let counted = store.aggregate(&request).unwrap();
        assert!(counted.unsearched.is_some() && !counted.total.exact && counted.total.value == 0, "{text}");
        assert_eq!(counted.bars.len(), 67, "{text}");
        assert!(store.count(&query(text), TimeRange::default()).unwrap() > 0, "what must be exact takes its time");
    }
}

/// A record source that counts what it is asked.
struct Counting(Kept, Arc<(AtomicU64, AtomicU64)>);

impl RecordSource for Counting {
    fn read(&self, id: RecordId) -> Result<Option<Record>, ReadRecordError> {
        self.1.0.fetch_add(1, Ordering::Relaxed);
        self.0.read(id)
    }

    fn scan(
        &self,
        first: RecordId,
        last: RecordId,
        give: &mut dyn FnMut(RecordId, Record) -> ControlFlow<()>,
    ) -> Result<(), ReadRecordError> {
        self.1.1.fetch_add(1, Ordering::Relaxed);
        self.0.scan(first, last, give)
    }
}

#[test]
fn the_journal_is_read_in_runs() {
    let dir = tempfile::tempdir().unwrap();
    let events = crowd();
    indexed(dir.path(), &events);
    let kept = Kept::new(&events);
    let asked = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
    let set = Partitions::open(dir.path()).unwrap().reader();
    let source = Counting(kept.clone(), Arc::clone(&asked));
    let store = TantivyStore::new(set, Arc::new(source), Arc::new(kept), Arc::new(|_| {}));
    assert_eq!(store.count(&query("TargetUserName:u2"), TimeRange::default()).unwrap(), 36);
    assert_eq!((asked.0.load(Ordering::Relaxed), asked.1.load(Ordering::Relaxed)), (0, 1));
}

/// Where a scan stops it says so, and whoever goes on from there finds the rest once.
#[test]
fn a_search_broken_off_again_and_again_finds_everything_once() {
    let dir = tempfile::tempdir().unwrap();
    let events = crowd();
    let whole = indexed(dir.path(), &events);
    let hasty = store(Partitions::open(dir.path()).unwrap().reader(), &events).with_budget(Duration::from_micros(1));
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let request = SearchRequest { order, ..request("TargetUserName:u2", 1_000) };
        let expected: Vec<EventId> = whole.search(&request).unwrap().events.iter().map(|event| event.id).collect();
        assert_eq!(expected.len(), 36);
        let (mut found, mut after, mut rounds) = (Vec::new(), None, 0);
        // A budget that is spent at once still has to come forward where there is anything to come forward over.
        while rounds < 10 {
            let page = hasty.search(&SearchRequest { after, ..request.clone() }).unwrap();
            found.extend(page.events.iter().map(|event| event.id));
            let Some(next) = page.next else { break };
            assert!(page.unsearched.is_some());
            after = Some(next);
            rounds += 1;
        }
        let mut distinct = found.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), found.len(), "{order:?}");
        assert!(found.iter().all(|id| expected.contains(id)), "{order:?}");
    }
}

/// Events of the same moment, of moments before and of moments behind arrive between any two pages: what was there at
/// the beginning is given once, and nothing twice.
#[test]
fn equal_times_and_arrivals_between_pages() {
    let dir = tempfile::tempdir().unwrap();
    let start = at("2026-10-05T12:00:00+09:00");
    let made = |record: u64| event(record, start + TimeDelta::minutes(i64::try_from(record % 3).unwrap()), 0);
    let first: Vec<Event> = (1..=60).map(made).collect();
    let later: Vec<Event> = (61..=120).map(made).collect();
    let all: Vec<Event> = first.iter().chain(&later).cloned().collect();
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let dir = dir.path().join(format!("{order:?}"));
        let mut partitions = Partitions::open(&dir).unwrap();
        let store = store(partitions.reader(), &all);
        for event in &first {
            partitions.add(event).unwrap();
        }
        partitions.commit(RecordId(60)).unwrap();
        let (mut seen, mut after, mut arriving) = (Vec::new(), None, later.chunks(5));
        loop {
            let page = store.search(&SearchRequest { order, after, ..request("*", 7) }).unwrap();
            seen.extend(page.events.iter().map(|event| event.id));
            if let Some(new) = arriving.next() {
                for event in new {
                    partitions.add(event).unwrap();
                }
                partitions.commit(new.last().unwrap().id.record).unwrap();
            }
            let Some(next) = page.next else { break };
            after = Some(next);
        }
        let places: Vec<(DateTime<Utc>, EventId)> = seen.iter().map(|id| (made(id.record.0).time(), *id)).collect();
        let sorted = match order {
            Order::NewestFirst => places.windows(2).all(|pair| pair[0] > pair[1]),
            Order::OldestFirst => places.windows(2).all(|pair| pair[0] < pair[1]),
        };
        assert!(sorted, "{order:?} repeats or mixes");
        assert!(first.iter().all(|event| seen.contains(&event.id)), "{order:?} skips");
    }
}

#[test]
fn counts_tops_and_bars() {
    let dir = tempfile::tempdir().unwrap();
    let start = at("2026-10-05T00:30:00+09:00");
    let events: Vec<Event> = (1..=24_u64)
        .map(|record| Event {
            action: Some(Action::Login),
            outcome: Some(if record % 3 == 0 { Outcome::Failure } else { Outcome::Success }),
            source_ip: Some([192, 0, 2, u8::try_from(record % 2).unwrap()].into()),
            source_port: Some(i64::try_from(record % 2).unwrap()),
            ..event(record, start + TimeDelta::minutes(i64::try_from(record).unwrap() * 30), 0)
        })
        .collect();
    let store = indexed(dir.path(), &events);
    let everything = TimeRange::default();
    let day = TimeRange::between(at("2026-10-05T00:00:00+09:00"), at("2026-10-05T06:00:00+09:00"));
    assert_eq!(store.count(&query("結果:失敗"), everything).unwrap(), 8);
    assert_eq!(store.count(&query("結果:失敗"), day).unwrap(), 3);
    let top = store.top(&Query::All, everything, Field::Outcome, 1).unwrap();
    assert_eq!((top.values, top.others, top.distinct), (vec![("success".to_owned(), 16)], 1, 2));
    for (field, value) in [(Field::SourceIp, "192.0.2.0"), (Field::SourcePort, "0")] {
        let top = store.top(&query("結果:失敗"), everything, field, 9).unwrap();
        assert_eq!(top.values.first(), Some(&(value.to_owned(), 4)), "{}", field.name());
        assert_eq!(top.distinct, 2);
    }
    let bars = store.histogram(&Query::All, day, 3_600).unwrap();
    assert_eq!(bars.len(), 6);
    assert_eq!(bars.first(), Some(&Bucket { start: at("2026-10-05T00:00:00+09:00"), count: 0 }));
    assert_eq!(bars.iter().map(|bar| bar.count).collect::<Vec<_>>(), [0, 2, 2, 2, 2, 2]);
    let days = store.histogram(
        &Query::All,
        TimeRange::between(at("2026-10-04T12:00:00Z"), at("2026-10-05T12:00:00Z")),
        86_400,
    );
    assert_eq!(
        days.unwrap().iter().map(|bar| (bar.start, bar.count)).collect::<Vec<_>>(),
        [(at("2026-10-04T00:00:00+09:00"), 0), (at("2026-10-05T00:00:00+09:00"), 24),]
    );
    assert!(store.histogram(&Query::All, everything, 60).is_err());
    assert!(store.histogram(&Query::All, day, 0).is_err());
}
