//! What an audit says, as data. JSON, the sheets and later forms are all written from this one struct; the order of
//! its members is the order of the JSON.

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::FindingStatus;
use monban_index::journal::Receipt;
use serde::Serialize;

use crate::checklist::Edition;
use crate::exceptions::{DisasterLine, ExceptionLine};
use crate::wording;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditSummary {
    pub header: Header,
    /// Sentences for a reader who reads nothing else.
    pub conclusion: Vec<String>,
    pub figures: Vec<Figure>,
    /// The same figures of the month before.
    pub previous: Vec<Comparison>,
    pub sources: Vec<SourceLine>,
    pub logins_by_class: Vec<LoginClassLine>,
    pub logins_by_kind: Vec<LoginKindLine>,
    pub vpn_by_class: Vec<VpnClassLine>,
    pub findings: Vec<FindingLine>,
    pub carry_over: CarryOver,
    /// In force at some time of the month.
    pub exceptions: Vec<ExceptionLine>,
    pub disasters: Vec<DisasterLine>,
    pub trail: Vec<TrailLine>,
    pub undetectable: Vec<Undetectable>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Header {
    pub hospital: String,
    /// `2026-10`.
    pub period: String,
    pub period_ja: String,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub created: DateTime<Utc>,
    /// The month was not over when this was made.
    pub unfinished: bool,
    /// The journal position up to which everything is counted.
    pub cut_off_position: u64,
    pub report_number: String,
    pub rule_set_version: Option<String>,
    pub program_version: Option<String>,
    pub checklist: Edition,
    /// What the last signature of the month vouches for, to be held against the journal later.
    pub receipt: Option<Receipt>,
}

/// A number as it is printed: whole, or with one decimal (kept as tenths, rounded down).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Whole(u64),
    Tenths(u64),
}

impl Amount {
    pub fn text(self) -> String {
        match self {
            Self::Whole(number) => wording::count(number),
            Self::Tenths(tenths) => format!("{}.{}", wording::count(tenths / 10), tenths % 10),
        }
    }

    pub fn is_zero(self) -> bool {
        matches!(self, Self::Whole(0) | Self::Tenths(0))
    }
}

impl Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Whole(number) => serializer.serialize_u64(number),
            // A percentage has at most four digits; the division is exact enough to print as it was written.
            Self::Tenths(tenths) => {
                serializer.serialize_f64(f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0)
            }
        }
    }
}

/// A figure of the month. Where `query` is given, `value` is what that query counts over the period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    pub id: &'static str,
    pub name_ja: &'static str,
    /// `None`: it could not be found out, and `note` says why. Never to be read as zero.
    pub value: Option<Amount>,
    pub unit: &'static str,
    pub parts: Vec<Part>,
    pub definition_ja: &'static str,
    pub query: Option<String>,
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    pub label_ja: String,
    pub value: Amount,
    pub unit: &'static str,
}

impl Part {
    pub fn text(&self) -> String {
        match self.value {
            Amount::Whole(bytes) if self.unit == "バイト" => format!("{} {}", self.label_ja, wording::bytes(bytes)),
            value => format!("{} {} {}", self.label_ja, value.text(), self.unit),
        }
    }
}

impl Figure {
    /// `48,211 件`, or 検知不可.
    pub fn value_text(&self) -> String {
        self.value.map_or_else(|| "検知不可".to_owned(), |value| format!("{} {}", value.text(), self.unit))
    }

    pub fn parts_text(&self) -> String {
        self.parts.iter().map(Part::text).collect::<Vec<_>>().join("、")
    }

    pub fn note_text(&self) -> &str {
        self.note.as_deref().unwrap_or("")
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    pub id: &'static str,
    pub name_ja: &'static str,
    pub unit: &'static str,
    pub current: Option<Amount>,
    pub previous: Option<Amount>,
}

impl Comparison {
    fn text(value: Option<Amount>) -> String {
        value.map_or_else(|| "検知不可".to_owned(), Amount::text)
    }

    pub fn current_text(&self) -> String {
        Self::text(self.current)
    }

    pub fn previous_text(&self) -> String {
        Self::text(self.previous)
    }

    pub fn change_text(&self) -> String {
        match (self.current, self.previous) {
            (Some(Amount::Whole(now)), Some(Amount::Whole(before))) if now >= before => {
                format!("+{}", wording::count(now - before))
            }
            (Some(Amount::Whole(now)), Some(Amount::Whole(before))) => format!("−{}", wording::count(before - now)),
            _ => "—".to_owned(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceLine {
    pub id: String,
    pub name: String,
    pub product: Option<String>,
    pub transport: String,
    pub origin: String,
    pub listed: bool,
    /// Events with a time in the period.
    pub records: u64,
    pub unparsed: u64,
    /// Days of the period with at least one record, and days on which some could be expected.
    pub days_received: u64,
    pub days_expected: u64,
    /// Start of the last hour of the period in which something came.
    pub last_hour: Option<DateTime<Utc>>,
    pub skew_mean_s: i64,
    pub skew_max_s: i64,
    /// Whether records were due at the month's end and no silence was open.
    pub collecting: bool,
    pub silences: Vec<SilenceLine>,
    /// Records per day of the month; `None` where none could be expected.
    pub days: Vec<Option<u64>>,
}

impl SourceLine {
    pub fn state_ja(&self) -> String {
        let state = match (self.collecting, self.records) {
            (true, _) => "収集中",
            (false, 0) => "期間内の記録なし",
            (false, _) => "月末時点で途絶",
        };
        match self.silences.len() {
            0 => state.to_owned(),
            times => format!("{state}（途絶 {times} 回）"),
        }
    }

    pub fn transport_ja(&self) -> String {
        let how = match self.transport.as_str() {
            "file" => "ファイル",
            "http" => "HTTP",
            other => return format!("syslog {}", other.to_uppercase()),
        };
        if self.origin == "import" { format!("取込（{how}）") } else { how.to_owned() }
    }

    pub fn records_text(&self) -> String {
        wording::count(self.records)
    }

    pub fn unparsed_text(&self) -> String {
        wording::count(self.unparsed)
    }

    pub fn last_text(&self) -> String {
        self.last_hour.map_or_else(|| "—".to_owned(), |hour| format!("{}台", wording::minute_stamp(hour)))
    }

    pub fn days_text(&self) -> String {
        format!("{} / {} 日", self.days_received, self.days_expected)
    }

    pub fn skew_text(&self) -> String {
        format!("{} 秒（最大 {} 秒）", self.skew_mean_s, self.skew_max_s)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SilenceLine {
    pub started: DateTime<Utc>,
    /// `None` while it lasted at the end of the period or when this was made.
    pub ended: Option<DateTime<Utc>>,
    /// Seconds of it that lie in the period.
    pub seconds: u64,
}

impl SilenceLine {
    pub fn text(&self) -> String {
        let end = self.ended.map_or_else(|| "継続中".to_owned(), wording::minute_stamp);
        format!("{} 〜 {end}（{}）", wording::minute_stamp(self.started), self.length_text())
    }

    pub fn length_text(&self) -> String {
        seconds_text(self.seconds)
    }
}

pub(crate) fn seconds_text(seconds: u64) -> String {
    wording::length(TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1000)))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoginClassLine {
    pub class: String,
    pub class_ja: String,
    pub success: u64,
    pub success_after_hours: u64,
    pub failure: u64,
}

impl LoginClassLine {
    pub fn in_hours(&self) -> u64 {
        self.success.saturating_sub(self.success_after_hours)
    }

    pub fn texts(&self) -> [String; 4] {
        [self.success, self.in_hours(), self.success_after_hours, self.failure].map(wording::count)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoginKindLine {
    pub kind: String,
    pub kind_ja: String,
    /// Of `windows` only: the logon type.
    pub logon_type: Option<String>,
    pub success: u64,
    pub failure: u64,
}

impl LoginKindLine {
    pub fn name(&self) -> String {
        match &self.logon_type {
            Some(number) => format!("　うち タイプ {number}（{}）", wording::logon_type(number)),
            None => self.kind_ja.clone(),
        }
    }

    pub fn texts(&self) -> [String; 2] {
        [self.success, self.failure].map(wording::count)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VpnClassLine {
    pub class: String,
    pub class_ja: String,
    pub users: u64,
    pub sessions: u64,
    pub after_hours: u64,
    pub seconds_total: u64,
    pub seconds_longest: u64,
    /// From the hospital's view: `in` came from the remote user, `out` went to them.
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Sessions whose end was not reported by the month's end.
    pub open: u64,
}

impl VpnClassLine {
    pub fn texts(&self) -> [String; 7] {
        [
            wording::count(self.users),
            wording::count(self.sessions),
            wording::count(self.after_hours),
            seconds_text(self.seconds_total),
            seconds_text(self.seconds_longest),
            wording::bytes(self.bytes_in),
            wording::bytes(self.bytes_out),
        ]
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FindingLine {
    pub id: String,
    pub rule_id: String,
    pub title: String,
    pub severity: String,
    pub severity_ja: &'static str,
    pub needs_person: bool,
    /// The exception that covers it.
    pub classified: Option<String>,
    pub subject: String,
    pub object: String,
    pub first: DateTime<Utc>,
    pub last: DateTime<Utc>,
    pub count: u64,
    pub summary: String,
    /// At the cut-off.
    pub status: FindingStatus,
    pub status_ja: &'static str,
    pub reviews: Vec<ReviewLine>,
}

impl FindingLine {
    /// Whether somebody still has to judge it or act on it.
    pub fn waits(&self) -> bool {
        !self.status.is_closed() && (self.needs_person || self.status == FindingStatus::ActionNeeded)
    }

    pub fn status_text(&self) -> &'static str {
        if self.classified.is_some() && self.status == FindingStatus::Open { "自動分類" } else { self.status_ja }
    }

    pub fn when_text(&self) -> String {
        wording::minute_stamp(self.first)
    }

    pub fn count_text(&self) -> String {
        wording::count(self.count)
    }

    /// The last decision, as one line of print.
    pub fn verdict_text(&self) -> String {
        match (self.reviews.last(), &self.classified) {
            (None, Some(exception)) => format!("例外 {exception} により自動分類"),
            (None, None) => "—".to_owned(),
            (Some(review), _) => {
                format!("{}（{} {}）", review.reason, review.by, wording::minute_stamp(review.at))
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReviewLine {
    pub at: DateTime<Utc>,
    pub by: String,
    pub status_ja: &'static str,
    pub reason: String,
    pub note: String,
}

/// 前月繰越 + 発生 − 完了 = 次月繰越, at the month's two ends, so that one month's last number is the next one's first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CarryOver {
    pub carried_in: u64,
    /// First seen in the period, or closed before it and opened again in it.
    pub occurred: u64,
    pub completed: u64,
    pub carried_out: u64,
    /// Of `carried_out`: closed after the period's end and before the cut-off.
    pub completed_since: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrailLine {
    pub by: String,
    pub logins: u64,
    pub refused: u64,
    pub searches: u64,
    pub views: u64,
    pub exports: Vec<String>,
    pub reviews: u64,
}

impl TrailLine {
    pub fn texts(&self) -> [String; 5] {
        [self.logins, self.refused, self.searches, self.views, self.reviews].map(wording::count)
    }
}

/// What could not be found out in this month, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undetectable {
    pub what_ja: String,
    pub reason_ja: String,
}
