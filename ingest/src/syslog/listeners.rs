//! The syslog listeners of a configuration, opened and ended together.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use monban_event::{Clock, RecordSink, Transport};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::tcp::serve_tcp;
use super::udp::{UdpHandle, start_udp};
use super::{ReceiverCounts, ReceiverStats};

/// A listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{what} {addr}")]
pub struct ListenError {
    pub what: &'static str,
    pub addr: SocketAddr,
    pub source: io::Error,
}

/// All syslog listeners.
pub struct SyslogListeners {
    udp: Vec<UdpHandle>,
    tcp: Vec<TcpHandle>,
    stop: watch::Sender<bool>,
}

struct TcpHandle {
    local_addr: SocketAddr,
    stats: Arc<ReceiverStats>,
    task: JoinHandle<()>,
}

/// One listener as the health page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerStatus {
    pub transport: Transport,
    pub local_addr: SocketAddr,
    /// Bytes of kernel buffer granted; UDP only.
    pub granted_buffer: Option<usize>,
    pub counts: ReceiverCounts,
}

impl SyslogListeners {
    /// Binds every address; on the first that cannot be had, those already open are closed again.
    pub async fn open(
        udp: &[SocketAddr],
        tcp: &[SocketAddr],
        sink: Arc<dyn RecordSink>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ListenError> {
        let (stop, shutdown) = watch::channel(false);
        let mut listeners = Self { udp: Vec::new(), tcp: Vec::new(), stop };
        for &addr in udp {
            listeners.udp.push(start_udp(addr, sink.clone(), clock.clone())?);
        }
        for &addr in tcp {
            let fail = |what| move |source| ListenError { what, addr, source };
            let listener = TcpListener::bind(addr).await.map_err(fail("bind TCP"))?;
            let local_addr = listener.local_addr().map_err(fail("ask for the TCP address"))?;
            let stats = Arc::new(ReceiverStats::default());
            let serve = serve_tcp(listener, sink.clone(), clock.clone(), shutdown.clone(), stats.clone());
            listeners.tcp.push(TcpHandle { local_addr, stats, task: tokio::spawn(serve) });
        }
        Ok(listeners)
    }

    pub fn status(&self) -> Vec<ListenerStatus> {
        self.watch().status()
    }

    /// The counters, to be looked at from elsewhere for as long as anybody likes.
    pub fn watch(&self) -> ListenerWatch {
        let udp = self
            .udp
            .iter()
            .map(|handle| (Transport::Udp, handle.local_addr, Some(handle.granted_buffer), Arc::clone(&handle.stats)));
        let tcp = self.tcp.iter().map(|handle| (Transport::Tcp, handle.local_addr, None, Arc::clone(&handle.stats)));
        ListenerWatch(udp.chain(tcp).collect())
    }

    /// Stops accepting, hands over everything that was received and waits until the journal has answered.
    pub async fn stop(self) -> Vec<ListenerStatus> {
        self.stop.send_replace(true);
        let watch = self.watch();
        let threads: Vec<_> =
            self.udp.into_iter().map(|handle| tokio::task::spawn_blocking(move || handle.stop())).collect();
        for handle in self.tcp {
            // A task that panicked has said so; its counters still stand.
            drop(handle.task.await);
        }
        for thread in threads {
            drop(thread.await);
        }
        watch.status()
    }
}

/// What [`SyslogListeners::watch`] gives.
#[derive(Clone)]
pub struct ListenerWatch(Vec<(Transport, SocketAddr, Option<usize>, Arc<ReceiverStats>)>);

impl ListenerWatch {
    pub fn status(&self) -> Vec<ListenerStatus> {
        let status = |(transport, local_addr, granted_buffer, stats): &(_, _, _, Arc<ReceiverStats>)| ListenerStatus {
            transport: *transport,
            local_addr: *local_addr,
            granted_buffer: *granted_buffer,
            counts: stats.counts(),
        };
        self.0.iter().map(status).collect()
    }

    /// What was lost before the journal: receiver, reason, count since the start.
    pub fn losses(&self) -> Vec<(&'static str, &'static str, u64)> {
        let reasons = |status: &ListenerStatus| {
            let (receiver, counts) = (status.transport.as_str(), status.counts);
            [
                (receiver, "journal refused", counts.refused),
                (receiver, "receive ring full", counts.ring_dropped),
                (receiver, "kernel buffer full", counts.kernel_dropped),
            ]
        };
        self.status().iter().flat_map(reasons).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syslog::tests_support::MemorySink;
    use monban_event::SystemClock;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn opens_and_ends_both() {
        let sink = Arc::new(MemorySink::default());
        let any = ["127.0.0.1:0".parse().unwrap()];
        let listeners = SyslogListeners::open(&any, &any, sink.clone(), Arc::new(SystemClock)).await.unwrap();
        let status = listeners.status();
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.send_to(b"<13>udp", status[0].local_addr).unwrap();
        let mut tcp = tokio::net::TcpStream::connect(status[1].local_addr).await.unwrap();
        tcp.write_all(b"<13>tcp\n").await.unwrap();
        let waiting = sink.clone();
        tokio::task::spawn_blocking(move || waiting.wait_for(2)).await.unwrap();
        let last = listeners.stop().await;
        assert_eq!(last.iter().map(|line| line.counts.stored).collect::<Vec<_>>(), [1, 1]);
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = taken.local_addr().unwrap();
        let sink = Arc::new(MemorySink::default());
        let Err(error) = SyslogListeners::open(&[], &[addr], sink, Arc::new(SystemClock)).await else {
            panic!("the port is taken");
        };
        assert_eq!(error.to_string(), format!("bind TCP {addr}"));
    }
}
