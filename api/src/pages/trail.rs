//! 監査証跡: who used this product, when, from where, for what.

use askama::Template;
use monban_audit::wording;
use monban_event::TimeRange;
use monban_event::act::Deed;
use monban_index::ledger::TrailRow;

use super::frame::{Frame, Page};
use super::html;
use crate::app::{Answer, Visit};
use crate::limits::TRAIL_SHOWN;
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "trail.html")]
struct TrailPage {
    frame: Frame,
    lines: Vec<Line>,
    limit: usize,
}

struct Line {
    number: u64,
    stamp: String,
    iso: String,
    by: String,
    kind: &'static str,
    what: String,
}

pub(crate) async fn show(visit: Visit) -> Answer {
    visit.run(|visit| html(&answer(visit)?)).await
}

fn answer(visit: &Visit) -> Result<TrailPage, Problem> {
    let rows = visit.app.ledger()?.trail(TimeRange::default(), TRAIL_SHOWN)?;
    visit.act(Deed::Viewed { what: "監査証跡".to_owned() })?;
    let lines = rows.iter().map(line).collect();
    Ok(TrailPage { frame: Frame::of(visit, "監査証跡", Page::Trail)?, lines, limit: TRAIL_SHOWN })
}

/// What was done: its kind, and the rest.
pub(crate) fn told(row: &TrailRow) -> (&'static str, String) {
    match serde_json::from_str(&row.deed) {
        Ok(deed) => words(&deed),
        Err(_) => ("不明", "この版の門番が知らない記録です。".to_owned()),
    }
}

fn line(row: &TrailRow) -> Line {
    let (kind, what) = told(row);
    Line {
        number: row.record.0,
        stamp: wording::stamp(row.at),
        iso: wording::iso(row.at),
        by: row.by.clone(),
        kind,
        what,
    }
}

fn words(deed: &Deed) -> (&'static str, String) {
    match deed {
        Deed::Epoch { program_version, rules, .. } => ("起動", format!("版 {program_version}　ルール {rules}")),
        Deed::Context { name, sha256, .. } => {
            let start: String = sha256.chars().take(12).collect();
            ("設定", format!("{} を読み込み（SHA-256 {start}…）", context(*name)))
        }
        Deed::ImportGrew { import, bytes, .. } => ("取込続き", format!("{import}（{}）", wording::bytes(*bytes))),
        Deed::ImportOpened { path, bytes, .. } => ("取込開始", format!("{path}（{}）", wording::bytes(*bytes))),
        Deed::ImportClosed { import, damaged } => {
            ("取込終了", format!("取込 {import}　読めなかった箇所 {} 件", damaged.len()))
        }
        Deed::Review { finding, status, reason, note } => {
            ("確認", format!("検知 {finding} を{}に　{reason}　{note}", status.japanese()))
        }
        Deed::ExceptionGranted { id, scope, reason, owner, until, .. } => {
            let (scope, until) = (monban_audit::scope_text(scope), wording::minute_stamp(*until));
            ("例外の登録", format!("{id}　{scope}　期限 {until}　責任者 {owner}　{reason}"))
        }
        Deed::ExceptionEnded { id, reason } => ("例外の取り消し", format!("{id}　{reason}")),
        Deed::DisasterDeclared { id, reason, from, until } => {
            let period = span(monban_event::TimeRange { from: Some(*from), to: *until });
            ("災害モードの宣言", format!("{id}　{period}　{reason}"))
        }
        Deed::DisasterEnded { id, until, reason } => {
            ("災害モードの終了", format!("{id}　{}　{reason}", wording::minute_stamp(*until)))
        }
        Deed::BackedUp { to, last, bytes } => {
            ("バックアップ", format!("{to}（番号 {last} まで、{}）", wording::bytes(*bytes)))
        }
        Deed::Restored { from, taken_at, last } => {
            ("復元", format!("{from}（{} の控え、番号 {last} まで）", monban_event::time::jst_text(*taken_at)))
        }
        Deed::SourceNamed { source, name } => ("機器の登録", format!("{source} を「{name}」に")),
        Deed::TokenCreated { name, scopes, .. } => ("トークン作成", format!("{name}（{}）", scopes.join("、"))),
        Deed::TokenRevoked { id } => ("トークン失効", id.clone()),
        Deed::UserCreated { name, role, .. } => {
            let role = crate::auth::role::Role::parse(role).map_or("不明", crate::auth::role::Role::japanese);
            ("利用者の作成", format!("{name}（{role}）"))
        }
        Deed::LoggedIn { peer } => ("ログイン", format!("{peer} から")),
        Deed::LoginRefused { account, peer } => ("ログイン拒否", format!("{account}　{peer} から")),
        Deed::LoggedOut {} => ("ログアウト", String::new()),
        Deed::Searched { query, hits, .. } => {
            let query = if query.trim().is_empty() { "（条件なし）" } else { query };
            ("検索", format!("{query}　{} 件", wording::count(*hits)))
        }
        Deed::Viewed { what } => ("閲覧", what.clone()),
        Deed::Exported { what, form, events } => {
            let events = events.map(|events| format!("、{} 件", wording::count(events))).unwrap_or_default();
            ("出力", format!("{what}（{form}{events}）"))
        }
        Deed::Verified { segments, damage, more, .. } => ("記録の検査", verified(*segments, damage, *more)),
        Deed::Lost { receiver, reason, count } => {
            ("受信の損失", format!("{receiver}　{reason}　{} 件", wording::count(*count)))
        }
        Deed::Removed { what, parts, count, period } => {
            let (count, parts) = (wording::count(*count), wording::count(parts.len() as u64));
            ("期限切れの削除", format!("{}　{}　{count} 件（{parts} 個）", kept(*what), span(*period)))
        }
        Deed::HoldAdded { name, reason, period } => ("保全の開始", format!("{name}　{}　{reason}", span(*period))),
        Deed::HoldReleased { name, reason } => ("保全の解除", format!("{name}　{reason}")),
        Deed::Redetected { days, cause, findings, withdrawn, .. } => {
            let (made, taken) = (findings.len(), withdrawn.len());
            ("過ぎた日の再判定", format!("{} 〜 {}　{cause}　検知 追加・変更 {made}、取下げ {taken}", days.0, days.1))
        }
        Deed::Reindexed { records, findings_added, findings_gone } => {
            let records = wording::count(*records);
            ("索引の作り直し", format!("{records} 件から　検知 +{findings_added} −{findings_gone}"))
        }
    }
}

fn verified(segments: u64, damage: &[monban_event::act::Damage], more: u64) -> String {
    let segments = wording::count(segments);
    let Some(first) = damage.first() else { return format!("区画 {segments} 個　合格") };
    let others = damage.len() as u64 - 1 + more;
    let others = if others > 0 { format!("、ほか {} か所", wording::count(others)) } else { String::new() };
    format!("区画 {segments} 個　NG　{}{others}", place(first))
}

/// A damaged place, as `monban verify` tells it.
pub(crate) fn place(damage: &monban_event::act::Damage) -> String {
    let (first, last) = (damage.first, damage.last);
    let numbers =
        if first == last { format!("番号 {first}") } else { format!("番号 {first}〜{last} のどこか") };
    format!("{numbers}: {}", damage.what)
}

fn kept(what: monban_event::act::Kept) -> &'static str {
    use monban_event::act::Kept::{Acts, Index, Records};
    match what {
        Index => "検索用の索引",
        Records => "原ログ",
        Acts => "操作の記録",
    }
}

fn span(period: monban_event::TimeRange) -> String {
    let end = |time: Option<chrono::DateTime<chrono::Utc>>| time.map(wording::minute_stamp).unwrap_or_default();
    format!("{}〜{}", end(period.from), end(period.to))
}

fn context(name: monban_event::act::ContextName) -> &'static str {
    use monban_event::act::ContextName::{Allow, Calendar, Config, Duty, Roster, Tickets, Vendors};
    match name {
        Roster => "名簿",
        Allow => "許可した接続元",
        Vendors => "保守事業者",
        Calendar => "病院カレンダー",
        Tickets => "保守作業申請",
        Duty => "当直表",
        Config => "設定ファイル",
    }
}
