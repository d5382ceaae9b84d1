use std::path::{Path, PathBuf};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/hospital")
}

#[test]
fn every_rule_file_is_in_force_and_every_rule_in_force_has_a_file() {
    let files = rule_ids(&folder()).unwrap();
    let loaded: BTreeSet<String> = RuleSet::hospital().rules().iter().map(|rule| rule.id.to_string()).collect();
    assert_eq!(loaded, files);
    assert!(!files.is_empty());
}

#[test]
fn each_rule_finds_its_sample_leaves_the_everyday_and_no_other_speaks_unasked() {
    let rules = Arc::new(RuleSet::hospital());
    let trials = rule_ids(&folder()).unwrap().into_iter().map(|id| try_rule(&rules, &folder(), &id));
    let wrong: Vec<String> =
        trials.flat_map(|trial| trial.complaints.into_iter().map(move |c| format!("{}: {c}", trial.id))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_rule_that_is_silent_or_loud_in_the_wrong_place_is_told() {
    let rules = Arc::new(RuleSet::hospital());
    let dir = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: &str| {
        std::fs::copy(sample_path(&folder(), "DE-01", from), sample_path(dir.path(), "DE-01", to)).unwrap();
    };
    copy("nomatch", "match");
    copy("match", "nomatch");
    let trial = try_rule(&rules, dir.path(), "DE-01");
    let told = |word: &str| trial.complaints.iter().any(|complaint| complaint.contains(word));
    assert!(told("見本（match）を検知しません") && told("日常の見本（nomatch）を検知します"), "{:?}", trial.complaints);
    assert!(!try_rule(&rules, dir.path(), "VP-01").complaints.is_empty(), "without samples nothing is right");
}

/// A host that counts repeated lines instead of writing them must not hide that someone guesses at a password.
#[test]
fn failures_that_a_line_only_counts_reach_the_threshold() {
    let rules = Arc::new(RuleSet::hospital());
    let failure = "<86>Oct  6 10:00:00 db01 sshd[77]: Failed password for tanaka from 10.20.1.5 port 5 ssh2";
    let wrapped = "<86>Oct  6 10:00:02 db01 sshd[77]: message repeated 9 times: [ Failed password for tanaka from 10.20.1.5 port 5 ssh2]";
    let pointing = "<86>Oct  6 10:00:02 db01 last message repeated 9 times";
    let line = |text: &str| Line::of_raw("2026-10-06T10:00:03+09:00".parse().unwrap(), text);
    let found = |lines: &[Line]| sample::found(&rules, lines).unwrap();
    for second in [wrapped, pointing] {
        let found = found(&[line(failure), line(second)]);
        let counts: Vec<u64> = found.get("AU-01").into_iter().flatten().map(|finding| finding.count).collect();
        assert_eq!(counts, [10], "{second}");
    }
    assert!(!found(&[line(failure), line(&pointing.replace('9', "8"))]).contains_key("AU-01"));
}
