//! Tree to text, in the one form that reads back as the same tree: for saved searches, shared links and buttons.

use monban_event::Field;
use monban_event::query::{Query, QueryField, Test};
use monban_event::time::rfc3339;

use super::explain::weekday_words;
use super::lexer::is_quote;

/// A text that [`super::parse`] reads as the same query.
pub fn print(query: &Query) -> String {
    match query {
        Query::All => "*".to_owned(),
        Query::Nothing => "NOT *".to_owned(),
        Query::And(queries) => joined(queries, " AND "),
        Query::Or(queries) => joined(queries, " OR "),
        Query::Not(query) => format!("NOT {}", operand(query)),
        Query::Field(field, test) => field_text(field, test),
        Query::Text(test) if test.prefix && test.text.chars().all(is_plain) => format!("{}*", test.text),
        Query::Text(test) if test.prefix => format!("{}*", quoted(&test.text)),
        Query::Text(test) => quoted(&test.text),
    }
}

/// In quotes, where two quotes stand for one.
fn quoted(text: &str) -> String {
    let doubled = text.chars().flat_map(|char| std::iter::repeat_n(char, if is_quote(char) { 2 } else { 1 }));
    format!("\"{}\"", doubled.collect::<String>())
}

fn is_plain(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

fn joined(queries: &[Query], word: &str) -> String {
    queries.iter().map(operand).collect::<Vec<_>>().join(word)
}

fn operand(query: &Query) -> String {
    match query {
        Query::And(_) | Query::Or(_) | Query::Nothing => format!("({})", print(query)),
        other => print(other),
    }
}

fn field_name(field: &QueryField) -> String {
    match field {
        QueryField::Known(field) => field.name().to_owned(),
        QueryField::AnyUser => "user".to_owned(),
        QueryField::AnyIp => "ip".to_owned(),
        QueryField::Device => "host".to_owned(),
        QueryField::Native(name) => format!("native.{name}"),
        QueryField::Raw => "raw".to_owned(),
        QueryField::Word => "msg".to_owned(),
    }
}

fn field_text(field: &QueryField, test: &Test) -> String {
    let name = field_name(field);
    match test {
        Test::Equals(text) | Test::Contains(text) => format!("{name}:{}", quoted(text)),
        Test::Exactly(text) => format!("{name}:={}", quoted(text)),
        Test::Wildcard(pattern) if *field == QueryField::Word => pattern.clone(),
        Test::Wildcard(pattern) => format!("{name}:{pattern}"),
        Test::Exists => format!("{name}:*"),
        Test::Network(network) => format!("{name}:{network}"),
        Test::Number { from, to } if *field == QueryField::Known(Field::Duration) => {
            let nanos = |bound: &Option<i64>| bound.map(|nanos| format!("{nanos}ns"));
            format!("{name}:[{} TO {}]", bound(nanos(from)), bound(nanos(to)))
        }
        Test::Number { from, to } => format!("{name}:[{} TO {}]", bound(*from), bound(*to)),
        Test::Time { from, to } => {
            format!("{name}:[{} TO {}}}", bound(from.map(rfc3339)), bound(to.map(rfc3339)))
        }
        Test::Flag(flag) => format!("{name}:{flag}"),
        Test::Hour { from, to } => format!("hour:{from}..{to}"),
        Test::Weekday(days) => format!("weekday:{}", weekday_words(*days).replace('・', ",")),
    }
}

fn bound(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "*".to_owned(), |value| value.to_string())
}
