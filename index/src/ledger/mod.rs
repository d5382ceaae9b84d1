//! The ledger: what the journal says, as `SQLite` tables for pages, reports and the program itself. A view: it keeps
//! the journal position that it is true up to in the same transaction as its data, and can be rebuilt.
//!
//! One connection writes, under a mutex, in batches; readers have their own (WAL) and never wait for it.

mod exceptions;
mod own;
mod read;
mod redetect;
mod rows;
mod write;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use monban_event::RecordId;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, ffi};

pub use own::DiskDay;
pub use read::{FindingFilter, LedgerReader};
pub use redetect::DirtyDay;
pub use rows::{
    AccountRow, DisasterRow, Ended, ExceptionRow, FindingDetail, FindingRow, HoldRow, ImportRow, PreviousVerdict,
    ReviewRow, SilenceRow, SourceHour, SourceRow, TokenRow, Totals, TrailRow, UserRow,
};
pub use write::{AccountTally, LedgerBatch, SourceTally};

use crate::fail;

/// Rises whenever the tables change in a way an older program cannot read.
const FORMAT_VERSION: i64 = 3;

/// Read connections kept for reuse; pages ask a few short questions at a time.
const IDLE_READERS_MAX: usize = 8;

/// The log is moved into the ledger when it has 4,000 pages (16 MiB): under load the same pages change again and again, and
/// are then written once. 8 MiB of pages hold what a busy hour touches.
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000; \
                       PRAGMA cache_size = -8192;";

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("open ledger {path}")]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("remove ledger {path}")]
    Discard { path: PathBuf, source: std::io::Error },
    #[error("ledger {path} has format version {found}; this program reads {FORMAT_VERSION}")]
    Version { path: PathBuf, found: i64 },
    #[error("{operation} in the ledger")]
    Statement { operation: &'static str, source: rusqlite::Error },
    /// The caller gave the batch up; nothing of it was kept.
    #[error("batch given up: {reason}")]
    Aborted { reason: String },
    #[error("ledger row of {table} cannot be read: {reason}")]
    BadRow { table: &'static str, reason: String },
}

/// A state of the detector as it is kept.
pub struct DetectorSnapshot {
    packed: Vec<u8>,
    bytes: u64,
}

impl DetectorSnapshot {
    /// What was written, unpacked as it is read; never more than was written.
    pub fn reader(&self) -> Result<impl BufRead, LedgerError> {
        let unpacked = zstd::stream::read::Decoder::new(self.packed.as_slice())
            .map_err(|error| LedgerError::BadRow { table: "detector", reason: error.to_string() })?;
        Ok(BufReader::new(unpacked.take(self.bytes)))
    }
}

/// Names the operation of a failed statement.
pub(crate) trait Naming<T> {
    fn naming(self, operation: &'static str) -> Result<T, LedgerError>;
}

impl<T> Naming<T> for rusqlite::Result<T> {
    fn naming(self, operation: &'static str) -> Result<T, LedgerError> {
        self.map_err(|source| LedgerError::Statement { operation, source })
    }
}

/// A failure of the disk as `SQLite` tells it.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn failed_disk(error: std::io::Error) -> rusqlite::Error {
    let code = if error.kind() == std::io::ErrorKind::StorageFull { ffi::SQLITE_FULL } else { ffi::SQLITE_IOERR };
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(error.to_string()))
}

pub struct Ledger {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Ledger {
    /// Opens `path`, creating it with its tables where it is missing.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let opening = |source| LedgerError::Open { path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(opening)?;
        connection.execute_batch(PRAGMAS).map_err(opening)?;
        // Without it SQLite plans some statements anew for every value they are given.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(opening)?;
        let ledger = Self { path: path.to_owned(), writer: Mutex::new(connection), readers: Mutex::new(Vec::new()) };
        ledger.prepare_tables()?;
        Ok(ledger)
    }

    fn prepare_tables(&self) -> Result<(), LedgerError> {
        let mut connection = self.lock_writer();
        let version: i64 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).naming("read the version")?;
        match version {
            FORMAT_VERSION => Ok(()),
            0..FORMAT_VERSION => {
                let transaction = connection.transaction().naming("create tables")?;
                if version > 0 {
                    tracing::info!(
                        found = version,
                        "the ledger is of an earlier version and is rebuilt from the journal"
                    );
                    own::drop_views(&transaction)?;
                }
                transaction.execute_batch(include_str!("schema.sql")).naming("create tables")?;
                transaction.execute_batch(include_str!("own.sql")).naming("create tables")?;
                transaction.pragma_update(None, "user_version", FORMAT_VERSION).naming("create tables")?;
                transaction.commit().naming("create tables")
            }
            found => Err(LedgerError::Version { path: self.path.clone(), found }),
        }
    }

    /// Removes the ledger at `path`, which nobody has open; the next start makes it anew from the journal. Who is logged
    /// in logs in again.
    pub fn discard(path: &Path) -> Result<(), LedgerError> {
        for end in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            match std::fs::remove_file(&name) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(LedgerError::Discard { path: name.into(), source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The journal position that the ledger is true up to.
    pub fn position(&self) -> Result<RecordId, LedgerError> {
        let connection = self.lock_writer();
        let position: Option<i64> = connection
            .query_row("SELECT value FROM meta WHERE key = 'position'", [], |row| row.get(0))
            .optional()
            .naming("read the position")?;
        Ok(RecordId(position.unwrap_or(0).cast_unsigned()))
    }

    /// The detector's last snapshot and the position it was taken at.
    pub fn detector_snapshot(&self) -> Result<Option<(RecordId, DetectorSnapshot)>, LedgerError> {
        let connection = self.lock_writer();
        let stored: Option<(i64, i64, Vec<u8>)> = connection
            .query_row("SELECT position, bytes, state FROM detector", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()
            .naming("read the detector snapshot")?;
        let Some((position, bytes, packed)) = stored else { return Ok(None) };
        Ok(Some((RecordId(position.cast_unsigned()), DetectorSnapshot { packed, bytes: bytes.cast_unsigned() })))
    }

    /// Runs `work` in one transaction and moves the position to `position` with it. On error nothing happened.
    pub fn apply<T>(
        &self,
        position: RecordId,
        work: impl FnOnce(&mut LedgerBatch<'_>) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut connection = self.lock_writer();
        let transaction = connection.transaction().naming("begin")?;
        let result = work(&mut LedgerBatch::new(&transaction))?;
        transaction
            .execute("INSERT OR REPLACE INTO meta VALUES ('position', ?1)", [position.0.cast_signed()])
            .naming("move the position")?;
        fail::point("ledger.before_commit").map_err(failed_disk).naming("commit")?;
        transaction.commit().naming("commit")?;
        fail::pass("ledger.after_commit");
        Ok(result)
    }

    /// Writes a consistent copy of the whole ledger to `path`, where nothing may be yet. Others go on meanwhile.
    pub fn copy_to(&self, path: &Path) -> Result<(), LedgerError> {
        let connection = self.open_reader()?;
        let target = path.to_string_lossy();
        connection.execute("VACUUM INTO ?1", [target.as_ref()]).naming("copy the ledger")?;
        Ok(())
    }

    /// A handle for reading; hand it back by dropping it.
    pub fn read(&self) -> Result<LedgerReader<'_>, LedgerError> {
        let idle = self.lock_readers().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open_reader()?,
        };
        Ok(LedgerReader::new(self, connection))
    }

    fn open_reader(&self) -> Result<Connection, LedgerError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(&self.path, flags)
            .map_err(|source| LedgerError::Open { path: self.path.clone(), source })
    }

    fn give_back(&self, connection: Connection) {
        let mut readers = self.lock_readers();
        if readers.len() < IDLE_READERS_MAX {
            readers.push(connection);
        }
    }

    // A panic of another holder leaves a connection that has rolled back; it is as good as new.
    fn lock_writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_readers(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ledger {
    /// Leaves one file behind: the write-ahead log is moved into it and cut to nothing.
    fn drop(&mut self) {
        self.lock_readers().clear();
        let checkpoint = self.lock_writer().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = checkpoint {
            tracing::warn!(error = %error, "the ledger's log could not be moved into the ledger; the next start does it");
        }
    }
}

#[cfg(test)]
mod tests;
