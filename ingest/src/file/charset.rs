//! How wide the characters of a text file are. Owns what a line end is in UTF-16, which Windows tools write, and nothing
//! of what the text says: decoding is [`crate::text`]'s.
//!
//! A line keeps its own bytes as they stand in the file. A line of UTF-16 alone would not say that it is UTF-16, so the
//! file's byte-order mark stands in front of every line of it, as the header line stands in front of every row of a CSV
//! file. UTF-16 without a mark is not recognised.

/// Width and order of the units of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Charset {
    /// UTF-8 or one of its older relatives: a line feed is one byte everywhere.
    #[default]
    Bytes,
    Utf16Le,
    Utf16Be,
}

const MARK_LE: &[u8] = b"\xFF\xFE";
const MARK_BE: &[u8] = b"\xFE\xFF";

impl Charset {
    /// Told by the byte-order mark at the start of a file.
    pub(super) fn of(start: &[u8]) -> Self {
        if start.starts_with(MARK_LE) {
            Self::Utf16Le
        } else if start.starts_with(MARK_BE) {
            Self::Utf16Be
        } else {
            Self::Bytes
        }
    }

    /// What stands in front of every line: nothing, or the mark.
    pub(super) fn mark(self) -> &'static [u8] {
        match self {
            Self::Bytes => b"",
            Self::Utf16Le => MARK_LE,
            Self::Utf16Be => MARK_BE,
        }
    }

    /// An ASCII character in this width.
    pub(super) fn ascii(self, character: u8) -> Vec<u8> {
        match self {
            Self::Bytes => vec![character],
            Self::Utf16Le => vec![character, 0],
            Self::Utf16Be => vec![0, character],
        }
    }

    pub(super) fn is_wide(self) -> bool {
        self != Self::Bytes
    }

    /// The ASCII character that a unit is; `None` for any other.
    pub(super) fn unit(self, unit: [u8; 2]) -> Option<u8> {
        match (self, unit) {
            (Self::Utf16Be, [0, low]) | (Self::Utf16Le, [low, 0]) if low.is_ascii() => Some(low),
            _ => None,
        }
    }

    /// How often an ASCII character stands in the bytes of a line.
    pub(super) fn count(self, bytes: &[u8], character: u8) -> usize {
        if self.is_wide() {
            let (units, _) = bytes.as_chunks::<2>();
            units.iter().filter(|unit| self.unit(**unit) == Some(character)).count()
        } else {
            memchr::memchr_iter(character, bytes).count()
        }
    }
}
