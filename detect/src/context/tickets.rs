//! Maintenance work that was applied for: `tickets.csv` (保守作業申請). Owns whether a company's connection, or work on a
//! server, falls into an approved time.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use monban_event::time::jst_date;

use super::net::short_name;
use super::table::{self, Row, Sheet};
use super::{Complaint, date};

const SHEET: Sheet = Sheet {
    file: "tickets.csv",
    columns: &[
        &["事業者", "事業者名", "会社名", "申請者", "部署"],
        &["予定開始", "作業開始", "開始", "開始日時"],
        &["予定終了", "作業終了", "終了", "終了日時"],
        &["対象サーバ", "対象サーバー", "対象機器", "対象"],
        &["承認日"],
        &["区分(事前/事後/緊急)", "区分"],
    ],
    unused: &[
        "申請番号",
        "申請日",
        "作業者氏名",
        "作業内容",
        "個人情報へのアクセス(有/無)",
        "個人情報へのアクセス",
        "承認者",
        "実績開始",
        "実績終了",
        "作業報告受領日",
        "備考",
    ],
};
const WHO: usize = 0;
const FROM: usize = 1;
const UNTIL: usize = 2;
const SERVERS: usize = 3;
const APPROVED: usize = 4;
const KIND: usize = 5;

/// Who comes a little early is in time …
const EARLY: TimeDelta = TimeDelta::minutes(15);
/// … and who goes a little late too.
const LATE: TimeDelta = TimeDelta::minutes(30);
/// So long after its end a ticket is still the one that was overrun; later, a connection has none.
const OVERRUN: TimeDelta = TimeDelta::hours(12);

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Name of the company, or of the department.
    pub who: String,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Names of machines, lower case, without domain. Empty: not said, and none is outside.
    pub servers: Vec<String>,
    /// `None`: not approved.
    pub approved: Option<NaiveDate>,
    /// 事後
    pub afterwards: bool,
}

/// How a connection stands to the tickets of its company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketState {
    /// 一致
    Matched,
    /// 事後承認
    Afterwards,
    /// 時間超過
    Overrun,
    /// 常設許可
    Standing,
    /// 申請なし, or not approved.
    None,
}

impl TicketState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Afterwards => "afterwards",
            Self::Overrun => "overrun",
            Self::Standing => "standing",
            Self::None => "none",
        }
    }

    pub fn japanese(self) -> &'static str {
        match self {
            Self::Matched => "申請と一致",
            Self::Afterwards => "事後承認",
            Self::Overrun => "申請の時間を超過",
            Self::Standing => "常設の許可",
            Self::None => "申請なし",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Matched, Self::Afterwards, Self::Overrun, Self::Standing, Self::None]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

impl Ticket {
    fn covers(&self, time: DateTime<Utc>) -> bool {
        self.approved.is_some() && self.from - EARLY <= time && time <= self.until + LATE
    }

    fn is_for(&self, machine: &str) -> bool {
        self.servers.iter().any(|server| server == machine)
    }
}

/// The state of a company's connection at `time`: the best that one of its tickets gives it.
pub(super) fn state_of<'a>(tickets: impl Iterator<Item = &'a Ticket> + Clone, time: DateTime<Utc>) -> TicketState {
    let covering = tickets.clone().filter(|ticket| ticket.covers(time));
    let is_afterwards = |ticket: &Ticket| ticket.afterwards || ticket.approved.is_some_and(|day| day > jst_date(time));
    let mut afterwards = covering.map(is_afterwards).peekable();
    if afterwards.peek().is_some() {
        return if afterwards.all(|afterwards| afterwards) { TicketState::Afterwards } else { TicketState::Matched };
    }
    let is_overrun =
        |ticket: &Ticket| ticket.approved.is_some() && ticket.until + LATE < time && time <= ticket.until + OVERRUN;
    if tickets.into_iter().any(is_overrun) { TicketState::Overrun } else { TicketState::None }
}

/// Whether an approved ticket is about that machine now.
pub(super) fn is_maintained(tickets: &[Ticket], machine: &str, time: DateTime<Utc>) -> bool {
    let machine = short_name(machine);
    tickets.iter().any(|ticket| ticket.covers(time) && ticket.is_for(&machine))
}

pub(super) fn read(bytes: &[u8], complaints: &mut Vec<Complaint>) -> Vec<Ticket> {
    let rows = table::read(&SHEET, bytes, complaints);
    rows.iter().filter_map(|row| ticket(row, complaints)).collect()
}

/// A row whose times cannot be read is refused whole: half a permit permits too much.
fn ticket(row: &Row, complaints: &mut Vec<Complaint>) -> Option<Ticket> {
    let mut complain =
        |column: &str, message: &str| complaints.push(Complaint::new(SHEET.file, row.line, column, message));
    if row.get(WHO).is_empty() {
        complain("事業者", "事業者が空のため、この行は使いません。");
        return None;
    }
    let mut moment = |column: usize, name: &str| {
        let found = date::parse_moment(row.get(column));
        if found.is_none() {
            let text = row.get(column);
            complain(name, &format!("「{text}」は日時として読めないため、この行は使いません。例: 2026-10-06 13:00"));
        }
        found
    };
    let (from, until) = (moment(FROM, "予定開始"), moment(UNTIL, "予定終了"));
    let (from, until) = (from?, until?);
    if until < from {
        complain("予定終了", "予定終了が予定開始より前のため、この行は使いません。");
        return None;
    }
    let approved = date::parse_date(row.get(APPROVED));
    if approved.is_none() && !row.get(APPROVED).is_empty() {
        complain("承認日", "承認日が日付として読めないため、未承認として扱います。");
    }
    Some(Ticket {
        who: row.get(WHO).to_owned(),
        from,
        until,
        servers: table::list(row.get(SERVERS)).into_iter().map(short_name).collect(),
        approved,
        afterwards: row.get(KIND).contains("事後"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "申請番号,事業者,予定開始,予定終了,対象サーバ,承認日,区分\n\
        1,メドシス,2026-10-06 13:00,2026/10/6 15:00,EMR01、IJI01,2026-10-05,事前\n\
        2,メドシス,R8.10.11 2:00,R8.10.11 3:00,EMR01,2026-10-13,事後\n\
        3,メドシス,2026-10-20 10:00,2026-10-20 12:00,EMR01,,事前\n";

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-10-{text}+09:00").parse().expect("a time")
    }

    #[test]
    fn a_connection_matches_its_ticket_within_a_tolerance() {
        let mut complaints = Vec::new();
        let tickets = read(FILE.as_bytes(), &mut complaints);
        assert_eq!((tickets.len(), complaints), (3, vec![]));
        let state = |time: &str| state_of(tickets.iter(), at(time));
        assert_eq!(state("06T12:44:59"), TicketState::None);
        assert_eq!(state("06T12:45:00"), TicketState::Matched);
        assert_eq!(state("06T15:30:00"), TicketState::Matched);
        assert_eq!(state("06T15:30:01"), TicketState::Overrun);
        assert_eq!(state("07T03:00:01"), TicketState::None);
        assert_eq!(state("11T02:14:00"), TicketState::Afterwards);
        assert_eq!(state("20T11:00:00"), TicketState::None, "nobody approved it");
    }

    #[test]
    fn a_machine_is_maintained_by_its_short_name() {
        let tickets = read(FILE.as_bytes(), &mut Vec::new());
        assert!(is_maintained(&tickets, "EMR01.minato.example", at("06T14:00:00")));
        assert!(is_maintained(&tickets, "iji01", at("06T14:00:00")));
        assert!(!is_maintained(&tickets, "DC01", at("06T14:00:00")));
        assert!(!is_maintained(&tickets, "EMR01", at("06T16:00:00")));
    }

    #[test]
    fn a_row_without_times_is_told_and_not_used() {
        let mut complaints = Vec::new();
        let text = "事業者,予定開始,予定終了\nA社,来週,2026-10-06 15:00\nB社,2026-10-06 15:00,2026-10-06 14:00\n,2026-10-06 15:00,2026-10-06 16:00\n";
        assert_eq!(read(text.as_bytes(), &mut complaints), []);
        assert_eq!(complaints.iter().map(|told| told.line).collect::<Vec<_>>(), [2, 3, 4]);
    }
}
