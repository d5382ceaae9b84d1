//! Which formats a line can be of. Owns one pass over the line that finds the marks of all of them at once: sixty parsers
//! that each look for a few words of their own would read it two hundred times.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::PARSERS;
use super::draft::Draft;
use crate::header::Header;

/// Fills the draft when the body is of its format, and says whether it was; a format that is not there leaves the draft
/// as it found it.
pub(super) type Parser = fn(&Header<'_>, &mut Draft<'_>) -> bool;

/// A parser, and the marks of which at least one stands in every line that is its own.
pub(super) struct Format {
    marks: &'static [&'static [&'static str]],
    pub(super) parse: Parser,
}

/// A format that is told by the header, or by a test as cheap as a mark.
pub(super) const fn always(parse: Parser) -> Format {
    Format { marks: &[], parse }
}

pub(super) const fn marked(parse: Parser, marks: &'static [&'static [&'static str]]) -> Format {
    Format { marks, parse }
}

/// Some of the formats, by their places in [`PARSERS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Formats(u128);

const _: () = assert!(PARSERS.len() < 128, "a bit for each format");

pub(super) const ALL: Formats = Formats((1 << PARSERS.len()) - 1);

impl Formats {
    /// In the order in which they are asked.
    pub(super) fn iter(self) -> impl Iterator<Item = &'static Format> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let format = PARSERS.get(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(format)
        })
    }
}

/// All marks at once, and whose each of them is.
struct Marks {
    finder: AhoCorasick,
    owners: Vec<u128>,
    unmarked: u128,
}

static MARKS: LazyLock<Marks> = LazyLock::new(|| {
    let mut marks: Vec<&'static str> = Vec::new();
    let (mut owners, mut unmarked): (Vec<u128>, u128) = (Vec::new(), 0);
    for (at, format) in PARSERS.iter().enumerate() {
        let owner = 1 << at;
        if format.marks.is_empty() {
            unmarked |= owner;
        }
        for mark in format.marks.iter().copied().flatten() {
            let known = marks.iter().position(|known| known == mark);
            if let Some(owners) = known.and_then(|place| owners.get_mut(place)) {
                *owners |= owner;
            } else {
                marks.push(mark);
                owners.push(owner);
            }
        }
    }
    let finder = AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .build(marks)
        .expect("a few hundred short marks make a small automaton");
    Marks { finder, owners, unmarked }
});

/// The formats that a line may be of: those whose mark stands in it, and those that have none.
pub(super) fn formats_in(text: &str) -> Formats {
    let marks = &*MARKS;
    let owner = |found: aho_corasick::Match| marks.owners.get(found.pattern().as_usize()).copied().unwrap_or(0);
    Formats(marks.finder.find_overlapping_iter(text).fold(marks.unmarked, |formats, found| formats | owner(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_asks_its_format_wherever_it_stands() {
        for (at, format) in PARSERS.iter().enumerate() {
            for mark in format.marks.iter().copied().flatten() {
                for text in [(*mark).to_owned(), format!("山田{mark}佐藤"), format!("{mark}{mark}")] {
                    assert_ne!(formats_in(&text).0 & (1 << at), 0, "{text}");
                }
            }
        }
    }

    #[test]
    fn a_line_without_marks_asks_only_the_formats_that_have_none() {
        let unmarked = PARSERS.iter().filter(|format| format.marks.is_empty()).count();
        assert_eq!(formats_in("zzz").iter().count(), unmarked);
        assert_eq!(ALL.iter().count(), PARSERS.len());
    }
}
