//! Connection and intrusion events of FTD, which are `Key: value` pairs. Owns where a pair ends and what its key means.

use super::super::draft::Draft;
use super::super::scan::seconds_ns;

/// FTD 430001–430005: `Key: value, Key: value`. A comma inside a value is followed by no `Word: `.
pub(super) fn connection_event(text: &str, draft: &mut Draft<'_>) {
    let mut rest = text;
    while let Some((key, behind)) = rest.split_once(": ") {
        let end = behind.match_indices(", ").map(|(at, _)| at).find(|at| behind.get(at + 2..).is_some_and(starts_pair));
        let value = behind.get(..end.unwrap_or(behind.len())).unwrap_or(behind);
        connection_key(key, value, draft);
        draft.native(key, value);
        let Some(next) = end.and_then(|at| behind.get(at + 2..)) else { break };
        rest = next;
    }
}

/// `Word: ` or `Two Words: ` at the start.
fn starts_pair(text: &str) -> bool {
    let length = text.bytes().take(64).take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b' ').count();
    length > 0 && text.get(length..).is_some_and(|rest| rest.starts_with(": "))
}

fn connection_key(key: &str, value: &str, draft: &mut Draft<'_>) {
    let number = || value.parse::<i64>().ok().filter(|number| *number >= 0);
    match key {
        "SrcIP" => draft.source(value),
        "DstIP" => draft.destination(value),
        "SrcPort" => draft.event.source_port = number(),
        "DstPort" => draft.event.destination_port = number(),
        "InitiatorBytes" => draft.event.source_bytes = number(),
        "ResponderBytes" => draft.event.destination_bytes = number(),
        "ConnectionDuration" => draft.event.duration_ns = number().and_then(seconds_ns),
        "User" if !matches!(value, "Not Found" | "No Authentication Required" | "Unknown") => draft.user(value),
        "URL" => {
            let host = value.split("//").nth(1).and_then(|rest| rest.split(['/', ':']).next());
            draft.event.destination_domain = host.map(str::to_owned);
        }
        _ => {}
    }
}
