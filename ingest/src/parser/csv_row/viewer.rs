//! Windows events as the event viewer and `PowerShell` export them. Owns their columns and the few lines of a description
//! that say who and from where; what the event means is [`crate::windows`]'s.
//!
//! Quirks: the event viewer names five columns and writes six, the last a description over many lines in the language of
//! the Windows; it writes no channel and no computer; its times are local.

use chrono_tz::Tz;
use monban_event::{Event, EventId, Record, RecordId, TimeRule, limits};

use super::super::draft::PayloadTime;
use super::columns::fold;
use super::times::time_of;
use super::{Row, one_line};
use crate::hints;
use crate::windows::{self, Described, flatten::WindowsFields};

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
pub(super) fn fields(row: &Row<'_>) -> Option<WindowsFields> {
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
    for (name, value) in row.pairs().filter(|(name, _)| !name.is_empty() && !is_name(name)) {
        fields.push_data(name, value);
    }
    Some(fields)
}

pub(super) fn is_name(name: &str) -> bool {
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

pub(super) fn event(id: RecordId, record: &Record, fields: WindowsFields, row: &Row<'_>, zone: Tz) -> Event {
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
