//! Watched folders: logs that are put there are taken in by themselves, and those that grow are followed. The files are
//! only read, never changed or removed. Folders are looked at again and again rather than listened to, because a network
//! share tells nobody that it has changed.
//!
//! Their records are imports, shown as 取込: no device sent them to us, and when they were written is only what they say.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use monban_event::FileHints;
use monban_ingest::file::{self, InputError, InputFile, Listing};

use crate::config::WatchFolder;
use crate::error_chain;
use crate::import::follow::{self, Followed, Taken};
use crate::import::{Handed, ImportError};
use crate::node::Node;

/// Between two looks at the folders: what grows is searchable within seconds, and an idle share is not worn out.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Files looked at in one folder: each is asked for its size every few seconds.
const FILES_MAX: usize = 20_000;
/// New files taken in one look, so that every folder has its turn.
const TAKEN_PER_LOOK_MAX: usize = 100;
/// A file that could not be read is tried again after this, also when it has not changed: its rights may have.
const RETRY_AFTER: Duration = Duration::from_mins(1);
/// Troubles told on the health page; the log has all.
const TROUBLES_SHOWN_MAX: usize = 20;

/// In whose name watched files are taken in.
const BY: &str = "monban";

/// What hinders just now, by the place it concerns. Each is told in the log once, when it begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Troubles(Arc<Mutex<BTreeMap<String, String>>>);

impl Troubles {
    /// A line each, for the health page.
    pub(crate) fn lines(&self) -> Vec<String> {
        let troubles = self.lock();
        let mut lines: Vec<String> =
            troubles.iter().take(TROUBLES_SHOWN_MAX).map(|(place, reason)| format!("{place}: {reason}")).collect();
        if troubles.len() > TROUBLES_SHOWN_MAX {
            lines.push(format!("ほか {} 件", troubles.len() - TROUBLES_SHOWN_MAX));
        }
        lines
    }

    fn tell(&self, place: &Path, reason: &str) {
        let known = self.lock().insert(place.to_string_lossy().into_owned(), reason.to_owned());
        if known.as_deref() != Some(reason) {
            tracing::warn!(place = %place.display(), reason, "a watched place cannot be read");
        }
    }

    fn settle(&self, place: &Path) {
        if self.lock().remove(place.to_string_lossy().as_ref()).is_some() {
            tracing::info!(place = %place.display(), "a watched place can be read again");
        }
    }

    /// Forgets about a file that is gone.
    fn forget(&self, place: &Path) {
        self.lock().remove(place.to_string_lossy().as_ref());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that looks.
pub(crate) struct Watch {
    stop: Option<mpsc::Sender<()>>,
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    pub(crate) troubles: Troubles,
}

impl Watch {
    pub(crate) fn start(node: &Arc<Node>, folders: &[WatchFolder]) -> std::io::Result<Self> {
        let troubles = Troubles::default();
        let is_stopping = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = mpsc::channel();
        let mut watched: Vec<Folder> = folders.iter().map(|folder| Folder::new(folder, &troubles)).collect();
        let (node, flag) = (Arc::clone(node), Arc::clone(&is_stopping));
        let work = move || {
            // What an earlier run took in must be known before anything is compared with it.
            if let Err(stopped) = node.catch_up() {
                tracing::error!(error = %stopped, "the watched folders are not looked at");
                return;
            }
            let go_on = || !flag.load(Ordering::Acquire);
            while go_on() {
                watched.iter_mut().for_each(|folder| folder.look(&node, Instant::now(), &go_on));
                if stopped.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            watched.iter_mut().for_each(|folder| folder.close(&node));
        };
        // Without a folder there is nothing to look at.
        let thread = match folders {
            [] => None,
            _ => Some(std::thread::Builder::new().name("watch".to_owned()).spawn(work)?),
        };
        Ok(Self { stop: Some(stop), is_stopping, thread, troubles })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::Release);
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the watch thread ended with a panic");
        }
    }
}

/// Size and time of a file, which change when somebody writes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts {
    size: u64,
    modified: (i64, i64),
}

impl Facts {
    fn of(facts: &Metadata) -> Self {
        Self { size: facts.size(), modified: (facts.mtime(), facts.mtime_nsec()) }
    }
}

/// What is known of a file.
struct Known {
    facts: Facts,
    /// When the file was first seen, and seen with these facts.
    seen: Instant,
    since: Instant,
    state: State,
}

enum State {
    /// Not taken as it is now.
    Waiting,
    /// Nothing to do until it changes.
    Done,
    Followed(InputFile, Box<Followed>),
    /// Could not be read; tried again later.
    Failed(Instant),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// Nobody has written to it for the settle time.
    Complete,
    /// It is being written to.
    Growing,
}

/// One watched folder.
struct Folder {
    folder: PathBuf,
    settle: Duration,
    hints: FileHints,
    known: BTreeMap<PathBuf, Known>,
    troubles: Troubles,
}

impl Folder {
    fn new(config: &WatchFolder, troubles: &Troubles) -> Self {
        Self {
            folder: config.folder.clone(),
            settle: config.settle,
            hints: FileHints { host: config.host.clone(), ..FileHints::default() },
            known: BTreeMap::new(),
            troubles: troubles.clone(),
        }
    }

    /// Looks at every file once and takes in what is new and complete.
    fn look(&mut self, node: &Node, now: Instant, go_on: &dyn Fn() -> bool) {
        let Some(listing) = self.list() else { return };
        let mut taken = 0;
        for path in &listing.files {
            if !go_on() {
                return;
            }
            if taken < TAKEN_PER_LOOK_MAX {
                taken += usize::from(self.look_at(node, path, now, go_on));
            }
        }
        if !listing.are_more {
            self.forget_those_gone(&listing.files);
        }
    }

    fn list(&self) -> Option<Listing> {
        match file::list(&self.folder, FILES_MAX) {
            Ok(listing) => {
                self.troubles.settle(&self.folder);
                for (place, reason) in &listing.refused {
                    self.troubles.tell(Path::new(place), reason);
                }
                if listing.are_more {
                    let reason = format!("ファイルが {FILES_MAX} 個を超えています。古いものを移してください");
                    self.troubles.tell(&self.folder.join("*"), &reason);
                }
                Some(listing)
            }
            Err(error) => {
                let reason = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
                self.troubles.tell(&self.folder, &format!("フォルダが見えません。戻るのを待っています（{reason}）"));
                None
            }
        }
    }

    fn forget_those_gone(&mut self, files: &[PathBuf]) {
        let troubles = &self.troubles;
        self.known.retain(|path, _| {
            let is_there = files.binary_search(path).is_ok();
            if !is_there {
                troubles.forget(path);
            }
            is_there
        });
    }

    /// `true` where the file was read.
    fn look_at(&mut self, node: &Node, path: &Path, now: Instant, go_on: &dyn Fn() -> bool) -> bool {
        // A file that went away since the folder was listed is forgotten with the next list.
        let Ok(facts) = fs::metadata(path).map(|facts| Facts::of(&facts)) else { return false };
        let handed = Handed { by: BY, hints: &self.hints };
        let known = self.known.entry(path.to_owned()).or_insert_with(|| Known::new(facts, now));
        let Some(due) = known.due(facts, now, self.settle) else { return false };
        let result = known.take_in(node, path, due, &handed, go_on);
        match result {
            Ok(None) => self.troubles.settle(path),
            Ok(Some(reason)) => self.troubles.tell(path, &reason),
            Err(ImportError::Stopped) => {}
            Err(error) if is_gone(&error) => known.state = State::Waiting,
            Err(error) => {
                known.state = State::Failed(now);
                self.troubles.tell(path, &error_chain(&error));
            }
        }
        true
    }

    /// Journals how far the followed logs are.
    fn close(&mut self, node: &Node) {
        let handed = Handed { by: BY, hints: &self.hints };
        for known in self.known.values_mut() {
            if let State::Followed(_, followed) = &mut known.state
                && let Err(error) = followed.mark(node, &handed)
            {
                tracing::warn!(error = %error, "the place in a watched log could not be kept; it is found again by its content");
            }
        }
    }
}

impl Known {
    fn new(facts: Facts, now: Instant) -> Self {
        Self { facts, seen: now, since: now, state: State::Waiting }
    }

    /// Takes note of how the file is now; `None` while it is not to be read.
    fn due(&mut self, facts: Facts, now: Instant, settle: Duration) -> Option<Due> {
        let has_changed = self.facts != facts;
        if has_changed {
            self.facts = facts;
            self.since = now;
        }
        let is_settled = now.duration_since(self.since) >= settle;
        let is_due = match &self.state {
            State::Followed(..) => has_changed,
            State::Failed(at) => has_changed || now.duration_since(*at) >= RETRY_AFTER,
            State::Done if has_changed => {
                (self.state, self.seen) = (State::Waiting, now);
                false
            }
            State::Done => false,
            // A log that is written to all the time never settles, and is followed once it has been there long enough.
            State::Waiting => is_settled || now.duration_since(self.seen) >= settle,
        };
        is_due.then_some(if is_settled { Due::Complete } else { Due::Growing })
    }

    /// Reads the file, or what has come to it. Gives what hinders, in Japanese.
    fn take_in(
        &mut self,
        node: &Node,
        path: &Path,
        due: Due,
        handed: &Handed<'_>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<String>, ImportError> {
        if let State::Followed(input, followed) = &mut self.state {
            if followed.follow(node, input, handed, go_on)? {
                return Ok(None);
            }
            // Rotated away or cut off: another log stands there now.
            followed.mark(node, handed).map_err(|source| ImportError::Journal { path: path.to_owned(), source })?;
        }
        let found = file::find_in(path, &path.to_string_lossy(), false)?;
        let mut troubles: Vec<String> = found.refused.into_iter().map(|(_, reason)| reason).collect();
        if due == Due::Growing && !found.files.iter().all(InputFile::can_be_followed) {
            self.state = State::Waiting;
            return Ok(None);
        }
        let mut state = State::Done;
        for input in found.files {
            match follow::take(node, &input, handed, go_on)? {
                Taken::Followed(followed) => state = State::Followed(input, followed),
                Taken::Refused(reason) => troubles.push(reason),
                Taken::Whole { import } => troubles.extend(damage(node, import)?),
            }
        }
        self.state = state;
        troubles.dedup();
        Ok((!troubles.is_empty()).then(|| troubles.join("、")))
    }
}

fn is_gone(error: &ImportError) -> bool {
    let source = match error {
        ImportError::Read { source, .. } | ImportError::Input(InputError::Read { source, .. }) => source,
        _ => return false,
    };
    source.kind() == std::io::ErrorKind::NotFound
}

/// What of an import could not be read.
fn damage(node: &Node, import: monban_event::RecordId) -> Result<Vec<String>, ImportError> {
    Ok(node.ledger.read()?.import(import)?.map(|row| row.damaged).unwrap_or_default())
}

#[cfg(test)]
mod tests {
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
            let opening = Opening { dir: &dir, create: true, config: None, clock: Arc::new(SystemClock) };
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
            let other = Opening { dir: &placeholder, create: true, config: None, clock };
            self.node = Node::open(&other).unwrap();
            let (node, folder) = Self::open(self.root.path());
            (self.node, self.folder) = (node, folder);
        }
    }

    fn lines(numbers: std::ops::Range<u32>) -> String {
        numbers.map(|number| format!("<14>1 2026-10-25T12:00:00+09:00 - reception 7 - - 受付 {number:06}\n")).collect()
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
}
