use std::time::Duration;

use monban_event::store::{Bucket, StoreError};
use monban_event::{Action, Field, Outcome};

use super::*;
use crate::query::parse;

fn query(text: &str) -> Query {
    parse(text, at("2026-10-06T00:00:00Z")).unwrap()
}

fn request(text: &str, limit: usize) -> SearchRequest {
    SearchRequest { query: query(text), range: TimeRange::default(), limit, after: None, whole: false }
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
    assert!(page.events.is_empty() && page.incomplete_before.is_some() && !page.total.exact);
    let refused = store.count(&query("TargetUserName:u2"), TimeRange::default());
    assert!(matches!(refused, Err(StoreError::CannotAnswer(text)) if text.contains("打ち切りました")));
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
