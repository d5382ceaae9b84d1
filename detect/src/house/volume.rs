//! How much each source sends, when, and how well it is understood: by hour and by day of our clock. Counts live records
//! alone: an import says nothing about what a device sends now. A record costs one look-up and a few additions; what
//! they come to is worked out when an hour or a day is over.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use monban_event::act::Deed;
use monban_event::time::jst_date;
use monban_event::{Act, Event, EventId};
use serde::{Deserialize, Serialize};

use super::clock::Offsets;
use super::fact::{fact, say};
use super::parsing::Parsing;
use crate::context::{Calendar, Context};
use crate::pairs;
use crate::rule::clock;

/// The kind of the facts of hours.
const KIND: &str = "volume";
/// Weeks that an hour is compared with, and how many of them must be known: one may have been a holiday.
const WEEKS: i32 = 4;
const WEEKS_LEAST: usize = 3;
/// What usually sends fewer records in that hour sends them one by one, as things happen: fewer of them are no news. Where
/// a rise is measured, what usually sends fewer is taken to send so many.
const USUAL_LEAST: u64 = 100;
/// Fewer records in an hour fill no disk and hide nothing, however few were usual.
const RISE_LEAST: u64 = 1_000;
/// What is nearer to the usual is not even said; a rule may ask for less of a change than ours does, down to here.
const PERCENT_SAID: u64 = 50;
const TIMES_SAID: u64 = 2;
/// Sources counted. A hospital has some hundred; a flood of forged senders must not grow memory.
const SOURCES_MAX: usize = 5_000;
/// Hours whose last record is still known when they are judged: the one judged, the one after it, and the one that runs.
const ENDS: usize = 3;
const HOUR_US: i64 = 3_600_000_000;
/// Japan is whole hours from UTC, so that its hours are those of the clock since 1970.
const JST_HOURS: i64 = 9;
const DAY_HOURS: i64 = 24;

/// Records of each hour of a day.
type DayCounts = [u32; 24];

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Volumes {
    /// The hour of our clock, counted from 1970; it never runs back.
    hour: i64,
    /// The latest live record, µs.
    last_us: i64,
    sources: BTreeMap<String, Source>,
    /// Hours in which we were away for a part: nothing is asked of them.
    away: BTreeSet<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Source {
    /// The hour it was first heard in, which is not whole.
    since: i64,
    /// Records of the hour that runs.
    count: u32,
    last: EventId,
    last_us: i64,
    /// By day, the records of its hours.
    #[serde(with = "pairs")]
    days: BTreeMap<i32, DayCounts>,
    /// The last records of the latest hours that had any.
    ends: VecDeque<(i64, EventId)>,
    /// Of the day that runs.
    offsets: Offsets,
    parsing: Parsing,
}

impl Volumes {
    pub(crate) fn witness(&mut self, context: &Context, event: &Event, facts: &mut Vec<Event>) {
        let (Some(name), Some(arrival)) = (event.source_id.as_deref(), event.ingested) else { return };
        if event.file_path.is_some() || name.starts_with("file:") {
            return;
        }
        let now_us = arrival.timestamp_micros();
        self.advance(context, now_us, facts);
        self.last_us = self.last_us.max(now_us);
        if let Some(source) = self.sources.get_mut(name) {
            source.hear(event, now_us);
        } else if self.sources.len() < SOURCES_MAX {
            let mut source = Source { since: self.hour, ..Source::default() };
            source.hear(event, now_us);
            self.sources.insert(name.to_owned(), source);
        }
    }

    /// Where the program was started, it was away since the last record before.
    pub(crate) fn act(&mut self, act: &Act) {
        if !matches!(act.deed, Deed::Epoch { .. }) || self.last_us == 0 {
            return;
        }
        let back = hour_of(act.at.timestamp_micros());
        let gone = hour_of(self.last_us).max(back - remembered_hours());
        self.away.extend(gone..=back);
    }

    pub(crate) fn tick(&mut self, context: &Context, now: DateTime<Utc>, facts: &mut Vec<Event>) {
        if self.hour != 0 {
            self.advance(context, now.timestamp_micros(), facts);
        }
    }

    /// The clock shows `now_us`: hours and days that are over are judged. An hour is judged when the one after it is over
    /// too, for who sent nothing before or after it did not send less but was silent.
    fn advance(&mut self, context: &Context, now_us: i64, facts: &mut Vec<Event>) {
        if now_us < (self.hour + 1).saturating_mul(HOUR_US) {
            return;
        }
        let hour = hour_of(now_us);
        let before = std::mem::replace(&mut self.hour, hour);
        for source in self.sources.values_mut() {
            source.close_hour(before);
        }
        for judged in before - 1..=before.min(hour - 2) {
            self.judge(context, judged, facts);
        }
        if day_of(before) != day_of(hour) {
            for (name, source) in &mut self.sources {
                source.close_day(name, facts);
            }
            self.forget();
        }
    }

    fn judge(&self, context: &Context, hour: i64, facts: &mut Vec<Event>) {
        let calendar = context.calendar();
        let alike = Alike { hour, days: days_alike(calendar, day_of(hour)), away: &self.away };
        let is_away = self.away.contains(&hour);
        for (name, source) in &self.sources {
            let has_reason = || {
                let (from, to) = (start_of(hour), start_of(hour + 1));
                is_away || calendar.planned_stop(name, from, to).is_some()
            };
            facts.extend(source.hour_fact(name, &alike, &has_reason));
        }
    }

    /// Lets go what no comparison needs any more.
    fn forget(&mut self) {
        let first = self.hour - remembered_hours();
        self.away = self.away.split_off(&first);
        for source in self.sources.values_mut() {
            source.days = source.days.split_off(&day_of(first));
        }
        self.sources.retain(|_, source| !source.days.is_empty());
    }
}

/// An hour, and the earlier days that are like its own.
struct Alike<'a> {
    hour: i64,
    days: Vec<i32>,
    away: &'a BTreeSet<i64>,
}

impl Source {
    fn hear(&mut self, event: &Event, now_us: i64) {
        self.count = self.count.saturating_add(1);
        self.last = event.id;
        self.last_us = self.last_us.max(now_us);
        self.offsets.note(event);
        self.parsing.note(event);
    }

    fn close_hour(&mut self, hour: i64) {
        let count = std::mem::take(&mut self.count);
        if count == 0 {
            return;
        }
        let counts = self.days.entry(day_of(hour)).or_default();
        if let Some(place) = counts.get_mut(hour_of_day(hour)) {
            *place = count;
        }
        if self.ends.len() >= ENDS {
            self.ends.pop_front();
        }
        self.ends.push_back((hour, self.last));
    }

    fn close_day(&mut self, name: &str, facts: &mut Vec<Event>) {
        let told = self.offsets.close().into_iter().chain(self.parsing.close());
        for (kind, words) in told {
            let mut fact = fact(kind, self.last, time_of(self.last_us));
            fact.source_id = Some(name.to_owned());
            for (name, value) in &words {
                say(&mut fact, name, value);
            }
            facts.push(fact);
        }
    }

    fn at(&self, hour: i64) -> u64 {
        let counts = self.days.get(&day_of(hour));
        counts.and_then(|counts| counts.get(hour_of_day(hour))).copied().unwrap_or(0).into()
    }

    /// The median of the same hour of the days alike, `hours_back` before the one that is judged.
    fn usual(&self, alike: &Alike<'_>, hours_back: i64) -> Option<u64> {
        let today = i64::from(day_of(alike.hour));
        let then = |day: &i32| alike.hour - hours_back - (today - i64::from(*day)) * DAY_HOURS;
        let hours = alike.days.iter().map(then).filter(|then| *then > self.since && !alike.away.contains(then));
        let mut counts: Vec<u64> = hours.map(|then| self.at(then)).collect();
        counts.sort_unstable();
        let (low, high) = (counts.get((counts.len().max(1) - 1) / 2)?, counts.get(counts.len() / 2)?);
        (counts.len() >= WEEKS_LEAST).then_some((low + high) / 2)
    }

    fn hour_fact(&self, name: &str, alike: &Alike<'_>, has_reason: &dyn Fn() -> bool) -> Option<Event> {
        let count = self.at(alike.hour);
        let &(_, last) = self.ends.iter().find(|(hour, _)| *hour == alike.hour)?;
        let usual = self.usual(alike, 0)?;
        let percent = self.drop(count, usual, alike.hour).filter(|_| !has_reason());
        let times = self.rise(count, usual, alike);
        let words = match (percent, times) {
            (Some(percent), _) => format!("ふだんの {percent} % に減りました"),
            (None, Some(times)) => format!("ふだんの {times} 倍に増えました"),
            (None, None) => return None,
        };
        let from = start_of(alike.hour);
        let mut fact = fact(KIND, last, from);
        fact.source_id = Some(name.to_owned());
        let said = [
            ("volume.percent", percent),
            ("volume.times", times),
            ("volume.count", Some(count)),
            ("volume.usual", Some(usual)),
        ];
        for (name, number) in said {
            if let Some(number) = number {
                say(&mut fact, name, &number);
            }
        }
        say(&mut fact, "volume.words", &words);
        say(&mut fact, "volume.hour", &clock(from));
        Some(fact)
    }

    /// How many of a hundred usual records came, where that is fewer and no silence.
    fn drop(&self, count: u64, usual: u64, hour: i64) -> Option<u64> {
        let was_there = self.at(hour - 1) > 0 && self.at(hour + 1) > 0;
        let percent = count.saturating_mul(100).checked_div(usual)?;
        (usual >= USUAL_LEAST && was_there && percent < PERCENT_SAID).then_some(percent)
    }

    /// How many times the usual came. Who was silent before, and usually is not, sends what it kept in the meantime.
    fn rise(&self, count: u64, usual: u64, alike: &Alike<'_>) -> Option<u64> {
        let times = count / usual.max(USUAL_LEAST);
        if count < RISE_LEAST || times < TIMES_SAID {
            return None;
        }
        let catches_up = self.at(alike.hour - 1) == 0 && self.usual(alike, 1).is_some_and(|before| before > 0);
        (!catches_up).then_some(times)
    }
}

/// Earlier days that are like this one, the latest first: the same day of the week, and of holidays the latest ones.
fn days_alike(calendar: &Calendar, day: i32) -> Vec<i32> {
    let is_holiday = |day: &i32| date_of(*day).is_some_and(|date| calendar.is_holiday(date));
    if is_holiday(&day) {
        return (1..=WEEKS * 7).map(|back| day - back).filter(is_holiday).take(4).collect();
    }
    (1..=WEEKS).map(|weeks| day - 7 * weeks).filter(|day| !is_holiday(day)).collect()
}

fn date_of(day: i32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(day)
}

/// One day more than is compared with: the day that runs is not whole.
fn remembered_hours() -> i64 {
    i64::from(WEEKS * 7 + 1) * DAY_HOURS
}

fn hour_of(time_us: i64) -> i64 {
    time_us.div_euclid(HOUR_US)
}

fn start_of(hour: i64) -> DateTime<Utc> {
    time_of(hour.saturating_mul(HOUR_US))
}

fn time_of(time_us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time_us).unwrap_or_default()
}

/// The day in Japan that the hour belongs to.
fn day_of(hour: i64) -> i32 {
    jst_date(start_of(hour)).num_days_from_ce()
}

fn hour_of_day(hour: i64) -> usize {
    usize::try_from((hour + JST_HOURS).rem_euclid(DAY_HOURS)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
