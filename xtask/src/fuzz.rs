//! `cargo xtask fuzz`: libFuzzer over everything that reads bytes from outside. Each run begins with our own samples and
//! ends after a fixed time; a finding stops everything and names the file that repeats it.
//!
//! The parsers share one target and run once a format, each beginning with the lines of that format alone: coverage
//! then grows from inside it.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::shell::{cargo, run, say, target_dir, value};

const SEEDS: &str = "fuzz/seeds";
/// The target that runs once a format.
const PARSER: &str = "parser";
const TARGETS: [&str; 8] =
    ["syslog_framing", "header", "text_decode", "redact", "evtx_recover", "windows_json", "csv_row", PARSER];
/// How libFuzzer sees which way an input went: the switches that `cargo fuzz` gives, without a sanitizer, since the
/// program forbids unsafe code. They are the compiler's unstable ones; nothing else of this project asks for them.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-sanitizer-coverage-stack-depth \
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0 -Ccodegen-units=1 --cfg fuzzing";
/// Longest input, in bytes: an EVTX chunk behind a file header is the largest thing that any target reads.
const INPUT_BYTES_MAX: usize = 70_000;
/// An input that takes longer is a finding, in seconds: nothing from outside may hold up the line behind it.
const INPUT_SECONDS_MAX: u32 = 5;
/// More memory than this is a finding, in MiB.
const MEMORY_MIB_MAX: u32 = 1024;

pub(crate) struct Options {
    seconds: u32,
    only: Option<String>,
}

impl Options {
    pub(crate) fn read(words: &[String]) -> Result<Self> {
        let mut options = Self { seconds: 600, only: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--seconds" => {
                    options.seconds = value(word, &mut words)?.parse().context("--seconds wants a number")?;
                }
                "--only" => options.only = Some(value(word, &mut words)?.to_owned()),
                other => bail!("fuzz does not know {other}"),
            }
        }
        Ok(options)
    }

    /// What CI has time for.
    pub(crate) fn short() -> Self {
        Self { seconds: 10, only: None }
    }
}

/// One target over one corpus.
struct Job {
    target: &'static str,
    /// `parser-fortigate`, or the target's own name.
    name: String,
    corpus: PathBuf,
}

pub(crate) fn run_fuzz(options: &Options) -> Result<()> {
    let (folder, host) = (target_dir()?.join("fuzz"), host()?);
    // With a target named, the switches go to the programs and not to what runs while they are built.
    let mut build = cargo(&["build", "--manifest-path", "fuzz/Cargo.toml", "--release", "--bins", "--target", &host]);
    run(build.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", COVERAGE).env("CARGO_TARGET_DIR", &folder))?;
    let mut jobs = jobs(&folder)?;
    jobs.retain(|job| options.only.as_ref().is_none_or(|only| job.name.starts_with(only.as_str())));
    if jobs.is_empty() {
        bail!("no such target; there are {}", TARGETS.join(" "));
    }
    run_all(jobs.into(), &folder.join(host).join("release"), options.seconds)
}

/// The name of the machine's own platform.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("ask rustc for its platform")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names its platform")?;
    Ok(host.to_owned())
}

fn jobs(folder: &Path) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for target in TARGETS {
        if target == PARSER {
            jobs.extend(parser_jobs(folder)?);
            continue;
        }
        let corpus = folder.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        for seed in files(&Path::new(SEEDS).join(target))? {
            let name = seed.file_name().context("a seed has a name")?;
            fs::copy(&seed, corpus.join(name))?;
        }
        jobs.push(Job { target, name: target.to_owned(), corpus });
    }
    Ok(jobs)
}

/// One job a format: its file of lines becomes a folder of inputs.
fn parser_jobs(folder: &Path) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for lines in files(&Path::new(SEEDS).join(PARSER))? {
        let format = lines.file_stem().context("a file of lines has a name")?.to_string_lossy().into_owned();
        let name = format!("{PARSER}-{format}");
        let corpus = folder.join("corpus").join(&name);
        fs::create_dir_all(&corpus)?;
        for (number, line) in fs::read(&lines)?.split(|byte| *byte == b'\n').enumerate() {
            fs::write(corpus.join(format!("seed-{number}")), line)?;
        }
        jobs.push(Job { target: PARSER, name, corpus });
    }
    Ok(jobs)
}

/// The files of a folder, sorted; none where there is no folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries: std::io::Result<Vec<_>> = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut files = entries.with_context(|| format!("list {}", folder.display()))?;
    files.sort();
    Ok(files)
}

/// As many at a time as there are cores.
fn run_all(mut waiting: VecDeque<Job>, binaries: &Path, seconds: u32) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    say(&format!("{} runs of {seconds} s, {cores} at a time", waiting.len()));
    let mut running = VecDeque::new();
    while !waiting.is_empty() || !running.is_empty() {
        while running.len() < cores
            && let Some(job) = waiting.pop_front()
        {
            running.push_back((start(&job, binaries, seconds)?, job));
        }
        // They all run equally long, so the oldest is the first to end.
        if let Some((child, job)) = running.pop_front() {
            finish(child, &job)?;
        }
    }
    Ok(())
}

fn log_of(job: &Job) -> PathBuf {
    job.corpus.with_file_name(format!("{}.log", job.name))
}

fn start(job: &Job, binaries: &Path, seconds: u32) -> Result<Child> {
    let log = fs::File::create(log_of(job))?;
    let artifacts = job.corpus.with_file_name(format!("{}-finding-", job.name));
    let mut command = Command::new(binaries.join(job.target));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
        .arg(format!("-artifact_prefix={}", artifacts.display()))
        .arg(&job.corpus)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command.spawn().with_context(|| format!("start {}", job.name))
}

fn finish(mut child: Child, job: &Job) -> Result<()> {
    let status = child.wait()?;
    let log = String::from_utf8_lossy(&fs::read(log_of(job))?).into_owned();
    if !status.success() {
        let tail: Vec<&str> = log.lines().filter(|line| !line.starts_with('#')).rev().take(20).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        bail!("{}: a finding ({status})\n{}", job.name, tail.join("\n"));
    }
    let done = log.lines().rev().find(|line| line.starts_with("Done ")).unwrap_or("");
    say(&format!("{:24} {done}", job.name));
    Ok(())
}
