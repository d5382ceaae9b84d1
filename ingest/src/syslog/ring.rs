//! The ring between the thread that empties a socket and the thread that hands records to the journal. It never waits
//! for anybody on the socket's side: what does not fit is refused, and the caller counts it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use monban_event::Record;

/// Records that may wait between socket and journal, in bytes with their overhead: some 100,000 lines, or seconds of a
/// disk that stands still. Beyond it new datagrams are dropped and counted.
const RING_BYTES_MAX: usize = 32 << 20;

/// Bytes handed to the journal and not yet on disk. Small against the journal's own queue, so that UDP alone is never
/// refused for a full queue.
const IN_FLIGHT_BYTES_MAX: usize = 16 << 20;

/// Records in one hand-over: enough to make locking cheap, few enough to reach the journal's next group commit.
const BATCH_RECORDS_MAX: usize = 2048;

/// Bytes of one hand-over; datagrams of 64 KiB would otherwise fill the journal's queue with one.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// What a queued record costs beside its bytes.
const RECORD_OVERHEAD_BYTES: usize = 160;

/// Records between the two threads.
#[derive(Default)]
pub(super) struct Ring {
    state: Mutex<RingState>,
    changed: Condvar,
}

#[derive(Default)]
struct RingState {
    records: VecDeque<Record>,
    bytes: usize,
    in_flight_bytes: usize,
    closed: bool,
}

impl Ring {
    /// Queues what fits and returns how many records did not.
    pub(super) fn push(&self, records: Vec<Record>) -> u64 {
        let mut state = self.lock();
        let mut dropped = 0;
        for record in records {
            let cost = cost(&record);
            if state.bytes + cost > RING_BYTES_MAX {
                dropped += 1;
            } else {
                state.bytes += cost;
                state.records.push_back(record);
            }
        }
        self.changed.notify_all();
        dropped
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for records and for room in flight. `None` once the ring is closed, empty, and all is answered.
    pub(super) fn next_batch(&self) -> Option<(Vec<Record>, usize)> {
        let mut state = self.lock();
        loop {
            if !state.records.is_empty() && state.in_flight_bytes < IN_FLIGHT_BYTES_MAX {
                let (count, bytes) = next_share(&state.records);
                let batch: Vec<Record> = state.records.drain(..count).collect();
                state.bytes -= bytes;
                state.in_flight_bytes += bytes;
                return Some((batch, bytes));
            }
            if state.closed && state.records.is_empty() && state.in_flight_bytes == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn landed(&self, bytes: usize) {
        self.lock().in_flight_bytes -= bytes;
        self.changed.notify_all();
    }

    /// The state is whole after every statement, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, RingState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many records go next, and what they cost: at least one.
fn next_share(records: &VecDeque<Record>) -> (usize, usize) {
    let (mut count, mut bytes) = (0, 0);
    for record in records.iter().take(BATCH_RECORDS_MAX) {
        if count > 0 && bytes + cost(record) > BATCH_BYTES_MAX {
            break;
        }
        count += 1;
        bytes += cost(record);
    }
    (count, bytes)
}

fn cost(record: &Record) -> usize {
    record.bytes.len() + RECORD_OVERHEAD_BYTES
}

/// Bytes in flight; given back when the journal answers, or when it forgets to.
pub(super) struct InFlight {
    pub(super) ring: Arc<Ring>,
    pub(super) bytes: usize,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.ring.landed(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syslog::RecordMaker;
    use monban_event::{Origin, SystemClock};

    /// A journal that never answers: the ring fills, what does not fit is counted, memory stays bounded.
    #[test]
    fn a_full_ring_counts_what_it_drops() {
        let ring = Ring::default();
        let maker = RecordMaker { clock: Arc::new(SystemClock), origin: Origin::Live };
        let peer = "192.0.2.1:514".parse().unwrap();
        let record = maker.datagram(peer, &vec![b'x'; 60_000]).unwrap();
        let fits = RING_BYTES_MAX / cost(&record);
        assert_eq!(ring.push(vec![record; fits + 3]), 3);
        let (batch, bytes) = ring.next_batch().unwrap();
        assert!(bytes <= BATCH_BYTES_MAX && bytes == batch.len() * cost(&batch[0]));
        assert_eq!(batch.len(), BATCH_BYTES_MAX / (bytes / batch.len()));
    }
}
