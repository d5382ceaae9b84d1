//! The views made anew from the journal say what the live ones said: by `monban reindex`, and by a start that finds no
//! index.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use monban_event::store::SearchRequest;
use monban_event::{EventStore, SystemClock, TimeRange};
use monban_index::journal::Journal;
use monban_index::partition::{Partitions, TantivyStore};
use monban_index::query;
use monban_ingest::{Parsers, TextSettings};
use serde_json::{Value, json};

use crate::support::{Site, journal};

/// Each is asked of the whole month and of sixteen of its days: 204 questions.
const QUERIES: [&str; 12] = [
    "*",
    "結果:失敗",
    "時間外:はい",
    "区分:vendor",
    "src_ip:203.0.113.0/24",
    "src_ip:10.0.0.0/8 結果:成功",
    "\"SSL tunnel\"",
    "VPN",
    "ログオン",
    "user:*a*",
    "bytes>=1000000",
    "結果:成功 -user:*_*",
];

fn month() -> DateTime<Utc> {
    "2026-10-01T00:00:00+09:00".parse().unwrap()
}

/// What the search index of a directory that nobody serves answers, columns and all.
fn answers(data: &Path) -> Vec<Value> {
    let scratch = tempfile::tempdir().unwrap();
    journal::copy_folder(&data.join("journal"), scratch.path());
    let (journal, _) = Journal::open(scratch.path(), Arc::new(SystemClock)).unwrap();
    let partitions = Partitions::open(&data.join("index")).unwrap();
    let parser = Arc::new(Parsers { settings: TextSettings::in_zone(chrono_tz::Asia::Tokyo) });
    let store = TantivyStore::new(partitions.reader(), Arc::new(journal), parser, Arc::new(|_| {}));
    let day = |day: i64| TimeRange::between(month() + TimeDelta::days(day), month() + TimeDelta::days(day + 1));
    let whole = TimeRange::between(month(), month() + TimeDelta::days(31));
    let ranges: Vec<TimeRange> = std::iter::once(whole).chain((0..16).map(|index| day(index * 2))).collect();
    let mut answers = Vec::new();
    for text in QUERIES {
        let query = query::parse(text, month()).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
        for &range in &ranges {
            let request = SearchRequest { query: query.clone(), range, limit: 100, after: None, whole: false };
            let page = store.search(&request).unwrap();
            let events: Vec<_> = page.events.iter().map(monban_event::Event::to_json).collect();
            let count = store.count(&query, range).unwrap();
            answers.push(json!({"query": text, "from": range.from, "count": count, "events": events}));
        }
    }
    answers
}

/// The month's report without the moment at which it was made and what had been journaled by then.
fn report(site: &Site, data: &Path) -> Value {
    let said = site.verb_on(data, "report", &["--period", "2026-10", "--format", "json"]).ok();
    let mut report: Value = serde_json::from_str(&said.out).unwrap();
    let header = report["header"].as_object_mut().unwrap();
    assert!(header.remove("created").is_some() && header.remove("cut_off_position").is_some(), "{}", said.out);
    report
}

#[track_caller]
fn assert_same(before: &[Value], after: &[Value]) {
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(after) {
        assert_eq!(before, after);
    }
}

#[test]
fn rebuilt_views_say_what_the_live_ones_said() {
    let site = Site::new();
    let data = site.path("demo");
    site.run(["demo", "--data-dir", data.to_str().unwrap(), "--small", "--no-serve"]).ok();
    site.verb_on(&data, "hold add", &["調査", "--reason", "訴訟に備える", "--from", "2026-10-05"]).ok();
    let before = (answers(&data), journal::ledger_view(&data), report(&site, &data));
    assert_eq!(before.0.len(), 204);
    let found = before.0.iter().filter(|answer| answer["count"].as_u64() > Some(0)).count();
    assert!(found > 100, "{found} of the questions have answers");

    let said = site.verb_on(&data, "reindex", &[]).ok();
    assert!(said.out.starts_with("作り直しました"), "{said:#?}");
    assert!(!said.out.contains("変わりました") && !said.out.contains("検知: "), "{said:#?}");
    assert!(!data.join("rebuild").is_dir());
    assert_same(&before.0, &answers(&data));
    assert_eq!(journal::ledger_view(&data), before.1);
    assert_eq!(report(&site, &data), before.2);
    let held = site.verb_on(&data, "hold list", &[]).ok();
    assert!(held.out.contains("訴訟に備える"), "{held:#?}");

    // Beside tables that are ahead, the index alone.
    fs::remove_dir_all(data.join("index")).unwrap();
    site.verb_on(&data, "search", &["--count", "*"]).ok();
    assert_same(&before.0, &answers(&data));
    assert_eq!(journal::ledger_view(&data), before.1);
}

#[test]
fn a_served_directory_is_not_rebuilt() {
    let site = Site::new();
    let server = site.serve();
    let said = site.verb("reindex", &[]);
    assert_eq!(said.status, 2, "{said:#?}");
    assert!(said.err.contains("使用中です"), "{said:#?}");
    server.stop();
}

#[test]
fn tables_that_cannot_be_read_are_made_anew() {
    let site = Site::new();
    let log = site.write("a.log", "<13>Oct 25 12:00:00 gw01 app: 記録\n");
    site.import(&[&log]).ok();
    fs::write(site.data().join("ledger.sqlite"), b"no database").unwrap();
    let said = site.verb("reindex", &[]);
    assert_eq!(said.status, 0, "{said:#?}");
    assert!(said.err.contains("cannot be read"), "{said:#?}");
    assert_eq!(site.count("記録"), 1);
    assert_eq!(journal::ledger_view(&site.data())["sources"].as_array().map(Vec::len), Some(1));
}
