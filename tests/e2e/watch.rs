//! A watched folder beside a server: files that appear, grow, are rotated, and a folder that goes away.

use std::fs::{self, OpenOptions};
use std::io::Write;

use crate::support::Site;
use crate::support::evtx::logons;
use crate::support::lines::{assert_each_once, line, numbers};
use crate::support::wait::wait_for;

const DROP: &str = "[[watch]]\nfolder = \"drop\"\nsettle_seconds = 1\nhost = \"gw01\"\n";

fn text(mark: &str, numbers: std::ops::Range<u64>) -> String {
    numbers.map(|number| line(mark, number) + "\n").collect()
}

fn append(site: &Site, name: &str, text: &str) {
    let mut file = OpenOptions::new().append(true).open(site.path(name)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn what_is_dropped_is_found_and_what_grows_is_followed() {
    let site = Site::new();
    fs::create_dir(site.path("drop")).unwrap();
    let server = site.serve_with(DROP);
    site.write("drop/Security.evtx", logons(1, &["yamada", "sato"]));
    site.write("drop/gw.log", text("watch", 0..20));
    wait_for("what was dropped", &22, || site.count("*"));
    append(&site, "drop/gw.log", &text("watch", 20..30));
    wait_for("the tail", &32, || site.count("*"));
    fs::rename(site.path("drop/gw.log"), site.path("drop/gw.log.1")).unwrap();
    site.write("drop/gw.log", text("watch", 30..35));
    wait_for("the new log", &37, || site.count("*"));
    server.stop();
    let server = site.serve_with(DROP);
    append(&site, "drop/gw.log", &text("watch", 35..36));
    wait_for("the line behind the restart", &38, || site.count("*"));
    server.stop();
    assert_each_once(&numbers("watch", &site.search("*")), 36);
    assert!(site.search("user:yamada").iter().all(|event| event["log.file.path"].as_str().unwrap().contains("drop/")));
    assert_eq!(fs::read_to_string(site.path("drop/gw.log")).unwrap().lines().count(), 6, "the files are only read");
}

#[test]
fn a_share_that_is_not_there_is_told_once_and_waited_for() {
    let site = Site::new();
    let mut server = site.serve_with("[[watch]]\nfolder = \"share\"\nsettle_seconds = 1\n");
    server.tolerate("a watched place cannot be read");
    site.write("away/gw.log", text("share", 0..5));
    fs::rename(site.path("away"), site.path("share")).unwrap();
    wait_for("the share's log", &5, || site.count("*"));
    let said = server.stop();
    let told = said.iter().filter(|line| line.contains("a watched place cannot be read")).count();
    assert!(told <= 1, "{said:#?}");
}
