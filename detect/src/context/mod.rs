//! What the hospital told us of itself: roster, allow-list, companies, calendar, work tickets, duty table. Owns reading the files and
//! answering questions about accounts, addresses and days from them. Pure: given the same bytes it answers the same,
//! whatever the time is. Nothing in a file is rejected silently; see [`Complaint`].

mod allow;
mod calendar;
mod changes;
mod date;
mod duty;
pub mod holiday;
mod machines;
mod net;
mod roster;
mod table;
mod text;
mod tickets;
mod vendors;

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, Utc};
use monban_event::account;
use monban_event::event::SourceZone;
use monban_event::time::jst_date;

pub use allow::AllowEntry;
pub(crate) use calendar::duration;
pub use calendar::{Calendar, PlannedStop, SourceNote};
pub use changes::Days;
pub use machines::{Machine, MachineRole};
pub(crate) use net::plain;
pub use roster::{AccountClass, AccountState, Person};
pub use tickets::{Ticket, TicketState};
pub use vendors::Vendor;

use crate::season::Seasons;

/// The bytes of the files as they were given; `None` where the hospital gave none.
#[derive(Clone, Debug, Default)]
pub struct ContextTexts {
    pub roster: Option<Vec<u8>>,
    pub allow: Option<Vec<u8>>,
    pub vendors: Option<Vec<u8>>,
    pub calendar: Option<Vec<u8>>,
    pub tickets: Option<Vec<u8>>,
    pub duty: Option<Vec<u8>>,
}

/// Something in a file that could not be taken as written, for the person who keeps the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub file: String,
    /// From 1; 0 where the file's form gives no line.
    pub line: u64,
    /// The column or key; empty for the line as a whole.
    pub column: String,
    /// Japanese, and what to do about it.
    pub message: String,
}

/// The text of a context file, whatever encoding the office's software gave it. What cannot be read becomes U+FFFD.
pub fn decode(bytes: &[u8]) -> String {
    text::decode(bytes).text
}

impl Complaint {
    fn new(file: &str, line: u64, column: &str, message: &str) -> Self {
        Self { file: file.to_owned(), line, column: column.to_owned(), message: message.to_owned() }
    }
}

/// Who an account is on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountFacts<'a> {
    pub class: AccountClass,
    /// `None` where there is no roster to be listed in.
    pub state: Option<AccountState>,
    pub vendor: Option<&'a str>,
    /// Works around the clock, so that inside no hour is unusual.
    pub works_shifts: bool,
}

/// A directory tells its servers of a log-on up to so many days late.
const DIRECTORY_LAG_DAYS: i64 = 14;

#[derive(Clone, Debug, Default)]
pub struct Context {
    people: Vec<Person>,
    /// Rows of `people` by account key, in the order of the file.
    people_by_account: BTreeMap<String, Vec<usize>>,
    roster_known: bool,
    vendors: Vec<Vendor>,
    vendor_by_account: BTreeMap<String, usize>,
    allowed: Vec<AllowEntry>,
    allow_known: bool,
    calendar: Calendar,
    /// `None` where none are kept.
    tickets: Option<Vec<Ticket>>,
    duty_known: bool,
    seasons: Seasons,
}

impl Context {
    /// Reads what there is. Every complaint of every file, in the order roster, allow, vendors, calendar, tickets, duty.
    pub fn read(texts: &ContextTexts) -> (Self, Vec<Complaint>) {
        let mut complaints = Vec::new();
        let (roster, allow) = (given(texts.roster.as_ref()), given(texts.allow.as_ref()));
        let (vendors, calendar) = (given(texts.vendors.as_ref()), given(texts.calendar.as_ref()));
        let mut context = Self { roster_known: roster.is_some(), ..Self::default() };
        if let Some(bytes) = roster {
            context.people = roster::read(bytes, &mut complaints);
        }
        if let Some(bytes) = allow {
            context.allowed = allow::read(bytes, &mut complaints);
        }
        if let Some(bytes) = vendors {
            let (vendors, allowed) = vendors::read(bytes, &mut complaints);
            context.vendors = vendors;
            context.allowed.extend(allowed);
        }
        if let Some(bytes) = calendar {
            context.calendar = Calendar::read(bytes, &mut complaints);
        }
        if let Some(bytes) = given(texts.tickets.as_ref()) {
            context.tickets = Some(tickets::read(bytes, &mut complaints));
        }
        if let Some(bytes) = given(texts.duty.as_ref()) {
            context.calendar.add_duties(duty::read(bytes, &mut complaints));
            context.duty_known = true;
        }
        context.allow_known = allow.is_some() || !context.allowed.is_empty();
        context.link_accounts();
        (context, complaints)
    }

    fn link_accounts(&mut self) {
        for (index, person) in self.people.iter().enumerate() {
            for account in &person.accounts {
                self.people_by_account.entry(account.clone()).or_default().push(index);
            }
        }
        for (index, vendor) in self.vendors.iter().enumerate() {
            for account in &vendor.accounts {
                self.vendor_by_account.entry(account.clone()).or_insert(index);
            }
        }
    }

    /// With what people decided about times beside the files.
    #[must_use]
    pub fn in_seasons(self, seasons: Seasons) -> Self {
        Self { seasons, ..self }
    }

    pub(crate) fn seasons(&self) -> &Seasons {
        &self.seasons
    }

    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    pub fn roster_known(&self) -> bool {
        self.roster_known
    }

    pub fn people(&self) -> &[Person] {
        &self.people
    }

    pub fn vendors(&self) -> &[Vendor] {
        &self.vendors
    }

    pub fn allow_list_known(&self) -> bool {
        self.allow_known
    }

    /// Every account the hospital listed, roster and companies, in order of its key.
    pub fn listed_accounts(&self) -> Vec<&str> {
        let mut keys: Vec<&str> =
            self.people_by_account.keys().chain(self.vendor_by_account.keys()).map(String::as_str).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The row that speaks for an account on a day: of several (a person who came back) one that is not retired.
    pub fn person(&self, account: &str, day: NaiveDate) -> Option<&Person> {
        let rows = self.people_by_account.get(account)?;
        let people = || rows.iter().filter_map(|&row| self.people.get(row));
        people().find(|person| person.state_on(day) != AccountState::Retired).or_else(|| people().next_back())
    }

    /// Who `account` (a key) is at `time`.
    pub fn account(&self, account: &str, time: DateTime<Utc>) -> AccountFacts<'_> {
        let day = jst_date(time);
        let vendor = self.vendor_by_account.get(account).and_then(|&row| self.vendors.get(row));
        let vendor_name = vendor.map(|vendor| vendor.name.as_str()).filter(|name| !name.is_empty());
        if let Some(person) = self.person(account, day) {
            let class = if vendor.is_some() { AccountClass::Vendor } else { person.class };
            return AccountFacts {
                class,
                state: Some(person.state_on(day)),
                vendor: vendor_name,
                works_shifts: person.works_shifts,
            };
        }
        if let Some(vendor) = vendor {
            let ended = vendor.until.is_some_and(|until| until < day);
            let state = if ended { AccountState::Retired } else { AccountState::Active };
            return AccountFacts {
                class: AccountClass::Vendor,
                state: Some(state),
                vendor: vendor_name,
                works_shifts: false,
            };
        }
        let class = if is_system(account) { AccountClass::System } else { AccountClass::Unknown };
        let state = (self.roster_known && class == AccountClass::Unknown).then_some(AccountState::Unlisted);
        AccountFacts { class, state, vendor: None, works_shifts: false }
    }

    /// Whether the account may log in at `time`, by the hours of its class and the duty list.
    pub fn permits(&self, account: &str, facts: &AccountFacts<'_>, vpn: bool, time: DateTime<Utc>) -> bool {
        let shift_worker = facts.class == AccountClass::Staff && facts.works_shifts;
        let class = if shift_worker { AccountClass::Doctor } else { facts.class };
        self.calendar.permits(class, account, vpn, time)
    }

    /// How a company's connection stands to its tickets; `None` where no tickets are kept.
    pub fn ticket(&self, vendor: &str, time: DateTime<Utc>) -> Option<TicketState> {
        let own = self.tickets.as_ref()?.iter().filter(|ticket| account::fold(&ticket.who) == account::fold(vendor));
        let state = tickets::state_of(own, time);
        let is_standing = || self.vendors.iter().any(|known| known.name == vendor && known.stands_on(jst_date(time)));
        let lacks = matches!(state, TicketState::None | TicketState::Overrun);
        Some(if lacks && is_standing() { TicketState::Standing } else { state })
    }

    /// Days since the account's owner came back from a leave; `None` for who had none, or is still away.
    pub fn days_since_leave(&self, account: &str, time: DateTime<Utc>) -> Option<i64> {
        let day = jst_date(time);
        let (_, until) = self.person(account, day)?.leave?;
        until.filter(|until| *until < day).map(|until| (day - until).num_days())
    }

    /// Days since the last log-on that the directory knew of when the roster was made; it may know of it this late.
    pub fn days_since_directory_logon(&self, account: &str, time: DateTime<Utc>) -> Option<i64> {
        let day = jst_date(time);
        let last = self.person(account, day)?.last_logon?;
        Some((day - last).num_days() - DIRECTORY_LAG_DAYS).filter(|days| *days > 0)
    }

    /// What the machine is for, where the hospital said so.
    pub fn machine_role(&self, name: &str) -> Option<MachineRole> {
        machines::named(self.calendar.machines(), name).map(|machine| machine.role)
    }

    /// What the machine at that address is for, where the hospital said so.
    pub fn role_at(&self, ip: IpAddr) -> Option<MachineRole> {
        machines::at(self.calendar.machines(), plain(ip)).map(|machine| machine.role)
    }

    /// Whether a log-in from that address to that machine goes from a department's machine to what the hospital lives on
    /// without having been declared; `None` where one of them was not listed.
    pub fn is_undeclared_way(&self, from: IpAddr, to: &str) -> Option<bool> {
        let machines = self.calendar.machines();
        Some(machines::is_undeclared(machines::at(machines, plain(from))?, machines::named(machines, to)?))
    }

    /// Whether an approved ticket is about that machine now; `None` where no tickets are kept.
    pub fn is_maintained(&self, machine: &str, time: DateTime<Utc>) -> Option<bool> {
        self.tickets.as_ref().map(|tickets| tickets::is_maintained(tickets, machine, time))
    }

    /// Whether the duty table has the account that night; `None` where no table is kept.
    pub fn is_on_duty(&self, account: &str, time: DateTime<Utc>) -> Option<bool> {
        self.duty_known.then(|| self.calendar.is_on_duty(account, time))
    }

    /// Whether an entry in force at `time` covers the address.
    pub fn is_allowed(&self, ip: IpAddr, time: DateTime<Utc>) -> bool {
        let (ip, day) = (plain(ip), jst_date(time));
        self.allowed.iter().any(|entry| entry.covers(ip) && entry.active_on(day))
    }

    /// Days since the latest entry that covered the address ran out; `None` where none ever did, or one is in force.
    pub fn days_since_allowed(&self, ip: IpAddr, time: DateTime<Utc>) -> Option<i64> {
        let (ip, day) = (plain(ip), jst_date(time));
        let covering: Vec<&AllowEntry> = self.allowed.iter().filter(|entry| entry.covers(ip)).collect();
        if covering.iter().any(|entry| entry.active_on(day)) {
            return None;
        }
        covering
            .iter()
            .filter_map(|entry| entry.until)
            .filter(|until| *until < day)
            .max()
            .map(|until| (day - until).num_days())
    }

    /// Where an address lies. Without ranges of its own, a hospital's inside is what only an inside can have.
    pub fn zone(&self, ip: IpAddr, time: DateTime<Utc>) -> SourceZone {
        let ip = plain(ip);
        if self.calendar.is_vpn_pool(ip) {
            SourceZone::VpnPool
        } else if self.calendar.is_inside(ip) {
            SourceZone::Inside
        } else if self.is_allowed(ip, time) {
            SourceZone::Allowed
        } else {
            SourceZone::Outside
        }
    }
}

/// An empty file is a file that was withdrawn, not a hospital without staff.
fn given(bytes: Option<&Vec<u8>>) -> Option<&[u8]> {
    bytes.map(Vec::as_slice).filter(|bytes| !bytes.iter().all(u8::is_ascii_whitespace))
}

/// Accounts of the operating system itself: machines, and the names Windows uses for its own parts in every language.
pub fn is_system(account: &str) -> bool {
    let key = account::fold(account);
    let numbered = |prefix: &str| {
        key.strip_prefix(prefix).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()) && !rest.is_empty())
    };
    key.ends_with('$')
        || matches!(key.as_str(), "system" | "local service" | "network service" | "anonymous logon" | "iusr")
        || numbered("dwm-")
        || numbered("umfd-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn context(texts: [Option<&str>; 4]) -> (Context, Vec<Complaint>) {
        let [roster, allow, vendors, calendar] = texts.map(|text| text.map(|text| text.as_bytes().to_vec()));
        Context::read(&ContextTexts { roster, allow, vendors, calendar, ..ContextTexts::default() })
    }

    #[test]
    fn a_retired_person_who_came_back_is_active() {
        let roster = "氏名,ADアカウント,採用日,退職日\n佐藤,sato_k,2020/4/1,2026/3/31\n佐藤,sato_k,2026/10/1,\n山田,yamada,,2026/3/31\n";
        let (context, complaints) = context([Some(roster), None, None, None]);
        assert_eq!(complaints, []);
        let state =
            |account: &str| context.account(account, at("2026-10-06T02:00:00+09:00")).state.map(AccountState::as_str);
        assert_eq!(state("sato_k"), Some("active"));
        assert_eq!(state("yamada"), Some("retired"));
        assert_eq!(state("nobody"), Some("unlisted"));
        assert_eq!(state("dc01$"), None);
    }

    #[test]
    fn without_a_roster_nobody_is_unlisted() {
        let (context, _) = context([None; 4]);
        let facts = context.account("yamada", at("2026-10-06T02:00:00+09:00"));
        assert_eq!((facts.class, facts.state), (AccountClass::Unknown, None));
        assert!(!context.allow_list_known());
    }

    #[test]
    fn an_empty_file_is_no_file() {
        let (context, complaints) = context([Some(" \r\n"), Some(""), Some(""), Some("")]);
        assert_eq!(complaints, []);
        assert!(!context.roster_known() && !context.allow_list_known());
    }

    #[test]
    fn vendors_bring_class_contract_and_addresses() {
        let vendors = "事業者名,VPNアカウント,許可する接続元(CIDR),許可期間\nメドシス,medsys-mnt1、medsys-mnt2,203.0.113.0/29,R8.4.1〜R9.3.31\n";
        let (context, complaints) = context([None, None, Some(vendors), None]);
        assert_eq!(complaints, []);
        let facts = context.account("medsys-mnt2", at("2026-10-06T12:00:00+09:00"));
        assert_eq!((facts.class, facts.vendor), (AccountClass::Vendor, Some("メドシス")));
        let late = at("2027-04-03T12:00:00+09:00");
        assert_eq!(context.account("medsys-mnt2", late).state, Some(AccountState::Retired));
        let ip = IpAddr::from([203, 0, 113, 5]);
        assert!(context.is_allowed(ip, at("2027-03-31T23:59:59+09:00")));
        assert!(!context.is_allowed(ip, at("2027-04-01T00:00:00+09:00")));
        assert_eq!(context.days_since_allowed(ip, late), Some(3));
    }

    #[test]
    fn the_calendar_decides_days_and_hours() {
        let calendar = "inside = ['10.20.0.0/16']\nvpn_pool = ['10.20.200.0/24']\nholidays = ['R8.6.1']\nworking_days = [2026-10-12]\n\
             closed = [{ from = '2026-08-13', to = '2026-08-15', name = 'お盆' }]\n[hours.staff]\nvpn_weekday = '8:30-17:30'\n\
             [[duty]]\ndate = 2026-10-05\naccount = 'yamada'\n[[planned_stop]]\nsources = ['host:xray']\nfrom = '2026-10-14 22:10'\nto = '2026-10-15 08:35'\n";
        let (context, complaints) = context([None, None, None, Some(calendar)]);
        assert_eq!(complaints, []);
        let calendar = context.calendar();
        let day = |text: &str| text.parse::<NaiveDate>().expect("a date");
        for holiday in ["2026-06-01", "2026-08-14", "2026-12-31", "2026-09-22", "2026-10-04"] {
            assert!(calendar.is_holiday(day(holiday)), "{holiday}");
        }
        assert!(!calendar.is_holiday(day("2026-10-12")));
        assert!(calendar.is_long_break(day("2026-09-21")) && !calendar.is_long_break(day("2026-10-04")));
        let permits = |account: &str, time: &str| calendar.permits(AccountClass::Staff, account, true, at(time));
        assert!(permits("sato", "2026-10-06T17:29:59+09:00") && !permits("sato", "2026-10-06T17:30:00+09:00"));
        assert!(permits("yamada", "2026-10-06T02:14:00+09:00"), "on duty that night");
        assert!(!permits("yamada", "2026-10-07T02:14:00+09:00"));
        assert!(
            calendar
                .planned_stop("host:xray", at("2026-10-14T22:00:00+09:00"), at("2026-10-15T08:00:00+09:00"))
                .is_some()
        );
        assert!(
            calendar
                .planned_stop("host:dc01", at("2026-10-14T22:00:00+09:00"), at("2026-10-15T08:00:00+09:00"))
                .is_none()
        );
        let zone = |ip: &str| context.zone(ip.parse().expect("an address"), at("2026-10-06T12:00:00+09:00")).as_str();
        assert_eq!(
            [zone("10.20.3.4"), zone("10.20.200.9"), zone("10.30.0.1"), zone("203.0.113.1")],
            ["inside", "vpn_pool", "outside", "outside"]
        );
    }

    #[test]
    fn a_calendar_with_mistakes_says_where() {
        let (context, complaints) =
            context([None, None, None, Some("inside = ['x']\nholidays = ['来週']\n[hours.ghost]\nweekday='1-2'\n")]);
        let keys: Vec<&str> = complaints.iter().map(|complaint| complaint.column.as_str()).collect();
        assert_eq!(keys, ["inside", "holidays", "hours.ghost"]);
        assert!(context.calendar().is_holiday("2026-01-02".parse().expect("a date")));
        let (_, complaints) = self::context([None, None, None, Some("inside = []\nhollidays = []\n")]);
        assert_eq!(complaints.iter().map(|c| c.line).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn allow_entries_that_cannot_be_read_are_told() {
        let allow = "接続元,名称,許可開始,許可終了\n198.51.100.0/24,本院,,\nどこか,x,,\n203.0.113.9,A社,R8.4.1,来年\n";
        let (context, complaints) = context([None, Some(allow), None, None]);
        let told: Vec<(u64, &str)> = complaints.iter().map(|c| (c.line, c.column.as_str())).collect();
        assert_eq!(told, [(3, "接続元"), (3, "接続元"), (4, "許可終了")]);
        assert!(context.is_allowed(IpAddr::from([198, 51, 100, 1]), at("2026-10-06T12:00:00+09:00")));
    }
}
