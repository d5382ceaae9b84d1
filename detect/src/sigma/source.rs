//! The rules of each log source, and which of them are asked about an event.

use rsigma_eval::compiler::eval_condition;
use rsigma_eval::{CompiledRule, Engine};

use super::RuleIndex;
use super::guard::Guards;
use super::load::SourceKey;
use super::route::Routes;
use super::view::EventView;

/// So many rules of one log source are asked one by one. The engine first looks at every field of the event for rules that
/// could match, and writes a report for each that does: worth it among hundreds of rules, dearer than asking among few.
const ASKED_ONE_BY_ONE: usize = 32;

/// Rules by log source, and the way to them.
pub(super) struct Routed {
    sources: Vec<SourceRules>,
    routes: Routes,
}

impl Routed {
    pub(super) fn new(engines: impl Iterator<Item = (SourceKey, Engine)>) -> Self {
        let (keys, engines): (Vec<SourceKey>, Vec<Engine>) = engines.unzip();
        Self { sources: engines.into_iter().map(SourceRules::new).collect(), routes: Routes::new(keys.iter()) }
    }

    /// Appends the rules that match, in no order; one may come twice.
    pub(super) fn ask(&self, view: &EventView<'_>, hits: &mut Vec<RuleIndex>) {
        self.routes.visit(view.event(), &mut |source| {
            if let Some(rules) = self.sources.get(source) {
                rules.ask(view, hits);
            }
        });
    }
}

struct SourceRules {
    /// Compiled rules carry their [`RuleIndex`] in place of their id.
    engine: Engine,
    guards: Guards,
}

impl SourceRules {
    fn new(engine: Engine) -> Self {
        let guards = Guards::of(engine.rules());
        Self { engine, guards }
    }

    /// Appends the rules that match.
    fn ask(&self, view: &EventView<'_>, hits: &mut Vec<RuleIndex>) {
        let number = |id: Option<&str>| id?.parse().ok().map(RuleIndex);
        let Some(concerned) = self.guards.concerned(view, ASKED_ONE_BY_ONE) else {
            let found = self.engine.evaluate(view);
            hits.extend(found.iter().filter_map(|result| number(result.header.rule_id.as_deref())));
            return;
        };
        let asked = concerned.iter().filter_map(|&place| self.engine.rules().get(place));
        hits.extend(asked.filter(|rule| holds(rule, view)).filter_map(|rule| number(rule.id.as_deref())));
    }
}

fn holds(rule: &CompiledRule, view: &EventView<'_>) -> bool {
    let mut selections = Vec::new();
    rule.conditions.iter().any(|condition| eval_condition(condition, &rule.detections, view, &mut selections))
}
