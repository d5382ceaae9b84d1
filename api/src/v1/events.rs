//! Events as JSON. Both addresses read records, so both are in the trail.

use std::borrow::Cow;

use axum::extract::{Path, Query};
use monban_event::act::Deed;
use monban_event::redact::{redact, redact_field};
use monban_event::store::SearchRequest;
use monban_event::time::rfc3339;
use monban_event::{Event, Field};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Asked, cursor, json};
use crate::app::{Answer, Visit};
use crate::limits::{API_PAGE_DEFAULT, API_PAGE_MAX};
use crate::pages::event::read;
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
}

pub(crate) async fn list(visit: Visit, Query(page): Query<Page>) -> Answer {
    visit.run(move |visit| answer(visit, page)).await
}

fn answer(visit: &Visit, page: Page) -> Answer {
    let limit = page.limit.unwrap_or(API_PAGE_DEFAULT);
    if limit > API_PAGE_MAX {
        return Err(Problem::bad_request(format!("limit は {API_PAGE_MAX} までです。")));
    }
    let after = cursor::read(&page.cursor)?;
    let asked = Asked { q: page.q, from: page.from, to: page.to };
    let (reading, range) = asked.read(visit)?;
    let request = SearchRequest { query: reading.query, range, limit, after, whole: true };
    let started = std::time::Instant::now();
    let found = visit.app.services.store.search(&request)?;
    let took = started.elapsed();
    visit.act(Deed::Searched { query: asked.q, from: range.from, to: range.to, hits: found.total.value })?;
    json(&json!({
        "items": found.events.iter().map(event_json).collect::<Vec<_>>(),
        "next_cursor": found.next.map(cursor::write),
        "total": { "value": found.total.value, "relation": if found.total.exact { "eq" } else { "gte" } },
        "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "incomplete_before": found.incomplete_before.map(rfc3339),
    }))
}

/// The event's own form, with secrets in its text and native fields blotted out as on the pages.
pub(crate) fn event_json(event: &Event) -> Map<String, Value> {
    let mut object = event.to_json();
    for (name, value) in &mut object {
        let Value::String(text) = value else { continue };
        let blotted = match name.strip_prefix("native.") {
            Some(native) => redact_field(native, text),
            None if name.as_str() == Field::Message.name() => redact(text),
            None => continue,
        };
        if let Cow::Owned(blotted) = blotted {
            *value = Value::String(blotted);
        }
    }
    object
}

pub(crate) async fn show(visit: Visit, Path(id): Path<String>) -> Answer {
    visit
        .run(move |visit| {
            let (event, record) = read(visit, &id)?;
            let mut object = event_json(&event);
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
