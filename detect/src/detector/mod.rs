//! The detector: rules, context and everything that is remembered between events. Owns the order in which an event
//! meets them. Has no clock and does no I/O: time comes with events and with [`Detector::tick`].

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use monban_event::{Act, Event, EventId, Finding, FindingId, RecordId, RuleId, Severity, VpnSession};
use serde::{Deserialize, Serialize};

use crate::absence::{Missing, Silence, Silences, Unused};
use crate::context::Context;
use crate::correlate::{Completion, Correlator, Hit};
use crate::enrich::enrich;
use crate::fields::Values;
use crate::gather::{Found, Gather, Season};
use crate::house::House;
use crate::profile::Profiles;
use crate::recall::{Memory, Recalled};
use crate::repeat::Repeats;
use crate::rule::{AbsenceOf, Voice};
use crate::ruleset::{Foreseen, RuleSet};
use crate::session::Sessions;

/// Form of a snapshot, which is its first line. One of another form is refused, and the caller replays instead.
const SNAPSHOT_VERSION: u32 = 3;
/// A longer first line is no version.
const VERSION_BYTES_MAX: u64 = 16;

/// A detection rule matched an event, before any grouping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleHit {
    pub rule: RuleId,
    pub title: String,
    pub severity: Severity,
}

/// What came to light since the last taking.
///
/// Findings are *additions*: `evidence` and `count` are the events that are new to the finding of that id, `first` and
/// `last` span those, `severity` is the highest so far and `summary` speaks of the whole so far. A ledger adds counts,
/// joins evidence, widens the span, keeps the highest severity and the latest summary. An event counts once per
/// finding, however many windows hold it. Findings of absence come whole and once; their evidence is the last sign of
/// life, and `count` what is missing, which may be more than the evidence names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// By id.
    pub findings: Vec<Finding>,
    /// Sessions that began, changed or ended, as they are now.
    pub sessions: Vec<VpnSession>,
    /// Silences that opened (`to` is `None`) or closed.
    pub silences: Vec<Silence>,
}

#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("read detector snapshot")]
    Read(#[source] io::Error),
    #[error("read detector snapshot")]
    Form(#[source] serde_json::Error),
    #[error("detector snapshot has form {found:?}, this program reads {SNAPSHOT_VERSION}")]
    Version { found: String },
}

/// All that a restart must find again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    sessions: Sessions,
    /// Missing in snapshots of earlier versions: sources are learned anew within minutes.
    #[serde(default)]
    profiles: Profiles,
    #[serde(default)]
    repeats: Repeats,
    memory: Memory,
    correlator: Correlator,
    gather: Gather,
    /// By rule id.
    silences: BTreeMap<String, Silences>,
    unused: BTreeMap<String, Unused>,
    #[serde(default)]
    house: House,
    /// Our clock as far as events told it, µs; it never runs back.
    clock_us: i64,
    /// When the first record came in live.
    #[serde(default)]
    received: Option<DateTime<Utc>>,
}

#[derive(Serialize, Deserialize)]
struct Snapshot<S, N> {
    /// Names of the fields that the state's values are numbered by: other rules number them otherwise.
    slots: N,
    state: S,
}

pub struct Detector {
    rules: Arc<RuleSet>,
    context: Arc<Context>,
    state: State,
}

impl Detector {
    pub fn new(rules: Arc<RuleSet>, context: Arc<Context>) -> Self {
        Self { rules, context, state: State::default() }
    }

    /// What holds for events from here on.
    pub fn set_context(&mut self, context: Arc<Context>) {
        self.context = context;
    }

    /// A record came in live; the first one begins the time of learning.
    pub fn receive(&mut self, at: DateTime<Utc>) {
        self.state.received.get_or_insert(at);
    }

    /// Somebody closed a finding, named by its id without recurrence.
    pub fn close(&mut self, finding: &FindingId) {
        self.state.gather.close(finding);
    }

    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The stateless part, which may run in parallel: sets the `monban.*` fields.
    pub fn enrich(&self, event: &mut Event) {
        enrich(&self.context, event);
    }

    /// Completes a line that only says that the line before came again, where that was a failed login, and answers the
    /// other attempts it stands for; they are observed after it. `None` where it left the event as it was. Takes every
    /// enriched event once, in journal order.
    pub fn expand(&mut self, event: &mut Event) -> Option<Vec<Event>> {
        self.state.repeats.expand(&self.context, event)
    }

    /// Takes one enriched event; events come in journal order. May complete the event with what earlier lines said,
    /// and mark its login as counted already. Appends to `hits` every rule that matched by itself.
    pub fn observe(&mut self, event: &mut Event, hits: &mut Vec<RuleHit>) {
        self.observe_foreseen(event, None, hits);
    }

    /// The same, where what needs no memory was asked before, of the event as it is.
    pub fn observe_foreseen(&mut self, event: &mut Event, foreseen: Option<Foreseen>, hits: &mut Vec<RuleHit>) {
        let arrival = event.ingested.map_or(self.state.clock_us, |time| time.timestamp_micros());
        self.state.clock_us = self.state.clock_us.max(arrival);
        let is_changed = self.complete(event, arrival);
        let rules = Arc::clone(&self.rules);
        let recalled = self.state.memory.recall(&self.state.sessions, &self.context, event);
        let matched = match foreseen.filter(|_| !is_changed) {
            Some(foreseen) => rules.matches_beside(foreseen, event, &recalled),
            None => rules.matches(event, &recalled),
        };
        self.observe_presence(&rules, event, &matched);
        let speaks = |&&rule: &&usize| rules.meanings.get(rule).is_some_and(|meaning| meaning.absence.is_none());
        let spoken: Vec<usize> = matched.iter().filter(speaks).copied().collect();
        if !spoken.is_empty() {
            self.observe_matches(&rules, (event, &recalled), &spoken, hits);
        }
        self.state.memory.note(event);
    }

    /// Takes an observed event once more for what it says of its source: its times of coming, its numbers. For events as
    /// they are received or read; not for days that are judged again.
    pub fn witness(&mut self, event: &Event) {
        let mut facts = Vec::new();
        self.state.house.witness(&self.context, event, &mut facts);
        self.observe_facts(&facts);
    }

    /// Takes an event that was here before, of a file that is handed in again: it is not judged, and says how far back its
    /// file reaches.
    pub fn reread(&mut self, event: &Event) {
        self.state.house.reread(event);
    }

    /// Judges what only waited for more to come. For a run over files, which ends.
    pub fn conclude(&mut self) {
        let mut facts = Vec::new();
        self.state.house.conclude(&mut facts);
        self.observe_facts(&facts);
    }

    /// Takes an act, in journal order with the events.
    pub fn observe_act(&mut self, id: RecordId, act: &Act) {
        let mut facts = Vec::new();
        self.state.clock_us = self.state.clock_us.max(act.at.timestamp_micros());
        self.state.house.act(id, act, &mut facts);
        self.observe_facts(&facts);
    }

    /// These numbers of the journal, first and last, cannot be read. `now` dates it where nothing before them did.
    pub fn observe_gap(&mut self, numbers: (RecordId, RecordId), now: DateTime<Utc>) {
        let at = if self.state.clock_us > 0 { time_of(self.state.clock_us) } else { now };
        let mut facts = Vec::new();
        self.state.house.gap(numbers, at, &mut facts);
        self.observe_facts(&facts);
    }

    /// Judges what came to light beside the records.
    fn observe_facts(&mut self, facts: &[Event]) {
        // Nearly every record brings none.
        if facts.is_empty() {
            return;
        }
        let rules = Arc::clone(&self.rules);
        for fact in facts {
            let recalled = Recalled::default();
            let matched = rules.matches(fact, &recalled);
            if !matched.is_empty() {
                self.observe_matches(&rules, (fact, &recalled), &matched, &mut Vec::new());
            }
        }
    }

    /// Remembers an event without judging it: what an account's habits were before the days that are judged.
    pub(crate) fn remember(&mut self, event: &Event) {
        self.state.memory.note(event);
    }

    /// Completes the event with what earlier lines said. True when that changed it.
    fn complete(&mut self, event: &mut Event, arrival_us: i64) -> bool {
        let named = self.state.profiles.observe(event, arrival_us);
        let joined = self.state.sessions.complete(event);
        if joined {
            enrich(&self.context, event);
        }
        let login = event.login;
        self.state.sessions.observe(event);
        named || joined || event.login != login
    }

    /// Looks at what did not happen, by `now`. Ticks may come at any pace; a minute is good.
    pub fn tick(&mut self, now: DateTime<Utc>) {
        let (rules, context) = (Arc::clone(&self.rules), Arc::clone(&self.context));
        let mut facts = Vec::new();
        self.state.house.tick(&rules, &context, now, &mut facts);
        self.observe_facts(&facts);
        for (voice, absence) in &rules.absences {
            let missing = Missing { context: &context, slots: &rules.slots, voice, absence };
            let id = voice.rule_id.to_string();
            let found = match absence.of {
                AbsenceOf::Sources => self.state.silences.entry(id).or_default().tick(missing, now),
                // By the sources that another rule watches one by one.
                AbsenceOf::SourcesTogether => self
                    .state
                    .silences
                    .values_mut()
                    .find_map(|silences| silences.tick_together(missing, now))
                    .into_iter()
                    .collect(),
                AbsenceOf::Accounts | AbsenceOf::AccountsNeverUsed => {
                    self.state.unused.entry(id).or_default().tick(missing, now).into_iter().collect()
                }
            };
            for finding in found {
                self.state.gather.put(finding);
            }
        }
    }

    /// What came to light since the last call.
    pub fn take(&mut self) -> Observation {
        Observation {
            findings: self.state.gather.take(),
            sessions: self.state.sessions.take(),
            silences: self.state.silences.values_mut().flat_map(Silences::take).collect(),
        }
    }

    /// Writes everything remembered, for a restart that changes nothing. Belongs to the journal position the caller is
    /// at. It is written as it is made: after a flood it is some 50 MB of text that nobody needs to hold at once.
    pub fn write_snapshot(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "{SNAPSHOT_VERSION}")?;
        let slots = self.rules.slots.names();
        serde_json::to_writer(to, &Snapshot { slots, state: &self.state }).map_err(io::Error::from)
    }

    /// Goes on from a snapshot. On error nothing is changed. State of rules that are no longer there is kept and idle.
    pub fn restore(&mut self, from: &mut dyn BufRead) -> Result<(), SnapshotError> {
        let mut version = Vec::new();
        from.take(VERSION_BYTES_MAX).read_until(b'\n', &mut version).map_err(SnapshotError::Read)?;
        if version.trim_ascii() != SNAPSHOT_VERSION.to_string().as_bytes() {
            return Err(SnapshotError::Version { found: String::from_utf8_lossy(&version).trim().to_owned() });
        }
        let snapshot: Snapshot<State, Vec<String>> = serde_json::from_reader(from).map_err(SnapshotError::Form)?;
        self.state = snapshot.state;
        if snapshot.slots != self.rules.slots.names() {
            let number = |slot: usize| self.rules.slots.find(snapshot.slots.get(slot)?);
            self.state.correlator.renumber(&number);
        }
        Ok(())
    }

    /// Signs of life for the rules that wait for absence.
    fn observe_presence(&mut self, rules: &RuleSet, event: &Event, matched: &[usize]) {
        let absences = matched.iter().filter_map(|&rule| rules.meanings.get(rule)?.absence);
        for (voice, absence) in absences.filter_map(|index| rules.absences.get(index)) {
            let missing = Missing { context: &self.context, slots: &rules.slots, voice, absence };
            let id = voice.rule_id.as_str();
            match absence.of {
                AbsenceOf::Sources => {
                    if let Some(finding) = entry(&mut self.state.silences, id).observe(missing, event) {
                        self.state.gather.put(finding);
                    }
                }
                AbsenceOf::SourcesTogether => {}
                AbsenceOf::Accounts | AbsenceOf::AccountsNeverUsed => entry(&mut self.state.unused, id).observe(event),
            }
        }
    }

    fn observe_matches(
        &mut self,
        rules: &RuleSet,
        (event, recalled): (&Event, &Recalled),
        matched: &[usize],
        hits: &mut Vec<RuleHit>,
    ) {
        let values = rules.slots.values(&self.context, event, recalled);
        let arrival_us = self.state.clock_us;
        for voice in matched.iter().filter_map(|&rule| rules.meanings.get(rule)?.voice.as_ref()) {
            let severity = voice.severity(&values, &[], 1);
            hits.push(RuleHit { rule: voice.rule_id.clone(), title: voice.title.clone(), severity });
            let evidence = vec![(event.time(), event.id)];
            let found = Found {
                voice,
                values: &values,
                at: event.time(),
                evidence,
                evidence_values: Vec::new(),
                distinct: 1,
                arrival_us,
                season: season(&self.context, self.state.received, voice, event.time()),
            };
            self.state.gather.add(&rules.slots, &found);
        }
        let hit = Hit::new(event.time().timestamp_micros(), arrival_us, values);
        let same = |node: usize, a: &Hit, b: &Hit| is_same_finding(rules, node, a, b);
        let completions = self.state.correlator.observe(&rules.plan, matched, (event.id, hit), &same);
        for completion in completions {
            self.gather_completion(rules, &completion);
        }
    }

    fn gather_completion(&mut self, rules: &RuleSet, completion: &Completion) {
        let correlator = &self.state.correlator;
        let (Some(voice), Some(values)) = (rules.node_voices.get(completion.node), correlator.values(completion.at))
        else {
            return;
        };
        let Some(at) = correlator.time_us(completion.at) else { return };
        let evidence: Vec<(DateTime<Utc>, EventId)> =
            completion.evidence.iter().map(|&(time, event)| (time_of(time), event)).collect();
        let evidence_values: Vec<&Values> =
            completion.evidence.iter().filter_map(|&(_, event)| correlator.values(event)).collect();
        let distinct = if voice.speaks_of_distinct() {
            correlator.distinct(&rules.plan, completion.node, completion.at)
        } else {
            0
        };
        let found = Found {
            voice,
            values,
            at: time_of(at),
            evidence,
            evidence_values,
            distinct,
            arrival_us: self.state.clock_us,
            season: season(&self.context, self.state.received, voice, time_of(at)),
        };
        self.state.gather.add(&rules.slots, &found);
    }
}

/// What the time of a finding makes of it, by what its rule is about.
fn season<'a>(context: &'a Context, received: Option<DateTime<Utc>>, voice: &Voice, time: DateTime<Utc>) -> Season<'a> {
    let seasons = context.seasons();
    Season {
        newness: voice.first_seen.then(|| seasons.newness(time, received)).flatten(),
        disaster: voice.after_hours.then(|| seasons.disaster(time)).flatten(),
    }
}

/// Whether two completing events of a correlation speak for one finding.
fn is_same_finding(rules: &RuleSet, node: usize, a: &Hit, b: &Hit) -> bool {
    use monban_event::time::finding_day;
    let Some(voice) = rules.node_voices.get(node) else { return false };
    finding_day(time_of(a.time_us)) == finding_day(time_of(b.time_us))
        && voice.subject(&a.values) == voice.subject(&b.values)
        && voice.object(&a.values) == voice.object(&b.values)
}

fn time_of(time_us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time_us).unwrap_or_default()
}

/// The entry of a rule, without making its name anew for every event.
fn entry<'a, T: Default>(map: &'a mut BTreeMap<String, T>, rule: &str) -> &'a mut T {
    if !map.contains_key(rule) {
        map.insert(rule.to_owned(), T::default());
    }
    map.get_mut(rule).expect("it was put there a line above")
}

#[cfg(test)]
mod tests;
