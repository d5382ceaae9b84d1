//! Kaspersky Security Center and Kaspersky Endpoint Security.
//!
//! Format: Kaspersky, *Exporting events to SIEM systems* (syslog, CEF, LEEF). Quirks this file owns:
//! * RFC 5424 with the program `KES|11.0.0.0` and everything in `[event@23668 …]`: `et` is the event's type, `hdn` and
//!   `hip` the endpoint. MSGID is the type cut at 32 characters.
//! * The text is lines of `Key: value`; relays write the line breaks as `\r\n` in letters.
//! * `User: HOST\sato (Active user)`: the words in brackets say how he is concerned.

use monban_event::{Action, Category, Outcome, account};

use super::cef;
use super::daemon::outcome;
use super::draft::Draft;
use super::leef;
use crate::header::{self, Header};

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if let Some(record) = cef::find(header.body).filter(|record| record.vendor.contains("Kaspersky")) {
        mark("kaspersky.cef", draft);
        classify(record.signature, draft);
        cef::fill(&record, header, draft);
        if draft.event.action == Some(Action::Login) {
            let person = draft.event.native.get("duser").map(str::to_owned);
            draft.user(person.as_deref().unwrap_or(""));
        }
        draft.event.host_name = draft.event.destination_domain.take();
        return true;
    }
    if let Some(record) = leef::find(header.body).filter(|record| record.vendor.contains("Kaspersky")) {
        mark("kaspersky.leef", draft);
        classify(record.event_id, draft);
        leef::fill(record, header, draft);
        return true;
    }
    parse_syslog(header, draft)
}

fn mark(rule: &str, draft: &mut Draft<'_>) {
    draft.product("kaspersky", "kaspersky.security_center", "Kaspersky", "Security Center");
    draft.rule(rule);
}

fn parse_syslog(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let structured = header.structured.filter(|text| text.starts_with("[event@23668"));
    if structured.is_none() && !is_text(header.body) {
        return false;
    }
    mark("kaspersky.syslog", draft);
    let mut code = header.message_id.unwrap_or("");
    draft.event.observer_hostname = header.host.map(str::to_owned);
    for (name, value) in structured.into_iter().flat_map(header::structured_parameters) {
        draft.native(name, value);
        match name {
            "et" => code = value,
            "hdn" => draft.event.host_name = Some(value.to_owned()).filter(|name| !account::is_null_word(name)),
            "hip" => draft.source(value),
            _ => {}
        }
    }
    draft.event.code = Some(code.to_owned()).filter(|code| !code.is_empty());
    classify(code, draft);
    for (key, value) in lines(header.message) {
        text_line(key, value, draft);
    }
    true
}

/// Bodies of a file dump: two keys of Kaspersky's reports with line breaks in letters between them.
fn is_text(body: &str) -> bool {
    const STARTS: [&str; 3] = ["Event type: ", "Result description: ", "Result: "];
    const KEYS: [&str; 4] = ["Component: ", "Object type: ", "Object: ", "Object name: "];
    let has_break = memchr::memmem::find(body.as_bytes(), b"\\r\\n").is_some() || body.contains('\n');
    has_break && STARTS.iter().any(|start| body.starts_with(start)) && KEYS.iter().any(|key| body.contains(key))
}

fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("\\r\\n").flat_map(str::lines).filter_map(|line| {
        let (key, value) = line.split_once(": ")?;
        Some((key.trim(), value.trim()))
    })
}

fn text_line(key: &str, value: &str, draft: &mut Draft<'_>) {
    draft.native(key, value);
    match key {
        "User" | "User name" | "Initiator" => draft.user(value.split(" (").next().unwrap_or(value)),
        "Event type" if draft.event.reason.is_none() => draft.reason(value),
        "Type" if draft.event.category.is_none() && is_malware(value) => draft.kind(Category::Malware, Action::Detect),
        "Process ID" => draft.event.process_pid = value.parse().ok(),
        "Result description" => draft.event.outcome = draft.event.outcome.or(outcome(value)),
        _ => {}
    }
}

fn is_malware(kind: &str) -> bool {
    ["Virus", "Trojan", "Worm", "Malware", "Adware"].iter().any(|word| kind.starts_with(word))
}

/// By the type of the event: audit of the console, threats, network attacks.
fn classify(code: &str, draft: &mut Draft<'_>) {
    let (category, action, outcome) = match code {
        "KLAUD_EV_SERVERCONNECT" => (Category::Authentication, Action::Login, Outcome::Success),
        "KLAUD_EV_OBJECTMODIFY" | "KLAUD_EV_TASK_STATE_CHANGED" | "KLAUD_EV_ADMGROUP_CHANGED" => {
            (Category::Configuration, Action::ConfigChange, Outcome::Success)
        }
        _ if code.starts_with("GNRL_EV_VIRUS") || code.starts_with("GNRL_EV_SUSPICIOUS_OBJECT") => {
            (Category::Malware, Action::Detect, Outcome::Unknown)
        }
        "GNRL_EV_OBJECT_DELETED"
        | "GNRL_EV_OBJECT_CURED"
        | "GNRL_EV_OBJECT_BLOCKED"
        | "GNRL_EV_OBJECT_NOTCURED"
        | "GNRL_EV_OBJECT_QUARANTINED" => (Category::Malware, Action::Detect, Outcome::Unknown),
        "GNRL_EV_ATTACK_DETECTED" => (Category::Network, Action::Detect, Outcome::Unknown),
        "GNRL_EV_APPLICATION_LAUNCH_DENIED" => (Category::Process, Action::Deny, Outcome::Failure),
        _ => return,
    };
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn structured_data_and_text() {
        check(
            "<29>1 2026-03-03T00:00:00.000Z ksc1 KES|12.1.0.506 - GNRL_EV_VIRUS_FOUND [event@23668 et=\"GNRL_EV_VIRUS_FOUND\" \
             hdn=\"ws1\" hip=\"192.0.2.5\" gn=\"ward\"] Event type: Malicious object detected\\r\\nUser: CORP\\sato (Active \
             user)\\r\\nObject: C:\\a.com",
            &[
                ("event.code", "GNRL_EV_VIRUS_FOUND"),
                ("event.category", "malware"),
                ("host.name", "ws1"),
                ("observer.hostname", "ksc1"),
                ("source.ip", "192.0.2.5"),
                ("user.name", "sato"),
            ],
        );
    }

    #[test]
    fn console_audit_as_cef() {
        check(
            "<29>1 2026-03-03T00:00:00Z ksc1 CEF:0|KasperskyLab|SecurityCenter|13.2|KLAUD_EV_SERVERCONNECT|Connection to \
             Administration Server|1|rt=1772496000000 duser=CORP\\\\yamada src=192.0.2.9 dhost=ksc1",
            &[("event.action", "login"), ("user.name", "yamada"), ("source.ip", "192.0.2.9"), ("host.name", "ksc1")],
        );
    }

    #[test]
    fn dumps_without_header() {
        check(
            "Event type: Object not processed\\r\\nUser: CORP\\sato (Initiator)\\r\\nComponent: File Threat Protection",
            &[("user.name", "sato"), ("event.reason", "Object not processed")],
        );
        check("Event type: x", &[("event.module", "-")]);
    }
}
