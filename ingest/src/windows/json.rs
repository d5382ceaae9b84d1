//! One JSON object of a log forwarder, in the forms hospitals meet: winlogbeat (`winlog.event_data`), the flat objects
//! of `NXLog` and Fluent Bit, and the rendering of the EVTX reader itself. All become the same fields and go through
//! the same mapping as a record of a log file. What is none of them becomes a raw event.

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use monban_event::limits::MESSAGE_BYTES_MAX;
use monban_event::{Event, EventId, ParseStatus, Record, RecordId, TimeRule};
use serde_json::{Map, Value};

use super::flatten::{self, WindowsFields};
use super::{Described, envelope, message, to_event};

/// How deep members are followed; winlogbeat nests three levels, a hostile object as many as it likes.
const DEPTH_MAX: usize = 8;

/// Reads one JSON object. `zone` is the source's, for stamps that carry none (`NXLog` writes local time).
pub fn parse_json(id: RecordId, record: &Record, zone: Tz) -> Event {
    let described = Described { id: EventId::new(id, 0), record, written: None, parse_rule: "windows.json" };
    let Ok(Value::Object(object)) = serde_json::from_slice::<Value>(&record.bytes) else {
        return raw(&described);
    };
    let stamp = stamp(&object, zone);
    let Some(fields) = read(&object, &record.bytes) else { return raw(&described) };
    let mut event = to_event(&described, fields);
    if let (Some(TimeRule::Receive), Some((time, rule))) = (event.time_rule, stamp) {
        event.event_time = Some(time);
        event.time_rule = Some(rule);
    }
    if let Some(text) = first_text(&object, &["message", "Message"]) {
        event.message = Some(one_line(text));
    }
    event
}

/// A record nobody understood keeps its text for search.
fn raw(described: &Described<'_>) -> Event {
    let text = String::from_utf8_lossy(&described.record.bytes);
    Event {
        module: None,
        parse_status: Some(ParseStatus::Raw),
        message: Some(one_line(&text)).filter(|text| !text.is_empty()),
        ..envelope(described)
    }
}

fn read(object: &Map<String, Value>, bytes: &[u8]) -> Option<WindowsFields> {
    if object.get("Event").is_some_and(|event| event.get("System").is_some()) {
        return flatten::read_json(bytes).ok();
    }
    match object.get("winlog") {
        Some(Value::Object(winlog)) => Some(read_winlogbeat(winlog)),
        _ if object.contains_key("EventID") => Some(read_flat(object)),
        _ => None,
    }
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
const FLAT: [(&str, &str); 16] = [
    ("SourceName", "Provider_Name"),
    ("ProviderName", "Provider_Name"),
    ("ProviderGuid", "Provider_Guid"),
    ("EventID", "EventID"),
    ("Qualifiers", "EventID_Qualifiers"),
    ("Version", "Version"),
    ("Level", "Level"),
    ("Task", "Task"),
    ("OpcodeValue", "Opcode"),
    ("RecordNumber", "EventRecordID"),
    ("EventRecordID", "EventRecordID"),
    ("Channel", "Channel"),
    ("Hostname", "Computer"),
    ("Computer", "Computer"),
    ("ExecutionProcessID", "Execution_ProcessID"),
    ("UserID", "Security_UserID"),
];

/// Members the forwarder adds of its own, and texts that repeat what the data says.
const FLAT_SKIPPED: [&str; 12] = [
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
];

fn read_flat(object: &Map<String, Value>) -> WindowsFields {
    let mut fields = WindowsFields::default();
    for (member, name) in FLAT {
        if let Some(value) = object.get(member).filter(|_| fields.fields.get(name).is_none()) {
            push(&mut fields, name, value, true, DEPTH_MAX);
        }
    }
    // `NXLog` says in a word of its own what the audit bits say; the bits come as a signed number.
    match first_text(object, &["EventType"]) {
        Some("AUDIT_FAILURE") => fields.push_system("Keywords", "Audit Failure"),
        Some("AUDIT_SUCCESS") => fields.push_system("Keywords", "Audit Success"),
        Some(other) => fields.push_data("EventType", other),
        None => {}
    }
    for (name, value) in object {
        let known = FLAT.iter().any(|(member, _)| member == name) || FLAT_SKIPPED.contains(&name.as_str());
        if !known {
            push(&mut fields, if name == "StringInserts" { "Data" } else { name }, value, false, DEPTH_MAX);
        }
    }
    fields
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

fn stamp(object: &Map<String, Value>, zone: Tz) -> Option<(DateTime<Utc>, TimeRule)> {
    let text = first_text(object, &["@timestamp", "EventTime", "TimeCreated"])?.trim();
    with_offset(text).map(|time| (time, TimeRule::Offset)).or_else(|| Some((local(text, zone)?, TimeRule::Local)))
}

fn with_offset(text: &str) -> Option<DateTime<Utc>> {
    let parsed =
        DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f %z"));
    parsed.ok().map(|time| time.with_timezone(&Utc))
}

/// The one place where a stamp without a zone is read; the zone is the source's, never the server's.
fn local(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    let naive = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    zone.from_local_datetime(&naive).earliest().map(|time| time.with_timezone(&Utc))
}

fn one_line(text: &str) -> String {
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
    use monban_event::{Action, Outcome};
    use serde_json::json;

    use super::super::sample::{parse, record, told};
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
    fn fluent_bit_gives_unnamed_strings() {
        let event = parse(&json!({"ProviderName": "Service Control Manager", "EventID": 7036, "Channel": "System",
            "Computer": "FS01", "TimeCreated": "2026-10-25 12:00:00 +0900", "StringInserts": ["受付", "停止"]}));
        assert_eq!(event.native.iter().filter(|(name, _)| *name == "Data").count(), 2);
        assert_eq!(event.event_time.map(rfc3339).as_deref(), Some("2026-10-25T03:00:00.000000Z"));
    }

    #[test]
    fn what_no_forwarder_writes_is_kept_raw() {
        for bytes in [&b"not JSON \xff"[..], b"[1,2]", b"{\"log\":\"x\"}", b"{\"winlog\":3}", b""] {
            let record = Record { bytes: bytes.to_vec(), ..record(&json!({})) };
            let event = parse_json(RecordId(1), &record, chrono_tz::Asia::Tokyo);
            assert_eq!((event.parse_status, event.module.as_deref()), (Some(ParseStatus::Raw), None));
            assert_eq!(event.source_id.as_deref(), Some("ip:192.0.2.200"));
            assert!(told(&event).as_object().is_some_and(Map::is_empty));
        }
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
