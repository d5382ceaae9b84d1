//! Imports into a data directory of this process.

use std::fs;
use std::sync::Arc;

use monban_event::SystemClock;

use super::*;
use crate::node::Opening;

struct Site {
    folder: tempfile::TempDir,
    node: Arc<Node>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("data");
        let opening = Opening { dir: &dir, create: true, config: None, clock: Arc::new(SystemClock), stays: false };
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
