//! When a checkpoint is due, and what it says: the journal's side of the proof.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use monban_event::RecordId;
use monban_event::id::hex;
use ring::rand::{SecureRandom, SystemRandom};

use super::JournalError;
use super::chain::{Begun, Checkpoint, Heads};
use super::keys::{Key, Keys};
use super::segment::{KIND_CHECKPOINT, frame};

/// A checkpoint comes this often, also when nothing is received: what an intruder could rewrite is younger than this.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(10);
/// A program that starts on a journal whose last checkpoint is older signs this soon: what was written in a hurry before
/// a crash should not stay unsigned, and a verb that is done by then should not pay for it.
const FIRST_AFTER: Duration = Duration::from_secs(5);
/// After a failure, such as a full disk, it is tried again this soon.
const RETRY_AFTER: Duration = Duration::from_mins(1);
const CHAIN_ID_BYTES: usize = 8;

/// A checkpoint that is not in the journal yet, and the key that it names.
pub(super) struct Signed {
    checkpoint: Checkpoint,
    frame: Vec<u8>,
    next: Key,
}

impl Signed {
    pub(super) fn frame(&self) -> &[u8] {
        &self.frame
    }
}

pub(super) struct Prover {
    dir: PathBuf,
    keys: Keys,
    /// The chain and the place in it of the next checkpoint.
    chain: String,
    index: u64,
    begun: Option<Begun>,
    /// Covered by the last checkpoint.
    covered: u64,
    due_at: Instant,
}

impl Prover {
    /// Goes on with the chain of the last checkpoint where its key is at hand, else begins a new one.
    pub(super) fn open(dir: &Path, last: Option<&Checkpoint>, now: DateTime<Utc>) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Keys { path: dir.to_owned(), source };
        let is_old = last.is_some_and(|last| (now - last.at).to_std().is_ok_and(|age| age >= CHECKPOINT_EVERY));
        let due_at = Instant::now() + if is_old { FIRST_AFTER } else { CHECKPOINT_EVERY };
        let covered = last.map_or(0, |last| last.last);
        if let Some(last) = last
            && let Some(keys) = Keys::open(dir, &last.next_public_key).map_err(failed)?
        {
            let (chain, index) = (last.chain.clone(), last.index + 1);
            return Ok(Self { dir: dir.to_owned(), keys, chain, index, begun: None, covered, due_at });
        }
        let begun = if last.is_some() { Begun::WithoutKeys } else { Begun::Fresh };
        let chain = new_chain().map_err(failed)?;
        let keys = Keys::begin(dir).map_err(failed)?;
        Ok(Self { dir: dir.to_owned(), keys, chain, index: 0, begun: Some(begun), covered, due_at })
    }

    /// Whether the chain has no checkpoint yet.
    pub(super) fn is_new(&self) -> bool {
        self.begun.is_some()
    }

    pub(super) fn is_behind(&self, last: RecordId) -> bool {
        self.covered < last.0
    }

    pub(super) fn due_in(&self, now: Instant) -> Duration {
        self.due_at.saturating_duration_since(now)
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due_in(now).is_zero()
    }

    pub(super) fn retry(&mut self) {
        self.due_at = Instant::now() + RETRY_AFTER;
    }

    /// States and signs what the journal holds. The key that comes next is on disk before the journal names it.
    pub(super) fn sign(&self, last: RecordId, heads: Heads, at: DateTime<Utc>) -> Result<Signed, JournalError> {
        let next = self.keys.prepare().map_err(|source| JournalError::Keys { path: self.dir.clone(), source })?;
        let checkpoint = Checkpoint {
            chain: self.chain.clone(),
            index: self.index,
            at,
            first: self.covered + 1,
            last: last.0,
            heads,
            begun: self.begun,
            public_key: self.keys.current.public(),
            next_public_key: next.public(),
            signature: String::new(),
        };
        let checkpoint = checkpoint.signed(&self.keys.current.pair);
        let body = serde_json::to_vec(&checkpoint).expect("a checkpoint is made of strings and numbers");
        Ok(Signed { checkpoint, frame: frame(KIND_CHECKPOINT, &body), next })
    }

    /// The checkpoint is on disk: the key that signed it goes.
    pub(super) fn advance(&mut self, signed: Signed) -> Checkpoint {
        let Signed { checkpoint, next, .. } = signed;
        if let Err(error) = self.keys.advance(next) {
            tracing::error!(error = %error, "the key of the last checkpoint could not be erased");
        }
        (self.index, self.begun, self.covered) = (checkpoint.index + 1, None, checkpoint.last);
        self.due_at = Instant::now() + CHECKPOINT_EVERY;
        checkpoint
    }
}

fn new_chain() -> io::Result<String> {
    let mut bytes = [0; CHAIN_ID_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(hex(&bytes))
}
