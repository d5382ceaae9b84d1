//! What the parsers of servers' daemons share: the program of a tag, the machine it runs on, ports, and the spellings of
//! time that only applications use. It understands no message.

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime};
use super::scan::word;
use crate::header::Header;
use crate::stamp::{self, Stamp};

/// The program that wrote the line, without its path: `postfix/smtpd` is `smtpd`.
pub(super) fn program<'a>(header: &Header<'a>) -> &'a str {
    let app = header.app.unwrap_or("");
    app.rsplit('/').next().unwrap_or(app)
}

/// A daemon acts itself: the machine is `host.name`.
pub(super) fn on_host(header: &Header<'_>, draft: &mut Draft<'_>, dataset: &str) {
    // A number that stands in the record itself is the process it speaks of; the header's is that of who writes the log.
    let spoken_of = draft.event.process_pid;
    draft.process(header);
    draft.event.process_pid = spoken_of.or(draft.event.process_pid);
    draft.event.process_name = Some(program(header)).filter(|name| !name.is_empty()).map(str::to_owned);
    draft.event.module = dataset.split('.').next().map(str::to_owned);
    draft.event.dataset = Some(dataset.to_owned());
    draft.event.host_name = header.host.map(str::to_owned);
    draft.rule(dataset);
    if draft.event.category.is_none() {
        draft.kind(Category::Host, Action::Other);
    }
}

/// Traffic that was let through or not; the outcome is that of who tried.
pub(super) fn traffic(draft: &mut Draft<'_>, denied: bool) {
    draft.kind(Category::Network, if denied { Action::Deny } else { Action::Allow });
    draft.event.outcome = Some(if denied { Outcome::Failure } else { Outcome::Success });
}

/// Words of firewalls for a verdict, whole and in any case; `None` for every other word.
pub(super) fn is_denied(verdict: &str) -> Option<bool> {
    const DENIED: [&str; 11] = [
        "deny",
        "denied",
        "block",
        "blocked",
        "drop",
        "dropped",
        "reject",
        "rejected",
        "reset",
        "discard",
        "prevented",
    ];
    const ALLOWED: [&str; 9] =
        ["allow", "allowed", "accept", "accepted", "permit", "permitted", "pass", "passed", "forwarded"];
    let among = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(verdict.trim()));
    among(&DENIED).then_some(true).or_else(|| among(&ALLOWED).then_some(false))
}

/// Words for the end of an attempt, whole and in any case.
pub(super) fn outcome(word: &str) -> Option<Outcome> {
    const GOOD: [&str; 7] = ["success", "succeeded", "successful", "ok", "/success", "true", "succeed"];
    const BAD: [&str; 9] =
        ["failure", "failed", "fail", "/failure", "denied", "error", "unsuccessful", "rejected", "false"];
    let among = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word.trim()));
    among(&GOOD).then_some(Outcome::Success).or_else(|| among(&BAD).then_some(Outcome::Failure))
}

/// A time as applications spell it: epoch, the spellings of headers, `Mon Aug  1 06:40:30 2022`,
/// `06-May-2021 09:59:37`, `31/Jul/2019:16:58:19 +0900`, `12/14/2023 3:49:00 PM`.
pub(super) fn moment(text: &str) -> Option<PayloadTime> {
    let text = text.trim();
    if let Some(instant) = stamp::epoch(text) {
        return Some(PayloadTime::Instant(instant));
    }
    let (first, rest) = word(text);
    let without_weekday = if first.len() == 3 { Some(rest.trim_start()) } else { None };
    stamp::read(text)
        .or_else(|| without_weekday.and_then(stamp::read))
        .map(|(stamp, rest)| Stamp { offset: stamp.offset.or_else(|| offset_behind_zone(rest)), ..stamp })
        .or_else(|| date_with_clock(text))
        .map(PayloadTime::Stamp)
}

/// ` GMT+09:00`: the offset stands behind a zone word that alone would say something else.
fn offset_behind_zone(rest: &str) -> Option<i32> {
    let rest = rest.trim_start();
    let behind = rest.strip_prefix("GMT").or_else(|| rest.strip_prefix("UTC"))?;
    stamp::offset(behind.split(' ').next()?)
}

/// The same moment, known to be told in UTC.
pub(super) fn in_utc(time: PayloadTime) -> PayloadTime {
    match time {
        PayloadTime::Stamp(stamp) => PayloadTime::Stamp(Stamp { offset: stamp.offset.or(Some(0)), ..stamp }),
        instant @ PayloadTime::Instant(_) => instant,
    }
}

/// `D/Mon/Y:h:m:s[.f] [+0900]`, `D-Mon-Y h:m:s`, `M/D/Y h:m:s [AM|PM]`; where both numbers may be months the first is.
fn date_with_clock(text: &str) -> Option<Stamp> {
    let clock_at = text.find([':', ' '])?;
    let (date, clock) = (text.get(..clock_at)?, text.get(clock_at + 1..)?.trim_start());
    let mut parts = date.split(['/', '-']);
    let (first, second, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let (month, day) = match (first.parse::<u32>().ok()?, month_number(second)) {
        (day, Some(month)) => (month, day),
        (first, None) => match second.parse::<u32>().ok()? {
            second if first > 12 => (second, first),
            second => (first, second),
        },
    };
    // The rest is read as a stamp of the day that is known now; the common reader knows clocks and offsets.
    let (clock, half) = twelve_hours(clock);
    let year: i32 = year.parse().ok()?;
    let (mut stamp, _) = stamp::read(&format!("{year:04}-{month:02}-{day:02} {clock}"))?;
    stamp.hour = match half {
        Some(is_afternoon) => stamp.hour % 12 + if is_afternoon { 12 } else { 0 },
        None => stamp.hour,
    };
    Some(stamp)
}

/// `3:49:00 PM`: the clock, and whether it is afternoon.
fn twelve_hours(clock: &str) -> (&str, Option<bool>) {
    let trimmed = clock.trim_end();
    match (trimmed.strip_suffix(" AM"), trimmed.strip_suffix(" PM")) {
        (Some(clock), _) => (clock, Some(false)),
        (_, Some(clock)) => (clock, Some(true)),
        _ => (clock, None),
    }
}

fn month_number(name: &str) -> Option<u32> {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    (1..).zip(NAMES).find_map(|(number, known)| known.eq_ignore_ascii_case(name).then_some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(u32, u32, u32, Option<i32>)>) {
        let found = moment(text).and_then(|time| match time {
            PayloadTime::Stamp(stamp) => Some((stamp.month, stamp.day, stamp.hour, stamp.offset)),
            PayloadTime::Instant(_) => None,
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn times_as_applications_spell_them() {
        check("06-May-2021 09:59:37", Some((5, 6, 9, None)));
        check("31/Jul/2019:16:58:19 +0900", Some((7, 31, 16, Some(32_400))));
        check("06/Feb/2026:12:14:14.655", Some((2, 6, 12, None)));
        check("12/14/2023 3:49:00 PM", Some((12, 14, 15, None)));
        check("12/14/2023 12:49:00 AM", Some((12, 14, 0, None)));
        check("14/12/2023 03:49:00", Some((12, 14, 3, None)));
        check("Mon Aug  1 06:40:30 2022", Some((8, 1, 6, None)));
        check("2026-03-03 09:00:00", Some((3, 3, 9, None)));
        check("Mar 03 2026 09:00:00 GMT+09:00", Some((3, 3, 9, Some(32_400))));
        for text in
            ["", "x", "1/2/3 4:5:6", "99/99/2023 01:02:03", "12/14/2023", "a/b/2023 01:02:03", "表/1/2023 1:2:3"]
        {
            check(text, None);
        }
    }

    #[test]
    fn verdicts_are_whole_words() {
        assert_eq!((is_denied("Blocked"), is_denied("ALLOW"), is_denied("blockade")), (Some(true), Some(false), None));
        assert_eq!(
            (outcome("Failed"), outcome("ok"), outcome("okay")),
            (Some(Outcome::Failure), Some(Outcome::Success), None)
        );
    }
}
