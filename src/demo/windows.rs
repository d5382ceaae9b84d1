//! Windows events as the servers' forwarder (winlogbeat) sends them: one JSON object, one event. Names and numbers are
//! Windows' own. The record number is written last, because the log gives it when events stand in their order.

use std::net::Ipv4Addr;

use super::hospital::{DOMAIN, Device};
use super::line::{Hex, Part};
use super::moment::{At, Rfc3339};

/// A log of a Windows machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    Security,
    System,
    Sessions,
    Connections,
    Defender,
}

impl Log {
    pub(super) const ALL: [Self; 5] = [Self::Security, Self::System, Self::Sessions, Self::Connections, Self::Defender];

    fn channel(self) -> &'static str {
        match self {
            Self::Security => "Security",
            Self::System => "System",
            Self::Sessions => "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational",
            Self::Connections => "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational",
            Self::Defender => "Microsoft-Windows-Windows Defender/Operational",
        }
    }

    fn provider(self) -> &'static str {
        match self {
            Self::Security => "Microsoft-Windows-Security-Auditing",
            Self::System => "Service Control Manager",
            Self::Sessions => "Microsoft-Windows-TerminalServices-LocalSessionManager",
            Self::Connections => "Microsoft-Windows-TerminalServices-RemoteConnectionManager",
            Self::Defender => "Microsoft-Windows-Windows Defender",
        }
    }
}

/// A Windows event that waits for its record number.
#[derive(Clone, Debug)]
pub(super) struct Numbered {
    pub(super) device: &'static Device,
    pub(super) log: Log,
    pub(super) at: At,
    pub(super) bytes: Vec<u8>,
}

/// Ends the object with the number the log gave.
pub(super) fn finish(bytes: &mut Vec<u8>, record_number: u64) {
    put!(bytes, record_number, "}}");
}

/// What kind of event: its number, its text in Windows' Japanese, and whether it succeeded.
struct Kind {
    log: Log,
    number: u64,
    text: &'static str,
    outcome: &'static str,
}

const fn security(number: u64, outcome: &'static str, text: &'static str) -> Kind {
    Kind { log: Log::Security, number, text, outcome }
}

type Data<'a> = &'a [(&'static str, &'a dyn Part)];

fn event(device: &'static Device, at: At, kind: &Kind, data: Data<'_>) -> Numbered {
    written(device, at, kind, kind.log.provider(), "event_data", data)
}

fn written(device: &'static Device, at: At, kind: &Kind, provider: &str, member: &str, data: Data<'_>) -> Numbered {
    let mut bytes = Vec::with_capacity(1100);
    put!(&mut bytes, "{\"@timestamp\":\"", Rfc3339(at.universal()), "\",\"agent\":{\"type\":\"winlogbeat\",");
    put!(
        &mut bytes,
        "\"version\":\"8.15.0\"},\"event\":{\"code\":\"",
        kind.number,
        "\",\"kind\":\"event\",\"provider\":\""
    );
    put!(&mut bytes, provider, "\",\"outcome\":\"", kind.outcome, "\"},\"host\":{\"name\":\"", device.computer);
    put!(&mut bytes, "\"},\"message\":\"", kind.text, "\",\"winlog\":{\"channel\":\"", kind.log.channel());
    put!(
        &mut bytes,
        "\",\"computer_name\":\"",
        device.computer,
        "\",\"event_id\":",
        kind.number,
        ",\"provider_name\":\""
    );
    put!(&mut bytes, provider, "\",\"", member, "\":{");
    for (place, (name, value)) in data.iter().enumerate() {
        put!(&mut bytes, if place == 0 { "\"" } else { ",\"" }, *name, "\":\"");
        value.write(&mut bytes);
        put!(&mut bytes, "\"");
    }
    put!(&mut bytes, "},\"record_id\":");
    Numbered { device, log: kind.log, at, bytes }
}

/// A security identifier of the domain.
struct Sid(u64);

impl Part for Sid {
    fn write(&self, out: &mut Vec<u8>) {
        put!(out, "S-1-5-21-1004336348-1177238915-682003330-", self.0);
    }
}

/// Who logs on, from where, how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logon<'a> {
    pub(super) user: &'a str,
    /// The domain, or the machine where the account is its own.
    pub(super) domain: &'a str,
    /// The account's relative identifier.
    pub(super) rid: u64,
    /// 2 at the desk, 3 over the network, 10 by remote desktop.
    pub(super) kind: u64,
    pub(super) from: Ipv4Addr,
    pub(super) workstation: &'a str,
    /// Joins logon and logoff.
    pub(super) id: u64,
}

impl Logon<'_> {
    fn package(&self) -> &'static str {
        if self.domain == DOMAIN && self.kind != 10 { "Kerberos" } else { "NTLM" }
    }
}

pub(super) fn logon(device: &'static Device, at: At, logon: &Logon<'_>) -> Numbered {
    let kind = security(4624, "success", "アカウントが正常にログオンしました。");
    let package = logon.package();
    let version = if package == "NTLM" { "NTLM V2" } else { "-" };
    event(
        device,
        at,
        &kind,
        &[
            ("SubjectUserSid", &"S-1-0-0"),
            ("SubjectUserName", &"-"),
            ("SubjectDomainName", &"-"),
            ("SubjectLogonId", &"0x0"),
            ("TargetUserSid", &Sid(logon.rid)),
            ("TargetUserName", &logon.user),
            ("TargetDomainName", &logon.domain),
            ("TargetLogonId", &Hex(logon.id)),
            ("LogonType", &logon.kind),
            ("LogonProcessName", &package),
            ("AuthenticationPackageName", &package),
            ("WorkstationName", &logon.workstation),
            ("LmPackageName", &version),
            ("ProcessName", &"-"),
            ("IpAddress", &logon.from),
            ("IpPort", &(49_152 + logon.id % 16_000)),
            ("ElevatedToken", &"%%1843"),
        ],
    )
}

pub(super) fn logoff(device: &'static Device, at: At, logon: &Logon<'_>) -> Numbered {
    event(
        device,
        at,
        &security(4634, "success", "アカウントがログオフしました。"),
        &[
            ("TargetUserSid", &Sid(logon.rid)),
            ("TargetUserName", &logon.user),
            ("TargetDomainName", &logon.domain),
            ("TargetLogonId", &Hex(logon.id)),
            ("LogonType", &logon.kind),
        ],
    )
}

/// A wrong password.
pub(super) fn logon_failed(device: &'static Device, at: At, logon: &Logon<'_>) -> Numbered {
    event(
        device,
        at,
        &security(4625, "failure", "アカウントがログオンに失敗しました。"),
        &[
            ("SubjectUserSid", &"S-1-0-0"),
            ("SubjectUserName", &"-"),
            ("SubjectDomainName", &"-"),
            ("SubjectLogonId", &"0x0"),
            ("TargetUserSid", &"S-1-0-0"),
            ("TargetUserName", &logon.user),
            ("TargetDomainName", &logon.domain),
            ("Status", &"0xc000006d"),
            ("FailureReason", &"%%2313"),
            ("SubStatus", &"0xc000006a"),
            ("LogonType", &logon.kind),
            ("LogonProcessName", &"NtLmSsp "),
            ("AuthenticationPackageName", &"NTLM"),
            ("WorkstationName", &logon.workstation),
            ("IpAddress", &logon.from),
            ("IpPort", &(49_152 + logon.id % 16_000)),
        ],
    )
}

/// Kerberos: the ticket that a logon begins with.
pub(super) fn ticket_granted(device: &'static Device, at: At, logon: &Logon<'_>) -> Numbered {
    event(
        device,
        at,
        &security(4768, "success", "Kerberos 認証チケット (TGT) が要求されました。"),
        &[
            ("TargetUserName", &logon.user),
            ("TargetDomainName", &"MINATO-HP.LOCAL"),
            ("TargetSid", &Sid(logon.rid)),
            ("ServiceName", &"krbtgt"),
            ("ServiceSid", &Sid(502)),
            ("TicketOptions", &"0x40810010"),
            ("Status", &"0x0"),
            ("TicketEncryptionType", &"0x12"),
            ("PreAuthType", &"2"),
            ("IpAddress", &logon.from),
            ("IpPort", &(49_152 + logon.id % 16_000)),
        ],
    )
}

/// Kerberos: a ticket for one service.
pub(super) fn service_ticket(device: &'static Device, at: At, logon: &Logon<'_>, service: &str) -> Numbered {
    event(
        device,
        at,
        &security(4769, "success", "Kerberos サービス チケットが要求されました。"),
        &[
            ("TargetUserName", &logon.user),
            ("TargetDomainName", &"MINATO-HP.LOCAL"),
            ("ServiceName", &service),
            ("ServiceSid", &Sid(1100)),
            ("TicketOptions", &"0x40810000"),
            ("TicketEncryptionType", &"0x12"),
            ("IpAddress", &logon.from),
            ("IpPort", &(49_152 + logon.id % 16_000)),
            ("Status", &"0x0"),
        ],
    )
}

/// Kerberos: a wrong password.
pub(super) fn ticket_refused(device: &'static Device, at: At, logon: &Logon<'_>) -> Numbered {
    event(
        device,
        at,
        &security(4771, "failure", "Kerberos 事前認証に失敗しました。"),
        &[
            ("TargetUserName", &logon.user),
            ("TargetSid", &Sid(logon.rid)),
            ("ServiceName", &"krbtgt/MINATO"),
            ("TicketOptions", &"0x40810010"),
            ("Status", &"0x18"),
            ("PreAuthType", &"2"),
            ("IpAddress", &logon.from),
            ("IpPort", &(49_152 + logon.id % 16_000)),
        ],
    )
}

/// NTLM: the domain controller was asked.
pub(super) fn ntlm_checked(device: &'static Device, at: At, logon: &Logon<'_>, ok: bool) -> Numbered {
    let kind = security(
        4776,
        if ok { "success" } else { "failure" },
        "コンピューターがアカウントの資格情報の確認を試行しました。",
    );
    let status = if ok { "0x0" } else { "0xc000006a" };
    event(
        device,
        at,
        &kind,
        &[
            ("PackageName", &"MICROSOFT_AUTHENTICATION_PACKAGE_V1_0"),
            ("TargetUserName", &logon.user),
            ("Workstation", &logon.workstation),
            ("Status", &status),
        ],
    )
}

pub(super) fn locked_out(device: &'static Device, at: At, logon: &Logon<'_>) -> Numbered {
    event(
        device,
        at,
        &security(4740, "success", "ユーザー アカウントがロックアウトされました。"),
        &[
            ("TargetUserName", &logon.user),
            ("TargetDomainName", &logon.workstation),
            ("TargetSid", &Sid(logon.rid)),
            ("SubjectUserSid", &"S-1-5-18"),
            ("SubjectUserName", &"DC01$"),
            ("SubjectDomainName", &DOMAIN),
            ("SubjectLogonId", &"0x3e7"),
        ],
    )
}

/// A logon with rights of an administrator.
pub(super) fn privileges(device: &'static Device, at: At, logon: &Logon<'_>) -> Numbered {
    event(
        device,
        at,
        &security(4672, "success", "新しいログオンに特権が割り当てられました。"),
        &[
            ("SubjectUserSid", &Sid(logon.rid)),
            ("SubjectUserName", &logon.user),
            ("SubjectDomainName", &logon.domain),
            ("SubjectLogonId", &Hex(logon.id)),
            ("PrivilegeList", &"SeSecurityPrivilege SeBackupPrivilege SeDebugPrivilege"),
        ],
    )
}

/// One account changes another: 4725 disabled, 4767 unlocked, 4724 password reset.
pub(super) fn account_changed(
    device: &'static Device,
    at: At,
    number: u64,
    by: &Logon<'_>,
    target: &Logon<'_>,
) -> Numbered {
    let text = match number {
        4725 => "ユーザー アカウントが無効化されました。",
        4767 => "ユーザー アカウントのロックが解除されました。",
        _ => "アカウントのパスワードのリセットが試行されました。",
    };
    event(
        device,
        at,
        &security(number, "success", text),
        &[
            ("TargetUserName", &target.user),
            ("TargetDomainName", &DOMAIN),
            ("TargetSid", &Sid(target.rid)),
            ("SubjectUserSid", &Sid(by.rid)),
            ("SubjectUserName", &by.user),
            ("SubjectDomainName", &DOMAIN),
            ("SubjectLogonId", &Hex(by.id)),
        ],
    )
}

/// A member was added to Domain Admins.
pub(super) fn made_domain_admin(device: &'static Device, at: At, by: &Logon<'_>, member: &Logon<'_>) -> Numbered {
    event(
        device,
        at,
        &security(4728, "success", "セキュリティが有効なグローバル グループにメンバーが追加されました。"),
        &[
            ("MemberName", &format!("CN={},OU=Staff,DC=minato-hp,DC=local", member.user)),
            ("MemberSid", &Sid(member.rid)),
            ("TargetUserName", &"Domain Admins"),
            ("TargetDomainName", &DOMAIN),
            ("TargetSid", &Sid(512)),
            ("SubjectUserSid", &Sid(by.rid)),
            ("SubjectUserName", &by.user),
            ("SubjectDomainName", &DOMAIN),
            ("SubjectLogonId", &Hex(by.id)),
            ("PrivilegeList", &"-"),
        ],
    )
}

pub(super) fn log_cleared(device: &'static Device, at: At, by: &Logon<'_>) -> Numbered {
    let kind = security(1102, "success", "監査ログが消去されました。");
    written(
        device,
        at,
        &kind,
        "Microsoft-Windows-Eventlog",
        "user_data",
        &[
            ("SubjectUserSid", &Sid(by.rid)),
            ("SubjectUserName", &by.user),
            ("SubjectDomainName", &by.domain),
            ("SubjectLogonId", &Hex(by.id)),
            ("xml_name", &"LogFileCleared"),
        ],
    )
}

/// `command` and the paths are written as JSON writes them: backslashes doubled.
pub(super) fn process(device: &'static Device, at: At, by: &Logon<'_>, image: &str, command: &str) -> Numbered {
    event(
        device,
        at,
        &security(4688, "success", "新しいプロセスが作成されました。"),
        &[
            ("SubjectUserSid", &Sid(by.rid)),
            ("SubjectUserName", &by.user),
            ("SubjectDomainName", &by.domain),
            ("SubjectLogonId", &Hex(by.id)),
            ("NewProcessId", &Hex(by.id % 9000)),
            ("NewProcessName", &image),
            ("TokenElevationType", &"%%1937"),
            ("ProcessId", &"0x1f4c"),
            ("CommandLine", &command),
            ("ParentProcessName", &"C:\\\\Windows\\\\System32\\\\cmd.exe"),
            ("MandatoryLabel", &"S-1-16-12288"),
        ],
    )
}

pub(super) fn service_installed(device: &'static Device, at: At, name: &str, image: &str) -> Numbered {
    let kind = Kind {
        log: Log::System,
        number: 7045,
        text: "サービスがシステムにインストールされました。",
        outcome: "success",
    };
    event(
        device,
        at,
        &kind,
        &[
            ("ServiceName", &name),
            ("ImagePath", &image),
            ("ServiceType", &"ユーザー モード サービス"),
            ("StartType", &"自動開始"),
            ("AccountName", &"LocalSystem"),
        ],
    )
}

/// The service manager's daily chatter: proof of life of a quiet server.
pub(super) fn service_state(device: &'static Device, at: At, name: &str) -> Numbered {
    let kind =
        Kind {
            log: Log::System, number: 7036, text: "サービスは実行中状態に移行しました。", outcome: "success"
        };
    event(device, at, &kind, &[("param1", &name), ("param2", &"実行中")])
}

/// Remote desktop reached a server with a user's name: 1149.
pub(super) fn remote_connected(device: &'static Device, at: At, logon: &Logon<'_>) -> Numbered {
    let text = "リモート デスクトップ サービス: ユーザー認証に成功しました";
    let kind = Kind { log: Log::Connections, number: 1149, text, outcome: "success" };
    let provider = kind.log.provider();
    let data: Data<'_> = &[("Param1", &logon.user), ("Param2", &logon.domain), ("Param3", &logon.from)];
    written(device, at, &kind, provider, "user_data", data)
}

/// A remote desktop session: 21 begun, 23 ended.
pub(super) fn remote_session(device: &'static Device, at: At, number: u64, logon: &Logon<'_>) -> Numbered {
    let text = if number == 21 { "セッション ログオン成功" } else { "セッション ログオフ成功" };
    let kind = Kind { log: Log::Sessions, number, text, outcome: "success" };
    let provider = kind.log.provider();
    let user = format!("{}\\\\{}", logon.domain, logon.user);
    let data: Data<'_> = &[("User", &user), ("SessionID", &(2 + logon.id % 7)), ("Address", &logon.from)];
    written(device, at, &kind, provider, "user_data", data)
}

/// Real-time protection was switched off.
pub(super) fn defender_off(device: &'static Device, at: At) -> Numbered {
    let text = "Microsoft Defender ウイルス対策のリアルタイム保護のスキャンが無効になりました。";
    let kind = Kind { log: Log::Defender, number: 5001, text, outcome: "success" };
    event(device, at, &kind, &[("Product Name", &"Microsoft Defender Antivirus"), ("Product Version", &"4.18.26090.9")])
}
