//! Acts: what people and the program itself decide. They are journaled under the same numbers as records, so that a
//! replay knows everything the live run knew. Written as JSON with a tag; unknown members are an error on reading,
//! because an act that is half understood is worse than a clear refusal.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::exception::Scope;
use crate::finding::{Finding, FindingStatus};
use crate::id::{FindingId, RecordId};
use crate::record::FileHints;
use crate::time::TimeRange;

/// An act and who did it, when. The number is the journal's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// Our clock.
    pub at: DateTime<Utc>,
    /// Account of this product, `token:NAME`, `console` for the command line, or `monban` for the program itself.
    pub by: String,
    pub deed: Deed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Deed {
    /// The program started: the epoch in which everything after it is parsed and detected.
    Epoch {
        program_version: String,
        parsers: String,
        rules: String,
    },
    /// A file named under `[context]`, whole, as it stood from here on.
    Context {
        name: ContextName,
        sha256: String,
        text: String,
    },
    ImportOpened {
        path: String,
        /// Of the log itself, unpacked.
        sha256: String,
        bytes: u64,
        /// Of the file as it was handed in, where the log is packed in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        original_sha256: Option<String>,
        /// Records at the beginning that an earlier import of the same log brought.
        #[serde(default, skip_serializing_if = "is_zero")]
        known: u64,
        #[serde(default, skip_serializing_if = "FileHints::is_empty")]
        hints: FileHints,
    },
    /// A log that is watched has grown: this is what of it is in the journal now.
    ImportGrew {
        import: RecordId,
        sha256: String,
        bytes: u64,
    },
    /// `damaged` lists what could not be read, a line each.
    ImportClosed {
        import: RecordId,
        damaged: Vec<String>,
    },
    Review {
        finding: FindingId,
        status: FindingStatus,
        reason: String,
        note: String,
    },
    /// Findings of that scope and time need no person from here on. They are made and listed as ever.
    ExceptionGranted {
        id: String,
        scope: Box<Scope>,
        reason: String,
        /// Who answers for it.
        owner: String,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    },
    /// Before its time.
    ExceptionEnded {
        id: String,
        reason: String,
    },
    /// From here on what is found of work outside hours in that time is one case.
    DisasterDeclared {
        id: String,
        reason: String,
        from: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
    },
    DisasterEnded {
        id: String,
        until: DateTime<Utc>,
        reason: String,
    },
    SourceNamed {
        source: String,
        name: String,
    },
    TokenCreated {
        id: String,
        name: String,
        scopes: Vec<String>,
        secret_sha256: String,
    },
    TokenRevoked {
        id: String,
    },
    UserCreated {
        name: String,
        display_name: String,
        role: String,
        password_hash: String,
    },
    LoggedIn {
        peer: String,
    },
    LoginRefused {
        account: String,
        peer: String,
    },
    LoggedOut {},
    /// The trail: what was asked of the store, and how much came back.
    Searched {
        query: String,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        hits: u64,
    },
    Viewed {
        what: String,
    },
    Exported {
        what: String,
        form: String,
        /// How many events, as far as that could be counted; absent where it is no list of events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        events: Option<u64>,
    },
    /// The program held a part of its own journal against what proves it.
    Verified {
        /// What was journaled since the check before, and the part of what is older whose turn it was.
        fresh: TimeRange,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn: Option<TimeRange>,
        segments: u64,
        /// The first places that are not as they were written.
        damage: Vec<Damage>,
        /// Further ones that are not listed.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: u64,
    },
    /// A copy of journal and ledger was written elsewhere, up to this number.
    BackedUp {
        to: String,
        last: RecordId,
        bytes: u64,
    },
    /// This data directory was made of a backup; what came after `last` before that is not in it.
    Restored {
        from: String,
        taken_at: DateTime<Utc>,
        last: RecordId,
    },
    /// Lines a receiver could not take, since the last such act.
    Lost {
        receiver: String,
        reason: String,
        count: u64,
    },
    /// Retention: what is past its time, and is deleted as soon as this is on record.
    Removed {
        what: Kept,
        /// Names of the directories or files.
        parts: Vec<String>,
        /// Events or records in them.
        count: u64,
        /// All of it lies in here.
        period: TimeRange,
    },
    /// Nothing that touches the period is deleted until the hold is released.
    HoldAdded {
        name: String,
        reason: String,
        period: TimeRange,
    },
    HoldReleased {
        name: String,
        reason: String,
    },
    /// Days were judged again, because something about them came to be known later. What that changed is on record
    /// whole: a replay need not judge them again, and an inspector sees when a finding was made or taken back, and why.
    Redetected {
        /// First and last of the days, noon to noon.
        days: (NaiveDate, NaiveDate),
        /// What had come to be known, in Japanese.
        cause: String,
        /// Everything up to this number was taken into account. Absent where the act that follows tells the rest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        known_to: Option<RecordId>,
        findings: Vec<Finding>,
        withdrawn: Vec<FindingId>,
    },
    /// Index and tables were made anew from the journal, and how many findings that brought and took.
    Reindexed {
        records: u64,
        findings_added: u64,
        findings_gone: u64,
    },
}

/// A place in the journal that is not as it was written: the first bad number is one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    pub first: RecordId,
    pub last: RecordId,
    /// In Japanese, as `monban verify` tells it.
    pub what: String,
}

/// What retention deletes, each at its own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Partitions of the search index.
    Index,
    /// Segments of records: what was received.
    Records,
    /// Segments of acts: what was decided, and what proves the rest.
    Acts,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The texts that are journaled whole when they change: the configuration and the context files it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextName {
    Roster,
    Allow,
    Vendors,
    Calendar,
    Tickets,
    Duty,
    Config,
}

impl ContextName {
    pub const ALL: [Self; 7] =
        [Self::Roster, Self::Allow, Self::Vendors, Self::Calendar, Self::Tickets, Self::Duty, Self::Config];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Roster => "roster",
            Self::Allow => "allow",
            Self::Vendors => "vendors",
            Self::Calendar => "calendar",
            Self::Tickets => "tickets",
            Self::Duty => "duty",
            Self::Config => "config",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_read_what_they_write() {
        let act = Act {
            at: "2026-10-25T03:00:00Z".parse().expect("a time"),
            by: "山田".to_owned(),
            deed: Deed::Review {
                finding: FindingId::new("ab"),
                status: FindingStatus::Confirmed,
                reason: "保守作業（連絡済）".to_owned(),
                note: String::new(),
            },
        };
        let text = serde_json::to_string(&act).expect("acts are JSON");
        assert_eq!(serde_json::from_str::<Act>(&text).expect("reads"), act);
    }
}
