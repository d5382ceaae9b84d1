//! Files in the forms in which people bring them: packed, exported, in UTF-16, hostile.

use std::io::Write;

use crate::support::Site;
use crate::support::evtx::{logons, sample};
use crate::support::lines::{assert_each_once, line, numbers};

const ACCOUNTS: [&str; 3] = ["yamada", "sato", "suzuki"];

fn totals(accepted: u64, duplicate: u64, damaged: u64) -> String {
    format!("accepted: {accepted}, duplicate: {duplicate}, damaged: {damaged}\n")
}

fn text(mark: &str, numbers: std::ops::Range<u64>) -> String {
    numbers.map(|number| line(mark, number) + "\n").collect()
}

fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// An archive of these files, without compression.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let mut sum = flate2::Crc::new();
        sum.update(content);
        let length = u32::try_from(content.len()).unwrap().to_le_bytes();
        let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
        // Version, flags (UTF-8), method, time, date.
        let common =
            [&[20, 0, 0, 8, 0, 0, 0, 0, 0, 0][..], &sum.sum().to_le_bytes(), &length, &length, &name_length, &[0, 0]]
                .concat();
        directory.extend([b"PK\x01\x02\x14\0".as_slice(), &common, &[0; 10]].concat());
        directory.extend(u32::try_from(archive.len()).unwrap().to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
        archive.extend([b"PK\x03\x04".as_slice(), &common, name.as_bytes(), content].concat());
    }
    let (start, length) = (u32::try_from(archive.len()).unwrap(), u32::try_from(directory.len()).unwrap());
    let count = u16::try_from(files.len()).unwrap().to_le_bytes();
    archive.extend(directory);
    archive.extend([b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count].concat());
    archive.extend([length.to_le_bytes(), start.to_le_bytes()].concat());
    archive.extend([0, 0]);
    archive
}

#[test]
fn packed_files_are_read_and_known_again() {
    let site = Site::new();
    let log = text("packed", 0..200);
    let plain = site.write("logs/messages", &log);
    let rotated = site.write("logs/messages.1.gz", gzip(&log));
    assert_eq!(site.import(&[&plain]).ok().out, totals(200, 0, 0));
    assert_eq!(site.import(&[&rotated]).ok().out, totals(0, 200, 0), "the same log, rotated and packed");
    let evtx = logons(1, &ACCOUNTS);
    let more = gzip(text("packed", 200..260));
    let brought = zip(&[("院内/Security.evtx", &evtx), ("../../gw.log.gz", &more), ("readme.md", b"no log")]);
    let brought = site.write("usb/backup.zip", brought);
    let said = site.import(&[&brought]).ok();
    assert_eq!(said.out, totals(63, 0, 0));
    assert!(said.err.lines().any(|line| line.starts_with("取込 ") && line.ends_with("backup.zip/院内/Security.evtx")));
    assert!(said.err.lines().any(|line| line.starts_with("対象外 ") && line.contains("readme.md")), "{said:#?}");
    assert_each_once(&numbers("packed", &site.search("*")), 260);
    let paths: Vec<_> = site.search("user:yamada").iter().map(|event| event["log.file.path"].clone()).collect();
    assert!(paths[0].as_str().unwrap().ends_with("usb/backup.zip/院内/Security.evtx"), "{paths:?}");
}

#[test]
fn a_cut_archive_gives_what_it_has_and_says_so() {
    let site = Site::new();
    let whole = gzip(text("cut", 0..3000));
    let cut = site.write("gw.log.gz", &whole[..whole.len() / 2]);
    let said = site.import(&[&cut]).quiet();
    assert_eq!(said.status, 3, "{said:#?}");
    assert!(said.err.lines().any(|line| line.starts_with("破損 ") && line.contains("途中で切れて")), "{said:#?}");
    assert!(site.count("cut*") > 300);
    let said = site.run(["detect", cut.to_str().unwrap()]).quiet();
    assert_eq!(said.status, 3, "{said:#?}");
}

#[test]
fn hostile_archives_are_refused_with_the_reason() {
    let site = Site::new();
    let bomb = site.write("bomb.log.xz", include_bytes!("../corpus/files/bomb.log.xz"));
    let mut entry = [b"PK\x01\x02".as_slice(), &[0; 42], b"x"].concat();
    entry[28] = 1;
    let directory = entry.repeat(1_000_000);
    let length = u32::try_from(directory.len()).unwrap().to_le_bytes();
    let end = [b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff".as_slice(), &length, &[30, 0, 0, 0, 0, 0]].concat();
    let first = [b"PK\x03\x04".as_slice(), &[0; 26]].concat();
    let crowd = site.write("crowd.zip", [first, directory, end].concat());
    let said = site.import(&[&bomb, &crowd]).quiet();
    assert_eq!((said.status, said.out.as_str()), (3, totals(0, 0, 2).as_str()), "{said:#?}");
    for words in ["bomb.log.xz: 展開すると上限", "crowd.zip: zip の中のファイルが多すぎます"] {
        assert!(said.err.lines().any(|line| line.starts_with("破損 ") && line.contains(words)), "{words}: {said:#?}");
    }
    assert_eq!(site.count("*"), 0);
}

#[test]
fn exports_of_devices_and_windows_tools() {
    let site = Site::new();
    site.write(
        "in/vpn.csv",
        "日時,ユーザーID,接続元IP,操作,結果\r\n2026/10/25 12:00:00,yamada,203.0.113.9,ログイン,失敗\r\n2026/10/25 12:00:05,yamada,203.0.113.9,ログイン,成功\r\n",
    );
    let viewer = "\u{FEFF}キーワード,日付と時刻,ソース,イベント ID,タスクのカテゴリ\r\n監査の失敗,2026/10/25 12:00:00,Microsoft Windows security auditing.,4625,ログオン,\"ログオンに失敗しました。\r\n\r\nログオンを失敗したアカウント:\r\n\tアカウント名:\t\tsato\r\n\"\r\n";
    let wide: Vec<u8> = viewer.encode_utf16().flat_map(u16::to_le_bytes).collect();
    site.write("in/viewer.csv", wide);
    let beat = |id: u32| {
        format!(
            "{{\"@timestamp\":\"2026-10-25T03:00:00Z\",\"winlog\":{{\"channel\":\"Security\",\"event_id\":4624,\"record_id\":{id},\
             \"computer_name\":\"DC01\",\"event_data\":{{\"TargetUserName\":\"suzuki\",\"LogonType\":\"3\"}}}}}}"
        )
    };
    site.write("in/beat.ndjson", format!("{}\n{}\n", beat(1), beat(2)));
    site.write("in/array.json", format!("[\n {},\n {}\n]\n", beat(2), beat(3)));
    let said = site.import(&[&site.path("in")]).ok();
    assert_eq!(said.out, totals(6, 1, 0), "{said:#?}");
    assert_eq!(site.count("user:suzuki event.code:4624"), 3, "record 2 came twice");
    assert_eq!(site.count("user:yamada src_ip:203.0.113.9"), 2);
    let failed = site.search("user:sato");
    assert_eq!(
        (failed.len(), &failed[0]["event.code"], &failed[0]["event.outcome"]),
        (1, &"4625".into(), &"failure".into())
    );
    assert_eq!(failed[0]["@timestamp"], "2026-10-25T03:00:00.000000Z");
    assert_eq!(failed[0]["event.original_encoding"], "utf-16le");
}

#[test]
fn what_the_lines_do_not_say_is_said_with_the_import() {
    let site = Site::new();
    let log = site.write("rtx.log", "Feb 29 12:00:00 rtx login: x\n<38>Oct 25 12:00:00 : no host\n");
    let arguments = ["--year", "2024", "--tz", "UTC", "--host", "rtx1200", log.to_str().unwrap()];
    let said = site.verb("import", &arguments).ok();
    assert_eq!(said.out, totals(2, 0, 0));
    let times: Vec<_> = site.search("*").iter().map(|event| event["@timestamp"].clone()).collect();
    assert_eq!(times, ["2024-10-25T12:00:00.000000Z", "2024-02-29T12:00:00.000000Z"]);
    assert_eq!(site.count("host:rtx1200"), 1, "the line that names no machine");
    // The views are made anew from the journal alone.
    for view in ["index", "ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] {
        let path = site.data().join(view);
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { drop(std::fs::remove_file(path)) }
    }
    let again: Vec<_> = site.search("*").iter().map(|event| event["@timestamp"].clone()).collect();
    assert_eq!(again, times);
    let wrong = site.verb("import", &["--tz", "火星", log.to_str().unwrap()]);
    assert_eq!(wrong.status, 2);
}

#[test]
fn holes_in_an_event_log_are_told_and_are_no_damage() {
    let site = Site::new();
    let first = crate::support::evtx::chunk(1230, &ACCOUNTS);
    let second = crate::support::evtx::chunk(1251, &["tanaka"]);
    let log = site.write("Security.evtx", sample::file(&[first, second]));
    let said = site.import(&[&log]).ok();
    assert_eq!(said.out, totals(4, 0, 0));
    assert!(
        said.err.lines().any(|line| line.starts_with("注記 ") && line.ends_with("記録番号の抜け: 1233–1250 (18 件)"))
    );
    let said = site.run(["detect", log.to_str().unwrap()]).ok();
    assert!(said.err.contains("記録番号の抜け: 1233–1250 (18 件)"), "{said:#?}");
}

#[test]
fn one_unreadable_file_leaves_the_others() {
    let site = Site::new();
    let long = vec![b'x'; 3 << 20];
    site.write("in/long.log", [long.as_slice(), b"\nnext\n"].concat());
    std::os::unix::fs::symlink(site.path("in"), site.path("in/loop")).unwrap();
    nix::unistd::mkfifo(&site.path("in/pipe.log"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    site.write("in/cut.zip", b"PK\x03\x04 nothing behind it");
    let said = site.import(&[&site.path("in")]).quiet();
    assert_eq!((said.status, said.out.as_str()), (3, totals(2, 0, 1).as_str()), "{said:#?}");
    assert!(said.err.contains("cut.zip: zip の目録が見つかりません"), "{said:#?}");
    for name in ["in/loop", "in/pipe.log"] {
        assert!(said.err.lines().any(|line| line.starts_with("対象外 ") && line.contains(name)), "{name}: {said:#?}");
    }
}
