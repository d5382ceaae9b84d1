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
use monban_event::{Clock, Event, Origin, Record, RecordId, RecordParser};
use monban_index::journal::{Entry, Journal, JournalError, Tail, TailItem};
use monban_index::ledger::{Ledger, LedgerBatch, LedgerError};
use monban_index::partition::{PartitionError, Partitions};

use crate::context::{ContextError, Known, SharedContext};
use crate::duplicate;
use crate::night::{House, Night};
use crate::progress::Progress;
use crate::tally::{SourceNames, Tallies};

/// Records of one step: large enough that a transaction costs little per record, small enough that an alarm does not
/// wait for it.
const STEP_RECORDS: usize = 2000;
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

/// What one record became.
struct Parsed {
    id: RecordId,
    record: Record,
    events: Vec<Event>,
    damage: Vec<String>,
}

pub(crate) struct Pipeline {
    journal: Arc<Journal>,
    ledger: Arc<Ledger>,
    parser: Arc<dyn RecordParser>,
    known: Known,
    context: SharedContext,
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
    pub(crate) names: SourceNames,
    pub(crate) night: Option<Night>,
}

impl Pipeline {
    /// Takes up the views where they were left.
    pub(crate) fn new(parts: Parts) -> Result<Self, PipelineError> {
        let Parts { journal, ledger, parser, rules, partitions, context, clock, progress, names, night } = parts;
        let mut detector = Detector::new(rules, context.get());
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
            detector,
            partitions,
            clock,
            progress,
            names: Arc::new(names),
            night,
            tail,
            ledger_position,
            detector_position,
            next_tick: DateTime::<Utc>::MIN_UTC,
            last_commit: Instant::now(),
            last_snapshot: Instant::now(),
        })
    }

    /// Runs until the progress says stop and everything durable is in the views, or a view cannot be written.
    pub(crate) fn run(mut self) {
        let result = self.work();
        if let Err(error) = result {
            let chain = crate::error_chain(&error);
            tracing::error!(error = chain, "the pipeline has stopped; records are journaled but not searchable");
            self.progress.fail(chain);
        }
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

    /// The next items in order. What the ledger has and what it has not never come in one step.
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
            items.push(item);
        }
        Ok(items)
    }

    /// Parse, then everything else in order, in one transaction of the ledger.
    fn step(&mut self, items: Vec<TailItem>) -> Result<(), PipelineError> {
        let position = self.tail.position();
        let fresh = position > self.ledger_position;
        let mut parsed = self.parse(&items).into_iter();
        let ledger = Arc::clone(&self.ledger);
        let mut tallies = Tallies::named(&self.names);
        let result: Result<(), PipelineError> = {
            let mut inner = Ok(());
            ledger.apply(position.max(self.ledger_position), |batch| {
                inner = self.admit(items, &mut parsed, batch, &mut tallies, fresh);
                match &inner {
                    Err(error) => Err(LedgerError::Aborted { reason: crate::error_chain(error) }),
                    Ok(()) if fresh => self.write_down(batch, &tallies, position),
                    Ok(()) => Ok(()),
                }
            })?;
            inner
        };
        result?;
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
    fn parse(&self, items: &[TailItem]) -> Vec<Parsed> {
        let records: Vec<(RecordId, &Record)> = items
            .iter()
            .filter_map(|item| match item {
                TailItem::Entry(id, Entry::Record(record)) => Some((*id, record)),
                _ => None,
            })
            .collect();
        let (context, parser) = (self.context.get(), self.parser.as_ref());
        let one = |&(id, record): &(RecordId, &Record)| parse_one(parser, &context, id, record);
        if records.len() < PARALLEL_RECORDS {
            return records.iter().map(one).collect();
        }
        let (left, right) = records.split_at(records.len() / 2);
        std::thread::scope(|scope| {
            let right = scope.spawn(|| right.iter().map(one).collect::<Vec<_>>());
            let mut parsed: Vec<Parsed> = left.iter().map(one).collect();
            parsed.extend(right.join().expect("parsers do not panic: bad input is data"));
            parsed
        })
    }

    /// Takes the items in order into detector, index and tallies.
    fn admit(
        &mut self,
        items: Vec<TailItem>,
        parsed: &mut impl Iterator<Item = Parsed>,
        batch: &mut LedgerBatch<'_>,
        tallies: &mut Tallies,
        fresh: bool,
    ) -> Result<(), PipelineError> {
        for item in items {
            match item {
                TailItem::Entry(_, Entry::Record(_)) => {
                    let Some(parsed) = parsed.next() else { continue };
                    self.admit_record(parsed, batch, tallies)?;
                }
                TailItem::Entry(id, Entry::Act(act)) => {
                    if fresh {
                        // Wherever a step begins: a verdict finds its finding, and a name its source.
                        self.write_down(batch, tallies, RecordId(id.0.saturating_sub(1)))?;
                        *tallies = Tallies::named(&self.names);
                        batch.apply_act(id, &act)?;
                    }
                    if self.known.take(&act.deed) {
                        self.context.set(self.known.read());
                        self.detector.set_context(self.context.get());
                    }
                }
                TailItem::Gap(from, to) => {
                    tracing::error!(%from, %to, "these records cannot be read from the journal: it is damaged there");
                    if fresh {
                        batch.count_loss("journal", "damaged", to.0 - from.0 + 1)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn admit_record(
        &mut self,
        parsed: Parsed,
        batch: &mut LedgerBatch<'_>,
        tallies: &mut Tallies,
    ) -> Result<(), PipelineError> {
        let Parsed { id, record, mut events, damage } = parsed;
        if record.origin != Origin::Import {
            self.tick(record.received_at);
        }
        let mut accepted = 0;
        let count = events.len();
        for event in &mut events {
            if let Some(key) = duplicate::key(&record, event)
                && !batch.is_first(key, event.id)?
            {
                continue;
            }
            accepted += 1;
            let others = if id > self.detector_position { self.detector.expand(event) } else { Vec::new() };
            self.admit_event(&record, event, tallies)?;
            for mut other in others {
                self.admit_event(&record, &mut other, tallies)?;
            }
        }
        tallies.record(&record, accepted, count - accepted, damage);
        Ok(())
    }

    fn admit_event(&mut self, record: &Record, event: &mut Event, tallies: &mut Tallies) -> Result<(), PipelineError> {
        if event.id.record > self.detector_position {
            self.detector.observe(event, &mut Vec::new());
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
    }

    /// Makes everything so far searchable.
    fn commit(&mut self) -> Result<(), PipelineError> {
        let position = self.tail.position();
        self.partitions.commit(position)?;
        if self.last_snapshot.elapsed() >= SNAPSHOT_EVERY || self.progress.is_stopping() {
            let state = self.detector.snapshot();
            let ledger_position = position.max(self.ledger_position);
            self.ledger.apply(ledger_position, |batch| batch.put_detector_snapshot(position, &state))?;
            self.last_snapshot = Instant::now();
        }
        self.last_commit = Instant::now();
        self.progress.committed(position);
        Ok(())
    }
}

/// What the record became, in its context. What goes on needs only the facts of receipt and, for records that can be
/// delivered twice, their bytes.
fn parse_one(parser: &dyn RecordParser, context: &Context, id: RecordId, record: &Record) -> Parsed {
    let mut events = Vec::new();
    let damage = parser.parse(id, record, &mut events);
    for event in &mut events {
        monban_detect::enrich(context, event);
    }
    Parsed { id, record: duplicate::facts(record), events, damage }
}

/// The detector as its last snapshot left it. What earlier lines say of a later one it knows only if it has seen them: for
/// an index that is behind the snapshot it begins anew with the journal. A snapshot of another program version is
/// started anew, and told.
fn restore(ledger: &Ledger, index: RecordId, detector: &mut Detector) -> Result<RecordId, PipelineError> {
    let Some((position, state)) = ledger.detector_snapshot()? else { return Ok(RecordId(0)) };
    if position > index {
        tracing::info!("the search index is behind the detector; both begin anew with the journal");
        return Ok(RecordId(0));
    }
    if let Err(error) = detector.restore(&state) {
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
