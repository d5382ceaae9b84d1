//! One syslog record into one event. Owns the order of the steps and the choice of the parser, by content and never by
//! configuration: a device behind a relay is still itself. It cannot fail: what no parser understands keeps its header
//! fields and its text, and says so in `parse.status`.

mod a10;
mod alcatel;
mod alliedware;
mod aruba;
mod aruba_clearpass;
mod auditd;
mod beyondtrust;
mod brocade;
mod buffalo;
mod cef;
mod charon;
mod checkpoint;
mod cisco_asa;
mod cisco_ios;
mod cisco_ise;
mod cisco_meraki;
pub(crate) mod csv;
pub(crate) mod csv_row;
mod cyberark;
mod daemon;
mod dell_idrac;
mod dhcpd;
mod dns;
mod draft;
mod epic;
mod eset;
mod f5;
mod fortigate;
mod fortinet;
mod forwarder;
mod freeradius;
mod ftpd;
mod gateway;
mod generic;
mod haproxy;
mod hpe_comware;
mod hpe_ilo;
mod hpe_switch;
mod ivanti;
mod json;
mod juniper_netscreen;
mod juniper_srx;
mod kaspersky;
mod kv;
mod leef;
mod linux;
mod mail;
mod manageengine;
mod mikrotik;
mod ms_nps;
mod mssql;
mod mysql;
mod netapp;
mod netfilter;
mod netmotion;
mod netscaler;
mod netwrix;
mod openvpn;
mod oracle_db;
mod ossec;
mod paloalto;
mod panda;
mod payload;
mod pfsense;
mod postgresql;
mod pppd;
mod qnap;
mod ricoh;
mod rsa;
mod samba;
mod scan;
mod services;
mod slapd;
mod softether;
mod sonicwall;
mod sophos;
mod squid;
mod sshd;
mod stormshield;
mod symantec;
mod synology;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod thales;
mod trellix;
mod trendmicro;
mod ubiquiti;
mod veeam;
mod vmware;
mod vmware_nsx;
mod vmware_view;
mod watchguard;
mod web_error;
mod windows_agents;
mod windows_event;
mod yamaha;

use std::borrow::Cow;
use std::sync::Arc;

use chrono_tz::Tz;
use monban_event::redact::redact;
use monban_event::{Event, ParseStatus, Record, RecordId};

use crate::header::{self, Header};
use crate::sources::{self, SourceSettings, SourceTable};
use crate::text::{self, Charset, Decoded};
use crate::{hints, repeat};
use draft::Draft;

/// Settings of reading text.
#[derive(Clone, Debug)]
pub struct TextSettings {
    /// The zone of stamps that carry no offset.
    pub zone: Tz,
    /// What is known of single sources beforehand.
    pub sources: Arc<SourceTable>,
}

impl Default for TextSettings {
    fn default() -> Self {
        Self { zone: Tz::Asia__Tokyo, sources: Arc::default() }
    }
}

impl TextSettings {
    pub fn in_zone(zone: Tz) -> Self {
        Self { zone, ..Self::default() }
    }

    /// The zone of a record whose text names no host.
    pub(crate) fn zone_of(&self, record: &Record) -> Tz {
        let set = self.sources.of_receipt(record).and_then(|source| source.zone);
        hints::zone(record, set.unwrap_or(self.zone))
    }
}

/// One syslog frame into exactly one event.
pub fn parse_syslog(id: RecordId, record: &Record, settings: &TextSettings) -> Event {
    let by_receipt = settings.sources.of_receipt(record);
    let line = Line::read(&record.bytes, by_receipt.and_then(|source| source.charset));
    let header = header::read(&line.text);
    let source = by_receipt.or_else(|| settings.sources.of_host(header.host));
    if let Some(charset) = source.and_then(|source| source.charset).filter(|_| by_receipt.is_none()) {
        // Only its header tells whose line it is, and a header is ASCII in every encoding.
        let line = Line::read(&record.bytes, Some(charset));
        return parse_line(Draft::new(id, record), &line, &header::read(&line.text), source, settings);
    }
    parse_line(Draft::new(id, record), &line, &header, source, settings)
}

/// What parsers are given of a record: its text without secrets and without the wrapper of a repeated line.
struct Line<'a> {
    text: Cow<'a, str>,
    encoding: Option<&'static str>,
    damaged: bool,
    repeated: Option<u32>,
}

impl<'a> Line<'a> {
    fn read(bytes: &'a [u8], charset: Option<Charset>) -> Self {
        let Decoded { text, encoding, damaged } = text::decode(bytes, charset);
        let text = match redact(&text) {
            Cow::Owned(redacted) => Cow::Owned(redacted),
            Cow::Borrowed(_) => text,
        };
        let (text, repeated) = repeat::unwrap(text);
        Self { text, encoding, damaged, repeated }
    }
}

fn parse_line(
    mut draft: Draft<'_>,
    line: &Line<'_>,
    header: &Header<'_>,
    source: Option<&SourceSettings>,
    settings: &TextSettings,
) -> Event {
    draft.event.original_encoding = line.encoding.map(str::to_owned);
    if line.damaged {
        draft.note("damaged");
    }
    if let Some(count) = line.repeated {
        draft.native(repeat::REPEATED, &count.to_string());
    }
    let status = if parse_body(header, &mut draft) { ParseStatus::Full } else { parse_header_only(header, &mut draft) };
    if let Some(vendor) = source.and_then(|source| source.vendor).filter(|_| draft.event.module.is_none()) {
        draft.event.module = Some(vendor.to_owned());
        draft.event.observer_vendor = sources::vendor_name(vendor).map(str::to_owned);
    }
    let set = source.and_then(|source| source.zone).unwrap_or(settings.zone);
    let zone = hints::zone(draft.record, set);
    draft.finish(header, status, zone)
}

/// Fills the draft when the body is of its format, and says whether it was; a format that is not there leaves the draft
/// as it found it.
type Parser = fn(&Header<'_>, &mut Draft<'_>) -> bool;

/// Every format, in the order in which they are asked. Each begins with a test of a few bytes; those that have an
/// unmistakable mark stand before those that are told by their words, and the general forms stand last.
const PARSERS: &[Parser] = &[
    // Marked: a prefix, a code or keys that nobody else writes.
    fortinet::parse,
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
    sonicwall::parse,
    stormshield::parse,
    watchguard::parse,
    sophos::parse,
    ivanti::parse,
    softether::parse,
    freeradius::parse,
    ms_nps::parse,
    netscaler::parse,
    rsa::parse,
    f5::parse,
    windows_event::parse,
    vmware_view::parse,
    vmware_nsx::parse,
    ricoh::parse,
    hpe_ilo::parse,
    dell_idrac::parse,
    veeam::parse,
    netapp::parse,
    manageengine::parse,
    netwrix::parse,
    ossec::parse,
    buffalo::parse,
    qnap::parse,
    trellix::parse,
    trendmicro::parse,
    cyberark::parse,
    kaspersky::parse,
    eset::parse,
    panda::parse,
    beyondtrust::parse,
    thales::parse,
    epic::parse,
    netmotion::parse,
    symantec::parse,
    auditd::parse,
    netfilter::parse,
    pfsense::parse,
    oracle_db::parse,
    mssql::parse,
    mysql::parse,
    postgresql::parse,
    // Told by the program's name or by the words of the text.
    yamaha::parse,
    openvpn::parse,
    charon::parse,
    pppd::parse,
    hpe_switch::parse,
    mikrotik::parse,
    brocade::parse,
    alcatel::parse,
    alliedware::parse,
    a10::parse,
    dns::parse,
    dhcpd::parse,
    slapd::parse,
    ftpd::parse,
    mail::parse,
    haproxy::parse,
    synology::parse,
    samba::parse,
    vmware::parse,
    linux::parse,
    services::parse,
    squid::parse,
    web_error::parse,
    // General forms that many products share.
    cef::parse,
    leef::parse,
    forwarder::parse,
    generic::parse,
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
    if let Some(count) = repeat::pointing_back(header.message) {
        draft.native(repeat::REPEATED, count);
    }
    if header.time.is_none() {
        draft.time = payload::time(header.body);
    }
    if header.is_present() { ParseStatus::Header } else { ParseStatus::Raw }
}
