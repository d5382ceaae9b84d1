//! `cargo xtask test`: everything that must hold, with one command on a clean machine. Cheap complaints come first.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::fuzz::run_fuzz;
use crate::peers;
use crate::shell::{cargo, find, is_root, run, say, succeeds, target_dir, value};

/// What the tests talk to: the program, and the Debian package that has it.
const NEEDED: [(&str, &str); 7] = [
    ("rsyslogd", "rsyslog"),
    ("logger", "bsdutils"),
    ("openssl", "openssl"),
    ("python3", "python3"),
    ("curl", "curl"),
    ("gzip", "gzip"),
    ("zstd", "zstd"),
];
/// A module of rsyslog that Debian packs by itself, below a folder of `/usr/lib`.
const RSYSLOG_TLS: (&str, &str) = ("rsyslog/lmnsd_gtls.so", "rsyslog-gnutls");
/// Client libraries that hand logs in: the folder under target/clients where tests/e2e/ingest.rs looks for each, and
/// what pip calls it. `OpenSearch`'s third version is the same over HTTP and brings gRPC with it.
const CLIENTS: [(&str, &str); 3] = [
    ("elasticsearch8", "elasticsearch==8.19.3"),
    ("elasticsearch9", "elasticsearch==9.5.1"),
    ("opensearch2", "opensearch-py==2.8.0"),
];
/// What the parsers must reach on lines of others. Of the wrong ones most are the truth's: it takes the far end of a
/// tunnel for the near one, the time of insertion for the time of the event, or a year that lies ahead of receipt.
const SYSLOG_BAR: &str = "--min-right 95 --max-wrong 1.51 --max-invented 0";
/// The version whose configuration deny.toml is written for.
const CARGO_DENY: &str = "0.20.2";
/// Of 202 pairs 172 say how often the rule must match.
const SIGMA_BAR: &str = "--min-found 200 --min-exact 165";

pub(crate) struct Options {
    install: bool,
    shared: PathBuf,
}

impl Options {
    pub(crate) fn read(words: &[String]) -> Result<Self> {
        let mut options = Self { install: true, shared: PathBuf::from("../shared") };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--no-install" => options.install = false,
                "--shared" => options.shared = value(word, &mut words)?.into(),
                other => bail!("test does not know {other}"),
            }
        }
        Ok(options)
    }
}

/// The parts and how long each took.
#[derive(Default)]
struct Parts(Vec<(&'static str, Duration)>);

impl Parts {
    fn run(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        say(&format!("── {name}{}", room()));
        let started = Instant::now();
        let result = work();
        self.0.push((name, started.elapsed()));
        if result.is_err() {
            say(&self.table());
        }
        result.map_err(|error| error.context(name))
    }

    fn table(&self) -> String {
        let mut table = String::from("── times");
        for (name, time) in &self.0 {
            write!(table, "\n{:>7.1} s  {name}", time.as_secs_f64()).expect("a string takes text");
        }
        table
    }
}

pub(crate) fn run_check(options: &Options) -> Result<()> {
    let mut parts = Parts::default();
    parts.run("tools", || tools(options.install))?;
    parts.run("client libraries", || clients(options.install))?;
    parts.run("form", || run(&mut cargo(&["fmt", "--all", "--", "--check"])))?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    parts.run("lints", || run(&mut cargo(&clippy)))?;
    parts.run("licences and bans", || licences(options.install))?;
    // The whole workspace, so that the libraries are built once, with the features that the tests use too.
    parts.run("build", || run(&mut cargo(&["build", "--workspace", "--locked"])))?;
    if options.shared.join("tools").is_dir() {
        parts.run("score: parsers", || score(&options.shared, "score_syslog.py", SYSLOG_BAR))?;
        parts.run("score: Sigma rules", || score(&options.shared, "score_sigma.py", SIGMA_BAR))?;
    }
    parts.run("fuzzing", || run_fuzz(&crate::fuzz::Options::short()))?;
    // Last, so that the tests' own count closes what is printed.
    parts.run("tests", tests)?;
    say(&parts.table());
    Ok(())
}

/// What is left on the disk, because a build that ends for want of it does not say so plainly.
fn room() -> String {
    let output = Command::new("df").args(["--output=avail", "-BM", "."]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().nth(1).map(|free| format!(" ({} free)", free.trim())).unwrap_or_default()
}

/// Installs what is missing where we may, and else says what to install.
fn tools(install: bool) -> Result<()> {
    let missing = NEEDED.into_iter().filter(|(program, _)| find(program).is_none()).map(|(_, package)| package);
    let mut packages: Vec<&str> = missing.collect();
    // Debian's Python comes without what makes a virtual environment.
    if !succeeds("python3", &["-c", "import ensurepip"]) {
        packages.push("python3-venv");
    }
    if !has_library(RSYSLOG_TLS.0) {
        packages.push(RSYSLOG_TLS.1);
    }
    if !packages.is_empty() {
        install_packages(&packages, install)?;
    }
    peers::syslog_ng(install)
}

fn has_library(name: &str) -> bool {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().map_while(Result::ok);
    folders.into_iter().any(|folder| folder.path().join(name).is_file())
}

fn install_packages(packages: &[&str], install: bool) -> Result<()> {
    if !(install && is_root() && find("apt-get").is_some()) {
        bail!("install first: {}", packages.join(" "));
    }
    run(Command::new("apt-get").args(["update", "--quiet"]))?;
    let mut apt = Command::new("apt-get");
    apt.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
    run(apt.env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Installs the client libraries where they are missing, each in a folder of its own: two versions of one do not go
/// together. pip runs from a virtual environment of its own.
fn clients(install: bool) -> Result<()> {
    let folder = target_dir()?.join("clients");
    let missing: Vec<_> = CLIENTS.into_iter().filter(|(name, _)| !folder.join(name).is_dir()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !install {
        let wanted: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
        bail!("install first: {} into folders of {}", wanted.join(" "), folder.display());
    }
    let environment = folder.join("pip");
    run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    for (name, package) in missing {
        // Moved into place when it is whole, so that a broken download is not taken for the library.
        let arriving = folder.join(format!("{name}.part"));
        let mut pip = Command::new(environment.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target"]).arg(&arriving);
        run(pip.arg(package))?;
        fs::rename(&arriving, folder.join(name)).with_context(|| format!("put {name} in its place"))?;
    }
    Ok(())
}

/// cargo-deny looks at every platform. Where it cannot be had, that is told and is no failure: tests/tidy.rs holds the
/// same lists against what is built here.
fn licences(install: bool) -> Result<()> {
    let is_there = || succeeds("cargo", &["deny", "--version"]);
    if install && !is_there() {
        say("installing cargo-deny, about three CPU minutes, once");
        let wanted = ["install", "cargo-deny", "--version", CARGO_DENY, "--locked", "--quiet"];
        if let Err(error) = run(&mut cargo(&wanted)) {
            say(&format!("{error:#}"));
        }
    }
    if !is_there() {
        say("cargo-deny is not installed; tests/tidy.rs checks licences, bans and sources of what is built here");
        return Ok(());
    }
    run(&mut cargo(&["deny", "--locked", "check", "bans", "licenses", "sources"]))
}

fn tests() -> Result<()> {
    if succeeds("cargo", &["nextest", "--version"]) {
        return run(&mut cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]));
    }
    run(&mut cargo(&["test", "--workspace", "--locked"]))
}

/// The program as the tests run it: what it prints does not depend on how it was optimized.
fn score(shared: &Path, script: &str, bar: &str) -> Result<()> {
    let monban = target_dir()?.join("debug/monban");
    let mut command = Command::new("python3");
    command.arg(shared.join("tools").join(script)).arg("--monban").arg(monban);
    run(command.args(bar.split_whitespace()))
}
