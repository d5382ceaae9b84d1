//! The query language of the pages, the API and the command line: text to the tree of `monban_event::query`, the tree
//! to words for the asker, to text again, to a search of the index, and to a yes or no about one event. No engine's
//! own query syntax is used anywhere.

mod complaint;
mod eval;
mod explain;
mod fields;
mod glob;
#[cfg(test)]
mod golden;
mod hints;
mod lexer;
mod needle;
mod parser;
mod pasted;
pub(crate) mod plan;
mod print;
mod values;

pub use complaint::{ErrorCode, Fix, QueryError};
pub use eval::Matcher;
pub use explain::explain;
pub use hints::{Hint, HintKind, hints, slow_note};
pub use needle::Needles;
pub use parser::{Condition, Parsed, parse, parse_noting, period};
pub use print::print;

use monban_event::account;
use monban_event::query::{Query, QueryField};

/// The field of that name, where the name stands for one.
pub fn field_named(name: &str) -> Option<QueryField> {
    match fields::resolve(&account::fold(name), name)? {
        fields::Target::One(field) => Some(field),
        _ => None,
    }
}

/// Whether only whole events can answer the query, so that the journal is scanned.
pub fn is_scanned(query: &Query) -> bool {
    !plan::plan(query).exact
}
