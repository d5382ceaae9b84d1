//! What a hunt came to, by rule: the table that is shown at the end.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use monban_detect::RuleHit;
use monban_event::time::jst_text;
use monban_event::{Finding, Severity};

use super::grouped;

/// Rules shown in the table; a person reads no more, and the output has them all.
const ROWS_MAX: usize = 40;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RuleLine {
    pub(super) title: String,
    pub(super) events: u64,
    pub(super) findings: u64,
    /// Of findings; matches one by one are not spanned.
    pub(super) span: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// By severity, the gravest first, and rule. A rule that found something grave and something less so stands twice.
#[derive(Debug, Default)]
pub(super) struct Summary {
    lines: BTreeMap<(std::cmp::Reverse<Severity>, String), RuleLine>,
}

impl Summary {
    pub(super) fn matched(&mut self, hit: &RuleHit) {
        self.line(hit.severity, hit.rule.as_str(), &hit.title).events += 1;
    }

    pub(super) fn found(&mut self, finding: &Finding) {
        let line = self.line(finding.severity, finding.rule_id.as_str(), &finding.rule_title);
        line.events += finding.count;
        line.findings += 1;
        let (first, last) = line.span.unwrap_or((finding.first, finding.last));
        line.span = Some((first.min(finding.first), last.max(finding.last)));
    }

    fn line(&mut self, severity: Severity, rule: &str, title: &str) -> &mut RuleLine {
        let fresh = || RuleLine { title: title.to_owned(), events: 0, findings: 0, span: None };
        self.lines.entry((std::cmp::Reverse(severity), rule.to_owned())).or_insert_with(fresh)
    }

    /// Severity, rule and what it came to, in their order.
    pub(super) fn lines(&self) -> impl Iterator<Item = (Severity, &str, &RuleLine)> {
        self.lines.iter().map(|((severity, rule), line)| (severity.0, rule.as_str(), line))
    }

    /// Lines for a terminal; none where nothing was found.
    pub(super) fn table(&self) -> Vec<String> {
        if self.lines.is_empty() {
            return Vec::new();
        }
        let heads = ["重大度", "件数", "まとめ", "最初", "最後", "ルール"].map(str::to_owned).to_vec();
        let rows = self.lines().take(ROWS_MAX).map(|(severity, rule, line)| cells(severity, rule, line));
        let mut lines = crate::search::table(&std::iter::once(heads).chain(rows).collect::<Vec<_>>());
        if self.lines.len() > ROWS_MAX {
            lines.push(format!("ほか {} ルール", self.lines.len() - ROWS_MAX));
        }
        lines
    }
}

fn cells(severity: Severity, rule: &str, line: &RuleLine) -> Vec<String> {
    let time = |time: Option<DateTime<Utc>>| time.map(jst_text).unwrap_or_default();
    vec![
        severity.japanese().to_owned(),
        grouped(line.events),
        if line.findings == 0 { String::new() } else { grouped(line.findings) },
        time(line.span.map(|(first, _)| first)),
        time(line.span.map(|(_, last)| last)),
        format!("{}（{rule}）", line.title),
    ]
}

#[cfg(test)]
mod tests {
    use monban_event::RuleId;

    use super::*;

    fn hit(rule: &str, severity: Severity) -> RuleHit {
        RuleHit { rule: RuleId::new(rule), title: format!("題 {rule}"), severity }
    }

    #[test]
    fn the_gravest_stands_first_and_no_table_is_endless() {
        let mut summary = Summary::default();
        assert!(summary.table().is_empty());
        for number in 0..ROWS_MAX {
            summary.matched(&hit(&format!("{number:02}"), Severity::Low));
        }
        summary.matched(&hit("z", Severity::Critical));
        summary.matched(&hit("z", Severity::Critical));
        let table = summary.table();
        assert_eq!(table[1], "重大    2     -       -     -     題 z（z）");
        assert_eq!((table.len(), table.last().unwrap().as_str()), (ROWS_MAX + 2, "ほか 1 ルール"));
    }
}
