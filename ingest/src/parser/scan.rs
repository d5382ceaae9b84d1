//! Small readers that several formats share. They borrow from the line and allocate nothing.

use monban_event::account;

use super::draft::{Draft, address};

/// The text between the first `before` and the next `after`.
pub(super) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(value, _)| value)
}

/// The text behind the first `mark`, up to a byte of `ends` or the end.
pub(super) fn behind<'a>(text: &'a str, mark: &str, ends: &[char]) -> Option<&'a str> {
    let (_, rest) = text.split_once(mark)?;
    rest.split(ends).next()
}

/// The first word and what follows it.
pub(super) fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(' ');
    match text.split_once(' ') {
        Some((word, rest)) => (word, rest),
        None => (text, ""),
    }
}

/// Seconds as nanoseconds.
pub(super) fn seconds_ns(seconds: i64) -> Option<i64> {
    seconds.checked_mul(1_000_000_000).filter(|nanos| *nanos >= 0)
}

/// `0:10:26`, `2h:28m:09s`, `1d 02h:03m:04s`, `10:26`: as nanoseconds. `None` for anything else.
pub(super) fn clock_duration_ns(text: &str) -> Option<i64> {
    let mut total = 0_i64;
    let mut parts = 0;
    let mut is_plain = true;
    for part in text.split([':', ' ']).filter(|part| !part.is_empty()) {
        let digits = part.trim_end_matches(['d', 'h', 'm', 's']);
        is_plain &= digits.len() == part.len();
        let number: i64 = digits.parse().ok()?;
        let unit = match part.get(digits.len()..)? {
            "d" => 86_400,
            "h" => 3_600,
            "m" => 60,
            "s" => 1,
            "" => {
                total = total.checked_mul(60)?;
                1
            }
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        parts += 1;
    }
    (parts > 0 && !(is_plain && parts == 1)).then_some(total).and_then(seconds_ns)
}

/// `192.0.2.1:80`, `192.0.2.1/80`, `[2001:db8::1]:80`, `2001:db8::1.80` (Yamaha), or an address alone.
pub(super) fn address_and_port(text: &str) -> Option<(&str, Option<i64>)> {
    let text = text.trim();
    if address(text).is_some() {
        return Some((text, None));
    }
    if let Some((host, port)) = text.strip_prefix('[').and_then(|inner| inner.split_once("]:")) {
        return address(host).map(|_| (host, port.parse().ok()));
    }
    let separator = text.rfind(['/', ':']).or_else(|| text.rfind('.'));
    let candidates = [separator, text.rfind('.')];
    candidates.into_iter().flatten().find_map(|at| {
        let (host, port) = (text.get(..at)?, text.get(at + 1..)?);
        address(host)?;
        Some((host, port.parse().ok().filter(|port| (0..=65_535).contains(port))))
    })
}

/// A port number.
pub(super) fn port(text: &str) -> Option<i64> {
    text.trim().parse().ok().filter(|port| (0..=65_535).contains(port))
}

/// A count of bytes or packets: never negative.
pub(super) fn count(text: &str) -> Option<i64> {
    text.trim().parse().ok().filter(|count| *count >= 0)
}

/// The text itself, unless it is one of the words for nothing.
pub(super) fn known(text: &str) -> Option<String> {
    let text = text.trim();
    (!account::is_null_word(text)).then(|| text.to_owned())
}

/// The acting end from `192.0.2.1:80` and its kin. The first end given counts, with its own port.
pub(super) fn source_end(text: &str, draft: &mut Draft<'_>) {
    if draft.event.source_ip.is_none()
        && let Some((host, port)) = address_and_port(text)
    {
        draft.source(host);
        draft.event.source_port = draft.event.source_port.or(port);
    }
}

/// The end that was reached, likewise.
pub(super) fn destination_end(text: &str, draft: &mut Draft<'_>) {
    if draft.event.destination_ip.is_none()
        && let Some((host, port)) = address_and_port(text)
    {
        draft.destination(host);
        draft.event.destination_port = draft.event.destination_port.or(port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let seconds = |text: &str| clock_duration_ns(text).map(|nanos| nanos / 1_000_000_000);
        assert_eq!(seconds("0:10:26"), Some(626));
        assert_eq!(seconds("2h:28m:09s"), Some(8889));
        assert_eq!(seconds("1d 02h:00m:01s"), Some(93_601));
        for text in ["", "x", "12", "1:x", "99999999999999999999:00", ":"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_in_their_bounds() {
        assert_eq!((port("443"), port(" 12"), port("65536"), port("")), (Some(443), Some(12), None, None));
        assert_eq!((count("7"), count("-1"), count("x")), (Some(7), None, None));
    }

    #[test]
    fn addresses_with_ports() {
        assert_eq!(address_and_port("192.0.2.1:80"), Some(("192.0.2.1", Some(80))));
        assert_eq!(address_and_port("192.0.2.1/80"), Some(("192.0.2.1", Some(80))));
        assert_eq!(address_and_port("192.0.2.1/ssh"), Some(("192.0.2.1", None)));
        assert_eq!(address_and_port("2001:db8::1.443"), Some(("2001:db8::1", Some(443))));
        assert_eq!(address_and_port("[2001:db8::1]:443"), Some(("2001:db8::1", Some(443))));
        assert_eq!(address_and_port("2001:db8::1"), Some(("2001:db8::1", None)));
        for text in ["", "80", "host:80", "300.1.1.1:2", "0.0.0.0", "::"] {
            assert_eq!(address_and_port(text), None, "{text}");
        }
    }
}
