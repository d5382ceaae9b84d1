//! One event: a sentence, its fields, the record's text as it came, and where all of it is from. Where the number is an
//! act's, as in the evidence of findings about this product, the act.

use askama::Template;
use axum::extract::Path;
use chrono::{DateTime, TimeDelta, Utc};
use monban_audit::wording;
use monban_event::act::Deed;
use monban_event::query::{Query, QueryField, Test};
use monban_event::redact::{redact, redact_field};
use monban_event::time::TimeRule;
use monban_event::{Event, EventId, Field, FieldKind, Origin, Record, TimeRange};
use monban_index::query::print;

use super::frame::{Frame, Page};
use super::html;
use super::search::Line;
use crate::app::{Answer, Visit};
use crate::around;
use crate::auth::role::Scope;
use crate::auth::sha256_hex;
use crate::language;
use crate::limits::CONTEXT_SHOWN;
use crate::problem::Problem;
use crate::view::raw::{RawText, render_raw};
use crate::view::{describe, link, words};

/// A device's clock that differs by more than this is said to be off.
const SKEW_SHOWN: TimeDelta = TimeDelta::seconds(60);

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage {
    frame: Frame,
    sentence: String,
    event_time: (String, String),
    received: Option<(String, String)>,
    skew: Option<String>,
    skewed: bool,
    rows: Vec<Row>,
    native: Vec<(String, String)>,
    raw: Option<RawText>,
    facts: Vec<(&'static str, String)>,
    around: Vec<(String, String)>,
    near: Near,
    findings: Vec<Related>,
}

struct Row {
    label: &'static str,
    name: &'static str,
    value: String,
    keep: Option<String>,
}

/// What happened just before and after, by what the event names.
struct Near {
    before: Vec<Line>,
    this: Line,
    after: Vec<Line>,
    before_more: bool,
    after_more: bool,
    /// All of it, as a search.
    href: String,
}

struct Related {
    href: String,
    severity: &'static str,
    class: &'static str,
    title: String,
    status: &'static str,
}

/// What somebody did with this product, in the place of an event.
#[derive(Template)]
#[template(path = "act.html")]
struct ActPage {
    frame: Frame,
    act: ActTold,
    findings: Vec<Related>,
}

/// What stands under a number.
pub(crate) enum Found {
    Event(Box<Event>, Option<Record>),
    Act(ActTold),
}

/// An act of the trail in words. Secrets and whole files that some acts hold are not in it.
#[derive(Clone, Debug)]
pub(crate) struct ActTold {
    pub(crate) id: EventId,
    pub(crate) at: DateTime<Utc>,
    pub(crate) stamp: String,
    pub(crate) by: String,
    pub(crate) kind: &'static str,
    pub(crate) what: String,
}

pub(crate) async fn show(visit: Visit, Path(id): Path<String>) -> Answer {
    visit
        .run(move |visit| match read(visit, &id)? {
            Found::Event(event, record) => html(&answer(visit, &event, record)?),
            Found::Act(act) => html(&act_page(visit, act)?),
        })
        .await
}

fn missing() -> Problem {
    Problem::not_found(
        "この番号のイベントはありません。保存期間を過ぎて消えたか、「保管した記録の検証不一致」で知らせた、読み出せない記録の場合もあります。",
    )
}

/// Reads an event, or the act of that number, and puts that it was read on record.
pub(crate) fn read(visit: &Visit, id: &str) -> Result<Found, Problem> {
    let id: EventId = id.parse().map_err(|_| missing())?;
    let Some(event) = visit.app.services.store.event(id)? else { return Ok(Found::Act(read_act(visit, id)?)) };
    let record = visit.app.services.records.read(id.record).map_err(|error| Problem::internal(&error))?;
    visit.act(Deed::Viewed { what: format!("イベント {id}") })?;
    Ok(Found::Event(Box::new(event), record))
}

fn read_act(visit: &Visit, id: EventId) -> Result<ActTold, Problem> {
    let act = act(visit, id)?.ok_or_else(missing)?;
    if !visit.who.may(Scope::AuditsRead) {
        return Err(Problem::forbidden(Scope::AuditsRead.as_str()));
    }
    visit.act(Deed::Viewed { what: format!("操作 {id}") })?;
    Ok(act)
}

/// The act of that number. Whoever is shown it has to be one who may see the trail.
pub(crate) fn act(visit: &Visit, id: EventId) -> Result<Option<ActTold>, Problem> {
    let row = visit.app.ledger()?.act(id.record)?.filter(|_| id.offset == 0);
    Ok(row.map(|row| {
        let (kind, what) = super::trail::told(&row);
        ActTold { id, at: row.at, stamp: wording::stamp(row.at), by: row.by, kind, what }
    }))
}

fn act_page(visit: &Visit, act: ActTold) -> Result<ActPage, Problem> {
    let findings = related(visit, act.id)?;
    Ok(ActPage { frame: Frame::of(visit, "操作", Page::Trail)?, act, findings })
}

fn answer(visit: &Visit, event: &Event, record: Option<Record>) -> Result<EventPage, Problem> {
    let skew = event.ingested.zip(event.event_time).map(|(received, stated)| received - stated);
    let shown = |time| (wording::stamp(time), wording::iso(time));
    Ok(EventPage {
        frame: Frame::of(visit, "イベント", Page::Search)?,
        sentence: describe::sentence(event),
        event_time: shown(event.time()),
        received: event.ingested.map(shown),
        skew: skew.map(|skew| skew_words(skew, is_live(record.as_ref()))),
        skewed: skew.is_some_and(|skew| skew.abs() > SKEW_SHOWN) && is_live(record.as_ref()),
        rows: rows(event),
        native: event.native.iter().map(|(name, value)| (name.to_owned(), redact_field(name, value).into())).collect(),
        facts: facts(event, record.as_ref()),
        around: around(event),
        near: near(visit, event)?,
        findings: related(visit, event.id)?,
        raw: record.map(|record| render_raw(&record, Some(event))),
    })
}

fn is_live(record: Option<&Record>) -> bool {
    record.is_none_or(|record| record.origin != Origin::Import)
}

fn skew_words(skew: TimeDelta, is_live: bool) -> String {
    let tenths = skew.num_milliseconds().unsigned_abs() / 100;
    let sign = if skew < TimeDelta::zero() { "−" } else { "" };
    let mistake = words::zone_mistake(skew.num_seconds()).filter(|_| is_live).unwrap_or_default();
    format!("{sign}{}.{} 秒{mistake}", wording::count(tenths / 10), tenths % 10)
}

/// Everything but the times and the text, which stand elsewhere on the page.
fn rows(event: &Event) -> Vec<Row> {
    let shown = Field::ALL.iter().filter(|field| ![Field::EventTime, Field::Ingested, Field::Message].contains(field));
    shown.filter_map(|&field| event.get(field).map(|value| row(field, &value.to_text(), event))).collect()
}

fn row(field: Field, text: &str, event: &Event) -> Row {
    let value = match field {
        Field::Duration => wording::length(TimeDelta::nanoseconds(event.duration_ns.unwrap_or(0))),
        Field::TimeSource => event.time_rule.map(time_rule).unwrap_or_default().to_owned(),
        _ if field.kind() == FieldKind::Time => text.parse().map_or_else(|_| text.to_owned(), wording::stamp),
        _ => redact(&words::value(field, text)).into_owned(),
    };
    let searched = !matches!(field.kind(), FieldKind::Time | FieldKind::Number) && text.len() <= 200;
    let day = TimeRange::between(event.time() - TimeDelta::hours(24), event.time() + TimeDelta::hours(24));
    let keep = searched.then(|| link::search(&language::only(field, text), day));
    Row { label: words::field(field), name: field.name(), value, keep }
}

fn time_rule(rule: TimeRule) -> &'static str {
    match rule {
        TimeRule::Epoch => "通し秒（機器の時計）",
        TimeRule::Offset => "時差つきの時刻（機器の時計）",
        TimeRule::Local => "機器に設定した地域の時刻",
        TimeRule::YearAssumed => "年の記載なし（年を補った）",
        TimeRule::Receive => "機器の時刻なし（受信時刻）",
    }
}

fn facts(event: &Event, record: Option<&Record>) -> Vec<(&'static str, String)> {
    let mut facts = vec![("記録番号", event.id.record.to_string())];
    if event.id.offset > 0 {
        facts.push(("記録の中の位置", format!("{} バイト目", wording::count(event.id.offset.into()))));
    }
    if let Some(record) = record {
        let how = match record.origin {
            Origin::Live => "受信",
            Origin::Import => "取込",
            Origin::Demo => "デモ",
        };
        facts.push(("経路", format!("{how}（{}）", record.transport.as_str().to_uppercase())));
        facts.push(("保管した時刻", wording::stamp(record.received_at)));
        facts.extend(record.peer.map(|peer| ("送信元", peer.to_string())));
        facts
            .extend(record.file.as_ref().map(|file| ("ファイル", format!("{} の {} 番目", file.path, file.index + 1))));
        facts.push(("大きさ", format!("{} バイト", wording::count(record.bytes.len() as u64))));
        facts.push(("SHA-256", sha256_hex(&record.bytes)));
    }
    facts.extend(event.parse_rule.clone().map(|rule| ("解析", rule)));
    facts.extend(event.parse_note.clone().map(|note| ("注記", note)));
    facts
}

/// Links to the five minutes before and after, by what the event names.
fn around(event: &Event) -> Vec<(String, String)> {
    let equals = |field: QueryField, value: String| print(&Query::Field(field, Test::Equals(value)));
    let mut links = Vec::new();
    let mut add = |label: String, query: String| links.push((label, link::around(&query, event.time(), 5)));
    if let Some(user) = &event.user_name {
        add(format!("利用者 {user}"), equals(QueryField::AnyUser, user.clone()));
    }
    if let Some(ip) = event.source_ip {
        add(format!("接続元 {ip}"), equals(QueryField::Known(Field::SourceIp), ip.to_string()));
    }
    if let Some(device) = event.device() {
        add(format!("機器 {device}"), equals(QueryField::Device, device.to_owned()));
    }
    if let Some(session) = &event.vpn_session_id {
        add(format!("VPN セッション {session}"), language::only(Field::VpnSessionId, session));
    }
    add("すべての機器".to_owned(), "*".to_owned());
    links
}

fn near(visit: &Visit, event: &Event) -> Result<Near, Problem> {
    let now = visit.app.now();
    let found = around::find(visit.app.services.store.as_ref(), event, around::MINUTES, CONTEXT_SHOWN)?;
    let lines = |events: &[Event]| events.iter().map(|event| Line::of(event, now)).collect();
    Ok(Near {
        before: lines(&found.before),
        this: Line::of(event, now),
        after: lines(&found.after),
        before_more: found.before_more,
        after_more: found.after_more,
        href: link::around(&found.query, event.time(), i64::from(around::MINUTES)),
    })
}

fn related(visit: &Visit, id: EventId) -> Result<Vec<Related>, Problem> {
    let findings = visit.app.ledger()?.findings_of_event(id)?;
    let related = |row: monban_index::ledger::FindingRow| Related {
        href: format!("/findings/{}", row.id),
        severity: row.severity.japanese(),
        class: words::severity_class(row.severity),
        title: format!("{} — {}", row.rule_title, row.subject),
        status: row.status.japanese(),
    };
    Ok(findings.into_iter().map(related).collect())
}
