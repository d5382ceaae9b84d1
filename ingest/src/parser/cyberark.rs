//! `CyberArk` Digital Vault and Privileged Threat Analytics, as CEF, and the Vault as JSON.
//!
//! Format: `CyberArk`, *Vault audit action codes* and the shipped XSL translators. Quirks this file owns:
//! * The vendor is `Cyber-Ark` in the Vault's translator, `CyberArk` in PTA; values may stand in quotes.
//! * The Vault writes the person's address into `shost`, the machine that is reached into `dhost`, and the account
//!   that is used into `duser`.
//! * A translator for Elastic writes `{"format":"elastic", … "syslog":{"audit_record":{"MessageID":"7","Issuer":"sato",
//!   "Station":"192.0.2.9",…}}}`; `raw` repeats the record as XML and is passed over. Behind a gateway `Station` is still
//!   the person's address.
//! * The signature is the action's code; the name of the action never changes with the language.

use monban_event::{Action, Category, Outcome};

use super::cef;
use super::draft::{Draft, PayloadTime, address};
use super::json;
use super::scan::known;
use crate::header::Header;
use crate::stamp;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    as_json(header, draft) || as_cef(header, draft)
}

/// Where the members of a record stand in the object.
const RECORD: &str = "syslog.audit_record.";

fn as_json(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let body = header.body.trim_start();
    if !body.starts_with('{') || memchr::memmem::find(body.as_bytes(), b"\"audit_record\"").is_none() {
        return false;
    }
    let Some(members) = json::members(body) else { return false };
    let get = |name: &str| members.get(&format!("{RECORD}{name}")).unwrap_or("");
    if !matches!(get("Vendor"), "Cyber-Ark" | "CyberArk") {
        return false;
    }
    draft.product("cyberark", "cyberark.vault", "CyberArk", "Vault");
    draft.rule("cyberark.json");
    draft.event.code = known(get("MessageID"));
    draft.event.observer_hostname = header.host.map(str::to_owned).or_else(|| known(get("Hostname")));
    draft.time = stamp::read(get("IsoTimestamp")).map(|(stamp, _)| PayloadTime::Stamp(stamp));
    draft.user(get("Issuer"));
    draft.target_user(get("TargetUser"));
    draft.source(get("Station"));
    draft.reason(get("Reason"));
    for (name, value) in members.iter().filter_map(|(name, value)| Some((name.strip_prefix(RECORD)?, value))) {
        draft.native(name, value);
    }
    classify(get("MessageID"), get("Desc"), draft);
    true
}

fn as_cef(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(record) = cef::find(header.body).filter(|record| {
        record.vendor.eq_ignore_ascii_case("Cyber-Ark") || record.vendor.eq_ignore_ascii_case("CyberArk")
    }) else {
        return false;
    };
    let (dataset, product) = if record.product.eq_ignore_ascii_case("Vault") {
        ("cyberark.vault", "Vault")
    } else {
        ("cyberark.pta", "PTA")
    };
    draft.product("cyberark", dataset, "CyberArk", product);
    draft.rule("cyberark.cef");
    for (key, value) in cef::pairs(record.extension) {
        let value = value.trim_matches('"');
        match key {
            "shost" | "src" => draft.source(value),
            "dhost" | "dst" => draft.destination(value),
            "suser" => draft.user(value),
            _ => {}
        }
    }
    if product == "Vault" {
        classify(record.signature, record.name, draft);
    } else {
        draft.kind(Category::Authentication, Action::Detect);
    }
    cef::fill(&record, header, draft);
    // A name where a machine stands is one; an address there was taken already.
    draft.event.source_domain.take_if(|name| address(name).is_some());
    draft.event.destination_domain.take_if(|name| address(name).is_some());
    true
}

/// The Vault's audit codes.
fn classify(code: &str, name: &str, draft: &mut Draft<'_>) {
    let (category, action, outcome) = match code {
        "7" => (Category::Authentication, Action::Login, Outcome::Success),
        "4" | "309" => (Category::Authentication, Action::Login, Outcome::Failure),
        "8" => (Category::Authentication, Action::Logout, Outcome::Success),
        "300" => (Category::Session, Action::SessionStart, Outcome::Success),
        "301" => (Category::Session, Action::SessionStart, Outcome::Failure),
        "302" => (Category::Session, Action::SessionEnd, Outcome::Success),
        "295" | "308" => (Category::Iam, Action::Other, Outcome::Success),
        _ if is_account_change(name) => (Category::Iam, Action::AccountChange, Outcome::Success),
        _ => (Category::Host, Action::Other, Outcome::Unknown),
    };
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

fn is_account_change(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "Add User",
        "Update User",
        "Delete User",
        "Rename User",
        "Add Group",
        "Delete Group",
        "Add Group Member",
        "Remove Group Member",
        "Add Owner",
        "Update Owner",
    ];
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn vault_codes() {
        let line = |code: &str, name: &str| {
            format!(
                "<5>1 2026-03-03T00:00:00Z vault1 CEF:0|Cyber-Ark|Vault|12.6.0000|{code}|{name}|5|act=\"{name}\" \
                 suser=vendor01 shost=192.0.2.9 dhost=pacs1 duser=root reason= cs1Label=\"Affected User Name\" cs1="
            )
        };
        let who = [("user.name", "vendor01"), ("source.ip", "192.0.2.9"), ("observer.hostname", "vault1")];
        check(line("7", "Logon"), &who);
        check(line("7", "Logon"), &[("event.action", "login"), ("event.outcome", "success"), ("event.code", "7")]);
        check(line("309", "Undefined User Logon"), &[("event.action", "login"), ("event.outcome", "failure")]);
        check(
            line("300", "PSM Connect"),
            &[("event.action", "session-start"), ("user.target.name", "root"), ("destination.domain", "pacs1")],
        );
        check(line("180", "Add User"), &[("event.action", "account-change")]);
    }

    #[test]
    fn threat_analytics() {
        check(
            "<5>Mar  3 09:00:00 pta1 CEF:0|CyberArk|PTA|12.6|20|Privileged account anomaly|8|suser=yamada start=1700000000000",
            &[("event.action", "detect"), ("user.name", "yamada"), ("@timestamp", "2026-03-03T00:00:00.000000Z")],
        );
    }

    #[test]
    fn the_vault_as_json() {
        check(
            r#"<5>1 2026-03-03T00:00:01Z VAULT {"format":"elastic","version":"1.0","raw":"<syslog/>","syslog":{"audit_record":{"IsoTimestamp":"2026-03-03T00:00:00Z","Hostname":"VAULT","Vendor":"Cyber-Ark","Product":"Vault","MessageID":"7","Desc":"Logon","Issuer":"vendor01","TargetUser":"","Station":"203.0.113.9","GatewayStation":"10.0.1.20"}}}"#,
            &[
                ("event.module", "cyberark"),
                ("event.code", "7"),
                ("event.action", "login"),
                ("user.name", "vendor01"),
                ("user.target.name", "-"),
                ("source.ip", "203.0.113.9"),
                ("observer.hostname", "VAULT"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
        check(r#"{"audit_record":{"Vendor":"Other"}}"#, &[("observer.vendor", "-")]);
    }
}
