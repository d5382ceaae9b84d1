//! A rule taken apart for people: what each of its documents looks at, in words, and of one event which parts hold. What
//! earlier lines say of an event stands in no event, so of such parts nothing is said.

use std::collections::HashMap;

use monban_event::Event;
use rsigma_eval::compile_rule;
use rsigma_eval::compiler::eval_condition;
use rsigma_parser::{
    ConditionExpr, CorrelationCondition, CorrelationRule, CorrelationType, Detection, DetectionItem, Detections,
    LogSource, Modifier, SigmaRule, SigmaValue, parse_sigma_yaml,
};

use super::asks::item_asks;
use super::load::SourceKey;
use super::route::Routes;
use super::view::EventView;
use crate::recall::Recalled;

/// One document of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explained {
    Selects(Selects),
    Counts(Counts),
}

/// A document that picks events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selects {
    pub title: String,
    /// Which logs, in words.
    pub source: String,
    /// Whether the event is of these logs.
    pub is_of_source: Option<bool>,
    /// By name, in the order of the names.
    pub parts: Vec<Part>,
    /// How the named parts are put together, as the rule writes it.
    pub condition: String,
    /// Whether all of it holds; `None` where a part of it is not known.
    pub holds: Option<bool>,
}

/// One line of a named part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub text: String,
    /// `None` without an event, or where earlier lines would have to be known.
    pub holds: Option<bool>,
}

/// A document that counts what others pick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    pub title: String,
    pub rules: Vec<String>,
    pub text: String,
}

/// The documents of a rule file in their order; `None` where it cannot be read.
pub fn explain(text: &str, event: Option<&Event>) -> Option<Vec<Explained>> {
    let collection = parse_sigma_yaml(text).ok()?;
    let selects = collection.rules.iter().map(|rule| Explained::Selects(selects(rule, event)));
    let counts = collection.correlations.iter().map(|rule| Explained::Counts(counts(rule)));
    Some(selects.chain(counts).collect())
}

fn selects(rule: &SigmaRule, event: Option<&Event>) -> Selects {
    let mut named: Vec<(&String, &Detection)> = rule.detection.named.iter().collect();
    named.sort_unstable_by_key(|(name, _)| *name);
    let mut parts = Vec::new();
    for (name, detection) in named {
        add_parts(rule, (name, detection), event, &mut parts);
    }
    let asks = super::asks::asks_memory(&rule.detection);
    Selects {
        title: rule.title.clone(),
        source: source(&rule.logsource),
        is_of_source: event.map(|event| is_of_source(rule, event)),
        parts,
        condition: rule.detection.condition_strings.join(" / "),
        holds: event.filter(|_| !asks).and_then(|event| holds(rule, event)),
    }
}

fn is_of_source(rule: &SigmaRule, event: &Event) -> bool {
    let key = SourceKey::of(&rule.logsource);
    let mut is_met = false;
    Routes::new(std::iter::once(&key)).visit(event, &mut |_| is_met = true);
    is_met
}

fn holds(rule: &SigmaRule, event: &Event) -> Option<bool> {
    let compiled = compile_rule(rule).ok()?;
    let recalled = Recalled::default();
    let view = EventView::new(event, &recalled);
    let mut selections = Vec::new();
    let mut holds = |condition| eval_condition(condition, &compiled.detections, &view, &mut selections);
    Some(compiled.conditions.iter().any(&mut holds))
}

fn add_parts(rule: &SigmaRule, (name, detection): (&str, &Detection), event: Option<&Event>, parts: &mut Vec<Part>) {
    let mut add = |text: String, detection: Detection, is_known: bool| {
        let holds = event.filter(|_| is_known).and_then(|event| holds(&alone(rule, detection), event));
        parts.push(Part { name: name.to_owned(), text, holds });
    };
    match detection {
        Detection::AllOf(items) => {
            for item in items {
                add(item_text(item), Detection::AllOf(vec![item.clone()]), !item_asks(item));
            }
        }
        Detection::AnyOf(choices) | Detection::And(choices) => {
            let is_any = matches!(detection, Detection::AnyOf(_));
            let texts: Vec<String> = choices.iter().map(detection_text).collect();
            let is_known = !super::asks::asks(detection);
            add(texts.join(if is_any { "、または " } else { "、かつ " }), detection.clone(), is_known);
        }
        Detection::Keywords(words) => {
            add(format!("どこかに {} がある", either(words)), detection.clone(), true);
        }
        _ => add("（この形は言葉にできません。定義を見てください）".to_owned(), detection.clone(), false),
    }
}

/// The rule with that part and nothing else.
fn alone(rule: &SigmaRule, detection: Detection) -> SigmaRule {
    let detection = Detections {
        named: HashMap::from([("part".to_owned(), detection)]),
        conditions: vec![ConditionExpr::Identifier("part".to_owned())],
        condition_strings: vec!["part".to_owned()],
        timeframe: None,
    };
    SigmaRule { detection, ..rule.clone() }
}

fn detection_text(detection: &Detection) -> String {
    match detection {
        Detection::AllOf(items) => items.iter().map(item_text).collect::<Vec<_>>().join("、かつ "),
        Detection::Keywords(words) => either(words),
        Detection::AnyOf(parts) | Detection::And(parts) => {
            parts.iter().map(detection_text).collect::<Vec<_>>().join(" / ")
        }
        _ => "（定義を見てください）".to_owned(),
    }
}

fn item_text(item: &DetectionItem) -> String {
    let name = item.field.name.as_deref().unwrap_or("どこか");
    let has = |modifier| item.field.modifiers.contains(&modifier);
    if has(Modifier::Exists) {
        let is_wanted = item.values.first() != Some(&SigmaValue::Bool(false));
        return format!("{name} の値が{}", if is_wanted { "ある" } else { "ない" });
    }
    let values = if has(Modifier::All) { both(&item.values) } else { either(&item.values) };
    let ways = [
        (Modifier::Contains, "を含む"),
        (Modifier::StartsWith, "で始まる"),
        (Modifier::EndsWith, "で終わる"),
        (Modifier::Gte, "以上"),
        (Modifier::Gt, "より大きい"),
        (Modifier::Lte, "以下"),
        (Modifier::Lt, "より小さい"),
        (Modifier::Neq, "でない"),
        (Modifier::Cidr, "の範囲"),
        (Modifier::Re, "の形（正規表現）"),
        (Modifier::FieldRef, "という項目と同じ"),
    ];
    let way = ways.into_iter().find(|(modifier, _)| has(*modifier)).map_or("", |(_, way)| way);
    format!("{name} が {values}{}{way}", if way.is_empty() { "" } else { " " })
}

fn either(values: &[SigmaValue]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" か ")
}

fn both(values: &[SigmaValue]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" と ")
}

fn source(source: &LogSource) -> String {
    if SourceKey::of(source).is_of_facts() {
        let kind = source.service.as_deref().unwrap_or_default();
        return format!("門番自身が知った事実（{kind}）。受け取ったログではありません");
    }
    let named = [("製品", &source.product), ("種類", &source.category), ("サービス", &source.service)];
    let is_ours = |(what, value): &(&str, &Option<String>)| *what == "製品" && value.as_deref() == Some("monban");
    let told: Vec<String> = named
        .into_iter()
        .filter(|named| !is_ours(named))
        .filter_map(|(what, value)| Some(format!("{what} {}", value.as_deref()?)))
        .collect();
    if told.is_empty() { "すべての記録".to_owned() } else { told.join("、") }
}

fn counts(rule: &CorrelationRule) -> Counts {
    let by = if rule.group_by.is_empty() {
        String::new()
    } else {
        format!("{} が同じものを ", rule.group_by.join("・"))
    };
    let what = match rule.correlation_type {
        CorrelationType::EventCount => "数える",
        CorrelationType::ValueCount => "種類を数える",
        CorrelationType::Temporal => "そろうかを見る",
        CorrelationType::TemporalOrdered => "この順にそろうかを見る",
        _ => "まとめる",
    };
    let enough = match &rule.condition {
        CorrelationCondition::Threshold { predicates, field, .. } if !predicates.is_empty() => {
            let numbers: Vec<String> = predicates.iter().map(|(_, number)| number.to_string()).collect();
            let field = field.as_ref().map(|field| format!("{} ", field.join("・"))).unwrap_or_default();
            format!("（{field}{} で検知）", numbers.join("〜"))
        }
        _ => String::new(),
    };
    let text = format!("{} のあいだに、{by}{what}{enough}", rule.timespan);
    Counts { title: rule.title.clone(), rules: rule.rules.clone(), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "title: 失敗\nname: base\nlogsource: {product: windows, service: security}\ndetection:\n  selection:\n    \
        event.code: ['4625', '4771']\n    user.name|startswith: svc_\n  known:\n    seen.source: known\n  \
        condition: selection and not known\n---\ntitle: 多数\nid: X-1\ncorrelation:\n  type: event_count\n  rules: [base]\n  \
        group-by: [user.name]\n  timespan: 10m\n  condition:\n    gte: 10\n";

    fn event(code: &str, user: &str) -> Event {
        Event {
            module: Some("windows".to_owned()),
            dataset: Some("windows.security".to_owned()),
            winlog_channel: Some("Security".to_owned()),
            code: Some(code.to_owned()),
            user_name: Some(user.to_owned()),
            ..Event::default()
        }
    }

    fn parts(event: Option<&Event>) -> (Selects, Counts) {
        let documents = explain(RULE, event).expect("a rule");
        match documents.as_slice() {
            [Explained::Selects(selects), Explained::Counts(counts)] => (selects.clone(), counts.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_rule_is_told_in_words() {
        let (selects, counts) = parts(None);
        let texts: Vec<&str> = selects.parts.iter().map(|part| part.text.as_str()).collect();
        assert_eq!(texts, ["seen.source が known", "event.code が 4625 か 4771", "user.name が svc_ で始まる"]);
        assert_eq!(selects.source, "製品 windows、サービス security");
        assert_eq!(selects.condition, "selection and not known");
        assert_eq!(counts.text, "10m のあいだに、user.name が同じものを 数える（10 で検知）");
        assert!(selects.parts.iter().all(|part| part.holds.is_none()));
    }

    #[test]
    fn of_an_event_each_part_holds_or_not_or_is_not_known() {
        let (selects, _) = parts(Some(&event("4771", "tanaka")));
        let held: Vec<Option<bool>> = selects.parts.iter().map(|part| part.holds).collect();
        assert_eq!(held, [None, Some(true), Some(false)]);
        assert_eq!((selects.is_of_source, selects.holds), (Some(true), None));
        let (selects, _) = parts(Some(&Event { winlog_channel: Some("System".to_owned()), ..event("1", "a") }));
        assert_eq!(selects.is_of_source, Some(false));
    }

    #[test]
    fn every_rule_of_ours_can_be_told() {
        for (file, text) in crate::RuleSet::hospital_texts() {
            let documents = explain(text, None).unwrap_or_default();
            assert!(!documents.is_empty(), "{file}");
        }
    }
}
