//! What people see.

use axum::http::StatusCode;
use monban_event::FindingStatus;
use monban_event::act::Deed;

use super::{HOSTILE, Key, Site};
use crate::auth::role::Role;
use monban_audit::percent;

const DAY: &str = "period=custom&from=2026-11-19T00:00&to=2026-11-21T00:00";

async fn reviewer(site: &Site) -> Key {
    site.login("山田", Role::Reviewer).await
}

#[tokio::test]
async fn no_page_turns_text_from_outside_into_markup_or_shows_passwords() {
    let site = Site::new();
    let key = reviewer(&site).await;
    let paths = [
        "/".to_owned(),
        format!("/search?q=&{DAY}"),
        format!("/search?q={}", percent(HOSTILE)),
        format!("/search?q={}", percent(&format!("({HOSTILE}"))),
        "/events/1-0".to_owned(),
        "/findings".to_owned(),
        format!("/findings/{}", site.finding),
        "/exceptions".to_owned(),
        format!("/exceptions/new?rule=VP-01&subject={}", percent(HOSTILE)),
        "/sources".to_owned(),
        "/audits".to_owned(),
        "/audits/2026-10".to_owned(),
        "/audits/2026-11?print=1".to_owned(),
        "/trail".to_owned(),
        "/health".to_owned(),
        format!("/login?next=/{}", percent(HOSTILE)),
    ];
    for path in paths {
        let reply = site.get(&path, &key).await;
        assert_eq!(reply.status, StatusCode::OK, "{path} {}", reply.text);
        assert!(!reply.text.contains("<script"), "{path}");
        assert!(!reply.text.contains("geheim"), "{path}");
        assert!(!reply.text.contains(" style="), "{path}: the policy forbids inline styles");
        assert!(reply.text.contains("<html lang=\"ja\">") && reply.text.contains("<title>"), "{path}");
    }
}

#[tokio::test]
async fn each_receiver_tells_what_became_of_what_reached_it() {
    let site = Site::new();
    let key = reviewer(&site).await;
    let text = site.get("/health", &key).await.text;
    for expected in [
        "192.0.2.5:514</td>",
        "OS の受信バッファがあふれた 1,234 件、1秒の上限を超えた 10 件",
        "受信バッファ 8192 KiB",
        "断った接続 3 件（証明書を示さない）",
        "証明書の指紋 SHA-256 AB:CD",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let body = site.get("/api/v1/health", &key).await.json();
    assert_eq!(body["listeners"][0]["kernel_dropped"], 1234);
    assert_eq!(body["listeners"][1]["connections_refused"]["client showed no certificate"], 3);
}

#[tokio::test]
async fn the_dashboard_lists_what_is_to_be_done() {
    let site = Site::new();
    let key = reviewer(&site).await;
    let text = site.get("/", &key).await.text;
    assert!(text.contains("退職者アカウントの VPN 利用"), "{text}");
    assert!(text.contains("2026/11/20(金) 08:41 JST"));
    let deed = Deed::Review {
        finding: site.finding.clone(),
        status: FindingStatus::Confirmed,
        reason: "誤検知".to_owned(),
        note: String::new(),
    };
    site.acts.record("山田", deed).unwrap();
    assert!(site.get("/", &key).await.text.contains("今日の確認は不要です"));
}

#[tokio::test]
async fn a_search_tells_how_it_was_read_and_goes_on_page_by_page() {
    let site = Site::new();
    let key = reviewer(&site).await;
    let first = site.get(&format!("/search?q=user:suzuki&{DAY}"), &key).await.text;
    assert!(first.contains("一致 80 件"), "{first}");
    assert!(first.contains("1–50 件を表示") && first.contains("解釈："));
    let next = first.split("class=\"pager\"").nth(1).unwrap().split('"').nth(3).unwrap().replace("&#38;", "&");
    let second = site.get(&next, &key).await.text;
    assert!(second.contains("51–80 件を表示"), "{next}");
    assert!(second.contains("ここまでです"));
    let searched = |deed: &Deed| matches!(deed, Deed::Searched { query, hits: 80, .. } if query == "user:suzuki");
    assert!(site.deeds().iter().any(|(by, deed)| by == "山田" && searched(deed)));
}

#[tokio::test]
async fn a_search_can_be_turned_and_taken_away() {
    let site = Site::new();
    let key = reviewer(&site).await;
    let text = site.get(&format!("/search?q=user:sato_k&{DAY}"), &key).await.text;
    let link = |label: &str| {
        let before = text.split(label).next().unwrap();
        let href = before.rsplit("href=\"").next().unwrap().split('"').next().unwrap();
        href.replace("&#38;", "&")
    };
    let turned = site.get(&link("日時↓"), &key).await.text;
    assert!(turned.contains("古い順") && turned.find("02:13:31") < turned.find("02:14:07"), "{turned}");
    let sheet = site.get(&link("CSV（全件）"), &key).await;
    assert_eq!((sheet.status, sheet.header("content-type")), (StatusCode::OK, "text/csv; charset=utf-8"));
    assert_eq!(sheet.text.matches("\r\n").count(), 3, "{}", sheet.text);
    assert_eq!(site.get(&link("JSONL（全件）"), &key).await.text.lines().count(), 2);
}

#[tokio::test]
async fn a_wrong_query_is_shown_with_its_place_and_a_way_out() {
    let site = Site::new();
    let key = reviewer(&site).await;
    let text = site.get("/search?q=usr%3Atanaka", &key).await.text;
    assert!(text.contains("1文字目: 「usr」という項目はありません。"), "{text}");
    assert!(text.contains("<mark>usr</mark>") && text.contains("user%3Atanaka"));
}

#[tokio::test]
async fn nothing_found_says_what_less_would_find() {
    let site = Site::new();
    let key = reviewer(&site).await;
    let query = percent("user:suzuki action:logout");
    let text = site.get(&format!("/search?q={query}&{DAY}"), &key).await.text;
    assert!(text.contains("一致 0 件") && text.contains("action:logout を外すと 80 件"), "{text}");
    let text = site.get("/search?q=user:suzuki&period=1h", &key).await.text;
    assert!(text.contains("過去30日では 80 件"), "{text}");
    let text = site.get("/search?q=user:nobody&period=30d", &key).await.text;
    assert!(text.contains("user:nobody を外すと 83 件"), "{text}");
}

#[tokio::test]
async fn an_event_shows_its_sentence_its_text_and_its_origin() {
    let site = Site::new();
    let key = reviewer(&site).await;
    let text = site.get("/events/1-0", &key).await.text;
    assert!(text.contains("▶ ") && text.contains("/events/2-0"), "{text}");
    for expected in ["sato_k が 203.0.113.9 から FGT-HONKAN", "******", "SHA-256", "192.0.2.1:514", "退職者アカウント"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(site.deeds().iter().any(|(_, deed)| matches!(deed, Deed::Viewed { what } if what == "イベント 1-0")));
    assert_eq!(site.get("/events/9999-0", &key).await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get("/events/..%2F", &key).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_finding_is_not_closed_without_a_reason() {
    let site = Site::new();
    let key = reviewer(&site).await;
    let page = format!("/findings/{}", site.finding);
    let address = format!("{page}/review");
    let bare = site.post(&address, &key, "status=confirmed").await;
    assert_eq!(bare.status, StatusCode::BAD_REQUEST);
    assert!(bare.text.contains("閉じるには理由を選んでください"));
    let form = format!("status=action_needed&note={}", percent("総務へ確認中"));
    assert_eq!(site.post(&address, &key, &form).await.header("location"), page);
    let form = format!("status=resolved&reason={}", percent("実害なし・是正済"));
    assert_eq!(site.post(&address, &key, &form).await.status, StatusCode::SEE_OTHER);
    let text = site.get(&page, &key).await.text;
    assert!(
        text.contains("未確認 → 要対応") && text.contains("総務へ確認中") && text.contains("要対応 → 対応済"),
        "{text}"
    );
    let swapped = format!("status=confirmed&reason={}", percent("誤検知"));
    assert_eq!(site.post(&address, &key, &swapped).await.status, StatusCode::CONFLICT);
    assert!(site.get("/findings", &key).await.text.contains("この条件の検知はありません"));
}

#[tokio::test]
async fn the_month_can_be_read_and_printed() {
    let site = Site::new();
    let key = reviewer(&site).await;
    let text = site.get("/audits/2026-10", &key).await.text;
    for expected in ["アクセスログ監査報告書", "令和8年10月1日", "N08", "/search?q=monban.login%3Asuccess", "2-(6)"]
    {
        assert!(text.contains(expected), "{expected}");
    }
    let printed = site.get("/audits/2026-10?print=1", &key).await.text;
    assert!(!printed.contains("class=\"side\"") && !printed.contains("<style>"));
    let exported =
        |deed: &Deed| matches!(deed, Deed::Exported { what, form, .. } if what == "月次監査 2026-10" && form == "html");
    assert!(site.deeds().iter().any(|(_, deed)| exported(deed)));
    assert_eq!(site.get("/audits/2026-13", &key).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn evidence_that_is_an_act_is_shown_as_one() {
    let site = Site::new();
    let key = reviewer(&site).await;
    let exported = Deed::Exported { what: "検索 *".to_owned(), form: "csv".to_owned(), events: Some(1_234_567) };
    let act = site.acts.record("佐藤", exported).unwrap();
    let evidence = monban_event::EventId::new(act, 0);
    let finding = monban_event::Finding {
        id: monban_event::FindingId::new("own"),
        rule_id: monban_event::RuleId::new("LG-08"),
        rule_title: "門番の設定変更と大量の出力".to_owned(),
        rule_version: "1".to_owned(),
        severity: monban_event::Severity::Medium,
        subject: "佐藤".to_owned(),
        object: String::new(),
        first: super::now(),
        last: super::now(),
        count: 1,
        summary: "佐藤 が出力しました。".to_owned(),
        evidence: vec![evidence, monban_event::EventId::new(monban_event::RecordId(9_999), 0)],
        sources: std::collections::BTreeSet::new(),
    };
    site.ledger.apply(act, |batch| batch.add_finding(act, &finding)).unwrap();
    let page = site.get("/findings/own", &key).await.text;
    assert!(page.contains("佐藤　出力　検索 *（csv、1,234,567 件）"), "{page}");
    assert!(page.contains("保存期間を過ぎたか、読み出せません"), "{page}");
    let page = site.get(&format!("/events/{evidence}"), &key).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("佐藤 の操作：出力") && page.text.contains("/findings/own"), "{}", page.text);
    let told = site.get(&format!("/api/v1/events/{evidence}"), &key).await.json();
    assert_eq!((&told["user.name"], &told["act.kind"]), (&"佐藤".into(), &"出力".into()));
    assert_eq!(site.get("/events/9999-0", &key).await.status, StatusCode::NOT_FOUND);
    let reader = site.token(&[crate::auth::role::Scope::EventsRead]);
    let refused = site.get(&format!("/api/v1/events/{evidence}"), &reader).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "who may not see the trail sees no part of it");
}

#[tokio::test]
async fn no_secret_of_an_act_is_shown() {
    let site = Site::new();
    let key = reviewer(&site).await;
    site.token(&[crate::auth::role::Scope::EventsRead]);
    let rows = site.ledger.read().unwrap().trail(monban_event::TimeRange::default(), 1000).unwrap();
    for row in rows {
        let told = site.get(&format!("/api/v1/events/{}-0", row.record), &key).await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.text);
        assert!(!told.text.contains("secret") && !told.text.contains("$argon2"), "{}", told.text);
    }
}
