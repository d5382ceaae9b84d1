//! The sheets: A4 pages that print as they look, from the data of [`AuditSummary`] alone. No script, no external asset,
//! no style attribute (the pages' Content-Security-Policy forbids it), everything from outside escaped by the template.

use std::fmt::Write;

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{AuditSummary, Figure, FindingLine, SourceLine};
use crate::summarize::AuditError;
use crate::wording;

/// The styles of the sheets; served beside the pages' own, and written into the file that stands alone.
pub const SHEET_CSS: &str = include_str!("../assets/sheet.css");

/// Sources drawn in the receipt calendar; the table below it lists all of them.
const CALENDAR_ROWS_MAX: usize = 40;

/// Where the links of the sheets lead.
#[derive(Clone, Debug)]
pub enum Links {
    /// Nowhere: a file on paper or on a stick. Queries are printed as text.
    None,
    /// To the pages under this address; empty on those pages themselves.
    Pages(String),
}

impl Links {
    fn query(&self, query: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<String> {
        let Self::Pages(base) = self else { return None };
        let [query, from, to] = [query.to_owned(), wording::iso(from), wording::iso(to)].map(|text| percent(&text));
        Some(format!("{base}/search?q={query}&period=custom&from={from}&to={to}"))
    }

    fn finding(&self, id: &str) -> Option<String> {
        let Self::Pages(base) = self else { return None };
        Some(format!("{base}/findings/{}", percent(id)))
    }
}

/// Percent-encodes everything except RFC 3986's unreserved characters.
pub fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    encoded
}

#[derive(Template)]
#[template(path = "sheets.html")]
struct Sheets<'a> {
    summary: &'a AuditSummary,
    links: &'a Links,
    calendar: Calendar,
}

#[derive(Template)]
#[template(path = "standalone.html")]
struct Standalone<'a> {
    title: String,
    css: &'static str,
    sheets: Sheets<'a>,
}

/// The sheets as `<section>` elements, to stand in a page that links [`SHEET_CSS`].
pub fn render_sheets(summary: &AuditSummary, links: &Links) -> Result<String, AuditError> {
    Ok(sheets(summary, links).render()?)
}

/// A whole HTML file that needs nothing beside it.
pub fn render_standalone(summary: &AuditSummary, links: &Links) -> Result<String, AuditError> {
    let title = format!("アクセスログ監査報告書 {} {}", summary.header.hospital, summary.header.period);
    Ok(Standalone { title, css: SHEET_CSS, sheets: sheets(summary, links) }.render()?)
}

fn sheets<'a>(summary: &'a AuditSummary, links: &'a Links) -> Sheets<'a> {
    Sheets { summary, links, calendar: Calendar::of(summary) }
}

impl Sheets<'_> {
    fn href(&self, figure: &Figure) -> Option<String> {
        let query = figure.query.as_ref()?;
        self.links.query(query, self.summary.header.from, self.summary.header.to)
    }

    fn finding_href(&self, line: &FindingLine) -> Option<String> {
        self.links.finding(&line.id)
    }

    fn figure(&self, id: &str) -> Option<&Figure> {
        self.summary.figures.iter().find(|figure| figure.id == id)
    }

    fn created(&self) -> String {
        wording::era_stamp(self.summary.header.created)
    }

    fn silences(&self) -> Vec<(&SourceLine, String)> {
        let lines = self.summary.sources.iter();
        lines.flat_map(|line| line.silences.iter().map(move |silence| (line, silence.text()))).collect()
    }

    fn open_findings(&self) -> Vec<&FindingLine> {
        self.summary.findings.iter().filter(|line| line.waits()).collect()
    }

    fn logins_total(&self) -> [String; 4] {
        let sum = |pick: fn(&crate::LoginClassLine) -> u64| {
            wording::count(self.summary.logins_by_class.iter().map(pick).sum())
        };
        [
            sum(|line| line.success),
            sum(crate::LoginClassLine::in_hours),
            sum(|line| line.success_after_hours),
            sum(|line| line.failure),
        ]
    }
}

/// 図1: source × day. Drawn with attributes only, so that it prints alike with and without styles.
struct Calendar {
    rows: Vec<CalendarRow>,
    labels: Vec<(String, String)>,
    height: usize,
    left_out: usize,
}

struct CalendarRow {
    name: String,
    text_y: usize,
    y: usize,
    cells: Vec<CalendarCell>,
}

struct CalendarCell {
    x: String,
    middle: String,
    /// 1–5 by volume against the source's best day; 0 is a day without anything that was expected.
    level: u64,
    title: String,
}

impl CalendarCell {
    fn opacity(&self) -> &'static str {
        match self.level {
            1 => "0.22",
            2 => "0.38",
            3 => "0.54",
            4 => "0.7",
            _ => "0.86",
        }
    }
}

const CELL_STEP_TENTHS: usize = 168;
const CELLS_LEFT: usize = 116;
const ROW_STEP: usize = 19;

fn cell_x(day: usize) -> String {
    let tenths = day * CELL_STEP_TENTHS;
    format!("{}.{}", CELLS_LEFT + tenths / 10, tenths % 10)
}

fn cell_middle(day: usize) -> String {
    let tenths = day * CELL_STEP_TENTHS + 72;
    format!("{}.{}", CELLS_LEFT + tenths / 10, tenths % 10)
}

impl Calendar {
    fn of(summary: &AuditSummary) -> Self {
        let drawn = summary.sources.iter().take(CALENDAR_ROWS_MAX);
        let rows: Vec<CalendarRow> =
            drawn.enumerate().map(|(index, line)| row(index, line, summary.header.from)).collect();
        let days = summary.sources.first().map_or(0, |line| line.days.len());
        let labelled = (0..days).filter(|day| *day == 0 || (*day + 1) % 5 == 0);
        Self {
            height: rows.len() * ROW_STEP + 18,
            labels: labelled.map(|day| (cell_middle(day), (day + 1).to_string())).collect(),
            left_out: summary.sources.len().saturating_sub(CALENDAR_ROWS_MAX),
            rows,
        }
    }

    fn label_y(&self) -> usize {
        self.height - 4
    }
}

fn row(index: usize, line: &SourceLine, from: DateTime<Utc>) -> CalendarRow {
    let best = line.days.iter().flatten().copied().max().unwrap_or(0).max(1);
    let cell = |(day, count): (usize, &Option<u64>)| {
        let count = (*count)?;
        let date = from + TimeDelta::days(i64::try_from(day).unwrap_or(0));
        let stamp = wording::short_stamp(date);
        let (date, _) = stamp.split_once(' ').unwrap_or((&stamp, ""));
        let title =
            if count == 0 { format!("{date} 受信なし") } else { format!("{date} {} 件", wording::count(count)) };
        // By the square root, or one noisy day would leave all others the same pale.
        let level = if count == 0 { 0 } else { (count * 25 / best).isqrt().clamp(1, 5) };
        Some(CalendarCell { x: cell_x(day), middle: cell_middle(day), level, title })
    };
    CalendarRow {
        name: shorten(&line.name, 14),
        text_y: index * ROW_STEP + 12,
        y: index * ROW_STEP + 1,
        cells: line.days.iter().enumerate().filter_map(cell).collect(),
    }
}

fn shorten(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_keep_the_query_whole() {
        let links = Links::Pages(String::new());
        let from = "2026-10-01T00:00:00+09:00".parse().unwrap();
        let href = links.query("user:\"a&b\" -x", from, from).unwrap();
        assert_eq!(
            href,
            "/search?q=user%3A%22a%26b%22%20-x&period=custom&from=2026-10-01T00%3A00%3A00%2B09%3A00\
             &to=2026-10-01T00%3A00%3A00%2B09%3A00"
        );
        assert_eq!(Links::None.query("*", from, from), None);
    }

    #[test]
    fn long_names_end_in_an_ellipsis() {
        assert_eq!(shorten("短い", 4), "短い");
        assert_eq!(shorten("とても長い機器の名前", 4), "とても…");
    }
}
