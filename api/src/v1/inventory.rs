//! What sends, and who is or was connected.

use axum::extract::Query;
use monban_audit::policies::{PolicyStanding, Standing};
use serde_json::{Value, json};

use super::{Asked, json};
use crate::app::{Answer, Visit};
use crate::limits::API_PAGE_MAX;
use crate::pages::policies::{DAYS, lately};

pub(crate) async fn sources(visit: Visit) -> Answer {
    visit
        .run(|visit| {
            let items = visit.app.ledger()?.sources()?;
            json(&json!({ "items": items, "next_cursor": null, "total": { "value": items.len(), "relation": "eq" } }))
        })
        .await
}

/// Windows audit policies, what came of each from which machine, and what relies on them.
pub(crate) async fn policies(visit: Visit) -> Answer {
    visit
        .run(|visit| {
            let found = lately(visit)?;
            let items: Vec<Value> = found.policies.iter().map(|policy| described(visit, policy)).collect();
            json(&json!({ "days": DAYS, "machines": found.machines, "policies": items, "partial": found.partial }))
        })
        .await
}

fn described(visit: &Visit, standing: &PolicyStanding) -> Value {
    let policy = standing.policy;
    let machine = |(name, (standing, records)): (&String, &(Standing, u64))| json!({ "name": name, "standing": standing.as_str(), "records": records });
    json!({
        "key": policy.key, "path": policy.path, "events": policy.events, "enable": policy.command(),
        "show": policy.question(), "rules": visit.app.services.rules.relying_on(policy.key),
        "machines": standing.machines.iter().map(machine).collect::<Vec<_>>(),
    })
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
