//! Error logs of Apache httpd and nginx: passwords that were refused and pages that are closed.
//!
//! Formats: Apache `ErrorLogFormat` (the default since 2.4 and the older one), nginx `error_log`. Quirks this file owns:
//! * `[Tue Mar 03 09:00:00.12 2026] [auth_basic:error] [pid 9] [client 192.0.2.9:5] AH01617: user sato: authentication
//!   failure for "/x": Password Mismatch`; AH numbers came with 2.4.
//! * nginx names the client behind the text: `… user "sato": password mismatch, client: 192.0.2.9, server: …`.
//! * Success is in the access log, as a name in its third column.

use monban_event::{Action, Category, Outcome};

use super::daemon::{moment, on_host};
use super::draft::{Draft, address};
use super::scan::{address_and_port, behind, between, source_end};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.body;
    let bytes = text.as_bytes();
    let understood = if memchr::memmem::find(bytes, b"[client ").is_some() {
        apache(text, draft)
    } else if memchr::memmem::find(bytes, b", client: ").is_some() && text.contains(", server: ") {
        nginx(text, draft)
    } else {
        false
    };
    if understood {
        on_host(header, draft, "web.error");
        draft.event.host_name = header.app.and(header.host).map(str::to_owned);
    }
    understood
}

fn apache(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((before, rest)) = text.split_once("[client ") else { return false };
    let Some((client, text)) = rest.split_once("] ").filter(|(client, _)| address_and_port(client).is_some()) else {
        return false;
    };
    source_end(client, draft);
    draft.time = before.strip_prefix('[').and_then(|rest| rest.split_once(']')).and_then(|(time, _)| moment(time));
    let (code, text) = match text.split_once(": ") {
        Some((code, rest)) if is_code(code) => (code, rest),
        _ => ("", text),
    };
    draft.event.code = Some(code.to_owned()).filter(|code| !code.is_empty());
    let user = between(text, "user `", "'").or_else(|| behind(text, "user ", &[':', ' ']));
    let is_refused =
        text.starts_with("user ") && (text.contains("authentication failure") || text.contains("not found"));
    let is_mismatch = is_refused || text.contains("password mismatch");
    refused(user.filter(|_| is_mismatch), text, draft);
    true
}

/// `AH01617`.
fn is_code(text: &str) -> bool {
    text.strip_prefix("AH").is_some_and(|digits| digits.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn nginx(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((before, rest)) = text.split_once(", client: ") else { return false };
    let client = rest.split(',').next().unwrap_or("");
    if address(client).is_none() {
        return false;
    }
    draft.source(client);
    let user = between(before, "user \"", "\"");
    let is_mismatch = before.contains("\": password mismatch") || before.contains("\" was not found in ");
    refused(user.filter(|_| is_mismatch), before.rsplit('#').next().unwrap_or(before), draft);
    true
}

/// A password that was refused; or, without one, a page that is closed or an error of the server.
fn refused(user: Option<&str>, text: &str, draft: &mut Draft<'_>) {
    match user {
        Some(user) => {
            draft.user(user);
            draft.kind(Category::Authentication, Action::Login);
        }
        None if text.contains("denied by server configuration") || text.contains("forbidden by rule") => {
            draft.kind(Category::Network, Action::Deny);
        }
        None => draft.kind(Category::Host, Action::Other),
    }
    draft.event.outcome = Some(Outcome::Failure);
    draft.reason(text);
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn refused_passwords() {
        check(
            "[Tue Mar 03 09:00:00.123456 2026] [auth_basic:error] [pid 9:tid 1] [client 192.0.2.9:5] AH01617: user sato: \
             authentication failure for \"/x\": Password Mismatch",
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.9"),
                ("event.code", "AH01617"),
                ("@timestamp", "2026-03-03T00:00:00.123456Z"),
            ],
        );
        check(
            "2026/03/03 09:00:00 [error] 9#9: *1 user \"sato\": password mismatch, client: 192.0.2.9, server: _, request: \"GET / HTTP/1.1\"",
            &[("event.action", "login"), ("user.name", "sato"), ("source.ip", "192.0.2.9")],
        );
    }

    #[test]
    fn closed_pages() {
        check(
            "<11>Mar  3 09:00:00 web1 httpd[9]: [error] [client 192.0.2.9] client denied by server configuration: /x",
            &[("event.action", "deny"), ("source.ip", "192.0.2.9"), ("host.name", "web1"), ("user.name", "-")],
        );
        check("a [client of ours] says", &[("event.dataset", "-")]);
    }
}
