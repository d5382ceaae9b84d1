//! Bars. Positions are worked out here in whole tenths; templates only write them down, as attributes, because the
//! Content-Security-Policy allows no inline style.

use chrono::{TimeDelta, Timelike};
use monban_audit::wording;
use monban_event::TimeRange;
use monban_event::store::Bucket;
use monban_event::time::JST;

use super::link;

/// One bar of a drawing.
pub(crate) struct Bar {
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) width: String,
    pub(crate) height: String,
    pub(crate) title: String,
    pub(crate) href: String,
    pub(crate) when: String,
    pub(crate) count: String,
    pub(crate) is_zero: bool,
}

/// A label under the bars.
pub(crate) struct Tick {
    pub(crate) x: String,
    pub(crate) text: String,
}

pub(crate) struct Histogram {
    pub(crate) bars: Vec<Bar>,
    pub(crate) ticks: Vec<Tick>,
    /// What one bar stands for.
    pub(crate) step: &'static str,
    pub(crate) highest: String,
}

/// The drawing is this wide and its bars this high, in tenths of a unit of its view box.
const WIDTH_TENTHS: u64 = 8800;
const HEIGHT_TENTHS: u64 = 560;

/// Labels that fit beside one another.
const TICKS_MAX: usize = 8;

pub(crate) fn tenths(value: u64) -> String {
    format!("{}.{}", value / 10, value % 10)
}

/// The bars of a search; each leads to the same query over its own interval.
pub(crate) fn histogram(buckets: &[Bucket], query: &str, seconds: u32, step: &'static str) -> Histogram {
    let highest = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0);
    let count = buckets.len().max(1) as u64;
    let bars = buckets.iter().enumerate().map(|(index, bucket)| {
        let left = index as u64 * WIDTH_TENTHS / count;
        let right = (index as u64 + 1) * WIDTH_TENTHS / count;
        let gap = ((right - left) / 8).clamp(4, 46);
        let height = height(bucket.count, highest, HEIGHT_TENTHS);
        let end = bucket.start + TimeDelta::seconds(i64::from(seconds));
        let count = wording::count(bucket.count);
        Bar {
            x: tenths(left + gap / 2),
            y: tenths(HEIGHT_TENTHS + 20 - height),
            width: tenths((right - left).saturating_sub(gap)),
            height: tenths(height),
            title: format!("{} から{step} {count} 件", wording::minute_stamp(bucket.start)),
            href: link::search(query, TimeRange::between(bucket.start, end)),
            when: wording::stamp(bucket.start),
            count,
            is_zero: bucket.count == 0,
        }
    });
    Histogram { bars: bars.collect(), ticks: ticks(buckets, seconds), step, highest: wording::count(highest) }
}

/// A bar's height; what is there at all can be seen.
pub(crate) fn height(count: u64, highest: u64, full: u64) -> u64 {
    if count == 0 {
        return 0;
    }
    (count.saturating_mul(full) / highest.max(1)).max(12)
}

/// Labels: midnights where bars are hours or more, else the time of every so many bars.
fn ticks(buckets: &[Bucket], seconds: u32) -> Vec<Tick> {
    let by_day = seconds >= 3 * 3600;
    let local = |bucket: &Bucket| bucket.start.with_timezone(&JST);
    let marked: Vec<usize> = (0..buckets.len())
        .filter(|index| !by_day || buckets.get(*index).is_some_and(|bucket| local(bucket).hour() == 0))
        .collect();
    let every = marked.len().div_ceil(TICKS_MAX).max(1);
    let count = buckets.len().max(1) as u64;
    let form = if by_day { "%-m/%-d" } else { "%H:%M" };
    let tick = |index: usize| {
        let text = local(buckets.get(index)?).format(form).to_string();
        let edge = if by_day { index as u64 * 2 } else { index as u64 * 2 + 1 };
        // The outermost labels stay inside the drawing.
        let x = (edge * WIDTH_TENTHS / (count * 2)).clamp(160, WIDTH_TENTHS - 160);
        Some(Tick { x: tenths(x), text })
    };
    marked.into_iter().step_by(every).filter_map(tick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_bar_is_full_and_one_event_can_be_seen() {
        assert_eq!(height(100, 100, 560), 560);
        assert_eq!(height(1, 1_000_000, 560), 12);
        assert_eq!(height(0, 10, 560), 0);
        assert_eq!(height(0, 0, 560), 0);
    }

    #[test]
    fn bars_lead_to_their_own_interval() {
        let start = "2026-11-20T00:00:00+09:00".parse().unwrap();
        let drawn = histogram(&[Bucket { start, count: 3 }], "user:a", 3600, "1時間");
        assert_eq!(drawn.bars.len(), 1);
        assert!(drawn.bars[0].href.contains("to=2026-11-20T01%3A00%3A00%2B09%3A00"), "{}", drawn.bars[0].href);
    }
}
