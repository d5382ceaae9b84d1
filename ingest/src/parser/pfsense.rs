//! pfSense, `OPNsense` and bare pf: the packet filter's log, logins to the web interface and changes of the configuration.
//!
//! Format: Netgate, *Raw filter log format*; `OPNsense` keeps the columns and writes a label's hash for the tracker.
//! Quirks this file owns:
//! * `filterlog: rule,sub,anchor,tracker,interface,reason,action,direction,version,…`: the columns behind the version
//!   differ between IPv4 and IPv6 and between releases, so the ends are the first two neighbours that are addresses.
//! * pfSense sends no host in the BSD form (an old libc): `<134>Mar  3 09:00:00 filterlog[9]: …`.
//! * `php-fpm[9]: /index.php: Successful login for user 'admin' from: 192.0.2.9 (Local Database)`.

use monban_event::{Action, Category, Outcome};

use super::daemon::{program, traffic};
use super::draft::Draft;
use super::scan::{address_and_port, behind, between, port, word};
use crate::header::Header;

/// Most columns looked at: the addresses stand before the twenty-fifth in every version.
const COLUMNS_MAX: usize = 40;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    parse_filter(header, draft) || parse_pflog(header, draft) || parse_web(header, draft)
}

fn mark(rule: &str, header: &Header<'_>, draft: &mut Draft<'_>) {
    draft.product("pfsense", "pfsense.log", "Netgate", "pfSense");
    draft.rule(rule);
    draft.process(header);
    draft.event.observer_hostname = header.host.map(str::to_owned);
}

fn parse_filter(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.message.trim();
    if ![",in,", ",out,"].iter().any(|mark| memchr::memmem::find(text.as_bytes(), mark.as_bytes()).is_some()) {
        return false;
    }
    let columns: Vec<&str> = text.split(',').take(COLUMNS_MAX).map(str::trim).collect();
    let [rule, _, _, tracker, interface, reason, action, direction, version, rest @ ..] = columns.as_slice() else {
        return false;
    };
    let is_own = matches!(*action, "pass" | "block" | "reject" | "rdr" | "nat" | "binat" | "scrub" | "match")
        && matches!(*direction, "in" | "out")
        && matches!(*version, "4" | "6")
        && rule.bytes().all(|byte| byte.is_ascii_digit());
    if !is_own {
        return false;
    }
    mark("pfsense.filterlog", header, draft);
    let names = ["rule", "tracker", "interface", "reason", "action", "direction"];
    for (name, value) in names.into_iter().zip([rule, tracker, interface, reason, action, direction]) {
        draft.native(name, value);
    }
    draft.reason(reason);
    traffic(draft, matches!(*action, "block" | "reject"));
    filter_ends(rest, draft);
    true
}

fn filter_ends(rest: &[&str], draft: &mut Draft<'_>) {
    let is_end = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
    let Some(at) = rest.windows(2).position(|pair| pair.iter().all(|text| is_end(text))) else { return };
    let [from, to, ports @ ..] = rest.get(at..).unwrap_or_default() else { return };
    draft.source(from);
    draft.destination(to);
    let has_ports = rest.iter().take(at).any(|name| matches!(name.to_ascii_lowercase().as_str(), "tcp" | "udp"));
    if let ([from, to, ..], true) = (ports, has_ports) {
        draft.event.source_port = port(from);
        draft.event.destination_port = port(to);
    }
}

/// `tcpdump` of pflog0: `rule 5/0(match): block in on em0: 192.0.2.9.1234 > 192.0.2.1.80: …`.
fn parse_pflog(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.message.trim();
    let Some(rest) = text.strip_prefix("rule ") else { return false };
    let Some((_, rest)) = rest.split_once(": ") else { return false };
    let (action, rest) = word(rest);
    if !matches!(action, "pass" | "block") {
        return false;
    }
    let Some((before, to)) = rest.split_once(" > ") else { return false };
    let from = before.rsplit(' ').next().unwrap_or("");
    let Some((source, source_port)) = address_and_port(from) else { return false };
    mark("pf.pflog", header, draft);
    draft.source(source);
    draft.event.source_port = source_port;
    if let Some((host, port)) = address_and_port(to.split([' ', ',']).next().unwrap_or("").trim_end_matches(':')) {
        draft.destination(host);
        draft.event.destination_port = port;
    }
    traffic(draft, action == "block");
    true
}

/// Logins to the web interface and changes made there.
fn parse_web(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if !matches!(program(header), "php-fpm" | "php" | "audit" | "webConfigurator" | "configd.py" | "sshlockout") {
        return false;
    }
    let text = header.message.trim();
    let (action, outcome) = if text.contains("Successful login for user ") {
        (Action::Login, Outcome::Success)
    } else if text.contains("authentication error for ") {
        (Action::Login, Outcome::Failure)
    } else if text.contains("logged out for user ") {
        (Action::Logout, Outcome::Success)
    } else {
        return parse_change(text, header, draft);
    };
    mark("pfsense.web", header, draft);
    draft.user(between(text, "for user '", "'").or_else(|| between(text, "for '", "'")).unwrap_or(""));
    let from = behind(text, "from: ", &[' ', ',']).or_else(|| behind(text, "' from ", &[' ', ',']));
    draft.source(from.unwrap_or(""));
    draft.kind(Category::Authentication, action);
    draft.event.outcome = Some(outcome);
    true
}

/// pfSense `…: Configuration Change: admin@192.0.2.9 (Local Database): text`; `OPNsense` `user root@192.0.2.9 changed
/// configuration to FILE in PAGE …`.
fn parse_change(text: &str, header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let who = text
        .split_once("Configuration Change: ")
        .map(|(_, rest)| rest)
        .or_else(|| text.contains(" changed configuration to ").then(|| text.strip_prefix("user ")).flatten());
    let Some(who) = who else { return false };
    mark("pfsense.config", header, draft);
    let (who, what) = word(who);
    let (user, from) = who.rsplit_once('@').unwrap_or((who, ""));
    draft.user(user.trim_matches(['\'', '(', ')']));
    draft.source(from.trim_end_matches(':'));
    draft.reason(what.split_once("): ").map_or(what, |(_, what)| what));
    draft.kind(Category::Configuration, Action::ConfigChange);
    draft.event.outcome = Some(Outcome::Success);
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn filter_log_of_both_versions() {
        check(
            "<134>Mar  3 09:00:00 filterlog[9]: 5,,,1000102433,em0,match,block,in,4,0x0,,128,24677,0,none,17,udp,186,203.0.113.9,\
             192.0.2.1,17500,53,166",
            &[
                ("event.action", "deny"),
                ("source.ip", "203.0.113.9"),
                ("source.port", "17500"),
                ("destination.ip", "192.0.2.1"),
                ("destination.port", "53"),
                ("event.reason", "match"),
            ],
        );
        check(
            "<134>1 2026-03-03T09:00:00+09:00 fw1.hospital.example filterlog 9 - - 82,,,0a1b2c,igb0,match,pass,out,6,0x00,0x0,64,TCP,6,\
             40,2001:db8::9,2001:db8::1,40000,443,0,S,1,,64800,,mss",
            &[("source.ip", "2001:db8::9"), ("destination.port", "443"), ("observer.hostname", "fw1.hospital.example")],
        );
        check(
            "70,,,6524,vtnet1,match,pass,in,4,0x0,,19,36147,0,none,1,icmp,128,192.0.2.9,192.0.2.1,datalength=108",
            &[("source.ip", "192.0.2.9"), ("source.port", "-"), ("event.action", "allow")],
        );
        check("a,b,c,d,e,f,pass,in,4", &[("event.module", "-")]);
    }

    #[test]
    fn pflog_as_text() {
        check(
            "<134>Mar  3 09:00:00 fw1 pf: rule 5/0(match): block in on em0: 203.0.113.9.1234 > 192.0.2.1.80: S 1:1(0)",
            &[("source.ip", "203.0.113.9"), ("destination.port", "80"), ("event.action", "deny")],
        );
    }

    #[test]
    fn web_interface() {
        check(
            "<38>Mar  3 09:00:00 fw1 php-fpm[9]: /index.php: Successful login for user 'admin' from: 192.0.2.9 (Local Database)",
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "admin"),
                ("source.ip", "192.0.2.9"),
            ],
        );
        check(
            "<38>Mar  3 09:00:00 fw1 php-fpm[9]: /index.php: webConfigurator authentication error for user 'admin' from: 192.0.2.9",
            &[("event.action", "login"), ("event.outcome", "failure"), ("source.ip", "192.0.2.9")],
        );
        check(
            "<38>Mar  3 09:00:00 fw1 php-fpm[9]: /rules.php: Configuration Change: admin@192.0.2.9 (Local Database): rule added",
            &[
                ("event.action", "config-change"),
                ("user.name", "admin"),
                ("source.ip", "192.0.2.9"),
                ("event.reason", "rule added"),
            ],
        );
        check(
            "<38>Mar  3 09:00:00 fw1 audit[9]: user root@192.0.2.9 changed configuration to /conf/backup/c.xml in /x.php made changes",
            &[("event.action", "config-change"), ("user.name", "root")],
        );
    }
}
