//! Squid's access log in its native form, and web servers' and proxies' common and combined form (GLPI and every other
//! application behind Apache or nginx).
//!
//! Format: Squid, *logformat*; Apache, *Common Log Format*. Quirks this file owns:
//! * The native form begins with an epoch with milliseconds, which a header's reader takes for the frame's time; the
//!   columns are found by their `TCP_MISS/200`, wherever a header ends.
//! * `%ru` of a tunnel is `host:port`; the peer stands behind `HIER_DIRECT/` or is `-`.
//! * Common form: time in brackets with its offset; a proxy asks for whole URLs, and Squid adds `TCP_MISS:HIER_DIRECT`.
//! * A name in the third column was proven by HTTP; asking for one (401, 407) is no attempt to log in.

use monban_event::Outcome;

use super::daemon::{moment, traffic};
use super::draft::{Draft, address};
use super::scan::{port, word};
use crate::header::Header;

/// How far into a body the result code is looked for, in words: four columns and what a relay may have left in front.
const CODE_WORDS_MAX: usize = 12;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    // A reader of headers may take the client for the host: the columns are counted from behind the time.
    parse_native(header.after_time, header, draft) || parse_common(header, draft)
}

fn parse_native(text: &str, header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if !text.split([' ', '\t']).filter(|word| !word.is_empty()).take(CODE_WORDS_MAX).any(is_result) {
        return false;
    }
    let words: Vec<&str> = text.split([' ', '\t']).filter(|word| !word.is_empty()).take(CODE_WORDS_MAX + 8).collect();
    let Some(at) = words.iter().take(CODE_WORDS_MAX).position(|word| is_result(word)) else { return false };
    let [before @ .., client, result] = words.get(..=at).unwrap_or_default() else { return false };
    let rest = words.get(at + 1..).unwrap_or_default();
    let [bytes, method, url, user, peer, ..] = rest else { return false };
    if address(client).is_none() && !client.contains('.') {
        return false;
    }
    mark("squid", header, draft);
    draft.source(client);
    draft.event.duration_ns = before.last().and_then(|text| milliseconds(text));
    draft.time = before.iter().rev().nth(1).and_then(|text| moment(text));
    draft.user(user);
    draft.event.destination_bytes = bytes.parse().ok();
    draft.native("method", method);
    draft.native("url", url);
    draft.native("result", result);
    target(url, draft);
    draft.destination(peer.split_once('/').map_or("", |(_, host)| host));
    draft.reason(if url.starts_with("error:") { url } else { "" });
    traffic(draft, is_refused(result));
    true
}

fn milliseconds(text: &str) -> Option<i64> {
    text.parse::<i64>().ok()?.checked_mul(1_000_000).filter(|nanos| *nanos >= 0)
}

fn mark(product: &str, header: &Header<'_>, draft: &mut Draft<'_>) {
    let vendor = if product == "squid" { "Squid" } else { "" };
    let dataset = format!("{product}.access");
    draft.product(product, &dataset, vendor, product);
    draft.event.observer_vendor.take_if(|vendor| vendor.is_empty());
    draft.rule(&dataset);
    // Of a file's line the "host" is the first column: only a line with a program's tag has one.
    draft.event.host_name = header.app.and(header.host).map(str::to_owned);
    draft.process(header);
}

/// `TCP_MISS/200`, `NONE_NONE/000`, `TCP_DENIED_REPLY/403`.
fn is_result(word: &str) -> bool {
    let Some((code, status)) = word.split_once('/') else { return false };
    let known = ["TCP_", "UDP_", "NONE", "ERR_", "TAG_"].iter().any(|start| code.starts_with(start));
    known && status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_refused(result: &str) -> bool {
    result.contains("DENIED") || result.ends_with("/403")
}

/// Host and port of what was asked for: `http://host[:port]/…` or `host:port`.
fn target(url: &str, draft: &mut Draft<'_>) {
    let authority = match url.split_once("://") {
        Some((_, rest)) => rest.split(['/', '?']).next().unwrap_or(rest),
        None if url.starts_with(['/', '*']) || url.starts_with("error:") => return,
        None => url,
    };
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    let (host, number) = match authority.rsplit_once(':') {
        Some((host, number)) if port(number).is_some() => (host, port(number)),
        _ => (authority, None),
    };
    let host = host.trim_matches(['[', ']']);
    draft.event.destination_port = number;
    draft.destination(host);
    let is_name = address(host).is_none() && host.contains(|letter: char| letter.is_alphanumeric());
    draft.event.destination_domain = is_name.then(|| host.to_owned());
}

/// `192.0.2.9 - sato [31/Jul/2026:16:58:19 +0900] "GET / HTTP/1.1" 200 2213 "-" "agent"`; a virtual host may stand first.
fn parse_common(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some((columns, request)) = columns(header.body).or_else(|| columns(header.message)) else { return false };
    let (request_line, behind) = request;
    let (method, rest) = word(request_line);
    let (url, _) = word(rest);
    let (status, behind) = word(behind);
    let is_proxy = url.contains("://") || method == "CONNECT" || behind.contains(":HIER_");
    mark(if is_proxy { "squid" } else { "web" }, header, draft);
    draft.source(columns.client);
    draft.user(columns.user);
    draft.time = moment(columns.time);
    draft.event.destination_bytes = word(behind).0.parse().ok();
    draft.native("method", method);
    draft.native("url", url);
    draft.native("status", status);
    // Combined form: `2213 "referer" "agent"`.
    let mut quoted = behind.split('"').skip(1).step_by(2);
    for name in ["referer", "user_agent"] {
        draft.native(name, quoted.next().filter(|text| *text != "-").unwrap_or(""));
    }
    if is_proxy {
        target(url, draft);
    }
    traffic(draft, matches!(status, "401" | "403" | "407") || behind.contains("_DENIED:"));
    if status.starts_with('5') {
        draft.event.outcome = Some(Outcome::Failure);
    }
    true
}

struct Columns<'a> {
    client: &'a str,
    user: &'a str,
    time: &'a str,
}

/// The columns up to the time; the request and what follows it.
fn columns(text: &str) -> Option<(Columns<'_>, (&str, &str))> {
    let (before, rest) = text.split_once(" [")?;
    let (time, rest) = rest.split_once("] \"")?;
    let request = rest.split_once("\" ")?;
    let (method, _) = word(request.0);
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    let status = word(request.1).0;
    if !is_method || status.len() != 3 || !status.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let client_at = before.split(' ').position(|word| address(word).is_some())?;
    let mut words = before.split(' ').skip(client_at);
    let (client, _ident) = (words.next()?, words.next()?);
    // An account may hold blanks.
    let user = before.splitn(client_at + 3, ' ').last()?;
    Some((Columns { client, user, time }, request))
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn the_combined_form_names_referer_and_agent() {
        check(
            r#"203.0.113.9 - sato [03/Mar/2026:09:00:00 +0900] "GET /glpi/ HTTP/1.1" 200 2213 "-" "probe/1.0 (a b)""#,
            &[("native.user_agent", "probe/1.0 (a b)"), ("native.status", "200"), ("user.name", "sato")],
        );
    }

    #[test]
    fn native_columns() {
        check(
            "1772496000.250   3387 192.0.2.9 TCP_TUNNEL/200 19131 CONNECT www.example:443 yamada HIER_DIRECT/198.51.100.7 -",
            &[
                ("@timestamp", "2026-03-03T00:00:00.250000Z"),
                ("source.ip", "192.0.2.9"),
                ("user.name", "yamada"),
                ("destination.domain", "www.example"),
                ("destination.port", "443"),
                ("destination.ip", "198.51.100.7"),
                ("event.duration", "3387000000"),
                ("event.action", "allow"),
                ("host.name", "-"),
            ],
        );
        check(
            "<134>Mar  3 09:00:00 proxy1 squid[9]: 1772496000.250 0 192.0.2.9 TCP_DENIED/403 3868 CONNECT 198.51.100.7:80 - \
             HIER_NONE/- text/html",
            &[
                ("event.action", "deny"),
                ("destination.ip", "198.51.100.7"),
                ("host.name", "proxy1"),
                ("user.name", "-"),
            ],
        );
        check(
            "1772496000.250 0 192.0.2.9 NONE_NONE/000 0 - error:transaction-end-before-headers - HIER_NONE/- -",
            &[("event.reason", "error:transaction-end-before-headers"), ("destination.domain", "-")],
        );
    }

    #[test]
    fn common_and_combined_form() {
        check(
            "192.0.2.9 - sato [03/Mar/2026:09:00:00 +0900] \"GET /index.php HTTP/1.1\" 200 2213 \"-\" \"agent\"",
            &[
                ("source.ip", "192.0.2.9"),
                ("user.name", "sato"),
                ("event.dataset", "web.access"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
                ("host.name", "-"),
            ],
        );
        check(
            "192.0.2.9 - - [03/Mar/2026:09:00:00 +0900] \"GET http://www.example:8080/a HTTP/1.1\" 407 3 TCP_DENIED:HIER_NONE",
            &[
                ("event.dataset", "squid.access"),
                ("event.action", "deny"),
                ("destination.domain", "www.example"),
                ("destination.port", "8080"),
            ],
        );
        check("::1 - - [03/Mar/2026:09:00:00 +0900] \"OPTIONS * HTTP/1.0\" 200 -", &[("source.ip", "::1")]);
        check("a - - [x] \"y\" z", &[("event.module", "-")]);
        check("192.0.2.9 says [hello] \"World now\" 200", &[("event.module", "-")]);
    }
}
