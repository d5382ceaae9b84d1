//! 監査ポリシー診断: which Windows audit policies are at work on which machine, told from what came of each. What is
//! written every day by a machine in use is off where nothing came of it; of what is written seldom nobody can say so.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use monban_detect::policy::{AuditPolicy, Machines, POLICIES, Rhythm};
use monban_event::query::{Query, Test};
use monban_event::store::{AggregateRequest, EventStore, StoreError};
use monban_event::{Field, TimeRange};

/// Nothing is said of a machine whose records of the Security log span less: a weekend has to lie between.
const KNOWN: TimeDelta = TimeDelta::days(7);
/// Machines of one diagnosis, those that write most; a hospital has some dozen servers.
const MACHINES_MAX: usize = 300;

/// How a policy stands on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Off: a machine in use would have written something.
    Off,
    /// Nothing came, which proves nothing.
    Unseen,
    Arriving,
}

impl Standing {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Unseen => "unseen",
            Self::Arriving => "arriving",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyStanding {
    pub policy: &'static AuditPolicy,
    /// By name of the machine: how the policy stands there, and how many records came of it.
    pub machines: BTreeMap<String, (Standing, u64)>,
}

impl PolicyStanding {
    /// Names of the machines on which it stands so.
    pub fn on(&self, standing: Standing) -> Vec<&str> {
        self.machines.iter().filter(|(_, (is, _))| *is == standing).map(|(name, _)| name.as_str()).collect()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// In the order of the group policy editor.
    pub policies: Vec<PolicyStanding>,
    /// Windows machines that send their Security log, and how many records.
    pub machines: BTreeMap<String, u64>,
    /// Not all of the period could be looked at in time.
    pub partial: bool,
}

/// Looks at what came in the period. `patient` takes as long as it takes; else the store's budget holds for each question.
pub fn diagnose(store: &dyn EventStore, range: TimeRange, patient: bool) -> Result<Diagnosis, StoreError> {
    let mut asker = Asker { store, patient, partial: false };
    let machines = asker.count(channel("Security"), range)?;
    let early = TimeRange { to: range.to.map(|to: DateTime<Utc>| to - KNOWN), ..range };
    let known = asker.count(channel("Security"), early)?;
    let counts: Vec<BTreeMap<String, u64>> =
        POLICIES.iter().map(|policy| asker.count(events_of(policy), range)).collect::<Result<_, _>>()?;
    let controllers: Vec<&String> = POLICIES
        .iter()
        .zip(&counts)
        .filter(|(policy, _)| policy.machines == Machines::DomainControllers)
        .flat_map(|(_, counts)| counts.keys())
        .collect();
    let standing = |policy: &'static AuditPolicy, counts: &BTreeMap<String, u64>| {
        let meant = machines.keys().filter(|name| policy.machines == Machines::All || controllers.contains(name));
        let on = |name: &String| {
            let count = counts.get(name).copied().unwrap_or(0);
            let is_off = policy.rhythm == Rhythm::Daily && known.contains_key(name);
            let standing = match count {
                0 if is_off => Standing::Off,
                0 => Standing::Unseen,
                _ => Standing::Arriving,
            };
            (name.clone(), (standing, count))
        };
        PolicyStanding { policy, machines: meant.map(on).collect() }
    };
    let policies = POLICIES.iter().zip(&counts).map(|(policy, counts)| standing(policy, counts)).collect();
    Ok(Diagnosis { policies, partial: asker.partial, machines })
}

struct Asker<'a> {
    store: &'a dyn EventStore,
    patient: bool,
    partial: bool,
}

impl Asker<'_> {
    /// Records by machine.
    fn count(&mut self, query: Query, range: TimeRange) -> Result<BTreeMap<String, u64>, StoreError> {
        let request = AggregateRequest {
            fields: vec![Field::HostName],
            top: MACHINES_MAX,
            patient: self.patient,
            ..AggregateRequest::count(query, range)
        };
        let found = self.store.aggregate(&request)?;
        self.partial |= found.unsearched.is_some();
        Ok(found.tops.into_iter().flat_map(|top| top.values).collect())
    }
}

fn channel(name: &str) -> Query {
    Query::field(Field::WinlogChannel, Test::Exactly(name.to_owned()))
}

fn events_of(policy: &AuditPolicy) -> Query {
    let code = |number: &i64| Query::field(Field::Code, Test::Exactly(number.to_string()));
    let events = channel("Security").and(Query::Or(policy.events.iter().map(code).collect()));
    match &policy.sysmon {
        Some(number) => {
            let sysmon = channel("Microsoft-Windows-Sysmon/Operational").and(code(number));
            Query::Or(vec![events, sysmon])
        }
        None => events,
    }
}

#[cfg(test)]
mod tests {
    use monban_event::Event;

    use super::*;
    use crate::testing::MemoryStore;

    fn event(machine: &str, day: i64, number: i64) -> Event {
        let start: DateTime<Utc> = "2026-10-01T12:00:00+09:00".parse().unwrap();
        Event {
            event_time: Some(start + TimeDelta::days(day)),
            host_name: Some(machine.to_owned()),
            winlog_channel: Some("Security".to_owned()),
            code: Some(number.to_string()),
            ..Event::default()
        }
    }

    #[test]
    fn a_policy_is_off_where_a_machine_in_use_writes_nothing_of_it_every_day() {
        let days = |machine: &'static str, numbers: &'static [i64]| {
            (0..20).flat_map(move |day| numbers.iter().map(move |number| event(machine, day, *number)))
        };
        let new = event("NEW01", 19, 4624);
        let events = days("DC01", &[4624, 4768, 4769, 4688]).chain(days("LIS01", &[4624, 4672])).chain([new]);
        let store = MemoryStore { events: events.collect() };
        let end = event("", 20, 0).time();
        let range = TimeRange::between(end - TimeDelta::days(30), end);
        let found = diagnose(&store, range, true).unwrap();
        let on = |key: &str, standing| {
            let policy = found.policies.iter().find(|standing| standing.policy.key == key).unwrap();
            policy.on(standing).join(" ")
        };
        assert_eq!(on("process_creation", Standing::Off), "LIS01");
        assert_eq!(on("process_creation", Standing::Unseen), "NEW01", "a day is too little to say so");
        assert_eq!(on("process_creation", Standing::Arriving), "DC01");
        assert_eq!(on("kerberos_tickets", Standing::Off), "", "no domain controller, no ticket");
        assert_eq!(on("special_logon", Standing::Off), "DC01");
        assert_eq!(on("logon_failure", Standing::Off), "", "nobody failed, perhaps");
        assert_eq!(on("logon_failure", Standing::Unseen), "DC01 LIS01 NEW01");
        assert_eq!(found.machines.get("LIS01"), Some(&40));
    }
}
