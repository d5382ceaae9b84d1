//! A10 Thunder and vThunder (ACOS): `a10logd: [audit log]<6> Partition: shared, [sato] cli: [3:192.0.2.7:51234] text`.
//!
//! Format: A10 Networks, *ACOS System Log Messages*; traffic logs are CEF and read as such. Quirks this file owns:
//! * The part in brackets is the area; the level stands in angle brackets behind it.
//! * An audit record names the account, the way in and `[session:address:port]`.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::scan::{behind, between, known, port, source_end};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if header.app != Some("a10logd") {
        return false;
    }
    draft.product("a10", "a10.acos", "A10 Networks", "ACOS");
    draft.rule("a10");
    draft.process(header);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    let area = between(header.message, "[", "]").unwrap_or("");
    draft.native("area", area);
    let text = header.message.split_once(']').map_or(header.message, |(_, text)| text);
    let (category, action, outcome) =
        if area.eq_ignore_ascii_case("audit log") { audit(text, draft) } else { system(text, draft) };
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
    true
}

/// `Partition: shared,  [sato] web: [222:192.0.2.7:51234] RESP HTTP status 200 OK`
fn audit(text: &str, draft: &mut Draft<'_>) -> (Category, Action, Outcome) {
    draft.user(between(text, "[", "]").unwrap_or(""));
    let (way, rest) = text.split_once("] ").map_or(("", ""), |(_, rest)| rest.split_once(": [").unwrap_or(("", "")));
    let (place, command) = rest.split_once(']').unwrap_or((rest, ""));
    if let Some((_, end)) = place.split_once(':') {
        source_end(end, draft);
    }
    draft.native("way", way);
    draft.native("command", command.trim());
    (Category::Configuration, Action::Other, Outcome::Success)
}

fn system(text: &str, draft: &mut Draft<'_>) -> (Category, Action, Outcome) {
    let users = [between(text, "user \"", "\""), behind(text, "username: ", &[' ', ','])];
    users.into_iter().flatten().for_each(|user| draft.user(user));
    for mark in ["remote host: ", " from host ", " from "] {
        let end = behind(text, mark, &[' ', ',']).unwrap_or("");
        source_end(end.trim_end_matches('.'), draft);
    }
    draft.event.source_port = draft.event.source_port.or(behind(text, "port ", &[' ', ',']).and_then(port));
    draft.native("session", behind(text, "session ID ", &[' ', ',']).and_then(known).as_deref().unwrap_or(""));
    let has = |word: &str| text.contains(word);
    let about_session = has("session") && draft.event.user_name.is_some();
    if about_session && has("opened") {
        (Category::Authentication, Action::Login, Outcome::Success)
    } else if about_session && has("closed") {
        (Category::Authentication, Action::Logout, Outcome::Success)
    } else if has("ogin") && has("fail") {
        (Category::Authentication, Action::Login, Outcome::Failure)
    } else {
        (Category::Host, Action::Other, Outcome::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn records() {
        check(
            "<6>Mar  3 09:00:00 adc1 a10logd: [audit log]<6> Partition: shared,  [sato] web: [222:192.0.2.7:51234] RESP HTTP status 200 OK",
            &[
                ("event.dataset", "a10.acos"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("source.port", "51234"),
                ("native.way", "web"),
                ("native.command", "RESP HTTP status 200 OK"),
                ("observer.hostname", "adc1"),
            ],
        );
        check(
            "<6>Mar  3 09:00:00 adc1 a10logd: [SYSTEM]<6> A cli session for user \"sato\" with session ID 2 from 192.0.2.7 has been opened.",
            &[("event.action", "login"), ("user.name", "sato"), ("source.ip", "192.0.2.7")],
        );
    }
}
