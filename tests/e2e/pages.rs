//! Pages and API as a browser and a script meet them: closed to strangers, open to whom they are for.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use monban_event::time::rfc3339;
use monban_event::{Clock, SystemClock};
use serde_json::Value;

use crate::support::http::{Answer, As, exchange, get, percent, post_form};
use crate::support::wait::wait_for;
use crate::support::{Server, Site};

const PASSWORD: &str = "門番のながい合言葉-2026";

/// Every address that answers a question about the hospital.
const PAGES: [&str; 9] =
    ["/", "/search", "/findings", "/sources", "/sources/policies", "/audits", "/audits/2026-10", "/trail", "/health"];
const API: [&str; 9] = [
    "/api/v1/events",
    "/api/v1/search/facets?q=*&field=user.name",
    "/api/v1/search/histogram?q=*",
    "/api/v1/findings",
    "/api/v1/sources",
    "/api/v1/sources/policies",
    "/api/v1/health",
    "/api/v1/sessions",
    "/api/v1/audits/summaries?month=2026-10",
];

fn set_up(server: &Server) -> String {
    let secret = server.setup_secret().expect("a new hospital has a secret on its console");
    let fields =
        [("secret", secret.as_str()), ("name", "yamada"), ("display_name", "山田 花子"), ("password", PASSWORD)];
    let answer = post_form(server.pages(), As::Nobody, "/setup", &fields);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{answer:#?}");
    answer.cookie()
}

/// Failed logons enough for the rules.
fn attack(site: &Site, server: &Server) {
    let mut stream = TcpStream::connect(server.tcp()).unwrap();
    for number in 0..60 {
        let now = rfc3339(SystemClock.now());
        let line = format!(
            "<38>1 {now} gw01 sshd 811 - - Failed password for tanaka from 198.51.100.7 port {} ssh2\n",
            40_000 + number
        );
        stream.write_all(line.as_bytes()).unwrap();
    }
    drop(stream);
    wait_for("the attack to be searchable", &60, || site.count("user:tanaka"));
}

fn token(site: &Site, scopes: &[&str]) -> String {
    let mut arguments = vec!["--name", "script"];
    for scope in scopes {
        arguments.extend(["--scope", scope]);
    }
    site.verb("token create", &arguments).ok().out.trim_end().to_owned()
}

#[test]
fn strangers_are_sent_to_the_login_and_scripts_are_told() {
    let site = Site::new();
    let server = site.serve();
    let to = server.pages();
    for page in PAGES {
        let answer = get(to, As::Nobody, page);
        assert_eq!(answer.status, 303, "{page}: {answer:#?}");
        assert!(answer.header("location").unwrap().starts_with("/login"), "{page}: {answer:#?}");
    }
    for address in API {
        let answer = get(to, As::Nobody, address);
        assert_eq!(answer.status, 401, "{address}: {answer:#?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{address}: {answer:#?}");
    }
    for wrong in [As::Session("monban=0123456789abcdef"), As::Token("mbn_0123456789abcdef_0123")] {
        assert_eq!(get(to, wrong, "/api/v1/events").status, 401);
    }
    assert_eq!(get(to, As::Nobody, "/livez").status, 200);
    server.stop();
}

#[test]
fn the_first_administrator_is_made_once() {
    let site = Site::new();
    let server = site.serve();
    let to = server.pages();
    let wrong = [("secret", "0000"), ("name", "ito"), ("password", PASSWORD)];
    assert_eq!(post_form(to, As::Nobody, "/setup", &wrong).status, 400);
    let secret = server.setup_secret().unwrap();
    let short = [("secret", secret.as_str()), ("name", "ito"), ("password", "short")];
    assert_eq!(post_form(to, As::Nobody, "/setup", &short).status, 400);
    let session = set_up(&server);
    assert_eq!(get(to, As::Session(&session), "/").status, 200);
    let again = [("secret", secret.as_str()), ("name", "ito"), ("password", PASSWORD)];
    assert_eq!(post_form(to, As::Nobody, "/setup", &again).status, 400, "the secret is spent");
    server.stop();
    let server = site.serve();
    assert_eq!(server.setup_secret(), None, "there is an administrator");
    assert_eq!(get(server.pages(), As::Session(&session), "/").status, 200, "a session outlives a restart");
    server.stop();
}

#[test]
fn people_come_in_by_their_password_and_leave() {
    let site = Site::new();
    let server = site.serve();
    let to = server.pages();
    set_up(&server);
    let enter = |password| {
        post_form(to, As::Nobody, "/login", &[("name", "yamada"), ("password", password), ("next", "/search")])
    };
    assert_eq!(enter("password1234").status, 401);
    let answer = enter(PASSWORD);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/search")), "{answer:#?}");
    let session = answer.cookie();
    for page in PAGES {
        let answer = get(to, As::Session(&session), page);
        assert_eq!(answer.status, 200, "{page}: {answer:#?}");
        assert!(
            answer.header("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'self'"))
        );
        assert!(answer.body.contains("みなと病院"), "{page}: {}", answer.body);
    }
    assert_eq!(post_form(to, As::Session(&session), "/logout", &[]).status, 303);
    assert_eq!(get(to, As::Session(&session), "/").status, 303, "whoever left is a stranger");
    server.stop();
}

#[test]
fn a_search_page_shows_what_was_found_and_what_is_wrong() {
    let site = Site::new();
    let server = site.serve();
    let (to, session) = (server.pages(), set_up(&server));
    attack(&site, &server);
    let who = As::Session(&session);
    let found = get(to, who, &format!("/search?q={}", percent("利用者:tanaka 結果:失敗")));
    assert_eq!(found.status, 200);
    assert!(found.body.contains("60 件") && found.body.contains("198.51.100.7"), "{}", found.body);
    let wrong = get(to, who, &format!("/search?q={}", percent("src_ip:10.1.2.300")));
    assert!(wrong.body.contains("IP アドレスとして読めません"), "{}", wrong.body);
    let hostile = get(to, who, &format!("/search?q={}", percent("\"<script>alert(1)</script>\"")));
    assert!(!hostile.body.contains("<script>alert"), "{}", hostile.body);
    server.stop();
}

fn findings(to: SocketAddr, who: As<'_>) -> Vec<Value> {
    get(to, who, "/api/v1/findings").json()["items"].as_array().unwrap().clone()
}

#[test]
fn a_finding_is_reviewed_by_a_person_and_stays_so() {
    let site = Site::new();
    let server = site.serve();
    let (to, session) = (server.pages(), set_up(&server));
    attack(&site, &server);
    let who = As::Session(&session);
    let all = findings(to, who);
    let finding = all.first().expect("sixty failed logons are found");
    let id = finding["id"].as_str().unwrap();
    assert!(get(to, who, &format!("/findings/{id}")).body.contains("tanaka"));
    let review = format!("/findings/{id}/review");
    let without = post_form(to, who, &review, &[("status", "confirmed"), ("reason", "")]);
    assert_eq!(without.status, 400, "nothing is closed without a reason: {without:#?}");
    let foreign = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site")];
    let forged =
        exchange(to, "POST", who, &review, &foreign, &format!("status=confirmed&reason={}", percent("誤検知")));
    assert_eq!(forged.status, 403, "another site's form is refused: {forged:#?}");
    let done = post_form(to, who, &review, &[("status", "confirmed"), ("reason", "誤検知"), ("note", "本人に確認")]);
    assert_eq!(done.status, 303, "{done:#?}");
    let page = get(to, who, &format!("/findings/{id}"));
    assert!(page.body.contains("本人に確認"), "{}", page.body);
    server.stop();
    let server = site.serve();
    let now = findings(server.pages(), who);
    let same: Vec<&Value> = now.iter().filter(|row| row["id"] == *id).collect();
    assert_eq!(same[0]["status"], "confirmed");
    server.stop();
}

#[test]
fn a_token_may_do_what_it_was_made_for() {
    let site = Site::new();
    let server = site.serve();
    let to = server.pages();
    attack(&site, &server);
    let reader = token(&site, &["events:read"]);
    let events = get(to, As::Token(&reader), &format!("/api/v1/events?q={}&limit=10", percent("user:tanaka")));
    assert_eq!(events.status, 200, "{events:#?}");
    assert_eq!(events.json()["items"].as_array().unwrap().len(), 10);
    assert_eq!(events.json()["total"]["value"], 60);
    assert_eq!(get(to, As::Token(&reader), "/api/v1/findings").status, 403);
    let judge = token(&site, &["findings:read", "findings:review"]);
    let finding = findings(to, As::Token(&judge)).remove(0);
    let address = format!("/api/v1/findings/{}", finding["id"].as_str().unwrap());
    let decide = |who| {
        exchange(to, "PATCH", who, &address, &[("content-type", "application/json")], r#"{"status": "action_needed"}"#)
    };
    assert_eq!(decide(As::Token(&reader)).status, 403);
    let decided: Answer = decide(As::Token(&judge));
    assert_eq!((decided.status, &decided.json()["status"]), (200, &Value::from("action_needed")), "{decided:#?}");
    assert_eq!(get(to, As::Token(&judge), "/api/v1/events").status, 403);
    server.stop();
}

#[test]
fn a_wrong_query_is_a_problem_with_its_place() {
    let site = Site::new();
    let server = site.serve();
    let reader = token(&site, &["events:read"]);
    let answer = get(server.pages(), As::Token(&reader), &format!("/api/v1/events?q={}", percent("usr:tanaka")));
    assert_eq!(answer.status, 400, "{answer:#?}");
    let error = &answer.json()["errors"][0];
    assert_eq!((&error["from"], &error["to"], &error["code"]), (&0.into(), &3.into(), &"unknown_field".into()));
    server.stop();
}
