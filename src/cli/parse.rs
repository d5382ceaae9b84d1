//! `monban parse`: records of a file into events on standard output, without a data directory. For trying a device's log
//! before it is connected, and for measuring the parsers.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use monban_event::{Clock, Format, RecordId, RecordParser, SystemClock};
use monban_ingest::file::{self, FileRecords, Receipt};
use monban_ingest::{Parsers, TextSettings};

/// Output buffer, in bytes: one write for some hundred events.
const OUTPUT_BUFFER_BYTES: usize = 256 * 1024;

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// 1 行に 1 件の JSON
    Jsonl,
}

/// Records of a log file as events, one JSON object a line.
#[derive(clap::Args, Debug)]
pub(crate) struct ParseArgs {
    #[arg(long, value_enum, default_value = "jsonl")]
    format: OutputFormat,
    /// 時差の書かれていない時刻の時間帯（Asia/Tokyo、+09:00 など）
    #[arg(long, value_name = "ZONE", default_value = "Asia/Tokyo", value_parser = parse_zone)]
    tz: Tz,
    /// 受信したものとみなす時刻（RFC 3339）。年の書かれていない時刻の年がこれで決まります。省略すると今
    #[arg(long, value_name = "TIME")]
    received_at: Option<DateTime<Utc>>,
    /// ログのファイル
    file: PathBuf,
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
        .ok_or_else(|| format!("「{text}」という時間帯はありません。Asia/Tokyo か +09:00 のように書いてください"))
}

pub(crate) fn run(args: &ParseArgs) -> anyhow::Result<ExitCode> {
    let OutputFormat::Jsonl = args.format;
    let received_at = args.received_at.unwrap_or_else(|| SystemClock.now());
    let output = BufWriter::with_capacity(OUTPUT_BUFFER_BYTES, io::stdout().lock());
    match write_events(args, received_at, output) {
        // Whoever reads our output may stop early, as `head` does.
        Err(error) if is_closed_pipe(&error) => Ok(ExitCode::SUCCESS),
        outcome => outcome.map(|()| ExitCode::SUCCESS).with_context(|| format!("parse {}", args.file.display())),
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn write_events(args: &ParseArgs, received_at: DateTime<Utc>, mut output: impl Write) -> anyhow::Result<()> {
    let parsers = Parsers { settings: TextSettings::in_zone(args.tz) };
    let found = file::find(std::slice::from_ref(&args.file))?;
    for (shown, reason) in &found.refused {
        eprintln!("{shown}: {reason}");
    }
    let mut events = Vec::new();
    for input in &found.files {
        let mut records = FileRecords::open(input, Receipt { received_at, ..Receipt::default() })?;
        for record in records.by_ref() {
            let record = record?;
            for note in parsers.parse(RecordId(0), &record, &mut events) {
                eprintln!("{}: {note}", input.shown);
            }
            // An object a line: what a line that counts repeats stands for is said in its `native.repeated`.
            if record.format != Format::EvtxChunk {
                events.truncate(1);
            }
            for event in events.drain(..) {
                // Through an error type of ours a closed pipe would not be known any more.
                let mut line = serde_json::to_vec(&event.to_json())?;
                line.push(b'\n');
                output.write_all(&line)?;
            }
        }
        records.damage().iter().for_each(|damage| eprintln!("{}: {damage}", input.shown));
    }
    Ok(output.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_by_name_and_by_offset() {
        assert_eq!(parse_zone("Asia/Tokyo").unwrap(), Tz::Asia__Tokyo);
        assert_eq!(parse_zone("UTC").unwrap(), Tz::UTC);
        assert_eq!(parse_zone("+09:00").unwrap(), Tz::Etc__GMTMinus9);
        assert!(parse_zone("東京").is_err());
        assert!(parse_zone("+09:30").is_err());
    }
}
