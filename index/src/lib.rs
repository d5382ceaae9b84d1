//! What is kept: the search index, and the queries asked of it. The only writer below the data directory.

pub mod partition;
pub mod query;
