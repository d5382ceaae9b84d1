//! `VMware` `ESXi` and vCenter Server.
//!
//! Formats: vCenter's event stream `Event [id] [n-m] [time] [type] [severity] [user] [datacenter] [chain] [text]`; the
//! service logs `level service[pid] [Originator@6876 sub=… opID=… user=…] text`; observations `[vob.…] text`; the single
//! sign-on audit as JSON behind `[auditlogger]`. Horizon and NSX stand in `vmware_view.rs` and `vmware_nsx.rs`. Quirks:
//! * A login on `ESXi` is three lines: `Accepted password`, the session, and `Event n : User x@ip logged in as agent`. The
//!   event is the login, the others would count it again; a refusal likewise is `Cannot login x@ip`.
//! * vCenter's own services log in from the loopback address all day: a session, and no login of a person. The person
//!   behind the web client is told by single sign-on, with the address the client came from.
//! * The category `session` is that of remote access, which these sessions are not.
//! * The seventh bracket is a datacenter, which is not the machine's name.
//! * `user=vpxuser:DOMAIN\person` names the service account and behind it whom it acts for.

use std::net::IpAddr;

use monban_event::{Action, Category, Outcome};

use super::draft::{Draft, PayloadTime, address};
use super::json;
use super::scan::{address_and_port, behind, between, word};
use crate::header::Header;
use crate::stamp;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let text = header.body;
    let has = |mark: &str| memchr::memmem::find(text.as_bytes(), mark.as_bytes()).is_some();
    let is_event = has("Event [") && (has("] [vim.event.") || has("] [com.vmware.") || has("] [esx."));
    let understood = if is_event {
        event_stream(text, draft)
    } else if has("[auditlogger] {") {
        single_sign_on(text, draft)
    } else if has("@6876 subject=\"") {
        audit_record(text, draft)
    } else if has("[Originator@") || has("[vSAN@") {
        service(text, draft)
    } else if has("[vob.") {
        observation(text, draft)
    } else if has("ha-eventmgr") {
        // Before `ESXi` 6 the block had another form: `[FFE5 info 'ha-eventmgr'] Event 7 : User …`.
        text.split_once("] Event ")
            .and_then(|(_, rest)| rest.split_once(" : "))
            .is_some_and(|(_, told)| sentence(told, draft))
    } else {
        identity_service(text, draft)
    };
    if understood {
        finish(header, draft);
    }
    understood
}

fn finish(header: &Header<'_>, draft: &mut Draft<'_>) {
    draft.product("vmware", "vmware.vsphere", "VMware", "vSphere");
    draft.process(header);
    // A line of the service's own file begins with its level, where a syslog line has the host.
    let is_level = |word: &&str| {
        ["info", "warning", "warn", "error", "verbose", "debug"].iter().any(|level| level.eq_ignore_ascii_case(word))
    };
    draft.event.host_name = header.host.filter(|host| !is_level(host)).map(str::to_owned);
    if draft.event.category.is_none() {
        draft.kind(Category::Host, Action::Other);
    }
    if draft.event.parse_rule.is_none() {
        draft.rule("vmware.service");
    }
}

/// `ESXi`'s audit record: `[shell.cmd@6876 subject="root" object="shell" command="…" result="success"]`. What is done by name is
/// told by the services too, so it is no login.
fn audit_record(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((before, rest)) = text.split_once("@6876 subject=\"") else { return false };
    let Some(kind) = before.rsplit('[').next().filter(|kind| !kind.contains(' ')) else { return false };
    draft.event.code = Some(kind.to_owned());
    draft.user(rest.split('"').next().unwrap_or(""));
    draft.native("object", between(rest, "object=\"", "\"").unwrap_or(""));
    draft.native("command", between(rest, "command=\"", "\"").unwrap_or(""));
    draft.event.outcome = between(rest, "result=\"", "\"").and_then(super::daemon::outcome);
    draft.kind(if kind.starts_with("shell.") { Category::Process } else { Category::Host }, Action::Other);
    draft.rule("vmware.audit");
    true
}

/// `Event [id] [n-m] [time] [type] [severity] [user] [datacenter] [chain] [text`; a long text is cut before its bracket.
fn event_stream(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((_, rest)) = text.split_once("Event [") else { return false };
    let mut rest = rest;
    let mut fields = [""; 8];
    for field in &mut fields {
        let Some((value, behind)) = rest.split_once("] [") else { return false };
        (*field, rest) = (value, behind);
    }
    let [id, _, time, kind, severity, user, datacenter, _] = fields;
    let text = rest.trim_end().trim_end_matches(']');
    if let Some((stamp, _)) = stamp::read(time) {
        draft.time = Some(PayloadTime::Stamp(stamp));
    }
    draft.event.code = Some(kind.to_owned());
    for (name, value) in [("id", id), ("severity", severity), ("datacenter", datacenter)] {
        draft.native(name, value);
    }
    draft.rule("vmware.event");
    sentence(text, draft);
    // The bracket's account acts; the text's is the same one, or the one a session was opened for.
    if !monban_event::account::is_null_word(user) {
        draft.event.user_name = None;
        draft.user(user);
    }
    event_kind(kind, text, draft);
    true
}

/// By the type of the event; what the sentence said stands where the type says nothing.
fn event_kind(kind: &str, text: &str, draft: &mut Draft<'_>) {
    let name = kind.rsplit('.').next().unwrap_or(kind);
    match name {
        "UserLoginSessionEvent" => session_or_login(draft),
        "BadUsernameSessionEvent" | "NoAccessUserEvent" | "InvalidLoginEvent" => refused_login(draft),
        "UserLogoutSessionEvent" | "SessionTerminatedEvent" => {
            draft.kind(Category::Authentication, Action::Logout);
            draft.event.outcome = Some(Outcome::Success);
        }
        "AlreadyAuthenticatedSessionEvent" => {
            draft.kind(Category::Authentication, Action::Other);
            draft.event.outcome = Some(Outcome::Failure);
        }
        _ if name.starts_with("Permission") || name.starts_with("Role") || name.starts_with("Account") => {
            draft.kind(Category::Iam, Action::AccountChange);
            draft.event.outcome = Some(Outcome::Success);
        }
        _ if name.ends_with("ReconfiguredEvent") || name.ends_with("ReconfigureEvent") => {
            draft.kind(Category::Configuration, Action::ConfigChange);
            draft.event.outcome = Some(Outcome::Success);
        }
        _ if name.contains("LoginFailure") => refused_login(draft),
        _ if draft.event.action.is_none() && text.starts_with("Successful login ") => login(draft),
        _ => {}
    }
}

fn login(draft: &mut Draft<'_>) {
    draft.kind(Category::Authentication, Action::Login);
    draft.event.outcome = Some(Outcome::Success);
}

fn session_or_login(draft: &mut Draft<'_>) {
    login(draft);
    if draft.event.source_ip.is_some_and(|ip| ip.is_loopback()) {
        draft.kind(Category::Authentication, Action::SessionStart);
    }
}

fn refused_login(draft: &mut Draft<'_>) {
    draft.kind(Category::Authentication, Action::Login);
    draft.event.outcome = Some(Outcome::Failure);
}

/// `name@address`: the name may hold an `@` of its own.
fn account_and_address<'a>(text: &'a str, draft: &mut Draft<'_>) -> Option<&'a str> {
    let text = text.trim().trim_matches(['\'', '"']).trim_end_matches(['.', '\'', ']']);
    let (account, from) = text.rsplit_once('@')?;
    let from = from.trim_end_matches(['.', '\'', ']']);
    from.parse::<IpAddr>().ok()?;
    draft.user(account);
    draft.source(from);
    Some(account)
}

/// What the sentences of host and vCenter say; `false` for those that name nobody.
fn sentence(text: &str, draft: &mut Draft<'_>) -> bool {
    if let Some(account) = between(text, "user account '", "'").filter(|_| text.contains("has been locked")) {
        draft.user(account);
        draft.kind(Category::Authentication, Action::Deny);
        draft.event.outcome = Some(Outcome::Failure);
    } else if let Some(rest) = text.strip_prefix("User ")
        && let Some((who, agent)) = rest.split_once(" logged in as ")
        && account_and_address(who, draft).is_some()
    {
        draft.native("agent", agent);
        session_or_login(draft);
    } else if let Some(rest) = text.strip_prefix("User ")
        && let Some((who, _)) = rest.split_once(" logged out")
        && account_and_address(who, draft).is_some()
    {
        draft.kind(Category::Authentication, Action::Logout);
        draft.event.outcome = Some(Outcome::Success);
    } else if let Some(rest) = text.strip_prefix("Cannot login ") {
        if account_and_address(rest, draft).is_none() {
            draft.user(word(rest).0);
        }
        refused_login(draft);
    } else if let Some((_, rest)) = text.split_once("SSH session was ") {
        let Some((verb, who)) = rest.split_once(" for ") else { return false };
        account_and_address(who, draft);
        let action = if verb == "opened" { Action::SessionStart } else { Action::SessionEnd };
        draft.kind(Category::Authentication, action);
        draft.event.outcome = Some(Outcome::Success);
    } else if let Some((start, rest)) = text.split_once(" login ").filter(|(start, _)| !start.contains(' ')) {
        let Some((who, rest)) = rest.split_once(" from ") else { return false };
        draft.user(who);
        draft.source(word(rest).0);
        if start == "Successful" { login(draft) } else { refused_login(draft) }
    } else {
        return password(text, draft);
    }
    true
}

/// The step before the event that counts.
fn password(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((verb, rest)) = text.split_once(" password for user ") else { return false };
    let Some((who, rest)) = rest.split_once(" from ") else { return false };
    draft.user(who);
    draft.source(word(rest).0.trim_end_matches([',', '.']));
    draft.kind(Category::Authentication, Action::Other);
    draft.event.outcome = Some(if verb.ends_with("Accepted") { Outcome::Success } else { Outcome::Failure });
    true
}

/// `level service[pid] [Originator@6876 sub=… opID=… sid=… user=…] text`.
fn service(text: &str, draft: &mut Draft<'_>) -> bool {
    let marked = text.split_once("[Originator@").or_else(|| text.split_once("[vSAN@"));
    let Some((_, rest)) = marked.and_then(|(_, rest)| rest.split_once(' ')) else { return false };
    let (block, rest) = rest.split_once(']').unwrap_or((rest, ""));
    for part in block.split(' ') {
        if let Some((key, value)) = part.split_once('=') {
            draft.native(key, value);
        }
    }
    let rest = rest.trim_start();
    let told = rest.split_once(" : ").filter(|(start, _)| start.starts_with("Event ")).map_or(rest, |(_, told)| told);
    if !sentence(told, draft) {
        connection(told, draft);
        fault(told, draft);
        if let Some(name) = told.strip_prefix("[Auth]: User ") {
            draft.user(word(name).0);
            draft.kind(Category::Authentication, Action::Other);
            draft.event.outcome = Some(Outcome::Success);
        }
    }
    // Whom the operation belongs to, where the text names nobody.
    if let Some(user) = behind(block, "user=", &[' ', ']']) {
        draft.user(user.split(':').next().unwrap_or(user));
    }
    true
}

/// `<TCP '192.0.2.1 : 443'>, <TCP '192.0.2.2 : 50000'>`, and envoy's two addresses behind `via_upstream`.
fn connection(text: &str, draft: &mut Draft<'_>) {
    let mut ends = text.split("<TCP '").skip(1).filter_map(|part| part.split_once('\''));
    if let (Some((from, _)), Some((to, _))) = (ends.next(), ends.next()) {
        let pair = |end: &str| end.split_once(" : ").map(|(ip, port)| (ip.to_owned(), port.parse::<i64>().ok()));
        if let (Some((from, from_port)), Some((to, to_port))) = (pair(from), pair(to)) {
            set_ends(draft, (&from, from_port), (&to, to_port));
        }
    } else if let Some((_, rest)) = text.split_once(" via_upstream ") {
        let mut ends = rest.split(' ').filter_map(address_and_port).filter(|(_, port)| port.is_some());
        if let (Some(from), Some(to)) = (ends.next(), ends.next()) {
            set_ends(draft, from, to);
        }
    } else if let Some(port) =
        behind(text, "localhost:", &[' ', '\'', ')']).or_else(|| behind(text, " _port = ", &[' ']))
    {
        draft.event.destination_port = port.parse().ok().filter(|port| (1..=65_535).contains(port));
    }
}

fn set_ends(draft: &mut Draft<'_>, from: (&str, Option<i64>), to: (&str, Option<i64>)) {
    draft.source(from.0);
    draft.destination(to.0);
    draft.event.source_port = from.1.filter(|_| address(from.0).is_some());
    draft.event.destination_port = to.1.filter(|_| address(to.0).is_some());
    draft.kind(Category::Network, Action::Other);
}

/// `vim.fault.InvalidLogin`, and the account among the arguments of the call.
fn fault(text: &str, draft: &mut Draft<'_>) {
    const MARK: &str = "vim.fault.";
    let Some((_, rest)) = text.split_once(MARK) else { return };
    let name = rest.split(|end: char| !end.is_ascii_alphanumeric()).next().unwrap_or("");
    draft.event.code = Some(format!("{MARK}{name}"));
    draft.event.outcome = Some(Outcome::Failure);
    if name == "InvalidLogin" {
        // The refusal itself is an event of its own.
        draft.kind(Category::Authentication, Action::Other);
        draft.user(
            between(text, "Arg userName:", "Arg password")
                .and_then(|rest| between(rest, "\"", "\""))
                .map_or("", |name| name.trim_end_matches('\\')),
        );
    }
}

/// `[GenericCorrelator] 123us: [vob.user.ssh.session.closed] text`.
fn observation(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((_, rest)) = text.split_once("[vob.") else { return false };
    let Some((name, told)) = rest.split_once(']') else { return false };
    draft.event.code = Some(format!("vob.{name}"));
    // Hosts and vCenter report the same as an event; the observation is its cause.
    if sentence(told.trim_start(), draft) && draft.event.action == Some(Action::Login) {
        draft.event.action = Some(Action::Other);
    }
    true
}

/// `[auditlogger] {"user":"x@DOMAIN","client":"192.0.2.1","type":"com.vmware.sso.LoginFailure",…}`.
fn single_sign_on(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((_, rest)) = text.split_once("[auditlogger] ") else { return false };
    let Some(members) = json::members(rest) else { return false };
    let kind = members.first(&["type"]);
    draft.event.code = Some(kind.to_owned()).filter(|kind| !kind.is_empty());
    draft.user(members.first(&["user"]));
    draft.source(members.first(&["client"]));
    for (name, value) in members.iter() {
        draft.native(name, value);
    }
    let name = kind.rsplit('.').next().unwrap_or("");
    if name.starts_with("Login") {
        if name.contains("Fail") { refused_login(draft) } else { login(draft) }
    } else if name.starts_with("Logout") {
        draft.kind(Category::Authentication, Action::Logout);
        draft.event.outcome = Some(Outcome::Success);
    } else {
        draft.kind(Category::Iam, Action::AccountChange);
    }
    draft.rule("vmware.sso");
    true
}

/// The Java services of vCenter, which have no block: authorization and the HTTP front.
fn identity_service(text: &str, draft: &mut Draft<'_>) -> bool {
    let has = |mark: &str| memchr::memmem::find(text.as_bytes(), mark.as_bytes()).is_some();
    if has("com.vmware.") {
        let named = between(text, "User {Name: ", "}")
            .map(|inner| inner.split(", Domain:").next().unwrap_or(inner))
            .or_else(|| between(text, "] User ", " who belongs to"))
            .or_else(|| behind(text, "Session count for user [after add]: ", &[' ']));
        draft.user(named.unwrap_or(""));
        return true;
    }
    if has("tomcat-http--") && has(" [Request] ") {
        return front(text, draft).is_some();
    }
    if let Some((name, command)) = between(text, "User '", "'").zip(between(text, "' running command '", "'")) {
        draft.user(name);
        draft.event.process_command_line = Some(command.to_owned());
        draft.kind(Category::Process, Action::Other);
        return true;
    }
    shell(text, draft) || cron(text, draft)
}

/// `shell[123]: [root]: esxcli …`: what was typed on the host.
fn shell(text: &str, draft: &mut Draft<'_>) -> bool {
    let Some((_, rest)) = text.strip_prefix("shell[").and_then(|rest| rest.split_once("]: [")) else { return false };
    let Some((user, command)) = rest.split_once("]: ") else { return false };
    draft.user(user);
    draft.event.process_command_line = Some(command.to_owned());
    draft.kind(Category::Process, Action::Other);
    true
}

/// `[11/May/2023:10:22:24 +0000] tomcat-http--47 [Request] 192.0.2.1:48866 to local 1080 - …`.
fn front(text: &str, draft: &mut Draft<'_>) -> Option<()> {
    let (_, rest) = text.split_once(" [Request] ")?;
    let (from, rest) = rest.split_once(" to local ")?;
    let (ip, port) = address_and_port(from)?;
    draft.source(ip);
    draft.event.source_port = port;
    draft.event.destination_port = word(rest).0.parse().ok();
    draft.time = between(text, "[", "]").and_then(access_time);
    draft.kind(Category::Network, Action::Other);
    Some(())
}

/// `03/Mar/2026:09:00:00 +0900`.
fn access_time(text: &str) -> Option<PayloadTime> {
    let (date, clock) = text.split_once(':')?;
    let mut parts = date.split('/');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let (stamp, _) = stamp::read(&format!("{month} {day} {year} {clock}"))?;
    Some(PayloadTime::Stamp(stamp))
}

/// `USER root pid 123 cmd /bin/x`: the cron of `ESXi`.
fn cron(text: &str, draft: &mut Draft<'_>) -> bool {
    let text = text.split_once("]: ").map_or(text, |(_, text)| text);
    let Some((user, rest)) = text.strip_prefix("USER ").and_then(|rest| rest.split_once(" pid ")) else { return false };
    let Some((_, command)) = rest.split_once(" cmd ") else { return false };
    draft.user(user);
    draft.event.process_command_line = Some(command.to_owned());
    draft.kind(Category::Process, Action::Other);
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, parse};

    #[test]
    fn audit_records() {
        check(
            "<110>2026-03-03T00:00:00.186Z esx1 shell[1231448]: [shell.cmd@6876 subject=\"root\" object=\"shell\" \
             command=\"ls\" result=\"success\" status=\"0\"]",
            &[
                ("user.name", "root"),
                ("event.code", "shell.cmd"),
                ("native.command", "ls"),
                ("event.outcome", "success"),
                ("host.name", "esx1"),
            ],
        );
    }

    #[test]
    fn a_persons_login_is_one_event() {
        let event = |kind: &str, user: &str, text: &str| {
            format!(
                "<14>1 2026-03-03T00:00:01Z vc1.hospital.example vpxd 4321 - -  Event [7001] [1-1] [2026-03-03T00:00:00.5Z] [{kind}] [info] [{user}] [DC-1] [7001] [{text}]"
            )
        };
        check(
            event(
                "vim.event.UserLoginSessionEvent",
                "HOSPITAL\\sato",
                "User HOSPITAL\\sato@192.0.2.8 logged in as Client/8.0",
            ),
            &[
                ("event.code", "vim.event.UserLoginSessionEvent"),
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "sato"),
                ("user.domain", "hospital"),
                ("source.ip", "192.0.2.8"),
                ("host.name", "vc1.hospital.example"),
                ("@timestamp", "2026-03-03T00:00:00.500000Z"),
            ],
        );
        check(
            event("vim.event.UserLoginSessionEvent", "root", "User root@127.0.0.1 logged in as pyvmomi"),
            &[("event.action", "session-start"), ("user.name", "root")],
        );
        check(
            event("vim.event.BadUsernameSessionEvent", "sato", "Cannot login sato@192.0.2.8"),
            &[("event.action", "login"), ("event.outcome", "failure"), ("source.ip", "192.0.2.8")],
        );
        check(
            event(
                "vim.event.EventEx",
                "sato@hospital.example",
                "Failed login sato@hospital.example from 192.0.2.8 at 03/03/2026 00:00:00 GMT in SSO",
            ),
            &[
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
                ("source.ip", "192.0.2.8"),
            ],
        );
        check(
            event("vim.event.PermissionUpdatedEvent", "HOSPITAL\\admin1", "Permission changed"),
            &[("event.action", "account-change"), ("user.name", "admin1")],
        );
        check(
            event("vim.event.EventEx", "", "SSH session was opened for 'root@192.0.2.8'."),
            &[("event.action", "session-start"), ("user.name", "root")],
        );
    }

    #[test]
    fn the_host_tells_a_login_three_times() {
        let line = |text: &str| {
            format!(
                "<166>2026-03-03T00:00:00.5Z esx1.hospital.example Hostd: info hostd[2099656] [Originator@6876 sub=Vimsvc opID=a-1 user=vpxuser:H\\sato] {text}"
            )
        };
        check(
            line("Event 97 : User root@192.0.2.8 logged in as Client"),
            &[
                ("event.action", "login"),
                ("user.name", "root"),
                ("source.ip", "192.0.2.8"),
                ("host.name", "esx1.hospital.example"),
            ],
        );
        check(
            line("Accepted password for user root from 192.0.2.8"),
            &[("event.action", "other"), ("user.name", "root"), ("event.outcome", "success")],
        );
        check(
            line("Event 98 : Cannot login root@192.0.2.8"),
            &[("event.action", "login"), ("event.outcome", "failure")],
        );
        check(
            line("Rejected password for user root from 192.0.2.8"),
            &[("event.action", "other"), ("event.outcome", "failure")],
        );
        check(line("Loaded plugin"), &[("user.name", "vpxuser"), ("native.sub", "Vimsvc"), ("source.ip", "-")]);
        check(
            line("Failed; <io_obj p:0x0, h:3, <TCP '192.0.2.8 : 443'>, <TCP '192.0.2.9 : 58293'>>"),
            &[
                ("source.ip", "192.0.2.8"),
                ("source.port", "443"),
                ("destination.ip", "192.0.2.9"),
                ("destination.port", "58293"),
            ],
        );
    }

    #[test]
    fn observations_sign_on_and_shell() {
        check(
            "<166>2026-03-03T00:00:00Z esx1 vobd: [GenericCorrelator] 3us: [vob.user.ssh.session.closed] SSH session was closed for 'root@192.0.2.8'.",
            &[
                ("event.code", "vob.user.ssh.session.closed"),
                ("event.action", "session-end"),
                ("source.ip", "192.0.2.8"),
            ],
        );
        check(
            "<166>2026-03-03T00:00:00Z esx1 vobd: [UserLevelCorrelator] 3us: [vob.user.account.locked] Remote access for ESXi local user account 'root' has been locked for 900 seconds after 5 failed login attempts.",
            &[("event.action", "deny"), ("user.name", "root"), ("event.outcome", "failure")],
        );
        check(
            r#"<14>1 2026-03-03T00:00:00Z vc1 sso - - - INFO websso[52:t] [CorId=1] [auditlogger] {"user":"sato@H","client":"192.0.2.8","type":"com.vmware.sso.LoginFailure"}"#,
            &[
                ("event.code", "com.vmware.sso.LoginFailure"),
                ("event.action", "login"),
                ("event.outcome", "failure"),
                ("user.name", "sato"),
            ],
        );
        check(
            "<14>Mar  3 09:00:00 esx1 crond[12]: USER root pid 7 cmd /bin/x",
            &[("user.name", "root"), ("process.command_line", "/bin/x")],
        );
    }

    #[test]
    fn other_lines_are_left_alone() {
        for line in
            ["<14>Mar  3 09:00:00 h app: Event [1] text", "<14>Mar  3 09:00:00 h app: User 'x' went", "Event [1] [vim"]
        {
            assert_ne!(parse(line.as_bytes()).module.as_deref(), Some("vmware"), "{line}");
        }
    }
}
