//! Newtypes for everything whose mix-up would hurt.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The journal's number of a record or an act. Numbers start at 1, rise by one and are never given twice in a data
/// directory; 0 stands for "before the first record".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(pub u64);

impl RecordId {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One event: the record that holds it and the byte offset inside that record's bytes (0 where a record is one event).
/// It depends on nothing a parser counts, so a better parser later does not move ids. Written `12345-0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    pub record: RecordId,
    pub offset: u32,
}

impl EventId {
    pub fn new(record: RecordId, offset: u32) -> Self {
        Self { record, offset }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.record, self.offset)
    }
}

/// The text is not `<record>-<offset>`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an event id; it looks like 12345-0")]
pub struct BadEventId(String);

impl FromStr for EventId {
    type Err = BadEventId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadEventId(text.to_owned());
        let (record, offset) = text.split_once('-').ok_or_else(bad)?;
        let record = record.parse().map_err(|_| bad())?;
        let offset = offset.parse().map_err(|_| bad())?;
        Ok(Self::new(RecordId(record), offset))
    }
}

impl Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text_id! {
    /// A thing that sends logs: `host:dc01` for Windows events, else `cert:` and the name its TLS certificate proved, else
    /// `ip:192.0.2.1` by peer address, else
    /// `host:` by header or payload host, else `file:` by file name.
    SourceId;
    /// The id of a rule: a UUID in `SigmaHQ`'s rules, `VP-01` style in ours.
    RuleId;
    /// 32 hex digits over rule, subject, object, noon-to-noon JST day and recurrence.
    FindingId;
}

/// Lower-case hex of bytes: hashes and ids as people see them.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    bytes.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_id_reads_what_it_writes() {
        let id = EventId::new(RecordId(12_345), 512);
        assert_eq!(id.to_string(), "12345-512");
        assert_eq!("12345-512".parse(), Ok(id));
    }

    #[test]
    fn event_id_refuses_everything_else() {
        for text in ["", "12", "-", "1-", "-1", "1-2-3", "a-0", "1-99999999999"] {
            assert!(text.parse::<EventId>().is_err(), "{text}");
        }
    }
}
