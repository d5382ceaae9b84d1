//! The one table: ours beside the yardstick, and what the ratio has to be.

/// A figure. `must` and `aim` bound the ratio where there is a yardstick, else the figure itself.
pub(super) struct Row {
    pub(super) figure: String,
    pub(super) ours: f64,
    pub(super) yardstick: Option<f64>,
    pub(super) unit: &'static str,
    pub(super) must: Option<f64>,
    pub(super) aim: Option<f64>,
}

impl Row {
    fn compared(&self) -> f64 {
        self.yardstick.map_or(self.ours, |yardstick| self.ours / yardstick)
    }

    fn cells(&self) -> [String; 7] {
        let bound = |bound: Option<f64>| match (bound, self.yardstick) {
            (None, _) => "–".to_owned(),
            (Some(bound), Some(_)) => format!("≤ {bound} ×"),
            (Some(bound), None) => format!("≤ {bound} {}", self.unit).trim_end().to_owned(),
        };
        let holds = self.must.map_or("–", |must| if self.compared() <= must { "yes" } else { "NO" });
        [
            self.figure.clone(),
            format!("{} {}", number(self.ours), self.unit).trim_end().to_owned(),
            self.yardstick.map_or_else(|| "–".to_owned(), |value| format!("{} {}", number(value), self.unit)),
            self.yardstick.map_or_else(|| "–".to_owned(), |_| format!("{:.2} ×", self.compared())),
            bound(self.must),
            bound(self.aim),
            holds.to_owned(),
        ]
    }
}

/// Three figures, no more: a measurement on a shared machine has no others.
fn number(value: f64) -> String {
    let places = match value.abs() {
        large if large >= 100.0 => 0,
        large if large >= 10.0 => 1,
        large if large >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.places$}")
}

const HEAD: [&str; 7] = ["figure", "ours", "yardstick", "ratio", "must", "aim", "holds"];

pub(super) fn print(rows: &[Row]) -> String {
    let head = HEAD.map(str::to_owned);
    let lines: Vec<[String; 7]> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let mut widths = [0; 7];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text: Vec<String> = lines.iter().map(|line| padded(line, widths)).collect();
    text.insert(1, format!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|")));
    text.join("\n")
}

fn padded(line: &[String; 7], widths: [usize; 7]) -> String {
    let cells = line.iter().zip(widths).map(|(cell, width)| format!(" {cell:<width$} "));
    format!("|{}|", cells.collect::<Vec<_>>().join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_held_against_its_bound_and_a_bare_figure_against_its_own() {
        let row = |ours, yardstick, must| Row {
            figure: "x".to_owned(),
            ours,
            yardstick,
            unit: "s",
            must: Some(must),
            aim: None,
        };
        assert_eq!(row(3.0, Some(2.0), 1.5).cells()[3..], ["1.50 ×", "≤ 1.5 ×", "–", "yes"]);
        assert_eq!(row(3.0, Some(2.0), 1.4).cells()[6], "NO");
        assert_eq!(row(3.0, None, 2.0).cells()[1..], ["3.00 s", "–", "–", "≤ 2 s", "–", "NO"]);
    }

    #[test]
    fn all_lines_are_as_wide_as_each_other() {
        let row = Row { figure: "long".repeat(9), ours: 1.0, yardstick: None, unit: "", must: None, aim: None };
        let widths: Vec<usize> = print(&[row]).lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths.len(), 3);
        assert!(widths.iter().all(|width| *width == widths[0]));
    }
}
