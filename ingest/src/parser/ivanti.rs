//! Ivanti (Pulse, Juniper) Connect Secure: the Standard, WELF and admin (`ive | … | …`) forms of its user, admin and
//! event logs.
//!
//! Format: Ivanti, *Connect Secure Administration Guide*, log filters. Quirks this file owns:
//! * Standard: `YYYY-MM-DD hh:mm:ss - node - [address] user(REALM)[ROLES] - text`; newer builds write
//!   `Default Network::user` and a third bracket. The body's time is local; the RFC 5424 header has the offset.
//! * WELF shares `id=firewall` with `SonicWall`; `vpn=` and `realm=` are ours. Its message begins with the code.
//! * Standard carries no code: there the English text is the key, which this product does not translate.
//! * One login is `Primary authentication successful`, `Login succeeded`, and with the client `Session started`. The
//!   second is the login; the third gives the address to it.
//! * `bytes read` is what the gateway read from the client.

use super::draft::{Draft, address};
use super::gateway::{
    ACCOUNT, ADDRESS, CONFIG, HOST, LOGIN, LOGIN_REFUSED, LOGOUT, Meaning, SESSION, SESSION_END, STEP, STEP_REFUSED,
    failed, head, local_time, mean, name_device, says,
};
use super::kv;
use super::scan::{address_and_port, behind, between, count, known, port, seconds_ns};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let found = standard(header, draft) || welf(header, draft) || piped(header, draft);
    if found {
        draft.product("ivanti", "ivanti.connect_secure", "Ivanti", "Connect Secure");
    }
    found
}

/// `2026-03-03 02:14:08 - node - [203.0.113.9] user(REALM)[ROLES] - text`. The time may have gone into the header.
fn standard(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let body = header.body;
    if !head(body, 256).contains(" - [") {
        return false;
    }
    let Some((before, rest)) = body.split_once(" - [") else { return false };
    let Some((source, rest)) = rest.split_once("] ") else { return false };
    let Some((who, message)) = rest.split_once("] - ").filter(|(who, _)| who.contains(")[")) else { return false };
    let (stamp, node) = before.rsplit_once(" - ").unwrap_or(("", before));
    let node = node.trim_start_matches("- ");
    // A relay that took the header off leaves its `- - -` behind.
    let stamp = stamp.trim_start_matches("- ");
    if address(source).is_none() || node.contains(' ') {
        return false;
    }
    draft.time = local_time(stamp, "");
    name_device(header, node, draft);
    if matches!(header.host, Some("PulseSecure" | "Juniper" | "Ivanti")) {
        // Before the body's time the program's name looks like a host.
        draft.event.observer_hostname = known(node);
    }
    draft.source(source);
    let (user, realm) = who.split_once(")[").map_or(who, |(who, _)| who).rsplit_once('(').unwrap_or((who, ""));
    person(user, draft);
    draft.event.vpn_group = known(realm);
    draft.native("realm", realm);
    if let Some((_, roles)) = who.split_once(")[") {
        draft.native("roles", roles.split(']').next().unwrap_or(roles));
    }
    draft.rule("ivanti.standard");
    message_text(message, draft);
    true
}

/// `id=firewall time="…" fw=… vpn=… user=… realm="…" src=… msg="AUT24804: …"`.
fn welf(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(start) = head(header.body, 128).find("id=firewall ") else { return false };
    let line = header.body.get(start..).unwrap_or("");
    if !line.contains(" vpn=") || !line.contains(" realm=") {
        return false;
    }
    let (mut message, mut node) = ("", "");
    for (key, value) in kv::pairs(line) {
        match key {
            "time" => draft.time = local_time(value, ""),
            "vpn" => node = value,
            "user" => person(value, draft),
            "realm" => draft.event.vpn_group = known(value),
            "src" => draft.source(value),
            "dst" => draft.destination(value),
            "sent" => draft.event.destination_bytes = count(value),
            "rcvd" => draft.event.source_bytes = count(value),
            "duration" => draft.event.duration_ns = count(value).and_then(seconds_ns),
            "msg" => message = value,
            _ => {}
        }
        draft.native(key, value);
    }
    name_device(header, node, draft);
    draft.rule("ivanti.welf");
    message_text(message, draft);
    true
}

/// `ive | 2026-03-03 02:14:08 | ADM100 | info | address | | address | user | realm | … | text`: a filter of the Splunk
/// add-on. Which of its addresses is whose is not documented, so neither becomes a source.
fn piped(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    const COLUMNS: [&str; 9] = ["node", "time", "code", "severity", "address1", "name", "address2", "user", "realm"];
    if !head(header.body, 128).contains(" | ") {
        return false;
    }
    let parts: Vec<&str> = header.body.splitn(32, " |").map(str::trim).collect();
    let [node, stamp, code, _, _, _, _, user, realm, .., message] = parts.as_slice() else { return false };
    if node.contains(' ') || !is_code(code) {
        return false;
    }
    draft.time = local_time(stamp, "");
    name_device(header, node, draft);
    person(user, draft);
    draft.event.vpn_group = known(realm);
    draft.event.code = Some((*code).to_owned());
    COLUMNS.iter().zip(&parts).for_each(|(name, value)| draft.native(name, value));
    draft.rule("ivanti.piped");
    message_text(message, draft);
    true
}

/// Newer builds put the virtual system before the account.
fn person(user: &str, draft: &mut Draft<'_>) {
    draft.user(user.rsplit("::").next().unwrap_or(user));
}

/// Three capital letters and digits: `AUT24804`.
fn is_code(code: &str) -> bool {
    let (letters, digits) = code.split_at_checked(3).unwrap_or((code, ""));
    letters.bytes().all(|byte| byte.is_ascii_uppercase())
        && (3..=6).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn message_text(message: &str, draft: &mut Draft<'_>) {
    let (code, message) = message.split_once(": ").filter(|(code, _)| is_code(code)).unwrap_or(("", message));
    if !code.is_empty() {
        draft.event.code = Some(code.to_owned());
    }
    let code = draft.event.code.clone().unwrap_or_default();
    draft.native("text", message);
    session_id(message, draft);
    for mark in ["IPv4 address ", "with IP address ", "with IP ", "IPv6 address "] {
        draft.assigned(behind(message, mark, &[',', ' ', ')']).unwrap_or("").trim_end_matches('.'));
    }
    let far = between(message, "to connect to '", "'").or_else(|| behind(message, " trap to ", &[' ']));
    if let Some((ip, port)) = far.and_then(address_and_port) {
        draft.destination(ip);
        draft.event.destination_port = port;
    }
    if let Some(far) = behind(message, "Closed connection to ", &[' ']) {
        draft.destination(far);
        draft.event.destination_port = behind(message, " port ", &[' ']).and_then(port);
    }
    amounts(message, draft);
    if let Some((_, reason)) = message.split_once("Reason:") {
        draft.reason(reason.trim().trim_matches('\''));
    }
    draft.event.vpn_type = Some("ssl".to_owned()).filter(|_| !code.starts_with("ADM"));
    let meaning = meaning(&code, message, draft);
    if meaning == ACCOUNT {
        // A name may hold dots; the one that ends the sentence is none of its.
        let target = behind(message, "username ", &[' ', ',']).map(|name| name.trim_end_matches('.'));
        let target = target.or_else(|| between(message, "user '", "'"));
        draft.target_user(target.unwrap_or(""));
    }
    if matches!(meaning, CONFIG | ACCOUNT | HOST) {
        draft.event.vpn_type = None;
    }
    mean(draft, meaning);
}

/// `(session:sid…)`, `(session: sid…)`, `session sid…`.
fn session_id(message: &str, draft: &mut Draft<'_>) {
    let id = ["session:", "session "].iter().find_map(|mark| behind(message, mark, &[')', ',']));
    let id = id.map(|id| id.trim().split(' ').next().unwrap_or("")).filter(|id| id.starts_with("sid"));
    draft.event.vpn_session_id = id.map(str::to_owned);
}

/// `after 9 seconds, with 1308 bytes read (in 1 chunks) and 1131 bytes written`.
fn amounts(message: &str, draft: &mut Draft<'_>) {
    let event = &mut draft.event;
    let before = |mark: &str| message.split_once(mark).and_then(|(before, _)| count(before.rsplit(' ').next()?));
    event.source_bytes = event.source_bytes.or_else(|| before(" bytes read"));
    event.destination_bytes = event.destination_bytes.or_else(|| before(" bytes written"));
    event.duration_ns = event.duration_ns.or_else(|| before(" seconds, with ").and_then(seconds_ns));
}

fn meaning(code: &str, message: &str, draft: &Draft<'_>) -> Meaning {
    let starts = |words: &[&str]| words.iter().any(|word| message.starts_with(word));
    match code {
        "AUT24414" | "AUT31504" | "AUT22670" => return LOGIN,
        "AUT23457" | "AUT22672" | "AUT24415" => return LOGIN_REFUSED,
        "AUT24326" | "AUT24328" => return STEP,
        "AUT24327" | "AUT24329" => return STEP_REFUSED,
        "AUT22673" | "AUT22886" => return LOGOUT,
        "NWC23464" => return ADDRESS,
        "NWC23465" => return SESSION_END,
        _ => {}
    }
    if starts(&["Login succeeded", "Agent login succeeded"]) {
        LOGIN
    } else if starts(&["Login failed", "Agent login failed"]) {
        LOGIN_REFUSED
    } else if starts(&["Primary authentication ", "Secondary authentication "]) {
        if says(message, &["fail"]) { STEP_REFUSED } else { STEP }
    } else if starts(&["Logout from", "Logged out", "Session timed out", "Max session timeout"]) {
        LOGOUT
    } else if message.contains("Session started for user") || message.contains("ession started for user") {
        ADDRESS
    } else if message.contains("ession ended for user") {
        SESSION_END
    } else if starts(&["Remote address for user "]) {
        SESSION
    } else if starts(&["User Accounts modified", "Created user", "Deleted user", "Modified user"]) {
        ACCOUNT
    } else if code.starts_with("ADM") || is_change(message) {
        admin(message)
    } else if draft.event.vpn_session_id.is_some() || code.starts_with("NWC") || message.starts_with("VPN Tunneling") {
        SESSION
    } else {
        HOST
    }
}

fn admin(message: &str) -> Meaning {
    if says(message, &["login succeeded", "logged in"]) {
        LOGIN
    } else if says(message, &["login failed"]) {
        LOGIN_REFUSED
    } else if says(message, &["logged out", "logout"]) {
        LOGOUT
    } else if says(message, &["failed"]) {
        failed(CONFIG)
    } else if is_change(message) {
        CONFIG
    } else {
        HOST
    }
}

/// Settings that an administrator added, changed or took away.
fn is_change(message: &str) -> bool {
    [" removed from ", " added to ", " modified", " changed ", " changed.", " created", " deleted"]
        .iter()
        .any(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    const HEAD: &str = "<134>1 2026-03-03T02:14:08+09:00 pcs1 PulseSecure: - - - 2026-03-03 02:14:08 - pcs1 - ";

    #[test]
    fn logins_and_their_steps() {
        let line = format!(
            "{HEAD}[203.0.113.9] Default Network::vendor01(MAINT)[Vendors][a1b2c3] - Login succeeded for vendor01/MAINT (session:sid0a1b) from 203.0.113.9 with Client."
        );
        check(
            line,
            &[
                ("observer.hostname", "pcs1"),
                ("source.ip", "203.0.113.9"),
                ("user.name", "vendor01"),
                ("vpn.group", "MAINT"),
                ("vpn.session_id", "sid0a1b"),
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("@timestamp", "2026-03-02T17:14:08.000000Z"),
            ],
        );
        let line = format!("{HEAD}[203.0.113.9] sato(REALM)[] - Login failed. Reason: Wrong Password");
        check(line, &[("event.outcome", "failure"), ("event.action", "login"), ("event.reason", "Wrong Password")]);
        let line = format!(
            "{HEAD}[203.0.113.9] sato(REALM)[] - Primary authentication failed for sato/REALM from 203.0.113.9"
        );
        check(line, &[("event.outcome", "failure"), ("event.action", "other"), ("user.name", "sato")]);
    }

    #[test]
    fn older_boxes_have_a_tag_and_no_header() {
        for line in [
            "<134>Juniper: 2026-03-03 02:14:08 - ive1 - [203.0.113.9] sato(Users)[R] - Login succeeded for sato/Users from 203.0.113.9.",
            "<134>Mar  3 02:14:08 ive1 PulseSecure: 2026-03-03 02:14:08 - default - [203.0.113.9] sato(Users)[R] - Login succeeded for sato/Users from 203.0.113.9.",
            "- - - 2026-03-03 02:14:08 - ive1 - [203.0.113.9] sato(Users)[R] - Login succeeded for sato/Users from 203.0.113.9.",
            "2026-03-03 02:14:08 - ive1 - [203.0.113.9] sato(Users)[R] - Login succeeded for sato/Users from 203.0.113.9.",
        ] {
            check(
                line,
                &[
                    ("user.name", "sato"),
                    ("event.action", "login"),
                    ("@timestamp", "2026-03-02T17:14:08.000000Z"),
                    ("observer.hostname", "ive1"),
                ],
            );
        }
    }

    #[test]
    fn sessions_of_the_tunnel() {
        let line = format!(
            "{HEAD}[203.0.113.9] sato(R)[A] - VPN Tunneling: Session started for user (session:sid77) with IPv4 address 10.1.2.3, hostname PC-1"
        );
        check(
            line,
            &[("event.action", "address-assigned"), ("vpn.assigned_ip", "10.1.2.3"), ("vpn.session_id", "sid77")],
        );
        let line = format!(
            "{HEAD}[203.0.113.9] sato(R)[A] - Closed connection to TUN-VPN port 443 after 9 seconds, with 130 bytes read (in 1 chunks) and 113 bytes written (in 1 chunks) (session:sid77)"
        );
        check(line, &[("source.bytes", "130"), ("destination.bytes", "113"), ("event.duration", "9000000000")]);
        let line = format!("{HEAD}[203.0.113.9] sato()[] - Logout from 203.0.113.9 (session:sid77)");
        check(line, &[("event.action", "logout"), ("vpn.session_id", "sid77"), ("vpn.group", "-")]);
    }

    #[test]
    fn administrators() {
        let line = format!(
            "{HEAD}[127.0.0.1] Default Network::System()[][] - User Accounts modified. Removed username sato from authentication server LDAP-1."
        );
        check(line, &[("event.action", "account-change"), ("user.target.name", "sato"), ("vpn.type", "-")]);
        check(
            "<14>1 2026-03-03T02:14:08+09:00 pcs1 PulseSecure: - - - ive | 2026-03-03 02:14:08 | ADM20716 | info | 192.0.2.1 |  | 192.0.2.30 | yamada | Admins |  |  |  |  |  |  | Admin login failed for yamada",
            &[
                ("event.code", "ADM20716"),
                ("user.name", "yamada"),
                ("event.outcome", "failure"),
                ("vpn.type", "-"),
                ("source.ip", "-"),
            ],
        );
    }

    #[test]
    fn welf_lines_carry_the_code() {
        check(
            r#"id=firewall time="2026-03-03 02:14:08" pri=6 fw=192.0.2.1 vpn=PCS1 ivs=Default Network user=sato realm="Users" roles="" proto=auth src=203.0.113.9 dst= dstname= type=vpn op= arg="" result= sent= rcvd= agent="" duration= msg="AUT23457: Login failed using auth server AD (Active Directory).  Reason: Failed""#,
            &[
                ("event.code", "AUT23457"),
                ("observer.hostname", "PCS1"),
                ("user.name", "sato"),
                ("source.ip", "203.0.113.9"),
                ("destination.ip", "-"),
                ("event.outcome", "failure"),
                ("event.reason", "Failed"),
                ("native.ivs", "Default Network"),
            ],
        );
    }

    #[test]
    fn what_is_not_ours() {
        for line in [
            r#"id=firewall time="2026-03-03 02:14:08" fw=192.0.2.1 pri=6 msg="x""#,
            "Mar  3 09:00:00 web1 httpd[1]: GET - [192.0.2.9] sato - ok",
            "a | b | c | d | e | f | g | h | i | j",
        ] {
            check(line, &[("observer.product", "-")]);
        }
    }
}
