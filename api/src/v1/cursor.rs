//! Cursors: the place of the last event shown, in a form that nobody should take apart.

use chrono::DateTime;
use monban_event::store::Cursor;

use crate::problem::Problem;

pub(crate) fn write(cursor: Cursor) -> String {
    format!("{}_{}", cursor.time.timestamp_micros(), cursor.id)
}

/// `None` for the first page.
pub(crate) fn read(text: &str) -> Result<Option<Cursor>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let bad = || Problem::bad_request("cursor が正しくありません。next_cursor の値をそのまま使ってください。");
    let (micros, id) = text.split_once('_').ok_or_else(bad)?;
    let time = micros.parse().ok().and_then(DateTime::from_timestamp_micros).ok_or_else(bad)?;
    let id = id.parse().map_err(|_| bad())?;
    Ok(Some(Cursor { time, id }))
}

#[cfg(test)]
mod tests {
    use monban_event::{EventId, RecordId};

    use super::*;

    #[test]
    fn a_cursor_reads_what_it_writes_and_nothing_else() {
        let cursor =
            Cursor { time: "2026-11-20T00:00:00.000001Z".parse().unwrap(), id: EventId::new(RecordId(7), 512) };
        assert_eq!(read(&write(cursor)).ok().flatten(), Some(cursor));
        assert!(read("").is_ok_and(|cursor| cursor.is_none()));
        for text in ["x", "1_", "_1-0", "99999999999999999999_1-0", "1_1"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
