//! Text to tree. It never panics and never loops: every step moves forward or stops, and nesting, length and the
//! number of errors are bounded. Errors name the place in characters of the text as typed.

use chrono::{DateTime, Utc};
use monban_event::query::{Query, QueryField, Test};
use monban_event::{Field, TimeRange, account};

use super::complaint::{ErrorCode, QueryError};
use super::fields::{self, Target};
use super::lexer::Cursor;
use super::pasted;
use super::values::{self, Op, Typed};

/// Deepest nesting of parentheses and negations. People nest three deep; the stack stands far more than this.
const DEPTH_MAX: usize = 32;

/// Longest query, in characters: a pasted record fits.
pub(crate) const LENGTH_MAX: usize = 8_192;

/// Most terms of a query. Each is a walk through a dictionary.
const TERMS_MAX: usize = 1_000;

/// Most errors reported at once; nobody repairs more before trying again.
const ERRORS_MAX: usize = 10;

/// A query and what should be said about how it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// As typed, without the blanks around it.
    pub text: String,
    pub query: Query,
    /// Its conditions, all of which an event must meet; none where it begins with alternatives.
    pub conditions: Vec<Condition>,
    /// Japanese sentences for below the search box.
    pub notes: Vec<String>,
}

/// One of the conditions that a query consists of.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub typed: String,
    pub query: Query,
}

/// Reads a query; `now` is what `now-7d` and 今日 count from.
pub fn parse(text: &str, now: DateTime<Utc>) -> Result<Query, Vec<QueryError>> {
    parse_noting(text, now).map(|parsed| parsed.query)
}

/// Reads a query and tells what the asker should know about the reading.
pub fn parse_noting(text: &str, now: DateTime<Utc>) -> Result<Parsed, Vec<QueryError>> {
    if let Some(query) = pasted::line(text) {
        let typed = text.trim().to_owned();
        let conditions = vec![Condition { typed: typed.clone(), query: query.clone() }];
        let notes = vec!["貼り付けられたログの1行として、原文の中を探します。".to_owned()];
        return Ok(Parsed { text: typed, query, conditions, notes });
    }
    let mut parser = Parser {
        text,
        cursor: Cursor::new(text),
        now,
        depth: 0,
        terms: 0,
        structural: false,
        conditions: Vec::new(),
        errors: Vec::new(),
        notes: Vec::new(),
    };
    if parser.cursor.len() > LENGTH_MAX {
        let span = (LENGTH_MAX, parser.cursor.len());
        let message = format!("検索式が長すぎます（{LENGTH_MAX}文字まで）。");
        return Err(vec![QueryError::new(ErrorCode::TooDeep, span, message)]);
    }
    let query = parser.whole();
    if !parser.errors.is_empty() {
        parser.errors.sort_by_key(|error| error.from);
        parser.errors.truncate(ERRORS_MAX);
        return Err(parser.errors);
    }
    if period(&query).is_some() {
        parser.note("検索式の日時を、期間の欄より優先します。");
    }
    Ok(Parsed { text: text.trim().to_owned(), query, conditions: parser.conditions, notes: parser.notes })
}

/// The period a query itself demands; it goes before the one chosen beside it.
pub fn period(query: &Query) -> Option<TimeRange> {
    match query {
        Query::Field(QueryField::Known(Field::EventTime), Test::Time { from, to }) => {
            Some(TimeRange { from: *from, to: *to })
        }
        Query::And(queries) => queries.iter().filter_map(period).reduce(|first, second| first.intersect(&second)),
        _ => None,
    }
}

pub(crate) fn conjunction(queries: Vec<Query>) -> Query {
    let mut flat = Vec::with_capacity(queries.len());
    for query in queries {
        match query {
            Query::All => {}
            Query::And(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    match flat.len() {
        0 => Query::All,
        1 => flat.pop().unwrap_or(Query::All),
        _ => Query::And(flat),
    }
}

pub(crate) fn disjunction(queries: Vec<Query>) -> Query {
    let mut flat = Vec::with_capacity(queries.len());
    for query in queries {
        match query {
            Query::All => return Query::All,
            Query::Or(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    match flat.len() {
        0 => Query::All,
        1 => flat.pop().unwrap_or(Query::All),
        _ => Query::Or(flat),
    }
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    End,
    Close,
    And(usize),
    Or(usize),
    Not(usize),
    Comma,
    Pipe,
    Term,
}

/// The field and operator before a parenthesis, whose words are its values.
type Group<'a> = Option<&'a (Target, Op)>;

struct Parser<'a> {
    text: &'a str,
    cursor: Cursor,
    now: DateTime<Utc>,
    depth: usize,
    terms: usize,
    /// The operand before was a field with its value, or a group: only there is a lower-case `and` an operator.
    structural: bool,
    /// Of the outermost level.
    conditions: Vec<Condition>,
    errors: Vec<QueryError>,
    notes: Vec<String>,
}

impl Parser<'_> {
    fn whole(&mut self) -> Query {
        let mut queries = Vec::new();
        loop {
            queries.push(self.or(None));
            if self.next(None) != Next::Close {
                break;
            }
            let at = self.cursor.at;
            let fixed = self.without(at, at + 1);
            let message = "「)」に対応する「(」がありません。";
            self.fail(QueryError::new(ErrorCode::UnmatchedClose, (at, at + 1), message).fix("この ) を消す", fixed));
            self.cursor.at += 1;
        }
        conjunction(queries)
    }

    fn fail(&mut self, error: QueryError) {
        // Nested values may stand under one error only once.
        if !self.errors.iter().any(|known| known.from == error.from && known.code == error.code) {
            self.errors.push(error);
        }
    }

    fn note(&mut self, text: &str) {
        if !self.notes.iter().any(|known| known == text) {
            self.notes.push(text.to_owned());
        }
    }

    /// The text as typed without some of its characters.
    fn without(&self, from: usize, to: usize) -> String {
        let kept = self.text.chars().enumerate().filter(|(at, _)| !(from..to).contains(at));
        kept.map(|(_, char)| char).collect::<String>().trim().to_owned()
    }

    /// The text as typed with a part replaced.
    fn with(&self, from: usize, to: usize, text: &str) -> String {
        let before = self.text.chars().take(from);
        before.chain(text.chars()).chain(self.text.chars().skip(to)).collect()
    }

    fn next(&mut self, group: Group<'_>) -> Next {
        self.cursor.skip_space();
        let at = self.cursor.at;
        let Some(char) = self.cursor.peek() else { return Next::End };
        match char {
            ')' => return Next::Close,
            ',' | '、' if group.is_some() => return Next::Comma,
            '|' if !self.cursor.starts_with(at, "||") => return Next::Pipe,
            _ => {}
        }
        for (sign, next) in [("&&", Next::And(2)), ("||", Next::Or(2))] {
            if self.cursor.starts_with(at, sign) {
                return next;
            }
        }
        let behind = self.cursor.get(at + 1);
        let operand_follows = behind.is_some_and(|char| !char.is_whitespace() && char != ')');
        if char == '!' && behind != Some('=') && operand_follows {
            return Next::Not(1);
        }
        if char == '-' && operand_follows && behind != Some('-') && behind != Some('>') {
            return Next::Not(1);
        }
        self.keyword(at)
    }

    fn keyword(&mut self, at: usize) -> Next {
        let end = self.cursor.word_end(at);
        let word = self.cursor.slice(at, end);
        let length = end - at;
        match word.as_str() {
            "AND" | "かつ" => Next::And(length),
            "OR" | "または" => Next::Or(length),
            "NOT" => Next::Not(length),
            _ => self.small_keyword(&word, end),
        }
    }

    /// `and`, `or`, `not` in small letters are words of English unless they stand beside a field or a parenthesis.
    fn small_keyword(&mut self, word: &str, end: usize) -> Next {
        let length = word.chars().count();
        let next = match word.to_ascii_lowercase().as_str() {
            "and" => Next::And(length),
            "or" => Next::Or(length),
            "not" => Next::Not(length),
            _ => return Next::Term,
        };
        let before = self.structural && !matches!(next, Next::Not(_));
        if before || self.structure_at(self.cursor.behind_space(end)) {
            self.note(&format!("「{word}」を演算子として読みました。文字として探すには引用符で囲みます。"));
            return next;
        }
        Next::Term
    }

    /// Whether a field with a value, or a parenthesis, begins here.
    fn structure_at(&self, at: usize) -> bool {
        let at = if matches!(self.cursor.get(at), Some('-' | '!')) { at + 1 } else { at };
        if self.cursor.get(at) == Some('(') {
            return true;
        }
        let end = self.cursor.word_end(at);
        self.operator_in(at, end).is_some_and(|sign| self.target(at, sign).is_some())
    }

    fn or(&mut self, group: Group<'_>) -> Query {
        let mut alternatives = Vec::new();
        loop {
            let from = self.cursor.at;
            match self.and(group) {
                Some(query) => alternatives.push(query),
                None => self.operand_missing(from, alternatives.is_empty()),
            }
            match self.next(group) {
                Next::Or(length) => self.operator(length, group),
                Next::Comma => self.operator(1, group),
                _ => break,
            }
        }
        if alternatives.len() > 1 && self.depth == 0 && group.is_none() {
            self.conditions.clear();
        }
        disjunction(alternatives)
    }

    /// Reads one of several conditions, and keeps it as typed where it stands outermost.
    fn condition(&mut self, group: Group<'_>) -> Query {
        let from = self.cursor.at;
        let query = self.unary(group);
        if self.depth == 0 && group.is_none() {
            let typed: String = self.text.chars().skip(from).take(self.cursor.at - from).collect();
            self.conditions.push(Condition { typed: typed.trim().to_owned(), query: query.clone() });
        }
        query
    }

    /// Steps over an operator, which must have something behind it.
    fn operator(&mut self, length: usize, group: Group<'_>) {
        let at = self.cursor.at;
        self.cursor.at += length;
        if matches!(self.next(group), Next::End | Next::Close | Next::Or(_) | Next::And(_) | Next::Comma | Next::Pipe) {
            let sign = self.cursor.slice(at, at + length);
            let fixed = self.without(at, at + length);
            let message = format!("「{sign}」の後に条件がありません。");
            self.fail(
                QueryError::new(ErrorCode::DanglingOp, (at, at + length), message).fix(format!("{sign} を消す"), fixed),
            );
        }
    }

    /// Nothing stood where a condition should: an operator at the start is named, the rest was named before.
    fn operand_missing(&mut self, from: usize, first: bool) {
        if !first || !self.errors.is_empty() {
            return;
        }
        let at = self.cursor.behind_space(from);
        let (Next::Or(length) | Next::And(length)) = self.next(None) else { return };
        self.leading(at, length);
    }

    fn leading(&mut self, at: usize, length: usize) {
        let sign = self.cursor.slice(at, at + length);
        let fixed = self.without(at, at + length);
        let message = format!("「{sign}」の前に条件がありません。");
        self.fail(
            QueryError::new(ErrorCode::LeadingOp, (at, at + length), message).fix(format!("{sign} を消す"), fixed),
        );
    }

    fn and(&mut self, group: Group<'_>) -> Option<Query> {
        let mut queries = Vec::new();
        loop {
            match self.next(group) {
                Next::End | Next::Close | Next::Or(_) | Next::Comma => break,
                Next::And(length) => {
                    if queries.is_empty() {
                        self.leading(self.cursor.at, length);
                    }
                    self.operator(length, group);
                }
                Next::Pipe => self.pipe(),
                Next::Not(_) | Next::Term => queries.push(self.condition(group)),
            }
        }
        (!queries.is_empty()).then(|| conjunction(queries))
    }

    fn pipe(&mut self) {
        let at = self.cursor.at;
        let end = self.cursor.len();
        let kept = self.without(at, end);
        let message =
            "「|」で続ける集計の書き方はありません。画面の「集計」ボタンか、コマンドの --by 項目 を使ってください。";
        self.fail(QueryError::new(ErrorCode::Pipe, (at, end), message).fix("| から後を消す", kept));
        self.cursor.at = end;
    }

    fn unary(&mut self, group: Group<'_>) -> Query {
        let Next::Not(length) = self.next(group) else { return self.primary(group) };
        let at = self.cursor.at;
        self.cursor.at += length;
        if self.depth >= DEPTH_MAX {
            return self.too_deep(at);
        }
        match self.next(group) {
            Next::Not(_) | Next::Term => {
                self.depth += 1;
                let query = self.unary(group).negate();
                self.depth -= 1;
                query
            }
            _ => {
                let sign = self.cursor.slice(at, at + length);
                let fixed = self.without(at, at + length);
                let message = format!("「{sign}」の後に条件がありません。");
                let error = QueryError::new(ErrorCode::DanglingOp, (at, at + length), message);
                self.fail(error.fix(format!("{sign} を消す"), fixed));
                Query::Nothing
            }
        }
    }

    /// Reports too much nesting or too many terms, and reads no further.
    fn too_deep(&mut self, at: usize) -> Query {
        let message = format!("括弧や除外の重なり（{DEPTH_MAX}段まで）か条件の数（{TERMS_MAX}個まで）が多すぎます。");
        self.fail(QueryError::new(ErrorCode::TooDeep, (at, at + 1), message));
        self.cursor.at = self.cursor.len();
        Query::Nothing
    }

    fn primary(&mut self, group: Group<'_>) -> Query {
        let at = self.cursor.at;
        self.terms += 1;
        if self.depth >= DEPTH_MAX || self.terms > TERMS_MAX {
            return self.too_deep(at);
        }
        self.structural = false;
        match self.cursor.peek() {
            Some('(') => self.parenthesis(group),
            Some('"') => {
                let (text, span) = self.quoted();
                match group {
                    Some((target, op)) => self.value(target, *op, &Typed { text, quoted: true, span, to: None }),
                    None if self.cursor.peek() == Some('*') => {
                        self.cursor.at += 1;
                        values::phrase_prefix(&text)
                    }
                    None => values::text(&text, true),
                }
            }
            _ => match group {
                Some((target, op)) => self.group_word(target, *op),
                None => self.term(),
            },
        }
    }

    fn parenthesis(&mut self, group: Group<'_>) -> Query {
        let open = self.cursor.at;
        self.cursor.at += 1;
        if self.next(group) == Next::Close {
            self.cursor.at += 1;
            let fixed = self.without(open, self.cursor.at);
            let error = QueryError::new(ErrorCode::EmptyGroup, (open, self.cursor.at), "括弧の中に条件がありません。");
            self.fail(error.fix("空の括弧を消す", fixed));
            return Query::Nothing;
        }
        self.depth += 1;
        let query = self.or(group);
        self.depth -= 1;
        if self.next(group) == Next::Close {
            self.cursor.at += 1;
        } else if self.errors.is_empty() {
            let fixed = format!("{})", self.text);
            let error =
                QueryError::new(ErrorCode::UnclosedParen, (open, open + 1), "「(」に対応する「)」がありません。");
            self.fail(error.fix("末尾に ) を付ける", fixed));
        }
        self.structural = true;
        query
    }

    /// The text between quotes, where two quotes stand for one; an open quote runs to the end and is an error.
    fn quoted(&mut self) -> (String, (usize, usize)) {
        let open = self.cursor.at;
        let mut text = String::new();
        let mut at = open + 1;
        while let Some(char) = self.cursor.get(at) {
            let doubled = char == '"' && self.cursor.get(at + 1) == Some('"');
            if char == '"' && !doubled {
                self.cursor.at = at + 1;
                return (text, (open, at + 1));
            }
            text.extend(self.cursor.typed(at));
            at += if doubled { 2 } else { 1 };
        }
        let fixed = format!("{}\"", self.text);
        let error = QueryError::new(ErrorCode::UnclosedQuote, (open, open + 1), "引用符「\"」が閉じていません。");
        self.fail(error.fix("末尾に \" を付ける", fixed));
        self.cursor.at = at;
        (text, (open, at))
    }

    fn group_word(&mut self, target: &Target, op: Op) -> Query {
        let from = self.cursor.at;
        let word_end = self.cursor.word_end(from).max(from + 1);
        let comma = (from..word_end).find(|&at| matches!(self.cursor.get(at), Some(',' | '、')));
        let end = comma.unwrap_or(word_end);
        self.cursor.at = end;
        let typed = Typed { text: self.cursor.slice(from, end), quoted: false, span: (from, end), to: None };
        self.value(target, op, &ranged(typed))
    }

    /// A bare word, or a field and its value.
    fn term(&mut self) -> Query {
        let from = self.cursor.at;
        let end = self.cursor.word_end(from).max(from + 1);
        let word = self.cursor.slice(from, end);
        if let Some(network) = values::network(&account::fold(&word)).filter(|_| is_address(&word)) {
            self.cursor.at = end;
            return Query::Field(QueryField::AnyIp, Test::Network(network));
        }
        let sign = self.operator_in(from, end).or_else(|| self.operator_behind(from, end));
        if let Some(sign) = sign {
            if let Some(target) = self.target(from, sign) {
                self.cursor.at = sign;
                return self.field(&target, from);
            }
            if sign < end && self.looks_like_field(from, sign, end) {
                self.unknown_field(from, sign, end);
                self.cursor.at = end;
                return Query::Nothing;
            }
        }
        self.cursor.at = end;
        if word == "*" { Query::All } else { values::text(&word, false) }
    }

    /// Where in a word its first operator sign stands, behind at least one character.
    fn operator_in(&self, from: usize, end: usize) -> Option<usize> {
        (from + 1..end).find(|&at| match self.cursor.get(at) {
            Some(':' | '=' | '<' | '>') => true,
            Some('!') => self.cursor.get(at + 1) == Some('='),
            _ => false,
        })
    }

    /// `bytes >= 1000`: the operator stands alone behind a known field.
    fn operator_behind(&self, from: usize, end: usize) -> Option<usize> {
        let at = self.cursor.behind_space(end);
        let sign = self.cursor.get(at)?;
        let alone = matches!(sign, ':' | '=' | '<' | '>') || (sign == '!' && self.cursor.get(at + 1) == Some('='));
        (at > end && alone && self.target(from, end).is_some()).then_some(at)
    }

    fn target(&self, from: usize, sign: usize) -> Option<Target> {
        let written = self.cursor.slice(from, sign);
        let name = written.trim_end();
        fields::resolve(&account::fold(name), name)
    }

    /// Whether an unknown `xx:` is meant as a field. Times, addresses of pages, `sshd[123]:`, paths and a colon at
    /// the end of a word are pasted text.
    fn looks_like_field(&self, from: usize, sign: usize, end: usize) -> bool {
        let name = account::fold(&self.cursor.slice(from, sign));
        let rest = self.cursor.slice(sign + 1, end);
        let wordlike = name.chars().all(|char| char.is_alphanumeric() || matches!(char, '_' | '.' | '-'));
        let numeric = name.chars().all(|char| char.is_ascii_digit() || matches!(char, '.' | '-'));
        let pasted = rest.starts_with(['/', '\\']) || rest.matches(':').count() >= 2 || rest.contains('|');
        let quote_follows = matches!(self.cursor.get(end), Some('"' | '('));
        wordlike && !numeric && !pasted && (!rest.is_empty() || quote_follows)
    }

    fn unknown_field(&mut self, from: usize, sign: usize, end: usize) {
        let name = self.cursor.slice(from, sign);
        let word = self.cursor.slice(from, end);
        let mut error =
            QueryError::new(ErrorCode::UnknownField, (from, sign), format!("「{name}」という項目はありません。"));
        if let Some(near) = fields::nearest(&account::fold(&name)) {
            error = error.fix(format!("{near} のことですか？"), self.with(from, sign, near));
        }
        error = error.fix(format!("文字 \"{word}\" として探す"), self.with(from, end, &format!("\"{word}\"")));
        error = error.fix("機器の項目として探す", self.with(from, sign, &format!("native.{name}")));
        self.fail(error);
    }

    /// The cursor stands at the operator.
    fn field(&mut self, target: &Target, from: usize) -> Query {
        let op = self.sign();
        self.structural = true;
        let at = self.cursor.behind_space(self.cursor.at);
        let near = at == self.cursor.at;
        match self.cursor.get(at) {
            Some('(') => {
                self.cursor.at = at;
                self.parenthesis(Some(&(target.clone(), op)))
            }
            Some('"') => {
                self.cursor.at = at;
                let (text, span) = self.quoted();
                self.structural = true;
                self.value(target, op, &Typed { text, quoted: true, span, to: None })
            }
            Some('[' | '{') if let Some(typed) = self.bracket(at) => self.value(target, op, &typed),
            Some(char) if char != ')' && (near || self.plain_word_at(at)) => {
                self.cursor.at = at;
                let end = self.cursor.word_end(at).max(at + 1);
                self.cursor.at = end;
                let typed = Typed { text: self.cursor.slice(at, end), quoted: false, span: (at, end), to: None };
                self.value(target, op, &ranged(typed))
            }
            _ => {
                let span = (from, self.cursor.at);
                let name = self.cursor.slice(from, self.cursor.at);
                let any = self.with(from, self.cursor.at, &format!("{name}*"));
                let error = QueryError::new(ErrorCode::MissingValue, span, format!("「{name}」の後に値がありません。"));
                let removed = self.without(span.0, span.1);
                self.fail(error.fix("値があるものを探す", any).fix("この条件を消す", removed));
                Query::Nothing
            }
        }
    }

    /// Behind a space a value may follow, but not an operator or the next field.
    fn plain_word_at(&mut self, at: usize) -> bool {
        let back = std::mem::replace(&mut self.cursor.at, at);
        let structural = std::mem::replace(&mut self.structural, true);
        let plain = self.next(None) == Next::Term && !self.structure_at(at);
        self.cursor.at = back;
        self.structural = structural;
        plain
    }

    /// Reads `:`, `=`, `!=`, `:>=`, `:=` and the like, with spaces around.
    fn sign(&mut self) -> Op {
        let mut op = Op::Is;
        if self.cursor.peek() == Some(':') {
            self.cursor.at += 1;
            let behind = self.cursor.behind_space(self.cursor.at);
            let compares = matches!(self.cursor.get(behind), Some('<' | '>'));
            if self.cursor.peek() == Some('=') {
                self.cursor.at += 1;
                return Op::Exactly;
            }
            if !compares {
                return op;
            }
            self.cursor.at = behind;
        }
        for (sign, meaning) in [
            ("!=", Op::Not),
            (">=", Op::AtLeast),
            ("<=", Op::AtMost),
            ("==", Op::Is),
            ("=", Op::Is),
            (">", Op::Above),
            ("<", Op::Below),
        ] {
            if self.cursor.starts_with(self.cursor.at, sign) {
                self.cursor.at += sign.len();
                op = meaning;
                break;
            }
        }
        op
    }

    /// `[1 TO 9]`, `[1 TO 9}`: half-open where a brace stands. `None`, and nothing read, where it is something else.
    fn bracket(&mut self, at: usize) -> Option<Typed> {
        let close = (at..self.cursor.len()).find(|&at| matches!(self.cursor.get(at), Some(']' | '}')))?;
        let inner = self.cursor.slice(at + 1, close);
        let (from, to) = inner.split_once(" TO ").or_else(|| inner.split_once(" to "))?;
        let included = self.cursor.get(close) == Some(']');
        self.cursor.at = close + 1;
        Some(Typed {
            text: from.trim().to_owned(),
            quoted: false,
            span: (at, close + 1),
            to: Some((to.trim().to_owned(), included)),
        })
    }

    fn value(&mut self, target: &Target, op: Op, typed: &Typed) -> Query {
        match values::build(target, op, typed, self.now) {
            Ok(query) => query,
            Err(error) => {
                self.fail(error);
                Query::Nothing
            }
        }
    }
}

/// `1..9`.
fn ranged(mut typed: Typed) -> Typed {
    if let Some((from, to)) = typed.text.split_once("..").filter(|(from, to)| !from.is_empty() && !to.is_empty()) {
        typed.to = Some((to.to_owned(), true));
        typed.text = from.to_owned();
    }
    typed
}

/// Text that can only be an address: a whole one, a network, or three numbers and a dot.
fn is_address(word: &str) -> bool {
    let dots = word.matches('.').count();
    word.matches(':').count() >= 2 || dots >= 3 || (dots == 2 && word.ends_with(['.', '*']))
}
