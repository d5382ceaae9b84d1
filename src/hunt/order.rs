//! The order in which files are read, which is the order of the journal that a hunt does not have: by the time of each
//! file's first event, then by name. What earlier lines say of later ones depends on it, so it must not depend on how
//! the files were named or found. A file that is named twice is read once.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use monban_event::time::TimeRule;
use monban_event::{Event, Format, RecordId};
use monban_ingest::Parsers;
use monban_ingest::evtx::first_written;
use monban_ingest::file::{FileRecords, Found, InputFile, Receipt};

/// Records at the beginning of a file in which its first time is looked for: further down it is no beginning.
const LOOK_RECORDS: usize = 20;

/// Brings what was found into its order.
pub(super) fn settle(found: &mut Found, parsers: &Parsers, receipt: &Receipt) {
    let mut once: BTreeMap<(PathBuf, String), InputFile> = BTreeMap::new();
    for file in std::mem::take(&mut found.files) {
        let place = place(&file);
        match once.get(&place) {
            Some(known) if known.shown <= file.shown => {}
            _ => drop(once.insert(place, file)),
        }
    }
    found.files = once.into_values().collect();
    // Files without a time come last: nothing says that anything came after them.
    found.files.sort_by_cached_key(|file| {
        let time = first_time(file, parsers, receipt);
        (Reverse(time.map(Reverse)), file.shown.clone())
    });
    found.passed_over.sort();
    found.passed_over.dedup();
    found.refused.sort();
    found.refused.dedup();
}

/// Where a log is, however it was named: the file on disk and the way inside it.
fn place(file: &InputFile) -> (PathBuf, String) {
    let named = file.path.to_string_lossy();
    let inside = file.shown.strip_prefix(named.as_ref()).unwrap_or_default();
    (fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone()), inside.to_owned())
}

/// When the files were complete, which stands for the time of receipt: the latest time at which one of them was
/// written, and no later than now. A second run over the same files takes the same.
pub(super) fn received_at(files: &[InputFile], now: DateTime<Utc>) -> DateTime<Utc> {
    let written = |file: &InputFile| fs::metadata(&file.path).and_then(|facts| facts.modified()).ok();
    files.iter().filter_map(written).max().map_or(now, |latest| DateTime::from(latest).min(now))
}

fn first_time(file: &InputFile, parsers: &Parsers, receipt: &Receipt) -> Option<DateTime<Utc>> {
    let records = FileRecords::open(file, receipt.clone()).ok()?;
    let mut events = Vec::new();
    for record in records.take(LOOK_RECORDS) {
        let record = record.ok()?;
        if record.format == Format::EvtxChunk {
            return first_written(&record.bytes);
        }
        parsers.read(RecordId(0), &record, &mut events);
        if let Some(time) = events.iter().find_map(own_time) {
            return Some(time);
        }
        events.clear();
    }
    None
}

fn own_time(event: &Event) -> Option<DateTime<Utc>> {
    event.event_time.filter(|_| event.time_rule.is_some_and(|rule| rule != TimeRule::Receive))
}

#[cfg(test)]
mod tests {
    use monban_ingest::TextSettings;
    use monban_ingest::file::find;

    use super::*;

    fn settled(paths: &[PathBuf]) -> Vec<String> {
        let mut found = find(paths).unwrap();
        let parsers = Parsers { settings: TextSettings::in_zone(chrono_tz::Asia::Tokyo) };
        let receipt = Receipt { received_at: "2026-11-01T00:00:00Z".parse().unwrap(), ..Receipt::default() };
        settle(&mut found, &parsers, &receipt);
        let name = |file: &InputFile| file.path.file_name().unwrap().to_string_lossy().into_owned();
        found.files.iter().map(name).collect()
    }

    #[test]
    fn files_stand_by_their_first_time_however_they_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            fs::write(dir.path().join(name), text).unwrap();
            dir.path().join(name)
        };
        let late = write("a.log", "<38>Oct 26 12:00:00 fs01 sshd[7]: a\n");
        let early = write("b.log", "no time at first\n<38>Oct 25 12:00:00 fs01 sshd[7]: b\n");
        let timeless = write("0.log", "no time at all\n");
        let expected = ["b.log", "a.log", "0.log"];
        assert_eq!(settled(&[dir.path().to_owned()]), expected);
        assert_eq!(settled(&[timeless, late.clone(), early.clone(), dir.path().to_owned()]), expected);
        assert_eq!(settled(&[late.clone(), early, late]), expected[..2]);
    }

    #[test]
    fn files_were_received_when_the_last_of_them_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        fs::write(&path, "x").unwrap();
        let written: DateTime<Utc> = fs::metadata(&path).unwrap().modified().unwrap().into();
        let files = find(&[path]).unwrap().files;
        assert_eq!(received_at(&files, DateTime::<Utc>::MAX_UTC), written);
        assert_eq!(received_at(&files, DateTime::UNIX_EPOCH), DateTime::UNIX_EPOCH, "a clock ahead of ours");
    }
}
