//! The maintenance companies: their VPN accounts, from where they come, and until when.

use chrono::NaiveDate;
use monban_event::account;

use super::allow::{self, AllowEntry};
use super::table::{self, Sheet};
use super::{Complaint, date};

const SHEET: Sheet = Sheet {
    file: "vendors.csv",
    columns: &[
        &["事業者名", "事業者", "会社名", "ベンダー"],
        &["VPNアカウント", "アカウント", "使用アカウント", "ADアカウント"],
        &["許可する接続元", "接続元", "接続元IP", "接続元CIDR"],
        &["許可期間", "契約期間"],
        &["許可開始", "契約開始", "契約開始日"],
        &["許可終了", "契約終了", "契約終了日"],
        &["常設許可", "常設許可(有/無)"],
    ],
    unused: &[
        "対象システム",
        "契約番号",
        "窓口",
        "担当者",
        "電話",
        "専用/共有",
        "利用者名簿",
        "備考",
        "事前連絡先",
        "対象サーバ",
    ],
};
const NAME: usize = 0;
const ACCOUNTS: usize = 1;
const NETS: usize = 2;
const PERIOD: usize = 3;
const FROM: usize = 4;
const UNTIL: usize = 5;
const STANDING: usize = 6;

/// A company's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vendor {
    pub name: String,
    /// Account keys.
    pub accounts: Vec<String>,
    pub from: Option<NaiveDate>,
    pub until: Option<NaiveDate>,
    /// May connect at any time within the period, as for watching a system around the clock.
    pub standing: bool,
}

impl Vendor {
    pub(super) fn stands_on(&self, day: NaiveDate) -> bool {
        self.standing && self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }
}

/// The companies, and the addresses they were permitted to come from.
pub(super) fn read(bytes: &[u8], complaints: &mut Vec<Complaint>) -> (Vec<Vendor>, Vec<AllowEntry>) {
    let (mut vendors, mut allowed) = (Vec::new(), Vec::new());
    for row in table::read(&SHEET, bytes, complaints) {
        let vendor = vendor(&row, complaints);
        let nets = allow::nets(SHEET.file, row.line, "許可する接続元", row.get(NETS), complaints);
        if !nets.is_empty() {
            allowed.push(AllowEntry { nets, name: vendor.name.clone(), from: vendor.from, until: vendor.until });
        }
        vendors.push(vendor);
    }
    (vendors, allowed)
}

fn vendor(row: &table::Row, complaints: &mut Vec<Complaint>) -> Vendor {
    if row.get(NAME).is_empty() {
        complaints.push(Complaint::new(SHEET.file, row.line, "事業者名", "事業者名が空です。"));
    }
    let (mut from, mut until) = period(row, complaints);
    from = allow::optional_date(SHEET.file, row.line, "許可開始", row.get(FROM), complaints).or(from);
    until = allow::optional_date(SHEET.file, row.line, "許可終了", row.get(UNTIL), complaints).or(until);
    let accounts = table::list(row.get(ACCOUNTS)).into_iter().filter_map(account::parse).map(|account| account.key);
    Vendor {
        name: row.get(NAME).to_owned(),
        accounts: accounts.collect(),
        from,
        until,
        standing: row.get(STANDING) == "有",
    }
}

/// `R8.4.1〜R9.3.31`; either side may be missing.
fn period(row: &table::Row, complaints: &mut Vec<Complaint>) -> (Option<NaiveDate>, Option<NaiveDate>) {
    let cell = row.get(PERIOD);
    let mut sides = cell.split(['〜', '~', '～', '－']).map(str::trim);
    let mut side = || {
        let text = sides.next().unwrap_or("");
        let found = date::parse_date(text);
        if found.is_none() && !text.is_empty() {
            let message = format!("「{text}」は日付として読めません。例: R8.4.1〜R9.3.31");
            complaints.push(Complaint::new(SHEET.file, row.line, "許可期間", &message));
        }
        found
    };
    (side(), side())
}
