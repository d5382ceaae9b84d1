//! What of the configuration says how long is kept and how closely is watched. The program reads the file strictly and
//! accepted it; here it is read for that alone.

use std::collections::BTreeSet;

use monban_event::limits::RETENTION_MONTHS;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::season::LEARNING_DAYS;

/// The months of `[retention]`, in the order of their defaults.
const MONTHS: [(&str, &str); 3] = [
    ("searchable_months", "検索できる期間"),
    ("records_months", "原ログの保管"),
    ("reports_months", "報告書の根拠の保管"),
];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    months: [u64; 3],
    learning_days: u64,
    /// Folders of rules beside the built-in ones.
    sigma: BTreeSet<String>,
}

impl Default for Settings {
    /// What holds where no file says anything.
    fn default() -> Self {
        Self { months: RETENTION_MONTHS.map(u64::from), learning_days: LEARNING_DAYS.into(), sigma: BTreeSet::new() }
    }
}

impl Settings {
    /// `None` for a text that this version cannot read.
    pub(super) fn read(text: &str) -> Option<Self> {
        let table: Table = text.parse().ok()?;
        let mut settings = Self::default();
        for ((key, _), months) in MONTHS.into_iter().zip(&mut settings.months) {
            *months = number(&table, "retention", key).unwrap_or(*months);
        }
        settings.learning_days = number(&table, "rules", "learning_days").unwrap_or(settings.learning_days);
        settings.sigma = folders(&table);
        Some(settings)
    }

    /// What keeps less or watches less closely than before, in Japanese.
    pub(super) fn weaker_than(&self, before: &Self) -> Vec<String> {
        let months = MONTHS.into_iter().zip(self.months.into_iter().zip(before.months));
        let shorter = months.filter(|(_, (now, before))| now < before);
        let mut told: Vec<String> =
            shorter.map(|((_, name), (now, before))| format!("{name} {before} か月から {now} か月へ")).collect();
        if self.learning_days > before.learning_days {
            told.push(format!("学習期間 {} 日から {} 日へ", before.learning_days, self.learning_days));
        }
        let gone = before.sigma.difference(&self.sigma);
        told.extend(gone.map(|folder| format!("検知ルールのフォルダ {folder} を外した")));
        told
    }
}

fn number(table: &Table, part: &str, key: &str) -> Option<u64> {
    u64::try_from(table.get(part)?.get(key)?.as_integer()?).ok()
}

fn folders(table: &Table) -> BTreeSet<String> {
    let named = table.get("rules").and_then(|rules| rules.get("sigma"));
    let listed = match named {
        Some(Value::Array(folders)) => folders.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    listed.iter().filter_map(|folder| folder.as_str().map(str::to_owned)).collect()
}
