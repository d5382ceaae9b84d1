//! Japanese words for our fields and their values.

use monban_audit::wording;
use monban_event::finding::FindingStatus;
use monban_event::{Action, Event, Field, LoginKind, Outcome, Severity};

/// What a field is called on pages; its dotted name where it has no word of its own.
pub(crate) fn field(field: Field) -> &'static str {
    match field {
        Field::EventTime => "機器時刻",
        Field::Ingested => "受信時刻",
        Field::TimeSource => "時刻の読み方",
        Field::Module => "製品の系統",
        Field::Dataset => "製品",
        Field::Code => "番号",
        Field::Category => "分類",
        Field::Action => "操作",
        Field::Outcome => "結果",
        Field::Reason => "理由",
        Field::Duration => "長さ",
        Field::UserName => "利用者",
        Field::UserDomain => "ドメイン",
        Field::UserRaw => "利用者（表記のまま）",
        Field::UserTargetName => "対象の利用者",
        Field::SourceIp => "接続元",
        Field::SourcePort => "接続元ポート",
        Field::SourceDomain => "接続元の端末",
        Field::SourceCountry => "接続元の国",
        Field::DestinationIp => "接続先",
        Field::DestinationPort => "接続先ポート",
        Field::DestinationDomain => "接続先の名前",
        Field::SourceBytes => "院内へ（バイト）",
        Field::DestinationBytes => "院外へ（バイト）",
        Field::ObserverVendor => "製造元",
        Field::ObserverProduct => "機種",
        Field::ObserverHostname => "装置",
        Field::ObserverPeerIp => "送信元アドレス",
        Field::HostName => "サーバ",
        Field::VpnSessionId => "VPN セッション",
        Field::VpnType => "VPN の方式",
        Field::VpnAssignedIp => "割当アドレス",
        Field::VpnGroup => "VPN グループ",
        Field::ProcessName => "プログラム",
        Field::ProcessCommandLine => "コマンド",
        Field::WinlogLogonType => "ログオン種別",
        Field::WinlogEventId => "Windows イベント ID",
        Field::WinlogChannel => "Windows ログ名",
        Field::WinlogComputer => "コンピューター",
        Field::Message => "本文",
        Field::ParseStatus => "解析",
        Field::ParseRule => "解析の規則",
        Field::ParseNote => "解析の注記",
        Field::SourceId => "機器",
        Field::Login => "ログイン",
        Field::LoginKind => "ログインの種類",
        Field::AccountClass => "利用者の区分",
        Field::AccountState => "在籍",
        Field::AfterHours => "時間外",
        Field::Night => "深夜",
        Field::Holiday => "休日",
        Field::SourceZone => "接続元の区分",
        Field::AllowListed => "許可した接続元",
        Field::Vendor => "保守事業者",
        Field::Ticket => "作業申請",
        Field::Maintenance => "申請のある作業中",
        Field::OnDuty => "当直表に記載",
        Field::HostRole => "機器の役割",
        Field::SourceRole => "接続元の役割",
        Field::UndeclaredWay => "想定外の経路",
        other => other.name(),
    }
}

/// A value as it stands on a page: words where the field has some, else the value itself.
pub(crate) fn value(field: Field, text: &str) -> String {
    let word = match field {
        Field::Action => Action::parse(text).map(action),
        Field::Outcome => Outcome::parse(text).map(outcome),
        Field::LoginKind => Some(wording::login_kind(text)),
        Field::AccountClass => Some(wording::account_class(text)),
        Field::Login => Some(match text {
            "success" => "成功",
            "failure" => "失敗",
            "repeat" => "重ねての記録",
            other => other,
        }),
        Field::SourceZone => Some(match text {
            "inside" => "院内",
            "vpn_pool" => "VPN の割当範囲",
            "allowed" => "許可した接続元",
            "outside" => "院外",
            other => other,
        }),
        Field::AccountState => Some(match text {
            "active" => "在籍",
            "retired" => "退職",
            "on_leave" => "休職",
            "disabled" => "無効",
            "unlisted" => "名簿にない",
            other => other,
        }),
        Field::ParseStatus => Some(match text {
            "full" => "すべて",
            "header" => "見出しのみ",
            "raw" => "不能",
            other => other,
        }),
        Field::AfterHours | Field::Night | Field::Holiday | Field::AllowListed | Field::AllowListKnown => {
            Some(if text == "true" { "はい" } else { "いいえ" })
        }
        _ => None,
    };
    word.unwrap_or(text).to_owned()
}

pub(crate) fn action(action: Action) -> &'static str {
    match action {
        Action::Login => "ログイン",
        Action::Logout => "ログアウト",
        Action::SessionStart => "接続",
        Action::SessionEnd => "切断",
        Action::AddressAssigned => "アドレス割当",
        Action::Elevate => "権限昇格",
        Action::ConfigChange => "設定変更",
        Action::AccountChange => "アカウント変更",
        Action::Allow => "通信許可",
        Action::Deny => "通信遮断",
        Action::Detect => "検出",
        Action::LogClear => "ログ消去",
        Action::Other => "その他",
    }
}

pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "成功",
        Outcome::Failure => "失敗",
        Outcome::Unknown => "不明",
    }
}

/// What an event's operation is called in lists.
pub(crate) fn operation(event: &Event) -> String {
    let Some(done) = event.action else { return "—".to_owned() };
    let word = action(done);
    match (done, event.login_kind, event.winlog_logon_type) {
        (Action::Login, _, Some(number)) => format!("{word}（{}）", wording::logon_type(&number.to_string())),
        (Action::Login | Action::SessionStart | Action::SessionEnd, Some(LoginKind::Vpn), _) => format!("VPN {word}"),
        (Action::SessionStart | Action::SessionEnd, None, None) if event.vpn_type.is_some() => format!("VPN {word}"),
        (Action::Login, Some(LoginKind::Device), _) => "管理画面ログイン".to_owned(),
        _ => word.to_owned(),
    }
}

/// The style of a severity's tag.
pub(crate) fn severity_class(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "high",
        Severity::Medium => "mid",
        Severity::Low | Severity::Informational => "low",
    }
}

/// What may follow a status, in the order of the form.
pub(crate) fn next_statuses(status: FindingStatus) -> Vec<FindingStatus> {
    [FindingStatus::Confirmed, FindingStatus::ActionNeeded, FindingStatus::Resolved, FindingStatus::Open]
        .into_iter()
        .filter(|next| status.may_become(*next))
        .collect()
}

/// Reasons a finding is closed with.
pub(crate) const REASONS: [&str; 7] = [
    "業務による正当な利用",
    "保守作業（連絡済）",
    "保守作業（連絡なし・事後確認）",
    "誤検知",
    "実害なし・是正済",
    "不正利用",
    "その他",
];

/// How near to a whole hour a difference of clocks must be to mean a zone that is set wrong.
const WHOLE_HOUR_WITHIN_S: i64 = 120;

/// `（時計が 9 時間進み＝時間帯の設定違い）` where receipt − event is near whole hours.
pub(crate) fn zone_mistake(skew_s: i64) -> Option<String> {
    let hours = skew_s.saturating_add(skew_s.signum() * 1_800) / 3_600;
    let is_whole =
        hours != 0 && hours.abs() <= 14 && skew_s.abs_diff(hours * 3_600) <= WHOLE_HOUR_WITHIN_S.unsigned_abs();
    let direction = if skew_s < 0 { "進み" } else { "遅れ" };
    is_whole.then(|| format!("（時計が {} 時間{direction}＝時間帯の設定違い）", hours.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_hours_are_a_zone_and_not_a_clock() {
        assert_eq!(zone_mistake(-32_397).as_deref(), Some("（時計が 9 時間進み＝時間帯の設定違い）"));
        assert_eq!(zone_mistake(32_460).as_deref(), Some("（時計が 9 時間遅れ＝時間帯の設定違い）"));
        for skew_s in [0, 30, -1_000, 5_000, 30 * 3_600, i64::MIN, i64::MAX] {
            assert_eq!(zone_mistake(skew_s), None, "{skew_s}");
        }
    }

    #[test]
    fn operations_name_how_one_came_in() {
        let windows = Event { action: Some(Action::Login), winlog_logon_type: Some(10), ..Event::default() };
        assert_eq!(operation(&windows), "ログイン（リモートデスクトップ）");
        let vpn = Event { action: Some(Action::SessionStart), login_kind: Some(LoginKind::Vpn), ..Event::default() };
        assert_eq!(operation(&vpn), "VPN 接続");
        assert_eq!(operation(&Event::default()), "—");
    }
}
