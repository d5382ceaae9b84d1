//! Files that came over the network and wait for their import. They lie in a folder of their own under the data
//! directory, are synced before anybody is told that they arrived, and go away with the import or with the attempt;
//! what a killed process left is cleared at the next start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fail;

#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    #[error("prepare {path}")]
    Folder { path: PathBuf, source: io::Error },
    #[error("write {path}")]
    Write { path: PathBuf, source: io::Error },
}

/// The folder. Whoever opens it must hold the directory's lock.
#[derive(Debug)]
pub struct Staging {
    dir: PathBuf,
    next: AtomicU64,
}

impl Staging {
    /// Opens the folder and removes what is left in it.
    pub fn open(dir: &Path) -> Result<Self, StagingError> {
        let failed = |source| StagingError::Folder { path: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        for entry in fs::read_dir(dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(Self { dir: dir.to_owned(), next: AtomicU64::new(0) })
    }

    /// A new empty file.
    pub fn file(&self) -> Result<StagedFile, StagingError> {
        let path = self.dir.join(format!("{:08}.part", self.next.fetch_add(1, Ordering::Relaxed)));
        let failed = |source| StagingError::Write { path: path.clone(), source };
        fail::point("staging.create").map_err(failed)?;
        let opened = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = opened.map_err(failed)?;
        Ok(StagedFile { path, file, bytes: 0 })
    }
}

/// Removed when it is dropped.
#[derive(Debug)]
pub struct StagedFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl StagedFile {
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StagingError> {
        self.file.write_all(bytes).map_err(|source| StagingError::Write { path: self.path.clone(), source })?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Returns when everything written is on disk.
    pub fn sync(&self) -> Result<(), StagingError> {
        let synced = fail::point("staging.before_sync").and_then(|()| self.file.sync_all());
        let synced = synced.and_then(|()| fail::point("staging.after_sync"));
        synced.map_err(|source| StagingError::Write { path: self.path.clone(), source })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), error = %error, "cannot remove an uploaded file; the next start does");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_with_their_holder_and_leftovers_with_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("uploads");
        let staging = Staging::open(&folder).unwrap();
        let mut staged = staging.file().unwrap();
        staged.write(b"abc").unwrap();
        staged.sync().unwrap();
        assert_eq!((fs::read(staged.path()).unwrap(), staged.bytes()), (b"abc".to_vec(), 3));
        let second = staging.file().unwrap();
        let (first, second) = (staged.path().to_owned(), second.path().to_owned());
        assert_ne!(first, second);
        drop(staged);
        assert!(!first.try_exists().unwrap());
        fs::write(folder.join("00000000.part"), "of a killed process").unwrap();
        fs::write(folder.join("note.txt"), "not ours").unwrap();
        Staging::open(&folder).unwrap().file().unwrap();
        let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["note.txt"]);
    }
}
