//! The duty table: `duty.csv` (当直表). Who slept in the duty room, and which account they were given.

use chrono::NaiveDate;
use monban_event::account;

use super::table::{self, Sheet};
use super::{Complaint, date};

const SHEET: Sheet = Sheet {
    file: "duty.csv",
    columns: &[&["日付", "勤務日", "当直日"], &["使用アカウント", "アカウント", "ADアカウント", "VPNアカウント"]],
    unused: &["勤務", "所属", "氏名", "備考"],
};
const DAY: usize = 0;
const ACCOUNT: usize = 1;

/// Nights (by the day they begin on) and accounts.
pub(super) fn read(bytes: &[u8], complaints: &mut Vec<Complaint>) -> Vec<(NaiveDate, String)> {
    let mut duties = Vec::new();
    for row in table::read(&SHEET, bytes, complaints) {
        let Some(day) = date::parse_date(row.get(DAY)) else {
            let message = format!("「{}」は日付として読めないため、この行は使いません。例: 2026-10-06", row.get(DAY));
            complaints.push(Complaint::new(SHEET.file, row.line, "日付", &message));
            continue;
        };
        // A row without an account says who was there; nobody logs in by it.
        let accounts = table::list(row.get(ACCOUNT)).into_iter().filter_map(account::parse);
        duties.extend(accounts.map(|account| (day, account.key)));
    }
    duties
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_night_and_its_accounts() {
        let mut complaints = Vec::new();
        let text = "日付,勤務,氏名,使用アカウント\n2026-10-06,当直,山田,TOUCHOKU\n令和8年10月7日,当直,佐藤,\nいつか,当直,佐藤,x\n";
        let day = NaiveDate::from_ymd_opt(2026, 10, 6).expect("a day");
        assert_eq!(read(text.as_bytes(), &mut complaints), [(day, "touchoku".to_owned())]);
        assert_eq!(complaints.iter().map(|told| told.line).collect::<Vec<_>>(), [4]);
    }
}
