//! Symantec Endpoint Protection Manager's external logging: values between commas, some of them `Key: value`.
//!
//! Format: Broadcom, *External Logging settings and log event severity levels for Endpoint Protection Manager*. Quirks
//! this file owns:
//! * The tag is `SymantecServer`, with or without the server's name; file dumps have no header at all.
//! * Every kind of log has its own mixture: the first value is the computer (traffic, security, system, behaviour), the
//!   event (risks), or `Site:` (the manager's own and the clients' activity, whose last three values are computer,
//!   account and domain).
//! * Texts are in the manager's language, keys are English. Older versions say `Local:`/`Remote:`, newer
//!   `Local Host IP:`/`Remote Host IP:`.
//! * `none`, `Aucun(e)`, `なし` are nobody.
//! * Times in a body have no zone, and some logs use UTC, others the manager's clock: they count only without a header.

use std::borrow::Cow;

use monban_event::{Action, Category, Outcome, account};

use super::csv;
use super::daemon::{is_denied, moment, traffic};
use super::draft::{Draft, address};
use super::scan::port;
use crate::header::Header;

/// Keys that decide something; every `Key: value` becomes native.
#[derive(Default)]
struct Keys<'a> {
    values: Vec<(&'a str, &'a str)>,
    /// Values without a key, in order.
    bare: Vec<&'a str>,
}

impl<'a> Keys<'a> {
    fn read(values: &'a [Cow<'a, str>]) -> Self {
        let mut keys = Self::default();
        for value in values {
            match value.split_once(':').filter(|(key, rest)| is_key(key, rest)) {
                Some((key, rest)) => keys.values.push((key.trim(), rest.trim())),
                None => keys.bare.push(value.trim()),
            }
        }
        keys
    }

    fn get(&self, names: &[&str]) -> &'a str {
        let found = names.iter().find_map(|name| self.values.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)));
        found.map_or("", |(_, value)| value)
    }

    fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(key, _)| *key == name)
    }
}

/// `Local Host IP: …` is a key; `C:\…`, `e:/x` and `http://…` are not.
fn is_key(key: &str, rest: &str) -> bool {
    let key = key.trim();
    (3..=40).contains(&key.len())
        && key.starts_with(|first: char| first.is_ascii_uppercase())
        && key.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, ' ' | '-' | '(' | ')'))
        && (rest.is_empty() || rest.starts_with(' '))
}

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let is_tagged = header.app == Some("SymantecServer") || header.body.starts_with("SymantecServer");
    if !is_tagged && !looks_exported(header.body) {
        return false;
    }
    let text = header.body.strip_prefix("SymantecServer").and_then(|rest| rest.split_once(':'));
    let text = text.map_or(header.body, |(_, rest)| rest);
    let values: Vec<Cow<'_, str>> = csv::values(text.trim_start(), b',').collect();
    let keys = Keys::read(&values);
    draft.product("symantec", "symantec.endpoint_protection", "Symantec", "Endpoint Protection");
    draft.rule("symantec.csv");
    for (key, value) in &keys.values {
        draft.native(key, value);
    }
    for value in &keys.bare {
        draft.native("text", value);
    }
    draft.event.observer_hostname = header.host.map(str::to_owned);
    if header.time.is_none() {
        let time = keys.get(&["Event time", "Begin", "Begin Time", "Event Insert Time"]);
        draft.time = moment(time);
    }
    fill(&keys, draft);
    true
}

/// A body without tag is Symantec's only with keys that stand together nowhere else.
fn looks_exported(body: &str) -> bool {
    const PAIRS: [[&str; 2]; 5] = [
        ["Site: ", ",Server Name: "],
        [",Begin: ", ",End Time: "],
        [",Category: ", ",Event time: "],
        [",Computer name: ", ",Actual action: "],
        [",Local Host IP: ", ",Remote Host IP: "],
    ];
    let has = |text: &str| memchr::memmem::find(body.as_bytes(), text.as_bytes()).is_some();
    memchr::memchr(b',', body.as_bytes()).is_some() && PAIRS.iter().any(|pair| pair.iter().all(|text| has(text)))
}

fn fill(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    draft.reason(keys.get(&["Event Description"]));
    for name in ["User Name", "User", "User1", "Admin"] {
        draft.user(somebody(keys.get(&[name])));
    }
    if keys.has("Site") {
        return manager(keys, draft);
    }
    let computer = keys.get(&["Computer name", "Computer"]);
    // In the other logs the computer is the first value.
    let first = keys.bare.first().copied().filter(|first| is_computer(first)).unwrap_or("");
    let computer = if computer.is_empty() { first } else { computer };
    draft.event.host_name = Some(computer.to_owned()).filter(|name| !account::is_null_word(name));
    if keys.has("Local Host IP") || keys.has("Local") {
        ends(keys, draft);
    } else if keys.has("Risk name") || keys.has("Actual action") {
        risk(keys, draft);
    } else {
        endpoint(keys, draft);
    }
}

fn is_computer(text: &str) -> bool {
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=63).contains(&text.len()) && text.bytes().all(is_name_byte)
}

fn somebody(name: &str) -> &str {
    const NOBODY: [&str; 6] = ["none", "Aucun(e)", "Aucun", "なし", "Keine", "Ninguno"];
    if NOBODY.iter().any(|nobody| nobody.eq_ignore_ascii_case(name)) { "" } else { name }
}

/// The manager's own logs (logins, policies) and the activity of clients.
fn manager(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    if keys.has("Admin") {
        let text = keys.bare.join(" ");
        let says = |words: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").contains(words);
        let (category, action, outcome) = if says("log on succeeded") {
            (Category::Authentication, Action::Login, Outcome::Success)
        } else if says("log on failed") {
            (Category::Authentication, Action::Login, Outcome::Failure)
        } else if says("log off") {
            (Category::Authentication, Action::Logout, Outcome::Success)
        } else if keys.has("Event Description") {
            (Category::Configuration, Action::ConfigChange, Outcome::Success)
        } else {
            (Category::Host, Action::Other, Outcome::Unknown)
        };
        draft.kind(category, action);
        draft.event.outcome = Some(outcome);
        return;
    }
    draft.kind(Category::Host, Action::Other);
    // A text with a comma of its own would shift the columns: the last three are names without blanks.
    if let [.., text, computer, person, domain] = keys.bare.as_slice()
        && is_computer(computer)
        && (domain.is_empty() || is_computer(domain))
    {
        draft.event.host_name = Some((*computer).to_owned()).filter(|name| !account::is_null_word(name));
        draft.user(somebody(person));
        draft.reason(text);
    }
}

/// Traffic and attacks: local and remote, the direction says who acts.
fn ends(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    let local = (keys.get(&["Local Host IP", "Local"]), keys.get(&["Local Port"]));
    let remote = (keys.get(&["Remote Host IP"]), keys.get(&["Remote Port"]));
    let old_remote = keys.values.iter().find(|(key, value)| *key == "Remote" && address(value).is_some());
    let remote = (if remote.0.is_empty() { old_remote.map_or("", |(_, value)| value) } else { remote.0 }, remote.1);
    let is_inbound = keys.bare.iter().any(|word| word.eq_ignore_ascii_case("inbound"));
    let (from, to) = if is_inbound { (remote, local) } else { (local, remote) };
    draft.source(from.0);
    draft.event.source_port = port(from.1).filter(|port| *port > 0);
    draft.destination(to.0);
    draft.event.destination_port = port(to.1).filter(|port| *port > 0);
    match is_denied(keys.get(&["Action"])) {
        Some(denied) => traffic(draft, denied),
        None => draft.kind(Category::Network, Action::Detect),
    }
}

/// Something was found on an endpoint: its address, and what was done.
fn risk(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    draft.source(keys.get(&["IP Address"]));
    draft.reason(keys.bare.first().copied().unwrap_or(""));
    draft.kind(Category::Malware, Action::Detect);
}

/// Scans, behaviour control, system events of a client; behaviour control has the address second.
fn endpoint(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    draft.source(keys.get(&["IP Address"]));
    draft.source(keys.bare.get(1).copied().unwrap_or(""));
    draft.kind(Category::Host, Action::Other);
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn administrators_of_the_manager() {
        let line = |what: &str| {
            format!(
                "<54>Mar  3 09:00:00 sepm1 SymantecServer: Site: Main,Server Name: sepm1,Domain Name: Default,\
                 Admin: yamada,Administrator  {what}"
            )
        };
        check(
            line("log on succeeded"),
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "yamada"),
                ("observer.hostname", "sepm1"),
            ],
        );
        check(line("log on failed"), &[("event.action", "login"), ("event.outcome", "failure")]);
        check(line("log off"), &[("event.action", "logout")]);
    }

    #[test]
    fn clients_of_the_manager() {
        check(
            "Site: Main,Server Name: sepm1,Domain Name: Default,The client has downloaded the content,ws1,sato,hospital.example",
            &[("host.name", "ws1"), ("user.name", "sato"), ("event.action", "other")],
        );
    }

    #[test]
    fn traffic_in_both_directions() {
        let line = |direction: &str| {
            format!(
                "<54>Mar  3 09:00:00 sepm1 SymantecServer: ws1,Local Host IP: 192.0.2.5,Local Port: 445,Remote Host IP: \
                 203.0.113.9,Remote Port: 40000,{direction},Application: C:/a.exe,User: none,Action: Blocked"
            )
        };
        let inbound = [("source.ip", "203.0.113.9"), ("destination.ip", "192.0.2.5"), ("destination.port", "445")];
        check(line("Inbound"), &inbound);
        check(line("Outbound"), &[("source.ip", "192.0.2.5"), ("user.name", "-"), ("host.name", "ws1")]);
        check(line("Inbound"), &[("event.action", "deny"), ("event.outcome", "failure")]);
    }

    #[test]
    fn risks() {
        check(
            "Virus found,IP Address: 192.0.2.5,Computer name: ws1,Source: Auto-Protect scan,Risk name: EICAR,\
             File path: C:\\Users\\a.txt,Actual action: Quarantined,Event time: 2026-03-03 09:00:00,User Name: sato",
            &[
                ("event.category", "malware"),
                ("host.name", "ws1"),
                ("source.ip", "192.0.2.5"),
                ("user.name", "sato"),
                ("event.reason", "Virus found"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
    }

    #[test]
    fn other_lines_are_left_alone() {
        check("a,b,c: d", &[("event.module", "-")]);
        check("<13>Mar  3 09:00:00 h app: Site: x", &[("event.module", "-")]);
    }
}
