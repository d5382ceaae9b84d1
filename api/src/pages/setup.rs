//! The first administrator, by the one-time secret from the machine's own console.

use std::sync::{Arc, PoisonError};

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use monban_event::act::Deed;
use serde::Deserialize;

use super::html;
use super::login::{From, open_session};
use crate::app::{Answer, App, blocking};
use crate::auth::password::{PasswordError, hash_password};
use crate::auth::role::Role;
use crate::limits::{NAME_BYTES_MAX, PASSWORD_CHARACTERS_MIN};
use crate::problem::Problem;
use crate::routes::Worded;

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    hospital: String,
    open: bool,
    name: String,
    display_name: String,
    error: Option<String>,
    minimum: usize,
}

#[derive(Default, Deserialize)]
pub(crate) struct FirstUser {
    #[serde(default)]
    secret: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    password: String,
}

pub(crate) async fn show(State(app): State<Arc<App>>) -> Answer {
    html(&page(&app, &FirstUser::default(), None))
}

fn page(app: &App, given: &FirstUser, error: Option<String>) -> SetupPage {
    SetupPage {
        hospital: app.services.settings.hospital.clone(),
        open: app.services.setup.is_open(),
        name: given.name.trim().to_owned(),
        display_name: given.display_name.trim().to_owned(),
        error,
        minimum: PASSWORD_CHARACTERS_MIN,
    }
}

pub(crate) async fn make(State(app): State<Arc<App>>, From(peer): From, Form(given): Form<FirstUser>) -> Answer {
    if !app.admit_login() {
        return Err(Problem::too_many());
    }
    blocking(app, move |app| {
        let _only_one = app.first_user.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = complaint(app, &given)? {
            return refuse(app, &given, error);
        }
        let password_hash = match hash_password(&given.password) {
            Ok(hash) => hash,
            Err(error @ PasswordError::Hash(_)) => return Err(Problem::internal(&error)),
            Err(error) => return refuse(app, &given, error.to_string()),
        };
        let name = given.name.trim().to_owned();
        let display_name = Some(given.display_name.trim()).filter(|text| !text.is_empty()).unwrap_or(&name).to_owned();
        let role = Role::Admin.as_str().to_owned();
        app.act("console", Deed::UserCreated { name: name.clone(), display_name, role, password_hash })?;
        app.services.setup.spend();
        app.act(&name, Deed::LoggedIn { peer: peer.text() })?;
        open_session(app, &name, "/")
    })
    .await
}

/// What keeps this from being the first administrator. The secret comes first: who has none learns nothing else.
fn complaint(app: &App, given: &FirstUser) -> Result<Option<String>, Problem> {
    if !app.services.setup.matches(&given.secret) || !app.ledger()?.users()?.is_empty() {
        let text = "合言葉が違うか、すでに使われています。サーバの画面に表示された合言葉を入れてください。";
        return Ok(Some(text.to_owned()));
    }
    let name = given.name.trim();
    let is_name = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control);
    if !is_name || name.starts_with("token:") || ["console", "monban"].contains(&name) {
        return Ok(Some("利用者名を入れてください（console、monban、token: で始まる名前は使えません）。".to_owned()));
    }
    Ok(None)
}

fn refuse(app: &App, given: &FirstUser, error: String) -> Answer {
    let mut response = html(&page(app, given, Some(error)))?;
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.extensions_mut().insert(Worded);
    Ok(response)
}
