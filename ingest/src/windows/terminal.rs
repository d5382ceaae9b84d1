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
