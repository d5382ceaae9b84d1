//! The `[retention]` part of the configuration: how long what is kept.

use chrono::Months;
use monban_event::limits::RETENTION_MONTHS;
use toml::Table;

use super::{Config, Reader};

/// How many whole months each kind of what is kept stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    /// The search index.
    pub(crate) searchable: Months,
    /// What was received, as it came.
    pub(crate) records: Months,
    /// Reviews, the trail and whatever else reports and proofs rest on.
    pub(crate) reports: Months,
}

impl Default for Retention {
    fn default() -> Self {
        let [searchable, records, reports] = RETENTION_MONTHS.map(Months::new);
        Self { searchable, records, reports }
    }
}

/// A month is the least that a monthly report can be made of, twenty years the most that any rule asks for.
const MONTHS: std::ops::RangeInclusive<u32> = 1..=240;

impl Reader<'_> {
    pub(super) fn retention(&mut self, root: &mut Table, config: &mut Config) {
        let mut table = self.table(root, "", "retention");
        let Retention { searchable, records, reports } = Retention::default();
        let kept = Retention {
            searchable: self.months(&mut table, "searchable_months").unwrap_or(searchable),
            records: self.months(&mut table, "records_months").unwrap_or(records),
            reports: self.months(&mut table, "reports_months").unwrap_or(reports),
        };
        self.leftovers("retention", &table, &["searchable_months", "records_months", "reports_months"]);
        let in_order = kept.searchable <= kept.records && kept.records <= kept.reports;
        if in_order {
            config.retention = kept;
        } else {
            self.complain(
                "retention",
                &format!("{} / {} / {}", kept.searchable.as_u32(), kept.records.as_u32(), kept.reports.as_u32()),
                "は searchable_months ≦ records_months ≦ reports_months になるように書いてください。索引と報告書は原ログより先に根拠を失えません。",
            );
        }
    }

    fn months(&mut self, table: &mut Table, key: &str) -> Option<Months> {
        let value = table.remove(key)?;
        let months = value.as_integer().and_then(|months| u32::try_from(months).ok());
        let months = months.filter(|months| MONTHS.contains(months)).map(Months::new);
        if months.is_none() {
            self.complain(
                &format!("retention.{key}"),
                &value.to_string(),
                "は 1 から 240 までの月数で書いてください。",
            );
        }
        months
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Result<Retention, Vec<String>> {
        let text = format!("[retention]\n{text}");
        let read = Config::read("monban.toml", &text, Path::new("/etc/monban"));
        read.map(|config| config.retention).map_err(|complaints| complaints.0)
    }

    #[test]
    fn each_has_its_own_time() {
        assert_eq!(read(""), Ok(Retention::default()));
        let kept = read("searchable_months = 6\nrecords_months = 6\nreports_months = 120\n").unwrap();
        assert_eq!((kept.searchable.as_u32(), kept.records.as_u32(), kept.reports.as_u32()), (6, 6, 120));
    }

    #[test]
    fn what_cannot_be_meant_is_complained_of() {
        for (text, key) in [
            ("searchable_months = 0\n", "retention.searchable_months"),
            ("records_months = \"36\"\n", "retention.records_months"),
            ("reports_months = 241\n", "retention.reports_months"),
            ("searchable_months = 37\n", "retention"),
            ("records_months = 61\n", "retention"),
            ("forever = true\n", "retention.forever"),
        ] {
            let complaints = read(text).unwrap_err();
            assert_eq!(complaints.len(), 1, "{complaints:?}");
            assert!(complaints[0].starts_with(&format!("monban.toml: {key}: ")), "{complaints:?}");
        }
    }
}
