//! Windows records in syslog lines: what `NXLog`, Snare, OSSEC, `WinCollect`, Splunk, evtsys and Log Insight send. Owns how
//! each agent puts a record into a line; what a record means is `crate::windows`' to say, the same as for a log file.
//!
//! Quirks this file owns:
//! * JSON and `<Event>` elements stand alone or behind a syslog header, sometimes behind a tag.
//! * Snare: `MSWinEventLog` and columns between tabs, which relays write as `#011`; its time has no zone.
//! * OSSEC: `WinEvtLog: Security: AUDIT_FAILURE(4625): provider: user: domain: computer: text`.
//! * `WinCollect` and Splunk: `key=value`, of which the message is the last and holds line breaks or blanks.
//! * evtsys: the provider's last word is the program, the number opens the message.
//! * Log Insight sends the text alone: the number is taken from an English or Japanese title, or from an order of lines
//!   that no other event has; of other texts the acting account is taken where SID and logon number stand beside it.

use serde_json::{Map, Value};

use super::cef;
use super::draft::{Draft, PayloadTime};
use super::kv;
use crate::header::{self, Header, HeaderTime};
use crate::stamp;
use crate::windows::flatten::WindowsFields;
use crate::windows::json::{self, Reading};
use crate::windows::{self, prose, xml};

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some((rule, reading)) = read(header) else { return false };
    let Reading { mut fields, time, message } = reading;
    let own = fields.text("TimeCreated_SystemTime").and_then(stamp::read).map(|(stamp, _)| PayloadTime::Stamp(stamp));
    draft.time = own.or(match time {
        Some(HeaderTime::Stamp(stamp)) => Some(PayloadTime::Stamp(stamp)),
        Some(HeaderTime::Epoch(instant)) => Some(PayloadTime::Instant(instant)),
        None => None,
    });
    if let (None, Some(host)) = (fields.text("Computer"), header.host) {
        fields.push_system("Computer", host);
    }
    windows::tell(&mut draft.event, &fields);
    draft.event.native = fields.fields;
    draft.event.message = message;
    draft.rule(rule);
    true
}

fn read(header: &Header<'_>) -> Option<(&'static str, Reading)> {
    let body = header.body;
    let bytes = body.as_bytes();
    let has = |mark: &str| memchr::memmem::find(bytes, mark.as_bytes()).is_some();
    if let Some(object) = json_object(header) {
        return json::reading(object).map(|reading| ("windows.json", reading));
    }
    if let Some(structured) = header.structured.filter(|structured| structured.contains(" EventID=\"")) {
        return nxlog_structured(structured, header).map(|reading| ("windows.nxlog", reading));
    }
    if has("MSWinEventLog") {
        return snare(body).map(|reading| ("windows.snare", reading));
    }
    if has("<Event") {
        return xml::read(body).map(|fields| ("windows.xml", Reading { fields, time: None, message: None }));
    }
    if has("|Microsoft|Microsoft Windows|") || has("|Microsoft|Windows|") {
        return arcsight(body).map(|reading| ("windows.cef", reading));
    }
    if has("%NICWIN-") {
        return envision(body).map(|reading| ("windows.nic", reading));
    }
    if has("EvntSLog") {
        return event_reporter(body).map(|reading| ("windows.evntslog", reading));
    }
    if has("WinEvtLog: ") {
        return ossec(body).map(|reading| ("windows.ossec", reading));
    }
    if has("AgentDevice=WindowsLog") || (has("EventCode") && has("SourceName")) {
        return keys(body).map(|reading| ("windows.kv", reading));
    }
    evtsys(header)
        .map(|reading| ("windows.evtsys", reading))
        .or_else(|| bare(header).map(|reading| ("windows.text", reading)))
}

/// The text from the first brace on, when the message begins with it and it looks like a Windows record.
fn json_object<'a>(header: &Header<'a>) -> Option<&'a str> {
    const MARKS: [&str; 6] = ["\"EventID\"", "\"winlog\"", "\"win\"", "\"System\"", "\"event_id\"", "\"EventId\""];
    let text = [header.message, header.body].into_iter().find(|text| text.trim_start().starts_with('{'))?;
    MARKS.iter().any(|mark| memchr::memmem::find(text.as_bytes(), mark.as_bytes()).is_some()).then_some(text)
}

/// `NXLog`'s `to_syslog_ietf()`: the members of its object as structured data, the text as the message.
fn nxlog_structured(structured: &str, header: &Header<'_>) -> Option<Reading> {
    let text = |value: &str| Value::String(value.replace("\\\"", "\"").replace("\\]", "]").replace("\\\\", "\\"));
    let mut object: Map<String, Value> =
        header::structured_parameters(structured).map(|(name, value)| (name.to_owned(), text(value))).collect();
    let missing = [("Hostname", header.host), ("SourceName", header.app), ("Message", Some(header.message))];
    for (name, value) in missing {
        if let Some(value) = value.filter(|value| !value.is_empty() && !object.contains_key(name)) {
            object.insert(name.to_owned(), Value::String(value.to_owned()));
        }
    }
    json::reading_of(&object)
}

/// `ArcSight`'s connector: which of its keys stand for which data of a logon.
fn arcsight(body: &str) -> Option<Reading> {
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

/// RSA enVision: `%NICWIN-4-LOG_NUMBER_PROVIDER: LOG,rn=… cid=… eid=…,TIME,NUMBER,PROVIDER,USER,TYPE,COMPUTER,CATEGORY,DATA,TEXT`.
fn envision(body: &str) -> Option<Reading> {
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
fn event_reporter(body: &str) -> Option<Reading> {
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

fn finish(mut fields: WindowsFields, time: Option<HeaderTime>, text: &str) -> Option<Reading> {
    let number = fields.text("EventID")?;
    if number.parse::<u32>().is_err() {
        return None;
    }
    prose::fill(&mut fields, text);
    let message = json::one_line(&prose::unescape(text));
    Some(Reading { fields, time, message: Some(message).filter(|text| !text.is_empty()) })
}

/// `[host] MSWinEventLog criticality log counter time number provider user kind type computer category data text [hash]`.
fn snare(body: &str) -> Option<Reading> {
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
            fields.push_data("AccountName", name);
            fields.push_data("Domain", domain);
        }
        None => fields.push_data("AccountName", account),
    }
}

/// `Tue Mar 03 09:00:00 2026`, or without the weekday.
fn named_time(text: &str) -> Option<HeaderTime> {
    let text = text.trim();
    let behind_weekday = text.split_once(' ').map_or(text, |(_, rest)| rest.trim_start());
    let (stamp, _) = stamp::read(text).or_else(|| stamp::read(behind_weekday))?;
    Some(HeaderTime::Stamp(stamp))
}

/// `WinEvtLog: log: TYPE(number): provider: user: domain: computer: text`.
fn ossec(body: &str) -> Option<Reading> {
    let (before, rest) = body.split_once("WinEvtLog: ")?;
    let mut parts = rest.splitn(7, ": ");
    let mut next = || parts.next().unwrap_or("");
    let (channel, kind, provider, user, domain, computer, text) =
        (next(), next(), next(), next(), next(), next(), next());
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
        push_columns(
            &mut fields,
            &[("Domain", domain)].map(|(name, value)| (name, if value == "no domain" { "" } else { value })),
        );
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

fn keys(body: &str) -> Option<Reading> {
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
fn evtsys(header: &Header<'_>) -> Option<Reading> {
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

/// The text of a Security event and nothing else.
fn bare(header: &Header<'_>) -> Option<Reading> {
    /// Where the subject's SID stands in every language.
    const SID_WITHIN_BYTES: usize = 600;
    let text = header.message;
    let number = prose::number_of(text);
    let start = text.get(..text.floor_char_boundary(SID_WITHIN_BYTES)).unwrap_or(text);
    let has_sid = start.contains("S-1-") && (start.contains("#011") || start.contains('\t'));
    if number.is_none() && !has_sid {
        return None;
    }
    let plain = prose::unescape(text);
    let number = number.or_else(|| prose::number_by_order(&plain));
    let mut fields = WindowsFields::default();
    fields.push_system("Channel", "Security");
    if let Some(provider) = header.app.filter(|app| app.ends_with("Security-Auditing")) {
        fields.push_system("Provider_Name", provider);
    }
    if let Some(number) = number {
        fields.push_system("EventID", &number.to_string());
        return finish(fields, None, text);
    }
    let subject = prose::subject(&plain);
    subject.iter().for_each(|(name, value)| fields.push_data(name, value));
    (!subject.is_empty()).then(|| Reading { fields, time: None, message: Some(json::one_line(&plain)) })
}

#[cfg(test)]
mod tests {
    use monban_event::Field;

    use super::super::testing::{check, parse};

    const TEXT: &str = "An account failed to log on.|Subject:|+Security ID:++S-1-5-18|+Account Name:++FS01$|\
        +Account Domain:++HOSPITAL|+Logon ID:++0x3E7||Logon Type:+++3||Account For Which Logon Failed:|\
        +Security ID:++S-1-0-0|+Account Name:++sato|+Account Domain:++HOSPITAL||Failure Information:|\
        +Failure Reason:++Bad.|+Status:+++0xC000006D|+Sub Status:++0xC000006A||Network Information:|\
        +Workstation Name:+WARD3-PC1|+Source Network Address:+192.0.2.9|+Source Port:++53176||";

    fn text(line: &str, tab: &str) -> String {
        TEXT.replace('|', line).replace('+', tab)
    }

    /// What every agent must say of the same refused logon.
    fn check_refusal(line: &str, rule: &str) {
        check(
            line,
            &[
                ("parse.rule", rule),
                ("event.module", "windows"),
                ("event.dataset", "windows.security"),
                ("event.code", "4625"),
                ("event.category", "authentication"),
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("event.reason", "0xc000006a"),
                ("user.name", "sato"),
                ("user.domain", "hospital"),
                ("source.ip", "192.0.2.9"),
                ("source.port", "53176"),
                ("source.domain", "WARD3-PC1"),
                ("winlog.channel", "Security"),
                ("winlog.event_id", "4625"),
                ("winlog.logon.type", "3"),
                ("winlog.provider", "Microsoft-Windows-Security-Auditing"),
                ("winlog.computer", "FS01.hospital.example"),
                ("host.name", "FS01.hospital.example"),
                ("native.TargetUserName", "sato"),
                ("native.SubjectUserName", "FS01$"),
            ],
        );
    }

    #[test]
    fn every_agent_tells_the_same_refusal() {
        let provider = "Microsoft-Windows-Security-Auditing";
        for (tab, line, inner) in [("\t", "  ", " "), ("#011", "#015#012", "#011")] {
            let snare = [
                "MSWinEventLog",
                "1",
                "Security",
                "4711",
                "Tue Mar 03 09:00:00 2026",
                "4625",
                provider,
                "N/A",
                "N/A",
                "Failure Audit",
                "FS01.hospital.example",
                "Logon",
                "",
            ]
            .join(tab);
            check_refusal(
                &format!("<13>Mar  3 09:00:00 FS01.hospital.example {snare}{tab}{}{tab}4711", text(line, inner)),
                "windows.snare",
            );
        }
        check_refusal(
            &format!(
                "2026 Mar 03 09:00:00 WinEvtLog: Security: AUDIT_FAILURE(4625): {provider}: (no user): no domain: FS01.hospital.example: {}",
                text("  ", " ")
            ),
            "windows.ossec",
        );
        check_refusal(
            &format!(
                "<13>Mar 03 09:00:00 192.0.2.3 AgentDevice=WindowsLog\tAgentLogFile=Security\tPluginVersion=7.2\tSource={provider}\tComputer=FS01.hospital.example\tUser=\tDomain=\tEventID=4625\tEventIDCode=4625\tEventType=16\tRecordNumber=9\tTimeGenerated=1772496000\tMessage={}",
                text(" ", " ")
            ),
            "windows.kv",
        );
        check_refusal(
            &format!(
                "03/03/2026 09:00:00 AM LogName=Security SourceName={provider} EventCode=4625 EventType=0 Type=Information ComputerName=FS01.hospital.example Keywords=Audit Failure Message={}",
                text("\r\n", "\t")
            ),
            "windows.kv",
        );
        check_refusal(
            &format!(
                "<29>Mar  3 09:00:00 FS01.hospital.example Security-Auditing: 4625: AUDIT_FAILURE {}",
                text(" ", " ")
            ),
            "windows.evtsys",
        );
        let json = serde_json::json!({"EventTime": "2026-03-03 09:00:00", "Hostname": "FS01.hospital.example", "EventType": "AUDIT_FAILURE",
            "EventID": 4625, "SourceName": provider, "Channel": "Security", "Message": text("\r\n", "\t")});
        check_refusal(&format!("<14>Mar  3 09:00:01 FS01 {provider}[604]: {json}"), "windows.json");
        check_refusal(&json.to_string(), "windows.json");
        check_refusal(
            &format!(
                "<14>Mar  3 09:00:01 relay evt: <Event xmlns='http://schemas.example/e'><System><Provider Name='{provider}'/><EventID>4625</EventID><Keywords>0x8010000000000000</Keywords><TimeCreated SystemTime='2026-03-03T00:00:00.1Z'/><Channel>Security</Channel><Computer>FS01.hospital.example</Computer></System><EventData><Data Name='SubjectUserName'>FS01$</Data><Data Name='TargetUserName'>sato</Data><Data Name='TargetDomainName'>HOSPITAL</Data><Data Name='Status'>0xc000006d</Data><Data Name='SubStatus'>0xc000006a</Data><Data Name='LogonType'>3</Data><Data Name='WorkstationName'>WARD3-PC1</Data><Data Name='IpAddress'>192.0.2.9</Data><Data Name='IpPort'>53176</Data></EventData></Event>"
            ),
            "windows.xml",
        );
    }

    #[test]
    fn older_collectors_tell_it_too() {
        let provider = "Microsoft-Windows-Security-Auditing";
        check_refusal(
            &format!(
                r#"<14>1 2026-03-03T09:00:00.1+09:00 FS01.hospital.example {provider} 604 - [NXLOG@14506 EventType="AUDIT_FAILURE" EventID="4625" Channel="Security" RecordNumber="7" SubjectUserName="FS01$" TargetUserName="sato" TargetDomainName="HOSPITAL" SubStatus="0xc000006a" LogonType="3" IpAddress="192.0.2.9" IpPort="53176" WorkstationName="WARD3-PC1"] An account failed to log on."#
            ),
            "windows.nxlog",
        );
        check_refusal(
            &format!(
                "<14>Mar  3 09:00:00 col1 %NICWIN-4-Security_4625_{provider}: Security,rn=7 cid=4 eid=604,Tue Mar 03 09:00:00 2026,4625,{provider},None,Failure Audit,FS01.hospital.example,Logon,,{}",
                text(" ", " ")
            ),
            "windows.nic",
        );
        check(
            format!(
                "<14>Mar  3 09:00:00 FS01 EvntSLog: [AUF] Tue Mar 03 09:00:00 2026: FS01/Security (4625) - \"{}\"",
                text(" ", " ")
            ),
            &[("event.code", "4625"), ("user.name", "sato"), ("event.outcome", "failure"), ("host.name", "FS01")],
        );
        check(
            format!(
                "CEF:0|Microsoft|Microsoft Windows||{provider}:4625|An account failed to log on.|Medium| externalId=4625 rt=1772496000000 categoryOutcome=/Failure duser=sato dntdom=HOSPITAL src=192.0.2.9 shost=WARD3-PC1 dhost=FS01"
            ),
            &[
                ("event.code", "4625"),
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.9"),
                ("host.name", "FS01"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
        check(
            format!("<13>Mar  3 09:00:00 FS01 {provider}[604]: {}", text(" ", " ")),
            &[("event.code", "4625"), ("user.name", "sato"), ("winlog.provider", provider)],
        );
    }

    #[test]
    fn the_agents_time_counts() {
        let snare = "<13>Mar  3 09:00:09 FS01 MSWinEventLog\t1\tSystem\t9\tTue Mar 03 09:00:00 2026\t7036\tService Control Manager\tHOSPITAL\\sato\tUser\tInformation\tFS01\tNone\t\tThe service stopped.\t9";
        check(
            snare,
            &[
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
                ("time.source", "local"),
                ("user.name", "sato"),
                ("event.code", "7036"),
            ],
        );
        let sysmon = r#"{"EventTime":"2026-03-03 09:00:00","Hostname":"PC1","EventID":11,"SourceName":"Microsoft-Windows-Sysmon","Channel":"Microsoft-Windows-Sysmon/Operational","AccountName":"SYSTEM","Domain":"NT AUTHORITY","UserID":"S-1-5-18","UtcTime":"2026-03-03 01:00:00.5","Image":"C:\\a.exe"}"#;
        check(
            sysmon,
            &[
                ("@timestamp", "2026-03-03T01:00:00.500000Z"),
                ("time.source", "offset"),
                ("user.name", "system"),
                ("user.domain", "nt authority"),
            ],
        );
    }

    #[test]
    fn a_text_alone_tells_what_is_sure() {
        let text = text("#015#012", "#011");
        check(
            &text,
            &[
                ("event.code", "4625"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.9"),
                ("parse.rule", "windows.text"),
            ],
        );
        let foreign = "Quelque chose.#015#012#015#012Sujet :#015#012#011ID :#011#011S-1-5-21-7#015#012#011Nom :#011#011sato#015#012#011Domaine :#011H#015#012#011Session :#0110x3e7#015#012";
        check(
            foreign,
            &[("user.name", "sato"), ("user.id", "S-1-5-21-7"), ("event.code", "-"), ("event.outcome", "-")],
        );
    }

    #[test]
    fn wazuh_begins_names_small() {
        let line = r#"{"win":{"eventdata":{"subjectUserName":"admin1","targetUserName":"sato","targetSid":"S-1-5-21-9"},"system":{"eventID":"4738","channel":"Security","computer":"dc01.hospital.example","keywords":"0x8020000000000000","systemTime":"2026-03-03T00:00:00.1234567Z","eventRecordID":"12","providerName":"Microsoft-Windows-Security-Auditing","message":"\"A user account was changed.\""}}}"#;
        let expected = [
            ("user.name", "admin1"),
            ("user.target.name", "sato"),
            ("event.outcome", "success"),
            ("winlog.record_id", "12"),
            ("native.SubjectUserName", "admin1"),
            ("@timestamp", "2026-03-03T00:00:00.123456Z"),
        ];
        check(line, &expected);
        let alert = format!(
            r#"{{"timestamp":"2026-03-03T00:00:09Z","rule":{{"id":"1"}},"agent":{{"name":"DC01"}},"data":{line}}}"#
        );
        check(alert, &expected);
    }

    #[test]
    fn other_lines_are_left_alone() {
        for line in [
            "<14>Mar  3 09:00:00 h app: {\"id\": 1}",
            "<14>Mar  3 09:00:00 h app: MSWinEventLog is a word",
            "<14>Mar  3 09:00:00 h app: <Event x>",
            "<14>Mar  3 09:00:00 h app: WinEvtLog: x",
            "<14>Mar  3 09:00:00 h app: EventCode SourceName",
            "<14>Mar  3 09:00:00 h Security-Auditing: x: y",
        ] {
            let event = parse(line.as_bytes());
            assert_ne!(event.module.as_deref(), Some("windows"), "{line}");
            assert!(event.get(Field::WinlogEventId).is_none());
        }
    }
}
