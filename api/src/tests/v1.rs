//! What machines get.

use axum::http::StatusCode;
use monban_event::time::Month;
use serde_json::json;

use super::{Key, Site};
use crate::auth::role::Scope;
use monban_audit::percent;

fn all(site: &Site) -> Key {
    site.token(&Scope::ALL)
}

#[tokio::test]
async fn what_proves_the_journal_can_be_fetched_and_checked() {
    let site = Site::new();
    let heads = site.get("/api/v1/integrity/heads", &all(&site)).await.json();
    assert_eq!(heads["receipt"]["last"], 7);
    assert_eq!(heads["receipt"]["value"].as_str().map(str::len), Some(24));
    assert_eq!(heads["checkpoint"]["begun"], "fresh");
    assert_eq!(heads["first_public_key"], "aa".repeat(32));
    let told = site.get("/api/v1/integrity/verify?from=2026-10-01T00:00:00%2B09:00", &all(&site)).await.json();
    assert_eq!((told["last"].as_u64(), told["faults"].as_array().map(Vec::len)), (Some(7), Some(0)));
    let health = site.get("/health", &all(&site)).await;
    assert!(health.text.contains("改ざん検知の鎖"), "the page shows the value to write down");
}

#[tokio::test]
async fn a_wrong_query_is_a_problem_with_its_place() {
    let site = Site::new();
    let reply = site.get("/api/v1/events?q=usr:tanaka", &all(&site)).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let body = reply.json();
    assert_eq!(body["detail"], "1文字目: 「usr」という項目はありません。");
    assert_eq!(body["instance"], "/api/v1/events");
    assert_eq!(body["request_id"], reply.header("x-request-id"));
    let error = &body["errors"][0];
    assert_eq!((&error["from"], &error["to"], &error["code"]), (&json!(0), &json!(3), &json!("unknown_field")));
    assert_eq!(error["fix"]["q"], "user:tanaka");
}

#[tokio::test]
async fn events_come_page_by_page_without_gap_or_repeat() {
    let site = Site::new();
    let key = all(&site);
    let mut seen = Vec::new();
    let mut address = "/api/v1/events?q=user:suzuki&limit=33".to_owned();
    loop {
        let body = site.get(&address, &key).await.json();
        assert_eq!(body["total"], json!({ "value": 80, "relation": "eq" }));
        seen.extend(body["items"].as_array().unwrap().iter().map(|item| item["event.id"].as_str().unwrap().to_owned()));
        let Some(next) = body["next_cursor"].as_str() else { break };
        address = format!("/api/v1/events?q=user:suzuki&limit=33&cursor={}", percent(next));
    }
    let mut distinct = seen.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!((seen.len(), distinct.len()), (80, 80));
}

#[tokio::test]
async fn the_oldest_can_come_first() {
    let site = Site::new();
    let key = all(&site);
    let ids = |body: serde_json::Value| -> Vec<String> {
        body["items"].as_array().unwrap().iter().map(|item| item["event.id"].as_str().unwrap().to_owned()).collect()
    };
    let first = site.get("/api/v1/events?sort=time&limit=2", &key).await.json();
    assert_eq!(ids(first.clone()), ["4-0", "100-0"]);
    let next = percent(first["next_cursor"].as_str().unwrap());
    let second = site.get(&format!("/api/v1/events?sort=time&limit=2&cursor={next}"), &key).await.json();
    assert_eq!(ids(second), ["101-0", "102-0"]);
    assert_eq!(site.get("/api/v1/events?sort=user", &key).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_long_query_goes_into_the_body() {
    let site = Site::new();
    let key = all(&site);
    let users = (0..700).map(|number| format!("user{number}")).collect::<Vec<_>>().join(" OR ");
    let post = |body: String| {
        let request = axum::http::Request::post("/api/v1/search").header("content-type", "application/json");
        key.sign(request).body(axum::body::Body::from(body)).unwrap()
    };
    let body = json!({ "q": format!("user:({users} OR suzuki)"), "limit": 3 }).to_string();
    let reply = super::Reply::of(site.send(post(body)).await).await;
    assert_eq!((reply.status, &reply.json()["total"]["value"]), (StatusCode::OK, &json!(80)), "{}", reply.text);
    let wrong = super::Reply::of(site.send(post("{\"q\":".to_owned())).await).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(wrong.header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn nothing_found_says_what_less_would_find() {
    let site = Site::new();
    let key = all(&site);
    let query = percent("user:suzuki action:logout");
    let body = site.get(&format!("/api/v1/events?q={query}"), &key).await.json();
    assert_eq!((&body["total"]["value"], &body["hints"][0]["count"]), (&json!(0), &json!(80)));
    assert_eq!(body["hints"][0]["text"], "action:logout を外すと 80 件");
    assert_eq!(body["hints"][0]["q"], "user:suzuki");
    let day = "from=2026-11-20T00:00:00%2B09:00&to=2026-11-20T08:41:00%2B09:00";
    let body = site.get(&format!("/api/v1/events?q=user:suzuki&{day}"), &key).await.json();
    let texts: Vec<&str> =
        body["hints"].as_array().unwrap().iter().map(|hint| hint["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["user:suzuki を外すと 3 件", "過去30日では 80 件"]);
}

#[tokio::test]
async fn every_event_comes_as_lines_and_as_a_spreadsheet() {
    let site = Site::new();
    let key = all(&site);
    let lines = site.get("/api/v1/events/stream?q=user:suzuki", &key).await;
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    assert_eq!(lines.text.lines().count(), 80);
    assert!(
        lines
            .text
            .lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["user.name"] == "suzuki")
    );
    let sheet = site.get("/api/v1/events/stream?form=csv&cols=%E6%97%A5%E6%99%82,user,msg&sort=time", &key).await;
    assert_eq!(sheet.header("content-type"), "text/csv; charset=utf-8");
    assert!(sheet.header("content-disposition").contains("monban-events.csv"));
    assert!(sheet.text.starts_with("\u{feff}日時,user,msg\r\n2026/10/10 01:00:00,yamada,"), "{}", sheet.text);
    assert_eq!(sheet.text.matches("\r\n").count(), 85);
    assert!(!sheet.text.contains("geheim"));
    let request = key.sign(axum::http::Request::get("/api/v1/events?q=user:suzuki")).header("accept", "text/csv");
    let accepted = super::Reply::of(site.send(request.body(axum::body::Body::empty()).unwrap()).await).await;
    assert_eq!(accepted.text.matches("\r\n").count(), 81);
    let exported: Vec<String> = site
        .deeds()
        .into_iter()
        .filter_map(|(_, deed)| match deed {
            monban_event::act::Deed::Exported { what, form, events } => Some(format!("{form} {what} {events:?}")),
            _ => None,
        })
        .collect();
    assert_eq!(exported.len(), 3);
    assert!(exported[0].starts_with("jsonl 検索 user:suzuki") && exported[0].ends_with("Some(80)"), "{exported:?}");
    for wrong in ["q=usr:a", "form=xls", "cols=usr"] {
        let reply = site.get(&format!("/api/v1/events/stream?{wrong}"), &key).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn what_surrounds_an_event_is_given_on_both_sides() {
    let site = Site::new();
    let key = all(&site);
    let body = site.get("/api/v1/events/2-0/context?minutes=5", &key).await.json();
    assert_eq!(body["event"]["event.id"], "2-0");
    assert_eq!(body["after"].as_array().unwrap().len(), 1);
    assert_eq!(body["after"][0]["event.id"], "1-0");
    assert_eq!((&body["before"], &body["before_more"]), (&json!([]), &json!(false)));
    let crowd = site.get("/api/v1/events/140-0/context", &key).await.json();
    assert_eq!((crowd["before"].as_array().unwrap().len(), crowd["after"].as_array().unwrap().len()), (40, 39));
    for address in ["/api/v1/events/2-0/context?minutes=0", "/api/v1/events/2-0/context?minutes=61"] {
        assert_eq!(site.get(address, &key).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(site.get("/api/v1/events/9999-0/context", &key).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn secrets_do_not_leave_over_the_api() {
    let site = Site::new();
    let key = all(&site);
    for address in [
        "/api/v1/events?q=user:sato_k",
        "/api/v1/events/1-0",
        "/api/v1/events/1-0/context",
        "/api/v1/events/stream?q=user:sato_k",
    ] {
        let reply = site.get(address, &key).await;
        assert_eq!(reply.status, StatusCode::OK);
        assert!(!reply.text.contains("geheim"), "{}", reply.text);
        assert!(reply.text.contains("******"));
    }
}

#[tokio::test]
async fn bad_parameters_are_refused_in_japanese() {
    let site = Site::new();
    let key = all(&site);
    for address in [
        "/api/v1/events?limit=1001",
        "/api/v1/events?limit=x",
        "/api/v1/events?cursor=x",
        "/api/v1/events?from=yesterday",
        "/api/v1/search/facets?fields=no.such",
        "/api/v1/search/facets?top=1000",
        "/api/v1/search/histogram?from=2026-11-01&to=2026-11-20&interval=1s",
        "/api/v1/search/histogram",
        "/api/v1/findings?status=gone",
        "/api/v1/audits/summaries?period=10",
    ] {
        let reply = site.get(address, &key).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{address} {}", reply.text);
        assert!(!reply.json()["detail"].as_str().unwrap().is_empty(), "{address}");
    }
    assert_eq!(site.get("/api/v1/nothing", &key).await.json()["status"], 404);
}

#[tokio::test]
async fn facets_and_bars_count_what_the_search_finds() {
    let site = Site::new();
    let key = all(&site);
    let body = site.get("/api/v1/search/facets?fields=user.name,event.outcome&top=1", &key).await.json();
    assert_eq!(body["facets"][0]["values"], json!([{ "value": "suzuki", "count": 80 }]));
    assert_eq!(body["facets"][0]["others"], 3);
    let address =
        "/api/v1/search/histogram?q=user:suzuki&from=2026-11-19T00:00:00%2B09:00&to=2026-11-20T00:00:00%2B09:00";
    let buckets = site.get(address, &key).await.json()["buckets"].as_array().unwrap().clone();
    assert_eq!(buckets.len(), 24);
    assert_eq!(buckets[12], json!({ "start": "2026-11-19T03:00:00.000000Z", "count": 80 }));
}

#[tokio::test]
async fn a_query_can_be_tried_without_searching() {
    let site = Site::new();
    let key = all(&site);
    let good = site.get("/api/v1/search/validate?q=user:tanaka", &key).await.json();
    assert_eq!(good["valid"], true);
    assert!(good["explanation"].as_str().unwrap().contains("tanaka"));
    let bad = site.get("/api/v1/search/validate?q=user:(a", &key).await.json();
    assert_eq!((&bad["valid"], &bad["errors"][0]["code"]), (&json!(false), &json!("unclosed_paren")));
}

#[tokio::test]
async fn a_review_by_the_api_is_refused_when_somebody_was_faster() {
    let site = Site::new();
    let key = all(&site);
    let address = format!("/api/v1/findings/{}", site.finding);
    let before = site.get(&address, &key).await;
    let tag = before.header("etag").to_owned();
    assert_eq!(before.json()["status"], "open");
    let first = site.patch(&address, &key, r#"{"status":"action_needed","note":"確認中"}"#, Some(&tag)).await;
    assert_eq!((first.status, &first.json()["status"]), (StatusCode::OK, &json!("action_needed")));
    let second = site.patch(&address, &key, r#"{"status":"resolved","reason":"誤検知"}"#, Some(&tag)).await;
    assert_eq!(second.status, StatusCode::PRECONDITION_FAILED);
    let bare = site.patch(&address, &key, r#"{"status":"resolved"}"#, None).await;
    assert_eq!(bare.status, StatusCode::BAD_REQUEST);
    let unknown = site.patch(&address, &key, r#"{"status":"resolved","reason":"なんとなく"}"#, None).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    let same = site.patch(&address, &key, r#"{"status":"action_needed"}"#, None).await;
    assert_eq!(same.status, StatusCode::CONFLICT);
    let done = site.patch(&address, &key, r#"{"status":"resolved","reason":"誤検知"}"#, Some("*")).await;
    assert_eq!(done.json()["reviews"].as_array().unwrap().len(), 2);
    let gone = site.patch("/api/v1/findings/none", &key, r#"{"status":"open"}"#, None).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_months_figures_can_be_counted_again_over_the_api() {
    let site = Site::new();
    let key = all(&site);
    let month = Month::parse("2026-11").unwrap();
    let body = site.get(&format!("/api/v1/audits/summaries?period={month}"), &key).await.json();
    let mut checked = 0;
    for figure in body["figures"].as_array().unwrap() {
        let (Some(query), Some(value)) = (figure["query"].as_str(), figure["value"].as_u64()) else { continue };
        let address = format!(
            "/api/v1/events?limit=1&q={}&from=2026-11-01T00:00:00%2B09:00&to=2026-12-01T00:00:00%2B09:00",
            percent(query)
        );
        assert_eq!(site.get(&address, &key).await.json()["total"]["value"], value, "{}", figure["id"]);
        checked += 1;
    }
    assert!(checked >= 5, "{checked}");
}

#[tokio::test]
async fn the_description_names_every_address_there_is() {
    let site = Site::new();
    let body = site.get("/api/v1/openapi.json", &all(&site)).await.json();
    let mut described: Vec<String> =
        body["paths"].as_object().unwrap().keys().map(|path| format!("/api/v1{path}")).collect();
    let mut offered: Vec<String> = crate::routes::gated_addresses()
        .into_iter()
        .map(|(path, _)| path.to_owned())
        .filter(|path| path.starts_with("/api/v1/") && !path.ends_with("openapi.json"))
        .collect();
    described.sort();
    offered.sort();
    assert_eq!(described, offered);
    let reasons = &body["components"]["schemas"]["Decision"]["properties"]["reason"]["enum"];
    let known: Vec<&str> = reasons.as_array().unwrap().iter().skip(1).map(|reason| reason.as_str().unwrap()).collect();
    assert_eq!(known, crate::view::words::REASONS);
}
