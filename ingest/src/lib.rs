//! Bytes to events: receivers that make records, and parsers that say what a record means. Parsers are stateless and
//! cannot fail; nothing here writes to disk.

pub mod evtx;
pub mod file;
pub mod header;
mod hints;
pub mod parser;
mod repeat;
pub mod sources;
pub mod stamp;
pub mod syslog;
pub mod text;
pub mod windows;

use monban_event::redact::redact_event;
use monban_event::{Event, Format, Record, RecordId, RecordParser};

use evtx::ChunkReport;
pub use parser::{TextSettings, parse_syslog};

/// Every parser behind one door: the record's format decides.
#[derive(Clone, Debug)]
pub struct Parsers {
    pub settings: TextSettings,
}

impl RecordParser for Parsers {
    fn parse(&self, id: RecordId, record: &Record, events: &mut Vec<Event>) -> Vec<String> {
        self.read(id, record, events).notes
    }
}

impl Parsers {
    /// The same, and counts what stood in the record and could not be read.
    pub fn read(&self, id: RecordId, record: &Record, events: &mut Vec<Event>) -> ChunkReport {
        let first = events.len();
        let mut report = ChunkReport::default();
        match record.format {
            Format::Syslog => {
                let event = parse_syslog(id, record, &self.settings);
                let others = repeat::others(&event);
                events.push(event);
                events.extend(others);
            }
            Format::Csv => events.push(parser::csv_row::parse_row(id, record, &self.settings)),
            Format::Json => events.push(parse_object(id, record, &self.settings)),
            Format::EvtxChunk => report = evtx::parse_chunk(id, record, events),
        }
        for event in events.iter_mut().skip(first) {
            hints::name_machine(record, event);
            // A line was blotted before it was read.
            if record.format != Format::Syslog {
                redact_event(event);
            }
        }
        report.read = (events.len() - first) as u64;
        report
    }
}

/// A forwarder's Windows record; an object that is none is whatever its members or the line inside say.
fn parse_object(id: RecordId, record: &Record, settings: &TextSettings) -> Event {
    let zone = settings.zone_of(record);
    let windows = if record.bytes.first() == Some(&b'{') {
        windows::try_json(id, record, zone)
    } else {
        // JSON is UTF-8 without a mark; Windows tools write it with one, and in UTF-16.
        let decoded = text::decode(&record.bytes, None);
        let bytes = decoded.text.into_owned().into_bytes();
        let event = windows::try_json(id, &Record { bytes, ..record.clone() }, zone);
        event.map(|event| Event { original_encoding: decoded.encoding.map(str::to_owned), ..event })
    };
    windows.unwrap_or_else(|| parse_syslog(id, record, settings))
}
