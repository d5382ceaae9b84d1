//! Stormshield Network Security firewalls.
//!
//! Format: Stormshield, *Description of audit logs*. Quirks this file owns:
//! * `id=firewall time="…" fw="name" tz=+0100 startime="…" key=value … logtype="auth"`; `SonicWall` and Ivanti share
//!   `id=firewall`, but `startime` and `logtype` are written here alone. `time` is local, `tz` its offset.
//! * `logtype` tells what kind of line it is; `error` is 0 when the act went well.
//! * Of a tunnel (`vpn`) `src` is the firewall's own end and `dst` the far one, whoever began.
//! * The administration server (`server`) has the manager at `address`, the command as `msg`.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::gateway::{
    ALLOW, CONFIG, DENY, HOST, LOGIN, LOGOUT, Meaning, NETWORK, SESSION, SESSION_END, SESSION_START, failed, head,
    local_time, mean, name_device, says,
};
use super::kv;
use super::scan::{count, port, seconds_ns};
use crate::header::Header;

/// How far into a body the mark is looked for: a tag may stand before it.
const BEFORE_BYTES_MAX: usize = 128;

/// The values that decide something.
#[derive(Default)]
struct Keys<'a> {
    time: &'a str,
    zone: &'a str,
    name: &'a str,
    kind: &'a str,
    text: &'a str,
    error: &'a str,
    action: &'a str,
    src: &'a str,
    dst: &'a str,
    address: &'a str,
    src_port: &'a str,
    dst_port: &'a str,
}

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    // A collector's agent leaves the first key out.
    let start = head(header.body, BEFORE_BYTES_MAX);
    let Some(at) = start.find("id=firewall time=\"").or_else(|| start.starts_with("time=\"").then_some(0)) else {
        return false;
    };
    let line = header.body.get(at..).unwrap_or("");
    let has = |key: &str| memchr::memmem::find(line.as_bytes(), key.as_bytes()).is_some();
    if !(has(" fw=") && has(" startime=\"") && (has(" logtype=\"") || has(" tz="))) {
        return false;
    }
    let mut keys = Keys::default();
    for (key, value) in kv::pairs(line) {
        keys.set(key, value, draft);
        draft.native(key, value);
    }
    draft.product("stormshield", "stormshield.sns", "Stormshield", "Network Security");
    draft.rule("stormshield");
    draft.time = local_time(keys.time, keys.zone);
    name_device(header, keys.name, draft);
    ends(&keys, draft);
    let meaning = meaning(&keys, draft);
    if meaning.2 == Outcome::Failure && meaning.0 == Category::Authentication {
        draft.reason(keys.text);
    }
    mean(draft, meaning);
    true
}

impl<'a> Keys<'a> {
    fn set(&mut self, key: &str, value: &'a str, draft: &mut Draft<'_>) {
        let slot = match key {
            "time" => &mut self.time,
            "tz" => &mut self.zone,
            "fw" => &mut self.name,
            "logtype" => &mut self.kind,
            "msg" => &mut self.text,
            "error" => &mut self.error,
            "action" => &mut self.action,
            "src" => &mut self.src,
            "dst" => &mut self.dst,
            "address" => &mut self.address,
            "srcport" => &mut self.src_port,
            "dstport" => &mut self.dst_port,
            _ => return other(key, value, draft),
        };
        *slot = value;
    }
}

fn other(key: &str, value: &str, draft: &mut Draft<'_>) {
    match key {
        "user" => draft.user(value),
        "sent" => draft.event.source_bytes = count(value),
        "rcvd" => draft.event.destination_bytes = count(value),
        // `0.42`: seconds and a fraction.
        "duration" => {
            draft.event.duration_ns = value.split('.').next().and_then(count).and_then(seconds_ns);
        }
        "alarmid" => draft.event.code = count(value).map(|number| number.to_string()),
        "usergroup" if !value.is_empty() => draft.event.vpn_group = Some(value.to_owned()),
        _ => {}
    }
}

fn ends(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    let (source, destination) = if keys.kind == "vpn" { (keys.dst, keys.src) } else { (keys.src, keys.dst) };
    draft.source(source);
    draft.source(keys.address);
    draft.destination(destination);
    draft.event.source_port = port(keys.src_port).filter(|_| !source.is_empty());
    draft.event.destination_port = port(keys.dst_port).filter(|_| !destination.is_empty());
}

fn meaning(keys: &Keys<'_>, draft: &mut Draft<'_>) -> Meaning {
    let ok = matches!(keys.error, "" | "0");
    let or_failed = |meaning: Meaning| if ok { meaning } else { failed(meaning) };
    match keys.kind {
        "auth" if says(keys.text, &["logged out", "logout", "disconnect"]) => LOGOUT,
        // An expiry or an agent's notice carries neither the error nor a word of a login.
        "auth" if keys.error.is_empty() && !says(keys.text, &["authenti", "logged in", "login"]) => SESSION,
        "auth" => or_failed(LOGIN),
        "xvpn" | "vpn" => tunnel(keys, ok, draft),
        "server" if is_change(keys.text) => or_failed(CONFIG),
        "server" => or_failed((Category::Configuration, Action::Other, Outcome::Success)),
        "alarm" => {
            let blocked = if says(keys.action, &["block"]) { Outcome::Failure } else { Outcome::Unknown };
            (Category::Network, Action::Detect, blocked)
        }
        _ if says(keys.action, &["block"]) => DENY,
        _ if says(keys.action, &["pass"]) => ALLOW,
        "filter" | "connection" | "web" | "plugin" | "smtp" | "ftp" | "pop3" | "ssl" => NETWORK,
        _ => HOST,
    }
}

fn tunnel(keys: &Keys<'_>, ok: bool, draft: &mut Draft<'_>) -> Meaning {
    draft.event.vpn_type = Some(if keys.kind == "xvpn" { "ssl" } else { "ipsec" }.to_owned());
    // A tunnel between sites is nobody's session, and an IPsec one has a line for each of its phases.
    let is_session = keys.kind == "xvpn" && draft.event.user_name.is_some();
    if !ok {
        failed(SESSION)
    } else if is_session && says(keys.text, &["opened", "created", "established"]) {
        SESSION_START
    } else if is_session && says(keys.text, &["closed", "removed", "deleted"]) {
        SESSION_END
    } else {
        SESSION
    }
}

/// `CONFIG FILTER ACTIVATE`, but not `CONFIG FILTER SHOW`.
fn is_change(command: &str) -> bool {
    command.starts_with("CONFIG ") && !says(command, &[" show", " list", " get", " status"])
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    const HEAD: &str = r#"id=firewall time="2026-03-03 09:00:00" fw="sns1" tz=+0900 startime="2026-03-03 09:00:00""#;

    #[test]
    fn people() {
        check(
            format!(
                r#"<13>{HEAD} user="sato" domain="hosp" src=192.0.2.9 error=0 method="" msg="User authenticated" logtype="auth""#
            ),
            &[
                ("event.module", "stormshield"),
                ("observer.hostname", "sns1"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.9"),
                ("event.action", "login"),
                ("event.outcome", "success"),
            ],
        );
        check(
            format!(r#"<13>{HEAD} user="sato" src=192.0.2.9 error=1 msg="Authentication failed" logtype="auth""#),
            &[("event.action", "login"), ("event.outcome", "failure"), ("event.reason", "Authentication failed")],
        );
        check(
            format!(
                r#"<13>{HEAD} user="yamada" address=192.0.2.8 sessionid=4 msg="CONFIG FILTER ACTIVATE" error=0 logtype="server""#
            ),
            &[("event.action", "config-change"), ("user.name", "yamada"), ("source.ip", "192.0.2.8")],
        );
    }

    #[test]
    fn tunnels() {
        check(
            format!(r#"{HEAD} user="vendor01" error=0 src=203.0.113.9 msg="SSL tunnel created" logtype="xvpn""#),
            &[("event.action", "session-start"), ("vpn.type", "ssl"), ("source.ip", "203.0.113.9")],
        );
        check(
            format!(
                r#"{HEAD} phase=2 side=responder user="vendor01" src=198.51.100.1 dst=203.0.113.9 msg="Phase established" logtype="vpn""#
            ),
            &[
                ("event.action", "other"),
                ("vpn.type", "ipsec"),
                ("source.ip", "203.0.113.9"),
                ("destination.ip", "198.51.100.1"),
            ],
        );
    }

    #[test]
    fn traffic_and_alarms() {
        check(
            format!(
                r#"{HEAD} pri=1 class=protocol alarmid=157 ipproto=tcp src=203.0.113.9 srcport=51234 dst=192.0.2.80 dstport=80 action=block msg="Possible port scan" logtype="alarm""#
            ),
            &[
                ("event.code", "157"),
                ("event.action", "detect"),
                ("event.outcome", "failure"),
                ("source.port", "51234"),
                ("destination.port", "80"),
            ],
        );
        check(
            format!(
                r#"{HEAD} src=192.0.2.9 srcport=51000 dst=198.51.100.7 dstport=443 sent=64 rcvd=128 duration=2.02 action=pass logtype="connection""#
            ),
            &[("event.action", "allow"), ("event.duration", "2000000000"), ("destination.bytes", "128")],
        );
    }

    #[test]
    fn what_is_not_ours() {
        let welf = r#"<134>id=firewall time="2026-03-03 09:00:00" pri=6 fw=192.0.2.1 vpn=ive user=sato realm="R" src=203.0.113.9 msg="AUT24804: x""#;
        check(welf, &[("event.module", "ivanti")]);
        check(r#"id=firewall time="2026-03-03 09:00:00" fw=x"#, &[("event.module", "-")]);
    }
}
