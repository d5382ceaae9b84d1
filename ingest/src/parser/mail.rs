//! Logins to mail servers: dovecot, Postfix's SASL and Exim.
//!
//! Formats: dovecot `login_log_format`; Postfix `smtpd`. Quirks this file owns:
//! * dovecot: `imap-login: Login: user=<sato>, method=PLAIN, rip=192.0.2.9, lip=…`; a refusal is `… (auth failed, 2
//!   attempts …)` behind `Disconnected` or `Aborted login`. Without attempt nobody tried (`no auth attempts`).
//! * dovecot's `auth` process names the back end and in brackets the account and the address, `auth-worker(9): sql(sato,
//!   192.0.2.9,<x>): unknown user`; the login's own line follows, so this is a step of it.
//! * Exim: `login authenticator failed for host (helo) [192.0.2.9]:5: 535 Incorrect authentication data (set_id=sato)`.
//! * Postfix tells a success where it names the client: `client=name[192.0.2.9], sasl_method=LOGIN, sasl_username=sato`.

use monban_event::{Action, Category, Outcome};

use super::daemon::{on_host, program};
use super::draft::{Draft, address};
use super::scan::{behind, between, port};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let app = header.app.unwrap_or("");
    let understood = if app == "dovecot" {
        dovecot(header.message, draft)
    } else if app.starts_with("postfix") && program(header) == "smtpd" {
        postfix(header.message, draft)
    } else {
        exim(header.after_time, draft)
    };
    if understood {
        on_host(header, draft, "mail.log");
    }
    understood
}

fn dovecot(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((service, rest)) = text.split_once("-login: ") else {
        return session(text, draft) || back_end(text, draft);
    };
    draft.native("service", service);
    draft.user(between(rest, "user=<", ">").unwrap_or(""));
    draft.source(behind(rest, "rip=", &[',', ' ']).unwrap_or(""));
    draft.destination(behind(rest, "lip=", &[',', ' ']).unwrap_or(""));
    let (action, outcome) = if rest.starts_with("Login: ") || rest.starts_with("Info: Login: ") {
        (Action::Login, Outcome::Success)
    } else if rest.contains("(auth failed") {
        (Action::Login, Outcome::Failure)
    } else {
        (Action::Other, Outcome::Failure)
    };
    draft.kind(Category::Authentication, action);
    draft.event.outcome = Some(outcome);
    if outcome == Outcome::Failure {
        draft.reason(between(rest, "(", ")").unwrap_or(""));
    }
    true
}

/// `imap(sato)<9><x>: Logged out in=… out=…`, `imap(sato): Disconnected: …`.
fn session(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((service, rest)) = text.split_once('(') else { return false };
    if !matches!(service, "imap" | "pop3" | "managesieve" | "submission") {
        return false;
    }
    let Some((user, rest)) = rest.split_once(')') else { return false };
    let text = rest.split_once(": ").map_or("", |(_, text)| text);
    if !["Logged out", "Disconnected", "Connection closed"].iter().any(|start| text.starts_with(start)) {
        return false;
    }
    draft.user(user);
    draft.kind(Category::Authentication, Action::Logout);
    draft.event.outcome = Some(Outcome::Success);
    true
}

/// `auth-worker(9): sql(sato,192.0.2.9,<x>): unknown user`, `auth(default): pam(sato,192.0.2.9): … failed: …`.
fn back_end(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((_, rest)) = text.split_once(": ").filter(|(process, _)| process.starts_with("auth")) else {
        return false;
    };
    let Some((end, (who, told))) = rest.split_once('(').and_then(|(end, rest)| Some((end, rest.split_once("): ")?)))
    else {
        return false;
    };
    let mut parts = who.split(',');
    let (Some(user), Some(ip)) = (parts.next(), parts.next()) else { return false };
    if end.contains(' ') || address(ip).is_none() {
        return false;
    }
    draft.user(user);
    draft.source(ip);
    let told_failure = ["unknown user", "mismatch", "failed", "not found"].iter().any(|word| told.contains(word));
    draft.event.outcome = told_failure.then_some(Outcome::Failure);
    draft.reason(told);
    draft.kind(Category::Authentication, Action::Other);
    true
}

fn exim(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((_, rest)) = text.split_once(" authenticator failed for ") else { return false };
    let Some((ends, code)) = rest.split_once(": 535 ") else { return false };
    let Some((name, ip)) = ends.rsplit_once('[') else { return false };
    let (ip, number) = ip.split_once(']').unwrap_or((ip, ""));
    draft.source(ip);
    draft.event.source_port = number.strip_prefix(':').and_then(port);
    draft.event.source_domain =
        name.split(' ').next().filter(|name| !name.is_empty() && !name.starts_with('(')).map(str::to_owned);
    draft.user(between(code, "(set_id=", ")").unwrap_or(""));
    draft.reason(code.split(" (").next().unwrap_or(code));
    draft.kind(Category::Authentication, Action::Login);
    draft.event.outcome = Some(Outcome::Failure);
    true
}

fn postfix(text: &str, draft: &mut Draft<'_>) -> bool {
    let failed = text.contains("SASL ") && text.contains(" authentication failed");
    let client = if failed {
        text.trim_start_matches("warning: ").split(": ").next()
    } else if text.contains("sasl_username=") {
        behind(text, "client=", &[','])
    } else {
        ["disconnect from ", "lost connection after AUTH from ", "connect from "]
            .iter()
            .find_map(|mark| behind(text, mark, &[' ', ',']))
    };
    let Some((name, ip)) = client.and_then(|client| client.split_once('[')) else { return false };
    draft.source(ip.split(']').next().unwrap_or(ip));
    draft.event.source_domain = Some(name.to_owned()).filter(|name| name != "unknown" && address(name).is_none());
    draft.user(behind(text, "sasl_username=", &[',', ' ']).unwrap_or(""));
    let is_login = failed || text.contains("sasl_username=");
    draft.kind(
        if is_login { Category::Authentication } else { Category::Network },
        if is_login { Action::Login } else { Action::Other },
    );
    draft.event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn back_ends_and_exim() {
        let who = [("user.name", "sato"), ("source.ip", "203.0.113.9"), ("event.outcome", "failure")];
        for text in [
            "auth-worker(9): sql(sato,203.0.113.9,<x>): unknown user",
            "auth(default): pam(sato,203.0.113.9): x failed: y",
        ] {
            check(format!("<22>Mar  3 09:00:00 mx1 dovecot: {text}"), &who);
            check(format!("<22>Mar  3 09:00:00 mx1 dovecot: {text}"), &[("event.action", "other")]);
        }
        let text = "login authenticator failed for c.example (pc) [203.0.113.9]:5001: 535 Incorrect authentication data (set_id=sato)";
        check(format!("2026-03-03 09:00:00 {text}"), &who);
        check(
            format!("<22>Mar  3 09:00:00 mx1 exim[9]: 2026-03-03 09:00:00 {text}"),
            &[("event.action", "login"), ("source.port", "5001")],
        );
        check("<22>Mar  3 09:00:00 mx1 app: x authenticator failed for all", &[("event.dataset", "-")]);
    }

    #[test]
    fn dovecot_logins() {
        let line = |text: &str| format!("<22>Mar  3 09:00:00 mx1 dovecot: imap-login: {text}");
        check(
            line("Login: user=<sato>, method=PLAIN, rip=203.0.113.9, lip=192.0.2.1, mpid=9, TLS"),
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "sato"),
                ("source.ip", "203.0.113.9"),
            ],
        );
        check(
            line(
                "Disconnected (auth failed, 2 attempts in 4 secs): user=<sato>, method=PLAIN, rip=203.0.113.9, lip=192.0.2.1",
            ),
            &[("event.action", "login"), ("event.outcome", "failure"), ("host.name", "mx1")],
        );
        check(
            line("Disconnected (no auth attempts in 0 secs): user=<>, rip=203.0.113.9, lip=192.0.2.1"),
            &[("event.action", "other"), ("user.name", "-")],
        );
        check(
            "<22>Mar  3 09:00:00 mx1 dovecot: imap(sato)<9><x>: Logged out in=1 out=2",
            &[("event.action", "logout")],
        );
    }

    #[test]
    fn postfix_sasl() {
        check(
            "<22>Mar  3 09:00:00 mx1 postfix/smtpd[9]: warning: unknown[203.0.113.9]: SASL LOGIN authentication failed: UGFz",
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("source.ip", "203.0.113.9"),
                ("source.domain", "-"),
            ],
        );
        check(
            "<22>Mar  3 09:00:00 mx1 postfix/submission/smtpd[9]: AB12: client=pc.example[203.0.113.9], sasl_method=PLAIN, sasl_username=sato",
            &[("event.action", "login"), ("event.outcome", "success"), ("user.name", "sato")],
        );
        check("<22>Mar  3 09:00:00 mx1 postfix/qmgr[9]: AB12: removed", &[("event.dataset", "-")]);
    }
}
