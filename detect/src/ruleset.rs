//! All rules in force: the hospital's own, built in, and any Sigma rules from folders. Owns putting them together:
//! which rule feeds which correlation, which becomes findings how, which waits for what does not happen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use monban_event::{Event, RuleId, Severity};
use rsigma_parser::{CorrelationCondition, CorrelationRule, Level};

use crate::correlate::{Draft, Plan};
use crate::fields::Slots;
use crate::recall::Recalled;
use crate::rule::{Absence, Extras, ExtrasError, Head, RuleInfo, Voice};
use crate::sigma::{LoadReport, RuleFailure, RuleIndex, RuleMeta, SigmaLoadError, SigmaRules, attributes_json};

/// Embeds the hospital's rules, by file name.
macro_rules! hospital {
    ($($name:literal),+ $(,)?) => {
        [$((concat!($name, ".yml"), include_str!(concat!("../../rules/hospital/", $name, ".yml")))),+]
    };
}

/// Our own rules, as texts.
const HOSPITAL: [(&str, &str); 73] = hospital![
    "VP-01", "VP-02", "VP-03", "VP-04", "VP-05", "VP-06", "VP-07", "VP-08", "VP-09", "VP-10", "VP-11", "VP-12",
    "VP-13", "VP-14", "VP-15", "VP-16", "VP-17", "VP-18", "VP-19", "AU-01", "AU-02", "AU-03", "AU-04", "AU-05",
    "AU-06", "AU-07", "AU-08", "AU-09", "AU-10", "AU-11", "AU-12", "AU-13", "AU-14", "AU-15", "AU-16", "AU-17",
    "AU-18", "AC-01", "AC-02", "AC-03", "AC-04", "AC-05", "AC-06", "AC-07", "AC-08", "AC-09", "LM-01", "LM-02",
    "LM-03", "LM-04", "LM-05", "LM-06", "DE-01", "DE-02", "DE-03", "DE-04", "DE-05", "RW-01", "RW-02", "RW-03",
    "RW-04", "RW-05", "RW-06", "LG-01", "LG-02", "LG-03", "LG-04", "LG-05", "LG-06", "LG-07", "LG-08", "LG-09",
    "LG-10",
];

/// What a detection rule's match means.
pub(crate) struct Meaning {
    pub(crate) title: String,
    /// How it speaks by itself; `None` where it only feeds a correlation or an absence.
    pub(crate) voice: Option<Voice>,
    /// Which absence it is the sign of life of.
    pub(crate) absence: Option<usize>,
    /// It is about facts, which are no records.
    pub(crate) of_facts: bool,
}

/// What the rules that an event alone answers say of one event: their numbers, rising. See [`RuleSet::foresee`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreseen(Vec<usize>);

pub struct RuleSet {
    /// The hospital's rules, then those of folders; a rule's number runs through both.
    parts: Vec<SigmaRules>,
    /// The number of each part's first rule.
    offsets: Vec<usize>,
    pub(crate) meanings: Vec<Meaning>,
    pub(crate) plan: Plan,
    /// By node of the plan.
    pub(crate) node_voices: Vec<Voice>,
    pub(crate) absences: Vec<(Voice, Absence)>,
    pub(crate) slots: Slots,
    infos: Vec<RuleInfo>,
    /// By key of an audit policy, the ids of the rules that ask for its events.
    relying: BTreeMap<&'static str, BTreeSet<String>>,
}

impl RuleSet {
    /// The rules built into the program.
    pub fn hospital() -> Self {
        let (rules, report) = Self::assemble(vec![hospital_part()]);
        debug_assert!(report.failed.is_empty(), "our own rules load: {:?}", report.failed);
        rules
    }

    /// Rules of folders alone.
    pub fn load_dirs(dirs: &[PathBuf]) -> Result<(Self, LoadReport), SigmaLoadError> {
        Ok(Self::assemble(vec![SigmaRules::load_dirs(dirs)?]))
    }

    /// The built-in rules, and those of folders beside them.
    pub fn hospital_with(dirs: &[PathBuf]) -> Result<(Self, LoadReport), SigmaLoadError> {
        Ok(Self::assemble(vec![hospital_part(), SigmaRules::load_dirs(dirs)?]))
    }

    /// Rules from texts, each with the name it is to be called by.
    pub fn load_texts(texts: impl IntoIterator<Item = (String, String)>) -> (Self, LoadReport) {
        Self::assemble(vec![SigmaRules::load_texts(texts)])
    }

    /// Whether a rule speaks of what did not happen.
    fn is_about_absence(&self, rule: &RuleId) -> bool {
        self.absences.iter().any(|(voice, _)| voice.rule_id == *rule)
    }

    /// Whether a rule speaks of our own reception or of what was done with the product: of no record's day.
    pub fn is_about_ourselves(&self, rule: &RuleId) -> bool {
        let is_of_facts =
            |meaning: &Meaning| meaning.of_facts && meaning.voice.as_ref().is_some_and(|voice| voice.rule_id == *rule);
        self.is_about_absence(rule) || self.meanings.iter().any(is_of_facts)
    }

    /// Ids of the rules that ask for events of the Windows audit policy of that key, rising.
    pub fn relying_on(&self, policy: &str) -> impl Iterator<Item = String> {
        self.relying.get(policy).into_iter().flatten().cloned()
    }

    /// Every rule with texts of its own or a finding of its own, in the order of loading, one an id.
    pub fn rules(&self) -> &[RuleInfo] {
        &self.infos
    }

    /// The built-in rule files, by name, as they stand in the program.
    pub fn hospital_texts() -> &'static [(&'static str, &'static str)] {
        &HOSPITAL
    }

    /// The part of matching that needs no memory: most of the work, and the same wherever and whenever it is done. It
    /// holds for the event as it is, so it is void once the event changes.
    pub fn foresee(&self, event: &Event) -> Foreseen {
        Foreseen(self.collect(&|part, hits| part.steady_matches(event, hits)))
    }

    /// The numbers of the rules that match, rising.
    pub(crate) fn matches(&self, event: &Event, recalled: &Recalled) -> Vec<usize> {
        self.collect(&|part, hits| part.matches_recalling(event, recalled, hits))
    }

    /// The same, where part of it is known.
    pub(crate) fn matches_beside(&self, foreseen: Foreseen, event: &Event, recalled: &Recalled) -> Vec<usize> {
        let mut found = foreseen.0;
        let asking = self.collect(&|part, hits| part.asking_matches(event, recalled, hits));
        if !asking.is_empty() {
            found.extend(asking);
            found.sort_unstable();
        }
        found
    }

    /// The numbers of rules as the parts give them.
    fn collect(&self, ask: &dyn Fn(&SigmaRules, &mut Vec<RuleIndex>)) -> Vec<usize> {
        let mut found = Vec::new();
        let mut hits: Vec<RuleIndex> = Vec::new();
        for (part, offset) in self.parts.iter().zip(&self.offsets) {
            hits.clear();
            ask(part, &mut hits);
            found.extend(hits.iter().map(|hit| hit.0 + offset));
        }
        found
    }

    fn assemble(parts: Vec<(SigmaRules, LoadReport)>) -> (Self, LoadReport) {
        let mut report = LoadReport::default();
        let mut assembly = Assembly::default();
        let mut offsets = Vec::new();
        for (part, part_report) in &parts {
            report.loaded += part_report.loaded;
            report.failed.extend(part_report.failed.iter().cloned());
            offsets.push(assembly.meanings.len());
            assembly.add_rules(part);
        }
        for (part, _) in &parts {
            assembly.add_correlations(part);
        }
        let (mut rules, failures) = assembly.finish();
        report.loaded = report.loaded.saturating_sub(failures.len());
        report.failed.extend(failures);
        rules.parts = parts.into_iter().map(|(part, _)| part).collect();
        rules.offsets = offsets;
        rules.relying = relying(&rules);
        (rules, report)
    }
}

/// By key of an audit policy, the rules that speak and ask for its events, themselves or through rules they join.
fn relying(rules: &RuleSet) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut asked: BTreeMap<&str, BTreeSet<&'static str>> = BTreeMap::new();
    let of = |asked: &BTreeMap<&str, BTreeSet<&'static str>>, name: &str| asked.get(name).cloned().unwrap_or_default();
    for (_, meta) in rules.parts.iter().flat_map(SigmaRules::metas) {
        for name in meta.name.iter().chain([&meta.id]) {
            asked.entry(name).or_default().extend(&meta.audits);
        }
    }
    for rule in rules.parts.iter().flat_map(SigmaRules::correlations) {
        let policies: BTreeSet<_> = rule.rules.iter().flat_map(|reference| of(&asked, reference)).collect();
        for name in rule.name.iter().chain(&rule.id) {
            asked.entry(name).or_default().extend(&policies);
        }
    }
    let mut relying: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    for info in &rules.infos {
        for policy in of(&asked, info.id.as_str()) {
            relying.entry(policy).or_default().insert(info.id.to_string());
        }
    }
    relying
}

fn hospital_part() -> (SigmaRules, LoadReport) {
    SigmaRules::load_texts(HOSPITAL.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())))
}

/// A correlation that was read, waiting for the plan.
struct Waiting<'a> {
    rule: &'a CorrelationRule,
    file: String,
    extras: Extras,
}

#[derive(Default)]
struct Assembly<'a> {
    slots: Slots,
    meanings: Vec<Meaning>,
    /// Ids and names of detection rules, for correlations to refer to.
    references: Vec<(Option<String>, String)>,
    waiting: Vec<Waiting<'a>>,
    absences: Vec<(Voice, Absence)>,
    infos: Vec<RuleInfo>,
    failures: Vec<RuleFailure>,
}

impl<'a> Assembly<'a> {
    fn add_rules(&mut self, part: &SigmaRules) {
        for (_, meta) in part.metas() {
            let head = Head {
                id: &meta.id,
                title: &meta.title,
                level: meta.level,
                version: &meta.version,
                tags: &meta.tags,
                file: &meta.file,
                numbers: None,
                attributes: &meta.attributes,
            };
            let extras = Extras::read(&head, &mut self.slots);
            self.references.push((meta.name.clone(), meta.id.clone()));
            self.add_rule(meta, extras);
        }
    }

    /// A rule whose `monban:` part is wrong keeps its number and says nothing.
    fn add_rule(&mut self, meta: &RuleMeta, extras: Result<Extras, ExtrasError>) {
        let mut meaning = Meaning { title: meta.title.clone(), voice: None, absence: None, of_facts: meta.of_facts };
        match extras {
            Err(error) => self.fail(&meta.file, &meta.title, error.to_string()),
            Ok(extras) => {
                meaning.title.clone_from(&extras.info.title_ja);
                self.infos.push(extras.info);
                match extras.absence {
                    Some(absence) => {
                        meaning.absence = Some(self.absences.len());
                        self.absences.push((extras.voice, absence));
                    }
                    None => meaning.voice = Some(extras.voice),
                }
            }
        }
        self.meanings.push(meaning);
    }

    fn add_correlations(&mut self, part: &'a SigmaRules) {
        for (index, rule) in part.correlations().iter().enumerate() {
            let file = part.correlation_file(index).unwrap_or("").to_owned();
            let attributes = attributes_json(&rule.custom_attributes);
            let id = rule.id.as_ref().or(rule.name.as_ref()).unwrap_or(&rule.title);
            let head = Head {
                id,
                title: &rule.title,
                level: severity(rule.level),
                version: rule.modified.as_ref().or(rule.date.as_ref()).map_or("", String::as_str),
                tags: &rule.tags,
                file: &file,
                numbers: Some(numbers(rule)),
                attributes: &attributes,
            };
            match Extras::read(&head, &mut self.slots) {
                Ok(extras) => self.waiting.push(Waiting { rule, file, extras }),
                Err(error) => self.fail(&file, &rule.title, error.to_string()),
            }
        }
    }

    fn finish(mut self) -> (RuleSet, Vec<RuleFailure>) {
        let drafts = self.waiting.iter().zip(node_names(&self.waiting)).map(|(waiting, name)| Draft {
            rule: waiting.rule,
            name,
            any_of: waiting.extras.any_of.clone(),
            ratio: waiting.extras.ratio.clone(),
        });
        let references = &self.references;
        let find =
            |wanted: &str| references.iter().position(|(name, id)| name.as_deref() == Some(wanted) || id == wanted);
        let (plan, results) = Plan::build(&drafts.collect::<Vec<_>>(), &mut self.slots, &find);
        self.quiet_inputs(&plan);
        let mut node_voices: Vec<Option<Voice>> = plan.nodes.iter().map(|_| None).collect();
        for (waiting, result) in std::mem::take(&mut self.waiting).into_iter().zip(results) {
            match result {
                Ok(node) => {
                    if plan.nodes.get(node).is_some_and(|node| node.emits) {
                        self.infos.push(waiting.extras.info);
                    }
                    if let Some(slot) = node_voices.get_mut(node) {
                        *slot = Some(waiting.extras.voice);
                    }
                }
                Err(error) => self.fail(&waiting.file, &waiting.rule.title, error.to_string()),
            }
        }
        let rules = RuleSet {
            parts: Vec::new(),
            offsets: Vec::new(),
            meanings: self.meanings,
            plan,
            node_voices: node_voices
                .into_iter()
                .map(|voice| voice.expect("every node was built from one document"))
                .collect(),
            absences: self.absences,
            slots: self.slots,
            infos: one_an_id(self.infos),
            relying: BTreeMap::new(),
        };
        (rules, self.failures)
    }

    /// A rule that feeds a correlation speaks only through it, unless one of them says `generate: true`.
    fn quiet_inputs(&mut self, plan: &Plan) {
        for (index, meaning) in self.meanings.iter_mut().enumerate() {
            let (name, id) = self.references.get(index).map_or((None, ""), |(name, id)| (name.as_deref(), id.as_str()));
            let refers = |waiting: &&Waiting<'_>| {
                let ratio = waiting.extras.ratio.as_ref().map(|(against, _)| against);
                waiting
                    .rule
                    .rules
                    .iter()
                    .chain(ratio)
                    .any(|reference| Some(reference.as_str()) == name || reference == id)
            };
            let mut referring = self.waiting.iter().filter(refers).peekable();
            let quiet =
                !plan.nodes.is_empty() && referring.peek().is_some() && !referring.any(|waiting| waiting.rule.generate);
            if let Some(voice) = meaning.voice.take_if(|_| quiet) {
                self.infos.retain(|info| info.id != voice.rule_id || !info.texts.what.is_empty());
            }
        }
    }

    fn fail(&mut self, file: &str, rule: &str, reason: String) {
        self.failures.push(RuleFailure { file: file.to_owned(), rule: rule.to_owned(), reason });
    }
}

/// What names the state of each correlation in a snapshot: its id, and which of the id's correlations it is. So a rule
/// that is added or taken away leaves the windows of the others as they are.
fn node_names(waiting: &[Waiting<'_>]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    waiting
        .iter()
        .map(|waiting| {
            let id = waiting.extras.voice.rule_id.as_str();
            let count = counts.entry(id).or_default();
            *count += 1;
            format!("{id}#{count}")
        })
        .collect()
}

/// Documents of one id are one rule: the first with texts speaks for all, thresholds come together.
fn one_an_id(infos: Vec<RuleInfo>) -> Vec<RuleInfo> {
    let mut joined: Vec<RuleInfo> = Vec::new();
    for info in infos {
        match joined.iter_mut().find(|known| known.id == info.id) {
            None => joined.push(info),
            Some(known) => {
                let severity = known.severity.max(info.severity);
                let thresholds = [std::mem::take(&mut known.thresholds), info.thresholds.clone()].concat();
                let seasons = (known.first_seen || info.first_seen, known.after_hours || info.after_hours);
                if known.texts.what.is_empty() {
                    *known = info;
                }
                (known.severity, known.thresholds) = (severity, thresholds);
                (known.first_seen, known.after_hours) = seasons;
            }
        }
    }
    joined
}

/// Threshold and window in minutes.
fn numbers(rule: &CorrelationRule) -> (u64, u64) {
    let count = match &rule.condition {
        CorrelationCondition::Threshold { predicates, .. } => predicates.first().map_or(0, |(_, value)| *value),
        CorrelationCondition::Extended(_) => 0,
    };
    (count, rule.timespan.seconds / 60)
}

fn severity(level: Option<Level>) -> Severity {
    level.and_then(|level| Severity::parse(level.as_str())).unwrap_or(Severity::Informational)
}
