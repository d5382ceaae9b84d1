//! DHCP servers: ISC dhcpd and dnsmasq-dhcp. Which machine has which address.
//!
//! Format: ISC `dhcpd` (`server/dhcp.c`); dnsmasq writes `DHCPACK(eth0) 192.0.2.5 02:00:… name`. Quirks this file owns:
//! * The client's address is the source: it is whom later records of that address speak of. It was not given by a VPN, so
//!   `vpn.assigned_ip` stays empty; the action says that it was assigned.
//! * `DHCPREQUEST for 192.0.2.5 (192.0.2.1) from …`: the address in brackets is the server that was asked.
//! * `via` names an interface or a relay's address.

use monban_event::{Action, Category, Outcome};

use super::daemon::{on_host, program};
use super::draft::{Draft, address};
use super::scan::{behind, word};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.message.trim();
    let is_server = matches!(program(header), "dhcpd" | "dnsmasq-dhcp");
    let is_bare = header.app.is_none() && header.body.starts_with("DHCP");
    if !is_server && !is_bare {
        return false;
    }
    let text = text.get(text.find("DHCP").unwrap_or(0)..).unwrap_or(text);
    let (kind, rest) = word(text);
    let is_message = kind.starts_with("DHCP");
    if !is_message && !is_server {
        return false;
    }
    let (code, interface) = kind.split_once('(').unwrap_or((kind, ""));
    let understood = match code.trim_end_matches(':') {
        _ if !is_message => lease(text, draft),
        code if !interface.is_empty() => dnsmasq(code, rest, draft),
        code => isc(code, rest, draft),
    };
    if !understood && !is_server {
        return false;
    }
    on_host(header, draft, "dhcp.log");
    true
}

/// `DHCPACK on IP to MAC (name) via IF`, `DHCPREQUEST for IP (server) from MAC (name) via IF`, `DHCPDISCOVER from MAC …`,
/// `DHCPRELEASE of IP from MAC (name) …`.
fn isc(code: &str, rest: &str, draft: &mut Draft<'_>) -> bool {
    let mac = behind(rest, " to ", &[' ']).filter(|text| is_mac(text));
    let mac =
        mac.or_else(|| rest.split("from ").skip(1).find_map(|part| Some(word(part).0).filter(|text| is_mac(text))));
    let Some(mac) = mac.or_else(|| (code == "DHCPINFORM").then_some("")) else { return false };
    let (preposition, rest_of_ip) = word(rest);
    if matches!(preposition, "on" | "for" | "of" | "from") {
        draft.source(word(rest_of_ip).0);
    }
    draft.event.source_mac = Some(mac.to_owned()).filter(|mac| !mac.is_empty());
    for inner in rest.split('(').skip(1).filter_map(|part| part.split_once(')').map(|(inner, _)| inner)) {
        if address(inner).is_some() {
            draft.destination(inner);
        } else if draft.event.source_domain.is_none() && inner != "found" && !inner.contains(' ') && inner != "RENEW" {
            draft.event.source_domain = Some(inner.to_owned());
        }
    }
    draft.destination(behind(rest, " via ", &[' ', ':']).unwrap_or(""));
    message(code, draft);
    true
}

/// `DHCPACK(eth0) 192.0.2.5 02:00:… name`, `DHCPDISCOVER(eth0) 02:00:…`.
fn dnsmasq(code: &str, rest: &str, draft: &mut Draft<'_>) -> bool {
    let mut words = rest.split(' ').filter(|word| !word.is_empty()).peekable();
    if let Some(ip) = words.next_if(|word| address(word).is_some()) {
        draft.source(ip);
    }
    let Some(mac) = words.next().filter(|word| is_mac(word)) else { return false };
    draft.event.source_mac = Some(mac.to_owned());
    draft.event.source_domain = words.next().map(str::to_owned);
    message(code, draft);
    true
}

fn message(code: &str, draft: &mut Draft<'_>) {
    draft.event.code = Some(code.to_owned());
    let (action, outcome) = match code {
        "DHCPACK" => (Action::AddressAssigned, Outcome::Success),
        "DHCPNAK" | "DHCPDECLINE" => (Action::Other, Outcome::Failure),
        _ => (Action::Other, Outcome::Unknown),
    };
    draft.kind(Category::Network, action);
    draft.event.outcome = Some(outcome);
}

/// `Abandoning IP address 192.0.2.5: …`, `uid lease 192.0.2.5 for client 02:00:… is duplicate on …`.
fn lease(text: &str, draft: &mut Draft<'_>) -> bool {
    let ip = behind(text, "IP address ", &[' ', ':']).or_else(|| behind(text, "lease ", &[' ']));
    draft.source(ip.unwrap_or(""));
    let mac = behind(text, "client ", &[' ']).filter(|text| is_mac(text));
    draft.event.source_mac = mac.map(str::to_owned);
    draft.reason(text);
    true
}

fn is_mac(text: &str) -> bool {
    text.len() == 17
        && text.split(':').count() == 6
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':')
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn isc_messages() {
        check(
            "<150>Mar  3 09:00:00 dhcp1 dhcpd[9]: DHCPACK on 192.0.2.5 to 02:00:00:00:00:05 (ws1) via eth1",
            &[
                ("event.action", "address-assigned"),
                ("source.ip", "192.0.2.5"),
                ("source.mac", "02:00:00:00:00:05"),
                ("source.domain", "ws1"),
                ("vpn.assigned_ip", "-"),
                ("host.name", "dhcp1"),
                ("event.code", "DHCPACK"),
            ],
        );
        check(
            "<150>Mar  3 09:00:00 dhcp1 dhcpd[9]: DHCPREQUEST for 192.0.2.5 (192.0.2.1) from 02:00:00:00:00:05 (ws1) via eth1",
            &[("source.ip", "192.0.2.5"), ("destination.ip", "192.0.2.1"), ("source.domain", "ws1")],
        );
        check(
            "<150>Mar  3 09:00:00 dhcp1 dhcpd[9]: DHCPDISCOVER from 02:00:00:00:00:05 via eth1",
            &[("source.ip", "-"), ("source.mac", "02:00:00:00:00:05")],
        );
        check(
            "DHCPACK on 192.0.2.5 to 02:00:00:00:00:05 (ws1) via 192.0.2.1",
            &[("source.ip", "192.0.2.5"), ("destination.ip", "192.0.2.1")],
        );
    }

    #[test]
    fn dnsmasq_messages_and_leases() {
        check(
            "<30>Mar  3 09:00:00 rt1 dnsmasq-dhcp[9]: DHCPACK(br0) 192.0.2.5 02:00:00:00:00:05 ws1",
            &[("event.action", "address-assigned"), ("source.ip", "192.0.2.5"), ("source.domain", "ws1")],
        );
        check(
            "<150>Mar  3 09:00:00 dhcp1 dhcpd[9]: Abandoning IP address 192.0.2.5: pinged before offer",
            &[("source.ip", "192.0.2.5"), ("event.category", "host")],
        );
        check("DHCP is a protocol", &[("event.module", "-")]);
    }
}
