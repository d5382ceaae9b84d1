//! 検知: the queue by status, and one finding with its reasons, its evidence and the form to decide it.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query as Params};
use axum::response::{IntoResponse, Redirect};
use monban_audit::wording;
use monban_event::act::Deed;
use monban_event::{EventId, FindingId, FindingStatus, Severity};
use monban_index::ledger::{FindingDetail, FindingFilter, FindingRow, PreviousVerdict, ReviewRow};
use serde::Deserialize;

use super::event::act;
use super::exceptions::classified_text;
use super::frame::{Frame, Page};
use super::html;
use crate::app::{Answer, Visit};
use crate::auth::role::Scope;
use crate::limits::{FINDINGS_SHOWN, NOTE_BYTES_MAX};
use crate::problem::Problem;
use crate::services::RuleText;
use crate::view::{describe, link, words};

#[derive(Template)]
#[template(path = "findings.html")]
struct FindingsPage {
    frame: Frame,
    tabs: Vec<Tab>,
    cards: Vec<Card>,
    total: String,
    left_out: usize,
    rules: usize,
    filtered: bool,
}

#[derive(Template)]
#[template(path = "finding.html")]
struct FindingPage {
    frame: Frame,
    card: Card,
    /// Address, time and sentence of each event.
    evidence: Vec<(String, String, String)>,
    evidence_left_out: usize,
    may_review: bool,
    statuses: Vec<(&'static str, &'static str)>,
    reasons: &'static [&'static str],
    error: Option<String>,
}

struct Tab {
    href: String,
    label: String,
    current: bool,
}

struct Card {
    id: String,
    href: String,
    severity: &'static str,
    class: &'static str,
    title: String,
    rule: String,
    subject: String,
    object: String,
    when: String,
    count: String,
    summary: String,
    status: &'static str,
    status_class: &'static str,
    text: RuleText,
    has_text: bool,
    history: Vec<String>,
    /// Address and words of the last verdict on the same thing.
    previous: Option<(String, String)>,
    /// What the exception that covers it says.
    exception: Option<String>,
    /// The form of an exception with this finding's values.
    except_href: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    status: String,
    rule: String,
    subject: String,
    exception: String,
}

/// Beside the statuses: what an exception covers and nobody has touched.
const CLASSIFIED: &str = "classified";

pub(crate) async fn list(visit: Visit, Params(asked): Params<Asked>) -> Answer {
    visit.run(move |visit| html(&queue(visit, &asked)?)).await
}

/// Without a choice the page shows what waits for somebody.
fn queue(visit: &Visit, asked: &Asked) -> Result<FindingsPage, Problem> {
    let chosen = if asked.status.is_empty() { "open" } else { asked.status.as_str() };
    let (status, classified) = match chosen {
        CLASSIFIED => (Some(FindingStatus::Open), Some(true)),
        "open" => (Some(FindingStatus::Open), Some(false)),
        other => (FindingStatus::parse(other), None),
    };
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let ledger = visit.app.ledger()?;
    let filter = FindingFilter {
        status,
        classified,
        rule: some(&asked.rule),
        subject: some(&asked.subject),
        exception: some(&asked.exception),
        ..FindingFilter::default()
    };
    let rows = ledger.findings(&filter)?;
    let mut cards = Vec::new();
    for row in rows.iter().take(FINDINGS_SHOWN) {
        if let Some(detail) = ledger.finding(&row.id)? {
            cards.push(card(visit, &detail));
        }
    }
    Ok(FindingsPage {
        frame: Frame::of(visit, "検知", Page::Findings)?,
        tabs: tabs(ledger.finding_counts()?, ledger.classified_count()?, chosen),
        total: wording::count(rows.len() as u64),
        left_out: rows.len().saturating_sub(FINDINGS_SHOWN),
        cards,
        rules: visit.app.services.rules.count(),
        filtered: filter.rule.is_some() || filter.subject.is_some() || filter.exception.is_some(),
    })
}

fn tabs(counts: [u64; FindingStatus::ALL.len()], classified: u64, chosen: &str) -> Vec<Tab> {
    let tab = |(status, count): (FindingStatus, u64)| Tab {
        href: format!("/findings?status={}", status.as_str()),
        label: format!("{} {}", status_name(status), wording::count(count)),
        current: chosen == status.as_str(),
    };
    let mut tabs: Vec<Tab> = FindingStatus::ALL.into_iter().zip(counts).map(tab).collect();
    if classified > 0 || chosen == CLASSIFIED {
        tabs.push(Tab {
            href: format!("/findings?status={CLASSIFIED}"),
            label: format!("例外により自動分類 {}", wording::count(classified)),
            current: chosen == CLASSIFIED,
        });
    }
    let all = wording::count(counts.iter().sum::<u64>() + classified);
    tabs.push(Tab {
        href: "/findings?status=all".to_owned(),
        label: format!("すべて {all}"),
        current: chosen == "all",
    });
    tabs
}

fn status_name(status: FindingStatus) -> &'static str {
    match status {
        FindingStatus::Confirmed => "確認済（問題なし）",
        other => other.japanese(),
    }
}

fn card(visit: &Visit, detail: &FindingDetail) -> Card {
    let row = &detail.finding;
    let text = visit.app.services.rules.text(&row.rule_id);
    Card {
        id: row.id.to_string(),
        href: format!("/findings/{}", row.id),
        severity: row.severity.japanese(),
        class: words::severity_class(row.severity),
        title: row.rule_title.clone(),
        rule: row.rule_id.to_string(),
        subject: row.subject.clone(),
        object: row.object.clone(),
        when: when(row),
        count: wording::count(row.count),
        summary: row.summary.clone(),
        status: status_of(row),
        status_class: if row.waits() { status_class(row.status, row.severity) } else { calm_class(row) },
        has_text: text.is_some(),
        text: text.unwrap_or_default(),
        history: history(row.status, &detail.reviews),
        previous: detail.previous.as_ref().map(|previous| previous_verdict(row, previous)),
        exception: detail.exception.as_ref().map(classified_text),
        except_href: except_href(detail),
    }
}

/// The narrowest exception that covers the finding: where all of it came from one address, only from there.
fn except_href(detail: &FindingDetail) -> String {
    let row = &detail.finding;
    let network = match detail.sources.as_slice() {
        [source] => source.to_string(),
        _ => String::new(),
    };
    let network = if network == row.subject { "" } else { &network };
    let pairs =
        [("rule", row.rule_id.as_str()), ("subject", &row.subject), ("object", &row.object), ("network", network)];
    link::with("/exceptions/new", &pairs)
}

fn previous_verdict(row: &FindingRow, previous: &PreviousVerdict) -> (String, String) {
    let review = &previous.review;
    let what = if row.recurrence > 0 {
        format!("再発（{} 回目）。前回 ", row.recurrence)
    } else {
        "前回 ".to_owned()
    };
    let note = if review.note.is_empty() { String::new() } else { format!("「{}」", review.note) };
    let (stamp, status) = (wording::minute_stamp(review.at), status_name(review.status));
    (
        format!("/findings/{}", previous.finding),
        format!("{what}{stamp}：{status}（{}{note}、{}）", review.reason, review.by),
    )
}

fn status_of(row: &FindingRow) -> &'static str {
    if row.status == FindingStatus::Open && row.classified.is_some() { "自動分類" } else { status_name(row.status) }
}

fn calm_class(row: &FindingRow) -> &'static str {
    if row.classified.is_some() { "ok" } else { status_class(row.status, row.severity) }
}

fn when(row: &FindingRow) -> String {
    let first = wording::short_stamp(row.first);
    if row.first == row.last { first } else { format!("{first} 〜 {}", wording::short_stamp(row.last)) }
}

fn status_class(status: FindingStatus, severity: Severity) -> &'static str {
    match status {
        FindingStatus::Open => words::severity_class(severity),
        FindingStatus::ActionNeeded => "mid",
        FindingStatus::Resolved | FindingStatus::Confirmed | FindingStatus::Withdrawn => "ok",
    }
}

/// The program alone withdraws, so there is no review that says why.
const WITHDRAWN: &str = "取下げ　後から分かったこと（名簿や申請の変更、後から届いた記録）により、当てはまらなくなりました。\
    いつ、なぜかは監査証跡の「過ぎた日の再判定」にあります。";

fn history(status: FindingStatus, reviews: &[ReviewRow]) -> Vec<String> {
    let mut before = FindingStatus::Open;
    let mut lines = Vec::new();
    for review in reviews {
        let note = if review.note.is_empty() { String::new() } else { format!("「{}」", review.note) };
        lines.push(format!(
            "{} {}　{} → {}　{}{note}",
            wording::minute_stamp(review.at),
            review.by,
            status_name(before),
            status_name(review.status),
            review.reason
        ));
        before = review.status;
    }
    if status == FindingStatus::Withdrawn {
        lines.push(WITHDRAWN.to_owned());
    }
    lines
}

pub(crate) async fn show(visit: Visit, Path(id): Path<String>) -> Answer {
    visit
        .run(move |visit| {
            let detail = detail(visit, &id)?;
            visit.act(Deed::Viewed { what: format!("検知 {id}") })?;
            html(&page(visit, &detail, None)?)
        })
        .await
}

pub(crate) fn detail(visit: &Visit, id: &str) -> Result<FindingDetail, Problem> {
    let found = visit.app.ledger()?.finding(&FindingId::new(id))?;
    found.ok_or_else(|| Problem::not_found("この番号の検知はありません。"))
}

/// Evidence listed on the page; the API gives all of it.
const EVIDENCE_SHOWN: usize = 20;

fn page(visit: &Visit, detail: &FindingDetail, error: Option<String>) -> Result<FindingPage, Problem> {
    let next = words::next_statuses(detail.finding.status);
    Ok(FindingPage {
        frame: Frame::of(visit, "検知", Page::Findings)?,
        card: card(visit, detail),
        evidence: evidence(visit, detail)?,
        evidence_left_out: detail.evidence.len().saturating_sub(EVIDENCE_SHOWN),
        may_review: visit.who.may(Scope::FindingsReview),
        statuses: next.iter().map(|status| (status.as_str(), status_name(*status))).collect(),
        reasons: &words::REASONS,
        error,
    })
}

/// The first of the evidence as sentences; what is past its retention as its number alone.
fn evidence(visit: &Visit, detail: &FindingDetail) -> Result<Vec<(String, String, String)>, Problem> {
    let mut lines = Vec::new();
    for id in detail.evidence.iter().take(EVIDENCE_SHOWN) {
        let (stamp, sentence) = match visit.app.services.store.event(*id)? {
            Some(event) => (wording::stamp(event.time()), describe::sentence(&event)),
            None => no_event(visit, *id)?,
        };
        lines.push((format!("/events/{id}"), stamp, sentence));
    }
    Ok(lines)
}

/// What was done with this product, where the number is an act's.
fn no_event(visit: &Visit, id: EventId) -> Result<(String, String), Problem> {
    let gone = || (format!("記録 {id}"), "原ログは保存期間を過ぎたか、読み出せません。".to_owned());
    let act = if visit.who.may(Scope::AuditsRead) { act(visit, id)? } else { None };
    Ok(act.map_or_else(gone, |act| (act.stamp, format!("{}　{}　{}", act.by, act.kind, act.what))))
}

/// What a person decided.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Decision {
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) note: String,
}

pub(crate) async fn review(visit: Visit, Path(id): Path<String>, Form(decision): Form<Decision>) -> Answer {
    visit
        .run(move |visit| {
            let finding = detail(visit, &id)?;
            match decide(visit, &finding, &decision) {
                Ok(()) => Ok(Redirect::to(&link::with(&format!("/findings/{id}"), &[])).into_response()),
                Err(problem) if problem.status.is_client_error() => {
                    let mut response = html(&page(visit, &finding, Some(problem.detail.clone()))?)?;
                    *response.status_mut() = problem.status;
                    response.extensions_mut().insert(crate::routes::Worded);
                    Ok(response)
                }
                Err(problem) => Err(problem),
            }
        })
        .await
}

/// Journals a decision, or says why it cannot be taken.
pub(crate) fn decide(visit: &Visit, detail: &FindingDetail, decision: &Decision) -> Result<(), Problem> {
    let status = FindingStatus::parse(&decision.status)
        .ok_or_else(|| Problem::bad_request("状態は open、action_needed、resolved、confirmed のどれかです。"))?;
    let (reason, note) = (decision.reason.trim(), decision.note.trim());
    if !reason.is_empty() && !words::REASONS.contains(&reason) {
        return Err(Problem::bad_request(format!("理由は次のどれかです：{}", words::REASONS.join("、"))));
    }
    if status.is_closed() && reason.is_empty() {
        return Err(Problem::bad_request("閉じるには理由を選んでください。"));
    }
    if reason == "その他" && note.is_empty() {
        return Err(Problem::bad_request("理由が「その他」のときは、メモに内容を書いてください。"));
    }
    if note.len() > NOTE_BYTES_MAX {
        return Err(Problem::bad_request("メモが長すぎます。"));
    }
    let current = detail.finding.status;
    if !current.may_become(status) {
        let detail = format!("「{}」から「{}」へは変えられません。", status_name(current), status_name(status));
        return Err(Problem::conflict(detail));
    }
    let finding = detail.finding.id.clone();
    visit.act(Deed::Review { finding, status, reason: reason.to_owned(), note: note.to_owned() })?;
    Ok(())
}
