//! The allow-list: from where, and during which period, connections are permitted. Rows of `allow.csv` and the
//! addresses of `vendors.csv` are entries of one list.

use std::net::IpAddr;

use chrono::NaiveDate;
use ipnet::IpNet;

use super::table::{self, Sheet};
use super::{Complaint, date, net};

const SHEET: Sheet = Sheet {
    file: "allow.csv",
    columns: &[
        &["接続元", "接続元IP", "接続元CIDR", "許可する接続元", "IPアドレス", "CIDR"],
        &["名称", "事業者", "事業者名", "名前", "名称/事業者"],
        &["許可開始", "開始", "開始日", "有効開始"],
        &["許可終了", "終了", "終了日", "有効期限", "期限"],
    ],
    unused: &["備考", "承認者", "承認日", "番号"],
};
const NET: usize = 0;
const NAME: usize = 1;
const FROM: usize = 2;
const UNTIL: usize = 3;

/// Networks and the days, both included, on which they may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowEntry {
    pub nets: Vec<IpNet>,
    pub name: String,
    pub from: Option<NaiveDate>,
    pub until: Option<NaiveDate>,
}

impl AllowEntry {
    pub(super) fn covers(&self, ip: IpAddr) -> bool {
        self.nets.iter().any(|net| net.contains(&ip))
    }

    pub(super) fn active_on(&self, day: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }
}

pub(super) fn read(bytes: &[u8], complaints: &mut Vec<Complaint>) -> Vec<AllowEntry> {
    let rows = table::read(&SHEET, bytes, complaints);
    rows.iter().filter_map(|row| entry(row, complaints)).collect()
}

/// A row whose address cannot be read is refused whole: half an allow-list entry permits too much or too little.
fn entry(row: &table::Row, complaints: &mut Vec<Complaint>) -> Option<AllowEntry> {
    let nets = nets(SHEET.file, row.line, "接続元", row.get(NET), complaints);
    if nets.is_empty() {
        complaints.push(Complaint::new(SHEET.file, row.line, "接続元", "接続元がないため、この行は使いません。"));
        return None;
    }
    let mut date = |column: usize, name: &str| optional_date(SHEET.file, row.line, name, row.get(column), complaints);
    let (from, until) = (date(FROM, "許可開始"), date(UNTIL, "許可終了"));
    if let (Some(from), Some(until)) = (from, until)
        && until < from
    {
        complaints.push(Complaint::new(
            SHEET.file,
            row.line,
            "許可終了",
            "許可終了が許可開始より前です。この行は一度も有効になりません。",
        ));
    }
    Some(AllowEntry { nets, name: row.get(NAME).to_owned(), from, until })
}

/// Every address of a cell; those that cannot be read are complained about one by one.
pub(super) fn nets(
    file: &'static str,
    line: u64,
    column: &str,
    cell: &str,
    complaints: &mut Vec<Complaint>,
) -> Vec<IpNet> {
    let mut found = Vec::new();
    for part in table::list(cell) {
        match net::parse(part) {
            Some(nets) => found.extend(nets),
            None => complaints.push(Complaint::new(
                file,
                line,
                column,
                &format!("「{part}」は IP アドレスとして読めません。例: 203.0.113.9 / 203.0.113.0/28"),
            )),
        }
    }
    found
}

/// The date of a cell that may be empty.
pub(super) fn optional_date(
    file: &'static str,
    line: u64,
    column: &str,
    cell: &str,
    complaints: &mut Vec<Complaint>,
) -> Option<NaiveDate> {
    let found = date::parse_date(cell);
    if found.is_none() && !cell.is_empty() {
        let message = format!("「{cell}」は日付として読めません。例: 2026/3/31、R8.3.31、令和8年3月31日");
        complaints.push(Complaint::new(file, line, column, &message));
    }
    found
}
