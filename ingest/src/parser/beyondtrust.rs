//! `BeyondTrust` Remote Support and Privileged Remote Access: the ways in for vendors' maintenance.
//!
//! Format: `BeyondTrust`, *Syslog message reference*, and the session events of the reporting API. Quirks this file owns:
//! * `BG[123]: 1427:01:02:event=login;site=…;who=Sato (sato) using password;who_ip=192.0.2.9`: an id, part and number of
//!   parts stand before the first key; later parts go on with keys alone.
//! * `when` is an epoch; the account stands in the last brackets of `who`.
//! * The JSON form names people by what is displayed; a machine may stand there by its address.

use monban_event::{Action, Category, Outcome};

use super::daemon::{moment, outcome};
use super::draft::{Draft, address};
use super::json::{self, Members};
use super::kv;
use super::scan::source_end;
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let body = header.message.trim_start();
    if body.starts_with('{') {
        return parse_session(body, header, draft);
    }
    let Some(pairs) = parts(body).filter(|_| header.app == Some("BG")) else { return false };
    mark("beyondtrust.syslog", header, draft);
    let mut keys = Keys::default();
    for (key, value) in kv::separated(pairs, b';') {
        draft.native(key, value);
        keys.set(key, value);
    }
    keys.fill(draft);
    true
}

fn mark(rule: &str, header: &Header<'_>, draft: &mut Draft<'_>) {
    draft.product("beyondtrust", "beyondtrust.remote", "BeyondTrust", "Privileged Remote Access");
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.rule(rule);
}

/// What follows `1427:01:02:`.
fn parts(body: &str) -> Option<&str> {
    let mut rest = body;
    for _ in 0..3 {
        let (number, behind) = rest.split_once(':')?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        rest = behind;
    }
    Some(rest)
}

#[derive(Default)]
struct Keys<'a> {
    event: &'a str,
    when: &'a str,
    who: &'a str,
    who_ip: &'a str,
    status: &'a str,
    reason: &'a str,
    changed: &'a str,
}

impl<'a> Keys<'a> {
    fn set(&mut self, key: &str, value: &'a str) {
        let slot = match key {
            "event" => &mut self.event,
            "when" => &mut self.when,
            "who" => &mut self.who,
            "who_ip" => &mut self.who_ip,
            "status" => &mut self.status,
            "reason" => &mut self.reason,
            "username" | "old_username" | "user:username" => &mut self.changed,
            _ => return,
        };
        *slot = value;
    }

    fn fill(&self, draft: &mut Draft<'_>) {
        draft.event.code = Some(self.event.to_owned()).filter(|event| !event.is_empty());
        draft.time = moment(self.when);
        draft.user(account_of(self.who));
        draft.source(self.who_ip);
        draft.reason(self.reason);
        let (category, action) = match self.event {
            "login" | "login_attempt" => (Category::Authentication, Action::Login),
            "logout" => (Category::Authentication, Action::Logout),
            event if event.starts_with("user_") || event.starts_with("group_") => {
                draft.target_user(self.changed);
                (Category::Iam, Action::AccountChange)
            }
            event if ["_changed", "_added", "_removed"].iter().any(|end| event.ends_with(end)) => {
                (Category::Configuration, Action::ConfigChange)
            }
            _ => (Category::Host, Action::Other),
        };
        draft.kind(category, action);
        let is_act = action != Action::Other;
        draft.event.outcome = outcome(self.status).or(is_act.then_some(Outcome::Success));
    }
}

/// `Sato Jiro (sato) using password` is `sato`.
fn account_of(who: &str) -> &str {
    match who.rsplit_once('(').and_then(|(_, rest)| rest.split_once(')')) {
        Some((account, _)) => account,
        None => who.split(" using ").next().unwrap_or(who),
    }
}

fn parse_session(body: &str, header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let has = |key: &str| memchr::memmem::find(body.as_bytes(), key.as_bytes()).is_some();
    if !(has("\"event_type\"") && has("\"session_id\"") && has("\"jump_group\"")) {
        return false;
    }
    let Some(members) = json::members(body) else { return false };
    mark("beyondtrust.json", header, draft);
    for (name, value) in members.iter() {
        draft.native(name, value);
    }
    fill_session(&members, draft);
    true
}

fn fill_session(members: &Members, draft: &mut Draft<'_>) {
    let get = |name: &str| members.get(name).unwrap_or("");
    let kind = get("event_type");
    draft.event.code = Some(kind.to_owned());
    draft.event.vpn_session_id = Some(get("session_id").to_owned()).filter(|id| !id.is_empty());
    draft.time = moment(get("timestamp"));
    let person = if get("performed_by.type") == "system" { "" } else { get("performed_by.name") };
    if address(person).is_some() {
        draft.source(person);
    } else {
        draft.user(person);
    }
    draft.user(get("data.requesting_user").split(" (").next().unwrap_or(""));
    source_end(get("data.public_ip"), draft);
    source_end(get("data.private_ip"), draft);
    let (category, action) = match kind {
        "Session Start" => (Category::Session, Action::SessionStart),
        "Session End" => (Category::Session, Action::SessionEnd),
        kind if kind.starts_with("File") || kind.starts_with("Directory") => (Category::File, Action::Other),
        _ => (Category::Session, Action::Other),
    };
    draft.kind(category, action);
    draft.event.outcome = Some(Outcome::Success);
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn logins_of_the_appliance() {
        check(
            "<166>Mar  3 09:00:00 pra1 BG[123]: 1427:01:01:event=login;site=pra.hospital.example;status=failure;\
             reason=wrong password;target=rep_client;when=1772496000;who=Sato Jiro (sato) using password;who_ip=203.0.113.9",
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("event.reason", "wrong password"),
                ("user.name", "sato"),
                ("source.ip", "203.0.113.9"),
                ("event.code", "login"),
                ("observer.hostname", "pra1"),
            ],
        );
        check(
            "<166>Mar  3 09:00:00 pra1 BG[123]: 1428:01:01:event=user_added;username=vendor01;who=Admin (admin)",
            &[("event.action", "account-change"), ("user.target.name", "vendor01"), ("user.name", "admin")],
        );
        check("<166>Mar  3 09:00:00 h app[1]: 1428:01:01:event=login;who=x", &[("event.module", "-")]);
    }

    #[test]
    fn sessions_of_vendors() {
        check(
            r#"{"timestamp":"1772496000","event_type":"Session Start","session_id":"ab12","jump_group":{"name":"PACS"}}"#,
            &[
                ("event.action", "session-start"),
                ("vpn.session_id", "ab12"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
        check(
            r#"{"timestamp":"1772496000","event_type":"Conference Member Added","performed_by":{"type":"representative","name":"vendor01"},"data":{"public_ip":"[2001:db8::9]:5672"},"session_id":"ab12","jump_group":{"name":"PACS"}}"#,
            &[("user.name", "vendor01"), ("source.ip", "2001:db8::9"), ("source.port", "5672")],
        );
        check(
            r#"{"timestamp":"1772496000","event_type":"Remote Shell Event","performed_by":{"type":"system","name":"Privileged Remote Access"},"session_id":"ab12","jump_group":{}}"#,
            &[("user.name", "-")],
        );
    }
}
