//! From correlation rules as parsed to a plan as meant: who feeds whom, by which fields, how much is enough. Refuses
//! what cannot be evaluated exactly, with the reason, and never guesses.

use std::collections::BTreeMap;
use std::ops::Range;

use rsigma_parser::{ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, WindowMode};

use super::KEY_HITS_MAX;
use crate::fields::Slots;

/// Longest window. A day of hits is what the bounds are made for.
const SPAN_HOURS_MAX: u64 = 48;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BuildError {
    #[error("rule \"{0}\" that the correlation refers to is not known")]
    UnknownRule(String),
    #[error("correlations refer to one another in a circle")]
    Circle,
    #[error("correlation type {0} is not supported")]
    Kind(&'static str),
    #[error("only sliding windows are supported")]
    Window,
    #[error("condition must be \"gte\" or \"gt\" with a number: what only grows true needs no taking back")]
    Condition,
    #[error("threshold {value} is outside {min} to {max}")]
    Threshold { value: u64, min: u64, max: u64 },
    #[error("timespan is longer than {SPAN_HOURS_MAX} hours")]
    Span,
    #[error("value_count needs a field to count")]
    NoField,
}

/// What feeds a correlation: a detection rule, or another correlation's completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Rule(usize),
    Node(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    EventCount,
    ValueCount,
    Temporal,
    Ordered,
}

/// A further test of the window; it passes when any of its parts does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WindowTest {
    /// At least so many distinct values.
    Distinct { slot: usize, gte: u64 },
    /// At least one event with one of the values.
    Holds { slot: usize, values: Vec<String> },
}

/// Counted events as a share of counted and `against` together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) against: Input,
    pub(crate) gte: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// Stable across restarts: names the state in a snapshot.
    pub(crate) name: String,
    pub(crate) inputs: Vec<Input>,
    pub(super) kind: Kind,
    pub(crate) span_us: i64,
    /// Slots of the key, per input (aliases give one name several fields).
    pub(super) group_by: Vec<Vec<usize>>,
    /// Slots of the counted value.
    pub(super) value: Vec<usize>,
    pub(crate) gte: u64,
    pub(crate) any_of: Vec<WindowTest>,
    pub(crate) ratio: Option<Ratio>,
    /// Whether completions are findings, or only feed another correlation.
    pub(crate) emits: bool,
}

impl Node {
    /// The input that a ratio is taken against stands behind the counted ones.
    pub(super) fn steps(&self) -> Range<usize> {
        0..self.inputs.len() + usize::from(self.ratio.is_some())
    }

    /// Whether the input is that step's.
    pub(super) fn takes(&self, step: usize, input: Input) -> bool {
        let own = self.inputs.get(step).copied().or(self.ratio.as_ref().map(|ratio| ratio.against));
        own == Some(input)
    }

    pub(super) fn key_slots(&self, step: usize) -> &[usize] {
        self.group_by.get(step).or(self.group_by.first()).map_or(&[], Vec::as_slice)
    }

    /// Whether a hit of that step in a window belongs to the evidence. Of a sequence, what led to its end does; other
    /// ends are findings of their own. What a ratio is taken against never does.
    pub(super) fn is_evidence(&self, step: usize, is_end: bool) -> bool {
        let other_end = self.kind == Kind::Ordered && step == self.last_step() && !is_end;
        step < self.inputs.len() && !other_end
    }

    pub(super) fn last_step(&self) -> usize {
        self.inputs.len().saturating_sub(1)
    }
}

/// All correlations, inner ones before those they feed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) nodes: Vec<Node>,
}

/// A correlation on its way into a plan: as parsed, with what our own keys add.
pub(crate) struct Draft<'a> {
    pub(crate) rule: &'a CorrelationRule,
    pub(crate) name: String,
    pub(crate) any_of: Vec<WindowTest>,
    /// The rule a ratio is taken against, and the share.
    pub(crate) ratio: Option<(String, f64)>,
}

impl Plan {
    /// Whether any correlation waits for that.
    pub(super) fn takes(&self, input: Input) -> bool {
        self.nodes.iter().any(|node| node.steps().any(|step| node.takes(step, input)))
    }

    /// Builds the nodes of `drafts` that can be built; the others are answered with the reason. `find_rule` resolves
    /// ids and names of detection rules. The second list tells, per draft, its node.
    pub(crate) fn build(
        drafts: &[Draft<'_>],
        slots: &mut Slots,
        find_rule: &dyn Fn(&str) -> Option<usize>,
    ) -> (Self, Vec<Result<usize, BuildError>>) {
        let mut results: Vec<Option<Result<usize, BuildError>>> = drafts.iter().map(|_| None).collect();
        let mut plan = Self::default();
        // A correlation waits until those it refers to are built; a round without progress is a circle.
        loop {
            let built = results.iter().filter(|result| result.is_some()).count();
            for (index, draft) in drafts.iter().enumerate() {
                if results.get(index).is_some_and(Option::is_some) {
                    continue;
                }
                let lookup = |reference: &str| resolve(reference, drafts, &results, find_rule);
                let outcome = match resolve_all(draft, &lookup) {
                    Ok(Some(inputs)) => Some(node(draft, inputs, &lookup, slots).map(|node| plan.push(node))),
                    Ok(None) => None,
                    Err(error) => Some(Err(error)),
                };
                if let Some(slot) = results.get_mut(index) {
                    *slot = outcome;
                }
            }
            if results.iter().filter(|result| result.is_some()).count() == built {
                break;
            }
        }
        plan.silence_inner(drafts, &results);
        (plan, results.into_iter().map(|result| result.unwrap_or(Err(BuildError::Circle))).collect())
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// A correlation that feeds another one speaks only through it, unless its rule says `generate: true`.
    fn silence_inner(&mut self, drafts: &[Draft<'_>], results: &[Option<Result<usize, BuildError>>]) {
        let inner: Vec<usize> = self
            .nodes
            .iter()
            .flat_map(|node| node.inputs.iter())
            .filter_map(|input| match input {
                Input::Node(node) => Some(*node),
                Input::Rule(_) => None,
            })
            .collect();
        for (draft, result) in drafts.iter().zip(results) {
            if let Some(Ok(index)) = result
                && let Some(node) = self.nodes.get_mut(*index)
            {
                node.emits = draft.rule.generate || !inner.contains(index);
            }
        }
    }
}

/// `Ok(None)`: a correlation that is not built yet.
type Lookup<'a> = dyn Fn(&str) -> Result<Option<Input>, BuildError> + 'a;

fn resolve(
    reference: &str,
    drafts: &[Draft<'_>],
    results: &[Option<Result<usize, BuildError>>],
    find_rule: &dyn Fn(&str) -> Option<usize>,
) -> Result<Option<Input>, BuildError> {
    let named = |draft: &Draft<'_>| {
        draft.rule.name.as_deref() == Some(reference) || draft.rule.id.as_deref() == Some(reference)
    };
    if let Some(index) = drafts.iter().position(named) {
        return match results.get(index) {
            Some(Some(Ok(node))) => Ok(Some(Input::Node(*node))),
            Some(Some(Err(_))) => Err(BuildError::UnknownRule(reference.to_owned())),
            _ => Ok(None),
        };
    }
    find_rule(reference).map(Input::Rule).map(Some).ok_or_else(|| BuildError::UnknownRule(reference.to_owned()))
}

fn resolve_all(draft: &Draft<'_>, lookup: &Lookup<'_>) -> Result<Option<Vec<Input>>, BuildError> {
    draft.rule.rules.iter().map(|reference| lookup(reference)).collect::<Result<Option<Vec<Input>>, BuildError>>()
}

fn node(draft: &Draft<'_>, inputs: Vec<Input>, lookup: &Lookup<'_>, slots: &mut Slots) -> Result<Node, BuildError> {
    let rule = draft.rule;
    if rule.window != WindowMode::Sliding {
        return Err(BuildError::Window);
    }
    let kind = kind(rule.correlation_type)?;
    let (gte, field) = condition(rule, kind)?;
    let seconds = rule.timespan.seconds;
    if seconds == 0 || seconds > SPAN_HOURS_MAX * 3_600 {
        return Err(BuildError::Span);
    }
    let ratio = match &draft.ratio {
        Some((against, gte)) => {
            let against = lookup(against)?.ok_or(BuildError::Circle)?;
            Some(Ratio { against, gte: *gte })
        }
        None => None,
    };
    Ok(Node {
        name: draft.name.clone(),
        group_by: rule.rules.iter().map(|reference| key_slots(rule, reference, slots)).collect(),
        inputs,
        kind,
        span_us: i64::try_from(seconds).unwrap_or(i64::MAX / 2_000_000) * 1_000_000,
        value: field.iter().map(|name| slots.slot(name)).collect(),
        gte,
        any_of: draft.any_of.clone(),
        ratio,
        emits: true,
    })
}

fn kind(kind: CorrelationType) -> Result<Kind, BuildError> {
    match kind {
        CorrelationType::EventCount => Ok(Kind::EventCount),
        CorrelationType::ValueCount => Ok(Kind::ValueCount),
        CorrelationType::Temporal => Ok(Kind::Temporal),
        CorrelationType::TemporalOrdered => Ok(Kind::Ordered),
        other => Err(BuildError::Kind(other.as_str())),
    }
}

/// The threshold and the counted fields. The temporal kinds need every rule once and have none.
fn condition(rule: &CorrelationRule, kind: Kind) -> Result<(u64, Vec<String>), BuildError> {
    let CorrelationCondition::Threshold { predicates, field, .. } = &rule.condition else {
        return Err(BuildError::Condition);
    };
    let gte = match predicates.as_slice() {
        [(ConditionOperator::Gte, value)] => *value,
        [(ConditionOperator::Gt, value)] => value.saturating_add(1),
        _ => return Err(BuildError::Condition),
    };
    let max = KEY_HITS_MAX as u64 / 2;
    if !(1..=max).contains(&gte) {
        return Err(BuildError::Threshold { value: gte, min: 1, max });
    }
    match (kind, field) {
        (Kind::ValueCount, None) => Err(BuildError::NoField),
        (Kind::ValueCount, Some(field)) => Ok((gte, field.clone())),
        _ => Ok((gte, Vec::new())),
    }
}

fn key_slots(rule: &CorrelationRule, reference: &str, slots: &mut Slots) -> Vec<usize> {
    let aliases: BTreeMap<&str, &str> = rule
        .aliases
        .iter()
        .filter_map(|alias| Some((alias.alias.as_str(), alias.mapping.get(reference)?.as_str())))
        .collect();
    rule.group_by.iter().map(|name| slots.slot(aliases.get(name.as_str()).copied().unwrap_or(name))).collect()
}
