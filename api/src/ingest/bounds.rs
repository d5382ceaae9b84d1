//! What all deliveries may take together: requests at one time, memory, event log uploads. Nobody waits for a share:
//! who finds none is told to come again, because a waiting sender would hold the share it already has.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refused::Refused;
use crate::limits::{EVENT_LOG_UPLOADS_MAX, INGEST_MEMORY_BYTES_MAX, INGEST_REQUESTS_MAX};

/// Memory is handed out in pieces of this many bytes.
const PIECE_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Bounds {
    requests: Arc<Semaphore>,
    event_logs: Arc<Semaphore>,
    memory: Arc<Semaphore>,
    import: Mutex<()>,
}

impl Bounds {
    pub(crate) fn new() -> Self {
        Self {
            requests: Arc::new(Semaphore::new(INGEST_REQUESTS_MAX)),
            event_logs: Arc::new(Semaphore::new(EVENT_LOG_UPLOADS_MAX)),
            memory: Arc::new(Semaphore::new(INGEST_MEMORY_BYTES_MAX / PIECE_BYTES)),
            import: Mutex::new(()),
        }
    }

    pub(crate) fn request(&self) -> Result<OwnedSemaphorePermit, Refused> {
        Arc::clone(&self.requests).try_acquire_owned().map_err(|_| Refused::Busy)
    }

    pub(crate) fn event_log(&self) -> Result<OwnedSemaphorePermit, Refused> {
        Arc::clone(&self.event_logs).try_acquire_owned().map_err(|_| Refused::Busy)
    }

    /// Held during an import: two of one file side by side would both find it new.
    pub(crate) fn one_import(&self) -> MutexGuard<'_, ()> {
        self.import.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn memory(&self) -> Share {
        Share { from: Arc::clone(&self.memory), used: 0, held: None }
    }
}

/// A request's share of the memory, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    from: Arc<Semaphore>,
    used: usize,
    held: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Takes `bytes` more.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Refused> {
        self.used += bytes;
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = self.used.div_ceil(PIECE_BYTES).saturating_sub(held);
        if wanted == 0 {
            return Ok(());
        }
        let wanted = u32::try_from(wanted).map_err(|_| Refused::Busy)?;
        let permit = Arc::clone(&self.from).try_acquire_many_owned(wanted).map_err(|_| Refused::Busy)?;
        match &mut self.held {
            Some(first) => first.merge(permit),
            None => self.held = Some(permit),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared_and_comes_back() {
        let bounds = Bounds::new();
        let (mut one, mut other) = (bounds.memory(), bounds.memory());
        one.take(INGEST_MEMORY_BYTES_MAX - PIECE_BYTES).unwrap();
        other.take(1).unwrap();
        other.take(PIECE_BYTES - 1).unwrap();
        assert!(matches!(other.take(1), Err(Refused::Busy)));
        drop(one);
        other.take(INGEST_MEMORY_BYTES_MAX / 2).unwrap();
    }

    #[test]
    fn requests_are_counted() {
        let bounds = Bounds::new();
        let held: Vec<_> = (0..INGEST_REQUESTS_MAX).map(|_| bounds.request().unwrap()).collect();
        assert!(matches!(bounds.request(), Err(Refused::Busy)));
        drop(held);
        assert!(bounds.request().is_ok());
    }
}
