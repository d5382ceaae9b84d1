//! Syslog over TCP. One task a connection: read, frame, queue, hand over, in that order and at the journal's pace.
//! Where the journal is slow we stop reading, so that the sender's own queue holds what ours cannot. A record is given
//! up only when the journal says that it cannot write at all, and then it is counted.
//!
//! Works on any byte stream, so TLS is the same code above another socket.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use monban_event::{Clock, Lane, Origin, Record, RecordId, RecordSink, SinkRefused, Transport};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::{ReceiverStats, RecordMaker, StreamReceiver};

/// Connections open at once. A hospital has some dozens of senders. Each may hold one unfinished record of 1 MiB, so
/// this also bounds memory under attack to a quarter of a gigabyte.
pub const CONNECTIONS_MAX: usize = 256;

/// Connections of one address, so that one broken sender cannot shut out the others.
pub const CONNECTIONS_PER_PEER_MAX: usize = 32;

/// Bytes read by all connections and not yet on disk. Half of the journal's queue; beyond it nobody is read.
pub const BUDGET_BYTES: usize = 32 << 20;

/// Bytes of one connection that were read and are not yet on disk.
pub const CONNECTION_BYTES_MAX: usize = 1 << 20;

/// One read. Every waiting connection holds as much of the budget, so all of them together must stay well below it.
const READ_BYTES: usize = 32 << 10;

/// The same, as the semaphore counts.
const READ_PERMITS: u32 = 32 << 10;

/// A connection on which nothing comes for so long is closed; its sender connects again when it has something to say.
pub const IDLE: Duration = Duration::from_hours(1);

/// Keepalive probes find a sender that vanished without closing: first after a minute, gone after two.
const KEEPALIVE_AFTER_SECONDS: u32 = 60;
const KEEPALIVE_EVERY_SECONDS: u32 = 10;
const KEEPALIVE_PROBES: u32 = 6;

/// How long to wait before the journal is asked again after "queue full", or before the next accept when the system
/// has no descriptor to give.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// What all connections of a listener share.
#[derive(Clone)]
pub struct Shared {
    pub sink: Arc<dyn RecordSink>,
    pub clock: Arc<dyn Clock>,
    pub stats: Arc<ReceiverStats>,
    pub shutdown: watch::Receiver<bool>,
    budget: Arc<Semaphore>,
    idle: Duration,
}

impl Shared {
    /// `shutdown` turns true, or loses its sender, when receivers are to end.
    pub fn new(
        sink: Arc<dyn RecordSink>,
        clock: Arc<dyn Clock>,
        shutdown: watch::Receiver<bool>,
        stats: Arc<ReceiverStats>,
    ) -> Self {
        Self { sink, clock, stats, shutdown, budget: Arc::new(Semaphore::new(BUDGET_BYTES)), idle: IDLE }
    }
}

/// Accepts connections until `shutdown`, then hands over everything that was read and returns.
pub async fn serve_tcp(
    listener: TcpListener,
    sink: Arc<dyn RecordSink>,
    clock: Arc<dyn Clock>,
    shutdown: watch::Receiver<bool>,
    stats: Arc<ReceiverStats>,
) {
    serve(listener, Shared::new(sink, clock, shutdown, stats)).await;
}

async fn serve(listener: TcpListener, shared: Shared) {
    let mut shutdown = shared.shutdown.clone();
    let peers = Arc::new(Peers::default());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopped(&mut shutdown) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => admit(stream, peer, &shared, &peers, &mut connections),
                Err(error) => {
                    tracing::warn!(%error, "TCP accept failed");
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Returns when receivers are to end.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // A lost sender means that the program is ending too.
    drop(shutdown.wait_for(|stop| *stop).await);
}

fn admit(stream: TcpStream, peer: SocketAddr, shared: &Shared, peers: &Arc<Peers>, connections: &mut JoinSet<()>) {
    let Some(seat) = peers.seat(peer.ip().to_canonical()) else {
        shared.stats.connections_refused(1);
        tracing::warn!("TCP connection refused: too many are open");
        return;
    };
    if let Err(error) = probe_when_silent(&stream) {
        tracing::debug!(%error, "TCP keepalive not set");
    }
    let shared = shared.clone();
    connections.spawn(async move {
        receive(stream, peer, Transport::Tcp, shared).await;
        drop(seat);
    });
}

fn probe_when_silent(stream: &TcpStream) -> Result<(), nix::errno::Errno> {
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    setsockopt(stream, sockopt::TcpKeepIdle, &KEEPALIVE_AFTER_SECONDS)?;
    setsockopt(stream, sockopt::TcpKeepInterval, &KEEPALIVE_EVERY_SECONDS)?;
    setsockopt(stream, sockopt::TcpKeepCount, &KEEPALIVE_PROBES)
}

/// Open connections by address.
#[derive(Default)]
struct Peers(Mutex<HashMap<IpAddr, usize>>);

impl Peers {
    fn seat(self: &Arc<Self>, ip: IpAddr) -> Option<Seat> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = open.values().sum();
        let count = open.entry(ip).or_default();
        if total >= CONNECTIONS_MAX || *count >= CONNECTIONS_PER_PEER_MAX {
            return None;
        }
        *count += 1;
        Some(Seat { peers: self.clone(), ip })
    }
}

/// One open connection's place; given back when dropped.
struct Seat {
    peers: Arc<Peers>,
    ip: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&self.ip) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.remove(&self.ip)),
        }
    }
}

/// Receives one connection to its end: the sender's close, the shutdown, silence, or a journal that cannot write.
pub async fn receive<R: AsyncRead + Unpin>(reader: R, peer: SocketAddr, transport: Transport, shared: Shared) {
    shared.stats.connections(1);
    let maker = RecordMaker { clock: shared.clock.clone(), origin: Origin::Live };
    let mut connection = Connection {
        reader,
        stream: maker.stream(peer, transport),
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

struct Connection<R> {
    reader: R,
    stream: StreamReceiver,
    pending: Pending,
    in_flight: Option<InFlight>,
    buffer: Vec<u8>,
    shared: Shared,
}

/// Records read and not yet handed over, with their share of the budget.
#[derive(Default)]
struct Pending {
    records: Vec<Record>,
    bytes: usize,
    permit: Option<OwnedSemaphorePermit>,
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
    Idle,
    Stopped,
}

impl<R: AsyncRead + Unpin> Connection<R> {
    async fn run(&mut self) {
        let mut shutdown = self.shared.shutdown.clone();
        let mut idle_at = Instant::now() + self.shared.idle;
        loop {
            match self.next(&mut shutdown, idle_at).await {
                Happened::Read(Ok(count), permit) if count > 0 => {
                    idle_at = Instant::now() + self.shared.idle;
                    self.take(count, permit);
                }
                Happened::Answered(answer) => {
                    if !self.settle(answer).await {
                        return;
                    }
                }
                // A reset is an end like any other: what was read before it counts.
                Happened::Read(..) => return,
                Happened::Stopped => return self.take_what_came().await,
                Happened::Idle => {
                    self.shared.stats.connections_idle(1);
                    return;
                }
            }
            self.hand_over();
        }
    }

    async fn next(&mut self, shutdown: &mut watch::Receiver<bool>, idle_at: Instant) -> Happened {
        let may_read = self.pending.bytes + self.in_flight_bytes() < CONNECTION_BYTES_MAX;
        let budget = self.shared.budget.clone();
        let (reader, buffer) = (&mut self.reader, &mut self.buffer);
        // Bytes are only taken from the socket once they have a place in the budget; dropping this loses neither.
        let read = async {
            let permit = budget.acquire_many_owned(READ_PERMITS).await.expect("the budget is never closed");
            (reader.read(buffer).await, permit)
        };
        tokio::select! {
            biased;
            answer = answered(&mut self.in_flight), if self.in_flight.is_some() => Happened::Answered(answer),
            // Before the read, or a sender that never pauses would keep the program from ending.
            () = stopped(shutdown) => Happened::Stopped,
            (result, permit) = read, if may_read => Happened::Read(result, permit),
            () = sleep_until(idle_at) => Happened::Idle,
        }
    }

    /// Takes what the kernel already holds of this connection, as far as the connection's bound allows.
    async fn take_what_came(&mut self) {
        for _ in 0..CONNECTION_BYTES_MAX / READ_BYTES {
            let Ok(permit) = self.shared.budget.clone().try_acquire_many_owned(READ_PERMITS) else { return };
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
        self.shared.stats.made(&records);
        drop(permit.split(READ_BYTES - count));
        self.pending.bytes += count;
        self.pending.records.extend(records);
        match &mut self.pending.permit {
            Some(held) => held.merge(permit),
            held => *held = Some(permit),
        }
    }

    /// Hands what is pending to the journal, one batch at a time so that a refused batch keeps its place.
    fn hand_over(&mut self) {
        if self.in_flight.is_some() {
            return;
        }
        let batch = std::mem::take(&mut self.pending);
        if batch.records.is_empty() {
            // Part of a frame: the framer holds it, and its own bound is the connection's.
            return;
        }
        let (sender, answer) = oneshot::channel();
        let done = move |result| {
            // Nobody waits any more when the task was aborted; the records are the journal's all the same.
            drop(sender.send(result));
        };
        self.shared.sink.submit(Lane::Live, batch.records.clone(), Box::new(done));
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
            Err(SinkRefused::CannotWrite(_) | SinkRefused::Closed) => {
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
        if let (Some(held), Some(more)) = (&mut batch.permit, later.permit) {
            held.merge(more);
        }
        self.pending = batch;
    }

    /// The connection has ended: everything that was read reaches the journal, also the line that was begun.
    async fn drain(&mut self) {
        let last = self.stream.finish();
        self.shared.stats.made(&last);
        self.pending.records.extend(last);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syslog::tests_support::MemorySink;
    use monban_event::SystemClock;
    use tokio::io::AsyncWriteExt;

    struct Server {
        addr: SocketAddr,
        sink: Arc<MemorySink>,
        stats: Arc<ReceiverStats>,
        stop: watch::Sender<bool>,
        task: tokio::task::JoinHandle<()>,
    }

    async fn server(sink: MemorySink, idle: Duration) -> Server {
        let sink = Arc::new(sink);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (stop, shutdown) = watch::channel(false);
        let stats = Arc::new(ReceiverStats::default());
        let addr = listener.local_addr().unwrap();
        let shared = Shared { idle, ..Shared::new(sink.clone(), Arc::new(SystemClock), shutdown, stats.clone()) };
        Server { addr, sink, stats, stop, task: tokio::spawn(serve(listener, shared)) }
    }

    async fn wait_for(server: &Server, count: usize) -> Vec<Record> {
        let sink = server.sink.clone();
        tokio::task::spawn_blocking(move || sink.wait_for(count)).await.unwrap()
    }

    #[tokio::test]
    async fn both_framings_and_the_unfinished_line_arrive() {
        let server = server(MemorySink::default(), IDLE).await;
        let mut sender = TcpStream::connect(server.addr).await.unwrap();
        sender.write_all(b"<13>a\n9 <13>b\nc\nd<13>e").await.unwrap();
        let peer = sender.local_addr().unwrap();
        drop(sender);
        let records = wait_for(&server, 3).await;
        let texts: Vec<_> = records.iter().map(|record| record.bytes.as_slice()).collect();
        assert_eq!(texts, [&b"<13>a"[..], b"<13>b\nc\nd", b"<13>e"]);
        assert_eq!(records[0].peer, Some(peer));
        assert_eq!(records[0].transport, Transport::Tcp);
    }

    #[tokio::test]
    async fn shutdown_hands_over_what_was_read() {
        let server = server(MemorySink::default(), IDLE).await;
        let mut sender = TcpStream::connect(server.addr).await.unwrap();
        sender.write_all(b"<13>a\n<13>unfinished").await.unwrap();
        wait_for(&server, 1).await;
        server.stop.send(true).unwrap();
        server.task.await.unwrap();
        assert_eq!(server.sink.records().last().unwrap().bytes, b"<13>unfinished");
        assert!(TcpStream::connect(server.addr).await.is_err());
        let counts = server.stats.counts();
        assert_eq!((counts.stored, counts.connections, counts.connections_closed), (2, 1, 1));
    }

    #[tokio::test]
    async fn a_journal_that_is_full_for_a_while_loses_nothing() {
        let server = server(MemorySink::full_for(3), IDLE).await;
        let mut sender = TcpStream::connect(server.addr).await.unwrap();
        for number in 0..2000 {
            sender.write_all(format!("<13>line {number}\n").as_bytes()).await.unwrap();
        }
        drop(sender);
        let records = wait_for(&server, 2000).await;
        for (number, record) in records.iter().enumerate() {
            assert_eq!(record.bytes, format!("<13>line {number}").as_bytes());
        }
        assert_eq!(server.stats.counts().refused, 0);
    }

    #[tokio::test]
    async fn a_journal_that_cannot_write_ends_the_connection_and_is_counted() {
        let server = server(MemorySink::refusing(), IDLE).await;
        let mut sender = TcpStream::connect(server.addr).await.unwrap();
        sender.write_all(b"<13>a\n").await.unwrap();
        assert_eq!(sender.read(&mut [0; 8]).await.unwrap_or(0), 0, "closed by us");
        server.stop.send(true).unwrap();
        server.task.await.unwrap();
        assert_eq!(server.stats.counts().refused, 1);
    }

    /// A journal that never answers: reading stops at the bound, the sender feels it.
    #[tokio::test]
    async fn a_slow_journal_is_felt_by_the_sender() {
        let server = server(MemorySink::silent(), IDLE).await;
        let mut sender = TcpStream::connect(server.addr).await.unwrap();
        let line = format!("<13>{}\n", "x".repeat(1000));
        let endless = async {
            loop {
                sender.write_all(line.as_bytes()).await.unwrap();
            }
        };
        // The kernel's own buffers take a few megabytes; after that the writer can only wait.
        assert!(tokio::time::timeout(Duration::from_millis(500), endless).await.is_err());
        let received = server.stats.counts().received_bytes;
        assert!(received > 0 && received <= (CONNECTION_BYTES_MAX + READ_BYTES) as u64, "{received}");
    }

    #[tokio::test]
    async fn a_silent_connection_is_closed() {
        let server = server(MemorySink::default(), Duration::from_millis(20)).await;
        let mut sender = TcpStream::connect(server.addr).await.unwrap();
        assert_eq!(sender.read(&mut [0; 8]).await.unwrap(), 0, "closed by us");
        assert_eq!(server.stats.counts().connections_idle, 1);
    }

    #[tokio::test]
    async fn one_address_cannot_take_every_seat() {
        let server = server(MemorySink::default(), IDLE).await;
        let mut senders = Vec::new();
        for _ in 0..CONNECTIONS_PER_PEER_MAX {
            let mut sender = TcpStream::connect(server.addr).await.unwrap();
            sender.write_all(b"<13>here\n").await.unwrap();
            senders.push(sender);
        }
        wait_for(&server, CONNECTIONS_PER_PEER_MAX).await;
        let mut refused = TcpStream::connect(server.addr).await.unwrap();
        assert_eq!(refused.read(&mut [0; 8]).await.unwrap_or(0), 0, "turned away");
        assert_eq!(server.stats.counts().connections_refused, 1);
    }
}
