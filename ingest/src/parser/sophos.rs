//! Sophos Firewall (XG, XGS, SFOS), UTM 9, Web Appliance and Central.
//!
//! Formats: Sophos, *Sophos Firewall log fields*; *UTM 9 log reference*; Central's SIEM export. Quirks this file owns:
//! * SFOS: `date=… time=… timezone="CEST|IST|+11"` or `timestamp="2026-03-03T11:03:06+0900"`; zone words may mean several
//!   zones, then the source's counts. `log_id` is the message.
//! * A remote user is reported by `VPN Authentication` or `SSL VPN Authentication`, then by `Firewall Authentication` with
//!   the VPN as `auth_client`: the first is the login and has the source, the last is a step. `SSL VPN` with `Established`
//!   has no source; its `ipaddress` is the address given to that login.
//! * UTM: `id="3005" severity="warn" sys="System" sub="auth" …` behind a program's tag.
//! * Central: JSON whose `type` is `Event::…`.

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime};
use super::gateway::{
    ACCOUNT, ADDRESS, ALLOW, CONFIG, DENY, HOST, LOGIN, LOGIN_REFUSED, LOGOUT, Meaning, NETWORK, SESSION, SESSION_END,
    SESSION_START, STEP, failed, head, local_time, mean, name_device, says,
};
use super::json;
use super::kv;
use super::scan::{count, known, port, seconds_ns};
use crate::header::Header;
use crate::stamp;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    sfos(header, draft) || utm(header, draft) || appliance(header, draft) || central(header, draft)
}

fn has(line: &str, key: &str) -> bool {
    memchr::memmem::find(line.as_bytes(), key.as_bytes()).is_some()
}

/// The values that decide something.
#[derive(Default)]
struct Keys<'a> {
    date: &'a str,
    time: &'a str,
    zone: &'a str,
    timestamp: &'a str,
    name: &'a str,
    kind: &'a str,
    component: &'a str,
    subtype: &'a str,
    status: &'a str,
    message: &'a str,
    reason: &'a str,
    client: &'a str,
    session: &'a str,
    /// UTM's `sub` and `id`.
    sub: &'a str,
    id: &'a str,
    event: &'a str,
    variant: &'a str,
    caller: &'a str,
    action: &'a str,
}

impl<'a> Keys<'a> {
    fn set(&mut self, key: &str, value: &'a str) {
        let slot = match key {
            "date" => &mut self.date,
            "time" => &mut self.time,
            "timezone" => &mut self.zone,
            "timestamp" => &mut self.timestamp,
            "device_name" => &mut self.name,
            "log_type" => &mut self.kind,
            "log_component" => &mut self.component,
            "log_subtype" => &mut self.subtype,
            "status" => &mut self.status,
            "message" => &mut self.message,
            "reason" => &mut self.reason,
            "auth_client" => &mut self.client,
            "sessionid" | "session_id" => &mut self.session,
            "sub" => &mut self.sub,
            "id" => &mut self.id,
            "event" | "name" => &mut self.event,
            "variant" => &mut self.variant,
            "caller" => &mut self.caller,
            "action" => &mut self.action,
            _ => return,
        };
        *slot = value;
    }
}

/// Keys that both families spell alike or nearly so.
fn common_key(key: &str, value: &str, draft: &mut Draft<'_>) {
    let event = &mut draft.event;
    match key {
        "src_ip" | "sourceip" | "srcip" | "remote_ip" => draft.source(value),
        "dst_ip" | "destinationip" | "dstip" => draft.destination(value),
        "src_port" | "srcport" => event.source_port = port(value),
        "dst_port" | "dstport" => event.destination_port = port(value),
        "user_name" | "user" | "username" => draft.user(value),
        "sent_bytes" | "bytes_sent" => event.source_bytes = count(value),
        "recv_bytes" | "bytes_received" => event.destination_bytes = count(value),
        "duration" => event.duration_ns = count(value).and_then(seconds_ns),
        "src_mac" | "srcmac" => event.source_mac = known(value),
        "domain" => event.destination_domain = known(value),
        _ => {}
    }
}

fn sfos(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let line = header.body;
    if !has(line, "log_type=\"") || !has(line, "log_component=\"") || !has(line, "log_id=") {
        return false;
    }
    let mut keys = Keys::default();
    for (key, value) in kv::pairs(line) {
        keys.set(key, value);
        common_key(key, value, draft);
        if matches!(key, "remoteinterfaceip" | "remotepeer") {
            draft.source(value);
        }
        if key == "localinterfaceip" {
            draft.destination(value);
        }
        if key == "log_id" {
            draft.event.code = known(value);
        }
        if matches!(key, "ipaddress" | "virtual_ip" | "assigned_ip") {
            draft.assigned(value);
        }
        draft.native(key, value);
    }
    draft.product("sophos", "sophos.firewall", "Sophos", "Firewall");
    draft.rule("sophos.sfos");
    draft.time = sfos_time(&keys);
    name_device(header, keys.name, draft);
    draft.reason(keys.reason);
    draft.event.vpn_type = sfos_vpn_type(&keys).map(str::to_owned);
    if draft.event.vpn_type.is_some() {
        draft.event.vpn_session_id = known(keys.session);
        // The firewall counts its own side: what it sent went to the user.
        std::mem::swap(&mut draft.event.source_bytes, &mut draft.event.destination_bytes);
    } else {
        draft.event.vpn_assigned_ip = None;
    }
    let meaning = match sfos_meaning(&keys) {
        SESSION_START if draft.event.vpn_assigned_ip.is_some() => ADDRESS,
        meaning => meaning,
    };
    mean(draft, meaning);
    true
}

fn sfos_time(keys: &Keys<'_>) -> Option<PayloadTime> {
    if !keys.date.is_empty() {
        let zone_word = format!("{} {} {}", keys.date, keys.time, keys.zone);
        return local_time(&zone_word, keys.zone);
    }
    match stamp::epoch(keys.timestamp) {
        Some(instant) => Some(PayloadTime::Instant(instant)),
        None => local_time(keys.timestamp, ""),
    }
}

fn sfos_vpn_type(keys: &Keys<'_>) -> Option<&'static str> {
    if keys.kind != "Event" {
        return None;
    }
    match keys.component {
        "SSL VPN" | "SSL VPN Authentication" | "SSL VPN Portal" | "SSL VPN CLIENT" => Some("ssl"),
        "IPSec" | "IPsec" | "VPN" | "VPN Authentication" => Some("ipsec"),
        "L2TP" => Some("l2tp"),
        "PPTP" => Some("pptp"),
        _ => None,
    }
}

fn sfos_meaning(keys: &Keys<'_>) -> Meaning {
    let refused = says(keys.status, &["fail", "deny", "denied", "drop", "block"])
        || says(keys.subtype, &["denied", "drop", "blocked"]);
    match keys.kind {
        "Event" if keys.component.ends_with("Authentication") => authentication(keys, refused),
        "Event" if sfos_vpn_type(keys).is_some() => tunnel(keys, refused),
        "Event"
            if matches!(keys.component, "GUI" | "CLI" | "API" | "Appliance" | "Central Management")
                || keys.subtype == "Admin" =>
        {
            administration(keys, refused)
        }
        "Event" | "System Health" | "Wireless Protection" => HOST,
        "Anti-Virus" | "ATP" | "Sandbox" | "Sandstorm" | "Anti-Spam" | "IDP" | "WAF" | "Heartbeat" => {
            let is_malware = matches!(keys.kind, "Anti-Virus" | "ATP" | "Sandbox" | "Sandstorm");
            let category = if is_malware { Category::Malware } else { Category::Network };
            (category, Action::Detect, if refused { Outcome::Failure } else { Outcome::Unknown })
        }
        _ if refused => DENY,
        _ if says(keys.subtype, &["allowed"]) || says(keys.status, &["allow"]) => ALLOW,
        _ => NETWORK,
    }
}

fn authentication(keys: &Keys<'_>, refused: bool) -> Meaning {
    let of_vpn = says(keys.client, &["vpn", "ipsec", "l2tp", "pptp"]) && keys.component == "Firewall Authentication";
    if says(keys.message, &["logged out", "logged off"]) || says(keys.status, &["logged out", "logout"]) {
        LOGOUT
    } else if refused {
        LOGIN_REFUSED
    } else if of_vpn {
        STEP
    } else {
        LOGIN
    }
}

fn tunnel(keys: &Keys<'_>, refused: bool) -> Meaning {
    if refused {
        failed(SESSION)
    } else if says(keys.status, &["established", "connected"]) {
        SESSION_START
    } else if says(keys.status, &["terminated", "disconnected", "expire"]) {
        SESSION_END
    } else {
        SESSION
    }
}

fn administration(keys: &Keys<'_>, refused: bool) -> Meaning {
    let text = keys.message;
    if says(text, &["logged in", "login", "log in", "authentication"]) {
        if refused || says(text, &["fail", "wrong"]) { LOGIN_REFUSED } else { LOGIN }
    } else if says(text, &["logged out", "logged off", "logout"]) {
        LOGOUT
    } else {
        let meaning = if says(text, &["administrator '", "user '", "user account"]) { ACCOUNT } else { CONFIG };
        if refused { failed(meaning) } else { meaning }
    }
}

/// `id="3005" severity="warn" sys="System" sub="auth" …`; the reverse proxy has no severity.
fn utm(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(at) = head(header.body, 160).find("id=\"") else { return false };
    let line = header.body.get(at..).unwrap_or("");
    let is_ours =
        (has(line, "\" sys=\"") && has(line, "\" sub=\"")) || (has(line, " localip=\"") && has(line, " statuscode=\""));
    if !is_ours {
        return false;
    }
    let mut keys = Keys::default();
    for (key, value) in kv::pairs(line) {
        keys.set(key, value);
        common_key(key, value, draft);
        match key {
            "virtual_ip" => draft.assigned(value),
            "localip" => draft.destination(value),
            "port" => draft.event.destination_port = port(value),
            // Told by the UTM: received from the user, transmitted to the user.
            "rx" => draft.event.source_bytes = count(value),
            "tx" => draft.event.destination_bytes = count(value),
            _ => {}
        }
        draft.native(key, value);
    }
    draft.product("sophos", "sophos.utm", "Sophos", "UTM");
    draft.rule("sophos.utm");
    draft.event.code = known(keys.id);
    draft.process(header);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.event.vpn_type = utm_vpn_type(&keys).map(str::to_owned);
    let meaning = utm_meaning(&keys);
    if meaning.2 == Outcome::Failure {
        draft.reason(keys.reason);
    }
    mean(draft, meaning);
    true
}

fn utm_vpn_type(keys: &Keys<'_>) -> Option<&'static str> {
    match (keys.sub, keys.variant, keys.caller) {
        ("vpn", "ssl", _) | ("auth", _, "openvpn") => Some("ssl"),
        ("vpn", "l2tp", _) | ("auth", _, "l2tp" | "pppd") => Some("l2tp"),
        ("vpn", "pptp", _) | ("auth", _, "pptp") => Some("pptp"),
        ("vpn", ..) | ("auth", _, "ipsec" | "pluto" | "cisco") => Some("ipsec"),
        _ => None,
    }
}

fn utm_meaning(keys: &Keys<'_>) -> Meaning {
    match (keys.sub, keys.id) {
        // The session of a remote user is told in a line of its own.
        ("auth", "3004") if utm_vpn_type(keys).is_some() => STEP,
        ("auth", "3004") => LOGIN,
        ("auth", "3005") => LOGIN_REFUSED,
        ("vpn", "2201") => SESSION_START,
        ("vpn", "2202") => SESSION_END,
        ("vpn", _) if says(keys.event, &["connection started"]) => SESSION_START,
        ("vpn", _) if says(keys.event, &["connection terminated"]) => SESSION_END,
        ("vpn", _) => SESSION,
        ("confd", _) if says(keys.event, &["authentication successful", "login"]) => LOGIN,
        ("confd", _) if says(keys.event, &["authentication failed"]) => LOGIN_REFUSED,
        ("confd", _) if says(keys.event, &["changed", "created", "deleted", "set "]) => CONFIG,
        ("ips", _) => (Category::Network, Action::Detect, Outcome::Unknown),
        ("packetfilter" | "http" | "", _) if says(keys.action, &["drop", "reject", "block"]) => DENY,
        ("packetfilter" | "http", _) if says(keys.action, &["accept", "pass"]) => ALLOW,
        ("packetfilter" | "http" | "", _) => NETWORK,
        _ => HOST,
    }
}

/// Web Appliance: `h=10.0.0.9 u="DOMAIN\sato" s=200 X=- t=1772496000 …`.
fn appliance(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let line = header.body;
    if !line.starts_with("h=") || !has(line, " u=") || !has(line, " meth=") || !has(line, " t=") {
        return false;
    }
    let mut code = "";
    for (key, value) in kv::pairs(line) {
        match key {
            "h" => draft.source(value),
            "u" => draft.user(value),
            "t" => draft.time = stamp::epoch(value).map(PayloadTime::Instant),
            "s" => code = value,
            "in" => draft.event.destination_bytes = count(value),
            "out" => draft.event.source_bytes = count(value),
            _ => {}
        }
        draft.native(key, value);
    }
    draft.product("sophos", "sophos.web_appliance", "Sophos", "Web Appliance");
    draft.rule("sophos.web");
    draft.event.observer_hostname = header.host.map(str::to_owned);
    mean(draft, if code.starts_with('4') { DENY } else { ALLOW });
    true
}

/// Central's export, an object a line.
fn central(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if !has(header.body, "\"Event::") {
        return false;
    }
    let Some(members) = header.body.find('{').and_then(|at| json::members(header.body.get(at..)?)) else {
        return false;
    };
    let kind = members.first(&["type", "event_type"]).to_owned();
    if !kind.starts_with("Event::") {
        return false;
    }
    let time = members.first(&["when", "created_at", "rt", "end"]);
    draft.time = local_time(time, "");
    draft.user(members.first(&["source", "suser", "user"]));
    draft.source(members.first(&["source_info.ip", "ip"]));
    draft.event.host_name = known(members.first(&["location", "dhost", "endpoint_name"]));
    members.iter().for_each(|(name, value)| draft.native(name, value));
    draft.product("sophos", "sophos.central", "Sophos", "Central");
    draft.rule("sophos.central");
    let is_detection = says(&kind, &["threat", "hips", "exploit", "pua", "ransom", "malware"]);
    draft.event.code = Some(kind);
    mean(draft, if is_detection { (Category::Malware, Action::Detect, Outcome::Unknown) } else { HOST });
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn remote_users_of_sfos() {
        check(
            r#"<30>device="SFW" date=2026-03-03 time=02:14:08 timezone="+09" device_name="XGS1" device_id=S1 log_id=062811617821 log_type="Event" log_component="SSL VPN" log_subtype="System" priority=Information Mode="Remote Access" sessionid="77" starttime=0 user_name="vendor01@hospital.example" ipaddress=10.81.234.5 bytes_sent=20 bytes_received=10 status="Established" message="SSL VPN User 'vendor01' connected ""#,
            &[
                ("observer.hostname", "XGS1"),
                ("event.action", "address-assigned"),
                ("vpn.assigned_ip", "10.81.234.5"),
                ("vpn.session_id", "77"),
                ("vpn.type", "ssl"),
                ("user.name", "vendor01"),
                ("source.bytes", "10"),
                ("event.code", "062811617821"),
                ("@timestamp", "2026-03-02T17:14:08.000000Z"),
            ],
        );
        check(
            r#"timestamp="2026-03-03T02:14:08+0900" device_name="XGS1" device_serial_id="X1" log_id="062910617703" log_type="Event" log_component="SSL VPN Authentication" log_subtype="Authentication" status="Failed" user_name="sato" auth_client="N/A" auth_mechanism="AD" reason="wrong credentials" src_ip="203.0.113.9" message="User sato failed to login to SSL VPN""#,
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("event.reason", "wrong credentials"),
                ("source.ip", "203.0.113.9"),
            ],
        );
        check(
            r#"device="SFW" date=2026-03-03 time=02:14:08 timezone="JST" device_name="XGS1" device_id=S1 log_id=062910617701 log_type="Event" log_component="Firewall Authentication" log_subtype="Authentication" status="Successful" user_name="sato" auth_client="SSL VPN" src_ip=10.81.234.5 message="User sato was logged in""#,
            &[("event.action", "other"), ("@timestamp", "2026-03-02T17:14:08.000000Z"), ("vpn.assigned_ip", "-")],
        );
    }

    #[test]
    fn administrators_and_traffic_of_sfos() {
        check(
            r#"device="SFW" date=2026-03-03 time=02:14:08 timezone="+09" device_name="XGS1" device_id=S1 log_id=062009617502 log_type="Event" log_component="GUI" log_subtype="Admin" status="Failed" user_name="admin" src_ip=192.0.2.9 message="User admin failed to login to Web Admin Console""#,
            &[("event.action", "login"), ("event.outcome", "failure"), ("vpn.type", "-")],
        );
        check(
            r#"device="SFW" date=2026-03-03 time=02:14:08 timezone="+09" device_name="XGS1" device_id=S1 log_id=086504418010 log_type="ATP" log_component="Web" log_subtype="Drop" user_name="" sourceip=10.0.0.9 destinationip=192.0.2.80 src_port=57579 dst_port=80"#,
            &[("event.category", "malware"), ("source.ip", "10.0.0.9"), ("destination.port", "80"), ("user.name", "-")],
        );
    }

    #[test]
    fn utm_lines() {
        check(
            r#"<30>2026:03:03-02:14:08 utm1 openvpn[77]: id="2201" severity="info" sys="SecureNet" sub="vpn" event="Connection started" username="sato" variant="ssl" srcip="203.0.113.9" virtual_ip="10.242.2.6""#,
            &[
                ("observer.hostname", "utm1"),
                ("event.action", "session-start"),
                ("vpn.type", "ssl"),
                ("vpn.assigned_ip", "10.242.2.6"),
                ("source.ip", "203.0.113.9"),
                ("user.name", "sato"),
            ],
        );
        check(
            r#"id="3005" severity="warn" sys="System" sub="auth" name="Authentication failed" srcip="203.0.113.9" host="" user="sato" caller="openvpn" reason="DENIED""#,
            &[("event.outcome", "failure"), ("event.reason", "DENIED"), ("event.code", "3005"), ("vpn.type", "ssl")],
        );
    }

    #[test]
    fn web_appliance_and_central() {
        check(
            r#"<27>Mar  3 02:14:08 swa1 h=10.0.0.9 u="HOSP\sato" s=200 X=- t=1772496000 T=284 act=1 in=1255 out=26 meth=GET req="GET http://intra.example/ HTTP/1.1""#,
            &[("user.name", "sato"), ("source.ip", "10.0.0.9"), ("observer.product", "Web Appliance")],
        );
        check(
            r#"{"type":"Event::Endpoint::Threat::Detected","when":"2026-03-03T02:14:08.000Z","source":"HOSP\\sato","location":"pc-3f","source_info":{"ip":"10.0.0.9"},"name":"Malware detected"}"#,
            &[("event.category", "malware"), ("host.name", "pc-3f"), ("user.name", "sato"), ("source.ip", "10.0.0.9")],
        );
    }

    #[test]
    fn what_is_not_ours() {
        for line in [r#"id="1" a="b""#, "h=1 u=2", r#"{"type":"x","note":"\"Event::"}"#] {
            check(line, &[("observer.product", "-")]);
        }
    }
}
