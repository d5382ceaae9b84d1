//! Name servers: unbound, BIND's named and dnsmasq. Who asked for what.
//!
//! Formats: unbound `log-queries`/`log-replies`; BIND 9 category `queries`; dnsmasq `log-queries`. Quirks this file owns:
//! * unbound repeats `[pid:thread]` (thread in hex) in front of its text; a file's line has no other header.
//! * BIND: `client @0x7f… 192.0.2.9#61568 (name): query: name IN A + (192.0.2.1)`; the last brackets hold the server's own
//!   address. `queries: info:` may stand before.

use monban_event::{Action, Category, Outcome};

use super::daemon::{on_host, program};
use super::draft::Draft;
use super::scan::{between, port, word};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    match program(header) {
        "unbound" => unbound(unthreaded(header.message).unwrap_or(header.message), draft),
        "named" => named(header.message, draft),
        "dnsmasq" => dnsmasq(header.message, draft),
        "" => {
            let Some(text) = unthreaded(header.body) else { return false };
            unbound(text, draft);
        }
        _ => return false,
    }
    let name = Some(program(header)).filter(|name| !name.is_empty()).unwrap_or("unbound");
    if draft.event.category.is_none() {
        draft.kind(Category::Host, Action::Other);
    }
    on_host(header, draft, "dns.log");
    draft.event.process_name = Some(name.to_owned());
    true
}

/// The text behind `[17265:1f] info: `, level kept.
fn unthreaded(text: &str) -> Option<&str> {
    let (ids, rest) = text.strip_prefix('[')?.split_once("] ")?;
    let (pid, thread) = ids.split_once(':')?;
    let is_pid = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    let is_thread = !thread.is_empty() && thread.len() <= 4 && thread.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_level = ["info: ", "query: ", "reply: ", "error: ", "warning: ", "notice: ", "debug: ", "fatal error: "]
        .iter()
        .any(|level| rest.starts_with(level));
    (is_pid && is_thread && is_level).then_some(rest)
}

/// `query: 192.0.2.9 name. A IN`, `reply: 192.0.2.9 name. A IN NOERROR 0.01 0 51`, and `info: ` before 1.9.
fn unbound(text: &str, draft: &mut Draft<'_>) {
    let (level, rest) = word(text);
    if !matches!(level, "info:" | "query:" | "reply:") {
        return;
    }
    let mut words = rest.split(' ');
    let (client, name, kind) = (words.next().unwrap_or(""), words.next(), words.next());
    draft.source(client);
    if draft.event.source_ip.is_some() {
        query(name.unwrap_or("").trim_end_matches('.'), kind.unwrap_or(""), draft);
        if level == "reply:" {
            draft.native("dns.code", words.nth(1).unwrap_or(""));
        }
    }
}

fn query(name: &str, kind: &str, draft: &mut Draft<'_>) {
    draft.native("dns.name", name);
    draft.native("dns.type", kind);
    draft.kind(Category::Network, Action::Other);
    draft.event.outcome = Some(Outcome::Unknown);
}

fn named(text: &str, draft: &mut Draft<'_>) {
    let Some((_, rest)) = text.split_once("client ") else { return };
    let (first, behind) = word(rest);
    let client = if first.starts_with("@0x") { word(behind).0 } else { first };
    let Some((ip, number)) = client.trim_end_matches(':').split_once('#') else { return };
    draft.source(ip);
    draft.event.source_port = port(number);
    draft.kind(Category::Network, Action::Other);
    if let Some((_, asked)) = rest.split_once(" query: ") {
        let mut words = asked.split(' ');
        let (name, kind) = (words.next().unwrap_or(""), words.nth(1).unwrap_or(""));
        query(name, kind, draft);
        let server = asked.rsplit_once(" (").and_then(|(_, rest)| rest.split_once(')'));
        draft.destination(server.map_or("", |(server, _)| server));
    } else if rest.contains(" denied") {
        draft.event.action = Some(Action::Deny);
        draft.event.outcome = Some(Outcome::Failure);
    } else if let Some(code) = between(rest, "failed (", ")") {
        draft.reason(code);
        draft.event.outcome = Some(Outcome::Failure);
    }
}

/// `query[A] name from 192.0.2.9`.
fn dnsmasq(text: &str, draft: &mut Draft<'_>) {
    let Some((kind, rest)) = text.split_once("query[").and_then(|(_, rest)| rest.split_once("] ")) else { return };
    if let Some((name, from)) = rest.rsplit_once(" from ") {
        draft.source(from);
        query(name, kind, draft);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn unbound_with_and_without_header() {
        check(
            "<30>2026-03-03T09:00:00+09:00 ns1 unbound[17]: [17:1f] query: 192.0.2.9 www.example. A IN",
            &[("host.name", "ns1"), ("source.ip", "192.0.2.9"), ("native.dns.name", "www.example")],
        );
        check(
            "[16:e] info: 192.0.2.9 _ldap._tcp.example. SRV IN",
            &[("source.ip", "192.0.2.9"), ("process.name", "unbound"), ("event.category", "network")],
        );
        check("[16:e] info: average recursion processing time 0.007 sec", &[("source.ip", "-")]);
        check("[16:30] something: else", &[("event.module", "-")]);
    }

    #[test]
    fn bind_and_dnsmasq() {
        check(
            "<30>Mar  3 09:00:00 ns1 named[9]: client @0x7f0c 192.0.2.9#61568 (www.example): query: www.example IN A + (192.0.2.1)",
            &[
                ("source.ip", "192.0.2.9"),
                ("source.port", "61568"),
                ("destination.ip", "192.0.2.1"),
                ("native.dns.type", "A"),
            ],
        );
        check(
            "<30>Mar  3 09:00:00 ns1 named[9]: client 192.0.2.9#61568: update 'example/IN' denied",
            &[("source.ip", "192.0.2.9"), ("event.action", "deny")],
        );
        check(
            "<30>Mar  3 09:00:00 ns1 dnsmasq[9]: query[AAAA] www.example from 192.0.2.9",
            &[("source.ip", "192.0.2.9"), ("native.dns.name", "www.example")],
        );
    }
}
