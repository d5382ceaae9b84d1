//! How much a burst of datagrams loses: sent at a steady rate by a second process, received and journaled with fsync,
//! and every datagram accounted for by the kernel's own count and ours.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::process::Running;
use super::table::Row;
use super::{Results, ignore_missing};
use crate::shell::{run, say, target_dir};

/// Datagrams a second, and how many in a hundred may be lost with 8 MiB of buffer granted.
const RATES: [(u64, f64); 3] = [(10_000, 0.0), (50_000, 1.0), (100_000, 5.0)];
const SECONDS: u64 = 10;
const WANTED_BUFFER: u64 = 8 << 20;

pub(super) fn measure(folder: &Path, results: &mut Results) -> Result<()> {
    for (rate, most) in RATES {
        say(&format!("{rate} datagrams a second for {SECONDS} s"));
        let folder = folder.join("udp");
        fs::remove_dir_all(&folder).or_else(ignore_missing)?;
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let burst = burst(rate, &folder)?;
        fs::remove_dir_all(&folder)?;
        results.rows.push(Row {
            figure: format!("UDP loss at {rate} a second"),
            ours: burst.lost_percent(),
            yardstick: None,
            unit: "%",
            must: (burst.granted >= WANTED_BUFFER).then_some(most),
            aim: None,
        });
        results.note(burst.text(rate));
        burst.check()?;
    }
    Ok(())
}

/// What became of a burst.
struct Burst {
    granted: u64,
    sent: u64,
    /// The kernel's count for this socket, read by us from its table.
    kernel: u64,
    /// The same, as the receiver counted it.
    kernel_told: u64,
    received: u64,
    stored: u64,
    ring: u64,
    refused: u64,
    cpu: f64,
}

impl Burst {
    #[expect(clippy::cast_precision_loss, reason = "for showing")]
    fn lost_percent(&self) -> f64 {
        (self.sent - self.stored) as f64 * 100.0 / self.sent.max(1) as f64
    }

    fn text(&self, rate: u64) -> String {
        format!(
            "UDP at {rate} a second: sent {}, stored {}, dropped by the kernel {}, by the ring {}, refused {}; {} KiB of \
             buffer granted; {:.2} CPU s to receive and journal",
            self.sent,
            self.stored,
            self.kernel,
            self.ring,
            self.refused,
            self.granted / 1024,
            self.cpu
        )
    }

    /// Every datagram is accounted for.
    fn check(&self) -> Result<()> {
        let lost = self.ring + self.refused;
        ensure!(self.kernel_told == self.kernel, "the kernel dropped {}, we say {}", self.kernel, self.kernel_told);
        ensure!(self.received == self.stored + lost, "{} received, {} stored", self.received, self.stored);
        ensure!(
            self.sent == self.stored + self.kernel + lost,
            "sent {} is not stored {} + kernel {} + ours {lost}",
            self.sent,
            self.stored,
            self.kernel
        );
        Ok(())
    }
}

fn burst(rate: u64, folder: &Path) -> Result<Burst> {
    let measure = target_dir()?.join("release/examples/measure");
    let mut command = Command::new(&measure);
    command.arg("datagrams").arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::start("measure datagrams", &mut command)?;
    let stdout = running.child.stdout.take().context("it has an output")?;
    let mut said = BufReader::new(stdout).lines();
    let (port, granted) = (number(&mut said)?, number(&mut said)?);
    let before = running.cpu()?;
    run(Command::new(&measure).args(["send", &port.to_string(), &rate.to_string(), &SECONDS.to_string()]))?;
    let kernel = drops_of(port)?;
    let cpu = running.cpu()? - before;
    // Its input ends: it takes what the kernel still holds, and counts.
    drop(running.child.stdin.take());
    let mut next = || number(&mut said);
    let (received, stored, kernel_told, ring, refused) = (next()?, next()?, next()?, next()?, next()?);
    running.stop()?;
    Ok(Burst { granted, sent: rate * SECONDS, kernel, kernel_told, received, stored, ring, refused, cpu })
}

fn number(said: &mut Lines<BufReader<ChildStdout>>) -> Result<u64> {
    said.next().context("it says a number")??.parse().context("it says a number")
}

/// The drops of the socket on this port of the loopback address; see proc(5).
fn drops_of(port: u64) -> Result<u64> {
    let table = fs::read_to_string("/proc/net/udp").context("read the kernel's table")?;
    drops_in(&table, port).with_context(|| format!("port {port} is not in the kernel's table"))
}

fn drops_in(table: &str, port: u64) -> Option<u64> {
    let address = format!("0100007F:{port:04X}");
    let line = table.lines().find(|line| line.split_whitespace().nth(1) == Some(&address))?;
    line.split_whitespace().nth(12)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sockets_drops_are_found_by_its_port() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n \
                     1929: 0100007F:A79A 00000000:0000 07 00000000:00001D40 00:00000000 00000000     0        0 665266 2 00000000c880a769 291\n";
        assert_eq!((drops_in(table, 0xA79A), drops_in(table, 1)), (Some(291), None));
    }
}
