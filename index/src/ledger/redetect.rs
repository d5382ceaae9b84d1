//! Days that have to be judged again, and what judging them again changed. What nobody has judged yet is replaced or taken
//! back; of what a person has judged nothing is changed: only events that are new to it make a finding that recurs.

use chrono::{DateTime, NaiveDate};
use monban_event::{EventId, Finding, FindingId, RecordId};
use rusqlite::params;

use super::LedgerError;
use super::read::LedgerReader;
use super::write::LedgerBatch;

/// A noon-to-noon day about which something came to be known after it was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirtyDay {
    pub day: NaiveDate,
    /// The record that first said something new, and the last one so far.
    pub since: RecordId,
    pub until: RecordId,
    /// What it was, in Japanese.
    pub cause: String,
}

impl LedgerBatch<'_> {
    /// Notes that the record `at` says something new about a day.
    pub fn mark_day(&mut self, day: NaiveDate, at: RecordId, cause: &str) -> Result<(), LedgerError> {
        self.execute(
            "mark a day",
            "INSERT INTO dirty_days VALUES (?1, ?2, ?2, ?3) ON CONFLICT DO UPDATE SET until = max(until, excluded.until)",
            params![number_of_day(day), at.0.cast_signed(), cause],
        )
    }

    pub(super) fn apply_redetection(
        &mut self,
        at: RecordId,
        (days, known_to): ((NaiveDate, NaiveDate), Option<RecordId>),
        findings: &[Finding],
        withdrawn: &[FindingId],
    ) -> Result<(), LedgerError> {
        for finding in findings {
            match self.number_of(&finding.id)? {
                None => self.add_finding(at, finding)?,
                Some(_) if self.is_judged(&finding.id)? => self.add_to_judged(at, finding)?,
                Some(number) => self.replace_finding(number, finding)?,
            }
        }
        for id in withdrawn {
            if !self.is_judged(id)? {
                self.execute(
                    "withdraw a finding",
                    "UPDATE findings SET status = 'withdrawn' WHERE id = ?1",
                    [id.as_str()],
                )?;
            }
        }
        known_to.map_or(Ok(()), |known_to| self.clear_days(days, known_to))
    }

    /// What was marked by records behind `known_to` stays marked.
    fn clear_days(&mut self, days: (NaiveDate, NaiveDate), known_to: RecordId) -> Result<(), LedgerError> {
        let (from, to) = (number_of_day(days.0), number_of_day(days.1));
        let known_to = known_to.0.cast_signed();
        self.execute(
            "clear days",
            "DELETE FROM dirty_days WHERE day BETWEEN ?1 AND ?2 AND until <= ?3",
            params![from, to, known_to],
        )?;
        self.execute(
            "clear days",
            "UPDATE dirty_days SET since = max(since, ?3 + 1) WHERE day BETWEEN ?1 AND ?2",
            params![from, to, known_to],
        )
    }

    /// Whether a person has said anything of it, in any of its recurrences.
    fn is_judged(&self, id: &FindingId) -> Result<bool, LedgerError> {
        self.ask("look for a review", "SELECT EXISTS (SELECT 1 FROM reviews r JOIN findings f ON f.id = r.finding WHERE f.id = ?1 OR f.base = ?1)", [id.as_str()])
    }

    fn replace_finding(&mut self, number: i64, finding: &Finding) -> Result<(), LedgerError> {
        self.execute(
            "replace a finding",
            "UPDATE findings SET severity = ?2, first = ?3, last = ?4, count = ?5, summary = ?6, status = 'open' WHERE number = ?1",
            params![
                number,
                finding.severity as i64,
                finding.first.timestamp_micros(),
                finding.last.timestamp_micros(),
                finding.count.cast_signed(),
                finding.summary,
            ],
        )?;
        self.execute("replace evidence", "DELETE FROM finding_evidence WHERE finding = ?1", [number])?;
        self.execute("replace sources", "DELETE FROM finding_sources WHERE finding = ?1", [number])?;
        self.add_evidence(number, &finding.evidence)?;
        self.add_sources(number, finding)?;
        self.classify(number)
    }

    /// Only what no judged finding of the same base names.
    fn add_to_judged(&mut self, at: RecordId, finding: &Finding) -> Result<(), LedgerError> {
        let mut fresh: Vec<EventId> = Vec::new();
        for event in &finding.evidence {
            if !self.is_named(&finding.id, *event)? {
                fresh.push(*event);
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        self.add_finding(at, &Finding { count: fresh.len() as u64, evidence: fresh, ..finding.clone() })
    }

    fn is_named(&self, id: &FindingId, event: EventId) -> Result<bool, LedgerError> {
        self.ask(
            "look for evidence",
            "SELECT EXISTS (SELECT 1 FROM finding_evidence e JOIN findings f ON f.number = e.finding
                 WHERE (f.id = ?1 OR f.base = ?1) AND e.record = ?2 AND e.position = ?3)",
            params![id.as_str(), event.record.0.cast_signed(), event.offset],
        )
    }
}

impl LedgerReader<'_> {
    /// The earliest first.
    pub fn dirty_days(&self) -> Result<Vec<DirtyDay>, LedgerError> {
        let id = |number: i64| RecordId(number.cast_unsigned());
        self.list(
            "list days to judge again",
            "SELECT day, since, until, cause FROM dirty_days ORDER BY day",
            [],
            |row| {
                Ok(DirtyDay {
                    day: day_of_number(row.get(0)?),
                    since: id(row.get(1)?),
                    until: id(row.get(2)?),
                    cause: row.get(3)?,
                })
            },
        )
    }
}

fn number_of_day(day: NaiveDate) -> i64 {
    (day - NaiveDate::default()).num_days()
}

fn day_of_number(number: i64) -> NaiveDate {
    let day = chrono::TimeDelta::try_days(number).and_then(|days| NaiveDate::default().checked_add_signed(days));
    day.unwrap_or_else(|| DateTime::UNIX_EPOCH.date_naive())
}
