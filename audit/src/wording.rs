//! How numbers and times are written for people in Japan: thousands, 和暦, JST stamps with the weekday. Pages and
//! reports both write through here, so that one instant never looks two ways.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike, Utc};
use monban_event::time::{JST, Month};

const WEEKDAYS: [&str; 7] = ["月", "火", "水", "木", "金", "土", "日"];

/// `3,182,440`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `2026/11/20(金) 02:14:07`.
pub fn stamp(time: DateTime<Utc>) -> String {
    let local = time.with_timezone(&JST);
    format!("{}/{:02}/{:02}({}) {}", local.year(), local.month(), local.day(), weekday(time), local.format("%H:%M:%S"))
}

/// `11/20(金) 02:14:07`: in lists whose year is plain.
pub fn short_stamp(time: DateTime<Utc>) -> String {
    let local = time.with_timezone(&JST);
    format!("{}/{:02}({}) {}", local.month(), local.day(), weekday(time), local.format("%H:%M:%S"))
}

/// `11/20 02:14`.
pub fn minute_stamp(time: DateTime<Utc>) -> String {
    let local = time.with_timezone(&JST);
    format!("{}/{:02} {}", local.month(), local.day(), local.format("%H:%M"))
}

/// `2026/11/20`, or `2026/11/20 08:41` within the day: where the year may be another.
pub fn day_stamp(time: DateTime<Utc>) -> String {
    let local = time.with_timezone(&JST);
    let is_midnight = local.time() == chrono::NaiveTime::MIN;
    local.format(if is_midnight { "%Y/%m/%d" } else { "%Y/%m/%d %H:%M" }).to_string()
}

/// The end of a period: what ends with a day names that day, not the midnight after it.
pub fn until_stamp(time: DateTime<Utc>) -> String {
    let is_midnight = time.with_timezone(&JST).time() == chrono::NaiveTime::MIN;
    day_stamp(if is_midnight { time - TimeDelta::days(1) } else { time })
}

/// `2026/11/20 08:41 〜 2026/12/10`.
pub fn span(from: DateTime<Utc>, until: DateTime<Utc>) -> String {
    format!("{} 〜 {}", day_stamp(from), until_stamp(until))
}

/// `20 日` until something ends, or its length where that is less than one.
pub fn left(duration: TimeDelta) -> String {
    if duration < TimeDelta::days(1) { length(duration) } else { format!("{} 日", duration.num_days()) }
}

/// For `<time datetime>`: JST with its offset.
pub fn iso(time: DateTime<Utc>) -> String {
    time.with_timezone(&JST).to_rfc3339_opts(chrono::SecondsFormat::Secs, false)
}

/// `金`.
pub fn weekday(time: DateTime<Utc>) -> &'static str {
    let index = time.with_timezone(&JST).weekday().num_days_from_monday();
    WEEKDAYS.get(index as usize).copied().unwrap_or("")
}

/// `令和8年`; the western year before 平成.
pub fn era_year(date: NaiveDate) -> String {
    let reiwa = NaiveDate::from_ymd_opt(2019, 5, 1).unwrap_or_default();
    let heisei = NaiveDate::from_ymd_opt(1989, 1, 8).unwrap_or_default();
    let named = |era: &str, first: i32| match date.year() - first + 1 {
        1 => format!("{era}元年"),
        year => format!("{era}{year}年"),
    };
    if date >= reiwa {
        named("令和", 2019)
    } else if date >= heisei {
        named("平成", 1989)
    } else {
        format!("{}年", date.year())
    }
}

/// `令和8年11月2日`.
pub fn era_date(time: DateTime<Utc>) -> String {
    let date = time.with_timezone(&JST).date_naive();
    format!("{}{}月{}日", era_year(date), date.month(), date.day())
}

/// `令和8年11月2日 09:00`.
pub fn era_stamp(time: DateTime<Utc>) -> String {
    let local = time.with_timezone(&JST);
    format!("{} {:02}:{:02}", era_date(time), local.hour(), local.minute())
}

/// `令和8年10月`.
pub fn era_month(month: Month) -> String {
    let first = month.start().with_timezone(&JST).date_naive();
    format!("{}{}月", era_year(first), month.month())
}

/// `令和8年10月1日 00:00 〜 10月31日 24:00`.
pub fn era_period(month: Month) -> String {
    format!("{}1日 00:00 〜 {}月{}日 24:00", era_month(month), month.month(), month.days())
}

/// `388 時間 12 分`, `17 分`, `40 秒`.
pub fn length(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds().max(0);
    let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} 秒"),
        (0, minutes) => format!("{minutes} 分"),
        (hours, 0) => format!("{} 時間", count(hours.unsigned_abs())),
        (hours, minutes) => format!("{} 時間 {minutes} 分", count(hours.unsigned_abs())),
    }
}

/// `2.1 GB`; powers of ten, as devices and contracts count.
pub fn bytes(number: u64) -> String {
    const STEPS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match STEPS.into_iter().find(|&(size, _)| number >= size) {
        Some((size, unit)) => format!("{}.{} {unit}", count(number / size), number % size * 10 / size),
        None => format!("{number} バイト"),
    }
}

/// What the roster calls the class of an account.
pub fn account_class(class: &str) -> &str {
    match class {
        "staff" => "職員",
        "doctor" => "医師",
        "visiting_doctor" => "派遣医師",
        "duty_shared" => "当直共用",
        "kiosk" => "共用端末",
        "admin" => "管理者",
        "vendor" => "保守事業者",
        "service" => "サービス",
        "emergency" => "緊急用",
        "system" => "システム",
        "unknown" => "未登録",
        "" => "区分なし",
        other => other,
    }
}

/// What a kind of login is called.
pub fn login_kind(kind: &str) -> &str {
    match kind {
        "windows" => "Windows",
        "vpn" => "VPN",
        "device" => "装置の管理画面",
        "host" => "サーバ（Linux など）",
        "" => "種別なし",
        other => other,
    }
}

/// What a Windows logon type is called.
pub fn logon_type(number: &str) -> &'static str {
    match number {
        "2" => "対話",
        "3" => "ネットワーク",
        "4" => "バッチ",
        "5" => "サービス",
        "7" => "ロック解除",
        "8" => "平文ネットワーク",
        "9" => "別の資格情報",
        "10" => "リモートデスクトップ",
        "11" => "キャッシュ",
        _ => "その他",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn numbers_have_separators() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (3_182_440, "3,182,440")] {
            assert_eq!(count(number), text);
        }
        assert_eq!(bytes(999), "999 バイト");
        assert_eq!(bytes(2_150_000_000), "2.1 GB");
    }

    #[test]
    fn stamps_are_japanese_time_with_the_weekday() {
        let time = at("2026-11-19T17:14:07Z");
        assert_eq!(stamp(time), "2026/11/20(金) 02:14:07");
        assert_eq!(iso(time), "2026-11-20T02:14:07+09:00");
        assert_eq!(minute_stamp(time), "11/20 02:14");
    }

    #[test]
    fn eras_begin_on_their_days() {
        for (text, era) in [
            ("2026-10-01T00:00:00+09:00", "令和8年10月1日"),
            ("2019-05-01T00:00:00+09:00", "令和元年5月1日"),
            ("2019-04-30T23:59:59+09:00", "平成31年4月30日"),
        ] {
            assert_eq!(era_date(at(text)), era);
        }
        let october = Month::parse("2026-10").expect("a month");
        assert_eq!(era_period(october), "令和8年10月1日 00:00 〜 10月31日 24:00");
    }

    #[test]
    fn lengths_leave_out_what_is_zero() {
        for (seconds, text) in [(40, "40 秒"), (1020, "17 分"), (7200, "2 時間"), (3_600_060, "1,000 時間 1 分")]
        {
            assert_eq!(length(TimeDelta::seconds(seconds)), text);
        }
    }
}
