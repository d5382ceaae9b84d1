//! Firewalls and UTMs with remote access of their own.

use super::{check, table};

#[test]
fn fortigate_ssl() {
    check(
        r#"
02:13:58 <190>date=2026-03-03 time=02:13:58 devname="FGT-HONKAN" devid="FGT60FTK26000001" eventtime=1772471638000000000 tz="+0900" logid="0101039943" type="event" subtype="vpn" level="information" vd="root" logdesc="SSL VPN new connection" action="ssl-new-con" tunneltype="ssl" tunnelid=0 remip=203.0.113.9 user="N/A" group="N/A" dst_host="N/A" reason="N/A" msg="SSL new connection"
02:14:00 <189>date=2026-03-03 time=02:14:00 devname="FGT-HONKAN" devid="FGT60FTK26000001" eventtime=1772471640000000000 tz="+0900" logid="0101039426" type="event" subtype="vpn" level="alert" vd="root" logdesc="SSL VPN login fail" action="ssl-login-fail" tunneltype="ssl-web" tunnelid=0 remip=203.0.113.7 user="sato" group="N/A" dst_host="N/A" reason="sslvpn_login_permission_denied" msg="SSL user failed to logged in"
02:14:08 <190>date=2026-03-03 time=02:14:08 devname="FGT-HONKAN" devid="FGT60FTK26000001" eventtime=1772471648000000000 tz="+0900" logid="0102043008" type="event" subtype="user" level="notice" vd="root" logdesc="Authentication success" srcip=203.0.113.9 user="vendor01" group="MAINT" authproto="SSLVPN(203.0.113.9)" action="authentication" status="success" reason="N/A" msg="User vendor01 succeeded in authentication"
02:14:08 <190>date=2026-03-03 time=02:14:08 devname="FGT-HONKAN" devid="FGT60FTK26000001" eventtime=1772471648100000000 tz="+0900" logid="0101039424" type="event" subtype="vpn" level="information" vd="root" logdesc="SSL VPN tunnel up" action="tunnel-up" tunneltype="ssl-web" tunnelid=118233 remip=203.0.113.9 tunnelip=(null) user="vendor01" group="MAINT" dst_host="N/A" reason="login successfully" msg="SSL tunnel established"
02:14:11 <190>date=2026-03-03 time=02:14:11 devname="FGT-HONKAN" devid="FGT60FTK26000001" eventtime=1772471651000000000 tz="+0900" logid="0101039947" type="event" subtype="vpn" level="information" vd="root" logdesc="SSL VPN tunnel up" action="tunnel-up" tunneltype="ssl-tunnel" tunnelid=118234 remip=203.0.113.9 tunnelip=10.212.134.10 user="vendor01" group="MAINT" dst_host="N/A" reason="N/A" msg="SSL tunnel established"
02:19:11 <190>date=2026-03-03 time=02:19:11 devname="FGT-HONKAN" devid="FGT60FTK26000001" eventtime=1772471951000000000 tz="+0900" logid="0101039949" type="event" subtype="vpn" level="information" vd="root" logdesc="SSL VPN statistics" action="tunnel-stats" tunneltype="ssl-tunnel" tunnelid=118234 remip=203.0.113.9 tunnelip=10.212.134.10 user="vendor01" group="MAINT" nextstat=600 duration=300 sentbyte=900 rcvdbyte=800 msg="SSL tunnel statistics"
02:20:08 <190>date=2026-03-03 time=02:20:08 devname="FGT-HONKAN" devid="FGT60FTK26000001" eventtime=1772472008000000000 tz="+0900" logid="0101039948" type="event" subtype="vpn" level="information" vd="root" logdesc="SSL VPN tunnel down" action="tunnel-down" tunneltype="ssl-tunnel" tunnelid=118234 remip=203.0.113.9 tunnelip=10.212.134.10 user="vendor01" group="MAINT" dst_host="N/A" reason="User requested termination of service" duration=357 sentbyte=3000 rcvdbyte=2000 msg="SSL tunnel shutdown"
02:20:08 <190>date=2026-03-03 time=02:20:08 devname="FGT-HONKAN" devid="FGT60FTK26000001" eventtime=1772472008100000000 tz="+0900" logid="0101039425" type="event" subtype="vpn" level="information" vd="root" logdesc="SSL VPN tunnel down" action="tunnel-down" tunneltype="ssl-web" tunnelid=118233 remip=203.0.113.9 tunnelip=(null) user="vendor01" group="MAINT" dst_host="N/A" reason="User requested termination of service" duration=360 sentbyte=0 rcvdbyte=0 msg="SSL tunnel shutdown"
"#,
        "vendor01 203.0.113.9 10.212.134.10 02:14:08-02:20:08 2000/3000",
        "sato 203.0.113.7",
    );
}

#[test]
fn fortigate_ipsec() {
    let line = |clock: &str, rest: &str| {
        format!(
            "{clock} <190>date=2026-03-03 time={clock} devname=\"FGT-HONKAN\" devid=\"FGT60FTK26000001\" tz=\"+0900\" type=\"event\" subtype=\"vpn\" vd=\"root\" locip=198.51.100.1 {rest}\n"
        )
    };
    let lines = [
        line(
            "02:14:00",
            r#"logid="0101037128" logdesc="Progress IPsec phase 1" msg="progress IPsec phase 1" action="negotiate" remip=203.0.113.7 locport=4500 remport=4500 user="N/A" group="N/A" xauthuser="sato" xauthgroup="N/A" assignip=N/A vpntunnel="DIALUP" status="failure" init="remote" mode="aggressive" dir="inbound" stage=0 role="responder" result="ERROR""#,
        ),
        line(
            "02:14:06",
            r#"logid="0101037127" logdesc="Progress IPsec phase 1" msg="progress IPsec phase 1" action="negotiate" remip=203.0.113.9 locport=4500 remport=4500 user="N/A" group="N/A" xauthuser="vendor01" xauthgroup="MAINT" assignip=N/A vpntunnel="DIALUP" status="success" init="remote" mode="aggressive" dir="inbound" stage=1 role="responder" result="DONE""#,
        ),
        line(
            "02:14:08",
            r#"logid="0101037138" logdesc="IPsec connection status changed" msg="IPsec connection status change" action="tunnel-up" remip=203.0.113.9 locport=4500 remport=4500 user="N/A" group="N/A" xauthuser="vendor01" xauthgroup="MAINT" assignip=10.10.8.5 vpntunnel="DIALUP_0" tunnelip=N/A tunnelid=9001 tunneltype="ipsec" duration=0 sentbyte=0 rcvdbyte=0 nextstat=0"#,
        ),
        line(
            "02:14:08",
            r#"logid="0101037139" logdesc="IPsec phase 2 status changed" msg="IPsec phase 2 status change" action="phase2-up" remip=203.0.113.9 locport=4500 remport=4500 user="N/A" group="N/A" xauthuser="vendor01" xauthgroup="MAINT" assignip=N/A vpntunnel="DIALUP_0" phase2_name="P2""#,
        ),
        line(
            "02:20:08",
            r#"logid="0101037138" logdesc="IPsec connection status changed" msg="IPsec connection status change" action="tunnel-down" remip=203.0.113.9 locport=4500 remport=4500 user="N/A" group="N/A" xauthuser="vendor01" xauthgroup="MAINT" assignip=10.10.8.5 vpntunnel="DIALUP_0" tunnelip=N/A tunnelid=9001 tunneltype="ipsec" duration=360 sentbyte=3000 rcvdbyte=2000 nextstat=0"#,
        ),
        // A tunnel between two sites is nobody's login.
        line(
            "02:30:00",
            r#"logid="0101037138" logdesc="IPsec connection status changed" msg="IPsec connection status change" action="tunnel-up" remip=192.0.2.77 locport=500 remport=500 user="N/A" group="N/A" xauthuser="N/A" xauthgroup="N/A" assignip=N/A vpntunnel="BRANCH" tunnelip=N/A tunnelid=9002 tunneltype="ipsec""#,
        ),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 10.10.8.5 02:14:08-02:20:08 2000/3000", "sato 203.0.113.7");
}

#[test]
fn asa_anyconnect() {
    for mark in ["ASA", "FTD"] {
        let lines = r"
02:14:00 <166>Mar 03 2026 02:14:00 fw1 : %ASA-6-113005: AAA user authentication Rejected : reason = AAA failure : server = 10.0.0.5 : user = sato : user IP = 203.0.113.7
02:14:00 <166>Mar 03 2026 02:14:00 fw1 : %ASA-6-716039: Group <DfltGrpPolicy> User <sato> IP <203.0.113.7> Authentication: rejected, Session Type: WebVPN.
02:14:07 <166>Mar 03 2026 02:14:07 fw1 : %ASA-6-113004: AAA user authentication Successful : server =  10.0.0.5 : user = vendor01
02:14:07 <166>Mar 03 2026 02:14:07 fw1 : %ASA-6-113009: AAA retrieved default group policy (GP-MAINT) for user = vendor01
02:14:07 <166>Mar 03 2026 02:14:07 fw1 : %ASA-6-113008: AAA transaction status ACCEPT : user = vendor01
02:14:08 <166>Mar 03 2026 02:14:08 fw1 : %ASA-6-734001: DAP: User vendor01, Addr 203.0.113.9, Connection AnyConnect: The following DAP records were selected for this connection: DfltAccessPolicy
02:14:08 <166>Mar 03 2026 02:14:08 fw1 : %ASA-6-113039: Group <GP-MAINT> User <vendor01> IP <203.0.113.9> AnyConnect parent session started.
02:14:09 <165>Mar 03 2026 02:14:09 fw1 : %ASA-5-722033: Group <GP-MAINT> User <vendor01> IP <203.0.113.9> First TCP SVC connection established for SVC session.
02:14:09 <166>Mar 03 2026 02:14:09 fw1 : %ASA-4-722051: Group <GP-MAINT> User <vendor01> IP <203.0.113.9> IPv4 Address <10.9.0.5> IPv6 address <::> assigned to session
02:20:08 <166>Mar 03 2026 02:20:08 fw1 : %ASA-6-722023: Group <GP-MAINT> User <vendor01> IP <203.0.113.9> TCP SVC connection terminated without compression
02:20:08 <164>Mar 03 2026 02:20:08 fw1 : %ASA-4-113019: Group = GP-MAINT, Username = vendor01, IP = 203.0.113.9, Session disconnected. Session Type: SSL, Duration: 0h:06m:00s, Bytes xmt: 3000, Bytes rcv: 2000, Reason: User Requested
02:20:08 <166>Mar 03 2026 02:20:08 fw1 : %ASA-6-716002: Group <GP-MAINT> User <vendor01> IP <203.0.113.9> WebVPN session terminated: User Requested.
";
        check(
            &lines.replace("%ASA", &format!("%{mark}")),
            "vendor01 203.0.113.9 10.9.0.5 02:14:08-02:20:08 2000/3000",
            "sato 203.0.113.7",
        );
    }
}

#[test]
fn asa_ikev2() {
    check(
        r"
02:14:00 <164>Mar 03 2026 02:14:00 fw1 : %ASA-4-750003: Local:198.51.100.1:4500 Remote:203.0.113.7:50321 Username:sato IKEv2 Negotiation aborted due to ERROR: Failed to authenticate the IKE SA
02:14:08 <165>Mar 03 2026 02:14:08 fw1 : %ASA-5-750006: Local:198.51.100.1:4500 Remote:203.0.113.9:50123 Username:vendor01 IKEv2 SA UP. Reason: New Connection Established
02:14:08 <166>Mar 03 2026 02:14:08 fw1 : %ASA-6-113039: Group <GP-MAINT> User <vendor01> IP <203.0.113.9> AnyConnect parent session started.
02:14:09 <166>Mar 03 2026 02:14:09 fw1 : %ASA-6-751025: Local:198.51.100.1:4500 Remote:203.0.113.9:50123 Username:vendor01 IKEv2 Group:GP-MAINT IPv4 Address=10.9.0.5 IPv6 address=:: assigned to session
02:20:08 <164>Mar 03 2026 02:20:08 fw1 : %ASA-4-113019: Group = GP-MAINT, Username = vendor01, IP = 203.0.113.9, Session disconnected. Session Type: IKEv2, Duration: 0h:06m:00s, Bytes xmt: 3000, Bytes rcv: 2000, Reason: User Requested
",
        "vendor01 203.0.113.9 10.9.0.5 02:14:08-02:20:08 2000/3000",
        "sato 203.0.113.7",
    );
}

#[test]
fn globalprotect() {
    let line = |clock: &str,
                event: &str,
                stage: &str,
                user: &str,
                public: &str,
                private: &str,
                status: &str,
                reason: &str| {
        format!(
            "{clock} <14>Mar  3 {clock} pa1 1,2026/03/03 {clock},015451000026001,GLOBALPROTECT,0,2561,2026/03/03 {clock},vsys1,{event},{stage},LDAP,IPSec,{user},JP,PC-VENDOR,{public},0.0.0.0,{private},0.0.0.0,662f0b44,PF000001,6.0.4,Windows,\"Microsoft Windows 11 Pro , 64-bit\",1,{reason},,,{status},,0,,0,GP-HOSP,5001,0x8000000000000000\n"
        )
    };
    let lines = [
        line(
            "02:14:00",
            "portal-auth",
            "login",
            "sato",
            "203.0.113.7",
            "0.0.0.0",
            "failure",
            "Authentication failed: Invalid username or password",
        ),
        line("02:14:05", "portal-prelogin", "before-login", "", "203.0.113.9", "0.0.0.0", "success", ""),
        line("02:14:06", "portal-auth", "login", "vendor01", "203.0.113.9", "0.0.0.0", "success", ""),
        line("02:14:06", "portal-getconfig", "configuration", "vendor01", "203.0.113.9", "0.0.0.0", "success", ""),
        line("02:14:07", "gateway-auth", "login", "vendor01", "203.0.113.9", "0.0.0.0", "success", ""),
        line("02:14:07", "gateway-register", "login", "vendor01", "203.0.113.9", "0.0.0.0", "success", ""),
        line("02:14:08", "gateway-connected", "connected", "vendor01", "203.0.113.9", "10.20.8.5", "success", ""),
        line("02:14:09", "gateway-setup-ipsec", "tunnel", "vendor01", "203.0.113.9", "10.20.8.5", "success", ""),
        line(
            "02:20:08",
            "gateway-logout",
            "logout",
            "vendor01",
            "203.0.113.9",
            "10.20.8.5",
            "success",
            "client logout",
        ),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 10.20.8.5 02:14:08-02:20:08 -/-", "sato 203.0.113.7");
}

#[test]
fn sonicwall_firewall() {
    check(
        r#"
02:14:00 <134>id=firewall sn=18B169000001 time="2026-03-03 02:14:00" fw=198.51.100.10 pri=6 c=32 m=759 msg="User login denied - LDAP authentication failure" n=4 src=203.0.113.7:51001:X1 dst=198.51.100.10:443:X1 usr="sato" note="SSL VPN"
02:14:08 <134>id=firewall sn=18B169000001 time="2026-03-03 02:14:08" fw=198.51.100.10 pri=6 c=32 m=1080 msg="SSL VPN zone remote user login allowed" n=101 src=203.0.113.9:51022:X1 dst=198.51.100.10:443:X1 usr="vendor01"
02:14:09 <134>id=firewall sn=18B169000001 time="2026-03-03 02:14:09" fw=198.51.100.10 pri=5 c=16 m=1079 msg="Client vendor01 is assigned IP:10.1.1.5" n=3 usr="vendor01" src=203.0.113.9::X1 dst=198.51.100.10::X1
02:20:08 <134>id=firewall sn=18B169000001 time="2026-03-03 02:20:08" fw=198.51.100.10 pri=6 c=16 m=263 msg="User logged out" n=5 src=203.0.113.9:0:X1 dst=198.51.100.10:443:X1 usr="vendor01" dur=360
"#,
        "vendor01 203.0.113.9 10.1.1.5 02:14:08-02:20:08 -/-",
        "sato 203.0.113.7",
    );
}

#[test]
fn watchguard() {
    check(
        r#"
02:14:00 <142>Mar  3 02:14:00 FBX1 80B100000001 (2026-03-02T17:14:00) admd[1811]: msg_id="1100-0005" Authentication of SSLVPN user [sato@Firebox-DB] from 203.0.113.7 was rejected, password is incorrect
02:14:08 <142>Mar  3 02:14:08 FBX1 80B100000001 (2026-03-02T17:14:08) admd[1811]: msg_id="1100-0004" Authentication of SSLVPN user [vendor01@Firebox-DB] from 203.0.113.9 was accepted
02:14:08 <142>Mar  3 02:14:08 FBX1 80B100000001 (2026-03-02T17:14:08) sessiond[1820]: msg_id="3E00-0002" SSLVPN user vendor01@Firebox-DB from 203.0.113.9 logged in assigned virtual IP is 10.1.8.5
02:20:08 <142>Mar  3 02:20:08 FBX1 80B100000001 (2026-03-02T17:20:08) sessiond[1820]: msg_id="3E00-0004" SSLVPN user vendor01@Firebox-DB from 203.0.113.9 logged out assigned virtual IP is 10.1.8.5
"#,
        "vendor01 203.0.113.9 10.1.8.5 02:14:08-02:20:08 -/-",
        "sato 203.0.113.7",
    );
}

#[test]
fn sophos_firewall() {
    let line = |clock: &str, rest: &str| {
        format!(
            "{clock} <30>device=\"SFW\" date=2026-03-03 time={clock} timezone=\"+09\" device_name=\"XGS1\" device_id=S1 log_type=\"Event\" {rest}\n"
        )
    };
    let lines = [
        line(
            "02:14:00",
            r#"log_id=062910617703 log_component="SSL VPN Authentication" log_subtype="Authentication" status="Failed" user_name="sato" auth_client="N/A" auth_mechanism="AD" reason="wrong credentials" src_ip=203.0.113.7 message="User sato failed to login to SSLVPN through AD authentication mechanism because of wrong credentials""#,
        ),
        line(
            "02:14:08",
            r#"log_id=062910617701 log_component="SSL VPN Authentication" log_subtype="Authentication" status="Successful" user_name="vendor01" auth_client="N/A" auth_mechanism="AD" reason="" src_ip=203.0.113.9 message="User vendor01 authenticated successfully to login to SSLVPN through AD authentication mechanism""#,
        ),
        line(
            "02:14:09",
            r#"log_id=062811617821 log_component="SSL VPN" log_subtype="System" Mode="Remote Access" sessionid="77" starttime=1772471649 user_name="vendor01" ipaddress=10.81.234.5 bytes_sent=0 bytes_received=0 status="Established" message="SSL VPN User 'vendor01' connected ""#,
        ),
        line(
            "02:14:09",
            r#"log_id=062910617701 log_component="Firewall Authentication" log_subtype="Authentication" status="Successful" user_name="vendor01" auth_client="SSL VPN" src_ip=10.81.234.5 message="User vendor01 of group Remote logged in successfully to Firewall""#,
        ),
        line(
            "02:20:08",
            r#"log_id=062811617824 log_component="SSL VPN" log_subtype="System" Mode="Remote Access" sessionid="77" starttime=1772471649 user_name="vendor01" ipaddress=10.81.234.5 bytes_sent=3000 bytes_received=2000 status="Terminated" message="SSL VPN User 'vendor01' disconnected ""#,
        ),
        line(
            "02:20:08",
            r#"log_id=062910617702 log_component="Firewall Authentication" log_subtype="Authentication" status="Successful" user_name="vendor01" auth_client="SSL VPN" src_ip=10.81.234.5 message="User vendor01 of group Remote was logged out of Firewall""#,
        ),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 10.81.234.5 02:14:08-02:20:08 2000/3000", "sato 203.0.113.7");
}

#[test]
fn sophos_utm() {
    check(
        r#"
02:14:00 <30>2026:03:03-02:14:00 utm1 aua[4412]: id="3005" severity="warn" sys="System" sub="auth" name="Authentication failed" srcip="203.0.113.7" host="" user="sato" caller="openvpn" reason="DENIED"
02:14:07 <30>2026:03:03-02:14:07 utm1 aua[4413]: id="3004" severity="info" sys="System" sub="auth" name="Authentication successful" srcip="203.0.113.9" host="" user="vendor01" caller="openvpn" engine="local"
02:14:08 <30>2026:03:03-02:14:08 utm1 openvpn[77]: id="2201" severity="info" sys="SecureNet" sub="vpn" event="Connection started" username="vendor01" variant="ssl" srcip="203.0.113.9" virtual_ip="10.242.2.6"
02:20:08 <30>2026:03:03-02:20:08 utm1 openvpn[77]: id="2202" severity="info" sys="SecureNet" sub="vpn" event="Connection terminated" username="vendor01" variant="ssl" srcip="203.0.113.9" virtual_ip="10.242.2.6" rx="2000" tx="3000"
"#,
        "vendor01 203.0.113.9 10.242.2.6 02:14:08-02:20:08 2000/3000",
        "sato 203.0.113.7",
    );
}

#[test]
fn srx_dynamic_vpn() {
    check(
        r#"
02:14:00 <29>1 2026-03-03T02:14:00.000+09:00 srx1 httpd-gk 1620 DYNAMIC_VPN_AUTH_FAIL [junos@2636.1.1.1.2.41 username="sato" client-ip="203.0.113.7"] Dynamic VPN user sato from 203.0.113.7 failed authentication
02:14:07 <29>1 2026-03-03T02:14:07.000+09:00 srx1 httpd-gk 1620 DYNAMIC_VPN_AUTH_OK [junos@2636.1.1.1.2.41 username="vendor01" client-ip="203.0.113.9"] Dynamic VPN user vendor01 from 203.0.113.9 authenticated
02:14:08 <29>1 2026-03-03T02:14:08.000+09:00 srx1 kmd 1630 DYNAMIC_VPN_CONN_EST_OK [junos@2636.1.1.1.2.41 username="vendor01" client-ip="203.0.113.9" assigned-ip="10.30.8.5"] Connection established
02:20:08 <29>1 2026-03-03T02:20:08.000+09:00 srx1 kmd 1630 DYNAMIC_VPN_CONN_DEL_NOTIFY [junos@2636.1.1.1.2.41 username="vendor01" client-ip="203.0.113.9"] Connection deleted
"#,
        "vendor01 203.0.113.9 10.30.8.5 02:14:08-02:20:08 -/-",
        "sato 203.0.113.7",
    );
}

#[test]
fn check_point() {
    let line = |clock: &str, rest: &str| {
        let utc = clock.replace("02:", "17:");
        format!(
            "{clock} <134>1 2026-03-02T{utc}Z mgmt CheckPoint 7 - [loguid:\"{{0x1}}\"; origin:\"192.0.2.1\"; product:\"Mobile Access\"; client_name:\"Endpoint Security VPN\"; {rest}]\n"
        )
    };
    let lines = [
        line(
            "02:14:00",
            r#"action:"Failed Log In"; src:"203.0.113.7"; user:"Sato Hanako (sato)"; reason:"Wrong password"; auth_status:"Failed Login"; "#,
        ),
        line(
            "02:14:08",
            r#"action:"Log In"; src:"203.0.113.9"; user:"Vendor Taro (vendor01)"; office_mode_ip:"10.40.8.5"; session_uid:"{AB01}"; auth_status:"Successful Login"; "#,
        ),
        line(
            "02:20:08",
            r#"action:"Log Out"; src:"203.0.113.9"; user:"Vendor Taro (vendor01)"; office_mode_ip:"10.40.8.5"; session_uid:"{AB01}"; sent_bytes:"2000"; received_bytes:"3000"; "#,
        ),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 10.40.8.5 02:14:08-02:20:08 2000/3000", "sato 203.0.113.7");
}

#[test]
fn meraki() {
    check(
        r"
02:14:00 <134>1 1772471640.1 mx1 events type=anyconnect_vpn_auth_failure msg= 'RADIUS[373] Server IP=10.0.0.5 Server port=1812 Peer IP=203.0.113.7 Peer port=56735 User=sato: Authentication request rejected. '
02:14:07 <134>1 1772471647.1 mx1 events type=anyconnect_vpn_auth_success msg= 'RADIUS[374] Server IP=10.0.0.5 Server port=1812 Peer IP=203.0.113.9 Peer port=56736 User=vendor01: Authentication request accepted. '
02:14:08 <134>1 1772471648.0 mx1 events type=anyconnect_vpn_session_manager msg= 'Sess-ID[121] Peer IP=203.0.113.9 User[vendor01]: Session connected. Session Type: SSL'
02:14:08 <134>1 1772471648.2 mx1 events anyconnect_vpn_connect user id 'vendor01' local ip 10.9.0.5 connected from 203.0.113.9
02:20:08 <134>1 1772472008.0 mx1 events type=anyconnect_vpn_session_manager msg= 'Sess-ID[121] Peer IP=203.0.113.9 User[vendor01]: Session disconnected. Duration: 0h:06m:00s'
02:20:08 <134>1 1772472008.1 mx1 events anyconnect_vpn_disconnect user id 'vendor01' local ip 10.9.0.5 connected from 203.0.113.9
",
        "vendor01 203.0.113.9 10.9.0.5 02:14:08-02:20:08 -/-",
        "sato 203.0.113.7",
    );
}

#[test]
fn two_sessions_of_one_person_at_two_places_are_two() {
    let table = table(
        r"
02:14:08 <166>Mar 03 2026 02:14:08 fw1 : %ASA-6-113039: Group <GP> User <vendor01> IP <203.0.113.9> AnyConnect parent session started.
02:14:18 <166>Mar 03 2026 02:14:18 fw1 : %ASA-6-113039: Group <GP> User <vendor01> IP <198.51.100.77> AnyConnect parent session started.
02:20:08 <164>Mar 03 2026 02:20:08 fw1 : %ASA-4-113019: Group = GP, Username = vendor01, IP = 198.51.100.77, Session disconnected. Session Type: SSL, Duration: 0h:05m:50s, Bytes xmt: 3000, Bytes rcv: 2000, Reason: User Requested
",
    );
    assert_eq!(
        table.sessions,
        ["vendor01 203.0.113.9 - 02:14:08- -/-", "vendor01 198.51.100.77 - 02:14:18-02:20:08 2000/3000"]
    );
    assert_eq!(table.logins.len(), 2);
}

/// No line tells the end: it stays unknown.
#[test]
fn cisco_router_with_webvpn() {
    check(
        r"
02:14:00 <189>45: rt1: Mar  3 02:14:00.000: %SSLVPN-5-LOGIN_AUTH_REJECTED: vw_ctx: MAINT vw_gw: GW1 remote_ip: 203.0.113.7 user_name: sato, Failed to authenticate user credentials
02:14:08 <189>46: rt1: Mar  3 02:14:08.000: %SSLVPN-5-LOGIN_AUTH_PASSED: vw_ctx: MAINT vw_gw: GW1 remote_ip: 203.0.113.9 user_name: vendor01, Authentication successful, user logged in
",
        "vendor01 203.0.113.9 - 02:14:08- -/-",
        "sato 203.0.113.7",
    );
}

#[test]
fn unifi_gateway() {
    let table = table(
        r"
02:14:08 <14>Mar  3 02:14:08 udm1 CEF:0|Ubiquiti|UniFi Network|9.3.33|400|VPN Client Connected|3|UNIFIclientAlias=vendor01 UNIFIclientIp=10.90.8.5 UNIFIvpnType=L2TP src=203.0.113.9 msg=vendor01 connected.
02:20:08 <14>Mar  3 02:20:08 udm1 CEF:0|Ubiquiti|UniFi Network|9.3.33|401|VPN Client Disconnected|3|UNIFIclientAlias=vendor01 UNIFIclientIp=10.90.8.5 UNIFIvpnType=L2TP src=203.0.113.9 msg=vendor01 disconnected.
",
    );
    assert_eq!(table.sessions, ["vendor01 203.0.113.9 10.90.8.5 02:14:08-02:20:08 -/-"]);
    assert_eq!(table.logins, ["vpn vendor01 203.0.113.9"]);
}
