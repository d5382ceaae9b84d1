//! The roster: who works here, under which accounts, from when until when. Owns how a row of the personnel sheet (or
//! of an AD export) becomes a class and a state. Keeps every row: two rows of one account are a person who came back.

use chrono::NaiveDate;
use monban_event::account::{self, fold};

use super::table::{self, Row, Sheet};
use super::{Complaint, allow};

const SHEET: Sheet = Sheet {
    file: "roster.csv",
    columns: &[
        &["氏名", "名前", "DisplayName", "Name"],
        &["職種", "Title"],
        &["所属", "部署", "Department"],
        &["雇用区分"],
        &["採用日", "入職日", "whenCreated"],
        &["退職日", "契約終了日", "AccountExpirationDate"],
        &["休職開始", "休職開始日"],
        &["休職終了", "休職終了日"],
        &["ADアカウント", "SamAccountName", "アカウント", "ログインID", "ユーザーID"],
        &["VPNアカウント", "VPNID"],
        &["管理者区分", "管理者"],
        &["アカウント区分", "区分"],
        &["有効", "状態", "Enabled", "アカウント状態"],
        &["最終ログオン", "最終ログオン日", "LastLogonDate"],
    ],
    unused: &[
        "職員番号",
        "EmployeeID",
        "フリガナ",
        "カナ",
        "電子カルテID",
        "備考",
        "PasswordLastSet",
        "PasswordNeverExpires",
        "adminCount",
        "DoesNotRequirePreAuth",
        "SPN",
        "Groups",
        "内線",
        "メール",
    ],
};
const NAME: usize = 0;
const JOB: usize = 1;
const DEPARTMENT: usize = 2;
const EMPLOYMENT: usize = 3;
const HIRED: usize = 4;
const RETIRED: usize = 5;
const LEAVE_FROM: usize = 6;
const LEAVE_UNTIL: usize = 7;
const AD: usize = 8;
const VPN: usize = 9;
const ADMIN: usize = 10;
const CLASS: usize = 11;
const ENABLED: usize = 12;
const LAST_LOGON: usize = 13;

/// The class of an account; its written form is the event field's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccountClass {
    Staff,
    Doctor,
    VisitingDoctor,
    DutyShared,
    Kiosk,
    Admin,
    Vendor,
    Service,
    Emergency,
    System,
    Unknown,
}

impl AccountClass {
    pub const ALL: [Self; 11] = [
        Self::Staff,
        Self::Doctor,
        Self::VisitingDoctor,
        Self::DutyShared,
        Self::Kiosk,
        Self::Admin,
        Self::Vendor,
        Self::Service,
        Self::Emergency,
        Self::System,
        Self::Unknown,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Doctor => "doctor",
            Self::VisitingDoctor => "visiting_doctor",
            Self::DutyShared => "duty_shared",
            Self::Kiosk => "kiosk",
            Self::Admin => "admin",
            Self::Vendor => "vendor",
            Self::Service => "service",
            Self::Emergency => "emergency",
            Self::System => "system",
            Self::Unknown => "unknown",
        }
    }

    pub fn japanese(self) -> &'static str {
        match self {
            Self::Staff => "職員",
            Self::Doctor => "医師",
            Self::VisitingDoctor => "派遣・非常勤医師",
            Self::DutyShared => "当直共有",
            Self::Kiosk => "共用端末",
            Self::Admin => "管理者",
            Self::Vendor => "事業者",
            Self::Service => "サービス",
            Self::Emergency => "緊急用",
            Self::System => "システム",
            Self::Unknown => "不明",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text || class.japanese() == text)
    }
}

/// The state of an account on a day; its written form is the event field's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccountState {
    Active,
    OnLeave,
    Disabled,
    Retired,
    Unlisted,
}

impl AccountState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::OnLeave => "on_leave",
            Self::Disabled => "disabled",
            Self::Retired => "retired",
            Self::Unlisted => "unlisted",
        }
    }
}

/// One row: a person, or a thing that has accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    pub department: String,
    pub class: AccountClass,
    /// Account keys of AD and VPN.
    pub accounts: Vec<String>,
    pub hired: Option<NaiveDate>,
    /// The last day of work; the account is retired from the next one.
    pub retired: Option<NaiveDate>,
    /// First and last day of a leave; the last may be open.
    pub leave: Option<(NaiveDate, Option<NaiveDate>)>,
    pub disabled: bool,
    /// Works in shifts, by 職種; also where no 職種 is given, because a false alarm every night teaches to look away.
    pub works_shifts: bool,
    /// From an AD export. The directory replicates it up to 14 days late.
    pub last_logon: Option<NaiveDate>,
}

impl Person {
    pub fn state_on(&self, day: NaiveDate) -> AccountState {
        if self.retired.is_some_and(|last| last < day) {
            return AccountState::Retired;
        }
        if self.disabled {
            return AccountState::Disabled;
        }
        let on_leave = self.leave.is_some_and(|(from, until)| from <= day && until.is_none_or(|until| day <= until));
        if on_leave { AccountState::OnLeave } else { AccountState::Active }
    }
}

pub(super) fn read(bytes: &[u8], complaints: &mut Vec<Complaint>) -> Vec<Person> {
    table::read(&SHEET, bytes, complaints).iter().map(|row| person(row, complaints)).collect()
}

fn person(row: &Row, complaints: &mut Vec<Complaint>) -> Person {
    let mut date =
        |column: usize, name: &str| allow::optional_date(SHEET.file, row.line, name, row.get(column), complaints);
    let (hired, retired) = (date(HIRED, "採用日"), date(RETIRED, "退職日"));
    let leave = date(LEAVE_FROM, "休職開始").map(|from| (from, None::<NaiveDate>));
    let leave_until = date(LEAVE_UNTIL, "休職終了");
    let last_logon = date(LAST_LOGON, "最終ログオン");
    if let (Some(hired), Some(retired)) = (hired, retired)
        && retired < hired
    {
        complaints.push(Complaint::new(SHEET.file, row.line, "退職日", "退職日が採用日より前です。"));
    }
    Person {
        name: row.get(NAME).to_owned(),
        department: row.get(DEPARTMENT).to_owned(),
        class: class(row, complaints),
        accounts: accounts(row, complaints),
        hired,
        retired,
        leave: leave.map(|(from, _)| (from, leave_until)),
        disabled: is_disabled(row, complaints),
        works_shifts: works_shifts(row.get(JOB)),
        last_logon,
    }
}

fn accounts(row: &Row, complaints: &mut Vec<Complaint>) -> Vec<String> {
    let mut keys = Vec::new();
    for part in [AD, VPN].into_iter().flat_map(|column| table::list(row.get(column))) {
        if let Some(account) = account::parse(part)
            && !keys.contains(&account.key)
        {
            keys.push(account.key);
        }
    }
    if keys.is_empty() {
        let message = "ADアカウントも VPNアカウントもないため、この人のログインを見分けられません。";
        complaints.push(Complaint::new(SHEET.file, row.line, "ADアカウント", message));
    }
    keys
}

fn is_disabled(row: &Row, complaints: &mut Vec<Complaint>) -> bool {
    match fold(row.get(ENABLED)).as_str() {
        "" | "true" | "有効" | "在籍" | "active" | "1" | "○" | "休職" => false,
        "false" | "無効" | "停止" | "disabled" | "0" | "×" => true,
        other => {
            let message = format!("「{other}」は有効・無効のどちらか分かりません。有効として扱います。");
            complaints.push(Complaint::new(SHEET.file, row.line, "有効", &message));
            false
        }
    }
}

fn works_shifts(job: &str) -> bool {
    const MEDICAL: [&str; 12] =
        ["看護", "助産", "医師", "技師", "薬剤", "介護", "検査", "放射線", "臨床", "保健師", "療法士", "救急"];
    job.is_empty() || MEDICAL.iter().any(|word| job.contains(word))
}

/// What the sheet says outright, else what 管理者区分, 職種 and 雇用区分 mean together.
fn class(row: &Row, complaints: &mut Vec<Complaint>) -> AccountClass {
    let stated = row.get(CLASS);
    if let Some(class) = AccountClass::parse(stated).or_else(|| class_by_word(stated)) {
        return class;
    }
    if !stated.is_empty() {
        let message = format!("「{stated}」という区分はありません。職種と雇用区分から決めます。");
        complaints.push(Complaint::new(SHEET.file, row.line, "アカウント区分", &message));
    }
    if !matches!(fold(row.get(ADMIN)).as_str(), "" | "無" | "なし" | "一般" | "×" | "false" | "0" | "no") {
        return AccountClass::Admin;
    }
    let by_job = class_by_word(row.get(JOB)).or_else(|| class_by_word(row.get(EMPLOYMENT)));
    match by_job {
        Some(AccountClass::Doctor) if !is_full_time(row.get(EMPLOYMENT)) => AccountClass::VisitingDoctor,
        Some(class) => class,
        None => AccountClass::Staff,
    }
}

fn is_full_time(employment: &str) -> bool {
    employment.is_empty()
        || (employment.contains("常勤") && !employment.contains("非常勤"))
        || employment.contains("正")
}

/// The order decides: 当直用共有端末 is a shared duty account, and 派遣医師 is a visiting doctor before it is a doctor.
fn class_by_word(text: &str) -> Option<AccountClass> {
    let words = [
        ("当直", AccountClass::DutyShared),
        ("共用", AccountClass::Kiosk),
        ("端末", AccountClass::Kiosk),
        ("サービス", AccountClass::Service),
        ("緊急", AccountClass::Emergency),
        ("事業者", AccountClass::Vendor),
        ("業者", AccountClass::Vendor),
        ("ベンダー", AccountClass::Vendor),
        ("保守", AccountClass::Vendor),
        ("派遣医", AccountClass::VisitingDoctor),
        ("非常勤医", AccountClass::VisitingDoctor),
        ("医師", AccountClass::Doctor),
        ("管理者", AccountClass::Admin),
    ];
    words.into_iter().find(|(word, _)| text.contains(word)).map(|(_, class)| class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(text: &str) -> (Vec<Person>, Vec<Complaint>) {
        let mut complaints = Vec::new();
        (read(text.as_bytes(), &mut complaints), complaints)
    }

    #[test]
    fn classes_from_what_offices_write() {
        let (people, complaints) = people(
            "氏名,職種,雇用区分,ADアカウント,管理者区分,アカウント区分\n\
             山田,医師,常勤,yamada,,\n佐藤,医師,派遣,sato,,\n鈴木,事務,常勤,suzuki,有,\n当直,,,touchoku,,当直共有\n\
             田中,看護師,常勤,tanaka,,\nメドシス,,,medsys,,vendor\n",
        );
        let classes: Vec<&str> = people.iter().map(|person| person.class.as_str()).collect();
        assert_eq!(classes, ["doctor", "visiting_doctor", "admin", "duty_shared", "staff", "vendor"]);
        assert_eq!(complaints, []);
    }

    #[test]
    fn states_follow_the_day() {
        let (people, _) = people(
            "氏名,ADアカウント,VPNアカウント,退職日,休職開始,休職終了,Enabled\n\
             佐藤,CORP\\Sato_K,sato-vpn,R8.3.31,,,TRUE\n鈴木,suzuki,,,2026/4/1,,\n田中,tanaka,,,,,False\n",
        );
        let day = |text: &str| text.parse::<NaiveDate>().expect("a date");
        let states = |at: &str| people.iter().map(|person| person.state_on(day(at)).as_str()).collect::<Vec<_>>();
        assert_eq!(states("2026-03-31"), ["active", "active", "disabled"]);
        assert_eq!(states("2026-04-01"), ["retired", "on_leave", "disabled"]);
        assert_eq!(people[0].accounts, ["sato_k", "sato-vpn"]);
    }

    #[test]
    fn doubtful_cells_are_told_and_the_row_kept() {
        let (people, complaints) = people("氏名,ADアカウント,退職日,有効\n佐藤,sato,来月,たぶん\n鈴木,,,\n");
        assert_eq!(people.len(), 2);
        let told: Vec<(u64, &str)> = complaints.iter().map(|c| (c.line, c.column.as_str())).collect();
        assert_eq!(told, [(2, "退職日"), (2, "有効"), (3, "ADアカウント")]);
    }
}
