//! The hospital's calendar and hours: `calendar.toml`. Owns which days are working days, which hours are permitted to
//! which class, what is inside, who is on duty, and which silences are planned. The keys are listed in
//! `rules/README.md`; a key that is not known is told, never ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc, Weekday};
use ipnet::IpNet;
use monban_event::account;
use monban_event::time::{finding_day, jst_date};
use serde::Deserialize;

use super::machines::{Machine, MachineAsWritten};
use super::roster::AccountClass;
use super::{Complaint, date, holiday, net, text};

const FILE: &str = "calendar.toml";
/// Days a range in the file may span: a closed ward may be closed for years, a typing slip for millennia.
const RANGE_DAYS_MAX: i64 = 3_660;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct AsWritten {
    inside: Vec<String>,
    vpn_pool: Vec<String>,
    new_year: Option<String>,
    holidays: Vec<toml::Value>,
    working_days: Vec<toml::Value>,
    closed_weekdays: Vec<String>,
    closed: Vec<Period>,
    hours: BTreeMap<String, HoursAsWritten>,
    duty: Vec<Duty>,
    planned_stop: Vec<StopAsWritten>,
    source: Vec<SourceAsWritten>,
    machine: Vec<MachineAsWritten>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Period {
    from: toml::Value,
    to: toml::Value,
    #[serde(default, rename = "name")]
    _name: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct HoursAsWritten {
    weekday: Option<String>,
    saturday: Option<String>,
    holiday: Option<String>,
    vpn_weekday: Option<String>,
    vpn_saturday: Option<String>,
    vpn_holiday: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Duty {
    date: toml::Value,
    account: String,
    #[serde(default, rename = "name")]
    _name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StopAsWritten {
    sources: Vec<String>,
    from: toml::Value,
    to: toml::Value,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceAsWritten {
    id: String,
    #[serde(default)]
    name: String,
    expected: Option<String>,
}

/// Minutes of a day, `[from, to)`; `to` may be 24:00.
type Minutes = (u32, u32);

/// Permitted hours of one class, per kind of day.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hours {
    inside: [Vec<Minutes>; 3],
    vpn: [Vec<Minutes>; 3],
}

/// A silence that was announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStop {
    /// Source ids or names; `*` is every source.
    pub sources: Vec<String>,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub reason: String,
}

/// What the calendar says of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceNote {
    pub name: String,
    /// Longest silence that is usual.
    pub expected: Option<TimeDelta>,
}

#[derive(Clone, Debug)]
pub struct Calendar {
    inside: Vec<IpNet>,
    vpn_pool: Vec<IpNet>,
    /// First and last day as (month, day); the period crosses the year's end.
    new_year: Option<((u32, u32), (u32, u32))>,
    holidays: BTreeSet<NaiveDate>,
    working_days: BTreeSet<NaiveDate>,
    closed_weekdays: Vec<Weekday>,
    closed: Vec<(NaiveDate, NaiveDate)>,
    hours: BTreeMap<AccountClass, Hours>,
    duty: BTreeSet<(NaiveDate, String)>,
    planned_stops: Vec<PlannedStop>,
    sources: BTreeMap<String, SourceNote>,
    machines: Vec<Machine>,
}

impl Default for Calendar {
    /// What holds where the hospital said nothing: 年末年始 12/29–1/3, Sundays closed, the hours of [`default_hours`].
    fn default() -> Self {
        Self {
            inside: Vec::new(),
            vpn_pool: Vec::new(),
            new_year: Some(((12, 29), (1, 3))),
            holidays: BTreeSet::new(),
            working_days: BTreeSet::new(),
            closed_weekdays: vec![Weekday::Sun],
            closed: Vec::new(),
            hours: AccountClass::ALL.into_iter().map(|class| (class, default_hours(class))).collect(),
            duty: BTreeSet::new(),
            planned_stops: Vec::new(),
            sources: BTreeMap::new(),
            machines: Vec::new(),
        }
    }
}

/// Nurses and doctors work around the clock inside, but not over the VPN; offices and administrators have hours.
/// A company may connect only with a ticket, at any hour; the hours here only say what is called 時間外 in the figures.
fn default_hours(class: AccountClass) -> Hours {
    let all_day = || [vec![(0, 1440)], vec![(0, 1440)], vec![(0, 1440)]];
    let weekdays = |from: u32, to: u32| [vec![(from, to)], Vec::new(), Vec::new()];
    let doctors_vpn = || [vec![(360, 1440)], vec![(360, 1440)], vec![(360, 1440)]];
    match class {
        AccountClass::Doctor | AccountClass::VisitingDoctor | AccountClass::DutyShared => {
            Hours { inside: all_day(), vpn: doctors_vpn() }
        }
        AccountClass::Service | AccountClass::System | AccountClass::Kiosk => {
            Hours { inside: all_day(), vpn: all_day() }
        }
        AccountClass::Admin => Hours { inside: weekdays(450, 1260), vpn: weekdays(450, 1260) },
        AccountClass::Staff | AccountClass::Vendor | AccountClass::Emergency | AccountClass::Unknown => {
            Hours { inside: weekdays(450, 1200), vpn: weekdays(450, 1200) }
        }
    }
}

/// Which of the three columns of [`Hours`] a day takes.
#[derive(Clone, Copy)]
enum DayKind {
    Weekday = 0,
    Saturday = 1,
    Holiday = 2,
}

impl Calendar {
    /// Reads the file. What cannot be read is complained about and keeps its default.
    pub(super) fn read(bytes: &[u8], complaints: &mut Vec<Complaint>) -> Self {
        let decoded = text::decode(bytes);
        match toml::from_str::<AsWritten>(&decoded.text) {
            Ok(written) => Reader { complaints }.calendar(&written),
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                let line = 1 + decoded.text.bytes().take(start).filter(|&byte| byte == b'\n').count() as u64;
                let message = format!("読めないため、既定の暦を使います: {}", error.message());
                complaints.push(Complaint::new(FILE, line, "", &message));
                Self::default()
            }
        }
    }

    /// 日曜・祝日・年末年始・休診日.
    pub fn is_holiday(&self, day: NaiveDate) -> bool {
        if self.working_days.contains(&day) {
            return false;
        }
        self.closed_weekdays.contains(&day.weekday())
            || holiday::name(day).is_some()
            || self.holidays.contains(&day)
            || self.in_new_year(day)
            || self.closed.iter().any(|&(from, to)| from <= day && day <= to)
    }

    /// Three or more days in a row on which the offices are closed, Saturdays included.
    pub fn is_long_break(&self, day: NaiveDate) -> bool {
        let off = |day: NaiveDate| self.is_holiday(day) || day.weekday() == Weekday::Sat;
        let run = |step: i64| (1..3).take_while(|n| off(day + TimeDelta::days(step * n))).count();
        off(day) && 1 + run(-1) + run(1) >= 3
    }

    /// Whether an account of this class may log in now. Who stands on the duty list of that night (noon to noon) may.
    pub fn permits(&self, class: AccountClass, account: &str, vpn: bool, time: DateTime<Utc>) -> bool {
        let minute = date::minute_of_day(time);
        let day = jst_date(time);
        let within = |hours: &Hours| {
            let table = if vpn { &hours.vpn } else { &hours.inside };
            let kind = self.kind_of(day) as usize;
            table.get(kind).is_some_and(|spans| spans.iter().any(|&(from, to)| from <= minute && minute < to))
        };
        self.hours.get(&class).is_some_and(within) || self.is_on_duty(account, time)
    }

    pub(super) fn add_duties(&mut self, duties: Vec<(NaiveDate, String)>) {
        self.duty.extend(duties);
    }

    pub(super) fn duties(&self) -> Vec<(NaiveDate, String)> {
        self.duty.iter().cloned().collect()
    }

    pub(super) fn machines(&self) -> &[Machine] {
        &self.machines
    }

    pub fn is_on_duty(&self, account: &str, time: DateTime<Utc>) -> bool {
        !self.duty.is_empty() && self.duty.contains(&(finding_day(time), account.to_owned()))
    }

    /// Inside the hospital by its own ranges; by private ranges where it gave none. What only the same cable reaches is
    /// inside whatever the ranges say.
    pub(super) fn is_inside(&self, ip: IpAddr) -> bool {
        let is_link_local = match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        if is_link_local {
            true
        } else if self.inside.is_empty() {
            net::is_private(ip)
        } else {
            self.inside.iter().any(|net| net.contains(&ip)) || ip.is_loopback()
        }
    }

    pub(super) fn is_vpn_pool(&self, ip: IpAddr) -> bool {
        self.vpn_pool.iter().any(|net| net.contains(&ip))
    }

    /// What the file says of a source, by its id.
    pub fn source(&self, id: &str) -> Option<&SourceNote> {
        self.sources.get(id)
    }

    pub fn sources(&self) -> impl Iterator<Item = (&str, &SourceNote)> {
        self.sources.iter().map(|(id, note)| (id.as_str(), note))
    }

    /// The announced stop that explains a silence of the source: it covers some of it, up to an hour before its start.
    pub fn planned_stop(&self, source: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<&PlannedStop> {
        let name = self.sources.get(source).map(|note| note.name.as_str()).filter(|name| !name.is_empty());
        let named = |stop: &PlannedStop| {
            stop.sources.iter().any(|known| known == "*" || known.eq_ignore_ascii_case(source) || name == Some(known))
        };
        self.planned_stops.iter().find(|stop| named(stop) && stop.from < to && from < stop.to)
    }

    fn kind_of(&self, day: NaiveDate) -> DayKind {
        if self.is_holiday(day) {
            DayKind::Holiday
        } else if day.weekday() == Weekday::Sat {
            DayKind::Saturday
        } else {
            DayKind::Weekday
        }
    }

    fn in_new_year(&self, day: NaiveDate) -> bool {
        let at = (day.month(), day.day());
        self.new_year.is_some_and(
            |(first, last)| if first <= last { first <= at && at <= last } else { first <= at || at <= last },
        )
    }
}

/// From the file as typed to the calendar as meant; gathers every complaint on the way.
struct Reader<'a> {
    complaints: &'a mut Vec<Complaint>,
}

impl Reader<'_> {
    fn calendar(mut self, written: &AsWritten) -> Calendar {
        let mut calendar = Calendar {
            inside: self.nets("inside", &written.inside),
            vpn_pool: self.nets("vpn_pool", &written.vpn_pool),
            holidays: written.holidays.iter().filter_map(|day| self.day("holidays", day)).collect(),
            working_days: written.working_days.iter().filter_map(|day| self.day("working_days", day)).collect(),
            closed: written.closed.iter().filter_map(|period| self.period(period)).collect(),
            planned_stops: written.planned_stop.iter().filter_map(|stop| self.stop(stop)).collect(),
            sources: written.source.iter().map(|source| self.source(source)).collect(),
            machines: written.machine.iter().map(|machine| self.machine(machine)).collect(),
            duty: written.duty.iter().filter_map(|duty| self.duty(duty)).collect(),
            ..Calendar::default()
        };
        if let Some(text) = &written.new_year {
            calendar.new_year = self.new_year(text);
        }
        if !written.closed_weekdays.is_empty() {
            calendar.closed_weekdays = written.closed_weekdays.iter().filter_map(|text| self.weekday(text)).collect();
        }
        for (class, hours) in &written.hours {
            self.hours(&mut calendar.hours, class, hours);
        }
        calendar
    }

    fn complain(&mut self, key: &str, message: &str) {
        self.complaints.push(Complaint::new(FILE, 0, key, message));
    }

    fn nets(&mut self, key: &str, texts: &[String]) -> Vec<IpNet> {
        let mut found = Vec::new();
        for text in texts {
            match net::parse(text) {
                Some(nets) => found.extend(nets),
                None => self.complain(key, &format!("「{text}」は IP アドレスの範囲として読めません。")),
            }
        }
        found
    }

    fn day(&mut self, key: &str, value: &toml::Value) -> Option<NaiveDate> {
        let text = written(value);
        let day = date::parse_date(&text);
        if day.is_none() {
            self.complain(key, &format!("「{text}」は日付として読めません。"));
        }
        day
    }

    fn moment(&mut self, key: &str, value: &toml::Value) -> Option<DateTime<Utc>> {
        let text = written(value);
        let moment = date::parse_moment(&text);
        if moment.is_none() {
            self.complain(key, &format!("「{text}」は日時として読めません。例: 2026-10-14 22:10"));
        }
        moment
    }

    fn period(&mut self, period: &Period) -> Option<(NaiveDate, NaiveDate)> {
        let (from, to) = (self.day("closed.from", &period.from)?, self.day("closed.to", &period.to)?);
        let days = (to - from).num_days();
        if !(0..=RANGE_DAYS_MAX).contains(&days) {
            self.complain("closed", &format!("{from} から {to} という期間は使えません。"));
            return None;
        }
        Some((from, to))
    }

    fn stop(&mut self, stop: &StopAsWritten) -> Option<PlannedStop> {
        let (from, to) = (self.moment("planned_stop.from", &stop.from)?, self.moment("planned_stop.to", &stop.to)?);
        if to <= from {
            self.complain("planned_stop", "終わりが始まりより前です。");
            return None;
        }
        Some(PlannedStop { sources: stop.sources.clone(), from, to, reason: stop.reason.clone() })
    }

    fn duty(&mut self, duty: &Duty) -> Option<(NaiveDate, String)> {
        let day = self.day("duty.date", &duty.date)?;
        let Some(account) = account::parse(&duty.account) else {
            self.complain("duty.account", "アカウントが空です。");
            return None;
        };
        Some((day, account.key))
    }

    fn machine(&mut self, written: &MachineAsWritten) -> Machine {
        let addresses = self.nets("machine.address", &written.address);
        Machine::of(written, addresses)
    }

    fn source(&mut self, source: &SourceAsWritten) -> (String, SourceNote) {
        let expected = source.expected.as_deref().and_then(|text| {
            let span = duration(text);
            if span.is_none() {
                self.complain("source.expected", &format!("「{text}」は間隔として読めません。例: 30m、6h、2d"));
            }
            span
        });
        (source.id.clone(), SourceNote { name: source.name.clone(), expected })
    }

    /// `12-29..01-03`, or `none`.
    fn new_year(&mut self, text: &str) -> Option<((u32, u32), (u32, u32))> {
        let day = |text: &str| {
            let (month, day) = text.trim().split_once(['-', '/'])?;
            let (month, day) = (month.parse().ok()?, day.parse().ok()?);
            NaiveDate::from_ymd_opt(2024, month, day).map(|_| (month, day))
        };
        if text == "none" {
            return None;
        }
        let found = text.split_once("..").and_then(|(first, last)| Some((day(first)?, day(last)?)));
        if found.is_none() {
            self.complain("new_year", &format!("「{text}」は期間として読めません。例: 12-29..01-03"));
        }
        found.or(Some(((12, 29), (1, 3))))
    }

    fn weekday(&mut self, text: &str) -> Option<Weekday> {
        let found = match text.trim_end_matches("曜日").trim_end_matches("曜") {
            "月" => Some(Weekday::Mon),
            "火" => Some(Weekday::Tue),
            "水" => Some(Weekday::Wed),
            "木" => Some(Weekday::Thu),
            "金" => Some(Weekday::Fri),
            "土" => Some(Weekday::Sat),
            "日" => Some(Weekday::Sun),
            other => other.parse().ok(),
        };
        if found.is_none() {
            self.complain("closed_weekdays", &format!("「{text}」は曜日として読めません。"));
        }
        found
    }

    fn hours(&mut self, table: &mut BTreeMap<AccountClass, Hours>, class: &str, hours: &HoursAsWritten) {
        let Some(class) = AccountClass::parse(class) else {
            self.complain(&format!("hours.{class}"), "この区分はありません。例: staff、doctor、admin、vendor");
            return;
        };
        let Some(entry) = table.get_mut(&class) else { return };
        let inside = [&hours.weekday, &hours.saturday, &hours.holiday];
        let vpn = [&hours.vpn_weekday, &hours.vpn_saturday, &hours.vpn_holiday];
        for (slot, text) in entry.inside.iter_mut().zip(inside).chain(entry.vpn.iter_mut().zip(vpn)) {
            if let Some(text) = text {
                self.set_hours(slot, class, text);
            }
        }
    }

    /// `8:30-17:30`, several with commas; `none` or empty is no hour at all. A span over midnight is split.
    fn set_hours(&mut self, slot: &mut Vec<Minutes>, class: AccountClass, text: &str) {
        let mut spans = Vec::new();
        for part in text.split([',', '、']).map(str::trim).filter(|part| !part.is_empty() && *part != "none") {
            let ends = part.replace(['〜', '~', '～', '－'], "-");
            let parsed = ends.split_once('-').and_then(|(a, b)| Some((date::parse_clock(a)?, date::parse_clock(b)?)));
            match parsed {
                Some((from, to)) if from < to => spans.push((from, to)),
                Some((from, to)) => spans.extend([(from, 1440), (0, to)]),
                None => {
                    self.complain(
                        &format!("hours.{}", class.as_str()),
                        &format!("「{part}」は時間帯として読めません。例: 8:30-17:30"),
                    );
                    return;
                }
            }
        }
        *slot = spans;
    }
}

fn written(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `30m`, `6h`, `35d`, or the words 分, 時間, 日.
pub(crate) fn duration(text: &str) -> Option<TimeDelta> {
    let text = text.trim();
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let number: i64 = text.get(..digits)?.parse().ok().filter(|number| (1..=1_000_000).contains(number))?;
    match text.get(digits..)?.trim() {
        "s" | "秒" => Some(TimeDelta::seconds(number)),
        "m" | "min" | "分" => Some(TimeDelta::minutes(number)),
        "h" | "時間" => Some(TimeDelta::hours(number)),
        "d" | "日" => Some(TimeDelta::days(number)),
        _ => None,
    }
}
