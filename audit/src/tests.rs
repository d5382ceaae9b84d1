use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::act::Deed;
use monban_event::store::EventStore;
use monban_event::time::Month;
use monban_event::{
    Act, Action, Event, EventId, Finding, FindingId, FindingStatus, Login, LoginKind, ParseStatus, RecordId, RuleId,
    Scope, Severity, VpnSession,
};
use monban_index::journal::{Heads, Receipt};
use monban_index::ledger::{Ledger, SourceTally};
use monban_index::query::parse;

use super::testing::MemoryStore;
use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn october() -> Month {
    Month::parse("2026-10").unwrap()
}

struct Hospital {
    _dir: tempfile::TempDir,
    ledger: Ledger,
    store: MemoryStore,
    position: u64,
}

impl Hospital {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).unwrap();
        Self { _dir: dir, ledger, store: MemoryStore::default(), position: 0 }
    }

    fn next(&mut self) -> RecordId {
        self.position += 1;
        RecordId(self.position)
    }

    fn event(&mut self, time: &str, fill: impl FnOnce(&mut Event)) {
        let mut event = Event {
            id: EventId::new(self.next(), 0),
            event_time: Some(at(time)),
            ingested: Some(at(time)),
            source_id: Some("host:dc01".to_owned()),
            parse_status: Some(ParseStatus::Full),
            ..Event::default()
        };
        fill(&mut event);
        self.store.events.push(event);
    }

    fn source(&mut self, id: &str, origin: &'static str, first: &str, last: &str) {
        let position = self.next();
        let tally = SourceTally {
            transport: "udp",
            origin,
            first_seen: at(first),
            last_seen: at(last),
            last_event: at(last),
            records: 1,
            ..SourceTally::default()
        };
        self.ledger.apply(position, |batch| batch.tally_source(id, &tally)).unwrap();
    }

    fn silence(&mut self, id: &str, started: &str, ended: Option<&str>) {
        let position = self.next();
        self.ledger.apply(position, |batch| batch.put_silence(id, at(started), ended.map(at))).unwrap();
    }

    fn finding(&mut self, subject: &str, severity: Severity, first: &str) -> FindingId {
        self.put(subject, severity, first, BTreeSet::new())
    }

    fn finding_from(&mut self, subject: &str, source: &str, first: &str) -> FindingId {
        self.put(subject, Severity::High, first, BTreeSet::from([source.parse().unwrap()]))
    }

    fn put(&mut self, subject: &str, severity: Severity, first: &str, sources: BTreeSet<IpAddr>) -> FindingId {
        let rule_id = RuleId::new("VP-01");
        let finding = Finding {
            id: Finding::make_id(&rule_id, subject, "", at(first), 0),
            rule_id,
            rule_title: "VPN総当たり".to_owned(),
            rule_version: "1".to_owned(),
            severity,
            subject: subject.to_owned(),
            object: String::new(),
            first: at(first),
            last: at(first),
            count: 1,
            summary: "<b>要約</b>".to_owned(),
            evidence: vec![EventId::new(RecordId(1), 0)],
            sources,
        };
        let position = self.next();
        self.ledger.apply(position, |batch| batch.add_finding(position, &finding)).unwrap();
        finding.id
    }

    fn act(&mut self, time: &str, deed: Deed) {
        let position = self.next();
        let act = Act { at: at(time), by: "山田".to_owned(), deed };
        self.ledger.apply(position, |batch| batch.apply_act(position, &act)).unwrap();
    }

    fn review(&mut self, finding: &FindingId, status: FindingStatus, time: &str) {
        let (finding, reason) = (finding.clone(), "誤検知".to_owned());
        self.act(time, Deed::Review { finding, status, reason, note: String::new() });
    }

    fn summary(&self, month: Month, now: &str) -> AuditSummary {
        let hospital = "みなと<中央>病院".to_owned();
        let receipt = Some(Receipt::new(RecordId(7), Heads::default(), at("2026-10-31T23:50:00+09:00")));
        let settings = AuditSettings { hospital, edition: Edition::named("R6").unwrap(), receipt };
        let read = |text: &str, now| parse(text, now).ok();
        summarize(&self.store, &self.ledger, &read, month, &settings, at(now)).unwrap()
    }
}

const NOW: &str = "2026-11-02T09:00:00+09:00";

fn busy() -> Hospital {
    let mut hospital = Hospital::new();
    let login = |kind, class: &'static str, outcome, after_hours: Option<bool>| {
        move |event: &mut Event| {
            event.action = Some(Action::Login);
            event.login = Some(outcome);
            event.login_kind = Some(kind);
            event.account_class = Some(class.to_owned());
            event.after_hours = after_hours;
            event.winlog_logon_type = (kind == LoginKind::Windows).then_some(10);
        }
    };
    hospital.source("host:dc01", "live", "2026-09-20T00:00:00+09:00", "2026-10-31T23:59:00+09:00");
    hospital.event("2026-10-05T09:00:00+09:00", login(LoginKind::Windows, "staff", Login::Success, Some(false)));
    hospital.event("2026-10-05T09:00:01+09:00", login(LoginKind::Windows, "staff", Login::Repeat, Some(false)));
    hospital.event("2026-10-06T02:00:00+09:00", login(LoginKind::Vpn, "vendor", Login::Success, Some(true)));
    hospital.event("2026-10-06T02:01:00+09:00", login(LoginKind::Vpn, "vendor", Login::Failure, Some(true)));
    hospital.event("2026-10-07T02:01:00+09:00", |event| event.parse_status = Some(ParseStatus::Raw));
    hospital.event("2026-09-30T23:59:59+09:00", login(LoginKind::Vpn, "staff", Login::Success, Some(true)));
    hospital.event("2026-11-01T00:00:00+09:00", login(LoginKind::Vpn, "staff", Login::Success, Some(true)));
    hospital
}

fn figure<'a>(summary: &'a AuditSummary, id: &str) -> &'a Figure {
    summary.figures.iter().find(|figure| figure.id == id).unwrap()
}

#[test]
fn every_figure_with_a_query_is_what_that_query_counts() {
    let hospital = busy();
    let summary = hospital.summary(october(), NOW);
    let mut checked = 0;
    for figure in &summary.figures {
        let (Some(query), Some(Amount::Whole(value))) = (&figure.query, figure.value) else { continue };
        let counted = hospital.store.count(&parse(query, at(NOW)).unwrap(), october().range()).unwrap();
        assert_eq!(value, counted, "{} {query}", figure.id);
        checked += 1;
    }
    assert!(checked >= 5, "{checked}");
    let expected = [("N01", 5), ("N06", 1), ("N08", 2), ("N09", 1), ("N11", 1)];
    for (id, value) in expected {
        assert_eq!(figure(&summary, id).value, Some(Amount::Whole(value)), "{id}");
    }
}

#[test]
fn the_tables_add_up_to_their_figures() {
    let summary = busy().summary(october(), NOW);
    assert_eq!(summary.logins_by_class.iter().map(|line| line.success).sum::<u64>(), 2);
    assert_eq!(summary.logins_by_class.iter().map(|line| line.success_after_hours).sum::<u64>(), 1);
    let kinds = summary.logins_by_kind.iter().filter(|line| line.logon_type.is_none());
    assert_eq!(kinds.map(|line| line.success).sum::<u64>(), 2);
    assert_eq!(summary.sources.iter().map(|line| line.records).sum::<u64>(), 5);
}

#[test]
fn what_could_not_be_judged_is_not_zero() {
    let mut hospital = Hospital::new();
    hospital.event("2026-10-05T09:00:00+09:00", |event| event.login = Some(Login::Success));
    let summary = hospital.summary(october(), NOW);
    assert_eq!(figure(&summary, "N11").value, None);
    assert_eq!(figure(&summary, "N11").value_text(), "検知不可");
    assert_eq!(figure(&summary, "N15").value, None);
    assert_eq!(figure(&summary, "N19").value, None);
    assert_eq!(figure(&summary, "N03").value, None);
    assert!(summary.conclusion.iter().any(|sentence| sentence.contains("検知不可")));
}

#[test]
fn silence_lowers_the_share_of_collection_and_is_rounded_down() {
    let mut hospital = busy();
    hospital.source("ip:192.0.2.1", "live", "2026-09-01T00:00:00+09:00", "2026-10-31T00:00:00+09:00");
    hospital.silence("ip:192.0.2.1", "2026-09-30T12:00:00+09:00", Some("2026-10-01T01:00:00+09:00"));
    hospital.silence("ip:192.0.2.1", "2026-10-31T23:30:00+09:00", None);
    let summary = hospital.summary(october(), NOW);
    // 90 of 2 × 744 × 60 minutes were silent.
    assert_eq!(figure(&summary, "N03").value, Some(Amount::Tenths(998)));
    assert_eq!(figure(&summary, "N04").value, Some(Amount::Whole(2)));
    assert_eq!(figure(&summary, "N04").parts[0].value, Amount::Whole(90));
    let line = summary.sources.iter().find(|line| line.id == "ip:192.0.2.1").unwrap();
    assert!(!line.collecting);
    assert_eq!(line.silences[1].ended, None);
    assert_eq!(line.silences[0].seconds, 3600);
}

#[test]
fn carried_over_plus_occurred_less_completed_is_carried_on() {
    let mut hospital = busy();
    let august = hospital.finding("a", Severity::High, "2026-08-05T12:00:00+09:00");
    let reopened = hospital.finding("b", Severity::High, "2026-09-05T12:00:00+09:00");
    let closed = hospital.finding("c", Severity::High, "2026-10-05T12:00:00+09:00");
    let late = hospital.finding("d", Severity::Medium, "2026-10-06T12:00:00+09:00");
    hospital.review(&reopened, FindingStatus::Confirmed, "2026-09-06T00:00:00+09:00");
    hospital.review(&reopened, FindingStatus::Open, "2026-10-02T00:00:00+09:00");
    hospital.review(&closed, FindingStatus::Confirmed, "2026-10-06T00:00:00+09:00");
    hospital.review(&late, FindingStatus::Confirmed, "2026-11-01T12:00:00+09:00");
    let carry = hospital.summary(october(), NOW).carry_over;
    assert_eq!(carry, CarryOver { carried_in: 1, occurred: 3, completed: 1, carried_out: 3, completed_since: 1 });
    assert_eq!(carry.carried_in + carry.occurred - carry.completed, carry.carried_out);
    let november = hospital.summary(october().next(), "2026-12-01T09:00:00+09:00").carry_over;
    assert_eq!(november.carried_in, carry.carried_out);
    assert_eq!(november.carried_in + november.occurred - november.completed, november.carried_out);
    assert_ne!(august, late);
}

#[test]
fn sessions_are_counted_by_class_and_open_ones_flagged() {
    let mut hospital = busy();
    let session = |key: &str, started: &str, ended: Option<&str>| VpnSession {
        key: key.to_owned(),
        observer: "FGT-HONKAN".to_owned(),
        user: "medsys-mnt1".to_owned(),
        account_class: "vendor".to_owned(),
        source_ip: None,
        assigned_ip: None,
        started: at(started),
        ended: ended.map(at),
        last_seen: at(started) + TimeDelta::minutes(30),
        bytes_sent: Some(100),
        bytes_received: Some(2000),
        after_hours: true,
        first_event: EventId::new(RecordId(key.parse().unwrap()), 0),
    };
    let position = hospital.next();
    hospital
        .ledger
        .apply(position, |batch| {
            batch.put_session(&session("1", "2026-10-05T10:00:00+09:00", Some("2026-10-05T11:00:00+09:00")))?;
            batch.put_session(&session("2", "2026-10-06T10:00:00+09:00", None))?;
            batch.put_session(&session("3", "2026-11-01T10:00:00+09:00", None))
        })
        .unwrap();
    let summary = hospital.summary(october(), NOW);
    let line = &summary.vpn_by_class[0];
    assert_eq!((line.sessions, line.users, line.open, line.after_hours), (2, 1, 1, 2));
    assert_eq!((line.seconds_total, line.seconds_longest), (5400, 3600));
    assert_eq!((line.bytes_in, line.bytes_out), (200, 4000));
    assert_eq!(figure(&summary, "N14").value, Some(Amount::Whole(2)));
}

#[test]
fn an_empty_month_is_told_in_sentences_with_their_denominators() {
    let summary = Hospital::new().summary(october(), NOW);
    let page = render_standalone(&summary, &Links::None).unwrap();
    assert!(page.contains("途絶は 0 回でした") || page.contains("記録のあった機器は 0 台"), "{page}");
    assert!(page.contains("検知は 0 件でした"));
    assert!(!page.contains("異常なし"));
}

#[test]
fn the_same_month_gives_the_same_bytes_twice() {
    let mut hospital = busy();
    hospital.finding("x", Severity::High, "2026-10-05T12:00:00+09:00");
    hospital.act("2026-10-06T12:00:00+09:00", Deed::Searched { query: "*".to_owned(), from: None, to: None, hits: 1 });
    let render = || {
        let summary = hospital.summary(october(), NOW);
        (serde_json::to_string(&summary).unwrap(), render_standalone(&summary, &Links::None).unwrap())
    };
    assert_eq!(render(), render());
}

#[test]
fn the_file_stands_alone_and_nothing_from_outside_is_markup() {
    let mut hospital = busy();
    hospital.finding("<script>alert(1)</script>", Severity::High, "2026-10-05T12:00:00+09:00");
    let page = render_standalone(&hospital.summary(october(), NOW), &Links::None).unwrap();
    for hostile in ["<script", "<b>要約", "みなと<中央>"] {
        assert!(!page.contains(hostile), "{hostile}");
    }
    for outside in ["http://", "https://", "href=", "src=", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("<style>") && page.contains("アクセスログ監査報告書"));
    let linked = render_sheets(&hospital.summary(october(), NOW), &Links::Pages(String::new())).unwrap();
    assert!(linked.contains("/search?q=monban.login%3Asuccess"), "{linked}");
}

#[test]
fn a_running_month_says_so() {
    let summary = busy().summary(october(), "2026-10-20T09:00:00+09:00");
    assert!(summary.header.unfinished);
    assert!(summary.conclusion[0].contains("途中"));
    let line = &summary.sources[0];
    assert_eq!(line.days_expected, 20);
    assert_eq!(line.days[25], None);
}

#[test]
fn a_month_is_compared_only_with_one_that_has_records() {
    let summary = busy().summary(october(), NOW);
    let line = summary.previous.iter().find(|line| line.id == "N01").unwrap();
    assert_eq!((line.current, line.previous), (Some(Amount::Whole(5)), Some(Amount::Whole(1))));
    assert_eq!(line.change_text(), "+4");
    assert!(busy().summary(october().previous(), NOW).previous.is_empty());
}

fn granted(id: &str, subject: &str, until: &str) -> Deed {
    Deed::ExceptionGranted {
        id: id.to_owned(),
        scope: Box::new(Scope {
            rule: RuleId::new("VP-01"),
            subject: subject.to_owned(),
            object: String::new(),
            network: "203.0.113.0/29".to_owned(),
        }),
        reason: "<i>健診の当番</i>".to_owned(),
        owner: "佐藤".to_owned(),
        from: at("2026-10-01T00:00:00+09:00"),
        until: at(until),
    }
}

#[test]
fn exceptions_in_force_are_printed_and_what_they_cover_is_counted_apart() {
    let mut hospital = busy();
    hospital.act("2026-10-02T09:00:00+09:00", granted("EX-1", "yama*", "2026-11-21T00:00:00+09:00"));
    hospital.act("2026-10-02T09:00:00+09:00", granted("EX-2", "suzuki", "2027-03-01T00:00:00+09:00"));
    let ended = Deed::ExceptionEnded { id: "EX-2".to_owned(), reason: "異動".to_owned() };
    hospital.act("2026-10-20T09:00:00+09:00", ended);
    hospital.finding_from("yamada", "203.0.113.1", "2026-10-05T12:00:00+09:00");
    hospital.finding_from("yamada", "192.0.2.1", "2026-10-06T12:00:00+09:00");
    hospital.finding("tanaka", Severity::Low, "2026-10-07T12:00:00+09:00");
    let summary = hospital.summary(october(), NOW);
    let judged = figure(&summary, "N25");
    assert_eq!(judged.value, Some(Amount::Whole(1)));
    assert_eq!(judged.parts.iter().map(|part| part.value).collect::<Vec<_>>(), [Amount::Whole(2), Amount::Whole(1)]);
    let carry = summary.carry_over;
    assert_eq!((carry.occurred, carry.completed, carry.carried_out), (3, 1, 2));
    let lines: Vec<(&str, u64, bool, bool)> = summary
        .exceptions
        .iter()
        .map(|line| (line.id.as_str(), line.findings, line.expires_soon, line.ended.is_some()))
        .collect();
    assert_eq!(lines, [("EX-1", 1, true, false), ("EX-2", 0, false, true)]);
    assert!(
        summary
            .conclusion
            .iter()
            .any(|sentence| sentence.contains("期限の切れる例外が 1 件") && sentence.contains("EX-1"))
    );
    let page = render_standalone(&summary, &Links::None).unwrap();
    for expected in ["付録B", "VP-01　yama*（203.0.113.0/29 から）", "佐藤", "2026/10/01 〜 2026/11/20", "自動分類"]
    {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("<i>"), "{page}");
    assert_eq!(hospital.summary(october().previous(), NOW).exceptions, []);
    let november = hospital.summary(october().next(), "2026-12-01T09:00:00+09:00");
    assert_eq!(november.exceptions.iter().map(|line| line.id.as_str()).collect::<Vec<_>>(), ["EX-1"]);
    assert_eq!(november.carry_over.carried_in, carry.carried_out);
}

#[test]
fn a_disaster_is_printed_in_the_months_it_touches() {
    let mut hospital = busy();
    let declared = Deed::DisasterDeclared {
        id: "DM-1".to_owned(),
        reason: "台風による停電".to_owned(),
        from: at("2026-10-30T18:00:00+09:00"),
        until: None,
    };
    hospital.act("2026-10-30T19:00:00+09:00", declared);
    let end = Deed::DisasterEnded {
        id: "DM-1".to_owned(),
        until: at("2026-11-02T06:00:00+09:00"),
        reason: "復電".to_owned(),
    };
    hospital.act("2026-11-02T08:00:00+09:00", end);
    let of = |month: Month| hospital.summary(month, "2027-01-01T09:00:00+09:00").disasters;
    assert_eq!(of(october())[0].span_text(), "2026/10/30 18:00 〜 2026/11/02 06:00");
    assert_eq!((of(october().next()).len(), of(october().next().next()).len()), (1, 0));
}
