//! Services of Linux hosts that write one line for each attempt: Webmin, Proxmox VE, xrdp, xinetd, TCP wrappers, polkit, and screen sharing of macOS.
//!
//! Formats: the programs' sources. Quirks this file owns:
//! * Webmin: `Successful login as root from 192.0.2.9`, `Invalid login as root from …`, `Non-existent login as x from …`.
//! * Proxmox: `authentication failure; rhost=192.0.2.9 user=root@pam msg=…` (without PAM's mark), `successful auth for user
//!   'root@pam'`; the realm behind the `@` is the account's domain.
//! * `refused connect from name (192.0.2.9)` is any program's behind libwrap; it knows no account.

use monban_event::{Action, Category, Outcome};

use super::daemon::{on_host, program};
use super::draft::Draft;
use super::scan::{behind, between, source_end};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.message.trim();
    let understood = match program(header) {
        "webmin" | "miniserv.pl" | "usermin" => webmin(text, draft),
        "pvedaemon" | "pveproxy" | "pvestatd" | "proxmox-backup-proxy" | "proxmox-backup-api" => proxmox(text, draft),
        "xrdp-sesman" => xrdp(text, draft),
        "xinetd" => xinetd(text, draft),
        "screensharingd" => screen_sharing(text, draft),
        "polkitd" | "polkit-agent-helper-1" => polkit(text, draft),
        "" => false,
        _ => wrapped(text, draft),
    };
    if understood {
        on_host(header, draft, "linux.service");
    }
    understood
}

fn login(outcome: Outcome, draft: &mut Draft<'_>) -> bool {
    draft.kind(Category::Authentication, Action::Login);
    draft.event.outcome = Some(outcome);
    true
}

fn webmin(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((verdict, rest)) = text.split_once(" login as ") else { return false };
    let Some((user, from)) = rest.rsplit_once(" from ") else { return false };
    draft.user(user);
    draft.source(from.split([' ', ',']).next().unwrap_or(""));
    login(if verdict.ends_with("Successful") { Outcome::Success } else { Outcome::Failure }, draft)
}

fn proxmox(text: &str, draft: &mut Draft<'_>) -> bool {
    if let Some(rest) = text.split_once("authentication failure; ").map(|(_, rest)| rest) {
        draft.user(behind(rest, "user=", &[' ']).unwrap_or(""));
        draft.source(behind(rest, "rhost=", &[' ']).unwrap_or(""));
        draft.reason(behind(rest, "msg=", &[]).unwrap_or(""));
        return login(Outcome::Failure, draft);
    }
    let Some(user) = between(text, "successful auth for user '", "'") else { return false };
    draft.user(user);
    login(Outcome::Success, draft)
}

/// `[INFO ] AUTHFAIL: user=sato ip=192.0.2.9 time=…`, `[INFO ] … created session …: username sato, ip 192.0.2.9:5 …`.
fn xrdp(text: &str, draft: &mut Draft<'_>) -> bool {
    if let Some((_, rest)) = text.split_once("AUTHFAIL: ") {
        draft.user(behind(rest, "user=", &[' ']).unwrap_or(""));
        source_end(behind(rest, "ip=", &[' ']).unwrap_or(""), draft);
        return login(Outcome::Failure, draft);
    }
    let Some(rest) = text.split_once("created session").map(|(_, rest)| rest) else { return false };
    draft.user(behind(rest, "username ", &[',', ' ']).unwrap_or(""));
    source_end(behind(rest, "ip ", &[' ', ',']).unwrap_or(""), draft);
    draft.kind(Category::Session, Action::SessionStart);
    draft.event.outcome = Some(Outcome::Success);
    true
}

/// `Authentication: FAILED :: User Name: sato :: Viewer Address: 192.0.2.9 :: Type: DH`.
fn screen_sharing(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some(rest) = text.strip_prefix("Authentication: ") else { return false };
    let outcome = match rest.split(' ').next() {
        Some("SUCCEEDED") => Outcome::Success,
        Some("FAILED") => Outcome::Failure,
        _ => return false,
    };
    draft.user(behind(rest, "User Name: ", &[]).and_then(|user| user.split(" :: ").next()).unwrap_or(""));
    draft.source(behind(rest, "Viewer Address: ", &[' ']).unwrap_or(""));
    login(outcome, draft)
}

/// `START: telnet pid=9 from=192.0.2.9`, `FAIL: telnet address from=192.0.2.9`.
fn xinetd(text: &str, draft: &mut Draft<'_>) -> bool {
    let failed = text.starts_with("FAIL: ");
    if !failed && !text.starts_with("START: ") {
        return false;
    }
    draft.native("service", behind(text, ": ", &[' ']).unwrap_or(""));
    draft.source(behind(text, "from=", &[' ']).unwrap_or(""));
    draft.kind(Category::Network, if failed { Action::Deny } else { Action::Allow });
    draft.event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
    true
}

/// `Operator of unix-session:2 successfully authenticated as unix-user:root to gain … authorization for action … (owned by
/// unix-user:sato)`, `… FAILED to authenticate to gain …`.
fn polkit(text: &str, draft: &mut Draft<'_>) -> bool {
    let failed = text.contains(" FAILED to authenticate ");
    if !failed && !text.contains(" successfully authenticated as ") {
        return false;
    }
    draft.user(behind(text, "owned by unix-user:", &[')', ' ']).unwrap_or(""));
    draft.target_user(behind(text, "authenticated as unix-user:", &[' ']).unwrap_or(""));
    draft.reason(behind(text, "for action ", &[' ']).unwrap_or(""));
    draft.kind(Category::Process, Action::Elevate);
    draft.event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
    true
}

fn wrapped(text: &str, draft: &mut Draft<'_>) -> bool {
    let text = text.strip_prefix("warning: ").unwrap_or(text);
    let Some(from) = text.strip_prefix("refused connect from ") else { return false };
    draft.source(between(from, "(", ")").unwrap_or(from));
    draft.kind(Category::Network, Action::Deny);
    draft.event.outcome = Some(Outcome::Failure);
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    fn line(program: &str, text: &str) -> String {
        format!("<14>Mar  3 09:00:00 srv1 {program}[9]: {text}")
    }

    #[test]
    fn logins() {
        let failed = [
            ("event.action", "login"),
            ("event.outcome", "failure"),
            ("user.name", "root"),
            ("source.ip", "192.0.2.9"),
        ];
        check(line("webmin", "Invalid login as root from 192.0.2.9"), &failed);
        check(line("pvedaemon", "authentication failure; rhost=192.0.2.9 user=root@pam msg=no such user"), &failed);
        check(line("xrdp-sesman", "[INFO ] AUTHFAIL: user=root ip=192.0.2.9 time=1772496000"), &failed);
        check(
            line(
                "screensharingd",
                "Authentication: FAILED :: User Name: root :: Viewer Address: 192.0.2.9 :: Type: DH",
            ),
            &failed,
        );
        check(
            line("webmin", "Successful login as root from 192.0.2.9"),
            &[("event.outcome", "success"), ("host.name", "srv1")],
        );
        check(
            line("pvedaemon", "<root@pam> successful auth for user 'root@pam'"),
            &[("event.outcome", "success"), ("user.domain", "pam")],
        );
    }

    #[test]
    fn connections_and_elevation() {
        check(
            line("in.telnetd", "refused connect from c.example (192.0.2.9)"),
            &[("event.action", "deny"), ("source.ip", "192.0.2.9")],
        );
        check(
            line("xinetd", "START: telnet pid=9 from=192.0.2.9"),
            &[("source.ip", "192.0.2.9"), ("native.service", "telnet")],
        );
        check(
            line(
                "polkitd",
                "Operator of unix-session:2 successfully authenticated as unix-user:root to gain TEMPORARY \
                 authorization for action org.x for unix-process:9:1 [pkexec] (owned by unix-user:sato)",
            ),
            &[
                ("event.action", "elevate"),
                ("user.name", "sato"),
                ("user.target.name", "root"),
                ("event.reason", "org.x"),
            ],
        );
        check(line("app", "all is well"), &[("event.dataset", "-")]);
    }
}
