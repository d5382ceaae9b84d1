//! The command line: verbs as typed, one file each where they do more than ask for something.

mod bar;
pub(crate) mod demo;
mod detect;
mod hold;
mod parse;
mod reindex;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use clap::{Args, Parser, Subcommand, ValueEnum};
use monban_event::FileHints;
use monban_event::time::jst_midnight;

use self::bar::Bar;
use crate::config::DEFAULT_DATA_DIR;
use crate::control::{self, Reply, Request};
use crate::serve;

/// 医療機関のアクセスログを受け取り、変えずに保管し、検索し、点検して月次の報告書にします。
#[derive(Debug, Parser)]
#[command(name = "monban", version, about, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// 受信・保管・検知・画面を始めます（設定なしで動きます）
    Serve(serve::ServeArgs),
    /// 架空の病院の 1 か月分を作って見せます
    Demo(demo::DemoArgs),
    /// ログのファイルを取り込みます（EVTX、テキスト、CSV、JSON。gz・xz・zst・zip のままで可）
    Import(ImportArgs),
    /// ファイルの各行を解析して表示します（保管しません）
    Parse(parse::ParseArgs),
    /// 保管したイベントを検索します
    Search(SearchArgs),
    /// ファイルをルールで調べます（サーバ不要）
    Detect(detect::DetectArgs),
    /// 月次の監査報告書を出力します
    Report(ReportArgs),
    /// API のトークンを作ります
    Token(TokenArgs),
    /// 消してはいけない期間を決めます（調査・係争のため）
    Hold(hold::HoldArgs),
    /// 索引と表を原ログから作り直します（サーバを止めてから）
    Reindex(reindex::ReindexArgs),
}

#[derive(Debug, Args)]
struct DataDir {
    /// データフォルダ
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR)]
    data_dir: PathBuf,
}

#[derive(Debug, Args)]
struct ImportArgs {
    #[command(flatten)]
    data: DataDir,
    /// 年の書かれていない時刻の年（省略すると、今日から見て直近の年）
    #[arg(long, value_name = "YYYY", value_parser = clap::value_parser!(i32).range(1990..2100))]
    year: Option<i32>,
    /// 時差の書かれていない時刻の時間帯（省略すると設定の zone。例: UTC、+09:00）
    #[arg(long, value_name = "ZONE", value_parser = parse::parse_zone)]
    tz: Option<Tz>,
    /// 機器名の書かれていない記録の機器名
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// 取り込むファイルかフォルダ
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl ImportArgs {
    fn hints(&self) -> FileHints {
        FileHints { year: self.year, zone: self.tz.map(|zone| zone.name().to_owned()), host: self.host.clone() }
    }
}

#[derive(Debug, Args)]
struct SearchArgs {
    #[command(flatten)]
    data: DataDir,
    /// この時刻から（RFC 3339、または日付。日付は日本時間の 0 時）
    #[arg(long, value_parser = instant)]
    from: Option<DateTime<Utc>>,
    /// この時刻の前まで
    #[arg(long, value_parser = instant)]
    to: Option<DateTime<Utc>>,
    /// 表示する件数の上限
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// 件数だけを表示する
    #[arg(long)]
    count: bool,
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    format: TableFormat,
    /// 検索式（例: 利用者:tanaka 結果:失敗）。省略するとすべて
    #[arg(default_value = "*")]
    query: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TableFormat {
    Table,
    Jsonl,
}

#[derive(Debug, Args)]
struct ReportArgs {
    #[command(flatten)]
    data: DataDir,
    /// 対象の月（例: 2026-10）
    #[arg(long, value_name = "YYYY-MM")]
    period: String,
    #[arg(long, value_enum, default_value_t = ReportFormat::Html)]
    format: ReportFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    Json,
    Html,
}

#[derive(Debug, Args)]
struct TokenArgs {
    #[command(subcommand)]
    action: TokenAction,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// トークンを作り、それだけを標準出力に表示します（二度と表示されません）
    #[command(after_help = INGEST_HELP)]
    Create {
        #[command(flatten)]
        data: DataDir,
        /// 用途の名前
        #[arg(long)]
        name: String,
        /// 権限（繰り返し指定可。ログを送るだけなら ingest。ほかに events:read findings:read findings:review
        /// audits:read inventory:read admin）
        #[arg(long = "scope", required = true, num_args = 1..)]
        scopes: Vec<String>,
    },
}

/// How logs are sent with a token, in two lines each.
const INGEST_HELP: &str = "\
ログを送る（--scope ingest のトークンはログを送ることだけができ、何も読めません）:
  curl -H \"Authorization: Bearer トークン\" -H \"Content-Type: application/octet-stream\" \\
       --data-binary @Security.evtx http://127.0.0.1:8080/api/v1/ingest/evtx
  Fluent Bit: [OUTPUT] name es / match * / host 127.0.0.1 / port 8080 / path /es / suppress_type_name on
              http_user monban / http_passwd トークン";

pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.verb {
        Verb::Serve(args) => serve::run(&args),
        Verb::Demo(args) => demo::run(&args),
        Verb::Parse(args) => parse::run(&args),
        Verb::Detect(args) => detect::run(&args),
        Verb::Import(args) => {
            let paths = args.paths.iter().map(std::path::absolute).collect::<Result<_, _>>()?;
            ask(&args.data.data_dir, true, &Request::Import { paths, hints: args.hints() })
        }
        Verb::Search(SearchArgs { data, from, to, limit, count, format, query }) => {
            let request = Request::Search { query, from, to, limit, count, json: format == TableFormat::Jsonl };
            ask(&data.data_dir, false, &request)
        }
        Verb::Report(ReportArgs { data, period, format }) => {
            ask(&data.data_dir, false, &Request::Report { period, html: format == ReportFormat::Html })
        }
        Verb::Token(TokenArgs { action: TokenAction::Create { data, name, scopes } }) => {
            ask(&data.data_dir, true, &Request::CreateToken { name, scopes })
        }
        Verb::Hold(args) => {
            let (data, request) = args.request();
            ask(&data.data_dir, false, &request)
        }
        Verb::Reindex(args) => reindex::run(&args),
    }
}

/// Has the request carried out, by the server where one runs, and writes what comes back.
fn ask(dir: &Path, create: bool, request: &Request) -> anyhow::Result<ExitCode> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    let (mut written, mut bar) = (Ok(()), Bar::new());
    let status = control::ask(dir, create, request, &mut |reply| match reply {
        Reply::Out(line) => {
            if written.is_ok() {
                written = writeln!(output, "{line}");
            }
        }
        Reply::Note(line) => bar.say(&line),
        Reply::Moved { done, total } => bar.move_to(done, total),
        Reply::Exit(_) => {}
    })?;
    drop(bar);
    match written.and_then(|()| output.flush()) {
        // Whoever reads our output may stop early, as `head` does.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::from(status)),
    }
}

/// An instant, or a date that stands for its first moment in Japan.
fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map(jst_midnight)
        .map_err(|_| "2026-10-25 か 2026-10-25T01:48:00+09:00 の形で書いてください".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_date_is_its_first_moment_in_japan() {
        assert_eq!(instant("2026-10-25"), instant("2026-10-24T15:00:00Z"));
        assert!(instant("25/10/2026").is_err());
    }
}
