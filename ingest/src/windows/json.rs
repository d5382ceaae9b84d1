//! One JSON object of a log forwarder, in the forms hospitals meet: winlogbeat (`winlog.event_data`), Wazuh and OSSEC
//! (`win.eventdata`), the flat objects of `NXLog` and Fluent Bit, and the rendering of the EVTX reader itself. All become
//! the same fields and go through the same mapping as a record of a log file, whether the object came alone or in a
//! syslog line. What is none of them is no Windows record.

use chrono_tz::Tz;
use monban_event::limits::MESSAGE_BYTES_MAX;
use monban_event::{Event, EventId, Record, RecordId, TimeRule};
use serde_json::{Map, Value};

use super::flatten::{self, WindowsFields};
use super::{Described, message, prose, to_event};
use crate::header::HeaderTime;
use crate::stamp;

/// How deep members are followed; winlogbeat nests three levels, a hostile object as many as it likes.
const DEPTH_MAX: usize = 8;

/// A Windows record out of a forwarder's text.
pub(crate) struct Reading {
    pub(crate) fields: WindowsFields,
    /// The forwarder's stamp, for records that do not carry the log's own.
    pub(crate) time: Option<HeaderTime>,
    /// What Windows would show, where the forwarder sent it.
    pub(crate) message: Option<String>,
}

/// The event of one JSON object, or `None` when it is no Windows record. `zone` is the source's, for stamps that carry
/// none (`NXLog` writes local time).
pub(crate) fn try_json(id: RecordId, record: &Record, zone: Tz) -> Option<Event> {
    let described = Described { id: EventId::new(id, 0), record, written: None, parse_rule: "windows.json" };
    let reading = reading(std::str::from_utf8(&record.bytes).ok()?)?;
    let mut event = to_event(&described, reading.fields);
    let instant = match reading.time {
        Some(HeaderTime::Stamp(stamp)) => stamp.resolve(zone, record.received_at),
        Some(HeaderTime::Epoch(instant)) => Some(instant),
        None => None,
    };
    if let (Some(TimeRule::Receive), Some(instant)) = (event.time_rule, instant) {
        event.event_time = Some(instant.time);
        event.time_rule = Some(instant.rule);
    }
    if let Some(text) = reading.message {
        event.message = Some(text);
    }
    Some(event)
}

/// The object at the start of `text`, when it is a Windows record; what follows it is left alone.
pub(crate) fn reading(text: &str) -> Option<Reading> {
    let text = text.trim_start();
    if !text.starts_with('{') {
        return None;
    }
    let object = match serde_json::Deserializer::from_str(text).into_iter::<Value>().next()? {
        Ok(Value::Object(object)) => object,
        // A datagram ends where the sender's or the network's limit cut it.
        Err(error) if error.is_eof() => serde_json::from_str(&whole_members(text)?).ok()?,
        _ => return None,
    };
    reading_of(&object)
}

/// A record out of an object's members.
pub(crate) fn reading_of(object: &Map<String, Value>) -> Option<Reading> {
    let plain = object.contains_key("_EventID").then(|| without_underscores(object));
    let object = plain.as_ref().unwrap_or(object);
    let mut fields = read(object)?;
    let shown = shown(object);
    if let Some(text) = shown {
        prose::fill(&mut fields, text);
    }
    Some(Reading { time: stamp(object, &fields), message: shown.map(one_line), fields })
}

/// GELF puts `_` before every member that is not its own.
fn without_underscores(object: &Map<String, Value>) -> Map<String, Value> {
    const OWN: [(&str, &str); 3] = [("host", "Hostname"), ("full_message", "Message"), ("timestamp", "date")];
    let renamed = |name: &str| {
        let own = OWN.iter().find(|(known, _)| *known == name).map(|(_, ours)| (*ours).to_owned());
        own.unwrap_or_else(|| name.strip_prefix('_').unwrap_or(name).to_owned())
    };
    object.iter().map(|(name, value)| (renamed(name), value.clone())).collect()
}

/// The members of a cut object that are whole: up to the last comma that no string and no inner object holds.
fn whole_members(text: &str) -> Option<String> {
    let (mut depth, mut in_string, mut escaped, mut end) = (0_usize, false, false, None);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => end = Some(at),
            _ => {}
        }
    }
    text.get(..end?).map(|members| format!("{members}}}"))
}

fn read(object: &Map<String, Value>) -> Option<WindowsFields> {
    if object.get("Event").is_some_and(|event| event.get("System").is_some()) {
        let text = serde_json::to_vec(object).ok()?;
        return flatten::read_json(&text).ok();
    }
    if let Some(Value::Object(winlog)) = object.get("winlog") {
        return Some(read_winlogbeat(winlog));
    }
    if let Some(Value::Object(win)) = object.get("win").or_else(|| object.get("data")?.get("win")) {
        return win.get("system").is_some().then(|| read_wazuh(win));
    }
    let has_number = ["EventID", "event_id", "EventId"].iter().any(|name| object.contains_key(*name));
    let is_windows = ["Channel", "SourceName", "ProviderName", "ProviderGuid", "SourceModuleType"]
        .iter()
        .any(|name| object.contains_key(*name));
    (has_number && is_windows).then(|| read_flat(object))
}

/// The text Windows would show.
fn shown(object: &Map<String, Value>) -> Option<&str> {
    first_text(object, &["message", "Message"]).or_else(|| {
        let win = object.get("win").or_else(|| object.get("data")?.get("win"))?;
        win.get("system")?.get("message")?.as_str().map(|text| text.trim_matches('"'))
    })
}

/// Wazuh begins every name with a small letter: `eventID`, `targetUserName`.
fn read_wazuh(win: &Map<String, Value>) -> WindowsFields {
    const SYSTEM: [(&str, &str); 13] = [
        ("providerName", "Provider_Name"),
        ("providerGuid", "Provider_Guid"),
        ("eventID", "EventID"),
        ("version", "Version"),
        ("level", "Level"),
        ("task", "Task"),
        ("opcode", "Opcode"),
        ("keywords", "Keywords"),
        ("systemTime", "TimeCreated_SystemTime"),
        ("eventRecordID", "EventRecordID"),
        ("processID", "Execution_ProcessID"),
        ("channel", "Channel"),
        ("computer", "Computer"),
    ];
    let mut fields = WindowsFields::default();
    for (member, name) in SYSTEM {
        if let Some(value) = win.get("system").and_then(|system| system.get(member)) {
            push(&mut fields, name, value, true, DEPTH_MAX);
        }
    }
    for part in ["eventdata", "eventData", "userData", "rmSessionEvent", "logFileCleared"] {
        let Some(Value::Object(data)) = win.get(part) else { continue };
        for (member, value) in data {
            push(&mut fields, &capitalized(member), value, false, DEPTH_MAX);
        }
    }
    fields
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// Members of `winlog` and the names Windows has for them.
const WINLOGBEAT: [(&str, &str); 12] = [
    ("provider_name", "Provider_Name"),
    ("provider_guid", "Provider_Guid"),
    ("event_id", "EventID"),
    ("version", "Version"),
    ("level", "Level"),
    ("task", "Task"),
    ("opcode", "Opcode"),
    ("record_id", "EventRecordID"),
    ("activity_id", "Correlation_ActivityID"),
    ("channel", "Channel"),
    ("computer_name", "Computer"),
    ("keywords", "Keywords"),
];

fn read_winlogbeat(winlog: &Map<String, Value>) -> WindowsFields {
    let mut fields = WindowsFields::default();
    for (member, name) in WINLOGBEAT {
        if let Some(value) = winlog.get(member) {
            push(&mut fields, name, value, true, DEPTH_MAX);
        }
    }
    if let Some(sid) = winlog.get("user").and_then(|user| user.get("identifier")) {
        push(&mut fields, "Security_UserID", sid, true, DEPTH_MAX);
    }
    if let Some(pid) = winlog.get("process").and_then(|process| process.get("pid")) {
        push(&mut fields, "Execution_ProcessID", pid, true, DEPTH_MAX);
    }
    for member in ["event_data", "user_data"] {
        if let Some(data) = winlog.get(member) {
            push(&mut fields, "Data", data, false, DEPTH_MAX);
        }
    }
    fields
}

/// Members of `NXLog` and Fluent Bit objects that belong to `System`, under the names Windows has for them.
const FLAT: [(&str, &str); 20] = [
    ("SourceName", "Provider_Name"),
    ("ProviderName", "Provider_Name"),
    ("ProviderGuid", "Provider_Guid"),
    ("EventID", "EventID"),
    ("EventId", "EventID"),
    ("event_id", "EventID"),
    ("Qualifiers", "EventID_Qualifiers"),
    ("Version", "Version"),
    ("Level", "Level"),
    ("Task", "Task"),
    ("OpcodeValue", "Opcode"),
    ("RecordNumber", "EventRecordID"),
    ("EventRecordID", "EventRecordID"),
    ("Channel", "Channel"),
    ("Hostname", "Computer"),
    ("HOSTNAME", "Computer"),
    ("Computer", "Computer"),
    ("ExecutionProcessID", "Execution_ProcessID"),
    ("ExecutionThreadID", "Execution_ThreadID"),
    ("UserID", "Security_UserID"),
];

/// What `NXLog` calls the process that wrote the record; an event's own data may have a `ProcessID` too, and other
/// forwarders keep the two apart.
const NXLOG_PROCESS: [(&str, &str); 2] = [("ProcessID", "Execution_ProcessID"), ("ThreadID", "Execution_ThreadID")];

/// Members the forwarder adds of its own, and texts that repeat what the data says.
const FLAT_SKIPPED: [&str; 13] = [
    "message",
    "Message",
    "EventTime",
    "TimeCreated",
    "EventReceivedTime",
    "EventTimeWritten",
    "SourceModuleName",
    "SourceModuleType",
    "Severity",
    "SeverityValue",
    "Keywords",
    "EventType",
    "@timestamp",
];

fn read_flat(object: &Map<String, Value>) -> WindowsFields {
    let mut fields = WindowsFields::default();
    for (member, name) in FLAT {
        if let Some(value) = object.get(member).filter(|_| fields.fields.get(name).is_none()) {
            push(&mut fields, name, value, true, DEPTH_MAX);
        }
    }
    let is_nxlog = object.contains_key("SourceModuleType") && !object.contains_key("ExecutionProcessID");
    let process = NXLOG_PROCESS.iter().filter(|_| is_nxlog);
    for (member, name) in process.clone() {
        if let Some(value) = object.get(*member) {
            push(&mut fields, name, value, true, DEPTH_MAX);
        }
    }
    push_audit(&mut fields, object);
    // `NXLog` looks the record's SID up; an event may have an account of the same name, but no type of account.
    if object.contains_key("AccountType") {
        for (member, name) in [("AccountName", "Security_UserName"), ("Domain", "Security_UserDomain")] {
            if let Some(value) = object.get(member) {
                push(&mut fields, name, value, true, DEPTH_MAX);
            }
        }
    }
    for (name, value) in object {
        let known = FLAT.iter().chain(process.clone()).any(|(member, _)| member == name)
            || FLAT_SKIPPED.contains(&name.as_str());
        if !known {
            push(&mut fields, if name == "StringInserts" { "Data" } else { name }, value, false, DEPTH_MAX);
        }
    }
    fields
}

/// `NXLog` says in a word of its own what the audit bits say. The bits themselves come as `0x…`, or as a signed number,
/// which a processor on the way may have rounded: then the lower half is not zero, and the bits say nothing.
fn push_audit(fields: &mut WindowsFields, object: &Map<String, Value>) {
    let word = first_text(object, &["EventType"]);
    let keywords = match object.get("Keywords") {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => {
            let bits = number.as_i64().filter(|bits| bits.trailing_zeros() >= 32);
            bits.map(|bits| format!("{bits:#x}"))
        }
        _ => None,
    };
    match (word, keywords) {
        (Some("AUDIT_FAILURE"), _) => fields.push_system("Keywords", "Audit Failure"),
        (Some("AUDIT_SUCCESS"), _) => fields.push_system("Keywords", "Audit Success"),
        (_, Some(keywords)) => fields.push_system("Keywords", &keywords),
        (_, None) => {}
    }
    if let Some(other) = word.filter(|word| !word.starts_with("AUDIT_")) {
        fields.push_data("EventType", other);
    }
}

/// Lists repeat their name, objects give the names of their members; null is left out.
fn push(fields: &mut WindowsFields, name: &str, value: &Value, system: bool, depth: usize) {
    let text = match value {
        Value::Null => return,
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) if depth == 0 => return,
        Value::Array(items) => return items.iter().for_each(|item| push(fields, name, item, system, depth - 1)),
        Value::Object(members) => {
            return members.iter().for_each(|(name, item)| push(fields, name, item, system, depth - 1));
        }
        other => other.to_string(),
    };
    if system { fields.push_system(name, &text) } else { fields.push_data(name, &text) }
}

fn first_text<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| object.get(*name)?.as_str())
}

/// The forwarder's stamp. Sysmon tells its own time, in UTC, where the forwarder wrote one without a zone.
fn stamp(object: &Map<String, Value>, fields: &WindowsFields) -> Option<HeaderTime> {
    let stamp = |text: &str| stamp::read(text.trim()).map(|(stamp, _)| stamp);
    let sent = first_text(object, &["@timestamp", "EventTime", "TimeCreated", "timestamp"]).and_then(stamp);
    let utc =
        fields.text("UtcTime").filter(|_| fields.text("Channel").is_some_and(|channel| channel.contains("Sysmon")));
    let utc = utc.and_then(stamp).map(|stamp| stamp::Stamp { offset: Some(0), ..stamp });
    let stamp = sent.filter(|stamp| stamp.offset.is_some() || utc.is_none()).or(utc);
    let epoch = || object.get("date").map(Value::to_string).and_then(|number| stamp::epoch(&number));
    stamp.map(HeaderTime::Stamp).or_else(|| epoch().map(HeaderTime::Epoch))
}

pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(MESSAGE_BYTES_MAX));
    for word in text.split_whitespace() {
        if line.len() > MESSAGE_BYTES_MAX {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    message::cut(&mut line, MESSAGE_BYTES_MAX);
    line
}

#[cfg(test)]
mod tests {
    use monban_event::time::rfc3339;
    use monban_event::{Action, Outcome, ParseStatus};
    use serde_json::json;

    use super::super::sample::{parse, record};
    use super::*;

    #[test]
    fn winlogbeat_and_the_log_file_give_the_same_event() {
        let beat = parse(&json!({
            "@timestamp": "2026-10-25T03:04:05.678Z",
            "message": "アカウントが正常にログオンしました。\n\nサブジェクト:",
            "winlog": {"channel": "Security", "provider_name": "Microsoft-Windows-Security-Auditing", "event_id": "4624",
                "record_id": 9, "computer_name": "DC01.hospital.example", "keywords": ["監査の成功"],
                "event_data": {"TargetUserName": "Sato", "IpAddress": "192.0.2.4", "LogonType": "3"}}}));
        assert_eq!(
            (beat.action, beat.outcome, beat.winlog_record_id),
            (Some(Action::Login), Some(Outcome::Success), Some(9))
        );
        assert_eq!((beat.user_name.as_deref(), beat.source_id.as_deref()), (Some("sato"), Some("host:dc01")));
        assert_eq!(beat.event_time.map(rfc3339).as_deref(), Some("2026-10-25T03:04:05.678000Z"));
        assert_eq!(beat.time_rule, Some(TimeRule::Offset));
        assert_eq!(beat.message.as_deref(), Some("アカウントが正常にログオンしました。 サブジェクト:"));
        assert_eq!((beat.native.get("EventID"), beat.native.get("TargetUserName")), (Some("4624"), Some("Sato")));
    }

    #[test]
    fn nxlog_times_are_the_sources_own() {
        let event = parse(
            &json!({"EventTime": "2026-10-25 12:00:00", "Hostname": "FS01", "EventType": "AUDIT_FAILURE",
            "EventID": 4625, "SourceName": "Microsoft-Windows-Security-Auditing", "Channel": "Security", "RecordNumber": 5,
            "TargetUserName": "sato", "SubStatus": "0xC0000064", "IpAddress": "192.0.2.4", "Message": "失敗"}),
        );
        assert_eq!(event.event_time.map(rfc3339).as_deref(), Some("2026-10-25T03:00:00.000000Z"));
        assert_eq!((event.time_rule, event.outcome), (Some(TimeRule::Local), Some(Outcome::Failure)));
        assert_eq!((event.reason.as_deref(), event.host_name.as_deref()), (Some("0xc0000064"), Some("FS01")));
        assert_eq!(
            (event.native.get("Provider_Name"), event.winlog_record_id),
            (Some("Microsoft-Windows-Security-Auditing"), Some(5))
        );
    }

    #[test]
    fn gelf_marks_its_members() {
        let event = parse(&json!({"version": "1.1", "host": "FS01", "timestamp": 1_772_496_000.5, "_EventID": 4625,
            "_Channel": "Security", "_EventType": "AUDIT_FAILURE", "_TargetUserName": "sato", "short_message": "x"}));
        assert_eq!((event.user_name.as_deref(), event.host_name.as_deref()), (Some("sato"), Some("FS01")));
        assert_eq!(event.event_time.map(rfc3339).as_deref(), Some("2026-03-03T00:00:00.500000Z"));
    }

    #[test]
    fn the_account_a_service_runs_as_is_nobody_who_acts() {
        let event = parse(&json!({"EventID": 7045, "Channel": "System", "SourceName": "Service Control Manager",
            "AccountName": "LocalSystem"}));
        assert_eq!(event.user_name, None);
    }

    #[test]
    fn audit_bits_count_unless_they_were_rounded() {
        let outcome = |keywords: &serde_json::Value| {
            parse(&json!({"EventID": 5140, "Channel": "Security", "Keywords": keywords})).outcome
        };
        assert_eq!(outcome(&json!("0x8010000000000000")), Some(Outcome::Failure));
        assert_eq!(outcome(&json!(-9_214_364_837_600_034_816_i64)), Some(Outcome::Success));
        assert_eq!(outcome(&json!(-9_214_364_837_600_035_000_i64)), None);
    }

    #[test]
    fn fluent_bit_gives_unnamed_strings() {
        let event = parse(&json!({"ProviderName": "Service Control Manager", "EventID": 7036, "Channel": "System",
            "Computer": "FS01", "TimeCreated": "2026-10-25 12:00:00 +0900", "StringInserts": ["受付", "停止"]}));
        assert_eq!(event.native.iter().filter(|(name, _)| *name == "Data").count(), 2);
        assert_eq!(event.event_time.map(rfc3339).as_deref(), Some("2026-10-25T03:00:00.000000Z"));
    }

    #[test]
    fn what_no_forwarder_writes_is_no_windows_record() {
        for bytes in [&b"not JSON \xff"[..], b"[1,2]", b"{\"log\":\"x\"}", b"{\"winlog\":3}", b"{\"EventID\":1}", b""] {
            let record = Record { bytes: bytes.to_vec(), ..record(&json!({})) };
            assert!(try_json(RecordId(1), &record, chrono_tz::Asia::Tokyo).is_none());
            let parsers = crate::Parsers { settings: crate::TextSettings::default() };
            let mut events = Vec::new();
            monban_event::RecordParser::parse(&parsers, RecordId(1), &record, &mut events);
            let event = events.pop().expect("one event");
            assert_eq!((event.parse_status, event.module.as_deref()), (Some(ParseStatus::Raw), None));
            assert_eq!(event.source_id.as_deref(), Some("ip:192.0.2.200"));
        }
    }

    #[test]
    fn a_cut_object_keeps_its_whole_members() {
        let cut = r#"{"EventID":4625,"Channel":"Security","Hostname":"FS01","TargetUserName":"sato","IpAddress":"192.0.2.4","Mess"#;
        let reading = reading(cut).expect("a Windows record");
        assert_eq!(reading.fields.text("IpAddress"), Some("192.0.2.4"));
        assert!(super::reading("{\"EventID\":4625").is_none());
    }

    #[test]
    fn deep_nesting_ends() {
        let mut data = json!("end");
        for _ in 0..60 {
            data = json!({"down": data});
        }
        let event = parse(&json!({"winlog": {"channel": "X", "event_id": 1, "event_data": data}}));
        assert_eq!(event.native.get("down"), None);
    }
}
