//! Allied Telesis `AlliedWare` Plus, the command line: `IMISH[10424]: [sato@192.0.2.7]configure terminal`.
//!
//! Format: lines of `log` outputs; Allied Telesis, *Logging Feature Overview*. Quirks this file owns:
//! * The bracket holds the account and the line it sits at (`ttyS0`, an address), or `SCRIPT`; the command follows
//!   without a blank.
//! * Logins are written by its sshd, login and PAM as on any Linux and are read there.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::scan::word;
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if header.app != Some("IMISH") {
        return false;
    }
    let Some((who, command)) = header.message.strip_prefix('[').and_then(|inner| inner.split_once(']')) else {
        return false;
    };
    let (name, line) = who.split_once('@').unwrap_or((who, ""));
    if name.is_empty() || who.contains(':') && !line.contains(':') {
        return false;
    }
    draft.product("alliedtelesis", "alliedtelesis.awplus", "Allied Telesis", "AlliedWare Plus");
    draft.rule("alliedware");
    draft.process(header);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    if name != "SCRIPT" {
        draft.user(name);
    }
    draft.source(line);
    draft.native("line", line);
    draft.native("command", command);
    let action = if changes(command) { Action::ConfigChange } else { Action::Other };
    draft.kind(Category::Configuration, action);
    draft.event.outcome = Some(Outcome::Success);
    true
}

/// Commands of the executive mode change nothing, but for those that write or enter the configuration.
fn changes(command: &str) -> bool {
    let (verb, rest) = word(command.trim());
    let opens = |full: &str, least: usize| verb.len() >= least && full.starts_with(verb);
    opens("configure", 4) || opens("write", 2) || (opens("copy", 3) && rest.contains("start")) || opens("erase", 3)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn commands() {
        check(
            "<13> 2026 Mar  3 09:00:00 awplus IMISH[10424]: [sato@192.0.2.7]configure terminal",
            &[
                ("event.dataset", "alliedtelesis.awplus"),
                ("event.action", "config-change"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("native.command", "configure terminal"),
                ("observer.hostname", "awplus"),
            ],
        );
        check(
            "<13> 2026 Mar  3 09:00:00 awplus IMISH[10424]: [manager@ttyS0]show log",
            &[("event.action", "other"), ("user.name", "manager"), ("source.ip", "-")],
        );
        check(
            "<13> 2026 Mar  3 09:00:00 awplus IMISH[10424]: [SCRIPT]copy run start",
            &[("event.action", "config-change"), ("user.name", "-")],
        );
        assert_eq!(parse(b"<13>Mar  3 09:00:00 h IMISH[1]: [USER:root]x").module, None);
    }
}
