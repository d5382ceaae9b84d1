//! How much each source sends, when, and how well it is understood: by hour and by day.

use chrono::{DateTime, Utc};
use monban_event::Event;
use serde::{Deserialize, Serialize};

use crate::context::Context;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Volumes {}

impl Volumes {
    pub(crate) fn witness(&mut self, _context: &Context, _event: &Event, _facts: &mut Vec<Event>) {}

    pub(crate) fn tick(&mut self, _context: &Context, _now: DateTime<Utc>, _facts: &mut Vec<Event>) {}
}
