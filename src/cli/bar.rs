//! How far a long reading is: one line that a terminal shows over and over. Where nobody watches, in a pipe or a log
//! file, nothing is written.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Between two drawings: smooth to the eye, nothing for the processor.
const REDRAW: Duration = Duration::from_millis(200);
/// Before this a rate says nothing.
const RATE_AFTER: Duration = Duration::from_secs(1);
const WIDTH: usize = 24;

pub(crate) struct Bar {
    is_watched: bool,
    started: Instant,
    drawn: Option<Instant>,
}

impl Bar {
    pub(crate) fn new() -> Self {
        Self { is_watched: io::stderr().is_terminal(), started: Instant::now(), drawn: None }
    }

    /// Shows `done` of `total` bytes, now and then.
    pub(crate) fn move_to(&mut self, done: u64, total: u64) {
        if !self.is_watched || self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            return;
        }
        self.drawn = Some(Instant::now());
        write_over(&format!("読込 {}", text(done, total, self.started.elapsed())));
    }

    /// Takes the line away, so that other lines can be written.
    pub(crate) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            write_over("");
        }
    }

    /// Writes a line where the bar stands; the bar comes back below it.
    pub(crate) fn say(&mut self, line: &str) {
        self.clear();
        eprintln!("{line}");
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

fn write_over(line: &str) {
    let mut terminal = io::stderr().lock();
    // A terminal that is gone leaves nobody to tell.
    drop(write!(terminal, "\r{line}\x1b[K").and_then(|()| terminal.flush()));
}

fn text(done: u64, total: u64, elapsed: Duration) -> String {
    let done = done.min(total);
    let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
    let filled = usize::try_from(percent).unwrap_or(100) * WIDTH / 100;
    let bar = format!("{}{}", "=".repeat(filled), " ".repeat(WIDTH - filled));
    format!("[{bar}] {percent:>3}%  {} / {}{}", bytes(done), bytes(total), pace(done, total, elapsed))
}

/// Rate and time left, once they mean something.
fn pace(done: u64, total: u64, elapsed: Duration) -> String {
    if elapsed < RATE_AFTER || done == 0 {
        return String::new();
    }
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = done.saturating_mul(1000) / milliseconds;
    let left = (total - done).checked_div(rate).unwrap_or(0);
    format!("  {}/s  残り {}", bytes(rate), clock(left))
}

/// `1.2 GB`: tenths from a thousand bytes on.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let (mut tenths, mut unit) = (count.saturating_mul(10), 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{count} {name}") } else { format!("{}.{} {name}", tenths / 10, tenths % 10) }
}

fn clock(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{:02}", seconds % 60)
    } else {
        format!("{minutes:02}:{:02}", seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_part_rate_and_time_left() {
        let line = text(1_500_000_000, 3_000_000_000, Duration::from_secs(15));
        assert_eq!(line, "[============            ]  50%  1.5 GB / 3.0 GB  100.0 MB/s  残り 00:15");
        assert_eq!(text(0, 10, Duration::ZERO), "[                        ]   0%  0 B / 10 B");
        assert_eq!(text(5, 0, Duration::from_secs(9)), "[========================] 100%  0 B / 0 B");
        assert!(text(1, u64::MAX, Duration::from_hours(1)).contains("残り"));
        assert_eq!(clock(3_725), "1:02:05");
    }

    #[test]
    fn nobody_watches_a_pipe() {
        let mut bar = Bar { is_watched: false, started: Instant::now(), drawn: None };
        bar.move_to(1, 2);
        assert!(bar.drawn.is_none());
    }
}
