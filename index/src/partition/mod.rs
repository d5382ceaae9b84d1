//! The search index: tantivy partitions by day, kept exactly once from the journal, and the searches over them. It may
//! be deleted at any time and is rebuilt from the journal; it never holds anything that the journal does not.
//!
//! `schema` says which fields are columns, `text` what is searchable as text, `writer` keeps the partitions and says
//! how each event is in one of them once, `upkeep` merges and removes them, `search` answers.

mod collect;
mod directory;
mod document;
mod manifest;
mod name;
mod schema;
mod search;
mod set;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod upkeep;
mod verify;
mod writer;

pub(crate) use document::to_ipv6;
pub(crate) use schema::{Column, GROUP_SEPARATOR, column_of, columns, cut_value};
pub use search::{ReadRecordError, RecordSource, TantivyStore};
pub use set::PartitionSet;
pub use text::curated_text;
pub use upkeep::Expired;
pub use writer::{IndexPlace, PartitionError, Partitions};
