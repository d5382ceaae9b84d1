//! Veeam Backup & Replication: session, object and audit events over syslog (v12).
//!
//! Format: RFC 5424 whose structured data breaks the rules: `[origin enterpriseId="31023"] [categoryId=0 instanceId=31000
//! Name="value" … UserName="DOMAIN\x" Version="1" Description="…"]`. Quirks: numbers stand without quotes, `ChangesXML` holds
//! quotes of its own; `instanceId` is the documented event id; who did it is `UserName`, in some events a numbered
//! parameter, in others only the end of the description. `DateTime` is when the
//! restore point was made: the time of the event that tells of its making (10010), and of no other.

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime};
use crate::header::Header;
use crate::stamp;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some((_, rest)) = header.body.split_once("[categoryId=") else { return false };
    let Some(id) = word_behind(rest, "instanceId=") else { return false };
    let description = quoted(rest, "Description").unwrap_or("").trim_end_matches(']');
    draft.product("veeam", "veeam.backup", "Veeam", "Backup & Replication");
    draft.process(header);
    draft.event.host_name = header.host.map(str::to_owned);
    draft.event.code = Some(id.to_owned());
    draft.user(quoted(rest, "UserName").unwrap_or(""));
    draft.user(by_user(description));
    // Job events number the parameter that holds the account.
    draft.user(quoted(rest, "param6").filter(|_| id.starts_with("230")).unwrap_or(""));
    for name in ["JobName", "JobID", "VmName", "Platform", "Status", "Result", "HostName", "VbrHostName", "Description"]
    {
        if let Some(value) = quoted(rest, name) {
            draft.native(name, value);
        }
    }
    if id == "10010" && header.time.is_none() {
        draft.time = quoted(rest, "DateTime").and_then(made_at);
    }
    set_action(id, description, draft);
    draft.rule("veeam.syslog");
    true
}

/// `03/31/2026 09:00:00`.
fn made_at(text: &str) -> Option<PayloadTime> {
    let (date, clock) = text.split_once(' ')?;
    let mut parts = date.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    stamp::read(&format!("{year}-{month}-{day} {clock}")).map(|(stamp, _)| PayloadTime::Stamp(stamp))
}

fn word_behind<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(mark)?;
    let word = rest.split([' ', ']']).next()?.trim_matches('"');
    (!word.is_empty() && word.len() <= 6 && word.bytes().all(|byte| byte.is_ascii_digit())).then_some(word)
}

/// ` Name="value"`: the quote that ends it is followed by a blank and the next name, or by the closing bracket.
fn quoted<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let at = text.match_indices(name).find_map(|(at, _)| {
        let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
        let behind = text.get(at + name.len()..)?;
        (before == Some(&b' ') && behind.starts_with("=\"")).then_some(at + name.len() + 2)
    })?;
    let inner = text.get(at..)?;
    let end = inner.match_indices('"').map(|(at, _)| at).find(|end| {
        let behind = inner.get(end + 1..).unwrap_or("");
        behind.is_empty() || behind.starts_with(']') || behind.starts_with(' ')
    })?;
    inner.get(..end)
}

/// `… has been removed by user DOMAIN\x.`
fn by_user(description: &str) -> &str {
    let user = description.rsplit_once(" by user ").map_or("", |(_, user)| user.trim_end_matches('.'));
    // The backup server's own account is nobody's act.
    if user == ".\\SYSTEM" { "" } else { user }
}

fn set_action(id: &str, description: &str, draft: &mut Draft<'_>) {
    let number: u32 = id.parse().unwrap_or_default();
    let (category, action) = match number {
        // A restore point was removed; jobs, general options, infrastructure and security settings were changed.
        10_050 | 23_000..=32_999 | 40_000..=40_999 | 42_000..=42_999 => (Category::Configuration, Action::ConfigChange),
        // Malware activity was found in a backup.
        41_600 => (Category::Malware, Action::Detect),
        _ => (Category::Host, Action::Other),
    };
    draft.kind(category, action);
    let failed = description.contains(" with Failed") || description.contains("has failed");
    let done = matches!(action, Action::ConfigChange) || description.contains(" with Success");
    draft.event.outcome = match (failed, done) {
        (true, _) => Some(Outcome::Failure),
        (false, true) => Some(Outcome::Success),
        (false, false) => None,
    };
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn who_changed_what() {
        check(
            r#"<14>1 2026-03-03T00:00:00.5+00:00 vbr1 Veeam_MP - - [origin enterpriseId="31023"] [categoryId=0 instanceId=31000 param1="0" ChangesXML="<changes><p internal="A" type="B"><old /></p></changes>" UserName="HOSPITAL\admin1" Version="1" Description="Backup server general options have been changed"]"#,
            &[
                ("event.code", "31000"),
                ("event.action", "config-change"),
                ("user.name", "admin1"),
                ("host.name", "vbr1"),
                ("event.outcome", "success"),
            ],
        );
        check(
            r#"[categoryId=0 instanceId=10050 OibID="1" VmName="srv1" DateTime="03/03/2026 09:00:00" Version="1" Description="Restore point for VM 'srv1' has been removed by user HOSPITAL\admin1."]"#,
            &[
                ("event.action", "config-change"),
                ("user.name", "admin1"),
                ("native.VmName", "srv1"),
                ("time.source", "receive"),
            ],
        );
        check(
            r#"[categoryId=0 instanceId=710 JobID="1" Version="1" Description="Job 'x' has been started by user .\SYSTEM."]"#,
            &[("user.name", "-"), ("event.action", "other")],
        );
        assert_eq!(parse(b"<14>Mar  3 09:00:00 h app: [categoryId=0 x]").module, None);
    }
}
