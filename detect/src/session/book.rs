//! The open sessions, found by user, by the device's id and by assigned address without looking at the others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::VpnSession;
use serde::{Deserialize, Serialize};

use crate::pairs;

/// Sessions kept open. The largest VPN box of a hospital licenses a few thousand users; above the bound those heard of
/// longest ago are let go, their end unknown.
const OPEN_SESSIONS_MAX: usize = 10_000;
/// A session not heard of for so long is not open any more, whatever the device forgot to say.
const OPEN_FOR_MAX: TimeDelta = TimeDelta::days(7);

/// In place of a device: on any.
pub(super) const ANYWHERE: &str = "*";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Open {
    pub(super) session: VpnSession,
    /// The device's own id: a number, or the interface (`PP[ANONYMOUS01]`) of a router.
    pub(super) vendor_id: Option<String>,
    /// Its number in the [`Book`], which gives it.
    pub(super) number: u64,
}

impl Open {
    pub(super) fn new(session: VpnSession, vendor_id: Option<String>) -> Self {
        Self { session, vendor_id, number: 0 }
    }
}

/// What a session may be looked up by, on one device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum By {
    User(String),
    VendorId(String),
    Assigned(IpAddr),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Kept")]
pub(super) struct Book {
    #[serde(with = "pairs")]
    open: BTreeMap<u64, Open>,
    next: u64,
    /// Users and numbers of the sessions a device's term names. Made anew from the sessions at a start.
    #[serde(skip_serializing)]
    index: BTreeMap<(String, By), BTreeSet<(String, u64)>>,
}

/// What a snapshot keeps of a [`Book`].
#[derive(Deserialize)]
struct Kept {
    #[serde(with = "pairs")]
    open: BTreeMap<u64, Open>,
    next: u64,
}

impl From<Kept> for Book {
    fn from(kept: Kept) -> Self {
        let mut book = Self { next: kept.next, ..Self::default() };
        for open in kept.open.into_values() {
            book.add(open);
        }
        book
    }
}

impl Book {
    /// Open sessions of a device, of one user where one is named, in order of user and start.
    pub(super) fn of<'a>(&'a self, observer: &str, by: By, user: Option<&'a str>) -> impl Iterator<Item = &'a Open> {
        let entries = self.index.get(&(observer.to_owned(), by));
        let from = (user.unwrap_or_default().to_owned(), 0);
        let entries = entries.into_iter().flat_map(move |entries| entries.range(from.clone()..));
        let of_user = entries.take_while(move |(known, _)| user.is_none_or(|user| user == known));
        of_user.filter_map(|(_, number)| self.open.get(number))
    }

    pub(super) fn get(&self, number: u64) -> Option<&Open> {
        self.open.get(&number)
    }

    pub(super) fn insert(&mut self, open: Open) {
        self.make_room(open.session.started);
        self.next += 1;
        self.add(Open { number: self.next, ..open });
    }

    fn add(&mut self, open: Open) {
        self.enter(&open);
        self.open.insert(open.number, open);
    }

    /// Changes a session in its place, and answers it as it is then.
    pub(super) fn change(&mut self, number: u64, change: impl FnOnce(&mut Open)) -> Option<&Open> {
        let mut open = self.open.get(&number)?.clone();
        change(&mut open);
        let before = self.open.insert(number, open.clone())?;
        if before.vendor_id != open.vendor_id || before.session.assigned_ip != open.session.assigned_ip {
            self.leave(&before);
            self.enter(&open);
        }
        self.open.get(&number)
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Open> {
        let open = self.open.remove(&number)?;
        self.leave(&open);
        Some(open)
    }

    fn enter(&mut self, open: &Open) {
        for term in terms(open) {
            self.index.entry(term).or_default().insert(entry(open));
        }
    }

    fn leave(&mut self, open: &Open) {
        for term in terms(open) {
            if let Some(entries) = self.index.get_mut(&term) {
                entries.remove(&entry(open));
                if entries.is_empty() {
                    self.index.remove(&term);
                }
            }
        }
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
        for number in gone.map(|open| open.number).collect::<Vec<_>>() {
            self.remove(number);
        }
    }
}

fn entry(open: &Open) -> (String, u64) {
    (open.session.user.clone(), open.number)
}

fn terms(open: &Open) -> impl Iterator<Item = (String, By)> {
    let session = &open.session;
    let user = Some(By::User(session.user.clone()));
    let terms = [user, open.vendor_id.clone().map(By::VendorId), session.assigned_ip.map(By::Assigned)];
    let own = terms.into_iter().flatten().map(|term| (session.observer.clone(), term));
    // Whoever asks for an account or an address may not know on which device it is.
    let anywhere = [Some(By::User(session.user.clone())), session.assigned_ip.map(By::Assigned)];
    own.chain(anywhere.into_iter().flatten().map(|term| (ANYWHERE.to_owned(), term)))
}
