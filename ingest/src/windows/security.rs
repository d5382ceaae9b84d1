//! The Security log: logons, Kerberos, accounts, groups, policies and objects.
//!
//! A login is what happens on the machine that is logged on to (4624, 4625). A domain controller vouching for it (4768,
//! 4776) is not a second login, but its refusal is a failed one, because the machine itself may not be ours to see.

use monban_event::{Action, Category, Event, Outcome};

use super::account::{self, AccountFields, SUBJECT, TARGET};
use super::flatten::WindowsFields;

/// Accounts vouched for by the domain controller name no domain of their own in 4776.
const VOUCHED: AccountFields = AccountFields { name: "TargetUserName", domain: "", sid: "" };
/// Kerberos puts the account's SID under another name than logons do.
const KERBEROS: AccountFields = AccountFields { name: "TargetUserName", domain: "TargetDomainName", sid: "TargetSid" };
const RADIUS: AccountFields =
    AccountFields { name: "SubjectUserName", domain: "SubjectDomainName", sid: "SubjectUserSid" };

pub(super) fn describe(event: &mut Event, windows: &WindowsFields, number: i64) {
    match number {
        4624 | 4625 => logon(event, windows, number == 4624),
        4634 | 4647 => logoff(event, windows),
        4648 => explicit_credentials(event, windows),
        4672 | 4964 => acted(event, windows, Category::Authentication, Action::Elevate),
        4768..=4773 => kerberos(event, windows, number),
        4776 | 4777 => vouched(event, windows),
        4825 => {
            event.category = Some(Category::Authentication);
            event.action = Some(Action::Deny);
            event.outcome = Some(Outcome::Failure);
            account::set_user(event, windows, account::ACCOUNT);
            account::set_source(event, windows, "ClientAddress", "");
        }
        4778 | 4779 | 4800..=4803 => session(event, windows, number),
        4720..=4767 | 4780..=4782 | 4794 | 4798 | 4799 => account_or_group(event, windows, number),
        4688 | 4689 => process(event, windows),
        4697..=4702 | 4706 | 4707 | 4713 | 4716..=4719 | 4817 | 4902..=4912 | 4946..=4957 | 5136..=5139 | 5141 => {
            acted(event, windows, Category::Configuration, Action::ConfigChange);
        }
        1102 => acted(event, windows, Category::Configuration, Action::LogClear),
        4656..=4663 | 4670 | 5140 | 5142..=5145 => object(event, windows),
        5152..=5159 => connection(event, windows),
        6272..=6274 | 6278 => radius(event, windows, number),
        _ => event.action = Some(Action::Other),
    }
}

/// The subject did it, and nothing more is known.
fn acted(event: &mut Event, windows: &WindowsFields, category: Category, action: Action) {
    event.category = Some(category);
    event.action = Some(action);
    if matches!(action, Action::LogClear | Action::Elevate) {
        event.outcome = Some(Outcome::Success);
    }
    account::set_user(event, windows, SUBJECT);
}

fn logon(event: &mut Event, windows: &WindowsFields, success: bool) {
    event.category = Some(Category::Authentication);
    event.action = Some(Action::Login);
    event.outcome = Some(if success { Outcome::Success } else { Outcome::Failure });
    account::set_user(event, windows, TARGET);
    account::set_source(event, windows, "IpAddress", "IpPort");
    event.source_domain = windows.text("WorkstationName").map(str::to_owned);
    event.winlog_logon_type = windows.text("LogonType").and_then(|kind| kind.parse().ok());
    event.process_name = windows.text("ProcessName").map(str::to_owned);
    event.process_pid = windows.text("ProcessId").and_then(parse_number);
    if !success {
        event.reason = code(windows, "SubStatus").or_else(|| code(windows, "Status"));
    }
}

fn logoff(event: &mut Event, windows: &WindowsFields) {
    event.category = Some(Category::Authentication);
    event.action = Some(Action::Logout);
    event.outcome = Some(Outcome::Success);
    account::set_user(event, windows, TARGET);
    event.winlog_logon_type = windows.text("LogonType").and_then(|kind| kind.parse().ok());
}

/// Somebody used another account's password: who did is the actor, whose it was is the target.
fn explicit_credentials(event: &mut Event, windows: &WindowsFields) {
    acted(event, windows, Category::Authentication, Action::Elevate);
    account::set_target(event, windows, "TargetUserName");
    account::set_source(event, windows, "IpAddress", "IpPort");
    event.destination_domain = windows.text("TargetServerName").map(str::to_owned);
    event.process_name = windows.text("ProcessName").map(str::to_owned);
    event.process_pid = windows.text("ProcessId").and_then(parse_number);
}

fn kerberos(event: &mut Event, windows: &WindowsFields, number: i64) {
    // 4771–4773 are written for failures only; the others carry a status.
    let failed = matches!(number, 4771..=4773) || code(windows, "Status").is_some();
    authentication(event, failed, matches!(number, 4768 | 4771 | 4772));
    event.reason = code(windows, "Status").or_else(|| code(windows, "FailureCode"));
    account::set_user(event, windows, KERBEROS);
    account::set_source(event, windows, "IpAddress", "IpPort");
    event.destination_domain = (number == 4769).then(|| windows.text("ServiceName").map(str::to_owned)).flatten();
}

fn vouched(event: &mut Event, windows: &WindowsFields) {
    let status = code(windows, "Status");
    authentication(event, status.is_some(), true);
    event.reason = status;
    account::set_user(event, windows, VOUCHED);
    event.source_domain = windows.text("Workstation").map(|name| name.trim_start_matches('\\').to_owned());
}

/// Only a refusal counts as an attempt to log in; see the top of this file.
fn authentication(event: &mut Event, failed: bool, attempt: bool) {
    event.category = Some(Category::Authentication);
    event.action = Some(if failed && attempt { Action::Login } else { Action::Other });
    event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
}

fn session(event: &mut Event, windows: &WindowsFields, number: i64) {
    event.category = Some(Category::Session);
    // Reconnected, unlocked, screen saver ended; else disconnected, locked, screen saver started.
    let begins = matches!(number, 4778 | 4801 | 4803);
    event.action = Some(if begins { Action::SessionStart } else { Action::SessionEnd });
    event.outcome = Some(Outcome::Success);
    account::set_first(event, windows, &[account::ACCOUNT, TARGET]);
    account::set_source(event, windows, "ClientAddress", "");
    event.source_domain = windows.text("ClientName").map(str::to_owned);
}

fn account_or_group(event: &mut Event, windows: &WindowsFields, number: i64) {
    event.category = Some(Category::Iam);
    // Listing a user's groups or a group's members changes nothing.
    let reads = matches!(number, 4798 | 4799);
    event.action = Some(if reads { Action::Other } else { Action::AccountChange });
    account::set_user(event, windows, SUBJECT);
    account::set_target(event, windows, "TargetUserName");
    if windows.text("MemberSid").or(windows.text("MemberName")).is_some() {
        // `TargetUserName` is the group then. A local group's members are told by their SIDs alone.
        let member = windows.text("MemberName").and_then(common_name);
        event.user_target_name = member.map(|member| monban_event::account::key(&member));
    }
    match number {
        4740 => {
            // The lockout's subject is the domain controller; the account is whom it is about, and what Windows calls
            // its domain is the machine the tries came from.
            event.outcome = Some(Outcome::Success);
            account::set_user(event, windows, VOUCHED);
            event.source_domain = windows.text("TargetDomainName").map(|name| name.trim_start_matches('\\').to_owned());
        }
        4781 => account::set_target(event, windows, "OldTargetUserName"),
        _ => {}
    }
}

/// `山田 太郎` of `CN=山田 太郎,OU=医局,DC=example`.
fn common_name(distinguished: &str) -> Option<String> {
    let start = distinguished.get(..3).filter(|start| start.eq_ignore_ascii_case("cn="))?;
    let name = distinguished.strip_prefix(start)?;
    let mut end = name.len();
    let mut escaped = false;
    for (at, character) in name.char_indices() {
        if character == ',' && !escaped {
            end = at;
            break;
        }
        escaped = character == '\\' && !escaped;
    }
    name.get(..end).map(|name| name.replace('\\', ""))
}

fn process(event: &mut Event, windows: &WindowsFields) {
    acted(event, windows, Category::Process, Action::Other);
    let text = |name| windows.text(name).map(str::to_owned);
    event.process_name = text("NewProcessName").or_else(|| text("ProcessName"));
    event.process_pid = windows.text("NewProcessId").or_else(|| windows.text("ProcessId")).and_then(parse_number);
    event.process_command_line = text("CommandLine");
    event.process_parent_name = text("ParentProcessName");
    account::set_target(event, windows, "TargetUserName");
}

fn object(event: &mut Event, windows: &WindowsFields) {
    acted(event, windows, Category::File, Action::Other);
    account::set_source(event, windows, "IpAddress", "IpPort");
    event.process_name = windows.text("ProcessName").map(str::to_owned);
    event.process_pid = windows.text("ProcessId").and_then(parse_number);
}

fn connection(event: &mut Event, windows: &WindowsFields) {
    let allowed = matches!(event.winlog_event_id, Some(5154 | 5156 | 5158));
    event.category = Some(Category::Network);
    event.action = Some(if allowed { Action::Allow } else { Action::Deny });
    event.outcome = Some(if allowed { Outcome::Success } else { Outcome::Failure });
    account::set_source(event, windows, "SourceAddress", "SourcePort");
    event.destination_ip = windows.text("DestAddress").and_then(account::parse_address);
    event.destination_port = windows.text("DestPort").and_then(|port| port.parse().ok());
    event.process_name = windows.text("Application").map(str::to_owned);
    event.process_pid = windows.text("ProcessID").and_then(parse_number);
}

/// The network policy server let somebody in, refused, or dropped the request.
fn radius(event: &mut Event, windows: &WindowsFields, number: i64) {
    let success = matches!(number, 6272 | 6278);
    event.category = Some(Category::Authentication);
    event.action = Some(Action::Login);
    event.outcome = Some(if success { Outcome::Success } else { Outcome::Failure });
    account::set_user(event, windows, RADIUS);
    account::set_source(event, windows, "CallingStationID", "");
    event.destination_ip = windows.text("NASIPv4Address").and_then(account::parse_address);
    event.reason = windows.text("ReasonCode").filter(|code| *code != "0").map(str::to_owned);
}

/// A status that says something went wrong, lower case as in `0xc000006a`; zero is success.
fn code(windows: &WindowsFields, name: &str) -> Option<String> {
    let code = windows.text(name)?.to_ascii_lowercase();
    let zero = code.trim_start_matches("0x").chars().all(|digit| digit == '0');
    (!zero).then_some(code)
}

/// `0x1a4` and `420` alike.
fn parse_number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::sample::{event, told};
    use super::{Outcome, common_name};

    fn check(number: u64, data: &Value, expected: &Value) {
        assert_eq!(told(&event("Security", number, data)), *expected, "{number}");
    }

    #[test]
    fn a_remote_logon_says_who_from_where_and_how() {
        check(
            4624,
            &json!({"SubjectUserName": "DC01$", "TargetUserName": "Yamada", "TargetDomainName": "HOSPITAL",
                "TargetUserSid": "S-1-5-21-1", "LogonType": 10, "IpAddress": "::ffff:192.0.2.7", "IpPort": "50123",
                "WorkstationName": "WARD3-PC1", "ProcessId": "0x1a4", "ProcessName": "C:\\Windows\\System32\\svchost.exe"}),
            &json!({"event.category": "authentication", "event.action": "login", "event.outcome": "success",
                "user.name": "yamada", "user.domain": "hospital", "user.raw": "Yamada", "user.id": "S-1-5-21-1",
                "source.ip": "192.0.2.7", "source.port": 50123, "source.domain": "WARD3-PC1", "winlog.logon.type": 10,
                "process.name": "C:\\Windows\\System32\\svchost.exe", "process.pid": 420}),
        );
    }

    #[test]
    fn a_refused_logon_gives_the_nearest_reason() {
        let refused = |status: &str, sub: &str| {
            event(
                "Security",
                4625,
                &json!({"TargetUserName": "sato", "Status": status, "SubStatus": sub, "IpAddress": "-"}),
            )
        };
        let event = refused("0xC000006D", "0xC000006A");
        assert_eq!(event.reason.as_deref(), Some("0xc000006a"));
        assert_eq!((event.source_ip, event.outcome), (None, Some(Outcome::Failure)));
        assert_eq!(refused("0xc0000234", "0x0").reason.as_deref(), Some("0xc0000234"));
    }

    #[test]
    fn kerberos_counts_refusals_only() {
        let ticket = json!({"TargetUserName": "sato@HOSPITAL.EXAMPLE", "TargetSid": "S-1-5-21-2", "Status": "0x0",
            "IpAddress": "::1"});
        check(
            4768,
            &ticket,
            &json!({"event.category": "authentication", "event.action": "other", "event.outcome": "success",
                "user.name": "sato", "user.domain": "hospital.example", "user.raw": "sato@HOSPITAL.EXAMPLE",
                "user.id": "S-1-5-21-2", "source.ip": "::1"}),
        );
        let refused =
            json!({"TargetUserName": "sato", "Status": "0x18", "IpAddress": "::ffff:192.0.2.9", "IpPort": "0"});
        check(
            4771,
            &refused,
            &json!({"event.category": "authentication", "event.action": "login", "event.outcome": "failure",
                "event.reason": "0x18", "user.name": "sato", "user.raw": "sato",
                "source.ip": "192.0.2.9"}),
        );
    }

    #[test]
    fn a_domain_controller_that_vouches_names_the_workstation() {
        let vouched = |status: &str| {
            event(
                "Security",
                4776,
                &json!({"TargetUserName": "sato", "Workstation": "\\\\WARD3-PC1", "Status": status}),
            )
        };
        let refused = vouched("0xC0000064");
        assert_eq!(refused.source_domain.as_deref(), Some("WARD3-PC1"));
        assert_eq!(told(&refused)["event.action"], "login");
        assert_eq!(told(&vouched("0x0"))["event.action"], "other");
    }

    #[test]
    fn changing_an_account_names_both() {
        check(
            4720,
            &json!({"TargetUserName": "新人", "TargetDomainName": "HOSPITAL", "SubjectUserName": "admin1",
                "SubjectDomainName": "HOSPITAL", "SubjectUserSid": "S-1-5-21-500"}),
            &json!({"event.category": "iam", "event.action": "account-change", "event.outcome": "success",
                "user.name": "admin1", "user.domain": "hospital", "user.raw": "admin1", "user.id": "S-1-5-21-500",
                "user.target.name": "新人"}),
        );
        let member = event(
            "Security",
            4728,
            &json!({"MemberName": "CN=山田\\, 太郎,OU=医局,DC=hospital", "TargetUserName": "Domain Admins", "SubjectUserName": "a"}),
        );
        assert_eq!(member.user_target_name.as_deref(), Some("山田, 太郎"));
        assert_eq!(member.native.get("TargetUserName"), Some("Domain Admins"));
        let local = event(
            "Security",
            4732,
            &json!({"MemberName": "-", "MemberSid": "S-1-5-21-1-2-3-1104", "TargetUserName": "Administrators", "SubjectUserName": "a"}),
        );
        assert_eq!(local.user_target_name, None, "the group is not the member");
    }

    #[test]
    fn a_lockout_is_about_the_locked_account() {
        let event = event(
            "Security",
            4740,
            &json!({"TargetUserName": "sato", "TargetDomainName": "\\\\WARD3-PC1", "SubjectUserName": "DC01$"}),
        );
        let told = told(&event);
        assert_eq!((&told["user.name"], &told["user.target.name"]), (&json!("sato"), &json!("sato")));
        assert_eq!(told["source.domain"], "WARD3-PC1");
    }

    #[test]
    fn a_process_start_names_parent_and_command() {
        let event = event(
            "Security",
            4688,
            &json!({"SubjectUserName": "sato", "NewProcessId": "0x10", "NewProcessName": "C:\\a.exe", "CommandLine": "a /q",
                "ParentProcessName": "C:\\b.exe", "TargetUserName": "-"}),
        );
        assert_eq!(event.process_pid, Some(16));
        assert_eq!(event.process_command_line.as_deref(), Some("a /q"));
        assert_eq!((event.process_parent_name.as_deref(), event.user_target_name), (Some("C:\\b.exe"), None));
    }

    #[test]
    fn clearing_the_log_is_told_from_user_data() {
        let cleared = event(
            "Security",
            1102,
            &json!({"LogFileCleared": {"SubjectUserName": "admin1", "SubjectDomainName": "H"}}),
        );
        assert_eq!(told(&cleared)["event.action"], "log-clear");
        assert_eq!(cleared.user_name.as_deref(), Some("admin1"));
    }

    #[test]
    fn explicit_credentials_keep_actor_and_account_apart() {
        let event = event(
            "Security",
            4648,
            &json!({"SubjectUserName": "sato", "TargetUserName": "admin1", "TargetServerName": "fs01", "IpAddress": "-"}),
        );
        assert_eq!((event.user_name.as_deref(), event.user_target_name.as_deref()), (Some("sato"), Some("admin1")));
        assert_eq!(event.destination_domain.as_deref(), Some("fs01"));
    }

    #[test]
    fn the_policy_server_is_a_login() {
        let refused = event(
            "Security",
            6273,
            &json!({"SubjectUserName": "HOSPITAL\\sato", "CallingStationID": "198.51.100.4",
            "NASIPv4Address": "192.0.2.1", "ReasonCode": "16"}),
        );
        let told = told(&refused);
        assert_eq!((&told["event.action"], &told["event.outcome"]), (&json!("login"), &json!("failure")));
        assert_eq!((&told["user.name"], &told["user.domain"]), (&json!("sato"), &json!("hospital")));
        assert_eq!((&told["source.ip"], &told["event.reason"]), (&json!("198.51.100.4"), &json!("16")));
    }

    #[test]
    fn names_out_of_directories() {
        assert_eq!(common_name("cn=山田,OU=x").as_deref(), Some("山田"));
        assert_eq!(common_name("CN=a").as_deref(), Some("a"));
        assert_eq!(common_name("OU=a"), None);
        assert_eq!(common_name("山"), None);
    }
}
