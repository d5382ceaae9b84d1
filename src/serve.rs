//! `monban serve`: receivers, pages and the control socket on one data directory, until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use monban_api::{DiskHealth, Health, ListenerHealth, RetentionHealth, Services, SetupSecret, SiteSettings};
use monban_event::act::Deed;
use monban_event::{ActSink, Clock, RecordSink, SystemClock, TimeRange};
use monban_index::journal::Recovery;
use monban_ingest::syslog::{
    ListenerStatus, ListenerWatch, Loss, SOCKET_BUFFER_BYTES, SyslogListeners, SyslogSettings,
};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::certificate;
use crate::config::Config;
use crate::control::ControlServer;
use crate::night::{Due, FULL_PERCENT, Growth, Room};
use crate::node::{Node, Opening};
use crate::redetect;
use crate::selfcheck;
use crate::upload::Uploads;
use crate::watch::{Troubles, Watch};

/// Receivers' losses are journaled this often, so that the trail of what is missing survives a crash.
const LOSS_REPORT: Duration = Duration::from_mins(1);

/// How long requests under way may still take when the server is told to stop; service managers kill after 90 seconds.
const LAST_REQUESTS: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// 設定ファイル（TOML）
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// データフォルダ（設定ファイルより優先）
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let (mut config, text) = load_config(args.config.as_deref())?;
    if let Some(dir) = &args.data_dir {
        config.data_dir.clone_from(dir);
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let opening = Opening { dir: &config.data_dir, create: true, config: Some((&config, &text)), clock, stays: true };
    let node = Node::open(&opening).context("serve")?;
    tell_recovery(&node.recovery);
    run_until_stopped(&node, &config)
}

pub(crate) fn load_config(path: Option<&Path>) -> anyhow::Result<(Config, String)> {
    let Some(path) = path else { return Ok((Config::default(), String::new())) };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("設定ファイル {} を読めません。場所を確かめてください", path.display()))?;
    let base = path.parent().unwrap_or(Path::new(""));
    let config = Config::read(&path.to_string_lossy(), &text, base)?;
    Ok((config, text))
}

/// Says what the last stop left behind.
fn tell_recovery(recovery: &Recovery) {
    for (path, bytes) in &recovery.torn {
        tracing::warn!(segment = %path.display(), bytes, "an unfinished last write was cut off; nothing acknowledged is lost");
    }
    for path in &recovery.foreign {
        tracing::warn!(file = %path.display(), "this file in the journal folder is not ours and is left alone");
    }
    if let Some((from, to)) = recovery.missing {
        tracing::error!(%from, %to, "records that had been acknowledged are missing from the journal");
    }
}

/// Serves an open node. The demo hospital ends here too.
pub(crate) fn run_until_stopped(node: &Arc<Node>, config: &Config) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let judging = redetect::start(node).context("過ぎた日を判定し直す処理を始められません")?;
    let checking = selfcheck::start(node).context("保管した記録を検査する処理を始められません")?;
    let result = runtime.block_on(serve(node, config));
    runtime.shutdown_timeout(Duration::from_secs(5));
    node.close();
    if judging.join().is_err() {
        tracing::error!("judging days again ended with a panic; the next start begins it anew");
    }
    if checking.join().is_err() {
        tracing::error!("the check of the journal ended with a panic; the next start begins it anew");
    }
    result.map(|()| ExitCode::SUCCESS)
}

async fn serve(node: &Arc<Node>, config: &Config) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("終了の合図を受け取る準備ができません")?;
    let (stop, mut stopped) = watch::channel(false);
    let stop = Arc::new(stop);
    let sink: Arc<dyn RecordSink> = node.journal.clone();
    let listeners = SyslogListeners::open(syslog_settings(node, config)?, sink, Arc::clone(&node.clock))
        .await
        .context("syslog の待受を開けません。別のプログラムが使っていないか確かめてください")?;
    let (setup, secret) = setup_secret(node)?;
    let watched = Watch::start(node, &config.watch).context("監視フォルダを見始められません")?;
    let pages = start_pages(node, config, setup, listeners.watch(), watched.troubles.clone(), stopped.clone()).await?;
    let on_request = Arc::clone(&stop);
    let control = ControlServer::start(node, move || {
        on_request.send_replace(true);
    })?;
    // Receivers lose records, if at all, until they have ended; what they lost is told after that.
    let (receiving, received) = watch::channel(false);
    let losses = tokio::spawn(report_losses(Arc::clone(node), listeners.watch(), received));
    announce(config, &listeners, pages.as_ref().map(|(address, _)| *address), secret.as_deref());
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => {}
        () = signals.received() => {}
    }
    eprintln!("終了しています。受け取った記録を書き終えるまでお待ちください。");
    stop.send_replace(true);
    drop(control);
    tokio::task::spawn_blocking(move || drop(watched)).await?;
    listeners.stop().await;
    receiving.send_replace(true);
    if let Some((_, task)) = pages {
        stop_pages(task).await?;
    }
    losses.await?;
    Ok(())
}

fn syslog_settings(node: &Node, config: &Config) -> anyhow::Result<SyslogSettings> {
    let mut tls = Vec::new();
    if let Some(settings) = &config.syslog_tls {
        let door = certificate::door(settings, &node.dir, node.clock.now())
            .with_context(|| format!("syslog の TLS 待受 {} を用意できません", settings.listen))?;
        tls.push((settings.listen, door));
    }
    Ok(SyslogSettings {
        udp: config.syslog_udp.into_iter().collect(),
        tcp: config.syslog_tcp.into_iter().collect(),
        tls,
        lines_per_second: config.syslog_lines_per_second,
    })
}

/// The secret for the first administrator, while there is none.
fn setup_secret(node: &Node) -> anyhow::Result<(SetupSecret, Option<String>)> {
    // A ledger that is behind may not know its users yet; without users it has to be sure.
    if node.ledger.read()?.users()?.is_empty() {
        node.catch_up()?;
    }
    if !node.ledger.read()?.users()?.is_empty() {
        return Ok((SetupSecret::spent(), None));
    }
    let (setup, secret) = SetupSecret::new();
    Ok((setup, Some(secret)))
}

/// Lets requests finish that are being answered, and breaks off what takes longer: an upload may arrive for an hour.
async fn stop_pages(task: tokio::task::JoinHandle<std::io::Result<()>>) -> anyhow::Result<()> {
    if let Ok(ended) = tokio::time::timeout(LAST_REQUESTS, task).await {
        return Ok(ended??);
    }
    tracing::warn!("requests under way were broken off; an upload goes on where it stopped when it is sent again");
    Ok(())
}

type Pages = (SocketAddr, tokio::task::JoinHandle<std::io::Result<()>>);

async fn start_pages(
    node: &Arc<Node>,
    config: &Config,
    setup: SetupSecret,
    listeners: ListenerWatch,
    troubles: Troubles,
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<Option<Pages>> {
    let Some(address) = config.pages else { return Ok(None) };
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("画面の待受 {address} を開けません。別のプログラムが使っていないか確かめてください")
    })?;
    let address = listener.local_addr()?;
    let uploads = Uploads::open(node).context("アップロードの置き場所を用意できません")?;
    let service = monban_api::router(services(node, config, setup, listeners, troubles, uploads));
    let service = service.into_make_service_with_connect_info::<SocketAddr>();
    let shutdown = async move {
        // The sender lives as long as the server; if it were gone, stopping would be right too.
        drop(stopped.wait_for(|stop| *stop).await);
    };
    let task = tokio::spawn(async move { axum::serve(listener, service).with_graceful_shutdown(shutdown).await });
    Ok(Some((address, task)))
}

fn services(
    node: &Arc<Node>,
    config: &Config,
    setup: SetupSecret,
    listeners: ListenerWatch,
    troubles: Troubles,
    uploads: Uploads,
) -> Services {
    let (health_node, rate) = (Arc::clone(node), Rate::default());
    Services {
        store: node.store.clone(),
        ledger: Arc::clone(&node.ledger),
        acts: node.clone(),
        records: node.journal.clone(),
        proofs: node.journal.clone(),
        sink: node.journal.clone(),
        files: Arc::new(uploads),
        rules: node.rules.clone(),
        clock: Arc::clone(&node.clock),
        settings: Arc::new(SiteSettings {
            hospital: config.hospital.clone(),
            checklist_edition: config.checklist.clone(),
            secure_cookies: false,
        }),
        setup: Arc::new(setup),
        health: Arc::new(move || health(&health_node, &listeners, &troubles, &rate)),
    }
}

fn health(node: &Node, listeners: &ListenerWatch, troubles: &Troubles, rate: &Rate) -> Health {
    let durable = node.journal.durable();
    Health {
        journal_durable: durable,
        pipeline_position: node.progress.position(),
        lag_ms: u64::try_from(node.journal.lag().as_millis()).unwrap_or(u64::MAX),
        records_per_second: rate.at(Instant::now(), durable.0),
        dropped: listeners.losses().iter().map(|loss| loss.count).sum(),
        listeners: listeners.status().into_iter().map(listener_health).collect(),
        waiting: node.journal.trouble(),
        stopped: node.progress.failure(),
        unreadable: troubles.lines(),
        disk: disk_health(node),
        retention: retention_health(node),
        check: node.checks.health(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// With less room than for a month nobody has time to buy a disk.
const DAYS_LEFT_MIN: u64 = 30;

/// What cannot be told just now is told as nothing; the pages must not fail for it.
fn disk_health(node: &Node) -> DiskHealth {
    let room = Room::of(&node.dir).unwrap_or_default();
    let growth = Growth::noted(&node.ledger, node.clock.now()).unwrap_or_default();
    let days_left = growth.days_left(room);
    DiskHealth {
        total_bytes: room.total,
        free_bytes: room.free,
        percent_full: room.percent_full(),
        used_bytes: growth.used,
        bytes_per_day: growth.per_day,
        days_left,
        needs_room: room.percent_full() >= FULL_PERCENT || days_left.is_some_and(|days| days < DAYS_LEFT_MIN),
    }
}

fn retention_health(node: &Node) -> RetentionHealth {
    let holds = node.ledger.read().and_then(|reader| reader.holds()).unwrap_or_default();
    let held: Vec<TimeRange> = holds.iter().map(|hold| hold.period).collect();
    let retention = &node.config.retention;
    let due = Due::at(node.clock.now(), retention, &held);
    RetentionHealth {
        searchable_months: retention.searchable.as_u32(),
        records_months: retention.records.as_u32(),
        reports_months: retention.reports.as_u32(),
        searchable_from: due.searchable,
        records_from: due.records,
        reports_from: due.reports,
        holds,
    }
}

fn listener_health(status: ListenerStatus) -> ListenerHealth {
    let counts = status.counts;
    ListenerHealth {
        transport: status.transport.as_str(),
        address: status.local_addr.to_string(),
        received: counts.received,
        stored: counts.stored,
        kernel_dropped: counts.kernel_dropped,
        ring_dropped: counts.ring_dropped,
        refused: counts.refused,
        rate_limited: counts.rate_limited,
        empty: counts.empty,
        cut: counts.cut,
        discarded_bytes: counts.discarded_bytes,
        granted_buffer: status.granted_buffer,
        connections_open: counts.connections.saturating_sub(counts.connections_closed),
        connections_refused: status.turned_away.into_iter().collect(),
        connections_idle: counts.connections_idle,
        connections_displaced: counts.connections_displaced,
        certificate_sha256: status.fingerprint,
    }
}

/// Records a second between two looks, as pages ask for it now and then.
#[derive(Default)]
struct Rate(Mutex<Option<(Instant, u64, f64)>>);

impl Rate {
    /// Looks closer together than this tell nothing new.
    const APART: Duration = Duration::from_secs(5);

    fn at(&self, now: Instant, count: u64) -> f64 {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, before, rate) = last.unwrap_or((now, count, 0.0));
        let elapsed = now.duration_since(since);
        if elapsed < Self::APART && last.is_some() {
            return rate;
        }
        // Differences of a few million fit a u32 and so a double exactly.
        let grown = f64::from(u32::try_from(count.saturating_sub(before)).unwrap_or(u32::MAX));
        let rate = if elapsed.is_zero() { 0.0 } else { grown / elapsed.as_secs_f64() };
        *last = Some((now, count, rate));
        rate
    }
}

/// Journals what receivers could not take, as it grows.
async fn report_losses(node: Arc<Node>, listeners: ListenerWatch, mut ended: watch::Receiver<bool>) {
    let mut told: Vec<Loss> = Vec::new();
    loop {
        let end = tokio::time::timeout(LOSS_REPORT, ended.wait_for(|ended| *ended)).await.is_ok();
        let mut now = listeners.losses();
        for loss in &mut now {
            let same = |old: &&Loss| (old.receiver, &old.reason) == (loss.receiver, &loss.reason);
            let before = told.iter().find(same).map_or(0, |old| old.count);
            let count = loss.count - before;
            if count > 0 && !report_loss(&node, Loss { count, ..loss.clone() }).await {
                // On a disk that takes nothing it is told again with what is lost until then.
                loss.count = before;
            }
        }
        told = now;
        if end {
            return;
        }
    }
}

/// `false` where the loss is not on record.
async fn report_loss(node: &Arc<Node>, loss: Loss) -> bool {
    let Loss { receiver, reason, count } = loss;
    tracing::error!(receiver, reason, count, "records were lost before the journal");
    let deed = Deed::Lost { receiver: receiver.to_owned(), reason: reason.clone(), count };
    let recorder = Arc::clone(node);
    let recorded = tokio::task::spawn_blocking(move || recorder.record("monban", deed)).await;
    let is_recorded = matches!(recorded, Ok(Ok(_)));
    if !is_recorded {
        tracing::error!(receiver, reason, "the loss could not be journaled");
    }
    is_recorded
}

/// What asks the program to stop. Heard from the first moment: whoever reads that the program has started may stop it.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What is being listened on, and what to do next.
fn announce(config: &Config, listeners: &SyslogListeners, pages: Option<SocketAddr>, secret: Option<&str>) {
    eprintln!("門番 {} を開始しました（{}）", env!("CARGO_PKG_VERSION"), config.hospital);
    eprintln!("  データ      {}", config.data_dir.display());
    let status = listeners.status();
    for listener in &status {
        eprintln!("  syslog {}  {}", listener.transport.as_str().to_uppercase(), listener_text(listener));
    }
    match pages {
        Some(address) => eprintln!("  画面と API  http://{address}/"),
        None => eprintln!("  画面と API  使いません（pages.listen = \"off\"）"),
    }
    for watched in &config.watch {
        eprintln!("  監視        {}", watched.folder.display());
    }
    eprintln!("次にすること");
    if let (Some(secret), Some(address)) = (secret, pages) {
        eprintln!(
            "  1. http://{address}/setup を開き、合言葉 {secret} で最初の管理者を登録してください（合言葉は1回限り）"
        );
    }
    if let Some(address) = status.first().map(|listener| listener.local_addr) {
        eprintln!(
            "  ・機器の syslog の送り先を {address} にします。試すには: logger -n {} -P {} -d \"monban test\"",
            address.ip(),
            address.port()
        );
    }
    if let Some(address) = pages {
        eprintln!("  ・HTTP での取込: http://{address}/api/v1/ingest/evtx ほか（monban token create --help）");
    }
    eprintln!("  ・EVTX の取込: monban import --data-dir {} フォルダ", config.data_dir.display());
    eprintln!("  ・終了: Ctrl-C");
}

fn listener_text(listener: &ListenerStatus) -> String {
    let address = listener.local_addr;
    match (listener.granted_buffer, &listener.fingerprint) {
        (Some(bytes), _) if bytes < SOCKET_BUFFER_BYTES => format!(
            "{address}（受信バッファ {} KiB。{} KiB より小さいため、込み合うと失われやすくなります: sysctl net.core.rmem_max={SOCKET_BUFFER_BYTES}）",
            bytes / 1024,
            SOCKET_BUFFER_BYTES / 1024
        ),
        (Some(bytes), _) => format!("{address}（受信バッファ {} KiB）", bytes / 1024),
        (None, Some(fingerprint)) => format!("{address}（証明書の指紋 SHA-256 {fingerprint}）"),
        (None, None) => address.to_string(),
    }
}
