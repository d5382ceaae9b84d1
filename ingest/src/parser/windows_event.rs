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

use super::draft::{Draft, PayloadTime};
use super::{mssql, windows_agents as agents};
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
    database_login(header.body, draft);
    draft.event.native = fields.fields;
    draft.event.message = message;
    draft.rule(rule);
    true
}

/// Agents that name no data leave the account and the client of a database server's login in its text.
fn database_login(text: &str, draft: &mut Draft<'_>) {
    let is_database = draft.event.winlog_provider.as_deref().is_some_and(|provider| provider.starts_with("MSSQL"));
    if is_database && draft.event.source_ip.is_none() {
        // Whoever wrote the record is not who tried.
        let writer = draft.event.user_name.take();
        if !mssql::read(text, draft) {
            draft.event.user_name = writer;
        }
    }
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
        return agents::snare(body).map(|reading| ("windows.snare", reading));
    }
    if has("<Event") {
        return xml::read(body).map(|fields| ("windows.xml", Reading { fields, time: None, message: None }));
    }
    if has("LEEF:") && has("|Microsoft|Windows|") {
        return agents::leef(body).map(|reading| ("windows.leef", reading));
    }
    if has("|Microsoft|Microsoft Windows|") || has("|Microsoft|Windows|") {
        return agents::arcsight(body).map(|reading| ("windows.cef", reading));
    }
    if has("%NICWIN-") {
        return agents::envision(body).map(|reading| ("windows.nic", reading));
    }
    if has("EvntSLog") {
        return agents::event_reporter(body).map(|reading| ("windows.evntslog", reading));
    }
    if has("WinEvtLog: ") {
        return agents::ossec(body).map(|reading| ("windows.ossec", reading));
    }
    if has("AgentDevice=WindowsLog") || (has("EventCode") && has("SourceName")) {
        return agents::keys(body).map(|reading| ("windows.kv", reading));
    }
    agents::evtsys(header)
        .map(|reading| ("windows.evtsys", reading))
        .or_else(|| bare(header).map(|reading| ("windows.text", reading)))
}

/// The text from the first brace on, when the message begins with it and it looks like a Windows record.
fn json_object<'a>(header: &Header<'a>) -> Option<&'a str> {
    const MARKS: [&str; 7] =
        ["\"_EventID\"", "\"EventID\"", "\"winlog\"", "\"win\"", "\"System\"", "\"event_id\"", "\"EventId\""];
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
        return agents::finish(fields, None, text);
    }
    let subject = prose::subject(&plain);
    for (name, value) in &subject {
        fields.push_data(name, value);
    }
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

    /// The record of a log file, as the EVTX reader renders it, and the same as `NXLog` sends it.
    #[test]
    fn an_agent_and_the_log_file_tell_the_same() {
        let data = serde_json::json!({"SubjectUserSid": "S-1-5-18", "SubjectUserName": "FS01$", "TargetUserSid": "S-1-0-0",
            "TargetUserName": "sato", "TargetDomainName": "HOSPITAL", "Status": "0xc000006d", "SubStatus": "0xc000006a",
            "LogonType": "3", "WorkstationName": "WARD3-PC1", "IpAddress": "192.0.2.9", "IpPort": "53176", "ProcessId": "0x25c"});
        let file = serde_json::json!({"Event": {"System": {"Provider": {"#attributes": {"Name": "Maker"}}, "EventID": 4625,
            "Keywords": "0x8010000000000000", "TimeCreated": {"#attributes": {"SystemTime": "2026-03-03T00:00:00Z"}},
            "EventRecordID": 7, "Channel": "Security", "Computer": "FS01.hospital.example"}, "EventData": data}});
        let mut agent = serde_json::json!({"EventTime": "2026-03-03 09:00:00", "Hostname": "FS01.hospital.example",
            "Keywords": -9_218_868_437_227_405_312_i64, "EventType": "AUDIT_FAILURE", "EventID": 4625, "SourceName": "Maker",
            "RecordNumber": 7, "Channel": "Security", "SourceModuleType": "im_msvistalog"});
        let members = agent.as_object_mut().expect("an object");
        members.extend(data.as_object().expect("an object").clone());
        let (file, agent) = (parse(file.to_string().as_bytes()), parse(agent.to_string().as_bytes()));
        for field in
            Field::ALL.iter().filter(|field| !matches!(field, Field::Message | Field::TimeSource | Field::Timezone))
        {
            assert_eq!(agent.get(*field), file.get(*field), "{}", field.name());
        }
        for (name, value) in data.as_object().expect("an object") {
            assert_eq!(agent.native.get(name), value.as_str(), "{name}");
        }
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
        let sysmon = r#"{"EventTime":"2026-03-03 09:00:00","Hostname":"PC1","EventID":11,"SourceName":"Microsoft-Windows-Sysmon","Channel":"Microsoft-Windows-Sysmon/Operational","AccountName":"SYSTEM","Domain":"NT AUTHORITY","UserID":"S-1-5-18","AccountType":"User","UtcTime":"2026-03-03 01:00:00.5","Image":"C:\\a.exe"}"#;
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
