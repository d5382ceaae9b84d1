//! `MikroTik` `RouterOS`: `l2tp,ppp,info,account vendor01 logged in, 10.9.0.5 from 203.0.113.9`.
//!
//! Format: `MikroTik`, *`RouterOS` Log*. Quirks this file owns:
//! * Without `bsd-syslog` a line is topics and text, no header at all; with it, a BSD header and often no topics. Topics
//!   are a closed list, joined by commas in any order; a prefix of the administrator's may stand before (`rt1: system,…`).
//! * Since 7.18 it may also be CEF: the topics are its name, the text its `msg`.
//! * A dial-in is told by several lines. `NAME logged in, ASSIGNED from PEER` has all of it; `<l2tp-NAME>: connected`
//!   says it again and counts for nothing.
//! * `logged out, SECONDS IN OUT PACKETS-IN PACKETS-OUT from PEER`: in and out are the router's.
//! * `changed by sato` of version 6 is `changed by winbox-3.41/tcp-msg(winbox):sato@192.0.2.7 (…)` in version 7.
//! * A firewall's line tells that a rule logged, not whether it let pass.

use monban_event::{Action, Category, Outcome};

use super::cef;
use super::draft::{Draft, address};
use super::scan::{behind, between, count, destination_end, known, seconds_ns, source_end, word};
use crate::header::Header;

/// Every topic of version 6 and 7.
const TOPICS: &str = "account async backup bfd bgp bridge calc caps certificate client clock container critical ddns debug dhcp \
    dns dot1x dude e-mail error event evpn fetch firewall gps gsm health hotspot igmp-proxy info interface ipsec \
    iscsi isdn isis kvm l2tp lacp ldp lora lte manager mme mpls mqtt natpmp netinstall netwatch ntp ospf ovpn \
    packet pim poe-out ppp pppoe pptp ptp queue radius radvd raw read rip route rpki rsvp script sertcp \
    simulator smb snmp socksify ssh ssld sstp state store stp system telephony tftp timer tr069 update upnp ups \
    vpls vrrp warning watchdog web-proxy wireguard wireless write";

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if let Some(record) = cef::find(header.body).filter(|record| record.vendor.eq_ignore_ascii_case("mikrotik")) {
        let topics = if record.name.contains(',') { record.name } else { record.signature };
        let message = cef::pairs(record.extension).find(|(key, _)| *key == "msg").map(|(_, text)| text);
        read(topics, &message.unwrap_or_default(), "mikrotik.cef", header, draft);
        return true;
    }
    let Some((topics, text)) = topics(header.body).or_else(|| topics(header.message)).or_else(|| bare(header.body))
    else {
        return false;
    };
    read(topics, text, if topics.is_empty() { "mikrotik.bare" } else { "mikrotik" }, header, draft);
    true
}

fn read(topics: &str, text: &str, rule: &str, header: &Header<'_>, draft: &mut Draft<'_>) {
    draft.product("mikrotik", "mikrotik.routeros", "MikroTik", "RouterOS");
    draft.rule(rule);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.native("topics", topics);
    let has = |topic: &str| topics.split(',').any(|word| word == topic);
    draft.kind(Category::Host, Action::Other);
    draft.event.outcome = Some(Outcome::Unknown);
    let understood = account(text, draft)
        || dial(topics, text, draft)
        || firewall(text, draft)
        || change(text, draft)
        || ipsec(has("ipsec"), text, draft)
        || lease(has("dhcp"), text, draft);
    if !understood && has("firewall") {
        draft.kind(Category::Network, Action::Other);
    }
}

fn is_topic(word: &str) -> bool {
    TOPICS.split_ascii_whitespace().any(|topic| topic == word)
}

/// Two or more topics and the text.
fn topics(text: &str) -> Option<(&str, &str)> {
    let (first, rest) = word(undated(text));
    let first = first.trim_end_matches(':');
    let is_topics = first.contains(',') && first.len() <= 128 && first.split(',').all(is_topic);
    is_topics.then_some((first, rest.trim_start()))
}

/// Without the `mar/03 09:00:00` of a log file, where a day of today has only its time.
fn undated(text: &str) -> &str {
    let (date, rest) = word(text);
    let (clock, behind) = word(rest);
    let is_month = date.as_bytes().get(3) == Some(&b'/') && date.len() <= 11;
    let is_clock = |word: &str| word.len() == 8 && word.bytes().filter(|byte| *byte == b':').count() == 2;
    if is_month && is_clock(clock) {
        behind
    } else if is_clock(date) {
        rest
    } else {
        text
    }
}

/// Texts of a BSD line without topics that no other system writes.
fn bare(text: &str) -> Option<(&str, &str)> {
    let is_login = (text.starts_with("user ") && text.contains(" logged ") && text.contains(" via "))
        || (text.starts_with("login failure for user ") && text.contains(" via "));
    let is_dial = between(text, " logged in, ", " from ").is_some_and(|ip| address(ip).is_some())
        || (text.contains(" logged out, ") && text.contains(" from "));
    (is_login || is_dial || is_firewall(text)).then_some(("", text))
}

fn set(draft: &mut Draft<'_>, category: Category, action: Action, outcome: Outcome) -> bool {
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
    true
}

/// `user sato logged in from a via winbox`, `login failure for user sato from a via ssh`.
fn account(text: &str, draft: &mut Draft<'_>) -> bool {
    let (name, rest, action, outcome) = if let Some(rest) = text.strip_prefix("login failure for user ") {
        // The name may hold anything; the end is found from the back.
        let (name, rest) = rest.rsplit_once(" from ").or_else(|| rest.rsplit_once(" via ")).unwrap_or((rest, ""));
        (name, rest, Action::Login, Outcome::Failure)
    } else if let Some((name, rest)) = text.strip_prefix("user ").and_then(|rest| rest.split_once(" logged in ")) {
        (name, rest, Action::Login, Outcome::Success)
    } else if let Some((name, rest)) = text.strip_prefix("user ").and_then(|rest| rest.split_once(" logged out ")) {
        (name, rest, Action::Logout, Outcome::Success)
    } else {
        return false;
    };
    draft.user(name);
    let from = rest.strip_prefix("from ").unwrap_or(rest);
    draft.source(word(from).0);
    draft.native("via", behind(text, " via ", &[' ']).unwrap_or(""));
    set(draft, Category::Authentication, action, outcome)
}

fn vpn_type(topics: &str) -> Option<&'static str> {
    let kinds = [("l2tp", "l2tp"), ("pptp", "pptp"), ("sstp", "ssl"), ("ovpn", "openvpn"), ("ipsec", "ipsec")];
    kinds.into_iter().find_map(|(topic, kind)| topics.split(',').any(|word| word == topic).then_some(kind))
}

/// The lines of a dial-in. A BSD line without topics does not say of what kind.
fn dial(topics: &str, text: &str, draft: &mut Draft<'_>) -> bool {
    let is_bare = topics.is_empty() && (text.contains(" logged in, ") || text.contains(" logged out, "));
    draft.event.vpn_type = vpn_type(topics).or(is_bare.then_some("ppp")).map(str::to_owned);
    if let Some((name, rest)) = text.split_once(" logged in, ") {
        let (assigned, rest) = word(rest);
        draft.user(name.rsplit(' ').next().unwrap_or(name));
        draft.assigned(assigned);
        draft.source(rest.strip_prefix("from ").map_or("", |rest| word(rest).0));
        return set(draft, Category::Session, Action::SessionStart, Outcome::Success);
    }
    if let Some((name, rest)) = text.split_once(" logged out, ") {
        draft.user(name.rsplit(' ').next().unwrap_or(name));
        let mut words = rest.split(' ');
        draft.event.duration_ns = words.next().and_then(|word| word.parse().ok()).and_then(seconds_ns);
        draft.event.source_bytes = words.next().and_then(count);
        draft.event.destination_bytes = words.next().and_then(count);
        draft.source(behind(rest, "from ", &[' ']).unwrap_or(""));
        return set(draft, Category::Session, Action::SessionEnd, Outcome::Success);
    }
    if let Some(name) = between(text, "user ", " authentication failed") {
        draft.user(name);
        draft.source(between(text, "<", ">").unwrap_or(""));
        draft.reason(text.rsplit_once(" - ").map_or("", |(_, reason)| reason));
        return set(draft, Category::Authentication, Action::Login, Outcome::Failure);
    }
    if text.starts_with("first L2TP UDP packet received from ") || text.contains("connection established from ") {
        source_end(behind(text, " from ", &[' ', ',']).unwrap_or(""), draft);
        return set(draft, Category::Session, Action::Other, Outcome::Unknown);
    }
    hotspot(text, draft)
}

/// `->: sato (10.5.50.2): logged in`
fn hotspot(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((who, said)) = text.trim_start_matches("->: ").split_once("): ") else { return false };
    let Some((name, ip)) = who.split_once(" (").filter(|(_, ip)| address(ip).is_some()) else { return false };
    draft.user(name);
    draft.source(ip);
    draft.reason(said.strip_prefix("login failed: ").unwrap_or(""));
    let failed = said.starts_with("login failed");
    let outcome = if failed { Outcome::Failure } else { Outcome::Success };
    set(draft, Category::Authentication, Action::Other, outcome)
}

/// `PREFIX forward: in:ether1 out:bridge, src-mac …, proto TCP (SYN), a:p->b:p, len 64`
fn is_firewall(text: &str) -> bool {
    text.contains(": in:") && text.contains(" out:") && text.contains("proto ") && text.contains("->")
}

fn firewall(text: &str, draft: &mut Draft<'_>) -> bool {
    if !is_firewall(text) {
        return false;
    }
    let (front, _) = text.split_once(": in:").unwrap_or((text, ""));
    draft.native("chain", front.rsplit(' ').next().unwrap_or(""));
    draft.native("in", behind(text, " in:", &[' ', ',']).unwrap_or(""));
    draft.native("out", behind(text, " out:", &[' ', ',']).unwrap_or(""));
    draft.event.source_mac = behind(text, "src-mac ", &[',', ' ']).and_then(known);
    let flow = text.rsplit(", ").find_map(|part| part.split_once("->"));
    if let Some((from, to)) = flow {
        source_end(from.rsplit(' ').next().unwrap_or(from), draft);
        destination_end(to.split([',', ' ']).next().unwrap_or(to), draft);
    }
    set(draft, Category::Network, Action::Other, Outcome::Unknown)
}

/// `filter rule changed by sato`, `user vendor01 added by sato`.
fn change(text: &str, draft: &mut Draft<'_>) -> bool {
    const VERBS: [&str; 4] = [" changed by ", " added by ", " removed by ", " moved by "];
    let Some((what, who)) = VERBS.iter().find_map(|verb| text.split_once(verb)) else { return false };
    let who = word(who).0;
    let (name, ip) = match who.split_once("):").map(|(_, who)| who) {
        Some(who) => who.split_once('@').unwrap_or((who, "")),
        None => who.split_once('@').filter(|(_, ip)| address(ip).is_some()).unwrap_or((who, "")),
    };
    draft.user(name);
    draft.source(ip);
    if let Some(target) = what.strip_prefix("user ") {
        draft.target_user(target.trim_matches(['<', '>', '"']));
        return set(draft, Category::Iam, Action::AccountChange, Outcome::Success);
    }
    set(draft, Category::Configuration, Action::ConfigChange, Outcome::Success)
}

/// `new ike2 SA (R): 192.0.2.1[4500]-203.0.113.9[4500] spi:…`
fn ipsec(is_ipsec: bool, text: &str, draft: &mut Draft<'_>) -> bool {
    if !is_ipsec {
        return false;
    }
    let ends = text.split(' ').find_map(|word| word.split_once("]-").or_else(|| word.split_once("]<=>")));
    if let Some((own, far)) = ends {
        draft.destination(own.split('[').next().unwrap_or(""));
        draft.source(far.split('[').next().unwrap_or(""));
    } else {
        draft.source(word(text).0);
    }
    draft.event.vpn_type = Some("ipsec".to_owned());
    let failed = text.contains("failed") || text.contains("error");
    let outcome = if failed { Outcome::Failure } else { Outcome::Unknown };
    set(draft, Category::Session, Action::Other, outcome)
}

/// `dhcp1 assigned 192.0.2.7 to AA:BB:CC:DD:EE:01 name`
fn lease(is_dhcp: bool, text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((_, rest)) = text.split_once("assigned ").filter(|_| is_dhcp) else { return false };
    draft.source(word(rest).0.trim_end_matches(','));
    draft.event.source_mac = rest.split(' ').find(|word| word.len() == 17 && word.contains(':')).and_then(known);
    set(draft, Category::Network, Action::Other, Outcome::Unknown)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn administrators() {
        check(
            "<30>system,info,account user sato logged in from 192.0.2.7 via winbox",
            &[
                ("event.dataset", "mikrotik.routeros"),
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("native.via", "winbox"),
                ("native.topics", "system,info,account"),
            ],
        );
        check(
            "<26>Mar  3 09:00:00 rt1 system,error,critical login failure for user a from b from 203.0.113.9 via ssh",
            &[
                ("event.outcome", "failure"),
                ("user.name", "a from b"),
                ("source.ip", "203.0.113.9"),
                ("observer.hostname", "rt1"),
            ],
        );
        check(
            "Mar  3 09:00:00 rt1 login failure for user root from 203.0.113.9 via ssh",
            &[("event.action", "login"), ("user.name", "root")],
        );
        check(
            "system,info filter rule changed by winbox-3.41/tcp-msg(winbox):sato@192.0.2.7 (*1)",
            &[("event.action", "config-change"), ("user.name", "sato"), ("source.ip", "192.0.2.7")],
        );
        check(
            "system,info user vendor01 added by sato",
            &[("event.action", "account-change"), ("user.name", "sato"), ("user.target.name", "vendor01")],
        );
    }

    #[test]
    fn cef() {
        check(
            "<30>Mar  3 09:00:00 rt1 CEF:0|MikroTik|RB5009|7.18|77|system,info,account|Low|dvchost=rt1 msg=user sato logged in from 192.0.2.7 via ssh",
            &[
                ("event.action", "login"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("observer.hostname", "rt1"),
            ],
        );
    }

    #[test]
    fn dial_in() {
        check(
            "mar/03 09:00:00 l2tp,ppp,info,account vendor01 logged in, 10.9.0.5",
            &[("event.action", "session-start"), ("vpn.assigned_ip", "10.9.0.5"), ("source.ip", "-")],
        );
        check(
            "<30>l2tp,ppp,info,account vendor01 logged in, 10.9.0.5 from 203.0.113.9",
            &[
                ("event.action", "session-start"),
                ("user.name", "vendor01"),
                ("vpn.assigned_ip", "10.9.0.5"),
                ("source.ip", "203.0.113.9"),
                ("vpn.type", "l2tp"),
            ],
        );
        check(
            "l2tp,ppp,info,account vendor01 logged out, 3600 12345 67890 100 200 from 203.0.113.9",
            &[
                ("event.action", "session-end"),
                ("event.duration", "3600000000000"),
                ("source.bytes", "12345"),
                ("destination.bytes", "67890"),
                ("source.ip", "203.0.113.9"),
            ],
        );
        check(
            "Mar  3 09:00:00 rt1 vendor01 logged in, 10.9.0.5 from 203.0.113.9",
            &[("event.action", "session-start"), ("vpn.type", "ppp"), ("user.name", "vendor01")],
        );
        check("l2tp,ppp,info <l2tp-vendor01>: connected", &[("event.action", "other"), ("vpn.type", "l2tp")]);
        check(
            "l2tp,ppp,error <203.0.113.9>: user vendor01 authentication failed",
            &[("event.action", "login"), ("event.outcome", "failure"), ("source.ip", "203.0.113.9")],
        );
    }

    #[test]
    fn firewall_and_others() {
        check(
            "<132>Mar  3 09:00:00 rt1 DROP forward: in:ether1 out:bridge, connection-state:new src-mac 02:00:00:00:00:01, proto TCP (SYN), 203.0.113.9:62583->192.0.2.7:8000, len 64",
            &[
                ("event.category", "network"),
                ("source.ip", "203.0.113.9"),
                ("source.port", "62583"),
                ("destination.port", "8000"),
                ("source.mac", "02:00:00:00:00:01"),
            ],
        );
        check(
            "ipsec,info new ike2 SA (R): 192.0.2.1[4500]-203.0.113.9[4500] spi:1",
            &[("source.ip", "203.0.113.9"), ("destination.ip", "192.0.2.1")],
        );
        for line in ["system,other x", "info text", "user sato logged in", "a,b c"] {
            assert_eq!(parse(line.as_bytes()).module, None, "{line}");
        }
    }
}
