//! RSA Authentication Manager (`SecurID`): the audit, runtime and system logs it sends by syslog.
//!
//! Format: RSA, *Authentication Manager log message format*. Quirks this file owns:
//! * `[date] time,ms, host, audit.runtime.com.rsa.…, LEVEL, id,instance,client,server,ACTION,code,RESULT,reason,session,…`:
//!   comma-separated, blanks behind some of the commas, the date missing in some transports.
//! * The account is the 13th column behind the level; in `audit.admin` one column later.
//! * An attempt that names nobody known ends as `AUTH_PRINCIPAL_RESOLUTION` with FAIL, and no login event follows.
//! * Java traces are sent line by line and are nobody's event.

use monban_event::Outcome;

use super::csv;
use super::draft::{Draft, PayloadTime};
use super::gateway::{ACCOUNT, CONFIG, HOST, LOGIN, LOGOUT, Meaning, STEP, failed, local_time, mean, name_device};
use super::scan::known;
use crate::header::Header;

/// Columns behind the level that are kept by name.
const COLUMNS: [&str; 9] =
    ["id", "instance", "client", "server", "action", "code", "result", "result_reason", "session"];

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(found) = find(header.body) else { return false };
    let values: Vec<_> = csv::values(found.values, b',').collect();
    let value = |at: usize| values.get(at).map_or("", |value| value.trim());
    if value(4).is_empty()
        || !value(4).bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    {
        return false;
    }
    draft.product("rsa", "rsa.authentication_manager", "RSA", "Authentication Manager");
    draft.rule("rsa");
    draft.time = found.time();
    name_device(header, found.host(), draft);
    draft.native("logger", found.logger);
    draft.native("level", found.level);
    COLUMNS.iter().zip(&values).for_each(|(name, value)| draft.native(name, value.trim()));
    draft.source(value(2));
    draft.destination(value(3));
    draft.event.code = known(value(5));
    draft.user(value(if found.logger.starts_with("audit.admin") { 13 } else { 12 }));
    let refused = matches!(value(6), "FAIL" | "FAILURE");
    if refused {
        draft.reason(value(7));
    }
    let meaning = meaning(found.logger, value(4));
    mean(draft, if refused { failed(meaning) } else { meaning });
    true
}

struct Found<'a> {
    before: &'a str,
    logger: &'a str,
    level: &'a str,
    values: &'a str,
}

impl Found<'_> {
    /// `2026-03-03 02:14:08,377`, perhaps behind a host.
    fn time(&self) -> Option<PayloadTime> {
        let behind_word = self.before.split_once(' ').map_or("", |(_, rest)| rest);
        local_time(self.before, "").or_else(|| local_time(behind_word, ""))
    }

    /// The word before the logger.
    fn host(&self) -> &str {
        let before = self.before.trim_end_matches([',', ' ']);
        before.rsplit([',', ' ']).next().unwrap_or(before)
    }
}

/// The logger's dotted name behind a comma, and the level behind it.
fn find(line: &str) -> Option<Found<'_>> {
    const HEAD_BYTES_MAX: usize = 256;
    const LEVELS: [&str; 8] = ["INFO", "ERROR", "WARN", "WARNING", "DEBUG", "FATAL", "SYSTEM", "SUCCESS"];
    let head = line.get(..line.floor_char_boundary(HEAD_BYTES_MAX))?;
    let at = ["audit.admin.", "audit.runtime.", "system."].iter().find_map(|start| {
        let at = head.find(start)?;
        head.get(..at)?.trim_end_matches(' ').ends_with(',').then_some(at)
    })?;
    let (before, rest) = line.split_at_checked(at)?;
    let (logger, rest) = rest.split_once(',')?;
    let (level, values) = rest.trim_start().split_once(',')?;
    (LEVELS.contains(&level) && !logger.contains(' ')).then(|| Found {
        before,
        logger,
        level,
        values: values.trim_start(),
    })
}

fn meaning(logger: &str, action: &str) -> Meaning {
    match action {
        "AUTH_PRINCIPAL_RESOLUTION" => LOGIN,
        action if action.ends_with("LOGIN_EVENT") => LOGIN,
        action if action.ends_with("LOGOUT_EVENT") => LOGOUT,
        action if action.starts_with("AUTHN_") || action.starts_with("AUTH_") => STEP,
        action if !logger.starts_with("audit.admin") || is_reading(action) => (HOST.0, HOST.1, Outcome::Success),
        action if action.contains("PRINCIPAL") || action.contains("TOKEN") => ACCOUNT,
        _ => CONFIG,
    }
}

fn is_reading(action: &str) -> bool {
    ["READ", "LOOKUP", "SEARCH", "LIST", "VIEW", "STATUS"].iter().any(|word| action.contains(word))
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn logins() {
        check(
            "02:14:08,239, am1.hospital.example, audit.runtime.com.rsa.ims.authn.impl.AuthenticationBrokerImpl, INFO, 4343,1231,203.0.113.9,192.0.2.1,AUTHN_LOGIN_EVENT,13002,SUCCESS,AUTHN_METHOD_SUCCESS,s-1,p,r,d,SATO,花子,佐藤,a,d,192.0.2.30,vpn1,7",
            &[
                ("observer.hostname", "am1.hospital.example"),
                ("source.ip", "203.0.113.9"),
                ("destination.ip", "192.0.2.1"),
                ("user.name", "sato"),
                ("event.code", "13002"),
                ("event.action", "login"),
                ("event.outcome", "success"),
            ],
        );
        check(
            "<166>Mar  3 02:14:08 am1 2026-03-03 02:14:08,377, am1.hospital.example, audit.runtime.com.rsa.authmgr.internal.protocol.ace.AuthV4RequestHandler, ERROR, 6b,0e,203.0.113.9,192.0.2.1,AUTH_PRINCIPAL_RESOLUTION,23008,FAIL,AUTH_RESOLUTION_FAILED_BY_ID_ALIAS,,,,,sato,,,09",
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("event.reason", "AUTH_RESOLUTION_FAILED_BY_ID_ALIAS"),
                ("user.name", "sato"),
                ("@timestamp", "2026-03-02T17:14:08.377000Z"),
            ],
        );
    }

    #[test]
    fn administrators() {
        check(
            "11:21:58,165, am1, audit.admin.com.rsa.ims.admin.impl.PrincipalAdministrationImpl, INFO, f6,0e,192.0.2.9,192.0.2.1,UPDATE_PRINCIPAL,10055,SUCCESS,,s-1,,r,d,e,yamada,太郎,山田,PRINCIPAL,20",
            &[("event.action", "account-change"), ("user.name", "yamada")],
        );
        for line in ["x, audit.runtime.x, y", "a, system.b, INFO, c,d,e,f,not upper,1", "Caused by: org.x"] {
            check(line, &[("observer.product", "-")]);
        }
    }
}
