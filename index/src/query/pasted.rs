//! Lines of logs pasted into the search box. Much of such a line is in no index (its stamp, its numbers, the values of
//! a long list of fields), and read as a query it is full of fields that nobody knows. Whoever pastes one wants that
//! record: it is looked for in the records' own text.

use monban_event::account;
use monban_event::query::{Query, QueryField, Test};

use super::fields;
use super::parser::LENGTH_MAX;

/// From this many `key=value` on, with one key that is no field of ours, a text is a device's and not a person's.
const PAIRS_MIN: usize = 4;

/// A stamp with fewer words behind it was typed: `2026-11-20 08:30 tanaka`.
const WORDS_MIN: usize = 3;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What a pasted line asks for; `None` for everything else.
pub(crate) fn line(text: &str) -> Option<Query> {
    let text = text.trim();
    if text.chars().count() > LENGTH_MAX || !is_line(text) {
        return None;
    }
    Some(Query::Field(QueryField::Raw, Test::Contains(account::fold(text))))
}

fn is_line(text: &str) -> bool {
    behind_priority(text).is_some_and(|rest| !rest.is_empty())
        || text.starts_with("{\"")
        || is_stamped(text)
        || is_message(text)
        || is_pairs(text)
}

/// What follows `<189>`.
fn behind_priority(text: &str) -> Option<&str> {
    let (number, rest) = text.strip_prefix('<')?.split_once('>')?;
    ((1..=3).contains(&number.len()) && number.chars().all(|char| char.is_ascii_digit())).then_some(rest)
}

/// A syslog or ISO stamp and a message.
fn is_stamped(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_long = |stamp: usize| words.len() >= stamp + WORDS_MIN;
    match words.as_slice() {
        [month, day, time, ..] if MONTHS.contains(month) => {
            day.len() <= 2 && day.chars().all(|char| char.is_ascii_digit()) && is_clock(time) && is_long(3)
        }
        [first, second, ..] => {
            let joined =
                first.split_once('T').is_some_and(|(date, time)| is_date(date) && is_clock(time) && is_long(1));
            joined || (is_date(first) && is_clock(second) && is_long(2))
        }
        _ => false,
    }
}

fn is_date(word: &str) -> bool {
    let parts: Vec<&str> = word.split(['-', '/']).collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let is_number = |part: &str, longest: usize| {
        (1..=longest).contains(&part.len()) && part.chars().all(|char| char.is_ascii_digit())
    };
    year.len() == 4 && is_number(year, 4) && is_number(month, 2) && is_number(day, 2)
}

/// `03:14:07`, with whatever follows the seconds.
fn is_clock(word: &str) -> bool {
    let mut parts = word.splitn(3, ':');
    let is_pair = |part: Option<&str>| {
        part.is_some_and(|part| part.chars().count() == 2 && part.chars().all(|char| char.is_ascii_digit()))
    };
    is_pair(parts.next())
        && is_pair(parts.next())
        && parts.next().is_some_and(|seconds| seconds.starts_with(|char: char| char.is_ascii_digit()))
}

/// `%ASA-6-113039: Group <g> User <u> …`
fn is_message(text: &str) -> bool {
    let Some((mark, rest)) = text.split_once(": ") else { return false };
    mark.starts_with('%') && !mark.contains(char::is_whitespace) && rest.split_whitespace().count() >= WORDS_MIN
}

fn is_pairs(text: &str) -> bool {
    let keys: Vec<&str> = text.split_whitespace().filter_map(|word| word.split_once('=')).map(|(key, _)| key).collect();
    let is_key =
        |key: &&str| !key.is_empty() && key.chars().all(|char| char.is_ascii_alphanumeric() || "_-.".contains(char));
    keys.len() >= PAIRS_MIN
        && keys.iter().all(is_key)
        && keys.iter().any(|key| fields::resolve(&account::fold(key), key).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_devices_are_told_from_what_people_type() {
        for text in [
            "<189>date=2026-11-20 time=01:48:12 devname=\"FW\"",
            "Nov 20 03:14:07 fw1 sshd[123]: Failed password for root",
            "2026-11-20T03:14:07.123+09:00 fw1 sshd 811 - - Failed password",
            "2026/11/20 03:14:07 192.0.2.1 [IKE] error",
            "%ASA-6-113039: Group <g> User <tanaka> IP <203.0.113.9> AnyConnect parent session started.",
            "date=2026-11-20 time=01:48:12 devname=\"FW-HONKAN\" devid=\"FGT60F\" logid=\"0101039424\"",
            "{\"EventID\": 4625}",
        ] {
            assert!(line(text).is_some(), "{text}");
        }
        for text in [
            "user=tanaka action=login outcome=failure src=10.1.2.3",
            "2026-11-20 08:30 tanaka",
            "%ASA-6-113039",
            "<script>alert(1)</script>",
            "Nov 20",
            "user not found",
            "{a}",
            "",
        ] {
            assert!(line(text).is_none(), "{text}");
        }
    }
}
