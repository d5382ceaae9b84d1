//! The Linux audit system: `type=USER_LOGIN msg=audit(1772496000.250:891): pid=9 … msg='op=login acct="sato" … res=success'`.
//!
//! Format: Red Hat, *Audit event fields* and *Audit record types*. Quirks this file owns:
//! * The time is an epoch inside `audit(…)`. `node=` may stand first, or a header of audisp, or the kernel's
//!   `audit: type=1112`, or journald's `USER_AUTH pid=…` behind the tag `audit`.
//! * What programs report stands in `msg='…'`, with `acct` in quotes; without them it is hex and is left to `native`.
//! * `auid` is who logged in first, as a number; `AUID="sato"` follows where the log is enriched. 4294967295 is unset.
//! * `EXECVE` has the arguments of a started program as `a0="…" a1=…`; what holds a blank is hexadecimal.
//! * Of the lines of one login only `USER_LOGIN` is the login; `USER_AUTH`, `CRED_ACQ` and `USER_ACCT` are steps of it.

use monban_event::{Action, Category, Outcome};

use super::daemon::{moment, on_host, program};
use super::draft::{Draft, address};
use super::kv;
use super::scan::{behind, between};
use crate::header::Header;

/// Longest command line put together of arguments.
const COMMAND_BYTES_MAX: usize = 8 << 10;

/// Types that the kernel writes as numbers.
const NUMBERS: [(&str, &str); 14] = [
    ("1100", "USER_AUTH"),
    ("1101", "USER_ACCT"),
    ("1102", "USER_MGMT"),
    ("1103", "CRED_ACQ"),
    ("1104", "CRED_DISP"),
    ("1105", "USER_START"),
    ("1106", "USER_END"),
    ("1108", "USER_CHAUTHTOK"),
    ("1112", "USER_LOGIN"),
    ("1113", "USER_LOGOUT"),
    ("1114", "ADD_USER"),
    ("1115", "DEL_USER"),
    ("1123", "USER_CMD"),
    ("1305", "CONFIG_CHANGE"),
];

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.after_time;
    let Some(at) = memchr::memmem::find(text.as_bytes(), b"audit(") else { return parse_journal(header, draft) };
    let id = text.get(at + 6..).and_then(|rest| rest.split_once(')')).map_or("", |(id, _)| id);
    let Some((time, serial)) = id.split_once(':') else { return false };
    let (Some(time), Some(kind)) = (moment(time), behind(text, "type=", &[' '])) else { return false };
    draft.time = Some(time);
    draft.native("serial", serial);
    let kind = NUMBERS.iter().find(|(number, _)| *number == kind).map_or(kind, |(_, name)| name);
    finish(kind, text, header, draft);
    true
}

/// journald's `audit[9]: USER_LOGIN pid=9 uid=0 … msg='…'`: the type stands first, the time is the header's.
fn parse_journal(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some((kind, rest)) = header.message.split_once(' ').filter(|_| program(header) == "audit") else {
        return false;
    };
    let is_type = kind.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'0'..=b'9'));
    if !is_type || !rest.contains('=') {
        return false;
    }
    finish(kind, header.message, header, draft);
    true
}

fn finish(kind: &str, text: &str, header: &Header<'_>, draft: &mut Draft<'_>) {
    draft.event.code = Some(kind.to_owned());
    read(kind, text, draft);
    on_host(header, draft, "linux.auditd");
    // Before the type: `inode=` of a PATH record ends in the same letters.
    let node = text.split_once("type=").and_then(|(before, _)| behind(before, "node=", &[' ']));
    draft.event.host_name = node.or(header.host.filter(|_| header.time.is_some())).map(str::to_owned);
}

fn read(kind: &str, text: &str, draft: &mut Draft<'_>) {
    let (category, action) = kind_of(kind);
    draft.kind(category, action);
    draft.event.outcome = outcome(text);
    let account = between(text, "acct=\"", "\"").or_else(|| between(text, " acct='", "'")).unwrap_or("");
    let enriched = between(text, " AUID=\"", "\"").or_else(|| between(text, "\u{1d}AUID=\"", "\"")).unwrap_or("");
    match action {
        Action::AccountChange | Action::Elevate => {
            draft.user(somebody(enriched));
            // The account that changes is a number, `id=1006`, and named only where the log is enriched.
            let changed = between(text, " ID=\"", "\"").or_else(|| between(text, "\u{1d}ID=\"", "\"")).unwrap_or("");
            let is_group = kind.contains("GROUP") || kind.starts_with("GRP_");
            let changed = if is_group { "" } else { changed };
            draft.target_user(somebody(if account.is_empty() { changed } else { account }));
        }
        _ => {
            draft.user(somebody(account));
            draft.user(somebody(enriched));
        }
    }
    draft.event.user_id =
        behind(text, " auid=", &[' ']).filter(|id| !matches!(*id, "4294967295" | "-1" | "?")).map(str::to_owned);
    draft.event.process_pid = behind(text, " pid=", &[' ']).and_then(|pid| pid.parse().ok());
    draft.event.process_command_line = between(text, " exe=\"", "\"").map(str::to_owned);
    let from = behind(text, " addr=", &[' ', ',']).unwrap_or("");
    draft.source(from);
    let host = behind(text, " hostname=", &[' ', ',']).unwrap_or("");
    draft.source(host);
    draft.event.source_domain =
        Some(host).filter(|host| host.contains('.') && address(host).is_none()).map(str::to_owned);
    members(kind, text, draft);
}

/// Every `key=value`, quotes taken off. The arguments of a started program make its command line.
fn members(kind: &str, text: &str, draft: &mut Draft<'_>) {
    let is_execution = kind == "EXECVE";
    let mut command_line = String::new();
    let inner = text.replace("msg='", " ").replace('\u{1d}', " ");
    for (key, value) in kv::pairs(&inner) {
        if matches!(key, "msg" | "acct" | "node") {
            continue;
        }
        let value = value.trim_end_matches('\'');
        let is_argument = is_execution && is_argument(key);
        let plain = if is_argument { unhexed(value) } else { None };
        let value = plain.as_deref().unwrap_or(value);
        if is_argument && command_line.len() < COMMAND_BYTES_MAX {
            command_line.push_str(if command_line.is_empty() { "" } else { " " });
            command_line.push_str(value);
        }
        draft.native(key, value);
    }
    if !command_line.is_empty() {
        draft.event.process_command_line = Some(command_line);
    }
}

/// `a0`, `a12`; `argc` counts them.
fn is_argument(key: &str) -> bool {
    key.strip_prefix('a').is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// An argument with a blank or a quote in it is written without quotes, as hexadecimal digits.
fn unhexed(value: &str) -> Option<String> {
    let is_hex =
        value.len() >= 4 && value.len().is_multiple_of(2) && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = is_hex.then_some(value.as_bytes())?;
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.chunks_exact(2).map(byte).collect();
    // Without a blank it would have been quoted: then it is a word that only looks like one.
    String::from_utf8(bytes?).ok().filter(|text| text.contains([' ', '"', '\t', '\n', '\'']) && !text.contains('\0'))
}

fn somebody(name: &str) -> &str {
    if matches!(name, "unset" | "?" | "(unknown user)" | "(invalid user)") { "" } else { name }
}

fn outcome(text: &str) -> Option<Outcome> {
    let word = behind(text, " res=", &[' ', ')', '\'', ',']).or_else(|| behind(text, " success=", &[' ']))?;
    match word {
        "success" | "yes" | "1" => Some(Outcome::Success),
        "failed" | "no" | "0" => Some(Outcome::Failure),
        _ => None,
    }
}

fn kind_of(kind: &str) -> (Category, Action) {
    match kind {
        "USER_LOGIN" => (Category::Authentication, Action::Login),
        "USER_LOGOUT" => (Category::Authentication, Action::Logout),
        "USER_AUTH" | "USER_ACCT" | "CRED_ACQ" | "CRED_DISP" | "CRED_REFR" | "USER_ERR" | "LOGIN" => {
            (Category::Authentication, Action::Other)
        }
        "USER_START" => (Category::Session, Action::SessionStart),
        "USER_END" => (Category::Session, Action::SessionEnd),
        "USER_CMD" => (Category::Process, Action::Elevate),
        "ADD_USER" | "DEL_USER" | "USER_MGMT" | "USER_CHAUTHTOK" | "ADD_GROUP" | "DEL_GROUP" | "GRP_MGMT"
        | "GRP_CHAUTHTOK" | "CHGRP_ID" | "CHUSER_ID" | "ACCT_LOCK" | "ACCT_UNLOCK" | "ROLE_ASSIGN" | "ROLE_REMOVE" => {
            (Category::Iam, Action::AccountChange)
        }
        "CONFIG_CHANGE" | "DAEMON_CONFIG" | "MAC_STATUS" | "MAC_POLICY_LOAD" | "MAC_CONFIG_CHANGE"
        | "NETFILTER_CFG" => (Category::Configuration, Action::ConfigChange),
        "AVC" | "USER_AVC" => (Category::Process, Action::Deny),
        "SYSCALL" | "EXECVE" | "CWD" | "PATH" | "PROCTITLE" => (Category::Process, Action::Other),
        _ if kind.starts_with("ANOM_") => (Category::Host, Action::Detect),
        _ => (Category::Host, Action::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn changed_accounts_of_enriched_logs() {
        let line = |kind: &str| {
            format!(
                "type={kind} msg=audit(1772496000.250:891): pid=9 uid=0 auid=1006 ses=1 msg='op=adding user id=500 \
                 exe=\"/usr/sbin/useradd\" hostname=h addr=? terminal=pts/1 res=success'\u{1d}UID=\"root\" AUID=\"yamada\" ID=\"sato\""
            )
        };
        check(line("ADD_USER"), &[("user.name", "yamada"), ("user.target.name", "sato")]);
        check(line("ADD_GROUP"), &[("user.name", "yamada"), ("user.target.name", "-")]);
    }

    #[test]
    fn logins_in_every_frame() {
        let record = "msg=audit(1772496000.250:891): pid=9 uid=0 auid=1000 ses=3 msg='op=login acct=\"sato\" \
                      exe=\"/usr/sbin/sshd\" hostname=192.0.2.9 addr=192.0.2.9 terminal=ssh res=failed'";
        let expected = [
            ("event.action", "login"),
            ("event.outcome", "failure"),
            ("user.name", "sato"),
            ("source.ip", "192.0.2.9"),
            ("event.code", "USER_LOGIN"),
            ("@timestamp", "2026-03-03T00:00:00.250000Z"),
        ];
        check(format!("type=USER_LOGIN {record}"), &expected);
        check(format!("node=db1 type=USER_LOGIN {record}"), &expected);
        check(format!("node=db1 type=USER_LOGIN {record}"), &[("host.name", "db1")]);
        check(format!("<13>Mar  3 09:00:05 db1 audispd[5]: type=USER_LOGIN {record}"), &expected);
        check(format!("<13>Mar  3 09:00:05 db1 audispd[5]: type=USER_LOGIN {record}"), &[("host.name", "db1")]);
        check(
            "<13>Mar  3 09:00:05 db1 kernel: audit: type=1112 audit(1772496000.250:24): pid=9 uid=0 auid=4294967295 \
             msg='op=login acct=\"sato\" addr=192.0.2.9 res=failed'",
            &expected,
        );
    }

    #[test]
    fn a_started_program_with_its_arguments() {
        check(
            "type=EXECVE msg=audit(1772496000.250:51): argc=4 a0=\"/usr/bin/nc\" a1=\"-e\" a2=2F62696E2F7368202D69 a3=\"cafe\"",
            &[
                ("process.command_line", "/usr/bin/nc -e /bin/sh -i cafe"),
                ("native.a0", "/usr/bin/nc"),
                ("native.a2", "/bin/sh -i"),
                ("native.argc", "4"),
                ("event.category", "process"),
            ],
        );
        check(
            "type=SYSCALL msg=audit(1772496000.250:52): arch=c000003e syscall=59 success=yes exit=0 a0=55d0 a1=26 pid=3 auid=1000 comm=\"x\" exe=\"/tmp/x\" key=\"run\"",
            &[("native.type", "SYSCALL"), ("native.a0", "55d0"), ("native.exe", "/tmp/x"), ("native.key", "run")],
        );
    }

    #[test]
    fn an_inode_is_no_node() {
        check(
            "type=SYSCALL msg=audit(1772496000.250:50): success=yes pid=3 type=PATH msg=audit(1772496000.250:50): item=0 inode=399849 dev=fd:00",
            &[("host.name", "-"), ("event.code", "SYSCALL"), ("event.outcome", "success"), ("process.pid", "3")],
        );
    }

    #[test]
    fn journald_leaves_the_serial_out() {
        check(
            "<13>Mar  3 09:00:00 db1 audit[9]: USER_LOGIN pid=9 uid=0 auid=1000 msg='op=login acct=\"sato\" addr=192.0.2.9 res=success'",
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.9"),
                ("host.name", "db1"),
            ],
        );
        check("<13>Mar  3 09:00:00 db1 audit[9]: all is=well", &[("event.dataset", "-")]);
    }

    #[test]
    fn accounts_and_commands() {
        check(
            "type=ADD_USER msg=audit(1772496000.250:5): pid=9 uid=0 auid=1000 msg='op=adding user acct=\"vendor01\" res=success'\u{1d}UID=\"root\" AUID=\"yamada\"",
            &[
                ("event.action", "account-change"),
                ("user.name", "yamada"),
                ("user.target.name", "vendor01"),
                ("user.id", "1000"),
            ],
        );
        check(
            "type=USER_AUTH msg=audit(1772496000.250:5): pid=9 auid=4294967295 msg='op=PAM acct=\"?\" addr=? res=failed'",
            &[("event.action", "other"), ("user.name", "-"), ("source.ip", "-"), ("user.id", "-")],
        );
        check("type=X msg=audit(soon): y", &[("event.module", "-")]);
    }
}
