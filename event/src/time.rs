//! Times: Japan's zone, the audit's periods, and how an event's time was arrived at.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use serde::{Deserialize, Serialize};

/// Japan standard time has had no daylight saving since 1951, so a fixed offset is the zone.
pub const JST: FixedOffset = match FixedOffset::east_opt(9 * 3600) {
    Some(offset) => offset,
    None => panic!("nine hours is a valid offset"),
};

/// How `@timestamp` was arrived at; kept on the event as `time.source`, because an auditor asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeRule {
    /// An epoch number in the payload.
    Epoch,
    /// A stamp that carries its own offset.
    Offset,
    /// A local stamp and the zone configured for the source.
    Local,
    /// A stamp without a year: the latest year that puts it at most one day after receipt.
    YearAssumed,
    /// The device told no time: our receipt.
    Receive,
}

impl TimeRule {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Offset => "offset",
            Self::Local => "local",
            Self::YearAssumed => "year_assumed",
            Self::Receive => "receive",
        }
    }
}

/// A half-open period `[from, to)`; `None` is open on that side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

impl TimeRange {
    pub fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        Self { from: Some(from), to: Some(to) }
    }

    pub fn contains(&self, time: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time < to)
    }

    /// Whether no instant lies in it.
    pub fn is_empty(&self) -> bool {
        matches!((self.from, self.to), (Some(from), Some(to)) if from >= to)
    }

    /// The part both cover.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let later = |a: Option<DateTime<Utc>>, b: Option<DateTime<Utc>>| a.max(b);
        let earlier = |a: Option<DateTime<Utc>>, b: Option<DateTime<Utc>>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { from: later(self.from, other.from), to: earlier(self.to, other.to) }
    }
}

/// A calendar month in JST, the period of an audit. Written `2026-10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    month: u32,
}

impl Month {
    /// Reads `2026-10`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        if year.len() != 4 || month.len() != 2 {
            return None;
        }
        Self::new(year.parse().ok()?, month.parse().ok()?)
    }

    /// `None` unless the month is 1–12 and the year 1970–9999.
    pub fn new(year: i32, month: u32) -> Option<Self> {
        ((1970..=9999).contains(&year) && (1..=12).contains(&month)).then_some(Self { year, month })
    }

    /// The JST month that holds `time`.
    pub fn of(time: DateTime<Utc>) -> Self {
        let local = time.with_timezone(&JST);
        Self { year: local.year(), month: local.month() }
    }

    pub fn year(self) -> i32 {
        self.year
    }

    pub fn month(self) -> u32 {
        self.month
    }

    #[must_use]
    pub fn next(self) -> Self {
        if self.month == 12 { Self { year: self.year + 1, month: 1 } } else { Self { month: self.month + 1, ..self } }
    }

    #[must_use]
    pub fn previous(self) -> Self {
        if self.month == 1 { Self { year: self.year - 1, month: 12 } } else { Self { month: self.month - 1, ..self } }
    }

    /// The first instant of the month.
    pub fn start(self) -> DateTime<Utc> {
        jst_midnight(NaiveDate::from_ymd_opt(self.year, self.month, 1).unwrap_or_default())
    }

    /// `[first 00:00, next first 00:00)` in JST.
    pub fn range(self) -> TimeRange {
        TimeRange::between(self.start(), self.next().start())
    }

    /// Days in the month, 28–31.
    pub fn days(self) -> i64 {
        (self.next().start() - self.start()).num_days()
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// As it stands on pages and papers: `2026/10/25 09:00:00`, in Japan.
pub fn jst_text(time: DateTime<Utc>) -> String {
    time.with_timezone(&JST).format("%Y/%m/%d %H:%M:%S").to_string()
}

/// 00:00 JST of a date, as UTC.
pub fn jst_midnight(date: NaiveDate) -> DateTime<Utc> {
    let midnight = date.and_hms_opt(0, 0, 0).unwrap_or_default();
    match JST.from_local_datetime(&midnight) {
        chrono::LocalResult::Single(time) => time.with_timezone(&Utc),
        _ => DateTime::<Utc>::MIN_UTC,
    }
}

/// The JST date of an instant.
pub fn jst_date(time: DateTime<Utc>) -> NaiveDate {
    time.with_timezone(&JST).date_naive()
}

/// The noon-to-noon JST day that findings are grouped by: a night belongs to one day.
pub fn finding_day(time: DateTime<Utc>) -> NaiveDate {
    jst_date(time - TimeDelta::hours(12))
}

/// When a finding day begins and when it ends, in UTC.
pub fn finding_day_range(day: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
    // Noon in Japan is three o'clock of the same day in UTC.
    let start = day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(3);
    (start, start.checked_add_signed(TimeDelta::days(1)).unwrap_or(start))
}

/// RFC 3339 in UTC with microseconds: the form of every time in our JSON.
pub fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_a_jst_month() {
        let october = Month::parse("2026-10").expect("a month");
        assert_eq!(rfc3339(october.start()), "2026-09-30T15:00:00.000000Z");
        assert_eq!(october.days(), 31);
        assert_eq!(Month::of(october.start()), october);
        assert_eq!(Month::of(october.start() - TimeDelta::seconds(1)), october.previous());
    }

    #[test]
    fn months_turn_over_the_year() {
        let december = Month::new(2026, 12).expect("a month");
        assert_eq!(december.next().to_string(), "2027-01");
        assert_eq!(december.next().previous(), december);
        for text in ["2026-13", "2026-0", "26-10", "2026-1", "2026/10", "", "abcd-10"] {
            assert_eq!(Month::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_night_is_one_finding_day() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        assert_eq!(finding_day(at("2026-10-25T01:00:00+09:00")), finding_day(at("2026-10-24T23:00:00+09:00")));
        let (start, end) = finding_day_range(finding_day(at("2026-10-25T01:00:00+09:00")));
        assert_eq!((start, end), (at("2026-10-24T12:00:00+09:00"), at("2026-10-25T12:00:00+09:00")));
        assert_ne!(finding_day(at("2026-10-25T13:00:00+09:00")), finding_day(at("2026-10-25T11:00:00+09:00")));
    }
}
