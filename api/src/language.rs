//! The query language as pages and API use it: text to a tree and its reading, or to complaints with their places.

use chrono::{DateTime, Utc};
use monban_event::query::{Query, QueryField, Test};
use monban_event::{Field, TimeRange};
use monban_index::query::{
    Hint, Parsed, QueryError, explain, hints, is_scanned, parse_noting, period, print, slow_note,
};
use serde::Serialize;

use crate::app::Visit;
use crate::limits::QUERY_BYTES_MAX;
use crate::problem::{Fix, Problem};

/// A query as it was understood.
pub(crate) struct Reading {
    parsed: Parsed,
    /// The 解釈 line.
    pub(crate) explained: String,
}

/// One error of a query. Positions count Unicode characters from 0, `to` not included.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct QueryComplaint {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<Fix>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) other_fixes: Vec<Fix>,
}

impl QueryComplaint {
    fn of(error: QueryError) -> Self {
        let fix = |fix: monban_index::query::Fix| Fix { label: fix.label, q: fix.q };
        Self {
            from: error.from,
            to: error.to,
            code: error.code.as_str(),
            message: error.message,
            fix: error.fix.map(fix),
            other_fixes: error.other_fixes.into_iter().map(fix).collect(),
        }
    }

    /// As people read it: positions count from 1.
    pub(crate) fn sentence(&self) -> String {
        format!("{}文字目: {}", self.from + 1, self.message)
    }

    /// The query's characters before the error, in it, and after it.
    pub(crate) fn split(&self, query: &str) -> [String; 3] {
        let part = |from: usize, to: usize| query.chars().skip(from).take(to.saturating_sub(from)).collect();
        [part(0, self.from), part(self.from, self.to), part(self.to, usize::MAX)]
    }

    pub(crate) fn fixes(&self) -> impl Iterator<Item = &Fix> {
        self.fix.iter().chain(&self.other_fixes)
    }
}

pub(crate) fn read(text: &str, now: DateTime<Utc>) -> Result<Reading, Vec<QueryComplaint>> {
    let parsed = parse_noting(text, now)
        .map_err(|errors| errors.into_iter().map(QueryComplaint::of).collect::<Vec<QueryComplaint>>())?;
    let explained = explain(&parsed.query);
    Ok(Reading { parsed, explained })
}

/// As [`read`], for callers that answer with a problem.
pub(crate) fn read_or_refuse(text: &str, now: DateTime<Utc>) -> Result<Reading, Problem> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(Problem::bad_request("検索式が長すぎます。"));
    }
    read(text, now).map_err(Problem::bad_query)
}

/// What an audit asks to have read.
pub(crate) fn parse(text: &str, now: DateTime<Utc>) -> Option<Query> {
    monban_index::query::parse(text, now).ok()
}

impl Reading {
    /// As typed.
    pub(crate) fn text(&self) -> &str {
        &self.parsed.text
    }

    pub(crate) fn query(&self) -> &Query {
        &self.parsed.query
    }

    /// What should be said about how it was read, and about a search of it over `range`.
    pub(crate) fn notes(&self, range: Option<TimeRange>) -> Vec<String> {
        let slow = range.and_then(|range| slow_note(self.query(), range)).map(str::to_owned);
        self.parsed.notes.iter().cloned().chain(slow).collect()
    }

    /// Whether only the records themselves can answer it.
    pub(crate) fn is_scanned(&self) -> bool {
        is_scanned(self.query())
    }

    /// The period that the query itself demands.
    pub(crate) fn period(&self) -> Option<TimeRange> {
        period(self.query())
    }

    /// What else would find something; `chosen` is the period beside the query.
    pub(crate) fn hints(&self, visit: &Visit, chosen: TimeRange) -> Result<Vec<Hint>, Problem> {
        Ok(hints(visit.app.services.store.as_ref(), &self.parsed, chosen, visit.app.now())?)
    }

    /// The text of this query narrowed to one value, or to everything but it.
    pub(crate) fn narrowed(&self, field: Field, value: &str, keep: bool) -> String {
        let test = Query::field(field, Test::Equals(value.to_owned()));
        let condition = print(&if keep { test } else { test.negate() });
        match self.query() {
            Query::All => condition,
            Query::Or(_) => format!("({}) AND {condition}", self.text()),
            // A pasted line is not read as one when something stands beside it.
            Query::Field(QueryField::Raw, _) => format!("{} AND {condition}", print(self.query())),
            _ => format!("{} AND {condition}", self.text()),
        }
    }
}

/// A query's text for one value of one field.
pub(crate) fn only(field: Field, value: &str) -> String {
    print(&Query::field(field, Test::Equals(value.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> DateTime<Utc> {
        "2026-11-20T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn narrowing_an_alternative_keeps_both_of_its_sides() {
        let reading = read("user:a OR user:b", at()).ok().unwrap();
        let narrowed = read(&reading.narrowed(Field::Outcome, "success", true), at()).ok().unwrap();
        assert!(matches!(narrowed.query(), Query::And(parts) if matches!(parts[0], Query::Or(_))));
    }

    #[test]
    fn a_complaint_splits_the_query_at_characters() {
        let complaint = QueryComplaint {
            from: 2,
            to: 4,
            code: "unknown_field",
            message: String::new(),
            fix: None,
            other_fixes: Vec::new(),
        };
        assert_eq!(complaint.split("あいうえお"), ["あい", "うえ", "お"]);
        assert_eq!(complaint.split("あ"), ["あ", "", ""]);
    }
}
