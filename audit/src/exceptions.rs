//! 付録B: the exceptions that were in force in the month and the disasters that were declared for it. Owns which of them
//! belong to a month, and when an exception is told to be about to expire.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use monban_event::exception::EXPIRY_NOTICE;
use monban_event::{Scope, TimeRange};
use monban_index::ledger::{DisasterRow, ExceptionRow, LedgerReader};
use serde::Serialize;

use crate::summarize::AuditError;
use crate::tables::Span;
use crate::wording;

/// An exception of the month.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExceptionLine {
    pub id: String,
    #[serde(flatten)]
    pub scope: Scope,
    pub reason: String,
    pub owner: String,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub granted: DateTime<Utc>,
    pub by: String,
    /// When it was ended before its time, where that was so at the month's end.
    pub ended: Option<DateTime<Utc>>,
    /// It is in force, and ends by itself within 30 days of the month's end.
    pub expires_soon: bool,
    /// Findings first seen in the month that it classifies.
    pub findings: u64,
}

impl ExceptionLine {
    pub fn scope_text(&self) -> String {
        scope_text(&self.scope)
    }

    pub fn span_text(&self) -> String {
        wording::span(self.from, self.until)
    }

    pub fn state_text(&self) -> String {
        match (self.ended, self.expires_soon) {
            (Some(ended), _) => format!("{} に取り消し", wording::day_stamp(ended)),
            (None, true) => "期限まで 30 日以内".to_owned(),
            (None, false) => "有効".to_owned(),
        }
    }

    pub fn findings_text(&self) -> String {
        wording::count(self.findings)
    }
}

/// `VP-09　tanaka → DC01（203.0.113.0/29 から）`.
pub fn scope_text(scope: &Scope) -> String {
    let object = if scope.object.is_empty() { String::new() } else { format!(" → {}", scope.object) };
    let network = if scope.network.is_empty() { String::new() } else { format!("（{} から）", scope.network) };
    format!("{}　{}{object}{network}", scope.rule, scope.subject)
}

/// A disaster that touched the month.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DisasterLine {
    pub id: String,
    pub reason: String,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub declared: DateTime<Utc>,
    pub by: String,
}

impl DisasterLine {
    pub fn span_text(&self) -> String {
        wording::span(self.from, self.until)
    }

    pub fn declared_text(&self) -> String {
        wording::day_stamp(self.declared)
    }
}

/// Those that were in force at some time of the span, the oldest first.
pub(crate) fn exceptions(reader: &LedgerReader<'_>, span: Span) -> Result<Vec<ExceptionLine>, AuditError> {
    let counts: BTreeMap<String, u64> =
        reader.classified_counts(TimeRange::between(span.start, span.end))?.into_iter().collect();
    let rows = reader.exceptions()?;
    let of_month = rows.into_iter().rev().filter(|row| touches(row, span));
    Ok(of_month.map(|row| line(row, span, &counts)).collect())
}

fn touches(row: &ExceptionRow, span: Span) -> bool {
    let end = row.ended.as_ref().map_or(row.until, |ended| ended.at.min(row.until));
    row.from.max(row.granted) <= span.end && end > span.start
}

fn line(row: ExceptionRow, span: Span, counts: &BTreeMap<String, u64>) -> ExceptionLine {
    let ended = row.ended.as_ref().map(|ended| ended.at).filter(|at| *at < span.end);
    let is_in_force = ended.is_none() && row.until > span.end;
    ExceptionLine {
        findings: counts.get(&row.id).copied().unwrap_or(0),
        expires_soon: is_in_force && row.until - span.end <= EXPIRY_NOTICE,
        id: row.id,
        scope: row.scope,
        reason: row.reason,
        owner: row.owner,
        from: row.from,
        until: row.until,
        granted: row.granted,
        by: row.by,
        ended,
    }
}

/// Those whose time touches the span, the oldest first.
pub(crate) fn disasters(reader: &LedgerReader<'_>, span: Span) -> Result<Vec<DisasterLine>, AuditError> {
    let touches = |row: &DisasterRow| row.declared <= span.end && row.until > span.start;
    let line = |row: DisasterRow| DisasterLine {
        id: row.id,
        reason: row.reason,
        from: row.from,
        until: row.until,
        declared: row.declared,
        by: row.by,
    };
    Ok(reader.disasters()?.into_iter().rev().filter(touches).map(line).collect())
}
