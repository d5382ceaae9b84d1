//! Lines as the hospital's devices write them, after the makers' documented formats. One function a message; nothing
//! here decides what happens or when.

use std::net::{IpAddr, Ipv4Addr};

use super::hospital::Device;
use super::line::{Bytes, Part, Three, Two};
use super::moment::{Asa, At, Bsd, Clock, Dashed, SECOND, Slashed};

fn put_all(out: &mut Vec<u8>, parts: &[&dyn Part]) {
    for part in parts {
        part.write(out);
    }
}

/// The beginning of every `FortiOS` line: priority, device-local time, device, epoch in nanoseconds.
fn fortigate(device: &Device, at: At, (priority, level): (u64, &str), logid: &str, kind: &str) -> Vec<u8> {
    let time = at.jst();
    let serial = if device.name == "FGT-HONKAN" { "FGT60FTK20261001" } else { "FGT40FTK20261002" };
    text!(
        "<",
        priority,
        ">date=",
        Dashed(time),
        " time=",
        Clock(time),
        " devname=\"",
        device.name,
        "\" devid=\"",
        serial,
        "\" eventtime=",
        at.0,
        Three(at.0 % 997),
        " tz=\"+0900\" logid=\"",
        logid,
        "\" ",
        kind,
        " level=\"",
        level,
        "\" vd=\"root\" "
    )
}

const NOTICE: (u64, &str) = (189, "notice");
const INFORMATION: (u64, &str) = (190, "information");
const ALERT: (u64, &str) = (185, "alert");
const WARNING: (u64, &str) = (188, "warning");
const VPN: &str = "type=\"event\" subtype=\"vpn\"";
const SYSTEM: &str = "type=\"event\" subtype=\"system\"";

/// Who dials in, from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dial<'a> {
    pub(super) user: &'a str,
    pub(super) group: &'a str,
    pub(super) from: IpAddr,
    pub(super) country: &'a str,
    pub(super) tunnel_id: u64,
    pub(super) assigned: Ipv4Addr,
}

fn vpn_from(out: &mut Vec<u8>, dial: &Dial<'_>) {
    put!(out, " remip=", dial.from, " srccountry=\"", dial.country, "\"");
}

pub(super) fn vpn_new_connection(device: &Device, at: At, dial: &Dial<'_>) -> Vec<u8> {
    let mut out = fortigate(device, at, INFORMATION, "0101039943", VPN);
    put!(&mut out, "logdesc=\"SSL VPN new connection\" action=\"ssl-new-con\" tunneltype=\"ssl\" tunnelid=0");
    vpn_from(&mut out, dial);
    put!(&mut out, " user=\"N/A\" group=\"N/A\" dst_host=\"N/A\" reason=\"N/A\" msg=\"SSL new connection\"");
    out
}

pub(super) fn vpn_fail(device: &Device, at: At, dial: &Dial<'_>, reason: &str) -> Vec<u8> {
    let mut out = fortigate(device, at, ALERT, "0101039426", VPN);
    put!(&mut out, "logdesc=\"SSL VPN login fail\" action=\"ssl-login-fail\" tunneltype=\"ssl-web\" tunnelid=0");
    vpn_from(&mut out, dial);
    put!(&mut out, " user=\"", dial.user, "\" group=\"N/A\" dst_host=\"N/A\" reason=\"", reason);
    put!(&mut out, "\" msg=\"SSL user failed to logged in\"");
    out
}

pub(super) fn vpn_login(device: &Device, at: At, dial: &Dial<'_>) -> Vec<u8> {
    let mut out = fortigate(device, at, INFORMATION, "0101039424", VPN);
    put!(
        &mut out,
        "logdesc=\"SSL VPN tunnel up\" action=\"tunnel-up\" tunneltype=\"ssl-web\" tunnelid=",
        dial.tunnel_id
    );
    vpn_from(&mut out, dial);
    put!(
        &mut out,
        " user=\"",
        dial.user,
        "\" group=\"",
        dial.group,
        "\" dst_host=\"N/A\" reason=\"login successfully\""
    );
    put!(&mut out, " msg=\"SSL tunnel established\"");
    out
}

pub(super) fn vpn_tunnel_up(device: &Device, at: At, dial: &Dial<'_>) -> Vec<u8> {
    let mut out = fortigate(device, at, INFORMATION, "0101039947", VPN);
    put!(&mut out, "logdesc=\"SSL VPN tunnel up\" action=\"tunnel-up\" tunneltype=\"ssl-tunnel\" tunnelid=");
    put!(&mut out, dial.tunnel_id);
    vpn_from(&mut out, dial);
    put!(&mut out, " tunnelip=", dial.assigned, " user=\"", dial.user, "\" group=\"", dial.group);
    put!(&mut out, "\" dst_host=\"N/A\" reason=\"tunnel established\" msg=\"SSL tunnel established\"");
    out
}

/// `sent` is what the firewall sent to the remote user.
pub(super) fn vpn_tunnel_down(
    device: &Device,
    at: At,
    dial: &Dial<'_>,
    seconds: u64,
    sent: u64,
    received: u64,
) -> Vec<u8> {
    let mut out = fortigate(device, at, INFORMATION, "0101039948", VPN);
    put!(&mut out, "logdesc=\"SSL VPN tunnel down\" action=\"tunnel-down\" tunneltype=\"ssl-tunnel\" tunnelid=");
    put!(&mut out, dial.tunnel_id);
    vpn_from(&mut out, dial);
    put!(&mut out, " tunnelip=", dial.assigned, " user=\"", dial.user, "\" group=\"", dial.group);
    put!(&mut out, "\" dst_host=\"N/A\" reason=\"User requested termination of service\" duration=", seconds);
    put!(&mut out, " sentbyte=", sent, " rcvdbyte=", received, " msg=\"SSL tunnel shutdown\"");
    out
}

pub(super) fn ipsec_statistics(device: &Device, at: At, remote: Ipv4Addr, tunnel: &str, bytes: u64) -> Vec<u8> {
    let mut out = fortigate(device, at, NOTICE, "0101037141", VPN);
    put!(
        &mut out,
        "logdesc=\"IPsec tunnel statistics\" msg=\"IPsec tunnel statistics\" action=\"tunnel-stats\" remip="
    );
    put!(&mut out, remote, " locip=203.0.113.2 remport=500 locport=500 outintf=\"wan1\" cookies=\"N/A\" user=\"N/A\"");
    put!(&mut out, " group=\"N/A\" xauthuser=\"N/A\" xauthgroup=\"N/A\" assignip=N/A vpntunnel=\"", tunnel);
    put!(&mut out, "\" tunnelip=N/A tunnelid=2926749 tunneltype=\"ipsec\" duration=", at.0 / SECOND % 86_400);
    put!(&mut out, " sentbyte=", bytes, " rcvdbyte=", bytes / 3, " nextstat=600");
    out
}

pub(super) fn performance(device: &Device, at: At, cpu: u64, sessions: u64) -> Vec<u8> {
    let mut out = fortigate(device, at, NOTICE, "0100040704", SYSTEM);
    put!(
        &mut out,
        "logdesc=\"System performance statistics\" action=\"perf-stats\" cpu=",
        cpu,
        " mem=48 totalsession="
    );
    put!(&mut out, sessions, " disk=0 bandwidth=\"", sessions * 3, "/", sessions * 2, "\" setuprate=", sessions / 90);
    put!(
        &mut out,
        " msg=\"Performance statistics: average CPU: ",
        cpu,
        ", memory:  48, concurrent sessions:  ",
        sessions
    );
    put!(&mut out, "\"");
    out
}

/// One connection through a firewall.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow<'a> {
    pub(super) from: Ipv4Addr,
    pub(super) from_port: u64,
    pub(super) to: IpAddr,
    pub(super) to_port: u64,
    pub(super) service: &'a str,
    pub(super) session: u64,
    pub(super) seconds: u64,
    pub(super) bytes: u64,
}

pub(super) fn traffic(device: &Device, at: At, flow: &Flow<'_>) -> Vec<u8> {
    let mut out = fortigate(device, at, NOTICE, "0000000013", "type=\"traffic\" subtype=\"forward\"");
    put!(
        &mut out,
        "srcip=",
        flow.from,
        " srcport=",
        flow.from_port,
        " srcintf=\"internal\" srcintfrole=\"lan\" dstip="
    );
    put!(&mut out, flow.to, " dstport=", flow.to_port, " dstintf=\"wan1\" dstintfrole=\"wan\" srccountry=\"Reserved\"");
    put!(&mut out, " dstcountry=\"Japan\" sessionid=", flow.session, " proto=6 action=\"close\" policyid=3");
    put!(
        &mut out,
        " policytype=\"policy\" service=\"",
        flow.service,
        "\" trandisp=\"snat\" transip=203.0.113.2 transport="
    );
    put!(&mut out, flow.from_port, " duration=", flow.seconds, " sentbyte=", flow.bytes / 9, " rcvdbyte=", flow.bytes);
    put!(&mut out, " sentpkt=", 4 + flow.bytes / 9000, " rcvdpkt=", 5 + flow.bytes / 1300, " appcat=\"unscanned\"");
    out
}

pub(super) fn device_login(device: &Device, at: At, user: &str, from: IpAddr, to: Ipv4Addr) -> Vec<u8> {
    let mut out = fortigate(device, at, INFORMATION, "0100032001", SYSTEM);
    put!(
        &mut out,
        "logdesc=\"Admin login successful\" sn=\"",
        at.0 / SECOND,
        "\" user=\"",
        user,
        "\" ui=\"https(",
        from
    );
    put!(
        &mut out,
        ")\" method=\"https\" srcip=",
        from,
        " dstip=",
        to,
        " action=\"login\" status=\"success\" reason=\"none\""
    );
    put!(
        &mut out,
        " profile=\"super_admin\" msg=\"Administrator ",
        user,
        " logged in successfully from https(",
        from,
        ")\""
    );
    out
}

pub(super) fn device_logout(device: &Device, at: At, user: &str, from: IpAddr, seconds: u64) -> Vec<u8> {
    let mut out = fortigate(device, at, INFORMATION, "0100032003", SYSTEM);
    put!(
        &mut out,
        "logdesc=\"Admin logout successful\" sn=\"",
        at.0 / SECOND,
        "\" user=\"",
        user,
        "\" ui=\"https(",
        from
    );
    put!(&mut out, ")\" method=\"https\" srcip=", from, " action=\"logout\" status=\"success\" duration=", seconds);
    put!(&mut out, " reason=\"exit\" msg=\"Administrator ", user, " logged out from https(", from, ")\"");
    out
}

pub(super) fn rebooted(device: &Device, at: At, user: &str, from: IpAddr) -> Vec<u8> {
    let mut out = fortigate(device, at, WARNING, "0100032138", SYSTEM);
    put!(
        &mut out,
        "logdesc=\"Device rebooted\" user=\"",
        user,
        "\" ui=\"https(",
        from,
        ")\" action=\"reboot\" msg=\"User "
    );
    put!(&mut out, user, " rebooted the device from https(", from, "). The reason is 'upgrade firmware'\"");
    out
}

pub(super) fn started(device: &Device, at: At) -> Vec<u8> {
    let mut out = fortigate(device, at, WARNING, "0100032009", SYSTEM);
    put!(&mut out, "logdesc=\"FortiGate started\" msg=\"Fortigate started\"");
    out
}

/// Yamaha lines have a priority and nothing else before the text.
pub(super) fn rtx(priority: u64, parts: &[&dyn Part]) -> Vec<u8> {
    let mut out = text!("<", priority, ">");
    put_all(&mut out, parts);
    out
}

/// local0, info: logins, VPN, DHCP. Filters and INSPECT are notices, 133.
pub(super) const RTX_INFO: u64 = 134;

pub(super) fn rtx_inspect(at: At, flow: &Flow<'_>) -> Vec<u8> {
    text!(
        "<133>[INSPECT] PP[01][out][101080] TCP ",
        flow.from,
        ":",
        flow.from_port,
        " > ",
        flow.to,
        ":",
        flow.to_port,
        " (",
        Slashed(at.minus(flow.seconds * SECOND).jst()),
        ")"
    )
}

pub(super) fn rtx_rejected(from: Ipv4Addr, from_port: u64, to_port: u64) -> Vec<u8> {
    text!("<133>PP[01] Rejected at IN(2000) filter: TCP ", from, ":", from_port, " > 192.0.2.10:", to_port)
}

/// Facility local4: 160 and the severity that the code begins with.
fn asa(at: At, priority: u64, code: &str) -> Vec<u8> {
    text!("<", priority, ">", Asa(at.jst()), " ASA-PACS : %ASA-", code, ": ")
}

pub(super) fn asa_built(at: At, flow: &Flow<'_>) -> Vec<u8> {
    let mut out = asa(at, 166, "6-302013");
    put!(&mut out, "Built outbound TCP connection ", flow.session, " for outside:", flow.to, "/", flow.to_port, " (");
    put!(&mut out, flow.to, "/", flow.to_port, ") to inside:", flow.from, "/", flow.from_port, " (", flow.from, "/");
    put!(&mut out, flow.from_port, ")");
    out
}

pub(super) fn asa_teardown(at: At, flow: &Flow<'_>) -> Vec<u8> {
    let mut out = asa(at, 166, "6-302014");
    put!(
        &mut out,
        "Teardown TCP connection ",
        flow.session,
        " for outside:",
        flow.to,
        "/",
        flow.to_port,
        " to inside:"
    );
    put!(
        &mut out,
        flow.from,
        "/",
        flow.from_port,
        " duration ",
        flow.seconds / 3600,
        ":",
        Two(flow.seconds / 60 % 60),
        ":"
    );
    put!(&mut out, Two(flow.seconds % 60), " bytes ", flow.bytes, " TCP FINs");
    out
}

/// `AnyConnect`: parent session, address, and at the end the account of both.
pub(super) fn asa_session_started(at: At, dial: &Dial<'_>) -> Vec<u8> {
    let mut out = asa(at, 166, "6-113039");
    put!(&mut out, "Group <", dial.group, "> User <", dial.user, "> IP <", dial.from);
    put!(&mut out, "> AnyConnect parent session started.");
    out
}

pub(super) fn asa_address(at: At, dial: &Dial<'_>) -> Vec<u8> {
    let mut out = asa(at, 164, "4-722051");
    put!(
        &mut out,
        "Group <",
        dial.group,
        "> User <",
        dial.user,
        "> IP <",
        dial.from,
        "> IPv4 Address <",
        dial.assigned
    );
    put!(&mut out, "> IPv6 address <::> assigned to session");
    out
}

pub(super) fn asa_session_ended(at: At, dial: &Dial<'_>, seconds: u64, sent: u64) -> Vec<u8> {
    let mut out = asa(at, 164, "4-113019");
    put!(&mut out, "Group = ", dial.group, ", Username = ", dial.user, ", IP = ", dial.from);
    put!(
        &mut out,
        ", Session disconnected. Session Type: SSL, Duration: ",
        seconds / 3600,
        "h:",
        Two(seconds / 60 % 60)
    );
    put!(
        &mut out,
        "m:",
        Two(seconds % 60),
        "s, Bytes xmt: ",
        sent,
        ", Bytes rcv: ",
        sent / 11,
        ", Reason: User Requested"
    );
    out
}

/// A line with the header of RFC 3164.
pub(super) fn bsd(device: &Device, at: At, priority: u64, parts: &[&dyn Part]) -> Vec<u8> {
    let mut out = text!("<", priority, ">", Bsd(at.jst()), " ", device.name, " ");
    put_all(&mut out, parts);
    out
}

pub(super) fn file_access(device: &Device, at: At, action: &str, path: &str, user: &str, from: Ipv4Addr) -> Vec<u8> {
    let kb = at.0 / 1000 % 4000;
    let parts: [&dyn Part; 13] = [
        &"WinFileService Event: ",
        &action,
        &", Path: ",
        &path,
        &", File/Folder: File, Size: ",
        &kb,
        &".",
        &Two(kb % 100),
        &" KB, User: MINATO\\",
        &user,
        &", IP: ",
        &from,
        &"",
    ];
    bsd(device, at, 14, &parts)
}

pub(super) fn share_opened(device: &Device, at: At, user: &str, pc: &str, from: Ipv4Addr, share: &str) -> Vec<u8> {
    let parts: [&dyn Part; 9] = [
        &"Connection: User [MINATO\\",
        &user,
        &"] from [",
        &pc,
        &"(",
        &from,
        &")] via [CIFS(SMB3)] accessed shared folder [",
        &share,
        &"].",
    ];
    bsd(device, at, 14, &parts)
}

/// Apex One's reports in CEF. The name and the extension say what it is about.
pub(super) fn cef(
    device: &Device,
    at: At,
    (id, name, severity): (&str, &str, u64),
    extension: &[&dyn Part],
) -> Vec<u8> {
    let parts: [&dyn Part; 8] =
        [&"CEF:0|Trend Micro|Apex Central|2019|", &id, &"|", &name, &"|", &severity, &"|rt=", &(at.0 / 1000)];
    let mut out = bsd(device, at, 134, &parts);
    put!(&mut out, " dvchost=AV01 ");
    put_all(&mut out, extension);
    out
}

/// 給食 program: 献立データを送信しました 患者食 N 件, in CP932.
pub(super) fn menu_sent(device: &Device, at: At, meals: u64) -> Vec<u8> {
    let parts: [&dyn Part; 4] = [&"kyushoku[812]: ", &Bytes(MENU_SENT), &meals, &Bytes(MEALS)];
    bsd(device, at, 14, &parts)
}

/// 給食 program: 禁食・アレルギー情報を電子カルテから受信しました, in CP932.
pub(super) fn allergies_received(device: &Device, at: At) -> Vec<u8> {
    bsd(device, at, 14, &[&"kyushoku[812]: ", &Bytes(ALLERGIES_RECEIVED)])
}

/// 献立データを送信しました 患者食 and a blank.
const MENU_SENT: &[u8] = b"\x8c\xa3\x97\xa7\x83\x66\x81\x5b\x83\x5e\x82\xf0\x91\x97\x90\x4d\x82\xb5\x82\xdc\x82\xb5\x82\xbd\x20\x8a\xb3\x8e\xd2\x90\x48\x20";
/// A blank and 件.
const MEALS: &[u8] = b"\x20\x8c\x8f";
/// 禁食・ｱﾚﾙｷﾞｰ情報を電子カルテから受信しました（㈱給食サポート）, with half-width kana and a NEC extension character.
const ALLERGIES_RECEIVED: &[u8] = b"\x8b\xd6\x90\x48\x81\x45\xb1\xda\xd9\xb7\xde\xb0\x8f\xee\x95\xf1\x82\xf0\x93\x64\x8e\x71\x83\x4a\x83\x8b\x83\x65\x82\xa9\x82\xe7\x8e\xf3\x90\x4d\x82\xb5\x82\xdc\x82\xb5\x82\xbd\x81\x69\x87\x8a\x8b\x8b\x90\x48\x83\x54\x83\x7c\x81\x5b\x83\x67\x81\x6a";
