//! What proves that records are what was written: heads to be kept elsewhere, and the check itself.

use axum::extract::Query;
use monban_event::act::Deed;
use monban_index::journal::verify::Wanted;
use serde_json::json;

use super::{Asked, json};
use crate::app::{Answer, Visit};

/// The receipt of everything durable, the last signed checkpoint, and the key that the first chain began with.
pub(crate) async fn heads(visit: Visit) -> Answer {
    visit
        .run(|visit| {
            let proofs = &visit.app.services.proofs;
            let (receipt, checkpoint, first_key) = (proofs.receipt(), proofs.checkpoint(), proofs.first_key()?);
            json(&json!({ "receipt": receipt, "checkpoint": checkpoint, "first_public_key": first_key }))
        })
        .await
}

/// Reads the journal of a period through and tells every fault. Takes as long as reading it takes.
pub(crate) async fn verify(visit: Visit, Query(asked): Query<Asked>) -> Answer {
    visit
        .run(move |visit| {
            let range = asked.range()?;
            let wanted = Wanted { from: range.from, to: range.to, ..Wanted::default() };
            let told = visit.app.services.proofs.verify(&wanted)?;
            visit.act(Deed::Viewed { what: format!("改ざん検査（NG {} か所）", told.faults.len()) })?;
            json(&told)
        })
        .await
}
