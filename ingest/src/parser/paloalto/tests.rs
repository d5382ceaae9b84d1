//! Rows of every kind and form, invented from the documented columns.

use super::super::testing::{check, parse};

#[test]
fn traffic() {
    let row = "1,2026/03/03 09:00:00,0123,TRAFFIC,end,2561,2026/03/03 09:00:00,192.0.2.7,203.0.113.9,0.0.0.0,0.0.0.0,web,corp\\sato,,ssl,vsys1,trust,untrust,ethernet1/2,ethernet1/1,fwd,2026/03/03 09:00:00,77,1,51234,443,0,0,0x400053,tcp,allow,300,100,200,9,2026/03/03 08:59:00,30,any,,12,0x8000000000000000,10.0.0.0-10.255.255.255,Japan,,5,4,tcp-fin,0,0,0,0,,PA-MAIN,from-policy";
    check(
        format!("<14>Mar  3 09:00:01 relay1 {row},,,0,,0,,N/A,0,0,0,0,2026-03-03T09:00:00.250+09:00"),
        &[
            ("event.dataset", "paloalto.panos"),
            ("event.category", "network"),
            ("event.action", "allow"),
            ("source.ip", "192.0.2.7"),
            ("source.port", "51234"),
            ("destination.ip", "203.0.113.9"),
            ("destination.port", "443"),
            ("user.name", "sato"),
            ("user.domain", "corp"),
            ("source.bytes", "100"),
            ("destination.bytes", "200"),
            ("event.duration", "30000000000"),
            ("observer.hostname", "PA-MAIN"),
            ("@timestamp", "2026-03-03T00:00:00.250000Z"),
            ("native.rule", "web"),
        ],
    );
    // A stamp of another day is some other time.
    check(format!("{row},2020-01-01T09:00:00.250+09:00"), &[("@timestamp", "2026-03-03T00:00:00.000000Z")]);
}

#[test]
fn threats() {
    let row = "1,2026/03/03 09:00:00,0123,THREAT,vulnerability,2561,2026/03/03 09:00:00,203.0.113.9,192.0.2.7,0.0.0.0,0.0.0.0,in,,,web-browsing,vsys1,untrust,trust,e1,e2,fwd,2026/03/03 09:00:00,77,1,51234,443,0,0,0x0,tcp,reset-both,\"a,\"\"b\"\"\",Some Probe(90255),any,high,client-to-server,12,0x0,US,JP,,,0,,,,,,,,,,,,0,0,0,0,,PA-MAIN";
    check(
        row,
        &[
            ("event.action", "detect"),
            ("event.outcome", "failure"),
            ("event.code", "90255"),
            ("source.ip", "203.0.113.9"),
            ("observer.hostname", "PA-MAIN"),
            ("native.misc", "a,\"b\""),
        ],
    );
}

fn global_protect(event: &str, stage: &str, private: &str, status: &str, duration: &str) -> String {
    format!(
        "<14>Mar  3 09:00:00 pa1 1,2026/03/03 09:00:00,0123,GLOBALPROTECT,0,2562,2026/03/03 09:00:00,vsys1,{event},{stage},RADIUS,IPSec,corp\\vendor01,JP,NOTE-01,203.0.113.9,0.0.0.0,{private},0.0.0.0,host-id,SER,6.0.4,Windows,\"Windows 11 , 64-bit\",1,,,,{status},,{duration},,0,GP-GW,12,0x8000000000000000,2026-03-03T09:00:00.895+09:00,,,,,,0,0,0,0,,PA-MAIN,1"
    )
}

#[test]
fn global_protect_rows() {
    check(
        global_protect("gateway-connected", "connected", "10.9.0.5", "success", "0"),
        &[
            ("event.category", "session"),
            ("event.action", "session-start"),
            ("event.outcome", "success"),
            ("event.code", "gateway-connected"),
            ("user.name", "vendor01"),
            ("source.ip", "203.0.113.9"),
            ("vpn.assigned_ip", "10.9.0.5"),
            ("vpn.type", "ipsec"),
            ("source.domain", "NOTE-01"),
            ("host.name", "-"),
            ("observer.hostname", "PA-MAIN"),
            ("event.duration", "-"),
        ],
    );
    check(
        global_protect("gateway-auth", "login", "0.0.0.0", "failure", "0"),
        &[("event.action", "login"), ("event.outcome", "failure"), ("vpn.assigned_ip", "-")],
    );
    check(
        global_protect("gateway-logout", "logout", "10.9.0.5", "success", "1554"),
        &[("event.action", "session-end"), ("event.duration", "1554000000000")],
    );
    check(
        "1,2018/03/03 09:00:00,0123,SYSTEM,globalprotect,0,2018/03/03 09:00:00,,globalprotectgateway-config-succ,GP-GW,0,0,general,informational,\"GlobalProtect gateway client configuration generated. User name: vendor01, Private IP: 10.9.0.5, Client version: 4.0.3, Device name: NOTE-01\",1,0x0,0,0,0,0,,PA-MAIN",
        &[
            ("event.action", "session-start"),
            ("user.name", "vendor01"),
            ("vpn.assigned_ip", "10.9.0.5"),
            ("vpn.type", "ssl"),
        ],
    );
}

#[test]
fn machines_that_were_examined() {
    check(
        "CEF:0|Palo Alto Networks|LF|2.0|HIPMATCH||3|dtz=UTC rt=Mar 03 2026 00:00:00 suser=corp\\\\sato shost=NOTE-01 src=10.9.0.5 cat=antivirus-old dvchost=PA-MAIN",
        &[
            ("source.domain", "NOTE-01"),
            ("observer.hostname", "PA-MAIN"),
            ("source.ip", "10.9.0.5"),
            ("user.name", "sato"),
        ],
    );
}

#[test]
fn times_of_spreadsheets_and_of_cut_lines() {
    let row = |time: &str, late: &str| {
        format!(
            "<14>Apr  5 00:00:00 pa1 1,{time},0123,SYSTEM,general,0,{time},,general,,0,0,general,informational,\"x\",12,0x0,0,0,0,0,,PA-MAIN,0,0,{late}"
        )
    };
    for (time, late, expected) in [
        ("2026/3/3 9:00", "", "2026-03-03T00:00:00.000000Z"),
        ("3/31/26 9:05", "", "2026-03-31T00:05:00.000000Z"),
        ("2026/03/03 09:00:01", "2026-03-03T02:00:01.012+02:0", "2026-03-03T00:00:01.012000Z"),
        // Which offset these were nobody knows.
        ("2026/03/03 09:00:01", "2026-03-03T02:00:01.012+0", "2026-03-03T00:00:01.000000Z"),
        ("2026/03/03 09:00:01", "2026-03-03T02:00:01.012+05:3", "2026-03-03T00:00:01.000000Z"),
        // Nor whether the day or the month stands first; then the header's time counts.
        ("3/4/2026 9:00", "", "2025-04-04T15:00:00.000000Z"),
        ("2026/3/3 9", "", "2025-04-04T15:00:00.000000Z"),
    ] {
        check(row(time, late), &[("@timestamp", expected)]);
    }
}

#[test]
fn the_clock_of_the_sender_counts_where_two_zones_are_told() {
    let row = |received: &str, generated: &str| {
        format!(
            "1,{received},0123,GLOBALPROTECT,0,2305,{generated},vsys1,gateway-auth,login,RADIUS,,vendor01,JP,NOTE-01,203.0.113.9"
        )
    };
    for (received, generated, expected) in [
        ("2026/03/03 09:00:01", "2026/03/03 00:00:00", "2026-03-03T00:00:01.000000Z"),
        ("2026/03/03 00:30:00", "2026/03/02 15:30:00", "2026-03-02T15:30:00.000000Z"),
        // A log that had to wait is told late in one zone.
        ("2026/03/03 09:00:01", "2026/03/03 07:41:12", "2026-03-02T22:41:12.000000Z"),
        ("2026/03/03 09:00:01", "2026/03/03 08:59:59", "2026-03-02T23:59:59.000000Z"),
    ] {
        check(
            row(received, generated),
            &[
                ("@timestamp", expected),
                ("native.receive_time", received),
                ("source.domain", "NOTE-01"),
                ("host.name", "-"),
            ],
        );
    }
}

fn system(event: &str, text: &str) -> String {
    format!(
        "1,2026/03/03 09:00:00,0123,SYSTEM,auth,0,2026/03/03 09:00:00,,{event},GP,0,0,general,informational,\"{text}\",12,0x0,0,0,0,0,,PA-MAIN,0,0,2026-03-03T09:00:00.100+09:00"
    )
}

#[test]
fn administrators() {
    check(
        system("general", "User sato logged in via Web from 192.0.2.7 using https"),
        &[
            ("event.category", "authentication"),
            ("event.action", "login"),
            ("event.outcome", "success"),
            ("user.name", "sato"),
            ("source.ip", "192.0.2.7"),
            ("observer.hostname", "PA-MAIN"),
        ],
    );
    check(
        system(
            "auth-fail",
            "failed authentication for user 'sato'.  Reason: Invalid username/password. auth profile 'ADM', vsys 'shared', server address '198.51.100.3', From: 192.0.2.7.",
        ),
        &[
            ("event.action", "login"),
            ("event.outcome", "failure"),
            ("user.name", "sato"),
            ("source.ip", "192.0.2.7"),
            ("destination.ip", "198.51.100.3"),
            ("event.reason", "Invalid username/password"),
        ],
    );
    // GlobalProtect tells these two again.
    check(
        system(
            "auth-success",
            "failed authentication for user yamada. Reason: timed out. auth profile A, vsys vsys1, From: 192.0.2.7.",
        ),
        &[("event.action", "other"), ("event.outcome", "failure"), ("user.name", "yamada")],
    );
    check(
        system("auth-success", "authenticated for user 'yamada'.   auth profile 'GP', vsys 'vsys1', From: 192.0.2.7."),
        &[("event.action", "other"), ("event.outcome", "success"), ("source.ip", "192.0.2.7")],
    );
    check(
        "1,2026/03/03 09:00:00,0123,CONFIG,0,2561,2026/03/03 09:00:00,192.0.2.7,,set,sato,Web,Succeeded, config devices x,12,0x8000000000000000,0,0,0,0,,PA-MAIN,0,,0,2026-03-03T09:00:00.038+09:00",
        &[
            ("event.action", "config-change"),
            ("user.name", "sato"),
            ("source.ip", "192.0.2.7"),
            ("observer.hostname", "PA-MAIN"),
            ("native.cmd", "set"),
        ],
    );
}

#[test]
fn other_forms() {
    check(
        r"CEF:0|Palo Alto Networks|LF|2.0|GLOBALPROTECT|globalprotect|3|dtz=UTC rt=Mar 03 2026 00:00:00 PanOSEventIDValue=gateway-connected PanOSSourceUserName=corp\\\\vendor01 PanOSPublicIPv4=203.0.113.9 PanOSPrivateIPv4=10.9.0.5 PanOSEventStatus=success PanOSTunnelType=ssl dvchost=PA-MAIN",
        &[
            ("event.action", "session-start"),
            ("user.name", "vendor01"),
            ("vpn.assigned_ip", "10.9.0.5"),
            ("observer.hostname", "PA-MAIN"),
            ("@timestamp", "2026-03-03T00:00:00.000000Z"),
        ],
    );
    check(
        "CEF:0|Palo Alto Networks|PAN-OS|10.1|end|TRAFFIC|3|rt=Mar 03 2026 09:00:00 src=192.0.2.7 dst=203.0.113.9 spt=1 dpt=443 act=deny out=5 in=6 suser=sato",
        &[("event.action", "deny"), ("source.ip", "192.0.2.7"), ("source.bytes", "5"), ("user.name", "sato")],
    );
    check(
        "<14>Mar  3 09:00:00 pa1 LEEF:1.0|Palo Alto Networks|PAN-OS Syslog Integration|9.0|allow|cat=TRAFFIC|Subtype=end|src=192.0.2.7|dst=203.0.113.9|usrName=corp\\sato|srcPort=51234|action=allow|DeviceName=PA-MAIN",
        &[
            ("source.ip", "192.0.2.7"),
            ("source.port", "51234"),
            ("user.name", "sato"),
            ("observer.hostname", "PA-MAIN"),
        ],
    );
    check(
        r#"{"LogTime":"2026-03-03T00:00:10Z","LogSourceID":"07","LogType":"SYSTEM","Subtype":"general","EventTime":"2026-03-03T00:00:00Z","EventName":"general","EventDescription":"User sato logged in via CLI from 192.0.2.7","LogSourceName":"PA-MAIN","TimeGeneratedHighResolution":"2026-03-03T00:00:00.343Z"}"#,
        &[
            ("event.action", "login"),
            ("user.name", "sato"),
            ("observer.hostname", "PA-MAIN"),
            ("@timestamp", "2026-03-03T00:00:00.000000Z"),
        ],
    );
}

#[test]
fn damaged_and_foreign_rows() {
    for line in [
        "1,2026/03/03 09:00:00,0,TRAFFIC,",
        "1,2026/03/03 09:00:00,0,CONFIG,0,1,,,,,,,,0x",
        ": 1,2026/03/03 09:00:00,0,THREAT,\"x",
    ] {
        assert_eq!(parse(line.as_bytes()).module.as_deref(), Some("paloalto"), "{line}");
    }
    for line in
        ["1,2026/03/03 09:00:00,0,OTHER,x", "1,x,0,TRAFFIC,x", "{\"LogType\":\"x\"}", "CEF:0|X|PAN-OS|1|a|TRAFFIC|3|"]
    {
        assert_ne!(parse(line.as_bytes()).module.as_deref(), Some("paloalto"), "{line}");
    }
}
