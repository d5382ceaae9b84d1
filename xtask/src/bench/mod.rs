//! `cargo xtask bench`: what this program costs beside what everybody has, on one machine, in one run, on the same
//! data. CPU seconds (user and system, all threads) are compared, because on a machine that others use too the clock on
//! the wall says little.

mod beside;
mod evtx;
mod growth;
mod hunt;
mod process;
mod queries;
mod receive;
mod table;
mod traffic;
mod udp;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::shell::{self, cargo, say, target_dir, value};
use table::Row;

/// Lines measured unless told otherwise: what the figures that we compare with were measured on.
const EVENTS: u64 = 1_000_000;
const SIGMA: [&str; 3] = ["rules", "rules-emerging-threats", "rules-threat-hunting"];

pub(crate) struct Options {
    /// One run of receiving and searching for each.
    events: Vec<u64>,
    evtx: PathBuf,
    sigma: Vec<PathBuf>,
    /// Leave the data directories for looking at.
    keep: bool,
    only: Option<String>,
}

impl Options {
    pub(crate) fn read(words: &[String]) -> Result<Self> {
        let evtx = PathBuf::from("../shared/corpus/evtx/samples");
        let mut options = Self { events: vec![EVENTS], evtx, sigma: Vec::new(), keep: false, only: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--events" => options.events = numbers(value(word, &mut words)?)?,
                "--evtx" => options.evtx = value(word, &mut words)?.into(),
                "--sigma" => options.sigma.push(value(word, &mut words)?.into()),
                "--keep" => options.keep = true,
                "--only" => options.only = Some(value(word, &mut words)?.to_owned()),
                other => bail!("bench does not know {other}"),
            }
        }
        if options.sigma.is_empty() {
            options.sigma = SIGMA.map(|folder| PathBuf::from("../shared/corpus/sigma").join(folder)).to_vec();
        }
        Ok(options)
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}

/// What was measured, and what has to be said beside it.
#[derive(Default)]
struct Results {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Results {
    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let build = ["build", "--release", "--locked", "--package", "monban", "--bin", "monban", "--example", "measure"];
    shell::run(&mut cargo(&build))?;
    let folder = target_dir()?.join("bench");
    let mut results = Results::default();
    if options.wants("receive") {
        for &events in &options.events {
            receive::measure(events, &folder, &mut results)?;
        }
        growth::compare(&options.events, &mut results);
    }
    // It takes an hour and is asked for by its name.
    if options.only.as_deref() == Some("beside") {
        for &events in &options.events {
            beside::measure(events, &folder, &mut results)?;
        }
    }
    if options.wants("udp") {
        udp::measure(&folder, &mut results)?;
    }
    if options.wants("evtx") {
        evtx::measure(options, &mut results)?;
    }
    if options.wants("hunt") {
        hunt::measure(options, &folder, &mut results)?;
    }
    if !options.keep {
        fs::remove_dir_all(&folder).or_else(ignore_missing).with_context(|| format!("clear {}", folder.display()))?;
    }
    say(&table::print(&results.rows));
    for note in &results.notes {
        say(&format!("· {note}"));
    }
    Ok(())
}

fn numbers(text: &str) -> Result<Vec<u64>> {
    text.split(',').map(|number| number.parse().with_context(|| format!("--events: {number} is no number"))).collect()
}

fn ignore_missing(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
