//! What each decision of the search index costs over mixed sources: CPU an event and bytes as a share of the lines, each
//! design beside the others in one run.
//!
//! `monban parse FILES > events.jsonl; cargo run --release -p monban-index --example designs -- events.jsonl FILES`
//!
//! The events are taken in turn, with other addresses each time, until there are [`EVENTS`].
#![expect(clippy::print_stdout, reason = "it prints its measurements")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::error::Error;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::{Event, EventId, Field, RecordId};
use monban_index::partition::{Partitions, curated_text};
use serde_json::{Map, Value};
use tantivy::indexer::NoMergePolicy;
use tantivy::schema::{
    FAST, Field as Slot, INDEXED, IndexRecordOption, IpAddrOptions, JsonObjectOptions, STORED, Schema,
    TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{NgramTokenizer, TextAnalyzer};
use tantivy::{Index, IndexSettings, IndexWriter, TantivyDocument};

/// Enough that a commit and the words of a partition weigh as they do in a hospital.
const EVENTS: usize = 200_000;
/// As the pipeline commits.
const COMMIT_EVERY: usize = 50_000;
const WRITER_BYTES: usize = 64 << 20;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// The columns that every design has: what people filter by most.
const CORE: [Field; 5] = [Field::UserName, Field::Action, Field::Outcome, Field::SourceId, Field::Module];

#[derive(Clone, Copy, PartialEq)]
enum Text {
    None,
    Curated,
    Line,
    LineInPairs,
}

#[derive(Clone, Copy, PartialEq)]
enum Others {
    None,
    /// Each field a column of its own.
    Columns,
    /// All of them, and the device's own, in one JSON column, as values only.
    Json,
    /// … and searchable.
    JsonIndexed,
}

struct Design {
    name: &'static str,
    text: Text,
    others: Others,
    /// The line in the document store.
    line: bool,
}

const fn design(name: &'static str, text: Text, others: Others, line: bool) -> Design {
    Design { name, text, others, line }
}

const DESIGNS: [Design; 8] = [
    design("core: time and five words", Text::None, Others::None, false),
    design("core + curated text", Text::Curated, Others::None, false),
    design("core + whole line as words", Text::Line, Others::None, false),
    design("core + whole line in pairs", Text::LineInPairs, Others::None, false),
    design("core + curated + each field a column", Text::Curated, Others::Columns, false),
    design("core + curated + JSON, values only", Text::Curated, Others::Json, false),
    design("core + curated + JSON, searchable", Text::Curated, Others::JsonIndexed, false),
    design("core + curated + line in the store", Text::Curated, Others::None, true),
];

fn main() -> Fallible<()> {
    let mut paths = std::env::args().skip(1);
    let events = paths.next().ok_or("designs EVENTS.jsonl LINES...")?;
    let events: Vec<Event> = fs::read_to_string(events)?
        .lines()
        .map(|line| Ok(event_of(&serde_json::from_str(line)?)))
        .collect::<Fallible<_>>()?;
    let mut lines: Vec<String> = Vec::new();
    for path in paths {
        lines.extend(String::from_utf8_lossy(&fs::read(path)?).lines().map(str::to_owned));
    }
    if events.is_empty() || lines.is_empty() {
        return Err("no events or no lines".into());
    }
    let raw: usize = (0..EVENTS).map(|number| lines.get(number % lines.len()).map_or(0, String::len)).sum();
    println!("{EVENTS} events of {} kinds of lines, {} bytes each", lines.len(), raw / EVENTS);
    let building = cpu_us()?;
    (0..EVENTS).for_each(|number| drop(std::hint::black_box(nth(&events, number))));
    let building = cpu_us()? - building;
    report("as built", raw, as_built(&events)?, building);
    for design in &DESIGNS {
        report(design.name, raw, measure(design, &events, &lines)?, building);
    }
    Ok(())
}

fn report(name: &str, raw: usize, (cpu_us, bytes): (i64, u64), building: i64) {
    let cpu = (cpu_us - building) as f64 / EVENTS as f64;
    println!("{name:40} {cpu:7.1} µs an event  {:6.3} of the lines", bytes as f64 / raw as f64);
}

/// The event of that number: one of those given, a second later than the one before, from an address of its own.
fn nth(events: &[Event], number: usize) -> Event {
    let start: DateTime<Utc> = DateTime::from_timestamp(1_772_496_000, 0).unwrap_or_default();
    let mut event = events.get(number % events.len()).cloned().unwrap_or_default();
    event.id = EventId::new(RecordId(number as u64 + 1), 0);
    let time = start + TimeDelta::milliseconds(400 * i64::try_from(number).unwrap_or(0));
    (event.event_time, event.ingested) = (Some(time), Some(time));
    if event.source_ip.is_some() {
        // 198.18.0.0/15 is set aside for measuring (RFC 2544).
        let host = u32::try_from(number.wrapping_mul(2_654_435_761) % 100_000).unwrap_or(0);
        event.source_ip = Some(IpAddr::V4(Ipv4Addr::from(0xC612_0000 + host)));
    }
    event
}

/// As `monban parse` writes it.
fn event_of(object: &Map<String, Value>) -> Event {
    let mut event = Event::default();
    for (name, value) in object {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let is_known = Field::from_name(name).is_some_and(|field| event.set_text(field, &text));
        if !is_known {
            event.native.push(name, &text);
        }
    }
    event
}

fn as_built(events: &[Event]) -> Fallible<(i64, u64)> {
    let dir = tempfile::tempdir()?;
    let start = cpu_us()?;
    let mut partitions = Partitions::open(dir.path())?;
    for number in 0..EVENTS {
        let event = nth(events, number);
        partitions.add(&event)?;
        if (number + 1) % COMMIT_EVERY == 0 {
            partitions.commit(event.id.record)?;
        }
    }
    drop(partitions);
    Ok((cpu_us()? - start, bytes_below(dir.path())?))
}

struct Slots {
    time: Slot,
    core: [Slot; CORE.len()],
    text: Option<Slot>,
    columns: Vec<(Field, Slot)>,
    json: Option<Slot>,
    line: Option<Slot>,
}

fn schema(design: &Design) -> (Schema, Slots) {
    let mut schema = Schema::builder();
    let basic = TextFieldIndexing::default().set_tokenizer("raw").set_fieldnorms(false);
    let word = TextOptions::default()
        .set_indexing_options(basic.clone().set_index_option(IndexRecordOption::Basic))
        .set_fast("raw");
    let tokenizer = if design.text == Text::LineInPairs { "pairs" } else { "default" };
    let spoken = TextFieldIndexing::default()
        .set_tokenizer(tokenizer)
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let json = match design.others {
        Others::JsonIndexed => JsonObjectOptions::default().set_fast("raw").set_indexing_options(basic),
        _ => JsonObjectOptions::default().set_fast("raw"),
    };
    let own = |field: &&Field| **field != Field::EventTime && !CORE.contains(field);
    let slots = Slots {
        time: schema.add_i64_field("time", FAST),
        core: CORE.map(|field| schema.add_text_field(&field.name().replace('.', "_"), word.clone())),
        text: (design.text != Text::None)
            .then(|| schema.add_text_field("text", TextOptions::default().set_indexing_options(spoken))),
        columns: match design.others {
            Others::Columns => Field::ALL
                .iter()
                .filter(own)
                .map(|&field| {
                    let name = format!("c_{}", field.name().trim_start_matches('@').replace('.', "_"));
                    let slot = if field.kind() == monban_event::event::FieldKind::Ip {
                        schema.add_ip_addr_field(&name, IpAddrOptions::from(INDEXED).set_fast())
                    } else {
                        schema.add_text_field(&name, word.clone())
                    };
                    (field, slot)
                })
                .collect(),
            _ => Vec::new(),
        },
        json: matches!(design.others, Others::Json | Others::JsonIndexed).then(|| schema.add_json_field("attrs", json)),
        line: design.line.then(|| schema.add_text_field("line", STORED)),
    };
    (schema.build(), slots)
}

fn measure(design: &Design, events: &[Event], lines: &[String]) -> Fallible<(i64, u64)> {
    let dir = tempfile::tempdir()?;
    let start = cpu_us()?;
    let (schema, slots) = schema(design);
    let settings = IndexSettings { docstore_blocksize: 64 << 10, ..IndexSettings::default() };
    let index = Index::builder().schema(schema).settings(settings).create_in_dir(dir.path())?;
    index.tokenizers().register("pairs", TextAnalyzer::builder(NgramTokenizer::new(2, 2, false)?).build());
    let mut writer: IndexWriter = index.writer_with_num_threads(1, WRITER_BYTES)?;
    writer.set_merge_policy(Box::new(NoMergePolicy));
    for number in 0..EVENTS {
        let event = nth(events, number);
        let line = lines.get(number % lines.len()).map_or("", String::as_str);
        writer.add_document(document(design, &slots, &event, line))?;
        if (number + 1) % COMMIT_EVERY == 0 {
            writer.prepare_commit()?.commit()?;
        }
    }
    writer.prepare_commit()?.commit()?;
    drop(writer);
    Ok((cpu_us()? - start, bytes_below(dir.path())?))
}

fn document(design: &Design, slots: &Slots, event: &Event, line: &str) -> TantivyDocument {
    let mut document = TantivyDocument::new();
    document.add_i64(slots.time, event.time().timestamp_micros());
    for (&field, &slot) in CORE.iter().zip(&slots.core) {
        if let Some(value) = event.get(field) {
            document.add_text(slot, value.to_text());
        }
    }
    if let Some(slot) = slots.text {
        if design.text == Text::Curated {
            document.add_text(slot, curated_text(event));
        } else {
            document.add_text(slot, line);
        }
    }
    for &(field, slot) in &slots.columns {
        match event.get(field) {
            Some(monban_event::event::Value::Ip(IpAddr::V4(ip))) => document.add_ip_addr(slot, ip.to_ipv6_mapped()),
            Some(monban_event::event::Value::Ip(IpAddr::V6(ip))) => document.add_ip_addr(slot, ip),
            Some(value) => document.add_text(slot, value.to_text()),
            None => {}
        }
    }
    if let Some(slot) = slots.json {
        let object = event.to_json().into_iter().map(|(name, value)| (name.replace('.', "_"), value.into()));
        document.add_object(slot, object.collect());
    }
    if let Some(slot) = slots.line {
        document.add_text(slot, line);
    }
    document
}

/// Of all threads, µs; the kernel counts in hundredths of a second, and no design takes less than some seconds.
fn cpu_us() -> Fallible<i64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, behind) = stat.rsplit_once(')').ok_or("/proc/self/stat has another form")?;
    let ticks: Vec<i64> = behind.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<i64>() * 10_000)
}

fn bytes_below(folder: &Path) -> Fallible<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { bytes_below(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}
