//! What each Windows machine writes down: of which audit policies events ever came.

use chrono::{DateTime, Utc};
use monban_event::Event;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Policies {}

impl Policies {
    pub(crate) fn witness(&mut self, _event: &Event) {}

    pub(crate) fn tick(&mut self, _now: DateTime<Utc>, _facts: &mut Vec<Event>) {}
}
