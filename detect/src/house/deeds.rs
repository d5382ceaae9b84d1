//! What was done with this product: settings, exceptions, exports, and what its own check of the journal found.

use monban_event::{Act, Event, RecordId};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deeds {}

impl Deeds {
    pub(crate) fn act(&mut self, _id: RecordId, _act: &Act, _facts: &mut Vec<Event>) {}
}
