//! L2TP and PPTP servers on Linux: `xl2tpd`, `pptpd` and the `pppd` under them.
//!
//! Format: the programs' own sources (`auth.c`, `ipcp.c`, `control.c`). Quirks this file owns:
//! * `xl2tpd` has the address and the pid of the `pppd` it starts, `pppd` the account and the address given: the pid is what
//!   they share, and so the session's id.
//! * `peer authentication succeeded for` is a dial-in; `CHAP authentication succeeded` without a name is this machine
//!   dialling out to its provider, and nobody's login.
//! * Bytes are told by `pppd`: received is what came from the user.

use super::draft::Draft;
use super::gateway::{ADDRESS, LOGIN_REFUSED, Meaning, NETWORK, SESSION, SESSION_END, SESSION_START, mean};
use super::scan::{behind, count, seconds_ns};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let app = header.app.unwrap_or("");
    let text = header.message.trim();
    let meaning = match app {
        "xl2tpd" | "pptpd" => tunnel(text, draft),
        "pppd" => link(text, draft),
        _ => None,
    };
    let Some(meaning) = meaning else { return false };
    draft.product("linux", "linux.ppp", "Linux", app);
    draft.rule("ppp");
    draft.process(header);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    if draft.event.vpn_session_id.is_none() && app == "pppd" {
        draft.event.vpn_session_id = header.pid.map(str::to_owned);
    }
    if meaning != NETWORK {
        draft.event.vpn_type = Some(if app == "pptpd" { "pptp" } else { "l2tp" }.to_owned());
    }
    mean(draft, meaning);
    true
}

/// `Call established with 203.0.113.9, PID: 1234, …`, `Connection established to 203.0.113.9, 1701. …`,
/// `control_finish: Connection closed to 203.0.113.9, …`, `CTRL: Client 203.0.113.9 control connection started`.
fn tunnel(text: &str, draft: &mut Draft<'_>) -> Option<Meaning> {
    const PEERS: [&str; 4] =
        ["Call established with ", "Connection established to ", "Connection closed to ", "Client "];
    let peer = PEERS.iter().find_map(|mark| behind(text, mark, &[',', ' ']))?;
    draft.source(peer);
    draft.event.vpn_session_id = behind(text, "PID: ", &[',', ' ']).map(str::to_owned);
    if let Some((_, reason)) = text.split_once(" (").filter(|_| text.contains("Connection closed")) {
        draft.reason(reason.split(')').next().unwrap_or(reason));
    }
    Some(SESSION)
}

fn link(text: &str, draft: &mut Draft<'_>) -> Option<Meaning> {
    const ACCEPTED: [&str; 2] = ["peer authentication succeeded for ", " peer authentication succeeded for"];
    const REFUSED: [&str; 2] = ["peer authentication failed for ", " peer authentication failed for"];
    let behind_any = |marks: &[&str]| marks.iter().find_map(|mark| behind(text, mark, &[]));
    if let Some(name) = behind_any(&ACCEPTED) {
        draft.user(name.trim());
        return Some(SESSION_START);
    }
    if let Some(name) = behind_any(&REFUSED) {
        draft.user(name.trim());
        draft.reason(text.split(' ').next().unwrap_or(""));
        return Some(LOGIN_REFUSED);
    }
    if let Some(name) = text.strip_prefix("Peer ").and_then(|rest| rest.split_once(" failed ")) {
        draft.user(name.0);
        draft.reason(name.1);
        return Some(LOGIN_REFUSED);
    }
    if let Some(remote) = text.strip_prefix("remote IP address ") {
        draft.assigned(remote);
        return Some(ADDRESS);
    }
    if let Some(minutes) = text.strip_prefix("Connect time ") {
        draft.event.duration_ns = minutes_ns(minutes.split(' ').next().unwrap_or(""));
        return Some(SESSION);
    }
    if let Some((sent, received)) = text.strip_prefix("Sent ").and_then(|rest| rest.split_once(" bytes, received ")) {
        draft.event.destination_bytes = count(sent);
        draft.event.source_bytes = count(received.split(' ').next().unwrap_or(""));
        return Some(SESSION);
    }
    match text {
        "Connection terminated." | "Connection terminated" => Some(SESSION_END),
        _ if text.contains("authentication succeeded") || text.starts_with("local  IP address ") => Some(NETWORK),
        _ => None,
    }
}

/// `5.3` minutes.
fn minutes_ns(text: &str) -> Option<i64> {
    let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
    let seconds = whole.parse::<i64>().ok()?.checked_mul(60)?;
    let tenth: i64 = tenth.get(..1)?.parse().ok()?;
    seconds_ns(seconds.checked_add(tenth * 6)?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn a_dial_in() {
        check(
            "<30>Mar  3 02:14:08 gw1 xl2tpd[700]: Call established with 203.0.113.9, PID: 1234, Local: 5, Remote: 1, Serial: 1",
            &[
                ("source.ip", "203.0.113.9"),
                ("vpn.session_id", "1234"),
                ("vpn.type", "l2tp"),
                ("event.action", "other"),
            ],
        );
        check(
            "<30>Mar  3 02:14:09 gw1 pppd[1234]: CHAP peer authentication succeeded for vendor01",
            &[("user.name", "vendor01"), ("event.action", "session-start"), ("vpn.session_id", "1234")],
        );
        check(
            "<30>Mar  3 02:14:09 gw1 pppd[1234]: remote IP address 10.1.1.2",
            &[("vpn.assigned_ip", "10.1.1.2"), ("event.action", "address-assigned")],
        );
        check("<30>Mar  3 02:20:09 gw1 pppd[1234]: Connect time 6.5 minutes.", &[("event.duration", "390000000000")]);
        check(
            "<30>Mar  3 02:20:09 gw1 pppd[1234]: Sent 3000 bytes, received 2000 bytes.",
            &[("source.bytes", "2000"), ("destination.bytes", "3000")],
        );
        check("<30>Mar  3 02:20:09 gw1 pppd[1234]: Connection terminated.", &[("event.action", "session-end")]);
    }

    #[test]
    fn refusals_and_dialling_out() {
        for line in [
            "<30>Mar  3 02:14:09 gw1 pppd[1234]: Peer sato failed CHAP authentication",
            "<30>Mar  3 02:14:09 gw1 pppd[1234]: PAP peer authentication failed for sato",
        ] {
            check(line, &[("user.name", "sato"), ("event.action", "login"), ("event.outcome", "failure")]);
        }
        check(
            "<30>Mar  3 02:14:09 gw1 pppd[9]: CHAP authentication succeeded",
            &[("event.category", "network"), ("vpn.type", "-"), ("user.name", "-")],
        );
        check("<30>Mar  3 02:14:09 gw1 pppd[9]: Using interface ppp0", &[("observer.product", "-")]);
    }
}
