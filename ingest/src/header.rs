//! The frame around a message: PRI, time, host, tag. Owns our own reading of RFC 3164 as devices really write it and of
//! RFC 5424 relaxed. It never refuses: what is not a header stays in the body, and a byte of the line is lost only into
//! a field of [`Header`]. No vendor's body is understood here.
//!
//! Why our own: a general syslog parser shifts four-digit-year stamps by the zone, takes years, zone words and `%ASA-…`
//! for hosts, loses the body behind illegal structured data, and reads no header at all on the lines of the devices that
//! hospitals have (`FortiGate`, Yamaha).

use monban_event::TimeRule;

use crate::stamp::{self, Instant, Stamp};

/// How many headers may stand one behind the other: the device's and those of two relays.
const HEADERS_MAX: usize = 3;

/// Longest token taken for a host, in bytes. RFC 1035 names end at 255.
const HOST_BYTES_MAX: usize = 255;

/// Longest token taken for a program name, in bytes. RFC 5424 ends APP-NAME at 48; paths of old BSD tags are longer.
const TAG_BYTES_MAX: usize = 80;

/// The time of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderTime {
    Stamp(Stamp),
    Epoch(Instant),
}

impl HeaderTime {
    pub fn has_offset(&self) -> bool {
        match self {
            Self::Stamp(stamp) => stamp.offset.is_some(),
            Self::Epoch(instant) => instant.rule == TimeRule::Epoch,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// 0–191.
    pub priority: Option<u8>,
    /// A PRI was there, but not one that RFC 5424 §6.2.1 allows.
    pub bad_priority: bool,
    /// An RFC 6587 count was left in front by whoever framed the line.
    pub octet_count: bool,
    pub time: Option<HeaderTime>,
    pub host: Option<&'a str>,
    /// Host of the outer header, where a relay put its own before the device's.
    pub relay: Option<&'a str>,
    pub app: Option<&'a str>,
    pub pid: Option<&'a str>,
    pub message_id: Option<&'a str>,
    /// RFC 5424 structured data, brackets included.
    pub structured: Option<&'a str>,
    /// What follows the time, before a host was taken from it: parsers of devices that send no host read this.
    pub after_time: &'a str,
    /// What follows the host, tag included.
    pub body: &'a str,
    /// What follows the tag.
    pub message: &'a str,
}

impl Header<'_> {
    /// Whether anything of a header was there.
    pub fn is_present(&self) -> bool {
        self.priority.is_some() || self.time.is_some() || self.host.is_some() || self.app.is_some()
    }
}

/// Reads the header of one line.
pub fn read(text: &str) -> Header<'_> {
    let text = text.trim_start_matches(['\u{FEFF}', ' ', '\t']);
    let mut header = Header::default();
    let mut rest = strip_octet_count(text, &mut header);
    for depth in 0..HEADERS_MAX {
        let Some(next) = read_one(rest, depth, &mut header) else { break };
        rest = next;
    }
    header.body = rest;
    header.message = rest;
    if header.app.is_none() {
        read_tag(&mut header);
    }
    header
}

/// One header; the text behind it, or `None` when there is none (any more).
fn read_one<'a>(text: &'a str, depth: usize, header: &mut Header<'a>) -> Option<&'a str> {
    let behind_priority = strip_priority(text, header);
    let start = behind_priority.trim_start_matches(['\u{FEFF}', ' ']);
    if header.app.is_some() || header.structured.is_some() {
        return None;
    }
    if depth == 0 {
        header.after_time = start;
    }
    if let Some(rest) = read_5424(start, header) {
        return Some(rest);
    }
    if let Some((time, rest)) = read_time(start) {
        return read_3164(time, rest, depth, header);
    }
    if let Some(rest) = read_cisco(start, header) {
        return Some(rest);
    }
    if depth == 0
        && let Some(rest) = read_host_before_time(start, header).or_else(|| read_host_without_time(start, header))
    {
        return Some(rest);
    }
    (depth == 0 || behind_priority.len() < text.len()).then_some(start)
}

fn strip_octet_count<'a>(text: &'a str, header: &mut Header<'a>) -> &'a str {
    let digits = text.bytes().take(8).take_while(u8::is_ascii_digit).count();
    match text.get(digits..).and_then(|rest| rest.strip_prefix(' ')) {
        Some(rest) if (1..=7).contains(&digits) && rest.starts_with('<') => {
            header.octet_count = true;
            rest
        }
        _ => text,
    }
}

/// Takes `<n>` off. An inner PRI (a relay kept the device's) replaces none of the outer, but is taken off too.
fn strip_priority<'a>(text: &'a str, header: &mut Header<'a>) -> &'a str {
    let Some((number, rest)) = text.strip_prefix('<').and_then(|inner| {
        let digits = inner.bytes().take(5).take_while(u8::is_ascii_digit).count();
        Some((inner.get(..digits)?, inner.get(digits..)?.strip_prefix('>')?))
    }) else {
        return text;
    };
    let priority = number.parse::<u16>().ok().filter(|_| (1..=4).contains(&number.len()));
    match priority.and_then(|number| u8::try_from(number).ok()).filter(|number| *number <= 191) {
        Some(priority) => header.priority = header.priority.or(Some(priority)),
        None if number.is_empty() => return text,
        None => header.bad_priority = true,
    }
    rest
}

/// A stamp, or an epoch number with a fraction (Meraki), at the start. A mark may stand before it: Cisco's `*` and `.`
/// say that the clock is not set or has lost its server, and a quote opens lines that came through a CSV export.
fn read_time(text: &str) -> Option<(HeaderTime, &str)> {
    let unmarked = text.strip_prefix(['*', '.', '"']).unwrap_or(text);
    if let Some((stamp, rest)) = stamp::read(unmarked).or_else(|| stamp::read_netscaler(unmarked)) {
        return Some((HeaderTime::Stamp(stamp), rest));
    }
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let (token, _) = split_token(text);
    let (whole, fraction) = token.split_once('.')?;
    if whole.len() != 10 || fraction.is_empty() {
        return None;
    }
    Some((HeaderTime::Epoch(stamp::epoch(token)?), text.get(token.len()..)?))
}

/// `1 TIME HOST APP PROCID MSGID [SD] MSG`, and what devices make of it: no structured data, illegal structured data,
/// nothing but a host (CEF), an epoch for the time.
fn read_5424<'a>(text: &'a str, header: &mut Header<'a>) -> Option<&'a str> {
    let behind_version = text.strip_prefix("1 ")?.trim_start_matches(' ');
    let behind_time = if let Some((time, rest)) = read_time(behind_version) {
        header.time = Some(time);
        rest.strip_prefix(' ')?
    } else if let Some((stamp, rest)) = damaged_time(behind_version) {
        header.time = Some(HeaderTime::Stamp(stamp));
        rest
    } else {
        behind_version.strip_prefix("- ")?
    };
    let behind_time = behind_time.trim_start_matches(' ');
    header.after_time = behind_time;
    let (host, behind_host) = split_token(behind_time);
    if !is_nil(host) && !is_host(host) {
        return Some(behind_time);
    }
    set_host(header, Some(host).filter(|host| !is_nil(host)));
    Some(read_5424_fields(behind_host, header))
}

/// `2026-03-03T09:00:00--5:00`: the local part of a time whose offset is no offset.
fn damaged_time(text: &str) -> Option<(Stamp, &str)> {
    const LOCAL_BYTES: usize = "2026-03-03T09:00:00".len();
    let (token, rest) = split_token(text);
    let (stamp, behind) = stamp::read(token.get(..LOCAL_BYTES)?)?;
    (behind.is_empty() && token.get(LOCAL_BYTES..)?.starts_with(['+', '-'])).then_some((stamp, rest))
}

/// APP to SD. When they are not there, the text as it is.
fn read_5424_fields<'a>(text: &'a str, header: &mut Header<'a>) -> &'a str {
    if text.starts_with("CEF:") || text.starts_with("LEEF:") {
        return text;
    }
    let (app, rest) = split_token(text);
    let (pid, rest) = split_token(rest);
    let (message_id, rest) = split_token(rest);
    if app.ends_with(':') && is_nil(pid) && is_nil(message_id) {
        // `PulseSecure: - - - text`: a tag with a colon in the place of APP-NAME.
        header.app = Some(app.trim_end_matches(':'));
        return rest.strip_prefix("- ").unwrap_or(rest);
    }
    let (structured, rest) = match structured_data(rest) {
        Some(found) => found,
        // An illegal block is text, and text must not be lost.
        None if rest.starts_with('[') && !app.ends_with(':') => (None, rest),
        None => return text,
    };
    let some = |token: &'a str| Some(token).filter(|token| !is_nil(token));
    (header.app, header.pid, header.message_id) = (some(app).or(Some("")), some(pid), some(message_id));
    header.app = header.app.filter(|app| !app.is_empty());
    header.structured = structured;
    rest.trim_start_matches([' ', '\u{FEFF}'])
}

/// `-` or elements at the start; what follows them. `None` when the block breaks RFC 5424 §6.3.
fn structured_data(text: &str) -> Option<(Option<&str>, &str)> {
    if let Some(rest) = text.strip_prefix('-') {
        return (rest.is_empty() || rest.starts_with(' ')).then_some((None, rest));
    }
    let mut rest = text;
    while rest.starts_with('[') {
        rest = element_end(rest)?;
    }
    let length = text.len() - rest.len();
    (length > 0).then_some((text.get(..length), rest))
}

/// The text behind one `[id name="value" …]`.
fn element_end(text: &str) -> Option<&str> {
    let id_length = text.bytes().position(|byte| matches!(byte, b' ' | b']' | b'=' | b'"' | b':'))?;
    let mut rest = text.get(id_length..)?;
    loop {
        rest = rest.trim_start_matches(' ');
        if let Some(behind) = rest.strip_prefix(']') {
            return Some(behind);
        }
        (_, rest) = parameter(rest)?;
    }
}

/// `name="value"` at the start, the value still escaped; and what follows.
fn parameter(text: &str) -> Option<((&str, &str), &str)> {
    let (name, rest) = text.split_once('=')?;
    let inner = rest.strip_prefix('"')?;
    if name.is_empty() || name.contains([' ', '"', ']']) {
        return None;
    }
    let mut escaped = false;
    let end = inner.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some(((name, inner.get(..end)?), inner.get(end + 1..)?))
}

/// The parameters of structured data, in order, values as written.
pub fn structured_parameters(structured: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = structured;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches([' ', ']']);
            if rest.starts_with('[') {
                let id_length = rest.bytes().position(|byte| matches!(byte, b' ' | b']'))?;
                rest = rest.get(id_length..)?;
                continue;
            }
            let (pair, behind) = parameter(rest)?;
            rest = behind;
            return Some(pair);
        }
    })
}

/// What follows a BSD stamp: a colon and no host, a host, or (behind a relay's header) perhaps one.
fn read_3164<'a>(time: HeaderTime, rest: &'a str, depth: usize, header: &mut Header<'a>) -> Option<&'a str> {
    let behind_colon = rest.strip_prefix(':');
    let text = skip_priority_words(behind_colon.unwrap_or(rest).trim_start_matches([' ', '\t']));
    let host = if behind_colon.is_none() { take_host(text) } else { None };
    // A time that opens the message is the device's own; the word behind it is a host only if a tag follows.
    let host = host.filter(|(host, behind)| {
        starts_with_tag(behind)
            || depth == 0 && !(header.priority.is_none() && has_year(&time) && is_sentence_word(host))
    });
    if depth == 0 || host.is_some() || !is_weaker(&time, header) {
        header.time = Some(time);
    }
    header.after_time = text;
    let Some((host, behind)) = host else { return (depth == 0 || is_host_body(text)).then_some(text) };
    set_host(header, Some(host));
    Some(behind)
}

/// `<auth.info>`, which BSD's verbose syslogd puts between time and host.
fn skip_priority_words(text: &str) -> &str {
    let Some((level, rest)) = text.strip_prefix('<').and_then(|inner| inner.split_once("> ")) else { return text };
    let is_level = level.len() <= PRIORITY_WORDS_MAX
        && level.contains('.')
        && level.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.');
    if is_level { rest } else { text }
}

/// Facility and level in words: `authpriv.warning`.
const PRIORITY_WORDS_MAX: usize = 20;

/// Whether the stamp is none of the classic syslog: a program's own file writes the year, and text right behind it.
fn has_year(time: &HeaderTime) -> bool {
    matches!(time, HeaderTime::Stamp(stamp) if stamp.year.is_some())
}

/// `The`, `Connection`: a word that opens a sentence. Without a tag behind it a host must look otherwise.
fn is_sentence_word(word: &str) -> bool {
    let mut characters = word.chars();
    characters.next().is_some_and(|first| first.is_ascii_uppercase())
        && characters.all(|character| character.is_ascii_lowercase())
}

/// A local time must not replace one that carries its offset.
fn is_weaker(time: &HeaderTime, header: &Header<'_>) -> bool {
    !time.has_offset() && header.time.is_some()
}

fn set_host<'a>(header: &mut Header<'a>, host: Option<&'a str>) {
    // A chassis (F5 VIPRION) puts the blade before its name.
    let unslotted = |host: &'a str| match host.split_once('/') {
        Some((slot, host)) if slot.starts_with("slot") => host,
        _ => host,
    };
    if let Some(host) = host.map(unslotted) {
        header.relay = header.relay.or(header.host);
        header.host = Some(host);
    }
}

/// A host and the text behind it: `fw1 text`, `fw1 : %ASA-…`, `fw1: %ASA-…`, `lb1,key=value` (F5 iRules),
/// `ap1,f09fc2000000,v4.0.54 text` and `ap1,f09fc2000000,U7PG2-v4.0.54: text` (`UniFi`).
fn take_host(text: &str) -> Option<(&str, &str)> {
    let (token, rest) = split_token(text);
    if let Some((host, columns)) = token.split_once(',').filter(|(host, _)| is_host(host)) {
        let first = columns.split([',', ' ']).next().unwrap_or(columns);
        let is_mac = first.len() == 12 && first.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_mac {
            return Some((host, rest));
        }
        return first.contains('=').then(|| text.split_once(',')).flatten();
    }
    if let Some(host) = token.strip_suffix(':') {
        let colon_belongs_to_host = is_host_body(rest) && is_host(host) && !host.contains(['[', ']', '/']);
        return colon_belongs_to_host.then_some((host, rest));
    }
    let is_repeat = token == "last" && rest.starts_with("message repeated");
    if !is_host(token) || rest.is_empty() || is_repeat || is_level(token) {
        return None;
    }
    Some((token, rest.strip_prefix(": ").unwrap_or(rest)))
}

/// `TIME warning vpxd[7]: text`: a program's own file puts the level where syslog has the host.
fn is_level(token: &str) -> bool {
    const LEVELS: [&str; 13] = [
        "emerg", "alert", "crit", "critical", "err", "error", "fatal", "warn", "warning", "notice", "info", "debug",
        "trace",
    ];
    LEVELS.iter().any(|level| token.eq_ignore_ascii_case(level))
}

/// What devices write behind a host with a colon, and no program does behind its name.
fn is_host_body(text: &str) -> bool {
    text.starts_with('%') || text.starts_with("NetScreen device_id=")
}

/// `seq: host: seq: *TIME ZONE: %FAC-…` and its shorter forms, as Cisco IOS sends them; IOS-XR puts the processor
/// before the time (`RP/0/RP0/CPU0:Nov 20 …`), a wireless controller the task (`*spamApTask1:`), an unset clock tells the
/// uptime (`00:01:01`).
fn read_cisco<'a>(text: &'a str, header: &mut Header<'a>) -> Option<&'a str> {
    let mut rest = text.strip_prefix(':').map_or(text, |rest| rest.trim_start_matches(' '));
    let mut host = None;
    for _ in 0..CISCO_TOKENS_MAX {
        rest = skip_processor(rest);
        if let Some((time, behind)) = read_time(rest) {
            let body = skip_zone(behind).trim_start_matches([':', ' ']);
            // Behind a host, `vsftpd: TIME text` is a program that writes its own time; only a code makes the word a host.
            if header.host.is_some() && host.is_some() && !body.starts_with(['%', '#']) {
                return None;
            }
            header.time = Some(time);
            set_host(header, host);
            header.after_time = body;
            return Some(body);
        }
        if is_host_body(rest) && rest.len() < text.len() {
            // `Mar  3 09:00:00 sw1 AEST: %…`: the zone of the time that stood before the host.
            if header.host.is_some() && host.is_some_and(is_zone_word) {
                return Some(rest);
            }
            if header.host.is_some() && host.is_some_and(is_agent) {
                return None;
            }
            set_host(header, host);
            return Some(rest);
        }
        let (token, behind) = split_token(rest);
        let word = match token.strip_suffix(':') {
            Some(word) => word,
            // `290692: HOST RP/0/RP0/CPU0:Nov 20 …`
            None if skip_processor(behind).len() < behind.len() => token,
            // `1 22:`: the member of a stack and its own sequence.
            None if is_number(token) && split_token(behind).0.ends_with(':') => token,
            None => return None,
        };
        let is_task = word.starts_with('*');
        if !is_task && !word.bytes().all(|byte| byte.is_ascii_digit() || byte == b':') {
            host = Some(word).filter(|word| is_host(word) && host.is_none());
            host?;
        }
        rest = behind;
    }
    None
}

/// `Aaa: %AAA-5-LOGIN`, `ConfigAgent: %SYS-5-CONFIG_I`: Arista puts the agent where Cisco behind a relay has the host. The
/// names Cisco's own devices have before they are given one are no agents.
fn is_agent(word: &str) -> bool {
    let mut characters = word.chars();
    characters.next().is_some_and(|first| first.is_ascii_uppercase())
        && characters.all(|character| character.is_ascii_alphabetic())
        && word.contains(|character: char| character.is_ascii_lowercase())
        && !matches!(word, "Switch" | "Router")
}

/// Sequence, host, second sequence, uptime.
const CISCO_TOKENS_MAX: usize = 5;

fn is_number(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit())
}

/// Longest `RP/0/RP0/CPU0` looked for; the longest that are known have 16 bytes.
const PROCESSOR_BYTES_MAX: usize = 24;

fn skip_processor(text: &str) -> &str {
    let end = text.bytes().take(PROCESSOR_BYTES_MAX).position(|byte| byte == b':');
    let Some((processor, rest)) = end.and_then(|end| Some((text.get(..end)?, text.get(end + 1..)?))) else {
        return text;
    };
    let is_processor = processor.contains("/CPU") && !processor.contains(' ');
    if is_processor { rest } else { text }
}

/// A zone word that we do not know, before the colon that ends a Cisco time.
fn skip_zone(text: &str) -> &str {
    let Some((word, rest)) = text.strip_prefix(' ').and_then(|text| text.split_once(": ")) else { return text };
    let is_zone = (2..=5).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_zone || is_zone_word(word) { rest } else { text }
}

/// `AEST`, `mdt`: how zones are called, in whatever case an administrator has set them.
fn is_zone_word(word: &str) -> bool {
    (3..=5).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphabetic()) && word.ends_with(['T', 't'])
}

/// `relay TIME host tag: text`: a relay that puts its name before the device's line and no time of its own.
fn read_host_before_time<'a>(text: &'a str, header: &mut Header<'a>) -> Option<&'a str> {
    let (relay, rest) = split_token(text);
    let (time, behind) = read_time(rest).filter(|_| is_host(relay))?;
    let (host, body) = take_host(behind.trim_start_matches([' ', '\t'])).filter(|(_, body)| starts_with_tag(body))?;
    set_host(header, Some(relay));
    set_host(header, Some(host));
    header.time = Some(time);
    header.after_time = rest;
    Some(body)
}

/// `host prog[pid]: text` of senders that leave the time out.
fn read_host_without_time<'a>(text: &'a str, header: &mut Header<'a>) -> Option<&'a str> {
    let (token, rest) = split_token(text);
    let (_, pid, _) = tag(rest)?;
    (pid.is_some() && is_host(token) && !token.contains([':', '/'])).then(|| {
        set_host(header, Some(token));
        rest
    })
}

fn read_tag(header: &mut Header<'_>) {
    let body = skip_level(header.body);
    // In a line without any frame, `error: text` is text; only a pid makes its first word a program.
    let is_framed = header.priority.is_some() || header.time.is_some() || header.host.is_some();
    if let Some((app, pid, message)) = tag(body).filter(|(_, pid, _)| is_framed || pid.is_some()) {
        (header.app, header.pid, header.message) = (Some(app), pid, skip_message_id(message));
    }
}

/// F5 writes the level between host and tag.
const SYSLOG_LEVELS: [&str; 8] = ["emerg ", "alert ", "crit ", "err ", "warning ", "notice ", "info ", "debug "];

/// The level before a tag: F5's word, AIX's `auth|security:info`.
fn skip_level(body: &str) -> &str {
    if let Some(rest) = SYSLOG_LEVELS.iter().find_map(|level| body.strip_prefix(level)) {
        return rest;
    }
    let (facility, rest) = split_token(body);
    let level = facility.split_once(':').map_or("", |(_, level)| level);
    let is_level = SYSLOG_LEVELS.iter().any(|known| known.trim_end() == level);
    if is_level { rest } else { body }
}

/// Solaris puts `[ID 800047 auth.info]` before the text.
fn skip_message_id(message: &str) -> &str {
    let inner = message.strip_prefix("[ID ").and_then(|rest| rest.split_once("] "));
    match inner {
        Some((id, text)) if id.len() <= 40 && id.starts_with(|first: char| first.is_ascii_digit()) => text,
        _ => message,
    }
}

fn starts_with_tag(text: &str) -> bool {
    // `CISE_…`: Cisco ISE puts no colon behind its category.
    const MARKS: [&str; 4] = ["%", "CEF:", "LEEF:", "CISE_"];
    MARKS.iter().any(|mark| text.starts_with(mark)) || tag(text).is_some()
}

/// What stands in texts and in no program's name.
fn is_no_program(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b',' | b'|' | b'%' | b'<' | b'{')
}

/// `prog[pid]: text` or `prog: text`: program, pid, text.
fn tag(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let length = text.bytes().take(TAG_BYTES_MAX + 1).position(|byte| matches!(byte, b':' | b'[' | b' ' | b'='))?;
    let (app, rest) = (text.get(..length)?, text.get(length..)?);
    if app.is_empty() || matches!(app, "CEF" | "LEEF") || app.bytes().any(is_no_program) {
        return None;
    }
    if let Some(behind) = rest.strip_prefix(':') {
        return behind.starts_with(' ').then(|| (app, None, behind.trim_start_matches(' ')));
    }
    let (pid, behind) = rest.strip_prefix('[')?.split_once(']')?;
    // VMware's own files have no colon behind the pid, but always the place in the code.
    let behind =
        behind.strip_prefix(':').or_else(|| Some(behind).filter(|behind| behind.starts_with(" [Originator@")))?;
    (pid.len() <= TAG_BYTES_MAX && !pid.contains(' ')).then(|| (app, Some(pid), behind.trim_start_matches(' ')))
}

/// The text up to the first blank, and what follows the blanks.
fn split_token(text: &str) -> (&str, &str) {
    let end = memchr::memchr2(b' ', b'\t', text.as_bytes()).unwrap_or(text.len());
    let (token, rest) = (text.get(..end).unwrap_or(text), text.get(end..).unwrap_or(""));
    (token, rest.trim_start_matches([' ', '\t']))
}

fn is_nil(token: &str) -> bool {
    token == "-"
}

/// Whether a token can be a host name or an address. Not `%ASA-…`, no `key=value`, no tag, no bare number.
fn is_host(token: &str) -> bool {
    let allowed =
        |character: char| character.is_alphanumeric() || matches!(character, '.' | '-' | '_' | ':' | '/' | '%');
    !token.is_empty()
        && token.len() <= HOST_BYTES_MAX
        && !token.starts_with(['%', '-', '/', ':', '.'])
        && !token.ends_with(':')
        && token.chars().all(allowed)
        && !token.bytes().all(|byte| byte.is_ascii_digit())
        && !is_colon_code(token)
}

/// `CEF:0`, `AUT24414:x`: a colon is a host's only in an IPv6 address.
fn is_colon_code(token: &str) -> bool {
    token.contains(':') && token.split('%').next().is_none_or(|address| address.parse::<std::net::Ipv6Addr>().is_err())
}

#[cfg(test)]
mod tests;
