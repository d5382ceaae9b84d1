//! Which files below the named paths are logs, and what kind each is. A file is judged by how it begins; its name decides
//! only where the content leaves it open. Loops of links, devices and pipes are passed over, and what looks like a log
//! but cannot be read is refused with the reason.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::charset::Charset;
use super::unpack::Packing;
use super::{FileKind, InputError, InputFile, Layer, objects, rows, zip};
use crate::{evtx, header, text};

/// Folders below a named folder that are followed.
const FOLDER_DEPTH_MAX: usize = 64;
/// Files taken in by one look at the named paths: far more than a hospital has, few enough to hold their names.
const FILES_MAX: usize = 1_000_000;
/// Enough of a file's beginning to know what it is: a first line with all its columns.
const START_BYTES: u64 = 16 * 1024;
/// Packings and archives that may stand one in the other: a rotated log inside a zip, a zip inside a zip.
const LAYERS_MAX: usize = 2;

/// Most members of an archive inside another packing: to read one of them the archive is unpacked anew.
const INNER_MEMBERS_MAX: usize = 100;

/// Formats that people hand in and that are no logs, or not readable here: how they begin and what to do.
const FOREIGN: [(&[u8], &str); 12] = [
    (b"\xd4\xc3\xb2\xa1", "pcap には対応していません"),
    (b"\xa1\xb2\xc3\xd4", "pcap には対応していません"),
    (b"\x0a\x0d\x0d\x0a", "pcap には対応していません"),
    (b"7z\xbc\xaf\x27\x1c", "7z には対応していません。zip にして渡してください"),
    (b"Rar!", "RAR には対応していません。zip にして渡してください"),
    (b"MSCF", "CAB には対応していません。展開して渡してください"),
    (b"BZh", "bzip2 には対応していません。gzip にして渡してください"),
    (b"%PDF", "PDF はログとして読めません。CSV で書き出してください"),
    (b"\xd0\xcf\x11\xe0", "古い Excel の形式は読めません。CSV で書き出してください"),
    (b"LfLe", "古い形式の EVT です。イベントビューアで EVTX に保存し直してください"),
    (b"\x30\0\0\0LfLe", "古い形式の EVT です。イベントビューアで EVTX に保存し直してください"),
    (b"SQLite format 3\0", "データベースはログとして読めません"),
];

/// What was found below the named paths.
#[derive(Debug, Default)]
pub struct Found {
    pub files: Vec<InputFile>,
    /// Neither name nor content says that these are logs.
    pub passed_over: Vec<PathBuf>,
    /// As shown, and why it cannot be read, in Japanese.
    pub refused: Vec<(String, String)>,
}

/// The log files below the paths. What is below one folder is sorted; the order of the arguments is kept. A file that is
/// named itself is always read.
pub fn find(paths: &[PathBuf]) -> Result<Found, InputError> {
    let mut found = Found::default();
    for named in paths {
        let mut below = Walk::new(FILES_MAX);
        walk(named, &mut below)?;
        found.passed_over.extend(below.passed_over);
        found.refused.extend(below.refused);
        below.files.sort();
        for path in below.files {
            let shown = path.to_string_lossy().into_owned();
            look_into(&path, &shown, path == *named, &mut found)?;
        }
    }
    Ok(found)
}

/// The logs in one file, which is shown to people as `shown`: an upload stands under another name on disk than its own.
/// `is_named`: somebody handed in this very file, so that it is read whatever it looks like.
pub fn find_in(path: &Path, shown: &str, is_named: bool) -> Result<Found, InputError> {
    let mut found = Found::default();
    look_into(path, shown, is_named, &mut found)?;
    Ok(found)
}

/// What stands below a folder.
#[derive(Debug, Default)]
pub struct Listing {
    /// Regular files, sorted.
    pub files: Vec<PathBuf>,
    /// There are more files than were asked for.
    pub are_more: bool,
    /// Folders that could not be read, and why.
    pub refused: Vec<(String, String)>,
}

/// The first `most` files below a folder, without a look into them.
pub fn list(folder: &Path, most: usize) -> Result<Listing, InputError> {
    let mut state = Walk::new(most + 1);
    walk(folder, &mut state)?;
    let Walk { mut files, refused, .. } = state;
    files.sort();
    let are_more = files.len() > most;
    files.truncate(most);
    Ok(Listing { files, are_more, refused })
}

#[derive(Default)]
struct Walk {
    files: Vec<PathBuf>,
    passed_over: Vec<PathBuf>,
    refused: Vec<(String, String)>,
    /// Device and number of the folders above: one that comes again is a loop.
    above: BTreeSet<(u64, u64)>,
    /// Files beyond so many are not looked at.
    most: usize,
}

impl Walk {
    fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }
}

fn walk(path: &Path, state: &mut Walk) -> Result<(), InputError> {
    if state.files.len() >= state.most {
        return Ok(());
    }
    let facts = fs::metadata(path).map_err(|source| InputError::Read { path: path.to_owned(), source })?;
    if facts.is_dir() {
        return walk_folder(path, &facts, state);
    }
    if facts.is_file() {
        state.files.push(path.to_owned());
    } else {
        state.passed_over.push(path.to_owned());
    }
    Ok(())
}

fn walk_folder(path: &Path, facts: &Metadata, state: &mut Walk) -> Result<(), InputError> {
    let reading = |source| InputError::Read { path: path.to_owned(), source };
    let identity = (facts.dev(), facts.ino());
    if state.above.len() >= FOLDER_DEPTH_MAX || !state.above.insert(identity) {
        state.passed_over.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(reading)? {
        let below = entry.map_err(reading)?.path();
        match walk(&below, state) {
            // A dead link, or a file that went away since the folder was read.
            Err(InputError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                state.passed_over.push(below);
            }
            Err(InputError::Read { source, .. }) => {
                state.refused.push((below.to_string_lossy().into_owned(), format!("読めません（{source}）")));
            }
            Ok(()) => {}
        }
    }
    state.above.remove(&identity);
    Ok(())
}

/// Takes in what one file on disk holds.
fn look_into(path: &Path, shown: &str, is_named: bool, found: &mut Found) -> Result<(), InputError> {
    let reading = |source| InputError::Read { path: path.to_owned(), source };
    let facts = match fs::metadata(path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => return Ok(()),
        Err(error) => return Err(reading(error)),
    };
    // A pipe would be waited for, and a device never ends.
    if !facts.is_file() {
        found.passed_over.push(path.to_owned());
        return Ok(());
    }
    let whole = InputFile {
        path: path.to_owned(),
        shown: shown.to_owned(),
        kind: FileKind::Lines,
        disk_bytes: facts.len(),
        layers: Vec::new(),
        charset: Charset::Bytes,
    };
    look(whole, is_named, found).map_err(reading)
}

/// Looks at a file or a part of one, and into it where it is packed.
fn look(mut file: InputFile, is_named: bool, found: &mut Found) -> io::Result<()> {
    let start = match start_of(&file) {
        Ok(start) => start,
        Err(error) if file.layers.is_empty() && is_named => return Err(error),
        Err(error) => {
            found.refused.push((file.shown, format!("読めません（{error}）")));
            return Ok(());
        }
    };
    let packing = Packing::of(&start).map(Layer::Unpack);
    let is_archive = zip::looks_like_zip(&start);
    if (packing.is_some() || is_archive) && file.layers.len() >= LAYERS_MAX {
        found.refused.push((file.shown, "圧縮が三重以上です。展開して渡してください".to_owned()));
        return Ok(());
    }
    if let Some(layer) = packing {
        file.layers.push(layer);
        return look(file, is_named, found);
    }
    if is_archive {
        return look_into_archive(&file, is_named, found);
    }
    if let Some((_, reason)) = FOREIGN.iter().find(|(mark, _)| start.starts_with(mark)) {
        if is_named {
            found.refused.push((file.shown, (*reason).to_owned()));
        } else {
            found.passed_over.push(PathBuf::from(file.shown));
        }
        return Ok(());
    }
    file.charset = Charset::of(&start);
    match kind_of(Path::new(&file.shown), &start).or(is_named.then_some(FileKind::Lines)) {
        Some(kind) => {
            file.kind = kind;
            found.files.push(file);
        }
        None => found.passed_over.push(PathBuf::from(file.shown)),
    }
    Ok(())
}

fn start_of(file: &InputFile) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.content()?.take(START_BYTES).read_to_end(&mut start)?;
    Ok(start)
}

/// Every member of an archive is a file; one that is handed in by name speaks for its members.
fn look_into_archive(archive: &InputFile, is_named: bool, found: &mut Found) -> io::Result<()> {
    let members = if archive.layers.is_empty() {
        zip::members(&mut File::open(&archive.path)?)
    } else if let Some(bytes) = archive.held()? {
        zip::members(&mut io::Cursor::new(bytes))
    } else {
        let reason = "圧縮の中の zip が大きすぎます。取り出して渡してください";
        found.refused.push((archive.shown.clone(), reason.to_owned()));
        return Ok(());
    };
    let members = match members {
        Ok(members) => members,
        Err(error) => {
            found.refused.push((archive.shown.clone(), error.to_string()));
            return Ok(());
        }
    };
    if !archive.layers.is_empty() && members.len() > INNER_MEMBERS_MAX {
        let reason =
            format!("圧縮の中の zip のファイルが {INNER_MEMBERS_MAX} 個を超えています。取り出して渡してください");
        found.refused.push((archive.shown.clone(), reason));
        return Ok(());
    }
    // Office documents are archives too.
    if members.iter().any(|member| member.name == "[Content_Types].xml") {
        let reason = "Excel や Word の文書は読めません。CSV で書き出してください";
        found.refused.extend(is_named.then(|| (archive.shown.clone(), reason.to_owned())));
        found.passed_over.extend((!is_named).then(|| PathBuf::from(&archive.shown)));
        return Ok(());
    }
    for member in members {
        let mut file = archive.clone();
        file.shown = format!("{}/{}", archive.shown, member.name);
        if archive.layers.is_empty() {
            file.disk_bytes = member.packed_bytes.min(archive.disk_bytes);
        }
        file.layers.push(Layer::Member(member));
        look(file, false, found)?;
    }
    Ok(())
}

/// `None` where neither content nor name says that it is a log.
fn kind_of(path: &Path, start: &[u8]) -> Option<FileKind> {
    let name = Name::of(path);
    if evtx::looks_like_evtx(start) || name.ending == "evtx" {
        return Some(FileKind::EventLog);
    }
    let is_cut = start.len() as u64 >= START_BYTES;
    let text = text::decode(start, None).text;
    if Charset::of(start) == Charset::Bytes && start.contains(&0) {
        return name.is_log.then_some(FileKind::Lines);
    }
    if objects::looks_like_objects(&text) {
        return Some(FileKind::Objects);
    }
    let mut lines = text.lines().skip_while(|line| rows::is_preamble(line));
    let first = lines.next().unwrap_or("").trim_start_matches('\u{FEFF}');
    // A first line that does not end is no header.
    let is_whole = !is_cut || lines.next().is_some();
    if is_whole && rows::is_header(first, matches!(name.ending.as_str(), "csv" | "tsv")) {
        return Some(FileKind::Rows);
    }
    let header = header::read(first);
    let begins_like_a_log = header.priority.is_some() || header.time.is_some() || first.starts_with("{\"");
    (name.is_log || begins_like_a_log).then_some(FileKind::Lines)
}

/// What a file's name says of it.
struct Name {
    /// Lower case, without what packing and rotation put behind it.
    ending: String,
    is_log: bool,
}

/// Endings of text logs.
const ENDINGS: [&str; 9] = ["log", "txt", "syslog", "csv", "tsv", "json", "jsonl", "ndjson", "out"];
/// Names that Unix gives its logs.
const UNIX_NAMES: [&str; 9] = ["messages", "secure", "syslog", "maillog", "cron", "kern", "daemon", "auth", "audit"];

impl Name {
    fn of(path: &Path) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let stem = without_rotation(without_packing(&name));
        let ending = stem.rsplit_once('.').map_or("", |(_, ending)| ending);
        let is_log = ENDINGS.contains(&ending) || UNIX_NAMES.contains(&stem);
        Self { ending: ending.to_owned(), is_log }
    }
}

fn without_packing(name: &str) -> &str {
    let packings = [Packing::Gzip, Packing::Xz, Packing::Zstd];
    let endings = packings.iter().flat_map(|packing| packing.endings());
    let stripped = endings.copied().find_map(|ending| name.strip_suffix(ending)?.strip_suffix('.'));
    stripped.unwrap_or(name)
}

/// `messages.1`, `messages-20261025`, `auth.log.old`.
fn without_rotation(name: &str) -> &str {
    let split = name.rsplit_once('.').or_else(|| name.rsplit_once('-'));
    let dated = name.rsplit_once('-').filter(|(_, tail)| is_number(tail));
    match dated.or(split) {
        Some((stem, tail)) if is_number(tail) || tail == "old" => stem,
        _ => name,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
