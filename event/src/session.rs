//! A VPN session joined from its lines: login, address, end.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::EventId;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpnSession {
    /// Stable: observer, vendor session id (or user and address) and the first event.
    pub key: String,
    pub observer: String,
    pub user: String,
    pub account_class: String,
    pub source_ip: Option<IpAddr>,
    pub assigned_ip: Option<IpAddr>,
    pub started: DateTime<Utc>,
    /// `None` while open, and where the end was never reported.
    pub ended: Option<DateTime<Utc>>,
    /// Last line that belonged to it.
    pub last_seen: DateTime<Utc>,
    /// From the remote user's side: `sent` left the user's machine. Bytes.
    pub bytes_sent: Option<u64>,
    pub bytes_received: Option<u64>,
    pub after_hours: bool,
    pub first_event: EventId,
}
