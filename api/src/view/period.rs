//! The periods of the search page. The choice is in the address; what it means now is worked out here, in JST.

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::TimeRange;
use monban_event::time::{Month, jst_date, jst_midnight};

/// What the drop-down offers: the name in the address and the words.
pub(crate) const CHOICES: [(&str, &str); 11] = [
    ("15m", "過去15分"),
    ("1h", "過去1時間"),
    ("24h", "過去24時間"),
    ("7d", "過去7日"),
    ("30d", "過去30日"),
    ("today", "今日"),
    ("yesterday", "昨日"),
    ("month", "今月"),
    ("last_month", "先月"),
    ("night", "夜間（前日17:30–今朝8:30）"),
    ("custom", "指定"),
];

pub(crate) const DEFAULT: &str = "24h";

/// A choice and the range it means; `choice` is one of [`CHOICES`].
pub(crate) struct Period {
    pub(crate) choice: &'static str,
    pub(crate) range: TimeRange,
}

/// Reads the choice of an address. A `from` or `to` without a choice is a chosen period.
pub(crate) fn read(choice: &str, from: &str, to: &str, now: DateTime<Utc>) -> Result<Period, String> {
    let given = if choice.is_empty() && !(from.is_empty() && to.is_empty()) { "custom" } else { choice };
    let given = if given.is_empty() { DEFAULT } else { given };
    let Some(&(choice, _)) = CHOICES.iter().find(|(name, _)| *name == given) else {
        return Err("期間の選び方が正しくありません。".to_owned());
    };
    let range = if choice == "custom" { chosen(from, to)? } else { relative(choice, now) };
    Ok(Period { choice, range })
}

fn chosen(from: &str, to: &str) -> Result<TimeRange, String> {
    let bound = |text: &str| match text {
        "" => Ok(None),
        text => {
            instant(text).map(Some).ok_or_else(|| format!("「{text}」は日時として読めません。例: 2026-11-20T08:30"))
        }
    };
    let range = TimeRange { from: bound(from)?, to: bound(to)? };
    match (range.from, range.to) {
        (Some(from), Some(to)) if from >= to => Err("期間の終わりが始まりより前です。".to_owned()),
        _ => Ok(range),
    }
}

/// RFC 3339, or what a date-time field sends, which is JST.
pub(crate) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let whole = match text.chars().count() {
        10 => format!("{text}T00:00:00+09:00"),
        16 => format!("{text}:00+09:00"),
        19 => format!("{text}+09:00"),
        _ => text.to_owned(),
    };
    DateTime::parse_from_rfc3339(&whole).ok().map(|time| time.with_timezone(&Utc))
}

fn relative(choice: &str, now: DateTime<Utc>) -> TimeRange {
    let today = jst_midnight(jst_date(now));
    let month = Month::of(now);
    let last = |delta| TimeRange::between(now - delta, now);
    match choice {
        "15m" => last(TimeDelta::minutes(15)),
        "1h" => last(TimeDelta::hours(1)),
        "7d" => last(TimeDelta::days(7)),
        "30d" => last(TimeDelta::days(30)),
        "today" => TimeRange::between(today, today + TimeDelta::days(1)),
        "yesterday" => TimeRange::between(today - TimeDelta::days(1), today),
        "month" => month.range(),
        "last_month" => month.previous().range(),
        "night" => TimeRange::between(today - TimeDelta::minutes(390), today + TimeDelta::minutes(510)),
        _ => last(TimeDelta::hours(24)),
    }
}

/// Widths of a bar, in seconds, and their words.
const STEPS: [(u32, &str); 9] = [
    (60, "1分"),
    (300, "5分"),
    (900, "15分"),
    (3600, "1時間"),
    (3 * 3600, "3時間"),
    (6 * 3600, "6時間"),
    (86_400, "1日"),
    (7 * 86_400, "7日"),
    (28 * 86_400, "28日"),
];

/// Bars that fit on a page and can still be told apart.
const BARS_MAX: i64 = 62;

/// The narrowest bar of which the period needs no more than fit.
pub(crate) fn bar(from: DateTime<Utc>, to: DateTime<Utc>) -> (u32, &'static str) {
    let seconds = (to - from).num_seconds();
    STEPS.into_iter().find(|&(step, _)| seconds / i64::from(step) <= BARS_MAX).unwrap_or((28 * 86_400, "28日"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn periods_are_japanese_days() {
        let now = at("2026-11-20T08:41:00+09:00");
        let range = |choice| read(choice, "", "", now).unwrap().range;
        let day = |text: &str| Some(at(text));
        assert_eq!(range("today").from, day("2026-11-20T00:00:00+09:00"));
        assert_eq!(range("yesterday").to, day("2026-11-20T00:00:00+09:00"));
        assert_eq!(range("last_month").from, day("2026-10-01T00:00:00+09:00"));
        assert_eq!(range("night").from, day("2026-11-19T17:30:00+09:00"));
        assert_eq!(range("night").to, day("2026-11-20T08:30:00+09:00"));
        assert_eq!(range("").from, Some(now - TimeDelta::hours(24)));
    }

    #[test]
    fn chosen_periods_are_read_as_typed() {
        let now = at("2026-11-20T08:41:00+09:00");
        let period = read("", "2026-11-01", "2026-11-02T08:30", now).unwrap();
        assert_eq!(period.choice, "custom");
        assert_eq!(period.range.from, Some(at("2026-11-01T00:00:00+09:00")));
        assert_eq!(period.range.to, Some(at("2026-11-02T08:30:00+09:00")));
        assert!(read("custom", "きのう", "", now).is_err());
        assert!(read("custom", "2026-11-02", "2026-11-01", now).is_err());
        assert!(read("2週間", "", "", now).is_err());
    }

    #[test]
    fn bars_are_as_narrow_as_fits() {
        let from = at("2026-11-01T00:00:00+09:00");
        for (hours, step) in [(1, 60), (24, 3600), (24 * 7, 10_800), (24 * 30, 86_400), (24 * 9000, 28 * 86_400)] {
            assert_eq!(bar(from, from + TimeDelta::hours(hours)).0, step, "{hours}");
        }
    }
}
