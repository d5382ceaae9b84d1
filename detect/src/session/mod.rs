//! Lines joined: a VPN session from its start, address and end; the Yamaha router's login from lines of which none
//! holds both user and address; one failed login reported by two machines. Owns the memory this needs, all of it
//! bounded. Works in journal order, because a line can only be joined with lines that are there.

mod book;
mod connection;
mod dial;
mod ended;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::{Ipv4Net, Ipv6Net};
use monban_event::{Action, Event, Login, LoginKind, VpnSession};
use serde::{Deserialize, Serialize};

use book::{ANYWHERE, Book, By, Open};
use connection::Connections;
use dial::Dials;
use ended::Ended;

/// A second start line of one connection (a `FortiGate` reports web login, then tunnel) comes within seconds.
const SECOND_START_WITHIN: TimeDelta = TimeDelta::seconds(120);
/// N09: one attempt, reported by the member server and by the domain controller.
const REPEAT_WITHIN: TimeDelta = TimeDelta::seconds(2);
/// A device that ends a session before it says how much went through it says so at once.
const AMOUNTS_WITHIN: TimeDelta = TimeDelta::seconds(60);
/// A session that says nothing for so long is not taken to run beside another: a working day and a night.
const HEARD_WITHIN: TimeDelta = TimeDelta::hours(24);
/// Among so many of the last ended sessions is the one that the present line has ended.
const JUST_ENDED: usize = 4;
/// Failed logins remembered of one user: servers deliver their logs by the hour, one after the other.
const USER_FAILURES_MAX: usize = 64;
/// Users whose failures are remembered; a guesser of names must not grow memory.
const FAILING_USERS_MAX: usize = 2_000;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sessions {
    open: Book,
    dials: Dials,
    connections: Connections,
    #[serde(default)]
    ended: Ended,
    /// Failed logins by user, oldest first.
    failures: BTreeMap<String, VecDeque<Failure>>,
    /// Sessions that changed since they were last taken, by key.
    changed: BTreeMap<String, VpnSession>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Failure {
    source_ip: Option<IpAddr>,
    workstation: Option<String>,
    machine: String,
    /// The message's number, or its reason where messages have none; absent where a machine tells an attempt once only.
    #[serde(default)]
    told_by: Option<String>,
    at: DateTime<Utc>,
}

impl Sessions {
    /// Completes `event` with what earlier lines of the same connection said, before it is enriched and matched. True
    /// when a field changed.
    pub(crate) fn complete(&mut self, event: &mut Event) -> bool {
        if event.vpn_type.is_none() {
            return false;
        }
        let observer = observer(event);
        if matches!(event.module.as_deref(), Some("yamaha" | "mikrotik")) {
            return self.dials.complete(observer, event);
        }
        self.connections.complete(&observer, event)
    }

    /// Marks a login that was counted already, and joins the event to its session. After enrichment.
    pub(crate) fn observe(&mut self, event: &mut Event) {
        self.mark_repeat(event);
        if event.vpn_type.is_none() && event.login_kind != Some(LoginKind::Vpn) {
            return self.end_unsaid(event);
        }
        match event.action {
            Some(Action::SessionStart | Action::Login) if event.login == Some(Login::Success) => self.start(event),
            Some(Action::AddressAssigned) => self.assign(event),
            Some(Action::SessionEnd | Action::Logout) => self.end(event),
            _ => self.touch(event),
        }
    }

    pub(crate) fn take(&mut self) -> Vec<VpnSession> {
        std::mem::take(&mut self.changed).into_values().collect()
    }

    /// The session that an address was assigned to, at that time. Servers may deliver their logs after it has ended.
    pub(crate) fn assigned(&self, ip: IpAddr, time: DateTime<Utc>) -> Option<&VpnSession> {
        let open = self.open.of(ANYWHERE, By::Assigned(ip), None).map(|open| &open.session);
        let ended = self.ended.assigned(ip).map(|open| &open.session);
        let holds = |session: &&VpnSession| session.started <= time && session.ended.is_none_or(|end| time <= end);
        open.chain(ended).filter(holds).max_by_key(|session| (session.started, session.first_event))
    }

    /// How long the session that the event belongs to has run beside another of the same account from another office,
    /// and where that one comes from; the longest of several.
    pub(crate) fn overlap(&self, event: &Event) -> Option<(TimeDelta, IpAddr)> {
        let (user, time) = (event.user_name.as_deref()?, event.time());
        if event.vpn_type.is_none() || event.login_kind == Some(LoginKind::Vpn) && event.login == Some(Login::Failure) {
            return None;
        }
        let (own, started) = self.told_by(event, user)?;
        let others = self.open.of(ANYWHERE, By::User(user.to_owned()), Some(user)).map(|open| &open.session);
        let elsewhere = others.filter_map(|other| Some((other, other.source_ip?)));
        // Of a session that has not been heard of for so long, the end was lost.
        let is_heard = |session: &VpnSession| time - session.last_seen <= HEARD_WITHIN;
        let elsewhere = elsewhere.filter(|(other, source)| site(*source) != site(own) && is_heard(other));
        let overlap = elsewhere.map(|(other, source)| (time - started.max(other.started), source));
        overlap.filter(|(overlap, _)| *overlap > TimeDelta::zero()).max()
    }

    /// Where the event's session came from and when it began, also where this event has ended it.
    fn told_by(&self, event: &Event, user: &str) -> Option<(IpAddr, DateTime<Utc>)> {
        let facts = |session: &VpnSession| Some((session.source_ip?, session.started));
        if let Some(open) = self.find(event).and_then(|number| self.open.get(number)) {
            return facts(&open.session);
        }
        let ended = self.ended.latest().map(|open| &open.session);
        let is_this = |session: &&VpnSession| session.user == user && session.ended == Some(event.time());
        ended.take(JUST_ENDED).find(is_this).and_then(facts)
    }

    fn start(&mut self, event: &mut Event) {
        let Some(user) = event.user_name.clone() else { return };
        if let Some(number) = self.second_start(event) {
            event.login = Some(Login::Repeat);
            return self.update(number, event, |_| {});
        }
        let observer = observer(event);
        let name =
            event.vpn_session_id.clone().unwrap_or_else(|| address_text(event.vpn_assigned_ip.or(event.source_ip)));
        let session = VpnSession {
            key: format!("{observer}|{name}|{user}|{}", event.id),
            observer,
            user,
            account_class: event.account_class.clone().unwrap_or_else(|| "unknown".to_owned()),
            source_ip: event.source_ip,
            assigned_ip: event.vpn_assigned_ip,
            started: event.time(),
            ended: None,
            last_seen: event.time(),
            bytes_sent: None,
            bytes_received: None,
            after_hours: event.after_hours.unwrap_or(false),
            first_event: event.id,
        };
        self.changed.insert(session.key.clone(), session.clone());
        let vendor_id = event.vpn_session_id.clone();
        // Interfaces are used again: whoever had this one before is gone, even if nobody said so.
        let before = vendor_id.iter().flat_map(|id| self.open.of(&session.observer, By::VendorId(id.clone()), None));
        for number in before.map(|open| open.number).collect::<Vec<_>>() {
            self.open.remove(number);
        }
        self.open.insert(Open::new(session, vendor_id));
    }

    /// The open session this start line belongs to, if it reports one that is there already.
    fn second_start(&self, event: &Event) -> Option<u64> {
        let observer = observer(event);
        let user = event.user_name.as_deref()?;
        let same = |open: &&Open| {
            let near = (event.time() - open.session.started).abs() <= SECOND_START_WITHIN;
            let same_id = open.vendor_id.is_some() && open.vendor_id == event.vpn_session_id;
            let no_contradiction = open.vendor_id.is_none() || event.vpn_session_id.is_none();
            let moved_to_tunnel = open.session.assigned_ip.is_none() != event.vpn_assigned_ip.is_none();
            let same_source = open.session.source_ip == event.source_ip;
            near && same_source && (same_id || no_contradiction || moved_to_tunnel)
        };
        let mut of_user = self.open.of(&observer, By::User(user.to_owned()), Some(user));
        of_user.find(same).map(|open| open.number)
    }

    fn assign(&mut self, event: &Event) {
        if let Some(number) = self.find(event) {
            self.update(number, event, |session| session.assigned_ip = session.assigned_ip.or(event.vpn_assigned_ip));
        }
    }

    fn touch(&mut self, event: &Event) {
        match self.find(event) {
            Some(number) => self.update(number, event, |_| {}),
            None => self.amounts_of_ended(event),
        }
    }

    /// `F5` counts a session's bytes in the line after its end.
    fn amounts_of_ended(&mut self, event: &Event) {
        if event.vpn_session_id.is_none() || event.source_bytes.is_none() && event.destination_bytes.is_none() {
            return;
        }
        let observer = observer(event);
        let is_this = |open: &&mut Open| {
            let just_ended = (event.time() - open.session.last_seen).abs() <= AMOUNTS_WITHIN;
            just_ended && open.session.observer == observer && open.vendor_id == event.vpn_session_id
        };
        if let Some(open) = self.ended.latest_mut().find(is_this) {
            note_amounts(&mut open.session, event);
            self.changed.insert(open.session.key.clone(), open.session.clone());
        }
    }

    /// `SonicWall` says that a user has gone in the same words whatever way the user had come. The user, seen from the same
    /// place, is the same.
    fn end_unsaid(&mut self, event: &Event) {
        let is_logout = matches!(event.action, Some(Action::Logout | Action::SessionEnd));
        let (Some(user), Some(source)) = (event.user_name.as_deref(), event.source_ip) else { return };
        if !is_logout || event.module.as_deref() != Some("sonicwall") {
            return;
        }
        let observer = observer(event);
        let mut of_user = self.open.of(&observer, By::User(user.to_owned()), Some(user));
        let number = of_user.find(|open| open.session.source_ip == Some(source)).map(|open| open.number);
        drop(of_user);
        if let Some(number) = number {
            self.update(number, event, |session| session.ended = Some(event.time()));
        }
    }

    fn end(&mut self, event: &Event) {
        let Some(number) = self.find(event) else { return };
        self.update(number, event, |session| session.ended = Some(event.time()));
    }

    fn update(&mut self, number: u64, event: &Event, change: impl FnOnce(&mut VpnSession)) {
        let take = |open: &mut Open| {
            let session = &mut open.session;
            session.last_seen = session.last_seen.max(event.time());
            session.source_ip = session.source_ip.or(event.source_ip);
            session.assigned_ip = session.assigned_ip.or(event.vpn_assigned_ip);
            note_amounts(session, event);
            change(session);
            open.vendor_id = open.vendor_id.take().or_else(|| event.vpn_session_id.clone());
        };
        let Some(open) = self.open.change(number, take) else { return };
        let is_ended = open.session.ended.is_some();
        self.changed.insert(open.session.key.clone(), open.session.clone());
        if is_ended {
            self.keep_ended(number);
        }
    }

    fn keep_ended(&mut self, number: u64) {
        if let Some(open) = self.open.remove(number) {
            self.ended.push(open);
        }
    }

    /// The open session an event belongs to: by the device's session id and user, else by user and assigned address,
    /// else the user's only session on that device. The latest start wins.
    fn find(&self, event: &Event) -> Option<u64> {
        let observer = observer(event);
        let user = event.user_name.as_deref();
        let latest = |by: By| {
            let found = self.open.of(&observer, by, user);
            let latest = found.max_by_key(|open| (open.session.started, open.session.first_event));
            latest.map(|open| open.number)
        };
        let by_id = event.vpn_session_id.clone().and_then(|id| latest(By::VendorId(id)));
        let by_address = || event.vpn_assigned_ip.and_then(|ip| latest(By::Assigned(ip)));
        let by_user = || user.and_then(|user| self.only_of(&observer, user, event));
        by_id.or_else(by_address).or_else(by_user)
    }

    /// By user alone, where nothing contradicts: the ids must not both be given and differ.
    fn only_of(&self, observer: &str, user: &str, event: &Event) -> Option<u64> {
        let fits = |open: &&Open| {
            (open.vendor_id.is_none() || event.vpn_session_id.is_none())
                && (open.session.source_ip.is_none()
                    || event.source_ip.is_none()
                    || open.session.source_ip == event.source_ip)
        };
        let mut found = self.open.of(observer, By::User(user.to_owned()), Some(user)).filter(fits);
        let first = found.next()?;
        found.next().is_none().then_some(first.number)
    }

    fn mark_repeat(&mut self, event: &mut Event) {
        if event.login != Some(Login::Failure) {
            return;
        }
        let Some(user) = event.user_name.clone() else { return };
        let machine = event.device().map_or_else(|| observer(event), str::to_owned);
        let (source_ip, workstation) = (event.source_ip, event.source_domain.clone());
        let tells_twice = matches!(event.login_kind, Some(LoginKind::Vpn | LoginKind::Device));
        let told_by = event.code.clone().or_else(|| event.reason.clone()).filter(|_| tells_twice);
        let new = Failure { source_ip, workstation, machine, told_by, at: event.time() };
        if self.failures.len() >= FAILING_USERS_MAX && !self.failures.contains_key(&user) {
            let horizon = new.at - REPEAT_WITHIN;
            self.failures.retain(|_, failures| failures.back().is_some_and(|last| last.at >= horizon));
            if self.failures.len() >= FAILING_USERS_MAX {
                self.failures.clear();
            }
        }
        let failures = self.failures.entry(user).or_default();
        if failures.iter().rev().any(|old| old.is_same_attempt(&new)) {
            event.login = Some(Login::Repeat);
            return;
        }
        if failures.len() >= USER_FAILURES_MAX {
            failures.pop_front();
        }
        failures.push_back(new);
    }
}

impl Failure {
    /// From the same place within two seconds, of one user: told by another machine, or by the same device in other words
    /// (an ASA's AAA and its portal; Ivanti's authentication server and its sign-in). The same words again are another try.
    fn is_same_attempt(&self, other: &Self) -> bool {
        let elsewhere = self.machine != other.machine;
        let otherwise = self.told_by.is_some() && other.told_by.is_some() && self.told_by != other.told_by;
        let same_ip = self.source_ip.is_some() && self.source_ip == other.source_ip;
        let same_workstation = self.workstation.is_some() && self.workstation == other.workstation;
        (elsewhere || otherwise) && (same_ip || same_workstation) && (self.at - other.at).abs() <= REPEAT_WITHIN
    }
}

/// The addresses that one office has: a provider gives it 16 of IPv4, or a /64.
fn site(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Net::new_assert(ip, 28).network()),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Net::new_assert(ip, 64).network()),
    }
}

fn note_amounts(session: &mut VpnSession, event: &Event) {
    let bytes = |new: Option<i64>, old: Option<u64>| new.and_then(|new| u64::try_from(new).ok()).or(old);
    session.bytes_sent = bytes(event.source_bytes, session.bytes_sent);
    session.bytes_received = bytes(event.destination_bytes, session.bytes_received);
}

fn observer(event: &Event) -> String {
    let name = event.observer_hostname.clone().or_else(|| event.source_id.clone());
    name.or_else(|| event.observer_peer_ip.map(|ip| ip.to_string())).unwrap_or_default()
}

fn address_text(ip: Option<IpAddr>) -> String {
    ip.map_or_else(String::new, |ip| ip.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use monban_event::{EventId, Outcome, RecordId};

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-10-06T{text}+09:00").parse().expect("a time")
    }

    fn vpn(id: u64, time: &str, action: Action, user: &str) -> Event {
        Event {
            id: EventId::new(RecordId(id), 0),
            event_time: Some(at(time)),
            observer_hostname: Some("FGT-HONKAN".to_owned()),
            vpn_type: Some("ssl".to_owned()),
            action: Some(action),
            outcome: Some(Outcome::Success),
            login: (action == Action::SessionStart).then_some(Login::Success),
            login_kind: (action == Action::SessionStart).then_some(LoginKind::Vpn),
            user_name: Some(user.to_owned()),
            source_ip: Some(IpAddr::from([203, 0, 113, 9])),
            ..Event::default()
        }
    }

    #[test]
    fn start_and_end_are_one_session() {
        let mut sessions = Sessions::default();
        let mut start =
            Event { vpn_session_id: Some("77".into()), ..vpn(1, "02:14:00", Action::SessionStart, "yamada") };
        sessions.observe(&mut start);
        let open = sessions.take();
        assert_eq!(
            open.iter().map(|session| (session.user.as_str(), session.ended)).collect::<Vec<_>>(),
            [("yamada", None)]
        );
        let mut end = Event {
            vpn_session_id: Some("77".into()),
            source_bytes: Some(35_156),
            destination_bytes: Some(111_799),
            ..vpn(9, "02:45:00", Action::SessionEnd, "yamada")
        };
        sessions.observe(&mut end);
        let closed = sessions.take();
        assert_eq!(closed.len(), 1);
        assert_eq!(closed[0].key, open[0].key);
        assert_eq!(
            (closed[0].ended, closed[0].bytes_sent, closed[0].bytes_received),
            (Some(at("02:45:00")), Some(35_156), Some(111_799))
        );
        assert_eq!(sessions.take(), []);
    }

    #[test]
    fn a_second_start_line_is_no_second_login() {
        let mut sessions = Sessions::default();
        let mut web = Event { vpn_session_id: Some("5".into()), ..vpn(1, "02:14:00", Action::SessionStart, "yamada") };
        let mut tunnel = Event {
            vpn_session_id: Some("5".into()),
            vpn_assigned_ip: Some(IpAddr::from([10, 212, 134, 7])),
            ..vpn(2, "02:14:01", Action::SessionStart, "yamada")
        };
        let mut again =
            Event { vpn_session_id: Some("6".into()), ..vpn(3, "03:14:01", Action::SessionStart, "yamada") };
        sessions.observe(&mut web);
        sessions.observe(&mut tunnel);
        sessions.observe(&mut again);
        assert_eq!(
            [web.login, tunnel.login, again.login],
            [Some(Login::Success), Some(Login::Repeat), Some(Login::Success)]
        );
        let all = sessions.take();
        assert_eq!(all.len(), 2);
        assert!(all.iter().any(|session| session.assigned_ip == Some(IpAddr::from([10, 212, 134, 7]))));
    }

    #[test]
    fn sessions_of_two_people_do_not_mix() {
        let mut sessions = Sessions::default();
        for (id, user) in [(1, "yamada"), (2, "sato")] {
            let mut start =
                Event { vpn_session_id: Some(id.to_string()), ..vpn(id, "02:14:00", Action::SessionStart, user) };
            sessions.observe(&mut start);
        }
        sessions.take();
        let mut end = vpn(5, "02:20:00", Action::SessionEnd, "sato");
        sessions.observe(&mut end);
        let users: Vec<String> = sessions.take().into_iter().map(|session| session.user).collect();
        assert_eq!(users, ["sato"]);
        assert_eq!(sessions.open.len(), 1);
    }

    fn yamaha(id: u64, time: &str, action: Action, user: Option<&str>, source: Option<[u8; 4]>, tunnel: &str) -> Event {
        Event {
            id: EventId::new(RecordId(id), 0),
            event_time: Some(at(time)),
            module: Some("yamaha".to_owned()),
            source_id: Some("ip:192.0.2.1".to_owned()),
            vpn_type: Some("l2tp".to_owned()),
            vpn_session_id: Some(tunnel.to_owned()),
            action: Some(action),
            user_name: user.map(str::to_owned),
            source_ip: source.map(IpAddr::from),
            ..Event::default()
        }
    }

    #[test]
    fn a_yamaha_user_gets_the_tunnels_address() {
        let mut sessions = Sessions::default();
        sessions.complete(&mut yamaha(1, "09:00:00", Action::Other, None, Some([198, 51, 100, 7]), "TUNNEL[1]"));
        let mut call = yamaha(2, "09:00:02", Action::SessionStart, Some("vendor01"), None, "PP[ANONYMOUS01]");
        assert!(sessions.complete(&mut call));
        assert_eq!(call.source_ip, Some(IpAddr::from([198, 51, 100, 7])));
        assert_eq!(call.parse_confidence, None);
    }

    #[test]
    fn two_dials_at_once_make_a_guess_that_says_so() {
        let mut sessions = Sessions::default();
        sessions.complete(&mut yamaha(1, "09:00:00", Action::Other, None, Some([198, 51, 100, 7]), "TUNNEL[1]"));
        sessions.complete(&mut yamaha(2, "09:00:01", Action::Other, None, Some([198, 51, 100, 8]), "TUNNEL[2]"));
        let mut call = yamaha(3, "09:00:02", Action::SessionStart, Some("vendor01"), None, "PP[ANONYMOUS01]");
        assert!(sessions.complete(&mut call));
        assert_eq!(call.parse_confidence.as_deref(), Some("low"));
        let mut stale = yamaha(4, "10:00:02", Action::SessionStart, Some("vendor02"), None, "PP[ANONYMOUS02]");
        assert!(!sessions.complete(&mut stale));
        assert_eq!(stale.source_ip, None);
    }

    fn failure(machine: &str, time: &str, user: &str, source: [u8; 4]) -> Event {
        Event {
            host_name: Some(machine.to_owned()),
            event_time: Some(at(time)),
            login: Some(Login::Failure),
            login_kind: Some(LoginKind::Windows),
            user_name: Some(user.to_owned()),
            source_ip: Some(IpAddr::from(source)),
            ..Event::default()
        }
    }

    #[test]
    fn one_attempt_told_by_two_machines_counts_once() {
        let mut sessions = Sessions::default();
        let mut login = |machine: &str, time: &str, source: [u8; 4]| {
            let mut event = failure(machine, time, "yamada", source);
            sessions.observe(&mut event);
            event.login.map(Login::as_str)
        };
        assert_eq!(login("EMR01", "09:00:00", [10, 20, 1, 5]), Some("failure"));
        assert_eq!(login("DC01", "09:00:01", [10, 20, 1, 5]), Some("repeat"));
        assert_eq!(login("EMR01", "09:00:02", [10, 20, 1, 5]), Some("failure"), "a second try on the same machine");
        assert_eq!(login("DC01", "09:00:01", [10, 20, 1, 6]), Some("failure"), "from elsewhere");
        assert_eq!(login("DC01", "09:00:09", [10, 20, 1, 5]), Some("failure"), "too late");
    }

    #[test]
    fn a_device_that_tells_an_attempt_in_two_ways_told_one() {
        let mut sessions = Sessions::default();
        let mut login = |time: &str, code: &str| {
            let mut event = Event {
                login_kind: Some(LoginKind::Vpn),
                code: Some(code.to_owned()),
                ..failure("fw1", time, "sato", [203, 0, 113, 7])
            };
            sessions.observe(&mut event);
            event.login.map(Login::as_str)
        };
        assert_eq!(login("09:00:00", "113005"), Some("failure"));
        assert_eq!(login("09:00:00", "716039"), Some("repeat"));
        assert_eq!(login("09:00:01", "113005"), Some("failure"), "the same words are another try");
        assert_eq!(login("09:00:04", "716039"), Some("failure"), "too late");
    }

    #[test]
    fn amounts_may_come_after_the_end() {
        let mut sessions = Sessions::default();
        let line = |number: u64, time: &str, action: Action| Event {
            id: EventId::new(RecordId(number), 0),
            vpn_type: Some("ssl".to_owned()),
            vpn_session_id: Some("e03c2ca8".to_owned()),
            observer_hostname: Some("lb1".to_owned()),
            event_time: Some(at(time)),
            action: Some(action),
            ..Event::default()
        };
        let mut start = Event {
            login: Some(Login::Success),
            user_name: Some("vendor01".to_owned()),
            ..line(1, "09:00:00", Action::SessionStart)
        };
        sessions.observe(&mut start);
        sessions.observe(&mut line(2, "09:10:00", Action::SessionEnd));
        let amounts = |number, time| Event { source_bytes: Some(2000), ..line(number, time, Action::Other) };
        let mut late = sessions.clone();
        sessions.observe(&mut amounts(3, "09:10:01"));
        let taken = sessions.take();
        assert_eq!((taken[0].bytes_sent, taken[0].ended), (Some(2000), Some(at("09:10:00"))));
        late.observe(&mut amounts(4, "09:20:00"));
        assert_eq!(late.take()[0].bytes_sent, None);
    }
}
