//! The router as a whole, over a store in memory and a real ledger in a folder of its own.

mod auth;
mod elastic;
mod exceptions;
mod handed_in;
mod ingest;
mod pages;
#[path = "../../../audit/src/testing.rs"]
mod testing;
mod v1;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, Utc};
use monban_event::act::Deed;
use monban_event::{
    Act, ActSink, Action, Event, EventId, Finding, FindingId, Format, Login, LoginKind, Origin, Outcome, ParseStatus,
    Record, RecordId, RuleId, Severity, SimulatedClock, SinkRefused, Transport,
};
use monban_index::journal::verify::{Verification, Wanted};
use monban_index::journal::{Begun, Checkpoint, Heads, JournalError, Proofs, Receipt};
use monban_index::ledger::{Ledger, SourceTally};
use monban_index::partition::{ReadRecordError, RecordSource};
use tower::ServiceExt;

use crate::auth::setup::SetupSecret;
use crate::auth::token::new_token;
use crate::services::{Health, ListenerHealth, RuleText, RuleTexts, Services, SiteSettings};
use crate::{Role, Scope, hash_password, router};
use testing::MemoryStore;

pub(super) const PASSWORD: &str = "とても長い合言葉です2026";
pub(super) const HOSTILE: &str = "<script>alert(\"x\")</script>";

/// Acts go straight into the ledger, as the pipeline would put them there.
struct LedgerActs {
    ledger: Arc<Ledger>,
    clock: SimulatedClock,
    next: Mutex<u64>,
}

impl ActSink for LedgerActs {
    fn record(&self, by: &str, deed: Deed) -> Result<RecordId, SinkRefused> {
        let mut next = self.next.lock().unwrap();
        *next += 1;
        let id = RecordId(*next);
        let act = Act { at: monban_event::Clock::now(&self.clock), by: by.to_owned(), deed };
        self.ledger.apply(id, |batch| batch.apply_act(id, &act)).unwrap();
        Ok(id)
    }
}

struct OneRecord;

impl RecordSource for OneRecord {
    fn read(&self, id: RecordId) -> Result<Option<Record>, ReadRecordError> {
        Ok((id.0 < 1000).then(|| Record {
            received_at: now(),
            origin: Origin::Live,
            transport: Transport::Udp,
            peer: Some("192.0.2.1:514".parse().unwrap()),
            identity: None,
            format: Format::Syslog,
            file: None,
            bytes: format!("<189>user={HOSTILE} password=geheim action=login").into_bytes(),
            cut: false,
        }))
    }
}

struct OneRule;

impl RuleTexts for OneRule {
    fn text(&self, rule: &RuleId) -> Option<RuleText> {
        (rule.as_str() == "VP-01").then(|| RuleText {
            what: "何か".to_owned(),
            why: "失敗が続いたためです。".to_owned(),
            how: "本人に電話で確かめてください。".to_owned(),
            legitimate: "パスワードの変更直後".to_owned(),
        })
    }

    fn title(&self, rule: &RuleId) -> Option<String> {
        (rule.as_str() == "VP-01").then(|| "退職者アカウントの VPN 利用".to_owned())
    }

    fn relying_on(&self, policy: &str) -> Vec<String> {
        if policy == "logon_failure" { vec!["AU-01".to_owned()] } else { Vec::new() }
    }

    fn count(&self) -> usize {
        1
    }
}

pub(super) fn now() -> DateTime<Utc> {
    "2026-11-20T08:41:00+09:00".parse().unwrap()
}

pub(super) struct Site {
    pub(super) kept: Arc<handed_in::KeptRecords>,
    pub(super) files: Arc<handed_in::KeptFiles>,
    _dir: tempfile::TempDir,
    pub(super) router: Router,
    pub(super) acts: Arc<dyn ActSink>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) clock: SimulatedClock,
    pub(super) secret: String,
    pub(super) finding: FindingId,
}

/// A UDP receiver that lost something and a TLS receiver that turned somebody away.
fn health() -> Health {
    let udp = ListenerHealth {
        transport: "udp",
        address: "192.0.2.5:514".to_owned(),
        received: 12_000,
        stored: 11_990,
        kernel_dropped: 1_234,
        rate_limited: 10,
        granted_buffer: Some(8 << 20),
        ..ListenerHealth::default()
    };
    let tls = ListenerHealth {
        transport: "tls",
        address: "192.0.2.5:6514".to_owned(),
        connections_refused: [("client showed no certificate", 3)].into(),
        certificate_sha256: Some("AB:CD".to_owned()),
        ..ListenerHealth::default()
    };
    Health { listeners: vec![udp, tls], ..Health::default() }
}

/// A journal of seven records that were signed just now.
struct OneReceipt;

impl Proofs for OneReceipt {
    fn receipt(&self) -> Receipt {
        Receipt::new(RecordId(7), Heads::default(), now())
    }

    fn checkpoint(&self) -> Option<Checkpoint> {
        Some(Checkpoint {
            chain: "ab".to_owned(),
            index: 0,
            at: now(),
            first: 1,
            last: 7,
            heads: Heads::default(),
            begun: Some(Begun::Fresh),
            public_key: "aa".repeat(32),
            next_public_key: "bb".repeat(32),
            signature: String::new(),
        })
    }

    fn first_key(&self) -> Result<Option<String>, JournalError> {
        Ok(Some("aa".repeat(32)))
    }

    fn receipt_before(&self, _: DateTime<Utc>) -> Result<Option<Receipt>, JournalError> {
        Ok(Some(self.receipt()))
    }

    fn verify(&self, _: &Wanted) -> Result<Verification, JournalError> {
        Ok(Verification { last: 7, receipt: Some(self.receipt()), ..Verification::default() })
    }
}

impl Site {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Arc::new(Ledger::open(&dir.path().join("ledger.sqlite")).unwrap());
        let clock = SimulatedClock::at(now());
        let finding = fill(&ledger);
        let acts: Arc<dyn ActSink> =
            Arc::new(LedgerActs { ledger: ledger.clone(), clock: clock.clone(), next: Mutex::new(1000) });
        let (setup, secret) = SetupSecret::new();
        let kept = Arc::new(handed_in::KeptRecords::default());
        let files = Arc::new(handed_in::KeptFiles::new(&dir.path().join("uploads")));
        let router = router(Services {
            store: Arc::new(MemoryStore { events: events() }),
            ledger: ledger.clone(),
            acts: acts.clone(),
            records: Arc::new(OneRecord),
            proofs: Arc::new(OneReceipt),
            sink: kept.clone(),
            files: files.clone(),
            rules: Arc::new(OneRule),
            clock: Arc::new(clock.clone()),
            settings: Arc::new(SiteSettings {
                hospital: "みなと中央病院".to_owned(),
                checklist_edition: "R6".to_owned(),
                secure_cookies: false,
            }),
            setup: Arc::new(setup),
            health: Arc::new(health),
        });
        Self { kept, files, _dir: dir, router, acts, ledger, clock, secret, finding }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(super) async fn get(&self, address: &str, key: &Key) -> Reply {
        let request = key.sign(Request::get(address)).body(Body::empty()).unwrap();
        Reply::of(self.send(request).await).await
    }

    pub(super) async fn post(&self, address: &str, key: &Key, form: &str) -> Reply {
        let form_type = "application/x-www-form-urlencoded";
        let request = key.sign(Request::post(address)).header(header::CONTENT_TYPE, form_type);
        Reply::of(self.send(request.body(Body::from(form.to_owned())).unwrap()).await).await
    }

    pub(super) async fn patch(&self, address: &str, key: &Key, body: &str, tag: Option<&str>) -> Reply {
        let mut request = key.sign(Request::patch(address)).header(header::CONTENT_TYPE, "application/json");
        if let Some(tag) = tag {
            request = request.header(header::IF_MATCH, tag);
        }
        Reply::of(self.send(request.body(Body::from(body.to_owned())).unwrap()).await).await
    }

    pub(super) fn token(&self, scopes: &[Scope]) -> Key {
        let token = new_token();
        let scopes = scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
        let deed = Deed::TokenCreated {
            id: token.id.clone(),
            name: "試験".to_owned(),
            scopes,
            secret_sha256: token.secret_sha256.clone(),
        };
        self.acts.record("console", deed).unwrap();
        Key::Bearer(token.display)
    }

    pub(super) fn user(&self, name: &str, role: Role) {
        let deed = Deed::UserCreated {
            name: name.to_owned(),
            display_name: name.to_owned(),
            role: role.as_str().to_owned(),
            password_hash: hash_password(PASSWORD).unwrap(),
        };
        self.acts.record("console", deed).unwrap();
    }

    pub(super) async fn login(&self, name: &str, role: Role) -> Key {
        self.user(name, role);
        let reply = self.post("/login", &Key::None, &credentials(name, PASSWORD)).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text);
        reply.cookie()
    }

    pub(super) fn deeds(&self) -> Vec<(String, Deed)> {
        let rows = self.ledger.read().unwrap().trail(monban_event::TimeRange::default(), 1000).unwrap();
        rows.into_iter().rev().map(|row| (row.by, serde_json::from_str(&row.deed).unwrap())).collect()
    }
}

pub(super) fn credentials(name: &str, password: &str) -> String {
    format!("name={}&password={}", monban_audit::percent(name), monban_audit::percent(password))
}

#[derive(Clone, Debug)]
pub(super) enum Key {
    None,
    Bearer(String),
    Cookie(String),
}

impl Key {
    pub(super) fn sign(&self, request: axum::http::request::Builder) -> axum::http::request::Builder {
        match self {
            Self::None => request,
            Self::Bearer(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            Self::Cookie(cookie) => request.header(header::COOKIE, cookie),
        }
    }
}

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: axum::http::HeaderMap,
    pub(super) text: String,
}

impl Reply {
    pub(super) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 10 << 20).await.unwrap();
        Self { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn cookie(&self) -> Key {
        Key::Cookie(self.header("set-cookie").split(';').next().unwrap().to_owned())
    }
}

fn events() -> Vec<Event> {
    let event = |record: u64, time: &str, user: &str, outcome: Outcome| Event {
        id: EventId::new(RecordId(record), 0),
        event_time: Some(time.parse().unwrap()),
        ingested: Some(time.parse().unwrap()),
        action: Some(Action::Login),
        outcome: Some(outcome),
        login: Some(if outcome == Outcome::Success { Login::Success } else { Login::Failure }),
        login_kind: Some(LoginKind::Vpn),
        user_name: Some(user.to_owned()),
        source_ip: Some("203.0.113.9".parse().unwrap()),
        observer_hostname: Some("FGT-HONKAN".to_owned()),
        source_id: Some("ip:192.0.2.1".to_owned()),
        after_hours: Some(true),
        parse_status: Some(ParseStatus::Full),
        message: Some(format!("{HOSTILE} password=geheim")),
        native: [("user", user), ("password", "geheim")].into_iter().collect(),
        ..Event::default()
    };
    let mut events = vec![
        event(1, "2026-11-20T02:14:07+09:00", "sato_k", Outcome::Success),
        event(2, "2026-11-20T02:13:31+09:00", "sato_k", Outcome::Failure),
        event(3, "2026-11-20T01:00:00+09:00", HOSTILE, Outcome::Failure),
        event(4, "2026-10-10T01:00:00+09:00", "yamada", Outcome::Success),
    ];
    for record in 100..180 {
        events.push(event(record, "2026-11-19T12:00:00+09:00", "suzuki", Outcome::Success));
    }
    events
}

fn fill(ledger: &Ledger) -> FindingId {
    let rule_id = RuleId::new("VP-01");
    let first = "2026-11-20T02:14:07+09:00".parse().unwrap();
    let finding = Finding {
        id: Finding::make_id(&rule_id, "sato_k", "", first, 0),
        rule_id,
        rule_title: "退職者アカウントの VPN 利用".to_owned(),
        rule_version: "1".to_owned(),
        severity: Severity::High,
        subject: HOSTILE.to_owned(),
        object: "FGT-HONKAN".to_owned(),
        first,
        last: first,
        count: 1,
        summary: format!("{HOSTILE} が接続しました。"),
        evidence: vec![EventId::new(RecordId(1), 0)],
        sources: std::collections::BTreeSet::new(),
    };
    let tally = SourceTally {
        host: Some(HOSTILE.to_owned()),
        transport: "udp",
        origin: "live",
        first_seen: "2026-10-01T00:00:00+09:00".parse().unwrap(),
        last_seen: now(),
        last_event: now(),
        records: 84,
        hours: [(now().timestamp() / 3600, (3, 0))].into_iter().collect(),
        ..SourceTally::default()
    };
    ledger
        .apply(RecordId(999), |batch| {
            batch.tally_source("ip:192.0.2.1", &tally)?;
            batch.add_finding(RecordId(1), &finding)
        })
        .unwrap();
    finding.id
}
