//! Citrix `NetScaler` (ADC) and its Gateway.
//!
//! Format: Citrix, *`NetScaler` Syslog Message Reference*. Quirks this file owns:
//! * `mm/dd/yyyy:hh:mm:ss GMT host 0-PPE-0 : default FEATURE EVENT id n : text`; the order of the date is a setting, the
//!   zone may be blank. `default` and the feature may be missing; a CSV export puts the line in quotes and doubles its own.
//! * The text is `key value` joined with ` - `; values may be quoted and hold ` - ` themselves. `Group(s)` and `Vserver` of
//!   HTTP requests are joined with ` : ` instead.
//! * `SSLVPN LOGIN` and `LOGOUT` are the user's session; `AAA LOGIN_FAILED` the refusal.
//! * Every command of an administrator is `CMD_EXECUTED`; the command's first word says whether it changes anything.
//! * `Total_bytes_send` is what the client sent.

use std::borrow::Cow;

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime, address};
use super::gateway::{
    ACCOUNT, ALLOW, CONFIG, DENY, HOST, LOGIN, LOGIN_REFUSED, LOGOUT, Meaning, NETWORK, SESSION, STEP, failed, mean,
    says,
};
use super::scan::{address_and_port, behind, between, clock_duration_ns, count, known, port, word};
use crate::header::Header;
use crate::stamp;

/// How far into a body the mark of the message is looked for.
const MARK_BYTES_MAX: usize = 192;

/// The first word of a message.
pub(super) const FEATURES: [&str; 22] = [
    "SSLVPN",
    "AAA",
    "AAATM",
    "TCP",
    "UDP",
    "SSLLOG",
    "APPFW",
    "GUI",
    "CLI",
    "API",
    "EVENT",
    "SNMP",
    "ACL",
    "ROUTING",
    "LSN",
    "ICA",
    "RESPONDER",
    "REWRITE",
    "BOT",
    "NS_ACL",
    "IPFIX",
    "AUTHN",
];

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let found = message(header, draft) || shell(header.body, draft) || web(header.body, draft);
    if found {
        draft.product("citrix", "citrix.netscaler", "Citrix", "NetScaler");
        draft.event.observer_hostname = draft.event.observer_hostname.take().or(header.host.map(str::to_owned));
        // A box without a name leaves its place empty, and the packet engine slides into it.
        draft.event.observer_hostname.take_if(|host| host.contains("-PPE-"));
    }
    found
}

/// The parts of `default FEATURE EVENT id n : text`.
struct Message<'a> {
    before: &'a str,
    feature: &'a str,
    event: &'a str,
    text: &'a str,
}

fn find(body: &str) -> Option<Message<'_>> {
    let head = body.get(..body.floor_char_boundary(MARK_BYTES_MAX))?;
    let (before, rest) = match head.find(" : ") {
        _ if body.starts_with("default ") => ("", body),
        Some(at) if is_place(body.get(..at)?) => (body.get(..at)?, body.get(at + 3..)?),
        _ => ("", body),
    };
    let is_marked = !before.is_empty() || rest.starts_with("default ");
    let rest = rest.strip_prefix("default ").unwrap_or(rest);
    let (first, behind_first) = word(rest);
    let (second, behind_second) = word(behind_first);
    // `default CMD_EXECUTED 500593 0 : …` names no feature.
    let (feature, event, tail) =
        if is_number(second) { ("", first, behind_first) } else { (first, second, behind_second) };
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_uppercase())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let (numbers, text) =
        tail.trim_start().strip_prefix(": ").map(|text| ("", text)).or_else(|| tail.split_once(" :"))?;
    let counted = numbers.split(' ').all(|number| number.is_empty() || is_number(number));
    let known = is_feature(feature) && (!numbers.is_empty() || event == "Message" || is_marked);
    ((is_marked || known) && is_word(event) && counted && (feature.is_empty() || is_feature(feature)))
        .then(|| Message { before, feature, event, text: text.trim() })
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// The packet engine: `0-PPE-0`, or a word in capitals.
fn is_place(before: &str) -> bool {
    let last = before.rsplit(' ').next().unwrap_or(before);
    last.contains("PPE") || (last.len() <= 16 && last.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-'))
}

fn is_feature(word: &str) -> bool {
    FEATURES.contains(&word)
}

fn message(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    // RFC 5424 senders put the feature where the program stands, and the event alone behind `default`.
    let app = header.app.filter(|app| is_feature(app)).unwrap_or("");
    let unquoted =
        header.body.strip_prefix('"').map(|body| Cow::Owned(body.trim_end_matches('"').replace("\"\"", "\"")));
    let (body, stamp) = match &unquoted {
        Some(body) => match stamp::read_netscaler(body) {
            Some((stamp, rest)) => (rest.trim_start(), Some(stamp)),
            None => return false,
        },
        None => (header.body, None),
    };
    let Some(found) = find(body).or_else(|| find(header.message)) else { return false };
    if let Some(stamp) = stamp {
        draft.time = Some(PayloadTime::Stamp(stamp));
        draft.event.observer_hostname = known(word(found.before).0);
    }
    if header.app == Some("svm_service") {
        // An SDX puts the instance behind its own tag.
        draft.event.observer_hostname = known(word(header.message).0);
    }
    let is_unnamed = header.host.is_none_or(|host| address(host).is_some());
    if is_unnamed && draft.time.is_none() {
        own_header(found.before, draft);
    }
    draft.event.code = Some(found.event.to_owned());
    let feature = if found.feature.is_empty() { app } else { found.feature };
    draft.native("feature", feature);
    draft.rule("netscaler");
    fill(feature, &found, draft);
    true
}

/// `<local0.info> 192.0.2.1 03/03/2026:02:14:08 GMT ns1 0-PPE-0`: the file `ns.log` has the device's own header behind
/// that of the box's syslog.
fn own_header(before: &str, draft: &mut Draft<'_>) {
    let starts = std::iter::once(0).chain(before.match_indices(' ').map(|(at, _)| at + 1));
    let found = starts.filter_map(|at| before.get(at..)).find_map(stamp::read_netscaler);
    if let Some((stamp, rest)) = found {
        draft.time = Some(PayloadTime::Stamp(stamp));
        if draft.event.observer_hostname.is_none() {
            draft.event.observer_hostname = rest.trim().rsplit_once(' ').and_then(|(host, _)| known(host));
        }
    }
}

fn fill(feature: &str, found: &Message<'_>, draft: &mut Draft<'_>) {
    let mut command = "";
    let mut status = "";
    for part in parts(found.text) {
        let (key, value) = key_of(without_labels(part));
        match key {
            "Command" => command = value,
            "Status" => status = value,
            _ => fill_key(key, value, draft),
        }
        draft.native(key, value);
    }
    if let Some(name) = between(found.text, "User <", ">").or_else(|| between(found.text, " User ", " :")) {
        draft.user(name);
    }
    for mark in ["Srcip: ", "Context "] {
        let value = behind(found.text, mark, &[',', ' ']).unwrap_or("");
        draft.source(value.rsplit('@').next().unwrap_or(value));
    }
    draft.destination(behind(found.text, "Dstip: ", &[',', ' ']).unwrap_or(""));
    if feature == "APPFW" {
        draft.source(word(found.text).0);
    }
    let meaning =
        if found.event == "CMD_EXECUTED" { administration(command, status, draft) } else { meaning(feature, found) };
    let is_remote = matches!(feature, "SSLVPN" | "ICA") || (feature == "AAA" && found.event == "LOGIN_FAILED");
    draft.event.vpn_type = Some("ssl".to_owned()).filter(|_| is_remote);
    mean(draft, meaning);
}

/// Parts between ` - ` outside of quotes.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut quoted = false;
        let end = text.as_bytes().windows(3).position(|three| {
            quoted ^= three.starts_with(b"\"");
            !quoted && three == b" - "
        });
        let (part, behind) = match end {
            Some(end) => (text.get(..end)?, text.get(end + 3..)),
            None => (text, None),
        };
        rest = behind;
        Some(part.trim())
    })
    .take(monban_event::limits::NATIVE_FIELDS_MAX)
}

/// `[TECHSUPPORT][LAUNCH] User sato`: newer releases put labels before a pair.
fn without_labels(part: &str) -> &str {
    let mut rest = part;
    while let Some((_, behind)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        rest = behind.trim_start();
    }
    if rest.is_empty() { part } else { rest }
}

/// `Start Time 03/03/2026:…`, `SessionId: 77`, `Client_ip 203.0.113.9`, `Failure_reason "…"`.
fn key_of(part: &str) -> (&str, &str) {
    for key in ["Start Time", "End Time", "Delink Time"] {
        if let Some(value) = part.strip_prefix(key) {
            return (key, value.trim());
        }
    }
    let (key, value) = word(part);
    (key.trim_end_matches(':'), value.trim().trim_matches('"'))
}

fn fill_key(key: &str, value: &str, draft: &mut Draft<'_>) {
    match key {
        "User" | "Username" => draft.user(word(value).0),
        // ICA names the account and its domain in one.
        "username:domainname" => draft.user(value.split(':').next().unwrap_or(value)),
        "Client_ip" | "ClientIP" | "Remote_ip" => draft.source(value),
        "ClientPort" => draft.event.source_port = port(value),
        "SessionId" => draft.event.vpn_session_id = known(word(value).0.trim_end_matches('-')),
        "Source" => {
            if let Some((ip, number)) = address_and_port(value) {
                draft.source(ip);
                draft.event.source_port = number;
            }
        }
        "Destination" => {
            if let Some((ip, number)) = address_and_port(value) {
                draft.destination(ip);
                draft.event.destination_port = number;
            }
        }
        "VserverServiceIP" => draft.destination(value),
        "VserverServicePort" => draft.event.destination_port = port(value),
        "Intranet_ip" | "IntranetIP" | "Assigned_ip" => draft.assigned(value),
        "Total_bytes_send" => draft.event.source_bytes = count(value),
        "Total_bytes_recv" => draft.event.destination_bytes = count(value),
        "Duration" => draft.event.duration_ns = clock_duration_ns(value),
        "Failure_reason" | "Reason" | "LogoutMethod" | "Denied_by_policy" => draft.reason(value),
        "Group(s)" => draft.event.vpn_group = known(value.split(':').next().unwrap_or(value).trim().trim_matches('"')),
        _ => {}
    }
}

fn meaning(feature: &str, found: &Message<'_>) -> Meaning {
    match found.event {
        "LOGIN" => LOGIN,
        "LOGIN_FAILED" => LOGIN_REFUSED,
        "LOGOUT" => LOGOUT,
        "EXTRACTED_GROUPS" => STEP,
        "TCPCONNSTAT" | "UDPFLOWSTAT" | "HTTPREQUEST" => ALLOW,
        "TCPCONN_TIMEDOUT" | "ICASTART" | "ICAEND_CONNSTAT" => SESSION,
        event if event.ends_with("RESOURCEACCESS_DENIED") => DENY,
        "Message" if says(found.text, &["result is deny"]) => DENY,
        event if feature == "APPFW" => {
            let blocked = found.text.ends_with("<blocked>") || says(event, &["deny"]);
            (Category::Network, Action::Detect, if blocked { Outcome::Failure } else { Outcome::Unknown })
        }
        event if event.ends_with("_FAILURE") => failed(NETWORK),
        _ if matches!(feature, "TCP" | "UDP" | "SSLLOG" | "ACL" | "LSN") => NETWORK,
        _ if matches!(feature, "AAA" | "AAATM" | "SSLVPN") => SESSION,
        _ => HOST,
    }
}

/// `add system user sato …`, `login …`, `show …`.
fn administration(command: &str, status: &str, draft: &mut Draft<'_>) -> Meaning {
    const CHANGES: [&str; 20] = [
        "add", "set", "rm", "bind", "unbind", "unset", "enable", "disable", "apply", "clear", "save", "import",
        "update", "create", "delete", "rename", "install", "change", "restore", "link",
    ];
    let (verb, rest) = word(command);
    let refused = says(status, &["error", "fail", "denied", "not authorized"]);
    let meaning = match verb {
        "login" => LOGIN,
        "logout" => LOGOUT,
        _ if !CHANGES.contains(&verb) => (Category::Configuration, Action::Other, Outcome::Success),
        _ if rest.starts_with("system user ") || rest.starts_with("aaa user ") => {
            draft.target_user(rest.split(' ').nth(2).unwrap_or(""));
            ACCOUNT
        }
        _ => CONFIG,
    };
    if refused {
        draft.reason(status);
        failed(meaning)
    } else {
        meaning
    }
}

/// The appliance's shell: `root on /dev/pts/0 shell_command="…"`.
fn shell(body: &str, draft: &mut Draft<'_>) -> bool {
    let Some((before, command)) = body.split_once(" shell_command=\"") else { return false };
    let Some((user, _)) = before.split_once(" on ") else { return false };
    draft.user(user.rsplit(' ').next().unwrap_or(user));
    draft.event.process_command_line = Some(command.trim_end().trim_end_matches('"').to_owned());
    draft.rule("netscaler.shell");
    mean(draft, (Category::Process, Action::Other, Outcome::Unknown));
    true
}

/// The management web server: `192.0.2.9 -> 192.0.2.1 - - [03/Mar/2026:02:14:08 +0900] [1571] "GET … HTTP/1.1" 200 …`.
fn web(body: &str, draft: &mut Draft<'_>) -> bool {
    let Some((source, rest)) = body.split_once(" -> ").filter(|(source, _)| source.len() <= 45) else { return false };
    let (destination, rest) = word(rest);
    if address_and_port(source).is_none() || address_and_port(destination).is_none() || !rest.starts_with("- ") {
        return false;
    }
    draft.source(source);
    draft.destination(destination);
    draft.time = between(rest, "[", "]").and_then(web_time);
    draft.native("request", between(rest, "] \"", "\"").unwrap_or(""));
    draft.rule("netscaler.web");
    mean(draft, ALLOW);
    true
}

/// `03/Mar/2026:02:14:08 +0900`.
fn web_time(text: &str) -> Option<PayloadTime> {
    let (day, rest) = text.split_once('/')?;
    let (month, rest) = rest.split_once('/')?;
    let (year, clock) = rest.split_once(':')?;
    let (clock, offset) = clock.split_once(' ')?;
    let (mut stamp, _) = stamp::read(&format!("{month} {day} {year} {clock}"))?;
    stamp.offset = stamp::offset(offset);
    Some(PayloadTime::Stamp(stamp))
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn sessions_of_the_gateway() {
        check(
            r#"<134> 03/02/2026:17:14:08 GMT ns1 0-PPE-0 : default SSLVPN LOGIN 123 0 : Context vendor01@203.0.113.9 - SessionId: 77 - User vendor01 - Client_ip 203.0.113.9 - Nat_ip "Mapped Ip" - Vserver 198.51.100.1:443 - Browser_type "Mozilla/5.0 (a - b)" - SSLVPN_client_type Agent - Group(s) "MAINT""#,
            &[
                ("@timestamp", "2026-03-02T17:14:08.000000Z"),
                ("observer.hostname", "ns1"),
                ("event.code", "LOGIN"),
                ("event.action", "login"),
                ("user.name", "vendor01"),
                ("source.ip", "203.0.113.9"),
                ("vpn.session_id", "77"),
                ("vpn.type", "ssl"),
                ("vpn.group", "MAINT"),
                ("native.Browser_type", "Mozilla/5.0 (a - b)"),
            ],
        );
        check(
            r#"03/02/2026:17:20:08 GMT ns1 0-PPE-0 : default SSLVPN LOGOUT 124 0 : Context sato@203.0.113.9 - SessionId: 77 - User sato - Client_ip 203.0.113.9 - Start_time "03/02/2026:17:14:08 GMT" - Duration 00:06:00 - Total_bytes_send 100 - Total_bytes_recv 2000 - LogoutMethod "Explicit" - Group(s) "N/A""#,
            &[
                ("event.action", "logout"),
                ("event.duration", "360000000000"),
                ("source.bytes", "100"),
                ("event.reason", "Explicit"),
            ],
        );
        check(
            r#"03/02/2026:17:14:08 GMT ns1 0-PPE-0 : default AAA LOGIN_FAILED 12 0 : User sato - Client_ip 203.0.113.9 - Failure_reason "External authentication server denied access""#,
            &[
                ("event.outcome", "failure"),
                ("event.reason", "External authentication server denied access"),
                ("vpn.type", "ssl"),
            ],
        );
    }

    #[test]
    fn administrators() {
        check(
            r#"03/02/2026:17:14:08 GMT ns1 0-PPE-0 : default CLI CMD_EXECUTED 13 0 : User nsroot - ADM_User NONE - Remote_ip 192.0.2.9 - Command "add system user sato *****" - Status "Success""#,
            &[
                ("event.action", "account-change"),
                ("user.target.name", "sato"),
                ("user.name", "nsroot"),
                ("source.ip", "192.0.2.9"),
            ],
        );
        check(
            r#"default CMD_EXECUTED 13 0 :  User yamada - ADM_User NONE - Remote_ip 192.0.2.9 - Command "show ns config" - Status "Success""#,
            &[("event.action", "other"), ("event.code", "CMD_EXECUTED"), ("user.name", "yamada")],
        );
        check(r#"root on /dev/pts/0 shell_command="id""#, &[("user.name", "root"), ("process.command_line", "id")]);
    }

    #[test]
    fn exported_lines_are_quoted_twice() {
        check(
            r#""2026/03/03:02:14:08  ns1 0-PPE-1 : default SSLVPN NONHTTP_RESOURCEACCESS_DENIED 9 0 : Context sato@203.0.113.7 - SessionId: 12 - User sato - Client_ip 203.0.113.9 - Source 203.0.113.9:50130 - Destination 192.0.2.5:514 - Denied_by_policy ""AUTHZ_DENY""  - Group(s) ""a,b""""#,
            &[
                ("@timestamp", "2026-03-02T17:14:08.000000Z"),
                ("observer.hostname", "ns1"),
                ("event.action", "deny"),
                ("source.port", "50130"),
                ("destination.port", "514"),
                ("event.reason", "AUTHZ_DENY"),
            ],
        );
    }

    #[test]
    fn the_box_has_a_header_of_its_own() {
        check(
            "Mar  3 02:14:08 <local0.info> 192.0.2.1 03/02/2026:17:14:08 GMT ns1 0-PPE-0 : default AAA LOGIN_FAILED 12 0 : User sato - Client_ip 203.0.113.9",
            &[("@timestamp", "2026-03-02T17:14:08.000000Z"), ("observer.hostname", "ns1"), ("user.name", "sato")],
        );
    }

    #[test]
    fn web_server_and_others() {
        check(
            r#"192.0.2.9 -> 192.0.2.1 - - [03/Mar/2026:02:14:08 +0900] [1571] "GET /nitro HTTP/1.1" 200 12"#,
            &[
                ("source.ip", "192.0.2.9"),
                ("destination.ip", "192.0.2.1"),
                ("@timestamp", "2026-03-02T17:14:08.000000Z"),
            ],
        );
        for line in
            ["INFO : x y : z", "default route : x", "a -> b - c", "Mar  3 02:14:08 h app: X : default value 5 : y"]
        {
            check(line, &[("observer.product", "-")]);
        }
    }
}
