//! Files as people hand them in, from bytes to records.

use std::fs;
use std::io::Write;

use monban_event::limits;

use super::zip::sample::archive;
use super::*;
use crate::evtx::sample;

/// Index, format and bytes of a record.
type Piece = (u64, Format, Vec<u8>);

/// What [`find`] says of a folder, with the names below it.
type Named = (Vec<(String, FileKind)>, Vec<String>, Vec<(String, String)>);

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn find(&self) -> Named {
        let found = find(&[self.0.path().to_owned()]).unwrap();
        let short = |path: &str| path.strip_prefix(&format!("{}/", self.0.path().display())).unwrap().to_owned();
        (
            found.files.iter().map(|file| (short(&file.shown), file.kind)).collect(),
            found.passed_over.iter().map(|path| short(path.to_str().unwrap())).collect(),
            found.refused.iter().map(|(path, reason)| (short(path), reason.clone())).collect(),
        )
    }
}

fn receipt() -> Receipt {
    Receipt::default()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Every record, and the damage told.
fn read(file: &InputFile) -> (Vec<Piece>, Vec<String>) {
    let mut records = FileRecords::open(file, receipt()).unwrap();
    let found = records.by_ref().map(|record| record.unwrap());
    let found = found.map(|record| (record.file.unwrap().index, record.format, record.bytes)).collect();
    (found, records.damage())
}

fn single(path: &Path) -> InputFile {
    let mut found = find(&[path.to_owned()]).unwrap();
    assert_eq!(found.files.len(), 1, "{found:?}");
    found.files.remove(0)
}

#[test]
fn folders_give_their_logs_sorted_and_name_the_rest() {
    let folder = Folder::new();
    for name in ["b.log", "a.evtx", "note.md", "c.TXT", "messages-20261025", "secure.1", "photo.jpg"] {
        folder.write(name, "x");
    }
    folder.write("export.csv", "日時,ユーザー\n");
    folder.write("gateway", "<34>Oct 25 12:00:00 fw1 x: y\n");
    folder.write("list.json", "[\n {\"a\": 1}\n]");
    let (files, passed_over, refused) = folder.find();
    let kinds: Vec<_> = files.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
    assert_eq!(
        kinds,
        [
            ("a.evtx", FileKind::EventLog),
            ("b.log", FileKind::Lines),
            ("c.TXT", FileKind::Lines),
            ("export.csv", FileKind::Rows),
            ("gateway", FileKind::Lines),
            ("list.json", FileKind::Objects),
            ("messages-20261025", FileKind::Lines),
            ("secure.1", FileKind::Lines),
        ]
    );
    assert_eq!(passed_over, ["note.md", "photo.jpg"]);
    assert_eq!(refused, []);
    let named = single(&folder.0.path().join("note.md"));
    assert_eq!(named.kind, FileKind::Lines, "a file that is named is read");
}

#[test]
fn packed_files_are_known_by_their_content() {
    let folder = Folder::new();
    let evtx = sample::file(&[sample::chunk(1, &[sample::logon("yamada", "192.0.2.1")])]);
    folder.write("backup.dat", archive(&[(b"sub/Security.evtx", &evtx), (b"a/messages.1.gz", &gzip(b"l1\nl2\n"))]));
    folder.write("gw.log", gzip(b"x\n"));
    let inner = archive(&[(b"in.log", b"in\n"), (b"deep.log.gz", &gzip(b"deep\n"))]);
    folder.write("outer.zip", archive(&[(b"inner.zip", &inner)]));
    let (files, passed_over, refused) = folder.find();
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["backup.dat/sub/Security.evtx", "backup.dat/a/messages.1.gz", "gw.log", "outer.zip/inner.zip/in.log"]
    );
    assert_eq!((passed_over.len(), refused.len()), (0, 1));
    assert_eq!(refused[0].0, "outer.zip/inner.zip/deep.log.gz");
    let found = find(&[folder.0.path().to_owned()]).unwrap();
    let contents: Vec<_> = found.files.iter().map(read).collect();
    assert_eq!(contents[0].0.len(), 1);
    assert_eq!(contents[0].0[0].2, evtx[evtx::FILE_HEADER_BYTES..]);
    assert_eq!(contents[1].0, [(0, Format::Syslog, b"l1".to_vec()), (1, Format::Syslog, b"l2".to_vec())]);
    assert_eq!(contents[3].0, [(0, Format::Syslog, b"in".to_vec())]);
    assert!(contents.iter().all(|(_, damage)| damage.is_empty()));
}

#[test]
fn a_cut_archive_gives_what_can_be_read() {
    let folder = Folder::new();
    let text: String =
        (0..30_000).flat_map(|number| ["line ".to_owned(), number.to_string(), "\n".to_owned()]).collect();
    let whole = gzip(text.as_bytes());
    let file = single(&folder.write("gw.log.gz", &whole[..whole.len() / 2]));
    let (found, damage) = read(&file);
    assert!(found.len() > 1000 && damage.len() == 1, "{} {damage:?}", found.len());
    assert_eq!(found[999].2, b"line 999");
    let found = find(&[folder.write("cut.zip", &archive(&[(b"a.log", b"x")])[..40])]).unwrap();
    assert_eq!((found.files.len(), found.refused.len()), (0, 1));
}

#[test]
fn loops_pipes_and_dead_links_are_passed_over() {
    let folder = Folder::new();
    folder.write("sub/a.log", "x\n");
    std::os::unix::fs::symlink(folder.0.path(), folder.0.path().join("sub/loop")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", folder.0.path().join("sub/dead.log")).unwrap();
    nix::unistd::mkfifo(&folder.0.path().join("sub/pipe.log"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.0.path().join("sub/zero.log")).unwrap();
    let (files, mut passed_over, _) = folder.find();
    passed_over.sort();
    assert_eq!(files, [("sub/a.log".to_owned(), FileKind::Lines)]);
    assert_eq!(passed_over, ["sub/dead.log", "sub/loop", "sub/pipe.log", "sub/zero.log"]);
}

#[test]
fn what_cannot_be_read_says_why() {
    let folder = Folder::new();
    for (name, start) in
        [("a.pcap", &b"\xd4\xc3\xb2\xa1"[..]), ("b.7z", b"7z\xbc\xaf\x27\x1c"), ("c.evt", b"\x30\0\0\0LfLe")]
    {
        let found = find(&[folder.write(name, start)]).unwrap();
        assert_eq!((found.files.len(), found.refused.len()), (0, 1), "{name}");
    }
    let book = archive(&[(b"[Content_Types].xml", b"<x/>"), (b"xl/a.log", b"x")]);
    let found = find(&[folder.write("book.xlsx", book)]).unwrap();
    assert_eq!((found.files.len(), found.refused.len()), (0, 1));
    let mut locked = archive(&[(b"a.log", b"secret")]);
    let directory = memchr::memmem::rfind(&locked, b"PK\x01\x02").unwrap();
    locked[directory + 8] |= 1;
    let (found, damage) = read(&single(&folder.write("locked.zip", locked)));
    assert_eq!(found, []);
    assert!(damage[0].contains("パスワード"), "{damage:?}");
}

#[test]
fn each_line_says_whether_it_is_a_forwarders_object() {
    let folder = Folder::new();
    let path = folder.write("mixed.log", "<34>x: {\"a\":1}\n{\"EventID\":4624}\r\n{not json}\n");
    let formats: Vec<_> = read(&single(&path)).0.into_iter().map(|(_, format, _)| format).collect();
    assert_eq!(formats, [Format::Syslog, Format::Json, Format::Syslog]);
}

#[test]
fn a_file_is_followed_from_where_it_ended() {
    let folder = Folder::new();
    let path = folder.write("gw.log", "one\ntwo\nthr");
    let file = single(&path);
    let mut records = FileRecords::open(&file, receipt()).unwrap().holding_back();
    assert_eq!(records.by_ref().count(), 2);
    assert_eq!(records.place(), Start { offset: 8, index: 2 });
    let place = records.place();
    folder.write("gw.log", "one\ntwo\nthree\nfour\n");
    let mut records = FileRecords::open_at(&file, receipt(), place).unwrap().holding_back();
    let found: Vec<_> = records.by_ref().map(|record| record.unwrap()).collect();
    let found: Vec<_> = found.into_iter().map(|record| (record.file.unwrap().index, record.bytes)).collect();
    assert_eq!(found, [(2, b"three".to_vec()), (3, b"four".to_vec())]);
    assert_eq!(records.place(), Start { offset: 19, index: 4 });
}

#[test]
fn a_line_without_end_takes_the_memory_of_one_record() {
    let folder = Folder::new();
    let mut bytes = vec![b'x'; 20 * limits::RECORD_BYTES_MAX];
    bytes.extend(b"\nnext\n");
    let (found, _) = read(&single(&folder.write("long.log.gz", gzip(&bytes))));
    assert_eq!(found.iter().map(|(_, _, bytes)| bytes.len()).collect::<Vec<_>>(), [limits::RECORD_BYTES_MAX, 4]);
}

#[test]
fn holes_in_record_numbers_are_notes_and_no_damage() {
    let folder = Folder::new();
    let event = || sample::logon("yamada", "192.0.2.1");
    let path =
        folder.write("Security.evtx", sample::file(&[sample::chunk(5, &[event()]), sample::chunk(9, &[event()])]));
    let mut records = FileRecords::open(&single(&path), receipt()).unwrap();
    assert_eq!(records.by_ref().count(), 2);
    assert_eq!(records.damage(), Vec::<String>::new());
    assert_eq!(records.notes(), ["記録番号の抜け: 6–8 (3 件)"]);
}

#[test]
fn rows_are_followed_behind_their_header() {
    let folder = Folder::new();
    let path = folder.write("a.csv", "日時,ユーザー\n1,a\n2,\"b\n");
    let file = single(&path);
    let mut records = FileRecords::open(&file, receipt()).unwrap().holding_back();
    assert_eq!(records.by_ref().count(), 1, "a row whose quote is open is still being written");
    let place = records.place();
    folder.write("a.csv", "日時,ユーザー\n1,a\n2,\"b\nc\"\n3,d\n");
    let records = FileRecords::open_at(&file, receipt(), place).unwrap().holding_back();
    let found: Vec<_> = records.map(|record| record.unwrap()).map(|record| record.bytes).collect();
    assert_eq!(found, ["日時,ユーザー\n2,\"b\nc\"".as_bytes(), "日時,ユーザー\n3,d".as_bytes()]);
}

#[test]
fn a_listing_is_bounded() {
    let folder = Folder::new();
    for number in 0..20 {
        folder.write(&format!("{number:02}/a.log"), "x");
    }
    let listing = list(folder.0.path(), 5).unwrap();
    assert_eq!((listing.files.len(), listing.are_more), (5, true));
    let listing = list(folder.0.path(), 20).unwrap();
    assert_eq!((listing.files.len(), listing.are_more), (20, false));
}
