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
mod marks;
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
use crate::windows::TITLE_STARTS;
use crate::{hints, repeat};
use draft::Draft;
use marks::{Format, Parser, always, marked};

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
    let status = if parse_body(Some(&line.text), header, &mut draft) {
        ParseStatus::Full
    } else {
        parse_header_only(header, &mut draft)
    };
    if let Some(vendor) = source.and_then(|source| source.vendor).filter(|_| draft.event.module.is_none()) {
        draft.event.module = Some(vendor.to_owned());
        draft.event.observer_vendor = sources::vendor_name(vendor).map(str::to_owned);
    }
    let set = source.and_then(|source| source.zone).unwrap_or(settings.zone);
    let zone = hints::zone(draft.record, set);
    draft.finish(header, status, zone)
}

/// Every format but the first, in the order in which they are asked. Each begins with a test of a few bytes; those that
/// have an unmistakable mark stand before those that are told by their words, and the general forms stand last. A format
/// names the marks without one of which its parser would say no; those that are told by the header alone name none.
const PARSERS: &[Format] = &[
    // Marked: a prefix, a code or keys that nobody else writes.
    always(cisco_ios::parse),
    always(cisco_ise::parse),
    always(cisco_meraki::parse),
    marked(paloalto::parse, &[CEF, LEEF, PALOALTO]),
    marked(checkpoint::parse, &[CEF, LEEF, &[":\"", "=\"", "|product=", "|orig=", "|loguid=", "\" \""]]),
    marked(juniper_srx::parse, &[&juniper_srx::PREFIXES, &["[junos@", ": cmd='", "EVENT <", "negotiation ", "FW: "]]),
    marked(juniper_netscreen::parse, &[&["NetScreen "]]),
    always(aruba::parse),
    marked(aruba_clearpass::parse, &[CEF, LEEF, &["CPPM_"], &aruba_clearpass::FIRST_KEYS]),
    marked(ubiquiti::parse, &[CEF, &[",v"]]),
    marked(hpe_comware::parse, &[&["%%"]]),
    marked(sonicwall::parse, &[CEF, &[" fw="]]),
    marked(stormshield::parse, &[&[" startime=\""]]),
    marked(watchguard::parse, &[&["msg_id=\"", "|WatchGuard|"]]),
    marked(sophos::parse, &[&["log_component=\"", "\" sys=\"", " localip=\"", " meth=", "\"Event::"]]),
    marked(ivanti::parse, &[&[" - [", "id=firewall ", " | "]]),
    marked(softether::parse, &[&["\"CID-", "\"SID-", "On the TCP Listener (Port ", "TCP リスナー (ポート "]]),
    marked(freeradius::parse, &[&["Login OK: [", "Login incorrect", "Invalid user", "Ignoring request to "]]),
    marked(ms_nps::parse, &[&["\"IAS\",", "\"RAS\",", ",IAS,", ",RAS,", "<Packet-Type "]]),
    marked(netscaler::parse, &[&[" : ", "default ", " shell_command=\"", " -> "], &netscaler::FEATURES]),
    marked(rsa::parse, &[&["audit.admin.", "audit.runtime.", "system."]]),
    marked(f5::parse, &[F5]),
    marked(windows_event::parse, &[WINDOWS, &TITLE_STARTS]),
    marked(vmware_view::parse, &[&["[View@"]]),
    marked(vmware_nsx::parse, &[&["FIREWALL-PKTLOG", "[nsx@6876"]]),
    always(ricoh::parse),
    always(hpe_ilo::parse),
    marked(dell_idrac::parse, &[&["MessageID: ", "{ MessageID } "]]),
    marked(veeam::parse, &[&["[categoryId="]]),
    marked(netapp::parse, &[&["[kern_audit"]]),
    marked(manageengine::parse, &[&["|ManageEngine|ADAudit"]]),
    marked(netwrix::parse, &[&["|Netwrix|Logon Activity|", "[Log ID] "]]),
    marked(ossec::parse, &[&["Alert Level: "]]),
    marked(buffalo::parse, &[&["[User:"]]),
    marked(qnap::parse, &[&["conn log: ", "event log: "]]),
    marked(trellix::parse, &[&["<MachineInfo>"]]),
    marked(trendmicro::parse, &[CEF, LEEF]),
    marked(cyberark::parse, &[CEF, &["audit_record"]]),
    marked(
        kaspersky::parse,
        &[CEF, LEEF, &["[event@23668", "Component: ", "Object type: ", "Object: ", "Object name: "]],
    ),
    marked(eset::parse, &[CEF, LEEF, &["\"event_type\""]]),
    marked(panda::parse, &[LEEF]),
    marked(beyondtrust::parse, &[&["\"jump_group\"", "BG"]]),
    marked(thales::parse, &[&["\"originatingAddress\""]]),
    marked(epic::parse, &[&["<EventLog>"]]),
    marked(netmotion::parse, &[&["[nm_"]]),
    marked(symantec::parse, &[SYMANTEC]),
    marked(auditd::parse, &[&["audit"]]),
    marked(netfilter::parse, &[&[" PROTO="]]),
    marked(
        pfsense::parse,
        &[&[",in,", ",out,", "rule ", "php", "audit", "webConfigurator", "configd.py", "sshlockout"]],
    ),
    always(oracle_db::parse),
    always(mssql::parse),
    marked(mysql::parse, &[&["Access denied for user '", "CONNECT,", "\"audit_record\"", "<AUDIT_RECORD"]]),
    always(postgresql::parse),
    // Told by the program's name or by the words of the text.
    always(yamaha::parse),
    always(openvpn::parse),
    always(charon::parse),
    always(pppd::parse),
    always(hpe_switch::parse),
    marked(mikrotik::parse, &[CEF, &[",", " logged ", "login failure for user ", ": in:"]]),
    marked(brocade::parse, &[&["],", "Security: ", "STP: ", "System: "]]),
    always(alcatel::parse),
    always(alliedware::parse),
    always(a10::parse),
    always(dns::parse),
    always(dhcpd::parse),
    marked(slapd::parse, &[&["conn="]]),
    always(ftpd::parse),
    always(mail::parse),
    always(haproxy::parse),
    marked(synology::parse, &[&[" Event: ", "User [", "Host ["]]),
    marked(samba::parse, &[&["smbd", "samba", "winbindd", "auth_audit"]]),
    marked(vmware::parse, &[VMWARE]),
    always(linux::parse),
    always(services::parse),
    marked(squid::parse, &[&["TCP_", "UDP_", "NONE", "ERR_", "TAG_", "] \""]]),
    marked(web_error::parse, &[&["[client ", ", client: "]]),
    // General forms that many products share.
    marked(cef::parse, &[CEF]),
    marked(leef::parse, &[LEEF]),
    marked(forwarder::parse, &[&["{"]]),
    always(generic::parse),
];

/// The commonest senders, whose own tests cost less than looking for marks. They are asked before all others.
const FIRST: [Parser; 3] = [fortinet::parse, fortigate::parse, cisco_asa::parse];

const CEF: &[&str] = &["CEF:", "0|", "1|"];
const LEEF: &[&str] = &["LEEF:", "1.0|", "2.0|"];
const PALOALTO: &[&str] = &[
    "\"LogType\"",
    ",TRAFFIC,",
    ",START,",
    ",END,",
    ",TUNNEL,",
    ",THREAT,",
    ",URL,",
    ",DATA,",
    ",WILDFIRE,",
    ",DECRYPTION,",
    ",GTP,",
    ",SCTP,",
    ",SYSTEM,",
    ",CONFIG,",
    ",USERID,",
    ",GLOBALPROTECT,",
    ",HIPMATCH,",
    ",HIP-MATCH,",
    ",AUTH,",
    ",AUTHENTICATION,",
    ",IPTAG,",
    ",CORRELATION,",
];
/// A session's line begins with the path of its policy; a code ends in its severity, `:5:`.
const F5: &[&str] = &[
    "/",
    ":0:",
    ":1:",
    ":2:",
    ":3:",
    ":4:",
    ":5:",
    ":6:",
    ":7:",
    "[F5@12276",
    "\"telemetryEventCategory\"",
    "f5_",
    " partition=[",
    "pam_bigip_authz: ",
    "[ssl_acc] ",
    "[ssl_req]",
];
const WINDOWS: &[&str] = &[
    "\"_EventID\"",
    "\"EventID\"",
    "\"winlog\"",
    "\"win\"",
    "\"System\"",
    "\"event_id\"",
    "\"EventId\"",
    " EventID=\"",
    "MSWinEventLog",
    "<Event",
    "|Microsoft|",
    "%NICWIN-",
    "EvntSLog",
    "WinEvtLog: ",
    "AgentDevice=WindowsLog",
    "EventCode",
    "Security-Auditing",
    "S-1-",
];
const SYMANTEC: &[&str] =
    &["SymantecServer", ",Server Name: ", ",End Time: ", ",Event time: ", ",Actual action: ", ",Remote Host IP: "];
const VMWARE: &[&str] = &[
    "Event [",
    "[auditlogger] {",
    "[Originator@",
    "[vSAN@",
    "[vob.",
    "ha-eventmgr",
    "com.vmware.",
    "tomcat-http--",
    "running command '",
    "shell[",
    "USER ",
];

/// Asks the formats in their order until one knows the line. `text` is what all of the header came from; where a header
/// was put together from elsewhere, nothing can be said of its marks and every format is asked.
fn parse_body(text: Option<&str>, header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if FIRST.iter().any(|parse| parse(header, draft)) {
        return true;
    }
    let asked = text.map_or(marks::ALL, marks::formats_in);
    asked.iter().any(|format| (format.parse)(header, draft))
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
