//! `monban serve` as a process: started, listened to, stopped or killed. What it writes on standard error is kept and
//! judged when it ends.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::site::program;
use super::wait::{DEADLINE, wait_until};

/// The last line that a server writes when it has begun.
const READY: &str = "  ・終了: Ctrl-C";

pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    tolerated: Vec<String>,
}

/// A line of our own log that tells of something odd, or of a panic.
pub(crate) fn is_odd(line: &str) -> bool {
    line.contains(" WARN ") || line.contains(" ERROR ") || line.contains("panicked")
}

impl Server {
    /// Returns when everything listens.
    pub(crate) fn start(config: &Path, data: &Path, disturbed: &[(&str, &str)]) -> Self {
        Self::start_or_die(config, data, disturbed)
            .unwrap_or_else(|said| panic!("the server did not begin:\n{}", said.join("\n")))
    }

    /// Returns when everything listens, or with what was said when the server ends before.
    pub(crate) fn start_or_die(config: &Path, data: &Path, disturbed: &[(&str, &str)]) -> Result<Self, Vec<String>> {
        let mut command = program();
        command.args(["serve", "--config"]).arg(config).arg("--data-dir").arg(data).envs(disturbed.iter().copied());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // The channel closes when standard error does, which is when the process has ended.
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut server = Self { child, lines, said: Vec::new(), tolerated: Vec::new() };
        while server.said.last().is_none_or(|line| line != READY) {
            match server.lines.recv_timeout(DEADLINE) {
                Ok(line) => server.said.push(line),
                Err(_) => return Err(std::mem::take(&mut server.said)),
            }
        }
        Ok(server)
    }

    /// Whether the process is gone.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Whether it has said this by now.
    pub(crate) fn has_said(&mut self, text: &str) -> bool {
        self.said.extend(self.lines.try_iter());
        self.said.iter().any(|line| line.contains(text))
    }

    /// Asks for an orderly end without waiting for it.
    pub(crate) fn terminate(&self) {
        kill(Pid::from_raw(i32::try_from(self.pid()).unwrap()), Signal::SIGTERM).unwrap();
    }

    /// Waits until it has killed itself. Gives what it said.
    #[track_caller]
    pub(crate) fn killed_itself(mut self) -> Vec<String> {
        let status = self.wait();
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "{}", self.said.join("\n"));
        self.judge();
        std::mem::take(&mut self.said)
    }

    /// Lines with this text are provoked by the test.
    pub(crate) fn tolerate(&mut self, text: &str) {
        self.tolerated.push(text.to_owned());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn udp(&self) -> SocketAddr {
        self.told_address("  syslog UDP  ")
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        self.told_address("  syslog TCP  ")
    }

    pub(crate) fn tls(&self) -> SocketAddr {
        self.told_address("  syslog TLS  ")
    }

    pub(crate) fn pages(&self) -> SocketAddr {
        self.told_address("  画面と API  http://")
    }

    /// The secret with which the first administrator is set up, where there is none yet.
    pub(crate) fn setup_secret(&self) -> Option<String> {
        let line = self.said.iter().find(|line| line.contains("合言葉 "))?;
        let rest = line.split("合言葉 ").nth(1)?;
        rest.split(' ').next().map(str::to_owned)
    }

    fn told_address(&self, label: &str) -> SocketAddr {
        let rest = self.said.iter().find_map(|line| line.strip_prefix(label)).expect("the listener was told");
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.' && letter != ':');
        rest.get(..end.unwrap_or(rest.len())).unwrap().parse().expect("an address")
    }

    /// Ends it as a service manager does; fails unless it ends well. Gives what it said.
    #[track_caller]
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.terminate();
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{}", self.said.join("\n"));
        self.judge();
        std::mem::take(&mut self.said)
    }

    /// SIGKILL: what a power cut is to a process.
    #[track_caller]
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.wait();
        self.judge();
        std::mem::take(&mut self.said)
    }

    fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_until("the server has ended", || child.try_wait().unwrap().is_some());
        self.said.extend(self.lines.iter());
        self.child.wait().unwrap()
    }

    #[track_caller]
    fn judge(&self) {
        let unexpected = |line: &&String| is_odd(line) && !self.tolerated.iter().any(|text| line.contains(text));
        let odd: Vec<&String> = self.said.iter().filter(unexpected).collect();
        assert!(odd.is_empty(), "the server said: {odd:#?}");
    }
}

impl Drop for Server {
    /// A test that failed leaves no process behind.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            self.said.extend(self.lines.iter());
            eprintln!("the server had said:\n{}", self.said.join("\n"));
        }
    }
}
