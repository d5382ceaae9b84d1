//! The proof over the journal: a running SHA-256 over every frame of a family, and signed checkpoints of both.
//!
//! ```text
//! head     := SHA-256(head before ‖ kind ‖ body)   of each frame in its order; 32 zeros before the first
//! link     := head before                          a frame of its own now and then, so that a break is placed closely
//! ```
//!
//! A checkpoint states both heads at one moment, is signed with the key of that moment and names the key of the next,
//! and the old key is then erased. What was written before a break-in can therefore not be rewritten afterwards; what
//! comes after it can, and a journal cut off at its end shows only beside a receipt that was kept elsewhere.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use monban_event::RecordId;
use monban_event::id::hex;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const HEAD_LENGTH: usize = 32;

/// The running hash of one family.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head([u8; HEAD_LENGTH]);

impl Head {
    pub(super) fn of(bytes: [u8; HEAD_LENGTH]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8; HEAD_LENGTH] {
        &self.0
    }

    /// The head after one more frame.
    #[must_use]
    pub(super) fn after(&self, payload: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(payload);
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({self})")
    }
}

/// The text is not 64 hex digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no hash: 64 hex digits are")]
pub struct BadHead(String);

impl std::str::FromStr for Head {
    type Err = BadHead;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = unhex(text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| BadHead(text.to_owned()))
    }
}

impl Serialize for Head {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Head {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// The heads of both families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heads {
    #[serde(rename = "records_head")]
    pub records: Head,
    #[serde(rename = "acts_head")]
    pub acts: Head,
}

/// What a checkpoint says. It stands as JSON in a frame of the acts and uses up no number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Which chain of keys; a new one begins where the keys of the old one are not at hand, as after a restore.
    pub chain: String,
    /// Rises by one within a chain.
    pub index: u64,
    pub at: DateTime<Utc>,
    /// The first number that the checkpoint before did not cover, and the last that this one covers. One more than
    /// `last` where nothing came in between.
    pub first: u64,
    pub last: u64,
    /// The heads before this checkpoint's own frame.
    #[serde(flatten)]
    pub heads: Heads,
    /// Why a chain begins; only at index 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
    /// Ed25519, 32 bytes as hex: the key that signs, and the one that signs next.
    pub public_key: String,
    pub next_public_key: String,
    /// Ed25519 over [`Checkpoint::statement`], 64 bytes as hex.
    pub signature: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begun {
    /// There was no checkpoint before.
    Fresh,
    /// There were checkpoints, but not the key that the last of them names: the directory was copied or restored
    /// without keys, or they were removed.
    WithoutKeys,
}

impl Checkpoint {
    /// What is signed: lines of plain text, so that anybody can check it with other tools.
    pub fn statement(&self) -> String {
        let begun = self.begun.map_or("-", |begun| match begun {
            Begun::Fresh => "fresh",
            Begun::WithoutKeys => "without_keys",
        });
        format!(
            "monban checkpoint 1\nchain {}\nindex {}\nat {}\nfirst {}\nlast {}\nrecords {}\nacts {}\nbegun {begun}\nkey {}\nnext {}\n",
            self.chain,
            self.index,
            self.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            self.first,
            self.last,
            self.heads.records,
            self.heads.acts,
            self.public_key,
            self.next_public_key,
        )
    }

    #[must_use]
    pub(super) fn signed(mut self, key: &Ed25519KeyPair) -> Self {
        self.signature = hex(key.sign(self.statement().as_bytes()).as_ref());
        self
    }

    /// Whether the signature is that of the key the checkpoint names.
    pub fn is_signed(&self) -> bool {
        let (Some(key), Some(signature)) = (unhex(&self.public_key), unhex(&self.signature)) else { return false };
        UnparsedPublicKey::new(&ED25519, key).verify(self.statement().as_bytes(), &signature).is_ok()
    }

    /// What stands on paper and in mails for it.
    pub fn receipt(&self) -> Receipt {
        Receipt::new(RecordId(self.last), self.heads, self.at)
    }
}

/// The state of the journal at one moment, to be kept elsewhere. Whoever has one can show later that nothing up to
/// `last` was changed, removed or cut off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub last: u64,
    #[serde(flatten)]
    pub heads: Heads,
    pub at: DateTime<Utc>,
    /// The same in short, for paper: 検証値.
    pub value: String,
}

impl Receipt {
    pub fn new(last: RecordId, heads: Heads, at: DateTime<Utc>) -> Self {
        Self { last: last.0, heads, at, value: short_value(last, heads) }
    }

    /// Whether the short value belongs to the rest.
    pub fn is_consistent(&self) -> bool {
        self.value == short_value(RecordId(self.last), self.heads)
    }
}

/// 100 bits of a hash in letters that cannot be misread (Crockford's base 32), in groups of four.
fn short_value(last: RecordId, heads: Heads) -> String {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const SHORT_LENGTH: usize = 20;
    let text = format!("monban receipt 1\nlast {last}\nrecords {}\nacts {}\n", heads.records, heads.acts);
    let hash = Sha256::digest(text.as_bytes());
    let bits = hash.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect::<Vec<u8>>();
    let letter = |five: &[u8; 5]| five.iter().fold(0, |value, bit| value << 1 | usize::from(*bit));
    let letters = bits.as_chunks::<5>().0.iter().take(SHORT_LENGTH).map(letter);
    let letters: Vec<char> = letters.filter_map(|at| LETTERS.get(at).map(|&letter| char::from(letter))).collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_read_what_they_write() {
        let head = Head::default().after(b"x");
        assert_eq!(head.to_string().parse(), Ok(head));
        assert!("12".parse::<Head>().is_err());
        assert_eq!(unhex("0aF"), None);
        assert_eq!(unhex("0aFf"), Some(vec![10, 255]));
    }

    #[test]
    fn a_head_depends_on_every_frame_and_their_order() {
        let (a, b) = (Head::default().after(b"a"), Head::default().after(b"b"));
        assert_ne!(a.after(b"b"), b.after(b"a"));
        assert_eq!(a.to_string().len(), 64);
    }

    #[test]
    fn the_short_value_is_twenty_letters_and_follows_the_whole() {
        let at = "2026-10-25T03:00:00Z".parse().unwrap();
        let receipt = Receipt::new(RecordId(7), Heads::default(), at);
        assert_eq!(receipt.value.len(), 24);
        assert!(receipt.is_consistent());
        let other = Receipt::new(RecordId(8), Heads::default(), at);
        assert_ne!(receipt.value, other.value);
        assert!(!Receipt { last: 8, ..receipt }.is_consistent());
    }
}
