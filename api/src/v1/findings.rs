//! Findings as JSON, and the one thing that may be changed over the API: what people decide about them.

use axum::Json;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use monban_event::FindingStatus;
use monban_event::act::Deed;
use monban_index::ledger::{FindingDetail, FindingFilter};
use serde::Deserialize;
use serde_json::json;

use super::{Asked, json};
use crate::app::{Answer, Visit};
use crate::auth::role::Scope;
use crate::limits::API_PAGE_MAX;
use crate::pages::findings::{Decision, decide, detail};
use crate::problem::Problem;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct FindingsAsked {
    status: String,
    rule: String,
    subject: String,
    classified: Option<bool>,
    exception: String,
    from: String,
    to: String,
    limit: Option<usize>,
}

pub(crate) async fn list(visit: Visit, Query(asked): Query<FindingsAsked>) -> Answer {
    visit.run(move |visit| answer(visit, asked)).await
}

fn answer(visit: &Visit, asked: FindingsAsked) -> Answer {
    let status = match asked.status.as_str() {
        "" => None,
        text => Some(FindingStatus::parse(text).ok_or_else(|| {
            Problem::bad_request("status は open、action_needed、resolved、confirmed のどれかです。")
        })?),
    };
    let limit = asked.limit.unwrap_or(API_PAGE_MAX);
    if limit > API_PAGE_MAX {
        return Err(Problem::bad_request(format!("limit は {API_PAGE_MAX} までです。")));
    }
    let some = |text: String| (!text.is_empty()).then_some(text);
    let range = Asked { q: String::new(), from: asked.from, to: asked.to }.range()?;
    let filter = FindingFilter {
        status,
        range,
        rule: some(asked.rule),
        subject: some(asked.subject),
        classified: asked.classified,
        exception: some(asked.exception),
    };
    let rows = visit.app.ledger()?.findings(&filter)?;
    let items: Vec<_> = rows.iter().take(limit).collect();
    json(&json!({ "items": items, "next_cursor": null, "total": { "value": rows.len(), "relation": "eq" } }))
}

pub(crate) async fn show(visit: Visit, Path(id): Path<String>) -> Answer {
    visit
        .run(move |visit| {
            let detail = detail(visit, &id)?;
            visit.act(Deed::Viewed { what: format!("検知 {id}") })?;
            Ok(tagged(&detail))
        })
        .await
}

/// Rises with every review.
fn tag(detail: &FindingDetail) -> String {
    let last = detail.reviews.last().map_or(0, |review| review.record.0);
    format!("\"r{last}\"")
}

fn tagged(detail: &FindingDetail) -> Response {
    let mut response = Json(detail).into_response();
    if let Ok(tag) = HeaderValue::from_str(&tag(detail)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

pub(crate) async fn review(
    visit: Visit,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(decision): Json<Decision>,
) -> Answer {
    if !visit.who.may(Scope::FindingsReview) {
        return Err(Problem::forbidden(Scope::FindingsReview.as_str()));
    }
    visit
        .run(move |visit| {
            let found = detail(visit, &id)?;
            let wanted = headers.get(header::IF_MATCH).map(HeaderValue::as_bytes);
            if wanted.is_some_and(|wanted| wanted != b"*" && wanted != tag(&found).as_bytes()) {
                return Err(Problem::stale());
            }
            decide(visit, &found, &decision)?;
            Ok(tagged(&detail(visit, &id)?))
        })
        .await
}
