//! Being built.

pub mod syslog;
