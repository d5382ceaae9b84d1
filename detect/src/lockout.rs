//! Whether a Windows domain locks accounts after wrong passwords, as far as lines say: on which days one was locked. Owns
//! the memory of `seen.lockout` and its bounds.
//!
//! Lines of one domain name it in two ways, `MINATO` and `minato.example` (by the name of the machine), and some in one of
//! them alone. What a line says holds for every name it has, so that in doubt a domain counts as one that locks.

use std::collections::BTreeSet;

use monban_event::{Event, Login, LoginKind};
use serde::{Deserialize, Serialize};

use crate::seen::day;

/// A domain that locks has somebody who types wrong within this.
const DAYS: i32 = 30;
/// Days of lockouts kept by domain: all that can be judged again.
const DAYS_MAX: usize = 400;
/// A hospital has a handful. Names come with failed logons too, from whoever tries: above the bound no more are taken,
/// and nothing is said of them.
const DOMAINS_MAX: usize = 256;
/// "The referenced account is currently locked out".
const LOCKED_OUT: &str = "0xc0000234";
const ACCOUNT_LOCKED: i64 = 4740;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lockouts {
    /// In the order in which they came.
    domains: Vec<Domain>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Domain {
    name: String,
    /// The earliest day of which a line came.
    since: i32,
    locked: BTreeSet<i32>,
}

impl Lockouts {
    /// `recent` where an account of the event's domain was locked within the 30 days before, else `none`, or `learning`
    /// while lines of that domain do not reach so far back.
    pub(crate) fn recall(&self, event: &Event) -> Option<&'static str> {
        if !is_windows(event) {
            return None;
        }
        let day = day(event.time());
        let known = || names(event).into_iter().flatten().filter_map(|name| self.find(name));
        let is_recent = known().any(|domain| domain.locked.range(day - DAYS..=day).next().is_some());
        let is_watched = known().any(|domain| day - domain.since >= DAYS);
        Some(match (is_recent, is_watched) {
            (true, _) => "recent",
            (false, true) => "none",
            (false, false) => "learning",
        })
    }

    pub(crate) fn note(&mut self, event: &Event) {
        if !is_windows(event) {
            return;
        }
        let day = day(event.time());
        if is_lockout(event) {
            let subject = event.native.get("SubjectDomainName").filter(|name| *name != "-").map(label);
            names(event).into_iter().chain([subject]).flatten().for_each(|name| self.lock(name, day));
            return;
        }
        for name in names(event).into_iter().flatten() {
            if let Some(domain) = self.domain(name, day) {
                domain.since = domain.since.min(day);
            }
        }
    }

    fn lock(&mut self, name: &str, day: i32) {
        let Some(domain) = self.domain(name, day) else { return };
        domain.locked.insert(day);
        if domain.locked.len() > DAYS_MAX {
            domain.locked.pop_first();
        }
    }

    fn find(&self, name: &str) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.name.eq_ignore_ascii_case(name))
    }

    fn domain(&mut self, name: &str, day: i32) -> Option<&mut Domain> {
        let is_named = |domain: &Domain| domain.name.eq_ignore_ascii_case(name);
        if !self.domains.iter().any(is_named) && self.domains.len() < DOMAINS_MAX {
            self.domains.push(Domain { name: name.to_owned(), since: day, locked: BTreeSet::new() });
        }
        self.domains.iter_mut().find(|domain| is_named(domain))
    }
}

/// A logon, or a lockout.
fn is_windows(event: &Event) -> bool {
    event.login_kind == Some(LoginKind::Windows) || event.winlog_event_id == Some(ACCOUNT_LOCKED)
}

/// Somebody was locked, or was refused for it.
fn is_lockout(event: &Event) -> bool {
    event.winlog_event_id == Some(ACCOUNT_LOCKED)
        || (event.login == Some(Login::Failure) && event.reason.as_deref() == Some(LOCKED_OUT))
}

/// What the account's domain is called, and what the machine's, which its own accounts take their rules from.
fn names(event: &Event) -> [Option<&str>; 2] {
    let network = event.host_name.as_deref().and_then(|host| host.split('.').nth(1));
    [event.user_domain.as_deref().map(label), network].map(|name| name.filter(|name| !name.is_empty()))
}

/// `minato` of `minato.example`.
fn label(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use monban_event::NativeFields;

    use super::*;

    fn event(time: &str, number: i64, host: &str, domain: Option<&str>) -> Event {
        let time: DateTime<Utc> = format!("{time}T10:00:00+09:00").parse().expect("a time");
        Event {
            event_time: Some(time),
            winlog_event_id: Some(number),
            host_name: Some(host.to_owned()),
            user_domain: domain.map(str::to_owned),
            login: (number != ACCOUNT_LOCKED).then_some(Login::Failure),
            login_kind: (number != ACCOUNT_LOCKED).then_some(LoginKind::Windows),
            ..Event::default()
        }
    }

    fn locked(time: &str, domain: &str) -> Event {
        let native: NativeFields = [("SubjectDomainName", domain)].into_iter().collect();
        Event { native, ..event(time, ACCOUNT_LOCKED, "DC01.minato.example", None) }
    }

    fn asked(lockouts: &Lockouts, time: &str) -> Option<&'static str> {
        lockouts.recall(&event(time, 4771, "dc01.minato.example", None))
    }

    #[test]
    fn a_month_without_a_lockout_says_that_there_is_none() {
        let mut lockouts = Lockouts::default();
        assert_eq!(asked(&lockouts, "2026-10-06"), Some("learning"));
        lockouts.note(&event("2026-10-06", 4625, "EMR01.minato.example", Some("minato")));
        assert_eq!(asked(&lockouts, "2026-11-04"), Some("learning"));
        assert_eq!(asked(&lockouts, "2026-11-05"), Some("none"));
        assert_eq!(lockouts.recall(&event("2026-11-05", 4625, "PC7", Some("office"))), Some("learning"));
        lockouts.note(&event("2026-09-01", 4625, "EMR01.minato.example", Some("minato")));
        assert_eq!(asked(&lockouts, "2026-10-06"), Some("none"), "what is imported reaches further back");
    }

    #[test]
    fn one_lockout_speaks_for_its_domain_for_thirty_days() {
        let mut lockouts = Lockouts::default();
        lockouts.note(&event("2026-08-01", 4625, "EMR01.minato.example", Some("minato")));
        lockouts.note(&event("2026-08-01", 4625, "HR01.office.example", Some("OFFICE")));
        lockouts.note(&locked("2026-10-06", "MINATO"));
        assert_eq!(asked(&lockouts, "2026-10-05"), Some("none"), "not before it happened");
        assert_eq!(asked(&lockouts, "2026-11-05"), Some("recent"));
        assert_eq!(asked(&lockouts, "2026-11-06"), Some("none"));
        let other = event("2026-10-07", 4625, "HR01.office.example", Some("office"));
        assert_eq!(lockouts.recall(&other), Some("none"), "another domain has rules of its own");
        let local = event("2026-10-07", 4625, "EMR01.minato.example", Some("emr01"));
        assert_eq!(lockouts.recall(&local), Some("recent"), "a machine's own accounts follow its domain");
    }

    #[test]
    fn a_domain_by_two_names_is_one_that_locks() {
        let mut lockouts = Lockouts::default();
        lockouts.note(&event("2026-08-01", 4771, "dc01.minato.example", None));
        lockouts.note(&event("2026-08-01", 4625, "dc01.minato.example", Some("HOSP")));
        lockouts.note(&locked("2026-10-06", "HOSP"));
        assert_eq!(asked(&lockouts, "2026-10-10"), Some("recent"));
        assert_eq!(lockouts.recall(&event("2026-10-10", 4625, "PC3", Some("hosp"))), Some("recent"));
    }

    #[test]
    fn who_is_refused_as_locked_was_locked() {
        let mut lockouts = Lockouts::default();
        lockouts.note(&event("2026-08-01", 4776, "dc01.minato.example", None));
        let refused = event("2026-10-06", 4776, "dc01.minato.example", None);
        lockouts.note(&Event { reason: Some(LOCKED_OUT.to_owned()), ..refused });
        assert_eq!(asked(&lockouts, "2026-10-06"), Some("recent"));
    }

    #[test]
    fn names_that_somebody_makes_up_fill_nothing() {
        let mut lockouts = Lockouts::default();
        for number in 0..2 * DOMAINS_MAX {
            lockouts.note(&event("2026-08-01", 4625, "EMR01.minato.example", Some(&format!("made{number}"))));
        }
        assert_eq!(lockouts.domains.len(), DOMAINS_MAX);
        let late = event("2026-10-06", 4625, "EMR01.minato.example", Some("made999"));
        assert_eq!(lockouts.recall(&late), Some("none"), "the machine's domain is known all the same");
        assert_eq!(lockouts.recall(&Event { host_name: None, ..late }), Some("learning"));
    }
}
