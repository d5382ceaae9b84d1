//! `monban detect`: files straight through parse, enrichment and rules, the same path as live but without a server, a
//! journal or an index. The work is done in `src/hunt`.
//!
//! What was found goes to standard output or a file, what the run came to goes to standard error and ends with two lines
//! a script can read. Damaged input is never a failure of ours: it is counted, told, and shown in the exit status.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use chrono_tz::Tz;
use clap::Args;
use monban_detect::{Complaint, Context, LoadReport, RuleSet};
use monban_event::{Clock, FileHints, Severity, SystemClock};
use monban_ingest::TextSettings;
use monban_ingest::file::{self, Found};

use crate::config::ContextPaths;
use crate::hunt::{self, Form, Outcome, Plan, Show};
use crate::verbs::{EXIT_DAMAGE, EXIT_FAILED, EXIT_FOUND, EXIT_OK};

/// Threads at most; each holds some megabytes of events.
const THREADS_MAX: usize = 64;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct DetectArgs {
    /// Sigma ルールのフォルダまたはファイル（繰り返し指定可）。省略すると内蔵の病院ルール
    #[arg(long = "rules", value_name = "DIR")]
    rules: Vec<PathBuf>,
    /// --rules のルールと一緒に、内蔵の病院ルールも使う
    #[arg(long)]
    hospital: bool,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    show: ShowArgs,
    #[arg(long, short, value_enum, default_value_t = Form::Text)]
    format: Form,
    /// 結果をこのファイルに書く（省略すると標準出力）
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// --output のファイルがすでにあるときは置き換える
    #[arg(long, requires = "output")]
    force: bool,
    /// この重大度以上だけを表示する（情報 低 中 高 重大、または informational low medium high critical）
    #[arg(long, value_name = "LEVEL", default_value = "informational", value_parser = level, hide_default_value = true)]
    min_level: Severity,
    /// この重大度以上が一つでもあれば終了コード 1 で終わる（表示しないものも数える）
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    fail_on: Option<Severity>,
    /// 解析と照合に使うスレッドの数（省略すると使えるコアの数）。結果は数によらず同じ
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<NonZeroUsize>,
    /// 時差の書かれていない時刻の時間帯（Asia/Tokyo、+09:00 など）
    #[arg(long, value_name = "ZONE", default_value = "Asia/Tokyo", value_parser = super::parse::parse_zone)]
    tz: Tz,
    /// 年の書かれていない時刻の年（省略すると、調べるファイルのうち最も新しいものの更新日から見て直近の年）
    #[arg(long, value_name = "YYYY", value_parser = clap::value_parser!(i32).range(1990..2100))]
    year: Option<i32>,
    /// 読み飛ばしたファイルも表示する
    #[arg(long, short)]
    verbose: bool,
    /// 調べるファイルまたはフォルダ（EVTX、テキスト、CSV、JSON。gz・xz・zst・zip のままで可）
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

const HELP: &str = "\
例:
  monban detect ログのフォルダ --roster 職員名簿.csv --calendar 休診日.toml
  monban detect --rules sigma/rules --hospital --format html --output 報告書.html EVTXのフォルダ
  monban detect --rules sigma/rules --each-match --format csv --min-level 高 EVTXのフォルダ > 一致.csv
  monban detect --logons EVTXのフォルダ

ファイルは、最初のイベントの時刻の順（同じなら名前の順）に読みます。どのような順に指定しても、結果は同じです。

終了コード:
  0  最後まで調べた
  1  --fail-on の重大度以上があった
  2  読めないファイルがあった、または実行できなかった
  3  壊れた記録があった（読めた分は調べた）
  重なるときは 2、1、3 の順に優先します。";

/// The hospital's own files; the same as `[context]` of the configuration names.
#[derive(Clone, Debug, Default, Args)]
struct ContextArgs {
    /// 職員名簿
    #[arg(long, value_name = "FILE")]
    roster: Option<PathBuf>,
    /// 接続を許可した接続元の一覧
    #[arg(long, value_name = "FILE")]
    allow: Option<PathBuf>,
    /// 保守事業者の一覧
    #[arg(long, value_name = "FILE")]
    vendors: Option<PathBuf>,
    /// 休診日・勤務時間・機器の役割
    #[arg(long, value_name = "FILE")]
    calendar: Option<PathBuf>,
    /// 作業申請の一覧
    #[arg(long, value_name = "FILE")]
    tickets: Option<PathBuf>,
    /// 当直表
    #[arg(long, value_name = "FILE")]
    duty: Option<PathBuf>,
}

impl ContextArgs {
    fn paths(&self) -> ContextPaths {
        let Self { roster, allow, vendors, calendar, tickets, duty } = self.clone();
        ContextPaths { roster, allow, vendors, calendar, tickets, duty }
    }
}

/// What is shown instead of findings.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct ShowArgs {
    /// ルールとイベントの一致を 1 件ずつ出力する（指定しない場合は検知としてまとめる）
    #[arg(long)]
    each_match: bool,
    /// 検知の代わりに、利用者ごとのログオンの集計（成功・失敗・機器・接続元・最初・最後）を出力する
    #[arg(long, conflicts_with_all = ["fail_on", "min_level", "rules", "hospital"])]
    logons: bool,
    /// 検知の代わりに、イベントの種類（チャネルと番号）ごとの件数を出力する
    #[arg(long, conflicts_with_all = ["fail_on", "min_level", "rules", "hospital"])]
    metrics: bool,
}

impl ShowArgs {
    fn show(&self) -> Show {
        match (self.each_match, self.logons, self.metrics) {
            (true, ..) => Show::EachMatch,
            (_, true, _) => Show::Logons,
            (.., true) => Show::Metrics,
            _ => Show::Findings,
        }
    }
}

fn level(text: &str) -> Result<Severity, String> {
    Severity::parse(text).ok_or_else(|| {
        format!("「{text}」という重大度はありません。情報 低 中 高 重大（informational low medium high critical）から選んでください")
    })
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= THREADS_MAX);
    number.ok_or_else(|| format!("1 から {THREADS_MAX} までの数を書いてください"))
}

pub(crate) fn run(args: &DetectArgs) -> anyhow::Result<ExitCode> {
    let plan = plan(args)?;
    let found = find(args)?;
    let hunted = match &args.output {
        None => hunt::run(&plan, found, SystemClock.now(), &mut io::stdout().lock()),
        Some(path) => hunt::run(&plan, found, SystemClock.now(), &mut create(path, args.force)?),
    };
    match hunted {
        // Whoever reads our output may stop early, as `head` does.
        Err(error) if is_closed_pipe(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
        Ok(outcome) => {
            tell(&plan.loaded, &outcome);
            Ok(ExitCode::from(status(&outcome, args.fail_on)))
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn plan(args: &DetectArgs) -> anyhow::Result<Plan> {
    let show = args.show.show();
    if args.format == Form::Html && show != Show::Findings {
        bail!(
            "--format html には検知・ログオン・イベントの種類がすべて入ります。--each-match、--logons、--metrics を外してください"
        );
    }
    let (rules, loaded) = match show {
        // Counting needs no rules.
        Show::Logons | Show::Metrics => RuleSet::load_texts([]),
        Show::Findings | Show::EachMatch => load_rules(&args.rules, args.hospital)?,
    };
    let hints = args.year.map(|year| Arc::new(FileHints { year: Some(year), ..FileHints::default() }));
    Ok(Plan {
        rules: Arc::new(rules),
        loaded,
        context: Arc::new(load_context(&args.context.paths())?),
        settings: TextSettings::in_zone(args.tz),
        hints,
        threads: args.threads.unwrap_or_else(cores),
        show,
        form: args.format,
        min_level: args.min_level,
    })
}

fn cores() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    NonZeroUsize::new(THREADS_MAX).map_or(cores, |most| cores.min(most))
}

fn load_rules(folders: &[PathBuf], hospital: bool) -> anyhow::Result<(RuleSet, LoadReport)> {
    let loaded =
        if folders.is_empty() || hospital { RuleSet::hospital_with(folders) } else { RuleSet::load_dirs(folders) };
    loaded.context("ルールのフォルダを読めません。場所を確かめてください")
}

/// A line that cannot be used is told; the others hold.
fn load_context(paths: &ContextPaths) -> anyhow::Result<Context> {
    let (context, complaints) = crate::context::read(paths)
        .context("名簿などのファイルを読めません。場所と、読む権限があるかを確かめてください")?;
    for Complaint { file, line, column, message } in complaints {
        eprintln!("{file}: {line} 行目 {column}: {message}");
    }
    Ok(context)
}

fn find(args: &DetectArgs) -> anyhow::Result<Found> {
    let mut found = file::find(&args.paths)?;
    if args.verbose {
        found.passed_over.sort();
        found.passed_over.dedup();
        for path in &found.passed_over {
            eprintln!("{}: 対象外の形式のため読み飛ばしました", path.display());
        }
    }
    Ok(found)
}

/// The file for the results; one that is there is only replaced where that was asked for.
fn create(path: &Path, force: bool) -> anyhow::Result<File> {
    let mut how = OpenOptions::new();
    how.write(true);
    if force {
        how.create(true).truncate(true)
    } else {
        how.create_new(true)
    };
    how.open(path).map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AlreadyExists => "すでにあります。別の名前にするか、--force で置き換えてください",
            _ => "作れません。フォルダがあるか、書く権限があるかを確かめてください",
        };
        anyhow::Error::new(error).context(format!("{}: {advice}", path.display()))
    })
}

/// What the run came to. The last two lines are for scripts and stay as they are.
fn tell(loaded: &LoadReport, outcome: &Outcome) {
    let failures =
        loaded.failed.iter().map(|failure| format!("{}: {}: {}", failure.file, failure.rule, failure.reason));
    let counts = [
        format!("rules: {} loaded, {} failed", loaded.loaded, loaded.failed.len()),
        format!("records: {} read, {} damaged", outcome.read, outcome.damaged),
    ];
    let mut told = io::stderr().lock();
    for line in failures.chain(outcome.lines.iter().cloned()).chain(counts) {
        // A terminal that is gone leaves nobody to tell.
        drop(writeln!(told, "{line}"));
    }
}

fn status(outcome: &Outcome, fail_on: Option<Severity>) -> u8 {
    let is_grave = fail_on.zip(outcome.gravest).is_some_and(|(bound, gravest)| gravest >= bound);
    match (outcome.failed, is_grave, outcome.damaged) {
        (1.., ..) => EXIT_FAILED,
        (0, true, _) => EXIT_FOUND,
        (0, false, 1..) => EXIT_DAMAGE,
        (0, false, 0) => EXIT_OK,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

    use std::fs;

    use clap::Parser;
    use serde_json::Value;

    use super::*;

    const RULE: &str = "title: ログの消去\nid: demo-1\nlogsource: {product: monban}\ndetection:\n  selection: {message|contains: \
                        公開鍵}\n  condition: selection\nlevel: high\n";

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: DetectArgs,
    }

    fn args(words: &[&str]) -> Result<DetectArgs, clap::Error> {
        Command::try_parse_from(["detect"].iter().chain(words)).map(|command| command.args)
    }

    fn run_over(files: &[(&str, &[u8])], words: &[&str]) -> (Vec<Value>, Outcome) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("logs")).unwrap();
        fs::write(dir.path().join("rule.yml"), RULE).unwrap();
        for (name, bytes) in files {
            fs::write(dir.path().join("logs").join(name), bytes).unwrap();
        }
        let (rule, logs) = (dir.path().join("rule.yml"), dir.path().join("logs"));
        let all =
            [&["--rules", rule.to_str().unwrap(), "--format", "jsonl"], words, &[logs.to_str().unwrap()]].concat();
        let args = args(&all).unwrap();
        let plan = plan(&args).unwrap();
        assert_eq!((plan.loaded.loaded, plan.loaded.failed.len()), (1, 0));
        let mut written = Vec::new();
        let outcome = hunt::run(&plan, find(&args).unwrap(), SystemClock.now(), &mut written).unwrap();
        let lines = String::from_utf8(written).unwrap();
        (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), outcome)
    }

    const LINES: &[u8] =
        "<38>Oct 25 12:00:00 fs01 sshd[7]: 公開鍵\n\n<38>Oct 25 12:00:09 fs01 sshd[7]: 公開鍵 2\nother\n".as_bytes();

    #[test]
    fn each_match_is_a_line_that_names_its_file() {
        let (found, outcome) = run_over(&[("b.log", LINES), ("note.md", "公開鍵".as_bytes())], &["--each-match"]);
        assert_eq!((found.len(), outcome.read, outcome.damaged), (2, 3, 0));
        assert_eq!((&found[0]["rule.id"], &found[0]["rule.title"]), (&"demo-1".into(), &"ログの消去".into()));
        assert!(found[0]["log.file.path"].as_str().unwrap().ends_with("b.log"));
    }

    #[test]
    fn without_it_each_rule_is_a_line_with_its_count() {
        let (found, _) = run_over(&[("b.log", LINES), ("a.txt", LINES)], &[]);
        assert_eq!((found.len(), &found[0]["count"]), (1, &4.into()));
        assert!(found[0]["first"].as_str() < found[0]["last"].as_str());
    }

    #[test]
    fn damage_is_counted_and_does_not_end_the_run() {
        let files: [(&str, &[u8]); 3] = [("a.evtx", b""), ("b.evtx", &vec![7; 70_000]), ("c.log", LINES)];
        let (found, outcome) = run_over(&files, &["--each-match"]);
        assert_eq!((found.len(), outcome.failed), (2, 0));
        assert!(outcome.damaged >= 3, "{outcome:?}");
        assert_eq!(status(&outcome, None), EXIT_DAMAGE);
    }

    #[test]
    fn what_is_not_shown_still_decides_the_exit_status() {
        let (found, outcome) = run_over(&[("b.log", LINES)], &["--min-level", "重大"]);
        assert_eq!((found.len(), outcome.gravest, outcome.lines.len()), (0, Some(Severity::High), 1));
        let of = |fail_on| status(&outcome, fail_on);
        assert_eq!([of(None), of(Some(Severity::High)), of(Some(Severity::Critical))], [EXIT_OK, EXIT_FOUND, EXIT_OK]);
    }

    #[test]
    fn failure_comes_before_what_was_found_and_that_before_damage() {
        let of = |failed, damaged| {
            status(
                &Outcome { failed, damaged, gravest: Some(Severity::Low), ..Outcome::default() },
                Some(Severity::Low),
            )
        };
        assert_eq!([of(1, 1), of(0, 1), of(0, 0)], [EXIT_FAILED, EXIT_FOUND, EXIT_FOUND]);
    }

    #[test]
    fn options_that_contradict_one_another_are_refused() {
        for words in [
            &["--each-match", "--logons", "x"][..],
            &["--logons", "--metrics", "x"],
            &["--metrics", "--fail-on", "high", "x"],
            &["--min-level", "severe", "x"],
            &["--threads", "0", "x"],
            &["--threads", "65", "x"],
            &["--force", "x"],
        ] {
            assert!(args(words).is_err(), "{words:?}");
        }
        assert!(plan(&args(&["--format", "html", "--each-match", "x"]).unwrap()).is_err());
        assert!(args(&["--min-level", "高", "--fail-on", "medium", "--threads", "64", "x"]).is_ok());
    }
}
