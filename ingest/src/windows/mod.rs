//! What a Windows event means: from the flat fields of a record to an [`Event`].
//!
//! The same mapping serves event log files and what forwarders send as JSON. It keys on event numbers and field names,
//! never on message texts, because those follow the language of the Windows that wrote them. The native fields keep
//! the names of Windows, which are the names Sigma's rules use; the typed fields say who did what from where.

mod account;
pub(crate) mod flatten;
pub(crate) mod json;
mod labels;
mod message;
pub(crate) mod prose;
#[cfg(test)]
mod sample;
mod security;
mod services;
mod sqlserver;
mod sysmon;
mod terminal;
pub(crate) mod xml;

use chrono::{DateTime, Utc};
use monban_event::{Event, EventId, Outcome, ParseStatus, Record, TimeRule};

use flatten::WindowsFields;
pub(crate) use json::try_json;
pub(crate) use labels::TITLE_STARTS;

/// What is known of a record beside its fields.
pub(crate) struct Described<'a> {
    pub(crate) id: EventId,
    pub(crate) record: &'a Record,
    /// When the log wrote it, where the container says so.
    pub(crate) written: Option<DateTime<Utc>>,
    pub(crate) parse_rule: &'static str,
}

/// Makes the event of one Windows record.
pub(crate) fn to_event(described: &Described<'_>, windows: WindowsFields) -> Event {
    let mut event = envelope(described);
    event.parse_status = Some(ParseStatus::Full);
    set_time(&mut event, &windows, described.written);
    tell(&mut event, &windows);
    event.message = Some(message::compose(&event, &windows));
    event.drop_nonsense();
    event.native = windows.fields;
    event
}

/// What the fields say, on an event that has its record's: the one mapping for files, forwarders and syslog agents.
pub(crate) fn tell(event: &mut Event, windows: &WindowsFields) {
    event.module = Some("windows".to_owned());
    set_log(event, windows);
    describe(event, windows);
    fill_gaps(event, windows);
}

/// The fields every event of a record shares: receipt, file, peer.
fn envelope(described: &Described<'_>) -> Event {
    let record = described.record;
    Event {
        id: described.id,
        ingested: Some(record.received_at),
        event_time: Some(record.received_at),
        time_rule: Some(TimeRule::Receive),
        observer_peer_ip: record.peer.map(|peer| peer.ip()),
        file_path: record.file.as_ref().map(|file| file.path.to_string()),
        parse_rule: Some(described.parse_rule.to_owned()),
        source_id: source_without_name(record),
        ..Event::default()
    }
}

/// Windows names itself in nearly every record; where it does not, the sender or the file must do.
fn source_without_name(record: &Record) -> Option<String> {
    let peer = record.peer.map(|peer| format!("ip:{}", peer.ip()));
    peer.or_else(|| {
        let path = &record.file.as_ref()?.path;
        path.rsplit(['/', '\\']).next().map(|name| format!("file:{name}"))
    })
}

fn set_time(event: &mut Event, windows: &WindowsFields, written: Option<DateTime<Utc>>) {
    let stamp = windows.text("TimeCreated_SystemTime").and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    if let Some(time) = stamp {
        event.event_time = Some(time.with_timezone(&Utc));
        event.time_rule = Some(TimeRule::Offset);
    } else if let Some(time) = written {
        event.event_time = Some(time);
        event.time_rule = Some(TimeRule::Epoch);
    }
}

fn set_log(event: &mut Event, windows: &WindowsFields) {
    let text = |name| windows.text(name).map(str::to_owned);
    let number = |name| windows.text(name).and_then(|value| value.parse::<i64>().ok());
    event.winlog_channel = text("Channel");
    event.winlog_provider = text("Provider_Name");
    event.winlog_event_id = number("EventID");
    event.winlog_record_id = number("EventRecordID");
    event.code = text("EventID");
    event.dataset = Some(dataset(event.winlog_channel.as_deref().unwrap_or("")).to_owned());
    if let Some(computer) = windows.text("Computer") {
        event.winlog_computer = Some(computer.to_owned());
        event.host_name = Some(computer.to_owned());
        event.source_id = Some(source_of(computer));
    }
}

/// `host:dc01` for `DC01.hospital.example`, so that a server keeps its row when it joins a domain.
pub(crate) fn source_of(computer: &str) -> String {
    let label = computer.split('.').next().unwrap_or(computer);
    format!("host:{}", monban_event::account::fold(label))
}

fn dataset(channel: &str) -> &'static str {
    match channel {
        "Security" => "windows.security",
        "System" => "windows.system",
        "Application" => "windows.application",
        "Windows PowerShell" => "windows.powershell",
        _ if channel.starts_with("Microsoft-Windows-Sysmon") => "windows.sysmon",
        _ if channel.starts_with("Microsoft-Windows-Windows Defender") => "windows.defender",
        _ if channel.starts_with("Microsoft-Windows-TerminalServices") => "windows.terminalservices",
        _ if channel.starts_with("Microsoft-Windows-RemoteDesktopServices") => "windows.terminalservices",
        _ if channel.contains("PowerShell") => "windows.powershell",
        _ if channel.starts_with("Microsoft-Windows-TaskScheduler") => "windows.taskscheduler",
        _ => "windows.eventlog",
    }
}

/// What the event says happened, by log and number.
fn describe(event: &mut Event, windows: &WindowsFields) {
    let number = event.winlog_event_id.unwrap_or_default();
    // Its audit may write into the Security log.
    if event.winlog_provider.as_deref().is_some_and(sqlserver::is_own) {
        return sqlserver::describe(event, windows, number);
    }
    match event.dataset.as_deref() {
        Some("windows.security") => security::describe(event, windows, number),
        Some("windows.terminalservices") => terminal::describe(event, windows, number),
        Some("windows.sysmon") => sysmon::describe(event, windows, number),
        Some("windows.system") => services::describe_system(event, windows, number),
        Some("windows.defender") => services::describe_defender(event, windows, number),
        Some("windows.powershell") => services::describe_powershell(event, windows),
        Some("windows.taskscheduler") => services::describe_task(event, windows, number),
        _ => {}
    }
}

/// What holds for every log: an account, an address and an outcome where the event names one and nothing better did.
fn fill_gaps(event: &mut Event, windows: &WindowsFields) {
    if event.user_name.is_none() {
        account::set_first(event, windows, &account::ANYBODY);
    }
    // The SID is of who wrote the record: services write much of what others do.
    if event.user_id.is_none() && event.user_name.is_none() {
        event.user_id = windows.text("Security_UserID").filter(|sid| sid.starts_with("S-1-")).map(str::to_owned);
    }
    if event.source_ip.is_none() {
        account::set_source(event, windows, "IpAddress", "IpPort");
    }
    if event.outcome.is_none() {
        event.outcome = audit_outcome(windows);
    }
}

/// The audit bits of `Keywords`; forwarders write the words instead, in the language of the Windows.
fn audit_outcome(windows: &WindowsFields) -> Option<Outcome> {
    const FAILURE: u64 = 0x0010_0000_0000_0000;
    const SUCCESS: u64 = 0x0020_0000_0000_0000;
    let keywords = windows.text("Keywords")?;
    let says = |words: [&str; 2]| words.iter().any(|word| keywords.contains(word));
    let (failed, succeeded) =
        match keywords.strip_prefix("0x").map(|hex| u64::from_str_radix(hex, 16).unwrap_or_default()) {
            Some(bits) => (bits & FAILURE != 0, bits & SUCCESS != 0),
            None => (says(["Audit Failure", "監査の失敗"]), says(["Audit Success", "監査の成功"])),
        };
    match (failed, succeeded) {
        (true, _) => Some(Outcome::Failure),
        (false, true) => Some(Outcome::Success),
        (false, false) => None,
    }
}
