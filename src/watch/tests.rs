//! A folder that is looked at at moments the tests choose.

use std::os::unix::fs::PermissionsExt;

use monban_event::SystemClock;
use monban_event::query::Query;
use monban_event::{EventStore, TimeRange};

use super::*;
use crate::node::Opening;

const SETTLE: Duration = Duration::from_secs(10);

struct Site {
    root: tempfile::TempDir,
    node: Arc<Node>,
    folder: Folder,
    now: Instant,
}

impl Site {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("drop")).unwrap();
        let (node, folder) = Self::open(root.path());
        Self { root, node, folder, now: Instant::now() }
    }

    fn open(root: &Path) -> (Arc<Node>, Folder) {
        let dir = root.join("data");
        let opening = Opening { dir: &dir, create: true, config: None, clock: Arc::new(SystemClock), stays: false };
        let config = WatchFolder { folder: root.join("drop"), settle: SETTLE, host: Some("gw01".to_owned()) };
        (Node::open(&opening).unwrap(), Folder::new(&config, &Troubles::default()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("drop").join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Looks after so many seconds, and gives how many events there are.
    fn look(&mut self, seconds: u64) -> u64 {
        self.now += Duration::from_secs(seconds);
        self.folder.look(&self.node, self.now, &|| true);
        let last = self.node.journal.durable();
        self.node.progress.wait_searchable(last).unwrap();
        self.node.store.count(&Query::All, TimeRange::default()).unwrap()
    }

    fn restart(&mut self) {
        self.node.close();
        let clock: Arc<dyn monban_event::Clock> = Arc::new(SystemClock);
        // The lock goes with the last holder of the old node.
        let placeholder = self.root.path().join("elsewhere");
        let other = Opening { dir: &placeholder, create: true, config: None, clock, stays: false };
        self.node = Node::open(&other).unwrap();
        let (node, folder) = Self::open(self.root.path());
        (self.node, self.folder) = (node, folder);
    }
}

fn line(number: u32) -> String {
    format!("<14>1 2026-10-25T12:00:00+09:00 - reception 7 - - 受付 {number:06}\n")
}

fn lines(numbers: std::ops::Range<u32>) -> String {
    numbers.map(line).collect()
}

#[test]
fn a_file_is_taken_when_nobody_writes_to_it_any_more() {
    let mut site = Site::new();
    site.write("a.json", "[{\"a\": 1},\n");
    assert_eq!((site.look(0), site.look(9)), (0, 0));
    site.write("a.json", "[{\"a\": 1},\n{\"a\": 2}]\n");
    assert_eq!((site.look(5), site.look(9)), (0, 0), "its time begins anew");
    assert_eq!((site.look(1), site.look(5), site.look(50)), (2, 2, 2));
}

#[test]
fn a_growing_log_is_followed_line_by_line() {
    let mut site = Site::new();
    site.write("gw.log", lines(0..10) + "<14>ha");
    site.look(0);
    assert_eq!(site.look(10), 10, "the last line is not whole");
    site.write("gw.log", lines(0..10) + "<14>half\n" + &lines(10..15));
    assert_eq!((site.look(5), site.look(5)), (16, 16));
    let rows = site.node.ledger.read().unwrap().imports_below("", 10).unwrap();
    assert_eq!(rows.len(), 1, "one log is one import");
}

#[test]
fn a_log_that_never_settles_is_followed_all_the_same() {
    let mut site = Site::new();
    for count in 1..4 {
        site.write("busy.log", lines(0..count));
        assert_eq!(site.look(4), 0);
    }
    site.write("busy.log", lines(0..4));
    assert_eq!(site.look(4), 4);
    site.write("busy.log", lines(0..5));
    assert_eq!(site.look(1), 5);
}

#[test]
fn rotation_and_truncation_lose_nothing_and_double_nothing() {
    let mut site = Site::new();
    site.write("messages", lines(0..100));
    site.look(0);
    assert_eq!(site.look(10), 100);
    site.write("messages", lines(0..120));
    fs::rename(site.path("messages"), site.path("messages.1")).unwrap();
    site.write("messages", lines(500..503));
    site.look(5);
    assert_eq!((site.look(10), site.look(10)), (123, 123));
    site.write("messages", lines(600..601));
    site.look(5);
    assert_eq!((site.look(10), site.look(10)), (124, 124));
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let mut site = Site::new();
    site.write("gw.log", lines(0..100));
    site.look(0);
    assert_eq!(site.look(10), 100);
    site.write("gw.log", lines(0..130));
    // The bookmark of these thirty is not journaled: the records themselves are.
    assert_eq!(site.look(5), 130);
    site.restart();
    site.write("gw.log", lines(0..140));
    site.look(0);
    assert_eq!((site.look(10), site.look(10)), (140, 140));
}

#[test]
fn what_cannot_be_read_is_told_until_it_can() {
    let mut site = Site::new();
    site.write("broken.zip", "PK\x03\x04 not really");
    site.write("note.md", "not a log");
    site.look(0);
    assert_eq!(site.look(10), 0);
    assert_eq!(site.folder.troubles.lines().len(), 1, "{:?}", site.folder.troubles);
    fs::remove_file(site.path("broken.zip")).unwrap();
    site.look(5);
    assert_eq!(site.folder.troubles.lines(), Vec::<String>::new());
    let away = site.root.path().join("away");
    fs::rename(site.root.path().join("drop"), &away).unwrap();
    site.look(5);
    assert!(site.folder.troubles.lines()[0].contains("フォルダが見えません"), "{:?}", site.folder.troubles);
    fs::write(away.join("gw.log"), lines(0..3)).unwrap();
    fs::rename(&away, site.root.path().join("drop")).unwrap();
    site.look(5);
    assert_eq!(site.look(10), 3);
    assert_eq!(site.folder.troubles.lines(), Vec::<String>::new());
}

#[test]
fn files_are_never_changed() {
    let mut site = Site::new();
    site.write("gw.log", lines(0..5));
    fs::set_permissions(site.path("gw.log"), fs::Permissions::from_mode(0o444)).unwrap();
    let before = Facts::of(&fs::metadata(site.path("gw.log")).unwrap());
    site.look(0);
    assert_eq!(site.look(10), 5);
    assert_eq!(Facts::of(&fs::metadata(site.path("gw.log")).unwrap()), before);
    assert_eq!(fs::read_to_string(site.path("gw.log")).unwrap(), lines(0..5));
}
