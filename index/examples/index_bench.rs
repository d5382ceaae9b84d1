//! What indexing costs and how fast searches are, over a million firewall events of seven days.
//!
//! `cargo run --release -p monban-index --example index_bench [EVENTS]`
#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::store::SearchRequest;
use monban_event::{
    Action, Category, Event, EventId, EventStore, Field, Outcome, ParseStatus, Record, RecordId, RecordParser,
    TimeRange,
};
use monban_index::partition::{Partitions, ReadRecordError, RecordSource, TantivyStore};
use monban_index::query::parse;

/// The live path commits about this often under load.
const COMMIT_EVERY: u64 = 20_000;
const RUNS: usize = 9;

struct Nothing;

impl RecordSource for Nothing {
    fn read(&self, _: RecordId) -> Result<Option<Record>, ReadRecordError> {
        Ok(None)
    }
}

impl RecordParser for Nothing {
    fn parse(&self, _: RecordId, _: &Record, _: &mut Vec<Event>) -> Vec<String> {
        Vec::new()
    }
}

/// A number as good as random, the same in every run.
fn mixed(seed: u64) -> u64 {
    let x = (seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x ^ (x >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 16
}

fn at(number: u64, of: u64) -> DateTime<Utc> {
    let start: DateTime<Utc> = "2026-10-01T00:00:00+09:00".parse().unwrap_or_default();
    let share = i64::try_from(number * 7 * 86_400_000 / of.max(1)).unwrap_or(0);
    start + TimeDelta::milliseconds(share)
}

fn small(seed: u64, below: u64) -> i64 {
    i64::try_from(mixed(seed) % below).unwrap_or(0)
}

fn event(number: u64, of: u64) -> Event {
    let seed = number * 8;
    // Some users are far busier than others.
    let user = (mixed(seed) % 2_000) * (mixed(seed + 1) % 2_000) / 2_000;
    let address = u32::try_from(mixed(seed + 2) % 50_000).unwrap_or(0);
    let vpn = number.is_multiple_of(20);
    let time = at(number, of);
    let source = IpAddr::V4(Ipv4Addr::from_bits(0xc633_0000 + address));
    let message = format!(
        "date=2026-10-05 time=10:00:00 devname=\"FW-HONKAN\" devid=\"FGT60FTK00000001\" eventtime={} tz=\"+0900\" \
         logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" level=\"notice\" vd=\"root\" srcip={source} \
         srcport={} srcintf=\"wan1\" srcintfrole=\"wan\" dstip=10.1.2.{} dstport=443 dstintf=\"internal\" \
         dstintfrole=\"lan\" sessionid={} proto=6 action=\"close\" policyid=7 policytype=\"policy\" service=\"HTTPS\" \
         user=\"user{user}\" group=\"vpn-users\" duration={} sentbyte={} rcvdbyte={} sentpkt=20 rcvdpkt=30 \
         appcat=\"unscanned\" crscore={}",
        time.timestamp_micros(),
        small(seed + 3, 60_000),
        small(seed + 4, 250),
        number,
        small(seed + 5, 3_600),
        small(seed + 6, 1 << 20),
        small(seed + 7, 1 << 22),
        number % 97,
    );
    let native =
        message.split(' ').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name, value.trim_matches('"')));
    let mut native: monban_event::NativeFields = native.collect();
    native.push(
        "msg",
        match number {
            _ if number % 50_000 == 7 => "a kakapo was seen",
            _ if vpn => "SSL tunnel established",
            _ => "session closed normally",
        },
    );
    Event {
        id: EventId::new(RecordId(number), 0),
        event_time: Some(time),
        ingested: Some(time + TimeDelta::milliseconds(small(seed, 900))),
        module: Some("fortinet".to_owned()),
        dataset: Some("fortinet.fortigate".to_owned()),
        code: Some(if vpn { "0101039424" } else { "0000000013" }.to_owned()),
        category: Some(if vpn { Category::Session } else { Category::Network }),
        action: Some(if vpn { Action::SessionStart } else { Action::Allow }),
        outcome: Some(if number.is_multiple_of(13) { Outcome::Failure } else { Outcome::Success }),
        user_name: Some(format!("user{user}")),
        user_raw: Some(format!("user{user}")),
        source_ip: Some(source),
        source_port: Some(small(seed + 3, 60_000)),
        destination_ip: Some(IpAddr::from([10, 1, 2, u8::try_from(small(seed + 4, 250)).unwrap_or(0)])),
        destination_port: Some(443),
        source_bytes: Some(small(seed + 6, 1 << 20)),
        destination_bytes: Some(small(seed + 7, 1 << 22)),
        duration_ns: Some(small(seed + 5, 3_600) * 1_000_000_000),
        observer_vendor: Some("Fortinet".to_owned()),
        observer_product: Some("FortiGate".to_owned()),
        observer_hostname: Some("FW-HONKAN".to_owned()),
        parse_status: Some(ParseStatus::Full),
        source_id: Some("ip:192.0.2.1".to_owned()),
        account_class: Some(if user.is_multiple_of(7) { "vendor" } else { "staff" }.to_owned()),
        account_state: Some(if user.is_multiple_of(50) { "retired" } else { "active" }.to_owned()),
        after_hours: Some(number.is_multiple_of(3)),
        night: Some(number.is_multiple_of(5)),
        holiday: Some(false),
        source_zone: Some(monban_event::SourceZone::Outside),
        message: Some(message),
        native,
        ..Event::default()
    }
}

/// CPU of all threads so far: user and system, in hundredths of a second.
fn cpu() -> Result<u64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Ok(ticks(11) + ticks(12))
}

fn bytes_below(path: &Path) -> Result<u64, Box<dyn Error>> {
    let mut sum = 0;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() { bytes_below(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(sum)
}

fn median(mut run: impl FnMut() -> Result<String, Box<dyn Error>>) -> Result<(Duration, String), Box<dyn Error>> {
    let mut times = Vec::new();
    let mut answer = run()?;
    for _ in 0..RUNS {
        let start = Instant::now();
        answer = run()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok((times.get(RUNS / 2).copied().unwrap_or_default(), answer))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn main() -> Result<(), Box<dyn Error>> {
    let count: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::tempdir()?;
    let start = cpu()?;
    let raw: usize = (1..=count).map(|number| event(number, count).message.map_or(0, |text| text.len())).sum();
    let making = cpu()? - start;

    let mut partitions = Partitions::open(dir.path())?;
    let (start, clock) = (cpu()?, Instant::now());
    for number in 1..=count {
        partitions.add(&event(number, count))?;
        if number % COMMIT_EVERY == 0 {
            partitions.commit(RecordId(number))?;
        }
    }
    partitions.commit(RecordId(count))?;
    let set = partitions.reader();
    drop(partitions);
    let spent = (cpu()? - start).saturating_sub(making);
    println!(
        "index: {:.1} µs CPU an event ({:.1} s wall with making them), {} bytes an event, raw {} bytes an event",
        spent as f64 * 10_000.0 / count as f64,
        clock.elapsed().as_secs_f64(),
        bytes_below(dir.path())? / count,
        raw as u64 / count,
    );

    let store = TantivyStore::new(set, Arc::new(Nothing), Arc::new(Nothing), Arc::new(|_| {}));
    let day = TimeRange::between(at(3 * count / 7, count), at(4 * count / 7, count));
    let week = TimeRange::between(at(0, count), at(count, count) + TimeDelta::seconds(1));
    for (text, range) in [
        ("kakapo", week),
        ("user:user1990", week),
        ("src_ip:198.51.7.7", day),
        ("user:user0", week),
        ("\"tunnel established\"", week),
        ("\"session closed\"", week),
        ("*", week),
        ("*", TimeRange::default()),
        ("結果:失敗 -user:user0", week),
        ("src_ip:198.51.0.0/20 結果:失敗", week),
        ("bytes>=4000000", week),
        ("user:*99", week),
        ("*akap*", week),
    ] {
        let query = parse(text, at(count, count)).map_err(|errors| format!("{errors:?}"))?;
        let (time, answer) = median(|| {
            let request = SearchRequest::new(query.clone(), range, 100);
            let page = store.search(&request)?;
            Ok(format!("{} of {}{}", page.events.len(), page.total.value, if page.total.exact { "" } else { "+" }))
        })?;
        println!("{:8.2} ms  last 100 of {text}: {answer}", time.as_secs_f64() * 1e3);
    }
    let all = monban_event::query::Query::All;
    let failed = parse("結果:失敗", at(count, count)).map_err(|errors| format!("{errors:?}"))?;
    for field in [Field::UserName, Field::SourceIp, Field::SourceZone] {
        let (time, answer) = median(|| Ok(format!("{} distinct", store.top(&failed, week, field, 20)?.distinct)))?;
        println!("{:8.2} ms  top 20 of {} among failures: {answer}", time.as_secs_f64() * 1e3, field.name());
    }
    for field in [Field::UserName, Field::SourceIp, Field::Outcome] {
        let (time, answer) = median(|| Ok(format!("{} distinct", store.top(&all, week, field, 20)?.distinct)))?;
        println!("{:8.2} ms  top 20 of {}: {answer}", time.as_secs_f64() * 1e3, field.name());
    }
    let (time, answer) = median(|| Ok(format!("{} bars", store.histogram(&all, week, 3_600)?.len())))?;
    println!("{:8.2} ms  histogram by the hour: {answer}", time.as_secs_f64() * 1e3);
    Ok(())
}
