//! ESET PROTECT (formerly Security Management Center): JSON in the line's body, or CEF and LEEF.
//!
//! Format: ESET, *Events exported to JSON format*. Quirks this file owns:
//! * `occured` is their spelling (the manual has `occurred`), told in UTC (`03-Mar-2026 00:00:00`).
//! * In CEF `dvchost` is the endpoint, and the sender of the line the server.
//! * `hostname` and `ipv4` are the endpoint of a detection; in `Audit_Event` they are the server itself, and what was
//!   done stands in `action` (`Login attempt`, `Logout`), who did it in `user` or, in a login, in the text's quotes.

use monban_event::{Action, Category, Outcome, account};

use super::daemon::{in_utc, is_denied, moment, outcome};
use super::draft::Draft;
use super::json::{self, Members};
use super::scan::{between, port};
use super::{cef, leef};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if let Some(record) = cef::find(header.body).filter(|record| record.vendor == "ESET") {
        mark("eset.cef", draft);
        cef::fill(&record, header, draft);
        draft.event.host_name = draft.event.native.get("dvchost").map(str::to_owned);
        draft.event.observer_hostname = header.host.map(str::to_owned).or(draft.event.observer_hostname.take());
        let audit = ["act", "msg", "outcome"].map(|key| draft.event.native.get(key).unwrap_or("").to_owned());
        let [act, text, result] = &audit;
        if record.extension.contains("ESET Audit Event") {
            classify_audit(act, text, result, draft);
        }
        return true;
    }
    if let Some(record) = leef::find(header.body).filter(|record| record.vendor == "ESET") {
        mark("eset.leef", draft);
        leef::fill(record, header, draft);
        draft.event.host_name = draft.event.native.get("hostName").map(str::to_owned);
        return true;
    }
    let body = header.message.trim_start();
    let has = |key: &str| memchr::memmem::find(body.as_bytes(), key.as_bytes()).is_some();
    let is_own = body.starts_with('{') && has("\"event_type\"") && (has("\"occured\"") || has("\"occurred\""));
    let Some(members) = is_own.then(|| json::members(body)).flatten() else { return false };
    mark("eset.json", draft);
    fill(&members, header, draft);
    true
}

fn mark(rule: &str, draft: &mut Draft<'_>) {
    draft.product("eset", "eset.protect", "ESET", "PROTECT");
    draft.rule(rule);
}

fn fill(members: &Members, header: &Header<'_>, draft: &mut Draft<'_>) {
    for (name, value) in members.iter() {
        draft.native(name, value);
    }
    let get = |name: &str| members.get(name).unwrap_or("");
    let kind = get("event_type");
    draft.event.code = Some(kind.to_owned());
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.event.host_name = Some(get("hostname").to_owned()).filter(|name| !account::is_null_word(name));
    draft.time = moment(members.first(&["occured", "occurred"])).map(in_utc);
    for name in ["user", "username", "account"] {
        draft.user(get(name));
    }
    if kind == "Audit_Event" {
        draft.event.process_name = header.app.map(str::to_owned);
        return classify_audit(get("action"), get("detail"), get("result"), draft);
    }
    draft.source(get("source_address"));
    draft.event.source_port = port(get("source_port"));
    draft.destination(members.first(&["destination_address", "target_address"]));
    draft.event.destination_port = port(members.first(&["destination_port", "target_port"]));
    draft.reason(members.first(&["threat_name", "rulename", "rule_name", "event"]));
    classify_detection(kind, get("action"), draft);
}

fn classify_detection(kind: &str, verdict: &str, draft: &mut Draft<'_>) {
    let category = match kind {
        "Threat_Event" | "BlockedFiles_Event" => Category::Malware,
        "FirewallAggregated_Event" | "FilteredWebsites_Event" => Category::Network,
        _ => Category::Host,
    };
    draft.kind(category, Action::Detect);
    if category == Category::Network
        && let Some(denied) = is_denied(verdict)
    {
        super::daemon::traffic(draft, denied);
    }
}

fn classify_audit(act: &str, text: &str, result: &str, draft: &mut Draft<'_>) {
    let (category, action) = match act {
        "Login attempt" => (Category::Authentication, Action::Login),
        "Logout" => (Category::Authentication, Action::Logout),
        _ if act.starts_with("Single sign on") => (Category::Authentication, Action::Other),
        "Create" | "Modify" | "Update" | "Delete" | "Remove" | "Assign" | "Unassign" | "Set" => {
            (Category::Configuration, Action::ConfigChange)
        }
        _ => (Category::Host, Action::Other),
    };
    if matches!(action, Action::Login | Action::Logout) {
        draft.user(between(text, "user '", "'").unwrap_or(""));
    }
    draft.kind(category, action);
    draft.event.outcome = draft.event.outcome.or(outcome(result)).or(Some(Outcome::Unknown));
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn console_logins() {
        check(
            "<14>Mar  3 09:00:05 era1 ERAServer[50]: {\"event_type\":\"Audit_Event\",\"ipv4\":\"192.0.2.10\",\"hostname\":\"era1\",\
             \"occured\":\"03-Mar-2026 00:00:00\",\"severity\":\"Information\",\"domain\":\"Native user\",\"action\":\"Login \
             attempt\",\"target\":\"yamada\",\"detail\":\"Authenticating native user 'yamada'.\",\"user\":\"\",\"result\":\"Failed\"}",
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "yamada"),
                ("source.ip", "-"),
                ("host.name", "era1"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
                ("event.code", "Audit_Event"),
            ],
        );
    }

    #[test]
    fn detections() {
        check(
            "{\"event_type\":\"FirewallAggregated_Event\",\"hostname\":\"ws1\",\"occured\":\"03-Mar-2026 00:00:00\",\
             \"source_address\":\"203.0.113.9\",\"source_port\":40000,\"target_address\":\"192.0.2.5\",\"target_port\":445,\
             \"action\":\"Blocked\",\"account\":\"CORP\\\\sato\"}",
            &[
                ("event.action", "deny"),
                ("source.ip", "203.0.113.9"),
                ("destination.port", "445"),
                ("user.name", "sato"),
                ("host.name", "ws1"),
            ],
        );
        check("{\"event_type\":\"x\"}", &[("event.module", "-")]);
    }
}
