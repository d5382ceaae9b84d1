//! The sessions that ended last. Servers deliver their logs late, and some devices count the bytes after the end.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::book::Open;

/// Sessions kept after their end: enough for a minute of the busiest VPN box.
const ENDED_MAX: usize = 256;

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Ended {
    /// Oldest first.
    sessions: VecDeque<Open>,
    /// How many of them had an address: every line of every source asks whose its address was.
    #[serde(skip)]
    addresses: BTreeMap<IpAddr, usize>,
}

impl<'de> Deserialize<'de> for Ended {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut ended = Self::default();
        Vec::<Open>::deserialize(deserializer)?.into_iter().for_each(|open| ended.push(open));
        Ok(ended)
    }
}

impl Ended {
    pub(super) fn push(&mut self, open: Open) {
        if self.sessions.len() >= ENDED_MAX
            && let Some(gone) = self.sessions.pop_front()
        {
            self.forget(&gone);
        }
        if let Some(ip) = open.session.assigned_ip {
            *self.addresses.entry(ip).or_default() += 1;
        }
        self.sessions.push_back(open);
    }

    /// Those that had the address.
    pub(super) fn assigned(&self, ip: IpAddr) -> impl Iterator<Item = &Open> {
        let is_known = self.addresses.contains_key(&ip);
        let sessions = is_known.then(|| self.sessions.iter()).into_iter().flatten();
        sessions.filter(move |open| open.session.assigned_ip == Some(ip))
    }

    /// The latest first.
    pub(super) fn latest(&self) -> impl Iterator<Item = &Open> {
        self.sessions.iter().rev()
    }

    /// The latest first. Amounts may be changed, the address may not.
    pub(super) fn latest_mut(&mut self) -> impl Iterator<Item = &mut Open> {
        self.sessions.iter_mut().rev()
    }

    fn forget(&mut self, gone: &Open) {
        let Some(ip) = gone.session.assigned_ip else { return };
        if let Some(count) = self.addresses.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&ip);
            }
        }
    }
}
