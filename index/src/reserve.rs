//! Room on the disk that is kept back, as a file of its own, for when there is no other: what people decide, what
//! receivers lost, and bringing the views up to what is durable need little room, and must go on when records can not.
//! The journal's thread says when the disk counts as full, gives the room free then, and takes it back before records
//! are admitted again.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::statvfs::statvfs;

/// Kept back on an ordinary disk: weeks of acts, and the commits of everything that waits when the disk fills up.
const RESERVE_BYTES: u64 = 64 << 20;

/// On a small disk no more than this part of it is kept back.
const RESERVE_PART: u64 = 16;

/// Records are no longer admitted where less than this part of the reserve's size is free beside it: `SQLite` and
/// tantivy write to the same disk, and are to finish what is durable without touching the reserve.
const MARGIN_PART: u64 = 2;

const FILE: &str = "reserve";

#[derive(Debug)]
pub struct Reserve {
    dir: PathBuf,
    bytes: u64,
    is_held: AtomicBool,
    /// The file system cannot keep room back; then only the free room counts.
    is_impossible: AtomicBool,
}

impl Reserve {
    /// Looks at the disk of `dir`, and keeps room back where there is enough. On a full disk nothing is kept back, so
    /// that the program can start: what an earlier run kept is given free.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let disk = statvfs(dir)?;
        let bytes = RESERVE_BYTES.min(disk.blocks().saturating_mul(disk.fragment_size()) / RESERVE_PART);
        let reserve = Self {
            dir: dir.to_owned(),
            bytes,
            is_held: AtomicBool::new(dir.join(FILE).try_exists()?),
            is_impossible: AtomicBool::new(false),
        };
        if reserve.has_less_than(reserve.margin_bytes()) {
            reserve.release();
        } else if let Err(error) = reserve.hold() {
            tracing::warn!(bytes, error = %error, "no room could be kept back on the disk; records wait until there is");
        }
        Ok(reserve)
    }

    /// Whether records must wait: the reserve is in use, or so little is free beside it.
    pub(crate) fn is_full(&self) -> bool {
        let is_kept = self.is_held.load(Ordering::Relaxed) || self.is_impossible.load(Ordering::Relaxed);
        !is_kept || self.has_less_than(self.margin_bytes())
    }

    /// Gives the room free. Nothing to do where it is free already.
    pub(crate) fn release(&self) {
        if !self.is_held.swap(false, Ordering::Relaxed) {
            return;
        }
        if let Err(error) = std::fs::remove_file(self.dir.join(FILE)) {
            tracing::warn!(error = %error, "the room that was kept back on the disk cannot be used");
        }
    }

    /// Keeps the room back again. Fails while there is not enough for it beside the margin.
    pub(crate) fn hold(&self) -> io::Result<()> {
        let path = self.dir.join(FILE);
        let is_there = std::fs::metadata(&path).is_ok_and(|facts| facts.len() == self.bytes);
        // Asked before it is tried: for a moment it would take the room that the views are using.
        let needed = if is_there { 0 } else { self.bytes };
        if self.has_less_than(self.margin_bytes() + needed) {
            return Err(Errno::ENOSPC.into());
        }
        if is_there || self.is_impossible.load(Ordering::Relaxed) {
            self.is_held.store(is_there, Ordering::Relaxed);
            return Ok(());
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        self.is_held.store(true, Ordering::Relaxed);
        let kept = self.allocate(&file);
        if kept.is_err() || self.is_impossible.load(Ordering::Relaxed) {
            self.release();
        }
        kept
    }

    fn allocate(&self, file: &File) -> io::Result<()> {
        let length = i64::try_from(self.bytes).map_err(io::Error::other)?;
        match fallocate(file, FallocateFlags::empty(), 0, length) {
            Ok(()) => Ok(()),
            Err(errno @ (Errno::ENOSPC | Errno::EDQUOT | Errno::EROFS)) => Err(errno.into()),
            Err(errno) => {
                self.is_impossible.store(true, Ordering::Relaxed);
                tracing::warn!(%errno, "this file system keeps no room back; a full disk stops what people decide, too");
                Ok(())
            }
        }
    }

    /// A disk that cannot be asked is not called full.
    fn has_less_than(&self, bytes: u64) -> bool {
        self.free_bytes().is_some_and(|free| free < bytes)
    }

    fn margin_bytes(&self) -> u64 {
        self.bytes / MARGIN_PART
    }

    fn free_bytes(&self) -> Option<u64> {
        let disk = statvfs(&self.dir).ok()?;
        Some(disk.blocks_available().saturating_mul(disk.fragment_size()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(dir: &Path) -> Option<u64> {
        std::fs::metadata(dir.join(FILE)).ok().map(|facts| facts.len())
    }

    #[test]
    fn room_is_kept_given_free_and_kept_again() {
        let dir = tempfile::tempdir().unwrap();
        let reserve = Reserve::open(dir.path()).unwrap();
        assert_eq!(kept(dir.path()), Some(reserve.bytes));
        assert!(!reserve.is_full());
        reserve.release();
        reserve.release();
        assert_eq!(kept(dir.path()), None);
        assert!(reserve.is_full(), "records wait while the reserve is in use");
        reserve.hold().unwrap();
        reserve.hold().unwrap();
        assert_eq!(kept(dir.path()), Some(reserve.bytes));
    }

    #[test]
    fn the_next_start_finds_the_room_that_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        drop(Reserve::open(dir.path()).unwrap());
        let again = Reserve::open(dir.path()).unwrap();
        assert!(again.is_held.load(Ordering::Relaxed));
        assert_eq!(kept(dir.path()), Some(again.bytes));
    }
}
