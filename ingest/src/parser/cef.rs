//! `ArcSight` CEF: `CEF:0|vendor|product|version|signature|name|severity|key=value …`.
//!
//! Quirks: some relays strip `CEF:`; values hold blanks and run to the next ` key=`; `\=`, `\\`, `\|`, `\n` are escapes;
//! a `=` inside an unescaped URL is no key; a relay may have doubled the mark (`CEF:CEF:0|`). Every product gets the
//! standard keys; which action a product means by its own words is not guessed. A generic line is a login only where
//! `ArcSight`'s own category says so, and is let through or stopped only where `act` is one of a few plain words.
//! `duser` is who is acted upon, except in a login, where it is who logs in. `start` and `end` are the times of the act
//! and may lie long before the record: they serve where neither `rt` nor a header tells the time.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use monban_event::{Action, Category, account};

use super::daemon::{is_denied, moment, outcome, traffic};
use super::draft::{Draft, PayloadTime};
use super::scan::port;
use crate::header::Header;

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
    static MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("CEF:"));
    let start = match MARK.find(body.as_bytes()) {
        Some(at) => unmarked(body.get(at..)?),
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

/// Without the mark, however often it stands there.
fn unmarked(text: &str) -> &str {
    let mut rest = text;
    while let Some(behind) = rest.strip_prefix("CEF:") {
        rest = behind.trim_start_matches(' ');
    }
    rest
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
    fill(&cef, header, draft);
    true
}

/// The standard keys and every native one, for any product; what the caller has set already stays.
pub(super) fn fill(cef: &Cef<'_>, header: &Header<'_>, draft: &mut Draft<'_>) {
    draft.event.code = Some(cef.signature.to_owned()).filter(|code| !code.is_empty());
    draft.native("name", cef.name);
    let mut late = Late::default();
    for (key, value) in pairs(cef.extension) {
        standard_key(key, &value, draft);
        late.key(key, &value);
        draft.native(key, &value);
    }
    late.fill(header, draft);
}

fn standard_key(key: &str, value: &str, draft: &mut Draft<'_>) {
    let number = || value.parse().ok();
    let text = || Some(value.to_owned()).filter(|text| !account::is_null_word(text));
    match key {
        "src" => draft.source(value),
        "dst" => draft.destination(value),
        "spt" => draft.event.source_port = port(value),
        "dpt" => draft.event.destination_port = port(value),
        // `(no user)` and its kin are nobody.
        "suser" if !value.starts_with('(') => draft.user(value),
        "smac" => draft.event.source_mac = text(),
        "shost" => draft.event.source_domain = text(),
        "dhost" => draft.event.destination_domain = text(),
        "in" => draft.event.destination_bytes = number(),
        "out" => draft.event.source_bytes = number(),
        "reason" => draft.reason(value),
        "outcome" => draft.event.outcome = outcome(value),
        "dvchost" => draft.event.observer_hostname = text().or(draft.event.observer_hostname.take()),
        "dvc" => draft.event.observer_ip = super::draft::address(value),
        "rt" if draft.time.is_none() => draft.time = moment(value),
        _ => {}
    }
}

/// Values whose meaning hangs on others.
#[derive(Default)]
struct Late {
    duser: String,
    verdict: Option<bool>,
    is_login: bool,
    act_time: Option<PayloadTime>,
}

impl Late {
    fn key(&mut self, key: &str, value: &str) {
        match key {
            "duser" => value.clone_into(&mut self.duser),
            "act" => self.verdict = is_denied(value),
            "categoryBehavior" => self.is_login = value == "/Authentication/Verify",
            "start" | "end" | "startTime" | "endTime" => {
                self.act_time = self.act_time.take().or_else(|| moment(value));
            }
            _ => {}
        }
    }

    fn fill(self, header: &Header<'_>, draft: &mut Draft<'_>) {
        if self.is_login {
            draft.user(&self.duser);
            draft.kind(Category::Authentication, Action::Login);
            let category_outcome = draft.event.native.get("categoryOutcome").and_then(outcome);
            draft.event.outcome = draft.event.outcome.or(category_outcome);
        } else {
            draft.target_user(&self.duser);
        }
        let has_ends = draft.event.source_ip.is_some() && draft.event.destination_ip.is_some();
        if let Some(denied) = self.verdict.filter(|_| has_ends && draft.event.category.is_none()) {
            traffic(draft, denied);
        }
        if draft.time.is_none() && header.time.is_none() {
            draft.time = self.act_time;
        }
        draft.event.observer_hostname = draft.event.observer_hostname.take().or(header.host.map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
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
        assert!(find("CEF:CEF:1|V|P|1|2|n|3|a=b").is_some() && find("CEF: CEF: 0|V|P|1|2|n|3|a=b").is_some());
        for text in ["", "CEF:", "CEF:0|a|b", "CEF:x|a|b|c|d|e|f|", "10|V|P|1|2|n|3|"] {
            assert_eq!(find(text), None, "{text}");
        }
    }

    #[test]
    fn standard_keys_of_an_unknown_product() {
        check(
            "<14>Mar  3 09:00:00 col1 CEF:0|Some Vendor|Gate|1|42|Deny|3|src=203.0.113.9 spt=5 dst=192.0.2.1 dpt=443 \
             suser=CORP\\\\yamada duser=sato act=Blocked in=7 out=9 dvchost=gw1 rt=1772496000000 start=1700000000000",
            &[
                ("source.ip", "203.0.113.9"),
                ("destination.port", "443"),
                ("user.name", "yamada"),
                ("user.target.name", "sato"),
                ("event.code", "42"),
                ("event.action", "deny"),
                ("observer.hostname", "gw1"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
    }

    #[test]
    fn a_login_is_what_the_category_calls_one() {
        check(
            "CEF:0|V|P|1|7|Logon failed|3|duser=sato src=192.0.2.9 categoryBehavior=/Authentication/Verify \
             categoryOutcome=/Failure end=Mar 03 2026 09:00:00",
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
        check("CEF:0|V|P|1|7|Logon|3|duser=sato", &[("event.action", "-"), ("user.name", "-")]);
    }
}
