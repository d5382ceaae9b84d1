//! `OpenVPN` servers: the daemon's own log as file and by syslog, pfSense's lines about it, and Access Server.
//!
//! Format: `OpenVPN`'s sources (`multi.c`, `ssl_verify.c`, `push.c`). Quirks this file owns:
//! * File forms: `2026-03-03 02:14:08 [us=…] [user/]address:port text` and `Tue Mar  3 02:14:08 2026 us=… …`. A name may hold
//!   blanks. Neither has a host; a header reader takes the first word for one.
//! * `address:port` joins the lines of one client, so it is the session's id.
//! * `Peer Connection Initiated` is written for a refused client too. `MULTI: primary virtual IP` comes only to one that
//!   was let in, and names account, source and address: that is the session's start; what stands before are steps.
//! * `TLS Auth Error` is the refusal. What pfSense, a plugin or `AUTH_FAILED` say about the same attempt are steps.
//! * Access Server wraps the daemon's lines (`OUT: '…'`) and writes its own `AUTH SUCCESS {'user': …}`.

use monban_event::Outcome;

use super::draft::Draft;
use super::gateway::{
    ADDRESS, HOST, LOGIN_REFUSED, Meaning, SESSION, SESSION_END, SESSION_START, STEP, STEP_REFUSED, local_time, mean,
};
use super::scan::{address_and_port, behind, between};
use crate::header::Header;

/// How far into a text the client's name may reach.
const PREFIX_BYTES_MAX: usize = 256;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let is_tagged = header.app.is_some_and(|app| app.starts_with("openvpn") || app.starts_with("ovpn"));
    let text = if is_tagged { header.message } else { header.after_time };
    let text = without_microseconds(text);
    let client = Client::of(text);
    let is_client = client.address.is_some() && begins_known(client.text);
    if !is_tagged && !is_client && !begins_unmistakable(client.text) {
        return false;
    }
    draft.product("openvpn", "openvpn.server", "OpenVPN", "OpenVPN");
    draft.event.vpn_type = Some("openvpn".to_owned());
    draft.rule("openvpn");
    if is_tagged {
        draft.process(header);
        draft.event.observer_hostname = header.host.map(str::to_owned);
    }
    if access_server(text, draft) {
        return true;
    }
    client.fill(draft);
    let meaning = read(client.text, draft);
    mean(draft, meaning);
    true
}

fn without_microseconds(text: &str) -> &str {
    let rest = text.strip_prefix("us=").and_then(|rest| rest.split_once(' '));
    rest.filter(|(digits, _)| digits.bytes().all(|byte| byte.is_ascii_digit())).map_or(text, |(_, rest)| rest)
}

/// `user/address:port text`, `address:port text`, or the text alone.
struct Client<'a> {
    user: &'a str,
    address: Option<(&'a str, Option<i64>)>,
    /// As written, to join by.
    end: &'a str,
    text: &'a str,
}

impl<'a> Client<'a> {
    fn of(text: &'a str) -> Self {
        let head = text.get(..text.floor_char_boundary(PREFIX_BYTES_MAX)).unwrap_or(text);
        let starts = std::iter::once(0).chain(head.match_indices('/').map(|(at, _)| at + 1));
        for start in starts {
            let Some((end, _)) = head.get(start..).and_then(|rest| rest.split_once(' ')) else { break };
            let plain = end.rsplit(']').next().unwrap_or(end);
            if let Some(found) = address_and_port(plain).filter(|(_, port)| port.is_some()) {
                let user = text.get(..start.saturating_sub(1)).unwrap_or("");
                let rest = text.get(start + end.len() + 1..).unwrap_or("");
                return Self { user, address: Some(found), end: plain, text: rest };
            }
        }
        Self { user: "", address: None, end: "", text }
    }

    fn fill(&self, draft: &mut Draft<'_>) {
        draft.user(self.user);
        if let Some((ip, port)) = self.address {
            draft.source(ip);
            draft.event.source_port = port;
            draft.event.vpn_session_id = Some(self.end.to_owned());
        }
    }
}

/// What the daemon says behind a client's address.
fn begins_known(text: &str) -> bool {
    const STARTS: [&str; 34] = [
        "MULTI",
        "TLS",
        "VERIFY ",
        "peer info:",
        "SENT CONTROL [",
        "PUSH: ",
        "Control Channel",
        "Data Channel",
        "Outgoing ",
        "Incoming ",
        "Timers: ",
        "SIG",
        "[",
        "Connection reset",
        "Peer Connection",
        "WARNING: ",
        "CRL",
        "AUTH",
        "Protocol options",
        "Received control message",
        "Delayed exit",
        "Inactivity timeout",
        "Need IPv6",
        "Re-using ",
        "LZO ",
        "Local Options",
        "Expected Remote",
        "Bad encapsulated",
        "Authenticate/Decrypt",
        "Fatal TLS",
        "PLUGIN",
        "OPTIONS ",
        "Non-Optimal",
        "Socket flags",
    ];
    STARTS.iter().any(|start| text.starts_with(start))
}

/// Texts of the daemon that no other program writes.
fn begins_unmistakable(text: &str) -> bool {
    const STARTS: [&str; 26] = [
        "MULTI: ",
        "MULTI_sva: ",
        "SENT CONTROL [",
        "VERIFY OK: depth=",
        "VERIFY ERROR: depth=",
        "TLS Auth Error: ",
        "IFCONFIG POOL",
        "ifconfig_pool_",
        "succeeded -> ifconfig_pool_set",
        "TUN/TAP device ",
        "net_route_v",
        "net_iface_",
        "net_addr_",
        "ROUTE_GATEWAY ",
        "Diffie-Hellman initialized",
        "UDPv4 link ",
        "UDPv6 link ",
        "TCPv4_SERVER link ",
        "Could not determine IPv4/IPv6 protocol",
        "LDAP bind failed: ",
        "Unable to bind as ",
        "ldap_bind with ",
        "Initialization Sequence Completed",
        "event_wait : ",
        "OpenVPN 2.",
        "AUTH FAILED {",
    ];
    STARTS.iter().any(|start| text.starts_with(start)) || is_access_server(text)
}

fn is_access_server(text: &str) -> bool {
    let head = text.get(..text.floor_char_boundary(PREFIX_BYTES_MAX)).unwrap_or(text);
    let has_brace = memchr::memchr(b'{', head.as_bytes()).is_some();
    (has_brace && (head.contains("AUTH SUCCESS {'") || head.contains("AUTH FAILED {'")))
        || (head.starts_with('[') && head.contains("OVPN ") && head.contains("OUT: "))
}

fn read(text: &str, draft: &mut Draft<'_>) -> Meaning {
    if let Some(rest) = text.strip_prefix("MULTI: primary virtual IP") {
        primary_address(rest, draft)
    } else if let Some((name, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        draft.user(name);
        if let Some((ip, port)) = rest.rsplit(']').next().and_then(address_and_port) {
            draft.source(ip);
            draft.event.source_port = draft.event.source_port.or(port);
        }
        STEP
    } else if let Some(rest) = text.strip_prefix("MULTI_sva: pool returned ") {
        draft.assigned(behind(rest, "IPv4=", &[',']).unwrap_or(""));
        ADDRESS
    } else if text.starts_with("MULTI: Learn: ") {
        draft.assigned(between(text, "Learn: ", " -> ").unwrap_or(""));
        ADDRESS
    } else if text.starts_with("SENT CONTROL [") {
        control(text, draft)
    } else if text.contains("client-instance ") && text.starts_with("SIG") {
        draft.reason(between(text, "[", "]").unwrap_or(""));
        if draft.event.user_name.is_some() { SESSION_END } else { SESSION }
    } else {
        login(text, draft)
    }
}

/// ` for sato/203.0.113.9:1194: 10.8.0.6`, `v6 for …`.
fn primary_address(rest: &str, draft: &mut Draft<'_>) -> Meaning {
    if let Some((client, assigned)) = rest.split_once(" for ").and_then(|(_, rest)| rest.rsplit_once(": ")) {
        draft.assigned(assigned.trim());
        let (user, end) = client.rsplit_once('/').unwrap_or(("", client));
        draft.user(user);
        if let Some((ip, port)) = address_and_port(end) {
            draft.source(ip);
            draft.event.source_port = draft.event.source_port.or(port);
        }
    }
    SESSION_START
}

fn control(text: &str, draft: &mut Draft<'_>) -> Meaning {
    let name = between(text, "[", "]").filter(|name| *name != "UNDEF").unwrap_or("");
    draft.user(name);
    if text.contains("'AUTH_FAILED") {
        draft.reason("AUTH_FAILED");
        return STEP_REFUSED;
    }
    match behind(text, ",ifconfig ", &[' ', ',', '\'']) {
        Some(assigned) => {
            draft.assigned(assigned);
            ADDRESS
        }
        None => SESSION,
    }
}

fn login(text: &str, draft: &mut Draft<'_>) -> Meaning {
    let quoted_name = between(text, "username '", "'").or_else(|| between(text, "user '", "'"));
    draft.user(quoted_name.unwrap_or(""));
    // `TLS Error: cannot locate HMAC in incoming packet from [AF_INET]203.0.113.9:1194`: no session yet names the sender.
    if text.starts_with("TLS Error: ")
        && let Some((ip, number)) = behind(text, " from [AF_INET]", &[' ', ',']).and_then(address_and_port)
    {
        draft.source(ip);
        draft.event.source_port = draft.event.source_port.or(number);
    }
    if text.starts_with("TLS Auth Error") {
        draft.reason(text.split_once(": ").map_or("", |(_, reason)| reason));
        LOGIN_REFUSED
    } else if text.contains("Username/Password authentication ") {
        match () {
            () if text.contains("authentication succeeded") => STEP,
            () if text.contains("authentication failed") => LOGIN_REFUSED,
            () => (STEP.0, STEP.1, Outcome::Unknown),
        }
    } else if text.starts_with("VERIFY ") {
        certificate(text, draft)
    } else if text.starts_with("openvpn server '") || text.contains("' address '") {
        pfsense(text, draft)
    } else if text.contains("could not authenticate") || text.contains("LDAP") && text.contains("failed") {
        draft.reason(text);
        STEP_REFUSED
    } else if let Some(name) = text.strip_prefix("Unable to bind as ") {
        draft.user(name);
        STEP_REFUSED
    } else if text.starts_with("Incorrect password supplied") || text.starts_with("ldap_bind with ") {
        draft.reason("Incorrect password supplied");
        STEP_REFUSED
    } else if text.ends_with("' authenticated") {
        STEP
    } else if draft.event.source_ip.is_some() {
        SESSION
    } else {
        HOST
    }
}

/// `VERIFY OK: depth=0, C=JP, CN=sato`, `VERIFY ERROR: depth=0, error=certificate has expired: CN=sato`. Depth 0 is the client.
fn certificate(text: &str, draft: &mut Draft<'_>) -> Meaning {
    if text.contains("depth=0") {
        draft.user(behind(text, "CN=", &[',', '/']).unwrap_or("").trim());
    }
    if text.starts_with("VERIFY ERROR") {
        draft.reason(behind(text, "error=", &[':']).unwrap_or("certificate"));
        LOGIN_REFUSED
    } else {
        STEP
    }
}

/// `openvpn server 'ovpns1' user 'sato' address '203.0.113.9:1194' - connected`. The daemon reports the session too, where
/// its verbosity allows: here only the end is told again, which closes what is open.
fn pfsense(text: &str, draft: &mut Draft<'_>) -> Meaning {
    if let Some((ip, port)) = between(text, "address '", "'").and_then(address_and_port) {
        draft.source(ip);
        draft.event.source_port = port;
    }
    match text.rsplit(" - ").next().unwrap_or("").trim() {
        "connected" => SESSION_START,
        "disconnected" => SESSION_END,
        _ => SESSION,
    }
}

/// Access Server's own words, or the daemon's inside them.
fn access_server(text: &str, draft: &mut Draft<'_>) -> bool {
    let member = |name: &str| between(text, name, "'").unwrap_or("");
    if text.contains("AUTH SUCCESS {'") || text.contains("AUTH FAILED {'") {
        draft.user(member("'user': '"));
        draft.source(member("'client_ip_addr': '"));
        let refused = text.contains("AUTH FAILED {'");
        if refused {
            draft.reason(member("'reason': '"));
        }
        draft.rule("openvpn.access_server");
        mean(draft, if refused { LOGIN_REFUSED } else { STEP });
        return true;
    }
    if !is_access_server(text) {
        return false;
    }
    let Some(inner) = text.split_once("OUT: ").map(|(_, inner)| inner.trim_matches(['\'', '"'])) else { return false };
    draft.rule("openvpn.access_server");
    draft.time = local_time(inner, "");
    let (_, rest) = crate::stamp::read(inner).map_or((None, inner), |(stamp, rest)| (Some(stamp), rest));
    let client = Client::of(without_microseconds(rest.trim_start()));
    client.fill(draft);
    let meaning = match read(client.text, draft) {
        // Access Server has said so in its own words.
        LOGIN_REFUSED if client.text.starts_with("TLS Auth Error") => STEP_REFUSED,
        meaning => meaning,
    };
    mean(draft, meaning);
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn the_session_starts_with_its_address() {
        check(
            "2026-03-03 02:14:09 Sato Hanako/203.0.113.9:59321 MULTI: primary virtual IP for Sato Hanako/203.0.113.9:59321: 10.8.0.6",
            &[
                ("@timestamp", "2026-03-02T17:14:09.000000Z"),
                ("event.action", "session-start"),
                ("user.name", "sato hanako"),
                ("source.ip", "203.0.113.9"),
                ("source.port", "59321"),
                ("vpn.assigned_ip", "10.8.0.6"),
                ("vpn.session_id", "203.0.113.9:59321"),
                ("vpn.type", "openvpn"),
                ("observer.hostname", "-"),
            ],
        );
        check(
            "<29>Mar  3 02:14:09 vpn1 openvpn[77]: 203.0.113.9:59321 [vendor01] Peer Connection Initiated with [AF_INET]203.0.113.9:59321",
            &[
                ("event.action", "other"),
                ("event.outcome", "success"),
                ("user.name", "vendor01"),
                ("observer.hostname", "vpn1"),
            ],
        );
        check(
            "2026-03-03 02:15:09 vendor01/203.0.113.9:59321 SIGTERM[soft,remote-exit] received, client-instance exiting",
            &[("event.action", "session-end"), ("event.reason", "soft,remote-exit"), ("user.name", "vendor01")],
        );
    }

    #[test]
    fn refusals() {
        check(
            "Tue Mar  3 02:14:09 2026 us=285967 203.0.113.9:65244 TLS Auth Error: Auth Username/Password verification failed for peer",
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("source.ip", "203.0.113.9"),
                ("user.name", "-"),
            ],
        );
        check(
            "2026-03-03 02:14:09 203.0.113.9:62586 VERIFY ERROR: depth=0, error=certificate has expired: C=JP, CN=sato, serial=5",
            &[("event.outcome", "failure"), ("event.reason", "certificate has expired"), ("user.name", "sato")],
        );
        check(
            "2026-03-03 02:14:09 203.0.113.9:6 TLS: Username/Password authentication succeeded for username 'sato' ",
            &[("event.action", "other"), ("event.outcome", "success"), ("user.name", "sato")],
        );
        check(
            "<29>Mar  3 02:14:09 fw1 openvpn[77]: user 'sato' could not authenticate.",
            &[("event.outcome", "failure"), ("user.name", "sato"), ("event.action", "other")],
        );
    }

    #[test]
    fn access_server_and_pfsense() {
        check(
            "2026-03-03T02:14:09+0900 [stdout#info] AUTH FAILED {'status': 1, 'reason': 'local auth failed: password verification failed', 'user': 'sato', 'client_ip_addr': '203.0.113.9'} cli='win'",
            &[("event.outcome", "failure"), ("user.name", "sato"), ("source.ip", "203.0.113.9")],
        );
        check(
            "2026-03-03T02:14:09+0900 [stdout#info] [OVPN 0] OUT: 'Tue Mar  3 02:14:09 2026 sato/203.0.113.9:51 MULTI: primary virtual IP for sato/203.0.113.9:51: 172.27.224.2'",
            &[("event.action", "session-start"), ("vpn.assigned_ip", "172.27.224.2"), ("user.name", "sato")],
        );
        check(
            "<37>Mar  3 02:14:09 fw1 openvpn[8]: openvpn server 'ovpns1' user 'sato' address '203.0.113.9:1194' - disconnected",
            &[("event.action", "session-end"), ("user.name", "sato"), ("source.ip", "203.0.113.9")],
        );
    }

    #[test]
    fn daemon_lines_have_no_host() {
        check(
            "2026-03-03 02:14:09 Diffie-Hellman initialized with 2048 bit key",
            &[("observer.hostname", "-"), ("observer.product", "OpenVPN")],
        );
        for line in ["<13>Mar  3 02:14:09 web1 app: 203.0.113.9:80 GET /x", "GET /203.0.113.9:80 x", "TLS handshake"] {
            check(line, &[("observer.product", "-")]);
        }
    }
}
