//! Files through the rules, without a server: what `monban detect` does. The same way as live, but without journal and
//! index. Owns the order in which files are read (`order.rs`), the threads (`crew.rs`), and what the run came to.
//!
//! The same files give the same output, byte for byte: however many threads there are, however the files were named or
//! found, and whenever it is run. Everything that remembers is therefore here, in one thread that takes the events in
//! the order of reading; reading, parsing, enrichment and the matching that needs no memory are the crew's.

mod crew;
mod evidence;
mod logons;
mod metrics;
mod order;
mod output;
mod page;
mod summary;

use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use monban_detect::{Context, Detector, Foreseen, LoadReport, RuleHit, RuleSet};
use monban_event::time::{TimeRule, jst_text};
use monban_event::{Event, FileHints, Finding, Severity};
use monban_ingest::file::{Found, InputFile, Receipt};
use monban_ingest::{Parsers, TextSettings};

use crate::cli::Bar;
use crew::{Done, Knowledge};
use evidence::Places;
use logons::Logons;
use metrics::Metrics;
pub(crate) use output::Form;
use output::Output;
use page::Page;
use summary::Summary;

/// What a hunt is asked to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    Findings,
    /// Each match of a rule by itself, as it is read.
    EachMatch,
    Logons,
    Metrics,
}

/// What to hunt with.
pub(crate) struct Plan {
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) loaded: LoadReport,
    pub(crate) context: Arc<Context>,
    pub(crate) settings: TextSettings,
    pub(crate) hints: Option<Arc<FileHints>>,
    pub(crate) threads: NonZeroUsize,
    pub(crate) show: Show,
    pub(crate) form: Form,
    /// What is less grave is not shown.
    pub(crate) min_level: Severity,
}

/// What a hunt came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) read: u64,
    pub(crate) damaged: u64,
    /// Files that could not be read.
    pub(crate) failed: u64,
    /// Of everything that was found, shown or not.
    pub(crate) gravest: Option<Severity>,
    /// For the operator: the table of rules and what the events span.
    pub(crate) lines: Vec<String>,
}

/// Hunts through what was found, writes what it shows to `writer`, and tells the operator of damage as it is met.
pub(crate) fn run(
    plan: &Plan,
    mut found: Found,
    now: DateTime<Utc>,
    writer: &mut dyn Write,
) -> anyhow::Result<Outcome> {
    let knowledge = Knowledge {
        parsers: Parsers { settings: plan.settings.clone() },
        context: Arc::clone(&plan.context),
        rules: Arc::clone(&plan.rules),
    };
    let received_at = order::received_at(&found.files, now);
    let receipt = Receipt { received_at, hints: plan.hints.clone(), ..Receipt::default() };
    order::settle(&mut found, &knowledge.parsers, &receipt);
    let mut hunt = Hunt::new(plan, &found.files, writer);
    for (shown, reason) in &found.refused {
        hunt.damaged(&format!("{shown}: {reason}"));
    }
    hunt.output.begin(plan.show).context("write output")?;
    let files = (found.files.as_slice(), &receipt);
    crew::work(&knowledge, files, plan.threads, &mut |done| hunt.take(done))?;
    hunt.bar.clear();
    hunt.finish(&knowledge, files)
}

/// A count as people read it: `1,204,551`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

struct Hunt<'a> {
    plan: &'a Plan,
    files: &'a [InputFile],
    detector: Detector,
    output: Output<'a>,
    outcome: Outcome,
    summary: Summary,
    logons: Logons,
    metrics: Metrics,
    places: Places,
    /// First and last time that an event told.
    span: Option<(DateTime<Utc>, DateTime<Utc>)>,
    hits: Vec<RuleHit>,
    bar: Bar,
    disk_bytes: u64,
}

impl<'a> Hunt<'a> {
    fn new(plan: &'a Plan, files: &'a [InputFile], writer: &'a mut dyn Write) -> Self {
        Self {
            plan,
            files,
            detector: Detector::new(Arc::clone(&plan.rules), Arc::clone(&plan.context)),
            output: Output::new(plan.form, writer),
            outcome: Outcome::default(),
            summary: Summary::default(),
            logons: Logons::default(),
            metrics: Metrics::default(),
            places: Places::default(),
            span: None,
            hits: Vec::new(),
            bar: Bar::new(),
            disk_bytes: files.iter().map(|file| file.disk_bytes).sum(),
        }
    }

    /// Takes a batch in. Only writing may end the run.
    fn take(&mut self, done: Done) -> anyhow::Result<()> {
        self.places.note(done.first, done.file);
        self.outcome.read += done.read;
        self.outcome.damaged += done.damaged;
        done.notes.iter().for_each(|note| self.bar.say(note));
        let mut events = done.events;
        for (event, foreseen) in events.iter_mut().zip(done.foreseen) {
            self.event(event, foreseen)?;
        }
        if let Some(end) = done.ended {
            let shown = self.files.get(done.file).map_or("", |file| file.shown.as_str());
            if let Some(failure) = end.failure {
                self.outcome.failed += 1;
                self.bar.say(&failure);
            }
            end.damage.iter().for_each(|damage| self.damaged(&format!("{shown}: {damage}")));
            end.notes.iter().for_each(|note| self.bar.say(&format!("{shown}: {note}")));
        }
        self.bar.move_to(done.read_bytes, self.disk_bytes);
        Ok(())
    }

    fn damaged(&mut self, text: &str) {
        self.outcome.damaged += 1;
        self.bar.say(text);
    }

    fn event(&mut self, event: &mut Event, foreseen: Foreseen) -> anyhow::Result<()> {
        if self.wants(Show::Metrics) {
            self.metrics.count(event);
        }
        if let Some(time) = event.event_time.filter(|_| event.time_rule != Some(TimeRule::Receive)) {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
        }
        let others = self.detector.expand(event);
        let foreseen = others.is_none().then_some(foreseen);
        self.observe(event, foreseen)?;
        others.into_iter().flatten().try_for_each(|mut other| self.observe(&mut other, None))
    }

    /// A page shows everything.
    fn wants(&self, show: Show) -> bool {
        self.plan.show == show || self.plan.form == Form::Html
    }

    fn observe(&mut self, event: &mut Event, foreseen: Option<Foreseen>) -> anyhow::Result<()> {
        self.hits.clear();
        self.detector.observe_foreseen(event, foreseen, &mut self.hits);
        self.detector.witness(event);
        if self.wants(Show::Logons) {
            self.logons.count(event);
        }
        if self.plan.show != Show::EachMatch {
            return Ok(());
        }
        for hit in &self.hits {
            self.outcome.gravest = self.outcome.gravest.max(Some(hit.severity));
            if hit.severity >= self.plan.min_level {
                self.summary.matched(hit);
                self.output.matched(hit, event).context("write output")?;
            }
        }
        Ok(())
    }

    fn finish(mut self, knowledge: &Knowledge, files: (&[InputFile], &Receipt)) -> anyhow::Result<Outcome> {
        let findings = self.findings();
        match (self.plan.form, self.plan.show) {
            (Form::Html, _) => self.write_page(&findings, knowledge, files)?,
            (_, Show::Findings) => self.output.findings(&findings, &self.places, self.files).context("write output")?,
            (_, Show::Logons) => {
                self.output
                    .table(&Logons::HEADS, &self.logons.rows(), &self.logons.objects())
                    .context("write output")?;
            }
            (_, Show::Metrics) => {
                let (rows, objects) = (self.metrics.rows(), self.metrics.objects());
                self.output.table(&Metrics::HEADS, &rows, &objects).context("write output")?;
            }
            (_, Show::EachMatch) => {}
        }
        self.output.flush().context("write output")?;
        self.outcome.lines = self.summary.table();
        self.outcome.lines.extend(self.beyond());
        self.outcome.lines.push(self.overview());
        Ok(self.outcome)
    }

    /// What is shown of what was found, the gravest and then the earliest first; all of it is summed up.
    fn findings(&mut self) -> Vec<Finding> {
        if self.plan.show == Show::EachMatch {
            return Vec::new();
        }
        self.detector.conclude();
        let mut findings = self.detector.take().findings;
        findings.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.first.cmp(&b.first)).then(a.id.cmp(&b.id)));
        self.outcome.gravest = findings.first().map(|finding| finding.severity);
        findings.retain(|finding| finding.severity >= self.plan.min_level);
        for finding in &findings {
            self.summary.found(finding);
        }
        findings
    }

    fn write_page(
        &mut self,
        findings: &[Finding],
        knowledge: &Knowledge,
        files: (&[InputFile], &Receipt),
    ) -> anyhow::Result<()> {
        let evidence = evidence::read(knowledge, files, &self.places, &page::wanted(findings));
        let page = Page::new(self, findings, &evidence);
        self.output.page(&page).context("write output")
    }

    /// What the bounds of the tables left together.
    fn beyond(&self) -> Vec<String> {
        let logons = (self.logons.beyond, "回のログインは、利用者が多すぎるため利用者ごとの集計に入れていません");
        let kinds = (self.metrics.beyond, "件のイベントは、種類が多すぎるため種類ごとの集計に入れていません");
        let left = [logons, kinds].into_iter().filter(|(count, _)| *count > 0);
        left.map(|(count, words)| format!("{} {words}", grouped(count))).collect()
    }

    fn overview(&self) -> String {
        let files = grouped(self.files.len() as u64);
        format!("期間  {}   ファイル {files}   イベント {}", self.period(), grouped(self.outcome.read))
    }

    fn period(&self) -> String {
        self.span.map_or_else(|| "-".to_owned(), |(first, last)| format!("{} 〜 {}", jst_text(first), jst_text(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_in_threes() {
        let counts = [0, 999, 1_000, 1_204_551];
        assert_eq!(counts.map(grouped), ["0", "999", "1,000", "1,204,551"]);
    }
}
