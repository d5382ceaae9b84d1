//! How each agent and collector for Windows puts a record into a text line: Snare, OSSEC, `WinCollect`, Splunk, evtsys,
//! `ArcSight`, RSA enVision and Adiscon. Owns their columns and keys; the marks by which a line is recognised and their
//! tests stand in `windows_event.rs`, and what a record means in `crate::windows`.

use super::cef;
use super::kv;
use crate::header::{Header, HeaderTime};
use crate::stamp;
use crate::windows::flatten::WindowsFields;
use crate::windows::json::{self, Reading};
use crate::windows::prose;

/// The audit words of the agents, as the event log's keyword says them.
fn push_audit(fields: &mut WindowsFields, text: &str) {
    let text = text.to_ascii_lowercase();
    if text.contains("audit") && text.contains("fail") {
        fields.push_system("Keywords", "Audit Failure");
    } else if text.contains("audit") && text.contains("success") {
        fields.push_system("Keywords", "Audit Success");
    }
}

/// Puts an agent's columns under the names of the event log; empty and null columns are left out.
fn push_columns(fields: &mut WindowsFields, columns: &[(&str, &str)]) {
    for (name, value) in columns {
        let value = value.trim();
        if !value.is_empty() && !monban_event::account::is_null_word(value) {
            fields.push_system(name, value);
        }
    }
}

pub(super) fn finish(mut fields: WindowsFields, time: Option<HeaderTime>, text: &str) -> Option<Reading> {
    let number = fields.text("EventID")?;
    if number.parse::<u32>().is_err() {
        return None;
    }
    prose::fill(&mut fields, text);
    let message = json::one_line(&prose::unescape(text));
    Some(Reading { fields, time, message: Some(message).filter(|text| !text.is_empty()) })
}

/// `[host] MSWinEventLog criticality log counter time number provider user kind type computer category data text [hash]`.
pub(super) fn snare(body: &str) -> Option<Reading> {
    let (_, rest) = body.split_once("MSWinEventLog")?;
    let separator = ["\t", "#011", "\\t"].into_iter().find(|separator| rest.starts_with(separator))?;
    let columns: Vec<&str> = rest.splitn(COLUMNS, separator).collect();
    let column = |at: usize| columns.get(at).copied().unwrap_or("");
    let mut fields = WindowsFields::default();
    push_columns(
        &mut fields,
        &[("Provider_Name", column(6)), ("EventID", column(5)), ("Channel", column(2)), ("Computer", column(10))],
    );
    push_audit(&mut fields, column(9));
    push_writer(&mut fields, column(7));
    let text = column(COLUMNS - 1);
    // A checksum or a counter may stand behind the text.
    let text = text.rsplit_once(separator).filter(|(_, last)| !last.contains(' ')).map_or(text, |(text, _)| text);
    finish(fields, named_time(column(4)), text)
}

/// The empty one before the first separator, and those of the format up to the text.
const COLUMNS: usize = 14;

/// The account an agent looked up for the record's SID. A logon names its own accounts; this is only who wrote it.
fn push_writer(fields: &mut WindowsFields, account: &str) {
    let account = account.trim();
    if account.is_empty() || monban_event::account::is_null_word(account) || account.starts_with('(') {
        return;
    }
    match account.split_once('\\') {
        Some((domain, name)) => {
            fields.push_system("Security_UserName", name);
            fields.push_system("Security_UserDomain", domain);
        }
        None => fields.push_system("Security_UserName", account),
    }
}

/// `Tue Mar 03 09:00:00 2026`, or without the weekday.
fn named_time(text: &str) -> Option<HeaderTime> {
    let text = text.trim();
    let behind_weekday = text.split_once(' ').map_or(text, |(_, rest)| rest.trim_start());
    let (stamp, _) = stamp::read(text).or_else(|| stamp::read(behind_weekday))?;
    Some(HeaderTime::Stamp(stamp))
}

/// What may stand before `WinEvtLog`: a time and a host.
const BEFORE_BYTES_MAX: usize = 80;

/// `WinEvtLog: log: TYPE(number): provider: user: domain: computer: text`.
pub(super) fn ossec(body: &str) -> Option<Reading> {
    let (before, rest) = body.split_once("WinEvtLog: ")?;
    let mut parts = rest.splitn(7, ": ");
    let mut next = || parts.next().unwrap_or("");
    let (channel, kind, provider, user, domain, computer, text) =
        (next(), next(), next(), next(), next(), next(), next());
    // A product that quotes such a line in its own has told it in its own fields.
    if before.len() > BEFORE_BYTES_MAX || before.contains('|') || before.contains("Alert Level") {
        return None;
    }
    let (word, number) = kind.split_once('(')?;
    let mut fields = WindowsFields::default();
    push_columns(
        &mut fields,
        &[
            ("Provider_Name", provider),
            ("EventID", number.trim_end_matches(')')),
            ("Channel", channel),
            ("Computer", computer),
        ],
    );
    push_audit(&mut fields, word);
    if !user.starts_with('(') {
        push_writer(&mut fields, user);
        push_columns(&mut fields, &[("Security_UserDomain", if domain == "no domain" { "" } else { domain })]);
    }
    finish(fields, named_time(before), text)
}

/// `WinCollect` and Splunk: which of their keys the event log has, under which name.
const KEYS: [(&str, &str); 14] = [
    ("AgentLogFile", "Channel"),
    ("LogName", "Channel"),
    ("Logfile", "Channel"),
    ("Source", "Provider_Name"),
    ("SourceName", "Provider_Name"),
    ("Computer", "Computer"),
    ("ComputerName", "Computer"),
    ("EventID", "EventID"),
    ("EventCode", "EventID"),
    ("RecordNumber", "EventRecordID"),
    ("Sid", "Security_UserID"),
    ("TaskCategory", "Task"),
    ("Level", "Level"),
    ("OpCode", "Opcode"),
];

pub(super) fn keys(body: &str) -> Option<Reading> {
    let (head, text) = body.split_once("Message=").or_else(|| body.split_once("Message =")).unwrap_or((body, ""));
    let head = head.replace(['\t', '\r', '\n'], " ").replace(" = ", "=").replace("\\t", " ");
    let mut fields = WindowsFields::default();
    let (mut user, mut time) = ("", None);
    for (key, value) in kv::pairs(&head) {
        let value = value.trim();
        match key {
            "User" => user = value,
            "TimeGenerated" => time = stamp::epoch(value).map(HeaderTime::Epoch),
            "Keywords" | "Type" => push_audit(&mut fields, value),
            // The classic event types: 8 is an audit's success, 16 its failure; Splunk writes 0 for both.
            "EventType" if value == "8" => push_audit(&mut fields, "audit success"),
            "EventType" if value == "16" => push_audit(&mut fields, "audit failure"),
            _ => {
                if let Some((_, name)) = KEYS.iter().find(|(known, _)| *known == key)
                    && fields.fields.get(name).is_none()
                {
                    push_columns(&mut fields, &[(name, value)]);
                }
            }
        }
    }
    if user != "NOT_TRANSLATED" {
        push_writer(&mut fields, user);
    }
    finish(fields, time, text)
}

/// `Security-Auditing: 4624: AUDIT_SUCCESS An account …`, with the whole provider in newer versions.
pub(super) fn evtsys(header: &Header<'_>) -> Option<Reading> {
    let app = header.app?;
    let (number, text) = header.message.split_once(": ")?;
    let is_number = !number.is_empty() && number.len() <= 5 && number.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || !app.ends_with("Security-Auditing") {
        return None;
    }
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut fields = WindowsFields::default();
    push_columns(
        &mut fields,
        &[("Provider_Name", "Microsoft-Windows-Security-Auditing"), ("EventID", number), ("Channel", "Security")],
    );
    push_audit(&mut fields, word);
    finish(fields, None, if word.starts_with("AUDIT_") { rest } else { text })
}

/// `ArcSight`'s connector: which of its keys stand for which data of a logon.
pub(super) fn arcsight(body: &str) -> Option<Reading> {
    const DATA: [(&str, &str); 8] = [
        ("suser", "SubjectUserName"),
        ("sntdom", "SubjectDomainName"),
        ("duser", "TargetUserName"),
        ("dntdom", "TargetDomainName"),
        ("src", "IpAddress"),
        ("spt", "IpPort"),
        ("shost", "WorkstationName"),
        ("dproc", "ProcessName"),
    ];
    let record = cef::find(body)?;
    let mut fields = WindowsFields::default();
    let (provider, number) = record.signature.rsplit_once(':').unwrap_or(("", record.signature));
    let (mut computer, mut reported, mut time) = (String::new(), String::new(), None);
    push_columns(&mut fields, &[("Provider_Name", provider), ("EventID", number)]);
    if provider.ends_with("Security-Auditing") || provider == "Security" {
        fields.push_system("Channel", "Security");
    }
    for (key, value) in cef::pairs(record.extension) {
        match key {
            "dvchost" => computer = value.into_owned(),
            "dhost" => reported = value.into_owned(),
            "rt" => time = stamp::epoch(&value).map(HeaderTime::Epoch),
            "categoryOutcome" => push_audit(&mut fields, &format!("audit {value}")),
            "externalId" if fields.text("EventID").is_none() => push_columns(&mut fields, &[("EventID", &value)]),
            _ => {
                if let Some((_, name)) = DATA.iter().find(|(known, _)| *known == key) {
                    fields.push_data(name, &value);
                }
            }
        }
    }
    push_columns(&mut fields, &[("Computer", if computer.is_empty() { &reported } else { &computer })]);
    finish(fields, time, record.name)
}

/// `WinCollect`'s LEEF: `LEEF:1.0|Microsoft|Windows|VERSION|NUMBER|key=value` between tabs, the text among them.
pub(super) fn leef(body: &str) -> Option<Reading> {
    let (_, rest) = body.split_once("|Microsoft|Windows|")?;
    let (_, rest) = rest.split_once('|')?;
    let (number, rest) = rest.split_once('|')?;
    let mut fields = WindowsFields::default();
    push_columns(&mut fields, &[("EventID", number)]);
    let (mut text, mut time, mut provider) = ("", None, "");
    for (key, value) in kv::separated(rest, b'\t') {
        match key {
            "cat" => push_audit(&mut fields, value),
            "source" | "application" if provider.is_empty() => provider = value,
            "resource" | "computer" => push_columns(&mut fields, &[("Computer", value)]),
            "usrName" => push_writer(&mut fields, value),
            "devTime" => time = stamp::epoch(value).map(HeaderTime::Epoch).or_else(|| named_time(value)),
            "message" => text = value,
            _ => {}
        }
    }
    push_columns(&mut fields, &[("Provider_Name", provider)]);
    if provider.ends_with("Security-Auditing") || fields.text("Keywords").is_some() {
        fields.push_system("Channel", "Security");
    }
    finish(fields, time, text)
}

/// RSA enVision: `%NICWIN-4-LOG_NUMBER_PROVIDER: LOG,rn=… cid=… eid=…,TIME,NUMBER,PROVIDER,USER,TYPE,COMPUTER,CATEGORY,DATA,TEXT`.
pub(super) fn envision(body: &str) -> Option<Reading> {
    let (_, rest) = body.split_once("%NICWIN-")?;
    let (_, rest) = rest.split_once(": ")?;
    let columns: Vec<&str> = rest.splitn(11, ',').collect();
    let column = |at: usize| columns.get(at).copied().unwrap_or("");
    let mut fields = WindowsFields::default();
    let record = column(1).split_once("rn=").and_then(|(_, rest)| rest.split(' ').next()).unwrap_or("");
    push_columns(
        &mut fields,
        &[
            ("Provider_Name", column(4)),
            ("EventID", column(3)),
            ("EventRecordID", record),
            ("Channel", column(0)),
            ("Computer", column(7)),
        ],
    );
    push_audit(&mut fields, column(6));
    if column(5) != "None" {
        push_writer(&mut fields, column(5));
    }
    finish(fields, named_time(column(2)), column(10))
}

/// Adiscon: `EvntSLog: [AUF] Tue Mar 03 09:00:00 2026: COMPUTER/Security (4625) - "text"`.
pub(super) fn event_reporter(body: &str) -> Option<Reading> {
    let (_, rest) = body.split_once("EvntSLog")?;
    let (kind, rest) = rest.split_once('[')?.1.split_once("] ")?;
    let (time, rest) = rest.split_once(": ")?;
    let (place, rest) = rest.split_once(" (")?;
    let (number, text) = rest.split_once(')')?;
    let (computer, log) = place.split_once('/')?;
    let mut fields = WindowsFields::default();
    push_columns(&mut fields, &[("EventID", number), ("Channel", log), ("Computer", computer)]);
    match kind {
        "AUF" => push_audit(&mut fields, "audit failure"),
        "AUS" => push_audit(&mut fields, "audit success"),
        _ => {}
    }
    finish(fields, named_time(time), text.trim_start_matches([' ', '-']).trim_matches('"'))
}
