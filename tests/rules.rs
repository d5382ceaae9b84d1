//! Every rule of the hospital on its own samples, through the real parsers: what `<id>.match.jsonl` holds is found by
//! that rule, what `<id>.nomatch.jsonl` holds is not. The form of a sample is told in `rules/README.md`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use monban_detect::enrich;
use monban_detect::{Context, ContextTexts, Detector, RuleSet};
use monban_event::{Finding, Format, Origin, RecordId, RecordParser, SimulatedClock, Transport};
use monban_ingest::syslog::RecordMaker;
use monban_ingest::{Parsers, TextSettings};
use serde::Deserialize;
use serde_json::Value;

/// A line of a sample.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    received_at: DateTime<Utc>,
    peer: Option<String>,
    raw: Option<String>,
    evtx_json: Option<Value>,
    #[serde(default)]
    tick: bool,
    context: Option<ContextGiven>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextGiven {
    roster: Option<String>,
    allow: Option<String>,
    vendors: Option<String>,
    calendar: Option<String>,
}

/// Who sends where a sample does not say.
const PEER: &str = "192.0.2.200:514";

fn rules_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/hospital")
}

fn rule_files() -> BTreeSet<String> {
    let paths = fs::read_dir(rules_folder()).unwrap().map(|entry| entry.unwrap().path());
    let rules = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yml"));
    rules.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

fn sample(id: &str, kind: &str) -> Vec<Line> {
    let path = rules_folder().join(format!("{id}.{kind}.jsonl"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let line = |(number, line): (usize, &str)| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{}:{}: {error}", path.display(), number + 1))
    };
    text.lines().enumerate().map(line).collect()
}

/// The path of a record from its receipt to the findings, as the program takes it.
struct Way {
    clock: SimulatedClock,
    maker: RecordMaker,
    parsers: Parsers,
    detector: Detector,
    next: RecordId,
}

impl Way {
    fn new() -> Self {
        let clock = SimulatedClock::at(DateTime::UNIX_EPOCH);
        Self {
            maker: RecordMaker { clock: Arc::new(clock.clone()), origin: Origin::Live },
            clock,
            parsers: Parsers { settings: TextSettings::in_zone(chrono_tz::Asia::Tokyo) },
            detector: Detector::new(Arc::new(RuleSet::hospital()), Arc::new(Context::default())),
            next: RecordId(1),
        }
    }

    fn take(&mut self, line: &Line) {
        self.clock.set(line.received_at);
        if let Some(given) = &line.context {
            self.set_context(given);
        }
        if line.tick {
            self.detector.tick(line.received_at);
        }
        let peer = line.peer.as_deref().unwrap_or(PEER).parse().unwrap();
        let json = line.evtx_json.as_ref().map(|json| json.to_string().into_bytes());
        let json = json.map(|bytes| self.maker.whole(Some(peer), Transport::Http, Format::Json, bytes));
        let raw = line.raw.as_ref().and_then(|raw| self.maker.datagram(peer, raw.as_bytes()));
        for record in json.into_iter().chain(raw) {
            let mut events = Vec::new();
            self.parsers.parse(self.next, &record, &mut events);
            self.next = self.next.next();
            for mut event in events {
                enrich(self.detector.context(), &mut event);
                let others = self.detector.expand(&mut event);
                for mut event in std::iter::once(event).chain(others) {
                    self.detector.observe(&mut event, &mut Vec::new());
                }
            }
        }
    }

    fn set_context(&mut self, given: &ContextGiven) {
        let bytes = |text: &Option<String>| text.as_ref().map(|text| text.clone().into_bytes());
        let texts = ContextTexts {
            roster: bytes(&given.roster),
            allow: bytes(&given.allow),
            vendors: bytes(&given.vendors),
            calendar: bytes(&given.calendar),
        };
        let (context, complaints) = Context::read(&texts);
        assert!(complaints.is_empty(), "{complaints:?}");
        self.detector.set_context(Arc::new(context));
    }
}

/// What each rule found in the sample.
fn found(lines: &[Line]) -> BTreeMap<String, Vec<Finding>> {
    let mut way = Way::new();
    for line in lines {
        way.take(line);
    }
    let mut by_rule: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    for finding in way.detector.take().findings {
        by_rule.entry(finding.rule_id.to_string()).or_default().push(finding);
    }
    by_rule
}

#[test]
fn every_rule_file_is_in_force_and_every_rule_in_force_has_a_file() {
    let files = rule_files();
    let loaded: BTreeSet<String> = RuleSet::hospital().rules().iter().map(|rule| rule.id.to_string()).collect();
    assert_eq!(loaded, files);
    assert!(!files.is_empty());
}

/// Rules that rightly speak of another rule's sample: whoever was retired when connecting also came from an address
/// that is on no list.
const ALSO: [(&str, &str); 1] = [("VP-03", "VP-08")];

#[test]
fn each_rule_finds_its_own_sample_and_no_other_rule_does() {
    for id in rule_files() {
        let found = found(&sample(&id, "match"));
        assert!(found.contains_key(&id), "{id} is silent about its sample; found {:?}", found.keys());
        let others = found.keys().filter(|other| **other != id && !ALSO.contains(&(id.as_str(), other.as_str())));
        assert_eq!(others.collect::<Vec<_>>(), Vec::<&String>::new(), "others speak of the sample of {id}");
    }
}

#[test]
fn each_finding_says_what_happened_and_names_its_evidence() {
    for id in rule_files() {
        let lines = sample(&id, "match");
        let records = lines.iter().filter(|line| line.raw.is_some() || line.evtx_json.is_some()).count() as u64;
        for finding in &found(&lines)[&id] {
            assert!(!finding.subject.is_empty() && !finding.rule_title.is_empty(), "{finding:?}");
            assert!(!finding.summary.is_empty() && !finding.summary.contains(['{', '}']), "{}", finding.summary);
            assert!(finding.first <= finding.last && finding.count >= 1, "{finding:?}");
            assert!(!finding.evidence.is_empty(), "{finding:?}");
            assert!(finding.evidence.iter().all(|event| event.record.0 <= records), "{finding:?}");
        }
    }
}

#[test]
fn each_rule_is_silent_about_the_everyday() {
    for id in rule_files() {
        let found = found(&sample(&id, "nomatch"));
        assert!(!found.contains_key(&id), "{id} speaks of the everyday: {:#?}", found[&id]);
    }
}

/// A host that counts repeated lines instead of writing them must not hide that someone guesses at a password.
#[test]
fn failures_that_a_line_only_counts_reach_the_threshold() {
    let failure = "<86>Oct  6 10:00:00 db01 sshd[77]: Failed password for tanaka from 10.20.1.5 port 5 ssh2";
    let wrapped = "<86>Oct  6 10:00:02 db01 sshd[77]: message repeated 9 times: [ Failed password for tanaka from 10.20.1.5 port 5 ssh2]";
    let pointing = "<86>Oct  6 10:00:02 db01 last message repeated 9 times";
    let line = |text: &str| Line {
        received_at: "2026-10-06T10:00:03+09:00".parse().unwrap(),
        peer: None,
        raw: Some(text.to_owned()),
        evtx_json: None,
        tick: false,
        context: None,
    };
    for second in [wrapped, pointing] {
        let found = found(&[line(failure), line(second)]);
        let counts: Vec<u64> = found.get("AU-01").into_iter().flatten().map(|finding| finding.count).collect();
        assert_eq!(counts, [10], "{second}");
    }
    assert!(!found(&[line(failure), line(&pointing.replace('9', "8"))]).contains_key("AU-01"));
}
