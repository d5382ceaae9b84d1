//! Bytes to events: receivers that make records, and parsers that say what a record means. Parsers are stateless and
//! cannot fail; nothing here writes to disk.

pub mod evtx;
pub mod file;
pub mod header;
pub mod parser;
mod repeat;
pub mod sources;
pub mod stamp;
pub mod syslog;
pub mod text;
pub mod windows;

use monban_event::{Event, Format, Record, RecordId, RecordParser};

pub use parser::{TextSettings, parse_syslog};

/// Every parser behind one door: the record's format decides.
#[derive(Clone, Debug)]
pub struct Parsers {
    pub settings: TextSettings,
}

impl RecordParser for Parsers {
    fn parse(&self, id: RecordId, record: &Record, events: &mut Vec<Event>) -> Vec<String> {
        match record.format {
            Format::Syslog | Format::Csv => {
                let event = parse_syslog(id, record, &self.settings);
                let others = repeat::others(&event);
                events.push(event);
                events.extend(others);
            }
            // A forwarder's object that is no Windows record is whatever its members or the line inside say.
            Format::Json => events.push(
                windows::try_json(id, record, self.settings.zone_of(record))
                    .unwrap_or_else(|| parse_syslog(id, record, &self.settings)),
            ),
            Format::EvtxChunk => return evtx::parse_chunk(id, record, events).notes,
        }
        Vec::new()
    }
}
