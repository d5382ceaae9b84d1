//! Brocade and Ruckus ICX switches (`FastIron`) `Security: SSH login by sato from src IP …`, and Brocade Fabric OS
//! `[SEC-1203], …` with its audit records.
//!
//! Format: Ruckus, *`FastIron` Monitoring Configuration Guide*; Broadcom, *Fabric OS Message Reference*. Quirks this file
//! owns:
//! * `FastIron` has no ids: the area before the colon and the text. `telnet`, `SSH`, `console` and `Web` change case.
//! * A Fabric OS audit record is comma-separated; its sixth part is `user/role/address/interface/application`.

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, address};
use super::scan::{behind, between, known, source_end};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if let Some(code) = fabric_code(header.body) {
        draft.product("brocade", "brocade.fos", "Brocade", "Fabric OS");
        draft.rule("brocade.fos");
        draft.event.code = known(code);
        fabric(code, header.body, draft);
    } else if let Some(text) = switch_text(header) {
        draft.product("brocade", "brocade.fastiron", "Brocade", "FastIron");
        draft.rule("brocade.fastiron");
        switch(text, draft);
    } else {
        return false;
    }
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.process(header);
    true
}

/// `[SEC-1203],` of Fabric OS: three or four letters and four digits.
fn fabric_code(body: &str) -> Option<&str> {
    const BEFORE_BYTES_MAX: usize = 128;
    let head = body.get(..body.floor_char_boundary(BEFORE_BYTES_MAX)).unwrap_or(body);
    let code = head.split('[').skip(1).find_map(|inner| inner.split_once("],").map(|(code, _)| code))?;
    let (area, number) = code.split_once('-')?;
    let is_code = (2..=5).contains(&area.len())
        && area.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && number.len() == 4
        && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_ours =
        head.contains("AUDIT, ") || head.contains("FID ") || head.contains("raslogd") || head.contains(", CHASSIS");
    (is_code && is_ours).then_some(code)
}

fn fabric(code: &str, body: &str, draft: &mut Draft<'_>) {
    let actor = body.split(", ").find(|part| part.matches('/').count() == 4).unwrap_or("");
    let mut parts = actor.split('/');
    draft.user(parts.next().filter(|name| *name != "NONE").unwrap_or(""));
    draft.source(parts.nth(1).unwrap_or(""));
    draft.source(behind(body, "IP Addr: ", &[' ', ',']).unwrap_or("").trim_end_matches('.'));
    draft.user(behind(body, "User: ", &[' ', ',']).unwrap_or("").trim_end_matches('.'));
    let failed = body.contains("Status: failed") || body.contains("ailure");
    let outcome = if failed { Outcome::Failure } else { Outcome::Success };
    // The audit record (302x) tells what the message (1193, 1203) told.
    let (category, action, outcome) = match code {
        "SEC-1203" => (Category::Authentication, Action::Login, Outcome::Success),
        "SEC-1193" => (Category::Authentication, Action::Login, Outcome::Failure),
        "SEC-3022" => (Category::Authentication, Action::Logout, Outcome::Success),
        "SEC-3020" | "SEC-3021" => (Category::Authentication, Action::Other, outcome),
        _ if body.contains("AUDIT, ") => (Category::Configuration, Action::ConfigChange, outcome),
        _ => (Category::Host, Action::Other, Outcome::Unknown),
    };
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

/// `Security: text` in the words of `FastIron`; other areas by their own.
fn switch_text<'a>(header: &Header<'a>) -> Option<&'a str> {
    let (area, text) = header.body.split_once(": ")?;
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let ours = match area {
        "Security" => {
            has(&[" from src IP ", " EXEC mode", " from src MAC ", "-config was changed", " client "])
                || text.starts_with("Password has been changed")
        }
        "STP" | "RSTP" | "MSTP" => text.starts_with("VLAN "),
        "System" => {
            ["PoE: ", "Interface ethernet ", "Stack unit ", "Optic "].iter().any(|start| text.starts_with(start))
        }
        _ => false,
    };
    ours.then_some(text)
}

fn switch(text: &str, draft: &mut Draft<'_>) {
    const ENDS: &[char] = &[' ', ',', '.'];
    for mark in [" by user ", " login by ", " logout by ", " terminated by ", " changed by ", " access by ", "user "] {
        draft.user(behind(text, mark, ENDS).unwrap_or(""));
    }
    for mark in ["src IP ", " client ", " from "] {
        let end = behind(text, mark, &[' ', ',']).unwrap_or("").trim_end_matches('.');
        if address(end).is_some() {
            source_end(end, draft);
        }
    }
    draft.event.source_mac = between(text, "src MAC ", " ").and_then(known);
    let has = |word: &str| text.contains(word);
    let (category, action, outcome) = if has("reject") || has("fail") || has("denied") {
        (Category::Authentication, Action::Login, Outcome::Failure)
    } else if has(" to PRIVILEGED EXEC mode") && !has(" login by ") {
        (Category::Authentication, Action::Elevate, Outcome::Success)
    } else if has(" login by ") || has(" access by ") {
        (Category::Authentication, Action::Login, Outcome::Success)
    } else if has(" logout by ") || has(" terminated by ") {
        (Category::Authentication, Action::Logout, Outcome::Success)
    } else if has("-config was changed") || has("has been changed") {
        (Category::Configuration, Action::ConfigChange, Outcome::Success)
    } else {
        (Category::Host, Action::Other, Outcome::Unknown)
    };
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn switches() {
        check(
            "<166>Mar  3 09:00:00 icx1 Security: SSH login by sato from src IP 192.0.2.7 from src MAC 0200.0000.0001 to USER EXEC mode using RSA as Server Host Key.",
            &[
                ("event.dataset", "brocade.fastiron"),
                ("event.action", "login"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("source.mac", "0200.0000.0001"),
                ("observer.hostname", "icx1"),
            ],
        );
        check(
            "<166>Mar  3 09:00:00 icx1 Security: running-config was changed by sato from ssh client 192.0.2.7",
            &[("event.action", "config-change"), ("user.name", "sato"), ("source.ip", "192.0.2.7")],
        );
        check(
            "<166>Mar  3 09:00:00 icx1 Security: SSH terminated by sato from src IP 192.0.2.7 from src MAC 0200.0000.0001 from USER EXEC mode using RSA as Server Host Key.",
            &[("event.action", "logout"), ("user.name", "sato")],
        );
    }

    #[test]
    fn fabric() {
        check(
            "<13>Mar  3 09:00:00 san1 raslogd: 2026/03/03-09:00:00, [SEC-1193], 77, FID 128, INFO, san1, Security violation: Login failure attempt via SSH. IP Addr: 192.0.2.7",
            &[("event.code", "SEC-1193"), ("event.outcome", "failure"), ("source.ip", "192.0.2.7")],
        );
        check(
            "<13>Mar  3 09:00:00 san1 raslogd: AUDIT, 2026/03/03-09:00:00 (JST), [SEC-3022], INFO, SECURITY, sato/admin/192.0.2.7/ssh/CLI, ad_0/san1/FID 128, 8.2, , , , , , , Event: logout, Status: success, Info: x",
            &[("event.action", "logout"), ("user.name", "sato"), ("source.ip", "192.0.2.7")],
        );
        for line in ["Security: x", "System: up", "[SEC-1203], x", "a [b], c"] {
            assert_eq!(parse(line.as_bytes()).module, None, "{line}");
        }
    }
}
