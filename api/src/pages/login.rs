//! Coming in and going out. What was refused is in the trail as well as what was granted.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{FromRequestParts, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use monban_event::act::Deed;
use serde::Deserialize;

use super::html;
use crate::app::{Answer, App, Visit, blocking};
use crate::auth::{Peer, password, random_secret, session, sha256_hex};
use crate::limits::{LOGIN_FAILURES_MAX, LOGIN_WINDOW, NAME_BYTES_MAX};
use crate::problem::Problem;
use crate::routes::Worded;
use crate::view::link::is_local;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    hospital: String,
    next: String,
    name: String,
    error: Option<&'static str>,
    /// Nobody can log in yet.
    setup_open: bool,
}

#[derive(Deserialize)]
pub(crate) struct Arrival {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

pub(crate) async fn show(State(app): State<Arc<App>>, Query(arrival): Query<Arrival>) -> Answer {
    html(&page(&app, &arrival.next, "", None))
}

fn page(app: &App, next: &str, name: &str, error: Option<&'static str>) -> LoginPage {
    LoginPage {
        hospital: app.services.settings.hospital.clone(),
        next: if is_local(next) { next.to_owned() } else { String::new() },
        name: name.to_owned(),
        error,
        setup_open: app.services.setup.is_open(),
    }
}

/// The other end, without demanding that it be known.
pub(crate) struct From(pub(crate) Peer);

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(Peer::of(&parts.extensions)))
    }
}

pub(crate) async fn enter(State(app): State<Arc<App>>, From(peer): From, Form(given): Form<Credentials>) -> Answer {
    if !app.admit_login() {
        return Err(Problem::too_many());
    }
    let Ok(permit) = app.password_checks.acquire().await else { return Err(Problem::too_many()) };
    let answer = blocking(app.clone(), move |app| check(app, &given, peer)).await;
    drop(permit);
    answer
}

const WRONG: &str = "利用者名またはパスワードが違います。";
const LOCKED: &str = "失敗が続いたため、この利用者のログインを止めています。15分ほど待ってからもう一度行ってください。";

fn check(app: &App, given: &Credentials, peer: Peer) -> Answer {
    let name: String = given.name.trim().to_owned();
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return refuse(app, given, StatusCode::UNAUTHORIZED, WRONG);
    }
    let now = app.now();
    let failures = app.services.ledger.login_failures(&name, now - LOGIN_WINDOW)?;
    if failures >= LOGIN_FAILURES_MAX {
        note_refusal(app, &name, peer)?;
        return refuse(app, given, StatusCode::TOO_MANY_REQUESTS, LOCKED);
    }
    let user = app.ledger()?.user(&name)?;
    if !password::verify(&given.password, user.as_ref().map(|user| user.password_hash.as_str())) {
        app.services.ledger.note_login_failure(&name, now)?;
        note_refusal(app, &name, peer)?;
        return refuse(app, given, StatusCode::UNAUTHORIZED, WRONG);
    }
    app.act(&name, Deed::LoggedIn { peer: peer.text() })?;
    let next = if is_local(&given.next) { given.next.as_str() } else { "/" };
    open_session(app, &name, next)
}

/// The account that was tried may be a password typed into the wrong field, so an unknown one is not written down.
fn note_refusal(app: &App, name: &str, peer: Peer) -> Result<(), Problem> {
    let known = app.ledger()?.user(name)?.is_some();
    let account = if known { name.to_owned() } else { "（登録のない利用者名）".to_owned() };
    app.act("monban", Deed::LoginRefused { account, peer: peer.text() }).map(|_| ())
}

fn refuse(app: &App, given: &Credentials, status: StatusCode, error: &'static str) -> Answer {
    let mut response = html(&page(app, &given.next, given.name.trim(), Some(error)))?;
    *response.status_mut() = status;
    response.extensions_mut().insert(Worded);
    Ok(response)
}

/// Opens a session and sends the browser on.
pub(crate) fn open_session(app: &App, name: &str, next: &str) -> Answer {
    let token = random_secret();
    app.services.ledger.open_web_session(&sha256_hex(token.as_bytes()), name, app.now())?;
    let cookie = session::cookie(&token, app.services.settings.secure_cookies);
    Ok(with_cookie(next, cookie))
}

fn with_cookie(next: &str, cookie: Option<HeaderValue>) -> Response {
    let mut response = Redirect::to(next).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

pub(crate) async fn leave(visit: Visit, _: Request) -> Answer {
    visit
        .run(|visit| {
            if let Some(session) = &visit.who.session {
                visit.app.services.ledger.close_web_session(session)?;
            }
            visit.act(Deed::LoggedOut {})?;
            Ok(with_cookie("/login", session::expired_cookie(visit.app.services.settings.secure_cookies)))
        })
        .await
}
