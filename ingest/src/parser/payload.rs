//! The time inside a body that no parser understands, for lines whose frame tells none. Owns a short list of places
//! where devices put the time of the event (a known key, the second CSV column, brackets near the start) and nothing else; any other date in a body may be a certificate's end or a
//! password's age, and is left alone.

use super::draft::PayloadTime;
use crate::stamp;

/// How far into a body the time is looked for, in bytes: it stands among the first fields wherever it was seen.
const SEARCH_BYTES_MAX: usize = 2048;

/// How far into a body a bracketed stamp is looked for: web servers and vCenter put it behind an address, a user or
/// numbers.
const BRACKETS_BYTES_MAX: usize = 160;

/// Keys of JSON objects and of `key=value` texts that mean the time of the event. `Event time` and `Begin` stand before
/// a colon (Symantec).
const KEYS: [&str; 12] = [
    "@timestamp",
    "timestamp",
    "eventtime",
    "EventTime",
    "event_time",
    "devTime",
    "time",
    "rt",
    "LogTime",
    "TimeGenerated",
    "Event time",
    "Begin",
];

/// The event's own time, or `None` where nothing says it clearly.
pub(super) fn time(body: &str) -> Option<PayloadTime> {
    let body = body.get(..body.floor_char_boundary(SEARCH_BYTES_MAX)).unwrap_or(body);
    csv(body)
        .or_else(|| bracketed(body))
        .or_else(|| bracketed_later(body))
        .or_else(|| KEYS.iter().find_map(|key| keyed(body, key)))
}

/// PAN-OS: `1,2026/03/03 09:00:00,serial,…`.
fn csv(body: &str) -> Option<PayloadTime> {
    let (number, rest) = body.trim_start_matches([':', ' ']).split_once(',')?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (stamp, rest) = stamp::read(rest)?;
    rest.starts_with(',').then_some(PayloadTime::Stamp(stamp))
}

/// A stamp in brackets or quotes at the very start.
fn bracketed(body: &str) -> Option<PayloadTime> {
    let inner = body.strip_prefix(['[', '"', '('])?;
    let (text, _) = inner.split_once([']', '"', ')'])?;
    value(text)
}

/// A stamp in brackets further on, if it names its offset: `192.0.2.1 - - [03/Mar/2026:09:00:00 +0900] "GET …`.
fn bracketed_later(body: &str) -> Option<PayloadTime> {
    let start = body.get(..body.floor_char_boundary(BRACKETS_BYTES_MAX))?;
    start.match_indices(" [").find_map(|(at, mark)| {
        let (text, _) = body.get(at + mark.len()..)?.split_once(']')?;
        let (stamp, rest) = stamp::read(text)?;
        (rest.is_empty() && stamp.offset.is_some()).then_some(PayloadTime::Stamp(stamp))
    })
}

/// `key=value`, `key="value"`, `key: value`, `"key":"value"`, `"key": 123`; the key stands alone.
fn keyed(body: &str, key: &str) -> Option<PayloadTime> {
    body.match_indices(key).find_map(|(at, _)| {
        let before = body.get(..at)?.chars().next_back();
        let stands_alone = before.is_none_or(|before| matches!(before, ' ' | '"' | '|' | ';' | ',' | '\t' | '{' | '^'));
        let rest = body.get(at + key.len()..)?;
        let text = rest.strip_prefix('=').or_else(|| rest.strip_prefix("\":")).or_else(|| rest.strip_prefix(": "))?;
        let text = text.trim_start();
        let text = text.strip_prefix('"').unwrap_or(text);
        let end = text.find(['"', '|', ';', '\t', '}', '^']).unwrap_or(text.len());
        stands_alone.then(|| value(text.get(..end)?)).flatten()
    })
}

fn value(text: &str) -> Option<PayloadTime> {
    let number = text.split([' ', ',']).next().unwrap_or(text);
    match stamp::epoch(number) {
        Some(instant) => Some(PayloadTime::Instant(instant)),
        None => stamp::read(text).map(|(stamp, _)| PayloadTime::Stamp(stamp)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_where_devices_put_them() {
        for body in [
            "1,2026/03/03 09:00:00,0123,SYSTEM,auth",
            "time=1772496000|hostname=fw|product=x",
            r#"{"id": 1, "timestamp":"1772496000", "x": 2}"#,
            r#"{"EventTime":"2026-03-03 09:00:00","EventID":4625}"#,
            "[2026-03-03 09:00:00] text",
            r#"192.0.2.1 - yamada [03/Mar/2026:09:00:00 +0900] "GET / HTTP/1.1" 200"#,
            "Event [7] [1-1] [2026-03-03T00:00:00.5Z] [vim.event.X] [info]",
            "pc1,Category: 2,LiveUpdate,Event time: 2026-03-03 09:00:00,Group Name: x",
            ": 1,2026/03/03 09:00:00,0123,SYSTEM,auth",
            "LEEF:1.0|V|P|1|2|src=192.0.2.1\tdevTime=Mar 03 2026 09:00:00 JST\tx=y",
        ] {
            assert!(time(body).is_some(), "{body}");
        }
    }

    #[test]
    fn other_dates_are_not_the_events() {
        for body in [
            "",
            "expires=2026-03-03 09:00:00",
            "uptime=1772496000",
            "x 2026-03-03 09:00:00",
            "time=09:00:00",
            "1,a,b",
            "user [2026-03-03 09:00:00] x",
            "runtime: 1772496000",
        ] {
            assert!(time(body).is_none(), "{body}");
        }
    }
}
