//! What the bytes of a record must hold for its events to be worth a look. A scan of the journal asks this of every
//! record before it parses one; the answer may be yes too often, never no too often.

use aho_corasick::AhoCorasick;
use encoding_rs::{EUC_JP, SHIFT_JIS};
use monban_event::query::{Query, QueryField, Test};
use monban_event::{Format, Record, account};

/// All must be there.
#[derive(Clone, Debug, Default)]
pub struct Needles(Vec<AnyOf>);

/// One must be there.
#[derive(Clone, Debug)]
struct AnyOf {
    folded: Vec<String>,
    /// The pieces of ASCII in any case; `None` where there are none.
    ascii: Option<AhoCorasick>,
}

/// Ways to write a character otherwise than as itself, which parsers undo: escapes of JSON and XML, of terminals and
/// ISO-2022-JP, and the hexadecimal arguments of the Linux audit.
const WRITTEN_OTHERWISE: [&[u8]; 4] = [b"\\u", b"&#", b"\x1b", b"audit("];

/// A native value with so many digits is the device's own: a number, an address, the id of something.
const DIGITS_MIN: usize = 3;

impl Needles {
    pub fn of(query: &Query) -> Self {
        let all = clauses(query).into_iter().map(|folded| {
            let ascii: Vec<&String> = folded.iter().filter(|text| text.is_ascii()).collect();
            let build = |pieces| AhoCorasick::builder().ascii_case_insensitive(true).build(pieces);
            // Where no automaton can be made of them, nothing is asked.
            Some(AnyOf { ascii: if ascii.is_empty() { None } else { Some(build(ascii).ok()?) }, folded })
        });
        Self(all.flatten().collect())
    }

    /// Whether the record may hold them.
    pub fn may_be_in(&self, record: &Record) -> bool {
        let bytes = record.bytes.as_slice();
        let is_utf16 = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
        if self.0.is_empty() || record.format == Format::EvtxChunk || is_utf16 || is_written_otherwise(bytes) {
            return true;
        }
        if bytes.is_ascii() {
            return self.0.iter().all(|any| any.ascii.as_ref().is_some_and(|pieces| pieces.is_match(bytes)));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => self.are_in(text),
            // The parser guesses between these two, or is told.
            Err(_) => [SHIFT_JIS, EUC_JP].iter().any(|encoding| {
                let (text, _) = encoding.decode_without_bom_handling(bytes);
                self.are_in(&text)
            }),
        }
    }

    fn are_in(&self, text: &str) -> bool {
        let folded = account::fold(text);
        self.0.iter().all(|any| any.folded.iter().any(|piece| folded.contains(piece.as_str())))
    }
}

fn is_written_otherwise(bytes: &[u8]) -> bool {
    WRITTEN_OTHERWISE.iter().any(|sign| memchr::memmem::find(bytes, sign).is_some())
}

/// Each of the lists has a piece that every match holds.
fn clauses(query: &Query) -> Vec<Vec<String>> {
    match query {
        Query::And(queries) => queries.iter().flat_map(clauses).collect(),
        Query::Or(queries) => {
            // One of each alternative, the longest: it is the rarest.
            let each = queries.iter().map(|query| clauses(query).into_iter().max_by_key(|any| shortest(any)));
            each.collect::<Option<Vec<_>>>().map(|all| vec![all.concat()]).unwrap_or_default()
        }
        Query::Field(QueryField::Raw, test) => literal(test).map(|piece| vec![vec![piece]]).unwrap_or_default(),
        // Parsers have words of their own for some values, so only numbers and what has one are looked for.
        Query::Field(QueryField::Native(_), test) => {
            let piece = literal(test).filter(|piece| piece.chars().filter(char::is_ascii_digit).count() >= DIGITS_MIN);
            piece.map(|piece| vec![vec![piece]]).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn shortest(any: &[String]) -> usize {
    any.iter().map(String::len).min().unwrap_or(0)
}

/// The longest piece of what is looked for that stands in a record as it is: signs may be escaped there, and runs of
/// blanks may be others.
fn literal(test: &Test) -> Option<String> {
    let (Test::Equals(text) | Test::Exactly(text) | Test::Contains(text) | Test::Wildcard(text)) = test else {
        return None;
    };
    let folded = account::fold(text);
    let pieces = folded.split(|char: char| !(char.is_alphanumeric() || matches!(char, '_' | '-' | '.' | ':')));
    pieces.max_by_key(|piece| piece.len()).filter(|piece| !piece.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use monban_event::{Origin, Transport};

    use super::*;
    use crate::query::parse;

    fn may(query: &str, bytes: &[u8]) -> bool {
        let record = Record {
            received_at: DateTime::UNIX_EPOCH,
            origin: Origin::Live,
            transport: Transport::Udp,
            peer: None,
            identity: None,
            format: Format::Syslog,
            file: None,
            bytes: bytes.to_vec(),
            cut: false,
        };
        Needles::of(&parse(query, DateTime::UNIX_EPOCH).unwrap()).may_be_in(&record)
    }

    #[test]
    fn a_record_is_looked_at_where_it_may_match() {
        let (sjis, _, _) = SHIFT_JIS.encode("user=山田 ログオン失敗");
        let (euc, _, _) = EUC_JP.encode("user=山田 ログオン失敗");
        for (query, bytes, expected) in [
            ("raw:\"Failed password\"", &b"sshd: FAILED PASSWORD for root"[..], true),
            ("raw:\"Failed password\"", b"sshd: Accepted for root", false),
            ("raw:ログオン", b"sshd: Accepted for root", false),
            ("raw:ログオン", "ﾛｸﾞｵﾝ失敗".as_bytes(), true),
            ("raw:ログオン", "ログオフ".as_bytes(), false),
            ("raw:root", "ｒｏｏｔ".as_bytes(), true),
            ("raw:ログオン", &sjis, true),
            ("raw:ログオン", &euc, true),
            ("raw:ログオフ", &sjis, false),
            ("raw:ログオン", b"{\"a\":\"\\u30ed\"}", true),
            ("tunnelid:1234", b"tunnelid=1234", true),
            ("tunnelid:1234", b"tunnelid=99", false),
            ("tunnelid:(1234, 99)", b"tunnelid=99", true),
            ("tunnelid:1234 raw:x", b"tunnelid=1234", false),
            ("-tunnelid:1234", b"tunnelid=99", true),
            ("user:tanaka", b"anything", true),
            ("raw:a OR user:tanaka", b"nothing else", true),
        ] {
            assert_eq!(may(query, bytes), expected, "{query} {}", String::from_utf8_lossy(bytes));
        }
    }
}
