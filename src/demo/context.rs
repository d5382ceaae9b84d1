//! The files that an administrator of this hospital would have given: roster, allow-list, companies, calendar, tickets
//! and the duty table. They say what the incidents contradict.

use super::World;
use super::everyday::on_call;
use super::hospital::{Job, Leave, Person};
use super::moment::date_text;

/// File contents, UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContextFiles {
    pub(crate) roster_csv: String,
    pub(crate) allow_csv: String,
    pub(crate) vendors_csv: String,
    pub(crate) calendar_toml: String,
    pub(crate) tickets_csv: String,
    pub(crate) duty_csv: String,
}

pub(super) fn files(world: &World) -> ContextFiles {
    ContextFiles {
        roster_csv: roster(world),
        allow_csv: allow(world),
        vendors_csv: vendors(world),
        calendar_toml: calendar(world),
        tickets_csv: tickets(world),
        duty_csv: duty(world),
    }
}

/// A day of the month as a date.
fn date(world: &World, day: u64) -> String {
    date_text(world.month, i64::try_from(day).unwrap_or(1) - 1)
}

fn row(out: &mut String, cells: &[&str]) {
    out.push_str(&cells.join(","));
    out.push_str("\r\n");
}

fn roster(world: &World) -> String {
    let mut out = String::new();
    row(
        &mut out,
        &[
            "職員番号",
            "氏名",
            "フリガナ",
            "職種",
            "所属",
            "雇用区分",
            "採用日",
            "退職日",
            "休職開始",
            "休職終了",
            "ADアカウント",
            "VPNアカウント",
            "電子カルテID",
            "管理者区分",
            "アカウント区分",
            "有効",
            "最終ログオン",
            "備考",
        ],
    );
    for person in &world.hospital.people {
        roster_row(world, person, &mut out);
    }
    out
}

fn roster_row(world: &World, person: &Person, out: &mut String) {
    let (job, employment, class) = person.job.roster_words();
    let retired = match person.retires {
        Some(0) => date(world, world.days.len() as u64),
        Some(day) => date(world, day),
        None => String::new(),
    };
    let (leave_from, leave_until) = leave(world, person);
    let number = i64::try_from(person.number).unwrap_or(0);
    let id = if person.job.is_person() { format!("{:05}", 20_000 + number) } else { String::new() };
    row(
        out,
        &[
            &id,
            &person.name,
            &person.kana,
            job,
            person.department,
            employment,
            &date_text(world.month, -400 - 37 * (number % 90)),
            &retired,
            &leave_from,
            &leave_until,
            &person.account,
            if person.has_vpn { &person.account } else { "" },
            &if person.job.is_person() { format!("E{number:04}") } else { String::new() },
            if person.job == Job::Admin { "有" } else { "無" },
            class,
            "有効",
            &last_logon(world, person),
            "",
        ],
    );
}

/// First and last day of a 育休.
fn leave(world: &World, person: &Person) -> (String, String) {
    match person.leave {
        Some(Leave::Until(last)) => (date_text(world.month, LEAVE_BEGAN), date(world, last)),
        Some(Leave::Open) => (date_text(world.month, LEAVE_BEGAN - 60), String::new()),
        None => (String::new(), String::new()),
    }
}

/// Days from the first of the month to the first day of a leave that ends on the 21st after 74 days without a logon.
const LEAVE_BEGAN: i64 = -52;

fn last_logon(world: &World, person: &Person) -> String {
    let number = i64::try_from(person.number).unwrap_or(0);
    let days = match person.leave {
        Some(Leave::Until(_)) => LEAVE_BEGAN - 1,
        Some(Leave::Open) => LEAVE_BEGAN - 61,
        None if person.unused => -100 - number,
        None => -1 - number % 4,
    };
    date_text(world.month, days)
}

fn allow(world: &World) -> String {
    let (from, until) = contract(world);
    let mut out = String::new();
    row(&mut out, &["接続元", "名称", "許可開始", "許可終了", "備考"]);
    row(&mut out, &["198.51.100.0/24", "職員用回線（医師・訪問看護ほか）", &from, &until, "VPN利用届による"]);
    row(&mut out, &["203.0.113.130", "健診センター", &from, &until, "拠点間接続"]);
    out
}

/// A contract that began half a year ago and has half a year to go.
fn contract(world: &World) -> (String, String) {
    (date_text(world.month, -183), date_text(world.month, 182))
}

fn vendors(world: &World) -> String {
    let (from, until) = contract(world);
    let period = format!("{from}〜{until}");
    let mut out = String::new();
    row(
        &mut out,
        &[
            "事業者名",
            "対象システム",
            "契約番号",
            "窓口",
            "電話(夜間)",
            "VPNアカウント",
            "専用/共有",
            "利用者名簿(氏名)",
            "許可する接続元(CIDR)",
            "許可期間",
            "常設許可(有/無)",
        ],
    );
    row(
        &mut out,
        &[
            "メドシス",
            "電子カルテ",
            "M-2026-014",
            "保守窓口",
            "050-0000-0101",
            "medsys-mnt1;medsys-mnt2",
            "専用",
            "高木 修;大野 梓",
            "203.0.113.8/29",
            &period,
            "無",
        ],
    );
    row(
        &mut out,
        &[
            "ラジネット",
            "画像",
            "R-2026-003",
            "読影センター",
            "050-0000-0102",
            "radinet",
            "共有",
            "",
            "203.0.113.16/28;203.0.113.32/29",
            &period,
            "有",
        ],
    );
    row(
        &mut out,
        &[
            "給食サポート",
            "給食",
            "K-2026-021",
            "保守担当",
            "050-0000-0103",
            "kyushoku-sup;kyushoku",
            "共有",
            "",
            "203.0.113.40/29",
            &period,
            "無",
        ],
    );
    out
}

fn calendar(world: &World) -> String {
    let mut out = vec!["inside = [\"10.20.0.0/16\"]\nvpn_pool = [\"10.212.134.0/24\"]\n".to_owned()];
    if world.month.month() != 10 && world.month.month() != 1 {
        let monday = world.days.iter().find(|day| day.weekday == 0 && (8..=14).contains(&day.number));
        let day = date(world, monday.map_or(8, |day| day.number));
        out.push(format!("closed = [{{ from = \"{day}\", to = \"{day}\", name = \"創立記念日\" }}]\n"));
    }
    out.push("\n[hours.staff]\nsaturday = \"7:30-13:30\"\n".to_owned());
    let (from, to) = (date(world, 14), date(world, 15));
    out.push(format!(
        "\n[[planned_stop]]\nsources = [\"PACS01\", \"FILE01\", \"BK01\"]\nfrom = \"{from} 22:10\"\nto = \"{to} 08:35\"\n\
         reason = \"放射線部門 計画停電（事後登録）\"\n"
    ));
    for (id, name, expected) in SOURCES {
        let expected = if expected.is_empty() { String::new() } else { format!("expected = \"{expected}\"\n") };
        out.push(format!("\n[[source]]\nid = \"{id}\"\nname = \"{name}\"\n{expected}"));
    }
    for (name, address, role) in MACHINES {
        out.push(format!("\n[[machine]]\nname = \"{name}\"\naddress = [\"{address}\"]\nrole = \"{role}\"\n"));
    }
    for night in 0..=world.days.len() as u64 {
        let Person { account, name, .. } = on_call(world, night);
        let day = date_text(world.month, i64::try_from(night).unwrap_or(0) - 1);
        out.push(format!("\n[[duty]]\ndate = \"{day}\"\naccount = \"{account}\"\nname = \"{name}\"\n"));
    }
    out.concat()
}

/// The machines by the names people use. The kitchen's program speaks three times a day and no more.
const SOURCES: [(&str, &str, &str); 14] = [
    ("ip:10.20.0.1", "FGT-HONKAN", ""),
    ("ip:10.20.0.2", "FGT-KENSHIN", ""),
    ("ip:10.20.0.3", "RTX-REHA", ""),
    ("ip:10.20.0.4", "ASA-PACS", ""),
    ("ip:10.20.1.23", "PACS01", ""),
    ("ip:10.20.1.31", "FILE01", ""),
    ("ip:10.20.1.32", "BK01", ""),
    ("ip:10.20.1.33", "AV01", ""),
    ("ip:10.20.1.24", "KYUSHOKU01 給食プログラム", "26h"),
    ("host:dc01", "DC01", ""),
    ("host:dc02", "DC02", ""),
    ("host:emr01", "EMR01", ""),
    ("host:iji01", "IJI01", ""),
    ("host:kyushoku01", "KYUSHOKU01", ""),
];

/// What the servers are for. The kitchen's was brought by its company.
const MACHINES: [(&str, &str, &str); 8] = [
    ("DC01", "10.20.1.11", "core"),
    ("DC02", "10.20.1.12", "core"),
    ("EMR01", "10.20.1.21", "core"),
    ("IJI01", "10.20.1.22", "core"),
    ("PACS01", "10.20.1.23", "department"),
    ("KYUSHOKU01", "10.20.1.24", "department"),
    ("BK01", "10.20.1.32", "core"),
    ("PC-ADMIN", "10.20.1.50", "admin"),
];

/// Work that was asked for and approved: every vendor session of the month but the planted ones.
fn tickets(world: &World) -> String {
    let mut out = String::new();
    row(
        &mut out,
        &[
            "申請番号",
            "申請日",
            "事業者",
            "作業者氏名",
            "予定開始",
            "予定終了",
            "対象サーバ",
            "作業内容",
            "個人情報へのアクセス(有/無)",
            "承認者",
            "承認日",
            "区分(事前/事後/緊急)",
            "実績開始",
            "実績終了",
            "作業報告受領日",
        ],
    );
    let mut number = 0;
    for day in &world.days {
        let date = date(world, day.number);
        let mut ticket = |vendor: &str, who: &str, (from, to): (&str, &str), server: &str, work: &str, kind: &str| {
            number += 1;
            let (id, from, to) = (format!("T-{number:03}"), format!("{date} {from}"), format!("{date} {to}"));
            row(
                &mut out,
                &[&id, &date, vendor, who, &from, &to, server, work, "無", "総務課長", &date, kind, "", "", &date],
            );
        };
        if day.is_working() {
            ticket("給食サポート", "吉岡 守", ("10:00", "11:00"), "KYUSHOKU01", "日次点検", "事前");
        }
        if day.weekday == 2 {
            ticket("メドシス", "高木 修", ("13:00", "15:00"), "EMR01", "定期保守", "事前");
        }
        if [8, 20].contains(&day.number) {
            ticket("メドシス", "大野 梓", ("10:00", "12:00"), "EMR01", "更新作業", "事前");
        }
        if day.number == 4 {
            ticket("給食サポート", "吉岡 守", ("02:10", "03:00"), "IJI01", "夜間障害対応", "事後");
        }
        if day.number == 19 {
            ticket("情報システム係", "", ("14:00", "15:00"), "DC01", "Domain Admins への追加 2名", "事前");
        }
    }
    out
}

/// Who slept in the duty room: every night but that of the 9th.
fn duty(world: &World) -> String {
    let mut out = String::new();
    row(&mut out, &["日付", "勤務", "所属", "氏名", "使用アカウント"]);
    let visiting: Vec<&Person> = world.hospital.with_job(Job::VisitingDoctor).filter(|person| !person.unused).collect();
    for day in world.days.iter().filter(|day| day.number != 9) {
        let turn = usize::try_from(day.number).unwrap_or(0) % visiting.len().max(1);
        if let Some(doctor) = visiting.get(turn) {
            row(&mut out, &[&date(world, day.number), "当直", doctor.department, &doctor.name, "touchoku"]);
        }
    }
    out
}
