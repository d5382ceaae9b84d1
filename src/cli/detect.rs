//! `monban detect`: files straight through parse and rules, without a server, a journal or an index.
//!
//! What was found goes to standard output, what the run came to goes to standard error and ends with two lines a
//! script can read. Damaged input is never a failure of ours: it is counted, told, and shown in the exit status.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::{Args, ValueEnum};
use monban_detect::sigma::{LoadReport, RuleIndex, SigmaRules};
use monban_event::time::rfc3339;
use monban_event::{Clock, Event, Field, Format, Record, RecordId, RecordParser, SystemClock};
use monban_ingest::evtx::parse_chunk;
use monban_ingest::file::{self, FileRecords, InputFile};
use monban_ingest::{Parsers, TextSettings};
use serde_json::{Map, Value};

use crate::verbs::{EXIT_DAMAGE, EXIT_FAILED};

/// What the output shows of the event that matched.
const SHOWN: [Field; 6] =
    [Field::FilePath, Field::EventTime, Field::Code, Field::HostName, Field::UserName, Field::SourceIp];

#[derive(Debug, Args)]
pub(crate) struct DetectArgs {
    /// Sigma ルールのフォルダまたはファイル（繰り返し指定可）
    #[arg(long = "rules", value_name = "DIR")]
    rules: Vec<PathBuf>,
    /// ルールとイベントの一致を 1 件ずつ出力する（指定しない場合はルールごとの件数）
    #[arg(long)]
    each_match: bool,
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
    /// 時差の書かれていない時刻の時間帯（Asia/Tokyo、+09:00 など）
    #[arg(long, value_name = "ZONE", default_value = "Asia/Tokyo", value_parser = super::parse::parse_zone)]
    tz: Tz,
    /// 読み飛ばしたファイルも表示する
    #[arg(long, short)]
    verbose: bool,
    /// 調べるファイルまたはフォルダ（EVTX、.log / .txt / .syslog）
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    Text,
    Jsonl,
}

pub(crate) fn run(args: &DetectArgs) -> anyhow::Result<ExitCode> {
    let (loaded, tally) = hunt(args, io::stdout().lock())?;
    Ok(report(&loaded, &tally))
}

fn hunt(args: &DetectArgs, writer: impl Write) -> anyhow::Result<(LoadReport, Tally)> {
    let (rules, loaded) = SigmaRules::load_dirs(&args.rules).context("load rules")?;
    let (files, passed_over) = file::find(&args.paths)?;
    if args.verbose {
        for path in &passed_over {
            eprintln!("{}: 対象外の形式のため読み飛ばしました", path.display());
        }
    }
    let output = Output { args, rules: &rules, writer: BufWriter::new(writer), by_rule: BTreeMap::new() };
    let parsers = Parsers { settings: TextSettings { zone: args.tz } };
    let mut hunt = Hunt { rules: &rules, parsers, output, tally: Tally::default(), hits: Vec::new() };
    for file in &files {
        hunt.file(file)?;
    }
    hunt.output.finish()?;
    Ok((loaded, hunt.tally))
}

/// What the run came to.
#[derive(Debug, Default)]
struct Tally {
    /// Number given to the last record; there is no journal to number them.
    records: u64,
    read: u64,
    damaged: u64,
    failed: u64,
}

fn report(loaded: &LoadReport, tally: &Tally) -> ExitCode {
    for failure in &loaded.failed {
        eprintln!("{}: {}: {}", failure.file, failure.rule, failure.reason);
    }
    eprintln!("rules: {} loaded, {} failed", loaded.loaded, loaded.failed.len());
    eprintln!("records: {} read, {} damaged", tally.read, tally.damaged);
    match (tally.failed, tally.damaged) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(EXIT_DAMAGE),
        _ => ExitCode::from(EXIT_FAILED),
    }
}

struct Hunt<'a, W: Write> {
    rules: &'a SigmaRules,
    parsers: Parsers,
    output: Output<'a, W>,
    tally: Tally,
    hits: Vec<RuleIndex>,
}

impl<W: Write> Hunt<'_, W> {
    /// A file that cannot be read to its end is told and leaves the others to be read; only writing may end the run.
    fn file(&mut self, file: &InputFile) -> anyhow::Result<()> {
        let path = file.path.display();
        let mut records = match FileRecords::open(file, SystemClock.now(), RecordId::default()) {
            Ok(records) => records,
            Err(error) => {
                self.failed(&anyhow::Error::new(error));
                return Ok(());
            }
        };
        let mut events = Vec::new();
        for record in records.by_ref() {
            match record.with_context(|| format!("read {path}")) {
                Ok(record) => self.record(&record, &mut events)?,
                Err(error) => {
                    self.failed(&error);
                    break;
                }
            }
        }
        for damage in records.damage() {
            self.tally.damaged += 1;
            eprintln!("{path}: {damage}");
        }
        Ok(())
    }

    fn failed(&mut self, error: &anyhow::Error) {
        self.tally.failed += 1;
        eprintln!("{error:#}");
    }

    fn record(&mut self, record: &Record, events: &mut Vec<Event>) -> anyhow::Result<()> {
        self.tally.records += 1;
        let id = RecordId(self.tally.records);
        match record.format {
            Format::EvtxChunk => self.chunk(id, record, events),
            Format::Syslog if record.bytes.is_empty() => {}
            Format::Syslog | Format::Json => {
                self.parsers.parse(id, record, events);
            }
        }
        self.tally.read += events.len() as u64;
        for event in events.drain(..) {
            self.hits.clear();
            self.rules.matches(&event, &mut self.hits);
            for &rule in &self.hits {
                self.output.matched(rule, &event).context("write output")?;
            }
        }
        Ok(())
    }

    fn chunk(&mut self, id: RecordId, record: &Record, events: &mut Vec<Event>) {
        let report = parse_chunk(id, record, events);
        self.tally.damaged += report.damaged;
        if let Some(file) = &record.file {
            for note in &report.notes {
                eprintln!("{}: チャンク {}: {note}", file.path, file.index);
            }
        }
    }
}

/// How often a rule matched, and when.
#[derive(Clone, Copy, Debug)]
struct Matches {
    count: u64,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

struct Output<'a, W: Write> {
    args: &'a DetectArgs,
    rules: &'a SigmaRules,
    writer: BufWriter<W>,
    by_rule: BTreeMap<RuleIndex, Matches>,
}

impl<W: Write> Output<'_, W> {
    fn matched(&mut self, rule: RuleIndex, event: &Event) -> io::Result<()> {
        if self.args.each_match {
            let mut object = self.rule_object(rule);
            for field in SHOWN {
                if let Some(value) = event.get(field) {
                    object.insert(field.name().to_owned(), value.to_json());
                }
            }
            return self.write(object);
        }
        let time = event.time();
        let matches = self.by_rule.entry(rule).or_insert(Matches { count: 0, first: time, last: time });
        matches.count += 1;
        matches.first = matches.first.min(time);
        matches.last = matches.last.max(time);
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        let by_rule = std::mem::take(&mut self.by_rule);
        for (rule, matches) in by_rule {
            let mut object = self.rule_object(rule);
            object.insert("count".to_owned(), matches.count.into());
            object.insert("first".to_owned(), rfc3339(matches.first).into());
            object.insert("last".to_owned(), rfc3339(matches.last).into());
            self.write(object).context("write output")?;
        }
        self.writer.flush().context("write output")
    }

    fn rule_object(&self, rule: RuleIndex) -> Map<String, Value> {
        let meta = self.rules.meta(rule);
        let mut object = Map::new();
        object.insert("rule.id".to_owned(), meta.id.clone().into());
        object.insert("rule.title".to_owned(), meta.title.clone().into());
        object.insert("rule.level".to_owned(), meta.level.as_str().into());
        object
    }

    fn write(&mut self, object: Map<String, Value>) -> io::Result<()> {
        match self.args.format {
            OutputFormat::Jsonl => writeln!(self.writer, "{}", Value::Object(object)),
            OutputFormat::Text => {
                let values: Vec<String> = object
                    .values()
                    .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                    .collect();
                writeln!(self.writer, "{}", values.join("  "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

    use std::fs;

    use super::*;

    const RULE: &str = "title: ログの消去\nid: demo-1\nlogsource: {product: monban}\ndetection:\n  selection: {message|contains: \
                        公開鍵}\n  condition: selection\nlevel: high\n";

    fn run_over(files: &[(&str, &[u8])], each_match: bool) -> (Vec<Value>, Tally) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("logs")).unwrap();
        fs::write(dir.path().join("rule.yml"), RULE).unwrap();
        for (name, bytes) in files {
            fs::write(dir.path().join("logs").join(name), bytes).unwrap();
        }
        let args = DetectArgs {
            rules: vec![dir.path().join("rule.yml")],
            each_match,
            format: OutputFormat::Jsonl,
            tz: chrono_tz::Asia::Tokyo,
            verbose: false,
            paths: vec![dir.path().join("logs")],
        };
        let mut written = Vec::new();
        let (loaded, tally) = hunt(&args, &mut written).unwrap();
        assert_eq!((loaded.loaded, loaded.failed.len()), (1, 0));
        let lines = String::from_utf8(written).unwrap();
        (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), tally)
    }

    const LINES: &[u8] =
        "<38>Oct 25 12:00:00 fs01 sshd[7]: 公開鍵\n\n<38>Oct 25 12:00:09 fs01 sshd[7]: 公開鍵 2\nother\n".as_bytes();

    #[test]
    fn each_match_is_a_line_that_names_its_file() {
        let (found, tally) = run_over(&[("b.log", LINES), ("note.md", "公開鍵".as_bytes())], true);
        assert_eq!((found.len(), tally.read, tally.damaged), (2, 3, 0));
        assert_eq!((&found[0]["rule.id"], &found[0]["rule.title"]), (&"demo-1".into(), &"ログの消去".into()));
        assert!(found[0]["log.file.path"].as_str().unwrap().ends_with("b.log"));
    }

    #[test]
    fn without_it_each_rule_is_a_line_with_its_count() {
        let (found, _) = run_over(&[("b.log", LINES), ("a.txt", LINES)], false);
        assert_eq!((found.len(), &found[0]["count"]), (1, &4.into()));
        assert!(found[0]["first"].as_str() < found[0]["last"].as_str());
    }

    #[test]
    fn damage_is_counted_and_does_not_end_the_run() {
        let (found, tally) = run_over(&[("a.evtx", b""), ("b.evtx", &[7; 70_000]), ("c.log", LINES)], true);
        assert_eq!((found.len(), tally.failed), (2, 0));
        assert!(tally.damaged >= 3, "{tally:?}");
        assert_eq!(report(&LoadReport::default(), &tally), ExitCode::from(EXIT_DAMAGE));
    }
}
