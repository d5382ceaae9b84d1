//! The stylesheet: the one file that is served to anybody.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

const PAGES_CSS: &str = include_str!("../../assets/monban.css");

pub(crate) async fn stylesheet() -> Response {
    let mut response = format!("{PAGES_CSS}\n{}", monban_audit::SHEET_CSS).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
}
