//! `/api/v1`: JSON for machines. Dotted ECS names, RFC 3339 UTC times, lists as `{items, next_cursor, …}`.

pub(crate) mod audits;
pub(crate) mod cursor;
pub(crate) mod events;
pub(crate) mod exceptions;
pub(crate) mod findings;
pub(crate) mod integrity;
pub(crate) mod inventory;
pub(crate) mod openapi;
pub(crate) mod search;
pub(crate) mod stream;

use axum::http::header;
use axum::response::IntoResponse;
use monban_event::TimeRange;
use serde::{Deserialize, Serialize};

use crate::app::{Answer, Visit};
use crate::language::{self, Reading};
use crate::problem::Problem;
use crate::view::period;

pub(crate) fn json(body: &impl Serialize) -> Answer {
    let text = serde_json::to_vec(body)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// The query and period that every search takes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    pub(crate) q: String,
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Asked {
    /// The query as read and the period; a period demanded by the query itself goes first.
    pub(crate) fn read(&self, visit: &Visit) -> Result<(Reading, TimeRange), Problem> {
        let reading = language::read_or_refuse(&self.q, visit.app.now())?;
        let chosen = self.range()?;
        let range = reading.period().map_or(chosen, |own| if self.has_range() { own.intersect(&chosen) } else { own });
        Ok((reading, range))
    }

    fn has_range(&self) -> bool {
        !self.from.is_empty() || !self.to.is_empty()
    }

    pub(crate) fn range(&self) -> Result<TimeRange, Problem> {
        Ok(TimeRange { from: bound("from", &self.from)?, to: bound("to", &self.to)? })
    }
}

fn bound(name: &str, text: &str) -> Result<Option<chrono::DateTime<chrono::Utc>>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let complaint =
        || Problem::bad_request(format!("{name} は時差つきの日時で指定します。例: 2026-11-20T08:30:00+09:00"));
    period::instant(text).map(Some).ok_or_else(complaint)
}
