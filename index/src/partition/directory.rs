//! A partition's folder as tantivy writes it, with the places at which a test lets the disk fail: under a commit, and
//! under a merge, which runs in threads of tantivy's own.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, WatchCallback, WatchHandle, WritePtr,
};

use crate::fail;

/// What tantivy calls its merging threads, with a number behind it.
const MERGE_THREAD: &str = "merge_thread";

#[derive(Clone, Debug)]
pub(super) struct PartitionDirectory(pub(super) MmapDirectory);

fn before_creation(path: &Path) -> Result<(), OpenWriteError> {
    let is_merge = std::thread::current().name().is_some_and(|name| name.starts_with(MERGE_THREAD));
    let name = if is_merge { "index.merge.file.create" } else { "index.file.create" };
    fail::point(name).map_err(|error| OpenWriteError::wrap_io_error(error, path.to_owned()))
}

impl Directory for PartitionDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.0.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.0.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.0.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        before_creation(path)?;
        self.0.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.0.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        fail::point("index.meta.replace")?;
        self.0.atomic_write(path, data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.0.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.0.acquire_lock(lock)
    }

    fn watch(&self, watch_callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.0.watch(watch_callback)
    }
}
