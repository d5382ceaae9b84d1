//! What somebody with the disk in his hands may do, and whether it is found and named.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::act::Deed;
use monban_event::{FindingId, FindingStatus, Format, Origin, SimulatedClock, TimeRange, Transport};

use super::chain::Head;
use super::segment::{
    self, FRAME_HEADER_BYTES, FrameRead, HEADER_BYTES, HEADER_LENGTH, HeaderFault, KIND_LINK, SegmentFile, SegmentPath,
    frame, kind_and_body, sealed_path,
};
use super::verify::{Fault, FaultKind, Verification, Wanted, part_end, verify, verify_while};
use super::*;

fn start() -> DateTime<Utc> {
    "2026-10-25T00:00:00Z".parse().unwrap()
}

fn record(at: DateTime<Utc>, text: String, origin: Origin) -> Record {
    Record {
        received_at: at,
        origin,
        transport: Transport::Udp,
        peer: None,
        identity: None,
        format: Format::Syslog,
        file: None,
        bytes: text.into_bytes(),
        cut: false,
    }
}

fn review(at: DateTime<Utc>, note: &str) -> Act {
    let (reason, note) = ("保守作業（連絡済）".to_owned(), note.to_owned());
    let (finding, status) = (FindingId::new("ab"), FindingStatus::Confirmed);
    Act { at, by: "山田".to_owned(), deed: Deed::Review { finding, status, reason, note } }
}

fn wait(journal: &Journal, records: Vec<Record>) {
    let (sender, receiver) = std::sync::mpsc::channel();
    journal.submit(Lane::Live, records, Box::new(move |result| sender.send(result).unwrap()));
    receiver.recv().unwrap().unwrap();
}

fn wait_act(journal: &Journal, act: Act) {
    let (sender, receiver) = std::sync::mpsc::channel();
    journal.submit_acts(vec![act], Box::new(move |result| sender.send(result).unwrap()));
    receiver.recv().unwrap().unwrap();
}

/// Three days of ten commits and a review each: numbers 1 to 93, the reviews at 31, 62 and 93. Every stop is a
/// checkpoint.
fn three_days(dir: &Path) {
    let clock = Arc::new(SimulatedClock::at(start()));
    for day in 0..3 {
        let (journal, _) = Journal::open(dir, clock.clone()).unwrap();
        for commit in 0..10 {
            let origin = if commit == 0 { Origin::Import } else { Origin::Live };
            let text = |line| format!("{day}-{commit:02}-{line} sshd: Accepted password for tanaka from 192.0.2.1");
            wait(&journal, (0..3).map(|line| record(clock.now(), text(line), origin)).collect());
        }
        wait_act(&journal, review(clock.now(), "電話で確認した"));
        assert_eq!(journal.wait_sealed(), None);
        drop(journal);
        clock.set(start() + TimeDelta::days(day + 1));
    }
}

fn checked(dir: &Path) -> Verification {
    verify(dir, &Wanted::default()).unwrap()
}

/// A fresh journal, changed by `change`; what is told of it.
fn after(change: impl FnOnce(&Path)) -> Vec<Fault> {
    let dir = tempfile::tempdir().unwrap();
    three_days(dir.path());
    change(dir.path());
    checked(dir.path()).faults
}

fn records_of_day(dir: &Path, day: u64) -> PathBuf {
    segment::segment_path(dir, Family::Records, 31 * day + 1)
}

/// The payloads of a segment, in whichever form it is there.
fn read_payloads(path: &Path) -> ([u8; HEADER_LENGTH], Vec<Vec<u8>>) {
    let segment = SegmentPath { first: 0, path: path.to_owned() };
    let mut file = SegmentFile::open(&segment).unwrap();
    let header = file.header().unwrap().unwrap();
    let (mut offset, mut payloads) = (HEADER_BYTES, Vec::new());
    while let FrameRead::Frame { payload, next } = file.read_frame(offset).unwrap() {
        payloads.push(payload);
        offset = next;
    }
    (header, payloads)
}

/// Writes a segment anew with right checksums, as somebody would who knows the form of the files.
fn write_payloads(path: &Path, header: &[u8; HEADER_LENGTH], payloads: &[Vec<u8>]) {
    let frames = payloads.iter().map(|payload| {
        let (kind, body) = kind_and_body(payload);
        frame(kind, body)
    });
    let bytes: Vec<u8> = header.iter().copied().chain(frames.flatten()).collect();
    fs::write(path, bytes).unwrap();
    drop(fs::remove_file(sealed_path(path)));
}

/// The file of a segment in the form it has.
fn file_of(raw: &Path) -> PathBuf {
    if raw.try_exists().unwrap() { raw.to_owned() } else { sealed_path(raw) }
}

/// … and with right links too.
fn write_chained(path: &Path, header: &[u8; HEADER_LENGTH], mut payloads: Vec<Vec<u8>>) {
    let mut head = Head::of(header[28..60].try_into().unwrap());
    for payload in &mut payloads {
        if payload[0] == KIND_LINK {
            *payload = [&[KIND_LINK][..], head.bytes()].concat();
        }
        head = head.after(payload);
    }
    write_payloads(path, header, &payloads);
}

fn replace(bytes: &mut [u8], from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect("it stands there");
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
}

/// The index of the payload that holds a text.
fn place(payloads: &[Vec<u8>], text: &str) -> usize {
    payloads.iter().position(|payload| payload.windows(text.len()).any(|window| window == text.as_bytes())).unwrap()
}

#[test]
fn an_untouched_journal_passes_in_every_form() {
    let dir = tempfile::tempdir().unwrap();
    three_days(dir.path());
    let told = checked(dir.path());
    assert_eq!(told.faults, []);
    assert_eq!((told.received, told.imported, told.acts), (81, 9, 3));
    assert_eq!((told.first, told.last, told.segments), (1, 93, 6));
    assert_eq!((told.chains.len(), told.signed.unwrap().last, told.unfinished_bytes), (1, 93, 0));
    assert_eq!(told.begins, Some(start()));
    seal_folder(dir.path()).unwrap();
    let sealed = checked(dir.path());
    assert_eq!((&sealed.faults, sealed.receipt), (&Vec::new(), told.receipt));
    fs::remove_file(dir.path().join("durable")).unwrap();
    assert_eq!(checked(dir.path()).faults, [], "a copied folder may lack it");
}

#[test]
fn a_part_of_the_time_is_checked_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    three_days(dir.path());
    let second = start() + TimeDelta::hours(30);
    let wanted = Wanted { from: Some(second), to: Some(second + TimeDelta::hours(1)), ..Wanted::default() };
    let told = verify(dir.path(), &wanted).unwrap();
    assert_eq!((told.faults, told.first, told.last), (Vec::new(), 32, 62));
}

#[test]
fn a_changed_record_is_named_although_its_checksum_was_made_right() {
    let faults = after(|dir| {
        let path = records_of_day(dir, 1);
        let (header, mut payloads) = read_payloads(&path);
        let at = place(&payloads, "1-04-1");
        replace(&mut payloads[at], "1-04-1 sshd: Accepted", "1-04-1 sshd: Rejected");
        write_payloads(&path, &header, &payloads);
    });
    assert!((32..=45).contains(&faults[0].first), "{faults:?}");
    assert!(faults[0].last >= 45 && faults[0].last <= 62, "{faults:?}");
}

#[test]
fn rewriting_the_whole_chain_does_not_help_without_the_keys() {
    let faults = after(|dir| {
        let path = records_of_day(dir, 1);
        let (header, mut payloads) = read_payloads(&path);
        let at = place(&payloads, "1-04-1");
        replace(&mut payloads[at], "192.0.2.1", "192.0.2.7");
        write_chained(&path, &header, payloads);
    });
    assert!(matches!(faults[0].kind, FaultKind::Checkpoint(_)), "{faults:?}");
    assert!(faults[0].first <= 45 && (45..=62).contains(&faults[0].last), "{faults:?}");
    assert!(faults[0].first > 31, "the first day is vouched for: {faults:?}");
}

#[test]
fn a_deleted_and_an_inserted_record_are_named() {
    let removed = after(|dir| {
        let path = records_of_day(dir, 1);
        let (header, mut payloads) = read_payloads(&path);
        let at = place(&payloads, "1-04-");
        payloads.remove(at);
        write_chained(&path, &header, payloads);
    });
    assert!(
        removed.iter().any(|fault| (fault.first, fault.last, &fault.kind) == (44, 46, &FaultKind::Missing)),
        "{removed:?}"
    );
    assert!(removed[0].first >= 32 && removed[0].first <= 44, "{removed:?}");
    let inserted = after(|dir| {
        let path = records_of_day(dir, 1);
        let (header, mut payloads) = read_payloads(&path);
        let at = place(&payloads, "1-04-");
        let copy = payloads[at].clone();
        payloads.insert(at + 1, copy);
        write_chained(&path, &header, payloads);
    });
    assert!(inserted.iter().any(|fault| fault.kind == FaultKind::Order && fault.first == 44), "{inserted:?}");
}

#[test]
fn two_swapped_records_are_named_also_where_their_numbers_were_made_right() {
    let swap = |renumber: bool| {
        after(|dir| {
            let path = records_of_day(dir, 2);
            let (header, mut payloads) = read_payloads(&path);
            let (one, other) = (place(&payloads, "2-03-"), place(&payloads, "2-06-"));
            payloads.swap(one, other);
            if renumber {
                let numbers = |payload: &[u8]| u64::from_le_bytes(payload[1..9].try_into().unwrap());
                let (first, second) = (numbers(&payloads[one]), numbers(&payloads[other]));
                payloads[one][1..9].copy_from_slice(&second.to_le_bytes());
                payloads[other][1..9].copy_from_slice(&first.to_le_bytes());
            }
            write_payloads(&path, &header, &payloads);
        })
    };
    for renumber in [false, true] {
        let faults = swap(renumber);
        assert!((63..=72).contains(&faults[0].first) && faults[0].last >= 72, "{renumber}: {faults:?}");
    }
}

#[test]
fn swapped_segments_and_missing_ones_are_named() {
    let swapped = after(|dir| {
        let (one, other) = (file_of(&records_of_day(dir, 0)), file_of(&records_of_day(dir, 1)));
        let (first, second) = (fs::read(&one).unwrap(), fs::read(&other).unwrap());
        fs::write(one, second).unwrap();
        fs::write(other, first).unwrap();
    });
    assert_eq!((swapped[0].first, &swapped[0].kind), (1, &FaultKind::Header(HeaderFault::Misplaced)), "{swapped:?}");
    for day in 0..3 {
        let missing = after(|dir| fs::remove_file(file_of(&records_of_day(dir, day))).unwrap());
        let expected = (31 * day + 1, 31 * day + 30, FaultKind::Missing);
        assert!(missing.iter().any(|f| (f.first, f.last, f.kind.clone()) == expected), "{day}: {missing:?}");
        assert_eq!(missing[0].first, expected.0, "{missing:?}");
    }
}

#[test]
fn an_edited_review_is_named() {
    let edit = |chained: bool| {
        after(|dir| {
            let path = segment::segment_path(dir, Family::Acts, 1);
            let (header, mut payloads) = read_payloads(&path);
            let at = place(&payloads, "電話で確認した");
            replace(&mut payloads[at], "電話で確認した", "電話で承認した");
            if chained { write_chained(&path, &header, payloads) } else { write_payloads(&path, &header, &payloads) }
        })
    };
    for chained in [false, true] {
        let faults = edit(chained);
        assert!(faults[0].first <= 31 && faults[0].last >= 31, "{chained}: {faults:?}");
    }
}

#[test]
fn a_journal_cut_off_at_its_end_is_found_by_what_was_kept_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    three_days(dir.path());
    let receipt = checked(dir.path()).receipt.unwrap();
    for family in Family::ALL {
        let (segments, _) = segment::list(dir.path(), family).unwrap();
        fs::remove_file(&segments.last().unwrap().path).unwrap();
    }
    assert!(checked(dir.path()).faults.iter().any(|fault| fault.kind == FaultKind::Missing), "it had been published");
    fs::remove_file(dir.path().join("durable")).unwrap();
    assert_eq!(checked(dir.path()).faults, [], "the files alone cannot tell");
    let wanted = Wanted { against: Some(receipt.clone()), ..Wanted::default() };
    let told = verify(dir.path(), &wanted).unwrap();
    assert!(told.faults.iter().any(|fault| fault.kind == FaultKind::Receipt), "{:?}", told.faults);
    let forged = Receipt { last: 31, ..receipt };
    let told = verify(dir.path(), &Wanted { against: Some(forged), ..Wanted::default() }).unwrap();
    assert!(told.faults.iter().any(|fault| fault.kind == FaultKind::Receipt));
}

#[test]
fn a_chain_signed_by_other_keys_is_told_by_the_first_key() {
    let dir = tempfile::tempdir().unwrap();
    three_days(dir.path());
    let key = checked(dir.path()).chains[0].public_key.clone();
    let with = |key: String| verify(dir.path(), &Wanted { first_key: Some(key), ..Wanted::default() }).unwrap().faults;
    assert_eq!(with(key), []);
    assert_eq!(with("00".repeat(32))[0].kind, FaultKind::FirstKey);
}

#[test]
fn a_copy_without_keys_goes_on_with_a_chain_of_its_own_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    three_days(dir.path());
    fs::remove_dir_all(dir.path().join("keys")).unwrap();
    let (journal, recovery) = Journal::open(dir.path(), Arc::new(SimulatedClock::at(start()))).unwrap();
    assert_eq!(recovery.last, RecordId(93));
    wait(&journal, vec![record(start(), "after".to_owned(), Origin::Live)]);
    drop(journal);
    let told = checked(dir.path());
    assert_eq!(told.faults, []);
    assert_eq!(told.chains.iter().map(|chain| chain.begun).collect::<Vec<_>>(), [Begun::Fresh, Begun::WithoutKeys]);
}

#[test]
fn a_period_that_is_handed_out_is_checked_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    three_days(dir.path());
    let (journal, _) = Journal::open(dir.path(), Arc::new(SimulatedClock::at(start()))).unwrap();
    let out = dir.path().join("handed-out");
    let day = TimeRange::between(start() + TimeDelta::hours(25), start() + TimeDelta::hours(26));
    let copied = journal.copy_period(&out, day).unwrap();
    assert!(copied.first <= 32 && copied.last >= 62, "{copied:?}");
    let told = checked(&out);
    assert_eq!(told.faults, []);
    assert!(told.signed.is_some_and(|signed| signed.last >= 62), "{told:?}");
    let path = file_of(&records_of_day(&out, 1));
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(!checked(&out).faults.is_empty());
}

#[test]
fn a_checkpoint_that_begins_a_segment_belongs_to_what_is_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::at(start()));
    let (journal, _) = Journal::open(dir.path(), clock.clone()).unwrap();
    wait_act(&journal, review(start(), "一日目"));
    // The stop of the next day signs into a segment of its own, and publishes what is behind that.
    clock.set(start() + TimeDelta::days(2));
    wait(&journal, vec![record(clock.now(), "x".to_owned(), Origin::Live)]);
    drop(journal);
    assert_eq!(segment::list(dir.path(), Family::Acts).unwrap().0.len(), 2);
    assert_eq!(checked(dir.path()).faults, []);
}

/// Every changed byte is found, whichever file it is in, and whatever form that has.
fn each_flip_is_found(dir: &Path, flips: u64) {
    let mut files: Vec<PathBuf> = vec![dir.join("durable")];
    for family in Family::ALL {
        files.extend(segment::list(dir, family).unwrap().0.into_iter().map(|segment| segment.path));
    }
    let (mut seed, mut unfound) = (41_923_u64, BTreeSet::new());
    let mut below = |end: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % end
    };
    for _ in 0..flips {
        let path = &files[usize::try_from(below(files.len() as u64)).unwrap()];
        let whole = fs::read(path).unwrap();
        let at = usize::try_from(below(whole.len() as u64)).unwrap();
        let mut changed = whole.clone();
        changed[at] ^= u8::try_from(1 + below(255)).unwrap();
        fs::write(path, &changed).unwrap();
        if checked(dir).faults.is_empty() {
            unfound.insert((path.clone(), at));
        }
        fs::write(path, &whole).unwrap();
    }
    assert!(unfound.is_empty(), "{unfound:?}");
    assert_eq!(checked(dir).faults, []);
}

#[test]
fn a_thousand_changed_bytes_are_a_thousand_found() {
    let dir = tempfile::tempdir().unwrap();
    three_days(dir.path());
    each_flip_is_found(dir.path(), 500);
    seal_folder(dir.path()).unwrap();
    each_flip_is_found(dir.path(), 500);
}

#[test]
fn frames_begin_where_the_header_ends() {
    assert_eq!(frame(KIND_LINK, &[]).len(), FRAME_HEADER_BYTES);
}

#[test]
fn parts_of_so_many_bytes_follow_one_another_to_the_end_and_each_passes() {
    let dir = tempfile::tempdir().unwrap();
    three_days(dir.path());
    let (mut from, mut ends) = (None, Vec::new());
    loop {
        let to = part_end(dir.path(), from, 1).unwrap();
        let told = verify(dir.path(), &Wanted { from, to, ..Wanted::default() }).unwrap();
        assert!(told.is_right() && told.segments > 0, "{from:?} {to:?} {:?}", told.faults);
        ends.push(to);
        from = to;
        if to.is_none() {
            break;
        }
    }
    assert!(ends.len() >= 3 && ends.is_sorted_by_key(|end| end.unwrap_or(DateTime::<Utc>::MAX_UTC)), "{ends:?}");
    assert_eq!(part_end(dir.path(), None, u64::MAX).unwrap(), None);
}

#[test]
fn a_check_that_is_stopped_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    three_days(dir.path());
    assert!(verify_while(dir.path(), &Wanted::default(), &|| false).unwrap().is_none());
}

#[test]
fn a_journal_that_is_written_meanwhile_passes() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), Arc::new(SimulatedClock::at(start()))).unwrap();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for line in 0..200 {
                wait(&journal, vec![record(start(), format!("line {line}"), Origin::Live)]);
                wait_act(&journal, review(start(), "電話で確認した"));
            }
        });
        while !writing.is_finished() {
            assert_eq!(checked(dir.path()).faults, []);
        }
    });
    assert_eq!(checked(dir.path()).last, 400);
}
