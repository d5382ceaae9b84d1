//! Sigma's names for the logs of Windows: which channel and event numbers a category or service means, and which names
//! a field answers to when the same thing is written by another log. After `SigmaHQ`'s log source definitions.

use monban_event::Event;

/// Events of these channels, of these numbers (all where the list is empty), with one of these `EventType` values (any
/// where the list is empty).
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition {
    pub(super) channels: &'static [&'static str],
    pub(super) ids: &'static [i64],
    pub(super) event_types: &'static [&'static str],
}

const fn events(channels: &'static [&'static str], ids: &'static [i64]) -> Condition {
    Condition { channels, ids, event_types: &[] }
}

const SYSMON: &[&str] = &["microsoft-windows-sysmon/operational"];
const SECURITY: &[&str] = &["security"];
const POWERSHELL: &[&str] = &["microsoft-windows-powershell/operational", "powershellcore/operational"];
const POWERSHELL_CLASSIC: &[&str] = &["windows powershell"];
const DEFENDER: &[&str] = &["microsoft-windows-windows defender/operational"];
const KERNEL_FILE: &[&str] = &["microsoft-windows-kernel-file/analytic"];

const fn sysmon(ids: &'static [i64]) -> Condition {
    events(SYSMON, ids)
}

/// Sysmon writes creating and deleting keys under one number and tells them apart in `EventType`; rules of
/// `registry_delete` rely on their log source to mean the deletions.
const fn registry(ids: &'static [i64], event_types: &'static [&'static str]) -> Condition {
    Condition { channels: SYSMON, ids, event_types }
}

/// The events a category of Windows means; empty where the category is not one of Windows.
pub(super) fn category(name: &str) -> &'static [Condition] {
    match name {
        "process_creation" => &const { [sysmon(&[1]), events(SECURITY, &[4688])] },
        "file_change" => &const { [sysmon(&[2])] },
        "network_connection" => &const { [sysmon(&[3])] },
        "sysmon_status" => &const { [sysmon(&[4, 16])] },
        "process_termination" => &const { [sysmon(&[5]), events(SECURITY, &[4689])] },
        "driver_load" => &const { [sysmon(&[6])] },
        "image_load" => &const { [sysmon(&[7])] },
        "create_remote_thread" => &const { [sysmon(&[8])] },
        "raw_access_thread" => &const { [sysmon(&[9])] },
        "process_access" => &const { [sysmon(&[10])] },
        "file_event" => &const { [sysmon(&[11])] },
        "registry_add" => &const { [registry(&[12], &["CreateKey"])] },
        "registry_delete" => &const { [registry(&[12], &["DeleteKey", "DeleteValue"])] },
        "registry_set" => &const { [sysmon(&[13])] },
        "registry_rename" => &const { [sysmon(&[14])] },
        "registry_event" => &const { [sysmon(&[12, 13, 14])] },
        "create_stream_hash" => &const { [sysmon(&[15])] },
        "pipe_created" => &const { [sysmon(&[17, 18])] },
        "wmi_event" => &const { [sysmon(&[19, 20, 21])] },
        "dns_query" => &const { [sysmon(&[22])] },
        "file_delete" => &const { [sysmon(&[23, 26])] },
        "clipboard_capture" => &const { [sysmon(&[24])] },
        "process_tampering" => &const { [sysmon(&[25])] },
        "file_block_executable" => &const { [sysmon(&[27])] },
        "file_block_shredding" => &const { [sysmon(&[28])] },
        "file_executable_detected" => &const { [sysmon(&[29])] },
        "sysmon_error" => &const { [sysmon(&[255])] },
        "ps_module" => &const { [events(POWERSHELL, &[4103])] },
        "ps_script" => &const { [events(POWERSHELL, &[4104])] },
        "ps_classic_start" => &const { [events(POWERSHELL_CLASSIC, &[400])] },
        "ps_classic_provider_start" => &const { [events(POWERSHELL_CLASSIC, &[600])] },
        "ps_classic_script" => &const { [events(POWERSHELL_CLASSIC, &[800])] },
        "file_access" => &const { [events(KERNEL_FILE, &[12])] },
        "file_rename" => &const { [events(KERNEL_FILE, &[19, 27])] },
        "antivirus" => &const { [events(DEFENDER, &[1006, 1007, 1008, 1015, 1116, 1117, 1118, 1119])] },
        _ => &[],
    }
}

/// The channels a service of Windows means; empty where the service is not one of Windows.
pub(super) fn service(name: &str) -> &'static [&'static str] {
    match name {
        "application" => &["application"],
        "applocker" => &[
            "microsoft-windows-applocker/msi and script",
            "microsoft-windows-applocker/exe and dll",
            "microsoft-windows-applocker/packaged app-deployment",
            "microsoft-windows-applocker/packaged app-execution",
        ],
        "appmodel-runtime" => &["microsoft-windows-appmodel-runtime/admin"],
        "appxdeployment-server" => &["microsoft-windows-appxdeploymentserver/operational"],
        "appxpackaging-om" => &["microsoft-windows-appxpackaging/operational"],
        "audit-cve" => &["microsoft-windows-audit-cve"],
        "bitlocker" => &["microsoft-windows-bitlocker/bitlocker management"],
        "bits-client" => &["microsoft-windows-bits-client/operational"],
        "capi2" => &["microsoft-windows-capi2/operational"],
        "certificateservicesclient-lifecycle-system" => {
            &["microsoft-windows-certificateservicesclient-lifecycle-system/operational"]
        }
        "codeintegrity-operational" => &["microsoft-windows-codeintegrity/operational"],
        "dhcp" => &["microsoft-windows-dhcp-server/operational"],
        "diagnosis-scripted" => &["microsoft-windows-diagnosis-scripted/operational"],
        "dns-client" => {
            &["microsoft-windows-dns client events/operational", "microsoft-windows-dns-client/operational"]
        }
        "dns-server" => &["dns server"],
        "dns-server-analytic" => &["microsoft-windows-dns-server/analytical"],
        "dns-server-audit" => &["microsoft-windows-dnsserver/audit", "microsoft-windows-dns-server/audit"],
        "driver-framework" => &["microsoft-windows-driverframeworks-usermode/operational"],
        "firewall-as" => &["microsoft-windows-windows firewall with advanced security/firewall"],
        "hyper-v-worker" => &["microsoft-windows-hyper-v-worker-admin", "microsoft-windows-hyper-v-worker"],
        "iis-configuration" => &["microsoft-iis-configuration/operational"],
        "kernel-event-tracing" => {
            &["microsoft-windows-kernel-eventtracing", "microsoft-windows-kernel-eventtracing/admin"]
        }
        "kernel-shimengine" => {
            &["microsoft-windows-kernel-shimengine/operational", "microsoft-windows-kernel-shimengine/diagnostic"]
        }
        "ldap" | "ldap_debug" => &["microsoft-windows-ldap-client/debug"],
        "lsa-server" => &["microsoft-windows-lsa/operational"],
        "microsoft-servicebus-client" => &["microsoft-servicebus-client", "microsoft-servicebus-client/operational"],
        "msexchange-management" => &["msexchange management"],
        "ntfs" => &["microsoft-windows-ntfs/operational"],
        "ntlm" => &["microsoft-windows-ntlm/operational"],
        "openssh" => &["openssh/operational"],
        "powershell" => POWERSHELL,
        "powershell-classic" => POWERSHELL_CLASSIC,
        "printservice-admin" => &["microsoft-windows-printservice/admin"],
        "printservice-operational" => &["microsoft-windows-printservice/operational"],
        "security" => SECURITY,
        "security-mitigations" => {
            &["microsoft-windows-security-mitigations/kernel mode", "microsoft-windows-security-mitigations/user mode"]
        }
        "sense" => &["microsoft-windows-sense/operational"],
        "setup" => &["setup"],
        "shell-core" => &["microsoft-windows-shell-core/operational"],
        "smbclient-connectivity" => &["microsoft-windows-smbclient/connectivity"],
        "smbclient-security" => &["microsoft-windows-smbclient/security"],
        "smbserver-connectivity" => &["microsoft-windows-smbserver/connectivity"],
        "sysmon" => SYSMON,
        "system" => &["system"],
        "taskscheduler" => &["microsoft-windows-taskscheduler/operational"],
        "terminalservices-localsessionmanager" => {
            &["microsoft-windows-terminalservices-localsessionmanager/operational"]
        }
        "terminalservices-remoteconnectionmanager" => {
            &["microsoft-windows-terminalservices-remoteconnectionmanager/operational"]
        }
        "vhdmp" => &["microsoft-windows-vhdmp/operational", "microsoft-windows-vhdmp-operational"],
        "windefend" => DEFENDER,
        "wmi" => &["microsoft-windows-wmi-activity/operational"],
        _ => &[],
    }
}

/// A field under a rule's name for it, when the event has it under another.
#[derive(Clone, Copy)]
pub(super) struct Alias {
    pub(super) sigma: &'static str,
    pub(super) native: &'static str,
    /// What the value becomes on the way; most stay as they are.
    pub(super) convert: for<'a> fn(&'a str) -> &'a str,
}

const fn alias(sigma: &'static str, native: &'static str) -> Alias {
    Alias { sigma, native, convert: unchanged }
}

/// A process start of the Security log under the names of Sysmon.
const PROCESS_CREATED: &[Alias] = &[
    alias("Image", "NewProcessName"),
    alias("ParentImage", "ParentProcessName"),
    alias("User", "SubjectUserName"),
    alias("LogonId", "SubjectLogonId"),
    Alias { sigma: "IntegrityLevel", native: "MandatoryLabel", convert: integrity_level },
];

const PROCESS_ENDED: &[Alias] = &[alias("Image", "ProcessName"), alias("User", "SubjectUserName")];

/// What Defender found, under the names antivirus rules share between products.
const MALWARE_FOUND: &[Alias] =
    &[alias("Signature", "Threat Name"), alias("Filename", "Path"), alias("User", "Detection User")];

/// The further names of an event's fields.
pub(super) fn aliases(event: &Event) -> &'static [Alias] {
    match (event.dataset.as_deref(), event.winlog_event_id) {
        (Some("windows.security"), Some(4688)) => PROCESS_CREATED,
        (Some("windows.security"), Some(4689)) => PROCESS_ENDED,
        (Some("windows.defender"), _) => MALWARE_FOUND,
        _ => &[],
    }
}

/// The Security log names an integrity level by its SID, Sysmon by its word.
fn integrity_level(label: &str) -> &str {
    match label {
        "S-1-16-0" => "Untrusted",
        "S-1-16-4096" => "Low",
        "S-1-16-8192" | "S-1-16-8448" => "Medium",
        "S-1-16-12288" => "High",
        "S-1-16-16384" => "System",
        other => other,
    }
}

fn unchanged(value: &str) -> &str {
    value
}
