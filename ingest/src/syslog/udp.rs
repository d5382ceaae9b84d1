//! Syslog over UDP. One thread does nothing but empty the kernel's buffer, a second hands records to the journal, and
//! a ring of records stands between them, so that a slow disk costs memory before it costs lines. Plain threads, not
//! tasks: a datagram that is not fetched in time is gone, and a busy async runtime is no excuse.
//!
//! What is lost is counted: by the kernel (`SO_RXQ_OVFL`), by the full ring, by the journal's refusal.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use monban_event::{Clock, Lane, Origin, Record, RecordSink};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, getsockopt, recvmmsg, setsockopt, sockopt,
};

use super::{ListenError, ReceiverStats, RecordMaker};

/// What we ask the kernel to hold for us: 8 MiB are about 25,000 lines, half a second of the largest burst measured.
pub const SOCKET_BUFFER_BYTES: usize = 8 << 20;

/// Records that may wait between socket and journal, in bytes with their overhead: some 100,000 lines, or seconds of a
/// disk that stands still. Beyond it new datagrams are dropped and counted.
pub const RING_BYTES_MAX: usize = 32 << 20;

/// Bytes handed to the journal and not yet on disk. Small against the journal's own queue, so that UDP alone is never
/// refused for a full queue.
const IN_FLIGHT_BYTES_MAX: usize = 16 << 20;

/// Records in one hand-over: enough to make locking cheap, few enough to reach the journal's next group commit.
const BATCH_RECORDS_MAX: usize = 2048;

/// Datagrams fetched by one system call.
const FETCH_MAX: usize = 64;

/// A datagram cannot be longer.
const DATAGRAM_BYTES_MAX: usize = 65_536;

/// What a queued record costs beside its bytes.
const RECORD_OVERHEAD_BYTES: usize = 160;

/// How soon the reading thread notices that it is to stop.
const STOP_CHECK: Duration = Duration::from_millis(200);

/// Fetches made after the order to stop, to take what the kernel still holds: 8 MiB of short lines.
const LAST_FETCHES_MAX: usize = 1024;

/// A running UDP receiver. Dropping it stops the threads without waiting for them.
#[derive(Debug)]
pub struct UdpHandle {
    pub local_addr: SocketAddr,
    pub stats: Arc<ReceiverStats>,
    /// Bytes of buffer the kernel granted; less than [`SOCKET_BUFFER_BYTES`] without the right to ask for more.
    pub granted_buffer: usize,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl UdpHandle {
    /// Takes what the kernel still holds, hands all of it to the journal, waits for the answers and ends the threads.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has already said so on stderr.
            drop(thread.join());
        }
    }
}

impl Drop for UdpHandle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Binds `addr` and begins to receive.
pub fn start_udp(addr: SocketAddr, sink: Arc<dyn RecordSink>, clock: Arc<dyn Clock>) -> Result<UdpHandle, ListenError> {
    let fail = |what| move |source| ListenError { what, addr, source };
    let socket = UdpSocket::bind(addr).map_err(fail("bind UDP"))?;
    let local_addr = socket.local_addr().map_err(fail("ask for the UDP address"))?;
    let granted_buffer = prepare(&socket).map_err(fail("prepare the UDP socket"))?;
    let stats = Arc::new(ReceiverStats::default());
    let stop = Arc::new(AtomicBool::new(false));
    let ring = Arc::new(Ring::default());
    let maker = RecordMaker { clock, origin: Origin::Live };
    let reader = Reader { socket, maker, ring: ring.clone(), stats: stats.clone(), stop: stop.clone() };
    let writer_stats = stats.clone();
    let threads = vec![
        spawn("udp-read", move || reader.run()).map_err(fail("start the UDP thread"))?,
        spawn("udp-hand-over", move || hand_over(&ring, &*sink, &writer_stats))
            .map_err(fail("start the UDP thread"))?,
    ];
    Ok(UdpHandle { local_addr, stats, granted_buffer, stop, threads })
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}

/// Sets the socket's options and says how large a buffer was granted.
fn prepare(socket: &UdpSocket) -> io::Result<usize> {
    // Without CAP_NET_ADMIN the kernel caps the buffer at net.core.rmem_max; what it grants is reported, not required.
    if setsockopt(socket, sockopt::RcvBufForce, &SOCKET_BUFFER_BYTES).is_err() {
        setsockopt(socket, sockopt::RcvBuf, &SOCKET_BUFFER_BYTES)?;
    }
    setsockopt(socket, sockopt::RxqOvfl, &1)?;
    socket.set_read_timeout(Some(STOP_CHECK))?;
    // The kernel doubles the number for its own bookkeeping and answers with the doubled one (socket(7)).
    Ok(getsockopt(socket, sockopt::RcvBuf)? / 2)
}

/// The thread that empties the kernel's buffer.
struct Reader {
    socket: UdpSocket,
    maker: RecordMaker,
    ring: Arc<Ring>,
    stats: Arc<ReceiverStats>,
    stop: Arc<AtomicBool>,
}

impl Reader {
    fn run(self) {
        let mut buffers = vec![vec![0; DATAGRAM_BYTES_MAX]; FETCH_MAX];
        let mut dropped_seen = 0;
        while !self.stop.load(Ordering::Relaxed) {
            self.fetch(&mut buffers, MsgFlags::MSG_WAITFORONE, &mut dropped_seen);
        }
        for _ in 0..LAST_FETCHES_MAX {
            if self.fetch(&mut buffers, MsgFlags::MSG_DONTWAIT, &mut dropped_seen) == 0 {
                break;
            }
        }
        self.ring.close();
    }

    /// Fetches what is there, at most one batch, and returns how many datagrams that was.
    fn fetch(&self, buffers: &mut [Vec<u8>], flags: MsgFlags, dropped_seen: &mut u32) -> usize {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers.iter_mut().map(|one| [IoSliceMut::new(one)]).collect();
        // The kernel shortens the lengths in these headers to what the last datagram used, so each call needs new ones.
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(FETCH_MAX, Some(cmsg_space!(u32)));
        match recvmmsg(self.socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None) {
            Ok(messages) => self.take(messages, dropped_seen),
            Err(Errno::EAGAIN | Errno::EINTR) => 0,
            // ICMP errors of earlier traffic surface here; the socket itself goes on.
            Err(errno) => {
                tracing::warn!(%errno, "UDP receive failed");
                std::thread::sleep(STOP_CHECK);
                0
            }
        }
    }

    fn take<'a>(
        &self,
        messages: impl Iterator<Item = RecvMsg<'a, 'a, SockaddrStorage>>,
        dropped_seen: &mut u32,
    ) -> usize {
        let mut count = 0;
        let mut records = Vec::with_capacity(FETCH_MAX);
        for message in messages {
            count += 1;
            if let Some(dropped) = kernel_dropped(&message) {
                self.stats.kernel_dropped(u64::from(dropped.wrapping_sub(*dropped_seen)));
                *dropped_seen = dropped;
            }
            let Some(peer) = message.address.as_ref().and_then(socket_addr) else { continue };
            records.extend(self.maker.datagram(peer, message.iovs().next().unwrap_or_default()));
        }
        self.stats.empty((count - records.len()) as u64);
        self.stats.made(&records);
        self.stats.ring_dropped(self.ring.push(records));
        count
    }
}

/// The kernel's running count of datagrams this socket lost; sent along once it is above zero.
fn kernel_dropped(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<u32> {
    message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::RxqOvfl(dropped) => Some(dropped),
        _ => None,
    })
}

fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddr::V4((*address).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::V6((*address).into())))
}

/// Records between the two threads.
#[derive(Default)]
struct Ring {
    state: Mutex<RingState>,
    changed: Condvar,
}

#[derive(Default)]
struct RingState {
    records: VecDeque<Record>,
    bytes: usize,
    in_flight_bytes: usize,
    closed: bool,
}

impl Ring {
    /// Queues what fits and returns how many records did not.
    fn push(&self, records: Vec<Record>) -> u64 {
        let mut state = self.lock();
        let mut dropped = 0;
        for record in records {
            let cost = cost(&record);
            if state.bytes + cost > RING_BYTES_MAX {
                dropped += 1;
            } else {
                state.bytes += cost;
                state.records.push_back(record);
            }
        }
        self.changed.notify_all();
        dropped
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for records and for room in flight. `None` once the ring is closed, empty, and all is answered.
    fn next_batch(&self) -> Option<(Vec<Record>, usize)> {
        let mut state = self.lock();
        loop {
            if !state.records.is_empty() && state.in_flight_bytes < IN_FLIGHT_BYTES_MAX {
                let count = state.records.len().min(BATCH_RECORDS_MAX);
                let batch: Vec<Record> = state.records.drain(..count).collect();
                let bytes = batch.iter().map(cost).sum();
                state.bytes -= bytes;
                state.in_flight_bytes += bytes;
                return Some((batch, bytes));
            }
            if state.closed && state.records.is_empty() && state.in_flight_bytes == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn landed(&self, bytes: usize) {
        self.lock().in_flight_bytes -= bytes;
        self.changed.notify_all();
    }

    /// The state is whole after every statement, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, RingState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(record: &Record) -> usize {
    record.bytes.len() + RECORD_OVERHEAD_BYTES
}

/// Bytes in flight; given back when the journal answers, or when it forgets to.
struct InFlight {
    ring: Arc<Ring>,
    bytes: usize,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.ring.landed(self.bytes);
    }
}

/// The thread that hands records to the journal, at the journal's pace.
fn hand_over(ring: &Arc<Ring>, sink: &dyn RecordSink, stats: &Arc<ReceiverStats>) {
    while let Some((records, bytes)) = ring.next_batch() {
        let count = records.len() as u64;
        let in_flight = InFlight { ring: ring.clone(), bytes };
        let stats = stats.clone();
        let done = move |answer: Result<_, _>| {
            match answer {
                Ok(_) => stats.stored(count),
                Err(_) => stats.refused(count),
            }
            drop(in_flight);
        };
        sink.submit(Lane::Live, records, Box::new(done));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syslog::tests_support::MemorySink;
    use monban_event::SystemClock;

    fn start(sink: &Arc<MemorySink>) -> UdpHandle {
        start_udp("127.0.0.1:0".parse().unwrap(), sink.clone(), Arc::new(SystemClock)).unwrap()
    }

    #[test]
    fn datagrams_reach_the_sink_in_order() {
        let sink = Arc::new(MemorySink::default());
        let handle = start(&sink);
        assert!(handle.granted_buffer > 0);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for number in 0..500 {
            sender.send_to(format!("<13>line {number}\n").as_bytes(), handle.local_addr).unwrap();
        }
        sender.send_to(b"\n", handle.local_addr).unwrap();
        let records = sink.wait_for(500);
        let stats = handle.stats.clone();
        handle.stop();
        assert_eq!(records[499].bytes, b"<13>line 499");
        assert_eq!(records[0].peer, Some(sender.local_addr().unwrap()));
        let counts = stats.counts();
        assert_eq!((counts.received, counts.stored, counts.empty, counts.refused), (500, 500, 1, 0));
    }

    #[test]
    fn what_the_kernel_holds_is_taken_on_stop() {
        let sink = Arc::new(MemorySink::default());
        let handle = start(&sink);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            sender.send_to(b"<13>x", handle.local_addr).unwrap();
        }
        handle.stop();
        assert_eq!(sink.records().len(), 100);
    }

    #[test]
    fn refusals_are_counted() {
        let sink = Arc::new(MemorySink::refusing());
        let handle = start(&sink);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(b"<13>x", handle.local_addr).unwrap();
        let stats = handle.stats.clone();
        handle.stop();
        assert_eq!((stats.counts().received, stats.counts().refused, stats.counts().stored), (1, 1, 0));
    }

    /// A journal that never answers: the ring fills, what does not fit is counted, memory stays bounded.
    #[test]
    fn a_full_ring_counts_what_it_drops() {
        let ring = Ring::default();
        let maker = RecordMaker { clock: Arc::new(SystemClock), origin: Origin::Live };
        let peer = "192.0.2.1:514".parse().unwrap();
        let record = maker.datagram(peer, &vec![b'x'; 60_000]).unwrap();
        let fits = RING_BYTES_MAX / cost(&record);
        assert_eq!(ring.push(vec![record; fits + 3]), 3);
        let (batch, bytes) = ring.next_batch().unwrap();
        assert!(bytes <= RING_BYTES_MAX);
        assert_eq!(batch.len(), fits.min(BATCH_RECORDS_MAX));
    }

    /// Nobody reads while more comes than the kernel holds: what it drops is told with the next datagram.
    #[test]
    fn the_kernels_drops_are_counted() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        prepare(&socket).unwrap();
        setsockopt(&socket, sockopt::RcvBuf, &4096).unwrap();
        let (target, sender) = (socket.local_addr().unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let reader = Reader {
            socket,
            maker: RecordMaker { clock: Arc::new(SystemClock), origin: Origin::Live },
            ring: Arc::default(),
            stats: Arc::default(),
            stop: Arc::default(),
        };
        let mut buffers = vec![vec![0; DATAGRAM_BYTES_MAX]; FETCH_MAX];
        let mut dropped_seen = 0;
        for _ in 0..2 {
            for _ in 0..200 {
                sender.send_to(b"<13>x", target).unwrap();
            }
            while reader.fetch(&mut buffers, MsgFlags::MSG_DONTWAIT, &mut dropped_seen) > 0 {}
        }
        sender.send_to(b"<13>last", target).unwrap();
        assert_eq!(reader.fetch(&mut buffers, MsgFlags::MSG_DONTWAIT, &mut dropped_seen), 1);
        let counts = reader.stats.counts();
        assert!(counts.kernel_dropped > 0 && counts.received > 1);
        assert_eq!(counts.received + counts.kernel_dropped, 401);
    }

    #[test]
    fn an_address_that_is_taken_is_named() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = taken.local_addr().unwrap();
        let error = start_udp(addr, Arc::new(MemorySink::default()), Arc::new(SystemClock)).unwrap_err();
        assert_eq!(error.to_string(), format!("bind UDP {addr}"));
    }
}
