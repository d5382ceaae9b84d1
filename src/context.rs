//! The hospital's context files between disk, journal and detector. A file that changed is journaled whole before it is
//! used, so that a replay knows what the live run knew.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use monban_detect::{Complaint, Context, ContextTexts, Seasons};
use monban_event::act::{ContextName, Deed};
use monban_event::id::hex;
use monban_event::{Disaster, RecordId};
use monban_index::ledger::{Ledger, LedgerError};
use sha2::{Digest, Sha256};

use crate::config::{Config, ContextPaths};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ContextError {
    #[error("read context file {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("look up the context in force")]
    Ledger(#[from] LedgerError),
}

/// The context as it is in force just now, for those who read beside the pipeline.
#[derive(Clone, Default)]
pub(crate) struct SharedContext(Arc<RwLock<Arc<Context>>>);

impl SharedContext {
    pub(crate) fn get(&self) -> Arc<Context> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set(&self, context: Arc<Context>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = context;
    }
}

/// The texts and decisions in force, and what they say.
#[derive(Clone, Default)]
pub(crate) struct Known {
    texts: ContextTexts,
    seasons: Seasons,
}

impl Known {
    /// What was in force at `position`, as far as the ledger knows the acts up to it.
    pub(crate) fn in_force(ledger: &Ledger, position: RecordId) -> Result<Self, ContextError> {
        let reader = ledger.read()?;
        let mut known = Self::default();
        for name in ContextName::ALL {
            if let Some(text) = reader.context_at(name, position)? {
                known.put(name, text);
            }
        }
        reader.disaster_acts(position)?.iter().for_each(|deed| {
            known.take(deed);
        });
        Ok(known)
    }

    /// Takes an act in; `false` when it changes nothing here.
    pub(crate) fn take(&mut self, deed: &Deed) -> bool {
        let before = self.seasons.clone();
        match deed {
            Deed::Context { name, text, .. } => {
                self.put(*name, text.clone());
                return *name != ContextName::Config || self.seasons != before;
            }
            Deed::DisasterDeclared { id, reason, from, until } => {
                self.seasons.disasters.push(Disaster::new(id, reason, *from, *until));
            }
            Deed::DisasterEnded { id, until, .. } => {
                if let Some(disaster) = self.seasons.disasters.iter_mut().find(|disaster| disaster.id == *id) {
                    disaster.until = disaster.until.min(*until);
                }
            }
            _ => {}
        }
        self.seasons != before
    }

    fn put(&mut self, name: ContextName, text: String) {
        // An empty text is a file that is no longer named.
        let bytes = (!text.is_empty()).then(|| text.into_bytes());
        match name {
            ContextName::Roster => self.texts.roster = bytes,
            ContextName::Allow => self.texts.allow = bytes,
            ContextName::Vendors => self.texts.vendors = bytes,
            ContextName::Calendar => self.texts.calendar = bytes,
            ContextName::Tickets => self.texts.tickets = bytes,
            ContextName::Duty => self.texts.duty = bytes,
            ContextName::Config => self.seasons.learning_days = learning_days(bytes.as_deref().unwrap_or_default()),
        }
    }

    /// The context of these texts, about which everything has been told before.
    pub(crate) fn quietly(&self) -> Context {
        Context::read(&self.texts).0.in_seasons(self.seasons.clone())
    }

    /// The context of these texts. What a text says that cannot be meant is told to the operator.
    pub(crate) fn read(&self) -> Arc<Context> {
        let (context, complaints) = Context::read(&self.texts);
        for Complaint { file, line, column, message } in complaints {
            tracing::warn!(file, line, column, message, "a context file has a line that cannot be used as written");
        }
        Arc::new(context.in_seasons(self.seasons.clone()))
    }
}

/// What a configuration says of the days of learning. It was accepted once; what can no longer be read says nothing.
fn learning_days(config: &[u8]) -> u32 {
    let config = Config::read("", &String::from_utf8_lossy(config), Path::new("")).unwrap_or_default();
    config.learning_days
}

/// What the files say as they stand, where there is no journal to bring them into; and what of it cannot be meant.
pub(crate) fn read(paths: &ContextPaths) -> Result<(Context, Vec<Complaint>), ContextError> {
    let mut known = Known::default();
    for (name, path) in paths.named() {
        let bytes = path.map_or(Ok(Vec::new()), read_file)?;
        known.put(name, monban_detect::context::decode(&bytes));
    }
    Ok(Context::read(&known.texts))
}

/// The acts that bring the journal up to the files as they stand: one for each that differs from what is in force.
pub(crate) fn changes(ledger: &Ledger, paths: &ContextPaths) -> Result<Vec<Deed>, ContextError> {
    let mut deeds = Vec::new();
    for (name, path) in paths.named() {
        let bytes = path.map_or(Ok(Vec::new()), read_file)?;
        deeds.extend(change(ledger, name, &bytes)?);
    }
    Ok(deeds)
}

/// The act that brings one text into force; `None` when it is.
pub(crate) fn change(ledger: &Ledger, name: ContextName, bytes: &[u8]) -> Result<Option<Deed>, ContextError> {
    let sha256 = hex(&Sha256::digest(bytes));
    let reader = ledger.read()?;
    let unchanged = match reader.context(name)? {
        Some((known, ..)) => known == sha256,
        None => bytes.is_empty(),
    };
    let text = || monban_detect::context::decode(bytes);
    Ok((!unchanged).then(|| Deed::Context { name, sha256, text: text() }))
}

fn read_file(path: &Path) -> Result<Vec<u8>, ContextError> {
    fs::read(path).map_err(|source| ContextError::Read { path: path.to_owned(), source })
}
