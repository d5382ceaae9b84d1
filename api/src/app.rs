//! The state behind the router, and the one way from a request to the blocking rooms.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::response::Response;
use chrono::{DateTime, Utc};
use monban_event::RecordId;
use monban_event::act::Deed;
use monban_index::ledger::LedgerReader;
use tokio::sync::Semaphore;

use crate::auth::Who;
use crate::auth::refusals::{Refusal, Refusals};
use crate::ingest::bounds::Bounds;
use crate::limits::{EXPORTS_MAX, LOGIN_ATTEMPTS_PER_MINUTE, PASSWORD_CHECKS_MAX};
use crate::problem::Problem;
use crate::services::Services;

pub(crate) type Answer = Result<Response, Problem>;

pub(crate) struct App {
    pub(crate) services: Services,
    pub(crate) password_checks: Semaphore,
    /// Each export holds a thread and a place in the journal for as long as its reader takes.
    pub(crate) exports: Arc<Semaphore>,
    /// The minute, and the login attempts in it.
    attempts: Mutex<(i64, u32)>,
    wrong_tokens: Mutex<Refusals>,
    /// What uploads may take of memory, disk and attention together.
    pub(crate) ingest: Bounds,
    /// Held while the first administrator is made, so that two requests cannot both find nobody.
    pub(crate) first_user: Mutex<()>,
}

impl App {
    pub(crate) fn new(services: Services) -> Self {
        Self {
            services,
            password_checks: Semaphore::new(PASSWORD_CHECKS_MAX),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            attempts: Mutex::new((0, 0)),
            wrong_tokens: Mutex::default(),
            ingest: Bounds::new(),
            first_user: Mutex::new(()),
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.services.clock.now()
    }

    pub(crate) fn ledger(&self) -> Result<LedgerReader<'_>, Problem> {
        Ok(self.services.ledger.read()?)
    }

    /// Journals an act. What cannot be put on record is not done, so the caller must hand the error on.
    pub(crate) fn act(&self, by: &str, deed: Deed) -> Result<RecordId, Problem> {
        self.services.acts.record(by, deed).map_err(|error| Problem::not_recorded(&error))
    }

    /// Counts a wrong token of `sender`.
    pub(crate) fn refuse_token(&self, sender: Option<IpAddr>) -> Refusal {
        let minute = self.now().timestamp().div_euclid(60);
        self.wrong_tokens.lock().unwrap_or_else(PoisonError::into_inner).count(sender, minute)
    }

    /// Whether one more login attempt may be made in this minute.
    pub(crate) fn admit_login(&self) -> bool {
        let minute = self.now().timestamp().div_euclid(60);
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.0 != minute {
            *attempts = (minute, 0);
        }
        attempts.1 = attempts.1.saturating_add(1);
        attempts.1 <= LOGIN_ATTEMPTS_PER_MINUTE
    }
}

/// Runs `work` where it may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    app: Arc<App>,
    work: impl FnOnce(&App) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(move || work(&app)).await {
        Ok(result) => result,
        Err(error) => Err(Problem::internal(&error)),
    }
}

/// A request of somebody who was let in.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) app: Arc<App>,
    pub(crate) who: Who,
}

impl Visit {
    /// Runs `work` where it may wait.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = self.app.clone();
        blocking(app, move |_| work(&self)).await
    }

    pub(crate) fn act(&self, deed: Deed) -> Result<RecordId, Problem> {
        self.app.act(&self.who.by, deed)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit
where
    Arc<App>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let app = Arc::<App>::from_ref(state);
        let Ok(Extension(who)) = Extension::<Who>::from_request_parts(parts, state).await else {
            return Err(Problem::login_needed());
        };
        Ok(Self { app, who })
    }
}
