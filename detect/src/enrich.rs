//! What hospitals need and Sigma cannot say, computed before matching: the `monban.*` fields. Owns what counts as a
//! login (figures N08 and N09) and how the hospital's own files speak about an event. Stateless: one event and the
//! context, no clock and no memory; what needs memory (the same attempt reported twice) is `session`'s.

use monban_event::time::jst_date;
use monban_event::{Action, Category, Event, Login, LoginKind, Outcome};

use crate::context::{AccountClass, Context, MachineRole, is_system};

/// Logon types a person or a remote machine logs on with; 4 (batch) and 5 (service) are a server talking to itself.
const WINDOWS_LOGON_TYPES: [i64; 7] = [2, 3, 7, 8, 9, 10, 11];
/// SIDs of the system itself, whatever its accounts are called in the server's language: SYSTEM, LOCAL SERVICE,
/// NETWORK SERVICE, ANONYMOUS LOGON, and the window manager's and font driver's accounts.
const SYSTEM_SIDS: [&str; 6] = ["S-1-5-18", "S-1-5-19", "S-1-5-20", "S-1-5-7", "S-1-5-90-", "S-1-5-96-"];
/// 22:00–5:00 JST.
const NIGHT_FROM_HOUR: u32 = 22;
const NIGHT_UNTIL_HOUR: u32 = 5;

/// Sets the `monban.*` fields of `event`, replacing what they held.
pub fn enrich(context: &Context, event: &mut Event) {
    let attempt = login(event);
    event.login = attempt.map(|(login, _)| login);
    event.login_kind = attempt.map(|(_, kind)| kind);
    enrich_time(context, event);
    enrich_source(context, event);
    enrich_account(context, event);
}

fn enrich_time(context: &Context, event: &mut Event) {
    use chrono::Timelike;
    let local = event.time().with_timezone(&monban_event::time::JST);
    event.night = Some(local.hour() >= NIGHT_FROM_HOUR || local.hour() < NIGHT_UNTIL_HOUR);
    event.holiday = Some(context.calendar().is_holiday(jst_date(event.time())));
}

fn enrich_source(context: &Context, event: &mut Event) {
    let time = event.time();
    event.source_zone = event.source_ip.map(|ip| context.zone(ip, time));
    event.allow_list_known = Some(context.allow_list_known());
    let judged = event.source_ip.filter(|_| context.allow_list_known());
    event.allow_listed = judged.map(|ip| context.is_allowed(ip, time));
    let role = |role: MachineRole| role.as_str().to_owned();
    event.host_role = event.device().and_then(|machine| context.machine_role(machine)).map(role);
    event.source_role = event.source_ip.and_then(|ip| context.role_at(ip)).map(role);
    event.undeclared_way =
        event.source_ip.zip(event.device()).and_then(|(from, to)| context.is_undeclared_way(from, to));
}

fn enrich_account(context: &Context, event: &mut Event) {
    (event.account_class, event.account_state, event.vendor, event.after_hours) = (None, None, None, None);
    (event.ticket, event.on_duty) = (None, None);
    event.maintenance = event.device().and_then(|machine| context.is_maintained(machine, event.time()));
    let Some(user) = event.user_name.as_deref() else { return };
    let time = event.time();
    let mut facts = context.account(user, time);
    if is_system_user(event, user) {
        (facts.class, facts.state) = (AccountClass::System, None);
    }
    let vpn = event.login_kind == Some(LoginKind::Vpn);
    let permitted = context.permits(user, &facts, vpn, time);
    event.account_class = Some(facts.class.as_str().to_owned());
    event.account_state = facts.state.map(|state| state.as_str().to_owned());
    let ticket = facts.vendor.and_then(|vendor| context.ticket(vendor, time));
    let (vendor, on_duty) = (facts.vendor.map(str::to_owned), context.is_on_duty(user, time));
    event.ticket = ticket.map(|state| state.as_str().to_owned());
    (event.vendor, event.on_duty) = (vendor, on_duty);
    event.after_hours = Some(!permitted);
}

/// What kind of login the event reports, if it reports one.
fn login(event: &Event) -> Option<(Login, LoginKind)> {
    if is_windows(event) {
        return windows_login(event).map(|login| (login, LoginKind::Windows));
    }
    let login = match event.outcome? {
        Outcome::Success => Login::Success,
        Outcome::Failure => Login::Failure,
        Outcome::Unknown => return None,
    };
    let kind = device_login_kind(event)?;
    // A VPN's success is its session: the line that says "authenticated" comes before it and would count twice. A tunnel
    // that names nobody joins two sites.
    let counts = match (kind, login, event.action?) {
        (LoginKind::Vpn, Login::Success, _) if event.user_name.is_none() => false,
        (LoginKind::Vpn, Login::Success, Action::Login) => !session_follows(event),
        (LoginKind::Vpn, _, Action::Login | Action::SessionStart) => true,
        (LoginKind::Device | LoginKind::Host, _, action) => action == Action::Login,
        _ => false,
    };
    counts.then_some((login, kind))
}

/// Families that report an authentication and then, in a line of its own, the session it opened.
fn session_follows(event: &Event) -> bool {
    matches!(event.module.as_deref(), Some("fortinet" | "cisco" | "yamaha" | "paloalto")) || is_admission(event)
}

/// A VPN has a type in every dialect. Other sessions (a job of cron, a desktop, a tunnel of a router to its provider) are
/// nobody's VPN login.
fn device_login_kind(event: &Event) -> Option<LoginKind> {
    if event.vpn_type.is_some() || is_asa_remote_access(event) {
        return Some(LoginKind::Vpn);
    }
    if event.category != Some(Category::Authentication) || is_firewall_user(event) || is_admission(event) {
        return None;
    }
    Some(if is_host(event) { LoginKind::Host } else { LoginKind::Device })
}

/// Answers of RADIUS servers that keep no accounts of their own: they let a person or a machine into a network, and the
/// device that asked tells who entered it.
fn is_admission(event: &Event) -> bool {
    matches!(event.dataset.as_deref(), Some("freeradius.auth" | "microsoft.nps"))
}

/// AAA answers of an ASA (113004, 113005, 113012, 113015) are about remote-access users; administrators have 605004,
/// 605005, 611101 and 113021.
fn is_asa_remote_access(event: &Event) -> bool {
    let is_answer = |code: &str| code.starts_with("1130") && code != "113021";
    event.module.as_deref() == Some("cisco") && event.code.as_deref().is_some_and(is_answer)
}

/// A `FortiGate`'s `subtype=user` lines are users passing the firewall, not administrators entering it.
fn is_firewall_user(event: &Event) -> bool {
    event.module.as_deref() == Some("fortinet")
        && event.native.get("subtype").is_some_and(|subtype| subtype.starts_with("user"))
}

fn is_host(event: &Event) -> bool {
    event.module.as_deref() == Some("linux") || event.host_name.is_some() && event.observer_vendor.is_none()
}

fn is_windows(event: &Event) -> bool {
    event.winlog_event_id.is_some()
}

/// N08 and N09 of the Windows Security log. Other channels number their events as they like.
fn windows_login(event: &Event) -> Option<Login> {
    let channel = event.winlog_channel.as_deref().unwrap_or("Security");
    if !channel.eq_ignore_ascii_case("Security") {
        return None;
    }
    match event.winlog_event_id? {
        4624 if counts_as_success(event) => Some(Login::Success),
        4625 | 4771 if names_a_person(event) => Some(Login::Failure),
        4768 | 4776 if names_a_person(event) && is_error(event.native.get("Status")) => Some(Login::Failure),
        _ => None,
    }
}

fn counts_as_success(event: &Event) -> bool {
    let logon_type = event.winlog_logon_type.or_else(|| event.native.get("LogonType")?.parse().ok());
    logon_type.is_some_and(|logon_type| WINDOWS_LOGON_TYPES.contains(&logon_type))
        && names_a_person(event)
        && !is_self_logon(event)
}

fn names_a_person(event: &Event) -> bool {
    event.user_name.as_deref().is_some_and(|user| !is_system_user(event, user))
}

fn is_system_user(event: &Event, user: &str) -> bool {
    let sid = event.native.get("TargetUserSid").or(event.user_id.as_deref()).unwrap_or("");
    is_system(user)
        || SYSTEM_SIDS.iter().any(|known| if known.ends_with('-') { sid.starts_with(known) } else { sid == *known })
}

/// A service of the machine logging its own account on to the machine: type 3 from nowhere, by the service manager.
fn is_self_logon(event: &Event) -> bool {
    let by_services =
        event.native.get("ProcessName").is_some_and(|path| path.to_ascii_lowercase().ends_with("\\services.exe"));
    by_services && event.source_ip.is_none_or(|ip| ip.is_loopback())
}

/// Whether a status is an error: `0x0` and nothing at all are not.
fn is_error(status: Option<&str>) -> bool {
    status.is_some_and(|status| !status.trim_start_matches("0x").trim_matches('0').is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::ContextTexts;
    use monban_event::SourceZone;

    fn windows(id: i64, logon_type: Option<i64>, user: &str, native: &[(&str, &str)]) -> Event {
        Event {
            module: Some("windows".to_owned()),
            winlog_event_id: Some(id),
            winlog_channel: Some("Security".to_owned()),
            winlog_logon_type: logon_type,
            user_name: Some(user.to_owned()),
            native: native.iter().copied().collect(),
            ..Event::default()
        }
    }

    fn check(event: &Event, expected: Option<(Login, LoginKind)>) {
        assert_eq!(login(event), expected, "{:?} {:?}", event.winlog_event_id, event.user_name);
    }

    #[test]
    fn windows_logons_of_people_count() {
        let success = Some((Login::Success, LoginKind::Windows));
        for logon_type in WINDOWS_LOGON_TYPES {
            check(&windows(4624, Some(logon_type), "yamada", &[]), success);
        }
        check(&windows(4624, Some(5), "svc_bk", &[]), None);
        check(&windows(4624, Some(3), "dc01$", &[]), None);
        check(&windows(4624, Some(3), "anonymous logon", &[]), None);
        check(&windows(4624, Some(2), "dwm-3", &[]), None);
        check(&windows(4624, Some(3), "système", &[("TargetUserSid", "S-1-5-18")]), None);
        check(&windows(4624, Some(3), "svc_bk", &[("ProcessName", "C:\\Windows\\System32\\services.exe")]), None);
    }

    #[test]
    fn windows_failures_need_an_error() {
        let failure = Some((Login::Failure, LoginKind::Windows));
        check(&windows(4625, Some(3), "yamada", &[]), failure);
        check(&windows(4771, None, "yamada", &[("Status", "0x18")]), failure);
        check(&windows(4776, None, "yamada", &[("Status", "0xC000006A")]), failure);
        check(&windows(4776, None, "yamada", &[("Status", "0x0")]), None);
        check(&windows(4768, None, "yamada", &[("Status", "0x0")]), None);
        check(&windows(4768, None, "yamada", &[("Status", "0x6")]), failure);
        let other = Event { winlog_channel: Some("Application".to_owned()), ..windows(4625, Some(3), "yamada", &[]) };
        check(&other, None);
    }

    fn device(module: &str, category: Category, action: Action, outcome: Outcome, vpn: Option<&str>) -> Event {
        Event {
            module: Some(module.to_owned()),
            observer_vendor: Some(module.to_owned()),
            category: Some(category),
            action: Some(action),
            outcome: Some(outcome),
            vpn_type: vpn.map(str::to_owned),
            user_name: Some("yamada".to_owned()),
            ..Event::default()
        }
    }

    #[test]
    fn devices_and_hosts() {
        use Action::{Login as LogIn, SessionEnd, SessionStart};
        use Category::{Authentication, Session};
        let is = |event: Event| login(&event);
        assert_eq!(
            is(device("fortinet", Session, SessionStart, Outcome::Success, Some("ssl"))),
            Some((Login::Success, LoginKind::Vpn))
        );
        assert_eq!(
            is(device("fortinet", Authentication, LogIn, Outcome::Failure, Some("ssl"))),
            Some((Login::Failure, LoginKind::Vpn))
        );
        assert_eq!(is(device("fortinet", Session, SessionEnd, Outcome::Success, Some("ssl"))), None);
        assert_eq!(
            is(device("fortinet", Authentication, LogIn, Outcome::Success, None)),
            Some((Login::Success, LoginKind::Device))
        );
        let portal = Event {
            native: [("subtype", "user")].into_iter().collect(),
            ..device("fortinet", Authentication, LogIn, Outcome::Success, None)
        };
        assert_eq!(is(portal), None);
        let aaa =
            Event { code: Some("113005".to_owned()), ..device("cisco", Authentication, LogIn, Outcome::Failure, None) };
        assert_eq!(is(aaa), Some((Login::Failure, LoginKind::Vpn)));
        let sshd = Event { observer_vendor: None, ..device("linux", Authentication, LogIn, Outcome::Failure, None) };
        assert_eq!(is(sshd), Some((Login::Failure, LoginKind::Host)));
        let cron = Event { observer_vendor: None, ..device("linux", Session, SessionStart, Outcome::Success, None) };
        assert_eq!(is(cron), None);
        assert_eq!(is(device("vmware", Session, SessionStart, Outcome::Success, None)), None, "a desktop is no VPN");
        let sites =
            Event { user_name: None, ..device("fortinet", Session, SessionStart, Outcome::Success, Some("ipsec")) };
        assert_eq!(is(sites), None, "a tunnel between two sites is nobody's login");
        let admitted = Event {
            dataset: Some("microsoft.nps".to_owned()),
            ..device("microsoft", Authentication, LogIn, Outcome::Failure, None)
        };
        assert_eq!(is(admitted), None);
        let console =
            Event { code: Some("113021".to_owned()), ..device("cisco", Authentication, LogIn, Outcome::Failure, None) };
        assert_eq!(is(console), Some((Login::Failure, LoginKind::Device)));
    }

    #[test]
    fn the_hospital_speaks_about_an_event() {
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let (context, _) = Context::read(&ContextTexts {
            roster: text("氏名,職種,VPNアカウント,退職日\n佐藤,事務,sato_k,2026/9/30\n"),
            allow: text("接続元,名称\n198.51.100.0/24,本院\n"),
            ..ContextTexts::default()
        });
        let mut event = Event {
            event_time: "2026-10-06T02:14:00+09:00".parse().ok(),
            user_name: Some("sato_k".to_owned()),
            source_ip: "203.0.113.9".parse().ok(),
            ..device("fortinet", Category::Session, Action::SessionStart, Outcome::Success, Some("ssl"))
        };
        event.user_name = Some("sato_k".to_owned());
        enrich(&context, &mut event);
        assert_eq!(event.account_state.as_deref(), Some("retired"));
        assert_eq!(event.account_class.as_deref(), Some("staff"));
        assert_eq!((event.after_hours, event.night, event.holiday), (Some(true), Some(true), Some(false)));
        assert_eq!((event.allow_listed, event.allow_list_known), (Some(false), Some(true)));
        assert_eq!(event.source_zone, Some(SourceZone::Outside));
        enrich(&Context::default(), &mut event);
        assert_eq!((event.account_state.as_deref(), event.allow_listed), (None, None));
    }
}
