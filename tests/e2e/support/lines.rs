//! Syslog lines that can be told apart afterwards: each carries the mark of its run and a number.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};

use monban_event::time::rfc3339;
use monban_event::{Clock, SystemClock};
use serde_json::Value;

/// Of so many lines one is a failed logon.
pub(crate) const FAILURES: u64 = 250;

/// Line `number` of the run `mark`, with today's time. One in [`FAILURES`] is a failed logon, so
/// that rules have work.
pub(crate) fn line(mark: &str, number: u64) -> String {
    let now = rfc3339(SystemClock.now());
    if number % FAILURES == FAILURES - 1 {
        let host = 1 + number / FAILURES % 7;
        return format!(
            "<38>1 {now} gw01 sshd 811 - - Failed password for invalid user {mark}n{number:07} from 198.51.100.{host} port 40022 ssh2"
        );
    }
    format!("<14>1 {now} app01 reception 77 - - {mark}n{number:07} 受付しました")
}

/// Sends lines `numbers` of a run over one TCP connection, a line feed behind each, and closes it.
pub(crate) fn send_tcp(to: SocketAddr, mark: &str, numbers: std::ops::Range<u64>) -> io::Result<()> {
    let mut stream = io::BufWriter::new(TcpStream::connect(to)?);
    for number in numbers {
        stream.write_all(line(mark, number).as_bytes())?;
        stream.write_all(b"\n")?;
    }
    stream.flush()
}

/// The numbers of the run that stand in these events, in their order.
pub(crate) fn numbers(mark: &str, events: &[Value]) -> Vec<u64> {
    events.iter().filter_map(|event| number(mark, event["message"].as_str()?)).collect()
}

/// The number of the run that a line carries.
pub(crate) fn number(mark: &str, text: &str) -> Option<u64> {
    let rest = text.split(&format!("{mark}n")).nth(1)?;
    rest.get(..7)?.parse().ok()
}

/// Fails unless every one of `0..count` is there exactly once.
#[track_caller]
pub(crate) fn assert_each_once(found: &[u64], count: u64) {
    let distinct: BTreeSet<u64> = found.iter().copied().collect();
    let missing: Vec<u64> = (0..count).filter(|number| !distinct.contains(number)).take(10).collect();
    assert!(missing.is_empty(), "of {count} lines {} are there, missing {missing:?} …", distinct.len());
    assert_eq!(found.len(), distinct.len(), "some of {count} lines are there twice");
    assert_eq!(found.len() as u64, count, "there are lines that were never sent");
}
