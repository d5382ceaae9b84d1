//! Sigma's log sources of devices and of Linux hosts: every one that the public rule collection names either meets a line
//! of ours through the real parsers, or stands in the list of those no parser here brings. Windows has its own tests.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::fs;
use std::sync::Arc;

use monban_detect::{Context, Detector, RuleSet};
use monban_event::{Format, Origin, Record, RecordId, RecordParser, Transport};
use monban_ingest::{Parsers, TextSettings};

/// Titles of the rules that a line meets.
fn hits(detector: &mut Detector, line: &str) -> Vec<String> {
    let record = Record {
        received_at: "2026-03-03T02:14:08+09:00".parse().unwrap(),
        origin: Origin::Live,
        transport: Transport::Udp,
        peer: "192.0.2.200:514".parse().ok(),
        identity: None,
        format: Format::Syslog,
        file: None,
        bytes: line.as_bytes().to_vec(),
        cut: false,
    };
    let mut events = Vec::new();
    Parsers { settings: TextSettings::in_zone(chrono_tz::Asia::Tokyo) }.parse(RecordId(1), &record, &mut events);
    let mut hits = Vec::new();
    for mut event in events {
        detector.enrich(&mut event);
        detector.observe(&mut event, &mut hits);
    }
    hits.into_iter().map(|hit| hit.title).collect()
}

fn detector(rules: &[String]) -> Detector {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yml"), rules.join("---\n")).unwrap();
    let (rules, report) = RuleSet::load_dirs(&[folder.path().to_owned()]).unwrap();
    assert_eq!(report.failed, []);
    Detector::new(Arc::new(rules), Arc::new(Context::default()))
}

fn rule(title: &str, source: &str, detection: &str) -> String {
    format!("title: {title}\nid: {title}\nlogsource: {{{source}}}\ndetection: {{{detection}}}\nlevel: medium\n")
}

const IOS: &str = "<189>45: rt1: Mar  3 02:14:08.000: ";
const AUDIT: &str = "msg=audit(1772471648.250:891):";
const SQUID: &str = "1772471648.250 87 10.0.0.9 TCP_MISS/200 1913 GET http://files.example/a/tool.exe?x=1 yamada HIER_DIRECT/198.51.100.7 -";
const WEB: &str = r#"203.0.113.9 - sato [03/Mar/2026:02:14:08 +0900] "POST /glpi/front/upload.php?id=..%2f..%2f HTTP/1.1" 200 2213 "http://glpi.hospital.example/" "probe/1.0""#;
const DENIED: &str = "<166>Mar 03 2026 02:14:08 fw1 : %ASA-4-106023: Deny tcp src outside:203.0.113.9/50123 dst inside:10.0.0.80/23 by access-group \"OUT\"";
const CONFIG: &str = r#"<190>date=2026-03-03 time=02:14:08 devname="FGT-HONKAN" devid="FGT60FTK26000001" tz="+0900" logid="0100044546" type="event" subtype="system" level="information" vd="root" logdesc="Attribute configured" user="admin" ui="GUI(10.0.0.9)" action="Add" cfgtid=1 cfgpath="firewall.policy" cfgobj="9" cfgattr="status[enable]" msg="Add firewall.policy 9""#;

/// Each log source with a line of it.
fn routed() -> Vec<(&'static str, String)> {
    let sudo = "<86>Mar  3 02:14:08 db1 sudo: sato : TTY=pts/0 ; PWD=/home/sato ; USER=#-1 ; COMMAND=/bin/bash";
    let sshd = "<86>Mar  3 02:14:08 db1 sshd[9]: Failed password for sato from 203.0.113.9 port 50123 ssh2";
    let globalprotect = "<14>Mar  3 02:14:08 pa1 1,2026/03/03 02:14:08,015451000026001,GLOBALPROTECT,0,2561,2026/03/03 02:14:08,vsys1,gateway-connected,connected,LDAP,IPSec,sato,JP,PC1,203.0.113.9,0.0.0.0,10.20.8.5,0.0.0.0,662f0b44,PF1,6.0.4,Windows,\"Windows 11\",1,,,,success,,0,,0,GP,5001,0x8000000000000000";
    [
        ("category: antivirus", r"<134>Mar  3 02:14:08 av1 CEF:0|Trend Micro|Deep Security Agent|20.0|4000000|Eicar_test_file|6|cn1=1 cn1Label=Host ID dvchost=ws1 filePath=C:\\temp\\eicar.com act=Delete suser=sato"),
        ("category: dns", "<30>2026-03-03T02:14:08+09:00 ns1 unbound[17]: [17:1f] query: 10.0.0.9 files.example. A IN"),
        ("category: firewall", DENIED),
        ("category: proxy", SQUID),
        ("category: webserver", WEB),
        ("product: cisco, service: aaa", &format!("{IOS}%PARSER-5-CFGLOG_LOGGEDCMD: User:sato  logged command:no logging host 10.0.0.5")),
        ("product: cisco, service: bgp", &format!("{IOS}%TCP-6-BADAUTH: No MD5 digest from 192.0.2.1(41000) to 192.0.2.2(179)")),
        ("product: cisco, service: ldp", &format!("{IOS}%LDP-4-AUTH: LDP session with 192.0.2.1 refused")),
        ("product: cisco, service: syslog", &format!("{IOS}%SYS-5-CONFIG_I: Configured from console by sato on vty0 (192.0.2.7)")),
        ("product: fortigate, service: event", CONFIG),
        ("product: fortios, service: sslvpnd", r#"<190>date=2026-03-03 time=02:14:08 devname="FGT-HONKAN" devid="FGT60FTK26000001" tz="+0900" logid="0100032546" type="event" subtype="system" level="warning" vd="root" logdesc="Application crashed" action="crash" msg="Pid: 11, application: sslvpnd""#),
        ("product: huawei, service: bgp", "<188>Mar  3 2026 02:14:08 ne1 %%01BGP/3/BGP_AUTH_FAILED(l)[7]:BGP session authentication failed. (PeerAddress=192.0.2.1)"),
        ("product: juniper, service: bgp", "<29>Mar  3 02:14:08 mx1 rpd[7]: RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer 192.0.2.1 (External AS 65001) changed state from Established to Idle"),
        ("product: linux", sshd),
        ("product: linux, category: file_event", &format!("type=PATH {AUDIT} item=1 name=\"/etc/cron.d/x\" inode=9 nametype=CREATE")),
        ("product: linux, category: process_creation", &format!("type=EXECVE {AUDIT} argc=2 a0=\"nc\" a1=\"-e\"")),
        ("product: linux, service: auditd", &format!("type=SYSCALL {AUDIT} arch=c000003e syscall=41 success=yes exit=3 a0=26 pid=9 auid=1000 uid=0 comm=\"x\" exe=\"/tmp/x\" key=\"net\"")),
        ("product: linux, service: auth", sshd),
        ("product: linux, service: clamav", "<30>Mar  3 02:14:08 db1 clamd[9]: /srv/share/a.exe: Eicar-Test-Signature FOUND"),
        ("product: linux, service: cron", "<78>Mar  3 02:14:08 db1 CRON[9]: (root) CMD (/tmp/x.sh)"),
        ("product: linux, service: sshd", sshd),
        ("product: linux, service: sudo", sudo),
        ("product: linux, service: syslog", sshd),
        ("product: paloalto, category: appliance, service: globalprotect", globalprotect),
    ]
    .map(|(source, line)| (source, line.to_owned()))
    .into()
}

/// No parser here brings these: other makers' clouds, programs that keep logs of their own, and Zeek.
const NOT_OURS: [&str; 34] = [
    "product: apache, service: error",
    "product: aws, service: cloudtrail",
    "product: azure, service: activitylogs",
    "product: azure, service: auditlogs",
    "product: azure, service: signinlogs",
    "product: bitbucket, service: audit",
    "product: cisco, service: duo",
    "product: django, category: application",
    "product: gcp, service: gcp.audit",
    "product: github, service: audit",
    "product: jvm, category: application",
    "product: kubernetes, service: audit",
    "product: linux, service: guacamole",
    "product: linux, service: vsftpd",
    "product: linux, category: network_connection",
    "product: m365, service: audit",
    "product: macos, category: file_event",
    "product: macos, category: process_creation",
    "product: modsecurity",
    "product: okta, service: okta",
    "product: onelogin, service: onelogin.events",
    "product: opencanary, category: application",
    "product: paloalto, category: file_event, service: globalprotect",
    "product: qualys",
    "product: rpc_firewall, category: application",
    "product: spring, category: application",
    "product: sql, category: application",
    "product: zeek, service: dce_rpc",
    "product: zeek, service: dns",
    "product: zeek, service: http",
    "product: zeek, service: kerberos",
    "product: zeek, service: rdp",
    "product: zeek, service: smb_files",
    "product: zeek, service: x509",
];

#[test]
fn every_log_source_meets_a_line_or_is_known_not_to() {
    const ANY: &str = "selection: {'@timestamp|exists': true}, condition: selection";
    let routed = routed();
    let sources = routed.iter().map(|(source, _)| *source).chain(NOT_OURS);
    let mut detector = detector(&sources.map(|source| rule(&format!("'{source}'"), source, ANY)).collect::<Vec<_>>());
    for (source, line) in &routed {
        let hits = hits(&mut detector, line);
        assert!(hits.iter().any(|hit| hit == source), "{source}: {hits:?}\n{line}");
        let foreign: Vec<&String> = hits.iter().filter(|hit| NOT_OURS.contains(&hit.as_str())).collect();
        assert!(foreign.is_empty(), "{foreign:?} was asked about {line}");
    }
}

#[test]
fn a_line_of_one_log_source_is_not_shown_to_another() {
    const ANY: &str = "selection: {'@timestamp|exists': true}, condition: selection";
    let sources = ["category: proxy", "category: webserver", "category: firewall", "product: cisco, service: bgp"];
    let mut detector = detector(&sources.map(|source| rule(&format!("'{source}'"), source, ANY)));
    assert_eq!(hits(&mut detector, SQUID), ["category: proxy"]);
    assert_eq!(hits(&mut detector, WEB), ["category: webserver"]);
    assert_eq!(hits(&mut detector, DENIED), ["category: firewall"]);
    assert_eq!(hits(&mut detector, CONFIG), [] as [&str; 0]);
}

#[test]
fn rules_speak_the_names_of_their_log_source() {
    let rules = [
        rule(
            "download",
            "category: proxy",
            "selection: {'c-uri|contains': '.exe', cs-method: GET, sc-status: 200, cs-host: files.example}, condition: selection",
        ),
        rule(
            "traversal",
            "category: webserver",
            "selection: {'cs-uri-query|contains': '..%2f', cs-method: POST, sc-status: 200, c-ip: 203.0.113.9, 'cs-user-agent|startswith': probe, 'cs-referer|contains': glpi, 'cs-uri-stem|endswith': upload.php}, condition: selection",
        ),
        rule(
            "policy",
            "product: fortigate, service: event",
            "selection: {action: Add, cfgpath: firewall.policy}, condition: selection",
        ),
        rule(
            "netcat",
            "product: linux, category: process_creation",
            "selection: {'Image|endswith': nc, 'CommandLine|contains': ' -e '}, condition: selection",
        ),
        rule(
            "created",
            "product: linux, category: file_event",
            "selection: {'TargetFilename|startswith': /etc/cron.d/}, condition: selection",
        ),
        rule(
            "socket",
            "product: linux, service: auditd",
            "selection: {type: SYSCALL, a0: 26, 'exe|startswith': /tmp/}, condition: selection",
        ),
        rule("sudo", "product: linux, service: sudo", "selection: {USER: '#-1'}, condition: selection"),
        rule("unlogged", "product: cisco, service: aaa", "keywords: ['no logging'], condition: keywords"),
        rule("query", "category: dns", "selection: {'query|endswith': .example, record_type: A}, condition: selection"),
        rule(
            "telnet",
            "category: firewall",
            "selection: {dst_port: 23, blocked: 'true', src_ip: 203.0.113.9}, condition: selection",
        ),
        rule("eicar", "category: antivirus", "selection: {'Filename|endswith': eicar.com}, condition: selection"),
    ];
    let mut detector = detector(&rules);
    let line = |source: &str| routed().into_iter().find(|(known, _)| *known == source).unwrap().1;
    for (title, line) in [
        ("download", SQUID.to_owned()),
        ("traversal", WEB.to_owned()),
        ("policy", CONFIG.to_owned()),
        (
            "netcat",
            format!(
                "type=EXECVE {AUDIT} argc=4 a0=\"/usr/bin/nc\" a1=\"-e\" a2=2F62696E2F7368202D69 a3=\"203.0.113.9\""
            ),
        ),
        ("created", line("product: linux, category: file_event")),
        ("socket", line("product: linux, service: auditd")),
        ("sudo", line("product: linux, service: sudo")),
        ("unlogged", line("product: cisco, service: aaa")),
        ("query", line("category: dns")),
        ("telnet", DENIED.to_owned()),
        ("eicar", line("category: antivirus")),
    ] {
        assert_eq!(hits(&mut detector, &line), [title], "{line}");
    }
}
