//! Sigma rules: loading them, deciding which events a rule meets, and matching.
//!
//! The engine is `rsigma-eval`; nothing outside this folder names it. What is ours is the view of an event it reads,
//! without JSON in between ([`view`]), and the routing of log sources ([`route`]): rules of one log source are compiled
//! into one engine, and an event is shown only to the engines whose log source it belongs to. Correlations are handed
//! through as parsed; evaluating them is not done here.

mod asks;
mod devices;
mod explain;
mod guard;
mod load;
mod route;
mod source;
mod view;
mod windows;

use std::collections::{BTreeSet, HashMap};

use crate::recall::Recalled;
use monban_event::{Event, Severity};
use rsigma_parser::CorrelationRule;
use serde::Serialize;

pub use explain::{Counts, Explained, Part, Selects, explain};
pub use load::{LoadReport, RuleFailure, SigmaLoadError};
use source::Routed;
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
    /// Keys of the Windows audit policies whose events it asks for.
    pub audits: BTreeSet<&'static str>,
    /// It is about facts, which are no records.
    pub of_facts: bool,
    /// Every key that is not Sigma's own (`monban:` among them), as JSON.
    pub attributes: serde_json::Value,
}

/// Compiled detection rules.
pub struct SigmaRules {
    metas: Vec<RuleMeta>,
    correlations: Vec<CorrelationRule>,
    correlation_files: Vec<String>,
    by_reference: HashMap<String, RuleIndex>,
    /// Rules that an event alone answers.
    steady: Routed,
    /// Rules that ask what earlier lines say of it.
    asking: Routed,
}

impl SigmaRules {
    /// Appends the rules that match, in rising order, each once.
    pub fn matches(&self, event: &Event, hits: &mut Vec<RuleIndex>) {
        self.matches_recalling(event, &Recalled::default(), hits);
    }

    /// The same of an event that is `recalled`.
    pub(crate) fn matches_recalling(&self, event: &Event, recalled: &Recalled, hits: &mut Vec<RuleIndex>) {
        let before = hits.len();
        let view = EventView::new(event, recalled);
        self.steady.ask(&view, hits);
        self.asking.ask(&view, hits);
        tidy(hits, before);
    }

    /// Of the rules that an event alone answers, those that match; appended in rising order, each once.
    pub(crate) fn steady_matches(&self, event: &Event, hits: &mut Vec<RuleIndex>) {
        let before = hits.len();
        self.steady.ask(&EventView::new(event, &Recalled::default()), hits);
        tidy(hits, before);
    }

    /// The same of the rules that [`SigmaRules::steady_matches`] leaves.
    pub(crate) fn asking_matches(&self, event: &Event, recalled: &Recalled, hits: &mut Vec<RuleIndex>) {
        let before = hits.len();
        self.asking.ask(&EventView::new(event, recalled), hits);
        tidy(hits, before);
    }

    /// What the rule says about itself.
    ///
    /// # Panics
    ///
    /// When the number was given out by another set of rules.
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

/// Brings what stands from `before` on into rising order, each once.
fn tidy(hits: &mut Vec<RuleIndex>, before: usize) {
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

/// A rule's own keys as one JSON object, for correlations as for detection rules. Keys are sorted.
pub fn attributes_json<V: Serialize>(attributes: &HashMap<String, V>) -> serde_json::Value {
    let mut sorted: Vec<(&String, &V)> = attributes.iter().collect();
    sorted.sort_unstable_by_key(|&(name, _)| name);
    let members =
        sorted.into_iter().filter_map(|(name, value)| Some((name.clone(), serde_json::to_value(value).ok()?)));
    serde_json::Value::Object(members.collect())
}

#[cfg(test)]
mod tests {
    use monban_event::{Action, Category, NativeFields};

    use super::*;
    use crate::context::Context;
    use crate::recall::Memory;
    use crate::session::Sessions;

    fn rules(text: &str) -> SigmaRules {
        let (rules, report) = SigmaRules::load_texts([("test.yml".to_owned(), text.to_owned())]);
        assert_eq!(report.failed, []);
        rules
    }

    /// Ids of the rules that match.
    fn hits<'a>(rules: &'a SigmaRules, event: &Event) -> Vec<&'a str> {
        let mut hits = Vec::new();
        rules.matches(event, &mut hits);
        hits.into_iter().map(|hit| rules.meta(hit).id.as_str()).collect()
    }

    fn rule(id: &str, source: &str, selection: &str) -> String {
        format!(
            "title: t {id}\nid: {id}\nlogsource: {{{source}}}\ndetection:\n  selection:\n    {selection}\n  \
             condition: selection\nlevel: high\n"
        )
    }

    fn windows(channel: &str, number: i64, fields: &[(&str, &str)]) -> Event {
        let dataset = match channel {
            "Security" => "windows.security",
            "Microsoft-Windows-Windows Defender/Operational" => "windows.defender",
            _ => "windows.eventlog",
        };
        let id = number.to_string();
        let native: NativeFields =
            [("EventID", id.as_str()), ("Channel", channel)].iter().chain(fields).copied().collect();
        Event {
            module: Some("windows".to_owned()),
            dataset: Some(dataset.to_owned()),
            winlog_channel: Some(channel.to_owned()),
            winlog_event_id: Some(number),
            native,
            ..Event::default()
        }
    }

    const SYSMON: &str = "Microsoft-Windows-Sysmon/Operational";

    #[test]
    fn a_rule_meets_only_events_of_its_log_source() {
        let rules = rules(&rule("a", "product: windows, category: process_creation", "CommandLine|contains: whoami"));
        let fields = [("CommandLine", "cmd /c WHOAMI")];
        assert_eq!(hits(&rules, &windows(SYSMON, 1, &fields)), ["a"]);
        assert_eq!(hits(&rules, &windows("Security", 4688, &fields)), ["a"]);
        assert_eq!(hits(&rules, &windows(SYSMON, 5, &fields)), [] as [&str; 0]);
        assert_eq!(hits(&rules, &windows("Application", 1, &fields)), [] as [&str; 0]);
    }

    #[test]
    fn services_are_channels_and_channels_have_no_case() {
        let rules = rules(&rule("a", "product: windows, service: security", "EventID: 4625"));
        assert_eq!(hits(&rules, &windows("SECURITY", 4625, &[])), ["a"]);
        assert_eq!(hits(&rules, &windows("System", 4625, &[])), [] as [&str; 0]);
    }

    #[test]
    fn category_and_service_mean_both() {
        let rules =
            rules(&rule("a", "product: windows, category: process_creation, service: security", "Image|endswith: x"));
        assert_eq!(hits(&rules, &windows("Security", 4688, &[("NewProcessName", "x")])), ["a"]);
        assert_eq!(hits(&rules, &windows(SYSMON, 1, &[("Image", "x")])), [] as [&str; 0]);
    }

    #[test]
    fn deleting_a_key_is_not_creating_one() {
        let text = ["registry_delete", "registry_add", "registry_event"].map(|category| {
            rule(category, &format!("product: windows, category: {category}"), "TargetObject|endswith: '\\Lsa'")
        });
        let rules = rules(&text.join("---\n"));
        let event = |kind| windows(SYSMON, 12, &[("EventType", kind), ("TargetObject", "HKLM\\Lsa")]);
        assert_eq!(hits(&rules, &event("DeleteValue")), ["registry_delete", "registry_event"]);
        assert_eq!(hits(&rules, &event("CreateKey")), ["registry_add", "registry_event"]);
    }

    #[test]
    fn a_process_start_of_the_security_log_answers_to_sysmons_names() {
        let selection = "Image|endswith: '\\a.exe'\n    ParentImage|endswith: '\\b.exe'\n    User: sato\n    \
                         IntegrityLevel: High";
        let rules = rules(&rule("a", "product: windows, category: process_creation", selection));
        let fields = [
            ("NewProcessName", "C:\\A.EXE"),
            ("ParentProcessName", "C:\\b.exe"),
            ("SubjectUserName", "sato"),
            ("MandatoryLabel", "S-1-16-12288"),
        ];
        assert_eq!(hits(&rules, &windows("Security", 4688, &fields)), ["a"]);
    }

    #[test]
    fn names_with_spaces_answer_without_them() {
        let rules = rules(&rule("a", "product: windows, service: windefend", "ThreatName|contains: Test"));
        let event = windows("Microsoft-Windows-Windows Defender/Operational", 1116, &[("Threat Name", "a test file")]);
        assert_eq!(hits(&rules, &event), ["a"]);
    }

    #[test]
    fn absent_is_null_and_empty_is_not() {
        let text = rule("nothing", "product: windows, service: system", "Image: null")
            + "---\n"
            + &rule("empty", "product: windows, service: system", "Image: ''");
        let rules = rules(&text);
        assert_eq!(hits(&rules, &windows("System", 1, &[])), ["nothing"]);
        assert_eq!(hits(&rules, &windows("System", 1, &[("Image", "")])), ["empty"]);
    }

    #[test]
    fn any_of_repeated_values_matches() {
        let rules = rules(&rule("a", "product: windows, category: ps_classic_start", "Data|contains: HostVersion=2"));
        let event = windows("Windows PowerShell", 400, &[("Data", "Available"), ("Data", "HostVersion=2.0")]);
        assert_eq!(hits(&rules, &event), ["a"]);
    }

    #[test]
    fn keywords_look_at_every_value_and_at_the_line_of_a_device() {
        let keywords = |source: &str| {
            format!(
                "title: k\nid: k\nlogsource: {{{source}}}\ndetection:\n  keywords: ['ntdsutil']\n  condition: keywords\n"
            )
        };
        let in_windows = rules(&keywords("product: windows, service: application"));
        assert_eq!(hits(&in_windows, &windows("Application", 1, &[("Data", "run NTDSUTIL now")])), ["k"]);
        let in_lines = rules(&keywords("product: linux"));
        let line =
            Event { module: Some("linux".to_owned()), message: Some("sudo: ntdsutil".to_owned()), ..Event::default() };
        assert_eq!(hits(&in_lines, &line), ["k"]);
    }

    #[test]
    fn device_rules_speak_native_and_our_names() {
        let text = [
            rule("native", "product: fortigate, service: event", "action: login"),
            rule("ours", "product: monban, category: authentication", "event.action: login\n    source.port|gt: 1024"),
            rule("list", "product: monban", "related.ip|cidr: 203.0.113.0/24"),
            rule("other", "product: cisco", "action: login"),
        ];
        let rules = rules(&text.join("---\n"));
        let event = Event {
            module: Some("fortinet".to_owned()),
            category: Some(Category::Authentication),
            action: Some(Action::Login),
            source_ip: Some([203, 0, 113, 9].into()),
            source_port: Some(5000),
            native: [("type", "event"), ("action", "login")].into_iter().collect(),
            ..Event::default()
        };
        assert_eq!(hits(&rules, &event), ["native", "ours", "list"]);
    }

    /// The engine leaves rules out by the names that an event has; few rules are asked one by one, many through it.
    #[test]
    fn what_is_recalled_is_found_among_many_rules_as_among_few() {
        let event = Event { source_id: Some("ip:192.0.2.1".to_owned()), ..Event::default() };
        let recalled = Memory::default().recall(&Sessions::default(), &Context::default(), &event);
        for count in [1, 100] {
            let text: Vec<String> =
                (0..count).map(|n| rule(&format!("r{n}"), "product: monban", "seen.sender: learning")).collect();
            let rules = rules(&text.join("---\n"));
            let (mut all, mut steady, mut asking) = (Vec::new(), Vec::new(), Vec::new());
            rules.matches_recalling(&event, &recalled, &mut all);
            rules.steady_matches(&event, &mut steady);
            rules.asking_matches(&event, &recalled, &mut asking);
            assert_eq!((all.len(), steady.len(), asking.len()), (count, 0, count));
        }
    }

    #[test]
    fn hits_are_appended_in_rising_order() {
        let sources = ["product: windows, service: system", "product: monban", "product: windows", "category: host"];
        let text: Vec<String> =
            (0..).zip(sources).map(|(n, source)| rule(&format!("r{n}"), source, "EventID: 7")).collect();
        let rules = rules(&text.join("---\n"));
        let event = Event { category: Some(Category::Host), ..windows("System", 7, &[]) };
        let mut found = vec![RuleIndex(99)];
        rules.matches(&event, &mut found);
        assert_eq!(found, [99, 0, 1, 2, 3].map(RuleIndex));
    }

    #[test]
    fn rules_keep_their_own_keys_and_answer_to_id_and_name() {
        let text =
            rule("AU-99", "product: monban", "event.code: '1'") + "name: base\nmonban:\n  threshold: 3\n  text: 失敗\n";
        let rules = rules(&text);
        let found = rules.find("base").expect("by name");
        assert_eq!(rules.find("AU-99"), Some(found));
        assert_eq!(rules.meta(found).attributes["monban"]["threshold"], 3);
        assert_eq!((rules.meta(found).level, rules.meta(found).file.as_str()), (Severity::High, "test.yml"));
    }
}
