//! Cisco Meraki MX, MR and MS: `EPOCH HOST events|urls|flows|… text`.
//!
//! Format: Cisco Meraki, *Syslog Event Types and Log Samples*. Quirks this file owns:
//! * The time is an epoch with nine digits of fraction, behind `1 ` or alone; the header's reader takes it and the host.
//! * Words are `key=value`, `key='value'` or prose (`client_vpn_connect user id 'sato' local ip …`), mixed in one line.
//! * `msg= 'RADIUS[7] Server IP=… Peer IP=… User=sato: text'`: keys with blanks inside a quoted text.
//! * `src=2001:db8::7:443` is an address and a port.
//! * `anyconnect_vpn_auth_success` precedes `anyconnect_vpn_connect`; the connection opens the session.
//! * `pattern: 1 all` of old firmware is a refusal, `pattern: 0 …` none.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::scan::{behind, between, clock_duration_ns, destination_end, known, port, source_end, word};
use crate::header::{Header, HeaderTime};

/// The first word of a body, which names the stream.
const STREAMS: [&str; 15] = [
    "events",
    "urls",
    "flows",
    "firewall",
    "vpn_firewall",
    "cellular_firewall",
    "bridge_anyconnect_client_vpn_firewall",
    "l7_firewall",
    "ids-alerts",
    "security_event",
    "security_filtering_file_scanned",
    "security_filtering_disposition_change",
    "airmarshal_events",
    "ip_flow_start",
    "ip_flow_end",
];

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let (stream, text) = word(header.body);
    if !STREAMS.contains(&stream) || !is_ours(header, stream, text) {
        return false;
    }
    draft.product("cisco", "cisco.meraki", "Cisco", "Meraki");
    draft.rule("cisco_meraki");
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.native("stream", stream);
    let code = code(stream, text);
    draft.event.code = known(code);
    fill(text, draft);
    match stream {
        "events" => event(code, text, draft),
        "ids-alerts" | "security_event" | "airmarshal_events" => {
            set(draft, Category::Network, Action::Detect, Outcome::Unknown);
        }
        _ if stream.starts_with("security_filtering") => file(text, draft),
        _ => flow(stream, text, draft),
    }
    true
}

/// An epoch in the header; or, where a relay put its own time, words that no other line has.
fn is_ours(header: &Header<'_>, stream: &str, text: &str) -> bool {
    matches!(header.time, Some(HeaderTime::Epoch(_)))
        || (header.host.is_some() && stream != "events" && text.contains("src=") && text.contains("dst="))
}

/// `type=…` of an event, its first word where it has no type, or the signature of an alert.
fn code<'a>(stream: &str, text: &'a str) -> &'a str {
    let plain =
        |name: &&str| name.contains('_') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match stream {
        "events" => text
            .strip_prefix("type=")
            .map(|rest| word(rest).0.trim_matches('\''))
            .or_else(|| Some(word(text).0).filter(plain))
            .unwrap_or(""),
        _ => behind(text, "signature=", &[' ']).unwrap_or(""),
    }
}

fn set(draft: &mut Draft<'_>, category: Category, action: Action, outcome: Outcome) {
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

/// A value behind `key=`, in single quotes or up to a blank; the key stands at the start or behind a blank.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = text;
    loop {
        let (before, behind_key) = rest.split_once(key)?;
        if before.is_empty() && rest.len() == text.len() || before.ends_with(' ') {
            return match behind_key.strip_prefix('\'') {
                Some(inner) => inner.split('\'').next(),
                None => behind_key.split(' ').next(),
            };
        }
        rest = behind_key;
    }
}

fn fill(text: &str, draft: &mut Draft<'_>) {
    const KEYS: [&str; 24] = [
        "type=",
        "src=",
        "dst=",
        "mac=",
        "protocol=",
        "sport=",
        "dport=",
        "url=",
        "server=",
        "client_mac=",
        "identity=",
        "vpn_type=",
        "peer_contact=",
        "connectivity=",
        "radio=",
        "vap=",
        "channel=",
        "aid=",
        "ip=",
        "dhost=",
        "direction=",
        "disposition=",
        "action=",
        "ssid=",
    ];
    for key in KEYS {
        if let Some(found) = value(text, key) {
            draft.native(key.trim_end_matches('='), found);
        }
    }
    source_end(value(text, "src=").unwrap_or(""), draft);
    destination_end(value(text, "dst=").unwrap_or(""), draft);
    destination_end(value(text, "server=").unwrap_or(""), draft);
    let event = &mut draft.event;
    event.source_port = value(text, "sport=").and_then(port).or(event.source_port);
    event.destination_port = value(text, "dport=").and_then(port).or(event.destination_port);
    let mac = value(text, "mac=").or_else(|| value(text, "client_mac="));
    event.source_mac = mac.and_then(known);
    draft.native("request", behind(text, "request: ", &[]).unwrap_or(""));
}

/// `flows allow src=…`, `flows src=… pattern: deny all`, `urls src=… request: GET …`.
fn flow(stream: &str, text: &str, draft: &mut Draft<'_>) {
    let verdict = match word(text).0 {
        first @ ("allow" | "deny") => first,
        _ => behind(text, "pattern: ", &[' ']).unwrap_or(""),
    };
    let denies = matches!(verdict, "deny" | "1");
    let starts = matches!(stream, "ip_flow_start" | "ip_flow_end" | "urls");
    let (action, outcome) = match verdict {
        _ if denies => (Action::Deny, Outcome::Failure),
        "allow" | "0" => (Action::Allow, Outcome::Success),
        _ if starts => (Action::Allow, Outcome::Success),
        _ => (Action::Other, Outcome::Unknown),
    };
    set(draft, Category::Network, action, outcome);
}

fn file(text: &str, draft: &mut Draft<'_>) {
    let malicious = value(text, "disposition=") == Some("malicious");
    let outcome = if value(text, "action=") == Some("block") { Outcome::Failure } else { Outcome::Success };
    let category = if malicious { Category::Malware } else { Category::Network };
    set(draft, category, if malicious { Action::Detect } else { Action::Allow }, outcome);
}

fn event(code: &str, text: &str, draft: &mut Draft<'_>) {
    if code.starts_with("anyconnect_vpn") || code.starts_with("client_vpn") {
        remote_access(code, text, draft);
    } else if code.starts_with("8021x") || matches!(code, "wpa_auth" | "splash_auth") {
        draft.user(value(text, "identity=").unwrap_or(""));
        draft.source(value(text, "ip=").unwrap_or(""));
        let outcome = if code.contains("fail") { Outcome::Failure } else { Outcome::Success };
        set(draft, Category::Authentication, Action::Other, outcome);
    } else if code == "content_filtering_block" {
        set(draft, Category::Network, Action::Deny, Outcome::Failure);
    } else if code == "vpn_connectivity_change" {
        source_end(value(text, "peer_contact=").unwrap_or(""), draft);
        draft.event.vpn_type = Some("ipsec".to_owned());
        set(draft, Category::Session, Action::Other, Outcome::Unknown);
    } else if let Some((own, far)) = tunnel_ends(text) {
        draft.source(far);
        draft.destination(own);
        draft.event.vpn_type = Some("ipsec".to_owned());
        set(draft, Category::Session, Action::Other, Outcome::Unknown);
    } else {
        draft.source(value(text, "ip_src=").unwrap_or(""));
        set(draft, Category::Host, Action::Other, Outcome::Unknown);
    }
}

/// `IKE_SA name[7] established between a[id]...b[id]`: own end, far end.
fn tunnel_ends(text: &str) -> Option<(&str, &str)> {
    let (own, far) = behind(text, "IKE_SA ", &[])?.split_once(" between ")?.1.split_once("...")?;
    Some((own.split('[').next()?, far.split('[').next()?))
}

fn remote_access(code: &str, text: &str, draft: &mut Draft<'_>) {
    let ends: &[char] = &[' ', ':', ',', '\''];
    draft.event.vpn_type = Some(if code.starts_with("anyconnect") { "ssl" } else { "l2tp" }.to_owned());
    let users = [between(text, "user id '", "'"), between(text, "User[", "]"), behind(text, "User=", ends)];
    users.into_iter().flatten().for_each(|user| draft.user(user));
    draft.source(behind(text, "connected from ", ends).unwrap_or(""));
    draft.source(behind(text, "Peer IP=", &[' ', ',', '\'']).unwrap_or("").trim_end_matches(':'));
    draft.assigned(behind(text, "local ip ", ends).unwrap_or(""));
    draft.assigned(behind(text, "assigned IP ", ends).unwrap_or(""));
    draft.destination(behind(text, "Server IP=", &[' ', ',', '\'']).unwrap_or(""));
    draft.event.source_port = behind(text, "Peer port=", ends).and_then(port);
    draft.event.destination_port = behind(text, "Server port=", ends).and_then(port);
    draft.event.vpn_session_id = between(text, "Sess-ID[", "]").and_then(known);
    draft.event.duration_ns = behind(text, "Duration: ", &[' ', ',', '\'']).and_then(clock_duration_ns);
    draft.reason(behind(text, "Reason: ", &['.', '\'', ',']).unwrap_or(""));
    let (category, action, outcome) = match code.rsplit_once("vpn_").map_or("", |(_, step)| step) {
        "auth_success" => (Category::Authentication, Action::Login, Outcome::Success),
        "auth_failure" => (Category::Authentication, Action::Login, Outcome::Failure),
        "connect" => (Category::Session, Action::SessionStart, Outcome::Success),
        "disconnect" => (Category::Session, Action::SessionEnd, Outcome::Success),
        _ if text.contains("Session connected") => (Category::Session, Action::SessionStart, Outcome::Success),
        _ if text.contains("Session disconnected") => (Category::Session, Action::SessionEnd, Outcome::Success),
        _ => (Category::Session, Action::Other, Outcome::Unknown),
    };
    set(draft, category, action, outcome);
    if outcome == Outcome::Failure && draft.event.reason.is_none() {
        let said = text.rsplit_once(": ").map_or("", |(_, said)| said.trim_matches([' ', '\'', '.']));
        draft.reason(said);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn remote_access() {
        check(
            "<134>1 1772496000.226844514 mx1 events type=anyconnect_vpn_auth_failure msg= 'RADIUS[373] Server IP=192.0.2.3 Server port=1812 Peer IP=203.0.113.9 Peer port=56735: Authentication request rejected. '",
            &[
                ("event.code", "anyconnect_vpn_auth_failure"),
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("event.reason", "Authentication request rejected"),
                ("source.ip", "203.0.113.9"),
                ("source.port", "56735"),
                ("destination.ip", "192.0.2.3"),
                ("destination.port", "1812"),
                ("user.name", "-"),
                ("observer.hostname", "mx1"),
                ("@timestamp", "2026-03-03T00:00:00.226844Z"),
            ],
        );
        check(
            "1772496000.426899545 mx1 events type=anyconnect_vpn_auth_success msg= 'RADIUS[374] Server IP=192.0.2.3 Server port=1812 Peer IP=203.0.113.9 Peer port=56735 User=vendor01: Authentication request accepted. '",
            &[("event.action", "login"), ("event.outcome", "success"), ("user.name", "vendor01")],
        );
        check(
            "1772496000.8 mx1 events anyconnect_vpn_connect user id 'vendor01@hospital.example' local ip 10.9.0.5 connected from 203.0.113.9",
            &[
                ("event.action", "session-start"),
                ("user.name", "vendor01"),
                ("vpn.assigned_ip", "10.9.0.5"),
                ("source.ip", "203.0.113.9"),
                ("vpn.type", "ssl"),
            ],
        );
        check(
            "1772496000.8 mx1 events client_vpn_disconnect user id 'vendor01' local ip 10.9.0.5 connected from 203.0.113.9",
            &[("event.action", "session-end"), ("vpn.type", "l2tp")],
        );
        check(
            "1772496000.8 mx1 events type=anyconnect_vpn_session_manager msg= 'Sess-ID[121] Peer IP=203.0.113.9 User[vendor01]: Session connected. Session Type: SSL'",
            &[
                ("event.action", "session-start"),
                ("vpn.session_id", "121"),
                ("user.name", "vendor01"),
                ("source.ip", "203.0.113.9"),
            ],
        );
    }

    #[test]
    fn flows_and_urls() {
        check(
            "1772496000.1 mx1 flows src=2001:db8::7 dst=2001:db8::9 protocol=tcp sport=39247 dport=443 pattern: 1 all",
            &[
                ("event.action", "deny"),
                ("source.ip", "2001:db8::7"),
                ("source.port", "39247"),
                ("destination.port", "443"),
            ],
        );
        check(
            "1772496000.1 mx1 urls src=2001:db8:1:2:3:4:5:6:64194 dst=192.0.2.9:80 mac=AA:BB:CC:DD:EE:01 request: GET http://h.example/?src=1",
            &[
                ("source.ip", "2001:db8:1:2:3:4:5:6"),
                ("source.port", "64194"),
                ("destination.port", "80"),
                ("source.mac", "AA:BB:CC:DD:EE:01"),
                ("event.action", "allow"),
            ],
        );
        check(
            "<134> 1772496000.1 mx1 ids-alerts signature=129:4:1 priority=3 timestamp=1377449842.5 direction=ingress protocol=tcp/ip src=203.0.113.9:80",
            &[("event.action", "detect"), ("event.code", "129:4:1"), ("source.ip", "203.0.113.9")],
        );
    }

    #[test]
    fn other_lines_are_not_claimed() {
        for line in ["events of today", "<134>Mar  3 09:00:00 h1 events type=x", "<134>Mar  3 09:00:00 h1 firewall up"]
        {
            assert_eq!(parse(line.as_bytes()).module, None, "{line}");
        }
    }

    #[test]
    fn tunnels_between_sites_and_clients_of_an_access_point() {
        check(
            "<134>1 1772496000.8 mx1 events Site-to-Site VPN: <net-1|241> IKE_SA net-1[241] established between 198.51.100.1[198.51.100.1]...203.0.113.9[192.168.1.2]",
            &[("source.ip", "203.0.113.9"), ("destination.ip", "198.51.100.1"), ("vpn.type", "ipsec")],
        );
        check(
            "<134>1 1772496000.8 ap1 events type=disassociation radio='1' client_mac='00:00:5E:00:53:01' ip_src='192.0.2.9' dhcp_server='192.0.2.1'",
            &[("source.ip", "192.0.2.9"), ("destination.ip", "-")],
        );
    }
}
