//! `key=value` texts, the commonest form of a firewall's line. Owns where a key begins and a value ends; never decides
//! what a key means.
//!
//! Quirks: values are quoted or bare; a bare value may hold blanks and runs to the next ` key=`; user names and URLs hold
//! unescaped quotes; a CSV export doubles them; the last quote may be cut off.

use std::ops::Range;
use std::sync::LazyLock;

/// Keys and values, borrowed. Separators are blanks, or commas in the CSV form, which shows behind the first value.
pub(super) fn pairs(text: &str) -> Pairs<'_> {
    let first_end = memchr::memchr2(b',', b' ', text.as_bytes()).and_then(|at| text.as_bytes().get(at..at + 2));
    let is_csv = matches!(first_end, Some([b',', next]) if next.is_ascii_alphabetic());
    separated(text, if is_csv { b',' } else { b' ' })
}

/// Pairs between one fixed separator (`|`, `;`, `,`, a tab), whatever the first value looks like.
pub(super) fn separated(text: &str, separator: u8) -> Pairs<'_> {
    // Trailing blanks go first, so that the end of the text is the end of a value.
    Pairs { rest: text.trim_end(), separator, ahead: 0..0 }
}

pub(super) struct Pairs<'a> {
    rest: &'a str,
    separator: u8,
    /// Where the next key stands in `rest`, when the end of the value before it has shown that; else empty.
    ahead: Range<usize>,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let known = std::mem::take(&mut self.ahead);
            let key = if known.is_empty() { self.find_key()? } else { known };
            let (name, behind) = (self.rest.get(key.clone())?, self.rest.get(key.end + 1..)?);
            let value = self.take_value(behind);
            if !name.is_empty() {
                return Some((name, value));
            }
        }
    }
}

impl<'a> Pairs<'a> {
    /// The word before the next `=`. Stray words before it (a damaged or hand-made line) are passed over.
    fn find_key(&self) -> Option<Range<usize>> {
        let separates = |byte: &u8| matches!(byte, b' ' | b',') || *byte == self.separator;
        let bytes = self.rest.as_bytes();
        let start = bytes.iter().position(|byte| !separates(byte) && *byte != b'\t')?;
        let end = start + bytes.get(start..)?.iter().position(|byte| *byte == b'=')?;
        let key_start = bytes.get(start..end)?.iter().rposition(separates).map_or(start, |at| start + at + 1);
        Some(key_start..end)
    }

    /// The value at the start of `text`, and moves on behind it.
    fn take_value(&mut self, text: &'a str) -> &'a str {
        let (value, rest, ahead) = match text.strip_prefix('"') {
            // A CSV export doubles every quote.
            Some(inner) if inner.starts_with('"') && inner.as_bytes().get(1).is_some_and(u8::is_ascii_alphanumeric) => {
                let doubled = inner.strip_prefix('"').and_then(|inner| inner.split_once("\"\""));
                let (value, rest) = doubled.unwrap_or((inner, ""));
                (value, rest, 0..0)
            }
            Some(inner) => quoted(inner, self.separator),
            None => bare(text, self.separator),
        };
        (self.rest, self.ahead) = (rest, ahead);
        value
    }
}

/// A value, what follows it, and where in that the next key is known to stand.
type Cut<'a> = (&'a str, &'a str, Range<usize>);

/// Up to the separator; words that are no `key=` still belong to the value (`msg=User logged in`).
fn bare(text: &str, separator: u8) -> Cut<'_> {
    let bytes = text.as_bytes();
    let mut ends = memchr::memchr_iter(separator, bytes).filter_map(|at| Some((at, key_behind(text, at)?)));
    let (end, ahead) = ends.next().unwrap_or((text.len(), 0..0));
    let (value, rest) = (text.get(..end).unwrap_or(text), text.get(end..).unwrap_or(""));
    (value.trim_end_matches([' ', '\t']), rest, ahead)
}

/// A quote ends a value only before a separator and a pair, or the end: user names and URLs hold quotes. A value whose
/// closing quote was cut off runs to the end.
fn quoted(inner: &str, separator: u8) -> Cut<'_> {
    let bytes = inner.as_bytes();
    for at in memchr::memchr_iter(b'"', bytes) {
        let rest = inner.get(at + 1..).unwrap_or("");
        let separated = rest.bytes().next().is_none_or(|byte| byte == separator || byte == b' ' || byte == b',');
        if separated && let Some(ahead) = key_behind(rest, 0) {
            return (inner.get(..at).unwrap_or(""), rest, ahead);
        }
    }
    (inner, "", 0..0)
}

/// What a key is made of, by byte: six comparisons at every byte of every line are seen in the whole.
static KEY_BYTES: LazyLock<[bool; 256]> = LazyLock::new(|| {
    let is_key_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    std::array::from_fn(|byte| u8::try_from(byte).is_ok_and(is_key_byte))
});

/// Where `key` stands, counted from `at`, if `key=` follows the separator at `at`, perhaps behind a few blanks; empty if
/// nothing follows. Both are bounded: this is asked at every separator, and a line of a million blanks must not be read
/// a million times.
fn key_behind(text: &str, at: usize) -> Option<Range<usize>> {
    const BLANKS_MAX: usize = 4;
    const KEY_BYTES_MAX: usize = 64;
    let bytes = text.as_bytes().get(at + 1..).unwrap_or_default();
    let blanks = bytes.iter().take(BLANKS_MAX).take_while(|byte| matches!(byte, b' ' | b',')).count();
    let bytes = bytes.get(blanks..).unwrap_or_default();
    let key_bytes = &*KEY_BYTES;
    let is_key_byte = |byte: &&u8| key_bytes.get(usize::from(**byte)) == Some(&true);
    let length = bytes.iter().take(KEY_BYTES_MAX).take_while(is_key_byte).count();
    let start = 1 + blanks;
    (bytes.is_empty() || length > 0 && bytes.get(length) == Some(&b'=')).then_some(start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: Pairs<'_>, expected: &[(&str, &str)]) {
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn quoted_and_bare_values() {
        check(
            pairs(r#"a=1 b="x y" msg=User logged in c="" user="O"Neil" d"#),
            &[("a", "1"), ("b", "x y"), ("msg", "User logged in"), ("c", ""), ("user", "O\"Neil\" d")],
        );
        check(pairs(r#"a=1,b="x, y",c=2"#), &[("a", "1"), ("b", "x, y"), ("c", "2")]);
        check(pairs(r#"a="never closed"#), &[("a", "never closed")]);
    }

    #[test]
    fn other_separators() {
        check(
            separated("time=1|host=fw 1|src=192.0.2.1|", b'|'),
            &[("time", "1"), ("host", "fw 1"), ("src", "192.0.2.1")],
        );
    }
}
