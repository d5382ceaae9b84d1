//! 月次監査: the months there are, and the sheets of one of them.

use askama::Template;
use axum::extract::{Path, Query as Params};
use chrono::{DateTime, Utc};
use monban_audit::{AuditSettings, AuditSummary, Edition, Links, render_sheets, render_standalone, summarize, wording};
use monban_event::act::Deed;
use monban_event::time::Month;
use monban_index::ledger::FindingFilter;
use serde::Deserialize;

use super::frame::{Frame, Page};
use super::html;
use crate::app::{Answer, Visit};
use crate::language;
use crate::problem::Problem;

/// Months of the list: as long as acts are kept.
const MONTHS_MAX: usize = 60;

#[derive(Template)]
#[template(path = "audits.html")]
struct AuditsPage {
    frame: Frame,
    months: Vec<Line>,
}

struct Line {
    month: String,
    name: String,
    state: &'static str,
    findings: String,
    open: String,
    has_open: bool,
}

#[derive(Template)]
#[template(path = "month.html")]
struct MonthPage {
    frame: Frame,
    month: String,
    name: String,
    sheets: String,
    open: usize,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Form {
    /// Present: only the sheets, for the printer.
    print: Option<String>,
}

pub(crate) async fn list(visit: Visit) -> Answer {
    visit
        .run(|visit| {
            let months = months(visit)?;
            html(&AuditsPage { frame: Frame::of(visit, "月次監査", Page::Audits)?, months })
        })
        .await
}

/// From the first month of anything received to this one, newest first.
fn months(visit: &Visit) -> Result<Vec<Line>, Problem> {
    let now = visit.app.now();
    let ledger = visit.app.ledger()?;
    let first = ledger.sources()?.iter().map(|row| row.first_seen.min(row.last_event)).min();
    let findings = ledger.findings(&FindingFilter::default())?;
    let first = first.into_iter().chain(findings.iter().map(|row| row.first)).min().unwrap_or(now);
    let mut lines = Vec::new();
    let mut month = Month::of(now);
    while month >= Month::of(first) && lines.len() < MONTHS_MAX {
        let of_month: Vec<_> = findings.iter().filter(|row| month.range().contains(row.first)).collect();
        let open = of_month.iter().filter(|row| row.waits()).count();
        lines.push(Line {
            month: month.to_string(),
            name: wording::era_month(month),
            state: if now < month.next().start() { "途中" } else { "作成できます" },
            findings: wording::count(of_month.len() as u64),
            open: wording::count(open as u64),
            has_open: open > 0,
        });
        month = month.previous();
    }
    Ok(lines)
}

pub(crate) async fn show(visit: Visit, Path(month): Path<String>, Params(form): Params<Form>) -> Answer {
    visit
        .run(move |visit| {
            let month = Month::parse(&month).ok_or_else(|| Problem::not_found("月は 2026-10 のように指定します。"))?;
            let summary = summary(visit, month, visit.app.now())?;
            if form.print.is_some() {
                visit.act(Deed::Exported {
                    what: format!("月次監査 {month}"),
                    form: "html".to_owned(),
                    events: None,
                })?;
                let text = render_print(&summary)?;
                return Ok(axum::response::IntoResponse::into_response(axum::response::Html(text)));
            }
            visit.act(Deed::Viewed { what: format!("月次監査 {month}") })?;
            html(&MonthPage {
                frame: Frame::of(visit, "月次監査", Page::Audits)?,
                month: month.to_string(),
                name: wording::era_month(month),
                sheets: render_sheets(&summary, &Links::Pages(String::new()))?,
                open: summary.findings.iter().filter(|line| line.waits()).count(),
            })
        })
        .await
}

/// The sheets alone. The pages' policy allows no inline style, so the file's is exchanged for a link to the same rules.
fn render_print(summary: &AuditSummary) -> Result<String, Problem> {
    let whole = render_standalone(summary, &Links::Pages(String::new()))?;
    let linked = r#"<link rel="stylesheet" href="/assets/monban.css">"#;
    let (head, rest) = whole.split_once("<style>").unwrap_or((&whole, ""));
    let (_, body) = rest.split_once("</style>").unwrap_or(("", rest));
    Ok(format!("{head}{linked}{body}"))
}

/// The audit of a month, as this hospital is set up.
pub(crate) fn summary(visit: &Visit, month: Month, now: DateTime<Utc>) -> Result<AuditSummary, Problem> {
    let services = &visit.app.services;
    let name = &services.settings.checklist_edition;
    let edition = Edition::named(name)
        .ok_or_else(|| Problem::bad_request(format!("チェックリストの版「{name}」はこの版の門番にはありません。")))?;
    let receipt = services.proofs.receipt_before(month.next().start().min(now))?;
    let settings = AuditSettings { hospital: services.settings.hospital.clone(), edition, receipt };
    Ok(summarize(services.store.as_ref(), &services.ledger, &language::parse, month, &settings, now)?)
}
