//! Cisco ISE and ACS: `CISE_Passed_Authentications 0001939187 4 0 TIME +09:00 SEQ 5200 NOTICE Class: text, key=value, …`.
//!
//! Format: Cisco, *Identity Services Engine Syslogs*. Quirks this file owns:
//! * A long message is cut into segments that share an id: `ID TOTAL NUMBER`; only the first has time, code and class. A
//!   segment may begin in the middle of a value. Relays take `CISE_…` for a tag and leave the id in front.
//! * Between pairs stands `, `; a comma inside a value is `\,` or, in old versions, bare.
//! * RADIUS attributes repeat; the first counts. `UserName` is who ISE found, `User-Name` what the device sent.
//! * The person sits at `Calling-Station-ID` or `Remote-Address` where that is an address; else the nearest known place
//!   is the device that asks. Where both stations are addresses somebody dials a VPN: he goes to `Called-Station-ID`, and
//!   not to ISE, which is only asked.
//! * Machines that a switch lets in by their address (MAB) or by 802.1X log in nowhere: only TACACS and VPN are logins.
//! * Alarms are prose with `key=value;` behind: `WARN: RADIUS Authentication Request dropped : Server=…; NAS IP Address=…`.

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime, address};
use super::gateway::says;
use super::scan::{behind, count, known, port, word};
use crate::header::Header;
use crate::stamp;

/// How far into a body the category is looked for: a second header may stand before it.
const BEFORE_BYTES_MAX: usize = 128;

/// Most pairs read of one segment.
const PAIRS_MAX: usize = monban_event::limits::NATIVE_FIELDS_MAX;

#[derive(Default)]
struct Message<'a> {
    /// A host that stands before the category without being one of the header's forms.
    host: Option<&'a str>,
    category: &'a str,
    is_acs: bool,
    time: Option<stamp::Stamp>,
    code: &'a str,
    class: &'a str,
    title: &'a str,
    pairs: &'a str,
    separator: char,
}

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(message) = find(header.body).or_else(|| alarm(header.body)) else { return false };
    let (dataset, product) = if message.is_acs { ("cisco.acs", "Secure ACS") } else { ("cisco.ise", "ISE") };
    draft.product("cisco", dataset, "Cisco", product);
    draft.rule("cisco_ise");
    draft.event.code = known(message.code);
    draft.event.observer_hostname = message.host.or(header.host).map(str::to_owned);
    draft.time = message.time.map(PayloadTime::Stamp);
    for (name, text) in [("category", message.category), ("class", message.class), ("title", message.title)] {
        draft.native(name, text);
    }
    let fields: Vec<(&str, &str)> = pairs(message.pairs, message.separator).take(PAIRS_MAX).collect();
    for (name, value) in &fields {
        draft.native(name, value);
    }
    fill(&message, &Fields(&fields), draft);
    true
}

struct Fields<'a, 'b>(&'b [(&'a str, &'a str)]);

impl<'a> Fields<'a, '_> {
    fn get(&self, name: &str) -> &'a str {
        self.0.iter().find(|(field, value)| *field == name && !value.is_empty()).map_or("", |(_, value)| *value)
    }
}

fn find(body: &str) -> Option<Message<'_>> {
    let head = body.get(..body.floor_char_boundary(BEFORE_BYTES_MAX)).unwrap_or(body);
    let may_be = memchr::memchr(b'_', head.as_bytes()).is_some();
    let marks: &[&str] = if may_be { &["CISE_", "CSCOacs_"] } else { &[] };
    let at = marks.iter().find_map(|mark| head.find(mark)).filter(|at| is_word_start(body, *at));
    let (before, category, rest) = match at {
        Some(at) => {
            let (category, rest) = word(body.get(at..)?);
            (body.get(..at)?, category.trim_end_matches(':'), rest)
        }
        None => ("", "", body),
    };
    let mut message = segment(rest).or_else(|| alarm(rest)).or_else(|| (at.is_some()).then(Message::default))?;
    message.category = category;
    message.is_acs = category.starts_with("CSCOacs_");
    message.host = before.split_ascii_whitespace().next_back();
    Some(message)
}

fn is_word_start(body: &str, at: usize) -> bool {
    body.get(..at).is_some_and(|before| before.is_empty() || before.ends_with(' '))
}

/// `0001939187 4 0 TIME +09:00 SEQ 5200 NOTICE Class: text, pairs`, or `0001939187 4 2  pairs`.
fn segment(text: &str) -> Option<Message<'_>> {
    let (id, rest) = word(text);
    let (total, rest) = word(rest);
    let (number, rest) = word(rest);
    let is_number = |text: &str| !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_id = id.len() == 10 && id.bytes().all(|byte| byte.is_ascii_digit());
    if !is_id || !is_number(total) || !is_number(number) {
        return None;
    }
    let rest = rest.trim_start();
    let mut message = Message { pairs: rest, separator: ',', ..Message::default() };
    if let Some((stamp, behind)) = stamp::read(rest) {
        message.time = Some(stamp);
        let (_, behind) = word(behind);
        let (code, behind) = word(behind);
        let (_, behind) = word(behind);
        let (class, behind) = behind.trim_start().split_once(": ").unwrap_or(("", behind));
        let (title, pairs) = behind.split_once(", ").unwrap_or((behind, ""));
        (message.code, message.class, message.title, message.pairs) = (code, class, title, pairs);
    }
    Some(message)
}

/// `INFO: Configuration Changed: Admin=…; Object Type=…`.
fn alarm(text: &str) -> Option<Message<'_>> {
    const MARKS: [&str; 4] = ["; Object Type=", "Network device IP=", "NAS IP Address=", "; Object Name="];
    if !text.starts_with(['I', 'W', 'C']) {
        return None;
    }
    let (level, rest) = text.split_once(": ")?;
    if !matches!(level, "INFO" | "WARN" | "WARNING" | "CRITICAL") || !MARKS.iter().any(|mark| rest.contains(mark)) {
        return None;
    }
    let (title, pairs) = rest.split_once(" : ").or_else(|| rest.split_once(": ")).unwrap_or((rest, ""));
    Some(Message { class: "Alarm", title, pairs, separator: ';', ..Message::default() })
}

/// `key=value` between separators; what has no `=` belongs to the value before and is passed over.
fn pairs(text: &str, separator: char) -> impl Iterator<Item = (&str, &str)> {
    let parts = text.split(separator).filter_map(|part| part.trim().split_once('='));
    parts.map(|(name, value)| (name.trim(), value.trim_end_matches('\\').trim()))
}

fn fill(message: &Message<'_>, fields: &Fields<'_, '_>, draft: &mut Draft<'_>) {
    const SOURCES: [&str; 9] = [
        "Calling-Station-ID",
        "Remote-Address",
        "AdminIPAddress",
        "EndpointIPAddress",
        "IpAddress",
        "Device IP Address",
        "NAS-IP-Address",
        "Network device IP",
        "NAS IP Address",
    ];
    for name in ["AdminName", "UserName", "User", "User-Name", "Admin"] {
        // ISE writes this word for a name that it does not know.
        draft.user(Some(fields.get(name)).filter(|name| *name != "INVALID").unwrap_or(""));
    }
    shell_login(message.code, fields.get("OperationMessageText"), draft);
    for name in SOURCES {
        draft.source(fields.get(name));
    }
    destination(fields, draft);
    // A machine of the domain that logs in by itself: the event is about the network that it enters.
    let machine = ["User-Name", "UserName"].into_iter().find_map(|name| fields.get(name).strip_prefix("host/"));
    draft.event.source_domain = machine.and_then(known);
    let mac = [fields.get("EndPointMACAddress"), fields.get("Calling-Station-ID")];
    draft.event.source_mac = mac.into_iter().find(|mac| mac.len() == 17 && address(mac).is_none()).and_then(known);
    draft.event.source_bytes = count(fields.get("Acct-Input-Octets"));
    draft.event.destination_bytes = count(fields.get("Acct-Output-Octets"));
    draft.event.duration_ns = fields.get("Acct-Session-Time").parse().ok().and_then(super::scan::seconds_ns);
    for name in ["FailureReason", "Failure Reason", "OperationMessageText"] {
        if draft.event.reason.is_none() {
            draft.reason(fields.get(name));
        }
    }
    let (category, action, outcome) = meaning(message, fields);
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

/// The gateway that was dialled, or ISE itself with its port.
fn destination(fields: &Fields<'_, '_>, draft: &mut Draft<'_>) {
    if address(fields.get("Calling-Station-ID")).is_some() {
        draft.destination(fields.get("Called-Station-ID"));
    }
    if draft.event.destination_ip.is_none() {
        draft.destination(fields.get("DestinationIPAddress"));
        let is_traffic = draft.event.destination_ip.is_some();
        draft.event.destination_port = port(fields.get("DestinationPort")).filter(|_| is_traffic);
    }
}

/// 60080 to 60082: what its sshd wrote, `Failed password for sato from 192.0.2.9 port 40000 ssh2`.
fn shell_login(code: &str, text: &str, draft: &mut Draft<'_>) {
    if matches!(code, "60080" | "60081" | "60082") {
        let user = behind(text, " for invalid user ", &[' ']).or_else(|| behind(text, " for ", &[' ']));
        draft.user(user.unwrap_or(""));
        draft.source(behind(text, " from ", &[' ']).unwrap_or(""));
    }
}

type Meaning = (Category, Action, Outcome);

fn meaning(message: &Message<'_>, fields: &Fields<'_, '_>) -> Meaning {
    use Category::{Authentication, Configuration, Host, Session};
    let failed = says(message.title, &["fail", "reject", "denied", "unsuccessful", "locked out"]);
    let outcome = if failed { Outcome::Failure } else { Outcome::Success };
    match (message.code, message.class) {
        ("51001", _) => (Authentication, Action::Login, Outcome::Success),
        ("51000", _) => (Authentication, Action::Login, Outcome::Failure),
        // Each cause of a refusal has its own number.
        (code, "Administrator-Login") if code.starts_with("510") && failed => {
            (Authentication, Action::Login, Outcome::Failure)
        }
        // 60080 is sshd's word for what 60115 tells of the command line; a refusal has the former alone.
        ("60113" | "60115" | "60078" | "5231", _) => (Authentication, Action::Login, Outcome::Success),
        ("60081" | "60082" | "60077" | "5418", _) => (Authentication, Action::Login, Outcome::Failure),
        ("60084", _) => (Category::Iam, Action::AccountChange, outcome),
        ("51002" | "51003" | "60114" | "60116" | "61077", _) => (Authentication, Action::Logout, Outcome::Success),
        (_, "Configuration-Changes") => (Configuration, Action::ConfigChange, outcome),
        (_, "Passed-Authentication") => (Authentication, login(fields), Outcome::Success),
        (_, "Failed-Attempt") => (Authentication, login(fields), Outcome::Failure),
        (_, "Device-Administration") if message.title.starts_with("Command ") => {
            (Configuration, Action::Other, outcome)
        }
        (_, "Administrator-Login" | "Device-Administration" | "Guest") => (Authentication, Action::Other, outcome),
        // Neither starts nor ends a tunnel that anybody dialled.
        (_, "Radius-Accounting" | "TACACS-Accounting") => (Session, Action::Other, Outcome::Unknown),
        (_, "Alarm") if message.title.contains("Configuration Changed") => {
            (Configuration, Action::ConfigChange, Outcome::Success)
        }
        _ => (Host, Action::Other, Outcome::Unknown),
    }
}

/// Whether the authentication is a person's way into something.
fn login(fields: &Fields<'_, '_>) -> Action {
    let tacacs = fields.get("Protocol") == "Tacacs";
    let vpn = fields.get("NAS-Port-Type") == "Virtual" || address(fields.get("Calling-Station-ID")).is_some();
    let host = fields.get("UseCase") == "Host Lookup" || fields.get("Service-Type") == "Call Check";
    if (tacacs || vpn) && !host { Action::Login } else { Action::Other }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn administrators() {
        check(
            r"<165>Mar  3 09:00:00 ise1 CISE_Administrative_and_Operational_Audit 0026935732 1 0 2026-03-03 09:00:00.538 +09:00 0264007760 51000 NOTICE Administrator-Login: Administrator authentication failed, ConfigVersionId=118, AdminInterface=GUI, AdminIPAddress=192.0.2.7, AdminName=sato, OperationMessageText=invalid user or password\, or account is disabled,",
            &[
                ("event.dataset", "cisco.ise"),
                ("event.code", "51000"),
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("observer.hostname", "ise1"),
                ("@timestamp", "2026-03-03T00:00:00.538000Z"),
            ],
        );
        check(
            "INFO: Configuration Changed: Admin=sato; Object Type=EPPurgeScheduler; Object Name=x",
            &[("event.action", "config-change"), ("user.name", "sato")],
        );
    }

    #[test]
    fn each_door_of_the_box() {
        let line = |code: &str, text: &str| {
            format!(
                "<181>Mar  3 09:00:00 ise1 CISE_Administrative_and_Operational_Audit 0000116901 1 0 2026-03-03 09:00:00.654 +09:00 0000116968 {code} NOTICE {text},"
            )
        };
        for (code, text, action, outcome) in [
            (
                "51021",
                "Administrator-Login: Administrator authentication failed. Wrong password., AdminIPAddress=192.0.2.9, AdminName=sato",
                "login",
                "failure",
            ),
            (
                "60081",
                "Administrator-Login: A SSH CLI user has attempted unsuccessfully to login, OperationMessageText=Failed password for sato from 192.0.2.9 port 36953 ssh2",
                "login",
                "failure",
            ),
            (
                "60080",
                "Administrator-Login: A SSH CLI user has successfully logged in, OperationMessageText=Accepted password for sato from 192.0.2.9 port 36953 ssh2",
                "other",
                "success",
            ),
            (
                "60115",
                "Administrator-Login: A CLI user has logged in from SSH, AdminIPAddress=192.0.2.9, AdminName=sato",
                "login",
                "success",
            ),
            (
                "60116",
                "Administrator-Login: A CLI user has logged out from SSH, AdminIPAddress=192.0.2.9, AdminName=sato",
                "logout",
                "success",
            ),
            (
                "60077",
                "MyDevices: MyDevices user authentication has failed, UserName=sato, IpAddress=192.0.2.9",
                "login",
                "failure",
            ),
        ] {
            check(
                line(code, text),
                &[
                    ("event.action", action),
                    ("event.outcome", outcome),
                    ("user.name", "sato"),
                    ("source.ip", "192.0.2.9"),
                ],
            );
        }
        check(
            line("5418", "Guest: Guest Authentication Failed, UserName=INVALID, IpAddress=192.0.2.9"),
            &[("user.name", "-"), ("event.outcome", "failure"), ("source.ip", "192.0.2.9")],
        );
    }

    #[test]
    fn network_access() {
        let line = |code: &str, class: &str, more: &str| {
            format!(
                "0000248509 3 0 2026-03-03 09:00:00.264 +09:00 0005365098 {code} NOTICE {class}: Authentication done, ConfigVersionId=88, Device IP Address=192.0.2.3, DestinationIPAddress=192.0.2.4, DestinationPort=1812, UserName=yamada, User-Name=yamada, {more},"
            )
        };
        check(
            line("5400", "Failed-Attempt", "Calling-Station-ID=203.0.113.9, NAS-Port-Type=Virtual"),
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("source.ip", "203.0.113.9"),
                ("destination.ip", "192.0.2.4"),
                ("destination.port", "1812"),
            ],
        );
        check(
            line(
                "5200",
                "Passed-Authentication",
                "Called-Station-ID=198.51.100.1, Calling-Station-ID=203.0.113.9, NAS-Port-Type=Virtual",
            ),
            &[("source.ip", "203.0.113.9"), ("destination.ip", "198.51.100.1"), ("destination.port", "-")],
        );
        check(
            line(
                "5200",
                "Passed-Authentication",
                "Called-Station-ID=198.51.100.1, Calling-Station-ID=02-00-5E-10-00-01",
            ),
            &[("destination.ip", "192.0.2.4"), ("destination.port", "1812"), ("source.domain", "-")],
        );
        check(
            "<181>Mar  3 09:00:00 ise1 CISE_Passed_Authentications 0000453439 1 0 2026-03-03 09:00:00.365 +09:00 0007121364 5200 NOTICE Passed-Authentication: Authentication succeeded, UserName=PC3$@hospital.example, User-Name=host/PC3.hospital.example, Calling-Station-ID=02-00-5E-10-00-01,",
            &[("source.domain", "PC3.hospital.example"), ("user.name", "pc3$"), ("observer.hostname", "ise1")],
        );
        check(
            line("5200", "Passed-Authentication", "Service-Type=Call Check, Calling-Station-ID=AA-BB-CC-DD-EE-01"),
            &[("event.action", "other"), ("source.ip", "192.0.2.3"), ("source.mac", "AA-BB-CC-DD-EE-01")],
        );
    }

    #[test]
    fn segments_and_relays() {
        check(
            "<111>Mar  3 09:00:01 relay1 Mar  3 09:00:00 ise1 CISE_System_Statistics 0000001313 4 1  part two, UserName=yamada,",
            &[("observer.hostname", "ise1"), ("native.category", "CISE_System_Statistics"), ("user.name", "yamada")],
        );
        for line in ["1234567890 x", "WARN: something: else", "0001 4 0 x", "Mar  3 09:00:00 h a: xCISE_Alarm y"] {
            assert_ne!(parse(line.as_bytes()).module.as_deref(), Some("cisco"), "{line}");
        }
    }
}
