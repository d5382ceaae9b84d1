//! Sigma rules: loading them, deciding which events a rule meets, and matching.
//!
//! The engine is `rsigma-eval`; nothing outside this folder names it. What is ours is the view of an event it reads,
//! without JSON in between ([`view`]), and the routing of log sources ([`route`]): rules of one log source are compiled
//! into one engine, and an event is shown only to the engines whose log source it belongs to. Correlations are handed
//! through as parsed; evaluating them is not done here.

mod load;
mod route;
mod view;
mod windows;

use std::collections::HashMap;

use monban_event::{Event, Severity};
use rsigma_eval::Engine;
use rsigma_parser::CorrelationRule;
use serde::Serialize;

pub use load::{LoadReport, RuleFailure, SigmaLoadError};
use route::Routes;
use view::EventView;

/// A detection rule's number, in the order of loading; stable for one set of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub usize);

/// What a rule says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleMeta {
    /// The rule's id, else its name, else its title.
    pub id: String,
    /// The name that correlations may refer to.
    pub name: Option<String>,
    pub title: String,
    pub level: Severity,
    pub file: String,
    /// The day it was last changed, as the rule states it; empty where it does not.
    pub version: String,
    pub description: String,
    pub tags: Vec<String>,
    pub false_positives: Vec<String>,
    /// Every key that is not Sigma's own (`monban:` among them), as JSON.
    pub attributes: serde_json::Value,
}

/// Compiled detection rules.
pub struct SigmaRules {
    metas: Vec<RuleMeta>,
    correlations: Vec<CorrelationRule>,
    correlation_files: Vec<String>,
    by_reference: HashMap<String, RuleIndex>,
    /// One engine a log source; compiled rules carry their [`RuleIndex`] in place of their id.
    engines: Vec<Engine>,
    routes: Routes,
}

impl SigmaRules {
    /// Appends the rules that match, in rising order, each once.
    pub fn matches(&self, event: &Event, hits: &mut Vec<RuleIndex>) {
        let before = hits.len();
        let view = EventView::new(event);
        self.routes.visit(event, &mut |engine| {
            let Some(engine) = self.engines.get(engine) else { return };
            let found = engine.evaluate(&view);
            hits.extend(found.iter().filter_map(|result| result.header.rule_id.as_deref()?.parse().ok()).map(RuleIndex));
        });
        if let Some(found) = hits.get_mut(before..) {
            found.sort_unstable();
        }
        let mut position = 0;
        let mut last = None;
        hits.retain(|&hit| {
            position += 1;
            position <= before || last.replace(hit) != Some(hit)
        });
    }

    /// What the rule says about itself. Numbers come from this same set of rules.
    pub fn meta(&self, rule: RuleIndex) -> &RuleMeta {
        self.metas.get(rule.0).expect("a rule number is only given out by the set of rules it belongs to")
    }

    /// All rules, in the order of their numbers.
    pub fn metas(&self) -> impl Iterator<Item = (RuleIndex, &RuleMeta)> {
        self.metas.iter().enumerate().map(|(index, meta)| (RuleIndex(index), meta))
    }

    /// The rule of that id or name; where two share it, the one loaded first.
    pub fn find(&self, reference: &str) -> Option<RuleIndex> {
        self.by_reference.get(reference).copied()
    }

    /// The correlation documents, in the order of loading.
    pub fn correlations(&self) -> &[CorrelationRule] {
        &self.correlations
    }

    /// The file that held a correlation, by its place in [`SigmaRules::correlations`].
    pub fn correlation_file(&self, index: usize) -> Option<&str> {
        self.correlation_files.get(index).map(String::as_str)
    }
}

/// A rule's own keys as one JSON object, for correlations as for detection rules. Keys are sorted.
pub fn attributes_json<V: Serialize>(attributes: &HashMap<String, V>) -> serde_json::Value {
    let mut sorted: Vec<(&String, &V)> = attributes.iter().collect();
    sorted.sort_unstable_by_key(|&(name, _)| name);
    let members = sorted.into_iter().filter_map(|(name, value)| Some((name.clone(), serde_json::to_value(value).ok()?)));
    serde_json::Value::Object(members.collect())
}
