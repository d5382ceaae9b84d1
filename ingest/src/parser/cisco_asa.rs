//! Cisco ASA, FTD (and PIX, FWSM): `%ASA-6-113039: text`.
//!
//! Format: Cisco, *Secure Firewall ASA Series Syslog Messages*. Quirks this file owns:
//! * Time and host are both optional; the colon stands before or behind blanks; `%ASA-5-111010 User` has none at all.
//! * The six-digit id is the key; the prose differs by version. Names stand as `<name>`, `'name'`, `"name"`, `Uname: name`
//!   or `user = name`, and may hold blanks and a domain. 113005 says `*****` for an account it does not know.
//! * `Bytes xmt:` is what the ASA sent, that is the client's download: it counts as the destination's bytes.
//! * In `Built outbound` the first end is the far one: the connection was opened by the second.
//! * `faddr` is the far end, `laddr` the own. `IKEv2` says `Local:` and `Remote:`; the remote is the person.
//! * An AAA success (113004, 113012) precedes the session or login that it permits, and would count it twice; an AAA
//!   refusal (113005, 113015) is the only word about a refused VPN login, so it is one.
//! * `%FTD-6-430002` and its kin are `Key: value` pairs.

mod pairs;

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, address};
use super::scan::{address_and_port, behind, between, clock_duration_ns, port};
use crate::header::Header;
use pairs::connection_event;

/// What a line says, by its id.
struct Meaning {
    category: Category,
    action: Action,
    outcome: Outcome,
    vpn_type: Option<&'static str>,
}

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if let Some(message) = find_message(header.body) {
        let (dataset, product) = match message.product {
            "FTD" => ("cisco.ftd", "Firepower Threat Defense"),
            "PIX" => ("cisco.pix", "PIX"),
            "FWSM" => ("cisco.fwsm", "FWSM"),
            _ => ("cisco.asa", "ASA"),
        };
        draft.product("cisco", dataset, "Cisco", product);
        draft.event.code = Some(message.code.to_owned());
        draft.rule("cisco_asa");
        if !message.before.is_empty() && header.host.is_none() {
            draft.event.observer_hostname = Some(message.before.to_owned());
        }
        fill(message.code, message.text, header, draft);
        return true;
    }
    // The management center's own lines about connections and intrusions.
    if header.app == Some("SFIMS") {
        draft.product("cisco", "cisco.ftd", "Cisco", "Firepower Threat Defense");
        draft.rule("cisco_asa.fmc");
        draft.event.observer_hostname = header.host.map(str::to_owned);
        connection_event(header.message, draft);
        source_and_destination(header.message, draft);
        let denies = ["Block", "block", "Drop"].iter().any(|word| header.message.contains(word));
        draft.kind(Category::Network, if denies { Action::Deny } else { Action::Allow });
        draft.event.outcome = Some(if denies { Outcome::Failure } else { Outcome::Success });
        return true;
    }
    // A relay that took `%ASA-…` for a tag leaves the text alone.
    if is_bare_session_text(header.body) {
        draft.product("cisco", "cisco.asa", "Cisco", "ASA");
        draft.rule("cisco_asa.bare");
        fill("", header.body, header, draft);
        return true;
    }
    false
}

/// `{tcp} 203.0.113.9:51234 -> 192.0.2.7:80` of intrusions.
fn source_and_destination(text: &str, draft: &mut Draft<'_>) {
    let Some((from, to)) = text.split_once("} ").and_then(|(_, ends)| ends.split_once(" -> ")) else { return };
    end(from, draft, true);
    end(to.split([' ', ',']).next().unwrap_or(to), draft, false);
}

fn is_bare_session_text(text: &str) -> bool {
    (text.starts_with("Group <") && text.contains("> User <") && text.contains("> IP <"))
        || (text.starts_with("TunnelGroup <") && text.contains("> GroupPolicy <"))
        || (text.starts_with("Group = ") && text.contains(", Username = ") && text.contains(", IP = "))
}

struct Message<'a> {
    product: &'a str,
    code: &'a str,
    /// A host that stands before the mark without being one of the header's forms.
    before: &'a str,
    text: &'a str,
}

/// `%ASA-6-113039: text`, `%ASA-session-6-302013: text`, anywhere near the start.
fn find_message(body: &str) -> Option<Message<'_>> {
    const BEFORE_BYTES_MAX: usize = 128;
    let at = memchr::memchr(b'%', body.as_bytes()).filter(|at| *at <= BEFORE_BYTES_MAX)?;
    let rest = body.get(at + 1..)?;
    let product = ["ASA", "FTD", "PIX", "FWSM"]
        .into_iter()
        .find(|product| rest.strip_prefix(product).is_some_and(|behind| behind.starts_with(['-', '<'])))?;
    let end = rest.find([':', ' ']).unwrap_or(rest.len());
    let (mark, text) = (rest.get(..end)?, rest.get(end..)?);
    let code =
        mark.rsplit('-').next().filter(|code| code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()))?;
    let before = body.get(..at)?.trim_end_matches([' ', ':']);
    let before = if before.contains(' ') { "" } else { before };
    Some(Message { product, code, before, text: text.trim_start_matches([':', ' ']) })
}

fn fill(code: &str, text: &str, header: &Header<'_>, draft: &mut Draft<'_>) {
    draft.event.observer_hostname = draft.event.observer_hostname.take().or(header.host.map(str::to_owned));
    if code.starts_with("4300") {
        connection_event(text, draft);
    } else if is_connection(code) {
        let named = [identity_user(text), behind(text, ", user ", &[' ']).filter(|_| code.starts_with("303"))];
        named.into_iter().flatten().for_each(|user| draft.user(user));
        ends(text, draft);
        amounts(text, draft);
    } else {
        people(code, text, draft);
        session_ends(text, draft);
        ends(text, draft);
        amounts(text, draft);
    }
    let meaning = meaning(code, text, draft);
    draft.kind(meaning.category, meaning.action);
    draft.event.outcome = Some(meaning.outcome);
    draft.event.vpn_type = meaning.vpn_type.map(str::to_owned);
    if draft.event.reason.is_none() {
        draft.reason(reason(text));
    }
}

/// Connections, refusals and translations: nine lines in ten of a firewall, and none of them names a session.
fn is_connection(code: &str) -> bool {
    matches!(code.get(..3), Some("106" | "302" | "303" | "304" | "305" | "313" | "419" | "500" | "609" | "710" | "725"))
}

/// The account, its group and its address, in the ways in which sessions name them.
fn people(code: &str, text: &str, draft: &mut Draft<'_>) {
    const ENDS: &[char] = &[',', ' ', ':', ';'];
    group(text, draft);
    // 502101–502103 name the account that is changed, not who changes it.
    let uname = behind(text, "Uname: ", ENDS).or_else(|| behind(text, "Username:", &[' ', ',']));
    if code.starts_with("50210") {
        draft.target_user(uname.unwrap_or(""));
        return;
    }
    let candidates = [
        between(text, "User <", ">"),
        between(text, "Username = ", ", IP"),
        behind(text, "Username = ", ENDS),
        uname.filter(|name| address(name).is_none()),
        between(text, "for user \"", "\""),
        between(text, "User '", "'"),
        between(text, "user '", "'"),
        between(text, "client user ", ", IP"),
        bare_session(text).map(|(_, user, _)| user),
        between(text, "User ", " did NOT have"),
        between(text, "(user= ", ")").filter(|name| address(name).is_none()),
        behind(text, " for user ", &[' ', ',']).filter(|name| code.starts_with("1130") && !name.starts_with('"')),
        between(text, "User ", " executed "),
        behind(text, "user = ", &[' ', ':', ',']),
        behind(text, "User = ", &[' ', ':', ',']),
        between(text, "request for user ", " :"),
        between(text, "DAP: User ", ", Addr "),
        mapped_user(text),
        between(text, "User ", " locked out"),
        identity_user(text),
    ];
    for candidate in candidates.into_iter().flatten() {
        draft.user(candidate);
    }
    native_text("user_ip", text, "user IP = ", draft);
    native_text("server", text, "server = ", draft);
    if let Some(command) = between(text, "executed '", "'").or_else(|| between(text, "executed the '", "'")) {
        draft.native("command", command);
    }
}

/// 746012, 746013: `Add IP-User mapping 192.0.2.5 - LOCAL\sato Succeeded - VPN user`.
fn mapped_user(text: &str) -> Option<&str> {
    let (_, rest) = behind(text, "IP-User mapping ", &[])?.split_once(" - ")?;
    rest.split(' ').next()
}

/// `Group G1 User sato IP 192.0.2.9 text`, as releases before 8.3 wrote it: group, account, address.
fn bare_session(text: &str) -> Option<(&str, &str, &str)> {
    let (group, rest) = text.strip_prefix("Group ")?.split_once(" User ")?;
    let (user, rest) = rest.split_once(" IP ")?;
    let source = rest.split(' ').next().filter(|word| address(word).is_some())?;
    (!group.starts_with(['<', '='])).then_some((group, user, source))
}

fn group(text: &str, draft: &mut Draft<'_>) {
    let group = bare_session(text).map(|(group, ..)| group);
    let group = group.or_else(|| between(text, "TunnelGroup <", ">"));
    let group = group
        .or_else(|| between(text, "Group <", ">"))
        .or_else(|| between(text, "Group = ", ","))
        .or_else(|| behind(text, "IKEv2 Group:", &[' ']));
    draft.event.vpn_group = group.filter(|group| !group.is_empty()).map(str::to_owned);
}

fn native_text(name: &'static str, text: &str, mark: &str, draft: &mut Draft<'_>) {
    if let Some(value) = behind(text.trim_start(), mark, &[' ', ',', ':']).filter(|value| !value.is_empty()) {
        draft.native(name, value);
    }
}

/// The identity firewall's `(DOMAIN\name)` behind an end. A bare `(name)` may be anything and is left alone.
fn identity_user(text: &str) -> Option<&str> {
    text.split('(').skip(1).find_map(|inner| {
        let (inner, _) = inner.split_once(')')?;
        // A security group may follow: `(LOCAL\sato, 17:staff)`.
        let inner = inner.split(',').next().unwrap_or(inner);
        (inner.contains('\\') && !inner.contains(' ')).then_some(inner)
    })
}

/// 106100 to 106103: `access-list L1 denied tcp inside/192.0.2.9(40000) -> outside/192.0.2.7(443) …`; an account of the
/// identity firewall may follow an end in parentheses.
fn listed_ends(text: &str) -> Option<(&str, &str)> {
    let (before, after) = text.strip_prefix("access-list ")?.split_once(" -> ")?;
    // `192.0.2.9(40000)` without the name of its interface, which has no slash itself.
    let behind_interface = |word: &'_ str| -> usize { word.find('/').map_or(0, |at| at + 1) };
    let from = before.rsplit(' ').find(|word| word.contains('/'))?;
    let to = after.split(' ').next()?;
    Some((from.get(behind_interface(from)..)?, to.get(behind_interface(to)..)?))
}

/// 304001: `user@192.0.2.9 Accessed URL 192.0.2.7:http://…`.
fn accessed_ends(text: &str) -> Option<(&str, &str)> {
    let (before, after) = text.split_once(" Accessed ")?;
    let (_, reached) = after.split_once("URL ")?;
    let bare = |word: &'_ str| -> usize { word.rfind('@').map_or(0, |at| at + 1) };
    let host = reached.get(..reached.find(":http").or_else(|| reached.find(':'))?)?;
    Some((before.get(bare(before)..)?, host.get(bare(host)..)?))
}

/// Who speaks to whom: the forms that sessions, connections and refusals use.
fn ends(text: &str, draft: &mut Draft<'_>) {
    if let Some((local, remote)) = text.strip_prefix("Local:").and_then(|rest| rest.split_once(" Remote:")) {
        end(remote.split(' ').next().unwrap_or(""), draft, true);
        end(local, draft, false);
    } else if text.contains("faddr ") {
        address_ends(text, draft);
    } else if let Some((first, second)) = listed_ends(text).or_else(|| accessed_ends(text)) {
        end(first, draft, true);
        end(second, draft, false);
    } else if let Some((own, far)) = between(text, ") between ", " (").and_then(|pair| pair.split_once(" and ")) {
        // 602303, 602304: the end that packets come from stands first, so the direction tells whose it is.
        let (own, far) = if text.contains(" inbound ") { (far, own) } else { (own, far) };
        end(far, draft, true);
        end(own, draft, false);
    } else if let Some((first, second)) = two_ends(text) {
        let outbound = text.starts_with("Built outbound ") || text.contains("Built stub outbound ");
        let (source, destination) = if outbound { (second, first) } else { (first, second) };
        end(source, draft, true);
        end(destination, draft, false);
    } else {
        one_end(text, draft);
    }
}

fn session_ends(text: &str, draft: &mut Draft<'_>) {
    const ASSIGNED: [&str; 7] = [
        "IPv4 Address <",
        "IPv6 address <",
        "assigned private IP address ",
        "Assigned private IP address ",
        "IPv4 Address=",
        "IPv6 address=",
        "Client assigned ",
    ];
    const ENDS: &[char] = &[' ', ',', '>', ')'];
    let sources = [
        between(text, "IP <", ">"),
        behind(text, ", IP = ", ENDS),
        behind(text, "user IP = ", ENDS),
        behind(text, "IP address: ", ENDS),
        behind(text, "from IP ", ENDS),
        between(text, ", IP ", " has been "),
        between(text, ", IPv4 ", " has been "),
        between(text, ", IPv6 ", " has been "),
        bare_session(text).map(|(.., source)| source),
        between(text, ", Addr ", ","),
        behind(text, "(from ", ENDS),
        behind(text, "IP-User mapping ", ENDS),
    ];
    for source in sources.into_iter().flatten() {
        draft.source(source);
    }
    let server = text.split_once("server = ").map_or("", |(_, rest)| rest.trim_start());
    draft.destination(server.split([' ', ',']).next().unwrap_or(""));
    for mark in ASSIGNED {
        draft.assigned(behind(text, mark, &['>', ' ', ',']).unwrap_or(""));
    }
}

/// `src IFC:a/p dst IFC:b/p`, `for|from IFC:a/p (…) to IFC:b/p`, `from a to b`, `SRC a DEST b`, `src = a, dest = b`.
fn two_ends(text: &str) -> Option<(&str, &str)> {
    const PAIRS: [(&str, &str); 7] = [
        (" src ", " dst "),
        ("SRC ", " DEST "),
        ("src = ", "dest = "),
        (" from ", " to "),
        (" for ", " to "),
        ("flow ", " to "),
        ("packet: ", " = "),
    ];
    PAIRS.into_iter().find_map(|(first_mark, second_mark)| {
        let (_, rest) = text.split_once(first_mark)?;
        let (first, second) = rest.split_once(second_mark)?;
        let (first, second) = (first_end(first)?, first_end(second)?);
        is_end(first).then_some((first, second))
    })
}

/// The first word, without what is glued behind it: `(nat/port)`, `)`, `,`.
fn first_end(text: &str) -> Option<&str> {
    text.trim_start_matches(' ').split([' ', ',', ';', '(', ')']).find(|word| !word.is_empty())
}

/// `IFC:address/port`, `address/port`, `address`.
fn is_end(word: &str) -> bool {
    split_end(word).is_some()
}

fn split_end(word: &str) -> Option<(&str, Option<i64>)> {
    let word = word.trim_end_matches('.');
    if let Some((ip, rest)) = word.split_once('(') {
        let number = rest.split_once(')').and_then(|(number, _)| port(number));
        return address(ip).map(|_| (ip, number));
    }
    address_and_port(word).or_else(|| word.split_once(':').and_then(|(_, rest)| address_and_port(rest)))
}

fn end(word: &str, draft: &mut Draft<'_>, is_source: bool) {
    let event = &mut draft.event;
    let slot = if is_source { &mut event.source_port } else { &mut event.destination_port };
    if let Some((ip, number)) = split_end(word) {
        *slot = slot.or(number);
        if is_source { draft.source(ip) } else { draft.destination(ip) }
    } else {
        // A name for the address: the port still stands in the line.
        let last = word.rsplit([':', '/', '(']).next();
        *slot = slot.or(last.and_then(|number| port(number.trim_end_matches(')'))));
    }
}

/// `faddr a/p gaddr b/p laddr c/p`.
fn address_ends(text: &str, draft: &mut Draft<'_>) {
    let far = behind(text, "faddr ", &[' ', '(']).unwrap_or("");
    let own = behind(text, "laddr ", &[' ', '(']).unwrap_or("");
    let outbound = text.starts_with("Built outbound ");
    let (source, destination) = if outbound { (own, far) } else { (far, own) };
    end(source, draft, true);
    end(destination, draft, false);
}

/// One end only: `with client IFC:a/p`, `from a`, `local-host IFC:a`, `configuration: a reading`, `remote-peer = a`.
fn one_end(text: &str, draft: &mut Draft<'_>) {
    const MARKS: [&str; 8] = [
        " client ",
        " from (",
        " from laddr ",
        " from ",
        "local-host ",
        "configuration: ",
        "remote-peer = ",
        "Address ",
    ];
    let found = MARKS.iter().find_map(|mark| {
        let (_, rest) = text.split_once(mark)?;
        first_end(rest).filter(|word| is_end(word))
    });
    let begins = || first_end(text).filter(|word| address(word).is_some());
    if let Some(word) = found.or_else(begins) {
        end(word, draft, true);
    }
    if let Some((_, rest)) = text.split_once(" to ")
        && let Some(word) = first_end(rest).filter(|word| is_end(word))
    {
        end(word, draft, false);
    }
}

/// `Duration: 2h:28m:09s`, `duration 0:10:26`, `Bytes xmt: 1, Bytes rcv: 2`.
fn amounts(text: &str, draft: &mut Draft<'_>) {
    let duration = behind(text, "Duration: ", &[',']).or_else(|| behind(text, " duration ", &[' ']));
    draft.event.duration_ns = duration.and_then(clock_duration_ns);
    let bytes = |mark: &str| behind(text, mark, &[',', ' '])?.parse::<i64>().ok();
    draft.event.source_bytes = bytes("Bytes rcv: ");
    draft.event.destination_bytes = bytes("Bytes xmt: ");
    if let Some(kind) = behind(text, "Session Type: ", &[',', '.']) {
        draft.native("session_type", kind);
    }
}

fn reason(text: &str) -> &str {
    const ENDS: &[char] = &[','];
    let named = behind(text, "Reason: ", ENDS)
        .or_else(|| behind(text, "reason = ", &[':', ',']))
        .or_else(|| behind(text, "due to ERROR: ", &[]))
        .or_else(|| behind(text, "session terminated: ", &[]))
        .or_else(|| behind(text, "closing connection: ", &[]));
    // 713050 goes on behind two blanks.
    named.unwrap_or("").trim().split("  ").next().unwrap_or("").trim_end_matches('.')
}

fn meaning(code: &str, text: &str, draft: &Draft<'_>) -> Meaning {
    vpn_meaning(code, text, draft).or_else(|| admin_meaning(code, text)).unwrap_or_else(|| network_meaning(code, text))
}

fn vpn_meaning(code: &str, text: &str, draft: &Draft<'_>) -> Option<Meaning> {
    use Category::{Authentication, Session};
    let has_user = draft.event.user_name.is_some();
    let (category, action, outcome, vpn_type) = match code {
        "113039" | "716001" => (Session, Action::SessionStart, Outcome::Success, "ssl"),
        "722051" if text.contains("assigned to session") => (Session, Action::AddressAssigned, Outcome::Success, "ssl"),
        "113019" if text.contains("Session Type: IPsec") || text.contains("Session Type: IKE") => {
            (Session, Action::SessionEnd, Outcome::Success, "ipsec")
        }
        "113019" | "716002" => (Session, Action::SessionEnd, Outcome::Success, "ssl"),
        "113005" | "113015" | "716039" => (Authentication, Action::Login, Outcome::Failure, "ssl"),
        "109031" | "713167" | "713198" | "751011" => (Authentication, Action::Login, Outcome::Failure, "ipsec"),
        "750003" if text.contains("authenticate") => (Authentication, Action::Login, Outcome::Failure, "ipsec"),
        "750003" | "751001" | "751020" => (Session, Action::Other, Outcome::Failure, "ipsec"),
        "750006" if has_user => (Session, Action::SessionStart, Outcome::Success, "ipsec"),
        "750007" if has_user => (Session, Action::SessionEnd, Outcome::Success, "ipsec"),
        "713228" | "751025" => (Session, Action::AddressAssigned, Outcome::Success, "ipsec"),
        "602303" | "602304" => (Session, Action::Other, Outcome::Success, "ipsec"),
        "716038" => (Authentication, Action::Other, Outcome::Success, "ssl"),
        "113029" | "113038" => (Session, Action::Other, Outcome::Failure, "ssl"),
        _ if code.starts_with("722") || code.starts_with("716") => (Session, Action::Other, Outcome::Unknown, "ssl"),
        _ if code.starts_with("713") || code.starts_with("75") => (Session, Action::Other, Outcome::Unknown, "ipsec"),
        "" if text.contains("Session disconnected") => (Session, Action::SessionEnd, Outcome::Success, "ssl"),
        "" if text.contains("session started") => (Session, Action::SessionStart, Outcome::Success, "ssl"),
        "" if text.contains("assigned to session") => (Session, Action::AddressAssigned, Outcome::Success, "ssl"),
        "" => (Session, Action::Other, Outcome::Unknown, "ssl"),
        _ => return None,
    };
    Some(Meaning { category, action, outcome, vpn_type: Some(vpn_type) })
}

fn admin_meaning(code: &str, text: &str) -> Option<Meaning> {
    use Category::{Authentication, Configuration, Iam};
    // Commands of 111008 and 111010 that change nothing.
    const HARMLESS: [&str; 8] = ["enable", "login", "exit", "show", "ping", "terminal", "more", "dir"];
    let command = between(text, "executed '", "'").or_else(|| between(text, "executed the '", "'")).unwrap_or("");
    let is_harmless = HARMLESS.contains(&command.split(' ').next().unwrap_or(""));
    let (category, action, outcome) = match code {
        "605005" | "611101" => (Authentication, Action::Login, Outcome::Success),
        "605004" | "611102" | "113021" => (Authentication, Action::Login, Outcome::Failure),
        "611103" | "109012" | "315011" => (Authentication, Action::Logout, Outcome::Success),
        "113004" | "113008" | "113012" | "109005" => (Authentication, Action::Other, Outcome::Success),
        "113006" | "113014" | "109006" => (Authentication, Action::Other, Outcome::Failure),
        "308001" => (Authentication, Action::Elevate, Outcome::Failure),
        // Who the firewall thinks sits where, and what a person's session was given.
        "734001" | "737016" | "737026" | "746012" | "746013" => (Category::Session, Action::Other, Outcome::Unknown),
        "502103" => (Authentication, Action::Elevate, Outcome::Success),
        "502101" | "502102" => (Iam, Action::AccountChange, Outcome::Success),
        "111008" | "111010" if is_harmless => (Configuration, Action::Other, Outcome::Success),
        "111004" if text.contains("FAILED") => (Configuration, Action::ConfigChange, Outcome::Failure),
        "111001" | "111003" | "111004" | "111008" | "111010" | "502111" | "502112" => {
            (Configuration, Action::ConfigChange, Outcome::Success)
        }
        "111002" | "111007" | "111009" => (Configuration, Action::Other, Outcome::Success),
        _ => return None,
    };
    Some(Meaning { category, action, outcome, vpn_type: None })
}

/// Traffic and everything else: allowed, denied, or a state of the machine, by the verb the message opens with.
fn network_meaning(code: &str, text: &str) -> Meaning {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let class = code.get(..3).unwrap_or("");
    let is_traffic = matches!(
        class,
        "106"
            | "302"
            | "303"
            | "304"
            | "305"
            | "313"
            | "338"
            | "400"
            | "401"
            | "402"
            | "410"
            | "418"
            | "419"
            | "420"
            | "421"
            | "430"
            | "434"
            | "500"
            | "609"
            | "710"
            | "725"
            | "733"
    );
    let (action, outcome) = if matches!(class, "733" | "338" | "400") {
        (Action::Detect, Outcome::Unknown)
    } else if is_traffic
        && has(&["Deny", "denied", "Denied", "Dropped", "drop", "Shunned", "Block", "discarded", "failed"])
    {
        (Action::Deny, Outcome::Failure)
    } else if is_traffic && has(&["Built", "permitted", "Allow"]) {
        (Action::Allow, Outcome::Success)
    } else {
        (Action::Other, Outcome::Unknown)
    };
    let category = if is_traffic { Category::Network } else { Category::Host };
    Meaning { category, action, outcome, vpn_type: None }
}

#[cfg(test)]
mod tests;
