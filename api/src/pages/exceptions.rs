//! 例外と災害モード: what was declared to be in order, by whom, until when; the form with its preview; and disasters.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query as Params};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use monban_audit::wording;
use monban_event::exception::{EXCEPTION_MONTHS_MAX, EXPIRY_NOTICE, PREVIEW};
use monban_event::time::JST;
use monban_index::ledger::{DisasterRow, ExceptionRow, FindingRow};

use super::frame::{Frame, Page};
use super::html;
use crate::app::{Answer, Visit};
use crate::auth::role::Scope;
use crate::exceptions::{self, Declared, Ending, Wanted};
use crate::limits::PREVIEW_SHOWN;
use crate::problem::Problem;
use crate::view::{link, words};

#[derive(Template)]
#[template(path = "exceptions.html")]
struct ExceptionsPage {
    frame: Frame,
    in_force: Vec<Line>,
    over: Vec<Line>,
    disasters: Vec<DisasterLine>,
    /// One is under way.
    in_disaster: bool,
    may_review: bool,
    error: Option<String>,
}

struct Line {
    id: String,
    rule: String,
    title: String,
    /// About whom, against what, from where.
    about: String,
    reason: String,
    owner: String,
    by: String,
    span: String,
    /// Words and the style of their tag.
    state: String,
    class: &'static str,
    findings_href: String,
}

struct DisasterLine {
    id: String,
    reason: String,
    span: String,
    by: String,
    state: &'static str,
    class: &'static str,
    under_way: bool,
}

#[derive(Template)]
#[template(path = "exception_new.html")]
struct NewPage {
    frame: Frame,
    wanted: Wanted,
    title: String,
    /// The latest day there may be.
    latest: String,
    months: u32,
    days: i64,
    preview: Option<Preview>,
    /// Everything is right, and only the last word is missing.
    ready: bool,
    error: Option<String>,
}

struct Preview {
    count: String,
    need_person: String,
    rows: Vec<PreviewRow>,
    left_out: usize,
}

struct PreviewRow {
    href: String,
    severity: &'static str,
    class: &'static str,
    subject: String,
    when: String,
    summary: String,
}

pub(crate) async fn list(visit: Visit) -> Answer {
    visit.run(|visit| html(&page(visit, None)?)).await
}

fn page(visit: &Visit, error: Option<String>) -> Result<ExceptionsPage, Problem> {
    let now = visit.app.now();
    let ledger = visit.app.ledger()?;
    let is_over = |row: &ExceptionRow| row.ended.is_some() || row.until <= now;
    let (over, in_force): (Vec<ExceptionRow>, Vec<ExceptionRow>) = ledger.exceptions()?.into_iter().partition(is_over);
    let disasters = ledger.disasters()?;
    Ok(ExceptionsPage {
        frame: Frame::of(visit, "例外と災害モード", Page::Exceptions)?,
        in_force: in_force.iter().map(|row| line(visit, row, now)).collect(),
        over: over.iter().map(|row| line(visit, row, now)).collect(),
        in_disaster: disasters.iter().any(|row| row.until > now),
        disasters: disasters.iter().map(|row| disaster_line(row, now)).collect(),
        may_review: visit.who.may(Scope::FindingsReview),
        error,
    })
}

fn line(visit: &Visit, row: &ExceptionRow, now: DateTime<Utc>) -> Line {
    let (state, class) = state(row, now);
    Line {
        id: row.id.clone(),
        rule: row.scope.rule.to_string(),
        title: visit.app.services.rules.title(&row.scope.rule).unwrap_or_default(),
        about: about(&row.scope),
        reason: row.reason.clone(),
        owner: row.owner.clone(),
        by: format!("{} {}", row.by, wording::day_stamp(row.granted)),
        span: wording::span(row.from, row.until),
        state,
        class,
        findings_href: link::with("/findings", &[("status", "all"), ("exception", &row.id)]),
    }
}

fn about(scope: &monban_event::Scope) -> String {
    let text = monban_audit::scope_text(scope);
    text.split_once('　').map_or_else(|| text.clone(), |(_, about)| about.to_owned())
}

fn state(row: &ExceptionRow, now: DateTime<Utc>) -> (String, &'static str) {
    if let Some(ended) = &row.ended {
        let text = format!("{} に {} が取り消し（{}）", wording::day_stamp(ended.at), ended.by, ended.reason);
        return (text, "low");
    }
    if row.until <= now {
        return ("期限切れ".to_owned(), "low");
    }
    if row.from > now {
        return ("開始前".to_owned(), "low");
    }
    let left = row.until - now;
    if left <= EXPIRY_NOTICE {
        return (format!("期限まで {}", wording::left(left)), "mid");
    }
    ("有効".to_owned(), "ok")
}

fn disaster_line(row: &DisasterRow, now: DateTime<Utc>) -> DisasterLine {
    let under_way = row.until > now;
    DisasterLine {
        id: row.id.clone(),
        reason: row.reason.clone(),
        span: wording::span(row.from, row.until),
        by: format!("{} {}", row.by, wording::day_stamp(row.declared)),
        state: if under_way { "災害モード中" } else { "終了" },
        class: if under_way { "mid" } else { "low" },
        under_way,
    }
}

/// The form, with what the address fills in.
pub(crate) async fn begin(visit: Visit, Params(wanted): Params<Wanted>) -> Answer {
    visit
        .run(move |visit| {
            let owner = if wanted.owner.is_empty() { visit.who.display.clone() } else { wanted.owner.clone() };
            let wanted = Wanted { owner, ..wanted };
            let preview = preview(visit, &wanted).ok();
            html(&new_page(visit, wanted, preview, None)?)
        })
        .await
}

/// The form once more with what the exception would classify; nothing is decided yet.
pub(crate) async fn look_ahead(visit: Visit, Form(wanted): Form<Wanted>) -> Answer {
    visit
        .run(move |visit| {
            if let Err(problem) = exceptions::check(visit, &wanted) {
                return refused(visit, wanted, problem);
            }
            let preview = preview(visit, &wanted)?;
            let page = NewPage { ready: true, ..new_page(visit, wanted, Some(preview), None)? };
            html(&page)
        })
        .await
}

pub(crate) async fn grant(visit: Visit, Form(wanted): Form<Wanted>) -> Answer {
    visit
        .run(move |visit| match exceptions::grant(visit, &wanted) {
            Ok(_) => Ok(Redirect::to("/exceptions").into_response()),
            Err(problem) => refused(visit, wanted, problem),
        })
        .await
}

fn refused(visit: &Visit, wanted: Wanted, problem: Problem) -> Answer {
    if !problem.status.is_client_error() {
        return Err(problem);
    }
    let preview = preview(visit, &wanted).ok();
    Ok(worded(html(&new_page(visit, wanted, preview, Some(problem.detail.clone()))?)?, &problem))
}

fn worded(mut response: Response, problem: &Problem) -> Response {
    *response.status_mut() = problem.status;
    response.extensions_mut().insert(crate::routes::Worded);
    response
}

fn new_page(
    visit: &Visit,
    wanted: Wanted,
    preview: Option<Preview>,
    error: Option<String>,
) -> Result<NewPage, Problem> {
    let today = visit.app.now().with_timezone(&JST).date_naive();
    let latest = today.checked_add_months(chrono::Months::new(EXCEPTION_MONTHS_MAX)).unwrap_or(today);
    Ok(NewPage {
        frame: Frame::of(visit, "例外の登録", Page::Exceptions)?,
        title: visit.app.services.rules.title(&monban_event::RuleId::new(wanted.rule.trim())).unwrap_or_default(),
        wanted,
        latest: latest.to_string(),
        months: EXCEPTION_MONTHS_MAX,
        days: PREVIEW.num_days(),
        preview,
        ready: false,
        error,
    })
}

fn preview(visit: &Visit, wanted: &Wanted) -> Result<Preview, Problem> {
    let rows = exceptions::preview(visit, &wanted.scope(visit)?)?;
    let need_person = rows.iter().filter(|row| row.needs_person()).count() as u64;
    Ok(Preview {
        count: wording::count(rows.len() as u64),
        need_person: wording::count(need_person),
        left_out: rows.len().saturating_sub(PREVIEW_SHOWN),
        rows: rows.iter().take(PREVIEW_SHOWN).map(preview_row).collect(),
    })
}

fn preview_row(row: &FindingRow) -> PreviewRow {
    let object = if row.object.is_empty() { String::new() } else { format!(" → {}", row.object) };
    PreviewRow {
        href: format!("/findings/{}", row.id),
        severity: row.severity.japanese(),
        class: words::severity_class(row.severity),
        subject: format!("{}{object}", row.subject),
        when: wording::minute_stamp(row.first),
        summary: row.summary.clone(),
    }
}

pub(crate) async fn end(visit: Visit, Path(id): Path<String>, Form(ending): Form<Ending>) -> Answer {
    visit.run(move |visit| done(visit, exceptions::end(visit, &id, &ending).map(drop))).await
}

pub(crate) async fn declare(visit: Visit, Form(declared): Form<Declared>) -> Answer {
    visit.run(move |visit| done(visit, exceptions::declare(visit, &declared).map(drop))).await
}

pub(crate) async fn end_disaster(visit: Visit, Path(id): Path<String>, Form(ending): Form<Ending>) -> Answer {
    visit.run(move |visit| done(visit, exceptions::end_disaster(visit, &id, &ending).map(drop))).await
}

/// Back to the list, or the list with what was wrong.
fn done(visit: &Visit, result: Result<(), Problem>) -> Answer {
    match result {
        Ok(()) => Ok(Redirect::to("/exceptions").into_response()),
        Err(problem) if problem.status.is_client_error() => {
            Ok(worded(html(&page(visit, Some(problem.detail.clone()))?)?, &problem))
        }
        Err(problem) => Err(problem),
    }
}

/// What a covered finding says of its exception.
pub(crate) fn classified_text(row: &ExceptionRow) -> String {
    format!(
        "例外 {} により自動分類しています（期限 {}、責任者 {}、理由 {}）",
        row.id,
        wording::until_stamp(row.until),
        row.owner,
        row.reason
    )
}
