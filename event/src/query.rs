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
    /// Text anywhere in the curated text of an event, after folding ([`crate::account::fold`]): words of ASCII match
    /// whole words, runs of other text match as substrings, and several of them stand next to one another.
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
    /// Any single word of the curated text; with [`Test::Wildcard`], as `*naka*` typed without a field.
    Word,
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
    /// Hour of the day in JST, 0–23, inclusive; wraps over midnight where `from` is after `to`.
    Hour {
        from: u8,
        to: u8,
    },
    /// Day of the week in JST: bit 0 is Monday, bit 6 Sunday.
    Weekday(u8),
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

    /// What none of the given query matches.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::All => Self::Nothing,
            Self::Nothing => Self::All,
            Self::Not(query) => *query,
            query => Self::Not(Box::new(query)),
        }
    }

    /// A test of a field of the closed list.
    pub fn field(field: Field, test: Test) -> Self {
        Self::Field(QueryField::Known(field), test)
    }
}
