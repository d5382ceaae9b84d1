//! The search page: a query, how it was read, what it found, and how to narrow it.

use askama::Template;
use axum::extract::Query as Params;
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use monban_audit::wording;
use monban_event::act::Deed;
use monban_event::query::Query;
use monban_event::store::{SearchPage as Found, SearchRequest};
use monban_event::time::jst_date;
use monban_event::{Event, Field, Outcome, TimeRange};
use monban_index::query::{explain, print};
use serde::Deserialize;

use super::frame::{Frame, Page};
use super::html;
use crate::app::{Answer, Visit};
use crate::language::{self, QueryComplaint, Reading};
use crate::limits::{FACET_SHOWN, PAGE_EVENTS, QUERY_BYTES_MAX};
use crate::problem::Problem;
use crate::v1::cursor;
use crate::view::chart::{self, Histogram};
use crate::view::period::{self, Period};
use crate::view::{link, words};

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    q: String,
    period: String,
    from: String,
    to: String,
    cursor: String,
    /// Events shown on earlier pages; only for the words "51–100".
    n: u64,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    q: String,
    choices: Vec<Choice>,
    from: String,
    to: String,
    /// The words of the period, once more, under the form.
    range: String,
    complaints: Vec<Complaint>,
    period_error: Option<String>,
    result: Option<Outcomes>,
}

struct Choice {
    name: &'static str,
    label: &'static str,
    chosen: bool,
}

struct Complaint {
    sentence: String,
    before: String,
    wrong: String,
    after: String,
    fixes: Vec<(String, String)>,
}

struct Outcomes {
    explained: String,
    notes: Vec<String>,
    total: String,
    exact: bool,
    shown: String,
    took: String,
    incomplete: Option<String>,
    histogram: Option<Histogram>,
    facets: Vec<Facet>,
    rows: Vec<Line>,
    next: Option<String>,
    fixed: String,
    hints: Vec<Hint>,
}

struct Facet {
    name: &'static str,
    values: Vec<FacetValue>,
    others: u64,
}

struct FacetValue {
    label: String,
    count: String,
    percent: u64,
    keep: String,
    drop: String,
}

/// Why nothing was found: what one condition less would find.
struct Hint {
    text: String,
    href: String,
}

pub(crate) struct Line {
    pub(crate) href: String,
    /// As lists show it: the year only where it is not this one.
    pub(crate) stamp: String,
    pub(crate) whole: String,
    pub(crate) iso: String,
    pub(crate) device: String,
    pub(crate) user: String,
    pub(crate) operation: String,
    pub(crate) source: String,
    pub(crate) outcome: &'static str,
    pub(crate) outcome_class: &'static str,
    pub(crate) after_hours: bool,
}

impl Line {
    pub(crate) fn of(event: &Event, now: DateTime<Utc>) -> Self {
        let time = event.time();
        let (outcome, outcome_class) = match event.outcome {
            Some(Outcome::Success) => ("● 成功", "good"),
            Some(Outcome::Failure) => ("× 失敗", "bad"),
            Some(Outcome::Unknown) => ("? 不明", "mute"),
            None => ("—", "mute"),
        };
        let source = event.source_ip.map(|ip| ip.to_string()).or_else(|| event.source_domain.clone());
        Self {
            href: format!("/events/{}", event.id),
            stamp: if same_year(time, now) { wording::short_stamp(time) } else { wording::stamp(time) },
            whole: wording::stamp(time),
            iso: wording::iso(time),
            device: event.device().map(str::to_owned).or_else(|| event.source_id.clone()).unwrap_or_default(),
            user: event.user_name.clone().unwrap_or_default(),
            operation: words::operation(event),
            source: source.unwrap_or_default(),
            outcome,
            outcome_class,
            after_hours: event.after_hours == Some(true),
        }
    }
}

fn same_year(time: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    jst_date(time).year() == jst_date(now).year()
}

pub(crate) async fn show(visit: Visit, Params(asked): Params<Asked>) -> Answer {
    visit.run(move |visit| html(&answer(visit, &asked)?)).await
}

fn answer(visit: &Visit, asked: &Asked) -> Result<SearchPage, Problem> {
    let now = visit.app.now();
    if asked.q.len() > QUERY_BYTES_MAX {
        return Err(Problem::bad_request("検索式が長すぎます。"));
    }
    let period = period::read(&asked.period, &asked.from, &asked.to, now);
    let reading = language::read(&asked.q, now);
    let (range, period_error) = match &period {
        Ok(period) => (Some(period.range), None),
        Err(error) => (None, Some(error.clone())),
    };
    let result = match (&reading, &period) {
        (Ok(reading), Ok(period)) => Some(find(visit, asked, reading, period)?),
        _ => None,
    };
    let chosen = period.as_ref().map_or("custom", |period| period.choice);
    Ok(SearchPage {
        frame: Frame::of(visit, "検索", Page::Search)?,
        q: asked.q.clone(),
        choices: period::CHOICES.map(|(name, label)| Choice { name, label, chosen: name == chosen }).into(),
        from: if chosen == "custom" {
            field_text(range.and_then(|range| range.from), &asked.from)
        } else {
            String::new()
        },
        to: if chosen == "custom" { field_text(range.and_then(|range| range.to), &asked.to) } else { String::new() },
        range: range.map(range_words).unwrap_or_default(),
        complaints: reading.err().into_iter().flatten().map(|error| complaint(&asked.q, &error, asked)).collect(),
        period_error,
        result,
    })
}

/// A bound as a date-time field takes it.
fn field_text(bound: Option<DateTime<Utc>>, typed: &str) -> String {
    bound.map_or_else(|| typed.to_owned(), |time| wording::iso(time).chars().take(16).collect())
}

fn range_words(range: TimeRange) -> String {
    let bound = |time: Option<DateTime<Utc>>| time.map(wording::stamp);
    match (bound(range.from), bound(range.to)) {
        (Some(from), Some(to)) => format!("{from} 〜 {to}"),
        (Some(from), None) => format!("{from} から"),
        (None, Some(to)) => format!("{to} まで"),
        (None, None) => "すべての期間".to_owned(),
    }
}

fn complaint(query: &str, error: &QueryComplaint, asked: &Asked) -> Complaint {
    let [before, wrong, after] = error.split(query);
    let address = |q: &str| {
        link::with("/search", &[("q", q), ("period", &asked.period), ("from", &asked.from), ("to", &asked.to)])
    };
    Complaint {
        sentence: error.sentence(),
        before,
        wrong: if wrong.is_empty() { "\u{3000}".to_owned() } else { wrong },
        after,
        fixes: error.fixes().map(|fix| (fix.label.clone(), address(&fix.q))).collect(),
    }
}

fn find(visit: &Visit, asked: &Asked, reading: &Reading, period: &Period) -> Result<Outcomes, Problem> {
    let store = &visit.app.services.store;
    let range = reading.period().unwrap_or(period.range);
    let request = SearchRequest {
        query: reading.query.clone(),
        range,
        limit: PAGE_EVENTS,
        after: cursor::read(&asked.cursor)?,
        whole: false,
    };
    let started = std::time::Instant::now();
    let found = store.search(&request)?;
    let took = started.elapsed();
    visit.act(Deed::Searched { query: asked.q.clone(), from: range.from, to: range.to, hits: found.total.value })?;
    let is_empty = found.total.value == 0;
    Ok(Outcomes {
        explained: reading.explained.clone(),
        notes: reading.notes.clone(),
        total: wording::count(found.total.value),
        exact: found.total.exact,
        shown: shown(asked.n, &found),
        took: format!("{}.{:03}", took.as_secs(), took.subsec_millis()),
        incomplete: found.incomplete_before.map(wording::stamp),
        histogram: if is_empty { None } else { bars(visit, reading, range)? },
        facets: if is_empty { Vec::new() } else { facets(visit, reading, range)? },
        rows: found.events.iter().map(|event| Line::of(event, visit.app.now())).collect(),
        next: found.next.map(|next| {
            let n = (asked.n + found.events.len() as u64).to_string();
            format!(
                "{}&cursor={}&n={n}",
                link::search(&reading.text, range),
                monban_audit::percent(&cursor::write(next))
            )
        }),
        fixed: link::search(&reading.text, range),
        hints: if is_empty { hints(visit, reading, range)? } else { Vec::new() },
    })
}

fn shown(before: u64, found: &Found) -> String {
    let first = before.saturating_add(1);
    match found.events.len() as u64 {
        0 => "0 件を表示".to_owned(),
        count => format!("{}–{} 件を表示", wording::count(first), wording::count(before.saturating_add(count))),
    }
}

fn bars(visit: &Visit, reading: &Reading, range: TimeRange) -> Result<Option<Histogram>, Problem> {
    let (Some(from), Some(to)) = (range.from, range.to) else { return Ok(None) };
    let (seconds, step) = period::bar(from, to);
    let buckets = visit.app.services.store.histogram(&reading.query, range, seconds)?;
    Ok(Some(chart::histogram(&buckets, &reading.text, seconds, step)))
}

const FACETS: [Field; 6] =
    [Field::UserName, Field::SourceIp, Field::SourceId, Field::Action, Field::Outcome, Field::AccountClass];

fn facets(visit: &Visit, reading: &Reading, range: TimeRange) -> Result<Vec<Facet>, Problem> {
    let names = visit.app.ledger()?.sources()?;
    let name = |field: Field, value: &str| match field {
        Field::SourceId => {
            names.iter().find(|row| row.id == value).map_or_else(|| value.to_owned(), |row| row.name.clone())
        }
        _ => words::value(field, value),
    };
    let mut facets = Vec::new();
    for field in FACETS {
        let top = visit.app.services.store.top(&reading.query, range, field, FACET_SHOWN)?;
        let highest = top.values.first().map_or(1, |(_, count)| (*count).max(1));
        let value = |(value, count): &(String, u64)| FacetValue {
            label: name(field, value),
            count: wording::count(*count),
            percent: count * 100 / highest,
            keep: link::search(&reading.narrowed(field, value, true), range),
            drop: link::search(&reading.narrowed(field, value, false), range),
        };
        if !top.values.is_empty() {
            let values = top.values.iter().map(value).collect();
            facets.push(Facet { name: words::field(field), values, others: top.others });
        }
    }
    Ok(facets)
}

/// Conditions tried one by one when nothing was found; more of them would cost more than they tell.
const HINTS_MAX: usize = 6;

fn hints(visit: &Visit, reading: &Reading, range: TimeRange) -> Result<Vec<Hint>, Problem> {
    let store = &visit.app.services.store;
    let mut hints = Vec::new();
    if let Query::And(conditions) = &reading.query {
        for (index, condition) in conditions.iter().enumerate().take(HINTS_MAX) {
            let rest = conditions.iter().enumerate().filter(|(other, _)| *other != index);
            let rest = rest.fold(Query::All, |all, (_, next)| all.and(next.clone()));
            let count = store.count(&rest, range)?;
            let text = format!("「{}」を外すと {} 件", explain(condition), wording::count(count));
            hints.push(Hint { text, href: link::search(&print(&rest), range) });
        }
    }
    if let Some(to) = range.to {
        let wider = TimeRange::between(to - TimeDelta::days(30), to);
        if range.from.is_some_and(|from| Some(from) > wider.from) {
            let count = store.count(&reading.query, wider)?;
            let text = format!("期間を30日に広げると {} 件", wording::count(count));
            hints.push(Hint { text, href: link::search(&reading.text, wider) });
        }
    }
    Ok(hints)
}
