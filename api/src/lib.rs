//! HTTP: the pages, `/api/v1`, who may see what, and the trail of who did. The only room that knows HTTP. It holds no
//! truth of its own: it asks the store and the ledger, and what people decide leaves it as acts. Nothing is served
//! without a login or a token, on loopback either, except what answers no question about the hospital: liveness, the
//! login and setup pages and their stylesheet.

mod app;
mod around;
mod auth;
mod exceptions;
mod ingest;
mod language;
mod limits;
mod pages;
mod problem;
mod routes;
mod services;
mod v1;
mod view;

#[cfg(test)]
mod tests;

pub use auth::password::{PasswordError, hash_password};
pub use auth::role::{Role, Scope};
pub use auth::setup::SetupSecret;
pub use auth::token::{NewToken, new_token};
pub use routes::router;
pub use services::{
    CheckHealth, DiskHealth, FileImport, HandedIn, Health, ImportRefused, Imported, ListenerHealth, RetentionHealth,
    RuleText, RuleTexts, Services, SiteSettings,
};
pub use view::raw::raw_text;
