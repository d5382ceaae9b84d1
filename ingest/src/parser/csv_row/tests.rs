//! Rows as exports write them.

use monban_event::time::rfc3339;
use monban_event::{Format, Value};

use super::*;
use crate::parser::testing::record;

fn parse(text: &str) -> Event {
    let mut record = record(text.as_bytes());
    record.format = Format::Csv;
    parse_row(RecordId(7), &record, &TextSettings::default())
}

#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) -> Event {
    let event = parse(text);
    for (name, value) in expected {
        let field = monban_event::Field::from_name(name).expect("a field");
        let found = event.get(field).map(|value: Value<'_>| value.to_text().into_owned());
        assert_eq!(found.as_deref().unwrap_or("-"), *value, "{name}: {text}");
    }
    event
}

#[test]
fn japanese_columns() {
    let event = check(
        "日時,ユーザーID,氏名,接続元IP,宛先,操作,結果,部署\n2026/10/25 12:00,yamada,山田 太郎,198.51.100.7,fs01,ログイン,失敗,放射線科",
        &[
            ("user.name", "yamada"),
            ("source.ip", "198.51.100.7"),
            ("destination.domain", "fs01"),
            ("event.action", "login"),
            ("event.category", "authentication"),
            ("event.outcome", "failure"),
            ("time.source", "local"),
            ("parse.status", "full"),
        ],
    );
    assert_eq!(event.event_time.map(rfc3339).as_deref(), Some("2026-10-25T03:00:00.000000Z"));
    assert_eq!(event.native.get("部署"), Some("放射線科"));
    assert_eq!(event.native.len(), 8);
    assert!(event.message.is_some_and(|message| message.contains("氏名=山田 太郎")));
}

#[test]
fn coming_and_going_by_vpn_says_so() {
    for (text, kind) in [
        ("日時,ユーザ,接続元IP,操作\n2026/10/25 12:00,sato,203.0.113.9,VPN接続", "vpn"),
        ("日時,VPNアカウント,ユーザ,接続元IP,操作\n2026/10/25 12:00,x,sato,203.0.113.9,接続", "vpn"),
        ("日時,ユーザ,接続元IP,操作\n2026/10/25 12:00,sato,10.0.0.9,接続", "-"),
        ("日時,ユーザ,接続元IP,操作,備考\n2026/10/25 12:00,sato,10.0.0.9,設定変更,VPN", "-"),
    ] {
        check(text, &[("vpn.type", kind)]);
    }
}

#[test]
fn dates_and_times_in_the_forms_of_exports() {
    for (header, row) in [
        ("日付,時刻,ユーザ名", "2026年10月25日,12:00:00,sato"),
        ("date;time;user", "2026-10-25;12:00;sato"),
        ("Date and Time\tUser", "10/25/2026 12:00:00 PM\tsato"),
        ("タイムスタンプ,ユーザ", "2026/10/25 午後0:00:00,sato"),
        ("timestamp,user", "1792897200,sato"),
        ("Time Created,User", "2026-10-25T12:00:00+09:00,sato"),
        ("日時,ユーザ", "25/10/2026 12:00:00,sato"),
    ] {
        let event = check(&format!("{header}\r\n{row}\r\n"), &[("user.name", "sato")]);
        assert_eq!(event.event_time.map(rfc3339).as_deref(), Some("2026-10-25T03:00:00.000000Z"), "{row}");
    }
    let event = check("日時,ユーザ\nいつか,sato", &[("time.source", "receive")]);
    assert_eq!(event.event_time, event.ingested);
}

#[test]
fn the_event_viewers_export() {
    let row = "\"監査の失敗\",2026/10/25 12:00:00,Microsoft Windows security auditing.,4625,ログオン,\"アカウントがログオンに失敗しました。\n\n\
               サブジェクト:\n\tアカウント名:\t\tDC01$\n\nログオン タイプ:\t\t\t3\n\nログオンを失敗したアカウント:\n\tアカウント名:\t\tvendor01\n\t\
               アカウント ドメイン:\t\tHOSPITAL\n\nネットワーク情報:\n\tワークステーション名:\tPC-07\n\tソース ネットワーク アドレス:\t203.0.113.9\n\"";
    let event = check(
        &format!("キーワード,日付と時刻,ソース,イベント ID,タスクのカテゴリ\n{row}"),
        &[
            ("event.code", "4625"),
            ("winlog.channel", "Security"),
            ("user.name", "vendor01"),
            ("source.ip", "203.0.113.9"),
            ("event.outcome", "failure"),
            ("event.action", "login"),
            ("winlog.logon.type", "3"),
            ("parse.rule", "windows.csv"),
        ],
    );
    assert_eq!(event.event_time.map(rfc3339).as_deref(), Some("2026-10-25T03:00:00.000000Z"));
    assert_eq!(event.native.get("SubjectUserName"), Some("DC01$"));
    check(
        "Level,Date and Time,Source,Event ID,Task Category\nInformation,10/25/2026 12:00:00 PM,Service Control Manager,7036,None,text",
        &[("event.code", "7036"), ("winlog.provider", "Service Control Manager"), ("message", "text")],
    );
}

#[test]
fn columns_that_are_a_vendors_keys() {
    check(
        "date,time,devname,devid,logid,type,subtype,level,action,remip,user\n\
         2026-10-25,12:00:00,FW-HONKAN,FGT60F0000000001,0101039426,event,vpn,alert,ssl-login-fail,203.0.113.9,sato",
        &[
            ("event.module", "fortinet"),
            ("user.name", "sato"),
            ("source.ip", "203.0.113.9"),
            ("event.outcome", "failure"),
        ],
    );
}

#[test]
fn hostile_rows_stay_rows() {
    for text in [
        "",
        "\n",
        "a,b",
        "a,b\n",
        "日時,ユーザ\n\"",
        "日時,ユーザ\n,,,,,,",
        "日時\n日時\n日時",
        "送信元,宛先\n:,::1:99999",
    ] {
        let event = parse(text);
        assert!(event.event_time.is_some() && event.parse_status.is_some(), "{text:?}");
    }
    let wide = format!("日時,ユーザ\n{}", "x,".repeat(100_000));
    assert!(parse(&wide).native.len() <= limits::NATIVE_FIELDS_MAX);
}

#[test]
fn a_firewalls_export_with_repeated_columns() {
    check(
        "Domain,Receive Time,Serial #,Type,Source,Destination,Source User,Flags,Action,Result\n\
         1,2026/10/25 12:00:00,0123,TRAFFIC,203.0.113.9,192.0.2.10,hospital\\sato,0x0,deny,identified",
        &[
            ("user.name", "sato"),
            ("user.domain", "hospital"),
            ("source.ip", "203.0.113.9"),
            ("destination.ip", "192.0.2.10"),
            ("event.action", "deny"),
            ("event.outcome", "failure"),
            ("process.name", "-"),
        ],
    );
}

#[test]
fn words_that_only_look_like_others() {
    check(
        "日時,操作,結果\n2026/10/25 12:00:00,ログイン画面表示,エラーなし",
        &[("event.action", "-"), ("event.outcome", "success")],
    );
    check("日時,ユーザー,結果\n2026/10/25 12:00:00,sato,identified", &[("event.outcome", "-")]);
    check("日時,ユーザー,結果\n2026/10/25 12:00:00,sato,×", &[("event.outcome", "failure")]);
}
