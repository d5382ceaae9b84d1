//! Imports into a data directory of this process.

use std::fs;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::{Clock, SimulatedClock, SystemClock};
use monban_index::ledger::FindingFilter;

use super::*;
use crate::node::Opening;

struct Site {
    folder: tempfile::TempDir,
    node: Arc<Node>,
}

impl Site {
    fn new() -> Self {
        Self::at(Arc::new(SystemClock))
    }

    fn at(clock: Arc<dyn Clock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("data");
        let opening = Opening { dir: &dir, create: true, config: None, clock, stays: false };
        let node = Node::open(&opening).unwrap();
        Self { folder, node }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn import(&self, path: &Path) -> ImportTotals {
        let hints = FileHints::default();
        let handed = Handed { by: "console", hints: &hints };
        import(&self.node, &[path.to_owned()], &handed, &mut |_| ()).unwrap()
    }

    /// Accepted and duplicate.
    fn counts(&self, path: &Path) -> (u64, u64) {
        let totals = self.import(path);
        assert_eq!((totals.damaged.len(), totals.failed.len()), (0, 0), "{totals:?}");
        (totals.accepted, totals.duplicate)
    }
}

fn line(number: u32) -> String {
    format!("<14>1 2026-10-25T12:00:00+09:00 app01 reception 7 - - 受付 {number:06}\n")
}

fn lines(numbers: std::ops::Range<u32>) -> String {
    numbers.map(line).collect()
}

#[test]
fn a_log_that_grew_brings_only_its_tail() {
    let site = Site::new();
    let path = site.write("logs/gw.log", lines(0..100));
    assert_eq!(site.counts(&path), (100, 0));
    site.write("logs/gw.log", lines(0..130));
    assert_eq!(site.counts(&path), (30, 100));
    site.write("logs/gw.log", lines(0..131));
    assert_eq!(site.counts(&path), (1, 130));
    assert_eq!(site.counts(&path), (0, 131));
}

#[test]
fn a_last_line_without_end_comes_again_when_it_is_whole() {
    let site = Site::new();
    let path = site.write("gw.log", lines(0..9) + "<14>x: half");
    assert_eq!(site.counts(&path), (10, 0));
    site.write("gw.log", lines(0..9) + "<14>x: half and half\n");
    assert_eq!(site.counts(&path), (1, 9));
}

#[test]
fn a_rotated_log_is_known_by_its_content() {
    let site = Site::new();
    let path = site.write("logs/messages", lines(0..200));
    assert_eq!(site.counts(&path), (200, 0));
    let rotated = site.write("logs/messages.1", lines(0..200));
    assert_eq!(site.counts(&rotated), (0, 200));
    let grown = site.write("logs/messages.2", lines(0..220));
    assert_eq!(site.counts(&grown), (20, 200), "it grew before it was rotated");
    site.write("logs/messages", lines(500..510));
    assert_eq!(site.counts(&path), (10, 0));
    let elsewhere = site.write("other/messages", lines(0..230));
    assert_eq!(site.counts(&elsewhere), (230, 0), "another folder is another machine's");
}

#[test]
fn rows_of_a_csv_file_that_grew() {
    let site = Site::new();
    let header = "日時,ユーザー,結果\n";
    let row = |number: u32| format!("2026/10/25 12:00:{:02},user{number},成功\n", number % 60);
    let text = |count: u32| header.to_owned() + &(0..count).map(row).collect::<String>();
    let path = site.write("a.csv", text(40));
    assert_eq!(site.counts(&path), (40, 0));
    site.write("a.csv", text(45));
    assert_eq!(site.counts(&path), (5, 40));
    site.write("a.csv", text(45) + "2026/10/25 12:00:00,\"open\n");
    assert_eq!(site.counts(&path), (1, 45));
    site.write("a.csv", text(45) + "2026/10/25 12:00:00,\"open\nend\",成功\n");
    assert_eq!(site.counts(&path), (1, 45), "nothing is skipped that had been read otherwise");
}

#[test]
fn an_upload_has_the_name_that_people_know() {
    let site = Site::new();
    let path = site.write("staging/0001", lines(0..3));
    let hints = FileHints { host: Some("gw01".to_owned()), ..FileHints::default() };
    let handed = Handed { by: "token:export", hints: &hints };
    let totals = import_as(&site.node, &path, "gw.log", &handed).unwrap();
    assert_eq!(totals.accepted, 3);
    let rows = site.node.ledger.read().unwrap().imports_below("gw.log", 10).unwrap();
    assert_eq!(rows.len(), 1);
}

#[test]
fn a_bomb_is_refused_whole() {
    let site = Site::new();
    let packed = include_bytes!("../../tests/corpus/files/bomb.log.xz");
    let totals = site.import(&site.write("bomb.log.xz", packed));
    assert_eq!(totals.accepted, 0);
    assert!(totals.damaged.len() == 1 && totals.damaged[0].contains("圧縮爆弾"), "{totals:?}");
}

/// A record of the Security log that was written `hour` hours into 29 October, with enough in it that sixty of them are
/// as long as a log that can be full.
fn security(hour: u32) -> String {
    let started: DateTime<Utc> = "2026-10-29T00:00:00+09:00".parse().unwrap();
    let written = started + TimeDelta::hours(hour.into());
    let event = serde_json::json!({"Event": {
        "System": {
            "Provider": {"#attributes": {"Name": "Microsoft-Windows-Security-Auditing"}}, "EventID": 4634,
            "TimeCreated": {"#attributes": {"SystemTime": written.to_rfc3339()}},
            "EventRecordID": 1_000 + hour, "Channel": "Security", "Computer": "FS01"
        },
        "EventData": {"TargetUserName": "yamada", "Padding": "x".repeat(20_000)}
    }});
    format!("{event}\n")
}

#[test]
fn a_log_that_is_copied_every_night_reaches_as_far_back_as_its_file_not_as_what_was_new_in_it() {
    let clock = SimulatedClock::at("2026-10-31T13:00:00+09:00".parse().unwrap());
    let site = Site::at(Arc::new(clock.clone()));
    let found = || -> Vec<String> {
        let rows = site.node.ledger.read().unwrap().findings(&FindingFilter::default()).unwrap();
        rows.into_iter().filter(|row| row.rule_id.as_str() == "LG-05").map(|row| row.summary).collect()
    };
    let path = site.write("copy/Security.jsonl", (0..60).map(security).collect::<String>());
    assert_eq!(site.counts(&path), (60, 0));
    assert!(matches!(&found()[..], [told] if told.contains("10/29 00:00 からの 2.4 日分")), "{:?}", found());
    // Ten records were overwritten until the next night, which is in another month.
    clock.set("2026-11-01T13:00:00+09:00".parse().unwrap());
    site.write("copy/Security.jsonl", (10..72).map(security).collect::<String>());
    assert_eq!(site.counts(&path), (12, 50));
    assert!(found().iter().any(|told| told.contains("10/29 10:00 からの 2.5 日分")), "{:?}", found());
    assert_eq!(found().len(), 2);
}
