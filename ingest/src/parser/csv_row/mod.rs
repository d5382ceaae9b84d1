//! One row of a CSV file behind its header line. Owns what the columns of exports mean: well-known names in Japanese and
//! English, the event viewer's export, `PowerShell`'s `Export-Csv` of Windows events, and exports whose columns are the
//! keys of a vendor's own log, which that vendor's parser reads. Every column is kept under its own name.
//!
//! Quirks: date and time may stand in two columns; an account may be a number and a name; a machine may be an address, a
//! name, or an address with a port; outcomes are words, circles and crosses.

mod columns;
#[cfg(test)]
mod tests;
mod times;
mod viewer;

use std::borrow::Cow;

use chrono_tz::Tz;
use monban_event::{Action, Category, Event, Outcome, ParseStatus, Record, RecordId, account, limits};

use super::draft::{Draft, PayloadTime, address};
use super::{TextSettings, csv};
use crate::file::rows;
use crate::header::Header;
use crate::text;
use columns::{Column, column, fold};
use times::time_of;

/// Whether a word is the name of a column that exports have; what tells a header from prose.
pub(crate) fn is_known_column(name: &str) -> bool {
    column(name).is_some() || viewer::is_name(name)
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
    let row = Row::read(&decoded.text);
    let zone = settings.zone_of(record);
    let mut event = if let Some(fields) = viewer::fields(&row) {
        viewer::event(id, record, fields, &row, zone)
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
            // Some firewalls have a domain that is a number of theirs.
            (Some(user), Some(domain)) if !user.contains(['\\', '@']) && domain.parse::<u64>().is_err() => {
                draft.user(&format!("{domain}\\{user}"));
            }
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
        // 送信元 and the program that wrote the line are both `Source`.
        Column::Program if address(value).is_some() => take_machine(draft, value, true),
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
const FAILURE_WORDS: [&str; 13] = [
    "失敗",
    "不成功",
    "エラー",
    "拒否",
    "ng",
    "fail",
    "error",
    "denied",
    "deny",
    "reject",
    "unsuccessful",
    "false",
    "invalid",
];
const SUCCESS_WORDS: [&str; 9] = ["成功", "正常", "許可", "ok", "success", "succeed", "allow", "accept", "true"];

const NO_FAILURE_WORDS: [&str; 4] = ["エラーなし", "エラー無し", "異常なし", "no error"];

fn outcome_of(value: &str) -> Option<Outcome> {
    let word = account::fold(value);
    let says =
        |words: &[&str]| words.iter().any(|known| if known.len() <= 2 { word == *known } else { word.contains(known) });
    if says(&NO_FAILURE_WORDS) {
        return Some(Outcome::Success);
    }
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
    // To show the login page is no login.
    let is_page = ["画面", "ページ", "page"].iter().any(|page| word.contains(page));
    let fits = |words: &[&str]| !is_page && words.iter().any(|known| word.contains(known));
    if draft.event.action.is_none()
        && let Some((_, category, action)) = ACTIONS.iter().find(|(words, ..)| fits(words))
    {
        draft.kind(*category, *action);
    }
    set_outcome(draft, value);
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
