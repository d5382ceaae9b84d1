//! Secrets behind a name: `password=…`, `"api_key": "…"`, `<password>…</password>`, `Authorization: Bearer …`. What is
//! written without a mark between (`enable secret 5 …`) is handed on to the commands.

use std::ops::Range;

use super::{command, value};

/// Longest name that is read, in bytes: longer runs of letters are data.
const KEY_BYTES_MAX: usize = 64;

/// Names that end so hold a secret, without `-`, `_`, `.` and in lower case.
const SECRET_ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passwordhash",
    "secret",
    "psk",
    "presharedkey",
    "sharedkey",
    "apikey",
];

/// Names that hold a secret as they are; `…token` at large would hide what Windows says about logon tokens.
const SECRET_NAMES: &[&str] = &[
    "psksecret",
    "token",
    "accesstoken",
    "refreshtoken",
    "authtoken",
    "apitoken",
    "sessiontoken",
    "idtoken",
    "csrftoken",
    "xauthtoken",
    "community",
    "snmpcommunity",
    "communitystring",
    "communityname",
    "passwordenc",
];

/// Names that end so but say something else: sudoers' `NOPASSWD`, and rights and counts.
const NO_SECRET_NAMES: &[&str] = &["nopasswd", "nopassword", "badpwd", "needpassword"];

/// Words before `password:` that make it a reason, not a field.
const JUDGEMENTS: &[&str] = &[
    "bad",
    "wrong",
    "invalid",
    "incorrect",
    "failed",
    "fail",
    "failure",
    "mismatched",
    "expired",
    "unknown",
    "empty",
    "no",
    "the",
    "changed",
    "change",
    "reset",
    "forgot",
    "forgotten",
    "by",
    "with",
];

/// Schemes of RFC 9110 §11 whose next word is the secret.
const SCHEMES: &[&str] = &["bearer ", "basic ", "digest ", "negotiate ", "ntlm ", "token "];

/// A bearer token shorter than this is a word of a sentence (`bearer established`).
const BEARER_BYTES_MIN: usize = 16;

/// Whether a field of that name holds a secret.
pub fn is_secret_key(name: &str) -> bool {
    let mut buffer = [0_u8; KEY_BYTES_MAX];
    let mut length = 0;
    for byte in name.bytes().filter(u8::is_ascii_alphanumeric) {
        let Some(place) = buffer.get_mut(length) else { return false };
        *place = byte.to_ascii_lowercase();
        length += 1;
    }
    let key = buffer.get(..length).unwrap_or_default();
    let is_one_of = |names: &[&str]| names.iter().any(|name| name.as_bytes() == key);
    let ends = SECRET_ENDINGS.iter().any(|ending| key.ends_with(ending.as_bytes()));
    (ends || is_one_of(SECRET_NAMES)) && !is_one_of(NO_SECRET_NAMES)
}

/// The value of the name that stands around the mark.
pub(super) fn read(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    let word = word_around(text, &mark)?;
    let name = text.get(word.clone())?;
    if name.get(name.len().saturating_sub(13)..).is_some_and(|end| end.eq_ignore_ascii_case("authorization")) {
        return authorization(text, word.end);
    }
    if !is_secret_key(name) {
        return None;
    }
    let Some((sign, start)) = separator(text, &word) else {
        return command::behind_name(text, &word);
    };
    if sign == Sign::Colon && !is_field(text, &word) {
        return None;
    }
    let secret = value::at(text, start)?;
    let shown = text.get(secret.clone())?;
    let is_prose = sign == Sign::Colon && command::is_prose(shown);
    (!is_prose && !value::is_no_secret(shown) && !value::is_folder(name, shown)).then_some(secret)
}

/// Whether a name before a bare colon is a field's: not a reason (`bad password: …`), not PAM's service
/// (`pam_unix(passwd:auth)`), not the VPN community of Check Point.
fn is_field(text: &str, word: &Range<usize>) -> bool {
    let before = word_before(text, word.start);
    let is_community = text.get(word.clone()).is_some_and(|name| name.eq_ignore_ascii_case("community"));
    let is_service = text.get(..word.start).is_some_and(|before| before.ends_with('('));
    !is_service && !is_community && !JUDGEMENTS.iter().any(|judgement| judgement.eq_ignore_ascii_case(before))
}

/// `Bearer eyJ…` wherever it stands.
pub(super) fn bearer(text: &str, mark: Range<usize>) -> Option<Range<usize>> {
    value::at(text, mark.end).filter(|secret| secret.len() >= BEARER_BYTES_MIN)
}

/// The run of name characters around the mark, or `None` when it is too long for a name.
fn word_around(text: &str, mark: &Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let before =
        bytes.get(..mark.start)?.iter().rev().take(KEY_BYTES_MAX).take_while(|byte| value::is_word(**byte)).count();
    let behind = bytes.get(mark.end..)?.iter().take(KEY_BYTES_MAX).take_while(|byte| value::is_word(**byte)).count();
    (before < KEY_BYTES_MAX && behind < KEY_BYTES_MAX).then(|| mark.start - before..mark.end + behind)
}

/// The blank-separated word that ends before `end`, without the marks around it.
pub(super) fn word_before(text: &str, end: usize) -> &str {
    let before = text.get(..end).unwrap_or_default().trim_end_matches([' ', '\t']);
    let bytes = before.as_bytes();
    let length = bytes.iter().rev().take(KEY_BYTES_MAX).take_while(|byte| value::is_word(**byte)).count();
    before.get(before.len() - length..).unwrap_or_default()
}

/// What stands between a name and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// A colon without quotes, which prose has too.
    Colon,
    /// `=`, a quoted name, a tag: surely a field.
    Field,
}

/// The sign behind the name and where the value begins.
fn separator(text: &str, word: &Range<usize>) -> Option<(Sign, usize)> {
    let rest = text.get(word.end..)?;
    let unquoted = rest.trim_start_matches(['"', '\'', '\\']);
    let is_quoted = unquoted.len() < rest.len();
    let unspaced = unquoted.trim_start_matches([' ', '\t']);
    let is_spaced = unspaced.len() < unquoted.len();
    let start_of = |value: &str| text.len() - value.len();
    if let Some(value) = unspaced.strip_prefix('=') {
        let value = value.trim_start_matches(['=', '>']);
        // `password= user=x` is an empty value: a blank may follow only where one stands before.
        let value = if is_spaced || is_quoted { value.trim_start_matches(' ') } else { value };
        return Some((Sign::Field, start_of(value)));
    }
    if let Some(value) = unspaced.strip_prefix(':').filter(|_| is_quoted || !is_spaced) {
        let sign = if is_quoted { Sign::Field } else { Sign::Colon };
        return Some((sign, start_of(value.trim_start_matches([' ', '\t']))));
    }
    let opens_tag = is_quoted || text.as_bytes().get(word.start.wrapping_sub(1)) == Some(&b'<');
    let value = unquoted.strip_prefix('>').filter(|_| opens_tag)?;
    Some((Sign::Field, start_of(value)))
}

/// `Authorization: Basic dXNlcjpwYXNz`; `Authorization: succeeded` is a reason.
fn authorization(text: &str, end: usize) -> Option<Range<usize>> {
    let rest = text.get(end..)?;
    let value = rest.trim_start_matches(['"', '\'', '\\', ' ', '=', ':']);
    let scheme = SCHEMES
        .iter()
        .find(|scheme| value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
    value::at(text, text.len() - value.len() + scheme.len())
}
