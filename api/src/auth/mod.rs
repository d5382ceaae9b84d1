//! Who is asking: a person with a session cookie or a machine with a token, and what they may do.

pub(crate) mod credentials;
pub(crate) mod gate;
pub(crate) mod password;
pub(crate) mod refusals;
pub(crate) mod role;
pub(crate) mod session;
pub(crate) mod setup;
pub(crate) mod token;

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::Extensions;
use monban_event::id::hex;
use sha2::{Digest, Sha256};

use role::{Role, Scope};

/// Somebody who was let in.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    /// As acts name them: the account, or `token:NAME`.
    pub(crate) by: String,
    pub(crate) display: String,
    /// Of people; tokens have scopes of their own.
    pub(crate) role: Option<Role>,
    pub(crate) scopes: Vec<Scope>,
    /// SHA-256 of the session's token, to end it by.
    pub(crate) session: Option<String>,
}

impl Who {
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// A token of a machine that hands in logs: it lies on many machines and must open nothing else.
    pub(crate) fn only_sends(&self) -> bool {
        self.role.is_none() && self.scopes.iter().all(|scope| *scope == Scope::Ingest)
    }
}

/// The other end of the connection, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(Option<SocketAddr>);

impl Peer {
    pub(crate) fn of(extensions: &Extensions) -> Self {
        Self(extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0))
    }

    pub(crate) fn address(self) -> Option<SocketAddr> {
        self.0
    }

    pub(crate) fn text(self) -> String {
        self.0.map_or_else(|| "不明".to_owned(), |address| address.ip().to_string())
    }
}

/// SHA-256 in hex: how secrets are kept that are random already.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// 256 random bits in hex.
pub(crate) fn random_secret() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes from its first minute on");
    hex(&bytes)
}

/// Compares without telling by its time how much was right.
pub(crate) fn same_secret(given: &str, kept: &str) -> bool {
    given.len() == kept.len() && given.bytes().zip(kept.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}
