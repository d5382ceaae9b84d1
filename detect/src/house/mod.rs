//! What is known of the house itself: how its sources send, what its machines write down, and what was done with this
//! product. Each part remembers what it needs and makes [`fact`]s of it, which meet the rules like events. All of it is
//! about our own reception and our own acts, at our own clock: days that are judged again do not come here.

mod clock;
pub(crate) mod deeds;
pub(crate) mod fact;
pub(crate) mod numbers;
mod parsing;
pub(crate) mod policy;
mod reach;
pub(crate) mod volume;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::{Act, Event, RecordId};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::ruleset::RuleSet;
use deeds::Deeds;
use numbers::Numbers;
use policy::Policies;
use volume::Volumes;

/// A record may come to us so much after its receipt: what the clock alone ends ends as much later, so that it ends at the
/// same record in a replay.
const ON_ITS_WAY: TimeDelta = TimeDelta::minutes(1);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct House {
    volumes: Volumes,
    numbers: Numbers,
    policies: Policies,
    deeds: Deeds,
}

impl House {
    /// A record's event was received or read. Appends what that brings to light.
    pub(crate) fn witness(&mut self, context: &Context, event: &Event, facts: &mut Vec<Event>) {
        self.volumes.witness(context, event, facts);
        self.numbers.witness(event, facts);
        self.policies.witness(event);
    }

    /// An event of a file that was here before.
    pub(crate) fn reread(&mut self, event: &Event) {
        self.numbers.reread(event);
    }

    pub(crate) fn act(&mut self, id: RecordId, act: &Act, facts: &mut Vec<Event>) {
        self.volumes.act(act);
        self.numbers.act(id, act, facts);
        self.deeds.act(id, act, facts);
    }

    pub(crate) fn tick(&mut self, rules: &RuleSet, context: &Context, now: DateTime<Utc>, facts: &mut Vec<Event>) {
        self.volumes.tick(context, now - ON_ITS_WAY, facts);
        self.numbers.tick(now - ON_ITS_WAY, facts);
        self.policies.tick(rules, now - ON_ITS_WAY, facts);
    }

    /// Nothing more will come.
    pub(crate) fn conclude(&mut self, facts: &mut Vec<Event>) {
        self.numbers.conclude(facts);
    }

    /// These numbers of the journal cannot be read any more.
    pub(crate) fn gap(&mut self, numbers: (RecordId, RecordId), at: DateTime<Utc>, facts: &mut Vec<Event>) {
        self.deeds.gap(numbers, at, facts);
    }
}
