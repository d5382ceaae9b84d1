//! Lines of every kind, invented from the documented messages.

use super::super::testing::check;

#[test]
fn sessions_of_every_generation() {
    check(
        "<166>%ASA-6-751025: Local:198.51.100.1:4500 Remote:203.0.113.9:50123 Username:sato IKEv2 Group:G1 IPv4 Address=10.9.0.5 IPv6 address=:: assigned to session",
        &[
            ("event.action", "address-assigned"),
            ("vpn.assigned_ip", "10.9.0.5"),
            ("vpn.group", "G1"),
            ("user.name", "sato"),
        ],
    );
    check(
        "<166>%ASA-6-734001: DAP: User sato, Addr 203.0.113.9, Connection AnyConnect: The following DAP records were selected",
        &[("event.action", "other"), ("user.name", "sato"), ("source.ip", "203.0.113.9")],
    );
    check(
        r"<166>%ASA-5-746012: user-identity: Add IP-User mapping 10.9.0.5 - LOCAL\sato Succeeded - VPN user",
        &[("event.action", "other"), ("user.name", "sato"), ("user.domain", "local"), ("source.ip", "10.9.0.5")],
    );
    check(
        "<166>%ASA-6-315011: SSH session from 192.0.2.7 on interface inside for user \"sato\" terminated normally",
        &[("event.action", "logout"), ("user.name", "sato"), ("source.ip", "192.0.2.7")],
    );
}

#[test]
fn management_center() {
    check(
        "<111>Mar  3 09:00:00 fmc1 SFIMS: Protocol: TCP, SrcIP: 203.0.113.9, OriginalClientIP: ::, DstIP: 192.0.2.7, SrcPort: 47097, DstPort: 443, AccessControlRuleAction: Block",
        &[
            ("event.dataset", "cisco.ftd"),
            ("event.action", "deny"),
            ("source.ip", "203.0.113.9"),
            ("destination.port", "443"),
            ("observer.hostname", "fmc1"),
        ],
    );
    check(
        "<111>Mar  3 09:00:00 fmc1 SFIMS: [1:2008:3] \"A PROBE\" [Impact: Vulnerable] From \"fw1\" {tcp} 203.0.113.9:51234 -> 192.0.2.7:80",
        &[("source.ip", "203.0.113.9"), ("source.port", "51234"), ("destination.ip", "192.0.2.7")],
    );
}
