//! Connections that devices describe over several lines, each naming the connection and saying one thing about it: F5
//! (address, then user, then amounts), `SoftEther` (connection, then session, then address lease), `OpenVPN` (the peer's
//! address and port is the name). Owns what was said under each name, so that a line that lacks the person or the
//! address gets it from the line that had it. The names are the device's own, so nothing here is a guess.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::{Action, Event};
use serde::{Deserialize, Serialize};

/// Names remembered over all devices. A connection has one or two; above the bound the oldest twentieth is forgotten.
const NAMES_MAX: usize = 20_000;
/// Devices use their names again, small numbers above all: what was said longer ago is about somebody else.
const SAID_WITHIN: TimeDelta = TimeDelta::hours(24);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Connections {
    /// By device, then by the device's name for the connection.
    #[serde(with = "crate::pairs")]
    said: BTreeMap<(String, String), Facts>,
}

/// What the lines of one connection have said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Facts {
    user_name: Option<String>,
    user_raw: Option<String>,
    user_domain: Option<String>,
    source_ip: Option<IpAddr>,
    source_port: Option<i64>,
    assigned_ip: Option<IpAddr>,
    at: DateTime<Utc>,
}

impl Connections {
    /// Fills what the event lacks and remembers what it says. True when a field changed.
    pub(super) fn complete(&mut self, observer: &str, event: &mut Event) -> bool {
        let names: Vec<(String, String)> = names(event).map(|name| (observer.to_owned(), name.to_owned())).collect();
        if names.is_empty() {
            return false;
        }
        let mut filled = false;
        for name in &names {
            if let Some(facts) = self.said.get(name).filter(|facts| (event.time() - facts.at).abs() <= SAID_WITHIN) {
                filled |= facts.fill(event);
            }
        }
        self.remember(names, event);
        filled
    }

    fn remember(&mut self, names: Vec<(String, String)>, event: &Event) {
        if event.action == Some(Action::SessionEnd) {
            for name in &names {
                self.said.remove(name);
            }
            return;
        }
        self.make_room();
        for name in names {
            self.said.insert(name, Facts::of(event));
        }
    }

    fn make_room(&mut self) {
        if self.said.len() < NAMES_MAX {
            return;
        }
        let mut times: Vec<DateTime<Utc>> = self.said.values().map(|facts| facts.at).collect();
        times.sort_unstable();
        if let Some(&horizon) = times.get(NAMES_MAX / 20) {
            self.said.retain(|_, facts| facts.at > horizon);
        }
    }
}

/// The device's names for the connection: its session, and the tunnel or connection that carries it.
fn names(event: &Event) -> impl Iterator<Item = &str> {
    [event.vpn_session_id.as_deref(), event.vpn_tunnel.as_deref()].into_iter().flatten().filter(|name| *name != "0")
}

impl Facts {
    fn of(event: &Event) -> Self {
        Self {
            user_name: event.user_name.clone(),
            user_raw: event.user_raw.clone(),
            user_domain: event.user_domain.clone(),
            source_ip: event.source_ip,
            source_port: event.source_port,
            assigned_ip: event.vpn_assigned_ip,
            at: event.time(),
        }
    }

    /// A line's own words stand; a name of another person or address means that the device uses the name again. True
    /// when a field changed.
    fn fill(&self, event: &mut Event) -> bool {
        let differs = |own: Option<IpAddr>, said: Option<IpAddr>| own.is_some() && said.is_some() && own != said;
        let other_user = event.user_name.is_some() && self.user_name.is_some() && event.user_name != self.user_name;
        if other_user || differs(event.source_ip, self.source_ip) {
            return false;
        }
        let known = |event: &Event| (event.user_name.is_some(), event.source_ip, event.vpn_assigned_ip);
        let before = known(event);
        if event.user_name.is_none() {
            event.user_name.clone_from(&self.user_name);
            event.user_raw.clone_from(&self.user_raw);
            event.user_domain.clone_from(&self.user_domain);
        }
        if event.source_ip.is_none() {
            event.source_ip = self.source_ip;
            event.source_port = event.source_port.or(self.source_port);
        }
        event.vpn_assigned_ip = event.vpn_assigned_ip.or(self.assigned_ip);
        known(event) != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(minute: i64, session: &str, action: Action) -> Event {
        let start: DateTime<Utc> = "2026-10-06T02:14:00+09:00".parse().unwrap();
        Event {
            event_time: Some(start + TimeDelta::minutes(minute)),
            vpn_type: Some("ssl".to_owned()),
            vpn_session_id: Some(session.to_owned()),
            action: Some(action),
            ..Event::default()
        }
    }

    const HOME: [u8; 4] = [203, 0, 113, 9];

    fn with_address(event: Event) -> Event {
        Event { source_ip: Some(IpAddr::from(HOME)), ..event }
    }

    fn with_user(event: Event) -> Event {
        Event { user_name: Some("yamada".to_owned()), ..event }
    }

    #[test]
    fn each_line_says_one_thing_and_the_next_knows_it() {
        let mut connections = Connections::default();
        connections.complete("vpn1", &mut with_address(line(0, "9e48a3a4", Action::Other)));
        let mut named = with_user(line(1, "9e48a3a4", Action::SessionStart));
        assert!(connections.complete("vpn1", &mut named));
        assert_eq!(named.source_ip, Some(IpAddr::from(HOME)));
        let mut end = line(60, "9e48a3a4", Action::SessionEnd);
        assert!(connections.complete("vpn1", &mut end));
        assert_eq!((end.user_name.as_deref(), end.source_ip), (Some("yamada"), Some(IpAddr::from(HOME))));
        assert!(!connections.complete("vpn1", &mut line(61, "9e48a3a4", Action::Other)), "ended");
    }

    #[test]
    fn another_device_another_day_or_another_person_is_not_the_same_connection() {
        let mut connections = Connections::default();
        connections.complete("vpn1", &mut with_user(with_address(line(0, "7", Action::SessionStart))));
        assert!(!connections.complete("vpn2", &mut line(1, "7", Action::Other)));
        let mut other = Event { user_name: Some("sato".to_owned()), ..line(2, "7", Action::SessionStart) };
        assert!(!connections.complete("vpn1", &mut other), "sato was not at yamada's address");
        assert!(!connections.complete("vpn1", &mut line(2 + 25 * 60, "7", Action::Other)));
    }

    #[test]
    fn a_session_takes_over_what_its_connection_said() {
        let mut connections = Connections::default();
        let mut asked = with_user(with_address(line(0, "x", Action::Other)));
        (asked.vpn_session_id, asked.vpn_tunnel) = (None, Some("CID-743".to_owned()));
        connections.complete("vpn1", &mut asked);
        let mut made = line(0, "SID-YAMADA-19", Action::SessionStart);
        made.vpn_tunnel = Some("CID-743".to_owned());
        assert!(connections.complete("vpn1", &mut made));
        let mut leased = line(0, "SID-YAMADA-19", Action::AddressAssigned);
        assert!(connections.complete("vpn1", &mut leased));
        assert_eq!(leased.user_name.as_deref(), Some("yamada"));
    }

    #[test]
    fn memory_is_bounded() {
        let mut connections = Connections::default();
        for number in 0..i64::try_from(NAMES_MAX).unwrap() + 500 {
            connections.complete("vpn1", &mut with_user(line(number, &number.to_string(), Action::Other)));
        }
        assert!(connections.said.len() <= NAMES_MAX);
    }
}
