//! Rules and their state, pure: no clock, no I/O but reading rule files.
pub mod context;
pub mod enrich;
mod session;
pub mod sigma;
