//! The hands of a hunt: one thread reads the files in their order, several parse, enrich and match what needs no memory,
//! and the caller takes what they did in the order of reading. Batches go round the workers in turn and come back in
//! turn, so the order is the same however many there are, and no more than a few batches a worker are ever held.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use monban_detect::{Context, Foreseen, RuleSet, enrich};
use monban_event::{Event, Format, Record, RecordId};
use monban_ingest::Parsers;
use monban_ingest::file::{FileRecords, InputFile, Receipt};

/// Bytes of records after which a batch is full: one event log chunk, or some hundred lines.
const BATCH_BYTES: usize = 64 * 1024;
/// Records of a batch at most; events take some ten times the room of a short line.
const BATCH_RECORDS: usize = 512;
/// Batches that wait in front of each worker and behind it: enough that nobody waits for a slow one.
const QUEUE: usize = 2;

/// What the workers know; it does not change.
pub(super) struct Knowledge {
    pub(super) parsers: Parsers,
    pub(super) context: Arc<Context>,
    pub(super) rules: Arc<RuleSet>,
}

/// Records of one file as they stand in it.
#[derive(Default)]
struct Batch {
    /// In the order of reading.
    file: usize,
    /// Number of the first record; there is no journal to number them.
    first: u64,
    records: Vec<Record>,
    ended: Option<FileEnd>,
    read_bytes: u64,
}

/// What there is to say of a file that was read to its end, or as far as it went.
#[derive(Debug, Default)]
pub(super) struct FileEnd {
    pub(super) damage: Vec<String>,
    pub(super) notes: Vec<String>,
    /// Why it could not be read further.
    pub(super) failure: Option<String>,
}

/// A batch as the workers leave it.
#[derive(Default)]
pub(super) struct Done {
    pub(super) file: usize,
    /// Number of the batch's first record.
    pub(super) first: u64,
    pub(super) events: Vec<Event>,
    /// Of each of the events.
    pub(super) foreseen: Vec<Foreseen>,
    /// Events read, and what stood there and could not be.
    pub(super) read: u64,
    pub(super) damaged: u64,
    /// Of the records, with the file and the place they are about.
    pub(super) notes: Vec<String>,
    pub(super) ended: Option<FileEnd>,
    /// Of all files so far.
    pub(super) read_bytes: u64,
}

/// Gives `take` what the files hold, batch by batch in their order, until it fails or everything is read.
pub(super) fn work<E>(
    knowledge: &Knowledge,
    (files, receipt): (&[InputFile], &Receipt),
    threads: NonZeroUsize,
    take: &mut dyn FnMut(Done) -> Result<(), E>,
) -> Result<(), E> {
    thread::scope(|scope| {
        let mut fronts = Vec::new();
        let mut backs = Vec::new();
        for _ in 0..threads.get() {
            let (front, batches) = sync_channel::<Batch>(QUEUE);
            let (sender, back) = sync_channel::<Done>(QUEUE);
            fronts.push(front);
            backs.push(back);
            scope.spawn(move || toil(knowledge, &batches, &sender));
        }
        scope.spawn(move || deal(files, receipt, &fronts));
        gather(&backs, take)
        // Going away, `backs` ends the workers, and they the reader, wherever they are.
    })
}

/// Hands out what the files hold, batch by batch, each to the next worker in turn.
fn deal(files: &[InputFile], receipt: &Receipt, fronts: &[SyncSender<Batch>]) {
    let mut turn = fronts.iter().cycle();
    // A worker is gone only when nobody wants to know any more.
    let give = &mut |batch: Batch| turn.next().is_some_and(|front| front.send(batch).is_ok());
    let mut dealer = Dealer { give, batch: Batch { first: 1, ..Batch::default() }, held_bytes: 0 };
    let mut bytes_before = 0;
    for (number, file) in files.iter().enumerate() {
        if !dealer.file((number, file), receipt, bytes_before) {
            return;
        }
        bytes_before += file.disk_bytes;
    }
}

struct Dealer<'a> {
    /// False when nobody takes batches any more; so are the methods.
    give: &'a mut dyn FnMut(Batch) -> bool,
    batch: Batch,
    held_bytes: usize,
}

impl Dealer<'_> {
    fn file(&mut self, (number, file): (usize, &InputFile), receipt: &Receipt, bytes_before: u64) -> bool {
        self.batch.file = number;
        let mut end = FileEnd::default();
        match FileRecords::open(file, receipt.clone()) {
            Err(error) => end.failure = Some(crate::error_chain(&error)),
            Ok(mut records) => {
                while let Some(record) = records.next() {
                    self.batch.read_bytes = bytes_before + records.read_bytes();
                    match record {
                        Ok(record) => {
                            if !self.put(record) {
                                return false;
                            }
                        }
                        Err(error) => {
                            end.failure = Some(format!("{}: {error}", file.shown));
                            break;
                        }
                    }
                }
                (end.damage, end.notes) = (records.damage(), records.notes());
            }
        }
        self.batch.ended = Some(end);
        self.pass_on()
    }

    fn put(&mut self, record: Record) -> bool {
        self.held_bytes += record.bytes.len();
        self.batch.records.push(record);
        let is_full = self.held_bytes >= BATCH_BYTES || self.batch.records.len() >= BATCH_RECORDS;
        !is_full || self.pass_on()
    }

    fn pass_on(&mut self) -> bool {
        let first = self.batch.first + self.batch.records.len() as u64;
        let next = Batch { file: self.batch.file, first, read_bytes: self.batch.read_bytes, ..Batch::default() };
        self.held_bytes = 0;
        (self.give)(std::mem::replace(&mut self.batch, next))
    }
}

fn toil(knowledge: &Knowledge, batches: &Receiver<Batch>, sender: &SyncSender<Done>) {
    // An event takes two kilobytes: room that is right from the start spares moving them while a batch grows.
    let mut room = 0;
    while let Ok(batch) = batches.recv() {
        let done = knowledge.done(batch, room);
        room = done.events.len();
        if sender.send(done).is_err() {
            return;
        }
    }
}

/// Takes the batches back in turn. The first worker that has no more at its turn is behind the last batch.
fn gather<E>(backs: &[Receiver<Done>], take: &mut dyn FnMut(Done) -> Result<(), E>) -> Result<(), E> {
    for back in backs.iter().cycle() {
        let Ok(done) = back.recv() else { break };
        take(done)?;
    }
    Ok(())
}

impl Knowledge {
    fn done(&self, batch: Batch, room: usize) -> Done {
        let Batch { file, first, records, ended, read_bytes } = batch;
        let mut done = Done { file, first, ended, read_bytes, ..Done::default() };
        let mut events = Vec::with_capacity(room);
        for (record, number) in records.iter().zip(first..) {
            self.read(RecordId(number), record, &mut events, &mut done);
        }
        done.read = events.len() as u64;
        done.foreseen = events.iter_mut().map(|event| self.foresee(event)).collect();
        done.events = events;
        done
    }

    fn read(&self, id: RecordId, record: &Record, events: &mut Vec<Event>, done: &mut Done) {
        // An empty line says nothing and is no event.
        if record.format == Format::Syslog && record.bytes.is_empty() {
            return;
        }
        let report = self.parsers.read(id, record, events);
        done.damaged += report.damaged;
        if let Some(file) = &record.file {
            let note = |note: &String| format!("{}: チャンク {}: {note}", file.path, file.index);
            done.notes.extend(report.notes.iter().map(note));
        }
    }

    fn foresee(&self, event: &mut Event) -> Foreseen {
        enrich(&self.context, event);
        self.rules.foresee(event)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use monban_ingest::TextSettings;
    use monban_ingest::file::find;

    use super::*;

    fn knowledge() -> Knowledge {
        Knowledge {
            parsers: Parsers { settings: TextSettings::in_zone(chrono_tz::Asia::Tokyo) },
            context: Arc::default(),
            rules: Arc::new(RuleSet::load_texts([]).0),
        }
    }

    fn lines(threads: usize, stop_after: usize) -> (Vec<String>, Result<(), ()>) {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.log", "b.log"] {
            let text: Vec<String> = (0..3_000).map(|line| format!("{name} {line}\n\n")).collect();
            fs::write(dir.path().join(name), text.concat()).unwrap();
        }
        let files = find(&[dir.path().to_owned()]).unwrap().files;
        let mut seen = Vec::new();
        let mut take = |done: Done| {
            seen.extend(done.events.iter().map(|event| format!("{} {:?}", event.id, event.message)));
            if seen.len() >= stop_after { Err(()) } else { Ok(()) }
        };
        let threads = NonZeroUsize::new(threads).unwrap();
        let outcome = work(&knowledge(), (&files, &Receipt::default()), threads, &mut take);
        (seen, outcome)
    }

    #[test]
    fn events_come_in_the_order_of_the_files_whoever_reads_them() {
        let (one, outcome) = lines(1, usize::MAX);
        assert_eq!((one.len(), outcome), (6_000, Ok(())));
        assert!(one[0].contains("a.log 0") && one[5_999].contains("b.log 2999"), "{one:?}");
        for threads in [2, 3, 7] {
            assert!(lines(threads, usize::MAX).0 == one, "{threads} threads");
        }
    }

    #[test]
    fn whoever_has_enough_ends_all_of_them() {
        let (seen, outcome) = lines(2, 100);
        assert_eq!(outcome, Err(()));
        assert!(seen.len() < 6_000, "{}", seen.len());
    }
}
