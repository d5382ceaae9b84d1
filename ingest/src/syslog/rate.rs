//! How many lines a second one source may send, where the hospital has set a bound. A source that runs wild (a firewall
//! in debug mode) then costs its own lines and nobody else's. What is refused is lost, so it is counted by source.
//!
//! Seconds are those of our clock at receipt. Nothing here waits: a line is taken or refused as it comes.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use monban_event::Record;

/// Sources looked at one by one. A hospital has some hundreds; forged addresses beyond that share one bound.
const SOURCES_MAX: usize = 4096;

/// Sources whose refused lines are told by name. What others lost is told in one sum.
const NAMED_MAX: usize = 64;

/// The bound and what it has refused. Without a bound it does nothing.
#[derive(Debug, Default)]
pub struct LineRate {
    lines_per_second: Option<NonZeroU32>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Lines of the second that is running, by source.
    second: i64,
    lines: HashMap<Option<IpAddr>, u32>,
    refused: BTreeMap<Option<IpAddr>, u64>,
}

impl LineRate {
    pub fn new(lines_per_second: Option<NonZeroU32>) -> Self {
        Self { lines_per_second, state: Mutex::default() }
    }

    /// Takes out the records that come too fast, and returns how many those were.
    pub(super) fn refuse_excess(&self, records: &mut Vec<Record>) -> u64 {
        let Some(most) = self.lines_per_second else { return 0 };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = records.len();
        records.retain(|record| state.admits(record, most.get()));
        (before - records.len()) as u64
    }

    /// Lines refused since the start, by source; `None` stands for all that are not told by name.
    pub fn refused(&self) -> Vec<(Option<IpAddr>, u64)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.refused.iter().map(|(source, count)| (*source, *count)).collect()
    }
}

impl State {
    fn admits(&mut self, record: &Record, most: u32) -> bool {
        let second = record.received_at.timestamp();
        if second != self.second {
            self.second = second;
            self.lines.clear();
        }
        let source = record.peer.map(|peer| peer.ip());
        let is_known = self.lines.len() < SOURCES_MAX || self.lines.contains_key(&source);
        let lines = self.lines.entry(source.filter(|_| is_known)).or_default();
        if *lines < most {
            *lines += 1;
            return true;
        }
        let is_named = self.refused.len() < NAMED_MAX || self.refused.contains_key(&source);
        *self.refused.entry(source.filter(|_| is_named)).or_default() += 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syslog::RecordMaker;
    use monban_event::{Origin, SimulatedClock};
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::Arc;

    fn records(at: &str, source: u32, count: usize) -> Vec<Record> {
        let clock = SimulatedClock::at(at.parse().unwrap());
        let maker = RecordMaker { clock: Arc::new(clock), origin: Origin::Live };
        let peer = SocketAddr::from((Ipv4Addr::from_bits(0x0A00_0000 + source), 514));
        (0..count).map(|_| maker.datagram(peer, b"<13>x").unwrap()).collect()
    }

    fn limited(most: u32) -> LineRate {
        LineRate::new(NonZeroU32::new(most))
    }

    fn check(rate: &LineRate, mut records: Vec<Record>, refused: u64) {
        let sent = records.len() as u64;
        assert_eq!(rate.refuse_excess(&mut records), refused);
        assert_eq!(records.len() as u64, sent - refused);
    }

    #[test]
    fn without_a_bound_everything_passes() {
        check(&LineRate::default(), records("2026-10-01T00:00:00Z", 1, 100_000), 0);
    }

    #[test]
    fn each_source_has_its_own_seconds() {
        let rate = limited(10);
        check(&rate, records("2026-10-01T00:00:00Z", 1, 12), 2);
        check(&rate, records("2026-10-01T00:00:00.9Z", 1, 1), 1);
        check(&rate, records("2026-10-01T00:00:00.9Z", 2, 10), 0);
        check(&rate, records("2026-10-01T00:00:01Z", 1, 10), 0);
        assert_eq!(rate.refused(), [(Some(IpAddr::from([10, 0, 0, 1])), 3)]);
    }

    #[test]
    fn forged_sources_cost_no_more_than_the_bounds_say() {
        let rate = limited(1);
        for source in 0..10_000 {
            let mut two = records("2026-10-01T00:00:00Z", source, 2);
            rate.refuse_excess(&mut two);
        }
        assert!(rate.state.lock().unwrap().lines.len() <= SOURCES_MAX + 1);
        let refused = rate.refused();
        assert_eq!(refused.len(), NAMED_MAX + 1);
        // Beyond the sources looked at one by one, one line in all passes.
        let sum: u64 = refused.iter().map(|(_, count)| count).sum();
        assert_eq!(sum, 20_000 - SOURCES_MAX as u64 - 1);
    }
}
