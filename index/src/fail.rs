//! Named places at which a test stops the program, or lets the disk fail: what a power cut or a full disk does, on
//! demand and at the worst moment. Nothing is armed unless `main` asks for it once, and the environment names a place;
//! then it is said loudly. Not armed, a place costs one relaxed load.
//!
//! ```text
//! MONBAN_FAIL_AT=NAME[:NTH]                        SIGKILL of ourselves at the NTH passing (the first)
//! MONBAN_FAIL_ERR=NAME[:NTH][:ENOSPC|EIO|EROFS]    this error there (ENOSPC), once
//! MONBAN_FAIL_WHILE=FILE                           … and at every later passing, as long as the file exists
//! ```
//!
//! Several places are written with commas between them.

use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const KILL: &str = "MONBAN_FAIL_AT";
const ERROR: &str = "MONBAN_FAIL_ERR";
const WHILE: &str = "MONBAN_FAIL_WHILE";

/// Every place, in the order in which a record meets them. `tests/e2e/crash` kills the program at each.
pub const POINTS: &[&str] = &[
    "staging.create",
    "staging.before_sync",
    "staging.after_sync",
    "import.opened",
    "import.slice",
    "import.before_closed",
    "journal.before_write",
    "journal.segment.create",
    "journal.segment.header",
    "journal.segment.dir_sync",
    "journal.append",
    "journal.before_sync",
    "journal.after_sync",
    "journal.between_acts_and_records",
    "journal.before_publish",
    "journal.durable_file",
    "journal.after_publish",
    "journal.probe",
    "journal.checkpoint.before_sign",
    "journal.checkpoint.before_write",
    "journal.checkpoint.written",
    "journal.checkpoint.after",
    "journal.seal.create",
    "journal.seal.block",
    "journal.seal.before_sync",
    "journal.seal.written",
    "journal.seal.renamed",
    "journal.seal.removed",
    "pipeline.step",
    "ledger.before_commit",
    "ledger.after_commit",
    "ledger.session",
    "pipeline.after_step",
    "index.file.create",
    "index.merge.file.create",
    "index.meta.replace",
    "index.before_commit",
    "index.prepared",
    "index.after_commit",
    "index.before_manifest",
    "index.manifest.written",
    "index.manifest.renamed",
    "pipeline.before_snapshot",
    "pipeline.after_snapshot",
];

static ARMED: AtomicBool = AtomicBool::new(false);
static PLAN: OnceLock<Plan> = OnceLock::new();

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FailPlanError {
    #[error("{variable} names {name}, which is no place of this program")]
    Unknown { variable: &'static str, name: String },
    #[error("{variable}: {word} is neither a number from 1 nor an error")]
    Word { variable: &'static str, word: String },
}

#[derive(Debug)]
struct Arm {
    name: String,
    nth: u64,
    /// `None`: the process is killed.
    error: Option<Errno>,
    passed: AtomicU64,
}

#[derive(Debug, Default)]
struct Plan {
    arms: Vec<Arm>,
    while_exists: Option<PathBuf>,
}

/// A place that may fail. Where it is armed, this does not return, or returns the error.
pub fn point(name: &'static str) -> io::Result<()> {
    debug_assert!(POINTS.contains(&name), "{name} is not in the list");
    if !ARMED.load(Ordering::Relaxed) {
        return Ok(());
    }
    PLAN.get().map_or(Ok(()), |plan| plan.pass(name))
}

/// A place at which nothing can fail and the process may still end.
pub fn pass(name: &'static str) {
    if let Err(error) = point(name) {
        tracing::warn!(name, error = %error, "nothing can fail at this fail point; the armed error has no effect");
    }
}

/// Arms what the environment names. Called once, by `main`, before any other thread runs.
pub fn arm_from_environment() -> Result<(), FailPlanError> {
    let read = |variable| std::env::var(variable).unwrap_or_default();
    let mut arms = arms_of(KILL, &read(KILL), false)?;
    arms.extend(arms_of(ERROR, &read(ERROR), true)?);
    if arms.is_empty() {
        return Ok(());
    }
    for Arm { name, nth, error, .. } in &arms {
        let what = error.map_or_else(|| "the process is killed".to_owned(), |errno| errno.to_string());
        tracing::warn!(name, nth, what, "FAIL POINT ARMED: this run is a test and will be disturbed on purpose");
    }
    let while_exists = std::env::var_os(WHILE).map(PathBuf::from);
    if PLAN.set(Plan { arms, while_exists }).is_ok() {
        ARMED.store(true, Ordering::Relaxed);
    }
    Ok(())
}

fn arms_of(variable: &'static str, text: &str, is_error: bool) -> Result<Vec<Arm>, FailPlanError> {
    text.split(',').filter(|arm| !arm.is_empty()).map(|arm| read_arm(variable, arm, is_error)).collect()
}

fn read_arm(variable: &'static str, text: &str, is_error: bool) -> Result<Arm, FailPlanError> {
    let mut words = text.split(':');
    let name = words.next().unwrap_or_default().to_owned();
    if !POINTS.contains(&name.as_str()) {
        return Err(FailPlanError::Unknown { variable, name });
    }
    let error = is_error.then_some(Errno::ENOSPC);
    let mut arm = Arm { name, nth: 1, error, passed: AtomicU64::new(0) };
    for word in words {
        match (word, word.parse()) {
            (_, Ok(nth)) if nth > 0 => arm.nth = nth,
            ("ENOSPC", _) if is_error => arm.error = Some(Errno::ENOSPC),
            ("EIO", _) if is_error => arm.error = Some(Errno::EIO),
            ("EROFS", _) if is_error => arm.error = Some(Errno::EROFS),
            _ => return Err(FailPlanError::Word { variable, word: word.to_owned() }),
        }
    }
    Ok(arm)
}

impl Plan {
    fn pass(&self, name: &str) -> io::Result<()> {
        for arm in self.arms.iter().filter(|arm| arm.name == name) {
            let passed = arm.passed.fetch_add(1, Ordering::Relaxed) + 1;
            match (arm.error, &self.while_exists) {
                (None, _) if passed == arm.nth => end_now(),
                (Some(errno), None) if passed == arm.nth => return Err(disk_error(name, errno)),
                (Some(errno), Some(file)) if passed >= arm.nth && file.try_exists().unwrap_or(false) => {
                    return Err(disk_error(name, errno));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn disk_error(name: &str, errno: Errno) -> io::Error {
    tracing::warn!(name, "FAIL POINT REACHED");
    errno.into()
}

/// As if the power had gone: nothing is flushed, nothing is dropped.
fn end_now() -> ! {
    let killed = kill(Pid::this(), Signal::SIGKILL);
    // The signal ends all threads before the call returns; where it could not be sent, this is the next best.
    tracing::error!(?killed, "the process could not kill itself");
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arm_is_a_place_a_count_and_an_error() {
        let read = |text, is_error| arms_of(ERROR, text, is_error);
        let facts = |arms: Vec<Arm>| arms.iter().map(|arm| (arm.name.clone(), arm.nth, arm.error)).collect::<Vec<_>>();
        let place = || "journal.append".to_owned();
        assert_eq!(facts(read("journal.append", true).unwrap()), [(place(), 1, Some(Errno::ENOSPC))]);
        assert_eq!(facts(read("journal.append:3", false).unwrap()), [(place(), 3, None)]);
        assert_eq!(facts(read("journal.append:2:EIO,", true).unwrap()), [(place(), 2, Some(Errno::EIO))]);
        assert_eq!(read("", true).unwrap().len(), 0);
        for wrong in ["journal.append:0", "journal.append:EPERM", "journal.append:"] {
            assert!(matches!(read(wrong, true), Err(FailPlanError::Word { .. })), "{wrong}");
        }
        assert!(matches!(read("journal.append:EIO", false), Err(FailPlanError::Word { .. })));
        assert!(matches!(read("journal", true), Err(FailPlanError::Unknown { .. })));
    }

    #[test]
    fn an_error_comes_once_or_while_a_file_exists() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("full");
        let codes = |plan: &Plan| (0..4).map(|_| plan.pass("journal.append").is_err()).collect::<Vec<_>>();
        let arms = || arms_of(ERROR, "journal.append:2", true).unwrap();
        assert_eq!(codes(&Plan { arms: arms(), while_exists: None }), [false, true, false, false]);
        let plan = Plan { arms: arms(), while_exists: Some(file.clone()) };
        assert_eq!(codes(&plan), [false; 4]);
        std::fs::write(&file, "").unwrap();
        assert_eq!(codes(&plan), [true; 4]);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(codes(&plan), [false; 4]);
        assert!(plan.pass("journal.before_sync").is_ok());
    }

    #[test]
    fn the_list_names_each_place_once() {
        let mut names = POINTS.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), POINTS.len());
        assert!(point("journal.append").is_ok(), "nothing is armed by itself");
    }
}
