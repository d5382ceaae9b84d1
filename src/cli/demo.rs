//! `monban demo`: plays the month of the demo hospital through the real receivers into a data directory of its own,
//! then serves it. The time of receipt is simulated; afterwards the hospital's clock stands still at the month's end.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use monban_event::time::Month;
use monban_event::{Clock, Format, Lane, Origin, Record, RecordSink, SimulatedClock, SinkRefused, Transport};
use monban_ingest::syslog::{RecordMaker, Sender, StreamReceiver};
use serde::{Deserialize, Serialize};

use crate::config::{Config, ContextPaths};
use crate::control::{self, Reply, Request};
use crate::demo::{ContextFiles, Delivery, Demo, Scale};
use crate::node::{Node, Opening};
use crate::serve;

/// The same seed plays the same month to the byte.
const SEED: u64 = 20_261_001;
/// Records handed to the journal at once, and how many such may wait for it.
const SLICE_RECORDS: usize = 1000;
const SLICES_IN_FLIGHT: usize = 8;
/// Says which month the directory holds; without it the directory is not the demo's.
const MARK: &str = "demo.json";

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct DemoArgs {
    /// デモ専用のデータフォルダ（実データとは混ぜません）
    #[arg(long, value_name = "DIR", default_value = "./monban-demo")]
    data_dir: PathBuf,
    /// 作る月
    #[arg(long, value_name = "YYYY-MM", default_value = "2026-10")]
    month: String,
    /// 仕込んだ出来事と、その根拠になる記録の一覧を表示して終わる
    #[arg(long)]
    list: bool,
    /// 作り直す
    #[arg(long)]
    reset: bool,
    /// 作るだけで、画面を開かない
    #[arg(long)]
    no_serve: bool,
    /// 日常の量を 50 分の 1 にする（動作確認用）
    #[arg(long)]
    small: bool,
    /// 画面の待受
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

/// What the directory holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) month: String,
    pub(crate) small: bool,
    /// Everything was played.
    pub(crate) complete: bool,
}

impl Mark {
    /// The mark of a directory, where it is the demo's.
    pub(crate) fn read(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.join(MARK)).ok()?).ok()
    }

    fn write(&self, dir: &Path) -> io::Result<()> {
        let staged = dir.join(format!("{MARK}.new"));
        fs::write(&staged, serde_json::to_vec_pretty(self)?)?;
        fs::rename(staged, dir.join(MARK))
    }

    pub(crate) fn demo(&self) -> Option<Demo> {
        let scale = if self.small { Scale::Small } else { Scale::Full };
        Some(Demo::new(Month::parse(&self.month)?, SEED, scale))
    }
}

pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let Some(month) = Month::parse(&args.month) else {
        bail!("「{}」は月として読めません。--month 2026-10 のように指定してください", args.month);
    };
    if args.list && Mark::read(&args.data_dir).is_some_and(|mark| mark.complete) {
        return list(&args.data_dir);
    }
    prepare(&args.data_dir, args.reset)?;
    let mark = Mark { month: month.to_string(), small: args.small, complete: false };
    let known = Mark::read(&args.data_dir).filter(|known| known.complete);
    let demo = known.as_ref().unwrap_or(&mark).demo().context("the demo's mark names a month")?;
    let clock = SimulatedClock::at(month.start());
    let config = write_hospital(&args.data_dir, &demo.context_files(), args.listen)?;
    let opening = Opening {
        dir: &args.data_dir,
        create: true,
        config: Some((&config, "")),
        clock: Arc::new(clock.clone()),
        stays: true,
    };
    let node = Node::open(&opening)?;
    if known.is_none() {
        mark.write(&args.data_dir)?;
        play(&demo, &node, &clock)?;
        Mark { complete: true, ..mark }.write(&args.data_dir)?;
    }
    // The last second of the month: the audit is due tomorrow, and nothing has fallen silent yet.
    clock.set(month.next().start() - chrono::TimeDelta::seconds(1));
    if args.list || args.no_serve {
        node.close();
        drop(node);
        return if args.list { list(&args.data_dir) } else { Ok(ExitCode::SUCCESS) };
    }
    serve::run_until_stopped(&node, &config)
}

/// Refuses a directory that is somebody's real one, and clears one that was not finished or is to be made anew.
fn prepare(dir: &Path, reset: bool) -> anyhow::Result<()> {
    let mark = Mark::read(dir);
    if !dir.join("journal").try_exists()? {
        return Ok(fs::create_dir_all(dir)?);
    }
    match mark {
        None => bail!(
            "{} にはデモでないデータがあります。デモには別のフォルダを --data-dir で指定してください",
            dir.display()
        ),
        Some(mark) if mark.complete && !reset => Ok(()),
        Some(_) => {
            fs::remove_dir_all(dir).with_context(|| format!("clear {}", dir.display()))?;
            Ok(fs::create_dir_all(dir)?)
        }
    }
}

/// Writes the files that this hospital's administrator would have given.
fn write_hospital(dir: &Path, files: &ContextFiles, listen: SocketAddr) -> anyhow::Result<Config> {
    let folder = dir.join("hospital");
    fs::create_dir_all(&folder)?;
    let put = |name: &str, text: &str| -> io::Result<Option<PathBuf>> {
        let path = folder.join(name);
        fs::write(&path, text)?;
        Ok(Some(path))
    };
    let context = ContextPaths {
        roster: put("roster.csv", &files.roster_csv)?,
        allow: put("allow.csv", &files.allow_csv)?,
        vendors: put("vendors.csv", &files.vendors_csv)?,
        tickets: put("tickets.csv", &files.tickets_csv)?,
        duty: put("duty.csv", &files.duty_csv)?,
        calendar: put("calendar.toml", &files.calendar_toml)?,
    };
    let hospital = "みなと中央病院（デモ）".to_owned();
    Ok(Config { data_dir: dir.to_owned(), hospital, context, pages: Some(listen), ..Config::default() })
}

/// Plays every delivery at its time through the receivers into the journal, and waits until all of it is searchable.
fn play(demo: &Demo, node: &Node, clock: &SimulatedClock) -> anyhow::Result<()> {
    let started = std::time::Instant::now();
    eprintln!("架空の病院の 1 か月分を作っています（約 1 分）");
    let mut player = Player::new(node, clock.clone());
    let mut day = 0;
    for delivery in demo.deliveries() {
        let date = monban_event::time::jst_date(delivery.at);
        if chrono::Datelike::day(&date) != day {
            day = chrono::Datelike::day(&date);
            eprintln!("  {date}  {} 件", player.sent);
        }
        player.deliver(&delivery)?;
    }
    player.finish()?;
    let last = node.journal.durable();
    node.progress.wait_applied(last)?;
    node.progress.wait_searchable(last)?;
    eprintln!("  {} 件を受信し、検索できるようになりました（{} 秒）", player.sent, started.elapsed().as_secs());
    Ok(())
}

/// The receivers as the demo feeds them.
struct Player<'a> {
    node: &'a Node,
    clock: SimulatedClock,
    maker: RecordMaker,
    streams: BTreeMap<SocketAddr, StreamReceiver>,
    slice: Vec<Record>,
    in_flight: usize,
    done: mpsc::Sender<Result<monban_event::RecordId, SinkRefused>>,
    acknowledged: mpsc::Receiver<Result<monban_event::RecordId, SinkRefused>>,
    sent: u64,
}

impl<'a> Player<'a> {
    fn new(node: &'a Node, clock: SimulatedClock) -> Self {
        let (done, acknowledged) = mpsc::channel();
        let maker = RecordMaker { clock: Arc::new(clock.clone()), origin: Origin::Demo };
        let (streams, slice) = (BTreeMap::new(), Vec::new());
        Self { node, clock, maker, streams, slice, in_flight: 0, done, acknowledged, sent: 0 }
    }

    fn deliver(&mut self, delivery: &Delivery) -> Result<(), SinkRefused> {
        self.set_clock(delivery.at);
        match (delivery.format, delivery.transport) {
            (Format::Syslog, Transport::Udp) => self.slice.extend(self.maker.datagram(delivery.peer, &delivery.bytes)),
            (Format::Syslog, transport) => {
                let sender = Sender { peer: delivery.peer, transport, identity: None };
                let stream = self.streams.entry(delivery.peer).or_insert_with(|| self.maker.stream(sender));
                self.slice.extend(stream.push(&delivery.bytes));
            }
            (format, transport) => {
                self.slice.push(self.maker.whole(Some(delivery.peer), transport, format, delivery.bytes.clone()));
            }
        }
        if self.slice.len() >= SLICE_RECORDS { self.send() } else { Ok(()) }
    }

    /// Rules about silence ask the same clock, so it never runs backwards.
    fn set_clock(&self, at: DateTime<Utc>) {
        if at > self.clock.now() {
            self.clock.set(at);
        }
    }

    fn send(&mut self) -> Result<(), SinkRefused> {
        let records = std::mem::take(&mut self.slice);
        self.sent += records.len() as u64;
        let done = self.done.clone();
        let tell = move |result| drop(done.send(result));
        self.node.journal.submit(Lane::Live, records, Box::new(tell));
        self.in_flight += 1;
        while self.in_flight >= SLICES_IN_FLIGHT {
            self.wait()?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<(), SinkRefused> {
        self.in_flight -= 1;
        self.acknowledged.recv().unwrap_or(Err(SinkRefused::Closed)).map(|_| ())
    }

    fn finish(&mut self) -> Result<(), SinkRefused> {
        let streams = std::mem::take(&mut self.streams);
        self.slice.extend(streams.into_values().flat_map(|mut stream| stream.finish()));
        self.send()?;
        while self.in_flight > 0 {
            self.wait()?;
        }
        Ok(())
    }
}

/// The table of what was planted, by whoever holds the directory.
fn list(dir: &Path) -> anyhow::Result<ExitCode> {
    let status = control::ask(dir, false, &Request::DemoList {}, &mut |reply| match reply {
        Reply::Out(text) => println_quietly(&text),
        Reply::Note(text) => eprintln!("{text}"),
        Reply::Moved { .. } | Reply::Exit(_) => {}
    })?;
    Ok(ExitCode::from(status))
}

#[expect(clippy::print_stdout, reason = "the list is what was asked for")]
fn println_quietly(text: &str) {
    println!("{text}");
}
