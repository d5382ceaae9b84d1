//! The gate in front of every route that says anything about the hospital. A route without a gate does not exist: the
//! table in `routes` can only be filled through it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use monban_event::act::Deed;

use super::role::{Role, Scope};
use super::token::{secret_hash, split};
use super::{Peer, Who, credentials, same_secret, session, sha256_hex};
use crate::app::{App, blocking};
use crate::limits::{SESSION_IDLE, SESSION_WHOLE};
use crate::problem::Problem;

/// What a route demands, beside the state to find out with. No scope: any login will do that may read something.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) app: Arc<App>,
    pub(crate) scope: Option<Scope>,
}

pub(crate) async fn guard(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    match admit(&gate, request.headers(), Peer::of(request.extensions())).await {
        Ok(who) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

pub(crate) async fn admit(gate: &Gate, headers: &HeaderMap, peer: Peer) -> Result<Who, Problem> {
    let secure = gate.app.services.settings.secure_cookies;
    let is_sender = gate.scope == Some(Scope::Ingest);
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let cookie = session::token(headers, secure).map(str::to_owned);
    // A token that was sent decides alone: falling back to a cookie would hide that it is wrong.
    let who = match (authorization, cookie) {
        (Some(header), _) => {
            let token = credentials::token(&header, is_sender);
            blocking(gate.app.clone(), move |app| machine(app, token.as_deref(), peer)).await?
        }
        (None, Some(cookie)) => blocking(gate.app.clone(), move |app| person(app, &cookie)).await?,
        (None, None) => return Err(Problem::login_needed()),
    };
    match gate.scope {
        Some(scope) if !who.may(scope) => Err(Problem::forbidden(scope.as_str())),
        None if who.only_sends() => Err(Problem::forbidden("読み取り")),
        _ => Ok(who),
    }
}

fn machine(app: &App, token: Option<&str>, peer: Peer) -> Result<Who, Problem> {
    match token.and_then(split) {
        Some((id, secret)) => match known(app, id, secret)? {
            Some(who) => Ok(who),
            None => Err(refused(app, peer)),
        },
        None => Err(refused(app, peer)),
    }
}

fn known(app: &App, id: &str, secret: &str) -> Result<Option<Who>, Problem> {
    let token = app.ledger()?.token(id)?.filter(|token| token.revoked.is_none());
    let token = token.filter(|token| same_secret(&secret_hash(secret), &token.secret_sha256));
    Ok(token.map(|token| Who {
        by: format!("token:{}", token.name),
        display: token.name,
        role: None,
        scopes: token.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect(),
        session: None,
    }))
}

/// What was sent as a token is not written down: it may be one of another product.
fn refused(app: &App, peer: Peer) -> Problem {
    let refusal = app.refuse_token(peer.address().map(|address| address.ip()));
    if refusal.tell {
        let deed = Deed::LoginRefused { account: "（無効なトークン）".to_owned(), peer: peer.text() };
        if let Err(problem) = app.act("monban", deed) {
            return problem;
        }
    }
    if refusal.too_many { Problem::too_many_tokens() } else { Problem::login_needed() }
}

fn person(app: &App, cookie: &str) -> Result<Who, Problem> {
    let hash = sha256_hex(cookie.as_bytes());
    let user = app.services.ledger.use_web_session(&hash, app.now(), SESSION_IDLE, SESSION_WHOLE)?;
    let user = user.ok_or_else(Problem::login_needed)?;
    let row = app.ledger()?.user(&user)?.ok_or_else(Problem::login_needed)?;
    let role = Role::parse(&row.role).ok_or_else(Problem::login_needed)?;
    Ok(Who {
        by: row.name,
        display: row.display_name,
        role: Some(role),
        scopes: role.scopes().to_vec(),
        session: Some(hash),
    })
}
