//! Days that are judged again because something about them came to be known later: a date entered weeks late, a ticket
//! approved afterwards, records that came late or by import. Runs beside the pipeline, over the store, and journals what it
//! changed as one act; the pipeline takes that act like any other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use monban_detect::{Again, Changes, Context, Knowledge};
use monban_event::act::{ContextName, Deed};
use monban_event::query::{Query, QueryField, Test};
use monban_event::store::{Order, SearchRequest, StoreError};
use monban_event::time::{finding_day, finding_day_range};
use monban_event::{
    Act, ActSink, Event, EventStore, Field, Finding, FindingId, FindingStatus, RecordId, SinkRefused, TimeRange,
};
use monban_index::ledger::{DirtyDay, FindingFilter, LedgerBatch, LedgerError};

use crate::context::{ContextError, Known};
use crate::node::Node;
use crate::progress::PipelineStopped;

/// How late a record of a day may come and still belong to its first judgement.
const LATENESS: TimeDelta = TimeDelta::minutes(10);
/// Further back nothing is judged again: what is searchable by default ends here.
pub(crate) const DAYS_BACK_MAX: u64 = 400;
/// A changed date makes at most so many days dirty: first-seen memory ends here too, so that older days could not be judged
/// as they were.
pub(crate) const TOLD_DAYS_MAX: u64 = 92;
/// Successes of so many days are remembered: all that is searchable by default, for an account that lay dormant for half a
/// year must be as dormant here as it was to the pipeline.
const MEMORY: TimeDelta = TimeDelta::days(400);
/// Longest window of any rule, and of the sessions that reach into the first day.
const LEAD: TimeDelta = TimeDelta::days(4);
/// Days judged in one go: so that what is found is held for a month at most.
const RUN_DAYS_MAX: i64 = 31;
/// Dirty days this near one another are judged in one go.
const RUN_GAP_MAX: i64 = 3;
/// Events asked of the store at once; some 1.5 KB each.
const PAGE: usize = 5_000;
/// An act is journaled whole, and a record is bounded: what does not fit goes into the next.
const ACT_BYTES_MAX: usize = 256 << 10;
/// What a finding takes in an act, and each of its events: generously.
const FINDING_BYTES: usize = 1_024;
const EVIDENCE_BYTES: usize = 32;
/// How often a server looks for such days. Nobody waits for this, and an import should be whole first.
const LOOK_EVERY: Duration = Duration::from_mins(5);
/// With more than this before it the pipeline has other work for both processors.
const BEHIND_MAX: u64 = 4_000;

#[derive(Debug, thiserror::Error)]
pub(crate) enum RedetectError {
    #[error("look up days to judge again")]
    Ledger(#[from] LedgerError),
    #[error("read the days to judge again")]
    Store(#[from] StoreError),
    #[error("read the context of days gone by")]
    Context(#[from] ContextError),
    #[error("journal what judging again changed")]
    Act(#[from] SinkRefused),
    #[error(transparent)]
    Pipeline(#[from] PipelineStopped),
    #[error("the program is stopping; the next start judges these days")]
    Stopping,
}

/// Whether a day had ended, and been judged, when something of it arrived.
pub(crate) fn is_over(day: NaiveDate, arrival: DateTime<Utc>) -> bool {
    arrival - finding_day_range(day).1 >= LATENESS
}

/// Marks the days that a context file tells otherwise from now on.
pub(crate) fn mark_told(
    batch: &mut LedgerBatch<'_>,
    (id, act): (RecordId, &Act),
    before: &Context,
    now: &Context,
) -> Result<(), LedgerError> {
    let (Some((from, to)), Deed::Context { name, .. }) = (before.days_told_otherwise(now), &act.deed) else {
        return Ok(());
    };
    let last = finding_day(act.at);
    let from = from.max(last - Days::new(TOLD_DAYS_MAX));
    let cause = format!("{}の変更", japanese(*name));
    // A morning belongs to the finding day before.
    let days = from.pred_opt().unwrap_or(from).iter_days().take_while(|day| *day <= to.min(last));
    days.into_iter().try_for_each(|day| batch.mark_day(day, id, &cause))
}

fn japanese(name: ContextName) -> &'static str {
    match name {
        ContextName::Roster => "名簿",
        ContextName::Allow => "接続元の許可リスト",
        ContextName::Vendors => "事業者の一覧",
        ContextName::Calendar => "カレンダー",
        ContextName::Tickets => "保守作業の申請",
        ContextName::Duty => "当直表",
        ContextName::Config => "設定",
    }
}

/// The thread of a server that judges days again.
pub(crate) fn start(node: &Arc<Node>) -> std::io::Result<JoinHandle<()>> {
    let node = Arc::clone(node);
    std::thread::Builder::new().name("redetect".to_owned()).spawn(move || {
        while !node.progress.rest(LOOK_EVERY) {
            if node.journal.durable().0.saturating_sub(node.progress.position().0) > BEHIND_MAX {
                continue;
            }
            if let Err(error) = settle(&node)
                && !node.progress.is_stopping()
            {
                tracing::error!(
                    error = crate::error_chain(&error),
                    "days could not be judged again; it is tried again in five minutes"
                );
            }
        }
    })
}

/// Judges all days again that are over and about which something came to be known. Waits until the views hold all that is
/// durable now. Gives how many findings changed.
pub(crate) fn settle(node: &Node) -> Result<usize, RedetectError> {
    let known_to = node.journal.durable();
    node.progress.wait_searchable(known_to)?;
    let now = node.clock.now();
    let mut days = node.ledger.read()?.dirty_days()?;
    days.retain(|dirty| is_over(dirty.day, now) && dirty.since <= known_to);
    let mut changed = 0;
    for run in runs(&days) {
        if node.progress.is_stopping() {
            break;
        }
        changed += judge(node, run, known_to)?;
    }
    Ok(changed)
}

/// Days that are judged in one go.
fn runs(days: &[DirtyDay]) -> impl Iterator<Item = &[DirtyDay]> {
    let mut rest = days;
    std::iter::from_fn(move || {
        let first = rest.first()?.day;
        let mut last = first;
        let near = |dirty: &&DirtyDay| {
            let is_near = (dirty.day - last).num_days() <= RUN_GAP_MAX && (dirty.day - first).num_days() < RUN_DAYS_MAX;
            last = if is_near { dirty.day } else { last };
            is_near
        };
        let (run, behind) = rest.split_at(rest.iter().take_while(near).count());
        rest = behind;
        Some(run)
    })
}

fn judge(node: &Node, run: &[DirtyDay], known_to: RecordId) -> Result<usize, RedetectError> {
    let [first, ..] = run else { return Ok(0) };
    let days = (first.day, run.last().unwrap_or(first).day);
    let since = run.iter().map(|dirty| dirty.since).min().unwrap_or(known_to);
    let (changes, late) = compare(node, days, (since, known_to))?;
    let mut withdrawn: BTreeSet<FindingId> = changes.withdrawn.into_iter().map(|finding| finding.id).collect();
    withdrawn.extend(echoes_of_order(node, days, &late, &changes.standing)?);
    let count = changes.findings.len() + withdrawn.len();
    if count > 0 {
        tracing::info!(from = %days.0, to = %days.1, changed = count, "days were judged again");
    }
    let mut causes: Vec<&str> = run.iter().map(|dirty| dirty.cause.as_str()).collect();
    causes.dedup();
    let cause = causes.join("、");
    let mut shares = shares(changes.findings, withdrawn).into_iter().peekable();
    while let Some((findings, withdrawn)) = shares.next() {
        let known_to = shares.peek().is_none().then_some(known_to);
        node.record("monban", Deed::Redetected { days, cause: cause.clone(), known_to, findings, withdrawn })?;
    }
    Ok(count)
}

/// What changed, in parts that each fit into an act.
fn shares(changed: Vec<Finding>, withdrawn: BTreeSet<FindingId>) -> Vec<(Vec<Finding>, Vec<FindingId>)> {
    let mut shares: Vec<(Vec<Finding>, Vec<FindingId>)> = vec![Default::default()];
    let mut bytes = 0;
    for finding in changed {
        bytes += FINDING_BYTES + finding.summary.len() + finding.evidence.len() * EVIDENCE_BYTES;
        if bytes > ACT_BYTES_MAX {
            shares.push(Default::default());
            bytes = 0;
        }
        if let Some((findings, _)) = shares.last_mut() {
            findings.push(finding);
        }
    }
    if let Some((_, last)) = shares.last_mut() {
        last.extend(withdrawn);
    }
    shares
}

/// What the days hold, as it was known before `since` and as it is known up to `known_to`.
fn compare(
    node: &Node,
    days: (NaiveDate, NaiveDate),
    (since, known_to): (RecordId, RecordId),
) -> Result<(Changes, BTreeSet<RecordId>), RedetectError> {
    let (mut again, mut late) = (Again::new(&node.rules, knowledge(node, since, known_to)?), BTreeSet::new());
    let is_new = |event: &Event| {
        let arrival = event.ingested.unwrap_or_default();
        event.id.record >= since && is_over(finding_day(event.time()), arrival)
    };
    let (start, end) = (finding_day_range(days.0).0, finding_day_range(days.1).1);
    let lead = start - LEAD;
    let success = Query::Field(QueryField::Known(Field::Login), Test::Equals("success".to_owned()));
    for (query, whole) in [(success, false), (lockouts(), true)] {
        each(node, &query, (start - MEMORY, lead), whole, known_to, &mut |event| {
            again.remember(&event, is_new(&event));
        })?;
    }
    each(node, &Query::All, (lead, end), true, known_to, &mut |event| {
        let is_new = is_new(&event);
        if is_new {
            late.insert(event.id.record);
        }
        again.observe(event, is_new);
    })?;
    let mut changes = again.finish();
    let is_meant = |finding: &Finding| (days.0..=days.1).contains(&finding_day(finding.last));
    changes.findings.retain(is_meant);
    changes.withdrawn.retain(is_meant);
    Ok((changes, late))
}

/// A lockout, which shows that its domain has them. There are few, and which domain it was no column of the index tells.
fn lockouts() -> Query {
    let known = |field, value: &str| Query::Field(QueryField::Known(field), Test::Equals(value.to_owned()));
    Query::Or(vec![known(Field::Code, "4740"), known(Field::Reason, "0xc0000234")])
}

/// Findings that only the order in which late records came has made: the pipeline judged them as they came.
fn echoes_of_order(
    node: &Node,
    days: (NaiveDate, NaiveDate),
    late: &BTreeSet<RecordId>,
    standing: &BTreeSet<FindingId>,
) -> Result<Vec<FindingId>, LedgerError> {
    let ledger = node.ledger.read()?;
    let range = TimeRange { from: Some(finding_day_range(days.0).0 - LEAD), to: Some(finding_day_range(days.1).1) };
    let filter = FindingFilter { status: Some(FindingStatus::Open), range, ..FindingFilter::default() };
    let mut echoes = Vec::new();
    for row in ledger.findings(&filter)? {
        let is_meant = (days.0..=days.1).contains(&finding_day(row.last)) && !standing.contains(&row.id);
        if !is_meant || row.recurrence > 0 || node.rules.is_about_ourselves(&row.rule_id) {
            continue;
        }
        let detail = ledger.finding(&row.id)?;
        if detail.is_some_and(|detail| detail.evidence.iter().any(|event| late.contains(&event.record))) {
            echoes.push(row.id);
        }
    }
    Ok(echoes)
}

/// What was known when the events were judged, from the last judgement of these days on, and what is known of them now.
fn knowledge(node: &Node, since: RecordId, known_to: RecordId) -> Result<Vec<Knowledge>, RedetectError> {
    let now = Known::in_force(&node.ledger, known_to)?.quietly();
    let start = RecordId(since.0.saturating_sub(1));
    let changes = node.ledger.read()?.context_changes(start, known_to)?;
    let at = |from: RecordId| -> Result<Knowledge, RedetectError> {
        let before = Known::in_force(&node.ledger, from)?.quietly();
        Ok(Knowledge { from, now: Arc::new(before.backdated(&now)), before: Arc::new(before) })
    };
    std::iter::once(start).chain(changes).map(at).collect()
}

/// The events of a period in order of time and id. One that a stop interrupts is begun again with the next start.
fn each(
    node: &Node,
    query: &Query,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    whole: bool,
    known_to: RecordId,
    give: &mut dyn FnMut(Event),
) -> Result<(), RedetectError> {
    let range = TimeRange { from: Some(from), to: Some(to) };
    let mut request = SearchRequest {
        order: Order::OldestFirst,
        whole,
        total: false,
        ..SearchRequest::new(query.clone(), range, PAGE)
    };
    loop {
        let page = node.history.search(&request)?;
        page.events.into_iter().filter(|event| event.id.record <= known_to).for_each(&mut *give);
        match page.next {
            Some(next) if !node.progress.is_stopping() => request.after = Some(next),
            Some(_) => return Err(RedetectError::Stopping),
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
