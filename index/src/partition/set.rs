//! The partitions as searches see them: shared with the writer, opened when first asked, moved forward at each commit.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use monban_event::TimeRange;
use tantivy::directory::MmapDirectory;
use tantivy::tokenizer::TokenizerManager;
use tantivy::{Index, IndexReader, ReloadPolicy, Searcher};

use super::name::PartitionName;
use super::schema::{TOKENIZER, columns};
use super::text::CuratedTokenizer;
use super::writer::PartitionError;

/// One directory of the index.
pub(crate) struct Partition {
    pub(crate) name: PartitionName,
    path: PathBuf,
    opened: Mutex<Option<(Index, IndexReader)>>,
}

impl Partition {
    fn new(dir: &Path, name: PartitionName) -> Self {
        Self { name, path: dir.join(name.to_string()), opened: Mutex::new(None) }
    }

    fn open(&self) -> tantivy::Result<MutexGuard<'_, Option<(Index, IndexReader)>>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.is_none() {
            fs::create_dir_all(&self.path)?;
            let tokenizers = TokenizerManager::default();
            tokenizers.register(TOKENIZER, CuratedTokenizer::default());
            let index = Index::builder()
                .schema(columns().schema.clone())
                .tokenizers(tokenizers)
                .open_or_create(MmapDirectory::open(&self.path)?)?;
            let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
            *opened = Some((index, reader));
        }
        Ok(opened)
    }

    pub(crate) fn index(&self) -> tantivy::Result<Index> {
        let opened = self.open()?;
        opened.as_ref().map(|(index, _)| index.clone()).ok_or_else(not_open)
    }

    pub(crate) fn searcher(&self) -> tantivy::Result<Searcher> {
        let opened = self.open()?;
        opened.as_ref().map(|(_, reader)| reader.searcher()).ok_or_else(not_open)
    }

    /// Shows the last commit to searches that begin from now on.
    pub(crate) fn reload(&self) -> tantivy::Result<()> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.as_ref().map_or(Ok(()), |(_, reader)| reader.reload())
    }
}

fn not_open() -> tantivy::TantivyError {
    tantivy::TantivyError::SystemError("the partition is not open".to_owned())
}

/// All partitions; cheap to share and to ask.
pub struct PartitionSet {
    dir: PathBuf,
    partitions: RwLock<BTreeMap<PartitionName, Arc<Partition>>>,
}

impl PartitionSet {
    pub(crate) fn new(dir: &Path, names: impl IntoIterator<Item = PartitionName>) -> Self {
        let partitions = names.into_iter().map(|name| (name, Arc::new(Partition::new(dir, name)))).collect();
        Self { dir: dir.to_owned(), partitions: RwLock::new(partitions) }
    }

    /// The partition of that name, a new one where there is none.
    pub(crate) fn partition(&self, name: PartitionName) -> Arc<Partition> {
        let mut partitions = self.partitions.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(partitions.entry(name).or_insert_with(|| Arc::new(Partition::new(&self.dir, name))))
    }

    /// Forgets a partition; searches that run keep what they have open.
    pub(crate) fn remove(&self, name: PartitionName) {
        self.partitions.write().unwrap_or_else(PoisonError::into_inner).remove(&name);
    }

    /// How many events can be searched.
    pub fn events(&self) -> Result<u64, PartitionError> {
        let within = self.within(TimeRange::default());
        let count = |partition: &Arc<Partition>| {
            let failed = |source| PartitionError::Open { name: partition.name.to_string(), source };
            partition.searcher().map(|searcher| searcher.num_docs()).map_err(failed)
        };
        within.iter().map(count).sum()
    }

    /// The partitions that may hold events of `range`, latest possible event first.
    pub(crate) fn within(&self, range: TimeRange) -> Vec<Arc<Partition>> {
        let partitions = self.partitions.read().unwrap_or_else(PoisonError::into_inner);
        let mut within: Vec<_> =
            partitions.values().filter(|partition| !partition.name.range().intersect(&range).is_empty()).collect();
        within.sort_by_key(|partition| {
            let end = partition.name.range().to;
            (std::cmp::Reverse(end.is_none()), std::cmp::Reverse(end))
        });
        within.into_iter().map(Arc::clone).collect()
    }
}
