//! `monban detect`: files straight through parse, enrichment and rules, the same path as live but without a server, a
//! journal or an index.
//!
//! What was found goes to standard output, what the run came to goes to standard error and ends with two lines a
//! script can read. Damaged input is never a failure of ours: it is counted, told, and shown in the exit status.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use chrono_tz::Tz;
use clap::{Args, ValueEnum};
use monban_detect::{Context, Detector, LoadReport, RuleHit, RuleSet};
use monban_event::time::jst_text;
use monban_event::{Clock, Event, Field, FileHints, Finding, Format, Record, RecordId, RecordParser, SystemClock};
use monban_ingest::evtx::parse_chunk;
use monban_ingest::file::{self, FileRecords, InputFile, Receipt};
use monban_ingest::{Parsers, TextSettings};
use serde_json::{Map, Value};

use super::bar::Bar;
use crate::verbs::{EXIT_DAMAGE, EXIT_FAILED};

/// What the output shows of the event that matched.
const SHOWN: [Field; 6] =
    [Field::FilePath, Field::EventTime, Field::Code, Field::HostName, Field::UserName, Field::SourceIp];

#[derive(Debug, Args)]
pub(crate) struct DetectArgs {
    /// Sigma ルールのフォルダまたはファイル（繰り返し指定可）。省略すると内蔵の病院ルール
    #[arg(long = "rules", value_name = "DIR")]
    rules: Vec<PathBuf>,
    /// ルールとイベントの一致を 1 件ずつ出力する（指定しない場合は検知としてまとめる）
    #[arg(long)]
    each_match: bool,
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
    /// 時差の書かれていない時刻の時間帯（Asia/Tokyo、+09:00 など）
    #[arg(long, value_name = "ZONE", default_value = "Asia/Tokyo", value_parser = super::parse::parse_zone)]
    tz: Tz,
    /// 年の書かれていない時刻の年（省略すると、今日から見て直近の年）
    #[arg(long, value_name = "YYYY", value_parser = clap::value_parser!(i32).range(1990..2100))]
    year: Option<i32>,
    /// 読み飛ばしたファイルも表示する
    #[arg(long, short)]
    verbose: bool,
    /// 調べるファイルまたはフォルダ（EVTX、テキスト、CSV、JSON。gz・xz・zst・zip のままで可）
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
    let (rules, loaded) = load_rules(&args.rules)?;
    let found = file::find(&args.paths)?;
    if args.verbose {
        for path in &found.passed_over {
            eprintln!("{}: 対象外の形式のため読み飛ばしました", path.display());
        }
    }
    let hints = args.year.map(|year| Arc::new(FileHints { year: Some(year), ..FileHints::default() }));
    let context = Arc::new(Context::default());
    let mut hunt = Hunt {
        detector: Detector::new(Arc::new(rules), Arc::clone(&context)),
        context,
        parsers: Parsers { settings: TextSettings::in_zone(args.tz) },
        each_match: args.each_match,
        output: Output { format: args.format, writer: BufWriter::new(writer) },
        tally: Tally::default(),
        hits: Vec::new(),
        hints,
        bar: Bar::new(),
        bytes: (0, found.files.iter().map(|file| file.disk_bytes).sum()),
    };
    for (shown, reason) in &found.refused {
        hunt.damaged(shown, reason);
    }
    for file in &found.files {
        hunt.file(file)?;
        hunt.bytes.0 += file.disk_bytes;
    }
    hunt.bar.clear();
    hunt.finish().context("write output")?;
    Ok((loaded, hunt.tally))
}

fn load_rules(folders: &[PathBuf]) -> anyhow::Result<(RuleSet, LoadReport)> {
    if folders.is_empty() {
        return RuleSet::hospital_with(&[]).context("load the built-in rules");
    }
    RuleSet::load_dirs(folders).context("ルールのフォルダを読めません。場所を確かめてください")
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

struct Hunt<W: Write> {
    detector: Detector,
    context: Arc<Context>,
    parsers: Parsers,
    each_match: bool,
    output: Output<W>,
    tally: Tally,
    hits: Vec<RuleHit>,
    hints: Option<Arc<FileHints>>,
    bar: Bar,
    /// Of the files read so far and of all.
    bytes: (u64, u64),
}

impl<W: Write> Hunt<W> {
    /// A file that cannot be read to its end is told and leaves the others to be read; only writing may end the run.
    fn file(&mut self, file: &InputFile) -> anyhow::Result<()> {
        let receipt = Receipt { received_at: SystemClock.now(), hints: self.hints.clone(), ..Receipt::default() };
        let mut records = match FileRecords::open(file, receipt) {
            Ok(records) => records,
            Err(error) => {
                self.failed(&anyhow::Error::new(error));
                return Ok(());
            }
        };
        let mut events = Vec::new();
        while let Some(record) = records.next() {
            match record.with_context(|| format!("read {}", file.shown)) {
                Ok(record) => self.record(&record, &mut events)?,
                Err(error) => {
                    self.failed(&error);
                    break;
                }
            }
            let (before, all) = self.bytes;
            self.bar.move_to(before + records.read_bytes(), all);
        }
        for damage in records.damage() {
            self.damaged(&file.shown, &damage);
        }
        for note in records.notes() {
            self.bar.say(&format!("{}: {note}", file.shown));
        }
        Ok(())
    }

    fn damaged(&mut self, shown: &str, damage: &str) {
        self.tally.damaged += 1;
        self.bar.say(&format!("{shown}: {damage}"));
    }

    fn failed(&mut self, error: &anyhow::Error) {
        self.tally.failed += 1;
        self.bar.say(&format!("{error:#}"));
    }

    fn record(&mut self, record: &Record, events: &mut Vec<Event>) -> anyhow::Result<()> {
        self.tally.records += 1;
        let id = RecordId(self.tally.records);
        match record.format {
            Format::EvtxChunk => self.chunk(id, record, events),
            Format::Syslog if record.bytes.is_empty() => {}
            Format::Syslog | Format::Json | Format::Csv => {
                self.parsers.parse(id, record, events);
            }
        }
        self.tally.read += events.len() as u64;
        for mut event in events.drain(..) {
            monban_detect::enrich(&self.context, &mut event);
            let others = self.detector.expand(&mut event);
            for event in std::iter::once(event).chain(others) {
                self.event(event)?;
            }
        }
        Ok(())
    }

    fn event(&mut self, mut event: Event) -> anyhow::Result<()> {
        self.hits.clear();
        self.detector.observe(&mut event, &mut self.hits);
        if self.each_match {
            self.hits.iter().try_for_each(|hit| self.output.matched(hit, &event)).context("write output")?;
        }
        Ok(())
    }

    fn chunk(&mut self, id: RecordId, record: &Record, events: &mut Vec<Event>) {
        let report = parse_chunk(id, record, events);
        self.tally.damaged += report.damaged;
        if let Some(file) = &record.file {
            for note in &report.notes {
                self.bar.say(&format!("{}: チャンク {}: {note}", file.path, file.index));
            }
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        if !self.each_match {
            let mut findings = self.detector.take().findings;
            findings.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.first.cmp(&b.first)).then(a.id.cmp(&b.id)));
            findings.iter().try_for_each(|finding| self.output.found(finding))?;
        }
        self.output.writer.flush()
    }
}

struct Output<W: Write> {
    format: OutputFormat,
    writer: BufWriter<W>,
}

impl<W: Write> Output<W> {
    fn matched(&mut self, hit: &RuleHit, event: &Event) -> io::Result<()> {
        let mut object = Map::new();
        object.insert("rule.id".to_owned(), hit.rule.as_str().into());
        object.insert("rule.title".to_owned(), hit.title.clone().into());
        for field in SHOWN {
            if let Some(value) = event.get(field) {
                object.insert(field.name().to_owned(), value.to_json());
            }
        }
        if self.format == OutputFormat::Jsonl {
            return writeln!(self.writer, "{}", Value::Object(object));
        }
        let words = object.values().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        writeln!(self.writer, "{}", words.collect::<Vec<_>>().join("  "))
    }

    fn found(&mut self, finding: &Finding) -> io::Result<()> {
        if self.format == OutputFormat::Jsonl {
            return writeln!(self.writer, "{}", serde_json::to_string(finding)?);
        }
        writeln!(
            self.writer,
            "【{}】{}  {}  {} 件  {} 〜 {}",
            finding.severity.japanese(),
            finding.rule_title,
            finding.subject,
            finding.count,
            jst_text(finding.first),
            jst_text(finding.last),
        )
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
            year: None,
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
        let (found, tally) = run_over(&[("a.evtx", b""), ("b.evtx", &vec![7; 70_000]), ("c.log", LINES)], true);
        assert_eq!((found.len(), tally.failed), (2, 0));
        assert!(tally.damaged >= 3, "{tally:?}");
        assert_eq!(report(&LoadReport::default(), &tally), ExitCode::from(EXIT_DAMAGE));
    }
}
