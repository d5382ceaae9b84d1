//! The curated text of an event and how it is cut into words. One pure function of the event and one tokenizer serve
//! the index, the planner and the evaluator on whole events, so that the three cannot disagree.
//!
//! ASCII letters, digits and `_` form words. Runs of other letters are cut into overlapping pairs, and the last
//! character of a run stands alone: every character begins exactly one token, so one typed character is a prefix of
//! tokens and a longer piece is a phrase of pairs. Positions rise by one a token and skip one between values, so a
//! phrase never spans two values. The whole line is *not* indexed: at 617 bytes it costs ten times as much as what
//! people look for in it.

use monban_event::{Event, account};

/// Separates values in the curated text; a phrase does not match across it.
pub(crate) const GAP: char = '\u{1f}';

/// Longest ASCII word kept, in bytes; longer ones (base64, hashes) compare by their first 64 bytes on both sides.
const WORD_BYTES_MAX: usize = 64;

/// Longest curated text of one event, in bytes. A Windows message is about 2 KiB; beyond 8 KiB are dumps and traces,
/// whose tail is found with `raw:`.
const CURATED_BYTES_MAX: usize = 8 * 1024;

/// From this many native fields on, a parser has taken the message apart and its text is chosen by field name.
const NATIVE_FIELDS_MANY: usize = 8;

/// A message up to this many bytes is taken whole even where its fields are known: sshd, ASA and Yamaha lines.
const MESSAGE_WHOLE_BYTES_MAX: usize = 200;

/// A token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) position: usize,
    /// Byte offset behind the token in the folded text.
    pub(crate) end: usize,
}

impl Token<'_> {
    /// One character of a run of non-ASCII text.
    fn is_single(&self) -> bool {
        !self.text.is_ascii() && self.text.chars().count() == 1
    }
}

/// Cuts folded text into tokens.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    position: usize,
}

impl<'a> Tokens<'a> {
    /// `text` must be folded ([`account::fold`]); unfolded text gives tokens that nothing matches.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, position: 0 }
    }

    fn emit(&mut self, from: usize, to: usize) -> Option<Token<'a>> {
        let text = self.text.get(from..to)?;
        let position = self.position;
        self.position += 1;
        Some(Token { text, position, end: to })
    }

    fn ascii_word(&mut self) -> Option<Token<'a>> {
        let from = self.at;
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        let length = rest.iter().position(|&byte| !is_word_byte(byte)).unwrap_or(rest.len());
        self.at = from + length;
        self.emit(from, from + length.min(WORD_BYTES_MAX))
    }

    fn pair(&mut self, first: char) -> Option<Token<'a>> {
        let from = self.at;
        self.at += first.len_utf8();
        let next = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        let to = match next {
            Some(next) if is_run_char(next) => self.at + next.len_utf8(),
            _ => self.at,
        };
        self.emit(from, to)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if is_word_byte(byte) {
                return self.ascii_word();
            }
            if byte.is_ascii() {
                self.position += usize::from(char::from(byte) == GAP);
                self.at += 1;
                continue;
            }
            let char = self.text.get(self.at..)?.chars().next()?;
            if is_run_char(char) {
                return self.pair(char);
            }
            self.at += char.len_utf8();
        }
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_run_char(char: char) -> bool {
    !char.is_ascii() && char.is_alphanumeric()
}

/// What a typed piece of text asks of the tokens of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phrase {
    /// Words and their distance from the first.
    pub(crate) words: Vec<(usize, String)>,
    /// The last word is only the beginning of one.
    pub(crate) open_end: bool,
}

impl Phrase {
    /// `prefix`: the text ended in `*`.
    pub(crate) fn new(text: &str, prefix: bool) -> Self {
        let folded = account::fold(text);
        let mut tokens: Vec<Token<'_>> = Tokens::new(&folded).collect();
        let open_end = match tokens.as_slice() {
            [.., pair, last] if last.is_single() && pair.end == last.end => {
                // The run may go on in the event; its last character alone would say that it ends here.
                tokens.pop();
                false
            }
            [.., last] => last.is_single() || (prefix && last.text.is_ascii()),
            [] => false,
        };
        let first = tokens.first().map_or(0, |token| token.position);
        let words = tokens.iter().map(|token| (token.position - first, token.text.to_owned())).collect();
        Self { words, open_end }
    }

    /// Whether the tokens of one event hold it. Without words it asks nothing.
    pub(crate) fn matches(&self, tokens: &[Token<'_>]) -> bool {
        self.words.is_empty() || (0..tokens.len()).any(|start| self.matches_at(tokens, start))
    }

    fn matches_at(&self, tokens: &[Token<'_>], start: usize) -> bool {
        let base = tokens.get(start).map_or(0, |token| token.position);
        let last = self.words.len() - 1;
        self.words.iter().enumerate().all(|(index, (distance, word))| {
            tokens.get(start + index).is_some_and(|token| {
                let same = if self.open_end && index == last {
                    token.text.starts_with(word.as_str())
                } else {
                    token.text == word
                };
                same && token.position == base + distance
            })
        })
    }
}

/// What free words are looked for in: the curated text of an event, folded.
pub fn curated_text(event: &Event) -> String {
    let mut text = String::new();
    curate(event, &mut text);
    text
}

/// Appends the curated text of an event to `out`, folded.
pub(crate) fn curate(event: &Event, out: &mut String) {
    let start = out.len();
    push(out, event.user_raw.as_deref().or(event.user_name.as_deref()));
    push(out, event.user_target_name.as_deref());
    push(out, event.host_name.as_deref());
    push(out, event.observer_hostname.as_deref());
    push(out, event.source_domain.as_deref());
    push(out, event.process_name.as_deref());
    push(out, event.process_command_line.as_deref());
    push(out, event.process_parent_command_line.as_deref());
    let message = event.message.as_deref().unwrap_or("");
    if event.native.len() < NATIVE_FIELDS_MANY || message.len() <= MESSAGE_WHOLE_BYTES_MAX {
        push(out, event.message.as_deref());
        push(out, event.reason.as_deref().filter(|reason| !message.contains(*reason)));
    } else {
        push(out, event.reason.as_deref());
        push_foreign_runs(out, start, message);
    }
    if event.native.len() >= NATIVE_FIELDS_MANY {
        push_native(out, event);
    }
    cut(out, start + CURATED_BYTES_MAX);
}

fn push(out: &mut String, value: Option<&str>) {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return };
    let from = out.len();
    if value.is_ascii() {
        out.push_str(value);
        if let Some(tail) = out.get_mut(from..) {
            tail.make_ascii_lowercase();
        }
    } else {
        out.push_str(&account::fold(value));
    }
    out.push(GAP);
}

/// Native fields that say something in words. Windows events have no text of their own, so there every value counts
/// that is not an identifier.
fn push_native(out: &mut String, event: &Event) {
    let windows = event.module.as_deref() == Some("windows");
    for (name, value) in event.native.iter() {
        if if windows { is_windows_text(value) } else { is_text_field(name) } {
            push(out, Some(value));
        }
    }
}

fn is_text_field(name: &str) -> bool {
    matches!(
        name,
        "msg"
            | "logdesc"
            | "message"
            | "desc"
            | "description"
            | "action"
            | "status"
            | "subject"
            | "url"
            | "hostname"
            | "app"
            | "attack"
            | "virus"
            | "filename"
            | "file"
            | "cmd"
            | "command"
            | "cfgpath"
            | "cfgobj"
            | "cfgattr"
            | "ui"
            | "group"
    )
}

fn is_windows_text(value: &str) -> bool {
    !["S-1-", "{", "0x", "%%"].iter().any(|start| value.starts_with(start)) && value.len() > 1
}

/// Runs of Japanese anywhere in a long message, where the chosen fields do not hold them already.
fn push_foreign_runs(out: &mut String, start: usize, message: &str) {
    if message.is_ascii() {
        return;
    }
    for run in message.split(|char: char| char.is_ascii()).filter(|run| !run.is_empty()) {
        let folded = account::fold(run);
        if !out.get(start..).is_some_and(|text| text.contains(&folded)) {
            out.push_str(&folded);
            out.push(GAP);
        }
        if out.len() > start + CURATED_BYTES_MAX {
            return;
        }
    }
}

fn cut(out: &mut String, at: usize) {
    if out.len() > at {
        out.truncate(out.floor_char_boundary(at));
    }
}

/// Tantivy's view of [`Tokens`].
#[derive(Clone, Default)]
pub(crate) struct CuratedTokenizer {
    token: tantivy::tokenizer::Token,
}

pub(crate) struct CuratedTokenStream<'a> {
    tokens: Tokens<'a>,
    token: &'a mut tantivy::tokenizer::Token,
}

impl tantivy::tokenizer::Tokenizer for CuratedTokenizer {
    type TokenStream<'a> = CuratedTokenStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> CuratedTokenStream<'a> {
        self.token.reset();
        CuratedTokenStream { tokens: Tokens::new(text), token: &mut self.token }
    }
}

impl tantivy::tokenizer::TokenStream for CuratedTokenStream<'_> {
    fn advance(&mut self) -> bool {
        let Some(token) = self.tokens.next() else { return false };
        self.token.text.clear();
        self.token.text.push_str(token.text);
        self.token.position = token.position;
        self.token.offset_to = token.end;
        self.token.offset_from = token.end.saturating_sub(token.text.len());
        true
    }

    fn token(&self) -> &tantivy::tokenizer::Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut tantivy::tokenizer::Token {
        self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(usize, String)> {
        Tokens::new(&account::fold(text)).map(|token| (token.position, token.text.to_owned())).collect()
    }

    fn found(typed: &str, text: &str) -> bool {
        let folded = account::fold(text);
        Phrase::new(typed, false).matches(&Tokens::new(&folded).collect::<Vec<_>>())
    }

    #[test]
    fn words_and_pairs() {
        let expected = [(0, "dc01"), (1, "ログ"), (2, "グオ"), (3, "オン"), (4, "ン"), (5, "4625")];
        assert_eq!(words("DC01 ﾛｸﾞｵﾝ:4625"), expected.map(|(at, word)| (at, word.to_owned())));
    }

    #[test]
    fn pieces_of_japanese_are_found_and_others_are_not() {
        for typed in
            ["ログオン失敗", "ログ", "ロ", "ﾛｸﾞｵﾝ", "敗", "失敗 4625", "オン", "Failed password", "PASSWORD for"]
        {
            assert!(found(typed, "DC01 ログオン失敗 4625: Failed password for root"), "{typed}");
        }
        for typed in ["ログ失敗", "ログオ 失敗", "passw", "password Failed", "グロ", "失敗 for"] {
            assert!(!found(typed, "DC01 ログオン失敗 4625: Failed password for root"), "{typed}");
        }
    }

    #[test]
    fn a_phrase_does_not_span_values() {
        assert!(found("b c", "a b c"));
        assert!(!found("b c", "a b\u{1f}c"));
    }

    #[test]
    fn a_long_key_value_line_gives_only_its_words_and_its_japanese() {
        let event = Event {
            message: Some(format!("date=2026-10-05 {} user=\"tanaka\" group=\"医事課\"", "x=1 ".repeat(60))),
            native: (0..10).map(|n| (format!("k{n}"), "value")).chain([("msg".to_owned(), "Tunnel UP")]).collect(),
            ..Event::default()
        };
        let mut text = String::new();
        curate(&event, &mut text);
        assert_eq!(text, "医事課\u{1f}tunnel up\u{1f}");
    }
}
