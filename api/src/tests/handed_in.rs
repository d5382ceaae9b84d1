//! Where a test's deliveries end: a journal in memory and an import that keeps what it was given.

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use monban_event::sink::Done;
use monban_event::{Lane, Record, RecordId, RecordSink, SinkRefused};
use monban_index::staging::Staging;

use crate::services::{FileImport, HandedIn, ImportRefused, Imported};

#[derive(Default)]
pub(crate) struct KeptRecords {
    pub(super) records: Mutex<Vec<Record>>,
    /// What the next deliveries hear.
    pub(super) refusal: Mutex<Option<SinkRefused>>,
    /// Deliveries wait here while it is held open.
    pub(super) held: Mutex<Option<Vec<(Done, RecordId)>>>,
}

impl KeptRecords {
    pub(super) fn texts(&self) -> Vec<String> {
        let records = self.records.lock().unwrap();
        records.iter().map(|record| String::from_utf8_lossy(&record.bytes).into_owned()).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.records.lock().unwrap().len()
    }
}

impl RecordSink for KeptRecords {
    fn submit(&self, lane: Lane, records: Vec<Record>, done: Done) {
        assert_eq!(lane, Lane::Live);
        if let Some(refusal) = self.refusal.lock().unwrap().clone() {
            return done(Err(refusal));
        }
        let mut kept = self.records.lock().unwrap();
        kept.extend(records);
        let last = RecordId(kept.len() as u64);
        match self.held.lock().unwrap().as_mut() {
            Some(held) => held.push((done, last)),
            None => done(Ok(last)),
        }
    }
}

/// A file as its import was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptFile {
    pub(super) content: Vec<u8>,
    pub(super) name: String,
    pub(super) sha256: String,
    pub(super) by: String,
}

pub(crate) struct KeptFiles {
    staging: Staging,
    pub(super) free: AtomicU64,
    pub(super) files: Mutex<Vec<KeptFile>>,
}

impl KeptFiles {
    pub(super) fn new(dir: &Path) -> Self {
        Self { staging: Staging::open(dir).unwrap(), free: AtomicU64::new(100 << 30), files: Mutex::default() }
    }
}

impl FileImport for KeptFiles {
    fn staging(&self) -> &Staging {
        &self.staging
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.free.load(Ordering::Relaxed))
    }

    fn is_event_log(&self, start: &[u8]) -> bool {
        start == b"ElfFile\0"
    }

    /// Counts a byte as an event.
    fn import(&self, file: HandedIn<'_>) -> Result<Imported, ImportRefused> {
        let content = std::fs::read(file.path).map_err(|error| ImportRefused::Failed(error.to_string()))?;
        assert_eq!(content.len() as u64, file.bytes);
        let mut files = self.files.lock().unwrap();
        let known = files.iter().any(|known| known.sha256 == file.sha256);
        files.push(KeptFile {
            content,
            name: file.name.to_owned(),
            sha256: file.sha256.to_owned(),
            by: file.by.to_owned(),
        });
        let counts = if known { (0, file.bytes) } else { (file.bytes, 0) };
        Ok(Imported { accepted: counts.0, duplicate: counts.1, damaged: vec!["塊 2".to_owned()] })
    }
}
