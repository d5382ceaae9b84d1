//! What is past its time: whole segments, oldest first, never one that is being written.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use chrono::{DateTime, Utc};
use monban_event::act::{Deed, Kept};
use monban_event::{Act, RecordId, TimeRange};

use super::copy::write_whole;
use super::sealer::remove;
use super::segment::{Family, Header, SegmentFile, SegmentPath, list, read_header};
use super::{Journal, JournalError};

/// Segments past their time, from the oldest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    segments: Vec<SegmentPath>,
    /// First and last number that may stand in them; numbers of the other family lie between.
    pub first: RecordId,
    pub last: RecordId,
    /// When the first of them was begun, and when the last was complete.
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Expired {
    /// The names of the files, for the record of their removal.
    pub fn names(&self) -> Vec<String> {
        let name = |segment: &SegmentPath| segment.path.file_name().map(|name| name.to_string_lossy().into_owned());
        self.segments.iter().filter_map(name).collect()
    }
}

impl Journal {
    /// The segments of a family that were complete before `cutoff`, oldest first and without a gap: a journal has no
    /// holes. Whoever removes them puts that on record first.
    pub fn expired(&self, family: Family, cutoff: DateTime<Utc>) -> Result<Option<Expired>, JournalError> {
        let (segments, _) = list(&self.shared.dir, family)?;
        let mut expired: Option<Expired> = None;
        for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
            let to = begun_at(next, family)?;
            if to > cutoff {
                break;
            }
            let last = RecordId(next.first.saturating_sub(1));
            if let Some(before) = &mut expired {
                before.segments.push(segment.clone());
                (before.last, before.to) = (last, to);
            } else {
                let (segments, first) = (vec![segment.clone()], RecordId(segment.first));
                expired = Some(Expired { segments, first, last, from: begun_at(segment, family)?, to });
            }
        }
        Ok(expired)
    }

    /// Removes segments, oldest first.
    pub fn remove(&self, expired: &Expired) -> Result<(), JournalError> {
        note_retired(&self.shared.dir, expired.last.0)?;
        let removed = expired.segments.iter().try_for_each(remove);
        self.shared.lookup.forget();
        removed
    }
}

/// A note for readers from the beginning that numbers up to this are gone for a reason. It proves nothing: `verify` asks
/// the acts.
const RETIRED: &str = "retired";

pub(super) fn note_retired(dir: &Path, last: u64) -> Result<(), JournalError> {
    let path = dir.join(RETIRED);
    let text = format!("{:020}\n", last.max(retired_up_to(dir)));
    write_whole(&path, |out| out.write_all(text.as_bytes())).map_err(|source| JournalError::Remove { path, source })
}

pub(super) fn retired_up_to(dir: &Path) -> u64 {
    fs::read_to_string(dir.join(RETIRED)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// The last number that retention has taken away by an act; 0 where it is another act.
pub(super) fn retired(act: &Act) -> u64 {
    retired_by(&act.deed)
}

/// The same of what was done alone.
pub fn retired_by(deed: &Deed) -> u64 {
    let Deed::Removed { what: Kept::Records | Kept::Acts, parts, count, .. } = deed else { return 0 };
    let first = parts.first().and_then(|name| name.split('.').next()?.parse::<u64>().ok());
    first.map_or(0, |first| first.saturating_add(*count).saturating_sub(1))
}

pub(super) fn overlaps(period: &TimeRange, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
    period.from.is_none_or(|start| start < to) && period.to.is_none_or(|end| end > from)
}

/// When a segment was begun, by its header.
pub(super) fn begun_at(segment: &SegmentPath, family: Family) -> Result<DateTime<Utc>, JournalError> {
    let header = header_of(segment, family)?;
    Ok(DateTime::from_timestamp_micros(header.created_us).unwrap_or_default())
}

fn header_of(segment: &SegmentPath, family: Family) -> Result<Header, JournalError> {
    let reading = |source: io::Error| JournalError::Read { path: segment.path.clone(), source };
    let file = SegmentFile::open(segment).map_err(reading)?;
    let bytes = file.header().map_err(reading)?.ok_or_else(|| reading(io::ErrorKind::UnexpectedEof.into()))?;
    read_header(&bytes, family, segment.first).map_err(|fault| JournalError::Damaged {
        path: segment.path.clone(),
        offset: 0,
        reason: fault.to_string(),
    })
}
