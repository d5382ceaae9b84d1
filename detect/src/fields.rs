//! The values rules group, count and speak by: fields of the event, native fields, and a few facts that only the
//! detector knows. A [`Slots`] table lists all that a set of rules needs; a [`Values`] is one event's row in it.

use std::borrow::Cow;

use monban_event::time::jst_date;
use monban_event::{Event, Field};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::context::Context;
use crate::recall::{PREFIXES, Recalled};
use crate::seen::network;

/// `device`: the machine or device the event is about.
const DEVICE: &str = "device";
/// `source.network`: the /24 of the address, or the /48 of IPv6: what one line or one site has.
const NETWORK: &str = "source.network";
/// `allow.expired`: `recent` where the allow-list entry of the address ran out in the last 7 days, else absent.
const ALLOW_EXPIRED: &str = "allow.expired";
/// `leave.ended`: `recent` where the account's owner came back from a leave in the last 30 days, else absent.
const LEAVE_ENDED: &str = "leave.ended";
/// Who came back so recently logs on again for that.
const RETURN_DAYS: i64 = 30;
/// `calendar.long_break`: `true` within three or more days off in a row.
const LONG_BREAK: &str = "calendar.long_break";
/// An entry that ran out so recently was probably forgotten to renew.
const RECENT_DAYS: i64 = 7;

/// One event's values, by slot. Most slots of most events are empty, and a flood holds many rows: one text, and where in
/// it each value ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Values {
    text: Box<str>,
    /// Slots that hold a value, rising, each with the end of its value in the text.
    ends: Box<[(u16, u32)]>,
}

impl Values {
    pub(crate) fn get(&self, slot: usize) -> Option<&str> {
        let place = self.ends.binary_search_by_key(&slot, |&(slot, _)| slot.into()).ok()?;
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |&(_, end)| end);
        let (_, end) = self.ends.get(place)?;
        self.text.get(start as usize..*end as usize)
    }

    /// From values with their slots, rising.
    pub(crate) fn of<'a>(values: impl Iterator<Item = (usize, Cow<'a, str>)>) -> Self {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for (slot, value) in values {
            text.push_str(&value);
            // Slots are the fields that rules name, and a value is bounded by its record: both stay far below.
            if let (Ok(slot), Ok(end)) = (u16::try_from(slot), u32::try_from(text.len())) {
                ends.push((slot, end));
            }
        }
        Self { text: text.into_boxed_str(), ends: ends.into_boxed_slice() }
    }

    fn slots(&self) -> impl Iterator<Item = usize> {
        self.ends.iter().map(|&(slot, _)| slot.into())
    }

    /// The same values under other numbers; those without one are let go.
    pub(crate) fn renumbered(&self, number: &dyn Fn(usize) -> Option<usize>) -> Self {
        let mut kept: Vec<(usize, &str)> =
            self.slots().filter_map(|slot| Some((number(slot)?, self.get(slot)?))).collect();
        kept.sort_unstable();
        Self::of(kept.into_iter().map(|(slot, value)| (slot, Cow::Borrowed(value))))
    }
}

/// In a snapshot: pairs of slot and value.
impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.slots().map(|slot| (slot, self.get(slot))))
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = Vec::<(usize, String)>::deserialize(deserializer)?;
        values.sort_unstable();
        Ok(Self::of(values.into_iter().map(|(slot, value)| (slot, Cow::Owned(value)))))
    }
}

/// Where a slot's value comes from.
#[derive(Clone, Debug)]
enum Fact {
    Device,
    Network,
    Recalled,
    AllowExpired,
    LongBreak,
    LeaveEnded,
    Field(Field),
    Native,
}

impl Fact {
    fn of(name: &str) -> Self {
        match name {
            DEVICE => Self::Device,
            NETWORK => Self::Network,
            ALLOW_EXPIRED => Self::AllowExpired,
            LONG_BREAK => Self::LongBreak,
            LEAVE_ENDED => Self::LeaveEnded,
            name if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) => Self::Recalled,
            _ => Field::from_name(name).map_or(Self::Native, Self::Field),
        }
    }
}

/// Field names by slot number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    names: Vec<String>,
    facts: Vec<Fact>,
}

impl Slots {
    /// The slot of `name`, made where there is none.
    pub(crate) fn slot(&mut self, name: &str) -> usize {
        self.find(name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.facts.push(Fact::of(name));
            self.names.len() - 1
        })
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// A row of facts that stand in no event.
    pub(crate) fn row(&self, facts: &[(&str, String)]) -> Values {
        let fact = |name: &String| facts.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let values = self.names.iter().enumerate().filter_map(|(slot, name)| Some((slot, Cow::Borrowed(fact(name)?))));
        Values::of(values)
    }

    pub(crate) fn values(&self, context: &Context, event: &Event, recalled: &Recalled) -> Values {
        let facts = Facts { context, event, recalled };
        let named = self.names.iter().zip(&self.facts).enumerate();
        Values::of(named.filter_map(|(slot, (name, fact))| Some((slot, facts.value(fact, name)?))))
    }
}

/// What the values of one event are read from.
struct Facts<'a> {
    context: &'a Context,
    event: &'a Event,
    recalled: &'a Recalled,
}

impl<'a> Facts<'a> {
    fn value(&self, fact: &Fact, name: &str) -> Option<Cow<'a, str>> {
        let (context, event) = (self.context, self.event);
        match fact {
            Fact::Device => event.device().or(event.source_id.as_deref()).map(Cow::Borrowed),
            Fact::Network => Some(Cow::Owned(network(event.source_ip?))),
            Fact::Recalled => self.recalled.get(name).map(|value| Cow::Owned(value.into_text())),
            Fact::AllowExpired => {
                let days = context.days_since_allowed(event.source_ip?, event.time())?;
                (days <= RECENT_DAYS).then_some(Cow::Borrowed("recent"))
            }
            Fact::LeaveEnded => {
                let days = context.days_since_leave(event.user_name.as_deref()?, event.time())?;
                (days <= RETURN_DAYS).then_some(Cow::Borrowed("recent"))
            }
            Fact::LongBreak => Some(Cow::Owned(context.calendar().is_long_break(jst_date(event.time())).to_string())),
            Fact::Field(field) => event.get(*field).map(|value| value.to_text().into_owned().into()),
            Fact::Native => event.native.get(name).map(Cow::Borrowed),
        }
    }
}

/// The first of several slots that holds a value.
pub(crate) fn first<'a>(values: &'a Values, slots: &[usize]) -> Option<&'a str> {
    slots.iter().find_map(|&slot| values.get(slot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gives_back_what_was_put_in_and_comes_through_a_snapshot() {
        let mut slots = Slots::default();
        for name in ["a", "b", "c", "d"] {
            slots.slot(name);
        }
        let row = slots.row(&[("d", "四".to_owned()), ("b", String::new()), ("a", "one".to_owned())]);
        let read = |row: &Values| (0..5).map(|slot| row.get(slot).map(str::to_owned)).collect::<Vec<_>>();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(read(&row), [text("one"), text(""), None, text("四"), None]);
        let kept: Values = serde_json::from_str(&serde_json::to_string(&row).unwrap()).unwrap();
        assert_eq!(kept, row);
        let moved = row.renumbered(&|slot| (slot != 1).then(|| 3 - slot));
        assert_eq!(read(&moved), [text("四"), None, None, text("one"), None]);
    }
}
