//! Servers and routers that people dial in to: `OpenVPN`, `SoftEther`, Yamaha, `MikroTik`, strongSwan, `pppd`, NPS.

use super::{check, table};

#[test]
fn openvpn_by_syslog_and_from_a_file() {
    let line = |clock: &str, rest: &str| format!("{clock} <29>Mar  3 {clock} vpn1 openvpn[77]: {rest}\n");
    let lines = |line: &dyn Fn(&str, &str) -> String| {
        [
            line(
                "02:14:00",
                "203.0.113.7:62586 TLS: Initial packet from [AF_INET]203.0.113.7:62586, sid=c0ffee01 c0ffee02",
            ),
            line("02:14:00", "203.0.113.7:62586 VERIFY OK: depth=0, C=JP, O=Hospital, CN=sato"),
            line("02:14:00", "203.0.113.7:62586 TLS Auth Error: Auth Username/Password verification failed for peer"),
            line("02:14:00", "203.0.113.7:62586 [sato] Peer Connection Initiated with [AF_INET]203.0.113.7:62586"),
            line("02:14:01", "203.0.113.7:62586 SENT CONTROL [sato]: 'AUTH_FAILED' (status=1)"),
            line(
                "02:14:06",
                "203.0.113.9:59321 TLS: Initial packet from [AF_INET]203.0.113.9:59321, sid=c0ffee03 c0ffee04",
            ),
            line(
                "02:14:07",
                "203.0.113.9:59321 TLS: Username/Password authentication succeeded for username 'vendor01' ",
            ),
            line("02:14:07", "203.0.113.9:59321 [vendor01] Peer Connection Initiated with [AF_INET]203.0.113.9:59321"),
            line("02:14:08", "vendor01/203.0.113.9:59321 MULTI_sva: pool returned IPv4=10.8.0.6, IPv6=(Not enabled)"),
            line("02:14:08", "vendor01/203.0.113.9:59321 MULTI: Learn: 10.8.0.6 -> vendor01/203.0.113.9:59321"),
            line(
                "02:14:08",
                "vendor01/203.0.113.9:59321 MULTI: primary virtual IP for vendor01/203.0.113.9:59321: 10.8.0.6",
            ),
            line("02:20:08", "vendor01/203.0.113.9:59321 SIGTERM[soft,remote-exit] received, client-instance exiting"),
        ]
        .concat()
    };
    let session = "vendor01 203.0.113.9 10.8.0.6 02:14:08-02:20:08 -/-";
    check(&lines(&line), session, "sato 203.0.113.7");
    let filed = |clock: &str, rest: &str| format!("{clock} 2026-03-03 {clock} {rest}\n");
    check(&lines(&filed), session, "sato 203.0.113.7");
}

#[test]
fn softether_in_english() {
    let line = |clock: &str, rest: &str| {
        format!("{clock} <14>Mar  3 {clock} vpn1 [vpn1/VPN] (2026-03-03 {clock}.406) <HUB1>: {rest}\n")
    };
    let lines = [
        line(
            "02:14:00",
            r#"The connection "CID-742" (IP address: 203.0.113.7, Host name: 203.0.113.7, Port number: 1160, Client name: "SoftEther VPN Client", Version: 4.19, Build: 9599) is attempting to connect to the Virtual Hub. The auth type provided is "Password authentication" and the user name is "sato"."#,
        ),
        line(
            "02:14:00",
            r#"Connection "CID-742": User authentication failed. The user name that has been provided was "sato"."#,
        ),
        line(
            "02:14:07",
            r#"The connection "CID-743" (IP address: 203.0.113.9, Host name: 203.0.113.9, Port number: 1168, Client name: "SoftEther VPN Client", Version: 4.19, Build: 9599) is attempting to connect to the Virtual Hub. The auth type provided is "Password authentication" and the user name is "vendor01"."#,
        ),
        line("02:14:07", r#"Connection "CID-743": Successfully authenticated as user "vendor01"."#),
        line(
            "02:14:08",
            r#"Connection "CID-743": The new session "SID-VENDOR01-19" has been created. (IP address: 203.0.113.9, Port number: 1168, Physical underlying protocol: "Standard TCP/IP (IPv4)")"#,
        ),
        line(
            "02:14:09",
            r#"Session "SID-SECURENAT-1": The DHCP server of host "02-00-5E-10-00-01" (10.0.9.1) on this session allocated, for host "SID-VENDOR01-19" on another session "02-00-5E-10-00-02", the new IP address 10.0.9.13."#,
        ),
        line(
            "02:20:08",
            r#"Session "SID-VENDOR01-19": The session has been terminated. The statistical information is as follows: Total outgoing data size: 3000 bytes, Total incoming data size: 2000 bytes."#,
        ),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 10.0.9.13 02:14:08-02:20:08 2000/3000", "sato 203.0.113.7");
}

#[test]
fn softether_in_japanese_from_its_file() {
    let line = |clock: &str, rest: &str| format!("{clock} 2026-03-03 {clock}.406 {rest}\n");
    let lines = [
        line(
            "02:14:00",
            r#"コネクション "CID-742" (IP アドレス: 203.0.113.7, ホスト名: 203.0.113.7, ポート番号: 1160, クライアント名: "SoftEther VPN Client", バージョン: 4.19, ビルド: 9599) が仮想 HUB への接続を試行しています。提示している認証方法は "パスワード認証" でユーザー名は "sato" です。"#,
        ),
        line(
            "02:14:00",
            r#"コネクション "CID-742": ユーザー認証に失敗しました。提示されたユーザー名は "sato" でした。"#,
        ),
        line(
            "02:14:07",
            r#"コネクション "CID-743" (IP アドレス: 203.0.113.9, ホスト名: 203.0.113.9, ポート番号: 1168, クライアント名: "SoftEther VPN Client", バージョン: 4.19, ビルド: 9599) が仮想 HUB への接続を試行しています。提示している認証方法は "パスワード認証" でユーザー名は "vendor01" です。"#,
        ),
        line("02:14:07", r#"コネクション "CID-743": ユーザー "vendor01" として正しく認証されました。"#),
        line(
            "02:14:08",
            r#"コネクション "CID-743": 新しいセッション "SID-VENDOR01-[L2TP]-19" が作成されました。(IP アドレス: 203.0.113.9, ポート番号: 1168, 物理レイヤのプロトコル: "Legacy VPN - L2TP")"#,
        ),
        line(
            "02:14:09",
            r#"セッション "SID-SECURENAT-1": このセッション上のホスト "02-00-5E-10-00-01" (10.0.9.1) の DHCP サーバーは、別のセッション "SID-VENDOR01-[L2TP]-19" 上のホスト "02-00-5E-10-00-02" に対して、新しい IP アドレス 10.0.9.13 を割り当てました。"#,
        ),
        line(
            "02:20:08",
            r#"セッション "SID-VENDOR01-[L2TP]-19": セッションが終了しました。統計情報は次のとおりです。合計送信データサイズ: 3000 バイト, 合計受信データサイズ: 2000 バイト。"#,
        ),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 10.0.9.13 02:14:08-02:20:08 2000/3000", "sato 203.0.113.7");
}

const YAMAHA: &str = r"
02:14:05 <14>[IKE] respond ISAKMP phase to 203.0.113.9
02:14:06 <14>IP Tunnel[1] Up
02:14:06 <14>[L2TP] TUNNEL[1] connected from 203.0.113.9
02:14:06 <14>[L2TP] TUNNEL[1] tunnel 5021 established
02:14:07 <14>[L2TP] TUNNEL[1] session 30012 established
02:14:08 <14>PP[ANONYMOUS01] Call detected from user 'vendor01'
02:14:09 <14>PP[ANONYMOUS01] PPP/IPCP up  (Local: 10.0.0.1, Remote: 10.0.0.50)
02:20:08 <14>PP[ANONYMOUS01] disconnect tunnel 5021 complete
02:20:08 <14>[L2TP] TUNNEL[1] disconnected: LAN1(198.51.100.1) 203.0.113.9
02:20:09 <14>IP Tunnel[1] Down
02:30:00 <14>[L2TP] TUNNEL[2] connected from 203.0.113.7
02:30:01 <14>PP[ANONYMOUS02] PPP/CHAP Failure: sato
";

#[test]
fn yamaha_l2tp() {
    check(YAMAHA, "vendor01 203.0.113.9 10.0.0.50 02:14:08-02:20:08 -/-", "- 203.0.113.7");
}

#[test]
fn two_who_dial_in_to_a_yamaha_at_once_are_told_apart_by_a_guess() {
    let table = table(
        r"
02:14:06 <14>[L2TP] TUNNEL[1] connected from 203.0.113.9
02:14:06 <14>[L2TP] TUNNEL[2] connected from 203.0.113.8
02:14:08 <14>PP[ANONYMOUS01] Call detected from user 'vendor01'
02:14:09 <14>PP[ANONYMOUS02] Call detected from user 'sato'
02:14:10 <14>PP[ANONYMOUS02] PPP/IPCP up  (Local: 10.0.0.1, Remote: 10.0.0.51)
02:20:08 <14>PP[ANONYMOUS01] disconnect tunnel 5021 complete
",
    );
    assert_eq!(
        table.sessions,
        ["vendor01 203.0.113.9 - 02:14:08-02:20:08 -/-", "sato 203.0.113.8 10.0.0.51 02:14:09- -/-"]
    );
    assert_eq!(table.guesses, ["vendor01 203.0.113.9", "sato 203.0.113.8"]);
}

#[test]
fn mikrotik_l2tp() {
    check(
        r"
02:14:00 <30>l2tp,ppp,error <203.0.113.7>: user sato authentication failed
02:14:07 <30>l2tp,info first L2TP UDP packet received from 203.0.113.9
02:14:08 <30>l2tp,ppp,info,account vendor01 logged in, 10.9.0.5 from 203.0.113.9
02:14:08 <30>l2tp,ppp,info <l2tp-vendor01>: authenticated
02:14:08 <30>l2tp,ppp,info <l2tp-vendor01>: connected
02:20:08 <30>l2tp,ppp,info <l2tp-vendor01>: terminating... - hungup
02:20:08 <30>l2tp,ppp,info,account vendor01 logged out, 360 2000 3000 20 30 from 203.0.113.9
",
        "vendor01 203.0.113.9 10.9.0.5 02:14:08-02:20:08 2000/3000",
        "sato 203.0.113.7",
    );
}

#[test]
fn mikrotik_of_old_versions_names_the_far_end_in_the_line_before() {
    check(
        r"
02:14:00 <30>l2tp,ppp,error <203.0.113.7>: user sato authentication failed
02:14:07 <30>l2tp,info first L2TP UDP packet received from 203.0.113.9
02:14:08 <30>l2tp,ppp,info,account vendor01 logged in, 10.9.0.5
02:20:08 <30>l2tp,ppp,info,account vendor01 logged out, 360 2000 3000 20 30
",
        "vendor01 203.0.113.9 10.9.0.5 02:14:08-02:20:08 2000/3000",
        "sato 203.0.113.7",
    );
}

#[test]
fn strongswan_with_eap() {
    let line = |clock: &str, rest: &str| format!("{clock} <30>Mar  3 {clock} gw1 charon: {rest}\n");
    let lines = [
        line("02:14:00", "06[IKE] <ra|6> 203.0.113.7 is initiating an IKE_SA"),
        line("02:14:00", "07[IKE] <ra|6> received EAP identity 'sato'"),
        line("02:14:01", "08[IKE] <ra|6> EAP method EAP_MSCHAPV2 failed for peer 192.168.1.8"),
        line("02:14:06", "09[IKE] <ra|7> 203.0.113.9 is initiating an IKE_SA"),
        line("02:14:07", "10[IKE] <ra|7> received EAP identity 'vendor01'"),
        line("02:14:07", "11[IKE] <ra|7> EAP method EAP_MSCHAPV2 succeeded, MSK established"),
        line("02:14:08", "12[IKE] <ra|7> authentication of '192.168.1.5' with EAP successful"),
        line("02:14:08", "12[IKE] <ra|7> authentication of 'vpn.hospital.example' (myself) with EAP"),
        line(
            "02:14:08",
            "12[IKE] <ra|7> IKE_SA ra[7] established between 198.51.100.1[vpn.hospital.example]...203.0.113.9[192.168.1.5]",
        ),
        line("02:14:08", "12[IKE] <ra|7> assigning virtual IP 10.1.1.2 to peer 'vendor01'"),
        line(
            "02:20:08",
            "13[IKE] <ra|7> deleting IKE_SA ra[7] between 198.51.100.1[vpn.hospital.example]...203.0.113.9[192.168.1.5]",
        ),
        // Two sites: a tunnel, and nobody's login.
        line(
            "02:30:00",
            "14[IKE] <s2s|9> IKE_SA s2s[9] established between 198.51.100.1[gw1.hospital.example]...192.0.2.1[gw2.hospital.example]",
        ),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 10.1.1.2 02:14:08-02:20:08 -/-", "sato 203.0.113.7");
}

#[test]
fn xl2tpd_and_its_pppd() {
    check(
        r"
02:14:00 <30>Mar  3 02:14:00 gw1 xl2tpd[700]: Call established with 203.0.113.7, PID: 1233, Local: 4, Remote: 1, Serial: 1
02:14:01 <30>Mar  3 02:14:01 gw1 pppd[1233]: Peer sato failed CHAP authentication
02:14:02 <30>Mar  3 02:14:02 gw1 pppd[1233]: Connection terminated.
02:14:07 <30>Mar  3 02:14:07 gw1 xl2tpd[700]: Connection established to 203.0.113.9, 1701.  Local: 5, Remote: 2 (ref=0/0).  LNS session is 'default'
02:14:07 <30>Mar  3 02:14:07 gw1 xl2tpd[700]: Call established with 203.0.113.9, PID: 1234, Local: 5, Remote: 1, Serial: 1
02:14:08 <30>Mar  3 02:14:08 gw1 pppd[1234]: CHAP peer authentication succeeded for vendor01
02:14:08 <30>Mar  3 02:14:08 gw1 pppd[1234]: local  IP address 10.1.1.1
02:14:09 <30>Mar  3 02:14:09 gw1 pppd[1234]: remote IP address 10.1.1.2
02:20:08 <30>Mar  3 02:20:08 gw1 pppd[1234]: Connect time 6.0 minutes.
02:20:08 <30>Mar  3 02:20:08 gw1 pppd[1234]: Sent 3000 bytes, received 2000 bytes.
02:20:08 <30>Mar  3 02:20:08 gw1 pppd[1234]: Connection terminated.
02:20:08 <30>Mar  3 02:20:08 gw1 xl2tpd[700]: control_finish: Connection closed to 203.0.113.9, serial 1 ()
",
        "vendor01 203.0.113.9 10.1.1.2 02:14:08-02:20:08 2000/3000",
        "sato 203.0.113.7",
    );
}

#[test]
fn nps_of_a_windows_remote_access_server() {
    let line = |clock: &str,
                packet: &str,
                user: &str,
                calling: &str,
                framed: &str,
                status: &str,
                reason: &str,
                octets: &str,
                session: &str| {
        format!(
            "{clock} \"NPS1\",\"RAS\",03/03/2026,{clock},{packet},\"{user}@hospital.example\",,\"198.51.100.1\",\"{calling}\",,\"{framed}\",\"NPS1\",\"192.0.2.1\",1519,,\"192.0.2.1\",\"NPS1\",1772558048,,5,,1,2,,,{reason},\"311 1\",,,,,{status},,{octets},\"{session}\",3,360,,,,\"50765\",1,,3,1,\"{calling}\",\"198.51.100.1\"\n"
        )
    };
    let lines = [
        line("02:14:00", "3", "sato", "203.0.113.7", "", "", "16", ",", ""),
        line("02:14:07", "2", "vendor01", "203.0.113.9", "", "", "0", ",", ""),
        line("02:14:08", "4", "vendor01", "203.0.113.9", "172.16.2.58", "1", "0", ",", "317093"),
        line("02:20:08", "4", "vendor01", "203.0.113.9", "172.16.2.58", "2", "0", "2000,3000", "317093"),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 172.16.2.58 02:14:08-02:20:08 2000/3000", "sato 203.0.113.7");
}

#[test]
fn letting_a_machine_into_the_network_is_nobodys_login() {
    let table = table(
        r#"
02:14:00 (12) Login OK: [HOSP\sato] (from client wlc1 port 8 cli 02-00-5E-10-00-01)
02:14:01 "NPS1","IAS",03/03/2026,02:14:01,2,"sato","HOSP\sato","04-00-5E-10-00-01:HOSP","02-00-5E-10-00-01",,,"wlc1","192.0.2.9",1,,"192.0.2.9","wlc1",,,19
02:14:02 <189>45: Mar  3 02:14:02.000: %DOT1X-5-SUCCESS: Authentication successful for client (0200.5e10.0001) on Interface Gi1/0/3
02:14:03 <189>46: Mar  3 02:14:03.000: %MAB-5-FAIL: Authentication failed for client (0200.5e10.0002) on Interface Gi1/0/4
02:14:04 <134>1 1772471644.1 ap1 events type=8021x_auth identity='sato' radio='1' vap='1' client_mac='02:00:5E:10:00:01' aid='1'
"#,
    );
    assert_eq!((table.logins, table.failures), (vec![], vec![]));
    assert!(table.sessions.is_empty());
}

#[test]
fn openvpn_on_pfsense() {
    let line = |clock: &str, rest: &str| format!("{clock} <29>Mar  3 {clock} pf1 openvpn[77]: {rest}\n");
    let lines = [
        line("02:14:00", "user 'sato' could not authenticate."),
        line("02:14:00", "203.0.113.7:62586 TLS Auth Error: Auth Username/Password verification failed for peer"),
        line("02:14:07", "user 'vendor01' authenticated"),
        line("02:14:08", "203.0.113.9:59321 [vendor01] Peer Connection Initiated with [AF_INET]203.0.113.9:59321"),
        line(
            "02:14:08",
            "vendor01/203.0.113.9:59321 MULTI: primary virtual IP for vendor01/203.0.113.9:59321: 10.8.0.6",
        ),
        line("02:14:08", "openvpn server 'ovpns1' user 'vendor01' address '203.0.113.9:59321' - connected"),
        line("02:20:08", "vendor01/203.0.113.9:59321 SIGTERM[soft,remote-exit] received, client-instance exiting"),
        line("02:20:08", "openvpn server 'ovpns1' user 'vendor01' address '203.0.113.9:59321' - disconnected"),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 10.8.0.6 02:14:08-02:20:08 -/-", "- 203.0.113.7");
}

#[test]
fn openvpn_access_server() {
    let line = |clock: &str, rest: &str| format!("{clock} 2026-03-03T{clock}+0900 [stdout#info] {rest}\n");
    let lines = [
        line(
            "02:14:00",
            "AUTH FAILED {'status': 1, 'reason': 'local auth failed: password verification failed', 'user': 'sato', 'client_ip_addr': '203.0.113.7'} cli='win'",
        ),
        line(
            "02:14:00",
            "[OVPN 1] OUT: '2026-03-03 02:14:00 203.0.113.7:62586 TLS Auth Error: Auth Username/Password verification failed for peer'",
        ),
        line("02:14:07", "AUTH SUCCESS {'status': 0, 'user': 'vendor01', 'client_ip_addr': '203.0.113.9'} cli='win'"),
        line(
            "02:14:08",
            "[OVPN 1] OUT: '2026-03-03 02:14:08 203.0.113.9:59321 [vendor01] Peer Connection Initiated with [AF_INET]203.0.113.9:59321'",
        ),
        line(
            "02:14:08",
            "[OVPN 1] OUT: '2026-03-03 02:14:08 vendor01/203.0.113.9:59321 MULTI: primary virtual IP for vendor01/203.0.113.9:59321: 10.8.0.6'",
        ),
        line(
            "02:20:08",
            "[OVPN 1] OUT: '2026-03-03 02:20:08 vendor01/203.0.113.9:59321 SIGTERM[soft,remote-exit] received, client-instance exiting'",
        ),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 10.8.0.6 02:14:08-02:20:08 -/-", "sato 203.0.113.7");
}
