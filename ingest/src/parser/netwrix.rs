//! Netwrix Endpoint Protector: device control and content rules, as labels between bars; and the logons of Netwrix
//! Auditor, as CEF whose other products need nothing of their own.
//!
//! Format: `EPP … - KIND - EVENT: [Log ID] … | [Event Name] File Read | [Client Computer] PC | [IP Address] … | [Client User]
//! … | [Date/Time(Server UTC)] …`. The address is the computer's. Auditor: `|Netwrix|Logon Activity|1.0|Failed Logon|…| suser= shost=
//! msg=Cause: …`, its time in the words of the server's language.

use monban_event::{Action, Category, Outcome};

use super::cef;
use super::draft::{Draft, address};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if memchr::memmem::find(header.body.as_bytes(), b"|Netwrix|Logon Activity|").is_some() {
        return logon(header, draft);
    }
    let Some((_, rest)) = header.body.split_once("[Log ID] ") else { return false };
    if !rest.contains(" | [Event Name] ") {
        return false;
    }
    let mut name = "";
    for part in rest.split(" | ") {
        let Some((label, value)) = part.strip_prefix('[').and_then(|part| part.split_once(']')) else { continue };
        let value = value.trim();
        match label {
            "Event Name" => name = value,
            "Client Computer" => draft.event.source_domain = Some(value.to_owned()).filter(|name| !name.is_empty()),
            "IP Address" if address(value).is_some() => draft.source(value),
            "Client User" => draft.user(value),
            _ => {}
        }
        draft.native(label, value);
    }
    draft.product("netwrix", "netwrix.endpoint_protector", "Netwrix", "Endpoint Protector");
    draft.process(header);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.event.code = Some(name.to_owned()).filter(|name| !name.is_empty());
    let blocked = name.contains("Block") || name.contains("Denied");
    draft.kind(Category::File, if blocked { Action::Deny } else { Action::Other });
    draft.event.outcome = Some(if blocked { Outcome::Failure } else { Outcome::Success });
    draft.rule("netwrix.epp");
    true
}

fn logon(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(record) = cef::find(header.body) else { return false };
    draft.product("netwrix", "netwrix.auditor", "Netwrix", "Auditor");
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.event.code = Some(record.signature.to_owned());
    for (key, value) in cef::pairs(record.extension) {
        match key {
            "suser" => draft.user(&value),
            "shost" => draft.event.host_name = Some(value.to_string()),
            "msg" => draft.reason(value.strip_prefix("Cause: ").unwrap_or("")),
            _ => {}
        }
        draft.native(key, &value);
    }
    let (action, outcome) = match record.signature {
        "Successful Logon" => (Action::Login, Outcome::Success),
        "Failed Logon" => (Action::Login, Outcome::Failure),
        "Logoff" => (Action::Logout, Outcome::Success),
        _ => (Action::Other, Outcome::Unknown),
    };
    draft.kind(Category::Authentication, action);
    draft.event.outcome = Some(outcome);
    draft.rule("netwrix.auditor");
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn labels_between_bars() {
        check(
            "<129>1 2026-03-03T00:00:00+00:00 epp1 EPP 23203 - - EPP - Device Control - Blocked: [Log ID] A | [Event Name] Device Blocked | [Client Computer] PC1 | [IP Address] 192.0.2.8 | [Serial Number]  | [Client User] sato | [File Name] X:/a | b.txt",
            &[
                ("event.code", "Device Blocked"),
                ("event.action", "deny"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.8"),
                ("source.domain", "PC1"),
                ("observer.hostname", "epp1"),
            ],
        );
        assert_eq!(parse(b"<14>Mar  3 09:00:00 h app: [Log ID] x").module, None);
    }

    #[test]
    fn logons_of_the_auditor() {
        check(
            r"CEF:0|Netwrix|Logon Activity|1.0|Failed Logon|Failed Logon Logon|0|shost=fs1.hospital.example cat=Logon suser=HOSPITAL\sato msg=Cause: bad password",
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
                ("host.name", "fs1.hospital.example"),
                ("event.reason", "bad password"),
            ],
        );
    }
}
