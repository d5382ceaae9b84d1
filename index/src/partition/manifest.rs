//! What is true of all partitions at once, in one small file that is replaced atomically.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use monban_event::RecordId;
use serde::{Deserialize, Serialize};

use super::name::PartitionName;
use crate::fail;

pub(crate) const MANIFEST_FILE: &str = "manifest.json";
const TEMPORARY_FILE: &str = "manifest.json.new";

/// Every event of records up to `position` is committed in its partition, except in the partitions under `rebuilding`,
/// where that holds up to the position given there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// [`super::schema::SCHEMA_VERSION`] of the partitions.
    pub(crate) schema: u32,
    pub(crate) position: u64,
    /// Directories that hold events; one that is gone is rebuilt.
    pub(crate) partitions: Vec<String>,
    #[serde(default)]
    pub(crate) rebuilding: BTreeMap<String, u64>,
}

impl Manifest {
    /// Up to here no partition needs anything; replay starts behind it.
    pub(crate) fn replay_after(&self) -> RecordId {
        RecordId(self.rebuilding.values().copied().fold(self.position, u64::min))
    }

    /// Up to here this partition needs nothing.
    pub(crate) fn floor(&self, partition: PartitionName) -> RecordId {
        // Nearly always nothing is rebuilt, and this is asked for every event.
        let rebuilt = if self.rebuilding.is_empty() { None } else { self.rebuilding.get(&partition.to_string()) };
        RecordId(rebuilt.copied().unwrap_or(self.position))
    }

    /// Every event of records up to `position` is committed. While a lost partition is rebuilt, `position` runs
    /// behind what the others hold.
    pub(crate) fn advance(&mut self, position: u64) {
        if position >= self.position {
            self.position = position;
            self.rebuilding.clear();
        }
        for floor in self.rebuilding.values_mut() {
            *floor = position.max(*floor);
        }
    }

    /// `None` where there is none; an unreadable one counts as none, and everything is replayed: each partition
    /// still knows its own position.
    pub(crate) fn read(dir: &Path) -> io::Result<Option<Self>> {
        let path = dir.join(MANIFEST_FILE);
        match fs::read(&path) {
            Ok(bytes) => {
                let manifest = serde_json::from_slice(&bytes);
                if manifest.is_err() {
                    tracing::warn!(path = %path.display(), "index manifest is unreadable; the journal is replayed");
                }
                Ok(manifest.ok())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        let temporary = dir.join(TEMPORARY_FILE);
        let mut file = File::create(&temporary)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fail::point("index.manifest.written")?;
        fs::rename(&temporary, dir.join(MANIFEST_FILE))?;
        fail::point("index.manifest.renamed")?;
        File::open(dir)?.sync_all()
    }

    pub(crate) fn is_own_file(name: &str) -> bool {
        name == MANIFEST_FILE || name == TEMPORARY_FILE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuild_runs_behind_and_ends_where_the_others_are() {
        let mut manifest = Manifest { position: 100, ..Manifest::default() };
        manifest.rebuilding.insert("odd-2026-10".to_owned(), 0);
        assert_eq!(manifest.replay_after(), RecordId(0));
        manifest.advance(40);
        let floor = |manifest: &Manifest, name| manifest.floor(PartitionName::parse(name).expect("a name")).0;
        assert_eq!((floor(&manifest, "odd-2026-10"), floor(&manifest, "2026-10-05")), (40, 100));
        manifest.advance(120);
        assert_eq!((manifest.replay_after().0, floor(&manifest, "odd-2026-10")), (120, 120));
    }

    #[test]
    fn reads_what_it_writes_and_survives_rubbish() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(Manifest::read(dir.path()).expect("reads"), None);
        let manifest =
            Manifest { schema: 1, position: 7, partitions: vec!["2026-10-05".to_owned()], ..Manifest::default() };
        manifest.write(dir.path()).expect("writes");
        assert_eq!(Manifest::read(dir.path()).expect("reads"), Some(manifest));
        fs::write(dir.path().join(MANIFEST_FILE), b"{\"schema\":").expect("writes");
        assert_eq!(Manifest::read(dir.path()).expect("reads"), None);
    }
}
