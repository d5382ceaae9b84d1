//! OSSEC and Wazuh managers: alerts over syslog (`syslog_output`).
//!
//! Format: `ossec: Alert Level: n; Rule: id - text; Location: (agent) ip->file; [classification: …;] [srcip: …;] [user: …;]
//! original line`; the same as CEF, JSON and `key="value"` behind `ossec:`. The line behind it was or will be received from its own machine as well: it is kept,
//! and not read as a login of its own.

use monban_event::{Action, Category};

use super::draft::Draft;
use super::scan::{behind, between};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some((_, text)) = header.body.split_once("Alert Level: ") else { return false };
    let Some(rule) = between(text, "; Rule: ", ";") else { return false };
    let Some((id, title)) = rule.split_once(" - ") else { return false };
    draft.product("ossec", "ossec.alert", "OSSEC", "OSSEC");
    draft.process(header);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.event.code = Some(id.trim().to_owned());
    draft.event.reason = Some(title.trim().to_owned());
    draft.native("level", text.split(';').next().unwrap_or(""));
    let location = between(text, "; Location: ", ";").unwrap_or("");
    draft.native("location", location);
    draft.event.host_name = agent(location).map(str::to_owned);
    draft.native("classification", between(text, "classification:", ";").unwrap_or("").trim());
    for mark in ["; srcip: ", "; src ip: "] {
        draft.source(behind(text, mark, &[';']).unwrap_or(""));
    }
    draft.user(behind(text, "; user: ", &[';']).unwrap_or(""));
    draft.kind(Category::Host, Action::Detect);
    draft.rule("ossec.alert");
    true
}

/// `(agent) 192.0.2.1->/var/log/secure`, or `host->file`.
fn agent(location: &str) -> Option<&str> {
    let (machine, _) = location.split_once("->")?;
    let name = between(machine, "(", ")").unwrap_or(machine).trim();
    (!name.is_empty() && !name.contains(' ')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn an_alert_is_no_login() {
        check(
            "<132>Mar  3 09:00:00 mgr1 ossec: Alert Level: 5; Rule: 5716 - SSHD authentication failed.; Location: (srv1) 192.0.2.1->/var/log/secure; classification: syslog,sshd,; srcip: 192.0.2.8; user: sato; Mar  3 09:00:00 srv1 sshd[1]: Failed password for sato from 192.0.2.8 port 5 ssh2",
            &[
                ("event.code", "5716"),
                ("event.action", "detect"),
                ("source.ip", "192.0.2.8"),
                ("user.name", "sato"),
                ("host.name", "srv1"),
                ("observer.hostname", "mgr1"),
            ],
        );
        assert_eq!(parse(b"<14>Mar  3 09:00:00 h app: Alert Level: 5").module, None);
    }
}
