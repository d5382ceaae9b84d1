//! Addresses as people write them: a single one, a CIDR, a range with a dash; full-width digits too.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use monban_event::account::fold;

/// Subnets that one dash range may be cut into. An arbitrary IPv4 range needs at most 62.
const RANGE_SUBNETS_MAX: usize = 64;

/// The networks `text` means; `None` when it is not an address.
pub(super) fn parse(text: &str) -> Option<Vec<IpNet>> {
    let folded = fold(text.trim()).replace(['〜', '~'], "-");
    if let Ok(net) = folded.parse::<IpNet>() {
        return Some(vec![net.trunc()]);
    }
    if let Ok(ip) = folded.parse::<IpAddr>() {
        return Some(vec![IpNet::from(ip)]);
    }
    let (first, last) = folded.split_once('-')?;
    range(first.trim().parse().ok()?, last.trim())
}

/// `last` may be the last octet alone: `203.0.113.1-14`.
fn range(first: IpAddr, last: &str) -> Option<Vec<IpNet>> {
    match first {
        IpAddr::V4(first) => {
            let octets = first.octets();
            let short = last.parse::<u8>().ok().map(|octet| [octets[0], octets[1], octets[2], octet].into());
            let last = short.or_else(|| last.parse().ok()).filter(|last| *last >= first)?;
            Some(Ipv4Subnets::new(first, last, 0).take(RANGE_SUBNETS_MAX).map(IpNet::V4).collect())
        }
        IpAddr::V6(first) => {
            let last = last.parse().ok().filter(|last| *last >= first)?;
            Some(Ipv6Subnets::new(first, last, 0).take(RANGE_SUBNETS_MAX).map(IpNet::V6).collect())
        }
    }
}

/// An IPv4 address that came in IPv6 clothes (`::ffff:192.0.2.1`, as Windows writes it) is the IPv4 address.
pub(crate) fn plain(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// Addresses no one outside can have: RFC 1918, loopback, link-local, unique-local. Inside by default.
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// A machine's name without its domain, lower case, as people write it.
pub(super) fn short_name(machine: &str) -> String {
    machine.split('.').next().unwrap_or(machine).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, inside: &[&str], outside: &[&str]) {
        let nets = parse(text).unwrap_or_default();
        let contains = |ip: &&str| ip.parse::<IpAddr>().is_ok_and(|ip| nets.iter().any(|net| net.contains(&ip)));
        assert!(inside.iter().all(contains), "{text}: {nets:?}");
        assert!(!outside.iter().any(contains), "{text}: {nets:?}");
    }

    #[test]
    fn forms_of_an_address() {
        check("198.51.100.7", &["198.51.100.7"], &["198.51.100.8"]);
        check("１９８．５１．１００．０／２４", &["198.51.100.200"], &["198.51.101.1"]);
        check("198.51.100.77/24", &["198.51.100.1"], &["198.51.101.1"]);
        check("203.0.113.3-14", &["203.0.113.3", "203.0.113.14"], &["203.0.113.2", "203.0.113.15"]);
        check("203.0.113.3〜203.0.113.4", &["203.0.113.4"], &["203.0.113.5"]);
        check("2001:db8::/32", &["2001:db8:1::1"], &["2001:db9::1"]);
        for text in ["", "どこでも", "10.1.2.300", "10.0.0.0/33", "203.0.113.9-3", "1-2"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
