//! Japan's national holidays, computed. Owns the law as it stood year by year since 2007 (国民の祝日に関する法律 and the
//! special laws of 2019, 2020 and 2021). Reads no file and no clock. Equinox days are the astronomical ones; they become
//! official by gazette a year ahead, so the calendar file can add or remove a day.

use chrono::{Datelike, NaiveDate, TimeDelta, Weekday};

/// The national holiday on `date` by its name; `None` on other days and before 2007, where the law differed.
pub fn name(date: NaiveDate) -> Option<&'static str> {
    if date.year() < 2007 {
        return None;
    }
    named_by_law(date).or_else(|| substitute(date)).or_else(|| between(date))
}

/// A holiday the law names itself.
fn named_by_law(date: NaiveDate) -> Option<&'static str> {
    let (year, month, day) = (date.year(), date.month(), date.day());
    if let Some(name) = special(year, month, day) {
        return match name {
            Special::Named(name) => Some(name),
            Special::Moved => None,
        };
    }
    let found = match (month, day) {
        (1, 1) => "元日",
        (1, _) if is_nth_monday(date, 2) => "成人の日",
        (2, 11) => "建国記念の日",
        (2, 23) if year >= 2020 => "天皇誕生日",
        (3, _) if day == spring_equinox(year) => "春分の日",
        (4, 29) => "昭和の日",
        (5, 3) => "憲法記念日",
        (5, 4) => "みどりの日",
        (5, 5) => "こどもの日",
        (7, _) if is_nth_monday(date, 3) => "海の日",
        (8, 11) if year >= 2016 => "山の日",
        (9, _) if is_nth_monday(date, 3) => "敬老の日",
        (9, _) if day == autumn_equinox(year) => "秋分の日",
        (10, _) if is_nth_monday(date, 2) => {
            if year >= 2020 {
                "スポーツの日"
            } else {
                "体育の日"
            }
        }
        (11, 3) => "文化の日",
        (11, 23) => "勤労感謝の日",
        (12, 23) if year <= 2018 => "天皇誕生日",
        _ => return None,
    };
    Some(found)
}

/// 海の日, 山の日 and スポーツの日 of the Olympic years, where they would have been.
const MOVED: [(i32, u32, u32); 6] =
    [(2020, 7, 20), (2020, 8, 11), (2020, 10, 12), (2021, 7, 19), (2021, 8, 11), (2021, 10, 11)];

/// What a special law made of a day.
enum Special {
    Named(&'static str),
    /// It would be a holiday, but was moved away.
    Moved,
}

/// Days moved or added by special laws: the accession of 2019, the Olympic years 2020 and 2021.
fn special(year: i32, month: u32, day: u32) -> Option<Special> {
    match (year, month, day) {
        (2019, 5, 1) => Some(Special::Named("天皇の即位の日")),
        (2019, 10, 22) => Some(Special::Named("即位礼正殿の儀の行われる日")),
        (2020, 7, 23) | (2021, 7, 22) => Some(Special::Named("海の日")),
        (2020, 7, 24) | (2021, 7, 23) => Some(Special::Named("スポーツの日")),
        (2020, 8, 10) | (2021, 8, 8) => Some(Special::Named("山の日")),
        day if MOVED.contains(&day) => Some(Special::Moved),
        _ => None,
    }
}

/// 振替休日: the first day after a holiday on a Sunday that is not a holiday itself.
fn substitute(date: NaiveDate) -> Option<&'static str> {
    let mut day = date;
    loop {
        day = day.checked_sub_signed(TimeDelta::days(1))?;
        named_by_law(day)?;
        if day.weekday() == Weekday::Sun {
            return Some("振替休日");
        }
    }
}

/// 国民の休日: a day between two holidays.
fn between(date: NaiveDate) -> Option<&'static str> {
    let before = named_by_law(date.checked_sub_signed(TimeDelta::days(1))?);
    let after = named_by_law(date.checked_add_signed(TimeDelta::days(1))?);
    (before.is_some() && after.is_some() && date.weekday() != Weekday::Sun).then_some("国民の休日")
}

fn is_nth_monday(date: NaiveDate, nth: u32) -> bool {
    date.weekday() == Weekday::Mon && (date.day() - 1) / 7 + 1 == nth
}

/// Day of March. The sun's mean motion, good for 1980–2099.
fn spring_equinox(year: i32) -> u32 {
    equinox(208_431, year)
}

/// Day of September.
fn autumn_equinox(year: i32) -> u32 {
    equinox(232_488, year)
}

/// `base` is the day in 1980 in ten-thousandths; a year adds 0.242194 days and a leap year takes one.
fn equinox(base: i64, year: i32) -> u32 {
    let years = i64::from(year) - 1980;
    let day = (base * 100 + 242_194 * years).div_euclid(1_000_000) - years.div_euclid(4);
    u32::try_from(day).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(date: &str, expected: Option<&str>) {
        let date: NaiveDate = date.parse().expect("a date");
        assert_eq!(name(date), expected, "{date}");
    }

    #[test]
    fn ordinary_years() {
        check("2026-01-01", Some("元日"));
        check("2026-01-12", Some("成人の日"));
        check("2026-10-12", Some("スポーツの日"));
        check("2026-10-13", None);
        check("2026-12-23", None);
        check("2015-08-11", None);
        check("2016-08-11", Some("山の日"));
        check("2018-12-23", Some("天皇誕生日"));
    }

    #[test]
    fn equinoxes_move_between_two_days() {
        check("2026-03-20", Some("春分の日"));
        check("2027-03-21", Some("春分の日"));
        check("2026-09-23", Some("秋分の日"));
        check("2028-09-22", Some("秋分の日"));
    }

    #[test]
    fn a_holiday_on_sunday_is_made_up_for() {
        check("2026-05-06", Some("振替休日"));
        check("2027-03-22", Some("振替休日"));
        check("2026-05-07", None);
        check("2024-02-12", Some("振替休日"));
    }

    #[test]
    fn a_day_between_two_holidays_is_one() {
        check("2026-09-22", Some("国民の休日"));
        check("2019-04-30", Some("国民の休日"));
        check("2025-09-22", None);
    }

    #[test]
    fn olympic_years_moved_days() {
        check("2020-07-24", Some("スポーツの日"));
        check("2020-10-12", None);
        check("2021-08-09", Some("振替休日"));
        check("2021-08-11", None);
    }
}
