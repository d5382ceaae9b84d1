//! Lines that only point back: `last message repeated 5 times`, Yamaha's `same message repeated 5 times`. Owns the memory
//! of each source's last failed login, so that guessing at a password counts as often as it was done. Only a line that
//! follows the failure at once, from the same device, speaks of it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::limits::LOGIN_REPEATS_MAX;
use monban_event::{Category, Event, EventId, Field, Login};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::enrich::enrich;

/// Sources whose last line was a failed login. Above it all are forgotten: a flood of forged senders must not grow us.
const SOURCES_MAX: usize = 4_096;

/// How long after the failure a repeat is told: syslogd waits ten minutes at most.
const TOLD_WITHIN: TimeDelta = TimeDelta::minutes(15);

/// The native field in which parsers leave the count.
const REPEATED: &str = "repeated";

/// What a repeat has of the line it repeats.
const FIELDS: [Field; 18] = [
    Field::Module,
    Field::Dataset,
    Field::Code,
    Field::Category,
    Field::Action,
    Field::Outcome,
    Field::Reason,
    Field::UserName,
    Field::UserDomain,
    Field::UserRaw,
    Field::SourceIp,
    Field::SourcePort,
    Field::DestinationIp,
    Field::ObserverHostname,
    Field::HostName,
    Field::VpnType,
    Field::ProcessName,
    Field::SourceDomain,
];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Failure {
    device: Option<String>,
    received_at: DateTime<Utc>,
    /// Names and values of [`FIELDS`].
    fields: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Repeats {
    /// By the id a source is counted under.
    last: BTreeMap<String, Failure>,
}

impl Repeats {
    /// Completes a line that points back to a failed login, and answers the other attempts that it stands for; `None`
    /// for every other line. Takes every enriched event once, in journal order.
    pub(crate) fn expand(&mut self, context: &Context, event: &mut Event) -> Option<Vec<Event>> {
        if event.login == Some(Login::Failure) {
            self.remember(event.source_id.clone()?, event);
            return None;
        }
        let (source, failure) = self.last.remove_entry(event.source_id.as_ref()?)?;
        let count = pointing_back(event).filter(|_| failure.is_meant(event))?;
        failure.complete(event);
        enrich(context, event);
        // A further such line repeats the same once more.
        self.last.insert(source, failure);
        let EventId { record, offset } = event.id;
        let other = |other| Event { id: EventId::new(record, offset.saturating_add(other)), ..event.clone() };
        Some((1..count.min(LOGIN_REPEATS_MAX)).map(other).collect())
    }

    fn remember(&mut self, source: String, event: &Event) {
        if self.last.len() >= SOURCES_MAX && !self.last.contains_key(&source) {
            self.last.clear();
        }
        let fields = FIELDS
            .iter()
            .filter_map(|&field| event.get(field).map(|value| (field.name().to_owned(), value.to_text().into_owned())));
        let failure = Failure {
            device: event.device().map(str::to_owned),
            received_at: event.ingested.unwrap_or_default(),
            fields: fields.collect(),
        };
        self.last.insert(source, failure);
    }
}

impl Failure {
    fn is_meant(&self, event: &Event) -> bool {
        let waited = event.ingested.unwrap_or_default() - self.received_at;
        let is_same_device = event.device().is_none() || event.device() == self.device.as_deref();
        is_same_device && waited <= TOLD_WITHIN
    }

    fn complete(&self, event: &mut Event) {
        for (name, value) in &self.fields {
            if let Some(field) = Field::from_name(name) {
                event.set_text(field, value);
            }
        }
    }
}

/// How often the line before is said to have come again; `None` for lines that say something themselves.
fn pointing_back(event: &Event) -> Option<u32> {
    let count = event.native.get(REPEATED).filter(|_| event.category != Some(Category::Authentication))?;
    count.parse().ok().filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use monban_event::{Action, Outcome, RecordId};

    fn line(record: u64) -> Event {
        Event {
            id: EventId::new(RecordId(record), 0),
            source_id: Some("ip:192.0.2.1".to_owned()),
            ingested: "2026-03-03T00:00:00Z".parse().ok(),
            event_time: "2026-03-03T00:00:00Z".parse().ok(),
            module: Some("yamaha".to_owned()),
            observer_vendor: Some("Yamaha".to_owned()),
            category: Some(Category::Host),
            action: Some(Action::Other),
            ..Event::default()
        }
    }

    fn failure() -> Event {
        Event {
            category: Some(Category::Authentication),
            action: Some(Action::Login),
            outcome: Some(Outcome::Failure),
            user_name: Some("admin".to_owned()),
            source_ip: "203.0.113.9".parse().ok(),
            ..line(1)
        }
    }

    fn repeat(count: &str) -> Event {
        Event { native: [(REPEATED, count)].into_iter().collect(), ..line(2) }
    }

    /// Users of the attempts that the last line of these stands for.
    fn expanded(lines: &[Event]) -> Vec<Option<String>> {
        let (mut repeats, context) = (Repeats::default(), Context::default());
        let mut last = Vec::new();
        for line in lines {
            let mut event = line.clone();
            enrich(&context, &mut event);
            let others = repeats.expand(&context, &mut event).unwrap_or_default();
            let all = std::iter::once(event).chain(others);
            last = all.filter(|event| event.login == Some(Login::Failure)).map(|event| event.user_name).collect();
        }
        last
    }

    #[test]
    fn a_repeat_counts_as_often_as_it_says() {
        let admin = || Some("admin".to_owned());
        assert_eq!(expanded(&[failure(), repeat("3")]), [admin(), admin(), admin()]);
        assert_eq!(expanded(&[failure(), repeat("3"), repeat("1")]), [admin()]);
        assert_eq!(expanded(&[failure(), repeat("999999")]).len(), LOGIN_REPEATS_MAX as usize);
    }

    #[test]
    fn only_what_follows_at_once_is_meant() {
        let none: [Option<String>; 0] = [];
        assert_eq!(expanded(&[failure(), line(3), repeat("3")]), none);
        assert_eq!(expanded(&[repeat("3")]), none);
        let elsewhere = Event { source_id: Some("ip:192.0.2.2".to_owned()), ..repeat("3") };
        assert_eq!(expanded(&[failure(), elsewhere]), none);
        let named = Event { observer_hostname: Some("rt2".to_owned()), ..repeat("3") };
        assert_eq!(expanded(&[failure(), named]), none);
        let late = Event { ingested: "2026-03-03T01:00:00Z".parse().ok(), ..repeat("3") };
        assert_eq!(expanded(&[failure(), late]), none);
        assert_eq!(expanded(&[failure(), repeat("x")]), none);
    }
}
