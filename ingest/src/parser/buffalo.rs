//! Buffalo `TeraStation` and `LinkStation`: the SMB access log over syslog.
//!
//! Format (Buffalo FAQ on the file access log): `file_smb[pid]:[User:NAME(IP)] ACTION PATH`, without a blank behind the
//! colon. Quirks: `nobody` is a visitor who did not log in; with the recycle bin on, a removal is logged as `Rename File`;
//! a path may hold blanks, an action has up to three words before it.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some((before, rest)) = header.body.split_once("[User:") else { return false };
    if !before.contains("file_") && !header.app.is_some_and(|app| app.starts_with("file_")) {
        return false;
    }
    let Some((who, told)) = rest.split_once(")]") else { return false };
    let Some((user, ip)) = who.rsplit_once('(') else { return false };
    draft.product("buffalo", "buffalo.terastation", "Buffalo", "TeraStation");
    draft.process(header);
    draft.event.host_name = header.host.map(str::to_owned);
    draft.user(user);
    draft.source(ip);
    let (action, path) = told.trim().split_once(" /").unwrap_or((told.trim(), ""));
    draft.native("action", action);
    if !path.is_empty() {
        draft.native("path", &format!("/{path}"));
    }
    let failed = action.contains("Fail") || action.contains("Denied");
    let (category, kind) = match action {
        "Connect" | "Session Start" => (Category::File, Action::SessionStart),
        "Disconnect" | "Session End" => (Category::File, Action::SessionEnd),
        _ => (Category::File, Action::Other),
    };
    draft.kind(category, kind);
    draft.event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
    draft.rule("buffalo.smb");
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn the_access_log() {
        check(
            "<14>Mar  3 09:00:00 ts1 file_smb[3347]:[User:sato(192.0.2.8)] File Open(Read) /mnt/array1/共有/検査 1.xlsx",
            &[
                ("user.name", "sato"),
                ("source.ip", "192.0.2.8"),
                ("host.name", "ts1"),
                ("event.category", "file"),
                ("native.action", "File Open(Read)"),
                ("native.path", "/mnt/array1/共有/検査 1.xlsx"),
            ],
        );
        check(
            "Mar  3 09:00:00 ts1 file_smb[3347]:[User:nobody(192.0.2.9)] Rename File /mnt/a/x -> /mnt/a/y",
            &[("user.name", "nobody"), ("native.action", "Rename File")],
        );
        check(
            "Mar  3 09:00:00 ts1 file_smb[3347]:[User:HOSP\\sato(192.0.2.8)] Remove /mnt/array1/share/a (2).xlsx",
            &[("user.name", "sato"), ("source.ip", "192.0.2.8"), ("native.path", "/mnt/array1/share/a (2).xlsx")],
        );
        // Behind a relay of Shift_JIS: 共有.
        check(
            b"<14>Mar  3 09:00:00 ts1 file_smb[3347]:[User:sato(192.0.2.8)] Connect /mnt/array1/\x8b\xa4\x97\x4c",
            &[("event.action", "session-start"), ("native.path", "/mnt/array1/\u{5171}\u{6709}")],
        );
        for damaged in ["[User:sato(192.0.2.8", "[User:sato", "[User:)] x", "[User:(not an address)] y"] {
            check(format!("Mar  3 09:00:00 ts1 file_smb[3347]:{damaged}"), &[("source.ip", "-")]);
        }
        assert_eq!(parse(b"<14>Mar  3 09:00:00 h app: [User:x(192.0.2.9)] y").module, None);
    }
}
