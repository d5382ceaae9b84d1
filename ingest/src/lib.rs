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

use monban_event::redact::redact_event;
use monban_event::{Event, Format, Record, RecordId, RecordParser};

pub use parser::{TextSettings, parse_syslog};

/// Every parser behind one door: the record's format decides.
#[derive(Clone, Debug)]
pub struct Parsers {
    pub settings: TextSettings,
}

impl RecordParser for Parsers {
    fn parse(&self, id: RecordId, record: &Record, events: &mut Vec<Event>) -> Vec<String> {
        let before = events.len();
        let mut notes = Vec::new();
        match record.format {
            // The text was blotted before it was read.
            Format::Syslog => {
                let event = parse_syslog(id, record, &self.settings);
                let others = repeat::others(&event);
                events.push(event);
                events.extend(others);
                return notes;
            }
            Format::Csv => events.push(parse_syslog(id, record, &self.settings)),
            Format::Json => events.push(windows::parse_json(id, record, self.settings.zone_of(record))),
            Format::EvtxChunk => notes = evtx::parse_chunk(id, record, events).notes,
        }
        events.iter_mut().skip(before).for_each(redact_event);
        notes
    }
}
