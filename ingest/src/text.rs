//! Bytes of one line into text. Owns the encodings a source can be set to, and for all others the guess: UTF-8 where it is valid, else the reading that looks
//! most like Japanese among CP932, EUC-JP and damaged UTF-8. It must never drop the line: bytes that fit nothing become
//! U+FFFD and the line is noted as damaged. The record keeps the bytes themselves.

use std::borrow::Cow;

use encoding_rs::{EUC_JP, Encoding, ISO_2022_JP, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE};

/// A line as text, and what had to be done for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    pub text: Cow<'a, str>,
    /// IANA name in lower case; `None` for UTF-8.
    pub encoding: Option<&'static str>,
    /// Some bytes fitted no character, or the line ends inside one.
    pub damaged: bool,
}

/// An encoding that a source can be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    Utf8,
    ShiftJis,
    EucJp,
    Iso2022Jp,
}

impl Charset {
    pub const ALL: [Self; 4] = [Self::Utf8, Self::ShiftJis, Self::EucJp, Self::Iso2022Jp];

    /// IANA name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::ShiftJis => "shift_jis",
            Self::EucJp => "euc-jp",
            Self::Iso2022Jp => "iso-2022-jp",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|charset| charset.as_str() == text)
    }
}

/// Strips what framing leaves behind (BOM, trailing NUL, CR, LF) and decodes the rest: as the source is set, and where
/// its bytes are not that or nothing is set, by the guess.
pub fn decode(bytes: &[u8], set: Option<Charset>) -> Decoded<'_> {
    if let Some(wide) = decode_utf16(bytes) {
        return wide;
    }
    let bytes = strip(bytes);
    let encoding = match set {
        Some(Charset::ShiftJis) => SHIFT_JIS,
        Some(Charset::EucJp) => EUC_JP,
        Some(Charset::Iso2022Jp) => ISO_2022_JP,
        Some(Charset::Utf8) | None => UTF_8,
    };
    let decoded = set.filter(|_| needs_decoding(bytes)).map(|charset| read(bytes, encoding, charset.as_str()));
    match decoded {
        Some(decoded) if !decoded.damaged => {
            Decoded { encoding: decoded.encoding.filter(|_| encoding != UTF_8), ..decoded }
        }
        _ => guess(bytes),
    }
}

/// A message as people read it: control characters a relay wrote out (`#011`, `#012`, `#015` of rsyslog) are undone,
/// those that came as they are become blanks, and only line feeds and tabs stay. The record keeps all of them.
pub(crate) fn readable(text: &str) -> Cow<'_, str> {
    let text = unescaped(text);
    if !has_control(text.as_bytes()) {
        return text;
    }
    let shown = text.replace("\r\n", "\n");
    Cow::Owned(
        shown
            .chars()
            .map(|character| if character.is_control() && !matches!(character, '\n' | '\t') { ' ' } else { character })
            .collect(),
    )
}

/// Whole chunks without a way out in between, which a processor reads many bytes at a time.
fn has_control(bytes: &[u8]) -> bool {
    const CHUNK_BYTES: usize = 64;
    bytes.chunks(CHUNK_BYTES).any(|chunk| chunk.iter().fold(false, |found, byte| found | is_control(*byte)))
}

fn is_control(byte: u8) -> bool {
    byte < b' ' && byte != b'\n' && byte != b'\t' || byte == 0x7f
}

/// One `#012` may be a number that a person wrote; two are a relay's.
fn unescaped(text: &str) -> Cow<'_, str> {
    const ESCAPES: [(&str, &str); 3] = [("#015", ""), ("#012", "\n"), ("#011", "\t")];
    let is_escape = |at: usize| ESCAPES.iter().any(|(escape, _)| text.get(at..at + 4) == Some(*escape));
    let escapes = memchr::memchr_iter(b'#', text.as_bytes()).filter(|at| is_escape(*at));
    if escapes.take(2).count() < 2 {
        return Cow::Borrowed(text);
    }
    let shown = ESCAPES.iter().fold(text.to_owned(), |shown, (escape, character)| shown.replace(escape, character));
    Cow::Owned(shown)
}

fn needs_decoding(bytes: &[u8]) -> bool {
    !bytes.is_ascii() || has_iso_2022_escape(bytes)
}

fn guess(bytes: &[u8]) -> Decoded<'_> {
    match std::str::from_utf8(bytes) {
        Ok(_) if has_iso_2022_escape(bytes) => read(bytes, ISO_2022_JP, "iso-2022-jp"),
        Ok(text) => Decoded { text: Cow::Borrowed(text), encoding: None, damaged: false },
        Err(error) => decode_legacy(bytes, error),
    }
}

/// Text of Windows tools, told by the byte-order mark that [`crate::file`] leaves in front of every line of such a file.
fn decode_utf16(bytes: &[u8]) -> Option<Decoded<'_>> {
    let (encoding, name) = match bytes {
        [0xFF, 0xFE, ..] => (UTF_16LE, "utf-16le"),
        [0xFE, 0xFF, ..] => (UTF_16BE, "utf-16be"),
        _ => return None,
    };
    let (text, damaged) = encoding.decode_without_bom_handling(bytes.get(2..)?);
    let text = text.trim_end_matches(['\0', '\r', '\n', '\u{FFFD}']).to_owned();
    Some(Decoded { text: Cow::Owned(text), encoding: Some(name), damaged })
}

fn strip(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let end = bytes.iter().rposition(|byte| !matches!(byte, 0 | b'\r' | b'\n')).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

/// `ESC $ B` and its kin: the only sign of ISO-2022-JP, which otherwise is plain ASCII.
fn has_iso_2022_escape(bytes: &[u8]) -> bool {
    memchr::memchr_iter(0x1b, bytes)
        .any(|at| matches!(bytes.get(at + 1..at + 3), Some([b'$', b'@' | b'B'] | [b'(', b'J' | b'I'])))
}

fn decode_legacy(bytes: &[u8], error: std::str::Utf8Error) -> Decoded<'_> {
    if let Some(cut) = cut_utf8(bytes, error) {
        return cut;
    }
    let lossy = Decoded { text: String::from_utf8_lossy(bytes), encoding: None, damaged: true };
    let candidates = [read(bytes, SHIFT_JIS, "shift_jis"), read(bytes, EUC_JP, "euc-jp")];
    // The first of equals wins: damaged UTF-8 before CP932 before EUC-JP, from the most to the least common sender.
    let mut best = (plausibility(&lossy.text), lossy);
    for candidate in candidates {
        let score = plausibility(&candidate.text);
        if score > best.0 {
            best = (score, candidate);
        }
    }
    best.1
}

/// UTF-8 that ends inside a character: a sender or a relay cut the line at its own bound.
fn cut_utf8(bytes: &[u8], error: std::str::Utf8Error) -> Option<Decoded<'_>> {
    let valid = bytes.get(..error.valid_up_to())?;
    let text = std::str::from_utf8(valid).ok()?;
    let certainly_utf8 = error.error_len().is_none() && !text.is_ascii();
    certainly_utf8.then_some(Decoded { text: Cow::Borrowed(text), encoding: None, damaged: true })
}

fn read<'a>(bytes: &'a [u8], encoding: &'static Encoding, name: &'static str) -> Decoded<'a> {
    let (text, malformed) = encoding.decode_without_bom_handling(bytes);
    let text = match text {
        // A lone lead byte at the very end is a cut, not a sign of another encoding.
        Cow::Owned(text) if malformed => Cow::Owned(text.trim_end_matches('\u{FFFD}').to_owned()),
        other => other,
    };
    Decoded { text, encoding: Some(name), damaged: malformed }
}

/// How much a text looks like what Japanese devices write. Only compared between readings of the same bytes: kana weighs
/// most because every sentence has some, half-width kana least because EUC-JP read as CP932 is full of it.
fn plausibility(text: &str) -> i64 {
    let mut previous = ' ';
    let mut score = 0;
    for character in text.chars().filter(|character| !character.is_ascii()) {
        score += weight(character, previous);
        previous = character;
    }
    score
}

fn weight(character: char, previous: char) -> i64 {
    match character {
        '\u{FFFD}' => -10,
        '\u{80}'..='\u{9F}' | '\u{E000}'..='\u{F8FF}' => -5,
        '\u{3041}'..='\u{30FF}' => 3,
        '\u{3000}'..='\u{3040}' | '\u{FF01}'..='\u{FF5E}' | '\u{4E00}'..='\u{9FFF}' => 2,
        // A voiced mark stands only behind a half-width kana that can be voiced.
        '\u{FF9E}' | '\u{FF9F}' if !('\u{FF73}'..='\u{FF8E}').contains(&previous) => -3,
        '\u{FF66}'..='\u{FF9F}' => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], text: &str, encoding: Option<&str>, damaged: bool) {
        let decoded = decode(bytes, None);
        assert_eq!((decoded.text.as_ref(), decoded.encoding, decoded.damaged), (text, encoding, damaged), "{bytes:?}");
    }

    #[test]
    fn utf8_is_taken_as_it_is() {
        check("山田 login".as_bytes(), "山田 login", None, false);
        check(b"\xEF\xBB\xBF<34>a\r\n\0", "<34>a", None, false);
        check(b"", "", None, false);
        check(b"\r\n\0\0", "", None, false);
    }

    #[test]
    fn cp932_with_half_width_kana_and_extensions() {
        check(b"user=\x8eR\x93c", "user=山田", Some("shift_jis"), false);
        check(b"\xb9\xde\xb0\xc4\xb3\xaa\xb2", "ｹﾞｰﾄｳｪｲ", Some("shift_jis"), false);
        // NEC row 13 and IBM extensions, which are in CP932 but not in JIS: circled one, (株), 髙.
        check(b"\x87\x40\x87\x8a\xfb\xfc", "①㈱髙", Some("shift_jis"), false);
        // The second byte of 表 is a backslash, of ソ too.
        check(b"\x95\x5c \x83\x5c", "表 ソ", Some("shift_jis"), false);
    }

    #[test]
    fn a_source_that_is_set_is_not_guessed() {
        // Half-width kana in Shift_JIS that are also valid EUC-JP and look like kanji there.
        let bytes = b"\xb1\xb2\xb3\xb4";
        assert_eq!(decode(bytes, Some(Charset::ShiftJis)).text, "ｱｲｳｴ");
        assert_eq!(decode(bytes, Some(Charset::EucJp)).encoding, Some("euc-jp"));
        // What is not of the set encoding is guessed after all.
        assert_eq!(decode("山田".as_bytes(), Some(Charset::Iso2022Jp)).text, "山田");
        assert_eq!(decode(b"plain", Some(Charset::ShiftJis)).encoding, None);
        assert_eq!(decode("山田".as_bytes(), Some(Charset::Utf8)).encoding, None);
        for charset in Charset::ALL {
            assert_eq!(Charset::parse(charset.as_str()), Some(charset));
        }
    }

    #[test]
    fn messages_are_shown_readable() {
        for (text, shown) in [
            ("a#011b#015#012c", "a\tb\nc"),
            ("ticket #012 of sato", "ticket #012 of sato"),
            ("#0123 and #0156", "\n3 and 6"),
            ("a\u{0}b\u{1b}[31m\r\nc\td", "a b [31m\nc\td"),
            ("山田", "山田"),
        ] {
            assert_eq!(readable(text), shown, "{text}");
        }
    }

    #[test]
    fn utf16_by_its_mark() {
        check(b"\xFF\xFE\x71\x5C\x30\x75a\0\r\0", "山田a", Some("utf-16le"), false);
        check(b"\xFE\xFF\x5C\x71\x75\x30\0a", "山田a", Some("utf-16be"), false);
        check(b"\xFF\xFE\x71\x5C\x30", "山", Some("utf-16le"), true);
        check(b"\xFF\xFE", "", Some("utf-16le"), false);
    }

    #[test]
    fn euc_jp_is_told_from_cp932_by_its_kana() {
        check(
            b"\xa5\xed\xa5\xb0\xa5\xa4\xa5\xf3\xbc\xba\xc7\xd4\xa4\xb7\xa4\xde\xa4\xb7\xa4\xbf",
            "ログイン失敗しました",
            Some("euc-jp"),
            false,
        );
    }

    #[test]
    fn iso_2022_jp_by_its_escape() {
        check(b"\x1b$B;3ED\x1b(B login", "山田 login", Some("iso-2022-jp"), false);
    }

    #[test]
    fn a_cut_inside_a_character_loses_only_that_character() {
        check(&"患者 山田".as_bytes()[..12], "患者 山", None, true);
        check(b"\x8eR\x93c \x91", "山田 ", Some("shift_jis"), true);
        check("山田\u{0}".as_bytes(), "山田", None, false);
    }

    #[test]
    fn one_broken_byte_does_not_make_utf8_another_encoding() {
        let mut bytes = "ログイン失敗 ".as_bytes().to_vec();
        bytes.push(0xE5);
        bytes.extend(" 山田".as_bytes());
        let decoded = decode(&bytes, None);
        assert_eq!((decoded.encoding, decoded.damaged), (None, true));
        assert!(decoded.text.contains("ログイン失敗") && decoded.text.contains("山田"));
    }
}
