//! Writing: what one batch of the journal changes. All of it happens in one transaction with the position.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use monban_event::act::{ContextName, Deed};
use monban_event::finding::EVIDENCE_MAX;
use monban_event::{Act, EventId, Finding, FindingId, FindingStatus, RecordId, VpnSession};
use rusqlite::{OptionalExtension, Transaction, params};

use super::{LedgerError, Naming};

/// Half of what LZ4 leaves, at less cost than the text itself takes to write; higher levels gain a tenth.
const SNAPSHOT_LEVEL: i32 = 1;
/// A text of numbers and names is written in little pieces; the packer wants larger ones.
const PACK_BYTES: usize = 64 << 10;

/// Counts what is written.
struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// What a batch says about one source.
#[derive(Clone, Debug, Default)]
pub struct SourceTally {
    /// What the configuration calls it; a source that is named is listed.
    pub name: Option<String>,
    pub host: Option<String>,
    pub module: Option<String>,
    pub vendor: Option<String>,
    pub product: Option<String>,
    pub transport: &'static str,
    pub peer: Option<IpAddr>,
    pub origin: &'static str,
    pub first_seen: DateTime<Utc>,
    pub last_seen: DateTime<Utc>,
    pub last_event: DateTime<Utc>,
    pub records: u64,
    pub unparsed: u64,
    /// Sum, largest size and number of receipt − event time, µs, of live records.
    pub skew_sum_us: i64,
    pub skew_max_us: i64,
    pub skew_count: u64,
    /// (events, unparsed) by whole hour since 1970 UTC.
    pub hours: BTreeMap<i64, (u64, u64)>,
}

/// What a batch says about one account.
#[derive(Clone, Debug, Default)]
pub struct AccountTally {
    pub class: Option<String>,
    pub state: Option<String>,
    pub first_seen: DateTime<Utc>,
    pub last_success: Option<DateTime<Utc>>,
    pub last_failure: Option<DateTime<Utc>>,
    pub successes: u64,
    pub failures: u64,
}

/// An open transaction of the ledger.
pub struct LedgerBatch<'a> {
    pub(super) transaction: &'a Transaction<'a>,
}

impl<'a> LedgerBatch<'a> {
    pub(super) fn new(transaction: &'a Transaction<'a>) -> Self {
        Self { transaction }
    }

    pub fn tally_source(&mut self, id: &str, tally: &SourceTally) -> Result<(), LedgerError> {
        self.transaction
            .prepare_cached(
                "INSERT INTO sources (id, host, module, vendor, product, transport, peer, origin, first_seen, last_seen,
                     last_event, records, unparsed, skew_sum, skew_max, skew_count, name, listed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17 IS NOT NULL)
                 ON CONFLICT (id) DO UPDATE SET
                     host = coalesce(excluded.host, host), module = coalesce(excluded.module, module),
                     vendor = coalesce(excluded.vendor, vendor), product = coalesce(excluded.product, product),
                     transport = excluded.transport, peer = coalesce(excluded.peer, peer), origin = excluded.origin,
                     first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen),
                     last_event = max(last_event, excluded.last_event), records = records + excluded.records,
                     unparsed = unparsed + excluded.unparsed, skew_sum = skew_sum + excluded.skew_sum,
                     skew_max = max(skew_max, excluded.skew_max), skew_count = skew_count + excluded.skew_count,
                     name = coalesce(excluded.name, name), listed = max(listed, excluded.listed)",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    id,
                    tally.host,
                    tally.module,
                    tally.vendor,
                    tally.product,
                    tally.transport,
                    tally.peer.map(|ip| ip.to_string()),
                    tally.origin,
                    tally.first_seen.timestamp_micros(),
                    tally.last_seen.timestamp_micros(),
                    tally.last_event.timestamp_micros(),
                    tally.records.cast_signed(),
                    tally.unparsed.cast_signed(),
                    tally.skew_sum_us,
                    tally.skew_max_us,
                    tally.skew_count.cast_signed(),
                    tally.name,
                ])
            })
            .naming("count a source")?;
        tally
            .hours
            .iter()
            .try_for_each(|(&hour, &(records, unparsed))| self.tally_source_hour(id, hour, records, unparsed))
    }

    fn tally_source_hour(&mut self, id: &str, hour: i64, records: u64, unparsed: u64) -> Result<(), LedgerError> {
        self.transaction
            .prepare_cached(
                "INSERT INTO source_hours VALUES (?1, ?2, ?3, ?4) ON CONFLICT (source, hour) DO UPDATE SET
                     records = records + excluded.records, unparsed = unparsed + excluded.unparsed",
            )
            .and_then(|mut statement| {
                statement.execute(params![id, hour, records.cast_signed(), unparsed.cast_signed()])
            })
            .naming("count an hour of a source")?;
        Ok(())
    }

    pub fn tally_account(&mut self, key: &str, tally: &AccountTally) -> Result<(), LedgerError> {
        self.transaction
            .prepare_cached(
                "INSERT INTO accounts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (key) DO UPDATE SET
                     class = coalesce(excluded.class, class), state = coalesce(excluded.state, state),
                     first_seen = min(first_seen, excluded.first_seen),
                     last_success = max(coalesce(last_success, excluded.last_success), coalesce(excluded.last_success, last_success)),
                     last_failure = max(coalesce(last_failure, excluded.last_failure), coalesce(excluded.last_failure, last_failure)),
                     successes = successes + excluded.successes, failures = failures + excluded.failures",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    key,
                    tally.class,
                    tally.state,
                    tally.first_seen.timestamp_micros(),
                    tally.last_success.map(|time| time.timestamp_micros()),
                    tally.last_failure.map(|time| time.timestamp_micros()),
                    tally.successes.cast_signed(),
                    tally.failures.cast_signed(),
                ])
            })
            .naming("count an account")?;
        Ok(())
    }

    pub fn put_session(&mut self, session: &VpnSession) -> Result<(), LedgerError> {
        self.transaction
            .prepare_cached(
                "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
                 ON CONFLICT (record, position) DO UPDATE SET source_ip = excluded.source_ip,
                     assigned_ip = excluded.assigned_ip, ended = excluded.ended, last_seen = excluded.last_seen,
                     bytes_sent = excluded.bytes_sent, bytes_received = excluded.bytes_received",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    session.first_event.record.0.cast_signed(),
                    session.first_event.offset,
                    session.key,
                    session.observer,
                    session.user,
                    session.account_class,
                    session.source_ip.map(|ip| ip.to_string()),
                    session.assigned_ip.map(|ip| ip.to_string()),
                    session.started.timestamp_micros(),
                    session.ended.map(|time| time.timestamp_micros()),
                    session.last_seen.timestamp_micros(),
                    session.bytes_sent.map(u64::cast_signed),
                    session.bytes_received.map(u64::cast_signed),
                    session.after_hours,
                ])
            })
            .naming("keep a session")?;
        Ok(())
    }

    pub fn put_silence(
        &mut self,
        source: &str,
        started: DateTime<Utc>,
        ended: Option<DateTime<Utc>>,
    ) -> Result<(), LedgerError> {
        self.transaction
            .execute(
                "INSERT OR REPLACE INTO silences VALUES (?1, ?2, ?3)",
                params![source, started.timestamp_micros(), ended.map(|time| time.timestamp_micros())],
            )
            .naming("keep a silence")?;
        Ok(())
    }

    /// Whether the event of that key is new. The first event of a key stays new when the journal is replayed.
    pub fn is_first(&mut self, key: [u8; 16], event: EventId) -> Result<bool, LedgerError> {
        let first = self
            .transaction
            .prepare_cached(
                "INSERT INTO seen_events VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE SET key = key
                 RETURNING record, position",
            )
            .and_then(|mut statement| {
                statement.query_row(params![key, event.record.0.cast_signed(), event.offset], |row| {
                    Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, u32>(1)?))
                })
            })
            .naming("look for a duplicate")?;
        Ok(first == (event.record.0, event.offset))
    }

    /// Joins what the detector newly found: `finding.evidence` and `finding.count` are additions. Where evidence was
    /// journaled after the act that closed the finding, it gets a new one of the same base.
    pub fn add_finding(&mut self, at: RecordId, finding: &Finding) -> Result<(), LedgerError> {
        let (id, recurrence) = self.place_finding(at, finding)?;
        let known = self.number_of(&id)?;
        let number = known.map_or_else(|| self.open_finding(at, &id, recurrence, finding), Ok)?;
        let added = self.added_count(number, known.is_some(), finding)?;
        self.transaction
            .prepare_cached(
                "UPDATE findings SET severity = max(severity, ?2), first = min(first, ?3), last = max(last, ?4),
                     count = count + ?5, summary = ?6,
                     status = CASE status WHEN 'withdrawn' THEN 'open' ELSE status END WHERE number = ?1",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    number,
                    finding.severity as i64,
                    finding.first.timestamp_micros(),
                    finding.last.timestamp_micros(),
                    added.cast_signed(),
                    finding.summary,
                ])
            })
            .naming("add to a finding")?;
        self.add_sources(number, finding)?;
        self.classify(number)
    }

    /// The id without recurrence of what a finding recurs of; of any other its own.
    pub fn base_of(&self, id: &FindingId) -> Result<FindingId, LedgerError> {
        let base = self
            .transaction
            .prepare_cached("SELECT coalesce(base, id) FROM findings WHERE id = ?1")
            .and_then(|mut statement| statement.query_row([id.as_str()], |row| row.get(0)).optional())
            .naming("look for a finding")?;
        Ok(base.map_or_else(|| id.clone(), FindingId))
    }

    pub(super) fn number_of(&self, id: &FindingId) -> Result<Option<i64>, LedgerError> {
        self.transaction
            .prepare_cached("SELECT number FROM findings WHERE id = ?1")
            .and_then(|mut statement| statement.query_row([id.as_str()], |row| row.get(0)).optional())
            .naming("look for a finding")
    }

    /// A new row, in which nothing is counted yet. A verdict may be there before it: a replay tells a silence later than
    /// the clock did.
    fn open_finding(
        &mut self,
        at: RecordId,
        id: &FindingId,
        recurrence: u32,
        finding: &Finding,
    ) -> Result<i64, LedgerError> {
        let number = self
            .transaction
            .prepare_cached(
                "INSERT INTO findings (id, base, recurrence, rule_id, rule_title, rule_version, severity, subject, object,
                     first, last, count, summary, found_at_record)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?12, ?13)",
            )
            .and_then(|mut statement| {
                statement.insert(params![
                    id.as_str(),
                    (recurrence > 0).then_some(finding.id.as_str()),
                    recurrence,
                    finding.rule_id.as_str(),
                    finding.rule_title,
                    finding.rule_version,
                    finding.severity as i64,
                    finding.subject,
                    finding.object,
                    finding.first.timestamp_micros(),
                    finding.last.timestamp_micros(),
                    finding.summary,
                    at.0.cast_signed(),
                ])
            })
            .naming("keep a finding")?;
        self.settle(id)?;
        Ok(number)
    }

    fn place_finding(&mut self, at: RecordId, finding: &Finding) -> Result<(FindingId, u32), LedgerError> {
        let latest: Option<(u32, Option<i64>)> = self
            .transaction
            .prepare_cached(
                "SELECT recurrence, closed_at_record FROM findings WHERE id = ?1
                 UNION ALL SELECT recurrence, closed_at_record FROM findings WHERE base = ?1
                 ORDER BY recurrence DESC LIMIT 1",
            )
            .and_then(|mut statement| {
                statement.query_row([finding.id.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .naming("look for a finding")?;
        let recurrence = match latest {
            None => 0,
            Some((recurrence, Some(closed))) if RecordId(closed.cast_unsigned()) < newest(at, finding) => {
                recurrence + 1
            }
            Some((recurrence, _)) => recurrence,
        };
        let id = if recurrence == 0 {
            finding.id.clone()
        } else {
            Finding::make_id(&finding.rule_id, &finding.subject, &finding.object, finding.first, recurrence)
        };
        Ok((id, recurrence))
    }

    /// How much the finding's count grows. What a replay brings a second time does not count again.
    fn added_count(&mut self, number: i64, is_known: bool, finding: &Finding) -> Result<u64, LedgerError> {
        let fresh = self.add_evidence(number, &finding.evidence)?;
        // Beyond the bound evidence is not stored, so what comes on top can only be counted.
        let full = self.evidence_count(number)? >= EVIDENCE_MAX;
        if full {
            return Ok(finding.count);
        }
        if finding.evidence.is_empty() {
            // A finding of absence has no events to name; it comes whole, and its first coming is the one that counts.
            return Ok(if is_known { 0 } else { finding.count });
        }
        let known = finding.evidence.len() as u64 - fresh;
        Ok(if fresh == 0 { 0 } else { finding.count.saturating_sub(known) })
    }

    pub(super) fn add_evidence(&mut self, number: i64, evidence: &[EventId]) -> Result<u64, LedgerError> {
        let room = EVIDENCE_MAX.saturating_sub(self.evidence_count(number)?);
        let mut fresh = 0;
        for event in evidence.iter().take(room) {
            let inserted = self
                .transaction
                .prepare_cached("INSERT OR IGNORE INTO finding_evidence VALUES (?1, ?2, ?3)")
                .and_then(|mut statement| {
                    statement.execute(params![number, event.record.0.cast_signed(), event.offset])
                })
                .naming("keep evidence")?;
            fresh += inserted as u64;
        }
        Ok(fresh)
    }

    fn evidence_count(&self, number: i64) -> Result<usize, LedgerError> {
        self.transaction
            .prepare_cached("SELECT count(*) FROM finding_evidence WHERE finding = ?1")
            .and_then(|mut statement| statement.query_row([number], |row| row.get::<_, i64>(0)))
            .map(|count| usize::try_from(count).unwrap_or(0))
            .naming("count evidence")
    }

    pub fn count_import(
        &mut self,
        import: RecordId,
        next_index: u64,
        accepted: u64,
        duplicate: u64,
    ) -> Result<(), LedgerError> {
        self.transaction
            .prepare_cached(
                "UPDATE imports SET next_index = max(next_index, ?2), accepted = accepted + ?3, duplicate = duplicate + ?4
                 WHERE id = ?1",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    import.0.cast_signed(),
                    next_index.cast_signed(),
                    accepted.cast_signed(),
                    duplicate.cast_signed()
                ])
            })
            .naming("count an import")?;
        Ok(())
    }

    /// Notes damage of an import while it runs.
    pub fn note_damage(&mut self, import: RecordId, notes: &[String]) -> Result<(), LedgerError> {
        for note in notes {
            self.transaction
                .execute(
                    "UPDATE imports SET damaged = json_insert(damaged, '$[#]', ?2) WHERE id = ?1",
                    params![import.0.cast_signed(), note],
                )
                .naming("note damage")?;
        }
        Ok(())
    }

    /// Keeps what `write` writes of the detector's state, packed on the way: after a flood it is text of some 50 MB that
    /// is mostly the same.
    pub fn put_detector_snapshot(
        &mut self,
        position: RecordId,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), LedgerError> {
        let pack = || {
            let mut packer = zstd::stream::write::Encoder::new(Vec::new(), SNAPSHOT_LEVEL)?;
            let mut counted = Counted { inner: BufWriter::with_capacity(PACK_BYTES, &mut packer), bytes: 0 };
            write(&mut counted)?;
            counted.inner.flush()?;
            let bytes = counted.bytes;
            drop(counted);
            Ok((bytes, packer.finish()?))
        };
        let (bytes, packed): (u64, Vec<u8>) =
            pack().map_err(|error: io::Error| LedgerError::BadRow { table: "detector", reason: error.to_string() })?;
        self.execute(
            "keep the detector snapshot",
            "INSERT OR REPLACE INTO detector VALUES (1, ?1, ?2, ?3)",
            params![position.0.cast_signed(), bytes.cast_signed(), packed],
        )
    }

    /// What an act changes. Every act is in the trail, but for bookmarks, which nobody sets.
    pub fn apply_act(&mut self, id: RecordId, act: &Act) -> Result<(), LedgerError> {
        let at = act.at.timestamp_micros();
        if !matches!(act.deed, Deed::ImportGrew { .. }) {
            self.keep_trail(id, act)?;
        }
        match &act.deed {
            Deed::Context { name, sha256, text } => self.put_context(id, at, *name, sha256, text),
            Deed::ImportOpened { path, sha256, bytes, known, .. } => self.execute(
                "open an import",
                "INSERT OR IGNORE INTO imports (id, path, sha256, bytes, next_index, duplicate) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
                params![id.0.cast_signed(), path, sha256, bytes.cast_signed(), known.cast_signed()],
            ),
            Deed::ImportGrew { import, sha256, bytes } => self.execute(
                "follow an import",
                "UPDATE imports SET sha256 = ?2, bytes = ?3 WHERE id = ?1",
                params![import.0.cast_signed(), sha256, bytes.cast_signed()],
            ),
            Deed::ImportClosed { import, damaged } => {
                self.note_damage(*import, damaged)?;
                self.execute("close an import", "UPDATE imports SET closed = 1 WHERE id = ?1", [import.0.cast_signed()])
            }
            Deed::Review { .. } => self.apply_review(id, act),
            Deed::Redetected { days, known_to, findings, withdrawn, .. } => {
                self.apply_redetection(id, (*days, *known_to), findings, withdrawn)
            }
            Deed::ExceptionGranted { .. }
            | Deed::ExceptionEnded { .. }
            | Deed::DisasterDeclared { .. }
            | Deed::DisasterEnded { .. } => self.apply_exception(id, act),
            Deed::SourceNamed { source, name } => self.execute(
                "name a source",
                "UPDATE sources SET name = ?2, listed = 1 WHERE id = ?1",
                params![source, name],
            ),
            Deed::TokenCreated { id, name, scopes, secret_sha256 } => self.execute(
                "create a token",
                "INSERT OR REPLACE INTO tokens VALUES (?1, ?2, ?3, ?4, ?5, NULL)",
                params![id, name, scopes.join(" "), secret_sha256, at],
            ),
            Deed::TokenRevoked { id } => {
                self.execute("revoke a token", "UPDATE tokens SET revoked = ?2 WHERE id = ?1", params![id, at])
            }
            Deed::UserCreated { name, display_name, role, password_hash } => self.execute(
                "create a user",
                "INSERT OR REPLACE INTO users VALUES (?1, ?2, ?3, ?4, ?5)",
                params![name, display_name, role, password_hash, at],
            ),
            Deed::Lost { receiver, reason, count } => self.count_loss(receiver, reason, *count),
            Deed::HoldAdded { name, reason, period } => self.execute(
                "keep a hold",
                "INSERT OR REPLACE INTO holds VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    name,
                    reason,
                    period.from.map(|time| time.timestamp_micros()),
                    period.to.map(|time| time.timestamp_micros()),
                    id.0.cast_signed(),
                    at,
                    act.by
                ],
            ),
            Deed::HoldReleased { name, .. } => {
                self.execute("release a hold", "DELETE FROM holds WHERE name = ?1", [name])
            }
            Deed::Removed { .. } | Deed::Reindexed { .. }
            | Deed::Epoch { .. }
            | Deed::LoggedIn { .. }
            | Deed::LoginRefused { .. }
            | Deed::LoggedOut {}
            | Deed::Searched { .. }
            | Deed::Viewed { .. }
            | Deed::Exported { .. }
            | Deed::Verified { .. }
            | Deed::BackedUp { .. }
            | Deed::Restored { .. } => Ok(()),
        }
    }

    fn keep_trail(&mut self, id: RecordId, act: &Act) -> Result<(), LedgerError> {
        let deed = serde_json::to_string(&act.deed)
            .map_err(|error| LedgerError::BadRow { table: "trail", reason: error.to_string() })?;
        self.execute(
            "keep the trail",
            "INSERT OR IGNORE INTO trail VALUES (?1, ?2, ?3, ?4)",
            params![id.0.cast_signed(), act.at.timestamp_micros(), act.by, deed],
        )
    }

    /// Adds to what could not be taken or read.
    pub fn count_loss(&mut self, receiver: &str, reason: &str, count: u64) -> Result<(), LedgerError> {
        self.execute(
            "count losses",
            "INSERT INTO losses VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET count = count + excluded.count",
            params![receiver, reason, count.cast_signed()],
        )
    }

    fn put_context(
        &mut self,
        id: RecordId,
        at: i64,
        name: ContextName,
        sha256: &str,
        text: &str,
    ) -> Result<(), LedgerError> {
        self.execute(
            "keep a context file",
            "INSERT OR REPLACE INTO context VALUES (?1, ?2, ?3, ?4, ?5)",
            params![name.as_str(), id.0.cast_signed(), at, sha256, text],
        )
    }

    fn apply_review(&mut self, id: RecordId, act: &Act) -> Result<(), LedgerError> {
        let Deed::Review { finding, status, reason, note } = &act.deed else { return Ok(()) };
        let at = act.at.timestamp_micros();
        self.execute(
            "keep a review",
            "INSERT OR IGNORE INTO reviews VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![id.0.cast_signed(), finding.as_str(), at, act.by, status.as_str(), reason, note],
        )?;
        self.settle(finding)
    }

    pub(super) fn ask(
        &self,
        operation: &'static str,
        statement: &str,
        values: impl rusqlite::Params,
    ) -> Result<bool, LedgerError> {
        let mut prepared = self.transaction.prepare_cached(statement).naming(operation)?;
        prepared.query_row(values, |row| row.get(0)).naming(operation)
    }

    /// The status of a finding is that of its last review.
    fn settle(&mut self, id: &FindingId) -> Result<(), LedgerError> {
        let [open, resolved, confirmed] =
            [FindingStatus::Open, FindingStatus::Resolved, FindingStatus::Confirmed].map(FindingStatus::as_str);
        self.transaction
            .prepare_cached(
                "UPDATE findings SET status = r.status,
                     closed_at_record = CASE WHEN r.status IN (?3, ?4) THEN r.record END,
                     first_verdict = (SELECT min(at) FROM reviews WHERE finding = ?1 AND status <> ?2)
                 FROM (SELECT status, record FROM reviews WHERE finding = ?1 ORDER BY record DESC LIMIT 1) AS r
                 WHERE findings.id = ?1",
            )
            .and_then(|mut statement| statement.execute(params![id.as_str(), open, resolved, confirmed]))
            .naming("apply a review")?;
        Ok(())
    }

    pub(super) fn execute(
        &mut self,
        operation: &'static str,
        statement: &str,
        values: impl rusqlite::Params,
    ) -> Result<(), LedgerError> {
        self.transaction.execute(statement, values).naming(operation)?;
        Ok(())
    }
}

/// Where in the journal the newest part of a finding is. What did not happen has no place but that of its telling.
fn newest(at: RecordId, finding: &Finding) -> RecordId {
    finding.evidence.iter().map(|event| event.record).max().unwrap_or(at)
}
