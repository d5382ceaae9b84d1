//! Beginning and ending: one server a directory, nothing lost by an orderly end.

use std::net::UdpSocket;

use crate::support::journal::{published, searches};
use crate::support::lines::{assert_each_once, line, numbers, send_tcp};
use crate::support::wait::wait_for;
use crate::support::{Site, wait_until};

#[test]
fn a_server_begins_on_nothing_and_tells_where_it_listens() {
    let site = Site::new();
    let server = site.serve();
    assert!(server.tcp().ip().is_loopback() && server.tcp().port() != 0);
    assert!(server.udp().ip().is_loopback() && server.udp().port() != 0);
    assert_ne!(server.pages().port(), 0);
    assert!(site.data().join("control.sock").try_exists().unwrap());
    let said = server.stop();
    assert!(said[0].starts_with("門番 ") && said[0].contains("みなと病院"), "{said:#?}");
    assert!(!site.data().join("control.sock").try_exists().unwrap(), "an orderly end takes its socket away");
}

#[test]
fn a_second_server_is_refused_with_the_first_ones_pid() {
    let site = Site::new();
    let server = site.serve();
    let config = site.path("monban.toml");
    let said = site.run(["serve", "--config", config.to_str().unwrap(), "--data-dir", site.data().to_str().unwrap()]);
    assert_eq!(said.status, 2, "{said:#?}");
    assert!(said.err.contains(&format!("プロセス番号 {}", server.pid())), "{said:#?}");
    assert_eq!(site.count("*"), 0, "the first one still answers");
    server.stop();
}

#[test]
fn an_orderly_end_leaves_everything_searchable_without_a_server() {
    let site = Site::new();
    let server = site.serve();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..100 {
        socket.send_to(line("orderly", number).as_bytes(), server.udp()).unwrap();
    }
    wait_for("the datagrams", &100, || site.count("*"));
    let before = published(&site.data());
    send_tcp(server.tcp(), "orderly", 100..600).unwrap();
    wait_for("the lines in the journal", &(before + 500), || published(&site.data()));
    server.stop();
    assert_each_once(&numbers("orderly", &site.search("*")), 600);
}

#[test]
fn a_stopped_server_begins_again_where_it_was() {
    let site = Site::new();
    for round in 0..3 {
        let server = site.serve();
        send_tcp(server.tcp(), "again", round * 50..(round + 1) * 50).unwrap();
        wait_until("this round is searchable", || site.count("*") == (round + 1) * 50);
        server.stop();
    }
    assert_each_once(&numbers("again", &site.search("*")), 150);
}

#[test]
fn every_search_is_in_the_trail_once_with_and_without_a_server() {
    let site = Site::new();
    let server = site.serve();
    site.count("user:tanaka");
    server.stop();
    site.count("user:sato");
    assert_eq!(searches(&site.data()), ["user:tanaka", "user:sato"]);
}
