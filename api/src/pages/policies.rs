//! 監査ポリシー診断: which Windows audit policies are at work where, which rules are blind without them, and what to set.

use askama::Template;
use chrono::TimeDelta;
use monban_audit::policies::{Diagnosis, PolicyStanding, Standing, diagnose};
use monban_audit::wording;
use monban_detect::policy::GPO_PATH;
use monban_event::TimeRange;

use super::frame::{Frame, Page};
use super::html;
use crate::app::{Answer, Visit};
use crate::problem::Problem;

/// Days looked at: every daily record comes many times, and a setting that was mended shows within a month.
pub(crate) const DAYS: i64 = 30;

#[derive(Template)]
#[template(path = "policies.html")]
struct PoliciesPage {
    frame: Frame,
    machines: usize,
    records: String,
    gpo: &'static str,
    groups: Vec<Group>,
    partial: bool,
}

struct Group {
    title: &'static str,
    note: &'static str,
    class: &'static str,
    lines: Vec<Line>,
}

struct Line {
    path: &'static str,
    further: &'static str,
    machines: String,
    count: usize,
    rules: String,
    command: String,
}

pub(crate) async fn show(visit: Visit) -> Answer {
    visit.run(|visit| html(&answer(visit)?)).await
}

/// What came in the last days.
pub(crate) fn lately(visit: &Visit) -> Result<Diagnosis, Problem> {
    let now = visit.app.now();
    Ok(diagnose(visit.app.services.store.as_ref(), TimeRange::between(now - TimeDelta::days(DAYS), now), false)?)
}

fn answer(visit: &Visit) -> Result<PoliciesPage, Problem> {
    let found = lately(visit)?;
    let group = |standing, class, title, note| Group {
        title,
        note,
        class,
        lines: found.policies.iter().filter_map(|policy| line(visit, policy, standing)).collect(),
    };
    let groups = vec![
        group(
            Standing::Off,
            "bad",
            "切られているとみられる監査",
            "使われている Windows なら毎日書くはずの記録が、7 日以上届いていません。設定の行を保守会社に送ってください。",
        ),
        group(
            Standing::Unseen,
            "wait",
            "まだ届いたことのない監査",
            "何かが起きたときだけ書かれる記録なので、切られているとは限りません。「確かめる行」を管理者の画面で実行すると分かります。",
        ),
        group(Standing::Arriving, "good", "届いている監査", "この 30 日に記録が届きました。"),
    ];
    Ok(PoliciesPage {
        frame: Frame::of(visit, "監査ポリシー診断", Page::Sources)?,
        machines: found.machines.len(),
        records: wording::count(found.machines.values().sum()),
        gpo: GPO_PATH,
        groups,
        partial: found.partial,
    })
}

fn line(visit: &Visit, policy: &PolicyStanding, standing: Standing) -> Option<Line> {
    let machines = policy.on(standing);
    let rules: Vec<String> = visit.app.services.rules.relying_on(policy.policy.key);
    let command = match standing {
        Standing::Off => policy.policy.command(),
        Standing::Unseen => policy.policy.question(),
        Standing::Arriving => String::new(),
    };
    (!machines.is_empty()).then(|| Line {
        path: policy.policy.path,
        further: policy.policy.further,
        count: machines.len(),
        machines: machines.join("、"),
        rules: rules_words(&rules),
        command,
    })
}

/// Rules named on a line; the rules of all the world are some hundred.
const RULES_NAMED: usize = 12;

fn rules_words(rules: &[String]) -> String {
    let ours: Vec<&str> =
        rules.iter().map(String::as_str).filter(|id| id.len() <= "VP-01".len()).take(RULES_NAMED).collect();
    match rules.len() - ours.len() {
        0 if ours.is_empty() => "—".to_owned(),
        0 => ours.join("、"),
        more if ours.is_empty() => format!("{more} 個"),
        more => format!("{} ほか {more} 個", ours.join("、")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_our_rules_and_counts_the_others() {
        let rules = |ids: &[&str]| rules_words(&ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        assert_eq!(rules(&[]), "—");
        assert_eq!(rules(&["AU-01", "RW-01"]), "AU-01、RW-01");
        assert_eq!(rules(&["02f4f1b7-0000", "RW-01"]), "RW-01 ほか 1 個");
        assert_eq!(rules(&["02f4f1b7-0000"]), "1 個");
    }
}
