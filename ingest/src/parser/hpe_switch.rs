//! HPE and Aruba switches: `ArubaOS-Switch` (`ProCurve`) `00179 mgr:  text` and AOS-CX `Event|105|LOG_INFO|AMM|1/1|text`.
//!
//! Format: HPE, *`ArubaOS-Switch` Event Log Message Reference Guide*; Aruba, *AOS-CX Event Log Message Reference Guide*.
//! Quirks this file owns:
//! * The five digits are the event; they may be left out. Members of a stack write `ST1-CMDR:` behind the subsystem.
//! * `SME SSH from a - MANAGER Mode` follows `User 'sato' logged in from a to SSH session`: it is the elevation.
//! * `(3 times in 60 seconds)` closes a line that stands for several.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::scan::{behind, between, known, source_end, word};
use crate::header::Header;

/// Subsystems that write lines without an event number or a stack member.
const SUBSYSTEMS: [&str; 24] = [
    "auth",
    "mgr",
    "ports",
    "snmp",
    "ssl",
    "ssh",
    "dhcp-snoop",
    "FFI",
    "crypto",
    "stp",
    "lacp",
    "vrrp",
    "tftp",
    "console",
    "udld",
    "lldp",
    "chassis",
    "tacacs",
    "radius",
    "connfilt",
    "vlan",
    "igmp",
    "loop-protect",
    "timesync",
];

struct Message<'a> {
    id: &'a str,
    subsystem: &'a str,
    text: &'a str,
}

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let body = header.body.trim_start();
    let found = event(header.message).or_else(|| event(body)).map(|message| (message, "aruba.cx", "AOS-CX"));
    let found = found.or_else(|| legacy(body).map(|message| (message, "aruba.switch", "ArubaOS-Switch")));
    let Some((message, dataset, product)) = found else { return false };
    draft.product("aruba", dataset, "HPE Aruba", product);
    draft.rule("hpe_switch");
    draft.process(header);
    draft.event.code = known(message.id);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.native("subsystem", message.subsystem);
    fill(message.text, draft);
    true
}

/// `Event|105|LOG_INFO|AMM|1/1|text`
fn event(text: &str) -> Option<Message<'_>> {
    let mut parts = text.strip_prefix("Event|")?.splitn(5, '|');
    let (id, level) = (parts.next()?, parts.next()?);
    let (_, subsystem) = (parts.next()?, parts.next()?);
    let is_event = level.starts_with("LOG_") && id.bytes().all(|byte| byte.is_ascii_digit());
    is_event.then(|| Message { id, subsystem, text: parts.next().unwrap_or("") })
}

/// `00179 mgr:  ST1-CMDR: text`
fn legacy(body: &str) -> Option<Message<'_>> {
    let (first, rest) = word(body);
    let is_id = first.len() == 5 && first.bytes().all(|byte| byte.is_ascii_digit());
    let (id, rest) = if is_id { (first, rest.trim_start()) } else { ("", body) };
    let (subsystem, text) = rest.split_once(':')?;
    let is_known = SUBSYSTEMS.contains(&subsystem);
    if !is_id && !is_known {
        return None;
    }
    let text = text.strip_prefix(' ')?.trim_start();
    let member = text.split_once(": ").filter(|(member, _)| is_member(member));
    let named = subsystem.len() <= 16 && !subsystem.contains(' ') && !subsystem.is_empty();
    let ours = (is_id && named) || (is_known && (member.is_some() || is_phrase(text)));
    ours.then_some(Message { id, subsystem, text: member.map_or(text, |(_, text)| text) })
}

/// `ST1-CMDR`, `ST2-STBY`, `AM1`
fn is_member(word: &str) -> bool {
    let stacked = word.strip_prefix("ST").and_then(|rest| rest.split_once('-'));
    stacked.is_some_and(|(number, role)| {
        number.parse::<u8>().is_ok() && matches!(role, "CMDR" | "STBY" | "MMBR" | "MEMBER")
    }) || matches!(word, "AM1" | "AM2" | "SM1" | "SM2")
}

fn is_phrase(text: &str) -> bool {
    ["SME ", "port ", "Invalid user name/password on ", "Security access violation from "]
        .iter()
        .any(|start| text.starts_with(start))
        || (text.starts_with("User '") && (text.contains(" logged ") || text.contains(" is trying to login ")))
}

fn fill(text: &str, draft: &mut Draft<'_>) {
    let users = [between(text, "User '", "'"), between(text, "user '", "'"), between(text, "User ", " logged ")];
    users.into_iter().flatten().for_each(|user| draft.user(user.trim_matches('\'')));
    for mark in [" from ", "release address "] {
        source_end(behind(text, mark, &[' ', ',']).unwrap_or("").trim_end_matches('.'), draft);
    }
    draft.native("times", between(text, "(", " times in ").unwrap_or(""));
    let (category, action, outcome) = meaning(text);
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

fn meaning(text: &str) -> (Category, Action, Outcome) {
    use Category::{Authentication, Configuration, Host, Network};
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&[" logged in from "]) {
        (Authentication, Action::Login, Outcome::Success)
    } else if has(&[" logged out "]) {
        (Authentication, Action::Logout, Outcome::Success)
    } else if has(&["Invalid user name/password", "is trying to login", "Authentication failed", "login failed"]) {
        (Authentication, Action::Login, Outcome::Failure)
    } else if text.starts_with("SME ") {
        let action = if has(&["MANAGER Mode"]) { Action::Elevate } else { Action::Other };
        (Authentication, action, Outcome::Success)
    } else if has(&["Security access violation", "TLS connection failed"]) {
        (Authentication, Action::Other, Outcome::Failure)
    } else if has(&["onfiguration changed", "onfig changed", "onfiguration was changed"]) {
        (Configuration, Action::ConfigChange, Outcome::Success)
    } else if has(&["bad release", "release address", "Blocked by", "dropped", "denied"]) {
        (Network, Action::Deny, Outcome::Failure)
    } else {
        (Host, Action::Other, Outcome::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn logins() {
        check(
            "<29>Mar  3 09:00:00 sw1  00419 auth:  ST1-CMDR: Invalid user name/password on SSH session User 'sato' is trying to login from 192.0.2.7",
            &[
                ("event.dataset", "aruba.switch"),
                ("event.code", "00419"),
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("observer.hostname", "sw1"),
            ],
        );
        check(
            "03362 auth: User 'sato' logged in from 192.0.2.7 to SSH session",
            &[("event.action", "login"), ("event.outcome", "success"), ("user.name", "sato")],
        );
        check(
            "mgr:  ST1-CMDR: SME SSH from 192.0.2.7 - MANAGER Mode",
            &[("event.action", "elevate"), ("source.ip", "192.0.2.7"), ("user.name", "-")],
        );
        check(
            "<190>Mar  3 09:00:00 cx1 hpe-restd[7]: Event|4657|LOG_INFO|AMM|-|User sato logged in from 192.0.2.7 through REST session",
            &[
                ("event.dataset", "aruba.cx"),
                ("event.code", "4657"),
                ("event.action", "login"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
            ],
        );
    }

    #[test]
    fn other_lines_are_not_claimed() {
        for line in [
            "auth: something",
            "system: up",
            "12345 x y: z",
            "Event|x|LOG_INFO|a|b|c",
            "<29>Mar  3 09:00:00 h ssh: text",
        ] {
            assert_eq!(parse(line.as_bytes()).module, None, "{line}");
        }
    }
}
