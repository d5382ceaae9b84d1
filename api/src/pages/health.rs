//! 健全性: whether the program keeps up, with what each line means and what to do about it.

use askama::Template;
use monban_audit::wording;

use super::frame::{Frame, Page};
use super::html;
use crate::app::{Answer, Visit};
use crate::problem::Problem;

/// Behind by more than this, searches do not show what just happened.
const LAG_SHOWN_MS: u64 = 10_000;

#[derive(Template)]
#[template(path = "health.html")]
struct HealthPage {
    frame: Frame,
    lines: Vec<Line>,
    losses: Vec<(String, String, String)>,
}

struct Line {
    state: &'static str,
    class: &'static str,
    name: &'static str,
    value: String,
    meaning: &'static str,
}

pub(crate) async fn show(visit: Visit) -> Answer {
    visit.run(|visit| html(&answer(visit)?)).await
}

fn answer(visit: &Visit) -> Result<HealthPage, Problem> {
    let health = (visit.app.services.health)();
    let losses = visit.app.ledger()?.losses()?;
    let is_late = health.lag_ms > LAG_SHOWN_MS;
    let rules = visit.app.services.rules.count();
    let lines = vec![
        line(
            true,
            "保管済みの記録番号",
            health.journal_durable.to_string(),
            "ここまでの記録はディスクに書き終えています。",
        ),
        line(
            health.stopped.is_none(),
            "解析と検知",
            health.stopped.map_or_else(|| "動いています".to_owned(), |reason| format!("止まりました（{reason}）")),
            "止まっている間も受信した記録は保管されます。ディスクの空きを確かめ、monban を起動し直してください。続きから再開します。",
        ),
        line(
            !is_late,
            "検索に反映済みの番号",
            format!("{}（遅れ {}.{} 秒）", health.pipeline_position, health.lag_ms / 1000, health.lag_ms % 1000 / 100),
            "遅れが続くときは、大きな取込の途中か、ディスクが遅い場合です。取込が終わるのを待ってください。",
        ),
        line(true, "受信", format!("{:.1} 件/秒", health.records_per_second), "直近の受信の速さです。"),
        line(
            health.dropped == 0,
            "受け取れなかった記録",
            format!("{} 件", wording::count(health.dropped)),
            "0 でないときは、送信元の量が多すぎるか、ディスクがいっぱいです。下の表で受信口を確かめてください。",
        ),
        line(
            rules > 0,
            "検知ルール",
            format!("{} 本", wording::count(rules as u64)),
            "読み込まれているルールの数です。",
        ),
        line(
            health.unreadable.is_empty(),
            "監視フォルダ",
            if health.unreadable.is_empty() { "読めています".to_owned() } else { health.unreadable.join("、") },
            "読めないファイルや見えない共有フォルダがあるとここに出ます。見えるようになれば自動で続きを取り込みます。",
        ),
        line(true, "版", health.version, "問い合わせの際にお知らせください。"),
    ];
    let losses =
        losses.into_iter().map(|(receiver, reason, count)| (receiver, reason, wording::count(count))).collect();
    Ok(HealthPage { frame: Frame::of(visit, "健全性", Page::Health)?, lines, losses })
}

fn line(is_fine: bool, name: &'static str, value: String, meaning: &'static str) -> Line {
    let (state, class) = if is_fine { ("● 正常", "good") } else { ("▲ 要確認", "wait") };
    Line { state, class, name, value, meaning }
}
