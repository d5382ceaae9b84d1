//! Juniper `NetScreen` and SSG (`ScreenOS`): `NetScreen device_id=… [Root]system-notification-00257(traffic): text`.
//!
//! Format: Juniper, *`ScreenOS` Message Log Reference Guide*. Quirks this file owns:
//! * The five digits behind the level are the message; the level is part of the same word.
//! * Traffic is `key=value` with blanks in two keys (`src zone=Trust`); everything else is prose that ends with the
//!   device's local time in brackets, which counts.
//! * `… by sato via web from host 192.0.2.7 to 192.0.2.1:443` tells who changed something, and from where.

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime};
use super::scan::{behind, between, count, destination_end, known, port, seconds_ns, source_end};
use crate::header::Header;
use crate::stamp;

/// How far into a body the mark is looked for.
const BEFORE_BYTES_MAX: usize = 128;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let head = header.body.get(..header.body.floor_char_boundary(BEFORE_BYTES_MAX)).unwrap_or(header.body);
    let Some(at) = head.find("NetScreen ") else { return false };
    let (before, rest) = (head.get(..at).unwrap_or(""), header.body.get(at + 10..).unwrap_or(""));
    let is_frame = before.is_empty() || (before.ends_with(": ") && !before.trim_end().contains(' '));
    if !is_frame || (before.is_empty() && !rest.starts_with("device_id=")) {
        return false;
    }
    draft.product("juniper", "juniper.netscreen", "Juniper", "NetScreen");
    draft.rule("juniper_netscreen");
    let tag = before.trim_end_matches([' ', ':']);
    draft.event.observer_hostname = header.host.or(Some(tag).filter(|tag| !tag.is_empty())).map(str::to_owned);
    draft.native("device_id", behind(rest, "device_id=", &[' ']).unwrap_or(""));
    let code = code(rest);
    draft.event.code = known(code);
    let text = rest.split_once(code).filter(|_| !code.is_empty()).map_or(rest, |(_, text)| text);
    draft.time = end_time(text);
    if text.starts_with("(traffic)") {
        traffic(text, draft);
    } else {
        prose(code, text, draft);
    }
    true
}

/// `[Root]system-notification-00257`
fn code(text: &str) -> &str {
    let (_, behind_system) = text.split_once("]system-").unwrap_or(("", ""));
    let digits = behind_system.split_once('-').map_or("", |(_, rest)| rest);
    digits.get(..5).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit())).unwrap_or("")
}

fn end_time(text: &str) -> Option<PayloadTime> {
    let inner = text.trim_end().strip_suffix(')')?.rsplit_once('(')?.1;
    stamp::read(inner).map(|(stamp, _)| PayloadTime::Stamp(stamp))
}

fn traffic(text: &str, draft: &mut Draft<'_>) {
    let value = |mark: &str| behind(text, mark, &[' ']).unwrap_or("");
    for mark in ["policy_id=", "service=", "proto=", "src zone=", "dst zone=", "action=", "session_id=", "reason="] {
        draft.native(mark.trim_end_matches('='), value(mark));
    }
    draft.source(value(" src="));
    draft.destination(value(" dst="));
    draft.event.source_port = port(value("src_port="));
    draft.event.destination_port = port(value("dst_port="));
    draft.event.source_bytes = count(value("sent="));
    draft.event.destination_bytes = count(value("rcvd="));
    draft.event.duration_ns = value("duration=").parse().ok().and_then(seconds_ns);
    draft.user(value("src_user="));
    draft.time = between(text, "start_time=\"", "\"").and_then(stamp::read).map(|(stamp, _)| PayloadTime::Stamp(stamp));
    let denies = value("action=").eq_ignore_ascii_case("deny") || value("action=").eq_ignore_ascii_case("reject");
    draft.kind(Category::Network, if denies { Action::Deny } else { Action::Allow });
    draft.event.outcome = Some(if denies { Outcome::Failure } else { Outcome::Success });
}

fn prose(code: &str, text: &str, draft: &mut Draft<'_>) {
    person(text, draft);
    for mark in ["from host ", " From ", " from ", "IKE<"] {
        let end = behind(text, mark, &[' ', ',', '>', ')']).unwrap_or("");
        source_end(end.trim_end_matches('.'), draft);
    }
    let to = behind(text, " to ", &[' ', ',']).unwrap_or("");
    destination_end(to.trim_end_matches('.'), draft);
    draft.assigned(between(text, "Client IP Addr <", ">").unwrap_or(""));
    let (category, action, outcome) = meaning(code, text);
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
    if text.contains("IKE<") {
        draft.event.vpn_type = Some("ipsec".to_owned());
    }
}

fn person(text: &str, draft: &mut Draft<'_>) {
    const ENDS: &[char] = &[' ', '.', ',', ':'];
    let by = behind(text, " by ", ENDS).filter(|name| !matches!(*name, "admin" | "the"));
    let users = [
        between(text, "Admin user \"", "\""),
        between(text, "login name '", "'"),
        between(text, "username <", ">"),
        behind(text, "Admin user ", ENDS),
        behind(text, "by admin ", ENDS),
        by,
    ];
    users.into_iter().flatten().for_each(|user| draft.user(user.trim_matches('"')));
}

fn meaning(code: &str, text: &str) -> (Category, Action, Outcome) {
    use Category::{Authentication, Configuration, Host, Network, Session};
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let failed = has(&["fail", "denied", "rejected", "aborted"]);
    let outcome = if failed { Outcome::Failure } else { Outcome::Success };
    match code {
        _ if has(&["has logged on"]) => (Authentication, Action::Login, Outcome::Success),
        _ if has(&["has logged out", "logged off"]) => (Authentication, Action::Logout, Outcome::Success),
        "00519" if has(&["Login attempt"]) => (Authentication, Action::Login, outcome),
        "00518" => (Authentication, Action::Other, outcome),
        _ if has(&["XAuth login was passed"]) => (Session, Action::SessionStart, Outcome::Success),
        _ if has(&["XAuth login"]) && failed => (Authentication, Action::Login, Outcome::Failure),
        _ if has(&["IKE<", "IKE "]) => (Session, Action::Other, Outcome::Unknown),
        _ if has(&[
            "configuration saved",
            "was modified",
            "was added",
            "was deleted",
            "was changed",
            "has been changed",
        ]) =>
        {
            (Configuration, Action::ConfigChange, Outcome::Success)
        }
        _ if has(&["attack", "flood", "scan!", "sweep!", "spoofing!", "Occurred "]) => {
            (Network, Action::Detect, Outcome::Unknown)
        }
        _ => (Host, Action::Other, Outcome::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn administrators() {
        check(
            "<132>Mar  3 09:00:05 ssg5 ssg5: NetScreen device_id=0162  [Root]system-warning-00515: Admin user sato has logged on via SSH from 192.0.2.7:3456 (2026-03-03 09:00:00)",
            &[
                ("event.code", "00515"),
                ("event.action", "login"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("source.port", "3456"),
                ("observer.hostname", "ssg5"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
        check(
            "NetScreen device_id=0162  [Root]system-warning-00519: Login attempt to system by admin sato via Telnet from 192.0.2.7:3456 has failed (2026-03-03 09:00:00)",
            &[("event.action", "login"), ("event.outcome", "failure"), ("user.name", "sato")],
        );
        check(
            "NetScreen device_id=0162  [Root]system-notification-00018: Policy (5, Trust->Untrust, ANY, Permit) was modified by sato via web from host 192.0.2.7 to 192.0.2.1:443. (2026-03-03 09:00:00)",
            &[
                ("event.action", "config-change"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("destination.ip", "192.0.2.1"),
                ("destination.port", "443"),
            ],
        );
    }

    #[test]
    fn traffic_and_attacks() {
        check(
            "ssg5: NetScreen device_id=0162  [Root]system-notification-00257(traffic): start_time=\"2026-03-03 09:00:00\" duration=3 policy_id=1 service=https proto=6 src zone=Trust dst zone=Untrust action=Deny sent=10 rcvd=20 src=192.0.2.7 dst=203.0.113.9 src_port=5 dst_port=443 session_id=9",
            &[
                ("event.action", "deny"),
                ("source.ip", "192.0.2.7"),
                ("destination.port", "443"),
                ("source.bytes", "10"),
                ("native.src zone", "Trust"),
                ("event.duration", "3000000000"),
            ],
        );
        check(
            "NetScreen device_id=0162  [Root]system-emergency-00005: SYN flood! From 203.0.113.9:41437 to 192.0.2.7:9612, proto TCP (zone Untrust). Occurred 1 times. (2026-03-03 09:00:00)",
            &[("event.action", "detect"), ("source.ip", "203.0.113.9"), ("destination.ip", "192.0.2.7")],
        );
        assert_eq!(parse(b"the old NetScreen is gone").module, None);
    }
}
