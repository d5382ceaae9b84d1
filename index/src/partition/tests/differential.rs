//! Random queries over random events of several partitions, all kinds of fields, in random periods, both orders, page
//! by page: lists, counts, most frequent values and bars must be exactly what reading every event gives. The reading is
//! done here, by the evaluator of single events and nothing of the index.

use monban_event::query::{QueryField, Test, TextTest};
use monban_event::store::{AggregateRequest, Bucket, Order, TopValues};
use monban_event::{Action, Field, Outcome, SourceZone};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::*;
use crate::query::Matcher;

const USERS: [&str; 6] = ["tanaka", "sato", "sato_k", "svc_1", "山田", "root"];
const WORDS: [&str; 8] =
    ["Failed password", "ログオン失敗", "ログアウト", "失敗", "tunnel-up", "x=1 y=2", "ERROR 42", "ﾛｸﾞ"];

fn some<T: std::fmt::Debug + Clone>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::weighted(0.7, strategy)
}

fn ip() -> impl Strategy<Value = std::net::IpAddr> {
    let written = ["10.1.2.3", "10.1.9.9", "10.2.0.1", "2001:db8::1", "::ffff:10.1.2.3", "203.0.113.9"];
    select(written.to_vec()).prop_map(|text| text.parse().unwrap())
}

/// When events are received: some days in a row, and a month before.
fn received() -> impl Strategy<Value = DateTime<Utc>> {
    (0_i64..4, 0_i64..86_400).prop_map(|(day, second)| {
        at("2026-10-02T00:00:00+09:00") + TimeDelta::days(day) + TimeDelta::seconds(second / 60 * 60)
    })
}

/// How late an event is told, in microseconds: mostly at once, at times an import, a wrong clock, or one far out.
fn lateness() -> impl Strategy<Value = i64> {
    const SECOND: i64 = 1_000_000;
    prop_oneof![
        8 => (0_i64..3).prop_map(|second| second * SECOND),
        4 => 0_i64..3_000_000,
        2 => (0_i64..10_000).prop_map(|second| second * SECOND),
        2 => (0_i64..60 * 86_400).prop_map(|second| second * SECOND),
        1 => (-7_200_i64..0).prop_map(|second| second * SECOND),
        1 => Just(1_700_000_000 * SECOND),
    ]
}

fn random_event() -> impl Strategy<Value = Event> {
    let who = (
        some(select(USERS.to_vec())),
        some(select(vec!["CORP\\Tanaka", "sato", "山田"])),
        some(select(USERS.to_vec())),
        some(select(vec!["S-1-5-21-1", "S-1-5-21-2"])),
    );
    let whence = (
        some(ip()),
        some(ip()),
        some(select(vec!["DC01", "FW本館", "dc02"])),
        some(ip()),
        some(select(vec!["JP", "US"])),
        some(select(vec!["PC-01", "pc-02"])),
    );
    let what = (
        some(select(vec![Action::Login, Action::Logout, Action::Deny])),
        some(select(vec![Outcome::Success, Outcome::Failure])),
        some(select(vec!["4624", "4625", "113039"])),
        some(any::<bool>()),
        some(select(vec![SourceZone::Inside, SourceZone::Outside])),
        some(select(vec!["staff", "admin", "vendor"])),
        some(select(vec!["fortinet", "windows", "linux"])),
    );
    let how = (
        some(0_i64..12),
        some(select(vec!["Bad Password", "timeout", "パスワード誤り"])),
        some(0_i64..6),
        some(0_i64..4_000_000_000),
        some(select(vec![22_i64, 443, 65_535])),
        some(1_i64..5),
    );
    let said = (
        proptest::collection::vec(select(WORDS.to_vec()), 0..4),
        some(select(vec!["U1", "u2"])),
        some(select(vec!["sshd", "login.exe"])),
        some(select(vec!["A1", "a2"])),
    );
    (who, whence, what, how, said, (received(), lateness())).prop_map(|(who, whence, what, how, said, when)| Event {
        user_name: who.0.map(str::to_owned),
        user_raw: who.1.map(str::to_owned),
        user_target_name: who.2.map(str::to_owned),
        user_id: who.3.map(str::to_owned),
        source_ip: whence.0,
        destination_ip: whence.1,
        host_name: whence.2.map(str::to_owned),
        vpn_assigned_ip: whence.3,
        source_country: whence.4.map(str::to_owned),
        source_domain: whence.5.map(str::to_owned),
        action: what.0,
        outcome: what.1,
        code: what.2.map(str::to_owned),
        after_hours: what.3,
        source_zone: what.4,
        account_class: what.5.map(str::to_owned),
        module: what.6.map(str::to_owned),
        source_bytes: how.0,
        reason: how.1.map(str::to_owned),
        winlog_logon_type: how.2,
        duration_ns: how.3,
        source_port: how.4,
        process_pid: how.5,
        message: (!said.0.is_empty()).then(|| said.0.join(" ")),
        native: said.1.map(|value| ("TargetUserName", value)).into_iter().collect(),
        process_name: said.2.map(str::to_owned),
        vpn_session_id: said.3.map(str::to_owned),
        event_time: Some(when.0 - TimeDelta::microseconds(when.1)),
        ingested: Some(when.0),
        ..Event::default()
    })
}

fn text_test() -> impl Strategy<Value = Test> {
    let typed = [
        "tanaka",
        "CORP\\tanaka",
        "SATO",
        "山田",
        "dc01",
        "ＦＷ本館",
        "login",
        "failure",
        "4625",
        "bad password",
        "true",
        "10.1.2.3",
        "3",
    ];
    let patterns = ["*", "s*", "*a*", "svc_?", "*本館", "46*", "10.1.*", "?rue"];
    prop_oneof![
        3 => select(typed.to_vec()).prop_map(|text| Test::Equals(text.to_owned())),
        1 => select(typed.to_vec()).prop_map(|text| Test::Exactly(text.to_owned())),
        2 => select(patterns.to_vec()).prop_map(|text| Test::Wildcard(text.to_owned())),
        1 => select(vec!["a", "失", "ass"]).prop_map(|text| Test::Contains(text.to_owned())),
        1 => Just(Test::Exists),
        1 => any::<bool>().prop_map(Test::Flag),
        1 => select(vec!["10.1.0.0/16", "10.1.2.3/32", "2001:db8::/32", "0.0.0.0/0", "::/0"])
            .prop_map(|text| Test::Network(text.parse().unwrap())),
        1 => (some(-1_i64..12), some(0_i64..5_000)).prop_map(|(from, to)| Test::Number { from, to }),
    ]
}

fn leaf() -> impl Strategy<Value = Query> {
    let fields = [
        Field::UserName,
        Field::UserRaw,
        Field::UserTargetName,
        Field::SourceIp,
        Field::DestinationIp,
        Field::HostName,
        Field::Action,
        Field::Outcome,
        Field::Code,
        Field::AfterHours,
        Field::SourceZone,
        Field::SourceBytes,
        Field::Reason,
        Field::WinlogLogonType,
        Field::Message,
        Field::ProcessPid,
        Field::UserId,
        Field::VpnAssignedIp,
        Field::SourceCountry,
        Field::SourceDomain,
        Field::AccountClass,
        Field::Module,
        Field::Duration,
        Field::SourcePort,
        Field::ProcessName,
        Field::VpnSessionId,
        Field::Ingested,
    ];
    let mut fields: Vec<QueryField> = fields.into_iter().map(QueryField::Known).collect();
    fields.extend([QueryField::AnyUser, QueryField::AnyIp, QueryField::Device, QueryField::Word, QueryField::Raw]);
    fields.push(QueryField::Native("targetusername".to_owned()));
    let texts = [
        "failed",
        "password",
        "Failed password",
        "ログ",
        "ロ",
        "敗",
        "ログオン失敗",
        "オン失敗 ログ",
        "tunnel-up",
        "tanaka",
        "corp",
        "1 y",
        "fai",
        "失敗 失敗",
        "---",
    ];
    let hours = (0_u8..24, 0_u8..24).prop_map(|(from, to)| Test::Hour { from, to });
    let times = (some(0_i64..400_000), some(0_i64..400_000)).prop_map(|(from, to)| {
        let time = |late| at("2026-10-06T00:00:00+09:00") - TimeDelta::seconds(late) + TimeDelta::nanoseconds(1_500);
        Test::Time { from: from.map(time), to: to.map(time) }
    });
    prop_oneof![
        6 => (select(fields), text_test()).prop_map(|(field, test)| Query::Field(field, test)),
        3 => (select(texts.to_vec()), any::<bool>())
            .prop_map(|(text, prefix)| Query::Text(TextTest { text: text.to_owned(), phrase: true, prefix })),
        1 => prop_oneof![hours, times, any::<u8>().prop_map(Test::Weekday)]
            .prop_map(|test| Query::field(Field::EventTime, test)),
        1 => prop_oneof![Just(Query::All), Just(Query::Nothing)],
    ]
}

fn random_query() -> impl Strategy<Value = Query> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            2 => proptest::collection::vec(inner.clone(), 1..4).prop_map(Query::And),
            2 => proptest::collection::vec(inner.clone(), 1..4).prop_map(Query::Or),
            1 => inner.prop_map(|query| Query::Not(Box::new(query))),
        ]
    })
}

/// What is asked beside the query.
#[derive(Clone, Debug)]
struct Aside {
    range: TimeRange,
    order: Order,
    limit: usize,
    field: Field,
    top: usize,
    interval_seconds: u32,
}

fn aside() -> impl Strategy<Value = Aside> {
    let bound = || {
        (0_i64..6 * 86_400, 0_i64..3).prop_map(|(late, nanos)| {
            at("2026-10-06T12:00:00+09:00") - TimeDelta::seconds(late / 60 * 60) + TimeDelta::nanoseconds(nanos * 500)
        })
    };
    let range = prop_oneof![
        2 => Just(TimeRange::default()),
        3 => (bound(), bound()).prop_map(|(a, b)| TimeRange::between(a.min(b), a.max(b))),
        1 => bound().prop_map(|from| TimeRange { from: Some(from), to: None }),
        1 => bound().prop_map(|to| TimeRange { from: None, to: Some(to) }),
        1 => Just(TimeRange::between(at("2026-10-01T00:00:00+09:00"), at("2026-10-07T00:00:00+09:00"))),
    ];
    let fields = [
        Field::UserName,
        Field::SourceIp,
        Field::Outcome,
        Field::HostName,
        Field::SourceBytes,
        Field::AfterHours,
        Field::VpnSessionId,
        Field::ProcessPid,
        Field::Code,
        Field::Duration,
    ];
    (
        range,
        select(vec![Order::NewestFirst, Order::OldestFirst]),
        select(vec![1_usize, 7, 40, 1_000]),
        select(fields.to_vec()),
        1_usize..6,
        select(vec![600_u32, 3_600, 86_400, 1_000]),
    )
        .prop_map(|(range, order, limit, field, top, interval_seconds)| Aside {
            range,
            order,
            limit,
            field,
            top,
            interval_seconds,
        })
}

/// The matches by reading every event, in order.
fn read_all<'a>(events: &'a [Event], query: &Query, aside: &Aside) -> Vec<&'a Event> {
    let matcher = Matcher::new(query);
    let fits = |event: &&Event| aside.range.contains(event.time()) && matcher.matches(event, None);
    let mut found: Vec<&Event> = events.iter().filter(fits).collect();
    found.sort_by_key(|event| (event.time(), event.id));
    if aside.order == Order::NewestFirst {
        found.reverse();
    }
    found
}

/// Page by page, at most so many pages: a walk of single events through all of them proves no more than a part of it.
fn walk(store: &TantivyStore, query: &Query, aside: &Aside, pages: usize) -> Vec<EventId> {
    let request = SearchRequest::new(query.clone(), aside.range, aside.limit);
    let mut request = SearchRequest { order: aside.order, ..request };
    let mut ids = Vec::new();
    for _ in 0..pages {
        let page = store.search(&request).unwrap();
        assert_eq!(page.unsearched, None);
        ids.extend(page.events.iter().map(|event| event.id));
        match page.next {
            Some(next) => request.after = Some(next),
            None => break,
        }
    }
    ids
}

fn tops(found: &[&Event], aside: &Aside) -> TopValues {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for value in found.iter().filter_map(|event| event.get(aside.field)) {
        let text = match value {
            // The columns keep the one form of an address that has two.
            monban_event::Value::Ip(ip) => ip.to_canonical().to_string(),
            other => other.to_text().into_owned(),
        };
        *counts.entry(text).or_default() += 1;
    }
    let distinct = counts.len() as u64;
    let mut values: Vec<(String, u64)> = counts.into_iter().collect();
    values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    values.truncate(aside.top);
    TopValues { others: distinct - values.len() as u64, distinct, values }
}

fn bars(found: &[&Event], from: DateTime<Utc>, to: DateTime<Utc>, seconds: u32) -> Vec<Bucket> {
    let step = i64::from(seconds);
    let mut start = (from.timestamp() + 32_400).div_euclid(step) * step - 32_400;
    let mut bars = Vec::new();
    while at("1970-01-01T00:00:00Z") + TimeDelta::seconds(start) < to {
        let inside = |event: &&&Event| (start..start + step).contains(&event.time().timestamp());
        let count = found.iter().filter(inside).count() as u64;
        bars.push(Bucket { start: at("1970-01-01T00:00:00Z") + TimeDelta::seconds(start), count });
        start += step;
    }
    bars
}

fn check_numbers(store: &TantivyStore, query: &Query, aside: &Aside, found: &[&Event]) {
    let bounds = aside.range.from.zip(aside.range.to).filter(|(from, to)| from < to);
    let request = AggregateRequest {
        fields: vec![aside.field],
        top: aside.top,
        interval_seconds: bounds.map(|_| aside.interval_seconds),
        ..AggregateRequest::count(query.clone(), aside.range)
    };
    let counted = store.aggregate(&request).unwrap();
    assert_eq!(counted.unsearched, None);
    assert_eq!((counted.total.value, counted.total.exact), (found.len() as u64, true), "{query:?} {aside:?}");
    assert_eq!(counted.tops, [tops(found, aside)], "{query:?} {aside:?}");
    let expected = bounds.map(|(from, to)| bars(found, from, to, aside.interval_seconds)).unwrap_or_default();
    assert_eq!(counted.bars, expected, "{query:?} {aside:?}");
    assert_eq!(store.count(query, aside.range).unwrap(), found.len() as u64, "{query:?} {aside:?}");
}

/// How many random queries are asked: ten thousand before a release.
fn rounds() -> usize {
    std::env::var("MONBAN_DIFFERENTIAL_ROUNDS").ok().and_then(|count| count.parse().ok()).unwrap_or(1_500)
}

#[test]
fn the_index_answers_as_reading_every_event_does() {
    let mut runner = TestRunner::new(Config { rng_seed: RngSeed::Fixed(20_261_005), ..Config::default() });
    let mut events: Vec<Event> = (0..400).map(|_| random_event().new_tree(&mut runner).unwrap().current()).collect();
    for (record, event) in (1..).zip(&mut events) {
        // Records hold up to three events.
        event.id = EventId::new(RecordId(record / 3 + 1), u32::try_from(record % 3 * 64).unwrap());
    }
    events.sort_by_key(|event| event.id);
    let dir = tempfile::tempdir().unwrap();
    let store = indexed(dir.path(), &events);
    let partitions = std::fs::read_dir(dir.path()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert!(partitions.count() >= 6, "several days, months and the beyond");
    let (queries, asides) = (random_query(), aside());
    let mut nonempty = 0;
    for round in 0..rounds() {
        let query = queries.new_tree(&mut runner).unwrap().current();
        let aside = asides.new_tree(&mut runner).unwrap().current();
        let found = read_all(&events, &query, &aside);
        let pages = 60;
        let expected: Vec<EventId> = found.iter().map(|event| event.id).take(pages * aside.limit).collect();
        assert_eq!(walk(&store, &query, &aside, pages), expected, "round {round}: {query:?} {aside:?}");
        check_numbers(&store, &query, &aside, &found);
        nonempty += usize::from(!found.is_empty() && found.len() < events.len());
    }
    assert!(nonempty > rounds() / 3, "only {nonempty} queries told events apart");
}
