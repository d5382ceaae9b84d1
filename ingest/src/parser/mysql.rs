//! `MySQL` and `MariaDB`: refused logins of the error log, and the connections of the audit plugins.
//!
//! Formats: the servers' sources (`ER_ACCESS_DENIED_ERROR`), `MariaDB` *Audit plugin log format*, `MySQL` *Audit log file
//! formats*. Quirks this file owns:
//! * `2026-03-03T00:00:00.1Z 12 [Note] [MY-010926] [Server] Access denied for user 'x'@'192.0.2.9' (using password: YES)`; the
//!   level, the number and the part are the version's. The host may be a name, `localhost` is the machine itself.
//! * `server_audit`: `20260303 09:00:00,db1,x,192.0.2.9,33,0,CONNECT,emr,,0`; by syslog without the time. What marks it is
//!   the operation behind two numbers.
//! * The `audit_log` plugins write one record as JSON or as attributes of an element; `STATUS` 0 is a success.
//! * `Quit` and `DISCONNECT` are told for every connection, those that were refused included.

use memchr::memmem;
use monban_event::{Action, Category, Outcome};

use super::daemon::{moment, on_host};
use super::draft::Draft;
use super::json;
use super::scan::{between, known};
use crate::header::Header;

/// Fewest columns of the audit plugin's line: syslog's form, which has no time.
const COLUMNS_MIN: usize = 8;

/// Most columns looked at: the text of a query, behind the operation, has commas of its own.
const COLUMNS_MAX: usize = 8;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.after_time;
    let has = |mark: &str| memmem::find(text.as_bytes(), mark.as_bytes()).is_some();
    let understood = if has("Access denied for user '") {
        denied(text, draft)
    } else if has("CONNECT,") {
        audit_columns(text, draft)
    } else if has("\"audit_record\"") {
        audit_json(header.message, draft)
    } else if has("<AUDIT_RECORD") {
        audit_element(text, draft)
    } else {
        false
    };
    if understood {
        on_host(header, draft, "mysql.server");
        draft.product("mysql", "mysql.server", "Oracle", "MySQL");
    }
    understood
}

fn login(outcome: Outcome, draft: &mut Draft<'_>) {
    draft.kind(Category::Authentication, Action::Login);
    draft.event.outcome = Some(outcome);
}

/// `Access denied for user 'x'@'192.0.2.9' (using password: YES)`, `… to database 'emr'`.
fn denied(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((before, rest)) = text.split_once("Access denied for user '") else { return false };
    let Some((user, rest)) = rest.split_once("'@'") else { return false };
    let Some((host, rest)) = rest.split_once('\'') else { return false };
    draft.user(user);
    peer(host, draft);
    draft.event.code = between(before, "[MY-", "]").map(|number| format!("MY-{number}"));
    draft.native("database", between(rest, "to database '", "'").unwrap_or(""));
    draft.reason(between(rest, "(", ")").unwrap_or(""));
    draft.time = before.split(" [").next().and_then(moment);
    login(Outcome::Failure, draft);
    true
}

/// An address or the name of a machine.
fn peer(host: &str, draft: &mut Draft<'_>) {
    draft.source(host);
    if draft.event.source_ip.is_none() && host != "localhost" {
        draft.event.source_domain = known(host);
    }
}

fn audit_columns(text: &str, draft: &mut Draft<'_>) -> bool {
    let columns: Vec<&str> = text.split(',').take(COLUMNS_MAX).collect();
    if columns.len() < COLUMNS_MIN {
        return false;
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let record = columns.windows(5).find(|window| {
        let [_, _, connection, query, operation] = window else { return false };
        is_number(connection) && is_number(query) && is_operation(operation)
    });
    let Some([user, host, connection, _, operation]) = record else { return false };
    // The name stands directly behind a tag where a machine's name is missing.
    draft.user(user.rsplit([' ', ':']).next().unwrap_or(user));
    peer(host, draft);
    draft.native("connection", connection);
    let status = text.trim_end().rsplit(',').next().unwrap_or("");
    draft.event.code = known(status).filter(|status| is_number(status) && status != "0");
    connection_event(operation, status, draft);
    true
}

fn is_operation(word: &str) -> bool {
    matches!(word, "CONNECT" | "DISCONNECT" | "FAILED_CONNECT")
}

fn connection_event(operation: &str, status: &str, draft: &mut Draft<'_>) {
    match operation {
        "CONNECT" | "Connect" if status == "0" => login(Outcome::Success, draft),
        "CONNECT" | "Connect" | "FAILED_CONNECT" => login(Outcome::Failure, draft),
        "DISCONNECT" | "Quit" => {
            draft.kind(Category::Authentication, Action::Logout);
            draft.event.outcome = Some(Outcome::Success);
        }
        _ => draft.kind(Category::Host, Action::Other),
    }
}

fn audit_json(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some(members) = json::members(text) else { return false };
    let get = |name: &str| members.get(name).unwrap_or("");
    if get("audit_record.connection_id").is_empty() {
        return false;
    }
    draft.user(get("audit_record.user").split(' ').next().unwrap_or(""));
    draft.source(get("audit_record.ip"));
    peer(get("audit_record.host"), draft);
    draft.time = moment(get("audit_record.timestamp").trim_end_matches(" UTC")).map(super::daemon::in_utc);
    connection_event(get("audit_record.name"), get("audit_record.status"), draft);
    for (name, value) in members.iter() {
        draft.native(name, value);
    }
    true
}

fn audit_element(text: &str, draft: &mut Draft<'_>) -> bool {
    let get = |name: &str| between(text, name, "\"").unwrap_or("");
    if get(" CONNECTION_ID=\"").is_empty() {
        return false;
    }
    draft.user(get(" USER=\"").split('[').next().unwrap_or("").trim());
    draft.source(get(" IP=\""));
    peer(get(" HOST=\""), draft);
    draft.time = moment(get(" TIMESTAMP=\"").trim_end_matches(" UTC")).map(super::daemon::in_utc);
    connection_event(get(" NAME=\""), get(" STATUS=\""), draft);
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    const REFUSED: [(&str, &str); 4] =
        [("user.name", "sato"), ("source.ip", "192.0.2.9"), ("event.action", "login"), ("event.outcome", "failure")];

    #[test]
    fn refused_logins() {
        let text = "Access denied for user 'sato'@'192.0.2.9' (using password: YES)";
        check(format!("2026-03-03T00:00:01.123456Z 12 [Note] {text}"), &REFUSED);
        let line =
            format!("<27>Mar  3 09:00:00 db1 mysqld[9]: 2026-03-03T00:00:01.0Z 7 [Note] [MY-010926] [Server] {text}");
        check(&line, &REFUSED);
        check(&line, &[("event.code", "MY-010926"), ("host.name", "db1"), ("event.reason", "using password: YES")]);
        check(
            "260303 09:00:00 [Warning] Access denied for user 'root'@'localhost' (using password: NO)",
            &[("user.name", "root"), ("source.ip", "-"), ("source.domain", "-"), ("event.outcome", "failure")],
        );
    }

    #[test]
    fn audit_plugins() {
        check("20260303 09:00:01,db1,sato,192.0.2.9,33,0,FAILED_CONNECT,,,1045", &REFUSED);
        check(
            "<14>Mar  3 09:00:00 db1 mysql-server_auditing:  db1,sato,192.0.2.9,33,0,CONNECT,emr,,0",
            &[("user.name", "sato"), ("source.ip", "192.0.2.9"), ("event.outcome", "success"), ("host.name", "db1")],
        );
        check(
            "20260303 09:00:01,db1,sato,pc1,33,0,DISCONNECT,emr,,0",
            &[("event.action", "logout"), ("source.domain", "pc1")],
        );
        check(
            "{\"audit_record\":{\"name\":\"Connect\",\"timestamp\":\"2026-03-03T00:00:01 UTC\",\"connection_id\":\"12\",\
             \"status\":1045,\"user\":\"sato\",\"host\":\"\",\"ip\":\"192.0.2.9\"}}",
            &REFUSED,
        );
        check(
            "<AUDIT_RECORD NAME=\"Connect\" TIMESTAMP=\"2026-03-03T00:00:01 UTC\" CONNECTION_ID=\"12\" STATUS=\"1045\" \
             USER=\"sato\" HOST=\"\" IP=\"192.0.2.9\" DB=\"\"/>",
            &REFUSED,
        );
    }

    #[test]
    fn other_lines() {
        check("<14>Mar  3 09:00:00 x app: a,b,c,d,CONNECT,e,f,g", &[("event.dataset", "-")]);
        check("<14>Mar  3 09:00:00 x app: Access denied for user 'sato'", &[("event.dataset", "-")]);
    }
}
