//! What each Windows machine writes down: of which audit policies events came lately. Owns the memory behind the rule
//! that tells where other rules are blind; what is known of the policies themselves is in [`crate::policy`].

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, Utc};
use monban_event::time::jst_date;
use monban_event::{Event, EventId};
use serde::{Deserialize, Serialize};

use super::fact::{fact, say};
use crate::policy::{AuditPolicy, Machines, POLICIES, Rhythm};
use crate::ruleset::RuleSet;

/// The kind of fact that a machine's missing policies are.
const KIND: &str = "audit_policy";
/// Windows machines watched. A hospital has some dozen servers; a forger of computer names must not grow memory.
const COMPUTERS_MAX: usize = 2_000;
/// Nothing is said of a machine before its records span so many days: every daily event has had its turn, and a weekend.
const KNOWN_DAYS: i32 = 7;
/// … and before it wrote so many records of its Security log: some ten a day are what an idle machine writes.
const KNOWN_RECORDS: u64 = 100;
/// A policy of which nothing came for so many days is off.
const LATELY_DAYS: i32 = 30;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Policies {
    computers: BTreeMap<String, Computer>,
    /// The last day on which the machines were looked at.
    looked_at: i32,
}

/// Days are those of the events, JST, from the beginning of our era.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Computer {
    first_day: i32,
    last_day: i32,
    records: u64,
    last_event: EventId,
    /// By policy key, the last day something came of it.
    seen: BTreeMap<String, i32>,
    /// What was told to be missing.
    told: BTreeSet<String>,
}

impl Policies {
    pub(crate) fn witness(&mut self, event: &Event) {
        let (Some(channel), Some(number), Some(name)) =
            (&event.winlog_channel, event.winlog_event_id, &event.winlog_computer)
        else {
            return;
        };
        let policy = AuditPolicy::place_of(channel, number).and_then(|place| POLICIES.get(place));
        if policy.is_none() && channel != "Security" {
            return;
        }
        let day = jst_date(event.time()).num_days_from_ce();
        let Some(computer) = self.computer(name, day, event.id) else { return };
        computer.note(day, event.id);
        if let Some(policy) = policy {
            computer.see(policy.key, day);
        }
    }

    fn computer(&mut self, name: &str, day: i32, event: EventId) -> Option<&mut Computer> {
        if !self.computers.contains_key(name) {
            if self.computers.len() >= COMPUTERS_MAX {
                return None;
            }
            let (seen, told) = Default::default();
            let computer = Computer { first_day: day, last_day: day, records: 0, last_event: event, seen, told };
            self.computers.insert(name.to_owned(), computer);
        }
        self.computers.get_mut(name)
    }

    /// Looks once a day at what every machine leaves out.
    pub(crate) fn tick(&mut self, rules: &RuleSet, now: DateTime<Utc>, facts: &mut Vec<Event>) {
        let today = jst_date(now).num_days_from_ce();
        if today <= self.looked_at {
            return;
        }
        self.looked_at = today;
        for (name, computer) in &mut self.computers {
            let missing = computer.missing();
            let told: BTreeSet<String> = missing.iter().map(|policy| policy.key.to_owned()).collect();
            if !told.is_subset(&computer.told) {
                facts.push(missing_fact(rules, name, computer.last_event, &missing, now));
            }
            computer.told = told;
        }
    }
}

fn missing_fact(
    rules: &RuleSet,
    computer: &str,
    evidence: EventId,
    missing: &[&'static AuditPolicy],
    now: DateTime<Utc>,
) -> Event {
    let joined = |words: &mut dyn Iterator<Item = String>| words.collect::<Vec<_>>().join("、");
    let blind: BTreeSet<String> = missing.iter().flat_map(|policy| rules.relying_on(policy.key)).collect();
    let mut told = fact(KIND, evidence, now);
    told.host_name = Some(computer.to_owned());
    say(&mut told, "policy.missing", &joined(&mut missing.iter().map(|policy| policy.title().to_owned())));
    say(&mut told, "policy.blind_rules", &blind.len());
    say(&mut told, "policy.commands", &joined(&mut missing.iter().map(|policy| policy.command())));
    told
}

impl Computer {
    fn note(&mut self, day: i32, event: EventId) {
        self.records += 1;
        self.first_day = self.first_day.min(day);
        if day >= self.last_day {
            (self.last_day, self.last_event) = (day, event);
        }
    }

    fn see(&mut self, key: &str, day: i32) {
        match self.seen.get_mut(key) {
            Some(last) => *last = day.max(*last),
            None => drop(self.seen.insert(key.to_owned(), day)),
        }
    }

    /// Policies of which a machine like this one writes something every day, and this one did not.
    fn missing(&self) -> Vec<&'static AuditPolicy> {
        if self.last_day - self.first_day < KNOWN_DAYS || self.records < KNOWN_RECORDS {
            return Vec::new();
        }
        let lately =
            |policy: &AuditPolicy| self.seen.get(policy.key).is_some_and(|day| self.last_day - day <= LATELY_DAYS);
        let is_controller =
            POLICIES.iter().any(|policy| policy.machines == Machines::DomainControllers && lately(policy));
        let is_meant = |policy: &&AuditPolicy| {
            policy.rhythm == Rhythm::Daily && (policy.machines == Machines::All || is_controller) && !lately(policy)
        };
        POLICIES.iter().filter(is_meant).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(day: i64, number: i64) -> Event {
        let start: DateTime<Utc> = "2026-10-01T12:00:00+09:00".parse().unwrap();
        Event {
            event_time: Some(start + chrono::TimeDelta::days(day)),
            winlog_channel: Some("Security".to_owned()),
            winlog_computer: Some("DC01.minato.example".to_owned()),
            winlog_event_id: Some(number),
            ..Event::default()
        }
    }

    /// What is told after so many days, each with 30 records of each of the numbers.
    fn told_after(days: i64, numbers: &[i64]) -> Vec<String> {
        let (mut policies, rules, mut told) = (Policies::default(), RuleSet::hospital(), Vec::new());
        for day in 0..days {
            for _ in 0..30 {
                for number in numbers {
                    policies.witness(&event(day, *number));
                }
            }
            let mut facts = Vec::new();
            policies.tick(&rules, event(day, 0).time(), &mut facts);
            let kept = serde_json::to_string(&policies).unwrap();
            assert_eq!(serde_json::from_str::<Policies>(&kept).unwrap(), policies);
            told.extend(facts.iter().filter_map(|fact| fact.native.get("policy.missing").map(str::to_owned)));
        }
        told
    }

    #[test]
    fn what_a_machine_in_use_must_write_is_missed_after_a_week_and_told_once() {
        assert_eq!(told_after(20, &[4624, 4672]), ["プロセス作成"]);
        assert_eq!(told_after(20, &[4624, 4672, 4768]), ["Kerberos サービス チケット操作、プロセス作成"]);
        assert!(told_after(7, &[4624]).is_empty(), "nobody knows after six days");
        assert!(told_after(20, &[4624, 4672, 4688]).is_empty());
    }

    #[test]
    fn what_stops_coming_is_told_a_month_later() {
        let (mut policies, rules) = (Policies::default(), RuleSet::hospital());
        let mut facts = Vec::new();
        for day in 0..60 {
            let numbers: &[i64] = if day < 10 { &[4624, 4672, 4688] } else { &[4624, 4672] };
            for _ in 0..10 {
                for number in numbers {
                    policies.witness(&event(day, *number));
                }
            }
            policies.tick(&rules, event(day, 0).time(), &mut facts);
        }
        assert_eq!(facts.len(), 1);
        assert_eq!(jst_date(facts[0].time()), jst_date(event(40, 0).time()));
    }

    #[test]
    fn forged_names_do_not_grow_the_memory() {
        let mut policies = Policies::default();
        for number in 0..COMPUTERS_MAX + 10 {
            policies.witness(&Event { winlog_computer: Some(format!("PC{number}")), ..event(0, 4624) });
        }
        assert_eq!(policies.computers.len(), COMPUTERS_MAX);
    }
}
