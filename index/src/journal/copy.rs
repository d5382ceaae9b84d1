//! Copies of the journal: whole, as a backup, or a period of its records with what proves them. The journal may be in
//! use meanwhile: a copy ends at the position that was durable when it began. Keys are never copied.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use monban_event::TimeRange;

use super::chain::{Checkpoint, Receipt};
use super::retain::{begun_at, note_retired, overlaps, retired_up_to};
use super::segment::{
    Family, FrameRead, HEADER_BYTES, HEADER_LENGTH, SegmentFile, SegmentPath, checkpoint, frame, kind_and_body, list,
    payload_entries, sealed_path, sync_folder,
};
use super::writer::{PUBLISHED, published_text};
use super::{Journal, JournalError};

/// The checkpoints up to the end of a period, a line of JSON each, beside records that are copied without the acts.
pub(super) const CHECKPOINTS: &str = "checkpoints.jsonl";

/// What a copy came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Segments in the copy, and those that an earlier copy into the same folder had brought already.
    pub segments: u64,
    pub known: u64,
    /// Bytes written now.
    pub bytes: u64,
    /// The numbers that its segments span.
    pub first: u64,
    pub last: u64,
    /// Of the journal when the copy began: where a whole copy ends.
    pub receipt: Receipt,
}

impl Copied {
    fn nothing(receipt: Receipt) -> Self {
        Self { segments: 0, known: 0, bytes: 0, first: 1, last: 0, receipt }
    }
}

impl Journal {
    /// Copies both families into `to`. What an earlier copy brought there and cannot have changed is left as it is, so
    /// a copy made daily costs a day. Nothing that is there is ever removed but the raw form of what is sealed now.
    pub fn copy_to(&self, to: &Path) -> Result<Copied, JournalError> {
        let mut copied = Copied::nothing(self.receipt());
        for family in Family::ALL {
            self.copy_family(family, to, TimeRange::default(), &mut copied)?;
        }
        match retired_up_to(&self.shared.dir) {
            0 => {}
            last => note_retired(to, last)?,
        }
        let path = to.join(PUBLISHED);
        let text = published_text(monban_event::RecordId(copied.receipt.last), Some(copied.receipt.heads));
        write_whole(&path, |out| out.write_all(text.as_bytes()))
            .map_err(|source| JournalError::Copy { path, source })?;
        Ok(copied)
    }

    /// Copies the segments of records that were written to in a period, and the checkpoints that vouch for them.
    pub fn copy_period(&self, to: &Path, period: TimeRange) -> Result<Copied, JournalError> {
        let mut copied = Copied::nothing(self.receipt());
        self.copy_family(Family::Records, to, period, &mut copied)?;
        let path = to.join(CHECKPOINTS);
        let checkpoints = checkpoints(&self.shared.dir, copied.receipt.last)?;
        // A signature vouches for what came before it: the next one behind the period is needed, and all up to it.
        if let Some(next) = checkpoints.iter().find(|checkpoint| checkpoint.last >= copied.last) {
            let until = TimeRange { from: period.from, to: period.to.map(|to| to.max(next.at)) };
            copied = Copied::nothing(copied.receipt);
            self.copy_family(Family::Records, to, until, &mut copied)?;
        }
        let written = write_whole(&path, |out| {
            checkpoints.iter().filter(|checkpoint| checkpoint.last <= copied.last).try_for_each(|checkpoint| {
                serde_json::to_writer(&mut *out, checkpoint)?;
                out.write_all(b"\n")
            })
        });
        written.map_err(|source| JournalError::Copy { path, source })?;
        Ok(copied)
    }

    fn copy_family(
        &self,
        family: Family,
        to: &Path,
        period: TimeRange,
        copied: &mut Copied,
    ) -> Result<(), JournalError> {
        let folder = to.join(family.folder());
        fs::create_dir_all(&folder).map_err(|source| JournalError::Copy { path: folder.clone(), source })?;
        let (segments, _) = list(&self.shared.dir, family)?;
        for (at, segment) in segments.iter().enumerate() {
            let next = segments.get(at + 1);
            let from = begun_at(segment, family)?;
            let until = next.map_or(Ok(DateTime::<Utc>::MAX_UTC), |next| begun_at(next, family))?;
            if !overlaps(&period, from, until) {
                continue;
            }
            let failed = |source| JournalError::Copy { path: segment.path.clone(), source };
            // A segment that goes on behind the copy's end is copied up to there.
            let is_whole = next.is_some_and(|next| next.first <= copied.receipt.last + 1);
            let bytes = if is_whole {
                copy_whole(segment, &folder).map_err(failed)?
            } else {
                Some(copy_up_to(segment, copied.receipt.last, &folder).map_err(failed)?)
            };
            let end = next.filter(|_| is_whole).map_or(copied.receipt.last, |next| next.first - 1);
            copied.first = if copied.segments == 0 { segment.first } else { copied.first.min(segment.first) };
            copied.last = copied.last.max(end);
            copied.segments += 1;
            copied.known += u64::from(bytes.is_none());
            copied.bytes += bytes.unwrap_or(0);
            if !is_whole {
                break;
            }
        }
        Ok(())
    }
}

/// Every checkpoint that covers nothing beyond `last`.
fn checkpoints(dir: &Path, last: u64) -> Result<Vec<Checkpoint>, JournalError> {
    let (segments, _) = list(dir, Family::Acts)?;
    let mut found = Vec::new();
    for segment in &segments {
        each_checkpoint(segment, |checkpoint| {
            found.extend(Some(checkpoint).filter(|checkpoint| checkpoint.last <= last));
            true
        })?;
    }
    Ok(found)
}

pub(super) fn first_checkpoint(dir: &Path) -> Result<Option<Checkpoint>, JournalError> {
    let (segments, _) = list(dir, Family::Acts)?;
    let mut found = None;
    for segment in &segments {
        each_checkpoint(segment, |checkpoint| {
            found = Some(checkpoint);
            false
        })?;
        if found.is_some() {
            break;
        }
    }
    Ok(found)
}

/// The last checkpoint that was signed before a moment.
pub(super) fn checkpoint_before(dir: &Path, time: DateTime<Utc>) -> Result<Option<Checkpoint>, JournalError> {
    let (segments, _) = list(dir, Family::Acts)?;
    let mut found = None;
    for segment in segments.iter().rev() {
        if begun_at(segment, Family::Acts)? >= time {
            continue;
        }
        each_checkpoint(segment, |checkpoint| {
            found = Some(checkpoint).filter(|checkpoint| checkpoint.at < time).or(found.take());
            true
        })?;
        if found.is_some() {
            break;
        }
    }
    Ok(found)
}

fn each_checkpoint(segment: &SegmentPath, mut take: impl FnMut(Checkpoint) -> bool) -> Result<(), JournalError> {
    let read = each_payload(segment, |payload| Ok(checkpoint(payload).is_none_or(&mut take)));
    read.map_err(|source| JournalError::Read { path: segment.path.clone(), source })
}

/// Copies a complete segment in the form it has; `None` where the same is there already.
fn copy_whole(segment: &SegmentPath, folder: &Path) -> io::Result<Option<u64>> {
    let (mut source, mut file) = match File::open(&segment.path) {
        // It was sealed since it was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let sealed = sealed_path(&segment.path);
            let file = File::open(&sealed)?;
            (sealed, file)
        }
        opened => (segment.path.clone(), opened?),
    };
    source = folder.join(source.file_name().unwrap_or_default());
    let length = file.metadata()?.len();
    if fs::metadata(&source).is_ok_and(|known| known.len() == length) {
        return Ok(None);
    }
    write_whole(&source, |out| io::copy(&mut file, out).map(|_| ()))?;
    let raw = folder.join(segment.path.with_extension("seg").file_name().unwrap_or_default());
    if raw != source {
        match fs::remove_file(&raw) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(Some(length))
}

/// Copies the beginning of a segment, raw, up to the last entry that belongs to the copy.
fn copy_up_to(segment: &SegmentPath, last: u64, folder: &Path) -> io::Result<u64> {
    let target = folder.join(segment.path.with_extension("seg").file_name().unwrap_or_default());
    let header = SegmentFile::open(segment)?.header()?.unwrap_or([0; HEADER_LENGTH]);
    let mut bytes = HEADER_BYTES;
    write_whole(&target, |out| {
        out.write_all(&header)?;
        each_payload(segment, |payload| {
            let is_beyond = payload_entries(payload).any(|(number, _)| number > last)
                || checkpoint(payload).is_some_and(|checkpoint| checkpoint.last > last);
            if is_beyond {
                return Ok(false);
            }
            let (kind, body) = kind_and_body(payload);
            let frame = frame(kind, body);
            bytes += frame.len() as u64;
            out.write_all(&frame)?;
            Ok(true)
        })
    })?;
    Ok(bytes)
}

/// Gives the payloads of a segment until told to stop. Damage ends the segment: a copy does not hide it.
fn each_payload(segment: &SegmentPath, mut take: impl FnMut(&[u8]) -> io::Result<bool>) -> io::Result<()> {
    let mut file = SegmentFile::open(segment)?;
    let mut offset = HEADER_BYTES;
    loop {
        match file.read_frame(offset)? {
            FrameRead::Frame { payload, next } => {
                if !take(&payload)? {
                    return Ok(());
                }
                offset = next;
            }
            FrameRead::Damaged { next: Some(next) } => offset = next,
            FrameRead::End | FrameRead::Damaged { next: None } => return Ok(()),
        }
    }
}

/// Writes a file under another name and puts it in its place once it is on disk.
pub(super) fn write_whole(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let arriving: PathBuf = path.with_extension("part");
    let mut out = BufWriter::new(File::create(&arriving)?);
    write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&arriving, path)?;
    sync_folder(path)
}
