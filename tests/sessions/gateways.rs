//! Appliances that are nothing but remote access, and load balancers.

use super::check;

#[test]
fn ivanti_standard() {
    let line = |clock: &str, rest: &str| {
        format!("{clock} <134>1 2026-03-03T{clock}+09:00 pcs1 PulseSecure: - - - 2026-03-03 {clock} - pcs1 - {rest}\n")
    };
    let lines = [
        line(
            "02:14:00",
            "[203.0.113.7] Default Network::sato(MAINT)[] - Primary authentication failed for sato/AD1 from 203.0.113.7",
        ),
        line(
            "02:14:00",
            "[203.0.113.7] Default Network::sato(MAINT)[] - Login failed using auth server AD1 (Active Directory).  Reason: Failed",
        ),
        line("02:14:00", "[203.0.113.7] Default Network::sato(MAINT)[] - Login failed. Reason: Wrong Password"),
        line(
            "02:14:07",
            "[203.0.113.9] Default Network::vendor01(MAINT)[] - Primary authentication successful for vendor01/AD1 from 203.0.113.9",
        ),
        line(
            "02:14:08",
            "[203.0.113.9] Default Network::vendor01(MAINT)[Vendors] - Login succeeded for vendor01/MAINT (session:sid0a1b) from 203.0.113.9 with Pulse-Secure/22.3",
        ),
        line(
            "02:14:09",
            "[203.0.113.9] Default Network::vendor01(MAINT)[Vendors] - VPN Tunneling: Session started for user (session:sid0a1b) with IPv4 address 10.50.8.5, hostname PC-VENDOR",
        ),
        line(
            "02:20:07",
            "[203.0.113.9] Default Network::vendor01(MAINT)[Vendors] - Closed connection to TUN-VPN port 443 after 358 seconds, with 2000 bytes read (in 9 chunks) and 3000 bytes written (in 8 chunks) (session:sid0a1b)",
        ),
        line(
            "02:20:08",
            "[203.0.113.9] Default Network::vendor01(MAINT)[Vendors] - VPN Tunneling: Session ended for user (session:sid0a1b) with IPv4 address 10.50.8.5",
        ),
        line(
            "02:20:08",
            "[203.0.113.9] Default Network::vendor01(MAINT)[Vendors] - Logout from 203.0.113.9 (session:sid0a1b)",
        ),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 10.50.8.5 02:14:08-02:20:08 2000/3000", "sato 203.0.113.7");
}

#[test]
fn ivanti_welf() {
    let line = |clock: &str, user: &str, source: &str, message: &str| {
        format!(
            "{clock} id=firewall time=\"2026-03-03 {clock}\" pri=6 fw=192.0.2.1 vpn=PCS1 ivs=Default Network user={user} realm=\"MAINT\" roles=\"\" proto=auth src={source} dst= dstname= type=vpn op= arg=\"\" result= sent= rcvd= agent=\"\" duration= msg=\"{message}\"\n"
        )
    };
    let lines = [
        line(
            "02:14:00",
            "sato",
            "203.0.113.7",
            "AUT24327: Primary authentication failed for sato/AD1 from 203.0.113.7",
        ),
        line(
            "02:14:00",
            "sato",
            "203.0.113.7",
            "AUT23457: Login failed using auth server AD1 (Active Directory).  Reason: Failed",
        ),
        line("02:14:00", "sato", "203.0.113.7", "AUT22672: Login failed. Reason: Wrong Password"),
        line(
            "02:14:07",
            "vendor01",
            "203.0.113.9",
            "AUT24326: Primary authentication successful for vendor01/AD1 from 203.0.113.9",
        ),
        line(
            "02:14:08",
            "vendor01",
            "203.0.113.9",
            "AUT31504: Login succeeded for vendor01/MAINT (session:sid0a1b) from 203.0.113.9 with Pulse-Secure/22.3.",
        ),
        line(
            "02:14:09",
            "vendor01",
            "203.0.113.9",
            "NWC23464: VPN Tunneling: Session started for user (session:sid0a1b) with IPv4 address 10.50.8.5, hostname PC-VENDOR",
        ),
        line(
            "02:20:08",
            "vendor01",
            "203.0.113.9",
            "NWC23465: VPN Tunneling: Session ended for user (session:sid0a1b) with IPv4 address 10.50.8.5",
        ),
        line("02:20:08", "vendor01", "203.0.113.9", "AUT22673: Logout from 203.0.113.9 (session:sid0a1b)"),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 10.50.8.5 02:14:08-02:20:08 -/-", "sato 203.0.113.7");
}

#[test]
fn netscaler_gateway() {
    check(
        r#"
02:14:00 <134> 03/02/2026:17:14:00 GMT ns1 0-PPE-0 : default AAA LOGIN_FAILED 120 0 :  User sato - Client_ip 203.0.113.7 - Failure_reason "External authentication server denied access" - Browser Mozilla/5.0
02:14:08 <134> 03/02/2026:17:14:08 GMT ns1 0-PPE-0 : default SSLVPN LOGIN 123 0 : Context vendor01@203.0.113.9 - SessionId: 77 - User vendor01 - Client_ip 203.0.113.9 - Nat_ip "Mapped Ip" - Vserver 198.51.100.1:443 - Browser_type "Mozilla/5.0" - SSLVPN_client_type Agent - Group(s) "MAINT"
02:14:10 <134> 03/02/2026:17:14:10 GMT ns1 0-PPE-0 : default SSLVPN TCPCONNSTAT 125 0 : Context vendor01@203.0.113.9 - SessionId: 77 - User vendor01 - Client_ip 203.0.113.9 - Nat_ip 10.60.8.5 - Vserver 198.51.100.1:443 - Source 203.0.113.9:50111 - Destination 10.0.0.80:443 - Start_time "03/02/2026:17:14:09 GMT" - End_time "03/02/2026:17:14:10 GMT" - Duration 00:00:01 - Total_bytes_send 100 - Total_bytes_recv 200 - Access Allowed - Group(s) "MAINT"
02:20:08 <134> 03/02/2026:17:20:08 GMT ns1 0-PPE-0 : default SSLVPN LOGOUT 124 0 : Context vendor01@203.0.113.9 - SessionId: 77 - User vendor01 - Client_ip 203.0.113.9 - Nat_ip "Mapped Ip" - Vserver 198.51.100.1:443 - Start_time "03/02/2026:17:14:08 GMT" - End_time "03/02/2026:17:20:08 GMT" - Duration 00:06:00 - Http_resources_accessed 0 - Total_TCP_connections 1 - Total_bytes_send 2000 - Total_bytes_recv 3000 - LogoutMethod "Explicit" - Group(s) "MAINT"
"#,
        "vendor01 203.0.113.9 - 02:14:08-02:20:08 2000/3000",
        "sato 203.0.113.7",
    );
}

#[test]
fn f5_access_policy() {
    let line = |clock: &str, rest: &str| format!("{clock} <141>Mar  3 {clock} lb1 notice {rest}\n");
    let place = |session: &str| format!("/Common/MAINT:Common:{session}");
    let (bad, good) = (place("0b11c2d3"), place("e03c2ca8"));
    let lines = [
        line(
            "02:14:00",
            &format!(
                "tmm1[12390]: 01490500:5: {bad}: New session from client IP 203.0.113.7 (ST=Tokyo/CC=JP/C=AS) at VIP 198.51.100.1 Listener /Common/vs_443 (Reputation=Unknown)"
            ),
        ),
        line("02:14:00", &format!("apmd[14]: 01490010:5: {bad}: Username 'sato'")),
        line(
            "02:14:01",
            &format!(
                "apmd[14]: 01490107:5: {bad}: AD module: authentication with 'sato' failed: Preauthentication failed, principal name: sato@HOSPITAL.EXAMPLE. Invalid user credentials. (-1765328360)"
            ),
        ),
        line(
            "02:14:01",
            &format!("apmd[14]: 01490017:5: {bad}: AD agent: Auth (logon attempt:0): authenticate with 'sato' failed"),
        ),
        line("02:14:01", &format!("apmd[14]: 01490102:5: {bad}: Access policy result: Logon_Deny")),
        line(
            "02:14:07",
            &format!(
                "tmm1[12390]: 01490500:5: {good}: New session from client IP 203.0.113.9 (ST=Tokyo/CC=JP/C=AS) at VIP 198.51.100.1 Listener /Common/vs_443 (Reputation=Unknown)"
            ),
        ),
        line("02:14:07", &format!("apmd[14]: 01490010:5: {good}: Username 'vendor01'")),
        line(
            "02:14:08",
            &format!(
                "apmd[14]: 01490017:5: {good}: AD agent: Auth (logon attempt:0): authenticate with 'vendor01' successful"
            ),
        ),
        line("02:14:08", &format!("apmd[14]: 01490102:5: {good}: Access policy result: Network_Access")),
        line(
            "02:14:09",
            &format!(
                "tmm1[12390]: 01490549:5: {good}: Assigned PPP Dynamic IPv4: 10.70.8.5 Tunnel Type: VPN_TUNNELTYPE_TLS NA Resource: /Common/na"
            ),
        ),
        line("02:20:08", &format!("tmm1[12390]: 01490502:5: {good}: Session deleted due to user logout request.")),
        line(
            "02:20:08",
            &format!("tmm1[12390]: 01490521:5: {good}: Session statistics - bytes in: 2000, bytes out: 3000"),
        ),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 10.70.8.5 02:14:08-02:20:08 2000/3000", "sato 203.0.113.7");
}

#[test]
fn f5_without_an_agent_that_names_the_login() {
    let line = |clock: &str, code: &str, rest: &str| {
        format!("{clock} <141>Mar  3 {clock} lb1 notice apmd[14]: {code}:5: /Common/SAML:Common:77aa01bc: {rest}\n")
    };
    let lines = [
        line("02:14:07", "01490500", "New session from client IP 203.0.113.9 (ST=Tokyo/CC=JP/C=AS) at VIP 198.51.100.1 Listener /Common/vs_443"),
        line("02:14:07", "01490010", "Username 'vendor01'"),
        line("02:14:08", "01490102", "Access policy result: Full"),
        line("02:20:08", "01490501", "Session deleted due to user inactivity."),
        "02:21:00 <141>Mar  3 02:21:00 lb1 notice apmd[14]: 01490500:5: /Common/MAINT:Common:0b11c2d4: New session from client IP 203.0.113.7 (ST=Tokyo/CC=JP/C=AS) at VIP 198.51.100.1 Listener /Common/vs_443\n".to_owned(),
        "02:21:01 <141>Mar  3 02:21:01 lb1 notice apmd[14]: 01490017:5: /Common/MAINT:Common:0b11c2d4: RADIUS agent: Auth (logon attempt:0): authenticate with 'sato' failed\n".to_owned(),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 - 02:14:08-02:20:08 -/-", "sato 203.0.113.7");
}

#[test]
fn sma() {
    let line = |clock: &str, user: &str, source: &str, message: &str, more: &str| {
        let utc = clock.replace("02:", "17:");
        format!(
            "{clock} id=sslvpn sn=0017C5000001 time=\"2026-03-03 {clock}\" vp_time=\"2026-03-02 {utc} UTC\" fw=192.0.2.1 pri=5 m=1 c=1 src={source} dst=\"vpn.hospital.example\" user=\"{user}\" usr=\"{user}\" msg=\"{message}\" portal=\"VirtualOffice\" domain=\"LocalDomain\" {more}agent=\"NetExtender\"\n"
        )
    };
    let lines = [
        line("02:14:00", "sato", "203.0.113.7", "User login failed", ""),
        line("02:14:08", "vendor01", "203.0.113.9", "User login successful", ""),
        line("02:14:09", "vendor01", "203.0.113.9", "NetExtender client assigned IP 10.80.8.5", ""),
        line("02:20:08", "vendor01", "203.0.113.9", "User logged out", "duration=360 "),
    ];
    check(&lines.concat(), "vendor01 203.0.113.9 10.80.8.5 02:14:08-02:20:08 -/-", "sato 203.0.113.7");
}
