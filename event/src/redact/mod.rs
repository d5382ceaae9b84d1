//! Secrets that devices and command lines write into their logs, blotted out. Owns the one list of what a secret looks
//! like; parsers see a line only after it has gone through here, so no field, index or page ever holds one, and pages
//! show a record's text through here again. The journal keeps the bytes.
//!
//! One pass looks for a few dozen short marks; only what stands around a mark is read more closely. Text never grows, and
//! text without a secret is handed back as it is. Words that merely speak of passwords (`Failed password for root`) stay.

mod command;
mod keyed;
mod value;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::event::Event;

pub use keyed::is_secret_key;

/// What stands where a secret stood; shortened where the secret was shorter, so that text never grows.
pub const MASK: &str = "********";

/// Finds the secret, if there is one, around the mark at these bytes.
type Reader = fn(&str, Range<usize>) -> Option<Range<usize>>;

/// The marks. Key names leave out their first letter, which saves the forms that differ in it alone.
const MARKS: &[(&str, Reader)] = &[
    ("assw", keyed::read),
    ("ASSW", keyed::read),
    ("assphrase", keyed::read),
    ("ASSPHRASE", keyed::read),
    ("pwd", keyed::read),
    ("Pwd", keyed::read),
    ("PWD", keyed::read),
    ("ecret", keyed::read),
    ("ECRET", keyed::read),
    ("psk", keyed::read),
    ("Psk", keyed::read),
    ("PSK", keyed::read),
    ("hared-key", keyed::read),
    ("hared_key", keyed::read),
    ("haredKey", keyed::read),
    ("HARED", keyed::read),
    ("ommunity", keyed::read),
    ("OMMUNITY", keyed::read),
    ("oken", keyed::read),
    ("OKEN", keyed::read),
    ("pi_key", keyed::read),
    ("pi-key", keyed::read),
    ("pikey", keyed::read),
    ("piKey", keyed::read),
    ("PI_KEY", keyed::read),
    ("PI-KEY", keyed::read),
    ("uthorization", keyed::read),
    ("UTHORIZATION", keyed::read),
    ("earer ", keyed::bearer),
    ("://", value::in_address),
    ("&pass=", value::behind_mark),
    ("?pass=", value::behind_mark),
    ("/pass:", value::behind_mark),
    ("/p:", command::slash_option),
    ("/P:", command::slash_option),
    (" -p", command::short_option),
    (" -P", command::short_option),
    (" -pass ", value::behind_mark),
    ("et user ", command::net_user),
    ("et1 user ", command::net_user),
    ("et.exe user ", command::net_user),
    ("erver key ", command::server_key),
    ("sakmp key ", command::server_key),
    ("auth username ", command::second_word),
    ("auth myname ", command::second_word),
    ("login user ", command::login_user),
    ("SecureString ", command::secure_string),
    ("ogin OK: [", command::radius),
    ("ogin incorrect", command::radius),
];

static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .build(MARKS.iter().map(|(mark, _)| mark))
        .expect("a few dozen short marks make a small automaton")
});

/// The text with its secrets blotted out; borrowed when there were none.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut copied = 0;
    for found in FINDER.find_iter(text) {
        let Some((_, read)) = MARKS.get(found.pattern().as_usize()) else { continue };
        if found.start() < copied {
            continue;
        }
        let Some(secret) = read(text, found.range()) else { continue };
        let Some(mask) = text.get(secret.clone()).and_then(mask_of).filter(|_| secret.start >= copied) else {
            continue;
        };
        shown.push_str(text.get(copied..secret.start).unwrap_or_default());
        shown.push_str(mask);
        copied = secret.end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(shown)
}

/// The value of a field of that name, blotted out where the name or the value says that it must be.
pub fn redact_field<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if is_secret_key(name) && !value::is_no_secret(value) && !value::is_folder(name, value) {
        return mask_of(value).map_or(Cow::Borrowed(value), |mask| Cow::Owned(mask.to_owned()));
    }
    redact(value)
}

/// Blots an event whose fields were not read from a text that had gone through [`redact`]: rows, objects, event logs.
pub fn redact_event(event: &mut Event) {
    let texts = [
        &mut event.message,
        &mut event.reason,
        &mut event.process_command_line,
        &mut event.process_parent_command_line,
    ];
    for place in texts {
        if let Some(Cow::Owned(text)) = place.as_deref().map(redact) {
            *place = Some(text);
        }
    }
    let is_secret = |(name, value)| matches!(redact_field(name, value), Cow::Owned(_));
    if event.native.iter().any(is_secret) {
        event.native = event.native.iter().map(|(name, value)| (name, redact_field(name, value))).collect();
    }
}

/// What to write for a secret; `None` where there is none or the device has masked it itself.
fn mask_of(secret: &str) -> Option<&'static str> {
    if secret.bytes().all(|byte| byte == b'*') {
        return None;
    }
    MASK.get(..secret.len().min(MASK.len()))
}

#[cfg(test)]
mod tests;
