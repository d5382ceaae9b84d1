//! What receivers count. Nothing that was lost may be missing here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use monban_event::Record;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Counters of one receiver, written by its threads and read by the health page.
        #[derive(Debug, Default)]
        pub struct ReceiverStats {
            $($(#[$doc])* $name: AtomicU64,)+
            /// Connections turned away, by reason. Reasons are words of this program, so there are only so many.
            turned_away: Mutex<BTreeMap<&'static str, u64>>,
        }

        /// The counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct ReceiverCounts { $($(#[$doc])* pub $name: u64,)+ }

        impl ReceiverStats {
            pub fn counts(&self) -> ReceiverCounts {
                ReceiverCounts { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }

            $(pub(super) fn $name(&self, more: u64) { self.$name.fetch_add(more, Ordering::Relaxed); })+
        }
    };
}

counters! {
    /// Records made, whether the journal took them or not.
    received,
    /// Their bytes.
    received_bytes,
    /// Records the journal has on disk.
    stored,
    /// Records the journal refused for good: lost.
    refused,
    /// Datagrams that found our own ring full: lost.
    ring_dropped,
    /// Datagrams that the kernel dropped because its buffer was full: lost.
    kernel_dropped,
    /// Datagrams without content.
    empty,
    /// Records whose end is missing.
    cut,
    /// Bytes missing of them because they were longer than a record may be.
    discarded_bytes,
    /// Connections accepted.
    connections,
    /// Connections ended.
    connections_closed,
    /// Records refused because their source sent more in a second than it may: lost.
    rate_limited,
    /// Frames handed out before they were whole: too slow, or too many large ones at once. Nothing of them is lost.
    pieces,
    /// Connections turned away because too many were open, or in the TLS handshake.
    connections_refused,
    /// Connections closed because nothing came for too long.
    connections_idle,
    /// Quiet connections closed in favour of new ones when all places were taken.
    connections_displaced,
}

impl ReceiverStats {
    /// Counts records as received.
    pub(super) fn made(&self, records: &[Record]) {
        self.received(records.len() as u64);
        self.received_bytes(records.iter().map(|record| record.bytes.len() as u64).sum());
        self.cut(records.iter().filter(|record| record.cut).count() as u64);
    }

    /// Counts a connection that is not served, and why.
    pub(super) fn turn_away(&self, reason: &'static str) {
        self.connections_refused(1);
        *self.turned_away.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
    }

    /// Connections turned away, by reason.
    pub fn turned_away(&self) -> Vec<(&'static str, u64)> {
        let reasons = self.turned_away.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.iter().map(|(reason, count)| (*reason, *count)).collect()
    }
}
