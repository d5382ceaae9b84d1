//! Logs over HTTP, sent by the programs that send them: curl, and the client libraries of Elasticsearch and `OpenSearch`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::evtx::{chunk, logons, sample};
use crate::support::http::{As, exchange, get};
use crate::support::lines::{assert_each_once, line, numbers};
use crate::support::wait::wait_for;
use crate::support::{Server, Site, journal, wait_until};

const ACCOUNTS: [&str; 5] = ["yamada", "sato", "suzuki", "takahashi", "tanaka"];
const OCTETS: [&str; 2] = ["-H", "content-type: application/octet-stream"];
const TEXT: [&str; 2] = ["-H", "content-type: text/plain"];
const NDJSON: [&str; 2] = ["-H", "content-type: application/x-ndjson"];
const SYSLOG: &str = "/api/v1/ingest/syslog";
const JSON: &str = "/api/v1/ingest/json";
const EVTX: &str = "/api/v1/ingest/evtx";

fn token(site: &Site) -> String {
    let said = site.verb("token create", &["--name", "収集", "--scope", "ingest"]).ok();
    said.out.trim_end().to_owned()
}

/// The program's output; fails where it is not installed or does not succeed.
fn tool(program: &str, arguments: &[&str], package: &str) -> Vec<u8> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed: install {package} ({error})"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Status and body of what curl got.
fn curl(server: &Server, token: &str, path: &str, arguments: &[&str]) -> (u16, Value) {
    let url = format!("http://{}{path}", server.pages());
    let login = format!("authorization: Bearer {token}");
    let fixed = ["--silent", "--show-error", "--max-time", "100", "-w", "\n%{http_code}", "-H", &login, &url];
    let said = tool("curl", &[&fixed, arguments].concat(), "the Debian package curl");
    let said = String::from_utf8(said).unwrap();
    let (body, status) = said.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}")))
}

fn at(path: &Path) -> String {
    format!("@{}", path.display())
}

/// The file packed by the program of that name, beside it.
fn packed(program: &str, ending: &str, file: &Path) -> PathBuf {
    let package = format!("the Debian package {program}");
    tool(program, &["-k", "-q", file.to_str().unwrap()], &package);
    PathBuf::from(format!("{}.{ending}", file.display()))
}

fn peak_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn curl_hands_in_lines_plain_and_packed_and_each_counts_once() {
    let site = Site::new();
    let server = site.serve();
    let token = token(&site);
    let text = |numbers: std::ops::Range<u64>| numbers.map(|number| line("web", number) + "\n").collect::<String>();
    let (plain, gzip, zstd) =
        (site.write("a", text(0..100)), site.write("b", text(100..200)), site.write("c", text(200..300)));
    let (gzip, zstd) = (packed("gzip", "gz", &gzip), packed("zstd", "zst", &zstd));
    for (file, coding) in [(plain, "identity"), (gzip, "gzip"), (zstd, "zstd")] {
        let coding = format!("content-encoding: {coding}");
        let (status, body) =
            curl(&server, &token, SYSLOG, &[&TEXT[..], &["-H", &coding, "--data-binary", &at(&file)]].concat());
        assert_eq!((status, body), (202, json!({ "accepted": 100 })));
    }
    // The journal has them, which is what was answered; the views follow.
    wait_for("all lines", &300, || site.count("*"));
    assert_each_once(&numbers("web", &site.search("*")), 300);
    server.stop();
}

#[test]
fn what_was_accepted_survives_a_kill() {
    let site = Site::new();
    let server = site.serve();
    let token = token(&site);
    let text: String = (0..500).map(|number| line("kill", number) + "\n").collect();
    let file = site.write("lines", text);
    let (status, _) = curl(&server, &token, SYSLOG, &[&TEXT[..], &["--data-binary", &at(&file)]].concat());
    server.kill();
    assert_eq!(status, 202);
    assert_eq!(journal::records(&site.data().join("journal")).0.len(), 500);
    site.serve().stop();
    assert_each_once(&numbers("kill", &site.search("*")), 500);
}

#[test]
fn an_event_log_handed_in_twice_counts_once() {
    let site = Site::new();
    let server = site.serve();
    let token = token(&site);
    let file = site.write("Security.evtx", logons(1, &ACCOUNTS));
    let counts = |body: &Value| ["accepted", "duplicate", "damaged"].map(|name| body[name].as_u64().unwrap());
    let send = |path: &str, arguments: &[&str]| {
        let (status, body) = curl(&server, &token, path, arguments);
        assert_eq!(status, 202, "{body}");
        body
    };
    let first = send(&format!("{EVTX}?host=DC01"), &[&OCTETS[..], &["--data-binary", &at(&file)]].concat());
    assert_eq!(counts(&first), [5, 0, 0]);
    let sum = tool("sha256sum", &[file.to_str().unwrap()], "the Debian package coreutils");
    assert!(String::from_utf8(sum).unwrap().starts_with(first["sha256"].as_str().unwrap()));
    assert_eq!(first["bytes"], std::fs::metadata(&file).unwrap().len());
    assert_eq!(site.count("event.code:4624"), 5, "what was answered is found at once");
    let zst = packed("zstd", "zst", &file);
    let again = send(EVTX, &["-H", "content-encoding: zstd", "-H", OCTETS[1], "--data-binary", &at(&zst)]);
    assert_eq!(counts(&again), [0, 5, 0]);
    let more = site.write("more/Security.evtx", logons(6, &["watanabe", "ito"]));
    let (file, more) = (format!("file=@{}", file.display()), format!("file=@{}", more.display()));
    let both = send(EVTX, &["-F", &file, "-F", &more]);
    assert_eq!(counts(&both), [2, 5, 0], "{both}");
    assert_eq!(site.count("event.code:4624"), 7);
    assert_eq!(site.import(&[&site.path("Security.evtx")]).ok().out, "accepted: 0, duplicate: 5, damaged: 0\n");
    server.stop();
    let left = std::fs::read_dir(site.data().join("uploads")).unwrap().count();
    assert_eq!(left, 0, "nothing stays in the staging folder");
}

#[test]
fn an_upload_that_a_kill_broke_off_goes_on_when_it_is_sent_again() {
    let site = Site::new();
    let chunks: Vec<_> = (0..300).map(|number| chunk(1 + number * 5, &ACCOUNTS)).collect();
    let file = site.write("Security.evtx", sample::file(&chunks));
    let server = site.serve();
    let token = token(&site);
    let (url, login) = (format!("http://{}{EVTX}", server.pages()), format!("authorization: Bearer {token}"));
    let mut sending = Command::new("curl");
    sending.args(["--silent", "-H", &login, OCTETS[0], OCTETS[1], "--data-binary", &at(&file), &url]);
    let mut sending = sending.stdout(Stdio::null()).spawn().expect("curl is needed");
    wait_until("some of it is journaled", || journal::published(&site.data()) > 50);
    server.kill();
    sending.wait().unwrap();
    let mut server = site.serve();
    server.tolerate("an unfinished last write was cut off");
    let (status, body) = curl(&server, &token, EVTX, &[&OCTETS[..], &["--data-binary", &at(&file)]].concat());
    assert_eq!(status, 202, "{body}");
    assert_eq!(site.count("event.code:4624"), 1500);
    let again = curl(&server, &token, EVTX, &[&OCTETS[..], &["--data-binary", &at(&file)]].concat()).1;
    assert_eq!((again["accepted"].as_u64(), again["duplicate"].as_u64()), (Some(0), Some(1500)));
    server.stop();
    let (records, _) = journal::records(&site.data().join("journal"));
    assert_eq!(records.len(), 300, "no chunk was journaled twice");
}

#[test]
fn damaged_uploads_give_what_can_be_read_and_other_files_are_refused() {
    let site = Site::new();
    let server = site.serve();
    let token = token(&site);
    let whole = logons(1, &ACCOUNTS);
    let cut = site.write("cut.evtx", &whole[..whole.len() - 1000]);
    let (status, body) = curl(&server, &token, EVTX, &[&OCTETS[..], &["--data-binary", &at(&cut)]].concat());
    assert_eq!(status, 202, "{body}");
    assert!(body["damaged"].as_u64().unwrap() > 0, "{body}");
    let text = site.write("note.txt", "not an event log");
    let (status, body) = curl(&server, &token, EVTX, &[&OCTETS[..], &["--data-binary", &at(&text)]].concat());
    assert_eq!(status, 415, "{body}");
    server.stop();
}

/// A gibibyte of zeros: gzip allows one body in several pieces.
fn bomb(site: &Site) -> PathBuf {
    let zeros = site.write("zeros", vec![0; 16 << 20]);
    let piece = std::fs::read(packed("gzip", "gz", &zeros)).unwrap();
    site.write("bomb.gz", piece.repeat(64))
}

#[test]
fn bombs_and_broken_bodies_cost_little_and_change_nothing() {
    let site = Site::new();
    let server = site.serve();
    let token = token(&site);
    let before = peak_kib(&server);
    let bomb = bomb(&site);
    let long = site.write("long", vec![b'x'; 100 << 20]);
    let half = site.write("half.gz", &std::fs::read(&bomb).unwrap()[..20_000]);
    let text = site.write("text", "<34>no gzip\n");
    let gzip = ["-H", "content-encoding: gzip"];
    let chunked = ["-H", "transfer-encoding: chunked"];
    for (path, kind, head, file, expected) in [
        (SYSLOG, TEXT, &gzip[..], &bomb, 413),
        (JSON, NDJSON, &gzip, &bomb, 400),
        ("/es/_bulk", NDJSON, &gzip, &bomb, 400),
        (EVTX, OCTETS, &gzip, &bomb, 415),
        (SYSLOG, TEXT, &[], &long, 413),
        (SYSLOG, TEXT, &chunked, &long, 413),
        ("/_bulk", NDJSON, &chunked, &long, 400),
        (SYSLOG, TEXT, &gzip, &half, 413),
        (SYSLOG, TEXT, &gzip, &text, 400),
    ] {
        let (status, body) = curl(&server, &token, path, &[&kind[..], head, &["--data-binary", &at(file)]].concat());
        assert_eq!(status, expected, "{path} {head:?} {} {body}", file.display());
    }
    broken_chunks(&server, &token);
    // Sent to its end without asking first: the sender still reads why.
    let answer = exchange(server.pages(), "POST", As::Token(&token), SYSLOG, &[], &"x".repeat(40 << 20));
    assert_eq!((answer.status, answer.json()["status"].as_u64()), (413, Some(413)));
    let grown = peak_kib(&server).saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB");
    let kept = site.write("kept", b"<34>\xff\xfe\x82\xa0 kept\n");
    let (status, body) = curl(&server, &token, SYSLOG, &[&TEXT[..], &["--data-binary", &at(&kept)]].concat());
    assert_eq!((status, body["accepted"].as_u64()), (202, Some(1)));
    server.stop();
    let (records, _) = journal::records(&site.data().join("journal"));
    let bytes: Vec<_> = records.values().map(|record| record.bytes.as_slice()).collect();
    assert_eq!(bytes, [b"<34>\xff\xfe\x82\xa0 kept".as_slice()]);
}

/// A chunk whose size is no number, and a connection that ends in the middle of one.
fn broken_chunks(server: &Server, token: &str) {
    use std::io::{Read, Write};
    for rest in ["5\r\n<34>a\r\nzz\r\nbroken", "50\r\n<34>half"] {
        let mut stream = std::net::TcpStream::connect(server.pages()).unwrap();
        let head = format!(
            "POST {SYSLOG} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: text/plain\r\n\
             transfer-encoding: chunked\r\n\r\n{rest}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}

#[test]
fn a_sender_that_hangs_does_not_keep_the_server_from_stopping() {
    use std::io::{Read, Write};
    let site = Site::new();
    let mut server = site.serve();
    server.tolerate("requests under way were broken off");
    let token = token(&site);
    let mut stream = std::net::TcpStream::connect(server.pages()).unwrap();
    let head = format!(
        "POST {EVTX} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 1000\r\n\r\nElfFile\0"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let uploads = site.data().join("uploads");
    wait_for("the upload to begin", &1, || std::fs::read_dir(&uploads).unwrap().count());
    server.stop();
    // Closed without an answer, or reset: either way it ends.
    let mut rest = Vec::new();
    drop(stream.read_to_end(&mut rest));
    site.serve().stop();
    assert_eq!(std::fs::read_dir(&uploads).unwrap().count(), 0, "the next start clears what was left");
}

#[test]
fn a_token_for_handing_in_reads_nothing() {
    let site = Site::new();
    let server = site.serve();
    let token = token(&site);
    for path in ["/api/v1/events", "/search", "/findings", "/api/v1/openapi.json", "/health"] {
        assert_eq!(get(server.pages(), As::Token(&token), path).status, 403, "{path}");
    }
    let url = format!("http://any:{token}@{}/", server.pages());
    let said = tool("curl", &["--silent", "--fail", &url], "the Debian package curl");
    let said: Value = serde_json::from_slice(&said).unwrap();
    assert_eq!(said["tagline"], "You Know, for Search");
    let wrong = get(server.pages(), As::Token("monban_abc_def"), "/es/");
    assert_eq!((wrong.status, wrong.json()["error"]["type"].as_str()), (401, Some("security_exception")));
    server.stop();
}

/// Where `cargo xtask test` puts the client libraries: beside what is built.
fn clients() -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_monban"));
    built.ancestors().nth(2).unwrap().join("clients")
}

fn bulk(folder: &str, library: &str, arguments: &[&str]) -> Value {
    let folder = clients().join(folder);
    assert!(folder.is_dir(), "{library} is needed in {}: cargo xtask test installs it", folder.display());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/bulk.py");
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", &folder).env("PYTHONDONTWRITEBYTECODE", "1").arg(script).arg(library).args(arguments);
    let output = command.stdin(Stdio::null()).output().expect("python3 is needed: install the Debian package python3");
    assert!(output.status.success(), "{library}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn bulk_helpers_of_client_libraries_hand_in_all_documents() {
    let site = Site::new();
    let server = site.serve();
    let token = token(&site);
    let (root, prefixed) = (format!("http://{}", server.pages()), format!("http://{}/es", server.pages()));
    let libraries =
        [("elasticsearch8", "elasticsearch"), ("elasticsearch9", "elasticsearch"), ("opensearch2", "opensearchpy")];
    let expected = json!({ "version": "8.19.0", "taken": 1000, "delete": 400, "single": "created", "health": "green" });
    for (folder, library) in libraries {
        for (url, place) in [(&root, "root"), (&prefixed, "prefix")] {
            let mark = format!("{folder}{place}");
            assert_eq!(bulk(folder, library, &[url, &token, &mark, "1000"]), expected, "{folder} {url}");
        }
    }
    // Documents are no lines: they come in with their whole JSON, and none is taken for another.
    wait_for("all documents", &(6 * 1001), || site.count("受付"));
    for (folder, _) in libraries {
        assert_eq!((site.count(&format!("{folder}root")), site.count(&format!("{folder}prefix"))), (1001, 1001));
    }
    server.stop();
}
