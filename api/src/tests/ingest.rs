//! Deliveries of lines, objects and files.

use std::io::Write;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use monban_event::{Format, Origin, SinkRefused, Transport};

use super::{Key, Reply, Site};
use crate::auth::role::Scope;
use crate::limits::{BODY_PAUSE_MAX, DISK_LEFT_BYTES_MIN, INGEST_BODY_BYTES_MAX, INGEST_RECORDS_MAX};

const SYSLOG: &str = "/api/v1/ingest/syslog";
const JSON: &str = "/api/v1/ingest/json";
const EVTX: &str = "/api/v1/ingest/evtx";
const SENDER: &str = "192.0.2.77:40000";

pub(super) async fn deliver(site: &Site, address: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    let key = site.token(&[Scope::Ingest]);
    deliver_as(site, &key, address, headers, body).await
}

async fn deliver_as(site: &Site, key: &Key, address: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    let sender: SocketAddr = SENDER.parse().unwrap();
    let request = key.sign(Request::post(address)).extension(ConnectInfo(sender));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    Reply::of(site.send(request.body(body.into()).unwrap()).await).await
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

const TEXT: (&str, &str) = ("content-type", "text/plain");
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");
const BYTES: (&str, &str) = ("content-type", "application/octet-stream");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
const ZSTD: (&str, &str) = ("content-encoding", "zstd");

/// A refusal with these words in it, after which nothing is kept.
#[track_caller]
fn refused(site: &Site, reply: &Reply, status: u16, words: &[&str]) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.text);
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(words.iter().all(|word| detail.contains(word)), "{detail}");
    assert_eq!((site.kept.count(), site.files.files.lock().unwrap().len()), (0, 0));
}

#[tokio::test]
async fn each_line_is_a_record_from_its_sender() {
    let site = Site::new();
    let body = b"<34>one\n\n<34>two\r\n\xff\xfe\x82\xa0\n<34>three".to_vec();
    for (headers, body) in [
        (vec![TEXT], body.clone()),
        (vec![BYTES, GZIP], gzip(&body)),
        (vec![TEXT, ZSTD], zstd(&body)),
        (vec![], [gzip(&body[..9]), gzip(&body[9..])].concat()),
    ] {
        let headers = if headers.is_empty() { vec![GZIP] } else { headers };
        site.kept.records.lock().unwrap().clear();
        let reply = deliver(&site, SYSLOG, &headers, body).await;
        assert_eq!((reply.status, reply.json()["accepted"].as_u64()), (StatusCode::ACCEPTED, Some(4)), "{headers:?}");
        let records = site.kept.records.lock().unwrap();
        let bytes: Vec<&[u8]> = records.iter().map(|record| record.bytes.as_slice()).collect();
        assert_eq!(bytes, [b"<34>one".as_slice(), b"<34>two", b"\xff\xfe\x82\xa0", b"<34>three"]);
        for record in records.iter() {
            assert_eq!((record.origin, record.transport), (Origin::Live, Transport::Http));
            assert_eq!((record.format, record.peer), (Format::Syslog, Some(SENDER.parse().unwrap())));
        }
    }
}

#[tokio::test]
async fn each_object_is_a_record_with_its_own_bytes() {
    let site = Site::new();
    let body = "{\"a\": 1.0}\n{\"b\":\"山田\"}\n";
    let reply = deliver(&site, JSON, &[NDJSON], body).await;
    assert_eq!((reply.status, reply.json()["accepted"].as_u64()), (StatusCode::ACCEPTED, Some(2)), "{}", reply.text);
    let reply = deliver(&site, JSON, &[("content-type", "application/json")], "[{\"c\":[]},\n{\"d\":{}}]").await;
    assert_eq!(reply.json()["accepted"].as_u64(), Some(2), "{}", reply.text);
    assert_eq!(site.kept.texts(), ["{\"a\": 1.0}", "{\"b\":\"山田\"}", "{\"c\":[]}", "{\"d\":{}}"]);
    assert!(site.kept.records.lock().unwrap().iter().all(|record| record.format == Format::Json));
    let empty = deliver(&site, JSON, &[NDJSON], "[]").await;
    assert_eq!((empty.status, empty.json()["accepted"].as_u64()), (StatusCode::ACCEPTED, Some(0)));
}

#[tokio::test]
async fn what_is_not_json_refuses_the_whole_request_and_names_the_line() {
    let site = Site::new();
    refused(&site, &deliver(&site, JSON, &[NDJSON], "{}\n{}\nhello\n{}\n").await, 400, &["3 行目", "1 件も"]);
    refused(&site, &deliver(&site, JSON, &[NDJSON], "").await, 400, &["空"]);
    refused(&site, &deliver(&site, SYSLOG, &[TEXT], "\n\n").await, 400, &["空"]);
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_its_bound() {
    let site = Site::new();
    let long = format!("short\n{}\nshort\n", "x".repeat((1 << 20) + 1));
    refused(&site, &deliver(&site, SYSLOG, &[TEXT], long).await, 413, &["2 行目", "1048576"]);
    let long = format!("{{}}\n{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
    refused(&site, &deliver(&site, JSON, &[NDJSON], long).await, 413, &["2 行目", "1048576"]);
    let many = "x\n".repeat(INGEST_RECORDS_MAX + 1);
    refused(&site, &deliver(&site, SYSLOG, &[TEXT], many).await, 413, &["100000"]);
    let whole = format!("{}\n", "x".repeat(1023)).repeat(40 << 10);
    let bound = INGEST_BODY_BYTES_MAX.to_string();
    refused(&site, &deliver(&site, SYSLOG, &[TEXT], whole.clone()).await, 413, &[&bound]);
    let told = deliver(&site, SYSLOG, &[TEXT, ("content-length", "99999999999")], "x").await;
    refused(&site, &told, 413, &[&bound]);
}

#[tokio::test]
async fn bombs_cost_no_memory_and_get_the_bound() {
    let site = Site::new();
    let zeros = vec![0; 100 << 20];
    for (coding, packed) in [(GZIP, gzip(&zeros)), (ZSTD, zstd(&zeros))] {
        refused(&site, &deliver(&site, SYSLOG, &[TEXT, coding], packed.clone()).await, 413, &["1048576"]);
        refused(&site, &deliver(&site, JSON, &[NDJSON, coding], packed).await, 400, &["1 行目"]);
    }
    let lines = "x\n".repeat(10 << 20);
    refused(&site, &deliver(&site, SYSLOG, &[TEXT, GZIP], gzip(lines.as_bytes())).await, 413, &["100000"]);
    let log = [b"ElfFile\0".as_slice(), &zeros].concat();
    refused(&site, &deliver(&site, EVTX, &[BYTES, GZIP], gzip(&log)).await, 413, &["250 倍"]);
    refused(&site, &deliver(&site, EVTX, &[BYTES, ZSTD], zstd(&log)).await, 413, &["250 倍"]);
}

#[tokio::test]
async fn damaged_packings_are_refused() {
    let site = Site::new();
    let packed = gzip("<34>line\n".repeat(1000).as_bytes());
    refused(&site, &deliver(&site, SYSLOG, &[TEXT, GZIP], packed[..packed.len() - 4].to_vec()).await, 400, &["展開"]);
    refused(&site, &deliver(&site, SYSLOG, &[TEXT, GZIP], "<34>plain\n").await, 400, &["展開"]);
    refused(&site, &deliver(&site, SYSLOG, &[TEXT, ZSTD], packed).await, 400, &["展開"]);
    refused(&site, &deliver(&site, EVTX, &[BYTES, GZIP], b"ElfFile\0plain".to_vec()).await, 400, &["展開"]);
}

#[tokio::test]
async fn other_types_and_packings_are_refused_with_what_is_taken() {
    let site = Site::new();
    let form = ("content-type", "application/x-www-form-urlencoded");
    for address in [SYSLOG, JSON, EVTX] {
        let reply = deliver(&site, address, &[form], "x").await;
        refused(&site, &reply, 415, &["Content-Type"]);
        let reply = deliver(&site, address, &[("content-encoding", "br")], "x").await;
        refused(&site, &reply, 415, &["gzip"]);
        assert_eq!(reply.header("accept-encoding"), "gzip, zstd");
    }
}

#[tokio::test]
async fn a_journal_that_cannot_take_them_says_when_to_come_again() {
    let site = Site::new();
    let refusals = [
        (SinkRefused::QueueFull, "2"),
        (SinkRefused::Waiting("no space left".to_owned()), "60"),
        (SinkRefused::CannotWrite("no space left".to_owned()), "60"),
        (SinkRefused::Closed, "60"),
    ];
    for (refusal, seconds) in refusals {
        *site.kept.refusal.lock().unwrap() = Some(refusal);
        let reply = deliver(&site, SYSLOG, &[TEXT], "x").await;
        refused(&site, &reply, 503, &["送り直して"]);
        assert_eq!(reply.header("retry-after"), seconds);
    }
    *site.kept.refusal.lock().unwrap() = None;
    assert_eq!(deliver(&site, SYSLOG, &[TEXT], "x").await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn nothing_is_answered_before_the_journal_has_it() {
    let site = Site::new();
    *site.kept.held.lock().unwrap() = Some(Vec::new());
    let key = site.token(&[Scope::Ingest]);
    let request = key.sign(Request::post(SYSLOG)).body(Body::from("x")).unwrap();
    let router = site.router.clone();
    let answer = tokio::spawn(async move { tower::ServiceExt::oneshot(router, request).await.unwrap().status() });
    let done = loop {
        tokio::task::yield_now().await;
        if let Some((done, id)) = site.kept.held.lock().unwrap().as_mut().and_then(Vec::pop) {
            break move || done(Ok(id));
        }
    };
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(!answer.is_finished());
    done();
    assert_eq!(answer.await.unwrap(), StatusCode::ACCEPTED);
}

/// A body that ends in the way a connection does that breaks, or not at all.
struct Broken {
    first: Option<Bytes>,
    hangs: bool,
}

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        match self.first.take() {
            Some(bytes) => Poll::Ready(Some(Ok(http_body::Frame::data(bytes)))),
            None if self.hangs => Poll::Pending,
            None => Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into()))),
        }
    }
}

#[tokio::test]
async fn half_a_body_is_nothing() {
    let site = Site::new();
    for (address, first) in [(SYSLOG, "<34>one\n<34>two\n"), (JSON, "{}\n{}\n"), (EVTX, "ElfFile\0abc")] {
        let body = Broken { first: Some(Bytes::from(first)), hangs: false };
        refused(&site, &deliver(&site, address, &[], Body::new(body)).await, 400, &["途中で切れました"]);
    }
}

#[tokio::test]
async fn a_sender_that_stops_is_given_up() {
    let site = Site::new();
    tokio::time::pause();
    let body = Body::new(Broken { first: Some(Bytes::from("<34>one\n")), hangs: true });
    let waiting = deliver(&site, SYSLOG, &[TEXT], body);
    tokio::pin!(waiting);
    // Time stands still while a thread waits for the body: it is moved on by hand.
    let reply = loop {
        tokio::select! {
            biased;
            reply = &mut waiting => break reply,
            () = tokio::time::advance(BODY_PAUSE_MAX) => tokio::task::yield_now().await,
        }
    };
    refused(&site, &reply, 408, &["時間内"]);
}

#[tokio::test]
async fn files_are_imported_as_they_came_and_known_again() {
    let site = Site::new();
    let file = b"ElfFile\0abcdefgh".to_vec();
    let first = deliver(&site, &format!("{EVTX}?host=DC01"), &[BYTES], file.clone()).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    let body = first.json();
    let counts = |body: &serde_json::Value| {
        ["accepted", "duplicate", "damaged", "bytes"].map(|name| body[name].as_u64().unwrap())
    };
    assert_eq!(counts(&body), [16, 0, 1, 16]);
    assert_eq!(body["sha256"], crate::auth::sha256_hex(&file));
    assert_eq!(body["files"][0]["notes"][0], "塊 2");
    let again = deliver(&site, EVTX, &[GZIP], gzip(&file)).await;
    assert_eq!(counts(&again.json()), [0, 16, 1, 16]);
    let kept = site.files.files.lock().unwrap();
    assert_eq!((kept[0].name.as_str(), kept[0].by.as_str()), ("DC01/upload.evtx", "token:試験"));
    assert!(kept.iter().all(|kept| kept.content == file));
}

fn form(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in files {
        write!(body, "--xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\n\r\n").unwrap();
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--xyz\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--xyz--\r\n");
    body
}

const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=xyz");

#[tokio::test]
async fn a_form_brings_several_files_or_none() {
    let site = Site::new();
    let (one, two) = (b"ElfFile\0one".as_slice(), b"ElfFile\0\r\n--two".as_slice());
    refused(&site, &deliver(&site, EVTX, &[FORM], form(&[("a.evtx", one), ("b.txt", b"text")])).await, 415, &["b.txt"]);
    refused(&site, &deliver(&site, EVTX, &[FORM], form(&[])).await, 400, &["空"]);
    let whole = form(&[("a.evtx", one), ("b.evtx", two)]);
    refused(&site, &deliver(&site, EVTX, &[FORM], whole[..whole.len() - 40].to_vec()).await, 400, &["multipart"]);
    let reply = deliver(&site, EVTX, &[FORM, ZSTD], zstd(&whole)).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text);
    assert_eq!(reply.json()["bytes"], one.len() + two.len());
    assert_eq!(reply.json()["sha256"], serde_json::Value::Null, "there is one for each file");
    let kept = site.files.files.lock().unwrap();
    assert_eq!(kept.iter().map(|kept| kept.content.as_slice()).collect::<Vec<_>>(), [one, two]);
    assert_eq!(kept.iter().map(|kept| kept.name.as_str()).collect::<Vec<_>>(), ["a.evtx", "b.evtx"]);
}

#[tokio::test]
async fn an_upload_leaves_room_on_the_disk() {
    let site = Site::new();
    site.files.free.store(DISK_LEFT_BYTES_MIN, std::sync::atomic::Ordering::Relaxed);
    let reply = deliver(&site, EVTX, &[BYTES], b"ElfFile\0abc".to_vec()).await;
    refused(&site, &reply, 503, &["空き"]);
    assert_eq!(reply.header("retry-after"), "60");
}

#[tokio::test]
async fn uploads_at_one_time_are_bounded() {
    let site = Site::new();
    let key = site.token(&[Scope::Ingest]);
    let mut open = Vec::new();
    for _ in 0..40 {
        let body = Body::new(Broken { first: Some(Bytes::from("<34>one\n")), hangs: true });
        let request = key.sign(Request::post(SYSLOG)).body(body).unwrap();
        let router = site.router.clone();
        open.push(tokio::spawn(async move { tower::ServiceExt::oneshot(router, request).await.unwrap() }));
    }
    let mut turned_away = 0;
    while turned_away < 8 {
        tokio::task::yield_now().await;
        turned_away = open.iter().filter(|task| task.is_finished()).count();
    }
    let busy = deliver(&site, SYSLOG, &[TEXT], "x").await;
    refused(&site, &busy, 503, &["同時"]);
    assert_eq!(busy.header("retry-after"), "2");
    for task in open {
        task.abort();
        drop(task.await);
    }
    // What was held by those that went is free again.
    assert_eq!(deliver(&site, SYSLOG, &[TEXT], "x").await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn answers_are_read_by_a_sender_in_the_middle_of_its_body() {
    let site = Site::new();
    let body = Body::from(vec![b'x'; 3 << 20]).map_frame(|frame| frame);
    refused(&site, &deliver(&site, SYSLOG, &[TEXT], Body::new(body)).await, 413, &["1048576"]);
}
