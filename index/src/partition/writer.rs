//! Keeps the partitions: every event in exactly one of them, exactly once, whatever was interrupted where.
//!
//! **Why that holds.** An event's partition is a function of the event ([`PartitionName::of`]), and events arrive in
//! the order of their ids, at first as in every replay. Three positions decide what a replay still has to add:
//!
//! * Each partition's commit carries, in the same atomic step as its documents, the id `(record, offset)` of the last
//!   event that had been offered to the *index* then: all events up to it that belong here are here. It is an event
//!   id and not a record because a partition may be closed between two events of one record.
//! * The manifest's position says that all partitions hold all events up to it. It is written after the last of the
//!   partitions has committed, so a crash between two partitions' commits leaves the first ahead of the manifest:
//!   replay starts at the manifest's position, and the first skips by its own.
//! * A partition that was closed needs no commit to stay right: nothing for it arrived since, or it would be open. Its
//!   own position may lag far behind the manifest's, so a partition's floor is the greater of the two. When a late
//!   event opens it again, events between are not offered a second time, because replay never starts before the
//!   manifest's position.
//! * A partition that the manifest names and the disk lacks (or cannot read) is listed as `rebuilding` from zero:
//!   replay starts at the first record, and all others skip what they hold.
//!
//! **Bounds.** A writer takes at least 15 MB, so two days and four `odd` partitions are open at most. Events of others
//! wait in memory, and when many wait, the partition with most of them takes the place of the one used longest ago
//! (commit, drop). Random times in the log thus cost a commit per some hundred events, not per event.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use monban_event::{Event, EventId, RecordId};
use serde::{Deserialize, Serialize};
use tantivy::IndexWriter;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy, PreparedCommit, UserOperation};

use super::document::Document;
use super::manifest::{MANIFEST_FILE, Manifest};
use super::name::PartitionName;
use super::schema::SCHEMA_VERSION;
use super::set::{Partition, PartitionSet};
use super::upkeep::Upkeep;
use crate::fail;

/// Day partitions open at once: today's, and yesterday's around midnight.
const DAY_WRITERS_MAX: usize = 2;

/// Other partitions open at once: a history comes month after month, and several devices may send theirs.
const ODD_WRITERS_MAX: usize = 4;

/// Writers that keep merging after they gave their place to others. Each takes some 3 MB.
const PARKED_MAX: usize = 4;

/// Documents that may wait for a partition that is not open. Each takes about 1 KiB.
const WAITING_MAX: usize = 5_000;

/// Memory of a writer in bytes before it writes a segment by itself. The day's takes what some minutes bring.
const DAY_MEMORY_BYTES: usize = 48 << 20;
/// See [`DAY_MEMORY_BYTES`]; near tantivy's least of 15 MB, for there may be four.
const ODD_MEMORY_BYTES: usize = 24 << 20;

/// Segments of more documents are left to the night: a merge reads all of them through mapped files, and of a large import
/// that is more than the program takes for everything else.
const LIVE_MERGE_DOCUMENTS_MAX: usize = 500_000;

/// Documents handed to the indexing thread at once, because each handing over wakes it.
const BATCH_DOCUMENTS: usize = 128;

pub(super) const META_FILE: &str = "meta.json";
const DAMAGED_PREFIX: &str = "damaged-";
/// Before the name of a partition whose removal has begun.
pub(super) const REMOVED_PREFIX: &str = "removed-";

#[derive(Debug, thiserror::Error)]
pub enum PartitionError {
    #[error("open index directory {path}")]
    Directory { path: PathBuf, source: io::Error },
    #[error("write index manifest in {path}")]
    Manifest { path: PathBuf, source: io::Error },
    #[error("open index partition {name}")]
    Open { name: String, source: tantivy::TantivyError },
    #[error("add an event to index partition {name}")]
    Add { name: String, source: tantivy::TantivyError },
    #[error("commit index partition {name}")]
    Commit { name: String, source: tantivy::TantivyError },
    #[error("merge index partition {name}")]
    Merge { name: String, source: tantivy::TantivyError },
}

/// What a commit says beside its documents.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    position: u64,
    /// Offset inside the record of `position`; absent where the whole record is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<u32>,
}

impl Payload {
    fn of(id: EventId) -> Self {
        Self { position: id.record.0, offset: (id.offset < u32::MAX).then_some(id.offset) }
    }

    fn id(&self) -> EventId {
        EventId::new(RecordId(self.position), self.offset.unwrap_or(u32::MAX))
    }
}

pub(super) struct Writer {
    pub(super) partition: Arc<Partition>,
    pub(super) tantivy: IndexWriter<Document>,
    /// Not handed over yet.
    batch: Vec<UserOperation<Document>>,
    /// Documents added since the last commit.
    pub(super) added: usize,
    /// Rises with each use; the lowest goes first.
    pub(super) used: u64,
}

impl Writer {
    fn add(&mut self, document: Document) -> tantivy::Result<()> {
        self.added += 1;
        self.batch.push(UserOperation::Add(document));
        if self.batch.len() < BATCH_DOCUMENTS { Ok(()) } else { self.hand_over() }
    }

    fn hand_over(&mut self) -> tantivy::Result<()> {
        self.tantivy.run(self.batch.drain(..)).map(|_| ())
    }

    fn prepare_commit(&mut self) -> tantivy::Result<PreparedCommit<'_, Document>> {
        self.hand_over()?;
        self.tantivy.prepare_commit()
    }

    /// Ends the writer; everything in it is committed. A merge under way is broken off, and begun again another time.
    pub(super) fn retire(self) {
        // Files of merged segments can go only when searches no longer begin on them.
        let cleared = self.partition.reload().and_then(|()| self.tantivy.garbage_collect_files().wait());
        if let Err(error) = cleared {
            tracing::warn!(partition = %self.partition.name, %error, "an index partition could not be tidied up");
        }
    }
}

/// An index directory and the handle that searches share.
#[derive(Clone)]
pub struct IndexPlace {
    dir: PathBuf,
    set: Arc<PartitionSet>,
}

/// The writing side of the search index. One exists per index directory.
pub struct Partitions {
    pub(super) dir: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) set: Arc<PartitionSet>,
    pub(super) writers: BTreeMap<PartitionName, Writer>,
    /// Writers that gave their place up and have nothing to commit. Their merges go on, and who needs one again does not
    /// wait for them.
    pub(super) parked: BTreeMap<PartitionName, Writer>,
    pub(super) waiting: BTreeMap<PartitionName, Vec<Document>>,
    /// Up to here each partition on disk holds what belongs to it, by its own commit.
    pub(super) committed: BTreeMap<PartitionName, EventId>,
    foreign: Vec<String>,
    uncommitted: usize,
    uses: u64,
    /// The last event offered.
    last: EventId,
    pub(super) upkeep: Upkeep,
}

impl Partitions {
    /// Opens the index below `dir`, creating it where there is none. Partitions of another schema version and those
    /// that cannot be read are put aside and rebuilt by the replay that [`Self::position`] asks for. Files that are
    /// not ours stay as they are, see [`Self::foreign`].
    pub fn open(dir: &Path) -> Result<Self, PartitionError> {
        Self::open_behind(dir, Arc::new(PartitionSet::new(dir, [])))
    }

    /// Drops what could not be written and opens the index again as it is on disk, behind the same readers.
    pub fn reopen(place: &IndexPlace) -> Result<Self, PartitionError> {
        Self::open_behind(&place.dir, Arc::clone(&place.set))
    }

    /// Where this index is and who reads it, to open it again after it is dropped.
    pub fn place(&self) -> IndexPlace {
        IndexPlace { dir: self.dir.clone(), set: Arc::clone(&self.set) }
    }

    fn open_behind(dir: &Path, set: Arc<PartitionSet>) -> Result<Self, PartitionError> {
        let directory = |source| PartitionError::Directory { path: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(directory)?;
        let read = Manifest::read(dir).map_err(directory)?;
        let stale = read.as_ref().is_some_and(|manifest| manifest.schema != SCHEMA_VERSION);
        let mut manifest = read.filter(|_| !stale).unwrap_or_default();
        manifest.schema = SCHEMA_VERSION;
        let found = scan(dir, stale).map_err(directory)?;
        for name in &manifest.partitions {
            if PartitionName::parse(name).is_none_or(|name| !found.committed.contains_key(&name)) {
                tracing::warn!(partition = %name, "index partition is missing or damaged; it is rebuilt");
                manifest.rebuilding.insert(name.clone(), 0);
            }
        }
        manifest.write(dir).map_err(|source| PartitionError::Manifest { path: dir.to_owned(), source })?;
        set.keep_only(found.committed.keys().copied());
        let last = EventId::new(manifest.replay_after(), u32::MAX);
        Ok(Self {
            dir: dir.to_owned(),
            manifest,
            set,
            writers: BTreeMap::new(),
            parked: BTreeMap::new(),
            waiting: BTreeMap::new(),
            committed: found.committed,
            foreign: found.foreign,
            uncommitted: 0,
            uses: 0,
            last,
            upkeep: Upkeep::default(),
        })
    }

    /// Replay must offer every event of the records behind this one.
    pub fn position(&self) -> RecordId {
        self.manifest.replay_after()
    }

    /// The last record of which the index holds anything. Where the journal ends before it (it was restored from a
    /// backup), the index knows records that no longer exist, and must be discarded.
    pub fn furthest(&self) -> RecordId {
        self.committed.values().map(|id| id.record).fold(RecordId(self.manifest.position), RecordId::max)
    }

    /// Deletes the index below `dir`; it is rebuilt by the replay that follows the next [`Self::open`].
    pub fn discard(dir: &Path) -> Result<(), PartitionError> {
        let failed = |source| PartitionError::Directory { path: dir.to_owned(), source };
        // The manifest goes first: without it, what is left of an interrupted discard is only skipped over.
        match fs::remove_file(dir.join(MANIFEST_FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        match scan(dir, true) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }

    /// Names in the index directory that are not ours, and partitions put aside as damaged.
    pub fn foreign(&self) -> &[String] {
        &self.foreign
    }

    /// Events added since the last [`Self::commit`].
    pub fn uncommitted(&self) -> usize {
        self.uncommitted
    }

    /// The handle that searches share; it shows each commit as soon as it is made.
    pub fn reader(&self) -> Arc<PartitionSet> {
        Arc::clone(&self.set)
    }

    /// Adds an event, unless its partition holds it already. Events must be offered in the order of their ids.
    pub fn add(&mut self, event: &Event) -> Result<(), PartitionError> {
        let name = PartitionName::of(event);
        self.last = self.last.max(event.id);
        if event.id <= self.floor(name) {
            return Ok(());
        }
        self.uncommitted += 1;
        let document = Document::new(event);
        if self.writers.contains_key(&name) || self.open_writers(name.is_day()) < writers_max(name.is_day()) {
            return self.add_to(name, document);
        }
        self.waiting.entry(name).or_default().push(document);
        if self.waiting.values().map(Vec::len).sum::<usize>() >= WAITING_MAX {
            self.add_waiting()?;
        }
        Ok(())
    }

    /// Makes everything added so far durable and searchable. Every event of every record up to `position` must have
    /// been offered, and none behind it. After an error nothing is lost: open again and replay.
    pub fn commit(&mut self, position: RecordId) -> Result<(), PartitionError> {
        self.add_waiting()?;
        self.last = self.last.max(EventId::new(position, u32::MAX));
        let at = EventId::new(position, u32::MAX);
        let names: Vec<_> = self.writers.iter().filter(|(_, open)| open.added > 0).map(|(&name, _)| name).collect();
        for name in names {
            self.commit_one(name, at)?;
        }
        let before = self.manifest.clone();
        self.manifest.advance(position.0);
        self.manifest.partitions = self.committed.keys().map(ToString::to_string).collect();
        if self.manifest != before {
            fail::pass("index.before_manifest");
            self.write_manifest()?;
        }
        self.uncommitted = 0;
        Ok(())
    }

    pub(super) fn write_manifest(&self) -> Result<(), PartitionError> {
        self.manifest.write(&self.dir).map_err(|source| PartitionError::Manifest { path: self.dir.clone(), source })
    }

    fn floor(&self, name: PartitionName) -> EventId {
        let all = EventId::new(self.manifest.floor(name), u32::MAX);
        self.committed.get(&name).map_or(all, |&own| own.max(all))
    }

    pub(super) fn open_writers(&self, day: bool) -> usize {
        self.writers.keys().filter(|name| name.is_day() == day).count()
    }

    fn add_to(&mut self, name: PartitionName, document: Document) -> Result<(), PartitionError> {
        self.uses += 1;
        let uses = self.uses;
        let open = self.writer(name)?;
        open.used = uses;
        let failed = |source| PartitionError::Add { name: name.to_string(), source };
        open.add(document).map_err(failed)
    }

    pub(super) fn writer(&mut self, name: PartitionName) -> Result<&mut Writer, PartitionError> {
        match self.writers.entry(name) {
            Entry::Occupied(open) => Ok(open.into_mut()),
            Entry::Vacant(vacant) => {
                if let Some(parked) = self.parked.remove(&name) {
                    return Ok(vacant.insert(parked));
                }
                let failed = |source| PartitionError::Open { name: name.to_string(), source };
                let partition = self.set.partition(name);
                let memory = if name.is_day() { DAY_MEMORY_BYTES } else { ODD_MEMORY_BYTES };
                let options = IndexWriterOptions::builder()
                    .num_worker_threads(1)
                    .num_merge_threads(1)
                    .memory_budget_per_thread(memory)
                    .build();
                let tantivy = partition.index().and_then(|index| index.writer_with_options(options)).map_err(failed)?;
                let mut policy = LogMergePolicy::default();
                policy.set_max_docs_before_merge(LIVE_MERGE_DOCUMENTS_MAX);
                tantivy.set_merge_policy(Box::new(policy));
                Ok(vacant.insert(Writer { partition, tantivy, batch: Vec::new(), added: 0, used: 0 }))
            }
        }
    }

    /// Adds what waits, the partition with most of it first.
    pub(super) fn add_waiting(&mut self) -> Result<(), PartitionError> {
        while let Some(name) = self.waiting.iter().max_by_key(|(_, waiting)| waiting.len()).map(|(&name, _)| name) {
            if !self.writers.contains_key(&name) && self.open_writers(name.is_day()) >= writers_max(name.is_day()) {
                self.close_oldest(name.is_day())?;
            }
            for document in self.waiting.remove(&name).unwrap_or_default() {
                self.add_to(name, document)?;
            }
        }
        Ok(())
    }

    /// Closes the writer used longest ago. No event waits for a partition that is open, so up to the last event
    /// offered it holds what belongs to it.
    fn close_oldest(&mut self, day: bool) -> Result<(), PartitionError> {
        let same_kind = self.writers.iter().filter(|(name, _)| name.is_day() == day);
        let Some((&name, _)) = same_kind.min_by_key(|(_, open)| open.used) else { return Ok(()) };
        self.commit_one(name, self.last)?;
        self.park(name);
        if day {
            // A day is closed once, and then read for years.
            self.upkeep.queue(name);
        }
        Ok(())
    }

    /// Gives a place up, everything in it being committed.
    pub(super) fn park(&mut self, name: PartitionName) {
        let Some(closed) = self.writers.remove(&name) else { return };
        self.parked.insert(name, closed);
        if self.parked.len() > PARKED_MAX {
            let oldest = self.parked.iter().min_by_key(|(_, parked)| parked.used).map(|(&name, _)| name);
            if let Some(oldest) = oldest.and_then(|name| self.parked.remove(&name)) {
                oldest.retire();
            }
        }
    }

    fn commit_one(&mut self, name: PartitionName, at: EventId) -> Result<(), PartitionError> {
        let Some(open) = self.writers.get_mut(&name) else { return Ok(()) };
        let failed = |source| PartitionError::Commit { name: name.to_string(), source };
        // During a rebuild `at` may lie before what the partition already holds.
        let at = self.committed.get(&name).map_or(at, |&own| own.max(at));
        let reach = |place| fail::point(place).map_err(|error| failed(error.into()));
        reach("index.before_commit")?;
        let mut prepared = open.prepare_commit().map_err(failed)?;
        prepared.set_payload(&serde_json::to_string(&Payload::of(at)).expect("two numbers are always JSON"));
        reach("index.prepared")?;
        prepared.commit().map_err(failed)?;
        reach("index.after_commit")?;
        open.added = 0;
        open.partition.reload().map_err(failed)?;
        self.committed.insert(name, at);
        self.upkeep.touch(name);
        Ok(())
    }
}

fn writers_max(day: bool) -> usize {
    if day { DAY_WRITERS_MAX } else { ODD_WRITERS_MAX }
}

/// What lies in an index directory.
#[derive(Default)]
struct Found {
    committed: BTreeMap<PartitionName, EventId>,
    foreign: Vec<String>,
}

/// Looks through the directory. `stale` removes all partitions: they have another schema.
fn scan(dir: &Path, stale: bool) -> io::Result<Found> {
    let mut found = Found::default();
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(dir)? {
        names.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    for text in names {
        let path = dir.join(&text);
        match PartitionName::parse(&text) {
            Some(_) if stale => fs::remove_dir_all(&path)?,
            Some(name) => match read_position(&path) {
                Some(at) => {
                    found.committed.insert(name, at);
                }
                None => put_aside(dir, &text, &mut found)?,
            },
            None if Manifest::is_own_file(&text) => {}
            None if text.starts_with(REMOVED_PREFIX) => fs::remove_dir_all(&path)?,
            None => found.foreign.push(text),
        }
    }
    Ok(found)
}

/// Where the last commit of a partition stands; `None` for a directory that holds no readable commit.
fn read_position(path: &Path) -> Option<EventId> {
    #[derive(Deserialize)]
    struct Meta {
        payload: Option<String>,
    }
    let meta: Meta = serde_json::from_slice(&fs::read(path.join(META_FILE)).ok()?).ok()?;
    match meta.payload {
        Some(payload) => serde_json::from_str::<Payload>(&payload).ok().map(|payload| payload.id()),
        // Created, and then nothing was committed.
        None => Some(EventId::default()),
    }
}

/// Keeps one generation of a damaged partition for whoever wants to look, and starts anew. A directory without any
/// index in it was being created when the machine stopped.
fn put_aside(dir: &Path, name: &str, found: &mut Found) -> io::Result<()> {
    let path = dir.join(name);
    if !path.join(META_FILE).try_exists()? {
        return fs::remove_dir_all(&path);
    }
    let aside = format!("{DAMAGED_PREFIX}{name}");
    if dir.join(&aside).try_exists()? {
        fs::remove_dir_all(dir.join(&aside))?;
    }
    fs::rename(&path, dir.join(&aside))?;
    found.foreign.push(aside);
    Ok(())
}
