//! QNAP NAS (QTS, `QuTS` hero): `QuLog` Center's access and event log over syslog.
//!
//! Format: `qulogd[pid]: conn log: Users: …, Source IP: …, Computer name: …, Connection type: …, Accessed resources: …,
//! Action: …` and `event log: Users: …, Source IP: …, Computer name: …, Content: …`; newer versions add `Application`,
//! `Category` and `Client …`. Older ones send the same labels without `qulogd`. Quirks: `---` is nobody; an action may end with a full stop; the short duplicate
//! `[App] text` form is left to the header.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use crate::header::Header;

/// The labels, so that a comma inside a path does not end a value.
const LABELS: [&str; 14] = [
    "Users: ",
    "User: ",
    "Source IP: ",
    "Computer name: ",
    "Connection type: ",
    "Accessed resources: ",
    "Accessed Resource: ",
    "Action: ",
    "Content: ",
    "Application: ",
    "Category: ",
    "Client App: ",
    "Client Agent: ",
    "Client ID: ",
];

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.message.trim();
    let connection = text.split_once("conn log: ").map(|(_, rest)| rest);
    let Some(rest) = connection.or_else(|| text.split_once("event log: ").map(|(_, rest)| rest)) else { return false };
    if !rest.starts_with("Users: ") && !rest.starts_with("User: ") {
        return false;
    }
    let mut action = "";
    for (label, value) in pairs(rest) {
        match label {
            "Users" | "User" => draft.user(value),
            "Source IP" => draft.source(value),
            "Computer name" => draft.event.source_domain = Some(value.to_owned()).filter(|_| is_name(value)),
            "Action" => action = value.trim_end_matches('.'),
            _ => {}
        }
        draft.native(label, value);
    }
    draft.product("qnap", "qnap.nas", "QNAP", "NAS");
    draft.process(header);
    draft.event.host_name = header.host.map(str::to_owned);
    set_action(action, draft);
    draft.rule("qnap.qulog");
    true
}

fn is_name(value: &str) -> bool {
    !monban_event::account::is_null_word(value)
}

/// Labels without their colon, and values.
fn pairs(text: &str) -> impl Iterator<Item = (&'static str, &str)> {
    let at_label = |text: &str| LABELS.iter().find(|label| text.starts_with(**label)).copied();
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let label = at_label(text)?;
        let value = text.strip_prefix(label)?;
        let end = value
            .match_indices(", ")
            .map(|(at, _)| at)
            .find(|at| value.get(at + 2..).is_some_and(|next| at_label(next).is_some()));
        rest = end.and_then(|end| value.get(end + 2..));
        Some((label.trim_end_matches(": "), value.get(..end.unwrap_or(value.len()))?.trim()))
    })
}

fn set_action(word: &str, draft: &mut Draft<'_>) {
    let (category, action, outcome) = match word {
        "Login Success" | "Login OK" | "Login" => (Category::Authentication, Action::Login, Some(Outcome::Success)),
        "Login Fail" | "Login Failed" => (Category::Authentication, Action::Login, Some(Outcome::Failure)),
        "Logout" => (Category::Authentication, Action::Logout, Some(Outcome::Success)),
        "" => (Category::Host, Action::Other, None),
        _ => (Category::File, Action::Other, Some(Outcome::Success)),
    };
    draft.kind(category, action);
    draft.event.outcome = outcome;
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn logins_and_files() {
        let line = |action: &str| {
            format!(
                "<30>Mar  3 09:00:00 nas1 qulogd[19]: conn log: Users: sato, Source IP: 192.0.2.8, Computer name: ---, Connection type: SAMBA, Accessed resources: 共有/a, b.xlsx, Action: {action}"
            )
        };
        check(
            line("Login Success"),
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.8"),
                ("host.name", "nas1"),
                ("source.domain", "-"),
                ("native.Accessed resources", "共有/a, b.xlsx"),
            ],
        );
        check(line("Login Fail"), &[("event.outcome", "failure")]);
        check(line("Logout."), &[("event.action", "logout")]);
        check(line("Delete"), &[("event.category", "file"), ("native.Action", "Delete")]);
        check(
            "<30>Mar  3 09:00:00 nas1 qulogd[19]: event log: Users: System, Source IP: 127.0.0.1, Computer name: localhost, Content: [Backup] done, well",
            &[("event.category", "host"), ("native.Content", "[Backup] done, well")],
        );
        assert_eq!(parse(b"<14>Mar  3 09:00:00 h app: conn log: x").module, None);
    }
}
