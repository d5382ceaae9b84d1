//! Where each account came from before: a bitmap of days per account and network. Owns first-seen memory and its
//! bounds. Successes only, so that an attacker who fails does not become familiar.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, Datelike, Utc};
use ipnet::{Ipv4Net, Ipv6Net};
use monban_event::time::jst_date;
use serde::{Deserialize, Serialize};

use crate::pairs;

/// Days a network stays familiar.
const DAYS: u32 = 90;
/// Pairs of account and network. 1,000 people with mobile lines use some 20 networks each in 90 days; above the bound
/// the pairs seen longest ago are let go, and those accounts look new once more.
const PAIRS_MAX: usize = 100_000;

/// Days on which a pair was seen: bit n is `newest − n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Days {
    newest: i32,
    bits: u128,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    #[serde(with = "pairs")]
    days: BTreeMap<(String, IpAddr), Days>,
}

impl Seen {
    /// Whether the account came from there on an earlier day, up to 90 days back.
    pub(crate) fn knows(&self, account: &str, ip: IpAddr, time: DateTime<Utc>) -> bool {
        let day = day(time);
        self.days.get(&(account.to_owned(), network(ip))).is_some_and(|days| days.any_before(day))
    }

    pub(crate) fn note(&mut self, account: &str, ip: IpAddr, time: DateTime<Utc>) {
        let day = day(time);
        let entry = self.days.entry((account.to_owned(), network(ip))).or_insert(Days { newest: day, bits: 0 });
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

fn day(time: DateTime<Utc>) -> i32 {
    jst_date(time).num_days_from_ce()
}

/// First address of the /24, or of the /48 of IPv6: what one line or one site has.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Net::new_assert(ip, 24).network()),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Net::new_assert(ip, 48).network()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_known_from_the_next_day_for_ninety_days() {
        let mut seen = Seen::default();
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let (home, neighbour, other) =
            (IpAddr::from([203, 0, 113, 9]), IpAddr::from([203, 0, 113, 77]), IpAddr::from([198, 51, 100, 1]));
        let first = at("2026-10-06T12:00:00+09:00");
        seen.note("yamada", home, first);
        assert!(!seen.knows("yamada", home, first), "the same day is no habit");
        assert!(seen.knows("yamada", neighbour, at("2026-10-07T00:00:00+09:00")));
        assert!(!seen.knows("yamada", other, at("2026-10-07T12:00:00+09:00")));
        assert!(!seen.knows("sato", home, at("2026-10-07T12:00:00+09:00")));
        assert!(seen.knows("yamada", home, at("2027-01-04T12:00:00+09:00")));
        assert!(!seen.knows("yamada", home, at("2027-01-05T12:00:00+09:00")));
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
