//! Fortinet products whose logs are not `FortiOS`'s: `FortiMail`, `FortiAuthenticator`, `FortiDDoS`. `FortiProxy` and `FortiWeb`
//! write the keys of `FortiOS` and are read with it.
//!
//! Formats: Fortinet's log references of each. Quirks this file owns:
//! * `FortiMail`: `date=… time=… device_id=… log_id=… type=kevent|event|statistics|spam|virus|encrypt …`; there is no
//!   `vd`. `user=mail ui=mail` is its mail daemon. `relay=` in the message is the far mail server: the one that sent
//!   (`from=`, `STARTTLS=server`) or the one that received (`to=`).
//! * `FortiAuthenticator`: `category="Event" subcategory="Authentication" typeid=20001 … status="Failed"` and then bare
//!   text. `nas` is the device that asked.
//! * `FortiDDoS`: `devid=… spp=… evecode=… sip=… dip=… dropcount=…`; the zone is a word that may mean several.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::gateway::{
    ACCOUNT, CONFIG, HOST, LOGIN, LOGIN_REFUSED, LOGOUT, Meaning, NETWORK, STEP, failed, local_time, mean, says,
};
use super::kv;
use super::scan::{behind, between, known};
use crate::header::Header;

/// The rarest key of each product, looked for in every line that has pairs.
static DEVICE_ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("device_id="));
static TYPE_ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(" typeid="));
static EVENT_CODE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(" evecode="));

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if memchr::memchr(b'=', header.body.as_bytes()).is_none() {
        return false;
    }
    let found = mail(header, draft) || authenticator(header, draft) || ddos(header, draft);
    if found {
        draft.event.observer_hostname = draft.event.observer_hostname.take().or(header.host.map(str::to_owned));
    }
    found
}

fn has(line: &str, key: &str) -> bool {
    memchr::memmem::find(line.as_bytes(), key.as_bytes()).is_some()
}

fn mail(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let line = header.body;
    let begins = line.starts_with("date=") || line.starts_with("time=");
    let is_ours = || DEVICE_ID.find(line.as_bytes()).is_some() && ["log_id=", "pri="].iter().all(|key| has(line, key));
    if !begins || !is_ours() || has(line, " vd=") || has(line, ",vd=") {
        return false;
    }
    let (mut date, mut time, mut kind, mut action, mut status, mut message) = ("", "", "", "", "", "");
    let (mut device, mut zone) = ("", "");
    for (key, value) in kv::pairs(line) {
        match key {
            "date" => date = value,
            "time" => time = value,
            "type" => kind = value,
            "action" => action = value,
            "status" => status = value,
            "msg" => message = value,
            "device_id" => device = value,
            "tz" => zone = value,
            "devname" => draft.event.observer_hostname = known(value),
            // The managers say `operation` for what the others call `action`.
            "operation" if action.is_empty() => action = value,
            "log_id" => draft.event.code = known(value),
            "user" if value != "mail" => draft.user(value),
            "ui" | "userfrom" => draft.source(between(value, "(", ")").unwrap_or("")),
            "client_ip" | "src" => draft.source(value),
            "dst_ip" | "dst" => draft.destination(value),
            "reason" if value != "none" => draft.reason(value),
            _ => {}
        }
        draft.native(key, value);
    }
    let (dataset, product) = product_of(device);
    draft.product("fortinet", dataset, "Fortinet", product);
    draft.rule("fortinet.fortimail");
    draft.time = local_time(&format!("{date} {time}"), zone);
    relay(message, draft);
    mean(draft, mail_meaning(kind, action, status, message));
    true
}

/// The managers of the family write the same keys; a device's id begins with its product.
fn product_of(device: &str) -> (&'static str, &'static str) {
    let is = |prefix: &str| device.starts_with(prefix);
    if is("FMG") {
        ("fortinet.fortimanager", "FortiManager")
    } else if is("FAZ") || is("FL") {
        ("fortinet.fortianalyzer", "FortiAnalyzer")
    } else {
        ("fortinet.fortimail", "FortiMail")
    }
}

/// `relay=mx.example. [192.0.2.25]`.
fn relay(message: &str, draft: &mut Draft<'_>) {
    let Some(address) = behind(message, "relay=", &[',']).and_then(|relay| between(relay, "[", "]")) else { return };
    if message.starts_with("to=") || message.starts_with("STARTTLS=client") {
        draft.destination(address);
    } else {
        draft.source(address);
    }
}

fn mail_meaning(kind: &str, action: &str, status: &str, message: &str) -> Meaning {
    let refused = says(status, &["fail", "denied"]);
    let meaning = match (kind, action) {
        (_, "login") => LOGIN,
        (_, "logout") => LOGOUT,
        ("virus", _) => (Category::Malware, Action::Detect, Outcome::Unknown),
        ("spam", _) => (Category::Network, Action::Detect, Outcome::Unknown),
        ("kevent", _) if says(message, &["changed", "added", "deleted", "modified", "edited"]) => CONFIG,
        ("kevent", _) => HOST,
        _ => NETWORK,
    };
    if refused { failed(meaning) } else { meaning }
}

fn authenticator(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let line = header.message;
    if TYPE_ID.find(line.as_bytes()).is_none() || !has(line, "category=\"") || !has(line, " subcategory=\"") {
        return false;
    }
    // The last quote ends the pairs; what follows is text.
    let (pairs, message) = line.rsplit_once('"').unwrap_or((line, ""));
    let (mut subcategory, mut action, mut status) = ("", "", "");
    for (key, value) in kv::pairs(pairs) {
        let value = value.trim_end_matches('"');
        match key {
            "subcategory" => subcategory = value,
            "action" => action = value,
            "status" => status = value,
            "typeid" => draft.event.code = known(value),
            "user" => draft.user(value),
            "userip" | "user_ip" | "srcip" => draft.source(value),
            _ => {}
        }
        draft.native(key, value);
    }
    let message = message.trim();
    draft.native("msg", message);
    draft.product("fortinet", "fortinet.fortiauthenticator", "Fortinet", "FortiAuthenticator");
    draft.rule("fortinet.fortiauthenticator");
    let meaning = authenticator_meaning(subcategory, action, status, message);
    if meaning.2 == Outcome::Failure {
        draft.reason(message);
    }
    mean(draft, meaning);
    true
}

fn authenticator_meaning(subcategory: &str, action: &str, status: &str, message: &str) -> Meaning {
    let refused = says(status, &["fail"]);
    match action {
        "Authentication" | "Login" if refused => LOGIN_REFUSED,
        "Authentication" | "Login" if says(status, &["success"]) => LOGIN,
        "Authentication" => (STEP.0, STEP.1, Outcome::Unknown),
        "Logout" => LOGOUT,
        "" => HOST,
        _ if says(subcategory, &["admin", "user"]) => {
            let meaning = if says(message, &["user", "account", "token"]) { ACCOUNT } else { CONFIG };
            if refused { failed(meaning) } else { meaning }
        }
        _ => HOST,
    }
}

fn ddos(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let line = header.body;
    if EVENT_CODE.find(line.as_bytes()).is_none() || !has(line, "devid=") || !has(line, " spp=") {
        return false;
    }
    let (mut date, mut time) = ("", "");
    for (key, value) in kv::pairs(line) {
        match key {
            "date" => date = value,
            "time" => time = value,
            "sip" => draft.source(value),
            "dip" => draft.destination(value),
            "evecode" => draft.event.code = known(value),
            "description" => draft.reason(value),
            _ => {}
        }
        draft.native(key, value);
    }
    draft.product("fortinet", "fortinet.fortiddos", "Fortinet", "FortiDDoS");
    draft.rule("fortinet.fortiddos");
    draft.time = local_time(&format!("{date} {time}"), "");
    mean(draft, (Category::Network, Action::Detect, Outcome::Unknown));
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn mail() {
        check(
            r#"date=2026-03-03 time=02:14:08.002 device_id=FE1 log_id=0701031743 type=kevent subtype=admin pri=information user=yamada ui=GUI(192.0.2.9) action=login status=success reason=none msg="User yamada login successfully from GUI(192.0.2.9)""#,
            &[
                ("observer.product", "FortiMail"),
                ("event.action", "login"),
                ("source.ip", "192.0.2.9"),
                ("user.name", "yamada"),
                ("event.reason", "-"),
                ("@timestamp", "2026-03-02T17:14:08.002000Z"),
            ],
        );
        check(
            r#"date=2026-03-03 time=02:14:08 device_id=FE1 log_id=0003007072 type=event subtype=smtp pri=information  user=mail ui=mail action=NONE status=N/A session_id="1" msg="to=<sato@hospital.example>, delay=00:00:06, relay=mx.example. [192.0.2.25], dsn=2.0.0, stat=Sent (ok)""#,
            &[("destination.ip", "192.0.2.25"), ("user.name", "-"), ("source.ip", "-")],
        );
    }

    #[test]
    fn authenticator() {
        check(
            r#"2026-03-03T02:14:08+09:00 fac1 db[321]:  category="Event" subcategory="Authentication" typeid=20001 level="information" user="sato" nas="192.0.2.1" action="Authentication" status="Failed" Remote RADIUS user authentication with invalid token"#,
            &[
                ("event.code", "20001"),
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
                ("native.status", "Failed"),
                ("event.reason", "Remote RADIUS user authentication with invalid token"),
                ("observer.hostname", "fac1"),
            ],
        );
    }

    #[test]
    fn mail_as_csv() {
        check(
            r#"date=2026-03-03,time=02:14:08.123,device_id=FE1,log_id=0200001075,type=statistics,pri=information,session_id="x",client_name="mx.example [203.0.113.9]",client_ip="203.0.113.9",dst_ip="192.0.2.25",from="a@example.com",to="sato@hospital.example",subject="a, b",disposition="Accept""#,
            &[
                ("source.ip", "203.0.113.9"),
                ("destination.ip", "192.0.2.25"),
                ("native.subject", "a, b"),
                ("user.name", "-"),
            ],
        );
    }

    #[test]
    fn ddos() {
        check(
            r#"2026-03-03T02:14:08+09:00 fd1 devid=FGX date=2026-03-03 time=02:14:00 tz=JST type=attack subtype="ips" spp=4 evecode=2 evesubcode=27 description="TCP invalid flag combination " dir=1 protocol=6 sip=0.0.0.0 dip=192.0.2.79 dropcount=30"#,
            &[
                ("observer.product", "FortiDDoS"),
                ("source.ip", "-"),
                ("destination.ip", "192.0.2.79"),
                ("event.action", "detect"),
            ],
        );
        check("date=2026-03-03 time=02:14:08 x=1", &[("observer.product", "-")]);
    }

    #[test]
    fn managers_of_the_family() {
        let line = |operation: &str| {
            format!(
                r#"<134>date=2026-03-03 time=09:00:00 tz="+0900" devname=fmg1 device_id=FMGVMSTM26000100 log_id=0001010018 type=event subtype=system pri=information desc="User login/logout successful" user="yamada" userfrom="GUI(192.0.2.9)" msg="user 'yamada' done" operation="{operation}""#
            )
        };
        check(
            line("login"),
            &[
                ("event.dataset", "fortinet.fortimanager"),
                ("observer.hostname", "fmg1"),
                ("event.action", "login"),
                ("user.name", "yamada"),
                ("source.ip", "192.0.2.9"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
        check(line("logout"), &[("event.action", "logout")]);
    }
}
