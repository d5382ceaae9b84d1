//! Exceptions: what the hospital has declared to be in order for a time. Owns what an exception covers. A finding it
//! covers is made and listed as ever; it only needs no person. And declared disasters, in which people work at hours
//! that would else be asked about.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::account::fold;
use crate::finding::SOURCES_MAX;
use crate::id::RuleId;

/// Longest time an exception is granted for: whoever renews it looks at it once a year.
pub const EXCEPTION_MONTHS_MAX: u32 = 12;
/// So many days before its end an exception is told to be about to expire: the month's report still comes in between.
pub const EXPIRY_NOTICE: TimeDelta = TimeDelta::days(30);
/// Days of findings that a preview looks back over: a quarter, which holds a month's end and a change of shifts.
pub const PREVIEW: TimeDelta = TimeDelta::days(90);
/// A disaster nobody ended is over after this: who still works by night then declares it anew, with a reason.
pub const DISASTER_MAX: TimeDelta = TimeDelta::days(31);

/// What an exception is about. Subject and object are the text itself, a text with `*` for any characters, or a network
/// (`203.0.113.0/29`) in which the address lies. An empty object is any. `network` is where all of it must have come
/// from; empty is anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    #[serde(rename = "rule.id", alias = "rule")]
    pub rule: RuleId,
    pub subject: String,
    #[serde(default)]
    pub object: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub network: String,
}

impl Scope {
    /// Whether it covers a finding of that rule about that, all of whose source addresses are `sources`.
    pub fn covers(&self, rule: &RuleId, subject: &str, object: &str, sources: &[IpAddr]) -> bool {
        self.rule == *rule
            && fits(&self.subject, subject)
            && (self.object.is_empty() || fits(&self.object, object))
            && self.holds(sources)
    }

    /// What names no address may come from anywhere, and of what names too many not all are known.
    fn holds(&self, sources: &[IpAddr]) -> bool {
        let Some(network) = network(&self.network) else { return self.network.is_empty() };
        (1..SOURCES_MAX).contains(&sources.len())
            && sources.iter().all(|source| network.contains(&source.to_canonical()))
    }

    /// Whether the network is one, or none is given.
    pub fn names_a_network(&self) -> bool {
        self.network.is_empty() || network(&self.network).is_some()
    }

    /// A subject of nothing but `*` would be the whole rule.
    pub fn names_somebody(&self) -> bool {
        self.subject.chars().any(|letter| letter != '*' && !letter.is_whitespace())
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn fits(pattern: &str, text: &str) -> bool {
    match pattern.parse::<IpNet>() {
        Ok(network) => text.parse::<IpAddr>().is_ok_and(|address| network.contains(&address.to_canonical())),
        Err(_) => matches(&fold(pattern), &fold(text)),
    }
}

/// Pieces between `*` in their order, the first at the beginning and the last at the end.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let Some((middle, end)) = tail.rsplit_once('*') else { return rest.ends_with(tail) };
    let Some(before_end) = rest.strip_suffix(end) else { return false };
    rest = before_end;
    for piece in middle.split('*').filter(|piece| !piece.is_empty()) {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    true
}

/// A time in which the hospital worked through a disaster or a breakdown, as somebody declared it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disaster {
    pub id: String,
    pub reason: String,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

impl Disaster {
    /// A disaster without an end lasts as long as one may.
    pub fn new(id: &str, reason: &str, from: DateTime<Utc>, until: Option<DateTime<Utc>>) -> Self {
        let longest = from.checked_add_signed(DISASTER_MAX).unwrap_or(from);
        let until = until.map_or(longest, |until| until.min(longest));
        Self { id: id.to_owned(), reason: reason.to_owned(), from, until }
    }

    pub fn contains(&self, time: DateTime<Utc>) -> bool {
        self.from <= time && time < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(subject: &str, object: &str, network: &str) -> Scope {
        let text = |text: &str| text.to_owned();
        Scope { rule: RuleId::new("VP-09"), subject: text(subject), object: text(object), network: text(network) }
    }

    fn covers(subject: &str, object: &str, found: (&str, &str)) -> bool {
        scope(subject, object, "").covers(&RuleId::new("VP-09"), found.0, found.1, &[])
    }

    #[test]
    fn a_scope_is_a_text_a_pattern_or_a_network() {
        assert!(covers("tanaka", "", ("tanaka", "FGT")));
        assert!(covers("ＴＡＮＡＫＡ", "", ("tanaka", "")));
        assert!(!covers("tanaka", "", ("tanaka2", "")));
        assert!(!covers("tanaka", "DC01", ("tanaka", "DC02")));
        assert!(covers("medsys-*", "DC0*", ("medsys-mnt1", "DC02")));
        assert!(covers("*ab*cd*", "", ("xxabxxcd", "")) && covers("a*b*c", "", ("abbc", "")));
        assert!(!covers("a*a", "", ("a", "")) && !covers("a*b*b", "", ("ab", "")));
        assert!(covers("203.0.113.0/29", "", ("203.0.113.7", "")));
        assert!(!covers("203.0.113.0/29", "", ("203.0.113.8", "")) && !covers("203.0.113.0/29", "", ("tanaka", "")));
        assert!(!scope("a", "", "").covers(&RuleId::new("VP-08"), "a", "", &[]));
    }

    #[test]
    fn all_of_a_finding_has_to_come_from_the_network() {
        let rule = RuleId::new("VP-09");
        let covers = |network: &str, sources: &[&str]| {
            let sources: Vec<IpAddr> = sources.iter().map(|source| source.parse().expect("an address")).collect();
            scope("a", "", network).covers(&rule, "a", "", &sources)
        };
        assert!(covers("203.0.113.0/29", &["203.0.113.1", "::ffff:203.0.113.2"]) && covers("", &["192.0.2.1"]));
        assert!(covers("203.0.113.1", &["203.0.113.1"]));
        assert!(!covers("203.0.113.0/29", &["203.0.113.1", "192.0.2.1"]) && !covers("203.0.113.0/29", &[]));
        assert!(!covers("somewhere", &["203.0.113.1"]) && !scope("a", "", "somewhere").names_a_network());
        assert!(!covers("203.0.113.0/29", &["203.0.113.1"; SOURCES_MAX]), "there may be others");
    }

    #[test]
    fn a_whole_rule_is_no_scope() {
        for nobody in ["", "*", " * ", "**", "　"] {
            assert!(!scope(nobody, "", "").names_somebody(), "{nobody}");
        }
        assert!(scope("a*", "", "").names_somebody());
    }

    #[test]
    fn a_disaster_ends_by_itself() {
        let from: DateTime<Utc> = "2026-10-25T03:00:00Z".parse().expect("a time");
        let open = Disaster::new("D-1", "停電", from, None);
        assert!(open.contains(from) && open.contains(from + TimeDelta::days(30)));
        assert!(!open.contains(from + TimeDelta::days(31)) && !open.contains(from - TimeDelta::seconds(1)));
        assert_eq!(Disaster::new("D-1", "停電", from, Some(from + TimeDelta::days(400))), open);
    }
}
