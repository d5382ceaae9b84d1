//! From a field, an operator and the text typed behind it to a test.

use std::net::IpAddr;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use ipnet::IpNet;
use monban_event::query::{Query, QueryField, Test, TextTest};
use monban_event::time::{JST, jst_date, jst_midnight};
use monban_event::{Field, FieldKind, account};

use super::complaint::{ErrorCode, QueryError};
use super::fields::{self, Target};
use super::parser::conjunction;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Is,
    Exactly,
    Not,
    AtLeast,
    AtMost,
    Above,
    Below,
}

/// What stands behind the operator.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub(crate) text: String,
    pub(crate) quoted: bool,
    pub(crate) span: (usize, usize),
    /// `[1 TO 9]`, `1..9`: the second value, and whether it is itself included.
    pub(crate) to: Option<(String, bool)>,
}

impl Typed {
    fn folded(&self) -> String {
        account::fold(&self.text).trim().to_owned()
    }

    /// Where there are no ranges, two dots are two dots.
    fn unranged(&self) -> Self {
        match &self.to {
            Some((to, _)) => Self { text: format!("{}..{to}", self.text), to: None, ..self.clone() },
            None => self.clone(),
        }
    }

    fn error(&self, code: ErrorCode, message: String) -> QueryError {
        QueryError::new(code, self.span, message)
    }
}

type Built = Result<Query, QueryError>;

/// The query for one value of one field.
pub(crate) fn build(target: &Target, op: Op, typed: &Typed, now: DateTime<Utc>) -> Built {
    if op == Op::Not {
        return build(target, Op::Is, typed, now).map(Query::negate);
    }
    match target {
        Target::One(QueryField::Raw) => one(&QueryField::Raw, op, &typed.unranged(), now),
        Target::One(field) => one(field, op, typed, now),
        Target::Message => Ok(text(&typed.unranged().text, typed.quoted)),
        Target::Bytes => {
            let test = number_test(op, typed, 1)?;
            Ok(Query::Or(vec![
                Query::field(Field::SourceBytes, test.clone()),
                Query::field(Field::DestinationBytes, test),
            ]))
        }
        Target::AccountStatus => Ok(account_status(typed)),
        Target::IsVpn => {
            let vpn = Query::Or(vec![
                Query::field(Field::VpnType, Test::Exists),
                Query::field(Field::LoginKind, Test::Equals("vpn".to_owned())),
            ]);
            Ok(if yes_no(typed)? { vpn } else { vpn.negate() })
        }
        Target::IsAdmin => {
            let admin = Query::field(Field::AccountClass, Test::Equals("admin".to_owned()));
            Ok(if yes_no(typed)? { admin } else { admin.negate() })
        }
        Target::Hour => hour(op, typed),
        Target::Weekday => weekday(typed),
    }
}

fn one(field: &QueryField, op: Op, typed: &Typed, now: DateTime<Utc>) -> Built {
    if !typed.quoted && typed.text == "*" && typed.to.is_none() && op == Op::Is {
        return Ok(Query::Field(field.clone(), Test::Exists));
    }
    let test = match fields::kind(field) {
        FieldKind::Ip => return address(field, op, typed),
        FieldKind::Number if *field == QueryField::Known(Field::Duration) => number_test(op, typed, 1_000_000_000)?,
        FieldKind::Number => number_test(op, typed, 1)?,
        FieldKind::Flag => Test::Flag(yes_no(typed)?),
        FieldKind::Time => time_test(op, typed, now)?,
        FieldKind::Text | FieldKind::Word => words_test(field, op, typed)?,
    };
    Ok(Query::Field(field.clone(), test))
}

fn words_test(field: &QueryField, op: Op, typed: &Typed) -> Result<Test, QueryError> {
    let text = typed.text.trim();
    let is_pattern = !typed.quoted && op == Op::Is && text.contains(['*', '?']);
    if *field == QueryField::Raw && !is_pattern {
        return Ok(Test::Contains(typed.folded()));
    }
    if typed.to.is_some() || matches!(op, Op::AtLeast | Op::AtMost | Op::Above | Op::Below) {
        return number_test(op, typed, 1);
    }
    if op == Op::Exactly {
        return Ok(Test::Exactly(text.to_owned()));
    }
    if is_pattern {
        let pattern: String = typed.folded().chars().map(plain_sign).collect();
        // One character may fold to two dots, which read again would be a range.
        let is_raw = *field == QueryField::Raw;
        return Ok(Test::Wildcard(if is_raw { pattern } else { pattern.replace("..", ".?") }));
    }
    let folded = typed.folded();
    let word = match field {
        QueryField::Known(field) => fields::word(*field, &folded),
        _ => None,
    };
    Ok(Test::Equals(word.map_or(folded, str::to_owned)))
}

/// Text of a word or a phrase, anywhere.
pub(crate) fn text(text: &str, phrase: bool) -> Query {
    let folded = account::fold(text);
    let folded = folded.trim();
    if !phrase && let Some(query) = starred(folded) {
        return query;
    }
    if folded.chars().any(is_text) {
        Query::Text(TextTest { text: folded.to_owned(), phrase, prefix: false })
    } else {
        Query::All
    }
}

/// A phrase whose last word goes on: `"failed pass"*`.
pub(crate) fn phrase_prefix(typed: &str) -> Query {
    match text(typed, true) {
        Query::Text(test) => Query::Text(TextTest { prefix: true, ..test }),
        other => other,
    }
}

/// A bare word with stars: the beginning of a word, or a pattern for one word.
fn starred(folded: &str) -> Option<Query> {
    if !folded.contains('*') {
        return None;
    }
    let inner = folded.trim_matches('*');
    let is_word = |text: &str| text.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '*' | '?'));
    if inner.is_empty() {
        return Some(Query::All);
    }
    if is_word(inner) && (folded.starts_with('*') || inner.contains('*')) {
        return Some(Query::Field(QueryField::Word, Test::Wildcard(folded.to_owned())));
    }
    // Runs of Japanese are found in the middle of longer ones anyway; other signs end a word, and with it a pattern.
    let pieces: Vec<&str> = folded.split('*').map(str::trim).filter(|piece| piece.chars().any(is_text)).collect();
    let last = pieces.len().saturating_sub(1);
    let piece = |(index, piece): (usize, &&str)| {
        let prefix =
            index == last && folded.ends_with('*') && piece.ends_with(|char: char| char.is_ascii() && is_text(char));
        Query::Text(TextTest { text: (*piece).to_owned(), phrase: false, prefix })
    };
    Some(conjunction(pieces.iter().enumerate().map(piece).collect()))
}

/// Signs of the language inside a pattern, where folding made them, stand for any one character.
fn plain_sign(char: char) -> char {
    if char.is_whitespace() || "()\"',、&|<>=[{!".contains(char) { '?' } else { char }
}

fn is_text(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

fn address(field: &QueryField, op: Op, typed: &Typed) -> Built {
    let text = typed.folded();
    let zone = |names: &[&str]| {
        let is = |name: &&str| Query::field(Field::SourceZone, Test::Equals((*name).to_owned()));
        Query::Or(names.iter().map(is).collect())
    };
    if matches!(field, QueryField::Known(Field::SourceIp) | QueryField::AnyIp) {
        match text.as_str() {
            "院内" => return Ok(zone(&["inside", "vpn_pool"])),
            "院外" => return Ok(zone(&["outside", "allowed"])),
            _ => {}
        }
    }
    if matches!(op, Op::AtLeast | Op::AtMost | Op::Above | Op::Below) {
        return Err(bad_ip(typed, "アドレスに大小の比較は使えません。範囲は 10.1.0.0/16 のように書きます。"));
    }
    if let Some((to, _)) = &typed.to {
        return between(field, &text, to)
            .ok_or_else(|| bad_ip(typed, &format!("「{text}」から「{to}」までの範囲を読めません。")));
    }
    if !typed.quoted && !text.is_empty() && text.chars().all(|char| char == '*') {
        return Ok(Query::Field(field.clone(), Test::Exists));
    }
    if let Some(network) = network(&text) {
        return Ok(Query::Field(field.clone(), Test::Network(network)));
    }
    if !typed.quoted
        && text.contains(['*', '?'])
        && text.chars().all(|char| char.is_ascii_hexdigit() || ".:*?".contains(char))
    {
        return Ok(Query::Field(field.clone(), Test::Wildcard(text)));
    }
    Err(bad_ip(typed, &format!("「{}」は IP アドレスとして読めません。", typed.text)))
}

fn bad_ip(typed: &Typed, message: &str) -> QueryError {
    typed.error(ErrorCode::BadIp, format!("{message} 例: 10.1.2.3 / 10.1.0.0/16 / 10.1.*"))
}

/// A range of addresses as the networks that cover it exactly.
fn between(field: &QueryField, from: &str, to: &str) -> Option<Query> {
    let (from, to): (IpAddr, IpAddr) = (from.parse().ok()?, to.trim().parse().ok()?);
    let networks: Vec<IpNet> = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) if from <= to => {
            ipnet::Ipv4Subnets::new(from, to, 0).map(IpNet::V4).collect()
        }
        (IpAddr::V6(from), IpAddr::V6(to)) if from <= to => {
            ipnet::Ipv6Subnets::new(from, to, 0).map(IpNet::V6).collect()
        }
        _ => return None,
    };
    let mut queries: Vec<Query> =
        networks.into_iter().map(|network| Query::Field(field.clone(), Test::Network(network))).collect();
    if queries.len() == 1 { queries.pop() } else { Some(Query::Or(queries)) }
}

/// An address, a CIDR, or the beginning of an IPv4 address: `10.1.`, `10.1.*`.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(IpNet::from(ip.to_canonical()));
    }
    if let Ok(network) = text.parse::<IpNet>() {
        return Some(network.trunc());
    }
    let start = text.strip_suffix(".*").or_else(|| text.strip_suffix('.'))?;
    let octets: Vec<u8> = start.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    let prefix = match octets.len() {
        1 => 8,
        2 => 16,
        3 => 24,
        _ => return None,
    };
    let octet = |index: usize| octets.get(index).copied().unwrap_or(0);
    IpNet::new(IpAddr::from([octet(0), octet(1), octet(2), 0]), prefix).ok()
}

fn number_test(op: Op, typed: &Typed, unit: i64) -> Result<Test, QueryError> {
    let read = |text: &str| {
        number(text, unit).ok_or_else(|| {
            let message = format!("「{text}」は数として読めません。例: 1000 / 1,000 / 1..9");
            typed.error(ErrorCode::BadNumber, message)
        })
    };
    if let Some((to, included)) = &typed.to {
        let from = if typed.text.trim() == "*" { None } else { Some(read(&typed.text)?) };
        let to = if to.trim() == "*" { None } else { Some(read(to)? - i64::from(!included)) };
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(typed.error(ErrorCode::BadRange, "範囲の始まりが終わりより大きくなっています。".to_owned()));
        }
        return Ok(Test::Number { from, to });
    }
    let value = read(&typed.text)?;
    Ok(match op {
        Op::Is | Op::Exactly | Op::Not => Test::Number { from: Some(value), to: Some(value) },
        Op::AtLeast => Test::Number { from: Some(value), to: None },
        Op::AtMost => Test::Number { from: None, to: Some(value) },
        Op::Above => Test::Number { from: Some(value.saturating_add(1)), to: None },
        Op::Below => Test::Number { from: None, to: Some(value.saturating_sub(1)) },
    })
}

/// `1,000`, `10k`, `5mb`, `3h`, `7ns`; `unit` is what one stands for.
fn number(text: &str, unit: i64) -> Option<i64> {
    let folded = account::fold(text.trim()).replace(',', "");
    let digits_end = folded.find(|char: char| !char.is_ascii_digit() && char != '-').unwrap_or(folded.len());
    let (digits, suffix) = (folded.get(..digits_end)?, folded.get(digits_end..)?);
    let factor: i64 = match (suffix, unit) {
        ("", _) | ("s" | "秒", 2..) => unit,
        ("ns", 2..) => 1,
        ("k" | "kb", 1) => 1_000,
        ("m" | "mb", 1) => 1_000_000,
        ("g" | "gb", 1) => 1_000_000_000,
        ("m" | "分", 2..) => unit.checked_mul(60)?,
        ("h" | "時間", 2..) => unit.checked_mul(3_600)?,
        _ => return None,
    };
    digits.parse::<i64>().ok()?.checked_mul(factor)
}

fn yes_no(typed: &Typed) -> Result<bool, QueryError> {
    fields::flag(&typed.folded()).ok_or_else(|| {
        let message = format!("「{}」は「はい」「いいえ」のどちらでもありません。", typed.text);
        typed.error(ErrorCode::BadBool, message)
    })
}

fn account_status(typed: &Typed) -> Query {
    let folded = typed.folded();
    let state = |word: &str| Query::field(Field::AccountState, Test::Equals(word.to_owned()));
    let class = |word: &str| Query::field(Field::AccountClass, Test::Equals(word.to_owned()));
    match folded.as_str() {
        "在籍" => state("active"),
        "退職" => state("retired"),
        "休職" => state("on_leave"),
        "停止" => state("disabled"),
        "未登録" => state("unlisted"),
        "共有" => Query::Or(vec![class("duty_shared"), class("kiosk")]),
        "保守" => class("vendor"),
        other => state(other),
    }
}

fn hour(op: Op, typed: &Typed) -> Built {
    let read = |text: &str| {
        let folded = account::fold(text.trim());
        let hour = folded.strip_suffix('時').unwrap_or(&folded).parse::<u8>().ok().filter(|hour| *hour < 24);
        hour.ok_or_else(|| typed.error(ErrorCode::BadNumber, format!("「{text}」は 0〜23 の時として読めません。")))
    };
    let from = read(&typed.text)?;
    let (from, to) = match (&typed.to, op) {
        (Some((to, _)), _) => (from, read(to)?),
        (None, Op::AtLeast) => (from, 23),
        (None, Op::AtMost) => (0, from),
        (None, Op::Above) if from < 23 => (from + 1, 23),
        (None, Op::Below) if from > 0 => (0, from - 1),
        (None, Op::Above | Op::Below) => return Ok(Query::Nothing),
        (None, _) => (from, from),
    };
    Ok(Query::field(Field::EventTime, Test::Hour { from, to }))
}

fn weekday(typed: &Typed) -> Built {
    let folded = typed.folded();
    let days = match folded.as_str() {
        "平日" => 0b001_1111,
        "土日" | "週末" => 0b110_0000,
        list => {
            let mut days = 0;
            for name in list.split(',') {
                let day = fields::weekday(name.trim()).ok_or_else(|| {
                    let message = format!("「{name}」は曜日として読めません。例: 月 / 土日 / 平日 / mon");
                    typed.error(ErrorCode::BadTime, message)
                })?;
                days |= 1 << day;
            }
            days
        }
    };
    Ok(Query::field(Field::EventTime, Test::Weekday(days)))
}

/// A moment as typed covers a period: a date covers its day.
struct Moment {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

fn time_test(op: Op, typed: &Typed, now: DateTime<Utc>) -> Result<Test, QueryError> {
    let read = |text: &str| {
        moment(text.trim(), now).ok_or_else(|| {
            let message =
                format!("「{text}」は日時として読めません。例: 2026-11-01 / 2026-11-01T08:30 / now-7d / 昨日");
            typed.error(ErrorCode::BadTime, message)
        })
    };
    if let Some((to, included)) = &typed.to {
        let from = if typed.text.trim() == "*" { None } else { Some(read(&typed.text)?.from) };
        let to = if to.trim() == "*" { None } else { Some(read(to)?) };
        let to = to.map(|moment| if *included { moment.to } else { moment.from });
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(typed.error(ErrorCode::BadRange, "期間の始まりが終わりより後になっています。".to_owned()));
        }
        return Ok(Test::Time { from, to });
    }
    let moment = read(&typed.text)?;
    Ok(match op {
        Op::Is | Op::Exactly | Op::Not => Test::Time { from: Some(moment.from), to: Some(moment.to) },
        Op::AtLeast => Test::Time { from: Some(moment.from), to: None },
        Op::Above => Test::Time { from: Some(moment.to), to: None },
        Op::AtMost => Test::Time { from: None, to: Some(moment.to) },
        Op::Below => Test::Time { from: None, to: Some(moment.from) },
    })
}

fn moment(text: &str, now: DateTime<Utc>) -> Option<Moment> {
    let folded = account::fold(text);
    let day = |date: NaiveDate| {
        Some(Moment { from: jst_midnight(date), to: jst_midnight(date.checked_add_days(Days::new(1))?) })
    };
    let today = jst_date(now);
    match folded.as_str() {
        "今日" | "today" => return day(today),
        "昨日" | "yesterday" => return day(today.pred_opt()?),
        "今月" => return month(today),
        "先月" => return month(today.checked_sub_months(Months::new(1))?),
        _ => {}
    }
    if let Some(offset) = folded.strip_prefix("now") {
        return instant(now.checked_add_signed(relative(offset)?)?, TimeDelta::microseconds(1));
    }
    absolute(&folded)
}

fn month(date: NaiveDate) -> Option<Moment> {
    let first = date.with_day(1)?;
    Some(Moment { from: jst_midnight(first), to: jst_midnight(first.checked_add_months(Months::new(1))?) })
}

fn instant(from: DateTime<Utc>, length: TimeDelta) -> Option<Moment> {
    Some(Moment { from, to: from.checked_add_signed(length)? })
}

/// What follows `now`: nothing, `-7d`, `+1h`.
fn relative(offset: &str) -> Option<TimeDelta> {
    if offset.is_empty() {
        return Some(TimeDelta::zero());
    }
    let unit = offset.chars().last()?;
    let amount: i64 = offset.strip_suffix(unit)?.parse().ok()?;
    match unit {
        's' => TimeDelta::try_seconds(amount),
        'm' => TimeDelta::try_minutes(amount),
        'h' => TimeDelta::try_hours(amount),
        'd' => TimeDelta::try_days(amount),
        'w' => TimeDelta::try_weeks(amount),
        _ => None,
    }
}

/// Dates and stamps; without an offset they are JST.
fn absolute(folded: &str) -> Option<Moment> {
    let text = folded.replace('/', "-").to_uppercase();
    if let Ok(time) = DateTime::parse_from_rfc3339(&text) {
        let fraction = if text.contains('.') { TimeDelta::microseconds(1) } else { TimeDelta::seconds(1) };
        return instant(time.with_timezone(&Utc), fraction);
    }
    if let Ok(date) = NaiveDate::parse_from_str(&text, "%Y-%m-%d") {
        return (0..=9999)
            .contains(&date.year())
            .then(|| jst_midnight(date))
            .and_then(|start| instant(start, TimeDelta::days(1)));
    }
    if let Some(month_of) = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d")
        .ok()
        .filter(|date| (0..=9999).contains(&date.year()))
    {
        return month(month_of);
    }
    for (form, length) in [
        ("%Y-%m-%dT%H:%M:%S", TimeDelta::seconds(1)),
        ("%Y-%m-%d %H:%M:%S", TimeDelta::seconds(1)),
        ("%Y-%m-%dT%H:%M", TimeDelta::minutes(1)),
        ("%Y-%m-%d %H:%M", TimeDelta::minutes(1)),
    ] {
        if let Ok(local) = NaiveDateTime::parse_from_str(&text, form) {
            let time = JST.from_local_datetime(&local).single()?;
            return instant(time.with_timezone(&Utc), length);
        }
    }
    None
}
