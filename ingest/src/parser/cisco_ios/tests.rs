//! Lines of every kind, invented from the documented messages.

use super::super::testing::{check, parse};

#[test]
fn logins() {
    check(
        "<189>41: sw1: 0042: Mar  3 09:00:00.123 JST: %SEC_LOGIN-5-LOGIN_SUCCESS: Login Success [user: sato] [Source: 192.0.2.7] [localport: 22] at 09:00:00 JST Tue Mar 3 2026",
        &[
            ("event.dataset", "cisco.ios"),
            ("event.code", "LOGIN_SUCCESS"),
            ("event.action", "login"),
            ("event.outcome", "success"),
            ("user.name", "sato"),
            ("source.ip", "192.0.2.7"),
            ("source.port", "-"),
            ("destination.port", "22"),
            ("observer.hostname", "sw1"),
            ("native.facility", "SEC_LOGIN"),
            ("@timestamp", "2026-03-03T00:00:00.123000Z"),
        ],
    );
    check(
        "<188>Mar  3 09:00:00.523: %SEC_LOGIN-4-LOGIN_FAILED: Login failed [user: ] [Source: 192.0.2.7] [localport: 22] [Reason: Login Authentication Failed] at 09:00:00 JST Tue Mar 3 2026",
        &[
            ("event.outcome", "failure"),
            ("user.name", "-"),
            ("source.ip", "192.0.2.7"),
            ("event.reason", "Login Authentication Failed"),
        ],
    );
    check(
        "<189>7: r1: RP/0/RP0/CPU0:Mar  3 09:00:00 : SSHD_[659]: %SECURITY-SSHD-6-INFO_SUCCESS : Successfully authenticated user 'sato' from '192.0.2.7' on 'vty0'",
        &[
            ("event.dataset", "cisco.iosxr"),
            ("event.action", "login"),
            ("user.name", "sato"),
            ("source.ip", "192.0.2.7"),
        ],
    );
    check(
        "Mar  3 09:00:00: %DMI-5-AUTHENTICATION_FAILED: Switch 1 R0/0: dmiauthd: Authentication failure from 192.0.2.7:51679 for netconf over ssh.",
        &[("event.outcome", "failure"), ("source.ip", "192.0.2.7"), ("source.port", "51679")],
    );
    check(
        "2026 Mar  3 09:00:00 JST: %AUTHPRIV-6-SYSTEM_MSG: Accepted password for sato from 192.0.2.7 port 51234 ssh2 - dcos_sshd[6531]",
        &[
            ("event.dataset", "cisco.nxos"),
            ("event.action", "login"),
            ("user.name", "sato"),
            ("source.ip", "192.0.2.7"),
            ("process.name", "dcos_sshd"),
        ],
    );
    check(
        "<165>Mar  3 09:00:00 sw9 Aaa: %AAA-4-LOGIN_FAILED: user sato failed to login [from: 192.0.2.7] [service: sshd] [reason: Authentication failed - Bad user]",
        &[
            ("event.module", "arista"),
            ("observer.hostname", "sw9"),
            ("event.outcome", "failure"),
            ("user.name", "sato"),
            ("source.ip", "192.0.2.7"),
            ("event.reason", "Authentication failed - Bad user"),
        ],
    );
}

#[test]
fn accounts_of_the_device() {
    let line = |code: &str, text: &str| format!("<189>12: sw1: Mar  3 09:00:00.312 JST: %AAA-5-{code}: {text}");
    for (code, text) in [
        ("USERNAME_CONFIGURATION", "user with username: sato configured"),
        ("USERNAME_UNCONFIGURATION", "user with username: sato unconfigured"),
    ] {
        check(
            line(code, text),
            &[("event.action", "account-change"), ("user.target.name", "sato"), ("user.name", "-")],
        );
    }
    check(
        line("USER_LOCKED", "User sato locked out on authentication failure."),
        &[
            ("event.category", "authentication"),
            ("event.action", "detect"),
            ("user.name", "-"),
            ("user.target.name", "sato"),
            ("observer.hostname", "sw1"),
        ],
    );
    check(
        line("USER_UNLOCKED", "User sato unlocked by yamada on vty0 (192.0.2.7)"),
        &[
            ("event.action", "account-change"),
            ("user.target.name", "sato"),
            ("user.name", "yamada"),
            ("source.ip", "192.0.2.7"),
        ],
    );
}

#[test]
fn one_login_is_not_told_twice() {
    check(
        "<189>5: Mar  3 09:00:00.200: %SSH-5-SSH2_USERAUTH: User 'sato' authentication for SSH2 Session from 192.0.2.7 (tty = 0) using crypto cipher 'aes256-ctr', hmac 'hmac-sha2-256' Succeeded",
        &[("event.action", "other"), ("event.outcome", "success"), ("user.name", "sato")],
    );
    check(
        "<190>5: Mar  3 09:00:00.200: %SYS-6-LOGOUT: User sato has exited tty session 2(192.0.2.7)",
        &[("event.action", "logout"), ("user.name", "sato"), ("source.ip", "192.0.2.7")],
    );
}

#[test]
fn configuration() {
    check(
        "<189>5: Mar  3 09:00:00: %SYS-5-CONFIG_I: Configured from console by sato on vty0 (192.0.2.7)",
        &[("event.action", "config-change"), ("user.name", "sato"), ("source.ip", "192.0.2.7")],
    );
    check(
        "<189>5: Mar  3 09:00:00: %SYS-5-CONFIG_I: Configured from console by vty2 (192.0.2.7)",
        &[("event.action", "config-change"), ("user.name", "-"), ("source.ip", "192.0.2.7")],
    );
    check(
        "<189>5: sw1: 7: .Mar  3 09:00:00 JST: %PARSER-5-CFGLOG_LOGGEDCMD: User:sato  logged command:no logging host 192.0.2.9",
        &[
            ("event.action", "config-change"),
            ("user.name", "sato"),
            ("source.ip", "-"),
            ("native.command", "no logging host 192.0.2.9"),
        ],
    );
    check(
        "<190>sw7: 2026 Mar  3 09:00:00 UTC: %AAA-6-AAA_ACCOUNTING_MESSAGE: update:192.0.2.7@pts/0:sato:configure terminal (SUCCESS)",
        &[("user.name", "sato"), ("source.ip", "192.0.2.7"), ("observer.hostname", "sw7")],
    );
    check(
        "<190>sw7: Mar  3 09:00:00 UTC: %AAA-6-USERNAME_CONFIGURATION: user with username: vendor01 configured",
        &[("event.action", "account-change"), ("user.name", "-"), ("user.target.name", "vendor01")],
    );
}

#[test]
fn access_lists() {
    check(
        "Mar  3 09:00:00 gw1 %SEC-6-IPACCESSLOGP: list 102 denied tcp 203.0.113.56(3067) (Serial4/3 ) -> 192.0.2.7(139), 1 packet",
        &[
            ("event.action", "deny"),
            ("source.ip", "203.0.113.56"),
            ("source.port", "3067"),
            ("destination.ip", "192.0.2.7"),
            ("destination.port", "139"),
            ("observer.hostname", "gw1"),
            ("native.acl", "102"),
        ],
    );
    check(
        "Mar  3 09:00:00 gw1 %SEC-6-IPACCESSLOGS: list ip-ssh denied 203.0.113.56 5 packets",
        &[("event.action", "deny"), ("source.ip", "203.0.113.56"), ("destination.ip", "-")],
    );
    check(
        "Mar  3 09:00:00 gw1 %IPV6_ACL-6-ACCESSLOGP: list v6/10 permitted tcp 2001:db8::1(1022) -> 2001:db8::2(23), 9 packets",
        &[("event.action", "allow"), ("source.ip", "2001:db8::1"), ("destination.port", "23")],
    );
}

#[test]
fn frames_that_the_header_leaves() {
    check(
        "<187>wlc1: *spamApTask1: Mar 03 09:00:00.203: %CAPWAP-4-DISC_INTF_ERR2: [PA]capwap_ac_sm.c:2053 Ignoring",
        &[("event.code", "DISC_INTF_ERR2"), ("@timestamp", "2026-03-03T00:00:00.203000Z")],
    );
    check("00:00:46: %LINK-3-UPDOWN: Interface Port-channel1, changed state to up", &[("event.code", "UPDOWN")]);
}

#[test]
fn other_programs_lines_are_not_claimed() {
    for line in [
        "<38>Mar  3 09:00:00 h1 sshd[7]: Failed password for invalid user %SYS-5-X: from 203.0.113.9 port 5 ssh2",
        "<38>Mar  3 09:00:00 h1 sshd[7]: Failed password for invalid user a: %SYS-5-X: from 203.0.113.9 port 5 ssh2",
        "<166>%ASA-6-302013: Built inbound TCP connection",
        "<13>disk usage 93%-5-THRESHOLD: x",
        "<13>%% %A-5 %-5-X: %A-9-X: y",
    ] {
        let event = parse(line.as_bytes());
        assert_ne!(event.parse_rule.as_deref(), Some("cisco_ios"), "{line}");
    }
}

#[test]
fn tunnels() {
    check(
        "<189>5: Mar  3 09:00:00: %CRYPTO-5-SESSION_STATUS: Crypto tunnel is UP.  Peer 203.0.113.9:500       Id: 203.0.113.9",
        &[("event.action", "other"), ("vpn.type", "ipsec"), ("source.ip", "203.0.113.9"), ("source.port", "500")],
    );
    check(
        "<189>5: Mar  3 09:00:00: %SSLVPN-5-LOGIN_AUTH_REJECTED: vw_ctx: c vw_gw: g remote_ip: 203.0.113.9 user_name: vendor01, Failed to authenticate user credentials",
        &[
            ("event.action", "login"),
            ("event.outcome", "failure"),
            ("vpn.type", "ssl"),
            ("user.name", "vendor01"),
            ("source.ip", "203.0.113.9"),
        ],
    );
    check(
        "<189>5: Mar  3 09:00:00: %SSLVPN-5-LOGIN_AUTH_PASSED: vw_ctx: c vw_gw: g remote_ip: 203.0.113.9 user_name: vendor01, Authentication successful, user logged in",
        &[("event.action", "session-start"), ("vpn.type", "ssl"), ("user.name", "vendor01")],
    );
}

#[test]
fn the_firewall_inside_ios_xe() {
    let platform =
        "<190>33: 34: Mar  3 2026 09:00:00.412 JST: %IOSXE-6-PLATFORM: R0/0: cpp_cp: QFP:0.0 Thread:001 TS:1";
    check(
        format!(
            "{platform} %FW-6-SESS_AUDIT_TRAIL: (target:class) (IN:OUT):Stop dns session: initiator (192.0.2.9:33207) sent 48 bytes -- responder (198.51.100.7:53) sent 40 bytes"
        ),
        &[
            ("event.code", "SESS_AUDIT_TRAIL"),
            ("source.ip", "192.0.2.9"),
            ("source.port", "33207"),
            ("destination.ip", "198.51.100.7"),
            ("destination.port", "53"),
        ],
    );
    check(
        format!(
            "{platform} %FW-6-DROP_PKT: Dropping tcp pkt from GigabitEthernet1 192.0.2.9:53836 => 198.51.100.7:80(target:class)-(IN:OUT) due to Policy drop"
        ),
        &[("event.action", "deny"), ("source.port", "53836"), ("destination.ip", "198.51.100.7")],
    );
    check(
        "<182>5: Mar  3 09:00:00: %FMANFP-6-IPV6ACCESSLOGP: R0/0: fman_fp_image: list A1 denied udp 2001:db8::9(38370) -> 2001:db8::7(3370), 1 packet",
        &[("event.action", "deny"), ("source.ip", "2001:db8::9"), ("destination.port", "3370")],
    );
}

#[test]
fn lines_of_the_linux_below_nxos() {
    check(
        "<187>n9k1: 2026 Mar  3 09:00:00 JST: %AUTHPRIV-3-SYSTEM_MSG: pam_aaa:Authentication failed for user sato from 192.0.2.9 - sshd[10021]",
        &[("event.action", "login"), ("event.outcome", "failure"), ("user.name", "sato"), ("source.ip", "192.0.2.9")],
    );
    check(
        "<187>n9k1: 2026 Mar  3 09:00:00 JST: %AUTHPRIV-5-SYSTEM_MSG: pam_unix(aaa:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=sato - aaad",
        &[("event.action", "other"), ("event.outcome", "failure"), ("user.name", "sato"), ("source.ip", "-")],
    );
    check(
        "<187>n9k1: 2026 Mar  3 09:00:00 JST: %AUTHPRIV-5-SYSTEM_MSG:    sato : TTY=pts/0 ; PWD=/var ; USER=root ; COMMAND=/bin/ls - sudo",
        &[("event.action", "elevate"), ("user.name", "sato"), ("user.target.name", "root")],
    );
}
