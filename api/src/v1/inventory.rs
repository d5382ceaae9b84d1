//! What sends, and who is or was connected.

use axum::extract::Query;
use serde_json::json;

use super::{Asked, json};
use crate::app::{Answer, Visit};
use crate::limits::API_PAGE_MAX;

pub(crate) async fn sources(visit: Visit) -> Answer {
    visit
        .run(|visit| {
            let items = visit.app.ledger()?.sources()?;
            json(&json!({ "items": items, "next_cursor": null, "total": { "value": items.len(), "relation": "eq" } }))
        })
        .await
}

/// How the program is doing, each receiver with its counters.
pub(crate) async fn health(visit: Visit) -> Answer {
    visit.run(|visit| json(&(visit.app.services.health)())).await
}

/// VPN sessions that started in the period, newest first.
pub(crate) async fn sessions(visit: Visit, Query(asked): Query<Asked>) -> Answer {
    visit
        .run(move |visit| {
            let rows = visit.app.ledger()?.sessions(asked.range()?)?;
            let items: Vec<_> = rows.iter().take(API_PAGE_MAX).collect();
            json(&json!({ "items": items, "next_cursor": null, "total": { "value": rows.len(), "relation": "eq" } }))
        })
        .await
}
