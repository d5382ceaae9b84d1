//! Whether a journal is what was written: from its files alone, also those of a copied folder, on another machine, or
//! beside the program that writes them. It opens nothing for writing.
//!
//! Three things are held against one another: the frames as they are (checksums, order and completeness of the
//! numbers), the running hash over them (links, the heads in segment headers), and what was said about it (signed
//! checkpoints, the published position, a receipt that was kept elsewhere).

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use monban_event::{Origin, RecordId};
use serde::Serialize;

use super::JournalError;
use super::chain::{Begun, Checkpoint, Head, Heads, Receipt};
use super::codec::{self, Entry};
use super::copy::CHECKPOINTS;
use super::retain::retired;
use super::segment::{
    self, Family, FrameRead, HEADER_BYTES, HEADER_LENGTH, HeaderFault, SegmentFile, SegmentPath, payload_entries,
    read_header,
};
use super::writer::{Published, published};

/// Faults told one by one; of a journal with more of them the first matter.
const FAULTS_MAX: usize = 100;

/// What to look at, and what to hold it against.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Segments that were written to in this period; all without.
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
    pub against: Option<Receipt>,
    /// The public key that the first chain must begin with, as hex.
    pub first_key: Option<String>,
    /// Numbers up to this are gone by retention, as the asker knows. Else the acts are read for it, which may stand behind
    /// the period.
    pub retired: Option<u64>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Verification {
    pub segments: u64,
    /// Records that were received, and those that were imported.
    pub received: u64,
    pub imported: u64,
    pub acts: u64,
    /// First and last number.
    pub first: u64,
    pub last: u64,
    /// When the first and the last entry were journaled.
    pub begins: Option<DateTime<Utc>>,
    pub ends: Option<DateTime<Utc>>,
    pub checkpoints: u64,
    pub chains: Vec<ChainSeen>,
    /// Up to here the last checkpoint vouches.
    pub signed: Option<Signed>,
    /// Bytes at the end that a write left unfinished; never acknowledged.
    pub unfinished_bytes: u64,
    /// The journal's end, to be kept elsewhere.
    pub receipt: Option<Receipt>,
    /// In the order of the journal.
    pub faults: Vec<Fault>,
    /// Further ones that are not listed.
    pub more_faults: u64,
}

/// The last number that a signature covers, and when that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Signed {
    pub last: u64,
    pub at: DateTime<Utc>,
}

/// A chain of keys and how it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainSeen {
    pub chain: String,
    pub begun: Begun,
    pub at: DateTime<Utc>,
    pub public_key: String,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub segment: Option<PathBuf>,
    /// The first bad record or act is one of these.
    pub first: u64,
    pub last: u64,
    /// When the entry before them was journaled: up to there everything is right.
    pub right_until: Option<DateTime<Utc>>,
    pub kind: FaultKind,
}

impl Serialize for FaultKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    #[error("the segment cannot be read: {0}")]
    Segment(String),
    #[error("{0}")]
    Header(HeaderFault),
    #[error("the segment does not follow the one before it")]
    Follows,
    #[error("the {0} of the sealed segment is damaged; its records can still be read")]
    Part(&'static str),
    #[error("a frame is damaged")]
    Frame,
    #[error("the order of numbers is broken")]
    Order,
    #[error("these numbers are missing")]
    Missing,
    #[error("an entry is not readable")]
    Entry,
    #[error("the chain is broken")]
    Link,
    #[error("what the checkpoint of {0} vouches for is something else")]
    Checkpoint(DateTime<Utc>),
    #[error("the signature of the checkpoint of {0} is wrong")]
    Signature(DateTime<Utc>),
    #[error("the checkpoint of {0} does not follow the one before it")]
    Sequence(DateTime<Utc>),
    #[error("the first key is another one")]
    FirstKey,
    #[error("the published position is another")]
    Published,
    #[error("the receipt is of another journal, or what it vouches for is gone")]
    Receipt,
}

/// Checks the journal in `dir`. Fails only where the folder cannot be read at all.
#[expect(clippy::missing_panics_doc, reason = "what nothing stops has an answer")]
pub fn verify(dir: &Path, wanted: &Wanted) -> Result<Verification, JournalError> {
    Ok(verify_while(dir, wanted, &|| true)?.expect("nothing stops it"))
}

/// The same, given up between two segments where `goes_on` says so: then there is no answer.
pub fn verify_while(
    dir: &Path,
    wanted: &Wanted,
    goes_on: &dyn Fn() -> bool,
) -> Result<Option<Verification>, JournalError> {
    let mut found = Found::default();
    let (claimed, receipt) = (published(dir), wanted.against.as_ref());
    let mut statements: Vec<Statement> = Vec::new();
    match claimed {
        Published::At(last, Some(heads)) => {
            statements.push(Statement { last: last.0, heads, kind: FaultKind::Published });
        }
        // A copied folder may lack it, and version 1 wrote the number alone.
        Published::Absent | Published::At(_, None) => {}
        Published::Unreadable => found.whole(FaultKind::Published),
    }
    statements.extend(receipt.map(|r| Statement { last: r.last, heads: r.heads, kind: FaultKind::Receipt }));
    let claims = statements.iter().map(|s| s.claim(s.heads.acts)).collect();
    let is_excerpt = is_excerpt(dir);
    let acts = if is_excerpt {
        found.checkpoints = read_checkpoints(dir)?;
        Walked::default()
    } else {
        Walk::new(dir, Family::Acts, wanted, claims)?.run(&mut found, goes_on)
    };
    found.retired = found.retired.max(match wanted.retired {
        Some(retired) => retired,
        None if wanted.to.is_some() && !is_excerpt => retired_by_any_act(dir, goes_on)?,
        None => 0,
    });
    statements.extend(found.checkpoints.iter().map(|checkpoint| Statement {
        last: checkpoint.last,
        heads: checkpoint.heads,
        kind: FaultKind::Checkpoint(checkpoint.at),
    }));
    let claims = statements.iter().map(|s| s.claim(s.heads.records)).collect();
    let records = Walk::new(dir, Family::Records, wanted, claims)?.run(&mut found, goes_on);
    if !goes_on() {
        return Ok(None);
    }
    if !is_excerpt {
        found.numbers(&acts, &records, claimed.last().0);
    }
    found.keys(wanted.first_key.as_deref());
    if receipt.is_some_and(|receipt| !receipt.is_consistent()) {
        found.whole(FaultKind::Receipt);
    }
    Ok(Some(found.finish(&acts, &records)))
}

/// The part of the journal from `from` on, or from its beginning, that has so many bytes on disk: at least one segment.
/// Gives when the segment behind it was begun, `None` where it reaches to the end.
pub fn part_end(dir: &Path, from: Option<DateTime<Utc>>, bytes: u64) -> Result<Option<DateTime<Utc>>, JournalError> {
    let mut begun: Vec<(DateTime<Utc>, u64)> = Vec::new();
    for family in Family::ALL {
        for segment in segment::list(dir, family)?.0 {
            // One that went away or cannot be read has no part in the measure; the check itself tells of it.
            let length = fs::metadata(&segment.path).map_or(0, |metadata| metadata.len());
            begun.extend(begun_at(&segment, family).map(|at| (at, length)));
        }
    }
    begun.sort_unstable();
    let first = begun.partition_point(|&(at, _)| from.is_some_and(|from| at < from));
    let (mut sum, mut rest) = (0_u64, begun.into_iter().skip(first));
    let start = rest.next().map(|(at, length)| {
        sum = length;
        at
    });
    Ok(rest
        .find(|&(at, length)| {
            sum = sum.saturating_add(length);
            sum > bytes && Some(at) > start
        })
        .map(|(at, _)| at))
}

fn retired_by_any_act(dir: &Path, goes_on: &dyn Fn() -> bool) -> Result<u64, JournalError> {
    let mut found = Found::default();
    Walk::new(dir, Family::Acts, &Wanted::default(), Vec::new())?.run(&mut found, goes_on);
    Ok(found.retired)
}

/// Whether there are records without the acts between them: a period that was handed out. Whether numbers are complete
/// cannot be told of it; the chain tells whether records are.
fn is_excerpt(dir: &Path) -> bool {
    !dir.join(Family::Acts.folder()).is_dir() && dir.join(CHECKPOINTS).is_file()
}

fn read_checkpoints(dir: &Path) -> Result<Vec<Checkpoint>, JournalError> {
    let path = dir.join(CHECKPOINTS);
    let text = fs::read_to_string(&path).map_err(|source| JournalError::Read { path: path.clone(), source })?;
    let damaged =
        |error: serde_json::Error| JournalError::Damaged { path: path.clone(), offset: 0, reason: error.to_string() };
    text.lines().map(|line| serde_json::from_str(line).map_err(damaged)).collect()
}

/// What somebody said the heads were once everything up to a number was written.
struct Statement {
    last: u64,
    heads: Heads,
    kind: FaultKind,
}

impl Verification {
    /// Whether everything is as it was written.
    pub fn is_right(&self) -> bool {
        self.faults.is_empty()
    }
}

impl Statement {
    fn claim(&self, head: Head) -> Claim {
        Claim { last: self.last, head, kind: self.kind.clone() }
    }
}

/// A statement about one family. It is met at any place behind its last number: proofs have no numbers.
struct Claim {
    last: u64,
    head: Head,
    kind: FaultKind,
}

/// What the walks gather.
#[derive(Default)]
struct Found {
    told: Verification,
    checkpoints: Vec<Checkpoint>,
    /// Up to here numbers may be gone, because retention took them, and the journal says so.
    retired: u64,
}

impl Found {
    fn fault(&mut self, fault: Fault) {
        if self.told.faults.len() < FAULTS_MAX {
            self.told.faults.push(fault);
        } else {
            self.told.more_faults += 1;
        }
    }

    /// A fault of no place.
    fn whole(&mut self, kind: FaultKind) {
        self.fault(Fault { segment: None, first: 1, last: 1, right_until: None, kind });
    }

    /// Numbers that neither family has.
    fn numbers(&mut self, acts: &Walked, records: &Walked, published: u64) {
        let mut runs: Vec<(u64, u64)> = acts.runs.iter().chain(&records.runs).copied().collect();
        runs.sort_unstable();
        let (lowest, highest) = (acts.begin.max(records.begin), acts.end.min(records.end));
        let mut expected = lowest;
        let last = if highest == u64::MAX { published } else { highest.saturating_sub(1) };
        // Whoever writes meanwhile has written records by now whose acts were not there a moment ago.
        let demanded = if last == 0 { u64::MAX } else { last };
        for (first, end) in runs.into_iter().chain([(last.saturating_add(1), last)]) {
            let gap_end = first.saturating_sub(1).min(demanded);
            let begin = expected.max(self.retired + 1);
            if gap_end >= begin {
                let right_until = acts.time_before(begin).max(records.time_before(begin));
                self.fault(Fault { segment: None, first: begin, last: gap_end, right_until, kind: FaultKind::Missing });
            }
            expected = expected.max(end + 1);
        }
    }

    /// Signatures, and whether each checkpoint names the key of the next.
    fn keys(&mut self, first_key: Option<&str>) {
        let checkpoints = std::mem::take(&mut self.checkpoints);
        if let (Some(wanted), Some(first)) = (first_key, checkpoints.first())
            && !first.public_key.eq_ignore_ascii_case(wanted.trim())
        {
            self.checkpoint_fault(first, FaultKind::FirstKey);
        }
        let mut before: Option<&Checkpoint> = None;
        for checkpoint in &checkpoints {
            if !checkpoint.is_signed() {
                self.checkpoint_fault(checkpoint, FaultKind::Signature(checkpoint.at));
            }
            if before.is_some_and(|before| !follows(before, checkpoint)) {
                self.checkpoint_fault(checkpoint, FaultKind::Sequence(checkpoint.at));
            }
            if let Some(begun) = checkpoint.begun {
                let (chain, public_key) = (checkpoint.chain.clone(), checkpoint.public_key.clone());
                self.told.chains.push(ChainSeen { chain, begun, at: checkpoint.at, public_key });
            }
            before = Some(checkpoint);
        }
        self.told.checkpoints = checkpoints.len() as u64;
        self.told.signed = before.map(|last| Signed { last: last.last, at: last.at });
    }

    fn checkpoint_fault(&mut self, checkpoint: &Checkpoint, kind: FaultKind) {
        let (first, last) = (checkpoint.first.min(checkpoint.last), checkpoint.last);
        self.fault(Fault { segment: None, first, last, right_until: None, kind });
    }

    fn finish(self, acts: &Walked, records: &Walked) -> Verification {
        let mut told = self.told;
        let first = |walked: &Walked| walked.runs.first().map(|&(first, _)| first);
        let last = |walked: &Walked| walked.runs.last().map_or(0, |&(_, last)| last);
        told.first = first(acts).into_iter().chain(first(records)).min().unwrap_or(0);
        told.last = last(acts).max(last(records));
        told.begins = [acts.begins, records.begins].into_iter().flatten().min();
        told.ends = [acts.ends, records.ends].into_iter().flatten().max();
        told.unfinished_bytes = acts.unfinished_bytes + records.unfinished_bytes;
        let heads = acts.head.zip(records.head).map(|(acts, records)| Heads { records, acts });
        told.receipt = heads.zip(told.ends).map(|(heads, at)| Receipt::new(RecordId(told.last), heads, at));
        told.faults.sort_by_key(|fault| (fault.first, fault.last));
        told
    }
}

fn follows(before: &Checkpoint, checkpoint: &Checkpoint) -> bool {
    let is_in_order = checkpoint.first == before.last + 1 && checkpoint.last + 1 >= checkpoint.first;
    let is_same_chain = checkpoint.chain == before.chain
        && checkpoint.index == before.index + 1
        && checkpoint.public_key == before.next_public_key
        && checkpoint.begun.is_none();
    is_in_order && (is_same_chain || (checkpoint.begun == Some(Begun::WithoutKeys) && checkpoint.index == 0))
}

/// One family, read from its first wanted segment to its last.
struct Walk {
    family: Family,
    segments: Vec<SegmentPath>,
    /// In the order of their numbers; those before `next_claim` are settled.
    claims: Vec<Claim>,
    next_claim: usize,
    /// The heads since the last entry: proofs without a number move it too.
    heads: Vec<Head>,
    walked: Walked,
    segment: Option<PathBuf>,
    /// The last number at which the chain was known to be right, and when that was journaled.
    trusted: (u64, Option<DateTime<Utc>>),
    number: u64,
    time: Option<DateTime<Utc>>,
    /// A claim was not met: those after it cannot be either, and would only repeat it.
    is_broken: bool,
}

/// What is known of a family in the end.
#[derive(Default)]
struct Walked {
    /// The numbers that are there, first and last of each run.
    runs: Vec<(u64, u64)>,
    /// When the first entry of each run was journaled.
    times: Vec<Option<DateTime<Utc>>>,
    /// First number of the segments looked at, and of the first one behind them.
    begin: u64,
    end: u64,
    begins: Option<DateTime<Utc>>,
    ends: Option<DateTime<Utc>>,
    /// `None` behind damage, until something says what it was.
    head: Option<Head>,
    unfinished_bytes: u64,
}

impl Walked {
    /// When the last run before a number began; close enough to name a day.
    fn time_before(&self, number: u64) -> Option<DateTime<Utc>> {
        let after = self.runs.partition_point(|&(first, _)| first < number);
        self.times.get(after.checked_sub(1)?).copied().flatten()
    }

    fn add(&mut self, number: u64, time: Option<DateTime<Utc>>) {
        match self.runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => {
                self.runs.push((number, number));
                self.times.push(time);
            }
        }
        self.begins = self.begins.or(time);
        self.ends = time.or(self.ends);
    }
}

impl Walk {
    fn new(dir: &Path, family: Family, wanted: &Wanted, mut claims: Vec<Claim>) -> Result<Self, JournalError> {
        let (segments, _) = segment::list(dir, family)?;
        let begun: Vec<Option<DateTime<Utc>>> = segments.iter().map(|segment| begun_at(segment, family)).collect();
        let first = match wanted.from {
            Some(from) => begun.partition_point(|at| at.is_none_or(|at| at <= from)).saturating_sub(1),
            None => 0,
        };
        let end =
            wanted.to.map_or(segments.len(), |to| begun.partition_point(|at| at.is_none_or(|at| at < to)).max(first));
        let mut walked =
            Walked { end: segments.get(end).map_or(u64::MAX, |segment| segment.first), ..Walked::default() };
        let chosen: Vec<SegmentPath> = segments.into_iter().take(end).skip(first).collect();
        // The numbers begin at 1, whichever segment is the first that is left.
        let begin = if first == 0 { 1 } else { chosen.first().map_or(1, |segment| segment.first) };
        walked.begin = begin;
        walked.head = (first == 0).then(Head::default);
        // What was said of places before the first segment that is left can no longer be held against anything.
        let oldest = chosen.first().map_or(begin, |segment| segment.first);
        claims.retain(|claim| claim.last >= oldest && claim.last < walked.end);
        claims.sort_by_key(|claim| claim.last);
        Ok(Self {
            family,
            segments: chosen,
            claims,
            next_claim: 0,
            heads: Vec::new(),
            walked,
            segment: None,
            trusted: (begin - 1, None),
            number: begin - 1,
            time: None,
            is_broken: false,
        })
    }

    fn run(mut self, found: &mut Found, goes_on: &dyn Fn() -> bool) -> Walked {
        let segments = std::mem::take(&mut self.segments);
        self.reached();
        for (at, segment) in segments.iter().enumerate().take_while(|_| goes_on()) {
            // Proofs have no number: those behind the last act before a segment may stand at its beginning.
            let settled = segment.first.saturating_sub(u64::from(self.family == Family::Acts));
            self.settle(settled, found);
            self.segment = Some(segment.path.clone());
            found.told.segments += 1;
            self.one(segment, at == 0, at + 1 == segments.len(), found);
        }
        self.settle(u64::MAX, found);
        self.walked
    }

    fn one(&mut self, segment: &SegmentPath, is_first: bool, is_last: bool, found: &mut Found) {
        let opened = SegmentFile::open(segment).and_then(|file| file.header().map(|header| (file, header)));
        let (mut file, header) = match opened {
            Ok((file, header)) => (file, header.unwrap_or([0; HEADER_LENGTH])),
            Err(error) => return self.lose(segment, FaultKind::Segment(error.to_string()), found),
        };
        match read_header(&header, self.family, segment.first) {
            Err(fault) => self.lose(segment, FaultKind::Header(fault), found),
            Ok(header) => self.enter(segment, header.chain, is_first, found),
        }
        if let SegmentFile::Sealed(sealed) = &file {
            for &part in sealed.faults() {
                self.fault_at(segment.first, segment.first, FaultKind::Part(part), found);
            }
        }
        let end = self.frames(segment, &mut file, found);
        self.check_end(segment, &file, end, is_last);
    }

    /// A segment that is gone as a whole.
    fn lose(&mut self, segment: &SegmentPath, kind: FaultKind, found: &mut Found) {
        self.fault_at(segment.first, segment.first, kind, found);
        self.walked.head = None;
    }

    fn enter(&mut self, segment: &SegmentPath, chain: Option<Head>, is_first: bool, found: &mut Found) {
        let Some(chain) = chain else { return };
        let follows = self.walked.head.is_none_or(|head| head == chain);
        // The first that is left says where the chain was; retention took what was before, and the numbers tell.
        if !follows && !is_first && !self.is_broken {
            self.fault_between(segment.first.saturating_sub(1), FaultKind::Follows, found);
        }
        self.is_broken = false;
        self.trusted = (segment.first.saturating_sub(1).max(self.trusted.0), self.time);
        self.walked.head = Some(chain);
        self.reached();
    }

    /// Reads the frames; gives where the last whole one ends.
    fn frames(&mut self, segment: &SegmentPath, file: &mut SegmentFile, found: &mut Found) -> u64 {
        let (mut offset, mut end) = (HEADER_BYTES, HEADER_BYTES);
        loop {
            match file.read_frame(offset) {
                Ok(FrameRead::Frame { payload, next }) => {
                    self.frame(&payload, found);
                    (offset, end) = (next, next);
                }
                Ok(FrameRead::Damaged { next: Some(next) }) => {
                    self.fault_at(self.number + 1, self.number + 1, FaultKind::Frame, found);
                    self.walked.head = None;
                    (offset, end) = (next, next);
                }
                Ok(FrameRead::End | FrameRead::Damaged { next: None }) => return end,
                Err(error) => {
                    self.lose(segment, FaultKind::Segment(error.to_string()), found);
                    return end;
                }
            }
        }
    }

    fn frame(&mut self, payload: &[u8], found: &mut Found) {
        if let Some(head) = segment::link(payload) {
            self.link(head, found);
        }
        let entries: Vec<(u64, &[u8])> = payload_entries(payload).collect();
        if let Some(&(first, _)) = entries.first() {
            self.settle(first, found);
            self.heads.clear();
        }
        if let Some(checkpoint) = segment::checkpoint(payload) {
            self.checkpoint(checkpoint, found);
        }
        let out_of_order: Vec<u64> = entries.iter().map(|&(n, _)| n).filter(|&number| number <= self.number).collect();
        if let (Some(&first), Some(&last)) = (out_of_order.first(), out_of_order.last()) {
            self.fault_at(first, last, FaultKind::Order, found);
        }
        for (number, entry) in entries {
            self.entry(number, entry, found);
        }
        self.walked.head = self.walked.head.map(|head| head.after(payload));
        self.reached();
    }

    fn link(&mut self, head: Head, found: &mut Found) {
        if self.walked.head.is_some_and(|known| known != head) {
            self.fault_between(self.number, FaultKind::Link, found);
        }
        self.walked.head = Some(head);
        self.trusted = (self.number.max(self.trusted.0), self.time);
    }

    /// The acts' head stands right before the checkpoint that states it.
    fn checkpoint(&mut self, checkpoint: Checkpoint, found: &mut Found) {
        if self.walked.head.is_some_and(|head| head != checkpoint.heads.acts) && !self.is_broken {
            self.is_broken = true;
            self.fault_between(checkpoint.last, FaultKind::Checkpoint(checkpoint.at), found);
        }
        found.checkpoints.push(checkpoint);
    }

    fn entry(&mut self, number: u64, entry: &[u8], found: &mut Found) {
        if number <= self.number {
            return;
        }
        match codec::decode(self.family, entry) {
            Some(Entry::Record(record)) => {
                self.time = Some(record.received_at);
                match record.origin {
                    Origin::Import => found.told.imported += 1,
                    Origin::Live | Origin::Demo => found.told.received += 1,
                }
            }
            Some(Entry::Act(act)) => {
                self.time = Some(act.at);
                found.told.acts += 1;
                found.retired = found.retired.max(retired(&act));
            }
            None => self.fault_at(number, number, FaultKind::Entry, found),
        }
        self.number = number;
        self.walked.add(number, self.time);
    }

    fn reached(&mut self) {
        self.heads.extend(self.walked.head);
    }

    /// What was claimed of places before the entry `next` had to be met by now.
    fn settle(&mut self, next: u64, found: &mut Found) {
        while let Some(claim) = self.claims.get(self.next_claim).filter(|claim| claim.last < next) {
            let (is_met, last, kind) = (self.heads.contains(&claim.head), claim.last, claim.kind.clone());
            self.next_claim += 1;
            if is_met {
                self.trusted = (last.max(self.trusted.0), self.time);
                self.is_broken = false;
            } else if self.walked.head.is_some() && !self.is_broken {
                self.is_broken = true;
                self.fault_between(last, kind, found);
            }
        }
    }

    fn fault_at(&mut self, first: u64, last: u64, kind: FaultKind, found: &mut Found) {
        found.fault(Fault { segment: self.segment.clone(), first, last, right_until: self.time, kind });
    }

    /// The fault lies somewhere behind what was last known to be right.
    fn fault_between(&mut self, last: u64, kind: FaultKind, found: &mut Found) {
        let (trusted, right_until) = self.trusted;
        let first = trusted + 1;
        found.fault(Fault { segment: self.segment.clone(), first, last: last.max(first), right_until, kind });
    }

    /// Bytes behind the last whole frame: an unfinished write where they are the journal's last. Whether something that
    /// was durable is missing there, the published position tells.
    fn check_end(&mut self, segment: &SegmentPath, file: &SegmentFile, end: u64, is_last: bool) {
        let SegmentFile::Raw(raw) = file else { return };
        let length = raw.metadata().map_or(end, |metadata| metadata.len());
        if length > end && is_last {
            self.walked.unfinished_bytes = length - end;
        } else if length > end {
            tracing::debug!(segment = %segment.path.display(), "bytes behind the last frame");
            self.walked.head = None;
        }
    }
}

fn begun_at(segment: &SegmentPath, family: Family) -> Option<DateTime<Utc>> {
    let header = SegmentFile::open(segment).ok()?.header().ok()??;
    let header = read_header(&header, family, segment.first).ok()?;
    DateTime::from_timestamp_micros(header.created_us)
}
