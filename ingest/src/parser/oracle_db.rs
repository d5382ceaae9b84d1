//! Oracle Database: audit records by syslog, in both forms, and connections of the listener.
//!
//! Format: Oracle, *Database Security Guide* (`AUDIT_SYSLOG_LEVEL`, `UNIFIED_AUDIT_SYSTEMLOG`) and *Net Services
//! Administrator's Guide*. Quirks this file owns:
//! * The tag has blanks, `Oracle Audit[9]:` and `Oracle Unified Audit[9]:`; where a sender names no host, a reader of headers
//!   takes `Oracle` for it, AIX puts `Message forwarded from db1:` in front, Linux `journal:`, Solaris `[ID 7 local7.notice]`.
//! * Fields are `NAME:[7] "value"`, `NAME :[7] 'value'` or `NAME:"value"`. The number is the value's length, and a value may
//!   hold quotes: a statement does.
//! * What an administrator does (`DATABASE USER`, `ACTION :[7] 'CONNECT'`, `STATUS`) and what others do (`USERID`, `ACTION`
//!   as a number, `RETURNCODE`) have other names for the same; unified records have `DBUSER` and `RETCODE`. `/` is who
//!   the operating system says it is.
//! * The address stands in the comment: `Client address: (ADDRESS=(PROTOCOL=tcp)(HOST=192.0.2.9)(PORT=5001))`.
//! * Listener: `03-MAR-2026 09:00:00 * (CONNECT_DATA=…(USER=sato)) * (ADDRESS=…(HOST=192.0.2.9)(PORT=5001)) * establish * emr *
//!   0`; a connection to the listener is no login.

use memchr::memmem;
use monban_event::{Action, Category, Outcome};

use super::daemon::{moment, traffic};
use super::draft::Draft;
use super::scan::{behind, between, port, word};
use crate::header::Header;

/// Most fields read of one record: the longest documented one has some 30.
const FIELDS_MAX: usize = 64;

const MARKS: [&str; 2] = ["Oracle Audit[", "Oracle Unified Audit["];

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.after_time;
    let found = MARKS.iter().find_map(|mark| {
        let at = memmem::find(text.as_bytes(), mark.as_bytes())?;
        Some((text.get(..at)?, text.get(at + mark.len()..)?.split_once("]:")?.1))
    });
    if let Some((before, record)) = found {
        draft.event.host_name = host_of(before).map(str::to_owned);
        audit(record, draft);
    } else if !listener(header, draft) {
        return false;
    }
    draft.product("oracle", "oracle.database", "Oracle", "Database");
    draft.process(header);
    true
}

fn host_of(before: &str) -> Option<&str> {
    let before = before.trim();
    let host = before.strip_prefix("Message forwarded from ").unwrap_or_else(|| word(before).0);
    Some(host.trim_end_matches(':')).filter(|host| !host.is_empty() && *host != "journal")
}

/// The fields of a record, each a name and a value.
struct Fields<'a>(&'a str);

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = self.0.split_once(':')?;
        let rest = rest.trim_start();
        let (length, rest) = match rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            Some((length, rest)) => (length.parse::<usize>().ok(), rest.trim_start()),
            None => (None, rest),
        };
        let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let inner = rest.get(1..)?;
        let counted = length.filter(|end| inner.get(*end..).is_some_and(|behind| behind.starts_with(quote)));
        let end = counted.or_else(|| inner.find(quote)).unwrap_or(inner.len());
        let value = inner.get(..end)?;
        self.0 = inner.get(end + 1..).unwrap_or("");
        Some((name.trim(), value))
    }
}

fn audit(record: &str, draft: &mut Draft<'_>) {
    let record = record.trim_start();
    // Solaris: `[ID 748625 local7.warning] LENGTH: …`.
    let record = record.strip_prefix("[ID ").and_then(|rest| rest.split_once(']')).map_or(record, |(_, rest)| rest);
    let (mut user, mut system_user, mut action, mut status) = ("", "", "", "");
    for (name, value) in Fields(record).take(FIELDS_MAX) {
        match name {
            "USERID" | "DATABASE USER" | "DBUSER" => user = value,
            "OS$USERID" | "CLIENT USER" => system_user = value,
            "ACTION" => action = value,
            "RETURNCODE" | "STATUS" | "RETCODE" => status = value,
            "COMMENT$TEXT" => address(value, draft),
            "USERHOST" => draft.event.source_domain = super::scan::known(value),
            _ => {}
        }
        draft.native(name, value);
    }
    draft.user(if matches!(user, "/" | "") { system_user } else { user.trim_matches('"') });
    draft.rule("oracle.audit");
    classify(action, draft);
    if let Ok(number) = status.parse::<i64>() {
        draft.event.outcome = Some(if number == 0 { Outcome::Success } else { Outcome::Failure });
        if number != 0 {
            draft.event.reason = Some(format!("ORA-{number:05}"));
        }
    }
}

/// `(ADDRESS=(PROTOCOL=tcp)(HOST=192.0.2.9)(PORT=5001))`, as the comment of a logon and the listener write it.
fn address(text: &str, draft: &mut Draft<'_>) {
    let Some((_, text)) = text.split_once("(ADDRESS=") else { return };
    draft.source(between(text, "(HOST=", ")").unwrap_or(""));
    draft.event.source_port = between(text, "(PORT=", ")").and_then(port);
}

/// The numbers of `AUDIT_ACTIONS`, and the word of an administrator's record.
fn classify(action: &str, draft: &mut Draft<'_>) {
    draft.event.code = super::scan::known(action).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
    let (category, action) = match action {
        "100" | "CONNECT" => (Category::Authentication, Action::Login),
        "101" | "102" | "DISCONNECT" => (Category::Authentication, Action::Logout),
        // Users, roles and grants.
        "43" | "51" | "52" | "53" | "54" | "17" | "18" | "79" | "108" | "109" | "114" | "115" => {
            (Category::Iam, Action::AccountChange)
        }
        // AUDIT, NOAUDIT and ALTER SYSTEM.
        "30" | "31" | "49" | "104" | "105" | "106" | "107" => (Category::Configuration, Action::ConfigChange),
        _ => (Category::Host, Action::Other),
    };
    draft.kind(category, action);
}

fn listener(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.body;
    if memmem::find(text.as_bytes(), b"(CONNECT_DATA=").is_none() || !text.contains(" * (ADDRESS=") {
        return false;
    }
    let Some((before, rest)) = text.split_once(" * (ADDRESS=") else { return false };
    let Some((_, status)) = rest.rsplit_once(" * ") else { return false };
    let Ok(status) = status.trim().parse::<i64>() else { return false };
    let Some((ends, _)) = rest.split_once(" * ") else { return false };
    draft.source(between(ends, "(HOST=", ")").unwrap_or(""));
    draft.event.source_port = between(ends, "(PORT=", ")").and_then(port);
    draft.user(between(before, "(USER=", ")").unwrap_or(""));
    draft.event.source_domain =
        between(before, "(CID=", "))").and_then(|client| behind(client, "(HOST=", &[')'])).and_then(super::scan::known);
    draft.native(
        "service",
        between(before, "(SERVICE_NAME=", ")").or_else(|| between(before, "(SID=", ")")).unwrap_or(""),
    );
    draft.event.host_name = header.host.map(str::to_owned);
    draft.rule("oracle.listener");
    if header.time.is_none() {
        draft.time = before.split(" * ").next().and_then(moment);
    }
    traffic(draft, status != 0);
    if status != 0 {
        draft.event.reason = Some(format!("TNS-{status:05}"));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn standard_records() {
        let record = "LENGTH: \"357\" SESSIONID:[8] \"20924831\" USERID:[4] \"SATO\" USERHOST:[3] \"pc1\" ACTION:[3] \"100\" \
             RETURNCODE:[4] \"1017\" COMMENT$TEXT:[97] \"Authenticated by: DATABASE; Client address: \
             (ADDRESS=(PROTOCOL=tcp)(HOST=192.0.2.9)(PORT=43679))\" OS$USERID:[4] \"sato\" DBID:[9] \"131437128\"";
        let expected = [
            ("user.name", "sato"),
            ("source.ip", "192.0.2.9"),
            ("source.port", "43679"),
            ("event.action", "login"),
            ("event.outcome", "failure"),
            ("event.reason", "ORA-01017"),
            ("event.code", "100"),
            ("host.name", "db1"),
            ("native.DBID", "131437128"),
        ];
        check(format!("<142>Mar  3 09:00:00 db1 Oracle Audit[9]: {record}"), &expected);
        check(format!("<142>Mar  3 09:00:00 db1 Oracle Audit[9]: [ID 748625 local7.warning] {record}"), &expected);
        check(format!("<142>Mar  3 09:00:00 Message forwarded from db1: Oracle Audit[9]: {record}"), &expected);
        check(format!("<142>Mar  3 09:00:00 Oracle Audit[9]: {record}"), &[("host.name", "-"), ("user.name", "sato")]);
    }

    #[test]
    fn administrators() {
        let line = |user: &str, action: &str| {
            format!(
                "<142>Mar  3 09:00:00 db1 Oracle Audit[9]: LENGTH : '160' ACTION :[{}] '{action}' DATABASE USER:[{}] '{user}' \
                 PRIVILEGE :[6] 'SYSDBA' CLIENT USER:[6] 'oracle' CLIENT TERMINAL:[5] 'pts/1' STATUS:[1] '0'",
                action.len(),
                user.len()
            )
        };
        check(line("sys", "CONNECT"), &[("user.name", "sys"), ("event.action", "login"), ("event.outcome", "success")]);
        check(line("/", "CONNECT"), &[("user.name", "oracle")]);
        check(
            line("sys", "select 'a' from b"),
            &[
                ("user.name", "sys"),
                ("event.action", "other"),
                ("native.ACTION", "select 'a' from b"),
                ("event.code", "-"),
            ],
        );
    }

    #[test]
    fn unified_records() {
        let line = |action: &str| {
            format!(
                "<142>Mar  3 09:00:00 db1 journal: Oracle Unified Audit[9]: LENGTH: '204' TYPE:\"4\" DBID:\"22\" CLIENTID:\"\" \
                 DBUSER:\"SATO\" CURUSER:\"SATO\" ACTION:\"{action}\" RETCODE:\"0\" SCHEMA:\"\" OBJNAME:\"\""
            )
        };
        check(line("100"), &[("user.name", "sato"), ("event.action", "login"), ("host.name", "db1")]);
        check(line("101"), &[("event.action", "logout"), ("event.outcome", "success")]);
        check(line("51"), &[("event.action", "account-change"), ("event.category", "iam")]);
    }

    #[test]
    fn listeners() {
        check(
            "03-MAR-2026 09:00:00 * (CONNECT_DATA=(SERVICE_NAME=emr)(CID=(PROGRAM=x)(HOST=pc1)(USER=sato))) * \
             (ADDRESS=(PROTOCOL=tcp)(HOST=192.0.2.9)(PORT=5001)) * establish * emr * 12514",
            &[
                ("source.ip", "192.0.2.9"),
                ("source.port", "5001"),
                ("source.domain", "pc1"),
                ("user.name", "sato"),
                ("event.action", "deny"),
                ("event.reason", "TNS-12514"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
        check("<14>Mar  3 09:00:00 x app: (CONNECT_DATA=1) * establish", &[("event.dataset", "-")]);
    }
}
