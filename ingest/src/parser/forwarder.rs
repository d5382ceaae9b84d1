//! JSON objects of log forwarders that are no Windows record: the original line inside a member (Fluent Bit, Docker,
//! journald, Wazuh), or fields already named by the Elastic Common Schema. Owns where a forwarder keeps the line and
//! which of its fields are ours; an inner line is read by the parser of whoever wrote it.
//!
//! Quirks: members are nested or dotted; Fluent Bit's syslog input takes the header apart (`host`, `ident`, `pid`), and
//! journald too (`_HOSTNAME`, `SYSLOG_IDENTIFIER`); the words of `event.action` are every product's own, so only those
//! that cannot mean anything else are taken for a login.

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime};
use super::json::{self, Members};
use crate::header::{self, Header, HeaderTime};
use crate::stamp;

/// Members that hold the original line, the surest first.
const LINES: [&str; 11] =
    ["event.original", "full_log", "MESSAGE", "message", "log", "msg", "_raw", "raw", "line", "short_message", "event"];
const HOSTS: [&str; 9] =
    ["_HOSTNAME", "HOSTNAME", "HOST", "hostname", "host", "host.name", "host.hostname", "agent.hostname", "agent.name"];
const PROGRAMS: [&str; 8] =
    ["SYSLOG_IDENTIFIER", "PROGRAM", "ident", "appname", "programname", "app", "process.name", "log.syslog.appname"];
const PIDS: [&str; 7] = ["SYSLOG_PID", "_PID", "PID", "pid", "procid", "process.pid", "log.syslog.procid"];
const TIMES: [&str; 7] =
    ["@timestamp", "timestamp", "time", "eventtime", "date", "__REALTIME_TIMESTAMP", "timereported"];

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(text) = [header.message, header.body].into_iter().find(|text| text.trim_start().starts_with('{')) else {
        return false;
    };
    let Some(members) = json::members(text) else { return false };
    let understood = inner_line(&members, draft) || common_schema(&members, draft);
    if understood {
        if draft.time.is_none() {
            draft.time = time(&members);
        }
        for (name, value) in members.iter().filter(|(name, _)| !LINES.contains(name)) {
            draft.native(name, value);
        }
    }
    understood
}

/// The line inside, read as if it had come by itself.
fn inner_line(members: &Members, draft: &mut Draft<'_>) -> bool {
    let lines = LINES.iter().filter_map(|name| members.get(name)).map(str::trim);
    // An object inside an object is not followed: its escapes double with every level.
    for line in lines.filter(|line| !line.starts_with('{')) {
        let mut inner = header::read(line);
        let some = |names: &[&str]| Some(members.first(names)).filter(|value| !value.is_empty());
        if inner.app.is_none() {
            (inner.app, inner.pid) = (some(&PROGRAMS), some(&PIDS));
        }
        inner.host = inner.host.or_else(|| some(&HOSTS));
        if super::parse_body(None, &inner, draft) {
            set_sender(&inner, draft);
            return true;
        }
    }
    false
}

/// What the frame of a line would have given the event.
fn set_sender(inner: &Header<'_>, draft: &mut Draft<'_>) {
    draft.event.message = Some(inner.message.to_owned()).filter(|text| !text.is_empty());
    if draft.event.host_name.is_none() && draft.event.observer_hostname.is_none() {
        draft.event.observer_hostname = inner.host.map(str::to_owned);
    }
    if draft.time.is_none() {
        draft.time = match inner.time.clone() {
            Some(HeaderTime::Stamp(stamp)) => Some(PayloadTime::Stamp(stamp)),
            Some(HeaderTime::Epoch(instant)) => Some(PayloadTime::Instant(instant)),
            None => None,
        };
    }
}

fn time(members: &Members) -> Option<PayloadTime> {
    TIMES.iter().filter_map(|name| members.get(name)).find_map(|text| {
        let stamp = || stamp::read(text.trim()).map(|(stamp, _)| PayloadTime::Stamp(stamp));
        stamp::epoch(text).map(PayloadTime::Instant).or_else(stamp)
    })
}

/// Fields by the names of the Elastic Common Schema. An object without `event.*` is somebody's own and stays raw.
fn common_schema(members: &Members, draft: &mut Draft<'_>) -> bool {
    let get = |name: &str| members.get(name).unwrap_or("");
    let is_schema = ["event.category", "event.action", "event.kind", "event.dataset", "event.code", "event.outcome"]
        .iter()
        .any(|name| members.get(name).is_some());
    if !is_schema {
        return false;
    }
    let text = |name: &str| members.get(name).map(str::to_owned);
    let event = &mut draft.event;
    // Our own name is for what we say ourselves.
    event.module = text("event.module").filter(|module| module != "monban");
    event.dataset = text("event.dataset").or_else(|| Some("ecs".to_owned()));
    event.code = text("event.code");
    event.user_id = text("user.id");
    event.host_name = text("host.hostname").or_else(|| text("host.name"));
    event.observer_vendor = text("observer.vendor");
    event.observer_product = text("observer.product");
    event.observer_hostname = text("observer.hostname").or_else(|| text("observer.name"));
    event.source_mac = text("source.mac");
    event.process_name = text("process.name");
    event.process_command_line = text("process.command_line");
    event.message = text("message");
    let number =
        |name: &str| members.get(name).and_then(|value| value.parse::<i64>().ok()).filter(|number| *number >= 0);
    event.source_port = number("source.port").or_else(|| number("client.port"));
    event.destination_port = number("destination.port").or_else(|| number("server.port"));
    event.source_bytes = number("source.bytes");
    event.destination_bytes = number("destination.bytes");
    event.process_pid = number("process.pid");
    event.duration_ns = number("event.duration");
    event.outcome = Outcome::parse(get("event.outcome"));
    event.source_domain = text("source.domain");
    event.destination_domain = text("destination.domain");
    draft.user(members.first(&["user.name", "source.user.name", "client.user.name", "user.email"]));
    if draft.event.user_name.is_some() && draft.event.user_domain.is_none() {
        draft.event.user_domain = members.get("user.domain").map(monban_event::account::fold);
    }
    draft.target_user(members.first(&["user.target.name", "user.changes.name"]));
    draft.source(members.first(&["source.ip", "client.ip", "source.address"]));
    draft.destination(members.first(&["destination.ip", "server.ip", "destination.address"]));
    draft.reason(get("event.reason"));
    let action = action(members);
    if let Some(category) = category(members, action) {
        draft.kind(category, action);
    } else {
        draft.event.action = Some(action);
    }
    draft.rule("ecs.json");
    true
}

fn category(members: &Members, action: Action) -> Option<Category> {
    let all = members.iter().filter(|(name, _)| *name == "event.category").map(|(_, value)| value);
    // `session` is remote access here; in the schema it is any.
    if matches!(action, Action::SessionStart | Action::SessionEnd) {
        return Some(Category::Authentication);
    }
    let named = all.into_iter().find_map(|word| {
        Category::parse(word).or(match word {
            "web" => Some(Category::Network),
            "package" | "driver" | "library" => Some(Category::Host),
            _ => None,
        })
    });
    named.or(matches!(action, Action::Login | Action::Logout).then_some(Category::Authentication))
}

/// ECS leaves `event.action` to the products; `event.category` and `event.type` are its own.
fn action(members: &Members) -> Action {
    let word = members.get("event.action").unwrap_or("").to_ascii_lowercase().replace(['_', ' '], "-");
    if let Some(action) = Action::parse(&word) {
        return action;
    }
    let is = |name: &str, wanted: &str| members.iter().any(|(known, value)| known == name && value == wanted);
    match word.as_str() {
        "logged-in" | "log-in" | "logon" | "user-login" | "ssh-login" | "vpn-login" | "logon-failed"
        | "login-failed" | "login-failure" | "login-success" => Action::Login,
        "logged-out" | "log-out" | "logoff" | "user-logout" => Action::Logout,
        _ if is("event.category", "authentication") && is("event.type", "start") => Action::Login,
        _ if is("event.category", "authentication") && is("event.type", "end") => Action::Logout,
        _ if is("event.category", "session") && is("event.type", "start") => Action::SessionStart,
        _ if is("event.category", "session") && is("event.type", "end") => Action::SessionEnd,
        _ if is("event.category", "iam") && (is("event.type", "change") || is("event.type", "creation")) => {
            Action::AccountChange
        }
        _ if is("event.category", "configuration") && is("event.type", "change") => Action::ConfigChange,
        _ if is("event.type", "allowed") => Action::Allow,
        _ if is("event.type", "denied") => Action::Deny,
        _ => Action::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn the_line_inside_is_read_as_if_it_had_come_alone() {
        let expected = [
            ("user.name", "sato"),
            ("source.ip", "192.0.2.9"),
            ("event.action", "login"),
            ("event.outcome", "failure"),
            ("host.name", "srv1"),
            ("@timestamp", "2026-03-03T00:00:00.000000Z"),
        ];
        check(
            r#"{"log":"<38>Mar  3 09:00:00 srv1 sshd[12]: Failed password for sato from 192.0.2.9 port 5 ssh2","stream":"stdout"}"#,
            &expected,
        );
        check(
            r#"{"host":"srv1","ident":"sshd","pid":"12","time":"2026-03-03 09:00:00","message":"Failed password for sato from 192.0.2.9 port 5 ssh2"}"#,
            &expected,
        );
        check(
            r#"<14>1 2026-03-03T09:00:05+09:00 relay fluent - - - {"_HOSTNAME":"srv1","SYSLOG_IDENTIFIER":"sshd","__REALTIME_TIMESTAMP":"1772496000000000","MESSAGE":"Failed password for sato from 192.0.2.9 port 5 ssh2"}"#,
            &expected,
        );
    }

    #[test]
    fn fields_of_the_common_schema() {
        check(
            r#"{"@timestamp":"2026-03-03T00:00:00Z","event":{"category":["authentication"],"type":["start"],"outcome":"failure","code":"77"},"source":{"ip":"203.0.113.9","port":4000},"user":{"name":"Sato","domain":"HOSPITAL"},"host":{"name":"srv1"},"ecs":{"version":"8.0"}}"#,
            &[
                ("event.category", "authentication"),
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("event.code", "77"),
                ("source.ip", "203.0.113.9"),
                ("source.port", "4000"),
                ("user.name", "sato"),
                ("user.domain", "hospital"),
                ("host.name", "srv1"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
                ("native.source.ip", "203.0.113.9"),
            ],
        );
        check(
            r#"{"event.action":"logged-out","user.name":"sato","event.category":"authentication"}"#,
            &[("event.action", "logout"), ("user.name", "sato")],
        );
    }

    #[test]
    fn somebodys_own_object_is_left_alone() {
        for line in [
            r#"{"message":"hello","level":"info"}"#,
            r#"{"log":"{\"log\":\"x\"}"}"#,
            "{",
            "{}",
            r#"{"user":{"name":"x"}}"#,
        ] {
            let rule = parse(line.as_bytes()).parse_rule;
            assert!(rule.is_none_or(|rule| !rule.starts_with("ecs")), "{line}");
        }
    }
}
