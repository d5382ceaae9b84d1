//! Bytes of a file from a hospital's office → text. Excel writes UTF-8 with a mark, PowerShell UTF-16LE or CP932, a
//! Mac UTF-8 without a mark. Never fails: what cannot be read becomes U+FFFD and the caller is told the line.

use encoding_rs::{Encoding, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE};

/// A decoded file and the lines (from 1) that hold bytes its encoding does not know.
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) damaged_lines: Vec<u64>,
}

pub(super) fn decode(bytes: &[u8]) -> Decoded {
    let encoding = guess(bytes);
    let (text, damaged) = encoding.decode_with_bom_removal(bytes);
    let damaged_lines = if damaged { lines_with_replacement(&text) } else { Vec::new() };
    Decoded { text: text.into_owned(), damaged_lines }
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    if let Some(wide) = guess_wide(bytes) {
        return wide;
    }
    if std::str::from_utf8(bytes).is_ok() { UTF_8 } else { SHIFT_JIS }
}

/// UTF-16 without a mark: CSV and TOML have ASCII commas and line ends, whose other byte is zero; no other encoding
/// here has zero bytes at all.
fn guess_wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let zero_at = bytes.iter().position(|&byte| byte == 0)?;
    Some(if zero_at % 2 == 1 { UTF_16LE } else { UTF_16BE })
}

fn lines_with_replacement(text: &str) -> Vec<u64> {
    (1..).zip(text.lines()).filter(|(_, line)| line.contains('\u{FFFD}')).map(|(number, _)| number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_in_every_encoding_an_office_uses() {
        let text = "氏名,ADアカウント\r\n髙橋 花子,hanako\r\n";
        let utf16 = |mark: &[u8]| -> Vec<u8> {
            mark.iter().copied().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
        };
        let with_mark: Vec<u8> = [b"\xEF\xBB\xBF".as_slice(), text.as_bytes()].concat();
        let cp932 = SHIFT_JIS.encode(text).0.into_owned();
        for bytes in [text.as_bytes().to_vec(), with_mark, utf16(b"\xFF\xFE"), utf16(b""), cp932] {
            let decoded = decode(&bytes);
            assert_eq!(decoded.text, text);
            assert_eq!(decoded.damaged_lines, [0u64; 0]);
        }
    }

    #[test]
    fn damaged_bytes_are_named_by_line() {
        let decoded = decode(b"a,b\n\x93\xfa,c\n\x81\xff\xff,d\n");
        assert_eq!(decoded.damaged_lines, [3]);
        assert!(decoded.text.contains('日'));
    }
}
