//! Synology DSM: file transfer and connection logs of Log Center over syslog.
//!
//! Formats: `WinFileService Event: read, Path: …, File/Folder: …, Size: …, User: …, IP: …` (other services begin the same
//! line with their own name); `Connection: User [x] from [192.0.2.1] signed in to [DSM] successfully via [password].`, also
//! behind `Connection x:#011`; older versions say `logged in`. The words between the brackets are fixed in English; other
//! languages of DSM keep the brackets and their order, of which only the account and the address are sure.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::scan::between;
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.body;
    let understood =
        file_event(text, draft).is_some() || connection(text, draft).is_some() || system(text, draft).is_some();
    if understood {
        draft.product("synology", "synology.dsm", "Synology", "DSM");
        draft.event.host_name = header.host.map(str::to_owned);
        draft.event.process_name = header.app.map(str::to_owned);
    }
    understood
}

/// A path may hold commas: the labels behind it are looked for from the end.
fn file_event(text: &str, draft: &mut Draft<'_>) -> Option<()> {
    let (service, rest) = text.split_once(" Event: ")?;
    let (event, rest) = rest.split_once(", Path: ")?;
    let (rest, ip) = rest.rsplit_once(", IP: ")?;
    let (rest, user) = rest.rsplit_once(", User: ")?;
    let (path, kind) = rest.rsplit_once(", File/Folder: ").unwrap_or((rest, ""));
    draft.user(user);
    draft.source(ip);
    for (name, value) in [("service", service), ("event", event), ("path", path), ("kind", kind)] {
        draft.native(name, value);
    }
    draft.kind(Category::File, Action::Other);
    draft.event.outcome = Some(Outcome::Success);
    draft.rule("synology.file");
    Some(())
}

/// `User [x] from [192.0.2.1] …`, `User [x] from [pc(192.0.2.1)] via [CIFS(SMB3)] …`, `Host [192.0.2.1] was blocked via [SSH].`
fn connection(text: &str, draft: &mut Draft<'_>) -> Option<()> {
    if let Some(rest) = text.split_once("Host [").filter(|_| text.contains("] was blocked via [")).map(|(_, rest)| rest)
    {
        draft.source(rest.split(']').next()?);
        draft.kind(Category::Authentication, Action::Deny);
        draft.event.outcome = Some(Outcome::Failure);
        draft.rule("synology.connection");
        return Some(());
    }
    let (_, rest) = text.split_once("User [")?;
    let (user, rest) = rest.split_once("] from [")?;
    let (from, told) = rest.split_once(']')?;
    let told = told.trim_start();
    let (action, outcome) = act(told)?;
    draft.user(user);
    let (name, ip) = from.trim_end_matches(')').rsplit_once('(').unwrap_or(("", from));
    draft.source(ip);
    draft.event.source_domain = Some(name.to_owned()).filter(|name| !name.is_empty());
    let is_share = matches!(action, Action::SessionStart | Action::SessionEnd);
    let category = if is_share { Category::File } else { Category::Authentication };
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
    draft.reason(between(told, " due to ", ".").unwrap_or(""));
    draft.native("service", between(told, "[", "]").unwrap_or(""));
    draft.rule("synology.connection");
    Some(())
}

/// `System NAME:#011User [x] was created.`: who did it stands before the tab. Only accounts are told; the rest is the
/// machine's own.
fn system(text: &str, draft: &mut Draft<'_>) -> Option<()> {
    let rest = text.strip_prefix("System ")?;
    let (who, told) = rest.split_once(":#011").or_else(|| rest.split_once(":\t"))?;
    let (target, verb) = told.strip_prefix("User [")?.split_once("] was ")?;
    draft.user(who);
    draft.target_user(target);
    draft.kind(Category::Iam, Action::AccountChange);
    draft.event.outcome = Some(Outcome::Success);
    draft.native("verb", verb.trim_end_matches('.'));
    draft.rule("synology.system");
    Some(())
}

fn act(told: &str) -> Option<(Action, Outcome)> {
    if told.starts_with("failed to sign in") || told.starts_with("failed to log in") {
        Some((Action::Login, Outcome::Failure))
    } else if told.starts_with("signed in") || told.starts_with("logged in") {
        Some((Action::Login, Outcome::Success))
    } else if told.starts_with("signed out") || told.starts_with("logged out") {
        Some((Action::Logout, Outcome::Success))
    } else if told.contains("accessed shared folder") {
        Some((Action::SessionStart, Outcome::Success))
    } else if told.contains("disconnected") || told.contains("unmounted") {
        Some((Action::SessionEnd, Outcome::Success))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn files_and_connections() {
        check(
            "<14>Mar  3 09:00:00 nas1 WinFileService Event: delete, Path: /医局/名簿, 2026.xlsx, File/Folder: File, Size: 24.23 KB, User: HOSPITAL\\sato, IP: 192.0.2.8",
            &[
                ("event.category", "file"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.8"),
                ("native.event", "delete"),
                ("native.path", "/医局/名簿, 2026.xlsx"),
                ("host.name", "nas1"),
            ],
        );
        let line = |text: &str| format!("<14>Mar  3 09:00:00 nas1 Connection: User [sato] from [{text}");
        check(
            line("192.0.2.8] signed in to [DSM] successfully via [password]."),
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "sato"),
                ("native.service", "DSM"),
            ],
        );
        check(
            line("192.0.2.8] failed to sign in to [DSM] via [password] due to authorization failure."),
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("event.reason", "authorization failure"),
                ("source.ip", "192.0.2.8"),
            ],
        );
        check(
            line("PC1(192.0.2.8)] via [CIFS(SMB3)] accessed shared folder [医局]."),
            &[("event.action", "session-start"), ("source.domain", "PC1"), ("source.ip", "192.0.2.8")],
        );
        check(
            "<12>Mar  3 09:00:00 nas1 Connection: Host [192.0.2.8] was blocked via [SSH].",
            &[("event.action", "deny"), ("source.ip", "192.0.2.8"), ("user.name", "-")],
        );
        check(
            "<14>Mar  3 09:00:00 nas1 System admin1:#011User [sato] was created.",
            &[("event.action", "account-change"), ("user.name", "admin1"), ("user.target.name", "sato")],
        );
        assert_eq!(parse(b"<14>Mar  3 09:00:00 h app: User [x] from [y] went").module, None);
    }
}
