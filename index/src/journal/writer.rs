//! The one thread that writes. It takes what waits in the order of the lanes, numbers it, appends it, syncs, publishes
//! the durable position and only then tells the senders.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use monban_event::limits::JOURNAL_QUEUE_BYTES_MAX;
use monban_event::sink::Done;
use monban_event::{Act, Clock, Lane, Record, RecordId, SinkRefused};

use super::codec::{encode_act, encode_record};
use super::prover::Prover;
use super::segment::{Active, ENTRY_HEADER_BYTES, FRAME_BYTES, FRAME_HEADER_BYTES, KIND_ENTRIES, Segments};
use super::trouble::{Marks, Trouble, is_passing, no_room};
use super::{Heads, JournalError, Shared, closed};
use crate::fail;

/// One commit takes up to this much: what a slow disk writes in a few milliseconds.
const GROUP_BYTES: usize = 1 << 20;
/// How long live records wait for company before a commit. A sync costs some 3 ms of the disk's time; without the wait
/// a trickle of 100 lines a second would cost 100 of them.
const GROUP_WAIT: Duration = Duration::from_millis(20);
/// Imports enter in slices of this many records, so that a live record never waits behind more.
const IMPORT_SLICE_RECORDS: usize = 1000;
/// Imports wait while the pipeline is further behind than this: an alarm may be late by so much.
const IMPORT_LAG_MAX: Duration = Duration::from_secs(2);
/// How often a waiting import looks again whether the pipeline has caught up.
const IMPORT_RETRY: Duration = Duration::from_millis(50);
/// What a queued record costs besides its bytes.
const RECORD_OVERHEAD_BYTES: usize = 128;
/// The file that names the durable position for people and tests: a plain number on its first line, and behind it the
/// heads of both families at that position.
pub(super) const PUBLISHED: &str = "durable";

enum Load {
    Records(Vec<Record>),
    Acts(Vec<Act>),
}

/// Something to write and whom to tell.
pub(super) struct Job {
    load: Load,
    pub(super) lane: Lane,
    bytes: usize,
    done: Done,
}

impl Job {
    pub(super) fn records(lane: Lane, records: Vec<Record>, done: Done) -> Self {
        let bytes = records.iter().map(|record| record.bytes.len() + RECORD_OVERHEAD_BYTES).sum();
        Self { load: Load::Records(records), lane, bytes, done }
    }

    pub(super) fn acts(acts: Vec<Act>, done: Done) -> Self {
        Self { load: Load::Acts(acts), lane: Lane::Acts, bytes: RECORD_OVERHEAD_BYTES, done }
    }

    pub(super) fn is_acts(&self) -> bool {
        self.lane == Lane::Acts
    }

    pub(super) fn finish(self, result: Result<RecordId, SinkRefused>) {
        (self.done)(result);
    }

    fn count(&self) -> usize {
        match &self.load {
            Load::Records(records) => records.len(),
            Load::Acts(acts) => acts.len(),
        }
    }
}

#[derive(Default)]
pub(super) struct Queues {
    acts: VecDeque<Job>,
    live: VecDeque<Job>,
    imports: VecDeque<Job>,
    bytes: usize,
    pub(super) closed: bool,
    /// Why the disk takes nothing just now; live records are then not queued at all.
    pub(super) waiting: Option<String>,
}

impl Queues {
    /// Hands the job back with the reason when it is not taken. Acts are always taken: they are few, and a full queue
    /// must not keep a person from deciding.
    pub(super) fn push(&mut self, job: Job) -> Option<(Job, SinkRefused)> {
        let lane = job.lane;
        if self.closed {
            return Some((job, closed()));
        }
        if let (Lane::Live, Some(reason)) = (lane, &self.waiting) {
            return Some((job, SinkRefused::Waiting(reason.clone())));
        }
        if lane != Lane::Acts && self.bytes + job.bytes > JOURNAL_QUEUE_BYTES_MAX {
            return Some((job, SinkRefused::QueueFull));
        }
        self.bytes += job.bytes;
        match lane {
            Lane::Acts => self.acts.push_back(job),
            Lane::Live => self.live.push_back(job),
            Lane::Imports => self.imports.push_back(job),
        }
        None
    }

    pub(super) fn take(&mut self, may_import: bool) -> Vec<Job> {
        let mut group: Vec<Job> = self.acts.drain(..).collect();
        let mut bytes = 0;
        while bytes < GROUP_BYTES
            && let Some(job) = self.live.pop_front()
        {
            bytes += job.bytes;
            group.push(job);
        }
        let mut records = 0;
        while may_import
            && bytes < GROUP_BYTES
            && records < IMPORT_SLICE_RECORDS
            && let Some(job) = self.imports.pop_front()
        {
            bytes += job.bytes;
            records += job.count();
            group.push(job);
        }
        self.forget_bytes(&group);
        group
    }

    pub(super) fn has_acts(&self) -> bool {
        !self.acts.is_empty()
    }

    pub(super) fn take_acts(&mut self) -> Vec<Job> {
        let acts: Vec<Job> = self.acts.drain(..).collect();
        self.forget_bytes(&acts);
        acts
    }

    pub(super) fn take_live(&mut self) -> Vec<Job> {
        let live: Vec<Job> = self.live.drain(..).collect();
        self.forget_bytes(&live);
        live
    }

    /// Everything but acts.
    pub(super) fn take_all(&mut self) -> Vec<Job> {
        let mut all = self.take_live();
        let imports: Vec<Job> = self.imports.drain(..).collect();
        self.forget_bytes(&imports);
        all.extend(imports);
        all
    }

    /// Imports that could not be written stand before those that came later.
    pub(super) fn put_back_imports(&mut self, imports: Vec<Job>) {
        for job in imports.into_iter().rev() {
            self.bytes += job.bytes;
            self.imports.push_front(job);
        }
    }

    fn forget_bytes(&mut self, jobs: &[Job]) {
        self.bytes = self.bytes.saturating_sub(jobs.iter().map(|job| job.bytes).sum());
    }

    fn live_bytes(&self) -> usize {
        self.live.iter().map(|job| job.bytes).sum()
    }
}

/// What was last published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    Absent,
    Unreadable,
    /// Version 1 wrote the number alone.
    At(RecordId, Option<Heads>),
}

impl Published {
    pub(super) fn last(self) -> RecordId {
        match self {
            Self::At(last, _) => last,
            Self::Absent | Self::Unreadable => RecordId(0),
        }
    }
}

/// What was last published in `dir`. What does not stand there to the letter as it was written counts as unreadable.
pub(super) fn published(dir: &Path) -> Published {
    let text = match fs::read(dir.join(PUBLISHED)) {
        // The file is made a moment before it is written.
        Ok(bytes) if bytes.is_empty() => return Published::Absent,
        Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Published::Absent,
        Err(_) => return Published::Unreadable,
    };
    let mut lines = text.lines();
    let Some(last) = lines.next().and_then(|line| line.parse().ok()).map(RecordId) else {
        return Published::Unreadable;
    };
    let mut head = |name: &str| lines.next()?.strip_prefix(name)?.parse().ok();
    let heads = head("records ").zip(head("acts ")).map(|(records, acts)| Heads { records, acts });
    if text == published_text(last, heads) { Published::At(last, heads) } else { Published::Unreadable }
}

/// Fixed width, so a write is one piece.
pub(super) fn published_text(last: RecordId, heads: Option<Heads>) -> String {
    let heads = heads.map(|heads| format!("records {}\nacts {}\n", heads.records, heads.acts));
    format!("{:020}\n{}", last.0, heads.unwrap_or_default())
}

/// Advisory and for people: the frames themselves say what is durable.
fn write_published(file: &File, last: RecordId, heads: Heads) -> io::Result<()> {
    fail::point("journal.durable_file")?;
    file.write_all_at(published_text(last, Some(heads)).as_bytes(), 0)
}

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) segments: Segments,
    last: RecordId,
    published: File,
    prover: Prover,
    clock: Arc<dyn Clock>,
    /// A sync failed: what the disk holds is unknown, so nothing more is written.
    broken: Option<String>,
    /// The disk takes nothing for the time being.
    pub(super) trouble: Option<Trouble>,
    acts_buffer: Vec<u8>,
    records_buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        segments: Segments,
        last: RecordId,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, JournalError> {
        let path = shared.dir.join(PUBLISHED);
        let published = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| JournalError::Append { path: path.clone(), source })?;
        let heads = segments.heads();
        write_published(&published, last, heads).map_err(|source| JournalError::Append { path, source })?;
        let prover = Prover::open(&shared.dir, segments.checkpoint.as_ref(), clock.now())?;
        let (acts_buffer, records_buffer) = (Vec::new(), Vec::new());
        let mut writer = Self {
            shared,
            segments,
            last,
            published,
            prover,
            clock,
            broken: None,
            trouble: None,
            acts_buffer,
            records_buffer,
        };
        if writer.prover.is_new() {
            writer.prove();
        }
        Ok(writer)
    }

    pub(super) fn run(mut self) {
        while let Some(group) = self.next() {
            match &self.trouble {
                _ if group.is_empty() => {}
                None => self.commit(group),
                Some(_) => self.commit_acts(group),
            }
            if self.prover.is_due(Instant::now()) {
                self.prove();
            }
        }
        if self.prover.is_behind(self.last) {
            self.prove();
        }
        self.shared.progress().closed = true;
        self.shared.moved.notify_all();
    }

    fn next(&mut self) -> Option<Vec<Job>> {
        if self.trouble.is_some() { self.next_acts() } else { self.next_group() }
    }

    /// Waits for work; an empty group when a checkpoint is due, `None` when the journal is closed and everything is
    /// written.
    fn next_group(&self) -> Option<Vec<Job>> {
        let mut queues = self.shared.queues();
        let mut gathering: Option<Instant> = None;
        loop {
            let may_import = self.shared.progress().lag() < IMPORT_LAG_MAX || queues.closed;
            let imports = may_import && !queues.imports.is_empty();
            let since = *gathering.get_or_insert_with(Instant::now);
            let waited = queues.closed || since.elapsed() >= GROUP_WAIT || queues.live_bytes() >= GROUP_BYTES;
            if !queues.acts.is_empty() || imports || (!queues.live.is_empty() && waited) {
                return Some(queues.take(may_import));
            }
            if queues.closed {
                return None;
            }
            let until_due = self.prover.due_in(Instant::now());
            if until_due.is_zero() {
                return Some(Vec::new());
            }
            let pause = if queues.live.is_empty() {
                gathering = None;
                if queues.imports.is_empty() { until_due } else { IMPORT_RETRY }
            } else {
                GROUP_WAIT.saturating_sub(since.elapsed())
            };
            queues = self.wait(queues, pause.min(until_due));
        }
    }

    pub(super) fn wait<'a>(
        &self,
        queues: std::sync::MutexGuard<'a, Queues>,
        pause: Duration,
    ) -> std::sync::MutexGuard<'a, Queues> {
        self.shared.work.wait_timeout(queues, pause).unwrap_or_else(PoisonError::into_inner).0
    }

    fn commit(&mut self, group: Vec<Job>) {
        let numbers = self.encode(&group);
        let has_records = !self.records_buffer.is_empty();
        let written = if has_records && self.is_full() { Err(no_room().into()) } else { self.write() };
        match written {
            Ok(()) => self.finish(group, &numbers),
            Err(failure) => {
                let reason = self.give_up(failure);
                if self.trouble.is_some() {
                    return self.put_off(group);
                }
                for job in group {
                    job.finish(Err(reason.clone()));
                }
            }
        }
    }

    /// What was written is published, and then its senders are told.
    pub(super) fn finish(&mut self, group: Vec<Job>, numbers: &[RecordId]) {
        self.last = numbers.last().copied().unwrap_or(self.last);
        fail::pass("journal.before_publish");
        self.publish();
        fail::pass("journal.after_publish");
        for (job, last) in group.into_iter().zip(numbers) {
            job.finish(Ok(*last));
        }
    }

    /// What the senders of a commit hear that was not written.
    pub(super) fn give_up(&mut self, failure: Failure) -> SinkRefused {
        let error = self.failed(failure);
        if self.trouble.is_some() {
            return SinkRefused::Waiting(error.to_string());
        }
        tracing::error!(error = %error, "the journal cannot write; nothing of this commit was taken");
        SinkRefused::CannotWrite(error.to_string())
    }

    /// Fills the buffers with frames; gives the last number of each job.
    pub(super) fn encode(&mut self, group: &[Job]) -> Vec<RecordId> {
        self.acts_buffer.clear();
        self.records_buffer.clear();
        let mut number = self.last.0;
        let mut acts = FrameWriter::new(&mut self.acts_buffer);
        let mut records = FrameWriter::new(&mut self.records_buffer);
        let mut numbers = Vec::with_capacity(group.len());
        for job in group {
            match &job.load {
                Load::Acts(list) => {
                    for act in list {
                        number += 1;
                        acts.entry(number, |out| encode_act(act, out));
                    }
                }
                Load::Records(list) => {
                    for record in list {
                        number += 1;
                        records.entry(number, |out| encode_record(record, out));
                    }
                }
            }
            numbers.push(RecordId(number));
        }
        acts.finish();
        records.finish();
        numbers
    }

    /// Acts first, then records; all of it or none.
    pub(super) fn write(&mut self) -> Result<(), Failure> {
        self.assert_whole()?;
        fail::point("journal.before_write")?;
        let created_us = self.clock.now().timestamp_micros();
        let marks = self.marks();
        let Segments { acts, records, .. } = &mut self.segments;
        let written = append(acts, &self.shared, &self.acts_buffer, created_us).and_then(|()| {
            fail::point("journal.between_acts_and_records")?;
            append(records, &self.shared, &self.records_buffer, created_us)
        });
        written.map_err(|failure| Failure { marks: Some(Box::new(marks)), ..failure })
    }

    fn assert_whole(&self) -> io::Result<()> {
        match &self.broken {
            Some(reason) => Err(io::Error::other(format!("an earlier sync failed: {reason}"))),
            None => Ok(()),
        }
    }

    fn marks(&self) -> Marks {
        Marks { acts: self.segments.acts.mark(), records: self.segments.records.mark() }
    }

    /// Begins to wait for the disk, takes back what was written, or gives the journal up until the next start.
    fn failed(&mut self, failure: Failure) -> JournalError {
        let Failure { source, marks, was_sync } = failure;
        if self.broken.is_none() && is_passing(&source) {
            self.enter_trouble(&source, marks.map(|marks| *marks));
        } else if was_sync {
            // After a failed sync the kernel may have dropped the pages: what the disk holds is unknown.
            self.broken = Some(source.to_string());
        } else if let Some(marks) = marks
            && let Err(error) = self.segments.restore(&marks)
        {
            self.broken = Some(error.to_string());
        }
        JournalError::Append { path: self.shared.dir.clone(), source }
    }

    fn publish(&self) {
        let mut progress = self.shared.progress();
        progress.durable = self.last.0;
        progress.heads = self.segments.heads();
        progress.commits.push_back((self.last.0, Instant::now()));
        drop(progress);
        self.shared.moved.notify_all();
        self.write_published();
    }

    fn write_published(&self) {
        if let Err(error) = write_published(&self.published, self.last, self.segments.heads()) {
            tracing::warn!(error = %error, "cannot publish the durable position");
        }
    }

    /// Signs what the journal holds now. Where that fails it is told, and tried again later: nothing is lost by it.
    fn prove(&mut self) {
        if self.trouble.is_some() || self.broken.is_some() {
            // Until the disk takes it again there is nothing new to prove but acts.
            return self.prover.retry();
        }
        let (last, heads, at) = (self.last, self.segments.heads(), self.clock.now());
        fail::pass("journal.checkpoint.before_sign");
        let proven = self.prover.sign(last, heads, at).and_then(|signed| {
            let marks = self.marks();
            let (acts, first) = (&mut self.segments.acts, last.next().0);
            let written = fail::point("journal.checkpoint.before_write")
                .map_err(Failure::from)
                .and_then(|()| append_to(acts, &self.shared, signed.frame(), first, at.timestamp_micros()));
            match written {
                Ok(()) => {
                    fail::pass("journal.checkpoint.written");
                    Ok(self.prover.advance(signed))
                }
                Err(failure) => Err(self.failed(Failure { marks: Some(Box::new(marks)), ..failure })),
            }
        });
        fail::pass("journal.checkpoint.after");
        match proven {
            Ok(checkpoint) => {
                let mut progress = self.shared.progress();
                progress.heads = self.segments.heads();
                progress.checkpoint = Some(checkpoint);
                drop(progress);
                self.write_published();
            }
            Err(error) => {
                self.prover.retry();
                tracing::error!(error = %error, "cannot sign a checkpoint; records are kept, and their proof follows when it can be written");
            }
        }
    }
}

/// What was not written whole.
pub(super) struct Failure {
    source: io::Error,
    /// Where the segments stood before it, where it may have left something.
    marks: Option<Box<Marks>>,
    was_sync: bool,
}

impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Self {
        Self { source, marks: None, was_sync: false }
    }
}

fn append(active: &mut Active, shared: &Shared, frames: &[u8], created_us: i64) -> Result<(), Failure> {
    let Some(first) = first_number(frames) else { return Ok(()) };
    append_to(active, shared, frames, first, created_us)
}

/// Appends and syncs; `first` names the segment that may have to be begun for it.
fn append_to(active: &mut Active, shared: &Shared, frames: &[u8], first: u64, created_us: i64) -> Result<(), Failure> {
    if active.ensure(&shared.dir, first, created_us)? {
        shared.segment_complete();
    }
    active.append(frames, Instant::now())?;
    active.sync().map_err(|source| Failure { was_sync: true, ..source.into() })
}

fn first_number(frames: &[u8]) -> Option<u64> {
    let number = frames.get(FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + 8)?;
    Some(u64::from_le_bytes(number.try_into().ok()?))
}

/// Builds frames in a buffer, closing each at [`FRAME_BYTES`].
struct FrameWriter<'a> {
    out: &'a mut Vec<u8>,
    start: Option<usize>,
}

impl<'a> FrameWriter<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, start: None }
    }

    fn entry(&mut self, number: u64, encode: impl FnOnce(&mut Vec<u8>)) {
        let start = *self.start.get_or_insert_with(|| {
            let start = self.out.len();
            self.out.extend([0; FRAME_HEADER_BYTES]);
            start
        });
        self.out.extend(number.to_le_bytes());
        let length_at = self.out.len();
        self.out.extend([0; 4]);
        encode(self.out);
        let length = self.out.len() - length_at - 4;
        self.put_u32(length_at, length);
        if self.out.len() - start + ENTRY_HEADER_BYTES >= FRAME_BYTES {
            self.finish();
        }
    }

    fn finish(&mut self) {
        let Some(start) = self.start.take() else { return };
        if let Some(kind) = self.out.get_mut(start + 8) {
            *kind = KIND_ENTRIES;
        }
        let length = self.out.len() - start - 8;
        let crc = crc32c::crc32c(self.out.get(start + 8..).unwrap_or_default());
        self.put_u32(start, length);
        if let Some(place) = self.out.get_mut(start + 4..start + 8) {
            place.copy_from_slice(&crc.to_le_bytes());
        }
    }

    fn put_u32(&mut self, at: usize, value: usize) {
        let value = u32::try_from(value).expect("frames are bounded far below 4 GiB");
        if let Some(place) = self.out.get_mut(at..at + 4) {
            place.copy_from_slice(&value.to_le_bytes());
        }
    }
}
