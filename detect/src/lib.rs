//! Being built.
pub mod context;
mod correlate;
pub mod enrich;
mod fields;
mod pairs;
mod session;
pub mod sigma;
