//! One document by itself: `POST /{index}/_doc`, `PUT /{index}/_doc/{id}`, `PUT /{index}/_create/{id}`.

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use monban_event::Format;
use monban_event::limits::RECORD_BYTES_MAX;

use super::{Taken, answer};
use crate::app::Answer;
use crate::ingest::Delivery;
use crate::ingest::body::receive;
use crate::ingest::media::Media;
use crate::ingest::objects::Objects;
use crate::ingest::records::{Batch, arrival};
use crate::ingest::refused::Refused;
use crate::ingest::unpack::Unpacked;

pub(super) async fn take(Path(place): Path<HashMap<String, String>>, delivery: Delivery, body: Body) -> Answer {
    let part = |name: &str| place.get(name).map(String::as_str);
    Ok(taken(&delivery, body, part("index").unwrap_or_default(), part("id")).await?)
}

async fn taken(delivery: &Delivery, body: Body, index: &str, id: Option<&str>) -> Result<Response, Refused> {
    if !matches!(delivery.media(), None | Some(Media::Json)) {
        return Err(Refused::MediaType("application/json"));
    }
    let _permit = delivery.app.ingest.request()?;
    let mut batch = Batch::new(delivery)?;
    let batch = receive(body, arrival(delivery)?, move |unpacked| {
        read(unpacked, &mut batch)?;
        Ok(batch)
    })
    .await?;
    let last = batch.journal(&delivery.app.services.sink).await?;
    Ok(answer(StatusCode::CREATED, &Taken::new(index, id, last.0)))
}

fn read(unpacked: &mut Unpacked, batch: &mut Batch) -> Result<(), Refused> {
    let mut objects = Objects::new(unpacked, RECORD_BYTES_MAX);
    let document = objects.next()?.ok_or(Refused::Empty)?;
    if let Some(second) = objects.next()? {
        return Err(Refused::NotJson {
            line: second.line, reason: "文書は 1 件だけ送ってください".to_owned()
        });
    }
    batch.push(Format::Json, document.bytes)
}
