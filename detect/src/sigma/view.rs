//! An event as the rule engine reads it: native names first, then the names rules know from another log of the same
//! thing (a process start of the Security log answers to Sysmon's names, an access log to those of W3C), then ours. No
//! JSON is built.

use std::borrow::Cow;

use monban_event::{Event, Field};
use rsigma_eval::{Event as SigmaEvent, EventValue};

use super::devices;
use super::windows::{Alias, aliases};
use crate::recall::{NAMES, PREFIXES, Recalled, Recollection};

/// What we computed of an event: a line that has such a name itself does not speak for us.
pub(super) const COMPUTED: &str = "monban.";

pub(super) struct EventView<'a> {
    event: &'a Event,
    recalled: &'a Recalled,
    /// The lengths of the native names, a bit each. Most of the names that rules ask for have another.
    lengths: u64,
    /// Whether any of them holds a blank.
    has_blanks: bool,
    aliases: &'static [Alias],
}

impl<'a> EventView<'a> {
    pub(super) fn new(event: &'a Event, recalled: &'a Recalled) -> Self {
        let lengths = event.native.name_lengths().fold(0, |lengths, length| lengths | length_bit(length));
        let has_blanks = event.native.iter().any(|(name, _)| name.as_bytes().contains(&b' '));
        Self { event, recalled, lengths, has_blanks, aliases: aliases(event) }
    }

    pub(super) fn event(&self) -> &'a Event {
        self.event
    }

    fn native(&self, name: &str) -> Option<EventValue<'_>> {
        if self.lengths & length_bit(name.len()) == 0 {
            return None;
        }
        let mut values = self.event.native.all(name);
        let first = text(values.next()?);
        let Some(second) = values.next() else { return Some(first) };
        let rest = values.map(text);
        Some(EventValue::Array([first, text(second)].into_iter().chain(rest).collect()))
    }

    fn alias(&self, name: &str) -> Option<EventValue<'_>> {
        if let Some(value) = self.unspaced(name) {
            return Some(text(value));
        }
        let Some(alias) = self.aliases.iter().find(|alias| alias.sigma == name) else {
            return devices::field(self.event, name).map(EventValue::Str);
        };
        Some(text((alias.convert)(self.event.native.get(alias.native)?)))
    }

    /// Defender names its data with spaces (`Threat Name`), the rules without (`ThreatName`).
    fn unspaced(&self, name: &str) -> Option<&'a str> {
        if !self.has_blanks || self.lengths < length_bit(name.len()) {
            return None;
        }
        let is_meant =
            |spaced: &str| spaced.len() > name.len() && spaced.bytes().filter(|&byte| byte != b' ').eq(name.bytes());
        self.event.native.iter().find_map(|(spaced, value)| is_meant(spaced).then_some(value))
    }

    fn ours(&self, name: &str) -> Option<EventValue<'_>> {
        if !name.contains(['.', '@']) && name != "message" {
            return None;
        }
        let value = match name {
            "related.user" => return list(self.event.related_users().into_iter().map(str::to_owned)),
            "related.ip" => return list(self.event.related_ips().into_iter().map(|ip| ip.to_string())),
            _ => self.event.get(Field::from_name(name)?)?,
        };
        Some(match value {
            monban_event::Value::Number(number) => EventValue::Int(number),
            monban_event::Value::Flag(flag) => EventValue::Bool(flag),
            monban_event::Value::Text(text) => EventValue::Str(text),
            other => EventValue::Str(Cow::Owned(other.to_text().into_owned())),
        })
    }

    /// What a keyword is looked for in: every value, and for device lines the text as it came. A Windows message is
    /// made of its values, so it would only join what stands apart.
    fn strings(&self) -> impl Iterator<Item = &str> {
        let windows = self.event.module.as_deref() == Some("windows");
        let message = self.event.message.as_deref().filter(|_| !windows);
        self.event.native.iter().map(|(_, value)| value).chain(message)
    }
}

/// Names of 63 bytes and more share a bit.
fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

fn text(value: &str) -> EventValue<'_> {
    EventValue::Str(Cow::Borrowed(value))
}

fn list<'a>(values: impl Iterator<Item = String>) -> Option<EventValue<'a>> {
    let values: Vec<EventValue<'a>> = values.map(|value| EventValue::Str(Cow::Owned(value))).collect();
    (!values.is_empty()).then_some(EventValue::Array(values))
}

impl SigmaEvent for EventView<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        if path.starts_with(COMPUTED) {
            return self.ours(path);
        }
        if PREFIXES.iter().any(|prefix| path.starts_with(prefix)) {
            return self.recalled.get(path).map(|value| match value {
                Recollection::Word(word) => EventValue::Str(word),
                Recollection::Number(number) => EventValue::Int(number),
            });
        }
        self.native(path).or_else(|| self.alias(path)).or_else(|| self.ours(path))
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        self.strings().any(pred)
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        self.strings().map(Cow::Borrowed).collect()
    }

    fn visit_string_values(&self, visit: &mut dyn FnMut(&str)) {
        self.strings().for_each(visit);
    }

    fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Object(self.event.to_json())
    }

    fn visit_top_level_keys(&self, visit: &mut dyn FnMut(&str)) -> bool {
        for (name, _) in self.event.native.iter() {
            visit(name);
            if name.contains(' ') {
                visit(&name.replace(' ', ""));
            }
        }
        for alias in self.aliases {
            visit(alias.sigma);
        }
        for name in devices::NAMES.into_iter().filter(|name| devices::field(self.event, name).is_some()) {
            visit(name);
        }
        for &field in Field::ALL {
            if self.event.get(field).is_some() {
                visit(field.name());
            }
        }
        for name in NAMES.into_iter().filter(|name| self.recalled.get(name).is_some()) {
            visit(name);
        }
        visit("related.user");
        visit("related.ip");
        true
    }
}
