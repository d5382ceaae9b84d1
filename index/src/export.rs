//! The forms in which lists of events leave the program: columns chosen by name, CSV for spreadsheets, JSON lines. The
//! API, the pages and the command line use these and no others. Passwords that an event still holds are blotted out.

use std::borrow::Cow;
use std::ops::ControlFlow;

use monban_event::query::QueryField;
use monban_event::redact::{redact, redact_field};
use monban_event::store::{EventStore, SearchPage, SearchRequest, StoreError};
use monban_event::time::JST;
use monban_event::{Event, Field, FieldKind, account};
use serde_json::{Map, Value};

use crate::query;

/// Most columns of one table; there are some seventy fields, and a spreadsheet of more is read by nobody.
const COLUMNS_MAX: usize = 100;

/// What a list shows where nothing else is asked for.
const USUAL: &str = "日時,機器,利用者,操作,結果,接続元,番号,理由,本文,id";

/// Tells a spreadsheet that the text is UTF-8.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The columns of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns(Vec<Column>);

#[derive(Clone, Debug, PartialEq)]
struct Column {
    heading: String,
    shows: Shows,
}

#[derive(Clone, Debug, PartialEq)]
enum Shows {
    Field(QueryField),
    Id,
}

/// A column that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("「{0}」という列はありません。検索式と同じ項目の名前を , で区切って書きます（例: 日時,利用者,接続元）。")]
pub struct NoSuchColumn(String);

impl Columns {
    /// Reads names as the query language knows them, and `id`; the usual columns where none is named.
    pub fn read(names: &str) -> Result<Self, NoSuchColumn> {
        let names = if names.trim().is_empty() { USUAL } else { names };
        let columns: Vec<Column> =
            names.split([',', '、']).map(|name| column(name.trim())).collect::<Result<_, _>>()?;
        match columns.get(COLUMNS_MAX) {
            Some(beyond) => Err(NoSuchColumn(beyond.heading.clone())),
            None => Ok(Self(columns)),
        }
    }

    /// Whether only whole events have what is shown.
    pub fn need_whole(&self) -> bool {
        self.0.iter().any(|column| match &column.shows {
            Shows::Field(QueryField::Known(field)) => crate::partition::column_of(*field).is_none(),
            Shows::Field(QueryField::Native(_) | QueryField::Raw) => true,
            _ => false,
        })
    }

    pub fn headings(&self) -> Vec<String> {
        self.0.iter().map(|column| column.heading.clone()).collect()
    }

    pub fn cells(&self, event: &Event) -> Vec<String> {
        self.0.iter().map(|column| cell(&column.shows, event)).collect()
    }
}

fn column(name: &str) -> Result<Column, NoSuchColumn> {
    let shows = match account::fold(name).as_str() {
        "id" | "event.id" => Some(Shows::Id),
        "本文" | "msg" | "text" => Some(Shows::Field(QueryField::Known(Field::Message))),
        _ => query::field_named(name).filter(|field| *field != QueryField::Raw).map(Shows::Field),
    };
    let shows = shows.ok_or_else(|| NoSuchColumn(name.to_owned()))?;
    Ok(Column { heading: name.to_owned(), shows })
}

fn cell(shows: &Shows, event: &Event) -> String {
    match shows {
        Shows::Id => event.id.to_string(),
        Shows::Field(QueryField::Known(field)) => known(*field, event),
        Shows::Field(QueryField::AnyUser) => event.related_users().join(" "),
        Shows::Field(QueryField::AnyIp) => {
            event.related_ips().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
        Shows::Field(QueryField::Device) => event.device().unwrap_or_default().to_owned(),
        Shows::Field(QueryField::Native(name)) => {
            let value = event.native.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            value.map(|(name, value)| redact_field(name, value).into_owned()).unwrap_or_default()
        }
        Shows::Field(QueryField::Raw | QueryField::Word) => String::new(),
    }
}

/// Times as a Japanese spreadsheet reads them; all else as it is written in JSON.
fn known(field: Field, event: &Event) -> String {
    if field == Field::EventTime {
        return event.time().with_timezone(&JST).format("%Y/%m/%d %H:%M:%S").to_string();
    }
    let Some(value) = event.get(field) else { return String::new() };
    match value {
        monban_event::Value::Time(time) => time.with_timezone(&JST).format("%Y/%m/%d %H:%M:%S").to_string(),
        _ if field.kind() == FieldKind::Text => redact(&value.to_text()).into_owned(),
        _ => value.to_text().into_owned(),
    }
}

/// A line of CSV with its end. RFC 4180, and no cell that a spreadsheet would take for a formula.
pub fn csv_line(cells: &[String]) -> String {
    let mut line = cells.iter().map(|cell| csv_cell(cell)).collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}

fn csv_cell(cell: &str) -> Cow<'_, str> {
    let guarded: Cow<'_, str> =
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}").into() } else { cell.into() };
    if guarded.contains(['"', ',', '\r', '\n']) {
        return format!("\"{}\"", guarded.replace('"', "\"\"")).into();
    }
    guarded
}

/// The event's own form.
pub fn json(event: &Event) -> Map<String, Value> {
    let mut object = event.to_json();
    for (name, value) in &mut object {
        let Value::String(text) = value else { continue };
        let blotted = match name.strip_prefix("native.") {
            Some(native) => redact_field(native, text),
            None if name.as_str() == Field::Message.name() => redact(text),
            None => continue,
        };
        if let Cow::Owned(blotted) = blotted {
            *value = Value::String(blotted);
        }
    }
    object
}

/// Gives every page of a search, also behind a place where time ran out, until told to stop.
pub fn every_page(
    store: &dyn EventStore,
    mut request: SearchRequest,
    give: &mut dyn FnMut(&SearchPage) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    loop {
        let page = store.search(&request)?;
        let next = page.next;
        if give(&page).is_break() {
            return Ok(());
        }
        match next {
            None => return Ok(()),
            Some(next) if request.after == Some(next) => {
                let why = "索引を読むのに時間がかかりすぎ、先へ進めません。期間を狭めるか、条件を足してください。";
                return Err(StoreError::CannotAnswer(why.to_owned()));
            }
            Some(next) => request.after = Some(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event {
            event_time: "2026-11-19T17:14:07Z".parse().ok(),
            user_name: Some("sato_k".to_owned()),
            host_name: Some("FW本館".to_owned()),
            source_ip: "203.0.113.9".parse().ok(),
            message: Some("=cmd|' /C calc'!A0 password=geheim".to_owned()),
            native: [("password", "geheim"), ("tunnelid", "7")].into_iter().collect(),
            ..Event::default()
        }
    }

    #[test]
    fn columns_are_named_as_in_queries() {
        let columns = Columns::read("日時、利用者,src_ip,機器,tunnelid,native.password,id").unwrap();
        assert_eq!(columns.headings(), ["日時", "利用者", "src_ip", "機器", "tunnelid", "native.password", "id"]);
        let expected = ["2026/11/20 02:14:07", "sato_k", "203.0.113.9", "FW本館", "7", "******", "0-0"];
        assert_eq!(columns.cells(&event()), expected);
        assert!(columns.need_whole() && !Columns::read("user,host").unwrap().need_whole());
        for wrong in ["usr", "user,,host", "raw"] {
            assert!(Columns::read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Columns::read("").unwrap().headings().len(), 10);
    }

    #[test]
    fn no_cell_is_a_formula_and_no_cell_breaks_a_line() {
        for (cell, expected) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("+81", "'+81"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""),
            ("=a,\"b\"", "\"'=a,\"\"b\"\"\""),
        ] {
            assert_eq!(csv_cell(cell), expected, "{cell:?}");
        }
        assert_eq!(csv_line(&["a".to_owned(), String::new()]), "a,\r\n");
    }

    #[test]
    fn no_password_leaves() {
        let text = Value::Object(json(&event())).to_string();
        let line = csv_line(&Columns::read("本文,native.password").unwrap().cells(&event()));
        assert!(!text.contains("geheim") && !line.contains("geheim"), "{text} {line}");
        assert!(line.starts_with("'=cmd"), "{line}");
    }
}
