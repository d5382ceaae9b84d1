//! Cisco IOS, IOS-XE, IOS-XR, NX-OS, ACI and wireless controllers: `%FACILITY-SEVERITY-MNEMONIC: text`.
//!
//! Format: Cisco, *System Message Guide* of each system; Arista EOS writes the same form. Quirks this file owns:
//! * The facility may have parts (`SECURITY-SSHD`, `SYSMGR-STANDBY`, `MGBL-SYS`); IOS-XR puts a blank before the colon,
//!   NX-OS and ACI may leave it out. The mnemonic is the code.
//! * What stands before the mark is a host, a process (`SSHD_[65935]:`) or a task and its time (`*spamApTask1: Nov 20 …:`),
//!   never prose: prose that holds such a mark is another program's line, and perhaps somebody's name.
//! * `by vty2 (192.0.2.1)` names a line, `by sato on vty2 (192.0.2.1)` a person.
//! * `SSH2_USERAUTH` precedes the `SEC_LOGIN` message about the same attempt and is no second login.
//! * NX-OS hands on lines of its Linux as `SYSTEM_MSG`, the program behind the text: `text - dcos_sshd[6531]`.

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime, address};
use super::scan::{behind, between, destination_end, port, source_end, word};
use super::sshd;
use crate::header::Header;
use crate::stamp;

/// How far into a body the mark is looked for: host, task and time stand before it.
const BEFORE_BYTES_MAX: usize = 160;

/// A message taken apart.
struct Message<'a> {
    before: &'a str,
    facility: &'a str,
    severity: &'a str,
    mnemonic: &'a str,
    is_xr: bool,
    text: &'a str,
}

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(message) = find(header.body) else { return false };
    let (dataset, product) = product_of(&message, header);
    draft.product("cisco", dataset, "Cisco", product);
    if product == "EOS" {
        draft.product("arista", dataset, "Arista", product);
    }
    draft.rule("cisco_ios");
    draft.event.code = Some(message.mnemonic.to_owned());
    draft.native("facility", message.facility);
    draft.native("severity", message.severity);
    frame(message.before, header, draft);
    fill(&message, draft);
    true
}

/// The mark, near the start, behind nothing but names and times.
fn find(body: &str) -> Option<Message<'_>> {
    let bytes = body.as_bytes();
    let head = bytes.get(..BEFORE_BYTES_MAX).unwrap_or(bytes);
    memchr::memchr_iter(b'%', head)
        .find_map(|at| {
            let before = body.get(..at)?;
            is_frame(before).then_some(())?;
            read_mark(body.get(at + 1..)?, before)
        })
        .map(|message| inner(&message).unwrap_or(message))
}

/// `%IOSXE-6-PLATFORM: R0/0: cpp_cp: QFP:0.0 … %FW-6-DROP_PKT: text`: the forwarding engine's own message in another's.
fn inner<'a>(message: &Message<'a>) -> Option<Message<'a>> {
    if message.mnemonic != "PLATFORM" {
        return None;
    }
    let (_, rest) = message.text.split_once('%')?;
    read_mark(rest, message.before)
}

fn read_mark<'a>(rest: &'a str, before: &'a str) -> Option<Message<'a>> {
    let length = rest.bytes().take(96).take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let length = length.count();
    let (mark, text) = (rest.get(..length)?, rest.get(length..)?);
    let (front, mnemonic) = mark.rsplit_once('-')?;
    let (facility, severity) = front.rsplit_once('-')?;
    let is_severity = matches!(severity.as_bytes(), [b'0'..=b'7']);
    let is_mnemonic = mnemonic.bytes().any(|byte| byte.is_ascii_uppercase())
        && mnemonic.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let begins = facility.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase());
    let ends = text.is_empty() || text.starts_with([':', ' ']);
    (is_severity && is_mnemonic && begins && ends).then(|| Message {
        before,
        facility,
        severity,
        mnemonic,
        is_xr: text.starts_with(" :"),
        text: text.trim_start_matches([':', ' ']).trim_end(),
    })
}

/// One word, or words that end with a colon, are numbers or belong to a time.
fn is_frame(before: &str) -> bool {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let before = before.trim();
    !before.contains(' ')
        || before.split(' ').all(|word| {
            let bare = word.trim_start_matches(['*', '.']);
            word.is_empty()
                || (word.ends_with(':') && !word.starts_with(['"', '\'']))
                || bare.starts_with(|first: char| first.is_ascii_digit())
                || MONTHS.contains(&bare)
        })
}

/// Host and time, where the header's reader stopped before them.
fn frame(before: &str, header: &Header<'_>, draft: &mut Draft<'_>) {
    let parts = || before.split(": ").map(|part| part.trim_matches([' ', ':', '*', '.']));
    if header.time.is_none()
        && let Some((stamp, _)) = parts().find_map(stamp::read)
    {
        draft.time = Some(PayloadTime::Stamp(stamp));
    }
    let is_host = |part: &&str| {
        !part.is_empty()
            && !part.contains(['[', ' ', '/'])
            && part.bytes().any(|byte| byte.is_ascii_alphabetic())
            && !before.trim_start().starts_with('*')
    };
    let named = || parts().find(is_host).filter(|_| header.app.is_none() || header.time.is_none());
    // Behind a relay's host an agent of EOS looks like the `host:` of IOS.
    let host = if eos_agent(header).is_some() && header.app.is_none() { header.relay } else { header.host };
    draft.event.observer_hostname = host.or_else(named).map(str::to_owned);
}

/// The agent of Arista EOS that wrote the line.
fn eos_agent<'a>(header: &Header<'a>) -> Option<&'a str> {
    const AGENTS: [&str; 8] = ["ConfigAgent", "Aaa", "Ebra", "Stp", "SuperServer", "Rib", "Cli", "PortSec"];
    [header.app, header.host].into_iter().flatten().find(|name| AGENTS.contains(name))
}

fn product_of(message: &Message<'_>, header: &Header<'_>) -> (&'static str, &'static str) {
    const NEXUS: [&str; 7] = ["VSHD", "ETHPORT", "ETH_PORT_CHANNEL", "L2FM", "ACLLOG", "MODULE", "AUTHPRIV"];
    if eos_agent(header).is_some() {
        ("arista.eos", "EOS")
    } else if message.is_xr {
        ("cisco.iosxr", "IOS-XR")
    } else if NEXUS.contains(&message.facility)
        || matches!(message.mnemonic, "SYSTEM_MSG" | "AAA_ACCOUNTING_MESSAGE")
        || message.facility.starts_with("SYSMGR")
    {
        ("cisco.nxos", "NX-OS")
    } else if message.before.trim_start().starts_with('*') || matches!(message.facility, "CAPWAP" | "APF" | "LWAPP") {
        ("cisco.wlc", "Wireless LAN Controller")
    } else {
        ("cisco.ios", "IOS")
    }
}

fn fill(message: &Message<'_>, draft: &mut Draft<'_>) {
    let text = message.text;
    draft.kind(Category::Host, Action::Other);
    if message.mnemonic == "SYSTEM_MSG" && linux_line(text, draft) {
        return;
    }
    if message.mnemonic.contains("ACCESSLOG") || message.facility == "ACLLOG" {
        access_list(text, draft);
        return;
    }
    person(message.mnemonic, text, draft);
    far_end(text, draft);
    let said = between(text, "[Reason: ", "]").or_else(|| between(text, "[reason: ", "]"));
    draft.reason(said.unwrap_or(""));
    let (category, action, outcome) = meaning(message, text);
    // A tunnel between sites is nobody's session.
    let is_nobodys = category == Category::Session && draft.event.user_name.is_none();
    draft.kind(category, if is_nobodys { Action::Other } else { action });
    draft.event.outcome = Some(outcome);
    if message.facility == "SSLVPN" {
        draft.event.vpn_type = Some("ssl".to_owned());
    } else if message.facility == "CRYPTO" && draft.event.category == Some(Category::Session) {
        draft.event.vpn_type = Some("ipsec".to_owned());
    }
}

/// NX-OS: a line of sshd or PAM, its program at the end.
fn linux_line(text: &str, draft: &mut Draft<'_>) -> bool {
    let (line, program) = text.rsplit_once(" - ").unwrap_or((text, ""));
    if let Some((name, pid)) = program.trim_end_matches(']').split_once('[') {
        draft.event.process_name = Some(name.to_owned());
        draft.event.process_pid = pid.parse().ok();
    }
    if let Some(understood) = pam_line(line, draft) {
        return understood;
    }
    if sshd::read(line, draft) {
        draft.rule("cisco_ios.nxos_sshd");
        return true;
    }
    false
}

/// `pam_aaa:Authentication failed for user sato from a`, which tells of the refusal once; `pam_unix(aaa:auth)` and `Login
/// failed` repeat it; `sato : TTY=… ; USER=root ; COMMAND=…`.
fn pam_line(line: &str, draft: &mut Draft<'_>) -> Option<bool> {
    let (user, action) = if let Some(rest) = line.strip_prefix("pam_aaa:Authentication failed") {
        draft.source(behind(rest, "from ", &[' ']).unwrap_or(""));
        (behind(rest, "user ", &[' ']), Action::Login)
    } else if line.starts_with("pam_unix(") && line.contains("authentication failure;") {
        draft.source(behind(line, " rhost=", &[' ']).unwrap_or(""));
        (behind(line, " user=", &[' ']), Action::Other)
    } else if let Some(rest) = line.strip_prefix("Login failed for user ") {
        (rest.split(' ').next(), Action::Other)
    } else if let Some((user, rest)) = line.trim_start().split_once(" : TTY=") {
        draft.user(user);
        draft.target_user(behind(rest, "USER=", &[' ']).unwrap_or(""));
        draft.event.process_command_line = behind(rest, "COMMAND=", &[]).map(str::to_owned);
        draft.kind(Category::Process, Action::Elevate);
        draft.event.outcome = Some(Outcome::Success);
        return Some(true);
    } else {
        return None;
    };
    draft.user(user.unwrap_or(""));
    draft.kind(Category::Authentication, action);
    draft.event.outcome = Some(Outcome::Failure);
    Some(true)
}

/// `list NAME denied tcp a(p) (if mac) -> b(p), 1 packet`; NX-OS `Src IP: a, Dst IP: b, Src Port: p, …`.
fn access_list(text: &str, draft: &mut Draft<'_>) {
    let list = behind(text, "access-list ", &[' ']).or_else(|| behind(text, "list ", &[' ']));
    draft.native("acl", list.unwrap_or(""));
    if let Some((front, back)) = text.split_once(" -> ") {
        if let Some((ip, from_port)) = front.split(' ').map(bracketed_end).find(|(ip, _)| address(ip).is_some()) {
            draft.source(ip);
            draft.event.source_port = from_port;
        }
        let (ip, to_port) = bracketed_end(back.split([' ', ',']).next().unwrap_or(""));
        draft.destination(ip);
        draft.event.destination_port = to_port;
    } else if let Some(ip) = behind(text, "Src IP: ", &[',', ' ']) {
        draft.source(ip);
        draft.destination(behind(text, "Dst IP: ", &[',', ' ']).unwrap_or(""));
        draft.event.source_port = behind(text, "Src Port: ", &[',', ' ']).and_then(port);
        draft.event.destination_port = behind(text, "Dst Port: ", &[',', ' ']).and_then(port);
    } else {
        draft.source(text.split(' ').find(|word| address(word).is_some()).unwrap_or(""));
    }
    let denies = text.contains(" denied ") || text.contains(" deny ");
    let permits = text.contains(" permitted ") || text.contains(" permit ");
    let (action, outcome) = match (denies, permits) {
        (true, _) => (Action::Deny, Outcome::Failure),
        (_, true) => (Action::Allow, Outcome::Success),
        _ => (Action::Other, Outcome::Unknown),
    };
    draft.kind(Category::Network, action);
    draft.event.outcome = Some(outcome);
}

/// `192.0.2.1(80)` or `192.0.2.1`.
fn bracketed_end(word: &str) -> (&str, Option<i64>) {
    match word.split_once('(') {
        Some((ip, rest)) => (ip, rest.split(')').next().and_then(port)),
        None => (word, None),
    }
}

fn person(mnemonic: &str, text: &str, draft: &mut Draft<'_>) {
    match mnemonic {
        _ if is_about_account(mnemonic, text) => {
            draft.target_user(behind(text, "username: ", &[' ', ',']).unwrap_or(""));
        }
        // A lock is done to somebody, and by nobody.
        "USER_LOCKED" => draft.target_user(between(text, "User ", " locked out").unwrap_or("")),
        // `User sato unlocked by yamada on vty0 (192.0.2.1)`.
        "USER_UNLOCKED" | "USER_RESET" => {
            draft.target_user(behind(text, "User ", &[' ']).unwrap_or(""));
            configured_by(text, draft);
        }
        "AAA_ACCOUNTING_MESSAGE" => accounting(text, draft),
        "CFGLOG_LOGGEDCMD" | "VSHD_SYSLOG_CMD_EXEC" => command(text, draft),
        "CONFIG_I" | "CONFIG_P" | "CONFIG" | "VSHD_SYSLOG_CONFIG_I" | "PRIV_AUTH_FAIL" | "PRIV_AUTH_PASS" => {
            configured_by(text, draft);
        }
        // Arista: `admin ssh 192.0.2.1 stop task_id=…`.
        "CMD" => {
            let (user, rest) = word(text);
            draft.user(user);
            draft.source(rest.split(' ').find(|word| address(word).is_some()).unwrap_or(""));
            draft.native("command", behind(text, "cmd=", &[]).unwrap_or(""));
        }
        _ => named_person(text, draft),
    }
}

/// `user with username: sato configured`, and the messages by which others say the same.
fn is_about_account(mnemonic: &str, text: &str) -> bool {
    matches!(mnemonic, "USER_ADDED" | "USER_REMOVED") || text.starts_with("user with username: ")
}

fn named_person(text: &str, draft: &mut Draft<'_>) {
    const ENDS: &[char] = &[' ', ',', ';', ']', ')'];
    let candidates = [
        between(text, "[user: ", "]"),
        between(text, "User '", "'"),
        between(text, "user '", "'"),
        between(text, "Username: ", " Privilege level:"),
        behind(text, "user_name: ", &[',']),
        behind(text, "Username: ", ENDS),
        behind(text, "username: ", ENDS),
        behind(text, "User: ", ENDS),
        behind(text, "NETCONF user ", ENDS),
        between(text, "User ", " has exited"),
        text.strip_prefix("user ").and_then(|rest| rest.split(' ').next()),
        text.strip_prefix("(exec timer expired").and_then(|rest| behind(rest, ", user ", ENDS)),
    ];
    for candidate in candidates.into_iter().flatten() {
        draft.user(candidate);
    }
    if let Some((_, command)) = text.split_once(" Command: ") {
        draft.native("command", command);
    }
}

/// `start:192.0.2.1@pts/0:sato:command (SUCCESS)`.
fn accounting(text: &str, draft: &mut Draft<'_>) {
    let mut parts = text.splitn(4, ':');
    let (_, terminal) = (parts.next(), parts.next().unwrap_or(""));
    draft.user(parts.next().unwrap_or(""));
    draft.source(terminal.split('@').next().unwrap_or(""));
    draft.native("terminal", terminal);
    draft.native("command", parts.next().unwrap_or(""));
}

/// `User:sato  logged command:interface Gi1`, `User:sato executed the command:show`.
fn command(text: &str, draft: &mut Draft<'_>) {
    draft.user(behind(text, "User:", &[' ']).unwrap_or(""));
    draft.native("command", text.split_once("command:").map_or("", |(_, command)| command));
}

/// `by NAME on LINE (ip)`, `as NAME on LINE (ip)`, `by LINE (ip)`, NX-OS `by NAME on ip@pts/0`.
fn configured_by(text: &str, draft: &mut Draft<'_>) {
    let (_, rest) = text
        .rsplit_once(" by ")
        .filter(|(_, rest)| !rest.starts_with("process "))
        .unwrap_or_else(|| text.rsplit_once(" as ").unwrap_or(("", "")));
    if let Some((name, line)) = rest.split_once(" on ") {
        draft.user(name);
        let line = line.split(' ').next().unwrap_or("");
        draft.native("terminal", line);
        draft.source(line.split('@').next().unwrap_or(""));
    }
    let inner = rest.rsplit_once('(').and_then(|(_, inner)| inner.split(')').next());
    draft.source(inner.unwrap_or(""));
}

/// The address of the one who acts, or (of a log server) of what is reached.
fn far_end(text: &str, draft: &mut Draft<'_>) {
    const MARKS: [&str; 9] = [
        "[Source: ",
        "[from: ",
        " from '",
        "remote_ip: ",
        " from ",
        "Peer ",
        "Duplicate address ",
        "Sticky ARP entry: ",
        "srcaddr=",
    ];
    if let Some(rest) = text.strip_prefix("Logging to host ") {
        let (host, rest) = word(rest);
        draft.destination(host);
        draft.event.destination_port =
            rest.strip_prefix("port ").and_then(|rest| rest.split(' ').next()).and_then(port);
        return;
    }
    if let Some((from, to)) = inspected_ends(text) {
        source_end(from, draft);
        destination_end(to, draft);
        return;
    }
    if let Some((from, to)) = text.split_once('[').and_then(|(_, inner)| inner.split_once(" -> ")) {
        source_end(from, draft);
        destination_end(to.split(']').next().unwrap_or(""), draft);
        return;
    }
    for mark in MARKS {
        let end = behind(text, mark, &[' ', ']', '\'', ',', ')', ';']).unwrap_or("");
        source_end(end.trim_end_matches(['.', ':']), draft);
    }
    // `tty session 3(192.0.2.1)`, `tty 2 (192.0.2.1)`.
    if text.contains("tty ") {
        let inner = text.split('(').skip(1).filter_map(|inner| inner.split(')').next());
        inner.take(4).for_each(|inner| draft.source(inner));
    }
    draft.event.destination_port = between(text, "[localport: ", "]").and_then(port);
    draft.event.source_mac = between(text, "client (", ")").filter(|mac| mac.contains('.')).map(str::to_owned);
}

/// The firewall of IOS-XE: `initiator (a:p) … responder (b:p)`, `from GigabitEthernet1 a:p => b:p(target:class)`.
fn inspected_ends(text: &str) -> Option<(&str, &str)> {
    if let Some(pair) = between(text, "initiator (", ")").zip(between(text, "responder (", ")")) {
        return Some(pair);
    }
    let (before, after) = text.split_once(" => ")?;
    Some((before.rsplit(' ').next()?, after.split([' ', '(']).next()?))
}

type Meaning = (Category, Action, Outcome);

fn meaning(message: &Message<'_>, text: &str) -> Meaning {
    use Category::{Authentication, Configuration, Host, Iam, Network, Session};
    use Outcome::{Failure, Success, Unknown};
    let succeeded = || if text.contains("fail") || text.contains("Fail") { Failure } else { Success };
    match message.mnemonic {
        "LOGIN_SUCCESS" | "AUTHEN_SUCCESS" | "AUTH_PASSED" => (Authentication, Action::Login, Success),
        // The gateway has no other line about the session that this opens.
        "LOGIN_AUTH_PASSED" => (Session, Action::SessionStart, Success),
        "INFO_SUCCESS" if message.facility.contains("SSHD") => (Authentication, Action::Login, Success),
        "LOGIN" if message.facility == "AAA" => (Authentication, Action::Login, Success),
        "LOGIN_FAILED" | "AUTHEN_FAILED" | "LOGIN_AUTH_REJECTED" | "AUTHENTICATION_FAILED" => {
            (Authentication, Action::Login, Failure)
        }
        "INFO_FAILURE" if message.facility.contains("SSHD") => (Authentication, Action::Login, Failure),
        "INFO_GENERAL" if text.contains("Failed authentication") => (Authentication, Action::Login, Failure),
        "AAA_AUTH_ADMIN_USER" => (Authentication, Action::Login, succeeded()),
        "LOGOUT" | "LOGOUT_C6K" | "INFO_USER_LOGOUT" => (Authentication, Action::Logout, Success),
        "SSH2_USERAUTH" | "SSH_USERAUTH" => (Authentication, Action::Other, succeeded()),
        "SSH2_CLOSE" | "SSH_CLOSE" | "TTY_EXPIRE_TIMER" => (Authentication, Action::Other, Unknown),
        // So many failures that logins are closed for a while.
        "QUIET_MODE_ON" => (Authentication, Action::Detect, Unknown),
        "PRIV_AUTH_PASS" => (Authentication, Action::Elevate, Success),
        "PRIV_AUTH_FAIL" => (Authentication, Action::Elevate, Failure),
        "CONFIG_I" | "CONFIG_P" | "VSHD_SYSLOG_CONFIG_I" | "DB_COMMIT" | "LOG_CONFIG_CHANGE" => {
            (Configuration, Action::ConfigChange, Success)
        }
        "CFGLOG_LOGGEDCMD" if text.contains("command:!exec") => (Configuration, Action::Other, Success),
        "CFGLOG_LOGGEDCMD" => (Configuration, Action::ConfigChange, Success),
        "MODEL_RPC_I" | "VSHD_SYSLOG_CMD_EXEC" | "AAA_ACCOUNTING_MESSAGE" | "ACCTLOCAL" | "CMD" => {
            (Configuration, Action::Other, Success)
        }
        "USER_LOCKED" if message.facility == "AAA" => (Authentication, Action::Detect, Unknown),
        "USER_UNLOCKED" | "USER_RESET" if message.facility == "AAA" => (Iam, Action::AccountChange, Success),
        mnemonic if is_about_account(mnemonic, text) => (Iam, Action::AccountChange, Success),
        "FAIL" if matches!(message.facility, "DOT1X" | "MAB" | "AUTHMGR" | "SESSION_MGR" | "EPM") => {
            (Authentication, Action::Other, Failure)
        }
        "SUCCESS" if matches!(message.facility, "DOT1X" | "MAB" | "AUTHMGR" | "SESSION_MGR") => {
            (Authentication, Action::Other, Success)
        }
        _ if message.facility == "FW" && text.contains("Drop") => (Network, Action::Deny, Failure),
        _ if message.facility == "FW" => (Network, Action::Other, Unknown),
        "SIGNATURE" if message.facility == "IPS" => (Network, Action::Detect, Unknown),
        "SESSION_STATUS" | "IKEV2_SESSION_STATUS" | "VPN_TUNNEL_STATUS" if text.contains(" is UP") => {
            (Session, Action::SessionStart, Success)
        }
        "SESSION_STATUS" | "IKEV2_SESSION_STATUS" | "VPN_TUNNEL_STATUS" if text.contains(" is DOWN") => {
            (Session, Action::SessionEnd, Success)
        }
        mnemonic if mnemonic.starts_with("PSECURE_VIOLATION") => (Network, Action::Deny, Failure),
        _ if message.facility == "CRYPTO" => (Session, Action::Other, Unknown),
        _ if message.facility == "DHCP_SNOOPING" || message.facility == "IPV6_ACL" => (Network, Action::Other, Unknown),
        _ => (Host, Action::Other, Unknown),
    }
}

#[cfg(test)]
mod tests;
