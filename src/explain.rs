//! `monban rules explain`: what a built-in rule looks at, in words; with a data directory also which exceptions cover it
//! just now; and of one event, which parts of the rule hold and which do not.

use monban_detect::sigma::{Counts, Explained, Selects, explain};
use monban_detect::{RuleInfo, RuleSet};
use monban_event::act::Deed;
use monban_event::time::jst_text;
use monban_event::{ActSink, Event, EventId, EventStore};
use monban_index::ledger::ExceptionRow;

use crate::control::Reply;
use crate::node::Node;
use crate::verbs::{CONSOLE, EXIT_NOTHING, EXIT_OK, failed};

/// The rule of that number with its text, however it is written.
pub(crate) fn find<'a>(rules: &'a RuleSet, id: &str) -> Option<(&'a RuleInfo, &'static str)> {
    let rule = rules.rules().iter().find(|rule| rule.id.as_str().eq_ignore_ascii_case(id))?;
    let (_, text) = RuleSet::hospital_texts().iter().find(|(file, _)| *file == rule.file)?;
    Some((rule, text))
}

pub(crate) fn unknown(id: &str) -> String {
    format!("「{id}」という内蔵ルールはありません。monban rules list で一覧を表示できます。")
}

/// What the rule looks at.
pub(crate) fn lines(rule: &RuleInfo, text: &str, event: Option<&Event>) -> Vec<String> {
    let mut lines = vec![format!("{} {}（重大度 {}）", rule.id, rule.title_ja, rule.severity.japanese())];
    for document in explain(text, event).unwrap_or_default() {
        lines.push(String::new());
        match document {
            Explained::Selects(selects) => lines.extend(selected(&selects)),
            Explained::Counts(counts) => lines.extend(counted(&counts)),
        }
    }
    lines.push(String::new());
    lines.extend(rule.thresholds.iter().map(|threshold| {
        let (name, value) = (&threshold.name, threshold.value);
        format!("しきい値  {name}: いま {value}（{}〜{} の範囲で変えられます）", threshold.min, threshold.max)
    }));
    lines.push(format!("要るもの  {}", rule.needs.join("、")));
    lines
}

fn selected(selects: &Selects) -> Vec<String> {
    let mut lines = vec![
        format!("■ {}", selects.title),
        format!("{}対象  {}", mark(selects.is_of_source, selects.is_of_source.is_some()), selects.source),
    ];
    let is_asked = selects.is_of_source.is_some();
    let parts = selects.parts.iter();
    lines.extend(parts.map(|part| format!("{}{}: {}", mark(part.holds, is_asked), part.name, part.text)));
    lines.push(format!("{}条件  {}", mark(selects.holds, is_asked), selects.condition));
    lines
}

/// Whether it holds, where that was asked.
fn mark(holds: Option<bool>, is_asked: bool) -> &'static str {
    match holds {
        _ if !is_asked => "  ",
        Some(true) => "○ ",
        Some(false) => "× ",
        None => "？ ",
    }
}

fn counted(counts: &Counts) -> Vec<String> {
    vec![format!("■ {}", counts.title), format!("  数え方  {} を、{}", counts.rules.join("・"), counts.text)]
}

/// The same on a data directory. That somebody looked at an event is on the trail.
pub(crate) fn on_data(node: &Node, id: &str, event: Option<EventId>, say: &mut dyn FnMut(Reply)) -> Result<u8, String> {
    let hospital = RuleSet::hospital();
    let Some((rule, text)) = find(&hospital, id) else { return Err(unknown(id)) };
    let event = event.map(|event| looked_at(node, event)).transpose()?;
    for line in lines(rule, text, event.as_ref()).into_iter().chain(exceptions(node, rule)?) {
        say(Reply::Out(line));
    }
    let Some(event) = event else { return Ok(EXIT_OK) };
    say(Reply::Out("○ 当てはまる　× 当てはまらない　？ その前の記録によるため、この記録だけでは分からない".to_owned()));
    let ledger = node.ledger.read().map_err(|error| failed("検知を読めません")(&error))?;
    let found = ledger.findings_of_event(event.id).map_err(|error| failed("検知を読めません")(&error))?;
    let found: Vec<String> =
        found.iter().filter(|row| row.rule_id == rule.id).map(|row| format!("検知 {}", row.id)).collect();
    let is_found = !found.is_empty();
    say(Reply::Out(if is_found {
        format!("この記録は {} の根拠です。", found.join("、"))
    } else {
        "この記録は、このルールの検知の根拠になっていません。".to_owned()
    }));
    Ok(if is_found { EXIT_OK } else { EXIT_NOTHING })
}

fn looked_at(node: &Node, id: EventId) -> Result<Event, String> {
    let event = node.store.event(id).map_err(|error| failed("記録を読めません")(&error))?;
    let event = event.ok_or_else(|| {
        format!("{id} というイベントはありません。番号は画面のイベントのアドレス（/events/ の後）にあります。")
    })?;
    let what = format!("イベント {id}");
    node.record(CONSOLE, Deed::Viewed { what })
        .map_err(|error| failed("監査証跡に記録できません")(&error))?;
    Ok(event)
}

fn exceptions(node: &Node, rule: &RuleInfo) -> Result<Vec<String>, String> {
    let (now, ledger) = (node.clock.now(), node.ledger.read().map_err(|error| failed("例外を読めません")(&error))?);
    let rows = ledger.exceptions().map_err(|error| failed("例外を読めません")(&error))?;
    let in_force: Vec<String> =
        rows.iter().filter(|row| row.scope.rule == rule.id && row.is_in_force(now)).map(exception).collect();
    Ok(if in_force.is_empty() {
        vec!["例外      いま有効なものはありません".to_owned()]
    } else {
        in_force
    })
}

fn exception(row: &ExceptionRow) -> String {
    let (scope, until) = (monban_audit::scope_text(&row.scope), jst_text(row.until));
    format!("例外      {}　{scope}　{until} まで　責任者 {}　{}", row.id, row.owner, row.reason)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use monban_event::{Clock, SimulatedClock};

    use super::*;
    use crate::node::Opening;

    #[test]
    fn a_rule_is_explained_with_its_window_and_thresholds() {
        let rules = RuleSet::hospital();
        let (rule, text) = find(&rules, "au-05").unwrap();
        let told = lines(rule, text, None).join("\n");
        for expected in [
            "対象  すべての記録",
            "selection: event.reason が 0xc000006a か 0x18",
            "数え方  au_05_failure を、24h のあいだに、user.name が同じものを 数える（50 で検知）",
            "しきい値  パスワード違いの回数: いま 50（20〜500 の範囲で変えられます）",
        ] {
            assert!(told.contains(expected), "{told}");
        }
        assert!(!told.contains('○') && !told.contains('？'), "{told}");
        assert!(find(&rules, "ZZ-99").is_none());
    }

    #[test]
    fn exceptions_in_force_are_told_and_an_event_that_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let clock = SimulatedClock::at("2026-10-06T10:00:00+09:00".parse().unwrap());
        let opening =
            Opening { dir: dir.path(), create: true, config: None, clock: Arc::new(clock.clone()), stays: false };
        let node = Node::open(&opening).unwrap();
        let scope: monban_event::Scope =
            serde_json::from_value(serde_json::json!({"rule.id": "VP-09", "subject": "tanaka"})).unwrap();
        let deed = Deed::ExceptionGranted {
            id: "ex-1".to_owned(),
            scope: Box::new(scope),
            reason: "夜間の保守".to_owned(),
            owner: "佐藤".to_owned(),
            from: clock.now(),
            until: "2026-12-31T00:00:00+09:00".parse().unwrap(),
        };
        node.record("yamada", deed).unwrap();
        let mut told = Vec::new();
        let mut say = |reply| {
            if let Reply::Out(line) = reply {
                told.push(line);
            }
        };
        assert_eq!(on_data(&node, "VP-09", None, &mut say), Ok(EXIT_OK));
        assert!(on_data(&node, "VP-09", Some(EventId::default()), &mut |_| {}).unwrap_err().contains("0-0"));
        assert!(on_data(&node, "VP-99", None, &mut |_| {}).is_err());
        assert!(told.iter().any(|line| line.starts_with("例外      ex-1") && line.contains("佐藤")), "{told:?}");
    }
}
