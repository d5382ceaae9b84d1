//! What is done once a night by the hospital's clock: the disk is measured, what is past its time is deleted and told,
//! and what takes no more events is queued for merging. The pipeline runs it when it has read everything, because only
//! then it knows every hold. A machine that is switched off at night does it when it is started.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use chrono::{DateTime, Days, Months, TimeDelta, Utc};
use monban_event::act::{Deed, Kept};
use monban_event::time::{jst_date, jst_midnight};
use monban_event::{Act, Clock, RecordId, SinkRefused, TimeRange};
use monban_index::journal::{Entry, Family, Journal, JournalError};
use monban_index::ledger::{DiskDay, Ledger, LedgerError};
use monban_index::partition::{Expired, PartitionError, Partitions};

use crate::config::Retention;

/// The quietest hour of a hospital; the last records of the day before are long indexed.
const HOUR: TimeDelta = TimeDelta::hours(2);

/// Event times lie at most so far after receipt, or they are nobody's month. What a hold keeps may thus have been
/// received so long before its period.
const AHEAD_MAX: TimeDelta = TimeDelta::days(62);

/// A disk this full is told: what is left may be eaten by one day of an attack.
pub(crate) const FULL_PERCENT: u64 = 90;

/// The disk's growth is that of so many days: a whole number of weeks, for hospitals rest on Sundays.
const GROWTH_DAYS: u64 = 14;

#[derive(Debug, thiserror::Error)]
pub(crate) enum NightError {
    #[error("measure the data directory {path}")]
    Measure { path: PathBuf, source: io::Error },
    #[error("put on record what is deleted")]
    Told(#[from] SinkRefused),
    #[error("ask the ledger")]
    Ledger(#[from] LedgerError),
    #[error("delete index partitions")]
    Index(#[from] PartitionError),
    #[error("delete segments of the journal")]
    Journal(#[from] JournalError),
}

/// Before these moments everything is past its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) searchable: DateTime<Utc>,
    pub(crate) records: DateTime<Utc>,
    pub(crate) reports: DateTime<Utc>,
}

impl Due {
    /// Whole days in Japan. Segments of the journal go oldest first, so a hold keeps all that came after its beginning.
    pub(crate) fn at(now: DateTime<Utc>, retention: &Retention, held: &[TimeRange]) -> Self {
        let ago =
            |months: Months| jst_date(now).checked_sub_months(months).map_or(DateTime::<Utc>::MIN_UTC, jst_midnight);
        let held_from =
            held.iter().map(|held| held.from.map_or(DateTime::<Utc>::MIN_UTC, |from| from - AHEAD_MAX)).min();
        let unheld = |time: DateTime<Utc>| held_from.map_or(time, |from| from.min(time));
        Self {
            searchable: ago(retention.searchable),
            records: unheld(ago(retention.records)),
            reports: unheld(ago(retention.reports)),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Night {
    dir: PathBuf,
    retention: Retention,
    next: DateTime<Utc>,
}

/// What the night's work is done on.
pub(crate) struct House<'a> {
    pub(crate) journal: &'a Journal,
    pub(crate) ledger: &'a Ledger,
    pub(crate) partitions: &'a mut Partitions,
    pub(crate) clock: &'a dyn Clock,
}

impl Night {
    pub(crate) fn new(dir: &Path, retention: Retention) -> Self {
        Self { dir: dir.to_owned(), retention, next: DateTime::<Utc>::MIN_UTC }
    }

    /// Whether the night's work is due, once for each night.
    pub(crate) fn begins(&mut self, now: DateTime<Utc>) -> bool {
        let begins = now >= self.next;
        if begins {
            self.next = next_night(now);
        }
        begins
    }

    /// One part that fails keeps nobody from the next, and is tried again the next night.
    pub(crate) fn work(&self, house: &mut House<'_>) {
        let now = house.clock.now();
        if let Err(error) = self.measure(house.ledger, now) {
            tracing::warn!(
                error = crate::error_chain(&error),
                "the disk's use could not be noted; its forecast is a day older"
            );
        }
        if let Err(error) = self.remove_index(house, now) {
            tracing::error!(error = crate::error_chain(&error), "index partitions past their time are still there");
        }
        for (family, what) in [(Family::Records, Kept::Records), (Family::Acts, Kept::Acts)] {
            if let Err(error) = self.remove_segments(house, family, what, now) {
                let error = crate::error_chain(&error);
                tracing::error!(error, "segments of the journal past their time are still there");
            }
        }
        house.partitions.queue_closed(jst_date(now));
    }

    fn measure(&self, ledger: &Ledger, now: DateTime<Utc>) -> Result<(), NightError> {
        let failed = |source| NightError::Measure { path: self.dir.clone(), source };
        let used = bytes_below(&self.dir).map_err(failed)?;
        ledger.note_disk(DiskDay { date: jst_date(now), used })?;
        let room = Room::of(&self.dir).map_err(failed)?;
        if room.percent_full() >= FULL_PERCENT {
            tracing::info!(
                percent = room.percent_full(),
                free_bytes = room.free,
                "the disk is nearly full; nothing within its retention is deleted for it"
            );
        }
        Ok(())
    }

    /// Whole segments of the journal, oldest first. The act names them, so that the check of the journal knows that their
    /// numbers are gone for a reason.
    fn remove_segments(
        &self,
        house: &House<'_>,
        family: Family,
        what: Kept,
        now: DateTime<Utc>,
    ) -> Result<(), NightError> {
        let held: Vec<TimeRange> = house.ledger.read()?.holds()?.into_iter().map(|hold| hold.period).collect();
        let due = Due::at(now, &self.retention, &held);
        let cutoff = if what == Kept::Records { due.records } else { due.reports };
        let Some(expired) = house.journal.expired(family, cutoff)? else { return Ok(()) };
        let deed = Deed::Removed {
            what,
            parts: expired.names(),
            count: expired.last.0 + 1 - expired.first.0,
            period: TimeRange::between(expired.from, expired.to),
        };
        put_on_record(house.journal, Act { at: now, by: "monban".to_owned(), deed })?;
        Ok(house.journal.remove(&expired)?)
    }

    /// On record first: a stop in between is told twice, but nothing ever goes untold.
    fn remove_index(&self, house: &mut House<'_>, now: DateTime<Utc>) -> Result<(), NightError> {
        let held: Vec<TimeRange> = house.ledger.read()?.holds()?.into_iter().map(|hold| hold.period).collect();
        let due = Due::at(now, &self.retention, &held);
        let journal = house.journal;
        let expired = house.partitions.expired(due.searchable, &held, &|id| arrival(journal, id))?;
        if expired.is_empty() {
            return Ok(());
        }
        let ends = expired.iter().map(Expired::period);
        let deed = Deed::Removed {
            what: Kept::Index,
            parts: expired.iter().map(Expired::name).collect(),
            count: expired.iter().map(|expired| expired.events).sum(),
            period: TimeRange {
                from: ends.clone().filter_map(|range| range.from).min(),
                to: ends.filter_map(|range| range.to).max(),
            },
        };
        put_on_record(house.journal, Act { at: now, by: "monban".to_owned(), deed })?;
        Ok(house.partitions.remove(&expired)?)
    }
}

/// When the night's work was last due.
pub(crate) fn last_night(now: DateTime<Utc>) -> DateTime<Utc> {
    next_night(now) - TimeDelta::days(1)
}

fn next_night(now: DateTime<Utc>) -> DateTime<Utc> {
    let tonight = jst_midnight(jst_date(now)) + HOUR;
    if now < tonight { tonight } else { tonight + TimeDelta::days(1) }
}

/// When a record or an act came; `None` where the journal no longer has it.
pub(crate) fn arrival(journal: &Journal, id: RecordId) -> Option<DateTime<Utc>> {
    match journal.read(id).ok()?? {
        Entry::Record(record) => Some(record.received_at),
        Entry::Act(act) => Some(act.at),
    }
}

/// Waits until it is durable, and not for the tables: it is they who wait for us.
fn put_on_record(journal: &Journal, act: Act) -> Result<RecordId, SinkRefused> {
    let (sender, receiver) = mpsc::channel();
    journal.submit_acts(vec![act], Box::new(move |result| drop(sender.send(result))));
    receiver.recv().unwrap_or(Err(SinkRefused::Closed))
}

/// The disk that holds the data directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) total: u64,
    /// For us; the system may keep some for itself.
    pub(crate) free: u64,
}

impl Room {
    pub(crate) fn of(dir: &Path) -> io::Result<Self> {
        let disk = nix::sys::statvfs::statvfs(dir)?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.fragment_size());
        Ok(Self { total: bytes(disk.blocks()), free: bytes(disk.blocks_available()) })
    }

    pub(crate) fn percent_full(&self) -> u64 {
        let used = u128::from(self.total.saturating_sub(self.free));
        u64::try_from((used * 100).checked_div(u128::from(self.total)).unwrap_or(0)).unwrap_or(100)
    }
}

/// How the data directory grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Growth {
    /// Bytes at the last look.
    pub(crate) used: u64,
    /// Bytes a day over the last two weeks; `None` before the second night.
    pub(crate) per_day: Option<i64>,
}

impl Growth {
    pub(crate) fn noted(ledger: &Ledger, now: DateTime<Utc>) -> Result<Self, LedgerError> {
        let since = jst_date(now).checked_sub_days(Days::new(GROWTH_DAYS)).unwrap_or_default();
        Ok(Self::over(&ledger.disk_days(since)?))
    }

    fn over(nights: &[DiskDay]) -> Self {
        let (Some(first), Some(last)) = (nights.first(), nights.last()) else { return Self::default() };
        let days = last.date.signed_duration_since(first.date).num_days();
        let grown = last.used.cast_signed().saturating_sub(first.used.cast_signed());
        Self { used: last.used, per_day: grown.checked_div(days) }
    }

    /// Days until the room is used up; `None` while nothing grows.
    pub(crate) fn days_left(&self, room: Room) -> Option<u64> {
        let per_day = u64::try_from(self.per_day?).ok().filter(|&per_day| per_day > 0)?;
        Some(room.free / per_day)
    }
}

/// Bytes of all files below a folder. What goes away meanwhile counts nothing.
fn bytes_below(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let size = match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
            Ok(meta) => Ok(meta.len()),
            Err(error) => Err(error),
        };
        match size {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            size => bytes += size?,
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::NaiveDate;
    use monban_event::{Event, EventId, SimulatedClock};
    use monban_index::journal::TailItem;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_work_is_done_once_a_night_and_at_a_start() {
        let mut night = Night::new(Path::new("data"), Retention::default());
        let begins: Vec<bool> = [
            "2026-10-05T15:00:00+09:00",
            "2026-10-06T01:59:59+09:00",
            "2026-10-06T02:00:00+09:00",
            "2026-10-06T02:00:01+09:00",
            "2026-10-09T01:00:00+09:00",
            "2026-10-09T02:00:00+09:00",
        ]
        .into_iter()
        .map(|time| night.begins(at(time)))
        .collect();
        assert_eq!(begins, [true, false, true, false, true, true]);
    }

    fn event(record: u64, time: &str) -> Event {
        let time = Some(at(time));
        Event { id: EventId::new(RecordId(record), 0), event_time: time, ingested: time, ..Event::default() }
    }

    fn removals(journal: &Journal) -> Vec<Deed> {
        let mut tail = journal.tail(RecordId(0)).unwrap();
        let mut deeds = Vec::new();
        while let Some(item) = tail.next(journal.durable()).unwrap() {
            if let TailItem::Entry(_, Entry::Act(act)) = item {
                deeds.push(act.deed);
            }
        }
        deeds
    }

    #[test]
    fn what_is_past_its_time_goes_and_is_told_unless_it_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SimulatedClock::at(at("2026-10-06T02:00:00+09:00")));
        let (journal, _) = Journal::open(&dir.path().join("journal"), clock.clone()).unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).unwrap();
        let mut partitions = Partitions::open(&dir.path().join("index")).unwrap();
        for (record, time) in [(1, "2025-08-01T10:00:00Z"), (2, "2025-08-01T11:00:00Z"), (3, "2026-10-05T11:00:00Z")] {
            partitions.add(&event(record, time)).unwrap();
        }
        partitions.commit(RecordId(3)).unwrap();
        let decide = |record: u64, deed| {
            let act = Act { at: clock.now(), by: "console".to_owned(), deed };
            ledger.apply(RecordId(record), |batch| batch.apply_act(RecordId(record), &act)).unwrap();
        };
        let night = Night::new(dir.path(), Retention::default());
        let mut work = || {
            let mut house =
                House { journal: &journal, ledger: &ledger, partitions: &mut partitions, clock: clock.as_ref() };
            night.work(&mut house);
            (partitions.reader().events().unwrap(), removals(&journal))
        };
        let name = "調査".to_owned();
        let period = TimeRange::between(at("2025-08-01T10:30:00Z"), at("2025-08-01T10:31:00Z"));
        decide(4, Deed::HoldAdded { name: name.clone(), reason: "訴訟".to_owned(), period });
        assert_eq!(work(), (3, vec![]));
        decide(5, Deed::HoldReleased { name, reason: "終結".to_owned() });
        let (left, told) = work();
        assert_eq!(left, 1);
        let [Deed::Removed { what: Kept::Index, parts, count: 2, period: told }] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!(parts[..], ["2025-08-01"]);
        assert!(told.contains(period.from.unwrap()));
        let nights = ledger.disk_days(NaiveDate::default()).unwrap();
        assert_eq!(nights.iter().map(|night| night.date).collect::<Vec<_>>(), [jst_date(clock.now())]);
        assert!(nights[0].used > 0);
    }

    #[test]
    fn segments_past_their_time_go_and_the_journal_stays_whole() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SimulatedClock::at(at("2023-01-05T12:00:00+09:00")));
        let (journal, _) = Journal::open(&dir.path().join("journal"), clock.clone()).unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).unwrap();
        let mut partitions = Partitions::open(&dir.path().join("index")).unwrap();
        let record = || monban_event::Record {
            received_at: clock.now(),
            origin: monban_event::Origin::Live,
            transport: monban_event::Transport::Udp,
            peer: None,
            identity: None,
            format: monban_event::Format::Syslog,
            file: None,
            bytes: b"x".to_vec(),
            cut: false,
        };
        for time in ["2023-01-05T12:00:00+09:00", "2023-06-01T12:00:00+09:00", "2026-10-05T12:00:00+09:00"] {
            clock.set(at(time));
            let (sender, receiver) = mpsc::channel();
            let done: monban_event::sink::Done = Box::new(move |result| drop(sender.send(result)));
            monban_event::RecordSink::submit(&journal, monban_event::Lane::Live, vec![record()], done);
            receiver.recv().unwrap().unwrap();
        }
        clock.set(at("2026-10-06T02:00:00+09:00"));
        let mut house =
            House { journal: &journal, ledger: &ledger, partitions: &mut partitions, clock: clock.as_ref() };
        Night::new(dir.path(), Retention::default()).work(&mut house);
        let told: Vec<Deed> =
            removals(&journal).into_iter().filter(|deed| matches!(deed, Deed::Removed { .. })).collect();
        let [Deed::Removed { what: Kept::Records, count: 1, .. }] = &told[..] else { panic!("{told:?}") };
        assert_eq!(journal.read(RecordId(1)).unwrap(), None);
        assert!(journal.read(RecordId(2)).unwrap().is_some());
        let checked =
            monban_index::journal::Proofs::verify(&journal, &monban_index::journal::verify::Wanted::default()).unwrap();
        assert_eq!(checked.faults, []);
    }

    #[test]
    fn due_are_whole_days_and_holds_keep_the_journal() {
        let now = at("2026-11-28T02:00:00+09:00");
        let due = Due::at(now, &Retention::default(), &[]);
        assert_eq!(due.searchable, at("2025-10-28T00:00:00+09:00"));
        assert_eq!(due.records, at("2023-11-28T00:00:00+09:00"));
        assert_eq!(due.reports, at("2021-11-28T00:00:00+09:00"));
        let held = [TimeRange::between(at("2022-03-04T00:00:00+09:00"), at("2022-03-05T00:00:00+09:00"))];
        let due = Due::at(now, &Retention::default(), &held);
        assert_eq!(due.searchable, at("2025-10-28T00:00:00+09:00"));
        assert_eq!(due.records, at("2022-01-01T00:00:00+09:00"));
        assert_eq!(due.reports, at("2021-11-28T00:00:00+09:00"));
        let open = [TimeRange { from: None, to: held[0].to }];
        assert_eq!(Due::at(now, &Retention::default(), &open).reports, DateTime::<Utc>::MIN_UTC);
    }

    #[test]
    fn the_forecast_is_the_free_room_over_the_growth() {
        let night = |day: u64, used| DiskDay { date: jst_date(at("2026-10-01T12:00:00Z")) + Days::new(day), used };
        let room = Room { total: 1_000, free: 300 };
        assert_eq!(Growth::over(&[]).days_left(room), None);
        assert_eq!(Growth::over(&[night(0, 500)]), Growth { used: 500, per_day: None });
        let growth = Growth::over(&[night(0, 400), night(3, 450), night(7, 470)]);
        assert_eq!(growth, Growth { used: 470, per_day: Some(10) });
        assert_eq!(growth.days_left(room), Some(30));
        assert_eq!(Growth::over(&[night(0, 400), night(7, 300)]).days_left(room), None);
        assert_eq!((room.percent_full(), Room::default().percent_full()), (70, 0));
    }
}
