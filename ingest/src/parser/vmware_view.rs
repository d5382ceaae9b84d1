//! `VMware` (Omnissa) Horizon: the event database of the connection servers over syslog.
//!
//! Format: RFC 5424 with `[View@6876 Severity="…" Module="…" EventType="…" UserDisplayName="…" …] text`. The type says what
//! happened; `AUDIT_FAIL` says that it was refused. A desktop session (`AGENT_…`) follows the login at the broker and is
//! not a second one.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use crate::header::{self, Header};

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(structured) = header.structured.filter(|structured| structured.contains("[View@")) else { return false };
    for (name, value) in header::structured_parameters(structured) {
        draft.native(name, value);
        match name {
            "EventType" => draft.event.code = Some(value.to_owned()),
            "UserDisplayName" => draft.user(&value.replace("\\\\", "\\")),
            "UserSID" => draft.event.user_id = Some(value.to_owned()).filter(|sid| sid.starts_with("S-1-")),
            "ClientIpAddress" | "ForwardedClientIpAddress" => draft.source(value),
            "Severity" => draft.event.outcome = outcome(value),
            _ => {}
        }
    }
    draft.product("vmware", "vmware.horizon", "VMware", "Horizon");
    draft.process(header);
    draft.event.host_name = header.host.map(str::to_owned);
    let code = draft.event.code.clone().unwrap_or_default();
    let (category, action) = kind(&code);
    draft.kind(category, action);
    draft.rule("vmware.horizon");
    true
}

fn outcome(severity: &str) -> Option<Outcome> {
    match severity {
        "AUDIT_SUCCESS" => Some(Outcome::Success),
        "AUDIT_FAIL" => Some(Outcome::Failure),
        _ => None,
    }
}

fn kind(code: &str) -> (Category, Action) {
    let is_login =
        matches!(code, "BROKER_USERLOGGEDIN" | "ADMIN_USERLOGGEDIN" | "VLSI_USERLOGGEDIN" | "VLSI_USERLOGGEDIN_REST");
    if is_login || code.contains("AUTHFAILED") || code.contains("LOGIN_FAILED") {
        (Category::Authentication, Action::Login)
    } else if code.contains("USERLOGGEDOUT") || code.contains("USERLOGOFF") {
        (Category::Authentication, Action::Logout)
    } else if matches!(code, "AGENT_CONNECTED" | "AGENT_RECONNECTED") {
        (Category::Authentication, Action::SessionStart)
    } else if matches!(code, "AGENT_DISCONNECTED" | "AGENT_ENDED") {
        (Category::Authentication, Action::SessionEnd)
    } else if code.contains("PERMISSION_ADDED") || code.contains("PERMISSION_REMOVED") || code.contains("ROLE_") {
        (Category::Iam, Action::AccountChange)
    } else if code.starts_with("ADMIN_")
        && ["ADD", "REMOV", "UPDAT", "MODIF", "CHANG"].iter().any(|word| code.contains(word))
    {
        (Category::Configuration, Action::ConfigChange)
    } else {
        (Category::Host, Action::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn the_type_says_what_happened() {
        let line = |severity: &str, kind: &str| {
            format!(
                r#"<144>1 2026-03-03T00:00:00Z view1 View - 73 [View@6876 Severity="{severity}" Module="Broker" EventType="{kind}" UserSID="S-1-5-21-1-2" UserDisplayName="HOSPITAL\\sato" ClientIpAddress="192.0.2.8"] User HOSPITAL\sato"#
            )
        };
        check(
            line("AUDIT_SUCCESS", "BROKER_USERLOGGEDIN"),
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "sato"),
                ("user.id", "S-1-5-21-1-2"),
                ("source.ip", "192.0.2.8"),
                ("host.name", "view1"),
            ],
        );
        check(
            line("AUDIT_FAIL", "BROKER_USER_AUTHFAILED_BAD_USER_PASSWORD"),
            &[("event.action", "login"), ("event.outcome", "failure")],
        );
        check(line("AUDIT_SUCCESS", "BROKER_USERLOGGEDOUT"), &[("event.action", "logout")]);
        check(line("INFO", "AGENT_CONNECTED"), &[("event.action", "session-start"), ("event.outcome", "-")]);
    }
}
