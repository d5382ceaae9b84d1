//! The numbers that Windows gives its records, by machine and channel: which were never delivered. Windows counts without
//! leaving one out, so a number that is skipped between two records of one delivery stands for a record that somebody or
//! something took away. It may still come: with a file that is handed in, or from an agent that sends again. What is
//! skipped between two files is not asked for, because nobody said that all files were handed in.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::{Act, Action, Event, EventId, RecordId};
use serde::{Deserialize, Serialize};

use super::fact::{fact, say};
use super::reach::Reaches;
use crate::pairs;
use crate::rule::clock;

const KIND: &str = "numbers";
/// What is missing may come so long: a copy of the log that is made every night, and two hours for the copying.
const WAIT: TimeDelta = TimeDelta::hours(26);
/// A log is whole where so many of a hundred records, of so many at least, bear the number after the one before. A
/// forwarder that picks out some kinds of events leaves numbers out all the time.
const FOLLOWING_PERCENT: u64 = 95;
const RECORDS_LEAST: u64 = 50;
/// Counts are halved at so many, so that a forwarder that is set otherwise is soon known as what it is now.
const RECORDS_HALVED: u64 = 10_000;
/// So many holes at one time are a filter's, or a line that loses datagrams: a log that was tampered with has one or a
/// few. For so long no holes are asked for then.
const HOLES_MAX: usize = 8;
const FILTERED: TimeDelta = TimeDelta::days(7);
/// No log loses more at once than it holds: a greater step is other numbers, or a damaged record.
const STEP_MAX: i64 = 10_000_000;
/// Runs of numbers remembered of a log, the highest ones. A log that comes in order has one.
const RUNS_MAX: usize = 64;
/// Logs followed. A hospital's Windows machines have some ten thousand; forged names must not grow memory.
const LOGS_MAX: usize = 20_000;
/// Longest name of a machine, channel or file, in bytes: a longer one is none.
const NAME_BYTES_MAX: usize = 512;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Numbers {
    /// By machine and channel.
    machines: BTreeMap<String, BTreeMap<String, Log>>,
    logs: usize,
    /// Our clock, µs.
    now_us: i64,
    /// When the first of the holes has been waited for.
    due_us: Option<i64>,
    reaches: Reaches,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Log {
    /// The latest time that a record told, µs.
    newest_us: i64,
    /// The number that came last, live.
    live: Option<i64>,
    /// … and of the file that came last.
    file: Option<(String, i64)>,
    /// Numbers that were delivered, as runs from first to last.
    #[serde(with = "pairs")]
    runs: BTreeMap<i64, i64>,
    /// By their first number.
    #[serde(with = "pairs")]
    holes: BTreeMap<i64, Hole>,
    /// Records that had one before them, and those of them that bore the next number.
    records: u64,
    following: u64,
    filtered_until_us: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Hole {
    last: i64,
    since_us: i64,
    /// What came behind it, and when that and what came before it were written, µs.
    after: EventId,
    between_us: (i64, i64),
}

/// A record as it comes by.
struct Sight<'a> {
    number: i64,
    time_us: i64,
    id: EventId,
    now_us: i64,
    path: Option<&'a str>,
}

impl Numbers {
    pub(crate) fn witness(&mut self, event: &Event, facts: &mut Vec<Event>) {
        if let Some(due_us) = self.due_us
            && event.ingested.is_some_and(|now| now.timestamp_micros() >= due_us)
        {
            self.tick(event.ingested.unwrap_or_default(), facts);
        }
        let (Some(number), Some(machine), Some(channel)) =
            (event.winlog_record_id, event.source_id.as_deref(), event.winlog_channel.as_deref())
        else {
            return;
        };
        self.reaches.note(event, true);
        self.now_us = self.now_us.max(event.ingested.map_or(0, |now| now.timestamp_micros()));
        let path = event.file_path.as_deref();
        let sight = Sight { number, time_us: event.time().timestamp_micros(), id: event.id, now_us: self.now_us, path };
        let Some(log) = self.log(machine, channel) else { return };
        if log.take(&sight) {
            let due_us = sight.now_us.saturating_add(micros(WAIT));
            self.due_us = Some(self.due_us.map_or(due_us, |known| known.min(due_us)));
        }
        if event.action == Some(Action::LogClear) {
            self.cleared(machine, event);
        }
    }

    /// An event of a file that was here before; it says how far back its file reaches.
    pub(crate) fn reread(&mut self, event: &Event) {
        self.reaches.note(event, false);
    }

    pub(crate) fn act(&mut self, id: RecordId, act: &Act, facts: &mut Vec<Event>) {
        self.reaches.act(id, act, facts);
    }

    /// Tells what has been waited for long enough.
    pub(crate) fn tick(&mut self, now: DateTime<Utc>, facts: &mut Vec<Event>) {
        let now_us = now.timestamp_micros();
        if self.due_us.is_some_and(|due_us| due_us <= now_us) {
            self.tell(now_us.saturating_sub(micros(WAIT)), now, facts);
        }
    }

    /// Nothing more will come: what is missing now is missing.
    pub(crate) fn conclude(&mut self, facts: &mut Vec<Event>) {
        let now = DateTime::from_timestamp_micros(self.now_us).unwrap_or_default();
        self.tell(i64::MAX, now, facts);
    }

    /// Tells the holes that are as old as `since_us`, and forgets them.
    fn tell(&mut self, since_us: i64, now: DateTime<Utc>, facts: &mut Vec<Event>) {
        let mut due_us = None;
        for (machine, channels) in &mut self.machines {
            for (channel, log) in channels {
                let (told, kept) =
                    std::mem::take(&mut log.holes).into_iter().partition(|(_, hole)| hole.since_us <= since_us);
                log.holes = kept;
                let told: BTreeMap<i64, Hole> = told;
                if log.is_whole() {
                    facts.extend(told.iter().map(|hole| hole_fact((machine, channel), hole, now)));
                }
                let waiting = log.holes.values().map(|hole| hole.since_us.saturating_add(micros(WAIT)));
                due_us = waiting.chain(due_us).min();
            }
        }
        self.due_us = due_us;
    }

    fn log(&mut self, machine: &str, channel: &str) -> Option<&mut Log> {
        let is_known = self.machines.get(machine).is_some_and(|channels| channels.contains_key(channel));
        if !is_known {
            if self.logs >= LOGS_MAX || machine.len().max(channel.len()) > NAME_BYTES_MAX {
                return None;
            }
            self.logs += 1;
            self.machines.entry(machine.to_owned()).or_default().insert(channel.to_owned(), Log::default());
        }
        self.machines.get_mut(machine)?.get_mut(channel)
    }

    /// Somebody emptied a log, which another rule tells: what of it was not sent before is gone, and its numbers may begin
    /// anew. The Security log says so itself; of another one the System log says it, and names it.
    fn cleared(&mut self, machine: &str, event: &Event) {
        let own = event.winlog_channel.as_deref();
        let Some(channel) = event.native.all("Channel").last().or(own) else { return };
        if let Some(log) = self.machines.get_mut(machine).and_then(|channels| channels.get_mut(channel)) {
            log.begin_anew();
        }
    }
}

fn hole_fact((machine, channel): (&str, &str), (first, hole): (&i64, &Hole), now: DateTime<Utc>) -> Event {
    let time = |time_us| DateTime::from_timestamp_micros(time_us).unwrap_or_default();
    let (before, after) = (time(hole.between_us.0), time(hole.between_us.1));
    let mut fact = fact(KIND, hole.after, now);
    fact.event_time = Some(after);
    fact.source_id = Some(machine.to_owned());
    fact.winlog_channel = Some(channel.to_owned());
    say(&mut fact, "numbers.first", first);
    say(&mut fact, "numbers.last", &hole.last);
    say(&mut fact, "numbers.missing", &(hole.last - first + 1));
    say(&mut fact, "numbers.before", &clock(before));
    say(&mut fact, "numbers.after", &clock(after));
    fact
}

impl Log {
    /// True where numbers were skipped.
    fn take(&mut self, sight: &Sight<'_>) -> bool {
        if self.is_restart(sight) {
            self.begin_anew();
        }
        let before = self.before(sight.path);
        let step = before.map_or(0, |before| sight.number.saturating_sub(before));
        if step > STEP_MAX {
            self.begin_anew();
        }
        self.fill(sight.number);
        let skipped = match before {
            Some(before) if (2..=STEP_MAX).contains(&step) => self.newly_skipped(before + 1, sight.number - 1),
            _ => Vec::new(),
        };
        // Of two agents that send one log, the second brings nothing new.
        let follows = !self.is_delivered(sight.number) && self.is_delivered(sight.number.saturating_sub(1));
        if follows || !skipped.is_empty() {
            self.count(follows);
        }
        self.note_holes(&skipped, sight);
        self.deliver(sight.number);
        self.stand_at(sight);
        !skipped.is_empty()
    }

    /// Numbers that were delivered come again, or lower ones than ever, and yet with a later time than all of them: the log
    /// was made anew, or the machine was set back to an earlier state.
    fn is_restart(&self, sight: &Sight<'_>) -> bool {
        let is_lowest = self.runs.first_key_value().is_some_and(|(&first, _)| sight.number < first);
        sight.time_us > self.newest_us && (is_lowest || self.is_delivered(sight.number))
    }

    fn begin_anew(&mut self) {
        (self.live, self.file) = (None, None);
        self.runs.clear();
        self.holes.clear();
    }

    fn before(&self, path: Option<&str>) -> Option<i64> {
        match (path, &self.file) {
            (None, _) => self.live,
            (Some(path), Some((known, number))) if known == path => Some(*number),
            _ => None,
        }
    }

    fn stand_at(&mut self, sight: &Sight<'_>) {
        self.newest_us = self.newest_us.max(sight.time_us);
        match (sight.path, &mut self.file) {
            (None, _) => self.live = Some(sight.number),
            (Some(path), Some((known, number))) if known == path => *number = sight.number,
            (Some(path), _) => {
                self.file = (path.len() <= NAME_BYTES_MAX).then(|| (path.to_owned(), sight.number));
            }
        }
    }

    fn count(&mut self, follows: bool) {
        self.records += 1;
        self.following += u64::from(follows);
        if self.records >= RECORDS_HALVED {
            self.records /= 2;
            self.following /= 2;
        }
    }

    fn is_whole(&self) -> bool {
        self.records >= RECORDS_LEAST && self.following * 100 >= self.records * FOLLOWING_PERCENT
    }

    fn is_delivered(&self, number: i64) -> bool {
        self.runs.range(..=number).next_back().is_some_and(|(_, &last)| number <= last)
    }

    fn deliver(&mut self, number: i64) {
        let mut first = number;
        if let Some((&start, last)) = self.runs.range_mut(..=number).next_back()
            && number <= last.saturating_add(1)
        {
            *last = number.max(*last);
            first = start;
        } else {
            self.runs.insert(number, number);
        }
        let next = number.saturating_add(1);
        if let Some(last) = self.runs.remove(&next) {
            self.runs.insert(first, last);
        }
        if self.runs.len() > RUNS_MAX {
            self.runs.pop_first();
        }
    }

    /// The number came after all.
    fn fill(&mut self, number: i64) {
        let Some((&first, hole)) = self.holes.range(..=number).next_back() else { return };
        if number > hole.last {
            return;
        }
        let Some(hole) = self.holes.remove(&first) else { return };
        if first < number {
            self.holes.insert(first, Hole { last: number - 1, ..hole.clone() });
        }
        if number < hole.last {
            self.holes.insert(number + 1, hole);
        }
    }

    /// Too many holes are none.
    fn note_holes(&mut self, skipped: &[(i64, i64)], sight: &Sight<'_>) {
        if sight.now_us < self.filtered_until_us {
            return;
        }
        for &(first, last) in skipped {
            let between_us = (self.newest_us.min(sight.time_us), sight.time_us);
            self.holes.insert(first, Hole { last, since_us: sight.now_us, after: sight.id, between_us });
        }
        if self.holes.len() > HOLES_MAX {
            self.holes.clear();
            self.filtered_until_us = sight.now_us.saturating_add(micros(FILTERED));
        }
    }

    fn newly_skipped(&self, first: i64, last: i64) -> Vec<(i64, i64)> {
        let is_known =
            |number: i64| self.holes.range(..=number).next_back().is_some_and(|(_, hole)| number <= hole.last);
        let mut skipped = self.undelivered(first, last);
        skipped.retain(|&(first, _)| !is_known(first));
        skipped
    }

    /// The numbers from `first` to `last` that never came, as runs.
    fn undelivered(&self, mut first: i64, last: i64) -> Vec<(i64, i64)> {
        let mut pieces = Vec::new();
        if let Some((_, &end)) = self.runs.range(..=first).next_back() {
            first = first.max(end.saturating_add(1));
        }
        for (&start, &end) in self.runs.range(first..=last.max(first)) {
            if first < start {
                pieces.push((first, (start - 1).min(last)));
            }
            first = end.saturating_add(1);
        }
        if first <= last {
            pieces.push((first, last));
        }
        pieces
    }
}

fn micros(span: TimeDelta) -> i64 {
    span.num_microseconds().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn time(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
    }

    /// A log of the machine, its numbers, and what was told of it.
    #[derive(Default)]
    struct World {
        numbers: Numbers,
        facts: Vec<Event>,
        next: u64,
    }

    impl World {
        fn event(&mut self, second: i64, number: i64) -> Event {
            self.next += 1;
            Event {
                id: EventId::new(RecordId(self.next), 0),
                event_time: Some(time(second)),
                ingested: Some(time(second)),
                source_id: Some("host:fs01".to_owned()),
                winlog_channel: Some("Security".to_owned()),
                winlog_record_id: Some(number),
                ..Event::default()
            }
        }

        fn take(&mut self, event: &Event) {
            self.numbers.witness(event, &mut self.facts);
            // Every record also goes through a restart.
            let kept = serde_json::to_string(&self.numbers).unwrap();
            assert_eq!(serde_json::from_str::<Numbers>(&kept).unwrap(), self.numbers);
        }

        /// The numbers come live, a second apart.
        fn live(&mut self, second: i64, numbers: impl IntoIterator<Item = i64>) {
            for (place, number) in numbers.into_iter().enumerate() {
                let event = self.event(second + i64::try_from(place).unwrap(), number);
                self.take(&event);
            }
        }

        /// They stand in a file that is handed in at `second`, written a second apart from `written` on.
        fn file(&mut self, (second, written): (i64, i64), path: &str, numbers: impl IntoIterator<Item = i64>) {
            for (place, number) in numbers.into_iter().enumerate() {
                let mut event = self.event(written + i64::try_from(place).unwrap(), number);
                event.ingested = Some(time(second));
                event.file_path = Some(path.to_owned());
                self.take(&event);
            }
        }

        /// What is told by then, as runs of numbers.
        fn told_by(&mut self, second: i64) -> Vec<String> {
            self.numbers.tick(time(second), &mut self.facts);
            let said = |fact: &Event, name| fact.native.get(name).unwrap().to_owned();
            let run = |fact: &Event| format!("{}-{}", said(fact, "numbers.first"), said(fact, "numbers.last"));
            self.facts.iter().map(run).collect()
        }
    }

    #[test]
    fn numbers_that_never_came_are_told_after_a_day_and_two_hours() {
        let mut world = World::default();
        world.live(0, (1..=100).chain(121..=200));
        assert_eq!(world.told_by(100 + 26 * 3_600 - 1), [""; 0]);
        assert_eq!(world.told_by(100 + 26 * 3_600), ["101-120"]);
    }

    #[test]
    fn a_hole_is_told_once_and_names_the_record_behind_it() {
        let mut world = World::default();
        world.live(0, (1..=100).chain(121..=200));
        assert_eq!(world.told_by(2 * DAY), ["101-120"]);
        assert_eq!(world.told_by(9 * DAY), ["101-120"]);
        let fact = &world.facts[0];
        assert_eq!((fact.id, fact.event_time), (EventId::new(RecordId(101), 0), Some(time(100))));
        assert_eq!(fact.native.get("numbers.missing"), Some("20"));
    }

    #[test]
    fn a_record_of_any_machine_tells_what_is_due() {
        let mut world = World::default();
        world.live(0, (1..=100).chain(121..=200));
        let line = Event { winlog_record_id: None, ..world.event(2 * DAY, 0) };
        world.take(&line);
        assert_eq!(world.facts.len(), 1);
    }

    #[test]
    fn what_comes_late_fills_the_hole_in_any_order() {
        let mut world = World::default();
        world.live(0, (1..=100).chain(121..=200));
        // The agent sends some again, and the nightly copy brings the others.
        let again: Vec<Event> = [110, 109, 120].map(|number| world.event(99, number)).to_vec();
        for event in &again {
            world.take(event);
        }
        world.file((3_600, 0), "Security.evtx", (101..=108).chain(111..=119));
        world.live(4_000, 201..=210);
        assert_eq!(world.told_by(9 * DAY), [""; 0]);
    }

    #[test]
    fn what_a_file_brought_before_is_not_missed_live() {
        let mut world = World::default();
        world.live(0, 1..=100);
        world.file((5_000, 89), "Security.evtx", 90..=150);
        world.live(6_000, 161..=200);
        assert_eq!(world.told_by(9 * DAY), ["151-160"]);
    }

    #[test]
    fn a_filter_leaves_numbers_out_all_the_time() {
        let mut few = World::default();
        few.live(0, (1..=400).step_by(7));
        let mut most = World::default();
        most.live(0, (1..=4_000).filter(|number| number % 50 != 0));
        let mut short = World::default();
        short.live(0, (1..=40).chain(45..=50));
        assert_eq!((few.told_by(9 * DAY), most.told_by(9 * DAY), short.told_by(9 * DAY)), (vec![], vec![], vec![]));
        assert!(most.numbers.machines["host:fs01"]["Security"].holes.is_empty());
    }

    #[test]
    fn two_agents_that_send_the_same_log_miss_nothing_and_hide_nothing() {
        let mut world = World::default();
        let mut both = |behind: i64, ahead: i64| {
            let events = [world.event(behind, behind), world.event(ahead, ahead)];
            for event in &events {
                world.take(event);
            }
        };
        (1..=300).for_each(|number| both(number, number + 40));
        (360..=500).for_each(|number| both(number, number + 40));
        assert_eq!(world.told_by(9 * DAY), ["341-359"]);
    }

    #[test]
    fn a_log_that_was_made_anew_or_set_back_has_lost_nothing() {
        let mut anew = World::default();
        anew.live(0, (5_001..=5_100).chain(5_121..=5_140).chain(1..=100));
        assert_eq!(anew.told_by(9 * DAY), [""; 0], "what was missing before went with the log");
        let mut set_back = World::default();
        set_back.live(0, (5_001..=5_100).chain(5_040..=5_200));
        assert_eq!(set_back.told_by(9 * DAY), [""; 0]);
    }

    #[test]
    fn a_log_that_was_cleared_explains_what_is_missing() {
        let mut world = World::default();
        world.live(0, 1..=100);
        let cleared = Event { action: Some(Action::LogClear), ..world.event(150, 131) };
        world.take(&cleared);
        world.live(151, 140..=200);
        assert_eq!(world.told_by(9 * DAY), [""; 0]);
        world.live(9 * DAY, 211..=212);
        assert_eq!(world.told_by(20 * DAY), ["201-210"], "and nothing that comes after");
    }

    #[test]
    fn the_system_log_names_another_log_that_was_cleared() {
        let mut world = World::default();
        world.live(0, (1..=100).chain(121..=200));
        let mut cleared = Event { action: Some(Action::LogClear), ..world.event(300, 7) };
        cleared.winlog_channel = Some("System".to_owned());
        cleared.native.push("Channel", "System");
        cleared.native.push("Channel", "Security");
        world.take(&cleared);
        assert_eq!(world.told_by(9 * DAY), [""; 0]);
    }

    #[test]
    fn between_two_files_nothing_is_missed_and_within_one_it_is() {
        let mut world = World::default();
        world.file((0, 0), "a.evtx", 1_000..=1_100);
        world.file((0, 9_000), "b.evtx", 5_000..=5_100);
        world.file((0, 10_000), "c.evtx", (7_000..=7_100).chain(7_111..=7_120));
        assert_eq!(world.told_by(9 * DAY), ["7101-7110"]);
    }

    #[test]
    fn a_file_may_begin_in_the_middle_of_its_ring() {
        let mut world = World::default();
        world.file((0, 900), "a.evtx", 900..=999);
        world.file((0, 300), "a.evtx", 300..=899);
        assert_eq!(world.told_by(9 * DAY), [""; 0]);
    }

    #[test]
    fn a_run_over_files_ends_with_what_is_missing_in_them() {
        let mut world = World::default();
        world.file((0, 0), "a.evtx", (1..=100).chain(121..=200));
        world.numbers.conclude(&mut world.facts);
        assert_eq!(world.told_by(0), ["101-120"]);
    }

    #[test]
    fn hostile_numbers_and_names_grow_nothing() {
        let mut world = World::default();
        world.live(0, [i64::MAX, i64::MIN, 0, i64::MAX - 1, 5, 1 << 40, 7, 6, 5, 4]);
        world.live(100, (0..3_000).map(|number| number * 7_919 % 2_711));
        let log = &world.numbers.machines["host:fs01"]["Security"];
        assert!(log.runs.len() <= RUNS_MAX && log.holes.len() <= HOLES_MAX, "{log:?}");
        let mut numbers = Numbers { logs: LOGS_MAX, ..Numbers::default() };
        numbers.witness(&world.event(0, 1), &mut Vec::new());
        assert!(numbers.machines.is_empty());
    }
}
