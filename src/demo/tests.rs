use super::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

const SEED: u64 = 20_261_001;

fn october() -> Month {
    Month::new(2026, 10).unwrap()
}

fn small() -> Demo {
    Demo::new(october(), SEED, Scale::Small)
}

/// The small October, played once for all tests that only look at it.
fn played() -> &'static [Delivery] {
    static PLAYED: LazyLock<Vec<Delivery>> = LazyLock::new(|| small().deliveries().collect());
    &PLAYED
}

/// The message without the framing of TCP.
fn text(delivery: &Delivery) -> String {
    let text = String::from_utf8_lossy(&delivery.bytes).into_owned();
    if delivery.transport != Transport::Tcp {
        return text;
    }
    match text.split_once(' ') {
        Some((count, message)) if count.parse() == Ok(message.len()) => message.to_owned(),
        _ => text.strip_suffix('\n').unwrap().to_owned(),
    }
}

/// Lines of the small demo within an incident's time.
fn lines_of(demo: &Demo, day: u32) -> Vec<String> {
    let planted = demo.planted().iter().find(|planted| planted.day == day).unwrap();
    let (from, to) = planted.at_range;
    let late = chrono::TimeDelta::seconds(5);
    played().iter().filter(|one| from <= one.at && one.at <= to + late).map(text).collect()
}

fn count(lines: &[String], words: &[&str]) -> usize {
    lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).count()
}

#[test]
fn the_same_seed_plays_the_same_month() {
    assert!(small().deliveries().eq(played().iter().cloned()));
    assert!(!Demo::new(october(), 1, Scale::Small).deliveries().eq(played().iter().cloned()));
}

#[test]
fn deliveries_come_in_the_order_of_receipt_and_within_the_month() {
    let deliveries = played();
    assert!(deliveries.is_sorted_by_key(|delivery| delivery.at));
    let range = october().range();
    assert!(deliveries.iter().all(|delivery| range.contains(delivery.at)));
    assert!((40_000..60_000).contains(&deliveries.len()), "{}", deliveries.len());
}

#[test]
fn every_line_has_the_syntax_of_its_maker() {
    for delivery in played() {
        let text = text(delivery);
        assert!(!text.contains('\n') && delivery.bytes.len() < 2000, "{text}");
        if delivery.format == Format::Json {
            let object: serde_json::Value = serde_json::from_slice(&delivery.bytes).unwrap();
            let winlog = &object["winlog"];
            assert!(winlog["record_id"].is_u64() && winlog["event_id"].is_u64(), "{text}");
            assert!(winlog["event_data"].is_object() || winlog["user_data"].is_object(), "{text}");
            assert!(object["@timestamp"].as_str().unwrap().parse::<DateTime<Utc>>().is_ok(), "{text}");
        } else {
            let (priority, rest) = text.strip_prefix('<').unwrap().split_once('>').unwrap();
            assert!(priority.parse::<u8>().unwrap() < 192 && !rest.is_empty(), "{text}");
            assert_eq!(rest.matches('"').count() % 2, 0, "{text}");
        }
    }
}

#[test]
fn record_numbers_of_a_log_have_no_gap() {
    let mut last: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut repeated = 0;
    for delivery in played().iter().filter(|delivery| delivery.format == Format::Json) {
        let object: serde_json::Value = serde_json::from_slice(&delivery.bytes).unwrap();
        let word = |name: &str| object["winlog"][name].as_str().unwrap().to_owned();
        let number = object["winlog"]["record_id"].as_u64().unwrap();
        let last = last.entry((word("computer_name"), word("channel"))).or_insert(number - 1);
        if number <= *last {
            repeated += 1;
        } else {
            assert_eq!(number, *last + 1);
            *last = number;
        }
    }
    assert!(repeated >= 3, "the log that was handed in twice: {repeated}");
}

#[test]
fn no_device_is_silent_for_long_but_for_the_power_cut() {
    let limit_minutes = |peer: &str| match peer {
        "10.20.0.1" | "10.20.0.2" | "10.20.0.3" | "10.20.0.4" => 30,
        "10.20.1.11" | "10.20.1.12" => 15,
        "10.20.9.77" => 60 * 24 * 31,
        _ => 360,
    };
    let mut last: BTreeMap<(String, Format2), DateTime<Utc>> = BTreeMap::new();
    let mut silences = BTreeSet::new();
    for delivery in played() {
        let peer = delivery.peer.ip().to_string();
        let of_the_kitchen = delivery.format == Format::Syslog && peer == "10.20.1.24";
        let before =
            last.insert((peer.clone(), Format2::from(delivery.format)), delivery.at).unwrap_or(october().start());
        let silence = (delivery.at - before).num_minutes();
        if silence >= limit_minutes(&peer) && !of_the_kitchen {
            silences.insert((peer, silence / 60));
        }
    }
    let cut =
        [("10.20.1.23", 10), ("10.20.1.31", 10), ("10.20.1.32", 10)].map(|(peer, hours)| (peer.to_owned(), hours));
    assert_eq!(silences, BTreeSet::from(cut));
}

/// A format that can be sorted.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Format2 {
    Text,
    Object,
}

impl From<Format> for Format2 {
    fn from(format: Format) -> Self {
        if format == Format::Json { Self::Object } else { Self::Text }
    }
}

#[test]
fn the_attack_is_there_line_by_line() {
    let lines = lines_of(&small(), 25);
    let of_the_user =
        |words: &[&str]| count(&lines, &[&["user=\"medsys-mnt2\"", "remip=203.0.113.77"], words].concat());
    assert_eq!(of_the_user(&["logid=\"0101039426\""]), 31);
    assert_eq!(of_the_user(&["logid=\"0101039424\"", "time=01:48:12"]), 1);
    assert_eq!(of_the_user(&["logid=\"0101039947\"", "tunnelip=10.212.134.23"]), 1);
    assert_eq!(of_the_user(&["logid=\"0101039948\"", "time=03:20:40", "sentbyte=2254857830"]), 1);
    for (computer, domain) in [("KYUSHOKU01", "KYUSHOKU01"), ("IJI01", "IJI01"), ("EMR01", "EMR01"), ("DC01", "MINATO")]
    {
        let computer = format!("\"computer_name\":\"{computer}");
        let domain = format!("\"TargetDomainName\":\"{domain}\"");
        let words =
            ["\"event_id\":4624", &computer, &domain, "\"TargetUserName\":\"Administrator\"", "\"LogonType\":\"10\""];
        assert_eq!(count(&lines, &[&words[..], &["\"IpAddress\":\"10.212.134.23\""]].concat()), 1, "{computer}");
    }
    let from_the_kitchen = ["\"event_id\":4624", "\"IpAddress\":\"10.20.1.24\"", "\"LogonType\":\"3\""];
    assert_eq!(count(&lines, &from_the_kitchen), 3);
    assert_eq!(count(&lines, &["\"event_id\":5001", "IJI01"]), 1);
    assert_eq!(count(&lines, &["\"event_id\":4688", "vssadmin delete shadows /all /quiet"]), 2);
    assert_eq!(count(&lines, &["\"event_id\":1102", "\"computer_name\":\"KYUSHOKU01\""]), 1);
    assert_eq!(count(&lines, &["logid=\"0100032001\"", "ui=\"https(203.0.113.77)\"", "time=02:40:09"]), 1);
}

#[test]
fn the_other_incidents_are_there() {
    let demo = small();
    let check = |day: u32, words: &[&str], expect: usize| {
        assert_eq!(count(&lines_of(&demo, day), words), expect, "day {day}: {words:?}");
    };
    check(4, &["logid=\"0101039947\"", "user=\"kyushoku-sup\"", "time=02:14:11"], 1);
    check(4, &["\"event_id\":1149", "\"computer_name\":\"IJI01", "10.212.134.31"], 1);
    check(6, &["logid=\"0101039947\"", "user=\"sato_k\""], 4);
    check(9, &["\"event_id\":4624", "\"TargetUserName\":\"touchoku\""], 3);
    check(11, &["logid=\"0101039947\"", "remip=192.0.2.79"], 1);
    check(11, &["logid=\"0101039426\"", "permission_denied", "remip=192.0.2."], 14 * 2 + 6);
    check(14, &["system is shutting down"], 3);
    check(17, &["%ASA-6-113039", "User <radinet>"], 2);
    check(19, &["\"event_id\":4728", "Domain Admins"], 3);
    check(22, &["\"event_id\":4624", "\"TargetUserName\":\"suzuki_m\"", "PC-0311"], 1);
    check(27, &["\"event_id\":4725"], 12);
    check(28, &["PRN-3F-EAST"], 4);
}

#[test]
fn people_who_are_gone_do_nothing_but_what_was_planted() {
    let demo = small();
    let gone: Vec<String> =
        demo.world.hospital.people.iter().filter(|person| person.unused).map(|person| person.account.clone()).collect();
    let planted = |line: &str| line.contains("\"event_id\":4725");
    for delivery in played() {
        let text = text(delivery);
        let named = gone.iter().find(|account| text.contains(&format!("\"{account}\"")) && !planted(&text));
        assert_eq!(named, None, "{text}");
    }
}

#[test]
fn no_ordinary_user_fails_so_often_that_it_looks_like_an_attack() {
    let mut fails: BTreeMap<String, Vec<DateTime<Utc>>> = BTreeMap::new();
    for delivery in played() {
        let text = text(delivery);
        let user = text.split("ssl-login-fail").nth(1).and_then(|rest| rest.split("user=\"").nth(1)?.split('"').next());
        if let Some(user) = user {
            fails.entry(user.to_owned()).or_default().push(delivery.at);
        }
    }
    let ten_minutes = chrono::TimeDelta::minutes(10);
    let many = |times: &Vec<DateTime<Utc>>| times.windows(10).any(|ten| ten[9] - ten[0] < ten_minutes);
    let suspicious: Vec<&String> = fails.iter().filter(|(_, times)| many(times)).map(|(user, _)| user).collect();
    assert_eq!(suspicious, ["medsys-mnt2"]);
}

#[test]
fn other_months_work_too() {
    for (year, month) in [(2026, 2), (2024, 2), (2027, 1), (2026, 12)] {
        let month = Month::new(year, month).unwrap();
        let demo = Demo::new(month, SEED, Scale::Small);
        assert_eq!(demo.planted().len(), 11);
        assert!(demo.deliveries().all(|delivery| month.range().contains(delivery.at)));
    }
}

#[test]
fn context_files_name_the_people_of_the_story() {
    let files = small().context_files();
    assert_eq!(files.roster_csv.lines().count(), 301);
    assert!(files.roster_csv.contains("佐藤 健一,サトウ ケンイチ,事務,医事課,常勤,"));
    assert!(files.roster_csv.contains(",2026-10-02,,,sato_k,sato_k,"));
    assert!(files.roster_csv.contains(",2026-08-10,2026-10-21,suzuki_m,"));
    assert!(files.calendar_toml.parse::<toml::Table>().is_ok());
    for text in [&files.roster_csv, &files.allow_csv, &files.vendors_csv, &files.tickets_csv, &files.duty_csv] {
        let commas: BTreeSet<usize> = text.lines().map(|line| line.matches(',').count()).collect();
        assert_eq!(commas.len(), 1, "{text}");
    }
    assert_eq!(files.duty_csv.lines().count(), 31);
}
