//! What each column of a search index takes on the disk: bytes an event, by part, largest first.
//!
//! `cargo run --release -p monban-index --example columns -- DATA_DIR/index`
#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use tantivy::Index;
use tantivy::space_usage::PerFieldSpaceUsage;

const PARTS: [&str; 4] = ["words", "postings", "positions", "fast"];

/// Bytes of each part, by column.
type Columns = BTreeMap<String, [u64; PARTS.len()]>;

fn add(columns: &mut Columns, part: usize, usage: &PerFieldSpaceUsage) {
    for field in usage.fields() {
        let bytes = columns.entry(field.field_name().to_owned()).or_default();
        if let Some(place) = bytes.get_mut(part) {
            *place += field.total().get_bytes();
        }
    }
}

/// Adds up one partition; gives its events.
fn measure(path: &Path, columns: &mut Columns) -> Result<u64, Box<dyn Error>> {
    let searcher = Index::open_in_dir(path)?.reader()?.searcher();
    for segment in searcher.space_usage()?.segments() {
        let parts = [segment.termdict(), segment.postings(), segment.positions(), segment.fast_fields()];
        parts.into_iter().enumerate().for_each(|(part, usage)| add(columns, part, usage));
    }
    Ok(searcher.num_docs())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1).ok_or("columns INDEX_DIR")?;
    let (mut columns, mut events) = (Columns::new(), 0);
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            events += measure(&path, &mut columns)?;
        }
    }
    let mut rows: Vec<(String, [u64; PARTS.len()])> = columns.into_iter().collect();
    rows.sort_by_key(|(_, parts)| std::cmp::Reverse(parts.iter().sum::<u64>()));
    println!(
        "{events} events; bytes an event\n{:<28}{:>9}{:>9}{:>10}{:>10}{:>9}",
        "column", "words", "postings", "positions", "fast", "sum"
    );
    let mut sum = 0;
    for (name, parts) in rows {
        let each = |bytes: u64| bytes as f64 / events.max(1) as f64;
        let [words, postings, positions, fast] = parts.map(each);
        let all: u64 = parts.iter().sum();
        sum += all;
        println!("{name:<28}{words:>9.2}{postings:>9.2}{positions:>10.2}{fast:>10.2}{:>9.2}", each(all));
    }
    println!("{:<28}{:>47.2}", "all", sum as f64 / events.max(1) as f64);
    Ok(())
}
