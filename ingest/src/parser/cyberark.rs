//! `CyberArk` Digital Vault and Privileged Threat Analytics, as CEF, and the Vault's own record as JSON or XML.
//!
//! Format: `CyberArk`, *Vault audit action codes* and the shipped XSL translators. Quirks this file owns:
//! * The vendor is `Cyber-Ark` in the Vault's translator, `CyberArk` in PTA; values may stand in quotes.
//! * The Vault writes the person's address into `shost`, the machine that is reached into `dhost`, and the account
//!   that is used into `duser`.
//! * The translators that keep the whole record write it as an element, `<audit_record>`, or as an object with the same
//!   names, `syslog.audit_record`. There `Station` is the person's address and `GatewayStation` the portal's before it;
//!   what a session reached stands in `ExtraDetails` as `DstHost=…;User=…;`.
//! * The signature is the action's code; the name of the action never changes with the language.

use memchr::memmem;
use monban_event::{Action, Category, Outcome};

use super::daemon::moment;
use super::draft::{Draft, address};
use super::scan::{behind, between, known};
use super::{cef, json};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(record) = cef::find(header.body).filter(|record| {
        record.vendor.eq_ignore_ascii_case("Cyber-Ark") || record.vendor.eq_ignore_ascii_case("CyberArk")
    }) else {
        return vault_record(header, draft);
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

/// The record as the Vault itself has it, an object or an element.
fn vault_record(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if memmem::find(header.body.as_bytes(), b"audit_record").is_none() {
        return false;
    }
    if let Some(start) = header.body.find('{').filter(|_| header.body.contains("\"Cyber-Ark\"")) {
        let Some(members) = header.body.get(start..).and_then(json::members) else { return false };
        let get = |name: &str| members.get(&format!("syslog.audit_record.{name}")).unwrap_or("");
        if !fill_record(get, draft) {
            return false;
        }
        for (name, value) in members.iter().filter_map(|(name, value)| Some((name.rsplit('.').next()?, value))) {
            // The element again, whole.
            if name != "raw" {
                draft.native(name, value);
            }
        }
    } else if header.body.contains("<Vendor>Cyber-Ark</Vendor>") {
        let get = |name: &str| between(header.body, &format!("<{name}>"), "</").unwrap_or("");
        if !fill_record(get, draft) {
            return false;
        }
    } else {
        return false;
    }
    draft.product("cyberark", "cyberark.vault", "CyberArk", "Vault");
    draft.rule("cyberark.record");
    draft.event.observer_hostname = header.host.map(str::to_owned).or(draft.event.observer_hostname.take());
    true
}

fn fill_record<'a>(get: impl Fn(&str) -> &'a str, draft: &mut Draft<'_>) -> bool {
    let (code, name) = (get("MessageID"), get("Desc"));
    if code.is_empty() {
        return false;
    }
    draft.event.code = Some(code.to_owned());
    draft.user(get("Issuer"));
    draft.source(get("Station"));
    let details = get("ExtraDetails");
    let reached = behind(details, "DstHost=", &[';']).unwrap_or("");
    draft.destination(reached);
    if draft.event.destination_ip.is_none() {
        draft.event.destination_domain = known(reached);
    }
    let used = get("TargetUser");
    draft.target_user(if used.is_empty() { behind(details, ";User=", &[';']).unwrap_or("") } else { used });
    draft.event.observer_hostname = known(get("Hostname"));
    draft.time = moment(get("IsoTimestamp"));
    classify(code, name, draft);
    draft.reason(get("Reason"));
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
    fn whole_records() {
        let expected = [
            ("user.name", "vendor01"),
            ("source.ip", "192.0.2.9"),
            ("event.code", "300"),
            ("event.action", "session-start"),
            ("destination.ip", "192.0.2.7"),
            ("user.target.name", "root"),
            ("observer.hostname", "vault1"),
            ("@timestamp", "2026-03-03T00:00:00.000000Z"),
        ];
        check(
            "<5>1 2026-03-03T00:00:01Z vault1 {\"format\":\"elastic\",\"raw\":\"<syslog/>\",\"syslog\":{\"audit_record\":{\
             \"IsoTimestamp\":\"2026-03-03T00:00:00Z\",\"Vendor\":\"Cyber-Ark\",\"Product\":\"Vault\",\"MessageID\":\"300\",\
             \"Desc\":\"PSM Connect\",\"Issuer\":\"vendor01\",\"TargetUser\":\"\",\"Station\":\"192.0.2.9\",\
             \"ExtraDetails\":\"Protocol=SSH;DstHost=192.0.2.7;User=root;\",\"GatewayStation\":\"192.0.2.3\"}}}",
            &expected,
        );
        check(
            "<5>1 2026-03-03T00:00:01Z vault1 <syslog><audit_record><IsoTimestamp>2026-03-03T00:00:00Z</IsoTimestamp>\
             <Vendor>Cyber-Ark</Vendor><MessageID>300</MessageID><Desc>PSM Connect</Desc><Issuer>vendor01</Issuer>\
             <TargetUser></TargetUser><Station>192.0.2.9</Station>\
             <ExtraDetails>Protocol=SSH;DstHost=192.0.2.7;User=root;</ExtraDetails></audit_record></syslog>",
            &expected,
        );
        check("<5>Mar  3 09:00:00 x app: {\"audit_record\":{\"a\":1}}", &[("event.dataset", "-")]);
    }

    #[test]
    fn threat_analytics() {
        check(
            "<5>Mar  3 09:00:00 pta1 CEF:0|CyberArk|PTA|12.6|20|Privileged account anomaly|8|suser=yamada start=1700000000000",
            &[("event.action", "detect"), ("user.name", "yamada"), ("@timestamp", "2026-03-03T00:00:00.000000Z")],
        );
    }
}
