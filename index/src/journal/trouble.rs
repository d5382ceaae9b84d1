//! What the writing thread does while its disk takes nothing: because it is full, or has become read-only. Nothing of
//! the failed commit stays, what devices send is refused so that they hold it back, imports stay queued, and acts are
//! written into the room that is kept back for them. The thread looks again and again by itself, so that a disk that
//! was cleared is used within a second.
//!
//! Other failures of a sync are not for waiting: what the kernel then holds of the file cannot be trusted, and only the
//! next start reads it from the disk.

use std::fs::{self, File};
use std::io;
use std::time::{Duration, Instant};

use monban_event::{Lane, SinkRefused};
use nix::errno::Errno;

use super::closed;
use super::segment::Mark;
use super::writer::{Job, Writer};
use crate::fail;
use crate::reserve::Reserve;

/// How often a disk that took nothing is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Made and removed again to see whether the journal's folder can be written.
const PROBE: &str = "probe";

/// Where both families stood when the last commit was whole.
pub(super) struct Marks {
    pub(super) acts: Mark,
    pub(super) records: Mark,
}

/// The disk takes nothing.
pub(super) struct Trouble {
    reason: String,
    /// What may stand behind these marks was never acknowledged and is still to be taken back.
    behind: Option<Marks>,
}

/// Whether the disk may take this later.
pub(super) fn is_passing(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw);
    matches!(code, Some(Errno::ENOSPC | Errno::EDQUOT | Errno::EROFS))
}

/// What a commit without room says, before it is tried.
pub(super) fn no_room() -> io::Error {
    Errno::ENOSPC.into()
}

impl Writer {
    /// Begins to wait. `behind` is what a commit may have left in the segments.
    pub(super) fn enter_trouble(&mut self, error: &io::Error, behind: Option<Marks>) {
        let reason = error.to_string();
        if self.trouble.is_none() {
            tracing::warn!(
                reason,
                "the disk takes nothing; records are not acknowledged until it does, and the journal goes on by itself"
            );
        }
        if let Some(reserve) = &self.shared.reserve {
            reserve.release();
        }
        let behind = behind.or_else(|| self.trouble.take().and_then(|trouble| trouble.behind));
        self.shared.progress().trouble = Some(reason.clone());
        self.shared.queues().waiting = Some(reason.clone());
        self.trouble = Some(Trouble { reason, behind });
        self.take_back();
    }

    /// Takes back what a failed commit left; `false` while the disk does not even allow that.
    fn take_back(&mut self) -> bool {
        let Some(trouble) = &mut self.trouble else { return true };
        let Some(marks) = &trouble.behind else { return true };
        match self.segments.restore(marks) {
            Ok(()) => {
                trouble.behind = None;
                true
            }
            Err(error) => {
                tracing::debug!(error = %error, "what a failed commit left cannot be taken back yet");
                false
            }
        }
    }

    /// What to write while in trouble: acts alone, as they come. Empty when the trouble is over, `None` when the
    /// journal is closed and no act waits.
    pub(super) fn next_acts(&mut self) -> Option<Vec<Job>> {
        self.refuse_live();
        let looked = Instant::now();
        let mut queues = self.shared.queues();
        while !queues.has_acts() && !queues.closed && looked.elapsed() < LOOK_AGAIN {
            queues = self.wait(queues, LOOK_AGAIN.saturating_sub(looked.elapsed()));
        }
        let (acts, is_closed): (Vec<Job>, bool) = (queues.take_acts(), queues.closed);
        let unwritten = if is_closed { queues.take_all() } else { Vec::new() };
        drop(queues);
        refuse(unwritten, &closed());
        if is_closed && acts.is_empty() {
            return None;
        }
        if acts.is_empty() {
            self.leave_trouble();
        }
        Some(acts)
    }

    /// Goes back to work, where the disk allows it.
    fn leave_trouble(&mut self) {
        if !self.take_back() || self.keep_room().is_err() {
            return;
        }
        self.trouble = None;
        self.shared.queues().waiting = None;
        self.shared.progress().trouble = None;
        tracing::info!("the disk takes records again; the journal goes on");
    }

    /// Takes room back for acts, and finds out whether the disk can be written: an open file says nothing of a disk that
    /// was made read-only since.
    fn keep_room(&self) -> io::Result<()> {
        fail::point("journal.probe")?;
        let probe = self.shared.dir.join(PROBE);
        File::create(&probe)?.sync_all()?;
        fs::remove_file(&probe)?;
        self.shared.reserve.as_ref().map_or(Ok(()), Reserve::hold)
    }

    /// Whether a commit with records has the room that it must leave to acts and views.
    pub(super) fn is_full(&self) -> bool {
        self.shared.reserve.as_ref().is_some_and(Reserve::is_full)
    }

    /// Of a group that was not written: acts are tried alone, imports wait in their queue, live records go back to
    /// those who hold them.
    pub(super) fn put_off(&mut self, group: Vec<Job>) {
        let (acts, others): (Vec<Job>, Vec<Job>) = group.into_iter().partition(Job::is_acts);
        let (imports, live) = others.into_iter().partition(|job| job.lane == Lane::Imports);
        refuse(live, &SinkRefused::Waiting(self.reason()));
        self.shared.queues().put_back_imports(imports);
        if !acts.is_empty() {
            self.commit_acts(acts);
        }
    }

    /// Writes acts into what room there is. Where that fails too, they are refused: nobody may believe in an act that
    /// is not on record.
    pub(super) fn commit_acts(&mut self, acts: Vec<Job>) {
        if !self.take_back() {
            return refuse(acts, &SinkRefused::Waiting(self.reason()));
        }
        let numbers = self.encode(&acts);
        match self.write() {
            Ok(()) => self.finish(acts, &numbers),
            Err(failure) => {
                let reason = self.give_up(failure);
                refuse(acts, &reason);
            }
        }
    }

    fn reason(&self) -> String {
        self.trouble.as_ref().map_or_else(String::new, |trouble| trouble.reason.clone())
    }

    fn refuse_live(&self) {
        let live = self.shared.queues().take_live();
        refuse(live, &SinkRefused::Waiting(self.reason()));
    }
}

fn refuse(jobs: Vec<Job>, reason: &SinkRefused) {
    for job in jobs {
        job.finish(Err(reason.clone()));
    }
}
