//! What a developer runs: `cargo xtask test` is the whole check, `cargo xtask fuzz` its long part, `cargo xtask bench` measures beside the yardsticks,
//! `cargo xtask assets` fetches what is too large to keep here. Nothing here is part of the program.

mod assets;
mod bench;
mod check;
mod fuzz;
mod peers;
mod shell;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask test [--no-install] [--shared DIR]
    The whole check: tools, form, lints, tests, licences, and the measured scores where DIR (../shared) holds a corpus.
cargo xtask bench [--events N[,N]...] [--evtx DIR] [--sigma DIR]... [--keep] [--only receive|udp|evtx|hunt|beside]
    Measures beside rsyslog and evtx_dump in one run, on N (1000000) lines, and prints one table; of several N, how
    everything grows too. `--only beside` imports N old lines and measures how soon live ones are found and judged.
cargo xtask fuzz [--seconds N] [--only TARGET]
    Fuzzes every reader of bytes from outside for N (600) seconds each, two at a time on two cores.
cargo xtask assets
    Fetches the country database for trying the program with it, into target/assets.";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<()> {
    shell::enter_repository()?;
    match words.split_first() {
        Some((verb, rest)) if verb == "test" => check::run_check(&check::Options::read(rest)?),
        Some((verb, rest)) if verb == "bench" => bench::run(&bench::Options::read(rest)?),
        Some((verb, rest)) if verb == "fuzz" => fuzz::run_fuzz(&fuzz::Options::read(rest)?),
        Some((verb, [])) if verb == "assets" => assets::run(),
        Some((verb, _)) if verb == "help" || verb == "--help" => {
            shell::say(HELP);
            Ok(())
        }
        _ => bail!("what to do?\n{HELP}"),
    }
}
