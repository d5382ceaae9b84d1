//! A journal's door for tests: keeps records in memory, and can refuse.

use std::sync::{Arc, Condvar, Mutex};

use monban_event::sink::Done;
use monban_event::{Lane, Record, RecordId, RecordSink, SinkRefused, SystemClock};

use super::Receiving;

/// What a receiver needs to hand its records to `sink`.
pub(super) fn receiving(sink: &Arc<MemorySink>) -> Receiving {
    Receiving { sink: sink.clone(), clock: Arc::new(SystemClock), line_rate: Arc::default() }
}

#[derive(Default)]
pub(super) struct MemorySink {
    records: Mutex<Vec<Record>>,
    arrived: Condvar,
    /// Batches still to be refused, in turns because the queue is full and because the disk takes nothing.
    full_for: Mutex<usize>,
    refuses: bool,
    /// Where answers go that are never given.
    unanswered: Option<Mutex<Vec<Done>>>,
}

impl MemorySink {
    pub(super) fn refusing() -> Self {
        Self { refuses: true, ..Self::default() }
    }

    pub(super) fn full_for(batches: usize) -> Self {
        Self { full_for: Mutex::new(batches), ..Self::default() }
    }

    pub(super) fn silent() -> Self {
        Self { unanswered: Some(Mutex::default()), ..Self::default() }
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap().clone()
    }

    /// Blocks until so many records have come.
    pub(super) fn wait_for(&self, count: usize) -> Vec<Record> {
        let records = self.records.lock().unwrap();
        self.arrived.wait_while(records, |records| records.len() < count).unwrap().clone()
    }

    fn refusal_for_now(&self) -> Option<SinkRefused> {
        let mut left = self.full_for.lock().unwrap();
        let refusal = match *left {
            0 => return None,
            odd if odd % 2 == 1 => SinkRefused::Waiting("no space left".to_owned()),
            _ => SinkRefused::QueueFull,
        };
        *left -= 1;
        Some(refusal)
    }
}

impl RecordSink for MemorySink {
    fn submit(&self, lane: Lane, records: Vec<Record>, done: Done) {
        assert_eq!(lane, Lane::Live);
        if self.refuses {
            return done(Err(SinkRefused::CannotWrite("no space left".to_owned())));
        }
        if let Some(refusal) = self.refusal_for_now() {
            return done(Err(refusal));
        }
        let mut kept = self.records.lock().unwrap();
        kept.extend(records);
        let last = RecordId(kept.len() as u64);
        drop(kept);
        match &self.unanswered {
            Some(unanswered) => unanswered.lock().unwrap().push(done),
            None => done(Ok(last)),
        }
        self.arrived.notify_all();
    }
}
