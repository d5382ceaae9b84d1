//! Windows audit policies: which events each makes a machine write, and how it is switched on. A rule over events of a
//! policy that is off is blind on that machine, and says nothing. Names and GUIDs as `auditpol /list /subcategory:* /v`
//! prints them on a Japanese Windows Server; events after Microsoft's description of each subcategory.

use std::collections::BTreeSet;

use rsigma_parser::{Detection, DetectionItem, SigmaRule, SigmaValue};

/// Which machines can write the events at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machines {
    All,
    DomainControllers,
}

/// What its missing says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// A machine in use writes such events every day: where none came in a week, the policy is off.
    Daily,
    /// Only when something happens, so that their missing proves nothing.
    Seldom,
}

/// One side of a subcategory of the advanced audit policy.
#[derive(Debug, PartialEq, Eq)]
pub struct AuditPolicy {
    /// Told apart by.
    pub key: &'static str,
    /// Category and subcategory as the group policy editor shows them.
    pub path: &'static str,
    pub guid: &'static str,
    /// What has to be recorded: `success`, `failure`, or both.
    pub switches: &'static [&'static str],
    /// Events of the channel Security.
    pub events: &'static [i64],
    /// The event of Sysmon that tells the same.
    pub sysmon: Option<i64>,
    pub machines: Machines,
    pub rhythm: Rhythm,
    /// What has to be set besides.
    pub further: &'static str,
}

const SUCCESS: &[&str] = &["success"];
const FAILURE: &[&str] = &["failure"];
const BOTH: &[&str] = &["success", "failure"];

/// In the order of the group policy editor. A number stands in one policy only.
pub const POLICIES: [AuditPolicy; 19] = [
    AuditPolicy {
        events: &[4768, 4771, 4772],
        machines: Machines::DomainControllers,
        rhythm: Rhythm::Daily,
        ..policy("kerberos_authentication", "アカウント ログオン > Kerberos 認証サービス", "0CCE9242", BOTH)
    },
    AuditPolicy {
        events: &[4769, 4770, 4773],
        machines: Machines::DomainControllers,
        rhythm: Rhythm::Daily,
        ..policy("kerberos_tickets", "アカウント ログオン > Kerberos サービス チケット操作", "0CCE9240", BOTH)
    },
    AuditPolicy {
        events: &[4776],
        machines: Machines::DomainControllers,
        ..policy("credential_validation", "アカウント ログオン > 資格情報の確認", "0CCE923F", BOTH)
    },
    AuditPolicy {
        events: &[4720, 4722, 4723, 4724, 4725, 4726, 4738, 4740, 4765, 4766, 4767, 4780, 4781, 4794],
        ..policy("user_accounts", "アカウント管理 > ユーザー アカウント管理", "0CCE9235", BOTH)
    },
    AuditPolicy {
        events: &[4727, 4728, 4729, 4730, 4731, 4732, 4733, 4734, 4735, 4737, 4754, 4755, 4756, 4757, 4758, 4764],
        ..policy("security_groups", "アカウント管理 > セキュリティ グループ管理", "0CCE9237", SUCCESS)
    },
    AuditPolicy {
        events: &[4741, 4742, 4743],
        machines: Machines::DomainControllers,
        ..policy("computer_accounts", "アカウント管理 > コンピューター アカウント管理", "0CCE9236", SUCCESS)
    },
    AuditPolicy {
        events: &[4688, 4696],
        sysmon: Some(1),
        rhythm: Rhythm::Daily,
        further: "管理用テンプレート > システム > プロセス作成の監査 > 「プロセス作成イベントにコマンド ラインを含める」も有効にします",
        ..policy("process_creation", "詳細追跡 > プロセス作成", "0CCE922B", SUCCESS)
    },
    AuditPolicy {
        events: &[4662],
        machines: Machines::DomainControllers,
        further: "ドメインのオブジェクトの監査（SACL）も必要です",
        ..policy("directory_access", "DS アクセス > ディレクトリ サービスのアクセス", "0CCE923B", SUCCESS)
    },
    AuditPolicy {
        events: &[5136, 5137, 5138, 5139, 5141],
        machines: Machines::DomainControllers,
        ..policy("directory_changes", "DS アクセス > ディレクトリ サービスの変更", "0CCE923C", SUCCESS)
    },
    AuditPolicy {
        events: &[4624, 4648],
        rhythm: Rhythm::Daily,
        ..policy("logon_success", "ログオン/ログオフ > ログオン（成功）", "0CCE9215", SUCCESS)
    },
    AuditPolicy {
        events: &[4625],
        ..policy("logon_failure", "ログオン/ログオフ > ログオン（失敗）", "0CCE9215", FAILURE)
    },
    AuditPolicy {
        events: &[4672, 4964],
        rhythm: Rhythm::Daily,
        ..policy("special_logon", "ログオン/ログオフ > 特殊なログオン", "0CCE921B", SUCCESS)
    },
    AuditPolicy {
        events: &[4656, 4660, 4663, 4670],
        further: "監査したいフォルダの監査（SACL）も必要です",
        ..policy("file_system", "オブジェクト アクセス > ファイル システム", "0CCE921D", BOTH)
    },
    AuditPolicy {
        events: &[5140, 5142, 5143, 5144, 5168],
        ..policy("file_share", "オブジェクト アクセス > ファイルの共有", "0CCE9224", BOTH)
    },
    AuditPolicy {
        events: &[5145],
        further: "記録が多くなるため、ファイルサーバでは量を見ながら有効にします",
        ..policy("detailed_file_share", "オブジェクト アクセス > 詳細なファイル共有", "0CCE9244", BOTH)
    },
    AuditPolicy {
        events: &[4698, 4699, 4700, 4701, 4702],
        ..policy(
            "other_object_access",
            "オブジェクト アクセス > その他のオブジェクト アクセス イベント",
            "0CCE9227",
            SUCCESS,
        )
    },
    AuditPolicy {
        events: &[4715, 4719, 4907, 4912],
        ..policy("audit_policy_change", "ポリシーの変更 > 監査ポリシーの変更", "0CCE922F", BOTH)
    },
    AuditPolicy {
        events: &[4946, 4947, 4948, 4949, 4950],
        ..policy("firewall_rules", "ポリシーの変更 > MPSSVC ルールレベル ポリシーの変更", "0CCE9232", SUCCESS)
    },
    AuditPolicy {
        events: &[4610, 4611, 4614, 4622, 4697],
        ..policy("security_extension", "システム > セキュリティ システムの拡張", "0CCE9211", SUCCESS)
    },
];

const fn policy(
    key: &'static str,
    path: &'static str,
    guid: &'static str,
    switches: &'static [&'static str],
) -> AuditPolicy {
    AuditPolicy {
        key,
        path,
        guid,
        switches,
        events: &[],
        sysmon: None,
        machines: Machines::All,
        rhythm: Rhythm::Seldom,
        further: "",
    }
}

/// Where in the group policy editor the advanced audit policy is.
pub const GPO_PATH: &str =
    "コンピューターの構成 > ポリシー > Windows の設定 > セキュリティの設定 > 監査ポリシーの詳細な構成 > 監査ポリシー";

impl AuditPolicy {
    pub fn by_key(key: &str) -> Option<&'static Self> {
        POLICIES.iter().find(|policy| policy.key == key)
    }

    /// The number in [`POLICIES`] of the policy that an event of that channel comes of.
    pub(crate) fn place_of(channel: &str, event: i64) -> Option<usize> {
        match channel {
            "Security" => POLICIES.iter().position(|policy| policy.events.contains(&event)),
            "Microsoft-Windows-Sysmon/Operational" => POLICIES.iter().position(|policy| policy.sysmon == Some(event)),
            _ => None,
        }
    }

    /// The line for an administrator's console that switches it on.
    pub fn command(&self) -> String {
        let switches = self.switches.join(":enable /");
        format!("auditpol /set /subcategory:\"{{{}-69AE-11D9-BED3-505054503030}}\" /{switches}:enable", self.guid)
    }

    /// The line that shows whether it is on.
    pub fn question(&self) -> String {
        format!("auditpol /get /subcategory:\"{{{}-69AE-11D9-BED3-505054503030}}\"", self.guid)
    }

    /// The subcategory without its category.
    pub fn title(&self) -> &'static str {
        self.path.rsplit(" > ").next().unwrap_or(self.path)
    }
}

/// Keys of the policies whose events a rule asks for by their numbers, by the meaning that logons have here, or by its
/// log source.
pub(crate) fn needed(rule: &SigmaRule) -> BTreeSet<&'static str> {
    let source = &rule.logsource;
    let is_other = |name: Option<&str>, meant: &[&str]| name.is_some_and(|name| !meant.contains(&name));
    if is_other(source.product.as_deref(), &["windows", "monban"]) || is_other(source.service.as_deref(), &["security"])
    {
        return BTreeSet::new();
    }
    let mut needed = BTreeSet::new();
    match source.category.as_deref() {
        Some("process_creation") => drop(needed.insert("process_creation")),
        Some(_) => {}
        None => rule.detection.named.values().for_each(|detection| gather(detection, &mut needed)),
    }
    needed
}

fn gather(detection: &Detection, needed: &mut BTreeSet<&'static str>) {
    match detection {
        Detection::AllOf(items) => {
            items.iter().filter(|item| is_field(item, &["EventID", "winlog.event_id"])).for_each(|item| {
                let numbers = item.values.iter().filter_map(number);
                let places = numbers.filter_map(|number| AuditPolicy::place_of("Security", number));
                needed.extend(places.filter_map(|place| POLICIES.get(place)).map(|policy| policy.key));
            });
            needed.extend(logon_policies(items));
        }
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().for_each(|part| gather(part, needed)),
        Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. } => {}
    }
}

/// `monban.login` is said of VPN devices and other hosts, too.
fn logon_policies(items: &[DetectionItem]) -> impl Iterator<Item = &'static str> {
    let says = |item: &DetectionItem, word: &str| item.values.iter().any(|value| text(value).as_deref() == Some(word));
    let mut kinds = items.iter().filter(|item| is_field(item, &["monban.login_kind"]));
    let of_windows = kinds.all(|item| says(item, "windows"));
    let asked = items.iter().filter(move |item| of_windows && is_field(item, &["monban.login"]));
    asked.flat_map(move |item| {
        let keys = [("success", "logon_success"), ("failure", "logon_failure")];
        keys.into_iter().filter(move |(word, _)| says(item, word)).map(|(_, key)| key)
    })
}

fn is_field(item: &DetectionItem, names: &[&str]) -> bool {
    item.field.name.as_deref().is_some_and(|name| names.contains(&name))
}

fn number(value: &SigmaValue) -> Option<i64> {
    match value {
        SigmaValue::Integer(number) => Some(*number),
        _ => None,
    }
}

fn text(value: &SigmaValue) -> Option<String> {
    match value {
        SigmaValue::String(text) => Some(text.original.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rsigma_parser::parse_sigma_yaml;

    use super::*;

    fn needed_by(source: &str, selection: &str) -> Vec<&'static str> {
        let text = format!(
            "title: t\nlogsource: {source}\ndetection:\n  one: {selection}\n  two: {{a: b}}\n  condition: one and two\n"
        );
        needed(&parse_sigma_yaml(&text).unwrap().rules[0]).into_iter().collect()
    }

    #[test]
    fn a_rule_needs_the_policies_of_the_events_it_asks_for() {
        let windows = "{product: windows, service: security}";
        assert_eq!(needed_by(windows, "{EventID: [4728, 4769]}"), ["kerberos_tickets", "security_groups"]);
        assert_eq!(needed_by(windows, "[{EventID: 4662}, {EventID: 1102}]"), ["directory_access"]);
        assert_eq!(needed_by("{product: windows, category: process_creation}", "{a: b}"), ["process_creation"]);
        assert_eq!(needed_by("{product: monban}", "{monban.login: failure}"), ["logon_failure"]);
        assert_eq!(
            needed_by("{product: monban}", "{monban.login: [success, failure], monban.login_kind: [windows, host]}"),
            ["logon_failure", "logon_success"]
        );
        assert!(needed_by("{product: monban}", "{monban.login: failure, monban.login_kind: vpn}").is_empty());
        assert!(needed_by("{product: windows, service: system}", "{EventID: 4688}").is_empty());
        assert!(needed_by("{product: linux}", "{EventID: 4688}").is_empty());
    }

    #[test]
    fn no_event_comes_of_two_policies_and_each_policy_can_be_switched_on() {
        let mut seen = BTreeSet::new();
        for policy in &POLICIES {
            assert!(policy.events.iter().all(|event| seen.insert(event)), "{}", policy.key);
            assert_eq!(AuditPolicy::by_key(policy.key), Some(policy));
            assert!(policy.guid.starts_with("0CCE92") && policy.guid.len() == 8, "{}", policy.key);
        }
        let process = AuditPolicy::by_key("process_creation").unwrap();
        assert_eq!(
            process.command(),
            "auditpol /set /subcategory:\"{0CCE922B-69AE-11D9-BED3-505054503030}\" /success:enable"
        );
        assert_eq!(process.title(), "プロセス作成");
    }
}
