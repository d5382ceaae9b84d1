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
async fn secrets_do_not_leave_over_the_api() {
    let site = Site::new();
    let key = all(&site);
    for address in ["/api/v1/events?q=user:sato_k", "/api/v1/events/1-0"] {
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
