//! What is declared to be in order: who may, what is refused, and that nothing is hidden by it.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use chrono::{DateTime, TimeDelta, Utc};
use monban_event::act::Deed;
use monban_event::{EventId, Finding, RecordId, RuleId, Severity};
use serde_json::{Value, json};

use super::{HOSTILE, Key, Reply, Site, now};
use crate::{Role, Scope};
use monban_audit::percent;

const WISH: &str = "/api/v1/exceptions";

fn wish() -> Value {
    json!({ "rule": "VP-01", "subject": "tan*", "reason": "夜間の監視の当番", "owner": "佐藤", "until": "2027-03-31" })
}

impl Site {
    async fn send_json(&self, address: &str, key: &Key, body: &Value) -> Reply {
        let request = key.sign(Request::post(address)).header(header::CONTENT_TYPE, "application/json");
        Reply::of(self.send(request.body(Body::from(body.to_string())).unwrap()).await).await
    }

    fn find(&self, position: u64, subject: &str, first: DateTime<Utc>) -> Finding {
        let rule_id = RuleId::new("VP-01");
        let finding = Finding {
            id: Finding::make_id(&rule_id, subject, "", first, 0),
            rule_id,
            rule_title: "退職者アカウントの VPN 利用".to_owned(),
            rule_version: "1".to_owned(),
            severity: Severity::High,
            subject: subject.to_owned(),
            object: String::new(),
            first,
            last: first,
            count: 1,
            summary: format!("{subject} が接続しました。"),
            evidence: vec![EventId::new(RecordId(position), 0)],
            sources: std::collections::BTreeSet::new(),
        };
        let at = RecordId(position);
        self.ledger.apply(at, |batch| batch.add_finding(at, &finding)).unwrap();
        finding
    }
}

fn reviewer(site: &Site) -> Key {
    site.token(&[Scope::FindingsRead, Scope::FindingsReview, Scope::AuditsRead])
}

#[tokio::test]
async fn an_exception_classifies_as_many_as_its_preview_counted() {
    let site = Site::new();
    let key = reviewer(&site);
    let play = |position: u64, days: i64| {
        for (offset, subject) in (0..).zip(["tanaka", "tanabe", "yamada"]) {
            site.find(position + offset, subject, now() + TimeDelta::days(days));
        }
    };
    play(2000, -3);
    play(2010, -2);
    play(2020, -91);
    let preview = site.send_json("/api/v1/exceptions:preview", &key, &wish()).await.json();
    assert_eq!((&preview["count"], &preview["need_person"], &preview["days"]), (&json!(4), &json!(4), &json!(90)));
    assert_eq!(preview["items"].as_array().unwrap().len(), 4);
    let granted = site.send_json(WISH, &key, &wish()).await;
    assert_eq!(granted.status, StatusCode::CREATED, "{}", granted.text);
    let granted = granted.json();
    let id = granted["id"].as_str().unwrap();
    assert_eq!(granted["until"], "2027-03-31T15:00:00Z", "to the end of that day");
    play(3000, 1);
    play(3010, 2);
    let of = format!("/api/v1/findings?exception={id}");
    let classified = site.get(&of, &key).await.json();
    assert_eq!(classified["total"]["value"], preview["count"]);
    assert_eq!(classified["items"][0]["classified"], id);
    assert_eq!(classified["items"][0]["status"], "open");
    let rest = site.get("/api/v1/findings?classified=false", &key).await.json();
    assert_eq!(rest["total"]["value"], 15 + 1 - 4, "nothing is hidden");
    let listed = site.get(WISH, &key).await.json();
    assert_eq!((&listed["items"][0]["in_force"], &listed["items"][0]["owner"]), (&json!(true), &json!("佐藤")));

    let end = format!("{WISH}/{id}/end");
    assert_eq!(site.send_json(&end, &key, &json!({})).await.status, StatusCode::BAD_REQUEST);
    let ended = site.send_json(&end, &key, &json!({ "reason": "当番の終わり" })).await.json();
    assert_eq!(ended["ended"]["reason"], "当番の終わり");
    assert_eq!(site.send_json(&end, &key, &json!({ "reason": "もう一度" })).await.status, StatusCode::CONFLICT);
    play(4000, 3);
    assert_eq!(site.get(&of, &key).await.json()["total"]["value"], preview["count"]);
    let deeds = site.deeds();
    let told =
        |kind: fn(&Deed) -> bool| deeds.iter().filter(|(by, deed)| by.starts_with("token:") && kind(deed)).count();
    assert_eq!(told(|deed| matches!(deed, Deed::ExceptionGranted { .. })), 1);
    assert_eq!(told(|deed| matches!(deed, Deed::ExceptionEnded { .. })), 1);
}

#[tokio::test]
async fn a_wish_that_cannot_be_taken_is_refused_in_words() {
    let site = Site::new();
    let key = reviewer(&site);
    for (name, value) in [
        ("rule", "XX-99"),
        ("subject", ""),
        ("subject", "*"),
        ("network", "どこか"),
        ("reason", " "),
        ("owner", ""),
        ("until", ""),
        ("until", "来年"),
        ("until", "2026-11-01"),
        ("until", "2027-11-21"),
        ("from", "2027-04-01"),
        ("from", "2025-12-01"),
    ] {
        let mut body = wish();
        body[name] = json!(value);
        let reply = site.send_json(WISH, &key, &body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{name}={value} {}", reply.text);
        assert!(!reply.json()["detail"].as_str().unwrap().is_ascii(), "{name}={value}");
    }
    let mut longest = wish();
    longest["until"] = json!("2027-11-20");
    assert_eq!(site.send_json(WISH, &key, &longest).await.status, StatusCode::CREATED);
    assert_eq!(site.send_json(WISH, &key, &wish()).await.status, StatusCode::CONFLICT, "it is covered already");
    let reader = site.token(&[Scope::FindingsRead]);
    for address in [WISH, "/api/v1/exceptions:preview", "/api/v1/disasters"] {
        assert_eq!(site.send_json(address, &reader, &wish()).await.status, StatusCode::FORBIDDEN, "{address}");
    }
    assert_eq!(site.get(WISH, &reader).await.status, StatusCode::OK);
    assert_eq!(site.send_json(&format!("{WISH}/EX-0/end"), &key, &json!({})).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_disaster_is_declared_once_and_ended() {
    let site = Site::new();
    let key = reviewer(&site);
    let address = "/api/v1/disasters";
    for body in [
        json!({ "reason": "" }),
        json!({ "reason": "停電", "from": "2026-11-21T00:00" }),
        json!({ "reason": "停電", "from": "2026-11-20T00:00", "until": "2027-01-01" }),
    ] {
        assert_eq!(site.send_json(address, &key, &body).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let declared = site.send_json(address, &key, &json!({ "reason": "停電", "from": "2026-11-19T18:00" })).await;
    assert_eq!(declared.status, StatusCode::CREATED);
    assert_eq!(declared.json()["until"], "2026-12-20T09:00:00Z", "it ends by itself");
    assert_eq!(site.send_json(address, &key, &json!({ "reason": "地震" })).await.status, StatusCode::CONFLICT);
    let end = format!("{address}/{}/end", declared.json()["id"].as_str().unwrap());
    let ended = site.send_json(&end, &key, &json!({ "reason": "復電" })).await.json();
    assert_eq!(ended["until"], json!(now()));
    assert_eq!(site.send_json(&end, &key, &json!({ "reason": "復電" })).await.status, StatusCode::CONFLICT);
    assert_eq!(site.get(address, &key).await.json()["total"]["value"], 1);
}

#[tokio::test]
async fn the_pages_lead_from_a_finding_to_its_exception_and_back() {
    let site = Site::new();
    let key = site.login("山田", Role::Reviewer).await;
    let found = site.find(2000, "tanaka", now() - TimeDelta::days(3));
    let page = site.get(&format!("/findings/{}", found.id), &key).await.text;
    assert!(page.contains("/exceptions/new?rule=VP-01&#38;subject=tanaka\""), "{page}");
    let form = site.get("/exceptions/new?rule=VP-01&subject=tanaka", &key).await.text;
    assert!(form.contains("過去 90 日に 1 件、うち人の判断が必要だったもの 1 件"), "{form}");
    let wanted = |reason: &str| {
        format!("rule=VP-01&subject=tanaka&reason={}&owner={}&until=2026-12-10", percent(reason), percent("佐藤"))
    };
    let refused = site.post("/exceptions/new", &key, &wanted("")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text.contains("理由を書いてください") && refused.text.contains("value=\"tanaka\""));
    let shown = site.post("/exceptions/new", &key, &wanted("当番")).await;
    assert!(
        shown.text.contains("この内容で登録する") && shown.text.contains("tanaka が接続しました"),
        "{}",
        shown.text
    );
    assert!(
        site.deeds().iter().all(|(_, deed)| !matches!(deed, Deed::ExceptionGranted { .. })),
        "nothing is decided yet"
    );
    let granted = site.post("/exceptions/grant", &key, &wanted("当番")).await;
    assert_eq!(granted.status, StatusCode::SEE_OTHER);

    let covered = site.find(3000, "tanaka", now() + TimeDelta::days(1));
    let page = site.get(&format!("/findings/{}", covered.id), &key).await.text;
    assert!(page.contains("により自動分類しています（期限 2026/12/10、責任者 佐藤、理由 当番）"), "{page}");
    let queue = site.get("/findings", &key).await.text;
    assert!(queue.contains("例外により自動分類 1") && !queue.contains(covered.id.as_str()), "{queue}");
    assert!(site.get("/findings?status=classified", &key).await.text.contains(covered.id.as_str()));
    assert!(site.get("/findings?status=all", &key).await.text.contains(covered.id.as_str()));
    assert!(site.get("/", &key).await.text.contains("の期限まで"), "the dashboard tells what is about to expire");
    assert!(site.get("/trail", &key).await.text.contains("例外の登録"));

    site.clock.set(now() + TimeDelta::minutes(10));
    let sheet = site.get("/audits/2026-11?print=1", &key).await.text;
    for expected in ["付録B", "VP-01　tanaka", "当番", "佐藤", "〜 2026/12/10", "期限まで 30 日以内", "要判断件数"]
    {
        assert!(sheet.contains(expected), "{expected}: {sheet}");
    }
}

#[tokio::test]
async fn what_is_written_into_an_exception_is_no_markup() {
    let site = Site::new();
    let key = site.login("山田", Role::Admin).await;
    let hostile = percent(HOSTILE);
    let wanted =
        format!("rule=VP-01&subject={hostile}&object={hostile}&reason={hostile}&owner={hostile}&until=2026-12-10");
    let mut texts = vec![site.post("/exceptions/new", &key, &wanted).await.text];
    assert_eq!(site.post("/exceptions/grant", &key, &wanted).await.status, StatusCode::SEE_OTHER);
    assert_eq!(site.post("/disasters", &key, &format!("reason={hostile}")).await.status, StatusCode::SEE_OTHER);
    let refused = site.post("/disasters", &key, "reason=x").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    texts.push(refused.text);
    for path in [
        "/exceptions",
        "/",
        "/trail",
        "/audits/2026-11?print=1",
        &format!("/exceptions/new?rule={hostile}&subject={hostile}"),
    ] {
        texts.push(site.get(path, &key).await.text);
    }
    for text in texts {
        assert!(!text.contains("<script") && !text.contains(" style="), "{text}");
    }
    let viewer = site.login("鈴木", Role::Viewer).await;
    let page = site.get("/exceptions", &viewer).await;
    assert!(page.status == StatusCode::OK && !page.text.contains("<form method=\"post\" action=\"/disasters"));
    assert_eq!(site.post("/exceptions/grant", &viewer, &wanted).await.status, StatusCode::FORBIDDEN);
}
