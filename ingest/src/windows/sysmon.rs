//! Sysmon: what processes did.

use monban_event::{Action, Category, Event, Outcome};

use super::account::{self, AccountFields, parse_address};
use super::flatten::WindowsFields;

/// Events about two processes name the acting one `Source…`.
const SOURCE_USER: AccountFields = AccountFields { name: "SourceUser", domain: "", sid: "" };

pub(super) fn describe(event: &mut Event, windows: &WindowsFields, number: i64) {
    event.category = Some(category(number));
    event.action = Some(if matches!(number, 4 | 16) { Action::ConfigChange } else { Action::Other });
    event.outcome = Some(Outcome::Success);
    account::set_first(event, windows, &[account::USER, SOURCE_USER]);
    let text = |name| windows.text(name).map(str::to_owned);
    event.process_name = text("Image").or_else(|| text("SourceImage"));
    event.process_pid =
        windows.text("ProcessId").or_else(|| windows.text("SourceProcessId")).and_then(|pid| pid.parse().ok());
    event.process_command_line = text("CommandLine");
    event.process_parent_name = text("ParentImage");
    event.process_parent_command_line = text("ParentCommandLine");
    if number == 3 {
        set_connection(event, windows);
    }
}

fn set_connection(event: &mut Event, windows: &WindowsFields) {
    account::set_source(event, windows, "SourceIp", "SourcePort");
    event.source_domain = windows.text("SourceHostname").map(str::to_owned);
    event.destination_ip = windows.text("DestinationIp").and_then(parse_address);
    event.destination_port = windows.text("DestinationPort").and_then(|port| port.parse().ok());
    event.destination_domain = windows.text("DestinationHostname").map(str::to_owned);
}

fn category(number: i64) -> Category {
    match number {
        2 | 11 | 15 | 23 | 26..=29 => Category::File,
        3 | 22 => Category::Network,
        4 | 12..=14 | 16 | 19..=21 => Category::Configuration,
        _ => Category::Process,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::{event, told};

    #[test]
    fn a_connection_names_both_ends() {
        let data = json!({"User": "HOSPITAL\\sato", "Image": "C:\\a.exe", "ProcessId": 12, "SourceIp": "192.0.2.3",
            "SourcePort": 50000, "SourceHostname": "PC1", "DestinationIp": "203.0.113.80", "DestinationPort": 443,
            "DestinationHostname": "-"});
        let expected = json!({"event.category": "network", "event.action": "other", "event.outcome": "success",
            "user.name": "sato", "user.domain": "hospital", "user.raw": "HOSPITAL\\sato",
            "process.name": "C:\\a.exe", "process.pid": 12, "source.ip": "192.0.2.3", "source.port": 50000,
            "source.domain": "PC1", "destination.ip": "203.0.113.80", "destination.port": 443});
        assert_eq!(told(&event("Microsoft-Windows-Sysmon/Operational", 3, &data)), expected);
    }

    #[test]
    fn an_access_is_told_from_the_acting_process() {
        let data = json!({"SourceImage": "C:\\a.exe", "SourceProcessId": 8, "SourceUser": "H\\x", "TargetImage": "C:\\lsass.exe"});
        let event = event("Microsoft-Windows-Sysmon/Operational", 10, &data);
        assert_eq!((event.process_name.as_deref(), event.process_pid), (Some("C:\\a.exe"), Some(8)));
        assert_eq!(event.user_name.as_deref(), Some("x"));
    }
}
