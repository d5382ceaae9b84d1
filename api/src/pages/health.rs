//! 健全性: whether the program keeps up, with what each line means and what to do about it.

use askama::Template;
use chrono::TimeDelta;
use monban_audit::wording;

use super::frame::{Frame, Page};
use super::html;
use crate::app::{Answer, Visit};
use crate::problem::Problem;
use crate::services::{CheckHealth, DiskHealth, ListenerHealth, RetentionHealth};

/// Behind by more than this, searches do not show what just happened.
const LAG_SHOWN_MS: u64 = 10_000;

/// Three checkpoints have been missed when the last one is older.
const SIGNED_WITHIN: TimeDelta = TimeDelta::minutes(30);

#[derive(Template)]
#[template(path = "health.html")]
struct HealthPage {
    frame: Frame,
    lines: Vec<Line>,
    listeners: Vec<Listener>,
    losses: Vec<(String, String, String)>,
}

/// One receiver, in words.
struct Listener {
    name: String,
    address: String,
    received: String,
    stored: String,
    lost: String,
    is_lossy: bool,
    facts: Vec<String>,
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
    let listeners = health.listeners.iter().map(listener).collect();
    let lines = vec![
        line(
            true,
            "保管済みの記録番号",
            health.journal_durable.to_string(),
            "ここまでの記録はディスクに書き終えています。",
        ),
        line(
            health.waiting.is_none(),
            "記録の保管",
            health
                .waiting
                .map_or_else(|| "書き込めています".to_owned(), |reason| format!("書き込めません（{reason}）")),
            "書き込めない間、TCP と HTTP の送信元には待ってもらい、UDP の記録は失われます（件数は下の表）。データフォルダのあるディスクの空きを増やすか、書き込める状態に戻してください。起動し直さなくても自動で再開します。",
        ),
        line(
            health.stopped.is_none(),
            "解析と検知",
            health.stopped.map_or_else(|| "動いています".to_owned(), |reason| format!("待っています（{reason}）")),
            "待っている間に保管された記録は、まだ検索にも検知にも出ません。ディスクの空きを確かめてください。書けるようになれば自動で続きから再開します。",
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
        proof_line(visit),
        check_line(&health.check),
        disk(&health.disk),
        line(
            true,
            "保管期間",
            kept(&health.retention),
            "[retention] で変えられます。期限を過ぎたものは毎晩消し、監査証跡に残します。",
        ),
        line(
            true,
            "保全",
            held(&health.retention),
            "monban hold で始めたり解いたりします。この期間に触れるものは、期限を過ぎても消しません。",
        ),
        line(true, "版", health.version, "問い合わせの際にお知らせください。"),
    ];
    let losses =
        losses.into_iter().map(|(receiver, why, count)| (receiver, reason(&why), wording::count(count))).collect();
    Ok(HealthPage { frame: Frame::of(visit, "健全性", Page::Health)?, lines, listeners, losses })
}

/// What the records are proven by, to be written down now and then.
fn proof_line(visit: &Visit) -> Line {
    let (now, proofs) = (visit.app.now(), &visit.app.services.proofs);
    let (receipt, checkpoint) = (proofs.receipt(), proofs.checkpoint());
    let is_signed = checkpoint.as_ref().is_some_and(|checkpoint| now - checkpoint.at <= SIGNED_WITHIN);
    let signed = checkpoint.map_or_else(
        || "署名はまだありません".to_owned(),
        |checkpoint| format!("最後の署名 {}", monban_event::time::jst_text(checkpoint.at)),
    );
    line(
        is_signed,
        "改ざん検知の鎖",
        format!("検証値 {}（番号 {} まで）、{signed}", receipt.value, receipt.last),
        "10分ごとに署名します。検証値を紙やメールに控えておくと、後から monban verify で書き換えがないことを確かめられます。署名が止まっているときはディスクの空きを確かめてください。",
    )
}

/// What the check of the night found.
fn check_line(check: &CheckHealth) -> Line {
    let last = check.at.map_or_else(
        || "まだありません（起動の 5 分後から、毎晩）".to_owned(),
        |at| format!("最後 {}（区画 {} 個）", wording::minute_stamp(at), wording::count(check.segments)),
    );
    let damage = check.damage.first().zip(check.damaged_at);
    let found = damage.map_or_else(
        || "食い違いはありません".to_owned(),
        |(damage, at)| format!("{} に食い違い（{}）", wording::minute_stamp(at), super::trail::place(damage)),
    );
    line(
        damage.is_none(),
        "記録の検査",
        format!("{last}、{found}"),
        "毎晩、新しい記録のすべてと古い記録の一部を、書かれたときのままか検査します。食い違いがあれば何も消さず、安全管理責任者に報告し、データフォルダを複写して、その写しで monban verify を実行してください。",
    )
}

fn disk(disk: &DiskHealth) -> Line {
    let (free, total) = (wording::bytes(disk.free_bytes), wording::bytes(disk.total_bytes));
    let growth = match (disk.bytes_per_day, disk.days_left) {
        (None, _) => "増え方は明日から分かります".to_owned(),
        (Some(_), None) => "増えていません".to_owned(),
        (Some(per_day), Some(days)) => {
            let per_day = wording::bytes(u64::try_from(per_day).unwrap_or(0));
            format!("1日 {per_day} 増、あと約 {} 日", wording::count(days))
        }
    };
    line(
        !disk.needs_room,
        "ディスク",
        format!("空き {free} / {total}（使用 {} %）、{growth}", disk.percent_full),
        "90 % を超えるか、あと 30 日を切ると要確認になります。保管期間内のものを空きのために消すことはありません。ディスクを増やすか、[retention] の月数を見直してください。",
    )
}

fn kept(retention: &RetentionHealth) -> String {
    let RetentionHealth { searchable_months, records_months, reports_months, .. } = retention;
    format!("検索 {searchable_months} か月、原ログ {records_months} か月、報告書の根拠 {reports_months} か月")
}

fn held(retention: &RetentionHealth) -> String {
    if retention.holds.is_empty() {
        return "ありません".to_owned();
    }
    let end = |time: Option<chrono::DateTime<chrono::Utc>>| time.map(wording::minute_stamp).unwrap_or_default();
    let shown = retention
        .holds
        .iter()
        .map(|hold| format!("{}（{}〜{}、{}）", hold.name, end(hold.period.from), end(hold.period.to), hold.reason));
    shown.collect::<Vec<_>>().join("、")
}

fn listener(listener: &ListenerHealth) -> Listener {
    let losses = [
        ("OS の受信バッファがあふれた", listener.kernel_dropped),
        ("保管が追いつかなかった", listener.ring_dropped),
        ("ディスクに書けなかった", listener.refused),
        ("1秒の上限を超えた", listener.rate_limited),
    ];
    let lost: u64 = losses.iter().map(|(_, count)| count).sum();
    let counted = |(what, count): (&str, u64)| (count > 0).then(|| format!("{what} {} 件", wording::count(count)));
    let lost_by: Vec<String> = losses.into_iter().filter_map(counted).collect();
    let mut facts: Vec<String> = [
        ("接続中", listener.connections_open),
        ("末尾が欠けた記録", listener.cut),
        ("中身のない電文", listener.empty),
        ("無通信で閉じた接続", listener.connections_idle),
        ("席を譲らせた接続", listener.connections_displaced),
    ]
    .into_iter()
    .filter_map(counted)
    .collect();
    let turned_away = listener.connections_refused.iter();
    facts
        .extend(turned_away.map(|(why, count)| format!("断った接続 {} 件（{}）", wording::count(*count), reason(why))));
    facts.extend(listener.granted_buffer.map(|bytes| format!("受信バッファ {} KiB", bytes / 1024)));
    facts.extend(listener.certificate_sha256.as_ref().map(|print| format!("証明書の指紋 SHA-256 {print}")));
    Listener {
        name: listener.transport.to_uppercase(),
        address: listener.address.clone(),
        received: wording::count(listener.received),
        stored: wording::count(listener.stored),
        lost: if lost_by.is_empty() { "0".to_owned() } else { lost_by.join("、") },
        is_lossy: lost > 0,
        facts,
    }
}

/// A receiver's reason as the hospital reads it. What is not known here is shown as it is.
fn reason(reason: &str) -> String {
    let (what, whose) = reason.split_once(": ").unwrap_or((reason, ""));
    let known = match what {
        "journal refused" => "ディスクに書けなかった",
        "receive ring full" => "保管が追いつかなかった",
        "kernel buffer full" => "OS の受信バッファがあふれた",
        "more lines a second than allowed" => "1秒の上限を超えた",
        "too many are open" => "接続が多すぎる",
        "client showed no certificate" => "証明書を示さない",
        "client certificate is of another CA" => "証明書の認証局が違う",
        "client certificate is not valid today" => "証明書の期間外",
        "client certificate is not good" => "証明書が正しくない",
        "client does not accept our certificate" => "相手がこちらの証明書を信用しない",
        "client does not speak TLS" => "TLS でない通信",
        "client broke off the TLS handshake" | "client went away in the TLS handshake" => "TLS の途中で切れた",
        "no TLS version or cipher in common" => "TLS の方式が合わない",
        "TLS handshake failed" => "TLS を始められない",
        "TLS handshake took too long" => "TLS の時間切れ",
        _ => return reason.to_owned(),
    };
    match whose {
        "" => known.to_owned(),
        "other sources" => format!("{known}（ほかの送信元）"),
        source => format!("{known}（{source}）"),
    }
}

fn line(is_fine: bool, name: &'static str, value: String, meaning: &'static str) -> Line {
    let (state, class) = if is_fine { ("● 正常", "good") } else { ("▲ 要確認", "wait") };
    Line { state, class, name, value, meaning }
}
