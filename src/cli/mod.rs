//! One file a verb.

pub(crate) mod detect;
pub(crate) mod parse;
