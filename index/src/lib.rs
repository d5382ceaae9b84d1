//! What is kept: the journal, which is the truth, and its views: search partitions and the ledger. The only room that
//! writes under the data directory.

pub mod export;
pub mod fail;
pub mod journal;
pub mod ledger;
pub mod partition;
pub mod query;
pub mod reserve;
pub mod staging;
