//! The one way from a record's bytes to a screen or a file. Text is decoded and shown as it came; passwords that
//! devices write into their logs are blotted out, and that is said.

use std::borrow::Cow;

use encoding_rs::Encoding;
use monban_event::redact::redact;
use monban_event::{Event, Format, Record};

use crate::limits::RAW_SHOWN_BYTES;

/// A record's text, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawText {
    pub(crate) text: String,
    /// What was done to it or left out, in Japanese.
    pub(crate) notes: Vec<String>,
}

pub(crate) fn render_raw(record: &Record, event: Option<&Event>) -> RawText {
    if record.format == Format::EvtxChunk {
        let note = format!("Windows イベントログの塊（{} バイト）です。項目は上の表にあります。", record.bytes.len());
        let text =
            event.and_then(|event| event.message.as_deref()).map(|text| redact(text).into_owned()).unwrap_or_default();
        return RawText { text, notes: vec![note] };
    }
    let shown = record.bytes.get(..RAW_SHOWN_BYTES).unwrap_or(&record.bytes);
    let (decoded, mut notes) = decode(shown, event.and_then(|event| event.original_encoding.as_deref()));
    let text = redact(&decoded);
    if matches!(text, Cow::Owned(_)) {
        notes.push("パスワードにあたる部分を伏せて表示しています。".to_owned());
    }
    if shown.len() < record.bytes.len() {
        notes.push(format!("{} バイトのうち最初の {} バイトです。", record.bytes.len(), shown.len()));
    }
    RawText { text: text.into_owned(), notes }
}

/// A record's text alone, as files and the command line get it.
pub fn raw_text(record: &Record, event: &Event) -> String {
    render_raw(record, Some(event)).text
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> RawText {
        let record = Record {
            received_at: chrono::DateTime::UNIX_EPOCH,
            origin: monban_event::Origin::Live,
            transport: monban_event::Transport::Udp,
            peer: None,
            identity: None,
            format: Format::Syslog,
            file: None,
            bytes: bytes.to_vec(),
            cut: false,
        };
        render_raw(&record, None)
    }

    #[test]
    fn secrets_are_blotted_and_that_is_said() {
        let raw = shown("user=sato password=ひみつ ip=192.0.2.1".as_bytes());
        assert_eq!((raw.text.as_str(), raw.notes.len()), ("user=sato password=******** ip=192.0.2.1", 1));
        let raw = shown("Failed password for 山田 from 192.0.2.1".as_bytes());
        assert_eq!((raw.text.as_str(), raw.notes.len()), ("Failed password for 山田 from 192.0.2.1", 0));
    }
}
