//! OpenSSH's and dropbear's server.
//!
//! Format: OpenSSH `auth.c`, `packet.c`, `sshd.c`. Quirks this file owns:
//! * `Accepted` and `Failed` are the login; every other line about the same attempt (`Invalid user`, `Connection closed
//!   by authenticating user`, `maximum authentication attempts`) is told as something else, or it would count twice.
//!   `Failed none` is a probe for what is allowed and no attempt either.
//! * A name may be empty (`invalid user  192.0.2.9 port 5`), hold blanks, or be `from`: the end is found from the back.
//! * `from` may be followed by a host name (`UseDNS`): then there is no source address.

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, address};
use super::scan::{address_and_port, between};

/// Reads one message of sshd; `false` when it says nothing about a person, an address or an attempt.
pub(super) fn read(text: &str, draft: &mut Draft<'_>) -> bool {
    let text = unwrapped(text);
    let understood = read_login(text, draft) || read_attempt(text, draft) || read_connection(text, draft);
    if understood {
        draft.rule("linux.sshd");
    }
    understood
}

/// A message without header and tag: only what no other program says.
pub(super) fn read_bare(text: &str, draft: &mut Draft<'_>) -> bool {
    const STARTS: [&str; 14] = [
        "Accepted ",
        "Failed ",
        "Invalid user ",
        "Connection closed by ",
        "Connection from ",
        "Connection reset by ",
        "Disconnected from ",
        "Disconnecting ",
        "Received disconnect from ",
        "Postponed ",
        "Starting session: ",
        "Unable to negotiate with ",
        "Did not receive identification",
        "Bad protocol version identification",
    ];
    let inner = unwrapped(text);
    let is_known = STARTS.iter().any(|start| inner.starts_with(start))
        || (inner.starts_with("User ") && (inner.contains(" not allowed because ") || inner.contains(" is on pid ")))
        || inner.starts_with("ssh_dispatch_run_fatal: ")
        || inner.starts_with("maximum authentication attempts exceeded ")
        || inner.starts_with("Timeout before authentication ");
    is_known && read(text, draft)
}

/// Without level, Solaris id and phase.
fn unwrapped(text: &str) -> &str {
    let text = if text.starts_with("[ID ") { text.split_once("] ").map_or(text, |(_, rest)| rest) } else { text };
    let text =
        ["error: ", "fatal: ", "debug1: ", "info: "].iter().find_map(|level| text.strip_prefix(level)).unwrap_or(text);
    text.trim().trim_end_matches("[preauth]").trim_end()
}

/// `Accepted METHOD for USER from HOST port P ssh2`, `Failed METHOD for [invalid user ]USER from …`.
fn read_login(text: &str, draft: &mut Draft<'_>) -> bool {
    let (verb, rest) = super::scan::word(text);
    let outcome = match verb {
        "Accepted" => Outcome::Success,
        "Failed" => Outcome::Failure,
        "Postponed" => Outcome::Unknown,
        _ => return false,
    };
    let Some((method, rest)) = rest.split_once(" for ") else { return verb == "Accepted" && key_accepted(draft) };
    user_from(rest, draft);
    draft.native("method", method);
    let is_attempt = outcome != Outcome::Unknown && method != "none";
    draft.kind(Category::Authentication, if is_attempt { Action::Login } else { Action::Other });
    draft.event.outcome = Some(outcome);
    if outcome == Outcome::Failure {
        draft.reason(if rest.starts_with("invalid user ") { "invalid user" } else { method });
    }
    true
}

/// `Accepted key RSA SHA256:… found at …`: a step before the login itself.
fn key_accepted(draft: &mut Draft<'_>) -> bool {
    draft.kind(Category::Authentication, Action::Other);
    draft.event.outcome = Some(Outcome::Success);
    true
}

/// Lines around an attempt that name an account.
fn read_attempt(text: &str, draft: &mut Draft<'_>) -> bool {
    let rest = if let Some(rest) = text.strip_prefix("Invalid user ").or_else(|| text.strip_prefix("Illegal user ")) {
        draft.reason("invalid user");
        Some(rest)
    } else if let Some(rest) = text.strip_prefix("maximum authentication attempts exceeded for ") {
        draft.reason("maximum authentication attempts exceeded");
        Some(rest)
    } else if let Some((reason, rest)) = text.strip_prefix("PAM: ").and_then(|rest| rest.split_once(" for ")) {
        draft.reason(reason);
        Some(rest)
    } else {
        text.strip_prefix("input_userauth_request: invalid user ")
            .or_else(|| text.strip_prefix("Disconnecting: Too many authentication failures for "))
    };
    if let Some(rest) = rest {
        user_from(rest, draft);
    } else if let Some((user_and_host, reason)) =
        text.strip_prefix("User ").and_then(|rest| rest.split_once(" not allowed because "))
    {
        user_from(user_and_host, draft);
        draft.reason(reason);
    } else {
        return false;
    }
    draft.kind(Category::Authentication, Action::Other);
    draft.event.outcome = Some(Outcome::Failure);
    true
}

/// Lines about connections and sessions.
fn read_connection(text: &str, draft: &mut Draft<'_>) -> bool {
    const CLOSED: [&str; 6] = [
        "Timeout, client not responding from ",
        "Connection closed by ",
        "Connection reset by ",
        "Disconnected from ",
        "Disconnecting ",
        "Closing connection to ",
    ];
    draft.kind(Category::Session, Action::Other);
    if let Some(rest) = CLOSED.iter().find_map(|start| text.strip_prefix(start)) {
        // Only a user that had got in leaves: `Disconnected from user sato 192.0.2.9 port 5`.
        if text.starts_with("Disconnected from user ") {
            draft.event.action = Some(Action::Logout);
        }
        let (who, reason) = rest.split_once(": ").unwrap_or((rest, ""));
        user_then_end(who, draft);
        draft.reason(reason);
    } else if let Some(rest) = text.strip_prefix("Connection from ") {
        let (from, on) = rest.split_once(" on ").unwrap_or((rest, ""));
        user_then_end(from, draft);
        end(on, draft, false);
        draft.event.category = Some(Category::Network);
    } else if let Some(rest) = text.strip_prefix("Starting session: ").and_then(|rest| rest.split_once(" for ")) {
        user_from(rest.1, draft);
    } else if let Some((_, user)) =
        text.strip_prefix("subsystem request for ").and_then(|rest| rest.split_once(" by user "))
    {
        draft.user(user.split([' ', ',']).next().unwrap_or(""));
    } else if let Some(user) = text.strip_prefix("User ").and_then(|rest| rest.split_once(" is on pid ")) {
        draft.user(user.0);
    } else if let Some(rest) = text.strip_prefix("Received disconnect from ") {
        let (from, reason) = rest.split_once(": ").unwrap_or((rest, ""));
        end(from, draft, true);
        draft.reason(
            reason.trim_start_matches(|character: char| character.is_ascii_digit() || matches!(character, ':' | ' ')),
        );
    } else {
        return read_trouble(text, draft);
    }
    draft.event.outcome = Some(Outcome::Success);
    true
}

/// A connection that came to nothing: the address stands behind one of a few words.
fn read_trouble(text: &str, draft: &mut Draft<'_>) -> bool {
    const MARKS: [&str; 10] = [
        " is set up for ",
        "Unable to negotiate with ",
        "identification string from ",
        "authentication for connection from ",
        "Timeout before authentication for ",
        "Connection from ",
        "remote host ",
        "Address ",
        "Authentication refused for ",
        " from ",
    ];
    let found = MARKS.iter().find_map(|mark| text.split_once(mark).map(|(_, rest)| rest));
    if let Some(rest) = found {
        end(rest, draft, true);
    } else if let Some(inner) = between(text, "[", "]") {
        draft.source(inner);
    }
    // `refused connect from name (192.0.2.9)`, `… not from a permitted host (host=name, ip=192.0.2.9)`.
    for inner in [between(text, "(", ")"), between(text, "ip=", ")")] {
        draft.source(inner.unwrap_or(""));
    }
    if draft.event.source_ip.is_none() && draft.event.source_domain.is_none() {
        (draft.event.category, draft.event.action) = (None, None);
        return false;
    }
    draft.event.outcome = Some(Outcome::Failure);
    draft.reason(text);
    true
}

/// `[invalid user ]USER from HOST[ port P …]`, found from the back because a name may hold ` from `.
fn user_from(text: &str, draft: &mut Draft<'_>) {
    let name_and_end = ["invalid user ", "illegal user ", "authenticating user "]
        .iter()
        .find_map(|mark| text.strip_prefix(mark))
        .unwrap_or(text);
    match name_and_end.rsplit_once(" from ") {
        Some((name, from)) => {
            draft.user(name);
            end(from, draft, true);
        }
        None => match name_and_end.strip_prefix("from ") {
            Some(from) => end(from, draft, true),
            None => draft.user(name_and_end),
        },
    }
}

/// `[KIND user USER ]HOST[ port P]`: a kind without a name leaves the address alone.
fn user_then_end(text: &str, draft: &mut Draft<'_>) {
    let text = text.strip_suffix(':').unwrap_or(text);
    let rest = ["authenticating user ", "invalid user ", "illegal user ", "user "]
        .iter()
        .find_map(|mark| text.strip_prefix(mark));
    let Some(rest) = rest else { return end(text, draft, true) };
    let before_port = rest.rsplit_once(" port ").map_or(rest, |(before, _)| before);
    let name = before_port.trim_end().rsplit_once(' ').map_or("", |(name, _)| name);
    draft.user(name);
    end(rest.get(name.len()..).unwrap_or(""), draft, true);
}

/// `HOST port P …`, `HOST:P`, `HOST`.
fn end(text: &str, draft: &mut Draft<'_>, is_source: bool) {
    let text = text.trim_start();
    let host = text.split([' ', ',']).next().unwrap_or("");
    let port = text.split_once(" port ").map(|(_, rest)| rest.split([' ', ':', ',']).next().unwrap_or(""));
    let (ip, glued_port) = match address(host.trim_end_matches(':')) {
        Some(_) => (host.trim_end_matches(':'), None),
        None => address_and_port(host).unwrap_or(("", None)),
    };
    let port = port.and_then(|port| port.parse().ok()).or(glued_port).filter(|port| (0..=65_535).contains(port));
    if is_source {
        draft.source(ip);
        draft.event.source_port = port;
        let is_name = ip.is_empty() && host.contains('.') && !host.contains([':', '/', '(']);
        draft.event.source_domain = is_name.then(|| host.to_owned());
    } else {
        draft.destination(ip);
        draft.event.destination_port = port;
    }
}

/// `Password auth succeeded for 'sato' from 192.0.2.9:5`, `Bad password attempt for 'root' from …`, `Exit (sato) from
/// <192.0.2.9:5>: …`, `Exit before auth from <192.0.2.9:5>: (user 'root', 3 fails): …`, `Child connection from 192.0.2.9:5`.
pub(super) fn read_dropbear(text: &str, draft: &mut Draft<'_>) -> bool {
    let (category, action, outcome) = if text.contains("auth succeeded for ") {
        (Category::Authentication, Action::Login, Outcome::Success)
    } else if text.starts_with("Bad ") && text.contains(" attempt for ") || text.starts_with("Login attempt ") {
        (Category::Authentication, Action::Login, Outcome::Failure)
    } else if text.starts_with("Exit before auth") {
        (Category::Session, Action::Other, Outcome::Failure)
    } else if text.starts_with("Exit (") {
        (Category::Authentication, Action::Logout, Outcome::Success)
    } else if text.starts_with("Child connection from ") {
        (Category::Network, Action::Other, Outcome::Success)
    } else {
        return false;
    };
    let user = between(text, "for '", "'").or_else(|| between(text, "user '", "'"));
    draft.user(user.or_else(|| between(text, "Exit (", ")")).unwrap_or(""));
    let from = text.split(" from ").skip(1).last().unwrap_or("");
    end(from.trim_start_matches('<').split('>').next().unwrap_or(from), draft, true);
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
    draft.rule("linux.dropbear");
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn addresses_in_brackets_and_behind_odd_words() {
        let line = |text: &str| format!("<38>Mar  3 09:00:00 db01 sshd[77]: {text}");
        for text in [
            "refused connect from client.example (192.0.2.9)",
            "Authentication tried for root with correct key but not from a permitted host (host=client.example, ip=192.0.2.9).",
            "Nasty PTR record \"192.0.2.1\" is set up for 192.0.2.9, ignoring",
            "Timeout, client not responding from user sato 192.0.2.9 port 5",
            "banner exchange: Connection from 192.0.2.9 port 5: invalid format",
        ] {
            check(line(text), &[("source.ip", "192.0.2.9"), ("event.category", "session"), ("event.action", "other")]);
        }
    }

    #[test]
    fn dropbear() {
        let line = |text: &str| format!("<38>Mar  3 09:00:00 rt1 dropbear[77]: {text}");
        check(
            line("Bad password attempt for 'root' from 192.0.2.9:5"),
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "root"),
                ("source.ip", "192.0.2.9"),
            ],
        );
        check(
            line("Pubkey auth succeeded for 'sato' with ssh-ed25519 key SHA256:x from 192.0.2.9:5"),
            &[("event.action", "login"), ("event.outcome", "success"), ("user.name", "sato")],
        );
        check(
            line("Exit before auth from <192.0.2.9:5>: (user 'root', 3 fails): Max auth tries reached"),
            &[("event.action", "other"), ("user.name", "root"), ("source.ip", "192.0.2.9"), ("source.port", "5")],
        );
        check(
            line("Exit (sato) from <192.0.2.9:5>: Disconnect received"),
            &[("event.action", "logout"), ("user.name", "sato")],
        );
        check(
            line("Login attempt for nonexistent user from 192.0.2.9:5"),
            &[("event.action", "login"), ("user.name", "-")],
        );
    }
}
