//! Bytes into events. What arrives may be anything: no function here fails on input, and none panics.

pub mod header;
pub mod parser;
pub mod stamp;
pub mod text;

pub use parser::{TextSettings, parse_syslog};
