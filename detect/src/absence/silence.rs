//! Silent sources. Owns when each source was last heard of, what gaps are usual for it, and which silences are open.
//! Goes by our clock alone, and by live records alone: an import says nothing about whether a device is sending now.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use monban_event::time::jst_date;
use monban_event::{Event, EventId, Finding};
use serde::{Deserialize, Serialize};

use super::{Missing, from_us};
use crate::pairs;
use crate::rule::Spoken;

/// Days of gaps a source is known by.
const LEARNED_DAYS: i32 = 14;
/// A silence is missed after this many times the gap that 99 of 100 gaps stay under.
const P99_FACTOR: i64 = 4;
/// No source is waited for longer, whatever it taught: a month of silence is a silence.
const WAIT_MAX: TimeDelta = TimeDelta::days(35);
/// Sources watched. A hospital has some hundred; a flood of forged senders must not grow memory.
const SOURCES_MAX: usize = 5_000;
/// Without tick or record for so long it was we who were away, and nobody is called silent for it.
const AWAY: TimeDelta = TimeDelta::minutes(10);
/// Buckets of gap lengths, four to each doubling of a second: 2^30 s is more than [`WAIT_MAX`].
const BUCKETS: u32 = 120;

/// A source said nothing from its last record on; `to` is the first record after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub source: String,
    pub from: DateTime<Utc>,
    pub to: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Source {
    last_us: i64,
    last_event: EventId,
    kind: Kind,
    /// Silent since `last_us`, and told.
    open: bool,
    /// Per day, how many gaps fell into which bucket.
    #[serde(with = "pairs")]
    gaps: BTreeMap<i32, BTreeMap<u8, u32>>,
}

/// What is expected of a source, by what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Kind {
    Other,
    Server,
    /// VPN devices and firewalls.
    Vpn,
    /// Domain controllers.
    Dc,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Other => "default",
            Self::Server => "server",
            Self::Vpn => "vpn",
            Self::Dc => "dc",
        }
    }

    fn of(event: &Event) -> Self {
        match (event.module.as_deref(), event.winlog_event_id) {
            (Some("windows"), Some(4768..=4771 | 4776)) => Self::Dc,
            (Some("windows" | "linux"), _) => Self::Server,
            (
                Some(
                    "fortinet" | "cisco" | "yamaha" | "paloalto" | "sonicwall" | "juniper" | "ivanti" | "watchguard"
                    | "sophos",
                ),
                _,
            ) => Self::Vpn,
            _ if event.vpn_type.is_some() => Self::Vpn,
            _ => Self::Other,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Silences {
    sources: BTreeMap<String, Source>,
    changed: Vec<Silence>,
    /// The latest tick or record: until then we were there.
    awake_us: i64,
    /// When we came back; silence before it is not the sources'.
    back_us: i64,
}

impl Silences {
    /// A sign of life. Answers a finding when a silence came to light only by its end.
    pub(crate) fn observe(&mut self, missing: Missing<'_>, event: &Event) -> Option<Finding> {
        let (name, arrival) = (event.source_id.as_deref()?, event.ingested?);
        if event.file_path.is_some() || name.starts_with("file:") {
            return None;
        }
        let now_us = arrival.timestamp_micros();
        self.wake(now_us);
        let Some(source) = self.sources.get(name) else {
            self.meet(name, event, now_us);
            return None;
        };
        let gap = now_us.saturating_sub(source.last_us.max(self.back_us));
        let missed = !source.open && source.is_overdue(missing, name, gap);
        let finding = missed.then(|| source.finding(missing, name, now_us));
        let was_silent = source.open || missed;
        if was_silent {
            self.changed.push(Silence { source: name.to_owned(), from: from_us(source.last_us), to: Some(arrival) });
        }
        if let Some(source) = self.sources.get_mut(name) {
            source.hear(event, now_us);
        }
        finding
    }

    /// Looks for sources that are overdue at `now`.
    pub(crate) fn tick(&mut self, missing: Missing<'_>, now: DateTime<Utc>) -> Vec<Finding> {
        let now_us = now.timestamp_micros();
        self.wake(now_us);
        let overdue = |(name, source): &(&String, &Source)| {
            !source.open && source.is_overdue(missing, name, now_us.saturating_sub(source.last_us.max(self.back_us)))
        };
        let names: Vec<String> = self.sources.iter().filter(overdue).map(|(name, _)| name.clone()).collect();
        names.into_iter().filter_map(|name| self.open(missing, &name, now_us)).collect()
    }

    pub(crate) fn take(&mut self) -> Vec<Silence> {
        std::mem::take(&mut self.changed)
    }

    /// We are here. If we were not for a while, the sources have nothing to answer for.
    fn wake(&mut self, now_us: i64) {
        if now_us.saturating_sub(self.awake_us) > micros(AWAY) {
            self.back_us = now_us;
        }
        self.awake_us = self.awake_us.max(now_us);
    }

    fn open(&mut self, missing: Missing<'_>, name: &str, now_us: i64) -> Option<Finding> {
        let finding = self.sources.get(name)?.finding(missing, name, now_us);
        let source = self.sources.get_mut(name)?;
        source.open = true;
        self.changed.push(Silence { source: name.to_owned(), from: from_us(source.last_us), to: None });
        Some(finding)
    }

    fn meet(&mut self, name: &str, event: &Event, now_us: i64) {
        if self.sources.len() >= SOURCES_MAX {
            return;
        }
        let source =
            Source { last_us: now_us, last_event: event.id, kind: Kind::of(event), open: false, gaps: BTreeMap::new() };
        self.sources.insert(name.to_owned(), source);
    }
}

impl Source {
    /// Whether it has been silent for longer than it may. What it taught is asked last: it costs, and is rarely needed.
    fn is_overdue(&self, missing: Missing<'_>, name: &str, gap_us: i64) -> bool {
        let stated = missing.context.calendar().source(name).and_then(|note| note.expected);
        let expected = stated.unwrap_or_else(|| missing.absence.after(self.kind.as_str()));
        let learned = || self.p99_us().saturating_mul(P99_FACTOR).min(micros(WAIT_MAX));
        gap_us > micros(expected) && gap_us > learned()
    }

    fn finding(&self, missing: Missing<'_>, name: &str, now_us: i64) -> Finding {
        let (from, now) = (from_us(self.last_us), from_us(now_us));
        let calendar = missing.context.calendar();
        let plan = calendar.planned_stop(name, from, now);
        let shown =
            calendar.source(name).map(|note| note.name.as_str()).filter(|shown| !shown.is_empty()).unwrap_or(name);
        let row = missing.slots.row(&[
            ("monban.source", name.to_owned()),
            ("absence.name", shown.to_owned()),
            ("absence.kind", self.kind.as_str().to_owned()),
            ("absence.planned", plan.is_some().to_string()),
            ("absence.span", span_text(now - from)),
            ("absence.reason", plan.map_or("計画停止の登録はありません", |plan| plan.reason.as_str()).to_owned()),
        ]);
        let voice = missing.voice;
        let spoken = Spoken { subject: name, object: "", count: 1, first: from, last: now, distinct: 0 };
        Finding {
            id: Finding::make_id(&voice.rule_id, name, "", from, 0),
            rule_id: voice.rule_id.clone(),
            rule_title: voice.title.clone(),
            rule_version: voice.version.clone(),
            severity: voice.severity(&row, &[], 1),
            subject: name.to_owned(),
            object: String::new(),
            first: from,
            last: now,
            count: 1,
            summary: voice.summary(missing.slots, &row, &spoken),
            evidence: vec![self.last_event],
        }
    }

    fn hear(&mut self, event: &Event, now_us: i64) {
        let day = jst_date(from_us(now_us)).num_days_from_ce();
        let gap = now_us.saturating_sub(self.last_us);
        *self.gaps.entry(day).or_default().entry(bucket(gap)).or_default() += 1;
        while self.gaps.first_key_value().is_some_and(|(&first, _)| first <= day - LEARNED_DAYS) {
            self.gaps.pop_first();
        }
        self.kind = self.kind.max(Kind::of(event));
        (self.last_us, self.last_event, self.open) = (self.last_us.max(now_us), event.id, false);
    }

    /// The gap that 99 of 100 stay under, µs, to within a fifth; 0 before the first.
    fn p99_us(&self) -> i64 {
        let mut counts: BTreeMap<u8, u64> = BTreeMap::new();
        for (&bucket, &count) in self.gaps.values().flatten() {
            *counts.entry(bucket).or_default() += u64::from(count);
        }
        let mut beyond = counts.values().sum::<u64>() / 100;
        for (&bucket, &count) in counts.iter().rev() {
            if count > beyond {
                return upper_end_us(bucket);
            }
            beyond -= count;
        }
        0
    }
}

/// Four buckets to each doubling of a second; shorter gaps are bucket 0, which teaches nothing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped to 0..BUCKETS; a gap's logarithm needs no precision"
)]
fn bucket(gap_us: i64) -> u8 {
    let seconds = gap_us as f64 / 1e6;
    if seconds <= 1.0 { 0 } else { (4.0 * seconds.log2()).ceil().clamp(0.0, f64::from(BUCKETS)) as u8 }
}

#[expect(clippy::cast_possible_truncation, reason = "2^30 s in µs fits by far")]
fn upper_end_us(bucket: u8) -> i64 {
    if bucket == 0 { 0 } else { (f64::from(bucket) / 4.0).exp2().mul_add(1e6, 0.0) as i64 }
}

fn micros(span: TimeDelta) -> i64 {
    span.num_microseconds().unwrap_or(i64::MAX)
}

/// `26 時間` or `45 分`.
fn span_text(span: TimeDelta) -> String {
    if span.num_hours() >= 2 { format!("{} 時間", span.num_hours()) } else { format!("{} 分", span.num_minutes()) }
}
