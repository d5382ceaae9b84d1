//! What is wrong with a query: where, in which words, and how to put it right.

use std::fmt;

/// Kind of an error, as written in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    UnknownField,
    MissingValue,
    UnclosedQuote,
    UnclosedParen,
    UnmatchedClose,
    LeadingOp,
    DanglingOp,
    EmptyGroup,
    BadIp,
    BadNumber,
    BadTime,
    BadBool,
    BadRange,
    Pipe,
    TooDeep,
}

impl ErrorCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownField => "unknown_field",
            Self::MissingValue => "missing_value",
            Self::UnclosedQuote => "unclosed_quote",
            Self::UnclosedParen => "unclosed_paren",
            Self::UnmatchedClose => "unmatched_close",
            Self::LeadingOp => "leading_op",
            Self::DanglingOp => "dangling_op",
            Self::EmptyGroup => "empty_group",
            Self::BadIp => "bad_ip",
            Self::BadNumber => "bad_number",
            Self::BadTime => "bad_time",
            Self::BadBool => "bad_bool",
            Self::BadRange => "bad_range",
            Self::Pipe => "pipe",
            Self::TooDeep => "too_deep",
        }
    }
}

/// A way to put it right: the words of a button and the query it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    pub label: String,
    pub q: String,
}

/// One error. `from` and `to` count Unicode characters from 0, `to` not included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    pub from: usize,
    pub to: usize,
    pub code: ErrorCode,
    /// Japanese, without the position.
    pub message: String,
    pub fix: Option<Fix>,
    /// Further ways, the less likely ones.
    pub other_fixes: Vec<Fix>,
}

impl QueryError {
    pub(crate) fn new(code: ErrorCode, span: (usize, usize), message: impl Into<String>) -> Self {
        Self { from: span.0, to: span.1, code, message: message.into(), fix: None, other_fixes: Vec::new() }
    }

    /// Adds a way to put it right; the first one added is the likeliest.
    pub(crate) fn fix(mut self, label: impl Into<String>, q: impl Into<String>) -> Self {
        let fix = Fix { label: label.into(), q: q.into() };
        if self.fix.is_none() {
            self.fix = Some(fix);
        } else {
            self.other_fixes.push(fix);
        }
        self
    }
}

impl fmt::Display for QueryError {
    /// As pages and the command line show it: positions there count from 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}文字目: {}", self.from + 1, self.message)
    }
}

impl std::error::Error for QueryError {}
