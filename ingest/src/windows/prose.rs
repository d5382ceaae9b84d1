//! The text that Windows shows for a Security event, as agents send it where they do not send the data: back into the
//! fields the event was made of, under the names the event log has for them.
//!
//! Quirks this file owns:
//! * The text follows the language of the Windows. English and Japanese labels are known; of other languages the order
//!   of blocks and lines is compared with that of the event, and taken only where it agrees from the first line on.
//! * Agents keep line breaks and tabs, write them as `#015#012#011`, put blanks in their place, or only one blank.
//! * The same label stands in several blocks (`Account Name`): the block says whose it is. In 4634, 4647 and the session
//!   events the `Subject` of the text is what the data calls `Target`.
//! * Behind the data comes an explanation in prose, with colons of its own.

use std::borrow::Cow;

use super::flatten::WindowsFields;
use super::labels::{
    Block, LABELS, LOGON_END, Label, ORDERS, SUBJECT, SUBJECT_AND_TARGET, SYSMON, TITLES, is_one_word,
    is_subject_and_target,
};

/// How far into a text the data is looked for, in bytes; the longest data (4738, 5136) ends far before.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Longest value taken, in bytes: a command line or a path, not a page of explanation.
const VALUE_BYTES_MAX: usize = 2048;

/// The event's number, where the text begins with a title that we know.
pub(crate) fn number_of(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let is_title = |title: &&(&str, &str, i64)| text.starts_with(title.0) || text.starts_with(title.1);
    TITLES.iter().find(is_title).map(|(_, _, number)| *number)
}

/// `#015#012#011`, as rsyslog writes control characters, and `\r\n\t` written out, undone.
pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    let sharp = text.contains("#011") || text.contains("#012");
    let slashes = text.contains("\\r\\n") || text.contains("\\n\\t");
    match (sharp, slashes) {
        (true, _) => text.replace("#015", "\r").replace("#012", "\n").replace("#011", "\t").into(),
        (false, true) => text.replace("\\r\\n", "\n").replace("\\n", "\n").replace("\\t", "\t").into(),
        (false, false) => Cow::Borrowed(text),
    }
}

/// Adds what the text says to a record that names none of it; a record that has its data keeps it as it is.
pub(crate) fn fill(windows: &mut WindowsFields, text: &str) {
    let number = windows.text("EventID").and_then(|number| number.parse().ok()).unwrap_or_default();
    let is_sysmon = windows.text("Channel").is_some_and(|channel| channel.contains("Sysmon"));
    let text = unescape(text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or(text));
    let is_security = windows.text("Channel").is_none_or(|channel| channel == "Security");
    let found = match (is_sysmon, is_security) {
        (true, _) => named_lines(&text),
        (_, true) if number >= FIRST_LABELLED => read(number, &text, &|name| windows.fields.get(name).is_some()),
        _ => lone_address(&text),
    };
    if found.iter().any(|(name, _)| windows.fields.get(name).is_some()) {
        return;
    }
    for (name, value) in found {
        windows.push_data(name, value);
    }
}

/// The Security log's own events begin here; below are those of other programs that write into it (AD FS).
const FIRST_LABELLED: i64 = 4600;

/// The address alone, in texts of other logs that name the client: remote desktop (56), directory service (2946), AD FS.
fn lone_address(text: &str) -> Vec<(&str, &str)> {
    const MARKS: [&str; 4] = ["Client IP:", "クライアント IP:", "Caller IP:", "<IpAddress>"];
    let behind = MARKS.iter().find_map(|mark| text.split_once(mark)).map_or("", |(_, rest)| rest.trim_start());
    let token = behind.split(|end: char| end.is_whitespace() || end == '<').next().unwrap_or("").trim_end_matches('.');
    if token.is_empty() {
        return Vec::new();
    }
    let mut found = vec![("IpAddress", token)];
    if let Some((address, port)) =
        token.rsplit_once(':').filter(|(address, _)| address.parse::<std::net::IpAddr>().is_ok())
    {
        found = vec![("IpAddress", address), ("IpPort", port)];
    }
    let account = text.split_once("<UserId>").and_then(|(_, rest)| rest.split_once('<'));
    found.extend(account.map(|(account, _)| ("User", account)));
    found
}

/// Names and values of a Security event's text, up to the first that is `known` already: one tells that the record has
/// its data.
fn read<'a>(number: i64, text: &'a str, known: &dyn Fn(&str) -> bool) -> Vec<(&'a str, &'a str)> {
    let labelled = by_labels(number, text, known);
    if labelled.is_empty() { by_position(number, text) } else { labelled }
}

/// Sysmon's text consists of the names of its data, in every language.
fn named_lines(text: &str) -> Vec<(&str, &str)> {
    let names: Vec<(usize, &str)> =
        text.match_indices(": ").filter_map(|(at, _)| sysmon_name(text.get(..at)?)).collect();
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for (index, (start, name)) in names.iter().enumerate() {
        let end = names.get(index + 1).map_or(text.len(), |(next, _)| *next);
        let value = text.get(start + name.len() + 1..end).unwrap_or("").trim();
        let value = value.split(['\r', '\n']).next().unwrap_or(value).trim_end();
        if !value.is_empty() && !pairs.iter().any(|(known, _)| known == name) {
            pairs.push((name, value));
        }
    }
    pairs
}

/// The name that ends `before`, and where it begins.
fn sysmon_name(before: &str) -> Option<(usize, &str)> {
    let start = before.rfind(|character: char| !character.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
    let name = before.get(start..)?;
    let stands_alone = before.get(..start)?.chars().next_back().is_none_or(char::is_whitespace);
    (stands_alone && SYSMON.contains(&name)).then_some((start, name))
}

/// Where a label begins, where its value begins, and what it means.
struct Found {
    start: usize,
    value: usize,
    label: Label,
}

fn by_labels<'a>(number: i64, text: &'a str, known: &dyn Fn(&str) -> bool) -> Vec<(&'static str, &'a str)> {
    let mut found = text.match_indices([':', '：']).filter_map(|(at, colon)| label(text, at, colon)).peekable();
    let mut block = Block::None;
    let mut pairs: Vec<(&'static str, &str)> = Vec::new();
    while let Some(this) = found.next() {
        let end = found.peek().map_or(text.len(), |next| next.start);
        let value = value(text.get(this.value..end).unwrap_or(""));
        if let Label::Opens(opened) = this.label {
            // `Group: x` with a value behind it is no block.
            block = if value.is_empty() { opened } else { block };
        } else if let Some(name) = name_of(number, block, this.label)
            && !value.is_empty()
            && !pairs.iter().any(|(told, _)| *told == name)
        {
            let first_word = value.split(' ').next().unwrap_or(value);
            pairs.push((name, if is_one_word(name) { first_word } else { value }));
            if known(name) {
                break;
            }
        }
    }
    pairs
}

/// The label whose colon stands at `at`.
fn label(text: &str, at: usize, colon: &str) -> Option<Found> {
    let before = text.get(..at)?.trim_end_matches([' ', '\u{a0}']);
    let fits = |label: &str| {
        let start = before.strip_suffix(label)?;
        let stands_alone = start.chars().next_back().is_none_or(|last| last.is_whitespace() || ".。;,".contains(last));
        stands_alone.then_some(start.len())
    };
    let candidates = LABELS.iter().flat_map(|&(english, japanese, label)| [(english, label), (japanese, label)]);
    let (start, label) = candidates.filter_map(|(text, label)| Some((fits(text)?, label))).min_by_key(|(at, _)| *at)?;
    Some(Found { start, value: at + colon.len(), label })
}

/// The value behind a colon: up to the end of its line, or to two blanks where lines were joined.
fn value(text: &str) -> &str {
    let text = text.trim_matches([' ', '\t', '\u{a0}']);
    let text = text.split(['\r', '\n', '\t']).next().unwrap_or(text);
    let text = text.split("  ").next().unwrap_or(text).trim();
    text.get(..text.floor_char_boundary(VALUE_BYTES_MAX)).unwrap_or(text)
}

/// What the event log calls a label of a block.
fn name_of(number: i64, block: Block, label: Label) -> Option<&'static str> {
    let block = match (number, block) {
        // What the text calls the subject, or nothing, is the data's target.
        (4634 | 4647 | 4800..=4803, Block::Subject | Block::None) | (_, Block::Group) => Block::Target,
        (4778 | 4779 | 4825, Block::Subject) => Block::None,
        (_, block) => block,
    };
    match (label, block) {
        (Label::Field(name), _) => Some(own_name(number, name)),
        (Label::Sid, Block::Subject) => Some("SubjectUserSid"),
        (Label::Sid, Block::Target) => Some(if has_target_sid(number) { "TargetSid" } else { "TargetUserSid" }),
        (Label::Sid, Block::Member) => Some("MemberSid"),
        (Label::Name, Block::Subject) => Some("SubjectUserName"),
        (Label::Name, Block::Target) => Some("TargetUserName"),
        (Label::Name, Block::Member) => Some("MemberName"),
        (Label::Name, Block::None) if matches!(number, 4778 | 4779 | 4825) => Some("AccountName"),
        (Label::Domain, Block::Subject) => Some("SubjectDomainName"),
        (Label::Domain, Block::Target) => Some("TargetDomainName"),
        (Label::Domain, Block::None) if matches!(number, 4778 | 4779 | 4825) => Some("AccountDomain"),
        (Label::LogonId, Block::Subject) => Some("SubjectLogonId"),
        (Label::LogonId, Block::Target) => Some("TargetLogonId"),
        _ => None,
    }
}

/// A few events have a name of their own for what others call by the same label.
fn own_name(number: i64, name: &'static str) -> &'static str {
    match (number, name) {
        (4776 | 4777, "AuthenticationPackageName") => "PackageName",
        (4778 | 4779 | 4825, "IpAddress") => "ClientAddress",
        (5152..=5159, "IpAddress") => "SourceAddress",
        (5152..=5159, "IpPort") => "SourcePort",
        (5152..=5159, "ProcessId") => "ProcessID",
        (7045, "ServiceFileName") => "ImagePath",
        (_, name) => name,
    }
}

/// Account management and Kerberos say `TargetSid`, logons `TargetUserSid`.
fn has_target_sid(number: i64) -> bool {
    matches!(number, 4720..=4773 | 4780..=4782 | 4794 | 4798 | 4799)
}

/// The event whose text, and no other's, has this order; only long orders are certain enough.
pub(crate) fn number_by_order(text: &str) -> Option<i64> {
    const CERTAIN: [i64; 3] = [4624, 4625, 4738];
    let lines = lines(text);
    let certain = ORDERS.iter().filter(|(number, _)| CERTAIN.contains(number));
    certain.into_iter().find(|(_, order)| matched(order, &lines).is_some()).map(|(number, _)| *number)
}

/// The subject alone of a text whose event is not known: a heading, a SID, two names and a logon number.
pub(crate) fn subject(text: &str) -> Vec<(&str, &str)> {
    matched("$S", &lines(text)).filter(|pairs| is_sure(pairs)).unwrap_or_default()
}

fn by_position(number: i64, text: &str) -> Vec<(&'static str, &str)> {
    let lines = lines(text);
    let own = ORDERS.iter().filter(|(of, _)| *of == number).map(|(_, order)| *order);
    let shared = is_subject_and_target(number).then_some(SUBJECT_AND_TARGET);
    let mut found = own.chain(shared).filter_map(|order| matched(order, &lines));
    found.next().unwrap_or_else(|| matched("$S", &lines).filter(|pairs| is_sure(pairs)).unwrap_or_default())
}

/// SIDs and logon numbers look the same in every language.
fn is_sure(pairs: &[(&str, &str)]) -> bool {
    let is = |name, start| pairs.iter().any(|(known, value)| *known == name && value.starts_with(start));
    is("SubjectUserSid", "S-1-") && is("SubjectLogonId", "0x")
}

/// Headings (no value) and lines, in order. Empty for a text without line breaks, tabs or pairs of blanks.
fn lines(text: &str) -> Vec<(&str, &str)> {
    /// Most lines looked at; the longest order has some 30.
    const LINES_MAX: usize = 64;
    let parts =
        text.split(['\r', '\n', '\t']).flat_map(|line| line.split("  ")).map(|part| part.trim_matches([' ', '\u{a0}']));
    let mut lines: Vec<(&str, &str)> = Vec::new();
    for part in parts.filter(|part| !part.is_empty()) {
        if let Some(label) = part.strip_suffix([':', '：']) {
            lines.push((label, ""));
        } else if let Some((_, value)) = lines.last_mut().filter(|(_, value)| value.is_empty()) {
            *value = part;
        }
        if lines.len() > LINES_MAX {
            break;
        }
    }
    lines
}

/// The values of lines that stand in this order, or `None` where they do not.
fn matched<'a>(order: &'static str, lines: &[(&'a str, &'a str)]) -> Option<Vec<(&'static str, &'a str)>> {
    let words = order.split_ascii_whitespace().flat_map(|word| match word {
        "$S" => SUBJECT.split_ascii_whitespace(),
        "$L" => LOGON_END.split_ascii_whitespace(),
        word => word.split_ascii_whitespace(),
    });
    let mut lines = lines.iter();
    let mut pairs = Vec::new();
    for word in words {
        let (_, value) = lines.next()?;
        let may_be_empty = word.strip_suffix('?');
        // A heading has no value, and a line that must have one has it.
        if value.is_empty() != (word == ".") && may_be_empty.is_none() {
            return None;
        }
        if !value.is_empty() {
            pairs.push((may_be_empty.unwrap_or(word), *value));
        }
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(number: i64, text: &str) -> Vec<(&str, &str)> {
        super::read(number, text, &|_| false)
    }

    fn value_of<'a>(pairs: &[(&str, &'a str)], name: &str) -> &'a str {
        pairs.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    const FAILED: &str = "An account failed to log on.|Subject:|+Security ID:++S-1-5-18|+Account Name:++FS01$|\
        +Account Domain:++HOSPITAL|+Logon ID:++0x3E7||Logon Type:+++3||Account For Which Logon Failed:|\
        +Security ID:++S-1-0-0|+Account Name:++sato hanako|+Account Domain:++HOSPITAL||Failure Information:|\
        +Failure Reason:++Unknown user name or bad password.|+Status:+++0xC000006D|+Sub Status:++0xC000006A||\
        Process Information:|+Caller Process ID:+0x25c|+Caller Process Name:+C:\\Windows\\System32\\lsass.exe||\
        Network Information:|+Workstation Name:+WARD3-PC1|+Source Network Address:+192.0.2.9|+Source Port:++53176||\
        Detailed Authentication Information:|+Logon Process:++Advapi  |+Authentication Package:+Negotiate|\
        +Transited Services:+-|+Package Name (NTLM only):+-|+Key Length:++0||This event is generated when a logon request fails.";

    /// The text with its breaks written one way or another.
    fn written(text: &str, line: &str, tab: &str) -> String {
        text.replace('|', line).replace('+', tab)
    }

    #[test]
    fn the_same_fields_however_the_breaks_are_written() {
        for (line, tab) in [("\r\n", "\t"), ("#015#012", "#011"), ("  ", " "), (" ", " ")] {
            let text = written(FAILED, line, tab);
            let text = unescape(&text);
            let found = read(4625, &text);
            for (name, value) in [
                ("SubjectUserName", "FS01$"),
                ("TargetUserName", "sato hanako"),
                ("TargetDomainName", "HOSPITAL"),
                ("LogonType", "3"),
                ("Status", "0xC000006D"),
                ("SubStatus", "0xC000006A"),
                ("IpAddress", "192.0.2.9"),
                ("IpPort", "53176"),
                ("WorkstationName", "WARD3-PC1"),
            ] {
                assert_eq!(value_of(&found, name), value, "{name} with {line:?}");
            }
        }
    }

    #[test]
    fn japanese_labels_are_known() {
        let text = "アカウントが正常にログオンしました。\n\nサブジェクト:\n\tセキュリティ ID:\t\tSYSTEM\n\tアカウント名:\t\tFS01$\n\
            \tアカウント ドメイン:\t\tHOSPITAL\n\tログオン ID:\t\t0x3E7\n\nログオン タイプ:\t\t\t10\n\n新しいログオン:\n\
            \tセキュリティ ID:\t\tHOSPITAL\\yamada\n\tアカウント名:\t\tyamada\n\tアカウント ドメイン:\t\tHOSPITAL\n\
            ネットワーク情報:\n\tワークステーション名:\tFS01\n\tソース ネットワーク アドレス:\t198.51.100.7\n\tソース ポート:\t\t0\n";
        assert_eq!(number_of(text), Some(4624));
        let found = read(4624, text);
        assert_eq!(value_of(&found, "TargetUserName"), "yamada");
        assert_eq!(value_of(&found, "SubjectUserName"), "FS01$");
        assert_eq!((value_of(&found, "IpAddress"), value_of(&found, "LogonType")), ("198.51.100.7", "10"));
    }

    #[test]
    fn other_languages_are_read_by_their_order() {
        let german = written(FAILED, "\n", "\t")
            .replace("Account Name", "Kontoname")
            .replace("Account Domain", "Kontodomäne")
            .replace("Security ID", "Sicherheits-ID")
            .replace("Logon ID", "Anmelde-ID");
        let labels =
            ["Logon Type", "Status", "Process", "Network", "Source", "Subject", "Account", "Failure", "Workstation"];
        let german = labels.iter().fold(german, |text, label| text.replace(label, &label.to_lowercase()));
        let german = german
            .replace("Package", "Paket")
            .replace("Key Length", "Länge")
            .replace("Information", "i")
            .replace("Transited", "T")
            .replace("Logon", "L")
            .replace("Caller", "C")
            .replace("Address", "a")
            .replace("Port", "p");
        let found = read(4625, &german);
        assert_eq!((value_of(&found, "TargetUserName"), value_of(&found, "IpAddress")), ("sato hanako", "192.0.2.9"));
        assert_eq!(number_by_order(&german), Some(4625));
        assert_eq!(number_by_order("Betreff:\n\tID:\tx\n"), None);
    }

    #[test]
    fn the_block_says_whose_name_it_is() {
        let off = "An account was logged off. Subject: Security ID: S-1-5-21-7 Account Name: sato Account Domain: H Logon ID: 0x1 Logon Type: 3 This event is generated when a logon session is destroyed.";
        let found = read(4634, off);
        assert_eq!((value_of(&found, "TargetUserName"), value_of(&found, "SubjectUserName")), ("sato", ""));
        assert_eq!(value_of(&found, "LogonType"), "3");
        let group = "Subject: Security ID: S-1-5-21-5 Account Name: admin1 Account Domain: H Logon ID: 0x2 Member: Security ID: S-1-5-21-9 Account Name: CN=佐藤,DC=h Group: Security ID: S-1-5-32-544 Group Name: Administrators Group Domain: Builtin";
        let found = read(4732, group);
        assert_eq!(value_of(&found, "MemberName"), "CN=佐藤,DC=h");
        assert_eq!(
            (value_of(&found, "TargetUserName"), value_of(&found, "SubjectUserName")),
            ("Administrators", "admin1")
        );
        let vouched = "Authentication Package: MICROSOFT_AUTHENTICATION_PACKAGE_V1_0 Logon Account: sato Source Workstation: WARD3 Error Code: 0xC0000064";
        let found = read(4776, vouched);
        assert_eq!((value_of(&found, "TargetUserName"), value_of(&found, "Status")), ("sato", "0xC0000064"));
    }

    #[test]
    fn sysmon_lines_carry_their_names() {
        for end in ["\r\n", "  ", " "] {
            let text = [
                "Process Create:",
                "RuleName: ",
                "UtcTime: 2026-03-03 00:00:00.1",
                "CommandLine: x /c: y",
                "User: H\\sato",
            ]
            .join(end);
            let expected = [("UtcTime", "2026-03-03 00:00:00.1"), ("CommandLine", "x /c: y"), ("User", "H\\sato")];
            assert_eq!(named_lines(&text), expected, "{end:?}");
        }
    }

    #[test]
    fn a_text_of_colons_ends_soon() {
        let text = "Account Name:".repeat(1200);
        assert!(read(4624, &text).len() <= 2);
        assert!(read(4624, &":".repeat(TEXT_BYTES_MAX)).is_empty());
    }
}
