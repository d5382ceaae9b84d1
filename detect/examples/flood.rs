//! What a flood of failed logins costs the detector: in the order in which they happened, in blocks of which each
//! overlaps the one before, and turned round.
//!
//! `cargo run --release -p monban-detect --example flood [LOGINS]`
#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use monban_detect::{Context, Detector, RuleSet, enrich};
use monban_event::{Action, Category, Event, EventId, Outcome, RecordId};

/// Seconds of a block, and how many of them the next one covers again.
const BLOCK: u64 = 300;
const OVERLAP: u64 = 100;

fn failure(second: u64, record: u64, vpn: bool) -> Event {
    let start: DateTime<Utc> = "2026-10-06T02:14:00+09:00".parse().unwrap_or_default();
    let time = start + TimeDelta::seconds(second.cast_signed());
    Event {
        id: EventId::new(RecordId(record), 0),
        event_time: Some(time),
        ingested: Some(start + TimeDelta::hours(2)),
        category: Some(Category::Authentication),
        action: Some(Action::Login),
        outcome: Some(Outcome::Failure),
        module: Some(if vpn { "fortinet" } else { "linux" }.to_owned()),
        vpn_type: vpn.then(|| "ssl".to_owned()),
        user_name: Some("yamada".to_owned()),
        source_ip: Some([203, 0, 113, 9].into()),
        host_name: Some("fw01".to_owned()),
        source_id: Some("host:fw01".to_owned()),
        ..Event::default()
    }
}

/// The seconds at which logins failed, in the order in which they come to be known.
fn order(name: &str, logins: u64) -> Vec<u64> {
    match name {
        "in order" => (0..logins).collect(),
        "turned round" => (0..logins).rev().collect(),
        _ => {
            // Each block is two senders' halves of the same time, one after the other.
            let block = |start: u64| (start..(start + BLOCK + OVERLAP).min(logins)).step_by(2);
            let starts = (0..logins).step_by(usize::try_from(BLOCK).unwrap_or(1));
            starts.flat_map(|start| block(start).chain(block(start + 1))).collect()
        }
    }
}

fn main() {
    let logins = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(4_000);
    let rules = Arc::new(RuleSet::hospital());
    for vpn in [true, false] {
        for name in ["in order", "in blocks that overlap", "turned round"] {
            let context = Arc::new(Context::default());
            let mut detector = Detector::new(Arc::clone(&rules), Arc::clone(&context));
            let seconds = order(name, logins);
            let count = seconds.len();
            let started = Instant::now();
            for (record, second) in (1..).zip(seconds) {
                let mut event = failure(second, record, vpn);
                enrich(&context, &mut event);
                detector.observe(&mut event, &mut Vec::new());
            }
            let findings: Vec<(String, u64)> =
                detector.take().findings.into_iter().map(|found| (found.rule_id.to_string(), found.count)).collect();
            let kind = if vpn { "VPN" } else { "host" };
            println!("{:8.1} ms  {count} {kind} logins {name}: {findings:?}", started.elapsed().as_secs_f64() * 1e3);
        }
    }
}
