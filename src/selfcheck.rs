//! The program checks its own journal, once a night: all that was journaled since the check before, and of what is older
//! a part by turns, so that every part comes round. A thread of its own beside the pipeline, which reads files only and
//! waits for nobody; what it found is one act, which the pipeline takes like any other.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use monban_api::CheckHealth;
use monban_event::act::{Damage, Deed};
use monban_event::{ActSink, RecordId, SinkRefused, TimeRange};
use monban_index::journal::verify::{Fault, Verification, Wanted, part_end, verify_while};
use monban_index::journal::{JournalError, retired_by};
use monban_index::ledger::{LedgerError, TrailRow};

use crate::cli::verify::what;
use crate::night::last_night;
use crate::node::Node;

/// Of what is older so much is read in a night, as it is on disk: half a minute of one processor (50 MB of sealed segments
/// take 0.6 s). Three years of a hospital that keeps 60 GB come round within a month.
const TURN_BYTES: u64 = 2 << 30;
/// What was journaled before the first check of all counts as old, but for this.
const FIRST: TimeDelta = TimeDelta::days(1);
/// How often it is looked whether a check is due; and so long after a start a machine has better things to do.
const LOOK_EVERY: Duration = Duration::from_mins(5);
/// With more than this before it the pipeline needs both processors.
const BEHIND_MAX: u64 = 4_000;
/// Places told in an act; where there are more, the first matter.
const PLACES_MAX: usize = 20;
/// Checks that the health page looks back over for damage: about a year of nights.
const CHECKS_SHOWN: usize = 400;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error("look up the check before")]
    Ledger(#[from] LedgerError),
    #[error("read the journal")]
    Journal(#[from] JournalError),
    #[error("put on record what the check found")]
    Told(#[from] SinkRefused),
}

/// A check that is on record.
#[derive(Clone, Debug)]
struct Check {
    at: DateTime<Utc>,
    fresh: TimeRange,
    turn: Option<TimeRange>,
    segments: u64,
    damage: Vec<Damage>,
}

/// The last check, and the last that found damage.
#[derive(Default)]
pub(crate) struct Checks(Mutex<(Option<Check>, Option<Check>)>);

impl Checks {
    pub(crate) fn health(&self) -> CheckHealth {
        let (last, damaged) = self.known();
        CheckHealth {
            at: last.as_ref().map(|last| last.at),
            segments: last.map_or(0, |last| last.segments),
            damaged_at: damaged.as_ref().map(|damaged| damaged.at),
            damage: damaged.map(|damaged| damaged.damage).unwrap_or_default(),
        }
    }

    fn known(&self) -> (Option<Check>, Option<Check>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, check: Check) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !check.damage.is_empty() {
            known.1 = Some(check.clone());
        }
        known.0 = Some(check);
    }
}

impl Check {
    fn of(row: &TrailRow) -> Option<Self> {
        match serde_json::from_str(&row.deed) {
            Ok(Deed::Verified { fresh, turn, segments, damage, .. }) => {
                Some(Self { at: row.at, fresh, turn, segments, damage })
            }
            _ => None,
        }
    }
}

/// The thread of a server that checks its journal.
pub(crate) fn start(node: &Arc<Node>) -> io::Result<JoinHandle<()>> {
    let node = Arc::clone(node);
    std::thread::Builder::new().name("selfcheck".to_owned()).spawn(move || {
        while !node.progress.rest(LOOK_EVERY) {
            let is_behind = node.journal.durable().0.saturating_sub(node.progress.position().0) > BEHIND_MAX;
            if !is_behind
                && let Err(error) = check_if_due(&node)
                && !node.progress.is_stopping()
            {
                let error = crate::error_chain(&error);
                tracing::error!(error, "the journal could not be checked; it is tried again in five minutes");
            }
        }
    })
}

/// Gives whether a check was made: once for every night.
pub(crate) fn check_if_due(node: &Node) -> Result<bool, CheckError> {
    if node.checks.known().0.is_none() {
        let rows = node.ledger.read()?.checks(CHECKS_SHOWN)?;
        rows.iter().rev().filter_map(Check::of).for_each(|check| node.checks.note(check));
    }
    let last = node.checks.known().0;
    let is_due = last.as_ref().is_none_or(|last| last.at < last_night(node.clock.now()));
    Ok(is_due && check(node, last.as_ref())?)
}

/// `false` where a stop came in between: the next start begins it anew.
fn check(node: &Node, last: Option<&Check>) -> Result<bool, CheckError> {
    let at = node.clock.now();
    let since = last.and_then(|last| last.fresh.to).unwrap_or(at - FIRST);
    let Some(fresh) = look(node, TimeRange { from: Some(since), to: None })? else { return Ok(false) };
    let turn = turn(node, last.and_then(|last| last.turn?.to), since)?;
    let until = turn.to.unwrap_or(since);
    let Some(old) = look(node, TimeRange { from: turn.from, to: Some(until) })? else { return Ok(false) };
    let (damage, more) = places([&fresh, &old]);
    let fresh_time = TimeRange::between(since, at);
    let segments = fresh.segments + old.segments;
    let check = Check { at, fresh: fresh_time, turn: Some(turn), segments, damage: damage.clone() };
    node.record("monban", Deed::Verified { fresh: fresh_time, turn: Some(turn), segments, damage, more })?;
    node.checks.note(check);
    Ok(true)
}

/// What of the older part comes next: from where the last turn ended, or from the beginning once that was the end.
fn turn(node: &Node, from: Option<DateTime<Utc>>, since: DateTime<Utc>) -> Result<TimeRange, JournalError> {
    let end = part_end(node.journal.dir(), from, TURN_BYTES)?;
    Ok(TimeRange { from, to: end.filter(|end| *end < since) })
}

/// A segment that is sealed, or that retention takes away, under the first look may look damaged. What is damaged is so at
/// a second look, too. `None` where the program is stopping.
fn look(node: &Node, period: TimeRange) -> Result<Option<Verification>, CheckError> {
    let goes_on = || !node.progress.is_stopping();
    let look = || -> Result<_, CheckError> {
        let retired = Some(retired(node)?);
        let wanted = Wanted { from: period.from, to: period.to, retired, ..Wanted::default() };
        Ok(verify_while(node.journal.dir(), &wanted, &goes_on)?)
    };
    let first = look()?;
    if first.as_ref().is_none_or(Verification::is_right) {
        return Ok(first);
    }
    node.journal.wait_sealed();
    // What retention took is known once the pipeline has come to that act. Where it is stopped, so are we.
    if let Err(stopped) = node.progress.wait_applied(node.journal.durable()) {
        tracing::debug!(error = %stopped, "the second look knows of no new removals");
    }
    look()
}

/// Up to here numbers are gone, because retention took them.
fn retired(node: &Node) -> Result<u64, LedgerError> {
    let rows = node.ledger.read()?.removals()?;
    let deeds = rows.iter().filter_map(|row| serde_json::from_str(&row.deed).ok());
    Ok(deeds.map(|deed: Deed| retired_by(&deed)).max().unwrap_or(0))
}

/// The first places, each once, and how many there are beyond them.
fn places(told: [&Verification; 2]) -> (Vec<Damage>, u64) {
    let mut places: Vec<Damage> = told.iter().flat_map(|told| &told.faults).map(place).collect();
    places.sort_by_key(|place| (place.first, place.last));
    places.dedup();
    let beyond = places.len().saturating_sub(PLACES_MAX) as u64;
    places.truncate(PLACES_MAX);
    (places, beyond + told.iter().map(|told| told.more_faults).sum::<u64>())
}

fn place(fault: &Fault) -> Damage {
    let file = fault.segment.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy());
    let file = file.map(|name| format!("（{name}）")).unwrap_or_default();
    Damage { first: RecordId(fault.first), last: RecordId(fault.last), what: format!("{}{file}", what(&fault.kind)) }
}

#[cfg(test)]
mod tests;
