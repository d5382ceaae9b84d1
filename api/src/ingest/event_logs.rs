//! Event log files. What arrives is written to a staging file and hashed on the way; only when every file of the
//! request is whole and on disk are they imported, one after the other, the way `monban import` does it: a file that was
//! here before changes nothing, and one whose import was broken off goes on where it stopped.

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use monban_event::id::hex;
use monban_index::staging::StagedFile;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Delivery;
use super::body::{Arrival, receive};
use super::media::Media;
use super::multipart::Multipart;
use super::refused::Refused;
use super::unpack::{Expansion, Unpacked};
use crate::app::{Answer, App};
use crate::limits::{
    DISK_LEFT_BYTES_MIN, DISK_LOOK_BYTES, EVENT_LOG_BYTES_MAX, EVENT_LOG_TIME_MAX, EXPANSION_FREE_EVENT_LOG_BYTES,
    FILE_NAME_CHARACTERS_MAX, PARTS_MAX,
};
use crate::services::{FileImport, HandedIn};

const KNOWN: &str = "application/octet-stream か multipart/form-data";
/// Reasons of damage that are told; the trail has all.
const NOTES_TOLD: usize = 20;
/// Enough of a file to know an event log.
const START_BYTES: usize = 8;

/// What became of one file.
#[derive(Clone, Debug, Serialize)]
struct FileAnswer {
    name: String,
    accepted: u64,
    duplicate: u64,
    damaged: usize,
    notes: Vec<String>,
    sha256: String,
    bytes: u64,
}

/// Sums over the files; the hash where there is one file.
#[derive(Debug, Serialize)]
struct Totals {
    accepted: u64,
    duplicate: u64,
    damaged: usize,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    files: Vec<FileAnswer>,
}

pub(crate) async fn take(delivery: Delivery, body: Body) -> Answer {
    Ok(taken(&delivery, body).await?)
}

async fn taken(delivery: &Delivery, body: Body) -> Result<Response, Refused> {
    let boundary = match delivery.media() {
        None | Some(Media::Bytes) => None,
        Some(Media::Multipart(boundary)) => Some(boundary),
        Some(_) => return Err(Refused::MediaType(KNOWN)),
    };
    let _permits = (delivery.app.ingest.request()?, delivery.app.ingest.event_log()?);
    let arrival = Arrival {
        coding: delivery.coding()?,
        expansion: Expansion { bytes_max: EVENT_LOG_BYTES_MAX, free_bytes: EXPANSION_FREE_EVENT_LOG_BYTES },
        time_max: EVENT_LOG_TIME_MAX,
        told_bytes: delivery.told_bytes(),
        asks_first: delivery.asks_first(),
    };
    let (app, by) = (delivery.app.clone(), delivery.by.clone());
    let host = delivery.parameter("host").unwrap_or_default();
    let answers = receive(body, arrival, move |unpacked| {
        let files = app.services.files.as_ref();
        let staged = match boundary {
            Some(boundary) => stage_parts(files, Multipart::new(unpacked, &boundary))?,
            None => vec![stage_whole(files, unpacked)?],
        };
        staged.iter().map(|file| import(&app, file, &host, &by)).collect::<Result<Vec<_>, _>>()
    })
    .await?;
    Ok((StatusCode::ACCEPTED, Json(totals(answers))).into_response())
}

/// A file that arrived whole.
struct Arrived {
    name: String,
    file: StagedFile,
    sha256: String,
}

/// A file on its way to the disk.
struct Arriving<'a> {
    files: &'a dyn FileImport,
    file: StagedFile,
    hash: Sha256,
    name: String,
    /// The first bytes, which tell what it is.
    start: Vec<u8>,
    /// When to look for room again.
    next_look: u64,
}

impl<'a> Arriving<'a> {
    fn new(files: &'a dyn FileImport, name: String) -> Result<Self, Refused> {
        Ok(Self { files, file: files.staging().file()?, hash: Sha256::new(), name, start: Vec::new(), next_look: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        if self.file.bytes() >= self.next_look {
            let free = self.files.free_bytes().map_err(Refused::FreeRoom)?;
            if free < DISK_LEFT_BYTES_MIN + DISK_LOOK_BYTES {
                return Err(Refused::DiskFull);
            }
            self.next_look = self.file.bytes() + DISK_LOOK_BYTES;
        }
        self.hash.update(bytes);
        self.file.write(bytes)?;
        let missing = START_BYTES.saturating_sub(self.start.len());
        if missing > 0 {
            self.start.extend(bytes.iter().take(missing));
            if self.start.len() == START_BYTES {
                self.demand_event_log()?;
            }
        }
        Ok(())
    }

    fn demand_event_log(&self) -> Result<(), Refused> {
        let known = self.files.is_event_log(&self.start);
        if known { Ok(()) } else { Err(Refused::NotEventLog(shown("", &self.name))) }
    }

    fn finish(self) -> Result<Arrived, Refused> {
        self.demand_event_log()?;
        self.file.sync()?;
        Ok(Arrived { name: self.name, file: self.file, sha256: hex(&self.hash.finalize()) })
    }
}

fn stage_whole(files: &dyn FileImport, unpacked: &mut Unpacked) -> Result<Arrived, Refused> {
    use std::io::BufRead;
    let mut arriving = Arriving::new(files, "upload.evtx".to_owned())?;
    loop {
        let bytes = unpacked.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        arriving.write(bytes)?;
        let used = bytes.len();
        unpacked.consume(used);
    }
    if arriving.file.bytes() == 0 {
        return Err(Refused::Empty);
    }
    arriving.finish()
}

/// Parts without a file name are fields of a form and are passed over.
fn stage_parts(files: &dyn FileImport, mut parts: Multipart<&mut Unpacked>) -> Result<Vec<Arrived>, Refused> {
    let mut staged = Vec::new();
    let mut count = 0;
    while let Some(name) = parts.next_part()? {
        count += 1;
        if count > PARTS_MAX {
            return Err(Refused::TooManyParts);
        }
        if name.is_empty() {
            parts.content(&mut |_| Ok(()))?;
            continue;
        }
        let mut arriving = Arriving::new(files, name)?;
        parts.content(&mut |bytes| arriving.write(bytes))?;
        staged.push(arriving.finish()?);
    }
    if staged.is_empty() { Err(Refused::Empty) } else { Ok(staged) }
}

fn import(app: &App, arrived: &Arrived, host: &str, by: &str) -> Result<FileAnswer, Refused> {
    let name = shown(host, &arrived.name);
    let bytes = arrived.file.bytes();
    let file = HandedIn { path: arrived.file.path(), name: &name, sha256: &arrived.sha256, bytes, by };
    let alone = app.ingest.one_import();
    let imported = app.services.files.import(file)?;
    drop(alone);
    let notes: Vec<String> = imported.damaged.iter().take(NOTES_TOLD).cloned().collect();
    Ok(FileAnswer {
        name,
        accepted: imported.accepted,
        duplicate: imported.duplicate,
        damaged: imported.damaged.len(),
        notes,
        sha256: arrived.sha256.clone(),
        bytes,
    })
}

/// What a sender calls a file, fit to be shown: its last part, without what moves the cursor.
fn shown(host: &str, name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let whole = if host.is_empty() { last.to_owned() } else { format!("{host}/{last}") };
    whole.chars().filter(|character| !character.is_control()).take(FILE_NAME_CHARACTERS_MAX).collect()
}

fn totals(files: Vec<FileAnswer>) -> Totals {
    let sum = |value: fn(&FileAnswer) -> u64| files.iter().map(value).sum();
    let sha256 = if let [only] = files.as_slice() { Some(only.sha256.clone()) } else { None };
    Totals {
        accepted: sum(|file| file.accepted),
        duplicate: sum(|file| file.duplicate),
        damaged: files.iter().map(|file| file.damaged).sum(),
        bytes: sum(|file| file.bytes),
        sha256,
        files,
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn names_are_fit_to_be_shown() {
        for (host, name, expected) in [
            ("", "C:\\Windows\\Security.evtx", "Security.evtx"),
            ("DC01", "../../etc/x.evtx", "DC01/x.evtx"),
            ("DC\n01", "a\u{1b}[2J.evtx", "DC01/a[2J.evtx"),
        ] {
            assert_eq!(shown(host, name), expected);
        }
        assert_eq!(shown("", &"あ".repeat(1000)).chars().count(), 255);
    }
}
