//! Sigma's names for the logs of devices and of hosts that are not Windows: which lines a service or a category means,
//! and which names a field answers to. After `SigmaHQ`'s log source definitions, and after what its rules ask for where
//! those leave it open.

use std::borrow::Cow;

use monban_event::{Action, Category, Event, NativeFields};

/// Whether the event is of that log of that product; `None` where the service has no meaning of its own here.
pub(super) fn service(event: &Event, product: Option<&str>, service: &str) -> Option<bool> {
    Some(match (product?, service) {
        // Commands and logins, whoever of the family reports them.
        ("cisco", "aaa") => {
            let is_aaa = |category| {
                matches!(
                    category,
                    Category::Configuration | Category::Authentication | Category::Iam | Category::Session
                )
            };
            event.category.is_some_and(is_aaa)
        }
        ("cisco" | "linux", "syslog") => true,
        ("cisco" | "juniper" | "huawei", "bgp") => says(event, &["BGP", ":179", "TCP-6-BADAUTH"]),
        ("cisco", "ldp") => says(event, &["LDP"]),
        ("fortios" | "fortigate", "sslvpnd") => {
            event.vpn_type.as_deref() == Some("ssl") || says(event, &["sslvpnd", "sslvpn"])
        }
        ("paloalto", "globalprotect") => {
            let named = ["type", "subtype"].iter().filter_map(|name| event.native.get(name));
            event.vpn_type.is_some() || named.into_iter().any(|kind| kind.eq_ignore_ascii_case("globalprotect"))
        }
        ("linux", "auth") => is_of_auth(event),
        ("linux", "sshd") => is_program(event, &["sshd", "sshd-session", "sshd-auth"]),
        ("linux", "cron") => is_program(event, &["cron", "crond", "anacron", "crontab"]),
        ("linux", "clamav") => is_program(event, &CLAMAV),
        ("linux", "auditd") => event.dataset.as_deref() == Some("linux.auditd"),
        _ => return None,
    })
}

const CLAMAV: [&str; 5] = ["clamd", "clamav", "clamscan", "freshclam", "clamav-daemon"];

/// Whether a host's line without a parser of its own is that of a Linux machine: programs of hosts name their machine and
/// nobody's product.
pub(super) fn is_unix_host(event: &Event) -> bool {
    let of_host = event.host_name.is_some() && event.process_name.is_some();
    event.module.is_none() && (of_host || is_program(event, &CLAMAV))
}

/// What a category means beyond Windows; `None` where only the event's own category can tell.
pub(super) fn category(event: &Event, category: &str) -> Option<bool> {
    let windows = event.module.as_deref() == Some("windows");
    Some(match category {
        "antivirus" => event.category == Some(Category::Malware),
        "firewall" => event.category == Some(Category::Network) && !windows && !is_web(event),
        "vpn" => event.vpn_type.is_some(),
        "dns" => !windows && query(event).is_some(),
        "proxy" => !windows && is_proxy(event),
        "webserver" => !windows && is_web(event) && !is_proxy(event),
        "process_creation" => !windows && is_execution(event),
        "file_event" => !windows && is_creation(event),
        // Every line of a device is its appliance's.
        "appliance" => event.observer_vendor.is_some(),
        _ => return None,
    })
}

fn says(event: &Event, words: &[&str]) -> bool {
    let message = event.message.as_deref().unwrap_or("");
    words.iter().any(|word| message.contains(word) || event.code.as_deref().is_some_and(|code| code.contains(word)))
}

fn is_program(event: &Event, names: &[&str]) -> bool {
    event.process_name.as_deref().is_some_and(|program| {
        let program = program.rsplit('/').next().unwrap_or(program);
        names.iter().any(|name| name.eq_ignore_ascii_case(program))
    })
}

/// What goes to `auth.log` or `secure`.
fn is_of_auth(event: &Event) -> bool {
    const PROGRAMS: [&str; 17] = [
        "sshd",
        "sshd-session",
        "sudo",
        "su",
        "login",
        "pkexec",
        "polkitd",
        "systemd-logind",
        "useradd",
        "usermod",
        "userdel",
        "groupadd",
        "passwd",
        "chpasswd",
        "gdm-password",
        "cron",
        "chage",
    ];
    let of_accounts = matches!(event.category, Some(Category::Authentication | Category::Iam));
    is_program(event, &PROGRAMS) || of_accounts && event.dataset.as_deref() != Some("linux.auditd")
}

fn native<'a>(event: &'a Event, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| event.native.get(name))
}

const URLS: [&str; 4] = ["url", "request", "c-uri", "cs-uri-stem"];

fn is_web(event: &Event) -> bool {
    matches!(event.dataset.as_deref(), Some("web.access" | "squid.access" | "sophos.web_appliance" | "haproxy.log"))
        || event.native.get("cs-method").is_some()
}

fn is_proxy(event: &Event) -> bool {
    let is_filter = || {
        let kinds = ["subtype", "type"].iter().filter_map(|name| event.native.get(name));
        event.native.get("url").is_some() && kinds.into_iter().any(|kind| matches!(kind, "webfilter" | "url"))
    };
    matches!(event.dataset.as_deref(), Some("squid.access" | "sophos.web_appliance")) || is_filter()
}

fn query(event: &Event) -> Option<&str> {
    native(event, &["dns.name", "qname"])
}

/// The audit system tells the start of a program in records of one number, of which each knows a part.
fn is_execution(event: &Event) -> bool {
    let is_execve =
        || native(event, &["SYSCALL", "syscall"]).is_some_and(|call| matches!(call, "execve" | "59" | "221"));
    event.dataset.as_deref() == Some("linux.auditd")
        && match event.code.as_deref() {
            Some("EXECVE") => true,
            Some("SYSCALL") => is_execve(),
            _ => false,
        }
}

fn is_creation(event: &Event) -> bool {
    event.dataset.as_deref() == Some("linux.auditd")
        && event.native.get("nametype") == Some("CREATE")
        && event.native.get("name").is_some()
}

/// The further names of an event's fields, as rules of these log sources write them.
pub(super) const NAMES: [&str; 30] = [
    "src_ip",
    "src_port",
    "dst_ip",
    "dst_port",
    "c-ip",
    "c-uri",
    "cs-uri",
    "cs-uri-query",
    "cs-uri-stem",
    "cs-host",
    "cs-method",
    "sc-status",
    "c-useragent",
    "cs-user-agent",
    "cs-referer",
    "cs-referrer",
    "cs-username",
    "query",
    "record_type",
    "Filename",
    "Signature",
    "Image",
    "CommandLine",
    "TargetFilename",
    "User",
    "action",
    "blocked",
    "SourceIp",
    "DestinationIp",
    "DestinationPort",
];

/// A field under a rule's name for it. A device's own name counts before it.
pub(super) fn field<'a>(event: &'a Event, name: &str) -> Option<Cow<'a, str>> {
    if event.module.as_deref() == Some("windows") {
        return None;
    }
    let own = |value: Option<&'a str>| value.map(Cow::Borrowed);
    let number = |value: Option<i64>| value.map(|value| Cow::Owned(value.to_string()));
    let address = |value: Option<std::net::IpAddr>| value.map(|value| Cow::Owned(value.to_string()));
    match name {
        "src_ip" | "c-ip" | "SourceIp" => address(event.source_ip),
        "dst_ip" | "DestinationIp" => address(event.destination_ip),
        "src_port" => number(event.source_port),
        "dst_port" | "DestinationPort" => number(event.destination_port),
        "action" => own(event.action.and_then(verdict)),
        "blocked" => {
            own(event.action.and_then(verdict).map(|verdict| if verdict == "deny" { "true" } else { "false" }))
        }
        "query" => own(query(event)),
        "record_type" => own(native(event, &["dns.type", "qtype"])),
        "Image" | "CommandLine" | "TargetFilename" if event.dataset.as_deref() == Some("linux.auditd") => {
            own(audited(event, name))
        }
        "Filename" if event.category == Some(Category::Malware) => own(native(event, &FILES)),
        "Signature" if event.category == Some(Category::Malware) => own(native(event, &SIGNATURES)),
        "User" => own(event.user_raw.as_deref().or(event.user_name.as_deref())),
        _ if is_web_name(name) && (is_web(event) || is_proxy(event)) => web(event, name),
        _ => None,
    }
}

/// The columns of W3C's extended log format: of the client, of the server, and between both.
fn is_web_name(name: &str) -> bool {
    ["c-", "cs-", "sc-"].iter().any(|start| name.starts_with(start))
}

/// Firewalls' own word for what our action says.
fn verdict(action: Action) -> Option<&'static str> {
    match action {
        Action::Allow => Some("accept"),
        Action::Deny => Some("deny"),
        _ => None,
    }
}

fn audited<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    match name {
        "TargetFilename" => event.native.get("name").filter(|_| is_creation(event)),
        "CommandLine" if event.code.as_deref() == Some("EXECVE") => event.process_command_line.as_deref(),
        "Image" => native(event, &["exe", "a0"]),
        _ => None,
    }
}

/// What scanners call the file and what was found in it.
const FILES: [&str; 12] = [
    "filePath",
    "file_path",
    "FilePath",
    "file",
    "filename",
    "fname",
    "object_uri",
    "File path",
    "File name",
    "object",
    "virusfile",
    "FileName",
];
const SIGNATURES: [&str; 10] =
    ["virus", "threat_name", "threatName", "VirusName", "Risk name", "malware", "cn1", "signature", "threatid", "name"];

/// Columns of access logs. Rules of web servers ask for path and query together under the name of the query.
fn web<'a>(event: &'a Event, name: &str) -> Option<Cow<'a, str>> {
    let url = native(event, &URLS)?;
    let url = url.split(' ').find(|word| word.contains('/') && !word.starts_with("HTTP/")).unwrap_or(url);
    let value = match name {
        "c-uri" | "cs-uri" => url,
        "cs-uri-query" => {
            if is_proxy(event) {
                url.split_once('?')?.1
            } else {
                url
            }
        }
        "cs-uri-stem" => url.split('?').next().unwrap_or(url),
        "cs-host" => event.destination_domain.as_deref()?,
        "cs-method" => native(event, &["method", "meth", "httpmethod"])?,
        "sc-status" => status(&event.native)?,
        "c-useragent" | "cs-user-agent" => native(event, &["user_agent", "agent"])?,
        "cs-referer" | "cs-referrer" => native(event, &["referer", "referralurl"])?,
        "cs-username" => event.user_raw.as_deref()?,
        _ => return None,
    };
    Some(Cow::Borrowed(value))
}

/// `200`, or behind Squid's `TCP_MISS/200`.
fn status(native: &NativeFields) -> Option<&str> {
    let plain = native.get("status").or_else(|| native.get("s"));
    plain.or_else(|| native.get("result")?.rsplit('/').next())
}
