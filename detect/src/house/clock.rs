//! How a source's clock stands to ours, by the day. What waited on its way looks like a clock that is behind, so the
//! middle of the day's differences counts, and only where they lie close together: a clock that is wrong is wrong by the
//! same all day.

use std::collections::BTreeMap;

use monban_event::Event;
use serde::{Deserialize, Serialize};

use crate::pairs;
use crate::profile::{WHOLE_HOUR_WITHIN_S, offset_s};

const KIND: &str = "clock";
/// Of fewer records in a day the middle means nothing.
const RECORDS_LEAST: u64 = 20;
/// The middle half of a day's differences lies within so much, or they are delays.
const SPREAD_MAX_S: i64 = 120;
/// A difference below is on its way, or of no consequence.
const SAID_LEAST_S: i64 = 60;
/// Beyond it Kerberos refuses whoever asks: the tolerance that Windows is delivered with.
const KERBEROS_S: i64 = 300;
/// Differences are told apart by ten seconds up to ten minutes and by a minute beyond, so that a day's are some hundred at
/// most for a source that is well and three thousand for one that forges them.
const FINE_S: i64 = 10;
const FINE_TO_S: i64 = 600;
const COARSE_S: i64 = 60;
const FARTHEST_S: i64 = 86_400;
/// Zones are at most so far apart, in hours.
const ZONE_HOURS_MAX: i64 = 14;
/// Who was told of a clock is told again after so many days, or when it stands otherwise.
const TELL_AGAIN_DAYS: u32 = 7;
const OTHERWISE_S: i64 = 60;

/// What came to light of a source's day: the kind of the fact, and what it says.
pub(super) type Told = (&'static str, Vec<(&'static str, String)>);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Offsets {
    /// Of the day that runs: how many records were so many seconds ahead.
    #[serde(with = "pairs")]
    counts: BTreeMap<i64, u64>,
    /// What was told last, and how many days of records ago.
    told: Option<(i64, u32)>,
}

impl Offsets {
    pub(super) fn note(&mut self, event: &Event) {
        if let Some(offset_s) = offset_s(event) {
            *self.counts.entry(rounded(offset_s)).or_default() += 1;
        }
    }

    /// The day is over.
    pub(super) fn close(&mut self) -> Option<Told> {
        let counts = std::mem::take(&mut self.counts);
        let middle = middle_s(&counts)?;
        let told = self.told.map(|(told, days)| (told, days + 1));
        self.told = told.filter(|_| middle.abs() > SAID_LEAST_S);
        let is_known = |(told, days): (i64, u32)| days < TELL_AGAIN_DAYS && (told - middle).abs() <= OTHERWISE_S;
        if middle.abs() <= SAID_LEAST_S || self.told.is_some_and(is_known) {
            return None;
        }
        self.told = Some((middle, 0));
        Some((KIND, words(middle)))
    }
}

fn words(middle_s: i64) -> Vec<(&'static str, String)> {
    let zone = zone_hours(middle_s);
    let kerberos = if middle_s.abs() > KERBEROS_S { "beyond" } else { "within" };
    let span = match zone {
        Some(hours) => format!("{} 時間", hours.abs()),
        None if middle_s.abs() >= FARTHEST_S => "1 日以上".to_owned(),
        None if middle_s.abs() >= 7_200 => format!("約 {} 時間", middle_s.abs() / 3_600),
        None => format!("約 {} 分", middle_s.abs() / 60),
    };
    let direction = if middle_s > 0 { "進んで" } else { "遅れて" };
    let cause =
        if zone.is_some() { "（ちょうど時間の単位なので、時差の設定誤りです）" } else { "" };
    vec![
        ("clock.seconds", middle_s.abs().to_string()),
        ("clock.direction", if middle_s > 0 { "ahead" } else { "behind" }.to_owned()),
        ("clock.zone", if zone.is_some() { "wrong" } else { "right" }.to_owned()),
        ("clock.kerberos", kerberos.to_owned()),
        ("clock.words", format!("{span}{direction}います{cause}")),
    ]
}

/// By how many whole hours, where it is so many that the zone must be wrong.
fn zone_hours(middle_s: i64) -> Option<i64> {
    let hours = (middle_s + middle_s.signum() * 1_800) / 3_600;
    let is_whole = (middle_s - hours * 3_600).abs() <= WHOLE_HOUR_WITHIN_S;
    (is_whole && (1..=ZONE_HOURS_MAX).contains(&hours.abs())).then_some(hours)
}

/// The median, where there are enough records and they agree.
fn middle_s(counts: &BTreeMap<i64, u64>) -> Option<i64> {
    let total: u64 = counts.values().sum();
    let quarter = |quarters: u64| {
        let mut left = total * quarters / 4;
        counts.iter().find_map(|(&offset_s, &count)| match left.checked_sub(count) {
            Some(rest) => {
                left = rest;
                None
            }
            None => Some(offset_s),
        })
    };
    let (low, middle, high) = (quarter(1)?, quarter(2)?, quarter(3)?);
    (total >= RECORDS_LEAST && high - low <= SPREAD_MAX_S).then_some(middle)
}

fn rounded(offset_s: i64) -> i64 {
    let offset_s = offset_s.clamp(-FARTHEST_S, FARTHEST_S);
    let step = if offset_s.abs() <= FINE_TO_S { FINE_S } else { COARSE_S };
    (offset_s + offset_s.signum() * step / 2) / step * step
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use monban_event::TimeRule;

    use super::*;

    fn day(offsets: &mut Offsets, seconds: impl IntoIterator<Item = i64>) -> Option<String> {
        let received: DateTime<Utc> = "2026-10-26T03:00:00Z".parse().unwrap();
        for offset_s in seconds {
            let time = received + TimeDelta::seconds(offset_s);
            let rule = Some(TimeRule::Local);
            let event = Event { ingested: Some(received), event_time: Some(time), time_rule: rule, ..Event::default() };
            offsets.note(&event);
        }
        offsets.close().map(|(_, words)| words.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" "))
    }

    fn one(seconds: impl IntoIterator<Item = i64>) -> Option<String> {
        day(&mut Offsets::default(), seconds)
    }

    #[test]
    fn the_middle_of_a_day_tells_how_a_clock_stands() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(one([-130; 20]), text("130 behind right within 約 2 分遅れています"));
        assert_eq!(one([421; 25]), text("420 ahead right beyond 約 7 分進んでいます"));
        assert_eq!(one([-10_000; 25]), text("10020 behind right beyond 約 2 時間遅れています"));
        assert_eq!(one([-40 * 86_400; 25]), text("86400 behind right beyond 1 日以上遅れています"));
        let zone = "（ちょうど時間の単位なので、時差の設定誤りです）";
        assert_eq!(one([32_395; 20]), Some(format!("32400 ahead wrong beyond 9 時間進んでいます{zone}")));
        assert_eq!(one([-32_520; 20]), Some(format!("32520 behind wrong beyond 9 時間遅れています{zone}")));
        assert_eq!(one([-32_580; 20]), text("32580 behind right beyond 約 9 時間遅れています"));
    }

    #[test]
    fn too_few_records_and_a_clock_that_is_right_say_nothing() {
        assert_eq!(one([-400; 19]), None);
        assert_eq!(one([-55; 100]), None);
        assert_eq!(one([]), None);
    }

    #[test]
    fn what_was_held_back_for_a_while_is_no_wrong_clock() {
        let resent = (0..60).map(|minute| -60 * minute);
        assert_eq!(one(resent.chain([-1; 61])), None, "an agent that sends what it kept, fewer than half");
        assert_eq!(one((0..600).map(|second| -second)), None, "an agent that sends every ten minutes");
    }

    #[test]
    fn a_clock_that_stays_wrong_is_told_again_after_a_week_and_when_it_stands_otherwise() {
        let mut offsets = Offsets::default();
        let told: Vec<bool> = (0..15).map(|_| day(&mut offsets, [400; 30]).is_some()).collect();
        assert_eq!((0..15).filter(|&day| told[day]).collect::<Vec<_>>(), [0, 7, 14]);
        assert!(day(&mut offsets, [700; 30]).is_some());
        assert!(day(&mut offsets, [0; 30]).is_none());
        assert!(day(&mut offsets, [700; 30]).is_some(), "it was right in between");
    }

    #[test]
    fn forged_times_fill_no_memory() {
        let mut offsets = Offsets::default();
        let seconds = (-200_000..200_000).step_by(7);
        let received: DateTime<Utc> = "2026-10-26T03:00:00Z".parse().unwrap();
        for offset_s in seconds {
            let time = received + TimeDelta::seconds(offset_s);
            let rule = Some(TimeRule::Epoch);
            offsets.note(&Event {
                ingested: Some(received),
                event_time: Some(time),
                time_rule: rule,
                ..Event::default()
            });
        }
        assert!(offsets.counts.len() < 3_100, "{}", offsets.counts.len());
    }
}
