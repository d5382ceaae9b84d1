//! Findings on their way out. Owns joining what was found since the last taking, by finding id, and the promise that
//! an event counts once per finding.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use monban_event::finding::{EVIDENCE_MAX, SOURCES_MAX};
use monban_event::{Disaster, EventId, Finding, FindingId, Severity};
use serde::{Deserialize, Serialize};

use crate::fields::{Slots, Values};
use crate::pairs;
use crate::rule::{Spoken, Voice};
use crate::season::{Newness, case_subject};

/// How long by our clock an event's part in a finding is remembered: longer than any window and its lateness, after
/// which the correlators have forgotten it too.
const REMEMBER_US: i64 = 3 * 86_400 * 1_000_000;
/// Parts remembered at most, some 50 bytes each. Above it the oldest go; an event of a flood that is found again by a
/// second correlation of the same rule may then count twice.
const PARTS_MAX: usize = 500_000;
/// Findings whose running count is remembered, for their sentence and their severity by count.
const STATES_MAX: usize = 50_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct State {
    serial: u64,
    count: u64,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
    severity: Severity,
    touched_us: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gather {
    states: BTreeMap<FindingId, State>,
    parts: BTreeSet<(u64, EventId)>,
    /// Parts in the order they came, with our clock (µs).
    order: VecDeque<(i64, u64, EventId)>,
    next_serial: u64,
    #[serde(with = "pairs")]
    pending: BTreeMap<FindingId, Finding>,
}

/// Something a rule found at one event.
pub(crate) struct Found<'a> {
    pub(crate) voice: &'a Voice,
    /// Values and time of the event that speaks for the finding.
    pub(crate) values: &'a Values,
    pub(crate) at: DateTime<Utc>,
    /// All events of it, with their times.
    pub(crate) evidence: Vec<(DateTime<Utc>, EventId)>,
    /// Values of evidence events, where they are known.
    pub(crate) evidence_values: Vec<&'a Values>,
    pub(crate) distinct: u64,
    pub(crate) arrival_us: i64,
    pub(crate) season: Season<'a>,
}

/// What the time of a finding makes of it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Season<'a> {
    /// One level lower.
    pub(crate) newness: Option<Newness>,
    /// Part of that disaster's case.
    pub(crate) disaster: Option<&'a Disaster>,
}

impl Found<'_> {
    /// Subject, object, and the time whose day it is counted to.
    fn about(&self) -> (String, String, DateTime<Utc>) {
        match self.season.disaster {
            Some(disaster) => (case_subject(disaster), String::new(), disaster.from),
            None => (self.voice.subject(self.values).to_owned(), self.voice.object(self.values).to_owned(), self.at),
        }
    }

    fn sources(&self) -> BTreeSet<IpAddr> {
        let values = std::iter::once(self.values).chain(self.evidence_values.iter().copied());
        let sources = values.filter_map(|values| self.voice.source(values)).filter_map(|text| text.parse().ok());
        sources.take(SOURCES_MAX).collect()
    }

    fn severity(&self, count: u64) -> Severity {
        let severity = self.voice.severity(self.values, &self.evidence_values, count);
        if self.season.newness.is_some() { severity.lowered() } else { severity }
    }

    fn summary(&self, slots: &Slots, spoken: &Spoken<'_>) -> String {
        let sentence = match self.season.disaster {
            Some(disaster) => self.voice.case_summary(disaster, spoken),
            None => self.voice.summary(slots, self.values, spoken),
        };
        sentence + self.season.newness.map_or("", Newness::sentence)
    }
}

impl Gather {
    /// Takes what was found; events that the finding holds already are left out.
    pub(crate) fn add(&mut self, slots: &Slots, found: &Found<'_>) {
        let voice = found.voice;
        let (subject, object, day) = found.about();
        let id = Finding::make_id(&voice.rule_id, &subject, &object, day, 0);
        let serial = self.serial(&id, found);
        let fresh: Vec<(DateTime<Utc>, EventId)> = found
            .evidence
            .iter()
            .filter(|(_, event)| self.is_new_part(serial, *event, found.arrival_us))
            .copied()
            .collect();
        let Some(state) = self.states.get_mut(&id) else { return };
        let severity = found.severity(state.count + fresh.len() as u64);
        // Two documents of a rule may say the same of one event, and one of them more gravely. Of a finding that was closed
        // nothing is said before something new belongs to it.
        if fresh.is_empty() && (severity <= state.severity || state.count == 0) {
            return;
        }
        if let Some((time, _)) = fresh.first().filter(|_| state.count == 0) {
            (state.first, state.last) = (*time, *time);
        }
        state.count += fresh.len() as u64;
        state.touched_us = found.arrival_us;
        for (time, _) in &fresh {
            state.first = state.first.min(*time);
            state.last = state.last.max(*time);
        }
        state.severity = state.severity.max(severity);
        let spoken = Spoken {
            subject: &subject,
            object: &object,
            count: state.count,
            first: state.first,
            last: state.last,
            distinct: found.distinct,
        };
        let finding = Finding {
            id: id.clone(),
            rule_id: voice.rule_id.clone(),
            rule_title: voice.title.clone(),
            rule_version: voice.version.clone(),
            severity: state.severity,
            first: fresh.iter().map(|(time, _)| *time).min().unwrap_or(found.at),
            last: fresh.iter().map(|(time, _)| *time).max().unwrap_or(found.at),
            count: fresh.len() as u64,
            summary: found.summary(slots, &spoken),
            evidence: fresh.into_iter().map(|(_, event)| event).collect(),
            sources: found.sources(),
            subject,
            object,
        };
        self.put(finding);
    }

    /// Adds a finding that is whole already: of what did not happen there is no second report.
    pub(crate) fn put(&mut self, finding: Finding) {
        match self.pending.get_mut(&finding.id) {
            Some(pending) => join(pending, finding),
            None => drop(self.pending.insert(finding.id.clone(), finding)),
        }
    }

    /// Somebody closed the finding: what comes after it is told, and weighed, by itself. Its parts stay known.
    pub(crate) fn close(&mut self, id: &FindingId) {
        if let Some(state) = self.states.get_mut(id) {
            state.count = 0;
            state.severity = Severity::Informational;
        }
    }

    /// What was found since the last call, by id.
    pub(crate) fn take(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.pending).into_values().collect()
    }

    fn serial(&mut self, id: &FindingId, found: &Found<'_>) -> u64 {
        if let Some(state) = self.states.get(id) {
            return state.serial;
        }
        if self.states.len() >= STATES_MAX {
            let horizon = self.states.values().map(|state| state.touched_us).min().unwrap_or(0);
            self.states.retain(|_, state| state.touched_us > horizon);
        }
        self.next_serial += 1;
        let state = State {
            serial: self.next_serial,
            count: 0,
            first: found.at,
            last: found.at,
            severity: Severity::Informational,
            touched_us: found.arrival_us,
        };
        self.states.insert(id.clone(), state);
        self.next_serial
    }

    fn is_new_part(&mut self, serial: u64, event: EventId, now_us: i64) -> bool {
        if !self.parts.insert((serial, event)) {
            return false;
        }
        self.order.push_back((now_us, serial, event));
        while let Some(&(at, serial, event)) = self.order.front()
            && (at < now_us.saturating_sub(REMEMBER_US) || self.order.len() > PARTS_MAX)
        {
            self.order.pop_front();
            self.parts.remove(&(serial, event));
        }
        true
    }
}

/// Both halves name different events, so numbers add.
pub(crate) fn join(pending: &mut Finding, more: Finding) {
    pending.severity = pending.severity.max(more.severity);
    pending.first = pending.first.min(more.first);
    pending.last = pending.last.max(more.last);
    pending.count += more.count;
    pending.summary = more.summary;
    let room = EVIDENCE_MAX.saturating_sub(pending.evidence.len());
    pending.evidence.extend(more.evidence.into_iter().take(room));
    let room = SOURCES_MAX.saturating_sub(pending.sources.len());
    pending.sources.extend(more.sources.into_iter().take(room));
}
