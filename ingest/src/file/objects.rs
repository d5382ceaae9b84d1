//! Objects of a JSON file that is no NDJSON: an array, or objects written over several lines. Owns where an object begins
//! and ends and nothing else, so that a file of any size needs the memory of one object.

use std::io::{self, BufRead, BufReader, Read};

use monban_event::limits;

use super::charset::Charset;

const BUFFER_BYTES: usize = 64 * 1024;

pub(super) struct Objects<R> {
    reader: BufReader<R>,
    charset: Charset,
    /// Bytes between objects that belong to no JSON.
    stray: u64,
    /// The file ended inside an object.
    torn: bool,
}

/// Where a byte stands.
#[derive(Default)]
struct Place {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Place {
    /// Takes a character in; `true` when the object is complete with it.
    fn step(&mut self, character: Option<u8>) -> bool {
        if self.in_string {
            match character {
                _ if self.escaped => self.escaped = false,
                Some(b'\\') => self.escaped = true,
                Some(b'"') => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match character {
            Some(b'"') => self.in_string = true,
            Some(b'{' | b'[') => self.depth += 1,
            Some(b'}' | b']') => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.depth == 0
    }
}

impl<R: Read> Objects<R> {
    pub(super) fn new(reader: R, charset: Charset) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER_BYTES, reader), charset, stray: 0, torn: false }
    }

    /// What of the file was not read as objects, in Japanese.
    pub(super) fn damage(&self) -> Vec<String> {
        let stray = (self.stray > 0).then(|| format!("JSON でない部分が {} バイトあり、読み飛ばしました", self.stray));
        let torn = self.torn.then(|| "最後の JSON が途中で切れています".to_owned());
        stray.into_iter().chain(torn).collect()
    }

    /// The bytes of the next object and whether its rest was thrown away.
    pub(super) fn next_object(&mut self) -> io::Result<Option<(Vec<u8>, bool)>> {
        let Some(brace) = self.find_start()? else { return Ok(None) };
        let mut bytes = [self.charset.mark(), &brace].concat();
        let mut cut = false;
        let mut place = Place { depth: 1, ..Place::default() };
        loop {
            let (unit, length) = self.next_unit()?;
            if length == 0 {
                self.torn = true;
                return Ok(Some((bytes, cut)));
            }
            if bytes.len() + length <= limits::RECORD_BYTES_MAX {
                bytes.extend_from_slice(unit.get(..length).unwrap_or_default());
            } else {
                cut = true;
            }
            if place.step(self.character(unit, length)) {
                return Ok(Some((bytes, cut)));
            }
        }
    }

    /// Moves behind the next `{` and gives it; the brackets and commas of an array, and blanks, may stand in between.
    fn find_start(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut at_start = self.charset.is_wide();
        loop {
            let (unit, length) = self.next_unit()?;
            let bytes = unit.get(..length).unwrap_or_default();
            match self.character(unit, length) {
                _ if length == 0 => return Ok(None),
                Some(b'{') => return Ok(Some(bytes.to_vec())),
                Some(b'[' | b']' | b',') => {}
                Some(character) if character.is_ascii_whitespace() => {}
                _ if at_start && bytes == self.charset.mark() => {}
                _ => self.stray += length as u64,
            }
            at_start = false;
        }
    }

    fn next_unit(&mut self) -> io::Result<([u8; 2], usize)> {
        let wanted = if self.charset.is_wide() { 2 } else { 1 };
        let mut unit = [0; 2];
        let mut length = 0;
        while length < wanted {
            let Some(&byte) = self.reader.fill_buf()?.first() else { break };
            if let Some(place) = unit.get_mut(length) {
                *place = byte;
            }
            self.reader.consume(1);
            length += 1;
        }
        Ok((unit, length))
    }

    fn character(&self, unit: [u8; 2], length: usize) -> Option<u8> {
        if self.charset.is_wide() && length == 2 { self.charset.unit(unit) } else { unit.first().copied() }
    }
}

/// Whether a text begins as an array of objects or as an object that goes on in the next line. A line in brackets, as
/// devices write it, is neither.
pub(super) fn looks_like_objects(start: &str) -> bool {
    let start = start.trim_start_matches('\u{FEFF}').trim_start();
    if let Some(rest) = start.strip_prefix('[') {
        return rest.trim_start().starts_with('{');
    }
    let first_line = start.lines().next().unwrap_or("").trim_end();
    first_line == "{" && start.get(1..).is_some_and(|rest| rest.trim_start().starts_with('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
        let mut objects = Objects::new(bytes, Charset::of(bytes));
        let mut found = Vec::new();
        while let Some((bytes, _)) = objects.next_object().expect("memory reads") {
            found.push(crate::text::decode(&bytes, None).text.into_owned());
        }
        (found, objects.damage())
    }

    #[test]
    fn an_array_gives_its_objects() {
        let (found, damage) = objects(b"\n[ {\"a\": \"}]\\\"{\"},\r\n{\"b\":[{}]} ]\n");
        assert_eq!(found, ["{\"a\": \"}]\\\"{\"}", "{\"b\":[{}]}"]);
        assert_eq!(damage, Vec::<String>::new());
        assert_eq!(objects(b"[]").0, Vec::<String>::new());
    }

    #[test]
    fn objects_over_several_lines() {
        assert_eq!(objects(b"{\n \"a\": 1\n}\n{\n \"a\": 2\n}\n").0, ["{\n \"a\": 1\n}", "{\n \"a\": 2\n}"]);
    }

    #[test]
    fn utf16_objects() {
        let text: Vec<u8> = "\u{FEFF}[{\"a\":\"山田\"}]".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let (found, damage) = objects(&text);
        assert_eq!(found, ["{\"a\":\"山田\"}"]);
        assert_eq!(damage, Vec::<String>::new());
    }

    #[test]
    fn damage_is_told_and_the_rest_is_read() {
        let (found, damage) = objects(b"[{\"a\":1}, oops, {\"b\":2}, {\"c\":");
        assert_eq!(found, ["{\"a\":1}", "{\"b\":2}", "{\"c\":"]);
        assert_eq!(damage.len(), 2);
    }

    #[test]
    fn a_line_in_brackets_is_no_array() {
        for text in ["[2026-10-25 12:00:00] text", "[IKE] respond", "{\"a\":1}\n{\"a\":2}", "{", ""] {
            assert!(!looks_like_objects(text), "{text}");
        }
        for text in ["[{\"a\":1}]", "\u{FEFF} [\n  {", "{\n  \"a\": 1\n}"] {
            assert!(looks_like_objects(text), "{text}");
        }
    }
}
