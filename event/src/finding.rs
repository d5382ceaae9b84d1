//! A finding: a rule matched. Immutable with its evidence; what people decide about it are acts beside it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{EventId, FindingId, RuleId, hex};
use crate::time::finding_day;

/// Sigma's levels; in Japanese 情報 低 中 高 重大.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub const ALL: [Self; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    pub fn japanese(self) -> &'static str {
        match self {
            Self::Informational => "情報",
            Self::Low => "低",
            Self::Medium => "中",
            Self::High => "高",
            Self::Critical => "重大",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == text || severity.japanese() == text)
    }

    /// One level lower; what is lowest stays.
    #[must_use]
    pub fn lowered(self) -> Self {
        match self {
            Self::Informational | Self::Low => Self::Informational,
            Self::Medium => Self::Low,
            Self::High => Self::Medium,
            Self::Critical => Self::High,
        }
    }

    /// Whether a person has to judge it; 低 and 情報 may be closed in bulk.
    pub fn needs_person(self) -> bool {
        self >= Self::Medium
    }
}

/// `未確認 → 要対応 → 対応済` or `未確認 → 確認済`; may be reopened, never overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingStatus {
    Open,
    ActionNeeded,
    Resolved,
    Confirmed,
    /// What came to be known later shows that it was none. Only the program says so, and only of what nobody had judged.
    Withdrawn,
}

impl FindingStatus {
    pub const ALL: [Self; 5] = [Self::Open, Self::ActionNeeded, Self::Resolved, Self::Confirmed, Self::Withdrawn];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::ActionNeeded => "action_needed",
            Self::Resolved => "resolved",
            Self::Confirmed => "confirmed",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub fn japanese(self) -> &'static str {
        match self {
            Self::Open => "未確認",
            Self::ActionNeeded => "要対応",
            Self::Resolved => "対応済",
            Self::Confirmed => "確認済",
            Self::Withdrawn => "取下げ",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text || status.japanese() == text)
    }

    /// What a person may decide, in the order of a form.
    pub fn decided() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|status| *status != Self::Withdrawn)
    }

    /// Closed findings are out of the queue; what recurs after closing is a new finding.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Resolved | Self::Confirmed)
    }

    pub fn may_become(self, next: Self) -> bool {
        let swaps = matches!((self, next), (Self::Resolved, Self::Confirmed) | (Self::Confirmed, Self::Resolved));
        self != next && !swaps && next != Self::Withdrawn
    }
}

/// What the rule engine found. Two findings of one id are one: the ledger joins their evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub id: FindingId,
    #[serde(rename = "rule.id")]
    pub rule_id: RuleId,
    #[serde(rename = "rule.title")]
    pub rule_title: String,
    #[serde(rename = "rule.version")]
    pub rule_version: String,
    pub severity: Severity,
    /// Who or what it is about: an account, an address, a source.
    pub subject: String,
    /// Against what, where the rule names it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    pub first: DateTime<Utc>,
    pub last: DateTime<Utc>,
    /// Events that carry it; `evidence` names the first [`EVIDENCE_MAX`] of them.
    pub count: u64,
    /// What happened, in one Japanese sentence with the values filled in.
    pub summary: String,
    pub evidence: Vec<EventId>,
    /// Addresses that its events came from, as far as they name one; up to [`SOURCES_MAX`].
    #[serde(rename = "source.ip", default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sources: BTreeSet<IpAddr>,
}

/// Source addresses kept of one finding. A person comes from some places a day; what comes from more is an attack, and no
/// exception for a network covers it.
pub const SOURCES_MAX: usize = 64;

/// Evidence ids kept of one finding. A brute force of a million tries is proven by its first thousand, and `count`
/// with the rule's query leads to the rest.
pub const EVIDENCE_MAX: usize = 1000;

impl Finding {
    /// The id of what is one finding: rule, subject, object, the noon-to-noon JST day of `time`, and how often it
    /// recurred after being closed.
    pub fn make_id(rule: &RuleId, subject: &str, object: &str, time: DateTime<Utc>, recurrence: u32) -> FindingId {
        let day = finding_day(time).to_string();
        let mut hash = Sha256::new();
        for part in [rule.as_str(), subject, object, &day, &recurrence.to_string()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        FindingId(hex(hash.finalize().get(..16).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_id_depends_on_each_part() {
        let rule = RuleId::new("VP-01");
        let noon = "2026-10-25T03:00:00Z".parse().expect("a time");
        let id = Finding::make_id(&rule, "a", "bc", noon, 0);
        assert_eq!(id.as_str().len(), 32);
        assert_eq!(id, Finding::make_id(&rule, "a", "bc", noon + chrono::TimeDelta::hours(23), 0));
        assert_ne!(id, Finding::make_id(&rule, "ab", "c", noon, 0));
        assert_ne!(id, Finding::make_id(&rule, "a", "bc", noon, 1));
        assert_ne!(id, Finding::make_id(&rule, "a", "bc", noon + chrono::TimeDelta::hours(24), 0));
    }

    #[test]
    fn closed_findings_may_be_reopened_but_not_swapped() {
        assert!(FindingStatus::Open.may_become(FindingStatus::Confirmed));
        assert!(FindingStatus::Confirmed.may_become(FindingStatus::Open));
        assert!(!FindingStatus::Confirmed.may_become(FindingStatus::Resolved));
        assert!(!FindingStatus::Open.may_become(FindingStatus::Open));
    }
}
