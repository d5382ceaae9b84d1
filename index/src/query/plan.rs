//! From the tree to tantivy's queries. What the index cannot answer (native fields, the record's own text, fields
//! without a column) is left out so that the plan matches *at least* what the query does, and the plan says that its
//! matches must be verified on whole events.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::Bound;
use std::sync::Arc;

use ipnet::IpNet;
use monban_event::Field;
use monban_event::query::{Query, QueryField, Test};
use tantivy::postings::TermInfo;
use tantivy::query::doc_predicate_query::{DocPredicateQuery, FunctionPredicate};
use tantivy::query::{
    AllQuery, BitSetDocSet, BooleanQuery, ConstScorer, EmptyQuery, EmptyScorer, EnableScoring, Explanation, Occur,
    PhrasePrefixQuery, PhraseQuery, Query as Search, RangeQuery, Scorer, TermQuery, Weight,
};
use tantivy::schema::{Field as Slot, IndexRecordOption};
use tantivy::{BitSet, DocId, DocSet, Score, SegmentReader, Term};

use super::eval::{ValueTest, holds_account, lower};
use crate::partition::text::Phrase;
use crate::partition::{Column, GROUP_SEPARATOR, column_of, columns, to_ipv6};

/// Most words that the open end of a phrase stands for. A word of text that begins like thousands of others says
/// nothing; the bound keeps their postings out of memory.
const PHRASE_EXPANSIONS_MAX: u32 = 4_096;

/// A search of the index.
pub(crate) struct Plan {
    pub(crate) search: Box<dyn Search>,
    /// The search gives exactly the matches; else it gives more, and each must be verified on its whole event.
    pub(crate) exact: bool,
    /// The search matches every event.
    pub(crate) all: bool,
}

/// Plans a query.
pub(crate) fn plan(query: &Query) -> Plan {
    let mut exact = true;
    let part = part(&lower(query), false, &mut exact);
    let all = exact && matches!(part, Part::All);
    Plan { search: part.into_search(), exact, all }
}

enum Part {
    All,
    Nothing,
    Is(Box<dyn Search>),
    Not(Box<dyn Search>),
}

impl Part {
    fn new(search: impl Search) -> Self {
        Self::Is(Box::new(search))
    }

    fn into_search(self) -> Box<dyn Search> {
        match self {
            Self::All => Box::new(AllQuery),
            Self::Nothing => Box::new(EmptyQuery),
            Self::Is(search) => search,
            Self::Not(search) => {
                Box::new(BooleanQuery::new(vec![(Occur::Must, Box::new(AllQuery)), (Occur::MustNot, search)]))
            }
        }
    }

    fn negate(self) -> Self {
        match self {
            Self::All => Self::Nothing,
            Self::Nothing => Self::All,
            Self::Is(search) => Self::Not(search),
            Self::Not(search) => Self::Is(search),
        }
    }
}

/// At least what `query` (or its negation) matches; clears `exact` where it may be more.
fn part(query: &Query, negated: bool, exact: &mut bool) -> Part {
    match query {
        Query::All => {
            if negated {
                Part::Nothing
            } else {
                Part::All
            }
        }
        Query::Nothing => {
            if negated {
                Part::All
            } else {
                Part::Nothing
            }
        }
        Query::Not(query) => part(query, !negated, exact),
        Query::And(queries) | Query::Or(queries) => {
            let parts = queries.iter().map(|query| part(query, negated, exact)).collect();
            if matches!(query, Query::And(_)) == negated { any(parts) } else { all(parts) }
        }
        Query::Field(field, test) => leaf(field_part(field, test), negated, exact),
        Query::Text(test) => leaf(Some(phrase(&Phrase::new(&test.text, test.prefix))), negated, exact),
    }
}

fn leaf(part: Option<Part>, negated: bool, exact: &mut bool) -> Part {
    match part {
        Some(Part::Is(search)) if negated => Part::Not(Box::new(Excluded(search))),
        Some(part) if negated => part.negate(),
        Some(part) => part,
        None => {
            *exact = false;
            Part::All
        }
    }
}

fn all(parts: Vec<Part>) -> Part {
    let mut clauses: Vec<(Occur, Box<dyn Search>)> = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::All => {}
            Part::Nothing => return Part::Nothing,
            Part::Is(search) => clauses.push((Occur::Must, search)),
            Part::Not(search) => clauses.push((Occur::MustNot, search)),
        }
    }
    if clauses.is_empty() {
        return Part::All;
    }
    if clauses.iter().all(|(occur, _)| *occur == Occur::MustNot) {
        clauses.push((Occur::Must, Box::new(AllQuery)));
    }
    Part::new(BooleanQuery::new(clauses))
}

fn any(parts: Vec<Part>) -> Part {
    let mut clauses: Vec<(Occur, Box<dyn Search>)> = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::All => return Part::All,
            Part::Nothing => {}
            part => clauses.push((Occur::Should, part.into_search())),
        }
    }
    if clauses.is_empty() { Part::Nothing } else { Part::new(BooleanQuery::new(clauses)) }
}

/// `None` where the index does not know.
fn field_part(field: &QueryField, test: &Test) -> Option<Part> {
    match field {
        QueryField::Known(Field::UserRaw) => Some(written_account(test)),
        QueryField::Known(field) => column_part(*field, test),
        QueryField::Word => Some(word(&ValueTest::new(None, test))),
        // Only the record knows the first two; the others were replaced by the fields they stand for.
        QueryField::Native(_) | QueryField::Raw | QueryField::AnyUser | QueryField::AnyIp | QueryField::Device => None,
    }
}

fn column_part(field: Field, test: &Test) -> Option<Part> {
    let column = column_of(field)?;
    let ready = ValueTest::new(Some(field), test);
    Some(match column {
        Column::Time => time(ready),
        Column::Grouped { index, slot, .. } => grouped(slot, index, ready),
        Column::Text(slot) => text(field, slot, ready),
        Column::Address(slot) => address(slot, ready),
        Column::Number(slot) => number(slot, ready),
    })
}

fn time(test: ValueTest) -> Part {
    let slot = columns().time;
    if let ValueTest::Time(range) = &test {
        // Columns keep microseconds: a bound between two of them lies before the later one.
        let micros = |time: chrono::DateTime<chrono::Utc>| {
            time.timestamp_micros() + i64::from(!time.timestamp_subsec_nanos().is_multiple_of(1_000))
        };
        let from = range.from.map_or(Bound::Unbounded, |time| Bound::Included(micros(time)));
        let to = range.to.map_or(Bound::Unbounded, |time| Bound::Excluded(micros(time)));
        if from == Bound::Unbounded && to == Bound::Unbounded {
            return Part::All;
        }
        let term = |micros| Term::from_field_i64(slot, micros);
        return Part::new(RangeQuery::new(from.map(term), to.map(term)));
    }
    predicate(move |reader: &SegmentReader| {
        let column = reader.fast_fields().i64("time")?;
        let test = test.clone();
        Ok(move |doc: DocId| {
            column.first(doc).and_then(chrono::DateTime::from_timestamp_micros).is_some_and(|time| test.time(time))
        })
    })
}

fn number(slot: Slot, test: ValueTest) -> Part {
    let bounds = match test {
        ValueTest::Number { from, to } if from > to => return Part::Nothing,
        ValueTest::Number { from, to } => (from, to),
        ValueTest::Exists => (i64::MIN, i64::MAX),
        other => return number_as_text(slot, other),
    };
    let term = |number| Bound::Included(Term::from_field_i64(slot, number));
    Part::new(RangeQuery::new(term(bounds.0), term(bounds.1)))
}

fn number_as_text(slot: Slot, test: ValueTest) -> Part {
    predicate(move |reader: &SegmentReader| {
        let name = columns().schema.get_field_name(slot);
        let column = reader.fast_fields().column_opt::<i64>(name)?;
        let test = test.clone();
        Ok(move |doc: DocId| {
            column.as_ref().and_then(|column| column.first(doc)).is_some_and(|number| test.number(number))
        })
    })
}

fn predicate<F, P>(factory: F) -> Part
where
    F: Fn(&SegmentReader) -> tantivy::Result<P> + Send + Sync + 'static,
    P: Fn(DocId) -> bool + Send + Sync + 'static,
{
    Part::new(DocPredicateQuery::from(FunctionPredicate::from(factory)))
}

fn grouped(slot: Slot, index: usize, test: ValueTest) -> Part {
    terms(slot, Terms::All, move |term| {
        let value = std::str::from_utf8(term).ok().and_then(|text| text.split(GROUP_SEPARATOR).nth(index));
        value.is_some_and(|value| !value.is_empty() && test.text(value))
    })
}

fn text(field: Field, slot: Slot, test: ValueTest) -> Part {
    match &test {
        ValueTest::Account(key) | ValueTest::Exactly(key) => return term(Term::from_field_text(slot, key)),
        ValueTest::Wildcard(glob) if holds_account(field) => {
            let from = Terms::Prefix(glob.literal_prefix().into_bytes());
            return terms(slot, from, move |term| as_text(term).is_some_and(|text| test.text(text)));
        }
        _ => {}
    }
    terms(slot, Terms::All, move |term| as_text(term).is_some_and(|text| test.text(text)))
}

/// The column holds the written form only where it is not the key itself.
fn written_account(test: &Test) -> Part {
    let slot = |field| match column_of(field) {
        Some(Column::Text(slot)) => slot,
        _ => columns().text,
    };
    let (raw, name) = (slot(Field::UserRaw), slot(Field::UserName));
    let ready = ValueTest::new(None, test);
    let same = all(vec![text(Field::UserRaw, name, ready.clone()), exists(raw).negate()]);
    any(vec![text(Field::UserRaw, raw, ready), same])
}

fn exists(slot: Slot) -> Part {
    terms(slot, Terms::All, |_| true)
}

fn address(slot: Slot, test: ValueTest) -> Part {
    let range = match &test {
        ValueTest::Network(network) if network.prefix_len() == network.max_prefix_len() => {
            return term(Term::from_field_ip_addr(slot, to_ipv6(network.addr())));
        }
        ValueTest::Network(IpNet::V4(network)) => {
            bounds(network.network().to_ipv6_mapped(), network.broadcast().to_ipv6_mapped())
        }
        ValueTest::Network(IpNet::V6(network)) => bounds(network.network(), network.broadcast()),
        _ => Terms::All,
    };
    terms(slot, range, move |term| as_ip(term).is_some_and(|ip| test.ip(ip)))
}

fn bounds(from: Ipv6Addr, to: Ipv6Addr) -> Terms {
    Terms::Between(from.octets().to_vec(), to.octets().to_vec())
}

fn as_text(term: &[u8]) -> Option<&str> {
    std::str::from_utf8(term).ok()
}

fn as_ip(term: &[u8]) -> Option<IpAddr> {
    let octets: [u8; 16] = term.try_into().ok()?;
    Some(IpAddr::V6(Ipv6Addr::from(octets)))
}

fn word(test: &ValueTest) -> Part {
    let slot = columns().text;
    let range = match test {
        ValueTest::Wildcard(glob) => Terms::Prefix(glob.literal_prefix().into_bytes()),
        _ => Terms::All,
    };
    let test = test.clone();
    terms(slot, range, move |term| as_text(term).is_some_and(|text| test.text(text)))
}

fn term(term: Term) -> Part {
    Part::new(TermQuery::new(term, IndexRecordOption::Basic))
}

fn phrase(phrase: &Phrase) -> Part {
    let slot = columns().text;
    let mut words: Vec<(usize, Term)> =
        phrase.words.iter().map(|(distance, word)| (*distance, Term::from_field_text(slot, word))).collect();
    match (words.len(), phrase.open_end) {
        (0, _) => Part::All,
        (1, false) => words.pop().map_or(Part::All, |(_, only)| term(only)),
        (1, true) => {
            let start = phrase.words.first().map(|(_, word)| word.clone().into_bytes()).unwrap_or_default();
            terms(slot, Terms::Prefix(start), |_| true)
        }
        (_, false) => Part::new(PhraseQuery::new_with_offset(words)),
        (_, true) => {
            let mut query = PhrasePrefixQuery::new_with_offset(words);
            query.set_max_expansions(PHRASE_EXPANSIONS_MAX);
            Part::new(query)
        }
    }
}

/// A search that is excluded. Tantivy 0.27 asks an excluded phrase for documents before the one it stands at, which
/// its fast path for phrases (`seek_danger`) does not allow; this keeps to the plain path.
#[derive(Debug)]
struct Excluded(Box<dyn Search>);

impl Clone for Excluded {
    fn clone(&self) -> Self {
        Self(self.0.box_clone())
    }
}

impl Search for Excluded {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(ExcludedWeight(self.0.weight(scoring)?)))
    }
}

struct ExcludedWeight(Box<dyn Weight>);

impl Weight for ExcludedWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(Box::new(ConstScorer::new(PlainPath(self.0.scorer(reader, boost)?), boost)))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        self.0.explain(reader, doc)
    }
}

struct PlainPath(Box<dyn Scorer>);

impl DocSet for PlainPath {
    fn advance(&mut self) -> DocId {
        self.0.advance()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.0.seek(target)
    }

    fn doc(&self) -> DocId {
        self.0.doc()
    }

    fn size_hint(&self) -> u32 {
        self.0.size_hint()
    }
}

/// Which part of a dictionary to look at.
#[derive(Clone, Debug)]
enum Terms {
    All,
    Prefix(Vec<u8>),
    /// Both included.
    Between(Vec<u8>, Vec<u8>),
}

type TermTest = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// The documents whose value in `slot`, one a document or a set of words, passes a test.
#[derive(Clone)]
struct TermsWhere {
    slot: Slot,
    range: Terms,
    test: TermTest,
}

fn terms(slot: Slot, range: Terms, test: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Part {
    Part::new(TermsWhere { slot, range, test: Arc::new(test) })
}

impl std::fmt::Debug for TermsWhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TermsWhere").field("slot", &self.slot).field("range", &self.range).finish_non_exhaustive()
    }
}

impl Search for TermsWhere {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl TermsWhere {
    fn passing(&self, reader: &SegmentReader) -> tantivy::Result<Vec<TermInfo>> {
        let index = reader.inverted_index(self.slot)?;
        let range = index.terms().range();
        let mut stream = match &self.range {
            Terms::All => range,
            Terms::Prefix(prefix) => match prefix_end(prefix) {
                Some(end) => range.ge(prefix).lt(end),
                None => range.ge(prefix),
            },
            Terms::Between(from, to) => range.ge(from).le(to),
        }
        .into_stream()?;
        let mut passing = Vec::new();
        while stream.advance() {
            if (self.test)(stream.key()) {
                passing.push(stream.value().clone());
            }
        }
        Ok(passing)
    }

    fn union(&self, reader: &SegmentReader, terms: &[TermInfo]) -> tantivy::Result<BitSet> {
        let index = reader.inverted_index(self.slot)?;
        let mut documents = BitSet::with_max_value(reader.max_doc());
        for term in terms {
            let mut postings = index.read_block_postings_from_terminfo(term, IndexRecordOption::Basic)?;
            while !postings.docs().is_empty() {
                for &document in postings.docs() {
                    documents.insert(document);
                }
                postings.advance();
            }
        }
        Ok(documents)
    }
}

impl Weight for TermsWhere {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let terms = self.passing(reader)?;
        match terms.as_slice() {
            [] => Ok(Box::new(EmptyScorer)),
            [term] => {
                let index = reader.inverted_index(self.slot)?;
                let postings = index.read_postings_from_terminfo(term, IndexRecordOption::Basic)?;
                Ok(Box::new(ConstScorer::new(postings, boost)))
            }
            terms => Ok(Box::new(ConstScorer::new(BitSetDocSet::from(self.union(reader, terms)?), boost))),
        }
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        let mut scorer = self.scorer(reader, 1.0)?;
        if scorer.doc() <= doc && scorer.seek(doc) == doc {
            return Ok(Explanation::new("TermsWhere", 1.0));
        }
        Err(tantivy::TantivyError::InvalidArgument(format!("document {doc} does not match")))
    }

    fn count(&self, reader: &SegmentReader) -> tantivy::Result<u32> {
        let terms = self.passing(reader)?;
        if self.slot != columns().text {
            // One value a document, so the postings are disjoint.
            return Ok(terms.iter().map(|term| term.doc_freq).sum());
        }
        Ok(u32::try_from(self.union(reader, &terms)?.len()).unwrap_or(u32::MAX))
    }
}

/// The first key behind all that begin with `prefix`; `None` where there is none.
fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}
