//! `monban reindex`: index and tables made anew from the journal, and what that changed.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use monban_event::act::Deed;
use monban_event::{ActSink, SystemClock};

use crate::node::{Node, Opening};
use crate::rebuild::{self, Rebuilt};
use crate::serve::load_config;

/// Differences told of each kind; a new version of a rule may change thousands.
const SHOWN_MAX: usize = 50;

#[derive(Debug, clap::Args)]
pub(super) struct ReindexArgs {
    /// 設定ファイル（省略すると最後に serve したときのもの）
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// データフォルダ（設定ファイルより優先）
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(super) fn run(args: &ReindexArgs) -> anyhow::Result<ExitCode> {
    let (mut config, text) = load_config(args.config.as_deref())?;
    if let Some(dir) = &args.data_dir {
        config.data_dir.clone_from(dir);
    }
    let named = args.config.is_some().then_some((&config, text.as_str()));
    let opening =
        Opening { dir: &config.data_dir, create: false, config: named, clock: Arc::new(SystemClock), stays: false };
    eprintln!("原ログから索引と表を作り直しています。できあがるまで今のものはそのままです。");
    let (rebuilt, lock) = rebuild::rebuild(&opening, &mut |percent| eprintln!("  {percent} %")).context("reindex")?;
    drop(lock);
    let node = Node::open(&opening).context("reindex")?;
    let (before, after) = (&rebuilt.before, &rebuilt.after);
    let deed = Deed::Reindexed {
        records: rebuilt.records.0,
        findings_added: after.findings_beyond(before),
        findings_gone: before.findings_beyond(after),
    };
    node.record("console", deed).context("監査証跡に記録できません")?;
    node.close();
    say(&report(&rebuilt));
    Ok(ExitCode::SUCCESS)
}

fn report(rebuilt: &Rebuilt) -> String {
    let Rebuilt { records, before, after } = rebuilt;
    let (old, new) = (&before.totals, &after.totals);
    let mut lines = vec![format!("作り直しました: 原ログと操作の記録 {records} 件から")];
    for (name, old, new) in [
        ("検索できるイベント", before.searchable, after.searchable),
        ("機器ごとの件数の合計", old.events, new.events),
        ("アカウント", old.accounts, new.accounts),
        ("セッション", old.sessions, new.sessions),
        ("検知", old.findings, new.findings),
    ] {
        let mark = if old == new { "同じ" } else { "変わりました" };
        lines.push(format!("  {name}  {old} → {new}  {mark}"));
    }
    lines.extend(list("増えた・変わった検知", &after.beyond(before)));
    lines.extend(list("前にだけあった・変わる前の検知", &before.beyond(after)));
    lines.join("\n")
}

fn list(title: &str, items: &[String]) -> Vec<String> {
    if items.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("{title}: {} 件", items.len())];
    lines.extend(items.iter().take(SHOWN_MAX).map(|item| format!("  {item}")));
    if items.len() > SHOWN_MAX {
        lines.push(format!("  ほか {} 件", items.len() - SHOWN_MAX));
    }
    lines
}

#[expect(clippy::print_stdout, reason = "the difference is what was asked for")]
fn say(text: &str) {
    println!("{text}");
}
