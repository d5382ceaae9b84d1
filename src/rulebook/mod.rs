//! Rules as their writers see them: each tried on its own samples, through the real parsers. What `<id>.match.jsonl`
//! holds must be found by that rule, what `<id>.nomatch.jsonl` holds must not. The form of a sample is told in
//! `rules/README.md`.

#[cfg(test)]
mod live;
mod sample;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use monban_detect::RuleSet;
use monban_event::Finding;

pub(crate) use self::sample::{Line, SampleError, read};

/// What a rule's samples came to.
pub(crate) struct Trial {
    pub(crate) id: String,
    /// What it found in the sample that it must find.
    pub(crate) findings: Vec<Finding>,
    /// Why the rule or a sample is wrong; nothing where both are right.
    pub(crate) complaints: Vec<String>,
}

/// The ids of a folder's rule files, in order.
pub(crate) fn rule_ids(folder: &Path) -> std::io::Result<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_rule = path.extension().is_some_and(|extension| extension == "yml");
        ids.extend(path.file_stem().filter(|_| is_rule).map(|stem| stem.to_string_lossy().into_owned()));
    }
    Ok(ids)
}

/// Tries a rule of the folder on its samples, all of `rules` being in force.
pub(crate) fn try_rule(rules: &Arc<RuleSet>, folder: &Path, id: &str) -> Trial {
    let mut trial = Trial { id: id.to_owned(), findings: Vec::new(), complaints: Vec::new() };
    match lines_of(folder, id, "match") {
        Ok(lines) => trial.judge_match(rules, sample::found(rules, &lines), &lines),
        Err(error) => trial.complaints.push(crate::error_chain(&error)),
    }
    match lines_of(folder, id, "nomatch") {
        Ok(lines) => trial.judge_nomatch(sample::found(rules, &lines)),
        Err(error) => trial.complaints.push(crate::error_chain(&error)),
    }
    trial
}

fn lines_of(folder: &Path, id: &str, kind: &str) -> Result<Vec<Line>, SampleError> {
    read(&sample_path(folder, id, kind))
}

fn sample_path(folder: &Path, id: &str, kind: &str) -> PathBuf {
    folder.join(format!("{id}.{kind}.jsonl"))
}

type ByRule = BTreeMap<String, Vec<Finding>>;

impl Trial {
    fn judge_match(&mut self, rules: &RuleSet, found: Result<ByRule, SampleError>, lines: &[Line]) {
        let mut found = match found {
            Ok(found) => found,
            Err(error) => return self.complaints.push(format!("match: {}", crate::error_chain(&error))),
        };
        self.findings = found.remove(&self.id).unwrap_or_default();
        if self.findings.is_empty() {
            self.complaints.push("見本（match）を検知しません".to_owned());
        }
        let also: BTreeSet<&str> = lines.iter().flat_map(|line| &line.also).map(String::as_str).collect();
        for (other, findings) in &found {
            if !also.contains(other.as_str()) {
                let said: Vec<&str> = findings.iter().map(|finding| finding.summary.as_str()).collect();
                self.complaints.push(format!("{other} も見本（match）を検知します: {}", said.join(" / ")));
            }
        }
        for other in also.iter().filter(|other| !found.contains_key(**other)) {
            self.complaints.push(format!("also に書かれた {other} は見本を検知しません"));
        }
        let records = lines.iter().filter(|line| line.is_record() || line.act.is_some()).count() as u64;
        for finding in &self.findings {
            // Of what was never there, there is no record.
            let has_records = !rules.is_about_ourselves(&finding.rule_id);
            self.complaints.extend(form_complaint(finding, records, has_records));
        }
    }

    fn judge_nomatch(&mut self, found: Result<ByRule, SampleError>) {
        match found {
            Ok(found) => self.complaints.extend(found.get(&self.id).into_iter().flatten().map(|finding| {
                format!("日常の見本（nomatch）を検知します: {}（{}）", finding.summary, finding.severity.japanese())
            })),
            Err(error) => self.complaints.push(format!("nomatch: {}", crate::error_chain(&error))),
        }
    }
}

/// A finding says what happened and names its evidence.
fn form_complaint(finding: &Finding, records: u64, has_records: bool) -> Option<String> {
    let says = !finding.subject.is_empty() && !finding.rule_title.is_empty();
    let spoken = !finding.summary.is_empty() && !finding.summary.contains(['{', '}']);
    let spans = finding.first <= finding.last && finding.count >= 1;
    let proven =
        !(finding.evidence.is_empty() && has_records) && finding.evidence.iter().all(|event| event.record.0 <= records);
    (!(says && spoken && spans && proven)).then(|| format!("検知の形が正しくありません: {finding:?}"))
}
