//! Being built.
pub mod sigma;
