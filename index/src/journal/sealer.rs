//! The thread that seals segments once they are complete, and clears what a crash left of that.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::segment::{Family, SegmentPath, list, sealed_path};
use super::{JournalError, Shared, sealed};

#[derive(Debug, Default)]
struct State {
    is_woken: bool,
    is_working: bool,
    is_stopping: bool,
    failure: Option<String>,
}

pub(super) struct Sealer {
    dir: PathBuf,
    state: Mutex<State>,
    moved: Condvar,
}

impl Sealer {
    /// Begins with what an earlier run left.
    pub(super) fn new(dir: &Path) -> Self {
        let state = State { is_woken: true, ..State::default() };
        Self { dir: dir.to_owned(), state: Mutex::new(state), moved: Condvar::new() }
    }

    pub(super) fn wake(&self) {
        self.state().is_woken = true;
        self.moved.notify_all();
    }

    /// Ends the thread after the segment it is at.
    pub(super) fn stop(&self) {
        self.state().is_stopping = true;
        self.moved.notify_all();
    }

    pub(super) fn wait_idle(&self) -> Option<String> {
        let state = self.state();
        let busy = |state: &mut State| (state.is_woken || state.is_working) && !state.is_stopping;
        let state = self.moved.wait_while(state, busy).unwrap_or_else(PoisonError::into_inner);
        state.failure.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals what is complete whenever it is woken, until it is stopped.
    pub(super) fn run(&self, shared: &Shared) {
        while self.begin() {
            let result = self.seal_complete(shared);
            if let Err(error) = &result {
                // The raw segment stays and is as good; the next complete segment, or the next start, tries again.
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::error!(error = %error, cause, "a segment could not be sealed; it is kept as it is");
            }
            let mut state = self.state();
            state.is_working = false;
            state.failure = result.err().map(|error| error.to_string());
            drop(state);
            self.moved.notify_all();
        }
    }

    /// Waits for work; `false` when it is time to end.
    fn begin(&self) -> bool {
        let state = self.state();
        let idle = |state: &mut State| !state.is_woken && !state.is_stopping;
        let mut state = self.moved.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        (state.is_woken, state.is_working) = (false, true);
        !state.is_stopping
    }

    fn seal_complete(&self, shared: &Shared) -> Result<(), JournalError> {
        for family in Family::ALL {
            let (mut segments, _) = list(&self.dir, family)?;
            // The last one is being written.
            segments.pop();
            for segment in segments.iter().filter(|segment| !segment.is_sealed()) {
                if self.state().is_stopping {
                    return Ok(());
                }
                seal(segment)?;
                shared.lookup.forget();
            }
        }
        Ok(())
    }
}

fn seal(segment: &SegmentPath) -> Result<(), JournalError> {
    let failed = |source| JournalError::Seal { path: segment.path.clone(), source };
    let (before, after) = sealed::seal(&segment.path, segment.first).map_err(failed)?;
    tracing::debug!(segment = %segment.path.display(), before, after, "sealed");
    Ok(())
}

/// Seals every segment of a journal that nobody has open, also the last ones, as for a copy that is put away. A program
/// that opens it later begins new segments.
pub fn seal_folder(dir: &Path) -> Result<(), JournalError> {
    for family in Family::ALL {
        let (segments, _) = list(dir, family)?;
        segments.iter().filter(|segment| !segment.is_sealed()).try_for_each(seal)?;
    }
    Ok(())
}

/// Removes a segment in whichever form it is there.
pub(super) fn remove(segment: &SegmentPath) -> Result<(), JournalError> {
    for path in [segment.path.clone(), sealed_path(&segment.path)] {
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(JournalError::Remove { path, source });
            }
            _ => {}
        }
    }
    Ok(())
}
