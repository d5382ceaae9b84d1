//! Entries as bytes. A record is a short binary header and its bytes as received; an act is JSON. Each begins with a
//! version, so that every later program reads every earlier journal.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use chrono::DateTime;
use monban_event::{Act, FileHints, FilePosition, Format, Origin, Record, RecordId, Transport};

use super::segment::Family;

const RECORD_VERSION: u8 = 1;
const ACT_VERSION: u8 = 1;

const FLAG_CUT: u8 = 1;
const FLAG_FILE: u8 = 2;
const FLAG_IDENTITY: u8 = 4;
/// Follows the file's path, as JSON.
const FLAG_HINTS: u8 = 8;
const PEER_NONE: u8 = 0;
const PEER_V4: u8 = 4;
const PEER_V6: u8 = 6;

/// What one number of the journal holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    Record(Record),
    Act(Act),
}

pub(super) fn encode_record(record: &Record, out: &mut Vec<u8>) {
    let flags = u8::from(record.cut) * FLAG_CUT
        + u8::from(record.file.is_some()) * FLAG_FILE
        + u8::from(record.identity.is_some()) * FLAG_IDENTITY
        + u8::from(hints(record).is_some()) * FLAG_HINTS;
    out.extend([
        RECORD_VERSION,
        flags,
        origin_code(record.origin),
        transport_code(record.transport),
        format_code(record.format),
    ]);
    out.extend(record.received_at.timestamp_micros().to_le_bytes());
    encode_peer(record.peer, out);
    if let Some(identity) = &record.identity {
        encode_text(identity, out);
    }
    if let Some(file) = &record.file {
        out.extend(file.import.0.to_le_bytes());
        out.extend(file.index.to_le_bytes());
        encode_text(&file.path, out);
    }
    if let Some(hints) = hints(record) {
        encode_text(&serde_json::to_string(hints).expect("hints are JSON"), out);
    }
    out.extend_from_slice(&record.bytes);
}

fn hints(record: &Record) -> Option<&FileHints> {
    record.file.as_ref()?.hints.as_deref()
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend(length.to_le_bytes());
    out.extend(text.as_bytes().iter().take(usize::from(length)));
}

fn encode_peer(peer: Option<SocketAddr>, out: &mut Vec<u8>) {
    match peer.map(|peer| (peer.ip(), peer.port())) {
        None => out.push(PEER_NONE),
        Some((IpAddr::V4(ip), port)) => {
            out.push(PEER_V4);
            out.extend(ip.octets());
            out.extend(port.to_le_bytes());
        }
        Some((IpAddr::V6(ip), port)) => {
            out.push(PEER_V6);
            out.extend(ip.octets());
            out.extend(port.to_le_bytes());
        }
    }
}

pub(super) fn encode_act(act: &Act, out: &mut Vec<u8>) {
    out.push(ACT_VERSION);
    // An act is made of strings and numbers; writing those to memory as JSON cannot fail.
    serde_json::to_writer(out, act).expect("acts are JSON");
}

/// `None` when the bytes are not an entry of that family in a version we know.
pub(super) fn decode(family: Family, body: &[u8]) -> Option<Entry> {
    match family {
        Family::Records => decode_record(body).map(Entry::Record),
        Family::Acts => {
            let (&version, json) = body.split_first()?;
            (version == ACT_VERSION).then_some(())?;
            serde_json::from_slice(json).ok().map(Entry::Act)
        }
    }
}

fn decode_record(body: &[u8]) -> Option<Record> {
    let mut reader = Reader(body);
    let [version, flags, origin, transport, format] = reader.take()?;
    (version == RECORD_VERSION).then_some(())?;
    let received_at = DateTime::from_timestamp_micros(i64::from_le_bytes(reader.take()?))?;
    let peer = decode_peer(&mut reader).ok()?;
    let identity = if flags & FLAG_IDENTITY == 0 { None } else { Some(decode_text(&mut reader)?) };
    let file = if flags & FLAG_FILE == 0 { None } else { Some(decode_file(&mut reader, flags)?) };
    Some(Record {
        received_at,
        origin: [Origin::Live, Origin::Import, Origin::Demo].into_iter().find(|&o| origin_code(o) == origin)?,
        transport: [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Http, Transport::File]
            .into_iter()
            .find(|&t| transport_code(t) == transport)?,
        peer,
        identity,
        format: [Format::Syslog, Format::EvtxChunk, Format::Json, Format::Csv]
            .into_iter()
            .find(|&f| format_code(f) == format)?,
        file,
        cut: flags & FLAG_CUT != 0,
        bytes: reader.0.to_vec(),
    })
}

/// The bytes are not an entry.
struct NotAnEntry;

fn decode_peer(reader: &mut Reader<'_>) -> Result<Option<SocketAddr>, NotAnEntry> {
    let [kind] = reader.take().ok_or(NotAnEntry)?;
    let ip: IpAddr = match kind {
        PEER_NONE => return Ok(None),
        PEER_V4 => reader.take::<4>().ok_or(NotAnEntry)?.into(),
        PEER_V6 => reader.take::<16>().ok_or(NotAnEntry)?.into(),
        _ => return Err(NotAnEntry),
    };
    let port = reader.take().ok_or(NotAnEntry)?;
    Ok(Some(SocketAddr::new(ip, u16::from_le_bytes(port))))
}

fn decode_file(reader: &mut Reader<'_>, flags: u8) -> Option<FilePosition> {
    let import = RecordId(u64::from_le_bytes(reader.take()?));
    let index = u64::from_le_bytes(reader.take()?);
    let path = decode_text(reader)?;
    let hints = if flags & FLAG_HINTS == 0 { None } else { Some(serde_json::from_str(&decode_text(reader)?).ok()?) };
    Some(FilePosition { import, path, index, hints: hints.map(Arc::new) })
}

fn decode_text(reader: &mut Reader<'_>) -> Option<Arc<str>> {
    let length = u16::from_le_bytes(reader.take()?);
    let text = reader.slice(usize::from(length))?;
    Some(Arc::from(String::from_utf8_lossy(text)))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }
}

fn origin_code(origin: Origin) -> u8 {
    match origin {
        Origin::Live => 1,
        Origin::Import => 2,
        Origin::Demo => 3,
    }
}

fn transport_code(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => 1,
        Transport::Tcp => 2,
        Transport::Tls => 3,
        Transport::Http => 4,
        Transport::File => 5,
    }
}

fn format_code(format: Format) -> u8 {
    match format {
        Format::Syslog => 1,
        Format::EvtxChunk => 2,
        Format::Json => 3,
        Format::Csv => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &Record) {
        let mut bytes = Vec::new();
        encode_record(record, &mut bytes);
        assert_eq!(decode(Family::Records, &bytes), Some(Entry::Record(record.clone())));
        for length in 0..bytes.len() - record.bytes.len() {
            assert_eq!(decode(Family::Records, &bytes[..length]), None, "cut at {length}");
        }
    }

    #[test]
    fn records_read_what_they_write() {
        let record = Record {
            received_at: DateTime::from_timestamp_micros(1_792_900_000_123_456).unwrap(),
            origin: Origin::Live,
            transport: Transport::Udp,
            peer: Some("192.0.2.1:514".parse().unwrap()),
            identity: None,
            format: Format::Syslog,
            file: None,
            bytes: vec![0x83, 0x8d, 0, 255],
            cut: true,
        };
        check(&record);
        check(&Record { peer: Some("[2001:db8::1]:6514".parse().unwrap()), cut: false, ..record.clone() });
        check(&Record { identity: Some(Arc::from("fw1.hospital.example")), ..record.clone() });
        let path = Arc::from("ログ/Security.evtx");
        let file = FilePosition { import: RecordId(7), path, index: 19, hints: None };
        let said = FileHints { year: Some(2024), zone: Some("UTC".to_owned()), host: Some("受付".to_owned()) };
        let with_hints = FilePosition { hints: Some(Arc::new(said)), ..file.clone() };
        check(&Record { file: Some(with_hints), ..record.clone() });
        check(&Record { peer: None, file: Some(file), format: Format::EvtxChunk, origin: Origin::Import, ..record });
    }

    #[test]
    fn other_bytes_are_no_entry() {
        for body in [&b""[..], b"\x02{}", b"\x01{}", b"\x01not json", b"\x01\xff"] {
            assert_eq!(decode(Family::Acts, body), None);
        }
        assert_eq!(decode(Family::Records, &[9; 64]), None);
    }
}
