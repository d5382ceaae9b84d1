//! The query language as specified, row by row: what is typed, and the form it means.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

fn now() -> DateTime<Utc> {
    "2026-11-20T06:00:00+09:00".parse().expect("a time")
}

fn meaning(text: &str) -> String {
    match parse(text, now()) {
        Ok(query) => print(&query),
        Err(errors) => panic!("{text}: {errors:?}"),
    }
}

fn check(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        assert_eq!(meaning(text), *expected, "{text}");
    }
}

#[test]
fn operators_have_many_spellings() {
    let expected = "user:\"tanaka\" AND event.action:\"login\"";
    for text in [
        "user:tanaka AND action:login",
        "user:tanaka action:login",
        "user=tanaka action=login",
        "user:tanaka && action:login",
        "user:tanaka&&action:login",
        "user:tanaka かつ action:login",
        "user:tanaka and action:login",
        "user：tanaka　action：login",
        "ｕｓｅｒ：ｔａｎａｋａ　ａｃｔｉｏｎ：ｌｏｇｉｎ",
        "USER:Tanaka ACTION:Login",
        "user: tanaka action :login",
        "利用者:tanaka 操作:ログイン",
        "(user:tanaka) (action:login)",
    ] {
        assert_eq!(meaning(text), expected, "{text}");
    }
}

#[test]
fn names_and_values_in_japanese_and_ecs() {
    check(&[
        (
            "利用者:tanaka 結果:失敗 時間外:はい",
            "user:\"tanaka\" AND event.outcome:\"failure\" AND monban.after_hours:true",
        ),
        ("user.name:tanaka", "user.name:\"tanaka\""),
        ("source.ip:10.1.2.3", "source.ip:10.1.2.3/32"),
        ("event.code:4625", "event.code:\"4625\""),
        ("host.name:DC01", "host.name:\"dc01\""),
        ("event_id:4625 logon_type:10", "event.code:\"4625\" AND winlog.logon.type:[10 TO 10]"),
        ("機器:ＦＷ本館", "host:\"fw本館\""),
        ("account_status:退職", "monban.account_state:\"retired\""),
        ("is_admin:いいえ", "NOT monban.account_class:\"admin\""),
        ("is_vpn:はい", "vpn.type:* OR monban.login_kind:\"vpn\""),
        ("hour:22..5", "hour:22..5"),
        ("曜日:土日 時:3時", "weekday:土,日 AND hour:3..3"),
        ("TargetUserName:tanaka", "native.TargetUserName:\"tanaka\""),
        ("tunnelid=7 native.foo:x", "native.tunnelid:\"7\" AND native.foo:\"x\""),
        ("raw:\"Failed password\"", "raw:\"failed password\""),
    ]);
}

#[test]
fn alternatives_and_exclusions() {
    let either = "user:\"tanaka\" OR user:\"sato\"";
    check(&[
        ("user:(tanaka OR sato)", either),
        ("user:(tanaka, sato)", either),
        ("user:(tanaka、sato)", either),
        ("user:tanaka || user:sato", either),
        ("user:tanaka or user:sato", either),
        ("user:tanaka または user:sato", either),
        ("user:tanaka OR user:sato host:a", "user:\"tanaka\" OR (user:\"sato\" AND host:\"a\")"),
        ("(user:tanaka OR user:sato) host:a", "(user:\"tanaka\" OR user:\"sato\") AND host:\"a\""),
        ("NOT error", "NOT \"error\""),
        ("-error", "NOT \"error\""),
        ("!error", "NOT \"error\""),
        ("-user:tanaka", "NOT user:\"tanaka\""),
        ("user!=tanaka", "NOT user:\"tanaka\""),
        ("user != tanaka", "NOT user:\"tanaka\""),
        ("not user:tanaka", "NOT user:\"tanaka\""),
        ("NOT NOT user:tanaka", "user:\"tanaka\""),
        ("-(user:a user:b)", "NOT (user:\"a\" AND user:\"b\")"),
        ("user:(NOT tanaka)", "NOT user:\"tanaka\""),
        ("error AND NOT host:a", "\"error\" AND NOT host:\"a\""),
    ]);
}

#[test]
fn small_keywords_are_words_in_english_text() {
    check(&[
        ("user not found", "\"user\" AND \"not\" AND \"found\""),
        ("failed and refused", "\"failed\" AND \"and\" AND \"refused\""),
        ("error and user:x", "\"error\" AND user:\"x\""),
        ("(a) or b", "\"a\" OR \"b\""),
    ]);
    let parsed = parse_noting("error and user:x", now()).expect("a query");
    assert_eq!(parsed.notes.len(), 1);
    assert!(parse_noting("user not found", now()).expect("a query").notes.is_empty());
}

#[test]
fn wildcards_and_accounts() {
    check(&[
        ("user:tan*", "user:tan*"),
        ("user:*naka", "user:*naka"),
        ("user:svc_?", "user:svc_?"),
        ("user:*", "user:*"),
        ("user:a‥*", "user:a.?*"),
        ("user:\"a*b\"", "user:\"a*b\""),
        ("user:CORP\\tanaka", "user:\"corp\\tanaka\""),
        ("user:=CORP\\tanaka", "user:=\"CORP\\tanaka\""),
        ("user:tanaka@corp.local", "user:\"tanaka@corp.local\""),
        ("fail*", "fail*"),
        ("\"failed pass\"*", "\"failed pass\"*"),
        ("*pass*", "*pass*"),
        ("*ログ*", "\"ログ\""),
        ("", "*"),
        ("  　", "*"),
        ("*", "*"),
        ("* user:a", "user:\"a\""),
    ]);
}

#[test]
fn addresses_need_no_quotes() {
    check(&[
        ("src_ip:10.1.0.0/16", "source.ip:10.1.0.0/16"),
        ("src_ip:10.1.2.3/16", "source.ip:10.1.0.0/16"),
        ("src_ip:10.1.*", "source.ip:10.1.0.0/16"),
        ("src_ip:10.1.", "source.ip:10.1.0.0/16"),
        ("src_ip:2001:db8::1", "source.ip:2001:db8::1/128"),
        ("src_ip:2001:db8::/32", "source.ip:2001:db8::/32"),
        ("src_ip:2001:DB8:*", "source.ip:2001:db8:*"),
        ("src_ip:10.1.2.0..10.1.2.255", "source.ip:10.1.2.0/24"),
        ("2001:db8::1", "ip:2001:db8::1/128"),
        ("203.0.113.9", "ip:203.0.113.9/32"),
        ("10.1.2.*", "ip:10.1.2.0/24"),
        ("ip:(192.0.2.1, 198.51.100.0/24)", "ip:192.0.2.1/32 OR ip:198.51.100.0/24"),
        ("src_ip:院内", "monban.source_zone:\"inside\" OR monban.source_zone:\"vpn_pool\""),
        ("接続元:院外", "monban.source_zone:\"outside\" OR monban.source_zone:\"allowed\""),
    ]);
}

#[test]
fn numbers_and_times() {
    let bytes = |range: &str| format!("source.bytes:{range} OR destination.bytes:{range}");
    for (text, range) in [
        ("bytes>=1000", "[1000 TO *]"),
        ("bytes >= 1,000", "[1000 TO *]"),
        ("bytes:>=1000", "[1000 TO *]"),
        ("bytes:1..9", "[1 TO 9]"),
        ("bytes:[1 TO 9]", "[1 TO 9]"),
        ("bytes:[1 TO 9}", "[1 TO 8]"),
        ("bytes<10", "[* TO 9]"),
        ("通信量＞１０", "[11 TO *]"),
        ("bytes:5mb", "[5000000 TO 5000000]"),
    ] {
        assert_eq!(meaning(text), bytes(range), "{text}");
    }
    check(&[
        ("logon_type:[* TO 9]", "winlog.logon.type:[* TO 9]"),
        ("native.x<10", "native.x:[* TO 9]"),
        ("native.x:[* TO 9]", "native.x:[* TO 9]"),
        ("duration>1h", "event.duration:[3600000000001ns TO *]"),
        ("日時:2026-11-01..2026-11-07", "@timestamp:[2026-10-31T15:00:00.000000Z TO 2026-11-07T15:00:00.000000Z}"),
        ("time:2026/11/1", "@timestamp:[2026-10-31T15:00:00.000000Z TO 2026-11-01T15:00:00.000000Z}"),
        ("time:>=now-7d", "@timestamp:[2026-11-12T21:00:00.000000Z TO *}"),
        ("time:>now-7d", "@timestamp:[2026-11-12T21:00:00.000001Z TO *}"),
        ("time:昨日", "@timestamp:[2026-11-18T15:00:00.000000Z TO 2026-11-19T15:00:00.000000Z}"),
        ("time<2026-11-01T08:30", "@timestamp:[* TO 2026-10-31T23:30:00.000000Z}"),
        ("time:先月", "@timestamp:[2026-09-30T15:00:00.000000Z TO 2026-10-31T15:00:00.000000Z}"),
    ]);
    let parsed = parse_noting("user:a 日時:2026-11-01", now()).expect("a query");
    assert_eq!(period(&parsed.query).and_then(|range| range.from), "2026-10-31T15:00:00Z".parse().ok());
    assert_eq!(parsed.notes, ["検索式の日時を、期間の欄より優先します。"]);
}

#[test]
fn text_and_pasted_lines() {
    check(&[
        ("\"Failed password\"", "\"failed password\""),
        ("ログオン失敗", "\"ログオン失敗\""),
        ("ﾛｸﾞｵﾝ", "\"ログオン\""),
        ("“Failed　password”", "\"failed password\""),
        ("Nov 20 03:14:07 fw1 sshd[123]: Failed", "raw:\"nov 20 03:14:07 fw1 sshd[123]: failed\""),
        (
            "date=2026-11-20 time=01:48:12 devname=\"FW-HONKAN\" vd=\"root\"",
            "raw:\"date=2026-11-20 time=01:48:12 devname=\"\"fw-honkan\"\" vd=\"\"root\"\"\"",
        ),
        ("fw1 sshd[123]: Failed", "\"fw1\" AND \"sshd[123]:\" AND \"failed\""),
        ("\"say \"\"hi\"\"\"", "\"say \"\"hi\"\"\""),
        ("<189>say “hi”", "raw:\"<189>say ““hi””\""),
        ("raw:a..b msg:c..d", "raw:\"a..b\" AND \"c..d\""),
        ("raw:a*..b", "raw:a*..b"),
        ("ログ", "\"ログ\""),
        ("ロ", "\"ロ\""),
        ("http://example.test/a?b=1", "\"http://example.test/a?b=1\""),
        ("%ASA-6-113039", "\"%asa-6-113039\""),
        ("C:\\x", "\"c:\\x\""),
        ("error: disk", "\"error:\" AND \"disk\""),
        ("a -- b", "\"a\" AND \"b\""),
        ("00:11:22:33:44:55", "\"00:11:22:33:44:55\""),
    ]);
}

fn error(text: &str) -> QueryError {
    parse(text, now()).expect_err(text).into_iter().next().expect("one error at least")
}

#[test]
fn errors_name_place_reason_and_way_out() {
    for (text, from, to, code, message) in [
        ("(user:tanaka OR action:login", 0, 1, "unclosed_paren", "「(」に対応する「)」がありません。"),
        ("usr:tanaka", 0, 3, "unknown_field", "「usr」という項目はありません。"),
        ("髙橋 usr:tanaka", 3, 6, "unknown_field", "「usr」という項目はありません。"),
        ("𠮷 か\u{3099} usr:a", 5, 8, "unknown_field", "「usr」という項目はありません。"),
        ("user:", 0, 5, "missing_value", "「user:」の後に値がありません。"),
        ("user: AND host:a", 0, 5, "missing_value", "「user:」の後に値がありません。"),
        ("a \"b c", 2, 3, "unclosed_quote", "引用符「\"」が閉じていません。"),
        ("user:a)", 6, 7, "unmatched_close", "「)」に対応する「(」がありません。"),
        ("AND user:a", 0, 3, "leading_op", "「AND」の前に条件がありません。"),
        ("OR user:a", 0, 2, "leading_op", "「OR」の前に条件がありません。"),
        ("user:a AND", 7, 10, "dangling_op", "「AND」の後に条件がありません。"),
        ("a OR OR b", 2, 4, "dangling_op", "「OR」の後に条件がありません。"),
        ("NOT", 0, 3, "dangling_op", "「NOT」の後に条件がありません。"),
        ("user:() a", 5, 7, "empty_group", "括弧の中に条件がありません。"),
        ("bytes>=many", 7, 11, "bad_number", "「many」は数として読めません。例: 1000 / 1,000 / 1..9"),
        ("after_hours:maybe", 12, 17, "bad_bool", "「maybe」は「はい」「いいえ」のどちらでもありません。"),
        ("bytes:9..1", 6, 10, "bad_range", "範囲の始まりが終わりより大きくなっています。"),
        (
            "user:a | stats count by user",
            7,
            28,
            "pipe",
            "「|」で続ける集計の書き方はありません。画面の「集計」ボタンか、コマンドの --by 項目 を使ってください。",
        ),
    ] {
        let error = error(text);
        assert_eq!((error.from, error.to, error.code.as_str()), (from, to, code), "{text}");
        assert_eq!(error.message, message, "{text}");
    }
    assert_eq!(error("time:2026-13-40").code, ErrorCode::BadTime);
    assert_eq!(error("hour:25").code, ErrorCode::BadNumber);
    assert_eq!(error(&"(".repeat(5_000)).code, ErrorCode::TooDeep);
    assert_eq!(error(&"-(".repeat(500)).code, ErrorCode::TooDeep);
    assert_eq!(error(&"a ".repeat(2_000)).code, ErrorCode::TooDeep);
    assert_eq!(error(&"a".repeat(10_000)).code, ErrorCode::TooDeep);
}

#[test]
fn errors_offer_queries_that_work() {
    let address = error("src_ip:10.1.2.300");
    assert_eq!((address.from, address.to, address.code), (7, 17, ErrorCode::BadIp));
    assert!(address.message.starts_with("「10.1.2.300」は IP アドレスとして読めません。"), "{}", address.message);
    assert_eq!(address.to_string().split(' ').next(), Some("8文字目:"));
    let field = error("usr:tanaka");
    assert_eq!(field.fix, Some(Fix { label: "user のことですか？".to_owned(), q: "user:tanaka".to_owned() }));
    assert_eq!(field.other_fixes.first().map(|fix| fix.q.as_str()), Some("\"usr:tanaka\""));
    for text in ["(user:a", "user:a)", "usr:tanaka", "a \"b", "user:a AND", "AND a", "a | b", "user:", "() a"] {
        let fix = error(text).fix.unwrap_or_else(|| panic!("{text} has a fix"));
        assert!(parse(&fix.q, now()).is_ok(), "{text} → {}", fix.q);
    }
}

#[test]
fn the_interpretation_is_japanese() {
    for (text, expected) in [
        ("利用者:tanaka 時間外:はい", "利用者＝tanaka かつ 時間外＝はい"),
        ("user:CORP\\tanaka", "利用者＝tanaka"),
        (
            "-user:tanaka (結果:失敗 OR src_ip:10.0.0.0/8)",
            "利用者≠tanaka かつ （結果＝失敗 または 接続元が 10.0.0.0/8 の範囲内）",
        ),
        ("ログオン失敗", "文字「ログオン失敗」を含む"),
        ("raw:x", "原文に「x」を含む（走査）"),
        ("raw:x*y", "原文＝x*y（走査）"),
        ("tunnelid:7", "機器の項目 tunnelid＝7（走査）"),
        ("process.pid:7", "process.pid＝7（走査）"),
        ("Nov 20 03:14:07 fw1 sshd[123]: Failed", "原文に「nov 20 03:14:07 fw1 sshd[123]: failed」を含む（走査）"),
        ("duration>=1h", "長さが 3600秒 以上"),
        ("hour:22..5 曜日:土日", "時刻が 22 時から 5 時台まで かつ 曜日＝土・日"),
        ("", "期間内すべて"),
    ] {
        assert_eq!(explain(&parse(text, now()).expect(text)), expected, "{text}");
    }
}

/// Pieces that queries are made of, whole and broken.
fn piece() -> impl Strategy<Value = String> {
    let known: Vec<&str> = vec![
        "user:",
        "src_ip:",
        "bytes",
        ">=",
        "10",
        "1..9",
        "[1 TO 9]",
        "(",
        ")",
        "\"",
        "\"\"",
        "AND",
        "or",
        "NOT",
        "-",
        "!",
        "*",
        "?",
        "tan*",
        "利用者：",
        "結果:失敗",
        "ログオン",
        "　",
        " ",
        "|",
        "||",
        "&&",
        "2001:db8::1",
        "10.1.",
        "time:",
        "now-7d",
        ",",
        "hour:22..5",
        "weekday:",
        "月",
        "native.x:",
        "raw:",
        "msg:",
        ":=",
        "C:\\x",
        "= ",
        "𠮷",
        "か\u{3099}",
        "\u{0}",
        "Nov 20 03:14:07 ",
        "<189>",
        "a=b ",
    ];
    prop_oneof![
        4 => proptest::sample::select(known).prop_map(str::to_owned),
        1 => odd_char().prop_map(String::from),
    ]
}

/// Any character, and more often than chance has it those that texts stumble over: unassigned, combining, of four
/// bytes, with a compatibility form, of no width, full-width signs.
fn odd_char() -> impl Strategy<Value = char> {
    let range = |from: u32, to: u32| (from..=to).prop_filter_map("a surrogate", char::from_u32);
    prop_oneof![
        2 => proptest::char::any(),
        1 => range(0x0300, 0x036f),
        1 => range(0x0378, 0x0379),
        1 => range(0x2_fe00, 0x2_ffff),
        1 => range(0x2_0000, 0x2_a6df),
        1 => range(0x1_f300, 0x1_faff),
        1 => range(0xff00, 0xffef),
        1 => range(0x3099, 0x309c),
        1 => range(0x2000, 0x206f),
        1 => range(0x3200, 0x33ff),
        1 => range(0, 0x9f),
        1 => proptest::sample::select(vec!['İ', 'ß', 'Σ', 'ς', 'ǅ', '\u{1f}', '\u{feff}', '\u{10ffff}', 'ﾞ', '㍿', '⑳']),
    ]
}

/// A value of the sort that people type.
fn typed_value() -> impl Strategy<Value = String> {
    let known = vec![
        "tanaka",
        "CORP\\tanaka",
        "tan*",
        "*naka",
        "s?to",
        "\"a b\"",
        "\"a\"\"b\"",
        "山田",
        "10.1.2.3",
        "10.1.0.0/16",
        "10.1.",
        "2001:db8::1",
        "院内",
        "院外",
        "4625",
        "1,000",
        "1..9",
        "[1 TO 9]",
        "[* TO 9}",
        "5mb",
        "1h",
        "はい",
        "いいえ",
        "失敗",
        "成功",
        "ログイン",
        "退職",
        "now-7d",
        "昨日",
        "2026-11-01..2026-11-07",
        "2026-11-01T08:30",
        "22..5",
        "土日",
        "月,火",
        "(a OR b)",
        "(a, b)",
        "(NOT a)",
        "*",
        "true",
        "x=y",
    ];
    prop_oneof![
        5 => proptest::sample::select(known).prop_map(str::to_owned),
        1 => proptest::collection::vec(odd_char(), 1..5).prop_map(|chars| chars.into_iter().collect()),
    ]
}

fn typed_condition() -> impl Strategy<Value = String> {
    let fields = vec![
        "user",
        "利用者",
        "host",
        "機器",
        "src_ip",
        "接続元",
        "ip",
        "dst_ip",
        "bytes",
        "duration",
        "action",
        "操作",
        "outcome",
        "結果",
        "event_id",
        "logon_type",
        "time",
        "日時",
        "hour",
        "weekday",
        "曜日",
        "after_hours",
        "時間外",
        "is_vpn",
        "is_admin",
        "account_status",
        "country",
        "vendor",
        "group",
        "raw",
        "msg",
        "tunnelid",
        "TargetUserName",
        "native.x",
        "user.name",
        "process.pid",
        "message",
        "usr",
        "event.action",
    ];
    let signs = vec![":", "=", "!=", ":=", ">=", "<=", ">", "<", "：", " : ", " >= "];
    let words = vec![
        "failed",
        "ログオン失敗",
        "ﾛｸﾞ",
        "ロ",
        "\"Failed password\"",
        "*pass*",
        "fail*",
        "203.0.113.9",
        "C:\\x",
        "not",
    ];
    prop_oneof![
        4 => (proptest::sample::select(fields), proptest::sample::select(signs), typed_value())
            .prop_map(|(field, sign, value)| format!("{field}{sign}{value}")),
        1 => proptest::sample::select(words).prop_map(str::to_owned),
    ]
}

/// Queries as the grammar has them.
fn typed_query() -> impl Strategy<Value = String> {
    typed_condition().prop_recursive(4, 12, 3, |inner| {
        let sign = proptest::sample::select(vec![
            " ",
            " AND ",
            " and ",
            " かつ ",
            "&&",
            " OR ",
            " or ",
            " または ",
            "||",
            "　",
        ]);
        let not = proptest::sample::select(vec!["NOT ", "-", "!", "not "]);
        prop_oneof![
            3 => (inner.clone(), sign, inner.clone()).prop_map(|(a, sign, b)| format!("{a}{sign}{b}")),
            1 => inner.clone().prop_map(|query| format!("({query})")),
            1 => (not, inner).prop_map(|(not, query)| format!("{not}{query}")),
        ]
    })
}

/// How many random queries are tried: few enough for every run of the checks; a million before a release.
fn cases() -> u32 {
    std::env::var("MONBAN_QUERY_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000)
}

/// Reads, prints, reads and prints again; errors lie inside the text, and their ways out can be read or complained of.
fn check_text(text: &str) -> Result<bool, TestCaseError> {
    let length = text.chars().count();
    match parse_noting(text, now()) {
        Ok(parsed) => {
            let printed = print(&parsed.query);
            let again = parse(&printed, now());
            prop_assert!(again.is_ok(), "{text:?} → {printed:?}: {again:?}");
            let again = again.unwrap_or(monban_event::query::Query::Nothing);
            prop_assert_eq!(print(&again), printed.clone(), "{:?}", text);
            prop_assert_eq!(explain(&again), explain(&parsed.query), "{:?} → {:?}", text, printed);
            prop_assert_eq!(is_scanned(&again), is_scanned(&parsed.query), "{:?}", text);
            prop_assert!(!explain(&parsed.query).is_empty());
            Ok(true)
        }
        Err(errors) => {
            prop_assert!(!errors.is_empty());
            for error in errors {
                prop_assert!(error.from < error.to && error.to <= length, "{text:?}: {error:?}");
                prop_assert!(!error.message.is_empty());
            }
            Ok(false)
        }
    }
}

fn run(queries: &impl Strategy<Value = String>, share: u32) -> u32 {
    let read = std::cell::Cell::new(0);
    let mut runner =
        TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases() / share) });
    let result = runner.run(queries, |text| {
        read.set(read.get() + u32::from(check_text(&text)?));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    read.get()
}

#[test]
fn queries_of_the_grammar_read_and_print_the_same() {
    let read = run(&typed_query(), 2);
    // Most fields take only some of the values.
    assert!(read > cases() / 8, "only {read} of {} were queries", cases() / 2);
}

#[test]
fn broken_queries_read_and_print_the_same() {
    let pieces = proptest::collection::vec(piece(), 0..14).prop_map(|pieces| pieces.concat());
    let read = run(&pieces, 4);
    assert!(read > cases() / 40, "only {read} were queries");
}

#[test]
fn any_bytes_read_and_print_the_same() {
    let chars = proptest::collection::vec(odd_char(), 0..40).prop_map(|chars| chars.into_iter().collect::<String>());
    let bytes =
        proptest::collection::vec(any::<u8>(), 0..60).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let ascii = "[ -~]{0,40}";
    let read = run(&prop_oneof![chars, bytes, ascii], 4);
    assert!(read > 0);
}
