//! A storm of lines while people search.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::Site;
use crate::support::lines::{FAILURES, assert_each_once, numbers, send_tcp};
use crate::support::wait::wait_for;

/// As much as a hospital of 300 beds sends in three hours.
const LINES: u64 = 100_000;
/// Connections that send it side by side.
const CONNECTIONS: u64 = 4;

#[test]
fn a_hundred_thousand_lines_arrive_once_each_while_people_search() {
    let site = Site::new();
    let server = site.serve();
    let to = server.tcp();
    let sending = AtomicBool::new(true);
    let counts = std::thread::scope(|scope| {
        let searching = scope.spawn(|| search_meanwhile(&site, &sending));
        let share = LINES / CONNECTIONS;
        let senders: Vec<_> = (0..CONNECTIONS)
            .map(|sender| scope.spawn(move || send_tcp(to, "storm", sender * share..(sender + 1) * share).unwrap()))
            .collect();
        for sender in senders {
            sender.join().unwrap();
        }
        wait_for("all lines to be searchable", &LINES, || site.count("*"));
        sending.store(false, Ordering::Release);
        searching.join().unwrap()
    });
    assert!(counts.is_sorted(), "what was found once stays found: {counts:?}");
    let found = site.search("*");
    assert_each_once(&numbers("storm", &found), LINES);
    assert_eq!(site.count("受付"), LINES - LINES / FAILURES);
    assert_eq!(site.count("event.action:login outcome:failure"), LINES / FAILURES);
    server.stop();
}

/// Searches until the storm is over; gives what the searches found, in their order.
fn search_meanwhile(site: &Site, sending: &AtomicBool) -> Vec<u64> {
    let mut counts = vec![site.count("受付")];
    while sending.load(Ordering::Acquire) {
        counts.push(site.count("受付"));
    }
    counts
}
