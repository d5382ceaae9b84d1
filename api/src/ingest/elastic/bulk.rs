//! `_bulk`: a line that says what to do, then for most the document on a line of its own. Documents are only ever added:
//! `index` and `create` both keep the document, also where another with the same `_id` came before; `update` and
//! `delete` are refused for their item, since nothing that was kept is changed here. Of the action nothing is kept: the
//! record is the document's own bytes.
//!
//! A document that cannot be taken is refused by itself and the others are kept, as clients of this protocol expect;
//! an action line that cannot be read refuses the request, because what stands behind it cannot be told apart.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use axum::body::Body;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use monban_event::Format;
use monban_event::limits::RECORD_BYTES_MAX;
use serde::de::Error as _;
use serde::de::IgnoredAny;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Taken, answer};
use crate::app::Answer;
use crate::ingest::Delivery;
use crate::ingest::body::receive;
use crate::ingest::lines::{Line, next_line, skip_line};
use crate::ingest::media::Media;
use crate::ingest::records::{Batch, arrival};
use crate::ingest::refused::Refused;
use crate::ingest::unpack::Unpacked;

/// Longest action line, in bytes: Elasticsearch bounds an `_id` by 512 and the name of an index by 255.
const ACTION_BYTES_MAX: usize = 8 * 1024;

/// Memory that an item takes until it is answered, and its answer, beside its document.
const ITEM_BYTES: usize = 384;

/// What an item says it is for, where nobody says.
const NO_INDEX: &str = "logs";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Index,
    Create,
    Update,
    Delete,
}

impl Verb {
    fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What an action line says beside its verb; what else it may say (routing, pipeline, version) means nothing here.
#[derive(Debug, Default, Deserialize)]
struct Target {
    #[serde(default, rename = "_index", deserialize_with = "word")]
    index: Option<String>,
    #[serde(default, rename = "_id", deserialize_with = "word")]
    id: Option<String>,
}

/// Programs number their documents and send the number as one; it is answered as text, as Elasticsearch does.
fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        _ => Err(D::Error::custom("_index and _id are words")),
    }
}

struct Item {
    verb: Verb,
    target: Target,
    outcome: Result<(), Complaint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Complaint {
    NotJson,
    TooLong,
    CannotChange,
}

impl Complaint {
    fn told(self) -> ItemError {
        let (kind, reason) = match self {
            Self::NotJson => ("document_parsing_exception", "文書が JSON のオブジェクトではありません"),
            Self::TooLong => ("illegal_argument_exception", "文書が 1 件の上限 1048576 バイトを超えています"),
            Self::CannotChange => (
                "illegal_argument_exception",
                "受け取った記録は変更も削除もできません（index と create だけを受け付けます）",
            ),
        };
        ItemError { r#type: kind, reason }
    }
}

#[derive(Serialize)]
struct ItemError {
    r#type: &'static str,
    reason: &'static str,
}

pub(super) async fn take(Path(place): Path<HashMap<String, String>>, delivery: Delivery, body: Body) -> Answer {
    let index = place.get("index").map_or(NO_INDEX, String::as_str);
    Ok(taken(&delivery, body, index).await?)
}

async fn taken(delivery: &Delivery, body: Body, index: &str) -> Result<Response, Refused> {
    if !matches!(delivery.media(), None | Some(Media::Json)) {
        return Err(Refused::MediaType("application/x-ndjson"));
    }
    let began = Instant::now();
    let _permit = delivery.app.ingest.request()?;
    let mut batch = Batch::new(delivery)?;
    let (batch, items) = receive(body, arrival(delivery)?, move |unpacked| {
        let items = read(unpacked, &mut batch)?;
        Ok((batch, items))
    })
    .await?;
    let count = batch.len() as u64;
    let first = match count {
        0 => 0,
        _ => batch.journal(&delivery.app.services.sink).await?.0.saturating_sub(count - 1),
    };
    let took = began.elapsed().as_millis();
    let errors = items.iter().any(|item| item.outcome.is_err());
    let items = Items { all: &items, index, first };
    Ok(answer(StatusCode::OK, &BulkAnswer { took, errors, items }))
}

fn read(unpacked: &mut Unpacked, batch: &mut Batch) -> Result<Vec<Item>, Refused> {
    let mut items = Vec::new();
    let mut number = 0;
    while let Some(line) = next_line(unpacked, ACTION_BYTES_MAX)? {
        number += 1;
        if line.bytes.is_empty() {
            continue;
        }
        let (verb, target) = action(number, &line)?;
        let named = target.index.as_ref().map_or(0, String::len) + target.id.as_ref().map_or(0, String::len);
        batch.take(ITEM_BYTES + named)?;
        let outcome = if verb == Verb::Delete {
            Err(Complaint::CannotChange)
        } else {
            number += 1;
            let missing =
                || Refused::NotAction { line: number, reason: "命令の後に文書がありません".to_owned() };
            let document = next_line(unpacked, RECORD_BYTES_MAX)?.ok_or_else(missing)?;
            if document.too_long {
                skip_line(unpacked)?;
            }
            keep(verb, document, batch)?
        };
        items.push(Item { verb, target, outcome });
    }
    if items.is_empty() { Err(Refused::Empty) } else { Ok(items) }
}

fn action(number: u64, line: &Line) -> Result<(Verb, Target), Refused> {
    let wrong = |reason: String| Refused::NotAction { line: number, reason };
    if line.too_long {
        return Err(wrong(format!("{ACTION_BYTES_MAX} バイトを超えています")));
    }
    let read = serde_json::from_slice::<BTreeMap<Verb, Option<Target>>>(&line.bytes);
    let mut actions = read.map_err(|error| wrong(error.to_string()))?.into_iter();
    match (actions.next(), actions.next()) {
        (Some((verb, target)), None) => Ok((verb, target.unwrap_or_default())),
        _ => Err(wrong("命令がちょうど 1 つではありません".to_owned())),
    }
}

/// Puts the document into the batch, or says why not.
fn keep(verb: Verb, document: Line, batch: &mut Batch) -> Result<Result<(), Complaint>, Refused> {
    if verb == Verb::Update {
        return Ok(Err(Complaint::CannotChange));
    }
    if document.too_long {
        return Ok(Err(Complaint::TooLong));
    }
    let is_object = document.bytes.trim_ascii_start().first() == Some(&b'{');
    if !is_object || serde_json::from_slice::<IgnoredAny>(&document.bytes).is_err() {
        return Ok(Err(Complaint::NotJson));
    }
    batch.push(Format::Json, document.bytes).map(Ok)
}

#[derive(Serialize)]
struct BulkAnswer<'a> {
    took: u128,
    errors: bool,
    items: Items<'a>,
}

/// Written item by item: a hundred thousand of them are not built up twice.
struct Items<'a> {
    all: &'a [Item],
    index: &'a str,
    /// The record of the first document that was kept; the others follow it.
    first: u64,
}

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = self.first;
        serializer.collect_seq(self.all.iter().map(|item| {
            let index = item.target.index.as_deref().unwrap_or(self.index);
            let id = item.target.id.as_deref();
            let said = match item.outcome {
                Ok(()) => Said::Kept { taken: Taken::new(index, id, record), status: 201 },
                Err(complaint) => Said::Refused { index, id, status: 400, error: complaint.told() },
            };
            record += u64::from(item.outcome.is_ok());
            Named(item.verb, said)
        }))
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Said<'a> {
    Kept {
        #[serde(flatten)]
        taken: Taken<'a>,
        status: u16,
    },
    Refused {
        #[serde(rename = "_index")]
        index: &'a str,
        #[serde(rename = "_id")]
        id: Option<&'a str>,
        status: u16,
        error: ItemError,
    },
}

/// `{"index": …}`.
struct Named<'a>(Verb, Said<'a>);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0.as_str(), &self.1)?;
        map.end()
    }
}
