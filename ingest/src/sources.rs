//! What a hospital has said about single senders: their zone, their encoding and who made them. Owns the look-up from a
//! record to those words. It is asked once a record, so an address alone costs one hash, and an empty table nothing.

use std::collections::HashMap;
use std::net::IpAddr;

use chrono_tz::Tz;
use ipnet::IpNet;
use monban_event::{Origin, Record, account};

use crate::text::Charset;

/// Makers whose devices can be named for lines that do not tell theirs: the word of the configuration, which is also
/// `event.module`, and the name as pages show it.
pub const VENDORS: &[(&str, &str)] = &[
    ("a10", "A10 Networks"),
    ("alcatel", "Alcatel-Lucent"),
    ("allied_telesis", "Allied Telesis"),
    ("array", "Array Networks"),
    ("aruba", "Aruba"),
    ("barracuda", "Barracuda"),
    ("brocade", "Brocade"),
    ("buffalo", "Buffalo"),
    ("checkpoint", "Check Point"),
    ("cisco", "Cisco"),
    ("citrix", "Citrix"),
    ("dell", "Dell"),
    ("eset", "ESET"),
    ("extreme", "Extreme Networks"),
    ("f5", "F5"),
    ("forcepoint", "Forcepoint"),
    ("fortinet", "Fortinet"),
    ("fujitsu", "Fujitsu"),
    ("hitachi", "Hitachi"),
    ("hpe", "HPE"),
    ("huawei", "Huawei"),
    ("ivanti", "Ivanti"),
    ("juniper", "Juniper"),
    ("kaspersky", "Kaspersky"),
    ("linux", "Linux"),
    ("microsoft", "Microsoft"),
    ("mikrotik", "MikroTik"),
    ("nec", "NEC"),
    ("netapp", "NetApp"),
    ("openvpn", "OpenVPN"),
    ("paloalto", "Palo Alto Networks"),
    ("pfsense", "pfSense"),
    ("qnap", "QNAP"),
    ("ricoh", "Ricoh"),
    ("sophos", "Sophos"),
    ("sonicwall", "SonicWall"),
    ("softether", "SoftEther"),
    ("symantec", "Symantec"),
    ("synology", "Synology"),
    ("trendmicro", "Trend Micro"),
    ("ubiquiti", "Ubiquiti"),
    ("vmware", "VMware"),
    ("watchguard", "WatchGuard"),
    ("windows", "Microsoft"),
    ("yamaha", "Yamaha"),
    ("zyxel", "Zyxel"),
];

/// What is known of one sender beforehand. What is `None` follows from the line or from the common settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceSettings {
    pub zone: Option<Tz>,
    pub charset: Option<Charset>,
    /// The first word of an entry of [`VENDORS`].
    pub vendor: Option<&'static str>,
}

/// Who is meant. Names compare as accounts do: without case and width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    Network(IpNet),
    /// A host name in the line's header.
    Host(String),
    /// The name a TLS certificate proved.
    Certificate(String),
}

/// The settings of all sources that have some.
#[derive(Clone, Debug, Default)]
pub struct SourceTable {
    addresses: HashMap<IpAddr, SourceSettings>,
    /// The narrowest network first.
    networks: Vec<(IpNet, SourceSettings)>,
    hosts: HashMap<String, SourceSettings>,
    certificates: HashMap<String, SourceSettings>,
}

impl SourceTable {
    /// Of two entries for the same sender the later one holds.
    pub fn new(entries: impl IntoIterator<Item = (Sender, SourceSettings)>) -> Self {
        let mut table = Self::default();
        for (sender, settings) in entries {
            match sender {
                Sender::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                    table.addresses.insert(network.addr(), settings);
                }
                Sender::Network(network) => table.networks.push((network, settings)),
                Sender::Host(name) => drop(table.hosts.insert(account::fold(&name), settings)),
                Sender::Certificate(name) => drop(table.certificates.insert(account::fold(&name), settings)),
            }
        }
        table.networks.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix_len()));
        table
    }

    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.networks.is_empty() && self.hosts.is_empty() && self.certificates.is_empty()
    }

    /// By what the transport says: a certificate before an address. The sender of an imported file is not its peer.
    pub(crate) fn of_receipt(&self, record: &Record) -> Option<&SourceSettings> {
        if let Some(identity) = record.identity.as_ref().filter(|_| !self.certificates.is_empty())
            && let Some(settings) = self.certificates.get(&account::fold(identity))
        {
            return Some(settings);
        }
        let peer = record.peer.filter(|_| record.origin != Origin::Import)?.ip().to_canonical();
        self.addresses
            .get(&peer)
            .or_else(|| self.networks.iter().find(|(network, _)| network.contains(&peer)).map(|(_, settings)| settings))
    }

    /// By the host that the line names.
    pub(crate) fn of_host(&self, host: Option<&str>) -> Option<&SourceSettings> {
        let host = host.filter(|_| !self.hosts.is_empty())?;
        self.hosts.get(&account::fold(host))
    }
}

/// How pages call the maker of that word.
pub fn vendor_name(word: &str) -> Option<&'static str> {
    VENDORS.iter().find(|(known, _)| *known == word).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::testing::record;

    fn settings(zone: Tz) -> SourceSettings {
        SourceSettings { zone: Some(zone), ..SourceSettings::default() }
    }

    fn table() -> SourceTable {
        let network = |text: &str| Sender::Network(text.parse().unwrap());
        SourceTable::new([
            (network("192.0.2.0/24"), settings(Tz::UTC)),
            (network("192.0.2.1/32"), settings(Tz::Asia__Seoul)),
            (network("192.0.2.0/28"), settings(Tz::Asia__Tokyo)),
            (Sender::Host("SRV-01".to_owned()), settings(Tz::Asia__Taipei)),
            (Sender::Certificate("fw1.hospital.example".to_owned()), settings(Tz::Europe__Paris)),
        ])
    }

    #[test]
    fn the_narrowest_entry_counts() {
        let table = table();
        let mut record = record(b"x");
        let mut zone_of = |peer: &str| {
            record.peer = Some((peer.parse::<IpAddr>().unwrap(), 514).into());
            table.of_receipt(&record).and_then(|settings| settings.zone)
        };
        assert_eq!(zone_of("192.0.2.1"), Some(Tz::Asia__Seoul));
        assert_eq!(zone_of("192.0.2.9"), Some(Tz::Asia__Tokyo));
        assert_eq!(zone_of("::ffff:192.0.2.99"), Some(Tz::UTC));
        assert_eq!(zone_of("198.51.100.1"), None);
    }

    #[test]
    fn certificates_come_before_addresses_and_hosts_ignore_case() {
        let table = table();
        let mut record = record(b"x");
        record.peer = Some(([192, 0, 2, 1], 514).into());
        record.identity = Some("FW1.hospital.example".into());
        assert_eq!(table.of_receipt(&record).and_then(|settings| settings.zone), Some(Tz::Europe__Paris));
        record.identity = None;
        record.origin = Origin::Import;
        assert_eq!(table.of_receipt(&record), None);
        assert_eq!(table.of_host(Some("srv-01")).and_then(|settings| settings.zone), Some(Tz::Asia__Taipei));
        assert_eq!(table.of_host(None), None);
    }
}
