//! One row of a CSV file behind its header line. Owns what the columns of exports mean: well-known names in Japanese and
//! English, the event viewer's export, `PowerShell`'s `Export-Csv` of Windows events, and exports whose columns are the
//! keys of a vendor's own log, which that vendor's parser reads. Every column is kept under its own name.
//!
//! Quirks: the event viewer names five columns and writes six, the last a description over many lines; it writes no
//! channel and no computer; its times are local and in the form of the Windows that wrote them; date and time may stand
//! in two columns.

use std::borrow::Cow;

use chrono_tz::Tz;
use monban_event::redact::redact;
use monban_event::{
    Action, Category, Event, EventId, Outcome, ParseStatus, Record, RecordId, TimeRule, account, limits,
};

use super::draft::{Draft, PayloadTime, address};
use super::{TextSettings, csv};
use crate::file::rows;
use crate::header::Header;
use crate::stamp::{self, Stamp};
use crate::windows::{self, Described, flatten::WindowsFields};
use crate::{hints, text};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    /// Date and time in one.
    Time,
    Date,
    Clock,
    User,
    UserName,
    TargetUser,
    Domain,
    Source,
    SourcePort,
    SourceName,
    Destination,
    DestinationPort,
    DestinationName,
    Assigned,
    Outcome,
    Action,
    Reason,
    Device,
    Code,
    Program,
    Message,
}

/// Column names as they are written, folded: lower case, full-width letters as ASCII, without blanks and signs.
const NAMES: &[(Column, &[&str])] = &[
    (
        Column::Time,
        &[
            "日時",
            "発生日時",
            "記録日時",
            "日付と時刻",
            "日付時刻",
            "タイムスタンプ",
            "アクセス日時",
            "操作日時",
            "ログ日時",
            "イベント日時",
            "ログイン日時",
            "接続日時",
            "timestamp",
            "datetime",
            "dateandtime",
            "timecreated",
            "eventtime",
            "logtime",
            "generatetime",
            "generatedtime",
            "receivetime",
            "receivedtime",
            "utctime",
            "createdat",
            "localtime",
        ],
    ),
    (Column::Date, &["日付", "年月日", "発生日", "操作日", "date", "logdate"]),
    (Column::Clock, &["時刻", "時間", "発生時刻", "操作時刻", "time"]),
    (
        Column::User,
        &[
            "ユーザー",
            "ユーザ",
            "利用者",
            "ユーザーid",
            "ユーザid",
            "利用者id",
            "職員id",
            "職員番号",
            "職員コード",
            "アカウント",
            "アカウント名",
            "ログインid",
            "ログイン名",
            "ログオン名",
            "ログインユーザー",
            "ログインユーザ",
            "操作者",
            "操作者id",
            "user",
            "userid",
            "username",
            "account",
            "accountname",
            "login",
            "loginid",
            "loginname",
            "logonname",
            "sourceuser",
            "srcuser",
            "suser",
            "userprincipalname",
            "samaccountname",
            "sourceusername",
        ],
    ),
    (
        Column::UserName,
        &["ユーザー名", "ユーザ名", "利用者名", "職員名", "氏名", "操作者名", "displayname", "fullname"],
    ),
    (
        Column::TargetUser,
        &["対象ユーザー", "対象ユーザ", "対象アカウント", "targetuser", "targetusername", "targetaccount"],
    ),
    (Column::Domain, &["ドメイン", "ドメイン名", "domain", "userdomain"]),
    (
        Column::Source,
        &[
            "送信元",
            "送信元ip",
            "送信元ipアドレス",
            "送信元アドレス",
            "接続元",
            "接続元ip",
            "接続元ipアドレス",
            "接続元アドレス",
            "アクセス元",
            "アクセス元ip",
            "アクセス元ipアドレス",
            "端末ip",
            "端末ipアドレス",
            "クライアントip",
            "クライアントipアドレス",
            "リモートip",
            "ipアドレス",
            "ip",
            "ipaddress",
            "sourceip",
            "sourceaddress",
            "sourceipaddress",
            "srcip",
            "src",
            "srcaddr",
            "clientip",
            "clientaddress",
            "clientipaddress",
            "remoteip",
            "remoteaddress",
            "remip",
            "publicip",
            "cip",
        ],
    ),
    (Column::SourcePort, &["送信元ポート", "接続元ポート", "sourceport", "srcport", "sport", "clientport"]),
    (
        Column::SourceName,
        &[
            "端末",
            "端末名",
            "接続元端末",
            "接続元ホスト",
            "クライアント名",
            "コンピューター名",
            "コンピュータ名",
            "workstation",
            "workstationname",
            "clientname",
            "sourcehost",
            "srchost",
        ],
    ),
    (
        Column::Destination,
        &[
            "宛先",
            "宛先ip",
            "宛先ipアドレス",
            "宛先アドレス",
            "送信先",
            "送信先ip",
            "接続先",
            "接続先ip",
            "接続先ipアドレス",
            "destinationip",
            "destinationaddress",
            "destinationipaddress",
            "dstip",
            "dst",
            "dstaddr",
            "serverip",
        ],
    ),
    (Column::DestinationPort, &["宛先ポート", "送信先ポート", "接続先ポート", "destinationport", "dstport", "dport"]),
    (Column::DestinationName, &["宛先ホスト", "接続先ホスト", "接続先名", "destinationhost", "dsthost", "url"]),
    (
        Column::Assigned,
        &[
            "割当ip",
            "割り当てip",
            "割当ipアドレス",
            "払出ip",
            "仮想ip",
            "assignedip",
            "tunnelip",
            "virtualip",
            "privateip",
        ],
    ),
    (
        Column::Outcome,
        &[
            "結果",
            "成否",
            "処理結果",
            "ログイン結果",
            "認証結果",
            "接続結果",
            "状態",
            "ステータス",
            "result",
            "status",
            "outcome",
            "success",
            "loginstatus",
        ],
    ),
    (
        Column::Action,
        &[
            "操作",
            "操作内容",
            "操作種別",
            "動作",
            "アクション",
            "処理",
            "種別",
            "イベント",
            "イベント種別",
            "区分",
            "action",
            "operation",
            "activity",
            "event",
            "eventtype",
            "eventname",
        ],
    ),
    (
        Column::Reason,
        &["理由", "失敗理由", "原因", "エラー", "エラー内容", "reason", "failurereason", "error", "errormessage"],
    ),
    (
        Column::Device,
        &[
            "機器",
            "機器名",
            "装置",
            "装置名",
            "ホスト",
            "ホスト名",
            "サーバー",
            "サーバ",
            "サーバー名",
            "サーバ名",
            "hostname",
            "host",
            "device",
            "devicename",
            "computer",
            "machinename",
            "server",
            "servername",
            "devname",
            "firewall",
        ],
    ),
    (
        Column::Code,
        &[
            "イベントid",
            "イベントコード",
            "コード",
            "エラーコード",
            "eventid",
            "eventcode",
            "code",
            "messageid",
            "logid",
        ],
    ),
    (
        Column::Program,
        &["プログラム", "アプリケーション", "アプリ", "ソース", "application", "app", "program", "process", "source"],
    ),
    (
        Column::Message,
        &["メッセージ", "内容", "詳細", "説明", "備考", "message", "msg", "description", "detail", "details"],
    ),
];

/// Lower case, full-width letters as ASCII, without what is written between words.
fn fold(name: &str) -> String {
    account::fold(name.trim().trim_start_matches('\u{FEFF}'))
        .chars()
        .filter(|character| !matches!(character, ' ' | '_' | '-' | '.' | '"' | '\'' | '/' | ':' | '(' | ')' | '#'))
        .collect()
}

fn column(name: &str) -> Option<Column> {
    let folded = fold(name);
    NAMES.iter().find(|(_, names)| names.contains(&folded.as_str())).map(|(column, _)| *column)
}

/// Whether a word is the name of a column that exports have; what tells a header from prose.
pub(crate) fn is_known_column(name: &str) -> bool {
    column(name).is_some() || WINDOWS_NAMES.iter().any(|(names, _)| names.contains(&fold(name).as_str()))
}

/// One row: its columns by name, in order.
struct Row<'a> {
    names: Vec<Cow<'a, str>>,
    values: Vec<Cow<'a, str>>,
}

impl<'a> Row<'a> {
    fn read(text: &'a str) -> Self {
        let (header, row) = text.split_once('\n').unwrap_or((text, ""));
        let header = header.trim_end_matches('\r').trim_start_matches('\u{FEFF}');
        let separator = rows::separator(header).unwrap_or(b',');
        let names = csv::values(header, separator).collect();
        let values = csv::values(row.trim_end_matches(['\r', '\n']), separator).collect();
        Self { names, values }
    }

    /// Name and value of every column that has one; a value without a name has an empty one.
    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.names.iter().map(AsRef::as_ref).map(str::trim).chain(std::iter::repeat(""));
        names.zip(self.values.iter().map(|value| value.trim())).filter(|(_, value)| !value.is_empty())
    }

    /// The first value of a column of that folded name.
    fn get(&self, names: &[&str]) -> Option<&str> {
        self.pairs().find(|(name, _)| names.contains(&fold(name).as_str())).map(|(_, value)| value)
    }

    fn has(&self, names: &[&str]) -> bool {
        self.names.iter().any(|name| names.contains(&fold(name).as_str()))
    }
}

/// The event of one CSV record.
pub(crate) fn parse_row(id: RecordId, record: &Record, settings: &TextSettings) -> Event {
    let decoded = text::decode(&record.bytes, None);
    let text = redact(&decoded.text);
    let row = Row::read(&text);
    let zone = settings.zone_of(record);
    let mut event = if let Some(fields) = windows_row(&row) {
        windows_event(id, record, fields, &row, zone)
    } else if is_key_row(&row) {
        key_event(id, record, &row, settings)
    } else {
        named_event(id, record, &row, zone)
    };
    event.original_encoding = decoded.encoding.map(str::to_owned);
    event
}

/// Columns that are the keys of `FortiGate`'s own log.
fn is_key_row(row: &Row<'_>) -> bool {
    let has = |name: &str| row.names.iter().any(|column| column.trim() == name);
    has("logid") && has("type") && has("subtype")
}

/// Through the parser of the vendor whose keys these are.
fn key_event(id: RecordId, record: &Record, row: &Row<'_>, settings: &TextSettings) -> Event {
    let mut line = String::new();
    for (name, value) in row.pairs().filter(|(name, _)| !name.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(name);
        line.push_str("=\"");
        line.push_str(value);
        line.push('"');
    }
    let as_line = Record { bytes: line.into_bytes(), ..record.clone() };
    super::parse_syslog(id, &as_line, settings)
}

fn named_event(id: RecordId, record: &Record, row: &Row<'_>, zone: Tz) -> Event {
    let mut draft = Draft::new(id, record);
    draft.rule("csv.columns");
    let mut parts = Parts::default();
    let mut known = 0;
    for (index, (name, value)) in row.pairs().enumerate() {
        match column(name) {
            Some(column) => {
                known += 1;
                take(&mut draft, &mut parts, column, value);
            }
            None if name.is_empty() => draft.native(&format!("column{}", index + 1), value),
            None => {}
        }
        if !name.is_empty() {
            draft.native(name, value);
        }
    }
    draft.time = parts.time();
    parts.name_user(&mut draft);
    mark_vpn(&mut draft, row);
    let status = if known >= 2 { ParseStatus::Full } else { ParseStatus::Raw };
    let message = parts.message.unwrap_or_else(|| sentence(row));
    let header = Header { body: &message, message: &message, ..Header::default() };
    draft.finish(&header, status, zone)
}

/// Whoever comes and goes does so by VPN where an address was given, or where a column, a value or the file's name says so.
fn mark_vpn(draft: &mut Draft<'_>, row: &Row<'_>) {
    use Action::{Login, Logout, SessionEnd, SessionStart};
    let says = |text: &str| account::fold(text).contains("vpn");
    let is_named = || {
        let path = draft.record.file.as_ref().map_or("", |file| file.path.as_ref());
        says(path.rsplit(['/', '\\']).next().unwrap_or(path))
            || row.pairs().any(|(name, value)| says(name) || says(value))
    };
    let comes_or_goes = matches!(draft.event.action, Some(Login | Logout | SessionStart | SessionEnd));
    if comes_or_goes && (draft.event.vpn_assigned_ip.is_some() || is_named()) {
        draft.event.vpn_type = Some("vpn".to_owned());
    }
}

/// Columns that mean something only together.
#[derive(Default)]
struct Parts<'a> {
    whole: Option<&'a str>,
    date: Option<&'a str>,
    clock: Option<&'a str>,
    user: Option<&'a str>,
    user_name: Option<&'a str>,
    domain: Option<&'a str>,
    message: Option<String>,
}

impl Parts<'_> {
    fn time(&self) -> Option<PayloadTime> {
        if let Some(time) = self.whole.and_then(time_of) {
            return Some(time);
        }
        match (self.date, self.clock) {
            (Some(date), Some(clock)) => time_of(&format!("{date} {clock}")),
            (Some(one), None) | (None, Some(one)) => time_of(one),
            (None, None) => None,
        }
    }

    /// The id where there is one, else the name: in many exports ユーザー名 is the login.
    fn name_user(&self, draft: &mut Draft<'_>) {
        match (self.user.or(self.user_name), self.domain) {
            (Some(user), Some(domain)) if !user.contains(['\\', '@']) => draft.user(&format!("{domain}\\{user}")),
            (Some(user), _) => draft.user(user),
            (None, _) => {}
        }
    }
}

fn take<'a>(draft: &mut Draft<'_>, parts: &mut Parts<'a>, column: Column, value: &'a str) {
    let text = || Some(value.to_owned()).filter(|value| !account::is_null_word(value));
    match column {
        Column::Time => parts.whole = parts.whole.or(Some(value)),
        Column::Date => parts.date = parts.date.or(Some(value)),
        Column::Clock => parts.clock = parts.clock.or(Some(value)),
        Column::User => parts.user = parts.user.or(Some(value)),
        Column::UserName => parts.user_name = parts.user_name.or(Some(value)),
        Column::Domain => parts.domain = parts.domain.or(Some(value)),
        Column::Message => parts.message = parts.message.take().or_else(|| Some(one_line(value))),
        Column::TargetUser => draft.target_user(value),
        Column::Source => take_machine(draft, value, true),
        Column::Destination => take_machine(draft, value, false),
        Column::SourcePort => draft.event.source_port = value.parse().ok(),
        Column::DestinationPort => draft.event.destination_port = value.parse().ok(),
        Column::SourceName => draft.event.source_domain = text(),
        Column::DestinationName => draft.event.destination_domain = text(),
        Column::Assigned => draft.assigned(value),
        Column::Reason => draft.reason(value),
        Column::Device => draft.event.observer_hostname = text(),
        Column::Code => draft.event.code = text(),
        Column::Program => draft.event.process_name = text(),
        Column::Outcome => set_outcome(draft, value),
        Column::Action => set_action(draft, value),
    }
}

/// An address, with a port or without, or the name of a machine.
fn take_machine(draft: &mut Draft<'_>, value: &str, is_source: bool) {
    let (host, port) = match value.rsplit_once(':') {
        Some((host, port)) if address(value).is_none() && port.parse::<u16>().is_ok() => (host, port.parse().ok()),
        _ => (value, None),
    };
    let name = Some(host.to_owned()).filter(|host| address(host).is_none() && !account::is_null_word(host));
    if is_source {
        draft.source(host);
        draft.event.source_port = draft.event.source_port.or(port);
        draft.event.source_domain = draft.event.source_domain.take().or(name);
    } else {
        draft.destination(host);
        draft.event.destination_port = draft.event.destination_port.or(port);
        draft.event.destination_domain = draft.event.destination_domain.take().or(name);
    }
}

/// Words that say how it ended; failure is looked for first, because 不成功 and `unsuccessful` hold the other.
const FAILURE_WORDS: [&str; 12] =
    ["失敗", "不成功", "エラー", "拒否", "ng", "fail", "error", "den", "reject", "unsuccessful", "false", "invalid"];
const SUCCESS_WORDS: [&str; 9] = ["成功", "正常", "許可", "ok", "success", "succeed", "allow", "accept", "true"];

fn outcome_of(value: &str) -> Option<Outcome> {
    let word = account::fold(value);
    let says =
        |words: &[&str]| words.iter().any(|known| if known.len() <= 2 { word == *known } else { word.contains(known) });
    match (says(&FAILURE_WORDS), says(&SUCCESS_WORDS)) {
        _ if word == "×" => Some(Outcome::Failure),
        _ if matches!(word.as_str(), "○" | "〇") => Some(Outcome::Success),
        (true, _) => Some(Outcome::Failure),
        (false, true) => Some(Outcome::Success),
        (false, false) => None,
    }
}

fn set_outcome(draft: &mut Draft<'_>, value: &str) {
    draft.event.outcome = draft.event.outcome.or_else(|| outcome_of(value));
}

/// What was done, where the word leaves no doubt. The first that fits counts, so ログアウト stands before ログ.
const ACTIONS: [(&[&str], Category, Action); 8] = [
    (
        &["ログアウト", "ログオフ", "サインアウト", "logout", "logoff", "logged out", "sign out", "signout"],
        Category::Authentication,
        Action::Logout,
    ),
    (
        &[
            "ログイン",
            "ログオン",
            "サインイン",
            "認証",
            "login",
            "logon",
            "logged in",
            "sign in",
            "signin",
            "authentication",
        ],
        Category::Authentication,
        Action::Login,
    ),
    (&["切断", "disconnect", "session end", "tunnel-down"], Category::Session, Action::SessionEnd),
    (&["接続", "connect", "session start", "tunnel-up"], Category::Session, Action::SessionStart),
    (&["設定変更", "config"], Category::Configuration, Action::ConfigChange),
    (&["拒否", "遮断", "破棄", "deny", "denied", "drop", "block", "reject"], Category::Network, Action::Deny),
    (&["許可", "通過", "allow", "accept", "permit"], Category::Network, Action::Allow),
    (&["検知", "検出", "detect"], Category::Malware, Action::Detect),
];

fn set_action(draft: &mut Draft<'_>, value: &str) {
    let word = account::fold(value);
    let fits = |words: &[&str]| words.iter().any(|known| word.contains(known));
    if draft.event.action.is_none()
        && let Some((_, category, action)) = ACTIONS.iter().find(|(words, ..)| fits(words))
    {
        draft.kind(*category, *action);
    }
    set_outcome(draft, value);
}

/// A time in the forms of exports; what is none of them is no time.
fn time_of(text: &str) -> Option<PayloadTime> {
    let text = account::fold(text.trim());
    if let Some(instant) = stamp::epoch(&text) {
        return Some(PayloadTime::Instant(instant));
    }
    let text = text.replace(['年', '月'], "/").replace('日', " ").replace(['時', '分'], ":").replace('秒', "");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    stamp_of(&text.to_ascii_uppercase()).map(PayloadTime::Stamp)
}

fn stamp_of(text: &str) -> Option<Stamp> {
    let (text, half_day) = without_half_day(text);
    let with_seconds = format!("{text}:00");
    let stamp = [text.as_str(), &with_seconds]
        .into_iter()
        .find_map(|text| stamp::read(text).map(|(stamp, _)| stamp).or_else(|| year_last(text)))?;
    Some(match half_day {
        Some(is_afternoon) => Stamp { hour: stamp.hour % 12 + if is_afternoon { 12 } else { 0 }, ..stamp },
        None => stamp,
    })
}

/// Takes `AM`, `PM`, 午前 and 午後 off.
fn without_half_day(text: &str) -> (String, Option<bool>) {
    for (word, is_afternoon) in [("午前", false), ("午後", true), (" AM", false), (" PM", true)] {
        if text.contains(word) {
            let rest = text.replacen(word, if word.starts_with(' ') { "" } else { " " }, 1);
            return (rest.split_whitespace().collect::<Vec<_>>().join(" "), Some(is_afternoon));
        }
    }
    (text.to_owned(), None)
}

/// `10/25/2026 12:00:00` of an English Windows; where the first number cannot be a month it is the day.
fn year_last(text: &str) -> Option<Stamp> {
    let (date, clock) = text.split_once(' ')?;
    let parts: Vec<&str> = date.split('/').collect();
    let [first, second, year] = parts[..] else { return None };
    let (month, day) = if first.parse::<u32>().ok()? > 12 { (second, first) } else { (first, second) };
    stamp::read(&format!("{year}/{month}/{day} {clock}")).map(|(stamp, _)| stamp)
}

/// All columns as one line, for search and lists.
fn sentence(row: &Row<'_>) -> String {
    let mut line = String::new();
    for (name, value) in row.pairs() {
        if line.len() > limits::MESSAGE_BYTES_MAX {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        if !name.is_empty() {
            line.push_str(name);
            line.push('=');
        }
        line.push_str(&one_line(value));
    }
    line
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Columns of the event viewer (English, Japanese) and of `Get-WinEvent`, and the names Windows has for them.
const WINDOWS_NAMES: [(&[&str], &str); 12] = [
    (&["keywords", "キーワード", "keywordsdisplaynames"], "Keywords"),
    (&["level", "レベル", "leveldisplayname"], "Level"),
    (&["dateandtime", "日付と時刻", "timecreated", "timegenerated"], ""),
    (&["source", "ソース", "providername"], "Provider_Name"),
    (&["eventid", "イベントid", "id"], "EventID"),
    (&["taskcategory", "タスクのカテゴリ", "taskdisplayname", "task"], "Task"),
    (&["logname", "ログの名前", "channel"], "Channel"),
    (&["computer", "machinename", "コンピューター", "コンピュータ"], "Computer"),
    (&["recordid", "eventrecordid", "index"], "EventRecordID"),
    (&["userid", "ユーザー", "user"], "Security_UserID"),
    (&["opcode", "opcodedisplayname"], "Opcode"),
    (&["message", "説明", "description", "メッセージ", "全般"], "Description"),
];

/// Lines of a description and the names `EventData` has for them. They are written in the language of the Windows; a
/// CSV export has nothing else.
const DESCRIPTION_NAMES: [(&[&str], &str); 8] = [
    (&["アカウント名", "account name"], "UserName"),
    (&["アカウント ドメイン", "account domain"], "DomainName"),
    (&["セキュリティ id", "security id"], "UserSid"),
    (&["ログオン タイプ", "logon type"], "LogonType"),
    (
        &["ソース ネットワーク アドレス", "source network address", "クライアント アドレス", "client address"],
        "IpAddress",
    ),
    (&["ソース ポート", "source port", "クライアント ポート", "client port"], "IpPort"),
    (&["ワークステーション名", "workstation name"], "WorkstationName"),
    (&["サブ ステータス", "sub status"], "SubStatus"),
];

/// The parts of a description: who asked, and whom it is about.
const SUBJECT_PARTS: [&str; 2] = ["サブジェクト", "subject"];

const SECURITY_PROVIDERS: [&str; 2] = ["Microsoft-Windows-Security-Auditing", "Microsoft Windows security auditing."];

/// The fields of a Windows event's row; `None` for any other.
fn windows_row(row: &Row<'_>) -> Option<WindowsFields> {
    let viewer = row.has(&["dateandtime", "日付と時刻"]) && row.has(&["taskcategory", "タスクのカテゴリ"]);
    let shell = row.has(&["providername"]) && row.has(&["timecreated"]) && row.has(&["id", "eventid"]);
    if !viewer && !shell {
        return None;
    }
    let mut fields = WindowsFields::default();
    let mut description = "";
    for (name, value) in row.pairs() {
        let folded = fold(name);
        match WINDOWS_NAMES.iter().find(|(names, _)| names.contains(&folded.as_str())).map(|(_, name)| *name) {
            Some("") => {}
            Some("Description") => description = value,
            Some("Provider_Name") if SECURITY_PROVIDERS.contains(&value) => {
                fields.push_system("Provider_Name", "Microsoft-Windows-Security-Auditing");
                fields.push_system("Channel", "Security");
            }
            Some(name) => fields.push_system(name, value),
            // The sixth column of the event viewer has no name.
            None if name.is_empty() => description = if description.is_empty() { value } else { description },
            None => {}
        }
    }
    push_description(&mut fields, description);
    for (name, value) in row.pairs().filter(|(name, _)| !name.is_empty() && !is_windows_name(name)) {
        fields.push_data(name, value);
    }
    Some(fields)
}

fn is_windows_name(name: &str) -> bool {
    WINDOWS_NAMES.iter().any(|(names, _)| names.contains(&fold(name).as_str()))
}

fn push_description(fields: &mut WindowsFields, description: &str) {
    let mut is_subject = false;
    for line in description.lines() {
        let Some((name, value)) = line.split_once([':', '：']) else { continue };
        let (name, value) = (name.trim().to_lowercase(), value.trim());
        if value.is_empty() {
            is_subject = SUBJECT_PARTS.contains(&name.as_str());
            continue;
        }
        let known = DESCRIPTION_NAMES.iter().find(|(names, _)| names.contains(&name.as_str())).map(|(_, name)| *name);
        match known {
            Some(known @ ("UserName" | "DomainName" | "UserSid")) => {
                let part = if is_subject { "Subject" } else { "Target" };
                let field = format!("{part}{known}");
                if fields.fields.get(&field).is_none() {
                    fields.push_data(&field, value);
                }
            }
            Some(known) if fields.fields.get(known).is_none() => fields.push_data(known, value),
            _ => {}
        }
    }
}

fn windows_event(id: RecordId, record: &Record, fields: WindowsFields, row: &Row<'_>, zone: Tz) -> Event {
    let described = Described { id: EventId::new(id, 0), record, written: None, parse_rule: "windows.csv" };
    let mut event = windows::to_event(&described, fields);
    let written = row.get(&["dateandtime", "日付と時刻", "timecreated", "timegenerated"]).and_then(time_of);
    let instant = match written {
        Some(PayloadTime::Instant(instant)) => Some(instant),
        Some(PayloadTime::Stamp(stamp)) => stamp.resolve(zone, hints::as_of(record, zone)),
        None => None,
    };
    match instant {
        Some(instant) => {
            event.event_time = Some(instant.time);
            event.time_rule = Some(instant.rule);
            event.timezone = instant.timezone;
        }
        None => event.time_rule = Some(TimeRule::Receive),
    }
    let description = row
        .get(&["message", "説明", "description", "メッセージ", "全般"])
        .or_else(|| row.pairs().find(|(name, _)| name.is_empty()).map(|(_, value)| value));
    if let Some(description) = description {
        let mut message = one_line(description);
        message.truncate(message.floor_char_boundary(limits::MESSAGE_BYTES_MAX));
        event.message = Some(message);
    }
    event
}

#[cfg(test)]
mod tests {
    use monban_event::time::rfc3339;
    use monban_event::{Format, Value};

    use super::super::testing::record;
    use super::*;

    fn parse(text: &str) -> Event {
        let mut record = record(text.as_bytes());
        record.format = Format::Csv;
        parse_row(RecordId(7), &record, &TextSettings::default())
    }

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) -> Event {
        let event = parse(text);
        for (name, value) in expected {
            let field = monban_event::Field::from_name(name).expect("a field");
            let found = event.get(field).map(|value: Value<'_>| value.to_text().into_owned());
            assert_eq!(found.as_deref().unwrap_or("-"), *value, "{name}: {text}");
        }
        event
    }

    #[test]
    fn japanese_columns() {
        let event = check(
            "日時,ユーザーID,氏名,接続元IP,宛先,操作,結果,部署\n2026/10/25 12:00,yamada,山田 太郎,198.51.100.7,fs01,ログイン,失敗,放射線科",
            &[
                ("user.name", "yamada"),
                ("source.ip", "198.51.100.7"),
                ("destination.domain", "fs01"),
                ("event.action", "login"),
                ("event.category", "authentication"),
                ("event.outcome", "failure"),
                ("time.source", "local"),
                ("parse.status", "full"),
            ],
        );
        assert_eq!(event.event_time.map(rfc3339).as_deref(), Some("2026-10-25T03:00:00.000000Z"));
        assert_eq!(event.native.get("部署"), Some("放射線科"));
        assert_eq!(event.native.len(), 8);
        assert!(event.message.is_some_and(|message| message.contains("氏名=山田 太郎")));
    }

    #[test]
    fn coming_and_going_by_vpn_says_so() {
        for (text, kind) in [
            ("日時,ユーザ,接続元IP,操作\n2026/10/25 12:00,sato,203.0.113.9,VPN接続", "vpn"),
            ("日時,VPNアカウント,ユーザ,接続元IP,操作\n2026/10/25 12:00,x,sato,203.0.113.9,接続", "vpn"),
            ("日時,ユーザ,接続元IP,操作\n2026/10/25 12:00,sato,10.0.0.9,接続", "-"),
            ("日時,ユーザ,接続元IP,操作,備考\n2026/10/25 12:00,sato,10.0.0.9,設定変更,VPN", "-"),
        ] {
            check(text, &[("vpn.type", kind)]);
        }
    }

    #[test]
    fn dates_and_times_in_the_forms_of_exports() {
        for (header, row) in [
            ("日付,時刻,ユーザ名", "2026年10月25日,12:00:00,sato"),
            ("date;time;user", "2026-10-25;12:00;sato"),
            ("Date and Time\tUser", "10/25/2026 12:00:00 PM\tsato"),
            ("タイムスタンプ,ユーザ", "2026/10/25 午後0:00:00,sato"),
            ("timestamp,user", "1792897200,sato"),
            ("Time Created,User", "2026-10-25T12:00:00+09:00,sato"),
            ("日時,ユーザ", "25/10/2026 12:00:00,sato"),
        ] {
            let event = check(&format!("{header}\r\n{row}\r\n"), &[("user.name", "sato")]);
            assert_eq!(event.event_time.map(rfc3339).as_deref(), Some("2026-10-25T03:00:00.000000Z"), "{row}");
        }
        let event = check("日時,ユーザ\nいつか,sato", &[("time.source", "receive")]);
        assert_eq!(event.event_time, event.ingested);
    }

    #[test]
    fn the_event_viewers_export() {
        let row = "\"監査の失敗\",2026/10/25 12:00:00,Microsoft Windows security auditing.,4625,ログオン,\"アカウントがログオンに失敗しました。\n\n\
                   サブジェクト:\n\tアカウント名:\t\tDC01$\n\nログオン タイプ:\t\t\t3\n\nログオンを失敗したアカウント:\n\tアカウント名:\t\tvendor01\n\t\
                   アカウント ドメイン:\t\tHOSPITAL\n\nネットワーク情報:\n\tワークステーション名:\tPC-07\n\tソース ネットワーク アドレス:\t203.0.113.9\n\"";
        let event = check(
            &format!("キーワード,日付と時刻,ソース,イベント ID,タスクのカテゴリ\n{row}"),
            &[
                ("event.code", "4625"),
                ("winlog.channel", "Security"),
                ("user.name", "vendor01"),
                ("source.ip", "203.0.113.9"),
                ("event.outcome", "failure"),
                ("event.action", "login"),
                ("winlog.logon.type", "3"),
                ("parse.rule", "windows.csv"),
            ],
        );
        assert_eq!(event.event_time.map(rfc3339).as_deref(), Some("2026-10-25T03:00:00.000000Z"));
        assert_eq!(event.native.get("SubjectUserName"), Some("DC01$"));
        check(
            "Level,Date and Time,Source,Event ID,Task Category\nInformation,10/25/2026 12:00:00 PM,Service Control Manager,7036,None,text",
            &[("event.code", "7036"), ("winlog.provider", "Service Control Manager"), ("message", "text")],
        );
    }

    #[test]
    fn columns_that_are_a_vendors_keys() {
        check(
            "date,time,devname,devid,logid,type,subtype,level,action,remip,user\n\
             2026-10-25,12:00:00,FW-HONKAN,FGT60F0000000001,0101039426,event,vpn,alert,ssl-login-fail,203.0.113.9,sato",
            &[
                ("event.module", "fortinet"),
                ("user.name", "sato"),
                ("source.ip", "203.0.113.9"),
                ("event.outcome", "failure"),
            ],
        );
    }

    #[test]
    fn hostile_rows_stay_rows() {
        for text in [
            "",
            "\n",
            "a,b",
            "a,b\n",
            "日時,ユーザ\n\"",
            "日時,ユーザ\n,,,,,,",
            "日時\n日時\n日時",
            "送信元,宛先\n:,::1:99999",
        ] {
            let event = parse(text);
            assert!(event.event_time.is_some() && event.parse_status.is_some(), "{text:?}");
        }
        let wide = format!("日時,ユーザ\n{}", "x,".repeat(100_000));
        assert!(parse(&wide).native.len() <= limits::NATIVE_FIELDS_MAX);
    }
}
