//! The names of fields as people type them, English and Japanese, and the words of their values.

use monban_event::query::QueryField;
use monban_event::{Field, FieldKind};

/// What a typed name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    One(QueryField),
    /// The curated text.
    Message,
    /// Sent or received.
    Bytes,
    AccountStatus,
    IsVpn,
    IsAdmin,
    Hour,
    Weekday,
}

use Target::{AccountStatus, Bytes, Hour, IsAdmin, IsVpn, Message, Weekday};

const fn known(field: Field) -> Target {
    Target::One(QueryField::Known(field))
}

/// The first name of each line is the one that pages show in Japanese, the second the one completed in English.
const NAMES: &[(&[&str], Target)] = &[
    (&["日時", "time", "timestamp", "時刻"], known(Field::EventTime)),
    (&["機器", "host", "device", "ホスト", "機器名"], Target::One(QueryField::Device)),
    (&["利用者", "user", "account", "ユーザー", "ユーザ", "アカウント"], Target::One(QueryField::AnyUser)),
    (&["アドレス", "ip", "addr", "ipアドレス"], Target::One(QueryField::AnyIp)),
    (&["接続元", "src_ip", "src", "srcip", "送信元", "接続元ip"], known(Field::SourceIp)),
    (&["接続先", "dst_ip", "dst", "dstip", "宛先", "宛先ip"], known(Field::DestinationIp)),
    (&["割当ip", "assigned_ip", "割当アドレス"], known(Field::VpnAssignedIp)),
    (&["操作", "action"], known(Field::Action)),
    (&["結果", "outcome", "result"], known(Field::Outcome)),
    (&["分類", "category"], known(Field::Category)),
    (&["番号", "event_id", "eventid", "code", "イベントid"], known(Field::Code)),
    (&["ログオン種別", "logon_type", "logontype"], known(Field::WinlogLogonType)),
    (&["セッション", "session_id", "session"], known(Field::VpnSessionId)),
    (&["製造元", "vendor", "メーカー"], known(Field::ObserverVendor)),
    (&["グループ", "group"], known(Field::VpnGroup)),
    (&["通信量", "bytes"], Bytes),
    (&["長さ", "duration", "接続時間"], known(Field::Duration)),
    (&["国", "country"], known(Field::SourceCountry)),
    (&["本文", "msg", "text", "文字"], Message),
    (&["原文", "raw", "原ログ"], Target::One(QueryField::Raw)),
    (&["種別", "source_type", "module"], known(Field::Module)),
    (&["理由", "reason"], known(Field::Reason)),
    (&["時間外", "after_hours"], known(Field::AfterHours)),
    (&["深夜", "night"], known(Field::Night)),
    (&["休日", "holiday"], known(Field::Holiday)),
    (&["曜日", "weekday"], Weekday),
    (&["時", "hour", "時間帯"], Hour),
    (&["在籍", "account_status", "状態"], AccountStatus),
    (&["利用者区分", "account_class", "区分"], known(Field::AccountClass)),
    (&["接続元区分", "source_zone", "zone"], known(Field::SourceZone)),
    (&["許可済", "allow_listed"], known(Field::AllowListed)),
    (&["保守業者", "maintenance_vendor"], known(Field::Vendor)),
    (&["申請", "ticket"], known(Field::Ticket)),
    (&["作業中", "maintenance"], known(Field::Maintenance)),
    (&["当直", "on_duty"], known(Field::OnDuty)),
    (&["機器の役割", "host_role"], known(Field::HostRole)),
    (&["接続元の役割", "source_role"], known(Field::SourceRole)),
    (&["想定外の経路", "undeclared_way"], known(Field::UndeclaredWay)),
    (&["ログイン", "login"], known(Field::Login)),
    (&["ログイン種別", "login_kind"], known(Field::LoginKind)),
    (&["vpn種別", "vpn_type"], known(Field::VpnType)),
    (&["vpn", "is_vpn"], IsVpn),
    (&["管理者", "is_admin"], IsAdmin),
    (&["解析", "parse_status"], known(Field::ParseStatus)),
    (&["ログ元", "source"], known(Field::SourceId)),
];

/// Native names that devices write in lower case and people paste; `CamelCase` ones are recognised as such.
const NATIVE: &[&str] = &[
    "logid",
    "logdesc",
    "type",
    "subtype",
    "level",
    "vd",
    "devname",
    "devid",
    "tunnelid",
    "tunneltype",
    "tunnelip",
    "remip",
    "locip",
    "policyid",
    "policyname",
    "srcport",
    "dstport",
    "srcintf",
    "dstintf",
    "srcintfrole",
    "dstintfrole",
    "proto",
    "service",
    "sentbyte",
    "rcvdbyte",
    "sentpkt",
    "rcvdpkt",
    "xauthuser",
    "xauthgroup",
    "assignip",
    "vpntunnel",
    "ui",
    "status",
    "cfgpath",
    "cfgobj",
    "cfgattr",
    "srccountry",
    "dstcountry",
    "app",
    "appcat",
    "attack",
    "virus",
    "hostname",
    "url",
    "dst_host",
    "sessionid",
    "serial",
    "panorama",
];

/// Words for values, by field: as typed (folded) and as stored.
const WORDS: &[(Field, &[(&str, &str)])] = &[
    (
        Field::Outcome,
        &[
            ("成功", "success"),
            ("失敗", "failure"),
            ("不明", "unknown"),
            ("ok", "success"),
            ("fail", "failure"),
            ("failed", "failure"),
        ],
    ),
    (
        Field::Action,
        &[
            ("ログイン", "login"),
            ("ログオン", "login"),
            ("ログアウト", "logout"),
            ("ログオフ", "logout"),
            ("接続", "session-start"),
            ("vpn接続", "session-start"),
            ("切断", "session-end"),
            ("アドレス割当", "address-assigned"),
            ("昇格", "elevate"),
            ("設定変更", "config-change"),
            ("アカウント変更", "account-change"),
            ("許可", "allow"),
            ("拒否", "deny"),
            ("遮断", "deny"),
            ("検出", "detect"),
            ("ログ消去", "log-clear"),
            ("その他", "other"),
        ],
    ),
    (
        Field::Category,
        &[
            ("認証", "authentication"),
            ("セッション", "session"),
            ("通信", "network"),
            ("設定", "configuration"),
            ("アカウント", "iam"),
            ("ファイル", "file"),
            ("マルウェア", "malware"),
            ("プロセス", "process"),
            ("機器", "host"),
        ],
    ),
    (
        Field::AccountClass,
        &[
            ("職員", "staff"),
            ("医師", "doctor"),
            ("非常勤医師", "visiting_doctor"),
            ("共有", "duty_shared"),
            ("端末", "kiosk"),
            ("管理者", "admin"),
            ("保守", "vendor"),
            ("サービス", "service"),
            ("緊急", "emergency"),
            ("不明", "unknown"),
        ],
    ),
    (Field::SourceZone, &[("院内", "inside"), ("vpn", "vpn_pool"), ("許可", "allowed"), ("院外", "outside")]),
    (Field::ParseStatus, &[("全部", "full"), ("見出しのみ", "header"), ("不能", "raw")]),
    (Field::Login, &[("成功", "success"), ("失敗", "failure"), ("重複", "repeat")]),
];

const YES: &[&str] = &["はい", "true", "yes", "1", "有", "あり", "on"];
const NO: &[&str] = &["いいえ", "false", "no", "0", "無", "なし", "off"];
pub(crate) const WEEKDAYS: [&str; 7] = ["月", "火", "水", "木", "金", "土", "日"];
const WEEKDAYS_ENGLISH: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Finds a name, folded. `written` is the name as typed, for native names keep their case.
pub(crate) fn resolve(folded: &str, written: &str) -> Option<Target> {
    if let Some((_, target)) = NAMES.iter().find(|(names, _)| names.contains(&folded)) {
        return Some(target.clone());
    }
    if folded == "message" {
        return Some(Message);
    }
    if let Some(field) = Field::from_name(folded) {
        return Some(known(field));
    }
    if folded.starts_with("native.") {
        let name: String = written.chars().skip("native.".len()).collect();
        return (!name.is_empty()).then_some(Target::One(QueryField::Native(name)));
    }
    is_native(folded, written).then(|| Target::One(QueryField::Native(written.to_owned())))
}

fn is_native(folded: &str, written: &str) -> bool {
    let upper = written.chars().filter(char::is_ascii_uppercase).count();
    let camel = upper >= 2
        && written.starts_with(|char: char| char.is_ascii_uppercase())
        && written.chars().all(|char| char.is_ascii_alphanumeric())
        && written.chars().any(|char| char.is_ascii_lowercase());
    camel || NATIVE.contains(&folded)
}

/// The name nearest to a mistyped one, where one is near.
pub(crate) fn nearest(folded: &str) -> Option<&'static str> {
    let names = NAMES.iter().flat_map(|(names, _)| names.iter().copied());
    let allowed = if folded.chars().count() <= 3 { 1 } else { 2 };
    let measured = names.map(|name| (distance(folded, name), name)).filter(|(distance, _)| *distance <= allowed);
    measured.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// Edits between two short words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let get = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let replace = get(&row, j) + usize::from(from != *to);
            next.push(replace.min(get(&row, j + 1) + 1).min(get(&next, j) + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// The stored word for a typed one.
pub(crate) fn word(field: Field, folded: &str) -> Option<&'static str> {
    let (_, words) = WORDS.iter().find(|(candidate, _)| *candidate == field)?;
    words.iter().find_map(|(typed, stored)| (*typed == folded).then_some(*stored))
}

/// The Japanese for a stored word.
pub(crate) fn word_label(field: Field, stored: &str) -> Option<&'static str> {
    let (_, words) = WORDS.iter().find(|(candidate, _)| *candidate == field)?;
    words.iter().find_map(|(typed, candidate)| (*candidate == stored).then_some(*typed))
}

pub(crate) fn flag(folded: &str) -> Option<bool> {
    if YES.contains(&folded) {
        return Some(true);
    }
    NO.contains(&folded).then_some(false)
}

/// 0 is Monday.
pub(crate) fn weekday(folded: &str) -> Option<usize> {
    let day = folded.strip_suffix("曜日").or_else(|| folded.strip_suffix("曜")).unwrap_or(folded);
    let find = |days: [&str; 7]| days.iter().position(|name| *name == day);
    find(WEEKDAYS).or_else(|| find(WEEKDAYS_ENGLISH))
}

/// The Japanese name of a field in the 解釈 line.
pub(crate) fn label(field: &QueryField) -> String {
    let target = Target::One(field.clone());
    if let Some((names, _)) = NAMES.iter().find(|(_, candidate)| *candidate == target) {
        return names.first().copied().unwrap_or_default().to_uppercase();
    }
    match field {
        QueryField::Known(field) => match field {
            Field::SourceBytes => "送信量".to_owned(),
            Field::DestinationBytes => "受信量".to_owned(),
            Field::UserName => "操作者".to_owned(),
            Field::UserTargetName => "対象の利用者".to_owned(),
            Field::AccountState => "在籍".to_owned(),
            other => other.name().to_owned(),
        },
        QueryField::Native(name) => format!("機器の項目 {name}"),
        _ => "文字".to_owned(),
    }
}

/// Kind of values of a target's field.
pub(crate) fn kind(field: &QueryField) -> FieldKind {
    match field {
        QueryField::Known(field) => field.kind(),
        QueryField::AnyIp => FieldKind::Ip,
        _ => FieldKind::Text,
    }
}
