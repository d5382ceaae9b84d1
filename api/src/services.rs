//! What the pages and the API are built on, as the program hands it over.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use monban_event::act::Damage;
use monban_event::{ActSink, Clock, EventStore, RecordId, RecordSink, RuleId, SinkRefused};
use monban_index::journal::Proofs;
use monban_index::ledger::{HoldRow, Ledger};
use monban_index::partition::RecordSource;
use monban_index::staging::Staging;
use serde::Serialize;

use crate::auth::setup::SetupSecret;

/// Everything a router needs. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    pub store: Arc<dyn EventStore>,
    pub ledger: Arc<Ledger>,
    pub acts: Arc<dyn ActSink>,
    pub records: Arc<dyn RecordSource>,
    /// What proves the journal.
    pub proofs: Arc<dyn Proofs>,
    /// Where lines and objects that are handed in go.
    pub sink: Arc<dyn RecordSink>,
    /// Where whole files go that are handed in.
    pub files: Arc<dyn FileImport>,
    pub rules: Arc<dyn RuleTexts>,
    pub clock: Arc<dyn Clock>,
    pub settings: Arc<SiteSettings>,
    pub setup: Arc<SetupSecret>,
    pub health: Arc<dyn Fn() -> Health + Send + Sync>,
}

#[derive(Clone, Debug)]
pub struct SiteSettings {
    /// As it stands on pages and reports.
    pub hospital: String,
    /// `R5`, `R6` or `R7`.
    pub checklist_edition: String,
    /// Pages are reached by HTTPS: the cookie gets `Secure` and its `__Host-` name. Off only for plain loopback.
    pub secure_cookies: bool,
}

/// How the program is doing just now.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Health {
    pub journal_durable: RecordId,
    pub pipeline_position: RecordId,
    pub lag_ms: u64,
    pub records_per_second: f64,
    /// Records that a receiver could not take since the start.
    pub dropped: u64,
    pub listeners: Vec<ListenerHealth>,
    /// Why nothing can be journaled just now, where that is so: senders are held back or refused until it can.
    pub waiting: Option<String>,
    /// Why the views cannot be written, where that is so: records are kept, but not searchable and not judged.
    pub stopped: Option<String>,
    /// Files and folders that are watched and cannot be read just now, a line each.
    pub unreadable: Vec<String>,
    pub disk: DiskHealth,
    pub retention: RetentionHealth,
    pub check: CheckHealth,
    pub version: String,
}

/// The program's own check of its journal.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CheckHealth {
    /// The last one; `None` before the first.
    pub at: Option<DateTime<Utc>>,
    pub segments: u64,
    /// The last one that found damage, within a year or so, and the first places of it.
    pub damaged_at: Option<DateTime<Utc>>,
    pub damage: Vec<Damage>,
}

/// The disk that holds the data directory, and how it fills.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DiskHealth {
    pub total_bytes: u64,
    pub free_bytes: u64,
    pub percent_full: u64,
    /// Of the data directory, last night.
    pub used_bytes: u64,
    /// Over the last two weeks; `None` before the second night.
    pub bytes_per_day: Option<i64>,
    /// Until nothing is free; `None` while nothing grows.
    pub days_left: Option<u64>,
    /// So full, or full so soon, that somebody has to see to it.
    pub needs_room: bool,
}

/// How long what is kept.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RetentionHealth {
    pub searchable_months: u32,
    pub records_months: u32,
    pub reports_months: u32,
    /// What is older is deleted, unless it is held.
    pub searchable_from: DateTime<Utc>,
    pub records_from: DateTime<Utc>,
    pub reports_from: DateTime<Utc>,
    pub holds: Vec<HoldRow>,
}

/// A file that was handed in, whole and on disk.
#[derive(Clone, Copy, Debug)]
pub struct HandedIn<'a> {
    pub path: &'a Path,
    /// What its sender calls it, for the trail and for where its records came from.
    pub name: &'a str,
    /// In hex, of its bytes.
    pub sha256: &'a str,
    pub bytes: u64,
    /// Who handed it in, as acts name them.
    pub by: &'a str,
}

/// What the import of one file came to, in events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    pub accepted: u64,
    pub duplicate: u64,
    /// What could not be read, a line each.
    pub damaged: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportRefused {
    #[error(transparent)]
    Journal(#[from] SinkRefused),
    #[error("{0}")]
    Failed(String),
}

/// Imports files the way `monban import` does.
pub trait FileImport: Send + Sync {
    /// Where files wait for their import.
    fn staging(&self) -> &Staging;

    /// Room on the disk of the data directory.
    fn free_bytes(&self) -> io::Result<u64>;

    /// Whether a file that begins so is an event log.
    fn is_event_log(&self, start: &[u8]) -> bool;

    /// Returns when every record is journaled and counted. Blocks.
    fn import(&self, file: HandedIn<'_>) -> Result<Imported, ImportRefused>;
}

/// One receiver's counters since the start. What reached it is stored, still on its way, or in one of the others.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ListenerHealth {
    pub transport: &'static str,
    pub address: String,
    pub received: u64,
    pub stored: u64,
    /// By the kernel, because this socket's buffer was full; not in `received`.
    pub kernel_dropped: u64,
    /// By us, because records came faster than the journal takes them.
    pub ring_dropped: u64,
    /// By the journal, because it cannot write.
    pub refused: u64,
    /// By us, because the source sent more in a second than it may.
    pub rate_limited: u64,
    /// Datagrams without content; not in `received`.
    pub empty: u64,
    /// Records whose end is missing, and the bytes beyond the longest record.
    pub cut: u64,
    pub discarded_bytes: u64,
    /// Bytes of kernel buffer that were granted; UDP only.
    pub granted_buffer: Option<usize>,
    pub connections_open: u64,
    /// Turned away, by reason.
    pub connections_refused: BTreeMap<&'static str, u64>,
    pub connections_idle: u64,
    pub connections_displaced: u64,
    /// Of the certificate that the listener shows; TLS only.
    pub certificate_sha256: Option<String>,
}

/// The four fixed texts of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleText {
    pub what: String,
    pub why: String,
    pub how: String,
    pub legitimate: String,
}

/// What the rules in force say about themselves.
pub trait RuleTexts: Send + Sync {
    /// `None` for a rule that is no longer there or has no texts (`SigmaHQ`'s have none).
    fn text(&self, rule: &RuleId) -> Option<RuleText>;

    /// What a rule in force is called.
    fn title(&self, rule: &RuleId) -> Option<String>;

    /// Ids of the rules that ask for events of the Windows audit policy of that key.
    fn relying_on(&self, policy: &str) -> Vec<String>;

    /// How many rules are in force.
    fn count(&self) -> usize;
}

impl RuleTexts for monban_detect::RuleSet {
    fn text(&self, rule: &RuleId) -> Option<RuleText> {
        let info = self.rules().iter().find(|info| info.id == *rule)?;
        let texts = info.texts.clone();
        let text = RuleText { what: texts.what, why: texts.why, how: texts.how, legitimate: texts.legitimate };
        (text != RuleText::default()).then_some(text)
    }

    fn title(&self, rule: &RuleId) -> Option<String> {
        self.rules().iter().find(|info| info.id == *rule).map(|info| info.title_ja.clone())
    }

    fn relying_on(&self, policy: &str) -> Vec<String> {
        Self::relying_on(self, policy).collect()
    }

    fn count(&self) -> usize {
        self.rules().len()
    }
}
