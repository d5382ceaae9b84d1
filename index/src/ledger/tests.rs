use std::io::Read;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::act::Deed;
use monban_event::{Act, EventId, Finding, FindingId, FindingStatus, RuleId, Severity, TimeRange};

use super::*;

fn ledger() -> (tempfile::TempDir, Ledger) {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).unwrap();
    (dir, ledger)
}

fn noon() -> DateTime<Utc> {
    "2026-10-25T03:00:00Z".parse().unwrap()
}

fn finding(evidence: &[u64]) -> Finding {
    let rule_id = RuleId::new("VP-01");
    Finding {
        id: Finding::make_id(&rule_id, "yamada", "", noon(), 0),
        rule_id,
        rule_title: "VPN総当たり".to_owned(),
        rule_version: "1".to_owned(),
        severity: Severity::Medium,
        subject: "yamada".to_owned(),
        object: String::new(),
        first: noon(),
        last: noon(),
        count: evidence.len() as u64,
        summary: "要約".to_owned(),
        evidence: evidence.iter().map(|&record| EventId::new(RecordId(record), 0)).collect(),
    }
}

fn review(id: &FindingId, status: FindingStatus) -> Act {
    Act {
        at: noon() + TimeDelta::hours(1),
        by: "佐藤".to_owned(),
        deed: Deed::Review { finding: id.clone(), status, reason: "誤検知".to_owned(), note: String::new() },
    }
}

#[test]
fn position_and_data_move_together() {
    let (_dir, ledger) = ledger();
    assert_eq!(ledger.position().unwrap(), RecordId(0));
    ledger.apply(RecordId(3), |batch| batch.add_finding(RecordId(3), &finding(&[1, 2]))).unwrap();
    let failed: Result<(), _> = ledger.apply(RecordId(9), |batch| {
        batch.add_finding(RecordId(9), &finding(&[9]))?;
        Err(LedgerError::BadRow { table: "test", reason: String::new() })
    });
    assert!(failed.is_err());
    assert_eq!(ledger.position().unwrap(), RecordId(3));
    let rows = ledger.read().unwrap().findings(&FindingFilter::default()).unwrap();
    assert_eq!(rows.iter().map(|row| row.count).collect::<Vec<_>>(), [2]);
}

#[test]
fn the_same_evidence_counts_once() {
    let (_dir, ledger) = ledger();
    for evidence in [&[1, 2][..], &[2, 3], &[3]] {
        ledger.apply(RecordId(3), |batch| batch.add_finding(RecordId(3), &finding(evidence))).unwrap();
    }
    let detail = ledger.read().unwrap().finding(&finding(&[]).id).unwrap().unwrap();
    assert_eq!(detail.finding.count, 3);
    assert_eq!(detail.evidence.len(), 3);
}

#[test]
fn a_finding_of_absence_counts_once_without_evidence() {
    let (_dir, ledger) = ledger();
    let absence = Finding { count: 37, ..finding(&[]) };
    for position in [3, 4] {
        ledger.apply(RecordId(position), |batch| batch.add_finding(RecordId(position), &absence)).unwrap();
    }
    let rows = ledger.read().unwrap().findings(&FindingFilter::default()).unwrap();
    assert_eq!(rows.iter().map(|row| row.count).collect::<Vec<_>>(), [37]);
}

#[test]
fn the_detector_finds_its_state_again() {
    let (_dir, ledger) = ledger();
    assert!(ledger.detector_snapshot().unwrap().is_none());
    let state = br#"{"state":[]}"#.repeat(100_000);
    ledger.apply(RecordId(7), |batch| batch.put_detector_snapshot(RecordId(6), |to| to.write_all(&state))).unwrap();
    let (position, snapshot) = ledger.detector_snapshot().unwrap().unwrap();
    let mut read = Vec::new();
    snapshot.reader().unwrap().read_to_end(&mut read).unwrap();
    assert!(position == RecordId(6) && read == state);
}

#[test]
fn what_recurs_after_closing_is_a_new_finding_and_names_the_last_verdict() {
    let (_dir, ledger) = ledger();
    let first = finding(&[1]);
    ledger.apply(RecordId(1), |batch| batch.add_finding(RecordId(1), &first)).unwrap();
    ledger
        .apply(RecordId(2), |batch| batch.apply_act(RecordId(2), &review(&first.id, FindingStatus::Confirmed)))
        .unwrap();
    ledger.apply(RecordId(5), |batch| batch.add_finding(RecordId(5), &finding(&[5]))).unwrap();
    let reader = ledger.read().unwrap();
    let rows = reader.findings(&FindingFilter::default()).unwrap();
    assert_eq!(rows.len(), 2);
    let again = rows.iter().find(|row| row.recurrence == 1).unwrap();
    assert_eq!(again.status, FindingStatus::Open);
    let previous = reader.finding(&again.id).unwrap().unwrap().previous.unwrap();
    assert_eq!(previous.status, FindingStatus::Confirmed);
    assert_eq!(reader.finding_counts().unwrap(), [1, 0, 0, 1, 0]);
}

#[test]
fn the_first_event_of_a_key_stays_first() {
    let (_dir, ledger) = ledger();
    let (first, second) = (EventId::new(RecordId(1), 512), EventId::new(RecordId(2), 512));
    let seen = |event| ledger.apply(RecordId(2), |batch| batch.is_first([7; 16], event)).unwrap();
    assert!(seen(first));
    assert!(!seen(second));
    assert!(seen(first), "a replay must index it again");
}

#[test]
fn sources_are_named_by_people_or_by_themselves() {
    let (_dir, ledger) = ledger();
    let tally = SourceTally {
        transport: "udp",
        origin: "live",
        records: 2,
        first_seen: noon(),
        last_seen: noon(),
        ..SourceTally::default()
    };
    ledger.apply(RecordId(1), |batch| batch.tally_source("ip:192.0.2.1", &tally)).unwrap();
    ledger.apply(RecordId(2), |batch| batch.tally_source("ip:192.0.2.1", &tally)).unwrap();
    let reader = ledger.read().unwrap();
    let row = reader.sources().unwrap().remove(0);
    assert_eq!((row.name.as_str(), row.records, row.listed), ("192.0.2.1", 4, false));
    let deed = Deed::SourceNamed { source: "ip:192.0.2.1".to_owned(), name: "FW本館".to_owned() };
    let act = Act { at: noon(), by: "山田".to_owned(), deed };
    ledger.apply(RecordId(3), |batch| batch.apply_act(RecordId(3), &act)).unwrap();
    let row = reader.sources().unwrap().remove(0);
    assert_eq!((row.name.as_str(), row.listed), ("FW本館", true));
    let named = SourceTally { name: Some("FW別館".to_owned()), ..tally };
    ledger.apply(RecordId(4), |batch| batch.tally_source("ip:192.0.2.1", &named)).unwrap();
    let row = reader.sources().unwrap().remove(0);
    assert_eq!((row.name.as_str(), row.listed), ("FW別館", true));
    assert_eq!(reader.trail(TimeRange::default(), 10).unwrap().len(), 1);
}

#[test]
fn web_sessions_end_by_idleness_and_by_age() {
    let (_dir, ledger) = ledger();
    let (idle, whole) = (TimeDelta::minutes(15), TimeDelta::hours(8));
    let after = |delta| ledger.use_web_session("t", noon() + delta, idle, whole).unwrap();
    ledger.open_web_session("t", "yamada", noon()).unwrap();
    assert_eq!(after(TimeDelta::minutes(14)).as_deref(), Some("yamada"));
    assert_eq!(after(TimeDelta::minutes(28)).as_deref(), Some("yamada"));
    assert_eq!(after(TimeDelta::minutes(44)), None);
    ledger.open_web_session("t", "yamada", noon()).unwrap();
    ledger
        .use_web_session("t", noon() + TimeDelta::hours(8) - TimeDelta::minutes(1), TimeDelta::hours(9), whole)
        .unwrap();
    assert_eq!(after(TimeDelta::hours(8) + TimeDelta::minutes(1)), None);
}
