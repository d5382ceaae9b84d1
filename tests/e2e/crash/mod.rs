//! SIGKILL at random moments and at every named fail point, while everything comes in at once: nothing that was
//! acknowledged or published as durable is lost, nothing is there twice, and every view is what an undisturbed run makes
//! of the same journal. `MONBAN_CRASHES` raises the number of kills.

mod load;
mod seal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use monban_event::{Format, Record};
use monban_index::fail::POINTS;
use serde_json::Value;

use crate::support::evtx::{chunk, sample};
use crate::support::lines::{assert_each_once, line, numbers, send_tcp};
use crate::support::random::Random;
use crate::support::wait::wait_for;
use crate::support::{Server, Site, journal, wait_until};
use load::{Books, To};

const SEED: u64 = 41_923;
/// Kills in all, if nobody asks for more.
const CRASHES: u64 = 200;
/// Kills of one data directory: then its views are compared whole, and the next begins on nothing.
const CRASHES_OF_ONE: u64 = 40;
/// The number of searchable events is looked at after so many kills.
const COUNT_EVERY: u64 = 10;
/// Records that have become durable when, at the latest, a kill at a random moment comes …
const DURABLE_MAX: u64 = 400;
/// … and how much later, so that it does not always come when a position has just been published.
const LATER_MAX_US: u64 = 40_000;
/// How often a fail point is passed before the kill, at most.
const PASSES_MAX: u64 = 6;
/// Imports without a server that are killed.
const IMPORT_CRASHES: u64 = 3;
/// Said by a start after a kill, or by one that is armed, and meant so.
const MEANT: [&str; 4] = [
    "an unfinished last write was cut off",
    "FAIL POINT",
    "connections were turned away",
    "requests under way were broken off",
];

fn crashes() -> u64 {
    std::env::var("MONBAN_CRASHES").ok().map_or(CRASHES, |text| text.parse().expect("a number"))
}

/// How one run of the server ends.
#[derive(Debug)]
enum End {
    /// From outside, when so much more is durable, and a while later.
    Random { durable: u64, later: Duration },
    /// By itself, at the passing of a fail point.
    Point { name: &'static str, nth: u64 },
}

/// Fail points that are passed in an orderly end only.
const AT_THE_END: [&str; 6] = [
    "journal.checkpoint.before_sign",
    "journal.checkpoint.before_write",
    "journal.checkpoint.written",
    "journal.checkpoint.after",
    "pipeline.before_snapshot",
    "pipeline.after_snapshot",
];
/// The one that is passed only while the disk takes nothing.
const IN_TROUBLE: &str = "journal.probe";
/// Passed where a segment begins: twice, for acts and for records, in a new directory.
const AT_CREATION: [&str; 3] = ["journal.segment.create", "journal.segment.header", "journal.segment.dir_sync"];

/// Every fail point but those of sealing at its first passing and at a later one, and random moments for the rest; then in random order.
fn ends(random: &mut Random) -> Vec<End> {
    let points = || POINTS.iter().filter(|name| !seal::is_of_sealing(name));
    let mut ends: Vec<End> = points().map(|&name| End::Point { name, nth: 1 }).collect();
    let is_passed_often = |name: &&&str| !AT_THE_END.contains(name) && **name != IN_TROUBLE;
    ends.extend(points().filter(is_passed_often).map(|&name| {
        let is_rare = name.contains("merge") || AT_CREATION.contains(&name);
        let nth = if is_rare { 2 } else { 2 + random.below(PASSES_MAX - 1) };
        End::Point { name, nth }
    }));
    while (ends.len() as u64) < crashes() {
        let later = Duration::from_micros(random.below(LATER_MAX_US));
        ends.push(End::Random { durable: random.below(DURABLE_MAX), later });
    }
    for at in (1..ends.len()).rev() {
        let other = random.below(at as u64 + 1);
        ends.swap(at, usize::try_from(other).unwrap());
    }
    ends
}

#[test]
fn kills_at_every_step_under_every_load_lose_and_double_nothing() {
    let mut random = Random::seeded(SEED);
    let ends = ends(&mut random);
    let began = Instant::now();
    let mut round = 0;
    for ends in ends.chunks(usize::try_from(CRASHES_OF_ONE).unwrap()) {
        let mut hospital = Hospital::new();
        for end in ends {
            round += 1;
            match end {
                End::Point { name, .. } if AT_CREATION.contains(name) => Hospital::bare().crash_alone(round, end),
                _ => hospital.crash(round, end),
            }
        }
        hospital.check_whole();
        println!("{round} kills in {:.0} s, {} fail points", began.elapsed().as_secs_f64(), POINTS.len());
    }
}

/// Ends the load, also where the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A data directory that goes through crashes, and what its senders know.
struct Hospital {
    site: Site,
    token: String,
    books: Books,
    /// The last number in the journal after the last crash.
    last: u64,
}

impl Hospital {
    fn new() -> Self {
        let site = Site::new();
        let token = site.verb("token create", &["--name", "収集", "--scope", "ingest"]).ok();
        Self { site, token: token.out.trim_end().to_owned(), books: Books::default(), last: 0 }
    }

    /// Nothing is there yet, not even a token.
    fn bare() -> Self {
        Self { site: Site::new(), token: "none".to_owned(), books: Books::default(), last: 0 }
    }

    fn crash_alone(&mut self, round: u64, end: &End) {
        self.crash(round, end);
        load::finish_imports(&self.site, &self.books);
        self.check_count();
    }

    fn crash(&mut self, round: u64, end: &End) {
        let began = Instant::now();
        let at_start = match self.start(end) {
            Ok(mut server) => {
                for text in MEANT {
                    server.tolerate(text);
                }
                self.run_until(server, round, end);
                false
            }
            // It met its fail point while it started.
            Err(said) => {
                assert!(matches!(end, End::Point { .. }), "the server did not begin: {said:#?}");
                true
            }
        };
        let published = journal::published(&self.site.data());
        let last = journal::last(&self.site.data().join("journal"));
        eprintln!("kill {round} {end:?}: journal at {last}, at start {at_start}, {} ms", began.elapsed().as_millis());
        assert!(last >= published, "{published} was published as durable, the journal ends at {last}");
        assert!(last >= self.last, "the journal has become shorter");
        self.last = last;
        if round.is_multiple_of(COUNT_EVERY) {
            self.check_count();
        }
    }

    fn start(&self, end: &End) -> Result<Server, Vec<String>> {
        let data = self.site.data();
        match end {
            End::Random { .. } => Ok(self.site.serve()),
            End::Point { name: IN_TROUBLE, nth } => {
                let at = format!("{IN_TROUBLE}:{nth}");
                let trouble = [("MONBAN_FAIL_AT", at.as_str()), ("MONBAN_FAIL_ERR", "journal.append:9:ENOSPC")];
                self.site.serve_disturbed(&data, &trouble)
            }
            End::Point { name, nth } => {
                self.site.serve_disturbed(&data, &[("MONBAN_FAIL_AT", &format!("{name}:{nth}"))])
            }
        }
    }

    fn run_until(&self, mut server: Server, round: u64, end: &End) {
        let to = To::of(&server, &self.token, &self.site);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| load::run(&self.site, &to, round, &self.books, &is_over));
            let _over = Over(&is_over);
            match end {
                End::Random { durable, later } => {
                    self.wait_for_growth(*durable);
                    std::thread::park_timeout(*later);
                    server.kill();
                }
                End::Point { name, .. } => {
                    if AT_THE_END.contains(name) {
                        self.wait_for_growth(1);
                        server.terminate();
                    }
                    if *name == IN_TROUBLE {
                        server.tolerate("the disk takes nothing");
                        server.tolerate("records were lost before the journal");
                    }
                    wait_until(&format!("the server has passed {name}"), || server.has_ended());
                    server.killed_itself();
                }
            }
        });
    }

    fn wait_for_growth(&self, by: u64) {
        let moment = journal::published(&self.site.data()) + by;
        wait_until("enough is durable", || journal::published(&self.site.data()) >= moment);
    }

    /// As many events are searchable as the records of the journal are: one each, and two in an event log's.
    fn check_count(&self) {
        let (records, _) = journal::records(&self.site.data().join("journal"));
        let events = |record: &Record| if record.format == Format::EvtxChunk { 2 } else { 1 };
        assert_eq!(self.site.count("*"), records.values().map(events).sum::<u64>());
    }

    /// Everything that is true of a journal and its views, once nothing disturbs them any more.
    fn check_whole(&self) {
        load::finish_imports(&self.site, &self.books);
        let (records, _) = journal::records(&self.site.data().join("journal"));
        self.check_acknowledged(&records);
        let found = self.site.search("*");
        let searchable: BTreeSet<u64> = found.iter().map(|event| event["record.id"].as_u64().unwrap()).collect();
        assert!(searchable.iter().eq(records.keys()), "searchable are other records than those of the journal");
        compare_with_undisturbed(&self.site);
    }

    /// Every line that was acknowledged is in the journal once, and none is there twice.
    fn check_acknowledged(&self, records: &BTreeMap<u64, Record>) {
        let whole = records.values().filter(|record| !record.cut && record.format != Format::EvtxChunk);
        let mut times: BTreeMap<String, u64> = BTreeMap::new();
        for word in whole.filter_map(|record| word_of(&String::from_utf8_lossy(&record.bytes))) {
            *times.entry(word).or_default() += 1;
        }
        let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).take(10).collect();
        assert!(twice.is_empty(), "these are there more than once: {twice:?}");
        let acknowledged = self.books.acknowledged.lock().unwrap();
        let missing: Vec<_> = acknowledged.iter().filter(|word| !times.contains_key(*word)).take(10).collect();
        assert!(missing.is_empty(), "of {} acknowledged lines these are missing: {missing:?}", acknowledged.len());
        let chunks: Vec<&Record> = records.values().filter(|record| record.format == Format::EvtxChunk).collect();
        let distinct: BTreeSet<&[u8]> = chunks.iter().map(|record| record.bytes.as_slice()).collect();
        assert_eq!(chunks.len(), distinct.len(), "some event logs are there twice");
        let handed_in = self.books.files.lock().unwrap().len();
        assert!(distinct.len() >= handed_in, "{handed_in} event logs were taken, {} are there", distinct.len());
        eprintln!("{} lines acknowledged, {} records, {handed_in} event logs", acknowledged.len(), records.len());
    }
}

/// The word that tells a line apart: of the run, and its number.
fn word_of(text: &str) -> Option<String> {
    let mut words = text.split([' ', '"']);
    words.find(|word| word.starts_with('r') && number_at_end(word).is_some()).map(str::to_owned)
}

fn number_at_end(word: &str) -> Option<u64> {
    let (_, digits) = word.rsplit_once('n')?;
    (digits.len() == 7).then(|| digits.parse().ok())?
}

/// The views of this directory, grown through kills and starts, and those that a new directory makes of its journal.
fn compare_with_undisturbed(site: &Site) {
    let grown = (site.search("*"), journal::ledger_view(&site.data()));
    let fresh = site.path("fresh");
    journal::copy_folder(&site.data().join("journal"), &fresh.join("journal"));
    let remade = (site.search_on(&fresh, "*"), journal::ledger_view(&fresh));
    assert_eq!(grown.0.len(), remade.0.len(), "the searches find more or less");
    for (grown, remade) in grown.0.iter().zip(&remade.0) {
        assert_eq!(grown, remade, "the searches differ");
    }
    for view in ["findings", "sources", "accounts"] {
        assert_eq!(grown.1[view], remade.1[view], "{view}");
    }
    assert!(!grown.1["findings"].as_array().unwrap().is_empty(), "the failed logons were found");
}

#[test]
fn without_a_server_a_search_after_a_kill_finds_everything_durable() {
    let site = Site::new();
    let server = site.serve();
    let before = journal::published(&site.data());
    send_tcp(server.tcp(), "kept", 0..1000).unwrap();
    wait_for("the lines in the journal", &(before + 1000), || journal::published(&site.data()));
    server.kill();
    assert_each_once(&numbers("kept", &site.search("*")), 1000);
}

#[test]
fn an_import_that_was_killed_is_finished_by_the_next() {
    let undisturbed = Site::new();
    let text: String = (0..30_000).map(|number| line("history", number) + "\n").collect();
    let accounts: Vec<String> = (0..120).map(|number| format!("shokuin{number:03}")).collect();
    let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let chunks: Vec<Vec<u8>> =
        (1..).step_by(40).zip(names.chunks(40)).map(|(first, names)| chunk(first, names)).collect();
    let evtx = sample::file(&chunks);
    let files = |site: &Site| {
        site.write("in/gw.log", &text);
        site.write("in/dc.evtx", &evtx);
        site.path("in")
    };
    let whole = undisturbed.import(&[&files(&undisturbed)]).ok();
    assert_eq!(whole.out, "accepted: 30120, duplicate: 0, damaged: 0\n");
    let mut random = Random::seeded(SEED + 1);
    for _ in 0..IMPORT_CRASHES {
        let site = Site::new();
        let folder = files(&site);
        let moment = 1 + random.below(29_000);
        kill_import(&site, &folder, moment);
        let again = site.import(&[&folder]).ok();
        // The first run may have finished one of the two files, or both when it was killed judging past days; a file is
        // counted whole by whoever finished it.
        let finished = [
            "accepted: 30120, duplicate: 0, damaged: 0\n",
            "accepted: 30000, duplicate: 120, damaged: 0\n",
            "accepted: 0, duplicate: 30120, damaged: 0\n",
        ];
        assert!(finished.contains(&again.out.as_str()), "killed after {moment} records: {again:#?}");
        assert_eq!(facts(&site.search("*")), facts(&undisturbed.search("*")));
        assert_eq!(journal::findings(&site.data()), journal::findings(&undisturbed.data()));
        let third = site.import(&[&folder]).ok();
        assert_eq!(third.out, "accepted: 0, duplicate: 30120, damaged: 0\n");
    }
}

fn kill_import(site: &Site, folder: &std::path::Path, moment: u64) {
    let data = site.data();
    let arguments = ["import", "--data-dir", data.to_str().unwrap(), folder.to_str().unwrap()];
    let mut child = site.command(arguments).stderr(std::process::Stdio::null()).spawn().unwrap();
    wait_until("the moment of the kill", || journal::published(&data) >= moment || child.try_wait().unwrap().is_some());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What does not depend on when and in which order files were read.
fn facts(events: &[Value]) -> Vec<String> {
    let fact = |event: &Value| format!("{} {} {}", event["@timestamp"], event["user.name"], event["message"]);
    let mut facts: Vec<String> = events.iter().map(fact).collect();
    facts.sort_unstable();
    facts
}
