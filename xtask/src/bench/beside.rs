//! A history imported beside live records: how soon what a device says just now is told as a finding and found by a
//! search, all the while that the import runs.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::process::Running;
use super::receive::{START_PATIENCE, count_all, free_port, is_listening, patience};
use super::table::Row;
use super::{Results, ignore_missing, traffic};
use crate::shell::{say, target_dir};

/// Promised of a record that comes in.
const ALARM_SECONDS: f64 = 2.0;
const FOUND_SECONDS: f64 = 5.0;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) fn measure(events: u64, folder: &Path, results: &mut Results) -> Result<()> {
    fs::remove_dir_all(folder).or_else(ignore_missing)?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let (history, data, config) = (folder.join("history.log"), folder.join("data"), folder.join("monban.toml"));
    say(&format!("making {events} lines of history"));
    traffic::write_lines(&history, events)?;
    let (syslog, pages) = (free_port()?, free_port()?);
    let text = format!(
        "[pages]\nlisten = \"127.0.0.1:{pages}\"\n[syslog.udp]\nlisten = \"off\"\n[syslog.tcp]\nlisten = \"127.0.0.1:{syslog}\"\n"
    );
    fs::write(&config, text)?;
    let monban = target_dir()?.join("release/monban");
    let mut serve = Command::new(&monban);
    serve.arg("serve").arg("--config").arg(&config).arg("--data-dir").arg(&data).stderr(Stdio::null());
    let mut serve = Running::start("monban serve", &mut serve)?;
    serve.wait_until(START_PATIENCE, || Ok(is_listening(syslog)))?;
    let token = token(&monban, &data)?;
    say("importing, and asking meanwhile");
    let mut import = Command::new(&monban);
    import.arg("import").arg("--data-dir").arg(&data).arg(&history).stdout(Stdio::null()).stderr(Stdio::null());
    let (started, mut import) = (Instant::now(), Running::start("monban import", &mut import)?);
    let mut device = TcpStream::connect((Ipv4Addr::LOCALHOST, syslog)).context("connect as a device")?;
    let mut slowest = (0.0_f64, 0.0_f64);
    let mut probes = 0;
    while import.child.try_wait()?.is_none() {
        ensure!(started.elapsed() < patience(events), "the import has not ended after {:?}", started.elapsed());
        let (told, found) = probe(&monban, &data, &mut device, &Asked { pages, token: &token, number: probes })?;
        slowest = (slowest.0.max(told), slowest.1.max(found));
        probes += 1;
    }
    ensure!(import.child.wait()?.success(), "monban import failed");
    let wall = started.elapsed().as_secs_f64();
    let found = count_all(&monban, &data)?;
    ensure!(found == events + probes, "{found} events can be found, {} were sent", events + probes);
    serve.stop()?;
    let row = |figure: &str, ours, must| Row {
        figure: figure.to_owned(),
        ours,
        yardstick: None,
        unit: "s",
        must: Some(must),
        aim: None,
    };
    results.rows.push(row("slowest alarm of a live record beside an import", slowest.0, ALARM_SECONDS));
    results.rows.push(row("slowest search that finds a live record beside an import", slowest.1, FOUND_SECONDS));
    results
        .note(format!("beside an import of {events} lines in {wall:.0} s: {probes} live records, one after the other"));
    Ok(())
}

fn token(monban: &Path, data: &Path) -> Result<String> {
    let mut command = Command::new(monban);
    command.args(["token", "create", "--name", "bench", "--scope", "findings:read", "--data-dir"]).arg(data);
    let output = command.output().context("create a token")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

struct Asked<'a> {
    pages: u16,
    token: &'a str,
    number: u64,
}

/// Seconds until a record that a rule speaks of was told, and until it was found.
fn probe(monban: &Path, data: &Path, device: &mut TcpStream, asked: &Asked<'_>) -> Result<(f64, f64)> {
    let host = format!("idrac{}", asked.number);
    let line = format!(
        "<166>1 - {host} - - - - Severity: Informational, Category: Audit, MessageID: LOG203, Message: The log was cleared.\n"
    );
    let sent = Instant::now();
    device.write_all(line.as_bytes())?;
    while !findings(asked)?.contains(&format!("\"{host}\"")) {
        std::thread::sleep(LOOK_EVERY);
    }
    let told = sent.elapsed().as_secs_f64();
    while count(monban, data, &format!("host:{host}"))? == 0 {
        std::thread::sleep(LOOK_EVERY);
    }
    Ok((told, sent.elapsed().as_secs_f64()))
}

fn count(monban: &Path, data: &Path, query: &str) -> Result<u64> {
    let output = Command::new(monban).args(["search", "--count", "--data-dir"]).arg(data).arg(query).output()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().context("count")
}

fn findings(asked: &Asked<'_>) -> Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, asked.pages)).context("connect to the API")?;
    write!(
        stream,
        "GET /api/v1/findings?limit=200 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
        asked.token
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("read the findings")?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{}", answer.lines().next().unwrap_or_default());
    Ok(answer)
}
