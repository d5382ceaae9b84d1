//! Patterns with `*` for any run and `?` for one character.

/// A folded pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob(Vec<char>);

impl Glob {
    pub(crate) fn new(pattern: &str) -> Self {
        let mut chars: Vec<char> = pattern.chars().collect();
        chars.dedup_by(|a, b| *a == '*' && *b == '*');
        Self(chars)
    }

    /// What every match begins with.
    pub(crate) fn literal_prefix(&self) -> String {
        self.0.iter().take_while(|char| !matches!(char, '*' | '?')).collect()
    }

    /// Whether the whole text matches. Takes at most pattern × text steps, whatever both are.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let pattern = &self.0;
        let text: Vec<char> = text.chars().collect();
        let (mut p, mut t) = (0, 0);
        // Where to go on when a guess was wrong: behind the last star, one character further into the text.
        let mut star: Option<(usize, usize)> = None;
        while t < text.len() {
            match pattern.get(p) {
                Some('*') => {
                    star = Some((p + 1, t));
                    p += 1;
                }
                Some(&char) if char == '?' || text.get(t) == Some(&char) => {
                    p += 1;
                    t += 1;
                }
                _ => {
                    let Some((after, from)) = star else { return false };
                    star = Some((after, from + 1));
                    p = after;
                    t = from + 1;
                }
            }
        }
        pattern.get(p..).is_none_or(|rest| rest.iter().all(|&char| char == '*'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expect) in [
            ("tan*", "tanaka", true),
            ("*naka", "tanaka", true),
            ("svc_?", "svc_1", true),
            ("svc_?", "svc_12", false),
            ("*a*a*", "tanaka", true),
            ("*b*", "tanaka", false),
            ("**", "", true),
            ("", "", true),
            ("?", "山", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), expect, "{pattern} {text}");
        }
    }
}
