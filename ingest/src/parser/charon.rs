//! strongSwan's `charon`, as Linux gateways, `OPNsense`, pfSense and `UniFi` run it.
//!
//! Format: strongSwan's sources (`daemon/ike`, `sa`), log levels 0 and 1. Quirks this file owns:
//! * `charon: 05[IKE] <name|7> text`: thread, subsystem, and the connection with its number, where logged by name.
//! * `IKE_SA name[7] established between OURS[id]...THEIRS[id]` is the session; `name[7]` its id. With EAP the far id is
//!   often an address, and the account stands only in `received EAP identity` and `assigning virtual IP … to peer`.
//! * `authentication of 'id' (myself)` is the gateway's own.
//! * An id may be a name, a mail address, a distinguished name or an address; of a host's name nobody is made.

use super::draft::{Draft, address};
use super::gateway::{
    ADDRESS, LOGIN_REFUSED, Meaning, SESSION, SESSION_END, SESSION_START, STEP, STEP_REFUSED, failed, mean,
};
use super::scan::{behind, between, port};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let app = header.app.unwrap_or("");
    if !matches!(app, "charon" | "charon-systemd" | "charon-nm" | "ipsec" | "strongswan" | "ipsec_starter") {
        return false;
    }
    let Some((subsystem, text)) = message(header.message) else { return false };
    draft.product("strongswan", "strongswan.charon", "strongSwan", "charon");
    draft.rule("strongswan");
    draft.process(header);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.event.vpn_type = Some("ipsec".to_owned());
    draft.native("subsystem", subsystem);
    let text = connection(text, draft);
    let meaning = read(text, draft);
    mean(draft, meaning);
    true
}

/// `05[IKE] text`.
fn message(text: &str) -> Option<(&str, &str)> {
    let (thread, rest) = text.split_once('[')?;
    let (subsystem, rest) = rest.split_once("] ")?;
    let is_ours = thread.len() <= 4
        && thread.bytes().all(|byte| byte.is_ascii_digit())
        && subsystem.len() == 3
        && subsystem.bytes().all(|byte| byte.is_ascii_uppercase());
    is_ours.then_some((subsystem, rest))
}

/// `<name|7> text`.
fn connection<'a>(text: &'a str, draft: &mut Draft<'_>) -> &'a str {
    let Some((place, rest)) = text.strip_prefix('<').and_then(|inner| inner.split_once("> ")) else { return text };
    if let Some((name, number)) = place.split_once('|') {
        draft.event.vpn_tunnel = Some(name.to_owned());
        draft.event.vpn_session_id = Some(format!("{name}[{number}]"));
    }
    rest
}

fn read(text: &str, draft: &mut Draft<'_>) -> Meaning {
    if let Some((name, ends)) = between_words(text, "IKE_SA ", " established between ") {
        session(name, ends, draft);
        SESSION_START
    } else if let Some((name, ends)) = between_words(text, "deleting IKE_SA ", " between ") {
        session(name, ends, draft);
        SESSION_END
    } else if let Some(rest) = text.strip_prefix("assigning virtual IP ") {
        draft.assigned(rest.split(' ').next().unwrap_or(""));
        person(between(rest, "to peer '", "'").unwrap_or(""), draft);
        ADDRESS
    } else if text.contains(" packet: from ") {
        packet(text, draft);
        SESSION
    } else if let Some((source, _)) = text.split_once(" is initiating a") {
        draft.source(source);
        SESSION
    } else {
        authentication(text, draft)
    }
}

fn between_words<'a>(text: &'a str, start: &str, middle: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(start)?.split_once(middle)
}

/// `name[7]`, `198.51.100.1[vpn.hospital.example]...203.0.113.9[sato]`.
fn session(name: &str, ends: &str, draft: &mut Draft<'_>) {
    draft.event.vpn_session_id = Some(name.to_owned());
    draft.event.vpn_tunnel = name.split('[').next().map(str::to_owned);
    let Some((ours, theirs)) = ends.split_once("...") else { return };
    draft.destination(ours.split('[').next().unwrap_or(""));
    let (far, id) = theirs.split_once('[').unwrap_or((theirs, ""));
    draft.source(far);
    person(id.rsplit_once(']').map_or(id, |(id, _)| id), draft);
}

/// `received packet: from 203.0.113.9[500] to 198.51.100.1[500] (372 bytes)`; what is sent goes the other way.
fn packet(text: &str, draft: &mut Draft<'_>) {
    let end = |mark: &str| {
        let (ip, rest) = behind(text, mark, &[' '])?.split_once('[')?;
        Some((ip, port(rest.trim_end_matches(']'))))
    };
    let (Some(from), Some(to)) = (end(" from "), end(" to ")) else { return };
    let (far, own) = if text.starts_with("sending") { (to, from) } else { (from, to) };
    draft.source(far.0);
    draft.destination(own.0);
    (draft.event.source_port, draft.event.destination_port) = (far.1, own.1);
}

fn authentication(text: &str, draft: &mut Draft<'_>) -> Meaning {
    const NAMES: [&str; 5] =
        ["authentication of '", "received EAP identity '", "for peer '", "no shared key found for '", "XAuth user '"];
    if text.contains("(myself)") {
        return SESSION;
    }
    let quoted = NAMES.iter().find_map(|mark| between(text, mark, "'"));
    person(quoted.or_else(|| behind(text, " for peer ", &[' ', ','])).unwrap_or(""), draft);
    let failing = text.contains("failed") || text.starts_with("no shared key found") || text.contains("AUTH_FAILED");
    if text.contains("uthentication of '") || text.starts_with("EAP method ") || text.starts_with("EAP_") {
        if failing {
            draft.reason(text);
            return LOGIN_REFUSED;
        }
        return if text.contains("succe") { STEP } else { SESSION };
    }
    if failing {
        draft.reason(text);
        return if text.contains("AUTH") || text.contains("key") { STEP_REFUSED } else { failed(SESSION) };
    }
    SESSION
}

/// An account, or the common name of a certificate; not an address and not a host.
fn person(id: &str, draft: &mut Draft<'_>) {
    let name = behind(id, "CN=", &[',']).unwrap_or(id).trim();
    let is_host = name.contains('.') && !name.contains('@') && !name.contains(' ') && !name.contains('\\');
    if address(name).is_none() && !is_host && !name.starts_with('%') {
        draft.user(name);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn a_session() {
        check(
            "<30>Mar  3 02:14:08 gw1 charon: 06[IKE] <ra|7> IKE_SA ra[7] established between 198.51.100.1[vpn.hospital.example]...203.0.113.9[vendor01]",
            &[
                ("event.action", "session-start"),
                ("user.name", "vendor01"),
                ("source.ip", "203.0.113.9"),
                ("destination.ip", "198.51.100.1"),
                ("vpn.session_id", "ra[7]"),
                ("vpn.tunnel", "ra"),
                ("vpn.type", "ipsec"),
                ("observer.hostname", "gw1"),
            ],
        );
        check(
            "<30>Mar  3 02:14:08 gw1 charon[77]: 06[IKE] <ra|7> assigning virtual IP 10.1.1.2 to peer 'sato@hospital.example'",
            &[
                ("event.action", "address-assigned"),
                ("vpn.assigned_ip", "10.1.1.2"),
                ("user.name", "sato"),
                ("vpn.session_id", "ra[7]"),
            ],
        );
        check(
            "<30>Mar  3 02:14:08 gw1 charon: 08[IKE] deleting IKE_SA s2s[9] between 198.51.100.1[gw1.hospital.example]...192.0.2.1[gw2.hospital.example]",
            &[("event.action", "session-end"), ("user.name", "-"), ("source.ip", "192.0.2.1")],
        );
    }

    #[test]
    fn authentications() {
        check(
            "<30>Mar  3 02:14:08 gw1 charon: 06[IKE] authentication of 'sato' with EAP successful",
            &[("event.action", "other"), ("event.outcome", "success"), ("user.name", "sato")],
        );
        check(
            "<30>Mar  3 02:14:08 gw1 charon: 06[IKE] EAP method EAP_MSCHAPV2 failed for peer sato",
            &[("event.action", "login"), ("event.outcome", "failure"), ("user.name", "sato")],
        );
        check(
            "<30>Mar  3 02:14:08 gw1 charon: 06[IKE] authentication of 'vpn.hospital.example' (myself) with RSA signature successful",
            &[("user.name", "-"), ("event.action", "other")],
        );
        check(
            "<30>Mar  3 02:14:08 gw1 charon: 06[NET] received packet: from 203.0.113.9[4500] to 198.51.100.1[4500] (372 bytes)",
            &[("source.ip", "203.0.113.9"), ("source.port", "4500")],
        );
        check("<30>Mar  3 02:14:08 gw1 ipsec: starting", &[("observer.product", "-")]);
    }
}
