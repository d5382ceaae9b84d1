//! Times as devices write them. Owns every written form of a date and the one spot where a local time becomes an
//! instant. It must never ask a clock: the year of a stamp without one follows from the time of receipt.
//!
//! Forms: RFC 3339 and its relatives (blank for `T`, `,` before the fraction, offset without colon, no offset),
//! `YYYY/MM/DD`, RFC 3164 with a year before or after the time or none, a fraction, a zone word, year-first (NX-OS),
//! day-first (`03/Mar/2026:09:00:00 +0900` of web servers, `03-Mar-2026` of BIND, RFC 2822) and colon dates (Sophos UTM).

use chrono::{DateTime, Datelike, FixedOffset, LocalResult, NaiveDate, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use monban_event::TimeRule;

/// How far back the year of a stamp without one may lie. 29 February needs up to eight (1896–1904 style gaps).
const YEARS_BACK_MAX: i32 = 8;

/// A stamp that tells no year may be this far ahead of our receipt: a clock in another zone or a little fast.
const AHEAD_MAX: TimeDelta = TimeDelta::days(1);

/// Digits of a fraction behind a comma: ISO 8601 and log4j write three, some six or nine.
const COMMA_FRACTION_MAX: usize = 9;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub year: Option<i32>,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    /// Up to 60.
    pub second: u32,
    pub nanos: u32,
    /// Seconds east of Greenwich, where the stamp says so.
    pub offset: Option<i32>,
}

/// An instant and how it was arrived at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instant {
    pub time: DateTime<Utc>,
    pub rule: TimeRule,
    pub timezone: Option<String>,
}

impl Stamp {
    /// The instant the stamp means, or `None` when there is no such day. `zone` serves stamps without offset.
    pub fn resolve(&self, zone: Tz, received_at: DateTime<Utc>) -> Option<Instant> {
        let (time, year_rule) = match self.year {
            Some(year) => (self.in_year(year, zone)?, None),
            None => (self.latest_year(zone, received_at)?, Some(TimeRule::YearAssumed)),
        };
        let (rule, timezone) = match self.offset {
            Some(seconds) => (TimeRule::Offset, offset_text(seconds)),
            None => (TimeRule::Local, zone.name().to_owned()),
        };
        Some(Instant { time, rule: year_rule.unwrap_or(rule), timezone: Some(timezone) })
    }

    fn latest_year(&self, zone: Tz, received_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let latest = received_at.checked_add_signed(AHEAD_MAX)?;
        let first_year = latest.year() + 1;
        (0..=YEARS_BACK_MAX)
            .filter_map(|back| self.in_year(first_year - back, zone))
            .find(|candidate| *candidate <= latest)
    }

    /// A leap second is the second after it: nothing downstream can hold `:60`.
    fn in_year(&self, year: i32, zone: Tz) -> Option<DateTime<Utc>> {
        let second = self.second.min(59);
        let local = NaiveDate::from_ymd_opt(year, self.month, self.day)?.and_hms_nano_opt(
            self.hour,
            self.minute,
            second,
            self.nanos,
        )?;
        let time = match self.offset {
            Some(seconds) => FixedOffset::east_opt(seconds)?.from_local_datetime(&local).single()?.to_utc(),
            None => match zone.from_local_datetime(&local) {
                LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.to_utc(),
                // An hour that summer time skips: read it as if the clocks had not been changed yet.
                LocalResult::None => (zone.from_local_datetime(&(local - TimeDelta::hours(1))).earliest()?
                    + TimeDelta::hours(1))
                .to_utc(),
            },
        };
        Some(time + TimeDelta::seconds(i64::from(self.second - second)))
    }
}

/// An epoch number as devices write it: seconds (also with a fraction), milli-, micro- or nanoseconds, told apart by
/// their number of digits. `None` for anything that is not a time between 1980 and 2106.
pub fn epoch(text: &str) -> Option<Instant> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    let (seconds, nanos) = match whole.len() {
        9 | 10 => (number, fraction_nanos(fraction)?),
        13 => (number / 1_000, number % 1_000 * 1_000_000),
        16 => (number / 1_000_000, number % 1_000_000 * 1_000),
        19 => (number / 1_000_000_000, number % 1_000_000_000),
        _ => return None,
    };
    if !(315_532_800..=4_294_967_295).contains(&seconds) {
        return None;
    }
    let time = DateTime::from_timestamp(seconds, u32::try_from(nanos).ok()?)?;
    Some(Instant { time, rule: TimeRule::Epoch, timezone: None })
}

fn fraction_nanos(digits: &str) -> Option<i64> {
    digits.bytes().take(9).enumerate().try_fold(0, |nanos, (place, digit)| {
        let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        Some(nanos + digit * 10_i64.pow(8 - u32::try_from(place).ok()?))
    })
}

/// Japan's offset, in seconds east.
const JAPAN_SECONDS: i32 = 9 * 3600;

/// `+09:00`: how an offset stands on the event, however the device wrote it.
pub fn offset_text(seconds: i32) -> String {
    // What nearly every device of ours says.
    if seconds == JAPAN_SECONDS {
        return "+09:00".to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// `+0900`, `+09:00`, `-7`, `Z`: seconds east.
pub fn offset(text: &str) -> Option<i32> {
    let mut cursor = Cursor(text);
    let seconds = cursor.offset()?;
    cursor.0.is_empty().then_some(seconds)
}

/// The stamp at the start of `text` and what follows it. A stamp ends at a blank, a mark that parts fields, or the end
/// of the text.
pub fn read(text: &str) -> Option<(Stamp, &str)> {
    let mut cursor = Cursor(text);
    let stamp = match text.as_bytes().first()? {
        b'0'..=b'9' => cursor.digits_first()?,
        b'A'..=b'Z' => cursor.month_first()?,
        _ => return None,
    };
    let ends = cursor.0.is_empty() || cursor.0.starts_with([' ', ':', '\t', ',', '|', ';']);
    (ends && stamp.is_sane()).then_some((stamp, cursor.0))
}

/// `NetScaler`: `mm/dd/yyyy:hh:mm:ss GMT` or, by a setting of the device, `dd/mm/yyyy`, or `yyyy/mm/dd`. Where both readings
/// are days the factory's month first is taken.
pub fn read_netscaler(text: &str) -> Option<(Stamp, &str)> {
    let mut cursor = Cursor(text);
    let first = cursor.number(2, 4)?;
    cursor.eat(b"/")?;
    let second = cursor.number(2, 2)?;
    cursor.eat(b"/")?;
    let third = cursor.number(2, 4)?;
    cursor.eat(b":")?;
    let (year, month, day) = match (first, second) {
        (1970.., _) => (first, second, third),
        (13.., _) => (third, second, first),
        _ => (third, first, second),
    };
    let clock = cursor.clock()?;
    let offset = cursor.offset_behind_blank();
    let stamp = stamp(Some(i32::try_from(year).ok()?), month, day, &clock, offset);
    ((cursor.0.is_empty() || cursor.0.starts_with(' ')) && stamp.is_sane()).then_some((stamp, cursor.0))
}

impl Stamp {
    fn is_sane(&self) -> bool {
        (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60
            && self.year.is_none_or(|year| (1970..2200).contains(&year))
    }
}

/// Reads from the front of a text; every step takes ASCII only, so what is left always starts at a character.
struct Cursor<'a>(&'a str);

/// `hh:mm:ss` and its fraction.
struct ClockTime {
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
}

impl Cursor<'_> {
    fn skip(&mut self, bytes: usize) {
        self.0 = self.0.get(bytes..).unwrap_or("");
    }

    fn peek(&self) -> Option<u8> {
        self.0.as_bytes().first().copied()
    }

    fn eat(&mut self, wanted: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|byte| wanted.contains(byte))?;
        self.skip(1);
        Some(byte)
    }

    fn blanks(&mut self) -> Option<()> {
        self.eat(b" ")?;
        while self.eat(b" ").is_some() {}
        Some(())
    }

    /// A number of `least` to `most` digits that is not followed by a further digit.
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self.0.bytes().take(most + 1).take_while(u8::is_ascii_digit).count();
        if digits < least || digits > most {
            return None;
        }
        let value = self.0.get(..digits)?.parse().ok()?;
        self.skip(digits);
        Some(value)
    }

    fn year(&mut self) -> Option<i32> {
        self.number(4, 4).and_then(|year| i32::try_from(year).ok())
    }

    fn month_name(&mut self) -> Option<u32> {
        const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let name = self.0.get(..3)?;
        let month = (1..).zip(NAMES).find_map(|(number, candidate)| (candidate == name).then_some(number))?;
        self.skip(3);
        Some(month)
    }

    fn clock(&mut self) -> Option<ClockTime> {
        let hour = self.number(1, 2)?;
        self.eat(b":")?;
        let minute = self.number(2, 2)?;
        self.eat(b":")?;
        let second = self.number(2, 2)?;
        Some(ClockTime { hour, minute, second, nanos: self.fraction() })
    }

    fn fraction(&mut self) -> u32 {
        let [mark @ (b'.' | b','), b'0'..=b'9', ..] = self.0.as_bytes() else { return 0 };
        let length = self.0.bytes().skip(1).take_while(u8::is_ascii_digit).count();
        // In a CSV row the next column may be a number: PAN-OS puts the serial there. A comma's fraction is short, and
        // where a further column follows it is log4j's three digits.
        let is_followed = self.0.as_bytes().get(length + 1) == Some(&b',');
        let is_column = *mark == b',' && (length > COMMA_FRACTION_MAX || (is_followed && length != 3));
        if is_column {
            return 0;
        }
        self.skip(1);
        let nanos = self.0.get(..length).and_then(fraction_nanos).unwrap_or(0);
        self.skip(length);
        u32::try_from(nanos).unwrap_or(0)
    }

    fn offset(&mut self) -> Option<i32> {
        if self.eat(b"Zz").is_some() {
            return Some(0);
        }
        let sign = if self.eat(b"+-")? == b'-' { -1 } else { 1 };
        let is_glued = self.0.bytes().take_while(u8::is_ascii_digit).count() == 4;
        let (hours, minutes) = if is_glued {
            let both = i32::try_from(self.number(4, 4)?).ok()?;
            (both / 100, both % 100)
        } else {
            let hours = i32::try_from(self.number(1, 2)?).ok()?;
            // `UTC+1: text`: a colon without two digits behind it is none of the offset's.
            let has_minutes = matches!(self.0.as_bytes(), [b':', b'0'..=b'9', b'0'..=b'9', ..]);
            let minutes =
                if has_minutes && self.eat(b":").is_some() { i32::try_from(self.number(2, 2)?).ok()? } else { 0 };
            (hours, minutes)
        };
        (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }

    /// An offset that may stand behind one blank: `17:55:39 +09:00`.
    fn offset_behind_blank(&mut self) -> Option<i32> {
        let before = self.0;
        if self.peek() == Some(b' ') {
            self.skip(1);
        }
        if matches!(self.0.as_bytes(), [b'+' | b'-', b'0'..=b'9', b'0'..=b'9', ..])
            && let Some(seconds) = self.offset()
        {
            return Some(seconds);
        }
        self.0 = before;
        match self.zone_word()? {
            // `GMT+09:00`, `UTC+9`: Java's form, and Cisco's.
            Zone::East(0) if matches!(self.0.as_bytes(), [b'+' | b'-', b'0'..=b'9', ..]) => self.offset(),
            Zone::East(minutes) => Some(minutes * 60),
            Zone::Ambiguous => None,
        }
    }

    /// A zone abbreviation, blank before it. The ambiguous ones (CST, IST, BST, AST, ET) are taken off the text and mean
    /// the zone of the source: a guess would be silently wrong by hours.
    fn zone_word(&mut self) -> Option<Zone> {
        let word_and_rest = self.0.strip_prefix(' ')?;
        let length = word_and_rest.bytes().take_while(u8::is_ascii_uppercase).count();
        if length == 0 {
            return self.small_zone_word();
        }
        let zone = zone_of(word_and_rest.get(..length)?)?;
        let rest = word_and_rest.get(length..)?;
        let is_whole = rest.is_empty() || rest.starts_with([' ', ':', ',']);
        let has_offset = matches!(rest.as_bytes(), [b'+' | b'-', b'0'..=b'9', ..]);
        if !is_whole && !has_offset {
            return None;
        }
        self.0 = rest;
        Some(zone)
    }

    /// ` jst:` as an administrator of IOS has called the zone; without the colon any short word would be one.
    fn small_zone_word(&mut self) -> Option<Zone> {
        let (word, _) = self.0.strip_prefix(' ')?.split_once(':').filter(|(word, _)| (3..=4).contains(&word.len()))?;
        let is_small = word.bytes().all(|byte| byte.is_ascii_lowercase());
        let zone = is_small.then(|| zone_of(&word.to_ascii_uppercase())).flatten()?;
        self.0 = self.0.get(word.len() + 1..)?;
        Some(zone)
    }

    fn digits_first(&mut self) -> Option<Stamp> {
        if let Some(day) = self.number(1, 2) {
            return self.day_first(day);
        }
        let year = self.year()?;
        match self.eat(b"-/: ")? {
            b':' => self.colon_date(year),
            b' ' => self.year_first(year),
            separator => self.iso(year, separator),
        }
    }

    /// Web servers: `03/Mar/2026:09:00:00 +0900`; BIND: `03-Mar-2026 09:00:00.123`; RFC 2822: `03 Mar 2026 09:00:00 +0900`.
    fn day_first(&mut self, day: u32) -> Option<Stamp> {
        let separator = self.eat(b"/- ")?;
        let month = self.month_name()?;
        self.eat(&[separator])?;
        let year = self.year()?;
        self.eat(b": ")?;
        let clock = self.clock()?;
        let offset = self.offset_behind_blank();
        Some(stamp(Some(year), month, day, &clock, offset))
    }

    fn iso(&mut self, year: i32, separator: u8) -> Option<Stamp> {
        let month = self.number(1, 2)?;
        self.eat(&[separator])?;
        let day = self.number(1, 2)?;
        self.eat(b"Tt ")?;
        let clock = self.clock()?;
        let offset = if matches!(self.peek(), Some(b'Z' | b'z' | b'+' | b'-')) {
            Some(self.offset()?)
        } else {
            self.offset_behind_blank()
        };
        Some(stamp(Some(year), month, day, &clock, offset))
    }

    /// Sophos UTM: `2016:01:29-06:09:59`.
    fn colon_date(&mut self, year: i32) -> Option<Stamp> {
        let month = self.number(2, 2)?;
        self.eat(b":")?;
        let day = self.number(2, 2)?;
        self.eat(b"-")?;
        let clock = self.clock()?;
        Some(stamp(Some(year), month, day, &clock, None))
    }

    /// NX-OS: `2026 Nov 20 17:55:41 PDT`.
    fn year_first(&mut self, year: i32) -> Option<Stamp> {
        while self.eat(b" ").is_some() {}
        let month = self.month_name()?;
        self.blanks()?;
        let day = self.number(1, 2)?;
        self.blanks()?;
        let clock = self.clock()?;
        let offset = self.offset_behind_blank();
        Some(stamp(Some(year), month, day, &clock, offset))
    }

    fn month_first(&mut self) -> Option<Stamp> {
        if self.weekday() && self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            let day = self.number(1, 2)?;
            return self.day_first(day);
        }
        let month = self.month_name()?;
        self.blanks()?;
        let day = self.number(1, 2)?;
        self.blanks()?;
        let mut year = None;
        if self.0.as_bytes().get(2) != Some(&b':') && self.0.as_bytes().get(1) != Some(&b':') {
            year = Some(self.year()?);
            self.blanks()?;
        }
        let clock = self.clock()?;
        let offset = self.offset_behind_blank();
        let year = year.or_else(|| self.year_behind());
        let offset = offset.or_else(|| self.offset_behind_blank());
        Some(stamp(year, month, day, &clock, offset))
    }

    /// `Tue ` before a month, `Tue, ` before a day.
    fn weekday(&mut self) -> bool {
        const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        if !self.0.get(..3).is_some_and(|start| DAYS.contains(&start)) {
            return false;
        }
        match self.0.as_bytes().get(3..5) {
            Some([b' ', _]) => self.skip(4),
            Some([b',', b' ']) => self.skip(5),
            _ => return false,
        }
        true
    }

    /// Aruba and HP Comware put the year behind the time.
    fn year_behind(&mut self) -> Option<i32> {
        let before = self.0;
        let year = self.eat(b" ").and_then(|_| self.year()).filter(|year| (1990..2100).contains(year));
        // A colon ends a Cisco time only before a blank; `2001:db8::7` is a host.
        if year.is_some() && (self.0.is_empty() || self.0.starts_with(' ') || self.0.starts_with(": ")) {
            return year;
        }
        self.0 = before;
        None
    }
}

fn stamp(year: Option<i32>, month: u32, day: u32, clock: &ClockTime, offset: Option<i32>) -> Stamp {
    let ClockTime { hour, minute, second, nanos } = *clock;
    Stamp { year, month, day, hour, minute, second, nanos, offset }
}

/// What a zone abbreviation says.
#[derive(Clone, Copy)]
enum Zone {
    /// Minutes east of Greenwich.
    East(i32),
    /// More than one country uses it, or it does not tell summer time.
    Ambiguous,
}

fn zone_of(word: &str) -> Option<Zone> {
    Some(match word {
        "UTC" | "GMT" | "WET" => Zone::East(0),
        "JST" | "KST" => Zone::East(540),
        "CET" | "MEZ" | "WEST" => Zone::East(60),
        "CEST" | "EET" | "MESZ" | "SAST" => Zone::East(120),
        "EEST" | "MSK" => Zone::East(180),
        "PKT" => Zone::East(300),
        "WIB" => Zone::East(420),
        "HKT" | "SGT" | "AWST" | "PHT" | "MYT" => Zone::East(480),
        "ACST" => Zone::East(570),
        "AEST" | "CHST" => Zone::East(600),
        "ACDT" => Zone::East(630),
        "AEDT" => Zone::East(660),
        "NZST" => Zone::East(720),
        "NZDT" => Zone::East(780),
        "NDT" => Zone::East(-150),
        "NST" => Zone::East(-210),
        "ADT" | "BRT" => Zone::East(-180),
        "EDT" => Zone::East(-240),
        "EST" | "CDT" => Zone::East(-300),
        "MDT" => Zone::East(-360),
        "MST" | "PDT" => Zone::East(-420),
        "PST" | "AKDT" => Zone::East(-480),
        "AKST" => Zone::East(-540),
        "HST" => Zone::East(-600),
        "CST" | "IST" | "BST" | "AST" | "DST" | "ET" | "CT" | "MT" | "PT" => Zone::Ambiguous,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use monban_event::time::rfc3339;

    fn received(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn check(text: &str, expected: &str, rule: TimeRule, rest: &str) {
        let (stamp, left) = read(text).unwrap_or_else(|| panic!("no stamp in {text:?}"));
        let instant = stamp.resolve(Tz::Asia__Tokyo, received("2026-03-03T00:00:00Z")).expect("a day that exists");
        assert_eq!((rfc3339(instant.time).as_str(), instant.rule, left), (expected, rule, rest), "{text}");
    }

    #[test]
    fn iso_forms() {
        check("2026-03-03T09:00:00+09:00 h", "2026-03-03T00:00:00.000000Z", TimeRule::Offset, " h");
        check("2026-03-03T00:00:00.123456789Z h", "2026-03-03T00:00:00.123456Z", TimeRule::Offset, " h");
        check("2026-03-03 09:00:00,5+0900", "2026-03-03T00:00:00.500000Z", TimeRule::Offset, "");
        check("2026-03-03T09:00:00 h", "2026-03-03T00:00:00.000000Z", TimeRule::Local, " h");
        check("2026/03/03 09:00:00: x", "2026-03-03T00:00:00.000000Z", TimeRule::Local, ": x");
        check("2016:01:29-06:09:59 h", "2016-01-28T21:09:59.000000Z", TimeRule::Local, " h");
        check("1980/01/01 09:00:01: x", "1980-01-01T00:00:01.000000Z", TimeRule::Local, ": x");
    }

    #[test]
    fn bsd_forms() {
        check("Mar  3 09:00:00 h", "2026-03-03T00:00:00.000000Z", TimeRule::YearAssumed, " h");
        check("Mar 03 2026 09:00:00 h", "2026-03-03T00:00:00.000000Z", TimeRule::Local, " h");
        check("Mar  3 09:00:00 2026 h", "2026-03-03T00:00:00.000000Z", TimeRule::Local, " h");
        check("Mar  3 09:00:00.250 JST: x", "2026-03-03T00:00:00.250000Z", TimeRule::YearAssumed, ": x");
        check("Mar  3 2026 00:00:00 UTC: x", "2026-03-03T00:00:00.000000Z", TimeRule::Offset, ": x");
        check("Tue Mar  3 09:00:00 2026 us", "2026-03-03T00:00:00.000000Z", TimeRule::Local, " us");
        check("2026 Mar  3 09:00:00 JST: x", "2026-03-03T00:00:00.000000Z", TimeRule::Offset, ": x");
        // Two countries call theirs CST: the zone of the source decides, and the word is not a host.
        check("Mar  3 2026 09:00:00 CST: x", "2026-03-03T00:00:00.000000Z", TimeRule::Local, ": x");
    }

    #[test]
    fn day_first_forms() {
        for text in [
            "03/Mar/2026:09:00:00 +0900",
            "03-Mar-2026 00:00:00.000 UTC",
            "3 Mar 2026 09:00:00 JST",
            "Tue, 03 Mar 2026 09:00:00 +0900",
            "Mar 03 2026 09:00:00 GMT+09:00",
        ] {
            check(text, "2026-03-03T00:00:00.000000Z", TimeRule::Offset, "");
        }
        for text in ["03/04/2026 09:00:00", "3 items 2026", "03/Mar/26:09:00:00"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_column_behind_a_comma_is_not_a_fraction() {
        check(
            "2026/03/03 09:00:00,016301005120,SYSTEM",
            "2026-03-03T00:00:00.000000Z",
            TimeRule::Local,
            ",016301005120,SYSTEM",
        );
        check("2026/03/03 09:00:00,1234,SYSTEM", "2026-03-03T00:00:00.000000Z", TimeRule::Local, ",1234,SYSTEM");
        check("2026-03-03 09:00:00,239, host1", "2026-03-03T00:00:00.239000Z", TimeRule::Local, ", host1");
        check("2026-03-03 09:00:00,239 host1", "2026-03-03T00:00:00.239000Z", TimeRule::Local, " host1");
    }

    #[test]
    fn netscaler_dates_in_either_order() {
        for text in ["20/11/2026:17:56:17 GMT h", "11/20/2026:17:56:17 GMT h", "2026/11/20:17:56:17 GMT h"] {
            let (stamp, rest) = read_netscaler(text).expect("a stamp");
            assert_eq!((stamp.month, stamp.day, stamp.offset, rest), (11, 20, Some(0), " h"), "{text}");
        }
        assert_eq!(read_netscaler("20/20/2026:17:56:17 GMT h"), None);
    }

    #[test]
    fn the_year_is_the_latest_that_is_not_ahead() {
        let resolve = |text: &str, at: &str| {
            let (stamp, _) = read(text).expect("a stamp");
            rfc3339(stamp.resolve(Tz::Asia__Tokyo, received(at)).expect("a day").time)
        };
        assert_eq!(resolve("Dec 31 23:59:58", "2026-12-31T15:00:05Z"), "2026-12-31T14:59:58.000000Z");
        assert_eq!(resolve("Dec 31 23:59:58", "2027-01-03T00:00:00Z"), "2026-12-31T14:59:58.000000Z");
        assert_eq!(resolve("Jan  1 00:00:01", "2026-12-31T14:59:59Z"), "2026-12-31T15:00:01.000000Z");
        assert_eq!(resolve("Feb 29 12:00:00", "2026-03-03T00:00:00Z"), "2024-02-29T03:00:00.000000Z");
    }

    #[test]
    fn a_leap_second_is_the_next_second() {
        check("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z", TimeRule::Offset, "");
    }

    #[test]
    fn what_is_not_a_stamp() {
        for text in
            ["", "Mar", "Mar 3", "Marvin 3 09:00:00", "2026-13-03T00:00:00Z", "2026-03-03", "Feb 30 25:00:00", "１２"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        let (stamp, _) = read("Feb 30 05:00:00").expect("reads");
        assert_eq!(stamp.resolve(Tz::Asia__Tokyo, received("2026-03-03T00:00:00Z")), None);
    }

    #[test]
    fn epochs_by_their_length() {
        for text in ["1772496000", "1772496000.0", "1772496000000", "1772496000000000", "1772496000000000000"] {
            assert_eq!(
                epoch(text).map(|instant| rfc3339(instant.time)).as_deref(),
                Some("2026-03-03T00:00:00.000000Z")
            );
        }
        assert_eq!(epoch("1772496000.059").map(|instant| instant.time.timestamp_subsec_millis()), Some(59));
        for text in ["", "0", "99", "-1772496000", "17724960001", "9999999999999999999", "1772496000.x"] {
            assert_eq!(epoch(text), None, "{text}");
        }
    }
}
