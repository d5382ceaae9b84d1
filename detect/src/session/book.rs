//! The open sessions, found by user, by the device's id and by assigned address without looking at the others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::VpnSession;
use serde::{Deserialize, Serialize};

/// Sessions kept open. The largest VPN box of a hospital licenses a few thousand users; above the bound those heard of
/// longest ago are let go, their end unknown.
const OPEN_SESSIONS_MAX: usize = 10_000;
/// A session not heard of for so long is not open any more, whatever the device forgot to say.
const OPEN_FOR_MAX: TimeDelta = TimeDelta::days(7);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Open {
    pub(super) session: VpnSession,
    /// The device's own id: a number, or the interface (`PP[ANONYMOUS01]`) of a router.
    pub(super) vendor_id: Option<String>,
}

/// What a session may be looked up by, on one device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum By {
    User(String),
    VendorId(String),
    Assigned(IpAddr),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Book {
    open: BTreeMap<String, Open>,
    #[serde(with = "crate::pairs")]
    index: BTreeMap<(String, By), BTreeSet<String>>,
}

impl Book {
    /// Open sessions of a device, in order of their keys.
    pub(super) fn of(&self, observer: &str, by: By) -> impl Iterator<Item = &Open> {
        let keys = self.index.get(&(observer.to_owned(), by));
        keys.into_iter().flatten().filter_map(|key| self.open.get(key))
    }

    pub(super) fn insert(&mut self, open: Open) {
        self.make_room(open.session.started);
        for term in terms(&open) {
            self.index.entry(term).or_default().insert(open.session.key.clone());
        }
        self.open.insert(open.session.key.clone(), open);
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<Open> {
        let open = self.open.remove(key)?;
        for term in terms(&open) {
            if let Some(keys) = self.index.get_mut(&term) {
                keys.remove(key);
                if keys.is_empty() {
                    self.index.remove(&term);
                }
            }
        }
        Some(open)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Lets go of what is too old, and of a twentieth where that is not enough.
    fn make_room(&mut self, now: DateTime<Utc>) {
        if self.open.len() < OPEN_SESSIONS_MAX {
            return;
        }
        let mut seen: Vec<DateTime<Utc>> = self.open.values().map(|open| open.session.last_seen).collect();
        seen.sort_unstable();
        let crowded = seen.get(OPEN_SESSIONS_MAX / 20).copied().unwrap_or(now);
        let horizon = crowded.max(now - OPEN_FOR_MAX);
        let gone = self.open.values().filter(|open| open.session.last_seen <= horizon);
        for key in gone.map(|open| open.session.key.clone()).collect::<Vec<_>>() {
            self.remove(&key);
        }
    }
}

fn terms(open: &Open) -> impl Iterator<Item = (String, By)> {
    let session = &open.session;
    let user = Some(By::User(session.user.clone()));
    let terms = [user, open.vendor_id.clone().map(By::VendorId), session.assigned_ip.map(By::Assigned)];
    terms.into_iter().flatten().map(|term| (session.observer.clone(), term))
}
