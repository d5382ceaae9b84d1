//! Bytes of one line into text. Owns the guess of the encoding: UTF-8 where it is valid, else the reading that looks
//! most like Japanese among CP932, EUC-JP and damaged UTF-8. It must never drop the line: bytes that fit nothing become
//! U+FFFD and the line is noted as damaged. The record keeps the bytes themselves.

use std::borrow::Cow;

use encoding_rs::{EUC_JP, Encoding, ISO_2022_JP, SHIFT_JIS};

/// A line as text, and what had to be done for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    pub text: Cow<'a, str>,
    /// IANA name in lower case; `None` for UTF-8.
    pub encoding: Option<&'static str>,
    /// Some bytes fitted no character, or the line ends inside one.
    pub damaged: bool,
}

/// Strips what framing leaves behind (BOM, trailing NUL, CR, LF) and decodes the rest.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let bytes = strip(bytes);
    match std::str::from_utf8(bytes) {
        Ok(_) if has_iso_2022_escape(bytes) => read(bytes, ISO_2022_JP, "iso-2022-jp"),
        Ok(text) => Decoded { text: Cow::Borrowed(text), encoding: None, damaged: false },
        Err(error) => decode_legacy(bytes, error),
    }
}

fn strip(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // Senders that end lines with LF CR leave the CR to the next line.
    let start = bytes.iter().take_while(|&&byte| byte == b'\r').count();
    let bytes = bytes.get(start..).unwrap_or_default();
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
        let decoded = decode(bytes);
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
        let decoded = decode(&bytes);
        assert_eq!((decoded.encoding, decoded.damaged), (None, true));
        assert!(decoded.text.contains("ログイン失敗") && decoded.text.contains("山田"));
    }
}
