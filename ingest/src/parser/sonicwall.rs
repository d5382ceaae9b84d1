//! `SonicWall` firewalls (`SonicOS`), their CEF form, and SMA 100 gateways.
//!
//! Format: `SonicWall`, *`SonicOS` Log Events Reference Guide*. Quirks this file owns:
//! * `id=firewall sn=… time="…" fw=… m=… msg="…"`, without a header; `id` may be a name. Ivanti's WELF shares
//!   `id=firewall`; `sn=` and `m=` are ours.
//! * `m` is the message. `src=address:port:interface:name`; any part may be empty; IPv6 ends stand in `srcV6`, `dstV6`.
//! * `time` is local unless it says UTC; an SMA writes local `time` and `vp_time="… UTC"`, and `m` is the same in every
//!   line, so there the fixed English text of `msg` is the key.
//! * `fw` is the address of the firewall: the only name that a line without header has.
//! * CEF values carry stray quotes and blanks.

use monban_event::{Action, Category, Outcome};

use super::cef;
use super::draft::Draft;
use super::gateway::{
    ADDRESS, ALLOW, CONFIG, DENY, HOST, LOGIN, LOGIN_REFUSED, LOGOUT, Meaning, NETWORK, SESSION, failed, head,
    local_time, mean, says,
};
use super::kv;
use super::scan::{address_and_port, behind, count, port, seconds_ns};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    parse_pairs(header, draft) || parse_cef(header, draft)
}

fn parse_pairs(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    // An SMA puts its product's name in front.
    let at = head(header.body, 64).find(" id=").map_or(0, |at| at + 1);
    let line = header.body.get(at..).unwrap_or("").trim_start();
    if !is_ours(line) {
        return false;
    }
    let mut keys = Keys::default();
    for (key, value) in kv::pairs(line) {
        keys.set(key, value);
        draft.native(key, value);
    }
    draft.time = local_time(keys.utc, "").or_else(|| local_time(keys.time, ""));
    draft.event.observer_hostname = header.host.or(Some(keys.fw).filter(|fw| !fw.is_empty())).map(str::to_owned);
    draft.rule("sonicwall");
    fill(&keys, draft);
    true
}

/// `id=` bare, and keys that every line of the reference has; a few of its messages have no number.
fn is_ours(line: &str) -> bool {
    let has = |key: &str| memchr::memmem::find(line.as_bytes(), key.as_bytes()).is_some();
    line.starts_with("id=") && !line.starts_with("id=\"") && has(" sn=") && has(" fw=") && (has(" m=") || has(" msg="))
}

/// The values that decide something.
#[derive(Default)]
struct Keys<'a> {
    id: &'a str,
    time: &'a str,
    utc: &'a str,
    fw: &'a str,
    code: &'a str,
    text: &'a str,
    note: &'a str,
    action: &'a str,
    user: &'a str,
    src: &'a str,
    dst: &'a str,
    src_v6: &'a str,
    dst_v6: &'a str,
    src_port: &'a str,
    dst_port: &'a str,
    sent: &'a str,
    received: &'a str,
    duration: &'a str,
    assigned: &'a str,
}

impl<'a> Keys<'a> {
    fn set(&mut self, key: &str, value: &'a str) {
        let slot = match key {
            "id" => &mut self.id,
            "time" => &mut self.time,
            "vp_time" => &mut self.utc,
            "fw" => &mut self.fw,
            "m" => &mut self.code,
            "msg" => &mut self.text,
            "note" => &mut self.note,
            "fw_action" => &mut self.action,
            "usr" | "susr" | "suser" | "user" if self.user.is_empty() => &mut self.user,
            "src" => &mut self.src,
            "dst" => &mut self.dst,
            "srcV6" => &mut self.src_v6,
            "dstV6" => &mut self.dst_v6,
            "spt" => &mut self.src_port,
            "dpt" => &mut self.dst_port,
            "sent" | "out" => &mut self.sent,
            "rcvd" | "in" => &mut self.received,
            "dur" | "duration" => &mut self.duration,
            "vpnip" | "assignedip" => &mut self.assigned,
            _ => return,
        };
        *slot = value;
    }
}

fn parse_cef(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(record) = cef::find(header.body).filter(|record| record.vendor.eq_ignore_ascii_case("sonicwall")) else {
        return false;
    };
    let pairs: Vec<_> = cef::pairs(record.extension).collect();
    let mut keys = Keys { code: record.signature, text: record.name, ..Keys::default() };
    for (key, value) in &pairs {
        let value = value.trim().trim_matches('"');
        if !matches!(*key, "msg" | "m" | "id" | "time") {
            keys.set(key, value);
        }
        draft.native(key, value);
    }
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.rule("sonicwall.cef");
    fill(&keys, draft);
    true
}

fn fill(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    let is_gateway = keys.id == "sslvpn";
    let (dataset, product) = if is_gateway { ("sonicwall.sma", "SMA") } else { ("sonicwall.firewall", "SonicOS") };
    draft.product("sonicwall", dataset, "SonicWall", product);
    draft.event.code = Some(keys.code.to_owned()).filter(|code| !code.is_empty());
    // `Unknown (SSO failed)` and its like say that nobody was named.
    let user = Some(keys.user.trim_matches('"')).filter(|user| !user.starts_with("Unknown ("));
    draft.user(user.unwrap_or(""));
    draft.event.source_port = end(keys.src, keys.src_v6, draft, true).or_else(|| port(keys.src_port));
    draft.event.destination_port = end(keys.dst, keys.dst_v6, draft, false).or_else(|| port(keys.dst_port));
    draft.assigned(keys.assigned);
    for mark in ["assigned IP:", "assigned IP ", "assigned "] {
        draft.assigned(behind(keys.text, mark, &[' ', ',', ')']).unwrap_or("").trim_end_matches('.'));
    }
    draft.event.source_bytes = count(keys.sent);
    draft.event.destination_bytes = count(keys.received);
    draft.event.duration_ns = count(keys.duration).and_then(seconds_ns);
    let meaning = if draft.event.vpn_assigned_ip.is_some() {
        ADDRESS
    } else if is_gateway {
        gateway_meaning(keys)
    } else {
        meaning(keys)
    };
    let names_it = |text: &str| says(text, &["ssl vpn", "ssl-vpn", "sslvpn", "netextender"]);
    let is_remote_user = is_gateway || keys.code == "1079" || names_it(keys.text) || names_it(keys.note);
    draft.event.vpn_type = if is_remote_user {
        Some("ssl".to_owned())
    } else if matches!(keys.code, "235" | "237") || says(keys.text, &["ipsec", "ike", "xauth", "vpn zone"]) {
        Some("ipsec".to_owned())
    } else {
        None
    };
    if meaning.2 == Outcome::Failure && meaning.0 == Category::Authentication {
        draft.reason(if keys.note.is_empty() { keys.text } else { keys.note });
    }
    mean(draft, meaning);
}

/// `address:port:interface:name`, with the address of the V6 key where the first part is empty. Gives the port.
fn end(text: &str, v6: &str, draft: &mut Draft<'_>, is_source: bool) -> Option<i64> {
    let mut parts = text.splitn(4, ':');
    let first = parts.next().unwrap_or("");
    let (host, number) = match address_and_port(text) {
        Some((host, number)) if text.contains("::") || text.starts_with('[') => (host, number),
        _ => (first, parts.next().and_then(port)),
    };
    for candidate in [host, v6] {
        if is_source { draft.source(candidate) } else { draft.destination(candidate) }
    }
    number
}

/// By the number of the message, and by its fixed text where a family has many numbers.
fn meaning(keys: &Keys<'_>) -> Meaning {
    match keys.code {
        "29" | "31" | "139" | "199" | "235" | "236" | "237" | "238" | "1080" => return LOGIN,
        "30" | "32" | "33" | "35" | "140" | "141" | "200" | "243" | "244" | "245" | "246" | "329" | "486" | "759"
        | "986" | "987" => {
            return LOGIN_REFUSED;
        }
        "261" | "262" | "263" | "264" | "265" | "520" => return LOGOUT,
        "440" | "441" | "442" | "1382" => return CONFIG,
        "1383" => return failed(CONFIG),
        _ => {}
    }
    if says(keys.text, &["login denied", "login failed", "login disabled", "authentication failed"]) {
        LOGIN_REFUSED
    } else if says(keys.text, &["login allowed", "login successful", "logged in"]) {
        LOGIN
    } else if says(keys.text, &["logged out", "logout"]) {
        LOGOUT
    } else {
        traffic(keys)
    }
}

fn traffic(keys: &Keys<'_>) -> Meaning {
    let denied = says(keys.action, &["drop", "deny", "block"])
        || says(keys.text, &["dropped", "denied", "blocked", "rejected", "discarded"]);
    if says(keys.text, &["detection", "prevention", "attack", "virus", "scan detected", " flood on ", "spoof"]) {
        let outcome = if denied { Outcome::Failure } else { Outcome::Unknown };
        (Category::Network, Action::Detect, outcome)
    } else if denied {
        DENY
    } else if says(keys.text, &["connection opened", "connection closed", "website accessed"]) {
        ALLOW
    } else if keys.src.is_empty() {
        HOST
    } else {
        NETWORK
    }
}

fn gateway_meaning(keys: &Keys<'_>) -> Meaning {
    let text = keys.text;
    if says(text, &["login failed", "login denied", "authentication failed", "login unsuccessful"]) {
        LOGIN_REFUSED
    } else if says(text, &["login successful", "logged in"]) {
        LOGIN
    } else if says(text, &["logged out", "logout", "session terminated", "session expired"]) {
        LOGOUT
    } else if behind(text, "onfiguration", &[]).is_some_and(|rest| says(rest, &["changed", "saved", "imported"])) {
        CONFIG
    } else {
        SESSION
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn remote_users_and_administrators() {
        check(
            r#"<134>id=firewall sn=0006B1 time="2026-03-03 02:14:08 UTC" fw=198.51.100.1 pri=6 c=32 m=1080 msg="SSL VPN zone remote user login allowed" n=1 src=203.0.113.9:51022:X1 dst=198.51.100.1:443:X0 usr="HOSP\vendor01""#,
            &[
                ("event.code", "1080"),
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("vpn.type", "ssl"),
                ("user.name", "vendor01"),
                ("source.ip", "203.0.113.9"),
                ("source.port", "51022"),
                ("destination.ip", "198.51.100.1"),
                ("observer.hostname", "198.51.100.1"),
                ("@timestamp", "2026-03-03T02:14:08.000000Z"),
            ],
        );
        check(
            r#"Mar  3 11:14:08 utm1 id=firewall sn=0006B1 time="2026-03-03 11:14:08" fw=198.51.100.1 pri=1 c=32 m=30 msg="Administrator login denied due to bad credentials" n=7 src=203.0.113.9:36701:WAN dst=198.51.100.1:443:WAN usr="admin" note="https""#,
            &[
                ("event.outcome", "failure"),
                ("event.reason", "https"),
                ("vpn.type", "-"),
                ("observer.hostname", "utm1"),
            ],
        );
    }

    #[test]
    fn gateways_tell_utc_beside_local_time() {
        check(
            r#"id=sslvpn sn=0017C5 time="2026-03-03 11:14:08" vp_time="2026-03-03 02:14:08 UTC" fw=192.0.2.1 pri=5 m=1 c=1 src=203.0.113.9 dst="vpn.hospital.example" user="sato@LocalDomain" usr="sato@LocalDomain" msg="User login failed" portal="VirtualOffice""#,
            &[
                ("@timestamp", "2026-03-03T02:14:08.000000Z"),
                ("user.name", "sato"),
                ("event.outcome", "failure"),
                ("destination.ip", "-"),
                ("observer.product", "SMA"),
            ],
        );
    }

    #[test]
    fn addresses_given() {
        check(
            r#"id=firewall sn=18B1 time="2026-03-03 02:14:08 UTC" fw=198.51.100.1 pri=5 c=16 m=1079 msg="Client sato is assigned IP:10.1.1.5" n=3 usr="sato" src=203.0.113.9::X1 dst=198.51.100.1::X1"#,
            &[
                ("event.action", "address-assigned"),
                ("vpn.assigned_ip", "10.1.1.5"),
                ("vpn.type", "ssl"),
                ("user.name", "sato"),
            ],
        );
        check(
            r#"<134>SonicWall SSL-VPN: id=sslvpn sn=0017C5 time="2026-03-03 11:14:08" fw=192.0.2.1 pri=5 m=0 c=1 src=203.0.113.9 dst=192.0.2.1 user="sato" usr="sato" msg="User logged out""#,
            &[("event.action", "logout"), ("user.name", "sato")],
        );
    }

    #[test]
    fn ends_with_missing_parts() {
        check(
            r#"id=firewall sn=0006B1 time="2026-03-03 02:14:08" fw=192.0.2.1 pri=5 c=512 m=1233 msg="Unhandled link-local or multicast IPv6 packet dropped" n=5 srcV6=2001:db8::9 src=:49702:X0-V514 dstV6=ff02::1:3 dst=:5355 proto=udp/5355"#,
            &[
                ("source.ip", "2001:db8::9"),
                ("source.port", "49702"),
                ("destination.ip", "ff02::1:3"),
                ("destination.port", "5355"),
                ("event.action", "deny"),
            ],
        );
        check(
            r#"id=utm1 sn=0006B1 time="2026-03-03 02:14:08 UTC" fw=192.0.2.1 pri=5 c=0 m=1197 msg="NAT Mapping" n=4 src=10.0.0.9::X0-V500 dst=192.0.2.4::X3 proto=icmp"#,
            &[("source.ip", "10.0.0.9"), ("source.port", "-"), ("destination.ip", "192.0.2.4")],
        );
    }

    #[test]
    fn cef_values_have_quotes_and_blanks() {
        check(
            r#"CEF:0|SonicWall|NSa 4500|7.0.1|98|Connection Opened|4|cat=262144 gcat=6 src=10.0.10.20 spt= 12345 dst=192.0.2.1 dpt=123 susr="hospital.example\sato" proto=tcp/https out=12 fw_action="NA""#,
            &[("event.code", "98"), ("user.name", "sato"), ("source.port", "12345"), ("event.action", "allow")],
        );
    }

    #[test]
    fn what_is_not_ours() {
        for line in [r#"id="2001" severity="info" sn=1 fw=2 m=3"#, "id=1 a=2"] {
            check(line, &[("observer.product", "-")]);
        }
    }

    #[test]
    fn nobody_and_no_number() {
        check(
            r#"<134> id=firewall sn=18B1 time="2026-03-03 09:00:00" fw=192.0.2.1 pri=6 m=98 msg="Connection Opened" src=192.0.2.9:52379:X0 dst=198.51.100.7:443:X1 usr="Unknown (SSO failed)""#,
            &[("user.name", "-"), ("source.ip", "192.0.2.9")],
        );
        check(
            r#"id=firewall sn=18B1 time="2026-03-03 09:00:00" fw=192.0.2.1 pri=5 msg="Unhandled link-local packet dropped" srcV6=2001:db8::9 dstV6=2001:db8::7 proto=udp/65535"#,
            &[("event.module", "sonicwall"), ("event.code", "-"), ("source.ip", "2001:db8::9")],
        );
    }
}
