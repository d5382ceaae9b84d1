//! `FreeRADIUS`: the answers of its server log (`radius.log`, or syslog as `radiusd`).
//!
//! Format: `main/auth.c` and `msg_goodpass`/`msg_badpass` of `radiusd.conf`. Quirks this file owns:
//! * `(n) Login OK: [account] (from client NAS port 0 cli 02-00-5E-10-00-01 via TLS tunnel)`; older versions have no
//!   number. The file begins with `Tue Mar  3 02:14:08 2026 : Auth: `.
//! * With `auth_badpass` or `auth_goodpass` the password stands behind the account: `[account/password]`. It must reach no
//!   field: the text is kept with it taken out, and the note `secret removed` says so. `host/name` is a machine.
//! * `via TLS tunnel` is the inner half of an EAP login; the outer half follows, and is the login.
//! * `client` is the device that asked. Its `port` is a line of that device and no network port.

use super::draft::Draft;
use super::gateway::{HOST, LOGIN, LOGIN_REFUSED, STEP, STEP_REFUSED, mean};
use super::scan::{behind, between, port};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let line = header.after_time;
    let has = |mark: &str| memchr::memmem::find(line.as_bytes(), mark.as_bytes()).is_some();
    let is_answer = has("Login OK: [")
        || (has(": [") && (has("Login incorrect") || (has("Invalid user") && has("] (from client "))));
    let is_unknown_client = has("Ignoring request to ") && has(" from unknown client ");
    if !is_answer && !is_unknown_client {
        return false;
    }
    draft.product("freeradius", "freeradius.auth", "FreeRADIUS", "FreeRADIUS");
    draft.rule("freeradius");
    let is_tagged = header.app.is_some_and(|app| app.contains("radius"));
    if is_tagged {
        draft.process(header);
        draft.event.observer_hostname = header.host.map(str::to_owned);
    }
    if is_answer {
        answer(line, draft);
    } else {
        unknown_client(line, draft);
    }
    true
}

/// `(n) Login incorrect (reason): [account] (from client …)`.
fn answer(line: &str, draft: &mut Draft<'_>) {
    // From the first bracket to the last: a password may hold either.
    let Some((before, rest)) = line.split_once(": [") else { return };
    let (who, from) =
        rest.rsplit_once("] (from client ").unwrap_or_else(|| (rest.trim_end().trim_end_matches(']'), ""));
    let account = account(who);
    draft.user(account);
    redact(before, account, who, from, draft);
    let refused = !before.contains("Login OK");
    let reason = ["Login incorrect (", "Invalid user ("].iter().find_map(|mark| before.split_once(mark));
    if let Some((_, reason)) = reason {
        draft.reason(reason.strip_suffix(')').unwrap_or(reason));
    }
    let from = from.split(')').next().unwrap_or(from);
    draft.native("client", from.split(" port ").next().unwrap_or(from));
    draft.native("port", behind(from, " port ", &[' ']).unwrap_or(""));
    let station = behind(from, " cli ", &[' ']).unwrap_or("");
    draft.native("cli", station);
    draft.source(station);
    draft.event.source_mac = Some(station.to_owned()).filter(|station| is_mac(station));
    let is_inner = from.contains(" via TLS tunnel");
    mean(
        draft,
        match (refused, is_inner) {
            (false, false) => LOGIN,
            (false, true) => STEP,
            (true, false) => LOGIN_REFUSED,
            (true, true) => STEP_REFUSED,
        },
    );
}

/// The account without the password. Accounts hold no `/`, but for a machine's `host/name`.
fn account(who: &str) -> &str {
    let machine = who.strip_prefix("host/").map(|rest| rest.split('/').next().map_or(who.len(), |name| 5 + name.len()));
    match machine {
        Some(end) => who.get(..end).unwrap_or(who),
        None => who.split('/').next().unwrap_or(who),
    }
}

fn redact(before: &str, account: &str, who: &str, from: &str, draft: &mut Draft<'_>) {
    if account.len() < who.len() {
        draft.note("secret removed");
        draft.event.message = Some(format!("{before}: [{account}/***] (from client {from}"));
    }
}

/// `02-00-5E-10-00-01` or its twelve digits alone.
fn is_mac(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    digits == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b':' | b'.'))
}

/// `Ignoring request to auth address * port 1812 bound to server default from unknown client 203.0.113.9 port 9459 proto udp`.
fn unknown_client(line: &str, draft: &mut Draft<'_>) {
    let Some((to, from)) = line.split_once(" from unknown client ") else { return };
    draft.source(from.split(' ').next().unwrap_or(""));
    draft.event.source_port = behind(from, " port ", &[' ']).and_then(port);
    draft.event.destination_port = behind(to, " port ", &[' ']).and_then(port);
    draft.native("server", between(line, "bound to server ", " ").unwrap_or(""));
    draft.reason("unknown client");
    mean(draft, super::gateway::failed(HOST));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn answers() {
        check(
            "(12) Login OK: [HOSP\\sato] (from client wlc1 port 8 cli 02-00-5E-10-00-01)",
            &[
                ("user.name", "sato"),
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("source.mac", "02-00-5E-10-00-01"),
                ("source.port", "-"),
                ("native.client", "wlc1"),
            ],
        );
        check(
            "<30>Mar  3 02:14:08 rad1 radiusd[7]: (13) Login incorrect (pap: Cleartext password does not match \"known good\" password): [sato] (from client vpn1 port 0 cli 203.0.113.9)",
            &[
                ("event.outcome", "failure"),
                ("observer.hostname", "rad1"),
                ("source.ip", "203.0.113.9"),
                ("event.reason", "pap: Cleartext password does not match \"known good\" password"),
            ],
        );
        check(
            "(14) Login OK: [host/pc3.hospital.example] (from client wlc1 port 8 cli 02-00-5E-10-00-01 via TLS tunnel)",
            &[("user.raw", "host/pc3.hospital.example"), ("event.action", "other")],
        );
    }

    #[test]
    fn a_password_reaches_no_field() {
        for line in [
            "Tue Mar  3 02:14:08 2026 : Auth: (15) Login incorrect: [sato/Hunter/2!] (from client vpn1 port 0 cli 203.0.113.9)",
            "<30>Mar  3 02:14:08 rad1 radiusd[7]: Login OK: [sato/Hunter/2!] (from client vpn1 port 0)",
            "(15) Login OK: [sato/Hunter] (from client 2!] (from client vpn1 port 0)",
            "(15) Login OK: [sato/Hunter2!]",
            "(15) Login OK: [host/pc3/Hunter/2!] (from client vpn1 port 0)",
        ] {
            let event = parse(line.as_bytes());
            assert!(event.user_name.is_some(), "{line}");
            let everything = format!("{event:?}");
            assert!(!everything.contains("Hunter") && !everything.contains("2!"), "{everything}");
            assert!(everything.contains("secret removed"), "{everything}");
        }
    }

    #[test]
    fn unknown_clients() {
        check(
            "Ignoring request to auth address * port 1812 bound to server default from unknown client 203.0.113.9 port 9459 proto udp",
            &[
                ("source.ip", "203.0.113.9"),
                ("source.port", "9459"),
                ("destination.port", "1812"),
                ("event.outcome", "failure"),
            ],
        );
        check("Login OK: sato", &[("observer.product", "-")]);
    }
}
