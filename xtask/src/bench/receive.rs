//! A week of a firewall's lines over TCP: to rsyslog's file, to our journal alone, and through the whole program until
//! all of it can be searched.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::process::{Running, bytes_below};
use super::table::Row;
use super::{Results, growth::named, ignore_missing, queries, traffic};
use crate::shell::{find, say, target_dir};

/// A program that has not answered by then is stuck.
pub(super) const START_PATIENCE: Duration = Duration::from_mins(1);
const WORK_PATIENCE: Duration = Duration::from_mins(10);
/// … and so much more for each million lines.
const WORK_PATIENCE_PER_MILLION: Duration = Duration::from_mins(3);
/// A search for the count is an act in the journal and costs a little; asking seldom keeps it out of the figure.
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// What one receiver used.
struct Used {
    cpu: f64,
    peak_mb: f64,
    disk: u64,
}

pub(super) fn patience(events: u64) -> Duration {
    WORK_PATIENCE + WORK_PATIENCE_PER_MILLION * u32::try_from(events / 1_000_000).unwrap_or(u32::MAX)
}

pub(super) fn measure(events: u64, folder: &Path, results: &mut Results) -> Result<()> {
    fs::remove_dir_all(folder).or_else(ignore_missing)?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let frames = folder.join("frames");
    say(&format!("making {events} lines"));
    let raw = traffic::write(&frames, events)?;
    results.note(format!(
        "{} lines of {} bytes in the mean, {} days, over one TCP connection, octet counted; raw {:.0} MB",
        events,
        raw / events.max(1),
        traffic::DAYS,
        megabytes(raw)
    ));
    let rsyslog = rsyslog(&frames, events, &folder.join("rsyslog"), results)?;
    let journal = journal_only(&frames, events, &folder.join("journal-only"))?;
    let whole = whole_path(&frames, events, &folder.join("data"))?;
    rows(results, events, raw, rsyslog.as_ref(), &journal, &whole);
    queries::measure(events, &folder.join("data"), results)
}

fn rows(results: &mut Results, events: u64, raw: u64, rsyslog: Option<&Used>, journal: &Used, whole: &Whole) {
    let per_rsyslog = |figure: &str, used: &Used, must, aim| Row {
        figure: named(events, figure),
        ours: used.cpu,
        yardstick: rsyslog.map(|used| used.cpu),
        unit: "CPU s",
        // Without the yardstick the seconds alone say nothing.
        must: rsyslog.map(|_| must),
        aim: rsyslog.map(|_| aim),
    };
    let per_raw = |figure: &str, bytes: u64, must, aim| Row {
        figure: named(events, figure),
        ours: megabytes(bytes),
        yardstick: Some(megabytes(raw)),
        unit: "MB",
        must,
        aim,
    };
    let memory = |figure: &str, megabytes, must| Row {
        figure: named(events, figure),
        ours: megabytes,
        yardstick: None,
        unit: "MB",
        must,
        aim: None,
    };
    results.rows.extend([
        per_rsyslog("receive + journal with fsync / rsyslog to file", journal, 1.5, 1.0),
        per_rsyslog("whole path to searchable, rules on / rsyslog to file", &whole.used, 8.0, 5.0),
        per_raw("journal on disk / raw", whole.journal, None, None),
        per_raw("search index on disk / raw, before merging", whole.index_unmerged, None, None),
        per_raw("search index on disk / raw", whole.index, None, None),
        per_raw("journal + search index on disk / raw", whole.journal + whole.index, Some(0.30), Some(0.20)),
        per_raw("ledger on disk / raw", whole.ledger, None, None),
        memory("peak memory, receive + journal", journal.peak_mb, None),
        memory("peak memory, whole path", whole.used.peak_mb, Some(300.0)),
        memory("peak memory of its own, whole path, without mapped files", whole.own_peak_mb, None),
    ]);
    if let Some(rsyslog) = rsyslog {
        results.rows.push(per_raw("rsyslog's file on disk / raw", rsyslog.disk, None, None));
        results.rows.push(memory("peak memory, rsyslog", rsyslog.peak_mb, None));
    }
    results.note("disk is measured with closed days merged and all segments of the journal sealed, as after a day");
    results.note(format!(
        "the whole path took {:.1} s from the first byte to the last line being found, on a machine with other work",
        whole.wall.as_secs_f64()
    ));
    results.note(
        "the lines' own times are of another month than their receipt, so they lie in one partition of that month",
    );
    results.note("peak memory counts mapped files, the index's own among them");
}

#[expect(clippy::cast_precision_loss, reason = "for showing")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn send(frames: &Path, port: u16) -> Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("connect")?;
    io::copy(&mut File::open(frames)?, &mut stream).context("send")?;
    stream.shutdown(std::net::Shutdown::Write).context("end sending")
}

/// A port that nobody has just now; the programs that we start cannot tell theirs otherwise.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?.local_addr()?.port())
}

pub(super) fn is_listening(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn rsyslog(frames: &Path, events: u64, folder: &Path, results: &mut Results) -> Result<Option<Used>> {
    let Some(program) = find("rsyslogd") else {
        results.note("rsyslogd is not installed: nothing to compare receiving with (Debian: apt-get install rsyslog)");
        return Ok(None);
    };
    say("rsyslog to a file");
    fs::create_dir_all(folder)?;
    let (config, output, port) = (folder.join("rsyslog.conf"), folder.join("output.log"), free_port()?);
    fs::write(&config, rsyslog_config(folder, &output, port))?;
    let mut command = Command::new(program);
    command.arg("-n").arg("-f").arg(&config).arg("-i").arg(folder.join("pid"));
    let mut running = Running::start("rsyslogd", command.stdout(Stdio::null()))?;
    running.wait_until(START_PATIENCE, || Ok(is_listening(port)))?;
    let before = running.cpu()?;
    send(frames, port)?;
    let mut lines = Lines::of(&output);
    running.wait_until(patience(events), || Ok(lines.count()? >= events))?;
    let used = Used { cpu: running.cpu()? - before, peak_mb: running.peak_mb()?, disk: fs::metadata(&output)?.len() };
    running.stop()?;
    fs::remove_file(&output)?;
    Ok(Some(used))
}

fn rsyslog_config(folder: &Path, output: &Path, port: u16) -> String {
    format!(
        "global(workDirectory=\"{}\")\nmodule(load=\"imtcp\")\n\
         input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
         action(type=\"omfile\" file=\"{}\")\n",
        folder.display(),
        output.display()
    )
}

/// Counts the lines of a growing file, each byte once.
struct Lines {
    path: PathBuf,
    read: Option<File>,
    count: u64,
}

impl Lines {
    fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), read: None, count: 0 }
    }

    fn count(&mut self) -> Result<u64> {
        if self.read.is_none() {
            self.read = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.read else { return Ok(0) };
        let mut buffer = vec![0; 1 << 20];
        loop {
            let length = file.read(&mut buffer)?;
            let read = buffer.get(..length).unwrap_or_default();
            self.count += read.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
            if length == 0 {
                return Ok(self.count);
            }
        }
    }
}

/// The receivers and the journal of the program without what follows them: `examples/measure.rs receive`.
fn journal_only(frames: &Path, events: u64, folder: &Path) -> Result<Used> {
    say("receive and journal");
    fs::create_dir_all(folder)?;
    let mut command = Command::new(target_dir()?.join("release/examples/measure"));
    command.arg("receive").arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::start("measure receive", &mut command)?;
    let stdout = running.child.stdout.take().context("it has an output")?;
    let mut said = BufReader::new(stdout).lines();
    let port = said.next().context("it names its port")??.parse()?;
    let before = running.cpu()?;
    send(frames, port)?;
    // Each line says how many are durable; the last comes with the last record.
    let mut durable = 0;
    while durable < events {
        durable = said.next().context("it counts what is durable")??.parse()?;
    }
    let (cpu, peak_mb) = (running.cpu()? - before, running.peak_mb()?);
    ensure!(durable == events, "{durable} records are in the journal, {events} were sent");
    drop(running.child.stdin.take());
    running.stop()?;
    let used = Used { cpu, peak_mb, disk: bytes_below(folder)? };
    fs::remove_dir_all(folder)?;
    Ok(used)
}

struct Whole {
    used: Used,
    own_peak_mb: f64,
    journal: u64,
    /// Before closed partitions were merged, and after.
    index_unmerged: u64,
    index: u64,
    ledger: u64,
    wall: Duration,
}

/// `monban serve` as it is, built-in rules on, until a search finds every line.
fn whole_path(frames: &Path, events: u64, folder: &Path) -> Result<Whole> {
    say("the whole path");
    fs::create_dir_all(folder)?;
    let (port, config) = (free_port()?, folder.with_extension("toml"));
    let text = format!(
        "[pages]\nlisten = \"off\"\n[syslog.udp]\nlisten = \"off\"\n[syslog.tcp]\nlisten = \"127.0.0.1:{port}\"\n"
    );
    fs::write(&config, text)?;
    let monban = target_dir()?.join("release/monban");
    let mut command = Command::new(&monban);
    command.arg("serve").arg("--config").arg(&config).arg("--data-dir").arg(folder).stderr(Stdio::null());
    let mut running = Running::start("monban serve", &mut command)?;
    running.wait_until(START_PATIENCE, || Ok(is_listening(port)))?;
    let (before, started) = (running.cpu()?, Instant::now());
    send(frames, port)?;
    let mut asked = Instant::now();
    running.wait_until(patience(events), || {
        if asked.elapsed() < COUNT_EVERY {
            return Ok(false);
        }
        asked = Instant::now();
        Ok(count_all(&monban, folder)? >= events)
    })?;
    let (cpu, peak_mb, wall) = (running.cpu()? - before, running.peak_mb()?, started.elapsed());
    let own_peak_mb = running.own_peak_mb();
    let status = running.stop()?;
    ensure!(status.success(), "monban serve: {status}");
    let found = count_all(&monban, folder)?;
    ensure!(found == events, "{found} events can be found, {events} were sent");
    let below = |name: &str| bytes_below(&folder.join(name));
    let index_unmerged = below("index")?;
    merge(&monban, &config, folder, events)?;
    seal(&folder.join("journal"))?;
    let used = Used { cpu, peak_mb, disk: bytes_below(folder)? };
    let (journal, index, ledger) =
        (below("journal")?, below("index")?, fs::metadata(folder.join("ledger.sqlite"))?.len());
    Ok(Whole { used, own_peak_mb, journal, index_unmerged, index, ledger, wall })
}

/// A start does what a night does: what takes no more events becomes one segment.
fn merge(monban: &Path, config: &Path, folder: &Path, events: u64) -> Result<()> {
    say("merging as a night does");
    let mut command = Command::new(monban);
    command.arg("serve").arg("--config").arg(config).arg("--data-dir").arg(folder).stderr(Stdio::null());
    let mut running = Running::start("monban serve", &mut command)?;
    running.wait_until(patience(events), || is_merged(&folder.join("index")))?;
    running.stop()?;
    Ok(())
}

/// What is complete is sealed by the server itself; the last segments would be within a day.
fn seal(journal: &Path) -> Result<()> {
    say("sealing as a day does");
    let status = Command::new(target_dir()?.join("release/examples/measure")).arg("seal").arg(journal).status()?;
    ensure!(status.success(), "measure seal: {status}");
    Ok(())
}

/// Whether each partition but the last has one segment: the last may be today's.
fn is_merged(index: &Path) -> Result<bool> {
    let mut partitions: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(index)? {
        partitions.push(entry?.path());
    }
    partitions.retain(|path| path.is_dir());
    let segments = |path: &PathBuf| -> Result<usize> {
        let mut count = 0;
        for entry in fs::read_dir(path)? {
            count += usize::from(entry?.path().extension().is_some_and(|extension| extension == "idx"));
        }
        Ok(count)
    };
    let counts: Vec<usize> = partitions.iter().map(segments).collect::<Result<_>>()?;
    Ok(counts.iter().filter(|count| **count > 1).count() <= usize::from(counts.len() > 1))
}

pub(super) fn count_all(monban: &Path, folder: &Path) -> Result<u64> {
    let mut command = Command::new(monban);
    let output = command.args(["search", "--count", "--data-dir"]).arg(folder).arg("*").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("count: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_growing_file_is_counted_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut lines = Lines::of(&path);
        assert_eq!(lines.count().unwrap(), 0);
        let mut file = File::create(&path).unwrap();
        file.write_all(b"a\nb\nc").unwrap();
        assert_eq!(lines.count().unwrap(), 2);
        file.write_all(b"\n").unwrap();
        assert_eq!(lines.count().unwrap(), 3);
    }
}
