//! A hospital's machine: a folder with a data directory, a configuration and whatever files a test puts there.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::Server;

/// Every listener on a port of its own.
const LISTEN: &str = "[pages]\nlisten = \"127.0.0.1:0\"\n[syslog.udp]\nlisten = \"127.0.0.1:0\"\n[syslog.tcp]\nlisten = \
                      \"127.0.0.1:0\"\n";

pub(crate) struct Site {
    root: TempDir,
}

/// What a verb said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
        let said = Self {
            status: output.status.code().expect("no signal ended it"),
            out: text(&output.stdout),
            err: text(&output.stderr),
        };
        assert!(!said.err.contains("panicked"), "{}", said.err);
        said
    }

    /// Fails unless it went well and nothing was odd.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, 0, "{self:#?}");
        self.quiet()
    }

    /// Fails if our own log speaks of something odd.
    #[track_caller]
    pub(crate) fn quiet(self) -> Self {
        let odd = self.err.lines().find(|line| super::server::is_odd(line));
        assert_eq!(odd, None, "{self:#?}");
        self
    }

    pub(crate) fn jsonl(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

impl Site {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn serve(&self) -> Server {
        self.serve_on(&self.data())
    }

    /// Serves another directory of this place.
    pub(crate) fn serve_on(&self, data: &Path) -> Server {
        self.serve_so(data, "")
    }

    /// Serves with further tables in the configuration.
    pub(crate) fn serve_with(&self, tables: &str) -> Server {
        self.serve_so(&self.data(), tables)
    }

    /// Serves a run that is disturbed at fail points, or gives what was said by one that ended before it began.
    pub(crate) fn serve_disturbed(&self, data: &Path, disturbed: &[(&str, &str)]) -> Result<Server, Vec<String>> {
        Server::start_or_die(&self.config(""), data, disturbed)
    }

    fn serve_so(&self, data: &Path, tables: &str) -> Server {
        Server::start(&self.config(tables), data, &[])
    }

    fn config(&self, tables: &str) -> PathBuf {
        self.write("monban.toml", format!("{LISTEN}[site]\nname = \"みなと病院\"\n{tables}"))
    }

    /// Runs the program with these arguments.
    pub(crate) fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Said {
        Said::of(&self.command(arguments).output().unwrap())
    }

    pub(crate) fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = program();
        command.args(arguments).current_dir(self.root.path());
        command
    }

    /// Runs a verb on the data directory.
    pub(crate) fn verb(&self, verb: &str, arguments: &[&str]) -> Said {
        self.verb_on(&self.data(), verb, arguments)
    }

    pub(crate) fn verb_on(&self, data: &Path, verb: &str, arguments: &[&str]) -> Said {
        let data = data.to_str().unwrap();
        self.run(verb.split(' ').chain(["--data-dir", data]).chain(arguments.iter().copied()))
    }

    pub(crate) fn count(&self, query: &str) -> u64 {
        let said = self.verb("search", &["--count", query]).ok();
        said.out.trim().parse().expect("a number")
    }

    /// Every event that the query finds.
    pub(crate) fn search(&self, query: &str) -> Vec<Value> {
        self.search_on(&self.data(), query)
    }

    pub(crate) fn search_on(&self, data: &Path, query: &str) -> Vec<Value> {
        let said = self.verb_on(data, "search", &["--format", "jsonl", "--limit", "100000000", query]).quiet();
        let found = said.jsonl();
        assert_eq!(said.status, i32::from(found.is_empty()), "{said:#?}");
        found
    }

    /// Whether the journal of the data directory is what was written.
    pub(crate) fn verify(&self, arguments: &[&str]) -> Said {
        self.verb("verify", arguments)
    }

    /// Changes a file below the data directory.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.data().join(name);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
    }

    pub(crate) fn import(&self, paths: &[&Path]) -> Said {
        let paths: Vec<&str> = paths.iter().map(|path| path.to_str().unwrap()).collect();
        self.verb("import", &paths)
    }
}

/// The program under test, with the log at its usual level.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_monban"));
    for variable in ["MONBAN_LOG", "MONBAN_FAIL_AT", "MONBAN_FAIL_ERR", "MONBAN_FAIL_WHILE"] {
        command.env_remove(variable);
    }
    command
}
