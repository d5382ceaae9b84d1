//! Trend Micro: Deep Security (Manager and Agent), Apex Central and Apex One, Deep Discovery, as CEF or LEEF.
//!
//! Format: Trend Micro, *Syslog message formats* (Deep Security) and *Syslog Content Mapping – CEF* (Apex Central).
//! Quirks this file owns:
//! * The manager's system events have numbers below 7500: 600 is a login, 6xx are its accounts. An agent's number is that
//!   of the rule, and its million says which module fired.
//! * The endpoint is `dhost` or `shost`, the reporting server `dvchost`; a mail address stands in `dhost` and `shost` of
//!   mail products, and `localhost` means nothing.
//! * The person is `suser` or, in malware detections, `duser`; `(no user)` is nobody.
//! * Apex Central puts some addresses into custom strings whose label tells (`Product/Endpoint_IP`), and a product's
//!   login into prose (`UserName:…,IP address:…`).

use monban_event::{Action, Category, Outcome, account};

use super::cef::{self, Cef};
use super::daemon::{is_denied, traffic};
use super::draft::Draft;
use super::leef;
use super::scan::between;
use crate::header::Header;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    if let Some(record) = cef::find(header.body).filter(|record| is_own(record.vendor)) {
        parse_cef(&record, header, draft);
        return true;
    }
    let Some(record) = leef::find(header.body).filter(|record| is_own(record.vendor)) else { return false };
    mark(record.product, draft);
    draft.rule("trendmicro.leef");
    classify(record.product, record.event_id, draft);
    leef::fill(record, header, draft);
    true
}

fn is_own(vendor: &str) -> bool {
    const NAMES: [&str; 3] = ["Trend Micro", "TrendMicro", "Trend Micro, Inc."];
    NAMES.iter().any(|name| name.eq_ignore_ascii_case(vendor.trim()))
}

fn mark(product: &str, draft: &mut Draft<'_>) {
    let dataset = format!("trendmicro.{}", account::fold(product).replace(' ', "_"));
    draft.product("trendmicro", &dataset, "Trend Micro", product);
}

fn parse_cef(record: &Cef<'_>, header: &Header<'_>, draft: &mut Draft<'_>) {
    mark(record.product, draft);
    draft.rule("trendmicro.cef");
    classify(record.product, record.signature, draft);
    let mut keys = Keys::default();
    for (key, value) in cef::pairs(record.extension) {
        keys.set(key, &value);
    }
    keys.fill(draft);
    cef::fill(record, header, draft);
    if record.product.starts_with("Apex") || record.product == "Control Manager" {
        apex(record, &keys, draft);
    }
    draft.event.user_target_name =
        Some(account::key(&keys.target)).filter(|_| is_account_change(draft) && !account::is_null_word(&keys.target));
}

fn is_account_change(draft: &Draft<'_>) -> bool {
    draft.event.action == Some(Action::AccountChange)
}

#[derive(Default)]
struct Keys {
    suser: String,
    duser: String,
    shost: String,
    dhost: String,
    target: String,
    act: String,
    msg: String,
    /// Labels and values of custom strings that hold the endpoint's address.
    endpoint_label: Option<String>,
    endpoint_ip: String,
}

impl Keys {
    fn set(&mut self, key: &str, value: &str) {
        let slot = match key {
            "suser" => &mut self.suser,
            "duser" => &mut self.duser,
            "shost" => &mut self.shost,
            "dhost" => &mut self.dhost,
            "target" => &mut self.target,
            "act" => &mut self.act,
            "msg" => &mut self.msg,
            _ => return self.custom_string(key, value),
        };
        value.clone_into(slot);
    }

    /// `cs2Label=Product/Endpoint_IP cs2=192.0.2.9`: the label stands before its value.
    fn custom_string(&mut self, key: &str, value: &str) {
        if let Some(name) = key.strip_suffix("Label") {
            let is_endpoint = value.ends_with("Endpoint_IP") || value.ends_with("ClientIPAddress_V4");
            if is_endpoint {
                self.endpoint_label = Some(name.to_owned());
            }
        } else if self.endpoint_label.as_deref() == Some(key) {
            value.clone_into(&mut self.endpoint_ip);
        }
    }

    fn fill(&self, draft: &mut Draft<'_>) {
        for name in [&self.suser, &self.duser] {
            let is_person = !name.starts_with('(');
            // In mail products both are addresses of mail, of which the sender's is no account here.
            if is_person && !name.contains('@') {
                draft.user(name);
            }
        }
        let is_machine = |name: &str| !account::is_null_word(name) && !name.contains('@') && name != "localhost";
        let endpoint = [&self.dhost, &self.shost].into_iter().find(|name| is_machine(name));
        draft.event.host_name = endpoint.cloned();
        draft.source(&self.endpoint_ip);
    }
}

fn classify(product: &str, id: &str, draft: &mut Draft<'_>) {
    if product.starts_with("Deep Security") || product.starts_with("Workload Security") {
        match id.parse::<u32>() {
            Ok(number @ 0..1_000_000) if product.ends_with("Manager") => manager_event(number, draft),
            Ok(number) => agent_event(number, draft),
            Err(_) => {}
        }
        return;
    }
    let (kind, _) = id.split_once(':').unwrap_or((id, ""));
    match kind {
        "AV" | "PML" | "VAD" | "Spyware Detected" | "Spyware" | "BM" | "CnC" | "NVW" => {
            draft.kind(Category::Malware, Action::Detect);
        }
        "EAC" | "DLP" | "WB" | "MS" | "ML" => draft.kind(Category::Network, Action::Detect),
        _ => {}
    }
}

/// System events of the manager.
fn manager_event(number: u32, draft: &mut Draft<'_>) {
    let (category, action, outcome) = match number {
        600 => (Category::Authentication, Action::Login, Outcome::Success),
        160 => (Category::Authentication, Action::Login, Outcome::Failure),
        601 | 602 => (Category::Authentication, Action::Logout, Outcome::Success),
        608 | 609 => (Category::Authentication, Action::Other, Outcome::Failure),
        603 | 604 | 650..=653 | 660..=662 => (Category::Iam, Action::AccountChange, Outcome::Success),
        101 | 150 | 250..=252 | 350..=352 | 410..=499 => {
            (Category::Configuration, Action::ConfigChange, Outcome::Success)
        }
        _ => (Category::Host, Action::Other, Outcome::Unknown),
    };
    draft.kind(category, action);
    draft.event.outcome = Some(outcome);
}

/// Events of an agent's modules.
fn agent_event(number: u32, draft: &mut Draft<'_>) {
    let (category, action) = match number {
        10 | 1_000_000..2_000_000 => (Category::Network, Action::Detect),
        30 | 2_000_000..3_000_000 => (Category::File, Action::Detect),
        40 | 3_000_000..4_000_000 => (Category::Host, Action::Detect),
        4_000_000..5_000_000 => (Category::Malware, Action::Detect),
        5_000_000..6_000_000 => (Category::Network, Action::Deny),
        6_000_000..7_000_000 => (Category::Process, Action::Detect),
        // The firewall: 20 logs, 21 denies; `act` tells, and the standard keys take it from there.
        _ => return,
    };
    draft.kind(category, action);
}

/// What Apex Central's records say beside the standard keys.
fn apex(record: &Cef<'_>, keys: &Keys, draft: &mut Draft<'_>) {
    if record.name.contains("Logon/Logoff") {
        draft.user(between(&keys.msg, "UserName:", ",").unwrap_or(""));
        draft.source(between(&keys.msg, "IP address:", ",").unwrap_or(""));
        let action = if keys.msg.contains("logged off") || keys.msg.contains("logged out") {
            Action::Logout
        } else {
            Action::Login
        };
        draft.kind(Category::Authentication, action);
        let failed = keys.msg.contains("fail");
        draft.event.outcome = Some(if failed { Outcome::Failure } else { Outcome::Success });
    } else if let Some(denied) = is_denied(&keys.act).filter(|_| draft.event.category.is_none()) {
        traffic(draft, denied);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn manager_logins_and_accounts() {
        check(
            "Mar  3 09:00:00 dsm1 CEF:0|Trend Micro|Deep Security Manager|20.0.1|600|User Signed In|3|src=192.0.2.9 \
             suser=yamada target=yamada msg=User signed in from 192.0.2.9",
            &[
                ("event.action", "login"),
                ("event.outcome", "success"),
                ("user.name", "yamada"),
                ("user.target.name", "-"),
                ("source.ip", "192.0.2.9"),
                ("observer.hostname", "dsm1"),
                ("event.code", "600"),
            ],
        );
        check(
            "CEF:0|Trend Micro|Deep Security Manager|20.0.1|650|User Created|3|src=192.0.2.9 suser=yamada target=vendor01",
            &[("event.action", "account-change"), ("user.target.name", "vendor01")],
        );
        check(
            "LEEF:2.0|Trend Micro|Deep Security Manager|20.0.1|160|cat=System\tname=Authentication Failed\tusrName=sato\tsrc=192.0.2.9",
            &[("event.action", "login"), ("event.outcome", "failure"), ("user.name", "sato"), ("event.code", "160")],
        );
    }

    #[test]
    fn agent_modules() {
        check(
            "CEF:0|Trend Micro|Deep Security Agent|20.0|4000000|Eicar_test_file|6|cn1=1 cn1Label=Host ID dvchost=ws1 \
             filePath=C:\\\\a.com act=Delete suser=(no user)",
            &[("event.category", "malware"), ("observer.hostname", "ws1"), ("user.name", "-")],
        );
        check(
            "CEF:0|Trend Micro|Deep Security Agent|20.0|21|Unsolicited TCP|5|dvchost=ws1 act=Deny src=203.0.113.9 \
             dst=192.0.2.1 spt=1 dpt=445",
            &[("event.action", "deny"), ("event.category", "network"), ("destination.port", "445")],
        );
    }

    #[test]
    fn apex_central() {
        check(
            "CEF:0|Trend Micro|Apex Central|2019|AV:File cleaned|EICAR|3|rt=Mar 03 2026 00:00:00 GMT+00:00 dhost=ws1 \
             duser=ws1\\\\sato act=File cleaned dvchost=apex.hospital.example dst=192.0.2.5",
            &[
                ("event.category", "malware"),
                ("host.name", "ws1"),
                ("observer.hostname", "apex.hospital.example"),
                ("user.name", "sato"),
                ("user.target.name", "-"),
                ("@timestamp", "2026-03-03T00:00:00.000000Z"),
            ],
        );
        check(
            "CEF:0|Trend Micro|Apex Central|2019|800102|Engine Update Status|3|shost=ws1 cs2Label=Product/Endpoint_IP \
             cs2=192.0.2.6",
            &[("source.ip", "192.0.2.6"), ("host.name", "ws1")],
        );
        check(
            "CEF:0|Trend Micro|Apex Central|2019|700211|Managed Product Logon/Logoff Events|3|shost=mx1 msg=A user has \
             logged on. Detail Information :UserName:CORP\\\\yamada,IP address:192.0.2.7,EventType:Log in/out.",
            &[("event.action", "login"), ("user.name", "yamada"), ("source.ip", "192.0.2.7"), ("host.name", "mx1")],
        );
        check(
            "CEF:0|Trend Micro|Apex Central|2019|MS:0|policy|3|dhost=a@hospital.example duser=a@hospital.example \
             dvchost=ddei1 src=192.0.2.8",
            &[("user.name", "-"), ("host.name", "-"), ("observer.hostname", "ddei1")],
        );
    }
}
