//! How many events there are of which kind: by Windows channel, or by product where there is no channel, and number.

use std::collections::BTreeMap;

use monban_event::Event;
use serde_json::{Value, json};

/// Kinds counted by themselves. Windows has some thousand numbers; a line that makes up a new one each time must not grow
/// memory, and what comes above the bound is counted together.
const KINDS_MAX: usize = 50_000;

#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// By channel and number.
    counts: BTreeMap<String, BTreeMap<String, u64>>,
    kinds: usize,
    pub(super) total: u64,
    /// Events of kinds above the bound.
    pub(super) beyond: u64,
}

impl Metrics {
    pub(super) fn count(&mut self, event: &Event) {
        self.total += 1;
        let channel = event.winlog_channel.as_deref().or(event.dataset.as_deref()).or(event.module.as_deref());
        let (channel, code) = (channel.unwrap_or("不明"), event.code.as_deref().unwrap_or(""));
        if let Some(count) = self.counts.get_mut(channel).and_then(|codes| codes.get_mut(code)) {
            *count += 1;
        } else if self.kinds < KINDS_MAX {
            self.kinds += 1;
            self.counts.entry(channel.to_owned()).or_default().insert(code.to_owned(), 1);
        } else {
            self.beyond += 1;
        }
    }

    /// The most frequent first.
    fn sorted(&self) -> Vec<(&str, &str, u64)> {
        let each = |(channel, codes)| -> Vec<(&str, &str, u64)> {
            let (channel, codes): (&String, &BTreeMap<String, u64>) = (channel, codes);
            codes.iter().map(|(code, count)| (channel.as_str(), code.as_str(), *count)).collect()
        };
        let mut sorted: Vec<_> = self.counts.iter().flat_map(each).collect();
        sorted.sort_by_key(|(.., count)| std::cmp::Reverse(*count));
        sorted
    }

    pub(super) const HEADS: [&str; 4] = ["チャネル・製品", "番号", "件数", "割合"];

    pub(super) fn rows(&self) -> Vec<[String; 4]> {
        let row = |(channel, code, count): (&str, &str, u64)| {
            let thousandths = count.saturating_mul(1_000) / self.total.max(1);
            let share = format!("{}.{}%", thousandths / 10, thousandths % 10);
            [channel.to_owned(), code.to_owned(), count.to_string(), share]
        };
        self.sorted().into_iter().map(row).collect()
    }

    pub(super) fn objects(&self) -> Vec<Value> {
        let object = |(channel, code, count): (&str, &str, u64)| json!({ "channel": channel, "event.code": code, "count": count });
        self.sorted().into_iter().map(object).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_kind_stands_first() {
        let mut metrics = Metrics::default();
        let event = |channel: Option<&str>, dataset: Option<&str>, code: &str| Event {
            winlog_channel: channel.map(str::to_owned),
            dataset: dataset.map(str::to_owned),
            code: Some(code.to_owned()),
            ..Event::default()
        };
        let security = event(Some("Security"), Some("windows.security"), "4624");
        for event in [event(None, Some("fortinet.fortigate"), "0101"), security.clone(), security, Event::default()] {
            metrics.count(&event);
        }
        let expected = [
            ["Security", "4624", "2", "50.0%"],
            ["fortinet.fortigate", "0101", "1", "25.0%"],
            ["不明", "", "1", "25.0%"],
        ];
        assert_eq!(metrics.rows(), expected);
        assert_eq!(metrics.objects()[0], json!({ "channel": "Security", "event.code": "4624", "count": 2 }));
    }
}
