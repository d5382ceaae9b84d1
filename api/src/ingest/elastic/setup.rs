//! What clients ask and want set up before they send: answered so that they go on, and nothing is kept.

use std::future::{Ready, ready};

use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::json;

use super::ok;
use crate::ingest::body::forget;
use crate::problem::Problem;

/// The version that is answered. Clients of 8 and 9 go by its first number; Beats refuse a server older than themselves.
const VERSION: &str = "8.19.0";
const CLUSTER: &str = "monban";
/// Of the form of the real one; that it is always the same tells clients that they talk to the same place.
const CLUSTER_ID: &str = "bW9uYmFuLW1vbmJhbi1tbQ";

/// The last part of the address.
pub(super) struct Name(String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::bad_request("名前を UTF-8 として読めません。"))?;
        Ok(Self(name))
    }
}

pub(super) fn info() -> Ready<Response> {
    ready(ok(&json!({
        "name": CLUSTER,
        "cluster_name": CLUSTER,
        "cluster_uuid": CLUSTER_ID,
        "version": {
            "number": VERSION,
            "build_flavor": "default",
            "build_type": "deb",
            "build_hash": "0000000000000000000000000000000000000000",
            "build_date": "2025-07-01T00:00:00.000000000Z",
            "build_snapshot": false,
            "lucene_version": "9.12.2",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    })))
}

/// Logstash and Beats want to know that a licence is active before they send.
pub(super) fn license() -> Ready<Response> {
    let license = json!({
        "status": "active",
        "uid": "00000000-0000-0000-0000-000000000000",
        "type": "basic",
        "mode": "basic",
        "issue_date": "2025-07-01T00:00:00.000Z",
        "issue_date_in_millis": 1_751_328_000_000_u64,
        "max_nodes": 1000,
        "max_resource_units": null,
        "issued_to": CLUSTER,
        "issuer": "elasticsearch",
        "start_date_in_millis": -1,
    });
    ready(ok(&json!({ "license": license, "features": {}, "tagline": "You know, for X" })))
}

pub(super) fn health() -> Ready<Response> {
    ready(ok(&json!({
        "cluster_name": CLUSTER,
        "status": "green",
        "timed_out": false,
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
        "active_primary_shards": 1,
        "active_shards": 1,
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": 0,
        "delayed_unassigned_shards": 0,
        "number_of_pending_tasks": 0,
        "number_of_in_flight_fetch": 0,
        "task_max_waiting_in_queue_millis": 0,
        "active_shards_percent_as_number": 100.0,
    })))
}

/// No other node than the one that was asked: a client that looks for more stays here.
pub(super) fn nodes() -> Ready<Response> {
    let counts = json!({ "total": 1, "successful": 1, "failed": 0 });
    ready(ok(&json!({ "_nodes": counts, "cluster_name": CLUSTER, "nodes": {} })))
}

pub(super) async fn acknowledge(body: Body) -> Response {
    forget(body).await;
    ok(&json!({ "acknowledged": true, "shards_acknowledged": true }))
}

pub(super) fn policy(Name(name): Name) -> Ready<Response> {
    let policy = json!({ "version": 1, "modified_date": "2025-07-01T00:00:00.000Z", "policy": { "phases": {} } });
    ready(ok(&json!({ name: policy })))
}

pub(super) fn index_template(Name(name): Name) -> Ready<Response> {
    let template = json!({ "index_patterns": ["*"], "composed_of": [], "priority": 0 });
    ready(ok(&json!({ "index_templates": [{ "name": name, "index_template": template }] })))
}

pub(super) fn component_template(Name(name): Name) -> Ready<Response> {
    let template = json!({ "template": {} });
    ready(ok(&json!({ "component_templates": [{ "name": name, "component_template": template }] })))
}

pub(super) fn old_template(Name(name): Name) -> Ready<Response> {
    let template = json!({ "order": 0, "index_patterns": ["*"], "settings": {}, "mappings": {}, "aliases": {} });
    ready(ok(&json!({ name: template })))
}

pub(super) fn pipeline(Name(name): Name) -> Ready<Response> {
    ready(ok(&json!({ name: { "processors": [] } })))
}

pub(super) fn data_stream(Name(name): Name) -> Ready<Response> {
    let stream = json!({ "name": name, "timestamp_field": { "name": "@timestamp" }, "indices": [], "status": "GREEN" });
    ready(ok(&json!({ "data_streams": [stream] })))
}

pub(super) fn alias(Name(name): Name) -> Ready<Response> {
    let is_write_index = json!({ name.clone(): { "is_write_index": true } });
    ready(ok(&json!({ name: { "aliases": is_write_index } })))
}

pub(super) fn index(Name(name): Name) -> Ready<Response> {
    let index = json!({ "aliases": {}, "mappings": {}, "settings": {} });
    ready(super::answer(StatusCode::OK, &json!({ name: index })))
}
