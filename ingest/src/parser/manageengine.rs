//! `ManageEngine` `ADAuditPlus`: what it read from the domain controllers' logs, as CEF.
//!
//! Quirks: `CEF:` may be missing; the custom strings have fixed meanings but no labels: `cs1` the report, `cs2` the
//! client's address, `cs3` the server that wrote the event (in alerts the profile's group instead, which has blanks),
//! `cs4` the alert's profile. A Kerberos ticket granted is no login, as in the servers' own log.

use monban_event::{Action, Category, Outcome};

use super::cef;
use super::draft::{Draft, PayloadTime};
use crate::header::Header;
use crate::stamp;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if memchr::memmem::find(header.body.as_bytes(), b"|ManageEngine|ADAudit").is_none() {
        return false;
    }
    let Some(record) = cef::find(header.body) else { return false };
    draft.product("manageengine", "manageengine.adauditplus", "ManageEngine", "ADAuditPlus");
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.event.code = Some(record.name.to_owned());
    let (mut report, mut message) = (String::new(), String::new());
    for (key, value) in cef::pairs(record.extension) {
        match key {
            "rt" => draft.time = stamp::epoch(&value).map(PayloadTime::Instant),
            "suser" => draft.user(&value),
            "duser" => draft.target_user(&value),
            "suid" => draft.event.user_id = Some(value.to_string()).filter(|sid| sid.starts_with("S-1-")),
            "cs2" => draft.source(&value),
            "cs3" if !value.contains(' ') => draft.event.host_name = Some(value.to_string()),
            "outcome" => draft.event.outcome = Outcome::parse(&value.to_ascii_lowercase()),
            "reason" => draft.reason(&value),
            "cs1" => report = value.to_string(),
            "msg" => message = value.to_string(),
            _ => {}
        }
        draft.native(key, &value);
    }
    set_action(record.name, &report, &message, draft);
    draft.rule("manageengine.adauditplus");
    true
}

fn set_action(signature: &str, report: &str, message: &str, draft: &mut Draft<'_>) {
    let failed = draft.event.outcome == Some(Outcome::Failure);
    let vouched = message.contains("Kerberos") || message.contains("credentials for an account");
    let (category, action) = match signature {
        "LogonReports" if report.contains("Logoff") => (Category::Authentication, Action::Logout),
        "LogonReports" if failed || !vouched => (Category::Authentication, Action::Login),
        "LogonReports" => (Category::Authentication, Action::Other),
        "UserMgmtReports" | "GroupMgmtReports" | "ComputerMgmtReports" => (Category::Iam, Action::AccountChange),
        "ADObjectsAuditReports" | "DNSAuditReports" | "GPOMgmtReports" | "OUMgmtReports" => {
            (Category::Configuration, Action::ConfigChange)
        }
        "ADAPAlerts" => (Category::Host, Action::Detect),
        _ => (Category::Host, Action::Other),
    };
    draft.kind(category, action);
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn reports_of_the_domain() {
        let line = |rest: &str| format!("<14>Mar  3 09:00:00 ad1 CEF:0|ManageEngine|ADAuditPlus|1|EventLog|{rest}");
        check(
            line(
                "LogonReports|1|cat=LogonReports cs1=All Users Logon suser=sato cs2=192.0.2.8 shost=PC1 rt=1772496000000 outcome=Failure sntdom=H cs3=DC01.hospital.example suid=S-1-5-21-1 reason=Bad password msg=Kerberos pre-authentication failed.",
            ),
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("event.reason", "Bad password"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.8"),
                ("host.name", "DC01.hospital.example"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
        check(
            line("LogonReports|1|suser=sato outcome=Success msg=A Kerberos authentication ticket (TGT) was requested."),
            &[("event.action", "other"), ("event.outcome", "success")],
        );
        check(
            line("UserMgmtReports|1|suser=admin1 duser=sato outcome=Success cs3=DC01"),
            &[("event.action", "account-change"), ("user.target.name", "sato")],
        );
        check(
            line("ADAPAlerts|1|cs3=User Behaviour Analytics msg=x"),
            &[("event.action", "detect"), ("host.name", "-"), ("observer.hostname", "ad1")],
        );
    }
}
