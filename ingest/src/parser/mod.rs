//! One syslog record into one event. Owns the order of the steps and the choice of the parser, by content and never by
//! configuration: a device behind a relay is still itself. It cannot fail: what no parser understands keeps its header
//! fields and its text, and says so in `parse.status`.

mod a10;
mod alcatel;
mod alliedware;
mod aruba;
mod aruba_clearpass;
mod brocade;
mod cef;
mod checkpoint;
mod cisco_asa;
mod cisco_ios;
mod cisco_ise;
mod cisco_meraki;
mod csv;
mod draft;
mod fortigate;
mod hpe_comware;
mod hpe_switch;
mod json;
mod juniper_netscreen;
mod juniper_srx;
mod kv;
mod linux;
mod mikrotik;
mod paloalto;
mod payload;
mod scan;
mod sshd;
#[cfg(test)]
pub(crate) mod testing;
mod ubiquiti;
mod yamaha;

use chrono_tz::Tz;
use monban_event::{Event, ParseStatus, Record, RecordId};

use crate::header::{self, Header};
use crate::text;
use draft::Draft;

/// Settings of reading text.
#[derive(Clone, Debug)]
pub struct TextSettings {
    /// The zone of stamps that carry no offset.
    pub zone: Tz,
}

impl Default for TextSettings {
    fn default() -> Self {
        Self { zone: Tz::Asia__Tokyo }
    }
}

/// One syslog frame into exactly one event.
pub fn parse_syslog(id: RecordId, record: &Record, settings: &TextSettings) -> Event {
    let decoded = text::decode(&record.bytes);
    let header = header::read(&decoded.text);
    let mut draft = Draft::new(id, record);
    draft.event.original_encoding = decoded.encoding.map(str::to_owned);
    if decoded.damaged {
        draft.note("damaged");
    }
    let status =
        if parse_body(&header, &mut draft) { ParseStatus::Full } else { parse_header_only(&header, &mut draft) };
    draft.finish(&header, status, settings.zone)
}

/// Fills the draft when the body is of its format, and says whether it was; a format that is not there leaves the draft
/// as it found it.
type Parser = fn(&Header<'_>, &mut Draft<'_>) -> bool;

/// Every format, in the order in which they are asked. Each begins with a test of a few bytes; those that have an
/// unmistakable mark stand before those that are told by their words, and the general forms stand last.
const PARSERS: &[Parser] = &[
    // Marked: a prefix, a code or keys that nobody else writes.
    fortigate::parse,
    cisco_asa::parse,
    cisco_ios::parse,
    cisco_ise::parse,
    cisco_meraki::parse,
    paloalto::parse,
    checkpoint::parse,
    juniper_srx::parse,
    juniper_netscreen::parse,
    aruba::parse,
    aruba_clearpass::parse,
    ubiquiti::parse,
    hpe_comware::parse,
    // Told by the program's name or by the words of the text.
    yamaha::parse,
    hpe_switch::parse,
    mikrotik::parse,
    brocade::parse,
    alcatel::parse,
    alliedware::parse,
    a10::parse,
    linux::parse,
    // General forms that many products share.
    cef::parse,
];

fn parse_body(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    PARSERS.iter().any(|parse| parse(header, draft))
}

fn parse_header_only(header: &Header<'_>, draft: &mut Draft<'_>) -> ParseStatus {
    draft.process(header);
    let host = header.host.map(str::to_owned);
    if linux::is_host_program(header) {
        draft.event.host_name = host;
    } else {
        draft.event.observer_hostname = host;
    }
    for (name, value) in header.structured.into_iter().flat_map(header::structured_parameters) {
        draft.native(name, value);
    }
    if header.time.is_none() {
        draft.time = payload::time(header.body);
    }
    if header.is_present() { ParseStatus::Header } else { ParseStatus::Raw }
}

#[cfg(test)]
mod tests;
