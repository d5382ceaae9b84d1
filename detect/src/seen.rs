//! Which pairs (account and network, account and machine, address and machine) were seen before: a bitmap of days per
//! pair. And when an account was last seen. Owns first-seen memory and its bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chrono::{DateTime, Datelike, Utc};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use monban_event::time::finding_day;
use serde::{Deserialize, Serialize};

use crate::pairs;

/// Days a network stays familiar.
const DAYS: u32 = 90;
/// Pairs of account and network. 1,000 people with mobile lines use some 20 networks each in 90 days; above the bound
/// the pairs seen longest ago are let go, and those accounts look new once more.
const PAIRS_MAX: usize = 100_000;

/// Days after the first record until a pair that was never seen is called new.
const LEARNING_DAYS: i32 = 14;
/// Accounts whose last day is remembered; those seen longest ago go first.
const ACCOUNTS_MAX: usize = 50_000;

/// Days on which a pair was seen: bit n is `newest − n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Days {
    newest: i32,
    bits: u128,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    #[serde(with = "pairs")]
    days: BTreeMap<(String, String), Days>,
    /// The earliest day noted.
    #[serde(default)]
    since: Option<i32>,
}

impl Seen {
    /// `known` where the pair was seen on an earlier day, up to 90 back; else `new`, or `learning` while too little has
    /// been seen to call anything new.
    pub(crate) fn familiarity(&self, one: &str, other: &str, time: DateTime<Utc>) -> &'static str {
        let day = day(time);
        let known = self.days.get(&(one.to_owned(), other.to_owned())).is_some_and(|days| days.any_before(day));
        let is_learning = || self.since.is_none_or(|since| day.saturating_sub(since) < LEARNING_DAYS);
        match known {
            true => "known",
            false if is_learning() => "learning",
            false => "new",
        }
    }

    pub(crate) fn note(&mut self, one: &str, other: &str, time: DateTime<Utc>) {
        let day = day(time);
        self.since = Some(self.since.map_or(day, |since| since.min(day)));
        let entry = self.days.entry((one.to_owned(), other.to_owned())).or_insert(Days { newest: day, bits: 0 });
        entry.set(day);
        if self.days.len() > PAIRS_MAX {
            self.make_room();
        }
    }

    /// Drops a twentieth, the longest unseen.
    fn make_room(&mut self) {
        let mut newest: Vec<i32> = self.days.values().map(|days| days.newest).collect();
        newest.sort_unstable();
        let horizon = newest.get(PAIRS_MAX / 20).copied().unwrap_or(i32::MIN);
        self.days.retain(|_, days| days.newest > horizon);
    }
}

/// Sources that ever sent something. A hospital has some hundred; a forger of sender names must not grow memory, and above
/// the bound nobody is new.
const SENDERS_MAX: usize = 20_000;

/// Who sent something before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Senders {
    known: BTreeSet<String>,
    since: Option<i32>,
}

impl Senders {
    /// `new` for who never sent anything, or `learning` while it is too early to say so.
    pub(crate) fn newness(&self, source: &str, time: DateTime<Utc>) -> Option<&'static str> {
        if self.known.contains(source) || self.known.len() >= SENDERS_MAX {
            return None;
        }
        let is_learning = self.since.is_none_or(|since| day(time).saturating_sub(since) < LEARNING_DAYS);
        Some(if is_learning { "learning" } else { "new" })
    }

    pub(crate) fn note(&mut self, source: &str, time: DateTime<Utc>) {
        if !self.known.contains(source) && self.known.len() < SENDERS_MAX {
            self.known.insert(source.to_owned());
            self.since = Some(self.since.map_or(day(time), |since| since.min(day(time))));
        }
    }
}

/// The last days on which each account was seen: the latest, and the one before it, because an account is asked for again
/// on the day of its return.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LastSeen {
    days: BTreeMap<String, (i32, Option<i32>)>,
}

impl LastSeen {
    /// Days between the last day before this one and this one; `None` for who was never seen.
    pub(crate) fn idle_days(&self, account: &str, time: DateTime<Utc>) -> Option<i64> {
        let (day, (latest, before)) = (day(time), *self.days.get(account)?);
        let last = if latest < day { latest } else { before.filter(|&before| before < day)? };
        Some(i64::from(day) - i64::from(last))
    }

    /// Whether it was seen on an earlier day.
    pub(crate) fn knows_before(&self, account: &str, time: DateTime<Utc>) -> bool {
        self.idle_days(account, time).is_some()
    }

    pub(crate) fn note(&mut self, account: &str, time: DateTime<Utc>) {
        let day = day(time);
        if let Some((latest, before)) = self.days.get_mut(account) {
            if day > *latest {
                (*before, *latest) = (Some(*latest), day);
            } else if day < *latest {
                *before = Some(before.map_or(day, |before| before.max(day)));
            }
            return;
        }
        if self.days.len() >= ACCOUNTS_MAX {
            let oldest = self.days.values().map(|(latest, _)| *latest).min().unwrap_or(day);
            self.days.retain(|_, (latest, _)| *latest > oldest);
        }
        self.days.insert(account.to_owned(), (day, None));
    }
}

impl Days {
    fn set(&mut self, day: i32) {
        if day > self.newest {
            self.bits = self.bits.checked_shl(day.abs_diff(self.newest)).unwrap_or(0);
            self.newest = day;
        }
        if let Some(bit) = 1_u128.checked_shl(self.newest.abs_diff(day)) {
            self.bits |= bit;
        }
    }

    fn any_before(self, day: i32) -> bool {
        let at = |back: u32| day.checked_sub_unsigned(back).map(|day| self.newest.checked_sub(day));
        (1..=DAYS).any(|back| match at(back) {
            Some(Some(distance)) if distance >= 0 => {
                1_u128.checked_shl(distance.unsigned_abs()).is_some_and(|bit| self.bits & bit != 0)
            }
            _ => false,
        })
    }
}

/// Days as findings have them, from noon to noon: what is new all night is one finding.
pub(crate) fn day(time: DateTime<Utc>) -> i32 {
    finding_day(time).num_days_from_ce()
}

/// The /24 of an address, or the /48 of IPv6: what one line or one site has.
pub(crate) fn network(ip: IpAddr) -> String {
    let network: IpNet = match ip.to_canonical() {
        IpAddr::V4(ip) => Ipv4Net::new_assert(ip, 24).trunc().into(),
        IpAddr::V6(ip) => Ipv6Net::new_assert(ip, 48).trunc().into(),
    };
    network.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn a_pair_is_known_from_the_next_day_for_ninety_days() {
        let mut seen = Seen::default();
        let first = at("2026-10-06T12:00:00+09:00");
        let asked = |seen: &Seen, one: &str, other: &str, day: &str| {
            seen.familiarity(one, other, at(&format!("{day}T12:00:00+09:00")))
        };
        seen.note("yamada", "203.0.113.0", first);
        assert_eq!(seen.familiarity("yamada", "203.0.113.0", first), "learning", "the same day is no habit");
        assert_eq!(asked(&seen, "yamada", "203.0.113.0", "2026-10-07"), "known");
        assert_eq!(asked(&seen, "yamada", "198.51.100.0", "2026-10-07"), "learning");
        assert_eq!(asked(&seen, "yamada", "198.51.100.0", "2026-10-20"), "new");
        assert_eq!(asked(&seen, "sato", "203.0.113.0", "2026-10-20"), "new");
        assert_eq!(asked(&seen, "yamada", "203.0.113.0", "2027-01-04"), "known");
        assert_eq!(asked(&seen, "yamada", "203.0.113.0", "2027-01-05"), "new");
    }

    #[test]
    fn a_network_is_what_one_line_has() {
        assert_eq!(network(IpAddr::from([203, 0, 113, 77])), "203.0.113.0/24");
        assert_eq!(network("2001:db8:1:2::3".parse().unwrap()), "2001:db8:1::/48");
    }

    #[test]
    fn who_returns_is_idle_since_the_last_day_before() {
        let mut last = LastSeen::default();
        let day = |day: &str| at(&format!("{day}T09:00:00+09:00"));
        assert_eq!(last.idle_days("suzuki_m", day("2026-10-22")), None);
        last.note("suzuki_m", day("2026-08-09"));
        assert_eq!(last.idle_days("suzuki_m", day("2026-08-09")), None);
        assert_eq!(last.idle_days("suzuki_m", day("2026-10-22")), Some(74));
        last.note("suzuki_m", day("2026-10-22"));
        assert_eq!(last.idle_days("suzuki_m", day("2026-10-22")), Some(74), "all day long");
        assert_eq!(last.idle_days("suzuki_m", day("2026-10-23")), Some(1));
        last.note("suzuki_m", day("2026-09-01"));
        assert_eq!(last.idle_days("suzuki_m", day("2026-10-22")), Some(51), "what came late fills the gap");
    }

    #[test]
    fn days_may_come_in_any_order() {
        let day = |n: i32| n + 700_000;
        let mut days = Days { newest: day(50), bits: 0 };
        for n in [50, 10, 300, 299] {
            days.set(day(n));
        }
        assert!(days.any_before(day(300)) && days.any_before(day(301)) && !days.any_before(day(299)));
        assert!(!days.any_before(day(10)));
    }
}
