//! Why a delivery was not taken, and how that is told.

use std::io;

use axum::http::StatusCode;
use monban_event::SinkRefused;
use monban_index::staging::StagingError;

use crate::limits::{DISK_LEFT_BYTES_MIN, EXPANSION_RATIO_MAX, INGEST_RECORDS_MAX, PART_HEAD_BYTES_MAX, PARTS_MAX};
use crate::problem::Problem;
use crate::services::ImportRefused;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("body is longer than {0} bytes")]
    BodyTooLong(u64),
    #[error("body unpacks to more than {EXPANSION_RATIO_MAX} times its size")]
    Expands,
    #[error("record at line {line} is longer than {limit} bytes")]
    RecordTooLong { line: u64, limit: usize },
    #[error("more than {INGEST_RECORDS_MAX} records")]
    TooManyRecords,
    #[error("more than {PARTS_MAX} files")]
    TooManyParts,
    #[error("line {line} is not JSON: {reason}")]
    NotJson { line: u64, reason: String },
    #[error("line {line} is no bulk action: {reason}")]
    NotAction { line: u64, reason: String },
    #[error("body is not {0}")]
    Undecodable(&'static str),
    #[error("multipart body: {0}")]
    Multipart(&'static str),
    #[error("body is empty")]
    Empty,
    #[error("body ended before its end")]
    BrokenOff,
    #[error("body came too slowly")]
    Slow,
    #[error("content type is none of {0}")]
    MediaType(&'static str),
    #[error("content encoding is neither gzip nor zstd")]
    Coding,
    #[error("file {0} is no event log")]
    NotEventLog(String),
    #[error("too much is arriving at once")]
    Busy,
    #[error("less than {DISK_LEFT_BYTES_MIN} bytes would stay free")]
    DiskFull,
    #[error(transparent)]
    Staging(#[from] StagingError),
    #[error("look up free room: {0}")]
    FreeRoom(io::Error),
    #[error(transparent)]
    Journal(#[from] SinkRefused),
    #[error("import: {0}")]
    Import(String),
    #[error("the receiving thread ended")]
    Thread,
}

/// Our own reasons travel through the readers of packed bodies as the inner error.
impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        Self::other(refused)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or(Self::Undecodable("gzip / zstd"))
    }
}

impl From<ImportRefused> for Refused {
    fn from(refused: ImportRefused) -> Self {
        match refused {
            ImportRefused::Journal(refused) => Self::Journal(refused),
            ImportRefused::Failed(reason) => Self::Import(reason),
        }
    }
}

/// Seconds after which a sender should come again: what waits for the journal is written within one.
const RETRY_SOON_S: u32 = 2;
/// … and where a person has to make room first.
const RETRY_LATER_S: u32 = 60;

const NOTHING_TAKEN: &str = "この要求の内容は 1 件も取り込んでいません。";

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let cause = refused.to_string();
        match refused {
            Refused::BodyTooLong(limit) => too_large(&format!("展開後の本文の上限は {limit} バイトです。")),
            Refused::Expands => too_large(&format!("圧縮率の上限は {EXPANSION_RATIO_MAX} 倍です。")),
            Refused::RecordTooLong { line, limit } => {
                too_large(&format!("{line} 行目の記録が上限の {limit} バイトを超えています。"))
            }
            Refused::TooManyRecords => too_large(&format!("1 回の要求の上限は {INGEST_RECORDS_MAX} 件です。")),
            Refused::TooManyParts => too_large(&format!("1 回の要求の上限は {PARTS_MAX} ファイルです。")),
            Refused::NotJson { line, reason } => {
                bad(&format!("{line} 行目は JSON のオブジェクトではありません（{reason}）。"))
            }
            Refused::NotAction { line, reason } => {
                bad(&format!("{line} 行目は _bulk の命令行ではありません（{reason}）。"))
            }
            Refused::Undecodable(what) => {
                bad(&format!("本文を {what} として展開できません。壊れているか途中で切れています。"))
            }
            Refused::Multipart(reason) => bad(&format!(
                "multipart の形が正しくありません（{reason}）。見出しの上限は {PART_HEAD_BYTES_MAX} バイトです。"
            )),
            Refused::Empty => bad("本文が空です。"),
            Refused::BrokenOff => bad("本文が途中で切れました。"),
            Refused::Slow => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "too-slow",
                "時間内に届きませんでした",
                format!("本文が時間内に届きませんでした。{NOTHING_TAKEN}"),
            ),
            Refused::MediaType(known) => unsupported(&format!("Content-Type は {known} を付けてください。")),
            Refused::Coding => unsupported("Content-Encoding は gzip か zstd にしてください。"),
            Refused::NotEventLog(name) => unsupported(&format!("「{name}」はイベントログ（EVTX）ではありません。")),
            Refused::Busy => later(RETRY_SOON_S, "同時に届いた量が多すぎます。", None),
            Refused::DiskFull => later(RETRY_LATER_S, "保管先のディスクの空きが足りません。", Some(cause)),
            Refused::Journal(SinkRefused::QueueFull) => later(RETRY_SOON_S, "書き込み待ちが上限に達しています。", None),
            Refused::Journal(SinkRefused::Waiting(_)) => later(
                RETRY_LATER_S,
                "保管先のディスクがいっぱいか、書き込めない状態です。空きができれば自動で受け取りを再開します。",
                None,
            ),
            Refused::Journal(SinkRefused::CannotWrite(_) | SinkRefused::Closed) => {
                later(RETRY_LATER_S, "いまは保管できません。健全性の画面を確かめてください。", Some(cause))
            }
            Refused::Staging(_) | Refused::FreeRoom(_) => {
                later(RETRY_LATER_S, "届いたファイルを書き込めません。ディスクを確かめてください。", Some(cause))
            }
            Refused::Import(_) | Refused::Thread => later(RETRY_LATER_S, "取込の途中で問題が起きました。", Some(cause)),
        }
    }
}

fn too_large(detail: &str) -> Problem {
    let detail = format!("{detail}{NOTHING_TAKEN}");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "大きすぎます", detail)
}

fn bad(detail: &str) -> Problem {
    Problem::bad_request(format!("{detail}{NOTHING_TAKEN}"))
}

fn unsupported(detail: &str) -> Problem {
    let detail = format!("{detail}{NOTHING_TAKEN}");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "この形式は受け取れません", detail)
}

fn later(seconds: u32, detail: &str, cause: Option<String>) -> Problem {
    let detail = format!("{detail}少し待ってから同じ内容を送り直してください。");
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-recorded", "いまは受け取れません", detail);
    Problem { retry_after_s: Some(seconds), cause, ..problem }
}
