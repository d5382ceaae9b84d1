//! Who and from where, out of the field names that Windows uses for them.

use std::net::{IpAddr, SocketAddr};

use monban_event::{Event, account};

use super::flatten::WindowsFields;

/// The fields that together name one account. An empty name stands for a part the event does not have.
#[derive(Clone, Copy)]
pub(super) struct AccountFields {
    pub(super) name: &'static str,
    pub(super) domain: &'static str,
    pub(super) sid: &'static str,
}

/// Who acted.
pub(super) const SUBJECT: AccountFields =
    AccountFields { name: "SubjectUserName", domain: "SubjectDomainName", sid: "SubjectUserSid" };
/// Who was logged on, or was changed.
pub(super) const TARGET: AccountFields =
    AccountFields { name: "TargetUserName", domain: "TargetDomainName", sid: "TargetUserSid" };
/// `DOMAIN\name` in one field, as Sysmon and the terminal services write it.
pub(super) const USER: AccountFields = AccountFields { name: "User", domain: "", sid: "" };
/// Reconnecting to a session.
pub(super) const ACCOUNT: AccountFields = AccountFields { name: "AccountName", domain: "AccountDomain", sid: "" };

/// A certificate authority's requester.
const REQUESTER: AccountFields = AccountFields { name: "Requester", domain: "", sid: "" };
/// The account of `Security/@UserID`, which the event log gives as a SID only; agents look its name up.
const WRITER: AccountFields =
    AccountFields { name: "Security_UserName", domain: "Security_UserDomain", sid: "Security_UserID" };

/// Whoever an event names, the nearest to the act first.
pub(super) const ANYBODY: [AccountFields; 5] = [SUBJECT, TARGET, USER, REQUESTER, WRITER];

/// Sets the acting account from its fields; `false` where the event names nobody there.
pub(super) fn set_user(event: &mut Event, windows: &WindowsFields, fields: AccountFields) -> bool {
    let Some(raw) = windows.text(fields.name) else { return false };
    let Some(parsed) = account::parse(raw) else { return false };
    let domain = windows.text(fields.domain).map(account::fold);
    event.user_name = Some(parsed.key);
    event.user_domain = domain.or(parsed.domain);
    event.user_raw = Some(raw.to_owned());
    // Agents put the name they looked up in the SID's place.
    event.user_id = windows.text(fields.sid).filter(|sid| sid.starts_with("S-1-")).map(str::to_owned);
    true
}

/// The first of several that names somebody.
pub(super) fn set_first(event: &mut Event, windows: &WindowsFields, choices: &[AccountFields]) {
    for &fields in choices {
        if set_user(event, windows, fields) {
            return;
        }
    }
}

/// Sets the changed account.
pub(super) fn set_target(event: &mut Event, windows: &WindowsFields, name: &str) {
    event.user_target_name = windows.text(name).and_then(account::parse).map(|parsed| parsed.key);
}

/// Sets where the actor came from. `-` and `LOCAL` mean the machine itself and name no address.
pub(super) fn set_source(event: &mut Event, windows: &WindowsFields, address: &str, port: &str) {
    event.source_ip = windows.text(address).and_then(parse_address);
    event.source_port = windows.text(port).and_then(|port| port.parse().ok()).filter(|&port| port > 0);
}

/// An address as Windows writes it: `::ffff:192.0.2.1` for IPv4, sometimes with a zone or a port behind it.
pub(super) fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.split('%').next().unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(unmapped(address)).filter(|address| !address.is_unspecified())
}

fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_windows_writes_them() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(parse_address(text).map(|ip| ip.to_string()).as_deref(), expected, "{text}");
        };
        check("::ffff:192.0.2.7", Some("192.0.2.7"));
        check("203.0.113.5", Some("203.0.113.5"));
        check("fe80::1%12", Some("fe80::1"));
        check("192.0.2.7:50123", Some("192.0.2.7"));
        check("[2001:db8::9]:3389", Some("2001:db8::9"));
        check("127.0.0.1", Some("127.0.0.1"));
        for nothing in ["-", "LOCAL", "", "0.0.0.0", "::", "ローカル"] {
            check(nothing, None);
        }
    }
}
