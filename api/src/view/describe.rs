//! One Japanese sentence for one event: who, from where, to what, with what outcome.

use monban_event::{Action, Event, Field, Outcome};

use super::words;

pub(crate) fn sentence(event: &Event) -> String {
    let Some(action) = event.action.filter(|action| *action != Action::Other) else { return plain(event) };
    let device = event.device().unwrap_or("機器");
    let place = match (action, &event.vpn_type) {
        (Action::Login | Action::SessionStart | Action::SessionEnd, Some(kind)) => {
            format!("{device} の {} VPN", kind.to_uppercase())
        }
        _ => device.to_owned(),
    };
    let target = event.user_target_name.as_deref().unwrap_or("アカウント");
    let failed = event.outcome == Some(Outcome::Failure);
    let deed = match (action, failed) {
        (Action::Login, false) => format!("{place} にログインしました"),
        (Action::Login, true) => format!("{place} にログインしようとしました"),
        (Action::Logout, _) => format!("{place} からログアウトしました"),
        (Action::SessionStart, false) => format!("{place} に接続しました"),
        (Action::SessionStart, true) => format!("{place} に接続しようとしました"),
        (Action::SessionEnd, _) => format!("{place} との接続を終えました"),
        (Action::AddressAssigned, _) => match event.vpn_assigned_ip {
            Some(ip) => format!("{place} からアドレス {ip} を割り当てられました"),
            None => format!("{place} からアドレスを割り当てられました"),
        },
        (Action::Elevate, _) => format!("{place} で管理者の権限を使いました"),
        (Action::ConfigChange, _) => format!("{place} の設定を変更しました"),
        (Action::AccountChange, _) => format!("{place} で {target} を変更しました"),
        (Action::LogClear, _) => format!("{place} のログを消去しました"),
        (Action::Allow | Action::Deny | Action::Detect | Action::Other, _) => return traffic(event, action, device),
    };
    format!("{}{deed}{}", actor(event), ending(event))
}

fn actor(event: &Event) -> String {
    let from = event.source_ip.map(|ip| match zone(event) {
        Some(zone) => format!("{ip}（{zone}）から "),
        None => format!("{ip} から "),
    });
    match (event.user_name.as_deref(), from) {
        (Some(user), Some(from)) => format!("{user} が {from}"),
        (Some(user), None) => format!("{user} が "),
        (None, Some(from)) => format!("{from}利用者の分からない操作: "),
        (None, None) => "利用者の分からない操作: ".to_owned(),
    }
}

fn zone(event: &Event) -> Option<String> {
    let zone = event.get(Field::SourceZone).map(|zone| words::value(Field::SourceZone, &zone.to_text()));
    match (zone, event.source_country.as_deref()) {
        (Some(zone), Some(country)) => Some(format!("{zone}・{country}")),
        (zone, country) => zone.or_else(|| country.map(str::to_owned)),
    }
}

fn ending(event: &Event) -> String {
    let outcome = event.outcome.map(words::outcome);
    match (outcome, event.reason.as_deref()) {
        (Some(outcome), Some(reason)) => format!("（{outcome}、{reason}）"),
        (Some(outcome), None) => format!("（{outcome}）"),
        (None, _) => String::new(),
    }
}

fn traffic(event: &Event, action: Action, device: &str) -> String {
    let from = event.source_ip.map_or_else(|| "不明な接続元".to_owned(), |ip| ip.to_string());
    let to = event.destination_ip.map_or_else(String::new, |ip| format!("から {ip} への"));
    let to = if to.is_empty() { "からの".to_owned() } else { to };
    match action {
        Action::Allow => format!("{device} が {from} {to}通信を許可しました"),
        Action::Deny => format!("{device} が {from} {to}通信を遮断しました"),
        _ => format!("{device} が {from} {to}通信に不審な動きを検出しました"),
    }
}

fn plain(event: &Event) -> String {
    match (event.device(), event.code.as_deref()) {
        (Some(device), Some(code)) => format!("{device} の記録（番号 {code}）"),
        (Some(device), None) => format!("{device} の記録"),
        (None, _) => "機器の分からない記録".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vpn_connection_reads_as_a_sentence() {
        let event = Event {
            action: Some(Action::SessionStart),
            outcome: Some(Outcome::Success),
            user_name: Some("sato_k".to_owned()),
            source_ip: Some("203.0.113.9".parse().unwrap()),
            source_zone: Some(monban_event::SourceZone::Outside),
            observer_hostname: Some("FGT-HONKAN".to_owned()),
            vpn_type: Some("ssl".to_owned()),
            ..Event::default()
        };
        assert_eq!(sentence(&event), "sato_k が 203.0.113.9（院外）から FGT-HONKAN の SSL VPN に接続しました（成功）");
    }

    #[test]
    fn what_was_not_understood_is_still_named() {
        let event = Event { observer_hostname: Some("FW1".to_owned()), ..Event::default() };
        assert_eq!(sentence(&event), "FW1 の記録");
        assert_eq!(sentence(&Event::default()), "機器の分からない記録");
    }
}
