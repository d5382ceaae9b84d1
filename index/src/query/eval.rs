//! Whether one event is what a query asks for. It serves the live tail and verifies what the index cannot know, and
//! its tests of single values are the very ones that the planner asks of the index's dictionaries.

use std::net::IpAddr;

use chrono::{DateTime, Datelike, Timelike, Utc};
use ipnet::IpNet;
use monban_event::query::{Query, QueryField, Test};
use monban_event::time::JST;
use monban_event::{Event, Field, TimeRange, Value, account};

use super::glob::Glob;
use crate::partition::cut_value;
use crate::partition::text::{Phrase, Token, Tokens, curate};

/// A test of one value, folded and ready.
#[derive(Clone, Debug)]
pub(crate) enum ValueTest {
    /// Equal to this folded text.
    Equals(String),
    /// An account of this key.
    Account(String),
    Exactly(String),
    Wildcard(Glob),
    Exists,
    Network(IpNet),
    Number {
        from: i64,
        to: i64,
    },
    Time(TimeRange),
    Flag(bool),
    Contains(String),
    Hour {
        from: u8,
        to: u8,
    },
    Weekday(u8),
}

/// Fields that hold account keys; what is compared with them is made a key first.
pub(crate) fn holds_account(field: Field) -> bool {
    matches!(field, Field::UserName | Field::UserTargetName)
}

impl ValueTest {
    pub(crate) fn new(field: Option<Field>, test: &Test) -> Self {
        match test {
            Test::Equals(text) if field.is_some_and(holds_account) => Self::Account(account::key(text)),
            Test::Equals(text) => Self::equals(field, text),
            Test::Exactly(text) => Self::Exactly(cut_value(text).to_owned()),
            Test::Wildcard(pattern) => Self::Wildcard(Glob::new(&account::fold(pattern))),
            Test::Exists => Self::Exists,
            Test::Network(network) => Self::Network(*network),
            Test::Number { from, to } => Self::Number { from: from.unwrap_or(i64::MIN), to: to.unwrap_or(i64::MAX) },
            Test::Time { from, to } => Self::Time(TimeRange { from: *from, to: *to }),
            Test::Flag(flag) => Self::Flag(*flag),
            Test::Contains(text) => Self::Contains(account::fold(text)),
            Test::Hour { from, to } => Self::Hour { from: *from, to: *to },
            Test::Weekday(days) => Self::Weekday(*days),
        }
    }

    fn equals(field: Option<Field>, text: &str) -> Self {
        match text.parse::<IpAddr>() {
            Ok(ip) if field.is_some_and(|field| field.kind() == monban_event::FieldKind::Ip) => {
                Self::Network(IpNet::from(ip.to_canonical()))
            }
            _ => Self::Equals(account::fold(cut_value(text))),
        }
    }

    /// Asks it of a value's written form.
    pub(crate) fn text(&self, text: &str) -> bool {
        match self {
            Self::Equals(expected) => equals_folded(text, expected),
            Self::Account(key) => text == key,
            Self::Exactly(expected) => text == expected,
            Self::Wildcard(glob) => glob.matches(&account::fold(text)),
            Self::Exists => true,
            Self::Network(_) => text.parse().is_ok_and(|ip| self.ip(ip)),
            Self::Number { from, to } => text.parse().is_ok_and(|number: i64| (*from..=*to).contains(&number)),
            Self::Flag(flag) => text == if *flag { "true" } else { "false" },
            Self::Contains(part) => account::fold(text).contains(part.as_str()),
            Self::Time(_) | Self::Hour { .. } | Self::Weekday(_) => {
                DateTime::parse_from_rfc3339(text).is_ok_and(|time| self.time(time.with_timezone(&Utc)))
            }
        }
    }

    pub(crate) fn ip(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        match self {
            Self::Network(network) => network.contains(&ip),
            Self::Exists => true,
            _ => self.text(&ip.to_string()),
        }
    }

    pub(crate) fn number(&self, number: i64) -> bool {
        match self {
            Self::Number { from, to } => (*from..=*to).contains(&number),
            Self::Exists => true,
            _ => self.text(&number.to_string()),
        }
    }

    pub(crate) fn time(&self, time: DateTime<Utc>) -> bool {
        match self {
            Self::Time(range) => range.contains(time),
            Self::Exists => true,
            Self::Hour { from, to } => {
                let hour = u8::try_from(time.with_timezone(&JST).hour()).unwrap_or(0);
                if from <= to { (*from..=*to).contains(&hour) } else { hour >= *from || hour <= *to }
            }
            Self::Weekday(days) => days >> time.with_timezone(&JST).weekday().num_days_from_monday() & 1 == 1,
            _ => self.text(&monban_event::time::rfc3339(time)),
        }
    }

    fn value(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Ip(ip) => self.ip(*ip),
            Value::Number(number) => self.number(*number),
            Value::Time(time) => self.time(*time),
            Value::Text(text) => self.text(cut_value(text)),
            Value::Flag(_) => self.text(&value.to_text()),
        }
    }
}

fn equals_folded(text: &str, folded: &str) -> bool {
    if text.is_ascii() { text.eq_ignore_ascii_case(folded) } else { account::fold(text) == folded }
}

/// Replaces the fields that stand for several by those: `user:` is any account, `ip:` any address.
pub(crate) fn lower(query: &Query) -> Query {
    let any = |fields: &[Field], test: &Test| {
        Query::Or(fields.iter().map(|&field| Query::field(field, test.clone())).collect())
    };
    match query {
        Query::And(queries) => Query::And(queries.iter().map(lower).collect()),
        Query::Or(queries) => Query::Or(queries.iter().map(lower).collect()),
        Query::Not(query) => Query::Not(Box::new(lower(query))),
        Query::Field(QueryField::AnyUser, test @ Test::Exactly(_)) => Query::field(Field::UserRaw, test.clone()),
        Query::Field(QueryField::AnyUser, test) => any(&[Field::UserName, Field::UserTargetName], test),
        Query::Field(QueryField::AnyIp, test) => {
            any(&[Field::SourceIp, Field::DestinationIp, Field::VpnAssignedIp], test)
        }
        Query::Field(QueryField::Device, test) => any(&[Field::HostName, Field::ObserverHostname], test),
        other => other.clone(),
    }
}

#[derive(Clone, Debug)]
enum Node {
    Constant(bool),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Field(Field, ValueTest),
    Native(String, ValueTest),
    Raw(ValueTest),
    Word(ValueTest),
    Text(Phrase),
}

/// A query made ready to be asked of many events.
#[derive(Clone, Debug)]
pub struct Matcher {
    root: Node,
    reads_text: bool,
}

impl Matcher {
    pub fn new(query: &Query) -> Self {
        let root = compile(&lower(query));
        let reads_text = reads_text(&root);
        Self { root, reads_text }
    }

    /// Whether the event matches. `raw` is the record's own text where the caller has it.
    pub fn matches(&self, event: &Event, raw: Option<&str>) -> bool {
        let mut text = String::new();
        if self.reads_text {
            curate(event, &mut text);
        }
        let tokens = Tokens::new(&text).collect();
        Candidate { event, raw, tokens }.passes(&self.root)
    }
}

fn compile(query: &Query) -> Node {
    match query {
        Query::All => Node::Constant(true),
        Query::Nothing => Node::Constant(false),
        Query::And(queries) => Node::And(queries.iter().map(compile).collect()),
        Query::Or(queries) => Node::Or(queries.iter().map(compile).collect()),
        Query::Not(query) => Node::Not(Box::new(compile(query))),
        Query::Field(QueryField::Known(field), test) => Node::Field(*field, ValueTest::new(Some(*field), test)),
        Query::Field(QueryField::Native(name), test) => Node::Native(name.clone(), ValueTest::new(None, test)),
        Query::Field(QueryField::Raw, test) => Node::Raw(raw_test(test)),
        Query::Field(QueryField::Word, test) => Node::Word(ValueTest::new(None, test)),
        Query::Field(QueryField::AnyUser | QueryField::AnyIp | QueryField::Device, _) => compile(&lower(query)),
        Query::Text(test) => Node::Text(Phrase::new(&test.text, test.prefix)),
    }
}

/// Nobody types a whole record: what is asked of it is asked of a part.
fn raw_test(test: &Test) -> ValueTest {
    match test {
        Test::Equals(text) | Test::Exactly(text) => ValueTest::Contains(account::fold(text)),
        Test::Wildcard(pattern) => ValueTest::Wildcard(Glob::new(&account::fold(&format!("*{pattern}*")))),
        other => ValueTest::new(None, other),
    }
}

fn reads_text(node: &Node) -> bool {
    match node {
        Node::Text(_) | Node::Word(_) => true,
        Node::And(nodes) | Node::Or(nodes) => nodes.iter().any(reads_text),
        Node::Not(node) => reads_text(node),
        _ => false,
    }
}

struct Candidate<'a> {
    event: &'a Event,
    raw: Option<&'a str>,
    tokens: Vec<Token<'a>>,
}

impl Candidate<'_> {
    fn passes(&self, node: &Node) -> bool {
        match node {
            Node::Constant(answer) => *answer,
            Node::And(nodes) => nodes.iter().all(|node| self.passes(node)),
            Node::Or(nodes) => nodes.iter().any(|node| self.passes(node)),
            Node::Not(node) => !self.passes(node),
            Node::Field(Field::EventTime, test) => test.time(truncate(self.event.time())),
            Node::Field(Field::UserRaw, test) => {
                let written = self.event.user_raw.as_deref().or(self.event.user_name.as_deref());
                written.is_some_and(|text| test.text(cut_value(text)))
            }
            Node::Field(field, test) => self.event.get(*field).is_some_and(|value| test.value(&value)),
            Node::Native(name, test) => self.native(name, test),
            Node::Raw(test) => self.record(test),
            Node::Word(test) => self.tokens.iter().any(|token| test.text(token.text)),
            Node::Text(phrase) => phrase.matches(&self.tokens),
        }
    }

    fn native(&self, name: &str, test: &ValueTest) -> bool {
        let mut fields = self.event.native.iter();
        fields.any(|(candidate, value)| candidate.eq_ignore_ascii_case(name) && test.text(value))
    }

    /// The record's text; what the event kept of it where it has none, as events of Windows' own files.
    fn record(&self, test: &ValueTest) -> bool {
        if let Some(raw) = self.raw {
            test.text(raw)
        } else {
            let texts = self.event.message.as_deref().into_iter();
            texts.chain(self.event.native.iter().map(|(_, value)| value)).any(|text| test.text(text))
        }
    }
}

/// Columns keep microseconds.
fn truncate(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time)
}
