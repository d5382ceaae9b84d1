//! From files to compiled rules. A rule that cannot be used is told and left out; the others run.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use monban_event::Severity;
use rsigma_eval::{CompiledRule, Engine, compile_rule};
use rsigma_parser::{FilterRule, FilterRuleTarget, Level, LogSource, SigmaRule, parse_sigma_yaml};

use super::asks::asks_memory;
use super::source::Routed;
use super::{RuleIndex, RuleMeta, SigmaRules, attributes_json};
use crate::house::fact;

/// Longest rule file read, in bytes. `SigmaHQ`'s longest has 30 KiB; a file of a megabyte is no rule.
const RULE_FILE_BYTES_MAX: u64 = 1 << 20;

/// Folders below a rule folder that are followed; `SigmaHQ` nests five.
const FOLDER_DEPTH_MAX: usize = 32;

/// What loading came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Detection rules, correlations and filters that are in force.
    pub loaded: usize,
    pub failed: Vec<RuleFailure>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFailure {
    pub file: String,
    /// Title of the rule, empty where not even that could be read.
    pub rule: String,
    pub reason: String,
}

#[derive(Debug, thiserror::Error)]
pub enum SigmaLoadError {
    #[error("read rule folder {path}")]
    Folder { path: PathBuf, source: io::Error },
    #[error("read rule file {path}")]
    File { path: PathBuf, source: io::Error },
    #[error("rule folder {path} is nested deeper than {FOLDER_DEPTH_MAX} folders")]
    TooDeep { path: PathBuf },
}

impl SigmaRules {
    /// Loads rules from texts; each may hold several YAML documents.
    pub fn load_texts(texts: impl IntoIterator<Item = (String, String)>) -> (Self, LoadReport) {
        let mut loader = Loader::default();
        for (file, text) in texts {
            loader.read(&file, &text);
        }
        loader.finish()
    }

    /// Loads every `*.yml` and `*.yaml` below the folders (or the file itself where one is named), sorted by path.
    pub fn load_dirs(dirs: &[PathBuf]) -> Result<(Self, LoadReport), SigmaLoadError> {
        let mut files = Vec::new();
        for dir in dirs {
            let mut below = Vec::new();
            collect(dir, FOLDER_DEPTH_MAX, &mut below)?;
            below.sort();
            files.append(&mut below);
        }
        let mut loader = Loader::default();
        for path in files {
            let file = path.display().to_string();
            match read_rule_file(&path)? {
                Some(text) => loader.read(&file, &text),
                None => loader.fail(&file, "", "not UTF-8 text, or longer than a rule can be"),
            }
        }
        Ok(loader.finish())
    }
}

/// The text of a rule file; `None` where it is not one.
fn read_rule_file(path: &Path) -> Result<Option<String>, SigmaLoadError> {
    let failed = |source| SigmaLoadError::File { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(failed)?.len() > RULE_FILE_BYTES_MAX {
        return Ok(None);
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    Ok(String::from_utf8(bytes).ok())
}

fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), SigmaLoadError> {
    let failed = |source| SigmaLoadError::Folder { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    if depth == 0 {
        return Err(SigmaLoadError::TooDeep { path: path.to_owned() });
    }
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let child = entry.map_err(failed)?.path();
        if child.is_dir() {
            collect(&child, depth - 1, files)?;
        } else if child.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") {
            files.push(child);
        }
    }
    Ok(())
}

/// Log sources compare by these three, lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SourceKey {
    pub(super) product: Option<String>,
    pub(super) category: Option<String>,
    pub(super) service: Option<String>,
}

impl SourceKey {
    pub(super) fn of(source: &LogSource) -> Self {
        let lower = |text: &Option<String>| text.as_deref().map(str::to_ascii_lowercase);
        Self { product: lower(&source.product), category: lower(&source.category), service: lower(&source.service) }
    }

    /// Whether its rules are about what the product itself came to know.
    pub(super) fn is_of_facts(&self) -> bool {
        self.product.as_deref() == Some(fact::MODULE) && self.category.as_deref() == Some(fact::CATEGORY)
    }
}

/// A log source, and whether its rules ask what earlier lines say.
type Group = (SourceKey, bool);

#[derive(Default)]
struct Loader {
    metas: Vec<RuleMeta>,
    correlations: Vec<rsigma_parser::CorrelationRule>,
    correlation_files: Vec<String>,
    filters: Vec<(String, FilterRule)>,
    /// Log sources in the order they were first seen, with their rules; those that ask what earlier lines say apart.
    sources: Vec<(Group, Vec<CompiledRule>)>,
    source_of: HashMap<Group, usize>,
    report: LoadReport,
}

impl Loader {
    fn fail(&mut self, file: &str, rule: &str, reason: impl Into<String>) {
        self.report.failed.push(RuleFailure { file: file.to_owned(), rule: rule.to_owned(), reason: reason.into() });
    }

    fn read(&mut self, file: &str, text: &str) {
        let collection = match parse_sigma_yaml(text) {
            Ok(collection) => collection,
            Err(error) => return self.fail(file, "", error.to_string()),
        };
        for error in &collection.errors {
            self.fail(file, "", error.clone());
        }
        for rule in &collection.rules {
            self.add(file, rule);
        }
        self.report.loaded += collection.correlations.len();
        self.correlation_files.extend(collection.correlations.iter().map(|_| file.to_owned()));
        self.correlations.extend(collection.correlations);
        self.filters.extend(collection.filters.into_iter().map(|filter| (file.to_owned(), filter)));
    }

    fn add(&mut self, file: &str, rule: &SigmaRule) {
        let mut compiled = match compile_rule(rule) {
            Ok(compiled) => compiled,
            Err(error) => return self.fail(file, &rule.title, error.to_string()),
        };
        compiled.id = Some(self.metas.len().to_string());
        compiled.tags = Vec::new();
        compiled.description = None;
        compiled.falsepositives = Vec::new();
        compiled.custom_attributes = Arc::default();
        self.metas.push(meta(file, rule));
        self.route((SourceKey::of(&rule.logsource), asks_memory(&rule.detection)), compiled);
        self.report.loaded += 1;
    }

    fn route(&mut self, key: Group, rule: CompiledRule) {
        let known = self.source_of.get(&key).and_then(|&index| self.sources.get_mut(index));
        if let Some((_, rules)) = known {
            rules.push(rule);
        } else {
            self.source_of.insert(key.clone(), self.sources.len());
            self.sources.push((key, vec![rule]));
        }
    }

    fn finish(mut self) -> (SigmaRules, LoadReport) {
        let mut by_reference = HashMap::new();
        for (index, meta) in self.metas.iter().enumerate() {
            for reference in std::iter::once(&meta.id).chain(&meta.name) {
                by_reference.entry(reference.clone()).or_insert(RuleIndex(index));
            }
        }
        // A filter may be of any rule, so one that asks memory makes all of them wait for it.
        let all_ask = self.filters.iter().any(|(_, filter)| asks_memory(&filter.detection));
        let (groups, rules): (Vec<Group>, Vec<Vec<CompiledRule>>) =
            std::mem::take(&mut self.sources).into_iter().unzip();
        let mut engines: Vec<Engine> = rules.into_iter().map(engine).collect();
        self.apply_filters(&mut engines, &by_reference);
        let (asking, steady): (Vec<_>, Vec<_>) =
            groups.into_iter().zip(engines).partition(|((_, asks), _)| *asks || all_ask);
        let routed =
            |group: Vec<(Group, Engine)>| Routed::new(group.into_iter().map(|((key, _), engine)| (key, engine)));
        let rules = SigmaRules {
            metas: self.metas,
            correlations: self.correlations,
            correlation_files: self.correlation_files,
            by_reference,
            steady: routed(steady),
            asking: routed(asking),
        };
        (rules, self.report)
    }

    fn apply_filters(&mut self, engines: &mut [Engine], by_reference: &HashMap<String, RuleIndex>) {
        for (file, mut filter) in std::mem::take(&mut self.filters) {
            if let FilterRuleTarget::Specific(references) = &mut filter.rules {
                // Compiled rules go by their number here.
                let known = references.iter().filter_map(|reference| by_reference.get(reference));
                *references = known.map(|index| index.0.to_string()).collect();
            }
            let failure = engines.iter_mut().find_map(|engine| engine.apply_filter(&filter).err());
            match failure {
                Some(error) => self.fail(&file, &filter.title, error.to_string()),
                None => self.report.loaded += 1,
            }
        }
    }
}

fn engine(rules: Vec<CompiledRule>) -> Engine {
    let mut engine = Engine::new();
    // The filter over needles is not used: with rules routed by log source most events overlap with some needle.
    engine.set_bloom_max_bytes(0);
    engine.extend_compiled_rules(rules);
    engine
}

fn meta(file: &str, rule: &SigmaRule) -> RuleMeta {
    let id = rule.id.as_ref().or(rule.name.as_ref()).unwrap_or(&rule.title);
    RuleMeta {
        id: id.clone(),
        name: rule.name.clone(),
        title: rule.title.clone(),
        level: severity(rule.level),
        file: file.to_owned(),
        version: rule.modified.as_ref().or(rule.date.as_ref()).cloned().unwrap_or_default(),
        description: rule.description.clone().unwrap_or_default(),
        tags: rule.tags.clone(),
        false_positives: rule.falsepositives.clone(),
        of_facts: SourceKey::of(&rule.logsource).is_of_facts(),
        attributes: attributes_json(&rule.custom_attributes),
    }
}

/// A rule without a level says nothing about its weight; it is shown and wakes nobody.
fn severity(level: Option<Level>) -> Severity {
    match level {
        None | Some(Level::Informational) => Severity::Informational,
        Some(Level::Low) => Severity::Low,
        Some(Level::Medium) => Severity::Medium,
        Some(Level::High) => Severity::High,
        Some(Level::Critical) => Severity::Critical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "title: base\nid: base-id\nname: base\nlogsource: {product: windows, service: security}\ndetection:\n  \
                        selection: {EventID: 4625}\n  condition: selection\n";

    fn load(text: &str) -> (SigmaRules, LoadReport) {
        SigmaRules::load_texts([("x.yml".to_owned(), text.to_owned())])
    }

    fn event() -> monban_event::Event {
        monban_event::Event {
            winlog_channel: Some("Security".to_owned()),
            winlog_event_id: Some(4625),
            module: Some("windows".to_owned()),
            native: [("EventID", "4625"), ("TargetUserName", "probe")].into_iter().collect(),
            ..Default::default()
        }
    }

    #[test]
    fn a_broken_rule_is_told_and_the_others_run() {
        let broken =
            RULE.replace("condition: selection", "condition: nowhere and (").replace("title: base", "title: broken");
        let (rules, report) = load(&format!("{broken}---\n{RULE}---\n- not a rule\n"));
        assert_eq!((report.loaded, report.failed.len()), (1, 2));
        let mut hits = Vec::new();
        rules.matches(&event(), &mut hits);
        assert_eq!(hits.len(), 1);
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_file() {
        let (_, report) = load("title: [unclosed\n");
        assert_eq!((report.loaded, report.failed.len(), report.failed[0].file.as_str()), (0, 1, "x.yml"));
    }

    #[test]
    fn correlations_are_handed_through() {
        let correlation = "title: many\nid: many\nmonban: {subject: user.name}\ncorrelation:\n  type: event_count\n  \
                           rules: [base]\n  group-by: [user.name]\n  timespan: 10m\n  condition: {gte: 10}\n";
        let (rules, report) = load(&format!("{RULE}---\n{correlation}"));
        assert_eq!((report.loaded, report.failed), (2, vec![]));
        let [found] = rules.correlations() else { panic!("one correlation") };
        assert_eq!(found.rules, ["base"]);
        assert_eq!(attributes_json(&found.custom_attributes)["monban"]["subject"], "user.name");
        assert_eq!(rules.correlation_file(0), Some("x.yml"));
        assert!(rules.find(&found.rules[0]).is_some());
    }

    #[test]
    fn filters_take_matches_away() {
        let filter = "title: not the probe\nlogsource: {product: windows}\nfilter:\n  rules: [base-id]\n  \
                      selection: {TargetUserName: probe}\n  condition: not selection\n";
        let (rules, report) = load(&format!("{RULE}---\n{filter}"));
        assert_eq!((report.loaded, report.failed), (2, vec![]));
        let mut hits = Vec::new();
        rules.matches(&event(), &mut hits);
        assert_eq!(hits, []);
    }

    #[test]
    fn folders_are_read_in_order_of_path() {
        let folder = std::env::temp_dir().join(format!("monban-sigma-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("b")).expect("a folder");
        for (file, id) in [("b/one.yml", "third"), ("a.yaml", "first"), ("a.yml", "second"), ("note.md", "never")] {
            std::fs::write(folder.join(file), RULE.replace("base-id", id)).expect("a file");
        }
        let loaded = SigmaRules::load_dirs(std::slice::from_ref(&folder));
        std::fs::remove_dir_all(&folder).expect("the folder goes");
        let (rules, report) = loaded.expect("the folder can be read");
        let ids: Vec<&str> = rules.metas().map(|(_, meta)| meta.id.as_str()).collect();
        assert_eq!((ids, report.loaded), (vec!["first", "second", "third"], 3));
        assert!(matches!(SigmaRules::load_dirs(&[folder]), Err(SigmaLoadError::Folder { .. })));
    }
}
