//! The numbers that Windows gives its records, by computer and channel: what is missing among them, and how far back a
//! log that was handed in reaches.

use chrono::{DateTime, Utc};
use monban_event::{Act, Event, RecordId};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Numbers {}

impl Numbers {
    pub(crate) fn witness(&mut self, _event: &Event, _facts: &mut Vec<Event>) {}

    pub(crate) fn act(&mut self, _id: RecordId, _act: &Act, _facts: &mut Vec<Event>) {}

    pub(crate) fn tick(&mut self, _now: DateTime<Utc>, _facts: &mut Vec<Event>) {}
}
