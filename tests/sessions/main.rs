//! What the table of VPN sessions says of each maker's gateway: lines of one whole session and of one refused attempt go
//! through the real parsers and the real detector. One act is one login, however many lines a device tells it in, and
//! every attempt that was refused is one failure.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod firewalls;
mod gateways;
mod hosts;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeDelta, Utc};
use monban_detect::{Context, Detector, RuleSet};
use monban_event::{Event, Format, Login, LoginKind, Origin, Record, RecordId, RecordParser, Transport, VpnSession};
use monban_ingest::{Parsers, TextSettings};

static RULES: LazyLock<Arc<RuleSet>> = LazyLock::new(|| Arc::new(RuleSet::hospital()));

/// What came of the lines: sessions as `user source assigned start-end sent/received`, successful logins and failures as
/// `user source`.
#[derive(Debug, Default, PartialEq)]
struct Table {
    sessions: Vec<String>,
    logins: Vec<String>,
    failures: Vec<String>,
    /// People whose line was joined with another by nothing but time while several waited.
    guesses: Vec<String>,
}

/// Lines begin with the time at which they arrive, on 3 March 2026 in Japan.
fn table(lines: &str) -> Table {
    let mut detector = new_detector();
    let (mut sessions, mut table) = (BTreeMap::new(), Table::default());
    for (number, line) in lines.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        for mut event in parse(RecordId(number as u64 + 1), line.trim()) {
            detector.enrich(&mut event);
            detector.observe(&mut event, &mut Vec::new());
            table.count(&event);
        }
        let taken = detector.take().sessions;
        sessions.extend(taken.into_iter().map(|session| (session.key.clone(), session)));
        // A restart between any two lines changes nothing.
        let mut snapshot = Vec::new();
        detector.write_snapshot(&mut snapshot).unwrap();
        detector = new_detector();
        detector.restore(&mut snapshot.as_slice()).unwrap();
    }
    let mut sessions: Vec<&VpnSession> = sessions.values().collect();
    sessions.sort_by_key(|session| (session.started, session.first_event));
    table.sessions = sessions.into_iter().map(row).collect();
    table
}

fn new_detector() -> Detector {
    Detector::new(Arc::clone(&RULES), Arc::new(Context::default()))
}

fn parse(id: RecordId, line: &str) -> Vec<Event> {
    let (time, text) = line.split_once(' ').unwrap();
    let received_at: DateTime<Utc> = format!("2026-03-03T{time}+09:00").parse().unwrap();
    let record = Record {
        received_at,
        origin: Origin::Live,
        transport: Transport::Udp,
        peer: "192.0.2.200:514".parse().ok(),
        identity: None,
        format: Format::Syslog,
        file: None,
        bytes: text.as_bytes().to_vec(),
        cut: false,
    };
    let mut events = Vec::new();
    Parsers { settings: TextSettings::in_zone(chrono_tz::Asia::Tokyo) }.parse(id, &record, &mut events);
    events
}

impl Table {
    fn count(&mut self, event: &Event) {
        let who = format!("{} {}", event.user_name.as_deref().unwrap_or("-"), text(event.source_ip));
        let kind = event.login_kind.map_or("-", LoginKind::as_str);
        if event.parse_confidence.as_deref() == Some("low") {
            self.guesses.push(who.clone());
        }
        match event.login {
            Some(Login::Success) => self.logins.push(format!("{kind} {who}")),
            Some(Login::Failure) => self.failures.push(format!("{kind} {who}")),
            Some(Login::Repeat) | None => {}
        }
    }
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn row(session: &VpnSession) -> String {
    let clock = |time: DateTime<Utc>| (time + TimeDelta::hours(9)).format("%H:%M:%S").to_string();
    format!(
        "{} {} {} {}-{} {}/{}",
        session.user,
        text(session.source_ip),
        text(session.assigned_ip),
        clock(session.started),
        session.ended.map(clock).unwrap_or_default(),
        text(session.bytes_sent),
        text(session.bytes_received),
    )
}

/// One session and one refused attempt.
fn check(lines: &str, session: &str, refused: &str) {
    let table = table(lines);
    let person = session.split(' ').take(2).collect::<Vec<_>>().join(" ");
    assert_eq!(
        (table.sessions, table.logins, table.failures),
        (vec![session.to_owned()], vec![format!("vpn {person}")], vec![format!("vpn {refused}")]),
        "{lines}"
    );
}
