//! Syslog over UDP. One thread does nothing but empty the kernel's buffer, a second hands records to the journal, and
//! a ring of records stands between them, so that a slow disk costs memory before it costs lines. Plain threads, not
//! tasks: a datagram that is not fetched in time is gone, and a busy async runtime is no excuse.
//!
//! What is lost is counted: by the kernel (see [`super::drops`]), by the line rate, by the full ring, by the journal's
//! refusal. So of every datagram that reached the socket it is known what became of it: stored + empty + refused +
//! dropped, by reason, is what was sent.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use monban_event::{Lane, Origin, RecordSink};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, getsockopt, recvmmsg, setsockopt, sockopt,
};

use super::drops::KernelDrops;
use super::ring::{InFlight, Ring};
use super::{LineRate, ListenError, ReceiverStats, Receiving, RecordMaker};

/// What we ask the kernel to hold for us: 8 MiB are about 25,000 lines, half a second of the largest burst measured.
pub const SOCKET_BUFFER_BYTES: usize = 8 << 20;

/// Datagrams fetched by one system call.
const FETCH_MAX: usize = 64;

/// A datagram cannot be longer.
const DATAGRAM_BYTES_MAX: usize = 65_536;

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
    pub(super) drops: Arc<KernelDrops>,
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
pub fn start_udp(addr: SocketAddr, receiving: &Receiving) -> Result<UdpHandle, ListenError> {
    let fail = |what| move |source| ListenError { what, addr, source };
    let socket = UdpSocket::bind(addr).map_err(fail("bind UDP"))?;
    let local_addr = socket.local_addr().map_err(fail("ask for the UDP address"))?;
    let granted_buffer = prepare(&socket).map_err(fail("prepare the UDP socket"))?;
    let drops = Arc::new(KernelDrops::of(&socket).map_err(fail("look at the UDP socket"))?);
    let stats = Arc::new(ReceiverStats::default());
    let stop = Arc::new(AtomicBool::new(false));
    let ring = Arc::new(Ring::default());
    let reader = Reader {
        socket,
        maker: RecordMaker { clock: receiving.clock.clone(), origin: Origin::Live },
        ring: ring.clone(),
        line_rate: receiving.line_rate.clone(),
        drops: drops.clone(),
        stats: stats.clone(),
        stop: stop.clone(),
    };
    let (sink, writer_stats) = (receiving.sink.clone(), stats.clone());
    let threads = vec![
        spawn("udp-read", move || reader.run()).map_err(fail("start the UDP thread"))?,
        spawn("udp-hand-over", move || hand_over(&ring, &*sink, &writer_stats))
            .map_err(fail("start the UDP thread"))?,
    ];
    Ok(UdpHandle { local_addr, stats, granted_buffer, drops, stop, threads })
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
    line_rate: Arc<LineRate>,
    drops: Arc<KernelDrops>,
    stats: Arc<ReceiverStats>,
    stop: Arc<AtomicBool>,
}

impl Reader {
    fn run(self) {
        let mut buffers = vec![vec![0; DATAGRAM_BYTES_MAX]; FETCH_MAX];
        while !self.stop.load(Ordering::Relaxed) {
            self.fetch(&mut buffers, MsgFlags::MSG_WAITFORONE);
        }
        for _ in 0..LAST_FETCHES_MAX {
            if self.fetch(&mut buffers, MsgFlags::MSG_DONTWAIT) == 0 {
                break;
            }
        }
        // The kernel forgets its count with the socket.
        self.drops.refresh(&self.stats);
        self.ring.close();
    }

    /// Fetches what is there, at most one batch, and returns how many datagrams that was.
    fn fetch(&self, buffers: &mut [Vec<u8>], flags: MsgFlags) -> usize {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers.iter_mut().map(|one| [IoSliceMut::new(one)]).collect();
        // The kernel shortens the lengths in these headers to what the last datagram used, so each call needs new ones.
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(FETCH_MAX, Some(cmsg_space!(u32)));
        match recvmmsg(self.socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None) {
            Ok(messages) => self.take(messages),
            Err(Errno::EAGAIN | Errno::EINTR) => 0,
            // ICMP errors of earlier traffic surface here; the socket itself goes on.
            Err(errno) => {
                tracing::warn!(%errno, "UDP receive failed");
                std::thread::sleep(STOP_CHECK);
                0
            }
        }
    }

    fn take<'a>(&self, messages: impl Iterator<Item = RecvMsg<'a, 'a, SockaddrStorage>>) -> usize {
        let mut count = 0;
        let mut records = Vec::with_capacity(FETCH_MAX);
        for message in messages {
            count += 1;
            if let Some(dropped) = kernel_dropped(&message) {
                self.drops.advance(dropped, &self.stats);
            }
            let Some(peer) = message.address.as_ref().and_then(socket_addr) else { continue };
            records.extend(self.maker.datagram(peer, message.iovs().next().unwrap_or_default()));
        }
        self.stats.empty((count - records.len()) as u64);
        self.stats.made(&records);
        self.stats.rate_limited(self.line_rate.refuse_excess(&mut records));
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
    use crate::syslog::tests_support::receiving;
    use monban_event::SystemClock;

    fn start(sink: &Arc<MemorySink>) -> UdpHandle {
        start_udp("127.0.0.1:0".parse().unwrap(), &receiving(sink)).unwrap()
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

    /// Nobody reads while more comes than the kernel holds.
    #[test]
    fn the_kernels_drops_are_counted_also_behind_the_last_datagram() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        prepare(&socket).unwrap();
        setsockopt(&socket, sockopt::RcvBuf, &4096).unwrap();
        let (target, sender) = (socket.local_addr().unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let reader = Reader {
            drops: Arc::new(KernelDrops::of(&socket).unwrap()),
            socket,
            maker: RecordMaker { clock: Arc::new(SystemClock), origin: Origin::Live },
            ring: Arc::default(),
            line_rate: Arc::default(),
            stats: Arc::default(),
            stop: Arc::default(),
        };
        let mut buffers = vec![vec![0; DATAGRAM_BYTES_MAX]; FETCH_MAX];
        for round in 1..=3 {
            for _ in 0..200 {
                sender.send_to(b"<13>x", target).unwrap();
            }
            while reader.fetch(&mut buffers, MsgFlags::MSG_DONTWAIT) > 0 {}
            let before = reader.stats.counts();
            assert!(before.received + before.kernel_dropped < round * 200, "the last drops are not told by a datagram");
            reader.drops.refresh(&reader.stats);
            let counts = reader.stats.counts();
            assert!(counts.kernel_dropped > before.kernel_dropped && counts.received > 1);
            assert_eq!(counts.received + counts.kernel_dropped, round * 200);
        }
    }

    #[test]
    fn what_is_sent_too_fast_is_refused_and_counted() {
        let sink = Arc::new(MemorySink::default());
        let receiving =
            Receiving { line_rate: Arc::new(LineRate::new(std::num::NonZeroU32::new(5))), ..receiving(&sink) };
        let handle = start_udp("127.0.0.1:0".parse().unwrap(), &receiving).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..200 {
            sender.send_to(b"<13>x", handle.local_addr).unwrap();
        }
        let stats = handle.stats.clone();
        handle.stop();
        let counts = stats.counts();
        assert_eq!((counts.received, counts.stored + counts.rate_limited), (200, 200));
        assert!(counts.rate_limited > 0 && counts.stored >= 5);
    }

    #[test]
    fn an_address_that_is_taken_is_named() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = taken.local_addr().unwrap();
        let error = start_udp(addr, &receiving(&Arc::default())).unwrap_err();
        assert_eq!(error.to_string(), format!("bind UDP {addr}"));
    }
}
