//! Microsoft SQL Server: logins in the error log (`ERRORLOG`), and the same texts where a collector sends them alone.
//!
//! Format: Microsoft, *Database engine events and errors* 18452–18456. Quirks this file owns:
//! * `2026-03-03 09:00:00.07 Logon       Login failed for user 'sa'. Reason: … [CLIENT: 192.0.2.9]`; the second column is
//!   the task, which a reader of headers takes for the host. The record's number stands in a line of its own before,
//!   `Error: 18456, Severity: 14, State: 8.`, which is the same attempt and no second login.
//! * A Japanese server writes `ユーザー 'sa' はログインできませんでした。` and `[クライアント: 192.0.2.9]`.
//! * The client is an address, `<local machine>` or `<named pipe>`; 18452 names no account, `''`.
//! * A name ends at its quote: one inside is not doubled, and what would follow it is lost.

use memchr::memmem;
use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::scan::between;
use crate::header::Header;

/// What stands before the account, and the words that tell how the attempt ended.
struct Sentence {
    before: &'static str,
    told: &'static str,
    outcome: Outcome,
}

const SENTENCES: [Sentence; 4] = [
    Sentence { before: "Login failed for user '", told: "Login failed for user '", outcome: Outcome::Failure },
    Sentence { before: "Login succeeded for user '", told: "Login succeeded for user '", outcome: Outcome::Success },
    Sentence { before: "ユーザー '", told: "ログインできませんでした", outcome: Outcome::Failure },
    Sentence { before: "ユーザー '", told: "ログインに成功しました", outcome: Outcome::Success },
];

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if !read(header.after_time, draft) {
        return false;
    }
    draft.product("microsoft", "microsoft.sqlserver", "Microsoft", "SQL Server");
    draft.rule("mssql.login");
    draft.process(header);
    // The error log's second column.
    draft.event.host_name = header.host.filter(|host| *host != "Logon").map(str::to_owned);
    true
}

/// What the sentence says; `false`, and nothing written, where there is none. Agents that send a Windows record's text alone
/// have it too.
pub(super) fn read(text: &str, draft: &mut Draft<'_>) -> bool {
    let has = |mark: &str| memmem::find(text.as_bytes(), mark.as_bytes()).is_some();
    let Some(client) = between(text, "[CLIENT: ", "]").or_else(|| between(text, "[クライアント: ", "]")) else {
        return false;
    };
    let Some(sentence) = SENTENCES.iter().find(|sentence| has(sentence.told)) else { return false };
    draft.user(between(text, sentence.before, "'").unwrap_or(""));
    draft.source(client);
    draft.kind(Category::Authentication, Action::Login);
    draft.event.outcome = Some(sentence.outcome);
    let reason = between(text, "Reason: ", "[CLIENT").or_else(|| between(text, "理由: ", "[クライアント"));
    draft.reason(reason.unwrap_or("").trim());
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn error_log() {
        check(
            "2026-03-03 09:00:00.07 Logon       Login failed for user 'sato'. Reason: Password did not match that for the \
             login provided. [CLIENT: 192.0.2.9]",
            &[
                ("user.name", "sato"),
                ("source.ip", "192.0.2.9"),
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("event.reason", "Password did not match that for the login provided."),
                ("event.dataset", "microsoft.sqlserver"),
                ("host.name", "-"),
                ("@timestamp", "2026-03-03T00:00:00.070000Z"),
            ],
        );
        check(
            "<14>Mar  3 09:00:00 db1 MSSQLSERVER: Login succeeded for user 'HOSP\\yamada'. Connection made using Windows \
             authentication. [CLIENT: <local machine>]",
            &[
                ("user.name", "yamada"),
                ("user.domain", "hosp"),
                ("source.ip", "-"),
                ("event.outcome", "success"),
                ("host.name", "db1"),
            ],
        );
    }

    #[test]
    fn japanese_servers() {
        check(
            "2026-03-03 09:00:00.07 ログオン    ユーザー 'sa' はログインできませんでした。 理由: 指定されたログインのパスワードと一致しません。 [クライアント: 192.0.2.9]",
            &[("user.name", "sa"), ("source.ip", "192.0.2.9"), ("event.outcome", "failure")],
        );
    }

    #[test]
    fn texts_of_windows_agents() {
        check(
            "<14>1 2026-03-03T00:00:00Z db1 MSSQLSERVER - - [NXLOG@14506 EventID=\"18456\" SourceName=\"MSSQLSERVER\" \
             Channel=\"Application\"] Login failed for user 'sa'. Reason: Password did not match. [CLIENT: 192.0.2.9]",
            &[("user.name", "sa"), ("source.ip", "192.0.2.9"), ("event.code", "18456"), ("event.action", "login")],
        );
    }

    #[test]
    fn other_lines() {
        check("2026-03-03 09:00:00.07 Logon       Error: 18456, Severity: 14, State: 8.", &[("event.action", "-")]);
        check("<14>Mar  3 09:00:00 x app: Login failed for user 'sato'.", &[("event.dataset", "-")]);
    }
}
