//! What is past its time: whole segments, oldest first, never one that is being written.

use std::io;

use chrono::{DateTime, Utc};
use monban_event::{RecordId, TimeRange};

use super::sealer::remove;
use super::segment::{Family, Header, SegmentFile, SegmentPath, list, read_header};
use super::{Journal, JournalError};

/// Segments that are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    pub segments: u64,
    /// First and last number that may have stood in them; numbers of the other family lie between.
    pub first: RecordId,
    pub last: RecordId,
    /// When the first of them was begun, and when the last was complete.
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Journal {
    /// Removes the oldest segments of a family that were complete before `cutoff`, up to the first that overlaps one
    /// of the `held` periods: a journal has no holes. `None` where there is nothing to remove. What has been removed
    /// must be put on record by the caller.
    pub fn remove_before(
        &self,
        family: Family,
        cutoff: DateTime<Utc>,
        held: &[TimeRange],
    ) -> Result<Option<Removed>, JournalError> {
        let (segments, _) = list(&self.shared.dir, family)?;
        let mut removed: Option<Removed> = None;
        for pair in segments.windows(2) {
            let [segment, next] = pair else { break };
            let (from, to) = (begun_at(segment, family)?, begun_at(next, family)?);
            if to > cutoff || held.iter().any(|period| overlaps(period, from, to)) {
                break;
            }
            remove(segment)?;
            let last = RecordId(next.first - 1);
            removed = Some(match removed {
                Some(before) => Removed { segments: before.segments + 1, last, to, ..before },
                None => Removed { segments: 1, first: RecordId(segment.first), last, from, to },
            });
        }
        if removed.is_some() {
            self.shared.lookup.forget();
        }
        Ok(removed)
    }
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
