//! Days judged again. What comes to be known later (a date entered weeks late, a ticket approved afterwards, an import of
//! old records) changes what days gone by were. They are judged twice, as they were known before and as they are known
//! now, side by side over the same events: what the two differ in is what the new knowledge changes, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use monban_event::{Event, Finding, FindingId, RecordId};

use crate::context::Context;
use crate::detector::Detector;
use crate::gather::join;
use crate::ruleset::RuleSet;

/// What the new knowledge changes, by finding id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Findings that are new or otherwise, each as a whole.
    pub findings: Vec<Finding>,
    /// Findings that are none any more.
    pub withdrawn: Vec<Finding>,
    /// All findings as things are known now.
    pub standing: BTreeSet<FindingId>,
}

struct Side {
    detector: Detector,
    found: BTreeMap<FindingId, Finding>,
}

/// What was known from a record on, and what is known now of the same time.
#[derive(Clone, Debug)]
pub struct Knowledge {
    pub from: RecordId,
    pub before: Arc<Context>,
    pub now: Arc<Context>,
}

/// Two detectors over one stream of events. Silences and unused accounts are facts about our own reception and are left
/// to the clock.
pub struct Again {
    /// Rising.
    known: Vec<Knowledge>,
    before: Side,
    now: Side,
}

impl Side {
    fn new(rules: &Arc<RuleSet>) -> Self {
        Self { detector: Detector::new(Arc::clone(rules), Arc::default()), found: BTreeMap::new() }
    }

    fn observe(&mut self, context: &Arc<Context>, mut event: Event) {
        self.detector.set_context(Arc::clone(context));
        self.detector.enrich(&mut event);
        self.detector.observe(&mut event, &mut Vec::new());
        for finding in self.detector.take().findings {
            match self.found.get_mut(&finding.id) {
                Some(known) => join(known, finding),
                None => drop(self.found.insert(finding.id.clone(), finding)),
            }
        }
    }
}

impl Again {
    /// `known` rises; its first holds for everything before, too.
    pub fn new(rules: &Arc<RuleSet>, known: Vec<Knowledge>) -> Self {
        Self { known, before: Side::new(rules), now: Side::new(rules) }
    }

    /// A success of the months before, which makes an account, an address or a machine familiar, or a lockout.
    pub fn remember(&mut self, event: &Event, is_new: bool) {
        self.now.detector.remember(event);
        if !is_new {
            self.before.detector.remember(event);
        }
    }

    /// Takes the events in order of time and id; `is_new` where an event came only after its day had been judged.
    pub fn observe(&mut self, event: Event, is_new: bool) {
        let place = self.known.partition_point(|known| known.from <= event.id.record).saturating_sub(1);
        let Some(known) = self.known.get(place) else { return };
        if !is_new {
            self.before.observe(&known.before, event.clone());
        }
        self.now.observe(&known.now, event);
    }

    pub fn finish(self) -> Changes {
        let Self { mut before, now, .. } = self;
        let mut changes = Changes { standing: now.found.keys().cloned().collect(), ..Changes::default() };
        for (id, finding) in now.found {
            if before.found.remove(&id).is_none_or(|known| known != finding) {
                changes.findings.push(finding);
            }
        }
        changes.withdrawn = before.found.into_values().collect();
        changes
    }
}
