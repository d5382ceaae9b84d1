//! What the verbs on a data directory do, once for a server and for a process of its own.

mod holds;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use monban_api::Scope;
use monban_audit::{AuditError, Links};
use monban_event::act::Deed;
use monban_event::store::{Order, SearchRequest};
use monban_event::time::Month;
use monban_event::{ActSink, EventStore, FileHints, RuleId, Severity, TimeRange};
use monban_index::journal::Proofs;
use monban_index::ledger::{FindingFilter, FindingRow};
use monban_index::query;

use crate::archive;
use crate::cli::demo::Mark;
use crate::control::{Reply, Request};
use crate::demo::{self, Planted};
use crate::explain;
use crate::import::{self, Handed, Said};
use crate::node::Node;
use crate::search::{self, Asked};

pub(crate) const EXIT_OK: u8 = 0;
pub(crate) const EXIT_NOTHING: u8 = 1;
/// Something was found that was asked to be told in this way.
pub(crate) const EXIT_FOUND: u8 = 1;
pub(crate) const EXIT_FAILED: u8 = 2;
pub(crate) const EXIT_DAMAGE: u8 = 3;

/// The account under which the command line acts: whoever may read the directory.
pub(crate) const CONSOLE: &str = "console";
/// Most events that carry one planted incident.
const PAGE: usize = 1000;

/// Carries a request out and gives the exit status. Never panics on a request; what went wrong is said.
pub(crate) fn handle(node: &Node, request: &Request, say: &mut dyn FnMut(Reply)) -> u8 {
    // Answers come from everything that was durable at the start, also while the views are being brought up to it.
    if let Err(stopped) = node.catch_up() {
        say(Reply::Note(crate::error_chain(&stopped)));
        return EXIT_FAILED;
    }
    let result = match request {
        Request::Import { paths, hints } => run_import(node, paths, hints, say),
        Request::Search { query, from, to, oldest_first, show } => {
            let order = if *oldest_first { Order::OldestFirst } else { Order::NewestFirst };
            let range = TimeRange { from: *from, to: *to };
            search::run(node, &Asked { text: query, range, order }, show, say)
        }
        Request::Report { period, html } => run_report(node, period, *html, say),
        Request::CreateToken { name, scopes } => run_create_token(node, name, scopes, say),
        Request::Backup { to } => run_backup(node, to, say),
        Request::Export { to, from, until } => run_export(node, to, TimeRange { from: *from, to: *until }, say),
        Request::HoldAdd { name, reason, period } => holds::add(node, name, reason, *period, say),
        Request::HoldList {} => holds::list(node, say),
        Request::HoldRelease { name, reason } => holds::release(node, name, reason, say),
        Request::ExplainRule { id, event } => explain::on_data(node, id, *event, say),
        Request::DemoList {} => run_demo_list(node, say),
        Request::Stop => Err("止めるサーバが動いていません。".to_owned()),
    };
    result.unwrap_or_else(|message| {
        say(Reply::Note(message));
        EXIT_FAILED
    })
}

pub(crate) fn failed(what: &str) -> impl Fn(&dyn std::error::Error) -> String {
    move |error| format!("{what}: {}", crate::error_chain(error))
}

fn run_import(node: &Node, paths: &[PathBuf], hints: &FileHints, say: &mut dyn FnMut(Reply)) -> Result<u8, String> {
    let handed = Handed { by: CONSOLE, hints };
    let mut tell = |said| match said {
        Said::File(shown) => say(Reply::Note(format!("取込 {shown}"))),
        Said::Moved { done, total } => say(Reply::Moved { done, total }),
    };
    let totals =
        import::import(node, paths, &handed, &mut tell).map_err(|error| failed("取り込めません")(&error))?;
    for path in &totals.passed_over {
        say(Reply::Note(format!("対象外 {}（ログの形式ではありません）", path.display())));
    }
    let lists = [("注記", &totals.notes), ("破損", &totals.damaged), ("失敗", &totals.failed)];
    for (word, list) in lists {
        for line in list {
            say(Reply::Note(format!("{word} {line}")));
        }
    }
    let damaged = totals.damaged.len();
    say(Reply::Out(format!("accepted: {}, duplicate: {}, damaged: {damaged}", totals.accepted, totals.duplicate)));
    Ok(match (totals.failed.is_empty(), damaged) {
        (false, _) => EXIT_FAILED,
        (true, 0) => EXIT_OK,
        (true, _) => EXIT_DAMAGE,
    })
}

fn run_report(node: &Node, period: &str, html: bool, say: &mut dyn FnMut(Reply)) -> Result<u8, String> {
    let month = Month::parse(period)
        .ok_or_else(|| format!("「{period}」は月として読めません。--period 2026-10 のように指定してください。"))?;
    let text = render_report(node, month, html).map_err(|error| failed("報告書を作れません")(&error))?;
    let form = if html { "html" } else { "json" };
    let exported = Deed::Exported { what: format!("audit {month}"), form: form.to_owned(), events: None };
    node.record(CONSOLE, exported).map_err(|error| failed("監査証跡に記録できません")(&error))?;
    say(Reply::Out(text));
    Ok(EXIT_OK)
}

fn render_report(node: &Node, month: Month, html: bool) -> Result<String, AuditError> {
    let parse = |text: &str, now| query::parse(text, now).ok();
    let now = node.clock.now();
    let settings = node.config.audit_settings(node.journal.receipt_before(month.next().start().min(now))?);
    let summary = monban_audit::summarize(node.store.as_ref(), &node.ledger, &parse, month, &settings, now)?;
    if html {
        return monban_audit::render_standalone(&summary, &Links::None);
    }
    Ok(serde_json::to_string_pretty(&summary).expect("a summary is made of strings and numbers"))
}

fn run_create_token(node: &Node, name: &str, scopes: &[String], say: &mut dyn FnMut(Reply)) -> Result<u8, String> {
    if let Some(unknown) = scopes.iter().find(|scope| Scope::parse(scope).is_none()) {
        let known: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        return Err(format!("「{unknown}」という権限はありません。使えるのは: {}", known.join(" ")));
    }
    let token = monban_api::new_token();
    let deed = Deed::TokenCreated {
        id: token.id,
        name: name.to_owned(),
        scopes: scopes.to_vec(),
        secret_sha256: token.secret_sha256,
    };
    node.record(CONSOLE, deed).map_err(|error| failed("トークンを登録できません")(&error))?;
    say(Reply::Out(token.display));
    Ok(EXIT_OK)
}

fn run_backup(node: &Node, to: &Path, say: &mut dyn FnMut(Reply)) -> Result<u8, String> {
    let (copied, told) =
        archive::backup(node, to, CONSOLE).map_err(|error| failed("バックアップできません")(&error))?;
    let (segments, known, megabytes) = (copied.segments, copied.known, copied.bytes >> 20);
    say(Reply::Out(format!("{} にバックアップしました", to.display())));
    say(Reply::Out(format!("区画 {segments}（うち前回と同じ {known}）、今回書いた量 {megabytes} MiB")));
    say(Reply::Out(format!("検証値 {}（番号 {} まで）", copied.receipt.value, copied.receipt.last)));
    if told.faults.is_empty() {
        say(Reply::Out("写しの検査: 合格".to_owned()));
        return Ok(EXIT_OK);
    }
    let faults = told.faults.len() as u64 + told.more_faults;
    say(Reply::Note(format!("写しの検査: NG {faults} か所。monban verify {} で確かめてください。", to.display())));
    Ok(EXIT_NOTHING)
}

fn run_export(node: &Node, to: &Path, period: TimeRange, say: &mut dyn FnMut(Reply)) -> Result<u8, String> {
    let exported =
        archive::export(node, to, period, CONSOLE).map_err(|error| failed("取り出せません")(&error))?;
    let (records, events) = (exported.records, exported.events);
    say(Reply::Out(format!("{} に原ログ {records} 件、イベント {events} 件を取り出しました", to.display())));
    say(Reply::Out(format!("検証値 {}（番号 {} まで）", exported.receipt.value, exported.receipt.last)));
    Ok(if records + events == 0 { EXIT_NOTHING } else { EXIT_OK })
}

/// The planted incidents with the records that carry them, and which of their rules have found them.
fn run_demo_list(node: &Node, say: &mut dyn FnMut(Reply)) -> Result<u8, String> {
    let demo = Mark::read(&node.dir).and_then(|mark| mark.demo());
    let demo = demo.ok_or_else(|| "このフォルダはデモのものではありません。".to_owned())?;
    let findings = node
        .ledger
        .read()
        .and_then(|reader| reader.findings(&FindingFilter::default()))
        .map_err(|error| failed("検知を読めません")(&error))?;
    let ids = |incident: &Planted| planted_records(node, incident).unwrap_or_default();
    say(Reply::Out(demo::print_list(demo.planted(), ids)));
    for incident in demo.planted() {
        let (from, to) = incident.at_range;
        let found = |rule: &&str| {
            findings.iter().any(|row| row.rule_id.as_str() == *rule && row.first <= to && row.last >= from)
        };
        let (found, missing): (Vec<&str>, Vec<&str>) = incident.rules.iter().copied().partition(|rule| found(rule));
        say(Reply::Out(format!("{:>2}日  検知済 {}  未検知 {}", incident.day, words(&found), words(&missing))));
    }
    let planted: Vec<&str> = demo.planted().iter().flat_map(|incident| incident.rules.iter().copied()).collect();
    let person = findings.iter().filter(|row| row.needs_person());
    let (of_planted, others): (Vec<_>, Vec<_>) = person.partition(|row| is_planted(&demo, row, &planted));
    say(Reply::Out(format!(
        "人の判断が必要な検知: 仕込んだ出来事 {} 件、それ以外 {} 件",
        of_planted.len(),
        others.len()
    )));
    for row in others {
        say(Reply::Out(format!("  それ以外 {} {}: {}", row.rule_id, row.subject, row.summary)));
    }
    say(Reply::Out(format!("ルールごとの件数: {}", counts_by_rule(&findings))));
    Ok(EXIT_OK)
}

/// `VP-01 高 2、…`, in the order of the rules, the gravest first.
fn counts_by_rule(findings: &[FindingRow]) -> String {
    let mut counts: BTreeMap<(&RuleId, Reverse<Severity>), u64> = BTreeMap::new();
    for row in findings {
        *counts.entry((&row.rule_id, Reverse(row.severity))).or_default() += 1;
    }
    let words = counts.iter().map(|((rule, severity), count)| format!("{rule} {} {count}", severity.0.japanese()));
    words.collect::<Vec<_>>().join("、")
}

fn is_planted(demo: &demo::Demo, row: &FindingRow, rules: &[&str]) -> bool {
    rules.contains(&row.rule_id.as_str())
        && demo.planted().iter().any(|incident| {
            let (from, to) = incident.at_range;
            incident.rules.contains(&row.rule_id.as_str()) && row.first <= to && row.last >= from
        })
}

fn planted_records(node: &Node, incident: &Planted) -> Option<Vec<String>> {
    let query = query::parse(incident.query, node.clock.now()).ok()?;
    let (from, to) = incident.at_range;
    let range = TimeRange::between(from, to + chrono::TimeDelta::seconds(1));
    let request = SearchRequest::new(query, range, PAGE);
    let page = node.store.search(&request).ok()?;
    Some(page.events.iter().rev().map(|event| event.id.to_string()).collect())
}

fn words(rules: &[&str]) -> String {
    if rules.is_empty() { "なし".to_owned() } else { rules.join(" ") }
}
