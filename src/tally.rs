//! What one step of the pipeline adds to the ledger's counts, gathered in memory and written once.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use monban_event::time::finding_day;
use monban_event::{Event, Login, Origin, ParseStatus, Record, RecordId};
use monban_index::ledger::{AccountTally, LedgerBatch, LedgerError, SourceTally};

use crate::redetect::{self, DAYS_BACK_MAX};

/// What the configuration calls sources, by the id they are counted under.
pub(crate) type SourceNames = BTreeMap<String, String>;

/// A source that names nothing: no peer, no host, no file.
const NOBODY: &str = "unknown";

#[derive(Default)]
struct ImportTally {
    next_index: u64,
    accepted: u64,
    duplicate: u64,
    damage: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Tallies {
    names: Arc<SourceNames>,
    sources: BTreeMap<String, SourceTally>,
    accounts: BTreeMap<String, AccountTally>,
    imports: BTreeMap<RecordId, ImportTally>,
    /// Days that were over when something of them came: the first and the last record of each, and whether that was an import.
    late: BTreeMap<NaiveDate, (RecordId, RecordId, Origin)>,
}

impl Tallies {
    pub(crate) fn named(names: &Arc<SourceNames>) -> Self {
        Self { names: Arc::clone(names), ..Self::default() }
    }

    pub(crate) fn event(&mut self, record: &Record, event: &Event) {
        let id = event.source_id.as_deref().unwrap_or(NOBODY);
        if !self.sources.contains_key(id) {
            let name = self.names.get(id).cloned();
            self.sources.insert(id.to_owned(), SourceTally { name, ..first_tally(record, event) });
        }
        if let Some(tally) = self.sources.get_mut(id) {
            count_source(tally, record, event);
        }
        self.count_account(event);
        self.note_day(record, event);
    }

    fn note_day(&mut self, record: &Record, event: &Event) {
        let (day, oldest) = (finding_day(event.time()), finding_day(record.received_at) - Days::new(DAYS_BACK_MAX));
        if day >= oldest && redetect::is_over(day, record.received_at) {
            let id = event.id.record;
            self.late.entry(day).and_modify(|(_, last, _)| *last = id).or_insert((id, id, record.origin));
        }
    }

    pub(crate) fn record(&mut self, record: &Record, accepted: usize, duplicate: usize, damage: Vec<String>) {
        let Some(file) = &record.file else { return };
        let tally = self.imports.entry(file.import).or_default();
        tally.next_index = tally.next_index.max(file.index + 1);
        tally.accepted += accepted as u64;
        tally.duplicate += duplicate as u64;
        tally.damage.extend(damage);
    }

    fn count_account(&mut self, event: &Event) {
        let (Some(login), Some(user)) = (event.login, &event.user_name) else { return };
        let time = event.time();
        let tally = self
            .accounts
            .entry(user.clone())
            .or_insert_with(|| AccountTally { first_seen: time, ..AccountTally::default() });
        tally.first_seen = tally.first_seen.min(time);
        tally.class = event.account_class.clone().or_else(|| tally.class.take());
        tally.state = event.account_state.clone().or_else(|| tally.state.take());
        match login {
            Login::Success => {
                tally.successes += 1;
                tally.last_success = tally.last_success.max(Some(time));
            }
            Login::Failure => {
                tally.failures += 1;
                tally.last_failure = tally.last_failure.max(Some(time));
            }
            Login::Repeat => {}
        }
    }

    pub(crate) fn write(&self, batch: &mut LedgerBatch<'_>) -> Result<(), LedgerError> {
        self.sources.iter().try_for_each(|(id, tally)| batch.tally_source(id, tally))?;
        self.accounts.iter().try_for_each(|(key, tally)| batch.tally_account(key, tally))?;
        for (&import, tally) in &self.imports {
            batch.count_import(import, tally.next_index, tally.accepted, tally.duplicate)?;
            batch.note_damage(import, &tally.damage)?;
        }
        for (&day, &(first, last, origin)) in &self.late {
            let cause = if origin == Origin::Import { "取り込んだ記録" } else { "遅れて届いた記録" };
            batch.mark_day(day, first, cause)?;
            batch.mark_day(day, last, cause)?;
        }
        Ok(())
    }
}

fn first_tally(record: &Record, event: &Event) -> SourceTally {
    SourceTally {
        first_seen: record.received_at,
        last_seen: record.received_at,
        last_event: event.time(),
        ..SourceTally::default()
    }
}

fn count_source(tally: &mut SourceTally, record: &Record, event: &Event) {
    let raw = u64::from(event.parse_status == Some(ParseStatus::Raw));
    let time = event.time();
    tally.records += 1;
    tally.unparsed += raw;
    tally.first_seen = tally.first_seen.min(record.received_at);
    tally.last_seen = tally.last_seen.max(record.received_at);
    tally.last_event = tally.last_event.max(time);
    // The last word counts, so that it does not matter which events share a step.
    (tally.transport, tally.origin) = (record.transport.as_str(), origin_word(record.origin));
    put(&mut tally.host, event.device());
    put(&mut tally.module, event.module.as_deref());
    put(&mut tally.vendor, event.observer_vendor.as_deref());
    put(&mut tally.product, event.observer_product.as_deref());
    tally.peer = record.peer.map(|peer| peer.ip()).or(tally.peer);
    let counted_at = if record.origin == Origin::Import { time } else { record.received_at };
    let hour = tally.hours.entry(counted_at.timestamp().div_euclid(3600)).or_default();
    hour.0 += 1;
    hour.1 += raw;
    if record.origin != Origin::Import {
        let skew_us = (record.received_at - time).num_microseconds().unwrap_or(i64::MAX / 4);
        tally.skew_sum_us = tally.skew_sum_us.saturating_add(skew_us);
        tally.skew_max_us = tally.skew_max_us.max(skew_us.saturating_abs());
        tally.skew_count += 1;
    }
}

fn put(place: &mut Option<String>, value: Option<&str>) {
    if value.is_some() && place.as_deref() != value {
        *place = value.map(str::to_owned);
    }
}

fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Live => "live",
        Origin::Import => "import",
        Origin::Demo => "demo",
    }
}
