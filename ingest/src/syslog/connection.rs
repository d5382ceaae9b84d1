//! One connection of a stream listener: read, frame, queue, hand over, in that order and at the journal's pace. Where
//! the journal is slow we stop reading, so that the sender's own queue holds what ours cannot. A record is given up
//! only when the journal says that it cannot write at all, and then it is counted.
//!
//! Works on any byte stream, so TLS is the same code above another socket.

use std::io;
use std::time::Duration;

use monban_event::{Lane, Origin, Record, RecordId, SinkRefused};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::seats::Seat;
use super::tcp::{Shared, stopped};
use super::{RecordMaker, Sender, StreamReceiver};

/// Bytes of one connection that were read and are not yet on disk.
pub(super) const CONNECTION_BYTES_MAX: usize = 1 << 20;

/// One read. Every waiting connection holds as much of the budget, so all of them together must stay well below it.
pub(super) const READ_BYTES: usize = 32 << 10;

/// The same, as the semaphore counts.
const READ_PERMITS: u32 = 32 << 10;

/// An unfinished frame of so many bytes needs no room of its own: whatever happens elsewhere, ordinary lines come whole.
const UNFINISHED_FREE_BYTES: usize = 32 << 10;

/// How long to wait before the journal is asked again after "queue full".
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// … and while it waits for its disk: somebody has to make room, and each asking copies what is held.
const ASK_AGAIN_DISK: Duration = Duration::from_millis(500);

/// Receives one connection to its end: the sender's close, the shutdown, silence, or a journal that cannot write.
pub(super) async fn receive<R: AsyncRead + Unpin>(reader: R, sender: Sender, seat: &Seat, shared: Shared) {
    shared.stats.connections(1);
    let maker = RecordMaker { clock: shared.receiving.clock.clone(), origin: Origin::Live };
    let mut connection = Connection {
        reader,
        stream: maker.stream(sender),
        seat,
        frame_since: None,
        unfinished: None,
        pending: Pending::default(),
        in_flight: None,
        buffer: vec![0; READ_BYTES],
        shared,
    };
    connection.run().await;
    connection.drain().await;
    connection.shared.stats.discarded_bytes(connection.stream.discarded_bytes());
    connection.shared.stats.connections_closed(1);
}

struct Connection<'s, R> {
    reader: R,
    stream: StreamReceiver,
    seat: &'s Seat,
    /// When the frame that is being collected began.
    frame_since: Option<Instant>,
    /// What that frame takes of the room for large ones.
    unfinished: Option<OwnedSemaphorePermit>,
    pending: Pending,
    in_flight: Option<InFlight>,
    buffer: Vec<u8>,
    shared: Shared,
}

/// Records read and not yet handed over, with their share of the budget and of the room for large frames.
#[derive(Default)]
struct Pending {
    records: Vec<Record>,
    bytes: usize,
    permit: Option<OwnedSemaphorePermit>,
    large: Option<OwnedSemaphorePermit>,
}

fn merge(held: &mut Option<OwnedSemaphorePermit>, more: Option<OwnedSemaphorePermit>) {
    match (held, more) {
        (Some(held), Some(more)) => held.merge(more),
        (held @ None, more) => *held = more,
        (Some(_), None) => {}
    }
}

/// Records handed over. They are kept until the journal answers, because a full queue gives nothing back.
struct InFlight {
    batch: Pending,
    answer: oneshot::Receiver<Result<RecordId, SinkRefused>>,
}

/// What a connection waits for.
enum Happened {
    Read(io::Result<usize>, OwnedSemaphorePermit),
    Answered(Result<RecordId, SinkRefused>),
    /// The frame that was begun does not come to its end.
    Slow,
    Idle,
    Displaced,
    Stopped,
}

impl<R: AsyncRead + Unpin> Connection<'_, R> {
    async fn run(&mut self) {
        let mut shutdown = self.shared.shutdown.clone();
        let mut idle_at = Instant::now() + self.shared.patience.idle;
        loop {
            match self.next(&mut shutdown, idle_at).await {
                Happened::Read(Ok(count), permit) if count > 0 => {
                    let now = Instant::now();
                    idle_at = now + self.shared.patience.idle;
                    self.seat.heard(now.into_std());
                    self.take(count, permit);
                }
                Happened::Answered(answer) => {
                    if !self.settle(answer).await {
                        return;
                    }
                }
                Happened::Slow => self.hand_out(),
                // A reset is an end like any other: what was read before it counts.
                Happened::Read(..) => return,
                Happened::Stopped => return self.take_what_came().await,
                Happened::Idle => return self.shared.stats.connections_idle(1),
                Happened::Displaced => return self.shared.stats.connections_displaced(1),
            }
            self.hand_over();
        }
    }

    async fn next(&mut self, shutdown: &mut watch::Receiver<bool>, idle_at: Instant) -> Happened {
        let may_read = self.pending.bytes + self.in_flight_bytes() < CONNECTION_BYTES_MAX;
        let budget = self.shared.limits.budget.clone();
        let slow_at = self.frame_since.map(|since| since + self.shared.patience.slow_frame);
        let (reader, buffer) = (&mut self.reader, &mut self.buffer);
        // Bytes are only taken from the socket once they have a place in the budget; dropping this loses neither. Nor
        // is a sender called slow or idle while it is we who do not read.
        let read = async {
            let permit = budget.acquire_many_owned(READ_PERMITS).await.expect("the budget is never closed");
            match timeout_at(slow_at.unwrap_or(idle_at), reader.read(buffer)).await {
                Ok(result) => Happened::Read(result, permit),
                Err(_) if slow_at.is_some() => Happened::Slow,
                Err(_) => Happened::Idle,
            }
        };
        tokio::select! {
            biased;
            answer = answered(&mut self.in_flight), if self.in_flight.is_some() => Happened::Answered(answer),
            // Before the read, or a sender that never pauses would keep the program from ending.
            () = stopped(shutdown) => Happened::Stopped,
            () = self.seat.displaced() => Happened::Displaced,
            happened = read, if may_read => happened,
        }
    }

    /// Takes what the kernel already holds of this connection, as far as the connection's bound allows.
    async fn take_what_came(&mut self) {
        for _ in 0..CONNECTION_BYTES_MAX / READ_BYTES {
            let Ok(permit) = self.shared.limits.budget.clone().try_acquire_many_owned(READ_PERMITS) else { return };
            // A timeout of zero still polls the read once: it takes what is there and waits for nothing.
            let read = tokio::time::timeout(Duration::ZERO, self.reader.read(&mut self.buffer)).await;
            match read {
                Ok(Ok(count)) if count > 0 => self.take(count, permit),
                _ => return,
            }
        }
    }

    fn in_flight_bytes(&self) -> usize {
        self.in_flight.as_ref().map_or(0, |in_flight| in_flight.batch.bytes)
    }

    /// Makes records of the first `count` bytes of the buffer.
    fn take(&mut self, count: usize, mut permit: OwnedSemaphorePermit) {
        let records = self.stream.push(self.buffer.get(..count).unwrap_or_default());
        drop(permit.split(READ_BYTES - count));
        if self.stream.held_bytes() == 0 {
            self.frame_since = None;
        } else if self.frame_since.is_none() || !records.is_empty() {
            self.frame_since = Some(Instant::now());
        }
        if !records.is_empty() {
            self.admit(records);
            merge(&mut self.pending.permit, Some(permit));
        }
        if !self.has_room_for_frame() {
            self.hand_out();
        }
    }

    /// Queues records, without those that their source may not send.
    fn admit(&mut self, mut records: Vec<Record>) {
        let stats = &self.shared.stats;
        stats.made(&records);
        stats.rate_limited(self.shared.receiving.line_rate.refuse_excess(&mut records));
        self.pending.bytes += records.iter().map(|record| record.bytes.len()).sum::<usize>();
        self.pending.records.extend(records);
        // The frame that was collected is among them; its room is needed until it is on disk.
        merge(&mut self.pending.large, self.unfinished.take());
    }

    /// Takes of the room for large frames what the unfinished frame needs; `false` when there is not enough.
    fn has_room_for_frame(&mut self) -> bool {
        let needed = self.stream.held_bytes().saturating_sub(UNFINISHED_FREE_BYTES);
        let missing = needed.saturating_sub(self.unfinished.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        let Ok(missing) = u32::try_from(missing) else { return false };
        if missing == 0 {
            return true;
        }
        let more = self.shared.limits.unfinished.clone().try_acquire_many_owned(missing).ok();
        let is_enough = more.is_some();
        merge(&mut self.unfinished, more);
        is_enough
    }

    /// Hands out the unfinished frame as it is: it comes too slowly, or there is no more room for it.
    fn hand_out(&mut self) {
        let records = self.stream.hand_out();
        self.shared.stats.pieces(records.len() as u64);
        self.frame_since = None;
        self.admit(records);
    }

    /// Hands what is pending to the journal, one batch at a time so that a refused batch keeps its place.
    fn hand_over(&mut self) {
        if self.in_flight.is_some() {
            return;
        }
        let batch = std::mem::take(&mut self.pending);
        if batch.records.is_empty() {
            return;
        }
        let (sender, answer) = oneshot::channel();
        let done = move |result| {
            // Nobody waits any more when the task was aborted; the records are the journal's all the same.
            drop(sender.send(result));
        };
        self.shared.receiving.sink.submit(Lane::Live, batch.records.clone(), Box::new(done));
        self.in_flight = Some(InFlight { batch, answer });
    }

    /// Acts on the journal's answer; `false` when it cannot write and the connection must end.
    async fn settle(&mut self, answer: Result<RecordId, SinkRefused>) -> bool {
        let Some(InFlight { batch, .. }) = self.in_flight.take() else { return true };
        let count = batch.records.len() as u64;
        match answer {
            Ok(_) => self.shared.stats.stored(count),
            Err(SinkRefused::QueueFull) => {
                tokio::time::sleep(ASK_AGAIN).await;
                self.put_back(batch);
            }
            // Until then nothing more is read, so the sender's own queue holds what comes. A stop cannot wait for a
            // disk that somebody has to clear first.
            Err(SinkRefused::Waiting(_)) if !*self.shared.shutdown.borrow() => {
                tokio::time::sleep(ASK_AGAIN_DISK).await;
                self.put_back(batch);
            }
            Err(SinkRefused::Waiting(_) | SinkRefused::CannotWrite(_) | SinkRefused::Closed) => {
                self.shared.stats.refused(count);
                return false;
            }
        }
        true
    }

    /// A refused batch goes before what was read since.
    fn put_back(&mut self, mut batch: Pending) {
        let later = std::mem::take(&mut self.pending);
        batch.records.extend(later.records);
        batch.bytes += later.bytes;
        merge(&mut batch.permit, later.permit);
        merge(&mut batch.large, later.large);
        self.pending = batch;
    }

    /// The connection has ended: everything that was read reaches the journal, also the line that was begun.
    async fn drain(&mut self) {
        let last = self.stream.finish();
        self.admit(last);
        loop {
            self.hand_over();
            if self.in_flight.is_none() {
                return;
            }
            let answer = answered(&mut self.in_flight).await;
            if !self.settle(answer).await {
                self.shared.stats.refused(self.pending.records.len() as u64);
                return;
            }
        }
    }
}

/// The journal's answer. One that went away without answering is closed.
async fn answered(in_flight: &mut Option<InFlight>) -> Result<RecordId, SinkRefused> {
    match in_flight {
        Some(in_flight) => (&mut in_flight.answer).await.unwrap_or(Err(SinkRefused::Closed)),
        None => std::future::pending().await,
    }
}
