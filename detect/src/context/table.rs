//! A CSV sheet of an office → rows of named cells. Owns finding the header (a title row may stand above it), matching
//! column names however they are written, and keeping the line number of each row for complaints. Never drops a row
//! silently: rows that hold nothing but blanks are the only ones passed over.

use monban_event::account::fold;

use super::{Complaint, text};

/// Rows above the header: a title, a date, a blank line, a merged heading. More is not a sheet.
const HEADER_WITHIN_ROWS: usize = 10;
/// Rows read of one sheet. The largest Japanese hospitals have some 5,000 staff; ten times that and more is a mistake.
const ROWS_MAX: usize = 100_000;

/// What a reader wants of a sheet: its file name, and per column the names it goes by, the first one being ours.
pub(super) struct Sheet {
    pub(super) file: &'static str,
    pub(super) columns: &'static [&'static [&'static str]],
    /// Columns people keep in the sheet that we need nothing of.
    pub(super) unused: &'static [&'static str],
}

pub(super) struct Row {
    pub(super) line: u64,
    cells: Vec<String>,
}

impl Row {
    /// The trimmed cell of a wanted column; empty where the sheet has none.
    pub(super) fn get(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }
}

/// Reads `bytes` as `sheet`. Every row that holds anything comes back or is complained about.
pub(super) fn read(sheet: &Sheet, bytes: &[u8], complaints: &mut Vec<Complaint>) -> Vec<Row> {
    let decoded = text::decode(bytes);
    let complain = |line: u64, column: &str, message: &str| Complaint::new(sheet.file, line, column, message);
    let damaged = decoded.damaged_lines.iter();
    complaints.extend(damaged.map(|&line| {
        complain(
            line,
            "",
            "文字コードとして読めないバイトがあります。UTF-8 か Excel の CSV（Shift_JIS）で保存し直してください。",
        )
    }));
    let mut records = records(&decoded.text);
    let Some(header_at) = records.iter().take(HEADER_WITHIN_ROWS).position(|(_, cells)| is_header(sheet, cells)) else {
        let message = format!("見出し行が見つかりません。「{}」などの列名の行が必要です。", own_names(sheet));
        complaints.push(complain(1, "", &message));
        return Vec::new();
    };
    let data = records.split_off(header_at + 1);
    let header = records.pop().unwrap_or_default();
    complaints.extend(unknown_columns(sheet, &header));
    if data.len() > ROWS_MAX {
        complaints.push(complain(
            header.0,
            "",
            &format!("{ROWS_MAX} 行を超えるため、それより後ろは読みませんでした。"),
        ));
    }
    let places = places(sheet, &header.1);
    let rows = data.into_iter().take(ROWS_MAX);
    rows.map(|(line, cells)| Row { line, cells: pick(&places, &cells) }).collect()
}

/// Non-blank records with their line numbers.
fn records(text: &str) -> Vec<(u64, Vec<String>)> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(text))
        .from_reader(text.as_bytes());
    let mut found = Vec::new();
    // The text is a `str`, so every record is UTF-8 and none can fail to read.
    for record in reader.records().flatten() {
        let line = record.position().map_or(0, csv::Position::line);
        let cells: Vec<String> = record.iter().map(|cell| cell.trim().to_owned()).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            found.push((line, cells));
        }
    }
    found
}

/// Excel's "Unicode text" is separated by tabs.
fn delimiter(text: &str) -> u8 {
    let head: String = text.lines().take(HEADER_WITHIN_ROWS).collect();
    if head.matches('\t').count() > head.matches(',').count() { b'\t' } else { b',' }
}

/// Two known names make a header; one could be a title that happens to be a column's name.
fn is_header(sheet: &Sheet, cells: &[String]) -> bool {
    let known = cells.iter().filter(|cell| column_of(sheet, cell).is_some() || is_unused(sheet, cell)).count();
    let wanted = cells.iter().any(|cell| column_of(sheet, cell).is_some());
    wanted && (known >= 2 || cells.iter().filter(|cell| !cell.is_empty()).count() == 1)
}

fn column_of(sheet: &Sheet, cell: &str) -> Option<usize> {
    let cell = squeeze(cell);
    sheet.columns.iter().position(|names| names.iter().any(|name| squeeze(name) == cell))
}

fn is_unused(sheet: &Sheet, cell: &str) -> bool {
    let cell = squeeze(cell);
    sheet.unused.iter().any(|name| squeeze(name) == cell)
}

/// A column's name without what people vary: width, case, spaces, and a remark in brackets.
fn squeeze(name: &str) -> String {
    let folded = fold(name);
    let bare = folded.split(['(', '（', '[']).next().unwrap_or("");
    bare.chars().filter(|c| !c.is_whitespace() && !"_-・/".contains(*c)).collect()
}

fn unknown_columns(sheet: &Sheet, header: &(u64, Vec<String>)) -> Vec<Complaint> {
    let known = |cell: &str| cell.is_empty() || column_of(sheet, cell).is_some() || is_unused(sheet, cell);
    let unknown = header.1.iter().filter(|cell| !known(cell));
    unknown
        .map(|cell| Complaint::new(sheet.file, header.0, cell, "この列は使いません。列名をご確認ください。"))
        .collect()
}

/// Where in a row each wanted column stands; of two columns of one name, the first.
fn places(sheet: &Sheet, header: &[String]) -> Vec<Option<usize>> {
    let wanted = 0..sheet.columns.len();
    wanted.map(|column| header.iter().position(|cell| column_of(sheet, cell) == Some(column))).collect()
}

fn pick(places: &[Option<usize>], cells: &[String]) -> Vec<String> {
    places.iter().map(|place| place.and_then(|at| cells.get(at)).cloned().unwrap_or_default()).collect()
}

fn own_names(sheet: &Sheet) -> String {
    let names: Vec<&str> = sheet.columns.iter().filter_map(|names| names.first().copied()).take(4).collect();
    names.join("」「")
}

/// The parts of a cell that lists several things.
pub(super) fn list(cell: &str) -> Vec<&str> {
    let parts = cell.split([',', ';', '、', '，', '；', ' ', '　', '\n', '\r', '|']);
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHEET: Sheet =
        Sheet {
            file: "x.csv", columns: &[&["氏名"], &["ADアカウント", "SamAccountName"]], unused: &["フリガナ"]
        };

    fn check(text: &str) -> (Vec<(u64, String, String)>, Vec<String>) {
        let mut complaints = Vec::new();
        let rows = read(&SHEET, text.as_bytes(), &mut complaints);
        let rows = rows.iter().map(|row| (row.line, row.get(0).to_owned(), row.get(1).to_owned())).collect();
        (rows, complaints.into_iter().map(|c| format!("{}:{}", c.line, c.column)).collect())
    }

    #[test]
    fn header_may_stand_below_a_title_and_rows_between_blanks() {
        let (rows, complaints) =
            check("職員一覧,,\n\nＡＤ アカウント,フリガナ,氏 名（漢字）\nhanako,ハナコ,山田 花子\n,,\nsato_k,,佐藤\n");
        assert_eq!(rows, [(4, "山田 花子".into(), "hanako".into()), (6, "佐藤".into(), "sato_k".into())]);
        assert_eq!(complaints, [""; 0]);
    }

    #[test]
    fn tabs_and_other_names() {
        let (rows, _) = check("氏名\tsamaccountname\n山田\thanako\n");
        assert_eq!(rows, [(2, "山田".into(), "hanako".into())]);
    }

    #[test]
    fn unknown_columns_and_missing_headers_are_told() {
        assert_eq!(check("氏名,ADアカウント,血液型\na,b,c\n").1, ["1:血液型"]);
        assert_eq!(check("a,b\nc,d\n").1, ["1:"]);
        assert_eq!(check("").1, ["1:"]);
    }

    #[test]
    fn cells_with_several_things() {
        assert_eq!(list("a、b; c\n d"), ["a", "b", "c", "d"]);
    }
}
