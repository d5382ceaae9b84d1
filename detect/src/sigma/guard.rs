//! What an event must have for a rule to be asked at all: a field with one of some values, or a field. With hundreds of
//! rules most events are none of most rules' business, and looking up a few fields once tells so.

use std::collections::{BTreeMap, HashMap};

use rsigma_eval::matcher::GroupMode;
use rsigma_eval::{CompiledDetection, CompiledDetectionItem, CompiledMatcher, CompiledRule, Event, EventValue};
use rsigma_parser::ConditionExpr;

use super::view::EventView;

/// One of these must be true. `None` for the value: the field must have one, whatever it is.
type Guard = Vec<(String, Option<String>)>;

/// The guarded field's rules, by their places.
#[derive(Default)]
struct ByField {
    values: HashMap<String, Vec<usize>>,
    any: Vec<usize>,
}

/// Of a list of rules, which an event can concern.
pub(super) struct Guards {
    fields: BTreeMap<String, ByField>,
    /// Rules that say nothing an event could lack.
    always: Vec<usize>,
}

impl Guards {
    pub(super) fn of(rules: &[CompiledRule]) -> Self {
        let mut guards = Self { fields: BTreeMap::new(), always: Vec::new() };
        for (place, rule) in rules.iter().enumerate() {
            match guard_of_rule(rule) {
                Some(guard) => guard.into_iter().for_each(|one| guards.enter(place, one)),
                None => guards.always.push(place),
            }
        }
        guards
    }

    fn enter(&mut self, place: usize, (field, value): (String, Option<String>)) {
        let by_field = self.fields.entry(field).or_default();
        match value {
            Some(value) => by_field.values.entry(value).or_default().push(place),
            None => by_field.any.push(place),
        }
    }

    /// Places of the rules to ask, rising; `None` where there are more than `most`.
    pub(super) fn concerned(&self, view: &EventView<'_>, most: usize) -> Option<Vec<usize>> {
        if self.always.len() > most {
            return None;
        }
        let mut places = self.always.clone();
        for (field, rules) in &self.fields {
            let Some(value) = view.get_field(field).filter(|value| !value.is_null()) else { continue };
            places.extend(&rules.any);
            if !rules.values.is_empty() {
                each_key(&value, &mut |key| places.extend(rules.values.get(key).into_iter().flatten()));
            }
            // What comes twice is taken out now and then, so that they are not more than they seem.
            if places.len() > most {
                places.sort_unstable();
                places.dedup();
                if places.len() > most {
                    return None;
                }
            }
        }
        places.sort_unstable();
        places.dedup();
        Some(places)
    }
}

/// A value in the forms that rules write it: lower case, and as a number where it is one.
fn each_key(value: &EventValue<'_>, give: &mut dyn FnMut(&str)) {
    match value {
        EventValue::Str(text) => {
            let lower = text.to_lowercase();
            give(&lower);
            if let Some(number) = text.parse::<f64>().ok().map(number_key).filter(|number| *number != lower) {
                give(&number);
            }
        }
        EventValue::Int(number) => give(&number.to_string()),
        EventValue::Float(number) => give(&number_key(*number)),
        EventValue::Bool(flag) => give(if *flag { "true" } else { "false" }),
        EventValue::Array(values) => values.iter().for_each(|value| each_key(value, give)),
        EventValue::Null | EventValue::Map(_) => {}
    }
}

fn number_key(number: f64) -> String {
    number.to_string()
}

fn guard_of_rule(rule: &CompiledRule) -> Option<Guard> {
    let guards = rule.conditions.iter().map(|condition| guard_of(condition, rule));
    guards.collect::<Option<Vec<Guard>>>().map(|guards| guards.concat()).filter(|guard| !guard.is_empty())
}

fn guard_of(condition: &ConditionExpr, rule: &CompiledRule) -> Option<Guard> {
    match condition {
        ConditionExpr::And(all) => best(all.iter().filter_map(|one| guard_of(one, rule))),
        ConditionExpr::Or(any) => {
            any.iter().map(|one| guard_of(one, rule)).collect::<Option<Vec<_>>>().map(|g| g.concat())
        }
        ConditionExpr::Identifier(name) => guard_of_detection(rule.detections.get(name)?),
        ConditionExpr::Not(_) | ConditionExpr::Selector { .. } => None,
    }
}

fn guard_of_detection(detection: &CompiledDetection) -> Option<Guard> {
    match detection {
        CompiledDetection::AllOf(items) => best(items.iter().filter_map(guard_of_item)),
        CompiledDetection::AnyOf(any) => {
            any.iter().map(guard_of_detection).collect::<Option<Vec<_>>>().map(|guards| guards.concat())
        }
        CompiledDetection::And(all) => best(all.iter().filter_map(guard_of_detection)),
        _ => None,
    }
}

fn guard_of_item(item: &CompiledDetectionItem) -> Option<Guard> {
    let field = item.field.clone()?;
    if item.exists == Some(false) || accepts_absence(&item.matcher) {
        return None;
    }
    let mut values = Vec::new();
    if item.exists.is_none() && values_of(&item.matcher, &mut values) {
        return Some(values.into_iter().map(|value| (field.clone(), Some(value))).collect());
    }
    Some(vec![(field, None)])
}

/// Whether a field without a value may pass.
fn accepts_absence(matcher: &CompiledMatcher) -> bool {
    match matcher {
        CompiledMatcher::Null => true,
        CompiledMatcher::AnyOf(any) => any.iter().any(accepts_absence),
        _ => false,
    }
}

/// The values a matcher accepts, where it is a list of them.
fn values_of(matcher: &CompiledMatcher, values: &mut Vec<String>) -> bool {
    match matcher {
        CompiledMatcher::Exact { value, .. } => values.push(value.to_lowercase()),
        CompiledMatcher::NumericEq(number) => values.push(number_key(*number)),
        CompiledMatcher::BoolEq(flag) => values.push(flag.to_string()),
        CompiledMatcher::AnyOf(any) => return any.iter().all(|one| values_of(one, values)),
        CompiledMatcher::CaseInsensitiveGroup { children, mode: GroupMode::Any } => {
            return children.iter().all(|one| values_of(one, values));
        }
        _ => return false,
    }
    true
}

/// The guard that fewest events pass.
fn best(guards: impl Iterator<Item = Guard>) -> Option<Guard> {
    guards.min_by_key(|guard| guard.iter().map(|(field, value)| commonness(field, value.is_some())).max())
}

/// How many events have such a value, as an order: of the numbers that vendors give their messages few, of words like an
/// outcome many.
fn commonness(field: &str, is_value: bool) -> u8 {
    match (field, is_value) {
        ("winlog.event_id" | "EventID" | "event.code", true) => 0,
        ("monban.login" | "monban.login_kind" | "monban.account_state" | "event.action", true) => 1,
        (_, true) => 2,
        (name, false) if name.starts_with("session.") || name.starts_with("seen.") => 1,
        (_, false) => 3,
    }
}

#[cfg(test)]
mod tests {
    use monban_event::Event;

    use super::super::SigmaRules;
    use crate::recall::Recalled;

    const FIELDS: [&str; 4] = ["winlog.event_id", "event.code", "kind", "name"];
    const VALUES: [&str; 6] = ["4624", "4625", "Login", "logout", "10.5", "true"];

    /// A small generator, so that a failing rule is the same one tomorrow.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(self.0 >> 33).unwrap() % bound
        }

        fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
            choices[self.below(choices.len())]
        }

        fn item(&mut self) -> String {
            let modifier = self.of(&["", "", "", "|contains", "|startswith", "|exists", "|gt", "|re"]);
            let value = match modifier {
                "|exists" => self.of(&["true", "false"]).to_owned(),
                "|gt" => "4624".to_owned(),
                "" if self.below(6) == 0 => "null".to_owned(),
                "" if self.below(2) == 0 => format!("[{}, '{}']", self.of(&VALUES), self.of(&VALUES)),
                _ => self.of(&VALUES).to_owned(),
            };
            format!("{}{modifier}: {value}", self.of(&FIELDS))
        }

        fn rule(&mut self, number: usize) -> String {
            let condition =
                self.of(&["a", "a and b", "a or b", "a and not b", "not a", "1 of them", "(a or b) and not b"]);
            let (a, b) = (self.item(), self.item());
            let b = if self.below(3) == 0 { format!("    - {b}\n    - {}", self.item()) } else { format!("    {b}") };
            format!(
                "title: r{number}\nid: r{number}\nlogsource: {{product: monban}}\ndetection:\n  a:\n    {a}\n  b:\n{b}\n  condition: {condition}\nlevel: low\n"
            )
        }

        fn event(&mut self) -> Event {
            let mut native = Vec::new();
            for field in FIELDS {
                if self.below(3) > 0 {
                    native.push((field, self.of(&VALUES)));
                }
            }
            Event { native: native.into_iter().collect(), ..Event::default() }
        }
    }

    /// Rules asked by themselves are asked whatever the event has.
    #[test]
    fn no_rule_is_passed_over_that_would_have_matched() {
        let mut random = Random(7);
        let load = |texts: &[String]| {
            let (rules, report) = SigmaRules::load_texts([("random.yml".to_owned(), texts.join("---\n"))]);
            assert_eq!(report.failed, []);
            rules
        };
        let hits = |rules: &SigmaRules, event: &Event| {
            let mut hits = Vec::new();
            rules.matches_recalling(event, &Recalled::default(), &mut hits);
            hits
        };
        let mut matched = 0;
        for _ in 0..20 {
            // So few that all of them are asked one by one.
            let texts: Vec<String> = (0..30).map(|number| random.rule(number)).collect();
            let doubly_denied =
                |text: &String| text.replace("condition: ", "condition: not (not (").replace("\nlevel:", "))\nlevel:");
            let (guarded, unguarded) = (load(&texts), load(&texts.iter().map(doubly_denied).collect::<Vec<_>>()));
            for _ in 0..500 {
                let event = random.event();
                let found = hits(&guarded, &event);
                assert_eq!(found, hits(&unguarded, &event), "{:?}", event.native);
                matched += found.len();
            }
        }
        assert!(matched > 10_000, "{matched}");
    }
}
