//! Check Point gateways and management: Log Exporter's syslog, generic, CEF and LEEF forms, and the tracker's export.
//!
//! Format: Check Point, *Log Exporter* (sk122323) and *fields* (sk144192). Quirks this file owns:
//! * The syslog form is no structured data: `[action:"Accept"; src:"192.0.2.1"; ike::"text"]`, with `\"` and `\]`.
//! * The generic form is `time=…|hostname=…|key=value|`, `=` in values escaped as `\=`; values may hold `|`
//!   (`origin=192.0.2.1|192.0.2.2`).
//! * The header's host is the exporter. The gateway is `origin`, its name the `CN` of `originsicname`.
//! * A name is `Display Name (login)`: the login is the account.
//! * There are no message ids; `loguid`, by which `SmartConsole` finds the record, stands for one. CEF has a class.
//! * `service` is the port that was reached, as a number or by its name.
//! * Identity Awareness reports who it believes to sit where: its `Log In` is nobody's login.

use std::borrow::Cow;

use monban_event::{Action, Category, Outcome, account};

use super::draft::{Draft, PayloadTime};
use super::leef;
use super::scan::{count, known, port};
use super::{cef, csv, kv};
use crate::header::{self, Header};
use crate::stamp;

/// Most fields read of one line.
const FIELDS_MAX: usize = monban_event::limits::NATIVE_FIELDS_MAX;

struct Fields<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl Fields<'_> {
    /// The first of these that is there and not empty.
    fn first(&self, names: &[&str]) -> &str {
        names.iter().find_map(|name| self.get(name)).unwrap_or("")
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, value)| *field == name && !value.is_empty()).map(|(_, value)| value.as_ref())
    }
}

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let body = header.body;
    if let Some(record) = cef::find(body).filter(|record| is_vendor(record.vendor)) {
        let fields = cef::pairs(record.extension).map(|(key, value)| (canonical(key), value)).collect();
        draft.event.code = known(record.signature);
        fill(&Fields(fields), "checkpoint.cef", header, draft);
    } else if let Some(record) = leef::find(body).filter(|record| is_vendor(record.vendor)) {
        let fields = record.pairs().map(|(key, value)| (canonical(key), Cow::Borrowed(value))).collect();
        fill(&Fields(fields), "checkpoint.leef", header, draft);
    } else if let Some(fields) = colon_fields(header).or_else(|| structured_fields(header)) {
        fill(&fields, "checkpoint.syslog", header, draft);
    } else if let Some(fields) = generic_fields(body) {
        fill(&fields, "checkpoint.generic", header, draft);
    } else if let Some(fields) = tracker_fields(body) {
        fill(&fields, "checkpoint.tracker", header, draft);
    } else {
        return false;
    }
    true
}

fn is_vendor(vendor: &str) -> bool {
    vendor.eq_ignore_ascii_case("check point") || vendor.eq_ignore_ascii_case("checkpoint")
}

fn is_app(header: &Header<'_>) -> bool {
    header.app.is_some_and(|app| app.eq_ignore_ascii_case("checkpoint"))
}

/// `[action:"Accept"; flags:"1"; ike::"text"; ]`
fn colon_fields<'a>(header: &Header<'a>) -> Option<Fields<'a>> {
    let inner = header.body.strip_prefix("syslog").unwrap_or(header.body).strip_prefix('[')?;
    let (first, _) = inner.split_once(":\"")?;
    let is_key = first.len() <= 64 && first.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let has = |needle: &str| memchr::memmem::find(inner.as_bytes(), needle.as_bytes()).is_some();
    if !is_key || !(is_app(header) || has("loguid:\"") || has("origin:\"")) {
        return None;
    }
    let mut fields = Vec::new();
    let mut rest = inner;
    while fields.len() < FIELDS_MAX
        && let Some((key, behind)) = rest.split_once(":\"")
    {
        let end = quote_end(behind);
        let value = behind.get(..end).unwrap_or(behind);
        fields.push((key.trim_matches([' ', ';', ':']), unescape(value)));
        rest = behind.get(end + 1..).unwrap_or("");
    }
    Some(Fields(fields))
}

/// R81's RFC 5424 form: `[Fields@1.3.6.1.4.1.2620 src="192.0.2.1" svc="443" …]`, the vendor's number of IANA.
fn is_numbered(structured: &str) -> bool {
    structured.split([' ', ']']).next().is_some_and(|id| id.ends_with("@1.3.6.1.4.1.2620") || id.ends_with("@2620"))
}

/// The place of the quote that no backslash escapes; the end of the text where it was cut off.
fn quote_end(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(text.len())
}

fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some('"' | ']' | '=' | '|')) => text.extend(characters.next()),
            _ => text.push(character),
        }
    }
    Cow::Owned(text)
}

/// RFC 5424 as it should be, of newer exporters.
fn structured_fields<'a>(header: &Header<'a>) -> Option<Fields<'a>> {
    let structured = header.structured.filter(|structured| is_app(header) || is_numbered(structured))?;
    let pairs = header::structured_parameters(structured).take(FIELDS_MAX);
    Some(Fields(pairs.map(|(name, value)| (canonical(name), unescape(value))).collect()))
}

/// `time=1772496000|hostname=fw|…|`, `loc=7|time=…|action=accept|orig=…`.
fn generic_fields(body: &str) -> Option<Fields<'_>> {
    let has = |needle: &str| memchr::memmem::find(body.as_bytes(), needle.as_bytes()).is_some();
    let begins = ["time=", "loc=", "hostname=", "action="].iter().any(|key| body.starts_with(key));
    let is_ours = has("|product=") || has("|orig=") || has("|loguid=");
    if !begins || !is_ours || !(has("|origin=") || has("|orig=") || has("|loguid=")) {
        return None;
    }
    let pairs = kv::separated(body, b'|').take(FIELDS_MAX);
    Some(Fields(pairs.map(|(key, value)| (canonical(key), unescape(value.trim_end_matches('|')))).collect()))
}

/// `"22" "10Dec2026" "23:44:49" "eth1" "fw1" "Log" "Accept" "443" "44250" "192.0.2.1" …`
fn tracker_fields(body: &str) -> Option<Fields<'_>> {
    const COLUMNS: &str = "number date clock ifname hostname type action service s_port src dst proto rule rule_name \
        - user information product";
    if !body.starts_with('"') || body.get(..48).is_none_or(|start| start.matches("\" \"").count() < 2) {
        return None;
    }
    let fields: Vec<_> = COLUMNS.split_ascii_whitespace().zip(csv::values(body, b' ')).collect();
    let fields = Fields(fields);
    tracker_time(&fields)?;
    fields.get("action")?;
    Some(fields)
}

/// `10Dec2026` and `23:44:49`.
fn tracker_time(fields: &Fields<'_>) -> Option<PayloadTime> {
    let date = fields.get("date")?;
    let digits = date.bytes().take_while(u8::is_ascii_digit).count();
    let (day, month, year) = (date.get(..digits)?, date.get(digits..digits + 3)?, date.get(digits + 3..)?);
    let text = format!("{month} {day} {year} {}", fields.get("clock")?);
    stamp::read(&text).map(|(stamp, _)| PayloadTime::Stamp(stamp))
}

/// Names of the syslog form for those of CEF, LEEF and the LEA export.
fn canonical(key: &str) -> &str {
    match key {
        "act" => "action",
        "spt" | "srcPort" | "sport_svc" => "s_port",
        "dpt" | "dstPort" | "svc" => "service",
        "ProductName" => "product",
        "suser" | "usrName" => "user",
        "shost" => "src_machine_name",
        "dhost" => "dst_machine_name",
        "in" | "dstBytes" => "received_bytes",
        "out" | "srcBytes" => "sent_bytes",
        "rt" | "devTime" => "time",
        "orig" => "origin",
        "origin_sic_name" => "originsicname",
        other => other,
    }
}

fn fill(fields: &Fields<'_>, rule: &str, header: &Header<'_>, draft: &mut Draft<'_>) {
    let product = known(fields.first(&["product", "product_family"]));
    draft.product(
        "checkpoint",
        "checkpoint.firewall",
        "Check Point",
        product.as_deref().unwrap_or("VPN-1 & FireWall-1"),
    );
    draft.rule(rule);
    for (name, value) in &fields.0 {
        if !value.is_empty() {
            draft.native(name, value);
        }
    }
    if draft.event.code.is_none() {
        draft.event.code = known(fields.first(&["loguid"]));
    }
    let sic_name = common_name(fields.first(&["originsicname", "origin_sic_name"]));
    let named = known(fields.first(&["hostname"])).or_else(|| sic_name.and_then(known));
    // A CEF line without its header was written by the gateway's exporter; its name is in the certificate.
    draft.event.observer_hostname = header.host.map(str::to_owned).or(named);
    draft.event.observer_ip = super::draft::address(fields.first(&["origin"]));
    draft.time = time_of(fields).or_else(|| tracker_time(fields));
    person(fields, draft);
    ends(fields, draft);
    classify(fields, draft);
}

/// The `CN` of a certificate's name.
fn common_name(name: &str) -> Option<&str> {
    let rest = name.get(..3).filter(|start| start.eq_ignore_ascii_case("cn=")).and_then(|_| name.get(3..))?;
    rest.split(',').next()
}

fn time_of(fields: &Fields<'_>) -> Option<PayloadTime> {
    let text = fields.first(&["time"]);
    match stamp::epoch(text) {
        Some(instant) => Some(PayloadTime::Instant(instant)),
        None => stamp::read(text).map(|(stamp, _)| PayloadTime::Stamp(stamp)),
    }
}

fn person(fields: &Fields<'_>, draft: &mut Draft<'_>) {
    for name in ["administrator", "user", "src_user_name", "user_name"] {
        draft.user(fields.first(&[name]));
    }
    // `Sato Hanako (sato)`
    let login = draft.event.user_raw.as_deref().and_then(|raw| raw.strip_suffix(')')?.rsplit_once('('));
    if let Some(account) = login.and_then(|(_, login)| account::parse(login)) {
        draft.event.user_name = Some(account.key);
        draft.event.user_domain = account.domain;
    }
}

fn ends(fields: &Fields<'_>, draft: &mut Draft<'_>) {
    for name in ["src", "client_ip", "ipv6_src"] {
        draft.source(fields.first(&[name]));
    }
    for name in ["dst", "ipv6_dst"] {
        draft.destination(fields.first(&[name]));
    }
    for name in ["office_mode_ip", "assigned_ip", "om_ip"] {
        draft.assigned(fields.first(&[name]));
    }
    let event = &mut draft.event;
    event.source_port = port(fields.first(&["s_port"]));
    event.destination_port = port(fields.first(&["service"]));
    event.source_domain = known(fields.first(&["src_machine_name", "machine"]));
    event.destination_domain = known(fields.first(&["dst_machine_name", "dst_domain_name"]));
    event.source_bytes = count(fields.first(&["sent_bytes", "client_inbound_bytes"]));
    event.destination_bytes = count(fields.first(&["received_bytes", "client_outbound_bytes"]));
    event.vpn_session_id = known(fields.first(&["session_uid"]));
}

fn classify(fields: &Fields<'_>, draft: &mut Draft<'_>) {
    let said = fields.first(&["reason", "failed_login_reason", "error_description", "reject_category"]);
    draft.reason(said);
    let is_admin = fields.get("administrator").is_some() && fields.get("operation").is_some();
    let (category, action, outcome) = match () {
        () if is_admin => admin(fields),
        () if is_vpn(fields) => remote_access(fields, draft),
        () => traffic(fields),
    };
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

type Meaning = (Category, Action, Outcome);

/// Audit records of the management: `subject`, `operation`, since R80 `audit_status`.
fn admin(fields: &Fields<'_>) -> Meaning {
    let operation = fields.first(&["operation"]);
    let said = fields.first(&["audit_status", "status"]);
    let failed = ["fail", "Fail"].iter().any(|word| said.starts_with(word) || operation.contains(word));
    let outcome = if failed { Outcome::Failure } else { Outcome::Success };
    match operation {
        "Log Out" | "Force Log Out" | "Logout" => (Category::Authentication, Action::Logout, outcome),
        _ if operation.to_ascii_lowercase().replace(' ', "").contains("login") => {
            (Category::Authentication, Action::Login, outcome)
        }
        _ => (Category::Configuration, Action::ConfigChange, outcome),
    }
}

/// A person's tunnel: by the feature or blade that writes, or by the act of logging in.
fn is_vpn(fields: &Fields<'_>) -> bool {
    let product = fields.first(&["product"]);
    let logs = ["log in", "log out", "login", "logout", "failed log in"];
    let action = fields.first(&["action", "event_type"]).to_ascii_lowercase();
    fields.get("vpn_feature_name").is_some()
        || fields.get("office_mode_ip").is_some()
        || matches!(fields.first(&["scheme", "scheme:"]), "IKE" | "SSL")
        || (logs.contains(&action.as_str()) && product != "Identity Awareness")
        || (matches!(product, "Mobile Access" | "Endpoint Security VPN" | "VPN") && !action.is_empty())
}

fn remote_access(fields: &Fields<'_>, draft: &mut Draft<'_>) -> Meaning {
    let ssl = fields.first(&["product"]) == "Mobile Access" || fields.first(&["scheme", "vpn_feature_name"]) == "SSL";
    draft.event.vpn_type = Some(if ssl { "ssl" } else { "ipsec" }.to_owned());
    draft.event.vpn_client = known(fields.first(&["client_name"]));
    let has_user = draft.event.user_name.is_some();
    let action = fields.first(&["action", "event_type"]).to_ascii_lowercase().replace(' ', "");
    let status = fields.first(&["status", "auth_status"]).to_ascii_lowercase();
    let failed = action.starts_with("failed") || action == "reject" || status.contains("fail");
    match action.as_str() {
        "login" | "failedlogin" if failed => (Category::Authentication, Action::Login, Outcome::Failure),
        "login" => (Category::Session, Action::SessionStart, Outcome::Success),
        "logout" => (Category::Session, Action::SessionEnd, Outcome::Success),
        "reject" if has_user => (Category::Authentication, Action::Login, Outcome::Failure),
        "accept" | "encrypt" | "decrypt" => (Category::Network, Action::Allow, Outcome::Success),
        "drop" | "block" => (Category::Network, Action::Deny, Outcome::Failure),
        _ => (Category::Session, Action::Other, if failed { Outcome::Failure } else { Outcome::Unknown }),
    }
}

fn traffic(fields: &Fields<'_>) -> Meaning {
    let (network, malware) = (Category::Network, Category::Malware);
    match fields.first(&["action"]).to_ascii_lowercase().as_str() {
        "accept" | "allow" | "bypass" | "https bypass" | "inspect" | "https inspect" | "encrypt" | "decrypt" => {
            (network, Action::Allow, Outcome::Success)
        }
        "drop" | "reject" | "block" | "deny" => (network, Action::Deny, Outcome::Failure),
        "prevent" | "detect" | "monitored" | "alert" => (network, Action::Detect, Outcome::Unknown),
        "quarantine" => (malware, Action::Detect, Outcome::Unknown),
        "log in" | "log out" => (Category::Authentication, Action::Other, Outcome::Unknown),
        _ => (Category::Host, Action::Other, Outcome::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    const TRAFFIC: &[(&str, &str)] = &[
        ("event.module", "checkpoint"),
        ("event.category", "network"),
        ("event.action", "deny"),
        ("event.code", "{0x1,0x2}"),
        ("source.ip", "203.0.113.9"),
        ("source.port", "54377"),
        ("destination.ip", "192.0.2.7"),
        ("destination.port", "5530"),
        ("observer.ip", "192.0.2.1"),
        ("@timestamp", "2026-03-03T00:00:00.000000Z"),
    ];

    #[test]
    fn traffic_in_every_form() {
        check(
            r#"<134>1 2026-03-03T00:00:01Z mgmt CheckPoint 26203 - [action:"Drop"; loguid:"{0x1,0x2}"; origin:"192.0.2.1"; time:"1772496000"; __policy_id_tag:"product=x[db_tag={A};mgmt=m\]"; dst:"192.0.2.7"; ike::"a \"b\""; s_port:"54377"; service:"5530"; src:"203.0.113.9"; ]"#,
            TRAFFIC,
        );
        check(
            r#"syslog[action:"Drop"; loguid:"{0x1,0x2}"; origin:"192.0.2.1"; origin_sic_name:"CN=fw1,O=x"; time:"1772496000"; dst:"192.0.2.7"; s_port:"54377"; service:"5530"; src:"203.0.113.9"; ]"#,
            TRAFFIC,
        );
        check(
            r#"<134>1 2026-03-03T00:00:01Z mgmt CheckPoint 26203 - [x@2620 action="Drop" loguid="{0x1,0x2}" origin="192.0.2.1" time="1772496000" dst="192.0.2.7" s_port="54377" service="5530" src="203.0.113.9"]"#,
            TRAFFIC,
        );
        check(
            r"time=1772496000|hostname=mgmt|product=Firewall|action=Drop|loguid={0x1,0x2}|origin=192.0.2.1|originsicname=CN\=fw1,O\=x|dst=192.0.2.7|s_port=54377|service=5530|src=203.0.113.9|",
            TRAFFIC,
        );
        check(
            r"CEF:0|Check Point|VPN-1 & FireWall-1|Check Point|Log|https|Unknown|act=Drop rt=1772496000000 spt=54377 dpt=5530 loguid={0x1,0x2} origin=192.0.2.1 originsicname=CN\=fw1,O\=x dst=192.0.2.7 src=203.0.113.9 suser=Sato Hanako (sato)",
            &[
                ("event.code", "Log"),
                ("event.action", "deny"),
                ("observer.hostname", "fw1"),
                ("user.name", "sato"),
                ("user.raw", "Sato Hanako (sato)"),
                ("source.ip", "203.0.113.9"),
                ("destination.port", "5530"),
            ],
        );
        check(
            "LEEF:2.0|Check Point|VPN-1 & FireWall-1|1.0|Drop|cat=VPN-1\tdevTime=1772496000\tact=Drop\tloguid={0x1,0x2}\torigin=192.0.2.1\tsrcPort=54377\tdstPort=5530\tsrc=203.0.113.9\tdst=192.0.2.7",
            TRAFFIC,
        );
        check(
            r#""22" "03Mar2026" "09:00:00" "eth1" "fw1" "Log" "Accept" "443" "44250" "203.0.113.9" "192.0.2.7" "tcp" "81" "Web" "81-P" "" "x" "Multi-product""#,
            &[
                ("event.action", "allow"),
                ("source.ip", "203.0.113.9"),
                ("destination.port", "443"),
                ("observer.hostname", "fw1"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
    }

    #[test]
    fn administrators() {
        let audit = |operation: &str, more: &str| {
            format!(
                "time=1772496000|hostname=mgmt|product=SmartConsole|action=Accept|origin=192.0.2.1|administrator=sato|client_ip=192.0.2.7|machine=PC-7|operation={operation}{more}|subject=x"
            )
        };
        check(
            audit("Log In", ""),
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("source.domain", "PC-7"),
                ("observer.hostname", "mgmt"),
            ],
        );
        check(audit("Log In", "|audit_status=Failure"), &[("event.action", "login"), ("event.outcome", "failure")]);
        check(audit("Log Out", ""), &[("event.action", "logout")]);
        check(audit("Modify Object", ""), &[("event.action", "config-change"), ("event.outcome", "success")]);
    }

    #[test]
    fn remote_access() {
        let line = |action: &str, more: &str| {
            format!(
                r#"<134>1 2026-03-03T00:00:00Z mgmt CheckPoint 7 - [action:"{action}"; loguid:"{{0x1}}"; origin:"192.0.2.1"; product:"Mobile Access"; src:"203.0.113.9"; user:"Vendor Taro (vendor01)"; {more}]"#
            )
        };
        check(
            line("Log In", r#"office_mode_ip:"10.9.0.5"; session_uid:"{AB}"; "#),
            &[
                ("event.action", "session-start"),
                ("user.name", "vendor01"),
                ("vpn.assigned_ip", "10.9.0.5"),
                ("vpn.session_id", "{AB}"),
                ("vpn.type", "ssl"),
            ],
        );
        check(
            line("Failed Log In", r#"reason:"Wrong password"; "#),
            &[("event.action", "login"), ("event.outcome", "failure"), ("event.reason", "Wrong password")],
        );
        check(line("Log Out", ""), &[("event.action", "session-end")]);
        check(
            line("Log In", "").replace("Mobile Access", "Identity Awareness"),
            &[("event.action", "other"), ("vpn.type", "-")],
        );
    }

    #[test]
    fn damaged_and_foreign_lines() {
        let cut = r#"<134>1 2026-03-03T00:00:00Z mgmt CheckPoint 7 - [action:"Drop"; src:"203.0.113."#;
        assert_eq!(parse(cut.as_bytes()).module.as_deref(), Some("checkpoint"));
        for line in [
            r#"<134>1 2026-03-03T00:00:00Z h app 7 - [note:"x"; y:"z"]"#,
            "time=1772496000|a=b|c=d",
            r#""1" "2" "3" "4""#,
            r#""GET / HTTP/1.1" "a" "b" "c""#,
            "[action:\"",
        ] {
            assert_ne!(parse(line.as_bytes()).module.as_deref(), Some("checkpoint"), "{line}");
        }
    }

    #[test]
    fn the_numbered_fields_of_r81() {
        check(
            "<85>1 2026-03-03T12:10:16--5:00 192.0.2.3 CP-GW - Log [Fields@1.3.6.1.4.1.2620 inzone=\"DMZ\" service_id=\"https\" src=\"192.0.2.9\" dst=\"198.51.100.7\" proto=\"6\" user=\"sato\" ProductName=\"VPN-1 & FireWall-1\" svc=\"443\" sport_svc=\"56530\" ]",
            &[
                ("event.module", "checkpoint"),
                ("observer.hostname", "192.0.2.3"),
                ("source.ip", "192.0.2.9"),
                ("source.port", "56530"),
                ("destination.port", "443"),
                ("user.name", "sato"),
            ],
        );
    }
}
