//! Hours of a source, four weeks long.

use monban_event::RecordId;

use super::*;
use crate::context::ContextTexts;

/// Monday 5 October 2026, 0:00 in Japan.
const START: &str = "2026-10-05T00:00:00+09:00";
/// The Monday four weeks later, 14:00.
const JUDGED: i64 = 4 * 168 + 14;

struct World {
    volumes: Volumes,
    context: Context,
    facts: Vec<Event>,
    next: u64,
}

impl World {
    fn with(calendar: &str) -> Self {
        let texts = ContextTexts { calendar: Some(calendar.as_bytes().to_vec()), ..ContextTexts::default() };
        let (context, complaints) = Context::read(&texts);
        assert_eq!(complaints, []);
        Self { volumes: Volumes::default(), context, facts: Vec::new(), next: 1 }
    }

    fn new() -> Self {
        Self::with("")
    }

    fn send(&mut self, minute: i64, change: impl Fn(&mut Event)) {
        let time = DateTime::parse_from_rfc3339(START).unwrap().to_utc() + chrono::TimeDelta::minutes(minute);
        let mut event = Event {
            id: EventId::new(RecordId(self.next), 0),
            source_id: Some("ip:192.0.2.1".to_owned()),
            ingested: Some(time),
            ..Event::default()
        };
        change(&mut event);
        self.next += 1;
        self.volumes.witness(&self.context, &event, &mut self.facts);
    }

    /// So many records in the hour.
    fn hour(&mut self, hour: i64, count: i64) {
        (0..count).for_each(|place| self.send(hour * 60 + place * 59 / count.max(1), |_| ()));
    }

    /// Hours of so many records each.
    fn hours(&mut self, hours: std::ops::Range<i64>, count: i64) {
        hours.for_each(|hour| self.hour(hour, count));
        // What is known comes through a restart.
        let kept = serde_json::to_string(&self.volumes).unwrap();
        assert_eq!(serde_json::from_str::<Volumes>(&kept).unwrap(), self.volumes);
    }

    fn said(&self) -> Vec<String> {
        let said = |fact: &Event| format!("{} {}", said(fact, "volume.hour"), said(fact, "volume.words"));
        self.facts.iter().filter(|fact| fact.dataset.as_deref() == Some(KIND)).map(said).collect()
    }
}

fn said<'a>(fact: &'a Event, name: &str) -> &'a str {
    fact.native.get(name).unwrap_or("-")
}

/// What is said of an hour of `count` records after four weeks of `usual` an hour, all hours around it as usual.
fn judged(usual: i64, count: i64) -> Vec<String> {
    let mut world = World::new();
    world.hours(1..JUDGED, usual);
    world.hours(JUDGED..JUDGED + 1, count);
    world.hours(JUDGED + 1..JUDGED + 3, usual);
    world.said()
}

#[test]
fn an_hour_of_far_fewer_or_far_more_records_than_usual_is_said() {
    assert_eq!(judged(120, 6), ["11/2 14:00 ふだんの 5 % に減りました"]);
    assert_eq!(judged(120, 1_320), ["11/2 14:00 ふだんの 11 倍に増えました"]);
    assert_eq!(judged(3, 1_500), ["11/2 14:00 ふだんの 15 倍に増えました"]);
}

#[test]
fn small_numbers_and_silence_are_not_said() {
    assert_eq!(judged(99, 2), [""; 0]);
    assert_eq!(judged(20, 900), [""; 0]);
    assert_eq!(judged(120, 0), [""; 0], "silence is another rule's");
    assert_eq!(judged(120, 100), [""; 0]);
}

#[test]
fn who_was_silent_before_or_after_did_not_send_less() {
    let said = |before: i64, after: i64| {
        let mut world = World::new();
        world.hours(1..JUDGED - 1, 120);
        for (hour, count) in [(JUDGED - 1, before), (JUDGED, 5), (JUDGED + 1, after)] {
            world.hour(hour, count);
        }
        world.hours(JUDGED + 2..JUDGED + 5, 120);
        world.said().len()
    };
    assert_eq!((said(0, 120), said(120, 0), said(120, 120)), (0, 0, 1));
}

#[test]
fn what_was_kept_while_the_way_was_cut_is_no_rise() {
    let mut world = World::new();
    world.hours(1..JUDGED - 10, 120);
    world.hours(JUDGED..JUDGED + 1, 1_320);
    world.hours(JUDGED + 1..JUDGED + 3, 120);
    assert_eq!(world.said(), [""; 0]);
}

#[test]
fn an_announced_stop_and_our_own_absence_explain_a_drop() {
    let stop = "[[planned_stop]]\nsources = [\"*\"]\nfrom = \"2026-11-02 14:05\"\nto = \"2026-11-02 14:55\"\nreason = \"計画停電\"\n";
    let mut planned = World::with(stop);
    planned.hours(1..JUDGED, 120);
    planned.hours(JUDGED..JUDGED + 1, 6);
    planned.hours(JUDGED + 1..JUDGED + 3, 120);
    assert_eq!(planned.said(), [""; 0]);

    let mut away = World::new();
    away.hours(1..JUDGED, 120);
    away.hours(JUDGED..JUDGED + 1, 6);
    let deed = Deed::Epoch { program_version: String::new(), parsers: String::new(), rules: String::new() };
    let at = start_of(away.volumes.hour) + chrono::TimeDelta::minutes(59);
    away.volumes.act(&Act { at, by: "monban".to_owned(), deed });
    away.hours(JUDGED + 1..JUDGED + 3, 120);
    assert_eq!(away.said(), [""; 0]);
}

#[test]
fn a_holiday_is_compared_with_sundays() {
    // 3 November is 文化の日, a Tuesday; offices send 200 an hour on weekdays and 5 on Sundays and Saturdays.
    let count = |hour: i64| match hour / 24 % 7 {
        5 | 6 => 5,
        _ if (29 * 24..30 * 24).contains(&hour) => 5,
        _ => 200,
    };
    let mut world = World::new();
    for hour in 1..32 * 24 {
        world.hour(hour, count(hour));
    }
    assert_eq!(world.said(), [""; 0]);
    let mut working = World::with("working_days = [\"2026-11-03\"]\n");
    for hour in 1..32 * 24 {
        working.hour(hour, count(hour));
    }
    assert_eq!(working.said().len(), 24, "{:?}", working.said());
}

#[test]
fn two_weeks_are_no_usual() {
    let mut world = World::new();
    world.hours(1..2 * 168 + 14, 120);
    world.hours(2 * 168 + 14..2 * 168 + 15, 5);
    world.hours(2 * 168 + 15..2 * 168 + 17, 120);
    assert_eq!(world.said(), [""; 0]);
}

#[test]
fn the_clock_alone_ends_an_hour_and_says_the_same() {
    let mut by_record = World::new();
    by_record.hours(1..JUDGED, 120);
    by_record.hours(JUDGED..JUDGED + 1, 6);
    by_record.hours(JUDGED + 1..JUDGED + 2, 120);
    let mut by_clock = World {
        volumes: by_record.volumes.clone(),
        context: by_record.context.clone(),
        facts: by_record.facts.clone(),
        next: by_record.next,
    };
    by_record.hour(JUDGED + 2, 1);
    let context = by_clock.context.clone();
    by_clock.volumes.tick(&context, start_of(by_clock.volumes.hour + 1), &mut by_clock.facts);
    assert_eq!(by_clock.facts, by_record.facts);
    assert_eq!(by_clock.facts.len(), 1);
}

#[test]
fn imports_say_nothing_of_what_a_source_sends() {
    let mut world = World::new();
    world.send(0, |event| event.file_path = Some("a.log".to_owned()));
    world.send(0, |event| event.source_id = Some("file:a.log".to_owned()));
    assert!(world.volumes.sources.is_empty());
}

#[test]
fn forged_senders_and_years_grow_nothing() {
    let mut world = World::new();
    for number in 0..SOURCES_MAX + 10 {
        world.send(0, |event| event.source_id = Some(format!("ip:{number}")));
    }
    assert_eq!(world.volumes.sources.len(), SOURCES_MAX);
    (0..100).for_each(|day| world.send(day * 24 * 60, |_| ()));
    let only = world.volumes.sources.values().next().unwrap();
    assert_eq!(world.volumes.sources.len(), 1, "who is not heard of for a month is forgotten");
    assert!(only.days.len() <= 30 && only.ends.len() <= ENDS, "{}", only.days.len());
}
