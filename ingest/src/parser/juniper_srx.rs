//! Juniper Junos (SRX, EX, MX): `mgd[7]: UI_LOGIN_EVENT: text` and structured data `[junos@2636.1.1.1.2.142 key="value"]`.
//!
//! Format: Juniper, *System Log Explorer*. Quirks this file owns:
//! * The code stands before the text, or as MSGID before the structured data; relays leave
//!   `junos-flow: TIME HOST RT_FLOW - CODE [junos@…` in the body.
//! * In text form the ends of a session are `a/p->b/p`, `a(p)->b(p)` or `a/p->b/p` in angle brackets; positions behind
//!   them differ by version, so only what carries its own marks is read.
//! * `17(3676)` is packets and bytes; the first such word of a close is the client's, the second the server's.
//! * `UI_AUTH_EVENT` precedes `UI_LOGIN_EVENT`, whose `ssh-connection` holds both ends: `a p b p`.
//! * Lines of its sshd without a code are those of any sshd and are read as such.

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime};
use super::scan::{behind, between, count, destination_end, known, port, seconds_ns, source_end};
use crate::header::{self, Header};
use crate::stamp;

/// How far into a body the structured data is looked for.
const BEFORE_BYTES_MAX: usize = 256;

/// What codes begin with; nobody else writes these.
pub(super) const PREFIXES: [&str; 37] = [
    "DOT1XD_",
    "RT_",
    "UI_",
    "SSHD_LOGIN",
    "LOGIN_FAILED",
    "LOGIN_INFORMATION",
    "LOGIN_PAM_",
    "LOGIN_ROOT",
    "KMD_",
    "DYNAMIC_VPN_",
    "JSRPD_",
    "SNMPD_",
    "SNMP_TRAP_",
    "RPD_",
    "CHASSISD_",
    "LICENSE_",
    "FWAUTH_",
    "AUTHD_",
    "PKID_",
    "IDP_",
    "WEBFILTER_",
    "AV_VIRUS",
    "AV_FILE",
    "ANTISPAM_",
    "ANTI_VIRUS_",
    "CONTENT_FILTERING_",
    "APPTRACK_",
    "AAMW_",
    "SECINTEL_",
    "RTLOG_",
    "ESWD_",
    "L2ALD_",
    "PFE_FW_",
    "LACPD_",
    "FLOW_",
    "DCD_",
    "MIB2D_",
];

struct Message<'a> {
    code: &'a str,
    text: &'a str,
    structured: &'a str,
    time: Option<PayloadTime>,
    host: Option<&'a str>,
}

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(message) = structured(header).or_else(|| embedded(header.body)).or_else(|| coded(header)) else {
        return false;
    };
    draft.product("juniper", "juniper.junos", "Juniper", "Junos");
    draft.rule(if message.structured.is_empty() { "juniper_srx.text" } else { "juniper_srx.structured" });
    draft.event.code = known(message.code);
    draft.event.observer_hostname = message.host.or(header.host).map(str::to_owned);
    draft.time.clone_from(&message.time);
    draft.process(header);
    for (name, value) in header::structured_parameters(message.structured) {
        parameter(name, value, draft);
        draft.native(name, value);
    }
    if message.structured.is_empty() {
        text_form(&message, draft);
    }
    let (category, action, outcome) = meaning(&message, draft);
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
    true
}

/// RFC 5424, read by the header's reader.
fn structured<'a>(header: &Header<'a>) -> Option<Message<'a>> {
    let structured = header.structured.filter(|data| data.starts_with("[junos@"))?;
    let code = header.message_id.unwrap_or("");
    Some(Message { code, text: header.message, structured, time: None, host: None })
}

/// `… CODE [junos@…` in the body, the device's own time and host before it.
fn embedded(body: &str) -> Option<Message<'_>> {
    let head = body.get(..body.floor_char_boundary(BEFORE_BYTES_MAX)).unwrap_or(body);
    let at = head.find("[junos@")?;
    let (before, structured) = (body.get(..at)?, body.get(at..)?);
    let code = before.split_ascii_whitespace().next_back().unwrap_or("");
    let words: Vec<&str> = before.split_ascii_whitespace().collect();
    let stamps = words.iter().filter_map(|word| stamp::read(word)).filter(|(_, rest)| rest.is_empty());
    let time = stamps.map(|(stamp, _)| PayloadTime::Stamp(stamp)).next();
    // `HOST RT_FLOW - CODE`
    let host =
        words.len().checked_sub(4).and_then(|at| words.get(at)).filter(|_| words.iter().rev().nth(1) == Some(&"-"));
    Some(Message { code, text: "", structured, time, host: host.copied() })
}

/// `CODE: text` behind the tag, or as the tag itself.
fn coded<'a>(header: &Header<'a>) -> Option<Message<'a>> {
    let from = |text: &'a str| {
        let (code, text) = text.trim_start().split_once(": ")?;
        is_code(code).then_some(Message { code, text, structured: "", time: None, host: None })
    };
    from(header.message).or_else(|| from(header.body)).or_else(|| uncoded(header))
}

fn is_code(code: &str) -> bool {
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (6..=64).contains(&code.len()) && code.bytes().all(upper) && PREFIXES.iter().any(|prefix| code.starts_with(prefix))
}

/// `rshd[7]: root@192.0.2.1 as root: cmd='…'`, `rpd[7]: EVENT <UpDown> ge-0/0/1.0 …`: lines without a code.
fn uncoded<'a>(header: &Header<'a>) -> Option<Message<'a>> {
    let text = header.message;
    let is_shell = header.app == Some("rshd") && text.contains(" as ") && text.contains(": cmd='");
    let is_routing = header.app == Some("rpd") && text.starts_with("EVENT <");
    let is_exchange = header.app == Some("kmd") && is_exchange(text);
    if let Some(text) = filter_line(header) {
        return Some(Message { code: "PFE_FW_SYSLOG_IP", text, structured: "", time: None, host: None });
    }
    (is_shell || is_routing || is_exchange).then_some(Message {
        code: "",
        text,
        structured: "",
        time: None,
        host: None,
    })
}

/// `FW: ge-0/0/0.0 D tcp a b 1024 80 (1 packets)`, from the routing engine's kernel without a code, or behind the name of
/// the card with one.
fn filter_line<'a>(header: &Header<'a>) -> Option<&'a str> {
    let text = header.message;
    let coded = || text.split_once(" PFE_FW_SYSLOG_IP: ").filter(|(card, _)| !card.contains(' ')).map(|(_, text)| text);
    let filter = Some(text).filter(|text| text.starts_with("FW: ")).or_else(coded)?;
    let mut words = filter.split_ascii_whitespace().skip(2);
    let is_verb = matches!(words.next(), Some("A" | "D" | "R"));
    is_verb.then(|| words.nth(1).and_then(super::draft::address)).flatten().map(|_| filter)
}

fn is_exchange(text: &str) -> bool {
    text.starts_with("IKE negotiation ") || text.starts_with("IPSec negotiation ")
}

/// `IKE negotiation failed with error: text. … Local: a/p, Remote: b/p, …`
fn exchange(text: &str, draft: &mut Draft<'_>) {
    let end = |mark: &str| behind(text, mark, &[',', ' '])?.split_once('/');
    if let Some((ip, number)) = end(" Remote: ") {
        draft.source(ip);
        draft.event.source_port = port(number);
    }
    if let Some((ip, number)) = end(" Local: ") {
        draft.destination(ip);
        draft.event.destination_port = port(number);
    }
    draft.reason(between(text, "with error: ", ". ").unwrap_or(""));
}

fn parameter(name: &str, value: &str, draft: &mut Draft<'_>) {
    let event = &mut draft.event;
    match name {
        "source-address" | "client-ip" | "client-address" | "remote-address" | "peer-address" => draft.source(value),
        "destination-address" | "local-address" => draft.destination(value),
        "source-port" => event.source_port = port(value),
        "destination-port" => event.destination_port = port(value),
        "username" | "user-name" | "user" => draft.user(value),
        "assigned-ip" | "internal-ip" => draft.assigned(value),
        "bytes-from-client" | "inbound-bytes" => event.source_bytes = count(value),
        "bytes-from-server" | "outbound-bytes" => event.destination_bytes = count(value),
        "elapsed-time" => event.duration_ns = value.parse().ok().and_then(seconds_ns),
        "reason" | "error-message" => draft.reason(value),
        "ssh-connection" => connection(value, draft),
        "http-host" | "url" if event.destination_domain.is_none() => {
            event.destination_domain = known(value.split(['/', ':']).next().unwrap_or(""));
        }
        _ => {}
    }
}

/// `192.0.2.1 40382 192.0.2.2 22`
fn connection(text: &str, draft: &mut Draft<'_>) {
    let mut words = text.split(' ');
    draft.source(words.next().unwrap_or(""));
    draft.event.source_port = words.next().and_then(port);
    draft.destination(words.next().unwrap_or(""));
    draft.event.destination_port = words.next().and_then(port);
}

fn text_form(message: &Message<'_>, draft: &mut Draft<'_>) {
    let text = message.text;
    let users = [
        between(text, "User '", "'"),
        between(text, "user '", "'"),
        between(text, "user: ", ","),
        between(text, "User ", " logged in "),
        between(text, "for user ", " from "),
        between(text, "AAA username: ", ",").filter(|name| *name != "Not-Applicable"),
        text.split_once('@').filter(|_| message.code.is_empty()).map(|(user, _)| user),
    ];
    users.into_iter().flatten().for_each(|user| draft.user(user));
    for (name, mark) in [("command", "command '"), ("class", "class '"), ("client_mode", "client-mode '")] {
        if let Some(value) = between(text, mark, "'") {
            draft.native(name, value);
        }
    }
    connection(between(text, "ssh-connection '", "'").unwrap_or(""), draft);
    flow_ends(text, draft);
    if is_exchange(text) {
        exchange(text, draft);
    }
    filter_ends(message.code, text, draft);
    for mark in
        ["from host '", "from host ", "Remote gateway: ", "source: ", "sender ip/mac ", "client-ip ", "VPN ", "@"]
    {
        // `VPN site-a from 192.0.2.1 is up`
        let rest = if mark == "VPN " { behind(text, " from ", &[' ']) } else { behind(text, mark, &[' ', ',', '\'']) };
        source_end(rest.unwrap_or("").split('/').next().unwrap_or(""), draft);
    }
    destination_end(behind(text, "destination: ", &[' ', ',']).unwrap_or(""), draft);
    if message.code.ends_with("SESSION_CLOSE") {
        closed(text, draft);
    }
}

/// `a/p->b/p`, `a(p)->b(p)`, `<a/p->b/p>`: the first such word.
fn flow_ends(text: &str, draft: &mut Draft<'_>) {
    let Some((from, to)) = text.split(' ').find_map(|word| word.split_once("->")) else { return };
    let end = |text: &str| {
        let text = text.trim_matches(['<', '>', ')', ',']);
        let (ip, port_text) = text.split_once(['/', '('])?;
        Some((ip.to_owned(), port(port_text)))
    };
    if let Some((ip, from_port)) = end(from) {
        draft.source(&ip);
        draft.event.source_port = from_port;
    }
    if let Some((ip, to_port)) = end(to) {
        draft.destination(&ip);
        draft.event.destination_port = to_port;
    }
}

/// `FW: ge-0/0/0.0 D tcp a b 1024 80 (1 packets)`
fn filter_ends(code: &str, text: &str, draft: &mut Draft<'_>) {
    if !code.starts_with("PFE_FW_SYSLOG") {
        return;
    }
    let mut words = text.split_ascii_whitespace().skip_while(|word| super::draft::address(word).is_none());
    draft.source(words.next().unwrap_or(""));
    draft.destination(words.next().unwrap_or(""));
    draft.event.source_port = words.next().and_then(port);
    draft.event.destination_port = words.next().and_then(port);
}

/// `session closed TCP FIN: … 17(3676) 13(7867) 2 …`
fn closed(text: &str, draft: &mut Draft<'_>) {
    draft.reason(between(text, "session closed ", ": ").unwrap_or(""));
    let mut words = text.split(' ');
    let amount = |word: &str| {
        let (packets, bytes) = word.strip_suffix(')')?.split_once('(')?;
        count(packets)?;
        count(bytes)
    };
    draft.event.source_bytes = words.by_ref().find_map(amount);
    draft.event.destination_bytes = words.by_ref().find_map(amount);
    draft.event.duration_ns = words.next().and_then(|word| word.parse().ok()).and_then(seconds_ns);
}

type Meaning = (Category, Action, Outcome);

fn meaning(message: &Message<'_>, draft: &mut Draft<'_>) -> Meaning {
    let code = message.code;
    if is_exchange(message.text) && code.is_empty() {
        draft.event.vpn_type = Some("ipsec".to_owned());
        let failed = message.text.contains(" failed ");
        let outcome = if failed { Outcome::Failure } else { Outcome::Success };
        return (Category::Session, Action::Other, outcome);
    }
    if code.starts_with("DYNAMIC_VPN_") || code.starts_with("KMD_") {
        return tunnel(message, draft);
    }
    if code.starts_with("UI_") || code.starts_with("LOGIN_") || code.starts_with("SSHD_") || code.is_empty() {
        return administrator(code);
    }
    traffic(message, draft)
}

fn tunnel(message: &Message<'_>, draft: &mut Draft<'_>) -> Meaning {
    use Category::{Authentication, Session};
    draft.event.vpn_type = Some("ipsec".to_owned());
    // A tunnel between sites is no person's session.
    let has_user = draft.event.user_name.is_some();
    match message.code {
        "DYNAMIC_VPN_AUTH_FAIL" => (Authentication, Action::Login, Outcome::Failure),
        "DYNAMIC_VPN_AUTH_OK" => (Authentication, Action::Other, Outcome::Success),
        "DYNAMIC_VPN_CONN_OK" | "DYNAMIC_VPN_CONN_EST_OK" => (Session, Action::SessionStart, Outcome::Success),
        "DYNAMIC_VPN_DISCONN" | "DYNAMIC_VPN_CONN_CLOSE" | "DYNAMIC_VPN_CONN_DEL_NOTIFY" => {
            (Session, Action::SessionEnd, Outcome::Success)
        }
        "KMD_VPN_UP_ALARM_USER" if has_user => (Session, Action::SessionStart, Outcome::Success),
        "KMD_VPN_DOWN_ALARM_USER" if has_user => (Session, Action::SessionEnd, Outcome::Success),
        _ => (Session, Action::Other, Outcome::Unknown),
    }
}

fn administrator(code: &str) -> Meaning {
    use Category::{Authentication, Configuration};
    match code {
        "UI_LOGIN_EVENT" | "LOGIN_INFORMATION" => (Authentication, Action::Login, Outcome::Success),
        "SSHD_LOGIN_FAILED" | "LOGIN_FAILED" | "SSHD_LOGIN_ATTEMPTS_THRESHOLD" => {
            let is_attempt = code != "SSHD_LOGIN_ATTEMPTS_THRESHOLD";
            (Authentication, if is_attempt { Action::Login } else { Action::Detect }, Outcome::Failure)
        }
        "UI_LOGOUT_EVENT" => (Authentication, Action::Logout, Outcome::Success),
        "UI_AUTH_EVENT" => (Authentication, Action::Other, Outcome::Success),
        "UI_COMMIT" | "UI_COMMIT_COMPLETED" | "UI_LOAD_EVENT" => {
            (Configuration, Action::ConfigChange, Outcome::Success)
        }
        _ if code.starts_with("UI_CFG_AUDIT") => (Configuration, Action::ConfigChange, Outcome::Success),
        "UI_COMMIT_EMPTY_CONTAINER"
        | "UI_DBASE_LOGIN_EVENT"
        | "UI_DBASE_LOGOUT_EVENT"
        | "UI_CMDLINE_READ_LINE"
        | "UI_JUNOSCRIPT_CMD"
        | "UI_NETCONF_CMD" => (Configuration, Action::Other, Outcome::Success),
        _ => (Category::Host, Action::Other, Outcome::Unknown),
    }
}

fn traffic(message: &Message<'_>, draft: &Draft<'_>) -> Meaning {
    use Category::{Host, Malware, Network};
    let code = message.code;
    let acted = draft.event.native.get("action").or_else(|| behind(message.text, "action: ", &[' ', ',']));
    let word = acted.or_else(|| behind(message.text, "action=", &[',', ' '])).unwrap_or("").to_ascii_lowercase();
    let stops = ["drop", "block", "close", "deny", "discard"].iter().any(|verb| word.starts_with(verb));
    let outcome = if stops { Outcome::Failure } else { Outcome::Success };
    let is = |prefixes: &[&str]| prefixes.iter().any(|prefix| code.starts_with(prefix));
    if code.ends_with("_DENY") || code.ends_with("_BLOCKED") || code.ends_with("RPF_FAIL") {
        (Network, Action::Deny, Outcome::Failure)
    } else if is(&["RT_SCREEN_", "IDP_"]) {
        (Network, Action::Detect, outcome)
    } else if is(&["AV_", "AAMW_", "ANTI_VIRUS_", "SECINTEL_"]) {
        (Malware, Action::Detect, outcome)
    } else if is(&["RT_FLOW_SESSION_", "APPTRACK_SESSION_"]) || code.ends_with("_PERMITTED") {
        (Network, Action::Allow, Outcome::Success)
    } else if is(&["PFE_FW_SYSLOG"]) {
        let verb = message.text.split_ascii_whitespace().nth(2).unwrap_or("");
        let denies = matches!(verb, "D" | "R");
        let outcome = if denies { Outcome::Failure } else { Outcome::Success };
        (Network, if denies { Action::Deny } else { Action::Allow }, outcome)
    } else if is(&["FWAUTH_", "DOT1XD_"]) {
        if code.starts_with("DOT1XD_") && !code.contains("AUTH") {
            return (Host, Action::Other, Outcome::Unknown);
        }
        let failed = ["FAIL", "REJECT", "DEAUTH", "NOT_"].iter().any(|word| code.contains(word));
        (Category::Authentication, Action::Other, if failed { Outcome::Failure } else { Outcome::Success })
    } else {
        (Host, Action::Other, Outcome::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn administrators() {
        check(
            "<37>Mar  3 09:00:00 srx1 mgd[54999]: UI_LOGIN_EVENT: User 'sato' login, class 'j-super' [54999], ssh-connection '192.0.2.7 40382 192.0.2.1 22', client-mode 'cli'",
            &[
                ("event.dataset", "juniper.junos"),
                ("event.code", "UI_LOGIN_EVENT"),
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("source.port", "40382"),
                ("destination.ip", "192.0.2.1"),
                ("observer.hostname", "srx1"),
                ("process.name", "mgd"),
            ],
        );
        check(
            "<37>1 2026-03-03T09:00:00.824+09:00 srx1 sshd 3046 SSHD_LOGIN_FAILED [junos@2636.1.1.1.2.18 username=\"root\" source-address=\"203.0.113.9\"] Login failed for user 'root' from host '203.0.113.9'",
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "root"),
                ("source.ip", "203.0.113.9"),
            ],
        );
        check(
            "<37>Mar  3 09:00:00 srx1 sshd[5]: SSHD_LOGIN_FAILED: Login failed for user 'root' from host '203.0.113.9'",
            &[("event.outcome", "failure"), ("user.name", "root"), ("source.ip", "203.0.113.9")],
        );
        check(
            "<37>1 2026-03-03T09:00:00.824+09:00 srx1 mgd 3046 UI_COMMIT [junos@2636.1.1.1.2.18 username=\"sato\" command=\"commit\" message=\"none\"] User 'sato' requested 'commit' operation (comment: none)",
            &[("event.action", "config-change"), ("user.name", "sato"), ("native.command", "commit")],
        );
        check("mgd[7]: UI_LOGOUT_EVENT: User 'sato' logout", &[("event.action", "logout"), ("user.name", "sato")]);
    }

    #[test]
    fn sessions() {
        check(
            "<14>1 2026-03-03T09:00:00.879+09:00 srx1 RT_FLOW - RT_FLOW_SESSION_CLOSE [junos@2636.1.1.1.2.142 reason=\"TCP FIN\" source-address=\"192.0.2.7\" source-port=\"56732\" destination-address=\"203.0.113.9\" destination-port=\"443\" bytes-from-client=\"3676\" bytes-from-server=\"7867\" elapsed-time=\"2\" username=\"N/A\"]",
            &[
                ("event.action", "allow"),
                ("source.port", "56732"),
                ("source.bytes", "3676"),
                ("destination.bytes", "7867"),
                ("event.duration", "2000000000"),
                ("event.reason", "TCP FIN"),
                ("user.name", "-"),
            ],
        );
        check(
            "<14>Mar  3 09:00:00 srx1 RT_FLOW: RT_FLOW_SESSION_CLOSE: session closed TCP RST: 192.0.2.7/5673->203.0.113.9/443 0x0 junos-https 198.51.100.1/7->203.0.113.9/443 0x0 r N/A 6 p1 trust untrust 5 17(3676) 13(7867) 2 UNKNOWN UNKNOWN N/A(N/A) reth0.1",
            &[
                ("source.ip", "192.0.2.7"),
                ("destination.port", "443"),
                ("source.bytes", "3676"),
                ("destination.bytes", "7867"),
                ("event.duration", "2000000000"),
                ("event.reason", "TCP RST"),
            ],
        );
        check(
            "Mar  3 09:00:01 192.0.2.3 junos-flow: 2026-03-03T00:00:00.803Z srx2 RT_FLOW - RT_FLOW_SESSION_DENY [junos@2636.1.1.1.2.39 source-address=\"203.0.113.9\" destination-address=\"192.0.2.7\"]",
            &[
                ("event.code", "RT_FLOW_SESSION_DENY"),
                ("event.action", "deny"),
                ("observer.hostname", "srx2"),
                ("@timestamp", "2026-03-03T00:00:00.803000Z"),
            ],
        );
        check(
            "<23>Mar  3 09:00:00 srx1 RT_UTM: WEBFILTER_URL_PERMITTED: WebFilter: ACTION=\"URL Permitted\" 192.0.2.7(62054)->203.0.113.9(443) CATEGORY=\"x\"",
            &[("event.action", "allow"), ("source.ip", "192.0.2.7"), ("destination.port", "443")],
        );
    }

    #[test]
    fn console() {
        check(
            "<38>Mar  3 09:00:00 srx1 login[7]: LOGIN_INFORMATION: User sato logged in from host 192.0.2.7 on device ttyp0",
            &[("event.action", "login"), ("user.name", "sato"), ("source.ip", "192.0.2.7")],
        );
        check(
            "<38>Mar  3 09:00:00 srx1 login[7]: LOGIN_FAILED: Login failed for user sato from host 192.0.2.7",
            &[("event.outcome", "failure"), ("user.name", "sato")],
        );
    }

    #[test]
    fn tunnels() {
        check(
            "<30>Mar  3 09:00:00 srx1 kmd[7]: KMD_VPN_UP_ALARM_USER: VPN branch from 203.0.113.9 is up. Local-ip: 192.0.2.1, gateway name: g, AAA username: Not-Applicable, VR id: 0",
            &[("event.action", "other"), ("vpn.type", "ipsec"), ("source.ip", "203.0.113.9"), ("user.name", "-")],
        );
    }

    #[test]
    fn other_lines_are_not_claimed() {
        for line in [
            "<13>Mar  3 09:00:00 h1 app: SOME_OTHER_CODE: text",
            "<13>Mar  3 09:00:00 h1 sshd[7]: Accepted password for sato from 192.0.2.7 port 5 ssh2",
            "ERROR: UI: x",
        ] {
            assert_ne!(parse(line.as_bytes()).module.as_deref(), Some("juniper"), "{line}");
        }
    }

    #[test]
    fn exchanges_and_filters_without_a_code() {
        check(
            "<27>1 2026-03-03T09:00:00.984+09:00 srx1 kmd 9159 - - IKE negotiation failed with error: Timed out. IKE Version: 1, VPN: V1 Gateway: G1, Local: 198.51.100.1/500, Remote: 203.0.113.9/4500, Local IKE-ID: Not-Available, Remote IKE-ID: Not-Available, VR-ID: 5: Role: Initiator",
            &[
                ("source.ip", "203.0.113.9"),
                ("source.port", "4500"),
                ("destination.ip", "198.51.100.1"),
                ("event.outcome", "failure"),
                ("event.reason", "Timed out"),
                ("vpn.type", "ipsec"),
            ],
        );
        for line in [
            "<158>1 2026-03-03T09:00:00.102+09:00 srx1 kernel - - - FW: ge-0/0/0.14 D udp 203.0.113.9 192.0.2.7 49153 53 ",
            "<158>1 2026-03-03T09:00:00.102+09:00 srx1 - - - - node1.fpc0 PFE_FW_SYSLOG_IP: FW: reth5.175 D udp 203.0.113.9 192.0.2.7 49153 53 (1 packets)",
        ] {
            check(
                line,
                &[
                    ("event.code", "PFE_FW_SYSLOG_IP"),
                    ("source.ip", "203.0.113.9"),
                    ("destination.port", "53"),
                    ("event.action", "deny"),
                ],
            );
        }
        check("<6>Mar  3 09:00:00 pc1 kernel: FW: something else entirely", &[("event.module", "-")]);
        check(
            "<30>1 2026-03-03T09:00:00.731+09:00 sw1 dot1xd 15960 DOT1XD_USR_AUTHENTICATED [junos@2636.1.1.1.2.18 username=\"sato\" interface-name=\"ge-0/0/1.0\"]",
            &[("user.name", "sato"), ("event.outcome", "success"), ("event.category", "authentication")],
        );
    }
}
