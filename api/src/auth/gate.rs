//! The gate in front of every route that says anything about the hospital. A route without a gate does not exist: the
//! table in `routes` can only be filled through it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::role::{Role, Scope};
use super::token::{secret_hash, split};
use super::{Who, same_secret, session, sha256_hex};
use crate::app::{App, blocking};
use crate::limits::{SESSION_IDLE, SESSION_WHOLE};
use crate::problem::Problem;

/// What a route demands, beside the state to find out with. No scope: any login will do.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) app: Arc<App>,
    pub(crate) scope: Option<Scope>,
}

pub(crate) async fn guard(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    match admit(&gate, request.headers()).await {
        Ok(who) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn admit(gate: &Gate, headers: &HeaderMap) -> Result<Who, Problem> {
    let secure = gate.app.services.settings.secure_cookies;
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let cookie = session::token(headers, secure).map(str::to_owned);
    // A token that was sent decides alone: falling back to a cookie would hide that it is wrong.
    let who = match (bearer, cookie) {
        (Some(bearer), _) => blocking(gate.app.clone(), move |app| machine(app, &bearer)).await?,
        (None, Some(cookie)) => blocking(gate.app.clone(), move |app| person(app, &cookie)).await?,
        (None, None) => return Err(Problem::login_needed()),
    };
    match gate.scope {
        Some(scope) if !who.may(scope) => Err(Problem::forbidden(scope.as_str())),
        _ => Ok(who),
    }
}

fn machine(app: &App, bearer: &str) -> Result<Who, Problem> {
    let (id, secret) = bearer.strip_prefix("Bearer ").and_then(split).ok_or_else(Problem::login_needed)?;
    let token = app.ledger()?.token(id)?.filter(|token| token.revoked.is_none());
    let token = token.ok_or_else(Problem::login_needed)?;
    if !same_secret(&secret_hash(secret), &token.secret_sha256) {
        return Err(Problem::login_needed());
    }
    Ok(Who {
        by: format!("token:{}", token.name),
        display: token.name,
        role: None,
        scopes: token.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect(),
        session: None,
    })
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
