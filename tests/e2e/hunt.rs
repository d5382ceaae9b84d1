//! `monban detect` over many files: the same output however it is run, and what each option changes of it.

use std::fs;
use std::path::PathBuf;

use crate::support::Site;
use crate::support::evtx::{logons, sample};
use crate::support::site::Said;

const ROSTER: &str = "氏名,職種,雇用区分,採用日,退職日,ADアカウント,VPNアカウント\n\
                      山田 花子,事務,常勤,2018/4/1,2026/9/30,yamada,yamada\n佐藤 健,事務,常勤,2015/4/1,,sato,sato\n";

const RULES: [(&str, &str); 2] = [
    (
        "logon.yml",
        "title: 山田さんのログオン\nid: logon\nlogsource: {product: windows, service: security}\ndetection:\n  \
         selection: {EventID: 4624, TargetUserName: yamada}\n  condition: selection\nlevel: high\n",
    ),
    (
        "failure.yml",
        "title: 失敗\nid: failure\nlogsource: {product: monban}\ndetection:\n  selection: {monban.login: failure}\n  \
         condition: selection\nlevel: low\n",
    ),
];

/// Logs of several machines and days, in files whose names say nothing of their order.
fn hospital() -> Site {
    let site = Site::new();
    for (name, text) in RULES {
        site.write(&format!("rules/{name}"), text);
    }
    let vpn = |day: u32, user: &str, source: &str| {
        format!(
            "date=2026-10-{day:02} time=01:48:12 devname=\"FW-HONKAN\" devid=\"FGT60F0000000001\" tz=\"+0900\" \
             logid=\"0101039424\" type=\"event\" subtype=\"vpn\" level=\"information\" vd=\"root\" logdesc=\"SSL VPN \
             tunnel up\" action=\"tunnel-up\" tunneltype=\"ssl-tunnel\" tunnelid=1234 remip={source} \
             tunnelip=10.212.134.200 user=\"{user}\" group=\"VPN-Staff\" msg=\"SSL tunnel established\"\n"
        )
    };
    let failed = |day: u32, minute: u32, user: &str| {
        format!(
            "<38>1 2026-10-{day:02}T12:{minute:02}:00+09:00 gw01 sshd 811 - - Failed password for {user} from \
             198.51.100.7 port 40022 ssh2\n"
        )
    };
    let days =
        |from: u32, to: u32| (from..to).map(|day| vpn(day, "yamada", "203.0.113.9")).collect::<Vec<_>>().concat();
    site.write("logs/a/9.log", days(15, 26) + &vpn(26, "yamada", "198.51.100.77"));
    site.write("logs/b/1.log", days(1, 15));
    let guesses: Vec<String> = (0..40).map(|minute| failed(3, minute, "sato")).collect();
    site.write(
        "logs/0.log",
        guesses.concat() + "<38>Oct  4 12:00:00 gw01 last message repeated 3 times\nno time at all\n",
    );
    site.write("logs/z.evtx", logons(1, &["yamada", "sato", "yamada"]));
    let many: Vec<String> = (0..300).map(|number| format!("user{number}")).collect();
    let chunks: Vec<Vec<u8>> = many
        .chunks(30)
        .enumerate()
        .map(|(index, users)| {
            let events: Vec<_> = users.iter().map(|user| sample::logon(user, "192.0.2.45")).collect();
            sample::chunk(index as u64 * 30 + 1, &events)
        })
        .collect();
    site.write("logs/c/many.evtx", sample::file(&chunks));
    site
}

fn detect(site: &Site, words: &[&str], paths: &[&str]) -> Said {
    site.run(["detect"].iter().chain(words).chain(paths))
}

const SHOWS: [&[&str]; 10] = [
    &["--format", "text"],
    &["--format", "jsonl"],
    &["--format", "csv"],
    &["--format", "html"],
    &["--each-match", "--format", "text"],
    &["--each-match", "--format", "jsonl", "--rules", "rules", "--hospital"],
    &["--each-match", "--format", "csv", "--rules", "rules"],
    &["--logons"],
    &["--logons", "--format", "csv"],
    &["--metrics", "--format", "jsonl"],
];

#[test]
fn threads_order_and_repetition_change_no_byte() {
    let site = hospital();
    let orders: [&[&str]; 3] = [
        &["logs"],
        &["logs/z.evtx", "logs/c", "logs/0.log", "logs/b", "logs/a"],
        &["logs/a/9.log", "logs/b", "logs/0.log", "logs/c/many.evtx", "logs/z.evtx", "logs/b/1.log"],
    ];
    for show in SHOWS {
        let run = |threads: &str, paths: &[&str]| {
            let said = detect(&site, &[&["--threads", threads][..], show].concat(), paths).ok();
            (said.out, said.err)
        };
        let expected = run("1", orders[0]);
        assert!(!expected.0.is_empty(), "{show:?}");
        for (threads, paths) in
            [("1", orders[0]), ("2", orders[0]), ("2", orders[1]), ("1", orders[2]), ("5", orders[2])]
        {
            assert!(run(threads, paths) == expected, "{show:?} with {threads} threads over {paths:?}");
        }
    }
}

#[test]
fn the_last_two_lines_are_for_scripts_and_a_table_stands_above_them() {
    let site = hospital();
    let said = detect(&site, &["--rules", "rules"], &["logs"]).ok();
    let lines: Vec<&str> = said.err.lines().collect();
    let [.., head, high, low, overview, rules, records] = lines[..] else { panic!("{said:#?}") };
    assert!(head.starts_with("重大度") && high.starts_with("高"), "{said:#?}");
    assert!(high.ends_with("山田さんのログオン（logon）") && low.ends_with("失敗（failure）"), "{said:#?}");
    assert!(overview.starts_with("期間  2026/10/01 01:48:12 〜 2026/10/26 01:48:12"), "{said:#?}");
    assert!(overview.contains("ファイル 5"), "{said:#?}");
    assert_eq!(rules, "rules: 2 loaded, 0 failed");
    assert!(records.starts_with("records: ") && records.ends_with(" read, 0 damaged"), "{said:#?}");
}

#[test]
fn levels_decide_what_is_shown_and_how_it_ends() {
    let site = hospital();
    let status = |words: &[&str]| {
        let said = detect(&site, &[&["--rules", "rules", "--format", "jsonl"], words].concat(), &["logs"]);
        (said.status, said.out.lines().count())
    };
    let all = status(&[]);
    assert_eq!(all.0, 0);
    let high = status(&["--min-level", "高"]);
    assert!(high.0 == 0 && high.1 > 0 && high.1 < all.1, "{high:?} of {all:?}");
    assert_eq!(status(&["--min-level", "critical", "--fail-on", "high"]), (1, 0), "what is not shown counts too");
    assert_eq!(status(&["--fail-on", "重大"]), all);
    assert_eq!(status(&["--each-match", "--fail-on", "low"]).0, 1);
    let mut cut = logons(1, &["yamada"]);
    cut.truncate(4096 + 600);
    site.write("logs/cut.evtx", cut);
    assert_eq!(status(&[]).0, 3);
    assert_eq!(status(&["--fail-on", "high"]).0, 1);
    assert_eq!(status(&["--fail-on", "critical"]).0, 3);
    let said = detect(&site, &["--fail-on", "severe"], &["logs"]);
    assert!(said.status == 2 && said.err.contains("severe") && said.err.contains("重大"), "{said:#?}");
}

#[test]
fn what_the_hospital_says_of_itself_changes_what_is_found() {
    let site = hospital();
    site.write("名簿.csv", ROSTER);
    let rules = |words: &[&str]| -> Vec<String> {
        let said = detect(&site, &[&["--format", "jsonl"], words].concat(), &["logs"]).ok();
        said.jsonl().iter().map(|finding| finding["rule.id"].as_str().unwrap().to_owned()).collect()
    };
    let (without, with) = (rules(&[]), rules(&["--roster", "名簿.csv"]));
    assert_ne!(without, with);
    assert!(
        with.contains(&"VP-03".to_owned()) || with.contains(&"AC-01".to_owned()) || with.len() > without.len(),
        "{with:?}"
    );
    let said = detect(&site, &["--roster", "ない.csv"], &["logs"]);
    assert!(said.status == 2 && said.err.contains("ない.csv"), "{said:#?}");
    site.write("休診日.toml", "これは TOML ではない");
    let said = detect(&site, &["--calendar", "休診日.toml"], &["logs"]);
    assert_eq!(said.status, 0, "{said:#?}");
    assert!(said.err.contains("calendar") && said.err.contains("行目"), "{said:#?}");
}

#[test]
fn a_page_stands_alone_and_believes_no_log() {
    let site = hospital();
    let shouting = "<38>1 2026-10-05T12:00:00+09:00 gw01 sshd 811 - - Failed password for <script>alert(1)</script> from \
                    198.51.100.7 port 40022 ssh2\n";
    site.write("logs/evil.log", shouting.repeat(30));
    let words = ["--rules", "rules", "--hospital", "--format", "html", "--output", "報告.html"];
    let said = detect(&site, &words, &["logs"]).ok();
    assert_eq!(said.out, "");
    let page = fs::read_to_string(site.path("報告.html")).unwrap();
    for outside in ["http://", "https://", "src=", "href=", "@import", "url(", "<script", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for inside in
        ["<html lang=\"ja\">", "山田さんのログオン", "ログオンの集計", "Security", "4624", "203.0.113.9", "</html>"]
    {
        assert!(page.contains(inside), "{inside}");
    }
    assert!(page.contains("Failed password for sato"), "evidence is shown as it was written");
    let again = detect(&site, &words, &["logs"]);
    assert!(again.status == 2 && again.err.contains("--force"), "{again:#?}");
    let forced = detect(&site, &[&words[..], &["--force"]].concat(), &["logs"]).ok();
    assert_eq!((forced.status, fs::read_to_string(site.path("報告.html")).unwrap() == page), (0, true));
}

#[test]
fn a_spreadsheet_finds_its_encoding_and_no_formula() {
    let site = hospital();
    site.write("logs/evil.evtx", logons(1, &["=cmd|'/c calc'!a0"]));
    let rule =
        RULES[0].1.replace("TargetUserName: yamada", "TargetUserName|startswith: '='").replace("山田さんの", "=怪しい");
    let path: PathBuf = site.write("rules2/evil.yml", rule);
    let rules = path.parent().unwrap().to_str().unwrap();
    for words in [&["--each-match"][..], &[]] {
        let said = detect(&site, &[&["--format", "csv", "--rules", rules], words].concat(), &["logs"]).ok();
        let lines: Vec<&str> = said.out.split("\r\n").collect();
        assert!(lines[0].starts_with("\u{feff}重大度,ルール"), "{said:#?}");
        assert_eq!((lines.len(), lines[2]), (3, ""), "{said:#?}");
        assert!(lines[1].contains(",'=怪しいログオン,") && lines[1].contains("'=cmd|"), "{said:#?}");
        assert!(!lines[1].contains(",=") && !lines[1].contains("\"="), "{said:#?}");
    }
}

#[test]
fn logons_and_kinds_are_counted() {
    let site = hospital();
    let logons = detect(&site, &["--logons", "--format", "jsonl"], &["logs"]).ok().jsonl();
    let of = |user: &str| logons.iter().find(|line| line["user.name"] == user).unwrap();
    assert_eq!(
        (&of("sato")["failures"], &of("sato")["successes"]),
        (&43.into(), &1.into()),
        "40 lines, and one that repeats three"
    );
    assert!(of("yamada")["sources"].as_array().unwrap().contains(&"203.0.113.9".into()), "{logons:#?}");
    let kinds = detect(&site, &["--metrics", "--format", "csv"], &["logs"]).ok();
    assert!(kinds.out.starts_with("\u{feff}チャネル・製品,番号,件数,割合\r\n"), "{kinds:#?}");
    assert!(kinds.out.contains("Security,4624,303,"), "{kinds:#?}");
    assert!(kinds.err.contains("rules: 0 loaded, 0 failed"), "{kinds:#?}");
}

#[test]
fn numbers_missing_within_a_file_are_told_at_the_end_unless_another_file_has_them() {
    let site = Site::new();
    let event = |number: u64| {
        format!(
            "{{\"Event\":{{\"System\":{{\"Provider\":{{\"#attributes\":{{\"Name\":\"Microsoft-Windows-Security-Auditing\"}}}},\
             \"EventID\":4634,\"TimeCreated\":{{\"#attributes\":{{\"SystemTime\":\"2026-10-25T{:02}:{:02}:00Z\"}}}},\
             \"EventRecordID\":{number},\"Channel\":\"Security\",\"Computer\":\"FS01\"}},\
             \"EventData\":{{\"TargetUserName\":\"yamada\"}}}}}}\n",
            number / 60,
            number % 60
        )
    };
    let events = |numbers: &mut dyn Iterator<Item = u64>| numbers.map(event).collect::<Vec<_>>().concat();
    site.write("logs/holed.jsonl", events(&mut (100..200).chain(240..300)));
    let told = |threads: &str, paths: &[&str]| {
        let said = detect(&site, &["--format", "jsonl", "--threads", threads], paths).ok();
        assert!(said.out.lines().all(|line| line.contains("\"LG-04\"")), "{said:#?}");
        said.out
    };
    let whole = told("1", &["logs"]);
    assert!(whole.contains("記録番号 200〜239 の 40 件") && whole.lines().count() == 1, "{whole}");
    site.write("logs/copy.jsonl", events(&mut (190..220)));
    let rest = told("1", &["logs"]);
    assert!(rest.contains("記録番号 220〜239 の 20 件"), "{rest}");
    for (threads, paths) in [
        ("3", &["logs"][..]),
        ("2", &["logs/copy.jsonl", "logs/holed.jsonl"]),
        ("1", &["logs/holed.jsonl", "logs/copy.jsonl"]),
    ] {
        assert_eq!(told(threads, paths), rest);
    }
}
