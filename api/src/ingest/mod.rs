//! Logs over HTTP: event log files, lines of text, JSON objects, and the `_bulk` of Elasticsearch that forwarders speak.
//! Nothing is parsed here beyond finding where one record ends: each goes into the journal as it came, and the answer
//! is given when the journal has it. A body is read once, as it arrives, by a thread that may wait; it is unpacked, cut
//! into records and counted against the bounds on the way, so that no body can take more memory than its bound.
//!
//! A request is taken whole or not at all, so that sending it again after any refusal is right. `_bulk` alone says for
//! each document what became of it, because its protocol has a place for that.

pub(crate) mod body;
pub(crate) mod bounds;
pub(crate) mod elastic;
pub(crate) mod event_logs;
mod lines;
mod media;
mod multipart;
mod objects;
pub(crate) mod records;
mod refused;
mod unpack;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};

use crate::app::{App, Visit};
use crate::auth::Peer;
use crate::problem::Problem;
use media::{Coding, Media};

/// A sender that was let in, and what its head says of its body.
pub(crate) struct Delivery {
    pub(crate) app: Arc<App>,
    pub(crate) by: String,
    pub(crate) peer: Option<SocketAddr>,
    headers: HeaderMap,
    uri: Uri,
}

impl FromRequestParts<Arc<App>> for Delivery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<App>) -> Result<Self, Problem> {
        let visit = Visit::from_request_parts(parts, state).await?;
        let peer = Peer::of(&parts.extensions).address();
        Ok(Self { app: visit.app, by: visit.who.by, peer, headers: parts.headers.clone(), uri: parts.uri.clone() })
    }
}

impl Delivery {
    fn coding(&self) -> Result<Coding, refused::Refused> {
        media::coding(&self.headers)
    }

    fn media(&self) -> Option<Media> {
        media::media(&self.headers)
    }

    /// What the sender says its body is long, packed.
    fn told_bytes(&self) -> Option<u64> {
        let length = self.headers.get(axum::http::header::CONTENT_LENGTH)?;
        length.to_str().ok()?.parse().ok()
    }

    fn asks_first(&self) -> bool {
        self.headers.contains_key(axum::http::header::EXPECT)
    }

    /// A parameter of the address, without looking at the others.
    fn parameter(&self, name: &str) -> Option<String> {
        let axum::extract::Query(pairs) =
            axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&self.uri).ok()?;
        pairs.into_iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value)
    }
}
