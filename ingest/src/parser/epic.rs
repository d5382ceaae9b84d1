//! Epic's electronic record: `<EventLog>` in XML behind an RFC 5424 header, one act of a person per record.
//!
//! Format: Epic Security-SIEM export. Quirks this file owns:
//! * `EMPid` is `number^NAME, FIRST^account`: the account is the last part.
//! * `Date` and `Time` are American and local; the header's time, which has an offset, is taken before them.
//! * What a record is about stands in `E1Mid`; every application has login codes of its own before the same endings
//!   (`BCA_LOGIN_SUCCESS`, `ROVER_FAILED_LOGIN`); details are `<Mnemonic Name="…"><Value>…</Value>`, and `IP` among them may
//!   read `Unknown IP` or `192.0.2.9/192.0.2.10`.

use monban_event::{Action, Category, Outcome, account};

use super::daemon::moment;
use super::draft::Draft;
use super::scan::between;
use crate::header::Header;

/// Most mnemonics read of one record.
const MNEMONICS_MAX: usize = 64;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(at) = memchr::memmem::find(header.message.as_bytes(), b"<EventLog>") else { return false };
    let record = header.message.get(at..).unwrap_or("");
    let Some(code) = element(record, "<E1Mid>") else { return false };
    draft.product("epic", "epic.ehr", "Epic", "EHR");
    draft.rule("epic.xml");
    draft.event.code = Some(code.to_owned()).filter(|code| !code.is_empty());
    draft.event.observer_hostname = header.host.map(str::to_owned);
    let person = element(record, "<EMPid>").unwrap_or("");
    draft.user(person.rsplit('^').next().unwrap_or(""));
    let workstation = element(record, "<LWSid>").and_then(|station| station.rsplit('^').next());
    draft.event.source_domain = workstation.map(str::to_owned).filter(|name| !account::is_null_word(name));
    let date = element(record, "<Date>").unwrap_or("");
    let time = element(record, "<Time>").unwrap_or("");
    draft.time = moment(&format!("{date} {time}"));
    for name in ["EMPid", "Action", "Source", "Flag"] {
        draft.native(name, element(record, &format!("<{name}>")).unwrap_or(""));
    }
    mnemonics(record, draft);
    classify(code, draft);
    true
}

/// The text of the first element with that opening tag.
fn element<'a>(record: &'a str, tag: &str) -> Option<&'a str> {
    between(record, tag, "<").map(str::trim)
}

fn mnemonics(record: &str, draft: &mut Draft<'_>) {
    for part in record.split("<Mnemonic Name=\"").skip(1).take(MNEMONICS_MAX) {
        let Some((name, rest)) = part.split_once('"') else { continue };
        let value = between(rest, "<Value>", "</Value>").unwrap_or("").trim();
        draft.native(name, value);
        if matches!(name, "IP" | "CLIENTIP" | "IPADDRESS") {
            draft.source(value.split('/').next().unwrap_or(value));
        }
    }
}

fn classify(code: &str, draft: &mut Draft<'_>) {
    let ends = |words: &[&str]| words.iter().any(|word| code.ends_with(word));
    let (category, action, outcome) = match code {
        _ if ends(&["FAILEDLOGIN", "FAILED_LOGIN", "LOGIN_FAIL", "LOGIN_FAILURE", "LOGIN_BLOCKED", "LOGINBLOCKED"]) => {
            (Category::Authentication, Action::Login, Outcome::Failure)
        }
        "LOGIN" => (Category::Authentication, Action::Login, Outcome::Success),
        _ if ends(&["_LOGIN", "LOGIN_SUCCESS"]) => (Category::Authentication, Action::Login, Outcome::Success),
        _ if ends(&["PASSWORDCHANGE", "USER_LOCKED"]) => (Category::Iam, Action::AccountChange, Outcome::Success),
        "LOGOUT" => (Category::Authentication, Action::Logout, Outcome::Success),
        _ => (Category::File, Action::Other, Outcome::Unknown),
    };
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn acts_of_a_person() {
        check(
            "<85>1 2026-03-03T00:00:00Z ehr1 Epic 76 - [origin software=\"Security-SIEM\"] <?xml version=\"1.0\"?><EventLog> \
             <E1Mid>FAILEDLOGIN</E1Mid> <EMPid>113^YAMADA, TARO^YAMADAT</EMPid> <LWSid></LWSid> <Action>Login</Action> \
             <Date>3/3/2026</Date> <Time>9:00:00 AM</Time> <Mnemonics> <Mnemonic Name=\"IP\"> <Value>192.0.2.9</Value> \
             </Mnemonic> </Mnemonics> </EventLog>",
            &[
                ("event.code", "FAILEDLOGIN"),
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "yamadat"),
                ("source.ip", "192.0.2.9"),
                ("observer.hostname", "ehr1"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
        check(
            "<EventLog><E1Mid>IC_SERVICE_AUDIT</E1Mid><EMPid>1^X^SVC</EMPid><Mnemonic Name=\"IP\"><Value>Unknown IP</Value></Mnemonic></EventLog>",
            &[("source.ip", "-"), ("user.name", "svc")],
        );
        check("<EventLog>", &[("event.module", "-")]);
    }
}
