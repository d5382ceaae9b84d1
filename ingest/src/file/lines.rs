//! Lines of a text, one at a time. Owns where a line ends and how much of it is held; never looks at what it says.

use std::io::{self, BufRead, BufReader, Read};

use monban_event::limits;

use super::charset::Charset;

/// Read at once, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// Without its line feed; a file's byte-order mark stands in front where there is one.
    pub(super) bytes: Vec<u8>,
    /// Its rest, beyond [`limits::RECORD_BYTES_MAX`], was thrown away.
    pub(super) cut: bool,
    /// A line feed ended it, and not the end of the file.
    pub(super) ended: bool,
    /// What it takes in the file, line feed and all.
    pub(super) length: u64,
}

pub(super) struct Lines<R> {
    reader: BufReader<R>,
    charset: Charset,
    /// Bytes of the file in front of the next line.
    position: u64,
}

impl<R: Read> Lines<R> {
    /// `position` is where in the file the reader stands.
    pub(super) fn new(reader: R, charset: Charset, position: u64) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER_BYTES, reader), charset, position }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next line; `None` behind the last. An empty piece behind the last line feed is no line.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Line>> {
        let before = self.position;
        let line = if self.charset.is_wide() { self.wide_line()? } else { self.byte_line()? };
        Ok(line.map(|line| Line { length: self.position - before, ..line }))
    }

    fn byte_line(&mut self) -> io::Result<Option<Line>> {
        let mut line = Line::default();
        let mut any = false;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(any.then_some(line));
            }
            any = true;
            let end = memchr::memchr(b'\n', buffer);
            push(&mut line, buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default());
            let used = end.map_or(buffer.len(), |end| end + 1);
            self.consume(used);
            if end.is_some() {
                line.ended = true;
                return Ok(Some(line));
            }
        }
    }

    /// UTF-16, unit by unit. A last odd byte belongs to the last line.
    fn wide_line(&mut self) -> io::Result<Option<Line>> {
        let mut line = Line { bytes: self.charset.mark().to_vec(), ..Line::default() };
        let mut any = false;
        loop {
            let (unit, length) = self.next_unit()?;
            let at_start = self.position == length as u64;
            match unit.get(..length).unwrap_or_default() {
                [] => return Ok(any.then_some(line)),
                mark if at_start && mark == self.charset.mark() => {}
                [_, _] if self.charset.unit(unit) == Some(b'\n') => {
                    line.ended = true;
                    return Ok(Some(line));
                }
                piece => push(&mut line, piece),
            }
            any = true;
        }
    }

    fn next_unit(&mut self) -> io::Result<([u8; 2], usize)> {
        let mut unit = [0; 2];
        let mut length = 0;
        while let Some(place) = unit.get_mut(length) {
            let Some(&byte) = self.reader.fill_buf()?.first() else { break };
            *place = byte;
            self.consume(1);
            length += 1;
        }
        Ok((unit, length))
    }

    fn consume(&mut self, bytes: usize) {
        self.reader.consume(bytes);
        self.position += bytes as u64;
    }
}

fn push(line: &mut Line, piece: &[u8]) {
    let room = limits::RECORD_BYTES_MAX.saturating_sub(line.bytes.len());
    line.cut |= piece.len() > room;
    line.bytes.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<(Vec<u8>, bool)> {
        let mut lines = Lines::new(bytes, Charset::of(bytes), 0);
        let mut found = Vec::new();
        while let Some(line) = lines.next_line().expect("memory reads") {
            found.push((line.bytes, line.ended));
        }
        assert_eq!(lines.position(), bytes.len() as u64);
        found
    }

    #[test]
    fn lines_end_at_line_feeds() {
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"a\r\n\nb"), [(b"a\r".to_vec(), true), (vec![], true), (b"b".to_vec(), false)]);
    }

    #[test]
    fn lines_of_utf16_say_what_they_are() {
        // 0x0A0D is one character of Gurmukhi, not a line end.
        let le = b"\xFF\xFEa\0\n\0\x0D\x0Ab\0\n\0";
        assert_eq!(lines(le), [(b"\xFF\xFEa\0".to_vec(), true), (b"\xFF\xFE\x0D\x0Ab\0".to_vec(), true)]);
        let be = b"\xFE\xFF\0a\0\n\0b\0";
        assert_eq!(lines(be), [(b"\xFE\xFF\0a".to_vec(), true), (b"\xFE\xFF\0b\0".to_vec(), false)]);
        assert_eq!(lines(b"\xFF\xFE"), [(b"\xFF\xFE".to_vec(), false)]);
    }

    #[test]
    fn a_line_beyond_the_bound_is_cut_and_the_next_is_whole() {
        let mut bytes = vec![b'x'; limits::RECORD_BYTES_MAX + 9];
        bytes.extend(b"\nnext\n");
        let mut lines = Lines::new(bytes.as_slice(), Charset::Bytes, 0);
        let first = lines.next_line().unwrap().unwrap();
        assert_eq!((first.bytes.len(), first.cut), (limits::RECORD_BYTES_MAX, true));
        assert_eq!(lines.next_line().unwrap().unwrap().bytes, b"next");
    }
}
