//! Windows records for tests, in the words of the EVTX reader.

use chrono::DateTime;
use monban_event::{Event, Format, Origin, Record, RecordId, Transport};
use serde_json::{Value, json};

pub(super) fn record(json: &Value) -> Record {
    Record {
        received_at: DateTime::UNIX_EPOCH,
        origin: Origin::Live,
        transport: Transport::Http,
        peer: Some(([192, 0, 2, 200], 40_000).into()),
        identity: None,
        format: Format::Json,
        file: None,
        bytes: json.to_string().into_bytes(),
        cut: false,
    }
}

pub(super) fn parse(json: &Value) -> Event {
    super::try_json(RecordId(3), &record(json), chrono_tz::Asia::Tokyo).expect("a Windows record")
}

/// An event of `DC01` in that channel.
pub(super) fn event(channel: &str, number: u64, data: &Value) -> Event {
    let part =
        if data.get("EventXML").is_some() || data.get("LogFileCleared").is_some() { "UserData" } else { "EventData" };
    parse(&json!({"Event": {
        "System": {
            "Provider": {"#attributes": {"Name": "Maker-Of-Events"}},
            "EventID": number, "Keywords": "0x8020000000000000",
            "TimeCreated": {"#attributes": {"SystemTime": "2026-10-25T03:04:05.6789012Z"}},
            "EventRecordID": 4711, "Channel": channel, "Computer": "DC01.hospital.example",
            "Security": {"#attributes": {"UserID": "S-1-5-18"}},
        },
        part: data,
    }}))
}

/// The fields of `event` that differ from an event without data, as JSON; native fields, message and log names left out.
pub(super) fn told(event: &Event) -> Value {
    const COMMON: [&str; 14] = [
        "@timestamp",
        "event.ingested",
        "time.source",
        "event.module",
        "event.dataset",
        "event.code",
        "host.name",
        "message",
        "monban.source",
        "observer.peer_ip",
        "parse.rule",
        "parse.status",
        "event.id",
        "record.id",
    ];
    let mut object = event.to_json();
    object.retain(|name, _| {
        !["native.", "winlog.", "related."].iter().any(|start| name.starts_with(start))
            && !COMMON.contains(&name.as_str())
            || name == "winlog.logon.type"
    });
    Value::Object(object)
}
