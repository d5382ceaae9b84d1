//! The parts of the program that `cargo xtask bench` measures by themselves.
//!
//! `measure receive DIR` opens the syslog receivers and the journal and nothing behind them; it prints its port, then
//! the number of durable records as it grows, and ends with its input. `measure datagrams DIR` does the same for UDP; it
//! prints its port and the bytes of buffer granted, and at the end how many were received, stored, dropped by the
//! kernel, dropped by the ring and refused. `measure send PORT RATE SECONDS` sends to it. `measure seal DIR` seals every
//! segment of a journal that nobody has open. `measure queries DIR WORD` asks the search index of a data directory that
//! no server holds, and prints milliseconds, bound and question, a line each.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use monban_event::store::SearchRequest;
use monban_event::{Clock, EventStore, Field, RecordId, SystemClock, TimeRange};
use monban_index::journal::{Journal, seal_folder};
use monban_index::partition::{Partitions, TantivyStore};
use monban_index::query;
use monban_ingest::syslog::{ListenerStatus, SyslogListeners, SyslogSettings};
use monban_ingest::{Parsers, TextSettings};

/// Asked so often, an odd number, the first few to warm up.
const TIMES: usize = 31;
const LIST: usize = 100;
const TOP: usize = 20;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["receive", dir] => receive(Path::new(dir)),
        ["datagrams", dir] => datagrams(Path::new(dir)),
        ["send", port, rate, seconds] => send(port.parse()?, rate.parse()?, seconds.parse()?),
        ["seal", dir] => Ok(seal_folder(Path::new(dir))?),
        ["queries", dir, rare_word] => queries(Path::new(dir), rare_word),
        _ => bail!("measure receive DIR | datagrams DIR | send PORT RATE SECONDS | seal DIR | queries DIR WORD"),
    }
}

fn receive(dir: &Path) -> Result<()> {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    receive_on(dir, SyslogSettings { tcp: vec![any_port], ..SyslogSettings::default() }, &|listeners| {
        let address = listeners.status().first().context("there is a listener")?.local_addr;
        tell(u64::from(address.port()))
    })?;
    Ok(())
}

fn datagrams(dir: &Path) -> Result<()> {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let settings = SyslogSettings { udp: vec![any_port], ..SyslogSettings::default() };
    let status = receive_on(dir, settings, &|listeners| {
        let status = listeners.status();
        let status = status.first().context("there is a listener")?;
        tell(u64::from(status.local_addr.port()))?;
        tell(status.granted_buffer.unwrap_or_default() as u64)
    })?;
    let counts = status.first().context("there was a listener")?.counts;
    [counts.received, counts.stored, counts.kernel_dropped, counts.ring_dropped, counts.refused]
        .into_iter()
        .try_for_each(tell)
}

/// Datagrams of a usual line's length, so many a second, evenly spread over its milliseconds.
fn send(port: u16, rate: u64, seconds: u64) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect((Ipv4Addr::LOCALHOST, port))?;
    let line = format!("<134>Oct  5 12:00:00 fw01 {}", "x".repeat(274));
    let (started, mut sent) = (Instant::now(), 0);
    while sent < rate * seconds {
        let due = u64::try_from(started.elapsed().as_micros())?.saturating_mul(rate) / 1_000_000;
        while sent < due.min(rate * seconds) {
            socket.send(line.as_bytes())?;
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Receives until the input ends.
fn receive_on(
    dir: &Path,
    settings: SyslogSettings,
    begun: &dyn Fn(&SyslogListeners) -> Result<()>,
) -> Result<Vec<ListenerStatus>> {
    let is_quiet = settings.tcp.is_empty();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (journal, _) = Journal::open(dir, Arc::clone(&clock))?;
    let journal = Arc::new(journal);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let listeners = runtime.block_on(SyslogListeners::open(settings, journal.clone(), clock))?;
    begun(&listeners)?;
    let ended = Arc::new(AtomicBool::new(false));
    let telling = std::thread::spawn({
        let (journal, ended) = (Arc::clone(&journal), Arc::clone(&ended));
        move || tell_durable(&journal, &ended, is_quiet)
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let status = runtime.block_on(listeners.stop());
    ended.store(true, Ordering::Release);
    let told = telling.join();
    journal.close();
    told.unwrap_or_else(|_| bail!("the counting thread ended with a panic"))?;
    Ok(status)
}

fn tell_durable(journal: &Journal, ended: &AtomicBool, is_quiet: bool) -> Result<()> {
    let mut last = RecordId(0);
    while !ended.load(Ordering::Acquire) {
        let durable = journal.wait_beyond(last, Duration::from_millis(100));
        // The journal holds back its senders when nobody reads it; nothing reads here.
        journal.processed(durable);
        if durable > last && !is_quiet {
            tell(durable.0)?;
        }
        last = durable;
    }
    Ok(())
}

fn tell(number: u64) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{number}").and_then(|()| out.flush()).context("tell")
}

/// A question and how many milliseconds it may take on a million events.
struct Question {
    text: &'static str,
    must_ms: f64,
    query: String,
    range: TimeRange,
    kind: Kind,
}

enum Kind {
    List,
    Top(Field),
    Hours,
}

fn queries(dir: &Path, rare_word: &str) -> Result<()> {
    let (journal, _) = Journal::open(&dir.join("journal"), Arc::new(SystemClock))?;
    let partitions = Partitions::open(&dir.join("index"))?;
    let parser = Arc::new(Parsers { settings: TextSettings::in_zone(chrono_tz::Asia::Tokyo) });
    let store = TantivyStore::new(partitions.reader(), Arc::new(journal), parser, Arc::new(|_| {}));
    for question in questions(rare_word)? {
        let milliseconds = ask(&store, &question)?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{milliseconds:.3}\t{}\t{}", question.must_ms, question.text)?;
    }
    Ok(())
}

/// The questions that the peers were asked, over the week that `cargo xtask bench` sends.
fn questions(rare_word: &str) -> Result<Vec<Question>> {
    let start: DateTime<Utc> = "2026-10-05T00:00:00+09:00".parse()?;
    let day = TimeRange::between(start + TimeDelta::days(3), start + TimeDelta::days(4));
    let week = TimeRange::between(start, start + TimeDelta::days(7));
    let all = TimeRange { from: None, to: None };
    let ask =
        |text, must_ms, query: &str, range, kind| Question { text, must_ms, query: query.to_owned(), range, kind };
    Ok(vec![
        ask("a rare word", 5.0, rare_word, all, Kind::List),
        ask("an exact user", 5.0, "user:user1990", all, Kind::List),
        ask("an exact address in one day", 5.0, "src_ip:198.18.7.7", day, Kind::List),
        ask("last 100 of a busy user", 10.0, "user:user0000", all, Kind::List),
        ask("a phrase, last 100", 10.0, "\"tunnel established\"", all, Kind::List),
        ask("top 20 users", 10.0, "*", all, Kind::Top(Field::UserName)),
        ask("latest 100 of all", 10.0, "*", all, Kind::List),
        ask("histogram by the hour", 40.0, "*", week, Kind::Hours),
    ])
}

/// The median of the times asked, in milliseconds.
fn ask(store: &TantivyStore, question: &Question) -> Result<f64> {
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let started = Instant::now();
        answer(store, question).with_context(|| question.query.clone())?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    times.get(TIMES / 2).copied().context("there is a median")
}

fn answer(store: &TantivyStore, question: &Question) -> Result<()> {
    let query = query::parse(&question.query, SystemClock.now())
        .map_err(|errors| anyhow::anyhow!("{}: {} errors", question.query, errors.len()))?;
    let found = match question.kind {
        Kind::List => {
            let request = SearchRequest::new(query, question.range, LIST);
            store.search(&request)?.events.len()
        }
        Kind::Top(field) => store.top(&query, question.range, field, TOP)?.values.len(),
        Kind::Hours => store.histogram(&query, question.range, 3600)?.len(),
    };
    // A search that finds nothing is fast for the wrong reason.
    ensure!(found > 0, "{} finds nothing", question.text);
    Ok(())
}
