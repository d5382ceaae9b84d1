//! Yamaha RTX, NVR and FWX routers.
//!
//! Format: Yamaha, *ログのリファレンス* and the command references. Quirks this file owns:
//! * UDP, `<PRI>` and the text: no time, no host, no tag. Time is that of receipt; `show log` files begin with a local
//!   `YYYY/MM/DD hh:mm:ss: `, and a clock that was never set says 1980.
//! * A header reader takes words of the text for host or tag (`PP[01]`, `Login`), so the text behind the time is read.
//! * A remote-access login is spread over lines that share no key: `TUNNEL[n] connected from` has the address,
//!   `Call detected from user` the account, `PPP/IPCP up` the address given. Joining them is `detect/session`'s part; here
//!   the account's line is the session's start, and each line keeps its `TUNNEL[n]` or `PP[…]`.
//! * `PP[ANONYMOUSnn]` is a dial-in; `PP[01]`, `PPPOE[01]` are the line to the provider and nobody's VPN.
//! * `[INSPECT]` and filter lines are nine tenths of the volume. `same message repeated N times` stands for N lines.
//! * IPv6 ends are written `address.port`.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::scan::{address_and_port, between, word};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some((text, host)) = candidate(header) else { return false };
    draft.product("yamaha", "yamaha.router", "Yamaha", "RTX");
    draft.event.observer_hostname = host.map(str::to_owned);
    draft.rule("yamaha");
    draft.kind(Category::Host, Action::Other);
    read(text, draft);
    true
}

/// The text that is Yamaha's: behind the time, or behind a host that a relay put there.
fn candidate<'a>(header: &Header<'a>) -> Option<(&'a str, Option<&'a str>)> {
    if is_ours(header.after_time) {
        return Some((header.after_time, None));
    }
    is_ours(header.body).then_some((header.body, header.host))
}

/// The beginnings that no other device in the field guide has.
const MARKS: [&str; 23] = [
    "PP[",
    "PPPOE[",
    "TUNNEL[",
    "IP Tunnel[",
    "[IKE",
    "[L2TP",
    "[PPTP",
    "[INSPECT]",
    "[DHCPD]",
    "[SWCTL]",
    "[SCHEDULE]",
    "[LUA]",
    "[NTPDATE]",
    "Login succeeded for ",
    "Login failed for ",
    "Logout from ",
    "'administrator' ",
    "Configuration saved in \"",
    "same message repeated ",
    "Restart by ",
    "LAN1",
    "LAN2",
    "LAN3",
];

fn is_ours(text: &str) -> bool {
    let begins = matches!(text.as_bytes().first(), Some(b'P' | b'T' | b'I' | b'[' | b'L' | b'\'' | b'C' | b's' | b'R'));
    begins
        && MARKS.iter().any(|mark| text.starts_with(mark))
        && (!text.starts_with("LAN") || matches!(text.as_bytes().get(4), Some(b'(' | b':' | b' ')))
        && (!text.starts_with("Log") || is_by_method(text))
        // Others save into files; a router's slot has no path.
        && !text.starts_with("Configuration saved in \"/")
}

/// `Login failed for SSH: …`, `Logout from Serial`: what is named is a way in, in capitals; elsewhere it is an account.
fn is_by_method(text: &str) -> bool {
    let behind = text.split_once(" for ").or_else(|| text.split_once(" from ")).map_or("", |(_, behind)| behind);
    let method = behind.split([':', ' ']).next().unwrap_or("");
    method == "Serial"
        || (!method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()))
}

fn read(text: &str, draft: &mut Draft<'_>) {
    if let Some(rest) = text.strip_prefix("Login succeeded for ") {
        admin(rest, Action::Login, Outcome::Success, draft);
    } else if let Some(rest) = text.strip_prefix("Login failed for ") {
        admin(rest, Action::Login, Outcome::Failure, draft);
    } else if let Some(rest) = text.strip_prefix("Logout from ") {
        admin(rest, Action::Logout, Outcome::Success, draft);
    } else if let Some(rest) = text.strip_prefix("'administrator' succeeded for ") {
        admin(rest, Action::Elevate, Outcome::Success, draft);
    } else if let Some(rest) = text.strip_prefix("'administrator' failed for ") {
        admin(rest, Action::Elevate, Outcome::Failure, draft);
    } else if let Some(rest) = text.strip_prefix("Configuration saved in ") {
        configuration(rest, draft);
    } else if let Some(rest) = text.strip_prefix("same message repeated ") {
        draft.native("repeated", word(rest).0);
        draft.rule("yamaha.repeat");
    } else if text.starts_with("[IKE") {
        ike(text, draft);
    } else if let Some(rest) = text.strip_prefix("[DHCPD] ") {
        dhcp(rest, draft);
    } else if text.contains(" Rejected at ") || text.contains(" Passed at ") || text.starts_with("[INSPECT]") {
        filter(text, draft);
    } else {
        session(text, draft);
    }
}

/// `SSH: 192.0.2.9 admin`, `HTTP: 192.0.2.9`, `Serial`, `Serial user`.
fn admin(rest: &str, action: Action, outcome: Outcome, draft: &mut Draft<'_>) {
    let (method, who) = rest.split_once(':').unwrap_or((rest, ""));
    draft.native("method", word(method).0);
    let (first, second) = word(who);
    draft.source(first);
    draft.user(if draft.event.source_ip.is_some() { second } else { first });
    draft.kind(Category::Authentication, action);
    draft.event.outcome = Some(outcome);
    draft.rule("yamaha.admin");
}

/// `"CONFIG0" by SSH(admin)`.
fn configuration(rest: &str, draft: &mut Draft<'_>) {
    if let Some(name) = between(rest, "\"", "\"") {
        draft.native("config", name);
    }
    if let Some((_, by)) = rest.split_once(" by ") {
        draft.native("method", by.split('(').next().unwrap_or(by));
        draft.user(between(by, "(", ")").unwrap_or(""));
    }
    draft.kind(Category::Configuration, Action::ConfigChange);
    draft.event.outcome = Some(Outcome::Success);
    draft.rule("yamaha.config");
}

/// Who responds was called: the address named is the caller's. Who initiates calls.
fn ike(text: &str, draft: &mut Draft<'_>) {
    let (direction, rest) = text.split_once("] ").map_or(("", text), |(_, rest)| word(rest));
    let peer = rest.split_once(" to ").map_or("", |(_, peer)| word(peer).0);
    match direction {
        "respond" => draft.source(peer),
        "initiate" => draft.destination(peer),
        _ => {}
    }
    draft.event.vpn_type = Some("ipsec".to_owned());
    draft.kind(Category::Session, Action::Other);
    draft.rule("yamaha.ike");
}

/// `LAN1(port1) Allocates 192.0.2.155: 00:00:5e:00:53:01`. A lease is no VPN address.
fn dhcp(rest: &str, draft: &mut Draft<'_>) {
    let (interface, rest) = word(rest);
    let (verb, rest) = word(rest);
    draft.native("interface", interface);
    draft.native("verb", verb);
    if let Some((leased, mac)) = rest.split_once(": ") {
        draft.source(leased);
        draft.event.source_mac = Some(mac.trim().to_owned()).filter(|mac| mac.len() == 17);
    }
    draft.kind(Category::Network, Action::Other);
    draft.rule("yamaha.dhcp");
}

/// `PP[01] Rejected at IN(2000) filter: TCP a:p > b:p` and `[INSPECT] PP[01][out][101] TCP a:p > b:p (…)`.
fn filter(text: &str, draft: &mut Draft<'_>) {
    let (place, flow) = match text.split_once(" filter: ") {
        Some((place, flow)) => (place, flow),
        None => text.strip_prefix("[INSPECT] ").and_then(|rest| rest.split_once("] ")).unwrap_or((text, "")),
    };
    let denied = place.contains(" Rejected at ");
    draft.native("interface", place.split_inclusive([']', ')']).next().unwrap_or(place).trim_end());
    if let Some((_, at)) = place.split_once(" at ") {
        draft.native("direction", at.split('(').next().unwrap_or(at));
        draft.native("filter", between(at, "(", ")").unwrap_or(""));
    }
    flow_ends(flow, draft);
    draft.kind(Category::Network, if denied { Action::Deny } else { Action::Allow });
    draft.event.outcome = Some(if denied { Outcome::Failure } else { Outcome::Success });
    draft.rule("yamaha.filter");
}

/// `TCP 192.0.2.1:5 > 198.51.100.2:80 …` or, by MAC, `00:… > 00:… IP`.
fn flow_ends(flow: &str, draft: &mut Draft<'_>) {
    let Some((before, after)) = flow.split_once(" > ").or_else(|| flow.split_once(" >")) else { return };
    let (protocol, source) = before.rsplit_once(' ').unwrap_or(("", before));
    if !protocol.is_empty() {
        draft.native("protocol", protocol);
    }
    if let Some((source, port)) = address_and_port(source) {
        draft.source(source);
        draft.event.source_port = port;
    } else if source.len() == 17 {
        draft.event.source_mac = Some(source.to_owned());
    }
    if let Some((destination, port)) = address_and_port(word(after).0) {
        draft.destination(destination);
        draft.event.destination_port = port;
    }
}

/// Lines of `[L2TP] TUNNEL[n]`, `IP Tunnel[n]`, `PP[…]`, `PPPOE[…]`.
fn session(text: &str, draft: &mut Draft<'_>) {
    let unmarked = ["[L2TP] ", "[PPTP] ", "IP "].iter().find_map(|mark| text.strip_prefix(mark)).unwrap_or(text);
    let Some((id, rest)) = unmarked.split_once(']').filter(|(id, _)| id.contains('[') && id.len() < 32) else { return };
    let id = format!("{id}]");
    let rest = rest.trim_start_matches([' ', ':']);
    let vpn_type = vpn_type(text, &id);
    draft.event.vpn_session_id = Some(if text.starts_with("IP ") { id.to_ascii_uppercase() } else { id });
    draft.event.vpn_type = vpn_type.map(str::to_owned);
    draft.rule("yamaha.session");
    let category = if vpn_type.is_some() { Category::Session } else { Category::Network };
    draft.kind(category, Action::Other);
    session_event(rest, vpn_type.is_some(), draft);
}

fn vpn_type(text: &str, id: &str) -> Option<&'static str> {
    if text.starts_with("[PPTP]") {
        Some("pptp")
    } else if text.starts_with("[L2TP]") || id.starts_with("PP[ANONYMOUS") {
        Some("l2tp")
    } else if text.starts_with("IP Tunnel[") || id.starts_with("TUNNEL[") {
        Some("ipsec")
    } else {
        None
    }
}

fn session_event(rest: &str, is_vpn: bool, draft: &mut Draft<'_>) {
    let outcome = |draft: &mut Draft<'_>, outcome| draft.event.outcome = Some(outcome);
    if let Some(peer) = rest.strip_prefix("connected from ") {
        draft.source(word(peer).0);
    } else if let Some(user) = rest.strip_prefix("Call detected from user ") {
        draft.user(user.trim_matches('\''));
        draft.event.action = Some(Action::SessionStart);
        outcome(draft, Outcome::Success);
    } else if rest.starts_with("PPP/IPCP up") {
        if is_vpn {
            draft.assigned(between(rest, "Remote: ", ")").unwrap_or(""));
            draft.event.action = Some(Action::AddressAssigned);
        }
        outcome(draft, Outcome::Success);
    } else if rest.contains("CHAP Failure") || rest.contains("PAP Failure") || rest.contains("Authentication failed") {
        draft.reason(between(rest, "cause [", "]").unwrap_or(rest));
        // As a client the router itself was refused; only a dial-in is somebody's login.
        if is_vpn {
            draft.kind(Category::Authentication, Action::Login);
        }
        outcome(draft, Outcome::Failure);
    } else if rest.starts_with("Down") || starts_ignoring_case(rest, "disconnect") || rest.starts_with("PPP/IPCP down")
    {
        draft.reason(between(rest, "cause [", "]").unwrap_or(""));
        if is_vpn {
            draft.event.action = Some(Action::SessionEnd);
        }
        outcome(draft, Outcome::Success);
    } else if rest.ends_with("established") || rest.starts_with("Up") {
        outcome(draft, Outcome::Success);
    }
}

fn starts_ignoring_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn lines_of_others() {
        for line in [
            "2026-03-03 09:00:00.07 Logon       Login failed for user 'sato'. Reason: x.",
            "<14>Login failed for admin: wrong password",
            "2026-03-03 09:00:00 app Configuration saved in \"/etc/x\" by admin(root)",
        ] {
            check(line, &[("event.module", "-"), ("user.name", "-")]);
        }
    }

    #[test]
    fn a_dial_in_ends_in_several_lines() {
        for line in [
            "<134>[L2TP] TUNNEL[1] disconnect session 26941 complete",
            "<134>[L2TP] TUNNEL[1] disconnect tunnel 4921 complete",
            "<134>PP[ANONYMOUS01] Disconnected, cause [PPP: Terminated by peer]",
            "<134>PP[ANONYMOUS01] PPP/IPCP down",
            "2026/03/03 02:14:08: IP Tunnel[1] Down",
        ] {
            check(
                line,
                &[("event.action", "session-end"), ("event.category", "session"), ("observer.vendor", "Yamaha")],
            );
        }
    }

    #[test]
    fn the_line_to_the_provider_is_nobodys_vpn() {
        for line in [
            "<134>PP[01] PPP/IPCP up  (Local: 198.51.100.1, Remote: 198.51.100.254)",
            "<134>PPPOE[01] Disconnected, cause [PPP: Authentication failed]",
            "<134>PP[01] RECV CHAP Failure",
        ] {
            check(
                line,
                &[
                    ("vpn.type", "-"),
                    ("vpn.assigned_ip", "-"),
                    ("event.category", "network"),
                    ("event.action", "other"),
                ],
            );
        }
        check(
            "<134>PP[ANONYMOUS02] SEND CHAP Failure",
            &[("event.action", "login"), ("event.outcome", "failure"), ("vpn.type", "l2tp")],
        );
    }
}
