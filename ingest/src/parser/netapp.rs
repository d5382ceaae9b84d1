//! `NetApp` ONTAP: the audit log of the cluster (`audit.log`) forwarded over syslog.
//!
//! Format: `[NODE: NODE: seq seq DAY TIME OFFSET] [kern_audit:info:n] id:id :: CLUSTER:WAY :: IP:PORT :: CLUSTER:USER[:ROLE] ::
//! COMMAND :: RESULT`. Quirks: the port may be `unknown` and the address `localhost` or zeros; every command is told twice
//! (`Pending`, then its result); reading is audited as well, and only commands that set something change a configuration.

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime};
use super::scan::word;
use crate::header::Header;
use crate::stamp;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.body;
    let Some((before, rest)) = text.split_once("[kern_audit") else { return false };
    let mut parts = rest.split(" :: ");
    let (Some(_), Some(way), Some(from), Some(who)) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let told: Vec<&str> = parts.collect();
    draft.product("netapp", "netapp.ontap", "NetApp", "ONTAP");
    let node = before.split(": ").next().map(str::trim).filter(|node| !node.is_empty() && !node.contains(' '));
    draft.event.observer_hostname = header.host.or(header.app).or(node).map(str::to_owned);
    draft.time = own_time(before);
    draft.source(from.rsplit_once(':').map_or(from, |(ip, _)| ip));
    draft.user(who.split(':').nth(1).unwrap_or(""));
    draft.native("way", way.rsplit(':').next().unwrap_or(way));
    let (result, command) = told.split_last().map_or(("", String::new()), |(last, rest)| (*last, rest.join(" :: ")));
    draft.event.process_command_line = Some(command.clone()).filter(|command| !command.is_empty());
    draft.native("result", result);
    set_action(&command, result, draft);
    draft.rule("netapp.audit");
    true
}

/// `Fri Nov 20 2026 17:56:22 +00:00` behind the sequence numbers.
fn own_time(before: &str) -> Option<PayloadTime> {
    let before = before.trim_end();
    let words: Vec<&str> = before.rsplitn(6, ' ').collect();
    let [offset, clock, year, day, month, ..] = words.as_slice() else { return None };
    let text = format!("{month} {day} {year} {clock} {offset}");
    stamp::read(&text).map(|(stamp, _)| PayloadTime::Stamp(stamp))
}

fn set_action(command: &str, result: &str, draft: &mut Draft<'_>) {
    let outcome = match word(result).0.trim_end_matches(':') {
        "Success" => Some(Outcome::Success),
        "Error" | "Failure" | "Failed" => Some(Outcome::Failure),
        _ => None,
    };
    let is = |words: &[&str]| words.iter().any(|word| command.starts_with(word));
    let verbs = [" create ", " modify ", " delete ", " add ", " remove ", " set ", " disable ", " enable "];
    let padded = format!(" {command} ");
    let sets = verbs.iter().any(|verb| padded.contains(verb)) && outcome.is_some();
    if is(&["Login", "Logging in"]) && outcome.is_some() {
        draft.kind(Category::Authentication, Action::Login);
    } else if is(&["Logging out", "Logout"]) {
        draft.kind(Category::Authentication, Action::Logout);
    } else if sets && is(&["security login"]) {
        draft.kind(Category::Iam, Action::AccountChange);
    } else if sets {
        draft.kind(Category::Configuration, Action::ConfigChange);
    } else {
        draft.kind(Category::Host, Action::Other);
    }
    draft.event.outcome = outcome;
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn commands_and_their_results() {
        let line = |told: &str| {
            format!(
                "<14>Mar  3 09:00:01 na1: na1: 00000030.00c8f1e2 11e5347f Tue Mar 03 2026 09:00:00 +09:00 [kern_audit:info:3167] 8004b7:4005f7 :: na1:ssh :: 192.0.2.8:32879 :: na1:admin:admin :: {told}"
            )
        };
        check(
            line("volume delete -vserver v -volume 'x :: y' :: Success"),
            &[
                ("user.name", "admin"),
                ("source.ip", "192.0.2.8"),
                ("event.action", "config-change"),
                ("event.outcome", "success"),
                ("native.way", "ssh"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
        check(
            line("volume show :: Pending"),
            &[("event.action", "other"), ("event.outcome", "-"), ("process.command_line", "volume show")],
        );
        check(line("security login create -user-or-group-name sato :: Success"), &[("event.action", "account-change")]);
        assert_eq!(parse(b"<14>Mar  3 09:00:00 h app: [kern_audit] x :: y").module, None);
    }
}
