//! Lines in, fields out. The samples are our own, written from the documented formats; people and machines are invented,
//! addresses are those of documentation.

use std::net::SocketAddr;
use std::sync::Arc;

use monban_event::{FilePosition, Origin, Record, RecordId, limits};
use proptest::prelude::*;

use super::testing::{check, parse, record};
use super::{TextSettings, parse_syslog};
use crate::sources::{Sender, SourceSettings, SourceTable};
use crate::text::Charset;

const FORTIGATE_UP: &str = concat!(
    r#"<190>date=2026-03-03 time=02:14:08 devname="FGT-HOSP01" devid="FGT60FTK20000001" "#,
    r#"eventtime=1772471648000000001 tz="+0900" logid="0101039947" type="event" subtype="vpn" level="information" "#,
    r#"vd="root" logdesc="SSL VPN tunnel up" action="tunnel-up" tunneltype="ssl-tunnel" tunnelid=307687111 "#,
    r#"remip=203.0.113.45 tunnelip=10.212.134.200 user="CORP\Vendor01" group="SSLVPN_MAINT" dst_host="N/A" "#,
    r#"reason="N/A" msg="SSL tunnel established""#,
);

#[test]
fn fortigate_ssl_vpn_session() {
    check(
        FORTIGATE_UP,
        &[
            ("parse.status", "full"),
            ("parse.rule", "fortigate.kv"),
            ("@timestamp", "2026-03-02T17:14:08.000000Z"),
            ("time.source", "epoch"),
            ("event.code", "0101039947"),
            ("event.category", "session"),
            ("event.action", "session-start"),
            ("event.outcome", "success"),
            ("event.reason", "-"),
            ("user.name", "vendor01"),
            ("user.domain", "corp"),
            ("user.raw", r"CORP\Vendor01"),
            ("source.ip", "203.0.113.45"),
            ("vpn.type", "ssl"),
            ("vpn.assigned_ip", "10.212.134.200"),
            ("vpn.session_id", "307687111"),
            ("vpn.group", "SSLVPN_MAINT"),
            ("observer.hostname", "FGT-HOSP01"),
            ("observer.product", "FortiGate"),
            ("monban.source", "host:fgt-hosp01"),
            ("native.logdesc", "SSL VPN tunnel up"),
        ],
    );
    let down = FORTIGATE_UP.replace("tunnel-up", "tunnel-down").replace("0101039947", "0101039948");
    check(
        format!("{down} duration=1853 sentbyte=35156 rcvdbyte=111799"),
        &[
            ("event.action", "session-end"),
            ("event.duration", "1853000000000"),
            // What the FortiGate sent, the user received.
            ("destination.bytes", "35156"),
            ("source.bytes", "111799"),
        ],
    );
}

#[test]
fn fortigate_login_failure_in_japanese() {
    let line = concat!(
        r#"<185>date=2026-03-03 time=02:10:00 devname="FGT-HOSP01" devid="FGT60FTK20000001" tz="+0900" "#,
        r#"logid="0101039426" type="event" subtype="vpn" level="alert" vd="root" logdesc="SSL VPN login fail" "#,
        r#"action="ssl-login-fail" tunneltype="ssl-web" tunnelid=0 remip=203.0.113.45 tunnelip=(null) user="山田" "#,
        r#"group="N/A" reason="sslvpn_login_permission_denied" msg="SSL user failed to logged in""#,
    );
    let expected = [
        ("event.action", "login"),
        ("event.outcome", "failure"),
        ("event.category", "authentication"),
        ("event.reason", "sslvpn_login_permission_denied"),
        ("user.name", "山田"),
        ("vpn.assigned_ip", "-"),
        ("vpn.session_id", "-"),
        ("vpn.group", "-"),
        ("@timestamp", "2026-03-02T17:10:00.000000Z"),
        ("time.source", "offset"),
    ];
    check(line, &expected);
    let (sjis, _, _) = encoding_rs::SHIFT_JIS.encode(line);
    check(&sjis, &expected);
    check(&sjis, &[("event.original_encoding", "shift_jis")]);
}

#[test]
fn fortigate_offset_next_to_no_zone() {
    let line =
        |tail: &str| format!("date=2026-03-03 time=09:00:00 devname=F logid=1 type=event subtype=system vd=root{tail}");
    check(line(" tz=\"+0900\""), &[("@timestamp", "2026-03-03T00:00:00.000000Z"), ("event.timezone", "+09:00")]);
    check(
        line(""),
        &[("@timestamp", "2026-03-03T00:00:00.000000Z"), ("time.source", "local"), ("event.timezone", "Asia/Tokyo")],
    );
    check(line(" tz=\"+0100\""), &[("@timestamp", "2026-03-03T08:00:00.000000Z"), ("time.source", "offset")]);
    check(line(" eventtime=99"), &[("time.source", "local")]);
}

#[test]
fn fortigate_administration() {
    let line = |tail: &str| {
        format!(
            "<190>date=2026-03-03 time=09:00:00 devname=F logid=0100032001 type=event subtype=system vd=root {tail}"
        )
    };
    check(
        line(r#"user="admin" ui="https(192.0.2.9)" action="login" status="success" reason="none""#),
        &[
            ("event.action", "login"),
            ("event.outcome", "success"),
            ("event.category", "authentication"),
            ("source.ip", "192.0.2.9"),
            ("event.reason", "-"),
            ("vpn.type", "-"),
        ],
    );
    check(
        line(r#"user="admin" action="login" status="failed" reason="name_invalid""#),
        &[("event.outcome", "failure")],
    );
    check(
        line(r#"user="admin" ui="GUI(192.0.2.9)" action="Edit" cfgpath="firewall.policy" cfgobj="12""#),
        &[("event.action", "config-change"), ("event.category", "configuration"), ("native.cfgobj", "12")],
    );
    check(
        line(r#"user="admin" ui="jsconsole" action="Add" cfgpath="system.admin" cfgobj="Sato""#),
        &[("event.action", "account-change"), ("user.target.name", "sato"), ("user.name", "admin"), ("source.ip", "-")],
    );
}

#[test]
fn fortigate_ipsec_traffic_and_threats() {
    let head = "date=2026-03-03 time=09:00:00 devname=F vd=root";
    check(
        format!(
            "{head} logid=0101037138 type=event subtype=vpn action=\"tunnel-up\" remip=203.0.113.8 locip=198.51.100.1 \
             remport=500 locport=500 user=\"N/A\" xauthuser=\"sato\" assignip=10.9.0.3 vpntunnel=\"dialup\" tunnelid=9"
        ),
        &[
            ("event.action", "session-start"),
            ("vpn.type", "ipsec"),
            ("vpn.tunnel", "dialup"),
            ("user.name", "sato"),
            ("vpn.assigned_ip", "10.9.0.3"),
            ("destination.ip", "198.51.100.1"),
            ("source.port", "500"),
        ],
    );
    check(
        format!(
            "{head} logid=0000000013 type=traffic subtype=forward srcip=192.0.2.7 srcport=5 dstip=198.51.100.9 \
                 dstport=443 action=deny sentbyte=10 rcvdbyte=20"
        ),
        &[("event.action", "deny"), ("event.outcome", "failure"), ("source.bytes", "10"), ("destination.port", "443")],
    );
    check(
        format!("{head} logid=0211008192 type=utm subtype=virus srcip=192.0.2.7 dstip=198.51.100.9 action=blocked"),
        &[("event.action", "detect"), ("event.category", "malware"), ("event.outcome", "failure")],
    );
}

#[test]
fn fortigate_quoting_and_separators() {
    let head = "date=2026-03-03 time=09:00:00 logid=1 type=event subtype=system vd=root";
    check(
        format!(r#"{head} user="a" msg="said "hi" to x=1 y" url="/?a=b" end=1"#),
        &[("native.msg", r#"said "hi" to x=1 y"#)],
    );
    check(format!(r#"{head} user="CORP\" ui="x""#), &[("native.ui", "x")]);
    check(format!("{head} msg=User logged in user=sato"), &[("native.msg", "User logged in"), ("user.name", "sato")]);
    check(
        format!(r#"{head} user="sato" msg="cut in the mid"#),
        &[("native.msg", "cut in the mid"), ("user.name", "sato")],
    );
    check(
        r#"date=2026-03-03,time=09:00:00,logid="1",type=event,subtype=system,vd="root",user="sato",msg="a, b""#,
        &[("user.name", "sato"), ("native.msg", "a, b"), ("@timestamp", "2026-03-03T00:00:00.000000Z")],
    );
}

#[test]
fn fortigate_behind_relays_and_counts() {
    let body = FORTIGATE_UP.strip_prefix("<190>").expect("the sample has a PRI");
    for line in [
        format!("Mar  3 02:14:09 relay1 {body}"),
        format!("<13>Mar  3 02:14:09 relay1 <190>{body}"),
        format!("412 <190>{body}"),
        format!("\u{FEFF}<190>{body}\0"),
        format!("<190>1 2026-03-03T02:14:08+09:00 FGT-HOSP01 - - - - {body}"),
    ] {
        check(
            &line,
            &[("observer.hostname", "FGT-HOSP01"), ("user.name", "vendor01"), ("event.action", "session-start")],
        );
    }
}

#[test]
fn fortigate_cef() {
    let line = concat!(
        "<190>CEF:0|Fortinet|Fortigate|v7.2.8|32002|event:system login failed|7|deviceExternalId=FGT60FTK20000001 ",
        "dvchost=FGT-HOSP01 FTNTFGTeventtime=1772471648000000001 FTNTFGTlogid=0100032002 cat=event:system ",
        "FTNTFGTsubtype=system duser=admin sproc=https(192.0.2.66) act=login outcome=failed reason=name_invalid ",
        "msg=Administrator admin login failed",
    );
    check(
        line,
        &[
            ("parse.rule", "fortigate.cef"),
            ("event.action", "login"),
            ("event.outcome", "failure"),
            ("event.code", "0100032002"),
            ("user.name", "admin"),
            ("source.ip", "192.0.2.66"),
            ("observer.hostname", "FGT-HOSP01"),
            ("time.source", "epoch"),
            ("native.logid", "0100032002"),
        ],
    );
}

#[test]
fn fortigate_cef_of_mail() {
    let line = |user: &str| {
        format!(
            "<190>CEF:0|Fortinet|Fortigate|v7.2.8|20503|utm:emailfilter smtp log-only|2|deviceExternalId=FGT60FTK20000001 \
             dvchost=FGT-HOSP01 FTNTFGTlogid=0508020503 cat=utm:emailfilter {user}src=192.0.2.5 spt=35969 dst=198.51.100.25 \
             dpt=25 act=log-only suser=nurse@hospital.example duser=info@example.com \
             FTNTFGTsender=nurse@hospital.example FTNTFGTrecipient=info@example.com"
        )
    };
    check(line("duser=sato "), &[("user.name", "sato"), ("source.ip", "192.0.2.5"), ("destination.port", "25")]);
    // Nobody has logged in: who gets the mail is not who acts.
    assert_ne!(parse(line("").as_bytes()).user_raw.as_deref(), Some("info@example.com"));
}

#[test]
fn yamaha_administration() {
    check(
        "<174>Login succeeded for SSH: 192.168.20.2 admin",
        &[
            ("event.action", "login"),
            ("event.outcome", "success"),
            ("source.ip", "192.168.20.2"),
            ("user.name", "admin"),
            ("time.source", "receive"),
            ("observer.hostname", "-"),
            ("vpn.type", "-"),
        ],
    );
    check("<174>Login failed for HTTP: 192.168.20.2", &[("event.outcome", "failure"), ("user.name", "-")]);
    check(
        "<174>Login succeeded for Serial",
        &[("event.action", "login"), ("source.ip", "-"), ("native.method", "Serial")],
    );
    check("<174>'administrator' succeeded for SSH: 192.168.20.2 admin", &[("event.action", "elevate")]);
    check(
        "2026/03/03 09:00:00: Configuration saved in \"CONFIG0\" by SSH(admin)",
        &[("event.action", "config-change"), ("user.name", "admin"), ("@timestamp", "2026-03-03T00:00:00.000000Z")],
    );
    // A relay's header reader must not take the first word for the host.
    check(
        "<174>Mar  3 09:00:00 Logout from SSH: 192.168.20.2 admin",
        &[("event.action", "logout"), ("user.name", "admin")],
    );
    check("<174>Mar  3 09:00:00 rtx1 Logout from SSH: 192.168.20.2 admin", &[("observer.hostname", "rtx1")]);
}

#[test]
fn yamaha_remote_access() {
    check(
        "<134>[L2TP] TUNNEL[1] connected from 203.0.113.77",
        &[("source.ip", "203.0.113.77"), ("vpn.session_id", "TUNNEL[1]")],
    );
    check(
        "<134>PP[ANONYMOUS01] Call detected from user 'vendor01'",
        &[
            ("event.action", "session-start"),
            ("event.outcome", "success"),
            ("user.name", "vendor01"),
            ("vpn.type", "l2tp"),
        ],
    );
    check(
        "<134>PP[ANONYMOUS01] PPP/IPCP up  (Local: 192.168.100.1, Remote: 192.168.100.33)",
        &[("event.action", "address-assigned"), ("vpn.assigned_ip", "192.168.100.33")],
    );
    check("<134>IP Tunnel[1] Down", &[("event.action", "session-end"), ("vpn.session_id", "TUNNEL[1]")]);
    // The line to the provider is nobody's VPN.
    check(
        "2026/03/03 09:00:00: PPPOE[01] Disconnected, cause [PPP: Authentication failed]",
        &[("event.action", "other"), ("vpn.type", "-"), ("event.reason", "PPP: Authentication failed")],
    );
    check("<134>[IKE] respond ISAKMP phase to 203.0.113.77", &[("source.ip", "203.0.113.77")]);
    check(
        "<134>[IKE] initiate ISAKMP phase to 203.0.113.77",
        &[("destination.ip", "203.0.113.77"), ("source.ip", "-")],
    );
}

#[test]
fn yamaha_filters_and_repeats() {
    check(
        "<133>PP[01] Rejected at IN(200032) filter: TCP 203.0.113.99:54321 > 198.51.100.7:3389",
        &[
            ("event.action", "deny"),
            ("source.port", "54321"),
            ("destination.port", "3389"),
            ("native.filter", "200032"),
        ],
    );
    check(
        "<133>PP[01] Passed at IN(101) filter: TCP 2001:db8::9.1024 > 2001:db8::1.443",
        &[("event.action", "allow"), ("source.ip", "2001:db8::9"), ("destination.port", "443")],
    );
    check(
        "<133>LAN1(port4) Rejected at IN(1) filter: 00:00:5e:00:53:01 > 00:00:5e:00:53:02 IP",
        &[("source.mac", "00:00:5e:00:53:01"), ("source.ip", "-")],
    );
    check("<134>same message repeated 3 times", &[("native.repeated", "3"), ("parse.rule", "yamaha.repeat")]);
    check(
        "<134>[DHCPD] LAN1(port1) Extends 192.168.1.155: 00:00:5e:00:53:09",
        &[("vpn.assigned_ip", "-"), ("source.ip", "192.168.1.155")],
    );
}

#[test]
fn asa_sessions() {
    check(
        "<166>Mar 03 2026 02:14:05 asa-vpn-01 : %ASA-6-113039: Group <GP> User <CORP\\sato> IP <203.0.113.88> AnyConnect parent session started.",
        &[
            ("@timestamp", "2026-03-02T17:14:05.000000Z"),
            ("time.source", "local"),
            ("observer.hostname", "asa-vpn-01"),
            ("event.code", "113039"),
            ("event.action", "session-start"),
            ("event.outcome", "success"),
            ("vpn.type", "ssl"),
            ("vpn.group", "GP"),
            ("user.name", "sato"),
            ("source.ip", "203.0.113.88"),
        ],
    );
    check(
        "%FTD-4-113019: Group = GP, Username = sato, IP = 203.0.113.88, Session disconnected. Session Type: SSL, Duration: 2h:28m:09s, Bytes xmt: 54735230, Bytes rcv: 27473152, Reason: Idle Timeout",
        &[
            ("event.action", "session-end"),
            ("event.duration", "8889000000000"),
            ("source.bytes", "27473152"),
            ("destination.bytes", "54735230"),
            ("event.reason", "Idle Timeout"),
            ("observer.product", "Firepower Threat Defense"),
        ],
    );
    check(
        "%ASA-4-722051: Group <GP> User <sato> IP <203.0.113.88> IPv4 Address <10.9.0.4> IPv6 address <::> assigned to session",
        &[("event.action", "address-assigned"), ("vpn.assigned_ip", "10.9.0.4")],
    );
    check(
        "%ASA-6-113005: AAA user authentication Rejected : reason = Unspecified : server = 192.0.2.5 : user = ***** : user IP = 203.0.113.88",
        &[
            ("event.action", "login"),
            ("event.outcome", "failure"),
            ("user.name", "-"),
            ("source.ip", "203.0.113.88"),
            ("destination.ip", "192.0.2.5"),
        ],
    );
    check(
        "%ASA-5-750006: Local:198.51.100.1:4500 Remote:203.0.113.88:55543 Username:sato IKEv2 SA UP. Reason: New",
        &[("source.ip", "203.0.113.88"), ("destination.port", "4500"), ("event.action", "session-start")],
    );
}

#[test]
fn asa_administration_and_traffic() {
    check(
        "<166>%ASA-6-605005: Login permitted from 192.0.2.8/11 to outside:192.0.2.1/ssh for user \"kanri\"",
        &[
            ("event.action", "login"),
            ("user.name", "kanri"),
            ("source.port", "11"),
            ("vpn.type", "-"),
            ("time.source", "receive"),
        ],
    );
    check(
        "%ASA-6-605004: Login denied from 192.0.2.8/11 to outside:192.0.2.1/ssh for user \"root\"",
        &[("event.outcome", "failure")],
    );
    check(
        "%ASA-5-111010 User 'kanri', running 'CLI' from IP 192.0.2.8, executed 'write memory'",
        &[("event.action", "config-change"), ("source.ip", "192.0.2.8"), ("native.command", "write memory")],
    );
    check("%ASA-5-111008: User 'kanri' executed the 'enable' command.", &[("event.action", "other")]);
    check(
        "%ASA-5-502101: New user added to local dbase: Uname: sato Priv: 1 Encpass: x",
        &[("event.action", "account-change"), ("user.name", "-"), ("user.target.name", "sato")],
    );
    check(
        "%ASA-6-302013: Built outbound TCP connection 9 for outside:198.51.100.9/443 (198.51.100.9/443) to inside:192.0.2.7/5000 (192.0.2.7/5000)",
        &[("source.ip", "192.0.2.7"), ("destination.port", "443"), ("event.action", "allow")],
    );
    check(
        "%ASA-4-106023: Deny tcp src outside:203.0.113.9/2143 dst dmz:192.0.2.7/139 by access-group \"x\"",
        &[("event.action", "deny"), ("source.port", "2143")],
    );
    check(
        "%FTD-6-430003: EventPriority: Low, SrcIP: 192.0.2.7, DstIP: 198.51.100.9, SrcPort: 5, DstPort: 443, ACPolicy: a, b, User: Not Found, InitiatorBytes: 9, AccessControlRuleAction: Allow",
        &[
            ("source.ip", "192.0.2.7"),
            ("user.name", "-"),
            ("source.bytes", "9"),
            ("native.ACPolicy", "a, b"),
            ("event.action", "allow"),
        ],
    );
    // Names in place of addresses are no addresses.
    check(
        "%ASA-4-313009: Denied invalid ICMP code 9, for srv:PC0017/38706 (PC0017/38706) to lan:192.0.2.7/0",
        &[("source.ip", "-")],
    );
}

#[test]
fn sshd_logins_count_once() {
    let line = |text: &str| format!("<38>Mar  3 09:00:00 db01 sshd[77]: {text}");
    check(
        line("Accepted publickey for sato from 192.0.2.9 port 5022 ssh2: ED25519 SHA256:abc"),
        &[
            ("event.action", "login"),
            ("event.outcome", "success"),
            ("host.name", "db01"),
            ("observer.hostname", "-"),
            ("user.name", "sato"),
            ("source.ip", "192.0.2.9"),
            ("source.port", "5022"),
            ("process.name", "sshd"),
            ("process.pid", "77"),
        ],
    );
    check(
        line("Failed password for invalid user 山田 from 2001:db8::9 port 5 ssh2"),
        &[("event.action", "login"), ("event.outcome", "failure"), ("user.name", "山田"), ("source.ip", "2001:db8::9")],
    );
    for text in [
        "Invalid user sato from 192.0.2.9 port 5",
        "Failed none for invalid user sato from 192.0.2.9 port 5 ssh2",
        "Connection closed by authenticating user sato 192.0.2.9 port 5 [preauth]",
        "error: maximum authentication attempts exceeded for sato from 192.0.2.9 port 5 ssh2 [preauth]",
        "error: PAM: Authentication failure for sato from 192.0.2.9",
        "User sato from 192.0.2.9 not allowed because not listed in AllowUsers",
        "Disconnecting: Too many authentication failures for sato from 192.0.2.9 port 5 ssh2 [preauth]",
    ] {
        check(line(text), &[("event.action", "other"), ("user.name", "sato"), ("source.ip", "192.0.2.9")]);
    }
    check(
        line("Connection closed by invalid user  192.0.2.9 port 5 [preauth]"),
        &[("user.name", "-"), ("source.ip", "192.0.2.9")],
    );
    check(line("Invalid user from from 192.0.2.9 port 5"), &[("user.name", "from")]);
    check(
        line("Invalid user sato from pc7.example.jp port 5"),
        &[("source.ip", "-"), ("source.domain", "pc7.example.jp")],
    );
    check(line("Disconnected from user sato 192.0.2.9 port 5"), &[("event.action", "logout")]);
    check(
        line("message repeated 4 times: [ Failed password for root from 192.0.2.9 port 5 ssh2]"),
        &[("native.repeated", "4"), ("user.name", "root")],
    );
    check(
        line("Server listening on 0.0.0.0 port 22."),
        &[("parse.status", "header"), ("source.ip", "-"), ("host.name", "db01")],
    );
}

#[test]
fn pam_sudo_su_and_accounts() {
    let line = |text: &str| format!("2026-03-03T09:00:00.123456+09:00 db01 {text}");
    check(
        line("sudo: pam_unix(sudo:session): session opened for user root(uid=0) by sato(uid=1000)"),
        &[
            ("user.name", "sato"),
            ("user.target.name", "root"),
            ("event.action", "session-start"),
            ("time.source", "offset"),
            ("@timestamp", "2026-03-03T00:00:00.123456Z"),
        ],
    );
    check(
        line("sshd[9]: pam_unix(sshd:session): session opened for user sato(uid=1000) by (uid=0)"),
        &[("user.name", "sato")],
    );
    check(
        line(
            "sshd[9]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.9  user=root",
        ),
        &[("event.action", "other"), ("event.outcome", "failure"), ("source.ip", "192.0.2.9"), ("user.name", "root")],
    );
    check(
        line("sudo:     sato : TTY=pts/0 ; PWD=/home/sato ; USER=root ; COMMAND=/usr/bin/vi /etc/hosts"),
        &[
            ("event.action", "elevate"),
            ("event.outcome", "success"),
            ("process.command_line", "/usr/bin/vi /etc/hosts"),
        ],
    );
    check(
        line("sudo:     sato : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls"),
        &[("event.outcome", "failure"), ("event.reason", "user NOT in sudoers")],
    );
    check(line("su[5]: Successful su for root by sato"), &[("user.name", "sato"), ("user.target.name", "root")]);
    check(line("su[5]: FAILED SU (to root) sato on pts/1"), &[("user.name", "sato"), ("event.outcome", "failure")]);
    check(
        line("useradd[5]: new user: name=suzuki, UID=1001, GID=1003, home=/home/suzuki, shell=/bin/bash"),
        &[("event.action", "account-change"), ("user.target.name", "suzuki"), ("user.name", "-")],
    );
    check(
        line("systemd-logind[5]: New session 12 of user sato."),
        &[("user.name", "sato"), ("event.action", "session-start")],
    );
    check(
        line("CRON[5]: (root) CMD (run-parts /etc/cron.hourly)"),
        &[("process.command_line", "run-parts /etc/cron.hourly")],
    );
}

#[test]
fn last_days_of_the_year() {
    let at = |text: &str, received: &str| {
        let mut record = record(text.as_bytes());
        record.received_at = received.parse().expect("a time");
        let event = parse_syslog(RecordId(1), &record, &TextSettings::default());
        (event.time().to_rfc3339(), event.time_rule.map(monban_event::TimeRule::as_str))
    };
    let line = "<38>Dec 31 23:59:58 db01 sshd[7]: Failed password for root from 192.0.2.9 port 5 ssh2";
    assert_eq!(at(line, "2026-12-31T15:00:02Z"), ("2026-12-31T14:59:58+00:00".to_owned(), Some("year_assumed")));
    assert_eq!(at(line, "2027-01-04T00:00:00Z").0, "2026-12-31T14:59:58+00:00");
}

#[test]
fn what_nobody_understands_keeps_its_header_and_text() {
    check(
        "<30>Mar  3 09:00:00 nas1 smbd[4]: 共有 に 接続",
        &[
            ("parse.status", "header"),
            ("observer.hostname", "nas1"),
            ("process.name", "smbd"),
            ("message", "smbd[4]: 共有 に 接続"),
            ("event.action", "-"),
        ],
    );
    check("ただの文字列", &[("parse.status", "raw"), ("message", "ただの文字列"), ("time.source", "receive")]);
    check("", &[("parse.status", "raw"), ("message", "-")]);
    check("<34>1 2026-03-03T00:00:00Z h app 1 - [x@1 a=\"1\"] t", &[("native.a", "1"), ("parse.status", "header")]);
    check("<999>Mar  3 09:00:00 fw1 ids: x", &[("parse.note", "bad priority"), ("observer.hostname", "fw1")]);
}

#[test]
fn generic_cef_gets_its_standard_keys() {
    check(
        "<13>Mar  3 09:00:00 dsm1 CEF:0|Some Vendor|Some Product|1|600|User Signed In|3|src=192.0.2.4 suser=sato msg=a b c",
        &[
            ("event.dataset", "some_vendor.some_product"),
            ("source.ip", "192.0.2.4"),
            ("user.name", "sato"),
            ("native.msg", "a b c"),
        ],
    );
}

#[test]
fn sources_by_peer_then_host_then_file() {
    let line = b"<38>Mar  3 09:00:00 DB01 sshd[7]: Accepted password for sato from 192.0.2.9 port 5 ssh2";
    let source = |edit: &dyn Fn(&mut Record)| {
        let mut record = record(line);
        edit(&mut record);
        parse_syslog(RecordId(1), &record, &TextSettings::default()).source_id
    };
    let peer: SocketAddr = "[::ffff:192.0.2.50]:514".parse().expect("an address");
    assert_eq!(source(&|record| record.peer = Some(peer)).as_deref(), Some("ip:192.0.2.50"));
    assert_eq!(source(&|_| ()).as_deref(), Some("host:db01"));
    let import = |record: &mut Record| {
        record.origin = Origin::Import;
        record.peer = Some(peer);
    };
    assert_eq!(source(&import).as_deref(), Some("host:db01"));
    let named = |record: &mut Record| {
        record.bytes = b"x".to_vec();
        record.file =
            Some(FilePosition { import: RecordId(1), path: Arc::from("/var/log/rtx.log"), index: 0, hints: None });
    };
    assert_eq!(source(&named).as_deref(), Some("file:rtx.log"));
}

#[test]
fn long_messages_are_cut_at_a_character() {
    let line = format!("<13>x: {}", "山".repeat(limits::MESSAGE_BYTES_MAX));
    let event = parse(line.as_bytes());
    let message = event.message.expect("a message");
    assert!(message.len() <= limits::MESSAGE_BYTES_MAX && message.len() > limits::MESSAGE_BYTES_MAX - 3);
    assert_eq!(event.parse_note.as_deref(), Some("message cut"));
}

#[test]
fn a_line_cut_in_mid_character_keeps_the_rest() {
    let line = "<190>date=2026-03-03 time=09:00:00 devname=F logid=1 type=event subtype=system vd=root user=\"佐藤\""
        .as_bytes();
    let event = parse(&line[..line.len() - 3]);
    assert_eq!((event.user_name.as_deref(), event.parse_note.as_deref()), (Some("佐"), Some("damaged")));
}

#[test]
fn hostile_fields_are_bounded() {
    let pairs = (0..2_000).map(|number| format!(" k{number}=v")).collect::<Vec<_>>().concat();
    let event =
        parse(format!("date=2026-03-03 time=09:00:00 logid=1 type=event subtype=system vd=root{pairs}").as_bytes());
    assert_eq!((event.native.len(), event.parse_note.as_deref()), (limits::NATIVE_FIELDS_MAX, Some("fields cut")));
}

/// Lines made to be read again and again from every place: a reader that is not linear does not come back.
#[test]
fn hostile_repetition_is_read_in_linear_time() {
    const LENGTH: usize = 512 * 1024;
    let head = "date=2026-03-03 time=09:00:00 logid=1 type=event subtype=system vd=root x=";
    for (start, unit) in [
        (head, " "),
        (head, "\" "),
        (head, "\"\" "),
        (head, "a "),
        (head, ","),
        ("CEF:0|V|P|1|2|n|3|", "a="),
        ("CEF:0|V|P|1|2|n|3|", "\\"),
        ("CEF:0|V", "\\|"),
        ("%ASA-6-302013: Built ", "("),
        ("%FTD-6-430003: ", "a, "),
        ("%FTD-6-430003: ", "a: b, "),
        ("<34>1 2026-03-03T00:00:00Z h a p m ", "[a b=\"c\"]"),
        ("<34>1 2026-03-03T00:00:00Z h a p m [", "\\\""),
        ("<38>Mar  3 09:00:00 h sshd[1]: Failed password for ", " from "),
        ("<38>Mar  3 09:00:00 h sudo: a : ", " ; "),
        ("<134>[INSPECT] ", "] > "),
        ("", "{\"time\":"),
        ("", "<34>"),
    ] {
        let line = format!("{start}{}{}", unit.repeat(LENGTH / unit.len() / 2), " ".repeat(LENGTH / 2));
        assert!(parse(line.as_bytes()).parse_status.is_some(), "{start}{unit}");
    }
}

/// Pieces that parsers look for, so that random lines reach deep into them.
const PIECES: [&str; 30] = [
    "<34>",
    "<",
    ">",
    "1 ",
    "Mar  3 09:00:00 ",
    "2026-03-03T09:00:00Z ",
    "2026/03/03 09:00:00: ",
    "host ",
    "sshd[1]: ",
    "sudo: ",
    "date=",
    "time=",
    "logid=",
    "type=event subtype=vpn vd=root ",
    "\"",
    "CEF:0|Fortinet|Fortigate|1|2|3|4|",
    "=",
    "\\",
    "%ASA-6-302013: ",
    "Built outbound TCP connection 1 for a:192.0.2.1/2 ",
    " to ",
    " from ",
    "PP[01] ",
    "[INSPECT] ",
    " filter: ",
    " > ",
    "Failed password for ",
    "pam_unix(sshd:auth): ",
    "[",
    "]",
];

proptest! {
    #[test]
    fn any_bytes_are_one_event(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let event = parse(&bytes);
        prop_assert!(event.event_time.is_some() && event.parse_status.is_some());
    }

    #[test]
    fn any_pieces_are_one_event(
        pieces in proptest::collection::vec(prop_oneof![
            proptest::sample::select(&PIECES[..]).prop_map(str::to_owned),
            ".{0,6}",
            "[0-9a-z.:/ -]{0,12}",
        ], 0..24),
    ) {
        let line = pieces.concat();
        let event = parse(line.as_bytes());
        prop_assert!(event.event_time.is_some() && event.parse_status.is_some());
        // Nobody and nothing is invented: the account stands in the line.
        if let Some(user) = event.user_raw {
            prop_assert!(line.contains(&user), "{user:?} is not in {line:?}");
        }
    }

    #[test]
    fn every_prefix_of_a_line_is_one_event(length in 0..FORTIGATE_UP.len()) {
        let event = parse(&FORTIGATE_UP.as_bytes()[..length]);
        prop_assert!(event.source_ip.is_none_or(|ip| FORTIGATE_UP.contains(&ip.to_string())));
    }
}

#[test]
fn an_empty_value_is_no_value() {
    check("CEF:0||||||3|src=192.0.2.9", &[("event.module", "-"), ("observer.vendor", "-"), ("source.ip", "192.0.2.9")]);
}

#[test]
fn no_field_holds_a_password() {
    let line = "<38>Mar  3 09:00:00 rad1 app[7]: login user=sato password=Geheim12 result=ok";
    let event = parse_syslog(RecordId(1), &record(line.as_bytes()), &TextSettings::default());
    let json = serde_json::Value::Object(event.to_json()).to_string();
    assert!(!json.contains("Geheim12") && json.contains("********"), "{json}");
}

#[test]
fn what_is_set_for_a_source_holds_for_its_lines() {
    let source = SourceSettings {
        zone: Some(chrono_tz::Tz::UTC),
        charset: Some(Charset::ShiftJis),
        vendor: Some("allied_telesis"),
    };
    let table = SourceTable::new([(Sender::Host("sw1".to_owned()), source)]);
    let settings = TextSettings { sources: std::sync::Arc::new(table), ..TextSettings::default() };
    let event = parse_syslog(RecordId(1), &record(b"<134>2026-03-03 09:00:00 SW1 \x8eR\x93c"), &settings);
    assert_eq!(event.observer_vendor.as_deref(), Some("Allied Telesis"));
    assert_eq!(event.timezone.as_deref(), Some("UTC"));
    assert_eq!(event.message.as_deref(), Some("山田"));
    // A line that says who made it is not overruled.
    let event = parse_syslog(RecordId(1), &record(b"<166>2026-03-03 09:00:00 sw1 : %ASA-6-302013: Built"), &settings);
    assert_eq!(event.module.as_deref(), Some("cisco"));
    let event = parse_syslog(RecordId(1), &record(b"<134>2026-03-03 09:00:00 sw2 x"), &settings);
    assert_eq!((event.observer_vendor, event.timezone.as_deref()), (None, Some("Asia/Tokyo")));
}
