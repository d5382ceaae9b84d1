//! `HAProxy`: traffic of its frontends.
//!
//! Format: *`HAProxy` configuration manual*, chapter 8. Quirks this file owns:
//! * `client:port [03/Mar/2026:09:00:00.123] frontend backend/server timers status …`; the port is behind the last
//!   colon, also of IPv6 without brackets.
//! * The time has no zone; it counts where the header tells none.
//! * `Connect from A:p to B:q (frontend/TCP)` without `option httplog`; a refused handshake has only words.

use monban_event::{Action, Category, Outcome};

use super::daemon::{moment, on_host, program};
use super::draft::Draft;
use super::kv;
use super::scan::{port, word};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if program(header) != "haproxy" {
        return false;
    }
    let text = header.message.trim();
    let (client, rest) = word(text);
    if let Some(ends) = text.strip_prefix("Connect from ") {
        let (from, rest) = word(ends);
        source(from, draft);
        destination(word(rest.strip_prefix("to ").unwrap_or("")).0, draft);
        accepted(draft);
    } else if let Some((time, rest)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        source(client, draft);
        draft.time = moment(time);
        request(rest.trim_start(), draft);
    } else if text.starts_with("client_ip=") {
        for (key, value) in kv::separated(text, b' ') {
            draft.native(key, value);
            match key {
                "client_ip" => draft.source(value),
                "client_port" => draft.event.source_port = port(value),
                _ => {}
            }
        }
        draft.kind(Category::Network, Action::Other);
    } else {
        return false;
    }
    on_host(header, draft, "haproxy.log");
    true
}

fn accepted(draft: &mut Draft<'_>) {
    draft.kind(Category::Network, Action::Allow);
    draft.event.outcome = Some(Outcome::Success);
}

fn source(text: &str, draft: &mut Draft<'_>) {
    if let Some((host, number)) = text.rsplit_once(':') {
        draft.source(host.trim_matches(['[', ']']));
        draft.event.source_port = port(number);
    }
}

fn destination(text: &str, draft: &mut Draft<'_>) {
    if let Some((host, number)) = text.rsplit_once(':') {
        draft.destination(host.trim_matches(['[', ']']));
        draft.event.destination_port = port(number);
    }
}

/// `frontend backend/server timers status bytes …`, or `frontend/1: SSL handshake failure`.
fn request(text: &str, draft: &mut Draft<'_>) {
    accepted(draft);
    let (frontend, rest) = word(text);
    if let Some(frontend) = frontend.strip_suffix(':') {
        draft.native("frontend", frontend);
        draft.event.outcome = Some(Outcome::Failure);
        draft.event.action = Some(Action::Other);
        return draft.reason(rest);
    }
    draft.native("frontend", frontend);
    let (backend, rest) = word(rest);
    draft.native("backend", backend);
    let (_timers, rest) = word(rest);
    let (status, rest) = word(rest);
    if status.len() == 3 {
        draft.native("status", status);
        draft.event.destination_bytes = word(rest).0.parse().ok();
        if matches!(status, "401" | "403") || status.starts_with('5') {
            draft.event.outcome = Some(Outcome::Failure);
        }
    }
    if let Some((_, line)) = text.rsplit_once(" \"") {
        draft.native("request", line.trim_end_matches('"'));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn traffic() {
        check(
            "<134>Mar  3 09:00:00 lb1 haproxy[9]: 203.0.113.9:33317 [03/Mar/2026:09:00:00.123] http-in web/s1 10/0/30/69/109 \
             403 2750 - - ---- 1/1/1/1/0 0/0 \"GET /a HTTP/1.1\"",
            &[
                ("source.ip", "203.0.113.9"),
                ("source.port", "33317"),
                ("event.outcome", "failure"),
                ("host.name", "lb1"),
                ("native.backend", "web/s1"),
                ("destination.bytes", "2750"),
            ],
        );
        check(
            "<134>Mar  3 09:00:00 lb1 haproxy[9]: 2001:db8::9:33317 [03/Mar/2026:09:00:00.123] https/1: SSL handshake failure",
            &[("source.ip", "2001:db8::9"), ("source.port", "33317"), ("event.reason", "SSL handshake failure")],
        );
        check(
            "<134>Mar  3 09:00:00 lb1 haproxy[9]: Connect from 203.0.113.9:33312 to 192.0.2.1:80 (www/HTTP)",
            &[("source.ip", "203.0.113.9"), ("destination.ip", "192.0.2.1"), ("destination.port", "80")],
        );
        check("<134>Mar  3 09:00:00 lb1 app[9]: 203.0.113.9:33317 [x] y", &[("event.module", "-")]);
    }
}
