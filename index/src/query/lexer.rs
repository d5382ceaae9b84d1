//! The characters of a query with full-width signs made half-width one by one, so that positions stay those of the
//! text as typed.

/// A query's text and where reading stands.
pub(crate) struct Cursor {
    chars: Vec<char>,
    /// As typed, in the same places.
    typed: Vec<char>,
    pub(crate) at: usize,
}

impl Cursor {
    pub(crate) fn new(text: &str) -> Self {
        Self { chars: text.chars().map(narrow).collect(), typed: text.chars().collect(), at: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.chars.len()
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.get(self.at)
    }

    pub(crate) fn get(&self, at: usize) -> Option<char> {
        self.chars.get(at).copied()
    }

    /// The character as typed, for text that must stay what it is.
    pub(crate) fn typed(&self, at: usize) -> Option<char> {
        self.typed.get(at).copied()
    }

    pub(crate) fn slice(&self, from: usize, to: usize) -> String {
        self.chars.get(from..to.min(self.chars.len())).unwrap_or_default().iter().collect()
    }

    pub(crate) fn starts_with(&self, at: usize, text: &str) -> bool {
        text.chars().enumerate().all(|(offset, char)| self.get(at + offset) == Some(char))
    }

    pub(crate) fn skip_space(&mut self) {
        self.at = self.behind_space(self.at);
    }

    pub(crate) fn behind_space(&self, from: usize) -> usize {
        (from..self.len()).find(|&at| self.get(at).is_some_and(|char| !char.is_whitespace())).unwrap_or(self.len())
    }

    /// The end of the word that begins at `from`: up to a space, a parenthesis, a quote or a doubled sign.
    pub(crate) fn word_end(&self, from: usize) -> usize {
        (from..self.len()).find(|&at| self.ends_word(at, from)).unwrap_or(self.len())
    }

    fn ends_word(&self, at: usize, from: usize) -> bool {
        let doubled = at > from && (self.starts_with(at, "&&") || self.starts_with(at, "||"));
        doubled || self.get(at).is_none_or(|char| char.is_whitespace() || matches!(char, '(' | ')' | '"'))
    }
}

/// Whether a character stands for a quotation mark.
pub(crate) fn is_quote(char: char) -> bool {
    narrow(char) == '"'
}

/// The half-width form of the signs a Japanese keyboard gives.
fn narrow(char: char) -> char {
    match char {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(char) - 0xfee0).unwrap_or(char),
        '\u{3000}' => ' ',
        '“' | '”' | '„' => '"',
        '−' => '-',
        '〜' => '~',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_signs_keep_their_place() {
        let cursor = Cursor::new("ｕｓｅｒ：（田中　ＯＲ ｓａｔｏ）");
        assert_eq!(cursor.slice(0, cursor.len()), "user:(田中 OR sato)");
        assert_eq!(cursor.word_end(6), 8);
    }
}
