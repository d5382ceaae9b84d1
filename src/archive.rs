//! What leaves the data directory as files: a backup that can be restored, and a period handed to somebody who
//! investigates. Both hold the journal with its proofs, so whoever has them can check them without this machine.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use monban_event::act::Deed;
use monban_event::id::hex;
use monban_event::query::Query;
use monban_event::redact::redact;
use monban_event::store::{SearchRequest, StoreError};
use monban_event::time::jst_text;
use monban_event::{ActSink, EventStore, Record, RecordId, SinkRefused, SystemClock, TimeRange};
use monban_index::journal::verify::{Verification, Wanted, verify};
use monban_index::journal::{Copied, Entry, JournalError, Receipt, TailItem};
use monban_index::ledger::LedgerError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::node::{Node, NodeError, Opening};
use crate::progress::PipelineStopped;

const JOURNAL: &str = "journal";
const LEDGER: &str = "ledger.sqlite";
/// What a backup says of itself. Written last: a folder without it is no whole backup.
const ABOUT: &str = "backup.json";
const RECORDS: &str = "records.jsonl";
const EVENTS: &str = "events.jsonl";
const SUMS: &str = "SHA256SUMS";
const GUIDE: &str = "はじめにお読みください.txt";
/// Events fetched at once.
const PAGE: usize = 1000;
const BUFFER_BYTES: usize = 1 << 16;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("{path} を書けません。空き容量と書き込みの権利を確かめてください")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} を読めません")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} は空ではありません。新しいフォルダを指定してください")]
    NotEmpty { path: PathBuf },
    #[error("{path} はデータフォルダの中です。別のディスクのフォルダを指定してください")]
    Inside { path: PathBuf },
    #[error("{path} は monban のバックアップではありません（backup.json がありません）")]
    NoBackup { path: PathBuf },
    #[error("バックアップの記録に {faults} か所の誤りがあるため復元しません。monban verify {path} で確かめてください")]
    Damaged { path: PathBuf, faults: u64 },
    #[error("copy the journal")]
    Journal(#[from] JournalError),
    #[error("copy the ledger")]
    Ledger(#[from] LedgerError),
    #[error("search the period")]
    Search(#[from] StoreError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Pipeline(#[from] PipelineStopped),
    #[error("監査証跡に記録できません")]
    Trail(#[from] SinkRefused),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) program_version: String,
    pub(crate) taken_at: DateTime<Utc>,
    pub(crate) receipt: Receipt,
}

/// Copies ledger and journal into a folder, over what an earlier backup left there, and checks the copy. The ledger
/// comes first: what is in it is then in the copied journal too.
pub(crate) fn backup(node: &Node, to: &Path, by: &str) -> Result<(Copied, Verification), ArchiveError> {
    let writing = |path: &Path| {
        let path = path.to_owned();
        move |source| ArchiveError::Write { path, source }
    };
    fs::create_dir_all(to).map_err(writing(to))?;
    outside(&node.dir, to)?;
    remove_if_there(&to.join(ABOUT))?;
    let (ledger, arriving) = (to.join(LEDGER), to.join("ledger.part"));
    remove_if_there(&arriving)?;
    node.ledger.copy_to(&arriving)?;
    File::open(&arriving).and_then(|file| file.sync_all()).map_err(writing(&arriving))?;
    fs::rename(&arriving, &ledger).map_err(writing(&ledger))?;
    let copied = node.journal.copy_to(&to.join(JOURNAL))?;
    let told = verify(&to.join(JOURNAL), &Wanted::default())?;
    let about = About {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        taken_at: node.clock.now(),
        receipt: copied.receipt.clone(),
    };
    let text = serde_json::to_string_pretty(&about).expect("it is made of strings and numbers");
    write_text(&to.join(ABOUT), &text)?;
    let deed =
        Deed::BackedUp { to: to.display().to_string(), last: RecordId(copied.receipt.last), bytes: copied.bytes };
    node.record(by, deed)?;
    Ok((copied, told))
}

/// Makes a data directory of a backup. The journal goes on with a new chain of keys, because keys are in no backup, and
/// says so.
pub(crate) fn restore(from: &Path, dir: &Path, by: &str) -> Result<About, ArchiveError> {
    let reading = |path: &Path| {
        let path = path.to_owned();
        move |source| ArchiveError::Read { path, source }
    };
    let about = from.join(ABOUT);
    let text = fs::read_to_string(&about).map_err(|_| ArchiveError::NoBackup { path: from.to_owned() })?;
    let about: About = serde_json::from_str(&text).map_err(|error| reading(&about)(io::Error::other(error)))?;
    empty(dir)?;
    let wanted = Wanted { against: Some(about.receipt.clone()), ..Wanted::default() };
    let told = verify(&from.join(JOURNAL), &wanted)?;
    if !told.faults.is_empty() {
        let faults = told.faults.len() as u64 + told.more_faults;
        return Err(ArchiveError::Damaged { path: from.to_owned(), faults });
    }
    copy_folder(&from.join(JOURNAL), &dir.join(JOURNAL))?;
    copy_file(&from.join(LEDGER), &dir.join(LEDGER))?;
    let node = Node::open(&Opening { dir, create: true, config: None, clock: Arc::new(SystemClock), stays: false })?;
    let (from, last) = (from.display().to_string(), RecordId(about.receipt.last));
    node.record(by, Deed::Restored { from, taken_at: about.taken_at, last })?;
    node.catch_up()?;
    node.close();
    Ok(about)
}

/// What is handed out of a period.
pub(crate) struct Exported {
    pub(crate) records: u64,
    pub(crate) events: u64,
    pub(crate) receipt: Receipt,
}

/// Writes the records received in a period, the events that happened in it, the sealed journal that proves the records,
/// and how to check all that, into a new folder.
pub(crate) fn export(node: &Node, to: &Path, period: TimeRange, by: &str) -> Result<Exported, ArchiveError> {
    empty(to)?;
    outside(&node.dir, to)?;
    let copied = node.journal.copy_period(&to.join(JOURNAL), period)?;
    let records = export_records(node, &to.join(RECORDS), period, &copied)?;
    let events = export_events(node, &to.join(EVENTS), period)?;
    write_text(&to.join(GUIDE), &guide(node, period, &copied.receipt, records, events))?;
    write_text(&to.join(SUMS), &sums(to)?)?;
    let what = format!("{}〜{} の記録 {records} 件とイベント {events} 件", bound(period.from), bound(period.to));
    node.record(by, Deed::Exported { what, form: "export".to_owned(), events: Some(events.max(records)) })?;
    Ok(Exported { records, events, receipt: copied.receipt })
}

/// A record as it is handed out: the facts of its receipt, and its bytes as text with passwords blotted out, or in
/// base 64 where they are no text.
#[derive(Serialize)]
struct Shown<'a> {
    number: u64,
    received_at: DateTime<Utc>,
    origin: monban_event::Origin,
    transport: &'a str,
    peer: Option<String>,
    identity: Option<&'a str>,
    file: Option<&'a str>,
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl<'a> Shown<'a> {
    fn of(id: RecordId, record: &'a Record) -> Self {
        let text = std::str::from_utf8(&record.bytes).ok().map(|text| redact(text).into_owned());
        Self {
            number: id.0,
            received_at: record.received_at,
            origin: record.origin,
            transport: record.transport.as_str(),
            peer: record.peer.map(|peer| peer.to_string()),
            identity: record.identity.as_deref(),
            file: record.file.as_ref().map(|file| file.path.as_ref()),
            sha256: hex(&Sha256::digest(&record.bytes)),
            base64: text.is_none().then(|| STANDARD.encode(&record.bytes)),
            text,
        }
    }
}

fn export_records(node: &Node, path: &Path, period: TimeRange, copied: &Copied) -> Result<u64, ArchiveError> {
    let failed = |source| ArchiveError::Write { path: path.to_owned(), source };
    let mut out = BufWriter::new(File::create(path).map_err(failed)?);
    let mut tail = node.journal.tail(RecordId(copied.first.saturating_sub(1)))?;
    let mut count = 0;
    while let Some(item) = tail.next(RecordId(copied.last))? {
        let TailItem::Entry(id, Entry::Record(record)) = item else { continue };
        if period.contains(record.received_at) {
            line(&mut out, &Shown::of(id, &record)).map_err(failed)?;
            count += 1;
        }
    }
    finish(out).map_err(failed)?;
    Ok(count)
}

fn export_events(node: &Node, path: &Path, period: TimeRange) -> Result<u64, ArchiveError> {
    let failed = |source| ArchiveError::Write { path: path.to_owned(), source };
    let mut out = BufWriter::new(File::create(path).map_err(failed)?);
    let (mut after, mut count) = (None, 0);
    loop {
        let first = SearchRequest::new(Query::All, period, PAGE);
        let request = SearchRequest { after, whole: true, total: false, ..first };
        let page = node.store.search(&request)?;
        for event in &page.events {
            line(&mut out, &event.to_json()).map_err(failed)?;
            count += 1;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    finish(out).map_err(failed)?;
    Ok(count)
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn finish(out: BufWriter<File>) -> io::Result<()> {
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn bound(at: Option<DateTime<Utc>>) -> String {
    at.map(jst_text).unwrap_or_default()
}

/// What a stranger needs to know to use and to check the folder.
fn guide(node: &Node, period: TimeRange, receipt: &Receipt, records: u64, events: u64) -> String {
    format!(
        "門番（monban {version}）から取り出した記録\r\n\
         施設: {hospital}\r\n\
         期間: {from} 〜 {to}（日本時間。空欄は限りなし）\r\n\
         取り出した日時: {now}\r\n\
         検証値: {value}（番号 {last} まで）\r\n\
         \r\n\
         入っているもの\r\n\
         {RECORDS}  期間内に受信・取込した原ログ {records} 件。1行1件の JSON。パスワードは伏せてあります\r\n\
         {EVENTS}   期間内に起きた出来事 {events} 件（新しい順）。1行1件の JSON。項目名は ECS です\r\n\
         journal/        原ログを受け取ったときのまま封じた区画と、その署名（checkpoints.jsonl）。パスワードも伏せていません\r\n\
         {SUMS}      このフォルダの全ファイルの SHA-256\r\n\
         \r\n\
         確かめ方\r\n\
         1. sha256sum -c {SUMS}          ファイルが写しの途中で変わっていないこと\r\n\
         2. monban verify journal           記録が書かれたときのままであること（別の機械で、鍵なしで検査できます）\r\n\
            最初の公開鍵を施設の控え（導入確認書）と照らし合わせてください。\r\n\
         3. {RECORDS} の number は区画の中の番号、sha256 は原ログそのものの値です。\r\n\
         \r\n\
         区画は一日または 64 MiB ごとのため、journal/ には期間の前後の記録も入ります。\r\n\
         これらは患者さんや職員の情報を含むことがあります。渡す相手と目的を記録し、用が済んだら消してください。\r\n",
        version = env!("CARGO_PKG_VERSION"),
        hospital = node.config.hospital,
        from = bound(period.from),
        to = bound(period.to),
        now = bound(Some(node.clock.now())),
        value = receipt.value,
        last = receipt.last,
    )
}

/// The lines that `sha256sum -c` reads, of every file below a folder, by name.
fn sums(dir: &Path) -> Result<String, ArchiveError> {
    let mut files = Vec::new();
    each_file(dir, &mut files)?;
    files.sort();
    let mut lines = Vec::new();
    for path in files {
        let sum = sum_of(&path).map_err(|source| ArchiveError::Read { path: path.clone(), source })?;
        let name = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
        lines.push(format!("{sum}  {name}\n"));
    }
    Ok(lines.concat())
}

fn sum_of(path: &Path) -> io::Result<String> {
    let (mut file, mut hash, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; BUFFER_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

fn each_file(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), ArchiveError> {
    let failed = |source| ArchiveError::Read { path: dir.to_owned(), source };
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() { each_file(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), ArchiveError> {
    let mut files = Vec::new();
    each_file(from, &mut files)?;
    files.iter().try_for_each(|path| copy_file(path, &to.join(path.strip_prefix(from).unwrap_or(path))))
}

fn copy_file(from: &Path, to: &Path) -> Result<(), ArchiveError> {
    let copied = to
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::copy(from, to))
        .and_then(|_| File::open(to)?.sync_all());
    copied.map_err(|source| ArchiveError::Write { path: to.to_owned(), source })
}

fn write_text(path: &Path, text: &str) -> Result<(), ArchiveError> {
    let written =
        File::create(path).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|source| ArchiveError::Write { path: path.to_owned(), source })
}

fn remove_if_there(path: &Path) -> Result<(), ArchiveError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ArchiveError::Write { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Makes the folder; refuses one that holds something.
fn empty(dir: &Path) -> Result<(), ArchiveError> {
    fs::create_dir_all(dir).map_err(|source| ArchiveError::Write { path: dir.to_owned(), source })?;
    let mut entries = fs::read_dir(dir).map_err(|source| ArchiveError::Read { path: dir.to_owned(), source })?;
    if entries.next().is_some() { Err(ArchiveError::NotEmpty { path: dir.to_owned() }) } else { Ok(()) }
}

/// A copy inside the data directory would be lost with it.
fn outside(data: &Path, to: &Path) -> Result<(), ArchiveError> {
    let real =
        |path: &Path| fs::canonicalize(path).map_err(|source| ArchiveError::Read { path: path.to_owned(), source });
    if real(to)?.starts_with(real(data)?) { Err(ArchiveError::Inside { path: to.to_owned() }) } else { Ok(()) }
}
