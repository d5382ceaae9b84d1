//! Bytes to events: receivers that make records, and parsers that say what a record means. Parsers are stateless and
//! cannot fail; nothing here writes to disk.

pub mod evtx;
pub mod file;
pub mod header;
mod hints;
pub mod parser;
pub mod stamp;
pub mod syslog;
pub mod text;
pub mod windows;

use monban_event::{Event, Format, ParseStatus, Record, RecordId, RecordParser};

pub use parser::{TextSettings, parse_syslog};

/// Every parser behind one door: the record's format decides.
#[derive(Clone, Debug)]
pub struct Parsers {
    pub settings: TextSettings,
}

impl RecordParser for Parsers {
    fn parse(&self, id: RecordId, record: &Record, events: &mut Vec<Event>) -> Vec<String> {
        let first = events.len();
        let mut settings = self.settings.clone();
        settings.zone = hints::zone(record, settings.zone);
        let notes = match record.format {
            Format::Syslog => {
                events.push(parse_syslog(id, record, &settings));
                Vec::new()
            }
            Format::Csv => {
                events.push(parser::csv_row::parse_row(id, record, &settings));
                Vec::new()
            }
            Format::Json => {
                events.push(parse_object(id, record, &settings));
                Vec::new()
            }
            Format::EvtxChunk => evtx::parse_chunk(id, record, events).notes,
        };
        for event in events.iter_mut().skip(first) {
            hints::name_machine(record, event);
        }
        notes
    }
}

/// A forwarder's Windows record, or the JSON of any other product, which the text parsers know.
fn parse_object(id: RecordId, record: &Record, settings: &TextSettings) -> Event {
    let event = if record.bytes.first() == Some(&b'{') {
        windows::parse_json(id, record, settings.zone)
    } else {
        // JSON is UTF-8 without a mark; Windows tools write it with one, and in UTF-16.
        let decoded = text::decode(&record.bytes);
        let bytes = decoded.text.into_owned().into_bytes();
        let event = windows::parse_json(id, &Record { bytes, ..record.clone() }, settings.zone);
        Event { original_encoding: decoded.encoding.map(str::to_owned), ..event }
    };
    if event.parse_status == Some(ParseStatus::Raw) { parse_syslog(id, record, settings) } else { event }
}
