//! The table of what was planted, for people: `monban demo --list`.

use chrono::{DateTime, Utc};
use monban_event::time::JST;

use super::Planted;

/// The table as text, a row an incident, the columns aligned for a terminal in which Japanese is two columns wide.
/// `records` gives the ids of the records that carry an incident, where they are known.
pub(crate) fn print_list(planted: &[Planted], mut records: impl FnMut(&Planted) -> Vec<String>) -> String {
    let head = ["日", "時刻 (JST)", "検知ルール", "何が起きたか", "検索式", "記録"].map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(planted.iter().map(|incident| row(incident, &records(incident))));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    rows.iter().map(|row| text_row(row, &widths)).collect()
}

/// So many record ids are shown; the search finds all.
const RECORDS_SHOWN: usize = 6;

fn row(incident: &Planted, records: &[String]) -> [String; 6] {
    let (from, to) = incident.at_range;
    let mut shown: Vec<String> = records.iter().take(RECORDS_SHOWN).cloned().collect();
    if records.len() > RECORDS_SHOWN {
        shown.push(format!("ほか {} 件", records.len() - RECORDS_SHOWN));
    }
    [
        incident.day.to_string(),
        format!("{}–{}", clock(from), clock(to)),
        incident.rules.join(" "),
        incident.text_ja.to_owned(),
        incident.query.to_owned(),
        shown.join(" "),
    ]
}

fn clock(time: DateTime<Utc>) -> String {
    time.with_timezone(&JST).format("%d日 %H:%M:%S").to_string()
}

fn text_row(row: &[String; 6], widths: &[usize; 6]) -> String {
    let mut out = String::new();
    for (cell, width) in row.iter().zip(widths) {
        out += cell;
        out += &" ".repeat(width.saturating_sub(columns(cell)) + 2);
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Columns on a terminal: everything beyond Latin is taken for two.
fn columns(text: &str) -> usize {
    text.chars().map(|letter| if u32::from(letter) >= 0x2E80 { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_one_another() {
        let at: DateTime<Utc> = "2026-10-24T16:48:12Z".parse().unwrap();
        let incident = |text_ja, rules| Planted { day: 25, at_range: (at, at), text_ja, rules, query: "user:a" };
        let planted = [incident("攻撃", vec!["VP-01", "VP-03"]), incident("プリンター", vec!["LG-09"])];
        let text = print_list(&planted, |_| (1..9).map(|id| format!("{id}-0")).collect());
        let columns_of = |line: &str, word: &str| line.split(word).next().map(columns);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(columns_of(lines[1], "user:a"), columns_of(lines[2], "user:a"));
        assert!(lines[1].starts_with("25  25日 01:48:12–25日 01:48:12  VP-01 VP-03  攻撃"), "{text}");
        assert!(lines[1].ends_with("1-0 2-0 3-0 4-0 5-0 6-0 ほか 2 件"), "{text}");
    }
}
