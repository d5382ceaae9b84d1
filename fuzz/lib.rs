//! What the fuzz targets share: a record of the bytes, and what must hold for every event whatever they were.

use std::net::IpAddr;

use monban_event::{Event, Field, Format, Origin, Record, Transport, limits};

/// A record of these bytes, received at a fixed moment so that a finding can be repeated.
pub fn record(format: Format, bytes: &[u8]) -> Record {
    Record {
        received_at: chrono::DateTime::from_timestamp(1_772_496_000, 0).expect("a moment of this century"),
        origin: Origin::Live,
        transport: Transport::Udp,
        peer: Some((IpAddr::from([192, 0, 2, 1]), 514).into()),
        identity: None,
        format,
        file: None,
        bytes: bytes.to_vec(),
        cut: false,
    }
}

/// What holds for an event of any record: bounded, with a time and a status, and written as JSON without a hitch.
pub fn check(event: &Event) {
    assert!(event.event_time.is_some() && event.time_rule.is_some(), "an event has a time and says whence");
    assert!(event.parse_status.is_some(), "an event says how much of it was understood");
    assert!(event.native.len() <= limits::NATIVE_FIELDS_MAX);
    assert!(event.message.as_ref().is_none_or(|text| text.len() <= limits::MESSAGE_BYTES_MAX));
    assert!(event.source_port.is_none_or(|port| (0..=65_535).contains(&port)), "source.port");
    assert!(event.destination_port.is_none_or(|port| (0..=65_535).contains(&port)), "destination.port");
    assert!(event.duration_ns.is_none_or(|nanos| nanos >= 0), "event.duration");
    for &field in Field::ALL {
        if let Some(value) = event.get(field) {
            assert!(!value.to_text().is_empty(), "{} is absent, never empty", field.name());
        }
    }
    event.to_json();
}
