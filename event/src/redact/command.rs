//! Secrets in commands, where only their place tells them: configuration lines of network devices, command lines of
//! servers, and `FreeRADIUS`, which can be told to log passwords. Prose uses the same words, so each form asks for the
//! words around it.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::keyed::word_before;
use super::value;

/// How far back the name of the program is looked for, in bytes.
const PROGRAM_BYTES_MAX: usize = 512;

/// How far behind `Login incorrect` its bracket is looked for, in bytes: a reason stands between.
const BRACKET_BYTES_MAX: usize = 512;

/// Words that follow "password" in sentences and never in commands.
const PROSE: &[&str] = &[
    "for",
    "is",
    "was",
    "has",
    "had",
    "of",
    "from",
    "changed",
    "change",
    "changes",
    "changing",
    "expired",
    "expires",
    "expiry",
    "expiration",
    "incorrect",
    "failed",
    "failure",
    "fails",
    "authentication",
    "auth",
    "check",
    "checked",
    "checking",
    "reset",
    "policy",
    "mismatch",
    "required",
    "accepted",
    "rejected",
    "verification",
    "verify",
    "error",
    "attempt",
    "attempts",
    "not",
    "must",
    "will",
    "to",
    "in",
    "on",
    "and",
    "or",
    "by",
    "invalid",
    "history",
    "age",
    "length",
    "complexity",
    "file",
    "entry",
    "database",
    "prompt",
    "updated",
    "ok",
    "success",
    "successful",
    "successfully",
    "succeeded",
    "denied",
    "request",
    "recovery",
    "protection",
    "with",
    "mode",
    "hash",
    "type",
    "user",
    "days",
    "times",
    "characters",
    "wrong",
    "unknown",
    "at",
    "as",
    "based",
    "you",
    "that",
    "this",
    "are",
    "been",
    "does",
    "did",
    "may",
    "can",
    "cannot",
    "should",
    "do",
    "used",
    "using",
    "provided",
    "entered",
    "field",
    "combination",
];

/// Words directly before `password`, `secret` and their kin that make a command of them.
const COMMANDS: &[&str] =
    &["enable", "login", "administrator", "set", "chap", "pap", "root-authentication", "authentication", "line"];

/// Words one further back: `username NAME password …`.
const SUBJECTS: &[&str] =
    &["username", "user", "neighbor", "peer", "sent-username", "hostname", "privilege", "radius-server"];

/// Words between `pre-shared-key` and the key itself.
const KEY_KINDS: &[&str] =
    &["text", "hexadecimal", "ascii-text", "hex", "key", "local", "remote", "address", "encrypted"];

/// Programs whose `-p` is a password. Elsewhere it is a port, a path or a protocol.
const PASSWORD_PROGRAMS: &[&str] = &[
    "psexec", "paexec", "plink", "pscp", "psftp", "sshpass", "mysql", "sqlcmd", "osql", "bcp", "winexe", "rdesktop",
    "7z", "mariadb",
];

static PROGRAM_FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(PASSWORD_PROGRAMS)
        .expect("a few short names make a small automaton")
});

pub(super) fn is_prose(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ',', ':', ';', '!']);
    PROSE.iter().any(|prose| prose.eq_ignore_ascii_case(word))
}

/// A secret that follows its name without a mark: `enable secret 5 …`, `username x password 7 …`,
/// `encrypted-password "…"`, `ipsec ike pre-shared-key 1 text …`, `snmp-server community …`, `--password …`.
pub(super) fn behind_name(text: &str, name: &Range<usize>) -> Option<Range<usize>> {
    let word = text.get(name.clone())?;
    let start = next_word(text, name.end)?;
    // `Failed password for …`: what nearly every line with the word is.
    if text.get(start..)?.starts_with("for ") {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    if lower.ends_with("community") {
        return community(text, name.start, start);
    }
    if lower.ends_with("key") {
        return skip_kinds(text, start).and_then(|start| secret_at(text, start));
    }
    if lower.ends_with("token") && !word.starts_with('-') {
        return None;
    }
    let first = text.get(value::at(text, start)?)?;
    if matches!(first, "0" | "4" | "5" | "6" | "7" | "8" | "9" | "ENC" | "encrypted") {
        let start = next_word(text, start + first.len())?;
        return secret_at(text, start);
    }
    let is_command = word.starts_with('-')
        || matches!(lower.as_str(), "encrypted-password" | "psksecret")
        || is_one_of(COMMANDS, word_before(text, name.start))
        || (is_one_of(SUBJECTS, second_word_before(text, name.start))
            && !matches!(word_before(text, name.start), "and" | "or"));
    (is_command || text.get(start..)?.starts_with('"')).then(|| secret_at(text, start)).flatten()
}

/// `snmp-server community NAME RO`, Yamaha's `snmp community read-only NAME`, `snmp trap community NAME`.
fn community(text: &str, name: usize, start: usize) -> Option<Range<usize>> {
    let is_snmp = |word: &str| word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("snmp"));
    if !is_snmp(word_before(text, name)) && !is_snmp(second_word_before(text, name)) {
        return None;
    }
    let word = text.get(value::at(text, start)?)?;
    let start = match word {
        "read-only" | "read-write" | "ro" | "rw" => next_word(text, start + word.len())?,
        _ => start,
    };
    secret_at(text, start)
}

/// Where the key begins behind its number and kind: `1 text KEY`, `0 KEY`, `ascii-text "KEY"`.
fn skip_kinds(text: &str, start: usize) -> Option<usize> {
    let word = text.get(start..)?.split([' ', '\t']).next()?;
    let is_number = word.len() <= 5 && word.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number && !is_one_of(KEY_KINDS, word) {
        return Some(start);
    }
    let second = next_word(text, start + word.len())?;
    let word = text.get(second..)?.split([' ', '\t']).next()?;
    if is_one_of(KEY_KINDS, word) { next_word(text, second + word.len()) } else { Some(second) }
}

/// `tacacs-server key 7 …`, `crypto isakmp key … address …`.
pub(super) fn server_key(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let start = skip_kinds(text, mark.end)?;
    secret_at(text, start)
}

/// Yamaha: `pp auth username NAME PASSWORD`, `pp auth myname NAME PASSWORD`.
pub(super) fn second_word(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let start = second_start(text, mark.end)?;
    secret_at(text, start)
}

/// Yamaha: `login user NAME PASSWORD`, which ends the command; sentences go on.
pub(super) fn login_user(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let secret = second_word(text, mark)?;
    let rest = text.get(secret.end..)?;
    let is_end = rest.is_empty() || rest == "'" || rest == "\"" || rest.starts_with(['\r', '\n']);
    is_end.then_some(secret)
}

/// `net user NAME PASSWORD /add`.
pub(super) fn net_user(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let start = second_start(text, mark.end)?;
    let first = text.as_bytes().get(start)?;
    (!b"/*|>&".contains(first)).then(|| secret_at(text, start)).flatten()
}

/// `/p:PASSWORD`, where an option begins.
pub(super) fn slash_option(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let before = mark.start.checked_sub(1).and_then(|at| text.as_bytes().get(at));
    let secret = before.is_none_or(|byte| b" \t\"'".contains(byte)).then(|| value::at(text, mark.end)).flatten()?;
    // A build tool's property (`/p:Configuration=Release`) is no password.
    (!text.get(secret.clone())?.contains('=')).then_some(secret)
}

/// `psexec … -p PASSWORD`, `mysql -pPASSWORD`.
pub(super) fn short_option(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let rest = text.get(mark.end..)?;
    let start = if rest.starts_with(' ') { next_word(text, mark.end)? } else { mark.end };
    let glued = start == mark.end;
    let before = text.as_bytes().get(mark.start.saturating_sub(PROGRAM_BYTES_MAX)..mark.start)?;
    let program = PASSWORD_PROGRAMS.get(PROGRAM_FINDER.find(before)?.pattern().as_usize())?;
    let secret = value::at(text, start)?;
    let first = text.as_bytes().get(secret.start)?;
    // `-password` is read under its own name; MySQL alone glues the value, and its `-P` is a port.
    let is_mysql = matches!(*program, "mysql" | "mariadb");
    let is_port = is_mysql && text.get(mark)?.ends_with('P');
    let takes_glued = is_mysql || matches!(*program, "7z" | "sshpass");
    (*first != b'-' && !is_port && (!glued || takes_glued)).then_some(secret)
}

/// `ConvertTo-SecureString "…" -AsPlainText`, with or without `-String`.
pub(super) fn secure_string(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let rest = text.get(mark.end..)?;
    let value = rest.strip_prefix("-String ").unwrap_or(rest).trim_start_matches(' ');
    (!value.starts_with(['-', '$', '('])).then(|| value::at(text, text.len() - value.len())).flatten()
}

/// `FreeRADIUS` with `auth_badpass`: `Login incorrect (reason): [user/password] (from client …)`. What it logs instead of
/// a password stands in angle brackets; computers are called `host/name`.
pub(super) fn radius(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let rest = text.get(mark.start..)?;
    let window = rest.get(..rest.floor_char_boundary(BRACKET_BYTES_MAX)).unwrap_or(rest);
    let open = window.find(": [")? + 3;
    let inner = window.get(open..)?;
    let length = inner.find("] (from").or_else(|| inner.find(']')).unwrap_or(inner.len());
    let inner = inner.get(..length)?;
    let skipped = if inner.starts_with("host/") { 5 } else { 0 };
    let slash = skipped + inner.get(skipped..)?.find('/')?;
    let start = mark.start + open + slash + 1;
    let secret = start..mark.start + open + length;
    (!text.get(secret.clone())?.starts_with('<') && !secret.is_empty()).then_some(secret)
}

/// The value at a place where a command has its secret, unless the words there are a sentence.
fn secret_at(text: &str, start: usize) -> Option<Range<usize>> {
    let secret = value::at(text, start)?;
    let shown = text.get(secret.clone())?;
    (!is_prose(shown) && !value::is_no_secret(shown)).then_some(secret)
}

/// Where the next word of the same line begins; there must be a blank before it.
fn next_word(text: &str, end: usize) -> Option<usize> {
    let rest = text.get(end..)?;
    let word = rest.trim_start_matches([' ', '\t']);
    let begins = word.len() < rest.len() && !word.is_empty() && !word.starts_with(['\r', '\n']);
    begins.then(|| text.len() - word.len())
}

fn second_start(text: &str, start: usize) -> Option<usize> {
    let name = text.get(start..)?.split([' ', '\t']).next()?;
    let start = next_word(text, start + name.len())?;
    let word = text.get(start..)?.split([' ', '\t']).next()?;
    // Yamaha marks a stored password: `login user NAME encrypted …`.
    if word == "encrypted" { next_word(text, start + word.len()) } else { Some(start) }
}

fn second_word_before(text: &str, end: usize) -> &str {
    let first = text.get(..end).unwrap_or_default().trim_end_matches([' ', '\t']);
    let bytes = first.as_bytes();
    let length = bytes.iter().rev().take(64).take_while(|byte| !byte.is_ascii_whitespace()).count();
    word_before(text, first.len() - length)
}

fn is_one_of(words: &[&str], word: &str) -> bool {
    words.contains(&word)
}
