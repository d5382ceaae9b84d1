//! `monban verify`: whether the journal is what was written. It reads the journal's files alone, so it also checks a
//! copied folder, read-only media, another machine, and a directory that a server has open.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use monban_event::time::{JST, jst_text};
use monban_index::journal::verify::{Fault, FaultKind, Signed, Verification, Wanted, verify};
use monban_index::journal::{Begun, Receipt};

use super::instant;
use crate::config::DEFAULT_DATA_DIR;
use crate::verbs::{EXIT_NOTHING, EXIT_OK};

/// Longer than any receipt, in bytes; a file of this length is something else.
const RECEIPT_BYTES_MAX: u64 = 64 << 10;

#[derive(Debug, clap::Args)]
#[command(after_help = "終了コード: 0 合格 / 1 改ざん・欠落あり / 2 検査できない")]
pub(crate) struct VerifyArgs {
    /// データフォルダ、その写し、または journal フォルダ（省略すると --data-dir）
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// データフォルダ
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR)]
    data_dir: PathBuf,
    /// この時刻からの記録だけを検査する
    #[arg(long, value_parser = instant)]
    from: Option<DateTime<Utc>>,
    /// この時刻の前までの記録だけを検査する
    #[arg(long, value_parser = instant)]
    to: Option<DateTime<Utc>>,
    /// 以前に控えた受領票（JSON）と照らし合わせる
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// 導入時に控えた最初の公開鍵（16進）
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    /// 合格したとき、いまの受領票をこのファイルに書く（この機械の外に保管してください）
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// 結果を JSON で出力する
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let journal = journal_in(args.path.as_deref().unwrap_or(&args.data_dir))?;
    let against = args.against.as_deref().map(read_receipt).transpose()?;
    let first_key = args.key.clone();
    let wanted = Wanted { from: args.from, to: args.to, against, first_key, retired: None };
    let told = verify(&journal, &wanted).context("記録を検査できません")?;
    let lines = if args.json { vec![serde_json::to_string(&told)?] } else { report(&told) };
    super::print(&lines)?;
    let is_right = told.is_right();
    if let (true, Some(path), Some(receipt)) = (is_right, &args.receipt, &told.receipt) {
        write_receipt(path, receipt)?;
    }
    Ok(ExitCode::from(if is_right { EXIT_OK } else { EXIT_NOTHING }))
}

/// The journal's folder, whichever of the two was named.
pub(crate) fn journal_in(path: &Path) -> anyhow::Result<PathBuf> {
    for folder in [path.join("journal"), path.to_owned()] {
        if folder.join("records").is_dir() {
            return Ok(folder);
        }
    }
    bail!("{} に保管された記録がありません。データフォルダか journal フォルダを指定してください", path.display())
}

fn read_receipt(path: &Path) -> anyhow::Result<Receipt> {
    let shown = path.display();
    let length = fs::metadata(path).with_context(|| format!("受領票 {shown} を読めません"))?.len();
    if length > RECEIPT_BYTES_MAX {
        bail!("{shown} は受領票ではありません。monban verify --receipt が書いたファイルを指定してください");
    }
    let text = fs::read_to_string(path).with_context(|| format!("受領票 {shown} を読めません"))?;
    serde_json::from_str(&text).with_context(|| format!("{shown} は受領票の形式ではありません"))
}

fn write_receipt(path: &Path, receipt: &Receipt) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(receipt)?;
    text.push('\n');
    fs::write(path, text).with_context(|| format!("受領票 {} を書けません", path.display()))?;
    eprintln!("受領票を {} に書きました。印刷するか、この機械の外に保管してください。", path.display());
    Ok(())
}

fn day(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "－".to_owned(), |at| at.with_timezone(&JST).format("%Y-%m-%d").to_string())
}

/// The result as a person reads it.
fn report(told: &Verification) -> Vec<String> {
    let mut lines = vec![
        format!("検査  {} 〜 {}  区画 {}", day(told.begins), day(told.ends), told.segments),
        format!(
            "      受信 {} 件  取込 {} 件  操作 {} 件  番号 {}〜{}",
            told.received, told.imported, told.acts, told.first, told.last
        ),
    ];
    lines.extend(told.signed.map(|Signed { last, at }| {
        let later = told.last.saturating_sub(last);
        let open = if later > 0 {
            format!("、その後の {later} 件は次の署名（10分ごと）を待っています")
        } else {
            String::new()
        };
        format!("署名  {} 回  最後 {}（番号 {last} まで{open}）", told.checkpoints, jst_text(at))
    }));
    for chain in &told.chains {
        let why = match chain.begun {
            Begun::Fresh => "最初の公開鍵",
            Begun::WithoutKeys => "鍵のない写し・復元からの再開。公開鍵",
        };
        lines.push(format!("      {} {why} {}", jst_text(chain.at), chain.public_key));
    }
    if told.unfinished_bytes > 0 {
        lines
            .push(format!("注記  末尾に書きかけの {} バイトがあります（受領していない分です）", told.unfinished_bytes));
    }
    match (&told.receipt, told.faults.is_empty()) {
        (Some(receipt), true) => {
            lines.push("結果  合格".to_owned());
            lines.push(format!("      検証値 {}（番号 {}）", receipt.value, receipt.last));
        }
        (None, true) => lines.push("結果  合格（末尾の検証値は求められません）".to_owned()),
        _ => lines.extend(faults(told)),
    }
    lines
}

fn faults(told: &Verification) -> Vec<String> {
    let count = told.faults.len() as u64 + told.more_faults;
    let mut lines = vec![format!("結果  NG {count} か所")];
    lines.extend(told.faults.iter().map(|fault| format!("  {}", sentence(fault))));
    if told.more_faults > 0 {
        lines.push(format!("  ほか {} か所", told.more_faults));
    }
    lines.push(
        "次にすること  データフォルダをこのまま複写して保全し、控えの検証値・バックアップと照らし合わせてください。"
            .to_owned(),
    );
    lines
}

/// One fault: where, what, and up to when everything is right.
fn sentence(fault: &Fault) -> String {
    let numbers = if fault.first == fault.last {
        format!("番号 {}", fault.first)
    } else {
        format!("番号 {}〜{} のどこか", fault.first, fault.last)
    };
    let file = fault.segment.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    let file = file.map(|name| format!("（{name}）")).unwrap_or_default();
    let until = fault.right_until.map(|at| format!("  直前まで正常（{}）", jst_text(at))).unwrap_or_default();
    format!("{numbers}{file}: {}{until}", what(&fault.kind))
}

/// What is wrong, in words.
pub(crate) fn what(kind: &FaultKind) -> String {
    match kind {
        FaultKind::Segment(reason) => format!("区画を読めません（{reason}）"),
        FaultKind::Header(reason) => format!("区画の見出しが違います（{reason}）"),
        FaultKind::Follows => "区画が直前の区画の続きではありません".to_owned(),
        FaultKind::Part(part) => format!("封緘した区画の一部（{part}）が壊れています。記録は読めます"),
        FaultKind::Frame => "書かれたときの内容と違います".to_owned(),
        FaultKind::Order => "番号の順が違います（挿入または入替え）".to_owned(),
        FaultKind::Missing => "記録がありません（削除または欠落）".to_owned(),
        FaultKind::Entry => "記録の形をしていません".to_owned(),
        FaultKind::Link => "鎖が切れています（内容が書き換えられました）".to_owned(),
        FaultKind::Checkpoint(at) => format!("{} の署名が保証する内容と違います", jst_text(*at)),
        FaultKind::Signature(at) => format!("{} の署名が正しくありません", jst_text(*at)),
        FaultKind::Sequence(at) => format!("{} の署名が前の署名の続きではありません", jst_text(*at)),
        FaultKind::FirstKey => "最初の公開鍵が控えと違います".to_owned(),
        FaultKind::Published => "書き終えた位置の控え（durable）と違います".to_owned(),
        FaultKind::Receipt => "受領票と違います（別の記録か、受領票より後で失われました）".to_owned(),
    }
}
