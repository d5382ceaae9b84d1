//! FTP servers: vsftpd, `ProFTPD`, Pure-FTPd, and BSD's ftpd.
//!
//! Formats: the programs' sources. Quirks this file owns:
//! * vsftpd's own file has `Tue Mar  3 09:00:00 2026 [pid 2] [sato] OK LOGIN: Client "192.0.2.9"`; before the login the
//!   account's brackets are missing.
//! * `ProFTPD` names server and client in front: `ftp1 (name[192.0.2.9]) - USER sato: Login successful.`, with ` - ` or `: `.
//! * Pure-FTPd: `(sato@192.0.2.9) [INFO] sato is now logged in`, `?` for nobody yet.

use monban_event::{Action, Category, Outcome};

use super::daemon::{on_host, program};
use super::draft::{Draft, address};
use super::scan::{behind, between};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let is_own_file = header.body.starts_with("[pid ") && header.body.contains(": Client \"");
    let understood = match program(header) {
        _ if is_own_file => vsftpd(header.body, draft),
        "vsftpd" => vsftpd(header.message, draft),
        "pure-ftpd" => pure(header.message, draft),
        "ftpd" | "in.ftpd" | "wu-ftpd" => bsd(header.message, draft),
        name if name == "proftpd" || header.body.starts_with("proftpd[") => proftpd(header.body, draft),
        _ => false,
    };
    if understood {
        on_host(header, draft, "ftp.log");
    }
    understood
}

fn login(outcome: Outcome, draft: &mut Draft<'_>) {
    draft.kind(Category::Authentication, Action::Login);
    draft.event.outcome = Some(outcome);
}

/// `[pid 2] [sato] OK LOGIN: Client "192.0.2.9"`.
fn vsftpd(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((before, rest)) = text.split_once(": Client \"") else { return false };
    draft.source(rest.split('"').next().unwrap_or(""));
    let act = before.rsplit("] ").next().unwrap_or(before);
    let user = before.rsplit_once("] ").and_then(|(ids, _)| ids.rsplit_once('[')).map_or("", |(_, user)| user);
    if !user.starts_with("pid ") {
        draft.user(user);
    }
    match act {
        "OK LOGIN" => login(Outcome::Success, draft),
        "FAIL LOGIN" => login(Outcome::Failure, draft),
        "CONNECT" => {
            draft.kind(Category::Network, Action::Allow);
            draft.event.outcome = Some(Outcome::Success);
        }
        _ => {
            let failed = act.starts_with("FAIL");
            draft.kind(Category::File, Action::Other);
            draft.event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
            draft.native("path", between(rest, ", \"", "\"").unwrap_or(""));
        }
    }
    draft.native("act", act);
    true
}

/// `host (name[192.0.2.9]) - TEXT`.
fn proftpd(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((client, rest)) = text.split_once(" (").and_then(|(_, rest)| rest.split_once(')')) else { return false };
    let Some((name, ip)) = client.split_once('[').map(|(name, ip)| (name, ip.trim_end_matches(']'))) else {
        return false;
    };
    let text = rest.trim_start_matches([' ', '-', ':']);
    draft.source(ip);
    draft.event.source_domain = Some(name.to_owned()).filter(|name| address(name).is_none() && !name.is_empty());
    let user = text.strip_prefix("USER ").or_else(|| text.strip_prefix("ANON "));
    draft.user(user.and_then(|rest| rest.split([':', '(']).next()).unwrap_or(""));
    if text.contains("Login successful") {
        login(Outcome::Success, draft);
    } else if text.contains("Login failed") || text.contains("no such user found") {
        login(Outcome::Failure, draft);
        draft.reason(text.rsplit(": ").next().unwrap_or(""));
    } else if text.contains("session closed") {
        draft.kind(Category::Session, Action::SessionEnd);
        draft.event.outcome = Some(Outcome::Success);
    } else {
        let denied = text.contains(" denied");
        draft.kind(Category::Network, if denied { Action::Deny } else { Action::Other });
        draft.event.outcome = Some(if denied { Outcome::Failure } else { Outcome::Success });
    }
    true
}

/// `(sato@192.0.2.9) [WARNING] Authentication failed for user [sato]`.
fn pure(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((who, text)) = text.strip_prefix('(').and_then(|rest| rest.split_once(") [")) else { return false };
    let Some((user, from)) = who.rsplit_once('@') else { return false };
    draft.source(from);
    let text = text.split_once("] ").map_or(text, |(_, text)| text);
    draft.user(behind(text, "failed for user [", &[']']).unwrap_or(user.trim_start_matches('?')));
    if text.ends_with("is now logged in") {
        draft.user(text.trim_end_matches(" is now logged in"));
        login(Outcome::Success, draft);
    } else if text.starts_with("Authentication failed") {
        login(Outcome::Failure, draft);
    } else if text.starts_with("Logout") {
        draft.kind(Category::Authentication, Action::Logout);
    } else {
        draft.kind(Category::File, Action::Other);
    }
    true
}

/// BSD's and wu-ftpd's: `connection from 192.0.2.9 (name) at …`, `FTP LOGIN FROM name [192.0.2.9], sato`,
/// `FTP LOGIN FAILED FROM name [192.0.2.9], sato`, `failed login from name [192.0.2.9], sato`.
fn bsd(text: &str, draft: &mut Draft<'_>) -> bool {
    let lower = text.to_ascii_lowercase();
    let Some((before, _)) = lower.split_once(" from ") else { return false };
    let Some(rest) = text.get(before.len() + " from ".len()..) else { return false };
    if before.trim() == "connection" {
        draft.source(behind(rest, "[", &[']']).unwrap_or_else(|| rest.split(' ').next().unwrap_or("")));
        draft.kind(Category::Network, Action::Other);
        draft.event.outcome = Some(Outcome::Success);
        return true;
    }
    if !before.contains("login") {
        return false;
    }
    draft.source(behind(rest, "[", &[']']).unwrap_or_else(|| rest.split([',', ' ']).next().unwrap_or("")));
    draft.user(rest.rsplit_once(", ").map_or("", |(_, user)| user));
    login(
        if before.contains("fail") || before.contains("refused") { Outcome::Failure } else { Outcome::Success },
        draft,
    );
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn vsftpd_file_and_syslog() {
        check(
            "Tue Mar  3 09:00:00 2026 [pid 1] [sato] FAIL LOGIN: Client \"192.0.2.9\"",
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.9"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
                ("host.name", "-"),
            ],
        );
        check(
            "<14>Mar  3 09:00:00 ftp1 vsftpd[9]: [sato] OK UPLOAD: Client \"::ffff:192.0.2.9\", \"/a\", 12 bytes",
            &[("event.category", "file"), ("user.name", "sato"), ("native.path", "/a"), ("host.name", "ftp1")],
        );
        check(
            "Tue Mar  3 09:00:00 2026 [pid 2] CONNECT: Client \"2001:db8::9\"",
            &[("source.ip", "2001:db8::9"), ("user.name", "-")],
        );
    }

    #[test]
    fn vsftpd_file_that_was_relayed() {
        check(
            "<30>Mar  3 09:00:00 ftp1 vsftpd: Tue Mar  3 09:00:00 2026 [pid 2] [sato] OK LOGIN: Client \"192.0.2.9\"",
            &[("event.outcome", "success"), ("user.name", "sato"), ("host.name", "ftp1")],
        );
    }

    #[test]
    fn proftpd_and_pure_ftpd() {
        let line =
            |text: &str| format!("<14>Mar  3 09:00:00 ftp1 proftpd[9]: ftp1 (client.example[192.0.2.9]) - {text}");
        check(
            line("USER sato: Login successful."),
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.9"),
            ],
        );
        check(
            line("USER root (Login failed): Incorrect password"),
            &[("event.outcome", "failure"), ("user.name", "root"), ("event.reason", "Incorrect password")],
        );
        check(
            "<14>Mar  3 09:00:00 ftp1 pure-ftpd[9]: (?@192.0.2.9) [WARNING] Authentication failed for user [sato]",
            &[("event.action", "login"), ("user.name", "sato"), ("source.ip", "192.0.2.9")],
        );
        check("<14>Mar  3 09:00:00 h app[9]: (a@b) [x] y", &[("event.module", "-")]);
    }

    #[test]
    fn bsd_ftpd() {
        let line = |text: &str| format!("<14>Mar  3 09:00:00 ftp1 ftpd[9]: {text}");
        check(line("connection from 192.0.2.9 (c.example) at Tue Mar  3 09:00:00 2026"), &[("source.ip", "192.0.2.9")]);
        check(
            line("FTP LOGIN FROM c.example [192.0.2.9], sato"),
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.9"),
            ],
        );
        check(
            line("FTP LOGIN FAILED FROM 192.0.2.9, sato"),
            &[("event.outcome", "failure"), ("source.ip", "192.0.2.9")],
        );
    }
}
