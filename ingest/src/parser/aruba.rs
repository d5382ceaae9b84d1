//! Aruba mobility controllers and access points: `authmgr[7]: <522008> <7> <NOTI> <ctrl1 192.0.2.3>  text`.
//!
//! Format: Aruba, *`ArubaOS` Syslog Messages Reference Guide*. Quirks this file owns:
//! * Message id, process id (not from access points) and level stand in brackets; the name and address behind them are
//!   the device's own, never the actor's: `<ctrl1 192.0.2.3>`, `AP:ap7 <192.0.2.4 MAC>` or `|AP ap7@192.0.2.4 stm|`.
//! * Values follow `username=`, `userip=`, `IP=`, `MAC=`; prose follows `User`, `Logged in from`.
//! * Commands are `USER:sato@192.0.2.7 COMMAND:<configure terminal >`.
//! * A station that a network lets in logs in nowhere; administrators have message ids of their own.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::scan::{behind, between, destination_end, known, port, source_end, word};
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(message) = find(header.message).or_else(|| find(header.body)) else { return false };
    draft.product("aruba", "aruba.os", "Aruba", "ArubaOS");
    draft.rule("aruba");
    draft.process(header);
    draft.event.code = known(message.id);
    draft.native("level", message.level);
    let (name, address) = own(message.rest);
    draft.event.observer_hostname = header.host.or(name).map(str::to_owned);
    draft.event.observer_ip = address.and_then(super::draft::address);
    fill(message.id, text_of(message.rest), draft);
    true
}

struct Message<'a> {
    id: &'a str,
    level: &'a str,
    rest: &'a str,
}

/// `<522008> <7> <NOTI> …` or `<501093> <NOTI> …`
fn find(text: &str) -> Option<Message<'_>> {
    let (id, rest) = bracketed(text)?;
    if id.len() != 6 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (second, behind_second) = bracketed(rest)?;
    let (level, rest) = if is_level(second) { (second, behind_second) } else { bracketed(behind_second)? };
    is_level(level).then_some(Message { id, level, rest })
}

fn is_level(word: &str) -> bool {
    const LEVELS: [&str; 8] = ["EMRG", "ALRT", "CRIT", "ERRS", "WARN", "NOTI", "INFO", "DBUG"];
    LEVELS.contains(&word)
}

fn bracketed(text: &str) -> Option<(&str, &str)> {
    text.trim_start_matches(' ').strip_prefix('<')?.split_once('>')
}

/// The device's own name and address.
fn own(rest: &str) -> (Option<&str>, Option<&str>) {
    let rest = rest.trim_start_matches(' ');
    if let Some((inner, _)) = bracketed(rest) {
        let (name, address) = word(inner);
        return (Some(name), address.split(' ').next());
    }
    if let Some(access_point) = rest.strip_prefix("AP:") {
        let name = access_point.split(' ').next();
        return (name, between(access_point, "<", " "));
    }
    let access_point = rest.strip_prefix("|AP ").and_then(|inner| inner.split('|').next()).unwrap_or("");
    let (name, behind) = access_point.split_once('@').unwrap_or(("", ""));
    (Some(name).filter(|name| !name.is_empty()), behind.split(' ').next())
}

/// What stands behind the device's own name.
fn text_of(rest: &str) -> &str {
    let rest = rest.trim_start_matches(' ');
    if let Some(inner) = rest.strip_prefix('|') {
        return inner.split_once('|').map_or("", |(_, text)| text).trim_start();
    }
    let front = if rest.starts_with("AP:") { rest.split_once(" <").map_or("", |(_, inner)| inner) } else { rest };
    front.split_once('>').map_or(rest, |(_, text)| text).trim_start()
}

fn fill(id: &str, text: &str, draft: &mut Draft<'_>) {
    const ENDS: &[char] = &[' ', ',', '|'];
    let (named, from) = (behind(text, "USER:", &[' ']), behind(text, "Logged in from ", ENDS));
    let users = [
        behind(text, "username=", ENDS),
        named.map(|user| user.split('@').next().unwrap_or("")),
        behind(text, "for User ", ENDS),
        behind(text, "User ", ENDS).filter(|name| !matches!(*name, "Authentication" | "authentication" | "Miss")),
    ];
    users.into_iter().flatten().for_each(|user| draft.user(user));
    let sources = [
        behind(text, "userip=", ENDS),
        from,
        behind(text, " IP=", ENDS),
        named.and_then(|user| user.split('@').nth(1)),
    ];
    sources.into_iter().flatten().for_each(|end| source_end(end, draft));
    draft.event.source_port = from.and_then(|_| between(text, " port ", ",")).and_then(port);
    let mac = behind(text, "usermac=", ENDS).or_else(|| behind(text, "MAC=", ENDS));
    draft.event.source_mac = mac.and_then(known);
    for mark in ["serverip=", "Connecting to ", "-msg to "] {
        destination_end(behind(text, mark, ENDS).unwrap_or(""), draft);
    }
    draft.native("command", between(text, "COMMAND:<", ">").unwrap_or("").trim());
    let (category, action, outcome) = meaning(id, text);
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

fn meaning(id: &str, text: &str) -> (Category, Action, Outcome) {
    use Category::{Authentication, Configuration, Host, Network};
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let failed = has(&["ailed", "not found", "eject", "ncorrect"]);
    let outcome = if failed { Outcome::Failure } else { Outcome::Success };
    match id {
        "125021" | "125022" | "125023" | "125024" | "125032" | "125033" if has(&["for User "]) => {
            (Authentication, Action::Login, outcome)
        }
        "522273" | "522274" => (Authentication, Action::Login, outcome),
        // The internal database's own word about the same attempt, or a station's way into the network.
        _ if id.starts_with("133") || matches!(id, "522008" | "522275" | "501093") => {
            (Authentication, Action::Other, outcome)
        }
        _ if has(&["COMMAND:<configure", "COMMAND:<write"]) => (Configuration, Action::ConfigChange, outcome),
        _ if has(&["COMMAND:<"]) => (Configuration, Action::Other, outcome),
        _ if id.starts_with("126") || id.starts_with("127") => (Network, Action::Detect, Outcome::Unknown),
        _ => (Host, Action::Other, Outcome::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn administrators() {
        check(
            "<187>Mar  3 09:00:00 2026 ctrl1 authmgr[5962]: <522274> <5962> <ERRS> <ctrl1 192.0.2.3>  Mgmt User Authentication failed. username=sato  userip=192.0.2.7 servername=rad1 serverip=198.51.100.3",
            &[
                ("event.dataset", "aruba.os"),
                ("event.code", "522274"),
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("destination.ip", "198.51.100.3"),
                ("observer.hostname", "ctrl1"),
                ("observer.ip", "192.0.2.3"),
            ],
        );
        check(
            "aaa[9]: <125022> <9> <WARN> <ctrl1 192.0.2.3>  Authentication failed for User sato, Logged in from 192.0.2.7 port 51234, Connecting to 192.0.2.3 port 22 connection type SSH",
            &[
                ("event.action", "login"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.7"),
                ("source.port", "51234"),
                ("destination.ip", "192.0.2.3"),
            ],
        );
        check(
            "fpcli[9]: <334011> <9> <NOTI> <ctrl1 192.0.2.3>  USER:sato@192.0.2.7 COMMAND:<configure terminal > -- command executed successfully",
            &[("event.action", "config-change"), ("user.name", "sato"), ("source.ip", "192.0.2.7")],
        );
    }

    #[test]
    fn the_devices_own_address_is_no_source() {
        check(
            "stm[3521]: <501093> <NOTI> |AP ap7@192.0.2.4 stm| Auth success: 02:00:00:00:00:02: AP 192.0.2.4-02:00-ap7",
            &[
                ("source.ip", "-"),
                ("observer.ip", "192.0.2.4"),
                ("observer.hostname", "ap7"),
                ("event.action", "other"),
            ],
        );
        check(
            "<133006> <6069> <ERRS> <ctrl1 192.0.2.3>  User sato Failed Authentication (Processing USER_REQUEST)",
            &[("source.ip", "-"), ("user.name", "sato"), ("event.outcome", "failure"), ("event.action", "other")],
        );
        for line in ["<123456> <x> y", "<12> <13> <WARN> z", "app[3]: <1234567> <NOTI> x"] {
            assert_eq!(parse(line.as_bytes()).module, None, "{line}");
        }
    }
}
