//! `PostgreSQL`: who was let in, who was not, and who left.
//!
//! Format: the server's source (`auth.c`, `postinit.c`, `miscinit.c`) and *Error reporting and logging*. Quirks this file owns:
//! * What stands before the level is `log_line_prefix`, which every site writes for itself: `[9] sato@emr`,
//!   `user=sato,db=emr,client=192.0.2.9`, `192.0.2.9(5432):sato@emr:[9]:`. It ends at the level, a colon and two blanks
//!   (one in some cloud services), and only what is unmistakable is taken of it.
//! * syslog puts `[3-1]`, a count of lines and parts, in front, and the tag is `postgres` or the site's own word.
//! * `connection received` and `connection authenticated` precede `connection authorized`, which is the login.
//! * A Japanese server keeps the level in English and writes `ユーザー"sato"のパスワード認証に失敗しました`.
//! * `jsonlog` (since 15) is an object with `error_severity`.

use memchr::memmem;
use monban_event::{Action, Category, Outcome};

use super::daemon::{moment, on_host, program};
use super::draft::Draft;
use super::json;
use super::scan::{behind, between, clock_duration_ns, known, port, source_end};
use crate::header::Header;

/// Levels that messages of connections have. Others are of statements, and nobody's attempt to come in.
const LEVELS: [&str; 3] = ["FATAL:", "LOG:", "ERROR:"];

/// How far into a text the level is looked for, in bytes: prefixes are short, and statements are not.
const PREFIX_BYTES_MAX: usize = 512;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if header.message.starts_with('{') {
        return structured(header, draft);
    }
    let is_ours = program(header).starts_with("postgres");
    // In a file, a reader of headers may take words of the prefix for host and tag.
    let text = if is_ours { header.message } else { header.after_time };
    let Some((prefix, level, message)) = parts(text, is_ours) else { return false };
    if !is_connection(message, level) {
        return false;
    }
    connection(message, level, draft);
    of_prefix(prefix, draft);
    finish(header, is_ours, draft);
    true
}

fn finish(header: &Header<'_>, is_syslog: bool, draft: &mut Draft<'_>) {
    on_host(header, draft, "postgresql.server");
    draft.product("postgresql", "postgresql.server", "PostgreSQL", "PostgreSQL");
    if !is_syslog && header.priority.is_none() {
        draft.event.host_name = None;
        draft.event.process_name = Some("postgres".to_owned());
    }
}

/// What stands before the level, the level, and the message. Other programs write one blank behind a level.
fn parts(text: &str, is_ours: bool) -> Option<(&str, &'static str, &str)> {
    let start = text.get(..text.floor_char_boundary(PREFIX_BYTES_MAX))?;
    let (at, level) = LEVELS
        .iter()
        .filter_map(|level| memmem::find(start.as_bytes(), level.as_bytes()).map(|at| (at, *level)))
        .min_by_key(|(at, _)| *at)?;
    let message = text.get(at + level.len()..)?;
    let stands_alone = text.get(..at)?.chars().next_back().is_none_or(|before| matches!(before, ' ' | ':' | ']' | ','));
    (stands_alone && message.starts_with(if is_ours { " " } else { "  " }))
        .then(|| (text.get(..at).unwrap_or(""), level, message.trim()))
}

/// The beginnings and words of the messages that speak of a connection.
fn is_connection(message: &str, level: &str) -> bool {
    message.starts_with("connection authorized: user=")
        || message.starts_with("replication connection authorized: user=")
        || message.starts_with("connection received: host=")
        || message.starts_with("disconnection: session time: ")
        || is_refusal(message, level)
}

/// A refusal ends the connection: the same words under another level are of a statement.
fn is_refusal(message: &str, level: &str) -> bool {
    level == "FATAL:"
        && (message.contains("authentication failed for user \"")
            || message.contains("pg_hba.conf entry for ")
            || message.starts_with("pg_hba.conf rejects ")
            || (message.starts_with("role \"") && message.ends_with("\" does not exist"))
            || (message.starts_with("role \"") && message.ends_with("\" is not permitted to log in"))
            || (message.contains("ユーザー\"") && message.contains("認証に失敗しました")))
}

fn connection(message: &str, level: &str, draft: &mut Draft<'_>) {
    if is_refusal(message, level) {
        draft.kind(Category::Authentication, Action::Login);
        draft.event.outcome = Some(Outcome::Failure);
        return refused(message, draft);
    }
    draft.user(behind(message, " user=", &[' ']).unwrap_or(""));
    draft.native("database", behind(message, " database=", &[' ']).unwrap_or(""));
    let host = behind(message, " host=", &[' ']).unwrap_or("");
    draft.source(host);
    draft.event.source_port = behind(message, " port=", &[' ']).and_then(port);
    if let Some(time) = behind(message, "disconnection: session time: ", &[' ']) {
        draft.event.duration_ns = time.split('.').next().and_then(clock_duration_ns);
        draft.kind(Category::Authentication, Action::Logout);
    } else if message.starts_with("connection received") {
        draft.kind(Category::Network, Action::Allow);
    } else {
        draft.kind(Category::Authentication, Action::Login);
    }
    draft.event.outcome = Some(Outcome::Success);
}

fn refused(message: &str, draft: &mut Draft<'_>) {
    let user = between(message, "user \"", "\"")
        .or_else(|| between(message, "role \"", "\""))
        .or_else(|| between(message, "ユーザー\"", "\""));
    draft.user(user.unwrap_or(""));
    draft.source(between(message, "host \"", "\"").unwrap_or(""));
    draft.native("database", between(message, "database \"", "\"").unwrap_or(""));
    draft.reason(message);
}

/// What of a site's own prefix cannot be mistaken: named values, `192.0.2.9(5432)`, and `sato@emr`.
fn of_prefix(prefix: &str, draft: &mut Draft<'_>) {
    for word in prefix.split([' ', ',', ';']).filter(|word| !word.is_empty()) {
        if let Some((name, value)) = word.split_once('=') {
            match name.trim_start_matches('[') {
                "user" | "u" | "usr" => draft.user(value),
                "client" | "host" | "remote" | "h" | "r" => end(value, draft),
                "db" | "database" | "d" => draft.native("db", value),
                _ => {}
            }
            continue;
        }
        for part in word.split(":[") {
            let (address, rest) = part.split_once("):").map_or(("", part), |(address, rest)| (address, rest));
            end(address, draft);
            end(part, draft);
            if let Some((user, _)) = rest.trim_end_matches(':').split_once('@').filter(|_| !rest.contains(['"', '('])) {
                draft.user(Some(user).filter(|user| *user != "[unknown]").unwrap_or(""));
            }
        }
    }
}

/// `192.0.2.9(5432)`, `192.0.2.9`.
fn end(text: &str, draft: &mut Draft<'_>) {
    let (host, number) = text.trim_end_matches([':', ')']).split_once('(').unwrap_or((text, ""));
    draft.source(host);
    if draft.event.source_ip.is_some() {
        draft.event.source_port = draft.event.source_port.or(port(number));
    }
}

fn structured(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if memmem::find(header.message.as_bytes(), b"\"error_severity\"").is_none() {
        return false;
    }
    let Some(members) = json::members(header.message) else { return false };
    let get = |name: &str| members.get(name).unwrap_or("");
    let level = LEVELS.iter().find(|level| level.trim_end_matches(':') == get("error_severity"));
    let Some(level) = level.filter(|level| is_connection(get("message"), level)) else { return false };
    connection(get("message"), level, draft);
    draft.user(get("user"));
    source_end(get("remote_host"), draft);
    draft.event.source_port = draft.event.source_port.or(port(get("remote_port")));
    draft.event.code = known(get("state_code"));
    draft.time = moment(get("timestamp"));
    for (name, value) in members.iter() {
        draft.native(name, value);
    }
    finish(header, true, draft);
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    const REFUSED: [(&str, &str); 4] =
        [("user.name", "sato"), ("source.ip", "192.0.2.9"), ("event.action", "login"), ("event.outcome", "failure")];

    #[test]
    fn refused_logins_behind_any_prefix() {
        let text = "FATAL:  password authentication failed for user \"sato\"";
        check(
            format!(
                "2026-03-03 09:00:00.197 JST [16685]: [1-1] db=emr,user=sato,app=[unknown],client=192.0.2.9 {text}"
            ),
            &REFUSED,
        );
        check(format!("2026-03-03 09:00:00 UTC:192.0.2.9(52834):sato@emr:[20175]:{text}"), &REFUSED);
        check(
            format!("<11>Mar  3 09:00:00 db1 postgres[9]: [3-1] 2026-03-03 09:00:00.1 JST [9] 192.0.2.9(5001) {text}"),
            &REFUSED,
        );
        check(
            format!("2026-03-03 09:00:00.197 JST [4983] sato@emr {text}"),
            &[("user.name", "sato"), ("source.ip", "-"), ("host.name", "-")],
        );
        check(
            "<11>Mar  3 09:00:00 db1 postgres[9]: [3-1] FATAL:  no pg_hba.conf entry for host \"192.0.2.9\", user \"sato\", \
             database \"emr\", no encryption",
            &REFUSED,
        );
        check(
            "<11>Mar  3 09:00:00 db1 postgres[9]: [3-1] 192.0.2.9(5) FATAL:  ユーザー\"sato\"のパスワード認証に失敗しました",
            &REFUSED,
        );
        check(
            "{\"timestamp\":\"2026-03-03 09:00:00.1 JST\",\"user\":\"sato\",\"remote_host\":\"192.0.2.9\",\"remote_port\":5,\
             \"error_severity\":\"FATAL\",\"state_code\":\"28P01\",\"message\":\"password authentication failed for user \\\"sato\\\"\"}",
            &REFUSED,
        );
    }

    #[test]
    fn connections() {
        let line = |text: &str| format!("<14>Mar  3 09:00:00 db1 postgres[9]: [1-1] {text}");
        check(
            line("LOG:  connection authorized: user=sato database=emr application_name=psql"),
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "sato"),
                ("native.database", "emr"),
            ],
        );
        check(
            line("LOG:  connection received: host=192.0.2.9 port=5001"),
            &[("event.action", "allow"), ("source.ip", "192.0.2.9"), ("source.port", "5001")],
        );
        check(
            line("LOG:  disconnection: session time: 0:00:03.012 user=sato database=emr host=192.0.2.9 port=5001"),
            &[
                ("event.action", "logout"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.9"),
                ("event.duration", "3000000000"),
            ],
        );
    }

    #[test]
    fn other_lines() {
        check("<14>Mar  3 09:00:00 db1 postgres[9]: [1-1] LOG:  checkpoint starting: time", &[("event.dataset", "-")]);
        for text in
            ["ERROR:  role \"x\" does not exist", "LOG:  statement: select 'authentication failed for user \"x\"'"]
        {
            check(format!("<14>Mar  3 09:00:00 db1 postgres[9]: [1-1] sato@emr {text}"), &[("event.dataset", "-")]);
        }
        check("<14>Mar  3 09:00:00 x app[9]: LOG: connection authorized: user=sato", &[("event.dataset", "-")]);
        check("<14>Mar  3 09:00:00 x app: FATAL: password wrong", &[("event.dataset", "-")]);
    }
}
