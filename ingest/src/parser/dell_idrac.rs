//! Dell iDRAC, CMC and `OpenManage` Enterprise: the management processors of `PowerEdge` servers.
//!
//! Formats: iDRAC `Severity: …, Category: …, MessageID: USR0030, Message: …`; `OpenManage` forwards the same message between
//! `{ Key }` marks, and then its header's host is the relay's name and the device's stands inside. The message id is the
//! key; the messages are fixed and English. Documented in the event and error message reference of `PowerEdge` servers.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::scan::{between, word};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.body;
    let (id, severity, message) = if let Some((head, message)) = text.split_once(", Message: ") {
        let Some((_, id)) = head.split_once("MessageID: ") else { return false };
        (id, between(head, "Severity: ", ",").unwrap_or(""), message)
    } else if let Some(id) = between(text, "{ MessageID } ", " {") {
        let message = text.split_once("{ Message } ").map_or("", |(_, rest)| rest);
        let message = message.strip_prefix("Description: ").unwrap_or(message);
        draft.event.observer_hostname = between(text, "{ HostName } ", " {").map(str::to_owned);
        (id, between(text, "{ Severity } ", " {").unwrap_or(""), message)
    } else {
        return false;
    };
    draft.product("dell", "dell.idrac", "Dell", "iDRAC");
    if draft.event.observer_hostname.is_none() {
        draft.event.observer_hostname = header.host.map(str::to_owned);
    }
    draft.event.code = Some(id.trim().to_owned());
    draft.native("Severity", severity);
    draft.native("Category", between(text, "Category: ", ",").unwrap_or(""));
    draft.kind(Category::Host, Action::Other);
    draft.rule("dell.idrac");
    read(id.trim(), message, draft);
    true
}

fn read(id: &str, message: &str, draft: &mut Draft<'_>) {
    let (action, outcome) = match id {
        "USR0030" => (Action::Login, Outcome::Success),
        "USR0031" => (Action::Login, Outcome::Failure),
        "USR0032" => (Action::Logout, Outcome::Success),
        _ if message.starts_with("Unable to log in ") => (Action::Login, Outcome::Failure),
        // The block that follows failures which were told one by one.
        _ if message.starts_with("Login attempt alert for ") => (Action::Other, Outcome::Failure),
        _ if id.starts_with("USR") => (Action::Other, Outcome::Unknown),
        _ => return configuration(id, draft),
    };
    draft.kind(Category::Authentication, action);
    draft.event.outcome = Some(outcome);
    set_account(message, draft);
}

/// `… using root, from 192.0.2.8 and GUI.`, `… for root from 192.0.2.8 using GUI.`
fn set_account(message: &str, draft: &mut Draft<'_>) {
    let Some((before, from)) = message.split_once(" from ") else { return };
    let user = before.rsplit_once(" using ").or_else(|| before.rsplit_once(" for ")).map_or("", |(_, user)| user);
    draft.user(user.trim_end_matches(','));
    draft.source(word(from).0.trim_end_matches([',', '.']));
    let way = from.rsplit_once(" and ").or_else(|| from.rsplit_once(" using "));
    draft.native("way", way.map_or("", |(_, way)| way.trim_end_matches('.')));
}

/// `RAC` and `SYS` ids are settings and jobs; `LOG` ids the log itself.
fn configuration(id: &str, draft: &mut Draft<'_>) {
    if id == "LOG203" || id == "LOG004" {
        draft.kind(Category::Configuration, Action::LogClear);
        draft.event.outcome = Some(Outcome::Success);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn message_ids_say_what_happened() {
        let line = |id: &str, text: &str| {
            format!(
                "<166>Mar  3 09:00:00 idrac1 Severity: Informational, Category: Audit, MessageID: {id}, Message: {text}"
            )
        };
        check(
            line("USR0030", "Successfully logged in using root, from 192.0.2.8 and GUI."),
            &[
                ("event.code", "USR0030"),
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "root"),
                ("source.ip", "192.0.2.8"),
                ("native.way", "GUI"),
            ],
        );
        check(
            line("USR0031", "Unable to log in for sato from 192.0.2.8 using SSH."),
            &[("event.outcome", "failure"), ("user.name", "sato"), ("observer.hostname", "idrac1")],
        );
        check(
            line("USR0032", "The session for root from 192.0.2.8 using GUI is logged off."),
            &[("event.action", "logout"), ("user.name", "root")],
        );
        check(
            line("LOG007", "The previous log entry was repeated 0 times."),
            &[("event.action", "other"), ("user.name", "-")],
        );
    }

    #[test]
    fn open_manage_names_the_device_inside() {
        check(
            "<156>Mar  3 09:00:00 ome1 EEMI Audit event from device with { IP } 192.0.2.5 { HostName } idrac2 { Severity } Warning { MessageID } MSG0001 { Message } Description: Login attempt alert for sato from 192.0.2.8 using REDFISH, IP will be blocked for 60 seconds. - x",
            &[
                ("observer.hostname", "idrac2"),
                ("event.code", "MSG0001"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.8"),
                ("event.action", "other"),
            ],
        );
        assert_eq!(parse(b"<14>Mar  3 09:00:00 h app: x, Message: y").module, None);
    }
}
