//! `McAfee` and Trellix ePolicy Orchestrator: the events of endpoints it forwards as XML.
//!
//! Format: Trellix, *ePO: forwarding events to syslog*, and the event's own schema. Quirks this file owns:
//! * RFC 5424, tag `EPOEvents`, and behind the structured data one `<EPOevent>`, or `<EPOEvent>` of other products.
//! * The header's host is the server; the endpoint is `MachineName` with `IPAddress`, its user `UserName`.
//! * `SourceIPV4` and `SourceUserName` are who caused it, `TargetIPV4` what was reached; addresses may be IPv6 forms of
//!   IPv4. Where no source is named the endpoint acted upon itself.
//! * `GMTTime` is UTC and says so only by its name.

use memchr::memmem;
use monban_event::{Action, Category, Outcome};

use super::daemon::{in_utc, is_denied, moment};
use super::draft::Draft;
use super::scan::{between, known, port};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.body;
    let has = |mark: &str| memmem::find(text.as_bytes(), mark.as_bytes()).is_some();
    if !(has("<EPOevent>") || has("<EPOEvent>")) || !has("<MachineInfo>") {
        return false;
    }
    let get = |name: &str| between(text, &format!("<{name}>"), "</").unwrap_or("").trim();
    draft.product("trellix", "trellix.epo", "Trellix", "ePolicy Orchestrator");
    draft.rule("trellix.epo");
    draft.process(header);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.event.code = known(get("EventID"));
    let machine = get("IPAddress");
    let source = first([get("SourceIPV4"), get("SourceIPV6"), machine]);
    draft.source(source);
    draft.destination(first([get("TargetIPV4"), get("TargetIPV6"), ""]));
    draft.event.destination_port = port(get("TargetPort"));
    draft.event.source_domain =
        known(get("SourceHostName")).or_else(|| known(get("MachineName")).filter(|_| source == machine));
    draft.user(first([get("SourceUserName"), get("UserName"), ""]));
    draft.reason(get("ThreatName"));
    draft.time = moment(get("GMTTime")).map(in_utc);
    for name in [
        "MachineName",
        "IPAddress",
        "UserName",
        "ThreatActionTaken",
        "ThreatCategory",
        "TargetUserName",
        "TargetHostName",
    ] {
        draft.native(name, get(name));
    }
    let is_threat = !get("ThreatName").is_empty() && get("ThreatName") != "_";
    let denied = is_denied(get("ThreatActionTaken")) == Some(true);
    draft.kind(
        if is_threat { Category::Malware } else { Category::Host },
        if is_threat { Action::Detect } else { Action::Other },
    );
    draft.event.outcome = denied.then_some(Outcome::Failure);
    true
}

fn first(choices: [&str; 3]) -> &str {
    choices.into_iter().find(|choice| !choice.is_empty()).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn endpoint_events() {
        let line = |extra: &str| {
            format!(
                "<29>1 2026-03-03T00:00:05.0Z epo1 EPOEvents - EventFwd [agentInfo@3401 tenantId=\"1\"] <?xml version=\"1.0\"?>\
                 <EPOevent><MachineInfo><MachineName>PC1</MachineName><IPAddress>192.0.2.9</IPAddress>\
                 <UserName>HOSPITAL\\sato</UserName></MachineInfo><SoftwareInfo ProductName=\"x\"><Event><EventID>1027</EventID>\
                 <GMTTime>2026-03-03T00:00:00</GMTTime><CommonFields><ThreatName>Test</ThreatName>{extra}\
                 <ThreatActionTaken>blocked</ThreatActionTaken></CommonFields></Event></SoftwareInfo></EPOevent>"
            )
        };
        check(
            line(""),
            &[
                ("event.code", "1027"),
                ("event.action", "detect"),
                ("source.ip", "192.0.2.9"),
                ("source.domain", "PC1"),
                ("user.name", "sato"),
                ("observer.hostname", "epo1"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
        check(
            line("<SourceIPV4>203.0.113.9</SourceIPV4><TargetIPV4>192.0.2.9</TargetIPV4><TargetPort>445</TargetPort>"),
            &[
                ("source.ip", "203.0.113.9"),
                ("destination.ip", "192.0.2.9"),
                ("destination.port", "445"),
                ("source.domain", "-"),
            ],
        );
        check("<29>Mar  3 09:00:00 x app: <EPOevent></EPOevent>", &[("event.dataset", "-")]);
    }
}
