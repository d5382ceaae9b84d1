//! Lines as devices and relays write them, and what the reader makes of each.

use super::*;

/// Checks host, app, pid and message; whether a time was found.
fn check(line: &str, host: Option<&str>, app: Option<&str>, message: &str, has_time: bool) {
    let header = read(line);
    assert_eq!(
        (header.host, header.app, header.message, header.time.is_some()),
        (host, app, message, has_time),
        "{line}\n{header:?}"
    );
}

#[test]
fn bsd_headers() {
    check(
        "<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
        Some("mymachine"),
        Some("su"),
        "'su root' failed",
        true,
    );
    check("<34> Mar  3 09:00:00 fw1 sshd[77]: ok", Some("fw1"), Some("sshd"), "ok", true);
    check("Mar  3 09:00:00.123 fw1 sshd[77]: ok", Some("fw1"), Some("sshd"), "ok", true);
    check("<34>Mar  3 09:00:00 2026 sw-3f stm[41]: up", Some("sw-3f"), Some("stm"), "up", true);
    check("<34>2026-03-03T09:00:00+09:00 db01 sshd[77]: ok", Some("db01"), Some("sshd"), "ok", true);
    check("<34>Mar  3 09:00:00 2001:db8::7 sshd[77]: ok", Some("2001:db8::7"), Some("sshd"), "ok", true);
    check("<34>Mar  3 09:00:00 受付PC app: 開始", Some("受付PC"), Some("app"), "開始", true);
    check("<34>Mar  3 09:00:00 lb1,f5_irule=x,vip=192.0.2.1", Some("lb1"), None, "f5_irule=x,vip=192.0.2.1", true);
    check("<27>Mar  3 09:00:00 ap1,f09fc2000001,v4.0.54 hostapd: x", Some("ap1"), Some("hostapd"), "x", true);
    check("<34>Mar  3 09:00:00 slot1/lb1 info tmm1[9]: x", Some("lb1"), Some("tmm1"), "x", true);
}

#[test]
fn no_header_at_all() {
    check("<190>date=2026-03-03 time=09:00:00", None, None, "date=2026-03-03 time=09:00:00", false);
    check(
        "<174>Login succeeded for SSH: 192.168.20.2 admin",
        None,
        None,
        "Login succeeded for SSH: 192.168.20.2 admin",
        false,
    );
    check("<166>%ASA-6-113039: Group", None, None, "%ASA-6-113039: Group", false);
    check("error: maximum attempts", None, None, "error: maximum attempts", false);
    check("su[3]: text", None, Some("su"), "text", false);
    check("just words", None, None, "just words", false);
    check("", None, None, "", false);
}

#[test]
fn cisco_headers() {
    check("<166>Mar 03 2026 09:00:00 asa1 : %ASA-6-1: x", Some("asa1"), None, "%ASA-6-1: x", true);
    check("<166>Mar 03 2026 09:00:00 asa1: %ASA-6-1: x", Some("asa1"), None, "%ASA-6-1: x", true);
    check("<166>Mar 03 2026 09:00:00: %ASA-6-1: x", None, None, "%ASA-6-1: x", true);
    check("<189>22: sw1: 023: *Mar  1 18:46:11.123 JST: %SYS-5-X: y", Some("sw1"), None, "%SYS-5-X: y", true);
    check("<189>22: Mar  1 18:46:11: %SYS-5-X: y", None, None, "%SYS-5-X: y", true);
    check("<189>22: sw1: *Mar  1 18:46:11 XST: %SYS-5-X: y", Some("sw1"), None, "%SYS-5-X: y", true);
    check("<189>:Mar  1 18:46:11 UTC: %FTD-6-1: y", None, None, "%FTD-6-1: y", true);
    check("<189>: 2026 Mar  1 18:46:11 PDT: %SYS-5-X: y", None, None, "%SYS-5-X: y", true);
    check("<189>sw1: 00:01:01: %SYS-5-X: y", Some("sw1"), None, "%SYS-5-X: y", false);
    check("<189>7: r1 RP/0/RP0/CPU0:Mar  1 18:46:11 : %SYS-5-X: y", Some("r1"), None, "%SYS-5-X: y", true);
    check("<189>wlc1: *spamApTask1: Mar  1 18:46:11.203: %CAPWAP-4-X: y", Some("wlc1"), None, "%CAPWAP-4-X: y", true);
    check("<189>20: sw1: 1 22: %SYS-5-X: y", Some("sw1"), None, "%SYS-5-X: y", false);
    check("<189>101 21: %SYS-5-X: y", None, None, "%SYS-5-X: y", false);
    check("<189>Mar  1 18:46:11 DST: %SYS-5-X: y", None, None, "%SYS-5-X: y", true);
    check("<189>fw9: NetScreen device_id=fw9 x", Some("fw9"), None, "NetScreen device_id=fw9 x", false);
    check("Jul  3 2024 16:39:13 CEST: %LINK-3-UP: y", None, None, "%LINK-3-UP: y", true);
    check("2026-03-03T09:00:00Z ftd1  %FTD-6-430003: a: b", Some("ftd1"), None, "%FTD-6-430003: a: b", true);
}

#[test]
fn netscaler_headers() {
    let line = "<134> 20/11/2026:17:56:17 GMT adc1 0-PPE-0 : default AAA LOGIN_FAILED 1 0 : User yamada";
    check(line, Some("adc1"), None, "0-PPE-0 : default AAA LOGIN_FAILED 1 0 : User yamada", true);
    check("02/17/2026:07:32:36 GMT adc1 x", Some("adc1"), None, "x", true);
    check("\"2026/02/17:07:32:36  adc1 0-PPE-1 : x", Some("adc1"), None, "0-PPE-1 : x", true);
}

#[test]
fn rfc5424_and_its_relatives() {
    check("<165>1 2026-03-03T00:00:00Z h1 app 9 ID7 - text", Some("h1"), Some("app"), "text", true);
    check("<165>1 2026-03-03T00:00:00Z h1 - - - [x@1 a=\"q\\\"]\"][y] \u{FEFF}text", Some("h1"), None, "text", true);
    check("<134>1 2026-03-03 00:00:00+0900 h1 app - - - t", Some("h1"), Some("app"), "t", true);
    check("<134>1 1772496000.25 mx1 flows src=192.0.2.1", Some("mx1"), None, "flows src=192.0.2.1", true);
    check("<134>1 2026-03-03T00:00:00--5:00 h1 app - ID [a@1 b=\"c\"] t", Some("h1"), Some("app"), "t", true);
    check("<134>1 2026-03-03T00:00:00Z h1 CEF:0|V|P|1|2|n|3|a=b", Some("h1"), None, "CEF:0|V|P|1|2|n|3|a=b", true);
    // Illegal structured data is the message: nothing may be lost.
    let line = "<134>1 2026-03-03T00:00:00Z fw CP 1 - [action:\"Accept\"; src:\"192.0.2.1\"]";
    check(line, Some("fw"), Some("CP"), "[action:\"Accept\"; src:\"192.0.2.1\"]", true);
}

#[test]
fn headers_behind_headers() {
    let header = read("<34>Mar  3 09:00:01 relay1 Mar  3 09:00:00 fw1 sshd[1]: x");
    assert_eq!((header.relay, header.host, header.app), (Some("relay1"), Some("fw1"), Some("sshd")));
    let header = read("<34>Mar  3 09:00:01 relay1 <189>date=2026-03-03");
    assert_eq!((header.host, header.body), (Some("relay1"), "date=2026-03-03"));
    let header = read("<181>Mar  3 09:00:01 relay1 Mar  3 09:00:00 ise1 CISE_Passed_Authentications 01 1 0");
    assert_eq!((header.relay, header.host), (Some("relay1"), Some("ise1")));
    let header = read("Oct 19 09:16:53 n1 1 2021-10-19T09:16:53+02:00 192.0.2.9 VPN: - - - text");
    assert_eq!(
        (header.relay, header.host, header.app, header.message),
        (Some("n1"), Some("192.0.2.9"), Some("VPN"), "text")
    );
    assert!(header.time.is_some_and(|time| time.has_offset()));
}

#[test]
fn words_that_are_no_hosts() {
    let vpxd = "2026-03-03T09:00:00.390Z warning vpxd[07879] [Originator@6876 sub=Vmomi] text";
    check(vpxd, None, Some("vpxd"), "[Originator@6876 sub=Vmomi] text", true);
    check("2026-03-03 02:14:08 The connection was closed", None, None, "The connection was closed", true);
    check("2026-03-03 02:14:08 WARN service: started", None, None, "WARN service: started", true);
    check("2026-03-03 02:14:08 fw1 connection closed", Some("fw1"), None, "connection closed", true);
    check("2026-03-03 02:14:08 Gate sshd[7]: x", Some("Gate"), Some("sshd"), "x", true);
    check("<34>2026-03-03 02:14:08 Gate closed", Some("Gate"), None, "closed", true);
    let own_time = "Tue Mar  3 09:00:00 2026 [pid 2] x";
    check(&format!("<30>Mar  3 09:00:00 ftp1 vsftpd: {own_time}"), Some("ftp1"), Some("vsftpd"), own_time, true);
    let own_time = "2026-03-03 09:00:00 - ive - x";
    check(&format!("<30>Mar  3 09:00:00 v1 PulseSecure: {own_time}"), Some("v1"), Some("PulseSecure"), own_time, true);
    check("Mar  3 09:00:00 sw9 Aaa: %AAA-4-X: y", Some("sw9"), Some("Aaa"), "%AAA-4-X: y", true);
    check("Mar  3 09:00:00 sw9 AEST: %SYS-4-X: y", Some("sw9"), None, "%SYS-4-X: y", true);
    check("<190>33: 34: Mar 3 2026 09:00:00.1 mdt: %SYS-4-X: y", None, None, "%SYS-4-X: y", true);
    check("Mar  3 09:00:00 relay1 sw9: %SYS-4-X: y", Some("sw9"), None, "%SYS-4-X: y", true);
    check("<30>Mar  3 09:00:00 ap1,f09fc2000001,U7PG2-v4.0.54: hostapd: x", Some("ap1"), Some("hostapd"), "x", true);
}

#[test]
fn a_relay_before_the_time() {
    let header = read("<181>relay1 Mar 3 09:00:00 ise1 CISE_Failed_Attempts 01 1 0");
    assert_eq!((header.relay, header.host, header.time.is_some()), (Some("relay1"), Some("ise1"), true));
    // A word and a time alone make no relay.
    check("stopped 2026-03-03 09:00:00 by yamada", None, None, "stopped 2026-03-03 09:00:00 by yamada", false);
}

#[test]
fn odd_priorities_do_not_hide_the_rest() {
    let header = read("<250>Mar  3 09:00:00 fw1 su: x");
    assert_eq!((header.priority, header.bad_priority, header.host), (None, true, Some("fw1")));
    let header = read("65 <34>Mar  3 09:00:00 fw1 su: x");
    assert_eq!((header.priority, header.octet_count, header.host), (Some(34), true, Some("fw1")));
    for line in ["<>x", "<x>y", "<", "<12", "<123456>x", "1 ", "1 - "] {
        assert_eq!(read(line).priority, None, "{line}");
    }
}

/// Lines that a general syslog library reads wrongly or not at all: (line, host, app, message).
#[test]
fn what_devices_make_of_the_rfcs() {
    for (line, host, app, message) in [
        ("<34>Mar  3 2026 09:00:00 fw1 su: x", Some("fw1"), Some("su"), "x"),
        ("<34>Mar  3 09:00:00.123 fw1 su: x", Some("fw1"), Some("su"), "x"),
        ("<34>Mar  3 09:00:00,123 fw1 su: x", Some("fw1"), Some("su"), "x"),
        ("<34>Mar  3 09:00:00 JST fw1 su: x", Some("fw1"), Some("su"), "x"),
        ("<34>Mar  3 09:00:00 +09:00 fw1 su: x", Some("fw1"), Some("su"), "x"),
        ("<34>Tue Mar  3 09:00:00 2026 fw1 su: x", Some("fw1"), Some("su"), "x"),
        ("<34>2026-03-03 09:00:00 fw1 su: x", Some("fw1"), Some("su"), "x"),
        ("<34>2026/03/03 09:00:00 fw1 su: x", Some("fw1"), Some("su"), "x"),
        ("<34>2026-03-03T09:00:00.123456+0900 fw1 su: x", Some("fw1"), Some("su"), "x"),
        ("<34>2026 Mar  3 09:00:00 fw1 su: x", Some("fw1"), Some("su"), "x"),
        ("<34>Mar 3 9:00:00 fw1 su: x", Some("fw1"), Some("su"), "x"),
        ("<34>1 2026-03-03T09:00:00+0900 fw1 app 1 ID text", Some("fw1"), None, "app 1 ID text"),
        ("<34>1 2026-03-03T09:00:00+09:00 fw1 app - - {\"a\":1}", Some("fw1"), None, "app - - {\"a\":1}"),
        ("<34>1 - fw1 app - - - x", Some("fw1"), Some("app"), "x"),
        ("<34>1 2026-03-03T09:00:00Z - app - - - x", None, Some("app"), "x"),
        ("\u{FEFF}<34>Mar  3 09:00:00 fw1 su: x", Some("fw1"), Some("su"), "x"),
        ("<300>Mar  3 09:00:00 fw1 su: x", Some("fw1"), Some("su"), "x"),
        ("<174>[IKE] respond ISAKMP phase to 192.0.2.1", None, None, "[IKE] respond ISAKMP phase to 192.0.2.1"),
        ("<34>Mar  3 09:00:00 fe80::1%eth0 su: x", Some("fe80::1%eth0"), Some("su"), "x"),
        ("<34>Mar  3 09:00:00 db_01.hospital.example su: x", Some("db_01.hospital.example"), Some("su"), "x"),
        ("<34>Mar  3 09:00:00 fw1 /usr/sbin/cron[3]: x", Some("fw1"), Some("/usr/sbin/cron"), "x"),
        ("<34>Mar  3 09:00:00 fw1 last message repeated 3 times", Some("fw1"), None, "last message repeated 3 times"),
        ("<34>Mar  3 09:00:00 last message repeated 3 times", None, None, "last message repeated 3 times"),
        ("<38>Mar  3 09:00:00 <auth.info> fw1 sshd[7]: x", Some("fw1"), Some("sshd"), "x"),
        ("<38>Mar  3 09:00:00 sol1 sshd[7]: [ID 800047 auth.info] x", Some("sol1"), Some("sshd"), "x"),
        ("<38>Mar  3 09:00:00 aix1 auth|security:info sshd[7]: x", Some("aix1"), Some("sshd"), "x"),
        ("Mar  3 09:00:00 sw1 123: Mar  3 2026 09:00:00.1 JST: %A-5-B: y", Some("sw1"), None, "%A-5-B: y"),
        ("Mar  3 09:00:00 192.0.2.5 123: sw1: *Mar  3 09:00:00.1: %A-5-B: y", Some("sw1"), None, "%A-5-B: y"),
        ("Mar  3 09:00:00 192.0.2.5 123: %A-5-B: y", Some("192.0.2.5"), None, "%A-5-B: y"),
        ("Mar  3 09:00:00 nx1 : 2026 Mar  3 09:00:00 JST: %A-5-B: y", Some("nx1"), None, "%A-5-B: y"),
        ("<13>Mar  3 09:00:00 dc01 MSWinEventLog\t1\tSecurity", Some("dc01"), None, "MSWinEventLog\t1\tSecurity"),
        ("<14> Mar  3 09:00:00 192.0.2.5 00076 ports: port 1", Some("192.0.2.5"), None, "00076 ports: port 1"),
        ("<34>Mar  3 09:00:00 fw1 su: x\n\ty", Some("fw1"), Some("su"), "x\n\ty"),
    ] {
        let header = read(line);
        assert_eq!((header.host, header.app, header.message), (host, app, message), "{line}\n{header:?}");
    }
}

#[test]
fn structured_parameters_in_order() {
    let found: Vec<_> = structured_parameters("[a@1 x=\"1\" y=\"b]c\"][z@2 w=\"\"]").collect();
    assert_eq!(found, [("x", "1"), ("y", "b]c"), ("w", "")]);
}

proptest::proptest! {
    /// What the field's library reads of lines that keep to the RFCs, we read the same way. Where devices do not
    /// keep to them, we go our own way: see the table of quirks above.
    #[test]
    fn standard_lines_read_as_syslog_loose_reads_them(
        priority in 0_u8..192,
        host in "[a-z]{2,8}[0-9]{1,2}",
        app in "[a-z]{3,12}",
        pid in 1_u32..99_999,
        id in "[A-Z]{2,6}",
        words in proptest::collection::vec("[a-z]{1,9}", 1..8),
        modern in proptest::bool::ANY,
    ) {
        let text = words.join(" ");
        let line = if modern {
            format!("<{priority}>1 2026-11-20T02:14:07.123456+09:00 {host} {app} {pid} {id} [x@32473 a=\"b\"] {text}")
        } else {
            format!("<{priority}>Nov 20 02:14:07 {host} {app}[{pid}]: {text}")
        };
        let theirs = syslog_loose::parse_message_with_year(&line, |_| 2026, syslog_loose::Variant::Either);
        let ours = read(&line);
        let pid = pid.to_string();
        proptest::prop_assert_eq!(ours.priority, Some(priority));
        proptest::prop_assert_eq!(ours.host, theirs.hostname);
        proptest::prop_assert_eq!(ours.app, theirs.appname);
        proptest::prop_assert_eq!(ours.pid, theirs.procid.is_some().then_some(pid.as_str()));
        proptest::prop_assert_eq!(ours.message_id, theirs.msgid);
        proptest::prop_assert_eq!(ours.message, theirs.msg);
        proptest::prop_assert_eq!(ours.time.is_some(), theirs.timestamp.is_some());
    }
}
