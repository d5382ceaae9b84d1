//! Ricoh multifunction printers: the access and job logs of `RICOH_MFPLP_…` over syslog.
//!
//! Format: RFC 5424 with the address for the host, the device's own name for the program, the log's kind for the message id,
//! and a JSON object for the text. The names inside differ between models; only those that cannot mean anything else are
//! taken.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::json;
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(kind) = header.message_id.filter(|id| id.starts_with("RICOH_")) else { return false };
    draft.product("ricoh", "ricoh.mfp", "Ricoh", "MFP");
    draft.event.observer_hostname = header.app.or(header.host).map(str::to_owned);
    draft.event.observer_ip = header.host.and_then(|host| host.parse().ok());
    draft.event.code = Some(kind.to_owned());
    draft.kind(Category::Host, Action::Other);
    draft.rule("ricoh.json");
    let Some(members) = json::members(header.body) else { return true };
    for (name, value) in members.iter() {
        draft.native(name, value);
    }
    draft.user(members.first(&["userName", "loginUserName", "operationUserName"]));
    draft.source(members.first(&["clientIpAddress", "accessIpAddress", "remoteIpAddress"]));
    draft.event.outcome = match members.first(&["result", "status"]).to_ascii_lowercase().as_str() {
        "success" | "succeeded" | "completed" => Some(Outcome::Success),
        "failure" | "failed" | "error" | "denied" => Some(Outcome::Failure),
        _ => None,
    };
    match members.first(&["logType", "eventType"]).to_ascii_lowercase().as_str() {
        "login" => draft.kind(Category::Authentication, Action::Login),
        "logout" => draft.kind(Category::Authentication, Action::Logout),
        _ => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn the_device_stands_in_the_place_of_the_program() {
        check(
            r#"<134>1 2026-03-03T00:00:00.5+00:00 192.0.2.60 mfp1 - RICOH_MFPLP_ACCESS - {"logVersion":"3.6","logType":"Login","userName":"sato","result":"Failed"}"#,
            &[
                ("observer.hostname", "mfp1"),
                ("observer.ip", "192.0.2.60"),
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
            ],
        );
    }
}
