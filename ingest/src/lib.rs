//! Being built.
pub mod evtx;
pub mod windows;
