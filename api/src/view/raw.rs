//! The one way from a record's bytes to a screen or a file. Text is decoded and shown as it came; passwords that
//! devices write into their logs are blotted out, and that is said.

use encoding_rs::Encoding;
use monban_event::{Event, Format, Record};

use crate::limits::RAW_SHOWN_BYTES;

/// A record's text, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawText {
    pub(crate) text: String,
    /// What was done to it or left out, in Japanese.
    pub(crate) notes: Vec<String>,
}

/// Keys whose value is a secret. Compared in lower case; what follows them up to a space, comma or quote is blotted.
const SECRET_KEYS: [&str; 8] =
    ["password=", "password:", "passwd=", "passwd:", "pwd=", "passphrase=", "psksecret=", "pre-shared-key "];

const BLOT: &str = "＊＊＊（伏字）";

pub(crate) fn render_raw(record: &Record, event: Option<&Event>) -> RawText {
    if record.format == Format::EvtxChunk {
        let note = format!("Windows イベントログの塊（{} バイト）です。項目は上の表にあります。", record.bytes.len());
        let text = event.and_then(|event| event.message.as_deref()).map(|text| blot(text).0).unwrap_or_default();
        return RawText { text, notes: vec![note] };
    }
    let shown = record.bytes.get(..RAW_SHOWN_BYTES).unwrap_or(&record.bytes);
    let (decoded, mut notes) = decode(shown, event.and_then(|event| event.original_encoding.as_deref()));
    let (text, blotted) = blot(&decoded);
    if blotted {
        notes.push("パスワードにあたる部分を伏せて表示しています。".to_owned());
    }
    if shown.len() < record.bytes.len() {
        notes.push(format!("{} バイトのうち最初の {} バイトです。", record.bytes.len(), shown.len()));
    }
    RawText { text, notes }
}

fn decode(bytes: &[u8], encoding: Option<&str>) -> (String, Vec<String>) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (text.to_owned(), Vec::new());
    }
    let known = encoding.and_then(|name| Encoding::for_label(name.as_bytes()));
    let Some(encoding) = known else {
        let note = "文字コードが分からない部分を「\u{fffd}」で表しています。".to_owned();
        return (String::from_utf8_lossy(bytes).into_owned(), vec![note]);
    };
    let (text, _, damaged) = encoding.decode(bytes);
    let mut notes = vec![format!("文字コード {} から変換して表示しています。", encoding.name())];
    if damaged {
        notes.push("読めない文字を「\u{fffd}」で表しています。".to_owned());
    }
    (text.into_owned(), notes)
}

/// The text with secrets blotted out, and whether there were any.
pub(crate) fn blot(text: &str) -> (String, bool) {
    let lower = text.to_ascii_lowercase();
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    let mut blotted = false;
    while let Some((key_end, value_end)) = next_secret(&lower, at) {
        shown.push_str(text.get(at..key_end).unwrap_or_default());
        if value_end > key_end {
            shown.push_str(BLOT);
            blotted = true;
        }
        at = value_end;
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    (shown, blotted)
}

/// Where the next secret's value begins and ends. ASCII lower-casing keeps every byte in its place, so positions in
/// the lowered text are positions in the text.
fn next_secret(lower: &str, at: usize) -> Option<(usize, usize)> {
    let rest = lower.get(at..)?;
    let ends = SECRET_KEYS.iter().filter_map(|key| rest.find(key).map(|found| at + found + key.len()));
    let key_end = ends.min()?;
    let value = lower.get(key_end..)?;
    let quoted = value.starts_with('"');
    let start = if quoted { key_end + 1 } else { key_end };
    let value = lower.get(start..)?;
    let is_end = |character: char| if quoted { character == '"' } else { " ,;\"'&\r\n\t".contains(character) };
    let length = value.find(is_end).unwrap_or(value.len());
    Some((start, start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blotted_and_the_rest_stays() {
        for (text, shown) in [
            ("user=a password=geheim ip=1", "user=a password=＊＊＊（伏字） ip=1"),
            ("Passwd=\"a b\" x", "Passwd=\"＊＊＊（伏字）\" x"),
            ("山田 pwd=ひみつ,次", "山田 pwd=＊＊＊（伏字）,次"),
            ("password=", "password="),
            ("Failed password for 山田 from 192.0.2.1", "Failed password for 山田 from 192.0.2.1"),
        ] {
            assert_eq!(blot(text).0, shown);
        }
    }

    #[test]
    fn blotting_ends_on_any_text() {
        for text in ["pwd=pwd=pwd=", "pwd=\"", "password=\"\"\"", "ｐwd=あ"] {
            assert!(blot(text).0.len() <= text.len() + 3 * BLOT.len(), "{text}");
        }
    }
}
