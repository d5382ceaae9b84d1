//! `WatchGuard` Firebox (`Fireware`): plain syslog and IBM LEEF.
//!
//! Format: `WatchGuard`, *Fireware Log Catalog*. Quirks this file owns:
//! * Plain: `host SERIAL (2026-03-03T00:14:05) process[pid]: msg_id="3000-0148" text`. The header's stamp is local, the
//!   one in brackets is UTC without saying so.
//! * LEEF: `LEEF:1.0|WatchGuard|XTM|version|30000148|key=value<tab>…`: the same id without its dash. Relays strip
//!   `LEEF:` and print the tab as `#011`.
//! * `1100-0004` says that a VPN user was authenticated, `3E00-0002` that the session stands and which address it has:
//!   the first is a step. A refusal has only the first.
//! * An account is `name@server`, where the server is the authentication server's name and no domain of the person.
//! * A packet's line is words in a fixed order: `Allow IN OUT length protocol … source destination port port`.

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime, address};
use super::gateway::{
    ACCOUNT, ALLOW, CONFIG, DENY, HOST, LOGIN, LOGIN_REFUSED, LOGOUT, Meaning, NETWORK, SESSION_END, SESSION_START,
    STEP, STEP_REFUSED, head, mean, name_device, says,
};
use super::scan::{behind, between, count, port, seconds_ns};
use crate::header::Header;
use crate::stamp;

/// How far into a line its mark is looked for.
const MARK_BYTES_MAX: usize = 256;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let found = plain(header, draft) || leef(header, draft);
    if found {
        draft.product("watchguard", "watchguard.firebox", "WatchGuard", "Firebox");
    }
    found
}

fn plain(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let body = header.body;
    let Some(at) = head(body, MARK_BYTES_MAX).find("msg_id=\"") else { return false };
    let rest = body.get(at + 8..).unwrap_or("");
    let Some((code, text)) = rest.split_once('"').filter(|(code, _)| is_code(code)) else { return false };
    let before = body.get(..at).unwrap_or("");
    if let Some((mut stamp, _)) = between(before, "(", ")").and_then(stamp::read) {
        stamp.offset = Some(0);
        draft.time = Some(PayloadTime::Stamp(stamp));
    }
    if let Some(serial) = before.split(' ').next().filter(|word| !word.contains(['[', '('])) {
        draft.native("serial", serial);
    }
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.event.process_name =
        before.rsplit(' ').find(|word| word.contains('[')).and_then(|word| word.split('[').next()).map(str::to_owned);
    draft.rule("watchguard.plain");
    draft.event.code = Some(code.to_owned());
    let text = text.trim();
    if !packet(text, draft) {
        prose(&plain_id(code), text, draft);
    }
    true
}

/// Two groups of four hexadecimal digits, with or without the dash.
fn is_code(code: &str) -> bool {
    let digits = code.bytes().filter(|byte| *byte != b'-').count();
    digits == 8 && code.len() <= 9 && code.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn plain_id(code: &str) -> String {
    code.chars().filter(|character| *character != '-').collect::<String>().to_ascii_uppercase()
}

/// `Allow|Deny IN OUT …`: the two ends are the first two addresses that stand side by side, their ports follow.
fn packet(text: &str, draft: &mut Draft<'_>) -> bool {
    const WORDS_MAX: usize = 24;
    let meaning = match text.split(' ').next() {
        Some("Allow") => ALLOW,
        Some("Deny" | "Drop" | "Block") => DENY,
        _ => return false,
    };
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).take(WORDS_MAX).collect();
    let ends = words.windows(4).find(
        |four| matches!(four, [source, destination, ..] if address(source).is_some() && address(destination).is_some()),
    );
    if let Some([source, destination, source_port, destination_port]) = ends {
        draft.source(source);
        draft.destination(destination);
        (draft.event.source_port, draft.event.destination_port) = (port(source_port), port(destination_port));
    }
    for (name, mark) in [("policy", "("), ("src_user", "src_user=\"")] {
        let value = between(text, mark, if name == "policy" { ")" } else { "\"" }).unwrap_or("");
        draft.native(name, value);
        if name == "src_user" {
            person(value, draft);
        }
    }
    draft.event.source_bytes = between(text, "sent_bytes=\"", "\"").and_then(count);
    draft.event.destination_bytes = between(text, "rcvd_bytes=\"", "\"").and_then(count);
    draft.event.duration_ns = between(text, "duration=\"", "\"").and_then(count).and_then(seconds_ns);
    mean(draft, meaning);
    true
}

fn leef(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(at) = head(header.body, MARK_BYTES_MAX).find("|WatchGuard|") else { return false };
    let mut parts = header.body.get(at + 1..).unwrap_or("").splitn(5, '|');
    let (_, _, _, Some(code), Some(extension)) = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    draft.event.code = Some(code.to_owned());
    draft.rule("watchguard.leef");
    let (mut name, mut action, mut message, mut format_time) = ("", "", "", "");
    let separator = if extension.contains('\t') { "\t" } else { "#011" };
    for pair in extension.split(separator).take(monban_event::limits::NATIVE_FIELDS_MAX) {
        let Some((key, value)) = pair.split_once('=') else { continue };
        match key {
            "host_name" | "sys_name" => name = value,
            "disp" => action = value,
            "msg" => message = value,
            "devTime" => format_time = value,
            _ => leef_key(key, value, draft),
        }
        draft.native(key, value);
    }
    draft.time = stamp::read(format_time).map(|(stamp, _)| PayloadTime::Stamp(stamp));
    name_device(header, name, draft);
    match action {
        "Allow" => mean(draft, ALLOW),
        "" => prose(&plain_id(code), message, draft),
        _ => mean(draft, DENY),
    }
    true
}

fn leef_key(key: &str, value: &str, draft: &mut Draft<'_>) {
    match key {
        "src" => draft.source(value),
        "dst" => draft.destination(value),
        "srcPort" => draft.event.source_port = port(value),
        "dstPort" => draft.event.destination_port = port(value),
        "src_user" | "usrName" => person(value, draft),
        "sent_bytes" => draft.event.source_bytes = count(value),
        "rcvd_bytes" => draft.event.destination_bytes = count(value),
        "duration" => draft.event.duration_ns = count(value).and_then(seconds_ns),
        "dstname" => draft.event.destination_domain = Some(value.to_owned()),
        _ => {}
    }
}

/// `name@server`; `<missing user name>` is nobody.
fn person(value: &str, draft: &mut Draft<'_>) {
    if !value.starts_with('<') {
        draft.user(value);
    }
}

/// Everything that is a sentence.
fn prose(id: &str, text: &str, draft: &mut Draft<'_>) {
    let named = between(text, " user [", "]")
        .or_else(|| between(text, "User [", "]"))
        .or_else(|| between(text, "WSM User ", " from "))
        .or_else(|| between(text, " user ", " from "))
        .or_else(|| between(text, "User ", " from "))
        .or_else(|| between(text, " by ", " from "))
        .or_else(|| behind(text, " by user ", &[' ']))
        .or_else(|| between(text, ": user ", " "))
        .or_else(|| between(text, "Management user ", " "))
        // `yamada added feature key '…'`
        .or_else(|| {
            ["added", "removed"]
                .iter()
                .find_map(|verb| text.split_once(&format!(" {verb} feature key")))
                .map(|(name, _)| name)
        });
    if let Some(name) = named.filter(|name| !name.contains(' ')) {
        person(name, draft);
    }
    // `User sato is locked out`: a lock is done to somebody.
    if let Some(name) = between(text, "User ", " is locked out").or_else(|| between(text, "User ", " is unlocked")) {
        draft.target_user(name);
    }
    if let Some(ip) = behind(text, "Source IP: ", &[' ']) {
        draft.source(ip);
        draft.destination(behind(text, "Destination IP: ", &[' ']).unwrap_or(""));
        draft.event.source_port = behind(text, "Source Port: ", &[' ']).and_then(port);
        draft.event.destination_port = behind(text, "Destination Port: ", &[' ']).and_then(port);
    }
    for mark in [
        " from ",
        "blocking host ",
        "DHCPREQUEST for ",
        "DHCPACK on ",
        "DHCPOFFER on ",
        ", ip=",
        "acquired IP address ",
    ] {
        draft.source(behind(text, mark, &[' ', ',', ')']).unwrap_or(""));
    }
    draft.assigned(
        behind(text, "virtual IP is ", &[' ', ','])
            .or_else(|| behind(text, "virtual IP address is ", &[' ', ',']))
            .unwrap_or(""),
    );
    // `3E00-0002` and `-0004` are told of managers too.
    let is_remote = says(text, &["sslvpn", "ssl vpn", "mobile vpn", "ikev2", "l2tp", "ipsec"]);
    let meaning = meaning(id, text, is_remote);
    if meaning.2 == Outcome::Failure {
        draft.reason(
            text.rsplit_once("rejected").map_or("", |(_, reason)| reason.trim_start_matches([',', ' ', '-', '.'])),
        );
    }
    let vpn_type = if says(text, &["l2tp"]) {
        "l2tp"
    } else if says(text, &["ikev2", "ipsec"]) {
        "ipsec"
    } else {
        "ssl"
    };
    draft.event.vpn_type = Some(vpn_type.to_owned()).filter(|_| is_remote);
    mean(draft, meaning);
}

fn meaning(id: &str, text: &str, is_remote: bool) -> Meaning {
    match id {
        "11000004" if is_remote => STEP,
        "11000004" => LOGIN,
        "11000005" => LOGIN_REFUSED,
        "11000007" => (Category::Authentication, Action::Detect, Outcome::Unknown),
        "1100000C" | "1100000D" | "1100000E" => STEP_REFUSED,
        // An administrator's own change to the configuration, and keys that switch functions on.
        "01010001" | "01010002" | "01020001" | "01020002" | "15000000" => CONFIG,
        _ if says(text, &["apt threat", "malware", "virus detected"]) => {
            (Category::Malware, Action::Detect, Outcome::Unknown)
        }
        _ if says(text, &["rejected", "login failed"]) && says(text, &["log in", "login", "authentication"]) => {
            LOGIN_REFUSED
        }
        _ if says(text, &["logged in"]) => {
            if is_remote {
                SESSION_START
            } else {
                LOGIN
            }
        }
        _ if says(text, &["logged out", "logged off"]) => {
            if is_remote {
                SESSION_END
            } else {
                LOGOUT
            }
        }
        _ if says(text, &["configuration"]) && says(text, &["saved", "changed", "updated", "modified"]) => CONFIG,
        _ if says(text, &["account"]) && says(text, &["added", "deleted", "changed", "created"]) => ACCOUNT,
        _ if says(text, &["attack detected", "spoofing", "temporarily blocking"]) => {
            (Category::Network, Action::Detect, Outcome::Unknown)
        }
        _ if id.starts_with('1') || id.starts_with("30") || id.starts_with("09") => NETWORK,
        _ => HOST,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn plain_lines_tell_utc_in_brackets() {
        check(
            r#"<142>Mar  3 11:14:08 fb1 80BE0A11 (2026-03-03T02:14:08) sslvpn[10]: msg_id="3E00-0002" SSL VPN user vendor01@Firebox-DB from 203.0.113.9 logged in assigned virtual IP is 10.1.1.2"#,
            &[
                ("@timestamp", "2026-03-03T02:14:08.000000Z"),
                ("observer.hostname", "fb1"),
                ("event.code", "3E00-0002"),
                ("event.action", "session-start"),
                ("vpn.type", "ssl"),
                ("user.name", "vendor01"),
                ("source.ip", "203.0.113.9"),
                ("vpn.assigned_ip", "10.1.1.2"),
                ("native.serial", "80BE0A11"),
            ],
        );
        check(
            r#"<142>Mar  3 11:14:08 fb1 80BE0A11 (2026-03-03T02:14:08) firewall[10]: msg_id="3000-0148" Deny 0-External Firebox 52 tcp 20 115 203.0.113.9 198.51.100.1 65006 3389 offset 8 S 18267 win 51200 (Unhandled External Packet-00)"#,
            &[
                ("source.ip", "203.0.113.9"),
                ("destination.ip", "198.51.100.1"),
                ("source.port", "65006"),
                ("destination.port", "3389"),
                ("event.action", "deny"),
                ("native.policy", "Unhandled External Packet-00"),
            ],
        );
    }

    #[test]
    fn leef_with_and_without_its_mark() {
        check(
            "1.0|WatchGuard|XTM|12.10|11000005|host_name=fb2#011serial=80BE0A11#011msg=Authentication of SSLVPN user [sato@radius] from 203.0.113.9 was rejected, Recv timeout",
            &[
                ("observer.hostname", "fb2"),
                ("event.code", "11000005"),
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("event.reason", "Recv timeout"),
                ("user.name", "sato"),
            ],
        );
        check(
            "LEEF:1.0|WatchGuard|XTM|12.8|30000151|serial=80BE\tpolicy=DNS-00\tdisp=Allow\tsrc=192.168.9.1\tsrcPort=52075\tdst=192.0.2.53\tdstPort=53\tsrc_user=sato@hospital.example\tduration=38\tsent_bytes=69\trcvd_bytes=185",
            &[
                ("user.name", "sato"),
                ("event.duration", "38000000000"),
                ("destination.bytes", "185"),
                ("event.action", "allow"),
            ],
        );
        check(
            "1.0|WatchGuard|XTM|12.10|11000004|serial=1#011msg=Authentication of SSLVPN user [sato@radius] from 203.0.113.9 was accepted",
            &[("event.action", "other"), ("event.outcome", "success")],
        );
        check(
            "1.0|WatchGuard|XTM|12.10|50000001|serial=1#011msg=WSM User <missing user name>@Firebox-DB from 203.0.113.9 log in attempt was rejected - unknown reason.",
            &[
                ("user.name", "-"),
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("source.ip", "203.0.113.9"),
            ],
        );
    }

    #[test]
    fn managers() {
        check(
            r#"<142>Mar  3 11:14:08 fb1 80BE (2026-03-03T02:14:08) sessiond[1]: msg_id="3E00-0002" Management user yamada@Firebox-DB from 192.0.2.9 logged in"#,
            &[("event.action", "login"), ("vpn.type", "-"), ("user.name", "yamada"), ("source.ip", "192.0.2.9")],
        );
    }

    #[test]
    fn who_changed_and_who_was_locked() {
        let line = |text: &str| format!("<142>Mar  3 11:14:08 fb1 80BE (2026-03-03T02:14:08) sessiond[1]: {text}");
        check(
            line(
                r#"msg_id="0101-0001" Management user yamada@Firebox-DB from 192.0.2.9 modified Blocked Sites Exceptions"#,
            ),
            &[("event.action", "config-change"), ("user.name", "yamada"), ("source.ip", "192.0.2.9")],
        );
        check(
            line(r#"msg_id="0102-0001" yamada added feature key 'AAAA'"#),
            &[("event.action", "config-change"), ("user.name", "yamada")],
        );
        check(
            line(r#"msg_id="1100-0007" User sato is locked out briefly after 3 login failures"#),
            &[("event.action", "detect"), ("user.name", "-"), ("user.target.name", "sato")],
        );
        check(
            line(
                r#"msg_id="1100-000D" Authentication of user [sato@radius] failed. Both primary and secondary servers are unavailable."#,
            ),
            &[("event.action", "other"), ("event.outcome", "failure"), ("user.name", "sato")],
        );
        check(
            line(r#"msg_id="7001-0002" Mobile device 1-2: user sato logged in."#),
            &[("event.action", "login"), ("user.name", "sato")],
        );
        check(
            line(
                r#"msg_id="0F01-0015" APT threat notified. Details='Policy Name: P Reason: r Source IP: 192.0.2.9 Source Port: 43130 Destination IP: 198.51.100.7 Destination Port: 443 Proxy Type: HTTP'"#,
            ),
            &[("event.category", "malware"), ("source.ip", "192.0.2.9"), ("destination.port", "443")],
        );
    }

    #[test]
    fn what_is_not_ours() {
        for line in ["msg_id=\"12\" x", "LEEF:1.0|Other|X|1|2|a=b", "x msg_id=\"3000-0148"] {
            check(line, &[("observer.vendor", if line.starts_with("LEEF") { "Other" } else { "-" })]);
        }
    }
}
