//! Where a secret begins and ends once its place is known, and which values are no secrets.

use std::ops::Range;

/// Longest user and password of an address (`https://user:password@host/`), in bytes.
const CREDENTIALS_BYTES_MAX: usize = 512;

/// Longest name of a field that may follow an unquoted value at once, in bytes.
const NEXT_KEY_BYTES_MAX: usize = 40;

/// How values are quoted, the longest form first: JSON inside JSON, CSV's doubled quotes, and plain ones.
const QUOTES: &[&str] = &["\\\"", "\"\"", "\"", "'"];

/// Values that say whether there is a password, not which.
const NO_SECRETS: &[&str] = &[
    "",
    "-",
    "true",
    "false",
    "yes",
    "no",
    "null",
    "none",
    "n/a",
    "(null)",
    "set",
    "unset",
    "nil",
    "undefined",
    "enable",
    "disable",
    "<never>",
    "%%1793",
];

pub(super) fn is_no_secret(value: &str) -> bool {
    NO_SECRETS.iter().any(|word| word.eq_ignore_ascii_case(value))
}

/// `PWD=/root`: the working folder, which sudo and environments write.
pub(super) fn is_folder(name: &str, value: &str) -> bool {
    let is_variable = ["pwd", "oldpwd"].iter().any(|variable| variable.eq_ignore_ascii_case(name));
    is_variable && value.starts_with(['/', '~'])
}

/// A value that begins right behind its mark: `&pass=…`.
pub(super) fn behind_mark(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    at(text, mark.end)
}

/// The value that begins at `start`, quoted or not. A quote that is not closed (a cut line) reaches to the line's end.
pub(super) fn at(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = text.get(start..)?;
    let Some(quote) = QUOTES.iter().find(|quote| rest.starts_with(**quote)) else {
        return some(start..start + unquoted_length(rest));
    };
    let inner = rest.get(quote.len()..)?;
    if *quote == "\"\"" && !inner.starts_with(|next: char| next.is_alphanumeric()) {
        return None;
    }
    let inner_start = start + quote.len();
    some(inner_start..inner_start + quoted_length(inner, quote))
}

fn some(range: Range<usize>) -> Option<Range<usize>> {
    (!range.is_empty()).then_some(range)
}

fn quoted_length(inner: &str, quote: &str) -> usize {
    let mut from = 0;
    while let Some(found) = inner.get(from..).and_then(|rest| rest.find(quote)) {
        let end = from + found;
        let is_escaped = quote.len() == 1 && inner.get(..end).is_some_and(ends_escaped);
        if !is_escaped {
            return end;
        }
        from = end + quote.len();
    }
    inner.find(['\r', '\n']).unwrap_or(inner.len())
}

/// Whether an odd number of backslashes ends the text.
fn ends_escaped(text: &str) -> bool {
    text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// An unquoted value reaches to a blank, a quote or a tag, or to a mark that parts it from what is surely not its own: a
/// password may hold a comma.
fn unquoted_length(rest: &str) -> usize {
    let ends = |(at, byte): (usize, u8)| match byte {
        b'"' | b'\'' | b'<' => true,
        b',' | b';' | b'&' | b'|' | b'^' => rest.get(at + 1..).is_none_or(starts_another),
        b')' | b']' | b'}' => rest.get(at + 1..).is_none_or(ends_a_group),
        b'\\' => matches!(rest.as_bytes().get(at + 1), Some(b'"' | b'r' | b'n')),
        byte => byte.is_ascii_whitespace() || byte.is_ascii_control(),
    };
    rest.bytes().enumerate().find(|found| ends(*found)).map_or(rest.len(), |(at, _)| at)
}

/// The end, a blank, a quote, or `name=` and `name:`.
fn starts_another(rest: &str) -> bool {
    let name = rest.bytes().take(NEXT_KEY_BYTES_MAX).take_while(|byte| is_word(*byte) || !byte.is_ascii()).count();
    match rest.as_bytes().get(name) {
        None => name == 0,
        Some(b'=' | b':') => name > 0,
        Some(byte) => name == 0 && (byte.is_ascii_whitespace() || b"\"'\\|,;&".contains(byte)),
    }
}

fn ends_a_group(rest: &str) -> bool {
    rest.bytes().next().is_none_or(|byte| byte.is_ascii_whitespace() || b",;)]}\"'\\|".contains(&byte))
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// `scheme://user:password@host`.
pub(super) fn in_address(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let rest = text.get(mark.end..)?.as_bytes();
    let window = rest.get(..CREDENTIALS_BYTES_MAX).unwrap_or(rest);
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"/\"'<>?#,;|".contains(byte);
    let authority = window.split(ends).next()?;
    let at = authority.iter().rposition(|byte| *byte == b'@')?;
    let colon = authority.get(..at)?.iter().position(|byte| *byte == b':')?;
    some(mark.end + colon + 1..mark.end + at)
}
