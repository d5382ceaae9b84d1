//! The hospital's rules, each with what it must find and the hospital's everyday it must stay silent about.

#![allow(clippy::unwrap_used, reason = "a test that unwraps wrongly fails, which is what it is for")]

use std::net::IpAddr;

use chrono::TimeDelta;
use monban_event::{Action, Category, Disaster, EventId, Outcome, RecordId, Severity};

use super::*;
use crate::context::ContextTexts;
use crate::season::Seasons;

const ROSTER: &str = "氏名,職種,雇用区分,採用日,退職日,休職開始,休職終了,ADアカウント,VPNアカウント,管理者区分\n\
    山田 花子,事務,常勤,2018/4/1,,,,yamada,yamada,\n\
    佐藤 健,事務,常勤,2015/4/1,2026/9/30,,,sato_k,sato_k,\n\
    鈴木 一郎,医師,常勤,2010/4/1,,,,suzuki,suzuki,\n\
    田中 実,事務,常勤,2012/4/1,,,,tanaka,,有\n\
    高橋 栞,看護師,常勤,2019/4/1,,2026/6/1,,takahashi,,\n";
const ALLOW: &str =
    "接続元,名称,許可開始,許可終了\n198.51.100.0/24,健診センター,,\n203.0.113.16/28,メドシス,,2026/10/1\n";
const VENDORS: &str = "事業者名,VPNアカウント,許可する接続元\nメドシス,medsys,203.0.113.40\n";

/// A hospital, its detector, and the events sent to it so far.
struct World {
    detector: Detector,
    /// The same, but told beforehand what needs no memory.
    foreseeing: Detector,
    next: u64,
    findings: BTreeMap<String, Finding>,
}

fn context(calendar: &str) -> Context {
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let texts = ContextTexts {
        roster: bytes(ROSTER),
        allow: bytes(ALLOW),
        vendors: bytes(VENDORS),
        calendar: bytes(calendar),
        ..ContextTexts::default()
    };
    let (context, complaints) = Context::read(&texts);
    assert_eq!(complaints, []);
    context
}

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-{text}+09:00").parse().unwrap()
}

impl World {
    fn new() -> Self {
        Self::with(context(""))
    }

    fn with(context: Context) -> Self {
        let (rules, context) = (Arc::new(RuleSet::hospital()), Arc::new(context));
        Self {
            detector: Detector::new(Arc::clone(&rules), Arc::clone(&context)),
            foreseeing: Detector::new(rules, context),
            next: 1,
            findings: BTreeMap::new(),
        }
    }

    /// Sends an event that happened and arrived at `time`; answers it as the detector left it.
    fn send(&mut self, time: DateTime<Utc>, event: Event) -> Event {
        let mut event =
            Event { id: EventId::new(RecordId(self.next), 0), event_time: Some(time), ingested: Some(time), ..event };
        self.next += 1;
        self.detector.enrich(&mut event);
        self.foresee(event.clone());
        self.detector.observe(&mut event, &mut Vec::new());
        assert!(self.foreseeing.state == self.detector.state, "matching beforehand changes nothing");
        // Every event also goes through a restart.
        let mut snapshot = Vec::new();
        self.detector.write_snapshot(&mut snapshot).unwrap();
        self.detector.restore(&mut snapshot.as_slice()).unwrap();
        self.gather();
        event
    }

    fn foresee(&mut self, mut event: Event) {
        let foreseen = self.foreseeing.rules.foresee(&event);
        self.foreseeing.observe_foreseen(&mut event, Some(foreseen), &mut Vec::new());
    }

    fn tick(&mut self, time: DateTime<Utc>) {
        self.foreseeing.tick(time);
        self.detector.tick(time);
        self.gather();
    }

    /// As the ledger does it.
    fn gather(&mut self) {
        self.foreseeing.take();
        for finding in self.detector.take().findings {
            match self.findings.get_mut(finding.id.as_str()) {
                None => drop(self.findings.insert(finding.id.to_string(), finding)),
                Some(known) => {
                    known.count += finding.count;
                    known.severity = known.severity.max(finding.severity);
                    known.summary = finding.summary;
                    known.evidence.extend(finding.evidence);
                }
            }
        }
    }

    /// Rule, severity, subject and count of every finding, by rule.
    fn found(&self) -> Vec<(String, &'static str, String, u64)> {
        let row = |finding: &Finding| {
            (finding.rule_id.to_string(), finding.severity.as_str(), finding.subject.clone(), finding.count)
        };
        let mut rows: Vec<_> = self.findings.values().map(row).collect();
        rows.sort();
        rows
    }

    fn only(&self, rule: &str) -> &Finding {
        let mut of_rule = self.findings.values().filter(|finding| finding.rule_id.as_str() == rule);
        let finding = of_rule.next().unwrap_or_else(|| panic!("{rule} in {:?}", self.found()));
        assert!(of_rule.next().is_none(), "{:?}", self.found());
        let distinct: std::collections::BTreeSet<EventId> = finding.evidence.iter().copied().collect();
        assert_eq!(distinct.len(), finding.evidence.len(), "an event counts once");
        finding
    }
}

fn vpn(user: &str, ip: [u8; 4], success: bool) -> Event {
    Event {
        module: Some("fortinet".to_owned()),
        observer_vendor: Some("Fortinet".to_owned()),
        observer_hostname: Some("FGT-HONKAN".to_owned()),
        vpn_type: Some("ssl".to_owned()),
        category: Some(if success { Category::Session } else { Category::Authentication }),
        action: Some(if success { Action::SessionStart } else { Action::Login }),
        outcome: Some(if success { Outcome::Success } else { Outcome::Failure }),
        user_name: Some(user.to_owned()),
        source_ip: Some(IpAddr::from(ip)),
        ..Event::default()
    }
}

fn windows(id: i64, user: &str, ip: [u8; 4], host: &str) -> Event {
    Event {
        module: Some("windows".to_owned()),
        winlog_channel: Some("Security".to_owned()),
        winlog_event_id: Some(id),
        winlog_logon_type: Some(3),
        host_name: Some(host.to_owned()),
        user_name: Some(user.to_owned()),
        source_ip: Some(IpAddr::from(ip)),
        ..Event::default()
    }
}

fn row(rule: &str, severity: &'static str, subject: &str, count: u64) -> (String, &'static str, String, u64) {
    (rule.to_owned(), severity, subject.to_owned(), count)
}

const HOME: [u8; 4] = [203, 0, 113, 200];
const BRANCH: [u8; 4] = [198, 51, 100, 7];

#[test]
fn the_built_in_rules_load_whole() {
    let (rules, report) = RuleSet::hospital_with(&[]).unwrap();
    assert_eq!(report.failed, []);
    assert_eq!(rules.rules().len(), RuleSet::hospital_texts().len());
    for rule in rules.rules() {
        let (id, texts) = (&rule.id, &rule.texts);
        for text in [&texts.what, &texts.why, &texts.how, &texts.legitimate] {
            assert!(text.chars().count() > 20 && !text.contains('{'), "{id}: {text}");
        }
        assert!(!rule.needs.is_empty() && !rule.checklist.is_empty() && !rule.version.is_empty(), "{id}");
        assert!(rule.thresholds.iter().all(|t| t.min <= t.value && t.value <= t.max), "{id}");
    }
}

#[test]
fn vp_01_a_listed_account_is_high_and_speaks_japanese() {
    let mut world = World::new();
    for second in 0..12 {
        world.send(at("10-06T10:00:00") + TimeDelta::seconds(second * 20), vpn("yamada", HOME, false));
    }
    let finding = world.only("VP-01");
    assert_eq!((finding.severity, finding.count), (Severity::High, 12));
    assert_eq!(
        finding.summary,
        "yamada の VPN ログインが 12 回続けて失敗しました（接続元 203.0.113.200、10/6 10:00〜10:03）。"
    );
}

#[test]
fn vp_01_stays_silent_on_mistakes_and_low_on_noise() {
    let mut world = World::new();
    for minute in 0..30 {
        world.send(at("10-06T08:00:00") + TimeDelta::minutes(minute * 2), vpn("yamada", HOME, false));
        world.send(at("10-06T08:00:01") + TimeDelta::minutes(minute * 2), vpn("admin", [192, 0, 2, 77], false));
    }
    assert_eq!(world.found(), []);
    for second in 0..40 {
        world.send(at("10-06T12:30:00") + TimeDelta::seconds(second * 5), vpn("admin", [192, 0, 2, 78], false));
    }
    assert_eq!(world.found(), [row("VP-01", "low", "192.0.2.78", 40)]);
}

#[test]
fn vp_01_without_a_roster_is_medium() {
    let mut world = World::with(Context::default());
    for second in 0..10 {
        world.send(at("10-06T10:00:00") + TimeDelta::seconds(second), vpn("someone", HOME, false));
    }
    assert_eq!(world.found(), [row("VP-01", "medium", "someone", 10)]);
}

#[test]
fn vp_03_an_outside_success_after_failures_is_critical() {
    let mut world = World::new();
    for second in 0..6 {
        world.send(at("10-06T10:00:00") + TimeDelta::seconds(second * 30), vpn("yamada", HOME, false));
    }
    world.send(at("10-06T10:10:00"), vpn("yamada", HOME, true));
    let finding = world.only("VP-03");
    assert_eq!((finding.severity, finding.count), (Severity::Critical, 7));
}

#[test]
fn vp_03_a_forgotten_password_at_the_usual_place_is_medium() {
    let mut world = World::new();
    world.send(at("10-05T10:00:00"), vpn("yamada", BRANCH, true));
    for second in 0..5 {
        world.send(at("10-06T10:00:00") + TimeDelta::seconds(second * 30), vpn("yamada", BRANCH, false));
    }
    world.send(at("10-06T10:10:00"), vpn("yamada", BRANCH, true));
    assert_eq!(world.found(), [row("VP-03", "medium", "yamada", 6)]);
    let mut world = World::new();
    for second in 0..4 {
        world.send(at("10-06T10:00:00") + TimeDelta::seconds(second * 30), vpn("yamada", BRANCH, false));
    }
    world.send(at("10-06T10:10:00"), vpn("yamada", BRANCH, true));
    assert_eq!(world.found(), []);
}

#[test]
fn vp_03_success_from_a_source_that_tried_five_names() {
    let mut world = World::with(Context::default());
    for (hour, user) in (0..).zip(["tanaka", "sato", "suzuki", "ito", "kato"]) {
        world.send(at("10-11T00:00:00") + TimeDelta::hours(hour), vpn(user, HOME, false));
    }
    world.send(at("10-11T08:00:00"), vpn("kondo", HOME, true));
    let finding = world.only("VP-03");
    assert_eq!((finding.subject.as_str(), finding.count, finding.severity), ("kondo", 6, Severity::High));
    // A branch office on the allow-list makes as many mistakes in a day without being an attacker.
    let mut world = World::new();
    for (hour, user) in (0..).zip(["tanaka", "sato", "suzuki", "ito", "kato"]) {
        world.send(at("10-06T09:00:00") + TimeDelta::hours(hour), vpn(user, BRANCH, false));
    }
    world.send(at("10-06T15:00:00"), vpn("yamada", BRANCH, true));
    assert_eq!(world.found(), []);
}

#[test]
fn vp_08_outside_the_list_and_just_run_out() {
    let mut world = World::new();
    world.send(at("10-06T10:00:00"), vpn("yamada", BRANCH, true));
    world.send(at("10-06T10:00:00"), vpn("yamada", [10, 1, 2, 3], true));
    assert_eq!(world.found(), []);
    world.send(at("10-06T11:00:00"), vpn("yamada", HOME, true));
    world.send(at("10-06T12:30:00"), vpn("suzuki", [203, 0, 113, 17], true));
    assert_eq!(world.found(), [row("VP-08", "critical", "yamada", 1), row("VP-08", "medium", "suzuki", 1)]);
    let mut world = World::with(Context::default());
    world.send(at("10-06T11:00:00"), vpn("yamada", HOME, true));
    assert_eq!(world.found(), [], "without a list nothing is outside it");
}

#[test]
fn vp_09_by_class_night_and_duty() {
    let calendar = "[[duty]]\ndate = '2026-10-07'\naccount = 'tanaka'\n";
    let mut world = World::with(context(calendar));
    world.send(at("10-05T23:00:00"), vpn("suzuki", BRANCH, true));
    world.send(at("10-06T21:00:00"), vpn("yamada", BRANCH, true));
    world.send(at("10-07T02:00:00"), vpn("suzuki", BRANCH, true));
    world.send(at("10-08T01:00:00"), vpn("tanaka", BRANCH, true));
    world.send(at("10-08T02:00:00"), vpn("medsys", [203, 0, 113, 40], true));
    assert_eq!(world.found(), [row("VP-09", "informational", "suzuki", 1), row("VP-09", "medium", "yamada", 1)]);
    world.send(at("10-09T02:14:00"), vpn("tanaka", BRANCH, true));
    assert!(world.found().contains(&row("VP-09", "high", "tanaka", 1)), "{:?}", world.found());
}

#[test]
fn au_01_and_the_device_with_an_old_password() {
    let mut world = World::new();
    for second in 0..10 {
        world.send(
            at("10-06T10:00:00") + TimeDelta::seconds(second * 10),
            windows(4625, "tanaka", [10, 20, 1, 5], "EMR01"),
        );
    }
    assert_eq!(world.found(), [row("AU-01", "medium", "tanaka", 10)]);
    let mut world = World::new();
    for minute in 0..29 {
        world.send(
            at("10-06T10:00:00") + TimeDelta::minutes(minute * 2),
            windows(4625, "yamada", [10, 20, 1, 9], "FILE01"),
        );
    }
    assert_eq!(world.found(), []);
}

#[test]
fn au_01_both_windows_of_time_make_one_finding() {
    let mut world = World::new();
    for second in 0..40 {
        world.send(
            at("10-06T10:00:00") + TimeDelta::seconds(second * 10),
            windows(4625, "tanaka", [10, 20, 1, 5], "EMR01"),
        );
    }
    assert_eq!(world.only("AU-01").count, 40);
}

#[test]
fn au_02_spraying_but_not_a_shared_terminal() {
    let mut world = World::new();
    for user in 0..12 {
        world.send(
            at("10-06T10:00:00") + TimeDelta::seconds(user * 20),
            windows(4625, &format!("user{user:02}"), [10, 20, 9, 9], "DC01"),
        );
    }
    let finding = world.only("AU-02");
    assert_eq!((finding.subject.as_str(), finding.severity, finding.count), ("10.20.9.9", Severity::High, 12));
    assert!(finding.summary.contains("12 人"), "{}", finding.summary);
    let mut world = World::new();
    for user in 0..12 {
        let time = at("10-06T08:30:00") + TimeDelta::seconds(user * 20);
        world.send(time, windows(4624, &format!("user{user:02}"), [10, 20, 9, 9], "DC01"));
        world.send(time + TimeDelta::seconds(1), windows(4624, &format!("user{user:02}"), [10, 20, 9, 9], "EMR01"));
        world.send(time + TimeDelta::seconds(2), windows(4625, &format!("user{user:02}"), [10, 20, 9, 9], "DC01"));
    }
    assert_eq!(world.found(), []);
}

#[test]
fn ac_02_is_one_list_a_month() {
    let mut world = World::new();
    world.send(at("06-01T10:00:00"), windows(4624, "yamada", [10, 20, 1, 5], "EMR01"));
    world.send(at("07-01T10:00:00"), windows(4624, "tanaka", [10, 20, 1, 5], "EMR01"));
    world.tick(at("07-02T00:00:00"));
    assert_eq!(world.found(), [], "a month of logs proves nothing yet");
    world.send(at("08-20T10:00:00"), windows(4624, "suzuki", [10, 20, 1, 5], "EMR01"));
    world.findings.clear();
    for hour in 0..40 {
        world.tick(at("10-01T00:01:00") + TimeDelta::hours(hour));
    }
    world.findings.retain(|_, finding| finding.rule_id.as_str() == "AC-02");
    let finding = world.only("AC-02");
    // Retired and on leave are not listed; medsys, a company's account, has 45 days.
    assert_eq!(
        (finding.object.as_str(), finding.count, finding.severity),
        ("medsys、tanaka、yamada", 3, Severity::Medium)
    );
    assert_eq!(finding.evidence.len(), 2);
}

#[test]
fn de_01_names_who_cleared_what() {
    let mut world = World::new();
    let cleared = Event { action: Some(Action::LogClear), ..windows(1102, "tanaka", [10, 20, 1, 5], "IJI01") };
    world.send(at("10-25T02:37:00"), cleared);
    let finding = world.only("DE-01");
    assert_eq!((finding.subject.as_str(), finding.severity), ("IJI01", Severity::Critical));
    assert!(finding.summary.contains("tanaka"), "{}", finding.summary);
    world.send(
        at("10-25T12:37:00"),
        Event { winlog_channel: Some("Application".to_owned()), ..windows(1102, "x", HOME, "IJI02") },
    );
    assert_eq!(world.findings.len(), 1);
}

fn alive(source: &str, module: &str) -> Event {
    Event { source_id: Some(source.to_owned()), module: Some(module.to_owned()), ..Event::default() }
}

#[test]
fn lg_01_silence_opens_and_closes() {
    let mut world = World::new();
    for minute in 0..20 {
        world.send(at("10-06T10:00:00") + TimeDelta::minutes(minute), alive("ip:192.0.2.1", "fortinet"));
        world.send(at("10-06T10:00:00") + TimeDelta::minutes(minute), alive("host:emr01", "windows"));
    }
    for minute in 20..=49 {
        world.tick(at("10-06T10:00:00") + TimeDelta::minutes(minute));
    }
    assert_eq!(world.found(), []);
    world.send(at("10-06T10:50:00"), alive("host:emr01", "windows"));
    world.detector.tick(at("10-06T10:50:01"));
    let opened = world.detector.take();
    let silence = Silence { source: "ip:192.0.2.1".to_owned(), from: at("10-06T10:19:00"), to: None };
    assert_eq!(opened.silences, std::slice::from_ref(&silence));
    assert_eq!(
        opened.findings.iter().map(|finding| (finding.severity, finding.subject.as_str())).collect::<Vec<_>>(),
        [(Severity::High, "ip:192.0.2.1")]
    );
    let mut event = Event { ingested: Some(at("10-06T12:00:00")), ..alive("ip:192.0.2.1", "fortinet") };
    world.detector.observe(&mut event, &mut Vec::new());
    let closed = world.detector.take();
    assert_eq!(closed.silences, [Silence { to: Some(at("10-06T12:00:00")), ..silence }]);
    assert_eq!(closed.findings, []);
}

#[test]
fn lg_01_planned_stops_and_our_own_absence_explain() {
    let calendar = "[[source]]\nid = 'host:xray'\nname = '放射線部門サーバ'\nexpected = '1h'\n\
        [[planned_stop]]\nsources = ['放射線部門サーバ']\nfrom = '2026-10-14 22:10'\nto = '2026-10-15 08:35'\nreason = '計画停電'\n";
    let mut world = World::with(context(calendar));
    world.send(at("10-14T22:08:00"), alive("host:xray", "windows"));
    for minute in 0..20 {
        world.send(at("10-14T22:10:00") + TimeDelta::minutes(minute * 5), alive("host:emr01", "windows"));
    }
    world.tick(at("10-14T23:46:00"));
    assert_eq!(world.found(), [row("LG-01", "informational", "host:xray", 1)]);
    assert!(world.only("LG-01").summary.contains("計画停電"));
    let mut world = World::new();
    world.send(at("10-06T10:00:00"), alive("ip:192.0.2.1", "fortinet"));
    world.tick(at("10-06T10:01:00"));
    world.tick(at("10-07T10:00:00"));
    world.tick(at("10-07T10:01:00"));
    assert_eq!(world.found(), [], "we were away, not the firewall");
    world.tick(at("10-07T10:20:00") + TimeDelta::minutes(1));
    for minute in 2..40 {
        world.tick(at("10-07T10:20:00") + TimeDelta::minutes(minute));
    }
    assert_eq!(world.found(), [row("LG-01", "high", "ip:192.0.2.1", 1)]);
}

#[test]
fn lg_01_learns_what_is_usual_and_ignores_imports() {
    let mut world = World::new();
    for day in 1..14 {
        world.send(at("10-01T02:00:00") + TimeDelta::days(day), alive("host:backup", "windows"));
    }
    world.findings.clear();
    world.send(at("10-15T20:00:00"), alive("host:emr01", "windows"));
    world.tick(at("10-15T20:00:01"));
    assert!(world.found().iter().all(|row| row.0 != "LG-01"), "a daily sender is not silent after 18 hours");
    let imported = Event { file_path: Some("sec.evtx".to_owned()), ..alive("host:old", "windows") };
    world.send(at("10-15T21:00:00"), imported);
    world.send(at("10-17T21:00:00"), alive("host:emr01", "windows"));
    world.tick(at("10-17T21:00:01"));
    assert!(world.found().iter().all(|row| row.2 != "host:old"), "a file is no sender: {:?}", world.found());
}

#[test]
fn rules_of_folders_group_by_default() {
    let text = "title: Odd tool\nid: 0f0f\nlevel: high\nlogsource: {product: windows, service: security}\ndetection: {selection: {EventID: 4688}, condition: selection}\n";
    let (rules, report) = RuleSet::load_texts([("odd.yml".to_owned(), text.to_owned())]);
    assert_eq!(report.failed, []);
    let mut detector = Detector::new(Arc::new(rules), Arc::new(Context::default()));
    let mut hits = Vec::new();
    for minute in 0..3 {
        let native = [("EventID", "4688")].into_iter().collect();
        let mut event = Event {
            native,
            event_time: Some(at("10-06T10:00:00") + TimeDelta::minutes(minute)),
            ..windows(4688, "yamada", HOME, "EMR01")
        };
        event.id = EventId::new(RecordId(minute.unsigned_abs() + 1), 0);
        detector.observe(&mut event, &mut hits);
    }
    assert_eq!(hits.len(), 3);
    let findings = detector.take().findings;
    assert_eq!(
        findings.iter().map(|f| (f.subject.as_str(), f.count, f.severity)).collect::<Vec<_>>(),
        [("yamada", 3, Severity::High)]
    );
}

#[test]
fn a_snapshot_of_another_form_is_refused() {
    let mut detector = Detector::new(Arc::new(RuleSet::hospital()), Arc::new(Context::default()));
    let mut restore = |bytes: &[u8]| detector.restore(&mut &*bytes);
    assert!(matches!(restore(b"99\n{}"), Err(SnapshotError::Version { found }) if found == "99"));
    assert!(matches!(restore(b"{\"version\":1,\"state\":{}}"), Err(SnapshotError::Version { .. })));
    assert!(matches!(restore(b"3\n{\"slots\":[]}"), Err(SnapshotError::Form(_))));
    assert!(matches!(restore(b"\xff"), Err(SnapshotError::Version { .. })));
}

fn disaster(from: &str, until: &str) -> Seasons {
    let disaster = Disaster::new("DM-1", "停電", at(from), Some(at(until)));
    Seasons { disasters: vec![disaster], ..Seasons::default() }
}

#[test]
fn a_disaster_makes_one_case_of_work_outside_hours() {
    let seasons = disaster("10-20T18:00:00", "10-22T06:00:00");
    let mut world = World::with(context("").in_seasons(seasons));
    world.send(at("10-20T03:00:00"), vpn("yamada", BRANCH, true));
    for (time, user) in [
        ("10-20T23:00:00", "yamada"),
        ("10-21T02:00:00", "tanaka"),
        ("10-22T03:00:00", "yamada"),
        ("10-22T04:00:00", "yamada"),
    ] {
        world.send(at(time), vpn(user, BRANCH, true));
    }
    world.send(at("10-23T03:00:00"), vpn("yamada", BRANCH, true));
    let case = "災害モード 停電（10/20 18:00〜）";
    let mut found = world.found();
    found.retain(|row| row.0 == "VP-09");
    assert_eq!(
        found,
        [row("VP-09", "high", "yamada", 1), row("VP-09", "high", "yamada", 1), row("VP-09", "high", case, 4)]
    );
    let finding = world.findings.values().find(|finding| finding.subject == case).unwrap();
    assert_eq!(
        finding.summary,
        "災害モード「停電」の間の「時間外のVPN」を一つにまとめています（4 件、10/20 23:00〜10/22 04:00）。"
    );
}

/// A person of whom much was seen, then from a network that was not.
fn somewhere_new(month: &str, received: Option<&str>) -> Finding {
    let calendar =
        "[hours.staff]\nvpn_weekday = \"0:00-24:00\"\nvpn_saturday = \"0:00-24:00\"\nvpn_holiday = \"0:00-24:00\"\n";
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let texts = ContextTexts { roster: bytes(ROSTER), calendar: bytes(calendar), ..ContextTexts::default() };
    let mut world = World::with(Context::read(&texts).0);
    for day in 1..=20 {
        world.send(at(&format!("{month}-{day:02}T10:00:00")), vpn("yamada", BRANCH, true));
    }
    if let Some(time) = received {
        world.detector.receive(at(time));
        world.foreseeing.receive(at(time));
    }
    world.send(at(&format!("{month}-21T10:00:00")), vpn("yamada", HOME, true));
    world.only("VP-04").clone()
}

#[test]
fn what_is_new_weighs_less_while_much_is_new() {
    let usual = somewhere_new("07", Some("07-01T00:00:00"));
    assert_eq!((usual.severity, usual.summary.ends_with('。')), (Severity::Low, true));
    let learning = somewhere_new("07", Some("07-20T00:00:00"));
    assert_eq!(learning.severity, Severity::Informational);
    assert!(learning.summary.contains("学習期間"), "{}", learning.summary);
    assert_eq!(somewhere_new("07", None).severity, Severity::Low, "imported history is not learning");
}

#[test]
fn people_who_change_places_are_new_in_many() {
    let mut world = World::new();
    for day in 1..=20 {
        let event = windows(4624, "tanaka", [10, 20, 1, 5], "IJI01");
        world.send(at("09-05T10:00:00") + TimeDelta::days(day), event);
    }
    world.send(at("09-28T10:00:00"), windows(4624, "tanaka", [10, 20, 9, 9], "IJI01"));
    let finding = world.only("AU-06");
    assert_eq!(finding.severity, Severity::Medium, "high, one level lower");
    assert!(finding.summary.contains("人事異動の時期"), "{}", finding.summary);
}

#[test]
fn what_comes_after_closing_is_counted_by_itself() {
    let mut world = World::new();
    world.send(at("10-20T23:00:00"), vpn("yamada", BRANCH, true));
    world.send(at("10-20T23:10:00"), vpn("yamada", BRANCH, true));
    let id = world.only("VP-09").id.clone();
    world.detector.close(&id);
    world.foreseeing.close(&id);
    world.findings.clear();
    world.send(at("10-20T23:20:00"), vpn("yamada", BRANCH, true));
    let finding = world.only("VP-09");
    assert_eq!((finding.count, finding.severity), (1, Severity::High));
    assert!(finding.summary.contains("1 件、10/20 23:20"), "{}", finding.summary);
}
