//! Record numbers that an event log skips. A log counts every event it writes, so a hole is worth knowing: an export was
//! filtered, the log was written while it was copied, or somebody took something out. A hole is a note, never damage.

use std::fmt;

/// Runs of numbers held of one file; a file with more holes than this is a filtered export.
const RUNS_MAX: usize = 20_000;

/// Holes that are named; the others are counted.
const HOLES_LISTED_MAX: usize = 5;

/// Where the records of a chunk begin, and the fixed part of one: mark, size, number.
const FIRST_RECORD: usize = 512;
const RECORD_MARK: &[u8] = b"**\0\0";
const RECORD_BYTES_MIN: usize = 24;

/// The numbers seen in one file, as runs in the order in which they came: a log that wrapped begins in its middle.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    runs: Vec<(u64, u64)>,
    overflowed: bool,
}

impl Numbers {
    /// Takes in the numbers of a chunk's records.
    pub(super) fn chunk(&mut self, bytes: &[u8]) {
        let mut at = FIRST_RECORD;
        while let Some((number, size)) = record(bytes, at) {
            self.push(number);
            at += size;
        }
    }

    fn push(&mut self, number: u64) {
        let has_room = self.runs.len() < RUNS_MAX;
        match self.runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ if has_room => self.runs.push((number, number)),
            _ => self.overflowed = true,
        }
    }

    /// The holes between the lowest and the highest number; `None` where there are none.
    pub(super) fn holes(&self) -> Option<Holes> {
        let mut runs = self.runs.clone();
        runs.sort_unstable();
        let mut holes = Holes { listed: Vec::new(), places: 0, missing: 0, is_more: self.overflowed };
        let mut reached = runs.first()?.1;
        for (first, last) in runs {
            if first > reached.saturating_add(1) {
                holes.add(reached + 1, first - 1);
            }
            reached = reached.max(last);
        }
        (holes.places > 0).then_some(holes)
    }
}

/// Number and size of the record that stands here.
fn record(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let header = bytes.get(at..at.checked_add(RECORD_BYTES_MIN)?)?;
    header.starts_with(RECORD_MARK).then_some(())?;
    let size = u32::from_le_bytes(header.get(4..8)?.try_into().ok()?);
    let number = u64::from_le_bytes(header.get(8..16)?.try_into().ok()?);
    Some((number, usize::try_from(size).ok().filter(|&size| size >= RECORD_BYTES_MIN)?))
}

/// Written in Japanese: `記録番号の抜け: 1234–1250 (17 件)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holes {
    listed: Vec<(u64, u64)>,
    places: u64,
    missing: u64,
    is_more: bool,
}

impl Holes {
    fn add(&mut self, first: u64, last: u64) {
        self.places += 1;
        self.missing = self.missing.saturating_add((last - first).saturating_add(1));
        if self.listed.len() < HOLES_LISTED_MAX {
            self.listed.push((first, last));
        }
    }
}

impl fmt::Display for Holes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |(first, last): &(u64, u64)| {
            let count = (last - first).saturating_add(1);
            if first == last { format!("{first} (1 件)") } else { format!("{first}–{last} ({count} 件)") }
        };
        write!(f, "記録番号の抜け: {}", self.listed.iter().map(one).collect::<Vec<_>>().join("、"))?;
        let unlisted = self.places - self.listed.len() as u64;
        if unlisted > 0 {
            let least = if self.is_more { "以上" } else { "" };
            write!(f, " ほか {unlisted} か所{least}、合計 {} 件{least}", self.missing)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evtx::sample::{chunk, logon};

    fn told(chunks: &[(u64, usize)]) -> Option<String> {
        let mut numbers = Numbers::default();
        for &(first, count) in chunks {
            let events: Vec<_> = (0..count).map(|_| logon("yamada", "192.0.2.1")).collect();
            numbers.chunk(&chunk(first, &events));
        }
        numbers.holes().map(|holes| holes.to_string())
    }

    #[test]
    fn a_log_without_holes_says_nothing() {
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[(1234, 3), (1237, 2)]), None);
        // Wrapped: the newest chunks stand in front of the oldest.
        assert_eq!(told(&[(104, 4), (100, 4)]), None);
        assert_eq!(told(&[(100, 4), (102, 4)]), None);
    }

    #[test]
    fn holes_are_listed_and_the_rest_counted() {
        assert_eq!(told(&[(1230, 4), (1251, 1)]).as_deref(), Some("記録番号の抜け: 1234–1250 (17 件)"));
        assert_eq!(told(&[(1, 1), (3, 1)]).as_deref(), Some("記録番号の抜け: 2 (1 件)"));
        let many: Vec<_> = (0..8).map(|at| (at * 10, 1)).collect();
        let text = told(&many).expect("holes");
        assert!(text.ends_with("31–39 (9 件)、41–49 (9 件) ほか 2 か所、合計 63 件"), "{text}");
    }

    #[test]
    fn garbage_is_no_record() {
        let mut numbers = Numbers::default();
        for bytes in [vec![], vec![0xff; 70_000], [vec![0; 512], RECORD_MARK.to_vec(), vec![0; 100]].concat()] {
            numbers.chunk(&bytes);
        }
        assert_eq!(numbers.holes(), None);
        numbers.push(0);
        numbers.push(u64::MAX);
        assert!(numbers.holes().is_some());
    }
}
