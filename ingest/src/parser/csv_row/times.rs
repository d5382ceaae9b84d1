//! Times as exports write them, beside those that devices write ([`crate::stamp`]): with Japanese words, with morning and
//! afternoon, without seconds, with the year at the end.

use monban_event::account;

use super::super::draft::PayloadTime;
use crate::stamp::{self, Stamp};

/// A time in the forms of exports; what is none of them is no time.
pub(super) fn time_of(text: &str) -> Option<PayloadTime> {
    let text = account::fold(text.trim());
    if let Some(instant) = stamp::epoch(&text) {
        return Some(PayloadTime::Instant(instant));
    }
    let text = text.replace(['年', '月'], "/").replace('日', " ").replace(['時', '分'], ":").replace('秒', "");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    stamp_of(&text.to_ascii_uppercase()).map(PayloadTime::Stamp)
}

fn stamp_of(text: &str) -> Option<Stamp> {
    let (text, half_day) = without_half_day(text);
    let with_seconds = format!("{text}:00");
    let stamp = [text.as_str(), &with_seconds]
        .into_iter()
        .find_map(|text| stamp::read(text).map(|(stamp, _)| stamp).or_else(|| year_last(text)))?;
    Some(match half_day {
        Some(is_afternoon) => Stamp { hour: stamp.hour % 12 + if is_afternoon { 12 } else { 0 }, ..stamp },
        None => stamp,
    })
}

/// Takes `AM`, `PM`, 午前 and 午後 off.
fn without_half_day(text: &str) -> (String, Option<bool>) {
    for (word, is_afternoon) in [("午前", false), ("午後", true), (" AM", false), (" PM", true)] {
        if text.contains(word) {
            let rest = text.replacen(word, if word.starts_with(' ') { "" } else { " " }, 1);
            return (rest.split_whitespace().collect::<Vec<_>>().join(" "), Some(is_afternoon));
        }
    }
    (text.to_owned(), None)
}

/// `10/25/2026 12:00:00` of an English Windows; where the first number cannot be a month it is the day.
fn year_last(text: &str) -> Option<Stamp> {
    let (date, clock) = text.split_once(' ')?;
    let parts: Vec<&str> = date.split('/').collect();
    let [first, second, year] = parts[..] else { return None };
    let (month, day) = if first.parse::<u32>().ok()? > 12 { (second, first) } else { (first, second) };
    stamp::read(&format!("{year}/{month}/{day} {clock}")).map(|(stamp, _)| stamp)
}
