//! The syslog listeners of a configuration, opened and ended together.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use monban_event::{Clock, RecordSink, Transport};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::drops::KernelDrops;
use super::tcp::{Door, Limits, Shared, serve};
use super::tls::TlsDoor;
use super::udp::{UdpHandle, start_udp};
use super::{LineRate, ReceiverCounts, ReceiverStats, Receiving};

/// A listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{what} {addr}")]
pub struct ListenError {
    pub what: &'static str,
    pub addr: SocketAddr,
    pub source: io::Error,
}

/// What to listen on.
#[derive(Default)]
pub struct SyslogSettings {
    pub udp: Vec<SocketAddr>,
    pub tcp: Vec<SocketAddr>,
    pub tls: Vec<(SocketAddr, TlsDoor)>,
    /// Lines a second that one source may send; more are refused and counted.
    pub lines_per_second: Option<NonZeroU32>,
}

/// All syslog listeners.
pub struct SyslogListeners {
    udp: Vec<UdpHandle>,
    tasks: Vec<JoinHandle<()>>,
    watch: ListenerWatch,
    stop: watch::Sender<bool>,
}

/// One listener as the health page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerStatus {
    pub transport: Transport,
    pub local_addr: SocketAddr,
    /// Bytes of kernel buffer granted; UDP only.
    pub granted_buffer: Option<usize>,
    /// SHA-256 of the certificate that it shows; TLS only.
    pub fingerprint: Option<String>,
    pub counts: ReceiverCounts,
    /// Connections turned away, by reason.
    pub turned_away: Vec<(&'static str, u64)>,
}

impl SyslogListeners {
    /// Binds every address; on the first that cannot be had, those already open are closed again.
    pub async fn open(
        settings: SyslogSettings,
        sink: Arc<dyn RecordSink>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ListenError> {
        let (stop, shutdown) = watch::channel(false);
        let line_rate = Arc::new(LineRate::new(settings.lines_per_second));
        let watch = ListenerWatch { watched: Vec::new(), line_rate: line_rate.clone() };
        let mut listeners = Self { udp: Vec::new(), tasks: Vec::new(), watch, stop };
        let shared = Shared::new(Receiving { sink, clock, line_rate }, Limits::default(), shutdown);
        for addr in settings.udp {
            listeners.open_udp(addr, &shared.receiving)?;
        }
        for addr in settings.tcp {
            listeners.open_stream(addr, Door::Plain, &shared).await?;
        }
        for (addr, door) in settings.tls {
            listeners.open_stream(addr, Door::Tls(Arc::new(door)), &shared).await?;
        }
        Ok(listeners)
    }

    fn open_udp(&mut self, addr: SocketAddr, receiving: &Receiving) -> Result<(), ListenError> {
        let handle = start_udp(addr, receiving)?;
        self.watch.watched.push(Watched {
            transport: Transport::Udp,
            local_addr: handle.local_addr,
            granted_buffer: Some(handle.granted_buffer),
            fingerprint: None,
            drops: Some(handle.drops.clone()),
            stats: handle.stats.clone(),
        });
        self.udp.push(handle);
        Ok(())
    }

    async fn open_stream(&mut self, addr: SocketAddr, door: Door, shared: &Shared) -> Result<(), ListenError> {
        let fail = |what| move |source| ListenError { what, addr, source };
        let listener = TcpListener::bind(addr).await.map_err(fail("bind TCP"))?;
        let local_addr = listener.local_addr().map_err(fail("ask for the TCP address"))?;
        let shared = Shared { stats: Arc::default(), ..shared.clone() };
        self.watch.watched.push(Watched {
            transport: door.transport(),
            local_addr,
            granted_buffer: None,
            fingerprint: door.fingerprint().map(str::to_owned),
            drops: None,
            stats: shared.stats.clone(),
        });
        self.tasks.push(tokio::spawn(serve(listener, door, shared)));
        Ok(())
    }

    pub fn status(&self) -> Vec<ListenerStatus> {
        self.watch.status()
    }

    /// The counters, to be looked at from elsewhere for as long as anybody likes.
    pub fn watch(&self) -> ListenerWatch {
        self.watch.clone()
    }

    /// Stops accepting, hands over everything that was received and waits until the journal has answered.
    pub async fn stop(self) -> Vec<ListenerStatus> {
        self.stop.send_replace(true);
        let threads: Vec<_> =
            self.udp.into_iter().map(|handle| tokio::task::spawn_blocking(move || handle.stop())).collect();
        for task in self.tasks {
            // A task that panicked has said so; its counters still stand.
            drop(task.await);
        }
        for thread in threads {
            drop(thread.await);
        }
        self.watch.status()
    }
}

/// What [`SyslogListeners::watch`] gives.
#[derive(Clone)]
pub struct ListenerWatch {
    watched: Vec<Watched>,
    line_rate: Arc<LineRate>,
}

#[derive(Clone)]
struct Watched {
    transport: Transport,
    local_addr: SocketAddr,
    granted_buffer: Option<usize>,
    fingerprint: Option<String>,
    drops: Option<Arc<KernelDrops>>,
    stats: Arc<ReceiverStats>,
}

/// Records that were lost before the journal, since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    pub receiver: &'static str,
    pub reason: String,
    pub count: u64,
}

impl Watched {
    fn status(&self) -> ListenerStatus {
        if let Some(drops) = &self.drops {
            drops.refresh(&self.stats);
        }
        ListenerStatus {
            transport: self.transport,
            local_addr: self.local_addr,
            granted_buffer: self.granted_buffer,
            fingerprint: self.fingerprint.clone(),
            counts: self.stats.counts(),
            turned_away: self.stats.turned_away(),
        }
    }
}

impl ListenerWatch {
    pub fn status(&self) -> Vec<ListenerStatus> {
        self.watched.iter().map(Watched::status).collect()
    }

    /// What was lost before the journal, as far as it was.
    pub fn losses(&self) -> Vec<Loss> {
        let reasons = |status: &ListenerStatus| {
            let (receiver, counts) = (status.transport.as_str(), status.counts);
            [
                ("journal refused", counts.refused),
                ("receive ring full", counts.ring_dropped),
                ("kernel buffer full", counts.kernel_dropped),
            ]
            .map(|(reason, count)| Loss { receiver, reason: reason.to_owned(), count })
        };
        let too_fast = self.line_rate.refused().into_iter().map(|(source, count)| {
            let source = source.map_or_else(|| "other sources".to_owned(), |source| source.to_string());
            Loss { receiver: "syslog", reason: format!("more lines a second than allowed: {source}"), count }
        });
        let losses = self.status().iter().flat_map(reasons).chain(too_fast).collect::<Vec<_>>();
        losses.into_iter().filter(|loss| loss.count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syslog::tests_support::MemorySink;
    use monban_event::SystemClock;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn opens_and_ends_both() {
        let sink = Arc::new(MemorySink::default());
        let any = vec!["127.0.0.1:0".parse().unwrap()];
        let settings = SyslogSettings { udp: any.clone(), tcp: any, ..SyslogSettings::default() };
        let listeners = SyslogListeners::open(settings, sink.clone(), Arc::new(SystemClock)).await.unwrap();
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
    async fn what_one_source_sends_too_fast_is_a_loss_with_its_name() {
        let sink = Arc::new(MemorySink::default());
        let settings = SyslogSettings {
            tcp: vec!["127.0.0.1:0".parse().unwrap()],
            lines_per_second: NonZeroU32::new(2),
            ..SyslogSettings::default()
        };
        let listeners = SyslogListeners::open(settings, sink.clone(), Arc::new(SystemClock)).await.unwrap();
        let mut sender = tokio::net::TcpStream::connect(listeners.status()[0].local_addr).await.unwrap();
        sender.write_all("<13>line\n".repeat(100).as_bytes()).await.unwrap();
        sender.shutdown().await.unwrap();
        assert_eq!(sender.read(&mut [0; 8]).await.unwrap(), 0, "closed when all is on disk");
        let watch = listeners.watch();
        let stored = listeners.stop().await[0].counts.stored;
        assert!((2..100).contains(&stored));
        let reason = "more lines a second than allowed: 127.0.0.1".to_owned();
        assert_eq!(watch.losses(), [Loss { receiver: "syslog", reason, count: 100 - stored }]);
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = taken.local_addr().unwrap();
        let sink = Arc::new(MemorySink::default());
        let Err(error) = SyslogListeners::open(
            SyslogSettings { tcp: vec![addr], ..SyslogSettings::default() },
            sink,
            Arc::new(SystemClock),
        )
        .await
        else {
            panic!("the port is taken");
        };
        assert_eq!(error.to_string(), format!("bind TCP {addr}"));
    }
}
