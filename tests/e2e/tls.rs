//! Syslog over TLS, and the two programs that relays run: rsyslog and syslog-ng, each sending by every transport at
//! once. What arrived is read from the journal: transport by transport, byte by byte, with the proven name.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use monban_event::{Record, Transport};

use crate::support::journal::{published, records};
use crate::support::pki::Authority;
use crate::support::wait::wait_for;
use crate::support::{Server, Site, wait_until};

const LINES: u64 = 300;
const RELAY: &str = "relay1.hospital.example";

/// A peer of one test alone, ended with it.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Peer {
    /// Fails where the peer is not installed: a test that passes over it would say nothing of it.
    fn start(command: &mut Command, package: &str) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| panic!("install the Debian package {package}: {error}")))
    }
}

/// A server whose clients must show a certificate of this authority.
fn serve(site: &Site, authority: &Authority) -> Server {
    site.serve_with(&format!(
        "[syslog.tls]\nlisten = \"127.0.0.1:0\"\nclient_certificates = \"required\"\nclient_ca = \"{}\"\n",
        authority.file.display()
    ))
}

fn own_certificate(site: &Site) -> PathBuf {
    site.data().join("tls/syslog.crt")
}

/// Everything in the journal, in its order.
fn stored(site: &Site) -> Vec<Record> {
    records(&site.data().join("journal")).0.into_values().collect()
}

/// Sends `LINES` lines to the peer's socket, waits until `ways` times as many are durable, and stops the server.
fn relay(site: &Site, server: Server, socket: &Path, ways: u64) -> Vec<Record> {
    let before = published(&site.data());
    let sender = std::os::unix::net::UnixDatagram::unbound().unwrap();
    for number in 0..LINES {
        let line = format!("<13>Oct 25 03:00:00 karte01 denkaru[{number}]: 閲覧 rs{number:04} 済");
        // Until the relay has begun nobody takes it.
        wait_until("the relay takes lines", || sender.send_to(line.as_bytes(), socket).is_ok());
    }
    wait_for("the relayed lines", &true, || published(&site.data()) >= before + ways * LINES);
    server.stop();
    stored(site)
}

#[track_caller]
fn assert_each_once(records: &[Record], transport: Transport, identity: Option<&str>) {
    let came: Vec<&Record> = records.iter().filter(|record| record.transport == transport).collect();
    let texts: Vec<String> = came.iter().map(|record| String::from_utf8(record.bytes.clone()).unwrap()).collect();
    let ours: Vec<&String> = texts.iter().filter(|text| text.contains("閲覧")).collect();
    for number in 0..LINES {
        let mark = format!("閲覧 rs{number:04} 済");
        assert_eq!(ours.iter().filter(|text| text.ends_with(&mark)).count(), 1, "{transport:?} {mark}: {ours:#?}");
    }
    assert_eq!(ours.len() as u64, LINES);
    assert!(came.iter().all(|record| record.identity.as_deref() == identity), "{:?}", came[0].identity);
}

#[test]
fn rsyslog_sends_by_udp_by_tcp_and_by_tls_with_a_certificate() {
    let site = Site::new();
    let authority = Authority::new(&site);
    let server = serve(&site, &authority);
    let (socket, config) = (site.path("dev-log"), rsyslog_config(&site, &authority, &server));
    let mut command = Command::new("rsyslogd");
    command.arg("-n").arg("-i").arg(site.path("rsyslog.pid")).arg("-f").arg(site.write("rsyslog.conf", config));
    let _rsyslog = Peer::start(&mut command, "rsyslog");
    let records = relay(&site, server, &socket, 3);
    assert_each_once(&records, Transport::Udp, None);
    assert_each_once(&records, Transport::Tcp, None);
    assert_each_once(&records, Transport::Tls, Some(RELAY));
}

fn rsyslog_config(site: &Site, authority: &Authority, server: &Server) -> String {
    // Where its TLS module is missing, rsyslog would try for ever.
    let is_module = |folder: std::fs::DirEntry| folder.path().join("rsyslog/lmnsd_gtls.so").is_file();
    let mut folders = std::fs::read_dir("/usr/lib").unwrap().map_while(Result::ok);
    assert!(folders.any(is_module), "rsyslog's TLS is needed: install the Debian package rsyslog-gnutls");
    let (certificate, key) = authority.issue(site, RELAY);
    let send = |to: SocketAddr, more: &str| {
        format!(
            "*.* action(type=\"omfwd\" target=\"{}\" port=\"{}\" action.resumeRetryCount=\"-1\" \
             action.resumeInterval=\"1\" {more})\n",
            to.ip(),
            to.port()
        )
    };
    let tls = "protocol=\"tcp\" TCP_Framing=\"octet-counted\" StreamDriver=\"gtls\" StreamDriverMode=\"1\" \
               StreamDriverAuthMode=\"x509/name\" StreamDriverPermittedPeers=\"localhost\" \
               template=\"RSYSLOG_SyslogProtocol23Format\"";
    [
        format!(
            "global(workDirectory=\"{}\" defaultNetstreamDriverCAFile=\"{}\" defaultNetstreamDriverCertFile=\"{}\" \
             defaultNetstreamDriverKeyFile=\"{}\")\n",
            site.path("").display(),
            own_certificate(site).display(),
            certificate.display(),
            key.display()
        ),
        format!(
            "module(load=\"imuxsock\" SysSock.Use=\"off\")\ninput(type=\"imuxsock\" Socket=\"{}\" CreatePath=\"on\" \
             RateLimit.Interval=\"0\" UseSpecialParser=\"off\" ParseHostname=\"on\")\n",
            site.path("dev-log").display()
        ),
        send(server.udp(), "protocol=\"udp\""),
        send(server.tcp(), "protocol=\"tcp\" TCP_Framing=\"octet-counted\""),
        send(server.tls(), tls),
    ]
    .concat()
}

/// syslog-ng and rsyslog cannot both be installed by Debian's packages, so `cargo xtask test` unpacks syslog-ng beside
/// what is built.
fn syslog_ng() -> Command {
    let target = Path::new(env!("CARGO_BIN_EXE_monban")).ancestors().nth(2).unwrap();
    let root = target.join("peers/syslog-ng");
    let program = root.join("usr/sbin/syslog-ng");
    if !program.is_file() {
        return Command::new("syslog-ng");
    }
    let libraries = libraries_below(&root);
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", std::env::join_paths(&libraries).unwrap());
    command.arg("--module-path").arg(std::env::join_paths(&libraries).unwrap());
    command
}

/// Every folder with a shared library in it.
fn libraries_below(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut left) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = left.pop() {
        let entries: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap()).collect();
        if entries.iter().any(|entry| entry.file_name().to_string_lossy().contains(".so")) {
            found.push(folder);
        }
        let folders = entries.iter().filter(|entry| entry.file_type().unwrap().is_dir());
        left.extend(folders.map(std::fs::DirEntry::path));
    }
    found.sort();
    found
}

#[test]
fn syslog_ng_sends_by_udp_by_tcp_in_both_framings_and_by_tls() {
    let site = Site::new();
    let authority = Authority::new(&site);
    let server = serve(&site, &authority);
    let (socket, config) = (site.path("dev-log"), syslog_ng_config(&site, &authority, &server));
    let mut command = syslog_ng();
    command.args(["--foreground", "--no-caps", "--cfgfile"]).arg(site.write("syslog-ng.conf", config));
    for (option, file) in [("--persist-file", "ng.persist"), ("--pidfile", "ng.pid"), ("--control", "ng.ctl")] {
        command.arg(option).arg(site.path(file));
    }
    let _syslog_ng = Peer::start(&mut command, "syslog-ng-core, or run cargo xtask test once, which unpacks it");
    let records = relay(&site, server, &socket, 4);
    let (counted, lines): (Vec<Record>, Vec<Record>) =
        records.into_iter().partition(|record| record.bytes.starts_with(b"<13>1 "));
    assert_each_once(&lines, Transport::Udp, None);
    assert_each_once(&lines, Transport::Tcp, None);
    assert_each_once(&counted, Transport::Tcp, None);
    assert_each_once(&counted, Transport::Tls, Some(RELAY));
}

fn syslog_ng_config(site: &Site, authority: &Authority, server: &Server) -> String {
    let (certificate, key) = authority.issue(site, RELAY);
    let (udp, tcp, tls) = (server.udp().port(), server.tcp().port(), server.tls().port());
    format!(
        "@version: 3.35\noptions {{ keep-hostname(yes); chain-hostnames(no); stats-freq(0); time-reopen(1); }};\n\
         source all {{ unix-dgram(\"{}\"); }};\n\
         destination udp {{ network(\"127.0.0.1\" port({udp}) transport(\"udp\")); }};\n\
         destination line {{ network(\"127.0.0.1\" port({tcp}) transport(\"tcp\")); }};\n\
         destination counted {{ syslog(\"127.0.0.1\" port({tcp}) transport(\"tcp\") \
         persist-name(\"counted\")); }};\n\
         destination tls {{ syslog(\"localhost\" port({tls}) transport(\"tls\") tls(ca-file(\"{}\") \
         cert-file(\"{}\") key-file(\"{}\") peer-verify(required-trusted))); }};\n\
         log {{ source(all); destination(udp); destination(line); destination(counted); destination(tls); }};\n",
        site.path("dev-log").display(),
        own_certificate(site).display(),
        certificate.display(),
        key.display()
    )
}

/// `openssl s_client` that sends these bytes; whether the server took them to the end.
fn s_client(site: &Site, to: SocketAddr, arguments: &[&Path], bytes: &[u8]) -> bool {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-no_ign_eof", "-verify_return_error", "-verify_hostname", "localhost"]);
    command.arg("-connect").arg(to.to_string()).arg("-CAfile").arg(own_certificate(site)).args(arguments);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.expect("openssl is needed: install the Debian package openssl");
    // A client that is turned away may be gone before it has read its input.
    drop(child.stdin.take().unwrap().write_all(bytes));
    child.wait().unwrap().success()
}

#[test]
fn openssl_is_let_in_with_a_certificate_and_turned_away_without() {
    let site = Site::new();
    let authority = Authority::new(&site);
    let mut server = serve(&site, &authority);
    server.tolerate("syslog connections were turned away");
    let (certificate, key) = authority.issue(&site, "fw1.hospital.example");
    let shown = [Path::new("-cert"), &certificate, Path::new("-key"), &key];
    assert!(s_client(&site, server.tls(), &shown, b"<13>one\n8 <13>a\nbc<13>three"));
    wait_for("what was sent", &3, || site.count("*"));
    s_client(&site, server.tls(), &[], b"<13>nobody\n");
    TcpStream::connect(server.tls()).unwrap().write_all(b"<13>in the clear\n").unwrap();
    assert!(s_client(&site, server.tls(), &shown, b"<13>last\n"));
    wait_for("the last one", &4, || site.count("*"));
    server.stop();
    let records = stored(&site);
    let texts: Vec<&[u8]> = records.iter().map(|record| record.bytes.as_slice()).collect();
    assert_eq!(texts, [&b"<13>one"[..], b"<13>a\nbc", b"<13>three", b"<13>last"]);
    assert!(records.iter().all(|record| record.identity.as_deref() == Some("fw1.hospital.example")));
}

#[test]
fn the_certificate_of_the_first_start_is_told_and_kept() {
    let site = Site::new();
    let told = || {
        let server = site.serve_with("[syslog.tls]\nlisten = \"127.0.0.1:0\"\n");
        assert!(s_client(&site, server.tls(), &[], b"<13>x\n"));
        server.stop().into_iter().find_map(|line| Some(line.split_once("SHA-256 ")?.1.to_owned())).unwrap()
    };
    let first = told();
    assert_eq!(first, told());
    let mut print = Command::new("openssl");
    print.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]);
    let output = print.arg(own_certificate(&site)).output().expect("install the Debian package openssl");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.trim().split_once('=').unwrap().1, first.trim_end_matches('）'));
}
