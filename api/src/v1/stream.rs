//! Every match of a search, as they are found: JSON lines, or CSV for a spreadsheet. Nothing is held whole: a page of
//! events is written, sent, and the next one looked for. That somebody takes data out is on the trail before the first
//! byte leaves, with how many events there are, as far as that can be counted in the time of a page. An export that cannot
//! be finished breaks its connection off, so that half of it does not look whole.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use http_body_util::channel::{Channel, Sender};
use monban_event::TimeRange;
use monban_event::act::Deed;
use monban_event::store::{AggregateRequest, SearchPage, SearchRequest, StoreError};
use monban_index::export::{self, BYTE_ORDER_MARK, Columns};
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::events::order;
use crate::app::{Answer, App, Visit};
use crate::limits::{EXPORT_PAGE, EXPORT_PAUSE_MAX};
use crate::problem::Problem;
use monban_audit::wording;

/// Pages that wait for a slow reader.
const WAITING_PAGES: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    JsonLines,
    Csv,
}

impl Form {
    /// What a client says that it takes, where it is one of these.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let accepted = headers.get(header::ACCEPT)?.to_str().ok()?;
        let first = accepted.split([',', ';']).next().unwrap_or_default().trim();
        match first {
            "text/csv" => Some(Self::Csv),
            "application/x-ndjson" => Some(Self::JsonLines),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::JsonLines => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        })
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    pub(crate) q: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) sort: String,
    /// `csv` or `jsonl`; for a link, which cannot say what it accepts.
    pub(crate) form: String,
    /// Columns of the CSV.
    pub(crate) cols: String,
}

pub(crate) async fn every(visit: Visit, headers: HeaderMap, Query(asked): Query<Asked>) -> Answer {
    let form = match asked.form.as_str() {
        "" => Form::accepted(&headers).unwrap_or(Form::JsonLines),
        "csv" => Form::Csv,
        "jsonl" => Form::JsonLines,
        _ => return Err(Problem::bad_request("form は csv か jsonl です。")),
    };
    answer(visit, form, asked).await
}

/// What is to be written.
struct Export {
    request: SearchRequest,
    form: Form,
    columns: Columns,
}

pub(crate) async fn answer(visit: Visit, form: Form, asked: Asked) -> Answer {
    let permit = visit.app.exports.clone().try_acquire_owned().map_err(|_| Problem::too_many_exports())?;
    let app = Arc::clone(&visit.app);
    let export = visit.run(move |visit| begin(visit, form, &asked)).await?;
    let (sender, body) = Channel::<Bytes, io::Error>::new(WAITING_PAGES);
    let handle = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _held = permit;
        write(&app, &export, &handle, sender);
    });
    Ok(response(form, Body::new(body)))
}

fn begin(visit: &Visit, form: Form, asked: &Asked) -> Result<Export, Problem> {
    let columns = Columns::read(&asked.cols).map_err(|error| Problem::bad_request(error.to_string()))?;
    let order = order(&asked.sort)?;
    let search = super::Asked { q: asked.q.clone(), from: asked.from.clone(), to: asked.to.clone() };
    let (reading, range) = search.read(visit)?;
    let whole = form == Form::JsonLines || columns.need_whole();
    let request = SearchRequest::new(reading.query().clone(), range, EXPORT_PAGE);
    let count = AggregateRequest::count(request.query.clone(), range);
    let events = Some(visit.app.services.store.aggregate(&count)?.total.value);
    visit.act(Deed::Exported { what: exported(&asked.q, range), form: form.name().to_owned(), events })?;
    Ok(Export { request: SearchRequest { order, whole, total: false, ..request }, form, columns })
}

/// As the trail names it.
fn exported(query: &str, range: TimeRange) -> String {
    let query = if query.trim().is_empty() { "*" } else { query.trim() };
    let bound = |time: Option<_>| time.map(wording::stamp).unwrap_or_default();
    format!("検索 {query}　{} 〜 {}", bound(range.from), bound(range.to))
}

fn response(form: Form, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, form.content_type());
    let disposition = format!("attachment; filename=\"monban-events.{}\"", form.name());
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// Why an export ended before its end.
enum Broken {
    /// The reader went away or stood still; nobody is left to be told.
    Reader,
    Store(StoreError),
}

fn write(app: &App, export: &Export, handle: &Handle, mut sender: Sender<Bytes, io::Error>) {
    match write_pages(app, export, handle, &mut sender) {
        Ok(()) => {}
        Err(Broken::Reader) => sender.abort(io::Error::other("the reader stood still")),
        Err(Broken::Store(error)) => {
            tracing::warn!(error = %error, "an export was broken off");
            sender.abort(io::Error::other(error));
        }
    }
}

fn write_pages(
    app: &App,
    export: &Export,
    handle: &Handle,
    sender: &mut Sender<Bytes, io::Error>,
) -> Result<(), Broken> {
    if export.form == Form::Csv {
        let head = format!("{BYTE_ORDER_MARK}{}", export::csv_line(&export.columns.headings()));
        send(handle, sender, head).map_err(|()| Broken::Reader)?;
    }
    let mut sent = Ok(());
    let mut give = |page: &SearchPage| {
        // Also where a page has nothing, so that it is noticed when nobody reads any longer.
        sent = send(handle, sender, written(export, page));
        if sent.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    export::every_page(app.services.store.as_ref(), export.request.clone(), &mut give).map_err(Broken::Store)?;
    sent.map_err(|()| Broken::Reader)
}

fn written(export: &Export, page: &SearchPage) -> String {
    let line = |event| match export.form {
        Form::Csv => export::csv_line(&export.columns.cells(event)),
        Form::JsonLines => format!("{}\n", serde_json::Value::Object(export::json(event))),
    };
    page.events.iter().map(line).collect()
}

fn send(handle: &Handle, sender: &mut Sender<Bytes, io::Error>, text: String) -> Result<(), ()> {
    let sending = sender.send_data(Bytes::from(text));
    match handle.block_on(async { timeout(EXPORT_PAUSE_MAX, sending).await }) {
        Ok(Ok(())) => Ok(()),
        _ => Err(()),
    }
}
