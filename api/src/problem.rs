//! What is said when something cannot be answered. Two texts: Japanese for the asker, with what to do next and a
//! request id; and for our own log the cause, never a query's values or a record's text. RFC 9457 on the API, a page
//! for people.

use std::error::Error;

use askama::Template;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use monban_audit::AuditError;
use monban_event::SinkRefused;
use monban_event::store::StoreError;
use monban_index::journal::JournalError;
use monban_index::ledger::LedgerError;
use serde::Serialize;
use serde_json::json;

use crate::language::QueryComplaint;

#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// The end of the problem's `type` address.
    pub(crate) kind: &'static str,
    pub(crate) title: &'static str,
    pub(crate) detail: String,
    pub(crate) errors: Vec<QueryComplaint>,
    /// Seconds after which to try again, where that helps.
    pub(crate) retry_after_s: Option<u32>,
    /// For our log.
    pub(crate) cause: Option<String>,
}

const TYPE_BASE: &str = "https://docs.example/problems/";

impl Problem {
    pub(crate) fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, title, detail: detail.into(), errors: Vec::new(), retry_after_s: None, cause: None }
    }

    pub(crate) fn login_needed() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "login-needed",
            "ログインが必要です",
            "ログインするか、有効なトークンを付けてください。",
        )
    }

    pub(crate) fn forbidden(needed: &str) -> Self {
        let detail = format!("この操作には権限「{needed}」が必要です。管理者に相談してください。");
        Self::new(StatusCode::FORBIDDEN, "forbidden", "権限がありません", detail)
    }

    pub(crate) fn not_found(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "見つかりません", detail)
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "指定に誤りがあります", detail)
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "その変更はできません", detail)
    }

    pub(crate) fn stale() -> Self {
        let detail = "読み込んだ後に、ほかの人が記録しました。読み直してからもう一度行ってください。";
        Self::new(StatusCode::PRECONDITION_FAILED, "stale", "先に更新されています", detail)
    }

    pub(crate) fn too_many() -> Self {
        let detail = "ログインの試みが多すぎます。1分ほど待ってからもう一度行ってください。";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "しばらく待ってください", detail)
    }

    pub(crate) fn too_many_tokens() -> Self {
        let detail = "無効なトークンでの要求が多すぎます。1分ほど待ってから、正しいトークンで送ってください。";
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self { retry_after_s: Some(60), ..Self::new(status, "too-many", "しばらく待ってください", detail) }
    }

    pub(crate) fn too_many_exports() -> Self {
        let detail = "ほかの出力が終わっていません。少し待ってからもう一度行ってください。";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { retry_after_s: Some(30), ..Self::new(status, "busy", "いまは出力できません", detail) }
    }

    pub(crate) fn bad_query(errors: Vec<QueryComplaint>) -> Self {
        let detail = errors.first().map_or_else(String::new, QueryComplaint::sentence);
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, "query-syntax", "検索式の誤り", detail) }
    }

    pub(crate) fn not_recorded(error: &SinkRefused) -> Self {
        let detail = "監査証跡に記録できないため、操作を行いませんでした。健全性の画面を確認してください。";
        let cause = Some(error.to_string());
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { cause, ..Self::new(status, "not-recorded", "いまは操作できません", detail) }
    }

    pub(crate) fn internal(error: &(dyn Error + 'static)) -> Self {
        let detail = "処理中に問題が起きました。もう一度行っても続く場合は、要求番号を添えて管理者に連絡してください。";
        let cause = Some(chain(error));
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { cause, ..Self::new(status, "internal", "処理できませんでした", detail) }
    }

    /// What an answer without a text of its own means.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found("このアドレスには何もありません。"),
            StatusCode::UNAUTHORIZED => Self::login_needed(),
            StatusCode::FORBIDDEN => {
                Self::new(status, "cross-site", "受け付けませんでした", "ほかのサイトからの操作は受け付けません。")
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::new(status, "method", "その操作はできません", "このアドレスはその方法を受け付けません。")
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(status, "too-large", "大きすぎます", "送られた内容が上限を超えています。")
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE => {
                Self::new(status, "timeout", "時間内に終わりませんでした", "期間を短くしてもう一度行ってください。")
            }
            _ if status.is_server_error() => {
                Self::new(status, "internal", "処理できませんでした", "もう一度行ってください。")
            }
            _ => Self::new(status, "bad-request", "指定に誤りがあります", "要求の形が正しくありません。"),
        }
    }

    /// RFC 9457.
    pub(crate) fn json(&self, instance: &str, request_id: &str) -> Response {
        let mut body = json!({
            "type": format!("{TYPE_BASE}{}", self.kind),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
        });
        if let (false, Some(members)) = (self.errors.is_empty(), body.as_object_mut()) {
            members.insert("errors".to_owned(), json!(self.errors));
        }
        let mut response = (self.status, Json(body)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"monban\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        self.say_when(&mut response);
        response
    }

    pub(crate) fn say_when(&self, response: &mut Response) {
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            // RFC 9110 §15.5.16: what would have been understood.
            response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd"));
        }
    }

    pub(crate) fn page(&self, hospital: &str, request_id: &str) -> Response {
        let page = ProblemPage { hospital, request_id, problem: self };
        match page.render() {
            Ok(text) => (self.status, Html(text)).into_response(),
            Err(_) => self.status.into_response(),
        }
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    hospital: &'a str,
    request_id: &'a str,
    problem: &'a Problem,
}

/// An error and its sources, as one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Left for the outermost layer, which knows the request's id and whether a person or a program asked.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        Self::internal(&error)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::CannotAnswer(why) => Self::bad_request(why),
            StoreError::Engine { .. } => Self::internal(&error),
        }
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        Self::internal(&error)
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        Self::internal(&error)
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<askama::Error> for Problem {
    fn from(error: askama::Error) -> Self {
        Self::internal(&error)
    }
}

/// A way to put a query right: the words of a button and the query it leads to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fix {
    pub(crate) label: String,
    pub(crate) q: String,
}
