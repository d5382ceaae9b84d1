//! `OpenLDAP`'s slapd (`loglevel stats`) and 389 Directory Server's access log.
//!
//! Format: `OpenLDAP`, *Administrator's guide, monitoring*; Red Hat, *Access log reference*. Quirks this file owns:
//! * A bind is several lines: `BIND dn="…" method=128` asks, `BIND dn="…" mech=SIMPLE` says that it was granted, and
//!   `RESULT tag=97 err=49` that it was refused, without a name. So the granted bind and the refused result are the
//!   login, joined by `conn`.
//! * The account is the first value of the name. An empty name is nobody.
//! * An export may have put the line into quotes and doubled those inside.

use monban_event::{Action, Category, Outcome};

use super::daemon::{on_host, program};
use super::draft::Draft;
use super::scan::{behind, between, source_end};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let is_tagged = matches!(program(header), "slapd" | "ns-slapd");
    let text = if is_tagged { header.message } else { header.after_time };
    let Some(at) = memchr::memmem::find(text.as_bytes(), b"conn=") else { return false };
    let before = text.get(..at).unwrap_or("").trim_matches(['"', ' ']);
    let text = text.get(at..).unwrap_or("");
    let is_own = is_tagged
        || ((before.is_empty() || before.starts_with('[')) && [" op=", " fd="].iter().any(|key| text.contains(key)));
    if !is_own {
        return false;
    }
    if let Some(stamp) = before.strip_prefix('[').map(|stamp| stamp.trim_end_matches(']')) {
        draft.time = super::daemon::moment(stamp);
    }
    draft.native("conn", behind(text, "conn=", &[' ']).unwrap_or(""));
    draft.native("op", behind(text, " op=", &[' ']).unwrap_or(""));
    read(text, draft);
    on_host(header, draft, "openldap.log");
    if !is_tagged && header.time.is_none() {
        draft.event.host_name = None;
    }
    true
}

fn read(text: &str, draft: &mut Draft<'_>) {
    if let Some((_, rest)) = text.split_once(" BIND ") {
        bind(rest, draft);
    } else if text.contains(" UNBIND") {
        draft.kind(Category::Authentication, Action::Logout);
        draft.event.outcome = Some(Outcome::Success);
    } else if let Some((_, rest)) = text.split_once(" RESULT ") {
        result(rest, draft);
    } else if let Some(from) = behind(text, "ACCEPT from IP=", &[' ']) {
        source_end(from, draft);
        draft.kind(Category::Network, Action::Allow);
        draft.event.outcome = Some(Outcome::Success);
    } else if let Some((from, to)) = text.split_once("onnection from ").and_then(|(_, ends)| ends.split_once(" to ")) {
        draft.source(from);
        draft.destination(to);
        draft.kind(Category::Network, Action::Allow);
        draft.event.outcome = Some(Outcome::Success);
    } else if [" MOD ", " ADD ", " DEL ", " MODRDN ", " PASSMOD "].iter().any(|verb| text.contains(verb)) {
        draft.target_user(account_of(name(text)));
        draft.kind(Category::Iam, Action::AccountChange);
        draft.event.outcome = Some(Outcome::Unknown);
    } else {
        draft.kind(Category::Network, Action::Other);
    }
}

fn bind(rest: &str, draft: &mut Draft<'_>) {
    draft.user(account_of(name(rest)));
    let is_granted = rest.contains(" mech=") && rest.contains("ssf=") && draft.event.user_name.is_some();
    draft.kind(Category::Authentication, if is_granted { Action::Login } else { Action::Other });
    draft.event.outcome = Some(if is_granted { Outcome::Success } else { Outcome::Unknown });
    draft.event.code = Some("BIND".to_owned());
}

fn result(rest: &str, draft: &mut Draft<'_>) {
    let error = behind(rest, "err=", &[' ']).unwrap_or("");
    let is_bind = behind(rest, "tag=", &[' ']) == Some("97");
    let failed = !matches!(error, "" | "0" | "14");
    let is_refused = is_bind && failed;
    let category = if is_bind { Category::Authentication } else { Category::Network };
    draft.kind(category, if is_refused { Action::Login } else { Action::Other });
    draft.event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
    draft.event.code = Some("RESULT".to_owned());
    if failed {
        draft.reason(error);
    }
}

/// The distinguished name in quotes, which an export may have doubled.
fn name(text: &str) -> &str {
    between(text, "dn=\"\"", "\"\"")
        .filter(|name| !name.is_empty())
        .or_else(|| between(text, "dn=\"", "\""))
        .unwrap_or("")
}

/// `uid=sato,ou=People,dc=…` is `sato`; a name that begins with anything but a person's attribute is none.
fn account_of(name: &str) -> &str {
    let first = name.split(',').next().unwrap_or("");
    let Some((attribute, value)) = first.split_once('=') else { return "" };
    let is_person = ["uid", "cn", "mail", "samaccountname", "userid"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(attribute.trim()));
    if is_person { value.trim() } else { "" }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn one_login_for_one_bind() {
        let line = |text: &str| format!("<167>Mar  3 09:00:00 ldap1 slapd[9]: conn=15 op=0 {text}");
        check(
            line("BIND dn=\"uid=sato,ou=People,dc=example\" method=128"),
            &[("event.action", "other"), ("user.name", "sato"), ("host.name", "ldap1")],
        );
        check(
            line("BIND dn=\"uid=sato,ou=People,dc=example\" mech=SIMPLE bind_ssf=0 ssf=0"),
            &[("event.action", "login"), ("event.outcome", "success"), ("user.name", "sato"), ("native.conn", "15")],
        );
        check(line("RESULT tag=97 err=0 text="), &[("event.action", "other")]);
        check(
            line("RESULT tag=97 err=49 qtime=0.000010 etime=0.0002 text="),
            &[("event.action", "login"), ("event.outcome", "failure"), ("event.reason", "49"), ("user.name", "-")],
        );
        check(line("BIND dn=\"\" method=128"), &[("user.name", "-")]);
    }

    #[test]
    fn connections_and_changes() {
        check(
            "<167>Mar  3 09:00:00 ldap1 slapd[9]: conn=15 fd=23 ACCEPT from IP=[2001:db8::9]:45242 (IP=[::]:389)",
            &[("source.ip", "2001:db8::9"), ("source.port", "45242"), ("destination.ip", "-")],
        );
        check(
            "conn=11 op=2 MOD dn=\"uid=sato,ou=People,dc=example\"",
            &[("event.action", "account-change"), ("user.target.name", "sato"), ("host.name", "-")],
        );
        check(
            "[03/Mar/2026:09:00:00 +0900] conn=1 fd=64 slot=64 connection from 192.0.2.9 to 192.0.2.1",
            &[
                ("source.ip", "192.0.2.9"),
                ("destination.ip", "192.0.2.1"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
        check(
            "\" conn=65 op=3 SRCH base=\"\"ou=people\"\" scope=2\"",
            &[("event.category", "network"), ("user.name", "-")],
        );
        check("nothing conn=1 of it", &[("event.module", "-")]);
    }
}
