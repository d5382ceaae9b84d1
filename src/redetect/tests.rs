//! A month of VPN sessions, about which more comes to be known afterwards.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;

use chrono::{DateTime, Utc};
use monban_event::id::hex;
use monban_event::{
    Clock, FilePosition, FindingStatus, Format, Lane, Origin, Record, RecordSink, SimulatedClock, Transport,
};
use monban_index::ledger::{FindingFilter, FindingRow};
use sha2::{Digest, Sha256};

use super::*;
use crate::node::{LEDGER, Opening};

const ROSTER: &str = "氏名,ADアカウント,採用日,退職日\n山田,yamada,2015-04-01,\n佐藤,sato,2015-04-01,\n";
const ROSTER_LATE: &str = "氏名,ADアカウント,採用日,退職日\n山田,yamada,2015-04-01,2026-10-08\n佐藤,sato,2015-04-01,\n";
const VENDORS: &str = "事業者名,VPNアカウント,許可する接続元\n山田電子,vendor01,198.51.100.0/24\n";
const TICKETS: &str = "申請番号,事業者,予定開始,予定終了,承認日\n";
const TICKETS_LATE: &str = "申請番号,事業者,予定開始,予定終了,承認日\n\
    T-1,山田電子,2026-10-07 09:00,2026-10-07 12:00,2026-10-06\n\
    T-2,山田電子,2026-10-09 09:00,2026-10-09 12:00,2026-10-08\n";

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-{text}+09:00").parse().expect("a time")
}

struct World {
    node: Arc<Node>,
    clock: SimulatedClock,
}

impl World {
    fn open(dir: &Path) -> Self {
        let clock = SimulatedClock::at(at("10-05T08:00:00"));
        Self { node: open(dir, &clock), clock }
    }

    fn told(&self, name: ContextName, text: &str) {
        let deed = Deed::Context { name, sha256: hex(&Sha256::digest(text)), text: text.to_owned() };
        self.node.record("console", deed).unwrap();
    }

    /// A VPN session that begins then, told by the device at once or brought as a file later.
    fn session(&self, user: &str, time: DateTime<Utc>, origin: Origin) {
        if origin == Origin::Live {
            self.clock.set(time);
        }
        let text = format!(
            "date={} time={} devname=\"FGT-HONKAN\" devid=\"FGT60FTK20000001\" eventtime={} tz=\"+0900\" logid=\"0101039424\" \
             type=\"event\" subtype=\"vpn\" level=\"information\" vd=\"root\" logdesc=\"SSL VPN tunnel up\" action=\"tunnel-up\" \
             tunneltype=\"ssl-tunnel\" tunnelid={} remip=198.51.100.7 tunnelip=10.212.134.9 user=\"{user}\" group=\"VPN\"",
            time.format("%Y-%m-%d"),
            time.format("%H:%M:%S"),
            time.timestamp_nanos_opt().unwrap(),
            time.timestamp(),
        );
        self.put(Format::Syslog, text, origin);
    }

    /// A logon on a Windows server, numbered by its time; `wrong` where the password was.
    fn logon(&self, user: &str, time: DateTime<Utc>, wrong: bool, origin: Origin) {
        if origin == Origin::Live {
            self.clock.set(time);
        }
        let status = if wrong { ("0xc000006d", "0xc000006a") } else { ("0x0", "0x0") };
        let text = serde_json::json!({"Event": {
            "System": {
                "Provider": {"#attributes": {"Name": "Microsoft-Windows-Security-Auditing"}},
                "EventID": if wrong { 4625 } else { 4624 }, "Channel": "Security", "Computer": "EMR01.minato.example",
                "TimeCreated": {"#attributes": {"SystemTime": time.format("%Y-%m-%dT%H:%M:%S.000000Z").to_string()}},
                "EventRecordID": time.timestamp(),
            },
            "EventData": {
                "TargetUserName": user, "TargetDomainName": "MINATO", "Status": status.0, "SubStatus": status.1,
                "LogonType": 3, "WorkstationName": "IJI-PC07", "IpAddress": "10.20.1.5", "IpPort": "50123",
            },
        }});
        self.put(Format::Json, text.to_string(), origin);
    }

    fn put(&self, format: Format, text: String, origin: Origin) {
        let import = origin == Origin::Import;
        let file = import.then(|| FilePosition { import: RecordId(1), index: 0, path: "old.log".into(), hints: None });
        let record = Record {
            received_at: self.clock.now(),
            origin,
            transport: if import { Transport::File } else { Transport::Tcp },
            peer: (!import).then(|| "192.0.2.1:514".parse().unwrap()),
            identity: None,
            format,
            file,
            bytes: text.into_bytes(),
            cut: false,
        };
        let (tell, told) = mpsc::channel();
        let lane = if import { Lane::Imports } else { Lane::Live };
        self.node.journal.submit(lane, vec![record], Box::new(move |result| tell.send(result).unwrap()));
        told.recv().unwrap().unwrap();
    }

    /// Three weeks in which everybody logs in each morning, the company on two of them.
    fn month() -> (tempfile::TempDir, Self) {
        let dir = tempfile::tempdir().unwrap();
        let world = Self::open(dir.path());
        world.told(ContextName::Roster, ROSTER);
        world.told(ContextName::Vendors, VENDORS);
        world.told(ContextName::Tickets, TICKETS);
        for day in 6..=26 {
            for user in ["yamada", "sato"] {
                world.session(user, at(&format!("10-{day:02}T10:00:00")), Origin::Live);
            }
            if matches!(day, 7 | 9) {
                world.session("vendor01", at(&format!("10-{day:02}T10:30:00")), Origin::Live);
            }
        }
        world.clock.set(at("10-28T03:00:00"));
        (dir, world)
    }

    fn findings(&self) -> BTreeMap<FindingId, FindingRow> {
        self.node.progress.wait_applied(self.node.journal.durable()).unwrap();
        let rows = self.node.ledger.read().unwrap().findings(&FindingFilter::default()).unwrap();
        rows.into_iter().map(|row| (row.id.clone(), row)).collect()
    }

    /// Rule, subject, day and status of what is there now and was not, or was otherwise.
    fn changed_since(&self, before: &BTreeMap<FindingId, FindingRow>) -> Vec<(String, String, u32, FindingStatus)> {
        use chrono::Datelike;
        let now = self.findings();
        assert!(before.keys().all(|id| now.contains_key(id)), "no finding disappears");
        let is_changed =
            |row: &&FindingRow| before.get(&row.id).is_none_or(|known| format!("{known:?}") != format!("{row:?}"));
        let line =
            |row: &FindingRow| (row.rule_id.to_string(), row.subject.clone(), finding_day(row.last).day(), row.status);
        let mut lines: Vec<_> = now.values().filter(is_changed).map(line).collect();
        lines.sort_by(|one, other| (&one.0, &one.1, one.2).cmp(&(&other.0, &other.1, other.2)));
        lines
    }
}

fn open(dir: &Path, clock: &SimulatedClock) -> Arc<Node> {
    Node::open(&Opening { dir, create: true, config: None, clock: Arc::new(clock.clone()), stays: false }).unwrap()
}

#[test]
fn a_leaving_date_entered_late_makes_the_findings_of_its_days_and_no_others() {
    let (dir, world) = World::month();
    assert_eq!(settle(&world.node).unwrap(), 0, "nothing new is known yet");
    let before = world.findings();
    world.told(ContextName::Roster, ROSTER_LATE);
    settle(&world.node).unwrap();
    let changed = world.changed_since(&before);
    // A morning belongs to the finding day before. What every day has of him is a session after he had left.
    let expected: Vec<_> =
        (8..=25).map(|day| ("VP-11".to_owned(), "yamada".to_owned(), day, FindingStatus::Open)).collect();
    assert_eq!(changed.iter().filter(|line| line.0 == "VP-11").cloned().collect::<Vec<_>>(), expected);
    assert!(changed.iter().all(|line| line.1 == "yamada"), "{changed:?}");
    assert_eq!(settle(&world.node).unwrap(), 0, "once is enough");

    let told = world.findings();
    let clock = world.clock.clone();
    drop(world);
    std::fs::remove_file(dir.path().join(LEDGER)).unwrap();
    let again = World { node: open(dir.path(), &clock), clock };
    let rows = |findings: &BTreeMap<FindingId, FindingRow>| format!("{findings:?}");
    assert_eq!(rows(&again.findings()), rows(&told), "a rebuilt ledger says the same");
}

#[test]
fn a_ticket_approved_afterwards_takes_back_what_nobody_had_judged() {
    let (_dir, world) = World::month();
    let before = world.findings();
    let of_vendor: Vec<&FindingRow> = before.values().filter(|row| row.rule_id.as_str() == "VP-10").collect();
    assert_eq!(of_vendor.len(), 2, "{of_vendor:?}");
    let judged = of_vendor.iter().min_by_key(|row| row.first).unwrap().id.clone();
    let review = Deed::Review {
        finding: judged.clone(),
        status: FindingStatus::Confirmed,
        reason: "保守作業（連絡なし・事後確認）".to_owned(),
        note: String::new(),
    };
    world.node.record("山田", review).unwrap();
    let before = world.findings();
    world.told(ContextName::Tickets, TICKETS_LATE);
    settle(&world.node).unwrap();
    let changed = world.changed_since(&before);
    let of_rule: Vec<_> = changed.iter().filter(|line| line.0 == "VP-10").collect();
    assert_eq!(of_rule, [&("VP-10".to_owned(), "vendor01".to_owned(), 8, FindingStatus::Withdrawn)], "{changed:?}");
    assert_eq!(world.findings()[&judged].status, FindingStatus::Confirmed, "what was judged stays judged");
}

#[test]
fn a_late_import_changes_the_findings_of_its_days() {
    let (_dir, world) = World::month();
    let before = world.findings();
    world.session("vendor01", at("10-14T10:30:00"), Origin::Import);
    settle(&world.node).unwrap();
    let changed = world.changed_since(&before);
    assert!(changed.iter().any(|line| line.0 == "VP-10"), "{changed:?}");
    assert!(changed.iter().all(|line| line.1 == "vendor01" && line.2 == 13), "{changed:?}");
}

#[test]
fn a_domain_that_locks_nobody_is_known_as_such_when_its_days_are_judged_again() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path());
    world.logon("tanaka", at("10-05T09:00:00"), false, Origin::Live);
    for wrong in 0..52 {
        world.logon("svc_bk", at("11-10T12:30:00") + TimeDelta::minutes(10 * wrong), true, Origin::Live);
    }
    world.clock.set(at("11-11T13:00:00"));
    let found = |world: &World| {
        let rows = world.findings().into_values().filter(|row| row.rule_id.as_str() == "AU-05");
        rows.map(|row| (row.status, row.count)).collect::<Vec<_>>()
    };
    assert_eq!(found(&world), [(FindingStatus::Open, 52)]);
    world.logon("svc_bk", at("11-10T23:55:00"), true, Origin::Import);
    settle(&world.node).unwrap();
    assert_eq!(found(&world), [(FindingStatus::Open, 53)]);
}

/// A month handed in as old records, in some order, after what the hospital is was told.
fn imported(order: impl IntoIterator<Item = u32>) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path());
    world.clock.set(at("10-28T03:00:00"));
    world.told(ContextName::Roster, ROSTER_LATE);
    world.told(ContextName::Vendors, VENDORS);
    world.told(ContextName::Tickets, TICKETS);
    for day in order {
        for (user, minute) in [("yamada", 0), ("sato", 5), ("vendor01", 30)] {
            world.session(user, at(&format!("10-{day:02}T10:{minute:02}:00")), Origin::Import);
        }
    }
    settle(&world.node).unwrap();
    let standing = world.findings().into_values().filter(|row| row.status == FindingStatus::Open);
    let mut lines: Vec<String> = standing
        .map(|row| {
            format!("{} {} {} {} {} {}", row.id, row.rule_id, row.severity.as_str(), row.first, row.count, row.summary)
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn an_imported_month_comes_to_the_same_findings_in_whatever_order() {
    let forward = imported(6..=26);
    assert!(forward.iter().any(|line| line.contains(" VP-11 ")) && forward.iter().any(|line| line.contains(" VP-10 ")));
    assert_eq!(imported((6..=26).rev()), forward);
    assert_eq!(imported((6..=26).map(|day| 6 + (day * 8) % 21)), forward);
}
