//! What the ledger answers with: plain rows, times as instants.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use monban_event::{EventId, FindingId, FindingStatus, RecordId, RuleId, Scope, Severity, TimeRange};
use serde::Serialize;

/// A thing that sends logs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceRow {
    pub id: String,
    /// What the hospital calls it, else the name it calls itself.
    pub name: String,
    pub module: Option<String>,
    pub vendor: Option<String>,
    pub product: Option<String>,
    pub transport: String,
    pub peer: Option<String>,
    /// `live`, `import` or `demo`.
    pub origin: String,
    /// Registered by a person.
    pub listed: bool,
    /// Receipt of the first and last record.
    pub first_seen: DateTime<Utc>,
    pub last_seen: DateTime<Utc>,
    /// The latest event time.
    pub last_event: DateTime<Utc>,
    pub records: u64,
    pub unparsed: u64,
    /// Mean and largest of receipt − event time, seconds; live records only.
    pub skew_mean_s: i64,
    pub skew_max_s: i64,
}

/// Events of a source in one whole hour (UTC hours since 1970).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceHour {
    pub source: String,
    pub hour: i64,
    pub records: u64,
    pub unparsed: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SilenceRow {
    pub source: String,
    pub started: DateTime<Utc>,
    /// `None` while it lasts.
    pub ended: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountRow {
    pub key: String,
    pub class: Option<String>,
    pub state: Option<String>,
    pub first_seen: DateTime<Utc>,
    pub last_success: Option<DateTime<Utc>>,
    pub last_failure: Option<DateTime<Utc>>,
    pub successes: u64,
    pub failures: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FindingRow {
    pub id: FindingId,
    #[serde(rename = "rule.id")]
    pub rule_id: RuleId,
    #[serde(rename = "rule.title")]
    pub rule_title: String,
    #[serde(rename = "rule.version")]
    pub rule_version: String,
    pub severity: Severity,
    pub subject: String,
    pub object: String,
    pub first: DateTime<Utc>,
    pub last: DateTime<Utc>,
    pub count: u64,
    pub summary: String,
    pub status: FindingStatus,
    /// How often it came back after being closed; 0 the first time.
    pub recurrence: u32,
    /// The first human verdict.
    pub first_verdict: Option<DateTime<Utc>>,
    /// The exception that covers it.
    pub classified: Option<String>,
}

impl FindingRow {
    /// Whether a person has to judge it: not what is light, and not what somebody has declared to be in order.
    pub fn needs_person(&self) -> bool {
        self.severity.needs_person() && self.classified.is_none()
    }

    /// Whether it still waits for that person. What somebody took up by hand waits in any case.
    pub fn waits(&self) -> bool {
        !self.status.is_closed() && (self.needs_person() || self.status == FindingStatus::ActionNeeded)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReviewRow {
    /// The journal's number of the act.
    pub record: RecordId,
    pub at: DateTime<Utc>,
    pub by: String,
    pub status: FindingStatus,
    pub reason: String,
    pub note: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FindingDetail {
    #[serde(flatten)]
    pub finding: FindingRow,
    /// In journal order.
    pub evidence: Vec<EventId>,
    /// Where its events came from.
    #[serde(rename = "source.ip")]
    pub sources: Vec<IpAddr>,
    /// Oldest first.
    pub reviews: Vec<ReviewRow>,
    /// The last verdict on the same thing before it recurred.
    pub previous: Option<PreviousVerdict>,
    /// The exception that covers it, whole.
    pub exception: Option<ExceptionRow>,
}

/// A verdict and what it was about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PreviousVerdict {
    pub finding: FindingId,
    #[serde(flatten)]
    pub review: ReviewRow,
}

/// An exception with everything that was said when it was granted, and when it was ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExceptionRow {
    pub id: String,
    #[serde(flatten)]
    pub scope: Scope,
    pub reason: String,
    pub owner: String,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub granted: DateTime<Utc>,
    pub by: String,
    pub ended: Option<Ended>,
    /// The journal's number of the granting act: what was found before it is not covered.
    pub record: RecordId,
}

/// Who ended something, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ended {
    pub at: DateTime<Utc>,
    pub by: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DisasterRow {
    pub id: String,
    pub reason: String,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub declared: DateTime<Utc>,
    pub by: String,
    pub ended: Option<Ended>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportRow {
    pub id: RecordId,
    pub path: String,
    pub sha256: String,
    pub bytes: u64,
    /// Records of the file below this index are in the journal.
    pub next_index: u64,
    pub accepted: u64,
    pub duplicate: u64,
    pub damaged: Vec<String>,
    pub closed: bool,
}

/// How much the tables hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Events over all sources.
    pub events: u64,
    pub accounts: u64,
    pub sessions: u64,
    pub findings: u64,
}

/// A period of event time of which nothing may be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldRow {
    pub name: String,
    pub reason: String,
    pub period: TimeRange,
    pub at: DateTime<Utc>,
    pub by: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    pub name: String,
    pub display_name: String,
    pub role: String,
    /// PHC string.
    pub password_hash: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    pub id: String,
    pub name: String,
    pub scopes: Vec<String>,
    /// Hex.
    pub secret_sha256: String,
    pub created: DateTime<Utc>,
    pub revoked: Option<DateTime<Utc>>,
}

/// One act of the trail; `deed` is its JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrailRow {
    pub record: RecordId,
    pub at: DateTime<Utc>,
    pub by: String,
    pub deed: String,
}

/// Reads an address column; a row that this program wrote always parses.
pub(crate) fn address(text: Option<String>) -> Option<IpAddr> {
    text.and_then(|text| text.parse().ok())
}
