//! Monban（門番）: receives, keeps, searches and audits the access logs of a hospital. Start reading at `pipeline.rs`.

mod archive;
mod certificate;
mod cli;
mod config;
mod context;
mod control;
mod demo;
mod duplicate;
mod explain;
mod hunt;
mod import;
mod night;
mod node;
mod pipeline;
mod progress;
mod rebuild;
mod redetect;
mod rulebook;
mod search;
mod selfcheck;
mod serve;
mod tally;
mod upload;
mod verbs;
mod watch;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// Events are made by the threads that parse and freed by the one that indexes; the C library's allocator spends a sixth
/// of all our time on that.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    start_log();
    if let Err(error) = monban_index::fail::arm_from_environment() {
        eprintln!("{error}");
        return ExitCode::from(verbs::EXIT_FAILED);
    }
    match cli::run(cli::Cli::parse()) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("{}", error_chain(error.as_ref()));
            ExitCode::from(verbs::EXIT_FAILED)
        }
    }
}

/// Our own log goes to standard error: what we did, never what a record says. `MONBAN_LOG` changes the level.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("MONBAN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,monban=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}

/// An error and what caused it, on one line.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = Vec::new();
    for text in causes.map(ToString::to_string) {
        // A transparent error repeats its cause word for word.
        if texts.last() != Some(&text) {
            texts.push(text);
        }
    }
    texts.join(": ")
}
