//! Windows event files with every Sigma rule, beside `evtx_dump`, which only parses.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::process::children_cpu;
use super::table::Row;
use super::{Options, Results};
use crate::shell::{self, cargo, find, say, target_dir};

/// The parser that the program is built on, so that both read alike.
const YARDSTICK: &str = "0.15.1";
/// Of two runs the cheaper counts: what else the machine did is not ours.
const RUNS: usize = 2;
/// hayabusa takes 27 times the CPU of `evtx_dump` run once a file; a tenth of it must be reached, a twentieth is aimed at.
const MUST: f64 = 2.7;
const AIM: f64 = 1.35;

pub(super) fn measure(options: &Options, results: &mut Results) -> Result<()> {
    let files = evtx_files(&options.evtx)?;
    let missing = options.sigma.iter().find(|folder| !folder.is_dir());
    if files.is_empty() || missing.is_some() {
        results.note("EVTX with Sigma rules was not measured: name the folders with --evtx DIR and --sigma DIR");
        return Ok(());
    }
    say(&format!("{} EVTX files with every rule", files.len()));
    let output = target_dir()?.join("bench-matches.jsonl");
    let ours = cheapest(|| detect(options, &output))?;
    let matches = fs::read_to_string(&output)?.lines().count();
    fs::remove_file(&output)?;
    let dump = match evtx_dump() {
        Ok(program) => Some(program),
        Err(error) => {
            results.note(format!("evtx_dump is not to be had: {error:#}"));
            None
        }
    };
    let yardstick = dump.map(|program| cheapest(|| dump_all(&program, &files))).transpose()?;
    results.rows.push(Row {
        figure: format!("{} EVTX files, all Sigma rules / evtx_dump once a file", files.len()),
        ours,
        yardstick,
        unit: "CPU s",
        must: yardstick.map(|_| MUST),
        aim: yardstick.map(|_| AIM),
    });
    results.note(format!(
        "EVTX: {matches} matches; the fixed cost of loading the rules is in the figure; hayabusa is 27 × and chainsaw 40 × evtx_dump"
    ));
    Ok(())
}

fn cheapest(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..RUNS {
        let before = children_cpu()?;
        work()?;
        least = least.min(children_cpu()? - before);
    }
    Ok(least)
}

fn detect(options: &Options, output: &Path) -> Result<()> {
    let mut command = Command::new(target_dir()?.join("release/monban"));
    command.args(["detect", "--each-match", "--format", "jsonl"]);
    for folder in &options.sigma {
        command.arg("--rules").arg(folder);
    }
    command.arg(&options.evtx).stdout(File::create(output)?).stderr(Stdio::null());
    let status = command.status().context("start monban detect")?;
    // 3 is damage found in the files, which is no failure.
    ensure!(matches!(status.code(), Some(0 | 3)), "monban detect: {status}");
    Ok(())
}

pub(super) fn dump_all(program: &Path, files: &[PathBuf]) -> Result<()> {
    for file in files {
        let mut command = Command::new(program);
        command.args(["--threads", "1", "--format", "jsonl"]).arg(file);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().context("start evtx_dump")?;
        ensure!(status.success(), "evtx_dump {}: {status}", file.display());
    }
    Ok(())
}

/// On the path, or built once into the target folder.
pub(super) fn evtx_dump() -> Result<PathBuf> {
    if let Some(program) = find("evtx_dump") {
        return Ok(program);
    }
    let root = target_dir()?.join("yardsticks");
    let program = root.join("bin/evtx_dump");
    if !program.is_file() {
        let install = ["install", "evtx", "--version", YARDSTICK, "--locked", "--root"];
        shell::run(cargo(&install).arg(&root))?;
    }
    Ok(program)
}

pub(super) fn evtx_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(evtx_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("evtx")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
