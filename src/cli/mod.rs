//! The command line: verbs as typed, one file each where they do more than ask for something.

mod bar;
pub(crate) mod demo;
mod detect;
mod hold;
mod parse;
mod reindex;
mod rules;
pub(crate) mod verify;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use clap::{Args, Parser, Subcommand, ValueEnum};
use monban_event::FileHints;
use monban_event::time::{jst_midnight, jst_text};

pub(crate) use self::bar::Bar;
use crate::config::DEFAULT_DATA_DIR;
use crate::control::{self, Form, Reply, Request, Show};
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
    /// 保管した記録が書かれたときのままかを検査します（サーバの動作中も、写しでも）
    Verify(verify::VerifyArgs),
    /// 記録と台帳の写しを別のディスクに作ります（サーバの動作中も。2回目からは増えた分だけ）
    Backup(BackupArgs),
    /// バックアップから新しいデータフォルダを作ります
    Restore(RestoreArgs),
    /// 期間の原ログ・イベント・証明を、調査する人に渡せる形で取り出します
    Export(ExportArgs),
    /// API のトークンを作ります
    Token(TokenArgs),
    /// 消してはいけない期間を決めます（調査・係争のため）
    Hold(hold::HoldArgs),
    /// 検知ルールを一覧にし、説明し、自分で書いたルールを試します
    Rules(rules::RulesArgs),
    /// 索引と表を原ログから作り直します（サーバを止めてから）
    Reindex(reindex::ReindexArgs),
}

#[derive(Debug, Args)]
struct BackupArgs {
    #[command(flatten)]
    data: DataDir,
    /// 写しを置くフォルダ（USB ディスクなど）
    #[arg(value_name = "DIR")]
    to: PathBuf,
}

#[derive(Debug, Args)]
struct RestoreArgs {
    /// 復元先の新しいデータフォルダ
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR)]
    data_dir: PathBuf,
    /// バックアップのフォルダ
    #[arg(value_name = "DIR")]
    from: PathBuf,
}

#[derive(Debug, Args)]
struct ExportArgs {
    #[command(flatten)]
    data: DataDir,
    /// この時刻から（RFC 3339、または日付。日付は日本時間の 0 時）
    #[arg(long, value_parser = instant)]
    from: Option<DateTime<Utc>>,
    /// この時刻の前まで
    #[arg(long, value_parser = instant)]
    to: Option<DateTime<Utc>>,
    /// 取り出し先の新しいフォルダ
    #[arg(value_name = "DIR")]
    folder: PathBuf,
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
#[command(after_help = SEARCH_HELP)]
struct SearchArgs {
    #[command(flatten)]
    data: DataDir,
    /// この時刻から（RFC 3339、または日付。日付は日本時間の 0 時）
    #[arg(long, value_parser = instant)]
    from: Option<DateTime<Utc>>,
    /// この時刻の前まで
    #[arg(long, value_parser = instant)]
    to: Option<DateTime<Utc>>,
    /// 表示する件数の上限（省略すると、表では 100 件、csv と jsonl では全件）
    #[arg(long)]
    limit: Option<usize>,
    /// 件数だけを表示する
    #[arg(long, group = "what")]
    count: bool,
    /// この項目の値ごとの件数を、多い順に表示する
    #[arg(long, value_name = "項目", group = "what")]
    by: Option<String>,
    /// 時間ごとの件数を表示する（区切りは日本時間の 0 時から。例: 15m、1h、1d。--from が要ります）
    #[arg(long, value_name = "間隔", group = "what", value_parser = interval)]
    hist: Option<u32>,
    /// 原文をそのまま表示する
    #[arg(long, group = "what")]
    raw: bool,
    /// 表示する列（検索式と同じ項目名を , で区切る。例: 日時,利用者,接続元）
    #[arg(long, value_name = "列", default_value = "", hide_default_value = true)]
    cols: String,
    /// 並び順: -time は新しい順、time は古い順
    #[arg(long, default_value = "-time", allow_hyphen_values = true, value_parser = ["-time", "time"])]
    sort: String,
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
    /// 検索式（例: 利用者:tanaka 結果:失敗）。省略するとすべて
    #[arg(default_value = "*", allow_hyphen_values = true, value_parser = query_text)]
    query: String,
}

const SEARCH_HELP: &str = "\
例:
  monban search '利用者:tanaka 結果:失敗' --from 2026-11-01
  monban search '操作:ログイン 結果:失敗' --by 利用者 --from 2026-11-01
  monban search '時間外:はい' --hist 1d --from 2026-11-01 --to 2026-12-01
  monban search '接続元:院外' --format csv > 院外.csv";

impl SearchArgs {
    fn request(self) -> Request {
        let form = self.format;
        let limit = self.limit.unwrap_or(if form == Form::Table && !self.raw { SHOWN } else { usize::MAX });
        let show = match (self.count, self.by, self.hist, self.raw) {
            (true, ..) => Show::Count,
            (_, Some(field), ..) => Show::By { field, limit, form },
            (_, _, Some(seconds), _) => Show::Bars { seconds, form },
            (_, _, _, true) => Show::Raw { limit },
            _ => Show::Events { limit, columns: self.cols, form },
        };
        Request::Search { query: self.query, from: self.from, to: self.to, oldest_first: self.sort == "time", show }
    }
}

/// Events a person is shown who does not say how many.
const SHOWN: usize = 100;

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
        Verb::Verify(args) => verify::run(&args),
        Verb::Import(args) => {
            let paths = args.paths.iter().map(std::path::absolute).collect::<Result<_, _>>()?;
            ask(&args.data.data_dir, true, &Request::Import { paths, hints: args.hints() })
        }
        Verb::Search(args) => {
            let dir = args.data.data_dir.clone();
            ask(&dir, false, &args.request())
        }
        Verb::Report(ReportArgs { data, period, format }) => {
            ask(&data.data_dir, false, &Request::Report { period, html: format == ReportFormat::Html })
        }
        Verb::Backup(BackupArgs { data, to }) => {
            ask(&data.data_dir, false, &Request::Backup { to: std::path::absolute(to)? })
        }
        Verb::Export(ExportArgs { data, from, to, folder }) => {
            let request = Request::Export { to: std::path::absolute(folder)?, from, until: to };
            ask(&data.data_dir, false, &request)
        }
        Verb::Restore(RestoreArgs { data_dir, from }) => restore(&from, &data_dir),
        Verb::Token(TokenArgs { action: TokenAction::Create { data, name, scopes } }) => {
            ask(&data.data_dir, true, &Request::CreateToken { name, scopes })
        }
        Verb::Hold(args) => {
            let (data, request) = args.request();
            ask(&data.data_dir, false, &request)
        }
        Verb::Rules(args) => rules::run(&args),
        Verb::Reindex(args) => reindex::run(&args),
    }
}

fn restore(from: &Path, dir: &Path) -> anyhow::Result<ExitCode> {
    let about = crate::archive::restore(from, dir, crate::verbs::CONSOLE)?;
    let (at, last) = (jst_text(about.taken_at), about.receipt.last);
    print(&[
        format!("{} に復元しました（{at} の写し、番号 {last} まで）", dir.display()),
        format!("検証値 {}", about.receipt.value),
        "署名の鍵は写しに含まれないため、新しい鍵で続けます。monban verify が新しい公開鍵を示します。".to_owned(),
    ])?;
    Ok(ExitCode::SUCCESS)
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

/// Writes lines to standard output. Whoever reads them may stop early, as `head` does.
fn print(lines: &[String]) -> anyhow::Result<()> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    let written = lines.iter().try_for_each(|line| writeln!(output, "{line}")).and_then(|()| output.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
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

/// A query may begin with `-`, which excludes; what begins with two is an option that there is not.
fn query_text(text: &str) -> Result<String, String> {
    if text.starts_with("--") {
        return Err("この選択肢はありません。使えるものは monban search --help で見られます".to_owned());
    }
    Ok(text.to_owned())
}

/// `15m`, `1h`, `1d` in seconds.
fn interval(text: &str) -> Result<u32, String> {
    let unit = text.chars().last().unwrap_or(' ');
    let size = match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3_600),
        'd' => Some(86_400),
        _ => None,
    };
    let number = text.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok());
    let seconds = number.zip(size).and_then(|(number, size)| number.checked_mul(size)).filter(|seconds| *seconds > 0);
    seconds.ok_or_else(|| "30s、15m、1h、1d の形で書いてください".to_owned())
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
    fn an_interval_has_a_unit() {
        for (text, seconds) in [("30s", 30), ("15m", 900), ("1h", 3_600), ("7d", 604_800)] {
            assert_eq!(interval(text), Ok(seconds));
        }
        for text in ["", "h", "1", "0m", "-1h", "1時", "99999999999d"] {
            assert!(interval(text).is_err(), "{text}");
        }
    }

    fn search(arguments: &[&str]) -> Request {
        let cli = Cli::try_parse_from(["monban", "search"].iter().chain(arguments)).unwrap();
        let Verb::Search(args) = cli.verb else { panic!("another verb") };
        args.request()
    }

    #[test]
    fn what_a_search_shows_is_one_thing() {
        let shown = |arguments: &[&str]| match search(arguments) {
            Request::Search { show, .. } => show,
            _ => panic!("another request"),
        };
        let columns = String::new();
        assert_eq!(shown(&["a"]), Show::Events { limit: 100, columns: columns.clone(), form: Form::Table });
        let csv = Show::Events { limit: usize::MAX, columns, form: Form::Csv };
        assert_eq!(shown(&["a", "--format", "csv"]), csv);
        assert_eq!(shown(&["a", "--raw"]), Show::Raw { limit: usize::MAX });
        assert_eq!(shown(&["a", "--hist", "1h"]), Show::Bars { seconds: 3_600, form: Form::Table });
        let by = Show::By { field: "user".to_owned(), limit: 5, form: Form::Jsonl };
        assert_eq!(shown(&["a", "--by", "user", "--limit", "5", "--format", "jsonl"]), by);
        assert!(Cli::try_parse_from(["monban", "search", "a", "--by", "user", "--raw"]).is_err());
    }

    #[test]
    fn a_search_that_only_excludes_is_no_option() {
        assert!(matches!(search(&["-user:tanaka"]), Request::Search { query, .. } if query == "-user:tanaka"));
        assert!(Cli::try_parse_from(["monban", "search", "--bye"]).is_err());
        assert!(matches!(search(&["a", "--sort", "-time"]), Request::Search { oldest_first: false, .. }));
        assert!(matches!(search(&["a", "--sort", "time"]), Request::Search { oldest_first: true, .. }));
    }

    #[test]
    fn a_date_is_its_first_moment_in_japan() {
        assert_eq!(instant("2026-10-25"), instant("2026-10-24T15:00:00Z"));
        assert!(instant("25/10/2026").is_err());
    }
}
