//! The pages: server-rendered, whole without JavaScript, their state in their address.

pub(crate) mod assets;
pub(crate) mod audits;
pub(crate) mod dashboard;
pub(crate) mod event;
pub(crate) mod exceptions;
pub(crate) mod findings;
pub(crate) mod frame;
pub(crate) mod health;
pub(crate) mod login;
pub(crate) mod policies;
pub(crate) mod search;
pub(crate) mod setup;
pub(crate) mod sources;
pub(crate) mod trail;

use askama::Template;
use axum::response::{Html, IntoResponse};

use crate::app::Answer;

/// Renders a page.
pub(crate) fn html(page: &impl Template) -> Answer {
    Ok(Html(page.render()?).into_response())
}
