//! `key=value` texts, the commonest form of a firewall's line. Owns where a key begins and a value ends; never decides
//! what a key means.
//!
//! Quirks: values are quoted or bare; a bare value may hold blanks and runs to the next ` key=`; user names and URLs hold
//! unescaped quotes; a CSV export doubles them; the last quote may be cut off.

/// Keys and values, borrowed. Separators are blanks, or commas in the CSV form, which shows behind the first value.
pub(super) fn pairs(text: &str) -> Pairs<'_> {
    let first_end = text.find([',', ' ']).and_then(|at| text.as_bytes().get(at..at + 2));
    let is_csv = matches!(first_end, Some([b',', next]) if next.is_ascii_alphabetic());
    // Trailing blanks go first, so that the end of the text is the end of a value.
    Pairs { rest: text.trim_end(), separator: if is_csv { b',' } else { b' ' } }
}

/// Pairs between one fixed separator (`|`, `;`, `,`, a tab), whatever the first value looks like.
pub(super) fn separated(text: &str, separator: u8) -> Pairs<'_> {
    Pairs { rest: text.trim_end(), separator }
}

pub(super) struct Pairs<'a> {
    rest: &'a str,
    separator: u8,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let separates = |byte: &u8| matches!(byte, b' ' | b',') || *byte == self.separator;
            let start = self.rest.bytes().position(|byte| !separates(&byte) && byte != b'\t')?;
            let text = self.rest.get(start..)?;
            // Keys are a few bytes long: a search made for long texts costs more than it saves.
            let equals = text.bytes().position(|byte| byte == b'=')?;
            let (before, behind) = (text.get(..equals)?, text.get(equals + 1..)?);
            // Stray words before a key (a damaged or hand-made line) are passed over.
            let key_start = before.bytes().rposition(|byte| separates(&byte)).map_or(0, |at| at + 1);
            let key = before.get(key_start..)?;
            let (value, rest) = self.value(behind);
            self.rest = rest;
            if !key.is_empty() {
                return Some((key, value));
            }
        }
    }
}

impl<'a> Pairs<'a> {
    fn value(&self, text: &'a str) -> (&'a str, &'a str) {
        match text.strip_prefix('"') {
            // A CSV export doubles every quote.
            Some(inner) if inner.starts_with('"') && inner.as_bytes().get(1).is_some_and(u8::is_ascii_alphanumeric) => {
                inner.strip_prefix('"').and_then(|inner| inner.split_once("\"\"")).unwrap_or((inner, ""))
            }
            Some(inner) => quoted(inner, self.separator),
            None => self.bare(text),
        }
    }

    /// Up to the separator; words that are no `key=` still belong to the value (`msg=User logged in`).
    fn bare(&self, text: &'a str) -> (&'a str, &'a str) {
        let bytes = text.as_bytes();
        let end = memchr::memchr_iter(self.separator, bytes)
            .find(|at| text.get(at + 1..).is_some_and(starts_pair))
            .unwrap_or(text.len());
        let (value, rest) = (text.get(..end).unwrap_or(text), text.get(end..).unwrap_or(""));
        (value.trim_end_matches([' ', '\t']), rest)
    }
}

/// A quote ends a value only before a separator and a pair, or the end: user names and URLs hold quotes. A value whose
/// closing quote was cut off runs to the end.
fn quoted(inner: &str, separator: u8) -> (&str, &str) {
    let bytes = inner.as_bytes();
    for at in memchr::memchr_iter(b'"', bytes) {
        let rest = inner.get(at + 1..).unwrap_or("");
        let separated = rest.bytes().next().is_none_or(|byte| byte == separator || byte == b' ' || byte == b',');
        if separated && starts_pair(rest.get(1..).unwrap_or("")) {
            return (inner.get(..at).unwrap_or(""), rest);
        }
    }
    (inner, "")
}

/// Whether `key=` stands here, perhaps behind a few blanks. Both are bounded: this is asked at every separator, and a
/// line of a million blanks must not be read a million times.
fn starts_pair(text: &str) -> bool {
    const BLANKS_MAX: usize = 4;
    const KEY_BYTES_MAX: usize = 64;
    let blanks = text.bytes().take(BLANKS_MAX).take_while(|byte| matches!(byte, b' ' | b',')).count();
    let text = text.get(blanks..).unwrap_or("");
    let is_key_byte = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let key = text.bytes().take(KEY_BYTES_MAX).take_while(is_key_byte).count();
    text.is_empty() || (key > 0 && text.as_bytes().get(key) == Some(&b'='))
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
