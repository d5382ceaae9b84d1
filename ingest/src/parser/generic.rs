//! The last resort: `key=value` texts, JSON objects and structured data of products nobody here knows. Owns a short list of keys that mean
//! the same wherever they were seen; it never says that something was a login, and its events carry a low confidence.
//!
//! Why so few: `host`, `ip`, `name`, `login` and `message` mean something else in every product, and a wrong address is
//! worse than none. A bare value with blanks in it is prose that runs on to the next key, and no account.

use monban_event::account;

use super::daemon::{is_denied, outcome, traffic};
use super::draft::Draft;
use super::scan::{destination_end, port, source_end};
use super::{json, kv, payload};
use crate::header::{self, Header};

/// Fewest pairs of a text that is taken for `key=value`: two occur in prose.
const PAIRS_MIN: usize = 3;

/// Most pairs read of one line.
const PAIRS_MAX: usize = monban_event::limits::NATIVE_FIELDS_MAX;

/// Longest account taken, in bytes: what is longer is text.
const ACCOUNT_BYTES_MAX: usize = 128;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let body = header.message.trim();
    let rule = if let Some(structured) = header.structured {
        let pairs: Vec<(&str, &str)> = header::structured_parameters(structured).take(PAIRS_MAX).collect();
        read(&pairs, draft).then_some("sd")
    } else if body.starts_with('{') {
        let Some(members) = json::members(body) else { return false };
        let pairs: Vec<(&str, &str)> = members.iter().collect();
        read(&pairs, draft).then_some("json")
    } else {
        if memchr::memchr_iter(b'=', body.as_bytes()).take(PAIRS_MIN).count() < PAIRS_MIN {
            return false;
        }
        let separator = if body.contains(';') && !body.contains("; ") { b';' } else { b' ' };
        let pairs = kv::pairs(body);
        let pairs = if separator == b';' { kv::separated(body, separator) } else { pairs };
        let pairs: Vec<(&str, &str)> = pairs.take(PAIRS_MAX).collect();
        (pairs.len() >= PAIRS_MIN && read(&pairs, draft)).then_some("kv")
    };
    let Some(rule) = rule else { return false };
    draft.rule(rule);
    draft.event.parse_confidence = Some("low".to_owned());
    draft.process(header);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    if header.time.is_none() {
        draft.time = payload::time(header.body);
    }
    true
}

/// What the unmistakable keys say; `false`, and nothing written, where they say nothing about a person or a far end.
pub(super) fn read(pairs: &[(&str, &str)], draft: &mut Draft<'_>) -> bool {
    let keys = Keys::of(pairs);
    if !keys.tells_something() {
        return false;
    }
    source_end(keys.source, draft);
    draft.event.source_port = draft.event.source_port.or(port(keys.source_port));
    destination_end(keys.destination, draft);
    draft.event.destination_port = draft.event.destination_port.or(port(keys.destination_port));
    draft.user(keys.user);
    draft.event.outcome = outcome(keys.result);
    let has_ends = draft.event.source_ip.is_some() && draft.event.destination_ip.is_some();
    if let Some(denied) = is_denied(keys.action).filter(|_| has_ends) {
        traffic(draft, denied);
    }
    for (key, value) in pairs {
        draft.native(key, value);
    }
    true
}

#[derive(Default)]
struct Keys<'a> {
    source: &'a str,
    source_port: &'a str,
    destination: &'a str,
    destination_port: &'a str,
    user: &'a str,
    action: &'a str,
    result: &'a str,
}

impl<'a> Keys<'a> {
    fn of(pairs: &[(&'a str, &'a str)]) -> Self {
        let mut keys = Self::default();
        for (key, value) in pairs {
            let value = value.trim_matches('"');
            let slot = match key.to_ascii_lowercase().as_str() {
                "src" | "srcip" | "src_ip" | "sourceip" | "source_ip" | "source.ip" | "client_ip" | "clientip"
                | "remote_ip" | "remip" | "remote_addr" | "remoteaddr" | "client.ip" | "src_addr" | "srcaddr"
                | "source_address" => &mut keys.source,
                "srcport" | "src_port" | "spt" | "sport" | "source_port" | "source.port" => &mut keys.source_port,
                "dst" | "dstip" | "dst_ip" | "destip" | "dest_ip" | "destinationip" | "destination_ip"
                | "destination.ip" | "dst_addr" | "dstaddr" => &mut keys.destination,
                "dstport" | "dst_port" | "dpt" | "dport" | "dest_port" | "destination_port" | "destination.port" => {
                    &mut keys.destination_port
                }
                "user" | "username" | "user_name" | "usrname" | "user.name" | "usr" | "suser" => {
                    if is_account(value) {
                        &mut keys.user
                    } else {
                        continue;
                    }
                }
                "action" | "act" | "event.action" => &mut keys.action,
                "result" | "outcome" | "event.outcome" => &mut keys.result,
                _ => continue,
            };
            if slot.is_empty() {
                *slot = value;
            }
        }
        keys
    }

    fn tells_something(&self) -> bool {
        let is_end = |text: &str| super::scan::address_and_port(text).is_some();
        !self.user.is_empty() || is_end(self.source)
    }
}

fn is_account(text: &str) -> bool {
    let bounded = !account::is_null_word(text) && text.len() <= ACCOUNT_BYTES_MAX;
    bounded
        && !text
            .contains(|character: char| character.is_whitespace() || matches!(character, '{' | '[' | '(' | '=' | ','))
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Strategy;

    use super::super::testing::{check, parse};

    #[test]
    fn unmistakable_keys() {
        check(
            "<13>Mar  3 09:00:00 gw9 flow: src_ip=203.0.113.9 src_port=5 dst_ip=192.0.2.1 user=sato action=deny result=failed",
            &[
                ("source.ip", "203.0.113.9"),
                ("source.port", "5"),
                ("destination.ip", "192.0.2.1"),
                ("user.name", "sato"),
                ("event.action", "deny"),
                ("parse.rule", "kv"),
                ("parse.confidence", "low"),
                ("observer.hostname", "gw9"),
            ],
        );
        check(
            "<13>Mar  3 09:00:00 app9 x: {\"client_ip\":\"203.0.113.9\",\"user\":{\"name\":\"sato\"},\"n\":1}",
            &[("source.ip", "203.0.113.9"), ("user.name", "sato"), ("parse.rule", "json"), ("event.action", "-")],
        );
    }

    #[test]
    fn structured_data() {
        check(
            "<13>1 2026-03-03T00:00:00Z gw9 app - Up [x@1 user_name=\"sato\" src=\"203.0.113.9\" n=\"1\"] text",
            &[("source.ip", "203.0.113.9"), ("user.name", "sato"), ("parse.rule", "sd"), ("native.n", "1")],
        );
    }

    #[test]
    fn prose_is_left_alone() {
        check("user=sato logged in with x=1 and y=2", &[("user.name", "-"), ("parse.rule", "-")]);
        check("a=1 b=2 c=3", &[("parse.rule", "-")]);
        check("src=203.0.113.9 said a=b", &[("parse.rule", "-")]);
    }

    /// Pieces that the parsers of servers and of endpoint protection look for.
    const PIECES: [&str; 55] = [
        "<13>Mar  3 09:00:00 h ",
        "CEF:0|Trend Micro|Deep Security Manager|1|600|n|3|",
        "CEF:0|Cyber-Ark|Vault|1|7|Logon|5|",
        "CEF:0|ESET|Protect|1|183|n|3|",
        "LEEF:1.0|V|P|1|e|",
        "LEEF:2.0|V|P|1|e|x5E|",
        "#011",
        "^",
        "|",
        "\t",
        " src=",
        " dst=",
        " suser=",
        " usrName=",
        "192.0.2.9",
        "2001:db8::9",
        ":443",
        "SymantecServer: Site: a,Server: b,",
        ",Local Host IP: ",
        ",Remote Host IP: ",
        ",Inbound",
        "KES|1 - ET [event@23668 et=\"x\"]",
        "{\"event_type\":\"Audit_Event\",\"occured\":\"03-Mar-2026 00:00:00\",",
        "\"user\":\"",
        "BG[1]: 1:01:01:event=login;who=",
        "<EventLog><E1Mid>LOGIN</E1Mid><EMPid>",
        "type=USER_LOGIN msg=audit(1772496000.250:891): ",
        "acct=\"",
        " IN=eth0 SRC=",
        " DST=",
        " PROTO=TCP ",
        "1,,,2,em0,match,block,in,4,",
        "1772496000.250 1 192.0.2.9 TCP_MISS/200 1 GET ",
        " - sato [03/Mar/2026:09:00:00 +0900] \"GET / HTTP/1.1\" 200 1",
        "unbound[1]: [1:1] query: ",
        "named[1]: client @0x1 192.0.2.9#5 (a): query: ",
        "dhcpd: DHCPACK on ",
        " to 02:00:00:00:00:05 (ws1) via ",
        "slapd: conn=1 op=0 BIND dn=\"uid=",
        "[pid 1] [sato] OK LOGIN: Client \"",
        "proftpd: h (a[",
        "dovecot: imap-login: Login: user=<",
        "haproxy: ",
        "[client ",
        "su: sato to root on ",
        "Oracle Audit[9]: COMMENT$TEXT:[9] \"",
        "(ADDRESS=(HOST=",
        "(CONNECT_DATA=(USER=sato)) * ",
        "postgres[9]: ",
        " FATAL:  no pg_hba.conf entry for host \"",
        "Access denied for user 'sato'@'",
        "Login failed for user 'sato'. [CLIENT: ",
        "<EPOevent><MachineInfo><IPAddress>",
        "%%01POLICY/6/POLICYDENY(l):source-ip=",
        "\"",
    ];

    /// Whether an address stands in a line, however it is spelled there.
    fn stands_in(line: &str, ip: std::net::IpAddr) -> bool {
        let is_part = |character: char| character.is_ascii_hexdigit() || matches!(character, '.' | ':');
        line.split(|character| !is_part(character)).any(|token| {
            (0..token.len()).any(|from| {
                (from..=token.len()).any(|to| token.get(from..to).and_then(|text| text.parse().ok()) == Some(ip))
            })
        })
    }

    proptest::proptest! {
        #[test]
        fn no_pieces_invent_an_address(
            pieces in proptest::collection::vec(
                proptest::prop_oneof![
                    proptest::sample::select(&PIECES[..]).prop_map(str::to_owned),
                    "[0-9a-z.:=,; (\\[-]{0,8}",
                ],
                0..16,
            ),
        ) {
            let line = pieces.concat();
            let event = parse(line.as_bytes());
            for ip in [event.source_ip, event.destination_ip, event.vpn_assigned_ip].into_iter().flatten() {
                proptest::prop_assert!(stands_in(&line, ip), "{ip} is not in {line:?}");
            }
        }
    }

    /// Lines made to be read again and again from every place.
    #[test]
    fn hostile_repetition_is_read_in_linear_time() {
        const LENGTH: usize = 128 * 1024;
        for (start, unit) in [
            ("", "="),
            ("", "a=b "),
            ("", ","),
            ("", "{\"a\":"),
            ("LEEF:1.0|a|b|c|d|", "#011"),
            ("LEEF:2.0|a|b|c|d|^|", "^a=b"),
            ("LEEF:1.0|a|b|c|d|", "a=b "),
            ("", "CEF:"),
            ("x IN= SRC=1 DST=1 PROTO=1 ", " ["),
            ("SymantecServer: ", "Abc: d,"),
            ("<EventLog><E1Mid>a<", "<Mnemonic Name=\""),
            ("type=A audit(1772496000.1:1): ", "op="),
            ("192.0.2.9 - ", "a "),
            ("DHCPACK on 192.0.2.9 to ", "("),
            ("slapd: conn=1 ", "dn=\""),
            ("1,,,,,,pass,in,4,", "192.0.2.9,"),
            ("su: ", " to "),
            ("Oracle Audit[9]: ", "A:[1] \"b\" "),
            ("Oracle Audit[9]: A:[99999] \"", "b"),
            ("postgres[9]: x LOG:  connection authorized: user=", "ab "),
            ("a,b,1,2,CONNECT,", "1,"),
            ("<EPOevent><MachineInfo>", "<a>"),
            ("{\"audit_record\":\"Cyber-Ark\"", ",\"a\":1"),
            ("%%01A/6/B(l):", "User-a="),
            ("[CLIENT: ]Login failed for user '", "' "),
        ] {
            let line = format!("{start}{}", unit.repeat(LENGTH / unit.len()));
            assert!(parse(line.as_bytes()).parse_status.is_some(), "{start}{unit}");
        }
    }
}
