//! What the tests of every parser share: a record of a line, its event, and a comparison that names the field.

use chrono_tz::Tz;
use monban_event::{Event, Field, Format, Origin, Record, RecordId, Transport};

use super::{TextSettings, parse_syslog};

pub(crate) fn record(bytes: &[u8]) -> Record {
    Record {
        received_at: "2026-03-03T00:00:00Z".parse().expect("a time"),
        origin: Origin::Live,
        transport: Transport::Udp,
        peer: None,
        identity: None,
        format: Format::Syslog,
        file: None,
        bytes: bytes.to_vec(),
        cut: false,
    }
}

pub(crate) fn parse(bytes: &[u8]) -> Event {
    parse_syslog(RecordId(7), &record(bytes), &TextSettings::in_zone(Tz::Asia__Tokyo))
}

/// Each pair is a field and its text; `-` says that the field has no value.
pub(crate) fn check(line: impl AsRef<[u8]>, expected: &[(&str, &str)]) {
    let event = parse(line.as_ref());
    for (name, text) in expected {
        let got = match Field::from_name(name) {
            Some(field) => event.get(field).map(|value| value.to_text().into_owned()),
            None => event.native.get(name.strip_prefix("native.").expect("a field or native.*")).map(str::to_owned),
        };
        assert_eq!(got.as_deref().unwrap_or("-"), *text, "{name} of {}", String::from_utf8_lossy(line.as_ref()));
    }
}
