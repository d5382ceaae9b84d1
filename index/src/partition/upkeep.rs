//! The upkeep of partitions that take no more events: each becomes one segment, and goes when its time is over.
//!
//! Segments are merged in tantivy's own thread, one partition at a time, while the partition's writer stays open: a
//! late event is added and committed beside the merge, and nobody waits for it. A merge that is broken off leaves the
//! segments that it read and files that the next merge of the partition clears away.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use chrono::{DateTime, NaiveDate, Utc};
use monban_event::{RecordId, TimeRange};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tantivy::FutureResult;
use tantivy::index::SegmentMeta;

use super::name::PartitionName;
use super::writer::{META_FILE, PartitionError, Partitions, REMOVED_PREFIX};

/// Which partitions wait to become one segment, and which is becoming one.
#[derive(Default)]
pub(super) struct Upkeep {
    queue: VecDeque<PartitionName>,
    merging: Option<Merging>,
    /// Took events since the last [`Partitions::queue_closed`].
    touched: BTreeSet<PartitionName>,
    /// Could not be merged at the last try.
    failed: BTreeSet<PartitionName>,
}

struct Merging {
    name: PartitionName,
    /// `None` when its end has been heard.
    merge: Option<FutureResult<Option<SegmentMeta>>>,
    /// [`super::writer::Writer::used`] when it began, where the writer was opened for it.
    opened_for_it: Option<u64>,
}

impl Merging {
    fn poll(&mut self) -> Poll<tantivy::Result<()>> {
        let Some(merge) = &mut self.merge else { return Poll::Ready(Ok(())) };
        let heard = Pin::new(merge).poll(&mut Context::from_waker(Waker::noop()));
        if heard.is_ready() {
            self.merge = None;
        }
        heard.map_ok(|_| ())
    }
}

impl Upkeep {
    pub(super) fn touch(&mut self, name: PartitionName) {
        self.touched.insert(name);
    }

    pub(super) fn queue(&mut self, name: PartitionName) {
        if !self.queue.contains(&name) {
            self.queue.push_back(name);
        }
    }
}

/// A partition whose time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    name: PartitionName,
    /// How many events go with it.
    pub events: u64,
}

impl Expired {
    /// The name of its directory.
    pub fn name(&self) -> String {
        self.name.to_string()
    }

    /// All its events lie in here.
    pub fn period(&self) -> TimeRange {
        self.name.range()
    }
}

impl Partitions {
    /// Queues what takes no more events and has more than one segment: the days before `today`, and of the other
    /// partitions those that took nothing since the last call. Merging what grows every day would write it every day.
    pub fn queue_closed(&mut self, today: NaiveDate) {
        let touched = std::mem::take(&mut self.upkeep.touched);
        let closed = |name: &PartitionName| match name {
            PartitionName::Day(date) => *date < today,
            PartitionName::Odd(_) | PartitionName::Beyond => !touched.contains(name),
        };
        let names: Vec<PartitionName> = self.committed.keys().copied().filter(closed).collect();
        for name in names {
            self.upkeep.queue(name);
        }
    }

    /// Goes on with merging what is queued: ends a merge that is done, begins the next. Never waits. Gives whether
    /// there is more to do. What fails costs speed and room, not events.
    pub fn compact(&mut self) -> bool {
        if let Some(mut merging) = self.upkeep.merging.take() {
            match merging.poll() {
                Poll::Pending => self.upkeep.merging = Some(merging),
                Poll::Ready(result) => self.end_merging(&merging, result),
            }
        }
        while self.upkeep.merging.is_none()
            && let Some(name) = self.upkeep.queue.pop_front()
        {
            match self.begin_merging(name) {
                Ok(true) => {}
                Ok(false) => {
                    self.upkeep.queue.push_back(name);
                    break;
                }
                Err(error) => warn_unmerged(name, &error),
            }
        }
        self.upkeep.merging.is_some() || !self.upkeep.queue.is_empty()
    }

    /// `false` while some of the segments are in a merge of the writer's own.
    fn begin_merging(&mut self, name: PartitionName) -> Result<bool, PartitionError> {
        if !self.committed.contains_key(&name) || segment_count(&self.dir.join(name.to_string())) < 2 {
            return Ok(true);
        }
        let was_open = self.writers.contains_key(&name);
        let failed = |source| PartitionError::Merge { name: name.to_string(), source };
        let open = self.writer(name)?;
        let segments = open.tantivy.index().searchable_segment_ids().map_err(failed)?;
        let opened_for_it = (!was_open).then_some(open.used);
        let mut merging = Merging { name, merge: Some(open.tantivy.merge(&segments)), opened_for_it };
        match merging.poll() {
            // A merge that fails at once was not begun.
            Poll::Ready(Err(_)) => {
                if !was_open {
                    self.park(name);
                }
                return Ok(false);
            }
            Poll::Ready(Ok(())) => self.end_merging(&merging, Ok(())),
            Poll::Pending => self.upkeep.merging = Some(merging),
        }
        Ok(true)
    }

    fn end_merging(&mut self, merging: &Merging, result: tantivy::Result<()>) {
        let name = merging.name;
        let Some(open) = self.writers.get_mut(&name) else { return };
        let unused = open.added == 0 && merging.opened_for_it == Some(open.used);
        // Files of the old segments can go only when searches no longer begin on them.
        let cleared = result.and_then(|()| open.partition.reload()).and_then(|()| {
            open.tantivy.garbage_collect_files().wait()?;
            Ok(())
        });
        self.note_end(name, cleared);
        if unused && let Some(done) = self.writers.remove(&name) {
            done.retire();
        }
    }

    /// A merge of the writer's own may have taken the segments meanwhile: the next try finds what there is then. Only what
    /// fails twice is told.
    fn note_end(&mut self, name: PartitionName, end: tantivy::Result<()>) {
        match end {
            Ok(()) => drop(self.upkeep.failed.remove(&name)),
            Err(source) if self.upkeep.failed.insert(name) => {
                tracing::debug!(partition = %name, error = %source, "merging an index partition is tried again");
                self.upkeep.queue(name);
            }
            Err(source) => warn_unmerged(name, &PartitionError::Merge { name: name.to_string(), source }),
        }
    }

    /// What holds nothing but events before `before`. Of a partition of imports the last event must also have *arrived*
    /// before it: `arrived` says when a record came, and `None` for one that is gone itself. Nothing that touches one
    /// of the periods `held` is among them.
    pub fn expired(
        &self,
        before: DateTime<Utc>,
        held: &[TimeRange],
        arrived: &dyn Fn(RecordId) -> Option<DateTime<Utc>>,
    ) -> Result<Vec<Expired>, PartitionError> {
        let mut expired = Vec::new();
        for (&name, last) in &self.committed {
            let range = name.range();
            let is_past = range.to.is_some_and(|end| end <= before);
            let is_held = || held.iter().any(|held| !held.intersect(&range).is_empty());
            let is_late = || !name.is_day() && arrived(last.record).is_some_and(|time| time >= before);
            if !is_past || is_held() || is_late() {
                continue;
            }
            let failed = |source| PartitionError::Open { name: name.to_string(), source };
            let searcher = self.set.partition(name).searcher().map_err(failed)?;
            expired.push(Expired { name, events: searcher.num_docs() });
        }
        Ok(expired)
    }

    /// Deletes partitions. Their records are not offered again, because the manifest's position stays.
    pub fn remove(&mut self, expired: &[Expired]) -> Result<(), PartitionError> {
        for &Expired { name, .. } in expired {
            self.end_all_work(name);
            self.committed.remove(&name);
            self.set.remove(name);
        }
        let removed: BTreeSet<String> = expired.iter().map(Expired::name).collect();
        // The manifest forgets them first; else a stop in between would have them rebuilt.
        self.manifest.partitions.retain(|name| !removed.contains(name));
        self.manifest.rebuilding.retain(|name, _| !removed.contains(name));
        self.write_manifest()?;
        for name in &removed {
            // By its other name it is no partition any more, however much of it a stop leaves.
            let (path, aside) = (self.dir.join(name), self.dir.join(format!("{REMOVED_PREFIX}{name}")));
            let failed = |source| PartitionError::Directory { path: path.clone(), source };
            fs::rename(&path, &aside).and_then(|()| fs::remove_dir_all(&aside)).map_err(failed)?;
        }
        Ok(())
    }

    /// Nobody writes into the partition's directory any more.
    fn end_all_work(&mut self, name: PartitionName) {
        self.upkeep.queue.retain(|&queued| queued != name);
        drop(self.upkeep.merging.take_if(|merging| merging.name == name));
        self.waiting.remove(&name);
        let open = self.writers.remove(&name).or_else(|| self.parked.remove(&name));
        // Whether its merges come to an end does not matter any more.
        drop(open.map(|open| open.tantivy.wait_merging_threads()));
    }
}

fn warn_unmerged(name: PartitionName, error: &PartitionError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(partition = %name, %error, cause, "an index partition could not be merged; searches of it stay slower");
}

/// Segments of a partition, without opening it; none where that cannot be told.
fn segment_count(dir: &Path) -> usize {
    #[derive(Deserialize)]
    struct Meta {
        segments: Vec<IgnoredAny>,
    }
    let meta = fs::read(dir.join(META_FILE)).ok().and_then(|bytes| serde_json::from_slice::<Meta>(&bytes).ok());
    meta.map_or(0, |meta| meta.segments.len())
}
