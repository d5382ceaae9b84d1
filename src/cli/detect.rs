//! `monban detect`: files straight through parse and rules, without a server, a journal or an index.
//!
//! What was found goes to standard output, what the run came to goes to standard error and ends with two lines a
//! script can read. Damaged input is never a failure of ours: it is counted, told, and shown in the exit status.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use monban_detect::sigma::{LoadReport, RuleIndex, SigmaRules};
use monban_event::limits::RECORD_BYTES_MAX;
use monban_event::time::rfc3339;
use monban_event::{Clock, Event, Field, FilePosition, Format, Origin, Record, RecordId, RecordParser, SystemClock, Transport};
use monban_ingest::evtx;
use serde_json::{Map, Value};

/// Something in the input could not be read.
const EXIT_DAMAGE: u8 = 3;
/// We could not do what was asked.
const EXIT_FAILED: u8 = 2;

/// Folders below a named folder that are followed; deeper is a loop of links.
const FOLDER_DEPTH_MAX: usize = 64;

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

/// Runs the verb over event log files alone.
pub(crate) fn run(args: &DetectArgs) -> anyhow::Result<ExitCode> {
    run_with(args, None)
}

/// Runs the verb; `lines` reads text files, a record a line. Without it they are skipped and told.
pub(crate) fn run_with(args: &DetectArgs, lines: Option<&dyn RecordParser>) -> anyhow::Result<ExitCode> {
    let (rules, loaded) = SigmaRules::load_dirs(&args.rules).context("load rules")?;
    let files = list_files(&args.paths)?;
    let output = Output { args, rules: &rules, writer: BufWriter::new(io::stdout().lock()), by_rule: BTreeMap::new() };
    let mut hunt = Hunt { args, rules: &rules, lines, output, tally: Tally::default(), hits: Vec::new() };
    for path in &files {
        if let Err(error) = hunt.file(path) {
            hunt.tally.failed += 1;
            eprintln!("{}: {error:#}", path.display());
        }
    }
    hunt.output.finish()?;
    Ok(report(&loaded, &hunt.tally))
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

/// Every file below the paths; what is below one folder is sorted, the order of the arguments is kept.
fn list_files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let mut below = Vec::new();
        walk(path, FOLDER_DEPTH_MAX, &mut below)?;
        below.sort();
        files.append(&mut below);
    }
    Ok(files)
}

fn walk(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let kind = std::fs::metadata(path).with_context(|| format!("read {}", path.display()))?;
    if !kind.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    anyhow::ensure!(depth > 0, "{}: more than {FOLDER_DEPTH_MAX} folders deep", path.display());
    for entry in std::fs::read_dir(path).with_context(|| format!("read {}", path.display()))? {
        walk(&entry.with_context(|| format!("read {}", path.display()))?.path(), depth - 1, files)?;
    }
    Ok(())
}

/// What a file is, by how it begins and by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    EventLog,
    Lines,
    Other,
}

fn kind_of(path: &Path, start: &[u8]) -> Kind {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("evtx") => Kind::EventLog,
        _ if evtx::looks_like_evtx(start) => Kind::EventLog,
        Some("log" | "txt" | "syslog") => Kind::Lines,
        _ => Kind::Other,
    }
}

struct Hunt<'a> {
    args: &'a DetectArgs,
    rules: &'a SigmaRules,
    lines: Option<&'a dyn RecordParser>,
    output: Output<'a>,
    tally: Tally,
    hits: Vec<RuleIndex>,
}

impl Hunt<'_> {
    fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut reader = BufReader::new(File::open(path).context("open")?);
        let kind = kind_of(path, reader.fill_buf().context("read")?);
        match (kind, self.lines) {
            (Kind::EventLog, _) => self.event_log(path, reader),
            (Kind::Lines, Some(parser)) => self.text(path, reader, parser),
            (Kind::Lines, None) | (Kind::Other, _) => {
                if self.args.verbose {
                    eprintln!("{}: 対象外の形式のため読み飛ばしました", path.display());
                }
                Ok(())
            }
        }
    }

    fn event_log(&mut self, path: &Path, reader: impl Read) -> anyhow::Result<()> {
        let mut chunks = evtx::file::chunks(reader);
        let mut events = Vec::new();
        for chunk in chunks.by_ref() {
            let chunk = chunk.context("read")?;
            let (id, record) = self.record(path, Format::EvtxChunk, chunk.index, chunk.bytes);
            let report = evtx::parse_chunk(id, &record, &mut events);
            self.tally.damaged += report.damaged;
            for note in &report.notes {
                eprintln!("{}: チャンク {}: {note}", path.display(), chunk.index);
            }
            self.detect(&mut events)?;
        }
        self.tally.damaged += chunks.damage_count();
        for damage in chunks.damage() {
            eprintln!("{}: {damage}", path.display());
        }
        Ok(())
    }

    fn text(&mut self, path: &Path, mut reader: impl BufRead, parser: &dyn RecordParser) -> anyhow::Result<()> {
        let mut events = Vec::new();
        for index in 0.. {
            let Some((bytes, cut)) = read_line(&mut reader).context("read")? else { break };
            let (id, mut record) = self.record(path, Format::Syslog, index, bytes);
            record.cut = cut;
            if !record.bytes.is_empty() {
                parser.parse(id, &record, &mut events);
            }
            self.detect(&mut events)?;
        }
        Ok(())
    }

    fn record(&mut self, path: &Path, format: Format, index: u64, bytes: Vec<u8>) -> (RecordId, Record) {
        self.tally.records += 1;
        let path = path.display().to_string().into();
        let record = Record {
            received_at: SystemClock.now(),
            origin: Origin::Import,
            transport: Transport::File,
            peer: None,
            format,
            file: Some(FilePosition { import: RecordId(0), path, index }),
            bytes,
            cut: false,
        };
        (RecordId(self.tally.records), record)
    }

    fn detect(&mut self, events: &mut Vec<Event>) -> anyhow::Result<()> {
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
}

/// One line without its end, and whether it was longer than a record may be. `None` at the end.
fn read_line(reader: &mut impl BufRead) -> io::Result<Option<(Vec<u8>, bool)>> {
    let mut line = Vec::new();
    if reader.by_ref().take(RECORD_BYTES_MAX as u64).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let cut = line.len() == RECORD_BYTES_MAX && line.last() != Some(&b'\n');
    if cut {
        reader.skip_until(b'\n')?;
    }
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(Some((line, cut)))
}

/// How often a rule matched, and when.
#[derive(Clone, Copy, Debug)]
struct Matches {
    count: u64,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

struct Output<'a> {
    args: &'a DetectArgs,
    rules: &'a SigmaRules,
    writer: BufWriter<io::StdoutLock<'static>>,
    by_rule: BTreeMap<RuleIndex, Matches>,
}

impl Output<'_> {
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
                let values: Vec<String> = object.values().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect();
                writeln!(self.writer, "{}", values.join("  "))
            }
        }
    }
}
