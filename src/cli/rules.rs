//! `monban rules`: what the rules are, and whether rules of one's own are right, without a server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use monban_detect::{LoadReport, RuleInfo, RuleSet};
use monban_event::EventId;

use super::{ask, print};
use crate::control::Request;
use crate::explain;
use crate::rulebook::{self, Trial};
use crate::verbs::{EXIT_NOTHING, EXIT_OK};

#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// ルールの一覧（番号、重大度、名前、必要な記録）
    List {
        /// 内蔵の病院ルールの代わりに一覧にする Sigma ルールのフォルダかファイル
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// 一つのルールの説明・しきい値・定義を表示します
    Show {
        /// ルールの番号（例: VP-08）
        id: String,
    },
    /// 一つのルールが何を見ているかを、言葉で説明します（対象の記録、条件、数え方、しきい値、有効な例外）
    Explain {
        /// ルールの番号（例: VP-08）
        id: String,
        /// データフォルダ（指定すると、いま有効な例外も表示します）
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// 記録の番号（例: 12345-0）。ルールのどの部分が当てはまり、どの部分が当てはまらないかを表示します
        #[arg(long, value_name = "ID", requires = "data_dir")]
        event: Option<EventId>,
    },
    /// ルールが読み込めるかを検査します
    Lint {
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// フォルダのルールを、隣に置かれた見本（番号.match.jsonl と 番号.nomatch.jsonl）で試します
    Test {
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// 試すルールの番号（省略するとすべて）
        #[arg(value_name = "ID")]
        ids: Vec<String>,
    },
}

pub(super) fn run(args: &RulesArgs) -> anyhow::Result<ExitCode> {
    let (lines, status) = match &args.action {
        Action::Explain { id, data_dir: Some(dir), event } => {
            return ask(dir, false, &Request::ExplainRule { id: id.clone(), event: *event });
        }
        Action::Explain { id, .. } => explained(id),
        Action::List { paths } => list(paths)?,
        Action::Show { id } => show(id),
        Action::Lint { paths } => lint(paths)?,
        Action::Test { folder, ids } => test(folder, ids)?,
    };
    print(&lines)?;
    Ok(ExitCode::from(status))
}

type Answer = (Vec<String>, u8);

fn list(paths: &[PathBuf]) -> anyhow::Result<Answer> {
    let (rules, report) = load(paths)?;
    let row = |rule: &RuleInfo| {
        let needs = if rule.needs.is_empty() { String::new() } else { format!("  ［{}］", rule.needs.join("、")) };
        format!("{:<6} {} {}{needs}", rule.id, rule.severity.japanese(), rule.title_ja)
    };
    let mut lines: Vec<String> = rules.rules().iter().map(row).collect();
    lines.push(format!("{} 個のルールがあります。", rules.rules().len()));
    lines.extend(failures(&report));
    Ok((lines, EXIT_OK))
}

fn load(paths: &[PathBuf]) -> anyhow::Result<(RuleSet, LoadReport)> {
    if paths.is_empty() {
        return Ok((RuleSet::hospital(), LoadReport::default()));
    }
    Ok(RuleSet::load_dirs(paths)?)
}

fn show(id: &str) -> Answer {
    let rules = RuleSet::hospital();
    let Some(rule) = rules.rules().iter().find(|rule| rule.id.as_str().eq_ignore_ascii_case(id)) else {
        let told = format!("「{id}」というルールはありません。monban rules list で一覧を表示できます。");
        return (vec![told], EXIT_NOTHING);
    };
    let mut lines = vec![
        format!("{} {}（{}）", rule.id, rule.title_ja, rule.title_en),
        format!("重大度 {}、版 {}、{}", rule.severity.japanese(), rule.version, rule.tags.join(" ")),
    ];
    for (heading, text) in [
        ("何が起きたか", &rule.texts.what),
        ("なぜ検知したか", &rule.texts.why),
        ("確認のしかた", &rule.texts.how),
        ("よくある正当な理由", &rule.texts.legitimate),
    ] {
        lines.extend([String::new(), format!("■ {heading}"), text.clone()]);
    }
    lines.extend([String::new(), format!("必要なもの: {}", rule.needs.join("、"))]);
    lines.extend(rule.thresholds.iter().map(|threshold| {
        format!("しきい値: {} = {}（{}〜{}）", threshold.name, threshold.value, threshold.min, threshold.max)
    }));
    if rule.first_seen {
        lines.push("学習期間（最初の受信から 14 日、設定で変更可）と人事異動の時期（3/25〜4/15、9/25〜10/15）は、重大度を一段下げます。".to_owned());
    }
    if rule.after_hours {
        lines.push("災害モードの間の検知は、一つの案件にまとめます。".to_owned());
    }
    let text = RuleSet::hospital_texts().iter().find(|(file, _)| *file == rule.file).map(|(_, text)| *text);
    lines.extend(text.map(|text| format!("\n■ 定義（{}）\n{text}", rule.file)));
    (lines, EXIT_OK)
}

fn explained(id: &str) -> Answer {
    let rules = RuleSet::hospital();
    match explain::find(&rules, id) {
        Some((rule, text)) => (explain::lines(rule, text, None), EXIT_OK),
        None => (vec![explain::unknown(id)], EXIT_NOTHING),
    }
}

fn failures(report: &LoadReport) -> impl Iterator<Item = String> {
    report.failed.iter().map(|failure| format!("使えません {}「{}」: {}", failure.file, failure.rule, failure.reason))
}

fn lint(paths: &[PathBuf]) -> anyhow::Result<Answer> {
    let (_, report) = RuleSet::load_dirs(paths)?;
    let mut lines: Vec<String> = failures(&report).collect();
    lines.push(format!("読み込めたルール {}、使えないルール {}", report.loaded, report.failed.len()));
    Ok((lines, if report.failed.is_empty() { EXIT_OK } else { EXIT_NOTHING }))
}

fn test(folder: &Path, wanted: &[String]) -> anyhow::Result<Answer> {
    let (rules, report) = RuleSet::load_dirs(&[folder.to_owned()])?;
    let rules = Arc::new(rules);
    let mut ids = rulebook::rule_ids(folder)?;
    ids.retain(|id| wanted.is_empty() || wanted.contains(id));
    let mut lines: Vec<String> = failures(&report).collect();
    let trials: Vec<Trial> = ids.iter().map(|id| rulebook::try_rule(&rules, folder, id)).collect();
    lines.extend(trials.iter().flat_map(trial_lines));
    let wrong = trials.iter().filter(|trial| !trial.complaints.is_empty()).count() + report.failed.len();
    lines.push(format!("{} 個を試しました。誤り {wrong}", trials.len()));
    Ok((lines, if wrong == 0 && !trials.is_empty() { EXIT_OK } else { EXIT_NOTHING }))
}

fn trial_lines(trial: &Trial) -> Vec<String> {
    let mark = if trial.complaints.is_empty() { "○" } else { "×" };
    let mut lines = vec![format!("{mark} {}", trial.id)];
    lines.extend(
        trial.findings.iter().map(|finding| format!("    {} {}", finding.severity.japanese(), finding.summary)),
    );
    lines.extend(trial.complaints.iter().map(|complaint| format!("    誤り {complaint}")));
    lines
}
