//! What is known of a deed, and of whom nobody has to ask.

use monban_event::Scope;
use monban_event::act::Damage;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-{text}+09:00").parse().expect("a time")
}

/// What an account did in the order of the acts, as facts.
struct Told {
    deeds: Deeds,
    next: u64,
}

impl Told {
    /// A product that has been in use for a month.
    fn in_use() -> Self {
        let mut told = Self { deeds: Deeds::default(), next: 1 };
        told.act("09-01T09:00:00", "monban", epoch("1", "aa"));
        told
    }

    fn act(&mut self, time: &str, by: &str, deed: Deed) -> Vec<Event> {
        let act = Act { at: at(time), by: by.to_owned(), deed };
        let mut facts = Vec::new();
        self.deeds.act(RecordId(self.next), &act, &mut facts);
        self.next += 1;
        facts
    }

    /// What the one fact says under these names.
    fn says(&mut self, time: &str, by: &str, deed: Deed, names: &[&str]) -> Vec<String> {
        let facts = self.act(time, by, deed);
        let [fact] = &facts[..] else { panic!("{facts:?}") };
        names.iter().map(|name| fact.native.get(name).unwrap_or("－").to_owned()).collect()
    }
}

fn epoch(version: &str, rules: &str) -> Deed {
    let (program_version, parsers) = (version.to_owned(), version.to_owned());
    Deed::Epoch { program_version, parsers, rules: rules.to_owned() }
}

fn config(text: &str) -> Deed {
    Deed::Context { name: ContextName::Config, sha256: String::new(), text: text.to_owned() }
}

fn exception(owner: &str) -> Deed {
    let scope = Scope {
        rule: monban_event::RuleId::new("VP-09"),
        subject: "tanaka".to_owned(),
        object: String::new(),
        network: String::new(),
    };
    Deed::ExceptionGranted {
        id: "ex-1".to_owned(),
        scope: Box::new(scope),
        reason: "夜間の保守".to_owned(),
        owner: owner.to_owned(),
        from: at("10-06T09:00:00"),
        until: at("12-31T00:00:00"),
    }
}

fn exported(what: &str, events: Option<u64>) -> Deed {
    Deed::Exported { what: what.to_owned(), form: "csv".to_owned(), events }
}

#[test]
fn an_exception_that_another_answers_for_needs_nobody() {
    let mut told = Told::in_use();
    let (name, role) = ("yamada".to_owned(), "admin".to_owned());
    let user =
        Deed::UserCreated { name, display_name: "山田　花子".to_owned(), role, password_hash: String::new() };
    assert!(told.act("09-01T10:00:00", "console", user).is_empty());
    let mut quiet = |by: &str, owner: &str| told.says("10-06T09:00:00", by, exception(owner), &["quiet"]).remove(0);
    assert_eq!(quiet("yamada", "佐藤 健"), "second");
    assert_eq!(quiet("yamada", "山田 花子"), "－", "the same person by her name");
    assert_eq!(quiet("yamada", "ＹＡＭＡＤＡ"), "－");
    assert_eq!(quiet("token:連携", "佐藤 健"), "－", "a machine has asked nobody");
}

#[test]
fn settings_count_where_they_keep_less_or_watch_less_closely() {
    let mut told = Told::in_use();
    assert!(
        told.act("10-06T09:00:00", "monban", config("[retention]\nrecords_months = 60\nreports_months = 60"))
            .is_empty()
    );
    let weaker = config("[retention]\nsearchable_months = 6\n[rules]\nlearning_days = 90");
    let said = told.says("10-07T09:00:00", "monban", weaker, &["deed", "account", "what"]);
    assert_eq!(said[..2], ["config", "門番のサーバ"]);
    assert_eq!(
        said[2],
        "設定の緩和（検索できる期間 13 か月から 6 か月へ、原ログの保管 60 か月から 36 か月へ、学習期間 14 日から 90 日へ）"
    );
    assert!(told.act("10-08T09:00:00", "monban", config("not toml at all [")).is_empty());
    assert!(told.act("10-08T10:00:00", "monban", config("[rules]\nsigma = [\"sigma\"]")).is_empty());
    let said = told.says("10-09T09:00:00", "monban", config(""), &["what"]);
    assert_eq!(said, ["設定の緩和（検知ルールのフォルダ sigma を外した）"]);
}

#[test]
fn a_list_that_is_no_longer_used_counts() {
    let mut told = Told::in_use();
    let roster = |text: &str| Deed::Context { name: ContextName::Roster, sha256: String::new(), text: text.to_owned() };
    assert!(told.act("10-06T09:00:00", "monban", roster("氏名\n山田\n")).is_empty());
    assert!(told.act("10-06T09:30:00", "monban", roster("氏名\n佐藤\n")).is_empty());
    assert_eq!(told.says("10-06T10:00:00", "monban", roster(""), &["what"]), ["設定の緩和（roster を使わなくした）"]);
    assert!(told.act("10-06T11:00:00", "monban", roster("")).is_empty());
}

#[test]
fn other_rules_count_where_the_program_is_the_same() {
    let mut told = Told::in_use();
    assert!(told.act("10-06T09:00:00", "monban", epoch("1", "aa")).is_empty());
    assert_eq!(told.says("10-06T10:00:00", "monban", epoch("1", "bb"), &["deed"]), ["rules"]);
    assert!(told.act("10-07T09:00:00", "monban", epoch("2", "cc")).is_empty());
}

#[test]
fn who_sets_the_product_up_is_not_asked() {
    let mut told = Told { deeds: Deeds::default(), next: 1 };
    told.act("10-06T09:00:00", "monban", epoch("1", "aa"));
    assert_eq!(told.says("10-13T08:59:59", "yamada", exception("yamada"), &["quiet", "list"]), ["setup", "－"]);
    assert_eq!(
        told.says("10-13T09:00:00", "yamada", exception("yamada"), &["quiet", "list"]),
        ["－", "例外の登録 1 件"]
    );
}

#[test]
fn an_hour_of_exports_is_added_up_and_reports_are_none() {
    let mut told = Told::in_use();
    for minute in 0..19 {
        let time = format!("10-06T10:{minute:02}:00");
        assert!(told.act(&time, "sato", exported("検索 *", Some(100))).is_empty());
        assert!(told.act(&time, "sato", exported("月次監査 2026-09", None)).is_empty());
    }
    assert!(told.act("10-06T11:00:00", "sato", exported("検索 *", Some(100))).is_empty(), "the first is an hour ago");
    let said = told.says("10-06T11:00:30", "sato", exported("検索 *", Some(98_100)), &["deed", "what"]);
    assert_eq!(said, ["export", "大量の出力（1 時間に 20 回、100000 件）"]);
    assert!(told.act("10-06T11:00:40", "yamada", exported("検索 *", Some(99_999))).is_empty(), "each by himself");
}

#[test]
fn a_day_of_an_account_is_listed() {
    let mut told = Told::in_use();
    let token = |scopes: &[&str]| {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        Deed::TokenCreated { id: "t".to_owned(), name: "連携".to_owned(), scopes, secret_sha256: String::new() }
    };
    told.act("10-06T13:00:00", "yamada", exception("yamada"));
    told.act("10-06T13:05:00", "yamada", exception("佐藤"));
    told.act("10-06T14:00:00", "yamada", token(&["ingest"]));
    let said = told.says("10-07T01:00:00", "yamada", token(&["ingest", "admin"]), &["list"]);
    assert_eq!(said, ["トークンの作成 1 件、例外の登録 1 件"]);
    assert_eq!(told.says("10-07T13:00:00", "yamada", exception("yamada"), &["list"]), ["例外の登録 1 件"]);
}

#[test]
fn a_place_of_damage_is_told_once_by_whoever_meets_it_first() {
    let mut told = Told::in_use();
    let damage =
        |first: u64| Damage { first: RecordId(first), last: RecordId(first + 1), what: "違います".to_owned() };
    let verified = |damage: Vec<Damage>, more| Deed::Verified {
        fresh: monban_event::TimeRange::default(),
        turn: None,
        segments: 3,
        damage,
        more,
    };
    assert!(told.act("10-06T02:00:00", "monban", verified(vec![], 0)).is_empty());
    let said = told.says("10-07T02:00:00", "monban", verified(vec![damage(7), damage(9)], 3), &["place", "what"]);
    assert_eq!(said, ["番号 7〜8", "違います、ほか 4 か所"]);
    assert!(told.act("10-08T02:00:00", "monban", verified(vec![damage(9)], 0)).is_empty());
    let mut facts = Vec::new();
    told.deeds.gap((RecordId(7), RecordId(8)), at("10-08T03:00:00"), &mut facts);
    assert!(facts.is_empty());
    told.deeds.gap((RecordId(20), RecordId(20)), at("10-08T03:00:00"), &mut facts);
    assert_eq!((facts[0].id, facts[0].native.get("place")), (EventId::new(RecordId(20), 0), Some("番号 20")));
}

#[test]
fn what_is_remembered_comes_through_a_snapshot() {
    let mut told = Told::in_use();
    told.act("10-06T13:00:00", "yamada", exception("yamada"));
    told.act("10-06T13:00:00", "sato", exported("検索 *", Some(5)));
    let kept = serde_json::to_string(&told.deeds).expect("written");
    assert_eq!(serde_json::from_str::<Deeds>(&kept).expect("read"), told.deeds);
}
