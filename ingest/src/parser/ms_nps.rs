//! Microsoft NPS (IAS) and the accounting of Routing and Remote Access: `IN*.log` in its three forms.
//!
//! Format: Microsoft, *Interpret NPS database format log files* and *Interpret IAS format log files*. Quirks this file owns:
//! * Database form: `"COMPUTER","RAS",03/03/2026,02:14:08,type,…`, 60-odd columns in a fixed order; newer servers append
//!   columns. Dates are month first whatever the language of Windows, local time.
//! * IAS form: six columns, then pairs of attribute number and value. XML form: `<Event><Timestamp …>…`.
//! * `Packet-Type` is what happened: 1 request, 2 accept, 3 reject, 4 accounting, 11 challenge. The reason's number says why.
//! * `Calling-Station-Id` is the person's side; the NAS and client addresses are the VPN server that asked.
//! * An accept may be followed by an accounting start; both name the person, and only the second the address given.

use std::borrow::Cow;

use monban_event::{Category, Outcome};

use super::csv;
use super::draft::{Draft, PayloadTime};
use super::gateway::{LOGIN, LOGIN_REFUSED, Meaning, SESSION, SESSION_END, SESSION_START, failed, mean};
use super::scan::{count, known, seconds_ns};
use crate::header::Header;
use crate::stamp::{self, Stamp};

/// The columns of the database form that we name; the rest is kept by number.
const COLUMNS: [&str; 47] = [
    "Computer-Name",
    "Event-Source",
    "Record-Date",
    "Record-Time",
    "Packet-Type",
    "User-Name",
    "Fully-Qualified-User-Name",
    "Called-Station-Id",
    "Calling-Station-Id",
    "Callback-Number",
    "Framed-IP-Address",
    "NAS-Identifier",
    "NAS-IP-Address",
    "NAS-Port",
    "Client-Vendor",
    "Client-IP-Address",
    "Client-Friendly-Name",
    "Event-Timestamp",
    "Port-Limit",
    "NAS-Port-Type",
    "Connect-Info",
    "Framed-Protocol",
    "Service-Type",
    "Authentication-Type",
    "NP-Policy-Name",
    "Reason-Code",
    "Class",
    "Session-Timeout",
    "Idle-Timeout",
    "Termination-Action",
    "EAP-Friendly-Name",
    "Acct-Status-Type",
    "Acct-Delay-Time",
    "Acct-Input-Octets",
    "Acct-Output-Octets",
    "Acct-Session-Id",
    "Acct-Authentic",
    "Acct-Session-Time",
    "Acct-Input-Packets",
    "Acct-Output-Packets",
    "Acct-Terminate-Cause",
    "Acct-Multi-Ssn-ID",
    "Acct-Link-Count",
    "Acct-Interim-Interval",
    "Tunnel-Type",
    "Tunnel-Medium-Type",
    "Tunnel-Client-Endpt",
];

/// Attributes of the IAS form (RFC 2865, 2866, and Microsoft's own above 4000).
fn attribute(number: &str) -> Option<&'static str> {
    Some(match number {
        "1" => "User-Name",
        "4" => "NAS-IP-Address",
        "8" => "Framed-IP-Address",
        "30" => "Called-Station-Id",
        "31" => "Calling-Station-Id",
        "40" => "Acct-Status-Type",
        "42" => "Acct-Input-Octets",
        "43" => "Acct-Output-Octets",
        "44" => "Acct-Session-Id",
        "46" => "Acct-Session-Time",
        "61" => "NAS-Port-Type",
        "64" => "Tunnel-Type",
        "4108" => "Client-IP-Address",
        "4127" => "Authentication-Type",
        "4128" => "Client-Friendly-Name",
        "4129" => "SAM-Account-Name",
        "4130" => "Fully-Qualified-User-Name",
        "4136" => "Packet-Type",
        "4142" => "Reason-Code",
        "4149" => "NP-Policy-Name",
        _ => return None,
    })
}

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    // A forwarder of files puts its own tag in front.
    [header.body, header.message].into_iter().any(|line| {
        let line = line.trim_start();
        let mut record = Attributes::default();
        let found =
            database(line, &mut record, draft) || ias(line, &mut record, draft) || xml(line, &mut record, draft);
        if found {
            fill(&record, draft);
        }
        found
    })
}

/// The values that decide something.
#[derive(Default)]
struct Attributes<'a> {
    computer: Cow<'a, str>,
    packet: Cow<'a, str>,
    user: Cow<'a, str>,
    account: Cow<'a, str>,
    qualified: Cow<'a, str>,
    calling: Cow<'a, str>,
    framed: Cow<'a, str>,
    nas: Cow<'a, str>,
    client: Cow<'a, str>,
    port_type: Cow<'a, str>,
    tunnel: Cow<'a, str>,
    reason: Cow<'a, str>,
    status: Cow<'a, str>,
    input: Cow<'a, str>,
    output: Cow<'a, str>,
    session: Cow<'a, str>,
    seconds: Cow<'a, str>,
    date: Cow<'a, str>,
    time: Cow<'a, str>,
}

impl<'a> Attributes<'a> {
    fn set(&mut self, name: &str, value: Cow<'a, str>) {
        let slot = match name {
            "Computer-Name" => &mut self.computer,
            "Record-Date" => &mut self.date,
            "Record-Time" => &mut self.time,
            "Packet-Type" => &mut self.packet,
            "User-Name" => &mut self.user,
            "SAM-Account-Name" => &mut self.account,
            "Fully-Qualified-User-Name" | "Fully-Qualifed-User-Name" => &mut self.qualified,
            "Calling-Station-Id" => &mut self.calling,
            "Framed-IP-Address" => &mut self.framed,
            "NAS-IP-Address" => &mut self.nas,
            "Client-IP-Address" => &mut self.client,
            "NAS-Port-Type" => &mut self.port_type,
            "Tunnel-Type" => &mut self.tunnel,
            "Reason-Code" => &mut self.reason,
            "Acct-Status-Type" => &mut self.status,
            "Acct-Input-Octets" => &mut self.input,
            "Acct-Output-Octets" => &mut self.output,
            "Acct-Session-Id" => &mut self.session,
            "Acct-Session-Time" => &mut self.seconds,
            _ => return,
        };
        *slot = value;
    }
}

fn database<'a>(line: &'a str, record: &mut Attributes<'a>, draft: &mut Draft<'_>) -> bool {
    const MARKS: [&str; 4] = ["\",\"IAS\",", "\",\"RAS\",", "\",IAS,", "\",RAS,"];
    let head = line.get(..line.floor_char_boundary(128)).unwrap_or(line);
    if !line.starts_with('"') || !MARKS.iter().any(|mark| head.contains(mark)) {
        return false;
    }
    for (at, value) in csv::values(line, b',').enumerate() {
        if value.is_empty() {
            continue;
        }
        match COLUMNS.get(at) {
            Some(name) => {
                draft.native(name, &value);
                record.set(name, value);
            }
            None => draft.native(&format!("column{}", at + 1), &value),
        }
    }
    draft.rule("nps.database");
    true
}

/// `192.0.2.1,sato,03/03/2026,02:14:08,IAS,NPS1,44,17,…`.
fn ias<'a>(line: &'a str, record: &mut Attributes<'a>, draft: &mut Draft<'_>) -> bool {
    const HEAD: [&str; 6] =
        ["NAS-IP-Address", "User-Name", "Record-Date", "Record-Time", "Event-Source", "Computer-Name"];
    let head = line.get(..line.floor_char_boundary(256)).unwrap_or(line);
    if !line.starts_with(|first: char| first.is_ascii_digit()) || !(head.contains(",IAS,") || head.contains(",RAS,")) {
        return false;
    }
    let values: Vec<Cow<'a, str>> = csv::values(line, b',').collect();
    let is_service = values.get(4).is_some_and(|service| matches!(service.as_ref(), "IAS" | "RAS"));
    if !is_service || values.get(2).and_then(|date| us_date(date)).is_none() {
        return false;
    }
    let (fixed, pairs) = values.split_at(HEAD.len().min(values.len()));
    for (name, value) in HEAD.into_iter().zip(fixed) {
        draft.native(name, value);
        record.set(name, value.clone());
    }
    for pair in pairs.chunks_exact(2) {
        let [number, value] = pair else { continue };
        match attribute(number) {
            Some(name) => {
                draft.native(name, value);
                record.set(name, value.clone());
            }
            None => draft.native(&format!("attribute{number}"), value),
        }
    }
    draft.rule("nps.ias");
    true
}

/// `<Event><Timestamp data_type="4">03/03/2026 02:14:08.123</Timestamp><Computer-Name data_type="1">NPS1</Computer-Name>…`.
fn xml<'a>(line: &'a str, record: &mut Attributes<'a>, draft: &mut Draft<'_>) -> bool {
    if !line.starts_with("<Event>") || !line.contains("<Packet-Type ") || !line.contains("<Computer-Name ") {
        return false;
    }
    let elements = line.split('<').filter(|part| !part.starts_with('/'));
    for element in elements.take(monban_event::limits::NATIVE_FIELDS_MAX) {
        let Some((tag, value)) = element.split_once('>') else { continue };
        let name = tag.split(' ').next().unwrap_or(tag);
        if value.is_empty() || name.is_empty() {
            continue;
        }
        let value = unescape(value);
        draft.native(name, &value);
        if name == "Timestamp" {
            let (date, time) = value.split_once(' ').unwrap_or((&value, ""));
            (record.date, record.time) = (Cow::Owned(date.to_owned()), Cow::Owned(time.to_owned()));
        } else {
            record.set(name, value);
        }
    }
    draft.rule("nps.xml");
    true
}

fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('&') {
        return Cow::Borrowed(value);
    }
    let text = value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    Cow::Owned(text.replace("&amp;", "&"))
}

fn fill(record: &Attributes<'_>, draft: &mut Draft<'_>) {
    draft.product("microsoft", "microsoft.nps", "Microsoft", "NPS");
    draft.event.host_name = known(&record.computer);
    draft.time = time(record);
    draft.event.code = known(&record.packet);
    // `hospital.example/Staff/山田` is the path of an account in the directory.
    draft.user(record.qualified.rsplit('/').next().unwrap_or(""));
    draft.user(&record.account);
    draft.user(&record.user);
    draft.source(&record.calling);
    for server in [&record.nas, &record.client] {
        draft.destination(server);
    }
    let meaning = meaning(record);
    let is_vpn = record.port_type.trim() == "5" || !record.tunnel.is_empty();
    if is_vpn {
        draft.event.vpn_type = Some(vpn_type(&record.tunnel).to_owned());
        draft.assigned(&record.framed);
        draft.event.vpn_session_id = known(&record.session);
    }
    // Input is what came from the person.
    draft.event.source_bytes = count(&record.input);
    draft.event.destination_bytes = count(&record.output);
    draft.event.duration_ns = count(&record.seconds).and_then(seconds_ns);
    if meaning.2 == Outcome::Failure {
        draft.reason(&record.reason);
    }
    mean(draft, meaning);
}

/// RFC 2868 §3.1. `IKEv2` and SSTP have no number of their own there.
fn vpn_type(tunnel: &str) -> &'static str {
    match tunnel.trim() {
        "1" => "pptp",
        "3" => "l2tp",
        "9" | "6" => "ipsec",
        _ => "ras",
    }
}

fn meaning(record: &Attributes<'_>) -> Meaning {
    let refused = !matches!(record.reason.trim(), "" | "0");
    match (record.packet.trim(), record.status.trim()) {
        ("2", _) => LOGIN,
        ("3", _) => LOGIN_REFUSED,
        ("4", "1") => SESSION_START,
        ("4", "2") => SESSION_END,
        ("4", _) => SESSION,
        _ if refused => failed((Category::Authentication, monban_event::Action::Other, Outcome::Failure)),
        _ => (Category::Authentication, monban_event::Action::Other, Outcome::Unknown),
    }
}

fn us_date(text: &str) -> Option<(i32, u32, u32)> {
    let mut parts = text.trim().split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let year: i32 = year.parse().ok().filter(|year| (1990..2200).contains(year))?;
    Some((year, month.parse().ok()?, day.parse().ok()?))
}

fn time(record: &Attributes<'_>) -> Option<PayloadTime> {
    let (year, month, day) = us_date(&record.date)?;
    let (stamp, _) = stamp::read(&format!("{year:04}-{month:02}-{day:02} {}", record.time.trim()))?;
    Some(PayloadTime::Stamp(Stamp { offset: None, ..stamp }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn database_form() {
        check(
            r#""NPS1","RAS",03/04/2026,02:14:08,4,"sato@hospital.example",,"198.51.100.1","203.0.113.9",,"172.16.2.58","NPS1","192.0.2.1",1519,,"192.0.2.1","NPS1",1772558048,,5,,1,2,,,0,"311 1",,,,,2,,2000,3000,"317093",3,60,,,,"50765",1,,3,1,"203.0.113.9","198.51.100.1""#,
            &[
                ("@timestamp", "2026-03-03T17:14:08.000000Z"),
                ("host.name", "NPS1"),
                ("user.name", "sato"),
                ("source.ip", "203.0.113.9"),
                ("destination.ip", "192.0.2.1"),
                ("vpn.assigned_ip", "172.16.2.58"),
                ("vpn.session_id", "317093"),
                ("vpn.type", "l2tp"),
                ("event.action", "session-end"),
                ("event.duration", "60000000000"),
                ("source.bytes", "2000"),
                ("native.Reason-Code", "0"),
            ],
        );
        check(
            r#""NPS1","IAS",03/04/2026,02:14:08,3,,"HOSP\sato",,,,,,,,,"192.0.2.9","wlc1",,,19,,,,5,"無線LAN",16,"311 1",30"#,
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("event.reason", "16"),
                ("user.name", "sato"),
                ("vpn.type", "-"),
                ("source.ip", "-"),
                ("destination.ip", "192.0.2.9"),
            ],
        );
    }

    #[test]
    fn ias_and_xml_forms() {
        check(
            "192.0.2.9,HOSP\\sato,03/04/2026,02:14:08,IAS,NPS1,4136,2,4142,0,31,203.0.113.9,61,5,64,1,4130,hospital.example/Staff/佐藤",
            &[
                ("event.outcome", "success"),
                ("user.name", "佐藤"),
                ("source.ip", "203.0.113.9"),
                ("vpn.type", "pptp"),
                ("host.name", "NPS1"),
            ],
        );
        check(
            r#"<Event><Timestamp data_type="4">03/04/2026 02:14:08.123</Timestamp><Computer-Name data_type="1">NPS1</Computer-Name><Event-Source data_type="1">IAS</Event-Source><User-Name data_type="1">sato</User-Name><Calling-Station-Id data_type="1">203.0.113.9</Calling-Station-Id><Packet-Type data_type="0">3</Packet-Type><Reason-Code data_type="0">48</Reason-Code></Event>"#,
            &[
                ("@timestamp", "2026-03-03T17:14:08.123000Z"),
                ("event.outcome", "failure"),
                ("event.reason", "48"),
                ("user.name", "sato"),
                ("source.ip", "203.0.113.9"),
            ],
        );
    }

    #[test]
    fn forwarded_files_have_a_tag() {
        check(
            r#"<13>Mar  4 02:14:09 nps1 nps: "NPS1","IAS",03/04/2026,02:14:08,2,"sato","HOSP\sato",,"02-00-5E-10-00-01""#,
            &[("event.action", "login"), ("host.name", "NPS1"), ("user.name", "sato"), ("source.ip", "-")],
        );
    }

    #[test]
    fn what_is_not_ours() {
        for line in ["\"a\",\"b\",IAS", "1,2,3,4,IAS,6", "<Event><System></System></Event>"] {
            check(line, &[("observer.product", "-")]);
        }
    }
}
