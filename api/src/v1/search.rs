//! What is asked about a search rather than of it: its most frequent values, its course in time, its meaning.

use axum::extract::Query;
use monban_event::act::Deed;
use monban_event::store::{AggregateRequest, Aggregates, Bucket, TopValues};
use monban_event::time::rfc3339;
use monban_event::{Field, TimeRange};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Asked, json};
use crate::app::{Answer, Visit};
use crate::language;
use crate::limits::{BUCKETS_MAX, FACET_FIELDS_MAX, FACET_MAX};
use crate::problem::Problem;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct FacetsAsked {
    q: String,
    from: String,
    to: String,
    fields: String,
    top: Option<usize>,
}

const FACETS_DEFAULT: &str = "user.name,source.ip,event.action,event.outcome,monban.source";
const TOP_DEFAULT: usize = 10;

pub(crate) async fn facets(visit: Visit, Query(asked): Query<FacetsAsked>) -> Answer {
    visit
        .run(move |visit| {
            let names = if asked.fields.is_empty() { FACETS_DEFAULT } else { &asked.fields };
            let fields = fields(names)?;
            let top = asked.top.unwrap_or(TOP_DEFAULT);
            if top > FACET_MAX {
                return Err(Problem::bad_request(format!("top は {FACET_MAX} までです。")));
            }
            let (reading, range) = Asked { q: asked.q, from: asked.from, to: asked.to }.read(visit)?;
            let count = AggregateRequest::count(reading.query().clone(), range);
            let found =
                visit.app.services.store.aggregate(&AggregateRequest { fields: fields.clone(), top, ..count })?;
            let facets: Vec<_> = fields.iter().zip(&found.tops).map(|(field, top)| facet(*field, top)).collect();
            searched(visit, reading.text(), range, found.total.value)?;
            json(&json!({ "facets": facets, "total": total(&found), "incomplete_before": incomplete(&found) }))
        })
        .await
}

fn facet(field: Field, top: &TopValues) -> Value {
    let values: Vec<_> = top.values.iter().map(|(value, count)| json!({ "value": value, "count": count })).collect();
    json!({ "field": field.name(), "values": values, "others": top.others, "distinct": top.distinct })
}

fn total(found: &Aggregates) -> Value {
    json!({ "value": found.total.value, "relation": if found.total.exact { "eq" } else { "gte" } })
}

fn incomplete(found: &Aggregates) -> Option<String> {
    found.unsearched.and_then(|range| range.to).map(rfc3339)
}

fn fields(names: &str) -> Result<Vec<Field>, Problem> {
    let named = |name: &str| {
        let name = name.trim();
        Field::from_name(name).ok_or_else(|| Problem::bad_request(format!("「{name}」という項目はありません。")))
    };
    let fields: Vec<Field> = names.split(',').map(named).collect::<Result<_, _>>()?;
    if fields.len() > FACET_FIELDS_MAX {
        return Err(Problem::bad_request(format!("fields は {FACET_FIELDS_MAX} 項目までです。")));
    }
    Ok(fields)
}

fn searched(visit: &Visit, query: &str, range: TimeRange, hits: u64) -> Result<(), Problem> {
    visit.act(Deed::Searched { query: query.to_owned(), from: range.from, to: range.to, hits }).map(|_| ())
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct HistogramAsked {
    q: String,
    from: String,
    to: String,
    interval: String,
}

pub(crate) async fn histogram(visit: Visit, Query(asked): Query<HistogramAsked>) -> Answer {
    visit
        .run(move |visit| {
            let (reading, range) = Asked { q: asked.q, from: asked.from, to: asked.to }.read(visit)?;
            let (Some(from), Some(to)) = (range.from, range.to) else {
                return Err(Problem::bad_request("from と to を両方指定してください。"));
            };
            let seconds = interval(&asked.interval)?;
            if (to - from).num_seconds() / i64::from(seconds) > BUCKETS_MAX {
                return Err(Problem::bad_request("区切りが細かすぎます。interval を大きくしてください。"));
            }
            let count = AggregateRequest::count(reading.query().clone(), range);
            let request = AggregateRequest { interval_seconds: Some(seconds), ..count };
            let found = visit.app.services.store.aggregate(&request)?;
            searched(visit, reading.text(), range, found.total.value)?;
            let bar = |bucket: &Bucket| json!({ "start": rfc3339(bucket.start), "count": bucket.count });
            json(&json!({
                "interval_seconds": seconds, "buckets": found.bars.iter().map(bar).collect::<Vec<_>>(),
                "total": total(&found), "incomplete_before": incomplete(&found),
            }))
        })
        .await
}

/// `30s`, `15m`, `1h`, `1d`; an hour where nothing is given.
fn interval(text: &str) -> Result<u32, Problem> {
    let bad = || Problem::bad_request("interval は 30s、15m、1h、1d のように指定します。");
    let text = if text.is_empty() { "1h" } else { text };
    let unit = text.chars().last().ok_or_else(bad)?;
    let number: u32 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(bad)?;
    let size = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(bad()),
    };
    number.checked_mul(size).filter(|seconds| *seconds > 0).ok_or_else(bad)
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ValidateAsked {
    q: String,
}

/// A wrong query is an answer here, not an error.
pub(crate) async fn validate(visit: Visit, Query(asked): Query<ValidateAsked>) -> Answer {
    let body = match language::read(&asked.q, visit.app.now()) {
        Ok(reading) => json!({
            "valid": true, "explanation": reading.explained, "notes": reading.notes(None),
            "scanned": reading.is_scanned(), "errors": [],
        }),
        Err(errors) => json!({
            "valid": false, "explanation": null, "notes": [], "scanned": false, "errors": errors,
        }),
    };
    json(&body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_a_unit() {
        for (text, seconds) in [("30s", 30), ("15m", 900), ("1h", 3600), ("", 3600), ("7d", 604_800)] {
            assert_eq!(interval(text).ok(), Some(seconds), "{text}");
        }
        for text in ["h", "1", "0m", "-1h", "1時", "99999999999d", "50000d"] {
            assert!(interval(text).is_err(), "{text}");
        }
    }
}
