//! F5 BIG-IP: the system's daemons, APM (the remote access), the audit of administrators, and lines of iRules and ASM.
//!
//! Format: F5, *BIG-IP log messages* (`err_defs`). Quirks this file owns:
//! * `host level daemon[pid]: 01490500:5: text`: a level stands between host and tag. The eight digits are the message.
//! * APM: `01490500:5: /Common/policy:Common:e03c2ca8: text`; the last eight digits before the text are the session, and
//!   join lines of which none holds account, address and result together.
//! * APM names the account before it is checked (01490010); the answer of the authentication server is the login, and the
//!   policy's result the session it opens.
//! * `AUDIT - …` is an administrator's command; `user=root(root) … host=… attempts=1 start=…` a login, with `end=` its end.
//! * iRules and ASM send `host,f5_irule=…` and `ASM:f5_asm=…` as comma-separated pairs; the host ends at the comma.

use monban_event::{Action, Category, Outcome};

use super::cef;
use super::draft::Draft;
use super::gateway::{
    ACCOUNT, ADDRESS, ALLOW, CONFIG, DENY, HOST, LOGIN, LOGIN_REFUSED, LOGOUT, Meaning, NETWORK, SESSION, SESSION_END,
    SESSION_START, STEP, STEP_REFUSED, failed, head, mean, says,
};
use super::json;
use super::kv;
use super::scan::{address_and_port, behind, between, count, known, port};
use crate::header::{self, Header};

/// How far into a body the code of a message is looked for: a level, a tag and a pid stand before it.
const CODE_BYTES_MAX: usize = 128;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let found = structured(header, draft)
        || telemetry(header, draft)
        || pairs(header, draft)
        || coded(header, draft)
        || daemon(header, draft);
    if found {
        draft.product("f5", "f5.bigip", "F5", "BIG-IP");
        if draft.event.observer_hostname.is_none() {
            draft.event.observer_hostname = header.host.map(str::to_owned);
        }
        if draft.event.process_name.is_none() {
            draft.process(header);
        }
    }
    found
}

/// `01490500:5:` in the text, and what follows it.
fn code_of(body: &str) -> Option<(&str, &str)> {
    let head = body.get(..body.floor_char_boundary(CODE_BYTES_MAX))?;
    let is_code = |at: &usize| {
        let (code, tail) = (body.get(at - 8..*at).unwrap_or(""), body.get(*at..).unwrap_or(""));
        let hex = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
        let begins = *at == 8 || body.as_bytes().get(at - 9).is_some_and(|byte| matches!(byte, b' ' | b'[' | b'"'));
        begins
            && code.starts_with('0')
            && code.bytes().all(hex)
            && matches!(tail.as_bytes(), [b':', b'0'..=b'7', b':', ..])
    };
    let at = head.match_indices(':').map(|(at, _)| at).filter(|at| *at >= 8).find(is_code)?;
    Some((body.get(at - 8..at)?, body.get(at + 3..)?.trim_start()))
}

fn coded(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let (code, message) = match code_of(header.body) {
        Some((code, message)) => (code, message),
        // Relays leave the code out; the policy and the session remain.
        None if session_of(header.after_time).is_some() => ("", header.after_time),
        None => return false,
    };
    draft.event.code = known(code);
    draft.rule("f5");
    if let Some((session, message)) = session_of(message) {
        draft.event.vpn_session_id = Some(session.to_owned());
        draft.event.vpn_type = Some("ssl".to_owned());
        let meaning = access(code, message, draft);
        mean(draft, meaning);
    } else if let Some(audit) = behind(message, "AUDIT - ", &[]) {
        let meaning = audited(audit, draft);
        mean(draft, meaning);
    } else {
        let meaning = traffic(message, draft);
        mean(draft, meaning);
    }
    true
}

/// `/Common/policy:Common:e03c2ca8: text`: session and text.
fn session_of(message: &str) -> Option<(&str, &str)> {
    let (place, rest) = message.strip_prefix('/')?.split_once(": ")?;
    let mut parts = place.rsplit(':');
    let (session, partition) = (parts.next()?, parts.next()?);
    parts.next().filter(|policy| policy.contains('/') && !policy.contains(' '))?;
    let is_session = (6..=8).contains(&session.len()) && session.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_session && !partition.is_empty()).then_some((session, rest))
}

/// What APM says about one session.
fn access(code: &str, message: &str, draft: &mut Draft<'_>) -> Meaning {
    draft.source(behind(message, "client IP ", &[' ', ',']).unwrap_or(""));
    draft.destination(behind(message, " at VIP ", &[' ', ',']).unwrap_or(""));
    draft.assigned(
        behind(message, "PPP Dynamic IPv4: ", &[' '])
            .or_else(|| behind(message, "PPP Static IPv4: ", &[' ']))
            .unwrap_or(""),
    );
    let quoted = ["Username '", "authenticate with '", "authentication with '", "user '", "for user "];
    let name = quoted.iter().find_map(|mark| behind(message, mark, &['\'']));
    draft.user(name.unwrap_or(""));
    if let Some((flow_source, flow_destination)) = between(message, "packet: ", "\n")
        .or_else(|| behind(message, "packet: ", &[]))
        .and_then(|flow| flow.split_once(" -> "))
    {
        ends(flow_source.rsplit(' ').next().unwrap_or(""), flow_destination, draft);
        return if message.starts_with("allow ") { ALLOW } else { DENY };
    }
    if let Some((bytes_in, bytes_out)) =
        behind(message, "bytes in: ", &[]).and_then(|rest| rest.split_once(", bytes out: "))
    {
        (draft.event.source_bytes, draft.event.destination_bytes) =
            (count(bytes_in), count(bytes_out.split([' ', ',']).next().unwrap_or("")));
    }
    access_meaning(code, message, draft)
}

fn access_meaning(code: &str, message: &str, draft: &mut Draft<'_>) -> Meaning {
    let refused = says(message, &["failed", "failure", "denied", "invalid", "deny"]);
    if message.contains("gent: Auth (logon attempt") {
        if refused {
            draft.reason(message);
            LOGIN_REFUSED
        } else {
            LOGIN
        }
    } else if message.contains("odule: auth") && refused {
        // The agent that asked the module says so too.
        draft.reason(message.rsplit(": ").next().unwrap_or(""));
        STEP_REFUSED
    } else {
        match code {
            "01490549" => ADDRESS,
            "01490501" | "01490502" | "01490567" | "01490555" => SESSION_END,
            "01490102" | "01490010" | "01490005" if refused => STEP_REFUSED,
            // Where the login is nobody's answer (SAML, a certificate), the policy's result is all that tells of it.
            "01490102" => SESSION_START,
            "01490010" | "01490005" => STEP,
            _ if message.starts_with("Username '") || message.contains("odule: auth") => STEP,
            _ if draft.event.vpn_assigned_ip.is_some() => ADDRESS,
            _ => SESSION,
        }
    }
}

/// `user admin - transaction #1-2 - object 0 - modify { … }`, `pid=1 user=root … status=[Command OK] cmd_data=…`,
/// `user admin - RAW: httpd(mod_auth_pam): user=admin(admin) … host=192.0.2.9 attempts=1 start="…"`.
fn audited(audit: &str, draft: &mut Draft<'_>) -> Meaning {
    if let Some((_, raw)) = audit.split_once("RAW: ") {
        return logged_in(raw, draft);
    }
    if let Some(command) = behind(audit, "cmd_data=", &[]) {
        draft.user(behind(audit, "user=", &[' ']).unwrap_or(""));
        draft.native("command", command);
        let meaning = command_meaning(command, draft);
        return if audit.contains("status=[Command OK]") { meaning } else { failed(meaning) };
    }
    draft.user(behind(audit, "user ", &[' ', ',']).unwrap_or(""));
    draft.source(behind(audit, "client ", &[' ', ',']).unwrap_or(""));
    let action = audit.rsplit(" - ").next().unwrap_or(audit);
    let changes = ["modify", "create", "delete", "obj_delete", "create_if", "reload"]
        .iter()
        .any(|verb| audit.contains(&format!(" - {verb} ")));
    draft.native("action", action.split(' ').next().unwrap_or(action));
    match between(audit, "userdb_entry_name \"", "\"") {
        Some(target) if changes => {
            draft.target_user(target);
            ACCOUNT
        }
        _ if changes => CONFIG,
        _ => HOST,
    }
}

/// `modify auth user sato password …`, `create ltm pool …`, `show sys …`.
fn command_meaning(command: &str, draft: &mut Draft<'_>) -> Meaning {
    const CHANGES: [&str; 8] = ["modify ", "create ", "delete ", "save ", "load ", "install ", "edit ", "run "];
    let Some(rest) = CHANGES.iter().find_map(|verb| command.strip_prefix(verb)) else {
        return (Category::Configuration, Action::Other, Outcome::Success);
    };
    match behind(rest, "auth user ", &[' ']) {
        Some(target) => {
            draft.target_user(target);
            ACCOUNT
        }
        None => CONFIG,
    }
}

/// `user=root(root) partition=[All] level=Administrator tty=ssh host=192.0.2.9 attempts=1 start="…" end="…"`.
fn logged_in(text: &str, draft: &mut Draft<'_>) -> Meaning {
    draft.user(behind(text, "user=", &['(', ' ']).unwrap_or(""));
    draft.source(behind(text, "host=", &[' ']).unwrap_or(""));
    draft.native("tty", behind(text, "tty=", &[' ']).unwrap_or(""));
    draft.native("level", behind(text, "level=", &[' ']).unwrap_or(""));
    if text.contains("failed to login") {
        LOGIN_REFUSED
    } else if text.contains(" end=\"") {
        LOGOUT
    } else {
        LOGIN
    }
}

/// `TCP 192.0.2.9:50365 -> 198.51.100.1:443` wherever it stands; `source ip: …`.
fn traffic(message: &str, draft: &mut Draft<'_>) -> Meaning {
    if let Some((before, after)) = message.split_once(" -> ") {
        ends(before.rsplit([' ', '(']).next().unwrap_or(""), after, draft);
    }
    draft.source(behind(message, "source ip: ", &[',', ' ']).unwrap_or(""));
    draft.destination(behind(message, "destination ip: ", &[',', ' ']).unwrap_or(""));
    let event = &mut draft.event;
    event.source_port = event.source_port.or_else(|| behind(message, "source port: ", &[',', ' ']).and_then(port));
    event.destination_port =
        event.destination_port.or_else(|| behind(message, "destination port: ", &[',', ' ']).and_then(port));
    if message.contains("[SECEV]") {
        (Category::Network, Action::Detect, Outcome::Unknown)
    } else if event.source_ip.is_some() {
        if says(message, &["failed", "error", "denied"]) { failed(NETWORK) } else { NETWORK }
    } else {
        HOST
    }
}

fn ends(source: &str, destination: &str, draft: &mut Draft<'_>) {
    if let Some((ip, number)) = address_and_port(source.trim_end_matches(':')) {
        draft.source(ip);
        draft.event.source_port = number;
    }
    let destination = destination.split([' ', ')', ',']).next().unwrap_or("").trim_end_matches(':');
    if let Some((ip, number)) = address_and_port(destination) {
        draft.destination(ip);
        draft.event.destination_port = number;
    }
}

/// `[F5@12276 hostname="…" errdefs_msgno="01490248:5:" session_id="7a7860e5" …]`.
fn structured(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(data) = header.structured.filter(|data| data.starts_with("[F5@12276")) else { return false };
    draft.event.observer_hostname = header.host.map(str::to_owned);
    header::structured_parameters(data).for_each(|(name, value)| named(name, value, draft));
    draft.event.vpn_type = Some("ssl".to_owned()).filter(|_| draft.event.vpn_session_id.is_some());
    draft.rule("f5.structured");
    let code = draft.event.code.clone().unwrap_or_default();
    let meaning = access_meaning(&code, header.message, draft);
    mean(draft, meaning);
    true
}

/// Keys of structured data and of telemetry.
fn named(name: &str, value: &str, draft: &mut Draft<'_>) {
    match name {
        "errdefs_msgno" => draft.event.code = known(value.split(':').next().unwrap_or("")),
        "session_id" | "Session_ID" | "Session_Id" => draft.event.vpn_session_id = known(value),
        "Username" | "User" | "username" => draft.user(value),
        "Client_IP" | "client_ip" | "Source_IP" | "ip_client" => draft.source(value),
        "client_port" | "src_port" => draft.event.source_port = port(value),
        "Virtual_IP" | "virtual_ip" | "dest_ip" => draft.destination(value),
        "virtual_port" | "dest_port" => draft.event.destination_port = port(value),
        "Assigned_IPv4" | "Client_VPN_IP" => draft.assigned(value),
        "Bytes_In" => draft.event.source_bytes = count(value),
        "Bytes_Out" => draft.event.destination_bytes = count(value),
        "hostname" if draft.event.observer_hostname.is_none() => draft.event.observer_hostname = known(value),
        _ => {}
    }
    draft.native(name, value);
}

/// Telemetry Streaming: one object a line, `"telemetryEventCategory":"APM"`.
fn telemetry(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if memchr::memmem::find(header.body.as_bytes(), b"\"telemetryEventCategory\"").is_none() {
        return false;
    }
    let Some(members) = header.body.find('{').and_then(|at| json::members(header.body.get(at..)?)) else {
        return false;
    };
    draft.event.observer_hostname = header.host.map(str::to_owned);
    members.iter().for_each(|(name, value)| named(name, value, draft));
    draft.rule("f5.telemetry");
    let meaning = match members.first(&["telemetryEventCategory"]) {
        "APM" => {
            draft.event.vpn_type = Some("ssl".to_owned());
            let code = draft.event.code.clone().unwrap_or_default();
            access_meaning(&code, members.first(&["Access_Policy_Result", "message"]), draft)
        }
        "ASM" => (Category::Network, Action::Detect, Outcome::Unknown),
        "LTM" | "AFM" => ALLOW,
        _ => HOST,
    };
    mean(draft, meaning);
    true
}

/// `host,f5_irule=…,src_ip=…` and `ASM:f5_asm=…,attack_type="…"`.
fn pairs(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let line = header.after_time;
    let Some(at) = head(line, 256).find("f5_").filter(|at| line.get(*at..).is_some_and(begins_pairs)) else {
        return false;
    };
    let host = line.get(..at).and_then(|before| before.strip_suffix(',')).filter(|host| !host.contains([' ', ',']));
    draft.event.observer_hostname = host.map(str::to_owned);
    let is_asm = line.get(at..).is_some_and(|rest| rest.starts_with("f5_asm="));
    for (key, value) in kv::separated(line.get(at..).unwrap_or(""), b',') {
        match key {
            "src_ip" | "ip_client" => draft.source(value),
            "vip" | "dest_ip" | "dns_server_ip" => draft.destination(value),
            "src_port" => draft.event.source_port = port(value),
            "dest_port" => draft.event.destination_port = port(value),
            "username" | "user" => draft.user(value),
            _ => {}
        }
        draft.native(key, value);
    }
    draft.rule("f5.pairs");
    mean(draft, if is_asm { (Category::Network, Action::Detect, Outcome::Unknown) } else { ALLOW });
    true
}

fn begins_pairs(text: &str) -> bool {
    text.starts_with("f5_irule=") || text.starts_with("f5_asm=")
}

/// Daemons of the box whose text has no code: logins of administrators, the web server's log, iRules.
fn daemon(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let message = header.message;
    if cef::find(header.body).is_some() {
        return false;
    }
    let meaning = if message.contains(" partition=[") && message.contains(" level=") && message.contains("attempts=") {
        logged_in(message, draft)
    } else if let Some(name) = between(message, "pam_bigip_authz: authenticated user ", " with role ") {
        draft.user(name);
        STEP
    } else if message.starts_with("[ssl_acc] ") || message.starts_with("[ssl_req]") {
        web(message, draft)
    } else if let Some((_, rest)) = header
        .body
        .split_once("Rule /")
        .filter(|(before, rest)| before.len() < 64 && rest.contains('<') && rest.contains(">: "))
    {
        rule(rest, draft)
    } else {
        return false;
    };
    draft.rule("f5.daemon");
    mean(draft, meaning);
    true
}

/// `[ssl_acc] 192.0.2.9 - admin [03/Mar/2026:…] …`, `[ssl_req][03/Mar/2026:…] 192.0.2.9 TLSv1.2 …`.
fn web(message: &str, draft: &mut Draft<'_>) -> Meaning {
    let rest = message.split_once("] ").map_or("", |(_, rest)| rest);
    let mut words = rest.split(' ');
    draft.source(words.next().unwrap_or(""));
    if message.starts_with("[ssl_acc]") && words.next() == Some("-") {
        draft.user(words.next().unwrap_or(""));
    }
    ALLOW
}

/// `Rule /Common/name <EVENT>: client_ip=… client_port=… lb_server=…`; what a rule prints is its author's choice.
fn rule(rest: &str, draft: &mut Draft<'_>) -> Meaning {
    let message = rest.split_once(">: ").map_or("", |(_, message)| message);
    draft.native("rule", rest.split(' ').next().unwrap_or(""));
    draft.source(behind(message, "client_ip=", &[' ']).unwrap_or(""));
    draft.event.source_port = behind(message, "client_port=", &[' ']).and_then(port);
    if let Some((ip, number)) = behind(message, "lb_server=", &[' ']).and_then(address_and_port) {
        draft.destination(ip);
        draft.event.destination_port = number;
    }
    draft.user(behind(message, "username=", &[' ']).unwrap_or(""));
    NETWORK
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn remote_access() {
        check(
            "<141>Mar  3 02:14:08 slot1/lb1 notice tmm1[12390]: 01490500:5: /Common/MAINT:Common:e03c2ca8: New session from client IP 203.0.113.9 (ST=Tokyo/CC=JP/C=AS) at VIP 198.51.100.1 Listener /Common/vs_443 (Reputation=Unknown)",
            &[
                ("observer.hostname", "lb1"),
                ("event.code", "01490500"),
                ("vpn.session_id", "e03c2ca8"),
                ("source.ip", "203.0.113.9"),
                ("destination.ip", "198.51.100.1"),
                ("process.name", "tmm1"),
            ],
        );
        check(
            "Mar  3 02:14:08 lb1 notice apmd[14]: 01490010:5: /Common/MAINT:Common:e03c2ca8: Username 'vendor01'",
            &[("user.name", "vendor01"), ("event.action", "other"), ("vpn.session_id", "e03c2ca8")],
        );
        check(
            "/Common/MAINT:Common:e03c2ca8: AD agent: Auth (logon attempt:0): authenticate with 'vendor01' successful",
            &[("user.name", "vendor01"), ("event.action", "login"), ("event.outcome", "success")],
        );
        check(
            "Mar  3 02:14:08 lb1 notice tmm[19]: 01490549:5: /Common/MAINT:Common:e03c2ca8: Assigned PPP Dynamic IPv4: 10.1.1.2 Tunnel Type: VPN_TUNNELTYPE_TLS NA Resource: /Common/na",
            &[("event.action", "address-assigned"), ("vpn.assigned_ip", "10.1.1.2")],
        );
        check(
            "tmm[19885]: 01490521:5: /Common/MAINT:Common:e03c2ca8: Session statistics - bytes in: 3637, bytes out: 6572",
            &[("source.bytes", "3637"), ("destination.bytes", "6572")],
        );
    }

    #[test]
    fn telemetry() {
        check(
            r#"{"hostname":"lb1.hospital.example","errdefs_msgno":"01490102:5:","session_id":"ec7fd55d","Access_Profile":"/Common/MAINT","Access_Policy_Result":"Logon_Deny","telemetryEventCategory":"APM"}"#,
            &[
                ("observer.hostname", "lb1.hospital.example"),
                ("event.code", "01490102"),
                ("vpn.session_id", "ec7fd55d"),
                ("event.outcome", "failure"),
                ("event.action", "other"),
            ],
        );
    }

    #[test]
    fn administrators() {
        check(
            r#"<141>Mar  3 02:14:08 lb1 notice httpd[31905]: 01070417:5: AUDIT - user admin - RAW: httpd(mod_auth_pam): user=admin(admin) partition=[All] level=Administrator tty=/sbin/nologin host=192.0.2.9 attempts=1 start="Tue Mar  3 02:14:08 2026"."#,
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "admin"),
                ("source.ip", "192.0.2.9"),
            ],
        );
        check(
            r#"<141>Mar  3 02:14:08 lb1 notice sshd(pam_audit)[274]: user=root(root) partition=[All] level=Administrator tty=ssh host=192.0.2.9 attempts=1 start="Tue Mar  3 02:14:08 2026" end="Tue Mar  3 02:20:08 2026"."#,
            &[("event.action", "logout"), ("user.name", "root"), ("observer.vendor", "F5")],
        );
        check(
            "tmsh[28791]: 01420002:5: AUDIT - pid=28791 user=root folder=/ module=(tmos)# status=[Command OK] cmd_data=modify auth user sato password ***",
            &[("event.action", "account-change"), ("user.name", "root"), ("user.target.name", "sato")],
        );
        check(
            r#"<141>Mar  3 02:14:08 lb1 notice mcpd[14]: 01070417:5: AUDIT - client tmui, user yamada - transaction #12-3 - object 0 - create { userdb_entry { userdb_entry_name "sato" } } [Status=Command OK]"#,
            &[("event.action", "account-change"), ("user.name", "yamada"), ("user.target.name", "sato")],
        );
        check(
            "tmsh[28791]: 01420002:5: AUDIT - pid=28791 user=root folder=/ module=(tmos)# status=[Command OK] cmd_data=create ltm pool p1",
            &[("event.action", "config-change"), ("event.outcome", "success")],
        );
    }

    #[test]
    fn traffic_and_rules() {
        check(
            "<140>Mar  3 02:14:08 lb1 warning tmm[230]: 01260013:4: SSL Handshake failed for TCP 203.0.113.9:50365 -> 198.51.100.1:443",
            &[("source.port", "50365"), ("destination.ip", "198.51.100.1"), ("event.outcome", "failure")],
        );
        check(
            "<166>Mar  3 02:14:08 lb1,f5_irule=HTTP,src_ip=203.0.113.9,vip=198.51.100.1,http_method=GET",
            &[("observer.hostname", "lb1"), ("source.ip", "203.0.113.9")],
        );
        check(
            "01580002:5: /VPN/P:Common:870db929: discard ACL: /VPN/DENY:0 packet: tcp 10.1.1.2:59407 -> 192.0.2.6:443",
            &[("event.action", "deny"), ("source.port", "59407"), ("destination.port", "443")],
        );
    }

    #[test]
    fn what_is_not_ours() {
        for line in ["<34>Mar  3 02:14:08 h app[1]: 12345678: text", "/usr/bin/x:y:1: z", "Rule x"] {
            check(line, &[("observer.vendor", "-")]);
        }
    }
}
