//! Ubiquiti `UniFi` devices `NAME,MAC,vVERSION: prog: text`, and the `UniFi` Network application's CEF.
//!
//! Format: Ubiquiti, *`UniFi` System Logs & SIEM Integration*; access points and switches have no written reference.
//! Quirks this file owns:
//! * The place of the host holds name, hardware address and version; older access points leave the name out, newer put
//!   it before in blanks or brackets. The text behind is a Linux program's.
//! * The application's own keys begin with `UNIFI`.
//! * `EdgeOS` writes as any Linux does and is read there.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::scan::{known, port, word};
use super::{cef, sshd};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if let Some(record) = cef::find(header.body).filter(|record| record.vendor.eq_ignore_ascii_case("ubiquiti")) {
        application(&record, header, draft);
        return true;
    }
    let Some(device) = device(header.after_time) else { return false };
    draft.product("ubiquiti", "ubiquiti.unifi", "Ubiquiti", "UniFi");
    draft.rule("ubiquiti");
    draft.event.observer_hostname = device.name.map(str::to_owned);
    draft.native("mac", device.mac);
    draft.native("version", device.version);
    let (program, text) = device.text.split_once(": ").unwrap_or(("", device.text));
    let (name, pid) = program.split_once('[').unwrap_or((program, ""));
    draft.event.process_name = known(name).filter(|name| !name.contains(' '));
    draft.event.process_pid = pid.trim_end_matches(']').parse().ok();
    if !(name == "dropbear" && sshd::read_dropbear(text, draft)) {
        draft.kind(Category::Host, Action::Other);
        draft.event.outcome = Some(Outcome::Unknown);
    }
    true
}

struct Device<'a> {
    name: Option<&'a str>,
    mac: &'a str,
    version: &'a str,
    text: &'a str,
}

/// `sw7,f09fc2000001,v4.0.54.10625 text`, `788a20000001,v4.0.66: text`.
fn device(text: &str) -> Option<Device<'_>> {
    let (first, rest) = word(text);
    let mut parts = first.trim_end_matches(':').trim_matches(['"', '(', ')']).rsplitn(3, ',');
    let (version, mac) = (parts.next()?, parts.next()?);
    let is_version =
        version.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    let is_mac = mac.len() == 12 && mac.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_version && is_mac).then(|| Device { name: parts.next(), mac, version, text: rest.trim_start() })
}

fn application(record: &cef::Cef<'_>, header: &Header<'_>, draft: &mut Draft<'_>) {
    draft.product("ubiquiti", "ubiquiti.unifi", "Ubiquiti", record.product);
    draft.rule("ubiquiti.cef");
    draft.event.code = known(record.signature);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.native("name", record.name);
    let is_vpn = record.name.contains("VPN");
    draft.event.vpn_type = is_vpn.then(|| "vpn".to_owned());
    for (key, value) in cef::pairs(record.extension) {
        match key {
            "UNIFIadmin" | "suser" | "UNIFIvpnUser" => draft.user(&value),
            "UNIFIclientAlias" if is_vpn => draft.user(&value),
            "src" => draft.source(&value),
            "dst" => draft.destination(&value),
            "spt" => draft.event.source_port = port(&value),
            "dpt" => draft.event.destination_port = port(&value),
            "UNIFIclientIp" if is_vpn => draft.assigned(&value),
            "UNIFIvpnType" if is_vpn => draft.event.vpn_type = known(&value.to_ascii_lowercase()),
            "UNIFIhost" if header.host.is_none() => draft.event.observer_hostname = known(&value),
            _ => {}
        }
        draft.native(key, &value);
    }
    let (category, action, outcome) = meaning(record.name);
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

fn meaning(name: &str) -> (Category, Action, Outcome) {
    let has = |word: &str| name.contains(word);
    if has("Admin Accessed") {
        (Category::Authentication, Action::Login, Outcome::Success)
    } else if has("Config Modified") || has("Settings Changed") {
        (Category::Configuration, Action::ConfigChange, Outcome::Success)
    } else if has("VPN Client Connected") {
        (Category::Session, Action::SessionStart, Outcome::Success)
    } else if has("VPN Client Disconnected") {
        (Category::Session, Action::SessionEnd, Outcome::Success)
    } else if has("Blocked by Firewall") {
        (Category::Network, Action::Deny, Outcome::Failure)
    } else if has("Threat") || has("Intrusion") {
        (Category::Network, Action::Detect, Outcome::Unknown)
    } else {
        (Category::Host, Action::Other, Outcome::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn devices() {
        check(
            "<27>Mar  3 09:00:00 sw7,f09fc2000001,v4.0.54.10625 switch: TRAPMGR: Cold Start",
            &[
                ("event.dataset", "ubiquiti.unifi"),
                ("observer.hostname", "sw7"),
                ("process.name", "switch"),
                ("native.mac", "f09fc2000001"),
            ],
        );
        check(
            "<27>Mar  3 09:00:00 788a20000001,v4.0.66.10832: dropbear[77]: Password auth succeeded for 'sato' from 192.0.2.7:51234",
            &[("event.action", "login"), ("user.name", "sato"), ("source.ip", "192.0.2.7"), ("process.pid", "77")],
        );
        assert_eq!(parse(b"<27>Mar  3 09:00:00 a,b,v1 x: y").module, None);
    }

    #[test]
    fn application() {
        check(
            "<14>Mar  3 09:00:00 udm1 CEF:0|Ubiquiti|UniFi Network|9.3.33|544|Admin Accessed UniFi Network|1|UNIFIcategory=System UNIFIadmin=sato UNIFIaccessMethod=web src=192.0.2.7",
            &[
                ("event.action", "login"),
                ("event.code", "544"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("observer.hostname", "udm1"),
            ],
        );
    }
}
