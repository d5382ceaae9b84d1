//! The values rules group, count and speak by: fields of the event, native fields, and a few facts that only the
//! detector knows. A [`Slots`] table lists all that a set of rules needs; a [`Values`] is one event's row in it.

use monban_event::time::jst_date;
use monban_event::{Event, Field};

use crate::context::Context;

/// `device`: the machine or device the event is about.
const DEVICE: &str = "device";
/// `seen.source`: `known` where the user came from that network on an earlier day of the last 90, else `new`.
const SEEN_SOURCE: &str = "seen.source";
/// `allow.expired`: `recent` where the allow-list entry of the address ran out in the last 7 days, else absent.
const ALLOW_EXPIRED: &str = "allow.expired";
/// `calendar.long_break`: `true` within three or more days off in a row.
const LONG_BREAK: &str = "calendar.long_break";
/// An entry that ran out so recently was probably forgotten to renew.
const RECENT_DAYS: i64 = 7;

/// One event's values, by slot.
pub(crate) type Values = Vec<Option<String>>;

/// Field names by slot number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    names: Vec<String>,
}

impl Slots {
    /// The slot of `name`, made where there is none.
    pub(crate) fn slot(&mut self, name: &str) -> usize {
        self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// A row of facts that stand in no event.
    pub(crate) fn row(&self, facts: &[(&str, String)]) -> Values {
        let fact = |name: &String| facts.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        self.names.iter().map(fact).collect()
    }

    pub(crate) fn values(&self, context: &Context, event: &Event, source_known: bool) -> Values {
        self.names.iter().map(|name| value(context, event, source_known, name)).collect()
    }
}

fn value(context: &Context, event: &Event, source_known: bool, name: &str) -> Option<String> {
    match name {
        DEVICE => event.device().or(event.source_id.as_deref()).map(str::to_owned),
        SEEN_SOURCE => Some(if source_known { "known" } else { "new" }.to_owned()),
        ALLOW_EXPIRED => {
            let days = context.days_since_allowed(event.source_ip?, event.time())?;
            (days <= RECENT_DAYS).then(|| "recent".to_owned())
        }
        LONG_BREAK => Some(context.calendar().is_long_break(jst_date(event.time())).to_string()),
        _ => match Field::from_name(name) {
            Some(field) => event.get(field).map(|value| value.to_text().into_owned()),
            None => event.native.get(name).map(str::to_owned),
        },
    }
}

/// The first of several slots that holds a value.
pub(crate) fn first<'a>(values: &'a Values, slots: &[usize]) -> Option<&'a str> {
    slots.iter().find_map(|&slot| values.get(slot)?.as_deref())
}
