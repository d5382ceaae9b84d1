//! The key that signs the next checkpoint, and how it is replaced. Keys stay on this machine: they are in no backup and
//! no export, and each is overwritten as soon as the checkpoint it signed is on disk.
//!
//! ```text
//! keys/current    PKCS #8, for the owner alone
//! keys/next       made before the checkpoint that names it; becomes `current` after it
//! ```
//!
//! A crash between the two leaves both, and the last checkpoint in the journal says which of them counts. Overwriting is
//! what a program can do; a disk that keeps old blocks, or a snapshot of the whole machine, may still hold a key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use monban_event::id::hex;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};

const FOLDER: &str = "keys";
const CURRENT: &str = "current";
const NEXT: &str = "next";

pub(super) struct Key {
    pub(super) pair: Ed25519KeyPair,
    pkcs8: Vec<u8>,
}

impl Key {
    fn new() -> io::Result<Self> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(io::Error::other)?;
        Self::read(document.as_ref().to_vec())
    }

    fn read(pkcs8: Vec<u8>) -> io::Result<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { pair, pkcs8 })
    }

    pub(super) fn public(&self) -> String {
        hex(self.pair.public_key().as_ref())
    }
}

pub(super) struct Keys {
    dir: PathBuf,
    pub(super) current: Key,
}

impl Keys {
    /// The key that the last checkpoint of the journal names, where it is at hand; `None` where it is not.
    pub(super) fn open(journal: &Path, wanted: &str) -> io::Result<Option<Self>> {
        let dir = journal.join(FOLDER);
        let current = stored(&dir.join(CURRENT))?.filter(|key| key.public() == wanted);
        if let Some(current) = current {
            return Ok(Some(Self { dir, current }));
        }
        let Some(next) = stored(&dir.join(NEXT))?.filter(|key| key.public() == wanted) else { return Ok(None) };
        let mut keys = Self { dir, current: next };
        keys.install()?;
        Ok(Some(keys))
    }

    /// The first key of a new chain.
    pub(super) fn begin(journal: &Path) -> io::Result<Self> {
        let dir = journal.join(FOLDER);
        fs::create_dir_all(&dir)?;
        let keys = Self { dir, current: Key::new()? };
        erase(&keys.dir.join(NEXT))?;
        erase(&keys.dir.join(CURRENT))?;
        write(&keys.dir, CURRENT, &keys.current.pkcs8)?;
        Ok(keys)
    }

    /// Makes the key after this one and puts it on disk, before a checkpoint names it.
    pub(super) fn prepare(&self) -> io::Result<Key> {
        let next = Key::new()?;
        write(&self.dir, NEXT, &next.pkcs8)?;
        Ok(next)
    }

    /// The checkpoint that names `next` is on disk: erases the key that signed it. Where erasing fails the new key
    /// counts all the same, for the journal names it.
    pub(super) fn advance(&mut self, next: Key) -> io::Result<()> {
        self.current = next;
        self.install()
    }

    fn install(&mut self) -> io::Result<()> {
        erase(&self.dir.join(CURRENT))?;
        fs::rename(self.dir.join(NEXT), self.dir.join(CURRENT))?;
        File::open(&self.dir)?.sync_all()
    }
}

/// A file that is no key counts as none: a new chain begins and says so.
fn stored(path: &Path) -> io::Result<Option<Key>> {
    match fs::read(path) {
        Ok(pkcs8) => Ok(Key::read(pkcs8).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(dir.join(name))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    File::open(dir)?.sync_all()
}

/// Overwrites a key and removes it.
fn erase(path: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    file.write_all(&vec![0; length])?;
    file.sync_all()?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_key_is_gone_and_the_named_one_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let mut keys = Keys::begin(dir.path()).unwrap();
        let first = keys.current.public();
        let next = keys.prepare().unwrap();
        let second = next.public();
        assert!(Keys::open(dir.path(), &first).unwrap().is_some(), "a crash before the checkpoint keeps the old key");
        keys.advance(next).unwrap();
        assert!(Keys::open(dir.path(), &first).unwrap().is_none());
        assert_eq!(Keys::open(dir.path(), &second).unwrap().unwrap().current.public(), second);
    }

    #[test]
    fn a_crash_after_the_checkpoint_installs_the_next_key() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::begin(dir.path()).unwrap();
        let second = keys.prepare().unwrap().public();
        assert_eq!(Keys::open(dir.path(), &second).unwrap().unwrap().current.public(), second);
        assert!(!dir.path().join("keys/next").try_exists().unwrap());
    }

    #[test]
    fn a_foreign_key_is_none() {
        let dir = tempfile::tempdir().unwrap();
        drop(Keys::begin(dir.path()).unwrap());
        fs::write(dir.path().join("keys/current"), "no key").unwrap();
        assert!(Keys::open(dir.path(), "00").unwrap().is_none());
    }
}
