//! Files that came over HTTP, as the import takes them: what a staged file is called and who sent it is the sender's
//! word, everything else is `monban import`.

use std::io;
use std::sync::Arc;

use monban_api::{FileImport, HandedIn, ImportRefused, Imported};
use monban_event::FileHints;
use monban_index::staging::{Staging, StagingError};
use monban_ingest::evtx;

use crate::import::{self, Handed, ImportError};
use crate::night::Room;
use crate::node::Node;

/// The folder under the data directory.
const STAGING: &str = "uploads";

pub(crate) struct Uploads {
    node: Arc<Node>,
    staging: Staging,
}

impl Uploads {
    pub(crate) fn open(node: &Arc<Node>) -> Result<Self, StagingError> {
        Ok(Self { staging: Staging::open(&node.dir.join(STAGING))?, node: Arc::clone(node) })
    }
}

impl FileImport for Uploads {
    fn staging(&self) -> &Staging {
        &self.staging
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(Room::of(&self.node.dir)?.free)
    }

    fn is_event_log(&self, start: &[u8]) -> bool {
        evtx::looks_like_evtx(start)
    }

    fn import(&self, file: HandedIn<'_>) -> Result<Imported, ImportRefused> {
        let handed = Handed { by: file.by, hints: &FileHints::default() };
        let totals = import::import_as(&self.node, file.path, file.name, &handed);
        let totals = totals.map_err(|error| match error {
            ImportError::Journal { source, .. } => ImportRefused::Journal(source),
            other => ImportRefused::Failed(crate::error_chain(&other)),
        })?;
        // One file: what could not be read of it at all is damage too.
        let damaged = totals.damaged.into_iter().chain(totals.failed).collect();
        Ok(Imported { accepted: totals.accepted, duplicate: totals.duplicate, damaged })
    }
}
