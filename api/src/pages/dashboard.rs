//! The first page: what is to be done today, at most five things, and whether the devices send.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::{IntoResponse, Redirect};
use chrono::{DateTime, TimeDelta, Utc};
use monban_audit::wording;
use monban_event::exception::EXPIRY_NOTICE;
use monban_event::time::{JST, Month, jst_date, jst_midnight};
use monban_event::{FindingStatus, Severity, TimeRange};
use monban_index::ledger::{ExceptionRow, FindingFilter, FindingRow, LedgerReader, SilenceRow, SourceHour, SourceRow};

use super::frame::{Frame, Page};
use super::html;
use super::sources::State;
use crate::app::{Answer, Visit};
use crate::auth::role::Scope;
use crate::limits::DASHBOARD_SOURCES;
use crate::problem::Problem;
use crate::view::{chart, words};

/// More than five things are not done in three minutes; what is left is said and linked.
const TASKS_MAX: usize = 5;

const HOURS: i64 = 24;
const DAYS: i64 = 7;

#[derive(Template)]
#[template(path = "dashboard.html")]
struct DashboardPage {
    frame: Frame,
    today: String,
    tasks: Vec<Task>,
    left_out: usize,
    rate: String,
    sources: SourceCounts,
    sessions: String,
    sessions_classes: String,
    open: String,
    needed: String,
    receipt: Receipt,
    week: Week,
}

struct Task {
    tag: &'static str,
    class: &'static str,
    text: String,
    detail: String,
    href: String,
    act: &'static str,
}

struct SourceCounts {
    fine: usize,
    skewed: usize,
    silent: usize,
}

/// Bars of receipt, a row a source.
struct Receipt {
    rows: Vec<ReceiptRow>,
    ticks: Vec<(String, String)>,
    height: usize,
    label_y: usize,
    left_out: usize,
    hours: Vec<String>,
}

struct ReceiptRow {
    name: String,
    short: String,
    top: usize,
    text_y: usize,
    bars: Vec<ReceiptBar>,
    gaps: Vec<(String, String)>,
    counts: Vec<String>,
    total: String,
}

struct ReceiptBar {
    x: String,
    y: String,
    height: String,
    title: String,
}

/// Findings of the last days, a column a day.
struct Week {
    days: Vec<WeekDay>,
    /// Where the drawing begins and how high it is: a quiet week needs little room.
    top: u64,
    height: u64,
}

struct WeekDay {
    x: u64,
    middle: u64,
    label: String,
    total: String,
    total_y: u64,
    boxes: Vec<(u64, u64, &'static str)>,
    counts: [String; 5],
}

pub(crate) async fn show(visit: Visit) -> Answer {
    visit
        .run(|visit| {
            if !visit.who.may(Scope::FindingsRead) {
                return Ok(Redirect::to("/sources").into_response());
            }
            html(&answer(visit)?)
        })
        .await
}

fn answer(visit: &Visit) -> Result<DashboardPage, Problem> {
    let now = visit.app.now();
    let ledger = visit.app.ledger()?;
    let day = TimeRange::between(now - TimeDelta::hours(HOURS), now);
    let sources = ledger.sources()?;
    let silences = ledger.silences(day)?;
    let mut tasks = tasks(&ledger, &sources, &silences, now)?;
    let left_out = tasks.len().saturating_sub(TASKS_MAX);
    tasks.truncate(TASKS_MAX);
    let counts = ledger.finding_counts()?;
    let (sessions, sessions_classes) = sessions(&ledger, day)?;
    let date = now.with_timezone(&JST);
    Ok(DashboardPage {
        frame: Frame::of(visit, "ダッシュボード", Page::Dashboard)?,
        today: format!("{} {}", date.format("%-m/%-d"), wording::weekday(now)),
        tasks,
        left_out,
        rate: format!("{:.1}", (visit.app.services.health)().records_per_second),
        sources: source_counts(&sources, &silences),
        sessions,
        sessions_classes,
        open: wording::count(counts.first().copied().unwrap_or(0)),
        needed: wording::count(counts.get(1).copied().unwrap_or(0)),
        receipt: receipt(
            &sources,
            &ledger.source_hours(TimeRange::between(now - TimeDelta::hours(HOURS), now + TimeDelta::hours(1)))?,
            &silences,
            now,
        ),
        week: week(&ledger, now)?,
    })
}

/// Worst first: findings that need a person, by rule; devices gone silent; the month that waits.
fn tasks(
    ledger: &LedgerReader<'_>,
    sources: &[SourceRow],
    silences: &[SilenceRow],
    now: DateTime<Utc>,
) -> Result<Vec<Task>, Problem> {
    let mut tasks = finding_tasks(ledger)?;
    tasks.extend(silence_tasks(sources, silences, now));
    tasks.extend(month_task(ledger, now)?);
    tasks.extend(exception_tasks(ledger, now)?);
    Ok(tasks)
}

/// Exceptions that end within the month, while somebody can still look at them again.
fn exception_tasks(ledger: &LedgerReader<'_>, now: DateTime<Utc>) -> Result<Vec<Task>, Problem> {
    let rows = ledger.exceptions()?;
    let soon = rows.iter().filter(|row| row.is_in_force(now) && row.until - now <= EXPIRY_NOTICE);
    let task = |row: &ExceptionRow| Task {
        tag: "例外",
        class: "low",
        text: format!("例外 {} の期限まで {} です", row.id, wording::left(row.until - now)),
        detail: format!("{}　責任者 {}", monban_audit::scope_text(&row.scope), row.owner),
        href: "/exceptions".to_owned(),
        act: "見直す",
    };
    Ok(soon.map(task).collect())
}

fn finding_tasks(ledger: &LedgerReader<'_>) -> Result<Vec<Task>, Problem> {
    let filter = FindingFilter { status: Some(FindingStatus::Open), ..FindingFilter::default() };
    let rows = ledger.findings(&filter)?;
    let mut groups: Vec<(String, Vec<&FindingRow>)> = Vec::new();
    for row in rows.iter().filter(|row| row.needs_person()) {
        match groups.iter_mut().find(|(rule, _)| *rule == row.rule_id.as_str()) {
            Some((_, group)) => group.push(row),
            None => groups.push((row.rule_id.to_string(), vec![row])),
        }
    }
    Ok(groups.iter().filter_map(|(rule, group)| finding_task(rule, group)).collect())
}

fn finding_task(rule: &str, group: &[&FindingRow]) -> Option<Task> {
    let first = group.first()?;
    let alone = group.len() == 1;
    let subject = if first.subject.is_empty() { String::new() } else { format!(" — {}", first.subject) };
    let text = match group.len() {
        1 => format!("{}{subject}（{}件）", first.rule_title, wording::count(first.count)),
        many => format!("{}{subject} ほか（検知 {many} 件）", first.rule_title),
    };
    Some(Task {
        tag: first.severity.japanese(),
        class: words::severity_class(first.severity),
        text,
        detail: format!("{}　{}", wording::minute_stamp(first.last), first.summary),
        href: if alone {
            format!("/findings/{}", first.id)
        } else {
            crate::view::link::with("/findings", &[("rule", rule)])
        },
        act: if alone { "確認する" } else { "まとめて確認" },
    })
}

fn silence_tasks(sources: &[SourceRow], silences: &[SilenceRow], now: DateTime<Utc>) -> Vec<Task> {
    let open = silences.iter().filter(|silence| silence.ended.is_none());
    let task = |silence: &SilenceRow| {
        let source = sources.iter().find(|source| source.id == silence.source)?;
        Some(Task {
            tag: "停止",
            class: "off",
            text: format!("{} からのログが {} ありません", source.name, wording::length(now - silence.started)),
            detail: format!("最終 {}", wording::minute_stamp(silence.started)),
            href: "/sources".to_owned(),
            act: "機器を見る",
        })
    };
    open.filter_map(task).collect()
}

/// Last month's audit, while findings of it wait for a decision.
fn month_task(ledger: &LedgerReader<'_>, now: DateTime<Utc>) -> Result<Option<Task>, Problem> {
    let month = Month::of(now).previous();
    let rows = ledger.findings(&FindingFilter { range: month.range(), ..FindingFilter::default() })?;
    let waits = |row: &&FindingRow| month.range().contains(row.first) && row.waits();
    let open = rows.iter().filter(waits).count() as u64;
    Ok((open > 0).then(|| Task {
        tag: "月次",
        class: "low",
        text: format!("{}月分の監査報告書に、判断の終わっていない検知があります", month.month()),
        detail: format!("人の判断が必要なもの {} 件", wording::count(open)),
        href: format!("/audits/{month}"),
        act: "開く",
    }))
}

fn source_counts(sources: &[SourceRow], silences: &[SilenceRow]) -> SourceCounts {
    let is_silent =
        |row: &SourceRow| silences.iter().any(|silence| silence.source == row.id && silence.ended.is_none());
    let states: Vec<State> = sources.iter().map(|row| State::of(row, is_silent(row))).collect();
    let of = |state| states.iter().filter(|found| **found == state).count();
    SourceCounts { fine: of(State::Fine) + of(State::Imported), skewed: of(State::Skewed), silent: of(State::Silent) }
}

/// VPN sessions of the last day whose end was not reported.
fn sessions(ledger: &LedgerReader<'_>, range: TimeRange) -> Result<(String, String), Problem> {
    let sessions = ledger.sessions(range)?;
    let mut classes: BTreeMap<&str, u64> = BTreeMap::new();
    for session in sessions.iter().filter(|session| session.ended.is_none()) {
        *classes.entry(wording::account_class(&session.account_class)).or_default() += 1;
    }
    let words: Vec<String> = classes.iter().map(|(class, count)| format!("{class} {count}")).collect();
    Ok((wording::count(classes.values().sum()), words.join("・")))
}

const ROW_STEP: usize = 38;
const ROW_HEIGHT_TENTHS: u64 = 280;
const HOUR_TENTHS: i64 = 190;
const LEFT_TENTHS: i64 = 1100;

fn receipt(sources: &[SourceRow], hours: &[SourceHour], silences: &[SilenceRow], now: DateTime<Utc>) -> Receipt {
    let last = now.timestamp().div_euclid(3600);
    let first = last - HOURS + 1;
    let mut sending: Vec<&SourceRow> = sources.iter().filter(|row| row.origin != "import").collect();
    let volume =
        |row: &SourceRow| hours.iter().filter(|hour| hour.source == row.id).map(|hour| hour.records).sum::<u64>();
    sending.sort_by_key(|row| {
        (std::cmp::Reverse(silences.iter().any(|gap| gap.source == row.id)), std::cmp::Reverse(volume(row)))
    });
    let left_out = sending.len().saturating_sub(DASHBOARD_SOURCES);
    let rows: Vec<ReceiptRow> = sending
        .iter()
        .take(DASHBOARD_SOURCES)
        .enumerate()
        .map(|(index, row)| receipt_row(index, row, hours, silences, (first, last), now))
        .collect();
    let label = |hour: i64| {
        let start = DateTime::from_timestamp(hour * 3600, 0).unwrap_or_default().with_timezone(&JST);
        start.format("%-H時").to_string()
    };
    let ticks = (first..=last).step_by(6).map(|hour| (signed_tenths(hour_x(hour - first)), label(hour))).collect();
    let height = rows.len() * ROW_STEP + 22;
    Receipt { ticks, height, label_y: height - 5, left_out, hours: (first..=last).map(label).collect(), rows }
}

fn hour_x(hours: i64) -> i64 {
    LEFT_TENTHS + hours * HOUR_TENTHS
}

fn signed_tenths(value: i64) -> String {
    chart::tenths(value.max(0).unsigned_abs())
}

fn receipt_row(
    index: usize,
    row: &SourceRow,
    hours: &[SourceHour],
    silences: &[SilenceRow],
    (first, last): (i64, i64),
    now: DateTime<Utc>,
) -> ReceiptRow {
    let counts: BTreeMap<i64, u64> =
        hours.iter().filter(|hour| hour.source == row.id).map(|hour| (hour.hour, hour.records)).collect();
    let best = counts.values().copied().max().unwrap_or(0);
    let bar = |hour: i64| {
        let count = counts.get(&hour).copied().filter(|count| *count > 0)?;
        let height = chart::height(count, best, ROW_HEIGHT_TENTHS);
        let start = DateTime::from_timestamp(hour * 3600, 0).unwrap_or_default();
        Some(ReceiptBar {
            x: signed_tenths(hour_x(hour - first) + 10),
            y: chart::tenths(ROW_HEIGHT_TENTHS + 20 - height),
            height: chart::tenths(height),
            title: format!("{} {}台 {} 件", row.name, wording::minute_stamp(start), wording::count(count)),
        })
    };
    let gap = |silence: &SilenceRow| {
        let at = |time: DateTime<Utc>| LEFT_TENTHS + (time.timestamp() - first * 3600) * HOUR_TENTHS / 3600;
        let from = at(silence.started).clamp(LEFT_TENTHS, hour_x(HOURS));
        let to = at(silence.ended.unwrap_or(now)).clamp(from, hour_x(HOURS));
        (signed_tenths(from), signed_tenths((to - from).max(20)))
    };
    let short: String = row.name.chars().take(12).collect();
    ReceiptRow {
        short,
        name: row.name.clone(),
        top: index * ROW_STEP,
        text_y: index * ROW_STEP + 21,
        bars: (first..=last).filter_map(bar).collect(),
        gaps: silences.iter().filter(|silence| silence.source == row.id).map(gap).collect(),
        counts: (first..=last).map(|hour| wording::count(counts.get(&hour).copied().unwrap_or(0))).collect(),
        total: wording::count(counts.values().sum()),
    }
}

const WEEK_BOXES: u64 = 6;

fn week(ledger: &LedgerReader<'_>, now: DateTime<Utc>) -> Result<Week, Problem> {
    let today = jst_midnight(jst_date(now));
    let from = today - TimeDelta::days(DAYS - 1);
    let rows = ledger
        .findings(&FindingFilter { range: TimeRange { from: Some(from), to: None }, ..FindingFilter::default() })?;
    let day = |index: i64| {
        let start = from + TimeDelta::days(index);
        let range = TimeRange::between(start, start + TimeDelta::days(1));
        let counts = Severity::ALL.map(|severity| {
            rows.iter().filter(|row| row.severity == severity && range.contains(row.first)).count() as u64
        });
        week_day(index.unsigned_abs(), start, counts)
    };
    let days: Vec<WeekDay> = (0..DAYS).map(day).collect();
    let top = days.iter().map(|day| day.total_y).min().unwrap_or(0).saturating_sub(16).min(90);
    Ok(Week { days, top, height: 206 - top })
}

/// A column: a box a finding while there are few, a box a share when there are many; the worst on top.
fn week_day(index: u64, start: DateTime<Utc>, counts: [u64; 5]) -> WeekDay {
    let shown: u64 = counts.iter().sum();
    let per_box = shown.div_ceil(WEEK_BOXES).max(1);
    let mut boxes = Vec::new();
    let mut y = 176;
    for (severity, count) in Severity::ALL.into_iter().zip(counts) {
        for _ in 0..count.div_ceil(per_box) {
            y -= 24;
            boxes.push((y, 20, words::severity_class(severity)));
        }
    }
    let x = 20 + index * 46;
    WeekDay {
        x,
        middle: x + 16,
        label: start.with_timezone(&JST).format("%-d日").to_string(),
        total: wording::count(shown),
        total_y: y - 6,
        boxes,
        counts: counts.map(wording::count),
    }
}
