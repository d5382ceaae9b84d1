//! Reading: the questions of pages, reports and the program. Lists come in an order that is the same every time.

use chrono::{DateTime, Utc};
use monban_event::{
    EventId, FindingId, FindingStatus, RecordId, RuleId, Severity, TimeRange, VpnSession, act::ContextName,
};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::rows::{
    AccountRow, FindingDetail, FindingRow, HoldRow, ImportRow, PreviousVerdict, ReviewRow, SilenceRow, SourceHour,
    SourceRow, TokenRow, Totals, TrailRow, UserRow, address,
};
use super::{Ledger, LedgerError, Naming};

/// Most rows a list gives at once; pages show fewer, and a list that long is no longer read.
const ROWS_MAX: i64 = 100_000;

/// A read-only connection, on loan.
pub struct LedgerReader<'a> {
    ledger: &'a Ledger,
    connection: Option<Connection>,
}

impl Drop for LedgerReader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.ledger.give_back(connection);
        }
    }
}

/// Which findings to list. `None` asks nothing.
#[derive(Clone, Debug, Default)]
pub struct FindingFilter {
    pub status: Option<FindingStatus>,
    /// Of `last` seen: findings that touch the period.
    pub range: TimeRange,
    pub rule: Option<String>,
    pub subject: Option<String>,
    /// Whether an exception covers it.
    pub classified: Option<bool>,
    /// Covered by this one.
    pub exception: Option<String>,
}

const FINDING_COLUMNS: &str = "id, rule_id, rule_title, rule_version, severity, subject, object, first, last, count, \
     summary, status, recurrence, first_verdict, classified";

impl<'a> LedgerReader<'a> {
    pub(super) fn new(ledger: &'a Ledger, connection: Connection) -> Self {
        Self { ledger, connection: Some(connection) }
    }

    pub(super) fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("a reader holds its connection until it is dropped")
    }

    pub(super) fn list<T>(
        &self,
        operation: &'static str,
        statement: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, LedgerError> {
        let mut prepared = self.connection().prepare_cached(statement).naming(operation)?;
        prepared.query_map(values, read).and_then(Iterator::collect).naming(operation)
    }

    pub(super) fn one<T>(
        &self,
        operation: &'static str,
        statement: &str,
        values: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, LedgerError> {
        let mut prepared = self.connection().prepare_cached(statement).naming(operation)?;
        prepared.query_row(values, read).optional().naming(operation)
    }

    pub fn position(&self) -> Result<RecordId, LedgerError> {
        let position =
            self.one("read the position", "SELECT value FROM meta WHERE key = 'position'", [], |row| number(row, 0))?;
        Ok(RecordId(position.unwrap_or(0)))
    }

    /// By name.
    pub fn sources(&self) -> Result<Vec<SourceRow>, LedgerError> {
        self.list(
            "list sources",
            "SELECT id, coalesce(name, host, substr(id, instr(id, ':') + 1)), module, vendor, product, transport, peer,
                 origin, listed, first_seen, last_seen, last_event, records, unparsed, skew_sum, skew_max, skew_count
             FROM sources ORDER BY 2, 1",
            [],
            source_row,
        )
    }

    /// By source and hour; `range` on the hour's start.
    pub fn source_hours(&self, range: TimeRange) -> Result<Vec<SourceHour>, LedgerError> {
        let hour = |time: Option<DateTime<Utc>>, open: i64| time.map_or(open, |time| time.timestamp().div_euclid(3600));
        self.list(
            "list hours",
            "SELECT source, hour, records, unparsed FROM source_hours WHERE hour >= ?1 AND hour < ?2 ORDER BY source, hour",
            [hour(range.from, i64::MIN), hour(range.to, i64::MAX)],
            |row| {
                Ok(SourceHour {
                    source: row.get(0)?,
                    hour: row.get(1)?,
                    records: number(row, 2)?,
                    unparsed: number(row, 3)?,
                })
            },
        )
    }

    /// Silences that touch the period, by source and start.
    pub fn silences(&self, range: TimeRange) -> Result<Vec<SilenceRow>, LedgerError> {
        let (from, to) = bounds(range);
        self.list(
            "list silences",
            "SELECT source, started, ended FROM silences WHERE started < ?2 AND coalesce(ended, ?2) > ?1
             ORDER BY source, started",
            [from, to],
            |row| Ok(SilenceRow { source: row.get(0)?, started: time(row, 1)?, ended: optional_time(row, 2)? }),
        )
    }

    /// By key.
    pub fn accounts(&self) -> Result<Vec<AccountRow>, LedgerError> {
        self.list(
            "list accounts",
            "SELECT key, class, state, first_seen, last_success, last_failure, successes, failures FROM accounts
             ORDER BY key",
            [],
            |row| {
                Ok(AccountRow {
                    key: row.get(0)?,
                    class: row.get(1)?,
                    state: row.get(2)?,
                    first_seen: time(row, 3)?,
                    last_success: optional_time(row, 4)?,
                    last_failure: optional_time(row, 5)?,
                    successes: number(row, 6)?,
                    failures: number(row, 7)?,
                })
            },
        )
    }

    /// VPN sessions that started in the period, newest first.
    pub fn sessions(&self, range: TimeRange) -> Result<Vec<VpnSession>, LedgerError> {
        let (from, to) = bounds(range);
        self.list(
            "list sessions",
            "SELECT key, observer, user, class, source_ip, assigned_ip, started, ended, last_seen, bytes_sent,
                 bytes_received, after_hours, record, position
             FROM sessions WHERE started >= ?1 AND started < ?2 ORDER BY started DESC, record, position LIMIT ?3",
            [from, to, ROWS_MAX],
            session_row,
        )
    }

    /// Worst first, then newest.
    pub fn findings(&self, filter: &FindingFilter) -> Result<Vec<FindingRow>, LedgerError> {
        let (from, to) = bounds(filter.range);
        let status = filter.status.map(FindingStatus::as_str);
        let statement = format!(
            "SELECT {FINDING_COLUMNS} FROM findings WHERE last >= ?1 AND first < ?2
                 AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR rule_id = ?4) AND (?5 IS NULL OR subject = ?5)
                 AND (?7 IS NULL OR (classified IS NOT NULL) = ?7) AND (?8 IS NULL OR classified = ?8)
             ORDER BY severity DESC, last DESC, id LIMIT ?6"
        );
        let values: [&dyn ToSql; 8] =
            [&from, &to, &status, &filter.rule, &filter.subject, &ROWS_MAX, &filter.classified, &filter.exception];
        self.list("list findings", &statement, values, finding_row)
    }

    /// How many findings there are of each status, in the order of [`FindingStatus::ALL`]. What an exception covers and
    /// nobody has touched waits for nobody, and counts in [`Self::classified_count`] alone.
    pub fn finding_counts(&self) -> Result<[u64; FindingStatus::ALL.len()], LedgerError> {
        let rows = self.list(
            "count findings",
            "SELECT status, count(*) FROM findings WHERE classified IS NULL OR status <> 'open' GROUP BY status",
            [],
            |row| Ok((row.get::<_, String>(0)?, number(row, 1)?)),
        )?;
        let of = |status: FindingStatus| {
            rows.iter().find(|(name, _)| name == status.as_str()).map_or(0, |&(_, count)| count)
        };
        Ok(FindingStatus::ALL.map(of))
    }

    pub fn finding(&self, id: &FindingId) -> Result<Option<FindingDetail>, LedgerError> {
        let statement = format!("SELECT {FINDING_COLUMNS} FROM findings WHERE id = ?1");
        let Some(finding) = self.one("read a finding", &statement, [id.as_str()], finding_row)? else {
            return Ok(None);
        };
        let evidence = self.list(
            "list evidence",
            "SELECT record, position FROM finding_evidence
             WHERE finding = (SELECT number FROM findings WHERE id = ?1) ORDER BY record, position",
            [id.as_str()],
            |row| Ok(EventId::new(RecordId(number(row, 0)?), row.get(1)?)),
        )?;
        let reviews = self.list(
            "list reviews",
            "SELECT record, at, by, status, reason, note FROM reviews WHERE finding = ?1 ORDER BY record",
            [id.as_str()],
            review_row,
        )?;
        let exception = match &finding.classified {
            Some(exception) => self.exception(exception)?,
            None => None,
        };
        let (previous, sources) = (self.previous_verdict(id)?, self.sources_of(id)?);
        Ok(Some(FindingDetail { finding, evidence, sources, reviews, previous, exception }))
    }

    /// The last verdict on the same thing: on what this one recurs of, or on an earlier day.
    fn previous_verdict(&self, id: &FindingId) -> Result<Option<PreviousVerdict>, LedgerError> {
        self.one(
            "read the previous verdict",
            "SELECT r.record, r.at, r.by, r.status, r.reason, r.note, f.id FROM findings g
             JOIN findings f ON f.rule_id = g.rule_id AND f.subject = g.subject AND f.object = g.object
                 AND CASE WHEN coalesce(f.base, f.id) = coalesce(g.base, g.id) THEN f.recurrence < g.recurrence
                     ELSE f.first < g.first END
             JOIN reviews r ON r.finding = f.id WHERE g.id = ?1 AND r.status <> 'open' ORDER BY r.record DESC LIMIT 1",
            [id.as_str()],
            |row| Ok(PreviousVerdict { finding: FindingId(row.get(6)?), review: review_row(row)? }),
        )
    }

    /// Findings that an event is evidence of.
    pub fn findings_of_event(&self, event: EventId) -> Result<Vec<FindingRow>, LedgerError> {
        let statement = format!(
            "SELECT {FINDING_COLUMNS} FROM findings WHERE number IN
                 (SELECT finding FROM finding_evidence WHERE record = ?1 AND position = ?2) ORDER BY severity DESC, id"
        );
        self.list(
            "find findings of an event",
            &statement,
            params![event.record.0.cast_signed(), event.offset],
            finding_row,
        )
    }

    pub fn import(&self, id: RecordId) -> Result<Option<ImportRow>, LedgerError> {
        self.one(
            "read an import",
            "SELECT id, path, sha256, bytes, next_index, accepted, duplicate, damaged, closed FROM imports WHERE id = ?1",
            [id.0.cast_signed()],
            import_row,
        )
    }

    /// Imports of a file of that content, oldest first.
    pub fn imports_of(&self, sha256: &str) -> Result<Vec<ImportRow>, LedgerError> {
        self.list(
            "list imports",
            "SELECT id, path, sha256, bytes, next_index, accepted, duplicate, damaged, closed FROM imports
             WHERE sha256 = ?1 ORDER BY id",
            [sha256],
            import_row,
        )
    }

    /// The newest imports of logs in a folder, for what may have grown since or have been given another name.
    pub fn imports_below(&self, folder: &str, limit: usize) -> Result<Vec<ImportRow>, LedgerError> {
        self.list(
            "list imports of a folder",
            "SELECT id, path, sha256, bytes, next_index, accepted, duplicate, damaged, closed FROM imports
             WHERE substr(path, 1, length(?1)) = ?1 ORDER BY id DESC LIMIT ?2",
            params![folder, i64::try_from(limit).unwrap_or(i64::MAX)],
            import_row,
        )
    }

    pub fn users(&self) -> Result<Vec<UserRow>, LedgerError> {
        self.list("list users", "SELECT name, display_name, role, password_hash FROM users ORDER BY name", [], |row| {
            Ok(UserRow { name: row.get(0)?, display_name: row.get(1)?, role: row.get(2)?, password_hash: row.get(3)? })
        })
    }

    pub fn user(&self, name: &str) -> Result<Option<UserRow>, LedgerError> {
        Ok(self.users()?.into_iter().find(|user| user.name == name))
    }

    pub fn token(&self, id: &str) -> Result<Option<TokenRow>, LedgerError> {
        self.one(
            "read a token",
            "SELECT id, name, scopes, secret_sha256, created, revoked FROM tokens WHERE id = ?1",
            [id],
            |row| {
                let scopes: String = row.get(2)?;
                Ok(TokenRow {
                    id: row.get(0)?,
                    name: row.get(1)?,
                    scopes: scopes.split(' ').map(str::to_owned).collect(),
                    secret_sha256: row.get(3)?,
                    created: time(row, 4)?,
                    revoked: optional_time(row, 5)?,
                })
            },
        )
    }

    /// One act of the trail.
    pub fn act(&self, id: RecordId) -> Result<Option<TrailRow>, LedgerError> {
        let statement = "SELECT record, at, by, deed FROM trail WHERE record = ?1";
        self.one("read an act", statement, [id.0.cast_signed()], trail_row)
    }

    /// What the journal's own checks found, the newest first. Looks at the whole trail.
    pub fn checks(&self, limit: usize) -> Result<Vec<TrailRow>, LedgerError> {
        self.list(
            "list checks of the journal",
            "SELECT record, at, by, deed FROM trail WHERE json_extract(deed, '$.kind') = 'verified'
                 ORDER BY record DESC LIMIT ?1",
            [i64::try_from(limit).unwrap_or(ROWS_MAX).min(ROWS_MAX)],
            trail_row,
        )
    }

    /// What was deleted past its time, the newest first. Looks at the whole trail.
    pub fn removals(&self) -> Result<Vec<TrailRow>, LedgerError> {
        self.list(
            "list what was deleted",
            "SELECT record, at, by, deed FROM trail WHERE json_extract(deed, '$.kind') = 'removed' ORDER BY record DESC",
            [],
            trail_row,
        )
    }

    /// The newest acts first.
    pub fn trail(&self, range: TimeRange, limit: usize) -> Result<Vec<TrailRow>, LedgerError> {
        let (from, to) = bounds(range);
        let limit = i64::try_from(limit).unwrap_or(ROWS_MAX).min(ROWS_MAX);
        self.list(
            "list the trail",
            "SELECT record, at, by, deed FROM trail WHERE at >= ?1 AND at < ?2 ORDER BY record DESC LIMIT ?3",
            [from, to, limit],
            trail_row,
        )
    }

    /// The context file now in force: its SHA-256 and text, and when it came.
    pub fn context(&self, name: ContextName) -> Result<Option<(String, String, DateTime<Utc>)>, LedgerError> {
        self.one(
            "read a context file",
            "SELECT sha256, text, at FROM context WHERE name = ?1",
            [name.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?, time(row, 2)?)),
        )
    }

    /// The texts of a name that came into force up to `position`: the last one.
    pub fn context_at(&self, name: ContextName, position: RecordId) -> Result<Option<String>, LedgerError> {
        self.one(
            "read an earlier context file",
            "SELECT json_extract(deed, '$.text') FROM trail WHERE record <= ?1 AND json_extract(deed, '$.kind') = 'context'
                 AND json_extract(deed, '$.name') = ?2 ORDER BY record DESC LIMIT 1",
            params![position.0.cast_signed(), name.as_str()],
            |row| row.get(0),
        )
    }

    /// Where a context file or a disaster came into force or ended behind `from`, up to `to`.
    pub fn context_changes(&self, from: RecordId, to: RecordId) -> Result<Vec<RecordId>, LedgerError> {
        self.list(
            "list changes of context files",
            "SELECT record FROM trail WHERE record > ?1 AND record <= ?2 AND json_extract(deed, '$.kind')
                 IN ('context', 'disaster_declared', 'disaster_ended') ORDER BY record",
            [from.0.cast_signed(), to.0.cast_signed()],
            |row| Ok(RecordId(row.get::<_, i64>(0)?.cast_unsigned())),
        )
    }

    /// By name.
    pub fn holds(&self) -> Result<Vec<HoldRow>, LedgerError> {
        self.list("list holds", "SELECT name, reason, \"from\", \"to\", at, by FROM holds ORDER BY name", [], |row| {
            let period = TimeRange { from: optional_time(row, 2)?, to: optional_time(row, 3)? };
            Ok(HoldRow { name: row.get(0)?, reason: row.get(1)?, period, at: time(row, 4)?, by: row.get(5)? })
        })
    }

    pub fn totals(&self) -> Result<Totals, LedgerError> {
        let totals = self.one(
            "count everything",
            "SELECT (SELECT coalesce(sum(records), 0) FROM sources), (SELECT count(*) FROM accounts),
                 (SELECT count(*) FROM sessions), (SELECT count(*) FROM findings)",
            [],
            |row| {
                let [events, accounts, sessions, findings] =
                    [number(row, 0)?, number(row, 1)?, number(row, 2)?, number(row, 3)?];
                Ok(Totals { events, accounts, sessions, findings })
            },
        )?;
        Ok(totals.unwrap_or_default())
    }

    /// What receivers could not take: receiver, reason, count.
    pub fn losses(&self) -> Result<Vec<(String, String, u64)>, LedgerError> {
        self.list("list losses", "SELECT receiver, reason, count FROM losses ORDER BY receiver, reason", [], |row| {
            Ok((row.get(0)?, row.get(1)?, number(row, 2)?))
        })
    }
}

/// A half-open period as the two numbers of a statement.
pub(super) fn bounds(range: TimeRange) -> (i64, i64) {
    let micros = |time: DateTime<Utc>| time.timestamp_micros();
    (range.from.map_or(i64::MIN, micros), range.to.map_or(i64::MAX, micros))
}

pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    let micros: i64 = row.get(column)?;
    DateTime::from_timestamp_micros(micros).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, micros))
}

pub(super) fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<DateTime<Utc>>> {
    let micros: Option<i64> = row.get(column)?;
    Ok(micros.and_then(DateTime::from_timestamp_micros))
}

fn source_row(row: &Row<'_>) -> rusqlite::Result<SourceRow> {
    let (skew_sum, skew_count): (i64, i64) = (row.get(14)?, row.get(16)?);
    Ok(SourceRow {
        id: row.get(0)?,
        name: row.get(1)?,
        module: row.get(2)?,
        vendor: row.get(3)?,
        product: row.get(4)?,
        transport: row.get(5)?,
        peer: row.get(6)?,
        origin: row.get(7)?,
        listed: row.get(8)?,
        first_seen: time(row, 9)?,
        last_seen: time(row, 10)?,
        last_event: time(row, 11)?,
        records: number(row, 12)?,
        unparsed: number(row, 13)?,
        skew_mean_s: skew_sum.checked_div(skew_count).unwrap_or(0) / 1_000_000,
        skew_max_s: row.get::<_, i64>(15)? / 1_000_000,
    })
}

fn session_row(row: &Row<'_>) -> rusqlite::Result<VpnSession> {
    Ok(VpnSession {
        key: row.get(0)?,
        observer: row.get(1)?,
        user: row.get(2)?,
        account_class: row.get(3)?,
        source_ip: address(row.get(4)?),
        assigned_ip: address(row.get(5)?),
        started: time(row, 6)?,
        ended: optional_time(row, 7)?,
        last_seen: time(row, 8)?,
        bytes_sent: row.get::<_, Option<i64>>(9)?.map(i64::cast_unsigned),
        bytes_received: row.get::<_, Option<i64>>(10)?.map(i64::cast_unsigned),
        after_hours: row.get(11)?,
        first_event: EventId::new(RecordId(number(row, 12)?), row.get(13)?),
    })
}

fn finding_row(row: &Row<'_>) -> rusqlite::Result<FindingRow> {
    let severity: u32 = row.get(4)?;
    let status: String = row.get(11)?;
    Ok(FindingRow {
        id: FindingId(row.get(0)?),
        rule_id: RuleId(row.get(1)?),
        rule_title: row.get(2)?,
        rule_version: row.get(3)?,
        severity: Severity::ALL.get(severity as usize).copied().unwrap_or(Severity::Critical),
        subject: row.get(5)?,
        object: row.get(6)?,
        first: time(row, 7)?,
        last: time(row, 8)?,
        count: number(row, 9)?,
        summary: row.get(10)?,
        status: FindingStatus::parse(&status).unwrap_or(FindingStatus::Open),
        recurrence: row.get(12)?,
        first_verdict: optional_time(row, 13)?,
        classified: row.get(14)?,
    })
}

fn trail_row(row: &Row<'_>) -> rusqlite::Result<TrailRow> {
    Ok(TrailRow { record: RecordId(number(row, 0)?), at: time(row, 1)?, by: row.get(2)?, deed: row.get(3)? })
}

fn review_row(row: &Row<'_>) -> rusqlite::Result<ReviewRow> {
    let status: String = row.get(3)?;
    Ok(ReviewRow {
        record: RecordId(number(row, 0)?),
        at: time(row, 1)?,
        by: row.get(2)?,
        status: FindingStatus::parse(&status).unwrap_or(FindingStatus::Open),
        reason: row.get(4)?,
        note: row.get(5)?,
    })
}

fn import_row(row: &Row<'_>) -> rusqlite::Result<ImportRow> {
    let damaged: String = row.get(7)?;
    Ok(ImportRow {
        id: RecordId(number(row, 0)?),
        path: row.get(1)?,
        sha256: row.get(2)?,
        bytes: number(row, 3)?,
        next_index: number(row, 4)?,
        accepted: number(row, 5)?,
        duplicate: number(row, 6)?,
        damaged: serde_json::from_str(&damaged).unwrap_or_default(),
        closed: row.get(8)?,
    })
}
