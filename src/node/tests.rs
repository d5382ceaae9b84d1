//! A data directory through clocks that jump and devices whose clock is wrong.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::query::Query;
use monban_event::store::SearchRequest;
use monban_event::{EventStore, Format, Lane, Origin, Record, RecordSink, SimulatedClock, TimeRange, Transport};

use super::*;

fn noon() -> DateTime<Utc> {
    "2026-10-25T03:00:00Z".parse().unwrap()
}

fn open(dir: &Path, clock: &SimulatedClock) -> Arc<Node> {
    Node::open(&Opening { dir, create: true, config: None, clock: Arc::new(clock.clone()), stays: false }).unwrap()
}

/// A line that is received now, as a device writes it whose clock stands at `told`.
fn receive(node: &Node, number: u32, told: DateTime<Utc>) {
    let text = format!("<14>1 {} app01 reception 7 - - 受付 {number:06}", told.to_rfc3339());
    let record = Record {
        received_at: node.clock.now(),
        origin: Origin::Live,
        transport: Transport::Tcp,
        peer: Some("192.0.2.1:514".parse().unwrap()),
        identity: None,
        format: Format::Syslog,
        file: None,
        bytes: text.into_bytes(),
        cut: false,
    };
    let (tell, told) = mpsc::channel();
    node.journal.submit(Lane::Live, vec![record], Box::new(move |result| tell.send(result).unwrap()));
    told.recv().unwrap().unwrap();
}

/// How often each record is found.
fn found(node: &Node) -> BTreeMap<u64, u32> {
    node.progress.wait_searchable(node.journal.durable()).unwrap();
    let first = SearchRequest::new(Query::All, TimeRange::default(), 1000);
    let request = SearchRequest { whole: true, ..first };
    let mut times = BTreeMap::new();
    for event in node.store.search(&request).unwrap().events {
        *times.entry(event.id.record.0).or_default() += 1;
    }
    times
}

#[test]
fn a_clock_that_jumps_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SimulatedClock::at(noon());
    let moments = [
        noon(),
        noon() + TimeDelta::days(1),
        noon() - TimeDelta::days(1),
        "1980-01-01T00:00:00Z".parse().unwrap(),
        noon() + TimeDelta::minutes(1),
    ];
    let mut node = open(dir.path(), &clock);
    let mut expected = BTreeMap::new();
    for (number, &moment) in (0..).zip(moments.iter().cycle().take(10)) {
        clock.set(moment);
        for line in 0..20 {
            receive(&node, number * 20 + line, noon());
            expected.insert(node.journal.durable().0, 1);
        }
        if number % 3 == 2 {
            node.close();
            drop(node);
            node = open(dir.path(), &clock);
        }
    }
    assert_eq!(found(&node), expected);
    drop(node);
    clock.set(noon());
    std::fs::remove_dir_all(dir.path().join(INDEX)).unwrap();
    assert_eq!(found(&open(dir.path(), &clock)), expected, "a rebuilt index");
}

#[test]
fn a_device_that_is_nine_hours_off_is_kept_under_the_time_it_tells() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SimulatedClock::at(noon());
    let node = open(dir.path(), &clock);
    for number in 0..50 {
        clock.set(noon() + TimeDelta::seconds(i64::from(number)));
        receive(&node, number, clock.now() - TimeDelta::hours(9));
    }
    assert_eq!(found(&node).len(), 50);
    let before = TimeRange { from: None, to: Some(noon() - TimeDelta::hours(8)) };
    assert_eq!(node.store.count(&Query::All, before).unwrap(), 50, "its times are not moved");
    node.progress.wait_applied(node.journal.durable()).unwrap();
    let sources = node.ledger.read().unwrap().sources().unwrap();
    let skew = sources.first().map(|source| source.skew_mean_s);
    assert_eq!((sources.len(), skew), (1, Some(9 * 3600)), "the difference is shown");
}
