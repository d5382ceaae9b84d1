//! The whole path of a record, top to bottom: read the journal on, parse, enrich, detect, index, and write down in the
//! ledger what it meant. One thread runs it. It decides nothing that is not in the journal, so that the same journal
//! gives the same views.
//!
//! Every view keeps the position it is true up to in the same step as its data. A start reads on from the oldest of
//! them, and each view skips what it has already: nothing is lost, nothing counts twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use monban_detect::{Context, Detector, Observation, RuleSet};
use monban_event::act::Deed;
use monban_event::{Clock, Event, Origin, Record, RecordId, RecordParser};
use monban_index::fail;
use monban_index::journal::{Entry, Journal, JournalError, Tail, TailItem};
use monban_index::ledger::{Ledger, LedgerBatch, LedgerError};
use monban_index::partition::{PartitionError, Partitions};

use crate::context::{ContextError, Known, SharedContext};
use crate::duplicate;
use crate::night::{House, Night};
use crate::progress::Progress;
use crate::redetect;
use crate::tally::{SourceNames, Tallies};

/// Records of one step: large enough that a transaction costs little per record, small enough that an alarm does not
/// wait for it.
const STEP_RECORDS: usize = 4000;
/// Bytes of one step, for records that are whole EVTX chunks.
const STEP_BYTES: usize = 8 << 20;
/// How long an idle pipeline sleeps before it looks at the clock.
const IDLE: Duration = Duration::from_millis(500);
/// The index is committed this often: until then an event is detected and counted, but not found by a search. Five
/// seconds are promised; beside an import up to two of them go by before the pipeline sees a record.
const COMMIT_EVERY: Duration = Duration::from_secs(3);
/// … or after this many events: more would hold memory and save nothing.
const COMMIT_EVENTS: usize = 50_000;
/// The detector's state is kept this often; a start observes again what came after it, which costs little.
const SNAPSHOT_EVERY: Duration = Duration::from_mins(1);
/// After a view could not be written, it is tried again this much later.
const TAKE_UP_AGAIN: Duration = Duration::from_secs(1);
/// Rules about silence look at the clock this often.
const TICK: TimeDelta = TimeDelta::seconds(60);
/// Fewer records than this are parsed faster by one thread than it takes to start another.
const PARALLEL_RECORDS: usize = 256;

#[derive(Debug, thiserror::Error)]
pub(crate) enum PipelineError {
    #[error("read the journal")]
    Journal(#[from] JournalError),
    #[error("write the ledger")]
    Ledger(#[from] LedgerError),
    #[error("write the search index")]
    Index(#[from] PartitionError),
    #[error("take a context file into use")]
    Context(#[from] ContextError),
}

/// What the records of a step became, in their order.
struct Parsed {
    /// The events of all records, one after the other: an event is large, and a list for each record costs more than
    /// reading the record.
    events: Vec<Event>,
    /// Of each record how many events it became, and its damage.
    records: Vec<(usize, Vec<String>)>,
}

pub(crate) struct Pipeline {
    journal: Arc<Journal>,
    ledger: Arc<Ledger>,
    parser: Arc<dyn RecordParser>,
    known: Known,
    context: SharedContext,
    rules: Arc<RuleSet>,
    detector: Detector,
    partitions: Partitions,
    clock: Arc<dyn Clock>,
    progress: Arc<Progress>,
    names: Arc<SourceNames>,
    /// Where the process lives long enough to keep house.
    night: Option<Night>,
    tail: Tail,
    /// Everything up to here is in the ledger, or in the detector's state, already.
    ledger_position: RecordId,
    detector_position: RecordId,
    next_tick: DateTime<Utc>,
    last_commit: Instant,
    last_snapshot: Instant,
}

/// What a pipeline is made of.
pub(crate) struct Parts {
    pub(crate) journal: Arc<Journal>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) parser: Arc<dyn RecordParser>,
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) partitions: Partitions,
    pub(crate) context: SharedContext,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) names: Arc<SourceNames>,
    pub(crate) night: Option<Night>,
}

impl Pipeline {
    /// Takes up the views where they were left.
    pub(crate) fn new(parts: Parts) -> Result<Self, PipelineError> {
        let Parts { journal, ledger, parser, rules, partitions, context, clock, progress, names, night } = parts;
        let mut detector = Detector::new(Arc::clone(&rules), context.get());
        let detector_position = restore(&ledger, partitions.position(), &mut detector)?;
        let ledger_position = ledger.position()?;
        let start = partitions.position().min(ledger_position).min(detector_position);
        let known = Known::in_force(&ledger, start)?;
        context.set(known.read());
        detector.set_context(context.get());
        let tail = journal.tail(start)?;
        Ok(Self {
            journal,
            ledger,
            parser,
            known,
            context,
            rules,
            detector,
            partitions,
            clock,
            progress,
            names,
            night,
            tail,
            ledger_position,
            detector_position,
            next_tick: DateTime::<Utc>::MIN_UTC,
            last_commit: Instant::now(),
            last_snapshot: Instant::now(),
        })
    }

    /// Runs until the progress says stop and everything durable is in the views. Where a view cannot be written, this
    /// waits, takes all of them up again as they are on disk, and goes on: what a start does after a kill.
    pub(crate) fn run(mut self) {
        while let Err(error) = self.work() {
            tell(&self.progress, &error);
            let Some(taken_up) = self.taken_up_again() else { return };
            self = taken_up;
        }
    }

    /// `None` once the pipeline is to stop: the next start goes on.
    fn taken_up_again(self) -> Option<Self> {
        let place = self.partitions.place();
        let Self { journal, ledger, parser, rules, context, clock, progress, names, night, partitions, .. } = self;
        // Its writers hold locks, and what they had not committed is read again.
        drop(partitions);
        while !progress.rest(TAKE_UP_AGAIN) {
            let taken = Partitions::reopen(&place).map_err(PipelineError::from).and_then(|partitions| {
                Self::new(Parts {
                    journal: Arc::clone(&journal),
                    ledger: Arc::clone(&ledger),
                    parser: Arc::clone(&parser),
                    rules: Arc::clone(&rules),
                    partitions,
                    context: context.clone(),
                    clock: Arc::clone(&clock),
                    progress: Arc::clone(&progress),
                    names: Arc::clone(&names),
                    night: night.clone(),
                })
            });
            match taken {
                Ok(pipeline) => return Some(pipeline),
                Err(error) => tell(&progress, &error),
            }
        }
        None
    }

    fn work(&mut self) -> Result<(), PipelineError> {
        loop {
            let durable = self.journal.wait_beyond(self.tail.position(), self.progress.patience(IDLE));
            let items = self.read(durable)?;
            if items.is_empty() {
                self.idle()?;
                if self.progress.is_stopping() && self.tail.position() >= self.journal.durable() {
                    return self.commit();
                }
            } else {
                self.step(items)?;
            }
            if self.is_commit_due() {
                self.commit()?;
            }
            self.keep_house(durable);
        }
    }

    /// The night's work when everything is read that was durable a moment ago, and merging at any time. Both leave the
    /// journal's records alone and never wait for a merge.
    fn keep_house(&mut self, durable: RecordId) {
        let is_level = self.tail.position() >= durable;
        if let Some(night) = self.night.as_mut().filter(|_| is_level)
            && night.begins(self.clock.now())
        {
            night.work(&mut House {
                journal: &self.journal,
                ledger: &self.ledger,
                partitions: &mut self.partitions,
                clock: self.clock.as_ref(),
            });
        }
        self.partitions.compact();
    }

    /// The next items in order. What the ledger has and what it has not never come in one step, and a step ends with a
    /// context file: its records are parsed before its acts are taken, so what a file says must hold for the next step.
    fn read(&mut self, durable: RecordId) -> Result<Vec<TailItem>, PipelineError> {
        let replaying = self.tail.position() < self.ledger_position;
        let end = if replaying { durable.min(self.ledger_position) } else { durable };
        let (mut items, mut bytes) = (Vec::new(), 0);
        while items.len() < STEP_RECORDS
            && bytes < STEP_BYTES
            && let Some(item) = self.tail.next(end)?
        {
            if let TailItem::Entry(_, Entry::Record(record)) = &item {
                bytes += record.bytes.len();
            }
            let is_context =
                matches!(&item, TailItem::Entry(_, Entry::Act(act)) if matches!(act.deed, Deed::Context { .. }));
            items.push(item);
            if is_context {
                break;
            }
        }
        Ok(items)
    }

    /// Parse, then everything else in order, in one transaction of the ledger.
    fn step(&mut self, items: Vec<TailItem>) -> Result<(), PipelineError> {
        fail::pass("pipeline.step");
        let position = self.tail.position();
        let fresh = position > self.ledger_position;
        let parsed = self.parse(&items);
        let ledger = Arc::clone(&self.ledger);
        let mut tallies = Tallies::named(&self.names);
        let result: Result<(), PipelineError> = {
            let mut inner = Ok(());
            ledger.apply(position.max(self.ledger_position), |batch| {
                inner = self.admit(items, parsed, batch, &mut tallies, fresh);
                match &inner {
                    Err(error) => Err(LedgerError::Aborted { reason: crate::error_chain(error) }),
                    Ok(()) if fresh => self.write_down(batch, &tallies, position),
                    Ok(()) => Ok(()),
                }
            })?;
            inner
        };
        result?;
        fail::pass("pipeline.after_step");
        if !fresh {
            // It is in the ledger since the first time.
            drop(self.detector.take());
        }
        self.ledger_position = self.ledger_position.max(position);
        self.detector_position = self.detector_position.max(position);
        self.journal.processed(position);
        self.progress.applied(self.ledger_position);
        Ok(())
    }

    /// Parsing and enrichment depend on nothing but the record and the context, so they run side by side.
    fn parse(&self, items: &[TailItem]) -> Parsed {
        let records: Vec<(RecordId, &Record)> = items
            .iter()
            .filter_map(|item| match item {
                TailItem::Entry(id, Entry::Record(record)) => Some((*id, record)),
                _ => None,
            })
            .collect();
        let (context, parser) = (self.context.get(), self.parser.as_ref());
        let all = |records: &[(RecordId, &Record)]| parse_all(parser, &context, records);
        if records.len() < PARALLEL_RECORDS {
            return all(&records);
        }
        let (left, right) = records.split_at(records.len() / 2);
        std::thread::scope(|scope| {
            let right = scope.spawn(|| all(right));
            let mut parsed = all(left);
            let right = right.join().expect("parsers do not panic: bad input is data");
            parsed.events.extend(right.events);
            parsed.records.extend(right.records);
            parsed
        })
    }

    /// Takes the items in order into detector, index and tallies.
    fn admit(
        &mut self,
        items: Vec<TailItem>,
        parsed: Parsed,
        batch: &mut LedgerBatch<'_>,
        tallies: &mut Tallies,
        fresh: bool,
    ) -> Result<(), PipelineError> {
        let (mut events, mut records) = (parsed.events.into_iter(), parsed.records.into_iter());
        for item in items {
            match item {
                TailItem::Entry(id, Entry::Record(record)) => {
                    if record.origin != Origin::Import && id > self.detector_position {
                        self.detector.receive(record.received_at);
                    }
                    let (count, damage) = records.next().unwrap_or_default();
                    let accepted = self.admit_record(&record, events.by_ref().take(count), batch, tallies)?;
                    tallies.record(&record, accepted, count - accepted, damage);
                }
                TailItem::Entry(id, Entry::Act(act)) => {
                    // The clock found by now what did not happen, and somebody may have judged it.
                    self.tick(act.at);
                    if fresh {
                        // Wherever a step begins: a verdict finds its finding, and a name its source.
                        self.write_down(batch, tallies, RecordId(id.0.saturating_sub(1)))?;
                        *tallies = Tallies::named(&self.names);
                        batch.apply_act(id, &act)?;
                    }
                    if id > self.detector_position {
                        self.close(batch, &act.deed)?;
                        self.detector.observe_act(id, &act);
                    }
                    if self.known.take(&act.deed) {
                        let before = self.context.get();
                        self.context.set(self.known.read());
                        self.detector.set_context(self.context.get());
                        if fresh {
                            redetect::mark_told(batch, (id, &act), &before, &self.context.get())?;
                        }
                    }
                }
                TailItem::Gap(from, to) => {
                    tracing::error!(%from, %to, "these records cannot be read from the journal: it is damaged there");
                    if fresh {
                        batch.count_loss("journal", "damaged", to.0 - from.0 + 1)?;
                    }
                    if from > self.detector_position {
                        self.detector.observe_gap((from, to), self.clock.now());
                    }
                }
            }
        }
        Ok(())
    }

    /// What belongs to a closed finding from here on is told by itself.
    fn close(&mut self, batch: &LedgerBatch<'_>, deed: &Deed) -> Result<(), LedgerError> {
        if let Deed::Review { finding, status, .. } = deed
            && status.is_closed()
        {
            self.detector.close(&batch.base_of(finding)?);
        }
        Ok(())
    }

    /// How many of the record's events have not been here before.
    fn admit_record(
        &mut self,
        record: &Record,
        events: impl Iterator<Item = Event>,
        batch: &mut LedgerBatch<'_>,
        tallies: &mut Tallies,
    ) -> Result<usize, PipelineError> {
        if record.origin != Origin::Import {
            self.tick(record.received_at);
        }
        let mut accepted = 0;
        for mut event in events {
            if let Some(key) = duplicate::key(record, &event)
                && !batch.is_first(key, event.id)?
            {
                if event.id.record > self.detector_position {
                    self.detector.reread(&event);
                }
                continue;
            }
            accepted += 1;
            let is_new = event.id.record > self.detector_position;
            let others = if is_new { self.detector.expand(&mut event).unwrap_or_default() } else { Vec::new() };
            self.admit_event(record, &mut event, tallies)?;
            for mut other in others {
                self.admit_event(record, &mut other, tallies)?;
            }
        }
        Ok(accepted)
    }

    fn admit_event(&mut self, record: &Record, event: &mut Event, tallies: &mut Tallies) -> Result<(), PipelineError> {
        if event.id.record > self.detector_position {
            self.detector.observe(event, &mut Vec::new());
            self.detector.witness(event);
        }
        self.partitions.add(event)?;
        tallies.event(record, event);
        Ok(())
    }

    /// Rules about silence, at whole steps of time so that a replay looks at the same moments.
    fn tick(&mut self, now: DateTime<Utc>) {
        if now >= self.next_tick {
            self.detector.tick(now);
            self.next_tick = now + TICK;
        }
    }

    fn write_down(&mut self, batch: &mut LedgerBatch<'_>, tallies: &Tallies, at: RecordId) -> Result<(), LedgerError> {
        tallies.write(batch)?;
        write_observation(batch, &self.detector.take(), at)
    }

    fn idle(&mut self) -> Result<(), PipelineError> {
        let before = self.next_tick;
        self.tick(self.clock.now());
        if self.next_tick != before {
            let (observation, at) = (self.detector.take(), self.tail.position());
            self.ledger.apply(at.max(self.ledger_position), |batch| write_observation(batch, &observation, at))?;
        }
        self.journal.processed(self.tail.position());
        self.progress.applied(self.ledger_position);
        Ok(())
    }

    fn is_commit_due(&self) -> bool {
        let waiting = self.partitions.uncommitted();
        let behind = self.tail.position() > self.progress.searchable();
        waiting >= COMMIT_EVENTS
            || (behind && self.last_commit.elapsed() >= COMMIT_EVERY)
            || self.progress.is_flush_due(self.tail.position())
            // The first commit that succeeds ends a failure, and those who wait should not wait for the next one due.
            || self.progress.failure().is_some()
    }

    /// Makes everything so far searchable.
    fn commit(&mut self) -> Result<(), PipelineError> {
        let position = self.tail.position();
        self.partitions.commit(position)?;
        if self.last_snapshot.elapsed() >= SNAPSHOT_EVERY || self.progress.is_stopping() {
            fail::pass("pipeline.before_snapshot");
            let ledger_position = position.max(self.ledger_position);
            self.ledger.apply(ledger_position, |batch| {
                batch.put_detector_snapshot(position, |to| self.detector.write_snapshot(to))
            })?;
            self.last_snapshot = Instant::now();
            fail::pass("pipeline.after_snapshot");
        }
        self.last_commit = Instant::now();
        if self.progress.committed(position) {
            tracing::info!("the views are written again; nothing of them is missing");
        }
        Ok(())
    }
}

/// Says in the log, when it begins, and on the health page that the views cannot be written.
fn tell(progress: &Progress, error: &PipelineError) {
    let chain = crate::error_chain(error);
    if progress.fail(chain.clone()) {
        tracing::warn!(error = chain, "a view cannot be written; records are journaled, and searchable when it can");
    }
}

/// What the records became, in their context.
fn parse_all(parser: &dyn RecordParser, context: &Context, records: &[(RecordId, &Record)]) -> Parsed {
    let mut parsed = Parsed { events: Vec::with_capacity(records.len()), records: Vec::with_capacity(records.len()) };
    for &(id, record) in records {
        let before = parsed.events.len();
        let damage = parser.parse(id, record, &mut parsed.events);
        parsed.records.push((parsed.events.len() - before, damage));
    }
    for event in &mut parsed.events {
        monban_detect::enrich(context, event);
    }
    parsed
}

/// The detector as its last snapshot left it. What earlier lines say of a later one it knows only if it has seen them: for
/// an index that is behind the snapshot it begins anew with the journal. A snapshot of another program version is
/// started anew, and told.
fn restore(ledger: &Ledger, index: RecordId, detector: &mut Detector) -> Result<RecordId, PipelineError> {
    let Some((position, snapshot)) = ledger.detector_snapshot()? else { return Ok(RecordId(0)) };
    if position > index {
        tracing::info!("the search index is behind the detector; both begin anew with the journal");
        return Ok(RecordId(0));
    }
    if let Err(error) = detector.restore(&mut snapshot.reader()?) {
        tracing::warn!(error = %error, "the detector's state is of another version; open windows begin anew");
    }
    Ok(position)
}

fn write_observation(batch: &mut LedgerBatch<'_>, observation: &Observation, at: RecordId) -> Result<(), LedgerError> {
    for finding in &observation.findings {
        batch.add_finding(at, finding)?;
    }
    let mut sessions = BTreeMap::new();
    for session in &observation.sessions {
        sessions.insert(session.key.as_str(), session);
    }
    sessions.values().try_for_each(|session| batch.put_session(session))?;
    observation
        .silences
        .iter()
        .try_for_each(|silence| batch.put_silence(silence.source.as_str(), silence.from, silence.to))
}

#[cfg(test)]
mod tests;
