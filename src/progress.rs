//! How far the pipeline is, for those who wait: an act until the ledger shows it, an import until it is searchable.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use monban_event::RecordId;

#[derive(Debug, Default)]
struct State {
    applied: RecordId,
    searchable: RecordId,
    /// Somebody waits until this is searchable.
    wanted: RecordId,
    stopping: bool,
    failed: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Progress {
    state: Mutex<State>,
    moved: Condvar,
}

/// The pipeline waits for its disk, and with it what was waited for.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "索引か台帳をディスクに書けないため、待っています（{0}）。記録は保管されています。ディスクの空きを確かめてください。書けるようになれば自動で続きます。"
)]
pub(crate) struct PipelineStopped(pub(crate) String);

impl Progress {
    pub(crate) fn applied(&self, position: RecordId) {
        self.lock().applied = position;
        self.moved.notify_all();
    }

    /// Everything up to `position` is in every view. Gives whether that ends a failure.
    pub(crate) fn committed(&self, position: RecordId) -> bool {
        let mut state = self.lock();
        state.searchable = state.searchable.max(position);
        let failed = state.failed.take();
        drop(state);
        self.moved.notify_all();
        failed.is_some()
    }

    /// The views cannot be written. Gives whether that is new.
    pub(crate) fn fail(&self, reason: String) -> bool {
        let before = self.lock().failed.replace(reason);
        self.moved.notify_all();
        before.is_none()
    }

    pub(crate) fn stop(&self) {
        self.lock().stopping = true;
        self.moved.notify_all();
    }

    /// Waits for `time`, or less where the pipeline is to stop. Gives whether it is.
    pub(crate) fn rest(&self, time: Duration) -> bool {
        let state = self.lock();
        let (state, _) =
            self.moved.wait_timeout_while(state, time, |state| !state.stopping).unwrap_or_else(PoisonError::into_inner);
        state.stopping
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    pub(crate) fn position(&self) -> RecordId {
        self.lock().applied
    }

    pub(crate) fn searchable(&self) -> RecordId {
        self.lock().searchable
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.lock().failed.clone()
    }

    /// Whether somebody waits for what has now been read.
    pub(crate) fn is_flush_due(&self, position: RecordId) -> bool {
        let state = self.lock();
        state.wanted > state.searchable && position >= state.wanted
    }

    /// How long the pipeline may sleep: not at all while somebody waits for it.
    pub(crate) fn patience(&self, idle: Duration) -> Duration {
        let state = self.lock();
        if state.stopping || state.wanted > state.searchable { Duration::ZERO } else { idle }
    }

    /// Waits until the ledger is true up to `position`.
    pub(crate) fn wait_applied(&self, position: RecordId) -> Result<(), PipelineStopped> {
        self.wait(|state| state.applied >= position)
    }

    /// Waits until everything up to `position` is searchable, and asks for it.
    pub(crate) fn wait_searchable(&self, position: RecordId) -> Result<(), PipelineStopped> {
        {
            let mut state = self.lock();
            state.wanted = state.wanted.max(position);
        }
        self.wait(|state| state.searchable >= position)
    }

    fn wait(&self, reached: impl Fn(&State) -> bool) -> Result<(), PipelineStopped> {
        let state = self.lock();
        let state = self
            .moved
            .wait_while(state, |state| !reached(state) && state.failed.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        match &state.failed {
            Some(reason) if !reached(&state) => Err(PipelineStopped(reason.clone())),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
