//! Samba: the file audit of `vfs_full_audit`, the authentication audit, and smbd's own refusals.
//!
//! Formats: `smbd_audit: PREFIX|operation|ok|…`, where the prefix is whatever `full_audit:prefix` says (`%u|%I` by default,
//! often with machine and share behind); `Auth: [SMB2,(null)] user [DOMAIN]\[NAME] at […] with […] status [NT_STATUS_…]
//! workstation […] remote host [ipv4:192.0.2.1:50000]`, and the same as JSON. The operation is the part before `ok` or
//! `fail (…)`; the account is the first part of the prefix and its address the first part that is one.

use monban_event::{Action, Category, Outcome, account};

use super::draft::{Draft, address};
use super::json::{self, Members};
use super::scan::{address_and_port, between};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let app = header.app.unwrap_or("");
    let text = header.message.trim();
    let understood = match app {
        "smbd_audit" | "samba_audit" => audit(text, draft).is_some(),
        "smbd" | "samba" | "winbindd" | "auth_audit" => authentication(text, draft) || refusal(text, draft),
        _ => text.split_once("smbd_audit: ").is_some_and(|(_, rest)| audit(rest, draft).is_some()),
    };
    if understood {
        draft.event.module = Some("samba".to_owned());
        draft.event.dataset = Some("samba.audit".to_owned());
        draft.process(header);
        draft.event.host_name = header.host.map(str::to_owned);
    }
    understood
}

fn audit(text: &str, draft: &mut Draft<'_>) -> Option<()> {
    let parts: Vec<&str> = text.splitn(PARTS_MAX, '|').collect();
    let verdict = parts.iter().position(|part| *part == "ok" || part.starts_with("fail"))?;
    let operation = *parts.get(verdict.checked_sub(1)?)?;
    let prefix = parts.get(..verdict - 1)?;
    draft.user(prefix.first().copied().unwrap_or(""));
    draft.source(prefix.iter().copied().find(|part| address(part).is_some()).unwrap_or(""));
    draft.native("operation", operation);
    draft.native("prefix", &prefix.join("|"));
    draft.native("object", &parts.get(verdict + 1..).unwrap_or_default().join("|"));
    let result = parts.get(verdict).copied().unwrap_or("");
    draft.event.outcome = Some(if result == "ok" { Outcome::Success } else { Outcome::Failure });
    draft.reason(between(result, "(", ")").unwrap_or(""));
    match operation {
        "connect" => draft.kind(Category::File, Action::SessionStart),
        "disconnect" => draft.kind(Category::File, Action::SessionEnd),
        _ => draft.kind(Category::File, Action::Other),
    }
    draft.rule("samba.full_audit");
    Some(())
}

/// A prefix of six parts, the verdict, and what it was about.
const PARTS_MAX: usize = 16;

fn authentication(text: &str, draft: &mut Draft<'_>) -> bool {
    if let Some(members) = text.find('{').and_then(|at| json::members(text.get(at..)?)) {
        return authentication_json(&members, draft);
    }
    let Some((_, rest)) = text.split_once("Auth: [") else { return false };
    let Some((_, rest)) = rest.split_once(" user [") else { return false };
    let Some((domain, rest)) = rest.split_once("]\\[") else { return false };
    let Some((name, rest)) = rest.split_once(']') else { return false };
    let status = between(rest, " status [", "]").unwrap_or("");
    let remote = between(rest, " remote host [", "]").unwrap_or("");
    attempt(name, domain, remote, status, draft);
    draft.event.source_domain =
        between(rest, " workstation [", "]").filter(|name| !account::is_null_word(name)).map(str::to_owned);
    draft.rule("samba.auth");
    true
}

/// `{"type": "Authentication", "Authentication": {"status": …, "clientAccount": …, "remoteAddress": …}}`.
fn authentication_json(members: &Members, draft: &mut Draft<'_>) -> bool {
    if members.get("type") != Some("Authentication") {
        return false;
    }
    let get = |name: &str| members.get(&format!("Authentication.{name}")).unwrap_or("");
    attempt(get("clientAccount"), get("clientDomain"), get("remoteAddress"), get("status"), draft);
    draft.event.source_domain = Some(get("workstation").to_owned()).filter(|name| !account::is_null_word(name));
    for (name, value) in members.iter() {
        draft.native(name, value);
    }
    draft.rule("samba.auth.json");
    true
}

fn attempt(name: &str, domain: &str, remote: &str, status: &str, draft: &mut Draft<'_>) {
    draft.user(name);
    if draft.event.user_name.is_some() && !account::is_null_word(domain) {
        draft.event.user_domain = Some(account::fold(domain));
    }
    let remote = remote.strip_prefix("ipv4:").or_else(|| remote.strip_prefix("ipv6:")).unwrap_or(remote);
    if let Some((ip, port)) = address_and_port(remote).or_else(|| {
        let (ip, port) = remote.rsplit_once(':')?;
        Some((ip, port.parse().ok()))
    }) {
        draft.source(ip);
        draft.event.source_port = port;
    }
    let success = status == "NT_STATUS_OK";
    draft.kind(Category::Authentication, Action::Login);
    draft.event.outcome = Some(if success { Outcome::Success } else { Outcome::Failure });
    if !success {
        draft.reason(status);
    }
}

/// `Denied connection from (192.0.2.1)`, `Permission denied … User name: x. Printer name: y.`
fn refusal(text: &str, draft: &mut Draft<'_>) -> bool {
    if let Some((_, rest)) = text.split_once("Denied connection from ") {
        let from = between(rest, "(", ")").unwrap_or(rest);
        draft.source(from.trim());
        draft.kind(Category::Network, Action::Deny);
    } else if let Some((_, rest)) = text.split_once("User name: ").filter(|_| text.starts_with("Permission denied")) {
        draft.user(rest.split(". ").next().unwrap_or(rest).trim_end_matches('.'));
        draft.kind(Category::Host, Action::Deny);
    } else {
        return false;
    }
    draft.event.outcome = Some(Outcome::Failure);
    draft.rule("samba.smbd");
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn the_prefix_is_the_administrators_own() {
        check(
            "<189>Mar  3 09:00:00 fs1 smbd_audit: HOSPITAL\\sato|192.0.2.8|pc1|医局|unlinkat|ok|名簿.xlsx",
            &[
                ("user.name", "sato"),
                ("user.domain", "hospital"),
                ("source.ip", "192.0.2.8"),
                ("native.operation", "unlinkat"),
                ("native.object", "名簿.xlsx"),
                ("event.outcome", "success"),
                ("host.name", "fs1"),
            ],
        );
        check(
            "<189>Mar  3 09:00:00 fs1 smbd_audit[77]: sato|192.0.2.8|create_file|fail (No such file or directory)|0x1|file|open|/a",
            &[
                ("event.outcome", "failure"),
                ("event.reason", "No such file or directory"),
                ("native.operation", "create_file"),
            ],
        );
        check(
            "<189>Mar  3 09:00:00 fs1 smbd_audit: sato|2001:db8::8|connect|ok|share",
            &[("event.action", "session-start"), ("source.ip", "2001:db8::8")],
        );
    }

    #[test]
    fn attempts_to_log_in() {
        let line = |status: &str| {
            format!(
                "<30>Mar  3 09:00:00 fs1 smbd[12]:   Auth: [SMB2,(null)] user [HOSPITAL]\\[sato] at [Tue, 03 Mar 2026 09:00:00.1 JST] with [NTLMv2] status [{status}] workstation [PC1] remote host [ipv4:192.0.2.8:50123] mapped to [HOSPITAL]\\[sato]. local host [ipv4:192.0.2.1:445]"
            )
        };
        check(
            line("NT_STATUS_WRONG_PASSWORD"),
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("event.reason", "NT_STATUS_WRONG_PASSWORD"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.8"),
                ("source.port", "50123"),
                ("source.domain", "PC1"),
            ],
        );
        check(line("NT_STATUS_OK"), &[("event.outcome", "success"), ("event.reason", "-")]);
        check(
            r#"<30>Mar  3 09:00:00 fs1 smbd[12]: {"timestamp": "x", "type": "Authentication", "Authentication": {"status": "NT_STATUS_NO_SUCH_USER", "clientDomain": "H", "clientAccount": "sato", "remoteAddress": "ipv4:192.0.2.8:50123"}}"#,
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.8"),
            ],
        );
    }

    #[test]
    fn refusals_and_other_lines() {
        check(
            "Mar  3 09:00:00 fs1 smbd[8]: Denied connection from (192.0.2.8)",
            &[("event.action", "deny"), ("source.ip", "192.0.2.8")],
        );
        check(
            "Mar  3 09:00:00 fs1 smbd[8]: Permission denied user not allowed to delete job. User name: sato. Printer name: p1.",
            &[("user.name", "sato")],
        );
        assert_eq!(parse(b"<14>Mar  3 09:00:00 h smbd[1]: started").module, None);
        assert_eq!(parse(b"<14>Mar  3 09:00:00 h smbd_audit: a|b").module, None);
    }
}
