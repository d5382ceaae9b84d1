//! Thales `SafeNet` Trusted Access: one JSON object per event, perhaps over several lines.
//!
//! Format: Thales, *STA logs – log event structure* (`logVersion` 1.0). Quirks this file owns:
//! * `context.principalId` is the account, `details.usedName` what was typed; `originatingAddress` is where from.
//! * An authentication tells its end in `details.resultText`; a challenge is a step on the way and no login.

use monban_event::{Action, Category, Outcome};

use super::daemon::moment;
use super::draft::Draft;
use super::json;
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let body = header.body.trim_start_matches(['\u{FEFF}', ' ']);
    let Some(at) = memchr::memchr(b'{', body.as_bytes()) else { return false };
    let object = body.get(at..).unwrap_or("");
    let has = |key: &str| memchr::memmem::find(object.as_bytes(), key.as_bytes()).is_some();
    if !(has("\"logVersion\"") && has("\"originatingAddress\"")) {
        return false;
    }
    let Some(members) = json::members(object) else { return false };
    draft.product("thales", "thales.sta", "Thales", "SafeNet Trusted Access");
    draft.rule("thales.json");
    for (name, value) in members.iter() {
        draft.native(name, value);
    }
    let get = |name: &str| members.get(name).unwrap_or("");
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.time = moment(get("timeStamp"));
    draft.user(get("details.usedName"));
    draft.user(get("context.principalId"));
    draft.source(get("context.originatingAddress"));
    draft.event.code = Some(members.first(&["details.actionText", "details.type"]).to_owned());
    draft.reason(get("details.message"));
    classify(get("details.type"), members.first(&["details.resultText", "details.result"]), draft);
    true
}

fn classify(kind: &str, result: &str, draft: &mut Draft<'_>) {
    let outcome = match result {
        "AUTH_SUCCESS" | "SUCCESS" => Outcome::Success,
        "AUTH_FAILURE" | "AUTH_FAILED" | "FAILURE" | "AUTH_LOCKED" => Outcome::Failure,
        _ => Outcome::Unknown,
    };
    let (category, action) = match kind {
        "AUTHENTICATION" | "ACCESS_REQUEST" if outcome == Outcome::Unknown => (Category::Authentication, Action::Other),
        "AUTHENTICATION" => (Category::Authentication, Action::Login),
        "ACCESS_REQUEST" => (Category::Authentication, Action::Other),
        _ => (Category::Configuration, Action::Other),
    };
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn logins() {
        let line = |result: &str| {
            format!(
                "<14>1 2026-03-03T00:00:05Z sta1 - - RemoteLogging \u{FEFF}{{\n \"logVersion\": \"1.0\", \"timeStamp\": \
                 \"2026-03-03T00:00:00.9787739Z\",\n \"context\": {{\"originatingAddress\": \"203.0.113.9\", \"principalId\": \
                 \"vendor01\"}},\n \"details\": {{\"type\": \"AUTHENTICATION\", \"actionText\": \"AUTH_ATTEMPT\", \
                 \"resultText\": \"{result}\", \"usedName\": \"vendor01\"}}\n}}"
            )
        };
        check(
            line("AUTH_SUCCESS"),
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "vendor01"),
                ("source.ip", "203.0.113.9"),
                ("observer.hostname", "sta1"),
                ("event.code", "AUTH_ATTEMPT"),
            ],
        );
        check(line("AUTH_FAILURE"), &[("event.action", "login"), ("event.outcome", "failure")]);
        check(line("CHALLENGE"), &[("event.action", "other")]);
    }
}
