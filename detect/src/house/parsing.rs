//! How well a source is understood, by the day: a device whose program was updated may write otherwise from one day to
//! the next, and what is not understood is not judged.

use std::collections::VecDeque;

use monban_event::{Event, ParseStatus};
use serde::{Deserialize, Serialize};

use super::clock::Told;

const KIND: &str = "parsing";
/// Fewer records in a day that were not understood are odd lines, as any device writes.
const UNREAD_LEAST: u64 = 10;
/// The day's part is news where it is so many times the usual one: a device that we never understood is no news.
const TIMES_USUAL: u64 = 2;
/// Days that the usual part is the median of.
const DAYS: usize = 14;
/// Of so many days it must be known that lines used to be understood whole, where they still have a header that is.
const DAYS_LEAST: usize = 3;
/// … and so few of a thousand were not. Servers write much that nobody needs to understand.
const HEADER_USUAL_MAX: u64 = 10;
const THOUSAND: u64 = 1_000;

/// Records, those of which only the header was understood, and those of which nothing was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Parsing {
    all: u64,
    header: u64,
    raw: u64,
    /// Of earlier days, of a thousand: only the header, and nothing.
    days: VecDeque<(u64, u64)>,
}

impl Parsing {
    pub(super) fn note(&mut self, event: &Event) {
        self.all += 1;
        match event.parse_status {
            Some(ParseStatus::Raw) => self.raw += 1,
            Some(ParseStatus::Header) => self.header += 1,
            _ => {}
        }
    }

    /// The day is over.
    pub(super) fn close(&mut self) -> Vec<Told> {
        let (all, header, raw) = (self.all, self.header, self.raw);
        (self.all, self.header, self.raw) = (0, 0, 0);
        let (Some(header_part), Some(raw_part)) = (part(header, all), part(raw, all)) else { return Vec::new() };
        let usual = |of: fn(&(u64, u64)) -> u64| median(self.days.iter().map(of).collect());
        let (header_usual, raw_usual) = (usual(|day| day.0), usual(|day| day.1));
        let is_known = self.days.len() >= DAYS_LEAST && header_usual < HEADER_USUAL_MAX;
        let told = [
            told("raw", (raw, raw_part, raw_usual)),
            told("header", (header, header_part, header_usual)).filter(|_| is_known),
        ];
        if self.days.len() >= DAYS {
            self.days.pop_front();
        }
        self.days.push_back((header_part, raw_part));
        told.into_iter().flatten().collect()
    }
}

fn told(form: &str, (count, part, usual): (u64, u64, u64)) -> Option<Told> {
    let is_news = count >= UNREAD_LEAST && part > 0 && part >= usual * TIMES_USUAL;
    let words = if form == "raw" { "読み取れません" } else { "見出ししか読み取れません" };
    is_news.then(|| {
        let said = vec![
            ("parsing.form", form.to_owned()),
            ("parsing.count", count.to_string()),
            ("parsing.percent", percent(part)),
            ("parsing.usual", percent(usual)),
            ("parsing.words", words.to_owned()),
        ];
        (KIND, said)
    })
}

/// Of a thousand.
fn part(count: u64, all: u64) -> Option<u64> {
    count.saturating_mul(THOUSAND).checked_div(all)
}

fn percent(part: u64) -> String {
    format!("{}.{}", part / 10, part % 10)
}

fn median(mut parts: Vec<u64>) -> u64 {
    parts.sort_unstable();
    parts.get(parts.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(parsing: &mut Parsing, full: u64, header: u64, raw: u64) -> Vec<String> {
        let kinds = [(full, ParseStatus::Full), (header, ParseStatus::Header), (raw, ParseStatus::Raw)];
        for (count, status) in kinds {
            let event = Event { parse_status: Some(status), ..Event::default() };
            (0..count).for_each(|_| parsing.note(&event));
        }
        let words = |(_, said): Told| said.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>().join(" ");
        parsing.close().into_iter().map(words).collect()
    }

    #[test]
    fn what_is_understood_no_more_is_told_on_the_day_it_begins() {
        let mut parsing = Parsing::default();
        for _ in 0..4 {
            assert_eq!(day(&mut parsing, 1_000, 3, 2), [""; 0]);
        }
        assert_eq!(day(&mut parsing, 900, 0, 100), ["raw 100 10.0 0.1 読み取れません"]);
        assert_eq!(day(&mut parsing, 0, 1_000, 0), ["header 1000 100.0 0.2 見出ししか読み取れません"]);
        assert_eq!(day(&mut parsing, 0, 0, 0), [""; 0]);
    }

    #[test]
    fn a_device_that_was_never_understood_is_told_once_and_one_with_a_header_never() {
        let mut unknown = Parsing::default();
        assert_eq!(day(&mut unknown, 0, 0, 50), ["raw 50 100.0 0.0 読み取れません"]);
        let mut server = Parsing::default();
        for _ in 0..30 {
            assert_eq!(day(&mut unknown, 0, 0, 80), [""; 0]);
            assert_eq!(day(&mut server, 100, 400, 0), [""; 0]);
        }
        assert_eq!(unknown.days.len(), DAYS);
    }

    #[test]
    fn a_few_odd_lines_are_no_news() {
        assert_eq!(day(&mut Parsing::default(), 100, 0, 9), [""; 0]);
    }
}
