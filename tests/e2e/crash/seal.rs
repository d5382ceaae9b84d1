//! Sealing, killed and left without room at each of its steps: the raw segment goes only when the sealed one is as good.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

use monban_index::fail::POINTS;

use crate::support::lines::{line, send_tcp};
use crate::support::wait::wait_for;
use crate::support::{Server, Site, journal, wait_until};

/// Long lines, so that a segment of 64 MiB is soon complete.
const LONG_BYTES: usize = 60_000;
const LONG_LINES: u64 = 1_150;

pub(super) fn is_of_sealing(name: &str) -> bool {
    name.starts_with("journal.seal.")
}

/// A site whose first segment is complete, and cannot be sealed while the server runs.
fn site_to_be_sealed() -> Site {
    let site = Site::new();
    let full = site.write("full", "");
    let disturbed =
        [("MONBAN_FAIL_ERR", "journal.seal.create:1:ENOSPC"), ("MONBAN_FAIL_WHILE", full.to_str().unwrap())];
    let mut server = site.serve_disturbed(&site.data(), &disturbed).unwrap();
    tolerate(&mut server);
    let mut stream = TcpStream::connect(server.tcp()).unwrap();
    for number in 0..LONG_LINES {
        stream.write_all(format!("{} {}\n", line("long", number), "x".repeat(LONG_BYTES)).as_bytes()).unwrap();
    }
    drop(stream);
    wait_for("the long lines", &LONG_LINES, || site.count("*"));
    wait_until("sealing was refused", || server.has_said("FAIL POINT REACHED name=\"journal.seal.create\""));
    server.stop();
    assert_eq!(segments(&site.data()), (2, 0));
    site
}

fn tolerate(server: &mut Server) {
    for text in ["FAIL POINT", "a segment could not be sealed", "an unfinished last write was cut off"] {
        server.tolerate(text);
    }
}

/// Raw and sealed segments of records.
fn segments(data: &Path) -> (usize, usize) {
    let names = fs::read_dir(data.join("journal/records")).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    let count = |end: &str| names.iter().filter(|name| name.ends_with(end)).count();
    (count(".seg"), count(".seal"))
}

#[test]
fn sealing_that_is_killed_or_finds_no_room_at_any_step_loses_nothing() {
    let site = site_to_be_sealed();
    let (records, _) = journal::records(&site.data().join("journal"));
    for name in POINTS.iter().filter(|name| is_of_sealing(name)) {
        for variable in ["MONBAN_FAIL_AT", "MONBAN_FAIL_ERR"] {
            let data = site.path(&format!("{variable}-{name}"));
            journal::copy_folder(&site.data(), &data);
            disturb(&site, &data, &[(variable, *name)]);
            undisturbed(&site, &data);
            let (kept, _) = journal::records(&data.join("journal"));
            assert!(kept == records, "{variable}={name}");
            fs::remove_dir_all(&data).unwrap();
        }
    }
}

/// A start that meets the armed place while it seals.
fn disturb(site: &Site, data: &Path, armed: &[(&str, &str)]) {
    let Ok(mut server) = site.serve_disturbed(data, armed) else { return };
    tolerate(&mut server);
    if armed.iter().any(|(variable, _)| *variable == "MONBAN_FAIL_AT") {
        wait_until("it has killed itself", || server.has_ended());
        server.killed_itself();
        return;
    }
    wait_until("it has met the place", || server.has_said("FAIL POINT REACHED"));
    // What comes in meanwhile is taken as ever.
    send_tcp(server.tcp(), "meanwhile", 0..0).unwrap();
    server.stop();
}

/// The next start seals, and everything is as it was written.
fn undisturbed(site: &Site, data: &Path) {
    let mut server = site.serve_on(data);
    server.tolerate("an unfinished last write was cut off");
    wait_for("the sealed segment", &(1, 1), || segments(data));
    server.stop();
    site.verb_on(data, "verify", &[]).ok();
}
