//! How long a search takes: `examples/measure.rs queries` asks the store itself, without page, socket or process start.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::table::Row;
use super::{Results, growth::named, traffic};
use crate::shell::{say, shown, target_dir};

const BOUND_EVENTS: u64 = 1_000_000;

pub(super) fn measure(events: u64, data_dir: &Path, results: &mut Results) -> Result<()> {
    say("searches");
    let mut command = Command::new(target_dir()?.join("release/examples/measure"));
    command.arg("queries").arg(data_dir).arg(traffic::RARE_WORD);
    let output = command.output().with_context(|| format!("start {}", shown(&command)))?;
    if !output.status.success() {
        bail!("{}: {}", shown(&command), String::from_utf8_lossy(&output.stderr).trim());
    }
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        results.rows.push(row(events, line).with_context(|| format!("read {line}"))?);
    }
    results.note("searches: median of 31, warm, list columns only; the bounds are for 1,000,000 events");
    Ok(())
}

/// `milliseconds TAB bound TAB figure`.
fn row(events: u64, line: &str) -> Option<Row> {
    let mut words = line.splitn(3, '\t');
    let (ours, must) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let figure = named(events, &format!("search: {}", words.next()?));
    // The bounds are for a million events.
    let must = (events <= BOUND_EVENTS).then_some(must);
    Some(Row { figure, ours, yardstick: None, unit: "ms", must, aim: None })
}
