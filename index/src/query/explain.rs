//! The 解釈 line: what a query asks for, in Japanese.

use chrono::{DateTime, Utc};
use monban_event::query::{Query, QueryField, Test};
use monban_event::time::JST;
use monban_event::{Field, account};

use super::fields::{self, WEEKDAYS};
use crate::partition::column_of;

/// In words, for below the search box.
pub fn explain(query: &Query) -> String {
    match query {
        Query::All => "期間内すべて".to_owned(),
        Query::Nothing => "一致するものなし".to_owned(),
        Query::And(queries) => joined(queries, " かつ "),
        Query::Or(queries) => joined(queries, " または "),
        Query::Not(query) => negated(query),
        Query::Field(field, test) => field_words(field, test, false),
        Query::Text(test) if test.prefix => format!("文字「{}…」を含む", test.text),
        Query::Text(test) => format!("文字「{}」を含む", test.text),
    }
}

fn joined(queries: &[Query], word: &str) -> String {
    let part = |query: &Query| match query {
        Query::And(_) | Query::Or(_) => format!("（{}）", explain(query)),
        other => explain(other),
    };
    queries.iter().map(part).collect::<Vec<_>>().join(word)
}

fn negated(query: &Query) -> String {
    match query {
        Query::Field(field, test) => field_words(field, test, true),
        Query::Text(test) => format!("文字「{}」を含まない", test.text),
        other => format!("（{}）を除く", explain(other)),
    }
}

fn field_words(field: &QueryField, test: &Test, negated: bool) -> String {
    let name = fields::label(field);
    let equals = if negated { "≠" } else { "＝" };
    let not = if negated { "でない" } else { "" };
    let scanned = if is_scanned(field) { "（走査）" } else { "" };
    let words = match test {
        Test::Equals(text) => format!("{name}{equals}{}", value_words(field, text)),
        Test::Exactly(text) => format!("{name}{equals}{text}（表記どおり）"),
        Test::Wildcard(pattern) => format!("{name}{equals}{pattern}"),
        Test::Exists if negated => format!("{name}の値なし"),
        Test::Exists => format!("{name}の値あり"),
        Test::Network(network) if network.prefix_len() == network.max_prefix_len() => {
            format!("{name}{equals}{}", network.addr())
        }
        Test::Network(network) => format!("{name}が {network} の範囲{}", if negated { "の外" } else { "内" }),
        Test::Number { from, to } => format!("{name}{}{not}", number_words(field, *from, *to)),
        Test::Time { from, to } => format!("{name}{}{not}", time_words(*from, *to)),
        Test::Flag(flag) => format!("{name}{equals}{}", if *flag { "はい" } else { "いいえ" }),
        Test::Contains(text) => format!("{name}に「{text}」を含{}", if negated { "まない" } else { "む" }),
        Test::Hour { from, to } if from == to => format!("時刻が {from} 時台{not}"),
        Test::Hour { from, to } => format!("時刻が {from} 時から {to} 時台まで{not}"),
        Test::Weekday(days) => format!("曜日{equals}{}", weekday_words(*days)),
    };
    format!("{words}{scanned}")
}

/// Only whole events know the field.
fn is_scanned(field: &QueryField) -> bool {
    match field {
        QueryField::Native(_) | QueryField::Raw => true,
        QueryField::Known(field) => column_of(*field).is_none(),
        QueryField::AnyUser | QueryField::AnyIp | QueryField::Device | QueryField::Word => false,
    }
}

fn value_words(field: &QueryField, text: &str) -> String {
    match field {
        QueryField::Known(field) => fields::word_label(*field, text).unwrap_or(text).to_owned(),
        QueryField::AnyUser => account::key(text),
        _ => text.to_owned(),
    }
}

fn number_words(field: &QueryField, from: Option<i64>, to: Option<i64>) -> String {
    let show = |number: i64| {
        if *field == QueryField::Known(Field::Duration) {
            format!("{}秒", number / 1_000_000_000)
        } else {
            number.to_string()
        }
    };
    match (from, to) {
        (Some(from), Some(to)) if from == to => format!("＝{}", show(from)),
        (Some(from), Some(to)) => format!("が {} 以上 {} 以下", show(from), show(to)),
        (Some(from), None) => format!("が {} 以上", show(from)),
        (None, Some(to)) => format!("が {} 以下", show(to)),
        (None, None) => "の値あり".to_owned(),
    }
}

fn time_words(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> String {
    let show = |time: DateTime<Utc>| time.with_timezone(&JST).format("%Y/%m/%d %H:%M:%S").to_string();
    match (from, to) {
        (Some(from), Some(to)) => format!("が {} から {} の前まで", show(from), show(to)),
        (Some(from), None) => format!("が {} 以後", show(from)),
        (None, Some(to)) => format!("が {} より前", show(to)),
        (None, None) => "の値あり".to_owned(),
    }
}

pub(crate) fn weekday_words(days: u8) -> String {
    let chosen = WEEKDAYS.iter().enumerate().filter(|(index, _)| days >> index & 1 == 1);
    chosen.map(|(_, name)| *name).collect::<Vec<_>>().join("・")
}
