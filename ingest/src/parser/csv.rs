//! One line of comma-separated values (RFC 4180), the form of PAN-OS, NPS and exports. Owns quoting and nothing else.

use std::borrow::Cow;

/// Most values read of one line: the longest documented row (PAN-OS traffic) has some 120; a hostile line has no end.
const VALUES_MAX: usize = 512;

/// The values of one line in order; quotes taken off, `""` undone. A quote that never closes runs to the end.
pub(crate) fn values(line: &str, separator: u8) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let (value, behind) = next(rest?, separator);
        rest = behind;
        Some(value)
    })
    .take(VALUES_MAX)
}

fn next(text: &str, separator: u8) -> (Cow<'_, str>, Option<&str>) {
    if let Some(inner) = text.strip_prefix('"')
        && let Some((value, behind)) = quoted(inner, separator)
    {
        return (value, behind);
    }
    match memchr::memchr(separator, text.as_bytes()) {
        Some(at) => (Cow::Borrowed(text.get(..at).unwrap_or(text)), text.get(at + 1..)),
        None => (Cow::Borrowed(text), None),
    }
}

/// Up to the quote that a separator or the end follows.
fn quoted(inner: &str, separator: u8) -> Option<(Cow<'_, str>, Option<&str>)> {
    let bytes = inner.as_bytes();
    let mut from = 0;
    let end = loop {
        let at = from + memchr::memchr(b'"', bytes.get(from..)?)?;
        match bytes.get(at + 1) {
            Some(b'"') => from = at + 2,
            _ => break at,
        }
    };
    let value = inner.get(..end)?;
    let behind = inner.get(end + 1..)?;
    let value = if value.contains('"') { Cow::Owned(value.replace("\"\"", "\"")) } else { Cow::Borrowed(value) };
    let next = memchr::memchr(separator, behind.as_bytes()).and_then(|at| behind.get(at + 1..));
    Some((value, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_separators() {
        let found: Vec<_> = values(r#"1,"a, b",,"say ""x""","end"#, b',').map(Cow::into_owned).collect();
        assert_eq!(found, ["1", "a, b", "", r#"say "x""#, "\"end"]);
        assert_eq!(values("", b',').count(), 1);
        assert_eq!(values("a,", b',').count(), 2);
    }
}
