//! The query as meant: an engine-free tree. `index/query` reads text into it and plans it for tantivy; pages, the API
//! and reports hold nothing else. No engine's syntax reaches a user, a saved search or a report.

use chrono::{DateTime, Utc};
use ipnet::IpNet;

use crate::event::Field;

#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// Everything in the period.
    All,
    /// Nothing.
    Nothing,
    And(Vec<Query>),
    Or(Vec<Query>),
    Not(Box<Query>),
    Field(QueryField, Test),
    /// Text anywhere in the curated text of an event, substring after folding ([`crate::account::fold`] and NFKC):
    /// words of ASCII match whole words, runs of other text match as substrings.
    Text(TextTest),
}

/// What a test is asked of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueryField {
    Known(Field),
    /// Any of the fields that name a person: `user:`.
    AnyUser,
    /// Any of the fields that name an address: `ip:`.
    AnyIp,
    /// The machine or device: `host:`.
    Device,
    /// A native field by its own name; answered by scanning the journal.
    Native(String),
    /// The record's text; answered by scanning the journal.
    Raw,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Equal after folding; accounts by their key.
    Equals(String),
    /// Equal as written.
    Exactly(String),
    /// `*` any run, `?` one character, folded.
    Wildcard(String),
    Exists,
    Network(IpNet),
    /// Inclusive bounds.
    Number {
        from: Option<i64>,
        to: Option<i64>,
    },
    /// Half-open.
    Time {
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
    },
    Flag(bool),
    /// Substring after folding.
    Contains(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct TextTest {
    /// Folded.
    pub text: String,
    /// Written in quotes: the words stand next to one another in this order.
    pub phrase: bool,
    /// Ends in `*`: the last word is a prefix.
    pub prefix: bool,
}

impl Query {
    /// Both, flattened where that loses nothing.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, query) | (query, Self::All) => query,
            (Self::And(mut queries), query) => {
                queries.push(query);
                Self::And(queries)
            }
            (first, second) => Self::And(vec![first, second]),
        }
    }
}
