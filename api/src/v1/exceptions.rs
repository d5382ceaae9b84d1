//! Exceptions and disasters as JSON.

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use monban_event::exception::PREVIEW;
use monban_index::ledger::ExceptionRow;
use serde::Serialize;
use serde_json::json;

use super::json;
use crate::app::{Answer, Visit};
use crate::auth::role::Scope;
use crate::exceptions::{Declared, Ending, Wanted, declare, end, end_disaster, grant, preview};
use crate::limits::PREVIEW_SHOWN;
use crate::problem::Problem;

/// An exception and whether it holds just now.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    row: &'a ExceptionRow,
    in_force: bool,
}

pub(crate) async fn list(visit: Visit) -> Answer {
    visit
        .run(|visit| {
            let now = visit.app.now();
            let rows = visit.app.ledger()?.exceptions()?;
            let items: Vec<Listed<'_>> =
                rows.iter().map(|row| Listed { row, in_force: row.is_in_force(now) }).collect();
            json(&json!({ "items": items, "next_cursor": null, "total": { "value": rows.len(), "relation": "eq" } }))
        })
        .await
}

/// Whoever may read may come to this address, so that it can say what it lacks.
fn demand(visit: &Visit) -> Result<(), Problem> {
    let wanted = Scope::FindingsReview;
    if visit.who.may(wanted) { Ok(()) } else { Err(Problem::forbidden(wanted.as_str())) }
}

fn created(body: &impl Serialize) -> Response {
    (StatusCode::CREATED, Json(body)).into_response()
}

pub(crate) async fn add(visit: Visit, Json(wanted): Json<Wanted>) -> Answer {
    demand(&visit)?;
    visit.run(move |visit| Ok(created(&grant(visit, &wanted)?))).await
}

pub(crate) async fn look_ahead(visit: Visit, Json(wanted): Json<Wanted>) -> Answer {
    visit
        .run(move |visit| {
            let rows = preview(visit, &wanted.scope(visit)?)?;
            let items: Vec<_> = rows.iter().take(PREVIEW_SHOWN).collect();
            json(&json!({
                "days": PREVIEW.num_days(),
                "count": rows.len(),
                "need_person": rows.iter().filter(|row| row.needs_person()).count(),
                "items": items,
            }))
        })
        .await
}

pub(crate) async fn finish(visit: Visit, Path(id): Path<String>, Json(ending): Json<Ending>) -> Answer {
    visit.run(move |visit| json(&end(visit, &id, &ending)?)).await
}

pub(crate) async fn disasters(visit: Visit) -> Answer {
    visit
        .run(|visit| {
            let items = visit.app.ledger()?.disasters()?;
            json(&json!({ "items": items, "next_cursor": null, "total": { "value": items.len(), "relation": "eq" } }))
        })
        .await
}

pub(crate) async fn add_disaster(visit: Visit, Json(declared): Json<Declared>) -> Answer {
    demand(&visit)?;
    visit.run(move |visit| Ok(created(&declare(visit, &declared)?))).await
}

pub(crate) async fn finish_disaster(visit: Visit, Path(id): Path<String>, Json(ending): Json<Ending>) -> Answer {
    visit.run(move |visit| json(&end_disaster(visit, &id, &ending)?)).await
}
