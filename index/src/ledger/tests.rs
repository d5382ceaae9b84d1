use std::io::Read;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::act::Deed;
use monban_event::{Act, EventId, Finding, FindingId, FindingStatus, RuleId, Scope, Severity, TimeRange};

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
        sources: std::collections::BTreeSet::new(),
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
    assert_eq!(previous.review.status, FindingStatus::Confirmed);
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

fn act(deed: Deed) -> Act {
    Act { at: noon(), by: "山田".to_owned(), deed }
}

fn exception(id: &str, subject: &str, days: i64) -> Act {
    act(Deed::ExceptionGranted {
        id: id.to_owned(),
        scope: Box::new(Scope {
            rule: RuleId::new("VP-01"),
            subject: subject.to_owned(),
            object: String::new(),
            network: String::new(),
        }),
        reason: "健診の当番".to_owned(),
        owner: "佐藤".to_owned(),
        from: noon() - TimeDelta::hours(1),
        until: noon() + TimeDelta::days(days),
    })
}

fn put(ledger: &Ledger, position: u64, finding: &Finding) {
    ledger.apply(RecordId(position), |batch| batch.add_finding(RecordId(position), finding)).unwrap();
}

fn decide(ledger: &Ledger, position: u64, act: &Act) {
    ledger.apply(RecordId(position), |batch| batch.apply_act(RecordId(position), act)).unwrap();
}

/// Which exception covers the findings, by when they began.
fn classified(ledger: &Ledger) -> Vec<Option<String>> {
    let mut rows = ledger.read().unwrap().findings(&FindingFilter::default()).unwrap();
    rows.sort_by_key(|row| (row.first, row.recurrence));
    rows.into_iter().map(|row| row.classified).collect()
}

fn on_day(day: i64, evidence: &[u64]) -> Finding {
    let (first, found) = (noon() + TimeDelta::days(day), finding(evidence));
    Finding { id: Finding::make_id(&found.rule_id, &found.subject, "", first, 0), first, last: first, ..found }
}

#[test]
fn an_exception_covers_what_is_found_after_it_was_granted_and_within_its_time() {
    let (_dir, ledger) = ledger();
    put(&ledger, 1, &on_day(0, &[1]));
    decide(&ledger, 2, &exception("EX-1", "yama*", 3));
    put(&ledger, 3, &on_day(0, &[3]));
    put(&ledger, 4, &on_day(1, &[4]));
    put(&ledger, 5, &on_day(3, &[5]));
    let covered = Some("EX-1".to_owned());
    assert_eq!(classified(&ledger), [None, covered.clone(), None], "before the grant, within it, after its end");
    let reader = ledger.read().unwrap();
    assert_eq!((reader.finding_counts().unwrap(), reader.classified_count().unwrap()), ([2, 0, 0, 0, 0], 1));
    let filter = |classified| FindingFilter { classified, ..FindingFilter::default() };
    assert_eq!(reader.findings(&filter(Some(true))).unwrap().len(), 1);
    assert_eq!(reader.findings(&filter(Some(false))).unwrap().len(), 2);
    let row = &reader.findings(&filter(Some(true))).unwrap()[0];
    assert!(!row.needs_person() && row.status == FindingStatus::Open);
    let told = reader.finding(&row.id).unwrap().unwrap().exception.unwrap();
    assert_eq!((told.owner.as_str(), told.reason.as_str(), told.record), ("佐藤", "健診の当番", RecordId(2)));
    decide(&ledger, 6, &act(Deed::ExceptionEnded { id: "EX-1".to_owned(), reason: "当番の終わり".to_owned() }));
    put(&ledger, 7, &on_day(2, &[7]));
    assert_eq!(classified(&ledger), [None, covered, None, None], "what it covered stays so, what comes needs a person");
    let ended = ledger.read().unwrap().exceptions().unwrap().remove(0);
    assert!(!ended.is_in_force(noon()) && ended.ended.unwrap().reason == "当番の終わり");
}

#[test]
fn a_finding_that_outgrows_its_exception_needs_a_person() {
    let (_dir, ledger) = ledger();
    decide(&ledger, 1, &exception("EX-1", "yamada", 1));
    put(&ledger, 2, &on_day(0, &[2]));
    assert_eq!(classified(&ledger), [Some("EX-1".to_owned())]);
    let later = noon() + TimeDelta::days(1);
    put(&ledger, 3, &Finding { last: later, ..finding(&[3]) });
    assert_eq!(classified(&ledger), [None]);
}

#[test]
fn an_exception_for_a_network_covers_nothing_that_came_from_elsewhere() {
    let (_dir, ledger) = ledger();
    let Deed::ExceptionGranted { id, scope, reason, owner, from, until } = exception("EX-1", "yamada", 9).deed else {
        unreachable!()
    };
    let scope = Box::new(Scope { network: "203.0.113.0/29".to_owned(), ..*scope });
    decide(&ledger, 1, &act(Deed::ExceptionGranted { id, scope: scope.clone(), reason, owner, from, until }));
    let came_from = |day, record, sources: &[&str]| {
        let sources = sources.iter().map(|source| source.parse().unwrap()).collect();
        put(&ledger, 2, &Finding { sources, ..on_day(day, &[record]) });
    };
    came_from(0, 1, &["203.0.113.1", "203.0.113.2"]);
    came_from(1, 2, &["198.51.100.1"]);
    came_from(2, 3, &[]);
    came_from(3, 4, &["203.0.113.3"]);
    let covered = || Some("EX-1".to_owned());
    assert_eq!(classified(&ledger), [covered(), None, None, covered()]);
    assert_eq!(ledger.read().unwrap().findings_covered(&scope, TimeRange::default()).unwrap().len(), 2);
    came_from(3, 5, &["198.51.100.1"]);
    assert_eq!(classified(&ledger), [covered(), None, None, None]);
}

#[test]
fn it_makes_no_difference_how_additions_were_joined() {
    let additions = [(0, 0, 2), (2, 3, 3), (1, 5, 4)];
    let one_by_one = |ledger: &Ledger| {
        for (from, to, record) in additions {
            let hours = |hours| noon() + TimeDelta::hours(hours);
            put(ledger, 9, &Finding { first: hours(from), last: hours(to), ..finding(&[record]) });
        }
    };
    let at_once = |ledger: &Ledger| {
        put(ledger, 9, &Finding { last: noon() + TimeDelta::hours(5), ..finding(&[2, 3, 4]) });
    };
    let ways: [&dyn Fn(&Ledger); 2] = [&one_by_one, &at_once];
    for way in ways {
        let (_dir, ledger) = ledger();
        // The first one ends between the additions, the second after them.
        let short = exception("EX-1", "yamada", 0);
        let Deed::ExceptionGranted { id, scope, reason, owner, from, .. } = short.deed else { unreachable!() };
        let until = noon() + TimeDelta::hours(4);
        decide(&ledger, 1, &act(Deed::ExceptionGranted { id, scope, reason, owner, from, until }));
        decide(&ledger, 2, &exception("EX-2", "yamada", 1));
        way(&ledger);
        assert_eq!(classified(&ledger), [Some("EX-2".to_owned())]);
    }
}

#[test]
fn a_preview_counts_what_is_then_classified() {
    let (_dir, ledger) = ledger();
    let others = [("yamada", 0), ("yamada2", 1), ("tanaka", 2)];
    let send = |position: u64| {
        for (subject, day) in others {
            let found = on_day(day, &[position + day.unsigned_abs()]);
            let id = Finding::make_id(&found.rule_id, subject, "", found.first, 0);
            put(&ledger, position + 10, &Finding { id, subject: subject.to_owned(), ..found });
        }
    };
    send(1);
    let scope = Scope {
        rule: RuleId::new("VP-01"),
        subject: "yamada*".to_owned(),
        object: String::new(),
        network: String::new(),
    };
    let expected = ledger.read().unwrap().findings_covered(&scope, TimeRange::default()).unwrap().len();
    let rows = ledger.read().unwrap().findings(&FindingFilter::default()).unwrap();
    for (position, row) in (20..).zip(&rows) {
        decide(&ledger, position, &review(&row.id, FindingStatus::Confirmed));
    }
    decide(&ledger, 29, &exception("EX-1", "yamada*", 30));
    send(30);
    let filter = FindingFilter { exception: Some("EX-1".to_owned()), ..FindingFilter::default() };
    assert_eq!((ledger.read().unwrap().findings(&filter).unwrap().len(), expected), (2, 2));
}

#[test]
fn the_previous_verdict_is_about_the_same_thing_and_never_a_later_one() {
    let (_dir, ledger) = ledger();
    put(&ledger, 1, &on_day(0, &[1]));
    put(&ledger, 2, &Finding { object: "DC01".to_owned(), id: FindingId::new("other"), ..on_day(0, &[2]) });
    decide(&ledger, 3, &review(&finding(&[]).id, FindingStatus::Confirmed));
    decide(&ledger, 4, &review(&FindingId::new("other"), FindingStatus::Resolved));
    put(&ledger, 5, &on_day(0, &[5]));
    let reader = ledger.read().unwrap();
    let rows = reader.findings(&FindingFilter::default()).unwrap();
    let previous = |row: &FindingRow| {
        let verdict = reader.finding(&row.id).unwrap().unwrap().previous;
        verdict.map(|verdict| (verdict.finding, verdict.review.status))
    };
    for row in &rows {
        let expected = (row.recurrence == 1).then(|| (finding(&[]).id, FindingStatus::Confirmed));
        assert_eq!(previous(row), expected, "{row:?}");
    }
}

#[test]
fn what_was_journaled_before_the_closing_belongs_to_what_was_closed() {
    let (_dir, ledger) = ledger();
    put(&ledger, 10, &finding(&[5]));
    decide(&ledger, 11, &review(&finding(&[]).id, FindingStatus::Confirmed));
    put(&ledger, 20, &finding(&[6]));
    let rows = ledger.read().unwrap().findings(&FindingFilter::default()).unwrap();
    assert_eq!(rows.iter().map(|row| (row.count, row.status)).collect::<Vec<_>>(), [(2, FindingStatus::Confirmed)]);
}

#[test]
fn a_verdict_waits_for_its_finding() {
    let (_dir, ledger) = ledger();
    decide(&ledger, 1, &review(&finding(&[]).id, FindingStatus::Confirmed));
    put(&ledger, 2, &Finding { count: 3, ..finding(&[]) });
    let row = ledger.read().unwrap().findings(&FindingFilter::default()).unwrap().remove(0);
    assert_eq!((row.status, row.first_verdict), (FindingStatus::Confirmed, Some(noon() + TimeDelta::hours(1))));
}
