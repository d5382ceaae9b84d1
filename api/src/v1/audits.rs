//! The month as JSON: the one struct that the sheets are printed from.

use axum::extract::Query;
use monban_event::act::Deed;
use monban_event::time::Month;
use serde::Deserialize;

use super::json;
use crate::app::{Answer, Visit};
use crate::pages::audits;
use crate::problem::Problem;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    period: String,
}

pub(crate) async fn summary(visit: Visit, Query(asked): Query<Asked>) -> Answer {
    visit
        .run(move |visit| {
            let month = Month::parse(&asked.period)
                .ok_or_else(|| Problem::bad_request("period は 2026-10 のように指定します。"))?;
            let summary = audits::summary(visit, month, visit.app.now())?;
            visit
                .act(Deed::Exported { what: format!("月次監査 {month}"), form: "json".to_owned(), events: None })?;
            json(&summary)
        })
        .await
}
