//! The tables of the month: sources, logins, VPN sessions, findings with their carry-over, and who looked at the logs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::act::Deed;
use monban_event::event::Field;
use monban_event::time::{Month, jst_date};
use monban_event::{FindingStatus, TimeRange, VpnSession};
use monban_index::ledger::{
    FindingDetail, FindingFilter, FindingRow, LedgerReader, ReviewRow, SilenceRow, SourceHour, SourceRow,
};

use crate::figures::{AFTER_HOURS, ALL, Counter, FAILURE, SUCCESS, UNPARSED};
use crate::model::{
    CarryOver, FindingLine, LoginClassLine, LoginKindLine, ReviewLine, SilenceLine, SourceLine, TrailLine, VpnClassLine,
};
use crate::summarize::AuditError;
use crate::wording;

/// Acts of the trail read for one month: far above what some dozen people and a few machines do in it.
const TRAIL_ROWS_MAX: usize = 100_000;

/// The part of the month that has already happened: `[start, end)`.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
}

impl Span {
    pub(crate) fn of(month: Month, now: DateTime<Utc>) -> Self {
        let start = month.start();
        Self { start, end: month.next().start().min(now).max(start) }
    }

    fn clip_seconds(self, from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
        let seconds = (to.min(self.end) - from.max(self.start)).num_seconds();
        u64::try_from(seconds).unwrap_or(0)
    }
}

/// In and out of silence, over all sources that send by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    pub(crate) scope_seconds: u64,
    pub(crate) silent_seconds: u64,
    pub(crate) silences: u64,
}

pub(crate) fn sources(
    counter: &Counter<'_>,
    reader: &LedgerReader<'_>,
    month: Month,
    span: Span,
) -> Result<(Vec<SourceLine>, Coverage), AuditError> {
    let records: BTreeMap<String, u64> = counter.top(ALL, Field::SourceId)?.into_iter().collect();
    let unparsed: BTreeMap<String, u64> = counter.top(UNPARSED, Field::SourceId)?.into_iter().collect();
    let hours = reader.source_hours(month.range())?;
    let silences = reader.silences(TimeRange::between(span.start, span.end))?;
    let mut coverage = Coverage::default();
    let mut lines = Vec::new();
    for row in reader.sources()? {
        let count = records.get(&row.id).copied().unwrap_or(0);
        if count == 0 && row.first_seen >= span.end {
            continue;
        }
        let silences: Vec<&SilenceRow> = silences.iter().filter(|silence| silence.source == row.id).collect();
        let hours: Vec<&SourceHour> = hours.iter().filter(|hour| hour.source == row.id).collect();
        let mut line = source_line(&row, month, span, &hours, &silences);
        line.records = count;
        line.unparsed = unparsed.get(&row.id).copied().unwrap_or(0);
        line.collecting = count > 0 && line.silences.iter().all(|silence| silence.ended.is_some());
        if row.origin != "import" {
            coverage.scope_seconds += span.clip_seconds(row.first_seen, span.end);
            coverage.silent_seconds += line.silences.iter().map(|silence| silence.seconds).sum::<u64>();
            coverage.silences += line.silences.len() as u64;
        }
        lines.push(line);
    }
    Ok((lines, coverage))
}

fn source_line(
    row: &SourceRow,
    month: Month,
    span: Span,
    hours: &[&SourceHour],
    silences: &[&SilenceRow],
) -> SourceLine {
    let days = days(row, month, span, hours);
    SourceLine {
        id: row.id.clone(),
        name: row.name.clone(),
        product: row.product.clone().or_else(|| row.vendor.clone()),
        transport: row.transport.clone(),
        origin: row.origin.clone(),
        listed: row.listed,
        records: 0,
        unparsed: 0,
        days_received: days.iter().filter(|day| day.is_some_and(|count| count > 0)).count() as u64,
        days_expected: days.iter().flatten().count() as u64,
        last_hour: hours.iter().map(|hour| hour.hour).max().and_then(|hour| DateTime::from_timestamp(hour * 3600, 0)),
        skew_mean_s: row.skew_mean_s,
        skew_max_s: row.skew_max_s,
        collecting: false,
        silences: silences.iter().map(|silence| silence_line(silence, span)).collect(),
        days,
    }
}

fn silence_line(silence: &SilenceRow, span: Span) -> SilenceLine {
    let ended = silence.ended.filter(|ended| *ended <= span.end);
    SilenceLine {
        started: silence.started,
        ended,
        seconds: span.clip_seconds(silence.started, ended.unwrap_or(span.end)),
    }
}

/// Records per day. A day without any is expected to have some once the source is known; of an import nothing is
/// expected, so its empty days are `None`.
fn days(row: &SourceRow, month: Month, span: Span, hours: &[&SourceHour]) -> Vec<Option<u64>> {
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for hour in hours {
        let since = DateTime::from_timestamp(hour.hour * 3600, 0).unwrap_or_default() - month.start();
        *counts.entry(since.num_days()).or_default() += hour.records;
    }
    let expected = |day: i64| {
        let start = month.start() + TimeDelta::days(day);
        row.origin != "import" && start < span.end && jst_date(start) >= jst_date(row.first_seen)
    };
    (0..month.days()).map(|day| counts.get(&day).copied().or_else(|| expected(day).then_some(0))).collect()
}

pub(crate) fn logins_by_class(counter: &Counter<'_>) -> Result<Vec<LoginClassLine>, AuditError> {
    let field = Field::AccountClass;
    let success = with_rest(counter.top(SUCCESS, field)?, counter.count(SUCCESS)?);
    let after_hours = with_rest(counter.top(AFTER_HOURS, field)?, counter.count(AFTER_HOURS)?);
    let failure = with_rest(counter.top(FAILURE, field)?, counter.count(FAILURE)?);
    let classes: BTreeSet<&String> = success.keys().chain(after_hours.keys()).chain(failure.keys()).collect();
    let count = |of: &BTreeMap<String, u64>, class: &String| of.get(class).copied().unwrap_or(0);
    let mut lines: Vec<LoginClassLine> = classes
        .into_iter()
        .map(|class| LoginClassLine {
            class: class.clone(),
            class_ja: wording::account_class(class).to_owned(),
            success: count(&success, class),
            success_after_hours: count(&after_hours, class),
            failure: count(&failure, class),
        })
        .collect();
    lines.sort_by(|a, b| b.success.cmp(&a.success).then_with(|| a.class.cmp(&b.class)));
    Ok(lines)
}

/// The counts by value, and under "" what has no value, so that the column adds up to `whole`.
fn with_rest(values: Vec<(String, u64)>, whole: u64) -> BTreeMap<String, u64> {
    let named: u64 = values.iter().map(|(_, count)| count).sum();
    let mut counts: BTreeMap<String, u64> = values.into_iter().collect();
    if whole > named {
        counts.insert(String::new(), whole - named);
    }
    counts
}

pub(crate) fn logins_by_kind(counter: &Counter<'_>) -> Result<Vec<LoginKindLine>, AuditError> {
    let success = with_rest(counter.top(SUCCESS, Field::LoginKind)?, counter.count(SUCCESS)?);
    let failure = with_rest(counter.top(FAILURE, Field::LoginKind)?, counter.count(FAILURE)?);
    let kinds: BTreeSet<&String> = success.keys().chain(failure.keys()).collect();
    let mut lines = Vec::new();
    for kind in kinds {
        lines.push(LoginKindLine {
            kind: kind.clone(),
            kind_ja: wording::login_kind(kind).to_owned(),
            logon_type: None,
            success: success.get(kind).copied().unwrap_or(0),
            failure: failure.get(kind).copied().unwrap_or(0),
        });
        if kind == "windows" {
            lines.extend(windows_types(counter)?);
        }
    }
    Ok(lines)
}

fn windows_types(counter: &Counter<'_>) -> Result<Vec<LoginKindLine>, AuditError> {
    let of = |outcome: &str| -> Result<BTreeMap<String, u64>, AuditError> {
        let text = format!("{outcome} AND monban.login_kind:windows");
        Ok(counter.top(&text, Field::WinlogLogonType)?.into_iter().collect())
    };
    let (success, failure) = (of(SUCCESS)?, of(FAILURE)?);
    let mut types: Vec<&String> = success.keys().chain(failure.keys()).collect();
    types.sort_by_key(|number| (number.parse::<u64>().unwrap_or(u64::MAX), number.as_str()));
    types.dedup();
    let line = |number: &String| LoginKindLine {
        kind: "windows".to_owned(),
        kind_ja: wording::login_kind("windows").to_owned(),
        logon_type: Some(number.clone()),
        success: success.get(number).copied().unwrap_or(0),
        failure: failure.get(number).copied().unwrap_or(0),
    };
    Ok(types.into_iter().map(line).collect())
}

pub(crate) fn vpn_by_class(sessions: &[VpnSession], span: Span) -> Vec<VpnClassLine> {
    let mut lines: BTreeMap<&str, (VpnClassLine, BTreeSet<&str>)> = BTreeMap::new();
    for session in sessions {
        let (line, users) = lines.entry(&session.account_class).or_default();
        let ended = session.ended.filter(|ended| *ended <= span.end);
        let seconds = span.clip_seconds(session.started, ended.unwrap_or(session.last_seen));
        users.insert(&session.user);
        line.sessions += 1;
        line.after_hours += u64::from(session.after_hours);
        line.seconds_total += seconds;
        line.seconds_longest = line.seconds_longest.max(seconds);
        line.bytes_in += session.bytes_sent.unwrap_or(0);
        line.bytes_out += session.bytes_received.unwrap_or(0);
        line.open += u64::from(ended.is_none());
    }
    let finish = |(class, (mut line, users)): (&str, (VpnClassLine, BTreeSet<&str>))| {
        class.clone_into(&mut line.class);
        wording::account_class(class).clone_into(&mut line.class_ja);
        line.users = users.len() as u64;
        line
    };
    lines.into_iter().map(finish).collect()
}

/// Findings first seen in the month, worst first, and the carry-over of all findings up to then.
pub(crate) fn findings(
    reader: &LedgerReader<'_>,
    span: Span,
    now: DateTime<Utc>,
) -> Result<(Vec<FindingLine>, CarryOver), AuditError> {
    let filter = FindingFilter { range: TimeRange { from: None, to: Some(span.end) }, ..FindingFilter::default() };
    let mut lines = Vec::new();
    let mut carry = CarryOver::default();
    let is_one = |row: &FindingRow| row.status != FindingStatus::Withdrawn;
    for row in reader.findings(&filter)?.into_iter().filter(is_one) {
        let Some(detail) = reader.finding(&row.id)? else { continue };
        count_carry(&mut carry, &detail, span, now);
        if row.first >= span.start {
            lines.push(finding_line(detail, now));
        }
    }
    Ok((lines, carry))
}

fn count_carry(carry: &mut CarryOver, detail: &FindingDetail, span: Span, now: DateTime<Utc>) {
    // What an exception covers waits for nobody until somebody takes it up.
    let is_classified = detail.finding.classified.is_some();
    let open_at = |time: DateTime<Utc>| match status_at(&detail.reviews, time) {
        FindingStatus::Open => !is_classified,
        status => !status.is_closed(),
    };
    let carried_in = detail.finding.first < span.start && open_at(span.start);
    let carried_out = open_at(span.end);
    let closed_between = detail
        .reviews
        .iter()
        .any(|review| review.status.is_closed() && review.at >= span.start && review.at < span.end);
    // What was closed before the month and opened again in it occurs again; if it was also closed again it completes.
    let reopened = detail.finding.first < span.start && !carried_in && (carried_out || closed_between);
    let occurred = detail.finding.first >= span.start || reopened;
    carry.carried_in += u64::from(carried_in);
    carry.occurred += u64::from(occurred);
    carry.completed += u64::from((carried_in || occurred) && !carried_out);
    carry.carried_out += u64::from(carried_out);
    carry.completed_since += u64::from(carried_out && !open_at(now));
}

/// The status a finding had just before `time`.
fn status_at(reviews: &[ReviewRow], time: DateTime<Utc>) -> FindingStatus {
    reviews.iter().rev().find(|review| review.at < time).map_or(FindingStatus::Open, |review| review.status)
}

fn finding_line(detail: FindingDetail, now: DateTime<Utc>) -> FindingLine {
    let status = status_at(&detail.reviews, now + TimeDelta::microseconds(1));
    let row = detail.finding;
    let needs_person = row.needs_person();
    FindingLine {
        id: row.id.0,
        rule_id: row.rule_id.0,
        title: row.rule_title,
        severity: row.severity.as_str().to_owned(),
        severity_ja: row.severity.japanese(),
        needs_person,
        classified: row.classified,
        subject: row.subject,
        object: row.object,
        first: row.first,
        last: row.last,
        count: row.count,
        summary: row.summary,
        status,
        status_ja: status.japanese(),
        reviews: detail.reviews.into_iter().map(review_line).collect(),
    }
}

fn review_line(row: ReviewRow) -> ReviewLine {
    ReviewLine { at: row.at, by: row.by, status_ja: row.status.japanese(), reason: row.reason, note: row.note }
}

/// Who used this product in the month. Acts of the program itself are left out.
pub(crate) fn trail(reader: &LedgerReader<'_>, range: TimeRange) -> Result<Vec<TrailLine>, AuditError> {
    let mut lines: BTreeMap<String, TrailLine> = BTreeMap::new();
    for row in reader.trail(range, TRAIL_ROWS_MAX)?.into_iter().rev() {
        let Ok(deed) = serde_json::from_str::<Deed>(&row.deed) else { continue };
        let line = lines.entry(row.by.clone()).or_insert_with(|| TrailLine {
            by: row.by,
            logins: 0,
            refused: 0,
            searches: 0,
            views: 0,
            exports: Vec::new(),
            reviews: 0,
        });
        match deed {
            Deed::LoggedIn { .. } => line.logins += 1,
            Deed::LoginRefused { .. } => line.refused += 1,
            Deed::Searched { .. } => line.searches += 1,
            Deed::Viewed { .. } => line.views += 1,
            Deed::Exported { what, form, .. } => {
                line.exports.push(format!("{} {what}（{form}）", wording::minute_stamp(row.at)));
            }
            Deed::Review { .. } => line.reviews += 1,
            _ => {}
        }
    }
    Ok(lines.into_values().filter(|line| !is_idle(line)).collect())
}

fn is_idle(line: &TrailLine) -> bool {
    line.logins + line.refused + line.searches + line.views + line.reviews == 0 && line.exports.is_empty()
}

/// Program and rule versions of the last start that the ledger knows.
pub(crate) fn epoch(reader: &LedgerReader<'_>) -> Result<Option<(String, String)>, AuditError> {
    let acts = reader.trail(TimeRange::default(), TRAIL_ROWS_MAX)?;
    Ok(acts.iter().find_map(|row| match serde_json::from_str(&row.deed) {
        Ok(Deed::Epoch { program_version, rules, .. }) => Some((program_version, rules)),
        _ => None,
    }))
}
