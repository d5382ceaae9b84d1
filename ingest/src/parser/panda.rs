//! Panda (`WatchGuard` EPDR) `SIEMFeeder`: what endpoints' sensors saw, as LEEF.
//!
//! Format: Panda, *`SIEMFeeder` infrastructure guide*. Quirks this file owns:
//! * The endpoint is `HostName`, its address `src`, its person `usrName` with the domain in `domain`.
//! * `Op` is the operation; the event id is its family (`exec`, `registrym`, `createdir` …). Detections are `alertmalware`,
//!   `alertexploit` and their kin; `devTime` has microseconds.

use monban_event::{Action, Category, account};

use super::draft::Draft;
use super::leef;
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(record) = leef::find(header.body).filter(|record| record.vendor.starts_with("Panda")) else {
        return false;
    };
    draft.product("panda", "panda.siemfeeder", "Panda Security", record.product);
    draft.rule("panda.leef");
    let id = record.event_id;
    let (category, action) = match id {
        _ if id.starts_with("alert") => (Category::Malware, Action::Detect),
        "exec" => (Category::Process, Action::Other),
        "createdir" | "createfile" | "datafile" => (Category::File, Action::Other),
        "socket" | "dnsops" | "urldownload" => (Category::Network, Action::Other),
        "loginoutops" => (Category::Authentication, Action::Other),
        _ => (Category::Host, Action::Other),
    };
    draft.kind(category, action);
    leef::fill(record, header, draft);
    let native =
        |name: &str| draft.event.native.get(name).filter(|value| !account::is_null_word(value)).map(str::to_owned);
    let (host, domain) = (native("HostName"), native("domain"));
    draft.event.host_name = host;
    draft.event.user_domain = draft.event.user_domain.take().or(domain.map(|domain| account::fold(&domain)));
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn endpoint_events() {
        check(
            "LEEF:1.0|Panda Security|paps|02.47.00.0000|exec|sev=1\tdevTime=2026-03-03 09:00:00.130735\tusrName=sato\tdomain=CORP\t\
             src=192.0.2.5\tHostName=ws1\tOp=Exec\tChildPath=SYSTEM|\\a.exe",
            &[
                ("user.name", "sato"),
                ("user.domain", "corp"),
                ("host.name", "ws1"),
                ("source.ip", "192.0.2.5"),
                ("event.category", "process"),
                ("native.ChildPath", "SYSTEM|\\a.exe"),
                ("@timestamp", "2026-03-03T00:00:00.130735Z"),
            ],
        );
        check(
            "LEEF:1.0|Panda Security|paps|1|alertmalware|src=192.0.2.5\tHostName=ws1",
            &[("event.category", "malware")],
        );
    }
}
