//! Aruba `ClearPass`: `NAME 973 1 0 key=value,key=value` of its syslog export filters, and CEF and LEEF.
//!
//! Format: Aruba, *`ClearPass` Policy Manager User Guide*, syslog export. Quirks this file owns:
//! * The name of the filter is free text with blanks; three numbers follow, then the pairs. Keys are dotted names of the
//!   session (`Common.Username`), or the lower-case names of the event templates (`event_source`, `session_id`).
//! * Values hold commas; a pair begins only where a comma and `key=` stand.
//! * Whom a network lets in logs in nowhere: only TACACS sessions and the product's own accounts are logins.

use std::borrow::Cow;

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime};
use super::leef;
use super::scan::known;
use super::{cef, kv};
use crate::header::Header;
use crate::stamp;

/// How far into a body the pairs may begin.
const NAME_BYTES_MAX: usize = 128;

/// Most pairs read of one line.
const PAIRS_MAX: usize = monban_event::limits::NATIVE_FIELDS_MAX;

/// What the pairs of an export begin with.
pub(super) const FIRST_KEYS: [&str; 9] =
    ["Common.", "RADIUS.", "TACACS.", "WEBAUTH.", "CppmNode.", "Timestamp=", "event_source=", "session_id=", "Source="];

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let (rule, code, pairs) = if let Some((name, pairs)) = find_export(header.body) {
        draft.native("filter", name);
        ("aruba_clearpass", None, owned(kv::separated(pairs, b',')))
    } else if let Some(record) = leef::find(header.body).filter(|record| is_ours(record.vendor, record.product)) {
        ("aruba_clearpass.leef", known(record.event_id), owned(record.pairs()))
    } else if let Some(record) = cef::find(header.body).filter(|record| is_ours(record.vendor, record.product)) {
        ("aruba_clearpass.cef", known(record.signature), cef::pairs(record.extension).collect())
    } else {
        return false;
    };
    draft.product("aruba", "aruba.clearpass", "Aruba", "ClearPass");
    draft.rule(rule);
    draft.event.code = code;
    draft.event.observer_hostname = header.host.map(str::to_owned);
    for (name, value) in pairs.iter().take(PAIRS_MAX) {
        draft.native(name, value);
    }
    fill(&pairs, header, draft);
    true
}

fn owned<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, Cow<'a, str>)> {
    pairs.take(PAIRS_MAX).map(|(name, value)| (name, Cow::Borrowed(value))).collect()
}

fn is_ours(vendor: &str, product: &str) -> bool {
    vendor.to_ascii_lowercase().starts_with("aruba") && product.to_ascii_lowercase().starts_with("clearpass")
}

/// The filter's name and the pairs.
fn find_export(body: &str) -> Option<(&str, &str)> {
    let head = body.get(..body.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or(body);
    let at = head.find('=').and_then(|equals| head.get(..equals)?.rfind(' '))?;
    let (before, pairs) = (body.get(..at)?, body.get(at + 1..)?);
    let mut words = before.rsplitn(4, ' ');
    let numbers = [words.next()?, words.next()?, words.next()?];
    let is_number = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let name = words.next()?;
    let is_export = name.starts_with("CPPM_") || FIRST_KEYS.iter().any(|key| pairs.starts_with(key));
    (numbers.iter().all(is_number) && is_export).then_some((name, pairs))
}

fn fill(pairs: &[(&str, Cow<'_, str>)], header: &Header<'_>, draft: &mut Draft<'_>) {
    let get = |name: &str| {
        pairs.iter().find(|(key, value)| *key == name && !value.is_empty()).map_or("", |(_, value)| value.as_ref())
    };
    for name in
        ["Common.Username", "TACACS.Username", "RADIUS.Auth-Username", "usrName", "suser", "duser", "user_name", "User"]
    {
        draft.user(get(name));
    }
    for name in ["TACACS.Remote-Address", "WEBAUTH.Host-IP-Address", "RADIUS.Acct-Framed-IP-Address", "src"] {
        draft.source(get(name));
    }
    draft.source(get("Common.NAS-IP-Address"));
    draft.destination(get("dst"));
    draft.event.source_mac = known(get("Common.Host-MAC-Address"));
    for name in ["Common.Alerts", "alert", "reason"] {
        if draft.event.reason.is_none() {
            draft.reason(get(name));
        }
    }
    if header.time.is_none() {
        let text =
            [get("devTime"), get("timestamp"), get("rt")].into_iter().find(|text| !text.is_empty()).unwrap_or("");
        draft.time = match stamp::epoch(text) {
            Some(instant) => Some(PayloadTime::Instant(instant)),
            None => stamp::read(text).map(|(stamp, _)| PayloadTime::Stamp(stamp)),
        };
    }
    let is_tacacs = pairs.iter().any(|(name, _)| name.starts_with("TACACS."));
    let status = [get("Common.Login-Status"), get("outcome")].concat().to_ascii_uppercase();
    let action = [get("Action"), get("action")].concat().to_ascii_uppercase();
    let category = [get("Category"), get("category"), get("sub-cat")].concat().to_ascii_lowercase();
    let (category, action, outcome) = match (status.as_str(), action.as_str()) {
        ("ACCEPT" | "SUCCESS", _) => (Category::Authentication, login(is_tacacs), Outcome::Success),
        ("REJECT" | "FAILED" | "FAILURE" | "TIMEOUT", _) => {
            (Category::Authentication, login(is_tacacs), Outcome::Failure)
        }
        (_, "ADD" | "MODIFY" | "REMOVE" | "DELETE") => {
            (Category::Configuration, Action::ConfigChange, Outcome::Success)
        }
        _ if category.contains("logged in") => (Category::Authentication, Action::Login, Outcome::Success),
        _ if category.contains("logged out") => (Category::Authentication, Action::Logout, Outcome::Success),
        _ if category.contains("login failed") => (Category::Authentication, Action::Login, Outcome::Failure),
        _ => (Category::Host, Action::Other, Outcome::Unknown),
    };
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

fn login(is_tacacs: bool) -> Action {
    if is_tacacs { Action::Login } else { Action::Other }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn exports() {
        check(
            "<46>2026-03-03 09:00:00,239 cp1 Our Filter 0 1 0 Common.Alerts=User 'sato' not present in A, B,Common.Login-Status=REJECT,Common.Username=sato,Common.NAS-IP-Address=192.0.2.3,Common.Roles=",
            &[
                ("event.dataset", "aruba.clearpass"),
                ("event.action", "other"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.3"),
                ("native.filter", "Our Filter"),
                ("native.Common.Alerts", "User 'sato' not present in A, B"),
            ],
        );
        check(
            "<46>2026-03-03 09:00:00,280 cp1 All Audits 30 1 0 Timestamp=Mar 03, 2026 09:00:00 JST,Source=x,Category=Syslog Export Data,Action=MODIFY,User=sato",
            &[("event.action", "config-change"), ("user.name", "sato"), ("observer.hostname", "cp1")],
        );
        check(
            "<46>2026-03-03 09:00:00,280 cp1 T 30 1 0 TACACS.Username=sato,TACACS.Remote-Address=192.0.2.7,Common.Login-Status=ACCEPT",
            &[("event.action", "login"), ("user.name", "sato"), ("source.ip", "192.0.2.7")],
        );
    }

    #[test]
    fn leef() {
        check(
            "LEEF:1.0|Aruba Networks|ClearPass|1.0.0.0|3003|messageId=1-1 devTime=Mar 03 2026 09:00:00.009 JST component=RADIUS level=INFO description=Retired a key for 198.51.100.9 Server. src=192.0.2.7 cat=System Events",
            &[("event.code", "3003"), ("source.ip", "192.0.2.7"), ("@timestamp", "2026-03-03T00:00:00.009000Z")],
        );
        for line in ["x 1 2 3 a=b", "a b=c", "=", "LEEF:1.0|Aruba Networks|Other|1|2|a=b"] {
            assert_ne!(parse(line.as_bytes()).dataset.as_deref(), Some("aruba.clearpass"), "{line}");
        }
    }
}
