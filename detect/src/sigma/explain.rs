//! A rule read out: what it looks at, in Japanese, part by part, and which of these parts hold for an event. For who
//! asks why a rule fired, or why it did not.

use monban_event::Event;
use rsigma_eval::compiler::evaluate_rule;
use rsigma_eval::{CompiledRule, compile_rule};
use rsigma_parser::{
    ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, Detection, DetectionItem, LogSource,
    Modifier, SigmaRule, SigmaString, SigmaValue, parse_condition, parse_sigma_yaml,
};

use super::load::SourceKey;
use super::route::Routes;
use super::view::EventView;
use crate::recall::{PREFIXES, Recalled};

/// A document of a rule that asks single events.
pub struct ExplainedDetection {
    /// The name that correlations give it, else its title.
    pub name: String,
    /// What records it is asked about.
    pub source: String,
    /// By name, as the condition calls them.
    pub selections: Vec<ExplainedSelection>,
    /// In Japanese.
    pub condition: String,
    routes: Routes,
    whole: CompiledRule,
}

pub struct ExplainedSelection {
    pub name: String,
    pub parts: Vec<ExplainedPart>,
}

/// What has to hold of an event, in Japanese.
pub struct ExplainedPart {
    pub text: String,
    test: Option<CompiledRule>,
}

/// Whether something holds for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Yes,
    No,
    /// It asks what earlier records say, which one event cannot tell.
    Depends,
}

/// A rule, document by document.
pub struct Explained {
    pub detections: Vec<ExplainedDetection>,
    /// What joins them, a sentence each.
    pub correlations: Vec<String>,
}

/// Reads out a rule's text. The error says where it is no rule.
pub fn explain(text: &str) -> Result<Explained, String> {
    let read = parse_sigma_yaml(text).map_err(|error| error.to_string())?;
    let detections = read.rules.iter().map(detection).collect::<Result<_, _>>()?;
    Ok(Explained { detections, correlations: read.correlations.iter().map(correlation).collect() })
}

fn detection(rule: &SigmaRule) -> Result<ExplainedDetection, String> {
    let whole = compile_rule(rule).map_err(|error| error.to_string())?;
    let mut selections: Vec<ExplainedSelection> = rule
        .detection
        .named
        .iter()
        .map(|(name, detection)| ExplainedSelection { name: name.clone(), parts: parts(rule, detection) })
        .collect();
    selections.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(ExplainedDetection {
        name: rule.name.clone().unwrap_or_else(|| rule.title.clone()),
        source: source(&rule.logsource),
        selections,
        condition: rule
            .detection
            .condition_strings
            .iter()
            .map(|text| condition(text))
            .collect::<Vec<_>>()
            .join(" または "),
        routes: Routes::new(std::iter::once(&SourceKey::of(&rule.logsource))),
        whole,
    })
}

impl ExplainedDetection {
    /// Whether the event is of the log that the rule is asked about.
    pub fn concerns(&self, event: &Event) -> bool {
        let mut concerned = false;
        self.routes.visit(event, &mut |_| concerned = true);
        concerned
    }

    /// Whether all of it holds, for an event alone.
    pub fn holds(&self, event: &Event) -> bool {
        evaluate_rule(&self.whole, &EventView::new(event, &Recalled::default())).is_some()
    }
}

impl ExplainedPart {
    pub fn holds(&self, event: &Event) -> Holds {
        let Some(test) = &self.test else { return Holds::Depends };
        let held = evaluate_rule(test, &EventView::new(event, &Recalled::default())).is_some();
        if held { Holds::Yes } else { Holds::No }
    }
}

fn parts(rule: &SigmaRule, detection: &Detection) -> Vec<ExplainedPart> {
    match detection {
        Detection::AllOf(items) => items
            .iter()
            .map(|item| {
                let asks =
                    item.field.name.as_deref().is_some_and(|name| PREFIXES.iter().any(|at| name.starts_with(at)));
                let alone = || test(rule, Detection::AllOf(vec![item.clone()]));
                ExplainedPart { text: item_words(item), test: if asks { None } else { alone() } }
            })
            .collect(),
        Detection::And(details) => details.iter().flat_map(|detail| parts(rule, detail)).collect(),
        other => vec![ExplainedPart { text: detection_words(other), test: test(rule, other.clone()) }],
    }
}

/// A rule of that one part.
fn test(rule: &SigmaRule, detection: Detection) -> Option<CompiledRule> {
    const NAME: &str = "part";
    let mut part = rule.clone();
    part.detection.named = [(NAME.to_owned(), detection)].into_iter().collect();
    part.detection.conditions = vec![parse_condition(NAME).ok()?];
    part.detection.condition_strings = vec![NAME.to_owned()];
    compile_rule(&part).ok()
}

fn source(source: &LogSource) -> String {
    let or_empty = |name: &Option<String>| name.clone().unwrap_or_default();
    match (source.product.as_deref(), source.category.as_deref()) {
        (Some("monban"), Some("fact")) => format!("門番自身が知った事実（{}）", or_empty(&source.service)),
        (Some("monban"), _) => "すべての記録（門番が付けた項目で判断）".to_owned(),
        _ => {
            let names = [("製品", &source.product), ("種類", &source.category), ("ログ", &source.service)];
            let said = names.iter().filter_map(|(word, name)| Some(format!("{word} {}", name.as_ref()?)));
            let said: Vec<String> = said.collect();
            if said.is_empty() { "すべての記録".to_owned() } else { said.join("、") }
        }
    }
}

fn detection_words(detection: &Detection) -> String {
    match detection {
        Detection::AllOf(items) => items.iter().map(item_words).collect::<Vec<_>>().join("、かつ "),
        Detection::And(parts) => parts.iter().map(detection_words).collect::<Vec<_>>().join("、かつ "),
        Detection::AnyOf(parts) => {
            let parts = parts.iter().map(|part| format!("［{}］", detection_words(part))).collect::<Vec<_>>();
            format!("次のどれか: {}", parts.join(" "))
        }
        Detection::Keywords(values) => format!("本文に {} を含む", either(values)),
        Detection::ArrayMatch { field, .. } => format!("{field} の並びについての条件"),
        Detection::Conditional { .. } => "並びの中の条件".to_owned(),
    }
}

fn item_words(item: &DetectionItem) -> String {
    let name = item.field.name.as_deref().unwrap_or("本文");
    let has = |modifier: Modifier| item.field.modifiers.contains(&modifier);
    let values = if has(Modifier::All) { joined(&item.values, "と ") } else { either(&item.values) };
    let said = if has(Modifier::Exists) {
        let is_there = item.values.iter().all(|value| matches!(value, SigmaValue::Bool(true)));
        if is_there { "がある".to_owned() } else { "がない".to_owned() }
    } else if has(Modifier::Contains) {
        format!("が {values} を含む")
    } else if has(Modifier::StartsWith) {
        format!("が {values} で始まる")
    } else if has(Modifier::EndsWith) {
        format!("が {values} で終わる")
    } else if has(Modifier::Re) {
        format!("が正規表現 {values} に合う")
    } else if has(Modifier::Cidr) {
        format!("が {values} の中")
    } else if has(Modifier::FieldRef) {
        format!("が項目 {values} と同じ")
    } else if let Some(word) = COMPARED.iter().find_map(|(modifier, word)| has(*modifier).then_some(word)) {
        format!("が {values} {word}")
    } else if item.values.iter().all(|value| matches!(value, SigmaValue::Null)) {
        "が空".to_owned()
    } else {
        format!("が {values}")
    };
    format!("{name} {said}")
}

const COMPARED: [(Modifier, &str); 5] = [
    (Modifier::Gte, "以上"),
    (Modifier::Gt, "より大きい"),
    (Modifier::Lte, "以下"),
    (Modifier::Lt, "より小さい"),
    (Modifier::Neq, "でない"),
];

/// Values named in full; lists of tools and addresses run to hundreds.
const VALUES_NAMED: usize = 12;

fn either(values: &[SigmaValue]) -> String {
    joined(values, "か ")
}

fn joined(values: &[SigmaValue], word: &str) -> String {
    let named: Vec<String> = values.iter().take(VALUES_NAMED).map(value_words).collect();
    let more = values.len().saturating_sub(named.len());
    let list = named.join(word);
    if more == 0 { list } else { format!("{list} ほか {more} 個") }
}

fn value_words(value: &SigmaValue) -> String {
    match value {
        SigmaValue::String(text) => format!("「{}」", written(text)),
        SigmaValue::Integer(number) => number.to_string(),
        SigmaValue::Float(number) => number.to_string(),
        SigmaValue::Bool(flag) => flag.to_string(),
        SigmaValue::Null => "空".to_owned(),
    }
}

fn written(text: &SigmaString) -> &str {
    &text.original
}

/// Sigma's words of a condition in ours.
fn condition(text: &str) -> String {
    let words = text.split_whitespace().map(|word| match word {
        "and" => "かつ".to_owned(),
        "or" => "または".to_owned(),
        "not" => "次に当たらない:".to_owned(),
        "of" => "つ以上:".to_owned(),
        "all" => "すべて".to_owned(),
        "them" => "上のもの".to_owned(),
        other => other.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ").replace("1 つ以上:", "どれか 1 つ:").replace("すべて つ以上:", "すべて:")
}

fn correlation(rule: &CorrelationRule) -> String {
    let rules = rule.rules.join("、");
    let each = if rule.group_by.is_empty() {
        String::new()
    } else {
        format!("{} が同じもののうち、", rule.group_by.join("と "))
    };
    let span = span(rule.timespan.seconds);
    let unit = if rule.correlation_type == CorrelationType::EventCount { "件" } else { "種類" };
    let (least, field) = threshold(&rule.condition, unit);
    match rule.correlation_type {
        CorrelationType::EventCount => format!("{each}{span}に {rules} が {least}"),
        CorrelationType::ValueCount => format!("{each}{span}に {rules} の {field} が {least}"),
        CorrelationType::Temporal => format!("{each}{span}に {rules} のすべてが起きる"),
        CorrelationType::TemporalOrdered => format!("{each}{span}に {rules} がこの順に起きる"),
        other => format!("{each}{span}に {rules} の {field} が {least}（{}）", other.as_str()),
    }
}

fn threshold(condition: &CorrelationCondition, unit: &str) -> (String, String) {
    match condition {
        CorrelationCondition::Threshold { predicates, field, .. } => {
            let words =
                predicates.iter().map(|(operator, value)| format!("{value} {unit}{}", operator_words(*operator)));
            (words.collect::<Vec<_>>().join("、"), field.clone().unwrap_or_default().join("と "))
        }
        CorrelationCondition::Extended(_) => Default::default(),
    }
}

fn operator_words(operator: ConditionOperator) -> &'static str {
    match operator {
        ConditionOperator::Lt => "より少ない",
        ConditionOperator::Lte => "以下",
        ConditionOperator::Gt => "より多い",
        ConditionOperator::Gte => "以上",
        ConditionOperator::Eq => "ちょうど",
        ConditionOperator::Neq => "でない",
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        _ if seconds.is_multiple_of(86_400) => format!("{} 日のうち", seconds / 86_400),
        _ if seconds.is_multiple_of(3_600) => format!("{} 時間のうち", seconds / 3_600),
        _ if seconds.is_multiple_of(60) => format!("{} 分のうち", seconds / 60),
        _ => format!("{seconds} 秒のうち"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "title: t\nname: base\nlogsource: {product: windows, service: security}\ndetection:\n  who:\n    EventID: [4624, 4625]\n    TargetUserName|startswith: svc\n    seen.source: new\n  office: {IpAddress|cidr: 10.0.0.0/8}\n  condition: who and not office\n---\ntitle: c\nid: X-01\ncorrelation:\n  type: event_count\n  rules: [base]\n  group-by: [user.name]\n  timespan: 10m\n  condition: {gte: 5}\n";

    fn event(user: &str, address: &str) -> Event {
        let mut event = Event {
            module: Some("windows".to_owned()),
            winlog_channel: Some("Security".to_owned()),
            winlog_event_id: Some(4625),
            ..Event::default()
        };
        for (name, value) in [("EventID", "4625"), ("TargetUserName", user), ("IpAddress", address)] {
            event.native.push(name, value);
        }
        event
    }

    #[test]
    fn a_rule_is_read_out_part_by_part() {
        let read = explain(RULE).unwrap();
        let detection = &read.detections[0];
        assert_eq!((detection.name.as_str(), detection.source.as_str()), ("base", "製品 windows、ログ security"));
        assert_eq!(detection.condition, "who かつ 次に当たらない: office");
        let texts: Vec<&str> =
            detection.selections.iter().flat_map(|selection| &selection.parts).map(|part| part.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "IpAddress が 「10.0.0.0/8」 の中",
                "EventID が 4624か 4625",
                "TargetUserName が 「svc」 で始まる",
                "seen.source が 「new」"
            ]
        );
        assert_eq!(read.correlations, ["user.name が同じもののうち、10 分のうちに base が 5 件以上"]);
    }

    #[test]
    fn each_part_is_asked_by_itself() {
        let read = explain(RULE).unwrap();
        let detection = &read.detections[0];
        let asked = |event: &Event| -> Vec<Holds> {
            detection.selections.iter().flat_map(|selection| &selection.parts).map(|part| part.holds(event)).collect()
        };
        let inside = event("svc_backup", "10.1.2.3");
        assert!(detection.concerns(&inside));
        assert_eq!(asked(&inside), [Holds::Yes, Holds::Yes, Holds::Yes, Holds::Depends]);
        assert_eq!(asked(&event("yamada", "203.0.113.9")), [Holds::No, Holds::Yes, Holds::No, Holds::Depends]);
        assert!(!detection.concerns(&Event { winlog_channel: Some("System".to_owned()), ..inside }));
    }

    #[test]
    fn every_rule_of_ours_can_be_read_out() {
        for (file, text) in crate::RuleSet::hospital_texts() {
            let read = explain(text).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(!read.detections.is_empty(), "{file}");
        }
    }
}
