//! The one line that stands for a Windows event in lists and in full-text search: provider, number, and what it says.
//! The text Windows would show needs the message files of that machine, which a copied log does not bring along.

use monban_event::Event;
use monban_event::limits::MESSAGE_BYTES_MAX;

use super::flatten::WindowsFields;

/// Longest value shown in the line, in bytes. Script blocks and command lines go on for pages; the record keeps them.
const VALUE_BYTES_MAX: usize = 2048;

pub(super) fn compose(event: &Event, windows: &WindowsFields) -> String {
    let provider = event.winlog_provider.as_deref().unwrap_or("Windows");
    let mut line = format!("{provider} {}", event.code.as_deref().unwrap_or(""));
    for (name, value) in windows.data() {
        if line.len() >= MESSAGE_BYTES_MAX {
            break;
        }
        if !matches!(value.trim(), "" | "-" | "0x0" | "{00000000-0000-0000-0000-000000000000}") {
            push(&mut line, name, value);
        }
    }
    cut(&mut line, MESSAGE_BYTES_MAX);
    line
}

fn push(line: &mut String, name: &str, value: &str) {
    line.push(' ');
    if name != "Data" {
        line.push_str(name);
        line.push('=');
    }
    let start = line.len();
    for (index, word) in value.split_whitespace().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() - start > VALUE_BYTES_MAX {
            cut(line, start + VALUE_BYTES_MAX);
            return;
        }
    }
}

/// Cuts at a character boundary.
pub(super) fn cut(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::event;
    use super::*;

    #[test]
    fn the_line_holds_what_the_event_says_and_nothing_empty() {
        let event = event(
            "Security",
            4624,
            &json!({"TargetUserName": "山田", "WorkstationName": "-", "Data": ["a\r\n b", ""]}),
        );
        assert_eq!(event.message.as_deref(), Some("Maker-Of-Events 4624 TargetUserName=山田 a b"));
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let event = event("Security", 1, &json!({"Script": "あ".repeat(VALUE_BYTES_MAX), "After": "見える"}));
        let message = event.message.expect("a message");
        assert!(message.ends_with("あ After=見える") && message.len() < VALUE_BYTES_MAX + 100, "{}", message.len());
        let words = vec!["語 ".repeat(VALUE_BYTES_MAX); 40];
        assert!(
            super::super::sample::event("Security", 1, &json!({"Data": words}))
                .message
                .is_some_and(|text| text.len() <= MESSAGE_BYTES_MAX)
        );
    }
}
