//! JSON objects out of a body, each as the bytes it was written with: one a line, one array of them, one alone, or one
//! behind the other. Where an object ends is found by its brackets; whether it is JSON is asked of each. Text inside
//! strings need not be UTF-8: a forwarder that passes `Shift_JIS` on says something worth keeping.

use std::io::BufRead;

use serde::de::IgnoredAny;

use super::refused::Refused;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before anything.
    Start,
    /// Between objects that are not in an array.
    Between,
    /// Behind `[`.
    Opened,
    /// Behind an object in an array.
    BehindItem,
    /// Behind a comma in an array.
    BehindComma,
    /// Behind `]`.
    Closed,
}

#[derive(Debug)]
pub(super) struct Objects<R> {
    reader: R,
    place: Place,
    /// A byte order mark was there; a second would be text.
    marked: bool,
    /// The line that is being read, from 1.
    line: u64,
    bytes_max: usize,
}

/// An object as written and the line it begins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) line: u64,
    pub(super) bytes: Vec<u8>,
}

impl<R: BufRead> Objects<R> {
    pub(super) fn new(reader: R, bytes_max: usize) -> Self {
        Self { reader, place: Place::Start, marked: false, line: 1, bytes_max }
    }

    pub(super) fn next(&mut self) -> Result<Option<Object>, Refused> {
        if !self.find()? {
            return Ok(None);
        }
        let line = self.line;
        let bytes = self.take(line)?;
        match serde_json::from_slice::<IgnoredAny>(&bytes) {
            Ok(_) => Ok(Some(Object { line, bytes })),
            Err(error) => {
                let behind = (error.line() as u64).saturating_sub(1);
                Err(Refused::NotJson { line: line + behind, reason: error.to_string() })
            }
        }
    }

    /// Goes to the next `{`; `false` at the end of the body.
    fn find(&mut self) -> Result<bool, Refused> {
        loop {
            let Some(&byte) = self.reader.fill_buf()?.first() else { return self.end().map(|()| false) };
            match byte {
                b' ' | b'\t' | b'\r' => {}
                b'\n' => self.line += 1,
                0xEF if self.place == Place::Start && !self.marked => {
                    self.marked = true;
                    self.skip_mark()?;
                    continue;
                }
                _ if self.step(byte)? => return Ok(true),
                _ => {}
            }
            self.reader.consume(1);
        }
    }

    /// A UTF-8 byte order mark.
    fn skip_mark(&mut self) -> Result<(), Refused> {
        for expected in [0xEF, 0xBB, 0xBF] {
            if self.reader.fill_buf()?.first() != Some(&expected) {
                return Err(self.not_json("オブジェクトの始まりではありません"));
            }
            self.reader.consume(1);
        }
        Ok(())
    }

    /// Moves over one byte outside objects; `true` where an object begins.
    fn step(&mut self, byte: u8) -> Result<bool, Refused> {
        let (place, begins) = match (self.place, byte) {
            (Place::Start | Place::Between, b'{') => (Place::Between, true),
            (Place::Opened | Place::BehindComma, b'{') => (Place::BehindItem, true),
            (Place::Start, b'[') => (Place::Opened, false),
            (Place::BehindItem, b',') => (Place::BehindComma, false),
            (Place::Opened | Place::BehindItem, b']') => (Place::Closed, false),
            _ => return Err(self.not_json("オブジェクトの始まりではありません")),
        };
        self.place = place;
        Ok(begins)
    }

    fn end(&self) -> Result<(), Refused> {
        match self.place {
            Place::Start => Err(Refused::Empty),
            Place::Between | Place::Closed => Ok(()),
            Place::Opened | Place::BehindItem | Place::BehindComma => Err(self.not_json("配列が閉じていません")),
        }
    }

    fn not_json(&self, reason: &str) -> Refused {
        Refused::NotJson { line: self.line, reason: reason.to_owned() }
    }

    /// Takes from `{` to its `}`.
    fn take(&mut self, line: u64) -> Result<Vec<u8>, Refused> {
        let (mut bytes, mut brackets) = (Vec::new(), Brackets::default());
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Err(Refused::NotJson { line, reason: "オブジェクトが閉じていません".to_owned() });
            }
            let end = buffer.iter().position(|&byte| brackets.close(byte));
            let used = end.map_or(buffer.len(), |end| end + 1);
            let piece = buffer.get(..used).unwrap_or_default();
            if bytes.len() + piece.len() > self.bytes_max {
                return Err(Refused::RecordTooLong { line, limit: self.bytes_max });
            }
            bytes.extend_from_slice(piece);
            self.line += memchr::memchr_iter(b'\n', piece).count() as u64;
            self.reader.consume(used);
            if end.is_some() {
                return Ok(bytes);
            }
        }
    }
}

/// Which brackets are open, strings left out.
#[derive(Default)]
struct Brackets {
    open: u32,
    in_string: bool,
    escaped: bool,
}

impl Brackets {
    /// Whether `byte` closes the outermost.
    fn close(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.open = self.open.saturating_add(1),
            b'}' | b']' => self.open = self.open.saturating_sub(1),
            _ => {}
        }
        self.open == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Cursor};

    fn read(text: &[u8], buffer: usize) -> Result<Vec<(u64, String)>, Refused> {
        let mut objects = Objects::new(BufReader::with_capacity(buffer, Cursor::new(text.to_vec())), 64);
        let mut found = Vec::new();
        while let Some(object) = objects.next()? {
            found.push((object.line, String::from_utf8_lossy(&object.bytes).into_owned()));
        }
        Ok(found)
    }

    fn check(text: &str, expected: &[(u64, &str)]) {
        for buffer in [1, 2, 7, 4096] {
            let expected: Vec<_> = expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
            assert_eq!(read(text.as_bytes(), buffer).unwrap(), expected, "{text} {buffer}");
        }
    }

    #[test]
    fn objects_are_found_in_every_arrangement_as_they_were_written() {
        check("{\"a\": 1}\n{\"b\":[2,{}]}\n", &[(1, "{\"a\": 1}"), (2, "{\"b\":[2,{}]}")]);
        check("\u{feff}[{\"a\":\"]}\\\"{\"},\r\n {}]\n", &[(1, "{\"a\":\"]}\\\"{\"}"), (2, "{}")]);
        check("{\n \"a\": 1\n}\n\n{}", &[(1, "{\n \"a\": 1\n}"), (5, "{}")]);
        check("{}{}", &[(1, "{}"), (1, "{}")]);
        check("[]", &[]);
    }

    #[test]
    fn what_is_not_json_is_told_with_its_line() {
        for (text, line) in [
            ("{}\n{}\nhello\n", 3),
            ("{}\n{\"a\":}\n", 2),
            ("{\"a\":1\n,}\n", 2),
            ("{}\n\n{\"a\":\n", 3),
            ("[{},\n{},]", 2),
            ("[{} {}]", 1),
            ("[{}]\n{}", 2),
            ("{}\n[{}]", 2),
            ("[{}\n", 2),
            ("{}\n3\n", 2),
            ("{\"a\":]}", 1),
            ("\u{feff}\u{feff}{}", 1),
        ] {
            for buffer in [1, 4096] {
                let found = read(text.as_bytes(), buffer);
                assert!(
                    matches!(&found, Err(Refused::NotJson { line: told, .. }) if *told == line),
                    "{text} {found:?}"
                );
            }
        }
        assert!(matches!(read(b" \n", 8), Err(Refused::Empty)));
    }

    #[test]
    fn deep_and_long_objects_end_at_their_bounds() {
        let deep = format!("{}{}", "{\"a\":".repeat(12), "[".repeat(4));
        assert!(matches!(
            read(deep.as_bytes(), 8),
            Err(Refused::RecordTooLong { line: 1, .. } | Refused::NotJson { .. })
        ));
        let long = format!("{{}}\n{{\"a\":\"{}\"}}", "x".repeat(80));
        assert!(matches!(read(long.as_bytes(), 8), Err(Refused::RecordTooLong { line: 2, limit: 64 })));
        let nested = "[".repeat(100_000);
        let nested = format!("{{\"a\":{nested}");
        let mut objects = Objects::new(nested.as_bytes(), 1 << 20);
        assert!(matches!(objects.next(), Err(Refused::NotJson { line: 1, .. })));
    }

    #[test]
    fn other_encodings_inside_strings_are_kept() {
        let text = b"{\"m\":\"\x83\x8d\x83O\"}";
        assert_eq!(read(text, 3).unwrap().len(), 1);
    }
}
