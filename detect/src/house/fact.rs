//! Facts: what the product itself came to know, of its sources or of what was done with it, as events of their own so
//! that rules over them stay plain Sigma. A fact is no record and is in no index: it has the id of the record or the act
//! that it came to light by, which is its evidence. Rules name the kind: `product: monban`, `category: fact`,
//! `service: KIND`. No other rule meets a fact, and no record can be taken for one.

use chrono::{DateTime, Utc};
use monban_event::{Event, EventId};

/// The module of facts; no parser gives it to an event.
pub(crate) const MODULE: &str = "monban";
/// The category of log sources whose rules are about facts.
pub(crate) const CATEGORY: &str = "fact";

/// A fact that came to light by that record or act, at that time of our clock.
pub(crate) fn fact(kind: &str, id: EventId, at: DateTime<Utc>) -> Event {
    Event {
        id,
        event_time: Some(at),
        ingested: Some(at),
        module: Some(MODULE.to_owned()),
        dataset: Some(kind.to_owned()),
        ..Event::default()
    }
}

/// Adds what the fact says; rules ask for it by that name.
pub(crate) fn say(fact: &mut Event, name: &str, value: &dyn ToString) {
    fact.native.push(name, &value.to_string());
}

/// The kind of a fact; `None` for what was received.
pub(crate) fn kind(event: &Event) -> Option<&str> {
    event.dataset.as_deref().filter(|_| event.module.as_deref() == Some(MODULE))
}
