//! Being built.
pub mod context;
