//! What the verbs on a data directory do, once for a server and for a process of its own.

mod holds;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use monban_api::Scope;
use monban_audit::{AuditError, Links};
use monban_event::act::Deed;
use monban_event::query::Query;
use monban_event::store::{SearchPage, SearchRequest};
use monban_event::time::{JST, Month};
use monban_event::{ActSink, Event, EventStore, FileHints, TimeRange};
use monban_index::ledger::{FindingFilter, FindingRow};
use monban_index::query::{self, QueryError};

use crate::cli::demo::Mark;
use crate::control::{Reply, Request};
use crate::demo::{self, Planted};
use crate::import::{self, Handed, Said};
use crate::node::Node;

pub(crate) const EXIT_OK: u8 = 0;
pub(crate) const EXIT_NOTHING: u8 = 1;
pub(crate) const EXIT_FAILED: u8 = 2;
pub(crate) const EXIT_DAMAGE: u8 = 3;

/// The account under which the command line acts: whoever may read the directory.
const CONSOLE: &str = "console";
/// Events fetched at once while a search is written out.
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
        Request::Search { .. } => run_search(node, request, say),
        Request::Report { period, html } => run_report(node, period, *html, say),
        Request::CreateToken { name, scopes } => run_create_token(node, name, scopes, say),
        Request::HoldAdd { name, reason, period } => holds::add(node, name, reason, *period, say),
        Request::HoldList {} => holds::list(node, say),
        Request::HoldRelease { name, reason } => holds::release(node, name, reason, say),
        Request::DemoList {} => run_demo_list(node, say),
        Request::Stop => Err("止めるサーバが動いていません。".to_owned()),
    };
    result.unwrap_or_else(|message| {
        say(Reply::Note(message));
        EXIT_FAILED
    })
}

fn failed(what: &str) -> impl Fn(&dyn std::error::Error) -> String {
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

fn run_search(node: &Node, request: &Request, say: &mut dyn FnMut(Reply)) -> Result<u8, String> {
    let Request::Search { query: text, from, to, limit, count, json } = request else { return Ok(EXIT_FAILED) };
    let query = query::parse(text, node.clock.now()).map_err(|errors| explain_errors(text, &errors))?;
    let range = TimeRange { from: *from, to: *to };
    let total = node.store.count(&query, range).map_err(|error| failed("検索できません")(&error))?;
    let searched = Deed::Searched { query: text.clone(), from: *from, to: *to, hits: total };
    node.record(CONSOLE, searched).map_err(|error| failed("監査証跡に記録できません")(&error))?;
    if *count {
        say(Reply::Out(total.to_string()));
        return Ok(EXIT_OK);
    }
    let shown = write_events(node, &query, range, *limit, *json, say)?;
    say(Reply::Note(format!("一致 {total} 件 / 表示 {shown} 件")));
    Ok(if total == 0 { EXIT_NOTHING } else { EXIT_OK })
}

/// Writes up to `limit` events, newest first, page by page.
fn write_events(
    node: &Node,
    query: &Query,
    range: TimeRange,
    limit: usize,
    json: bool,
    say: &mut dyn FnMut(Reply),
) -> Result<usize, String> {
    let (mut shown, mut after) = (0, None);
    while shown < limit {
        let request = SearchRequest { query: query.clone(), range, limit: PAGE.min(limit - shown), after, whole: true };
        let SearchPage { events, next, incomplete_before, .. } =
            node.store.search(&request).map_err(|error| failed("検索できません")(&error))?;
        for event in &events {
            say(Reply::Out(if json { json_line(event) } else { table_line(event) }));
        }
        shown += events.len();
        if let Some(before) = incomplete_before {
            say(Reply::Note(format!("{} より前は未検索です。期間を狭めてください。", local(before))));
        }
        match next {
            Some(cursor) if !events.is_empty() => after = Some(cursor),
            _ => break,
        }
    }
    Ok(shown)
}

fn json_line(event: &Event) -> String {
    serde_json::Value::Object(event.to_json()).to_string()
}

fn table_line(event: &Event) -> String {
    let text = |value: Option<&str>| value.unwrap_or("-").to_owned();
    format!(
        "{}  {:<16} {:<16} {:<16} {:<15} {}",
        local(event.time()),
        text(event.device()),
        text(event.user_name.as_deref()),
        text(event.action.map(monban_event::Action::as_str)),
        event.source_ip.map_or_else(|| "-".to_owned(), |ip| ip.to_string()),
        text(event.outcome.map(monban_event::Outcome::as_str)),
    )
}

fn local(time: DateTime<Utc>) -> String {
    time.with_timezone(&JST).format("%Y/%m/%d %H:%M:%S").to_string()
}

/// For each error the message, the query with a caret line under the place, and a way to put it right.
fn explain_errors(text: &str, errors: &[QueryError]) -> String {
    errors.iter().map(|error| explain_error(text, error)).collect::<Vec<_>>().join("\n")
}

fn explain_error(text: &str, error: &QueryError) -> String {
    let width = |character: char| if character.is_ascii() { 1 } else { 2 };
    let columns = |from: usize, to: usize| text.chars().skip(from).take(to.saturating_sub(from)).map(width).sum();
    let (before, under): (usize, usize) = (columns(0, error.from), columns(error.from, error.to));
    let mut lines = vec![
        format!("誤り: {error}"),
        format!("  {text}"),
        format!("  {}{}", " ".repeat(before), "^".repeat(under.max(1))),
    ];
    lines.extend(error.fix.iter().chain(&error.other_fixes).map(|fix| format!("  {}: {}", fix.label, fix.q)));
    lines.join("\n")
}

fn run_report(node: &Node, period: &str, html: bool, say: &mut dyn FnMut(Reply)) -> Result<u8, String> {
    let month = Month::parse(period)
        .ok_or_else(|| format!("「{period}」は月として読めません。--period 2026-10 のように指定してください。"))?;
    let text = render_report(node, month, html).map_err(|error| failed("報告書を作れません")(&error))?;
    let form = if html { "html" } else { "json" };
    let exported = Deed::Exported { what: format!("audit {month}"), form: form.to_owned() };
    node.record(CONSOLE, exported).map_err(|error| failed("監査証跡に記録できません")(&error))?;
    say(Reply::Out(text));
    Ok(EXIT_OK)
}

fn render_report(node: &Node, month: Month, html: bool) -> Result<String, AuditError> {
    let parse = |text: &str, now| query::parse(text, now).ok();
    let settings = node.config.audit_settings();
    let now = node.clock.now();
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
    let person = findings.iter().filter(|row| row.severity.needs_person());
    let (of_planted, others): (Vec<_>, Vec<_>) = person.partition(|row| is_planted(&demo, row, &planted));
    say(Reply::Out(format!(
        "人の判断が必要な検知: 仕込んだ出来事 {} 件、それ以外 {} 件",
        of_planted.len(),
        others.len()
    )));
    Ok(EXIT_OK)
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
    let request = SearchRequest { query, range, limit: PAGE, after: None, whole: false };
    let page = node.store.search(&request).ok()?;
    Some(page.events.iter().rev().map(|event| event.id.to_string()).collect())
}

fn words(rules: &[&str]) -> String {
    if rules.is_empty() { "なし".to_owned() } else { rules.join(" ") }
}
