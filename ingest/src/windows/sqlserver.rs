//! SQL Server in the Application log (`MSSQLSERVER`, `MSSQL$instance`): logins, and what its own audit says.
//!
//! Format: Microsoft, *Database engine events and errors* and *SQL Server Audit records*. The data have no names, only an
//! order: the account, the reason, and the client in brackets, `[CLIENT: 192.0.2.9]`, whose word follows the server's
//! language. An audit record (33205) is one value of lines, `action_id:LGIF`, whose names never change.

use monban_event::{Action, Category, Event, Outcome, account};

use super::flatten::WindowsFields;

/// Most lines read of an audit record: some 50 are documented, a statement may hold any number behind them.
const LINES_MAX: usize = 128;

/// Whether the record is the database engine's, an instance's own name or its audit's included.
pub(super) fn is_own(provider: &str) -> bool {
    provider == "MSSQLSERVER" || provider == "MSSQLSERVER$AUDIT" || provider.starts_with("MSSQL$")
}

pub(super) fn describe(event: &mut Event, windows: &WindowsFields, number: i64) {
    let outcome = match number {
        18450..=18452 | 18456..=18461 | 18470 | 18486..=18488 => Outcome::Failure,
        18453..=18455 => Outcome::Success,
        33205 => return audit(event, windows),
        _ => return,
    };
    login(event, outcome);
    for (at, (_, value)) in windows.data().enumerate() {
        let value = value.trim();
        if let Some(client) = value.strip_prefix('[').and_then(|value| value.strip_suffix(']')) {
            set_source(event, client.split_once(": ").map_or(client, |(_, client)| client));
        } else if at == 0 {
            set_user(event, value);
        } else if outcome == Outcome::Failure && event.reason.is_none() && value.contains(": ") {
            event.reason = value.split_once(": ").map(|(_, reason)| reason.to_owned());
        }
    }
}

fn login(event: &mut Event, outcome: Outcome) {
    event.category = Some(Category::Authentication);
    event.action = Some(Action::Login);
    event.outcome = Some(outcome);
}

fn set_user(event: &mut Event, raw: &str) {
    let Some(parsed) = account::parse(raw) else { return };
    event.user_name = Some(parsed.key);
    event.user_domain = parsed.domain;
    event.user_raw = Some(raw.to_owned());
}

/// `<local machine>` and `local machine` are no address.
fn set_source(event: &mut Event, text: &str) {
    event.source_ip = text.parse::<std::net::IpAddr>().ok().map(|ip| ip.to_canonical());
}

/// Codes with blanks behind them, as the server pads them to four.
fn audit(event: &mut Event, windows: &WindowsFields) {
    let Some((_, text)) = windows.data().find(|(_, value)| value.contains("action_id:")) else { return };
    let value = |name: &str| {
        let found = text.lines().take(LINES_MAX).find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
        found.unwrap_or("").trim()
    };
    set_user(event, value("server_principal_name"));
    set_source(event, value("client_ip"));
    let succeeded = value("succeeded") == "true";
    let outcome = if succeeded { Outcome::Success } else { Outcome::Failure };
    match value("action_id") {
        "LGIS" | "LGIF" | "DBAS" | "DBAF" => login(event, outcome),
        "LGO" => {
            login(event, outcome);
            event.action = Some(Action::Logout);
        }
        _ => {
            event.category = Some(Category::Host);
            event.action = Some(Action::Other);
            event.outcome = Some(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::sample::{parse, told};

    fn database(number: u64, provider: &str, data: &Value) -> Value {
        let told = told(&parse(&json!({"Event": {
            "System": {
                "Provider": {"#attributes": {"Name": provider}}, "EventID": number, "Keywords": "0x80000000000000",
                "TimeCreated": {"#attributes": {"SystemTime": "2026-10-25T03:04:05.6Z"}},
                "Channel": "Application", "Computer": "DB01.hospital.example",
            },
            "EventData": {"Data": {"#text": data}},
        }})));
        json!([told["event.action"], told["event.outcome"], told["user.name"], told["source.ip"], told["event.reason"]])
    }

    #[test]
    fn logins_in_any_language() {
        let refused = json!(["sa", " Reason: Password did not match.", " [CLIENT: 192.0.2.9]"]);
        assert_eq!(
            database(18456, "MSSQLSERVER", &refused),
            json!(["login", "failure", "sa", "192.0.2.9", "Password did not match."])
        );
        let refused = json!(["sa", " 理由: パスワードが一致しません。", " [クライアント: ::ffff:192.0.2.9]"]);
        assert_eq!(
            database(18456, "MSSQL$EMR", &refused),
            json!(["login", "failure", "sa", "192.0.2.9", "パスワードが一致しません。"])
        );
        let accepted = json!(["HOSPITAL\\yamada", " [CLIENT: <local machine>]"]);
        assert_eq!(database(18453, "MSSQLSERVER", &accepted), json!(["login", "success", "yamada", null, null]));
        assert_eq!(database(18456, "Other", &accepted), json!([null, null, null, null, null]));
        assert_eq!(database(17137, "MSSQLSERVER", &json!(["emr"])), json!([null, null, null, null, null]));
    }

    #[test]
    fn audit_records() {
        let record = |action: &str, succeeded: bool| {
            json!([format!(
                "audit_schema_version:1\nevent_time:2026-10-25 03:04:05.1\naction_id:{action}\nsucceeded:{succeeded}\n\
                 client_ip:192.0.2.9\nserver_principal_name:sato\nstatement:select 1"
            )])
        };
        assert_eq!(
            database(33205, "MSSQLSERVER$AUDIT", &record("LGIF", false)),
            json!(["login", "failure", "sato", "192.0.2.9", null])
        );
        assert_eq!(
            database(33205, "MSSQLSERVER", &record("SL  ", true)),
            json!(["other", "success", "sato", "192.0.2.9", null])
        );
    }
}
