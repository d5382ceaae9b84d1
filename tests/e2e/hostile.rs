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

/// What stands between line feeds and NULs, without the carriage returns beside them; nothing of it looks like an
/// octet count.
fn lines_of(bytes: &[u8]) -> Vec<Vec<u8>> {
    let lines = bytes.split(|byte| matches!(byte, b'\n' | 0)).filter_map(|line| {
        let first = line.iter().position(|&byte| byte != b'\r')?;
        let last = line.iter().rposition(|&byte| byte != b'\r')?;
        Some(line[first..=last].to_vec())
    });
    lines.collect()
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
