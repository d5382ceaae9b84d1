//! Text a line at a time. A line ends with LF; CR and NUL before it belong to the end, as some senders write it.

use std::io::{self, BufRead};

/// A line of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// At most the bound.
    pub(super) bytes: Vec<u8>,
    /// It goes on behind the bound, and the reader stands in its middle.
    pub(super) too_long: bool,
}

/// The next line, also an empty one; `None` behind the last.
pub(super) fn next_line(reader: &mut impl BufRead, bytes_max: usize) -> io::Result<Option<Line>> {
    let mut line = Line::default();
    let mut any = false;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(any.then(|| ended(line)));
        }
        any = true;
        let end = memchr::memchr(b'\n', buffer);
        let piece = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        let room = bytes_max - line.bytes.len();
        line.too_long |= piece.len() > room;
        line.bytes.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
        if line.too_long {
            return Ok(Some(line));
        }
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(ended(line)));
        }
    }
}

/// Goes behind the end of the line.
pub(super) fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    reader.skip_until(b'\n').map(|_| ())
}

fn ended(mut line: Line) -> Line {
    let length = line.bytes.iter().rposition(|byte| !matches!(byte, b'\r' | 0)).map_or(0, |last| last + 1);
    line.bytes.truncate(length);
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Cursor};

    fn lines(text: &[u8], buffer: usize) -> Vec<(Vec<u8>, bool)> {
        let mut reader = BufReader::with_capacity(buffer, Cursor::new(text.to_vec()));
        let mut found = Vec::new();
        while let Some(line) = next_line(&mut reader, 5).unwrap() {
            if line.too_long {
                skip_line(&mut reader).unwrap();
            }
            found.push((line.bytes, line.too_long));
        }
        found
    }

    #[test]
    fn lines_end_where_they_end_however_they_arrive() {
        for buffer in [1, 2, 3, 64] {
            let expected = [("a", false), ("", false), ("bc", false), ("12345", true), ("z", false)];
            let expected: Vec<_> = expected.map(|(text, long)| (text.as_bytes().to_vec(), long)).into();
            assert_eq!(lines(b"a\n\nbc\r\n1234567\nz", buffer), expected, "{buffer}");
            assert_eq!(lines(b"", buffer), []);
            assert_eq!(lines(b"12345\n", buffer), [(b"12345".to_vec(), false)]);
        }
    }
}
