//! Who is let in, and who is not.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use chrono::TimeDelta;
use monban_event::act::Deed;

use super::{Key, PASSWORD, Site, credentials, now};
use crate::auth::role::{Role, Scope};
use crate::routes::gated_addresses;

fn real(path: &str, site: &Site) -> String {
    let id = if path.contains("findings") { site.finding.to_string() } else { "1-0".to_owned() };
    let parts = path.split('/').map(|part| match part {
        _ if !part.starts_with('{') => part,
        "{month}" => "2026-10",
        _ => id.as_str(),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Addresses that only take POST are asked that way.
async fn ask(site: &Site, path: &str, key: &Key) -> super::Reply {
    let address = real(path, site);
    if path == "/api/v1/search" {
        let request = key.sign(axum::http::Request::post(address)).header("content-type", "application/json");
        return super::Reply::of(site.send(request.body(axum::body::Body::from("{}")).unwrap()).await).await;
    }
    if path.ends_with("/_doc")
        || path.ends_with("/_bulk")
        || path.contains("/ingest/")
        || path.ends_with("/review")
        || path == "/logout"
    {
        return site.post(&address, key, "status=open").await;
    }
    site.get(&address, key).await
}

#[tokio::test]
async fn nothing_about_the_hospital_is_served_to_strangers() {
    let site = Site::new();
    let wrong = [
        Key::None,
        Key::Cookie("monban=0123".to_owned()),
        Key::Bearer("monban_abc_def".to_owned()),
        Key::Bearer("x".to_owned()),
    ];
    for (number, (path, _)) in gated_addresses().into_iter().enumerate() {
        // Nobody is told to wait who tries twice a minute.
        site.clock.set(now() + TimeDelta::minutes(i64::try_from(number).unwrap()));
        for key in &wrong {
            let reply = ask(&site, path, key).await;
            let is_door = path == "/" && matches!(key, Key::Bearer(_));
            if is_door || crate::ingest::elastic::is_address(path) {
                assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path} {key:?}");
                assert_eq!(
                    (&reply.json()["status"], reply.header("x-elastic-product")),
                    (&401.into(), "Elasticsearch")
                );
            } else if path.starts_with("/api/") {
                assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path} {key:?}");
                assert_eq!(reply.json()["status"], 401);
                assert_eq!(reply.header("content-type"), "application/problem+json");
            } else {
                assert_eq!(reply.status, StatusCode::SEE_OTHER, "{path} {key:?}");
                assert!(reply.header("location").starts_with("/login"), "{path}");
            }
            assert!(!reply.text.contains("sato_k") && !reply.text.contains("FGT"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_token_opens_only_what_its_scopes_name() {
    let site = Site::new();
    for (path, scope) in gated_addresses() {
        let Some(scope) = scope else { continue };
        let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        let refused = ask(&site, path, &site.token(&others)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        let allowed = ask(&site, path, &site.token(&[scope])).await;
        assert!(![401, 403, 303].contains(&allowed.status.as_u16()) || path.ends_with("/review"), "{path} {allowed:?}");
        assert!(!allowed.status.is_server_error(), "{path} {}", allowed.text);
    }
}

#[tokio::test]
async fn a_token_that_hands_in_logs_does_nothing_else() {
    let site = Site::new();
    let key = site.token(&[Scope::Ingest]);
    for (path, scope) in gated_addresses() {
        if scope == Some(Scope::Ingest) || path == "/" {
            continue;
        }
        assert_eq!(ask(&site, path, &key).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let finding = format!("/api/v1/findings/{}", site.finding);
    let refused = site.patch(&finding, &key, r#"{"status":"action_needed"}"#, None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let door = site.get("/", &key).await;
    assert_eq!(door.json()["tagline"], "You Know, for Search", "what a client of Elasticsearch asks first");
}

#[tokio::test]
async fn wrong_tokens_are_counted_told_and_stopped_and_right_ones_are_not() {
    let site = Site::new();
    let right = site.token(&[Scope::InventoryRead]);
    let wrong = Key::Bearer("monban_abc_geheim".to_owned());
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(site.get("/api/v1/sources", &wrong).await.status.as_u16());
    }
    let (refused, stopped) = statuses.split_at(30);
    assert!(refused.iter().all(|status| *status == 401) && stopped.iter().all(|status| *status == 429), "{statuses:?}");
    let stopped = site.get("/api/v1/sources", &wrong).await;
    assert_eq!(stopped.header("retry-after"), "60");
    assert_eq!(site.get("/api/v1/sources", &right).await.status, StatusCode::OK, "whoever shares the address");
    let told: Vec<_> = site.deeds().into_iter().filter(|(_, deed)| matches!(deed, Deed::LoginRefused { .. })).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(!format!("{told:?}").contains("geheim"));
    site.clock.set(now() + TimeDelta::minutes(2));
    assert_eq!(site.get("/api/v1/sources", &wrong).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn viewers_see_everything_and_decide_nothing() {
    let site = Site::new();
    let key = site.login("hanako", Role::Viewer).await;
    for (path, scope) in gated_addresses() {
        if path == "/logout" {
            continue;
        }
        let reply = ask(&site, path, &key).await;
        let refused = [Some(Scope::FindingsReview), Some(Scope::Ingest)].contains(&scope);
        let expected = if refused { StatusCode::FORBIDDEN } else { StatusCode::OK };
        let status = if path.ends_with("histogram") || path.ends_with("summaries") {
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{path} needs a period");
            continue;
        } else {
            reply.status
        };
        assert_eq!(status, expected, "{path} {}", reply.text);
    }
    let address = format!("/api/v1/findings/{}", site.finding);
    let refused = site.patch(&address, &key, r#"{"status":"action_needed"}"#, None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn technicians_see_devices_and_no_records() {
    let site = Site::new();
    let key = site.login("gijutsu", Role::Maintenance).await;
    assert_eq!(site.get("/sources", &key).await.status, StatusCode::OK);
    for path in ["/search", "/events/1-0", "/findings", "/audits/2026-10", "/trail", "/api/v1/events"] {
        assert_eq!(site.get(path, &key).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(site.get("/", &key).await.header("location"), "/sources");
}

#[tokio::test]
async fn liveness_and_the_stylesheet_say_nothing_else() {
    let site = Site::new();
    for path in ["/livez", "/readyz", "/healthz"] {
        let reply = site.get(path, &Key::None).await;
        assert_eq!((reply.status, reply.text.as_str()), (StatusCode::OK, "ok\n"), "{path}");
    }
    assert!(site.get("/assets/monban.css", &Key::None).await.header("content-type").starts_with("text/css"));
    assert_eq!(site.get("/nothing", &Key::None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_first_administrator_is_made_once() {
    let site = Site::new();
    let form = |secret: &str, name: &str| format!("secret={secret}&{}", credentials(name, PASSWORD));
    let wrong = site.post("/setup", &Key::None, &form("0000", "eve")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let short = format!("secret={}&name=admin&password=short", site.secret);
    assert!(site.post("/setup", &Key::None, &short).await.text.contains("12 文字以上"));
    let made = site.post("/setup", &Key::None, &form(&site.secret, "admin")).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    assert_eq!(site.get("/health", &made.cookie()).await.status, StatusCode::OK);
    let again = site.post("/setup", &Key::None, &form(&site.secret, "second")).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    let users = site.ledger.read().unwrap().users().unwrap();
    assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["admin"]);
    assert!(users[0].password_hash.starts_with("$argon2id$"));
}

#[tokio::test]
async fn five_failures_close_an_account_for_a_while() {
    let site = Site::new();
    site.user("taro", Role::Reviewer);
    for _ in 0..5 {
        let reply = site.post("/login", &Key::None, &credentials("taro", "まちがった合言葉です")).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    }
    let locked = site.post("/login", &Key::None, &credentials("taro", PASSWORD)).await;
    assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(locked.headers.get(header::SET_COOKIE).is_none());
    site.clock.set(now() + TimeDelta::minutes(16));
    let open = site.post("/login", &Key::None, &credentials("taro", PASSWORD)).await;
    assert_eq!(open.status, StatusCode::SEE_OTHER);
    let refusals = site.deeds().iter().filter(|(_, deed)| matches!(deed, Deed::LoginRefused { .. })).count();
    assert_eq!(refusals, 6);
}

#[tokio::test]
async fn what_was_typed_as_a_name_is_not_kept_unless_it_is_one() {
    let site = Site::new();
    site.post("/login", &Key::None, &credentials("秘密の合言葉", "x")).await;
    assert!(site.deeds().iter().all(|(_, deed)| !format!("{deed:?}").contains("秘密")));
}

#[tokio::test]
async fn sessions_end_by_idleness_and_by_leaving() {
    let site = Site::new();
    let key = site.login("taro", Role::Viewer).await;
    site.clock.set(now() + TimeDelta::minutes(14));
    assert_eq!(site.get("/sources", &key).await.status, StatusCode::OK);
    assert_eq!(site.post("/logout", &key, "").await.header("location"), "/login");
    assert_eq!(site.get("/sources", &key).await.status, StatusCode::SEE_OTHER);
    let reply = site.post("/login", &Key::None, &credentials("taro", PASSWORD)).await;
    let key = reply.cookie();
    site.clock.set(now() + TimeDelta::minutes(30));
    assert_eq!(site.get("/sources", &key).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn revoked_tokens_open_nothing() {
    let site = Site::new();
    let key = site.token(&[Scope::InventoryRead]);
    assert_eq!(site.get("/api/v1/sources", &key).await.status, StatusCode::OK);
    let Key::Bearer(text) = &key else { unreachable!("tokens are bearers") };
    let id = text.split('_').nth(1).unwrap().to_owned();
    site.acts.record("console", Deed::TokenRevoked { id }).unwrap();
    assert_eq!(site.get("/api/v1/sources", &key).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn other_sites_cannot_act_in_a_persons_name() {
    let site = Site::new();
    let key = site.login("taro", Role::Reviewer).await;
    let address = format!("/findings/{}/review", site.finding);
    let request = key
        .sign(Request::post(&address))
        .header("sec-fetch-site", "cross-site")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("status=action_needed"))
        .unwrap();
    assert_eq!(site.send(request).await.status(), StatusCode::FORBIDDEN);
    assert!(site.deeds().iter().all(|(_, deed)| !matches!(deed, Deed::Review { .. })));
}

#[tokio::test]
async fn after_login_one_returns_only_to_this_site() {
    let site = Site::new();
    site.user("taro", Role::Viewer);
    for (next, location) in
        [("%2Fsearch%3Fq%3Da", "/search?q=a"), ("%2F%2Fevil.example", "/"), ("https%3A%2F%2Fx", "/")]
    {
        let form = format!("{}&next={next}", credentials("taro", PASSWORD));
        assert_eq!(site.post("/login", &Key::None, &form).await.header("location"), location);
    }
}

#[tokio::test]
async fn every_answer_carries_the_protecting_headers() {
    let site = Site::new();
    for path in ["/login", "/", "/api/v1/events", "/nothing"] {
        let reply = site.get(path, &Key::None).await;
        assert!(reply.header("content-security-policy").starts_with("default-src 'self'"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("x-request-id").len(), 20);
    }
    let cookie = site.login("taro", Role::Viewer).await;
    assert!(matches!(cookie, Key::Cookie(text) if text.starts_with("monban=")));
}

#[tokio::test]
async fn bodies_are_bounded() {
    let site = Site::new();
    let form = credentials("taro", &"x".repeat(200_000));
    assert_eq!(site.post("/login", &Key::None, &form).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}
