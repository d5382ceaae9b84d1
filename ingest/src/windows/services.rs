//! The System log, Defender, PowerShell and the task scheduler.

use monban_event::{Action, Category, Event, Outcome};

use super::account::{self, AccountFields};
use super::flatten::WindowsFields;

/// A shutdown (1074) gives its data numbers instead of names; the seventh is the account.
const SHUTDOWN: AccountFields = AccountFields { name: "param7", domain: "", sid: "" };
const DETECTION: AccountFields = AccountFields { name: "Detection User", domain: "", sid: "" };
const TASK: AccountFields = AccountFields { name: "UserContext", domain: "", sid: "" };
const TASK_CHANGER: AccountFields = AccountFields { name: "UserName", domain: "", sid: "" };

pub(super) fn describe_system(event: &mut Event, windows: &WindowsFields, number: i64) {
    let (category, action, outcome) = match number {
        104 => (Category::Configuration, Action::LogClear, Outcome::Success),
        // A service was installed; its start type was changed.
        7045 | 7040 => (Category::Configuration, Action::ConfigChange, Outcome::Success),
        // A service failed to start, or ended on its own; the last shutdown was unexpected; the machine restarted
        // without shutting down.
        7000 | 7001 | 7009 | 7022..=7024 | 7026 | 7031 | 7034 | 6008 | 41 => {
            (Category::Host, Action::Other, Outcome::Failure)
        }
        _ => (Category::Host, Action::Other, Outcome::Unknown),
    };
    event.category = Some(category);
    event.action = Some(action);
    event.outcome = Some(outcome);
    match number {
        1074 => {
            account::set_user(event, windows, SHUTDOWN);
            event.process_name = windows.text("param1").map(str::to_owned);
            event.reason = windows.text("param3").map(str::to_owned);
        }
        // The Kerberos service could not tell whose certificate it was.
        39..=41 if event.winlog_provider.as_deref().is_some_and(|provider| provider.contains("Kerberos")) => {
            account::set_user(event, windows, account::ACCOUNT);
        }
        7045 => event.process_command_line = windows.text("ImagePath").map(str::to_owned),
        _ => {}
    }
}

pub(super) fn describe_defender(event: &mut Event, windows: &WindowsFields, number: i64) {
    event.category = Some(Category::Malware);
    event.action = Some(match number {
        // Found, and acted upon.
        1006..=1008 | 1015 | 1116..=1119 => Action::Detect,
        // Protection switched off, or its settings changed.
        5001 | 5004 | 5007 | 5010 | 5012 | 5013 => Action::ConfigChange,
        _ => Action::Other,
    });
    // The action on what was found failed.
    let failed = matches!(number, 1008 | 1118 | 1119);
    event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
    event.reason = windows.text("Threat Name").map(str::to_owned);
    event.process_name = windows.text("Process Name").map(str::to_owned);
    account::set_user(event, windows, DETECTION);
}

pub(super) fn describe_powershell(event: &mut Event, windows: &WindowsFields) {
    event.category = Some(Category::Process);
    event.action = Some(Action::Other);
    event.process_name = Some("powershell".to_owned());
    event.process_pid = windows.text("Execution_ProcessID").and_then(|pid| pid.parse().ok());
}

pub(super) fn describe_task(event: &mut Event, windows: &WindowsFields, number: i64) {
    let changed = matches!(number, 106 | 140..=142);
    event.category = Some(if changed { Category::Configuration } else { Category::Process });
    event.action = Some(if changed { Action::ConfigChange } else { Action::Other });
    account::set_first(event, windows, &[TASK, TASK_CHANGER]);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::sample::{event, told};

    fn check(channel: &str, number: u64, data: &Value, expected: &[(&str, &str)]) {
        let told = told(&event(channel, number, data));
        for (name, value) in expected {
            assert_eq!(told[name], *value, "{channel} {number} {name}");
        }
    }

    #[test]
    fn the_system_log_tells_of_services_and_restarts() {
        let service = json!({"ServiceName": "受付", "ImagePath": "C:\\s.exe -k"});
        check("System", 7045, &service, &[("event.action", "config-change"), ("process.command_line", "C:\\s.exe -k")]);
        let cleared = json!({"LogFileCleared": {"SubjectUserName": "admin1", "Channel": "System"}});
        check("System", 104, &cleared, &[("event.action", "log-clear"), ("user.name", "admin1")]);
        let shutdown = json!({"param1": "C:\\a.exe", "param3": "計画", "param7": "HOSPITAL\\admin1"});
        check(
            "System",
            1074,
            &shutdown,
            &[("event.category", "host"), ("user.name", "admin1"), ("event.reason", "計画")],
        );
        check("System", 6008, &json!({}), &[("event.category", "host"), ("event.outcome", "failure")]);
    }

    #[test]
    fn defender_tells_what_it_found_and_when_it_is_switched_off() {
        const DEFENDER: &str = "Microsoft-Windows-Windows Defender/Operational";
        let found =
            json!({"Threat Name": "Test:File", "Detection User": "HOSPITAL\\sato", "Process Name": "C:\\x.exe"});
        let expected = [("event.action", "detect"), ("event.reason", "Test:File"), ("user.name", "sato")];
        check(DEFENDER, 1116, &found, &expected);
        check(DEFENDER, 1119, &found, &[("event.outcome", "failure")]);
        check(DEFENDER, 5001, &json!({}), &[("event.action", "config-change"), ("event.category", "malware")]);
    }
}
