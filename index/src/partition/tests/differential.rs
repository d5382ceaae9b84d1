//! Random queries over random events: the index must give exactly what reading every event gives.

use monban_event::query::{QueryField, Test, TextTest};
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

fn random_event() -> impl Strategy<Value = Event> {
    let who = (
        some(select(USERS.to_vec())),
        some(select(vec!["CORP\\Tanaka", "sato", "山田"])),
        some(select(USERS.to_vec())),
    );
    let whence = (some(ip()), some(ip()), some(select(vec!["DC01", "FW本館", "dc02"])));
    let what = (
        some(select(vec![Action::Login, Action::Logout, Action::Deny])),
        some(select(vec![Outcome::Success, Outcome::Failure])),
        some(select(vec!["4624", "4625", "113039"])),
        some(any::<bool>()),
        some(select(vec![SourceZone::Inside, SourceZone::Outside])),
    );
    let how = (some(0_i64..12), some(select(vec!["Bad Password", "timeout", "パスワード誤り"])), some(0_i64..6));
    let said = (proptest::collection::vec(select(WORDS.to_vec()), 0..4), some(select(vec!["U1", "u2"])));
    (who, whence, what, how, said, 0_i64..400_000).prop_map(|(who, whence, what, how, said, late)| Event {
        user_name: who.0.map(str::to_owned),
        user_raw: who.1.map(str::to_owned),
        user_target_name: who.2.map(str::to_owned),
        source_ip: whence.0,
        destination_ip: whence.1,
        host_name: whence.2.map(str::to_owned),
        action: what.0,
        outcome: what.1,
        code: what.2.map(str::to_owned),
        after_hours: what.3,
        source_zone: what.4,
        source_bytes: how.0,
        reason: how.1.map(str::to_owned),
        winlog_logon_type: how.2,
        message: (!said.0.is_empty()).then(|| said.0.join(" ")),
        native: said.1.map(|value| ("TargetUserName", value)).into_iter().collect(),
        event_time: Some(at("2026-10-05T12:00:00+09:00") - TimeDelta::seconds(late)),
        ingested: Some(at("2026-10-05T12:00:00+09:00")),
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
        let time = |late| at("2026-10-05T12:00:00+09:00") - TimeDelta::seconds(late) + TimeDelta::nanoseconds(1_500);
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

#[test]
fn the_index_answers_as_reading_every_event_does() {
    let mut runner = TestRunner::new(Config { rng_seed: RngSeed::Fixed(20_261_005), ..Config::default() });
    let mut events: Vec<Event> = (0..300).map(|_| random_event().new_tree(&mut runner).unwrap().current()).collect();
    for (record, event) in (1..).zip(&mut events) {
        event.id = EventId::new(RecordId(record), 0);
    }
    let dir = tempfile::tempdir().unwrap();
    let store = indexed(dir.path(), &events);
    let queries = random_query();
    let mut nonempty = 0;
    for round in 0..1_500 {
        let query = queries.new_tree(&mut runner).unwrap().current();
        let matcher = Matcher::new(&query);
        let mut expected: Vec<EventId> =
            events.iter().filter(|event| matcher.matches(event, None)).map(|event| event.id).collect();
        let mut found = all_ids(&store, &query, 1_000);
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "round {round}: {query:?}");
        assert_eq!(store.count(&query, TimeRange::default()).unwrap(), expected.len() as u64, "{query:?}");
        nonempty += usize::from(!expected.is_empty() && expected.len() < events.len());
    }
    assert!(nonempty > 500, "only {nonempty} queries told events apart");
}
