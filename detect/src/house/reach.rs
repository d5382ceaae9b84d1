//! How far back the logs reach that are handed in as files. Windows overwrites the oldest records of a log that is full:
//! a whole log that reaches back a few days only has lost what came before. A log that begins with its first record has
//! lost nothing, and a file that somebody picked events for is no whole log.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::act::Deed;
use monban_event::time::Month;
use monban_event::{Act, Event, EventId, RecordId};
use serde::{Deserialize, Serialize};

use super::fact::{fact, say};
use crate::rule::clock;

const KIND: &str = "reach";
/// The smallest log that Windows can be set to (1,028 KiB, but for a few bytes that an export saves). What is smaller was
/// never full, or is a part of a log.
const LOG_BYTES_LEAST: u64 = 1 << 20;
/// Records of a whole log bear all the numbers between the first and the last, but for the few of a damaged chunk.
const WHOLE_PERCENT: i64 = 95;
const RECORDS_LEAST: i64 = 50;
/// What is older at the import is somebody's archive, and says nothing about how the machine is set today.
const RECENT: TimeDelta = TimeDelta::days(31);
/// A longer reach is not even said.
const SAID_DAYS_MAX: i64 = 31;
/// Files that are handed in at one time, and logs in one of them: a log that was forwarded holds those of many machines.
const FILES_MAX: usize = 64;
const LOGS_MAX: usize = 64;
/// Logs told in one month.
const TOLD_MAX: usize = 20_000;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Reaches {
    /// Files that are being handed in, by path.
    files: BTreeMap<String, File>,
    /// The month of our clock, and what was told in it by machine and channel: nightly copies say the same every night.
    month: Option<String>,
    told: BTreeSet<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct File {
    import: RecordId,
    logs: Vec<Reach>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reach {
    machine: String,
    channel: String,
    /// Lowest and highest number, and how many records there were.
    numbers: (i64, i64),
    records: i64,
    /// Earliest and latest time, µs.
    times_us: (i64, i64),
    /// The last record that had not been here before.
    last_new: Option<EventId>,
}

impl Reaches {
    /// An event of a file, whether it is new or was here before.
    pub(super) fn note(&mut self, event: &Event, is_new: bool) {
        let Some(file) = event.file_path.as_deref().and_then(|path| self.files.get_mut(path)) else { return };
        let (Some(number), Some(machine), Some(channel)) =
            (event.winlog_record_id, event.source_id.as_deref(), event.winlog_channel.as_deref())
        else {
            return;
        };
        let Some(reach) = file.reach(machine, channel) else { return };
        reach.note(number, event.time().timestamp_micros());
        if is_new {
            reach.last_new = Some(event.id);
        }
    }

    pub(super) fn act(&mut self, id: RecordId, act: &Act, facts: &mut Vec<Event>) {
        match &act.deed {
            // Where an earlier import brought the beginning, what comes now is not the whole file.
            Deed::ImportOpened { path, bytes, known: 0, .. } if *bytes >= LOG_BYTES_LEAST => {
                if self.files.len() >= FILES_MAX && !self.files.contains_key(path) {
                    return;
                }
                self.files.insert(path.clone(), File { import: id, logs: Vec::new() });
            }
            Deed::ImportClosed { import, .. } => self.close(*import, id, act.at, facts),
            _ => {}
        }
    }

    fn close(&mut self, import: RecordId, id: RecordId, now: DateTime<Utc>, facts: &mut Vec<Event>) {
        let found = self.files.iter().find(|(_, file)| file.import == import).map(|(path, _)| path.clone());
        let Some(file) = found.and_then(|path| self.files.remove(&path)) else { return };
        self.turn_to(now);
        for reach in file.logs {
            let log = (reach.machine.clone(), reach.channel.clone());
            if self.told.contains(&log) || self.told.len() >= TOLD_MAX {
                continue;
            }
            if let Some(fact) = reach.fact(EventId::new(id, 0), now) {
                facts.push(fact);
                self.told.insert(log);
            }
        }
    }

    fn turn_to(&mut self, now: DateTime<Utc>) {
        let month = Month::of(now).to_string();
        if self.month.as_ref() != Some(&month) {
            self.told.clear();
            self.month = Some(month);
        }
    }
}

impl File {
    fn reach(&mut self, machine: &str, channel: &str) -> Option<&mut Reach> {
        let is_meant = |reach: &Reach| reach.machine == machine && reach.channel == channel;
        let place = self.logs.iter().position(is_meant);
        if place.is_none() && self.logs.len() < LOGS_MAX {
            self.logs.push(Reach::of(machine, channel));
            return self.logs.last_mut();
        }
        self.logs.get_mut(place?)
    }
}

impl Reach {
    fn of(machine: &str, channel: &str) -> Self {
        Self {
            machine: machine.to_owned(),
            channel: channel.to_owned(),
            numbers: (i64::MAX, i64::MIN),
            records: 0,
            times_us: (i64::MAX, i64::MIN),
            last_new: None,
        }
    }

    fn note(&mut self, number: i64, time_us: i64) {
        self.numbers = (self.numbers.0.min(number), self.numbers.1.max(number));
        self.times_us = (self.times_us.0.min(time_us), self.times_us.1.max(time_us));
        self.records += 1;
    }

    fn is_whole(&self) -> bool {
        let numbers = self.numbers.1.saturating_sub(self.numbers.0).saturating_add(1);
        self.records >= RECORDS_LEAST && self.records.saturating_mul(100) >= numbers.saturating_mul(WHOLE_PERCENT)
    }

    /// What brought nothing new came to light by the act that closed its file.
    fn fact(&self, closed: EventId, now: DateTime<Utc>) -> Option<Event> {
        let time = |time_us| DateTime::from_timestamp_micros(time_us).unwrap_or_default();
        let (oldest, newest) = (time(self.times_us.0), time(self.times_us.1));
        let hours = (newest - oldest).num_hours();
        let has_lost = self.numbers.0 > 1 && self.is_whole() && now - newest <= RECENT;
        if !has_lost || hours >= SAID_DAYS_MAX * 24 {
            return None;
        }
        let mut fact = fact(KIND, self.last_new.unwrap_or(closed), now);
        fact.source_id = Some(self.machine.clone());
        fact.winlog_channel = Some(self.channel.clone());
        say(&mut fact, "reach.days", &format!("{}.{}", hours / 24, hours % 24 * 10 / 24));
        say(&mut fact, "reach.oldest", &clock(oldest));
        say(&mut fact, "reach.newest", &clock(newest));
        say(&mut fact, "reach.first", &self.numbers.0);
        Some(fact)
    }
}

#[cfg(test)]
mod tests {
    use monban_event::FileHints;

    use super::*;

    const PATH: &str = "/copy/Security.evtx";

    fn time(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_793_000_000 + hour * 3_600, 0).unwrap()
    }

    fn event(hour: i64, number: i64) -> Event {
        Event {
            event_time: Some(time(hour)),
            source_id: Some("host:fs01".to_owned()),
            winlog_channel: Some("Security".to_owned()),
            winlog_record_id: Some(number),
            file_path: Some(PATH.to_owned()),
            ..Event::default()
        }
    }

    fn opened(known: u64, bytes: u64) -> Deed {
        let (path, sha256, hints) = (PATH.to_owned(), String::new(), FileHints::default());
        Deed::ImportOpened { path, sha256, bytes, original_sha256: None, known, hints }
    }

    fn act(reaches: &mut Reaches, id: u64, hour: i64, deed: Deed) -> Vec<String> {
        let mut facts = Vec::new();
        reaches.act(RecordId(id), &Act { at: time(hour), by: "console".to_owned(), deed }, &mut facts);
        facts.iter().map(|fact| fact.native.get("reach.days").unwrap().to_owned()).collect()
    }

    fn closed(reaches: &mut Reaches, hour: i64) -> Vec<String> {
        act(reaches, 9, hour, Deed::ImportClosed { import: RecordId(1), damaged: Vec::new() })
    }

    /// A file of these records, an hour apart, that is handed in an hour after the last.
    fn days_of(numbers: impl IntoIterator<Item = i64>, opened: Deed) -> Vec<String> {
        let mut reaches = Reaches::default();
        act(&mut reaches, 1, 0, opened);
        let hours = numbers.into_iter().enumerate().map(|(hour, number)| {
            reaches.note(&event(i64::try_from(hour).unwrap(), number), true);
            hour
        });
        let last = i64::try_from(hours.last().unwrap()).unwrap();
        let kept = serde_json::to_string(&reaches).unwrap();
        assert_eq!(serde_json::from_str::<Reaches>(&kept).unwrap(), reaches);
        closed(&mut reaches, last + 1)
    }

    #[test]
    fn a_whole_log_that_begins_late_says_how_far_it_reaches() {
        assert_eq!(days_of(7_001..=7_085, opened(0, 20 << 20)), ["3.5"]);
        assert_eq!(days_of((7_001..=7_085).rev(), opened(0, 20 << 20)), ["3.5"]);
        assert_eq!(days_of(7_001..=7_801, opened(0, 20 << 20)), [""; 0], "it reaches back more than a month");
    }

    #[test]
    fn a_new_log_a_part_of_one_and_a_choice_of_events_have_lost_nothing() {
        assert_eq!(days_of(1..=85, opened(0, 20 << 20)), [""; 0]);
        assert_eq!(days_of(7_001..=7_085, opened(0, 68 << 10)), [""; 0]);
        assert_eq!(days_of(7_001..=7_085, opened(3, 20 << 20)), [""; 0]);
        assert_eq!(days_of((7_001..=7_985).step_by(9), opened(0, 20 << 20)), [""; 0]);
        assert_eq!(days_of(7_001..=7_049, opened(0, 20 << 20)), [""; 0]);
    }

    #[test]
    fn an_old_archive_says_nothing_of_today() {
        let mut reaches = Reaches::default();
        act(&mut reaches, 1, 0, opened(0, 20 << 20));
        (0..85).for_each(|hour| reaches.note(&event(hour, 7_000 + hour), true));
        assert_eq!(closed(&mut reaches, 84 + 31 * 24 + 1), [""; 0]);
    }

    #[test]
    fn a_log_is_told_once_a_month() {
        let mut reaches = Reaches::default();
        let mut told = Vec::new();
        for night in 0..70 {
            act(&mut reaches, 1, night * 24, opened(0, 20 << 20));
            (0..85).for_each(|hour| reaches.note(&event(night * 24 + hour - 90, 7_000 + night * 24 + hour), false));
            if !closed(&mut reaches, night * 24).is_empty() {
                told.push(time(night * 24).format("%m").to_string());
            }
            assert!(reaches.files.is_empty());
        }
        assert_eq!(told, ["10", "11", "12", "01"]);
    }

    #[test]
    fn many_files_at_once_fill_no_memory() {
        let mut reaches = Reaches::default();
        for number in 0..200 {
            let mut deed = opened(0, 20 << 20);
            if let Deed::ImportOpened { path, .. } = &mut deed {
                *path = number.to_string();
            }
            act(&mut reaches, number, 0, deed);
        }
        assert_eq!(reaches.files.len(), FILES_MAX);
    }
}
