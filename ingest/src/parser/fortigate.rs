//! Fortinet `FortiGate`, as `key=value` (`FortiOS` `format default`, `csv`, `rfc5424`) and as CEF.
//!
//! Format: Fortinet, *`FortiOS` Log Message Reference*. Quirks this file owns:
//! * `<PRI>date=… time=…` without any header; some relays add one. Keys come in any order, values quoted or bare.
//! * `eventtime` is an epoch of 10, 13, 16 or 19 digits by version; old versions have only local `date` and `time`, and
//!   `tz="+0900"` since 6.2. `timestamp` is `FortiAnalyzer`'s and may be local time in disguise: unread; its
//!   `itime` (receipt) serves where nothing else tells the day.
//! * `user="N/A"` before authentication; `IPsec` keeps the person in `xauthuser`; `unauthuser` is a guess from traffic.
//! * In VPN events the far end is `remip` (in CEF it becomes `dst`), and `sentbyte` is what the `FortiGate` sent *to* the
//!   user: bytes turn round, because `source` is the remote user's side.
//! * `logid` has ten digits, the last six are the message; CEF keeps it in `FTNTFGTlogid` or `FortinetFortiGatelogid`.
//! * `FortiOS` 4 says `device_id`, `log_id`, `src`, `dst`, `sent`, `rcvd`, `status`, and pads `time=12: 26:24`.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use monban_event::{Action, Category, Outcome, account};

use super::cef;
use super::draft::{Draft, PayloadTime, address};
use super::kv;
use super::scan::{port, seconds_ns};
use crate::header::Header;
use crate::stamp;

/// How far into a body the first key is looked for: a relay may have left a host or a tag in front.
const START_BYTES_MAX: usize = 512;

static TYPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(" type="));
static COMMA_TYPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(",type="));
static SUBTYPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("subtype="));
static VD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("vd="));
static DEVID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("devid="));
static LOGID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("logid="));
static DEVICE_ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("device_id="));
static LOG_ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("log_id="));

/// How many keys the longer lines have.
const FIELDS_USUAL: usize = 64;

/// The values that decide something, by their key=value names.
#[derive(Default)]
struct Keys<'a> {
    date: &'a str,
    time: &'a str,
    /// CEF's own time of the event, and `FortiAnalyzer`'s of receipt.
    start: &'a str,
    itime: &'a str,
    tz: &'a str,
    eventtime: &'a str,
    devname: &'a str,
    devid: &'a str,
    logid: &'a str,
    kind: &'a str,
    subtype: &'a str,
    action: &'a str,
    status: &'a str,
    reason: &'a str,
    logdesc: &'a str,
    user: &'a str,
    xauthuser: &'a str,
    unauthuser: &'a str,
    group: &'a str,
    ui: &'a str,
    remip: &'a str,
    userip: &'a str,
    srcip: &'a str,
    srcport: &'a str,
    dstip: &'a str,
    dstport: &'a str,
    remport: &'a str,
    locip: &'a str,
    locport: &'a str,
    hostname: &'a str,
    srcmac: &'a str,
    tunnelip: &'a str,
    assignip: &'a str,
    tunnelid: &'a str,
    tunneltype: &'a str,
    vpntunnel: &'a str,
    sessionid: &'a str,
    sentbyte: &'a str,
    rcvdbyte: &'a str,
    duration: &'a str,
    cfgpath: &'a str,
    cfgobj: &'a str,
    is_cef: bool,
}

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if let Some(start) = key_value_start(header.body) {
        let mut keys = Keys::default();
        draft.event.native.reserve(FIELDS_USUAL, start.len());
        for (key, value) in kv::pairs(start) {
            keys.set(key, value);
            draft.native(key, value);
        }
        draft.rule("fortigate.kv");
        fill(&keys, header, draft);
        return true;
    }
    parse_cef(header, draft)
}

fn parse_cef(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(record) = cef::find(header.body).filter(|record| record.vendor.eq_ignore_ascii_case("fortinet")) else {
        return false;
    };
    if !record.product.to_ascii_lowercase().starts_with("fortigate") {
        return false;
    }
    let pairs: Vec<(&str, Cow<'_, str>)> = cef::pairs(record.extension).collect();
    let mut keys = Keys { is_cef: true, ..Keys::default() };
    for (key, value) in &pairs {
        let name = key_of_cef(key);
        keys.set_first(name, value);
        draft.native(name, value);
    }
    if keys.logid.is_empty() {
        keys.logid = record.signature;
    }
    draft.rule("fortigate.cef");
    fill(&keys, header, draft);
    true
}

/// `FortiOS` names of the CEF dictionary's keys.
fn key_of_cef(key: &str) -> &str {
    for prefix in ["FTNTFGT", "FortinetFortiGate", "ad."] {
        if let Some(name) = key.strip_prefix(prefix) {
            return name;
        }
    }
    match key {
        "deviceExternalId" => "devid",
        "dvchost" => "devname",
        "src" => "srcip",
        "dst" => "dstip",
        "spt" => "srcport",
        "dpt" => "dstport",
        "duser" => "user",
        "suser" => "unauthuser",
        "act" => "action",
        "outcome" => "status",
        "out" => "sentbyte",
        "in" => "rcvdbyte",
        "externalId" => "sessionid",
        "sproc" => "ui",
        "dhost" => "hostname",
        other => other,
    }
}

impl<'a> Keys<'a> {
    /// CEF folds two fields into one key now and then (`user` and the mail recipient): the first is the account, unless
    /// the recipient's own key, which follows, says that it stands alone.
    fn set_first(&mut self, key: &str, value: &'a str) {
        if key == "recipient" && self.user == value {
            self.user = "";
        }
        if key == "user" && !self.user.is_empty() {
            return;
        }
        if key == "cat"
            && let Some((kind, subtype)) = value.split_once(':')
        {
            (self.kind, self.subtype) = (kind, subtype);
            return;
        }
        self.set(key, value);
    }

    fn set(&mut self, key: &str, value: &'a str) {
        let slot = match key {
            "date" => &mut self.date,
            "time" => &mut self.time,
            "start" => &mut self.start,
            "itime" => &mut self.itime,
            "tz" => &mut self.tz,
            "eventtime" => &mut self.eventtime,
            "devname" => &mut self.devname,
            "devid" | "device_id" => &mut self.devid,
            "logid" | "log_id" => &mut self.logid,
            "type" => &mut self.kind,
            "subtype" => &mut self.subtype,
            "action" => &mut self.action,
            "status" => &mut self.status,
            "reason" => &mut self.reason,
            "logdesc" => &mut self.logdesc,
            "user" => &mut self.user,
            // `FortiWeb` knows who logged in to the application it guards.
            "user_name" if self.user.is_empty() => &mut self.user,
            "xauthuser" => &mut self.xauthuser,
            "unauthuser" => &mut self.unauthuser,
            "group" => &mut self.group,
            "ui" | "userfrom" => &mut self.ui,
            "remip" => &mut self.remip,
            "userip" => &mut self.userip,
            "srcip" | "src" => &mut self.srcip,
            // Of FortiClient connections; elsewhere `ip` is the device's or anything.
            "ip" if self.subtype == "endpoint" => &mut self.srcip,
            "srcport" | "src_port" => &mut self.srcport,
            "dstip" | "dst" => &mut self.dstip,
            "dstport" | "dst_port" => &mut self.dstport,
            "remport" => &mut self.remport,
            "locip" => &mut self.locip,
            "locport" => &mut self.locport,
            "hostname" => &mut self.hostname,
            "srcmac" => &mut self.srcmac,
            "tunnelip" => &mut self.tunnelip,
            "assignip" => &mut self.assignip,
            "tunnelid" => &mut self.tunnelid,
            "tunneltype" => &mut self.tunneltype,
            "vpntunnel" => &mut self.vpntunnel,
            "sessionid" => &mut self.sessionid,
            "sentbyte" | "sent" => &mut self.sentbyte,
            "rcvdbyte" | "rcvd" => &mut self.rcvdbyte,
            "duration" => &mut self.duration,
            "cfgpath" => &mut self.cfgpath,
            "cfgobj" => &mut self.cfgobj,
            _ => return,
        };
        *slot = value;
    }

    /// The last six digits of the log id, which name the message.
    fn message_id(&self) -> &str {
        self.logid.get(self.logid.len().saturating_sub(6)..).unwrap_or("")
    }

    fn is_vpn(&self) -> bool {
        self.subtype.starts_with("vpn")
    }

    fn is_failure(&self) -> bool {
        ["fail", "error", "denied", "deny"].iter().any(|word| contains_ignoring_case(self.status, word))
    }
}

fn contains_ignoring_case(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

/// Where the pairs begin, if this is a `FortiOS` line at all: a first key of the known ones, and `type` with `subtype` or
/// a device's id. Four `memmem` searches at most, all of them on lines that already begin right.
fn key_value_start(body: &str) -> Option<&str> {
    // Lines of other devices pass here too: most have no pair at all.
    memchr::memchr(b'=', body.as_bytes())?;
    let start = if begins_with_known_key(body) {
        body
    } else {
        let head = body.get(..body.floor_char_boundary(START_BYTES_MAX)).unwrap_or(body);
        let at = [" date=", " logid=", " devname="].iter().filter_map(|key| head.find(key)).min()?;
        body.get(at + 1..)?
    };
    let bytes = start.as_bytes();
    let has = |needle: &LazyLock<Finder<'static>>| needle.find(bytes).is_some();
    let names_type = start.starts_with("type=") || has(&TYPE) || has(&COMMA_TYPE);
    let is_current = has(&SUBTYPE) && (has(&VD) || has(&DEVID) || has(&LOGID));
    (names_type && (is_current || (has(&DEVICE_ID) && has(&LOG_ID) && has(&VD)))).then_some(start)
}

fn begins_with_known_key(body: &str) -> bool {
    const FIRST_KEYS: [&str; 10] =
        ["date", "time", "eventtime", "timestamp", "devname", "devid", "logid", "type", "itime", "logver"];
    let Some(equals) = memchr::memchr(b'=', body.as_bytes().get(..16).unwrap_or(body.as_bytes())) else { return false };
    body.get(..equals).is_some_and(|key| FIRST_KEYS.contains(&key))
}

fn fill(keys: &Keys<'_>, header: &Header<'_>, draft: &mut Draft<'_>) {
    let (dataset, product) = product_of(keys);
    draft.product("fortinet", dataset, "Fortinet", product);
    let name = Some(keys.devname).filter(|name| !account::is_null_word(name)).or(header.host);
    draft.event.observer_hostname = name.map(str::to_owned);
    draft.event.code = Some(keys.logid).filter(|code| !code.is_empty()).map(str::to_owned);
    draft.time = time_of(keys);
    draft.reason(Some(keys.reason).filter(|reason| *reason != "none").unwrap_or(""));
    draft.event.duration_ns = keys.duration.parse().ok().and_then(seconds_ns);
    fill_people(keys, draft);
    fill_ends(keys, draft);
    classify(keys, draft);
}

/// Device ids begin with the product: the same log form comes from the whole family.
fn product_of(keys: &Keys<'_>) -> (&'static str, &'static str) {
    let is = |prefix: &str| keys.devid.starts_with(prefix);
    if is("FPX") || is("FPROXY") {
        ("fortinet.fortiproxy", "FortiProxy")
    } else if is("FAC") {
        ("fortinet.fortiauthenticator", "FortiAuthenticator")
    } else if is("FV") {
        ("fortinet.fortiweb", "FortiWeb")
    } else if is("FE") && !is("FEX") {
        ("fortinet.fortimail", "FortiMail")
    } else {
        ("fortinet.fortigate", "FortiGate")
    }
}

fn time_of(keys: &Keys<'_>) -> Option<PayloadTime> {
    if let Some(instant) = stamp::epoch(keys.eventtime) {
        return Some(PayloadTime::Instant(instant));
    }
    let mut text = String::with_capacity(20);
    text.push_str(keys.date);
    text.push(' ');
    text.extend(keys.time.chars().filter(|character| *character != ' '));
    if let Some((mut stamp, _)) = stamp::read(&text).or_else(|| stamp::read(keys.start)) {
        stamp.offset = stamp.offset.or_else(|| stamp::offset(keys.tz));
        return Some(PayloadTime::Stamp(stamp));
    }
    stamp::epoch(keys.itime).map(PayloadTime::Instant)
}

fn fill_people(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    for name in [keys.user, keys.xauthuser, keys.unauthuser] {
        draft.user(name);
    }
    // An epoch needs no zone, but the report shows in which one the device stands.
    draft.event.timezone = stamp::offset(keys.tz).map(stamp::offset_text);
}

fn fill_ends(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    for candidate in [keys.remip, keys.srcip, keys.userip, address_in_brackets(keys.ui)] {
        draft.source(candidate);
    }
    if keys.is_cef && keys.is_vpn() {
        draft.source(keys.dstip);
    }
    for candidate in [keys.dstip, keys.locip] {
        draft.destination(candidate);
    }
    for candidate in [keys.tunnelip, keys.assignip] {
        draft.assigned(candidate);
    }
    let event = &mut draft.event;
    event.source_port = port(keys.srcport).or_else(|| port(keys.remport));
    event.destination_port = port(keys.dstport).or_else(|| port(keys.locport));
    event.source_mac = Some(keys.srcmac).filter(|mac| !mac.is_empty()).map(str::to_owned);
    event.destination_domain = Some(keys.hostname).filter(|name| !account::is_null_word(name)).map(str::to_owned);
    let (from_user, to_user) =
        if keys.is_vpn() { (keys.rcvdbyte, keys.sentbyte) } else { (keys.sentbyte, keys.rcvdbyte) };
    event.source_bytes = from_user.parse().ok();
    event.destination_bytes = to_user.parse().ok();
}

/// `https(192.0.2.1)`, `ssh (192.0.2.1)`, or an address alone.
fn address_in_brackets(ui: &str) -> &str {
    let inner = ui.split_once('(').and_then(|(_, inner)| inner.split_once(')')).map_or(ui, |(inner, _)| inner);
    if address(inner).is_some() { inner } else { "" }
}

fn classify(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    match (keys.kind, keys.subtype) {
        ("event", subtype) if subtype.starts_with("vpn") => classify_vpn(keys, draft),
        ("event", subtype) if subtype.starts_with("system") => classify_system(keys, draft),
        ("event", subtype) if subtype.starts_with("user") => classify_user(keys, draft),
        // A manager's own: an object of its database was added, changed or taken away.
        ("event", "objcfg") => {
            draft.kind(Category::Configuration, Action::ConfigChange);
            draft.event.outcome = Some(Outcome::Success);
        }
        ("traffic", _) => classify_traffic(keys, draft),
        ("utm" | "virus" | "ips" | "anomaly" | "webfilter" | "dns" | "app-ctrl", _) => classify_utm(keys, draft),
        _ => classify_other(keys, draft),
    }
}

fn vpn_type(keys: &Keys<'_>) -> &'static str {
    let id = keys.message_id();
    if keys.tunneltype.starts_with("ssl") || keys.action.starts_with("ssl") || id.starts_with("039") {
        "ssl"
    } else if keys.tunneltype.starts_with("l2tp") || contains_ignoring_case(keys.logdesc, "l2tp") {
        "l2tp"
    } else {
        "ipsec"
    }
}

fn classify_vpn(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    let vpn_type = vpn_type(keys);
    let text = |text: &str| Some(text.to_owned()).filter(|text| !account::is_null_word(text));
    draft.event.vpn_type = Some(vpn_type.to_owned());
    draft.event.vpn_session_id = text(keys.tunnelid).or_else(|| text(keys.sessionid)).filter(|id| id != "0");
    draft.event.vpn_tunnel = text(keys.vpntunnel);
    draft.event.vpn_group = text(keys.group);
    let has_user = draft.event.user_name.is_some();
    let (category, action, outcome) = match keys.action {
        "ssl-login-fail" => (Category::Authentication, Action::Login, Outcome::Failure),
        "tunnel-up" => (Category::Session, Action::SessionStart, Outcome::Success),
        "tunnel-down" => (Category::Session, Action::SessionEnd, Outcome::Success),
        "ssl-web-pass" => (Category::Network, Action::Allow, Outcome::Success),
        "ssl-web-deny" => (Category::Network, Action::Deny, Outcome::Failure),
        "negotiate" if keys.is_failure() && has_user => (Category::Authentication, Action::Login, Outcome::Failure),
        "negotiate" if keys.is_failure() => (Category::Session, Action::Other, Outcome::Failure),
        "ssl-exit-error" | "ssl-exit-fail" | "ssl-alert" | "dpd" => {
            (Category::Session, Action::Other, Outcome::Failure)
        }
        _ => (Category::Session, Action::Other, Outcome::Unknown),
    };
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

fn classify_system(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    let outcome = if keys.is_failure() { Outcome::Failure } else { Outcome::Success };
    match (keys.action, keys.message_id()) {
        ("login", _) => draft.kind(Category::Authentication, Action::Login),
        ("logout", _) => draft.kind(Category::Authentication, Action::Logout),
        _ if keys.cfgpath == "system.admin" || keys.cfgpath == "user.local" => {
            draft.kind(Category::Iam, Action::AccountChange);
            draft.target_user(keys.cfgobj);
        }
        (_, "032102" | "044544" | "044545" | "044546" | "044547") => {
            draft.kind(Category::Configuration, Action::ConfigChange);
        }
        _ if !keys.cfgpath.is_empty() || keys.logdesc == "Configuration changed" => {
            draft.kind(Category::Configuration, Action::ConfigChange);
        }
        _ => return classify_other(keys, draft),
    }
    draft.event.outcome = Some(outcome);
}

/// Firewall authentication. A logon that FSSO learned from a domain controller is that controller's login, not ours.
fn classify_user(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    let outcome = if keys.is_failure() { Outcome::Failure } else { Outcome::Success };
    let action = match keys.action {
        "authentication" | "auth-logon" => Action::Login,
        "auth-logout" => Action::Logout,
        _ => Action::Other,
    };
    draft.kind(Category::Authentication, action);
    draft.event.outcome = Some(outcome);
}

fn is_denied(keys: &Keys<'_>) -> bool {
    let action = if keys.action.is_empty() { keys.status } else { keys.action };
    ["deny", "denied", "block", "drop", "reset", "discard"].iter().any(|word| action.starts_with(word))
}

fn classify_traffic(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    let denied = is_denied(keys);
    draft.kind(Category::Network, if denied { Action::Deny } else { Action::Allow });
    draft.event.outcome = Some(if denied { Outcome::Failure } else { Outcome::Success });
}

/// Something recognised in traffic. The outcome is that of who tried: failure when it was stopped.
fn classify_utm(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    let denied = is_denied(keys);
    let kind = if keys.subtype.is_empty() { keys.kind } else { keys.subtype };
    let (category, action) = match kind {
        "virus" => (Category::Malware, Action::Detect),
        "ips" | "anomaly" | "dlp" | "waf" => (Category::Network, Action::Detect),
        _ if denied => (Category::Network, Action::Deny),
        _ => (Category::Network, Action::Allow),
    };
    draft.kind(category, action);
    draft.event.outcome = Some(if denied { Outcome::Failure } else { Outcome::Success });
}

fn classify_other(keys: &Keys<'_>, draft: &mut Draft<'_>) {
    draft.kind(Category::Host, Action::Other);
    let outcome = if keys.status.is_empty() {
        Outcome::Unknown
    } else if keys.is_failure() {
        Outcome::Failure
    } else {
        Outcome::Success
    };
    draft.event.outcome = Some(outcome);
}
