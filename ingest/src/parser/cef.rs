//! `ArcSight` CEF: `CEF:0|vendor|product|version|signature|name|severity|key=value …`.
//!
//! Quirks: some relays strip `CEF:`; values hold blanks and run to the next ` key=`; `\=`, `\\`, `\|`, `\n` are escapes;
//! a `=` inside an unescaped URL is no key. Every product gets the standard keys; which action a product means by its own
//! words is not guessed, so a generic CEF line has no login unless its product has a parser of its own.

use std::borrow::Cow;

use monban_event::{Outcome, account};

use super::draft::{Draft, PayloadTime};
use crate::header::Header;
use crate::stamp;

/// Most extension keys read of one line; a hostile line has no end.
const KEYS_MAX: usize = monban_event::limits::NATIVE_FIELDS_MAX;

/// The parts of a CEF header and the extension, escapes of the extension still in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cef<'a> {
    pub vendor: &'a str,
    pub product: &'a str,
    pub signature: &'a str,
    pub name: &'a str,
    pub extension: &'a str,
}

/// Finds the CEF record in a body, wherever a header or a tag left it. `0|Vendor|…` without `CEF:` counts at the start.
pub(super) fn find(body: &str) -> Option<Cef<'_>> {
    let start = match body.find("CEF:") {
        // A template that writes the mark before a line that has it already.
        Some(at) => body.get(at..)?.trim_start_matches("CEF:"),
        None if body.starts_with("0|") || body.starts_with("1|") => body,
        None => return None,
    };
    let mut parts = Parts(start);
    parts.next().filter(|version| version.trim().parse::<u8>().is_ok())?;
    let (vendor, product) = (parts.next()?, parts.next()?);
    parts.next()?;
    let (signature, name) = (parts.next()?, parts.next()?);
    parts.next()?;
    Some(Cef { vendor, product, signature, name, extension: parts.0 })
}

/// Header parts between unescaped pipes.
struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.0.as_bytes();
        let end = memchr::memchr_iter(b'|', bytes).find(|at| !is_escaped(bytes, *at))?;
        let (part, rest) = (self.0.get(..end)?, self.0.get(end + 1..)?);
        self.0 = rest;
        Some(part)
    }
}

/// Whether an odd number of backslashes stands before.
fn is_escaped(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Keys and values of an extension, in order, escapes undone.
pub(super) fn pairs(extension: &str) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let mut next = next_key(extension, 0);
    std::iter::from_fn(move || {
        let (key_start, equals) = next?;
        next = next_key(extension, equals + 1);
        let end = next.map_or(extension.len(), |(start, _)| start);
        let key = extension.get(key_start..equals)?;
        Some((key, unescape(extension.get(equals + 1..end)?.trim_end())))
    })
    .take(KEYS_MAX)
}

/// Start of the next key at or behind `from`, and the place of its `=`.
fn next_key(extension: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = extension.as_bytes();
    let tail = bytes.get(from..)?;
    memchr::memchr_iter(b'=', tail).map(|at| at + from).find_map(|equals| {
        let before = bytes.get(from..equals)?;
        let length = before.iter().rev().take_while(|byte| is_key_byte(**byte)).count();
        let start = equals - length;
        let begins_word = start == 0 || matches!(bytes.get(start - 1), Some(b' ' | b'\t'));
        (length > 0 && begins_word && (start > from || from == 0)).then_some((start, equals))
    })
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some('=' | '\\' | '|')) => text.extend(characters.next()),
            ('\\', Some('n')) => {
                characters.next();
                text.push('\n');
            }
            _ => text.push(character),
        }
    }
    Cow::Owned(text)
}

/// A CEF record of a product without a parser of its own.
pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(cef) = find(header.body) else { return false };
    let module = account::fold(cef.vendor).replace(' ', "_");
    let dataset = format!("{module}.{}", account::fold(cef.product).replace(' ', "_"));
    draft.product(&module, &dataset, cef.vendor, cef.product);
    draft.rule("cef");
    draft.event.code = Some(cef.signature.to_owned()).filter(|code| !code.is_empty());
    draft.native("name", cef.name);
    for (key, value) in pairs(cef.extension) {
        standard_key(key, &value, draft);
        draft.native(key, &value);
    }
    draft.event.observer_hostname = draft.event.observer_hostname.take().or(header.host.map(str::to_owned));
    true
}

fn standard_key(key: &str, value: &str, draft: &mut Draft<'_>) {
    let number = || value.parse().ok();
    match key {
        "src" => draft.source(value),
        "dst" => draft.destination(value),
        "spt" => draft.event.source_port = number(),
        "dpt" => draft.event.destination_port = number(),
        "suser" => draft.user(value),
        "duser" => draft.target_user(value),
        "dhost" => draft.event.destination_domain = Some(value.to_owned()).filter(|name| !name.is_empty()),
        "in" => draft.event.destination_bytes = number(),
        "out" => draft.event.source_bytes = number(),
        "reason" => draft.reason(value),
        "outcome" => draft.event.outcome = outcome(value),
        "dvchost" if !account::is_null_word(value) => draft.event.observer_hostname = Some(value.to_owned()),
        "rt" | "end" if draft.time.is_none() => draft.time = stamp_or_epoch(value),
        _ => {}
    }
}

fn outcome(value: &str) -> Option<Outcome> {
    match value.to_ascii_lowercase().as_str() {
        "success" | "succeeded" | "/success" => Some(Outcome::Success),
        "failure" | "failed" | "fail" | "/failure" => Some(Outcome::Failure),
        _ => None,
    }
}

fn stamp_or_epoch(value: &str) -> Option<PayloadTime> {
    match stamp::epoch(value) {
        Some(instant) => Some(PayloadTime::Instant(instant)),
        None => stamp::read(value).map(|(stamp, _)| PayloadTime::Stamp(stamp)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_run_to_the_next_key() {
        let found: Vec<_> =
            pairs(r"msg=a b c src=192.0.2.1 url=http://h/?x=1&y=2 note=p\=q \\ r empty= act=z ").collect();
        let expected = [
            ("msg", "a b c"),
            ("src", "192.0.2.1"),
            ("url", "http://h/?x=1&y=2"),
            ("note", r"p=q \ r"),
            ("empty", ""),
            ("act", "z"),
        ];
        assert_eq!(found.iter().map(|(key, value)| (*key, value.as_ref())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn headers_with_and_without_their_mark() {
        let cef = find(r"x CEF:0|Some\|Vendor|Prod|1.0|42|name|3|src=192.0.2.1").expect("a record");
        assert_eq!((cef.vendor, cef.signature, cef.extension), (r"Some\|Vendor", "42", "src=192.0.2.1"));
        assert!(find("0|V|P|1|2|n|3|a=b").is_some());
        for text in ["", "CEF:", "CEF:0|a|b", "CEF:x|a|b|c|d|e|f|", "10|V|P|1|2|n|3|"] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
