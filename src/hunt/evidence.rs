//! What stands behind findings. Findings name their evidence by record and place; the files are read once more for just
//! those records, so that nothing has to be held while the hunt goes on.

use std::collections::{BTreeMap, BTreeSet};

use monban_event::{Event, EventId, RecordId};
use monban_index::export::Columns;
use monban_ingest::file::{FileRecords, InputFile, Receipt};

use super::crew::Knowledge;

/// Longest text shown of an event, in characters: a line, not a script.
const TEXT_CHARS_MAX: usize = 300;

/// Which file each record number belongs to.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Number of the first record of each file, rising, and the file.
    firsts: Vec<(u64, usize)>,
}

impl Places {
    /// Files come in the order of reading; one without records takes no number.
    pub(super) fn note(&mut self, first: u64, file: usize) {
        if self.firsts.last().is_some_and(|(known, _)| *known == first) {
            self.firsts.pop();
        }
        self.firsts.push((first, file));
    }

    /// The file that holds the record, and the number of its first.
    pub(super) fn of(&self, record: RecordId) -> Option<(usize, u64)> {
        let behind = self.firsts.partition_point(|(first, _)| *first <= record.0);
        self.firsts.get(behind.checked_sub(1)?).map(|&(first, file)| (file, first))
    }
}

/// What is shown of an event: the cells of [`columns`].
pub(super) type Shown = BTreeMap<EventId, Vec<String>>;

/// What is shown of evidence.
pub(super) fn columns() -> Columns {
    Columns::read("日時,機器,利用者,操作,結果,接続元,番号,本文").expect("these columns are all known")
}

/// Reads the events again. What cannot be read any more is left out.
pub(super) fn read(
    knowledge: &Knowledge,
    (files, receipt): (&[InputFile], &Receipt),
    places: &Places,
    wanted: &BTreeSet<EventId>,
) -> Shown {
    let mut by_file: BTreeMap<(usize, u64), BTreeSet<u64>> = BTreeMap::new();
    for event in wanted {
        if let Some(place) = places.of(event.record) {
            by_file.entry(place).or_default().insert(event.record.0);
        }
    }
    let columns = columns();
    let mut shown = Shown::new();
    for ((file, first), numbers) in by_file {
        let opened = files.get(file).and_then(|file| FileRecords::open(file, receipt.clone()).ok());
        let Some(last) = numbers.last().filter(|_| opened.is_some()).copied() else { continue };
        let numbered = opened.into_iter().flatten().zip(first..=last);
        let mut events = Vec::new();
        for (record, number) in numbered.filter(|(_, number)| numbers.contains(number)) {
            if let Ok(record) = record {
                knowledge.parsers.read(RecordId(number), &record, &mut events);
            }
        }
        let mut of_file = |event: Event| shown.insert(event.id, cells(&columns, &event));
        events.into_iter().filter(|event| wanted.contains(&event.id)).for_each(|event| drop(of_file(event)));
    }
    shown
}

fn cells(columns: &Columns, event: &Event) -> Vec<String> {
    let cut = |cell: String| match cell.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", cell.get(..end).unwrap_or_default()),
        None => cell,
    };
    columns.cells(event).into_iter().map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_in_the_file_that_began_last_before_it() {
        let mut places = Places::default();
        // The second file is empty.
        for (first, file) in [(1, 0), (4, 1), (4, 2), (9, 3)] {
            places.note(first, file);
        }
        let of = |record: u64| places.of(RecordId(record));
        assert_eq!([of(0), of(1), of(3)], [None, Some((0, 1)), Some((0, 1))]);
        assert_eq!([of(4), of(8), of(9)], [Some((2, 4)), Some((2, 4)), Some((3, 9))]);
    }
}
