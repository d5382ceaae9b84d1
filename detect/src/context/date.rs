//! Dates and times of day as Japanese offices write them: 2026/3/31, 令和8年3月31日, R8.3.31, 20260331, an Excel serial
//! number. Owns no calendar knowledge beyond the eras.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use monban_event::account::fold;
use monban_event::time::{JST, jst_midnight};

/// First year of each era, minus one, by its letter and by its name.
const ERAS: [(&str, &str, i32); 5] =
    [("r", "令和", 2018), ("h", "平成", 1988), ("s", "昭和", 1925), ("t", "大正", 1911), ("m", "明治", 1867)];

/// Days from 1970-01-01 back to Excel's day 0, 1899-12-30.
const EXCEL_EPOCH_DAYS: i64 = 25_569;
/// Serial numbers taken for dates: 1954 to 2119. Others are more likely a typing slip.
const EXCEL_SERIALS: std::ops::RangeInclusive<i64> = 20_000..=80_000;

/// The date written in `text`; a time of day after it is ignored. `None` when it is no date.
pub(super) fn parse_date(text: &str) -> Option<NaiveDate> {
    let folded = fold(text.trim());
    let (era_base, rest) = split_era(&folded);
    let numbers = leading_numbers(rest);
    match (era_base, numbers.as_slice()) {
        (Some(base), &[year, month, day, ..]) => ymd(i64::from(base) + year, month, day),
        (None, &[year, month, day, ..]) if year >= 1868 => ymd(year, month, day),
        (None, &[packed]) if (18_680_101..=99_991_231).contains(&packed) => {
            ymd(packed / 10_000, packed / 100 % 100, packed % 100)
        }
        (None, &[serial]) if EXCEL_SERIALS.contains(&serial) => {
            NaiveDate::from_ymd_opt(1970, 1, 1)?.checked_add_signed(TimeDelta::days(serial - EXCEL_EPOCH_DAYS))
        }
        _ => None,
    }
}

/// A moment: RFC 3339, or a date and a time of day in JST.
pub(super) fn parse_moment(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.with_timezone(&Utc));
    }
    let date = parse_date(text)?;
    let clock = text.split([' ', 'T', '　']).nth(1).unwrap_or("0:00");
    Some(jst_midnight(date) + TimeDelta::minutes(i64::from(parse_clock(clock)?)))
}

/// Minutes after midnight of `8:30`, `08:30:00`, `8時30分` or `24:00`.
pub(super) fn parse_clock(text: &str) -> Option<u32> {
    let folded = fold(text.trim());
    let numbers = leading_numbers(&folded);
    let (&hour, minute) = (numbers.first()?, numbers.get(1).copied().unwrap_or(0));
    let minutes = u32::try_from(hour.checked_mul(60)?.checked_add(minute)?).ok()?;
    (minute < 60 && minutes <= 24 * 60).then_some(minutes)
}

/// JST wall clock, minutes after midnight.
pub(super) fn minute_of_day(time: DateTime<Utc>) -> u32 {
    use chrono::Timelike;
    let local = time.with_timezone(&JST);
    local.hour() * 60 + local.minute()
}

fn ymd(year: i64, month: i64, day: i64) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
}

fn split_era(text: &str) -> (Option<i32>, &str) {
    for (letter, name, base) in ERAS {
        if let Some(rest) = text.strip_prefix(name).or_else(|| text.strip_prefix(letter)) {
            return (Some(base), rest);
        }
    }
    (None, text)
}

/// The numbers of a text, separators thrown away; `元` (first year) is 1. Empty when a letter stands among them.
fn leading_numbers(text: &str) -> Vec<i64> {
    let text = text.split([' ', 't']).next().unwrap_or("").replace('元', "1");
    if text.chars().any(|c| !c.is_ascii_digit() && !"/-.年月日時分秒:".contains(c)) {
        return Vec::new();
    }
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    numbers.map(|part| part.parse().unwrap_or(i64::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_in_every_form_an_office_writes() {
        let expected = NaiveDate::from_ymd_opt(2026, 3, 31);
        for text in [
            "2026/3/31",
            "2026-03-31",
            "2026.3.31",
            "20260331",
            "2026年3月31日",
            "R8.3.31",
            "Ｒ８．３．３１",
            "r8/3/31",
            "令和8年3月31日",
            "令和８年３月３１日",
            " 2026/03/31 0:00:00 ",
            "46112",
            "2026-03-31T09:00:00",
        ] {
            assert_eq!(parse_date(text), expected, "{text}");
        }
        assert_eq!(parse_date("令和元年5月1日"), NaiveDate::from_ymd_opt(2019, 5, 1));
        assert_eq!(parse_date("H31.4.30"), NaiveDate::from_ymd_opt(2019, 4, 30));
        assert_eq!(parse_date("昭和64年1月7日"), NaiveDate::from_ymd_opt(1989, 1, 7));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "未定",
            "3/31",
            "2026/2/30",
            "R8.13.1",
            "12",
            "8年3月31日",
            "2026",
            "99999999999999999999/1/1",
            "retired",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn moments_are_jst_unless_they_say() {
        assert_eq!(parse_moment("2026/10/14 22:10"), parse_moment("2026-10-14T13:10:00Z"));
        assert_eq!(parse_moment("2026-10-14T22:10:00"), parse_moment("2026-10-14T22:10:00+09:00"));
        assert_eq!(parse_moment("2026/10/14"), parse_moment("2026-10-13T15:00:00Z"));
        assert_eq!(parse_moment("2026/10/14 25:10"), None);
    }

    #[test]
    fn clocks() {
        assert_eq!(parse_clock("8:30"), Some(510));
        assert_eq!(parse_clock("８時３０分"), Some(510));
        assert_eq!(parse_clock("24:00"), Some(1440));
        for text in ["", "24:01", "8:60", "am"] {
            assert_eq!(parse_clock(text), None, "{text}");
        }
    }
}
