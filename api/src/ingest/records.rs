//! Lines and objects: read whole, journaled in one piece, and answered when the journal has them. Their sender is the
//! address they came from, as with syslog; what a proxy says of an address behind it is not believed.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use monban_event::limits::RECORD_BYTES_MAX;
use monban_event::{Clock, Format, Lane, Origin, Record, RecordId, RecordSink, SinkRefused, Transport};
use serde_json::json;
use tokio::sync::oneshot;

use super::Delivery;
use super::body::{Arrival, receive};
use super::bounds::Share;
use super::lines::next_line;
use super::media::{Coding, Media};
use super::objects::Objects;
use super::refused::Refused;
use super::unpack::{Expansion, Unpacked};
use crate::app::Answer;
use crate::limits::{
    BODY_TIME_MAX, EXPANSION_FREE_BYTES, INGEST_BODY_BYTES_MAX, INGEST_RECORDS_MAX, RECORD_OVERHEAD_BYTES,
    ZSTD_WINDOW_LOG_MAX,
};

/// The records of one request.
pub(super) struct Batch {
    records: Vec<Record>,
    share: Share,
    clock: Arc<dyn Clock>,
    peer: Option<SocketAddr>,
}

impl Batch {
    pub(super) fn new(delivery: &Delivery) -> Result<Self, Refused> {
        let mut share = delivery.app.ingest.memory();
        if delivery.coding()? == Coding::Zstd {
            share.take(1 << ZSTD_WINDOW_LOG_MAX)?;
        }
        let clock = Arc::clone(&delivery.app.services.clock);
        Ok(Self { records: Vec::new(), share, clock, peer: delivery.peer })
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Counts memory that goes with the records.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Refused> {
        self.share.take(bytes)
    }

    pub(super) fn push(&mut self, format: Format, bytes: Vec<u8>) -> Result<(), Refused> {
        if self.records.len() >= INGEST_RECORDS_MAX {
            return Err(Refused::TooManyRecords);
        }
        self.share.take(bytes.capacity() + RECORD_OVERHEAD_BYTES)?;
        self.records.push(Record {
            received_at: self.clock.now(),
            origin: Origin::Live,
            transport: Transport::Http,
            peer: self.peer,
            identity: None,
            format,
            file: None,
            bytes,
            cut: false,
        });
        Ok(())
    }

    /// Returns the last record's number when all of them are on disk.
    pub(super) async fn journal(self, sink: &Arc<dyn RecordSink>) -> Result<RecordId, Refused> {
        let (tell, told) = oneshot::channel();
        let done = move |result| {
            // Nobody listens where the sender has gone; the records are safe all the same.
            drop(tell.send(result));
        };
        sink.submit(Lane::Live, self.records, Box::new(done));
        Ok(told.await.unwrap_or(Err(SinkRefused::Closed))?)
    }
}

/// A body of lines, objects or bulk actions.
pub(super) fn arrival(delivery: &Delivery) -> Result<Arrival, Refused> {
    Ok(Arrival {
        coding: delivery.coding()?,
        expansion: Expansion { bytes_max: INGEST_BODY_BYTES_MAX, free_bytes: EXPANSION_FREE_BYTES },
        time_max: BODY_TIME_MAX,
        told_bytes: delivery.told_bytes(),
        asks_first: delivery.asks_first(),
    })
}

pub(crate) async fn lines(delivery: Delivery, body: Body) -> Answer {
    if !matches!(delivery.media(), None | Some(Media::Text | Media::Bytes)) {
        return Err(Refused::MediaType("text/plain").into());
    }
    Ok(take(&delivery, body, read_lines).await?)
}

pub(crate) async fn objects(delivery: Delivery, body: Body) -> Answer {
    if !matches!(delivery.media(), None | Some(Media::Json)) {
        return Err(Refused::MediaType("application/x-ndjson か application/json").into());
    }
    Ok(take(&delivery, body, read_objects).await?)
}

async fn take(
    delivery: &Delivery,
    body: Body,
    read: fn(&mut Unpacked, &mut Batch) -> Result<(), Refused>,
) -> Result<axum::response::Response, Refused> {
    let _permit = delivery.app.ingest.request()?;
    let mut batch = Batch::new(delivery)?;
    let batch = receive(body, arrival(delivery)?, move |unpacked| {
        read(unpacked, &mut batch)?;
        Ok(batch)
    })
    .await?;
    let accepted = batch.len();
    if accepted > 0 {
        batch.journal(&delivery.app.services.sink).await?;
    }
    Ok((StatusCode::ACCEPTED, Json(json!({ "accepted": accepted }))).into_response())
}

/// A line without a word in it is no record: a final line feed, or what an editor left.
fn read_lines(unpacked: &mut Unpacked, batch: &mut Batch) -> Result<(), Refused> {
    let mut number = 0;
    while let Some(line) = next_line(unpacked, RECORD_BYTES_MAX)? {
        number += 1;
        if line.too_long {
            return Err(Refused::RecordTooLong { line: number, limit: RECORD_BYTES_MAX });
        }
        if !line.bytes.is_empty() {
            batch.push(Format::Syslog, line.bytes)?;
        }
    }
    if batch.len() == 0 { Err(Refused::Empty) } else { Ok(()) }
}

fn read_objects(unpacked: &mut Unpacked, batch: &mut Batch) -> Result<(), Refused> {
    let mut objects = Objects::new(unpacked, RECORD_BYTES_MAX);
    while let Some(object) = objects.next()? {
        batch.push(Format::Json, object.bytes)?;
    }
    Ok(())
}
