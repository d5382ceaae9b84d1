//! The command line's promises: what goes where, and with which exit status.

use serde_json::Value;

use crate::support::Site;
use crate::support::evtx::logons;

const FORTIGATE: &str = "<189>date=2026-10-25 time=01:48:12 devname=\"FW-HONKAN\" devid=\"FGT60F0000000001\" eventtime=1793033292000000000 \
     tz=\"+0900\" logid=\"0101039424\" type=\"event\" subtype=\"vpn\" level=\"information\" vd=\"root\" \
     logdesc=\"SSL VPN tunnel up\" action=\"tunnel-up\" tunneltype=\"ssl-tunnel\" tunnelid=1234 remip=203.0.113.9 \
     tunnelip=10.212.134.200 user=\"yamada\" group=\"VPN-Staff\" dst_host=\"N/A\" reason=\"login successfully\" \
     msg=\"SSL tunnel established\"";

#[test]
fn parse_writes_an_event_a_line() {
    let site = Site::new();
    let file = site.write("fw.log", format!("{FORTIGATE}\nわからない行\n"));
    let said = site.run(["parse", file.to_str().unwrap()]).ok();
    let events = said.jsonl();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["user.name"], "yamada");
    assert_eq!(events[0]["source.ip"], "203.0.113.9");
    assert_eq!(events[0]["event.module"], "fortinet");
    assert_eq!(events[1]["parse.status"], "raw");
    assert_eq!(events[1]["message"], "わからない行");
}

const RULE: &str = "title: 山田さんのログオン\nid: 11111111-2222-4333-8444-555555555555\nlogsource:\n  product: windows\n  service: security\n\
                    detection:\n  selection:\n    EventID: 4624\n    TargetUserName: yamada\n  condition: selection\nlevel: high\n";

#[test]
fn detect_reads_files_without_a_data_directory() {
    let site = Site::new();
    site.write("rules/logon.yml", RULE);
    let evtx = site.write("Security.evtx", logons(1, &["yamada", "sato", "yamada"]));
    let (rules, evtx) = (site.path("rules"), evtx.to_str().unwrap().to_owned());
    let arguments = ["detect", "--rules", rules.to_str().unwrap(), "--format", "jsonl"];
    let each = site.run(arguments.iter().copied().chain(["--each-match", &evtx])).ok();
    let matches = each.jsonl();
    assert_eq!(matches.len(), 2);
    assert!(matches.iter().all(|found| found["rule.title"] == "山田さんのログオン" && found["user.name"] == "yamada"));
    let summed = site.run(arguments.iter().copied().chain([evtx.as_str()])).ok();
    assert_eq!(summed.jsonl().len(), 1);
    assert_eq!(summed.jsonl()[0]["count"], 2);
    for said in [&each, &summed] {
        let last: Vec<&str> = said.err.lines().rev().take(2).collect();
        assert_eq!(last, ["records: 3 read, 0 damaged", "rules: 1 loaded, 0 failed"]);
    }
    assert!(!site.data().try_exists().unwrap(), "nothing was kept");
}

#[test]
fn detect_tells_damage_and_failure_in_its_exit_status() {
    let site = Site::new();
    let rules = site.write("rules/logon.yml", RULE);
    site.write("rules/broken.yml", "title: [\n");
    let mut cut = logons(1, &["yamada"]);
    cut.truncate(4096 + 600);
    let cut = site.write("cut.evtx", cut);
    let said = site.run(["detect", "--rules", rules.to_str().unwrap(), cut.to_str().unwrap()]);
    assert_eq!(said.status, 3, "{said:#?}");
    let said = site.run(["detect", "--rules", site.path("rules").to_str().unwrap(), cut.to_str().unwrap()]);
    assert!(said.err.contains("broken.yml") && said.err.contains("rules: 1 loaded, 1 failed"), "{said:#?}");
    let said = site.run(["detect", "--rules", rules.to_str().unwrap(), "/nowhere/at-all.evtx"]);
    assert_eq!(said.status, 2, "{said:#?}");
}

fn filled() -> Site {
    let site = Site::new();
    let evtx = site.write("Security.evtx", logons(1, &["yamada", "sato"]));
    site.import(&[&evtx]).ok();
    site
}

#[test]
fn search_counts_lists_and_says_when_nothing_was_found() {
    let site = filled();
    assert_eq!(site.verb("search", &["--count", "user:yamada"]).ok().out, "1\n");
    assert_eq!(site.verb("search", &["--count", "user:nobody"]).ok().out, "0\n", "a count is an answer");
    let none = site.verb("search", &["user:nobody"]).quiet();
    assert_eq!((none.status, none.out.as_str()), (1, ""));
    let table = site.verb("search", &["利用者:yamada"]).ok();
    let lines: Vec<&str> = table.out.lines().collect();
    assert!(lines[0].starts_with("日時") && lines.len() == 2, "{table:#?}");
    assert!(lines[1].starts_with("2026/10/25 12:00:00  DC01.hospital.example"), "{table:#?}");
    let period = ["--count", "--from", "2026-10-25", "--to", "2026-10-26", "*"];
    assert_eq!(site.verb("search", &period).ok().out, "2\n");
    let period = ["--count", "--from", "2026-10-26", "*"];
    assert_eq!(site.verb("search", &period).ok().out, "0\n");
}

#[test]
fn search_shows_values_bars_columns_and_text() {
    let site = Site::new();
    let line = |user: &str, minute: u32| {
        format!(
            "<38>1 2026-10-25T12:{minute:02}:00+09:00 gw01 sshd 811 - - Failed password for {user} from 198.51.100.7 port 40022 ssh2\n"
        )
    };
    let lines = [line("yamada", 1), line("sato", 30), line("yamada", 59)].concat();
    site.import(&[&site.write("auth.log", lines)]).ok();
    let by = site.verb("search", &["--by", "利用者", "--format", "csv", "*"]).ok();
    assert_eq!(by.out, "\u{feff}利用者,件数\r\nyamada,2\r\nsato,1\r\n");
    let by = site.verb("search", &["--by", "結果", "*"]).ok();
    assert!(by.out.contains("failure  3") && by.err.contains("一致 3 件 / 結果 は 1 種"), "{by:#?}");
    let period = ["--from", "2026-10-25T12:00:00+09:00", "--to", "2026-10-25T13:00:00+09:00"];
    let bars = site.verb("search", &[&["--hist", "30m", "--format", "jsonl"][..], &period, &["*"]].concat()).ok();
    let counts: Vec<u64> = bars.jsonl().iter().map(|bar| bar["count"].as_u64().unwrap()).collect();
    assert_eq!(counts, [1, 2]);
    let columns = site.verb("search", &["--cols", "利用者,src_ip", "--format", "csv", "--sort", "time", "*"]).ok();
    let expected = ["yamada,198.51.100.7", "sato,198.51.100.7", "yamada,198.51.100.7"];
    assert_eq!(columns.out.lines().skip(1).collect::<Vec<_>>(), expected);
    let raw = site.verb("search", &["--raw", "user:sato"]).ok();
    assert_eq!(raw.out, line("sato", 30));
    let pasted = site.verb("search", &["--raw", raw.out.trim()]).ok();
    assert_eq!(pasted.out, raw.out, "a line that is pasted finds its record");
    let none = site.verb("search", &["user:sato 結果:成功"]);
    assert_eq!(none.status, 1);
    assert!(none.err.contains("結果:成功 を外すと 1 件"), "{none:#?}");
    let none = site.verb("search", &["--from", "2026-10-26", "user:sato"]);
    assert!(none.err.contains("すべての期間では 1 件") || none.err.contains("過去30日では"), "{none:#?}");
    let wrong = site.verb("search", &["--by", "usr", "*"]);
    assert_eq!((wrong.status, wrong.out.as_str()), (2, ""), "{wrong:#?}");
}

#[test]
fn a_wrong_query_shows_the_place_and_a_way_out() {
    let site = filled();
    for (query, under) in
        [("src_ip:10.1.2.300", "         ^^^^^^^^^^"), ("usr:tanaka", "  ^^^"), ("日時:いつか かつ (user:a", "")]
    {
        let said = site.verb("search", &[query]).quiet();
        assert_eq!((said.status, said.out.as_str()), (2, ""), "{said:#?}");
        let lines: Vec<&str> = said.err.lines().collect();
        let at = lines.iter().position(|line| *line == format!("  {query}")).expect("the query is shown");
        assert!(lines[at - 1].starts_with("誤り: "), "{said:#?}");
        assert!(lines[at + 1].contains('^') && lines[at + 1].starts_with(under), "{said:#?}");
    }
}

#[test]
fn a_verb_on_nothing_says_that_there_is_nothing() {
    let site = Site::new();
    for verb in ["search", "report"] {
        let arguments: &[&str] = if verb == "report" { &["--period", "2026-10"] } else { &["*"] };
        let said = site.verb(verb, arguments).quiet();
        assert_eq!(said.status, 2, "{said:#?}");
        assert!(said.err.contains("データフォルダ"), "{said:#?}");
    }
    assert!(!site.data().try_exists().unwrap(), "asking made no directory");
}

#[test]
fn a_report_is_the_same_each_time() {
    let site = filled();
    let json = site.verb("report", &["--period", "2026-10", "--format", "json"]).ok();
    let parsed: Value = serde_json::from_str(&json.out).unwrap();
    assert!(parsed.is_object());
    let html = site.verb("report", &["--period", "2026-10", "--format", "html"]).ok();
    assert!(html.out.starts_with("<!DOCTYPE html>") || html.out.starts_with("<!doctype html>"), "{}", html.out);
    assert!(html.out.contains("2026") && html.out.contains("</html>"));
    let wrong = site.verb("report", &["--period", "10/2026"]).quiet();
    assert_eq!((wrong.status, wrong.out.as_str()), (2, ""));
}

#[test]
fn a_token_is_printed_alone() {
    let site = filled();
    let said = site.verb("token create", &["--name", "見守り", "--scope", "events:read"]).ok();
    let token = said.out.strip_suffix('\n').unwrap();
    assert!(token.len() >= 20 && token.chars().all(|letter| letter.is_ascii_graphic()), "{said:#?}");
    let other = site.verb("token create", &["--name", "見守り", "--scope", "events:read"]).ok();
    assert_ne!(other.out, said.out);
    let wrong = site.verb("token create", &["--name", "x", "--scope", "everything"]).quiet();
    assert_eq!((wrong.status, wrong.out.as_str()), (2, ""), "{wrong:#?}");
    assert!(wrong.err.contains("everything") && wrong.err.contains("events:read"), "{wrong:#?}");
}

#[test]
fn a_wrong_configuration_lists_every_complaint_and_starts_nothing() {
    let site = Site::new();
    let config = site.write(
        "monban.toml",
        "zone = \"Mars\"\n[pages]\nlisten = \"0.0.0.0:8080\"\n[syslog.udp]\nlisten = \"514\"\n[syslog.tls]\nlisten = \"x\"\n[rules]\nsigma = 3\n",
    );
    let said = site.run(["serve", "--config", config.to_str().unwrap(), "--data-dir", site.data().to_str().unwrap()]);
    assert_eq!(said.status, 2, "{said:#?}");
    for key in ["zone", "pages.listen", "syslog.udp.listen", "syslog.tls.listen", "rules.sigma"] {
        assert!(said.err.contains(&format!("{key}:")), "{key}: {}", said.err);
    }
    assert!(!site.data().try_exists().unwrap());
}
