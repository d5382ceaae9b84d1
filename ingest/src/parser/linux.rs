//! Linux and BSD hosts: PAM, sudo, su, login, account tools, systemd-logind; sshd stands in its own file.
//!
//! Formats: the programs' own sources (Linux-PAM `pam_unix`, sudo's `logging.c`, shadow-utils). Quirks this file owns:
//! * The machine acts itself: its name is `host.name`, not an observer's.
//! * PAM writes `pam_unix(sshd:session): …`, since 2005; before, the program was `sshd(pam_unix)`.
//! * `session opened for user root by sato(uid=1000)`: under sudo and su the person is who stands behind `by`.
//! * A PAM refusal of sshd, login, dovecot, sudo and su precedes the program's own line and would count twice: it is no
//!   login there.
//! * `useradd` and `passwd` name only the account that changes; who did it stands in the sudo line before.
//! * `last message repeated N times` holds no line; `message repeated N times: [ … ]` was opened before we see it.

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, address};
use super::scan::{behind, between, word};
use super::sshd;
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let program = Program::of(header);
    let text = header.message.trim();
    let understood = match program.name {
        "sshd" | "sshd-session" | "sshd-auth" => pam(program, text, draft) || sshd::read(text, draft),
        "dropbear" => sshd::read_dropbear(text, draft),
        "" => header.time.is_none() && (pam(program, text, draft) || sshd::read_bare(text, draft)),
        _ => pam(program, text, draft) || read_program(program.name, text, draft),
    };
    let repeats = is_repeat(text) && header.app.is_some();
    if !understood && !repeats {
        return false;
    }
    if let Some(count) = repeats.then(|| behind(text, "repeated ", &[' '])).flatten() {
        draft.native("repeated", count);
    }
    finish(program, header, draft);
    true
}

fn finish(program: Program<'_>, header: &Header<'_>, draft: &mut Draft<'_>) {
    draft.process(header);
    draft.event.process_name =
        Some(program.name).filter(|name| !name.is_empty()).or(draft.event.process_name.as_deref()).map(str::to_owned);
    draft.event.module = Some("linux".to_owned());
    draft.event.dataset = Some("linux.auth".to_owned());
    draft.event.host_name = header.host.map(str::to_owned);
    if draft.event.category.is_none() {
        draft.kind(Category::Host, Action::Other);
    }
    if draft.event.parse_rule.is_none() {
        draft.rule("linux");
    }
}

/// Whether a line that was not understood still comes from a host's own program: then its name is the host's.
pub(super) fn is_host_program(header: &Header<'_>) -> bool {
    const PROGRAMS: [&str; 16] = [
        "sshd",
        "sshd-session",
        "sshd-auth",
        "sudo",
        "su",
        "login",
        "systemd",
        "systemd-logind",
        "kernel",
        "cron",
        "crond",
        "CRON",
        "useradd",
        "passwd",
        "polkitd",
        "rsyslogd",
    ];
    PROGRAMS.contains(&Program::of(header).name)
}

/// The program, without the path and the old PAM mark.
#[derive(Clone, Copy)]
struct Program<'a> {
    name: &'a str,
    has_pam_mark: bool,
}

impl<'a> Program<'a> {
    fn of(header: &Header<'a>) -> Self {
        let app = header.app.unwrap_or("");
        let base = app.rsplit('/').next().unwrap_or(app);
        match base.strip_suffix("(pam_unix)") {
            Some(name) => Self { name, has_pam_mark: true },
            None => Self { name: base, has_pam_mark: false },
        }
    }
}

fn is_repeat(text: &str) -> bool {
    text.starts_with("last message repeated ")
}

/// `pam_unix(service:type): text`, `PAM 2 more authentication failures; …`, or the text of an old `prog(pam_unix)`.
fn pam(program: Program<'_>, text: &str, draft: &mut Draft<'_>) -> bool {
    let marked = text.starts_with("pam_").then(|| {
        let (module, rest) = text.split_once("): ").or_else(|| text.split_once("):"))?;
        let (_, service) = module.split_once('(')?;
        Some((service.split(':').next().unwrap_or(service), rest.trim_start()))
    });
    let (service, text) = match marked.flatten() {
        Some(found) => found,
        None if program.has_pam_mark => (program.name, text),
        None if text.starts_with("PAM ") && text.contains("authentication failure") => (program.name, text),
        None => return false,
    };
    draft.native("service", service);
    draft.rule("linux.pam");
    read_pam(service, text, draft);
    true
}

fn read_pam(service: &str, text: &str, draft: &mut Draft<'_>) {
    if let Some(rest) = text.strip_prefix("session opened for user ") {
        session_opened(service, rest, draft);
    } else if let Some(rest) = text.strip_prefix("session closed for user ") {
        draft.user(account_before_uid(rest));
        draft.kind(Category::Session, Action::SessionEnd);
        draft.event.outcome = Some(Outcome::Success);
    } else if text.contains("authentication failure") {
        refused(service, text, draft);
    } else if let Some(rest) = text.strip_prefix("password changed for ") {
        draft.target_user(word(rest).0);
        draft.kind(Category::Iam, Action::AccountChange);
        draft.event.outcome = Some(Outcome::Success);
    } else {
        let quoted = between(text, "user \"", "\"").or_else(|| between(text, " for [", "]"));
        let name = quoted.or_else(|| text.split_once(" for user ").map(|(_, rest)| word(rest).0));
        // `Consecutive login failures for user sato account temporarily locked`, `received for user sato: 7 (…)`.
        draft.user(name.unwrap_or("").trim_end_matches([':', ',', '.']));
        let failed = ["unknown", "fail", "Fail", "denied", "could not identify", "not met", "locked"]
            .iter()
            .any(|word| text.contains(word));
        draft.kind(Category::Authentication, Action::Other);
        draft.event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Unknown });
        if failed {
            draft.reason(text);
        }
    }
}

fn session_opened(service: &str, rest: &str, draft: &mut Draft<'_>) {
    let (target, by) = rest.split_once(" by ").unwrap_or((rest, ""));
    let (target, by) = (account_before_uid(target), account_before_uid(by));
    if is_elevation(service) && !by.is_empty() {
        draft.user(by);
        draft.target_user(target);
    } else {
        draft.user(target);
    }
    draft.kind(Category::Session, Action::SessionStart);
    draft.event.outcome = Some(Outcome::Success);
}

fn is_elevation(service: &str) -> bool {
    matches!(service, "sudo" | "sudo-i" | "su" | "su-l" | "runuser" | "polkit-1" | "doas")
}

/// `sato(uid=1000)` is `sato`; `(uid=0)` is nobody.
fn account_before_uid(text: &str) -> &str {
    word(text).0.split('(').next().unwrap_or("")
}

/// `authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.9  user=root`.
fn refused(service: &str, text: &str, draft: &mut Draft<'_>) {
    let value = |key: &str| behind(text, key, &[' ']).unwrap_or("");
    let (own, remote) = (value(" user="), value("ruser="));
    if is_elevation(service) {
        draft.user(remote);
        draft.target_user(own);
    }
    draft.user(own);
    let from = value("rhost=");
    draft.source(from);
    if address(from).is_none() && !from.is_empty() {
        draft.event.source_domain = Some(from.to_owned());
    }
    let tells_itself = service.starts_with("sshd") || matches!(service, "login" | "remote" | "dovecot");
    let action = if is_elevation(service) || tells_itself { Action::Other } else { Action::Login };
    draft.kind(Category::Authentication, action);
    draft.event.outcome = Some(Outcome::Failure);
    draft.reason("authentication failure");
}

fn read_program(program: &str, text: &str, draft: &mut Draft<'_>) -> bool {
    match program {
        "sudo" => sudo(text, draft),
        "doas" => doas(text, draft),
        "su" => su(text, draft),
        "login" => login(text, draft),
        "systemd-logind" => logind(text, draft),
        "useradd" | "userdel" | "usermod" | "groupadd" | "groupdel" | "groupmod" | "passwd" | "chage" | "chfn"
        | "chsh" | "gpasswd" | "chpasswd" => account_tool(text, draft),
        "CRON" | "CROND" | "cron" | "crond" | "crontab" => cron(text, draft),
        _ => false,
    }
}

/// `sato : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls`, with a refusal between name and TTY where there was one.
fn sudo(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((name, rest)) = text.split_once(" : ") else { return false };
    if name.trim().contains(' ') {
        return false;
    }
    draft.user(name);
    draft.rule("linux.sudo");
    draft.kind(Category::Process, Action::Elevate);
    let refusal = rest.split(" ; ").next().filter(|first| !first.contains('=') && !first.starts_with('('));
    if let Some(refusal) = refusal {
        draft.reason(refusal);
    }
    draft.event.outcome = Some(if refusal.is_some() { Outcome::Failure } else { Outcome::Success });
    draft.target_user(between(rest, "USER=", " ;").unwrap_or(""));
    draft.event.process_command_line = rest.split_once("COMMAND=").map(|(_, command)| command.to_owned());
    for part in rest.split(" ; ") {
        if let Some((key, value)) = part.split_once('=').filter(|(key, _)| matches!(*key, "TTY" | "PWD" | "USER")) {
            draft.native(key, value);
        }
    }
    true
}

/// OpenBSD: `sato ran command ls as root from /home/sato`, `failed auth for sato`, `failed command for sato: ls`.
fn doas(text: &str, draft: &mut Draft<'_>) -> bool {
    let failed = text.starts_with("failed ");
    let found = if failed {
        let command = text.split_once(": ").map_or("", |(_, command)| command);
        behind(text, " for ", &[' ', ':']).map(|user| (user, "", command))
    } else {
        text.split_once(" ran command ").map(|(user, rest)| doas_command(user, rest))
    };
    let Some((user, target, command)) = found else { return false };
    draft.user(user);
    draft.target_user(target);
    draft.event.process_command_line = Some(command.to_owned()).filter(|command| !command.is_empty());
    draft.kind(Category::Process, Action::Elevate);
    draft.event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
    draft.rule("linux.doas");
    true
}

/// `as root: ls` or `ls as root from /home/sato`: user, target, command.
fn doas_command<'a>(user: &'a str, rest: &'a str) -> (&'a str, &'a str, &'a str) {
    if let Some(rest) = rest.strip_prefix("as ") {
        let (target, command) = rest.split_once(": ").unwrap_or((rest, ""));
        return (user, target, command);
    }
    let (command, rest) = rest.rsplit_once(" as ").unwrap_or((rest, ""));
    (user, word(rest).0, command)
}

/// BSD's `sato to root on /dev/ttyp1` and `BAD SU sato to root on …`, IRIX's `failed: ttyq4 changing from sato to root`,
/// Solaris' `'su root' failed for sato on /dev/pts/1`: account and target.
fn su_of_unix(text: &str) -> Option<(&str, &str)> {
    if let Some((target, rest)) = text.strip_prefix("'su ").and_then(|rest| rest.split_once("' ")) {
        return rest.split_once(" for ").map(|(_, rest)| (word(rest).0, target));
    }
    let pair = match text.split_once(" changing from ") {
        Some((_, pair)) => pair,
        None => text.strip_prefix("BAD SU ").unwrap_or(text).split_once(" on ")?.0,
    };
    pair.split_once(" to ").filter(|(user, target)| !user.contains(' ') && !target.contains(' '))
}

/// `Successful su for T by U`, `FAILED su for T by U`, `(to T) U on pts/1`, `FAILED SU (to T) U on pts/1`, `+ tty U:T`.
fn su(text: &str, draft: &mut Draft<'_>) -> bool {
    let failed = ["FAILED", "BAD", "- ", "failed: "].iter().any(|start| text.starts_with(start))
        || text.contains("' failed for ");
    let found = if let Some(found) = su_of_unix(text) {
        Some(found)
    } else if let Some((_, rest)) = text.split_once(" su for ").or_else(|| text.split_once(" SU for ")) {
        rest.split_once(" by ").map(|(target, user)| (user, target))
    } else if let Some((_, rest)) = text.split_once("(to ") {
        rest.split_once(") ").map(|(target, rest)| (word(rest).0, target))
    } else {
        let last = text.rsplit(' ').next().unwrap_or("");
        let marked = text.starts_with("+ ") || text.starts_with("- ");
        last.split_once([':', '-']).filter(|_| marked)
    };
    let Some((user, target)) = found else { return false };
    draft.user(user);
    draft.target_user(target);
    draft.kind(Category::Authentication, Action::Elevate);
    draft.event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
    draft.rule("linux.su");
    true
}

/// `FAILED LOGIN (1) on '/dev/tty1' FOR 'sato', …`, `LOGIN ON tty1 BY sato`, `ROOT LOGIN ON tty1`.
fn login(text: &str, draft: &mut Draft<'_>) -> bool {
    let failed = text.starts_with("FAILED LOGIN");
    if !failed && !text.contains("LOGIN ON ") && !text.contains("LOGIN  on ") {
        return false;
    }
    let user =
        between(text, "FOR '", "'").or_else(|| between(text, " FOR ", ",")).or_else(|| behind(text, " BY ", &[' ']));
    draft.user(user.unwrap_or(""));
    draft.source(behind(text, " FROM ", &[' ', ',']).unwrap_or(""));
    draft.kind(Category::Authentication, Action::Login);
    draft.event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
    draft.rule("linux.login");
    true
}

/// `New session 12 of user sato.`, `New session '12' of user 'sato' with class …`, `Session 12 logged out.`, `Removed …`.
fn logind(text: &str, draft: &mut Draft<'_>) -> bool {
    let quotes = ['\'', '.', ' '];
    if let Some((session, rest)) = text.strip_prefix("New session ").and_then(|rest| rest.split_once(" of user ")) {
        draft.native("session", session.trim_matches(quotes));
        draft.user(word(rest).0.trim_matches(quotes));
        draft.kind(Category::Session, Action::SessionStart);
    } else if let Some(rest) = text.strip_prefix("Removed session ").or_else(|| text.strip_prefix("Session ")) {
        draft.native("session", word(rest).0.trim_matches(quotes));
        draft.kind(Category::Session, Action::SessionEnd);
    } else {
        return false;
    }
    draft.event.outcome = Some(Outcome::Success);
    draft.rule("linux.logind");
    true
}

/// shadow-utils: which account or group was made, changed or removed.
fn account_tool(text: &str, draft: &mut Draft<'_>) -> bool {
    let target = between(text, "new user: name=", ",")
        .or_else(|| between(text, "user '", "'"))
        .or_else(|| between(text, "add '", "'"))
        .or_else(|| between(text, "delete '", "'"))
        .or_else(|| between(text, "change user '", "'"))
        .or_else(|| behind(text, " for ", &[' ', '\'', ',']))
        .or_else(|| between(text, "user ", " added"));
    draft.target_user(target.unwrap_or(""));
    if let Some(group) = between(text, "to group '", "'").or_else(|| behind(text, "name=", &[','])) {
        draft.native("name", group);
    }
    let failed = text.starts_with("failed") || text.contains("error");
    draft.kind(Category::Iam, Action::AccountChange);
    draft.event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
    draft.rule("linux.account");
    true
}

/// `(root) CMD (command)`.
fn cron(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((user, rest)) = text.strip_prefix('(').and_then(|rest| rest.split_once(") ")) else { return false };
    // `(CRON) INFO (…)` and `(*system*) RELOAD (…)` speak of cron itself.
    draft.user(if matches!(user, "CRON" | "CROND" | "cron") || user.starts_with('*') { "" } else { user });
    draft.kind(Category::Process, Action::Other);
    let command = rest.strip_prefix("CMD (").map(|command| command.trim_end().trim_end_matches(')').trim());
    draft.event.process_command_line = command.map(str::to_owned);
    draft.rule("linux.cron");
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    fn line(text: &str) -> String {
        format!("<86>Mar  3 09:00:00 db01 {text}")
    }

    #[test]
    fn su_in_every_dialect() {
        for text in [
            "su[9]: FAILED SU (to root) sato on pts/1",
            "su[9]: FAILED su for root by sato",
            "su[9]: BAD SU sato to root on /dev/ttyp0",
            "su[9]: failed: ttyq4 changing from sato to root",
            "su: 'su root' failed for sato on /dev/pts/1",
            "su[9]: - pts/1 sato:root",
        ] {
            check(
                line(text),
                &[
                    ("event.action", "elevate"),
                    ("event.outcome", "failure"),
                    ("user.name", "sato"),
                    ("user.target.name", "root"),
                ],
            );
        }
        for text in [
            "su: sato to root on /dev/ttyp1",
            "su[9]: Successful su for root by sato",
            "su[9]: (to root) sato on pts/1",
        ] {
            check(line(text), &[("event.outcome", "success"), ("user.name", "sato"), ("user.target.name", "root")]);
        }
        check(line("su[9]: pam_authenticate: Authentication failure"), &[("user.name", "-")]);
    }

    #[test]
    fn doas_commands() {
        check(
            line("doas: sato ran command /bin/ksh -l as root from /home/sato"),
            &[
                ("event.action", "elevate"),
                ("user.name", "sato"),
                ("user.target.name", "root"),
                ("process.command_line", "/bin/ksh -l"),
            ],
        );
        check(
            line("doas: sato ran command as www: ls"),
            &[("user.target.name", "www"), ("process.command_line", "ls")],
        );
        check(line("doas: failed auth for sato"), &[("event.outcome", "failure"), ("user.name", "sato")]);
    }

    #[test]
    fn names_in_pam_modules() {
        check(
            line("sshd[9]: pam_succeed_if(sshd:auth): requirement \"uid >= 1000\" not met by user \"root\""),
            &[("user.name", "root"), ("event.outcome", "failure"), ("event.action", "other")],
        );
        check(
            line("sshd[9]: pam_sss(sshd:auth): received for user sato: 7 (Authentication failure)"),
            &[("user.name", "sato"), ("event.action", "other")],
        );
        check(
            line("sudo: pam_unix(sudo:auth): auth could not identify password for [sato]"),
            &[("user.name", "sato"), ("event.outcome", "failure")],
        );
        check(
            line(
                "login[9]: pam_unix(login:auth): authentication failure; logname= uid=0 tty=/dev/tty1 ruser= rhost= user=sato",
            ),
            &[("event.action", "other"), ("user.name", "sato")],
        );
        check(
            line(
                "vsftpd[9]: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 tty=ftp ruser=x rhost=192.0.2.9 user=sato",
            ),
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("source.ip", "192.0.2.9"),
                ("user.name", "sato"),
            ],
        );
    }

    #[test]
    fn cron_itself_is_nobody() {
        check(line("CRON[9]: (root) CMD (/usr/bin/true)"), &[("user.name", "root")]);
        check(line("cron[9]: (CRON) INFO (Running @reboot jobs)"), &[("user.name", "-")]);
        check(line("CROND[9]: (sato) CMD (/usr/bin/true)"), &[("user.name", "sato")]);
        check(line("cron[9]: (*system*) RELOAD (/etc/crontab)"), &[("user.name", "-")]);
    }
}
