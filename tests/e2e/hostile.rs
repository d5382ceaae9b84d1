//! Bytes that mean nothing: kept, counted and shown as what they are.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};

use crate::support::Site;
use crate::support::journal;
use crate::support::random::Random;
use crate::support::wait::wait_for;

const SEED: u64 = 7_551;
/// As many as one address may have open without being refused.
const CONNECTIONS: usize = 30;

/// Random bytes, and damaged shapes of what is known.
fn junk(random: &mut Random) -> Vec<u8> {
    let length = 1 + usize::try_from(random.below(1200)).unwrap();
    let mut bytes = random.bytes(length);
    let starts: [&[u8]; 8] = [
        b"",
        b"<34>",
        b"<34>1 2026-13-45T99:99:99Z ",
        b"<999999999999>Oct 99 ",
        b"<13>1 - - - - [a b=\"",
        b"CEF:0|||||||",
        b"date=2026-10-25 time= devname=\"",
        b"%ASA-6-113039: \xff\xfe",
    ];
    let start = starts[usize::try_from(random.below(8)).unwrap()];
    bytes.splice(0..0, start.iter().copied());
    bytes
}

#[test]
fn random_datagrams_are_kept_as_they_came() {
    let site = Site::new();
    let server = site.serve();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut random = Random::seeded(SEED);
    let mut sent = Vec::new();
    for number in 0..2000_u64 {
        let mut bytes = junk(&mut random);
        // A line feed or a NUL at its end is framing.
        bytes.push(b'.');
        socket.send_to(&bytes, server.udp()).unwrap();
        sent.push(bytes);
        if number % 100 == 99 {
            // A datagram that finds the buffer full is lost, and this test is not about that.
            wait_for("these datagrams", &true, || journal::published(&site.data()) > number);
        }
    }
    wait_for("every datagram", &2000, || site.count("*"));
    assert!(site.count("parse.status:raw") > 0);
    server.stop();
    let (records, _) = journal::records(&site.data().join("journal"));
    let kept: Vec<&[u8]> = records.values().map(|record| record.bytes.as_slice()).collect();
    assert!(kept.iter().eq(sent.iter()), "the journal holds other bytes than were sent");
}

#[test]
fn random_bytes_over_tcp_are_kept_line_by_line() {
    let site = Site::new();
    let server = site.serve();
    let mut random = Random::seeded(SEED + 1);
    let mut expected = Vec::new();
    for _ in 0..CONNECTIONS {
        let bytes: Vec<u8> = (0..30).flat_map(|_| junk(&mut random)).collect();
        TcpStream::connect(server.tcp()).unwrap().write_all(&bytes).unwrap();
        expected.extend(lines_of(&bytes));
    }
    wait_for("every line", &(expected.len() as u64), || site.count("*"));
    server.stop();
    let (records, _) = journal::records(&site.data().join("journal"));
    let mut kept: Vec<Vec<u8>> = records.into_values().map(|record| record.bytes).collect();
    kept.sort();
    expected.sort();
    assert!(kept == expected, "the journal holds other bytes than were sent");
}

/// What stands between line feeds and NULs, without the one carriage return that belongs to a line feed; nothing of it
/// looks like an octet count. Lines of nothing but carriage returns are blank.
fn lines_of(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | 0)) {
        let line = match piece {
            [line @ .., b'\r', b'\n'] | [line @ .., b'\n' | 0] | line => line,
        };
        if line.iter().any(|&byte| byte != b'\r') {
            lines.push(line.to_vec());
        }
    }
    lines
}

/// As many connections as a port scanner or a broken device may leave behind; what each holds of the system is small,
/// but there are ten times as many as one address has places.
const LEFT_OPEN: usize = 700;

#[test]
fn connections_opened_and_left_do_not_keep_a_sender_out() {
    let site = Site::new();
    let mut server = site.serve();
    server.tolerate("syslog connections were turned away");
    let mut first = TcpStream::connect(server.tcp()).unwrap();
    first.write_all(b"<13>before the flood\n").unwrap();
    wait_for("the first line", &1, || site.count("*"));
    let left: Vec<TcpStream> = (0..LEFT_OPEN).map(|_| TcpStream::connect(server.tcp()).unwrap()).collect();
    first.write_all(b"<13>during the flood\n").unwrap();
    wait_for("the line of who was there before", &2, || site.count("*"));
    // A newcomer is let in as soon as those that say nothing have been quiet for a moment.
    let mut sent = 0;
    wait_for("a newcomer", &true, || {
        let mut newcomer = TcpStream::connect(server.tcp()).unwrap();
        drop(newcomer.write_all(b"<13>newcomer\n"));
        sent += 1;
        site.count("newcomer") > 0
    });
    assert!(sent >= 1 && left.len() == LEFT_OPEN);
    server.stop();
}

#[test]
fn random_files_are_imported_as_raw_lines_and_damage_is_told() {
    let site = Site::new();
    let mut random = Random::seeded(SEED + 2);
    let text = random.bytes(300_000);
    let lines = text.split(|&byte| byte == b'\n').count() as u64 - u64::from(text.ends_with(b"\n"));
    let text = site.write("junk/a.log", text);
    let said = site.import(&[&text]).ok();
    assert_eq!(said.out, format!("accepted: {lines}, duplicate: 0, damaged: 0\n"));
    assert_eq!(site.count("*"), lines);
    assert_eq!(site.count("parse.status:raw"), lines);
    let evtx = site.write("junk/b.evtx", random.bytes(200_000));
    let said = site.import(&[&evtx]).quiet();
    assert_eq!(said.status, 3, "{said:#?}");
    assert!(said.err.contains("破損") && said.err.contains("b.evtx"), "{said:#?}");
}
