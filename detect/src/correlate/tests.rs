//! The correlators against a reference that knows all events at once and looks at every window, over random streams
//! that come in order, late, and shuffled.

use std::collections::{BTreeMap, BTreeSet};

use monban_event::{EventId, RecordId};
use rsigma_parser::parse_sigma_yaml;

use super::*;
use crate::fields::{Slots, Values};

const SECOND: i64 = 1_000_000;
const RULES: [&str; 2] = ["fail", "ok"];

/// A small generator, so that a failing stream is the same one tomorrow.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    time: i64,
    id: u64,
    rule: usize,
    key: u64,
    value: u64,
}

/// What a window of samples that ends with one gives as evidence.
type Complete<'a> = &'a dyn Fn(&[Sample], &Sample) -> Option<Vec<u64>>;

/// Evidence per correlation, key and day, as a set.
type Found = BTreeMap<(usize, u64, i64), BTreeSet<u64>>;

fn plan(yaml: &str, any_of: &[WindowTest]) -> (Plan, Slots) {
    let mut slots = Slots::default();
    for name in ["key", "value"] {
        slots.slot(name);
    }
    let parsed = parse_sigma_yaml(yaml).expect("YAML");
    assert_eq!(parsed.errors, [""; 0]);
    let draft = |rule| Draft { rule, name: format!("{yaml:p}"), any_of: any_of.to_vec(), ratio: None };
    let drafts =
        parsed.correlations.iter().map(|rule| Draft { name: rule.title.clone(), ..draft(rule) }).collect::<Vec<_>>();
    let (plan, results) = Plan::build(&drafts, &mut slots, &|name| RULES.iter().position(|known| *known == name));
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    (plan, slots)
}

fn correlation(title: &str, kind: &str, rules: &str, rest: &str) -> String {
    format!(
        "title: {title}\nname: {title}\ncorrelation:\n  type: {kind}\n  rules: [{rules}]\n  group-by: [key]\n{rest}\n"
    )
}

fn run(plan: &Plan, stream: &[Sample], day: i64) -> Found {
    let mut correlator = Correlator::default();
    let mut found = Found::new();
    let mut reported = BTreeSet::new();
    // Live events arrive when the latest of them happened; an import arrives all at once.
    let import = stream.iter().take(10).any(|sample| sample.id > 100);
    let mut arrival_us = if import { i64::MAX / 2 } else { 0 };
    for (arrival, sample) in stream.iter().enumerate() {
        arrival_us = arrival_us.max(sample.time);
        let values =
            Values::of([sample.key, sample.value].map(|value| value.to_string().into()).into_iter().enumerate());
        let hit = Hit::new(sample.time, arrival_us, values);
        let same = |_: usize, a: &Hit, b: &Hit| a.time_us / day == b.time_us / day;
        let id = EventId::new(RecordId(sample.id), 0);
        for completion in correlator.observe(plan, &[sample.rule], (id, hit), &same) {
            let at = correlator.time_us(completion.at).expect("held");
            let key = correlator.values(completion.at).and_then(|values| values.get(0)?.parse().ok()).expect("a key");
            reported.insert((completion.node, completion.at));
            found
                .entry((completion.node, key, at / day))
                .or_default()
                .extend(completion.evidence.iter().map(|e| e.1.record.0));
        }
        // A snapshot in mid-window changes nothing.
        if arrival % 97 == 0 {
            let text = serde_json::to_vec(&correlator).expect("JSON");
            let read: Correlator = serde_json::from_slice(&text).expect("reads");
            assert_eq!(read, correlator);
            correlator = read;
        }
    }
    found
}

/// Every window of every event, by the definition.
fn reference(all: &[Sample], span: i64, day: i64, complete: Complete<'_>) -> Found {
    let mut sorted = all.to_vec();
    sorted.sort_by_key(|sample| (sample.time, sample.id));
    let mut found = Found::new();
    for end in &sorted {
        let inside = |sample: &&Sample| {
            sample.key == end.key && sample.time >= end.time - span && (sample.time, sample.id) <= (end.time, end.id)
        };
        let window: Vec<Sample> = sorted.iter().filter(inside).copied().collect();
        if let Some(evidence) = complete(&window, end) {
            found.entry((0, end.key, end.time / day)).or_default().extend(evidence);
        }
    }
    found
}

fn stream(seed: u64, count: u64) -> Vec<Sample> {
    let mut random = Random(seed);
    let mut time = 0;
    let samples = (1..=count).map(|id| {
        time += random.below(40).cast_signed() * SECOND;
        Sample { time, id, rule: usize::from(random.below(2) == 1), key: random.below(3), value: random.below(6) }
    });
    samples.collect()
}

/// The orders a stream may come in: as it happened, some events up to nine minutes late, and anyhow.
fn orders(stream: &[Sample], seed: u64) -> Vec<Vec<Sample>> {
    let mut random = Random(seed ^ 0x5eed);
    let mut late = stream.to_vec();
    late.sort_by_cached_key(|sample| {
        sample.time + if random.below(5) == 0 { random.below(540).cast_signed() * SECOND } else { 0 }
    });
    let mut shuffled = stream.to_vec();
    shuffled.sort_by_cached_key(|_| random.below(1 << 30));
    vec![stream.to_vec(), late, shuffled]
}

fn check(yaml: &str, any_of: &[WindowTest], span: i64, complete: Complete<'_>) {
    let (plan, _) = plan(yaml, any_of);
    let emitting = plan.nodes.len() - 1;
    let mut findings = 0;
    for seed in 1..=12 {
        let stream = stream(seed, 300);
        for day in [i64::MAX / 4, 1_200 * SECOND] {
            let expected = reference(&stream, span, day, complete);
            findings += expected.len();
            for order in orders(&stream, seed) {
                let found = run(&plan, &order, day);
                let found: Found = found.into_iter().map(|((_, key, day), ids)| ((0, key, day), ids)).collect();
                assert_eq!(found, expected, "seed {seed}, node {emitting}");
            }
        }
    }
    assert!(findings > 20, "the streams say something: {findings}");
}

fn ids<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Vec<u64> {
    samples.into_iter().map(|sample| sample.id).collect()
}

#[test]
fn event_count_equals_the_reference() {
    let yaml = correlation("a", "event_count", "fail", "  timespan: 5m\n  condition: {gte: 5}");
    check(&yaml, &[], 300 * SECOND, &|window, end| {
        let fails: Vec<&Sample> = window.iter().filter(|sample| sample.rule == 0).collect();
        (end.rule == 0 && fails.len() >= 5).then(|| ids(fails))
    });
}

#[test]
fn value_count_equals_the_reference() {
    let yaml = correlation("a", "value_count", "fail", "  timespan: 5m\n  condition: {gte: 4, field: value}");
    check(&yaml, &[], 300 * SECOND, &|window, end| {
        let fails: Vec<&Sample> = window.iter().filter(|sample| sample.rule == 0).collect();
        let distinct: BTreeSet<u64> = fails.iter().map(|sample| sample.value).collect();
        (end.rule == 0 && distinct.len() >= 4).then(|| ids(fails))
    });
}

#[test]
fn temporal_equals_the_reference() {
    let yaml = correlation("a", "temporal", "fail, ok", "  timespan: 30s");
    check(&yaml, &[], 30 * SECOND, &|window, _| {
        let has = |rule: usize| window.iter().any(|sample| sample.rule == rule);
        (has(0) && has(1)).then(|| ids(window))
    });
}

#[test]
fn temporal_ordered_equals_the_reference() {
    let yaml = correlation("a", "temporal_ordered", "fail, ok", "  timespan: 60s");
    check(&yaml, &[], 60 * SECOND, &|window, end| {
        let fails: Vec<&Sample> = window.iter().filter(|sample| sample.rule == 0).collect();
        (end.rule == 1 && !fails.is_empty()).then(|| ids(fails.into_iter().chain([end])))
    });
}

#[test]
fn a_correlation_over_a_correlation_equals_the_reference() {
    let inner = correlation("inner", "event_count", "fail", "  timespan: 3m\n  condition: {gte: 4}");
    let outer = correlation("outer", "temporal_ordered", "inner, ok", "  timespan: 2m");
    let yaml = format!("{inner}---\n{outer}");
    let (plan, _) = plan(&yaml, &[]);
    let (inner_span, outer_span) = (180 * SECOND, 120 * SECOND);
    for seed in 1..=12 {
        let stream = stream(seed, 300);
        let window = |end: &Sample, span: i64, rule: usize| -> Vec<Sample> {
            let inside = |s: &&Sample| {
                s.rule == rule && s.key == end.key && s.time >= end.time - span && (s.time, s.id) <= (end.time, end.id)
            };
            stream.iter().filter(inside).copied().collect()
        };
        let mut expected = Found::new();
        for end in stream.iter().filter(|sample| sample.rule == 1) {
            let bursts: Vec<Sample> =
                window(end, outer_span, 0).into_iter().filter(|s| window(s, inner_span, 0).len() >= 4).collect();
            if !bursts.is_empty() {
                let behind = bursts.iter().flat_map(|burst| ids(&window(burst, inner_span, 0)));
                expected.entry((1, end.key, 0)).or_default().extend(behind.chain([end.id]));
            }
        }
        for order in orders(&stream, seed) {
            assert_eq!(run(&plan, &order, i64::MAX / 4), expected, "seed {seed}");
        }
    }
}

#[test]
fn a_window_test_holds_back_what_it_should() {
    let yaml = correlation("a", "event_count", "fail", "  timespan: 5m\n  condition: {gte: 5}");
    let tests =
        vec![WindowTest::Distinct { slot: 1, gte: 4 }, WindowTest::Holds { slot: 1, values: vec!["5".to_owned()] }];
    check(&yaml, &tests, 300 * SECOND, &|window, end| {
        let fails: Vec<&Sample> = window.iter().filter(|sample| sample.rule == 0).collect();
        let distinct: BTreeSet<u64> = fails.iter().map(|sample| sample.value).collect();
        let passes = distinct.len() >= 4 || distinct.contains(&5);
        (end.rule == 0 && fails.len() >= 5 && passes).then(|| ids(fails))
    });
}

#[test]
fn a_flood_stays_within_bounds_and_is_told() {
    let yaml = correlation("a", "event_count", "fail", "  timespan: 5m\n  condition: {gte: 5}");
    let (plan, _) = plan(&yaml, &[]);
    let flood: Vec<Sample> =
        (1..=20_000_u64).map(|id| Sample { time: id.cast_signed() * 1_000, id, rule: 0, key: 0, value: id }).collect();
    let found = run(&plan, &flood, i64::MAX / 4);
    assert_eq!(found.values().map(BTreeSet::len).collect::<Vec<_>>(), [20_000]);
    let mut correlator = Correlator::default();
    for id in 1..=120_000_u64 {
        let values = Values::of(std::iter::once((0, id.to_string().into())));
        let hit = Hit::new(id.cast_signed(), id.cast_signed(), values);
        correlator.observe(&plan, &[0], (EventId::new(RecordId(id), 0), hit), &|_, _, _| true);
    }
    assert!(correlator.held() <= NODE_HITS_MAX, "{}", correlator.held());
}

#[test]
fn what_cannot_be_exact_is_refused() {
    let refused = |rest: &str, kind: &str| {
        let parsed = parse_sigma_yaml(&correlation("a", kind, "fail", rest)).expect("YAML");
        let drafts = parsed
            .correlations
            .iter()
            .map(|rule| Draft { rule, name: "a".into(), any_of: Vec::new(), ratio: None })
            .collect::<Vec<_>>();
        let (_, results) = Plan::build(&drafts, &mut Slots::default(), &|name| (name == "fail").then_some(0));
        results.into_iter().map(|result| result.err().map(|error| error.to_string())).collect::<Vec<_>>()
    };
    for (kind, rest) in [
        ("event_count", "  timespan: 5m\n  condition: {lt: 5}"),
        ("event_count", "  timespan: 5m\n  condition: {gte: 0}"),
        ("event_count", "  timespan: 90d\n  condition: {gte: 5}"),
        ("value_sum", "  timespan: 5m\n  condition: {gte: 5, field: value}"),
        ("value_count", "  timespan: 5m\n  condition: {gte: 5}"),
    ] {
        assert!(refused(rest, kind).iter().all(Option::is_some), "{kind} {rest}");
    }
    let circle = format!(
        "{}---\n{}",
        correlation("a", "temporal", "b, fail", "  timespan: 5m"),
        correlation("b", "temporal", "a, fail", "  timespan: 5m")
    );
    let parsed = parse_sigma_yaml(&circle).expect("YAML");
    let drafts = parsed
        .correlations
        .iter()
        .map(|rule| Draft { rule, name: rule.title.clone(), any_of: Vec::new(), ratio: None })
        .collect::<Vec<_>>();
    let (plan, results) = Plan::build(&drafts, &mut Slots::default(), &|name| (name == "fail").then_some(0));
    assert_eq!((plan.nodes.len(), results.iter().filter(|result| result.is_err()).count()), (0, 2));
}
