//! Events as JSON. Every address here reads records, so all are in the trail.

use axum::Json;
use axum::extract::{Path, Query};
use axum::http::HeaderMap;
use monban_event::act::Deed;
use monban_event::store::{Order, SearchRequest};
use monban_event::time::rfc3339;
use monban_index::export;
use monban_index::query::Hint;
use serde::Deserialize;
use serde_json::{Value, json};

use super::stream::{self, Form};
use super::{Asked, cursor, json};
use crate::app::{Answer, Visit};
use crate::around;
use crate::limits::{API_PAGE_DEFAULT, API_PAGE_MAX, CONTEXT_EVENTS, CONTEXT_MINUTES_MAX};
use crate::pages::event::{ActTold, Found, read};
use crate::problem::Problem;
use crate::view::raw::render_raw;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Page {
    q: String,
    from: String,
    to: String,
    limit: Option<usize>,
    cursor: String,
    sort: String,
}

pub(crate) async fn list(visit: Visit, headers: HeaderMap, Query(page): Query<Page>) -> Answer {
    if Form::accepted(&headers) == Some(Form::Csv) {
        let asked =
            stream::Asked { q: page.q, from: page.from, to: page.to, sort: page.sort, ..stream::Asked::default() };
        return stream::answer(visit, Form::Csv, asked).await;
    }
    visit.run(move |visit| answer(visit, page)).await
}

/// The same with its parameters in the body, where a query is too long for an address.
pub(crate) async fn search(visit: Visit, Json(page): Json<Page>) -> Answer {
    visit.run(move |visit| answer(visit, page)).await
}

/// `-time`, newest first, is what everybody wants who does not say.
pub(crate) fn order(sort: &str) -> Result<Order, Problem> {
    match sort {
        "" | "-time" => Ok(Order::NewestFirst),
        "time" => Ok(Order::OldestFirst),
        _ => Err(Problem::bad_request("sort は time（古い順）か -time（新しい順）です。")),
    }
}

fn answer(visit: &Visit, page: Page) -> Answer {
    let limit = page.limit.unwrap_or(API_PAGE_DEFAULT);
    if limit > API_PAGE_MAX {
        return Err(Problem::bad_request(format!("limit は {API_PAGE_MAX} までです。")));
    }
    let after = cursor::read(&page.cursor)?;
    let order = order(&page.sort)?;
    let asked = Asked { q: page.q, from: page.from, to: page.to };
    let (reading, range) = asked.read(visit)?;
    let request =
        SearchRequest { order, after, whole: true, ..SearchRequest::new(reading.query().clone(), range, limit) };
    let started = std::time::Instant::now();
    let found = visit.app.services.store.search(&request)?;
    let took = started.elapsed();
    visit.act(Deed::Searched { query: asked.q.clone(), from: range.from, to: range.to, hits: found.total.value })?;
    let is_empty = found.total.value == 0 && found.unsearched.is_none() && after.is_none();
    let hints = if is_empty { reading.hints(visit, asked.range()?)? } else { Vec::new() };
    let unsearched =
        found.unsearched.map(|range| json!({ "from": range.from.map(rfc3339), "to": range.to.map(rfc3339) }));
    json(&json!({
        "items": found.events.iter().map(export::json).collect::<Vec<_>>(),
        "next_cursor": found.next.map(cursor::write),
        "total": { "value": found.total.value, "relation": if found.total.exact { "eq" } else { "gte" } },
        "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "incomplete_before": found.unsearched.filter(|_| order == Order::NewestFirst).and_then(|range| range.to).map(rfc3339),
        "unsearched": unsearched,
        "hints": hints.iter().map(hint_json).collect::<Vec<_>>(),
    }))
}

pub(crate) fn hint_json(hint: &Hint) -> Value {
    json!({
        "text": hint.sentence(), "q": hint.q, "count": hint.count,
        "from": hint.range.from.map(rfc3339), "to": hint.range.to.map(rfc3339),
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContextAsked {
    minutes: Option<u32>,
}

/// What happened just before and just after, around the same account, address, device or session.
pub(crate) async fn context(visit: Visit, Path(id): Path<String>, Query(asked): Query<ContextAsked>) -> Answer {
    visit
        .run(move |visit| {
            let minutes = asked.minutes.unwrap_or(around::MINUTES);
            if minutes == 0 || minutes > CONTEXT_MINUTES_MAX {
                return Err(Problem::bad_request(format!("minutes は 1 から {CONTEXT_MINUTES_MAX} までです。")));
            }
            let Found::Event(event, _) = read(visit, &id)? else {
                return Err(Problem::bad_request("この番号は操作の記録で、前後のイベントはありません。"));
            };
            let found = around::find(visit.app.services.store.as_ref(), &event, minutes, CONTEXT_EVENTS)?;
            let items = |events: &[monban_event::Event]| events.iter().map(export::json).collect::<Vec<_>>();
            json(&json!({
                "event": export::json(&event), "query": found.query, "minutes": minutes,
                "before": items(&found.before), "before_more": found.before_more,
                "after": items(&found.after), "after_more": found.after_more,
            }))
        })
        .await
}

pub(crate) async fn show(visit: Visit, Path(id): Path<String>) -> Answer {
    visit
        .run(move |visit| {
            let (event, record) = match read(visit, &id)? {
                Found::Event(event, record) => (event, record),
                Found::Act(act) => return json(&act_json(&act)),
            };
            let mut object = export::json(&event);
            if let Some(record) = record {
                object.insert("event.original".to_owned(), render_raw(&record, Some(&event)).text.into());
                object.insert("record.sha256".to_owned(), crate::auth::sha256_hex(&record.bytes).into());
                object.insert("record.transport".to_owned(), record.transport.as_str().into());
                object.insert("record.received_at".to_owned(), rfc3339(record.received_at).into());
            }
            json(&object)
        })
        .await
}

/// An act has the form of an event where it has the same things, so that evidence can be read in one way.
fn act_json(act: &ActTold) -> Value {
    json!({
        "event.id": act.id.to_string(), "@timestamp": rfc3339(act.at), "event.module": "monban", "event.dataset": "monban.act",
        "user.name": act.by, "act.kind": act.kind, "message": act.what,
    })
}
