//! HPE and H3C Comware `%%10SHELL/5/SHELL_LOGIN: text`, and Huawei VRP `%%01SHELL/4/LOGIN(s)[7]:text`.
//!
//! Format: H3C, *Comware System Log Messages Reference*; Huawei, *VRP Log Reference*. Quirks this file owns:
//! * `%%10` is the vendor and version; module, severity and mnemonic follow between slashes, Comware 5 and VRP with a
//!   letter in brackets behind, VRP with a counter and no blank.
//! * Values are `-Line=vty0-IPAddr=192.0.2.7-User=sato; text` (Comware) or `(Ip=192.0.2.7, UserName=sato, …)` (VRP); a
//!   name may hold `-`, so a value runs to the next `-Key=`.
//! * `SC_AAA_LAUNCH` and `SSHS_CONNECT` precede `SHELL_LOGIN` and are no logins.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::scan::{behind, between, known, port, source_end};
use crate::header::Header;

/// How far into a body the mark is looked for: a stack's role may stand before it.
const BEFORE_BYTES_MAX: usize = 96;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let head = header.body.as_bytes().get(..BEFORE_BYTES_MAX).unwrap_or(header.body.as_bytes());
    let Some(at) = memchr::memmem::find(head, b"%%") else { return false };
    let Some((vendor, message)) = header.body.get(at + 2..).and_then(read) else { return false };
    let (module, dataset, vendor, product) = match vendor {
        "01" => ("huawei", "huawei.vrp", "Huawei", "VRP"),
        _ => ("hpe", "hpe.comware", "HPE", "Comware"),
    };
    draft.product(module, dataset, vendor, product);
    draft.rule("hpe_comware");
    draft.event.code = known(message.mnemonic);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.native("module", message.module);
    draft.native("severity", message.severity);
    fill(&message, draft);
    true
}

struct Message<'a> {
    module: &'a str,
    severity: &'a str,
    mnemonic: &'a str,
    text: &'a str,
}

/// `10SHELL/5/SHELL_LOGIN(l): text`
fn read(text: &str) -> Option<(&str, Message<'_>)> {
    let vendor = text.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let mut parts = text.get(2..)?.splitn(3, '/');
    let (module, severity, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let (mnemonic, rest) = (rest.get(..length)?, rest.get(length..)?);
    let (_, text) = rest.split_once(':')?;
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_module = (1..=32).contains(&module.len()) && is_name(module);
    let is_mark = matches!(severity.as_bytes(), [b'0'..=b'8']) && is_module && length > 0;
    is_mark.then(|| (vendor, Message { module, severity, mnemonic, text: text.trim() }))
}

fn fill(message: &Message<'_>, draft: &mut Draft<'_>) {
    let text = message.text;
    for name in ["UserName", "User", "USER", "user"] {
        draft.user(value(text, name).unwrap_or("").trim_matches('"'));
    }
    traffic_ends(text, draft);
    let users = [
        between(text, "SSH user ", " "),
        between(text, "for user ", " "),
        between(text, "The user ", " "),
        Some(text).filter(|_| text.contains(" logged ")).and_then(|text| text.split(' ').next()),
    ];
    users.into_iter().flatten().filter(|name| !name.starts_with('-')).for_each(|user| draft.user(user));
    for name in ["IPAddr", "Ip", "IP", "UserIP", "SourceIP"] {
        draft.source(value(text, name).unwrap_or(""));
    }
    for mark in ["IP: ", " from "] {
        source_end(behind(text, mark, &[' ', ')', ',']).unwrap_or("").trim_end_matches('.'), draft);
    }
    let command =
        text.split_once("Command is ").map(|(_, command)| command).or_else(|| between(text, "Command=\"", "\""));
    draft.native("command", command.unwrap_or(""));
    let (category, action, outcome) = meaning(message);
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

/// Huawei's USG firewalls: `SrcIp=…, SrcPort=…`, `source-ip=…, source-port=…` or `SourceIP=…,SourcePort=…`.
fn traffic_ends(text: &str, draft: &mut Draft<'_>) {
    const FORMS: [[&str; 4]; 3] = [
        ["SrcIp", "SrcPort", "DstIp", "DstPort"],
        ["source-ip", "source-port", "destination-ip", "destination-port"],
        ["SourceIP", "SourcePort", "DestinationIP", "DestinationPort"],
    ];
    let Some([from, from_port, to, to_port]) = FORMS.into_iter().find(|[_, _, to, _]| value(text, to).is_some()) else {
        return;
    };
    draft.source(value(text, from).unwrap_or(""));
    draft.destination(value(text, to).unwrap_or(""));
    draft.event.source_port = value(text, from_port).and_then(port);
    draft.event.destination_port = value(text, to_port).and_then(port);
}

/// `-Key=value` up to the next `-Key=` or `;`; `Key=value` of VRP up to `,` or `)`.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let at = text.match_indices(name).map(|(at, _)| at).take(16).find(|at| {
        let before = text.get(..*at).unwrap_or("");
        let behind = text.get(at + name.len()..).unwrap_or("");
        behind.starts_with('=') && (before.is_empty() || before.ends_with(['-', ' ', '(', ',']))
    })?;
    let rest = text.get(at + name.len() + 1..)?;
    let end = rest.find([';', ',', ')']).unwrap_or(rest.len());
    let rest = rest.get(..end)?;
    let next = rest.match_indices('-').map(|(at, _)| at).take(64).find(|at| {
        let key = rest.get(at + 1..).unwrap_or("");
        let length = key.bytes().take(32).take_while(u8::is_ascii_alphanumeric).count();
        length > 0 && key.as_bytes().get(length) == Some(&b'=')
    });
    rest.get(..next.unwrap_or(rest.len()))
}

fn meaning(message: &Message<'_>) -> (Category, Action, Outcome) {
    use Category::{Authentication, Configuration, Host, Iam};
    let failed = ["ailed", "fail "].iter().any(|word| message.text.contains(word));
    let outcome = if failed { Outcome::Failure } else { Outcome::Success };
    match message.mnemonic {
        "SHELL_LOGIN" | "LOGIN" | "WEB_LOGIN" | "LOGIN_SUCCESS" | "LOGINSUCCEED" if !failed => {
            (Authentication, Action::Login, Outcome::Success)
        }
        "LOGIN_FAILED" | "LOGINFAILED" | "LOGIN_FAIL" | "SSHS_AUTH_FAIL" | "SSH_FAIL" | "AUTHFAIL" | "LOGIN" => {
            (Authentication, Action::Login, Outcome::Failure)
        }
        "SHELL_LOGOUT" | "LOGOUT" | "WEB_LOGOUT" => (Authentication, Action::Logout, Outcome::Success),
        "SC_AAA_LAUNCH" | "SC_AAA_SUCCESS" | "SC_AAA_FAILURE" | "AAA_LAUNCH" | "AAA_SUCCESS" | "AAA_FAILURE"
        | "SSHS_CONNECT" | "SSHS_LOG" | "SSHS_DISCONNECT" | "SSHS_AUTH_SUCCESS" => {
            (Authentication, Action::Other, outcome)
        }
        "CFGMAN_CFGCHANGED" | "CFG_CHANGED" | "CFGCHANGED" | "CFG_SAVE_SUCCESS" => {
            (Configuration, Action::ConfigChange, outcome)
        }
        "SHELL_CMD" | "CMD" | "CMDRECORD" | "SHELL_CMDDENY" => (Configuration, Action::Other, outcome),
        "POLICYPERMIT" | "POLICYDENY" | "SESSION_TEARDOWN" | "FILTER" => traffic(message),
        _ if message.module == "LOCAL" || message.mnemonic.contains("USER_ADD") => {
            (Iam, Action::AccountChange, outcome)
        }
        _ => (Host, Action::Other, Outcome::Unknown),
    }
}

/// What a firewall let through or stopped.
fn traffic(message: &Message<'_>) -> (Category, Action, Outcome) {
    let blocks = value(message.text, "Action").is_some_and(|word| word.starts_with("Block"));
    if blocks || message.mnemonic == "POLICYDENY" {
        (Category::Network, Action::Deny, Outcome::Failure)
    } else {
        (Category::Network, Action::Allow, Outcome::Success)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn firewalls() {
        let ends = [
            ("source.ip", "203.0.113.9"),
            ("source.port", "2426"),
            ("destination.ip", "192.0.2.1"),
            ("destination.port", "443"),
            ("user.name", "-"),
            ("observer.hostname", "fw9"),
        ];
        for text in [
            "%%01POLICY/6/POLICYDENY(l):vsys=public, protocol=6, source-ip=203.0.113.9, source-port=2426, \
             destination-ip=192.0.2.1, destination-port=443, time=2026/3/3 9:00:00, source-zone=untrust, rule-name=a b.",
            "%%01SECLOG/6/SESSION_TEARDOWN(l):IPVer=4,Protocol=tcp,SourceIP=203.0.113.9,DestinationIP=192.0.2.1,\
             SourcePort=2426,DestinationPort=443,BeginTime=1772496000,PolicyName=a.",
            "%%01URL/4/FILTER(l): The URL filtering policy was matched. (SyslogId=1, SrcIp=203.0.113.9, DstIp=192.0.2.1, \
             SrcPort=2426, DstPort=443, User=\"unknown\", Action=Alert)",
        ] {
            check(format!("2026-03-03 09:00:00 fw9 {text}"), &ends);
        }
        check("2026-03-03 09:00:00 fw9 %%01POLICY/6/POLICYDENY(l):source-ip=203.0.113.9", &[("event.action", "deny")]);
    }

    #[test]
    fn comware() {
        check(
            "<189>Mar  3 09:00:00 2026 sw1 (Stack) %%10SHELL/5/SHELL_LOGIN(l): sato logged in from 192.0.2.7.",
            &[
                ("event.dataset", "hpe.comware"),
                ("event.code", "SHELL_LOGIN"),
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("observer.hostname", "sw1"),
            ],
        );
        check(
            "<190>Mar  3 09:00:00 sw1 %%10SHELL/6/SHELL_CMD: -Line=vty0-IPAddr=192.0.2.7-User=sato-h; Command is display version",
            &[("user.name", "sato-h"), ("source.ip", "192.0.2.7"), ("native.command", "display version")],
        );
        check(
            "<190>Mar  3 09:00:00 sw1 %%10SC/6/SC_AAA_LAUNCH(l): -AAAType=AUTHEN-AAAScheme= local-Service=login-UserName=sato@system; AAA launched",
            &[("event.action", "other"), ("user.name", "sato")],
        );
        check(
            "<190>Mar  3 09:00:00 sw1 %%10SSHS/6/SSHS_AUTH_FAIL: SSH user sato (IP: 192.0.2.7) failed to pass authentication.",
            &[("event.outcome", "failure"), ("user.name", "sato"), ("source.ip", "192.0.2.7")],
        );
    }

    #[test]
    fn huawei() {
        check(
            "<188>Mar  3 2026 09:00:00 sw2 %%01SHELL/4/LOGINFAILED(s)[4]:Failed to login. (Ip=192.0.2.7, UserName=sato, Times=1, AccessType=TELNET)",
            &[
                ("event.module", "huawei"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
            ],
        );
        check(
            "Mar  3 2026 09:00:00 usg1 %%01POLICY/6/POLICYDENY(l):vsys=public, protocol=17, source-ip=203.0.113.9, source-port=2426, destination-ip=192.0.2.7, destination-port=3389, rule-name=default.",
            &[("event.action", "deny"), ("source.ip", "203.0.113.9"), ("destination.port", "3389")],
        );
        check(
            r#"2026/03/03 09:00:00 usg1 %%01URL/4/FILTER(l): The URL filtering policy was matched. (SyslogId=1, SrcIp=192.0.2.9, DstIp=198.51.100.7, SrcPort=5702, DstPort=80, User="unknown", Protocol=TCP, Action=Alert)"#,
            &[("source.port", "5702"), ("destination.ip", "198.51.100.7"), ("user.name", "-")],
        );
        for line in ["100%% sure", "%%1", r#"{"a":"%%1793","b":"11/8/2021 10:09: x"}"#, "%%10A/9/B: x", "%%10//5/x"] {
            assert_eq!(parse(line.as_bytes()).module, None, "{line}");
        }
    }
}
