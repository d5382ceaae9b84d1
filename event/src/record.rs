//! A record: bytes as received and the facts of their receipt. Never edited, never parsed by a receiver.

use std::net::SocketAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::id::RecordId;

/// How a record came to us; an import is shown as 取込, never as 受信.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Live,
    Import,
    Demo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    Http,
    File,
}

impl Transport {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::File => "file",
        }
    }
}

/// What the bytes are, so that the parser need not guess between kinds it cannot confuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One frame or one line of text.
    Syslog,
    /// One whole EVTX chunk (64 KiB, with its templates); holds many events.
    EvtxChunk,
    /// One JSON object of a log forwarder (winlogbeat, `NXLog`, Fluent Bit, …).
    Json,
    /// The header line of a CSV file, a line feed, and one row of it: a row alone does not say what its values are.
    Csv,
}

/// What whoever handed a file in said about it, for what its records do not say themselves. It is journaled with every
/// record, so that a replay reads the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileHints {
    /// Year of stamps without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<i32>,
    /// Name of the zone of stamps without an offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Name of the machine where records name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl FileHints {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where in an imported file a record stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePosition {
    /// The act that opened the import; it holds the file's SHA-256 and size. 0 outside a journal.
    pub import: RecordId,
    pub path: Arc<str>,
    /// Line number or chunk number, from 0.
    pub index: u64,
    pub hints: Option<Arc<FileHints>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Our clock at receipt.
    pub received_at: DateTime<Utc>,
    pub origin: Origin,
    pub transport: Transport,
    /// The transport's sender, where there is one.
    pub peer: Option<SocketAddr>,
    /// The sender's name, verified by its TLS certificate. It outlives an address, so it is the source's identity.
    pub identity: Option<Arc<str>>,
    pub format: Format,
    pub file: Option<FilePosition>,
    /// Exactly as they came, framing removed; at most [`crate::limits::RECORD_BYTES_MAX`].
    pub bytes: Vec<u8>,
    /// The frame was longer than the bound and its end is gone. Noted on the event.
    pub cut: bool,
}

/// Turns records into events. Cannot fail: what it does not understand becomes an event with `parse.status` raw.
/// A record of one event gives one; an EVTX chunk gives as many as can be read, in the order of their offsets.
pub trait RecordParser: Send + Sync {
    /// Appends the record's events, and says what of it could not be read, a line each.
    fn parse(&self, id: RecordId, record: &Record, events: &mut Vec<Event>) -> Vec<String>;
}
