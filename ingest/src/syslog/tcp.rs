//! Syslog over TCP, and the door that TLS shares with it: who is let in, how many, and for how long they may be silent.
//! What a connection then does is in [`super::connection`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use monban_event::Transport;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::connection::receive;
use super::seats::{Seat, Seats};
use super::tls::TlsDoor;
use super::{ReceiverStats, Receiving, Sender};

/// Bytes read by all connections and not yet on disk. Half of the journal's queue; beyond it nobody is read.
pub(super) const BUDGET_BYTES: usize = 32 << 20;

/// Bytes of unfinished frames over all connections, beyond the little that each may always hold. Some dozens of senders
/// may send frames of the longest kind at once; beyond it such a frame is handed out in pieces.
pub(super) const UNFINISHED_BYTES_MAX: usize = 32 << 20;

/// A connection on which nothing comes for so long is closed. Long, because a plain TCP sender learns of it only by
/// losing its next line; a sender that is gone is found by keepalive, and one in the way by its place being needed.
pub(super) const IDLE: Duration = Duration::from_hours(24);

/// A frame that is not whole by then is handed out as it is: its sender has stalled, or ends its lines with nothing.
pub(super) const SLOW_FRAME: Duration = Duration::from_secs(30);

/// Keepalive probes find a sender that vanished without closing: first after a minute, gone after two.
const KEEPALIVE_AFTER_SECONDS: u32 = 60;
const KEEPALIVE_EVERY_SECONDS: u32 = 10;
const KEEPALIVE_PROBES: u32 = 6;

/// How long to wait before the next accept when the system has no descriptor to give.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// What all stream listeners share.
#[derive(Clone)]
pub(super) struct Limits {
    pub(super) budget: Arc<Semaphore>,
    pub(super) unfinished: Arc<Semaphore>,
    pub(super) seats: Arc<Seats>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            budget: Arc::new(Semaphore::new(BUDGET_BYTES)),
            unfinished: Arc::new(Semaphore::new(UNFINISHED_BYTES_MAX)),
            seats: Arc::default(),
        }
    }
}

/// How long a connection may take.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub(super) idle: Duration,
    pub(super) slow_frame: Duration,
}

/// What all connections of a listener share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) receiving: Receiving,
    pub(super) limits: Limits,
    pub(super) stats: Arc<ReceiverStats>,
    /// Turns true, or loses its sender, when receivers are to end.
    pub(super) shutdown: watch::Receiver<bool>,
    pub(super) patience: Patience,
}

impl Shared {
    pub(super) fn new(receiving: Receiving, limits: Limits, shutdown: watch::Receiver<bool>) -> Self {
        let patience = Patience { idle: IDLE, slow_frame: SLOW_FRAME };
        Self { receiving, limits, stats: Arc::default(), shutdown, patience }
    }

    /// Counts a connection that is not served, and tells of it unless it is one of a flood.
    pub(super) fn turn_away(&self, transport: Transport, peer: SocketAddr, reason: &'static str) {
        self.stats.turn_away(reason);
        if let Some(count) = self.limits.seats.tell(Instant::now()) {
            let (transport, peer) = (transport.as_str(), peer.ip().to_canonical());
            tracing::warn!(transport, %peer, reason, count, "syslog connections were turned away; this was the last");
        }
    }
}

/// What stands between accepting a connection and reading it.
#[derive(Clone)]
pub(super) enum Door {
    Plain,
    Tls(Arc<TlsDoor>),
}

impl Door {
    pub(super) fn fingerprint(&self) -> Option<&str> {
        match self {
            Self::Plain => None,
            Self::Tls(door) => Some(door.fingerprint()),
        }
    }

    pub(super) fn transport(&self) -> Transport {
        match self {
            Self::Plain => Transport::Tcp,
            Self::Tls(_) => Transport::Tls,
        }
    }
}

/// Accepts connections until shutdown, then hands over everything that was read and returns.
pub(super) async fn serve(listener: TcpListener, door: Door, shared: Shared) {
    let mut shutdown = shared.shutdown.clone();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopped(&mut shutdown) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => admit(stream, peer, &door, &shared, &mut connections),
                Err(error) => {
                    if let Some(count) = shared.limits.seats.tell(Instant::now()) {
                        tracing::warn!(%error, count, "TCP accept failed");
                    }
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Returns when receivers are to end.
pub(super) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // A lost sender means that the program is ending too.
    drop(shutdown.wait_for(|stop| *stop).await);
}

fn admit(stream: TcpStream, peer: SocketAddr, door: &Door, shared: &Shared, connections: &mut JoinSet<()>) {
    let Some(seat) = shared.limits.seats.ask(peer.ip().to_canonical(), Instant::now()) else {
        return shared.turn_away(door.transport(), peer, "too many are open");
    };
    if let Err(error) = probe_when_silent(&stream) {
        tracing::debug!(%error, "TCP keepalive not set");
    }
    connections.spawn(enter(stream, peer, seat, door.clone(), shared.clone()));
}

fn probe_when_silent(stream: &TcpStream) -> Result<(), nix::errno::Errno> {
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    setsockopt(stream, sockopt::TcpKeepIdle, &KEEPALIVE_AFTER_SECONDS)?;
    setsockopt(stream, sockopt::TcpKeepInterval, &KEEPALIVE_EVERY_SECONDS)?;
    setsockopt(stream, sockopt::TcpKeepCount, &KEEPALIVE_PROBES)
}

/// One connection from the door to its end.
async fn enter(stream: TcpStream, peer: SocketAddr, seat: Seat, door: Door, shared: Shared) {
    let mut sender = Sender { peer, transport: door.transport(), identity: None };
    let Door::Tls(door) = door else { return receive(stream, sender, &seat, shared).await };
    let mut shutdown = shared.shutdown.clone();
    let shaken = tokio::select! {
        shaken = door.shake_hands(stream) => shaken,
        () = seat.displaced() => return shared.stats.connections_displaced(1),
        () = stopped(&mut shutdown) => return,
    };
    match shaken {
        Ok((mut stream, identity)) => {
            sender.identity = identity;
            receive(&mut stream, sender, &seat, shared).await;
            TlsDoor::say_goodbye(stream).await;
        }
        Err(reason) => shared.turn_away(Transport::Tls, peer, reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syslog::connection::{CONNECTION_BYTES_MAX, READ_BYTES};
    use crate::syslog::framing::Frame;
    use crate::syslog::seats::CONNECTIONS_PER_PEER_MAX;
    use crate::syslog::tests_support::{MemorySink, receiving};
    use monban_event::Record;
    use monban_event::limits::RECORD_BYTES_MAX;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const PATIENT: Patience = Patience { idle: IDLE, slow_frame: SLOW_FRAME };

    struct Server {
        addr: SocketAddr,
        sink: Arc<MemorySink>,
        stats: Arc<ReceiverStats>,
        stop: watch::Sender<bool>,
        task: tokio::task::JoinHandle<()>,
    }

    async fn server(sink: MemorySink, patience: Patience) -> Server {
        limited_server(sink, patience, Limits::default()).await
    }

    async fn limited_server(sink: MemorySink, patience: Patience, limits: Limits) -> Server {
        let sink = Arc::new(sink);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (stop, shutdown) = watch::channel(false);
        let addr = listener.local_addr().unwrap();
        let shared = Shared { patience, ..Shared::new(receiving(&sink), limits, shutdown) };
        Server {
            addr,
            sink,
            stats: shared.stats.clone(),
            stop,
            task: tokio::spawn(serve(listener, Door::Plain, shared)),
        }
    }

    async fn wait_for(server: &Server, count: usize) -> Vec<Record> {
        let sink = server.sink.clone();
        tokio::task::spawn_blocking(move || sink.wait_for(count)).await.unwrap()
    }

    #[tokio::test]
    async fn both_framings_and_the_unfinished_line_arrive() {
        let server = server(MemorySink::default(), PATIENT).await;
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
        let server = server(MemorySink::default(), PATIENT).await;
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
        let server = server(MemorySink::full_for(3), PATIENT).await;
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
        let server = server(MemorySink::refusing(), PATIENT).await;
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
        let server = server(MemorySink::silent(), PATIENT).await;
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
        let server = server(MemorySink::default(), Patience { idle: Duration::from_millis(20), ..PATIENT }).await;
        let mut sender = TcpStream::connect(server.addr).await.unwrap();
        assert_eq!(sender.read(&mut [0; 8]).await.unwrap(), 0, "closed by us");
        assert_eq!(server.stats.counts().connections_idle, 1);
    }

    /// Bytes and cut-mark of what a server received, in the order of arrival.
    fn frames(records: &[Record]) -> Vec<Frame> {
        records.iter().map(|record| Frame { bytes: record.bytes.clone(), cut: record.cut }).collect()
    }

    fn frame(bytes: &[u8], cut: bool) -> Frame {
        Frame { bytes: bytes.to_vec(), cut }
    }

    #[tokio::test]
    async fn a_frame_that_does_not_come_to_its_end_is_handed_out_and_goes_on() {
        let server = server(MemorySink::default(), Patience { slow_frame: Duration::from_millis(20), ..PATIENT }).await;
        let mut sender = TcpStream::connect(server.addr).await.unwrap();
        sender.write_all(b"<13>never ended").await.unwrap();
        wait_for(&server, 1).await;
        sender.write_all(b"8 <13>co").await.unwrap();
        wait_for(&server, 2).await;
        sender.write_all(b"de<13>next\n").await.unwrap();
        let records = wait_for(&server, 4).await;
        let expect =
            [frame(b"<13>never ended", true), frame(b"<13>co", true), frame(b"de", false), frame(b"<13>next", false)];
        assert_eq!(frames(&records), expect);
        assert_eq!(server.stats.counts().pieces, 2);
    }

    /// With no room for large frames they come in pieces, and nothing of them is missing; small ones come whole.
    #[tokio::test]
    async fn large_frames_share_a_bounded_room() {
        let limits = Limits { unfinished: Arc::new(Semaphore::new(100_000)), ..Limits::default() };
        let server = limited_server(MemorySink::default(), PATIENT, limits.clone()).await;
        let large = vec![b'x'; RECORD_BYTES_MAX / 2];
        let mut sender = TcpStream::connect(server.addr).await.unwrap();
        sender.write_all(format!("{} <13>", large.len() + 4).as_bytes()).await.unwrap();
        sender.write_all(&large).await.unwrap();
        sender.write_all(b"<13>small\n").await.unwrap();
        sender.shutdown().await.unwrap();
        assert_eq!(sender.read(&mut [0; 8]).await.unwrap(), 0, "closed when all is on disk");
        server.stop.send(true).unwrap();
        server.task.await.unwrap();
        let frames = frames(&server.sink.records());
        let (last, pieces) = frames.split_last().unwrap();
        assert_eq!(*last, frame(b"<13>small", false));
        assert!(pieces.len() > 1 && pieces[0].cut && pieces.iter().all(|piece| piece.bytes.len() < 200_000));
        assert_eq!(pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>(), large.len() + 4);
        assert_eq!(limits.unfinished.available_permits(), 100_000, "all room is given back");
        assert_eq!(limits.budget.available_permits(), BUDGET_BYTES);
    }

    #[tokio::test]
    async fn connections_beyond_the_places_are_turned_away_and_counted() {
        let server = server(MemorySink::default(), PATIENT).await;
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
        assert_eq!(server.stats.turned_away(), [("too many are open", 1)]);
    }

    /// Byte streams as devices send them, and the frames that a person would see in them.
    #[tokio::test]
    async fn streams_of_the_field_arrive_frame_by_frame() {
        let counted = |text: &str| format!("{} {text}", text.len());
        let streams: [(String, &[&str]); 9] = [
            (
                counted("<134>1 - fw1 app - - - one") + &counted("<134>1 - fw1 app - - - two\nlines"),
                &["<134>1 - fw1 app - - - one", "<134>1 - fw1 app - - - two\nlines"],
            ),
            ("<134>one\n<134>two\n".to_owned(), &["<134>one", "<134>two"]),
            (
                counted("<134>one") + "<134>two\n" + &counted("<134>three\nlines"),
                &["<134>one", "<134>two", "<134>three\nlines"],
            ),
            ("<134>one\r\n<134>two\r\n".to_owned(), &["<134>one", "<134>two"]),
            (counted("<134>one\n") + &counted("<134>two"), &["<134>one", "<134>two"]),
            (counted("<189>date=2026-10-01 time=09:00:00"), &["<189>date=2026-10-01 time=09:00:00"]),
            ("2026/10/01 09:00:00 started\n<134>x\n".to_owned(), &["2026/10/01 09:00:00 started", "<134>x"]),
            ("\n\n\r\n\0\n".to_owned(), &[]),
            ("<134>one\0<134>two\0".to_owned(), &["<134>one", "<134>two"]),
        ];
        for (stream, expect) in streams {
            let server = server(MemorySink::default(), PATIENT).await;
            let mut sender = TcpStream::connect(server.addr).await.unwrap();
            sender.write_all(stream.as_bytes()).await.unwrap();
            sender.shutdown().await.unwrap();
            assert_eq!(sender.read(&mut [0; 8]).await.unwrap(), 0, "closed when all is on disk");
            let expect: Vec<_> = expect.iter().map(|text| frame(text.as_bytes(), false)).collect();
            assert_eq!(frames(&server.sink.records()), expect, "{stream:?}");
        }
    }

    #[tokio::test]
    async fn a_frame_of_200_kilobytes_arrives_whole() {
        let server = server(MemorySink::default(), PATIENT).await;
        let mut sender = TcpStream::connect(server.addr).await.unwrap();
        let text = format!("<134>{}", "A".repeat(200_000));
        sender.write_all(format!("{} {text}", text.len()).as_bytes()).await.unwrap();
        assert_eq!(frames(&wait_for(&server, 1).await), [frame(text.as_bytes(), false)]);
    }
}
