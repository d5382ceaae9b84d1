//! What a process has used, as Linux tells it under /proc. See proc(5).

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Times in /proc are in hundredths of a second on every Linux since 2.6 (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;
/// How often a process is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// A process that ends with us.
pub(super) struct Running {
    pub(super) child: Child,
    name: &'static str,
    /// Most memory of its own it was seen with, without the files it has mapped, which the system takes back at will.
    own_peak_mb: f64,
}

impl Running {
    pub(super) fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("start {name}"))?;
        Ok(Self { child, name, own_peak_mb: 0.0 })
    }

    /// CPU seconds of all its threads so far, user and system.
    pub(super) fn cpu(&self) -> Result<f64> {
        times(&format!("/proc/{}/stat", self.child.id()), [14, 15])
    }

    /// Most memory it ever held, in MB, the mapped files included.
    pub(super) fn peak_mb(&self) -> Result<f64> {
        self.memory("VmHWM:")
    }

    pub(super) fn own_peak_mb(&self) -> f64 {
        self.own_peak_mb
    }

    fn memory(&self, name: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).context("read its memory")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("its memory is not told")?;
        let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().context("memory is a number")?;
        Ok(kilobytes / 1024.0)
    }

    /// Asks until `ready` says so, for at most `patience`.
    pub(super) fn wait_until(&mut self, patience: Duration, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
        let started = Instant::now();
        while !ready()? {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended early: {status}", self.name);
            }
            if started.elapsed() > patience {
                bail!("{} did not get there within {} s", self.name, patience.as_secs());
            }
            self.own_peak_mb = self.memory("RssAnon:")?.max(self.own_peak_mb);
            std::thread::sleep(ASK_EVERY);
        }
        Ok(())
    }

    /// Waits until it has ended by itself; answers how, and the most memory it was seen with, in MB.
    pub(super) fn finish(&mut self) -> Result<(ExitStatus, f64)> {
        let mut peak_mb: f64 = 0.0;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok((status, peak_mb));
            }
            // Between the question and its answer it may have ended; then the last answer stands.
            peak_mb = self.peak_mb().unwrap_or(peak_mb);
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// Asks it to end and waits.
    pub(super) fn stop(&mut self) -> Result<ExitStatus> {
        if self.child.try_wait()?.is_none() {
            let kill = Command::new("kill").arg(self.child.id().to_string()).status();
            kill.with_context(|| format!("stop {}", self.name))?;
        }
        self.child.wait().with_context(|| format!("wait for {}", self.name))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // It is going away with its measurement; that it cannot be ended twice is no news.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// CPU seconds of all children that have ended and were waited for.
pub(super) fn children_cpu() -> Result<f64> {
    times("/proc/self/stat", [16, 17])
}

fn times(path: &str, fields: [usize; 2]) -> Result<f64> {
    let stat = fs::read_to_string(path).with_context(|| format!("read {path}"))?;
    // The name in parentheses may hold blanks; behind it stands field 3.
    let behind = stat.rsplit_once(')').context("the name stands in parentheses")?.1;
    let words: Vec<&str> = behind.split_whitespace().collect();
    let tick = |field: usize| words.get(field - 3).and_then(|word| word.parse::<f64>().ok());
    let ticks: Option<f64> = fields.into_iter().map(tick).sum();
    Ok(ticks.context("times are numbers")? / TICKS_PER_SECOND)
}

/// Bytes of all files below a folder.
pub(super) fn bytes_below(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { bytes_below(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_child_has_used_time() {
        let before = children_cpu().unwrap();
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        assert!(Command::new("sh").args(["-c", busy]).status().unwrap().success());
        assert!(children_cpu().unwrap() > before);
    }

    #[test]
    fn a_child_that_ends_early_is_told() {
        let mut running = Running::start("true", &mut Command::new("true")).unwrap();
        let error = running.wait_until(Duration::from_mins(1), || Ok(false)).unwrap_err();
        assert!(error.to_string().starts_with("true ended early"), "{error}");
    }

    #[test]
    fn folders_are_counted_to_the_bottom() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/c"), b"12345").unwrap();
        fs::write(dir.path().join("d"), b"12").unwrap();
        assert_eq!(bytes_below(dir.path()).unwrap(), 7);
    }
}
