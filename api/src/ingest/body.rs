//! A request's body on its way from the connection to a thread that may wait. The connection is read only as fast as
//! the thread takes, so a body is never held; a sender that stops in the middle is given up.

use std::io::{self, Read};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::media::Coding;
use super::refused::Refused;
use super::unpack::{Expansion, Unpacked, unpack};
use crate::limits::{BODY_PAUSE_MAX, REFUSED_BYTES_READ, REFUSED_TIME_MAX};

/// Pieces of the body between the connection and the thread; hyper gives at most some 400 KiB at once.
const PIECES_WAITING: usize = 2;

/// What may come, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) coding: Coding,
    pub(super) expansion: Expansion,
    pub(super) time_max: Duration,
    /// What the sender says its body is long.
    pub(super) told_bytes: Option<u64>,
    /// The sender asked with `Expect: 100-continue` whether to send it at all, and is told to by the first reading.
    pub(super) asks_first: bool,
}

enum Piece {
    Data(Bytes),
    /// The body is whole. A channel that closes without it carried half a body.
    End,
    Failed(Refused),
}

/// Runs `work` over the unpacked body, in a thread that may wait. It runs to its end even if the sender goes away.
pub(super) async fn receive<T: Send + 'static>(
    mut body: Body,
    arrival: Arrival,
    work: impl FnOnce(&mut Unpacked) -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    if arrival.told_bytes.is_some_and(|bytes| bytes > arrival.expansion.bytes_max) {
        if !arrival.asks_first {
            forget(body).await;
        }
        return Err(Refused::BodyTooLong(arrival.expansion.bytes_max));
    }
    let (sender, pieces) = mpsc::channel(PIECES_WAITING);
    let worker = tokio::task::spawn_blocking(move || {
        let wire = Wire { pieces, piece: Bytes::new(), ended: false };
        work(&mut unpack(wire, arrival.coding, arrival.expansion)?)
    });
    pump(&mut body, sender, arrival.time_max).await;
    let result = worker.await.unwrap_or(Err(Refused::Thread));
    if result.is_err() {
        forget(body).await;
    }
    result
}

/// Hands the body over piece by piece, until its end, a failure, or until nobody takes it any more.
async fn pump(body: &mut Body, to: mpsc::Sender<Piece>, time_max: Duration) {
    let deadline = Instant::now() + time_max;
    loop {
        let next = timeout_at(deadline, timeout(BODY_PAUSE_MAX, body.frame())).await;
        let piece = match next {
            Err(_) | Ok(Err(_)) => Piece::Failed(Refused::Slow),
            Ok(Ok(None)) => Piece::End,
            Ok(Ok(Some(Err(_)))) => Piece::Failed(Refused::BrokenOff),
            Ok(Ok(Some(Ok(frame)))) => match frame.into_data() {
                Ok(bytes) => Piece::Data(bytes),
                // Trailers say nothing to us.
                Err(_) => continue,
            },
        };
        let is_last = !matches!(piece, Piece::Data(_));
        if to.send(piece).await.is_err() || is_last {
            return;
        }
    }
}

/// Reads what nothing depends on any more, up to a bound: a sender in the middle of its body then comes to read the
/// answer instead of a reset connection.
pub(super) async fn forget(mut body: Body) {
    let reading = async {
        let mut room = REFUSED_BYTES_READ;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            if bytes > room {
                return;
            }
            room -= bytes;
        }
    };
    // Either it is all read or time is up: the answer is the same.
    drop(timeout(REFUSED_TIME_MAX, reading).await);
}

/// The thread's end.
struct Wire {
    pieces: mpsc::Receiver<Piece>,
    piece: Bytes,
    ended: bool,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Piece::Data(bytes)) => self.piece = bytes,
                Some(Piece::End) => self.ended = true,
                Some(Piece::Failed(refused)) => return Err(refused.into()),
                None => return Err(Refused::BrokenOff.into()),
            }
        }
        let length = self.piece.len().min(buffer.len());
        let taken = self.piece.split_to(length);
        buffer.get_mut(..length).unwrap_or_default().copy_from_slice(&taken);
        Ok(length)
    }
}
