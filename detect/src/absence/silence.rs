//! Silent sources. Owns when each source was last heard of, what gaps are usual for it, and which silences are open.
//! Goes by our clock alone, and by live records alone: an import says nothing about whether a device is sending now.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use monban_event::time::jst_date;
use monban_event::{Event, EventId, Finding};
use serde::{Deserialize, Serialize};

use super::{Missing, from_us};
use crate::fields::Values;
use crate::pairs;
use crate::rule::{Spoken, bare};

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
/// Sources that fall silent within so long fall silent together.
const TOGETHER: TimeDelta = TimeDelta::minutes(10);
/// So many at least, or two where one of them is a domain controller.
const TOGETHER_LEAST: usize = 3;
const TOGETHER_WITH_DC: usize = 2;
/// Of a source known for fewer days nobody can say when it is switched off every evening.
const KNOWN_DAYS: usize = 7;
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
    /// … and told as one of several.
    #[serde(default)]
    told_together: bool,
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

    /// Looks for several sources that are overdue at `now` and fell silent at one time, by the spans of a rule of its own.
    /// Asks the sources that are watched anyway, so that it costs nothing per record.
    pub(crate) fn tick_together(&mut self, missing: Missing<'_>, now: DateTime<Utc>) -> Option<Finding> {
        let now_us = now.timestamp_micros();
        let is_missing = |(name, source): &(&String, &Source)| {
            let gap = now_us.saturating_sub(source.last_us.max(self.back_us));
            source.gaps.len() >= KNOWN_DAYS && source.is_overdue(missing, name, gap) && gap > source.usual_us()
        };
        let mut silent: Vec<(i64, &String)> =
            self.sources.iter().filter(is_missing).map(|(name, source)| (source.last_us, name)).collect();
        silent.sort_unstable();
        let first =
            silent.iter().find(|(_, name)| self.sources.get(*name).is_some_and(|source| !source.told_together))?.0;
        let near = |at: i64| (at - first).abs() <= micros(TOGETHER);
        let names: Vec<String> = silent.iter().filter(|(at, _)| near(*at)).map(|(_, name)| (*name).clone()).collect();
        let is_dc = |name: &String| self.sources.get(name).is_some_and(|source| source.kind == Kind::Dc);
        let enough = if names.iter().any(is_dc) { TOGETHER_WITH_DC } else { TOGETHER_LEAST };
        if names.len() < enough {
            return None;
        }
        let finding = self.together(missing, &names, now)?;
        for name in &names {
            if let Some(source) = self.sources.get_mut(name) {
                source.told_together = true;
            }
        }
        Some(finding)
    }

    fn together(&self, missing: Missing<'_>, names: &[String], now: DateTime<Utc>) -> Option<Finding> {
        let sources: Vec<(&String, &Source)> =
            names.iter().filter_map(|name| Some((name, self.sources.get(name)?))).collect();
        let from = sources.iter().map(|(_, source)| from_us(source.last_us)).min()?;
        let calendar = missing.context.calendar();
        let plans = sources.iter().map(|(name, source)| calendar.planned_stop(name, from_us(source.last_us), now));
        let plans: Vec<_> = plans.collect();
        let reason = plans
            .iter()
            .flatten()
            .next()
            .map_or("計画停止の登録はありません", |plan| plan.reason.as_str());
        let shown: Vec<&str> = sources.iter().map(|(name, _)| shown_name(missing, name)).collect();
        let row = missing.slots.row(&[
            ("absence.name", shown.join("、")),
            ("absence.planned", plans.iter().all(Option::is_some).to_string()),
            ("absence.span", span_text(now - from)),
            ("absence.reason", reason.to_owned()),
        ]);
        let evidence = sources.iter().map(|(_, source)| source.last_event).collect();
        Some(spoken_finding(missing, &row, (from, now), &shown.join("、"), evidence))
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
        let source = Source {
            last_us: now_us,
            last_event: event.id,
            kind: Kind::of(event),
            open: false,
            told_together: false,
            gaps: BTreeMap::new(),
        };
        self.sources.insert(name.to_owned(), source);
    }
}

/// A source as the hospital calls it.
fn shown_name<'a>(missing: Missing<'a>, name: &'a str) -> &'a str {
    let noted = missing.context.calendar().source(name).map(|note| note.name.as_str());
    noted.filter(|shown| !shown.is_empty()).unwrap_or_else(|| bare(name))
}

fn spoken_finding(
    missing: Missing<'_>,
    row: &Values,
    (first, last): (DateTime<Utc>, DateTime<Utc>),
    subject: &str,
    evidence: Vec<EventId>,
) -> Finding {
    let (voice, count) = (missing.voice, evidence.len() as u64);
    let spoken = Spoken { subject, object: "", count, first, last, distinct: count };
    Finding {
        id: Finding::make_id(&voice.rule_id, subject, "", first, 0),
        rule_id: voice.rule_id.clone(),
        rule_title: voice.title.clone(),
        rule_version: voice.version.clone(),
        severity: voice.severity(row, &[], count),
        subject: subject.to_owned(),
        object: String::new(),
        first,
        last,
        count,
        summary: voice.summary(missing.slots, row, &spoken),
        evidence,
        sources: BTreeSet::new(),
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
        let plan = missing.context.calendar().planned_stop(name, from, now);
        let shown = shown_name(missing, name);
        let row = missing.slots.row(&[
            ("monban.source", name.to_owned()),
            ("absence.name", shown.to_owned()),
            ("absence.kind", self.kind.as_str().to_owned()),
            ("absence.planned", plan.is_some().to_string()),
            ("absence.span", span_text(now - from)),
            ("absence.reason", plan.map_or("計画停止の登録はありません", |plan| plan.reason.as_str()).to_owned()),
        ]);
        spoken_finding(missing, &row, (from, now), name, vec![self.last_event])
    }

    fn hear(&mut self, event: &Event, now_us: i64) {
        let day = jst_date(from_us(now_us)).num_days_from_ce();
        let gap = now_us.saturating_sub(self.last_us);
        *self.gaps.entry(day).or_default().entry(bucket(gap)).or_default() += 1;
        while self.gaps.first_key_value().is_some_and(|(&first, _)| first <= day - LEARNED_DAYS) {
            self.gaps.pop_first();
        }
        self.kind = self.kind.max(Kind::of(event));
        (self.last_us, self.last_event) = (self.last_us.max(now_us), event.id);
        (self.open, self.told_together) = (false, false);
    }

    /// The longest gap but for one odd day, µs, to within a fifth: what is switched off every night, or over every weekend,
    /// is not missed then.
    fn usual_us(&self) -> i64 {
        let longest = |gaps: &BTreeMap<u8, u32>| gaps.last_key_value().map_or(0, |(&bucket, _)| upper_end_us(bucket));
        let mut days: Vec<i64> = self.gaps.values().map(longest).collect();
        days.sort_unstable_by_key(|&gap| std::cmp::Reverse(gap));
        days.get(1).copied().unwrap_or(0)
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
