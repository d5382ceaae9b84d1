//! Syslog receivers. They own sockets and the bytes between a socket and the journal's door; they must never parse a
//! message, and never lose one uncounted. What a receiver makes is a [`Record`]: the bytes of one frame and the facts
//! of its receipt. [`RecordMaker`] and [`StreamReceiver`] do that without a socket, so the demo hospital's lines take
//! the very same path as a device's.
//!
//! What can be lost before the journal is counted in [`ReceiverStats`]: datagrams that the kernel dropped, that found
//! the ring full, lines beyond the rate that their source may send, and records that the journal refused.
//!
//! RELP is not spoken: there is no maintained Rust library of it, and TLS with octet counting is what devices have.

mod connection;
mod drops;
pub mod framing;
mod listeners;
mod rate;
mod ring;
mod seats;
mod stats;
mod tcp;
#[cfg(test)]
mod tests_support;
pub mod tls;
pub mod udp;

use std::net::SocketAddr;
use std::sync::Arc;

use monban_event::{Clock, Format, Origin, Record, RecordSink, Transport};

use framing::{Frame, Framer, datagram_body};
pub use listeners::{ListenError, ListenerStatus, ListenerWatch, Loss, SyslogListeners, SyslogSettings};
pub use rate::LineRate;
pub use stats::{ReceiverCounts, ReceiverStats};
pub use udp::SOCKET_BUFFER_BYTES;

/// What every receiver needs: where records go, what time it is, and how fast a source may be.
#[derive(Clone)]
pub struct Receiving {
    pub sink: Arc<dyn RecordSink>,
    pub clock: Arc<dyn Clock>,
    pub line_rate: Arc<LineRate>,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Sender {
    pub peer: SocketAddr,
    pub transport: Transport,
    /// The name that its certificate proved.
    pub identity: Option<Arc<str>>,
}

/// Makes records of frames: where receipt time and origin come from.
#[derive(Clone)]
pub struct RecordMaker {
    pub clock: Arc<dyn Clock>,
    pub origin: Origin,
}

impl RecordMaker {
    /// The record of one datagram; `None` where it holds nothing but a trailer.
    pub fn datagram(&self, peer: SocketAddr, bytes: &[u8]) -> Option<Record> {
        let body = datagram_body(bytes);
        (!body.is_empty()).then(|| self.whole(Some(peer), Transport::Udp, Format::Syslog, body.to_vec()))
    }

    /// A receiver for one connection.
    pub fn stream(&self, sender: Sender) -> StreamReceiver {
        StreamReceiver { maker: self.clone(), sender, framer: Framer::default(), frames: Vec::new() }
    }

    /// A record of bytes that need no framing.
    pub fn whole(&self, peer: Option<SocketAddr>, transport: Transport, format: Format, bytes: Vec<u8>) -> Record {
        Record {
            received_at: self.clock.now(),
            origin: self.origin,
            transport,
            peer: peer.map(canonical),
            identity: None,
            format,
            file: None,
            bytes,
            cut: false,
        }
    }
}

/// A sender that reaches a dual-stack socket by IPv4 is that IPv4 address, not `::ffff:192.0.2.1`.
fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

/// One connection: bytes in, records out.
pub struct StreamReceiver {
    maker: RecordMaker,
    sender: Sender,
    framer: Framer,
    frames: Vec<Frame>,
}

impl StreamReceiver {
    /// The records that these bytes complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Record> {
        self.framer.push(bytes, &mut self.frames);
        self.records()
    }

    /// The record of what was begun, before it is whole; what is still to come of it becomes another one.
    pub fn hand_out(&mut self) -> Vec<Record> {
        self.framer.hand_out(&mut self.frames);
        self.records()
    }

    /// Bytes held of a frame that is not whole.
    pub fn held_bytes(&self) -> usize {
        self.framer.held_bytes()
    }

    /// The connection has ended: the record of what was begun.
    pub fn finish(&mut self) -> Vec<Record> {
        self.framer.finish(&mut self.frames);
        self.records()
    }

    /// Bytes beyond the longest frame that were dropped.
    pub fn discarded_bytes(&self) -> u64 {
        self.framer.discarded_bytes()
    }

    fn records(&mut self) -> Vec<Record> {
        let (maker, Sender { peer, transport, identity }) = (&self.maker, &self.sender);
        let record = |frame: Frame| Record {
            cut: frame.cut,
            identity: identity.clone(),
            ..maker.whole(Some(*peer), *transport, Format::Syslog, frame.bytes)
        };
        self.frames.drain(..).map(record).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use monban_event::SimulatedClock;

    fn maker() -> RecordMaker {
        let clock = SimulatedClock::at("2026-10-01T00:00:00Z".parse().unwrap());
        RecordMaker { clock: Arc::new(clock), origin: Origin::Demo }
    }

    #[test]
    fn a_datagram_becomes_a_record_with_the_facts_of_its_receipt() {
        let record = maker().datagram("[::ffff:192.0.2.7]:514".parse().unwrap(), b"<13>a\n").unwrap();
        assert_eq!(record.peer, Some("192.0.2.7:514".parse().unwrap()));
        assert_eq!((record.bytes.as_slice(), record.cut), (&b"<13>a"[..], false));
        assert_eq!((record.transport, record.origin), (Transport::Udp, Origin::Demo));
        assert_eq!(record.received_at, "2026-10-01T00:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap());
        assert_eq!(maker().datagram("192.0.2.7:514".parse().unwrap(), b"\n"), None);
    }

    #[test]
    fn a_stream_gives_its_last_line_when_it_ends() {
        let mut stream = maker().stream(Sender {
            peer: "192.0.2.7:40000".parse().unwrap(),
            transport: Transport::Tcp,
            identity: Some(Arc::from("fw1.hospital.example")),
        });
        assert_eq!(stream.push(b"<13>a\n<13>").len(), 1);
        assert_eq!(stream.push(b"b").len(), 0);
        let last = stream.finish();
        assert_eq!(last.len(), 1);
        assert_eq!(last[0].bytes, b"<13>b");
        assert_eq!(last[0].identity.as_deref(), Some("fw1.hospital.example"));
    }
}
