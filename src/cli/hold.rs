//! `monban hold`: periods that must not be deleted, whatever their age.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use monban_event::TimeRange;

use super::{DataDir, instant};
use crate::control::Request;

#[derive(Debug, Args)]
pub(super) struct HoldArgs {
    #[command(subcommand)]
    action: HoldAction,
}

#[derive(Debug, Subcommand)]
enum HoldAction {
    /// 保全を始めます（この期間に触れるものは、保管期間を過ぎても消しません）
    Add {
        #[command(flatten)]
        data: DataDir,
        /// 保全の名前（例: 2026-11 不正アクセス調査）
        name: String,
        /// 理由。監査証跡に残ります
        #[arg(long)]
        reason: String,
        /// この時刻から（日付なら日本時間の 0 時。省略すると最初から）
        #[arg(long, value_parser = instant)]
        from: Option<DateTime<Utc>>,
        /// この時刻の前まで（省略すると解除するまでの全部）
        #[arg(long, value_parser = instant)]
        to: Option<DateTime<Utc>>,
    },
    /// 保全中の期間を表示します
    List {
        #[command(flatten)]
        data: DataDir,
    },
    /// 保全を解きます（期限を過ぎたものは次の夜に消えます）
    Release {
        #[command(flatten)]
        data: DataDir,
        /// 保全の名前
        name: String,
        /// 理由。監査証跡に残ります
        #[arg(long)]
        reason: String,
    },
}

impl HoldArgs {
    pub(super) fn request(self) -> (DataDir, Request) {
        match self.action {
            HoldAction::Add { data, name, reason, from, to } => {
                (data, Request::HoldAdd { name, reason, period: TimeRange { from, to } })
            }
            HoldAction::List { data } => (data, Request::HoldList {}),
            HoldAction::Release { data, name, reason } => (data, Request::HoldRelease { name, reason }),
        }
    }
}
