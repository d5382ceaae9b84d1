//! `multipart/form-data` (RFC 7578) read as it arrives: of a part only its head is held, at most
//! [`PART_HEAD_BYTES_MAX`].

use std::io::Read;

use memchr::memmem::Finder;

use super::refused::Refused;
use crate::limits::PART_HEAD_BYTES_MAX;

/// Bytes read at once.
const PIECE_BYTES: usize = 64 * 1024;

pub(super) struct Multipart<R> {
    reader: R,
    /// A line feed, two dashes and the boundary.
    delimiter: Finder<'static>,
    /// What was read and not given out yet.
    held: Vec<u8>,
    at_part: bool,
}

impl<R: Read> Multipart<R> {
    pub(super) fn new(reader: R, boundary: &str) -> Self {
        let delimiter = Finder::new(format!("\r\n--{boundary}").as_bytes()).into_owned();
        // The first boundary may stand at the very beginning, where no line ends before it.
        Self { reader, delimiter, held: b"\r\n".to_vec(), at_part: false }
    }

    /// Goes to the next part and gives its file name, empty where it has none; `None` behind the last.
    pub(super) fn next_part(&mut self) -> Result<Option<String>, Refused> {
        if !self.at_part {
            self.content(&mut |_| Ok(()))?;
        }
        self.at_part = false;
        while self.held.len() < 2 {
            self.more()?;
        }
        if self.held.starts_with(b"--") {
            return self.skip_rest().map(|()| None);
        }
        self.head().map(Some)
    }

    /// Hands the part's content to `take`, and stands at the next delimiter.
    pub(super) fn content(&mut self, take: &mut dyn FnMut(&[u8]) -> Result<(), Refused>) -> Result<(), Refused> {
        loop {
            if let Some(end) = self.delimiter.find(&self.held) {
                take(self.held.get(..end).unwrap_or_default())?;
                self.held.drain(..end + self.delimiter.needle().len());
                self.at_part = true;
                return Ok(());
            }
            // A delimiter may have begun at the end of what is held.
            let sure = self.held.len().saturating_sub(self.delimiter.needle().len());
            take(self.held.get(..sure).unwrap_or_default())?;
            self.held.drain(..sure);
            self.more()?;
        }
    }

    /// From behind the delimiter to behind the empty line.
    fn head(&mut self) -> Result<String, Refused> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.held, b"\r\n\r\n") {
                let name = file_name(&String::from_utf8_lossy(self.held.get(..end).unwrap_or_default()));
                self.held.drain(..end + 4);
                return Ok(name);
            }
            if self.held.len() > PART_HEAD_BYTES_MAX {
                return Err(Refused::Multipart("見出しが長すぎます"));
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Result<(), Refused> {
        let before = self.held.len();
        self.held.resize(before + PIECE_BYTES, 0);
        let read = self.reader.read(self.held.get_mut(before..).unwrap_or_default())?;
        self.held.truncate(before + read);
        if read == 0 { Err(Refused::Multipart("最後の境界がありません")) } else { Ok(()) }
    }

    /// What stands behind the last boundary means nothing, but belongs to the body.
    fn skip_rest(&mut self) -> Result<(), Refused> {
        self.held.resize(PIECE_BYTES, 0);
        while self.reader.read(&mut self.held)? > 0 {}
        Ok(())
    }
}

/// The `filename` of a `Content-Disposition`; browsers and curl write `\"` for a quote in it.
fn file_name(head: &str) -> String {
    let disposition = head.lines().find(|line| {
        line.split_once(':').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"))
    });
    let Some((_, value)) = disposition.and_then(|line| line.split_once("filename=\"")) else { return String::new() };
    let mut name = String::new();
    let mut escaped = false;
    for character in value.chars() {
        match character {
            '"' if !escaped => break,
            '\\' if !escaped => escaped = true,
            _ => {
                // A Windows path has single backslashes, which stand for themselves.
                if escaped && character != '"' && character != '\\' {
                    name.push('\\');
                }
                name.push(character);
                escaped = false;
            }
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Slowly<'a>(&'a [u8], usize);

    impl Read for Slowly<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = self.1.min(self.0.len()).min(buffer.len());
            let (now, later) = self.0.split_at(length);
            buffer[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }

    fn parts(body: &[u8], step: usize) -> Result<Vec<(String, Vec<u8>)>, Refused> {
        let mut multipart = Multipart::new(Slowly(body, step), "xY");
        let mut found = Vec::new();
        while let Some(name) = multipart.next_part()? {
            let mut content = Vec::new();
            multipart.content(&mut |bytes| {
                content.extend_from_slice(bytes);
                Ok(())
            })?;
            found.push((name, content));
        }
        Ok(found)
    }

    const TWO: &[u8] = b"--xY\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.evtx\"\r\n\
        Content-Type: application/octet-stream\r\n\r\nabc\r\n--x\r\n--xZ\r\n-\r\n--xY\r\n\
        content-disposition: form-data; name=\"note\"\r\n\r\n\r\n--xY--\r\nignored";

    #[test]
    fn parts_come_whole_however_they_arrive() {
        let expected = [("a.evtx".to_owned(), b"abc\r\n--x\r\n--xZ\r\n-".to_vec()), (String::new(), Vec::new())];
        for step in [1, 2, 3, 5, 7, 1000] {
            assert_eq!(parts(TWO, step).unwrap(), expected, "{step}");
        }
        let preamble = [b"a preamble\r\n".as_slice(), TWO].concat();
        assert_eq!(parts(&preamble, 4).unwrap(), expected);
    }

    #[test]
    fn bodies_without_an_end_are_refused() {
        for end in 0..TWO.len() - b"--\r\nignored".len() {
            for step in [1, 1000] {
                assert!(matches!(parts(&TWO[..end], step), Err(Refused::Multipart(_))), "{end}");
            }
        }
        let endless = [b"--xY\r\nX: ".as_slice(), &vec![b'x'; 200_000]].concat();
        assert!(matches!(parts(&endless, 5000), Err(Refused::Multipart("見出しが長すぎます"))));
    }

    #[test]
    fn file_names_come_out_of_their_quotes() {
        for (given, expected) in [
            ("name=\"f\"; filename=\"セキュリティ.evtx\"", "セキュリティ.evtx"),
            ("filename=\"a\\\"b.evtx\"", "a\"b.evtx"),
            ("filename=\"C:\\logs\\a.evtx\"", "C:\\logs\\a.evtx"),
            ("name=\"f\"", ""),
        ] {
            assert_eq!(file_name(&format!("X: y\r\nContent-Disposition: form-data; {given}")), expected);
        }
    }
}
