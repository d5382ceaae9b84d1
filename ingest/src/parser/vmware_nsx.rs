//! `VMware` NSX: the distributed firewall of the hosts and the manager's audit log.
//!
//! Formats: `FIREWALL-PKTLOG` lines `INET match|TERM VERDICT rule IN|OUT [length] PROTO [flags] a/p->b/p …`, and RFC 5424 with
//! `[nsx@6876 audit="true" … username="…"] UserName="…", ModuleName="…", Operation="…", Operation status="…", Src="…"`.
//! The manager audits reading too; only operations of logging in and those marked `update` are told as such.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::scan::{address_and_port, between};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let is_packet = header.app == Some("FIREWALL-PKTLOG") || header.body.contains("FIREWALL-PKTLOG");
    let structured = header.structured.filter(|structured| structured.contains("[nsx@6876"));
    let understood = match structured {
        Some(structured) => audit(structured, header.body, draft),
        None => is_packet && packet(header.body, draft).is_some(),
    };
    if understood {
        draft.product("vmware", "vmware.nsx", "VMware", "NSX");
        draft.process(header);
        draft.event.observer_hostname = header.host.map(str::to_owned);
    }
    understood
}

fn packet(text: &str, draft: &mut Draft<'_>) -> Option<()> {
    let mut words = text.split_ascii_whitespace();
    let pair = words.clone().find_map(|word| word.split_once("->"))?;
    let (from, to) = (address_and_port(pair.0)?, address_and_port(pair.1)?);
    let verdict = words.find(|word| matches!(*word, "PASS" | "DROP" | "REJECT" | "NAT" | "PUNT"))?;
    let rule = words.next();
    draft.source(from.0);
    draft.destination(to.0);
    (draft.event.source_port, draft.event.destination_port) = (from.1, to.1);
    let denied = matches!(verdict, "DROP" | "REJECT");
    draft.kind(Category::Network, if denied { Action::Deny } else { Action::Allow });
    draft.event.outcome = Some(if denied { Outcome::Failure } else { Outcome::Success });
    draft.native("verdict", verdict);
    draft.native("rule", rule.unwrap_or(""));
    draft.rule("vmware.nsx.packet");
    Some(())
}

fn audit(structured: &str, text: &str, draft: &mut Draft<'_>) -> bool {
    if !structured.contains("audit=\"true\"") {
        return false;
    }
    let value = |name: &str| between(text, name, "\"").unwrap_or("");
    let operation = value("Operation=\"");
    draft.user(value("UserName=\""));
    draft.user(between(structured, "username=\"", "\"").unwrap_or(""));
    draft.source(value("Src=\""));
    draft.event.code = Some(operation.to_owned()).filter(|operation| !operation.is_empty());
    draft.event.outcome = match value("Operation status=\"") {
        "success" => Some(Outcome::Success),
        "failure" => Some(Outcome::Failure),
        _ => None,
    };
    draft.native("ModuleName", value("ModuleName=\""));
    let updates = structured.contains("update=\"true\"");
    let is_account = ["User", "Role", "Password"].iter().any(|word| operation.contains(word));
    match operation {
        "LOGIN" | "Login" => draft.kind(Category::Authentication, Action::Login),
        "LOGOUT" | "Logout" => draft.kind(Category::Authentication, Action::Logout),
        _ if updates && is_account => draft.kind(Category::Iam, Action::AccountChange),
        _ if updates => draft.kind(Category::Configuration, Action::ConfigChange),
        _ => draft.kind(Category::Host, Action::Other),
    }
    draft.rule("vmware.nsx.audit");
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn packets_and_audits() {
        check(
            "<13>2026-03-03T00:00:00Z esx1 FIREWALL-PKTLOG - - - INET TERM PASS 5096 OUT TCP RST 192.0.2.11/60512->198.51.100.10/443 9/9 1461/4738 tag",
            &[
                ("event.action", "allow"),
                ("source.ip", "192.0.2.11"),
                ("source.port", "60512"),
                ("destination.port", "443"),
                ("native.rule", "5096"),
            ],
        );
        check(
            "<13>2026-03-03T00:00:00Z esx1 FIREWALL-PKTLOG: ab12 INET match DROP domain-c8/1001 IN 60 TCP 192.0.2.11/60512->198.51.100.10/22 S",
            &[("event.action", "deny"), ("destination.ip", "198.51.100.10")],
        );
        check(
            r#"<182>1 2026-03-03T00:00:00Z nsx1 NSX 5519 - [nsx@6876 audit="true" comp="nsx-manager" update="true" username="admin"] UserName="admin", ModuleName="AAA", Operation="CreateRoleBinding", Operation status="success", Src="192.0.2.8""#,
            &[
                ("event.action", "account-change"),
                ("user.name", "admin"),
                ("event.outcome", "success"),
                ("source.ip", "192.0.2.8"),
            ],
        );
        assert_eq!(parse(b"<13>Mar  3 09:00:00 h x: FIREWALL-PKTLOG went").module, None);
    }
}
