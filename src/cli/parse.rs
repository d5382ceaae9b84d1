//! `monban parse`: lines of a file into events on standard output, without a data directory. For trying a device's log
//! before it is connected, and for measuring the parsers.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use monban_event::{Clock, FilePosition, Format, Origin, Record, RecordId, SystemClock, Transport, limits};
use monban_ingest::{TextSettings, parse_syslog};

/// Output buffer, in bytes: one write for some hundred events.
const OUTPUT_BUFFER_BYTES: usize = 256 * 1024;

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// One JSON object per line.
    Jsonl,
}

/// Lines of a log file as events, one JSON object a line.
#[derive(clap::Args, Debug)]
pub(crate) struct ParseArgs {
    #[arg(long, value_enum, default_value = "jsonl")]
    pub(crate) format: OutputFormat,
    /// Zone of stamps without offset: a name such as Asia/Tokyo, or whole hours such as +09:00.
    #[arg(long, value_name = "ZONE", default_value = "Asia/Tokyo", value_parser = parse_zone)]
    pub(crate) tz: Tz,
    /// When the lines are to count as received (RFC 3339); now, where not given. Decides the year of stamps without one.
    #[arg(long, value_name = "TIME")]
    pub(crate) received_at: Option<DateTime<Utc>>,
    pub(crate) file: PathBuf,
}

/// A zone by its IANA name or by its offset in whole hours.
pub(crate) fn parse_zone(text: &str) -> Result<Tz, String> {
    if let Ok(zone) = text.parse() {
        return Ok(zone);
    }
    let whole_hours = monban_ingest::stamp::offset(text).filter(|seconds| seconds % 3600 == 0);
    // The sign of the Etc zones is the other way round: Etc/GMT-9 is nine hours east.
    whole_hours
        .and_then(|seconds| format!("Etc/GMT{:+}", -(seconds / 3600)).parse().ok())
        .ok_or_else(|| format!("\"{text}\" is no time zone; use a name such as Asia/Tokyo, or +09:00"))
}

pub(crate) fn run(args: &ParseArgs) -> anyhow::Result<ExitCode> {
    let path = &args.file;
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let output = BufWriter::with_capacity(OUTPUT_BUFFER_BYTES, io::stdout().lock());
    let received_at = args.received_at.unwrap_or_else(|| SystemClock.now());
    let lines = Lines::new(BufReader::new(file), path.to_string_lossy().as_ref(), received_at);
    match write_events(lines, &TextSettings { zone: args.tz }, output) {
        // Whoever reads our output may stop early, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        outcome => outcome.map(|()| ExitCode::SUCCESS).with_context(|| format!("parse {}", path.display())),
    }
}

fn write_events<R: BufRead>(lines: Lines<R>, settings: &TextSettings, mut output: impl Write) -> io::Result<()> {
    for record in lines {
        let event = parse_syslog(RecordId::default(), &record?, settings);
        serde_json::to_writer(&mut output, &event.to_json())?;
        output.write_all(b"\n")?;
    }
    output.flush()
}

/// Records of a file, one a line, in order. A line is never held beyond [`limits::RECORD_BYTES_MAX`].
struct Lines<R> {
    reader: R,
    path: Arc<str>,
    index: u64,
    received_at: DateTime<Utc>,
}

impl<R: BufRead> Lines<R> {
    fn new(reader: R, path: &str, received_at: DateTime<Utc>) -> Self {
        Self { reader, path: Arc::from(path), index: 0, received_at }
    }

    /// The next line without its end, and whether its rest was thrown away; `None` behind the last. An empty piece
    /// behind the last line end is no line.
    fn next_line(&mut self) -> io::Result<Option<(Vec<u8>, bool)>> {
        let mut line = Vec::new();
        let mut cut = false;
        let mut any = false;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(any.then_some((line, cut)));
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let piece = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            let room = limits::RECORD_BYTES_MAX - line.len();
            cut |= piece.len() > room;
            line.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
            let used = end.map_or(buffer.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some((line, cut)));
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        let (bytes, cut) = match self.next_line() {
            Ok(line) => line?,
            Err(error) => return Some(Err(error)),
        };
        let file = Some(FilePosition { import: RecordId::default(), path: Arc::clone(&self.path), index: self.index });
        self.index += 1;
        Some(Ok(Record {
            received_at: self.received_at,
            origin: Origin::Import,
            transport: Transport::File,
            peer: None,
            format: Format::Syslog,
            file,
            bytes,
            cut,
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot read its own sample has failed")]

    use super::*;

    fn lines(bytes: &[u8]) -> Vec<(usize, bool)> {
        let lines = Lines::new(BufReader::with_capacity(7, bytes), "sample.log", DateTime::default());
        lines.map(|record| record.map(|record| (record.bytes.len(), record.cut)).unwrap()).collect()
    }

    #[test]
    fn every_line_is_one_record() {
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"a\n\nbb"), [(1, false), (0, false), (2, false)]);
        assert_eq!(lines(b"a\r\nb\n"), [(2, false), (1, false)]);
    }

    #[test]
    fn a_line_beyond_the_bound_is_cut_and_the_next_is_whole() {
        let mut bytes = vec![b'x'; limits::RECORD_BYTES_MAX + 9];
        bytes.extend(b"\nnext\n");
        assert_eq!(lines(&bytes), [(limits::RECORD_BYTES_MAX, true), (4, false)]);
    }

    #[test]
    fn zones_by_name_and_by_offset() {
        assert_eq!(parse_zone("Asia/Tokyo").unwrap(), Tz::Asia__Tokyo);
        assert_eq!(parse_zone("UTC").unwrap(), Tz::UTC);
        assert_eq!(parse_zone("+09:00").unwrap(), Tz::Etc__GMTMinus9);
        assert!(parse_zone("東京").is_err());
        assert!(parse_zone("+09:30").is_err());
    }
}
