//! `monban search`: lists, counts and records of what is kept, as text. Like every search it is on the trail, and what
//! is written in a form for other programs is there as an export.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use monban_event::act::Deed;
use monban_event::query::QueryField;
use monban_event::store::{AggregateRequest, Aggregates, Order, SearchPage, SearchRequest, StoreError};
use monban_event::time::{jst_text, rfc3339};
use monban_event::{ActSink, Event, EventStore, Field, TimeRange};
use monban_index::export::{self, BYTE_ORDER_MARK, Columns};
use monban_index::partition::RecordSource;
use monban_index::query::{self, Parsed, QueryError};
use serde_json::json;

use crate::control::{Form, Reply, Show};
use crate::node::Node;
use crate::verbs::{CONSOLE, EXIT_NOTHING, EXIT_OK, failed};

/// Events fetched at once while a search is written out.
const PAGE: usize = 1000;

/// Widest column of a table on a screen.
const COLUMN_WIDTH_MAX: usize = 40;

/// What a person sees of an event where no columns are named; the message would not fit.
const SCREEN: &str = "日時,機器,利用者,操作,接続元,結果";

/// What is searched for.
pub(crate) struct Asked<'a> {
    pub(crate) text: &'a str,
    pub(crate) range: TimeRange,
    pub(crate) order: Order,
}

type Say<'a> = &'a mut dyn FnMut(Reply);
/// Writes the events of a page.
type Give<'a> = dyn FnMut(&[Event], Say<'_>) -> Result<(), String> + 'a;

/// A search that was read.
struct Search<'a> {
    node: &'a Node,
    asked: &'a Asked<'a>,
    parsed: Parsed,
    range: TimeRange,
}

pub(crate) fn run(node: &Node, asked: &Asked<'_>, show: &Show, say: Say<'_>) -> Result<u8, String> {
    let parsed =
        query::parse_noting(asked.text, node.clock.now()).map_err(|errors| explain_errors(asked.text, &errors))?;
    let range = query::period(&parsed.query).map_or(asked.range, |own| own.intersect(&asked.range));
    let slow = query::slow_note(&parsed.query, range).map(str::to_owned);
    for note in parsed.notes.iter().cloned().chain(slow) {
        say(Reply::Note(note));
    }
    let search = Search { node, asked, parsed, range };
    match show {
        Show::Count => search.count(say),
        Show::By { field, limit, form } => search.by(field, *limit, *form, say),
        Show::Bars { seconds, form } => search.bars(*seconds, *form, say),
        Show::Events { limit, columns, form } => search.events(*limit, columns, *form, say),
        Show::Raw { limit } => search.raw(*limit, say),
    }
}

fn cannot_search(error: &StoreError) -> String {
    match error {
        // It is a sentence for the asker as it stands.
        StoreError::CannotAnswer(why) => why.clone(),
        StoreError::Engine { .. } => failed("検索できません")(error),
    }
}

impl Search<'_> {
    fn record(&self, deed: Deed) -> Result<(), String> {
        self.node
            .record(CONSOLE, deed)
            .map(drop)
            .map_err(|error| failed("監査証跡に記録できません")(&error))
    }

    fn searched(&self, hits: u64) -> Result<(), String> {
        let (from, to) = (self.range.from, self.range.to);
        self.record(Deed::Searched { query: self.asked.text.to_owned(), from, to, hits })
    }

    fn exported(&self, form: &str, limit: usize) -> Result<(), String> {
        let bound = |time: Option<DateTime<Utc>>| time.map(jst_text).unwrap_or_default();
        let what = format!("検索 {}　{} 〜 {}", self.asked.text, bound(self.range.from), bound(self.range.to));
        let count = AggregateRequest::count(self.parsed.query.clone(), self.range);
        let found = self.node.store.aggregate(&count).map_err(|error| cannot_search(&error))?;
        let events = Some(found.total.value.min(limit as u64));
        self.record(Deed::Exported { what, form: form.to_owned(), events })
    }

    /// All numbers here are exact; they take as long as they take.
    fn aggregate(&self, fields: Vec<Field>, top: usize, interval_seconds: Option<u32>) -> Result<Aggregates, String> {
        let count = AggregateRequest::count(self.parsed.query.clone(), self.range);
        let request = AggregateRequest { fields, top, interval_seconds, patient: true, ..count };
        let found = self.node.store.aggregate(&request).map_err(|error| cannot_search(&error))?;
        self.searched(found.total.value)?;
        Ok(found)
    }

    fn count(&self, say: Say<'_>) -> Result<u8, String> {
        say(Reply::Out(self.aggregate(Vec::new(), 0, None)?.total.value.to_string()));
        Ok(EXIT_OK)
    }

    fn by(&self, name: &str, limit: usize, form: Form, say: Say<'_>) -> Result<u8, String> {
        let field = counted_field(name)?;
        let mut found = self.aggregate(vec![field], limit, None)?;
        let top = found.tops.pop().unwrap_or_default();
        let rows: Vec<[String; 2]> = top.values.into_iter().map(|(value, count)| [value, count.to_string()]).collect();
        write_pairs(&[name, "件数"], &rows, form, say);
        let others = if top.others > 0 { format!("（ほか {} 種）", top.others) } else { String::new() };
        say(Reply::Note(format!("一致 {} 件 / {name} は {} 種{others}", found.total.value, top.distinct)));
        self.ended(found.total.value, say)
    }

    fn bars(&self, seconds: u32, form: Form, say: Say<'_>) -> Result<u8, String> {
        let to = self.range.to.or(Some(self.node.clock.now()));
        let bounded = Search {
            node: self.node,
            asked: self.asked,
            parsed: self.parsed.clone(),
            range: TimeRange { to, ..self.range },
        };
        let found = bounded.aggregate(Vec::new(), 0, Some(seconds))?;
        let stamp = |time| if form == Form::Jsonl { rfc3339(time) } else { jst_text(time) };
        let rows: Vec<[String; 2]> = found.bars.iter().map(|bar| [stamp(bar.start), bar.count.to_string()]).collect();
        write_pairs(&["時刻", "件数"], &rows, form, say);
        say(Reply::Note(format!("一致 {} 件", found.total.value)));
        self.ended(found.total.value, say)
    }

    fn events(&self, limit: usize, columns: &str, form: Form, say: Say<'_>) -> Result<u8, String> {
        let names = if columns.is_empty() && form == Form::Table { SCREEN } else { columns };
        let columns = Columns::read(names).map_err(|error| error.to_string())?;
        match form {
            Form::Table => {}
            Form::Csv => self.exported("csv", limit)?,
            Form::Jsonl => self.exported("jsonl", limit)?,
        }
        let mut head = Some(columns.headings());
        let whole = form == Form::Jsonl || columns.need_whole();
        let (shown, total) = self.each_page(limit, whole, say, &mut |events, say| {
            let cells = events.iter().map(|event| columns.cells(event));
            match form {
                Form::Jsonl => events.iter().for_each(|event| say(Reply::Out(json_line(event)))),
                Form::Csv => head.take().into_iter().map(with_mark).chain(cells).for_each(|cells| {
                    let line = export::csv_line(&cells);
                    say(Reply::Out(line.trim_end_matches('\n').to_owned()));
                }),
                Form::Table if events.is_empty() => {}
                Form::Table => {
                    let rows: Vec<Vec<String>> = head.take().into_iter().chain(cells).collect();
                    for line in table(&rows) {
                        say(Reply::Out(line));
                    }
                }
            }
            Ok(())
        })?;
        self.tell_total(shown, total, form == Form::Table, say)
    }

    fn raw(&self, limit: usize, say: Say<'_>) -> Result<u8, String> {
        self.exported("raw", limit)?;
        let (shown, total) = self.each_page(limit, true, say, &mut |events, say| {
            for event in events {
                let record = RecordSource::read(self.node.journal.as_ref(), event.id.record);
                let record = record.map_err(|error| failed("原文を読めません")(&error))?;
                let text = record.map(|record| monban_api::raw_text(&record, event)).unwrap_or_default();
                say(Reply::Out(text.trim_end_matches(['\r', '\n']).to_owned()));
            }
            Ok(())
        })?;
        self.tell_total(shown, total, false, say)
    }

    /// Gives up to `limit` events page by page. The number shown, and the total where the first page told it exactly.
    fn each_page(
        &self,
        limit: usize,
        whole: bool,
        say: Say<'_>,
        give: &mut Give<'_>,
    ) -> Result<(usize, Option<u64>), String> {
        let request = SearchRequest::new(self.parsed.query.clone(), self.range, PAGE.min(limit));
        let request = SearchRequest { order: self.asked.order, whole, ..request };
        let (mut shown, mut total, mut result) = (0, None, Ok(()));
        let mut take = |page: &SearchPage| {
            if shown == 0 && page.total.exact {
                total = Some(page.total.value);
            }
            let events = page.events.get(..limit - shown).unwrap_or(&page.events);
            shown += events.len();
            result = give(events, say);
            if let (Some(range), true) = (page.unsearched, shown < limit) {
                say(Reply::Note(still_searching(range, self.asked.order)));
            }
            if result.is_ok() && shown < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        if limit > 0 {
            export::every_page(self.node.store.as_ref(), request, &mut take).map_err(|error| cannot_search(&error))?;
        }
        result.map(|()| (shown, total))
    }

    /// `is_searched`: a list for a person is a search and not an export, which the trail has already.
    fn tell_total(&self, shown: usize, known: Option<u64>, is_searched: bool, say: Say<'_>) -> Result<u8, String> {
        let total = match known {
            Some(total) => total,
            None => self.node.store.count(&self.parsed.query, self.range).map_err(|error| cannot_search(&error))?,
        };
        if is_searched {
            self.searched(total)?;
        }
        say(Reply::Note(format!("一致 {total} 件 / 表示 {shown} 件")));
        self.ended(total, say)
    }

    /// The exit status, and for a search without matches what else would find something.
    fn ended(&self, total: u64, say: Say<'_>) -> Result<u8, String> {
        if total > 0 {
            return Ok(EXIT_OK);
        }
        let found = query::hints(self.node.store.as_ref(), &self.parsed, self.asked.range, self.node.clock.now());
        for hint in found.map_err(|error| cannot_search(&error))? {
            say(Reply::Note(format!("  {}", hint.sentence())));
        }
        Ok(EXIT_NOTHING)
    }
}

/// The field whose values are counted; those that stand for several are counted by the first of them.
fn counted_field(name: &str) -> Result<Field, String> {
    match query::field_named(name) {
        Some(QueryField::Known(field)) => Ok(field),
        Some(QueryField::AnyUser) => Ok(Field::UserName),
        Some(QueryField::AnyIp) => Ok(Field::SourceIp),
        Some(QueryField::Device) => Ok(Field::SourceId),
        _ => Err(format!(
            "「{name}」の値ごとには数えられません。検索式の項目（利用者、接続元、操作、結果など）を指定してください。"
        )),
    }
}

pub(crate) fn with_mark(mut headings: Vec<String>) -> Vec<String> {
    if let Some(first) = headings.first_mut() {
        first.insert_str(0, BYTE_ORDER_MARK);
    }
    headings
}

fn write_pairs(heads: &[&str; 2], rows: &[[String; 2]], form: Form, say: Say<'_>) {
    let head = heads.map(str::to_owned);
    match form {
        Form::Jsonl => rows.iter().for_each(|[value, count]| {
            let count: u64 = count.parse().unwrap_or(0);
            say(Reply::Out(json!({ "value": value, "count": count }).to_string()));
        }),
        Form::Csv => std::iter::once(with_mark(head.to_vec()))
            .chain(rows.iter().map(|row| row.to_vec()))
            .for_each(|cells| say(Reply::Out(export::csv_line(&cells).trim_end_matches('\n').to_owned()))),
        Form::Table if rows.is_empty() => {}
        Form::Table => {
            let rows: Vec<Vec<String>> =
                std::iter::once(head.to_vec()).chain(rows.iter().map(|row| row.to_vec())).collect();
            for line in table(&rows) {
                say(Reply::Out(line));
            }
        }
    }
}

fn json_line(event: &Event) -> String {
    serde_json::Value::Object(export::json(event)).to_string()
}

/// Lines of equal columns: a Japanese character takes two places on a terminal.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| width(&shown(cell))).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, wide)| {
            let cell = shown(cell);
            let blanks = wide.saturating_sub(width(&cell));
            format!("{cell}{}", " ".repeat(blanks))
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// On one line, and no wider than a column may be.
fn shown(cell: &str) -> String {
    let cell = if cell.is_empty() { "-" } else { cell };
    let mut text = String::new();
    let mut wide = 0;
    for char in cell.chars().map(|char| if char.is_control() { ' ' } else { char }) {
        wide += char_width(char);
        if wide > COLUMN_WIDTH_MAX {
            text.push('…');
            break;
        }
        text.push(char);
    }
    text
}

fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(char: char) -> usize {
    // Half-width katakana are the one script outside ASCII that hospitals' logs have and that takes one place.
    if char.is_ascii() || ('\u{ff61}'..='\u{ff9f}').contains(&char) { 1 } else { 2 }
}

fn still_searching(range: TimeRange, order: Order) -> String {
    let reached = match order {
        Order::NewestFirst => range.to,
        Order::OldestFirst => range.from,
    };
    let reached = reached.map(jst_text).unwrap_or_default();
    format!("{reached} まで調べました。続けています（Ctrl-C で止めます）。")
}

/// For each error the message, the query with a caret line under the place, and a way to put it right.
fn explain_errors(text: &str, errors: &[QueryError]) -> String {
    errors.iter().map(|error| explain_error(text, error)).collect::<Vec<_>>().join("\n")
}

fn explain_error(text: &str, error: &QueryError) -> String {
    let columns = |from: usize, to: usize| text.chars().skip(from).take(to.saturating_sub(from)).map(char_width).sum();
    let (before, under): (usize, usize) = (columns(0, error.from), columns(error.from, error.to));
    let mut lines = vec![
        format!("誤り: {error}"),
        format!("  {text}"),
        format!("  {}{}", " ".repeat(before), "^".repeat(under.max(1))),
    ];
    let fixes = error.fix.iter().chain(&error.other_fixes);
    lines.extend(fixes.map(|fix| format!("  {} monban search '{}'", fix.label, fix.q.replace('\'', "'\\''"))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_one_another() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let rows = [row(&["利用者", "件数"]), row(&["tanaka", "12"]), row(&["", "3"]), row(&["ﾀﾅｶ", "1"])];
        assert_eq!(table(&rows), ["利用者  件数", "tanaka  12", "-       3", "ﾀﾅｶ     1"]);
        assert_eq!(width(&shown(&"あ".repeat(60))), COLUMN_WIDTH_MAX + 2);
        assert_eq!(shown("a\r\nb"), "a  b");
    }

    #[test]
    fn a_caret_stands_under_the_place() {
        let now = "2026-11-20T00:00:00Z".parse().unwrap();
        let errors = query::parse("髙橋 usr:tanaka", now).unwrap_err();
        let text = explain_errors("髙橋 usr:tanaka", &errors);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "誤り: 4文字目: 「usr」という項目はありません。");
        assert_eq!(lines[2], "       ^^^");
        assert_eq!(lines[3], "  user のことですか？ monban search '髙橋 user:tanaka'");
    }
}
