//! The rules of one log source, and which of them are asked about an event.

use monban_event::{Event, Field};
use rsigma_eval::compiler::eval_condition;
use rsigma_eval::{CompiledDetection, CompiledDetectionItem, CompiledMatcher, CompiledRule, Engine};
use rsigma_parser::ConditionExpr;

use super::RuleIndex;
use super::view::{COMPUTED, EventView};

/// So many rules of one log source are asked one by one. The engine first looks at every field of the event for rules that
/// could match, and writes a report for each that does: worth it among hundreds of rules, dearer than asking among few.
const ASKED_ONE_BY_ONE: usize = 32;

pub(super) struct SourceRules {
    /// Compiled rules carry their [`RuleIndex`] in place of their id.
    engine: Engine,
    /// Of each rule a field without which it cannot match.
    needed: Vec<Option<Field>>,
}

impl SourceRules {
    pub(super) fn new(engine: Engine) -> Self {
        let needed = engine.rules().iter().map(needed).collect();
        Self { engine, needed }
    }

    /// Appends the rules that match.
    pub(super) fn ask(&self, event: &Event, view: &EventView<'_>, hits: &mut Vec<RuleIndex>) {
        let number = |id: Option<&str>| id?.parse().ok().map(RuleIndex);
        if self.engine.rule_count() > ASKED_ONE_BY_ONE {
            let found = self.engine.evaluate(view);
            hits.extend(found.iter().filter_map(|result| number(result.header.rule_id.as_deref())));
            return;
        }
        let can_match = |field: &Option<Field>| field.is_none_or(|field| event.get(field).is_some());
        let asked = self.engine.rules().iter().zip(&self.needed).filter(|(_, needed)| can_match(needed));
        hits.extend(asked.filter(|(rule, _)| holds(rule, view)).filter_map(|(rule, _)| number(rule.id.as_deref())));
    }
}

fn holds(rule: &CompiledRule, view: &EventView<'_>) -> bool {
    let mut selections = Vec::new();
    rule.conditions.iter().any(|condition| eval_condition(condition, &rule.detections, view, &mut selections))
}

/// A field that we compute and the rule asks first for a value of: an event without it is none of the rule's.
fn needed(rule: &CompiledRule) -> Option<Field> {
    let [condition] = rule.conditions.as_slice() else { return None };
    let first = match condition {
        ConditionExpr::And(all) => all.first()?,
        one => one,
    };
    let ConditionExpr::Identifier(selection) = first else { return None };
    let CompiledDetection::AllOf(items) = rule.detections.get(selection)? else { return None };
    items.iter().filter(|item| asks_for_value(item)).find_map(|item| {
        let name = item.field.as_deref().filter(|name| name.starts_with(COMPUTED))?;
        Field::from_name(name)
    })
}

/// Whether a field without a value fails the test.
fn asks_for_value(item: &CompiledDetectionItem) -> bool {
    item.exists != Some(false) && !matches!(item.matcher, CompiledMatcher::Null)
}
