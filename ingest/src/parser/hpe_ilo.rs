//! HPE iLO 3 to 6: the management processor of `ProLiant` servers.
//!
//! Format: the iLO event log over remote syslog, RFC 5424 with `#ILO4` for the program and the sentence of the log. The
//! sentences are fixed and English: `Browser login: NAME - IP(HOST)`, `SSH login failure from: IP(HOST)`, `User A added by
//! B.`; a refusal names no account, and the host in brackets is iLO's own look-up of the address.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::scan::{behind, word};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let app = header.app.unwrap_or("");
    let is_ilo = app.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("#ILO"));
    let text = if is_ilo {
        header.message
    } else {
        match header.body.split_once(' ') {
            Some((tag, rest)) if tag.starts_with("#ILO") => rest.trim_start_matches(['-', ' ', ':']),
            _ => return false,
        }
    };
    draft.product("hpe", "hpe.ilo", "HPE", "iLO");
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.kind(Category::Host, Action::Other);
    draft.rule("hpe.ilo");
    read(text.trim(), draft);
    true
}

fn read(text: &str, draft: &mut Draft<'_>) {
    if let Some((_, rest)) = split(text, " login failure from: ").or_else(|| split(text, "login failure from ")) {
        set_source(rest, draft);
        act(draft, Category::Authentication, Action::Login, Outcome::Failure);
    } else if let Some((way, rest)) = split(text, " login: ") {
        set_account(rest, draft);
        draft.native("way", way);
        act(draft, Category::Authentication, Action::Login, Outcome::Success);
    } else if let Some((way, rest)) = split(text, " logout: ") {
        set_account(rest, draft);
        draft.native("way", way);
        act(draft, Category::Authentication, Action::Logout, Outcome::Success);
    } else if let Some(rest) = text.strip_prefix("User ") {
        account_change(rest, draft);
    } else if let Some((what, who)) = split(text, " by: ").or_else(|| split(text, " by ")) {
        set_account(who.trim_end_matches('.'), draft);
        let configures = ["Added", "Deleted", "modified", "changed", "Modified", "updated", "cleared"];
        if configures.iter().any(|word| what.contains(word)) {
            act(draft, Category::Configuration, Action::ConfigChange, Outcome::Success);
        }
    }
}

fn split<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(mark)
}

fn act(draft: &mut Draft<'_>, category: Category, action: Action, outcome: Outcome) {
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

/// `NAME - IP(HOST).` or `NAME.`
fn set_account(text: &str, draft: &mut Draft<'_>) {
    let (name, from) = text.rsplit_once(" - ").unwrap_or((text, ""));
    draft.user(name.trim().trim_end_matches('.'));
    set_source(from, draft);
}

/// `IP(HOST)`.
fn set_source(text: &str, draft: &mut Draft<'_>) {
    let text = text.trim_end_matches('.');
    draft.source(word(text).0.split('(').next().unwrap_or(""));
    draft.event.source_domain =
        behind(text, "(", &[')']).filter(|name| !name.eq_ignore_ascii_case("DNS name not found")).map(str::to_owned);
}

/// `A added by B.`, `A deleted by B.`, `A modified by: B`.
fn account_change(text: &str, draft: &mut Draft<'_>) {
    for verb in [" added by", " deleted by", " modified by"] {
        if let Some((target, who)) = text.split_once(verb) {
            draft.target_user(target);
            draft.user(who.trim_matches([':', ' ', '.']));
            act(draft, Category::Iam, Action::AccountChange, Outcome::Success);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn logins_refusals_and_accounts() {
        check(
            "<165>1 2026-03-03T00:00:00Z ILO1 #ILO5 - - - Browser login: Administrator - 192.0.2.8(pc1.hospital.example).",
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "administrator"),
                ("source.ip", "192.0.2.8"),
                ("source.domain", "pc1.hospital.example"),
                ("observer.hostname", "ILO1"),
            ],
        );
        check(
            "<165>1 2026-03-03T00:00:00Z ILO1 #ILO4 - - - SSH login failure from: 192.0.2.8(DNS name not found).",
            &[
                ("event.outcome", "failure"),
                ("event.action", "login"),
                ("user.name", "-"),
                ("source.ip", "192.0.2.8"),
                ("source.domain", "-"),
            ],
        );
        check(
            "<165>1 2026-03-03T00:00:00Z ILO1 #ILO4 - - - User sato added by admin1.",
            &[("event.action", "account-change"), ("user.name", "admin1"), ("user.target.name", "sato")],
        );
        check(
            "<165>1 2026-03-03T00:00:00Z ILO1 #ILO4 - - - XML logout: admin1 - 192.0.2.8",
            &[("event.action", "logout")],
        );
        assert_eq!(parse(b"<14>Mar  3 09:00:00 h app: Browser login: x - 192.0.2.8").module, None);
    }
}
