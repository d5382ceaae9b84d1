//! The report of a hunt as one HTML file: opens in any browser, also of a machine that is connected to nothing. No
//! script, nothing from elsewhere, everything from outside escaped by the template. It tells no time of its own making,
//! so that the same files give the same report.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use askama::Template;
use monban_detect::RuleInfo;
use monban_event::time::jst_text;
use monban_event::{EventId, Finding};

use super::evidence::{Shown, columns};
use super::logons::Logons;
use super::metrics::Metrics;
use super::{Hunt, grouped};

/// Findings that the page shows, the gravest first: a browser stays quick, and nobody reads more of them one by one. All
/// of them are in the other forms, and counted in the page's table.
const FINDINGS_MAX: usize = 1_000;
/// Events shown of one finding.
const EVIDENCE_MAX: usize = 5;
/// Rows shown of the tables below.
const ROWS_MAX: usize = 500;
/// Names of files shown.
const FILES_MAX: usize = 200;

#[derive(Template)]
#[template(path = "hunt.html")]
pub(super) struct Page<'a> {
    version: &'static str,
    period: String,
    events: String,
    damaged: String,
    rules: usize,
    rules_failed: usize,
    files: Vec<String>,
    files_beyond: usize,
    summary: Vec<SummaryRow>,
    findings: Vec<Entry<'a>>,
    findings_beyond: usize,
    evidence_heads: Vec<String>,
    logons: Table<7>,
    metrics: Table<4>,
}

struct SummaryRow {
    class: &'static str,
    severity: &'static str,
    rule: String,
    title: String,
    findings: String,
    events: String,
}

struct Entry<'a> {
    class: &'static str,
    severity: &'static str,
    finding: &'a Finding,
    info: Option<RuleInfo>,
    first: String,
    last: String,
    count: String,
    evidence: Vec<Vec<String>>,
    beyond: u64,
}

struct Table<const N: usize> {
    heads: [&'static str; N],
    rows: Vec<[String; N]>,
    beyond: usize,
}

impl<const N: usize> Table<N> {
    fn new(heads: [&'static str; N], mut rows: Vec<[String; N]>) -> Self {
        let beyond = rows.len().saturating_sub(ROWS_MAX);
        rows.truncate(ROWS_MAX);
        Self { heads, rows, beyond }
    }
}

/// The events that the page shows.
pub(super) fn wanted(findings: &[Finding]) -> BTreeSet<EventId> {
    findings.iter().take(FINDINGS_MAX).flat_map(evidence_of).collect()
}

fn evidence_of(finding: &Finding) -> Vec<EventId> {
    finding.evidence.iter().take(EVIDENCE_MAX).copied().collect()
}

impl<'a> Page<'a> {
    pub(super) fn new(hunt: &Hunt<'_>, findings: &'a [Finding], evidence: &Shown) -> Self {
        let infos: BTreeMap<&str, &RuleInfo> =
            hunt.plan.rules.rules().iter().map(|info| (info.id.as_str(), info)).collect();
        let entry = |finding: &'a Finding| entry(finding, infos.get(finding.rule_id.as_str()).copied(), evidence);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            period: hunt.period(),
            events: grouped(hunt.outcome.read),
            damaged: grouped(hunt.outcome.damaged),
            rules: hunt.plan.loaded.loaded,
            rules_failed: hunt.plan.loaded.failed.len(),
            files: hunt.files.iter().take(FILES_MAX).map(|file| file.shown.clone()).collect(),
            files_beyond: hunt.files.len().saturating_sub(FILES_MAX),
            summary: summary_rows(hunt),
            findings: findings.iter().take(FINDINGS_MAX).map(entry).collect(),
            findings_beyond: findings.len().saturating_sub(FINDINGS_MAX),
            evidence_heads: columns().headings(),
            logons: Table::new(Logons::HEADS, hunt.logons.rows()),
            metrics: Table::new(Metrics::HEADS, hunt.metrics.rows()),
        }
    }

    pub(super) fn write_to(&self, writer: &mut dyn Write) -> io::Result<()> {
        writer.write_all(self.render().map_err(io::Error::other)?.as_bytes())
    }
}

fn summary_rows(hunt: &Hunt<'_>) -> Vec<SummaryRow> {
    let row = |(severity, rule, line): (monban_event::Severity, &str, &super::summary::RuleLine)| SummaryRow {
        class: severity.as_str(),
        severity: severity.japanese(),
        rule: rule.to_owned(),
        title: line.title.clone(),
        findings: grouped(line.findings),
        events: grouped(line.events),
    };
    hunt.summary.lines().map(row).collect()
}

fn entry<'a>(finding: &'a Finding, info: Option<&RuleInfo>, evidence: &Shown) -> Entry<'a> {
    let shown: Vec<Vec<String>> =
        evidence_of(finding).iter().filter_map(|event| evidence.get(event)).cloned().collect();
    Entry {
        class: finding.severity.as_str(),
        severity: finding.severity.japanese(),
        finding,
        info: info.filter(|info| !info.texts.why.is_empty()).cloned(),
        first: jst_text(finding.first),
        last: jst_text(finding.last),
        count: grouped(finding.count),
        beyond: finding.count.saturating_sub(shown.len() as u64),
        evidence: shown,
    }
}
