//! The search page: a query, how it was read, what it found, and how to narrow it.

use askama::Template;
use axum::extract::Query as Params;
use chrono::{DateTime, Datelike, Utc};
use monban_audit::wording;
use monban_event::act::Deed;
use monban_event::store::{AggregateRequest, Order, SearchPage as Found, SearchRequest, TopValues, Total};
use monban_event::time::jst_date;
use monban_event::{Event, Field, Outcome, TimeRange};
use serde::Deserialize;

use super::frame::{Frame, Page};
use super::html;
use crate::app::{Answer, Visit};
use crate::language::{self, QueryComplaint, Reading};
use crate::limits::{FACET_SHOWN, PAGE_EVENTS, QUERY_BYTES_MAX};
use crate::problem::Problem;
use crate::v1::cursor;
use crate::v1::events::order;
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
    sort: String,
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
    is_empty: bool,
    total: String,
    exact: bool,
    shown: String,
    took: String,
    incomplete: Option<String>,
    /// Bars and values are of this part only.
    counted: Option<String>,
    histogram: Option<Histogram>,
    facets: Vec<Facet>,
    rows: Vec<Line>,
    next: Option<String>,
    fixed: String,
    oldest_first: bool,
    /// The same in the other order.
    turned: String,
    csv: String,
    jsonl: String,
    hints: Vec<Hint>,
}

struct Facet {
    name: &'static str,
    values: Vec<FacetValue>,
    others: String,
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
    let range = reading.period().unwrap_or(period.range);
    let order = order(&asked.sort)?;
    let after = cursor::read(&asked.cursor)?;
    let request = SearchRequest { order, after, ..SearchRequest::new(reading.query().clone(), range, PAGE_EVENTS) };
    let started = std::time::Instant::now();
    let found = visit.app.services.store.search(&request)?;
    let took = started.elapsed();
    let nothing = found.total.value == 0 && found.unsearched.is_none();
    let drawn = if nothing { Drawn::default() } else { draw(visit, reading, range)? };
    let total = drawn.total.filter(|total| total.exact || total.value > found.total.value).unwrap_or(found.total);
    visit.act(Deed::Searched { query: asked.q.clone(), from: range.from, to: range.to, hits: total.value })?;
    let address = |path: &str, more: &[(&str, &str)]| link::search_with(path, reading.text(), range, more);
    let (oldest_first, sort, turned) = match order {
        Order::NewestFirst => (false, "", "time"),
        Order::OldestFirst => (true, "time", ""),
    };
    let n = (asked.n + found.events.len() as u64).to_string();
    let next = |next| address("/search", &[("sort", sort), ("cursor", &cursor::write(next)), ("n", &n)]);
    Ok(Outcomes {
        explained: reading.explained.clone(),
        notes: reading.notes(Some(range)),
        is_empty: nothing,
        total: wording::count(total.value),
        exact: total.exact,
        shown: shown(asked.n, &found),
        took: format!("{}.{:03}", took.as_secs(), took.subsec_millis()),
        incomplete: found.unsearched.map(|range| unsearched(range, order)),
        counted: drawn.counted,
        histogram: drawn.histogram,
        facets: drawn.facets,
        rows: found.events.iter().map(|event| Line::of(event, visit.app.now())).collect(),
        next: found.next.map(next),
        fixed: address("/search", &[("sort", sort)]),
        oldest_first,
        turned: address("/search", &[("sort", turned)]),
        csv: address("/api/v1/events/stream", &[("sort", sort), ("form", "csv")]),
        jsonl: address("/api/v1/events/stream", &[("sort", sort), ("form", "jsonl")]),
        hints: if nothing { hints(visit, reading, period.range)? } else { Vec::new() },
    })
}

/// `11/03 02:14:07 より前`: the part of the period that was not searched.
fn unsearched(range: TimeRange, order: Order) -> String {
    let (bound, side) = match order {
        Order::NewestFirst => (range.to, "より前"),
        Order::OldestFirst => (range.from, "以後"),
    };
    bound.map_or_else(|| "この期間".to_owned(), |time| format!("{} {side}", wording::stamp(time)))
}

fn shown(before: u64, found: &Found) -> String {
    let first = before.saturating_add(1);
    match found.events.len() as u64 {
        0 => "0 件を表示".to_owned(),
        count => format!("{}–{} 件を表示", wording::count(first), wording::count(before.saturating_add(count))),
    }
}

/// What surrounds the list: the course in time and the most frequent values, counted in one pass.
#[derive(Default)]
struct Drawn {
    total: Option<Total>,
    histogram: Option<Histogram>,
    facets: Vec<Facet>,
    counted: Option<String>,
}

fn draw(visit: &Visit, reading: &Reading, range: TimeRange) -> Result<Drawn, Problem> {
    let bar = range.from.zip(range.to).map(|(from, to)| period::bar(from, to));
    let request = AggregateRequest {
        fields: FACETS.to_vec(),
        top: FACET_SHOWN,
        interval_seconds: bar.map(|(seconds, _)| seconds),
        ..AggregateRequest::count(reading.query().clone(), range)
    };
    let found = visit.app.services.store.aggregate(&request)?;
    Ok(Drawn {
        total: Some(found.total),
        histogram: bar.map(|(seconds, step)| chart::histogram(&found.bars, reading.text(), seconds, step)),
        facets: facets(visit, reading, range, &found.tops)?,
        counted: found.unsearched.map(|range| unsearched(range, Order::NewestFirst)),
    })
}

const FACETS: [Field; 6] =
    [Field::UserName, Field::SourceIp, Field::SourceId, Field::Action, Field::Outcome, Field::AccountClass];

fn facets(visit: &Visit, reading: &Reading, range: TimeRange, tops: &[TopValues]) -> Result<Vec<Facet>, Problem> {
    let names = visit.app.ledger()?.sources()?;
    let name = |field: Field, value: &str| match field {
        Field::SourceId => {
            names.iter().find(|row| row.id == value).map_or_else(|| value.to_owned(), |row| row.name.clone())
        }
        _ => words::value(field, value),
    };
    let facet = |(&field, top): (&Field, &TopValues)| {
        let highest = top.values.first().map_or(1, |(_, count)| (*count).max(1));
        let value = |(value, count): &(String, u64)| FacetValue {
            label: name(field, value),
            count: wording::count(*count),
            percent: count * 100 / highest,
            keep: link::search(&reading.narrowed(field, value, true), range),
            drop: link::search(&reading.narrowed(field, value, false), range),
        };
        let others = if top.others > 0 { wording::count(top.others) } else { String::new() };
        Facet { name: words::field(field), values: top.values.iter().map(value).collect(), others }
    };
    let found = FACETS.iter().zip(tops).filter(|(_, top)| !top.values.is_empty());
    Ok(found.map(facet).collect())
}

fn hints(visit: &Visit, reading: &Reading, chosen: TimeRange) -> Result<Vec<Hint>, Problem> {
    let found = reading.hints(visit, chosen)?;
    let hint = |hint: monban_index::query::Hint| Hint {
        text: format!("{} {} 件", hint.label, wording::count(hint.count)),
        href: link::search(&hint.q, hint.range),
    };
    Ok(found.into_iter().map(hint).collect())
}
