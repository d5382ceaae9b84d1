//! Moments of the simulated month and the ways devices write them. Pure arithmetic on microseconds: a month has a
//! million stamps, and each device has its own form.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc, Weekday};
use monban_event::time::{Month, jst_midnight};

use super::line::{Part, Three, Two};

pub(super) const SECOND: u64 = 1_000_000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// Japan is nine hours ahead of UTC all year.
const JST_AHEAD: u64 = 9 * HOUR;

/// Microseconds since 1970-01-01T00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At(pub(super) u64);

impl At {
    pub(super) fn of(time: DateTime<Utc>) -> Self {
        Self(u64::try_from(time.timestamp_micros()).unwrap_or(0))
    }

    pub(super) fn utc(self) -> DateTime<Utc> {
        let micros = i64::try_from(self.0).unwrap_or(i64::MAX);
        DateTime::from_timestamp_micros(micros).unwrap_or_default()
    }

    pub(super) fn plus(self, micros: u64) -> Self {
        Self(self.0 + micros)
    }

    pub(super) fn minus(self, micros: u64) -> Self {
        Self(self.0.saturating_sub(micros))
    }

    /// Date and time of day on a wall clock in Japan.
    pub(super) fn jst(self) -> Civil {
        Civil::of(self.0 + JST_AHEAD)
    }

    pub(super) fn universal(self) -> Civil {
        Civil::of(self.0)
    }
}

/// A moment as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: u64,
    pub(super) month: u64,
    pub(super) day: u64,
    pub(super) hour: u64,
    pub(super) minute: u64,
    pub(super) second: u64,
    pub(super) micro: u64,
}

impl Civil {
    /// Days to a date after Howard Hinnant's `civil_from_days`, for dates after 1970.
    fn of(micros: u64) -> Self {
        let z = micros / DAY + 719_468;
        let (era, day_of_era) = (z / 146_097, z % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self {
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted + 2) / 5 + 1,
            hour: micros / HOUR % 24,
            minute: micros / MINUTE % 60,
            second: micros / SECOND % 60,
            micro: micros % SECOND,
        }
    }

    fn month_name(self) -> &'static str {
        const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        usize::try_from(self.month - 1).ok().and_then(|index| NAMES.get(index)).copied().unwrap_or("Jan")
    }
}

/// `2026-10-04`.
pub(super) struct Dashed(pub(super) Civil);
/// `02:14:07`.
pub(super) struct Clock(pub(super) Civil);
/// `Oct  4 02:14:07`, the stamp of RFC 3164.
pub(super) struct Bsd(pub(super) Civil);
/// `Oct 04 2026 02:14:07`, as a Cisco ASA writes it.
pub(super) struct Asa(pub(super) Civil);
/// `2026/10/04 02:14:07`.
pub(super) struct Slashed(pub(super) Civil);
/// `2026-10-03T17:14:07.123Z`, of a civil moment in UTC.
pub(super) struct Rfc3339(pub(super) Civil);

impl Part for Dashed {
    fn write(&self, out: &mut Vec<u8>) {
        put!(out, self.0.year, "-", Two(self.0.month), "-", Two(self.0.day));
    }
}

impl Part for Clock {
    fn write(&self, out: &mut Vec<u8>) {
        put!(out, Two(self.0.hour), ":", Two(self.0.minute), ":", Two(self.0.second));
    }
}

impl Part for Bsd {
    fn write(&self, out: &mut Vec<u8>) {
        let pad = if self.0.day < 10 { " " } else { "" };
        put!(out, self.0.month_name(), " ", pad, self.0.day, " ", Clock(self.0));
    }
}

impl Part for Asa {
    fn write(&self, out: &mut Vec<u8>) {
        put!(out, self.0.month_name(), " ", Two(self.0.day), " ", self.0.year, " ", Clock(self.0));
    }
}

impl Part for Slashed {
    fn write(&self, out: &mut Vec<u8>) {
        put!(out, self.0.year, "/", Two(self.0.month), "/", Two(self.0.day), " ", Clock(self.0));
    }
}

impl Part for Rfc3339 {
    fn write(&self, out: &mut Vec<u8>) {
        put!(out, Dashed(self.0), "T", Clock(self.0), ".", Three(self.0.micro / 1000), "Z");
    }
}

/// What kind of day it is for a hospital.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayKind {
    Weekday,
    /// Open until 12:30.
    Saturday,
    /// Sunday or holiday.
    Closed,
}

/// One day of the month.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day {
    /// 1 to 31.
    pub(super) number: u64,
    pub(super) start: At,
    pub(super) kind: DayKind,
    /// 0 is Monday.
    pub(super) weekday: u64,
}

impl Day {
    /// A moment of this day; hours above 23 are the next day's.
    pub(super) fn at(&self, hour: u64, minute: u64, second: u64) -> At {
        self.start.plus(hour * HOUR + minute * MINUTE + second * SECOND)
    }

    pub(super) fn is_working(&self) -> bool {
        self.kind == DayKind::Weekday
    }
}

/// The days of a month. `number` 1 first.
pub(super) fn days(month: Month) -> Vec<Day> {
    (1..=31).filter_map(|number| day(month, number)).collect()
}

fn day(month: Month, number: u32) -> Option<Day> {
    let date = NaiveDate::from_ymd_opt(month.year(), month.month(), number)?;
    let weekday = u64::from(date.weekday().num_days_from_monday());
    Some(Day { number: u64::from(number), start: At::of(jst_midnight(date)), kind: kind(date), weekday })
}

fn kind(date: NaiveDate) -> DayKind {
    match date.weekday() {
        Weekday::Sun => DayKind::Closed,
        // The second Monday: スポーツの日 in October, 成人の日 in January, and the hospital's foundation day elsewhere.
        Weekday::Mon if (8..=14).contains(&date.day()) => DayKind::Closed,
        Weekday::Sat => DayKind::Saturday,
        _ => DayKind::Weekday,
    }
}

/// The date of a day so many days after the month's first, written `2026-10-04`; before it where negative.
pub(super) fn date_text(month: Month, days_after_first: i64) -> String {
    let first = NaiveDate::from_ymd_opt(month.year(), month.month(), 1).unwrap_or_default();
    (first + TimeDelta::days(days_after_first)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(part: &dyn Part, expect: &str) {
        let mut out = Vec::new();
        part.write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }

    #[test]
    fn stamps_as_devices_write_them() {
        let at = At::of("2026-10-04T02:14:07.045Z".parse().unwrap());
        check(&Dashed(at.jst()), "2026-10-04");
        check(&Bsd(at.jst()), "Oct  4 11:14:07");
        check(&Asa(at.jst()), "Oct 04 2026 11:14:07");
        check(&Slashed(at.jst()), "2026/10/04 11:14:07");
        check(&Rfc3339(at.universal()), "2026-10-04T02:14:07.045Z");
        assert_eq!(at.utc(), "2026-10-04T02:14:07.045Z".parse::<DateTime<Utc>>().unwrap());
    }

    #[test]
    fn civil_dates_agree_with_the_calendar() {
        use chrono::Timelike;
        let mut at = At::of("1999-12-31T21:59:58Z".parse().unwrap());
        for _ in 0..4000 {
            let (ours, theirs) = (at.universal(), at.utc());
            assert_eq!(
                (ours.year, ours.month, ours.day),
                (u64::try_from(theirs.year()).unwrap(), u64::from(theirs.month()), u64::from(theirs.day()))
            );
            assert_eq!(
                (ours.hour, ours.minute, ours.second),
                (u64::from(theirs.hour()), u64::from(theirs.minute()), u64::from(theirs.second()))
            );
            at = at.plus(3 * DAY + 7 * HOUR + 61 * SECOND);
        }
    }

    #[test]
    fn october_2026_has_its_sundays_and_its_holiday() {
        let days = days(Month::new(2026, 10).unwrap());
        assert_eq!(days.len(), 31);
        let closed: Vec<u64> = days.iter().filter(|day| day.kind == DayKind::Closed).map(|day| day.number).collect();
        assert_eq!(closed, [4, 11, 12, 18, 25]);
    }
}
