//! Being built.
pub mod context;
pub mod enrich;
mod session;
