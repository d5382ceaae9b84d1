//! The words of the texts that Windows shows: labels and titles in English and Japanese, Sysmon's names, and the order of
//! lines, which is the same in every language. Tables only; `prose.rs` reads with them.

/// A block of the text: whom the names inside are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    None,
    Subject,
    Target,
    Member,
    Group,
    Service,
    Other,
}

/// What a label means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Opens(Block),
    Sid,
    Name,
    Domain,
    LogonId,
    /// A field that has this name wherever it stands.
    Field(&'static str),
    /// Known only so that the value before it ends.
    Skip,
}

/// English and Japanese labels. Of two that fit, the longer counts.
pub(super) const LABELS: &[(&str, &str, Label)] = &[
    ("Subject", "サブジェクト", Label::Opens(Block::Subject)),
    ("Creator Subject", "作成者サブジェクト", Label::Opens(Block::Subject)),
    ("Target Subject", "対象サブジェクト", Label::Opens(Block::Target)),
    ("New Logon", "新しいログオン", Label::Opens(Block::Target)),
    ("Account For Which Logon Failed", "ログオンを失敗したアカウント", Label::Opens(Block::Target)),
    ("Account Whose Credentials Were Used", "資格情報が使用されたアカウント", Label::Opens(Block::Target)),
    ("Account That Was Locked Out", "ロックアウトされたアカウント", Label::Opens(Block::Target)),
    ("Target Account", "ターゲット アカウント", Label::Opens(Block::Target)),
    ("Target Account", "対象アカウント", Label::Opens(Block::Target)),
    ("New Account", "新しいアカウント", Label::Opens(Block::Target)),
    ("Account Information", "アカウント情報", Label::Opens(Block::Target)),
    ("Member", "メンバー", Label::Opens(Block::Member)),
    ("Group", "グループ", Label::Opens(Block::Group)),
    ("New Group", "新しいグループ", Label::Opens(Block::Group)),
    ("Deleted Group", "削除されたグループ", Label::Opens(Block::Group)),
    ("User", "ユーザー", Label::Opens(Block::Subject)),
    ("Client Machine", "クライアント コンピューター", Label::Opens(Block::Other)),
    ("Service Information", "サービス情報", Label::Opens(Block::Service)),
    ("Failure Information", "エラー情報", Label::Opens(Block::Other)),
    ("Failure Information", "失敗の情報", Label::Opens(Block::Other)),
    ("Process Information", "プロセス情報", Label::Opens(Block::Other)),
    ("Network Information", "ネットワーク情報", Label::Opens(Block::Other)),
    ("Logon Information", "ログオン情報", Label::Opens(Block::Other)),
    ("Target Server", "ターゲット サーバー", Label::Opens(Block::Other)),
    ("Additional Information", "追加情報", Label::Opens(Block::Other)),
    ("Detailed Authentication Information", "詳細な認証情報", Label::Opens(Block::Other)),
    ("Share Information", "共有情報", Label::Opens(Block::Other)),
    ("Access Request Information", "アクセス要求情報", Label::Opens(Block::Other)),
    ("Audit Policy Change", "監査ポリシーの変更", Label::Opens(Block::Other)),
    ("Authentication Details", "認証の詳細", Label::Opens(Block::Other)),
    ("RADIUS Client", "RADIUS クライアント", Label::Opens(Block::Other)),
    ("NAS", "NAS", Label::Opens(Block::Other)),
    ("Object", "オブジェクト", Label::Opens(Block::Other)),
    ("Session", "セッション", Label::Opens(Block::Other)),
    ("Task Information", "タスク情報", Label::Opens(Block::Other)),
    ("Application Information", "アプリケーション情報", Label::Opens(Block::Other)),
    ("Filter Information", "フィルター情報", Label::Opens(Block::Other)),
    ("Direction", "方向", Label::Field("Direction")),
    ("Protocol", "プロトコル", Label::Field("Protocol")),
    ("Old Account Name", "以前のアカウント名", Label::Field("OldTargetUserName")),
    ("New Account Name", "新しいアカウント名", Label::Field("NewTargetUserName")),
    ("Changed Attributes", "変更された属性", Label::Opens(Block::Other)),
    ("Attributes", "属性", Label::Opens(Block::Other)),
    ("Security ID", "セキュリティ ID", Label::Sid),
    ("User ID", "ユーザー ID", Label::Sid),
    ("Account Name", "アカウント名", Label::Name),
    ("Group Name", "グループ名", Label::Name),
    ("User Name", "ユーザー名", Label::Name),
    ("Domain", "ドメイン", Label::Domain),
    ("Account Domain", "アカウント ドメイン", Label::Domain),
    ("Group Domain", "グループ ドメイン", Label::Domain),
    ("Supplied Realm Name", "提供された領域名", Label::Domain),
    ("Logon ID", "ログオン ID", Label::LogonId),
    ("Linked Logon ID", "リンクされたログオン ID", Label::Field("TargetLinkedLogonId")),
    ("Network Account Name", "ネットワーク アカウント名", Label::Field("TargetOutboundUserName")),
    ("Network Account Domain", "ネットワーク アカウント ドメイン", Label::Field("TargetOutboundDomainName")),
    ("Fully Qualified Account Name", "完全修飾アカウント名", Label::Field("FullyQualifiedSubjectUserName")),
    ("SAM Account Name", "SAM アカウント名", Label::Field("SamAccountName")),
    ("Display Name", "表示名", Label::Field("DisplayName")),
    ("User Principal Name", "ユーザー プリンシパル名", Label::Field("UserPrincipalName")),
    ("Logon GUID", "ログオン GUID", Label::Field("LogonGuid")),
    ("Logon Type", "ログオン タイプ", Label::Field("LogonType")),
    ("Restricted Admin Mode", "制限付き管理モード", Label::Field("RestrictedAdminMode")),
    ("Virtual Account", "仮想アカウント", Label::Field("VirtualAccount")),
    ("Elevated Token", "昇格されたトークン", Label::Field("ElevatedToken")),
    ("Impersonation Level", "偽装レベル", Label::Field("ImpersonationLevel")),
    ("Failure Reason", "失敗の原因", Label::Field("FailureReason")),
    ("Failure Reason", "エラーの原因", Label::Field("FailureReason")),
    ("Status", "状態", Label::Field("Status")),
    ("Status", "ステータス", Label::Field("Status")),
    ("Sub Status", "サブ ステータス", Label::Field("SubStatus")),
    ("Result Code", "結果コード", Label::Field("Status")),
    ("Failure Code", "エラー コード", Label::Field("Status")),
    ("Failure Code", "失敗コード", Label::Field("Status")),
    ("Error Code", "エラー コード", Label::Field("Status")),
    ("Caller Process ID", "呼び出し側プロセス ID", Label::Field("ProcessId")),
    ("Caller Process Name", "呼び出し側プロセス名", Label::Field("ProcessName")),
    ("New Process ID", "新しいプロセス ID", Label::Field("NewProcessId")),
    ("New Process Name", "新しいプロセス名", Label::Field("NewProcessName")),
    ("Creator Process ID", "作成元プロセス ID", Label::Field("ProcessId")),
    ("Creator Process ID", "クリエーター プロセス ID", Label::Field("ProcessId")),
    ("Creator Process Name", "クリエーター プロセス名", Label::Field("ParentProcessName")),
    ("Process Command Line", "プロセスのコマンド ライン", Label::Field("CommandLine")),
    ("Token Elevation Type", "トークン昇格の種類", Label::Field("TokenElevationType")),
    ("Mandatory Label", "必須ラベル", Label::Field("MandatoryLabel")),
    ("Process ID", "プロセス ID", Label::Field("ProcessId")),
    ("Process Name", "プロセス名", Label::Field("ProcessName")),
    ("Workstation Name", "ワークステーション名", Label::Field("WorkstationName")),
    ("Source Network Address", "ソース ネットワーク アドレス", Label::Field("IpAddress")),
    ("Network Address", "ネットワーク アドレス", Label::Field("IpAddress")),
    ("Source Address", "ソース アドレス", Label::Field("IpAddress")),
    ("Source Port", "ソース ポート", Label::Field("IpPort")),
    ("Port", "ポート", Label::Field("IpPort")),
    ("Client Address", "クライアント アドレス", Label::Field("IpAddress")),
    ("Client Port", "クライアント ポート", Label::Field("IpPort")),
    ("Client Name", "クライアント名", Label::Field("ClientName")),
    ("Destination Address", "宛先アドレス", Label::Field("DestAddress")),
    ("Destination Port", "宛先ポート", Label::Field("DestPort")),
    ("Application Name", "アプリケーション名", Label::Field("Application")),
    ("Logon Process", "ログオン プロセス", Label::Field("LogonProcessName")),
    ("Authentication Package", "認証パッケージ", Label::Field("AuthenticationPackageName")),
    ("Transited Services", "移行されたサービス", Label::Field("TransmittedServices")),
    ("Package Name (NTLM only)", "パッケージ名 (NTLM のみ)", Label::Field("LmPackageName")),
    ("Key Length", "キーの長さ", Label::Field("KeyLength")),
    ("Logon Account", "ログオン アカウント", Label::Field("TargetUserName")),
    ("Source Workstation", "ソース ワークステーション", Label::Field("Workstation")),
    ("Caller Computer Name", "呼び出し元コンピューター名", Label::Field("TargetDomainName")),
    ("Target Server Name", "ターゲット サーバー名", Label::Field("TargetServerName")),
    ("Service Name", "サービス名", Label::Field("ServiceName")),
    ("Service ID", "サービス ID", Label::Field("ServiceSid")),
    ("Service File Name", "サービス ファイル名", Label::Field("ServiceFileName")),
    ("Ticket Options", "チケット オプション", Label::Field("TicketOptions")),
    ("Ticket Encryption Type", "チケット暗号化の種類", Label::Field("TicketEncryptionType")),
    ("Pre-Authentication Type", "事前認証の種類", Label::Field("PreAuthType")),
    ("Called Station Identifier", "着信端末 ID", Label::Field("CalledStationID")),
    ("Calling Station Identifier", "発信端末 ID", Label::Field("CallingStationID")),
    ("NAS IPv4 Address", "NAS IPv4 アドレス", Label::Field("NASIPv4Address")),
    ("Reason Code", "理由コード", Label::Field("ReasonCode")),
    ("Session Name", "セッション名", Label::Field("SessionName")),
    ("Share Name", "共有名", Label::Field("ShareName")),
    ("Share Path", "共有パス", Label::Field("ShareLocalPath")),
    ("Relative Target Name", "相対ターゲット名", Label::Field("RelativeTargetName")),
    ("Object Server", "オブジェクト サーバー", Label::Field("ObjectServer")),
    ("Object Type", "オブジェクトの種類", Label::Field("ObjectType")),
    ("Object Name", "オブジェクト名", Label::Field("ObjectName")),
    ("Handle ID", "ハンドル ID", Label::Field("HandleId")),
    ("Access Mask", "アクセス マスク", Label::Field("AccessMask")),
    ("Accesses", "アクセス", Label::Skip),
    ("Privileges", "特権", Label::Field("PrivilegeList")),
    ("Task Name", "タスク名", Label::Field("TaskName")),
    ("Transaction ID", "トランザクション ID", Label::Skip),
];

/// What the titles begin with, in both languages: enough to tell that a line may hold one.
#[expect(clippy::indexing_slicing, reason = "counted by the compiler, which would refuse a place that is not there")]
pub(crate) const TITLE_STARTS: [&str; TITLES.len() * 2] = {
    let mut starts = [""; TITLES.len() * 2];
    let mut at = 0;
    while at < TITLES.len() {
        starts[at * 2] = start_of(TITLES[at].0);
        starts[at * 2 + 1] = start_of(TITLES[at].1);
        at += 1;
    }
    starts
};

/// Five or six characters of Japanese, two or three words of English.
const fn start_of(title: &str) -> &str {
    const START_BYTES: usize = 18;
    match title.as_bytes().split_at_checked(START_BYTES) {
        Some((start, _)) => match std::str::from_utf8(start) {
            Ok(start) => start,
            Err(_) => title,
        },
        None => title,
    }
}

/// Titles of the commonest events, for agents that send the text without the number.
pub(super) const TITLES: &[(&str, &str, i64)] = &[
    ("An account was successfully logged on.", "アカウントが正常にログオンしました。", 4624),
    ("An account failed to log on.", "アカウントがログオンに失敗しました。", 4625),
    ("An account was logged off.", "アカウントがログオフしました。", 4634),
    ("User initiated logoff:", "ユーザーがログオフを開始しました", 4647),
    ("A logon was attempted using explicit credentials.", "明示的な資格情報を使用してログオンが試行されました。", 4648),
    ("Special privileges assigned to new logon.", "新しいログオンに特権が割り当てられました。", 4672),
    ("A new process has been created.", "新しいプロセスが作成されました。", 4688),
    ("A user account was created.", "ユーザー アカウントが作成されました。", 4720),
    ("A user account was enabled.", "ユーザー アカウントが有効化されました。", 4722),
    ("An attempt was made to change an account's password.", "アカウントのパスワードの変更が試行されました。", 4723),
    ("An attempt was made to reset an account's password.", "アカウントのパスワードのリセットが試行されました。", 4724),
    ("A user account was disabled.", "ユーザー アカウントが無効化されました。", 4725),
    ("A user account was deleted.", "ユーザー アカウントが削除されました。", 4726),
    ("A user account was changed.", "ユーザー アカウントが変更されました。", 4738),
    ("A user account was locked out.", "ユーザー アカウントがロックアウトされました。", 4740),
    ("A user account was unlocked.", "ユーザー アカウントのロックが解除されました。", 4767),
    ("A Kerberos authentication ticket (TGT) was requested.", "Kerberos 認証チケット (TGT) が要求されました。", 4768),
    ("A Kerberos service ticket was requested.", "Kerberos サービス チケットが要求されました。", 4769),
    ("Kerberos pre-authentication failed.", "Kerberos 事前認証に失敗しました。", 4771),
    (
        "The computer attempted to validate the credentials for an account.",
        "コンピューターがアカウントの資格情報の確認を試行しました。",
        4776,
    ),
    (
        "A member was added to a security-enabled global group.",
        "セキュリティが有効なグローバル グループにメンバーが追加されました。",
        4728,
    ),
    (
        "A member was removed from a security-enabled global group.",
        "セキュリティが有効なグローバル グループからメンバーが削除されました。",
        4729,
    ),
    (
        "A member was added to a security-enabled local group.",
        "セキュリティが有効なローカル グループにメンバーが追加されました。",
        4732,
    ),
    (
        "A member was removed from a security-enabled local group.",
        "セキュリティが有効なローカル グループからメンバーが削除されました。",
        4733,
    ),
    ("A service was installed in the system.", "サービスがシステムにインストールされました。", 4697),
    ("A scheduled task was created.", "スケジュールされたタスクが作成されました。", 4698),
    ("System audit policy was changed.", "システム監査ポリシーが変更されました。", 4719),
    ("A session was reconnected to a Window Station.", "セッションが Window Station に再接続されました。", 4778),
    ("A session was disconnected from a Window Station.", "セッションが Window Station から切断されました。", 4779),
    ("A network share object was accessed.", "ネットワーク共有オブジェクトにアクセスしました。", 5140),
    ("The audit log was cleared.", "監査ログが消去されました。", 1102),
];

/// Names of Sysmon's data. Agents that join lines leave nothing else to tell a name from a word of a command.
pub(super) const SYSMON: &[&str] = &[
    "RuleName",
    "UtcTime",
    "ProcessGuid",
    "ProcessId",
    "Image",
    "FileVersion",
    "Description",
    "Product",
    "Company",
    "OriginalFileName",
    "CommandLine",
    "CurrentDirectory",
    "User",
    "LogonGuid",
    "LogonId",
    "TerminalSessionId",
    "IntegrityLevel",
    "Hashes",
    "ParentProcessGuid",
    "ParentProcessId",
    "ParentImage",
    "ParentCommandLine",
    "ParentUser",
    "Protocol",
    "Initiated",
    "SourceIsIpv6",
    "SourceIp",
    "SourceHostname",
    "SourcePort",
    "SourcePortName",
    "DestinationIsIpv6",
    "DestinationIp",
    "DestinationHostname",
    "DestinationPort",
    "DestinationPortName",
    "TargetFilename",
    "CreationUtcTime",
    "PreviousCreationUtcTime",
    "ImageLoaded",
    "Signed",
    "Signature",
    "SignatureStatus",
    "SourceProcessGuid",
    "SourceProcessGUID",
    "SourceProcessId",
    "SourceThreadId",
    "SourceImage",
    "TargetProcessGuid",
    "TargetProcessGUID",
    "TargetProcessId",
    "TargetImage",
    "GrantedAccess",
    "CallTrace",
    "NewThreadId",
    "StartAddress",
    "StartModule",
    "StartFunction",
    "EventType",
    "TargetObject",
    "Details",
    "NewName",
    "PipeName",
    "QueryName",
    "QueryStatus",
    "QueryResults",
    "Archived",
    "IsExecutable",
    "Device",
    "SourceUser",
    "TargetUser",
    "Operation",
    "EventNamespace",
    "Query",
    "Destination",
    "Consumer",
    "Filter",
    "Contents",
];

pub(super) const SUBJECT: &str = ". SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId";
pub(super) const LOGON_END: &str = ". ProcessId ProcessName . WorkstationName? IpAddress IpPort . LogonProcessName \
                         AuthenticationPackageName TransmittedServices LmPackageName KeyLength";

/// The order of an event's text: `.` is the heading of a block, a name a line with a value, `?` one that may be empty,
/// `-` a line of no interest. `$S` and `$L` stand for [`SUBJECT`] and [`LOGON_END`].
pub(super) const ORDERS: &[(i64, &str)] = &[
    (4625, "$S LogonType . TargetUserSid TargetUserName? TargetDomainName? . FailureReason Status SubStatus $L"),
    (4624, "$S LogonType . TargetUserSid TargetUserName TargetDomainName TargetLogonId LogonGuid $L"),
    (
        4624,
        "$S LogonType ImpersonationLevel . TargetUserSid TargetUserName TargetDomainName TargetLogonId LogonGuid $L",
    ),
    (
        4624,
        "$S . LogonType RestrictedAdminMode VirtualAccount ElevatedToken ImpersonationLevel . TargetUserSid TargetUserName \
         TargetDomainName TargetLogonId TargetLinkedLogonId TargetOutboundUserName TargetOutboundDomainName LogonGuid $L",
    ),
    (4634, ". TargetUserSid TargetUserName TargetDomainName TargetLogonId LogonType"),
    (
        4648,
        "$S LogonGuid . TargetUserName TargetDomainName TargetLogonGuid . TargetServerName TargetInfo . ProcessId \
         ProcessName . IpAddress IpPort",
    ),
    (
        4768,
        ". TargetUserName TargetDomainName TargetSid . ServiceName ServiceSid . IpAddress IpPort . TicketOptions Status \
         TicketEncryptionType PreAuthType",
    ),
    (4771, ". TargetSid TargetUserName . ServiceName . IpAddress IpPort . TicketOptions Status PreAuthType"),
    (4776, "PackageName TargetUserName? Workstation? Status"),
    (4740, "$S . TargetSid TargetUserName . TargetDomainName"),
    (4738, "$S . TargetSid TargetUserName TargetDomainName . SamAccountName DisplayName UserPrincipalName"),
    (4672, "$S PrivilegeList"),
];

/// Events without an order of their own, but with a subject first and the changed account second.
pub(super) fn is_subject_and_target(number: i64) -> bool {
    matches!(number, 4720 | 4722..=4726 | 4767 | 4781)
}

pub(super) const SUBJECT_AND_TARGET: &str = "$S . TargetSid TargetUserName TargetDomainName";

/// Data of one word. Where lines were joined by single blanks the explanation follows the last of them at once.
pub(super) fn is_one_word(name: &str) -> bool {
    matches!(
        name,
        "LogonType"
            | "Status"
            | "SubStatus"
            | "IpAddress"
            | "IpPort"
            | "SourceAddress"
            | "SourcePort"
            | "DestAddress"
            | "DestPort"
            | "ClientAddress"
            | "KeyLength"
            | "ProcessId"
            | "ProcessID"
            | "NewProcessId"
            | "SubjectLogonId"
            | "TargetLogonId"
            | "ReasonCode"
            | "NASIPv4Address"
            | "AccessMask"
            | "PreAuthType"
    )
}
