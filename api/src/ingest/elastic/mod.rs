//! As much of Elasticsearch 8 as a forwarder needs to hand its documents in: `_bulk`, single documents, and the questions
//! that clients ask first. Whatever a client wants to set up here (templates, policies, pipelines, indices) is said to be
//! in place, and nothing of it is kept: an index is a word of the sender's, not a place of ours. Nothing can be searched
//! or read this way.
//!
//! Everything stands under `/es/`, and at the root too wherever no page has the address, for clients that know no path
//! prefix. `GET /` is a page for people; whoever sends an `Authorization` header there is a program and gets the
//! answer that Elasticsearch gives.

mod bulk;
mod document;
mod setup;

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::Peer;
use crate::auth::gate::{Gate, admit};
use crate::auth::role::Scope;
use crate::problem::Problem;
use crate::routes::{Routes, Worded};

/// Clients refuse to talk to what does not say this.
const PRODUCT: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-elastic-product"), HeaderValue::from_static("Elasticsearch"));

/// Each address at the root, the same under `/es`, and who answers.
pub(crate) fn routes() -> Vec<(&'static str, Routes)> {
    let both = [
        ("/_bulk", "/es/_bulk", post(bulk::take).put(bulk::take)),
        ("/{index}/_bulk", "/es/{index}/_bulk", post(bulk::take).put(bulk::take)),
        ("/{index}/_doc", "/es/{index}/_doc", post(document::take)),
        ("/{index}/_doc/{id}", "/es/{index}/_doc/{id}", post(document::take).put(document::take)),
        ("/{index}/_create/{id}", "/es/{index}/_create/{id}", post(document::take).put(document::take)),
        ("/_license", "/es/_license", get(setup::license)),
        ("/_xpack", "/es/_xpack", get(setup::license)),
        ("/_cluster/health", "/es/_cluster/health", get(setup::health)),
        ("/_nodes", "/es/_nodes", get(setup::nodes)),
        ("/_nodes/http", "/es/_nodes/http", get(setup::nodes)),
        ("/_ilm/policy/{name}", "/es/_ilm/policy/{name}", get(setup::policy).put(setup::acknowledge)),
        ("/_index_template/{name}", "/es/_index_template/{name}", template(setup::index_template)),
        ("/_component_template/{name}", "/es/_component_template/{name}", template(setup::component_template)),
        ("/_template/{name}", "/es/_template/{name}", template(setup::old_template)),
        ("/_ingest/pipeline/{name}", "/es/_ingest/pipeline/{name}", template(setup::pipeline)),
        ("/_data_stream/{name}", "/es/_data_stream/{name}", get(setup::data_stream).put(setup::acknowledge)),
        ("/_alias/{name}", "/es/_alias/{name}", get(setup::alias)),
    ];
    let only_prefixed = [
        ("/es", get(setup::info)),
        ("/es/", get(setup::info)),
        ("/es/{index}", get(setup::index).put(setup::acknowledge)),
    ];
    let both = both.into_iter().flat_map(|(root, prefixed, routes)| [(root, routes.clone()), (prefixed, routes)]);
    both.chain(only_prefixed).collect()
}

fn template(show: fn(setup::Name) -> std::future::Ready<Response>) -> Routes {
    get(show).put(setup::acknowledge).post(setup::acknowledge)
}

/// Whether what goes wrong at this address is told as Elasticsearch tells it.
pub(crate) fn is_address(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    match (parts.next(), parts.next()) {
        (Some("es"), _) => true,
        (Some(first), second) => first.starts_with('_') || second.is_some_and(|second| second.starts_with('_')),
        (None, _) => false,
    }
}

/// `GET /` for a program; see the top of this file.
pub(crate) async fn at_the_door(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !request.headers().contains_key(header::AUTHORIZATION) {
        return next.run(request).await;
    }
    let gate = Gate { app, scope: Some(Scope::Ingest) };
    match admit(&gate, request.headers(), Peer::of(request.extensions())).await {
        Ok(_) => setup::info().await,
        Err(problem) => problem.into_response(),
    }
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    finish(&mut response);
    response
}

fn finish(response: &mut Response) {
    let (name, value) = PRODUCT;
    response.headers_mut().insert(name, value);
    response.extensions_mut().insert(Worded);
}

/// The names that Elasticsearch has for what goes wrong. Clients decide by the status; people read the reason.
fn kind(problem: &Problem) -> &'static str {
    match problem.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => "security_exception",
        StatusCode::NOT_FOUND => "resource_not_found_exception",
        StatusCode::PAYLOAD_TOO_LARGE => "content_too_long_exception",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable_shards_exception",
        StatusCode::REQUEST_TIMEOUT => "timeout_exception",
        status if status.is_server_error() => "exception",
        _ => "illegal_argument_exception",
    }
}

/// A problem as Elasticsearch words one.
pub(crate) fn problem(problem: &Problem) -> Response {
    let cause = json!({ "type": kind(problem), "reason": problem.detail });
    let body = json!({
        "error": { "root_cause": [cause], "type": kind(problem), "reason": problem.detail },
        "status": problem.status.as_u16(),
    });
    let mut response = answer(problem.status, &body);
    if problem.status == StatusCode::UNAUTHORIZED {
        let headers = response.headers_mut();
        for scheme in ["Basic realm=\"monban\", charset=\"UTF-8\"", "Bearer realm=\"monban\"", "ApiKey"] {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
    }
    problem.say_when(&mut response);
    response
}

/// What is said of a document that was taken.
#[derive(Debug, Serialize)]
struct Taken<'a> {
    #[serde(rename = "_index")]
    index: &'a str,
    #[serde(rename = "_id")]
    id: Cow<'a, str>,
    #[serde(rename = "_version")]
    version: u8,
    result: &'static str,
    #[serde(rename = "_shards")]
    shards: Shards,
    #[serde(rename = "_seq_no")]
    number: u64,
    #[serde(rename = "_primary_term")]
    term: u8,
}

#[derive(Debug, Serialize)]
struct Shards {
    total: u8,
    successful: u8,
    failed: u8,
}

impl<'a> Taken<'a> {
    /// A document without an id is given its event's, so that it can be looked up here.
    fn new(index: &'a str, id: Option<&'a str>, record: u64) -> Self {
        let id = id.map_or_else(|| Cow::Owned(format!("{record}-0")), Cow::Borrowed);
        let shards = Shards { total: 1, successful: 1, failed: 0 };
        Self { index, id, version: 1, result: "created", shards, number: record, term: 1 }
    }
}

fn ok(body: &Value) -> Response {
    answer(StatusCode::OK, body)
}
