//! How figures grow with the number of lines: each of them is named with its number, and the last run is held against
//! the first. What grows less than the lines do is what was built for years.

use super::Results;
use super::table::Row;

/// A figure of a run over so many lines.
pub(super) fn named(events: u64, figure: &str) -> String {
    format!("[{} M] {figure}", millions(events))
}

fn millions(events: u64) -> String {
    let tenths = events / 100_000;
    if tenths.is_multiple_of(10) { format!("{}", tenths / 10) } else { format!("{}.{}", tenths / 10, tenths % 10) }
}

/// Adds a row of growth for each figure that both the first and the last run have.
pub(super) fn compare(events: &[u64], results: &mut Results) {
    let (Some(&first), Some(&last)) = (events.first(), events.last()) else { return };
    if first == last {
        return;
    }
    let grown: Vec<Row> = results.rows.iter().filter_map(|row| grown(row, first, last, &results.rows)).collect();
    results.rows.extend(grown);
    results.note(format!(
        "growth: what the figure of {} M lines is to that of {} M; the lines themselves grow {} ×",
        millions(last),
        millions(first),
        last / first.max(1)
    ));
}

fn grown(row: &Row, first: u64, last: u64, rows: &[Row]) -> Option<Row> {
    let figure = row.figure.strip_prefix(&named(last, ""))?;
    let before = rows.iter().find(|row| row.figure == named(first, figure))?;
    let figure = format!("growth: {figure}");
    Some(Row { figure, ours: row.ours, yardstick: Some(before.ours), unit: row.unit, must: None, aim: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(figure: String, ours: f64) -> Row {
        Row { figure, ours, yardstick: None, unit: "ms", must: None, aim: None }
    }

    #[test]
    fn the_last_run_is_held_against_the_first() {
        let mut results = Results::default();
        results.rows.push(row(named(1_000_000, "a search"), 2.0));
        results.rows.push(row(named(30_000_000, "a search"), 6.0));
        results.rows.push(row(named(30_000_000, "only here"), 1.0));
        compare(&[1_000_000, 30_000_000], &mut results);
        let grown = &results.rows[3..];
        assert_eq!(grown.len(), 1);
        assert_eq!((grown[0].figure.as_str(), grown[0].ours, grown[0].yardstick), ("growth: a search", 6.0, Some(2.0)));
        let rows = results.rows.len();
        compare(&[1_000_000], &mut results);
        assert_eq!(results.rows.len(), rows);
    }

    #[test]
    fn millions_are_written_short() {
        assert_eq!((named(1_000_000, "x"), named(1_500_000, "x")), ("[1 M] x".to_owned(), "[1.5 M] x".to_owned()));
    }
}
