//! Copies that leave the data directory: backups that can be restored, and periods handed to somebody who investigates.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::lines::{line, send_tcp};
use crate::support::wait::wait_for;
use crate::support::{Site, journal};

fn words(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Every file name below a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { names.extend(self::names(&path)) } else { names.push(path.display().to_string()) }
    }
    names
}

#[test]
fn a_backup_taken_while_receiving_restores_to_the_same() {
    let site = Site::new();
    let server = site.serve();
    send_tcp(server.tcp(), "kept", 0..500).unwrap();
    wait_for("the lines", &500, || site.count("*"));
    let backup = site.path("usb");
    let said = site.verb("backup", &[words(&backup)]).ok();
    assert!(said.out.contains("写しの検査: 合格"), "{said:#?}");
    send_tcp(server.tcp(), "later", 0..200).unwrap();
    wait_for("the later lines", &700, || site.count("*"));
    let again = site.verb("backup", &[words(&backup)]).ok();
    assert!(again.out.contains("写しの検査: 合格"), "{again:#?}");
    let before = site.search("*");
    server.kill();
    assert!(!names(&backup).iter().any(|name| name.contains("keys")), "keys are in no backup");
    let restored = site.path("restored");
    let said = site.run(["restore", "--data-dir", words(&restored), words(&backup)]);
    assert_eq!(said.status, 0, "{said:#?}");
    assert_eq!(site.search_on(&restored, "*"), before);
    let told = site.run(["verify", words(&restored)]).ok();
    assert!(told.out.contains("鍵のない写し・復元からの再開"), "{told:#?}");
    let trail = journal::trail(&restored);
    assert!(trail.iter().any(|deed| deed["kind"] == "restored"), "{trail:?}");
}

#[test]
fn a_damaged_backup_and_a_full_folder_are_refused() {
    let site = Site::new();
    let lines: String = (0..50).map(|number| line("old", number) + "\n").collect();
    let file = site.write("in/gw.log", lines);
    site.import(&[&file]).ok();
    let backup = site.path("usb");
    site.verb("backup", &[words(&backup)]).ok();
    let inside = site.verb("backup", &[words(&site.path("data/usb"))]);
    assert!(inside.status == 2 && inside.err.contains("データフォルダの中"), "{inside:#?}");
    let full = site.run(["restore", "--data-dir", words(&site.data()), words(&backup)]);
    assert!(full.status == 2 && full.err.contains("空ではありません"), "{full:#?}");
    let acts = names(&backup.join("journal/records"));
    let mut bytes = fs::read(&acts[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&acts[0], bytes).unwrap();
    let damaged = site.run(["restore", "--data-dir", words(&site.path("new")), words(&backup)]);
    assert!(damaged.status == 2 && damaged.err.contains("誤りがあるため復元しません"), "{damaged:#?}");
    let none = site.run(["restore", "--data-dir", words(&site.path("new2")), words(&site.path("in"))]);
    assert!(none.status == 2 && none.err.contains("バックアップではありません"), "{none:#?}");
}

#[test]
fn a_period_is_handed_out_with_its_proof() {
    let site = Site::new();
    let mut lines: String = (0..50).map(|number| line("old", number) + "\n").collect();
    lines.push_str("<38>Oct 25 09:00:07 gw1 app: login user=tanaka password=himitsu123\n");
    let file = site.write("in/gw.log", lines);
    site.import(&[&file]).ok();
    let out = site.path("handed");
    let said = site.verb("export", &[words(&out)]).ok();
    assert!(said.out.contains("原ログ 51 件、イベント 51 件"), "{said:#?}");
    let records = fs::read_to_string(out.join("records.jsonl")).unwrap();
    assert_eq!(records.lines().count(), 51);
    assert!(!records.contains("himitsu123"), "passwords are blotted out");
    let first: Value = serde_json::from_str(records.lines().next().unwrap()).unwrap();
    assert_eq!((first["origin"].as_str(), first["transport"].as_str()), (Some("import"), Some("file")));
    let sums = Command::new("sha256sum").args(["--quiet", "-c", "SHA256SUMS"]).current_dir(&out).status().unwrap();
    assert!(sums.success());
    let told = site.run(["verify", words(&out.join("journal"))]).ok();
    assert!(told.out.contains("結果  合格") && told.out.contains("最初の公開鍵"), "{told:#?}");
    assert!(!names(&out).iter().any(|name| name.contains("acts") || name.contains("keys")), "accounts stay at home");
    let segment = &names(&out.join("journal/records"))[0];
    let mut bytes = fs::read(segment).unwrap();
    let at = bytes.windows(3).position(|window| window == b"old").unwrap();
    bytes[at] ^= 1;
    fs::write(segment, bytes).unwrap();
    assert_eq!(site.run(["verify", words(&out.join("journal"))]).status, 1);
    let again = site.verb("export", &[words(&out)]);
    assert!(again.status == 2 && again.err.contains("空ではありません"), "{again:#?}");
}

#[test]
fn a_receipt_kept_elsewhere_tells_what_was_cut_off() {
    let site = Site::new();
    let lines: String = (0..50).map(|number| line("old", number) + "\n").collect();
    let file = site.write("in/gw.log", lines);
    site.import(&[&file]).ok();
    let receipt = site.path("receipt.json");
    let said = site.verify(&["--receipt", words(&receipt)]);
    assert_eq!(said.status, 0, "{said:#?}");
    assert_eq!(site.verify(&["--against", words(&receipt)]).status, 0);
    assert_eq!(site.count("*"), 50, "searching adds to the journal");
    assert_eq!(site.verify(&["--against", words(&receipt)]).status, 0, "what came later changes nothing");
    for name in names(&site.data().join("journal/records")) {
        fs::remove_file(name).unwrap();
    }
    fs::remove_file(site.data().join("journal/durable")).unwrap();
    let told = site.verify(&["--against", words(&receipt)]);
    assert!(told.status == 1 && told.out.contains("受領票と違います"), "{told:#?}");
    let wrong = site.verify(&["--against", words(&file)]);
    assert_eq!(wrong.status, 2, "{wrong:#?}");
}
