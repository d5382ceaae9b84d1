//! Linux netfilter: what iptables, nftables, ufw, firewalld, Shorewall and `OpenWrt` let the kernel log.
//!
//! Format: the kernel's `nf_log_syslog`. Quirks this file owns:
//! * `PREFIX IN=eth0 OUT= MAC=… SRC=… DST=… PROTO=TCP SPT=… DPT=…`; the prefix is free text and may touch `IN=`.
//! * The verdict stands only in the prefix, and only if whoever wrote the rule put it there.
//! * `MAC=` is destination, source and type in one; an ICMP error holds the packet it complains about in brackets, with
//!   keys of its own.

use monban_event::{Action, Category};

use super::daemon::traffic;
use super::draft::Draft;
use super::scan::port;
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    // Of a line without header the first word may have been taken for a host: nothing is lost for the address keys.
    let text = if header.time.is_some() { header.body } else { header.after_time };
    let bytes = text.as_bytes();
    let has = |needle: &str| memchr::memmem::find(bytes, needle.as_bytes()).is_some();
    if !(has(" SRC=") && has(" DST=") && has("IN=") && has(" PROTO=")) {
        return false;
    }
    let Some(at) = memchr::memmem::find(bytes, b"IN=") else { return false };
    let (prefix, keys) = (text.get(..at).unwrap_or(""), text.get(at..).unwrap_or(""));
    read_keys(keys, draft);
    draft.event.module = Some("linux".to_owned());
    draft.event.dataset = Some("linux.netfilter".to_owned());
    draft.rule("netfilter");
    draft.process(header);
    draft.event.host_name = header.host.filter(|_| header.time.is_some()).map(str::to_owned);
    draft.native("prefix", prefix.trim());
    match verdict(prefix) {
        Some(denied) => traffic(draft, denied),
        None => draft.kind(Category::Network, Action::Other),
    }
    true
}

fn read_keys(text: &str, draft: &mut Draft<'_>) {
    // The packet inside an ICMP error is another one.
    let own = text.split(" [").next().unwrap_or(text);
    for (key, value) in own.split_ascii_whitespace().filter_map(|word| word.split_once('=')) {
        match key {
            "SRC" => draft.source(value),
            "DST" => draft.destination(value),
            "SPT" => draft.event.source_port = port(value),
            "DPT" => draft.event.destination_port = port(value),
            "MAC" => draft.event.source_mac = value.get(18..35).map(str::to_owned),
            _ => {}
        }
        draft.native(key, value);
    }
}

/// The first word of the prefix that is a verdict, whatever stands around it: `[UFW BLOCK]`, `SFW2-INext-DROP-DEFLT`.
fn verdict(prefix: &str) -> Option<bool> {
    // `[WAN_LOCAL-default-D]`: `VyOS` and EdgeOS end the rule's name with the first letter of the verdict.
    if let Some(rule) = prefix.trim_end().strip_suffix(']').filter(|rule| rule.contains('[')) {
        match rule.rsplit_once('-').map(|(_, letter)| letter) {
            Some("D" | "R") => return Some(true),
            Some("A") => return Some(false),
            _ => {}
        }
    }
    prefix.split(|character: char| !character.is_ascii_alphabetic()).find_map(|word| match word {
        "DROP" | "REJECT" | "BLOCK" | "DENY" | "DROPPED" | "REJECTED" | "BLOCKED" | "DENIED" => Some(true),
        "ACCEPT" | "ALLOW" | "PASS" | "ACCEPTED" | "ALLOWED" => Some(false),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn letters_behind_rules() {
        for (prefix, action) in
            [("[WAN_LOCAL-default-D]", "deny"), ("[WAN_IN-20-A]", "allow"), ("[WAN_IN-20-X]", "other")]
        {
            let line =
                format!("<4>Mar  3 09:00:00 gw1 kernel: {prefix}IN=eth0 OUT= SRC=203.0.113.9 DST=192.0.2.1 PROTO=TCP");
            check(line, &[("event.action", action), ("source.ip", "203.0.113.9")]);
        }
    }

    #[test]
    fn verdicts_of_prefixes() {
        let line = |prefix: &str| {
            format!(
                "<4>Mar  3 09:00:00 gw1 kernel: [ 12.5] {prefix}IN=eth0 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 \
                 SRC=203.0.113.9 DST=192.0.2.1 LEN=60 TOS=0x00 TTL=54 PROTO=TCP SPT=40000 DPT=22 SYN URGP=0"
            )
        };
        check(
            line("[UFW BLOCK] "),
            &[
                ("event.action", "deny"),
                ("source.ip", "203.0.113.9"),
                ("source.port", "40000"),
                ("destination.ip", "192.0.2.1"),
                ("destination.port", "22"),
                ("source.mac", "02:00:00:00:00:02"),
                ("host.name", "gw1"),
            ],
        );
        check(line("SFW2-INext-DROP-DEFLT "), &[("event.action", "deny")]);
        check(line("DROP(src wan)"), &[("event.action", "deny")]);
        check(line("INPUT ACCEPT "), &[("event.action", "allow"), ("event.outcome", "success")]);
        check(line("mine: "), &[("event.action", "other"), ("event.outcome", "-")]);
    }

    #[test]
    fn without_header_and_with_an_inner_packet() {
        check(
            "INPUT DROP IN=eth0 OUT= SRC=192.0.2.9 DST=192.0.2.1 LEN=88 PROTO=ICMP TYPE=3 CODE=1 [SRC=192.0.2.1 \
             DST=198.51.100.1 PROTO=UDP SPT=53 DPT=9 ]",
            &[("source.ip", "192.0.2.9"), ("source.port", "-"), ("event.action", "deny"), ("host.name", "-")],
        );
        check("IN= SRC= nothing", &[("event.module", "-")]);
    }
}
