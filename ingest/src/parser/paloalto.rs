//! Palo Alto PAN-OS: CSV as firewalls and Panorama send it, JSON and CEF of the logging service, CEF and LEEF templates.
//!
//! Format: Palo Alto Networks, *Syslog Field Descriptions* (8.1 to 11.x). Quirks this file owns:
//! * A row is `1,RECEIVED,SERIAL,TYPE,SUBTYPE,…`; what follows depends on the type. Newer versions only append columns,
//!   so one list serves all. CONFIG rows have two more columns in the middle where an administrator asked for them.
//! * Times are the firewall's local ones; a late column is RFC 3339 with its offset. It counts only when it agrees with
//!   the row's own day: any text of the row may look like a time. Where it ends a line that was cut, the last digit of
//!   the offset may be gone.
//! * RECEIVED is the clock of who sends, Panorama perhaps, and the generated time that of the firewall. Whole hours between
//!   them are the same moment in two zones, of which only the sender's is set anywhere: then RECEIVED counts.
//! * An export that was saved by a spreadsheet has `2026/3/3 9:00` or `3/3/26 9:00` for its times: number format 22 of
//!   ECMA-376 part 1 §18.8.30, in Japanese and in English.
//! * The far end of `GlobalProtect` is `public_ip`, the address it is given `private_ip`. The machine there is the
//!   source's name and never `host.name`: the event is about the firewall that was reached.
//! * `auth-success` precedes the administrator's `logged in via` or `GlobalProtect`'s own rows and is no second login;
//!   `auth-fail` of a `vsys1` is told again by `GlobalProtect` or the portal, the one of `shared` by nobody else. Its event
//!   name may say `auth-success` over the text `failed authentication`: the text counts.
//! * A USERID row tells who the firewall thinks sits at an address; nobody logs in there.

use std::borrow::Cow;

use chrono::DateTime;
use chrono_tz::Tz;
use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime, address};
use super::leef;
use super::scan::{behind, between, count, known, port, seconds_ns};
use super::{cef, csv, json};
use crate::header::Header;
use crate::stamp::{self, Stamp};

/// Columns behind `type,subtype,-,time_generated`, in order; `-` has no use here.
const SESSION: &str = "src dst natsrc natdst rule srcuser dstuser app vsys from to inbound_if outbound_if logset - \
    sessionid repeatcnt sport dport natsport natdport flags proto action";
const TRAFFIC: &str = "bytes bytes_sent bytes_received packets start elapsed category - seqno actionflags srcloc dstloc \
    - pkts_sent pkts_received session_end_reason dg1 dg2 dg3 dg4 vsys_name device_name action_source";
const THREAT: &str = "misc threatid category severity direction seqno actionflags srcloc dstloc - contenttype pcap_id \
    filedigest cloud url_idx user_agent filetype xff referer sender subject recipient reportid dg1 dg2 dg3 dg4 vsys_name \
    device_name - src_uuid dst_uuid http_method";
const DECRYPTION: &str = "tunnel - - src_uuid dst_uuid rule_uuid - - tls_version tls_keyxchg tls_enc tls_auth policy_name \
    ec_curve err_index root_status chain_status proxy_type cert_serial fingerprint notbefore notafter cert_ver cert_size \
    - - - - - cn issuer_cn root_cn sni error";
const SYSTEM: &str = "vsys eventid object - - module severity opaque seqno actionflags dg1 dg2 dg3 dg4 vsys_name \
    device_name";
const CONFIG: &str = "host vsys cmd admin client result path";
const USERID: &str = "vsys src user datasourcename subtype_id repeatcnt timeout beginport endport datasource \
    datasourcetype seqno actionflags dg1 dg2 dg3 dg4 vsys_name device_name vsys_id factortype";
const GLOBALPROTECT: &str = "vsys eventid stage auth_method tunnel_type srcuser srcregion machinename public_ip \
    public_ipv6 private_ip private_ipv6 hostid serialnumber client_ver client_os client_os_ver repeatcnt reason error \
    opaque status location login_duration connect_method error_code portal seqno actionflags - selection_type \
    response_time priority attempted_gateways gateway dg1 dg2 dg3 dg4 vsys_name device_name vsys_id";
const HIPMATCH: &str = "srcuser vsys machinename os src matchname repeatcnt matchtype - - seqno actionflags dg1 dg2 dg3 \
    dg4 vsys_name device_name vsys_id srcipv6 hostid";
const AUTH: &str = "vsys src user normalize_user object authpolicy repeatcnt authid vendor logset serverprofile opaque \
    clienttype event factorno seqno actionflags dg1 dg2 dg3 dg4 vsys_name device_name vsys_id authproto";
const IPTAG: &str = "vsys src tag_name event_id repeatcnt timeout datasourcename datasourcetype datasourcesubtype seqno \
    actionflags dg1 dg2 dg3 dg4 vsys_name device_name";
const CORRELATION: &str = "src srcuser vsys category severity dg1 dg2 dg3 dg4 vsys_name device_name vsys_id objectname \
    object_id opaque";

/// The columns of a type, the common front of sessions first.
fn columns(kind: &str) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        "TRAFFIC" | "START" | "END" | "TUNNEL" => (SESSION, TRAFFIC),
        "THREAT" | "URL" | "DATA" | "WILDFIRE" => (SESSION, THREAT),
        "DECRYPTION" => (SESSION, DECRYPTION),
        "GTP" | "SCTP" => (SESSION, ""),
        "SYSTEM" => (SYSTEM, ""),
        "CONFIG" => (CONFIG, ""),
        "USERID" => (USERID, ""),
        "GLOBALPROTECT" => (GLOBALPROTECT, ""),
        "HIPMATCH" | "HIP-MATCH" => (HIPMATCH, ""),
        "AUTH" | "AUTHENTICATION" => (AUTH, ""),
        "IPTAG" => (IPTAG, ""),
        "CORRELATION" => (CORRELATION, ""),
        _ => return None,
    })
}

/// A record as PAN-OS names its fields, whatever form it came in.
#[derive(Default)]
struct Row<'a> {
    kind: Cow<'a, str>,
    subtype: Cow<'a, str>,
    fields: Vec<(&'a str, Cow<'a, str>)>,
}

impl Row<'_> {
    fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, value)| *field == name && !value.is_empty()).map_or("", |(_, value)| value)
    }
}

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let (rule, row) = if let Some(row) = read_csv(header.body).or_else(|| read_csv(header.message)) {
        ("paloalto.csv", row)
    } else if let Some(record) = cef::find(header.body).filter(|record| is_vendor(record.vendor)) {
        ("paloalto.cef", read_cef(&record))
    } else if let Some(record) = leef::find(header.body).filter(|record| is_vendor(record.vendor)) {
        ("paloalto.leef", read_leef(&record))
    } else if is_json(header.body) {
        let Some(members) = json::members(header.body) else { return false };
        let row = read_json(&members);
        fill(&row, "paloalto.json", header, draft);
        return true;
    } else {
        return false;
    };
    fill(&row, rule, header, draft);
    true
}

fn is_vendor(vendor: &str) -> bool {
    vendor.eq_ignore_ascii_case("palo alto networks")
}

/// `1,2026/03/03 09:00:00,SERIAL,TYPE,…`
fn read_csv(body: &str) -> Option<Row<'_>> {
    let body = body.trim_start_matches([':', ' ']);
    let (number, rest) = body.split_once(',')?;
    // A firewall writes 1; the logging service a number of the tenant's, and its times in RFC 3339.
    if number.len() > 20 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut fronts = rest.splitn(4, ',');
    let (received, _, kind) = (fronts.next()?, fronts.next()?, fronts.next()?);
    let (front, back) = columns(kind).filter(|_| {
        received.contains(':') && (number.len() <= 2 && received.contains('/') || received.contains('T'))
    })?;
    let mut values = csv::values(fronts.next()?, b',');
    let subtype = values.next().unwrap_or_default();
    let (_, generated) = (values.next(), values.next().unwrap_or_default());
    let generated = if generated.is_empty() { Cow::Borrowed(received) } else { generated };
    let mut fields = vec![("time_generated", generated), ("receive_time", Cow::Borrowed(received))];
    let row_time = fields.first().and_then(|(_, text)| row_stamp(text));
    let names = front.split_ascii_whitespace().chain(back.split_ascii_whitespace());
    let (named, unnamed): (Vec<_>, Vec<_>) = names.zip(values.by_ref()).partition(|(name, _)| *name != "-");
    let rest: Vec<Cow<'_, str>> = values.collect();
    let late = unnamed.iter().map(|(_, value)| value).chain(&rest).find(|value| agrees(value, row_time));
    fields.extend(late.map(|value| ("high_res_timestamp", value.clone())));
    fields.extend(named);
    if matches!(kind, "CONFIG" | "DECRYPTION") {
        late_device(kind, &rest, &mut fields);
    }
    Some(Row { kind: Cow::Borrowed(kind), subtype, fields })
}

/// The device's name stands six columns behind the action flags, which are the hexadecimal number behind the sequence.
fn late_device<'a>(kind: &str, rest: &[Cow<'a, str>], fields: &mut Vec<(&'a str, Cow<'a, str>)>) {
    let device = rest.iter().position(|value| value.starts_with("0x")).and_then(|at| rest.get(at + 6));
    // DECRYPTION: the 63rd column behind the common ones, for flags that were taken out.
    let device = device.or_else(|| rest.get(31).filter(|_| kind == "DECRYPTION"));
    fields.extend(device.map(|name| ("device_name", name.clone())));
}

/// The time of a row: the firewall's own form, or what a spreadsheet has made of it.
fn row_stamp(text: &str) -> Option<Stamp> {
    if let Some((stamp, _)) = stamp::read(text) {
        return Some(stamp);
    }
    let (date, clock) = text.split_once(' ')?;
    let (first, rest) = date.split_once('/')?;
    let (second, third) = rest.split_once('/')?;
    let is_minute = clock.bytes().filter(|byte| *byte == b':').count() == 1;
    let written = match (first.len(), third.len()) {
        (4, 1..=2) => format!("{date} {clock}:00"),
        (1..=2, 2) => format!("20{third}/{first}/{second} {clock}:00"),
        _ => return None,
    };
    let (stamp, rest) = stamp::read(&written).filter(|_| is_minute)?;
    rest.is_empty().then_some(stamp)
}

/// The late column: RFC 3339 with its offset, perhaps without the offset's last digit (`+02:0`), which can only be a
/// naught, because no zone is one to nine minutes off the hour.
fn high_resolution(text: &str) -> Option<Stamp> {
    /// `02:0`: with fewer digits nobody knows which offset it was.
    const OFFSET_BYTES_LEAST: usize = 4;
    let (stamp, rest) = stamp::read(text)?;
    let offset = text.rsplit(['+', '-']).next().unwrap_or("");
    let is_told = text.ends_with('Z') || offset.len() >= OFFSET_BYTES_LEAST;
    (stamp.offset.is_some() && is_told && matches!(rest, "" | ":0")).then_some(stamp)
}

/// A stamp of the late column's form, within a day of the row's local time.
fn agrees(text: &str, row: Option<Stamp>) -> bool {
    let is_long = (25..=40).contains(&text.len());
    let (Some(stamp), Some(row)) = (is_long.then(|| high_resolution(text)).flatten(), row) else { return false };
    let day = |stamp: &Stamp| Some(i64::from(stamp.year?) * 372 + i64::from(stamp.month) * 31 + i64::from(stamp.day));
    // Days of a 31-day calendar: a turn of the month is at most four apart.
    day(&stamp).zip(day(&row)).is_some_and(|(one, other)| (one - other).abs() <= 4)
}

fn read_cef<'a>(record: &cef::Cef<'a>) -> Row<'a> {
    let types = if columns(record.signature).is_some() || record.product == "LF" {
        (record.signature, record.name)
    } else {
        (record.name, record.signature)
    };
    let pairs = cef::pairs(record.extension).map(|(key, value)| (canonical(key), value));
    Row { kind: Cow::Borrowed(types.0), subtype: Cow::Borrowed(types.1), fields: pairs.collect() }
}

fn read_leef<'a>(record: &leef::Leef<'a>) -> Row<'a> {
    let fields: Vec<_> = record.pairs().map(|(key, value)| (canonical(key), Cow::Borrowed(value))).collect();
    let find = |name: &str| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
    let (kind, subtype) = (find("type").unwrap_or_default(), find("subtype").unwrap_or_default());
    Row { kind, subtype, fields }
}

/// Objects of the logging service: a type, and a serial number or a log source.
fn is_json(body: &str) -> bool {
    let has = |needle: &str| memchr::memmem::find(body.as_bytes(), needle.as_bytes()).is_some();
    body.starts_with('{')
        && has("\"LogType\"")
        && (has("\"DeviceSN\"") || has("\"LogSourceID\"") || has("\"LogSourceName\""))
}

fn read_json(members: &json::Members) -> Row<'_> {
    let fields: Vec<_> = members.iter().map(|(name, value)| (canonical(name), Cow::Borrowed(value))).collect();
    let text = |name: &str| Cow::Borrowed(members.first(&[name]));
    Row { kind: text("LogType"), subtype: text("Subtype"), fields }
}

/// The PAN-OS names of the logging service's, of CEF's and of LEEF's.
fn canonical(key: &str) -> &str {
    let key = key.strip_prefix("PanOS").unwrap_or(key);
    match key {
        "SourceAddress" | "UserIP" => "src",
        "DestinationAddress" | "DNSResolverIP" => "dst",
        "SourceUser" | "SourceUserName" | "suser" | "usrName" | "User" => "srcuser",
        "DestinationUser" | "duser" => "dstuser",
        "SourcePort" | "spt" | "srcPort" => "sport",
        "DestinationPort" | "dpt" | "dstPort" => "dport",
        "Action" | "act" => "action",
        "BytesSent" | "out" | "srcBytes" => "bytes_sent",
        "BytesReceived" | "in" | "dstBytes" => "bytes_received",
        "Application" => "app",
        "DeviceName" | "LogSourceName" | "dvchost" => "device_name",
        "EventName" | "EventIDValue" | "EventID" | "EventId" => "eventid",
        "EventDescription" | "msg" | "Description" => "opaque",
        "Stage" => "stage",
        "TunnelType" => "tunnel_type",
        "EndpointDeviceName" | "MachineName" => "machinename",
        "PublicIPv4" => "public_ip",
        "PublicIPv6" => "public_ipv6",
        "PrivateIPv4" => "private_ip",
        "PrivateIPv6" => "private_ipv6",
        "EventStatus" | "Status" => "status",
        "LoginDuration" => "login_duration",
        "ConnectionError" | "Reason" | "reason" => "reason",
        "TimeGeneratedHighResolution" => "high_res_timestamp",
        "TimeGenerated" | "EventTime" | "rt" | "devTime" => "time_generated",
        "LogType" | "cat" => "type",
        "Subtype" | "SubType" => "subtype",
        "AuthenticatedUserName" => "user",
        "Admin" | "AdminUserName" => "admin",
        "Command" | "EventCommand" => "cmd",
        "Result" | "EventResult" => "result",
        "ThreatID" => "threatid",
        "SessionDuration" | "TotalTimeElapsed" => "elapsed",
        other => other,
    }
}

fn fill(row: &Row<'_>, rule: &str, header: &Header<'_>, draft: &mut Draft<'_>) {
    draft.product("paloalto", "paloalto.panos", "Palo Alto Networks", "PAN-OS");
    draft.rule(rule);
    draft.native("type", &row.kind);
    draft.native("subtype", &row.subtype);
    for (name, value) in &row.fields {
        if !value.is_empty() && !matches!(*name, "type" | "subtype") {
            draft.native(name, value);
        }
    }
    draft.event.observer_hostname = known(row.get("device_name")).or_else(|| header.host.map(str::to_owned));
    draft.time = time_of(row);
    match row.kind.as_ref() {
        "SYSTEM" => system(row, draft),
        "CONFIG" => config(row, draft),
        "GLOBALPROTECT" => global_protect(row, draft),
        "USERID" | "HIPMATCH" | "HIP-MATCH" | "IPTAG" | "CORRELATION" => seen(row, draft),
        "AUTH" | "AUTHENTICATION" => authentication(row, draft),
        _ => session(row, draft),
    }
}

fn time_of(row: &Row<'_>) -> Option<PayloadTime> {
    let generated = row_stamp(row.get("time_generated"))?;
    let received = Some(row.get("receive_time")).filter(|received| *received != row.get("time_generated"));
    let received = received.and_then(row_stamp).filter(|received| are_zones_apart(received, &generated));
    let mut stamp = received.unwrap_or(generated);
    // CEF of the logging service: `dtz=UTC rt=Mar 01 2026 09:00:00`.
    if stamp.offset.is_none() && row.get("dtz") == "UTC" {
        stamp.offset = Some(0);
    }
    let high = high_resolution(row.get("high_res_timestamp"));
    Some(PayloadTime::Stamp(high.filter(|_| stamp.offset.is_none()).unwrap_or(stamp)))
}

/// Whether two local stamps can be the same moment in two zones: whole hours apart, give or take the second between them.
fn are_zones_apart(one: &Stamp, other: &Stamp) -> bool {
    /// From UTC-12 to UTC+14.
    const ZONES_APART_SECONDS_MAX: i64 = 26 * 3600;
    let moment = |stamp: &Stamp| stamp.resolve(Tz::UTC, DateTime::UNIX_EPOCH).map(|instant| instant.time);
    let (Some(one), Some(other)) = (moment(one), moment(other)) else { return false };
    let apart = (one - other).num_seconds().abs();
    (3599..=ZONES_APART_SECONDS_MAX + 1).contains(&apart) && (apart + 1) % 3600 <= 2
}

/// JSON and CEF escape the backslash once more than they should.
fn user(raw: &str, draft: &mut Draft<'_>) {
    if raw.contains("\\\\") { draft.user(&raw.replace("\\\\", "\\")) } else { draft.user(raw) }
}

fn ends(row: &Row<'_>, draft: &mut Draft<'_>) {
    draft.source(row.get("src"));
    draft.destination(row.get("dst"));
    draft.event.source_port = port(row.get("sport"));
    draft.event.destination_port = port(row.get("dport"));
}

/// Rows about traffic and what was found in it.
fn session(row: &Row<'_>, draft: &mut Draft<'_>) {
    ends(row, draft);
    user(row.get("srcuser"), draft);
    draft.event.source_bytes = count(row.get("bytes_sent"));
    draft.event.destination_bytes = count(row.get("bytes_received"));
    draft.event.duration_ns = row.get("elapsed").parse().ok().and_then(seconds_ns);
    draft.reason(row.get("session_end_reason"));
    let threat = row.get("threatid");
    draft.event.code = between(threat, "(", ")").or(Some(threat)).and_then(known).filter(|id| id != "0");
    let word = row.get("action").to_ascii_lowercase();
    let denies = ["deny", "drop", "reset", "block", "sinkhole"].iter().any(|verb| word.starts_with(verb));
    let finds = matches!(row.kind.as_ref(), "THREAT" | "WILDFIRE") && !matches!(row.subtype.as_ref(), "url" | "file");
    let malware = finds && ["virus", "wildfire", "spyware"].iter().any(|kind| row.subtype.starts_with(kind));
    let category = if malware { Category::Malware } else { Category::Network };
    let action = if finds {
        Action::Detect
    } else if denies {
        Action::Deny
    } else {
        Action::Allow
    };
    draft.kind(category, action);
    draft.event.outcome = Some(if denies { Outcome::Failure } else { Outcome::Success });
}

fn config(row: &Row<'_>, draft: &mut Draft<'_>) {
    draft.source(row.get("host"));
    user(row.get("admin"), draft);
    draft.kind(Category::Configuration, Action::ConfigChange);
    let failed = matches!(row.get("result"), "Failed" | "Unauthorized");
    draft.event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
}

/// What the firewall knows of a machine: who sits there, and in what health.
fn seen(row: &Row<'_>, draft: &mut Draft<'_>) {
    ends(row, draft);
    if draft.event.source_ip.is_none() {
        draft.source(row.get("srcipv6"));
    }
    for name in ["user", "srcuser"] {
        user(row.get(name), draft);
    }
    // CEF has a key of its own for it.
    draft.event.source_domain = known(row.get("machinename")).or_else(|| known(row.get("shost")));
    draft.kind(Category::Session, Action::Other);
}

/// Answers of the portal and of second factors to people who pass the firewall.
fn authentication(row: &Row<'_>, draft: &mut Draft<'_>) {
    ends(row, draft);
    for name in ["user", "normalize_user", "srcuser"] {
        user(row.get(name), draft);
    }
    let event = row.get("event").to_ascii_lowercase();
    draft.kind(Category::Authentication, Action::Other);
    draft.event.outcome = Some(if event.contains("success") {
        Outcome::Success
    } else if ["fail", "timeout", "denied", "invalid"].iter().any(|word| event.contains(word)) {
        Outcome::Failure
    } else {
        Outcome::Unknown
    });
    draft.reason(row.get("opaque"));
}

fn global_protect(row: &Row<'_>, draft: &mut Draft<'_>) {
    for name in ["public_ip", "public_ipv6"] {
        draft.source(row.get(name));
    }
    for name in ["private_ip", "private_ipv6"] {
        draft.assigned(row.get(name));
    }
    user(row.get("srcuser"), draft);
    let event = row.get("eventid");
    draft.event.code = known(event);
    draft.event.source_domain = known(row.get("machinename"));
    draft.event.vpn_client = known(row.get("client_ver"));
    draft.event.vpn_group = known(row.get("gateway"));
    draft.event.vpn_type = Some(vpn_type(row.get("tunnel_type")).to_owned());
    draft.event.duration_ns = row.get("login_duration").parse().ok().and_then(seconds_ns).filter(|nanos| *nanos > 0);
    for name in ["error", "reason"] {
        if draft.event.reason.is_none() {
            draft.reason(row.get(name));
        }
    }
    let failed = row.get("status").to_ascii_lowercase().starts_with("fail");
    let (category, action) = vpn_step(event);
    draft.kind(category, action);
    draft.event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
}

fn vpn_type(tunnel: &str) -> &'static str {
    if tunnel.to_ascii_lowercase().contains("ipsec") { "ipsec" } else { "ssl" }
}

/// `gateway-connected` of GLOBALPROTECT rows; `globalprotectgateway-auth-succ` of SYSTEM rows before 9.1.
fn vpn_step(event: &str) -> (Category, Action) {
    let step = event.strip_prefix("globalprotect").unwrap_or(event);
    if step.starts_with("gateway-connected") || step.starts_with("gateway-config-succ") {
        (Category::Session, Action::SessionStart)
    } else if step.contains("logout") {
        (Category::Session, Action::SessionEnd)
    } else if step.contains("-auth") {
        (Category::Authentication, Action::Login)
    } else {
        (Category::Session, Action::Other)
    }
}

fn system(row: &Row<'_>, draft: &mut Draft<'_>) {
    let (event, text) = (row.get("eventid"), row.get("opaque"));
    draft.event.code = known(event);
    system_person(text, draft);
    system_ends(text, draft);
    draft.reason(between(text, "Reason: ", ". ").or_else(|| behind(text, "Reason: ", &['.', ','])).unwrap_or(""));
    let (category, action, outcome) = system_meaning(event, text);
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
    if event.starts_with("globalprotect") {
        draft.event.vpn_type = Some("ssl".to_owned());
    }
}

fn system_meaning(event: &str, text: &str) -> (Category, Action, Outcome) {
    use Category::{Authentication, Configuration, Host};
    let failed = text.contains("failed") || event.ends_with("-fail");
    let outcome = if failed { Outcome::Failure } else { Outcome::Success };
    if event.starts_with("globalprotect") {
        let (category, action) = vpn_step(event);
        (category, action, outcome)
    } else if text.contains(" logged in via ") {
        (Authentication, Action::Login, Outcome::Success)
    } else if text.contains(" logged out via ") {
        (Authentication, Action::Logout, Outcome::Success)
    } else if text.starts_with("failed authentication for user") {
        let told_again =
            between(text, "vsys ", ",").is_some_and(|vsys| vsys.trim_start_matches('\'').starts_with("vsys"));
        (Authentication, if told_again { Action::Other } else { Action::Login }, Outcome::Failure)
    } else if event.starts_with("auth-") {
        (Authentication, Action::Other, outcome)
    } else if text.contains("ommit job") {
        (Configuration, Action::Other, outcome)
    } else {
        (Host, Action::Other, Outcome::Unknown)
    }
}

/// Names stand in quotes or bare, before a blank, a comma or the end of a sentence.
fn system_person(text: &str, draft: &mut Draft<'_>) {
    const MARKS: [&str; 8] = [
        "authenticated for user ",
        "authentication for user ",
        "authenticating user ",
        "User name: ",
        "User: ",
        "for user ",
        " by user ",
        "User ",
    ];
    for mark in MARKS {
        let Some((_, rest)) = text.split_once(mark) else { continue };
        let is_told = mark != "User " || rest.contains(" logged in ") || rest.contains(" logged out ");
        let name = match rest.strip_prefix('\'') {
            Some(inner) => inner.split('\'').next(),
            None => rest.split([' ', ',']).next().map(|name| name.trim_end_matches('.')),
        };
        draft.user(name.filter(|_| is_told).unwrap_or(""));
    }
    // `… upgraded from version 8671 to 8676 by sato`
    if let Some((_, name)) = text.rsplit_once(" by ")
        && !name.contains(' ')
        && address(name).is_none()
    {
        draft.user(name.trim_end_matches('.'));
    }
}

fn system_ends(text: &str, draft: &mut Draft<'_>) {
    let end = |mark: &str| {
        let (_, rest) = text.split_once(mark)?;
        rest.trim_start_matches(['\'', ' ']).split([' ', ',', '\'']).next().map(|word| word.trim_end_matches('.'))
    };
    for mark in ["From: ", "Login from: ", " from ", "initiated by: ", "initiated by ", "interface eth0, ip "] {
        let word = end(mark).unwrap_or("");
        draft.source(word);
    }
    for mark in ["erver address ", "erver Address ", "connected to server "] {
        let word = end(mark).unwrap_or("");
        super::scan::destination_end(word, draft);
    }
    draft.assigned(end("Private IP: ").unwrap_or(""));
}

#[cfg(test)]
mod tests;
