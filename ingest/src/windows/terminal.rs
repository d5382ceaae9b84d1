//! Remote desktop: `TerminalServices-LocalSessionManager`, `-RemoteConnectionManager` and `RdpCoreTS`. A session is not
//! a login: the same person's login stands in the Security log, and counting both would count it twice.

use monban_event::{Action, Category, Event, Outcome};

use super::account::{self, AccountFields};
use super::flatten::WindowsFields;

/// 1149 has no names for its data.
const CONNECTING: AccountFields = AccountFields { name: "Param1", domain: "Param2", sid: "" };

pub(super) fn describe(event: &mut Event, windows: &WindowsFields, number: i64) {
    event.category = Some(Category::Session);
    event.action = Some(action(number));
    event.outcome = Some(if number == 140 { Outcome::Failure } else { Outcome::Success });
    match number {
        1149 => {
            account::set_user(event, windows, CONNECTING);
            account::set_source(event, windows, "Param3", "");
        }
        131 | 140 => account::set_source(event, windows, "ClientIP", ""),
        _ => {
            account::set_user(event, windows, account::USER);
            account::set_source(event, windows, "Address", "");
        }
    }
    if let Some(reason) = windows.text("Reason") {
        event.reason = Some(reason.to_owned());
    }
}

fn action(number: i64) -> Action {
    match number {
        // Logged on, reconnected, and the connection with a user's name that comes before both.
        21 | 25 | 1149 => Action::SessionStart,
        // Logged off, disconnected, disconnected by another session.
        23 | 24 | 39 => Action::SessionEnd,
        _ => Action::Other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::{event, told};

    const MANAGER: &str = "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational";
    const CONNECTIONS: &str = "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational";

    #[test]
    fn sessions_begin_and_end_without_being_logins() {
        let data = json!({"EventXML": {"User": "HOSPITAL\\Sato", "SessionID": 3, "Address": "192.0.2.8"}});
        for (number, action) in [(21, "session-start"), (25, "session-start"), (24, "session-end"), (22, "other")] {
            let expected = json!({"event.category": "session", "event.action": action, "event.outcome": "success",
                "user.name": "sato", "user.domain": "hospital", "user.raw": "HOSPITAL\\Sato",
                "source.ip": "192.0.2.8"});
            assert_eq!(told(&event(MANAGER, number, &data)), expected, "{number}");
        }
        let local = event(MANAGER, 21, &json!({"EventXML": {"User": "H\\sato", "Address": "LOCAL"}}));
        assert_eq!((local.source_ip, local.dataset.as_deref()), (None, Some("windows.terminalservices")));
    }

    #[test]
    fn a_connection_has_numbers_for_names() {
        let event = event(
            CONNECTIONS,
            1149,
            &json!({"EventXML": {"Param1": "sato", "Param2": "HOSPITAL", "Param3": "198.51.100.20"}}),
        );
        assert_eq!(event.user_name.as_deref(), Some("sato"));
        assert_eq!(event.user_domain.as_deref(), Some("hospital"));
        assert_eq!(event.source_ip.map(|ip| ip.to_string()).as_deref(), Some("198.51.100.20"));
    }
}
