//! What clients of Elasticsearch see.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use monban_event::{Format, SinkRefused};
use serde_json::{Value, json};

use super::ingest::{deliver, gzip};
use super::{Key, Reply, Site};
use crate::auth::role::Scope;

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

async fn ask(site: &Site, method: &str, address: &str, authorization: Option<&str>, body: &str) -> Reply {
    let mut request = Request::builder().method(method).uri(address);
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let request = request.header(header::CONTENT_TYPE, "application/json");
    Reply::of(site.send(request.body(Body::from(body.to_owned())).unwrap()).await).await
}

fn token(site: &Site) -> String {
    let Key::Bearer(token) = site.token(&[Scope::Ingest]) else { unreachable!("tokens are bearers") };
    token
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[tokio::test]
async fn documents_are_kept_as_they_came_and_each_is_answered() {
    let site = Site::new();
    let body = "{\"index\":{\"_index\":\"win\",\"_id\":\"a1\"}}\n{\"message\": \"<34>one\"}\n\
        {\"create\":{\"_index\":null,\"_type\":\"_doc\"}}\r\n{\"two\":[1,2]}\r\n\
        {\"delete\":{\"_index\":\"win\",\"_id\":\"a1\"}}\n\
        {\"update\":{\"_id\":\"a2\"}}\n{\"doc\":{}}\n\
        {\"index\":{\"_id\":\"a3\"}}\nnot json\n\
        {\"index\":{}}\n[1]\n\
        {\"index\":{}}\n{\"three\":3}";
    for address in ["/_bulk", "/es/_bulk", "/logs/_bulk", "/es/logs/_bulk"] {
        site.kept.records.lock().unwrap().clear();
        let reply = deliver(&site, address, &[NDJSON], body).await;
        assert_eq!(reply.status, StatusCode::OK, "{address} {}", reply.text);
        assert_eq!(reply.header("x-elastic-product"), "Elasticsearch");
        let answer = reply.json();
        assert!(answer["took"].is_u64() && answer["errors"] == true);
        let items = answer["items"].as_array().unwrap();
        let said: Vec<(&str, u64)> = items
            .iter()
            .map(|item| {
                let (verb, said) = item.as_object().unwrap().iter().next().unwrap();
                (verb.as_str(), said["status"].as_u64().unwrap())
            })
            .collect();
        let expected = [
            ("index", 201),
            ("create", 201),
            ("delete", 400),
            ("update", 400),
            ("index", 400),
            ("index", 400),
            ("index", 201),
        ];
        assert_eq!(said, expected);
        assert_eq!(items[0]["index"]["_index"], "win");
        assert_eq!((&items[0]["index"]["_id"], &items[0]["index"]["result"]), (&json!("a1"), &json!("created")));
        assert_eq!(items[1]["create"]["_id"], "2-0", "the event's own");
        assert_eq!(items[6]["index"]["_id"], "3-0");
        assert!(items[2]["delete"]["error"]["reason"].as_str().unwrap().contains("変更も削除も"));
        assert_eq!(items[4]["index"]["error"]["type"], "document_parsing_exception");
        assert_eq!(site.kept.texts(), ["{\"message\": \"<34>one\"}", "{\"two\":[1,2]}", "{\"three\":3}"]);
        assert!(site.kept.records.lock().unwrap().iter().all(|record| record.format == Format::Json));
    }
}

#[tokio::test]
async fn a_repeated_id_is_another_document() {
    let site = Site::new();
    let body = "{\"create\":{\"_id\":7}}\n{\"n\":1}\n".repeat(2);
    let reply = deliver(&site, "/es/logs/_bulk", &[NDJSON, ("content-encoding", "gzip")], gzip(body.as_bytes())).await;
    assert_eq!(reply.json()["errors"], false, "{}", reply.text);
    assert_eq!(reply.json()["items"][1]["create"]["_id"], "7");
    assert_eq!(site.kept.count(), 2);
}

#[tokio::test]
async fn an_action_that_cannot_be_read_refuses_all_and_names_its_line() {
    let site = Site::new();
    let fine = "{\"index\":{}}\n{\"a\":1}\n";
    for (body, line) in [
        (format!("{fine}hello\n{{}}\n"), "3 行目"),
        (format!("{fine}{{\"index\":{{}}}}\n"), "4 行目"),
        (format!("{fine}{{\"remove\":{{}}}}\n"), "3 行目"),
        (format!("{fine}{{}}\n"), "3 行目"),
        (format!("{fine}{{\"index\":{{}},\"create\":{{}}}}\n{{}}\n"), "3 行目"),
        (format!("{fine}{{\"index\":{{\"_id\":\"{}\"}}}}\n{{}}\n", "x".repeat(10_000)), "3 行目"),
        (String::new(), "空"),
    ] {
        let reply = deliver(&site, "/_bulk", &[NDJSON], body.clone()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(reply.json()["error"]["reason"].as_str().unwrap().contains(line), "{}", reply.text);
        assert_eq!((&reply.json()["status"], reply.header("x-elastic-product")), (&json!(400), "Elasticsearch"));
    }
    assert_eq!(site.kept.count(), 0);
}

#[tokio::test]
async fn a_document_beyond_the_bound_costs_only_itself() {
    let site = Site::new();
    let body = format!("{{\"index\":{{}}}}\n{{\"a\":\"{}\"}}\n{{\"index\":{{}}}}\n{{\"b\":1}}\n", "x".repeat(1 << 20));
    let reply = deliver(&site, "/_bulk", &[NDJSON], body).await;
    let items = reply.json()["items"].clone();
    assert_eq!((&items[0]["index"]["status"], &items[1]["index"]["status"]), (&json!(400), &json!(201)));
    assert_eq!(site.kept.texts(), ["{\"b\":1}"]);
}

#[tokio::test]
async fn refusals_are_worded_as_clients_read_them() {
    let site = Site::new();
    *site.kept.refusal.lock().unwrap() = Some(SinkRefused::QueueFull);
    let full = deliver(&site, "/_bulk", &[NDJSON], "{\"index\":{}}\n{}\n").await;
    assert_eq!((full.status.as_u16(), full.header("retry-after")), (503, "2"));
    assert_eq!(full.json()["error"]["type"], "unavailable_shards_exception");
    let form = deliver(&site, "/_bulk", &[("content-type", "text/csv")], "x").await;
    assert_eq!((form.status.as_u16(), form.json()["status"].as_u64()), (415, Some(415)));
    let nowhere = ask(&site, "GET", "/es/logs/_search", Some(&format!("Bearer {}", token(&site))), "").await;
    assert_eq!((nowhere.status.as_u16(), nowhere.json()["status"].as_u64()), (404, Some(404)));
    let stranger = ask(&site, "GET", "/es/", None, "").await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    let schemes: Vec<_> = stranger.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(schemes.len(), 3, "{schemes:?}");
    assert_eq!(stranger.json()["error"]["type"], "security_exception");
}

#[tokio::test]
async fn tokens_are_carried_in_every_way_clients_know() {
    let site = Site::new();
    let token = token(&site);
    let ways = [
        format!("Bearer {token}"),
        format!("Basic {}", base64(&format!("fluentbit:{token}"))),
        format!("ApiKey {}", base64(&format!("id:{token}"))),
    ];
    for way in &ways {
        for (method, address) in [("GET", "/"), ("HEAD", "/"), ("GET", "/es"), ("GET", "/es/"), ("HEAD", "/es/")] {
            let reply = ask(&site, method, address, Some(way), "").await;
            assert_eq!(
                (reply.status, reply.header("x-elastic-product")),
                (StatusCode::OK, "Elasticsearch"),
                "{way} {address}"
            );
            assert!(method == "HEAD" || reply.json()["version"]["number"].as_str().unwrap().starts_with("8."));
        }
        let reply = ask(&site, "POST", "/api/v1/ingest/json", Some(way), "{}").await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{way}");
    }
    let Key::Bearer(reader) = site.token(&[Scope::InventoryRead]) else { unreachable!("tokens are bearers") };
    for way in [format!("Bearer {reader}"), format!("Basic {}", base64(&format!("x:{reader}")))] {
        assert_eq!(ask(&site, "GET", "/es/", Some(&way), "").await.status, StatusCode::FORBIDDEN);
    }
    let basic = format!("Basic {}", base64(&format!("x:{reader}")));
    assert_eq!(ask(&site, "GET", "/api/v1/sources", Some(&basic), "").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_clients_ask_first_is_answered_and_nothing_is_kept() {
    let site = Site::new();
    let way = format!("Bearer {}", token(&site));
    for prefix in ["", "/es"] {
        for (method, address) in [
            ("GET", "/_license"),
            ("GET", "/_xpack"),
            ("GET", "/_cluster/health"),
            ("GET", "/_nodes/http"),
            ("GET", "/_ilm/policy/winlogbeat"),
            ("PUT", "/_ilm/policy/winlogbeat"),
            ("HEAD", "/_index_template/logs"),
            ("PUT", "/_index_template/logs"),
            ("GET", "/_component_template/logs"),
            ("GET", "/_template/logstash"),
            ("PUT", "/_template/logstash"),
            ("PUT", "/_ingest/pipeline/p"),
            ("GET", "/_data_stream/logs"),
            ("HEAD", "/_alias/logs"),
        ] {
            let reply = ask(&site, method, &format!("{prefix}{address}"), Some(&way), "{\"settings\":{}}").await;
            assert_eq!(reply.status, StatusCode::OK, "{method} {prefix}{address} {}", reply.text);
            assert_eq!(reply.header("x-elastic-product"), "Elasticsearch");
            assert!(method != "PUT" || reply.json()["acknowledged"] == true);
        }
    }
    assert_eq!(ask(&site, "HEAD", "/es/logs", Some(&way), "").await.status, StatusCode::OK);
    assert_eq!(ask(&site, "GET", "/_license", Some(&way), "").await.json()["license"]["status"], "active");
    assert_eq!(site.kept.count(), 0);
}

#[tokio::test]
async fn a_document_by_itself_is_created() {
    let site = Site::new();
    let way = format!("Bearer {}", token(&site));
    for (method, address, id) in [
        ("POST", "/es/logs/_doc", "1-0"),
        ("PUT", "/logs/_doc/a%20b", "a b"),
        ("PUT", "/es/logs/_create/c", "c"),
        ("POST", "/logs/_create/d", "d"),
    ] {
        let reply = ask(&site, method, address, Some(&way), "{\n \"a\": 1\n}\n").await;
        assert_eq!(reply.status, StatusCode::CREATED, "{address} {}", reply.text);
        let said: Value = reply.json();
        assert_eq!((&said["_id"], &said["_index"], &said["result"]), (&json!(id), &json!("logs"), &json!("created")));
    }
    assert_eq!(site.kept.texts(), vec!["{\n \"a\": 1\n}"; 4]);
    for body in ["", "[", "{} {}", "3"] {
        let reply = ask(&site, "POST", "/es/logs/_doc", Some(&way), body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{body}");
    }
}

#[tokio::test]
async fn the_page_at_the_door_stays_a_page() {
    let site = Site::new();
    assert_eq!(ask(&site, "GET", "/", None, "").await.header("location"), "/login");
    let wrong = ask(&site, "GET", "/", Some("Basic eDp5"), "").await;
    assert_eq!((wrong.status.as_u16(), wrong.json()["status"].as_u64()), (401, Some(401)));
}
