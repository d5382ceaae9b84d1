//! Exceptions and declared disasters: what is in force, which findings an exception classifies, and which it would.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use monban_event::act::Deed;
use monban_event::finding::SOURCES_MAX;
use monban_event::{Act, Disaster, Finding, FindingId, RecordId, RuleId, Scope, TimeRange};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::read::{FindingFilter, LedgerReader, bounds, number, optional_time, time};
use super::rows::{DisasterRow, Ended, ExceptionRow, FindingRow};
use super::write::LedgerBatch;
use super::{LedgerError, Naming};

const EXCEPTION_COLUMNS: &str = "id, rule_id, subject, object, reason, owner, \"from\", until, at, by, ended, ended_by, ended_reason, record, network";

/// An exception as classifying asks for it.
type Candidate = (String, Scope);

impl LedgerBatch<'_> {
    /// Names the exception that covers all of a finding, or takes the name away: it has to have been granted before the
    /// finding was first made, to be in force now, and to hold for the whole span of the finding. Asked again with each
    /// addition, so that how additions were joined on their way makes no difference.
    pub(super) fn classify(&mut self, number: i64) -> Result<(), LedgerError> {
        let found = self
            .transaction
            .prepare_cached(
                "SELECT rule_id, subject, object, first, last, found_at_record FROM findings WHERE number = ?1",
            )
            .and_then(|mut statement| {
                statement.query_row([number], |row| {
                    let texts: (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    let numbers: (i64, i64, i64) = (row.get(3)?, row.get(4)?, row.get(5)?);
                    Ok((texts, numbers))
                })
            })
            .naming("look at a finding")?;
        let ((rule, subject, object), (first, last, found_at)) = found;
        let rule = RuleId(rule);
        let in_force = self.candidates(&rule, first, last, found_at)?;
        let sources = if in_force.is_empty() { Vec::new() } else { sources(self.transaction, number)? };
        let covering = in_force.into_iter().find(|(_, scope)| scope.covers(&rule, &subject, &object, &sources));
        self.transaction
            .prepare_cached("UPDATE findings SET classified = ?2 WHERE number = ?1 AND classified IS NOT ?2")
            .and_then(|mut statement| statement.execute(params![number, covering.map(|(id, _)| id)]))
            .naming("classify a finding")?;
        Ok(())
    }

    /// Up to as many as are kept.
    pub(super) fn add_sources(&mut self, number: i64, finding: &Finding) -> Result<(), LedgerError> {
        let most = i64::try_from(SOURCES_MAX).unwrap_or(i64::MAX);
        for source in &finding.sources {
            self.transaction
                .prepare_cached(
                    "INSERT OR IGNORE INTO finding_sources SELECT ?1, ?2
                     WHERE (SELECT count(*) FROM finding_sources WHERE finding = ?1) < ?3",
                )
                .and_then(|mut statement| statement.execute(params![number, source.to_string(), most]))
                .naming("keep a source of a finding")?;
        }
        Ok(())
    }

    /// The oldest first.
    fn candidates(&self, rule: &RuleId, first: i64, last: i64, found_at: i64) -> Result<Vec<Candidate>, LedgerError> {
        self.transaction
            .prepare_cached(
                "SELECT id, subject, object, network FROM exceptions WHERE rule_id = ?1 AND ended IS NULL AND record <= ?4
                     AND \"from\" <= ?2 AND until > ?3 ORDER BY record",
            )
            .and_then(|mut statement| {
                let candidate = |row: &Row<'_>| {
                    let (subject, object, network) = (row.get(1)?, row.get(2)?, row.get(3)?);
                    let scope = Scope { rule: rule.clone(), subject, object, network };
                    Ok((row.get(0)?, scope))
                };
                statement.query_map(params![rule.as_str(), first, last, found_at], candidate)?.collect()
            })
            .naming("look for exceptions")
    }

    /// What an act says of exceptions and disasters. An end that comes twice changes nothing.
    pub(super) fn apply_exception(&mut self, id: RecordId, act: &Act) -> Result<(), LedgerError> {
        let (record, at) = (id.0.cast_signed(), act.at.timestamp_micros());
        match &act.deed {
            Deed::ExceptionGranted { id, scope, reason, owner, from, until } => self.execute(
                "keep an exception",
                "INSERT OR IGNORE INTO exceptions (id, record, rule_id, subject, object, reason, owner, \"from\", until, at, by, network)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                params![
                    id,
                    record,
                    scope.rule.as_str(),
                    scope.subject,
                    scope.object,
                    reason,
                    owner,
                    from.timestamp_micros(),
                    until.timestamp_micros(),
                    at,
                    act.by,
                    scope.network
                ],
            ),
            Deed::ExceptionEnded { id, reason } => self.execute(
                "end an exception",
                "UPDATE exceptions SET ended = ?2, ended_by = ?3, ended_reason = ?4 WHERE id = ?1 AND ended IS NULL",
                params![id, at, act.by, reason],
            ),
            Deed::DisasterDeclared { id, reason, from, until } => {
                let Disaster { from, until, .. } = Disaster::new(id, reason, *from, *until);
                self.execute(
                    "keep a disaster",
                    "INSERT OR IGNORE INTO disasters (id, record, reason, \"from\", until, at, by)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![id, record, reason, from.timestamp_micros(), until.timestamp_micros(), at, act.by],
                )
            }
            Deed::DisasterEnded { id, until, reason } => self.execute(
                "end a disaster",
                "UPDATE disasters SET until = min(until, ?5), ended = ?2, ended_by = ?3, ended_reason = ?4
                 WHERE id = ?1 AND ended IS NULL",
                params![id, at, act.by, reason, until.timestamp_micros()],
            ),
            _ => Ok(()),
        }
    }
}

impl LedgerReader<'_> {
    /// In force or not, the latest granted first.
    pub fn exceptions(&self) -> Result<Vec<ExceptionRow>, LedgerError> {
        let statement = format!("SELECT {EXCEPTION_COLUMNS} FROM exceptions ORDER BY record DESC");
        self.list("list exceptions", &statement, [], exception_row)
    }

    pub fn exception(&self, id: &str) -> Result<Option<ExceptionRow>, LedgerError> {
        let statement = format!("SELECT {EXCEPTION_COLUMNS} FROM exceptions WHERE id = ?1");
        self.one("read an exception", &statement, [id], exception_row)
    }

    /// The latest declared first.
    pub fn disasters(&self) -> Result<Vec<DisasterRow>, LedgerError> {
        self.list(
            "list disasters",
            "SELECT id, reason, \"from\", until, at, by, ended, ended_by, ended_reason FROM disasters ORDER BY record DESC",
            [],
            |row| {
                Ok(DisasterRow {
                    id: row.get(0)?,
                    reason: row.get(1)?,
                    from: time(row, 2)?,
                    until: time(row, 3)?,
                    declared: time(row, 4)?,
                    by: row.get(5)?,
                    ended: ended(row, 6)?,
                })
            },
        )
    }

    /// The acts about disasters up to `position`, oldest first: what the detector knew there.
    pub fn disaster_acts(&self, position: RecordId) -> Result<Vec<Deed>, LedgerError> {
        let texts = self.list(
            "list acts about disasters",
            "SELECT deed FROM trail WHERE record <= ?1
                 AND json_extract(deed, '$.kind') IN ('disaster_declared', 'disaster_ended') ORDER BY record",
            [position.0.cast_signed()],
            |row| row.get::<_, String>(0),
        )?;
        let read = |text: &String| {
            serde_json::from_str(text)
                .map_err(|error| LedgerError::BadRow { table: "trail", reason: error.to_string() })
        };
        texts.iter().map(read).collect()
    }

    /// The findings of a time that an exception of that scope would have classified, worst first.
    pub fn findings_covered(&self, scope: &Scope, range: TimeRange) -> Result<Vec<FindingRow>, LedgerError> {
        let filter = FindingFilter { range, rule: Some(scope.rule.0.clone()), ..FindingFilter::default() };
        let mut covered = Vec::new();
        for row in self.findings(&filter)? {
            let sources = if scope.network.is_empty() { Vec::new() } else { self.sources_of(&row.id)? };
            if scope.covers(&row.rule_id, &row.subject, &row.object, &sources) {
                covered.push(row);
            }
        }
        Ok(covered)
    }

    /// The addresses that a finding's events came from.
    pub(super) fn sources_of(&self, id: &FindingId) -> Result<Vec<IpAddr>, LedgerError> {
        let number =
            self.one("find a finding", "SELECT number FROM findings WHERE id = ?1", [id.as_str()], |row| row.get(0))?;
        number.map_or_else(|| Ok(Vec::new()), |number| sources(self.connection(), number))
    }

    /// How many findings first seen in the period each exception classifies, by its id.
    pub fn classified_counts(&self, range: TimeRange) -> Result<Vec<(String, u64)>, LedgerError> {
        let (from, to) = bounds(range);
        self.list(
            "count classified findings",
            "SELECT classified, count(*) FROM findings WHERE classified IS NOT NULL AND first >= ?1 AND first < ?2
             GROUP BY classified ORDER BY classified",
            [from, to],
            |row| Ok((row.get(0)?, number(row, 1)?)),
        )
    }

    /// Findings that an exception classifies and nobody has touched.
    pub fn classified_count(&self) -> Result<u64, LedgerError> {
        let count = self
            .connection()
            .prepare_cached("SELECT count(*) FROM findings WHERE classified IS NOT NULL AND status = 'open'")
            .and_then(|mut statement| statement.query_row([], |row| number(row, 0)).optional())
            .naming("count classified findings")?;
        Ok(count.unwrap_or(0))
    }
}

/// By their text; a row that this program wrote always parses.
fn sources(connection: &Connection, number: i64) -> Result<Vec<IpAddr>, LedgerError> {
    let texts: Vec<String> = connection
        .prepare_cached("SELECT address FROM finding_sources WHERE finding = ?1 ORDER BY address")
        .and_then(|mut statement| statement.query_map([number], |row| row.get(0))?.collect())
        .naming("list the sources of a finding")?;
    Ok(texts.iter().filter_map(|text| text.parse().ok()).collect())
}

fn exception_row(row: &Row<'_>) -> rusqlite::Result<ExceptionRow> {
    Ok(ExceptionRow {
        id: row.get(0)?,
        scope: Scope { rule: RuleId(row.get(1)?), subject: row.get(2)?, object: row.get(3)?, network: row.get(14)? },
        reason: row.get(4)?,
        owner: row.get(5)?,
        from: time(row, 6)?,
        until: time(row, 7)?,
        granted: time(row, 8)?,
        by: row.get(9)?,
        ended: ended(row, 10)?,
        record: RecordId(number(row, 13)?),
    })
}

fn ended(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Ended>> {
    let Some(at) = optional_time(row, column)? else { return Ok(None) };
    Ok(Some(Ended { at, by: row.get(column + 1)?, reason: row.get(column + 2)? }))
}

impl ExceptionRow {
    pub fn is_in_force(&self, now: DateTime<Utc>) -> bool {
        self.ended.is_none() && self.from <= now && now < self.until
    }
}
