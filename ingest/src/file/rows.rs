//! Rows of a CSV file, each behind the header line it belongs to. Owns which files are CSV with a header, what separates
//! their columns and where a row ends; what a column means is the parser's business.
//!
//! Quirks: a quoted value may hold line breaks (the event viewer of Windows writes whole descriptions); Excel puts
//! `sep=;` and `PowerShell` puts `#TYPE …` in front of the header; NPS and PAN-OS write rows without a header, which are
//! lines like any other.

use std::collections::VecDeque;
use std::io::{self, Read};

use monban_event::limits;

use super::charset::Charset;
use super::lines::{Line, Lines};
use crate::parser::csv;
use crate::{stamp, text};

/// Lines that one row may run over. The longest description of Windows has some 60; a quote that never closes would
/// swallow the file.
const ROW_LINES_MAX: usize = 200;

/// Lines in front of the header that are passed over.
const PREAMBLE_LINES_MAX: usize = 3;

/// Longest column name taken for one, in characters: longer is prose with commas.
const NAME_CHARACTERS_MAX: usize = 64;

/// What may separate columns, the commonest first.
const SEPARATORS: [u8; 3] = [b',', b'\t', b';'];

/// The separator of a header line: the one that makes most columns; `None` where none makes two.
pub(crate) fn separator(header: &str) -> Option<u8> {
    let columns = |separator: u8| csv::values(header, separator).count();
    // The first of equals wins.
    let best = SEPARATORS.into_iter().rev().max_by_key(|&separator| columns(separator))?;
    (columns(best) >= 2).then_some(best)
}

/// Whether a line names columns. `by_name`: the file's name says CSV, so that unknown names are believed; any other
/// file must name at least two columns that are known.
pub(super) fn is_header(line: &str, by_name: bool) -> bool {
    let line = line.trim_end_matches(['\r', '\n']);
    let Some(separator) = separator(line) else { return false };
    // A comma behind the last name makes one more column without a name.
    let names: Vec<_> = csv::values(line, separator).filter(|name| !name.trim().is_empty()).collect();
    let mut distinct: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let known = names.iter().filter(|name| crate::parser::csv_row::is_known_column(name)).count();
    // Firewalls name a few of a hundred columns twice.
    let repeats = names.len() - distinct.len();
    let plausible = names.len() >= 2 && repeats * 10 <= names.len() && names.iter().all(|name| is_name(name.trim()));
    plausible && known >= if by_name { 0 } else { 2 }
}

/// A value is no name: a number, a time, an address, `key=value`, or a whole sentence.
fn is_name(text: &str) -> bool {
    let starts_well =
        text.chars().next().is_some_and(|first| first.is_alphabetic() || matches!(first, '_' | '@' | '#'));
    starts_well
        && text.chars().count() <= NAME_CHARACTERS_MAX
        && !text.contains(['=', '<', '>', '{', '|'])
        && text.parse::<std::net::IpAddr>().is_err()
        && stamp::read(text).is_none()
}

/// Whether the line stands in front of a header and says how to read the file.
pub(super) fn is_preamble(line: &str) -> bool {
    let line = line.trim_start_matches('\u{FEFF}').to_ascii_lowercase();
    line.starts_with("sep=") || line.starts_with("#type ")
}

pub(super) struct Rows<R> {
    lines: Lines<R>,
    charset: Charset,
    header: Option<Vec<u8>>,
    /// Lines read while looking for the end of a row that had none.
    pending: VecDeque<Line>,
    /// Bytes of the file in front of the first pending line.
    position: u64,
}

/// One row behind its header.
pub(super) struct Row {
    pub(super) bytes: Vec<u8>,
    pub(super) cut: bool,
    pub(super) ended: bool,
}

impl<R: Read> Rows<R> {
    pub(super) fn new(reader: R, charset: Charset) -> Self {
        let lines = Lines::new(reader, charset, 0);
        Self { lines, charset, header: None, pending: VecDeque::new(), position: 0 }
    }

    /// Goes on at a row in the middle of a file whose header is known.
    pub(super) fn behind(header: Vec<u8>, reader: R, charset: Charset, position: u64) -> Self {
        let lines = Lines::new(reader, charset, position);
        Self { lines, charset, header: Some(header), pending: VecDeque::new(), position }
    }

    /// The header line, read if it has not been yet.
    pub(super) fn header(&mut self) -> io::Result<Vec<u8>> {
        if self.header.is_none() {
            self.header = self.read_header()?;
        }
        Ok(self.header.clone().unwrap_or_default())
    }

    /// Bytes of the file in front of the next row.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn next_row(&mut self) -> io::Result<Option<Row>> {
        let header = self.header()?;
        let Some(row) = self.next_joined()? else { return Ok(None) };
        let mut bytes = [header.as_slice(), &self.charset.ascii(b'\n'), own(&row, self.charset)].concat();
        let cut = row.cut || bytes.len() > limits::RECORD_BYTES_MAX;
        bytes.truncate(limits::RECORD_BYTES_MAX);
        Ok(Some(Row { bytes, cut, ended: row.ended }))
    }

    fn read_header(&mut self) -> io::Result<Option<Vec<u8>>> {
        for _ in 0..PREAMBLE_LINES_MAX {
            let Some(line) = self.next_joined()? else { return Ok(None) };
            if !is_preamble(&text::decode(&line.bytes, None).text) {
                return Ok(Some(line.bytes));
            }
        }
        Ok(self.next_joined()?.map(|line| line.bytes))
    }

    /// A line and those that an open quote joins to it.
    fn next_joined(&mut self) -> io::Result<Option<Line>> {
        let Some(first) = self.next_pending()? else {
            self.position = self.lines.position();
            return Ok(None);
        };
        let mut quotes = self.charset.count(&first.bytes, b'"');
        let (mut more, mut is_open) = (Vec::new(), false);
        let mut bytes = first.bytes.len();
        while quotes % 2 == 1 && more.len() < ROW_LINES_MAX && bytes < limits::RECORD_BYTES_MAX {
            let Some(line) = self.next_pending()? else {
                // The rest of the row may not have been written yet.
                is_open = true;
                break;
            };
            quotes += self.charset.count(&line.bytes, b'"');
            bytes += line.bytes.len() + 1;
            more.push(line);
        }
        let row = if quotes.is_multiple_of(2) { self.join(first, more) } else { self.give_back(first, more) };
        let row = Line { ended: row.ended && !is_open, ..row };
        self.position = self.lines.position() - self.pending_bytes();
        Ok(Some(row))
    }

    fn next_pending(&mut self) -> io::Result<Option<Line>> {
        match self.pending.pop_front() {
            Some(line) => Ok(Some(line)),
            None => self.lines.next_line(),
        }
    }

    fn join(&self, mut row: Line, more: Vec<Line>) -> Line {
        for line in more {
            row.bytes.extend(self.charset.ascii(b'\n'));
            row.bytes.extend_from_slice(own(&line, self.charset));
            row.cut |= line.cut;
            row.ended = line.ended;
        }
        row
    }

    /// The quote never closes: the first line is a row by itself, the others are looked at anew.
    fn give_back(&mut self, first: Line, more: Vec<Line>) -> Line {
        for line in more.into_iter().rev() {
            self.pending.push_front(line);
        }
        first
    }

    fn pending_bytes(&self) -> u64 {
        self.pending.iter().map(|line| line.length).sum()
    }
}

/// The line without the byte-order mark in front.
fn own(line: &Line, charset: Charset) -> &[u8] {
    line.bytes.get(charset.mark().len()..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(bytes: &[u8]) -> Vec<String> {
        let mut rows = Rows::new(bytes, Charset::of(bytes));
        let mut found = Vec::new();
        while let Some(row) = rows.next_row().expect("memory reads") {
            found.push(text::decode(&row.bytes, None).text.into_owned());
        }
        found
    }

    #[test]
    fn every_row_brings_its_header() {
        assert_eq!(rows(b"a,b\r\n1,2\r\n3,4\n"), ["a,b\r\n1,2", "a,b\r\n3,4"]);
        assert_eq!(rows(b"a,b\n"), Vec::<String>::new());
        assert_eq!(rows(b"sep=;\na;b\n1;2"), ["a;b\n1;2"]);
    }

    #[test]
    fn a_quoted_value_runs_over_lines() {
        assert_eq!(rows(b"a,b\n1,\"x\ny\n\"\n2,z\n"), ["a,b\n1,\"x\ny\n\"", "a,b\n2,z"]);
    }

    #[test]
    fn a_quote_that_never_closes_costs_only_its_row() {
        let mut text = b"a,b\n1,\"open\n".to_vec();
        text.extend(b"2,x\n".repeat(3 * ROW_LINES_MAX));
        let found = rows(&text);
        assert_eq!(found.len(), 1 + 3 * ROW_LINES_MAX);
        assert_eq!((found[0].as_str(), found[1].as_str()), ("a,b\n1,\"open", "a,b\n2,x"));
    }

    #[test]
    fn utf16_rows_are_decoded_whole() {
        let text: Vec<u8> = "\u{FEFF}日時,ユーザー\n1,山田\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(rows(&text), ["日時,ユーザー\n1,山田"]);
    }

    #[test]
    fn headers_are_told_from_rows() {
        for (line, by_name, expected) in [
            ("日時,ユーザー名,接続元IP,結果", false, true),
            ("Keywords,Date and Time,Source,Event ID,Task Category", false, true),
            ("キーワード,日付と時刻,ソース,イベント ID,タスクのカテゴリ", false, true),
            ("date;time;user;src_ip", false, true),
            ("受付番号\t氏名\t科", true, true),
            ("受付番号\t氏名\t科", false, false),
            ("\"NPS01\",\"IAS\",10/25/2026,12:00:00,1,\"yamada\"", true, false),
            ("1,2026/10/25 12:00:00,0123,SYSTEM,auth", true, false),
            ("date=2026-10-25,time=12:00:00,user=\"x\"", true, false),
            ("Oct 25 12:00:00 fw1 sshd[7]: user, time and host", false, false),
            ("user,user", true, false),
            ("日時,ユーザー,", false, true),
            ("", true, false),
        ] {
            assert_eq!(is_header(line, by_name), expected, "{line}");
        }
    }
}
