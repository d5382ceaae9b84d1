//! Every sample once more, through journal, pipeline and ledger: what a hospital's server finds is what a rule's author saw.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, mpsc};

use monban_detect::RuleSet;
use monban_event::act::Deed;
use monban_event::id::hex;
use monban_event::{ActSink, EventId, Finding, Lane, Origin, RecordId, RecordSink, SimulatedClock};
use monban_index::ledger::FindingFilter;
use monban_ingest::syslog::RecordMaker;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::sample::ContextGiven;
use super::{Line, lines_of, rule_ids, sample};
use crate::node::{Node, Opening};

/// Rules about what did not happen are asked by the clock, which a sample moves by hand.
const BY_THE_CLOCK: [&str; 5] = ["AC-02", "AC-03", "LG-01", "LG-10", "RW-06"];

/// A data directory is mostly waited for.
const THREADS: usize = 8;

#[test]
fn a_server_finds_in_every_sample_what_the_trial_of_its_rule_finds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/hospital");
    let rules = Arc::new(RuleSet::hospital());
    let ids: Vec<String> = rule_ids(&folder).unwrap().into_iter().collect();
    let differing: Vec<String> = std::thread::scope(|scope| {
        let (rules, folder) = (&rules, &folder);
        let compare = |ids| scope.spawn(move || differing(rules, folder, ids));
        let threads: Vec<_> = ids.chunks(ids.len().div_ceil(THREADS)).map(compare).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

fn differing(rules: &Arc<RuleSet>, folder: &Path, ids: &[String]) -> Vec<String> {
    let mut differing = Vec::new();
    for (id, kind) in ids.iter().flat_map(|id| [(id, "match"), (id, "nomatch")]) {
        let lines = lines_of(folder, id, kind).unwrap();
        let (tried, served) = (tried(rules, &lines), served(&lines));
        if tried != served {
            differing.push(format!("{id} {kind}\n  tried:  {tried}\n  served: {served}"));
        }
    }
    differing
}

/// A sample's context files are acts on a server, and a sample that takes one away again weakens the watch there.
const BY_ACTS: &str = "LG-08";

fn is_compared(lines: &[Line], rule: &str) -> bool {
    let has_acts = lines.iter().any(|line| line.act.is_some());
    !BY_THE_CLOCK.contains(&rule) && (has_acts || rule != BY_ACTS)
}

/// The findings of a trial as JSON, in order.
fn tried(rules: &Arc<RuleSet>, lines: &[Line]) -> Value {
    let found = sample::found(rules, lines).unwrap();
    let compared = found.into_iter().filter(|(rule, _)| is_compared(lines, rule)).flat_map(|(_, findings)| findings);
    in_order(compared.map(|finding| written(&finding, &|event| (event.record.0 - 1, event.offset))))
}

/// The same through a data directory; records are told by their place among the records.
fn served(lines: &[Line]) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let clock = SimulatedClock::at(lines.first().map(|line| line.received_at).unwrap_or_default());
    let opening = Opening { dir: dir.path(), create: true, config: None, clock: Arc::new(clock.clone()), stays: false };
    let node = Node::open(&opening).unwrap();
    let maker = RecordMaker { clock: Arc::new(clock.clone()), origin: Origin::Live };
    let mut places = BTreeMap::new();
    for line in lines {
        clock.set(line.received_at);
        for (name, text) in line.context.iter().flat_map(ContextGiven::files) {
            let deed = Deed::Context { name, sha256: hex(&Sha256::digest(text)), text: text.to_owned() };
            node.record("console", deed).unwrap();
        }
        if let Some(given) = &line.act {
            node.record(&given.by, journaled(&given.deed, &places)).unwrap();
            places.insert(node.journal.durable(), places.len() as u64);
        }
        let records = line.records(&maker);
        if !records.is_empty() {
            let count = records.len() as u64;
            let (tell, told) = mpsc::channel();
            node.journal.submit(Lane::Live, records, Box::new(move |result| tell.send(result).unwrap()));
            told.recv().unwrap().unwrap();
            let last = node.journal.durable().0;
            for number in last + 1 - count..=last {
                places.insert(RecordId(number), places.len() as u64);
            }
        }
        // A pipeline that is idle looks at the clock, so it must not be behind it.
        node.progress.wait_applied(node.journal.durable()).unwrap();
    }
    let ledger = node.ledger.read().unwrap();
    let rows = ledger.findings(&FindingFilter::default()).unwrap();
    let details = rows.iter().filter(|row| is_compared(lines, row.rule_id.as_str())).map(|row| {
        let detail = ledger.finding(&row.id).unwrap().unwrap();
        let finding = Finding {
            id: row.id.clone(),
            rule_id: row.rule_id.clone(),
            rule_title: row.rule_title.clone(),
            rule_version: row.rule_version.clone(),
            severity: row.severity,
            subject: row.subject.clone(),
            object: row.object.clone(),
            first: row.first,
            last: row.last,
            count: row.count,
            summary: row.summary.clone(),
            evidence: detail.evidence,
            sources: detail.sources.into_iter().collect(),
        };
        written(&finding, &|event| (places.get(&event.record).copied().unwrap_or(u64::MAX), event.offset))
    });
    in_order(details)
}

/// The deed as a server would write it: a sample names an import by the place of the act that opened it, from 1.
fn journaled(deed: &Deed, places: &BTreeMap<RecordId, u64>) -> Deed {
    let mut deed = deed.clone();
    if let Deed::ImportClosed { import, .. } = &mut deed {
        let opened = places.iter().find(|(_, place)| **place + 1 == import.0);
        *import = opened.map_or(*import, |(number, _)| *number);
    }
    deed
}

fn written(finding: &Finding, place: &dyn Fn(EventId) -> (u64, u32)) -> Value {
    let mut evidence: Vec<(u64, u32)> = finding.evidence.iter().map(|event| place(*event)).collect();
    evidence.sort_unstable();
    json!({
        "id": finding.id, "rule": finding.rule_id, "title": finding.rule_title, "version": finding.rule_version,
        "severity": finding.severity, "subject": finding.subject, "object": finding.object,
        "first": finding.first.timestamp_micros(), "last": finding.last.timestamp_micros(), "count": finding.count,
        "summary": finding.summary, "evidence": evidence,
    })
}

fn in_order(findings: impl Iterator<Item = Value>) -> Value {
    let mut findings: Vec<Value> = findings.collect();
    findings.sort_by_key(|finding| finding["id"].to_string());
    Value::Array(findings)
}
