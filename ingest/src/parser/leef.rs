//! IBM LEEF: `LEEF:1.0|vendor|product|version|event id|key=value<TAB>…`, and 2.0 with the delimiter named in the header.
//!
//! Format: IBM, *`QRadar` Log Event Extended Format (LEEF)*. Quirks this file owns:
//! * 2.0 names its delimiter as a character or as hex (`^`, `x5E`, `0x5E`, `x09`); some senders leave the field out.
//! * 1.0 means a tab, but senders and relays write `#011`, `\t`, `|`, `^` or blanks: the attributes tell which.
//! * Some relays strip `LEEF:`; a `|` may stand inside a value.
//! * `devTime` is an epoch or a stamp in a Java pattern; the pattern is only needed for what no reader of stamps knows.
//! * `isLoginEvent` says that it is a login; the outcome is told by other keys or not at all.

use monban_event::{Action, Category, Outcome, account};

use super::daemon::{is_denied, moment, outcome, traffic};
use super::draft::Draft;
use super::kv;
use super::scan::port;
use crate::header::Header;

/// Most attributes read of one line; a hostile line has no end.
const KEYS_MAX: usize = monban_event::limits::NATIVE_FIELDS_MAX;

/// The parts of a LEEF header and the attributes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leef<'a> {
    pub vendor: &'a str,
    pub product: &'a str,
    pub version: &'a str,
    pub event_id: &'a str,
    attributes: &'a str,
    delimiter: Delimiter<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delimiter<'a> {
    Text(&'a str),
    Byte(char),
    /// Values may hold blanks too, so a value runs to the next `key=`.
    Blanks,
}

/// Finds the LEEF record in a body, wherever a header or a tag left it.
pub(super) fn find(body: &str) -> Option<Leef<'_>> {
    let record = match memchr::memmem::find(body.as_bytes(), b"LEEF:") {
        Some(at) => body.get(at + 5..)?.trim_start(),
        None if body.starts_with("1.0|") || body.starts_with("2.0|") => body,
        None => return None,
    };
    let (form, rest) = record.split_once('|')?;
    let is_second = match form.trim() {
        "1" | "1.0" => false,
        "2" | "2.0" => true,
        _ => return None,
    };
    let (vendor, rest) = rest.split_once('|')?;
    let (product, rest) = rest.split_once('|')?;
    let (version, rest) = rest.split_once('|')?;
    let (event_id, rest) = rest.split_once('|').unwrap_or((rest, ""));
    let named = if is_second { named_delimiter(rest) } else { None };
    let (delimiter, attributes) = named.unwrap_or_else(|| (guessed_delimiter(rest), rest));
    Some(Leef { vendor, product, version, event_id, attributes, delimiter })
}

/// The delimiter field of 2.0 and what follows it.
fn named_delimiter(text: &str) -> Option<(Delimiter<'_>, &str)> {
    let (field, attributes) = text.split_once('|')?;
    if field.is_empty() {
        return Some((guessed_delimiter(attributes), attributes));
    }
    let mut characters = field.chars();
    if let (Some(only), None) = (characters.next(), characters.next()) {
        return Some((Delimiter::Byte(only), attributes));
    }
    let hex = field.strip_prefix("0x").or_else(|| field.strip_prefix("0X")).or_else(|| field.strip_prefix(['x', 'X']));
    let code = hex.filter(|hex| hex.len() <= 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    code.and_then(char::from_u32).map(|character| (Delimiter::Byte(character), attributes)).or_else(|| {
        // `\t` and `tab` are written too; anything with a `=` is the first attribute.
        matches!(field, "\\t" | "tab" | "TAB").then(|| (guessed_delimiter(attributes), attributes))
    })
}

/// What stands before the second key.
fn guessed_delimiter(attributes: &str) -> Delimiter<'static> {
    if attributes.contains('\t') {
        return Delimiter::Byte('\t');
    }
    for written in ["#011", "\\t"] {
        if attributes.split(written).skip(1).any(begins_pair) {
            return Delimiter::Text(written);
        }
    }
    let second = attributes.split(['|', '^']).nth(1);
    match second {
        Some(part) if begins_pair(part) && attributes.contains('|') => Delimiter::Byte('|'),
        Some(part) if begins_pair(part) => Delimiter::Byte('^'),
        _ => Delimiter::Blanks,
    }
}

fn begins_pair(text: &str) -> bool {
    let key =
        text.bytes().take(64).take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    let length = key.count();
    length > 0 && text.as_bytes().get(length) == Some(&b'=')
}

impl<'a> Leef<'a> {
    /// Keys and values in order, blanks around them taken off.
    pub(super) fn pairs(self) -> Box<dyn Iterator<Item = (&'a str, &'a str)> + 'a> {
        let split = |part: &'a str| part.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
        match self.delimiter {
            Delimiter::Text(text) => Box::new(self.attributes.split(text).filter_map(split).take(KEYS_MAX)),
            Delimiter::Byte(character) => Box::new(self.attributes.split(character).filter_map(split).take(KEYS_MAX)),
            Delimiter::Blanks => Box::new(kv::separated(self.attributes, b' ').take(KEYS_MAX)),
        }
    }
}

/// A LEEF record of a product without a parser of its own.
pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(leef) = find(header.body) else { return false };
    let module = account::fold(leef.vendor).replace(' ', "_");
    let dataset = format!("{module}.{}", account::fold(leef.product).replace(' ', "_"));
    draft.product(&module, &dataset, leef.vendor, leef.product);
    draft.rule("leef");
    fill(leef, header, draft);
    true
}

/// The predefined attributes and every native one, for any product; what the caller has set already stays.
pub(super) fn fill(leef: Leef<'_>, header: &Header<'_>, draft: &mut Draft<'_>) {
    draft.event.code = Some(leef.event_id.to_owned()).filter(|code| !account::is_null_word(code));
    let (mut is_login, mut is_logout, mut verdict, mut result) = (false, false, None, None);
    for (key, value) in leef.pairs() {
        draft.native(key, value);
        match key {
            "isLoginEvent" => is_login = value.eq_ignore_ascii_case("true"),
            "isLogoutEvent" => is_logout = value.eq_ignore_ascii_case("true"),
            "action" | "act" => verdict = is_denied(value),
            "outcome" | "result" | "status" => result = outcome(value),
            _ => attribute(key, value, draft),
        }
    }
    draft.event.outcome = draft.event.outcome.or(result);
    let has_ends = draft.event.source_ip.is_some() && draft.event.destination_ip.is_some();
    if draft.event.category.is_none() {
        if is_login || is_logout {
            draft.kind(Category::Authentication, if is_login { Action::Login } else { Action::Logout });
            draft.event.outcome = draft.event.outcome.or(Some(Outcome::Unknown));
        } else if let Some(denied) = verdict.filter(|_| has_ends) {
            traffic(draft, denied);
        }
    }
    draft.event.observer_hostname = header.host.map(str::to_owned).or(draft.event.observer_hostname.take());
}

fn attribute(key: &str, value: &str, draft: &mut Draft<'_>) {
    let text = || Some(value.to_owned()).filter(|text| !account::is_null_word(text));
    match key {
        "src" => draft.source(value),
        "dst" => draft.destination(value),
        "srcPort" => draft.event.source_port = port(value),
        "dstPort" => draft.event.destination_port = port(value),
        "srcMAC" => draft.event.source_mac = text(),
        "srcBytes" => draft.event.source_bytes = value.parse().ok(),
        "dstBytes" => draft.event.destination_bytes = value.parse().ok(),
        "usrName" => draft.user(value),
        "reason" => draft.reason(value),
        "dvchost" | "devName" | "deviceName" => draft.event.observer_hostname = text(),
        "devTime" => draft.time = draft.time.take().or_else(|| moment(value)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;

    const EXPECTED: [(&str, &str); 6] = [
        ("source.ip", "203.0.113.9"),
        ("source.port", "81"),
        ("destination.ip", "192.0.2.1"),
        ("user.name", "yamada"),
        ("event.code", "Ev7"),
        ("observer.hostname", "gw1"),
    ];

    #[test]
    fn every_delimiter() {
        for (head, delimiter) in [
            ("LEEF:1.0|V|P|1|Ev7|", "\t"),
            ("LEEF:1.0|V|P|1|Ev7|", "|"),
            ("LEEF:1.0|V|P|1|Ev7|", "#011"),
            ("LEEF:1.0|V|P|1|Ev7|", " "),
            ("1.0|V|P|1|Ev7|", "#011"),
            ("LEEF:2.0|V|P|1|Ev7|^|", "^"),
            ("LEEF:2.0|V|P|1|Ev7|x5E|", "^"),
            ("LEEF:2.0|V|P|1|Ev7|0x5e|", "^"),
            ("LEEF:2.0|V|P|1|Ev7|x09|", "\t"),
            ("LEEF:2.0|V|P|1|Ev7||", "\t"),
            ("LEEF:2.0|V|P|1|Ev7|", "\t"),
            ("LEEF:2.0|V|P|1|Ev7|、|", "、"),
        ] {
            let pairs = ["src=203.0.113.9", "dst=192.0.2.1", "srcPort=81", "usrName=yamada", "note=a b"];
            check(format!("<13>Mar  3 09:00:00 gw1 {head}{}", pairs.join(delimiter)), &EXPECTED);
        }
    }

    #[test]
    fn device_time_verdict_and_login() {
        check(
            "<13>Jan  1 01:01:00 gw1 LEEF:1.0|V|P|1|e|devTime=1772496000\tsrc=192.0.2.9\tdst=192.0.2.1\taction=Deny",
            &[("@timestamp", "2026-03-03T00:00:00.000000Z"), ("event.action", "deny"), ("event.outcome", "failure")],
        );
        check(
            "LEEF:2.0|V|P|1|e|^|usrName=sato^isLoginEvent=true^result=Failed^devTime=Mar 03 2026 09:00:00.000",
            &[("event.action", "login"), ("event.outcome", "failure"), ("@timestamp", "2026-03-03T00:00:00.000000Z")],
        );
    }

    #[test]
    fn other_lines_are_left_alone() {
        for text in ["", "LEEF:", "LEEF:3.0|a|b|c|d|e=f", "LEEF:1.0|a|b", "1.0 | a | b", "LEEF:x|"] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
