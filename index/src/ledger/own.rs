//! The tables that the journal does not hold: who is logged in, and how full the disk was. A rebuild of the ledger keeps
//! them.

use std::path::Path;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rusqlite::{OptionalExtension, Transaction, params};

use super::{Ledger, LedgerError, Naming};

const TABLES: [&str; 3] = ["web_sessions", "login_failures", "disk_days"];

/// Nights of which the disk's use is kept: enough to look back over two years.
const DISK_DAYS_MAX: i64 = 800;

/// Drops every table but ours, so that they are made anew and filled from the journal.
pub(super) fn drop_views(transaction: &Transaction<'_>) -> Result<(), LedgerError> {
    let names: Vec<String> = transaction
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .naming("list tables")?;
    for name in names.iter().filter(|name| !TABLES.contains(&name.as_str())) {
        transaction.execute_batch(&format!("DROP TABLE \"{name}\"")).naming("drop a table")?;
    }
    Ok(())
}

/// The disk as it was on one night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskDay {
    pub date: NaiveDate,
    /// Bytes of the data directory.
    pub used: u64,
}

impl Ledger {
    /// Takes over from another ledger what the journal cannot tell.
    pub fn adopt(&self, other: &Path) -> Result<(), LedgerError> {
        let connection = self.lock_writer();
        connection.execute("ATTACH ?1 AS other", [other.to_string_lossy()]).naming("attach the earlier ledger")?;
        let copy = |table: &str| format!("INSERT OR REPLACE INTO main.{table} SELECT * FROM other.{table};");
        let all: String = TABLES.iter().map(|table| copy(table)).collect();
        let copied = connection.execute_batch(&format!("BEGIN; {all} COMMIT;")).naming("copy from the earlier ledger");
        connection.execute("DETACH other", []).naming("detach the earlier ledger")?;
        copied
    }

    pub fn note_disk(&self, night: DiskDay) -> Result<(), LedgerError> {
        let day = day_number(night.date);
        let connection = self.lock_writer();
        connection
            .execute("INSERT OR REPLACE INTO disk_days VALUES (?1, ?2)", params![day, night.used.cast_signed()])
            .naming("note the disk's use")?;
        connection
            .execute("DELETE FROM disk_days WHERE day <= ?1", [day - DISK_DAYS_MAX])
            .naming("forget the disk's use")?;
        Ok(())
    }

    /// The nights from `since` on, oldest first.
    pub fn disk_days(&self, since: NaiveDate) -> Result<Vec<DiskDay>, LedgerError> {
        let connection = self.lock_writer();
        let mut statement = connection
            .prepare_cached("SELECT day, used FROM disk_days WHERE day >= ?1 ORDER BY day")
            .naming("list the disk's use")?;
        let night = |row: &rusqlite::Row<'_>| {
            let (day, used): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok(DiskDay { date: NaiveDate::default() + TimeDelta::days(day), used: used.cast_unsigned() })
        };
        statement.query_map([day_number(since)], night).and_then(Iterator::collect).naming("list the disk's use")
    }
}

fn day_number(date: NaiveDate) -> i64 {
    date.signed_duration_since(NaiveDate::default()).num_days()
}

/// Who is logged in.
impl Ledger {
    pub fn open_web_session(&self, token_sha256: &str, user: &str, now: DateTime<Utc>) -> Result<(), LedgerError> {
        self.lock_writer()
            .execute(
                "INSERT OR REPLACE INTO web_sessions VALUES (?1, ?2, ?3, ?3)",
                (token_sha256, user, now.timestamp_micros()),
            )
            .naming("open a web session")?;
        Ok(())
    }

    /// The account of a session that is neither idle for longer than `idle` nor older than `whole`, and notes that it
    /// was used; closes it otherwise.
    pub fn use_web_session(
        &self,
        token_sha256: &str,
        now: DateTime<Utc>,
        idle: TimeDelta,
        whole: TimeDelta,
    ) -> Result<Option<String>, LedgerError> {
        let connection = self.lock_writer();
        connection
            .execute(
                "DELETE FROM web_sessions WHERE last_seen < ?1 OR created < ?2",
                ((now - idle).timestamp_micros(), (now - whole).timestamp_micros()),
            )
            .naming("close old web sessions")?;
        connection
            .query_row(
                "UPDATE web_sessions SET last_seen = ?2 WHERE token_sha256 = ?1 RETURNING user",
                (token_sha256, now.timestamp_micros()),
                |row| row.get(0),
            )
            .optional()
            .naming("use a web session")
    }

    pub fn close_web_session(&self, token_sha256: &str) -> Result<(), LedgerError> {
        self.lock_writer()
            .execute("DELETE FROM web_sessions WHERE token_sha256 = ?1", [token_sha256])
            .naming("close a web session")?;
        Ok(())
    }

    pub fn note_login_failure(&self, account: &str, now: DateTime<Utc>) -> Result<(), LedgerError> {
        self.lock_writer()
            .execute("INSERT INTO login_failures VALUES (?1, ?2)", (account, now.timestamp_micros()))
            .naming("note a login failure")?;
        Ok(())
    }

    /// Failed logins of `account` since `since`; older ones of everybody are forgotten.
    pub fn login_failures(&self, account: &str, since: DateTime<Utc>) -> Result<u64, LedgerError> {
        let connection = self.lock_writer();
        connection
            .execute("DELETE FROM login_failures WHERE at < ?1", [since.timestamp_micros()])
            .naming("forget login failures")?;
        connection
            .query_row("SELECT count(*) FROM login_failures WHERE account = ?1", [account], |row| row.get::<_, i64>(0))
            .map(i64::cast_unsigned)
            .naming("count login failures")
    }
}
