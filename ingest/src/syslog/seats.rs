//! Who may be connected. There are only so many places, for all and for one address, and a connection that was opened
//! and left must not keep one from a sender that has something to say: where all places are taken, the newcomer gets
//! the place of the connection that has been quiet longest, if that has been quiet for long enough. So a flood of
//! connections that say nothing costs its own places and the next second, and nobody's records.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Connections open at once, over all TCP and TLS listeners. A hospital has some dozens of senders, and a process may
/// have 1,024 files open on a Linux nobody has tuned: half of them are left for journal, index and pages.
const CONNECTIONS_MAX: usize = 512;

/// Connections of one address. A relay opens some; an eighth of all places leaves the others theirs.
pub(super) const CONNECTIONS_PER_PEER_MAX: usize = 64;

/// A sender connects because it has something to send. One that has sent nothing for so long may lose its place.
const FIRST_BYTES: Duration = Duration::from_secs(2);

/// A sender that has been heard may be quiet for so long before it can lose its place to another.
const QUIET: Duration = Duration::from_mins(10);

/// A flood is told so often, with the number of connections it cost.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The places.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    /// By number, which is the order in which they were taken.
    taken: BTreeMap<u64, Occupant>,
    next: u64,
    told_at: Option<Instant>,
    untold: u64,
}

#[derive(Debug)]
struct Occupant {
    ip: IpAddr,
    since: Instant,
    heard: Option<Instant>,
    displaced: Arc<Notify>,
}

impl Occupant {
    fn may_go(&self, now: Instant) -> bool {
        match self.heard {
            None => now.duration_since(self.since) >= FIRST_BYTES,
            Some(heard) => now.duration_since(heard) >= QUIET,
        }
    }
}

impl Seats {
    /// A place for a connection of this address; `None` where there is none to be had.
    pub(super) fn ask(self: &Arc<Self>, ip: IpAddr, now: Instant) -> Option<Seat> {
        let mut table = self.lock();
        let has_enough = table.taken.values().filter(|occupant| occupant.ip == ip).count() >= CONNECTIONS_PER_PEER_MAX;
        let is_full = has_enough || table.taken.len() >= CONNECTIONS_MAX;
        if is_full && !table.displace(now, has_enough.then_some(ip)) {
            return None;
        }
        let (number, displaced) = (table.next, Arc::new(Notify::new()));
        table.next += 1;
        table.taken.insert(number, Occupant { ip, since: now, heard: None, displaced: displaced.clone() });
        Some(Seat { seats: self.clone(), number, displaced })
    }

    /// Whether a connection that was turned away should be told of now, and how many were since the last one told.
    pub(super) fn tell(&self, now: Instant) -> Option<u64> {
        let mut table = self.lock();
        table.untold += 1;
        if table.told_at.is_some_and(|told| now.duration_since(told) < TELL_EVERY) {
            return None;
        }
        table.told_at = Some(now);
        Some(std::mem::take(&mut table.untold))
    }

    /// The table is whole after every statement, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Takes the place of the connection that will be missed least: never heard before quiet, longer before shorter.
    fn displace(&mut self, now: Instant, of: Option<IpAddr>) -> bool {
        let may_go = |(_, occupant): &(&u64, &Occupant)| of.is_none_or(|ip| occupant.ip == ip) && occupant.may_go(now);
        let worth = |(_, occupant): &(&u64, &Occupant)| (occupant.heard.is_some(), occupant.heard, occupant.since);
        let found = self.taken.iter().filter(may_go).min_by_key(worth).map(|(number, _)| *number);
        let Some(occupant) = found.and_then(|number| self.taken.remove(&number)) else { return false };
        occupant.displaced.notify_one();
        true
    }
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    displaced: Arc<Notify>,
}

impl Seat {
    /// Bytes have come.
    pub(super) fn heard(&self, now: Instant) {
        if let Some(occupant) = self.seats.lock().taken.get_mut(&self.number) {
            occupant.heard = Some(now);
        }
    }

    /// Returns when the place has gone to another connection.
    pub(super) async fn displaced(&self) {
        self.displaced.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let (seats, now) = (Arc::new(Seats::default()), Instant::now());
        let mut mine: Vec<_> = (0..CONNECTIONS_PER_PEER_MAX).map(|_| seats.ask(address(1), now).unwrap()).collect();
        assert!(seats.ask(address(1), now).is_none());
        assert!(seats.ask(address(2), now).is_some());
        mine.pop();
        assert!(seats.ask(address(1), now).is_some());
    }

    #[tokio::test]
    async fn what_was_opened_and_left_gives_way_but_a_sender_does_not() {
        let (seats, mut now) = (Arc::new(Seats::default()), Instant::now());
        let sender = seats.ask(address(1), now).unwrap();
        sender.heard(now);
        let idle: Vec<_> = (1..CONNECTIONS_PER_PEER_MAX).map(|_| seats.ask(address(1), now).unwrap()).collect();
        now += FIRST_BYTES;
        let later: Vec<_> = idle.iter().map(|_| seats.ask(address(1), now).unwrap()).collect();
        for gone in &idle {
            gone.displaced().await;
        }
        // The newest are still within their first seconds, and the sender has been heard.
        assert!(seats.ask(address(1), now).is_none());
        for seat in &later {
            seat.heard(now);
        }
        now += QUIET;
        assert!(seats.ask(address(1), now).is_some());
        sender.displaced().await;
    }

    #[tokio::test]
    async fn all_places_taken_by_many_addresses() {
        let (seats, now) = (Arc::new(Seats::default()), Instant::now());
        let taken = (0..CONNECTIONS_MAX).map(|number| seats.ask(address(u8::try_from(number / 60).unwrap()), now));
        let everyone: Vec<_> = taken.map(|taken| taken.unwrap()).collect();
        assert!(seats.ask(address(200), now).is_none());
        assert!(seats.ask(address(200), now + FIRST_BYTES).is_some());
        everyone[0].displaced().await;
    }

    #[test]
    fn a_flood_is_told_now_and_then() {
        let (seats, now) = (Seats::default(), Instant::now());
        let told: Vec<_> = (0..1000).map(|_| seats.tell(now)).collect();
        assert_eq!((told[0], told[1..].iter().flatten().count()), (Some(1), 0));
        assert_eq!(seats.tell(now + TELL_EVERY), Some(1000));
    }
}
