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

#[test]
fn sessions_before_release_8() {
    check(
        "<166>%ASA-6-716002: Group Remote Care User sato IP 203.0.113.9 WebVPN session terminated: Idle timeout.",
        &[
            ("event.action", "session-end"),
            ("user.name", "sato"),
            ("source.ip", "203.0.113.9"),
            ("vpn.group", "Remote Care"),
        ],
    );
    check(
        "<166>%ASA-6-721018: (WebVPN-Secondary) WebVPN session for client user sato, IPv4 203.0.113.9 has been deleted.",
        &[("user.name", "sato"), ("source.ip", "203.0.113.9")],
    );
    check(
        "<166>%ASA-6-113009: AAA retrieved default group policy (GP1) for user sato",
        &[("user.name", "sato"), ("event.action", "other")],
    );
    check(
        "<166>%ASA-3-113021: Attempted console login failed user 'sato' did NOT have appropriate Admin Rights.",
        &[("user.name", "sato"), ("event.outcome", "failure")],
    );
    check(
        "<166>%ASA-6-602303: IPSEC: An outbound remote access SA (SPI= 0x7F12) between 198.51.100.1 and 203.0.113.9 (user= sato) has been created.",
        &[
            ("source.ip", "203.0.113.9"),
            ("destination.ip", "198.51.100.1"),
            ("user.name", "sato"),
            ("vpn.type", "ipsec"),
        ],
    );
}

#[test]
fn an_association_names_where_packets_come_from_first() {
    check(
        "<166>%ASA-6-602304: IPSEC: An inbound LAN-to-LAN SA (SPI= 0x7F12) between 203.0.113.9 and 198.51.100.1 (user= 203.0.113.9) has been deleted.",
        &[("source.ip", "203.0.113.9"), ("destination.ip", "198.51.100.1"), ("user.name", "-")],
    );
    check(
        r"<164>%FTD-4-313005: No matching connection for ICMP error message: icmp src outside:203.0.113.9(LOCAL\sato, 17:staff) dst inside:192.0.2.7 (type 3, code 3) on outside interface.",
        &[("source.ip", "203.0.113.9"), ("user.name", "sato"), ("destination.ip", "192.0.2.7")],
    );
}

#[test]
fn lists_and_addresses_that_were_visited() {
    check(
        r"<166>%ASA-4-106100: access-list L1 denied tcp outside/203.0.113.9(40000)(LOCAL\sato) -> dmz/192.0.2.7(443) hit-cnt 1 first hit [0x1, 0x0]",
        &[
            ("source.ip", "203.0.113.9"),
            ("source.port", "40000"),
            ("destination.ip", "192.0.2.7"),
            ("destination.port", "443"),
            ("user.name", "sato"),
            ("event.action", "deny"),
        ],
    );
    check(
        "<166>%ASA-4-106100: access-list L1 denied udp inside/pc7.hospital.example(5353) -> outside/198.51.100.7(53) hit-cnt 1",
        &[("source.ip", "-"), ("source.port", "5353"), ("destination.ip", "198.51.100.7")],
    );
    check(
        "<166>%ASA-5-304001: sato@192.0.2.9 Accessed JAVA URL 198.51.100.7:http://www.example/a",
        &[("source.ip", "192.0.2.9"), ("destination.ip", "198.51.100.7")],
    );
    check(
        "<166>%ASA-6-303002: FTP connection from inside:192.0.2.9/40000 to outside:198.51.100.7/21, user sato Retrieved file a.txt",
        &[("user.name", "sato"), ("destination.port", "21")],
    );
    check(
        "<166>%ASA-4-313004: Denied ICMP type=0, from laddr 192.0.2.9 on interface inside to 198.51.100.7: no matching session",
        &[("source.ip", "192.0.2.9"), ("destination.ip", "198.51.100.7")],
    );
}
