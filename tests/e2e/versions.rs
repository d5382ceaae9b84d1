//! Data directories of every form that was ever released open, give what they gave, and go on.

use std::path::Path;

use crate::support::{Site, journal};

/// Written by the first version: 61 imported lines, four searches and a token; no chain, nothing sealed.
const FIRST: &str = "tests/corpus/data_dir_v1";

fn site_of(version: &str) -> Site {
    let site = Site::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(version);
    journal::copy_folder(&from, &site.data());
    site
}

#[test]
fn the_first_version_opens_and_goes_on_with_a_chain() {
    let site = site_of(FIRST);
    assert_eq!(site.verify(&[]).status, 0, "nothing is signed yet, and nothing is wrong");
    assert_eq!(site.count("*"), 61);
    assert_eq!(site.count("結果:失敗 src_ip:198.51.100.7"), 20);
    assert!(journal::records(&site.data().join("journal")).0.len() == 61);
    let line = "<38>Oct 26 09:00:07 gw1 sshd[1]: Accepted password for tanaka from 192.0.2.1 port 1 ssh2\n";
    let more = site.write("in/more.log", line);
    assert_eq!(site.import(&[&more]).ok().out, "accepted: 1, duplicate: 0, damaged: 0\n");
    let told = site.verify(&[]);
    assert_eq!(told.status, 0, "{told:#?}");
    assert!(told.out.contains("取込 62 件") && told.out.contains("最初の公開鍵"), "{told:#?}");
    assert_eq!(site.count("*"), 62);
}

#[test]
fn what_the_first_version_wrote_is_protected_from_now_on() {
    let site = site_of(FIRST);
    assert_eq!(site.count("*"), 61);
    assert_eq!(site.verify(&[]).status, 0);
    site.change("journal/records/00000000000000000003.seg", |bytes| {
        let at = bytes.windows(6).position(|window| window == b"tanaka").expect("it stands there");
        bytes[at] ^= 1;
    });
    let told = site.verify(&[]);
    assert_eq!(told.status, 1, "{told:#?}");
    assert!(told.out.contains("結果  NG"), "{told:#?}");
}
