//! Other programs: found, run, told. A command that fails names itself.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Everything below runs in the repository's root, wherever it was called from.
pub(crate) fn enter_repository() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the repository")?;
    env::set_current_dir(root).with_context(|| format!("enter {}", root.display()))
}

#[expect(clippy::print_stdout, reason = "what is printed is what was asked for")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Runs a command with our own input and output, and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("start {shown}"))?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(())
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(words);
    command
}

/// The path of a program, also where `sbin` is not on the path of an ordinary user.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether a command runs and succeeds, without a word from it.
pub(crate) fn succeeds(program: &str, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    let quiet = command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Where cargo builds: two folders above this very program.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let own = env::current_exe().context("ask where xtask is")?;
    let target = own.parent().and_then(Path::parent);
    Ok(target.context("xtask is built below the target folder")?.to_owned())
}

/// Takes `--name value` out of the words that are left.
pub(crate) fn value<'a>(name: &str, words: &mut std::slice::Iter<'a, String>) -> Result<&'a str> {
    words.next().map(String::as_str).with_context(|| format!("{name} wants a value"))
}
