//! Chunks made by hand for tests: records of plain binary XML (MS-EVEN6 §2.2), without templates.

#![expect(clippy::cast_possible_truncation, reason = "a sample is smaller than a chunk")]

use super::{CHUNK_BYTES, CHUNK_MAGIC, FILE_HEADER_BYTES, FILE_MAGIC};

/// 2026-10-25T03:00:00Z in hundreds of nanoseconds since 1601.
pub(crate) const WRITTEN: u64 = 134_373_708_000_000_000;

/// An element with text or children.
pub(crate) enum Xml<'a> {
    Text(&'a str, &'a str),
    /// Name, attributes, children.
    Element(&'a str, Vec<(&'a str, &'a str)>, Vec<Xml<'a>>),
}

/// A chunk of records, numbered from `first`; each is one event tree.
pub(crate) fn chunk(first: u64, events: &[Xml<'_>]) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    for (number, event) in (first..).zip(events) {
        push_record(&mut bytes, number, event);
    }
    let end = bytes.len() as u32;
    let last = first + events.len() as u64 - 1;
    bytes.resize(CHUNK_BYTES, 0);
    bytes[..8].copy_from_slice(CHUNK_MAGIC);
    for (at, value) in [(8, first), (16, last), (24, first), (32, last)] {
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    for (at, value) in [(40, 128), (44, end - 1), (48, end)] {
        bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
    }
    bytes
}

/// A file of these chunks.
pub(crate) fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0; FILE_HEADER_BYTES];
    bytes[..8].copy_from_slice(FILE_MAGIC);
    bytes[42..44].copy_from_slice(&(chunks.len() as u16).to_le_bytes());
    bytes.extend(chunks.concat());
    bytes
}

/// A logon of the Security log.
pub(crate) fn logon<'a>(user: &'a str, address: &'a str) -> Xml<'a> {
    let system = vec![
        Xml::Element("Provider", vec![("Name", "Microsoft-Windows-Security-Auditing")], vec![]),
        Xml::Text("EventID", "4624"),
        Xml::Element("TimeCreated", vec![("SystemTime", "2026-10-25T03:00:00.1234567Z")], vec![]),
        Xml::Text("EventRecordID", "77"),
        Xml::Text("Channel", "Security"),
        Xml::Text("Computer", "DC01.hospital.example"),
    ];
    let data = vec![
        Xml::Text("TargetUserName", user),
        Xml::Text("TargetDomainName", "HOSPITAL"),
        Xml::Text("LogonType", "10"),
        Xml::Text("IpAddress", address),
    ];
    Xml::Element("Event", vec![], vec![Xml::Element("System", vec![], system), Xml::Element("EventData", vec![], data)])
}

fn push_record(bytes: &mut Vec<u8>, number: u64, event: &Xml<'_>) {
    let start = bytes.len();
    bytes.extend(b"**\0\0");
    bytes.extend(0u32.to_le_bytes());
    bytes.extend(number.to_le_bytes());
    bytes.extend(WRITTEN.to_le_bytes());
    bytes.extend([0x0f, 1, 1, 0]);
    push_xml(bytes, event);
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(8) + 4, 0);
    let size = (bytes.len() - start + 4) as u32;
    bytes.extend(size.to_le_bytes());
    bytes[start + 4..start + 8].copy_from_slice(&size.to_le_bytes());
}

fn push_xml(bytes: &mut Vec<u8>, xml: &Xml<'_>) {
    match xml {
        Xml::Text(name, text) => {
            open(bytes, name, &[]);
            bytes.push(0x02);
            push_text(bytes, text);
            bytes.push(0x04);
        }
        Xml::Element(name, attributes, children) => {
            open(bytes, name, attributes);
            bytes.push(0x02);
            for child in children {
                push_xml(bytes, child);
            }
            bytes.push(0x04);
        }
    }
}

fn open(bytes: &mut Vec<u8>, name: &str, attributes: &[(&str, &str)]) {
    bytes.push(if attributes.is_empty() { 0x01 } else { 0x41 });
    bytes.extend(0u32.to_le_bytes());
    push_name(bytes, name);
    if !attributes.is_empty() {
        bytes.extend(0u32.to_le_bytes());
    }
    for (name, value) in attributes {
        bytes.push(0x06);
        push_name(bytes, name);
        push_text(bytes, value);
    }
}

/// Every name stands where it is used.
fn push_name(bytes: &mut Vec<u8>, name: &str) {
    let offset = bytes.len() as u32 + 4;
    bytes.extend(offset.to_le_bytes());
    bytes.extend([0; 6]);
    push_utf16(bytes, name);
    bytes.extend([0; 2]);
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend([0x05, 0x01]);
    push_utf16(bytes, text);
}

fn push_utf16(bytes: &mut Vec<u8>, text: &str) {
    let units: Vec<u16> = text.encode_utf16().collect();
    bytes.extend((units.len() as u16).to_le_bytes());
    bytes.extend(units.into_iter().flat_map(u16::to_le_bytes));
}
