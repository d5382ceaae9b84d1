//! The programs that hospitals' Linux machines send with, as they come with the distribution.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::support::Site;
use crate::support::wait::wait_for;

/// Fails where the peer is not installed: a test that passes over it would say nothing of it.
fn installed(program: &str, package: &str) {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    // rsyslogd prints its version with -v only; that it can be started is what is asked.
    assert!(found.is_ok(), "{program} is needed: install the Debian package {package}");
}

fn logger(to: SocketAddr, arguments: &[&str]) {
    let (ip, port) = (to.ip().to_string(), to.port().to_string());
    let status = Command::new("logger").args(["-n", &ip, "-P", &port]).args(arguments).status().unwrap();
    assert!(status.success(), "logger {arguments:?}");
}

#[test]
fn logger_sends_by_udp_and_tcp_in_both_forms() {
    installed("logger", "bsdutils");
    let site = Site::new();
    let server = site.serve();
    let (udp, tcp) = (server.udp(), server.tcp());
    let forms = [
        (udp, vec!["-d", "--rfc3164"], "udpoldform"),
        (udp, vec!["-d", "--rfc5424"], "udpnewform"),
        (tcp, vec!["-T", "--rfc3164"], "tcpoldform"),
        (tcp, vec!["-T", "--rfc5424"], "tcpnewform"),
        (tcp, vec!["-T", "--octet-count", "--rfc5424"], "tcpcounted"),
    ];
    for (to, arguments, word) in &forms {
        for number in 0..20 {
            let text = format!("{word} 患者受付 {number:02} 件目");
            logger(*to, &[arguments.as_slice(), &["-t", "uketsuke", &text]].concat());
        }
    }
    wait_for("all of logger's lines", &100, || site.count("患者受付"));
    for (_, _, word) in &forms {
        let found = site.search(word);
        let mut texts: Vec<&str> = found.iter().filter_map(|event| event["message"].as_str()).collect();
        texts.sort_unstable();
        let expected: Vec<String> = (0..20).map(|number| format!("{word} 患者受付 {number:02} 件目")).collect();
        assert_eq!(texts.len(), expected.len(), "{word}");
        assert!(texts.iter().zip(&expected).all(|(text, expected)| text.ends_with(expected.as_str())), "{texts:?}");
        assert!(found.iter().all(|event| event["process.name"] == "uketsuke"), "{:?}", found[0]);
    }
    assert_eq!(site.count("*"), 100, "nothing else came in");
    server.stop();
}

/// rsyslog of this test alone, ended with it.
struct Rsyslog(Child);

impl Drop for Rsyslog {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Rsyslog {
    /// Takes what is sent to a socket of its own and forwards it as RFC 5424 with octet counting.
    fn forwarding(site: &Site, to: SocketAddr) -> Self {
        let config = site.write("rsyslog.conf", rsyslog_config(site, to));
        let mut command = Command::new("rsyslogd");
        command.arg("-n").arg("-i").arg(site.path("rsyslog.pid")).arg("-f").arg(config);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.expect("rsyslogd is needed: install the Debian package rsyslog"))
    }
}

fn rsyslog_config(site: &Site, to: SocketAddr) -> String {
    let (work, socket) = (site.path(""), site.path("dev-log"));
    format!(
        "global(workDirectory=\"{}\")\nmodule(load=\"imuxsock\" SysSock.Use=\"off\")\n\
         input(type=\"imuxsock\" Socket=\"{}\" CreatePath=\"on\" RateLimit.Interval=\"0\" UseSpecialParser=\"off\" ParseHostname=\"on\")\n\
         *.* action(type=\"omfwd\" target=\"{}\" port=\"{}\" protocol=\"tcp\" TCP_Framing=\"octet-counted\" \
         template=\"RSYSLOG_SyslogProtocol23Format\" action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\")\n",
        work.display(),
        socket.display(),
        to.ip(),
        to.port()
    )
}

#[test]
fn rsyslog_forwards_with_octet_counting() {
    installed("rsyslogd", "rsyslog");
    let site = Site::new();
    let server = site.serve();
    let _rsyslog = Rsyslog::forwarding(&site, server.tcp());
    let socket = site.path("dev-log");
    wait_for("rsyslog's socket", &true, || socket.try_exists().unwrap());
    let sender = std::os::unix::net::UnixDatagram::unbound().unwrap();
    for number in 0..1000 {
        let line =
            format!("<13>1 2026-10-25T03:00:00.{number:06}+09:00 karte01 denkaru {number} ID7 - 閲覧 rs{number:04}");
        sender.send_to(line.as_bytes(), &socket).unwrap();
    }
    wait_for("rsyslog's lines", &1000, || site.count("閲覧"));
    let found = site.search("閲覧");
    let mut texts: Vec<&str> = found.iter().map(|event| event["message"].as_str().unwrap()).collect();
    texts.sort_unstable();
    let expected: Vec<String> = (0..1000).map(|number| format!("閲覧 rs{number:04}")).collect();
    assert_eq!(texts, expected);
    assert_eq!(found[0]["process.name"], "denkaru");
    server.stop();
}
